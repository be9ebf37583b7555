"""Figure of the regimes of a prior."""

import numpy as np

from ._style import axis_label, finish, grid_shape, hide_spines, in_display_unit

# Distinguishable without colour vision (Okabe & Ito), the commonest regime first.
_COLOURS = ("#56b4e9", "#d55e00", "#009e73", "#f0e442", "#cc79a7", "#0072b2")


def plot_regimes(regime_map, *, show=True):
    """Plot shares of the regimes, and how they depend on each parameter.

    On the left, the shares with standard errors. On the right, for each parameter, the
    shares of the regimes in ten equal parts of its range; the parameter that decides
    most comes first.

    Parameters
    ----------
    regime_map : RegimeMap
        The regimes.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    import matplotlib.pyplot as plt

    names = list(regime_map.influence)
    n_rows, n_columns = grid_shape(len(names), 3)
    width = 2.2 * n_columns
    fig = plt.figure(
        figsize=(4.4 + width, max(3.2, 1.8 * n_rows + 0.4)), layout="constrained"
    )
    left, right = fig.subfigures(1, 2, width_ratios=(4.4, width))
    colours = {
        regime: _COLOURS[i % len(_COLOURS)]
        for i, regime in enumerate(regime_map.regimes)
    }
    _draw_shares(left.subplots(), regime_map, colours)
    axes = right.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for name, ax in zip(names, axes.flat, strict=False):
        _draw_parts(ax, regime_map, name, colours)
    for ax in axes[:, 0]:
        ax.set_ylabel("share")
    return finish(fig, show)


def _draw_shares(ax, regime_map, colours):
    table = regime_map.summary()
    # What does not occur needs no bar.
    table = table[table["share"] > 0]
    rows = np.arange(len(table))
    ax.barh(
        rows,
        100 * table["share"],
        xerr=100 * table["error"],
        color=[colours.get(kind, "0.6") for kind in table["kind"]],
        ecolor="0.2",
        height=0.7,
    )
    ax.set_yticks(rows, table["kind"])
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel=f"% of {regime_map.n} draws")
    hide_spines(ax)


def _draw_parts(ax, regime_map, name, colours):
    edges, counts = regime_map.parts_of(name)
    index = regime_map.prior.names.index(name)
    parameter = regime_map.prior.parameters[index]
    factor, unit = in_display_unit(parameter.unit)
    edges = factor * edges
    # An empty part shows nothing.
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    bottom = np.zeros(len(share))
    for regime, column in zip(regime_map.regimes, share.T, strict=True):
        ax.bar(
            edges[:-1],
            column,
            width=np.diff(edges),
            bottom=bottom,
            align="edge",
            color=colours[regime],
        )
        bottom += column
    if parameter.scale == "log":
        ax.set_xscale("log")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), yticks=[0, 0.5, 1])
    if parameter.scale == "linear":
        ax.locator_params(axis="x", nbins=3)
    ax.set_xlabel(axis_label(name, unit))
    ax.set_title(
        f"decides {regime_map.influence[name]:.0%}", fontsize="small", color="0.3"
    )
    hide_spines(ax)
