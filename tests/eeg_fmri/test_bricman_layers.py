"""Layers of Bricman and Borst's networks against Keras' own and against sums."""

import numpy as np
import pytest

from mne_sbi._keras import import_keras, isolated_seed

keras = import_keras()
layers, ops = keras.layers, keras.ops
jax = pytest.importorskip("jax")

from mne_sbi.eeg_fmri._bricman_attention import (  # noqa: E402
    Attention,
    DecoderLayer,
    Dropper,
    EncoderLayer,
)
from mne_sbi.eeg_fmri._bricman_layers import (  # noqa: E402
    AddEmbedding,
    AveragePool,
    ChannelConv,
    Gather,
    Scatter,
    linear,
)
from mne_sbi.eeg_fmri._bricman_transformers import mark_positions  # noqa: E402
from mne_sbi.eeg_fmri._grid import VolumeGrid  # noqa: E402
from mne_sbi.inference._initializers import RandomKernel  # noqa: E402

WIDTH, N_HEADS = 16, 4


@pytest.fixture(autouse=True)
def seed():
    with isolated_seed(3):
        yield


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("n_samples", [12, 15])
def test_average_pool_takes_means_of_whole_groups(n_samples):
    x = draw(3, 2, n_samples)
    expected = x[..., :12].reshape(3, 2, 3, 4).mean(-1)
    np.testing.assert_allclose(AveragePool(4)(x), expected, atol=1e-6)


def as_conv2d(conv, n_channels):
    """Keras' convolution with the same weights, in steps of one: it has no other."""
    other = layers.Conv2D(
        conv.filters, (n_channels, conv.kernel_size), dilation_rate=(1, conv.dilation)
    )
    other.build((None, n_channels, None, 1))
    kernel = ops.transpose(conv.kernel, (1, 0, 2))[:, :, None]
    other.set_weights([kernel, conv.bias])
    return other


@pytest.mark.parametrize("n_samples", [120, 121, 123])
def test_channel_conv_is_that_of_keras(n_samples):
    x = draw(2, 3, n_samples)
    conv = ChannelConv(5, 49, stride=4, dilation=2, padding=24)
    conv.build(x.shape)
    conv.bias.assign(draw(5, seed=1))
    other = as_conv2d(conv, 3)
    expected = other(np.pad(x, [(0, 0), (0, 0), (24, 24)])[..., None])[:, 0, ::4]
    assert expected.shape == conv.compute_output_shape(x.shape) == conv(x).shape
    np.testing.assert_allclose(conv(x), expected, atol=1e-5)


def test_gradients_of_channel_conv_are_those_of_keras():
    x, kernel = draw(2, 3, 140), draw(9, 3, 5, seed=1)
    conv = ChannelConv(5, 9, stride=4, dilation=2, padding=3)
    conv.build(x.shape)
    weights = draw(*conv.compute_output_shape(x.shape), seed=2)

    def sum_up(kernel, x):
        found, _ = conv.stateless_call([kernel, conv.bias.value], [], x)
        return ops.sum(weights * found)

    def sum_up_keras(kernel, x):
        padded = ops.pad(x, [(0, 0), (0, 0), (3, 3)])[..., None]
        kernel = ops.transpose(kernel, (1, 0, 2))[:, :, None]
        convolved = ops.conv(
            padded, kernel, dilation_rate=(1, 2), data_format="channels_last"
        )
        return ops.sum(weights * convolved[:, 0, ::4])

    found = jax.jit(jax.grad(sum_up, (0, 1)))(kernel, x)
    expected = jax.jit(jax.grad(sum_up_keras, (0, 1)))(kernel, x)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


def test_published_convolution_leaves_59392_numbers():
    conv = ChannelConv(512, 49, stride=4, dilation=2, padding=24)
    assert conv.count_places(30_000 // 4) == (7500 + 2 * 24 - 2 * 48 - 1) // 4 + 1
    assert conv.count_places(7500) == 1863
    assert 512 * (1863 // 16) == 59_392


def test_channel_conv_refuses_steps_between_samples_it_skips():
    with pytest.raises(ValueError, match="multiple of dilation"):
        ChannelConv(5, 49, stride=3, dilation=2, padding=0)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_scatter_and_gather_are_those_of_the_grid(share):
    mask = np.random.default_rng(1).random((4, 3, 5)) < share
    grid = VolumeGrid(mask)
    y = draw(6, grid.n_voxels)
    volumes = grid.to_volumes(y)
    np.testing.assert_array_equal(Scatter(mask)(y), volumes)
    np.testing.assert_array_equal(Gather(mask)(volumes), y)
    # Slices as rows, as the transformer has them.
    np.testing.assert_array_equal(Gather(mask)(volumes.reshape(6, 4, 15)), y)


def test_weights_are_drawn_as_pytorch_does():
    layer = linear(400)
    layer.build((None, 225))
    kernel = np.asarray(layer.kernel)
    assert np.abs(kernel).max() == pytest.approx(1 / 15, rel=1e-3)
    assert kernel.std() == pytest.approx(1 / 15 / np.sqrt(3), rel=0.01)
    assert not np.asarray(layer.bias).any()
    embedding = AddEmbedding()
    embedding.build((None, 50, 64))
    assert np.asarray(embedding.embedding).std() == pytest.approx(1, rel=0.05)


def make_attention(dropout=0.0):
    attention = Attention(WIDTH, N_HEADS, dropout, RandomKernel())
    attention.build((None, None, WIDTH))
    for number, weight in enumerate(attention.weights):
        weight.assign(0.5 * draw(*weight.shape, seed=number))
    return attention


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_keras(causal):
    attention, (x, seen) = make_attention(), (draw(2, 6, WIDTH), draw(2, 6, WIDTH))
    other = layers.MultiHeadAttention(N_HEADS, WIDTH // N_HEADS)
    other.build(x.shape, seen.shape)
    kernels = np.split(np.asarray(attention.kernel), 3, axis=1)
    offsets = np.split(np.asarray(attention.bias), 3)
    heads = N_HEADS, WIDTH // N_HEADS
    weights = []
    for kernel, offset in zip(kernels, offsets, strict=True):
        weights += [kernel.reshape(WIDTH, *heads), offset.reshape(heads)]
    kernel, offset = attention._last.weights
    weights += [np.asarray(kernel).reshape(*heads, WIDTH), offset]
    other.set_weights(weights)
    allowed = np.tri(6, dtype=bool) if causal else None
    found = attention.mix(
        attention.query(x), attention.remember(seen), allowed, Dropper()
    )
    expected = other(x, seen, use_causal_mask=causal)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def normalise(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def test_encoder_layer_normalises_behind_each_sum():
    layer = EncoderLayer(WIDTH, N_HEADS, 24, 0.5, RandomKernel)
    x = draw(2, 5, WIDTH)
    layer.build(x.shape)
    attention = layer._attentions[0]
    mixed = attention.mix(attention.query(x), attention.remember(x), None, Dropper())
    tokens = normalise(x + np.asarray(mixed))
    hidden = np.maximum(tokens @ np.asarray(layer._hidden.kernel), 0)
    expected = normalise(tokens + hidden @ np.asarray(layer._last.kernel))
    np.testing.assert_allclose(layer(x, drop=Dropper()), expected, atol=1e-5)


def test_decoder_step_by_step_is_the_decoder_at_once():
    layer = DecoderLayer(WIDTH, N_HEADS, 24, 0.5, RandomKernel)
    x, seen = draw(2, 5, WIDTH), draw(2, 7, WIDTH, seed=1)
    layer.build(x.shape)
    allowed = np.tri(5, dtype=bool)
    expected = layer(x, seen, allowed, drop=Dropper())
    # What was never written must not matter.
    own = (np.full((2, N_HEADS, 5, WIDTH // N_HEADS), 1e3, np.float32),) * 2
    encoded = layer.remember(seen)
    for k in range(5):
        token = x[:, k : k + 1]
        here = np.arange(5) == k
        token, own = layer.step(token, own, encoded, here, allowed[k])
        np.testing.assert_allclose(token[:, 0], expected[:, k], atol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropper_leaves_its_share_out_and_keeps_the_mean(rate):
    draws = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)
    drop = Dropper(draws)
    first = np.asarray(drop(np.ones((200, 10, 20), np.float32), rate))
    second = np.asarray(drop(np.ones((200, 100), np.float32), rate))
    assert drop.n_used == 300
    actual = round(256 * rate) / 256
    for kept in (first, second):
        assert set(np.unique(kept)) == {0, np.float32(1 / (1 - actual))}
        assert (kept == 0).mean() == pytest.approx(rate, abs=0.01)
        assert kept.mean() == pytest.approx(1, abs=0.02)
    # Other bytes for each place.
    r = np.corrcoef(first.reshape(200, -1)[:, :100].ravel(), second.ravel())[0, 1]
    assert abs(r) < 0.03


def test_dropper_without_draws_changes_nothing():
    x = draw(2, 3)
    assert Dropper()(x, 0.5) is x
    assert Dropper(np.zeros((2, 3), np.uint8))(x, 0.0) is x


def test_layers_use_up_as_many_draws_as_they_count():
    n_tokens, n_seen = 5, 7
    encoder = EncoderLayer(WIDTH, N_HEADS, 24, 0.5, RandomKernel)
    decoder = DecoderLayer(WIDTH, N_HEADS, 24, 0.5, RandomKernel)
    x, seen = draw(2, n_tokens, WIDTH), draw(2, n_seen, WIDTH)
    drop = Dropper(np.zeros((2, 10_000), np.uint8))
    encoder(x, drop=drop)
    assert drop.n_used == encoder.count_draws(n_tokens, n_tokens) > 0
    drop = Dropper(np.zeros((2, 10_000), np.uint8))
    decoder(x, seen, np.tri(n_tokens, dtype=bool), drop=drop)
    assert drop.n_used == decoder.count_draws(n_tokens, n_tokens, n_seen) > 0


def test_marks_of_positions():
    marks = mark_positions(53)
    for position, k in ((0, 0), (1, 0), (52, 3), (7, 31)):
        angle = position / 10000 ** (2 * k / 64)
        assert marks[position, 2 * k] == pytest.approx(0.1 * np.sin(angle), abs=1e-6)
        expected = 0.1 * np.cos(angle)
        assert marks[position, 2 * k + 1] == pytest.approx(expected, abs=1e-6)
