"""What is left out of a recording: bad segments, and the joints of its pieces."""

from typing import NamedTuple

import numpy as np

# Times are rounded: a joint half-way between two samples may be a little before that.
_ROUNDING = 1e-3


class LeftOut(NamedTuple):
    """Where a recording must not be used, in samples from its first one.

    Parameters
    ----------
    spans : ndarray of int, shape (n_spans, 2)
        First sample of each segment, and the one after its last.
    joints : ndarray of int, shape (n_joints,)
        First sample of each piece that follows another one.
    """

    spans: np.ndarray
    joints: np.ndarray

    def mark(self, start, stop):
        """Mark the samples of a part that are left out, bool of (stop - start,).

        A joint takes one sample, unless the part begins there.
        """
        marked = np.zeros(stop - start, dtype=bool)
        for first, last in np.clip(self.spans, start, stop) - start:
            marked[first:last] = True
        inside = (self.joints > start) & (self.joints < stop)
        marked[self.joints[inside] - start] = True
        return marked


def find_left_out(annotations, sfreq, first_time):
    """Find bad segments and joints among annotations.

    Parameters
    ----------
    annotations : iterable of (float, float, str)
        Onset and duration in s, and description.
    sfreq : float
        Sampling rate in Hz.
    first_time : float
        Time of the first sample in s, on the clock of the onsets.

    Returns
    -------
    left_out : LeftOut
        Where they are.

    Notes
    -----
    MNE-Python leaves out what is annotated as "bad..." with its duration, and filters
    neither across "edge..."; it looks at no annotation without a duration when it reads
    data, as those are with which :func:`mne.concatenate_raws` marks a joint. EEGLAB
    writes "boundary", with the duration of what was cut *out*, and BrainVision
    "New Segment/", where a recording was interrupted.
    """
    spans, joints = [], []
    for onset, duration, text in annotations:
        text = str(text).strip().lower()
        begin = onset - first_time
        first, last = np.rint(np.array([begin, begin + duration]) * sfreq)
        if text == "boundary" or text.startswith("new segment"):
            joints.append(begin * sfreq)
        elif text.startswith(("bad", "edge")):
            if last > first:
                spans.append((int(first), int(last)))
            else:
                joints.append(begin * sfreq)
    # EEGLAB writes where the last sample ends, half a sample before the next one.
    joints = np.floor(np.array(joints, float) + 0.5 + _ROUNDING)
    return LeftOut(np.reshape(spans, (-1, 2)).astype(int), joints.astype(int))


def left_out_of_raw(raw):
    """Find what is left out of a continuous recording.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording.

    Returns
    -------
    left_out : LeftOut
        Where its annotations say so.
    """
    # Onsets count from the measurement date, that is from before the first sample where
    # a recording was cropped.
    rows = raw.annotations
    rows = zip(rows.onset, rows.duration, rows.description, strict=True)
    left_out = find_left_out(rows, raw.info["sfreq"], raw.first_time)
    # Resampling rounds the length of each file by itself, and moves no annotation.
    ends = np.cumsum(getattr(raw, "_raw_lengths", ()))[:-1]
    if not len(ends) or not len(left_out.joints):
        return left_out
    distance = np.abs(ends[:, np.newaxis] - left_out.joints)
    nearest = ends[distance.argmin(axis=0)]
    is_one = distance.min(axis=0) <= 1 + len(ends) / 2
    return left_out._replace(joints=np.where(is_one, nearest, left_out.joints))
