"""The values of voxels or parcels, and which of them are there."""

import itertools

import numpy as np

from ._images import transform

# Volumes that a message tells to leave out, at most.
_MOST_VOLUMES = 20


def mask_bold(img, masker, unusable="raise"):
    """Take the values of voxels, or parcels, out of an image.

    Parameters
    ----------
    img : nibabel image
        4-D.
    masker : nilearn masker
        Fitted.
    unusable : str
        Whether voxels of the mask may be NaN at all times: ``"zero"`` takes them for
        zeros, ``"raise"`` does not.

    Returns
    -------
    values : ndarray, shape (n_volumes, n_columns)
        As the masker gives them.

    Raises
    ------
    ValueError
        If the mask and the image do not overlap, regions are lost on the grid of the
        image, or values are not finite.

    Notes
    -----
    Voxels outside the mask that are NaN at all times, as SPM writes them, are taken
    for zeros where they are smoothed or interpolated, as nilearn does.
    """
    region, affine = region_of(masker)
    places = _check_overlap(region, affine, img)
    same_grid = region.shape == img.shape[:3] and np.allclose(affine, img.affine)
    if not same_grid and not _says_where(img):
        raise ValueError(
            "The header of bold_img does not say where its voxels are (sform and qform "
            "have code 0), so regions of a masker on another grid cannot be found in "
            "it. Give a masker that was made of this image, or set its affine with "
            "img.set_sform(affine, code='scanner')."
        )
    is_mixed = not same_grid or bool(getattr(masker, "smoothing_fwhm", None))
    img = _make_finite(img, places, is_mixed, unusable)
    return transform(masker, img)


def _says_where(img):
    """Return whether an image has an affine that is not the format's default."""
    if not hasattr(img, "get_sform"):
        return True
    return any(coded(coded=True)[1] for coded in (img.get_sform, img.get_qform))


def region_of(masker):
    """Return where a masker takes values from: bool (nx, ny, nz), and its affine."""
    for name in ("labels_img_", "maps_img_", "mask_img_"):
        image = getattr(masker, name, None)
        if image is not None:
            break
    data = np.asanyarray(image.dataobj)
    if name == "labels_img_":
        region = data != masker.background_label
    else:
        region = (data != 0).reshape(*data.shape[:3], -1).any(axis=-1)
    return region, image.affine


def _check_overlap(region, affine, img):
    """Return the places of the region in the image, in voxels."""
    places = np.argwhere(region)
    places = places @ affine[:3, :3].T + affine[:3, 3]
    inverse = np.linalg.inv(img.affine)
    voxels = places @ inverse[:3, :3].T + inverse[:3, 3]
    nearest = np.rint(voxels)
    inside = ((nearest >= 0) & (nearest < img.shape[:3])).all(axis=1)
    if not inside.any():
        corners = np.array([[0, 0, 0], img.shape[:3]]) @ img.affine[:3, :3].T
        corners = np.sort(corners + img.affine[:3, 3], axis=0)
        raise ValueError(
            "The mask and the image do not overlap: the mask reaches "
            f"{_span(places.min(0), places.max(0))}, the image {_span(*corners)}. Are "
            "they in the same space? Give a mask in the image's own, for example "
            "nilearn.masking.compute_epi_mask(bold_img)."
        )
    return voxels[inside]


def _span(low, high):
    return ", ".join(
        f"{axis} from {a:.0f} to {b:.0f} mm"
        for axis, a, b in zip("xyz", low, high, strict=True)
    )


def _make_finite(img, places, is_mixed, unusable):
    """Return an image whose voxels are finite, where they are used.

    ``places`` are those of the mask; ``is_mixed`` says that voxels beside them take
    part too.
    """
    from mne.utils import logger
    from nilearn.image import new_img_like

    data = np.asanyarray(img.dataobj)
    if not np.issubdtype(data.dtype, np.inexact):
        return img
    bad = ~np.isfinite(data)
    always = bad.all(axis=3)
    used = _is_near(places, img.shape[:3])
    empty = _is_near(places[_has_nothing(always, places)], img.shape[:3])
    partly = used & ~always
    if bad[partly].any() or (empty.any() and unusable == "raise"):
        _refuse(bad[partly | empty], unusable)
    if not (bad.any() if is_mixed else bad[used].any()):
        return img
    sometimes = bad.any(axis=3) & ~always
    if is_mixed and sometimes.any():
        # As zeros they would be jumps, which smoothing carries into the mask.
        raise ValueError(
            f"bold_img has {bad[sometimes].sum()} values outside the mask that are NaN "
            "or infinite in some volumes only, and the masker smooths or resamples, "
            "which brings them into the mask. Set these voxels to zero in all volumes: "
            "data = img.get_fdata(); data[~np.isfinite(data).all(axis=3)] = 0; "
            "bold_img = nilearn.image.new_img_like(img, data, copy_header=True)."
        )
    logger.info(
        f"{always.sum()} voxels, {empty.sum()} of them in the mask, are NaN or "
        "infinite at all times: they are taken for zeros."
    )
    return new_img_like(img, np.where(bad, 0, data), copy_header=True)


def _is_near(places, shape):
    """Return the voxels nearest to places, bool (nx, ny, nz)."""
    near = np.zeros(shape, dtype=bool)
    near[tuple(np.rint(places).astype(int).T)] = True
    return near


def _has_nothing(always, places):
    """Say at which places all of the voxels around have no values.

    On another grid, a place between a voxel with values and one without gets those of
    the first: percent of the mean are the same, however small its share is.
    """
    top = np.array(always.shape) - 1
    # Up to rounding: on the image's own grid, each place is one voxel.
    ends = [np.floor(places + 1e-3), np.ceil(places - 1e-3)]
    ends = [np.clip(end, 0, top).astype(int) for end in ends]
    nothing = np.ones(len(places), dtype=bool)
    for corner in itertools.product((0, 1), repeat=3):
        nothing &= always[tuple(ends[end][:, i] for i, end in enumerate(corner))]
    return nothing


def _refuse(bad, unusable):
    """Say which values of the mask are not finite, bool (n_voxels, n_volumes)."""
    n_volumes = bad.shape[1]
    always = bad.all(axis=1)
    volumes = np.flatnonzero(bad[~always].any(axis=0)).tolist()
    voxels = bad[~always].any(axis=1)
    problem = (
        f"bold_img has {bad.sum()} values in the mask that are NaN or infinite, in "
        f"{bad.any(axis=1).sum()} voxels and {bad.any(axis=0).sum()} of {n_volumes} "
        "volumes."
    )
    if always.all():
        raise ValueError(
            f"{problem} No voxel is left. Give a mask of this scan, such as "
            "nilearn.masking.compute_epi_mask(bold_img)."
        )
    if always.any() and unusable == "raise":
        problem += (
            f" In {always.sum()} voxels all are: give a mask without them, or set them "
            "to zero, signal=BoldSignal(unusable='zero')."
        )
    if volumes and len(volumes) <= _MOST_VOLUMES:
        problem += (
            f" Leave the volumes out: keep = np.delete(np.arange({n_volumes}), "
            f"{volumes}), bold_img = nilearn.image.index_img(bold_img, keep) and "
            f"timing = align_volumes(raw, {n_volumes}).onsets[keep]."
        )
    if volumes and not voxels.all():
        problem += f" Or give a mask without the {voxels.sum()} voxels."
    elif len(volumes) > _MOST_VOLUMES:
        problem += " Look at the scan, or how it was processed."
    raise ValueError(problem)
