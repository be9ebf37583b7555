"""Refinement: move parameters to where the model's features fit best."""

import numpy as np

from .._jax import standard_jax
from ..features import LogPSD

# Steps in the unit cube for differences: large against the rounding of float32, small
# against the width of a posterior.
_STEP = 4e-3
# Parameters stay this far inside of the prior.
EDGE = 1e-3
_N_FAST, _N_EXACT = 50, 3
# Posterior draws, and points of the prior, that are tried as starts; starts that are
# followed. The distance has several valleys, and a posterior may miss one.
_N_TRIED, _N_PRIOR, _N_STARTS = 128, 8192, 16
# Damping of Levenberg and Marquardt: start, and factors after success and failure.
_DAMPING, _BETTER, _WORSE = 1e-2, 0.3, 4.0


def refine(predict, observed, starts, *, exact=None, valid=None):
    """Minimise the squared distance of features by damped Gauss-Newton steps.

    Parameters
    ----------
    predict : callable
        From points of the unit cube, shape (n, n_params), to features (n, n_features).
        Its derivatives are taken by differences, all starts at once.
    observed : ndarray, shape (n_obs, n_features)
        Observed features.
    starts : ndarray, shape (n_obs, n_starts, n_params)
        Where to start, in the unit cube.
    exact : callable | None
        From one point, shape (n_params,), to features (n_features,) and their Jacobian
        (n_features, n_params). The best result of each observation is polished with it.
    valid : callable | None
        From points (n, n_params) to booleans; steps to points that are not valid are
        not taken.

    Returns
    -------
    unit : ndarray, shape (n_obs, n_params)
        The best points.
    distance : ndarray, shape (n_obs,)
        Mean squared distance of their features from the observed ones.
    """
    n_obs, n_starts, n_params = starts.shape
    flat = np.clip(starts.reshape(-1, n_params), EDGE, 1 - EDGE)
    target = np.repeat(observed, n_starts, axis=0)

    def differentiate(unit, features):
        return features, _differences(predict, unit)

    unit, loss = _descend(flat, target, predict, differentiate, valid, _N_FAST)
    best = loss.reshape(n_obs, n_starts).argmin(axis=1)
    unit = unit.reshape(n_obs, n_starts, n_params)[np.arange(n_obs), best]
    loss = loss.reshape(n_obs, n_starts)[np.arange(n_obs), best]
    if exact is None:
        return unit, loss

    def evaluate_exactly(unit):
        return np.stack([exact(row)[0] for row in unit])

    def differentiate_exactly(unit, features):
        pairs = [exact(row) for row in unit]
        return tuple(np.stack(part) for part in zip(*pairs, strict=True))

    return _descend(
        unit, observed, evaluate_exactly, differentiate_exactly, valid, _N_EXACT
    )


def _differences(predict, unit):
    """Jacobians by central differences, shape (n, n_features, n_params)."""
    n, n_params = unit.shape
    steps = _STEP * np.eye(n_params)
    # Differences must not leave the unit cube.
    centre = np.clip(unit, _STEP, 1 - _STEP)
    points = np.concatenate(
        [centre[:, np.newaxis] + s * steps for s in (1, -1)], axis=1
    )
    features = predict(points.reshape(-1, n_params)).reshape(n, 2, n_params, -1)
    return np.moveaxis(features[:, 0] - features[:, 1], 1, 2) / (2 * _STEP)


def _descend(unit, target, evaluate, differentiate, valid, n_steps):
    """Take steps for every row at once; return the points and their losses."""
    damping = np.full(len(unit), _DAMPING)
    features = evaluate(unit)
    loss = ((features - target) ** 2).mean(axis=1)
    for _ in range(n_steps):
        features, jacobian = differentiate(unit, features)
        step = _steps(jacobian, target - features, damping, unit)
        proposal = np.clip(unit + step, EDGE, 1 - EDGE)
        tried = evaluate(proposal)
        new_loss = ((tried - target) ** 2).mean(axis=1)
        good = np.isfinite(new_loss) & (new_loss < loss)
        if valid is not None:
            good &= valid(proposal)
        unit = np.where(good[:, np.newaxis], proposal, unit)
        features = np.where(good[:, np.newaxis], tried, features)
        loss = np.where(good, new_loss, loss)
        damping *= np.where(good, _BETTER, _WORSE)
    return unit, loss


def _steps(jacobian, residual, damping, unit):
    """Solve the damped normal equations of every row."""
    # A parameter that is pushed against the end of its range drops out: the others
    # then take the step that is best without it.
    outward = np.einsum("nfp,nf->np", jacobian, residual)
    stuck = (unit <= EDGE) & (outward < 0) | (unit >= 1 - EDGE) & (outward > 0)
    jacobian = np.where(stuck[:, np.newaxis], 0, jacobian)
    normal = np.einsum("nfp,nfq->npq", jacobian, jacobian).astype(np.float64)
    gradient = np.einsum("nfp,nf->np", jacobian, residual).astype(np.float64)
    diagonal = np.einsum("npp->np", normal)
    # Relative to the largest one too: a parameter without influence must stay put.
    floor = 1e-6 * diagonal.max(axis=1, keepdims=True) + 1e-12
    extra = damping[:, np.newaxis] * (diagonal + floor)
    normal[:, *np.diag_indices(normal.shape[1])] += extra
    return np.linalg.solve(normal, gradient[..., np.newaxis])[..., 0]


def refine_parameters(observation, x, theta, draws):
    """Refine the estimates of a spectral model's parameters.

    Parameters
    ----------
    observation : ObservationModel
        The model and what is observed of it.
    x : ndarray, shape (n_obs, n_features)
        Observed features.
    theta : ndarray, shape (n_obs, n_params)
        Posterior means.
    draws : ndarray, shape (n_obs, n_draws, n_params)
        Posterior draws, of which some are tried as starts.

    Returns
    -------
    theta : ndarray, shape (n_obs, n_params)
        Refined estimates.
    """
    prior = observation.prior

    def predict(unit):
        return observation.predict_features(prior.from_unit(unit))

    def valid(unit):
        params = prior.as_dict(prior.from_unit(unit)) | observation.fixed
        return observation.model.check_valid(params)

    everywhere = np.random.default_rng(0).random((_N_PRIOR, len(prior.names)))
    everywhere = everywhere[valid(everywhere)]
    elsewhere = predict(everywhere)
    starts = []
    for row, mean, some in zip(x, theta, draws[:, :_N_TRIED], strict=True):
        near = prior.to_unit(np.concatenate([mean[np.newaxis], some]))
        distance = ((predict(near) - row) ** 2).mean(axis=1)
        far = ((elsewhere - row) ** 2).mean(axis=1)
        # The mean always, then the best of the draws and of the prior's points.
        best = near[1:][np.argsort(distance[1:])[: _N_STARTS // 2 - 1]]
        other = everywhere[np.argsort(far)[: _N_STARTS - 1 - len(best)]]
        starts.append(np.concatenate([near[:1], best, other]))
    exact = make_exact(observation)
    refined, _ = refine(predict, x, np.stack(starts), exact=exact, valid=valid)
    return prior.from_unit(refined)


def make_exact(observation):
    """Compile the exact features of a model and their Jacobian.

    Parameters
    ----------
    observation : ObservationModel
        A spectral model and what is observed of it.

    Returns
    -------
    exact : callable | None
        From a point of the unit cube, shape (n_params,), to features (n_features,) and
        the Jacobian (n_features, n_params). ``None`` if the model cannot be
        differentiated, or the features are not spectra, which are repeated here.
    """
    import jax
    import jax.numpy as jnp

    prior, nodes = observation.prior, observation.nodes
    features, mixing = observation.features, observation.mixing
    if not observation.model.differentiable or not isinstance(features, LogPSD):
        return None
    key = jax.random.key(0)

    def predict(unit):
        theta = prior.from_unit_traced(unit)
        params = {name: theta[i] for i, name in enumerate(prior.names)}
        params |= {name: jnp.asarray(v) for name, v in observation.fixed.items()}
        power = observation.model.simulate(params, key)
        power = power if nodes is None else power[jnp.asarray(nodes)]
        power = power if mixing is None else jnp.asarray(mixing.weights) @ power
        decibels = 10 * jnp.log10(power)
        value = features.normalize(decibels[jnp.newaxis], xp=jnp).ravel()
        return value, value

    # Few parameters, many features: forward mode, and the value for nothing more.
    run = jax.jit(jax.jacfwd(predict, has_aux=True))

    @standard_jax()
    def exact(unit):
        jacobian, value = run(jnp.asarray(unit, dtype=jnp.float32))
        return np.asarray(value), np.asarray(jacobian)

    return exact
