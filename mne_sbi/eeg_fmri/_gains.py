"""How much of each part of a prediction to believe."""

import numpy as np


def fit_gains(y, by_ridge, by_network, groups, one_person=False):
    """Find what to multiply the two parts of a prediction with, for each target.

    Parameters
    ----------
    y : ndarray, shape (n, n_targets)
        Measured targets.
    by_ridge, by_network : ndarray, shape (n, n_targets)
        Predictions of people who were left out: the first part, and what is added.
    groups : array, shape (n,)
        The person of each row; blocks, if there is one person.
    one_person : bool
        Whether there is. Then the ridge regression is believed: blocks of one person
        are left out by regressions of much less data, which underrate it.

    Returns
    -------
    gains : ndarray, shape (2, n_targets)
        Between 0 and 1. The gains of the targets are shrunk towards that of all, as far
        as they differ by no more than chance; for the ridge regression, whose penalty
        was chosen already, that of all is shrunk towards one.
    """
    if one_person:
        ridge = np.ones(y.shape[1])
    else:
        ridge = _gains(y.astype(float), by_ridge.astype(float), groups, prior=1.0)
    left = y - ridge * by_ridge
    network = _gains(left, by_network.astype(float), groups)
    return np.stack([ridge, network])


def _gains(y, x, groups, prior=None):
    """Regress each column of y on that of x, with two levels of shrinkage."""
    _, person = np.unique(groups, return_inverse=True)
    n_people = person.max() + 1
    products, squares = np.zeros((2, n_people, y.shape[1]))
    np.add.at(products, person, x * y)
    np.add.at(squares, person, x * x)
    if not squares.any():
        return np.zeros(y.shape[1])
    pooled, error = _slope(products.sum(axis=1), squares.sum(axis=1))
    if prior is not None:
        # The move from the prior that has the least expected squared error.
        distance = max((pooled - prior) ** 2, 1e-300)
        pooled = prior + max(0.0, 1 - error / distance) * (pooled - prior)
    pooled = np.clip(pooled, 0.0, 1.0)
    slopes, errors = _slope(products, squares)
    # Variance of the targets' own gains beyond that of their errors (DerSimonian &
    # Laird, Control Clin Trials 7:177-188, 1986), weighted by what depends on them.
    weights = squares.sum(axis=0) / squares.sum()
    between = (weights * ((slopes - pooled) ** 2 - errors)).sum()
    own = max(between, 0.0) / np.maximum(max(between, 0.0) + errors, 1e-300)
    return np.clip(pooled + own * (slopes - pooled), 0.0, 1.0)


def _slope(products, squares):
    """Return slopes over all people, and their variance when people are drawn anew."""
    n_people = len(products)
    total = np.maximum(squares.sum(axis=0), 1e-300)
    slope = products.sum(axis=0) / total
    if n_people == 1:
        return slope, np.zeros_like(slope)
    scores = products - slope * squares
    variance = ((scores / total) ** 2).sum(axis=0) * n_people / (n_people - 1)
    return slope, variance
