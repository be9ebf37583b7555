import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mne_sbi import Parameter, simulate, simulate_activity
from mne_sbi.diagnostics import identifiability
from mne_sbi.models import ForwardModel
from mne_sbi.testing import check_forward_model, make_connectome

RATE = Parameter("rate", 1, 4, 2, "Hz", doc="Corner frequency.")


class Lorentzian(ForwardModel):
    """A model that keeps the contract: a power law above a corner frequency."""

    output = "spectrum"
    parameters = (RATE,)

    def __init__(self, freqs=(1.0, 2.0, 3.0)):
        self.freqs = freqs

    def simulate(self, params, key):
        freqs = jnp.asarray(self.freqs)
        return (1 / (1 + (freqs / params["rate"]) ** 2))[None]


class Noise(ForwardModel):
    """A model that keeps the contract: noise of a given amplitude."""

    parameters = (Parameter("scale", 1, 4, 2, doc="Standard deviation."),)

    def __init__(self, connectome, sfreq=100.0, duration=0.5):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        n_times = round(self.sfreq * self.duration)
        shape = (self.connectome.n_nodes, n_times)
        return params["scale"] * jax.random.normal(key, shape)


class Undocumented(Lorentzian):
    parameters = (Parameter("rate", 1, 4, 2),)


class NoParameters(Lorentzian):
    parameters = ()


class OddName(Lorentzian):
    parameters = (Parameter("corner rate", 1, 4, 2, doc="Corner."),)


class UnknownFree(Lorentzian):
    default_free = ("rat",)


class UnknownOutput(Lorentzian):
    output = "power"


class Converts(Lorentzian):
    def __init__(self, freqs=(1.0, 2.0, 3.0)):
        self.freqs = np.array(freqs)


class SetsMore(Lorentzian):
    def __init__(self, freqs=(1.0, 2.0, 3.0)):
        self.freqs = freqs
        self.n_freqs = len(freqs)


class Unhashable(Lorentzian):
    def __init__(self, freqs=(1.0, 2.0, 3.0), rule=None):
        self.freqs = freqs
        self.rule = {1, 2} if rule is None else rule


class WrongShape(Lorentzian):
    def simulate(self, params, key):
        return super().simulate(params, key)[0]


class Decibel(Lorentzian):
    def simulate(self, params, key):
        return 10 * jnp.log10(super().simulate(params, key))


class NotFinite(Lorentzian):
    def simulate(self, params, key):
        return super().simulate(params, key) / 0.0


class Capricious(Noise):
    n_calls = 0

    def simulate(self, params, key):
        type(self).n_calls += 1
        return super().simulate(params, jax.random.fold_in(key, self.n_calls))


class NumpyNoise(Noise):
    def simulate(self, params, key):
        np.random.seed(3)
        return super().simulate(params, key)


class OtherBatch(Lorentzian):
    def simulate_batch(self, params, key):
        return 2 * super().simulate_batch(params, key)


class Lenient(Lorentzian):
    def simulate_batch(self, params, key):
        known = {name: params[name] for name in ("rate",)}
        return super().simulate_batch(known, key)


class NotPure(Lorentzian):
    def simulate(self, params, key):
        return super().simulate({"rate": float(params["rate"])}, key)


class Constant(Lorentzian):
    def simulate(self, params, key):
        return super().simulate({"rate": 2.0 + 0 * params["rate"]}, key)


class NeverValid(Lorentzian):
    def check_valid(self, params):
        return np.zeros(len(params["rate"]), bool)


def build(model):
    return model(make_connectome()) if issubclass(model, Noise) else model()


@pytest.mark.parametrize("model", [Lorentzian, Noise])
def test_good_models_pass(model):
    check_forward_model(build(model))


@pytest.mark.parametrize(
    "model, message",
    [
        (Undocumented, "parameter rate needs a doc"),
        (NoParameters, "must be a tuple of Parameter objects"),
        (OddName, "'corner rate' must be usable as a keyword"),
        (UnknownFree, r"default_free names unknown parameters \['rat'\]"),
        (UnknownOutput, "'timeseries' or 'spectrum', got 'power'"),
        (Converts, "must store 'freqs' as it was given"),
        (SetsMore, r"__init__ sets \['n_freqs'\]"),
        (Unhashable, "settings must be hashable"),
        (WrongShape, r"shape \(n_nodes, n_freqs\) with n_freqs=3, got \(3,\)"),
        (Decibel, "power, which is positive"),
        (NotFinite, "must be real and finite"),
        (Capricious, "same parameters and key must give the same"),
        (NumpyNoise, "changed NumPy's global random state"),
        (OtherBatch, r"simulate_batch\(\) and simulate\(\) differ by 3.01 dB"),
        (Lenient, "must refuse unknown parameters"),
        (NotPure, "cannot be compiled"),
        (Constant, "gradients by all parameters are zero"),
        (NeverValid, "only 0 are valid"),
    ],
)
def test_faults_are_found(model, message):
    state = np.random.get_state()
    # Not the state that one of the models leaves behind.
    np.random.seed(12345)
    with pytest.raises(AssertionError, match=message):
        check_forward_model(build(model))
    np.random.set_state(state)


def test_check_wants_an_instance():
    with pytest.raises(TypeError, match="This is the class; create an instance"):
        check_forward_model(Lorentzian)
    with pytest.raises(TypeError, match="needs an instance of a ForwardModel, got 3"):
        check_forward_model(3)


@pytest.mark.parametrize("setting", ["sfreq", "duration"])
def test_check_needs_a_rate_and_a_duration(setting):
    model = Noise(make_connectome(3), **{setting: None})
    with pytest.raises(ValueError, match=rf"^Noise needs {setting}\. .* Noise\(sfreq="):
        check_forward_model(model)


def test_third_party_model_passes(monkeypatch):
    plugin = Path(__file__).parents[1] / "data" / "plugin_hopf"
    monkeypatch.syspath_prepend(plugin)
    from plugin_hopf import HopfModel

    check_forward_model(HopfModel(make_connectome(), duration=1.0))
    monkeypatch.delitem(sys.modules, "plugin_hopf")


def test_make_connectome():
    connectome = make_connectome(7)
    assert connectome.n_nodes == 7 and connectome.synthetic
    assert connectome == make_connectome(7) != make_connectome(7, random_state=1)
    np.testing.assert_allclose(np.linalg.norm(connectome.positions, axis=1), 0.07)
    np.testing.assert_array_equal(connectome.weights, connectome.weights.T)
    assert 0 < connectome.lengths.max() <= 0.14
    with pytest.raises(ValueError, match="at least 2, got 1"):
        make_connectome(1)


@pytest.mark.parametrize("setting", ["sfreq", "duration"])
@pytest.mark.parametrize("use", [simulate, simulate_activity, identifiability])
def test_plugins_need_a_rate_and_a_duration_everywhere(use, setting):
    model = Noise(make_connectome(3), **{setting: None})
    with pytest.raises(ValueError, match=rf"^Noise needs {setting}\. .* Noise\(sfreq="):
        use(model)
