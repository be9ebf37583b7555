"""Calhas' network: published sizes, other sizes, training."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi._checks import draw_seed
from mne_sbi._keras import import_keras, isolated_seed

keras = import_keras()
ops = keras.ops
jax = pytest.importorskip("jax")

from mne_sbi.eeg_fmri import _calhas, _calhas_layers, _patch_conv  # noqa: E402
from mne_sbi.eeg_fmri._calhas import (  # noqa: E402
    _EEG_BLOCKS,
    _EEG_SHAPE,
    _VOLUME_BLOCKS,
    _VOLUME_SHAPE,
    Calhas,
    _fit_axis,
    _fit_blocks,
)
from mne_sbi.eeg_fmri._calhas_networks import Encoder  # noqa: E402
from mne_sbi.eeg_fmri._grid import VolumeGrid  # noqa: E402
from mne_sbi.inference._training import in_blocks  # noqa: E402

X_SHAPE, SHAPE, N_PAIRS = (8, 20, 10), (10, 10, 8), 120
# Of the published decoder: 686 constants of a normalisation among them.
N_PUBLISHED, N_CONSTANTS, N_VOLUME_ENCODER = 44_283_146, 686, 575_327


def make_pairs(n, seed=0):
    """Windows whose first channel says how strong a fixed pattern of voxels is."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, *X_SHAPE)).astype(np.float32)
    strength = rng.standard_normal(n)
    X[:, :4, 5:10] += strength[:, np.newaxis, np.newaxis, np.newaxis]
    pattern = np.random.default_rng(99).standard_normal(SHAPE)
    y = strength[:, np.newaxis] * pattern.ravel()
    y += 0.3 * rng.standard_normal(y.shape)
    return X, y.astype(np.float32)


@pytest.fixture(scope="module")
def grid():
    return VolumeGrid.from_shape(SHAPE)


@pytest.fixture(scope="module")
def fitted(grid):
    return Calhas(max_iter=3).fit(*make_pairs(N_PAIRS), grid=grid, random_state=0)


@pytest.fixture
def few_blocks(monkeypatch):
    """One residual block in each encoder, which are compiled faster."""
    monkeypatch.setattr(_calhas, "_EEG_BLOCKS", _EEG_BLOCKS[:1])
    monkeypatch.setattr(_calhas, "_VOLUME_BLOCKS", _VOLUME_BLOCKS[:1])


def count(layer):
    return sum(int(np.prod(weight.shape)) for weight in layer.weights)


@pytest.fixture(scope="module")
def published():
    """Trainer and predictor at the published sizes."""
    grid = VolumeGrid.from_shape(_VOLUME_SHAPE)
    with isolated_seed(0):
        return Calhas()._build(_EEG_SHAPE, grid.n_voxels, grid)


def test_parameters_of_the_published_network(published):
    """As many as the original has, layer by layer."""
    trainer, predictor = published
    assert count(predictor) == N_PUBLISHED + N_CONSTANTS
    assert count(trainer._encoder) == N_VOLUME_ENCODER
    assert count(trainer) == count(predictor) + N_VOLUME_ENCODER
    assert count(predictor._attention) == 64 * 1340
    features = predictor._decoder._features
    assert count(features) == 343 * 343 + 343 + 1 + N_CONSTANTS
    assert features.trainable_weights == [features.scale]
    assert count(predictor._decoder._style) == 4096 * 343
    assert count(predictor._decoder._dense) == 343 * 122_880 + 122_880
    assert count(predictor._decoder._last) == 2


def test_shapes_of_the_published_network(published):
    """Places behind each convolution and each block, and 343 latent numbers."""
    trainer, predictor = published
    expected = {
        predictor._encoder: ((20, 20, 9), (19, 19, 9), (7, 7, 8), (6, 6, 8)),
        trainer._encoder: (
            *((26, 59, 19), (25, 58, 18)),
            *((20, 55, 13), (19, 54, 12)),
            *((8, 8, 8), (7, 7, 7)),
        ),
    }
    for encoder, places in expected.items():
        is_volume = encoder is trainer._encoder
        shape = (None, 1, *(_VOLUME_SHAPE if is_volume else _EEG_SHAPE))
        found = []
        for block in encoder._blocks:
            found.append(block._first.compute_output_shape(shape)[2:])
            shape = block.compute_output_shape(shape)
            found.append(shape[2:])
        assert tuple(found) == places
        assert encoder._dense.kernel.shape == (4 * np.prod(places[-1]), 343)


@pytest.mark.parametrize(
    ("blocks", "shape"), [(_EEG_BLOCKS, _EEG_SHAPE), (_VOLUME_BLOCKS, _VOLUME_SHAPE)]
)
def test_published_kernels_at_published_and_larger_sizes(blocks, shape):
    """The rule for other sizes changes nothing there."""
    assert _fit_blocks(blocks, shape, shape, "abc") == blocks
    larger = tuple(n + 9 for n in shape)
    assert _fit_blocks(blocks, larger, shape, "abc") == blocks


def test_kernels_shrink_with_their_axis():
    """Half the channels, half the kernel and stride, to the nearest integer."""
    along = [tuple(part[0] for part in block) for block in _EEG_BLOCKS]
    assert along == [(7, 3, 2), (7, 2, 2)]
    assert _fit_axis(along, 32, 64, "channels") == [(4, 2, 2), (4, 1, 2)]


@pytest.mark.parametrize("axis", range(3))
def test_every_length_leaves_something(axis):
    """From the shortest axis to the published one, each layer has an output."""
    for blocks, published in (
        (_EEG_BLOCKS, _EEG_SHAPE),
        (_VOLUME_BLOCKS, _VOLUME_SHAPE),
    ):
        along = [tuple(part[axis] for part in block) for block in blocks]
        least = 1 + sum(pool - 1 for _, _, pool in along)
        for length in range(least, published[axis] + 1):
            n_left = length
            for kernel, stride, pool in _fit_axis(along, length, published[axis], "x"):
                assert kernel >= 1 and stride >= 1
                n_left = (n_left - kernel) // stride + 1 - (pool - 1)
                assert n_left >= 1
        with pytest.raises(ValueError, match=f"at least {least} x; got {least - 1}"):
            _fit_axis(along, least - 1, published[axis], "x")


def test_shortest_axes_make_a_network():
    """The encoders run where every axis is as short as allowed."""
    blocks = _fit_blocks(_VOLUME_BLOCKS, (4, 4, 4), _VOLUME_SHAPE, "xyz")
    encoder = Encoder(blocks)
    encoder.build((None, 4, 4, 4))
    found = in_blocks(encoder, np.ones((2, 4, 4, 4), np.float32), block=2)
    assert found.shape == (2, 343) and np.isfinite(found).all()


def compute_loss_and_gradients(network, X, y, grid):
    """Loss of a batch, and gradients by weight."""
    with isolated_seed(0):
        trainer, _ = network._build(X_SHAPE, y.shape[1], grid)
    network.grid_ = grid
    inputs, targets = network._make_batch(X, y, np.random.default_rng(0))
    frozen = [v.value for v in trainer.non_trainable_variables]

    def loss(weights):
        outputs, _ = trainer.stateless_call(weights, frozen, inputs, training=True)
        return trainer.compute_loss(y=targets, y_pred=outputs)

    weights = [v.value for v in trainer.trainable_variables]
    value, gradients = jax.jit(jax.value_and_grad(loss))(weights)
    paths = [v.path for v in trainer.trainable_variables]
    return float(value), dict(zip(paths, map(np.asarray, gradients), strict=True))


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="gradients by JAX")
@pytest.mark.slow
def test_fast_road_is_the_plain_road(monkeypatch, few_blocks, grid):
    """Patches and outer products change neither loss nor gradients."""
    X, y = make_pairs(4)
    loss, gradients = compute_loss_and_gradients(Calhas(), X, y, grid)
    for module in (_patch_conv, _calhas_layers):
        monkeypatch.setattr(module, "runs_jax_on_cpu", lambda: False)
    plain, expected = compute_loss_and_gradients(Calhas(), X, y, grid)
    assert loss == pytest.approx(plain, rel=1e-5)
    largest = max(np.abs(gradient).max() for gradient in expected.values())
    for one, other in zip(gradients.values(), expected.values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * largest)
    # Every weight learns, but the offsets that batch normalisation takes away again.
    for path, gradient in gradients.items():
        useless = "patch_conv3d" in path and path.endswith("bias")
        assert useless or np.abs(gradient).max() > 1e-6 * largest, path


def test_learns_a_made_up_mapping(fitted):
    """Better than the mean of the training pairs, on pairs that it never saw."""
    X, y = make_pairs(60, seed=1)
    error = ((y - fitted.predict(X)) ** 2).sum()
    assert error < 0.5 * ((y - make_pairs(N_PAIRS)[1].mean(axis=0)) ** 2).sum()
    loss = fitted.history_["loss"]
    assert len(loss) == 3 and loss[-1] < 0.8 * loss[0]


def test_predictions_do_not_depend_on_other_rows(fitted):
    """One row, a few and many give the same numbers, float32."""
    X = make_pairs(20, seed=2)[0]
    together = fitted.predict(X)
    assert together.shape == (20, 800) and together.dtype == np.float32
    np.testing.assert_array_equal(fitted.predict(X[7:8]), together[7:8])
    np.testing.assert_array_equal(fitted.predict(X[3:11]), together[3:11])


def test_frozen_weights_stay(fitted, grid):
    """Of the Fourier features, training changes the scale alone; else, all weights."""
    with isolated_seed(draw_seed(0)):
        networks = fitted._build(X_SHAPE, 800, grid)
    pairs = networks, fitted._networks
    before, after = (trainer.trainable_variables for trainer, _ in pairs)
    for one, other in zip(before, after, strict=True):
        assert np.any(np.asarray(one.value) != np.asarray(other.value)), one.path
    start, end = (predictor._decoder._features for _, predictor in pairs)
    for name in ("omega", "phase", "gain", "offset"):
        values = (np.asarray(getattr(layer, name).value) for layer in (start, end))
        np.testing.assert_array_equal(*values)
    assert float(start.scale) == pytest.approx(np.sqrt(343 / 2))
    assert float(end.scale) != float(start.scale)


def test_same_state_same_network_and_pickles(fitted, grid):
    """Fitted twice, and pickled: the same predictions; another seed: others."""
    X, y = make_pairs(N_PAIRS)
    network = clone(fitted).fit(X, y, grid=grid, random_state=0)
    expected = fitted.predict(X[:3])
    np.testing.assert_array_equal(network.predict(X[:3]), expected)
    assert network.history_ == fitted.history_
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(X[:3]), expected)


@pytest.mark.slow
def test_calibration_goes_on_from_where_fit_ended(fitted, grid):
    """A few pairs of a new person change a network, pickled or not, alike."""
    X, y = make_pairs(40, seed=3)
    copies = [pickle.loads(pickle.dumps(fitted)) for _ in range(2)]
    copies[0].predict(X[:1])
    for copy in copies:
        copy.update(X, -y, random_state=1)
    before, after = (((-y - c.predict(X)) ** 2).sum() for c in (fitted, copies[0]))
    assert after < before
    np.testing.assert_array_equal(*(copy.predict(X) for copy in copies))
    assert len(copies[0].history_["loss"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["dense", "dct"])
def test_masked_voxels(decoder, few_blocks):
    """Only voxels of the mask are predicted; the encoder of volumes sees zeros."""
    X, y = make_pairs(64)
    mask = np.random.default_rng(0).random(SHAPE) < 0.4
    grid = VolumeGrid(mask)
    y = y[:, mask.ravel()]
    network = Calhas(decoder, "published", n_coefficients=(4, 20, 3), max_iter=2)
    network.fit(X, y, grid=grid, random_state=0)
    assert network.predict(X).shape == y.shape
    assert network.history_["loss"][1] < network.history_["loss"][0]
    dense = network._networks[1]._decoder._dense
    # No more waves than voxels along an axis.
    assert dense.units == (mask.sum() if decoder == "dense" else 4 * 10 * 3)
    (_, volumes, kept), targets = network._make_batch(
        X[:4], y[:4], np.random.default_rng(0)
    )
    np.testing.assert_array_equal(volumes[:, mask], targets)
    assert (volumes[:, ~mask] == 0).all()
    assert set(np.unique(kept)) == {0, 2} and 0.4 < (kept > 0).mean() < 0.6


def test_waves_in_a_mask(few_blocks):
    """The waves of a mask's voxels are those of the whole volume."""
    mask = np.random.default_rng(0).random(SHAPE) < 0.4
    voxels = []
    for grid in (VolumeGrid(mask), VolumeGrid.from_shape(SHAPE)):
        with isolated_seed(0):
            _, predictor = Calhas("dct")._build(X_SHAPE, grid.n_voxels, grid)
            voxels.append(in_blocks(predictor, make_pairs(2)[0], block=2))
    np.testing.assert_allclose(voxels[0], voxels[1][:, mask.ravel()], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "x_shape", "n_targets", "grid", "match"),
    [
        ({}, X_SHAPE, 800, None, "masker that made y"),
        ({}, X_SHAPE, 7, VolumeGrid.from_shape(SHAPE), "7 columns, but grid has 800"),
        ({}, X_SHAPE, 24, VolumeGrid.from_shape((2, 3, 4)), "4 voxels along x; got 2"),
        ({}, (2, 9, 9), 800, VolumeGrid.from_shape(SHAPE), "3 channels; got 2"),
        ({}, (4, 2, 9), 800, VolumeGrid.from_shape(SHAPE), "3 frequencies; got 2"),
        ({"decoder": "dcd"}, X_SHAPE, 800, VolumeGrid.from_shape(SHAPE), "'dct'"),
        ({"loss": "mse"}, X_SHAPE, 800, VolumeGrid.from_shape(SHAPE), "documented"),
        (
            {"decoder": "dct", "n_coefficients": (4, 0, 4)},
            X_SHAPE,
            800,
            VolumeGrid.from_shape(SHAPE),
            "three positive numbers",
        ),
    ],
)
def test_wrong_settings_and_sizes(settings, x_shape, n_targets, grid, match):
    """Early errors that say what to give."""
    with pytest.raises(ValueError, match=match):
        Calhas(**settings)._build(x_shape, n_targets, grid)
