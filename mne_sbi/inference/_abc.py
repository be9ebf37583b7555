"""Rejection sampling: the simulations nearest to the observation."""

import numpy as np
from scipy.special import logit, logsumexp
from sklearn.utils.validation import check_is_fitted

from .._checks import check_count, check_rng, draw_seed
from ..simulation._rows import LazyRows
from ._base import (
    InferenceMethod,
    check_between,
    check_theta,
    check_training,
    make_generators,
)
from ._scaling import FeatureScaler

# Keeps the logit finite for parameters on the surface of the cube.
_EDGE = 1e-9
# Rows on disk that are compared with observations at one time.
_BLOCK = 2048
# Most bytes of simulations that a file of a fitted method may hold.
_MAX_SAVED = 2**32


class RejectionABC(InferenceMethod):
    """Approximate posterior from the nearest simulations, without a network.

    A reference to compare other methods with: it converges to the posterior as the
    number of simulations grows and the quantile falls, but needs few parameters and few
    features for that [1]_.

    Parameters
    ----------
    quantile : float
        Share of the simulations that are accepted for an observation, at least two.

    Notes
    -----
    The distance is the Euclidean one between standardised features. The density of
    :meth:`log_prob` is a kernel estimate over the accepted parameters in logit space,
    with Scott's bandwidth.

    References
    ----------
    .. [1] Beaumont, Zhang & Balding (2002). Approximate Bayesian computation in
       population genetics. Genetics 162, 2025-2035.
    """

    def __init__(self, quantile=0.01):
        self.quantile = quantile

    def fit(
        self,
        theta,
        x,
        *,
        resample=None,
        refresh=None,
        random_state=None,
        verbose=None,
    ):
        """Keep the simulations; see :meth:`InferenceMethod.fit`.

        Parameters
        ----------
        theta : array, shape (n, n_params)
            Parameters in the unit cube.
        x : array, shape (n, n_features) | (n, n_nodes, n_points)
            Their features.
        resample : callable | None
            Called once for all rows; for rows on disk, block by block whenever they
            are read, with the same noise for a row every time.
        refresh : None
            Nothing else: there are no passes over the simulations.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of randomness for ``resample``.
        verbose : bool | str | None
            Ignored: nothing takes long.

        Returns
        -------
        self : RejectionABC
            The fitted method.
        """
        check_between("quantile", self.quantile, 1e-12, 1.0)
        if refresh is not None:
            raise ValueError(
                "RejectionABC compares the simulations that it is given and makes no "
                "passes over them, so there is nothing to refresh. Give more "
                "simulations, or train NPE or PointRegressor."
            )
        theta, x, shape = check_training(theta, x, resampled=resample is not None)
        on_disk = isinstance(x, LazyRows) and not x.fits
        if resample is not None and on_disk:
            x = _NoisyRows(x, resample, draw_seed(random_state))
        elif resample is not None:
            x = np.asarray(resample(np.arange(len(theta)), check_rng(random_state)))
            theta, x, shape = check_training(theta, x, resampled=False)
        self.scaler_ = FeatureScaler.from_rows(x)
        self.input_shape_, self.n_params_ = shape, theta.shape[1]
        self.history_ = {}
        scale = self.scaler_.transform
        self.theta_, self.z_ = theta, x.map(scale) if on_disk else scale(x)
        return self

    def _accept(self, x):
        """Yield the accepted parameters of one observation after the other."""
        x = self._check_x(x)
        n_accepted = max(2, round(self.quantile * len(self.theta_)))
        if isinstance(self.z_, LazyRows):
            nearest = _find_nearest(self.z_, self.scaler_.transform(x), n_accepted)
            yield from (self.theta_[rows] for rows in nearest)
            return
        for z in self.scaler_.transform(x):
            distance = np.square(self.z_ - z).sum(axis=1)
            # A stable order: the same result whatever the number of equal distances.
            nearest = np.argsort(distance, kind="stable")[:n_accepted]
            yield self.theta_[nearest]

    def sample(self, x, n_draws, *, random_state=None):
        """Draw accepted parameters with replacement, independently per observation.

        Parameters
        ----------
        x : array, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
            Observed features.
        n_draws : int
            Number of draws per observation.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of randomness.

        Returns
        -------
        draws : ndarray, shape (n_obs, n_draws, n_params)
            Parameters in the unit cube.
        """
        n_draws = check_count("n_draws", n_draws)
        z = self.scaler_.transform(self._check_x(x))
        generators = make_generators(z, random_state)
        draws = []
        for accepted, rng in zip(self._accept(x), generators, strict=True):
            uniform = rng.random(n_draws)
            draws.append(accepted[(uniform * len(accepted)).astype(int)])
        return np.reshape(draws, (-1, n_draws, self.n_params_))

    def log_prob(self, theta, x):
        """Logarithm of a kernel estimate of the posterior density.

        Parameters
        ----------
        theta : array, shape (n, n_params)
            Parameters in the unit cube.
        x : array, shape (n, n_features) | (n, n_nodes, n_points)
            Observed features, row by row.

        Returns
        -------
        log_prob : ndarray, shape (n,)
            The density relative to the prior, as the prior's is one.
        """
        accepted = list(self._accept(x))
        theta = check_theta(theta, len(accepted), self.n_params_)
        theta = np.clip(theta, _EDGE, 1.0 - _EDGE)
        log_prob = np.empty(len(theta))
        for i, (row, points) in enumerate(zip(theta, accepted, strict=True)):
            points = logit(np.clip(points, _EDGE, 1.0 - _EDGE))
            width = points.std(axis=0) * len(points) ** (-1 / (self.n_params_ + 4))
            width = np.maximum(width, _EDGE)
            z = (logit(row) - points) / width
            kernels = -0.5 * np.square(z).sum(axis=1)
            norm = np.log(width * np.sqrt(2.0 * np.pi) * row * (1.0 - row)).sum()
            log_prob[i] = logsumexp(kernels) - np.log(len(points)) - norm
        return log_prob

    def predict(self, x):
        """Mean of the accepted parameters.

        Parameters
        ----------
        x : array, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
            Observed features.

        Returns
        -------
        theta : ndarray, shape (n_obs, n_params)
            The estimates.
        """
        means = [accepted.mean(axis=0) for accepted in self._accept(x)]
        return np.reshape(means, (-1, self.n_params_))

    def get_state(self):
        """Describe the fitted method; see :meth:`InferenceMethod.get_state`.

        Returns
        -------
        state : dict
            Settings and shapes; can be written as JSON.
        arrays : dict of ndarray
            Scaling and simulations.
        """
        check_is_fitted(self, "theta_")
        if self.z_.nbytes > _MAX_SAVED:
            raise ValueError(
                f"RejectionABC keeps all its simulations, {self.z_.nbytes / 2**30:.1f} "
                f"GiB, and saves up to {_MAX_SAVED / 2**30:g} GiB. Fit it to fewer "
                "simulations, or train NPE, which keeps a network only."
            )
        state = {
            "method": "RejectionABC",
            "settings": self.get_params(),
            "input_shape": list(self.input_shape_),
        }
        arrays = {"mean": self.scaler_.mean, "scale": self.scaler_.scale}
        return state, arrays | {"theta": self.theta_, "z": np.asarray(self.z_)}

    @classmethod
    def from_state(cls, state, arrays):
        """Restore what :meth:`get_state` describes.

        Parameters
        ----------
        state : dict
            Settings and shapes.
        arrays : dict of ndarray
            Scaling and simulations.

        Returns
        -------
        method : RejectionABC
            The fitted method.
        """
        method = cls(**state["settings"])
        method.input_shape_ = tuple(state["input_shape"])
        method.scaler_ = FeatureScaler(arrays["mean"], arrays["scale"])
        method.theta_, method.z_ = arrays["theta"], arrays["z"]
        method.n_params_ = method.theta_.shape[1]
        method.history_ = {}
        return method


class _NoisyRows(LazyRows):
    """Rows on disk with noise that is drawn block by block, the same every time."""

    def __init__(self, x, resample, seed):
        self._x, self._resample, self._seed = x, resample, seed
        self.shape, self.dtype = x.shape, np.dtype(np.float32)

    @property
    def chunks(self):
        return self._x.chunks

    @property
    def n_together(self):
        return self._x.n_together

    def take(self, indices):
        rows = np.empty((len(indices), *self.shape[1:]), self.dtype)
        for block in np.unique(indices // _BLOCK):
            start = block * _BLOCK
            members = np.arange(start, min(start + _BLOCK, len(self)))
            noisy = self._resample(members, np.random.default_rng([self._seed, block]))
            wanted = indices // _BLOCK == block
            rows[wanted] = noisy.reshape(len(members), -1)[indices[wanted] - start]
        return rows


def _find_nearest(rows, observed, n_accepted):
    """Find the rows nearest to each observation, in one pass over the disk.

    Parameters
    ----------
    rows : LazyRows, shape (n, n_features)
        The simulations.
    observed : ndarray, shape (n_obs, n_features)
        The observations.
    n_accepted : int
        How many rows each gets.

    Returns
    -------
    nearest : list of ndarray of int
        For each observation the nearest rows, sorted by distance.
    """
    nearest = [np.empty(0, int)] * len(observed)
    best = [np.empty(0, np.float32)] * len(observed)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        for i, z in enumerate(observed):
            distance = np.square(block - z).sum(axis=1)
            distance = np.concatenate([best[i], distance])
            number = np.arange(start, start + len(block))
            number = np.concatenate([nearest[i], number])
            # Of equal distances the first row, as in memory.
            kept = np.argsort(distance, kind="stable")[:n_accepted]
            best[i], nearest[i] = distance[kept], number[kept]
    return nearest
