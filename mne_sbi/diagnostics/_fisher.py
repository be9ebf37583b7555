"""The Fisher information of features about parameters, from simulations."""

from dataclasses import dataclass

import numpy as np

from ..simulation._run import summarize

# Groups of replicates that are left out in turn to estimate errors.
_N_GROUPS = 10
# Variance relative to the largest, after standardisation, below which a combination of
# features is constant: rounding of float32.
_CONSTANT = 1e-6
# Fewer replicates per feature than this, and the covariance is shrunk.
_LEAST_PER_FEATURE = 4


@dataclass(frozen=True)
class _Whitening:
    """What turns features to unit covariance, a matrix of (n_features, n_kept)."""

    matrix: np.ndarray
    correction: float
    is_shrunk: bool


@dataclass(frozen=True)
class PriorScale:
    """Coordinates in which every parameter of a prior has the standard deviation 1.

    Parameters
    ----------
    prior : Prior
        The prior. Parameters with a logarithmic scale are measured by their logarithm.
    """

    prior: object

    @property
    def is_log(self):
        """Which parameters have a logarithmic scale, shape (n_params,)."""
        return np.array([p.scale == "log" for p in self.prior.parameters])

    @property
    def sd(self):
        """Standard deviations of the uniform priors, shape (n_params,)."""
        low, high = self._warp(self.prior.low), self._warp(self.prior.high)
        return (high - low) / np.sqrt(12)

    def to_scaled(self, theta):
        """Map parameters, shape (..., n_params), to these coordinates."""
        return self._warp(theta) / self.sd

    def from_scaled(self, scaled):
        """Map back."""
        values = np.asarray(scaled) * self.sd
        with np.errstate(over="ignore"):
            return np.where(self.is_log, np.exp(values), values)

    def tangent(self, symmetry, theta):
        """Return the direction of a rescaling at a point, shape (n_params,).

        Parameters
        ----------
        symmetry : dict of float
            The exponent of each parameter.
        theta : array, shape (n_params,)
            The point.
        """
        exponents = np.array([symmetry.get(name, 0.0) for name in self.prior.names])
        return exponents * np.where(self.is_log, 1.0, theta) / self.sd

    def _warp(self, theta):
        safe = np.where(self.is_log, theta, 1.0)
        return np.where(self.is_log, np.log(safe), theta)


def make_design(prior, at, step):
    """Choose points on both sides of a point along every parameter.

    Parameters
    ----------
    prior : Prior
        The prior, whose range is not left.
    at : array, shape (n_params,)
        The point.
    step : float
        Distance in standard deviations of the prior.

    Returns
    -------
    theta : ndarray, shape (2 * n_params + 1, n_params)
        The point itself, and for each parameter a point ahead and one behind.
    distance : ndarray, shape (n_params,)
        Distance between the latter two in standard deviations of the prior.
    """
    scale, n_params = PriorScale(prior), len(at)
    shifts = step * np.eye(n_params)
    centre = scale.to_scaled(at)
    ahead = np.minimum(centre + shifts, scale.to_scaled(prior.high))
    behind = np.maximum(centre - shifts, scale.to_scaled(prior.low))
    distance = np.diag(ahead - behind)
    pairs = np.stack([ahead, behind], axis=1).reshape(-1, n_params)
    theta = scale.from_scaled(np.concatenate([centre[np.newaxis], pairs]))
    # Only one parameter moves: the others keep every bit.
    for row, values in enumerate(theta):
        keep = np.arange(n_params) != (row - 1) // 2 if row else slice(None)
        values[keep] = at[keep]
    return theta, distance


def simulate_features(recipe, theta, n_replicates, seed):
    """Simulate every point of a design with the same random numbers.

    Parameters
    ----------
    recipe : Recipe
        Model, features and fixed parameters.
    theta : ndarray, shape (n_points, n_params)
        The points.
    n_replicates : int
        Simulations of each.
    seed : int
        Seed of the simulations, and of the observation noise.

    Returns
    -------
    features : ndarray of float32, shape (n_points, n_replicates, n_features)
        The features. NaN where a simulation failed.
    """
    return np.stack([_simulate_point(recipe, t, n_replicates, seed) for t in theta])


def _simulate_point(recipe, theta, n_replicates, seed):
    """Simulate the features of one point, shape (n_replicates, n_features)."""
    import jax

    model, parts = recipe.model, []
    # In equal blocks, so that nothing is compiled twice; what is left over is dropped.
    n_blocks = -(-n_replicates // model.block_size)
    size = -(-n_replicates // n_blocks)
    params = recipe.complete(np.tile(theta, (size, 1)))
    for block in range(n_blocks):
        # The same key for all points: replicate i has the same noise everywhere.
        data = model.simulate_batch(
            params, jax.random.fold_in(jax.random.key(seed), block)
        )
        data = np.asarray(data)
        if recipe.nodes is not None:
            data = data[:, np.asarray(recipe.nodes)]
        summaries = summarize(model, recipe.features, data)
        parts.append((summaries, len(data)))
    shape = next((part.shape[1:] for part, _ in parts if part is not None), (1, 1))
    parts = [np.full((n, *shape), np.nan) if p is None else p for p, n in parts]
    return _observe(recipe, np.concatenate(parts)[:n_replicates], seed)


def _observe(recipe, summaries, seed):
    """Add observation noise and normalise what is finite."""
    good = np.isfinite(summaries).all(axis=(1, 2))
    shape = (len(summaries), int(np.prod(summaries.shape[1:])))
    features = np.full(shape, np.nan, np.float32)
    if good.any():
        # Noise is drawn for all, so that replicates keep theirs when others fail.
        filled = np.where(
            good[:, np.newaxis, np.newaxis], summaries, summaries[good][0]
        )
        noisy = recipe.features.add_noise(
            filled.astype(np.float32),
            np.random.default_rng(seed),
            sampled=recipe.model.output == "timeseries",
        )
        made = np.asarray(recipe.features.normalize(noisy))
        features = np.where(
            good[:, np.newaxis], made.reshape(len(made), -1), np.float32(np.nan)
        )
    return features


def fisher_information(features, distance):
    """Estimate the Fisher information about parameters.

    Parameters
    ----------
    features : ndarray, shape (2 * n_params + 1, n_replicates, n_features)
        Finite features of the points of :func:`make_design`.
    distance : ndarray, shape (n_params,)
        Distances of their pairs.

    Returns
    -------
    fisher : ndarray, shape (n_params, n_params)
        The information, symmetric and positive semidefinite.
    leave_out : ndarray, shape (n_groups, n_params, n_params)
        The same without one group of replicates each.

    Raises
    ------
    ValueError
        If all features are constant.

    Notes
    -----
    The information is ``J.T @ inv(C) @ J`` with the derivatives J of the mean features
    and their covariance C, that of a Gaussian whose mean alone depends on the
    parameters. J has errors, whose squares would look like information. So each
    replicate is combined with all *others* only (a U-statistic), which is unbiased; the
    negative eigenvalues that this can give are set to zero. The inverse of an estimated
    covariance is corrected for its bias after Hartlap et al. (2007), A&A 464, 399.
    """
    n_replicates = features.shape[1]
    whitening = _whitening(features[0])
    groups = np.array_split(np.arange(n_replicates), _N_GROUPS)
    leave_out = []
    for group in groups:
        kept = np.delete(features, group, axis=1)
        # The covariance of many features is too costly to estimate anew; its shrinkage
        # makes it vary less than the derivatives do.
        again = whitening if whitening.is_shrunk else _whitening(kept[0])
        leave_out.append(_estimate(kept, distance, again))
    return _estimate(features, distance, whitening), np.stack(leave_out)


def _estimate(features, distance, whitening):
    """Combine the derivatives of each replicate with those of all others."""
    n_params, n = len(distance), features.shape[1]
    white = np.empty((n_params, n, whitening.matrix.shape[1]))
    for i in range(n_params):
        difference = features[2 * i + 1].astype(float) - features[2 * i + 2]
        white[i] = difference @ whitening.matrix / distance[i]
    total, flat = white.sum(axis=1), white.reshape(n_params, -1)
    pairs = total @ total.T - flat @ flat.T
    return _positive_part(whitening.correction * pairs / (n * (n - 1)))


def _whitening(features):
    """Estimate what turns features, (n_replicates, n_features), to unit covariance."""
    features = features.astype(float)
    n = len(features)
    sd = features.std(axis=0)
    varies = sd > 1e-7 * np.maximum(np.abs(features).max(axis=0), 1e-30)
    if not varies.any():
        raise ValueError(
            "The features of repeated simulations are all the same, so that nothing "
            "limits what they tell. Give features with observation noise, such as "
            "LogPSD(noise=SpectralNoise(duration=60.0))."
        )
    scale = np.where(varies, 1 / np.where(varies, sd, 1.0), 0.0)
    standard = (features - features.mean(axis=0)) * scale
    n_features = int(varies.sum())
    is_shrunk = n < _LEAST_PER_FEATURE * n_features
    if is_shrunk:
        from sklearn.covariance import ledoit_wolf

        covariance = ledoit_wolf(standard, assume_centered=True)[0]
        covariance *= np.outer(varies, varies)
    else:
        covariance = standard.T @ standard / (n - 1)
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _CONSTANT * values[-1]
    whiten = scale[:, np.newaxis] * vectors[:, kept] / np.sqrt(values[kept])
    correction = 1.0 if is_shrunk else (n - int(kept.sum()) - 2) / (n - 1)
    return _Whitening(whiten, correction, is_shrunk)


def _positive_part(matrix):
    """Replace negative eigenvalues by zero."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def remove_directions(fisher, directions):
    """Set the information along directions to zero.

    Parameters
    ----------
    fisher : ndarray, shape (..., n_params, n_params)
        The information.
    directions : sequence of ndarray, shape (n_params,)
        Directions along which the data do not change.

    Returns
    -------
    fisher : ndarray, shape (..., n_params, n_params)
        What is left of it.
    """
    if not len(directions):
        return fisher
    basis = np.linalg.svd(np.array(directions), full_matrices=False)[2]
    keep = np.eye(fisher.shape[-1]) - basis.T @ basis
    return keep @ fisher @ keep


def contraction_of(fisher):
    """Compute posterior over prior standard deviations of a linear Gaussian model.

    Parameters
    ----------
    fisher : ndarray, shape (..., n_params, n_params)
        The information in units of the prior's standard deviations.

    Returns
    -------
    contraction : ndarray, shape (..., n_params)
        1 where nothing is learned, 0 where a parameter becomes known.
    """
    posterior = np.linalg.inv(fisher + np.eye(fisher.shape[-1]))
    return np.sqrt(np.diagonal(posterior, axis1=-2, axis2=-1))


def contraction_error(leave_out):
    """Estimate the standard error of the contraction by the jackknife.

    Parameters
    ----------
    leave_out : ndarray, shape (n_groups, n_params, n_params)
        The information without one group of replicates each.

    Returns
    -------
    error : ndarray, shape (n_params,)
        Standard errors.
    """
    each = contraction_of(leave_out)
    n = len(each)
    return np.sqrt((n - 1) * each.var(axis=0))
