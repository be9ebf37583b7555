"""Bricman and Borst's networks at small sizes: training and prediction."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi._keras import import_keras, isolated_seed

keras = import_keras()
ops = keras.ops
jax = pytest.importorskip("jax")

from mne_sbi.eeg_fmri import _bricman_networks, _bricman_transformers  # noqa: E402
from mne_sbi.eeg_fmri._bricman import (  # noqa: E402
    BricmanConv,
    BricmanDense,
    BricmanEncoder,
    BricmanTransformer,
    scale_min_max,
)
from mne_sbi.eeg_fmri._bricman_attention import Dropper  # noqa: E402
from mne_sbi.eeg_fmri._grid import VolumeGrid  # noqa: E402

# Windows and volumes are small.
SHAPE, N_SMALL, N_PAIRS, N_TRAIN = (3, 4, 3), 36, 240, 200
# Of each: class, samples of small windows, settings that learn fast.
SMALL = {
    "dense": (BricmanDense, 80, {"max_iter": 20, "learning_rate": 1e-3}),
    "conv": (BricmanConv, 480, {"max_iter": 8, "learning_rate": 1e-3}),
    "encoder": (BricmanEncoder, 80, {"max_iter": 20, "learning_rate": 1e-3}),
    "transformer": (BricmanTransformer, 80, {"max_iter": 40, "learning_rate": 3e-3}),
}


@pytest.fixture(scope="module", autouse=True)
def few_layers():
    """One layer instead of six, two convolutions of four: compiled faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bricman_transformers, "_N_LAYERS", 1)
        patch.setattr(_bricman_networks, "_VOLUME_FILTERS", (16, 1))
        yield


@pytest.fixture(scope="module")
def grid():
    return VolumeGrid.from_shape(SHAPE)


def make_pairs(n_samples, n=N_PAIRS):
    """Windows that hold one wave per slice; its strength is that of the slice."""
    rng = np.random.default_rng(0)
    strength = rng.standard_normal((n, len(SHAPE)))
    turns = np.arange(n_samples) / n_samples * np.arange(1, 4)[:, np.newaxis]
    X = rng.standard_normal((n, 4, n_samples))
    X[:, :2] += 2 * (strength @ np.sin(2 * np.pi * turns))[:, np.newaxis]
    pattern = np.random.default_rng(99).standard_normal((len(SHAPE), 12))
    y = (strength[..., np.newaxis] * pattern).reshape(n, -1)
    y += 0.3 * rng.standard_normal(y.shape)
    return X.astype(np.float32), y.astype(np.float32)


@pytest.fixture(scope="module", params=SMALL)
def case(request, grid):
    """A fitted network, and the pairs that were left out."""
    kind, n_samples, settings = SMALL[request.param]
    X, y = make_pairs(n_samples)
    fitted = kind(**settings).fit(X[:N_TRAIN], y[:N_TRAIN], grid=grid, random_state=0)
    return fitted, X[N_TRAIN:], y[N_TRAIN:]


@pytest.fixture(scope="module")
def taught(grid):
    """A transformer, and windows and volumes for it."""
    X, y = make_pairs(80, n=20)
    network = BricmanTransformer(max_iter=1).fit(X, y, grid=grid, random_state=0)
    return network, X[..., ::4], y.reshape(-1, *SHAPE)


def build(kind, shape, grid):
    with isolated_seed(0):
        return kind()._build(shape, grid.n_voxels, grid)[0]


def test_learns_more_than_the_mean(case):
    fitted, X, y = case
    predicted = fitted.predict(X)
    assert predicted.shape == y.shape and predicted.dtype == np.float32
    skill = 1 - np.sum((predicted - y) ** 2) / np.sum((y - y.mean(axis=0)) ** 2)
    # A transformer has to guess all slices behind those that it got wrong.
    assert skill > (0.35 if isinstance(fitted, BricmanTransformer) else 0.6)
    assert fitted.history_["loss"][-1] < 0.6 * fitted.history_["loss"][0]
    # Not one map for all windows.
    assert predicted.std(axis=0).mean() > 0.3 * y.std(axis=0).mean()


def test_predictions_do_not_depend_on_the_batch(case):
    fitted, X, _ = case
    expected = fitted.predict(X)
    np.testing.assert_allclose(fitted.predict(X[7:8])[0], expected[7], atol=1e-5)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(fitted.predict(X[order]), expected[order], atol=1e-5)


def test_pickled_network_predicts_the_same(case):
    fitted, X, _ = case
    expected = fitted.predict(X[:5])
    loaded = pickle.loads(pickle.dumps(fitted))
    assert "_networks" not in vars(loaded)
    assert loaded.n_parameters_ == sum(weight.size for weight in fitted.weights_)
    np.testing.assert_array_equal(loaded.predict(X[:5]), expected)


def test_gradient_reaches_every_weight(case):
    fitted, X, y = case
    trainer = fitted._get_networks()[0]
    inputs, targets = fitted._make_batch(X[:8], y[:8], np.random.default_rng(0))

    def measure(weights):
        fixed = [v.value for v in trainer.non_trainable_variables]
        found, _ = trainer.stateless_call(weights, fixed, inputs, training=True)
        return ops.mean(ops.square(found - targets))

    weights = [variable.value for variable in trainer.trainable_variables]
    gradients = jax.jit(jax.grad(measure))(weights)
    largest = [float(np.abs(gradient).max()) for gradient in gradients]
    reached = np.array(largest) > 1e-7
    lost = [
        variable.path
        for variable, good in zip(trainer.trainable_variables, reached, strict=True)
        if not good
    ]
    # Offsets that the normalisation behind them takes away, in the conv network only:
    # those of six dense layers, and that of the normalisation before the first one.
    n_lost = 7 if isinstance(fitted, BricmanConv) else 0
    assert len(lost) == n_lost
    assert sum("dense" in path and "bias" in path for path in lost) == max(
        n_lost - 1, 0
    )


def test_same_seed_same_transformer(taught, grid):
    fitted, windows, volumes = taught
    X, y = make_pairs(80, n=20)
    again = clone(fitted).fit(X, y, grid=grid, random_state=0)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert again.history_ == fitted.history_


def test_same_seed_same_network_and_another_one_another(grid):
    X, y = make_pairs(80, n=30)
    fits = [
        BricmanDense(max_iter=1).fit(X, y, grid=grid, random_state=seed)
        for seed in (4, 4, 5)
    ]
    first, second, other = (fitted.predict(X) for fitted in fits)
    np.testing.assert_array_equal(first, second)
    assert fits[0].history_ == fits[1].history_ != fits[2].history_
    assert np.abs(first - other).max() > 1e-3


def test_update_trains_on(grid):
    X, y = make_pairs(80)
    fitted = BricmanDense(max_iter=15, learning_rate=1e-3)
    fitted.fit(X[:100], y[:100], grid=grid, random_state=0)
    before = np.mean((fitted.predict(X[100:]) + y[100:]) ** 2)
    # A person whose fMRI does the contrary.
    fitted.update(X[100:], -y[100:], random_state=0)
    assert len(fitted.history_["loss"]) == 15 + 3
    assert np.mean((fitted.predict(X[100:]) + y[100:]) ** 2) < 0.8 * before


def test_slices_do_not_see_measured_ones_from_their_own_on(taught):
    fitted, windows, volumes = taught
    transformer = fitted._get_networks()[0].transformer
    expected = transformer(windows, volumes, drop=Dropper())
    expected = np.asarray(expected).reshape(volumes.shape)
    for k in range(len(SHAPE)):
        changed = volumes.copy()
        changed[:, k:] = 50.0
        found = np.asarray(transformer(windows, changed, drop=Dropper()))
        difference = np.abs(found.reshape(volumes.shape) - expected).max(axis=(0, 2, 3))
        assert (difference[: k + 1] < 1e-5).all()
        # What comes behind does see them: they are what training feeds.
        assert (difference[k + 1 :] > 1e-3).all()


@pytest.mark.parametrize("masked", [False, True])
def test_prediction_feeds_back_its_own_slices(masked, taught):
    fitted, windows, volumes = taught
    mask = np.ones(SHAPE, bool)
    if masked:
        mask = np.random.default_rng(5).random(SHAPE) < 0.6
        assert 0 < mask[:-1].sum() < mask[:-1].size
    grid = VolumeGrid(mask)
    y = grid.from_volumes(volumes)
    X = np.repeat(windows, 4, axis=2)
    if masked:
        fitted = BricmanTransformer(max_iter=1).fit(X, y, grid=grid, random_state=0)
    predicted = fitted.predict(X)
    transformer = fitted._get_networks()[0].transformer
    # Given its own predictions as if they were measured, it predicts them again; given
    # measured ones, it does not.
    fed = transformer(windows, grid.to_volumes(predicted), drop=Dropper())
    np.testing.assert_allclose(fed, predicted, atol=1e-5)
    taught_ones = transformer(windows, grid.to_volumes(y), drop=Dropper())
    assert np.abs(np.asarray(taught_ones) - predicted).max() > 1e-3


def test_prediction_has_no_access_to_fmri(taught, monkeypatch):
    fitted, windows, _ = taught
    X = np.repeat(windows, 4, axis=2)
    expected = fitted.predict(X)
    loaded = pickle.loads(pickle.dumps(fitted))

    def fail(*_):
        raise AssertionError("asked for measured volumes")

    monkeypatch.setattr(VolumeGrid, "to_volumes", fail)
    monkeypatch.setattr(_bricman_transformers.SliceTransformer, "call", fail)
    np.testing.assert_array_equal(loaded.predict(X), expected)


@pytest.mark.parametrize("kind", [BricmanEncoder, BricmanTransformer])
def test_training_uses_up_all_draws(kind, grid):
    trainer = build(kind, (4, 80), grid)
    drop = Dropper(np.zeros((2, trainer.n_draws), np.uint8))
    windows = np.zeros((2, 4, 20), np.float32)
    volumes = [np.zeros((2, *SHAPE), np.float32)] * (kind is BricmanTransformer)
    trainer.transformer(windows, *volumes, drop=drop)
    assert drop.n_used == trainer.n_draws > 0
    # And they matter, in training only.
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 256, (2, trainer.n_draws), dtype=np.uint8)
    found = [
        np.asarray(trainer([windows, *volumes, draws], training=training))
        for training in (True, False, False)
    ]
    assert np.abs(found[0] - found[1]).max() > 1e-3
    np.testing.assert_array_equal(found[1], found[2])


def test_channels_share_their_embedding(taught, grid):
    fitted, windows, _ = taught
    order = [2, 0, 3, 1]
    shared = fitted._get_networks()[0].transformer._channel
    expected = np.asarray(shared(windows))[:, order]
    np.testing.assert_allclose(shared(windows[:, order]), expected, atol=1e-6)
    network = build(BricmanDense, (4, 80), grid)
    until_flat = [type(layer) for layer in network.layers].index(keras.layers.Flatten)
    shared = keras.Model(network.input, network.layers[until_flat - 1].output)
    expected = np.asarray(shared(windows))[:, order]
    np.testing.assert_allclose(shared(windows[:, order]), expected, atol=1e-6)
    # Behind it, the place of a channel does matter.
    whole = np.asarray(network(windows))
    assert np.abs(network(windows[:, order]) - whole).max() > 1e-3


def test_training_averages_and_adds_noise():
    x = np.random.default_rng(0).standard_normal((40, 5, 400)).astype(np.float32)
    pooled = x.reshape(40, 5, 100, 4).mean(-1)
    rng = np.random.default_rng(1)
    quiet = BricmanDense(channel_noise=0, sample_noise=0)
    np.testing.assert_allclose(quiet._augment(x, rng), pooled, atol=1e-6)
    noisy = BricmanDense(channel_noise=0.2, sample_noise=0.05)
    added = noisy._augment(x, rng) - pooled
    offsets = added.mean(axis=2)
    assert offsets.std() == pytest.approx(0.2, rel=0.15)
    assert abs(np.corrcoef(offsets[:, 0], offsets[:, 1])[0, 1]) < 0.4
    # Of the mean of four samples.
    rest = added - offsets[..., np.newaxis]
    assert rest.std() == pytest.approx(0.05 / 2, rel=0.03)
    first, second = (noisy._augment(x, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_learning_rate_falls_where_the_loss_does_not():
    network = BricmanDense(learning_rate=1e-4)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network._compile(model)
    (plateau,) = network._make_callbacks()
    plateau.set_model(model)
    rates = []
    for epoch, loss in enumerate([2.0, 1.0, *[0.99995] * 12, 0.5, *[0.6] * 11]):
        plateau.on_epoch_end(epoch, {"loss": loss})
        rates.append(float(model.optimizer.learning_rate.value))
    # Eleven passes after the second are no better; the tenth would have been borne.
    expected = [1e-4] * 12 + [1e-5] * 13 + [1e-6]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_conv_makes_the_voxels_of_the_mask_only():
    mask = np.random.default_rng(5).random(SHAPE) < 0.6
    network = build(BricmanConv, (4, 480), VolumeGrid(mask))
    dense = [x for x in network.layers if isinstance(x, keras.layers.Dense)]
    assert dense[-1].units == mask.sum()
    assert network.output_shape == (None, mask.sum())
    X = make_pairs(480, n=2)[0].reshape(2, 4, 120, 4).mean(-1)
    assert np.isfinite(network(X)).all()


@pytest.mark.parametrize("kind", [BricmanConv, BricmanTransformer])
def test_voxels_without_a_grid(kind, grid):
    X, y = make_pairs(480, n=10)
    with pytest.raises(ValueError, match="give the masker that made y"):
        kind(max_iter=1).fit(X, y, random_state=0)
    with pytest.raises(ValueError, match="y has 30 columns, but grid has 36"):
        kind(max_iter=1).fit(X, y[:, :30], grid=grid, random_state=0)


@pytest.mark.parametrize(
    ("settings", "n_samples", "message"),
    [
        ({"pool": 4}, 750, r"pool=4 .* 750 .*EEGWindows\('raw', sfreq=28\).* 30 s"),
        ({"pool": 7}, 80, r"pool=7 does not divide the 80 .*X\[:, :, 3:\]"),
        ({"pool": 0}, 80, "pool must be a whole number from 1"),
        ({"pool": 2.5}, 80, "pool must be a whole number from 1"),
        ({"channel_noise": -1}, 80, "channel_noise must be a standard deviation"),
        ({"sample_noise": np.nan}, 80, "sample_noise must be a standard deviation"),
    ],
)
def test_wrong_settings(settings, n_samples, message, grid):
    X, y = make_pairs(n_samples, n=10)
    with pytest.raises(ValueError, match=message):
        BricmanDense(**settings).fit(X, y, grid=grid, random_state=0)


def test_shortest_window_of_conv(grid):
    assert build(BricmanConv, (4, 4 * 109), grid).output_shape == (None, N_SMALL)
    with pytest.raises(ValueError, match="at least 109 samples .* got 108"):
        build(BricmanConv, (4, 4 * 108), grid)


def test_min_max_of_each_person_and_channel():
    rng = np.random.default_rng(0)
    scale = np.array([1e-6, 30e-6])[:, np.newaxis, np.newaxis, np.newaxis]
    X = (scale * rng.standard_normal((2, 10, 3, 50))).reshape(20, 3, 50)
    groups = np.repeat(["a", "b"], 10)
    scaled = scale_min_max(X, groups)
    assert scaled.dtype == np.float32
    for rows in (slice(10), slice(10, 20)):
        np.testing.assert_array_equal(scaled[rows].min(axis=(0, 2)), 0)
        np.testing.assert_array_equal(scaled[rows].max(axis=(0, 2)), 1)
        # A scale and an offset, nothing else.
        r = np.corrcoef(scaled[rows, 1].ravel(), X[rows, 1].ravel())[0, 1]
        assert r == pytest.approx(1, abs=1e-6)
    assert scale_min_max(X)[:10].max() < 0.7
    X[10:, 2] = 5e-6
    with pytest.raises(ValueError, match=r"Channels \[2\] .* group b"):
        scale_min_max(X, groups)
