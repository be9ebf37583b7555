"""The pairs that an evaluation is given, checked."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array
from ._inputs import check_groups
from ._pairs import Pairs
from ._splits import Timeline


@dataclass(frozen=True, eq=False)
class CheckedPairs:
    """Pairs of EEG and fMRI that fit together.

    Parameters
    ----------
    X : ndarray, shape (n_pairs, ...)
        Windows of EEG.
    y : ndarray of float32, shape (n_pairs, ...)
        fMRI, in the form in which the model gets it.
    groups : ndarray, shape (n_pairs,)
        The person of each pair.
    timeline : Timeline
        When they were.
    ceiling : ndarray, shape (n_pairs, n_targets) | None
        What EEG can explain.
    whole : Pairs | None
        What the arrays are of, where pairs were given.
    """

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    timeline: Timeline
    ceiling: np.ndarray | None
    whole: Pairs | None = None

    @property
    def values(self):
        """``y`` with one row per pair, ndarray, shape (n_pairs, n_targets)."""
        return self.y.reshape(len(self.y), -1)


def check_pairs(X, y, groups, times, ceiling, gap):
    """Check what :func:`evaluate` is given.

    Parameters
    ----------
    X, y, groups, times, ceiling, gap
        As in :func:`evaluate`.

    Returns
    -------
    pairs : CheckedPairs
        The pairs.

    Raises
    ------
    ValueError
        If shapes do not fit together or values are not finite.
    """
    runs = whole = None
    if isinstance(X, Pairs):
        whole = X
        if any(value is not None for value in (y, groups, times)):
            raise TypeError(
                "Pairs hold y, groups and times: give the pairs alone, or their arrays."
            )
        X, y, groups, times, runs = X.X, X.y, X.groups, X.times, X.runs
    X = check_array("X", X, dtype=None)
    y = check_array("y", y, dtype=np.float32)
    if X.ndim < 2 or y.ndim not in (1, 2, 4) or y.size == 0:
        raise ValueError(
            "X must have shape (n_pairs, ...) with two axes or more, and y (n_pairs, "
            "n_voxels), (n_pairs, nx, ny, nz) or (n_pairs,); got "
            f"{X.shape} and {y.shape}."
        )
    if len(X) != len(y):
        raise ValueError(
            f"X has {len(X)} pairs, but y has {len(y)}. Each window of EEG needs the "
            "volume that belongs to it."
        )
    groups = check_groups(groups, len(y))
    if times is not None:
        times = check_array("times", times, shape=(len(y),))
    if ceiling is not None:
        ceiling = check_array("ceiling", ceiling, shape=y.shape, dtype=np.float32)
        ceiling = ceiling.reshape(len(y), -1)
    gap = float(check_array("gap", gap, shape=(), positive=True))
    return CheckedPairs(
        X, y, groups, Timeline(groups, times, gap, runs), ceiling, whole
    )
