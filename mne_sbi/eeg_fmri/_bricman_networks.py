"""Dense and convolutional network of Bricman and Borst, out of their layers.

Each function takes the shape of windows after the average over ``pool`` samples, and
returns a network that takes such windows.
"""

from .._keras import import_keras
from ._bricman_layers import (
    AveragePool,
    ChannelConv,
    Gather,
    Scatter,
    batch_norm,
    linear,
)
from ._patch_conv import PatchConv3D

keras = import_keras()
layers = keras.layers

# Of the dense and the convolutional network.
_N_SHARED, _N_WIDE, _N_NARROW = 100, 1000, 100
_N_FLAT = 200
# Of the convolution along time, of the average behind it, of those of volumes.
_FILTERS, _KERNEL, _STRIDE, _DILATION, _PADDING = 512, 49, 4, 2, 24
_POOL = 16
_VOLUME_FILTERS, _VOLUME_KERNEL = (16, 16, 16, 1), (5, 5, 5)


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
        value = layers.ELU()(
            PatchConv3D(filters, _VOLUME_KERNEL, padding="same")(value)
        )
    value = PatchConv3D(_VOLUME_FILTERS[-1], _VOLUME_KERNEL, padding="same")(value)
    return keras.Model(inputs, Gather(mask)(value))
