"""Scores of the predicted fMRI of one person over time."""

import numpy as np

from ._copies import N_PAST, main_axes, past_of
from ._nulls import LEVEL, ROUNDING, shift_null

# Columns that are regressed at once, which bounds memory.
_BLOCK = 2048

# Predictions whose standard deviation over time is a smaller share of the measured one
# are constant for all that scores can tell.
CONSTANT = 0.01
OWN_MEAN, PAST_VOLUMES = "own mean", "previous volumes"


def squared_error(predicted, measured):
    """Sum squared errors over volumes and targets, in double precision."""
    return float(np.square(measured - predicted).sum(dtype=float))


def skill_over_past(predicted, measured):
    """Compare a prediction with what measured volumes of the past give for nothing.

    Parameters
    ----------
    predicted, measured : ndarray, shape (n_volumes, n_targets)
        Of one person.

    Returns
    -------
    skill : float
        One minus the ratio of squared errors. The reference is the best of the person's
        mean, of the previous volume, and of regressions of each target, on itself in
        the four volumes before, and on these seen through the ten largest spatial
        components of the prediction as well. The regressions are fitted to the same
        volumes: what is linear in these cannot beat them.

    Notes
    -----
    The first and the last four volumes, which lack neighbours, do not count.
    """
    y = measured - measured.mean(axis=0, dtype=float)
    p = predicted - predicted.mean(axis=0, dtype=float)
    axes = main_axes(p)
    past = range(1, N_PAST + 1)
    scores = past_of(y @ axes, past)
    errors = np.zeros(4)
    for start in range(0, y.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        seen = np.einsum("knl,vk->vnl", scores, axes[block])
        own, target = past_of(y[:, block], past), past_of(y[:, block], [0])
        errors += [
            np.square(target).sum(),
            np.square(target - own[:, :, :1]).sum(),
            _left_over(own, target),
            _left_over(np.concatenate([own, seen], axis=2), target),
        ]
    inner = slice(N_PAST, len(y) - N_PAST)
    return 1 - squared_error(predicted[inner], measured[inner]) / errors.min()


def _left_over(by, target):
    """Return the squared error of regressions with an intercept, summed."""
    by = np.concatenate([by, np.ones((*by.shape[:2], 1))], axis=2)
    products = by.transpose(0, 2, 1) @ by
    size = 1e-9 * np.trace(products, axis1=1, axis2=2) + 1e-300
    products += size[:, None, None] * np.eye(by.shape[2])
    weights = np.linalg.solve(products, by.transpose(0, 2, 1) @ target)
    return float(np.square(target - by @ weights).sum())


def remove_fold_means(x, fold):
    """Remove the mean of the volumes that were tested together.

    Parameters
    ----------
    x : ndarray, shape (n_volumes, n_targets)
        Values of one person.
    fold : ndarray of int, shape (n_volumes,)
        The fold in which each volume was tested.

    Returns
    -------
    x : ndarray, shape (n_volumes, n_targets)
        The values without the means. Columns that change by no more than rounding are
        zero.
    """
    size = np.abs(x).max(axis=0)
    x = x.copy()
    for number in np.unique(fold):
        rows = fold == number
        x[rows] -= x[rows].mean(axis=0, dtype=float).astype(x.dtype)
    x[:, np.abs(x).max(axis=0) <= ROUNDING * size] = 0
    return x


def is_constant(predicted, measured, fold):
    """Tell whether predictions of a fold do not change with time.

    Parameters
    ----------
    predicted, measured : ndarray, shape (n_volumes, n_targets)
        Of one person.
    fold : ndarray of int, shape (n_volumes,)
        The fold in which each volume was tested.

    Returns
    -------
    constant : bool
        Whether their standard deviation is below one per cent of the measured one.
    """
    spread = [
        np.square(remove_fold_means(x, fold)).sum(dtype=float)
        for x in (predicted, measured)
    ]
    return bool(np.sqrt(spread[0]) < CONSTANT * np.sqrt(spread[1]))


def score_over_time(predicted, measured, fold, min_shift, is_copy=False):
    r"""Score the predictions of one person.

    Parameters
    ----------
    predicted, measured : ndarray, shape (n_volumes, n_targets)
        In the order of time.
    fold : ndarray of int, shape (n_volumes,)
        The volumes that were tested together, of one recording, have one number.
    min_shift : int
        As in :func:`shift_null`.
    is_copy : bool
        Compare with the past volumes that the prediction was made of.

    Returns
    -------
    row : dict
        ``n_volumes``, ``skill``, ``reference``, ``r2`` (skill over the own mean),
        ``r``, ``r_null95``, ``p``, ``share_above`` (of targets whose correlation
        exceeds the 95 % quantile of their own shifts), ``rmse``, ``rmse_shuffled``,
        ``rmse_constant``.
    null : ShiftNull
        Correlation of each target.

    Raises
    ------
    ValueError
        If no measured value changes within a fold.

    Notes
    -----
    In random order, the predictions' products with the measured values are zero on
    average, so the error expected of shuffled predictions is exact: the variances of
    both plus the squared difference of their means.

    Each fold's mean is removed before correlating: where blocks of one person are left
    out, the mean of the other blocks is related to what is left, although it knows
    nothing of time. Skill is of the same differences :math:`\tilde y` from the means of
    folds,

    .. math:: R^2 = 1 - \frac{\sum (\tilde y - \tilde p)^2 + n (\bar y - \bar p)^2}
                            {\sum \tilde y^2},

    which is the usual one if all volumes are tested in one fold. No constant, and no
    constant in each fold, has more than zero.
    """
    inner = [remove_fold_means(x, fold) for x in (predicted, measured)]
    within = float(np.square(inner[1]).sum(dtype=float))
    if within == 0:
        raise ValueError(
            "No measured value of a person changes within a fold: look for constants "
            "in y, and let each fold test two volumes or more of a person."
        )
    mean_y, mean_p = (x.mean(axis=0, dtype=float) for x in (measured, predicted))
    total = squared_error(mean_y.astype(measured.dtype), measured)
    error = squared_error(predicted, measured)
    offset = len(measured) * float(np.square(mean_y - mean_p).sum())
    spread = squared_error(mean_p.astype(predicted.dtype), predicted)
    r2 = 1 - (squared_error(*inner) + offset) / within
    null = shift_null(*inner, min_shift)
    is_known = np.isfinite(null.r)
    row = {
        "n_volumes": len(measured),
        "skill": skill_over_past(predicted, measured) if is_copy else r2,
        "reference": PAST_VOLUMES if is_copy else OWN_MEAN,
        "r2": r2,
        "r": null.mean,
        "r_null95": float(np.quantile(null.null, LEVEL)),
        "p": null.p,
        "share_above": float((null.r > null.r_null95)[is_known].mean()),
        "rmse": np.sqrt(error / measured.size),
        "rmse_shuffled": np.sqrt((total + offset + spread) / measured.size),
        "rmse_constant": np.sqrt((total + offset) / measured.size),
    }
    return row, null
