"""Markers of fMRI volumes in an EEG recording."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from .._checks import check_array, listing
from ._marker_grid import usual_step

# What recording systems write for a volume, and some of them for stimuli too. Searched
# anywhere in a description, because readers put a kind before it ("Response/R128").
_PATTERNS = (
    r"\bR\s*128\b",
    r"\bT\s+1\b",
    r"\bscan\s+start\b",
    r"\bV\s+1\b",
    r"\bvolume\b",
)
# Part of a step up to which markers are even, in messages.
_EVEN = 0.05


@dataclass(frozen=True)
class MarkerKind:
    """Markers of one kind.

    ``times`` in s from the first sample, sorted, and what they are, as text for
    messages and as the argument ``event``; ``is_named`` if a description, rather than a
    number, says that they are of volumes.
    """

    times: np.ndarray
    source: str
    event: object = None
    is_named: bool = True

    def describe(self):
        """Return what they are, how many and how far apart."""
        if len(self.times) == 1:
            return f"{self.source} (1)"
        steps = np.diff(self.times)
        if not steps.any():
            return f"{self.source} ({len(self.times)}, all at one time)"
        step = usual_step(self.times)
        is_even = np.abs(steps / step - np.rint(steps / step)) <= _EVEN
        when = f"every {step:.6g} s" if is_even.mean() > 0.5 else "irregular"
        return f"{self.source} ({len(self.times)}, {when})"


def find_markers(raw, event="auto"):
    """Find when markers of volumes are.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording.
    event : str | int | array_like of float
        As in :func:`align_volumes`.

    Returns
    -------
    kinds : list of MarkerKind
        One or more; more only if ``event="auto"``.

    Raises
    ------
    ValueError
        If there are none.
    """
    if isinstance(event, str) and event == "auto":
        kinds = _from_descriptions(raw) + _from_stim(raw)
    elif isinstance(event, str):
        kinds = _from_pattern(raw, event)
    elif isinstance(event, int | np.integer) and not isinstance(event, bool):
        kinds = [kind for kind in _from_stim(raw) if kind.event == event]
    else:
        times = check_array("event", event, shape=(None,))
        if not len(times):
            raise ValueError("event holds no time. Give at least one, in s.")
        source = f"given as event ({len(times)} times in s)"
        return [MarkerKind(np.sort(times), source)]
    if not kinds:
        raise ValueError(_nothing(raw, event))
    return kinds


def _from_descriptions(raw):
    """Find annotations that may be of volumes, one kind for each description."""
    texts = [str(text) for text in raw.annotations.description]
    search = re.compile("|".join(_PATTERNS), re.IGNORECASE).search
    found = Counter(text for text in texts if search(text))
    kinds = []
    for text, _ in found.most_common():
        event = re.escape(text).replace("\\ ", " ")
        # A pattern is sought anywhere, so it may be found in others too.
        if len(_matching(list(found), event)) > 1:
            event = f"^{event}$"
        index = [i for i, each in enumerate(texts) if each == text]
        kinds.append(MarkerKind(_onsets(raw, index), repr(text), event))
    return kinds


def _from_pattern(raw, event):
    """Find annotations whose description holds a pattern, as one kind."""
    try:
        re.compile(event)
    except re.error as exc:
        raise ValueError(
            f"event={event!r} is no regular expression ({exc}). Put a backslash "
            "before characters such as ( and *."
        ) from exc
    texts = [str(text) for text in raw.annotations.description]
    index = _matching(texts, event)
    kinds = Counter(texts[i] for i in index)
    return [MarkerKind(_onsets(raw, index), _counts(kinds), event)] if index else []


def _onsets(raw, index):
    """Return the onsets of annotations in s from the first sample, sorted."""
    # MNE-Python counts the onsets of annotations from the measurement date, that is
    # from before the first sample where a recording was cropped.
    return np.sort(raw.annotations.onset[index] - raw.first_time)


def _matching(descriptions, pattern):
    """Return the indices of descriptions that hold a pattern, in any case."""
    search = re.compile(pattern, re.IGNORECASE).search
    return [i for i, text in enumerate(descriptions) if search(text)]


def _from_stim(raw):
    """Find events of the stimulus channels, one kind for each number."""
    import mne

    if not len(mne.pick_types(raw.info, meg=False, stim=True)):
        return []
    events = mne.find_events(
        raw, shortest_event=1, consecutive=True, initial_event=True, verbose="error"
    )
    times = (events[:, 0] - raw.first_samp) / raw.info["sfreq"]
    return [
        MarkerKind(
            np.sort(times[events[:, 2] == number]),
            f"event {number} of the stimulus channel",
            number,
            is_named=False,
        )
        for number, _ in Counter(events[:, 2].tolist()).most_common()
    ]


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
