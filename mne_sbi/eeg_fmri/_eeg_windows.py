"""What the rows of X are: one object for all settings of EEG windows."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array, check_option
from ._alignment import VolumeTiming
from ._bands import BANDS
from ._eeg_samples import eeg_channels, resample
from ._standardizer import remove_slow_changes, standardize_recordings
from ._windows import band_power_windows, raw_windows, spectrogram_windows

FEATURES = ("band_power", "spectrogram", "raw")
# Seconds before a volume that its signal can depend on: the canonical response has its
# undershoot until then.
MEMORY = 30.0


@dataclass(frozen=True)
class EEGWindows:
    """How EEG before each volume is turned into features.

    Parameters
    ----------
    features : str
        ``"band_power"``: logarithm of the power of bands in windows of one repetition
        time, with lags. ``"spectrogram"``: amplitude spectra of ten windows of one
        repetition time, as Calhas and Henriques use. ``"raw"``: the 30 s before the
        volume, as Bricman and Borst use.
    bands : dict of (str, (float, float)) | None
        Of band power, in Hz. ``None`` for delta, theta, alpha, beta and gamma.
    n_lags : int | None
        Windows of band power; ``None`` for 30 s.
    n_freqs, n_windows : int
        Of spectrograms.
    duration : float
        Length of raw windows in s.
    sfreq : float | None
        Sampling rate in Hz to which the EEG is resampled, ``None`` for its own.
    picks : str | list | None
        Channels, as in MNE-Python; ``None`` takes all EEG channels. Bad channels are
        left out.
    slice_time_ref : float
        Moment within the repetition time, from 0 to 1, that a volume is of: that to
        which slices were shifted, or the mean of their times. Band power ends there,
        the others at the volume's onset, as published.
    n_skip : int
        Volumes at the beginning that are left out, from the first that has an onset
        on, and all whose windows reach before their end; Calhas and Henriques leave
        out three.
    high_pass : float | None
        Changes of band power that are slower than this are removed, in Hz, as
        :class:`BoldSignal` does with fMRI: they say nothing about it then. ``None``
        keeps them.
    standardize : bool | str
        True: each channel and frequency has zero mean and unit standard deviation over
        the recording, as :class:`RecordingStandardizer` does. ``"channels"``: over the
        channels, for each pair, frequency and window, as Calhas and Henriques do; that
        removes what all channels share. False: neither.
    reject_by_annotation : bool
        Leave volumes out of which a window touches an annotation that begins with
        "bad", or reaches across a joint of two pieces.

    Examples
    --------
    >>> from mne_sbi.eeg_fmri import EEGWindows
    >>> EEGWindows("band_power", bands={"alpha": (8, 13)}, n_lags=12).features
    'band_power'
    """

    features: str = "band_power"
    bands: dict | None = None
    n_lags: int | None = None
    n_freqs: int = 134
    n_windows: int = 10
    duration: float = MEMORY
    sfreq: float | None = None
    picks: str | list | None = None
    slice_time_ref: float = 0.5
    n_skip: int = 0
    high_pass: float | None = 1 / 128
    standardize: bool | str = True
    reject_by_annotation: bool = True

    def __post_init__(self):
        check_option("features", self.features, FEATURES)
        check_option("standardize", self.standardize, [True, False, "channels"])
        if self.standardize == "channels" and self.features != "spectrogram":
            raise ValueError("standardize='channels' is for features='spectrogram'.")
        for name in ("n_freqs", "n_windows", "n_lags"):
            value = getattr(self, name)
            if value is not None:
                check_array(name, value, shape=(), dtype=int, positive=True)
        check_array("duration", self.duration, shape=(), positive=True)
        for name in ("sfreq", "high_pass"):
            if getattr(self, name) is not None:
                check_array(name, getattr(self, name), shape=(), positive=True)
        if check_array("n_skip", self.n_skip, shape=(), dtype=int) < 0:
            raise ValueError(f"n_skip must not be negative, got {self.n_skip}.")
        if not 0 <= check_array("slice_time_ref", self.slice_time_ref, shape=()) <= 1:
            raise ValueError(
                "slice_time_ref must be between 0, the onset of a volume, and 1, its "
                f"end; got {self.slice_time_ref}."
            )

    def lags_for(self, t_r):
        """Return the number of lags of band power at a repetition time in s."""
        # A little less, so that clocks that differ by 1e-4 make no further lag.
        n_lags = int(np.ceil(MEMORY / t_r - 0.02))
        return n_lags if self.n_lags is None else int(self.n_lags)

    def axis_for(self, t_r):
        """Return the bands, or the frequencies in Hz, of the third axis of X."""
        if self.features == "band_power":
            return dict(BANDS if self.bands is None else self.bands), None
        if self.features == "spectrogram":
            return None, np.arange(1, self.n_freqs + 1) / t_r
        return None, None

    def reach(self, t_r):
        """Return how many volumes a window reaches back from the volume's onset."""
        return {
            "band_power": self.lags_for(t_r) - self.slice_time_ref,
            "spectrogram": self.n_windows,
            "raw": self.duration / t_r,
        }[self.features]

    def times_of(self, timing):
        """Return the times of volumes in s, shape (n_volumes,)."""
        return timing.onsets + self.slice_time_ref * timing.t_r

    def compute(self, raw, timing):
        """Compute the features of a recording.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            The recording.
        timing : VolumeTiming
            Of the volumes.

        Returns
        -------
        X : ndarray of float32, shape (n_valid, n_channels, ...)
            The features.
        kept : ndarray of int, shape (n_valid,)
            Number of the volume of each row.
        ch_names : list of str
            Channels.
        """
        names = eeg_channels(raw, self.picks)
        settings = {"picks": names, "reject_by_annotation": self.reject_by_annotation}
        if self.sfreq is not None and self.features != "raw":
            raw = resample(raw, names, self.sfreq)
        timing, first = self._skip(timing)
        t_r = timing.t_r
        if self.features == "band_power":
            X, valid = band_power_windows(
                raw,
                self.times_of(timing),
                t_r,
                bands=self.bands,
                n_lags=self.lags_for(t_r),
                **settings,
            )
            if self.high_pass is not None and valid.any():
                times = timing.onsets[valid]
                X = remove_slow_changes(X, times, float(self.high_pass))
        elif self.features == "spectrogram":
            X, valid = spectrogram_windows(
                raw,
                timing.onsets,
                t_r,
                n_freqs=self.n_freqs,
                n_windows=self.n_windows,
                **settings,
            )
        else:
            X, valid = raw_windows(
                raw,
                timing.onsets,
                duration=self.duration,
                sfreq=self.sfreq,
                standardize=self.standardize,
                **settings,
            )
        return self._standardize(X, names), first + np.flatnonzero(valid), names

    def _skip(self, timing):
        """Leave the first volumes out, and those whose windows reach before n_skip."""
        if not self.n_skip:
            return timing, 0
        reach = self.reach(timing.t_r)
        # By time, not by number: some volumes may have been left out of the scan.
        numbers = np.rint((timing.onsets - timing.onsets[0]) / timing.t_r)
        first = int((numbers < self.n_skip + np.ceil(reach - 1e-6)).sum())
        if first >= len(timing):
            raise ValueError(
                f"n_skip={self.n_skip} and the windows before a volume leave none of "
                f"{len(timing)} volumes. Give a smaller one."
            )
        return VolumeTiming(timing.onsets[first:], timing.t_r), first

    def _standardize(self, X, names):
        """Standardise windows of power or amplitude; raw ones are already."""
        if not self.standardize or self.features == "raw":
            return X
        if self.standardize == "channels":
            sd = X.std(axis=1, keepdims=True)
            if not sd.all():
                raise ValueError(
                    "standardize='channels' needs two channels or more that differ."
                )
            return (X - X.mean(axis=1, keepdims=True)) / sd
        if len(X) * X.shape[-1] < 2:
            raise ValueError(
                "A single window cannot be standardised over time. Give more volumes, "
                "or standardize=False."
            )
        return standardize_recordings(X, np.zeros(len(X), dtype=int), ch_names=names)
