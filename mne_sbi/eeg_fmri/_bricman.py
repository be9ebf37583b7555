"""The networks of Bricman and Borst: from raw EEG to volumes."""

import math

import numpy as np

from .._checks import check_array, check_labels
from ._base import NetworkArchitecture
from ._eeg_windows import MEMORY

# Passes without a smaller loss before the learning rate falls, and to what share.
_PATIENCE, _FACTOR = 10, 0.1


class BricmanDense(NetworkArchitecture):
    """A dense layer that all channels share, then dense layers to the voxels.

    Parameters
    ----------
    pool : int
        Samples that are averaged first; it has to divide their number. Published: 4,
        from 1000 Hz to 250 Hz.
    channel_noise : float
        Standard deviation of what training adds to each channel of a window as a
        constant, in the unit of ``X``: see Notes.
    sample_noise : float
        Standard deviation of what training adds to each sample.
    max_iter : int
        Passes over the pairs, at most 200 in the publication.
    batch_size : int
        Pairs per step.
    learning_rate : float
        Of Adam. It falls to a tenth after ten passes without a smaller loss.

    Notes
    -----
    Windows are (channels, samples) of EEG, the oldest first, as
    ``make_pairs(..., features="raw")`` gives them; published are 34 channels and 30 s
    at 1000 Hz. The network does not scale them. The authors scaled each channel of each
    person from 0 to 1 by its extremes: :func:`scale_min_max` does that, and the default
    noise is for that scale. Channels of unit standard deviation, the default of
    :func:`make_pairs`, span about ten times more, so that the same noise is a tenth of
    the published one.

    The samples are averaged, then a dense layer with 100 outputs that all channels
    share, three dense layers of 1000 and one of 100, each with ReLU, batch
    normalisation and dropout (0.5, the last one 0.2), and a dense layer to the targets:
    23,796,028 weights that are trained, for 53 x 63 x 52 voxels. The loss is the mean
    squared error of the voxels within the mask.

    What is not as published, and why:

    - The target is percent signal change of fMRI without drift, not the volume over its
      median minus one, in which each person's anatomy and drift remain.
    - The batch normalisation behind the shared layer uses all windows of a batch; the
      authors' code normalised the channels of each window by itself while training,
      which it does not when it predicts.
    - There is no validation set, which the authors drew from the people of the training
      set too: skill is for :func:`evaluate` to say, in people who are left out.
    - Offsets start at zero; weights start as published.

    References
    ----------
    Bricman, P., & Borst, J. (2021). EEG2fMRI: cross-modal synthesis for functional
    neuroimaging. University of Groningen. Sizes and training are those of its code.
    """

    axes = ("channels", "samples")

    def __init__(
        self,
        *,
        pool=4,
        channel_noise=0.2,
        sample_noise=0.001,
        max_iter=200,
        batch_size=32,
        learning_rate=1e-4,
    ):
        self.pool = pool
        self.channel_noise = channel_noise
        self.sample_noise = sample_noise
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate

    def _build(self, x_shape, n_targets, grid):
        from ..inference._training import Stage
        from ._bricman_layers import AveragePool

        self._check_noise()
        shape = self._pooled(x_shape)
        trainer, predict = self._make_network(shape, n_targets, grid)
        average = AveragePool(self.pool)
        return trainer, Stage(lambda windows: predict(average(windows)), [trainer])

    def _make_network(self, shape, n_targets, grid):
        """Build the trainer, and a function from averaged windows to targets."""
        from ._bricman_networks import make_dense

        return _use(make_dense(shape, n_targets))

    def _make_batch(self, x, y, rng):
        return self._augment(x, rng), y

    def _augment(self, x, rng):
        """Average windows and add noise.

        Here and not in the network, because the mean of ``pool`` numbers with noise is
        their mean with less noise: a quarter of the numbers have to be drawn.
        """
        n_rows, n_channels, n_samples = x.shape
        shape = (n_rows, n_channels, n_samples // self.pool)
        # A product, which is much faster than a mean over a short axis.
        mean = np.full(self.pool, 1 / self.pool, dtype=np.float32)
        pooled = (x.reshape(-1, self.pool) @ mean).reshape(shape)
        if self.sample_noise:
            scale = np.float32(self.sample_noise / math.sqrt(self.pool))
            pooled += scale * rng.standard_normal(shape, dtype=np.float32)
        if self.channel_noise:
            scale = np.float32(self.channel_noise)
            pooled += scale * rng.standard_normal((*shape[:2], 1), dtype=np.float32)
        return pooled

    def _compile(self, trainer):
        from .._keras import import_keras

        # The epsilon of PyTorch, which the authors used.
        optimizer = import_keras().optimizers.Adam(self.learning_rate, epsilon=1e-8)
        trainer.compile(optimizer=optimizer, loss="mse")

    def _make_callbacks(self):
        from ._bricman_schedule import Plateau

        return [Plateau(self.learning_rate, _FACTOR, _PATIENCE)]

    def _draw(self, n_rows, rng):
        """Random bytes for what a transformer leaves out."""
        shape = n_rows, self._networks[0].n_draws
        return rng.integers(0, 256, shape, dtype=np.uint8)

    def _check_noise(self):
        for name in ("channel_noise", "sample_noise"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(
                    f"{name} must be a standard deviation of zero or more, got {value}."
                )

    def _pooled(self, x_shape):
        """Shape of a window behind the average."""
        n_channels, n_samples = x_shape
        pool = self.pool
        if pool != int(pool) or pool < 1:
            raise ValueError(f"pool must be a whole number from 1 on, got {pool}.")
        rest = n_samples % pool
        if rest:
            # The next rate that pool divides, so that it divides any whole seconds.
            rate = math.ceil(n_samples / MEMORY / pool) * pool
            raise ValueError(
                f"pool={pool} does not divide the {n_samples} samples of a window. "
                f"Make the windows with a sampling rate times duration that {pool} "
                f"divides, for example EEGWindows('raw', sfreq={rate}) with the "
                f"default duration of {MEMORY:g} s; or leave the {rest} oldest samples "
                f"out (X[:, :, {rest}:]), or give another pool."
            )
        return n_channels, n_samples // pool

    def _check_grid(self, grid, n_targets, why):
        """Return the mask of the targets."""
        name = type(self).__name__
        if grid is None:
            raise ValueError(
                f"{name} {why}, and has to know which voxels the columns of y are: "
                "give the masker that made y (masker=) or y as whole volumes "
                "(n, nx, ny, nz), and target='voxels'."
            )
        if grid.n_voxels != n_targets:
            raise ValueError(
                f"y has {n_targets} columns, but grid has {grid.n_voxels} voxels. Give "
                "the grid of the mask that made y."
            )
        return grid.mask


class BricmanConv(BricmanDense):
    """A convolution along time, dense layers, and convolutions of the volume.

    Parameters
    ----------
    pool, channel_noise, sample_noise, max_iter, batch_size, learning_rate
        As :class:`BricmanDense` takes them.

    Notes
    -----
    Windows, their scale, training, and what is not as published: as for
    :class:`BricmanDense`. Targets have to be voxels.

    The samples are averaged over ``pool``. A convolution with 512 outputs spans all
    channels and 49 samples, of which every second is taken, in steps of four with 24
    zeros at both ends: 1863 places of 7500 samples. ELU, batch normalisation and the
    mean of 16 places follow, the last seven places being left over: 116 x 512 = 59,392
    numbers. Dense layers of 200, four times 1000, and 100, each with batch
    normalisation, ELU and dropout (0.2, then 0.5, none behind the last), lead to the
    voxels, with an ELU. Those are put into the volume, on which four convolutions of
    5 x 5 x 5 with 16, 16, 16 and 1 channels work. The dense layer makes the voxels
    within the mask only, where that of the authors made all of the box.

    At the published size, a step with 32 pairs takes some 30 s of one CPU core and
    7 GB; one with four pairs takes 2 GB.

    There is no ELU behind the last convolution. The published one bounds predictions
    at -1, which is never reached by a fractional change, but is one percent here; above
    it, it changes a fractional change of 3 % by 0.05 %.

    References
    ----------
    Bricman, P., & Borst, J. (2021): see :class:`BricmanDense`.
    """

    def _make_network(self, shape, n_targets, grid):
        from ._bricman_networks import make_conv

        mask = self._check_grid(grid, n_targets, "smooths volumes")
        return _use(make_conv(shape, mask))


class BricmanEncoder(BricmanDense):
    """The encoder of a transformer over channels, then dense layers to the voxels.

    Parameters
    ----------
    pool, channel_noise, sample_noise, max_iter, batch_size, learning_rate
        As :class:`BricmanDense` takes them.

    Notes
    -----
    Windows, their scale, training, and what is not as published: as for
    :class:`BricmanDense`.

    Each channel becomes a token of 64 numbers by a dense layer that all channels
    share, to which a vector of the channel is added. Six layers of attention with 8
    heads and 2048 hidden units (dropout 0.1) follow; all tokens together go through a
    dense layer of 128 with ReLU, and one to the targets.

    References
    ----------
    Bricman, P., & Borst, J. (2021): see :class:`BricmanDense`.
    """

    def _make_network(self, shape, n_targets, grid):
        from ._bricman_transformers import ChannelEncoder, TransformerTrainer

        network = ChannelEncoder(n_targets)
        return TransformerTrainer(network, (None, *shape)), network.generate

    def _make_batch(self, x, y, rng):
        return (self._augment(x, rng), self._draw(len(x), rng)), y


class BricmanTransformer(BricmanDense):
    """A transformer from channels to sagittal slices, one slice after the other.

    Parameters
    ----------
    pool, channel_noise, sample_noise, max_iter, batch_size, learning_rate
        As :class:`BricmanDense` takes them.

    Notes
    -----
    Windows, their scale, training, and what is not as published: as for
    :class:`BricmanDense`. Targets have to be voxels.

    Each channel becomes a token of 64 numbers by a dense layer that all channels share;
    each sagittal slice of the volume, the first axis of which runs from left to right,
    becomes one by another. Sines and cosines of amplitude 0.1 mark positions of both.
    Encoder and decoder have six layers with 8 heads and 512 hidden units (dropout 0.5).
    The decoder begins with a token that is learnt; each slice sees those before it.

    Training gives the decoder the measured slices before each slice, as published.
    :meth:`predict` never does: it begins with nothing but EEG and feeds back its own
    slices. The authors validated with measured slices, and tested with the first 30 of
    53 measured ones; their mean squared error of 4.976e-4 is therefore no error of a
    prediction from EEG, and both are left out. So is the vector of each slice's place
    that their test, but not their training, added.

    A slice is easier to guess from the measured one beside it than from EEG. So much of
    what this training teaches is of no use to a prediction, whose first slices are
    guesses: expect less skill than of :class:`BricmanEncoder`.

    References
    ----------
    Bricman, P., & Borst, J. (2021): see :class:`BricmanDense`.
    """

    def _make_network(self, shape, n_targets, grid):
        from ._bricman_transformers import SliceTransformer, TransformerTrainer

        mask = self._check_grid(grid, n_targets, "makes a volume slice by slice")
        network = SliceTransformer(mask)
        return TransformerTrainer(network, (None, *shape)), network.generate

    def _make_batch(self, x, y, rng):
        volumes = self.grid_.to_volumes(y)
        return (self._augment(x, rng), volumes, self._draw(len(x), rng)), y


def _use(network):
    """Return a network, and a function that predicts by it."""
    return network, lambda windows: network(windows, training=False)


def scale_min_max(X, groups=None):
    """Scale each channel of each person or recording from 0 to 1.

    Parameters
    ----------
    X : array_like, shape (n_pairs, n_channels, n_samples)
        Windows of EEG, not standardised: ``make_pairs(..., standardize=False)``.
    groups : array_like, shape (n_pairs,) | None
        The person or recording of each pair; None is one.

    Returns
    -------
    X : ndarray of float32, shape (n_pairs, n_channels, n_samples)
        A scaled copy.

    Raises
    ------
    ValueError
        If a channel is constant in all windows of a group.

    Notes
    -----
    As Bricman and Borst do. A single artefact sets the scale of a channel, so clean
    data first, or standardise instead (:class:`RecordingStandardizer`).
    """
    X = check_array("X", X, shape=(None, None, None), dtype=np.float32)
    groups = np.zeros(len(X)) if groups is None else groups
    groups = check_labels("groups", groups, len(X), "pair")
    scaled = np.empty_like(X)
    for group in np.unique(groups):
        rows = groups == group
        low = X[rows].min(axis=(0, 2), keepdims=True)
        span = X[rows].max(axis=(0, 2), keepdims=True) - low
        if not span.all():
            flat = np.flatnonzero(span.ravel() == 0).tolist()
            raise ValueError(
                f"Channels {flat} of X are constant in all windows of group {group}: "
                "leave these channels or this group out."
            )
        scaled[rows] = (X[rows] - low) / span
    return scaled
