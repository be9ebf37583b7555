"""Simulation of the spectral graph model for draws that share their speed.

The eigenvectors of the complex Laplacian depend on ``omega / speed`` alone. Draws with
the same speed therefore share the 40 or so eigendecompositions that a simulation takes,
and what is left are matrix products. This engine serves every variant; the variants
that add eigenvectors (2020) jump from one speed to the next and have no other.
"""

import numpy as np

from .._threads import one_blas_thread
from ._sgm_equations import (
    _FLOOR,
    PHASED,
    canonical_phase,
    delayed_weights,
    local_response,
    macroscopic_response,
    normalized_weights,
)
from ._sgm_table import ResponseGrid

# Draws of one speed in one matrix product: bounds the memory to some 100 MB.
_BLOCK = 2048


def simulate_shared(connectome, freqs, variant, params, n_jobs=None):
    """Simulate power spectra, sharing eigenvectors among draws of equal speed.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    freqs : ndarray, shape (n_freqs,)
        Frequencies in Hz.
    variant : str
        The model's variant.
    params : dict of ndarray, shape (n,)
        All parameters of the model.
    n_jobs : int | None
        Number of threads.

    Returns
    -------
    power : ndarray of float32, shape (n, n_nodes, n_freqs)
        Power spectra.
    """
    from joblib import Parallel, delayed

    omega = 2 * np.pi * np.asarray(freqs)
    weights = normalized_weights(connectome.weights)
    speeds, group = np.unique(params["speed"], return_inverse=True)
    n = len(group)
    power = np.empty((n, connectome.n_nodes, len(omega)), dtype=np.float32)

    def fill(i, f):
        members = np.flatnonzero(group == i)
        matrix = delayed_weights(weights, connectome.lengths, omega[f] / speeds[i], np)
        respond = _phased(matrix) if variant in PHASED else _projected(matrix, variant)
        for start in range(0, len(members), _BLOCK):
            rows = members[start : start + _BLOCK]
            part = {name: value[rows] for name, value in params.items()}
            local = np.abs(local_response(part, omega[f], variant)) ** 2
            a, b = macroscopic_response(part, omega[f], variant)
            response = respond(a, b, part["alpha"])
            power[rows, :, f] = local[:, np.newaxis] * response

    jobs = [delayed(fill)(i, f) for i in range(len(speeds)) for f in range(len(omega))]
    with one_blas_thread():
        Parallel(n_jobs=n_jobs, prefer="threads", require="sharedmem")(jobs)
    return power


def _projected(matrix, variant):
    """Return the network part of the variants that take the norm of rows."""
    grid = ResponseGrid(matrix, projected=variant != "resolvent")

    def respond(a, b, alpha):
        # q = a + b (1 - alpha mu) = (a + b) (1 - w mu)
        total = a + b
        inverse = grid.inverse_power(alpha * b / total)
        return 1 / (inverse * np.abs(total[:, np.newaxis]) ** 2)

    return respond


def _phased(matrix):
    """Return the network part of the variants that add eigenvectors."""
    mu, vectors = np.linalg.eig(matrix)
    modes = canonical_phase(vectors, np).T.astype(np.complex64)
    n_kept = round(2 / 3 * len(mu))

    def respond(a, b, alpha):
        eigenvalues = 1 - alpha[:, np.newaxis] * mu
        size = np.abs(eigenvalues)
        # Modes 1 to n_kept - 1 in the order of |lambda|, by two order statistics.
        ranked = np.partition(size, (0, n_kept - 1), axis=1)
        kept = (size > ranked[:, :1]) & (size <= ranked[:, n_kept - 1, np.newaxis])
        q = a[:, np.newaxis] + b[:, np.newaxis] * eigenvalues
        magnitude = np.abs(q)
        floor = _FLOOR * magnitude.max(axis=1, keepdims=True)
        q *= np.maximum(magnitude, floor) / magnitude
        answer = (kept / q).astype(np.complex64) @ modes
        return answer.real**2 + answer.imag**2

    return respond
