"""Figures of calibration: coverage of intervals, ranks of true values."""

import numpy as np

from ._style import (
    PRIOR,
    finish,
    grid_shape,
    hide_spines,
    make_panels,
)

# Probability that a calibrated posterior stays inside the grey region, per point.
_BAND = 0.95
_N_BINS = 20
_BAR = "#9fc3d9"


def plot_coverage(calibration, *, show=True):
    """Plot how often intervals hold the true value against how often they should.

    The grey region holds 95 % of the results of an exact posterior. A curve below the
    diagonal tells that the posterior is too narrow.

    Parameters
    ----------
    calibration : Calibration
        The calibration.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    fig, axes = make_panels(1, 1, panel=(4.6, 3.2))
    _draw_coverage(axes[0, 0], calibration)
    return finish(fig, show)


def plot_sbc(calibration, *, show=True):
    """Plot the histogram of ranks of the true values, for each parameter.

    The grey region holds 95 % of the bars of an exact posterior. A hump in the middle
    tells that the posterior is too wide, high bars at both ends that it is too narrow,
    a slope that it is shifted.

    Parameters
    ----------
    calibration : Calibration
        The calibration.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    n_params = len(calibration.names)
    fig, axes = make_panels(*grid_shape(n_params), panel=(2.4, 1.9))
    for ax in axes.flat[n_params:]:
        ax.set_visible(False)
    for i, ax in zip(range(n_params), axes.flat, strict=False):
        _draw_ranks(ax, calibration, i)
    return finish(fig, show)


def plot_calibration(calibration, *, show=True):
    """Plot coverage and ranks side by side.

    Parameters
    ----------
    calibration : Calibration
        The calibration.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    import matplotlib.pyplot as plt

    n_params = len(calibration.names)
    n_rows, n_columns = grid_shape(n_params, 3)
    height = max(3.2, 1.7 * n_rows)
    fig = plt.figure(figsize=(4.6 + 2.1 * n_columns, height), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=(4.6, 2.1 * n_columns))
    _draw_coverage(left.subplots(), calibration)
    axes = right.subplots(n_rows, n_columns, squeeze=False)
    for ax in axes.flat[n_params:]:
        ax.set_visible(False)
    for i, ax in zip(range(n_params), axes.flat, strict=False):
        _draw_ranks(ax, calibration, i)
    return finish(fig, show)


def _draw_coverage(ax, calibration):
    from matplotlib import colormaps
    from scipy.stats import binom

    levels = np.linspace(0.0, 1.0, 101)
    lower, upper = binom.interval(_BAND, calibration.n, levels)
    ax.fill_between(
        levels, lower / calibration.n, upper / calibration.n, color="0.88", lw=0
    )
    ax.plot([0, 1], [0, 1], color=PRIOR, lw=1)
    colours = colormaps["tab10"].colors
    for i, name in enumerate(calibration.names):
        ax.plot(
            calibration.levels,
            calibration.coverage[:, i],
            color=colours[i % len(colours)],
            ls=("-", "--", ":")[i // len(colours) % 3],
            lw=1.4,
            label=name,
        )
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set_xlabel("probability of the interval")
    ax.set_ylabel("share of true values inside")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    hide_spines(ax)


def _draw_ranks(ax, calibration, i):
    from scipy.stats import binom

    n_ranks = calibration.n_draws + 1
    n_bins = min(_N_BINS, n_ranks)
    # Bins of whole ranks: otherwise some would hold one rank more and stick out.
    edges = np.round(np.linspace(0, n_ranks, n_bins + 1)).astype(int)
    counts, _ = np.histogram(calibration.ranks[:, i], edges - 0.5)
    size = np.diff(edges) / n_ranks
    lower, upper = binom.interval(_BAND, calibration.n, 1.0 / n_bins)
    band = np.array([lower, upper]) / calibration.n * n_bins
    ax.axhspan(*band, color="0.88", lw=0, zorder=0)
    ax.bar(
        edges[:-1] / n_ranks,
        counts / calibration.n / size,
        width=size,
        align="edge",
        color=_BAR,
    )
    # Above the bars, where the region itself is hidden.
    ax.hlines([band[0], 1.0, band[1]], 0, 1, color=PRIOR, lw=1, ls=["--", "-", "--"])
    ax.set_title(calibration.names[i], fontsize="medium")
    ax.set(xlim=(0, 1), yticks=[], xlabel="rank")
    # Short numbers, which do not touch those of the next panel.
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    hide_spines(ax, ("top", "right", "left"))
