"""Designs of a sensitivity analysis, and the indices that follow from their outputs.

All arrays of outputs have the shape (n, n_points, n_outputs): a design is made of n
rows that are independent of each other, each of a few points of the unit cube. The
bootstrap resamples rows.
"""

import numpy as np

# What varies less than this, relative to its largest value, is constant but for the
# rounding of 32-bit numbers.
_ROUNDING = 1e-6
# Outputs whose bootstrap is computed at once, which limits its memory.
_OUTPUTS_AT_ONCE = 16


class SobolDesign:
    """Rows for Sobol indices: points A and B, and A with one coordinate of B.

    The 2 ``n_params`` coordinates of A and B are a point of one scrambled Sobol
    sequence [1]_.

    Parameters
    ----------
    n_params : int
        Number of parameters.
    rng : numpy.random.Generator
        Source of randomness.

    References
    ----------
    .. [1] Saltelli et al. (2010). Variance based sensitivity analysis of model output.
       Comput. Phys. Commun. 181, 259-270. doi:10.1016/j.cpc.2009.09.018
    """

    def __init__(self, n_params, rng):
        from scipy.stats import qmc

        self.n_params = n_params
        self.sequence = qmc.Sobol(2 * n_params, rng=rng)
        # B has noise of its own: the product of outputs at B and at A then holds none
        # of it. The others share it: their differences then hold little of it.
        self.streams = (0, 1, *[0] * n_params)

    def draw(self, n):
        """Return the next n rows, shape (n, n_params + 2, n_params)."""
        both = self.sequence.random(n).reshape(n, 2, self.n_params)
        mixed = np.repeat(both[:, :1], self.n_params, axis=1)
        index = np.arange(self.n_params)
        mixed[:, index, index] = both[:, 1]
        return np.concatenate([both, mixed], axis=1)


class MorrisDesign:
    """Rows for elementary effects: walks that change one parameter after the other.

    Parameters
    ----------
    n_params : int
        Number of parameters.
    n_levels : int
        Number of values that each parameter takes, from one end of its range to the
        other.
    rng : numpy.random.Generator
        Source of randomness.

    Notes
    -----
    After Morris (1991), Technometrics 33, 161-174: an even number of levels p and a
    step of p / (2 (p - 1)) give all levels the same probability.
    """

    def __init__(self, n_params, n_levels, rng):
        self.n_params, self.n_levels, self.rng = n_params, n_levels, rng
        self.step = n_levels / (2 * (n_levels - 1))
        # All points of a walk share their noise, which falls out of differences.
        self.streams = (0,) * (n_params + 1)

    def draw(self, n):
        """Return n walks, shape (n, n_params + 1, n_params)."""
        shape = (n, self.n_params)
        low = self.rng.integers(self.n_levels // 2, size=shape) / (self.n_levels - 1)
        upwards = self.rng.integers(2, size=shape).astype(bool)
        order = self.rng.permuted(np.tile(np.arange(self.n_params), (n, 1)), axis=1)
        # Parameter i has moved by point s if its turn came before s.
        turn = np.argsort(order, axis=1)
        moved = turn[:, np.newaxis] < np.arange(self.n_params + 1)[:, np.newaxis]
        is_high = moved == upwards[:, np.newaxis]
        # Rounding must not lead out of the unit cube.
        return np.minimum(low[:, np.newaxis] + self.step * is_high, 1.0)


def draw_weights(n, n_bootstrap, rng):
    """Draw bootstrap weights of rows.

    Parameters
    ----------
    n : int
        Number of rows.
    n_bootstrap : int
        Number of resamples.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    weights : ndarray, shape (1 + n_bootstrap, n)
        Each of sum 1; the first are those of the sample itself.
    """
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
    return np.concatenate([np.ones((1, n)), counts]) / n


def sobol_indices(values, weights, confidence):
    """Estimate first-order and total indices.

    Parameters
    ----------
    values : ndarray, shape (n, n_params + 2, n_outputs)
        Outputs at the points of a :class:`SobolDesign`.
    weights : ndarray, shape (1 + n_bootstrap, n)
        Weights of :func:`draw_weights`.
    confidence : float
        Probability of the intervals.

    Returns
    -------
    outputs : dict of ndarray
        ``first_order`` and ``total_order``, shape (n_outputs, n_params), each with an
        ``_interval``, shape (n_outputs, n_params, 2), and ``variance``, shape
        (n_outputs,). NaN where an output is constant.
    whole : dict of ndarray
        The same of all outputs together, shape (n_params,) and (n_params, 2): the mean
        weighted by their variance.

    Notes
    -----
    The estimators are those of :func:`scipy.stats.sobol_indices`, whose bootstrap has
    neither a seed nor all outputs together.
    """
    a, b, mixed = values[:, :1], values[:, 1:2], values[:, 2:]
    centre = 0.5 * (a + b).mean(axis=0)
    a, b, mixed = a - centre, b - centre, mixed - centre
    varies = _varies(values[:, :2])
    sums, parts, variances = [0.0] * 3, [], []
    for start in range(0, values.shape[2], _OUTPUTS_AT_ONCE):
        at = (..., slice(start, start + _OUTPUTS_AT_ONCE))
        first = _average(weights, b[at] * (mixed[at] - a[at]))
        total = _average(weights, 0.5 * (a[at] - mixed[at]) ** 2)
        mean = _average(weights, 0.5 * (a[at] + b[at]))
        variance = _average(weights, 0.5 * (a[at] ** 2 + b[at] ** 2)) - mean**2
        numbers = [n * varies[at] for n in (first, total, variance)]
        sums = [s + n.sum(axis=2) for s, n in zip(sums, numbers, strict=True)]
        parts.append([_ratio(n, numbers[2]) for n in numbers[:2]])
        variances.append(numbers[2][0, 0])
    names, ratios = ("first_order", "total_order"), zip(*parts, strict=True)
    outputs = {"variance": np.concatenate(variances)}
    for name, ratio in zip(names, ratios, strict=True):
        outputs |= _with_interval(name, np.concatenate(ratio, axis=2), confidence)
    whole = {}
    for name, part in zip(names, sums[:2], strict=True):
        ratio = _ratio(part, sums[2])[..., np.newaxis]
        whole |= _with_interval(name, ratio, confidence)
    return outputs, {name: value[0] for name, value in whole.items()}


def elementary_effects(values, unit, step):
    """Compute the effect of each parameter along each walk.

    Parameters
    ----------
    values : ndarray, shape (n, n_params + 1, n_outputs)
        Outputs at the points of a :class:`MorrisDesign`.
    unit : ndarray, shape (n, n_params + 1, n_params)
        The points.
    step : float
        The step of the design.

    Returns
    -------
    effects : ndarray, shape (n, n_params, n_outputs)
        Difference of the output over that of the parameter, which counts from 0 to 1
        over its range.
    """
    moves = np.sign(np.round(np.diff(unit, axis=1), 6))
    # Each step of a walk moves one parameter, up or down.
    return np.einsum("nsk,nsp->npk", np.diff(values, axis=1), moves) / step


def morris_indices(effects, weights, confidence):
    """Describe the distribution of elementary effects.

    Parameters
    ----------
    effects : ndarray, shape (n, n_params, n_outputs)
        Elementary effects.
    weights : ndarray, shape (1 + n_bootstrap, n)
        Weights of :func:`draw_weights`.
    confidence : float
        Probability of the intervals.

    Returns
    -------
    outputs : dict of ndarray
        ``mu`` (mean), ``mu_star`` (mean of the absolute value) and ``sigma`` (standard
        deviation), shape (n_outputs, n_params), each with an ``_interval``, shape
        (n_outputs, n_params, 2).
    whole : dict of ndarray
        ``mu_star`` and ``sigma`` of all outputs together, where the absolute value of
        an effect is its root mean square over outputs.
    """
    n, _, n_outputs = effects.shape
    parts, squares = [], 0.0
    for start in range(0, n_outputs, _OUTPUTS_AT_ONCE):
        part = effects[..., start : start + _OUTPUTS_AT_ONCE]
        # Without the mean, whose square would leave rounding errors.
        centre = part.mean(axis=0)
        mean = _average(weights, part - centre)
        square = _average(weights, (part - centre) ** 2)
        mu, variance = mean + centre, np.maximum(square - mean**2, 0) * n / (n - 1)
        squares = squares + variance.sum(axis=2)
        parts.append([mu, _average(weights, np.abs(part)), np.sqrt(variance)])
    outputs, whole = {}, {}
    names, arrays = ("mu", "mu_star", "sigma"), zip(*parts, strict=True)
    for name, array in zip(names, arrays, strict=True):
        outputs |= _with_interval(name, np.concatenate(array, axis=2), confidence)
    size = np.sqrt((effects**2).mean(axis=2, keepdims=True))
    whole |= _with_interval("mu_star", _average(weights, size), confidence)
    sigma = np.sqrt(squares / n_outputs)[..., np.newaxis]
    whole |= _with_interval("sigma", sigma, confidence)
    return outputs, {name: value[0] for name, value in whole.items()}


def _average(weights, terms):
    """Average rows: (n_bootstrap, n) and (n, m, k) to (n_bootstrap, m, k)."""
    flat = weights @ terms.reshape(len(terms), -1)
    return flat.reshape(len(weights), *terms.shape[1:])


def _varies(values):
    """Say which outputs vary by more than rounding."""
    largest = np.abs(values).max(axis=(0, 1))
    return values.std(axis=(0, 1)) > _ROUNDING * largest


def _ratio(part, whole):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _with_interval(name, estimates, confidence):
    """Split estimates (1 + n_bootstrap, n_params, k) into value and interval."""
    quantiles = [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence]
    with np.errstate(invalid="ignore"):
        ends = np.quantile(estimates[1:], quantiles, axis=0)
    return {name: estimates[0].T, f"{name}_interval": np.moveaxis(ends, (0, 2), (2, 0))}
