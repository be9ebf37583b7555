"""The Wilson-Cowan network in JAX: one simulation, differentiable, step after step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._jansen_rit_kernel import exp2
from ._random_lanes import draw_normal_pair, start_lanes
from ._wilson_cowan_equations import (
    first_changes,
    make_coefficients,
    scaled_weights,
)

# Distinguishes the key of the start from that of the noise.
_START = 1
# Activity at the start is up to this, the largest that the sigmoid without input and
# with r = 1 allows.
_HIGHEST = 0.5


def start(grid, keys):
    """Draw where simulations start, and start their random numbers.

    Parameters
    ----------
    grid : Grid
        The setting.
    keys : jax.Array, shape (n_lanes,)
        A random key for each simulation.

    Returns
    -------
    activity : jax.Array, shape (2, n_nodes, n_lanes)
        Excitatory and inhibitory activity, since ever.
    words : jax.Array of uint32, shape (4, n_nodes, n_lanes)
        The generators of the noise.
    """

    def draw(key):
        key = jax.random.fold_in(key, _START)
        return jax.random.uniform(key, (2, grid.n_nodes), jnp.float32, maxval=_HIGHEST)

    activity = jnp.moveaxis(jax.vmap(draw)(keys), 0, -1)
    return activity, jnp.stack(start_lanes(keys, (grid.n_nodes,)))


@functools.partial(jax.jit, static_argnums=0)
def start_draws(grid, key, numbers):
    """Do the same for draws of one key.

    Parameters
    ----------
    grid : Grid
        The setting.
    key : jax.Array
        The key.
    numbers : jax.Array of int, shape (n_lanes,)
        The draws' numbers.

    Returns
    -------
    activity, words : jax.Array
        As of :func:`start`.
    """
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
    return start(grid, keys)


def _make_input(grid, params):
    """Return what arrives at the nodes, as a function of past and step.

    The delays are not rounded: between two steps activity is interpolated linearly, so
    that what arrives can be differentiated by the speed.
    """
    weights = jnp.asarray(scaled_weights(grid.connectome), jnp.float32)
    steps = jnp.zeros_like(weights)
    if grid.delays:
        lengths = jnp.asarray(grid.connectome.lengths, jnp.float32)
        steps = lengths / (params["speed"] * np.float32(grid.step))
    whole = jnp.floor(steps)
    older = weights * (steps - whole)
    newer, whole = weights - older, whole.astype(jnp.int32)
    source = jnp.arange(grid.n_nodes)
    is_kept = (jnp.where(weights > 0, whole, 0) <= grid.n_past - 2).all()

    def arriving(past, now):
        here = past[(now - whole) % grid.n_past, source]
        before = past[(now - whole - 1) % grid.n_past, source]
        return (newer * here + older * before).sum(axis=1)

    return arriving, is_kept


def _step(c, carry, arriving, now):
    """Make a step; the same sums as in the kernel."""
    e, i, x_e, x_i, before_e, before_i, past, words = carry
    words, normal_e, normal_i = draw_normal_pair(words)
    to_e = c["ee"] * e - c["ie"] * i + c["drive_e"] + x_e
    to_e = to_e + c["input"] * arriving(past, now)
    to_i = c["ei"] * e - c["ii"] * i + c["drive_i"] + x_i
    rate_e = 1 / (1 + exp2(-to_e)) - c["offset_e"]
    rate_i = 1 / (1 + exp2(-to_i)) - c["offset_i"]
    change_e = c["step_e"] * ((1 - c["refractory_e"] * e) * rate_e - e)
    change_i = c["step_i"] * ((1 - c["refractory_i"] * i) * rate_i - i)
    e = e + (1.5 * change_e - 0.5 * before_e)
    i = i + (1.5 * change_i - 0.5 * before_i)
    x_e = c["decay"] * x_e + c["noise_e"] * normal_e
    x_i = c["decay"] * x_i + c["noise_i"] * normal_i
    past = past.at[(now + 1) % past.shape[0]].set(e)
    return e, i, x_e, x_i, change_e, change_i, past, words


@functools.partial(jax.jit, static_argnums=0)
def integrate(grid, params, key):
    """Simulate one draw.

    Parameters
    ----------
    grid : Grid
        The setting.
    params : dict of float
        The model's parameters.
    key : jax.Array
        Random key.

    Returns
    -------
    activity : jax.Array of float32, shape (n_nodes, n_times)
        Excitatory activity; NaN if a delay is longer than the past that is kept.
    """
    params = {name: jnp.asarray(v, jnp.float32) for name, v in params.items()}
    c = make_coefficients(params, grid, jnp)
    arriving, is_kept = _make_input(grid, params)
    activity, words = (array[..., 0] for array in start(grid, key[np.newaxis]))
    zero = jnp.zeros(grid.n_nodes)
    past = jnp.tile(activity[0], (grid.n_past, 1))
    changes = first_changes(c, grid, activity, jnp)
    carry = (*activity, zero, zero, *changes, past, tuple(words))
    taps = jnp.asarray(grid.taps)

    def sample(carry, number):
        def one(carry, later):
            now = number * grid.n_steps + later
            return _step(c, carry, arriving, now), None

        now = number * grid.n_steps
        recent = (now - len(taps) + 1 + jnp.arange(len(taps))) % grid.n_past
        out = taps @ carry[6][recent]
        return lax.scan(one, carry, jnp.arange(grid.n_steps))[0], out

    # What happens within a sample is computed again for a gradient: all steps with
    # their past would take gigabytes.
    sample = jax.checkpoint(sample)
    numbers = jnp.arange(grid.n_burn + grid.n_times)
    carry = lax.scan(
        lambda carry, number: (sample(carry, number)[0], None),
        carry,
        numbers[: grid.n_burn],
    )[0]
    out = lax.scan(sample, carry, numbers[grid.n_burn :])[1]
    return jnp.where(is_kept, out.T, jnp.nan)
