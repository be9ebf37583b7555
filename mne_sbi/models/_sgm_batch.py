"""Many spectra from the table, with the hard ones made better.

Next to a resonance of the delayed network the coarse table is not good enough. Such
draws are found by their distance from instability; they take the fine table, and the
frequencies that touch the resonance itself are computed exactly.
"""

from functools import partial

import numpy as np

from .._threads import one_blas_thread
from ._sgm_equations import (
    delayed_weights,
    local_response,
    macroscopic_response,
    normalized_weights,
    row_norms,
)

# Measured on the 86-region group connectome, where 14 % of the stable draws are nearer
# to instability than `_NEAR`: what is left is wrong by 0.4 dB at worst, and by 0.005 dB
# root mean square. On other connectomes single values were wrong by up to 0.7 dB.
# From this distance on, the coarse table will do.
_NEAR = 0.34
# In draws nearer than the first number, frequencies at which some region's Q (see the
# table) is below the second are computed exactly: an error of Q counts there for most.
_EXACT = ((0.15, 0.13), (0.25, 0.06))
# Draws at once: enough for fast matrix products, and their terms stay in the cache.
_BLOCK = 512
# Exact inverses at once, and the size of matrices from which on halving them pays.
_PAIRS = 64
_SMALL = 24


def simulate_from_table(model, table, network, params):
    """Simulate power spectra from a prepared table.

    Parameters
    ----------
    model : SpectralGraphModel
        The model.
    table : ResponseTable
        Its table.
    network : NetworkStability | None
        Distances from instability; ``None`` takes the fine table for every draw.
    params : dict of ndarray, shape (n,)
        All parameters, inside the table's ranges.

    Returns
    -------
    power : ndarray of float32, shape (n, n_nodes, n_freqs)
        Power spectra.
    """
    connectome, omega = model.get_connectome(), 2 * np.pi * model.get_freqs()
    n = len(params["alpha"])
    power = np.empty((n, connectome.n_nodes, len(omega)), dtype=np.float32)
    fill = partial(_fill, power, table, omega, model.variant, params)
    if network is None:
        fill("fine", np.arange(n))
        return power
    distance = network.distance(params)
    fill("coarse", np.flatnonzero(distance >= _NEAR))
    fill("fine", np.flatnonzero(distance < _NEAR))
    ringing = np.flatnonzero(distance < max(limit for limit, _ in _EXACT))
    part = _pick(params, ringing)
    lowest = _curve(part, omega, model.variant) / power[ringing].max(axis=1)
    hard = np.zeros(lowest.shape, dtype=bool)
    for limit, lowest_limit in _EXACT:
        hard |= (distance[ringing, np.newaxis] < limit) & (lowest < lowest_limit)
    row, column = np.nonzero(hard)
    exact = _exact_pairs(connectome, _pick(part, row), omega[column])
    power[ringing[row], :, column] = exact
    return power


def _pick(params, index):
    return {name: value[index] for name, value in params.items()}


def _curve(params, omega, variant):
    """Return the part of the power that all regions share, shape (n, n_freqs)."""
    # Single precision is enough for a power in single precision, and twice as fast.
    omega = omega.astype(np.float32)
    column = {
        name: value[:, np.newaxis].astype(np.float32) for name, value in params.items()
    }
    a, b = macroscopic_response(column, omega, variant)
    response = local_response(column, omega, variant) / (a + b)
    return response.real**2 + response.imag**2


def _fill(power, table, omega, variant, params, level, rows):
    """Evaluate the table and the local curve for some draws, block by block."""
    n_outputs = table.levels[level]["right"].shape[1]
    # One piece of memory for all blocks stays in the cache.
    memory = np.empty((min(_BLOCK, len(rows)), n_outputs), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        part = _pick(params, block)
        curve = _curve(part, omega, variant)
        q = table.inverse_power(
            part["alpha"],
            part["tau_g"],
            part["speed"],
            level,
            out=memory[: len(block)],
        )
        if level == "fine":
            # Q is positive; next to a pole the table's error may not make it otherwise.
            np.maximum(q, 1e-6, out=q)
        q = q.reshape(len(block), -1, len(omega))
        power[block] = np.divide(curve[:, np.newaxis], q, out=q)


def _exact_pairs(connectome, params, omega):
    """Compute the resolvent's power at pairs of a draw and a frequency.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    params : dict of ndarray, shape (n_pairs,)
        Parameters.
    omega : ndarray, shape (n_pairs,)
        Angular frequencies in rad/s.

    Returns
    -------
    power : ndarray, shape (n_pairs, n_nodes)
        Power of all regions.
    """
    # Single precision is good to 1e-3 dB, and these few inverses take a tenth of the
    # time of a simulation.
    weights = normalized_weights(connectome.weights).astype(np.float32)
    lengths = connectome.lengths.astype(np.float32)
    kappa = (omega / params["speed"]).astype(np.float32)
    local = np.abs(local_response(params, omega, "resolvent"))
    a, b = macroscopic_response(params, omega, "resolvent")
    coupling = (b * params["alpha"]).astype(np.complex64)
    nodes = np.arange(connectome.n_nodes)
    power = np.empty((len(omega), connectome.n_nodes))
    # For matrices this small the threads of BLAS cost more than they bring.
    with one_blas_thread():
        for start in range(0, len(omega), _PAIRS):
            s = slice(start, start + _PAIRS)
            matrix = delayed_weights(weights, lengths, kappa[s], np)
            matrix *= -coupling[s, np.newaxis, np.newaxis]
            matrix[:, nodes, nodes] += (a + b)[s, np.newaxis]
            inverse = _invert(matrix)
            power[s] = (local[s, np.newaxis] * row_norms(inverse, np)) ** 2
    return power


def _invert(matrix):
    """Invert a stack of matrices by halves, so that most of the work are products.

    LAPACK inverts matrices of this size at a fifth of the speed of a product. Blocks
    on the diagonal belong to parts of the network and can be inverted like the whole.
    """
    n = matrix.shape[-1]
    if n <= _SMALL:
        return np.linalg.inv(matrix)
    upper, lower = slice(n // 2), slice(n // 2, n)
    first = _invert(matrix[:, upper, upper])
    down = matrix[:, lower, upper] @ first
    right = first @ matrix[:, upper, lower]
    # Schur complement of the first block.
    last = _invert(matrix[:, lower, lower] - down @ matrix[:, upper, lower])
    inverse = np.empty_like(matrix)
    inverse[:, lower, lower] = last
    inverse[:, lower, upper] = -(last @ down)
    inverse[:, upper, lower] = -(right @ last)
    inverse[:, upper, upper] = first - right @ inverse[:, lower, upper]
    return inverse
