"""Many simulations of the Wilson-Cowan network: sorted by speed, side by side."""

import functools

import numpy as np

from ._wilson_cowan_equations import (
    ROWS,
    first_changes,
    make_coefficients,
    scaled_weights,
)

# Nanoseconds that a connection costs per step and lane, as measured on one core: in
# blocks, by lanes and steps in a block; and step by step, by lanes.
_COST = {(16, 4): 0.085, (1, 8): 0.29, (1, 32): 0.09}
_COST_SHORT = {16: 0.2, 1: 1.5}
# Room for this many times the past, so that it is seldom moved.
_ROOM = 2


def simulate_batch(grid, params, key):
    """Simulate draws.

    Parameters
    ----------
    grid : Grid
        The setting.
    params : dict of ndarray, shape (n,)
        The model's parameters.
    key : jax.Array
        Random key; draw ``i`` uses ``jax.random.fold_in(key, i)``.

    Returns
    -------
    activity : ndarray of float32, shape (n, n_nodes, n_times)
        Excitatory activity.
    """
    from ._wilson_cowan_run import start_draws

    n = len(params["coupling"])
    out = np.empty((n, grid.n_nodes, grid.n_times), np.float32)
    if n == 0:
        return out
    coefficients = make_coefficients(params, grid)
    taps = grid.taps
    speeds = params["speed"] if grid.delays else np.ones(n)
    values, group = np.unique(speeds, return_inverse=True)
    for number, speed in enumerate(values):
        members = np.flatnonzero(group == number)
        steps = _count_delays(grid, speed)
        n_lanes, n_block = _choose_shape(grid, steps, len(members))
        for begin in range(0, len(members), n_lanes):
            rows = members[begin : begin + n_lanes]
            # The last ones of a group may be fewer: they are repeated.
            lanes = np.resize(rows, n_lanes)
            started = start_draws(grid, key, lanes)
            chosen = {name: value[lanes] for name, value in coefficients.items()}
            made = _run(grid, steps, chosen, started, taps, n_block)
            out[rows] = made.transpose(2, 1, 0)[: len(rows)]
    return out


def _count_delays(grid, speed):
    """Return the delays of all pairs of nodes in steps, zero where there are none."""
    if not grid.delays:
        return np.zeros((grid.n_nodes, grid.n_nodes))
    # In the precision of the differentiable twin.
    lengths = grid.connectome.lengths.astype(np.float32)
    return lengths / (np.float32(speed) * np.float32(grid.step))


@functools.lru_cache(maxsize=4)
def _connections(connectome):
    """Return weights, targets and sources of the connections, by target."""
    weights = scaled_weights(connectome)
    target, source = np.nonzero(weights)
    return weights[target, source], target, source


def _choose_shape(grid, steps, n_draws):
    """Choose the numbers of lanes and of steps in a block that take the least time."""
    _, target, source = _connections(grid.connectome)
    whole = np.floor(steps[target, source])
    costs = {}
    for shape, cost in _COST.items():
        n_lanes, n_block = shape
        n_short = (whole < n_block - 1).sum()
        total = cost * (len(whole) - n_short) + _COST_SHORT[n_lanes] * n_short
        costs[shape] = total * n_lanes * np.ceil(n_draws / n_lanes)
    return min(costs, key=costs.get)


def _make_table(grid, steps, n_room, n_lanes, chosen):
    """Make the kernel's table of some of the connections, by target.

    Returns
    -------
    first : ndarray of int, shape (n_nodes + 1,)
        Where those of each node begin; each node has a multiple of four.
    offsets : ndarray of int, shape (n_connections,)
        From the place of the present to that of the source's past before the delay.
    weights : ndarray of float32, shape (n_connections, 2)
        Of that past and of the step after it.
    """
    weights, target, source = (array[chosen] for array in _connections(grid.connectome))
    delay = steps[target, source]
    whole = np.floor(delay)
    counts = np.bincount(target, minlength=grid.n_nodes)
    first = np.r_[0, np.cumsum(-(-counts // 4) * 4)]
    within = np.arange(len(target)) - np.r_[0, np.cumsum(counts)][target]
    where = first[target] + within
    # Connections of weight zero, to which any place that exists will do.
    offsets = np.full(first[-1], -n_lanes)
    offsets[where] = (source * n_room - whole.astype(int) - 1) * n_lanes
    pairs = np.zeros((first[-1], 2), np.float32)
    pairs[where, 0] = weights * (delay - whole)
    pairs[where, 1] = weights - weights * (delay - whole)
    return first, offsets, pairs


def _run(grid, steps, coefficients, started, taps, n_block):
    """Lay out state and past for the kernel, and call it.

    Returns
    -------
    activity : ndarray of float32, shape (n_times, n_nodes, n_lanes)
        Excitatory activity.
    """
    from ._wilson_cowan_kernel import KERNELS, TILE

    activity, words = (np.asarray(array) for array in started)
    n_nodes, n_lanes = activity.shape[1:]
    connected = _connections(grid.connectome)[1:]
    whole = np.floor(steps[connected])
    n_kept = max(int(whole.max()) + 2, len(taps))
    n_room = _ROOM * n_kept + n_block
    is_long = whole >= n_block - 1
    long = _make_table(grid, steps, n_room, n_lanes, is_long)
    short = _make_table(grid, steps, n_room, n_lanes, ~is_long)
    values = np.zeros((len(ROWS), n_nodes, n_lanes), np.float32)
    values[:2] = activity
    changes = first_changes(coefficients, grid, activity.transpose(0, 2, 1))
    values[4:6] = np.transpose(changes, (0, 2, 1))
    for row, name in enumerate(ROWS):
        if name in coefficients:
            values[row] = coefficients[name].T
    past = np.zeros((n_nodes, n_room, n_lanes), np.float32)
    past[:, :n_kept] = activity[0][:, np.newaxis]
    plan = (n_nodes, n_room, n_kept, grid.n_steps, grid.n_burn * grid.n_steps)
    out = np.empty((grid.n_times, n_nodes, n_lanes), np.float32)
    state, words = _tile(values, TILE), _tile(words, TILE)
    run = KERNELS[n_lanes, n_block]
    run(state, words, past.ravel(), long, short, taps, plan, out)
    return out


def _tile(rows, size):
    """Put rows of nodes times lanes into tiles, flat and filled up with zeros."""
    flat = rows.reshape(len(rows), -1)
    flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % size)))
    tiles = flat.reshape(len(rows), -1, size).transpose(1, 0, 2)
    return np.ascontiguousarray(tiles).ravel()
