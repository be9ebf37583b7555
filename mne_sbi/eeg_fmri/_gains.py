"""How much of each part of a prediction to believe."""

import numpy as np


def fit_gains(y, parts, groups):
    """Find what to multiply the parts of a prediction with, for each target.

    Parameters
    ----------
    y : ndarray, shape (n, n_targets)
        Measured targets.
    parts : list of ndarray, shape (n, n_targets)
        Predictions of people who were left out, whose sum should predict ``y``.
    groups : array, shape (n,)
        The person, or block, of each row.

    Returns
    -------
    gains : ndarray, shape (n_parts, n_targets)
        Between 0 and 1.
    """
    left, gains = y.astype(float), []
    for part in parts:
        gain = _gain(left, part.astype(float), groups)
        gains.append(gain)
        left = left - gain * part
    return np.stack(gains)


def _gain(y, x, groups):
    """Regress each column of y on that of x, shrunk by how people differ."""
    _, person = np.unique(groups, return_inverse=True)
    n_people = person.max() + 1
    products, squares = np.zeros((2, n_people, y.shape[1]))
    np.add.at(products, person, x * y)
    np.add.at(squares, person, x * x)
    total = np.maximum(squares.sum(axis=0), 1e-300)
    gain = products.sum(axis=0) / total
    if n_people > 1:
        # Variance of the pooled slope when people are drawn anew.
        scores = products - gain * squares
        variance = (scores**2).sum(axis=0) / total**2 * n_people / (n_people - 1)
        # The slope that has the least squared error when its prior has mean zero.
        gain = gain * np.maximum(0.0, 1 - variance / np.maximum(gain**2, 1e-300))
    return np.clip(gain, 0.0, 1.0)
