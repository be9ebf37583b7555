"""The only bridge from users' objects, MNE-Python's above all, to arrays."""

import dataclasses
import sys
from pathlib import Path

import numpy as np

from ._checks import check_array

# Channels that are never a region's activity.
_NOT_REGIONS = ("stim", "eog", "ecg", "emg", "resp", "syst", "exci", "ias")


@dataclasses.dataclass(frozen=True)
class Recording:
    """Observations as arrays.

    Parameters
    ----------
    data : list of ndarray, shape (n_nodes, n_times), or ndarray
        One time series per observation, which may differ in length; or an array of
        shape (n_obs, n_nodes, n_points) or (n_obs, n_features) whose meaning only the
        estimator knows.
    sfreq : float | None
        Sampling rate in Hz; ``None`` for arrays.
    names : tuple of str | None
        Names of the nodes; ``None`` for arrays.
    """

    data: object
    sfreq: float | None = None
    names: tuple | None = None

    @property
    def from_mne(self):
        """Whether this came as time series with names."""
        return self.sfreq is not None

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
            # As MNE-Python's own spectra do; epochs were cut with regard to them.
            data = [inst.get_data(picks=names, reject_by_annotation="omit")]
        else:
            data = list(inst.get_data(picks=names))
        return Recording(data, float(inst.info["sfreq"]), tuple(names))
    if labels is None:
        raise ValueError(
            "A SourceEstimate needs labels=, the regions to average over: a list of "
            "mne.Label with the names of the connectome's regions, for example from "
            "mne.read_labels_from_annot(subject, 'aparc')."
        )
    return _from_source_estimate(inst, labels, src)


def _from_source_estimate(stc, labels, src):
    import mne

    if src is not None:
        series = mne.extract_label_time_course(
            stc, labels, src, mode="mean_flip", verbose="error"
        )
    else:
        series = np.array([_mean_over_label(stc, label) for label in labels])
    return Recording(
        [np.asarray(series)], float(stc.sfreq), tuple(label.name for label in labels)
    )


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
    for series in data:
        check_array("The recording", series)
    return Recording(data, first.sfreq, first.names)
