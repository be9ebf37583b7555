"""Ridge regression from band power through the haemodynamic response."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array, check_option
from .._warnings import warn_user
from ._base import Architecture
from ._folds import inner_folds
from ._hrf import hrf_basis
from ._ridge_solver import (
    Noise,
    Ridge,
    choose_alpha,
    left_out_errors,
    predict_by_folds,
    shrink_mean,
    take_left_out,
)

# Penalties that are tried, in units of the mean eigenvalue of the features' products.
_ALPHAS = np.logspace(-3, 4, 22)
# Responses of the basis with several delays: as far apart as people's peaks are
# (sd of 1 s; Handwerker et al., NeuroImage 21:1639-1651, 2004).
_N_DELAYS, _SPREAD = 3, 1.5
# Blocks of fewer pairs hold one or two each, and agree by chance.
_LEAST_CALIBRATION = 20
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
        What was chosen; the last is the correlation of neighbouring volumes that is
        allowed for.
    error_rho_ : float
        That of the errors in left-out people.

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
        self.left_out_ = take_left_out(self.fit_by_folds(X, y, groups, folds), folds)
        return self

    def fit_by_folds(self, X, y, groups, folds):
        """Fit, and return what the regression of each fold alone predicts.

        Parameters
        ----------
        X, y, groups
            As in :meth:`fit`.
        folds : list of (train, test)
            From :func:`inner_folds`.

        Returns
        -------
        predictions : ndarray of float32, shape (n, n_folds, n_targets)
        """
        if self.t_r is None and self.lags == "auto" and X.shape[3] > 1:
            warn_user(
                "The repetition time is not known, so there is no haemodynamic "
                "response, and each lag has a coefficient of its own. Give t_r= in s, "
                "or lags='free' if this is what you want."
            )
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
        features = designs[self.lags_].features(X)
        ridge = Ridge(features, y, noise=noise)
        coef = ridge.coefficients(self.alpha_)
        self.intercept_ = ridge.offset - ridge.mean @ coef
        self.coef_ = designs[self.lags_].to_lags(coef, X.shape[1:])
        by_folds = predict_by_folds(features, y, folds, self.alpha_, noise)
        self.error_rho_ = Noise(y - take_left_out(by_folds, folds), groups).rho
        return by_folds

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
            Of the shapes of ``coef_`` and ``intercept_``. Coefficients are zero unless
            they predict left-out blocks better by more than two standard errors; the
            intercept is shrunk by what the mean of so few pairs is uncertain. Both are
            zero, with a warning, for fewer than 20 pairs.
        """
        design = self._designs(X, self.lags_)[self.lags_]
        if len(X) < _LEAST_CALIBRATION:
            warn_user(
                f"Calibration with {len(X)} pairs changes nothing: fewer than "
                f"{_LEAST_CALIBRATION} cannot tell whether a change would help."
            )
            return np.zeros_like(self.coef_), np.zeros_like(self.intercept_)
        features, alphas = design.features(X), np.append(_ALPHAS, np.inf)
        groups = np.zeros(len(X), dtype=int)
        folds, noise = inner_folds(groups), Noise(errors, groups, "ar1")
        left_out = left_out_errors(features, errors, folds, alphas, noise)
        alpha = choose_alpha(left_out, alphas, only_if_sure=True)
        ridge = Ridge(features, errors, noise=noise)
        coef = ridge.coefficients(alpha)
        # Few rows look less correlated than they are.
        rho = max(noise.rho, self.error_rho_)
        intercept = shrink_mean(errors, rho) - ridge.mean @ coef
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
        alpha = float(check_array("alpha", self.alpha, shape=(), finite=False))
        if not alpha > 0:
            raise ValueError(
                f"alpha must be positive, infinity or 'auto', got {self.alpha!r}."
            )
        return np.array([alpha])
