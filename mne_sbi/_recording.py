"""The only bridge from users' objects, MNE-Python's above all, to arrays."""

import dataclasses
import sys
from pathlib import Path

import numpy as np

# Channels that are never a region's activity.
_NOT_REGIONS = ("stim", "eog", "ecg", "emg", "resp", "syst", "exci", "ias")


@dataclasses.dataclass(frozen=True)
class Recording:
    """Observations as arrays.

    Parameters
    ----------
    data : list of ndarray, shape (n_nodes, n_times), or ndarray
        One time series per observation, which may differ in length, and are NaN in all
        nodes where a segment is left out; or an array of
        shape (n_obs, n_nodes, n_points) or (n_obs, n_features) whose meaning only the
        estimator knows.
    sfreq : float | None
        Sampling rate in Hz; ``None`` for arrays.
    names : tuple of str | None
        Names of the nodes; ``None`` for arrays.
    band : tuple of float | None
        Cutoffs in Hz of the filters that the recording went through, highpass and
        lowpass, where they are known.
    """

    data: object
    sfreq: float | None = None
    names: tuple | None = None
    band: tuple | None = None

    @property
    def from_mne(self):
        """Whether this came as time series with names."""
        return self.sfreq is not None

    @property
    def durations(self):
        """Length of each time series in s, without the segments left out."""
        n_times = [int((~np.isnan(series[0])).sum()) for series in self.data]
        return tuple(n / self.sfreq for n in n_times)

    def __len__(self):
        return len(self.data)


def as_recording(X, *, labels=None, src=None):
    """Turn what a user holds into arrays.

    Parameters
    ----------
    X : array_like | DataFrame | mne.io.BaseRaw | mne.BaseEpochs | mne.SourceEstimate
        What was observed: an array of shape (n_obs, n_nodes, n_points) or
        (n_obs, n_features); a ``Raw`` or ``Epochs`` whose channels are regions, of
        which bad channels and segments annotated as bad are left out; a
        ``SourceEstimate``, with ``labels``; or a list of MNE objects, one per
        observation.
    labels : list of mne.Label | None
        Regions of a source estimate.
    src : mne.SourceSpaces | None
        Source space of a source estimate. With it, the sign of the sources is aligned
        before they are averaged (mode ``"mean_flip"``); without it, the mean is taken.

    Returns
    -------
    recording : Recording
        The arrays.

    Raises
    ------
    TypeError
        If the object is of another kind.
    ValueError
        If the objects of a list differ in sampling rate or names, or labels are
        missing.
    """
    # Nobody can hold an MNE object without MNE-Python being imported.
    if "mne" in sys.modules:
        objects = _as_mne_list(X)
        if objects is not None:
            return _join([_from_mne(inst, labels, src) for inst in objects])
    # Not every dict: some are sparse arrays, for which scikit-learn has words.
    if isinstance(X, (str, bytes, Path)) or type(X) is dict:
        raise TypeError(
            f"Observations must be an array or objects of MNE-Python, got "
            f"{type(X).__name__}. Read a file first, for example with "
            "mne.io.read_raw()."
        )
    return Recording(X)


def _mne_types():
    import mne

    return mne.io.BaseRaw, mne.BaseEpochs, mne.SourceEstimate


def _as_mne_list(X):
    """Return a list of MNE objects, or None if X is something else."""
    import mne

    if isinstance(X, _mne_types()):
        return [X]
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], _mne_types()):
        strange = [type(x).__name__ for x in X if not isinstance(x, _mne_types())]
        if strange:
            raise TypeError(f"A list of recordings holds something else: {strange}.")
        return list(X)
    if isinstance(X, mne.Evoked):
        raise TypeError(
            "An Evoked is an average, whose spectrum is not that of ongoing activity. "
            "Give the Epochs or the Raw."
        )
    spectrum_types = mne.time_frequency.Spectrum, mne.time_frequency.EpochsSpectrum
    first = X[0] if isinstance(X, (list, tuple)) and X else X
    if isinstance(first, spectrum_types):
        raise TypeError(
            f"A {type(first).__name__} goes in as an array of power: "
            "spectrum.get_data(picks='all') in the shape (n_obs, n_nodes, n_freqs), "
            "with unit='power' and freqs=spectrum.freqs of the inverter."
        )
    name = type(X).__name__
    if name.endswith("SourceEstimate"):
        raise TypeError(
            f"A {name} has no time series of cortical regions. Extract them with "
            "mne.extract_label_time_course() and give the array, or use .magnitude() "
            "or .project() of a vector source estimate."
        )
    return None


def _from_mne(inst, labels, src):
    """Return a Recording of one MNE object."""
    raw_type, epochs_type, _ = _mne_types()
    if isinstance(inst, (raw_type, epochs_type)):
        kinds = inst.get_channel_types()
        pairs = zip(inst.ch_names, kinds, strict=True)
        bads = set(inst.info["bads"])
        names = [n for n, kind in pairs if n not in bads and kind not in _NOT_REGIONS]
        if not names:
            raise ValueError(
                f"{inst!r} has no channel that could be a region: all are bad, or of "
                f"the kinds {sorted(set(kinds))}."
            )
        if isinstance(inst, raw_type):
            # As MNE-Python's own spectra do: what is left, joined, would have steps.
            # Epochs were cut with regard to annotations.
            data = [inst.get_data(picks=names, reject_by_annotation="NaN")]
            _check_series(data[0], names, _is_kept(inst, names[:1]))
        else:
            data = list(inst.get_data(picks=names))
            for series in data:
                _check_series(series, names)
        band = (inst.info["highpass"] or 0.0, inst.info["lowpass"] or np.inf)
        return Recording(data, float(inst.info["sfreq"]), tuple(names), band)
    if labels is None:
        raise ValueError(
            "A SourceEstimate needs labels=, the regions to average over: a list of "
            "mne.Label with the names of the connectome's regions, for example from "
            "mne.read_labels_from_annot(subject, 'aparc')."
        )
    return _from_source_estimate(inst, labels, src)


def _is_kept(raw, picks):
    """Return which samples are not annotated as bad, bool of shape (n_times,)."""
    _, times = raw.get_data(
        picks=picks, reject_by_annotation="omit", return_times=True, verbose="error"
    )
    kept = np.zeros(raw.n_times, dtype=bool)
    kept[raw.time_as_index(times, use_rounding=True)] = True
    return kept


def _check_series(series, names, kept=None):
    """Refuse channels that are flat or not finite, and name them."""
    if kept is not None and not kept.all():
        if not kept.any():
            raise ValueError(
                "All of the recording is annotated as bad. See raw.annotations."
            )
        series = series[:, kept]
    problems = {
        "hold NaN or infinite values": ~np.isfinite(series).all(axis=1),
        "are flat": (series == series[:, :1]).all(axis=1),
    }
    for problem, where in problems.items():
        found = [name for name, is_bad in zip(names, where, strict=True) if is_bad]
        if found:
            raise ValueError(
                f"{len(found)} of {len(names)} regions {problem}: {', '.join(found)}. "
                "Leave them out (raw.info['bads'], .pick), or annotate the segments "
                "in which it happens as bad."
            )


def _from_source_estimate(stc, labels, src):
    import mne

    if src is not None:
        series = mne.extract_label_time_course(
            stc, labels, src, mode="mean_flip", verbose="error"
        )
    else:
        series = np.array([_mean_over_label(stc, label) for label in labels])
    series, names = np.asarray(series), tuple(label.name for label in labels)
    _check_series(series, names)
    return Recording([series], float(stc.sfreq), names)


def _mean_over_label(stc, label):
    """Mean over the sources of a label, which must have some."""
    try:
        return stc.in_label(label).data.mean(axis=0)
    except ValueError as exc:
        raise ValueError(
            f"The source estimate has no source in the label {label.name!r}. Leave "
            "the label out, or use a denser source space."
        ) from exc


def _join(recordings):
    """Join recordings that must agree."""
    first = recordings[0]
    for other in recordings[1:]:
        if other.sfreq != first.sfreq:
            raise ValueError(
                f"All recordings must have one sampling rate, got {first.sfreq:g} and "
                f"{other.sfreq:g} Hz. Use .resample()."
            )
        if other.names != first.names:
            differing = sorted(set(first.names) ^ set(other.names))
            raise ValueError(
                "All recordings must have the same channels in the same order; these "
                f"are not in all: {differing or 'none, but the order differs'}. "
                "Use .pick(names)."
            )
    data = [series for recording in recordings for series in recording.data]
    bands = [recording.band for recording in recordings if recording.band is not None]
    band = None
    if bands:
        highpasses, lowpasses = zip(*bands, strict=True)
        band = (max(highpasses), min(lowpasses))
    return dataclasses.replace(first, data=data, band=band)
