"""Splits into training and test pairs, and whether they leak."""

import warnings

import numpy as np
from sklearn.model_selection import KFold, LeaveOneGroupOut, check_cv

from .._checks import check_count, check_labels, check_option
from .._warnings import warn_user

LEAVE_ONE_PERSON_OUT = "leave_one_person_out"
WITHIN_PERSON = "within_person"
SHUFFLED = "shuffled"
_NAMES = (LEAVE_ONE_PERSON_OUT, WITHIN_PERSON, SHUFFLED)
_N_SPLITS = 5


class LeakageWarning(RuntimeWarning):
    """Training pairs are so near to test pairs that scores are too good."""


class BlockedWithinPerson:
    """Leave out one block of neighbouring volumes of one person at a time.

    Training is on the other blocks of the same person, less a gap on both sides of the
    block. It answers how well a model does that is calibrated for each person.

    Parameters
    ----------
    n_splits : int
        Number of blocks of each person.
    gap : int
        Number of volumes that are left out on each side: windows of EEG reach back, and
        fMRI resembles itself for about 30 s.

    Examples
    --------
    >>> import numpy as np
    >>> from mne_sbi.eeg_fmri import BlockedWithinPerson
    >>> groups = np.repeat(["anna", "ben"], 10)
    >>> splitter = BlockedWithinPerson(n_splits=2, gap=2)
    >>> splitter.get_n_splits(groups=groups)
    4
    >>> train, test = next(splitter.split(groups, groups=groups))
    >>> train.tolist(), test.tolist()
    ([7, 8, 9], [0, 1, 2, 3, 4])
    """

    def __init__(self, n_splits=5, gap=15):
        self.n_splits = n_splits
        self.gap = gap

    def __repr__(self):
        return f"BlockedWithinPerson(n_splits={self.n_splits}, gap={self.gap})"

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds: blocks times people.

        Parameters
        ----------
        X, y : object
            Ignored.
        groups : array, shape (n_pairs,)
            The person of each pair.

        Returns
        -------
        n : int
            The number of folds.
        """
        if groups is None:
            raise ValueError("BlockedWithinPerson needs groups=, the person of a pair.")
        return int(self.n_splits) * len(np.unique(groups))

    def split(self, X, y=None, groups=None):
        """Yield rows of training and test pairs.

        Parameters
        ----------
        X : array
            Only its length counts.
        y : object
            Ignored.
        groups : array, shape (n_pairs,)
            The person of each pair. The pairs of one person are in the order of time.

        Yields
        ------
        train, test : ndarray of int
            Rows.

        Raises
        ------
        ValueError
            If a person has too few pairs for the blocks and gaps.
        """
        self.get_n_splits(groups=groups)
        n_splits = check_count("n_splits", self.n_splits, 2)
        gap = check_count("gap", self.gap, 0)
        groups = check_labels("groups", groups, None, "pair")
        for person in np.unique(groups):
            rows = np.flatnonzero(groups == person)
            for block in np.array_split(np.arange(len(rows)), n_splits):
                if len(block):
                    ends = max(0, block[0] - gap), block[-1] + 1 + gap
                    train = np.concatenate([rows[: ends[0]], rows[ends[1] :]])
                if not len(block) or len(train) < 2:
                    raise ValueError(
                        f"Person {person} has {len(rows)} pairs, too few for "
                        f"{n_splits} blocks with a gap of {gap} volumes on each side. "
                        "Use a smaller gap=, or leave whole people out."
                    )
                yield train, rows[block]


def make_splits(cv, pairs, random_state):
    """Make the folds that a name or a splitter stands for.

    Parameters
    ----------
    cv : str | int | splitter | iterable of (train, test)
        As in :func:`evaluate`.
    pairs : CheckedPairs
        What is split.
    random_state : int
        Seed of ``"shuffled"``.

    Returns
    -------
    splits : list of (train, test)
        Rows.
    name : str
        What ``cv`` is called in messages.

    Raises
    ------
    ValueError
        If there is one person and people are to be left out; if a pair is tested more
        than once.
    """
    name, groups = cv, pairs.groups
    if isinstance(cv, str):
        check_option("cv", cv, _NAMES)
        if cv == LEAVE_ONE_PERSON_OUT and len(np.unique(groups)) < 2:
            raise ValueError(
                "cv='leave_one_person_out' needs pairs of two people or more, and "
                "groups= names one. Use cv='within_person'."
            )
        splitter = {
            LEAVE_ONE_PERSON_OUT: LeaveOneGroupOut(),
            WITHIN_PERSON: BlockedWithinPerson(_N_SPLITS, pairs.timeline.gap_volumes),
            SHUFFLED: KFold(_N_SPLITS, shuffle=True, random_state=random_state),
        }[cv]
    else:
        splitter = check_cv(cv)
        is_list = hasattr(cv, "__iter__") and not hasattr(cv, "split")
        name = "The given list of splits" if is_list else type(splitter).__name__
    with warnings.catch_warnings():
        # Splitters that do not need them say so.
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        folds = list(splitter.split(pairs.X, pairs.y, groups))
    splits = [tuple(_as_rows(part, name, len(groups)) for part in f) for f in folds]
    if not splits:
        raise ValueError(f"{name} has no splits: nothing would be tested.")
    tested = np.zeros(len(groups), dtype=int)
    for _, test in splits:
        np.add.at(tested, test, 1)
    if tested.max(initial=0) > 1:
        raise ValueError(
            f"{name} tests {int((tested > 1).sum())} of {len(groups)} pairs more than "
            "once. Use a splitter that tests each pair at most once."
        )
    if any(np.intersect1d(train, test).size for train, test in splits):
        raise ValueError(f"{name} has the same pairs in training and test.")
    return splits, name


def _as_rows(rows, name, n):
    """Turn row numbers or a mask of n pairs into row numbers from zero on."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    fits = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not (fits and rows.max() < n and rows.min() >= -n):
        raise ValueError(
            f"{name} must give training and test pairs as row numbers below {n}, or "
            f"as a mask of {n} pairs, and at least one of each; got an array of "
            f"{rows.dtype} of the shape {rows.shape}."
        )
    return rows % n


class Timeline:
    """When each pair was: its recording, and its time within it.

    Parameters
    ----------
    groups : ndarray, shape (n_pairs,)
        The person of each pair.
    times : ndarray, shape (n_pairs,) | None
        In s, within the recording. Where the times of a person go back, another
        recording begins. Without times, pairs are one volume apart.
    gap : float
        In s, or in volumes where there are no times.
    runs : ndarray of int, shape (n_pairs,) | None
        The recording of each pair, where it is known.

    Attributes
    ----------
    recording : ndarray of int, shape (n_pairs,)
        Number of the recording, which no two people share.
    t_r : float | None
        Median distance of neighbours in s; None without times.
    gap_volumes : int
        The gap in volumes, rounded up, for the person with the shortest repetition
        time.
    """

    def __init__(self, groups, times, gap, runs=None):
        self.gap = gap
        self.recording = np.empty(len(groups), dtype=int)
        self.position = np.empty(len(groups))
        steps, usual, n_recordings = [], [], 0
        for person in np.unique(groups):
            rows = np.flatnonzero(groups == person)
            at = np.arange(len(rows), dtype=float) if times is None else times[rows]
            step = np.diff(at)
            is_new = False if runs is None else np.diff(runs[rows]) != 0
            begins = (step <= 0) | is_new
            within = np.concatenate([[0], np.cumsum(begins)])
            n_back = int((begins & np.logical_not(is_new)).sum())
            if len(rows) > 8 and n_back > len(rows) / 4:
                raise ValueError(
                    f"times of person {person} go back {n_back} times in "
                    f"{len(rows)} pairs: sort the pairs of each person by time."
                )
            self.position[rows] = at
            self.recording[rows] = n_recordings + within
            n_recordings += within[-1] + 1
            steps.append(step[~begins])
            if len(steps[-1]):
                usual.append(float(np.median(steps[-1])))
        steps = np.concatenate(steps)
        self.t_r = None
        if times is not None:
            self.t_r = float(np.median(steps)) if len(steps) else 1.0
        # A little less, so that 30 s are 15 volumes of 2 s in spite of rounding.
        self.gap_volumes = int(np.ceil(gap / min(usual, default=1.0) - 1e-6))


def find_leaks(splits, timeline):
    """Count test pairs that have a training pair of the same recording nearby.

    Parameters
    ----------
    splits : list of (train, test)
        Rows.
    timeline : Timeline
        When pairs were.

    Returns
    -------
    n_near, n_tested : int
        Test pairs with a training pair nearer than the gap, and all test pairs.
    """
    n_near = n_tested = 0
    for train, test in splits:
        n_tested += len(test)
        for recording in np.unique(timeline.recording[test]):
            here = timeline.recording == recording
            known = np.sort(timeline.position[train[here[train]]])
            asked = timeline.position[test[here[test]]]
            if not len(known):
                continue
            after = np.searchsorted(known, asked)
            distances = [
                np.abs(asked - known[np.clip(i, 0, len(known) - 1)])
                for i in (after, after - 1)
            ]
            near = np.minimum(*distances) < timeline.gap * (1 - 1e-6)
            n_near += int(near.sum())
    return n_near, n_tested


def describe_leak(name, n_near, n_tested, timeline):
    """Say in a sentence that splits leak."""
    unit = "volumes" if timeline.t_r is None else "s"
    return (
        f"{name} leaks: {n_near} of {n_tested} test pairs have a training pair of the "
        f"same person nearer than {timeline.gap:g} {unit}, where windows of EEG "
        "overlap and fMRI resembles itself. Use cv='leave_one_person_out', or "
        f"BlockedWithinPerson(gap={timeline.gap_volumes})."
    )


def warn_of_leak(sentence):
    """Warn the caller of :func:`evaluate`."""
    warn_user(sentence, LeakageWarning)
