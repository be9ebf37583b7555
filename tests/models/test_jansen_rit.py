"""The Jansen-Rit model as a forward model: settings, symmetries, batches, extremes."""

import functools
from dataclasses import replace

import jax
import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi import Connectome, Prior, get_model, simulate
from mne_sbi.models import JansenRit, PulseTrain
from mne_sbi.models import _jansen_rit_run as engine
from mne_sbi.testing import check_forward_model, make_connectome

KEY = jax.random.key(0)
SHORT = {"sfreq": 200.0, "duration": 0.5, "burn_in": 0.5}
ALL = ("pyramidal", "excitatory", "inhibitory")
PULSES = PulseTrain(2, 0.3, 0.05, tmin=-0.1, populations=ALL)
PAIR = Connectome([[0, 1], [2, 0]], [[0, 0.04], [0.03, 0]], ["x", "y"])


def draw(model, n, seed=0):
    prior = Prior(model.get_parameters())
    return prior.as_dict(prior.sample(n, seed))


def test_registered():
    assert get_model("jansen_rit") is JansenRit


@pytest.mark.parametrize(
    "settings",
    [
        {"scheme": "heun"},
        {"rng": "threefry", "stimulus": replace(PULSES, jitter=0.01)},
        {"connectome": PAIR, "stimulus": PULSES, "parameterization": "combinations"},
    ],
    ids=["heun", "threefry and pulses", "coupled"],
)
def test_contract(settings):
    check_forward_model(JansenRit(**SHORT | settings))


def test_parameters_and_units():
    model = JansenRit()
    assert {p.name: p.unit for p in model.get_parameters()} == {
        **{"A": "V", "B": "V", "a": "1/s", "b": "1/s", "C": "", "mu": "1/s"},
        **{"c1": "", "c2": "", "c3": "", "c4": "", "sigma": "1/sqrt(s)"},
        **{"v_max": "1/s", "v0": "V", "r": "1/V"},
    }
    assert model.get_parameters() == JansenRit.parameters
    assert model.default_free == ("A", "B", "a", "b", "C", "mu")
    assert model.single_node and model.node_names is None
    evoked = JansenRit(stimulus=PulseTrain())
    assert evoked.get_parameters()[-1].name == "pulse_excitatory"
    coupled = JansenRit(PAIR, parameterization="combinations", stimulus=PULSES)
    names = [p.name for p in coupled.get_parameters()]
    assert names[:5] == ["AC", "BC", "a", "b", "Amu"] == list(coupled.default_free)
    assert names[-4:] == [*(f"pulse_{name}" for name in ALL), "coupling"]
    assert not coupled.single_node and coupled.node_names == ("x", "y")


def test_alpha_rhythm_at_the_standard_parameters():
    # Jansen & Rit (1995): about 10 Hz, some mV; a column with few synapses is silent.
    # The sampling rate has no common divisor with anything.
    x = JansenRit(sfreq=173.61, duration=10.0).simulate_batch({"C": [135, 68]}, KEY)
    assert x.shape == (2, 1, 1736) and x.dtype == np.float32
    power = np.abs(np.fft.rfft(x[:, 0] - x.mean(axis=-1))) ** 2
    assert 8.5 < np.argmax(power[0]) / 10 < 12
    assert 1.5e-3 < x[0].std() < 4e-3
    assert x[1].std() < x[0].std() / 2


def rescaled(params, generator, factor):
    return {k: v * factor ** generator.get(k, 0.0) for k, v in params.items()}


@pytest.mark.parametrize("parameterization", ["standard", "combinations"])
@pytest.mark.parametrize("scheme", ["strang", "heun"])
def test_symmetries_leave_every_bit(parameterization, scheme):
    model = JansenRit(
        PAIR, **SHORT, stimulus=PULSES, parameterization=parameterization, scheme=scheme
    )
    generators = model.get_symmetries()
    assert len(generators) == (4 if parameterization == "standard" else 3)
    # As floats of single precision, because that is what the simulation takes.
    params = {k: v.astype(np.float32).astype(float) for k, v in draw(model, 4).items()}
    before = model.simulate_batch(params, KEY)
    assert (before.std(axis=-1) > 1e-5).all()
    for generator in generators:
        assert set(generator) <= set(params)
        for factor in (2.0, 0.25):
            after = model.simulate_batch(rescaled(params, generator, factor), KEY)
            np.testing.assert_array_equal(after, before)
        # It is the exponents that do it: one parameter less, and the signal differs.
        name = next(iter(generator))
        broken = rescaled(params, generator | {name: 0.0}, 2.0)
        assert not np.array_equal(model.simulate_batch(broken, KEY), before)
    (generator,) = model.get_gain_symmetries()
    assert generator["gain"] == 1
    after = model.simulate_batch(rescaled(params, generator, 2.0), KEY)
    np.testing.assert_array_equal(after, before / 2)


def test_symmetries_name_only_what_the_model_has():
    generators = [*JansenRit().get_symmetries(), *JansenRit().get_gain_symmetries()]
    known = {p.name for p in JansenRit().get_parameters()} | {"gain"}
    assert set().union(*generators) <= known
    expected = {"A": 1.0, "B": 1.0, "C": -1.0, "mu": -1.0, "sigma": -1.0}
    assert generators[0] == expected


def test_combinations_are_the_standard_parameters():
    standard = JansenRit(**SHORT)
    products = JansenRit(**SHORT, parameterization="combinations")
    params = draw(standard, 5)
    combined = {
        name: params[name]
        for name in params
        if name not in ("A", "B", "C", "mu", "sigma")
    }
    a = params["A"]
    combined |= {"AC": a * params["C"], "BC": params["B"] * params["C"]}
    combined |= {"Amu": a * params["mu"], "Asigma": a * params["sigma"]}
    one = standard.simulate_batch(params, KEY)
    two = products.simulate_batch(combined, KEY)
    scale = one.std(axis=-1, keepdims=True)
    assert (np.abs(one - two) < 1e-2 * scale).all()
    # With A at its gauge, the defaults are those of the standard model too.
    default = standard.simulate_batch({}, KEY), products.simulate_batch({}, KEY)
    np.testing.assert_allclose(*default, atol=1e-3 * default[0].std())


def test_compiled_once_per_configuration(monkeypatch):
    traced = []
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda *a, **k: traced.append(1) or run(*a, **k))
    settings = {"sfreq": 150.0, "duration": 0.2, "burn_in": 0.0}
    model = JansenRit(**settings)
    params = draw(model, 2500)
    many = model.simulate_batch(params, KEY)
    assert len(traced) == 1
    # Other values and draws of the same size, a clone, and equal models.
    model.simulate_batch(draw(model, 1800, 1), jax.random.key(3))
    clone(model).simulate_batch(params, KEY)
    again = JansenRit(**settings, step=0.001).simulate_batch(params, KEY)
    np.testing.assert_array_equal(again, many)
    assert len(traced) == 1
    few = model.simulate_batch({k: v[:10] for k, v in params.items()}, KEY)
    model.simulate_batch({k: v[:60] for k, v in params.items()}, KEY)
    assert len(traced) == 2
    np.testing.assert_allclose(few, many[:10], rtol=1e-3, atol=1e-6)
    # Each draw by its own key, wherever it stands.
    for i in (0, 2047, 2048, 2499):
        one = {name: value[i] for name, value in params.items()}
        alone = model.simulate(one, jax.random.fold_in(KEY, i))
        np.testing.assert_allclose(many[i], alone, rtol=1e-3, atol=1e-6)
    assert len(traced) == 3


def test_equal_connectomes_share_what_is_compiled(monkeypatch):
    traced = []
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda *a, **k: traced.append(1) or run(*a, **k))
    for _ in range(2):
        JansenRit(make_connectome(3), sfreq=140.0, duration=0.1).simulate_batch({}, KEY)
    assert len(traced) == 1


def test_sizes_of_batches():
    assert JansenRit().block_size == 2048
    assert JansenRit(make_connectome(68)).block_size == 64
    empty = JansenRit(**SHORT).simulate_batch({"C": np.empty(0)}, KEY)
    assert empty.shape == (0, 1, 100)


def test_step_divides_the_sample():
    def grid(**settings):
        return JansenRit(**{"duration": 1.0, **settings})._make_grid()

    assert (grid(sfreq=128.0).step, grid(sfreq=128.0).n_steps) == (1 / 1024, 8)
    assert (grid(sfreq=1000.0).step, grid(sfreq=1000.0).n_steps) == (1e-3, 1)
    assert grid(sfreq=4096.0).step == 1 / 4096
    assert grid(sfreq=100.0, step=3e-3).n_steps == 4
    assert grid(sfreq=250.0, burn_in=0.5).n_burn == 125


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sfreq": None}, r"JansenRit needs sfreq"),
        ({"duration": None}, "JansenRit needs duration"),
        ({"duration": 0.0}, "duration must be positive"),
        ({"duration": np.nan}, "duration"),
        ({"duration": 1e-3}, "not one sample"),
        ({"sfreq": -100.0}, "sfreq must be positive"),
        ({"sfreq": np.inf}, "sfreq"),
        ({"step": 5e-3}, r"step=0.005 s is too long"),
        ({"step": 0.0}, "step must be positive"),
        ({"burn_in": -1.0}, "burn_in must not be negative"),
        ({"speed": 0.0}, "speed must be positive"),
        ({"scheme": "euler"}, "Allowed: 'strang', 'heun'"),
        ({"rng": "xorshit"}, "Did you mean 'xorshift'"),
        ({"parameterization": "standart"}, "Did you mean 'standard'"),
        ({"stimulus": 60}, r"stimulus must be a mne_sbi.models.PulseTrain"),
        ({"stimulus": PulseTrain}, "stimulus must be"),
        ({"connectome": np.eye(2)}, r"connectome must be an mne_sbi.Connectome"),
    ],
)
def test_wrong_settings(settings, message):
    model = JansenRit(**SHORT | settings)
    with pytest.raises((ValueError, TypeError), match=message):
        model.simulate_batch({}, KEY)
    with pytest.raises((ValueError, TypeError), match=message):
        model.simulate({p.name: p.default for p in JansenRit.parameters}, KEY)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"a": 0.0}, "a must be positive, got 0"),
        ({"r": [560.0, -1.0]}, "r must be positive, got -1"),
        ({"mu": np.nan}, "mu"),
        ({"AC": 0.4}, "no parameter 'AC'"),
        ({"A": [3e-3, 4e-3], "B": [0.02] * 3}, "same length"),
    ],
)
def test_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        JansenRit(**SHORT).simulate_batch(params, KEY)


WILD = ("A", "B", "C", "mu", "sigma")


def test_extreme_parameters_stay_finite_or_are_counted():
    model = JansenRit(**SHORT)
    # Nearly a hundred times the range of what drives the sigmoid, where errors begin.
    wild = {p.name: 99 * p.high for p in model.get_parameters() if p.name in WILD}
    assert len(wild) == len(WILD)
    assert np.isfinite(model.simulate_batch(wild, KEY)).all()
    overflow = model.simulate_batch({"A": [0.00325, 1e38], "mu": [220.0, 1e38]}, KEY)
    np.testing.assert_array_equal(np.isfinite(overflow).all(axis=(1, 2)), [True, False])
    stiff = {"a": [1e-3, 1e5], "b": [1e5, 1e-3], "sigma": [0.0, 1.0]}
    assert np.isfinite(model.simulate_batch(stiff, KEY)).all()


def test_simulate_counts_what_overflows():
    class AnyInput(JansenRit):
        def get_parameters(self):
            known = super().get_parameters()
            return [replace(p, high=1e40) if p.name == "mu" else p for p in known]

    model = AnyInput(sfreq=100.0, duration=3.0, burn_in=0.1)
    prior = Prior([p for p in model.get_parameters() if p.name == "C"])
    with pytest.raises(RuntimeError, match="None of the 8 simulations can be used"):
        simulate(model, prior, 8, fixed={"mu": 1e39}, random_state=0, verbose=False)


def test_a_long_run_stays_finite():
    model = JansenRit(sfreq=32.0, duration=600.0, step=4e-3)
    x = model.simulate_batch(draw(model, 64), KEY)
    assert np.isfinite(x).all()
    first, last = x[:, 0, : x.shape[-1] // 2], x[:, 0, x.shape[-1] // 2 :]
    ratio = last.std(axis=-1) / first.std(axis=-1)
    assert np.median(ratio) == pytest.approx(1, abs=0.05)


def test_threefry_gives_the_same_distribution():
    settings = {"sfreq": 100.0, "duration": 5.0, "burn_in": 1.0, "step": 2.5e-3}
    params = {"C": np.full(128, 108.0)}
    one = JansenRit(**settings).simulate_batch(params, KEY)
    two = JansenRit(**settings, rng="threefry").simulate_batch(params, KEY)
    assert not np.array_equal(one, two)
    assert one.std() / two.std() == pytest.approx(1, abs=0.03)
    assert one.mean() == pytest.approx(two.mean(), abs=float(0.1 * one.std()))


@functools.lru_cache
def respond(n_pulses, jitter=0.0):
    """Average responses, half of them with the standard noise and half with less."""
    train = PulseTrain(n_pulses, 0.5, 0.02, jitter=jitter, tmin=-0.1)
    model = JansenRit(sfreq=200.0, duration=0.5, stimulus=train)
    sigma = model.complete_params({})["sigma"]
    params = {"C": 68.0, "pulse_excitatory": 100.0}
    params["sigma"] = np.repeat([*sigma, 1.0], 64)
    x = model.simulate_batch(params, KEY)[:, 0]
    return x[:64], x[64:]


def test_averages_of_more_pulses_have_less_noise():
    noise = []
    for n_pulses in (1, 16):
        x, _ = respond(n_pulses)
        response = x.mean(axis=0)
        # The pulse is at 0.1 s; its response, about 10 ms later.
        assert 0.11 < np.argmax(np.abs(response - response[:20].mean())) / 200 < 0.16
        noise.append((x - response).std())
    assert noise[0] / noise[1] == pytest.approx(4, rel=0.2)


def test_jittered_pulses_smear_the_response():
    heights = []
    for jitter in (0.0, 0.05):
        response = respond(16, jitter)[1].mean(axis=0)
        # The area under the response stays, where the response is linear.
        heights.append((response - response[:5].mean()).max())
    assert heights[1] < 0.6 * heights[0]


def test_regimes_and_linear_spectrum():
    model = JansenRit(parameterization="combinations")
    # C of 108 and 135 at the gauge.
    found = model.classify_regimes({"AC": [0.351, 0.43875], "BC": [2.376, 2.97]})
    assert list(found["regime"]) == ["noise-driven", "limit cycle"]
    power, valid = JansenRit().get_linear_spectrum({"C": [108, 135]}, [8.0, 10.0])
    assert power.shape == (2, 2) and list(valid) == [True, False]
    with pytest.raises(ValueError, match="freqs"):
        model.get_linear_spectrum({}, 10.0)
