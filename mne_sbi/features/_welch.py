"""Power spectra of many time series, by Welch's method."""

import functools

import numpy as np

from .._recording_arrays import SAME_RATE

# Numbers that are transformed at once: they stay in the cache of a processor.
_BLOCK = 1 << 18


def count_samples(window, sfreq):
    """Return the number of samples that is closest to a window in s."""
    return round(float(window) * float(sfreq))


def estimate_power(data, sfreq, window, first, last):
    """Average the power of half-overlapping Hann windows without their means.

    Parameters
    ----------
    data : ndarray, shape (n_obs, n_nodes, n_times)
        Time series, finite, at least as long as a window.
    sfreq : float
        Sampling rate in Hz.
    window : float
        Length of a window in s, which is rounded to whole samples.
    first, last : int
        First and last frequency that is returned, in units of ``1 / window``, from 1
        on. The frequencies do not depend on the sampling rate.

    Returns
    -------
    psd : ndarray, shape (n_obs, n_nodes, last - first + 1)
        One-sided power densities at ``arange(first, last + 1) / window`` Hz.

    Notes
    -----
    Where a window is a whole number of samples, this is what
    :func:`mne.time_frequency.psd_array_welch` computes with the same windows, in a
    third of the time or less: simulations come by the ten thousand.
    """
    from scipy.signal.windows import hann

    n_window = count_samples(window, sfreq)
    taper = hann(n_window, sym=False).astype(data.dtype)
    shifted = np.lib.stride_tricks.sliding_window_view(data, n_window, axis=2)
    windows = shifted[:, :, :: n_window - n_window // 2]
    # In double precision, because squared volts and teslas can be small.
    psd = np.empty((*data.shape[:2], last - first + 1))
    step = max(1, _BLOCK // max(1, data.shape[1] * windows.shape[2] * n_window))
    for start in range(0, len(data), step):
        rows = slice(start, start + step)
        pieces = windows[rows] - windows[rows].mean(axis=3, keepdims=True)
        pieces *= taper
        spectra = transform(pieces, sfreq, window, first, last)
        power = np.square(spectra.real)
        power += np.square(spectra.imag)
        power.mean(axis=2, out=psd[rows])
    # Positive and negative frequencies; half the sampling rate is one alone.
    cycles = 2 * np.arange(first, last + 1) / (window * sfreq)
    n_sides = np.where(np.isclose(cycles, 1, rtol=SAME_RATE, atol=0), 1, 2)
    psd *= n_sides / (sfreq * np.square(taper, dtype=float).sum())
    return psd


def transform(pieces, sfreq, window, first, last):
    """Return Fourier transforms at multiples of ``1 / window`` Hz.

    Parameters
    ----------
    pieces : ndarray, shape (..., n_samples)
        Time series of one window, which may be overwritten.
    sfreq : float
        Sampling rate in Hz.
    window : float
        Length in s that ``n_samples`` stands for, exactly or rounded.
    first, last : int
        First and last frequency in units of ``1 / window``.

    Returns
    -------
    spectra : ndarray of complex, shape (..., last - first + 1)
        The transforms.
    """
    from scipy.fft import rfft

    n = pieces.shape[-1]
    is_whole = abs(window * sfreq - n) <= SAME_RATE * n
    if is_whole and last <= n // 2:
        return rfft(pieces, axis=-1, overwrite_x=True)[..., first : last + 1]
    # The Fourier frequencies of so many samples are others than those asked for.
    basis = _fourier_basis(n, float(sfreq), float(window), first, last)
    product = pieces.astype(float) @ basis
    return product[..., ::2] + 1j * product[..., 1::2]


@functools.lru_cache(maxsize=8)
def _fourier_basis(n, sfreq, window, first, last):
    """Cosine and sine of each frequency, shape (n, 2 * n_freqs)."""
    cycles = np.outer(np.arange(n) / sfreq, np.arange(first, last + 1) / window)
    waves = np.exp(-2j * np.pi * cycles)
    basis = waves.view(float)
    basis.flags.writeable = False
    return basis
