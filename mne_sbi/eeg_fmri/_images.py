"""Between rows of voxels and images, through nilearn's maskers."""

import warnings

import numpy as np

from .._warnings import warn_user


def ready_masker(masker):
    """Return a masker that is fitted, without fitting it to data.

    Parameters
    ----------
    masker : nilearn masker | None
        What the caller gave. A clone, as grid search makes, is no longer fitted.

    Returns
    -------
    masker : nilearn masker | None
        The same if it is fitted; otherwise a copy fitted to its ``mask_img``.

    Raises
    ------
    TypeError
        If it is no masker.
    ValueError
        If it is not fitted and has no ``mask_img``.
    """
    from sklearn.base import clone

    if masker is None:
        return None
    if not hasattr(masker, "inverse_transform"):
        raise TypeError(
            "masker must be a nilearn masker, such as nilearn.maskers.NiftiMasker, got "
            f"{type(masker).__name__}."
        )
    if _is_fitted(masker):
        return masker
    fixed = [
        getattr(masker, name, None) for name in ("mask_img", "labels_img", "maps_img")
    ]
    if all(value is None for value in fixed):
        raise ValueError(
            "masker is not fitted, and nothing but data could tell its mask. Give "
            "NiftiMasker(mask_img=...), for example with the mask_img_ of the masker "
            "that made y: grid search and cross-validation work with unfitted copies."
        )
    return clone(masker).fit()


def _is_fitted(masker):
    names = ("mask_img_", "labels_img_", "maps_img_")
    return any(getattr(masker, name, None) is not None for name in names)


def has_voxels(masker):
    """Say whether the columns that a masker makes are voxels."""
    if masker is None:
        return False
    return not (hasattr(masker, "labels_img") or hasattr(masker, "maps_img"))


def to_image(y, masker, t_r=None, mean_img=None):
    """Turn rows of voxels, or parcels, into a 4-D image.

    Parameters
    ----------
    y : ndarray, shape (n_pairs, n_columns)
        The rows.
    masker : nilearn masker
        Fitted.
    t_r : float | None
        Repetition time for the header, in s; None leaves nilearn's.
    mean_img : Niimg-like | None
        Mean volume that ``y`` are percentages of.

    Returns
    -------
    img : nibabel.Nifti1Image
        Float32.
    """
    import nibabel

    y = np.asarray(y, dtype=np.float32)
    if mean_img is not None:
        with warnings.catch_warnings():
            # nilearn 0.14 announces another default for maskers that do not say how
            # they standardise; make_pairs takes those that do not standardise.
            warnings.filterwarnings("ignore", category=FutureWarning)
            mean = masker.transform(mean_img)
        mean = np.asarray(mean, dtype=np.float32)
        if mean.size != y.shape[1]:
            raise ValueError(
                f"mean_img must be one volume, got {mean.size // y.shape[1]}. See "
                "nilearn.image.mean_img(img, copy_header=True)."
            )
        mean = mean.reshape(1, -1)
        y = mean * (1 + y / 100)
    img = masker.inverse_transform(y)
    # nilearn keeps the type that the data happened to have.
    data = np.asanyarray(img.dataobj).astype(np.float32, copy=False)
    img = nibabel.Nifti1Image(data, img.affine)
    img.header.set_xyzt_units("mm", "sec")
    if t_r is not None:
        img.header.set_zooms((*img.header.get_zooms()[:3], t_r))
    return img


def warn_of_gaps(pairs):
    """Warn that volumes of pairs do not follow each other."""
    n_runs = len(np.unique(pairs.runs))
    if n_runs > 1:
        warn_user(
            f"The pairs are of {n_runs} recordings, whose volumes follow each other in "
            "the image. Give those of one: see pairs.pick and pairs.runs."
        )
        return
    if len(pairs.times) < 2:
        return
    steps = np.diff(pairs.times)
    if (steps <= 0).any():
        warn_user("The pairs are not in the order of time.")
        return
    # By their times, of the EEG's clock: volumes are numbered within a scan that may
    # lack some itself.
    n_missing = int((np.rint(steps / np.median(steps)) - 1).sum())
    if n_missing:
        warn_user(
            f"The pairs lack {n_missing} volumes between their first and last, so the "
            "image is shorter than the scan: nilearn.image.index_img(bold_img, "
            "pairs.volumes) takes those that are there."
        )
