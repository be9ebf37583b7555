"""Simulations of the Jansen-Rit model over time: noise, pulses, coupling, averages."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .._connectome import Connectome
from ._jansen_rit_kernel import STEPS, make_coefficients, start_state
from ._pulses import SampledTrain
from ._random_lanes import draw_normal_pair, start_lanes

# Steps that are compiled as one: the generators' four words then change places in none.
_UNROLL = 2
# Distinguish the keys of the pulses' latencies and of the start from those of the
# noise, which are counted from here on.
_LATENCIES, _START, _SAMPLES = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a compiled function depends on: when to simulate, and how.

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
    train : SampledTrain | None
        The pulses.
    connectome : Connectome | None
        What couples the nodes.
    speed : float
        Conduction speed in m/s.
    """

    step: float
    n_steps: int
    n_burn: int
    n_times: int
    scheme: str
    rng: str
    train: SampledTrain | None = None
    connectome: Connectome | None = None
    speed: float = 10.0

    @property
    def n_nodes(self):
        """Number of nodes."""
        return 1 if self.connectome is None else self.connectome.n_nodes


def coupling_weights(connectome, speed, step):
    """Sort the connections by delay.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    speed : float
        Conduction speed in m/s.
    step : float
        Step of the integration in s.

    Returns
    -------
    weights : ndarray of float32, shape (n_nodes, n_delays, n_nodes) | None
        Weight from the last to the first node at delays of 1, 2, ... steps, scaled so
        that the largest sum of one node is 1; ``None`` if no nodes are connected.
    """
    weights = connectome.weights
    largest = weights.sum(axis=1).max()
    if largest == 0:
        return None
    # At least a step: what arrives cannot depend on what is being computed.
    delays = np.maximum(np.rint(connectome.delays(speed) / step).astype(int), 1)
    sorted_weights = np.zeros((len(weights), delays[weights > 0].max(), len(weights)))
    target, source = np.nonzero(weights)
    index = (target, delays[target, source] - 1, source)
    sorted_weights[index] = weights[target, source] / largest
    return sorted_weights.astype(np.float32)


def prepare(grid, params, keys):
    """Compute what simulations start with.

    Parameters
    ----------
    grid : Grid
        When to simulate, and how.
    params : dict of jax.Array, shape (n_lanes,)
        The standard parameters, in SI units.
    keys : jax.Array, shape (n_lanes,)
        A random key for each simulation.

    Returns
    -------
    start : dict
        Coefficients, state, past, generators or keys, and latencies in steps, shape
        (n_periods, n_lanes) or (n_periods, 1).
    """
    c = make_coefficients(params, grid.step, grid.scheme)
    lanes = c["slope"].shape
    shape = lanes if grid.connectome is None else (grid.n_nodes, *lanes)
    rates = _draw_rates(keys, shape) if grid.n_burn else None
    state = start_state(c, grid.scheme, shape, rates)
    start = {"c": c, "state": state, "past": None}
    if grid.connectome is not None:
        weights = coupling_weights(grid.connectome, grid.speed, grid.step)
        if weights is not None:
            start["past"] = jnp.zeros((weights.shape[1], *shape), jnp.float32)
    threefry = grid.rng == "threefry"
    start["noise"] = keys if threefry else start_lanes(keys, shape[:-1])
    start["latencies"] = None
    if grid.train is not None:
        start["latencies"] = _draw_latencies(grid, keys)
    return start


def _draw_rates(keys, shape):
    """Draw where simulations start, shape (3, *shape).

    From one state, rhythms with little noise would have the same phase in all
    simulations for many seconds, and a network on time series would learn it.
    """

    def draw(key):
        key = jax.random.fold_in(key, _START)
        return jax.random.uniform(key, (3, *shape[:-1]), jnp.float32)

    return jnp.moveaxis(jax.vmap(draw)(keys), 0, -1)


def _draw_latencies(grid, keys):
    train = grid.train
    if train.jitter == 0:
        return jnp.zeros((train.n_periods, 1), jnp.float32)

    def draw(key):
        key = jax.random.fold_in(key, _LATENCIES)
        return jax.random.normal(key, (train.n_periods,), jnp.float32)

    return train.latencies(jax.vmap(draw)(keys).T) / grid.step


def _make_extra(grid, c, pulse):
    """Return what pulses and other nodes add, as a function of past and time.

    ``pulse`` says for a time, in steps from the event, how much of the step about it
    lies in the pulse; ``None`` if there are no pulses.
    """
    given = [name for name in c if name.startswith("pulse_")] if pulse else []
    weights = None
    if grid.connectome is not None:
        weights = coupling_weights(grid.connectome, grid.speed, grid.step)

    def extra(past, time):
        share = pulse(time) if given else None
        found = {name.removeprefix("pulse_"): c[name] * share for name in given}
        if past is not None:
            arriving = jnp.tensordot(weights, past, 2)
            drive = c["coupling"] * arriving
            found["excitatory"] = found.get("excitatory", 0) + drive
        return found

    return extra


def _advance(grid, start, carry, sample, unroll, place=0, pulse=None):
    """Go on by one sample, the given one since the start and in its period."""
    c, step = start["c"], STEPS[grid.scheme]
    extra = _make_extra(grid, c, pulse)
    if grid.rng == "threefry":

        def draw(key):
            key = jax.random.fold_in(key, sample)
            key = jax.random.fold_in(key, _SAMPLES)
            shape = (grid.n_steps, 2, *carry[0][0].shape[:-1])
            return jax.random.normal(key, shape, jnp.float32)

        normals = jnp.moveaxis(jax.vmap(draw)(start["noise"]), 0, -1)

    def body(i, carry):
        state, past, lanes = carry
        if grid.rng == "threefry":
            pair = normals[i]
        else:
            lanes, *pair = draw_normal_pair(lanes)

        def at(past, end):
            return extra(past, place * grid.n_steps + i + end)

        state, past = step(c, state, past, pair, at)
        return state, past, lanes

    return lax.fori_loop(0, grid.n_steps, body, carry, unroll=min(unroll, grid.n_steps))


def run(grid, start, unroll=1):
    """Simulate the source signal.

    Parameters
    ----------
    grid : Grid
        When to simulate, and how.
    start : dict
        What :func:`prepare` returns.
    unroll : int
        Steps that are compiled as one.

    Returns
    -------
    signal : jax.Array of float32, shape (n_lanes, n_nodes, n_times)
        ``y1 - y2`` in V.
    """
    lanes = () if grid.rng == "threefry" else start["noise"]
    carry = (start["state"], start["past"], lanes)

    def skip(carry, sample):
        return _advance(grid, start, carry, sample, unroll), None

    # Where a sample is one step, samples are unrolled instead.
    together = max(unroll // grid.n_steps, 1)
    carry = lax.scan(skip, carry, jnp.arange(grid.n_burn), unroll=together)[0]
    if grid.train is not None:
        signal = _average(grid, start, carry, unroll)
    else:
        numbers = grid.n_burn + jnp.arange(grid.n_times)
        signal = _record(grid, start, carry, numbers, unroll)[1]
    if signal.ndim == 2:
        return signal.T[:, np.newaxis]
    return jnp.transpose(signal, (2, 1, 0))


def _record(grid, start, carry, numbers, unroll, pulse=None):
    """Simulate samples of these numbers, and return the signal at each."""

    def record(carry, sample):
        signal = (carry[0][1] - carry[0][2]) / start["c"]["slope"]
        place = sample - numbers[0]
        return _advance(grid, start, carry, sample, unroll, place, pulse), signal

    together = max(unroll // grid.n_steps, 1)
    return lax.scan(record, carry, numbers, unroll=together)


def _average(grid, start, carry, unroll):
    """Simulate period after period, and average the epochs.

    An epoch may touch several periods: each has its part of the sum for each of the
    ways in which it can be part of an epoch.
    """
    train = grid.train
    period = jnp.arange(train.period)
    width = np.float32(train.width / grid.step)
    event = np.float32(train.lead * grid.n_steps)

    def one(carry, this):
        carry, total = carry
        latency, has_pulse, shares, number = this

        def pulse(time):
            # The kick at a time stands for the step about it; the part of that step
            # which the pulse covers makes pulses of any width exact to second order.
            after = time.astype(jnp.float32) - event - latency
            covered = jnp.minimum(after + 0.5, width) - jnp.maximum(after - 0.5, 0)
            return has_pulse * jnp.clip(covered, 0, 1)

        numbers = grid.n_burn + number * train.period + period
        carry, signal = _record(grid, start, carry, numbers, unroll, pulse)
        shares = shares.reshape(-1, *(1,) * signal.ndim)
        return (carry, total + shares * signal), None

    shape = (train.n_parts, train.period, *start["state"][0].shape)
    each = (
        start["latencies"],
        jnp.asarray(train.has_pulse(), jnp.float32),
        jnp.asarray(train.shares(), jnp.float32),
        jnp.arange(train.n_periods),
    )
    (_, total), _ = lax.scan(one, (carry, jnp.zeros(shape, jnp.float32)), each)
    total = total.reshape(-1, *total.shape[2:])
    first = train.start - train.first * train.period
    return total[first : first + train.n_times]


@functools.partial(jax.jit, static_argnums=0)
def integrate(grid, params, keys):
    """Simulate in one go, differentiably; compiled once per grid.

    Parameters
    ----------
    grid : Grid
        When to simulate, and how.
    params : dict of jax.Array, shape (n_lanes,)
        The standard parameters, in SI units.
    keys : jax.Array, shape (n_lanes,)
        A random key for each simulation.

    Returns
    -------
    signal : jax.Array of float32, shape (n_lanes, n_nodes, n_times)
        ``y1 - y2`` in V.
    """
    return run(grid, prepare(grid, params, keys))


@functools.lru_cache(maxsize=1)
def _compiler_options():
    """Options of XLA for the loop, or None if it does not know them.

    By itself it shares out each step of the loop among threads, which wait for each
    other more than they work, and stays at vectors of 256 bits where there are 512.
    """
    options = {
        "xla_disable_hlo_passes": "cpu-parallel-task-assigner",
        "xla_cpu_prefer_vector_width": 512,
    }
    try:
        jax.jit(lambda x: x, compiler_options=options)(0.0)
    except Exception:  # whatever a version of JAX raises for what it does not know
        return None
    return options


@functools.lru_cache(maxsize=16)
def compiled(grid):
    """Return :func:`integrate` for draws of one key, compiled once per grid.

    In two parts, because XLA makes the loop a tenth slower where it knows how its
    coefficients came about.

    Parameters
    ----------
    grid : Grid
        When to simulate, and how.

    Returns
    -------
    simulate : callable
        From parameters, a key and the draws' numbers, shape (n_lanes,), to the signal.
    """

    def begin(params, key, numbers):
        keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
        return prepare(grid, params, keys)

    options = _compiler_options()
    go = functools.partial(run, grid, unroll=1 if options is None else _UNROLL)
    begin, go = jax.jit(begin), jax.jit(go, compiler_options=options)
    return lambda params, key, numbers: go(begin(params, key, numbers))
