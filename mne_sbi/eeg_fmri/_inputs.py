"""Checks of the pairs that the regressor is given."""

import numpy as np
from sklearn.utils.validation import check_array as check_sklearn_array

from .._checks import check_array


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


# What make_pairs calls the windows whose second axis is this one.
_FEATURES = {
    "bands": "band_power",
    "frequencies": "spectrogram",
    "samples": "raw",
}


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
    groups = np.asarray(groups)
    if groups.shape != (n_pairs,):
        raise ValueError(
            f"groups must have shape ({n_pairs},), one person for each pair, got "
            f"{groups.shape}."
        )
    # NaN is not equal to itself.
    n_missing = sum(person is None or person != person for person in groups.tolist())
    if n_missing:
        raise ValueError(
            f"groups must name a person for each pair, but {n_missing} of {n_pairs} "
            "are missing (None or NaN)."
        )
    return groups
