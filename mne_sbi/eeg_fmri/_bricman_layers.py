"""Layers of the networks of Bricman and Borst."""

import random

import numpy as np

from .._keras import import_keras
from ..inference._initializers import RandomKernel

keras = import_keras()
layers, ops = keras.layers, keras.ops


def linear(units):
    """Dense layer on the last axis, shared by all axes before it.

    Its weights are drawn as PyTorch does, which the authors used: uniform within the
    inverse root of the number of inputs. Offsets start at zero.
    """
    return layers.Dense(units, kernel_initializer=RandomKernel(1 / 3, "fan_in"))


def batch_norm():
    """Batch normalisation of the last axis, with PyTorch's momentum and epsilon."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


class AveragePool(layers.Layer):
    """Means of neighbours along the last axis.

    Parameters
    ----------
    length : int
        Number of samples per mean. Samples behind the last whole mean are left out.
    """

    def __init__(self, length, **settings):
        super().__init__(**settings)
        self.length = length

    def call(self, inputs):
        """Average (..., n_samples) to (..., n_samples // length)."""
        n = inputs.shape[-1] // self.length
        kept = inputs[..., : n * self.length]
        shape = (-1, *inputs.shape[1:-1], n, self.length)
        return ops.mean(ops.reshape(kept, shape), axis=-1)


class ChannelConv(layers.Layer):
    """Convolution along time over all channels at once, as a product with patches.

    The same numbers as a 2-D convolution of (channels, samples) whose kernel spans all
    channels. Keras has none with both strides and gaps, and a matrix product is what a
    CPU does fast.

    Parameters
    ----------
    filters : int
        Number of outputs at each place.
    kernel_size : int
        Samples that an output sees, of each channel.
    stride : int
        Samples between outputs, a multiple of ``dilation``.
    dilation : int
        Samples between those that an output sees.
    padding : int
        Zeros before and behind the window.
    """

    def __init__(self, filters, kernel_size, stride, dilation, padding, **settings):
        super().__init__(**settings)
        if stride % dilation:
            raise ValueError(
                f"stride must be a multiple of dilation, got {stride} and {dilation}."
            )
        self.filters, self.kernel_size = filters, kernel_size
        self.stride, self.dilation, self.padding = stride, dilation, padding

    def build(self, input_shape):
        """Make kernel (kernel_size, n_channels, filters) and offset."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, input_shape[1], self.filters),
            initializer=RandomKernel(1 / 3, "fan_in"),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros"
        )

    def call(self, inputs):
        """Convolve (n, n_channels, n_samples) to (n, n_places, filters)."""
        ends = [(0, 0), (0, 0), (self.padding, self.padding)]
        # All outputs see multiples of the dilation only.
        samples = ops.pad(inputs, ends)[..., :: self.dilation]
        samples = ops.transpose(samples, (0, 2, 1))
        step = self.stride // self.dilation
        n_places = self.count_places(inputs.shape[2])
        last = step * (n_places - 1) + 1
        shifted = [samples[:, k : k + last : step] for k in range(self.kernel_size)]
        patches = ops.concatenate(shifted, axis=2)
        return ops.matmul(patches, self._matrix()) + self.bias

    def count_places(self, n_samples):
        """Count the outputs along time for a number of samples; negative: too few."""
        span = self.dilation * (self.kernel_size - 1) + 1
        return (n_samples + 2 * self.padding - span) // self.stride + 1

    def compute_output_shape(self, input_shape):
        """Shape of the output for that of an input."""
        return (input_shape[0], self.count_places(input_shape[2]), self.filters)

    def _matrix(self):
        return ops.reshape(self.kernel, (-1, self.filters))


class AddEmbedding(layers.Layer):
    """Add to each token a vector of its place, which is learnt."""

    def build(self, input_shape):
        """Draw the vectors (n_tokens, width), standard normal as PyTorch does."""
        self.embedding = self.add_weight(
            name="embedding",
            shape=tuple(input_shape[1:]),
            initializer=RandomNormal(),
        )

    def call(self, inputs):
        """Add the vectors."""
        return inputs + self.embedding


class RandomNormal(keras.initializers.Initializer):
    """Standard normal numbers, drawn by NumPy as :class:`RandomKernel` does."""

    def __call__(self, shape, dtype=None):
        """Draw weights of a shape."""
        rng = np.random.default_rng(random.getrandbits(32))
        drawn = rng.standard_normal(shape, dtype=np.float32)
        return ops.convert_to_tensor(drawn, dtype=dtype)


class Scatter(layers.Layer):
    """Put columns into volumes, zero elsewhere.

    Parameters
    ----------
    mask : array of bool, shape (nx, ny, nz)
        Where the columns belong.
    """

    def __init__(self, mask, **settings):
        super().__init__(**settings)
        self._shape = mask.shape
        # For each voxel its column; those outside take the zero behind the last one.
        n_columns = int(mask.sum())
        places = mask.astype("int32").ravel()
        self._columns = None
        if n_columns < places.size:
            self._columns = (places.cumsum() - 1) * places + n_columns * (1 - places)

    def call(self, inputs):
        """Turn (n, n_columns) into (n, nx, ny, nz)."""
        if self._columns is not None:
            inputs = ops.pad(inputs, [(0, 0), (0, 1)])
            inputs = ops.take(inputs, self._columns, axis=1)
        return ops.reshape(inputs, (-1, *self._shape))


class Gather(layers.Layer):
    """Take columns out of volumes: the inverse of :class:`Scatter`.

    Parameters
    ----------
    mask : array of bool, shape (nx, ny, nz)
        Where the columns belong.
    """

    def __init__(self, mask, **settings):
        super().__init__(**settings)
        self._size = mask.size
        self._voxels = None if mask.all() else mask.ravel().nonzero()[0]

    def call(self, inputs):
        """Turn (n, nx, ny, nz), or other axes in that order, into (n, n_columns)."""
        columns = ops.reshape(inputs, (-1, self._size))
        if self._voxels is not None:
            columns = ops.take(columns, self._voxels, axis=1)
        return columns
