"""Cortical activity of synthetic people, and the EEG that it makes."""

import numpy as np
from scipy import fft

from ._bands import BANDS

# Frequencies of the slow changes of power: the range of resting-state networks.
_SLOW = (0.008, 0.15)  # Hz
# Steps of the slow time axis.
SLOW_STEP = 0.1  # s
# Standard deviation of the logarithm of amplitude, 3.5 dB of power: alpha at rest waxes
# and wanes by some dB (Goldman et al., NeuroReport 13:2487-2492, 2002).
_LOG_SPREAD = 0.4
# Part of the variance of log power that networks make; the rest is a region's own.
# Amplitude envelopes of regions of one network correlate by up to 0.5 (Hipp et al.,
# Nat Neurosci 15:884-890, 2012).
_NETWORK_SHARE = 0.5
# Width of the alpha peak, as the standard deviation of a Gaussian (Donoghue et al., Nat
# Neurosci 23:1655-1665, 2020).
_ALPHA_WIDTH = 1.0  # Hz
# Part of the power of a band at the scalp, mean over electrodes, that these regions
# make; the rest is the background. Peaks above the 1/f background at rest are 0.6 to
# 0.8 in log10 of power for alpha, about 0.3 for beta, 0.2 or less below (Donoghue et
# al., 2020). Above 30 Hz, muscles make 10 to 100 times what the brain does (Whitham et
# al., Clin Neurophysiol 118:1877-1888, 2007).
_SCALP_SHARE = {"delta": 0.35, "theta": 0.35, "alpha": 0.8, "beta": 0.5, "gamma": 0.05}
# The background: amplitude in a range of frequencies, distance over which electrodes
# share it, and the high-pass of the amplifier.
_BACKGROUND = 10e-6  # V
_RANGE = (1.0, 45.0)  # Hz
_BACKGROUND_REACH = 0.05  # m
_HIGH_PASS = 0.5  # Hz
# Part of the background's power that each electrode has for itself.
_SENSOR_SHARE = 0.1
# Increase of the background while the head moves by the person's mean speed.
_MOVED = 0.1


def draw_log_power(loadings, duration, rng):
    """Draw the log power of each region and band.

    Parameters
    ----------
    loadings : ndarray, shape (n_regions, n_networks)
        Each row has a norm of one.
    duration : float
        In s.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    log_power : dict of str to ndarray, shape (n_regions, n_steps)
        Zero mean and unit variance, in steps of ``SLOW_STEP``.

    Notes
    -----
    A network is one course of time for the rhythms below gamma, whose powers rise and
    fall together (de Munck et al., NeuroImage 47:69-76, 2009); gamma has its own.
    """
    n_regions, n_networks = loadings.shape
    n_steps = int(np.ceil(duration / SLOW_STEP)) + 1
    network, own = np.sqrt(_NETWORK_SHARE), np.sqrt(1 - _NETWORK_SHARE)

    def is_slow(freqs):
        return (freqs >= _SLOW[0]) & (freqs <= _SLOW[1])

    slow = draw_noise(2 * n_networks, n_steps, 1 / SLOW_STEP, is_slow, rng)
    rhythms, gamma = slow[:n_networks], slow[n_networks:]
    log_power = {}
    for band in BANDS:
        networks = gamma if band == "gamma" else rhythms
        private = draw_noise(n_regions, n_steps, 1 / SLOW_STEP, is_slow, rng)
        log_power[band] = network * loadings @ networks + own * private
    return log_power


def draw_noise(n_signals, n_times, sfreq, shape, rng):
    """Draw Gaussian noise (n_signals, n_times) with a given spectrum.

    ``shape`` is a function of frequencies (Hz) that returns relative amplitudes; the
    noise has an expected variance of one.
    """
    # A length with a fast transform, and longer: the end is no neighbour of the start.
    n_fft = fft.next_fast_len(int(1.05 * n_times) + 1, real=True)
    amplitudes = np.asarray(shape(fft.rfftfreq(n_fft, 1 / sfreq)), dtype=np.float32)
    amplitudes[0] = 0.0
    used = np.flatnonzero(amplitudes)
    spectrum = np.zeros((n_signals, len(amplitudes)), dtype=np.complex64)
    parts = rng.standard_normal((2, n_signals, len(used)), dtype=np.float32)
    spectrum[:, used] = (parts[0] + 1j * parts[1]) * amplitudes[used]
    # A bin between zero and the Nyquist frequency makes a cosine of twice its height.
    power = 2 * (2 * amplitudes.astype(float) ** 2).sum() / n_fft**2
    noise = fft.irfft(spectrum, n_fft, axis=1, overwrite_x=True)[:, :n_times]
    return noise / np.float32(np.sqrt(power))


def compute_moments(gain):
    """Compute the dipole moment, in A m, of each band that gives its scalp share.

    ``gain`` is (n_channels, n_regions), in V per A m, of the template's head: with a
    person's own, differences between heads would go.
    """
    gain = _rereference(gain)
    # Of regions whose amplitude is exp(spread * standard normal).
    seen = (gain**2).sum(axis=1).mean() * np.exp(2 * _LOG_SPREAD**2)
    moments = {}
    for band, (fmin, fmax) in BANDS.items():
        # Of noise with power 1/f.
        in_band = np.log(fmax / fmin) / np.log(_RANGE[1] / _RANGE[0])
        share = _SCALP_SHARE[band]
        moments[band] = _BACKGROUND * np.sqrt(share / (1 - share) * in_band / seen)
    return moments


def make_eeg(log_power, person, moments, electrodes, sfreq, n_times, start, speed, rng):
    """Make the EEG of one person.

    Parameters
    ----------
    log_power : dict of str to ndarray, shape (n_regions, n_steps)
        From :func:`draw_log_power`.
    person : Person
        Its gain and alpha frequency are used.
    moments : dict of str to float
        From :func:`compute_moments`.
    electrodes : ndarray, shape (n_channels, 3)
        In m.
    sfreq : float
        In Hz.
    n_times : int
        Number of samples.
    start : float
        Time of the first sample on the axis of ``log_power``, in s.
    speed : ndarray, shape (n_times,)
        How fast the head moves, relative to its mean.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    eeg : ndarray, shape (n_channels, n_times)
        In V, against the mean of the electrodes.
    """
    steps = (start + np.arange(n_times) / sfreq) / SLOW_STEP
    before = steps.astype(int)
    after_weight = (steps - before).astype(np.float32)
    sources = np.zeros((person.gain.shape[1], n_times), dtype=np.float32)
    for band, slow in log_power.items():
        log_amplitude = (_LOG_SPREAD * slow).astype(np.float32)
        shape = _carrier_shape(band, person.alpha)
        carriers = draw_noise(len(slow), n_times, sfreq, shape, rng)
        carriers *= np.float32(moments[band])
        for source, carrier, row in zip(sources, carriers, log_amplitude, strict=True):
            value = row[before]
            value += after_weight * (row[before + 1] - value)
            source += carrier * np.exp(value)
    background = _draw_background(electrodes, sfreq, n_times, rng)
    background *= (1 + _MOVED * speed).astype(np.float32)
    return _rereference(person.gain).astype(np.float32) @ sources + background


def _carrier_shape(band, alpha):
    """Return the spectrum, as a function, of the oscillation of a band."""
    fmin, fmax = BANDS[band]

    def flat(freqs):
        return (freqs >= fmin) & (freqs < fmax)

    def peak(freqs):
        # The square root of a Gaussian in power, down to where it is 1 % of the peak.
        from_peak = (freqs - alpha) / _ALPHA_WIDTH
        return np.where(np.abs(from_peak) < 3, np.exp(-0.25 * from_peak**2), 0.0)

    return peak if band == "alpha" else flat


def _draw_background(electrodes, sfreq, n_times, rng):
    """Draw noise with power 1/f that neighbours share, in V against the mean."""

    def shape(freqs):
        return np.where(
            freqs >= _HIGH_PASS, 1 / np.sqrt(np.maximum(freqs, _HIGH_PASS)), 0.0
        )

    distances = np.linalg.norm(electrodes[:, np.newaxis] - electrodes, axis=2)
    mixing = np.exp(-0.5 * (distances / _BACKGROUND_REACH) ** 2)
    mixing *= np.sqrt(1 - _SENSOR_SHARE) / np.linalg.norm(mixing, axis=1, keepdims=True)
    mixing = _rereference(mixing + np.sqrt(_SENSOR_SHARE) * np.eye(len(mixing)))
    # Power 1/f has equal parts in equal ratios of frequencies.
    in_range = np.log(_RANGE[1] / _RANGE[0]) / np.log(0.5 * sfreq / _HIGH_PASS)
    mixing *= _BACKGROUND / np.sqrt(in_range * (mixing**2).sum(axis=1).mean())
    noise = draw_noise(len(electrodes), n_times, sfreq, shape, rng)
    return mixing.astype(np.float32) @ noise


def _rereference(data):
    """Refer channels (n_channels, ...) to their mean."""
    return data - data.mean(axis=0)
