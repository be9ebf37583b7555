"""What is predicted in place of voxels: a few numbers that decode to all of them."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator

from .._checks import check_count

# Iterations of the randomised decomposition; spectra of fMRI fall off slowly.
_POWER_ITERATIONS = 4


class TargetSpace(ABC, BaseEstimator):
    """From rows of voxels to a few numbers and back, linearly.

    Rows of ``basis_`` are orthonormal, so that squared errors of the numbers are
    squared errors of voxels.

    Attributes
    ----------
    mean_ : ndarray, shape (n_voxels,)
        The mean of the training pairs.
    """

    @abstractmethod
    def fit(self, y, *, grid=None):
        """Learn the space from rows (n, n_voxels) of training pairs."""

    @abstractmethod
    def encode(self, y):
        """Turn rows (n, n_voxels) into numbers (n, n_targets)."""

    @abstractmethod
    def decode(self, z):
        """Turn numbers (n, n_targets) into rows (n, n_voxels)."""


class Voxels(TargetSpace):
    """All the voxels, or parcels, as they are."""

    def fit(self, y, *, grid=None):
        """Keep the mean."""
        self.mean_ = y.mean(axis=0)
        return self

    def encode(self, y):
        """Take the mean away."""
        return y - self.mean_

    def decode(self, z):
        """Add the mean."""
        return z + self.mean_


class _Projection(TargetSpace):
    """A space with a basis of images."""

    def encode(self, y):
        """Project on the basis."""
        return (y - self.mean_) @ self.basis_.T

    def decode(self, z):
        """Add up images of the basis."""
        return z @ self.basis_ + self.mean_


class PCATarget(_Projection):
    """Principal components of the training pairs.

    Parameters
    ----------
    n_components : int
        How many; fewer if there are fewer pairs or voxels.

    Attributes
    ----------
    basis_ : ndarray of float32, shape (n_components, n_voxels)
        Orthonormal images, by falling variance.
    """

    def __init__(self, n_components=64):
        self.n_components = n_components

    def fit(self, y, *, grid=None):
        """Find the components of rows (n, n_voxels)."""
        from sklearn.utils.extmath import randomized_svd

        most = min(y.shape[1], max(1, len(y) - 1))
        n_components = min(check_count("n_components", self.n_components), most)
        self.mean_ = y.mean(axis=0)
        centred = y - self.mean_
        _, _, basis = randomized_svd(
            centred,
            n_components,
            n_iter=_POWER_ITERATIONS,
            # The same components each time, whatever seed the networks have.
            random_state=0,
        )
        self.basis_ = np.ascontiguousarray(basis, dtype=np.float32)
        return self


class DCTTarget(_Projection):
    """Low spatial frequencies of the volume, on the voxels of the mask.

    Parameters
    ----------
    shape : tuple of int
        Number of cosines along each axis.

    Attributes
    ----------
    basis_ : ndarray of float32, shape (n_components, n_voxels)
        Orthonormal images that span the cosines of the type-II transform on the mask;
        fewer than their number where the mask makes some of them alike.
    """

    def __init__(self, shape=(4, 4, 4)):
        self.shape = shape

    def fit(self, y, *, grid=None):
        """Compute the cosines on the grid's voxels."""
        if grid is None:
            raise ValueError(
                "target='dct' needs to know where the voxels are: give masker= (a "
                "fitted nilearn NiftiMasker), or y as volumes (n, nx, ny, nz)."
            )
        if np.shape(self.shape) != (3,):
            raise ValueError(f"shape must be three numbers, got {self.shape!r}.")
        counts = [
            min(check_count("shape", k), n)
            for k, n in zip(self.shape, grid.shape, strict=True)
        ]
        self.mean_ = y.mean(axis=0)
        cosines = [_cosines(k, n) for k, n in zip(counts, grid.shape, strict=True)]
        images = np.einsum("ax,by,cz->abcxyz", *cosines)
        images = images.reshape(-1, *grid.shape)[:, grid.mask]
        _, values, basis = np.linalg.svd(images, full_matrices=False)
        kept = values > 1e-6 * values[0]
        self.basis_ = basis[kept].astype(np.float32)
        return self


def _cosines(n_cosines, n):
    """Return cosines (n_cosines, n) of the type-II transform."""
    places = (np.arange(n) + 0.5) / n
    return np.cos(np.pi * np.arange(n_cosines)[:, None] * places)


# Names that `target=` understands.
TARGETS = {"voxels": Voxels, "pca": PCATarget, "dct": DCTTarget}
