"""Ridge regressions for many penalties and folds, and the choice among them."""

import numpy as np

# Fewer independent rows say nothing about their mean.
_LEAST_EFFECTIVE = 10


class Noise:
    """Autocorrelation of what EEG does not explain, which is nearly all.

    Parameters
    ----------
    targets : ndarray, shape (n, k)
        The targets, in the order of time within people.
    groups : array, shape (n,)
        The person of each pair.
    kind : str
        ``"white"`` is none; ``"ar1"`` finds how much of itself the previous volume
        leaves.

    Attributes
    ----------
    rho : float
        Correlation of neighbouring volumes over all targets.
    """

    def __init__(self, targets, groups, kind="ar1"):
        _, self._person = np.unique(groups, return_inverse=True)
        self.rho = 0.0
        if kind == "ar1":
            centred = targets - targets.mean(axis=0)
            after = self._follow(np.arange(len(targets)))
            product = (centred[after] * centred[after - 1]).sum(dtype=float)
            square = (centred**2).sum(dtype=float)
            self.rho = float(np.clip(product / max(square, 1e-300), 0.0, 0.9))

    def whiten(self, values, rows):
        """Take what the previous row leaves away from rows (n, k) with numbers (n,)."""
        if not self.rho:
            return values
        after = self._follow(rows)
        white = np.sqrt(1 - self.rho**2) * values
        white[after] = values[after] - self.rho * values[after - 1]
        return white

    def _follow(self, rows):
        """Return places of rows whose previous one is there, of the same person."""
        person = self._person[rows]
        return 1 + np.flatnonzero((np.diff(rows) == 1) & (np.diff(person) == 0))


class Ridge:
    """Ridge regression for many penalties at once, from one decomposition.

    Parameters
    ----------
    features : ndarray, shape (n, p)
        The features of all pairs; columns are centred and scaled here.
    targets : ndarray, shape (n, k)
        The targets; centred here.
    rows : ndarray of int | None
        Pairs to learn from; None is all.
    noise : Noise | None
        Of the targets; None is white.
    """

    def __init__(self, features, targets, rows=None, noise=None):
        rows = np.arange(len(features)) if rows is None else rows
        features, targets = features[rows], targets[rows]
        self.mean, self.scale = features.mean(axis=0), features.std(axis=0)
        self.scale = np.where(self.scale > 1e-12, self.scale, 1.0)
        scaled = ((features - self.mean) / self.scale).astype(float)
        self.offset = targets.mean(axis=0)
        centred = (targets - self.offset).astype(float)
        if noise is not None:
            scaled, centred = noise.whiten(scaled, rows), noise.whiten(centred, rows)
        n, p = scaled.shape
        if p <= n:
            values, self.axes = np.linalg.eigh(scaled.T @ scaled)
            self.projected = self.axes.T @ (scaled.T @ centred)
        else:
            values, vectors = np.linalg.eigh(scaled @ scaled.T)
            kept = values > 1e-10 * max(values[-1], 1e-300)
            values, vectors = values[kept], vectors[:, kept]
            self.axes = scaled.T @ vectors / np.sqrt(values)
            self.projected = np.sqrt(values)[:, None] * (vectors.T @ centred)
        self.values = np.maximum(values, 0.0)
        # Penalties in these units mean the same for any number of pairs or features.
        self.unit = max(self.values.sum() / p, 1e-12)

    def coefficients(self, alpha):
        """Return coefficients (p, k) of unscaled features.

        Parameters
        ----------
        alpha : float
            The penalty in units of the mean eigenvalue; infinity gives zero.
        """
        shrunk = self.projected / (self.values[:, None] + self.unit * alpha)
        return (self.axes @ shrunk) / self.scale[:, None]

    def predict_path(self, features, alphas):
        """Predict (n_alphas, n, k) for penalties that all targets share."""
        rotated = ((features - self.mean) / self.scale) @ self.axes
        out = np.empty((len(alphas), len(features), len(self.offset)), np.float32)
        for i, alpha in enumerate(alphas):
            shrunk = self.projected / (self.values[:, None] + self.unit * alpha)
            out[i] = rotated @ shrunk + self.offset
        return out


def left_out_errors(features, targets, folds, alphas, noise=None):
    """Sum the squared errors of each fold's pairs, predicted from the others.

    The sum is over the pairs and targets of a fold.

    Parameters
    ----------
    features : ndarray, shape (n, p)
    targets : ndarray, shape (n, k)
    folds : list of (train, test)
        Rows of each fold.
    alphas : ndarray, shape (n_alphas,)
        Penalties.
    noise : Noise | None
        Of the targets.

    Returns
    -------
    errors : ndarray, shape (n_folds, n_alphas)
    """
    errors = np.zeros((len(folds), len(alphas)))
    for number, (train, test) in enumerate(folds):
        ridge = Ridge(features, targets, train, noise)
        predictions = ridge.predict_path(features[test], alphas)
        squares = (predictions - targets[test]) ** 2
        errors[number] = squares.sum(axis=(1, 2), dtype=float)
    return errors


def choose_alpha(errors, alphas, only_if_sure=False):
    """Choose a penalty by errors (n_folds, n_alphas) of left-out pairs.

    With ``only_if_sure``, infinity, the last penalty, unless the best one is better by
    more than two standard errors over folds.

    The geometric mean of the choices that leave one fold out each. The best one itself
    depends on single people: where one of them stands out, the others choose the
    opposite of what suits that person.
    """
    if only_if_sure:
        gains = errors[:, -1] - errors[:, np.argmin(errors.sum(axis=0))]
        n_folds = len(gains)
        if n_folds < 2 or gains.mean() <= 2 * gains.std(ddof=1) / np.sqrt(n_folds):
            return np.inf
    if len(errors) == 1:
        return float(alphas[np.argmin(errors[0])])
    choices = alphas[np.argmin(errors.sum(axis=0) - errors, axis=1)]
    finite = np.isfinite(choices)
    if 2 * finite.sum() <= len(choices):
        return np.inf
    return float(np.exp(np.log(choices[finite]).mean()))


def predict_by_folds(features, targets, folds, alpha, noise=None):
    """Predict all pairs by each fold's regression.

    Parameters
    ----------
    features, targets, folds
        As in :func:`left_out_errors`.
    alpha : float
        The penalty.
    noise : Noise | None
        Of the targets.

    Returns
    -------
    predictions : ndarray of float32, shape (n, n_folds, k)
    """
    predictions = np.empty((len(targets), len(folds), targets.shape[1]), np.float32)
    for number, (train, _) in enumerate(folds):
        ridge = Ridge(features, targets, train, noise)
        predictions[:, number] = ridge.predict_path(features, [alpha])[0]
    return predictions


def take_left_out(predictions, folds):
    """Take for each pair (n, n_folds, k) what the fold that left it out predicts."""
    left_out = np.empty((predictions.shape[0], predictions.shape[2]), np.float32)
    for number, (_, test) in enumerate(folds):
        left_out[test] = predictions[test, number]
    return left_out


def shrink_mean(values, rho):
    """Estimate the mean of few autocorrelated rows.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Successive rows.
    rho : float
        Correlation of neighbours.

    Returns
    -------
    mean : ndarray, shape (k,)
        Shrunk towards zero by one factor (James & Stein, Proc 4th Berkeley Symp,
        1961), which is zero where means are no larger than chance makes them, and
        where rows tell less than ten independent ones.
    """
    mean = values.mean(axis=0, dtype=float)
    # Independent values that tell as much as these of an AR(1) process.
    n_effective = len(values) * (1 - rho) / (1 + rho)
    if n_effective < _LEAST_EFFECTIVE:
        return np.zeros_like(mean)
    expected = values.var(axis=0, dtype=float) / (n_effective - 1)
    square = max(float((mean**2).sum()), 1e-300)
    return max(0.0, 1 - float(expected.sum()) / square) * mean
