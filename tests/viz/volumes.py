"""Volumes, and what figures show of them."""

import numpy as np

SHAPE = (8, 10, 7)
# Left is at high numbers, as in many scanners; the origin is inside.
AFFINE = np.array([[-4.0, 0, 0, 14], [0, 4, 0, -18], [0, 0, 4, -12], [0, 0, 0, 1]])


def n_voxels(masker):
    return int(masker.mask_img_.get_fdata().sum())


def panels(fig):
    fig.canvas.draw()
    return [ax for ax in fig.axes if ax.get_visible()]


def slices(fig):
    """Return the images of slices, in the order in which they were drawn."""
    return [ax.images[0] for ax in panels(fig) if ax.images]
