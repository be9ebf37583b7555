"""Pieces of a section in a report of MNE-Python."""

import html

from ._style import fit_to_pixels, in_display_unit

# Numbers of the table that have the unit of the parameter.
_WITH_UNIT = ("mean", "sd", "median", "lower", "upper")


def add_html(report, content, title, *, section, tags):
    """Add HTML to a section.

    Parameters
    ----------
    report : mne.Report
        The report.
    content : str
        The HTML.
    title : str
        Its heading.
    section : str
        The section.
    tags : tuple of str
        Tags by which readers filter.
    """
    report.add_html(content, title=title, section=section, tags=tags)


def add_figures(report, make, captions, title, *, section, tags):
    """Make figures, add them to a section behind one slider, and close them.

    Parameters
    ----------
    report : mne.Report
        The report.
    make : callable
        ``make(i)`` returns figure number i.
    captions : list of str
        A caption for each figure, which also says how many there are.
    title : str
        Their heading.
    section : str
        The section.
    tags : tuple of str
        Tags by which readers filter.
    """
    import matplotlib.pyplot as plt

    figures = []
    try:
        figures += [make(i) for i in range(len(captions))]
        add_open_figures(report, figures, captions, title, section=section, tags=tags)
    finally:
        for figure in figures:
            plt.close(figure)


def add_open_figures(report, figures, captions, title, *, section, tags):
    """Add figures to a section behind one slider, and leave them open.

    Parameters
    ----------
    report : mne.Report
        The report.
    figures : list of matplotlib.figure.Figure
        The figures. Their size becomes a whole number of pixels.
    captions : list of str | None
        A caption for each figure.
    title : str
        Their heading.
    section : str
        The section.
    tags : tuple of str
        Tags by which readers filter.
    """
    for figure in figures:
        fit_to_pixels(figure)
    one = len(figures) == 1
    report.add_figure(
        figures[0] if one else figures,
        title=title,
        caption=captions[0] if one and captions else captions,
        section=section,
        tags=tags,
    )


def add_warnings(report, warnings, *, section, tags):
    """Add what may make the rest of a section wrong, if there is anything.

    Parameters
    ----------
    report : mne.Report
        The report.
    warnings : iterable of str
        The warnings; each is listed once.
    section : str
        The section.
    tags : tuple of str
        Tags by which readers filter.
    """
    rows = [[text] for text in dict.fromkeys(warnings)]
    if rows:
        content = rows_to_html(None, rows)
        add_html(report, content, "Warnings", section=section, tags=tags)


def parameters_to_html(table):
    """Write the table of :meth:`Posterior.summary` in units of display.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.

    Returns
    -------
    content : str
        HTML.
    """
    rows = []
    for row in table.to_dict("records"):
        factor, row["unit"] = in_display_unit(row["unit"])
        for name in _WITH_UNIT:
            row[name] = f"{factor * row[name]:.4g}"
        if "contraction" in row:
            row["contraction"] = f"{row['contraction']:.2f}"
        rows.append(row.values())
    return rows_to_html(table.columns, rows)


def table_to_html(table):
    """Write a data frame with numbers of three digits.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.

    Returns
    -------
    content : str
        HTML.
    """
    rows = [
        [f"{v:.3f}" if isinstance(v, float) else v for v in row]
        for row in table.itertuples(index=False)
    ]
    return rows_to_html(table.columns, rows)


def rows_to_html(head, rows):
    """Write a table.

    Parameters
    ----------
    head : iterable of str | None
        Heads of the columns; ``None`` for none.
    rows : iterable of iterable
        The cells.

    Returns
    -------
    content : str
        HTML, with everything escaped.
    """
    lines = ['<table class="table table-sm table-striped">']
    if head is not None:
        cells = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head)
        lines.append(f"<thead><tr>{cells}</tr></thead>")
    lines.append("<tbody>")
    for row in rows:
        cells = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    lines.append("</tbody></table>")
    return "\n".join(lines)


def paragraph(text):
    """Write a paragraph."""
    return f"<p>{html.escape(text)}</p>"
