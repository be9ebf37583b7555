"""Transformers of Bricman and Borst, out of their layers.

Windows are those after the average over ``pool`` samples.
"""

import numpy as np

from .._keras import import_keras
from ..inference._initializers import RandomKernel
from ._bricman_attention import DecoderLayer, Dropper, EncoderLayer
from ._bricman_layers import AddEmbedding, Gather, RandomNormal, linear

keras = import_keras()
layers, ops = keras.layers, keras.ops

_WIDTH, _N_HEADS, _N_LAYERS = 64, 8, 6
# Behind the marks of positions, whose amplitude is the second number.
_DROPOUT, _AMPLITUDE = 0.1, 0.1


class ChannelEncoder(layers.Layer):
    """Encoder of channels, and dense layers to targets.

    Parameters
    ----------
    n_targets : int
        Number of targets.
    """

    def __init__(self, n_targets, **settings):
        super().__init__(**settings)
        self._channel, self._embedding = linear(_WIDTH), AddEmbedding()
        sizes = (_WIDTH, _N_HEADS, 2048, 0.1, lambda: RandomKernel(1 / 3, "fan_in"))
        self._encoder = [EncoderLayer(*sizes) for _ in range(_N_LAYERS)]
        self._hidden, self._last = linear(128), linear(n_targets)

    def build(self, input_shape):
        """Build all layers for windows of a shape (None, n_channels, n_samples)."""
        n_channels = input_shape[1]
        tokens = (None, n_channels, _WIDTH)
        self._channel.build(input_shape)
        for layer in (self._embedding, *self._encoder):
            layer.build(tokens)
        self._hidden.build((None, n_channels * _WIDTH))
        self._last.build((None, 128))
        self.n_draws = sum(
            layer.count_draws(n_channels, n_channels) for layer in self._encoder
        )

    def call(self, windows, drop):
        """Predict targets (n, n_targets)."""
        tokens = self._embedding(self._channel(windows))
        for layer in self._encoder:
            tokens = layer(tokens, drop=drop)
        flat = ops.reshape(tokens, (-1, tokens.shape[1] * _WIDTH))
        return self._last(ops.relu(self._hidden(flat)))

    def generate(self, windows):
        """Predict targets, with nothing left out."""
        return self.call(windows, Dropper())


def mark_positions(n):
    """Sines and cosines of positions (n, width), of the amplitude of the authors.

    Vaswani et al. (2017), NeurIPS 30: section 3.5.
    """
    rates = 10000.0 ** (-np.arange(0, _WIDTH, 2) / _WIDTH)
    angles = np.arange(n)[:, np.newaxis] * rates
    marks = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, _WIDTH)
    return (_AMPLITUDE * marks).astype(np.float32)


class SliceTransformer(layers.Layer):
    """Transformer from channels to sagittal slices, one after the other.

    Parameters
    ----------
    mask : array of bool, shape (nx, ny, nz)
        Where targets are; the slices are along the first axis.
    """

    def __init__(self, mask, **settings):
        super().__init__(**settings)
        self._n_slices = len(mask)
        self._planes = mask.reshape(self._n_slices, -1).astype(np.float32)
        self._gather = Gather(mask)
        self._channel, self._slice = linear(_WIDTH), linear(_WIDTH)
        self._pixels = linear(self._planes.shape[1])
        sizes = (_WIDTH, _N_HEADS, 512, 0.5, RandomKernel)
        self._encoder = [EncoderLayer(*sizes) for _ in range(_N_LAYERS)]
        self._decoder = [DecoderLayer(*sizes) for _ in range(_N_LAYERS)]
        self._norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]

    def build(self, input_shape):
        """Build all layers for windows of a shape (None, n_channels, n_samples)."""
        n_channels, n_slices = input_shape[1], self._n_slices
        self._channel.build(input_shape)
        self._slice.build((None, None, self._planes.shape[1]))
        for layer in (*self._encoder, *self._decoder, *self._norms, self._pixels):
            layer.build((None, None, _WIDTH))
        self._start = self.add_weight(
            name="start", shape=(1, 1, _WIDTH), initializer=RandomNormal()
        )
        self._of_channels = mark_positions(n_channels)
        self._of_slices = mark_positions(n_slices)
        self.n_draws = (n_channels + n_slices) * _WIDTH
        for layer in self._encoder:
            self.n_draws += layer.count_draws(n_channels, n_channels)
        for layer in self._decoder:
            self.n_draws += layer.count_draws(n_slices, n_slices, n_channels)

    def call(self, windows, volumes, drop):
        """Predict each slice from the windows and the measured slices before it.

        Parameters
        ----------
        windows : tensor, shape (n, n_channels, n_samples)
            EEG.
        volumes : tensor, shape (n, nx, ny, nz)
            fMRI, zero outside the mask.
        drop : Dropper
            Leaves parts out.

        Returns
        -------
        voxels : tensor, shape (n, n_targets)
            The predictions.
        """
        encoded = self._encode(windows, drop)
        slices = ops.reshape(volumes, (-1, *self._planes.shape))
        tokens = self._slice(slices[:, :-1])
        tokens = ops.concatenate([self._first(windows), tokens], axis=1)
        tokens = drop(tokens + self._of_slices, _DROPOUT)
        allowed = np.tri(self._n_slices, dtype=bool)
        for layer in self._decoder:
            tokens = layer(tokens, encoded, allowed, drop=drop)
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
        encoded = self._encode(windows, Dropper())
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
        _, pixels = ops.scan(predict_slice, (token, self._forget(token)), slices)
        return self._gather(ops.transpose(pixels, (1, 0, 2)))

    def _encode(self, windows, drop):
        tokens = drop(self._channel(windows) + self._of_channels, _DROPOUT)
        for layer in self._encoder:
            tokens = layer(tokens, drop=drop)
        return self._norms[0](tokens)

    def _first(self, windows):
        return ops.broadcast_to(self._start, (ops.shape(windows)[0], 1, _WIDTH))

    def _forget(self, token):
        """Keys and values of all slices in all layers, none of them known yet."""
        shape = (ops.shape(token)[0], _N_HEADS, self._n_slices, _WIDTH // _N_HEADS)
        return [(ops.zeros(shape), ops.zeros(shape)) for _ in self._decoder]


class TransformerTrainer(keras.Model):
    """A transformer that is given random bytes for what it leaves out.

    Parameters
    ----------
    transformer : ChannelEncoder | SliceTransformer
        The transformer.
    input_shape : tuple of int
        Of windows, (None, n_channels, n_samples).
    """

    def __init__(self, transformer, input_shape):
        super().__init__()
        transformer.build(input_shape)
        self.transformer, self.n_draws = transformer, transformer.n_draws
        self.built = True

    def call(self, inputs, training=False):
        """Predict targets, from what the transformer takes and bytes (n, n_draws)."""
        *inputs, draws = inputs
        return self.transformer(*inputs, drop=Dropper(draws if training else None))
