"""Embedding networks: lengths of sequences, static points, and what they learn."""

import json

import numpy as np
import pytest
from scipy.signal import lfilter

from mne_sbi.inference import NPE, PointRegressor
from mne_sbi.inference._networks import keras, make_embedding, make_regressor

SEQUENCES = ("conv1d", "bilstm", "cnn_bilstm", "transformer")
NAMES = ("mlp", *SEQUENCES)


def find(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    "shape", [(1, 1280), (64, 1201), (1, 60_000), (129,), (1, 89), (2, 3)]
)
def test_sequences_are_shortened(shape):
    n_points = shape[-1]
    for name in ("bilstm", "cnn_bilstm"):
        both = find(make_embedding(name, shape), keras.layers.LSTM)
        assert [layer.go_backwards for layer in both] == [False, True]
        n_steps = both[0].input.shape[1]
        most = {"bilstm": 128, "cnn_bilstm": 64}[name]
        assert n_steps <= most and (n_points < 256 or n_steps > most / 2)
        assert not both[0].unroll
        if name == "bilstm" and n_points <= 128:
            assert n_steps == n_points
    layers = find(make_embedding("transformer", shape), keras.layers.MultiHeadAttention)
    for layer in layers:
        assert n_points / 8 <= layer.output.shape[1] <= 64 or n_points > 256
        assert 32 < layer.output.shape[1] <= 64 or n_points < 256


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 30), (30,)])
def test_outputs_have_the_shape(name, shape):
    x = np.random.default_rng(0).standard_normal((4, *shape)).astype("float32")
    assert make_embedding(name, shape, n_static=5).output_shape == (None, 256)
    network = make_regressor(shape, 7, (8,), embedding=name, n_static=5)
    assert network(x).shape == (4, 7)


@pytest.mark.parametrize("name", SEQUENCES)
def test_static_points_go_past_the_sequence_network(name):
    """With many points in front, the network of the sequence is as without them."""
    plain = make_embedding(name, (2, 40))
    beside = make_embedding(name, (2, 50), n_static=10)
    dense = 2 * 10 * 256 + 256 + 2 * 256**2 + 256
    assert beside.count_params() == plain.count_params() + dense
    x = np.random.default_rng(0).standard_normal((2, 2, 50)).astype("float32")
    other = x.copy()
    other[:, :, :10] += 1.0
    assert np.abs(np.asarray(beside(x)) - np.asarray(beside(other))).max() > 1e-3


def result(method, x):
    if not method.gives_posterior:
        return method.predict(x)
    draws = method.sample(x, 5, random_state=0).reshape(len(x), -1)
    density = method.log_prob(np.full((len(x), 2), 0.4), x)
    return np.concatenate([method.predict(x), draws, density[:, None]], axis=1)


# The layers are those of the same embedding for both methods.
@pytest.mark.parametrize(
    ("name", "method"),
    [*((name, "npe") for name in NAMES), ("mlp", "point"), ("conv1d", "point")],
)
def test_rows_of_sequences_from_fit_to_state(name, method):
    rng = np.random.default_rng(0)
    theta, x = rng.random((60, 2)), rng.standard_normal((60, 3, 40))
    settings = {"embedding": name, "n_static": 8, "max_iter": 1, "batch_size": 20}
    if method == "npe":
        method = NPE(density="mixture", dropout=0.1, **settings)
    else:
        method = PointRegressor((16,), **settings)
    method.fit(theta, x, refresh=lambda k: (theta, x), random_state=0)
    assert np.isfinite(method.history_["validation_loss"]).all()
    expected = result(method, x)
    assert np.isfinite(expected).all()
    state, arrays = method.get_state()
    again = type(method).from_state(json.loads(json.dumps(state)), arrays)
    np.testing.assert_array_equal(result(again, x), expected)
    np.testing.assert_allclose(result(again, x[7:9]), expected[7:9], atol=1e-9)
    with pytest.raises(ValueError, match=r"\(n_obs, 3, 40\)"):
        method.predict(x[:, :, 1:])


def oscillate(n, seed):
    """Noise-driven oscillations of a random frequency, and of other random damping."""
    rng = np.random.default_rng(seed)
    theta = rng.random((n, 1))
    radius = 1.0 - 10.0 ** rng.uniform(-2.2, -1.2, n)
    angle = 2 * np.pi * (0.02 + 0.1 * theta[:, 0])
    drive = rng.standard_normal((n, 180)).astype("float32")
    x = [
        lfilter([1.0], [1.0, -2 * r * np.cos(w), r * r], row)
        for r, w, row in zip(radius, angle, drive, strict=True)
    ]
    x = np.array(x)[:, np.newaxis, 80:]
    x /= x.std(axis=2, keepdims=True)
    return theta, (x + 0.1 * rng.standard_normal(x.shape)).astype("float32")


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequence_networks_learn_a_frequency(name):
    """It is neither in the size of single points, nor in their means: phases vary."""
    theta, x = oscillate(1000, 0)
    method = PointRegressor(embedding=name, max_iter=5, batch_size=64)
    method.fit(theta, x, random_state=0)
    test_theta, test_x = oscillate(400, 1)
    error = method.predict(test_x) - test_theta
    assert 1.0 - np.square(error).mean() / test_theta.var() > 0.5


def test_dense_layers_learn_a_decay():
    rng = np.random.default_rng(0)
    theta = rng.random((1500, 1))
    times = np.linspace(0.0, 1.0, 60)
    x = np.exp(-10.0 * theta * times)[:, np.newaxis] + 0.1 * rng.standard_normal(
        (1500, 1, 60)
    )
    method = PointRegressor((64, 64), None, max_iter=10, batch_size=64)
    method.fit(theta[:1000], x[:1000], random_state=0)
    error = method.predict(x[1000:]) - theta[1000:]
    assert 1.0 - error.var() / theta.var() > 0.8


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (PointRegressor(embedding="lstm"), "Did you mean 'bilstm'"),
        (NPE("conv1d", n_components=3), "3 principal components are none"),
        (PointRegressor(n_components=3, embedding="bilstm"), "embedding='mlp'"),
        (NPE("conv1d", n_static=-1), "n_static must be the number of leading points"),
        (NPE("conv1d", n_static=True), "n_static must be the number of leading points"),
        (NPE("conv1d", n_static=6), "n_static=6 of 6 points leave no sequence"),
    ],
)
def test_bad_settings(method, message):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        method.fit(rng.random((50, 2)), rng.standard_normal((50, 2, 6)))


def test_sequences_with_fresh_noise_keep_their_order():
    """No components are made of them, as they are for dense layers."""
    theta, x = np.random.default_rng(0).random((60, 1)), np.zeros((60, 2, 20), "f4")

    def resample(indices, rng):
        return x[indices] + rng.standard_normal((len(indices), 2, 20), dtype="f4")

    for method in (NPE("conv1d", "mixture"), PointRegressor(embedding="conv1d")):
        method.set_params(max_iter=1).fit(theta, x, resample=resample, random_state=0)
        assert method.scaler_.components is None
        scale = method.scaler_.scale.reshape(2, 20)
        np.testing.assert_array_equal(scale, scale[:, :1].repeat(20, axis=1))


def test_initial_kernels():
    from mne_sbi.inference._initializers import RandomKernel, RandomOrthogonal

    square = np.asarray(RandomOrthogonal()((8, 32)))
    np.testing.assert_allclose(square @ square.T, np.eye(8), atol=1e-6)
    # As many inputs as a window has values, and outputs as filters.
    drawn = np.asarray(RandomKernel()((10, 6, 40)))
    assert np.abs(drawn).max() == pytest.approx((3 / 50) ** 0.5, rel=0.01)
    assert drawn.var() == pytest.approx(1 / 50, rel=0.1)
