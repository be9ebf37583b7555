"""The Jansen-Rit equations, and a step of their integration.

Potentials are multiplied by ``r * log2(e)``, the slope of the firing rate, and y0 by C
as well, so that the argument of the power of two in the sigmoid is a difference; and
derivatives are divided by the rate of their synapse (``w = y' / a``), after which the
linear part is

    y' = a w,    w' = drive - 2 a w - a y    (b for the inhibitory synapses).

One array per variable, with the simulations on the last axis and before it, where there
are several, the nodes; in single precision.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from ._random_lanes import polynomial

_LOG2_E = np.float32(np.log2(np.e))
# 2**x for x in [-1/2, 1/2], relative error 8e-8; fitted as in _random_lanes.
EXP2 = (
    1.000000071654654,
    0.6931469670638633,
    0.24022119723934354,
    0.05550713274964003,
    0.009675541330659534,
    0.0013276471518511791,
)
# 1 / k! for k = 3, 4, ..., as many as single precision needs up to an argument of 2.
_TAIL = tuple(float(1 / np.prod(np.arange(1.0, k + 1))) for k in range(3, 15))


def exp2(x):
    """Compute powers of two by a polynomial, which is a vector instruction.

    Parameters
    ----------
    x : jax.Array of float32
        Exponents; beyond -126 and 126 the nearest of these.

    Returns
    -------
    power : jax.Array of float32
        The powers.
    """
    x = jnp.clip(x, -126.0, 126.0)
    whole = jnp.round(x)
    bits = (whole.astype(jnp.int32) + 127) << 23
    return polynomial(EXP2, x - whole) * lax.bitcast_convert_type(bits, jnp.float32)


def make_coefficients(params, step, scheme):
    """Compute what the steps need of the parameters.

    Only products stand between the parameters that a symmetry of the model rescales:
    by a power of two it is exact, and the signal then the same to the last bit.

    Parameters
    ----------
    params : dict of jax.Array, shape (n_lanes,)
        The standard parameters, in SI units.
    step : float
        Step of the integration in s.
    scheme : "strang" | "heun"
        How to integrate.

    Returns
    -------
    coefficients : dict of jax.Array, shape (n_lanes,)
        Rates times the step, drives, thresholds and noise.
    """
    p = {k: jnp.asarray(v).astype(jnp.float32) for k, v in params.items()}
    slope = p["r"] * _LOG2_E
    excitatory, inhibitory = slope * p["A"] * step, slope * p["B"] * step
    rate = p["C"] * p["v_max"]
    made = {
        "slope": slope,
        "threshold": slope * p["v0"],
        "c1": p["c1"],
        "c3": p["c3"],
        "ah": p["a"] * step,
        "bh": p["b"] * step,
        "pyramidal": excitatory * rate,
        "excitatory": excitatory * (rate * p["c2"]),
        "inhibitory": inhibitory * (rate * p["c4"]),
        "input": excitatory * p["mu"],
    }
    strengths = {"pyramidal": excitatory, "excitatory": excitatory}
    strengths["inhibitory"] = inhibitory
    for population, strength in strengths.items():
        if f"pulse_{population}" in p:
            made[f"pulse_{population}"] = strength * p[f"pulse_{population}"]
    if "pulse_pyramidal" in made:
        made["pulse_pyramidal"] = made["pulse_pyramidal"] * p["C"]
    if "coupling" in p:
        made["coupling"] = excitatory * (p["v_max"] * p["coupling"])
    noise = slope * p["A"] * p["sigma"]
    if scheme == "heun":
        return made | {"noise": noise * np.float32(np.sqrt(step))}
    made |= {"decay_a": jnp.exp(-made["ah"]), "decay_b": jnp.exp(-made["bh"])}
    scale = noise * jnp.sqrt(0.25 / p["a"])
    return made | _noise_of_step(made["ah"], scale)


def _noise_of_step(x, scale):
    """Cholesky factor of what white noise adds to y1 and w1 during a step.

    With x = a h and in units of scale**2 = noise**2 / (4 a), the covariance is
    (Gardiner, Handbook of Stochastic Methods, 4.4.6, for critical damping)

        var y = 1 - e^(-2x) (1 + 2x + 2x^2),  cov = 2 x^2 e^(-2x),
        var w = 1 - e^(-2x) (1 - 2x + 2x^2).
    """
    z = 2 * x
    decay = jnp.exp(-z)
    # The difference cancels for short steps; there it is the rest of a series.
    near = decay * z**3 * polynomial(_TAIL, jnp.minimum(z, 2.0))
    far = 1 - decay * (1 + z + z * z / 2)
    var_y = jnp.where(z < 2, near, far)
    covariance = decay * z * z / 2
    var_w = 1 - decay * (1 - z + z * z / 2)
    sd_y = jnp.sqrt(var_y)
    return {
        "noise_y": scale * sd_y,
        "noise_both": scale * (covariance / sd_y),
        "noise_w": scale * jnp.sqrt(var_w - covariance**2 / var_y),
    }


def _firing_rate(c, potential):
    """Fraction of the largest firing rate."""
    return 1 / (1 + exp2(c["threshold"] - potential))


def _kicks(c, state, rate, extra):
    """Change of the three derivatives by the drive alone, for one step.

    Parameters
    ----------
    c : dict of jax.Array
        Coefficients.
    state : tuple of jax.Array
        The state, y0 first.
    rate : jax.Array
        Firing rate of the pyramidal cells.
    extra : dict of jax.Array
        What pulses and other nodes add for this step, by population.
    """
    kicks = {
        "pyramidal": c["pyramidal"] * rate,
        "excitatory": c["input"]
        + c["excitatory"] * _firing_rate(c, c["c1"] * state[0]),
        "inhibitory": c["inhibitory"] * _firing_rate(c, c["c3"] * state[0]),
    }
    for population, more in extra.items():
        kicks[population] = kicks[population] + more
    return tuple(kicks.values())


def strang_step(c, state, past, normals, extra):
    """Exact linear flow with its noise, then a kick by the drive.

    Between two flows stand half a kick after the one and half a kick before the other,
    at the same potentials: one whole kick.

    Parameters
    ----------
    c : dict of jax.Array
        Coefficients.
    state : tuple of 6 jax.Array
        y0, y1, y2, w0, w1, w2.
    past : jax.Array | None
        Firing rates of former steps, the latest first, where nodes are coupled.
    normals : pair of jax.Array
        Standard normal deviates.
    extra : callable
        ``extra(past, at)`` returns what pulses and other nodes add before (0) or
        after (1) the step, by population.

    Returns
    -------
    state : tuple of 6 jax.Array
        The state after the step.
    past : jax.Array | None
        Firing rates up to the present.
    """
    y0, y1, y2, w0, w1, w2 = state
    y0, w0 = _flow(c["ah"], c["decay_a"], y0, w0)
    y1, w1 = _flow(c["ah"], c["decay_a"], y1, w1)
    y2, w2 = _flow(c["bh"], c["decay_b"], y2, w2)
    y1 = y1 + c["noise_y"] * normals[0]
    w1 = w1 + c["noise_both"] * normals[0] + c["noise_w"] * normals[1]
    rate = _firing_rate(c, y1 - y2)
    kick0, kick1, kick2 = _kicks(c, (y0,), rate, extra(past, 1))
    state = (y0, y1, y2, w0 + kick0, w1 + kick1, w2 + kick2)
    return state, _remember(past, rate)


def _flow(x, decay, y, w):
    """Exact solution of y' = a w, w' = -2 a w - a y after a step with a h = x."""
    s = x * (y + w)
    return decay * (y + s), decay * (w - s)


def _remember(past, rate):
    return None if past is None else jnp.concatenate([rate[np.newaxis], past[:-1]])


def heun_step(c, state, past, normals, extra):
    """Step by the mean of the slopes here and at the end of an Euler step.

    The noise is additive: it takes part in the Euler step and stays as it is. For
    parameters and results see :func:`strang_step`.
    """
    rate = _firing_rate(c, state[1] - state[2])
    slopes = _slopes(c, state, rate, extra(past, 0))
    past = _remember(past, rate)
    noise = (0, 0, 0, 0, c["noise"] * normals[0], 0)
    pushed = [sum(three) for three in zip(state, slopes, noise, strict=True)]
    rate = _firing_rate(c, pushed[1] - pushed[2])
    ends = _slopes(c, pushed, rate, extra(past, 1))
    four = zip(state, slopes, ends, noise, strict=True)
    return tuple(y + 0.5 * (one + two) + more for y, one, two, more in four), past


def _slopes(c, state, rate, extra):
    rates = (c["ah"], c["ah"], c["bh"])
    pairs = list(zip(state[:3], state[3:], strict=True))
    kicks = _kicks(c, state, rate, extra)
    flows = [x * w for x, (_, w) in zip(rates, pairs, strict=True)]
    back = [x * (2 * w + y) for x, (y, w) in zip(rates, pairs, strict=True)]
    return (*flows, *(kick - more for kick, more in zip(kicks, back, strict=True)))


STEPS = {"strang": strang_step, "heun": heun_step}


def start_state(c, scheme, shape, rates=None):
    """Return the state from which simulations start.

    Parameters
    ----------
    c : dict of jax.Array
        Coefficients.
    scheme : "strang" | "heun"
        How to integrate.
    shape : tuple of int
        Shape of each variable.
    rates : jax.Array | None, shape (3, ...)
        Firing rates of the three inputs, as shares of the largest. Potentials are those
        to which they would lead in the long run; ``None`` starts from potentials of
        zero.

    Returns
    -------
    state : tuple of 6 jax.Array
        y0, y1, y2, w0, w1, w2.
    """
    zero = jnp.zeros(shape, jnp.float32)
    y = (zero, zero, zero)
    if rates is not None:
        # Products, which the symmetries of the model leave exact.
        y = (
            rates[0] * c["pyramidal"] / c["ah"],
            (c["input"] + rates[1] * c["excitatory"]) / c["ah"],
            rates[2] * c["inhibitory"] / c["bh"],
        )
    if scheme == "heun":
        return (*y, zero, zero, zero)
    # Before the first flow stands half a kick alone.
    kicks = _kicks(c, y, _firing_rate(c, y[1] - y[2]), {})
    return (*y, *(zero + 0.5 * kick for kick in kicks))
