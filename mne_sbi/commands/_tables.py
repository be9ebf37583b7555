"""Tables for the terminal."""


def format_table(rows):
    """Align cells in columns.

    Parameters
    ----------
    rows : list of sequence of str
        The cells, as many in each row.

    Returns
    -------
    lines : list of str
        A line for each row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def format_posterior(posterior):
    """Lay out means and 90 % intervals, a row per observation.

    Parameters
    ----------
    posterior : Posterior
        The posterior.

    Returns
    -------
    lines : list of str
        The table, in units of display.
    """
    from ..viz._style import axis_label, in_display_unit

    lower, upper = posterior.interval(0.9)
    units = [in_display_unit(unit) for unit in posterior.units]
    names = zip(posterior.names, units, strict=True)
    rows = [["", *(axis_label(name, unit) for name, (_, unit) in names)]]
    for i, obs in enumerate(posterior.obs_names or range(posterior.n_obs)):
        cells = [
            f"{factor * posterior.mean[i, j]:.3g} "
            f"[{factor * lower[i, j]:.3g}, {factor * upper[i, j]:.3g}]"
            for j, (factor, _) in enumerate(units)
        ]
        rows.append([str(obs), *cells])
    return format_table(rows)
