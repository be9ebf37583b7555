"""From a 4-D image to percent signal change in voxels or parcels."""

import os
from dataclasses import dataclass
from glob import glob

import numpy as np

from .._checks import check_array, check_option
from ._alignment import LONGEST_T_R, SAME_T_R, check_t_r
from ._bold_values import mask_bold, region_of
from ._cosines import slow_cosines
from ._images import has_voxels, ready_masker

_PER_SECOND = {"sec": 1.0, "msec": 1e3, "usec": 1e6}
# Columns that are cleaned at once, in double precision.
_N_AT_ONCE = 20_000


@dataclass(frozen=True)
class BoldSignal:
    """How the signal of voxels, or parcels, is made.

    Parameters
    ----------
    high_pass : float | None
        Slower drifts are removed, in Hz: a constant and the cosines up to twice the
        frequency times the duration of the scan, which is what SPM and nilearn do.
        ``None`` removes none.
    unusable : str
        What is done with columns that are constant, or whose mean is not above their
        standard deviation, so that percent of it mean nothing: ``"raise"`` an error, or
        set them to ``"zero"``. Voxels that are NaN at all times are taken for constant
        zeros with the latter; in a parcel, or where the masker smooths, the others
        count then.

    Examples
    --------
    >>> from mne_sbi.eeg_fmri import BoldSignal
    >>> BoldSignal(high_pass=None)
    BoldSignal(high_pass=None, unusable='raise')
    """

    high_pass: float | None = 1 / 128
    unusable: str = "raise"

    def __post_init__(self):
        if self.high_pass is not None:
            check_array("high_pass", self.high_pass, shape=(), positive=True)
        check_option("unusable", self.unusable, ["raise", "zero"])


def load_bold(bold_img, t_r=None):
    """Load a 4-D image, and find its repetition time.

    Parameters
    ----------
    bold_img : path-like | nibabel image | list of these
        The scan; a list of its volumes, or of parts of it, is joined.
    t_r : float | None
        Repetition time in s. ``None`` takes the header's.

    Returns
    -------
    img : nibabel image
        The scan.
    t_r : float
        Repetition time in s.

    Raises
    ------
    TypeError
        If it is neither a path nor an image.
    ValueError
        If the image is not 4-D, the header has no repetition time and ``t_r`` is not
        given, or they differ by more than one percent. One without a unit is none: it
        is what headers have where nobody set it.
    """
    from nibabel.spatialimages import SpatialImage

    if not isinstance(bold_img, str | os.PathLike | SpatialImage | list | tuple):
        raise TypeError(
            "bold_img must be a path or a nibabel image, got "
            f"{type(bold_img).__name__}. For an array, give nibabel.Nifti1Image(array, "
            "affine), with the affine of the scan."
        )
    img, of_header = _load_volumes(bold_img)
    if len(img.shape) != 4 or img.shape[3] < 2:
        raise ValueError(
            "bold_img must be a 4-D image with two volumes at least, got one of the "
            f"shape {img.shape}."
        )
    if img.affine is None:
        raise ValueError(
            "bold_img has no affine, which says where its voxels are: give "
            "nibabel.Nifti1Image(array, affine), with that of the scan."
        )
    if t_r is not None:
        t_r = check_t_r(t_r)
    if of_header is None:
        if t_r is None:
            raise ValueError(
                "The image's header has no repetition time. Give t_r in s, for example "
                "RepetitionTime of the JSON file beside the image. Headers of single "
                "volumes have none, and 1 without a unit is only the format's default, "
                "as nilearn.image.math_img leaves it."
            )
        return img, t_r
    if t_r is not None and not _has_unit(img) and of_header > LONGEST_T_R:
        # It may be in ms or us, if the header does not say that it is not.
        of_header = min(of_header / 1e3, of_header / 1e6, key=lambda x: abs(x - t_r))
    if of_header > LONGEST_T_R and t_r is None:
        raise ValueError(
            f"The image's header has a repetition time of {of_header:g} s. If it means "
            "milliseconds, correct it with img.header.set_xyzt_units('mm', 'msec')."
        )
    if t_r is not None and abs(t_r / of_header - 1) > SAME_T_R:
        zooms = ", ".join(f"{zoom:g}" for zoom in img.header.get_zooms()[:3])
        raise ValueError(
            f"t_r is {t_r:g} s, but the image's header says {of_header:g} s. Correct "
            "t_r; or, if the header is wrong, load the image and correct it with "
            f"img.header.set_zooms(({zooms}, {t_r:g})) and "
            "img.header.set_xyzt_units('mm', 'sec')."
        )
    return img, of_header if t_r is None else t_r


def _load_volumes(bold_img):
    """Load an image, or join a list of them; and the header's t_r in s, or None."""
    from nilearn.image import load_img

    if isinstance(bold_img, str) and not os.path.exists(bold_img):
        # nilearn takes patterns of names; what is not found is its error.
        bold_img = sorted(glob(os.path.expanduser(bold_img))) or bold_img
    if not isinstance(bold_img, list | tuple):
        img = load_img(bold_img)
        return img, _header_t_r(img)
    # The header of the joined image has the first one's, or a default.
    images = [load_img(each) for each in bold_img]
    known = [t_r for t_r in map(_header_t_r, images) if t_r is not None]
    if known and max(known) > (1 + SAME_T_R) * min(known):
        raise ValueError(
            f"The {len(images)} images of bold_img differ in repetition time, by their "
            f"headers: from {min(known):g} to {max(known):g} s. Give those of one scan."
        )
    return load_img(images), known[0] if known else None


def _header_t_r(img):
    """Read the repetition time in s from a header; None if it does not say."""
    # Formats other than NIfTI have no unit of time: MGH means milliseconds.
    if len(img.shape) != 4 or not hasattr(img.header, "get_xyzt_units"):
        return None
    value = float(img.header.get_zooms()[3])
    unit = img.header.get_xyzt_units()[1]
    # Of the format's other units, as Hz, none is of time. One without a unit is what
    # the format has where nobody set it.
    if unit not in (*_PER_SECOND, "unknown") or (unit == "unknown" and value == 1):
        return None
    value /= _PER_SECOND.get(unit, 1.0)
    # The header is in single precision: 1.35 would be 1.35000002.
    return float(f"{value:.6g}") if np.isfinite(value) and value > 0 else None


def _has_unit(img):
    """Return whether the header has a unit of time."""
    return img.header.get_xyzt_units()[1] in _PER_SECOND


def fit_masker(masker, images, t_r=None):
    """Return a fitted masker whose copies can be fitted again.

    Parameters
    ----------
    masker : nilearn masker
        Fitted, or not: then a copy of it is. A NiftiMasker without ``mask_img`` finds
        the mask in the mean volumes of the images.
    images : list of nibabel images
        Scans in one space.
    t_r : float | None
        Their repetition time in s.

    Returns
    -------
    masker : nilearn masker
        The same if it is fitted, has a mask of its own and knows the repetition time;
        otherwise a copy.

    Raises
    ------
    TypeError
        If it is no masker of voxels, labels or maps.
    ValueError
        If it changes the signal by itself, its mask is empty, or it has another
        repetition time.
    """
    from nilearn.image import mean_img
    from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiMasker
    from sklearn.base import clone

    if not isinstance(masker, NiftiMasker | NiftiLabelsMasker | NiftiMapsMasker):
        raise TypeError(
            "masker must be a nilearn masker of the kind NiftiMasker, "
            "NiftiLabelsMasker or NiftiMapsMasker, got "
            f"{type(masker).__name__}. For all voxels of the head, give "
            "nilearn.maskers.NiftiMasker(); for a mask, NiftiMasker(mask_img=...); for "
            "regions, NiftiLabelsMasker(labels_img=...)."
        )
    is_open = has_voxels(masker) and getattr(masker, "mask_img", "") is None
    if is_open and getattr(masker, "mask_img_", None) is None:
        masker = clone(masker).fit([mean_img(img, copy_header=True) for img in images])
    else:
        masker = ready_masker(masker)
    own = {
        "standardize": masker.standardize not in (False, None),
        "detrend": bool(masker.detrend),
        "high_pass": masker.high_pass is not None,
    }
    if any(own.values()):
        names = " and ".join(name for name, is_set in own.items() if is_set)
        raise ValueError(
            f"The masker has {names} set, which takes the mean away that percent are "
            "of. Leave it out: drift is removed here, see BoldSignal(high_pass=...)."
        )
    if not region_of(masker)[0].any():
        raise ValueError("The mask is empty: give one that is true somewhere.")
    return _complete(masker, t_r)


def _complete(masker, t_r):
    """Write what the scans told into a masker's settings, which copies keep."""
    from sklearn.base import clone

    told = {}
    if t_r is not None and masker.t_r is None:
        told["t_r"] = t_r
    elif t_r is not None and abs(masker.t_r / t_r - 1) > SAME_T_R:
        raise ValueError(
            f"The masker has t_r={masker.t_r:g} s, but the scans have {t_r:g} s. "
            "Correct the masker, or leave its t_r out."
        )
    if has_voxels(masker) and masker.mask_img is None:
        told["mask_img"] = masker.mask_img_
    return clone(masker).set_params(**told).fit() if told else masker


def read_bold(img, masker, t_r, signal=None, onsets=None):
    """Compute percent signal change without drift.

    Parameters
    ----------
    img : nibabel image
        The scan.
    masker : nilearn masker
        Fitted.
    t_r : float
        Repetition time in s.
    signal : BoldSignal | None
        Settings.
    onsets : ndarray, shape (n_volumes,) | None
        As :func:`percent_change` takes them.

    Returns
    -------
    y : ndarray of float32, shape (n_volumes, n_columns)
        ``100 (v - mean) / |mean|``, with zero mean and without drift.

    Raises
    ------
    ValueError
        If the mask and the image do not overlap, values are not finite, or columns are
        not usable.
    """
    signal = signal or BoldSignal()
    values = mask_bold(img, masker, signal.unusable)
    return percent_change(values, t_r, signal, onsets)


def percent_change(values, t_r, signal, onsets=None):
    """Turn values into percent of their mean, without drift.

    Parameters
    ----------
    values : ndarray, shape (n_volumes, n_columns)
        Of voxels or parcels.
    t_r : float
        Repetition time in s.
    signal : BoldSignal
        Settings.
    onsets : ndarray, shape (n_volumes,) | None
        When the volumes begin, in s, if some of the scan have been left out. ``None``
        for all of them.

    Returns
    -------
    y : ndarray of float32, shape (n_volumes, n_columns)
        Percent signal change.

    Raises
    ------
    ValueError
        If columns are not usable, or nothing is left beside the drift.
    """
    n_volumes = len(values)
    high_pass = signal.high_pass
    numbers = np.arange(n_volumes)
    if onsets is not None:
        numbers = (onsets - onsets[0]) / t_r
    n_all = round(numbers[-1]) + 1
    n_cosines = 0 if high_pass is None else int(2 * n_all * t_r * high_pass)
    if n_cosines > n_volumes // 2:
        raise ValueError(
            f"high_pass={high_pass:g} Hz takes {n_cosines} of {n_volumes} volumes' "
            f"freedom at a repetition time of {t_r:g} s. Give a lower one."
        )
    usable = _find_usable(values, signal.unusable)
    # nilearn.signal.clean knows no volumes that are missing.
    drift = slow_cosines((numbers + 0.5) / n_all, n_cosines)
    y = np.zeros(values.shape, dtype=np.float32)
    columns = np.flatnonzero(usable)
    for start in range(0, len(columns), _N_AT_ONCE):
        part = columns[start : start + _N_AT_ONCE]
        block = values[:, part].astype(float)
        mean = block.mean(axis=0)
        block -= mean  # first, for precision
        y[:, part] = 100 * (block - drift @ (drift.T @ block)) / np.abs(mean)
    return y


def _find_usable(values, unusable):
    """Return the columns that have a mean and change, bool of shape (n_columns,)."""
    from mne.utils import logger

    constant = values.max(axis=0) == values.min(axis=0)
    mean = values.mean(axis=0, dtype=float)
    no_base = ~constant & (np.abs(mean) <= values.std(axis=0, dtype=float))
    n_columns = values.shape[1]
    if no_base.sum() > n_columns / 2:
        raise ValueError(
            f"The mean of {no_base.sum()} of {n_columns} voxels or parcels is not "
            "above their standard deviation: the image was centred or standardised "
            "already, and percent of the mean mean nothing. Give it as it was before."
        )
    usable = ~(constant | no_base)
    if usable.all():
        return usable
    found = (
        f"{constant.sum()} of {n_columns} voxels or parcels are constant, and "
        f"{no_base.sum()} have a mean that is not above their standard deviation"
    )
    if unusable == "raise" or not usable.any():
        raise ValueError(
            f"{found}. Give a mask without them, such as "
            "nilearn.masking.compute_epi_mask(bold_img), or set them to zero: "
            "BoldSignal(unusable='zero')."
        )
    logger.info(f"{found}: they are set to zero.")
    return usable
