"""Checks of the pairs that the regressor is given."""

import numpy as np
from sklearn.utils.validation import check_array as check_sklearn_array

from .._checks import check_array, check_labels, check_no_mask, listing
from ._alignment import SAME_T_R
from ._alike import check_regions
from ._images import columns_of
from ._pairs import Pairs

# Means are about zero if they are no more than so many standard deviations.
_CENTRED = 10.0
# What make_pairs calls the windows whose second axis is this one.
_FEATURES = {
    "bands": "band_power",
    "frequencies": "spectrogram",
    "samples": "raw",
}


def unpack_pairs(X, y=None, groups=None, like=None, targets=True):
    """Return arrays of what may be :class:`Pairs`.

    Parameters
    ----------
    X : Pairs | array_like
        The pairs, or windows of EEG.
    y, groups : array_like | None
        As they were given.
    like : Pairs | None
        Those that the regressor was fitted to.
    targets : bool
        Whether ``y`` is used, and must be alike.

    Returns
    -------
    X, y, groups : array_like
        Of the pairs, with channels in the order of ``like``, or as given.

    Raises
    ------
    TypeError
        If ``y`` or ``groups`` are given with pairs, or X is a list of pairs.
    ValueError
        If pairs are not like those of fit.
    """
    if isinstance(X, list | tuple) and any(isinstance(part, Pairs) for part in X):
        raise TypeError(
            f"X is a {type(X).__name__} of Pairs. Join them first: "
            "Pairs.concatenate(X)."
        )
    if not isinstance(X, Pairs):
        return X, y, groups
    if y is not None or groups is not None:
        raise TypeError(
            "Pairs hold y and groups: give the pairs alone, or pairs.X, y and groups."
        )
    pairs = X if like is None else X.match(like, targets)
    return pairs.X, pairs.y, pairs.groups


def check_features(X, architecture):
    """See that pairs have the windows that an architecture takes.

    Raises
    ------
    ValueError
        If they have others.
    """
    wanted = _FEATURES.get(architecture.axes[1])
    if isinstance(X, Pairs) and wanted not in (None, X.features):
        raise ValueError(
            f"{type(architecture).__name__} takes features='{wanted}', and these pairs "
            f"have '{X.features}': see make_pairs(..., features='{wanted}')."
        )


def agree_t_r(t_r, masker, X):
    """Return the repetition time in s, which may be known from several.

    Parameters
    ----------
    t_r : float | None
        The setting.
    masker : nilearn masker | None
        May have one.
    X : Pairs | array_like
        Pairs have one.

    Returns
    -------
    t_r : float | None
        The first of these that is known.

    Raises
    ------
    ValueError
        If they differ.
    """
    known = {"t_r is": t_r, "The masker has": getattr(masker, "t_r", None)}
    if isinstance(X, Pairs):
        known["The pairs have"] = X.t_r
    known = {
        who: float(check_array("t_r", value, shape=(), positive=True))
        for who, value in known.items()
        if value is not None
    }
    if not known:
        return None
    first, t_r = next(iter(known.items()))
    for who, other in known.items():
        if abs(t_r / other - 1) > SAME_T_R:
            raise ValueError(
                f"{first} {t_r:g} s, but {who[0].lower()}{who[1:]} {other:g} s: "
                "correct whichever is wrong. t_r= may be left out."
            )
    return t_r


def check_columns(masker, pairs, y_shape):
    """Check that the columns of fMRI are the regions of a masker.

    Parameters
    ----------
    masker : nilearn masker | None
        Fitted.
    pairs : Pairs | None
        What was given, if it was pairs.
    y_shape : tuple of int
        Shape of one pair's values.

    Raises
    ------
    ValueError
        If they are others, or of another number.
    """
    names = columns_of(masker)
    if pairs is not None:
        check_regions(names, pairs.region_names)
    if names is not None and y_shape != (len(names),):
        raise ValueError(
            f"y has rows of the shape {y_shape}, but the masker has {len(names)} "
            f"regions: {listing(names)}. Give the masker that made y, with "
            "resampling_target='labels' so that no label is lost on the grid of an "
            "image."
        )


def as_windows(X, architecture):
    """Check windows of EEG and give them the axes of an architecture.

    Parameters
    ----------
    X : array_like, shape (n_pairs, ...)
        The windows. Band power may also be columns (n_pairs, n_features): then each is
        a channel with one band and one lag.
    architecture : Architecture
        Says which axes a window has.

    Returns
    -------
    X : ndarray of float32, shape (n_pairs, ...)
        The windows.

    Raises
    ------
    ValueError
        If the number of axes is another one, there are no pairs or values are not
        finite.
    """
    # scikit-learn's own check first: it knows sparse matrices, and its messages are
    # what its users expect.
    check_no_mask("X", X)
    X = check_sklearn_array(
        X, dtype=np.float32, allow_nd=True, ensure_2d=True, input_name="X"
    )
    axes = architecture.axes
    if X.ndim == 2 and axes == ("channels", "bands", "lags"):
        return X[:, :, np.newaxis, np.newaxis]
    if X.ndim != 1 + len(axes):
        names = ", ".join(f"n_{name}" for name in axes)
        raise ValueError(
            f"{type(architecture).__name__} takes windows X (n_pairs, {names}), got an "
            f"array of the shape {X.shape}. See make_pairs(..., features="
            f"'{_FEATURES[axes[1]]}')."
        )
    return X


def check_window_shape(X, expected, architecture):
    """Compare windows with those of fit.

    Parameters
    ----------
    X : ndarray, shape (n_pairs, ...)
        Windows.
    expected : tuple of int
        Shape of a window of fit.
    architecture : Architecture
        Names the axes.

    Raises
    ------
    ValueError
        If the shape is another one.
    """
    if X.shape[1:] == expected:
        return
    if X.shape[2:] == expected[1:]:
        raise ValueError(
            f"X has {X.shape[1]} features, but EEG2fMRIRegressor is expecting "
            f"{expected[0]} features as input (channels, or columns of a 2-D X)."
        )
    axes = " x ".join(architecture.axes)
    raise ValueError(
        f"X has windows of the shape {X.shape[1:]} ({axes}), but fit saw {expected}. "
        "Make both with the same settings."
    )


def _is_centred(mean, std):
    """Tell whether columns can be percent signal change, whose mean is about zero.

    Volumes in the units of the scanner have means of some hundred standard deviations.
    """
    size = _rms(std)
    return not size or bool(_rms(mean) <= _CENTRED * size)


def _rms(x):
    return float(np.sqrt(np.square(x).mean(dtype=float)))


def check_percent(mean, std):
    """See that a regressor was fitted to something like percent signal change.

    Parameters
    ----------
    mean, std : ndarray, shape (n_columns,)
        Of the values of fit, and of the errors.
    """
    if not _is_centred(mean, std):
        raise ValueError(
            "mean_img is for predictions in percent, but the regressor was fitted to "
            f"values with means of {_rms(mean):.4g} (root mean square), as volumes in "
            "the units of the scanner have. Fit it to percent signal change, as "
            "make_pairs makes it, or leave mean_img out."
        )


def check_same_unit(mean, known_mean, std):
    """See that values are not in the scanner's units where those of fit were not.

    Parameters
    ----------
    mean, known_mean, std : ndarray, shape (n_columns,)
        Mean of the values, mean of those of fit, and size of the errors.
    """
    if _is_centred(known_mean, std) and not _is_centred(mean, std):
        raise ValueError(
            f"y has means of {_rms(mean):.4g} (root mean square), and that of fit had "
            f"about zero, with errors of {_rms(std):.4g}: is it in the units of the "
            "scanner? Percent signal change is expected, as make_pairs makes it."
        )


def as_targets(y, n_pairs):
    """Check fMRI and flatten each pair's values.

    Parameters
    ----------
    y : array_like, shape (n_pairs, ...)
        One number, voxels or a volume for each pair.
    n_pairs : int
        The number of windows.

    Returns
    -------
    y : ndarray of float32, shape (n_pairs, n_columns)
        The values.
    shape : tuple of int
        Shape of one pair's values: ``()``, ``(n_voxels,)`` or ``(nx, ny, nz)``.
    """
    if y is None:
        raise ValueError(
            "requires y to be passed, but the target y is None: EEG2fMRIRegressor "
            "learns from fMRI."
        )
    y = check_array("y", y, dtype=np.float32)
    if y.ndim not in (1, 2, 4) or y.size == 0:
        raise ValueError(
            "y must have shape (n_pairs, n_voxels), (n_pairs, nx, ny, nz) or "
            f"(n_pairs,), got {y.shape}."
        )
    if len(y) != n_pairs:
        raise ValueError(
            f"X has {n_pairs} pairs, but y has {len(y)}. Each window of EEG needs the "
            "volume that belongs to it."
        )
    return y.reshape(len(y), -1), y.shape[1:]


def check_groups(groups, n_pairs):
    """Return the person of each pair; a single one if ``groups`` is None."""
    if groups is None:
        return np.zeros(n_pairs, dtype=int)
    return check_labels("groups", groups, n_pairs, "pair")
