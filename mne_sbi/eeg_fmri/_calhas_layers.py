"""Layers of the network of Calhas and Henriques."""

import math
import random

import numpy as np

from .._keras import import_keras
from ._patch_conv import GlorotUniform, PatchConv3D, runs_jax_on_cpu

keras = import_keras()
layers, ops = keras.layers, keras.ops

# Channels of all convolutions.
_FILTERS = 4
# Up to so many rows the gradient of a large dense layer is a sum of outer products.
_MOST_PRODUCTS = 8


def sparsemax(scores):
    """Euclidean projection of the last axis on the probability simplex.

    Martins and Astudillo (2016), ICML: algorithm 1. What is added to all scores follows
    from the set of those that stay above zero, which has no gradient: so that none has
    to pass through the sort. The rows of Keras' own function, in its version 3.15, do
    not sum to one.
    """
    n = scores.shape[-1]
    fixed = ops.stop_gradient(scores)
    ordered = -ops.sort(-fixed, axis=-1)
    counts = ops.arange(1, n + 1, dtype=scores.dtype)
    above = 1 + counts * ordered > ops.cumsum(ordered, axis=-1)
    n_above = ops.sum(ops.cast(above, "int32"), axis=-1, keepdims=True)
    lowest = ops.take_along_axis(ordered, n_above - 1, axis=-1)
    support = ops.cast(fixed >= lowest, scores.dtype)
    size = ops.sum(support, axis=-1, keepdims=True)
    shift = (ops.sum(scores * support, axis=-1, keepdims=True) - 1) / size
    return ops.maximum(scores - shift, 0)


class TopographicalAttention(layers.Layer):
    """Mixtures of channels, with weights that depend on what the channels hold.

    For the windows ``X`` of one volume, a row for each channel: ``W = sparsemax(X A')``
    and ``W X``.
    """

    def build(self, input_shape):
        """Make the matrix A."""
        n_channels, n_features = input_shape[1], math.prod(input_shape[2:])
        self.queries = self.add_weight(
            name="queries",
            shape=(n_channels, n_features),
            initializer=GlorotUniform(n_features, n_channels),
        )

    def call(self, inputs):
        """Return the mixtures, and W of shape (n, n_channels, n_channels)."""
        rows = ops.reshape(inputs, (-1, *self.queries.shape))
        weights = sparsemax(ops.matmul(rows, ops.transpose(self.queries)))
        mixed = ops.reshape(ops.matmul(weights, rows), (-1, *inputs.shape[1:]))
        return mixed, weights


class ResidualBlock(layers.Layer):
    """Two ways through convolutions, added; on ``(n, channels, nx, ny, nz)``.

    Left: convolution, maximum of neighbours, batch normalisation, ReLU, convolution of
    3 x 3 x 3, batch normalisation, ReLU. Right: convolution, maximum, normalisation.
    The first convolutions of both are one with twice the channels.

    Parameters
    ----------
    kernel_size, strides : tuple of int, shape (3,)
        Of the first convolutions.
    pool_size : tuple of int, shape (3,)
        Lengths over which the maximum is taken, one step at a time.
    """

    def __init__(self, kernel_size, strides, pool_size, **settings):
        super().__init__(**settings)
        self._pool_size = pool_size
        self._first = PatchConv3D(2 * _FILTERS, kernel_size, strides, n_together=2)
        self._first_norm = layers.BatchNormalization(axis=1)
        self._second = PatchConv3D(_FILTERS, (3, 3, 3), padding="same")
        self._second_norm = layers.BatchNormalization(axis=1)

    def build(self, input_shape):
        """Build the layers."""
        self._first.build(input_shape)
        shape = self._pooled(self._first.compute_output_shape(input_shape))
        self._first_norm.build(shape)
        shape = (shape[0], _FILTERS, *shape[2:])
        self._second.build(shape)
        self._second_norm.build(shape)

    def call(self, inputs, training=False):
        """Apply the block."""
        both = pool(self._first(inputs), self._pool_size)
        both = self._first_norm(both, training=training)
        left, right = both[:, :_FILTERS], both[:, _FILTERS:]
        left = self._second(ops.relu(left))
        left = ops.relu(self._second_norm(left, training=training))
        return ops.relu(left + right)

    def compute_output_shape(self, input_shape):
        """Shape of the output for that of an input."""
        shape = self._pooled(self._first.compute_output_shape(input_shape))
        return (shape[0], _FILTERS, *shape[2:])

    def _pooled(self, shape):
        lengths = (n - p + 1 for n, p in zip(shape[2:], self._pool_size, strict=True))
        return (*shape[:2], *lengths)


def pool(volumes, size):
    """Maximum over neighbours, one step at a time, without padding.

    As the larger of shifted copies: what XLA makes of a pooling layer on a CPU, and of
    its gradient, is slow.
    """
    for axis, length in enumerate(size, 2):
        n_left = volumes.shape[axis] - length + 1
        shifted = [
            volumes[(slice(None),) * axis + (slice(k, k + n_left),)]
            for k in range(length)
        ]
        volumes = shifted[0]
        for other in shifted[1:]:
            volumes = ops.maximum(volumes, other)
    return volumes


class FourierFeatures(layers.Layer):
    """Random Fourier features of a latent vector, as many as it is long.

    ``cos(pi / 2 * (1 + normalised(z Omega / s + b)))`` with a frozen standard normal
    ``Omega``, frozen ``b`` in [0, 2 pi), and a scale ``s`` that is learnt; each row is
    normalised to zero mean and unit variance.
    """

    # As keras.layers.LayerNormalization.
    _EPSILON = 1e-3

    def build(self, input_shape):
        """Draw Omega and b."""
        n = input_shape[-1]
        rng = np.random.default_rng(random.getrandbits(32))
        omega, phase = rng.standard_normal((n, n)), rng.uniform(0, 2 * np.pi, n)
        half = np.full(n, np.pi / 2)

        def freeze(name, value):
            return self.add_weight(
                name=name,
                shape=value.shape,
                initializer=lambda shape, dtype: ops.convert_to_tensor(value, dtype),
                trainable=False,
            )

        self.omega, self.phase = freeze("omega", omega), freeze("phase", phase)
        # Constants, in Calhas' network the frozen weights of a normalisation.
        self.gain, self.offset = freeze("gain", half), freeze("offset", half)
        self.scale = self.add_weight(
            name="scale",
            shape=(),
            initializer=keras.initializers.Constant(math.sqrt(n / 2)),
            constraint=_AboveZero(),
        )

    def call(self, inputs):
        """Return the features."""
        angles = ops.matmul(inputs, self.omega) / self.scale + self.phase
        mean, variance = ops.moments(angles, axes=-1, keepdims=True)
        normalised = (angles - mean) / ops.sqrt(variance + self._EPSILON)
        return ops.cos(normalised * self.gain + self.offset)


class _AboveZero(keras.constraints.Constraint):
    """Keep a scale from zero, which it is divided by."""

    def __call__(self, value):
        return ops.maximum(value, keras.config.epsilon())


class VoxelDense(layers.Layer):
    """Dense layer to very many outputs, whose kernel is stored output by output.

    Parameters
    ----------
    units : int
        Number of outputs.
    """

    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.units = units

    def build(self, input_shape):
        """Make kernel (units, n_inputs) and offset."""
        n = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.units, n),
            initializer=GlorotUniform(n, self.units),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )

    def call(self, inputs):
        """Apply the layer."""
        kernel = ops.convert_to_tensor(self.kernel)
        if runs_jax_on_cpu() and inputs.shape[0] in range(1, _MOST_PRODUCTS + 1):
            from ._patch_products import multiply

            return multiply(inputs, kernel) + self.bias
        return ops.matmul(inputs, ops.transpose(kernel)) + self.bias


class InverseDCT(layers.Layer):
    """Volumes of which the slowest waves of the orthonormal DCT-II are given.

    Parameters
    ----------
    shape : tuple of int, shape (3,)
        Shape of the volumes.
    n_coefficients : tuple of int, shape (3,)
        Number of waves along each axis; all others are zero.
    """

    def __init__(self, shape, n_coefficients, **settings):
        super().__init__(**settings)
        from scipy.fft import idct

        self._waves = [
            idct(np.eye(n), axis=0, norm="ortho")[:, :kept].astype(np.float32)
            for n, kept in zip(shape, n_coefficients, strict=True)
        ]

    def call(self, inputs):
        """Turn coefficients (n, kx, ky, kz) into volumes."""
        volumes = inputs
        # Each product moves its axis to the end, and the next one to its place.
        for waves in self._waves:
            volumes = ops.matmul(ops.transpose(volumes, (0, 2, 3, 1)), waves.T)
        return volumes


class ScaleOffset(layers.Layer):
    """A convolution of 1 x 1 x 1 from one channel to one."""

    def build(self, input_shape):
        """Make two weights, drawn as those of a convolution."""
        self.kernel = self.add_weight(
            name="kernel", shape=(), initializer=GlorotUniform(1, 1)
        )
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, inputs):
        """Apply the layer."""
        return inputs * self.kernel + self.bias
