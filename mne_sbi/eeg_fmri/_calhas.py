"""The network of Calhas and Henriques: from spectrograms to volumes."""

import math

import numpy as np

from .._checks import check_option
from ._base import NetworkArchitecture

# As published for 64 channels x 134 frequencies x 10 windows, and for 64 x 64 x 30
# voxels: kernels, strides and pooling of each block, by axis.
_EEG_SHAPE, _VOLUME_SHAPE = (64, 134, 10), (64, 64, 30)
_EEG_BLOCKS = (
    ((7, 37, 2), (3, 5, 1), (2, 2, 1)),
    ((7, 7, 2), (2, 2, 1), (2, 2, 1)),
)
_VOLUME_BLOCKS = (
    ((14, 6, 12), (2, 1, 1), (2, 2, 2)),
    ((6, 4, 6), (1, 1, 1), (2, 2, 2)),
    ((12, 47, 5), (1, 1, 1), (2, 2, 2)),
)
_VOLUME_AXES = tuple(f"voxels along {axis}" for axis in "xyz")
# Share of the latent vector of a volume that a step of training leaves out.
_DROPOUT = 0.5


class Calhas(NetworkArchitecture):
    """Topographical attention, residual blocks and Fourier features.

    An encoder of the EEG and, while training, one of the volume end in latent vectors
    that are pulled together; a decoder makes the volume of that of the EEG.

    Parameters
    ----------
    decoder : "dense" | "dct"
        ``"dense"`` is one weight per voxel and feature, as published; ``"dct"`` makes
        the slowest waves of a discrete cosine transform.
    loss : "documented" | "published"
        Mean absolute error of the volume plus one minus the similarity of the latent
        vectors. ``"documented"`` is the cosine of the two vectors of each pair, as the
        article says. ``"published"`` is what its code computes: see Notes.
    n_coefficients : tuple of int, shape (3,)
        Waves along each axis of the volume, for ``decoder="dct"``; no more are used
        than the axis has voxels.
    max_iter : int
        Passes over the pairs.
    batch_size : int
        Pairs per step.
    learning_rate : float
        Of Adam.

    Notes
    -----
    Windows are (channels, frequencies, windows) of amplitude, the oldest first:
    ``make_pairs(..., features="spectrogram")``. Targets are voxels; the encoder of
    volumes sees those outside the mask as zero.

    Kernels and strides are as published, except along axes that are shorter than those
    published: there, they shrink in proportion, to the nearest integer and to at least
    one, and further where the layers behind them would have nothing left.

    The published loss takes the products of all latent vectors of the EEG in a batch
    with all of the volumes, the three latent axes of the latter reversed, over the
    norms of the whole batch. With four pairs it cannot fall below 0.75, and is lowest
    where all latent vectors are the same.

    The first convolutions of the two ways through a block are computed as one.

    References
    ----------
    Calhas, D., & Henriques, R. (2022). EEG to fMRI synthesis benefits from attentional
    graphs of electrode relationships. arXiv:2203.03481.
    """

    axes = ("channels", "frequencies", "windows")

    def __init__(
        self,
        decoder="dense",
        loss="documented",
        *,
        n_coefficients=(16, 16, 8),
        max_iter=10,
        batch_size=4,
        learning_rate=2.98e-3,
    ):
        self.decoder = decoder
        self.loss = loss
        self.n_coefficients = n_coefficients
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate

    def _build(self, x_shape, n_targets, grid):
        from ._calhas_networks import make_networks

        check_option("decoder", self.decoder, ("dense", "dct"))
        check_option("loss", self.loss, ("documented", "published"))
        grid = _check_grid(grid, n_targets)
        n_coefficients = None
        if self.decoder == "dct":
            n_coefficients = _check_coefficients(self.n_coefficients, grid.shape)
        return make_networks(
            x_shape,
            grid.mask,
            _fit_blocks(_EEG_BLOCKS, x_shape, _EEG_SHAPE, self.axes),
            _fit_blocks(_VOLUME_BLOCKS, grid.shape, _VOLUME_SHAPE, _VOLUME_AXES),
            n_coefficients=n_coefficients,
            published=self.loss == "published",
        )

    def _make_batch(self, x, y, rng):
        from ._calhas_networks import N_LATENT

        kept = rng.random((len(x), N_LATENT)) >= _DROPOUT
        kept = kept.astype(np.float32) / (1 - _DROPOUT)
        if self.grid_.mask.all():
            volumes = y.reshape(-1, *self.grid_.shape)
        else:
            volumes = self.grid_.to_volumes(y)
        return (x, volumes, kept), y

    def _compile(self, trainer):
        from .._keras import import_keras

        # The trainer knows its loss.
        trainer.compile(import_keras().optimizers.Adam(self.learning_rate))


def _check_grid(grid, n_targets):
    if grid is None:
        raise ValueError(
            "Calhas makes volumes, and has to know which voxels the columns of y are: "
            "give the masker that made y (masker=) or y as whole volumes "
            "(n, nx, ny, nz), and target='voxels'."
        )
    if grid.n_voxels != n_targets:
        raise ValueError(
            f"y has {n_targets} columns, but grid has {grid.n_voxels} voxels. Give the "
            "grid of the mask that made y."
        )
    return grid


def _check_coefficients(n_coefficients, shape):
    if len(n_coefficients) != len(shape) or min(n_coefficients) < 1:
        raise ValueError(
            "n_coefficients must be three positive numbers of waves, such as "
            f"(16, 16, 8); got {n_coefficients}."
        )
    return tuple(
        min(int(n), length) for n, length in zip(n_coefficients, shape, strict=True)
    )


def _fit_blocks(blocks, shape, published, names):
    """Adapt kernels and strides to axes that are shorter than those published.

    Parameters
    ----------
    blocks : sequence of (kernel_size, strides, pool_size)
        As published.
    shape, published : tuple of int, shape (3,)
        Lengths of the axes here, and those that were published.
    names : sequence of str
        Of the axes, for messages.

    Returns
    -------
    blocks : tuple of (kernel_size, strides, pool_size)
        As given, where no axis is shorter.
    """
    fitted = []
    for axis, lengths in enumerate(zip(shape, published, names, strict=True)):
        along = [tuple(part[axis] for part in block) for block in blocks]
        fitted.append(_fit_axis(along, *lengths))
    return tuple(
        tuple(zip(*(along[number] for along in fitted), strict=True))
        for number in range(len(blocks))
    )


def _fit_axis(blocks, length, published, name):
    """Kernel, stride and pooling of each block along one axis."""
    n_needed = 1 + sum(pool - 1 for _, _, pool in blocks)
    if length < n_needed:
        raise ValueError(
            f"Calhas needs at least {n_needed} {name}; got {length}. Give more of "
            "them, or another architecture."
        )

    def shorten(value):
        return max(1, math.floor(min(1, length / published) * value + 0.5))

    fitted, n_left = [], length
    for kernel, stride, pool in blocks:
        # The convolution has to leave what this pooling and the next layers need.
        kernel = min(shorten(kernel), n_left - n_needed + 1)
        stride = shorten(stride)
        if n_needed > 1:
            stride = max(1, min(stride, (n_left - kernel) // (n_needed - 1)))
        fitted.append((kernel, stride, pool))
        n_left = (n_left - kernel) // stride + 1 - (pool - 1)
        n_needed -= pool - 1
    return fitted
