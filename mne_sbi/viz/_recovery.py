"""Figure of estimated against true parameters."""

import numpy as np

from .._checks import check_array, check_one_per
from ._style import (
    POSTERIOR,
    PRIOR,
    axis_label,
    finish,
    grid_shape,
    hide_spines,
    in_display_unit,
    make_panels,
)

# More points than this hide each other.
_N_POINTS = 2000


def plot_recovery(true, estimated, *, names, units, std=None, show=True):
    """Plot estimated against true parameters.

    Each panel's title gives the coefficient of determination over all simulations.

    Parameters
    ----------
    true : array, shape (n, n_params)
        The parameters that were simulated, in SI units.
    estimated : array, shape (n, n_params)
        Their estimates.
    names : sequence of str
        Names of the parameters.
    units : sequence of str
        Their SI units.
    std : array, shape (n, n_params) | None
        Posterior standard deviations, drawn as bars for the first 100 simulations.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    names = check_one_per("names", names, None, "parameter")
    n_params = len(names)
    units = check_one_per("units", units, n_params, "parameter")
    true = check_array("true", true, shape=(None, n_params))
    estimated = check_array("estimated", estimated, shape=true.shape)
    if std is not None:
        std = check_array("std", std, shape=true.shape)
    fig, axes = make_panels(*grid_shape(n_params), panel=(2.5, 2.9))
    for ax in axes.flat[n_params:]:
        ax.set_visible(False)
    panels = zip(axes.flat, names, units, strict=False)
    for i, (ax, name, unit) in enumerate(panels):
        factor, unit = in_display_unit(unit)
        bars = None if std is None else factor * std[:100, i]
        _draw(ax, factor * true[:, i], factor * estimated[:, i], bars)
        ax.set_xlabel(f"true {axis_label(name, unit)}")
    for ax in axes[:, 0]:
        ax.set_ylabel("estimated")
    return finish(fig, show)


def _draw(ax, true, estimated, bars):
    limits = [min(true.min(), estimated.min()), max(true.max(), estimated.max())]
    margin = 0.04 * (limits[1] - limits[0])
    limits = [limits[0] - margin, limits[1] + margin]
    ax.plot(limits, limits, color=PRIOR, lw=1)
    if bars is not None:
        n = len(bars)
        ax.errorbar(
            true[:n],
            estimated[:n],
            bars,
            fmt="none",
            ecolor=POSTERIOR,
            alpha=0.4,
            lw=0.8,
        )
    n_points = min(_N_POINTS, len(true))
    ax.plot(
        true[:n_points],
        estimated[:n_points],
        ".",
        color=POSTERIOR,
        # Smaller and lighter where there are many.
        ms=4 if n_points <= 300 else 2.5,
        alpha=0.8 if n_points <= 300 else 0.4,
        mec="none",
    )
    variance = np.var(true)
    if variance > 0.0:
        r2 = 1.0 - np.mean(np.square(estimated - true)) / variance
        ax.set_title(f"R² = {r2:.3f}", fontsize="medium")
    ax.set(xlim=limits, ylim=limits, box_aspect=1)
    hide_spines(ax)
