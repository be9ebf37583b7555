"""The box of voxels that a row of target values comes from."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array
from .._frozen import FrozenArrays
from ._images import has_voxels


@dataclass(frozen=True)
class VolumeGrid(FrozenArrays):
    """Which voxels of a volume the columns of ``y`` are.

    Parameters
    ----------
    mask : array of bool, shape (nx, ny, nz)
        True where a voxel is a column of ``y``; columns are in the order of
        :func:`numpy.nonzero`, which is nilearn's.
    """

    mask: np.ndarray

    def __post_init__(self):
        mask = check_array("mask", self.mask, shape=(None, None, None), dtype=bool)
        if not mask.any():
            raise ValueError("mask has no voxel: give one that is true somewhere.")
        mask = mask.copy()
        mask.flags.writeable = False
        object.__setattr__(self, "mask", mask)

    @classmethod
    def from_shape(cls, shape):
        """Make the grid of whole volumes of a shape (nx, ny, nz)."""
        return cls(np.ones(shape, dtype=bool))

    @classmethod
    def from_masker(cls, masker):
        """Make the grid of a fitted nilearn NiftiMasker.

        Raises
        ------
        TypeError
            If it has no mask of voxels, as the maskers of parcels.
        """
        image = getattr(masker, "mask_img_", None)
        if image is None or not has_voxels(masker):
            raise TypeError(
                "Volumes need the masker of voxels that made y, a fitted nilearn "
                f"NiftiMasker; got {type(masker).__name__}."
            )
        return cls(np.asanyarray(image.dataobj) > 0)

    @property
    def shape(self):
        """Shape of a volume."""
        return self.mask.shape

    @property
    def n_voxels(self):
        """Number of columns of ``y``."""
        return int(self.mask.sum())

    def to_volumes(self, y):
        """Put rows (n, n_voxels) into volumes (n, nx, ny, nz), zero elsewhere."""
        volumes = np.zeros((len(y), *self.shape), dtype=np.asarray(y).dtype)
        volumes[:, self.mask] = y
        return volumes

    def from_volumes(self, volumes):
        """Take the columns (n, n_voxels) out of volumes (n, nx, ny, nz)."""
        return np.asarray(volumes)[:, self.mask]

    def __repr__(self):
        shape = " x ".join(map(str, self.shape))
        return f"<VolumeGrid | {self.n_voxels} of {shape} voxels>"


def find_grid(masker, y_shape):
    """Find where the columns of ``y`` are, from whole volumes or from a masker.

    Parameters
    ----------
    masker : nilearn masker | None
        Fitted.
    y_shape : tuple of int
        Shape of one pair's values.

    Returns
    -------
    grid : VolumeGrid | None
        None if they are not voxels, or not known where.

    Raises
    ------
    ValueError
        If the masker has another number of voxels.
    """
    if len(y_shape) == 3:
        return VolumeGrid.from_shape(y_shape)
    if not has_voxels(masker):
        return None
    grid, n_columns = VolumeGrid.from_masker(masker), int(np.prod(y_shape))
    if grid.n_voxels != n_columns:
        raise ValueError(
            f"y has {n_columns} columns, but the masker has {grid.n_voxels} voxels. "
            "Give the masker that made y."
        )
    return grid
