"""Pairs of EEG features and fMRI, of one recording or of many people."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._checks import (
    check_array,
    check_labels,
    check_one_per,
    check_option,
    did_you_mean,
    listing,
)
from .._frozen import FrozenArrays
from ._alike import check_alike, find_channels, find_common
from ._eeg_windows import FEATURES, EEGWindows

# The arrays that have a row for each pair.
_PER_PAIR = ("X", "y", "groups", "times", "runs", "volumes")


@dataclass(frozen=True, repr=False, eq=False)
class Pairs(FrozenArrays):
    """EEG features and the fMRI that belongs to them.

    Unpacks as ``X, y, groups, times = pairs``. :class:`EEG2fMRIRegressor` and
    :func:`evaluate` take it whole, and then compare channels and features by name.

    Parameters
    ----------
    X : array of float32, shape (n_pairs, n_channels, ...)
        EEG features: (n_channels, n_bands, n_lags) of band power, with the most recent
        lag first; (n_channels, n_freqs, n_windows) of spectrograms, or (n_channels,
        n_samples), with the oldest first.
    y : array of float32, shape (n_pairs, n_voxels)
        Percent signal change, with zero mean in each recording.
    groups : array, shape (n_pairs,)
        Person of each pair.
    times : array, shape (n_pairs,)
        Time of the volume in s from the first sample of its recording.
    runs : array of int, shape (n_pairs,)
        Number of the recording of each pair: a person can have several, and ``times``
        begin anew in each.
    volumes : array of int, shape (n_pairs,)
        Number of the volume in its scan, from 0 on: picks from what else there is of
        each volume, such as head motion.
    ch_names : tuple of str
        EEG channels.
    info : mne.Info
        Of these channels, in the first recording.
    t_r : float
        Repetition time in s.
    features : str
        ``"band_power"``, ``"spectrogram"`` or ``"raw"``.
    bands : dict of (str, (float, float)) | None
        Of band power, in Hz.
    freqs : array, shape (n_freqs,) | None
        Of spectrograms, in Hz.
    masker : nilearn masker | None
        Fitted; what turns rows of ``y`` back into images.
    windows : EEGWindows | None
        How the features were made.
    region_names : tuple of str | None
        The columns of ``y`` if they are regions, such as ``"2 (lh.cuneus)"``; ``None``
        for voxels.
    """

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    times: np.ndarray
    runs: np.ndarray
    volumes: np.ndarray
    ch_names: tuple
    info: Any
    t_r: float
    features: str
    bands: dict | None = None
    freqs: np.ndarray | None = None
    masker: Any = None
    windows: EEGWindows | None = None
    region_names: tuple | None = None

    def __post_init__(self):
        check_option("features", self.features, FEATURES)
        X = check_array("X", self.X, dtype=np.float32, finite=False)
        n_pairs = len(X)
        arrays = {
            "X": X,
            "y": check_array("y", self.y, dtype=np.float32, finite=False),
            "groups": check_labels("groups", self.groups, None, "pair"),
            "times": check_array("times", self.times, shape=(None,)),
            "runs": check_array("runs", self.runs, shape=(None,), dtype=int),
            "volumes": check_array("volumes", self.volumes, shape=(None,), dtype=int),
        }
        lengths = {name: len(array) for name, array in arrays.items()}
        if set(lengths.values()) != {n_pairs}:
            raise ValueError(
                f"X, y, groups, times and runs differ in length: {lengths}."
            )
        if X.ndim < 2 or X.shape[1] != len(self.ch_names):
            raise ValueError(
                f"X has the shape {X.shape}, but there are {len(self.ch_names)} "
                "channels, which are its second axis."
            )
        if self.freqs is not None:
            arrays["freqs"] = check_array("freqs", self.freqs, shape=(X.shape[2],))
        for name, array in arrays.items():
            # A view, so that the caller's own array stays as it is.
            array = array.view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "ch_names", tuple(self.ch_names))
        if self.region_names is not None:
            names = check_one_per("region_names", self.region_names, None, "column")
            if len(names) != int(np.prod(self.y.shape[1:])):
                raise ValueError(
                    f"region_names has {len(names)} names, but y the shape "
                    f"{self.y.shape}, whose columns they are."
                )
            object.__setattr__(self, "region_names", tuple(map(str, names)))

    def __iter__(self):
        return iter((self.X, self.y, self.groups, self.times))

    @property
    def n_pairs(self):
        """Number of pairs."""
        return len(self.X)

    def __repr__(self):
        people, n_runs = np.unique(self.groups), len(np.unique(self.runs))
        who = f"{len(people)} {'person' if len(people) == 1 else 'people'}"
        who += f" in {n_runs} recordings" if n_runs != len(people) else ""
        shape = " x ".join(map(str, self.X.shape[1:]))
        return (
            f"<Pairs | {self.n_pairs} of {who}, TR {self.t_r:g} s: {self.features} "
            f"{shape} -> {' x '.join(map(str, self.y.shape[1:]))}>"
        )

    def pick(self, groups):
        """Take the pairs of some people.

        Parameters
        ----------
        groups : int | str | sequence of these
            The people.

        Returns
        -------
        pairs : Pairs
            Theirs, in the same order.

        Raises
        ------
        ValueError
            If there is no such person.
        """
        known = np.unique(self.groups).tolist()
        is_one = isinstance(groups, str) or not hasattr(groups, "__iter__")
        wanted = [groups] if is_one else groups
        wanted = check_labels("groups", wanted, None, "person").tolist()
        missing = [person for person in wanted if person not in known]
        if missing:
            hint = did_you_mean(missing[0], known)
            raise ValueError(
                f"There are no pairs of {listing(list(map(repr, missing)))}.{hint} The "
                f"people are {listing(list(map(repr, known)))}."
            )
        return self.take(np.isin(self.groups, wanted))

    def take(self, rows):
        """Take some pairs.

        Parameters
        ----------
        rows : array of int | array of bool, shape (n_pairs,) | slice
            Their numbers, or a mask, such as ``pairs.times < 120``.

        Returns
        -------
        pairs : Pairs
            These.
        """
        rows = np.atleast_1d(np.arange(self.n_pairs)[rows])
        return replace(self, **{name: getattr(self, name)[rows] for name in _PER_PAIR})

    def common(self, other):
        """Take the volumes that other pairs of the same recordings have too.

        Windows of different length lack different volumes.

        Parameters
        ----------
        other : Pairs
            With other features, made of the same recordings in the same order.

        Returns
        -------
        mine, theirs : Pairs
            The same volumes in the same order.

        Raises
        ------
        ValueError
            If there are none, or a recording is not the same person's in both.
        """
        rows = find_common(self, other)
        mine, theirs = self.take(rows[0]), other.take(rows[1])
        if (mine.groups != theirs.groups).any():
            raise ValueError(
                "The recordings are of other people, or in another order: give both "
                "calls of make_pairs the same lists."
            )
        return mine, theirs

    def match(self, like, targets=True):
        """Take the channels of other pairs, in their order.

        Parameters
        ----------
        like : Pairs
            Such as those that a regressor was fitted to.
        targets : bool
            Whether ``y`` must be of the same voxels too.

        Returns
        -------
        pairs : Pairs
            The same pairs, with the channels of ``like`` and no others.

        Raises
        ------
        ValueError
            If they lack channels, or differ in features, bands, repetition time, how
            windows were made, or voxels.
        """
        check_alike(self, like, targets)
        # Not only the first of them: further ones may follow.
        if self.ch_names == like.ch_names:
            return self
        order = find_channels(self, like)
        return replace(
            self, X=self.X[:, order], ch_names=like.ch_names, info=_reorder(self, order)
        )

    def make_windows(self, raw, timing=None):
        """Make windows of another recording as these were made, without fMRI.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            EEG of the same channels, in any order; it may come from outside of the
            scanner.
        timing : VolumeTiming | None
            When to predict. None predicts every ``t_r`` from the beginning of the
            recording on.

        Returns
        -------
        X : ndarray of float32, shape (n_windows, n_channels, ...)
            Windows to give to ``predict`` of a regressor that was fitted to these
            pairs. Times without a whole window, such as those of the first 30 s, have
            none.
        times : ndarray, shape (n_windows,)
            What they predict, in s from the first sample.

        Raises
        ------
        ValueError
            If channels are missing, the recording is too short, or these pairs do not
            know how they were made.
        """
        from ._new_windows import make_like

        return make_like(self, raw, timing)

    @classmethod
    def concatenate(cls, pairs):
        """Join pairs of several recordings.

        Recordings are numbered anew; pairs of one person stay one person's.

        Parameters
        ----------
        pairs : sequence of Pairs
            With the same channels, features and voxels. Channels in another order are
            brought into the first's.

        Returns
        -------
        pairs : Pairs
            All of them.

        Raises
        ------
        ValueError
            If they do not fit together.
        """
        pairs = list(pairs)
        if not pairs:
            raise ValueError("There are no pairs to join.")
        first = pairs[0]
        if len(pairs) == 1:
            return first
        # In one array, 1 and "1" would become the same.
        names = [name for each in pairs for name in each.groups[:1].tolist()]
        check_labels("groups", names, None, "recording")
        check_same_channels([each.ch_names for each in pairs])
        blocks, n_runs = [], 0
        for each in pairs:
            matched = each.match(first)
            runs = np.unique(each.runs, return_inverse=True)[1]
            block = {name: getattr(matched, name) for name in _PER_PAIR}
            blocks.append(block | {"runs": n_runs + runs})
            n_runs += len(np.unique(runs))
        joined = {
            name: np.concatenate([block[name] for block in blocks])
            for name in _PER_PAIR
        }
        return replace(first, **joined)


def check_same_channels(ch_names, people=None):
    """Check that recordings have the same channels, in any order.

    Parameters
    ----------
    ch_names : sequence of sequence of str
        Channels of each recording.
    people : sequence | None
        Whose they are, for the message.

    Raises
    ------
    ValueError
        If they differ: by name.
    """
    people = range(len(ch_names)) if people is None else people
    first = set(ch_names[0])
    for person, names in zip(people, ch_names, strict=True):
        missing = sorted(first - set(names))
        further = sorted(set(names) - first)
        if missing or further:
            parts = [f"lacks {listing(missing)}"] if missing else []
            parts += [f"has also {listing(further)}"] if further else []
            raise ValueError(
                f"The EEG channels differ between recordings: beside the first "
                f"({people[0]!r}), that of {person!r} {' and '.join(parts)}. Bad "
                "channels count as missing. Repair them with raw.interpolate_bads(), "
                "or take the channels that all have: "
                "raw.drop_channels(raw.info['bads']) of each, then "
                "mne.channels.equalize_channels(raws)."
            )


def _reorder(pairs, order):
    """Return the info of pairs with its channels in another order."""
    import mne

    if pairs.info is None:
        return None
    return mne.pick_info(pairs.info, order, verbose="error")
