"""Spectral features."""

import numpy as np

from .._checks import check_array, check_freqs, check_option
from ._base import FeatureExtractor
from ._envelopes import split_at_gaps
from ._noise import SpectralNoise
from ._welch import count_samples, estimate_power

_SCALINGS = ("zscore", "demean", "none")
# Variance over frequency in dB^2 below which a spectrum is flat but for rounding.
_FLAT = 1e-8
# Rounding of a frequency times a window, such as 0.3 Hz times 10 s.
_ROUNDING = 1e-9


class LogPSD(FeatureExtractor):
    """Power spectra in decibels, normalised region by region.

    Parameters
    ----------
    fmin, fmax : float
        Band in Hz, where no frequencies are given.
    freqs : array_like, shape (n_freqs,) | None
        Frequencies in Hz to which measured spectra are interpolated. ``None`` stands
        for those of a spectral model, or for the multiples of ``1 / window`` in the
        band, whatever the sampling rate.
    window : float
        Length of the Hann windows of Welch's method in s, rounded to whole samples;
        they overlap by half.
    scaling : "zscore" | "demean" | "none"
        What is taken out of the spectrum of a region: its mean over frequency and its
        standard deviation (so that an unknown gain and an unknown dynamic range of
        the measurement do not matter), the mean (gain), or nothing.
    noise : SpectralNoise | None
        Observation noise for simulations. ``None`` adds none, which makes posteriors
        falsely sharp on real recordings.
    """

    def __init__(
        self,
        fmin=2.0,
        fmax=45.0,
        *,
        freqs=None,
        window=2.0,
        scaling="zscore",
        noise=None,
    ):
        self.fmin = fmin
        self.fmax = fmax
        self.freqs = freqs
        self.window = window
        self.scaling = scaling
        self.noise = noise

    def extract(self, data, sfreq):
        """Estimate spectra in dB from time series.

        Parameters
        ----------
        data : array, shape (n_obs, n_nodes, n_times)
            Time series. Where all nodes are NaN, a segment is left out: no window
            reaches into it.
        sfreq : float
            Sampling rate in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_freqs)
            Spectra in dB.

        Raises
        ------
        ValueError
            If the series are too short for the window or sampled too slowly for the
            frequencies, or a channel is flat.
        """
        self._check_settings()
        # Simulations are of single precision, and remain so.
        dtype = None if getattr(data, "dtype", None) == np.float32 else float
        data = check_array(
            "data", data, shape=(None, None, None), dtype=dtype, finite=False
        )
        highest = self.fmax if self.freqs is None else self.freqs[-1]
        if highest > sfreq / 2:
            raise ValueError(
                f"Frequencies up to {highest:g} Hz need a sampling rate of at least "
                f"{2 * highest:g} Hz, got {sfreq:g} Hz. Lower fmax, or the freqs of "
                "the model."
            )
        n_window = count_samples(self.window, sfreq)
        if data.shape[-1] < n_window:
            raise ValueError(
                f"The time series last {data.shape[-1] / sfreq:g} s, less than the "
                f"window of {self.window:g} s. Give longer recordings or a shorter "
                "window to LogPSD: features=LogPSD(..., window=...)."
            )
        data, has_gaps = _leave_out_short(data, n_window, self.window)
        estimate = _estimate_between_gaps if has_gaps else estimate_power
        first, last = self._find_bins()
        psd = estimate(data, sfreq, self.window, first, last)
        return self.extract_spectrum(psd, np.arange(first, last + 1) / self.window)

    def extract_spectrum(self, psd, freqs):
        """Turn power into decibels, at the extractor's frequencies.

        Parameters
        ----------
        psd : array, shape (n_obs, n_nodes, n_freqs)
            Power, in any unit.
        freqs : array, shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            Spectra in dB, interpolated linearly if the frequencies are others.

        Raises
        ------
        ValueError
            If a power is not positive, or the frequencies do not cover what is needed.
        """
        self._check_settings()
        freqs = check_array("freqs", freqs, shape=("n_freqs",))
        psd = check_array("psd", psd, shape=(None, None, len(freqs)), dtype=None)
        if not (psd > 0).all():
            n_bad = int((~(psd > 0)).sum())
            raise ValueError(
                f"Power must be positive, but {n_bad} of {psd.size} values are zero, "
                "negative or NaN. Flat channels give zeros; spectra that are in dB "
                "already go in with unit='dB'."
            )
        decibels = 10 * np.log10(psd).astype(np.float32)
        if self.freqs is None or np.array_equal(freqs, self.freqs):
            return decibels
        return decibels @ _interpolation(freqs, np.asarray(self.freqs, dtype=float))

    def describe_summaries(self):
        """Describe what decides the summaries, by which banks are told apart.

        Returns
        -------
        settings : dict of (str | float | list | None)
            The frequencies, or the band where there are none, and the window; neither
            scaling nor noise, which are no part of the summaries.
        """
        settings = super().describe_summaries() | {"window": float(self.window)}
        if self.freqs is not None:
            return settings | {"freqs": np.asarray(self.freqs, dtype=float).tolist()}
        return settings | {"fmin": float(self.fmin), "fmax": float(self.fmax)}

    @property
    def n_points(self):
        """Number of frequencies."""
        return len(self.get_freqs())

    @property
    def bands(self):
        """The band in Hz that is compared, tuple of one pair (lowest, highest)."""
        freqs = self.get_freqs()
        return ((float(freqs[0]), float(freqs[-1])),)

    def get_freqs(self):
        """Return the frequencies of the summaries in Hz, ndarray of shape (n_freqs,).

        They are the same for all sampling rates.
        """
        self._check_settings()
        if self.freqs is not None:
            return np.asarray(self.freqs, dtype=float)
        first, last = self._find_bins()
        return np.arange(first, last + 1) / self.window

    def _find_bins(self):
        """First and last frequency that is estimated, in units of 1 / window."""
        self._check_settings()
        if self.freqs is not None:
            # All round the frequencies, to interpolate; never the one of the mean.
            first = max(1, int(np.floor(self.freqs[0] * self.window + _ROUNDING)))
            return first, int(np.ceil(self.freqs[-1] * self.window - _ROUNDING))
        first = max(1, int(np.ceil(self.fmin * self.window - _ROUNDING)))
        last = int(np.floor(self.fmax * self.window + _ROUNDING))
        if first > last:
            raise ValueError(
                f"LogPSD has a frequency every {1 / self.window:g} Hz with its window "
                f"of {self.window:g} s, and none from fmin={self.fmin:g} to "
                f"fmax={self.fmax:g} Hz. Give a wider band or a longer window."
            )
        return first, last

    def _check_settings(self):
        check_option("scaling", self.scaling, _SCALINGS)
        check_array("window", self.window, shape=(), positive=True)
        if self.freqs is not None:
            check_freqs(self.freqs)
        else:
            # At 0 Hz is the mean, which is taken out of each window.
            check_array("fmin", self.fmin, shape=(), positive=True)
            check_array("fmax", self.fmax, shape=(), positive=True)
        if self.freqs is None and not self.fmin < self.fmax:
            raise ValueError(
                f"LogPSD needs fmin < fmax, got fmin={self.fmin:g} and "
                f"fmax={self.fmax:g} Hz."
            )
        if self.noise is not None and not isinstance(self.noise, SpectralNoise):
            raise TypeError(
                "noise must be a SpectralNoise, or None, got "
                f"{type(self.noise).__name__}. Write SpectralNoise(duration=60.0)."
            )

    def add_noise(self, summaries, rng, *, sampled=False):
        """Add the observation noise; see :class:`SpectralNoise`.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_freqs)
            Spectra in dB.
        rng : numpy.random.Generator
            Source of randomness.
        sampled : bool
            Whether the spectra have sampling noise already.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_freqs)
            Noisy spectra in dB.
        """
        if self.noise is None:
            return summaries
        return self.noise.add(
            summaries, self.get_freqs(), rng, window=self.window, sampled=sampled
        )

    def normalize(self, summaries, xp=np):
        """Scale each region's spectrum.

        Parameters
        ----------
        summaries : array, shape (n_obs, n_nodes, n_freqs)
            Spectra in dB.
        xp : module
            ``numpy``, or ``jax.numpy`` inside a traced function, which checks nothing.

        Returns
        -------
        features : array of float32, shape (n_obs, n_nodes, n_freqs)
            The features.

        Raises
        ------
        ValueError
            If a spectrum is flat and is to be divided by its standard deviation.
        """
        check_option("scaling", self.scaling, _SCALINGS)
        features = xp.asarray(summaries, dtype=xp.float32)
        if self.scaling == "none":
            return features
        if features.shape[2] == 1:
            raise ValueError(
                f"A single frequency has no shape, and scaling={self.scaling!r} takes "
                "the level out of spectra: nothing is left. Give several frequencies, "
                "or features=LogPSD(scaling='none')."
            )
        features = features - features.mean(axis=2, keepdims=True)
        if self.scaling == "demean":
            return features
        power = xp.einsum("...f,...f->...", features, features) / features.shape[2]
        if xp is np and not (power > _FLAT).all():
            raise ValueError(
                f"{int((power <= _FLAT).sum())} spectra have the same power at all "
                "frequencies and cannot be normalised. Drop these regions."
            )
        # Multiplied in place where that is possible: the array can be large.
        scale = 1 / xp.sqrt(power)[..., xp.newaxis]
        return (
            np.multiply(features, scale, out=features)
            if xp is np
            else (features * scale)
        )

    def get_feature_names_out(self, node_names):
        """Name the features ``node@frequency``.

        Parameters
        ----------
        node_names : sequence of str
            Names of the nodes.

        Returns
        -------
        names : ndarray of str, shape (n_nodes * n_freqs,)
            Names in the order of the flattened features.

        Raises
        ------
        ValueError
            If the extractor has no frequencies yet.
        """
        if self.freqs is None:
            raise ValueError(
                "The frequencies are known once freqs are given; a fitted inverter has "
                "them in features_."
            )
        names = [f"{node}@{f:.4g}Hz" for node in node_names for f in self.freqs]
        return np.array(names, dtype=object)


def _leave_out_short(data, n_window, window):
    """Put NaN where time series between gaps are shorter than a window.

    A spectrum of them would have another resolution than the others.

    Returns
    -------
    data : ndarray, shape (n_obs, n_nodes, n_times)
        The input, or a changed copy.
    has_gaps : bool
        Whether there are gaps.
    """
    is_gap = np.isnan(data).all(axis=1)
    if not is_gap.any():
        return check_array("data", data, dtype=None), False
    check_array("data", np.where(is_gap[:, np.newaxis], 0, data))
    data = data.copy()
    for series, gap in zip(data, is_gap, strict=True):
        edges = np.flatnonzero(np.diff(np.r_[True, gap, True].astype(int)))
        lengths = edges[1::2] - edges[::2]
        if lengths.max(initial=0) < n_window:
            raise ValueError(
                "No piece of the time series, between segments that are left out or "
                f"from start to end of an epoch, is as long as the window of {window:g}"
                " s. Annotate less as bad, give longer epochs, or a shorter window to "
                "LogPSD: features=LogPSD(..., window=...)."
            )
        for start, stop in edges.reshape(-1, 2)[lengths < n_window]:
            series[:, start:stop] = np.nan
    return data, True


def _estimate_between_gaps(data, sfreq, window, first, last):
    """Estimate power spectra from windows between gaps; see `estimate_power`."""
    n_window = count_samples(window, sfreq)
    overlap = n_window // 2
    psd = []
    for series in data:
        pieces = split_at_gaps(series)
        made = [
            estimate_power(series[np.newaxis, :, i:j], sfreq, window, first, last)[0]
            for i, j in pieces
        ]
        # By the samples that windows reach, as MNE-Python weights pieces.
        lengths = np.diff(pieces, axis=1)[:, 0]
        used = lengths - (lengths - overlap) % (n_window - overlap)
        psd.append(np.average(made, axis=0, weights=used))
    return np.array(psd)


def _interpolation(source, target):
    """Matrix of linear interpolation, shape (n_source, n_target), float32."""
    tolerance = 1e-6 * source[-1]
    if target[0] < source[0] - tolerance or target[-1] > source[-1] + tolerance:
        raise ValueError(
            f"Spectra from {source[0]:g} to {source[-1]:g} Hz do not cover the "
            f"frequencies {target[0]:g} to {target[-1]:g} Hz that the model needs. "
            "Give the model other freqs."
        )
    columns = [np.interp(target, source, row) for row in np.eye(len(source))]
    return np.array(columns, dtype=np.float32)
