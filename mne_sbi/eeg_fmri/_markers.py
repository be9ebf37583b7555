"""Markers of fMRI volumes in an EEG recording."""

import re
from collections import Counter

import numpy as np

from .._checks import check_array, listing

# What recording systems write for a volume, the most specific first. Searched anywhere
# in a description, because readers put a kind before it ("Response/R128").
_PATTERNS = (
    r"\bR\s*128\b",
    r"\bT\s+1\b",
    r"\bscan\s+start\b",
    r"\bV\s+1\b",
    r"\bvolume\b",
)


def find_markers(raw, event="auto"):
    """Find when the markers of volumes are.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording.
    event : str | int | array_like of float
        As in :func:`align_volumes`.

    Returns
    -------
    times : ndarray, shape (n_markers,)
        In s from the first sample, sorted.
    source : str
        What they were found as, for messages.

    Raises
    ------
    ValueError
        If there are none, or several kinds that could be meant.
    """
    if isinstance(event, str):
        found = _from_annotations(raw, event)
        if found is None and event == "auto":
            found = _from_stim(raw, None)
        if found is None:
            raise ValueError(_nothing(raw, event))
    elif isinstance(event, int | np.integer) and not isinstance(event, bool):
        found = _from_stim(raw, int(event))
        if found is None:
            raise ValueError(_nothing(raw, event))
    else:
        times = check_array("event", event, shape=(None,))
        found = times, f"given as event ({len(times)} times in s)"
    times, source = found
    if not len(times):
        raise ValueError("event holds no time. Give at least one, in s.")
    return np.sort(times), source


def _from_annotations(raw, event):
    """Find annotations whose description holds a pattern."""
    descriptions = [str(text) for text in raw.annotations.description]
    if event == "auto":
        matches = [_matching(descriptions, pattern) for pattern in _PATTERNS]
        # A marker of every volume is better than one of the scan's start.
        often = [match for match in matches if len(match) > 1]
        index = next(iter(often or [match for match in matches if match]), [])
    else:
        try:
            re.compile(event)
        except re.error as exc:
            raise ValueError(
                f"event={event!r} is no regular expression ({exc}). Put a backslash "
                "before characters such as ( and *."
            ) from exc
        index = _matching(descriptions, event)
    if not index:
        return None
    kinds = Counter(descriptions[i] for i in index)
    if event == "auto" and len(kinds) > 1:
        raise ValueError(
            f"Several kinds of annotation look like markers of volumes: "
            f"{_counts(kinds)}. Say which with event=, for example "
            f"event={re.escape(next(iter(kinds)))!r}."
        )
    # MNE-Python counts the onsets of annotations from the measurement date, that is
    # from before the first sample where a recording was cropped.
    return raw.annotations.onset[index] - raw.first_time, _counts(kinds)


def _matching(descriptions, pattern):
    """Return the indices of descriptions that hold a pattern, in any case."""
    search = re.compile(pattern, re.IGNORECASE).search
    return [i for i, text in enumerate(descriptions) if search(text)]


def _from_stim(raw, event_id):
    """Find events of a stimulus channel."""
    import mne

    if not len(mne.pick_types(raw.info, meg=False, stim=True)):
        return None
    events = mne.find_events(
        raw, shortest_event=1, consecutive=True, initial_event=True, verbose="error"
    )
    kinds = Counter(events[:, 2].tolist())
    if event_id is None and len(kinds) > 1:
        raise ValueError(
            f"The stimulus channel has several events: {_counts(kinds)}. Say which is "
            f"the marker of volumes, for example event={kinds.most_common(1)[0][0]}."
        )
    if event_id is not None:
        events = events[events[:, 2] == event_id]
    if not len(events):
        return None
    times = (events[:, 0] - raw.first_samp) / raw.info["sfreq"]
    return times, f"event {events[0, 2]} of the stimulus channel"


def _counts(kinds):
    """Describe how often each kind is there."""
    return listing([f"{kind!r} ({n})" for kind, n in kinds.most_common()])


def _nothing(raw, event):
    """Say that there are no markers, and what there is."""
    import mne

    kinds = Counter(str(text) for text in raw.annotations.description)
    there = f"Its annotations are {_counts(kinds)}" if kinds else "It has no annotation"
    stim = mne.pick_types(raw.info, meg=False, stim=True)
    names = [raw.ch_names[i] for i in stim]
    there += f"; stimulus channels: {listing(names)}." if names else "."
    wanted = "marker of volumes" if event == "auto" else f"event {event!r}"
    return (
        f"The recording has no {wanted}. {there} Say which is the marker of volumes "
        "with event=: part of a description, the number of an event, or an array with "
        "the onsets of the volumes in s from the first sample."
    )
