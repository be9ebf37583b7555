"""Envelopes in a band, and how they correlate: functions on arrays."""

import functools

import numpy as np

from .._checks import check_array, listing

# Samples of a block: five arrays of a hundred signals fit a cache of 1 MB.
_BLOCK = 256
# What is left of a signal orthogonalised to a copy of itself, relative to the signal:
# rounding, with a margin. And what varies less than that does not vary.
_ROUNDING = {"complex64": 1e-5, "complex128": 1e-13}


@functools.lru_cache(maxsize=32)
def design_filter(sfreq, fmin, fmax):
    """Design the band-pass that ``raw.filter(fmin, fmax)`` would use.

    Parameters
    ----------
    sfreq : float
        Sampling rate in Hz.
    fmin, fmax : float
        Band in Hz.

    Returns
    -------
    kernel : ndarray, shape (n_taps,)
        Symmetric kernel with an odd number of taps.
    """
    from mne.filter import create_filter

    kernel = create_filter(None, sfreq, fmin, fmax, verbose="error")
    kernel.flags.writeable = False
    return kernel


def analytic_signal(data, sfreq, fmin, fmax):
    """Filter time series and make their analytic signals, in one pass.

    Parameters
    ----------
    data : ndarray of (float32 | float64), shape (n_nodes, n_times)
        Time series, at least as long as the filter; see :func:`design_filter`.
    sfreq : float
        Sampling rate in Hz.
    fmin, fmax : float
        Band in Hz.

    Returns
    -------
    signals : ndarray of (complex64 | complex128), shape (n_nodes, n_times)
        The analytic signals.

    Notes
    -----
    The kernel is applied forwards and without delay, to series that are continued
    beyond both ends by their point reflection, as MNE-Python does.
    """
    from scipy.fft import ifft, next_fast_len, rfft

    kernel = design_filter(float(sfreq), float(fmin), float(fmax))
    n_nodes, n_times = data.shape
    n_pad = len(kernel) // 2
    n_fft = next_fast_len(n_times + 2 * n_pad)
    padded = np.zeros((n_nodes, n_fft), dtype=data.dtype)
    middle = padded[:, n_pad : n_pad + n_times]
    # Before the filter, because it lets a thousandth of a large offset through.
    np.subtract(data, data.mean(axis=1, keepdims=True, dtype=float), out=middle)
    first, last = middle[:, :1], middle[:, -1:]
    padded[:, :n_pad] = 2 * first - middle[:, n_pad:0:-1]
    padded[:, n_pad + n_times : 2 * n_pad + n_times] = (
        2 * last - middle[:, -2 : -n_pad - 2 : -1]
    )
    spectrum = rfft(padded, axis=1)
    # Twice the positive frequencies and none of the negative ones: the Hilbert
    # transform. The band has neither the constant nor half the sampling rate.
    spectrum *= _gain(sfreq, fmin, fmax, n_fft).astype(data.dtype)
    whole = np.zeros((n_nodes, n_fft), dtype=spectrum.dtype)
    whole[:, : spectrum.shape[1]] = spectrum
    signals = ifft(whole, axis=1, overwrite_x=True)
    return signals[:, n_pad : n_pad + n_times]


@functools.lru_cache(maxsize=32)
def _gain(sfreq, fmin, fmax, n_fft):
    """Twice the gain of the filter without its delay, shape (n_fft // 2 + 1,)."""
    kernel = design_filter(float(sfreq), float(fmin), float(fmax))
    centred = np.zeros(n_fft)
    centred[: len(kernel)] = kernel
    return 2 * np.fft.rfft(np.roll(centred, -(len(kernel) // 2))).real


def split_at_gaps(series):
    """Find what lies between gaps.

    Parameters
    ----------
    series : ndarray, shape (n_nodes, n_times)
        Time series; NaN in all nodes is a gap.

    Returns
    -------
    pieces : ndarray of int, shape (n_pieces, 2)
        First sample, and the one after the last.
    """
    is_gap = np.isnan(series).all(axis=0)
    edges = np.flatnonzero(np.diff(np.r_[True, is_gap, True].astype(int)))
    return edges.reshape(-1, 2)


def find_pieces(series, n_taps, sfreq, where):
    """Find the pieces between gaps that are long enough for the filter.

    Parameters
    ----------
    series : ndarray, shape (n_nodes, n_times)
        Time series; NaN in all nodes is a gap.
    n_taps : int
        Length of the filter in samples.
    sfreq : float
        Sampling rate in Hz.
    where : str
        Which observation this is, for the message.

    Returns
    -------
    pieces : list of list of int
        First sample, and the one after the last.

    Raises
    ------
    ValueError
        If no piece is long enough, or a node is flat or not finite in one.
    """
    pieces = split_at_gaps(series)
    kept = pieces[pieces[:, 1] - pieces[:, 0] >= n_taps]
    if not len(kept):
        longest = (pieces[:, 1] - pieces[:, 0]).max(initial=0)
        what = (
            "The longest piece between gaps" if len(pieces) != 1 else "The time series"
        )
        raise ValueError(
            f"{what}{where} lasts {longest / sfreq:g} s, less than the filter of "
            f"{n_taps / sfreq:.3g} s. Give longer data, annotate less as bad, or take "
            "another band: the filter is long where fmin is low, or fmax close to half "
            "the sampling rate."
        )
    for start, stop in kept:
        part = series[:, start:stop]
        check_array(f"The data{where}", part)
        is_flat = (part == part[:, :1]).all(axis=1)
        if is_flat.any():
            nodes = listing(np.flatnonzero(is_flat).tolist())
            raise ValueError(
                f"{int(is_flat.sum())} of {len(series)} time series{where} do not "
                f"vary, the nodes {nodes}. Leave them out."
            )
    return kept.tolist()


def correlate_envelopes(signals, *, orthogonalize="pairwise", absolute=False, window=1):
    """Correlate the envelopes of analytic signals.

    Parameters
    ----------
    signals : ndarray of (complex64 | complex128), shape (n_nodes, n_times)
        Analytic signals of a band.
    orthogonalize : "pairwise" | False
        Whether what two signals share without a lag is taken out of one of them.
    absolute : bool
        Take absolute values of both directions before they are averaged.
    window : int
        Number of samples over which envelopes are averaged before they are correlated;
        samples after the last whole window are left out.

    Returns
    -------
    matrix : ndarray of float64, shape (n_nodes, n_nodes)
        Pearson's correlations, symmetric, with zeros on the diagonal; zero where a
        signal has no envelope that varies, or nothing is left of it.
    """
    signals = np.ascontiguousarray(signals)
    if window > 1:
        signals = signals[:, : signals.shape[1] // window * window]
    if orthogonalize:
        matrix = _correlate_orthogonalized(signals, window)
        matrix = np.abs(matrix) if absolute else matrix
        matrix = (matrix + matrix.T) / 2
    else:
        matrix = _correlate_plain(signals, window)
    np.fill_diagonal(matrix, 0)
    return matrix


def _correlate_plain(signals, window):
    """Correlate envelopes as they are, ndarray of shape (n_nodes, n_nodes)."""
    # In double precision and around 1, because envelopes can have any unit.
    envelope = np.abs(signals).astype(float)
    level = envelope.mean(axis=1, keepdims=True)
    envelope /= np.where(level > 0, level, 1)
    if window > 1:
        envelope = envelope.reshape(len(signals), -1, window).mean(axis=2)
    envelope = envelope - envelope.mean(axis=1, keepdims=True)
    covariance = envelope @ envelope.T
    power = np.diag(covariance)
    least = envelope.shape[1] * _ROUNDING[signals.dtype.name] ** 2
    scale = np.where(power > least, np.sqrt(np.maximum(power, least)), np.inf)
    return covariance / scale / scale[:, np.newaxis]


def _correlate_orthogonalized(signals, window):
    """Correlate envelopes of i orthogonalised to j with those of j."""
    from ._envelope_kernel import sum_pairs

    n_nodes, n_times = signals.shape
    if window > 1:
        n = n_times // window
        sums, (total, power) = sum_pairs(signals, window, True)
    else:
        n = n_times
        sums, (total, power) = sum_pairs(signals, min(_BLOCK, n_times), False)
    power = power - total**2 / n
    level, squares, products = sums
    variance = squares - level**2 / n
    rounding = _ROUNDING[signals.dtype.name] ** 2
    # Of a signal of mean envelope 1, the orthogonalised part is of order 1 as well.
    is_good = (squares > n * rounding) & (power > n * rounding) & (variance > 0)
    scale = np.sqrt(np.where(is_good, variance * power, 1))
    matrix = np.where(is_good, products - level * total / n, 0) / scale
    return matrix[:n_nodes, :n_nodes]
