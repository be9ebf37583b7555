"""The fast engine of the spectral graph model: a table of the network's response.

The spectrum of the ``resolvent`` and ``jin2023`` variants is a product of a curve that
is the same in all regions and a network part that depends on three parameters only::

    power_i = |H|^2 / |i w + F_g / tau_g|^2 / Q_i,
    Q_i     = 1 / || row i of (I - w B)^{-1} ||^2,     w = alpha g(omega tau_g)

Q is smooth where the spectrum itself has sharp peaks (next to a pole of the resolvent
it is a parabola), so that it is interpolated: by Chebyshev polynomials in ``alpha``,
``log tau_g`` and ``1 / speed`` on the box of the model's ranges, and by a low-rank
factorisation over all regions and frequencies. What remains hard, draws next to a pole,
is found with :class:`NetworkStability` and computed exactly.
"""

import contextlib
import hashlib
import json
from functools import lru_cache, partial

import numpy as np

from .._cache import get_cache_dir
from .._files import read_file, save_file
from .._threads import one_blas_thread
from ._sgm_equations import _FLOOR, delayed_weights, normalized_weights
from ._sgm_stability import loop_gain

# Raise this whenever a change makes tables that lie on disk wrong.
_VERSION = 5
_FORMAT = "mne_sbi spectral graph table 1"
_N_ALPHA, _N_SPEED = 8, 20
_MAX_N_TAU = 112
# Condition of eigenvectors up to which sums over them in single precision are good to
# 0.02 dB. That of 86-region connectomes is below 60 (measured).
_MAX_CONDITION = 300
# Tolerance (root mean square of Q, which is near 1; 1e-3 is 0.004 dB) and rank of the
# table for most draws, and of the one for draws near a resonance of the network.
_LEVELS = {"coarse": (3e-3, 80), "fine": (1e-3, 160)}
# Pole of the loop gain nearest to the real axis: the root of 1 + ix (1 + ix)^2.
_LOOP_POLE = 0.744862 + 0.122561j


def chebyshev_nodes(n):
    """Return the n zeros of the Chebyshev polynomial of degree n."""
    return np.cos(np.pi * (np.arange(n) + 0.5) / n)


def to_coefficients(values, axis):
    """Turn values at Chebyshev nodes into coefficients, along one axis."""
    n = values.shape[axis]
    matrix = np.cos(np.arange(n)[:, np.newaxis] * np.arccos(chebyshev_nodes(n)))
    matrix *= 2 / n
    matrix[0] /= 2
    return np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)


def n_time_nodes(omega, tau_g):
    """Return how many nodes in ``log tau_g`` one frequency needs.

    Parameters
    ----------
    omega : float
        Angular frequency in rad/s.
    tau_g : tuple of float
        The table's range in s.

    Returns
    -------
    n : int
        Chebyshev series converge like ``rho**-n``, where rho is the sum of the half
        axes of the ellipse round the range that passes through the nearest
        singularity, here the resonance of the macroscopic loop.
    """
    low, high = np.log(tau_g)
    position = 2 * (np.log(_LOOP_POLE / omega) - low) / (high - low) - 1
    root = np.sqrt(position**2 - 1)
    rho = max(abs(position + root), abs(position - root))
    return int(np.clip(np.ceil(np.log(1e8) / np.log(rho)), 12, _MAX_N_TAU))


class ResponseGrid:
    """Exact inverse responses Q at many loop gains for one wave number.

    Parameters
    ----------
    matrix : ndarray of complex, shape (n_nodes, n_nodes)
        The delayed weights B.
    projected : bool
        Whether the answer is the one of ``jin2023``, with ``U^H`` in place of the
        inverse of the eigenvectors U, and with the floor of its code.

    Notes
    -----
    The squared row norm of ``U diag(c) V`` is a quadratic form of c, whose matrices
    ``U[i,k] conj(U[i,l]) (V V^H)[k,l]`` are laid out so that all regions and all gains
    are one product of real matrices. Where the eigenvectors are hardly a basis, as in
    networks that are nearly feed-forward, each gain has an inverse of its own.
    """

    def __init__(self, matrix, projected):
        self.eigenvalues, vectors = np.linalg.eig(matrix)
        self.matrix = None
        if not projected and np.linalg.cond(vectors) > _MAX_CONDITION:
            self.matrix = matrix
            return
        right = vectors.conj().T if projected else np.linalg.inv(vectors)
        self.projected = projected
        self.k, self.l = np.triu_indices(len(matrix))
        outer = (right @ right.conj().T)[self.k, self.l] * (2 - (self.k == self.l))
        form = vectors[:, self.k] * vectors[:, self.l].conj() * outer
        # c c^H as interleaved real and imaginary parts meets real and minus imaginary.
        self.form = np.ascontiguousarray(form.conj().astype(np.complex64))
        self.form = self.form.view(np.float32).T

    def inverse_power(self, gains):
        """Return Q for loop gains, shape (n,), as an array of shape (n, n_nodes)."""
        if self.matrix is not None:
            return np.array([self._invert(gain) for gain in gains])
        q = 1 - gains[:, np.newaxis] * self.eigenvalues
        if self.projected:
            size = np.abs(q)
            q *= np.maximum(size, _FLOOR * size.max(axis=1, keepdims=True)) / size
        c = (1 / q).astype(np.complex64)
        pairs = np.take(c, self.k, axis=1)
        pairs *= np.take(c.conj(), self.l, axis=1)
        return 1 / (pairs.view(np.float32) @ self.form)

    def _invert(self, gain):
        """Return Q for one gain, shape (n_nodes,)."""
        inverse = np.linalg.inv(np.eye(len(self.matrix)) - gain * self.matrix)
        return 1 / (np.abs(inverse) ** 2).sum(axis=1)


def build_coefficients(connectome, omega, ranges, projected):
    """Compute the Chebyshev coefficients of Q for one frequency.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    omega : float
        Angular frequency in rad/s.
    ranges : dict of tuple
        Ranges of ``alpha``, ``tau_g`` and ``speed``.
    projected : bool
        As in :class:`ResponseGrid`.

    Returns
    -------
    coefficients : ndarray, shape (n_alpha, n_tau, n_speed, n_nodes)
        The coefficients.
    """
    n_tau = n_time_nodes(omega, ranges["tau_g"])
    alpha = _spread(chebyshev_nodes(_N_ALPHA), ranges["alpha"])
    tau = np.exp(_spread(chebyshev_nodes(n_tau), np.log(ranges["tau_g"])))
    slow, fast = ranges["speed"]
    slowness = _spread(chebyshev_nodes(_N_SPEED), (1 / fast, 1 / slow))
    gains = (alpha[:, np.newaxis] * loop_gain(omega * tau)).ravel()
    weights = normalized_weights(connectome.weights)
    shape = (_N_ALPHA, n_tau, connectome.n_nodes)
    values = np.empty((_N_SPEED, *shape), dtype=np.float32)
    for i, slow in enumerate(slowness):
        matrix = delayed_weights(weights, connectome.lengths, omega * slow, np)
        grid = ResponseGrid(matrix, projected)
        values[i] = grid.inverse_power(gains).reshape(shape)
    coefficients = to_coefficients(values, 1)
    coefficients = to_coefficients(coefficients, 2)
    return np.moveaxis(to_coefficients(coefficients, 0), 0, 2).astype(np.float32)


def _spread(x, limits):
    """Map [-1, 1] to a range."""
    return limits[0] + (x + 1) / 2 * (limits[1] - limits[0])


def stack_tensors(tensors):
    """Bring the coefficients of all frequencies into one array.

    Parameters
    ----------
    tensors : list of ndarray, shape (n_alpha, n_tau_f, n_speed, n_nodes)
        Coefficients, a tensor per frequency.

    Returns
    -------
    full : ndarray, shape (n_alpha, n_tau, n_speed, n_nodes * n_freqs)
        The coefficients, with zeros where a frequency has fewer; regions vary slowest.
    """
    n_tau = max(tensor.shape[1] for tensor in tensors)
    n_alpha, _, n_speed, n_nodes = tensors[0].shape
    full = np.zeros((n_alpha, n_tau, n_speed, n_nodes, len(tensors)), np.float32)
    for f, tensor in enumerate(tensors):
        full[:, : tensor.shape[1], ..., f] = tensor
    return full.reshape(n_alpha, n_tau, n_speed, -1)


def compress(full, tolerance, rank):
    """Factorise the coefficients of all regions and frequencies.

    Parameters
    ----------
    full : ndarray, shape (n_alpha, n_tau, n_speed, n_outputs)
        Chebyshev coefficients.
    tolerance : float
        Root mean square of what may be left out.
    rank : int
        Number of components.

    Returns
    -------
    arrays : dict of ndarray
        ``alpha``, ``tau_g``, ``speed``: combinations of Chebyshev polynomials that the
        responses are made of, one per row; ``index``, shape (3, n_terms): the kept
        products of them; ``left``, shape (n_terms, rank): the weights of these
        products in every component; ``right``, shape (rank, n_outputs): components.
    """
    arrays = {}
    core = full
    for axis, name in enumerate(("alpha", "tau_g", "speed")):
        # Higher-order singular value decomposition, one axis at a time.
        unfolded = np.moveaxis(full, axis, 0).reshape(full.shape[axis], -1)
        unfolded = unfolded.astype(np.float64)
        power, vectors = np.linalg.eigh(unfolded @ unfolded.T / full.shape[-1])
        tail = np.sqrt(np.maximum(np.cumsum(power), 0))
        rotation = vectors[:, tail > tolerance / 2].T.astype(np.float32)
        arrays[name] = rotation
        core = np.moveaxis(np.tensordot(rotation, core, axes=(1, axis)), 0, axis)
    matrix = core.reshape(-1, full.shape[-1])
    energy = (matrix.astype(np.float64) ** 2).mean(axis=1)
    order = np.argsort(energy)
    kept = np.sort(order[np.cumsum(energy[order]) > tolerance**2])
    matrix = matrix[kept]
    arrays["index"] = np.array(np.unravel_index(kept, core.shape[:3]), dtype=np.int32)
    # Randomised range finder with one power iteration (Halko et al. 2011): the
    # singular values fall fast, and a fixed seed keeps tables reproducible.
    rng = np.random.default_rng(0)
    rank = min(rank, *matrix.shape)
    sketch = matrix @ rng.standard_normal((matrix.shape[1], rank), dtype=np.float32)
    sketch = matrix @ (matrix.T @ np.linalg.qr(sketch)[0])
    arrays["left"] = np.linalg.qr(sketch)[0]
    arrays["right"] = arrays["left"].T @ matrix
    return arrays


class ResponseTable:
    """The prepared table: evaluates Q for many draws at once.

    Parameters
    ----------
    levels : dict of dict of ndarray
        For each level of accuracy what :func:`compress` returns.
    ranges : dict of tuple
        Ranges of ``alpha``, ``tau_g`` and ``speed``.
    """

    def __init__(self, levels, ranges):
        self.levels = levels
        self.ranges = ranges

    def inverse_power(self, alpha, tau_g, speed, level, out=None):
        """Evaluate Q for many draws.

        Parameters
        ----------
        alpha, tau_g, speed : ndarray, shape (n,)
            Parameters inside the ranges.
        level : str
            ``"coarse"`` or ``"fine"``.
        out : ndarray of float32, shape (n, n_nodes * n_freqs) | None
            Where to write the result.

        Returns
        -------
        inverse_power : ndarray of float32, shape (n, n_nodes * n_freqs)
            Q, regions slowest.
        """
        arrays = self.levels[level]
        slow, fast = self.ranges["speed"]
        x = {
            "alpha": _unspread(alpha, self.ranges["alpha"]),
            "tau_g": _unspread(np.log(tau_g), np.log(self.ranges["tau_g"])),
            "speed": _unspread(1 / speed, (1 / fast, 1 / slow)),
        }
        factors = {}
        for name, value in x.items():
            degrees = np.arange(arrays[name].shape[1])[:, np.newaxis]
            # Rounding at the ends of the range must not leave the arc cosine's domain.
            angle = np.arccos(np.clip(value, -1, 1)).astype(np.float32)
            factors[name] = arrays[name] @ np.cos(degrees * angle, dtype=np.float32)
        # Terms along the first axis: taking rows copies memory, taking columns gathers.
        rows = arrays["index"]
        terms = factors["tau_g"][rows[1]]
        terms *= factors["alpha"][rows[0]]
        terms *= factors["speed"][rows[2]]
        return np.matmul(terms.T @ arrays["left"], arrays["right"], out=out)


def _unspread(value, limits):
    """Map a range to [-1, 1]."""
    return 2 * (value - limits[0]) / (limits[1] - limits[0]) - 1


@lru_cache(maxsize=8)
def response_table(connectome, freqs, ranges, projected, n_jobs=None, verbose=None):
    """Return the table, from memory, from disk, or made anew.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    freqs : tuple of float
        Frequencies in Hz.
    ranges : tuple of (str, float, float)
        Ranges of ``alpha``, ``tau_g`` and ``speed``.
    projected : bool
        As in :class:`ResponseGrid`.
    n_jobs : int | None
        Threads that prepare the table.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    table : ResponseTable
        The table.
    """
    limits = {name: (low, high) for name, low, high in ranges}
    label = json.dumps(
        [_VERSION, connectome.fingerprint, freqs, ranges, bool(projected)]
    )
    digest = hashlib.sha256(label.encode()).hexdigest()[:32]
    fname = get_cache_dir("spectral_graph") / f"{digest}.npz"
    levels = _read(fname, label)
    if levels is None:
        levels = _prepare(connectome, freqs, limits, projected, n_jobs, verbose)
        _store(fname, label, levels)
    return ResponseTable(levels, limits)


def _read(fname, label):
    """Read a table from disk; a damaged file, or another table, counts as absent."""
    levels = {name: {} for name in _LEVELS}
    # Damaged bytes can make any step fail, in any way.
    with contextlib.suppress(Exception):
        content, arrays = read_file(fname, _FORMAT)
        for key, array in arrays.items():
            level, _, name = key.partition("/")
            levels[level][name] = array
        return levels if content["label"] == label else None
    return None


def _store(fname, label, levels):
    """Keep a table on disk; a folder that cannot be written only costs time."""
    from mne.utils import logger

    arrays = {
        f"{lv}/{name}": a for lv, part in levels.items() for name, a in part.items()
    }
    try:
        fname.parent.mkdir(parents=True, exist_ok=True)
        content = {"label": label}
        save_file(fname, content, arrays, version=_FORMAT, overwrite=True)
    except OSError as exc:
        logger.info(f"The table cannot be kept in {fname.parent}: {exc}")


def _prepare(connectome, freqs, ranges, projected, n_jobs, verbose):
    """Make the table, frequency by frequency, with a progress bar."""
    from joblib import Parallel, delayed
    from mne.utils import ProgressBar, logger, use_log_level

    omega = 2 * np.pi * np.asarray(freqs)
    job = partial(build_coefficients, connectome, ranges=ranges, projected=projected)
    with use_log_level(verbose), one_blas_thread():
        logger.info(
            f"Preparing the spectral graph model for {connectome!r} (done once, then "
            "kept on disk)"
        )
        # Many small matrices: threads over frequencies, none inside of BLAS.
        pool = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
        made = pool(delayed(job)(w) for w in omega)
        progress = ProgressBar(made, max_value=len(omega), mesg="Preparing")
        full = stack_tensors(list(progress))
        return {level: compress(full, *how) for level, how in _LEVELS.items()}
