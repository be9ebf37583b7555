"""Figures of one posterior: marginals and pairs."""

import numpy as np

from .._checks import check_array
from .._parameters import check_units, order_by_name
from ..inference import Posterior
from ._style import (
    POSTERIOR,
    PRIOR,
    TRUTH,
    axis_label,
    finish,
    grid_shape,
    hide_spines,
    in_display_unit,
    make_panels,
)

_N_BINS = 40
# Share of the draws inside the contours of a pair.
_CONTOUR_LEVELS = (0.5, 0.9)


def plot_marginals(posterior, *, truth=None, show=True):
    """Plot the distribution of each parameter of one observation.

    The bar below each histogram is the 90 % interval with the median; the grey line is
    the prior's density, over the prior's range.

    Parameters
    ----------
    posterior : Posterior
        The posterior of a single observation, for example ``posterior[0]``.
    truth : array, shape (n_params,) | None
        Parameters to mark, in SI units.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    columns = marginal_columns(posterior, truth)
    shape = grid_shape(len(columns))
    fig, axes = make_panels(*shape, panel=(2.6, 2.1))
    for ax in axes.flat[len(columns) :]:
        ax.set_visible(False)
    for ax, column in zip(axes.flat, columns, strict=False):
        draw_marginal(ax, column)
    _add_legend(axes[0, 0], columns[0])
    _add_name(fig, posterior)
    return finish(fig, show)


def plot_pairs(posterior, *, truth=None, show=True):
    """Plot the joint distribution of each pair of parameters of one observation.

    The contours hold 50 and 90 % of the draws.

    Parameters
    ----------
    posterior : Posterior
        The posterior of a single observation, for example ``posterior[0]``.
    truth : array, shape (n_params,) | None
        Parameters to mark, in SI units.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    columns = marginal_columns(posterior, truth)
    n = len(columns)
    fig, axes = make_panels(n, n, panel=1.7, sharex="col")
    for i, row in enumerate(columns):
        for j, column in enumerate(columns):
            ax = axes[i, j]
            if i < j:
                ax.set_visible(False)
            elif i == j:
                _plot_histogram(ax, row)
            else:
                _plot_pair(ax, column, row)
                ax.sharey(axes[i, 0])
            if i == n - 1:
                ax.set_xlabel(column["label"])
            if j == 0 and i:
                ax.set_ylabel(row["label"])
            elif i != j:
                ax.tick_params(labelleft=False)
    fig.align_labels()
    _add_name(fig, posterior)
    return finish(fig, show)


def _add_name(fig, posterior):
    """Write the name of the observation above, if it has one."""
    if posterior.obs_names is not None:
        fig.suptitle(posterior.obs_names[0])


def marginal_columns(posterior, truth):
    """Collect what is drawn of each parameter, in units of display.

    Parameters
    ----------
    posterior : Posterior
        The posterior of a single observation.
    truth : array, shape (n_params,) | None
        Parameters to mark, in SI units.

    Returns
    -------
    columns : list of dict
        Per parameter ``draws``, ``limits``, ``density``, ``truth`` and ``label``.
    """
    if not isinstance(posterior, Posterior):
        raise TypeError(
            f"posterior must be a Posterior, got {type(posterior).__name__}. Write "
            "Posterior(draws, names, units)."
        )
    if posterior.n_obs != 1:
        raise ValueError(
            f"The posterior holds {posterior.n_obs} observations; choose the one to "
            "plot, for example posterior[0]."
        )
    n_params = len(posterior.names)
    if truth is not None:
        truth = order_by_name("truth", truth, posterior.names)
        truth = check_array("truth", truth, shape=(n_params,))
        if posterior.prior is not None:
            check_units(posterior.prior.parameters, truth, "truth")
    columns = []
    for i, (name, unit) in enumerate(
        zip(posterior.names, posterior.units, strict=True)
    ):
        factor, unit = in_display_unit(unit)
        draws = factor * posterior.draws[0, :, i]
        limits, density = _prior_curve(posterior.prior, i, factor, draws)
        columns.append(
            {
                "draws": draws,
                "limits": limits,
                "density": density,
                "truth": None if truth is None else factor * truth[i],
                "label": axis_label(name, unit),
            }
        )
    return columns


def _prior_curve(prior, i, factor, draws):
    """Return the range to show, and the prior's density there if there is a prior."""
    if prior is None:
        low, high = draws.min(), draws.max()
        margin = 0.1 * (high - low) or 0.1 * abs(low) or 0.1
        return (low - margin, high + margin), None
    # Quantiles of the prior: its density is one over their slope.
    unit = np.linspace(0.0, 1.0, 201)
    points = prior.from_unit(np.repeat(unit[:, None], len(prior.names), axis=1))
    points = factor * points[:, i]
    middle = (points[1:] + points[:-1]) / 2.0
    curve = (middle, np.diff(unit) / np.diff(points))
    # Draws that were refined, or given by the caller, may lie outside.
    return (min(points[0], draws.min()), max(points[-1], draws.max())), curve


def draw_marginal(ax, column):
    """Draw the distribution of one parameter, with its interval below.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    column : dict
        One of :func:`marginal_columns`.
    """
    _plot_histogram(ax, column)
    lower, median, upper = np.quantile(column["draws"], [0.05, 0.5, 0.95])
    # In the strip that is left free below the histogram.
    top = ax.get_ylim()[1]
    ax.set_ylim(-0.12 * top, top)
    ax.plot([lower, upper], [-0.06 * top] * 2, color=POSTERIOR, lw=3)
    ax.plot(median, -0.06 * top, "o", color=POSTERIOR, mec="w", ms=6)
    ax.set_xlabel(column["label"])


def _plot_histogram(ax, column):
    low, high = column["limits"]
    bins = np.linspace(low, high, _N_BINS + 1)
    spread = np.quantile(column["draws"], 0.98) - np.quantile(column["draws"], 0.02)
    if spread < (high - low) / 4.0:
        # A narrow posterior would fill a handful of the bins.
        n_bins = int(min(400, np.ceil((high - low) / max(spread, 1e-12) * 15)))
        bins = np.linspace(low, high, n_bins + 1)
    ax.hist(
        column["draws"],
        bins,
        density=True,
        color=POSTERIOR,
        alpha=0.75,
        label="posterior",
    )
    if column["density"] is not None:
        ax.plot(*column["density"], color=PRIOR, lw=1.2, label="prior")
    if column["truth"] is not None:
        ax.axvline(column["truth"], color=TRUTH, lw=1.5, label="true value")
    margin = 0.03 * (high - low)
    ax.set_xlim(low - margin, high + margin)
    ax.set_yticks([])
    hide_spines(ax, ("top", "right", "left"))


def _plot_pair(ax, column, row):
    x, y = column["draws"], row["draws"]
    # At most this many points: more hide each other and make large files.
    ax.plot(x[:1000], y[:1000], ".", color=POSTERIOR, ms=2, alpha=0.25, mec="none")
    _plot_contours(ax, x, y, column["limits"], row["limits"])
    if column["truth"] is not None:
        ax.axvline(column["truth"], color=TRUTH, lw=0.8)
        ax.axhline(row["truth"], color=TRUTH, lw=0.8)
        ax.plot(column["truth"], row["truth"], "s", color=TRUTH, ms=4)
    low, high = row["limits"]
    ax.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    hide_spines(ax)


def _plot_contours(ax, x, y, x_limits, y_limits):
    """Outline the densest region that holds a share of the draws."""
    from scipy.ndimage import gaussian_filter

    # A grid over the draws, not over the prior, so that narrow posteriors are resolved.
    ranges = []
    for values, limits in ((x, x_limits), (y, y_limits)):
        margin = 0.15 * np.ptp(values)
        low = max(limits[0], values.min() - margin)
        high = min(limits[1], values.max() + margin)
        if not low < high:
            return
        ranges.append((low, high))
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=60, range=ranges)
    density = gaussian_filter(counts, 2.0, mode="nearest")
    ordered = np.sort(density.ravel())[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    heights = [ordered[np.searchsorted(share, level)] for level in _CONTOUR_LEVELS]
    heights = np.unique(heights)  # increasing, as Matplotlib wants it
    ax.contour(
        (x_edges[1:] + x_edges[:-1]) / 2.0,
        (y_edges[1:] + y_edges[:-1]) / 2.0,
        density.T,
        levels=heights,
        colors=POSTERIOR,
        linewidths=1.0,
    )


def _add_legend(ax, column):
    if column["truth"] is not None or column["density"] is not None:
        ax.figure.legend(
            *ax.get_legend_handles_labels(),
            loc="outside upper left",
            ncols=3,
            frameon=False,
        )
