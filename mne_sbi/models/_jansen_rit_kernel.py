"""Integration of the Jansen-Rit equations over time, many simulations side by side.

Potentials are multiplied by ``r * log2(e)``, the slope of the firing rate, and y0 by C
as well, so that the argument of the power of two in the sigmoid is a difference; and
derivatives are divided by the rate of their synapse (``w = y' / a``), after which the
linear part is

    y' = a w,    w' = drive - 2 a w - a y    (b for the inhibitory synapses).

One array per variable, with the simulations on the last axis, in single precision.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._random_lanes import draw_normal_pair, polynomial, start_lanes

_LOG2_E = np.float32(np.log2(np.e))
# 2**x for x in [-1/2, 1/2], relative error 8e-8; fitted as in _random_lanes.
_EXP2 = (
    1.000000071654654,
    0.6931469670638633,
    0.24022119723934354,
    0.05550713274964003,
    0.009675541330659534,
    0.0013276471518511791,
)
# 1 / k! for k = 3, 4, ..., as many as single precision needs up to an argument of 2.
_TAIL = tuple(float(1 / np.prod(np.arange(1.0, k + 1))) for k in range(3, 15))


@dataclasses.dataclass(frozen=True)
class Grid:
    """When to simulate and by which scheme: what a compiled function depends on.

    Parameters
    ----------
    step : float
        Step of the integration in s.
    n_steps : int
        Steps from one sample of the output to the next.
    n_burn : int
        Samples that are left out before the first one.
    n_times : int
        Samples of the output.
    scheme : "strang" | "heun"
        How to integrate.
    rng : "xorshift" | "threefry"
        Where random numbers come from.
    """

    step: float
    n_steps: int
    n_burn: int
    n_times: int
    scheme: str
    rng: str


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
    return polynomial(_EXP2, x - whole) * lax.bitcast_convert_type(bits, jnp.float32)


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


def _drive(c, y0, y1, y2):
    """Change of the three derivatives by the drive alone, for one step."""
    pyramidal = c["pyramidal"] * _firing_rate(c, y1 - y2)
    excitatory = c["excitatory"] * _firing_rate(c, c["c1"] * y0)
    inhibitory = c["inhibitory"] * _firing_rate(c, c["c3"] * y0)
    return pyramidal, c["input"] + excitatory, inhibitory


def _strang_step(c, state, first, second):
    """Kick by the drive, then the exact linear flow with its noise.

    Between two flows stand half a kick after the one and half a kick before the other,
    at the same potentials: one whole kick.
    """
    y0, y1, y2, w0, w1, w2 = state
    kick0, kick1, kick2 = _drive(c, y0, y1, y2)
    w0, w1, w2 = w0 + kick0, w1 + kick1, w2 + kick2
    y0, w0 = _flow(c["ah"], c["decay_a"], y0, w0)
    y1, w1 = _flow(c["ah"], c["decay_a"], y1, w1)
    y2, w2 = _flow(c["bh"], c["decay_b"], y2, w2)
    y1 = y1 + c["noise_y"] * first
    w1 = w1 + c["noise_both"] * first + c["noise_w"] * second
    return y0, y1, y2, w0, w1, w2


def _flow(x, decay, y, w):
    """Exact solution of y' = a w, w' = -2 a w - a y after a step with a h = x."""
    s = x * (y + w)
    return decay * (y + s), decay * (w - s)


def _heun_step(c, state, first, second):
    """Step by the mean of the slopes here and at the end of an Euler step.

    The noise is additive, so that it takes part in the Euler step and is not changed.
    """
    slopes = _slopes(c, state)
    pushed = [y + slope for y, slope in zip(state, slopes, strict=True)]
    pushed[4] = pushed[4] + c["noise"] * first
    ends = _slopes(c, pushed)
    moved = [
        y + 0.5 * (here + there)
        for y, here, there in zip(state, slopes, ends, strict=True)
    ]
    moved[4] = moved[4] + c["noise"] * first
    return tuple(moved)


def _slopes(c, state):
    y0, y1, y2, w0, w1, w2 = state
    kicks = _drive(c, y0, y1, y2)
    rates = (c["ah"], c["ah"], c["bh"])
    changes = [x * w for x, w in zip(rates, (w0, w1, w2), strict=True)]
    pairs = zip(rates, kicks, ((y0, w0), (y1, w1), (y2, w2)), strict=True)
    return (*changes, *(kick - x * (2 * w + y) for x, kick, (y, w) in pairs))


_STEPS = {"strang": _strang_step, "heun": _heun_step}


def start_state(c, scheme, shape):
    """Return the state of rest from which every simulation starts.

    Parameters
    ----------
    c : dict of jax.Array
        Coefficients.
    scheme : "strang" | "heun"
        How to integrate.
    shape : tuple of int
        Shape of each variable.

    Returns
    -------
    state : tuple of 6 jax.Array
        y0, y1, y2, w0, w1, w2.
    """
    zero = jnp.zeros(shape, jnp.float32)
    if scheme == "heun":
        return (zero,) * 6
    # The first kick is to be a half.
    return (zero, zero, zero, *(-0.5 * kick for kick in _drive(c, zero, zero, zero)))


def _advance(grid, c, keys):
    """Return the function that goes on by one sample, and what it starts with."""
    step = _STEPS[grid.scheme]
    state = start_state(c, grid.scheme, c["slope"].shape)
    if grid.rng == "xorshift":

        def advance(carry, sample):
            def body(_, carry):
                lanes, *normals = draw_normal_pair(carry[1])
                return step(c, carry[0], *normals), lanes

            return lax.fori_loop(0, grid.n_steps, body, carry)

        return advance, (state, start_lanes(keys))

    def advance(carry, sample):
        def draw(key):
            key = jax.random.fold_in(key, sample)
            return jax.random.normal(key, (grid.n_steps, 2), jnp.float32)

        normals = jnp.moveaxis(jax.vmap(draw)(keys), 0, -1)

        def body(i, state):
            return step(c, state, normals[i, 0], normals[i, 1])

        return lax.fori_loop(0, grid.n_steps, body, carry[0]), ()

    return advance, (state, ())


def integrate(grid, params, keys):
    """Simulate the source signal.

    Parameters
    ----------
    grid : Grid
        When and how.
    params : dict of jax.Array, shape (n_lanes,)
        The standard parameters, in SI units.
    keys : jax.Array, shape (n_lanes,)
        A random key for each simulation.

    Returns
    -------
    signal : jax.Array of float32, shape (n_lanes, 1, n_times)
        ``y1 - y2`` in V.
    """
    c = make_coefficients(params, grid.step, grid.scheme)
    advance, carry = _advance(grid, c, keys)

    def skip(carry, sample):
        return advance(carry, sample), None

    def record(carry, sample):
        return advance(carry, sample), carry[0][1] - carry[0][2]

    before = jnp.arange(grid.n_burn)
    carry = lax.scan(skip, carry, before)[0]
    signal = lax.scan(record, carry, grid.n_burn + jnp.arange(grid.n_times))[1]
    return (signal / c["slope"]).T[:, np.newaxis]


@functools.lru_cache(maxsize=16)
def compiled(grid):
    """Return :func:`integrate` for draws of one key, compiled once per grid.

    Parameters
    ----------
    grid : Grid
        When and how.

    Returns
    -------
    run : callable
        From parameters, a key and the draws' numbers, shape (n_lanes,), to the signal.
    """

    def run(params, key, numbers):
        keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
        return integrate(grid, params, keys)

    return jax.jit(run)
