"""Scores of all predictors in all people."""

import numpy as np

from ._baselines import MODEL, NEEDS_FMRI, PREVIOUS, training_means
from ._copies import LEAST_VOLUMES, find_copies
from ._nulls import null_of_mean, unit_columns
from ._scores import remove_fold_means, score_over_time
from ._verdicts import PersonPrediction

# Gaps between tested pairs, as a share of them.
_MOST_GAPS = 0.1
_NO_IMAGES = dict.fromkeys(("ssim", "ssim_shuffled", "ssim_constant"), np.nan)


class Scorer:
    """Scores predictions, one predictor after the other.

    Parameters
    ----------
    pairs : CheckedPairs
        What is measured.
    splits : list of (train, test)
        Rows.
    images : ImageScores | None
        How to score volumes as images.
    rng : numpy.random.Generator
        Draws shifts for the null of the mean over people.

    Attributes
    ----------
    block : ndarray of int, shape (n_pairs,)
        Pairs of one recording that are tested together have one number; -1 where a
        pair is not tested.
    people : list of PersonPrediction
        The model's predictions.
    copy_share : float | None
        Share of the predictions that past volumes explain, if the model's predictions
        were made of them.
    nulls : list of ShiftNull
        The model's correlations, person by person.
    rows : list of dict
        As in :class:`Evaluation`.
    mean_nulls : dict of (str -> (float, float))
        As in :class:`Evaluation`.

    Raises
    ------
    ValueError
        If a person has too few volumes, or is tested with many gaps.
    """

    def __init__(self, pairs, splits, images, rng):
        self.pairs, self.images = pairs, images
        self.splits, self.rng = splits, rng
        self.fold = np.full(len(pairs.y), -1)
        for number, (_, test) in enumerate(splits):
            self.fold[test] = number
        recording = pairs.timeline.recording
        self.block = self.fold * (recording.max() + 1) + recording
        self.block[self.fold < 0] = -1
        self.tested = [
            (person, rows)
            for person in np.unique(pairs.groups).tolist()
            if len(rows := self._rows_of(person))
        ]
        for person, rows in self.tested:
            self._check_length(person, rows)
            self._check_gaps(person, rows)
        self.people, self.copy_share, self.nulls = [], None, []
        self.rows, self.mean_nulls, self._ceilings = [], {}, {}
        self._bases = images.bases(pairs.groups, splits) if images else None

    def _rows_of(self, person):
        return np.flatnonzero((self.pairs.groups == person) & (self.fold >= 0))

    def _check_length(self, person, rows):
        """See that there are enough pairs for scores over time."""
        gap = self.pairs.timeline.gap_volumes
        n_all = int((self.pairs.groups == person).sum())
        who = f"Person {person} has {len(rows)} volumes to test"
        who += f" (of {n_all}; cv= tests no more)" if len(rows) < n_all else ""
        if len(rows) < LEAST_VOLUMES:
            raise ValueError(
                f"{who}, and scores over time need {LEAST_VOLUMES}. Leave the person "
                "out, as with pairs.pick(...), or test more."
            )
        if len(rows) < 2 * gap:
            raise ValueError(
                f"{who}, and scores over time need {2 * gap}: they are compared with "
                f"predictions shifted by gap= ({gap} volumes) or more. Leave the "
                "person out, as with pairs.pick(...), or give a smaller gap=."
            )
        if np.unique(self.block[rows], return_counts=True)[1].max() < 2:
            raise ValueError(
                f"Each fold tests one volume of person {person}, and scores are of "
                "what changes within a fold: use fewer folds."
            )

    def _check_gaps(self, person, rows):
        """See that tested pairs follow each other."""
        others = np.flatnonzero(self.pairs.groups == person)
        n_gaps = int((np.diff(np.searchsorted(others, rows)) > 1).sum())
        if n_gaps > _MOST_GAPS * len(rows):
            raise ValueError(
                f"Of person {person}, {len(rows)} of {len(others)} pairs are tested, "
                f"with {n_gaps} gaps between them. Copies of earlier volumes, and what "
                "slow signals have in common by chance, can be seen only in pairs that "
                "follow each other: test blocks, or all pairs once."
            )

    def score_model(self, predicted, inside=None):
        """Score the model and see whether its predictions are copies.

        Parameters
        ----------
        predicted : ndarray, shape (n_pairs, n_targets)
            Its predictions; rows that were not tested do not count.
        inside : ndarray of bool, shape (n_pairs, n_targets) | None
            Which measured values lie in the intervals of the prediction.
        """
        measured = self.pairs.values
        means = training_means(measured, self.splits)
        self.people = [
            PersonPrediction(
                person, predicted[rows], measured[rows], self.block[rows], means[rows]
            )
            for person, rows in self.tested
        ]
        is_copy, share = find_copies(
            [
                (person.predicted, person.measured)
                for person in self.people
                if not person.is_constant
            ],
            self.pairs.timeline.t_r,
        )
        self.copy_share = share if is_copy else None
        self.nulls = self._score(MODEL, predicted, inside, is_copy)

    def score_baseline(self, name, predicted, inside=None):
        """Score a baseline; parameters are as in :meth:`score_model`."""
        self._score(name, predicted, inside, name == PREVIOUS)

    def _score(self, name, predicted, inside, is_copy):
        """Add one row per person, and return the correlations of each."""
        nulls = []
        for person, rows in self.tested:
            p, y = predicted[rows], self.pairs.values[rows]
            gap = self.pairs.timeline.gap_volumes
            row, null = score_over_time(p, y, self.block[rows], gap, is_copy)
            ceiling = self._ceiling_of(person, rows)
            self.rows.append(
                {
                    "predictor": name,
                    "person": person,
                    "needs_fmri": name in NEEDS_FMRI,
                    **row,
                    "coverage": _coverage(inside, rows, y),
                    **self._score_images(name, person, rows, p, y),
                    "r_ceiling": ceiling,
                    "fraction_of_ceiling": row["r"] / (ceiling or np.nan),
                }
            )
            nulls.append(null)
        self.mean_nulls[name] = null_of_mean(nulls, self.rng)
        return nulls

    def _score_images(self, name, person, rows, p, y):
        if self.images is None:
            return _NO_IMAGES
        if self._bases is None:
            return self.images.score(p, y)
        own = self.images.mean_volumes[person]
        base = self._bases[self.fold[rows]]
        if name in NEEDS_FMRI:
            base = np.broadcast_to(own, p.shape)
        return self.images.score(p, y, own=own, base=base)

    def _ceiling_of(self, person, rows):
        """Correlate what EEG can explain with what is measured, as predictions."""
        if self.pairs.ceiling is None:
            return np.nan
        if person not in self._ceilings:
            visible, measured = (
                unit_columns(remove_fold_means(x[rows], self.block[rows]))
                for x in (self.pairs.ceiling, self.pairs.values)
            )
            r = (visible * measured).sum(axis=0, dtype=float)[measured.any(axis=0)]
            self._ceilings[person] = float(r.mean())
        return self._ceilings[person]


def _coverage(inside, rows, measured):
    """Return the share of values inside their intervals, of targets that change."""
    if inside is None:
        return np.nan
    changes = np.ptp(measured, axis=0) > 0
    return float(inside[rows][:, changes].mean())
