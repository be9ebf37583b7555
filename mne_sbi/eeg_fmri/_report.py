"""A section with the scores of an EEG-to-fMRI model in a report of MNE-Python."""

from ._baselines import MODEL, NEEDS_FMRI

# Columns of the table of people that are for reading.
_OF_PEOPLE = (
    "predictor",
    "person",
    "n_volumes",
    "skill",
    "reference",
    "r",
    "r_null95",
    "p",
    "share_above",
    "coverage",
    "rmse",
    "ssim",
    "r_ceiling",
    "fraction_of_ceiling",
)
_OF_SUMMARY = (
    "predictor",
    "skill",
    "worst_skill",
    "worst_person",
    "reference",
    "r",
    "r_null95",
    "p",
    "n_above",
    "n_people",
    "coverage",
    "rmse",
    "ssim",
    "r_ceiling",
    "fraction_of_ceiling",
)


def report_evaluation(report, evaluation, figures, place):
    """Add verdicts, tables and figures; see :meth:`Evaluation.add_to_report`.

    Parameters
    ----------
    report : mne.Report
        The report.
    evaluation : Evaluation
        The scores.
    figures : dict of (str -> matplotlib.figure.Figure) | None
        Further figures.
    place : dict
        Section and tags.
    """
    from ..viz import plot_evaluation
    from ..viz._report import add_figures, add_html, add_open_figures, add_warnings

    figures = _check(report, figures, place["tags"])
    place = place | {"tags": tuple(place["tags"])}
    add_warnings(report, evaluation.warnings, **place)
    add_html(report, _write_verdicts(evaluation), "Verdicts", **place)
    summary = evaluation.summary().reset_index()
    add_html(report, _to_html(summary, _OF_SUMMARY), "Means over people", **place)
    caption = (
        "A dot is a person. Grey bars end at the 95 % quantile of circular shifts in "
        "time, black lines are what EEG can explain, where it is known. Zero skill is "
        "as good as the reference."
    )
    add_figures(
        report,
        lambda i: plot_evaluation(evaluation, show=False),
        [caption],
        "Scores of each person",
        **place,
    )
    people = _to_html(evaluation.table, _OF_PEOPLE)
    add_html(report, people, "Scores of each person in numbers", **place)
    for heading, figure in figures.items():
        add_open_figures(report, [figure], None, heading, **place)


def _check(report, figures, tags):
    import mne

    if not isinstance(report, mne.Report):
        raise TypeError(
            f"report must be an mne.Report, got {type(report).__name__}. Write "
            "report = mne.Report(title=...)."
        )
    if isinstance(tags, str):
        raise TypeError(
            f"tags must be a tuple of strings, got {tags!r}. Write ({tags!r},)."
        )
    figures = {} if figures is None else figures
    if not isinstance(figures, dict) or not all(
        hasattr(figure, "savefig") for figure in figures.values()
    ):
        raise TypeError(
            "figures must be a dictionary of figures by heading, such as {'Patterns': "
            f"patterns.plot(pairs.info)}}; got {figures!r}."
        )
    return figures


def _write_verdicts(evaluation):
    """Write how was tested, what was found, and what was not compared."""
    from ..viz._report import paragraph, rows_to_html

    n_volumes = sum(
        row["n_volumes"] for row in evaluation.rows if row["predictor"] == MODEL
    )
    n_people = len(evaluation.people)
    text = (
        f"Split: {evaluation.cv.replace('_', ' ')}. Tested: {n_volumes} volumes of "
        f"{n_people} {'person' if n_people == 1 else 'people'}, "
        f"{evaluation.r.shape[1]} targets."
    )
    parts = [paragraph(text)]
    if evaluation.verdicts:
        parts.append(rows_to_html(None, evaluation.verdicts.items()))
    parts.append(paragraph(f"{evaluation.checks}."))
    return "\n".join(parts)


def _to_html(table, columns):
    """Write columns that have a value."""
    from ..viz._report import table_to_html

    shown = table[list(columns)].dropna(axis=1, how="all").round(3)
    numbers = shown.select_dtypes("float").columns
    # Rounding leaves negative zeros.
    shown[numbers] += 0.0
    return table_to_html(
        shown.assign(
            predictor=[
                f"{name} (needs fMRI)" if name in NEEDS_FMRI else name
                for name in table["predictor"]
            ],
            p=[f"{p:.2g}" for p in table["p"]],
        )
    )
