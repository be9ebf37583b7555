"""Figure of what features tell about parameters, and along which directions."""

import numpy as np

from .._symmetries import describe_symmetry
from ._style import POSTERIOR, finish, hide_spines

# Width in letters after which a line of text below the panels is broken.
_LINE = 110


def plot_identifiability(result, *, show=True):
    """Plot the contraction of each parameter, and the directions.

    On the left, posterior over prior standard deviation, with standard errors: a full
    bar says that nothing is learned. On the right, what combinations of parameters are
    known, from the best on the left to the least on the right; the number below each is
    its own contraction. Exact symmetries stand below the panels.

    Parameters
    ----------
    result : Identifiability
        The result.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    import textwrap

    import matplotlib.pyplot as plt

    n = len(result.names)
    lines = [
        line
        for symmetry in result.symmetries
        for line in textwrap.wrap(f"Exact: {describe_symmetry(symmetry)}.", _LINE)
    ]
    height = 1.6 + 0.32 * max(n, 4) + 0.2 * len(lines)
    fig, (left, right) = plt.subplots(
        1,
        2,
        figsize=(4.8 + 0.45 * max(n, 5), height),
        width_ratios=(3, 0.8 + 0.45 * max(n, 4)),
        layout="constrained",
    )
    _draw_contraction(left, result)
    _draw_directions(right, result)
    if lines:
        fig.supxlabel("\n".join(lines), fontsize="small", ha="left", x=0.02)
    return finish(fig, show)


def _draw_contraction(ax, result):
    rows = np.arange(len(result.names))
    ax.barh(rows, np.ones(len(rows)), color="0.92", height=0.7)
    ax.barh(
        rows,
        result.contraction,
        xerr=result.contraction_error,
        color=POSTERIOR,
        ecolor="0.2",
        height=0.7,
    )
    ax.set_yticks(rows, result.names)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="posterior / prior sd")
    hide_spines(ax)


def _draw_directions(ax, result):
    n = len(result.names)
    weights = result.eigenvectors
    image = ax.imshow(weights, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (row, column), weight in np.ndenumerate(weights):
        if abs(weight) >= 0.2:
            colour = "white" if abs(weight) > 0.6 else "black"
            ax.text(
                column,
                row,
                f"{weight:.1f}",
                ha="center",
                va="center",
                color=colour,
                fontsize="small",
            )
    known = [f"{1 / np.sqrt(1 + value):.2f}" for value in result.eigenvalues]
    rotation = 45 if n > 6 else 0
    ax.set_xticks(range(n), known, rotation=rotation)
    ax.set_yticks(range(n), result.names)
    ax.set_xlabel("direction, by its posterior / prior sd")
    bar = ax.figure.colorbar(image, ax=ax, ticks=[-1, 0, 1])
    bar.set_label("weight (prior sd)")
