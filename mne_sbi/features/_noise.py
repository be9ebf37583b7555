"""Observation noise of spectra: sampling, misfit of the model, and nuisance scales."""

import dataclasses
from functools import lru_cache

import numpy as np

from .._checks import check_array

# dB per natural logarithm of power.
_DB = 10 / np.log(10)


@dataclasses.dataclass(frozen=True)
class SpectralNoise:
    """What separates a measured spectrum from the model's, in distribution.

    Parameters
    ----------
    duration : float | None
        Length of the recording in s, for the sampling noise of a power spectrum
        averaged over half-overlapping Hann windows, whose length is a setting of the
        features; ``None`` for no sampling noise.
    slope : float
        Median factor between the model's decibels and the measured ones; spectra of
        the brain are flatter than those of models.
    slope_sd : float
        Standard deviation of the logarithm of that factor, drawn for every region.
    gain_sd : float
        Standard deviation of a gain per region in dB.
    tilt_sd : float
        Standard deviation of a slope over the logarithm of frequency, per region, in
        dB per decade.
    misfit_common, misfit_regional : float
        Standard deviations of what the model gets wrong in all regions alike, and in
        each by itself, relative to the standard deviation of the region's spectrum
        over frequency. Both are smooth over frequency.
    smoothness : float
        Correlation length of the misfit in Hz.
    sensor_snr : tuple of (float, float) | None
        At sensor level: lowest and highest ratio in dB of the mean power over channels
        and frequencies to the power of white noise, drawn anew for every recording and
        type of channels; ``None`` for no such noise. Recordings of regions have none.

    Notes
    -----
    The covariance of the misfit is a parametric one on purpose: a network that was
    trained with a few residuals of real fits as its noise learns these by heart, and
    fails on everybody else.

    The defaults were measured by ``benchmarks/sgm_noise.py`` on refined fits of the
    spectral graph model (variant ``resolvent``) to resting MEG of 12 people (68
    regions, 2-45 Hz): median and spread of the regression slope, spread of the gain
    over regions, and standard deviations of the standardised residuals' mean over
    regions and of what is left, whose correlation at 1.1 and 2.2 Hz is 0.81 and 0.45.
    A tilt is part of these residuals.

    The range of ``sensor_snr`` is wide on purpose: magnetometers have some
    3 fT/sqrt(Hz) of white noise [1]_, against ten to thirty times as much from the
    brain at 10 Hz, and muscles may add to it.

    References
    ----------
    .. [1] Hämäläinen et al. (1993). Magnetoencephalography: theory, instrumentation,
       and applications. Reviews of Modern Physics 65, 413-497.
    """

    duration: float | None = 60.0
    slope: float = 0.29
    slope_sd: float = 0.3
    gain_sd: float = 4.2
    tilt_sd: float = 0.0
    misfit_common: float = 0.18
    misfit_regional: float = 0.41
    smoothness: float = 2.1
    sensor_snr: tuple | None = (15.0, 40.0)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "sensor_snr":
                self._check_snr()
                continue
            if value is None and field.name == "duration":
                continue
            value = check_array(field.name, value, shape=())
            strict = field.name in ("duration", "slope")
            if value < 0 or (strict and value == 0):
                wanted = "positive" if strict else "0 or positive"
                raise ValueError(f"{field.name} must be {wanted}, got {value:g}.")

    def _check_snr(self):
        if self.sensor_snr is None:
            return
        snr = check_array("sensor_snr", self.sensor_snr, shape=(2,))
        if snr[0] > snr[1]:
            raise ValueError(
                "sensor_snr must be the lowest and the highest ratio in dB, got "
                f"{self.sensor_snr!r}."
            )
        # Plain numbers in a tuple, so that settings compare and can be saved.
        object.__setattr__(self, "sensor_snr", tuple(snr.tolist()))

    def n_averages(self, window):
        """Return the number of independent windows that the spectrum averages.

        Parameters
        ----------
        window : float
            Length of the half-overlapping Hann windows in s.

        Returns
        -------
        n_averages : float | None
            The number; ``None`` without sampling noise.
        """
        if self.duration is None:
            return None
        n_windows = max(2 * self.duration / window - 1, 1)
        # Half-overlapping Hann windows have power estimates with correlation 1/36.
        return n_windows / (1 + 2 / 36 * (1 - 1 / n_windows))

    def add(self, spectra, freqs, rng, *, window, sampled=False):
        """Draw noisy spectra.

        Parameters
        ----------
        spectra : ndarray, shape (n_obs, n_nodes, n_freqs)
            The model's spectra in dB.
        freqs : ndarray, shape (n_freqs,)
            Frequencies in Hz.
        rng : numpy.random.Generator
            Source of randomness.
        window : float
            Length in s of the windows over which the spectra are averaged.
        sampled : bool
            Leave the sampling noise out, because the spectra have it already.

        Returns
        -------
        noisy : ndarray of float32, shape (n_obs, n_nodes, n_freqs)
            Noisy spectra in dB.
        """
        noisy = self.add_misfit(spectra, freqs, rng)
        return noisy if sampled else self.add_sampling(noisy, rng, window=window)

    def add_misfit(self, spectra, freqs, rng, *, root=None):
        """Draw what the model gets wrong, and nuisance gains and slopes.

        Parameters
        ----------
        spectra : ndarray, shape (n_obs, n_nodes, n_freqs)
            The model's spectra in dB.
        freqs : ndarray, shape (n_freqs,)
            Frequencies in Hz.
        rng : numpy.random.Generator
            Source of randomness.
        root : ndarray, shape (n_nodes, n_nodes) | None
            Square root of the correlation of slopes, gains and misfit over rows;
            ``None`` for independent rows.

        Returns
        -------
        noisy : ndarray of float32, shape (n_obs, n_nodes, n_freqs)
            Spectra in dB, without sampling noise.
        """
        n_obs, n_nodes, n_freqs = spectra.shape
        if len(freqs) != n_freqs:
            raise ValueError(
                f"The spectra have {n_freqs} frequencies, and the features {len(freqs)}"
                f" from {freqs[0]:g} to {freqs[-1]:g} Hz. Give the features those of "
                "the spectra: LogPSD(freqs=...)."
            )

        def normal(*shape):
            drawn = rng.standard_normal(shape, dtype=np.float32)
            # What is common to all rows, shape[1] = 1, is not mixed.
            return drawn if root is None or shape[1] == 1 else root @ drawn

        slope = self.slope * np.exp(self.slope_sd * normal(n_obs, n_nodes, 1))
        noisy = spectra * slope.astype(np.float32)
        if self.misfit_common or self.misfit_regional:
            size = noisy.std(axis=2, keepdims=True)
            smooth = _misfit_root(tuple(freqs), self.smoothness)
            misfit = np.float32(self.misfit_regional) * normal(*spectra.shape)
            misfit += np.float32(self.misfit_common) * normal(n_obs, 1, n_freqs)
            noisy += size * (misfit @ smooth)
        noisy += np.float32(self.gain_sd) * normal(n_obs, n_nodes, 1)
        if self.tilt_sd:
            octaves = np.log10(freqs / np.sqrt(freqs[0] * freqs[-1]))
            tilt = np.float32(self.tilt_sd) * normal(n_obs, n_nodes, 1)
            noisy += tilt * octaves.astype(np.float32)
        return noisy

    def add_sampling(self, spectra, rng, *, window, root=None):
        """Draw the sampling noise of a power spectrum of finite length.

        Parameters
        ----------
        spectra : ndarray of float32, shape (n_obs, n_rows, n_freqs)
            Spectra in dB, which are changed in place.
        rng : numpy.random.Generator
            Source of randomness.
        window : float
            Length in s of the windows over which the spectra are averaged.
        root : ndarray, shape (n_rows, n_rows) | None
            Square root of the correlation of the noise over rows; ``None`` for
            independent rows.

        Returns
        -------
        noisy : ndarray of float32, shape (n_obs, n_rows, n_freqs)
            Noisy spectra in dB.
        """
        if self.duration is None:
            return spectra
        normal = rng.standard_normal(spectra.shape, dtype=np.float32)
        if root is not None:
            normal = root @ normal
        spectra += _log_gamma(normal, self.n_averages(window))
        return spectra

    def add_floor(self, spectra, rng, *, scale, groups):
        """Draw the white noise of sensors.

        Parameters
        ----------
        spectra : ndarray of float32, shape (n_obs, n_channels, n_freqs)
            Spectra in dB.
        rng : numpy.random.Generator
            Source of randomness.
        scale : ndarray, shape (n_channels,)
            Power of each channel relative to others of its type, by which the spectra
            have to be multiplied to compare them.
        groups : list of ndarray of int
            The channels of each type: noise of the same power, whatever the signal.

        Returns
        -------
        noisy : ndarray of float32, shape (n_obs, n_channels, n_freqs)
            Spectra in dB.
        """
        if self.sensor_snr is None:
            return spectra
        level = spectra.max(axis=(1, 2), keepdims=True)
        power = 10 ** ((spectra - level) / 10) * scale[:, np.newaxis]
        for rows in groups:
            # One ratio for a recording: its channels were recorded by one device.
            snr = rng.uniform(*self.sensor_snr, (len(spectra), 1, 1))
            mean = power[:, rows].mean(axis=(1, 2), keepdims=True)
            power[:, rows] += mean * (10 ** (-snr / 10)).astype(np.float32)
        return 10 * np.log10(power / scale[:, np.newaxis]) + level


@lru_cache(maxsize=32)
def _misfit_root(freqs, smoothness):
    """Square root of the misfit's correlation over frequency, float32.

    It is needed for every batch of a training, and always the same.
    """
    freqs = np.array(freqs)
    lag = np.abs(freqs[:, np.newaxis] - freqs) / max(smoothness, 1e-9)
    # Matern 3/2: smooth, and well conditioned where the squared exponential is not.
    correlation = (1 + np.sqrt(3) * lag) * np.exp(-np.sqrt(3) * lag)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0))
    return np.ascontiguousarray(root @ vectors.T, dtype=np.float32)


def _log_gamma(normal, n_averages):
    """Turn normal numbers into dB of averages of ``n_averages`` periodograms.

    The cube root of a gamma variable is almost normal (Wilson and Hilferty 1931): from
    five averages on, the 5 % quantile is right to 0.01 dB, at a tenth of the cost of a
    gamma variable.
    """
    root = normal
    root *= np.float32(1 / (3 * np.sqrt(n_averages)))
    root += np.float32(1 - 1 / (9 * n_averages))
    np.maximum(root, 1e-3, out=root)
    np.log(root, out=root)
    root *= np.float32(3 * _DB)
    return root
