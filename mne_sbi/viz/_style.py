"""Colours, labels and panels that all figures share."""

import numpy as np

POSTERIOR = "#1f6f9f"
TRUTH = "#c8452f"
PRIOR = "0.6"
PANEL = 2.4  # inches


def in_display_unit(unit):
    """Choose the unit in which values are shown.

    Parameters
    ----------
    unit : str
        The SI unit.

    Returns
    -------
    factor : float
        What to multiply values with.
    unit : str
        The unit shown: time constants are a few milliseconds, potentials of neurons a
        few millivolts.
    """
    return (1e3, f"m{unit}") if unit in ("s", "V") else (1.0, unit)


def axis_label(name, unit):
    """Join a name and a unit in brackets, if there is one."""
    return f"{name} ({unit})" if unit else name


def make_panels(n_rows, n_columns, *, panel=PANEL, **kwargs):
    """Make a figure of panels.

    Parameters
    ----------
    n_rows, n_columns : int
        Number of panels.
    panel : float | tuple of float
        Size of one panel in inches, or its width and height.
    **kwargs : dict
        For :func:`matplotlib.pyplot.subplots`.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    axes : ndarray of matplotlib.axes.Axes, shape (n_rows, n_columns)
        The panels.
    """
    import matplotlib.pyplot as plt

    width, height = np.broadcast_to(panel, 2)
    return plt.subplots(
        n_rows,
        n_columns,
        figsize=(max(width * n_columns, 3.2), height * n_rows + 0.4),
        layout="constrained",
        squeeze=False,
        **kwargs,
    )


def grid_shape(n, n_columns_most=4):
    """Choose rows and columns for n panels."""
    n_columns = min(n, n_columns_most)
    return -(-n // n_columns), n_columns


def hide_spines(ax, sides=("top", "right")):
    """Remove sides of a panel's frame."""
    ax.spines[list(sides)].set_visible(False)


def fit_to_pixels(fig):
    """Shrink a figure by less than a pixel, to whole pixels at its resolution.

    MNE-Python's reports truncate the size in pixels where Matplotlib rounds 459.99...
    up, and the picture is sheared. The quarter keeps both away from the next number.
    """
    pixels = np.floor(fig.get_size_inches() * fig.dpi + 1e-6)
    fig.set_size_inches((pixels + 0.25) / fig.dpi)


def finish(fig, show):
    """Show a figure if asked to, and return it."""
    fit_to_pixels(fig)
    if show:
        fig.show() if _is_interactive() else None
    return fig


def _is_interactive():
    """Tell whether the backend can open windows: others warn when asked to."""
    import matplotlib

    return matplotlib.get_backend().lower() not in _without_windows()


def _without_windows():
    from matplotlib.backends import BackendFilter, backend_registry

    return backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE)


def save_and_close(fig, fname):
    """Save a figure and forget it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure.
    fname : path-like
        The file, whose suffix tells the format.
    """
    import matplotlib.pyplot as plt

    fig.savefig(fname, dpi=150)
    plt.close(fig)
