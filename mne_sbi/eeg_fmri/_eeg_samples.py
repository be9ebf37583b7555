"""Channels and samples of a recording that windows are made of."""

import re

import numpy as np

from .._checks import listing
from .._recording_joints import left_out_of_raw
from .._sensors import warn_if_not_projected

# Windows that are transformed at once.
_N_AT_ONCE = 64
# Channels that are often read from file as EEG, because the format has no types, and
# the types that MNE-Python has for them. Mastoids and ears (M1, A2) are EEG.
_NO_EEG = {
    "ecg": r"ECG|EKG",
    "eog": r"[HV]?[LR]?[HV]?EOG",
    "emg": r"EMG",
    "resp": r"RESP",
    "bio": r"PPG|PLETH|PULS",
    "gsr": r"EDA|GSR",
    "stim": r"STATUS|STI ?\d|TRIG",
    # Carbon-wire loops and accelerometers measure motion.
    "misc": r"CWL|CW ?\d|ACC([ _-]?[XYZ]|$)",
}
_NO_EEG = {kind: re.compile(rf"({p})", re.IGNORECASE) for kind, p in _NO_EEG.items()}


def eeg_channels(raw, picks=None):
    """Find the good EEG channels of a recording.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording.
    picks : str | list | None
        As in MNE-Python; ``None`` takes all EEG channels. Bad channels are left out.

    Returns
    -------
    names : list of str
        The channels, in the order of the recording.

    Raises
    ------
    TypeError
        If ``raw`` is no recording.
    ValueError
        If there are none, or some do not record the brain.
    """
    import mne

    if not isinstance(raw, mne.io.BaseRaw):
        raise TypeError(f"raw must be an mne.io.Raw, got {type(raw).__name__}.")
    kinds = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    if picks is None:
        names = [name for name, kind in kinds.items() if kind == "eeg"]
    else:
        # MNE-Python's own reading of picks, on an object without any data.
        empty = mne.io.RawArray(np.zeros((len(kinds), 1)), raw.info, verbose="error")
        names = empty.pick(picks, exclude=(), verbose="error").ch_names
        other = [name for name in names if kinds[name] not in ("eeg", "seeg", "ecog")]
        if other:
            raise ValueError(
                f"Channels {listing(other)} do not record the brain: they are of type "
                f"{listing(sorted({kinds[name] for name in other}))}. Leave them out "
                "of picks, or correct their types with raw.set_channel_types."
            )
    # What is picked by name is meant, however it is called.
    if picks is None or isinstance(picks, str):
        _check_names([name for name in names if kinds[name] == "eeg"])
    names = [name for name in names if name not in raw.info["bads"]]
    if not names:
        raise ValueError(
            "The recording has no good EEG channel. Give others as picks, correct "
            "their types with raw.set_channel_types, or look at raw.info['bads']."
        )
    warn_if_not_projected(raw.info, names)
    return names


def _check_names(names):
    """Refuse channels of type EEG whose names say that they are something else."""
    types = {
        name: kind
        for name in names
        for kind, pattern in _NO_EEG.items()
        if pattern.match(name)
    }
    if types:
        raise ValueError(
            f"Channels {listing(list(types))} are of type 'eeg', but by their names do "
            f"not record the brain. Use raw.set_channel_types({types}); or name the "
            "channels to use, EEGWindows(picks=[...])."
        )


def to_samples(times, sfreq):
    """Round times to samples; ties always up, whatever the last digit of a sum is."""
    samples = np.floor(np.asarray(times) * sfreq + 0.5 + 1e-6).astype(int)
    return samples if samples.ndim else int(samples)


def find_valid(raw, starts, length, reject_by_annotation, what):
    """Find the volumes whose windows are all inside the recording and not bad."""
    from mne.utils import logger

    fits = ((starts >= 0) & (starts + length <= raw.n_times)).all(axis=1)
    valid = fits.copy()
    if reject_by_annotation:
        n_bad = np.r_[0, np.cumsum(is_left_out(raw))]
        first = np.clip(starts, 0, raw.n_times)
        last = np.clip(starts + length, 0, raw.n_times)
        valid &= (n_bad[last] == n_bad[first]).all(axis=1)
    if not valid.any():
        raise ValueError(
            f"None of {len(starts)} volumes can be used for {what}: {(~fits).sum()} "
            f"need EEG from before or after the recording, which lasts "
            f"{raw.n_times / raw.info['sfreq']:.6g} s, and {(fits & ~valid).sum()} lie "
            "by joints or segments annotated as bad. Use fewer or shorter windows, or "
            "reject_by_annotation=False."
        )
    if not valid.all():
        logger.info(
            f"{(~valid).sum()} of {len(valid)} volumes are left out: {(~fits).sum()} "
            f"need EEG from before or after the recording, and {(fits & ~valid).sum()} "
            "lie by joints or segments annotated as bad."
        )
    return valid


def is_left_out(raw):
    """Return which samples are bad or a joint of pieces, bool of shape (n_times,)."""
    return left_out_of_raw(raw).mark(0, raw.n_times)


def resample(raw, names, sfreq):
    """Bring channels to another rate, what lies between two joints by itself."""
    import mne

    raw = raw.copy().pick(names).load_data(verbose="error")
    made = raw.copy().resample(sfreq, verbose="error")
    edges, new_edges = (
        np.r_[0, np.clip(np.sort(left_out_of_raw(x).joints), 0, n), n]
        for x, n in ((raw, raw.n_times), (made, made.n_times))
    )
    if len(edges) == 2:
        return made
    pieces = np.stack([edges[:-1], edges[1:], new_edges[:-1], new_edges[1:]], axis=1)
    for start, stop, first, last in pieces.tolist():
        if last <= first or stop <= start:
            continue
        piece = raw.get_data(start=start, stop=stop)
        if round(piece.shape[1] * sfreq / raw.info["sfreq"]):
            piece = mne.filter.resample(
                piece, sfreq, raw.info["sfreq"], npad="auto", verbose="error"
            )
        # The length of a piece is rounded by itself: one sample can be missing.
        piece = np.pad(piece, ((0, 0), (0, last - first)), mode="edge")
        made[:, first:last] = piece[:, : last - first]
    return made


def read_windows(raw, names, starts, length):
    """Yield (rows, windows (n, n_channels, length)) of windows that begin at starts."""
    for first in range(0, len(starts), _N_AT_ONCE):
        rows = slice(first, first + _N_AT_ONCE)
        begin, end = int(starts[rows][0]), int(starts[rows][-1] + length)
        data = raw.get_data(names, begin, end)
        rate = raw.info["sfreq"]
        check_finite(data, names, begin / rate, rate)
        windows = np.lib.stride_tricks.sliding_window_view(data, length, axis=1)
        yield rows, windows[:, starts[rows] - begin].transpose(1, 0, 2)


def check_finite(data, names, tmin, sfreq):
    """Refuse NaN, with channels and time."""
    finite = np.isfinite(data)
    if finite.all():
        return
    bad = [n for n, ok in zip(names, finite.all(1), strict=True) if not ok]
    time = tmin + np.flatnonzero(~finite.all(0))[0] / sfreq
    raise ValueError(
        f"Channels {listing(bad)} have values that are NaN or infinite, the first at "
        f"{time:.6g} s. Mark the channels in raw.info['bads'], or interpolate them."
    )
