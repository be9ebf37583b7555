"""Figures of volumes of fMRI, in slices."""

import numpy as np

from .._checks import check_array, check_option
from ._style import axis_label, finish

# Slices of a volume, and where they are between the bottom and the top of the brain.
_N_CUTS, _LOWEST, _HIGHEST = 4, 0.2, 0.85
# Share of the values of the measured volumes beyond the ends of the colour scale.
_BEYOND = 0.01
_OUTLINE = "0.35"
# Size of a row of slices in inches, and of one slice.
_HEIGHT, _SLICE = 1.4, 1.05
# Share of a row's height for what is written below a slice.
_LABEL = 0.12


def plot_volumes(
    measured,
    predicted,
    masker=None,
    *,
    index=0,
    r=None,
    limit=None,
    cuts=None,
    unit="%",
    show=True,
):
    """Plot measured and predicted volumes side by side.

    In one colour scale predictions look pale, because EEG explains little of fMRI;
    ``limit="own"`` gives them a scale of their own, which shows their form. Structure
    that is the same at all times says nothing of EEG: plot percent signal change, not
    whole volumes.

    Parameters
    ----------
    measured, predicted : array, shape (n_volumes, n_voxels) | nibabel image, 4-D
        The volumes. Arrays may also be (n_volumes, nx, ny, nz), in the space of the
        masker.
    masker : nilearn masker | None
        Fitted; what made the arrays. Not needed for images.
    index : int | sequence of int
        Numbers of the volumes to show, one row for each.
    r : array, shape (n_voxels,) | (n_people, n_voxels) | None
        Temporal correlation at each voxel, such as ``evaluation.r``, whose mean over
        people is shown in a row of its own. Needs a masker.
    limit : float | "own" | None
        The colours go from minus this to this; by default, so far that 1 % of the
        measured values are beyond. ``"own"`` chooses in this way for measured and for
        predicted volumes, each.
    cuts : sequence of float | None
        Heights of the slices in m; by default four.
    unit : str
        Unit of the values.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure. Left in the brain is left in the figure; heights are in mm.

    Raises
    ------
    ValueError
        If shapes do not fit together, a volume does not exist, or it was not predicted.
    """
    import matplotlib.pyplot as plt

    from ..eeg_fmri._images import ready_masker

    masker = ready_masker(masker)
    rows = np.atleast_1d(check_array("index", index, dtype=int))
    pair = [
        _take_volumes(name, volumes, masker, rows)
        for name, volumes in (("measured", measured), ("predicted", predicted))
    ]
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"measured has volumes of the shape {pair[0].shape[:3]} and predicted of "
            f"{pair[1].shape[:3]}: resample one to the other."
        )
    mask = find_mask(masker, pair[0])
    limits = _choose_limits(limit, pair, mask)
    cuts = find_cuts(mask, _N_CUTS) if cuts is None else _check_cuts(cuts, mask)
    r_img = None if r is None else _make_r_image(r, masker)
    n_rows = len(rows) + (r is not None)
    width = 2 * _SLICE * max(len(cuts), 2) + 1.1
    fig = plt.figure(figsize=(width, _HEIGHT * n_rows + 0.3), layout="constrained")
    grid = fig.add_gridspec(n_rows, 2)
    panels = [
        (fig.add_subplot(grid[i, j]), img.slicer[..., i], cuts, limits[j])
        for i in range(len(rows))
        for j, img in enumerate(pair)
    ]
    _title_volumes(panels, rows, mask, unit)
    label = axis_label("change", unit)
    if limit == "own":
        add_bar(fig, [panel[0] for panel in panels[::2]], limits[0], label)
        add_bar(fig, [panel[0] for panel in panels[1::2]], limits[1], label)
    else:
        add_bar(fig, [panel[0] for panel in panels], limits[0], label)
    if r is not None:
        panels.append(_add_r_panel(fig, grid[-1, :], r, r_img, mask, 2 * len(cuts)))
    settle(fig)
    for ax, img, heights, end in panels:
        draw_slices(ax, img, mask, heights, end)
    return finish(fig, show)


def _choose_limits(limit, pair, mask):
    """Return the ends of the colours of measured and of predicted volumes."""
    if isinstance(limit, str):
        check_option("limit", limit, ["own"])
        return [_find_limit(img, mask) for img in pair]
    if limit is None:
        return [_find_limit(pair[0], mask)] * 2
    return [float(check_array("limit", limit, shape=(), positive=True))] * 2


def _find_limit(img, mask):
    """Return what few of the absolute values exceed."""
    inside = np.asanyarray(mask.dataobj) > 0
    return (
        float(np.quantile(np.abs(np.asanyarray(img.dataobj)[inside]), 1 - _BEYOND))
        or 1.0
    )


def _title_volumes(panels, rows, mask, unit):
    """Name each volume, with its standard deviation over voxels."""
    inside = np.asanyarray(mask.dataobj) > 0
    for i, (ax, img, *_) in enumerate(panels):
        sd = np.asanyarray(img.dataobj)[inside].std()
        name = ("measured", "predicted")[i % 2]
        ax.set_title(
            f"{name}, volume {rows[i // 2]} (sd {sd:.2g} {unit})", fontsize="small"
        )


def _add_r_panel(fig, place, r, img, mask, n_cuts):
    """Add the panel of correlations, and return what is drawn in it."""
    end = float(np.abs(np.asanyarray(img.dataobj)).max()) or 1.0
    ax = fig.add_subplot(place)
    n_people = len(np.atleast_2d(r))
    mean = f", mean of {n_people} people" if n_people > 1 else ""
    ax.set_title(f"correlation over time{mean}", fontsize="small")
    add_bar(fig, [ax], end, "r")
    return ax, img, find_cuts(mask, n_cuts), end


def _take_volumes(name, volumes, masker, rows):
    """Return an image (nx, ny, nz, n_rows) of some volumes."""
    import nibabel

    is_image = hasattr(volumes, "dataobj")
    if not is_image:
        volumes = check_array(name, volumes, finite=False)
        if masker is None:
            raise ValueError(
                f"{name} is an array, and only a masker knows where its voxels are: "
                "give masker=, the one that made y, or 4-D images."
            )
    n_dims = (4,) if is_image else (2, 4)
    if len(volumes.shape) not in n_dims:
        what = "a 4-D image" if is_image else "(n_volumes, n_voxels)"
        raise ValueError(f"{name} must be {what}, got the shape {volumes.shape}.")
    n_volumes = volumes.shape[3] if is_image else len(volumes)
    if not rows.size or rows.min() < 0 or rows.max() >= n_volumes:
        raise ValueError(
            f"index must be numbers from 0 to {n_volumes - 1}, the volumes of {name}; "
            f"got {rows.tolist()}."
        )
    if is_image:
        data = np.stack([np.asarray(volumes.dataobj[..., i]) for i in rows], axis=-1)
        affine = volumes.affine
    else:
        taken = volumes[rows]
        if not np.isfinite(taken).all():
            bad = rows[~np.isfinite(taken.reshape(len(rows), -1)).all(axis=1)]
            raise ValueError(
                f"{name} is not finite at volume {bad[0]}. Volumes that no fold tested "
                "have no prediction: choose another index."
            )
        return array_to_image(name, taken, masker)
    return nibabel.Nifti1Image(np.nan_to_num(data.astype(np.float32)), affine)


def array_to_image(name, values, masker):
    """Turn rows of voxels, or volumes, into an image.

    Parameters
    ----------
    name : str
        What they are, for messages.
    values : ndarray, shape (n, n_columns) | (n, nx, ny, nz)
        The rows.
    masker : nilearn masker
        Fitted.

    Returns
    -------
    img : nibabel.Nifti1Image, shape (nx, ny, nz, n)
        Float32.
    """
    import nibabel

    from ..eeg_fmri._images import columns_of, has_voxels, to_image

    shape = masker.mask_img_.shape if has_voxels(masker) else None
    if values.ndim == 4 or (shape and values.shape[1] == np.prod(shape)):
        if shape is None or values.reshape(len(values), -1).shape[1] != np.prod(shape):
            raise ValueError(
                f"{name} has volumes of the shape {values.shape[1:]}, the masker of "
                f"{shape}."
            )
        data = np.moveaxis(values.reshape(len(values), *shape), 0, -1)
        return nibabel.Nifti1Image(data.astype(np.float32), masker.mask_img_.affine)
    # Not n_elements_, which is of the last image that went through the masker.
    names = columns_of(masker)
    n_columns = int((np.asanyarray(masker.mask_img_.dataobj) > 0).sum()) if shape else 0
    n_columns = n_columns if names is None else len(names)
    if values.shape[1] != n_columns:
        raise ValueError(
            f"{name} has {values.shape[1]} columns, but the masker makes {n_columns}. "
            "Give the masker that made y."
        )
    return to_image(values, masker)


def find_mask(masker, img):
    """Return an image of where there are values."""
    import nibabel

    mask = getattr(masker, "mask_img_", None)
    if mask is not None and mask.shape == img.shape[:3]:
        return mask
    data = np.any(np.asanyarray(img.dataobj) != 0, axis=3)
    if not data.any():
        raise ValueError("The measured volumes are zero: there is nothing to show.")
    return nibabel.Nifti1Image(data.astype(np.uint8), img.affine)


def find_cuts(mask, n_cuts):
    """Choose heights in mm, evenly spread over the brain."""
    low, high = _heights(mask)
    cuts = low + np.linspace(_LOWEST, _HIGHEST, n_cuts) * (high - low)
    return [float(cut) for cut in cuts]


def _heights(mask):
    """Return the lowest and the highest voxel of the brain, in mm."""
    voxels = np.argwhere(np.asanyarray(mask.dataobj) > 0)
    heights = voxels @ mask.affine[2, :3] + mask.affine[2, 3]
    return heights.min(), heights.max()


def _check_cuts(cuts, mask):
    cuts = 1e3 * np.atleast_1d(check_array("cuts", cuts))
    low, high = _heights(mask)
    if not cuts.size or cuts.min() < low or cuts.max() > high:
        raise ValueError(
            f"cuts must be heights in m from {low / 1e3:g} to {high / 1e3:g}, where "
            f"the brain is; got {(cuts / 1e3).tolist()}."
        )
    return cuts.tolist()


def _make_r_image(r, masker):
    if masker is None:
        raise ValueError("r needs masker=, which knows where its voxels are.")
    r = check_array("r", np.atleast_2d(r), shape=(None, None), finite=False)
    # A voxel that does not change has no correlation, as outside the brain.
    img = array_to_image("r", np.nan_to_num(r).mean(axis=0, keepdims=True), masker)
    return img.slicer[..., 0]


def add_bar(fig, axes, limit, label):
    """Add the bar of colours from minus a limit to it, beside panels."""
    import matplotlib as mpl

    norm = mpl.colors.Normalize(-limit, limit)
    bar = fig.colorbar(
        mpl.cm.ScalarMappable(norm, diverging()),
        ax=axes,
        shrink=0.8,
        aspect=18,
        pad=0.01,
    )
    bar.set_label(label, fontsize="small")
    bar.set_ticks([-limit, 0, limit], labels=[f"{-limit:.2g}", "0", f"{limit:.2g}"])
    bar.ax.tick_params(labelsize="small")
    bar.outline.set_visible(False)
    return bar


def settle(fig):
    """Fix the places of panels, into which nilearn puts its own ones."""
    fig.draw_without_rendering()
    fig.set_layout_engine("none")


def diverging():
    """Return red and blue with a zero that is as white as what is outside the brain."""
    import matplotlib as mpl

    colours = mpl.colormaps["RdBu_r"](np.linspace(0, 1, 257))
    colours = np.minimum(colours / colours[128], 1)
    return mpl.colors.ListedColormap(colours, "white_centred")


def _crop(img, mask):
    """Cut a volume to the box of the brain, with a voxel around it where there is."""
    where = np.argwhere(np.asanyarray(mask.dataobj) > 0)
    first = np.maximum(where.min(axis=0) - 1, 0)
    end = where.max(axis=0) + 2
    return img.slicer[tuple(slice(a, b) for a, b in zip(first, end, strict=True))]


def draw_slices(ax, img, mask, cuts, limit):
    """Draw slices of a volume, with the outline of the brain.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        A panel whose place is fixed.
    img : nibabel.Nifti1Image, shape (nx, ny, nz)
        The volume.
    mask : nibabel.Nifti1Image
        The brain.
    cuts : list of float
        Heights in mm.
    limit : float
        The colours go from minus this to this.

    Returns
    -------
    display : nilearn.plotting.displays.ZSlicer
        The slices.
    """
    from nilearn import plotting

    img, mask = _crop(img, mask), _crop(mask, mask)
    # Space below for the heights.
    place = ax.get_position()
    space = _LABEL * place.height
    ax.set_position([place.x0, place.y0 + space, place.width, place.height - space])
    display = plotting.plot_img(
        img,
        display_mode="z",
        cut_coords=cuts,
        axes=ax,
        figure=ax.figure,
        cmap=diverging(),
        vmin=-limit,
        vmax=limit,
        colorbar=False,
        annotate=False,
        black_bg=False,
        draw_cross=False,
        resampling_interpolation="nearest",
    )
    display.add_contours(mask, levels=[0.5], colors=_OUTLINE, linewidths=0.6)
    for cut, each in display.axes.items():
        label = {"ha": "center", "va": "top", "fontsize": 7}
        each.ax.text(0.5, 0, f"z = {cut:.0f}", transform=each.ax.transAxes, **label)
    return display
