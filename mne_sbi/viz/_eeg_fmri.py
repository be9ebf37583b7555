"""Figures of predictions of fMRI: time courses, and scores of each person."""

import numpy as np

from .._checks import check_array, check_one_per
from ._style import (
    POSTERIOR,
    TRUTH,
    axis_label,
    finish,
    grid_shape,
    hide_spines,
    make_panels,
)

# Probability of the intervals, and how many standard deviations reach so far.
_LEVEL, _REACH = 0.9, 1.645
# Columns of y that are drawn unless told otherwise.
_N_SHOWN = 5
# People whose colours can be told apart, and named.
_MOST_COLOURS = 10
# Height of a predictor's row that people share.
_ROW = 0.7
# Skill below minus the larger of these, the second times the best, is beyond the panel:
# what copies volumes would make all others look alike.
_LEAST_SKILL, _SKILL_RANGE = 0.02, 1.5


def plot_time_courses(
    times, measured, predicted, std=None, *, names=None, picks=None, unit="%", show=True
):
    """Plot measured and predicted fMRI over time.

    Parameters
    ----------
    times : array, shape (n_times,)
        Times of the volumes of one recording, in s.
    measured, predicted : array, shape (n_times, n_columns) | (n_times,)
        fMRI at voxels or in parcels, or averaged over them. Where predictions are NaN,
        nothing is drawn.
    std : array, shape as predicted | (n_columns,) | None
        Standard deviation of the errors, as ``predict(X, return_std=True)`` returns it:
        a band holds 90 % of what is measured if errors are normal.
    names : sequence of str | None
        Names of the columns.
    picks : sequence of int | None
        The columns to show; by default at most five, evenly spread over all.
    unit : str
        Unit of the values.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure. Above each panel stand the correlation over time and the share of
        measured volumes that lie in the band.

    Raises
    ------
    ValueError
        If shapes do not fit together, times do not increase, or a standard deviation
        is negative.
    """
    times = check_array("times", times, shape=("n_times",))
    if (np.diff(times) <= 0).any():
        raise ValueError(
            "times must increase, but go back: they are of several recordings. Plot "
            "the pairs of one recording, such as those with pairs.runs == 0."
        )
    measured = _as_columns("measured", measured, len(times), None)
    predicted = _as_columns("predicted", predicted, len(times), measured.shape[1])
    if std is not None:
        std = _check_std(std, measured.shape)
    n_columns = measured.shape[1]
    if names is None:
        names = [f"column {i}" for i in range(n_columns)] if n_columns > 1 else [""]
    names = check_one_per("names", names, n_columns, "column")
    picks = _check_picks(picks, n_columns)
    fig, axes = make_panels(*grid_shape(len(picks), 1), panel=(8.5, 1.7), sharex=True)
    for ax, column in zip(axes[:, 0], picks, strict=True):
        sd = None if std is None else std[:, column]
        x, p = measured[:, column], predicted[:, column]
        _draw_time_course(ax, times, x, p, sd, names[column])
        ax.set_ylabel(axis_label("change", unit))
    axes[-1, 0].set_xlabel("time (s)")
    handles = axes[0, 0].get_legend_handles_labels()
    fig.legend(*handles, loc="outside upper right", ncols=3, frameon=False)
    return finish(fig, show)


def _as_columns(name, values, n_times, n_columns):
    """Return values as (n_times, n_columns)."""
    values = check_array(name, values, finite=name != "predicted")
    if values.ndim == 1:
        values = values[:, np.newaxis]
    return check_array(name, values, shape=(n_times, n_columns), finite=False)


def _check_std(std, shape):
    std = check_array("std", std)
    if std.ndim == 1 and shape == (len(std), 1):
        std = std[:, np.newaxis]
    if std.shape not in (shape, shape[1:], ()):
        raise ValueError(
            f"std must have the shape of predicted, {shape}, or {shape[1:]}, got "
            f"{std.shape}."
        )
    if (std < 0).any():
        raise ValueError("std must not be negative.")
    return np.broadcast_to(std, shape)


def _check_picks(picks, n_columns):
    """Return the columns to show."""
    if picks is None:
        n_shown = min(_N_SHOWN, n_columns)
        return np.linspace(0, n_columns - 1, n_shown).round().astype(int)
    picks = np.atleast_1d(check_array("picks", picks, dtype=int))
    if not picks.size or picks.min() < -n_columns or picks.max() >= n_columns:
        raise ValueError(
            f"picks must be columns from 0 to {n_columns - 1}, got {picks.tolist()}."
        )
    return picks % n_columns


def _draw_time_course(ax, times, measured, predicted, std, name):
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    parts = [name] if name else []
    known = np.isfinite(predicted)
    if known.sum() > 2 and measured[known].std() and predicted[known].std():
        r = np.corrcoef(measured[known], predicted[known])[0, 1]
        parts.append(f"r = {r:.2f}")
    if std is not None:
        reach = _REACH * std
        ax.fill_between(
            times,
            predicted - reach,
            predicted + reach,
            color=POSTERIOR,
            alpha=0.18,
            lw=0,
            label=f"{_LEVEL:.0%} interval",
        )
        inside = (np.abs(measured - predicted) <= reach)[known]
        if inside.size:
            parts.append(f"{inside.mean():.0%} of volumes in the interval")
    ax.plot(times, measured, color="0.25", lw=1, label="measured")
    ax.plot(times, predicted, color=POSTERIOR, lw=1.6, label="predicted")
    ax.set_title(", ".join(parts), fontsize="small", loc="left")
    ax.set_xlim(times[0], times[-1])
    hide_spines(ax)


def plot_evaluation(evaluation, *, show=True):
    """Plot the scores of each person, for the model and the baselines.

    A dot is a person. On the left, the temporal correlation: the grey bar ends at what
    95 % of circular shifts in time of the same predictions stay below, and the black
    line is what EEG can explain, where this is known. On the right, skill: zero is as
    good as the reference, and an arrow stands for what is beyond the panel.

    Parameters
    ----------
    evaluation : Evaluation
        What :func:`mne_sbi.eeg_fmri.evaluate` returned.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    import matplotlib.pyplot as plt

    table = evaluation.table
    predictors = list(dict.fromkeys(table["predictor"]))
    people = list(evaluation.people)
    height = max(0.45, min(0.12 * len(people) + 0.15, 1.6)) * len(predictors)
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(8.5, max(2.6, height + 1.2)), layout="constrained", sharey=True
    )
    # Where people of a predictor stand, the first one on top.
    table = table.assign(
        row=[predictors.index(name) for name in table["predictor"]]
        + _offsets(len(people))[[people.index(name) for name in table["person"]]]
    )
    for ax in (left, right):
        ax.axvline(0, color="0.6", lw=0.8, zorder=0)
        for row in range(1, len(predictors)):
            ax.axhline(row - 0.5, color="0.9", lw=0.6, zorder=0)
        ax.tick_params(axis="y", length=0)
        hide_spines(ax)
    _draw_nulls(left, table, len(people))
    _draw_skill_limits(right, table)
    _draw_people(left, table, "r", people)
    _draw_people(right, table, "skill", people)
    _name_predictors(left, table, predictors)
    left.set_xlabel("temporal correlation r, mean over targets")
    right.set_xlabel("skill (1 - ratio of squared errors)")
    handles, labels = left.get_legend_handles_labels()
    if len(people) > _MOST_COLOURS:
        named = [i for i, label in enumerate(labels) if label not in map(str, people)]
        handles, labels = [handles[i] for i in named], [labels[i] for i in named]
    fig.legend(
        handles,
        labels,
        loc="outside upper right",
        ncols=min(len(handles), 7),
        frameon=False,
        fontsize="small",
    )
    fig.suptitle(_title(evaluation), x=0.01, ha="left", fontsize="medium")
    return finish(fig, show)


def _draw_people(ax, table, score, people):
    """Draw a score, with dots of one colour for each person."""
    for person, colour in zip(people, _colours(len(people)), strict=True):
        rows = table[table["person"] == person]
        ax.plot(
            rows[score],
            rows["row"],
            ls="",
            marker="o",
            ms=5 if len(people) <= _MOST_COLOURS else 3.5,
            color=colour,
            mec="w",
            mew=0.5,
            label=str(person),
            zorder=3,
        )


def _title(evaluation):
    """Say how training and test were split, and whether this leaks."""
    title = evaluation.cv.replace("_", " ")
    if not evaluation.leaks:
        return title
    return f"{title}: LEAKS, training pairs are too near to test pairs"


def _offsets(n_people):
    """Return where people stand in the row of a predictor."""
    if n_people == 1:
        return np.zeros(1)
    return _ROW * (np.arange(n_people) / (n_people - 1) - 0.5)


def _colours(n_people):
    from matplotlib import colormaps

    if n_people <= _MOST_COLOURS:
        return colormaps["tab10"].colors[:n_people]
    # No legend could name so many: the order is that of evaluation.people.
    return [POSTERIOR] * n_people


def _draw_nulls(ax, table, n_people):
    """Draw the null of each person as a bar, and the ceiling as a line."""
    size = 0.8 * _ROW / max(n_people - 1, 1)
    ax.barh(
        table["row"],
        table["r_null95"],
        height=min(size, 0.35),
        color="0.82",
        label="null, 95 %",
        zorder=1,
    )
    known = table[np.isfinite(table["r_ceiling"])]
    if len(known):
        half = min(size, 0.35) / 2
        ax.vlines(
            known["r_ceiling"],
            known["row"] - half,
            known["row"] + half,
            color="k",
            lw=1.2,
            label="ceiling",
            zorder=2,
        )


def _draw_skill_limits(ax, table):
    """Set the range of skill, with arrows for what is beyond it."""
    skill = table["skill"].to_numpy()
    best = np.nanmax(skill)
    least = -max(_LEAST_SKILL, _SKILL_RANGE * best)
    beyond = table[skill < least]
    low = max(np.nanmin(skill), least)
    margin = 0.08 * (max(best, 0) - min(low, 0) or 1)
    ax.set_xlim(min(low, 0) - margin, max(best, 0) + margin)
    ax.locator_params(axis="x", nbins=5)
    edge = ax.get_xlim()[0]
    for _, rows in beyond.groupby("predictor", sort=False):
        ax.plot(
            np.full(len(rows), edge),
            rows["row"],
            ls="",
            marker=4,  # points to the left
            ms=6,
            color=TRUTH,
            clip_on=False,
            zorder=4,
        )
        values = rows["skill"]
        text = f"{values.min():.2f}"
        if len(rows) > 1:
            text += f" to {values.max():.2f}"
        ax.annotate(
            text,
            (edge, rows["row"].mean()),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=TRUTH,
            fontsize="small",
        )


def _name_predictors(ax, table, predictors):
    first = table.drop_duplicates("predictor").set_index("predictor")
    labels = [
        f"{name}\n(needs fMRI)" if first.loc[name, "needs_fmri"] else name
        for name in predictors
    ]
    ax.set_yticks(range(len(predictors)), labels)
    ax.set_ylim(len(predictors) - 0.5, -0.5)
    for label, name in zip(ax.get_yticklabels(), predictors, strict=True):
        if first.loc[name, "needs_fmri"]:
            label.set_color("0.45")
