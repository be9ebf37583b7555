"""Between rows of voxels and images, through nilearn's maskers."""

import warnings
from copy import copy

import numpy as np

from .._checks import listing
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
        getattr(masker, name, None)
        for name in ("mask_img", "labels_img", "maps_img", "seeds")
    ]
    if all(value is None for value in fixed):
        raise ValueError(
            "masker is not fitted, and nothing but data could tell its mask. Give "
            "NiftiMasker(mask_img=...), for example with the mask_img_ of the masker "
            "that made y: grid search and cross-validation work with unfitted copies."
        )
    return clone(masker).fit()


def _is_fitted(masker):
    names = ("mask_img_", "labels_img_", "maps_img_", "seeds_")
    return any(getattr(masker, name, None) is not None for name in names)


def has_voxels(masker):
    """Say whether the columns that a masker makes are voxels."""
    regions = ("labels_img", "maps_img", "seeds")
    return masker is not None and not any(hasattr(masker, name) for name in regions)


def columns_of(masker, in_mask=True):
    """Return what the columns of a masker are, as tuple of str; None for voxels.

    These are what ``inverse_transform`` takes, and what ``transform`` makes of an image
    on the masker's own grid; with ``in_mask=False``, without its mask.
    """
    if masker is None or has_voxels(masker):
        return None
    seeds = getattr(masker, "seeds_", None)
    if seeds is not None:
        return tuple(f"seed at ({', '.join(f'{x:g}' for x in seed)})" for seed in seeds)
    mask = getattr(masker, "mask_img_", None) if in_mask else None
    if getattr(masker, "labels_img_", None) is None:
        found = _find_maps(masker.maps_img_, mask)
        return tuple(f"map {i}" for i in found)
    labels = np.asanyarray(masker.labels_img_.dataobj)
    if mask is not None and mask.shape == labels.shape:
        labels = labels[np.asanyarray(mask.dataobj) != 0]
    return _name_labels(masker, np.unique(labels).tolist())


def _name_labels(masker, numbers):
    """Return labels as text: their numbers, and their names where there are any."""
    table = getattr(masker, "lut_", None)
    names = {} if table is None else table.set_index("index")["name"].to_dict()
    numbers = [i for i in numbers if i != masker.background_label and i == i]
    texts = [str(names.get(i, f"{i:g}")) for i in numbers]
    return tuple(
        text if text == f"{i:g}" else f"{i:g} ({text})"
        for i, text in zip(numbers, texts, strict=True)
    )


def _find_maps(maps, mask):
    """Return the numbers of the maps that are somewhere inside the mask."""
    values = np.asanyarray(maps.dataobj)
    if mask is not None and mask.shape == values.shape[:3]:
        values = values[np.asanyarray(mask.dataobj) != 0]
    return np.flatnonzero(values.reshape(-1, values.shape[-1]).any(axis=0)).tolist()


def transform(masker, img):
    """Take the columns of a masker out of an image.

    Parameters
    ----------
    masker : nilearn masker
        Fitted.
    img : nibabel image
        3-D or 4-D.

    Returns
    -------
    values : ndarray, shape (n_volumes, n_columns)
        As the masker gives them.

    Raises
    ------
    ValueError
        If regions are lost on the grid of the image, so that columns would be others
        than those of other images.
    """
    expected = columns_of(masker)
    _refuse_masked_regions(masker, expected)
    with warnings.catch_warnings():
        # It is False by default, and the caller can do nothing better.
        warnings.filterwarnings("ignore", "boolean values for 'standardize'")
        warnings.filterwarnings("ignore", category=FutureWarning)
        # Maskers are fitted without images on purpose, and lost regions are an error.
        for text in ("Resampling", "After resampling", "After applying mask"):
            warnings.filterwarnings("ignore", text)
        values = np.asarray(masker.transform(img))
        found = None if expected is None else _columns_found(masker, img)
    if found != expected:
        _refuse_lost_regions(masker, expected, found, img)
    return values.reshape(-1, values.shape[-1])


def _columns_found(masker, img):
    """Return what the columns are that a masker just made of an image."""
    if hasattr(masker, "labels_img"):
        ids = {k: v for k, v in masker.region_ids_.items() if k != "background"}
        return _name_labels(masker, [ids[k] for k in sorted(ids)])
    if hasattr(masker, "seeds") or masker.resampling_target != "data":
        return columns_of(masker)
    from nilearn.image import resample_img

    maps, mask = masker.maps_img_, masker.mask_img_
    grid = {"target_shape": img.shape[:3], "target_affine": img.affine}
    if not _same_grid(maps, img):
        maps = resample_img(maps, interpolation="linear", **grid)
    if mask is not None and not _same_grid(mask, img):
        mask = resample_img(mask, interpolation="nearest", **grid)
    return tuple(f"map {i}" for i in _find_maps(maps, mask))


def _same_grid(first, second):
    """Return whether two images have the same voxels."""
    return first.shape[:3] == second.shape[:3] and np.allclose(
        first.affine, second.affine
    )


def _refuse_masked_regions(masker, expected):
    """Raise an error for columns of regions outside the mask."""
    what = "labels" if hasattr(masker, "labels_img") else "maps"
    if expected is None or not getattr(masker, f"keep_masked_{what}", False):
        return
    further = [n for n in columns_of(masker, in_mask=False) if n not in expected]
    if further:
        further = [name.removeprefix("map ") for name in further]
        raise ValueError(
            f"The {what} {listing(further)} are outside of the masker's mask, and "
            f"keep_masked_{what}=True gives them columns without values, for which "
            f"images have no place. Leave keep_masked_{what} out."
        )


def _refuse_lost_regions(masker, expected, found, img):
    """Raise an error that names the lost regions and the remedy."""
    what = "labels" if hasattr(masker, "labels_img") else "maps"
    lost = [name.removeprefix("map ") for name in expected if name not in found]
    voxel = " x ".join(f"{size:.3g}" for size in img.header.get_zooms()[:3])
    raise ValueError(
        f"The {what} {listing(lost)} have no voxel in the image, whose voxels are "
        f"{voxel} mm: they are lost where the {what} are resampled to it, and the "
        "columns after them would be others than in other recordings. Resample the "
        f"image instead, with {type(masker).__name__}(..., resampling_target="
        f"'{what}'), or leave these {what} out of {what}_img."
    )


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
    from nilearn.image import load_img

    y = np.asarray(y, dtype=np.float32)
    if mean_img is not None:
        mean = transform(masker, load_img(mean_img)).astype(np.float32)
        if mean.size != y.shape[1]:
            raise ValueError(
                f"mean_img must be one volume, got {mean.size // y.shape[1]}. See "
                "nilearn.image.mean_img(img, copy_header=True)."
            )
        mean = mean.reshape(1, -1)
        y = mean * (1 + y / 100)
    masker = copy(masker)
    # nilearn keeps what labels the last image had, and takes no others.
    masker.__dict__.pop("_lut_", None)
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
