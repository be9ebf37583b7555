"""Figures of global sensitivity: bars, maps over frequency or time, and screening."""

import numpy as np

from .._checks import check_option
from ._style import (
    POSTERIOR,
    PRIOR,
    TRUTH,
    finish,
    grid_shape,
    hide_spines,
    make_panels,
)

_BAR = "#9fc3d9"
_MARKERS = "os^D"
_ERROR = {"fmt": "none", "ecolor": "0.25", "elinewidth": 1, "capsize": 0}
# Titles of the indices' panels.
_TITLES = {
    "first_order": "first-order index",
    "total_order": "total index",
    "mu": "mean effect",
    "mu_star": "mean absolute effect",
    "sigma": "standard deviation of effects",
}


def plot_sensitivity(sensitivity, feature=None, *, show=True):
    """Plot which parameters move the features of a model.

    Parameters
    ----------
    sensitivity : SobolSensitivity | MorrisSensitivity
        The indices.
    feature : str | None
        A feature whose outputs are told apart: a map of parameters over frequency,
        time or number; of several rows, such as nodes, their mean. ``None`` stands for
        all features, each as a whole. Of Sobol indices: two bars per parameter, the
        first-order index in front of the total one, whose difference is interaction. Of
        elementary effects: their standard deviation over their mean absolute value;
        above the line, the effect of a parameter differs more between places than it is
        large.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If there is no such feature, or it has one output only.
    """
    is_sobol = hasattr(sensitivity, "first_order")
    if feature is not None:
        check_option("feature", feature, sensitivity.features)
        return finish(_draw_maps(sensitivity, feature, is_sobol), show)
    n = len(sensitivity.features)
    n_rows, n_columns = grid_shape(n, 3)
    height = 0.8 + 0.27 * len(sensitivity.names) if is_sobol else 2.6
    fig, axes = make_panels(n_rows, n_columns, panel=(2.9, height))
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    draw = _draw_bars if is_sobol else _draw_scatter
    for i, ax in zip(range(n), axes.flat, strict=False):
        draw(ax, sensitivity, i)
        ax.set_title(sensitivity.features[i], fontsize="medium")
    pairs = [ax.get_legend_handles_labels() for ax in axes.flat[:n]]
    entries = {k: v for line in pairs for v, k in zip(*line, strict=True)}
    # Below the panels, where it hides nothing.
    fig.legend(
        entries.values(),
        entries.keys(),
        loc="outside lower center",
        ncols=3 if is_sobol else 7,
        frameon=False,
    )
    return finish(fig, show)


def _draw_bars(ax, sensitivity, i):
    """Draw the indices of one feature as a whole."""
    y = np.arange(len(sensitivity.names))
    total, first = sensitivity.total_order[i], sensitivity.first_order[i]
    ax.barh(y, total, height=0.8, color=_BAR, label="total")
    ax.barh(y, first, height=0.4, color=POSTERIOR, label="first order")
    _draw_intervals(ax, y - 0.06, total, sensitivity.total_order_interval[i])
    _draw_intervals(ax, y + 0.06, first, sensitivity.first_order_interval[i])
    ax.axvline(0, color=PRIOR, lw=1)
    if np.isfinite(sensitivity.noise[i]) and sensitivity.noise[i] > 0:
        ax.axvline(
            sensitivity.noise[i],
            color=TRUTH,
            lw=1,
            ls=":",
            label="randomness of the model",
        )
    ends = sensitivity.total_order_interval[i]
    right = np.nanmax(ends) if np.isfinite(ends).any() else 1.0
    lowest = np.nan_to_num(sensitivity.first_order_interval[i]).min()
    ax.set_xlim(min(-0.02, lowest * 1.05), max(1.0, 1.02 * right))
    ax.set_yticks(y, sensitivity.names)
    ax.invert_yaxis()
    ax.set_xlabel("share of variance")
    hide_spines(ax)


def _draw_intervals(ax, y, value, interval):
    # Intervals of a bootstrap need not hold the estimate.
    arms = np.abs(np.stack([value - interval[:, 0], interval[:, 1] - value]))
    ax.errorbar(value, y, xerr=arms, **_ERROR)


def _draw_scatter(ax, sensitivity, i):
    """Draw standard deviation over mean absolute effect."""
    from matplotlib import colormaps

    colours = colormaps["tab10"].colors
    x_ends, y_ends = sensitivity.mu_star_interval[i], sensitivity.sigma_interval[i]
    for j, name in enumerate(sensitivity.names):
        x, y = sensitivity.mu_star[i, j], sensitivity.sigma[i, j]
        ax.errorbar(
            x,
            y,
            xerr=np.abs(x_ends[j] - x)[:, np.newaxis],
            yerr=np.abs(y_ends[j] - y)[:, np.newaxis],
            fmt=_MARKERS[j // len(colours) % len(_MARKERS)],
            color=colours[j % len(colours)],
            elinewidth=0.8,
            ms=5,
            label=name,
        )
    top = 1.05 * max(x_ends.max(), y_ends.max())
    top = top if top > 0 else 1.0
    ax.plot([0, top], [0, top], color=PRIOR, lw=1, ls="--", zorder=0)
    ax.set(xlim=(0, top), ylim=(0, top))
    ax.set_xlabel("mean absolute effect")
    ax.set_ylabel("standard deviation")
    hide_spines(ax)


def _draw_maps(sensitivity, feature, is_sobol):
    """Draw the indices of every output of a feature."""
    found = sensitivity.outputs[feature]
    if len(found["axis"]) < 2:
        raise ValueError(
            f"{feature!r} has one output only: there is nothing to tell apart. Leave "
            "feature out."
        )
    names = ("first_order", "total_order") if is_sobol else ("mu_star", "sigma")
    fig, axes = make_panels(
        3, 1, panel=(6.0, 1.9), sharex=True, height_ratios=(1, 1, 0.55)
    )
    maps = [_average_rows(found[name], found["variance"], is_sobol) for name in names]
    top = 1.0 if is_sobol else np.nanmax(maps)
    for ax, name, values in zip(axes[:2, 0], names, maps, strict=True):
        image = ax.pcolormesh(
            found["axis"],
            np.arange(len(sensitivity.names)),
            values.T,
            vmin=0,
            vmax=top,
            cmap="viridis",
            shading="nearest",
            rasterized=True,
        )
        ax.set_yticks(np.arange(len(sensitivity.names)), sensitivity.names)
        ax.invert_yaxis()
        ax.set_title(_TITLES[name], fontsize="medium", loc="left")
    label = "share of variance" if is_sobol else "effect"
    fig.colorbar(image, ax=axes[:2, 0], label=label)
    ax = axes[2, 0]
    ax.plot(found["axis"], np.sqrt(found["variance"].mean(axis=0)), color=POSTERIOR)
    ax.set_ylim(bottom=0)
    ax.set_title(f"standard deviation of {feature}", fontsize="medium", loc="left")
    ax.set_xlabel(found["axis_label"])
    hide_spines(ax)
    return fig


def _average_rows(values, variance, weighted):
    """Average over rows, with the weights that the index as a whole has."""
    if not weighted:
        return np.sqrt((values**2).mean(axis=0))
    weights = variance / np.maximum(variance.sum(axis=0), np.finfo(float).tiny)
    shares = np.nansum(values * weights[..., np.newaxis], axis=0)
    return np.where((variance.sum(axis=0) > 0)[:, np.newaxis], shares, np.nan)
