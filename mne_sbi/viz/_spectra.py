"""Figures of measured against predicted spectra."""

import numpy as np

from .._checks import check_array, check_one_per
from ._posterior import draw_marginal, marginal_columns
from ._style import POSTERIOR, TRUTH, finish, grid_shape, hide_spines, make_panels

# Probability of the band of predictions.
_LEVEL = 0.9
_N_SHOWN = 5


def plot_predictive(
    measured,
    predicted,
    freqs,
    *,
    names=None,
    noisy=None,
    nodes=None,
    rows="regions",
    show=True,
):
    """Plot measured spectra against those that the posterior predicts.

    The first panel is the mean over regions, if there are several; the others are
    single regions. The dark
    band holds 90 % of the predictions; the light one, 90 % of the predictions with
    observation noise, in which nine of ten measured points should lie.

    Parameters
    ----------
    measured : array, shape (n_nodes, n_freqs)
        The measured spectra, for example as ``features.normalize`` scales them.
    predicted : array, shape (n_draws, n_nodes, n_freqs)
        The model's spectra for posterior draws, scaled in the same way.
    freqs : array, shape (n_freqs,)
        Frequencies in Hz.
    names : sequence of str | None
        Names of the regions.
    noisy : array, shape (n_draws, n_nodes, n_freqs) | None
        The predictions with observation noise.
    nodes : sequence of int | None
        The regions to show; by default five, evenly spread over all.
    rows : str
        What they are called, such as ``"regions"`` or ``"channels"``.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    panels = _panels(measured, predicted, freqs, names, noisy, nodes, rows)
    # A single panel has to be as wide as two entries of the legend.
    panel = (2.9, 2.1) if len(panels) > 1 else (4.6, 2.6)
    fig, axes = make_panels(*grid_shape(len(panels), 3), panel=panel)
    _draw_panels(fig, axes, panels)
    return finish(fig, show)


def plot_inversion(
    posterior,
    measured,
    predicted,
    freqs,
    *,
    truth=None,
    names=None,
    noisy=None,
    nodes=None,
    show=True,
):
    """Plot the posterior of one recording above its measured and predicted spectra.

    Parameters
    ----------
    posterior : Posterior
        The posterior of a single observation; see :func:`plot_marginals`.
    measured : array, shape (n_nodes, n_freqs)
        The measured spectra; this and what follows as for :func:`plot_predictive`.
    predicted : array, shape (n_draws, n_nodes, n_freqs)
        The model's spectra for posterior draws.
    freqs : array, shape (n_freqs,)
        Frequencies in Hz.
    truth : array, shape (n_params,) | None
        Parameters to mark, in SI units.
    names : sequence of str | None
        Names of the regions.
    noisy : array, shape (n_draws, n_nodes, n_freqs) | None
        The predictions with observation noise.
    nodes : sequence of int | None
        The regions to show.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    import matplotlib.pyplot as plt

    columns = marginal_columns(posterior, truth)
    panels = _panels(measured, predicted, freqs, names, noisy, nodes)
    shapes = grid_shape(len(columns), 5), grid_shape(len(panels), 3)
    heights = [2.1 * shapes[0][0] + 0.4, 2.0 * shapes[1][0] + 0.4]
    fig = plt.figure(figsize=(11, sum(heights)), layout="constrained")
    parts = fig.subfigures(2, 1, height_ratios=heights)
    axes = parts[0].subplots(*shapes[0], squeeze=False)
    for ax in axes.flat[len(columns) :]:
        ax.set_visible(False)
    for ax, column in zip(axes.flat, columns, strict=False):
        draw_marginal(ax, column)
    handles = axes[0, 0].get_legend_handles_labels()
    parts[0].legend(*handles, loc="outside upper left", ncols=3, frameon=False)
    _draw_panels(parts[1], parts[1].subplots(*shapes[1], squeeze=False), panels)
    return finish(fig, show)


def _panels(measured, predicted, freqs, names, noisy, nodes, rows="regions"):
    """Check the arrays and collect, per panel, title and curves."""
    freqs = check_array("freqs", freqs, shape=(None,))
    measured = check_array("measured", measured, shape=(None, len(freqs)))
    n_nodes = len(measured)
    shape = (None, n_nodes, len(freqs))
    bands = {"predicted": check_array("predicted", predicted, shape=shape)}
    if noisy is not None:
        bands["noisy"] = check_array("noisy", noisy, shape=shape)
    if names is not None:
        names = check_one_per("names", names, n_nodes, "row of measured")
    if nodes is None:
        # The middle of equal parts: the first and last regions are neighbours in the
        # order of most atlases.
        n_shown = min(_N_SHOWN, n_nodes)
        nodes = ((np.arange(n_shown) + 0.5) * n_nodes / n_shown).astype(int)
    one = rows.removesuffix("s")
    chosen = [(f"mean of {n_nodes} {rows}", slice(None))] if n_nodes > 1 else []
    chosen += [(names[i] if names is not None else f"{one} {i}", [i]) for i in nodes]
    ends = [(1 - _LEVEL) / 2, 0.5, (1 + _LEVEL) / 2]
    panels = []
    for title, which in chosen:
        panel = {"title": title, "freqs": freqs, "measured": measured[which].mean(0)}
        for name, spectra in bands.items():
            panel[name] = np.quantile(spectra[:, which].mean(1), ends, axis=0)
        panels.append(panel)
    return panels


def _draw_panels(fig, axes, panels):
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, panel in zip(axes.flat, panels, strict=False):
        _draw_spectra(ax, panel)
    n_rows, n_columns = axes.shape
    for i, ax in enumerate(axes.flat[: len(panels)]):
        # The lowest panel of a column carries the label.
        if i + n_columns >= len(panels):
            ax.set_xlabel("frequency (Hz)")
    fig.supylabel("power (dB, normalised)", fontsize="medium")
    handles = axes[0, 0].get_legend_handles_labels()
    ncols = 4 if len(panels) > 1 else 2
    fig.legend(*handles, loc="outside upper left", ncols=ncols, frameon=False)


def _draw_spectra(ax, panel):
    freqs = panel["freqs"]
    if "noisy" in panel:
        low, _, high = panel["noisy"]
        label = f"{_LEVEL:.0%} of predictions with noise"
        ax.fill_between(freqs, low, high, color=POSTERIOR, alpha=0.2, lw=0, label=label)
    low, median, high = panel["predicted"]
    label = f"{_LEVEL:.0%} of predictions"
    ax.fill_between(freqs, low, high, color=POSTERIOR, alpha=0.5, lw=0, label=label)
    ax.plot(freqs, median, color=POSTERIOR, lw=1.2)
    ax.plot(freqs, panel["measured"], ".-", color=TRUTH, lw=0.9, ms=3, label="measured")
    ax.set_title(panel["title"], fontsize="medium")
    ax.set_xlim(freqs[0], freqs[-1])
    hide_spines(ax)
