"""Time series as they are, for networks that find their own features."""

from fractions import Fraction

import numpy as np

from .._checks import check_array, check_option
from ._base import FeatureExtractor

_SCALINGS = ("zscore", "none")
_TRANSFORMS = ("none", "log")
# Deflections of an evoked response, and the amplitude of a source's rhythm, in V.
_TYPICAL = 1e-3
# Ratios of sampling rates beyond this would need filters of unreasonable length.
_MOST_STEPS = 1000


class TimeSeries(FeatureExtractor):
    """Time series themselves.

    All recordings must be as long as the simulations, without segments left out; how a
    signal is aligned matters to a network unless it sees many of them.

    Parameters
    ----------
    scaling : "zscore" | "none"
        Divide by the standard deviation of all rows of an observation together, so that
        an unknown gain does not matter, or by nothing, so that the unit of recordings
        must be that of the simulations.
    transform : "none" | "log"
        ``"log"`` compresses large values: sign(x) log(1 + abs(x / typical)).
    baseline : "mean" | tuple of (float, float) | None
        What is subtracted from each row: its mean; its mean between two times in s,
        counted from the first sample; or nothing.
    sfreq : float | None
        Sampling rate in Hz to which recordings and simulations of a higher one are
        brought; ``None`` leaves the rate as it is.
    n_times : int | None
        Number of samples that are expected at this rate; ``None`` for any that all
        have. One sample more is cut off: epochs in MNE-Python hold both ends.
    typical : float | None
        Where the logarithm bends: by default at 1 (standard deviation) with
        ``scaling="zscore"``, and at 1 mV (0.001) otherwise.

    See Also
    --------
    LogPSD : Power spectra, in which parameters are found with far fewer simulations.
    """

    def __init__(
        self,
        *,
        scaling="zscore",
        transform="none",
        baseline="mean",
        sfreq=None,
        n_times=None,
        typical=None,
    ):
        self.scaling = scaling
        self.transform = transform
        self.baseline = baseline
        self.sfreq = sfreq
        self.n_times = n_times
        self.typical = typical

    @property
    def n_points(self):
        """Number of points of a row, or None as long as it is not known."""
        return self.n_times

    def extract(self, data, sfreq):
        """Check time series, and bring them to the sampling rate.

        Parameters
        ----------
        data : array, shape (n_obs, n_nodes, n_times)
            Time series.
        sfreq : float
            Sampling rate in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_times)
            The series, without their baseline.

        Raises
        ------
        ValueError
            If segments are left out, or length or sampling rate are others than
            expected.
        """
        self._check_settings()
        data = check_array(
            "data", data, shape=(None, None, None), dtype=None, finite=False
        )
        if np.isnan(data).all(axis=1).any():
            raise ValueError(
                "Segments of the recording are left out, and what is left is no time "
                "series of one length. Give epochs, for example mne."
                "make_fixed_length_epochs(raw, duration, reject_by_annotation=True), "
                "or use LogPSD."
            )
        check_array("data", data, dtype=None)
        data = self._resample(data, sfreq)
        data = self._cut(data, self.sfreq or sfreq)
        if self.baseline is not None:
            part = data[..., self._baseline_samples(self.sfreq or sfreq, data.shape[2])]
            # Before the series become float32, because an offset can be large.
            data = data - part.mean(axis=2, keepdims=True, dtype=float)
        return np.array(data, dtype=np.float32)

    def extract_spectrum(self, psd, freqs):
        """Refuse power spectra, which are no time series.

        Parameters
        ----------
        psd : array, shape (n_obs, n_nodes, n_freqs)
            Power.
        freqs : array, shape (n_freqs,)
            Frequencies in Hz.

        Raises
        ------
        ValueError
            In any case.
        """
        raise ValueError(
            "TimeSeries cannot be made of power spectra. Give the time series, or use "
            "features=LogPSD(); models of spectra have no time series."
        )

    def describe_summaries(self):
        """Describe what decides the summaries, by which banks are told apart.

        Returns
        -------
        settings : dict of (str | float | list | None)
            Class, sampling rate, and baseline.
        """
        baseline = self.baseline
        if baseline is not None and baseline != "mean":
            baseline = [float(t) for t in baseline]
        sfreq = None if self.sfreq is None else float(self.sfreq)
        return super().describe_summaries() | {"sfreq": sfreq, "baseline": baseline}

    def add_noise(self, summaries, rng, *, sampled=False):
        """Return the series: noise is part of simulations, see :class:`Recorded`.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_times)
            Time series.
        rng : numpy.random.Generator
            Not used.
        sampled : bool
            Not used.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_times)
            The same.
        """
        return summaries

    def normalize(self, summaries):
        """Scale and transform the series.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_times)
            Time series.

        Returns
        -------
        features : ndarray of float32, shape (n_obs, n_nodes, n_times)
            The features.

        Raises
        ------
        ValueError
            If series are flat and are to be divided by their standard deviation.
        """
        self._check_settings()
        features = np.array(summaries, dtype=np.float32)
        typical = self.typical
        if self.scaling == "zscore":
            features /= _standard_deviation(features)
        elif typical is None:
            typical = _TYPICAL
        if self.transform == "none":
            return features
        if typical is not None:
            features /= np.float32(typical)
        size = np.abs(features)
        np.log1p(size, out=size)
        return np.copysign(size, features, out=size)

    def get_feature_names_out(self, node_names):
        """Name the features ``node@time``.

        Parameters
        ----------
        node_names : sequence of str
            Names of the nodes.

        Returns
        -------
        names : ndarray of str, shape (n_nodes * n_times,)
            Names in the order of the flattened features, with the time in s from the
            first sample, or the number of the sample if no sampling rate was given.

        Raises
        ------
        ValueError
            If the number of samples is not known yet.
        """
        if self.n_times is None:
            raise ValueError(
                "The number of samples is known once n_times is given; a fitted "
                "inverter has it in features_."
            )
        index = range(self.n_times)
        labels = [f"{i}" for i in index]
        if self.sfreq is not None:
            labels = [f"{i / self.sfreq:.6g}s" for i in index]
        names = [f"{node}@{label}" for node in node_names for label in labels]
        return np.array(names, dtype=object)

    def _check_settings(self):
        check_option("scaling", self.scaling, _SCALINGS)
        check_option("transform", self.transform, _TRANSFORMS)
        for name in ("sfreq", "typical"):
            if getattr(self, name) is not None:
                check_array(name, getattr(self, name), shape=(), positive=True)
        n = self.n_times
        if n is not None and (not isinstance(n, (int, np.integer)) or n < 2):
            raise ValueError(
                f"n_times must be None, or a number of samples of 2 or more, got {n!r}."
            )
        if isinstance(self.baseline, str):
            check_option("baseline", self.baseline, ("mean",))
        elif self.baseline is not None:
            start, stop = check_array("baseline", self.baseline, shape=(2,))
            if not 0 <= start < stop:
                raise ValueError(
                    "baseline must be a start and a stop in s, counted from the first "
                    f"sample, got {self.baseline!r}. Of epochs from -0.2 s, the time "
                    "before zero is (0, 0.2)."
                )

    def _resample(self, data, sfreq):
        """Bring series to the sampling rate."""
        from scipy.signal import resample_poly

        if self.sfreq is None or np.isclose(sfreq, self.sfreq, rtol=1e-6):
            return data
        ratio = Fraction(self.sfreq / sfreq).limit_denominator(_MOST_STEPS)
        if ratio >= 1 or not np.isclose(float(ratio) * sfreq, self.sfreq, rtol=1e-6):
            raise ValueError(
                f"TimeSeries(sfreq={self.sfreq:g}) cannot be made of time series with "
                f"{sfreq:g} Hz: the rate must be lower, and a simple fraction. Use "
                "sfreq=None, or resample the recordings and give the model that rate."
            )
        # Series do not begin and end at zero.
        return resample_poly(
            data, ratio.numerator, ratio.denominator, axis=-1, padtype="line"
        )

    def _cut(self, data, sfreq):
        """Check the length, and cut what may be too much."""
        n, wanted = data.shape[-1], self.n_times
        if wanted is None or n == wanted:
            return data
        if n == wanted + 1:
            return data[..., :wanted]
        raise ValueError(
            f"The time series have {n} samples ({n / sfreq:g} s at {sfreq:g} Hz), and "
            f"{wanted} ({wanted / sfreq:g} s) are expected. Cut them with .crop(), or "
            "give epochs of this length, for example mne.make_fixed_length_epochs("
            f"raw, {wanted / sfreq:g}). LogPSD takes any length."
        )

    def _baseline_samples(self, sfreq, n_times):
        if self.baseline == "mean":
            return slice(None)
        start, stop = (round(float(t) * sfreq) for t in self.baseline)
        if stop > n_times or start == stop:
            raise ValueError(
                f"The baseline from {self.baseline[0]:g} to {self.baseline[1]:g} s "
                f"holds no sample, or ends after the time series of "
                f"{n_times / sfreq:g} s at {sfreq:g} Hz."
            )
        return slice(start, stop)


def _standard_deviation(series):
    """Return standard deviations of all rows of observations, (n_obs, 1, 1)."""
    centred = series - series.mean(axis=2, keepdims=True)
    power = np.einsum("...t,...t->...", centred, centred).mean(axis=1)
    power /= series.shape[2]
    # A float32 that should be constant is so up to rounding.
    size = np.abs(series).max(axis=(1, 2))
    is_flat = ~(power > (1e-6 * size) ** 2)
    if is_flat.any():
        raise ValueError(
            f"{int(is_flat.sum())} of {len(series)} time series are flat, or not "
            "finite, and cannot be divided by their standard deviation. Leave them "
            "out."
        )
    return np.sqrt(power)[:, np.newaxis, np.newaxis]
