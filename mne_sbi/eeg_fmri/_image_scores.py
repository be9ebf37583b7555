"""Likeness of predicted and measured volumes as images, as the literature scores it."""

import numpy as np
from scipy.ndimage import gaussian_filter

from .._checks import listing
from ._grid import VolumeGrid

# Standard deviation of the window in pixels, where it is cut off in units of it, and
# the constants that keep quotients finite: Wang et al., IEEE Trans Image Process
# 13:600-612, 2004.
_SIGMA, _TRUNCATE, _K1, _K2 = 1.5, 3.5, 0.01, 0.03
# Volumes of a person that are compared, evenly spaced over time.
_MOST_VOLUMES = 50


class ImageScores:
    """Structural similarity of volumes, with its shuffled and constant versions.

    Parameters
    ----------
    grid : VolumeGrid
        Which voxels the columns of ``y`` are.
    mean_volumes : dict of (person -> ndarray, shape (n_voxels,)) | None
        Mean volume of each person, in the scanner's units. Then ``y`` is percent signal
        change, and volumes are ``mean * (1 + y / 100)``: with the person's own mean as
        measured, and with the average of the training people's means as predicted.
        Without, the values of ``y`` are the volumes.
    mask : ndarray of bool, shape (nx, ny, nz) | None
        The voxels that count; None is all of the grid.
    """

    def __init__(self, grid, mean_volumes=None, mask=None):
        self.grid = grid
        self.mean_volumes = mean_volumes
        self.mask = grid.mask if mask is None else mask

    def score(self, predicted, measured, own=None, base=None):
        """Score the predictions of one person.

        Parameters
        ----------
        predicted, measured : ndarray, shape (n_volumes, n_voxels)
            In the order of time.
        own : ndarray, shape (n_voxels,) | None
            The person's mean volume.
        base : ndarray, shape (n_volumes, n_voxels) | None
            What the predictions are changes of.

        Returns
        -------
        row : dict
            ``ssim``; ``ssim_shuffled``, of the predictions moved by half of the
            recording; and ``ssim_constant``, of their mean over time.
        """
        rows = np.linspace(0, len(measured) - 1, min(len(measured), _MOST_VOLUMES))
        rows = np.unique(rows.round().astype(int))
        truth = measured[rows] if own is None else own * (1 + measured[rows] / 100)

        def compare(values):
            images = values if base is None else base[rows] * (1 + values / 100)
            volumes = (self.grid.to_volumes(x) for x in (images, truth))
            return ssim(*volumes, self.mask)

        moved = np.roll(predicted, len(predicted) // 2, axis=0)
        mean = predicted.mean(axis=0, dtype=float)
        return {
            "ssim": compare(predicted[rows]),
            "ssim_shuffled": compare(moved[rows]),
            "ssim_constant": compare(np.broadcast_to(mean, predicted[rows].shape)),
        }

    def bases(self, groups, splits):
        """Average the mean volumes of the people in each fold's training.

        Returns
        -------
        bases : ndarray, shape (n_folds, n_voxels) | None
            One volume for each fold.
        """
        if self.mean_volumes is None:
            return None
        return np.stack(
            [
                np.mean(
                    [self.mean_volumes[p] for p in np.unique(groups[train])], axis=0
                )
                for train, _ in splits
            ]
        )


def make_image_scores(masker, mean_volumes, y_shape, people):
    """Check what images are made of.

    Parameters
    ----------
    masker : nilearn.maskers.NiftiMasker | None
        What made ``y``, or, if ``y`` are whole volumes, says where the brain is.
    mean_volumes : dict | None
        As in :class:`ImageScores`.
    y_shape : tuple of int
        Shape of one pair's values.
    people : ndarray
        Names of the people.

    Returns
    -------
    scores : ImageScores | None
        None if ``y`` are not voxels whose place is known.
    """
    mask = None
    if len(y_shape) == 3:
        grid = VolumeGrid.from_shape(y_shape)
        if masker is not None:
            mask = VolumeGrid.from_masker(masker).mask
            if mask.shape != y_shape:
                raise ValueError(
                    f"masker has a mask of the shape {mask.shape}, but the volumes of "
                    f"y have {y_shape}. Give a masker of the same grid."
                )
    elif masker is not None:
        grid = VolumeGrid.from_masker(masker)
    elif mean_volumes is not None:
        raise ValueError("mean_volumes= needs masker=, which says where voxels are.")
    else:
        return None
    n_voxels = int(np.prod(y_shape))
    if grid.n_voxels != n_voxels:
        raise ValueError(
            f"masker has {grid.n_voxels} voxels, but y has {n_voxels} columns. Give "
            "the masker that made y."
        )
    if mean_volumes is not None:
        missing = [person for person in people.tolist() if person not in mean_volumes]
        if missing:
            raise ValueError(
                f"mean_volumes lacks {len(missing)} of {len(people)} subjects: "
                f"{listing(missing)}."
            )
        sizes = {p: np.size(mean_volumes[p]) for p in people.tolist()}
        wrong = [f"{p!r}: {size}" for p, size in sizes.items() if size != n_voxels]
        if wrong:
            raise ValueError(
                f"mean_volumes must have {n_voxels} values each, as rows of y have, "
                f"got {listing(wrong)}. Take them with the masker that made y."
            )
        mean_volumes = {
            p: np.asarray(mean_volumes[p], dtype=float).reshape(n_voxels)
            for p in people.tolist()
        }
    return ImageScores(grid, mean_volumes, mask)


def ssim(predicted, measured, mask):
    """Structural similarity of axial slices, averaged over the voxels of a mask.

    Parameters
    ----------
    predicted, measured : ndarray, shape (n, nx, ny, nz)
        Volumes.
    mask : ndarray of bool, shape (nx, ny, nz)
        The voxels that count. Elsewhere two images that are both zero would agree.

    Returns
    -------
    similarity : float
        One where they are the same.

    Notes
    -----
    Of Wang et al. (IEEE Trans Image Process 13:600-612, 2004), with their Gaussian
    window of 1.5 pixels within each axial slice. The range of values is that of all
    measured volumes, within the mask; slices scaled one by one would hide differences
    in level.
    """
    inside = measured[:, mask]
    scale = float(inside.max() - inside.min()) or 1.0
    c1, c2 = (_K1 * scale) ** 2, (_K2 * scale) ** 2
    a, b = np.asarray(predicted, dtype=float), np.asarray(measured, dtype=float)
    mean_a, mean_b = _smooth(a), _smooth(b)
    var_a, var_b = _smooth(a * a) - mean_a**2, _smooth(b * b) - mean_b**2
    cov = _smooth(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * cov + c2) / (var_a + var_b + c2)
    return float((luminance * structure)[:, mask].mean())


def _smooth(x):
    return gaussian_filter(x, _SIGMA, truncate=_TRUNCATE, axes=(1, 2))
