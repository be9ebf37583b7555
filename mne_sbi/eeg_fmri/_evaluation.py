"""Scores of an EEG-to-fMRI model, person by person, beside what they mean."""

from dataclasses import dataclass, field

import numpy as np

from .._frozen import FrozenArrays
from ._verdicts import describe_checks

# Columns of the summary that are means over people.
_MEANS = (
    "skill",
    "r2",
    "r",
    "r_null95",
    "share_above",
    "coverage",
    "rmse",
    "ssim",
    "ssim_shuffled",
    "ssim_constant",
    "r_ceiling",
    "fraction_of_ceiling",
)
# Those that are shown where there is little room.
_SHOWN = (
    "skill",
    "worst_skill",
    "r",
    "r_null95",
    "n_above",
    "coverage",
    "ssim",
    "fraction_of_ceiling",
    "reference",
)


@dataclass(frozen=True, repr=False, eq=False)
class Evaluation(FrozenArrays):
    """Scores of a model and of baselines, person by person.

    Made by :func:`evaluate`.

    Parameters
    ----------
    rows : tuple of dict
        One for each predictor and person; see :attr:`table`.
    verdicts : dict of (str -> str)
        What is wrong with the predictions, or with what a score seems to say, by name:
        ``"leak"``, ``"constant"``, ``"own mean"``, ``"copies previous volumes"``,
        ``"time shuffle"``, ``"constant image"``, ``"below null"``, ``"below mean"``,
        ``"below ridge"``, ``"above ceiling"``, ``"overconfident"``.
    cv : str
        How training and test pairs were split.
    people : tuple
        The people, in the order of the rows and of ``r`` and ``r_null95``.
    r, r_null95 : ndarray of float32, shape (n_people, n_targets)
        The model's temporal correlation at each target, and the 95 % quantile of the
        same over circular shifts.
    mean_nulls : dict of (str -> (float, float))
        For each predictor, the 95 % quantile of the mean of ``r`` over people whose
        predictions are shifted independently, and the probability of the mean.
    predictions : ndarray of float32, shape as y | None
        The model's predictions; NaN where a pair was not tested.
    missing : dict of (str -> str)
        Baselines that could not be computed, and why.
    warnings : tuple of str
        What was warned of, also where a log level has silenced it.
    """

    rows: tuple
    verdicts: dict
    cv: str
    people: tuple
    r: np.ndarray
    r_null95: np.ndarray
    mean_nulls: dict
    predictions: np.ndarray | None = None
    missing: dict = field(default_factory=dict)
    warnings: tuple = ()

    def __post_init__(self):
        for array in (self.r, self.r_null95, self.predictions):
            if array is not None:
                array.flags.writeable = False

    @property
    def leaks(self):
        """Whether training pairs were so near to test pairs that scores say little."""
        return "leak" in self.verdicts

    @property
    def table(self):
        """Scores of each predictor and person.

        A pandas.DataFrame with the columns

        - ``predictor``: ``"model"``, or the name of a baseline; ``needs_fmri`` is true
          for those that know fMRI of the person.
        - ``person``, ``n_volumes``.
        - ``skill``: one minus the ratio of squared errors, summed over volumes and
          targets, to those of the ``reference``: the person's own mean, or, for
          predictions that were made of measured volumes, what these give for nothing.
        - ``r2``: the same over the person's own mean, for all predictors. What differs
          between recordings, or between blocks tested apart, only does not count.
        - ``r``: temporal correlation within folds, averaged over targets; ``r_null95``
          and ``p``: the 95 % quantile and the probability of the same for predictions
          that are shifted circularly in time; ``share_above``: share of targets whose
          correlation exceeds the quantile of their own shifts, of which 5 % do by
          chance.
        - ``coverage``: share of measured values within the 90 % intervals of the
          prediction, for normal errors of the standard deviation that the estimator
          gives, of targets that change; NaN where it gives none.
        - ``rmse``, in the unit of y, and ``rmse_shuffled`` and ``rmse_constant``, of
          the predictions in random order and of their mean over time.
        - ``ssim``, ``ssim_shuffled``, ``ssim_constant``: structural similarity of
          volumes; NaN where the place of voxels is not known.
        - ``r_ceiling`` and ``fraction_of_ceiling``: temporal correlation of what EEG
          can explain, and the quotient; NaN where it is not known.
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    @property
    def checks(self):
        """How many checks the model passed, and what was not checked and why, a str."""
        return describe_checks(self.rows, self.verdicts, self.missing)

    def summary(self):
        """Average over people.

        Returns
        -------
        summary : pandas.DataFrame
            One row per predictor: the means of the columns of :attr:`table`, but
            ``r_null95`` and ``p`` are those of the mean ``r``; ``n_people``;
            ``n_above``, the number of people whose ``r`` exceeds its own null;
            ``worst_skill`` and ``worst_person``; and ``reference``.
        """
        import pandas as pd

        rows = {}
        for name, rows_of in self.table.groupby("predictor", sort=False):
            worst = rows_of.loc[rows_of["skill"].idxmin()]
            rows[name] = {
                **rows_of[list(_MEANS)].mean(),
                **dict(zip(("r_null95", "p"), self.mean_nulls[name], strict=True)),
                "n_people": len(rows_of),
                "n_above": int((rows_of["r"] > rows_of["r_null95"]).sum()),
                "worst_skill": worst["skill"],
                "worst_person": worst["person"],
                "reference": worst["reference"],
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("predictor")

    def plot(self, *, show=True):
        """Plot the scores of each person, for the model and the baselines.

        Parameters
        ----------
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure; see :func:`mne_sbi.viz.plot_evaluation`.
        """
        from ..viz import plot_evaluation

        return plot_evaluation(self, show=show)

    def add_to_report(self, report, *, title=None, figures=None, tags=("mne-sbi",)):
        """Add a section with the scores to a report of MNE-Python.

        The section holds the verdicts, what was not compared and why, the summary, the
        scores of each person, and their figure.

        Parameters
        ----------
        report : mne.Report
            The report.
        title : str | None
            Title of the section, by default ``"EEG to fMRI"``.
        figures : dict of (str -> matplotlib.figure.Figure) | None
            Further figures by their headings, such as those of
            :meth:`PredictionPatterns.plot` and :func:`mne_sbi.viz.plot_volumes`. They
            stay open.
        tags : tuple of str
            Tags by which readers of the report filter.

        Raises
        ------
        TypeError
            If the report, the figures or the tags are something else.
        """
        from ._report import report_evaluation

        place = {"section": title or "EEG to fMRI", "tags": tags}
        report_evaluation(report, self, figures, place)

    def __repr__(self):
        shown = self.summary()[list(_SHOWN)].dropna(axis=1, how="all").reset_index()
        leaks = " (LEAKS)" if self.leaks else ""
        n_volumes = sum(r["n_volumes"] for r in self.rows if r["predictor"] == "model")
        plural = "person" if len(self.people) == 1 else "people"
        lines = [
            f"<Evaluation | {self.cv}{leaks}, {len(self.people)} {plural}, {n_volumes} "
            f"volumes, {self.r.shape[1]} targets>",
            shown.to_string(index=False, float_format=lambda x: f"{x:.3f}"),
        ]
        lines += [f"{name}: {sentence}" for name, sentence in self.verdicts.items()]
        lines += [f"warning: {text}" for text in self.warnings]
        lines.append(self.checks)
        return "\n".join(lines)
