"""Figures of values of regions on the cortex."""

import dataclasses

import numpy as np

from .._checks import check_array, check_one_per, check_option, listing
from .._region_names import normalize_region_name
from ._style import axis_label, finish, in_display_unit

_STATISTICS = ("mean", "median", "sd", "contraction")
# What is seen without a value.
_EMPTY = "0.88"


@dataclasses.dataclass(frozen=True)
class View:
    """A direction to look from.

    Parameters
    ----------
    title : str
        What it is called.
    sides : tuple of str
        The hemispheres that are drawn, ``"lh"`` or ``"rh"``.
    right, up, towards : array, shape (3,)
        Unit vectors of the head (right, front, up) that point to the right, up, and
        out of the page.
    """

    title: str
    sides: tuple
    right: tuple
    up: tuple
    towards: tuple

    def project(self, points):
        """Return points on the page and their depth, shape (n, 3)."""
        return points @ np.array([self.right, self.up, self.towards], float).T


_BACK, _FRONT, _UP = (0, -1, 0), (0, 1, 0), (0, 0, 1)
_LEFT, _RIGHT = (-1, 0, 0), (1, 0, 0)
VIEWS = {
    "left lateral": View("left, lateral", ("lh",), _BACK, _UP, _LEFT),
    "left medial": View("left, medial", ("lh",), _FRONT, _UP, _RIGHT),
    "top": View("top", ("lh", "rh"), _RIGHT, _FRONT, _UP),
    "right lateral": View("right, lateral", ("rh",), _FRONT, _UP, _RIGHT),
    "right medial": View("right, medial", ("rh",), _BACK, _UP, _LEFT),
}
# Views that stand above each other. Sizes of the page in inches: its width, spaces
# between the views, their titles, and the colour bar with its numbers.
_COLUMNS = ("left", "top", "right")
_WIDTH, _SPACE, _TITLE, _BAR = 10.0, 0.15, 0.28, 0.95


def plot_brain(
    values,
    names,
    *,
    label="",
    limits=None,
    cmap="viridis",
    subjects_dir=None,
    subject="fsaverage",
    parc="aparc",
    surf="inflated",
    show=True,
):
    """Plot values of regions on the cortex.

    Without FreeSurfer's files each Desikan-Killiany parcel is a disc near its centroid,
    whose area is proportional to the parcel's; discs are moved apart where they would
    hide each other, and the outline is that of the inner skull. With them, the parcels
    are drawn on the surfaces. Regions without a value are grey.

    Parameters
    ----------
    values : array, shape (n_regions,)
        A value for each region.
    names : sequence of str
        Names of the regions, in any usual spelling and in any order.
    label : str
        What the values are, with their unit, for the colour bar.
    limits : tuple of float | None
        Values of the first and the last colour; by default the least and the largest.
    cmap : str | matplotlib.colors.Colormap
        The colours.
    subjects_dir : path-like | None
        Folder of FreeSurfer subjects, for surfaces;
        :func:`mne.datasets.fetch_fsaverage` downloads one.
    subject : str
        The subject in it.
    parc : str
        The annotation that holds the regions, such as ``"aparc"`` for
        ``label/lh.aparc.annot``.
    surf : str
        The surface, such as ``"inflated"``, ``"pial"`` or ``"white"``.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.

    Raises
    ------
    FileNotFoundError
        If a file of the subject is missing.
    ValueError
        If a name is not one of the parcellation's regions, or given twice.
    """
    import matplotlib as mpl

    values = check_array("values", values, shape=(None,))
    names = check_one_per("names", names, len(values), "value")
    if not names:
        raise ValueError("values and names are empty. Give one region or more.")
    if subjects_dir is None:
        from ._brain_discs import Discs

        cortex = Discs.load()
    else:
        from ._brain_surfaces import Surfaces

        cortex = Surfaces.read(subjects_dir, subject, parc, surf)
    found = _match_regions(names, cortex.names)
    scale = mpl.cm.ScalarMappable(
        _make_norm(values, limits), mpl.colormaps.get_cmap(cmap)
    )
    colors = np.tile(mpl.colors.to_rgba(_EMPTY), (len(cortex.names), 1))
    colors[found] = scale.to_rgba(values)
    fig = _draw_views(cortex, colors)
    _add_color_bar(fig, scale, values, label)
    return finish(fig, show)


def plot_posterior_brain(posterior, parameter, *, statistic, names, **settings):
    """Plot a number of each region's posterior; see :meth:`Posterior.plot_brain`.

    Parameters
    ----------
    posterior : Posterior
        A posterior whose observations are regions.
    parameter : str
        Name of the parameter.
    statistic : str
        The number.
    names : sequence of str | None
        The regions; by default the names of the observations.
    **settings : dict
        For :func:`plot_brain`.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.
    """
    check_option("parameter", parameter, posterior.names)
    check_option("statistic", statistic, _STATISTICS)
    names = posterior.obs_names if names is None else names
    if names is not None:
        names = check_one_per("names", names, posterior.n_obs, "observation")
    if posterior.n_obs == 1 and not _are_regions(names):
        raise ValueError(
            "plot_brain() shows a value per region, but this posterior is of one "
            "observation, the whole brain, whose parameters belong to no region: "
            "plot_marginals() shows them. It needs a posterior with an observation for "
            "each region, as inverting each region by itself gives it, and their "
            "names: names=['lh.cuneus', ...]."
        )
    if names is None:
        raise ValueError(
            f"The {posterior.n_obs} observations have no names. Say which regions "
            "they are: names=['lh.cuneus', ...]."
        )
    index = posterior.names.index(parameter)
    factor, unit = in_display_unit(posterior.units[index])
    if statistic == "contraction":
        if posterior.prior is None:
            raise ValueError(
                "The contraction compares with the prior, and this posterior has none."
            )
        from ..inference._posterior_tables import contraction

        values, unit = contraction(posterior), ""
    else:
        values = factor * getattr(posterior, {"sd": "std"}.get(statistic, statistic))
    label = axis_label(f"{statistic} of {parameter}", unit)
    return plot_brain(values[:, index], names, **({"label": label} | settings))


def _are_regions(names):
    """Say whether names tell a hemisphere, as those of regions do."""
    return names is not None and all(
        normalize_region_name(name).startswith(("lh.", "rh.")) for name in names
    )


def _match_regions(names, known):
    """Return the position of each name among those of the parcellation."""
    order = {normalize_region_name(name): i for i, name in enumerate(known)}
    given = [normalize_region_name(name) for name in names]
    missing = [n for n, g in zip(names, given, strict=True) if g not in order]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(names)} names are none of the {len(known)} "
            f"cortical regions: {listing(missing)}. Known are {listing(known)}. Leave "
            "out what does not lie on the cortex."
        )
    twice = sorted({n for n, g in zip(names, given, strict=True) if given.count(g) > 1})
    if twice:
        raise ValueError(f"Each region can have one value, but {twice} have more.")
    return [order[name] for name in given]


def _make_norm(values, limits):
    """Return the scale of colours, which is never of zero length."""
    import matplotlib as mpl

    if limits is None:
        low, high = values.min(), values.max()
        if low == high:
            margin = 0.01 * abs(low) or 0.01
            low, high = low - margin, high + margin
        return mpl.colors.Normalize(low, high)
    low, high = check_array("limits", limits, shape=(2,))
    if not low < high:
        raise ValueError(f"limits must be (low, high) with low < high, got {limits}.")
    return mpl.colors.Normalize(low, high)


def _draw_views(cortex, colors):
    """Draw all views on one scale of length, with space for a colour bar below."""
    import matplotlib.pyplot as plt

    boxes = {name: cortex.box(view) for name, view in VIEWS.items()}
    columns = [[name for name in VIEWS if name.startswith(c)] for c in _COLUMNS]
    widths = [max(np.ptp(boxes[n], axis=0)[0] for n in column) for column in columns]
    heights = [sum(np.ptp(boxes[n], axis=0)[1] for n in column) for column in columns]
    # Placed by hand, in inches: all views on one scale, and columns centred.
    free = _WIDTH - (len(columns) + 1) * _SPACE
    inches = free / sum(widths)
    body = max(
        inches * height + len(column) * _TITLE
        for height, column in zip(heights, columns, strict=True)
    )
    total = _BAR + body + _SPACE
    fig = plt.figure(figsize=(_WIDTH, total))
    left = _SPACE
    for column, width, height in zip(columns, widths, heights, strict=True):
        spare = body - inches * height - len(column) * _TITLE
        top = total - _SPACE - spare / 2
        for name in column:
            low, high = boxes[name]
            across, up = inches * (high - low)
            shift = (inches * width - across) / 2
            top -= _TITLE + up
            place = np.array([left + shift, top, across, up])
            ax = fig.add_axes(place / [_WIDTH, total, _WIDTH, total], label=name)
            cortex.draw(ax, VIEWS[name], colors)
            ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
            ax.set_axis_off()
            ax.set_title(VIEWS[name].title, fontsize="medium", pad=3)
        left += inches * width + _SPACE
    return fig


def _add_color_bar(fig, scale, values, label):
    """Add the colour bar, whose ends point where values lie outside."""
    low, high = scale.get_clim()
    ends = ("min" if values.min() < low else "", "max" if values.max() > high else "")
    extend = {"": "neither", "minmax": "both"}.get("".join(ends), "".join(ends))
    total = fig.get_figheight()
    ax = fig.add_axes([0.3, 0.55 / total, 0.4, 0.13 / total], label="colour bar")
    fig.colorbar(
        scale, cax=ax, label=label, orientation="horizontal", extend=extend
    ).outline.set_linewidth(0.5)
