"""Bricman and Borst's networks at their published sizes."""

import numpy as np
import pytest

from mne_sbi._keras import import_keras, isolated_seed

keras = import_keras()

from mne_sbi.eeg_fmri import _base  # noqa: E402
from mne_sbi.eeg_fmri._bricman import (  # noqa: E402
    BricmanConv,
    BricmanDense,
    BricmanEncoder,
    BricmanTransformer,
)
from mne_sbi.eeg_fmri._grid import VolumeGrid  # noqa: E402

# Windows and volume as published.
N_CHANNELS, N_SAMPLES, BOX = 34, 30_000, (53, 63, 52)
N_VOXELS = 173_628


def dense(n_in, n_out):
    return n_in * n_out + n_out


def build(kind):
    with isolated_seed(0):
        grid = VolumeGrid.from_shape(BOX)
        return kind()._build((N_CHANNELS, N_SAMPLES), grid.n_voxels, grid)[0]


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_dense_has_the_published_size():
    network = build(BricmanDense)
    of_layers = dense(7500, 100) + dense(34 * 100, 1000) + 2 * dense(1000, 1000)
    of_layers += dense(1000, 100) + dense(100, N_VOXELS)
    n_normalised = 100 + 3 * 1000 + 100
    assert N_VOXELS == np.prod(BOX)
    assert count(network.trainable_weights) == of_layers + 2 * n_normalised
    assert count(network.trainable_weights) == 23_796_028
    # The moving mean and variance besides.
    assert count(network.weights) == of_layers + 4 * n_normalised


def test_conv_has_the_published_size():
    network = build(BricmanConv)
    n = dense(34 * 49, 512) + dense(59_392, 200) + dense(200, 1000)
    n += 3 * dense(1000, 1000) + dense(1000, 100) + dense(100, N_VOXELS)
    n += dense(125, 16) + 2 * dense(125 * 16, 16) + dense(125 * 16, 1)
    n += 2 * (512 + 200 + 4 * 1000 + 100)
    assert count(network.trainable_weights) == n == 33_650_305


def attention(width=64):
    return dense(width, 3 * width) + dense(width, width)


def test_encoder_has_the_published_size():
    network = build(BricmanEncoder)
    layer = attention() + dense(64, 2048) + dense(2048, 64) + 2 * 2 * 64
    n = dense(7500, 64) + 34 * 64 + 6 * layer
    n += dense(34 * 64, 128) + dense(128, N_VOXELS)
    assert count(network.weights) == n == 24_845_820


def test_transformer_has_the_published_size():
    network = build(BricmanTransformer)
    feedforward = dense(64, 512) + dense(512, 64)
    n = 6 * (attention() + feedforward + 2 * 2 * 64)
    n += 6 * (2 * attention() + feedforward + 3 * 2 * 64)
    # Behind encoder and decoder each a normalisation; the first token.
    n += 2 * 2 * 64 + 64
    n += dense(7500, 64) + dense(63 * 52, 64) + dense(64, 63 * 52)
    assert count(network.weights) == n == 1_999_756


def list_shapes(network, *kinds):
    return [layer.output.shape[1:] for layer in network.layers if type(layer) in kinds]


def test_blocks_of_dense_have_the_published_shapes():
    network = build(BricmanDense)
    shapes = list_shapes(network, keras.layers.Dense)
    widths = [(1000,)] * 3 + [(100,), (N_VOXELS,)]
    assert shapes == [(34, 100), *widths]
    assert list_shapes(network, keras.layers.Flatten) == [(3400,)]
    rates = [layer.rate for layer in network.layers if hasattr(layer, "rate")]
    assert rates == [0.5, 0.5, 0.5, 0.5, 0.2]


def test_blocks_of_conv_have_the_published_shapes():
    from mne_sbi.eeg_fmri._bricman_layers import AveragePool, ChannelConv
    from mne_sbi.eeg_fmri._patch_conv import PatchConv3D

    network = build(BricmanConv)
    assert list_shapes(network, ChannelConv) == [(1863, 512)]
    assert list_shapes(network, AveragePool) == [(512, 116)]
    assert list_shapes(network, keras.layers.Flatten) == [(59_392,)]
    widths = [(200,), *[(1000,)] * 4, (100,), (N_VOXELS,)]
    assert list_shapes(network, keras.layers.Dense) == widths
    volumes = [(16, *BOX)] * 3 + [(1, *BOX)]
    assert list_shapes(network, PatchConv3D) == volumes
    rates = [layer.rate for layer in network.layers if hasattr(layer, "rate")]
    assert rates == [0.2, 0.5, 0.5, 0.5, 0.5, 0]
    assert network.output_shape == (None, N_VOXELS)


def test_settings_are_the_published_ones():
    for kind in (BricmanDense, BricmanConv, BricmanEncoder, BricmanTransformer):
        assert kind().get_params() == {
            "pool": 4,
            "channel_noise": 0.2,
            "sample_noise": 0.001,
            "max_iter": 200,
            "batch_size": 32,
            "learning_rate": 1e-4,
        }
    rates = [
        [layer._dropout for layer in build(kind).transformer._encoder]
        for kind in (BricmanEncoder, BricmanTransformer)
    ]
    assert rates == [[0.1] * 6, [0.5] * 6]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [BricmanDense, BricmanConv, BricmanEncoder, BricmanTransformer]
)
def test_trains_at_the_published_size(kind, monkeypatch):
    # Predictions of two windows are otherwise those of a whole block, filled up.
    monkeypatch.setattr(_base, "_BLOCK", 2)
    rng = np.random.default_rng(0)
    X = rng.random((2, N_CHANNELS, N_SAMPLES), dtype=np.float32)
    y = rng.standard_normal((2, N_VOXELS), dtype=np.float32)
    network = kind(max_iter=3, batch_size=2)
    network.fit(X, y, grid=VolumeGrid.from_shape(BOX), random_state=0)
    predicted = network.predict(X)
    assert predicted.shape == y.shape and np.isfinite(predicted).all()
    assert network.history_["loss"][-1] < network.history_["loss"][0]
