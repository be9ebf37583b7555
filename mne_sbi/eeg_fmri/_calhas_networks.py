"""Encoders, decoder and losses of Calhas and Henriques, out of their layers."""

import math

from .._keras import import_keras
from ..inference._initializers import RandomKernel
from ._calhas_layers import (
    FourierFeatures,
    InverseDCT,
    ResidualBlock,
    ScaleOffset,
    TopographicalAttention,
    VoxelDense,
)

keras = import_keras()
layers, ops = keras.layers, keras.ops

# Of a latent vector, which its authors shape as 7 x 7 x 7.
LATENT = (7, 7, 7)
N_LATENT = math.prod(LATENT)
# Below which a norm counts as zero.
_TINY = 1e-12


class Encoder(layers.Layer):
    """Residual blocks and a dense layer, from (n, nx, ny, nz) to a latent vector.

    Parameters
    ----------
    blocks : sequence of (kernel_size, strides, pool_size)
        Of each block.
    """

    def __init__(self, blocks, **settings):
        super().__init__(**settings)
        self._blocks = [ResidualBlock(*block) for block in blocks]
        self._dense = layers.Dense(N_LATENT, kernel_initializer=RandomKernel())

    def build(self, input_shape):
        """Build the layers."""
        shape = (None, 1, *input_shape[1:])
        for block in self._blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        self._dense.build((None, math.prod(shape[1:])))

    def call(self, inputs, training=False):
        """Return latent vectors."""
        value = ops.expand_dims(inputs, 1)
        for block in self._blocks:
            value = block(value, training=training)
        return self._dense(ops.reshape(value, (-1, math.prod(value.shape[1:]))))


class Decoder(layers.Layer):
    """From latent vectors and attention to voxels.

    Parameters
    ----------
    mask : array of bool, shape (nx, ny, nz)
        Which voxels are wanted.
    n_coefficients : tuple of int | None
        Waves along each axis of which volumes are made; None is a weight per voxel.
    """

    def __init__(self, mask, n_coefficients=None, **settings):
        super().__init__(**settings)
        self._features = FourierFeatures()
        self._style = layers.Dense(
            N_LATENT, use_bias=False, kernel_initializer=RandomKernel()
        )
        self._n_coefficients = n_coefficients
        if n_coefficients is None:
            self._dense, self._waves = VoxelDense(int(mask.sum())), None
        else:
            self._dense = VoxelDense(math.prod(n_coefficients))
            self._waves = InverseDCT(mask.shape, n_coefficients)
        self._voxels = None if mask.all() else mask.ravel().nonzero()[0]
        self._last = ScaleOffset()

    def build(self, latent_shape, weights_shape):
        """Build the layers."""
        self._features.build(latent_shape)
        self._style.build((None, math.prod(weights_shape[1:])))
        self._dense.build(latent_shape)
        self._last.build(None)

    def call(self, latent, weights):
        """Return voxels (n, n_voxels)."""
        flat = ops.reshape(weights, (-1, math.prod(weights.shape[1:])))
        voxels = self._dense(self._features(latent) * self._style(flat))
        if self._waves is not None:
            waves = ops.reshape(voxels, (-1, *self._n_coefficients))
            volumes = self._waves(waves)
            voxels = ops.reshape(volumes, (-1, math.prod(volumes.shape[1:])))
            if self._voxels is not None:
                voxels = ops.take(voxels, self._voxels, axis=1)
        return self._last(voxels)


class CalhasPredictor(keras.Model):
    """From windows to voxels.

    Parameters
    ----------
    attention : TopographicalAttention
        What mixes channels.
    encoder : Encoder
        Of windows.
    decoder : Decoder
        Of latent vectors.
    """

    def __init__(self, attention, encoder, decoder):
        super().__init__()
        self._attention, self._encoder, self._decoder = attention, encoder, decoder
        self.built = True

    def call(self, inputs, training=False):
        """Return voxels."""
        return self.encode(inputs, training)[0]

    def encode(self, inputs, training):
        """Return voxels, and latent vectors."""
        mixed, weights = self._attention(inputs)
        latent = self._encoder(mixed, training=training)
        return self._decoder(latent, weights), latent


class CalhasTrainer(keras.Model):
    """Predictor beside an encoder of volumes, with the loss of both.

    Takes windows, the measured volumes (n, nx, ny, nz), and what the dropout behind
    their encoder keeps, (n, 343).

    Parameters
    ----------
    predictor : CalhasPredictor
        The predictor.
    encoder : Encoder
        Of volumes.
    dissimilarity : callable
        From the latent vectors of both to a number.
    """

    def __init__(self, predictor, encoder, dissimilarity):
        super().__init__()
        self._predictor, self._encoder = predictor, encoder
        self._dissimilarity = dissimilarity
        self.built = True

    def call(self, inputs, training=False):
        """Return voxels, and latent vectors of windows and of volumes."""
        windows, volumes, kept = inputs
        voxels, latent = self._predictor.encode(windows, training)
        return voxels, latent, self._encoder(volumes, training=training) * kept

    def compute_loss(self, x=None, y=None, y_pred=None, *_, **__):
        """Mean absolute error and dissimilarity of latent vectors."""
        voxels, of_windows, of_volumes = y_pred
        error = ops.mean(ops.abs(voxels - y))
        return error + self._dissimilarity(of_windows, of_volumes)


def measure_angles(a, b):
    """One minus the cosine of the latent vectors of each pair, on average."""
    norms = _norm(a, -1) * _norm(b, -1)
    return 1 - ops.mean(ops.sum(a * b, axis=-1) / norms)


def measure_products(a, b):
    """One minus products of all latent vectors of a batch, on average, as published.

    The axes of the second ones are reversed, and the norms are those of the batch.
    """
    a, b = (ops.reshape(z, (-1, *LATENT)) for z in (a, b))
    products = ops.tensordot(a, b, [[1, 2, 3], [3, 2, 1]])
    return 1 - ops.mean(products) / (_norm(a, None) * _norm(b, None))


def _norm(z, axis):
    return ops.sqrt(ops.maximum(ops.sum(ops.square(z), axis=axis), _TINY**2))


def make_networks(x_shape, mask, blocks, volume_blocks, *, n_coefficients, published):
    """Build trainer and predictor.

    Parameters
    ----------
    x_shape : tuple of int, shape (3,)
        Channels, frequencies and windows.
    mask : array of bool, shape (nx, ny, nz)
        Which voxels are wanted.
    blocks, volume_blocks : sequence of (kernel_size, strides, pool_size)
        Residual blocks of the encoders of windows and of volumes.
    n_coefficients : tuple of int | None
        As :class:`Decoder` takes it.
    published : bool
        Train by the loss of the published code, not by the documented one.

    Returns
    -------
    trainer : CalhasTrainer
        All layers, built.
    predictor : CalhasPredictor
        A part of them.
    """
    attention, encoder = TopographicalAttention(), Encoder(blocks)
    decoder, of_volumes = Decoder(mask, n_coefficients), Encoder(volume_blocks)
    attention.build((None, *x_shape))
    encoder.build((None, *x_shape))
    decoder.build((None, N_LATENT), (None, x_shape[0], x_shape[0]))
    of_volumes.build((None, *mask.shape))
    predictor = CalhasPredictor(attention, encoder, decoder)
    measure = measure_products if published else measure_angles
    return CalhasTrainer(predictor, of_volumes, measure), predictor
