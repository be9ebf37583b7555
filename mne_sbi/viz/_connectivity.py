"""Figures of connectivity: matrices, and how well they fit."""

import numpy as np

from .._checks import check_array, check_one_per, listing
from .._region_names import normalize_region_name
from ._style import POSTERIOR, PRIOR, TRUTH, finish, grid_shape, hide_spines

# Share of the edges beyond the ends of the colour scale, on either side: a single edge
# of the same region on both sides would make all others pale.
_BEYOND = 0.01
# So many names can be read along an axis.
_MOST_NAMES = 24
_SIZE = 3.4  # inches of a matrix
_BASELINES = ("#7a6a9b", "#c06fa0", "#3d8b63", "#b58a2e", "#7d5a2a")


def plot_connectivity(connectivity, *, names=None, titles=None, show=True):
    """Plot connectivity matrices in one colour scale.

    Parameters
    ----------
    connectivity : Connectivity | array, shape (n_nodes, n_nodes) | list of these
        One matrix or several of the same regions. Arrays are drawn as they are.
    names : sequence of str | None
        Names of the regions, into whose order each
        :class:`mne_connectivity.Connectivity` is brought; ``None`` takes those of the
        first one.
    titles : sequence of str | None
        A title for each matrix.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure. The colours leave out the outermost hundredth of the edges on
        either side.
    """
    import matplotlib.pyplot as plt

    if not isinstance(connectivity, (list, tuple)):
        connectivity = [connectivity]
    matrices = [_as_matrix(x) for x in connectivity]
    if len({x.shape for x in matrices}) > 1:
        raise ValueError(
            "The matrices must be of the same regions, got the shapes "
            f"{[x.shape for x in matrices]}."
        )
    if names is None:
        names = getattr(connectivity[0], "names", None)
    if names is not None:
        names = check_one_per("names", names, len(matrices[0]), "region")
    pairs = zip(connectivity, matrices, strict=True)
    matrices = [_in_order(x, matrix, names) for x, matrix in pairs]
    if titles is None:
        titles = [""] * len(matrices)
    titles = check_one_per("titles", titles, len(matrices), "matrix")
    n_rows, n_columns = grid_shape(len(matrices), 3)
    fig, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(_SIZE * n_columns + 0.9, _SIZE * n_rows + 0.2),
        layout="constrained",
        squeeze=False,
    )
    for ax in axes.flat[len(matrices) :]:
        ax.set_visible(False)
    axes = list(axes.flat[: len(matrices)])
    _draw_matrices(fig, axes, matrices, titles, names)
    return finish(fig, show)


def _in_order(connectivity, matrix, names):
    """Bring a matrix whose regions have names into the order of others."""
    own = getattr(connectivity, "names", None)
    if own is None or names is None:
        return matrix
    where = {normalize_region_name(str(name)): i for i, name in enumerate(own)}
    missing = [name for name in names if normalize_region_name(str(name)) not in where]
    if missing:
        raise ValueError(
            f"A connectivity has no regions {listing(missing)}: it has {listing(own)}. "
            "Give names= that all have, in any spelling, or arrays in one order."
        )
    order = [where[normalize_region_name(str(name))] for name in names]
    return matrix[np.ix_(order, order)]


def plot_connectivity_fit(fit, *, show=True):
    """Plot how well simulated connectivity fits the measured one.

    Parameters
    ----------
    fit : ConnectivityFit
        The fit.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure: both matrices in one colour scale, the edges of one against those
        of the other, and the correlation beside the histogram of the null and the
        baselines.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(2 * _SIZE + 1.2, 2 * _SIZE + 0.4), layout="constrained")
    top, bottom = fig.subfigures(2, 1, height_ratios=(1.05, 1))
    _draw_matrices(
        top,
        list(top.subplots(1, 2)),
        [fit.measured, fit.simulated],
        ["measured", "simulated"],
        fit.names,
    )
    left, right = bottom.subplots(1, 2, width_ratios=(1, 1.15))
    _draw_edges(left, fit)
    _draw_null(right, fit)
    return finish(fig, show)


def _as_matrix(connectivity):
    """Return one matrix, with a diagonal that is not drawn."""
    if hasattr(connectivity, "get_data"):
        n_nodes = connectivity.n_nodes
        data = np.asarray(connectivity.get_data("dense"))
        if data.size != n_nodes**2:
            raise ValueError(
                f"A connectivity of shape {data.shape} is no single matrix. Average "
                "over epochs with .combine(), or choose a band."
            )
        connectivity = data.reshape(n_nodes, n_nodes)
    matrix = check_array(
        "connectivity", connectivity, shape=("n_nodes", "n_nodes"), finite=False
    ).copy()
    np.fill_diagonal(matrix, np.nan)
    return matrix


def _draw_matrices(fig, axes, matrices, titles, names):
    """Draw matrices with one colour bar."""
    matrices = [_as_matrix(x) for x in matrices]
    edges = np.concatenate([x[~np.isnan(x)] for x in matrices])
    low, high = np.quantile(edges, (_BEYOND, 1 - _BEYOND))
    # Correlations that can be negative get a scale with zero in its middle.
    limit = max(abs(low), abs(high)) or 1
    scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    if low >= 0:
        scale = {"cmap": "viridis", "vmin": low, "vmax": high}
    for index, (ax, matrix, title) in enumerate(
        zip(axes, matrices, titles, strict=True)
    ):
        image = ax.imshow(matrix, interpolation="nearest", **scale)
        ax.set_title(title, fontsize="medium")
        hide_spines(ax, ("top", "right", "bottom", "left"))
        _name_regions(ax, names, len(matrix), is_first=index == 0)
    extend = "max" if low >= 0 and edges.min() >= low else "both"
    bar = fig.colorbar(image, ax=axes, shrink=0.8, aspect=25, extend=extend)
    bar.set_label("connectivity")
    bar.outline.set_visible(False)


def _name_regions(ax, names, n_nodes, is_first):
    """Write the names of few regions, and the number of many."""
    if names is not None and n_nodes <= _MOST_NAMES:
        ax.set_xticks(range(n_nodes), names, rotation=90, fontsize="x-small")
        ax.set_yticks(range(n_nodes), names if is_first else [""] * n_nodes)
        ax.tick_params(length=0)
        ax.tick_params(axis="y", labelsize="x-small")
        return
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(f"{n_nodes} regions")


def _draw_edges(ax, fit):
    """Draw the measured against the simulated edges."""
    rows, columns = np.triu_indices(len(fit.names), k=1)
    x, y = fit.simulated[rows, columns], fit.measured[rows, columns]
    ax.scatter(
        x,
        y,
        s=np.clip(4e4 / len(x), 3, 25),
        color=POSTERIOR,
        alpha=float(np.clip(600 / len(x), 0.15, 0.8)),
        lw=0,
        rasterized=True,
    )
    slope, intercept = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    ax.plot(ends, intercept + slope * ends, color=TRUTH, lw=1.4)
    ax.set_title(f"r = {fit.r:.3f}, {fit.n_edges} edges", fontsize="medium")
    ax.set_xlabel("simulated")
    ax.set_ylabel("measured")
    hide_spines(ax)


def _draw_null(ax, fit):
    """Draw the null, and the fit and the baselines as lines."""
    n_bins = int(np.clip(np.sqrt(len(fit.null)), 5, 30))
    ax.hist(fit.null, n_bins, color="0.8", label=fit.null_kind)
    if len(fit.surrogate):
        ax.hist(
            fit.surrogate,
            n_bins,
            histtype="step",
            color=PRIOR,
            lw=1.2,
            label="random phases",
        )
    ax.axvline(fit.r, color=TRUTH, lw=2, label=f"simulation {fit.r:z.2f}")
    for (name, (r, _)), colour in zip(fit.baselines.items(), _BASELINES, strict=False):
        if np.isfinite(r):
            ax.axvline(r, color=colour, lw=1.2, ls="--", label=f"{name} {r:z.2f}")
    if fit.ceiling is not None:
        label = f"ceiling {fit.ceiling:.2f}"
        ax.axvline(fit.ceiling, color="k", lw=1.2, ls=":", label=label)
    ax.set_xlabel("correlation with measured edges")
    ax.set_ylabel("draws")
    ax.set_title(f"p = {fit.p_value:.2g}", fontsize="medium")
    ax.legend(
        frameon=False,
        fontsize="x-small",
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncols=2,
    )
    hide_spines(ax)
