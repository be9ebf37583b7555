"""Ridge regression from band power through the haemodynamic response."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array, check_option
from ._base import Architecture
from ._folds import inner_folds
from ._hrf import hrf_basis

# Penalties that are tried, in units of the mean eigenvalue of the features' products.
_ALPHAS = np.logspace(-1, 4, 16)
# Responses of the basis with several delays: as far apart as people's peaks are
# (sd of 1 s; Handwerker et al., NeuroImage 21:1639-1651, 2004).
_N_DELAYS, _SPREAD = 3, 1.5
# Pairs per coefficient from which on each lag can have one of its own.
_PAIRS_PER_LAG = 20


@dataclass(frozen=True)
class Design:
    """A way to make a few features of lagged band power.

    Parameters
    ----------
    lag_weights : ndarray, shape (n_lags, n_basis)
        What the lags of each channel and band are multiplied with.
    """

    lag_weights: np.ndarray

    def features(self, X):
        """Return features (n, n_channels * n_bands * n_basis)."""
        products = np.tensordot(X, self.lag_weights.astype(X.dtype), axes=(3, 0))
        return products.reshape(len(X), -1)

    def to_lags(self, coef, x_shape):
        """Turn coefficients (n_features, k) into (n_channels, n_bands, n_lags, k)."""
        n_channels, n_bands, _ = x_shape
        coef = coef.reshape(n_channels, n_bands, -1, coef.shape[1])
        return np.einsum("cbqk,lq->cblk", coef, self.lag_weights)


class Noise:
    """Autocorrelation of what EEG does not explain, which is nearly all.

    Parameters
    ----------
    targets : ndarray, shape (n, k)
        The targets, in the order of time within people.
    groups : array, shape (n,)
        The person of each pair.
    kind : str
        ``"ar1"`` finds how much of itself the previous volume leaves; ``"known"`` takes
        ``rho``.
    rho : float
        Zero is white noise.

    Attributes
    ----------
    rho : float
        Correlation of neighbouring volumes over all targets.
    """

    def __init__(self, targets, groups, kind="ar1", rho=0.0):
        _, self._person = np.unique(groups, return_inverse=True)
        self.rho = rho
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


class HRFRidge(Architecture):
    """Ridge regression on band power convolved with the haemodynamic response.

    Parameters
    ----------
    t_r : float | None
        Length of a lag in s. Without it there is no haemodynamic response, and each
        lag has a coefficient of its own.
    lags : str
        ``"hrf"`` weights lags by the canonical response, ``"hrf_delays"`` by three
        responses that are 1.5 s apart, ``"free"`` gives each lag a coefficient.
        ``"auto"`` chooses among them on left-out people; free lags only if there are
        20 pairs or more for each coefficient.
    alpha : float | str
        The penalty, in units of the mean eigenvalue of the features' products.
        ``"auto"`` chooses one on left-out people; infinity, which predicts the mean,
        is among those that are tried.

    noise : str
        ``"white"`` fits by least squares; ``"ar1"`` allows for the correlation of
        neighbouring volumes, which makes estimates from few pairs more precise;
        ``"auto"`` does where lags are not free, which they are only with many pairs:
        then least squares are precise enough, and need no model of the noise.

    Attributes
    ----------
    coef_ : ndarray, shape (n_channels, n_bands, n_lags, n_targets)
        Change of the targets per change of log power.
    intercept_ : ndarray, shape (n_targets,)
        Added to the products.
    lags_, alpha_, rho_ : str, float, float
        What was chosen; the last is the correlation of neighbouring volumes.

    Notes
    -----
    Band power through the response to components of fMRI is the model that later
    architectures must beat. The folds are those of :func:`inner_folds`; the error is
    summed over targets, whose squared errors are those of voxels.
    """

    default_target = "pca"

    def __init__(self, t_r=None, lags="auto", alpha="auto", noise="white"):
        self.t_r = t_r
        self.lags = lags
        self.alpha = alpha
        self.noise = noise

    def fit(self, X, y, *, groups, grid=None, random_state=None, verbose=None):
        """Fit; see :meth:`Architecture.fit`."""
        folds = inner_folds(groups)
        designs, alphas = self._designs(X, self.lags), self._alphas()
        best = None
        for name, design in designs.items():
            noise = Noise(y, groups, self._noise_for(name))
            errors = left_out_errors(design.features(X), y, folds, alphas, noise)
            least = errors.sum(axis=0).min()
            if best is None or least < best[0]:
                best = least, name, choose_alpha(errors, alphas), noise
        _, self.lags_, self.alpha_, noise = best
        self.rho_ = noise.rho
        design = designs[self.lags_]
        ridge = Ridge(design.features(X), y, noise=noise)
        coef = ridge.coefficients(self.alpha_)
        self.intercept_ = ridge.offset - ridge.mean @ coef
        self.coef_ = design.to_lags(coef, X.shape[1:])
        return self

    def predict(self, X):
        """Predict targets (n, n_targets)."""
        return np.tensordot(X, self.coef_, axes=3) + self.intercept_

    def update(self, X, y, *, random_state=None, verbose=None):
        """Move towards one more person; see :meth:`Architecture.update`."""
        coef, intercept = self.correct(X, y - self.predict(X))
        self.coef_ += coef
        self.intercept_ += intercept
        return self

    def correct(self, X, errors):
        """Find what to add to a prediction, from its errors in one person.

        Parameters
        ----------
        X : ndarray, shape (n, n_channels, n_bands, n_lags)
            Band power of the person.
        errors : ndarray, shape (n, n_targets)
            Measured less predicted targets.

        Returns
        -------
        coef, intercept : ndarray
            Of the shapes of ``coef_`` and ``intercept_``. Zero change of the
            coefficients, which is an infinite penalty, is among what is tried on
            blocks that are left out.
        """
        design = self._designs(X, self.lags_)[self.lags_]
        features, alphas = design.features(X), np.append(_ALPHAS, np.inf)
        groups = np.zeros(len(X), dtype=int)
        folds, noise = inner_folds(groups), Noise(errors, groups, "known", self.rho_)
        left_out = left_out_errors(features, errors, folds, alphas, noise)
        alpha = choose_alpha(left_out, alphas)
        ridge = Ridge(features, errors, noise=noise)
        coef = ridge.coefficients(alpha)
        intercept = ridge.offset - ridge.mean @ coef
        return design.to_lags(coef, X.shape[1:]), intercept

    def features(self, X):
        """Return the chosen features (n, n_features) of band power."""
        return self._designs(X, self.lags_)[self.lags_].features(X)

    def _designs(self, X, lags):
        """Return the designs that are tried, by name."""
        check_option("lags", lags, ("auto", "hrf", "hrf_delays", "free"))
        n_lags = X.shape[3]
        free = {"free": Design(np.eye(n_lags))}
        if lags == "free" or n_lags == 1 and lags == "auto":
            return free
        if self.t_r is None:
            if lags == "auto":
                return free
            raise ValueError(
                f"lags='{lags}' needs the repetition time: give t_r= in s."
            )
        t_r = float(check_array("t_r", self.t_r, shape=(), positive=True))
        designs = {
            "hrf": Design(hrf_basis(n_lags, t_r)),
            "hrf_delays": Design(hrf_basis(n_lags, t_r, _N_DELAYS, _SPREAD)),
        }
        if lags != "auto":
            return {lags: designs[lags]}
        many = len(X) >= _PAIRS_PER_LAG * X[0].size
        return designs | free if many else designs

    def _noise_for(self, lags):
        check_option("noise", self.noise, ("auto", "white", "ar1"))
        if self.noise != "auto":
            return self.noise
        return "white" if lags == "free" else "ar1"

    def _alphas(self):
        if isinstance(self.alpha, str):
            check_option("alpha", self.alpha, ("auto",))
            return np.append(_ALPHAS, np.inf)
        return np.array(
            [float(check_array("alpha", self.alpha, shape=(), finite=False))]
        )


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


def choose_alpha(errors, alphas):
    """Choose a penalty by errors (n_folds, n_alphas) of left-out pairs.

    The geometric mean of the choices that leave one fold out each. The best one itself
    depends on single people: where one of them stands out, the others choose the
    opposite of what suits that person.
    """
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
