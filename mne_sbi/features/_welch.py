"""Power spectra of many time series, by Welch's method."""

import numpy as np

# Numbers that are transformed at once: they stay in the cache of a processor.
_BLOCK = 1 << 18


def estimate_power(data, sfreq, n_window, fmin, fmax):
    """Average the power of half-overlapping Hann windows without their means.

    Parameters
    ----------
    data : ndarray, shape (n_obs, n_nodes, n_times)
        Time series, finite, at least as long as a window.
    sfreq : float
        Sampling rate in Hz.
    n_window : int
        Length of a window in samples.
    fmin, fmax : float
        Lowest and highest frequency in Hz that is returned.

    Returns
    -------
    psd : ndarray, shape (n_obs, n_nodes, n_freqs)
        One-sided power densities.
    freqs : ndarray, shape (n_freqs,)
        Fourier frequencies of the window in Hz.

    Notes
    -----
    What :func:`mne.time_frequency.psd_array_welch` computes with the same windows,
    in a third of the time or less: simulations come by the ten thousand.
    """
    from scipy.fft import rfft
    from scipy.signal.windows import hann

    freqs = np.fft.rfftfreq(n_window, 1 / sfreq)
    band = np.flatnonzero((freqs >= fmin) & (freqs <= fmax))
    band = slice(band[0], band[-1] + 1) if len(band) else slice(0)
    taper = hann(n_window, sym=False).astype(data.dtype)
    shifted = np.lib.stride_tricks.sliding_window_view(data, n_window, axis=2)
    windows = shifted[:, :, :: n_window - n_window // 2]
    # In double precision, because squared volts and teslas can be small.
    psd = np.empty((*data.shape[:2], len(freqs[band])))
    step = max(1, _BLOCK // max(1, data.shape[1] * windows.shape[2] * n_window))
    for start in range(0, len(data), step):
        rows = slice(start, start + step)
        pieces = windows[rows] - windows[rows].mean(axis=3, keepdims=True)
        pieces *= taper
        spectra = rfft(pieces, axis=3, overwrite_x=True)[..., band]
        power = np.square(spectra.real)
        power += np.square(spectra.imag)
        power.mean(axis=2, out=psd[rows])
    # Positive and negative frequencies; the mean and half the rate are one each.
    n_sides = np.where((freqs == 0) | (2 * np.arange(len(freqs)) == n_window), 1, 2)
    psd *= n_sides[band] / (sfreq * np.square(taper, dtype=float).sum())
    return psd, freqs[band]
