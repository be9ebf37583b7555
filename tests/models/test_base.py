"""What every forward model inherits: completion, batching, one compilation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi import Parameter
from mne_sbi.models import ForwardModel
from mne_sbi.models._base import freeze
from mne_sbi.testing import make_connectome

TRACES = []


class Decay(ForwardModel):
    """Decay with noise; notes each time that it is traced."""

    parameters = (
        Parameter("rate", 1, 4, 2, "Hz", doc="Rate of the decay."),
        Parameter("scale", 0, 1, 0.5, doc="Amplitude of the noise."),
    )

    def __init__(self, connectome=None, sfreq=100.0, duration=0.1, weights=(1, 2)):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration
        self.weights = weights

    def simulate(self, params, key):
        TRACES.append(self.duration)
        times = jnp.arange(round(self.sfreq * self.duration)) / self.sfreq
        noise = params["scale"] * jax.random.normal(key, (2, times.size))
        weights = jnp.asarray(self.weights)[:, None]
        return weights * jnp.exp(-params["rate"] * times) + noise


class OtherDecay(Decay):
    pass


class Line(ForwardModel):
    """A spectrum without parameters of its own."""

    output = "spectrum"
    parameters = (Parameter("slope", 0, 2, 1, doc="Slope."),)

    def __init__(self, freqs=(1.0, 2.0)):
        self.freqs = freqs

    def simulate(self, params, key):
        return (jnp.asarray(self.freqs) ** -params["slope"])[None]


@pytest.fixture(autouse=True)
def forget_traces():
    TRACES.clear()


def simulate(model, n, seed=0):
    rates = np.linspace(1, 4, n)
    return model.simulate_batch({"rate": rates}, jax.random.key(seed))


def test_one_trace_per_configuration():
    connectome = make_connectome(2)
    settings = {"duration": 0.11, "weights": np.array([1.0, 2.0])}
    model = Decay(connectome, **settings)
    first = simulate(model, 8)
    assert TRACES == [0.11]
    # Again, other values and seeds, a clone, and an equal model made from scratch.
    simulate(model, 8, seed=1)
    simulate(clone(model), 8)
    settings["weights"] = settings["weights"].copy()
    again = simulate(Decay(make_connectome(2), **settings), 8)
    np.testing.assert_array_equal(again, first)
    # Fewer draws that fill up to the same size.
    simulate(model, 5)
    assert TRACES == [0.11]


@pytest.mark.parametrize(
    "change",
    [
        {"duration": 0.13},
        {"connectome": make_connectome(3)},
        {"weights": [1.0, 3.0]},
        {"weights": np.array([1, 2])},
    ],
)
def test_another_configuration_is_compiled(change):
    settings = {"connectome": make_connectome(2), "duration": 0.12}
    settings["weights"] = np.array([1.0, 2.0])
    simulate(Decay(**settings), 4)
    TRACES.clear()
    simulate(Decay(**settings | change), 4)
    assert len(TRACES) == 1


def test_another_class_is_compiled():
    simulate(Decay(duration=0.14), 4)
    simulate(OtherDecay(duration=0.14), 4)
    assert TRACES == [0.14, 0.14]


def test_chunks_are_compiled_once():
    model = Decay(duration=0.15)
    many = simulate(model, 600)  # two full chunks and a part
    assert TRACES == [0.15]
    assert many.shape == (600, 2, 15)
    # A draw's randomness depends on its place and the key alone, not on the chunk.
    params = {"rate": np.linspace(1, 4, 600)}
    key = jax.random.key(0)
    for i in (0, 255, 256, 599):
        one = {"rate": params["rate"][i], "scale": 0.5}
        alone = model.simulate(one, jax.random.fold_in(key, i))
        np.testing.assert_allclose(many[i], alone, rtol=1e-5, atol=1e-6)


def test_no_draws():
    params = {"rate": np.empty(0)}
    assert Decay().simulate_batch(params, jax.random.key(0)).shape == (0, 2, 10)
    assert Decay().check_valid(params).shape == (0,)


def test_complete_params():
    params = Decay().complete_params({"scale": [0.1, 0.2]})
    assert list(params) == ["rate", "scale"]
    np.testing.assert_array_equal(params["rate"], [2, 2])
    np.testing.assert_array_equal(params["scale"], [0.1, 0.2])
    assert Decay().complete_params({})["rate"].shape == (1,)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rat": 1.0}, r"Decay has no parameter 'rat'.*Did you mean 'rate'\?"),
        ({"rate": np.inf}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"rate": [1.0, 2.0], "scale": [0.1, 0.2, 0.3]}, "same length"),
        ({"rate": [[1.0, 2.0]]}, r"shape \(n,\)"),
    ],
)
def test_wrong_params(params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Decay().simulate_batch(params, jax.random.key(0))


def test_inherited_answers():
    connectome = make_connectome(3)
    assert Decay(connectome).node_names == ("node_0", "node_1", "node_2")
    assert Decay().node_names is None
    assert Decay().get_parameters() is Decay.parameters
    assert Decay().shared_parameter is None
    np.testing.assert_array_equal(Line().get_freqs(), [1.0, 2.0])
    np.testing.assert_array_equal(Line(freqs=3.0).get_freqs(), [3.0])


def test_freeze():
    array = np.arange(3.0)
    assert freeze({"a": [array, 1]}) == freeze({"a": (array.copy(), 1)})
    assert hash(freeze({"a": [array, 1]})) == hash(freeze({"a": [array, 1]}))
    assert freeze(array) != freeze(array.astype(np.float32))
    assert freeze(array) != freeze(array[:, None])
    assert freeze(array) != freeze(array + 1)
    connectome = make_connectome(2)
    assert freeze(connectome) is connectome


def test_abstract():
    with pytest.raises(TypeError, match="simulate"):
        ForwardModel()
