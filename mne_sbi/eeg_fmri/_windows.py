"""Windows of EEG before each volume: band power, spectrograms and the signal itself."""

import numpy as np

from .._checks import check_array, listing
from .._recording_channels import find_band
from ..features._welch import transform
from ._bands import band_power, check_bands
from ._eeg_samples import (
    check_finite,
    eeg_channels,
    find_valid,
    is_left_out,
    read_windows,
    resample,
    to_samples,
)


def band_power_windows(
    raw, times, t_r, *, bands=None, n_lags, picks=None, reject_by_annotation=True
):
    """Compute the power of frequency bands in windows of one repetition time.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording.
    times : array_like, shape (n_volumes,)
        When the latest window of each volume ends, in s from the first sample.
    t_r : float
        Length of a window in s, and step from one to the one before.
    bands : dict of (str, (float, float)) | None
        Lower and upper end of each band in Hz. ``None`` takes delta, theta, alpha, beta
        and gamma.
    n_lags : int
        Number of windows. Lag k covers ``[time - (k + 1) t_r, time - k t_r]``.
    picks : str | list | None
        Channels, as in MNE-Python; ``None`` takes all EEG channels. Bad channels are
        left out.
    reject_by_annotation : bool
        Leave volumes out of which a window touches an annotation that begins with
        "bad", or reaches across a joint of two pieces.

    Returns
    -------
    X : ndarray of float32, shape (n_valid, n_channels, n_bands, n_lags)
        Decadic logarithm of power in V^2.
    valid : ndarray of bool, shape (n_volumes,)
        Which volumes have all their windows: the rows of ``X``.

    Raises
    ------
    ValueError
        If no volume has all windows, a band is not in the recording, or a channel is
        flat or not finite.

    Notes
    -----
    Multitaper estimate with three sine tapers (Riedel and Sidorenko, IEEE Trans. Signal
    Process. 43:188-195, 1995), whose half bandwidth is 2 / t_r. A single taper would
    waste the ends of each window, and none would let strong slow waves leak into the
    other bands. Density is averaged over the frequencies of a band, in steps of at most
    0.5 / t_r, and multiplied by the width of the band.
    """
    names = eeg_channels(raw, picks)
    sfreq = raw.info["sfreq"]
    bands = check_bands(bands, t_r, sfreq, find_band(raw.info))
    times = check_array("times", times, shape=(None,))
    starts = to_samples(times[:, np.newaxis] - t_r * (1 + np.arange(n_lags)), sfreq)
    length = to_samples(t_r, sfreq)
    valid = find_valid(raw, starts, length, reject_by_annotation, "band power")
    unique, where = np.unique(starts[valid], return_inverse=True)
    power = np.empty((len(unique), len(names), len(bands)))
    for rows, windows in read_windows(raw, names, unique, length):
        power[rows] = band_power(windows, sfreq, list(bands.values()))
    flat = power <= 0
    if flat.any():
        window, channel, _ = np.argwhere(flat)[0]
        bad = [n for n, is_flat in zip(names, flat.any((0, 2)), strict=True) if is_flat]
        raise ValueError(
            f"Channels {listing(bad)} are flat, the first ({names[channel]}) from "
            f"{unique[window] / sfreq:.6g} s on for {t_r:g} s: their power has no "
            "logarithm. Mark them in raw.info['bads'], or the time as bad in "
            "raw.annotations."
        )
    log_power = np.log10(power).astype(np.float32)
    lagged = log_power[where.reshape(-1, n_lags)]
    return np.ascontiguousarray(lagged.transpose(0, 2, 3, 1)), valid


def spectrogram_windows(
    raw,
    onsets,
    t_r,
    *,
    n_freqs=134,
    n_windows=10,
    picks=None,
    reject_by_annotation=True,
):
    """Compute amplitude spectra of windows of one repetition time before each volume.

    As Calhas and Henriques do: rectangular windows without overlap, the magnitude of
    their discrete Fourier transform without any scaling, and no mean.

    Parameters
    ----------
    raw, picks, reject_by_annotation
        As in :func:`band_power_windows`.
    onsets : array_like, shape (n_volumes,)
        Beginnings of the volumes, in s from the first sample.
    t_r : float
        Length of a window in s.
    n_freqs : int
        Number of frequencies, from ``1 / t_r`` on in steps of it.
    n_windows : int
        Number of windows; the last ends where the volume begins.

    Returns
    -------
    X : ndarray of float32, shape (n_valid, n_channels, n_freqs, n_windows)
        Amplitudes in V, the oldest window first.
    valid : ndarray of bool, shape (n_volumes,)
        Which volumes have all their windows: the rows of ``X``.

    Raises
    ------
    ValueError
        If no volume has all windows, or there are not so many frequencies.
    """
    names = eeg_channels(raw, picks)
    sfreq = raw.info["sfreq"]
    onsets = check_array("onsets", onsets, shape=(None,))
    length = to_samples(t_r, sfreq)
    if not 1 <= n_freqs <= length // 2:
        raise ValueError(
            f"n_freqs is {n_freqs}, but a window of {t_r:g} s at {sfreq:g} Hz has "
            f"{length // 2} frequencies. Use EEGWindows('spectrogram', "
            f"n_freqs={length // 2})."
        )
    starts = to_samples(onsets[:, None] - t_r * np.arange(n_windows, 0, -1), sfreq)
    valid = find_valid(raw, starts, length, reject_by_annotation, "spectrograms")
    unique, where = np.unique(starts[valid], return_inverse=True)
    spectra = np.empty((len(unique), len(names), n_freqs), dtype=np.float32)
    for rows, windows in read_windows(raw, names, unique, length):
        # At multiples of 1 / t_r, also where that is no whole number of samples.
        spectra[rows] = np.abs(transform(windows, sfreq, t_r, 1, n_freqs))
    windows = spectra[where.reshape(-1, n_windows)]
    return np.ascontiguousarray(windows.transpose(0, 2, 3, 1)), valid


def raw_windows(
    raw,
    onsets,
    *,
    duration=30.0,
    sfreq=None,
    picks=None,
    reject_by_annotation=True,
    standardize=False,
):
    """Cut the EEG before each volume out.

    Parameters
    ----------
    raw, picks, reject_by_annotation
        As in :func:`band_power_windows`.
    onsets : array_like, shape (n_volumes,)
        Beginnings of the volumes, in s from the first sample.
    duration : float
        Length of a window in s.
    sfreq : float | None
        Sampling rate in Hz to which the recording is resampled before.
    standardize : bool
        Give each channel zero mean and unit standard deviation over the samples from
        the first window to the last that are not annotated as bad.

    Returns
    -------
    X : ndarray of float32, shape (n_valid, n_channels, n_samples)
        Signals in V, or without unit if standardised, the oldest sample first. Where
        volumes are a whole number of samples apart, this is a read-only view: windows
        share their samples, instead of taking ``duration / t_r`` times the memory of
        the recording.
    valid : ndarray of bool, shape (n_volumes,)
        Which volumes have a full window: the rows of ``X``.

    Raises
    ------
    ValueError
        If no volume has a full window.
    """
    names = eeg_channels(raw, picks)
    onsets = check_array("onsets", onsets, shape=(None,))
    if sfreq is not None and sfreq != raw.info["sfreq"]:
        raw = resample(raw, names, sfreq)
    rate = raw.info["sfreq"]
    length = to_samples(duration, rate)
    starts = to_samples(onsets - duration, rate)
    valid = find_valid(raw, starts[:, None], length, reject_by_annotation, "signals")
    starts = starts[valid]
    data = raw.get_data(names, int(starts[0]), int(starts[-1] + length))
    check_finite(data, names, starts[0] / rate, rate)
    if standardize:
        good = ~is_left_out(raw)[starts[0] : starts[-1] + length]
        data = _standardize(data, good if reject_by_annotation else slice(None), names)
    data = data.astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(data, length, axis=1)
    steps = np.unique(np.diff(starts))
    if len(steps) <= 1:
        windows = windows[:, :: steps[0] if len(steps) else 1]
    else:
        windows = windows[:, starts - starts[0]]
    return windows.transpose(1, 0, 2), valid


def _standardize(data, good, names):
    """Give channels zero mean and unit standard deviation over good samples."""
    mean = data[:, good].mean(axis=1, keepdims=True)
    sd = data[:, good].std(axis=1, keepdims=True)
    flat = [name for name, value in zip(names, sd[:, 0], strict=True) if value == 0]
    if flat:
        raise ValueError(
            f"Channels {listing(flat)} are flat. Mark them in raw.info['bads']."
        )
    return (data - mean) / sd
