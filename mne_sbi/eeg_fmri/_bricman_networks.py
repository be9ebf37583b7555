"""Networks of Bricman and Borst, out of their layers.

Each function takes the shape of windows after the average over ``pool`` samples, and
returns a network that takes such windows.
"""

import numpy as np

from .._keras import import_keras
from ..inference._initializers import RandomKernel
from ..inference._training import Stage
from ._bricman_attention import DecoderLayer, EncoderLayer
from ._bricman_layers import (
    AddEmbedding,
    AveragePool,
    ChannelConv,
    Gather,
    RandomNormal,
    Scatter,
    batch_norm,
    linear,
)
from ._patch_conv import PatchConv3D

keras = import_keras()
layers, ops = keras.layers, keras.ops

# Of the dense and the convolutional network.
_N_SHARED, _N_WIDE, _N_NARROW = 100, 1000, 100
_N_FLAT = 200
# Of the convolution along time, of the average behind it, of those of volumes.
_FILTERS, _KERNEL, _STRIDE, _DILATION, _PADDING = 512, 49, 4, 2, 24
_POOL = 16
_VOLUME_FILTERS, _VOLUME_KERNEL = (16, 16, 16, 1), (5, 5, 5)
# Of the transformers.
_WIDTH, _N_HEADS, _N_LAYERS = 64, 8, 6
_POSITION = 0.1


def make_dense(shape, n_targets):
    """Build the dense network.

    Parameters
    ----------
    shape : tuple of int, shape (2,)
        Channels and samples.
    n_targets : int
        Number of targets.

    Returns
    -------
    network : keras.Model
        From (n, n_channels, n_samples) to (n, n_targets).
    """
    inputs = keras.Input(shape)
    value = _relu_block(inputs, _N_SHARED, 0.5)
    value = layers.Flatten()(value)
    for width, dropout in ((_N_WIDE, 0.5),) * 3 + ((_N_NARROW, 0.2),):
        value = _relu_block(value, width, dropout)
    return keras.Model(inputs, linear(n_targets)(value))


def _relu_block(value, width, dropout):
    value = batch_norm()(layers.ReLU()(linear(width)(value)))
    return layers.Dropout(dropout)(value)


def make_conv(shape, mask):
    """Build the convolutional network.

    Parameters
    ----------
    shape : tuple of int, shape (2,)
        Channels and samples.
    mask : array of bool, shape (nx, ny, nz)
        Where targets are.

    Returns
    -------
    network : keras.Model
        From (n, n_channels, n_samples) to (n, n_targets).

    Raises
    ------
    ValueError
        If windows are too short.
    """
    conv = ChannelConv(_FILTERS, _KERNEL, _STRIDE, _DILATION, _PADDING)
    if conv.count_places(shape[1]) < _POOL:
        span = _DILATION * (_KERNEL - 1) + 1 - 2 * _PADDING
        raise ValueError(
            f"BricmanConv needs windows of at least {span + _STRIDE * (_POOL - 1)} "
            f"samples after the average over pool samples, got {shape[1]}. Give "
            "longer windows, or a smaller pool."
        )
    inputs = keras.Input(shape)
    value = batch_norm()(layers.ELU()(conv(inputs)))
    value = AveragePool(_POOL)(layers.Permute((2, 1))(value))
    value = layers.Flatten()(value)
    for width, dropout in ((_N_FLAT, 0.2), *((_N_WIDE, 0.5),) * 4, (_N_NARROW, 0)):
        value = layers.ELU()(batch_norm()(linear(width)(value)))
        value = layers.Dropout(dropout)(value)
    value = layers.ELU()(linear(int(mask.sum()))(value))
    value = layers.Reshape((1, *mask.shape))(Scatter(mask)(value))
    for filters in _VOLUME_FILTERS[:-1]:
        value = layers.ELU()(PatchConv3D(filters, _VOLUME_KERNEL, padding="same")(value))
    value = PatchConv3D(_VOLUME_FILTERS[-1], _VOLUME_KERNEL, padding="same")(value)
    return keras.Model(inputs, Gather(mask)(value))


def make_encoder(shape, n_targets):
    """Build the encoder of a transformer with dense layers behind it.

    Parameters
    ----------
    shape : tuple of int, shape (2,)
        Channels and samples.
    n_targets : int
        Number of targets.

    Returns
    -------
    network : keras.Model
        From (n, n_channels, n_samples) to (n, n_targets).
    """
    inputs = keras.Input(shape)
    tokens = AddEmbedding()(linear(_WIDTH)(inputs))
    for _ in range(_N_LAYERS):
        tokens = EncoderLayer(_WIDTH, _N_HEADS, 2048, 0.1, _as_linear)(tokens)
    value = layers.ReLU()(linear(128)(layers.Flatten()(tokens)))
    return keras.Model(inputs, linear(n_targets)(value))


def _as_linear():
    return RandomKernel(1 / 3, "fan_in")


def mark_positions(n, width):
    """Sines and cosines of positions (n, width), of the amplitude of the authors.

    Vaswani et al. (2017), NeurIPS 30: section 3.5.
    """
    rates = 10000.0 ** (-np.arange(0, width, 2) / width)
    angles = np.arange(n)[:, np.newaxis] * rates
    marks = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, width)
    return (_POSITION * marks).astype(np.float32)


class SliceTransformer(layers.Layer):
    """Transformer from channels to sagittal slices, one after the other.

    Parameters
    ----------
    mask : array of bool, shape (nx, ny, nz)
        Where targets are; the slices are along the first axis.
    """

    _DROPOUT, _N_HIDDEN = 0.5, 512

    def __init__(self, mask, **settings):
        super().__init__(**settings)
        self._n_slices = len(mask)
        self._planes = mask.reshape(self._n_slices, -1).astype(np.float32)
        self._gather = Gather(mask)
        self._channel, self._slice = linear(_WIDTH), linear(_WIDTH)
        self._pixels = linear(self._planes.shape[1])
        sizes = (_WIDTH, _N_HEADS, self._N_HIDDEN, self._DROPOUT, RandomKernel)
        self._encoder = [EncoderLayer(*sizes) for _ in range(_N_LAYERS)]
        self._decoder = [DecoderLayer(*sizes) for _ in range(_N_LAYERS)]
        self._norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
        self._drops = [layers.Dropout(0.1) for _ in range(2)]

    def build(self, input_shape):
        """Build all layers for windows of a shape (None, n_channels, n_samples)."""
        tokens = (None, None, _WIDTH)
        self._channel.build(input_shape)
        self._slice.build((None, None, self._planes.shape[1]))
        for layer in (*self._encoder, *self._decoder, *self._norms, self._pixels):
            layer.build(tokens)
        self._start = self.add_weight(
            name="start", shape=(1, 1, _WIDTH), initializer=RandomNormal()
        )
        self._of_channels = mark_positions(input_shape[1], _WIDTH)
        self._of_slices = mark_positions(self._n_slices, _WIDTH)

    def teach(self, windows, volumes, training=False):
        """Predict each slice from the windows and the measured slices before it.

        Parameters
        ----------
        windows : tensor, shape (n, n_channels, n_samples)
            EEG.
        volumes : tensor, shape (n, nx, ny, nz)
            fMRI, zero outside the mask.
        training : bool
            Whether parts are left out.

        Returns
        -------
        voxels : tensor, shape (n, n_targets)
            The predictions.
        """
        encoded = self._encode(windows, training)
        slices = ops.reshape(volumes, (-1, *self._planes.shape))
        tokens = self._slice(slices[:, :-1])
        tokens = ops.concatenate([self._first(windows), tokens], axis=1)
        tokens = self._drops[1](tokens + self._of_slices, training=training)
        allowed = np.tri(self._n_slices, dtype=bool)
        for layer in self._decoder:
            tokens = layer(tokens, encoded, allowed, training=training)
        return self._gather(self._pixels(self._norms[1](tokens)))

    def generate(self, windows):
        """Predict slices from the windows and the predicted slices before them.

        Parameters
        ----------
        windows : tensor, shape (n, n_channels, n_samples)
            EEG.

        Returns
        -------
        voxels : tensor, shape (n, n_targets)
            The predictions.
        """
        encoded = self._encode(windows, False)
        encoded = [layer.remember(encoded) for layer in self._decoder]

        def predict_slice(state, slice_):
            token, memories = state
            position, plane, here, allowed = slice_
            token, kept = token + position, []
            for layer, own, other in zip(self._decoder, memories, encoded, strict=True):
                token, own = layer.step(token, own, other, here, allowed)
                kept.append(own)
            pixels = self._pixels(self._norms[1](token))
            # Measured slices are zero outside the mask as well.
            return (self._slice(pixels * plane), kept), pixels[:, 0]

        identity = np.eye(self._n_slices, dtype=bool)
        causal = np.tri(self._n_slices, dtype=bool)
        slices = (self._of_slices, self._planes, identity, causal)
        slices = tuple(ops.convert_to_tensor(array) for array in slices)
        token = self._first(windows)
        state = token, self._make_memories(token)
        _, pixels = ops.scan(predict_slice, state, slices)
        return self._gather(ops.transpose(pixels, (1, 0, 2)))

    def _encode(self, windows, training):
        tokens = self._channel(windows) + self._of_channels
        tokens = self._drops[0](tokens, training=training)
        for layer in self._encoder:
            tokens = layer(tokens, training=training)
        return self._norms[0](tokens)

    def _first(self, windows):
        return ops.broadcast_to(self._start, (ops.shape(windows)[0], 1, _WIDTH))

    def _make_memories(self, token):
        """Keys and values of all slices in all layers, not known yet."""
        shape = (ops.shape(token)[0], _N_HEADS, self._n_slices, _WIDTH // _N_HEADS)
        return [(ops.zeros(shape), ops.zeros(shape)) for _ in self._decoder]


class SliceTrainer(keras.Model):
    """Transformer that is given windows and measured volumes.

    Parameters
    ----------
    transformer : SliceTransformer
        The transformer, built.
    """

    def __init__(self, transformer):
        super().__init__()
        self.transformer = transformer
        self.built = True

    def call(self, inputs, training=False):
        """Predict each slice with the measured slices before it."""
        return self.transformer.teach(*inputs, training=training)


def make_transformer(shape, mask):
    """Build the transformer from channels to slices.

    Parameters
    ----------
    shape : tuple of int, shape (2,)
        Channels and samples.
    mask : array of bool, shape (nx, ny, nz)
        Where targets are.

    Returns
    -------
    trainer : SliceTrainer
        From windows (n, n_channels, n_samples) and volumes (n, nx, ny, nz) to targets.
    network : Stage
        From windows to targets.
    """
    transformer = SliceTransformer(mask)
    transformer.build((None, *shape))
    return SliceTrainer(transformer), Stage(transformer.generate, [transformer])


def add_pool(network, pool):
    """Average samples before a network: from raw windows to its outputs."""
    average = AveragePool(pool)
    return Stage(lambda windows: network(average(windows), training=False), [network])
