"""The Wilson-Cowan network: settings, mistakes, and what they are told."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from mne_sbi import Connectome, WilsonCowanNetwork, get_model
from mne_sbi.models import Recorded
from mne_sbi.models._wilson_cowan_run import integrate
from mne_sbi.models._wilson_cowan_settings import get_map, make_grid
from mne_sbi.testing import check_forward_model, make_connectome

KEY = jax.random.key(0)
SHORT = {"sfreq": 100.0, "duration": 0.5, "burn_in": 0.1}


@pytest.fixture(scope="module")
def connectome():
    return make_connectome(6)


def replace(connectome, **fields):
    old = {name: getattr(connectome, name) for name in ("weights", "lengths")}
    return Connectome(**old | fields, names=connectome.names)


# The default settings are tried as those of a registered model.
@pytest.mark.parametrize(
    "settings",
    [
        {"gradient": "drive", "delays": False, "preset": "neurolib"},
        {"output": "spectrum", "freqs": [5.0, 10.0]},
    ],
)
def test_contract(connectome, settings):
    check_forward_model(WilsonCowanNetwork(connectome, **SHORT | settings))


def test_it_is_registered_and_packaged():
    assert get_model("wilson_cowan") is WilsonCowanNetwork
    model = WilsonCowanNetwork(**SHORT)
    assert len(model.node_names) == 68
    assert model.simulate_batch({}, KEY).shape == (1, 68, 50)


def test_presets(connectome):
    # The values of The Virtual Brain 2.10 and of neurolib 0.6.2, read in their source.
    tvb = WilsonCowanNetwork(connectome, preset="tvb")
    p = {p.name: p.default for p in tvb.get_parameters()}
    assert (p["c_ee"], p["c_ie"], p["c_ei"], p["c_ii"]) == (12, 4, 13, 11)
    assert (p["a_e"], p["theta_e"], p["a_i"], p["theta_i"]) == (1.2, 2.8, 1, 4)
    assert p["tau_e"] == p["tau_i"] == 0.01
    assert make_grid(WilsonCowanNetwork(connectome, **SHORT)).diffusive
    neurolib = WilsonCowanNetwork(connectome, preset="neurolib", **SHORT)
    grid = make_grid(neurolib)
    assert not grid.diffusive and not grid.offset
    assert make_grid(neurolib.set_params(diffusive=True)).diffusive


def test_what_is_free(connectome):
    names = ("coupling", "speed", "drive", "noise")
    assert WilsonCowanNetwork(connectome).default_free == names
    model = WilsonCowanNetwork(connectome, gradient="tau_e")
    assert model.default_free == (*names, "gradient")
    assert model.shared_parameter == Recorded(model).shared_parameter == "speed"
    assert Recorded(model).n_sharing == model.n_sharing == 16
    model = WilsonCowanNetwork(connectome, delays=False)
    assert model.default_free == ("coupling", "drive", "noise")
    assert model.shared_parameter is None


def test_gradient(connectome):
    model = WilsonCowanNetwork(connectome, gradient="drive", gradient_map="x", **SHORT)
    values = np.array(get_map(model))
    assert values.min() == -1 and values.max() == 1
    assert np.corrcoef(values, connectome.positions[:, 0])[0, 1] > 0.999
    # As if each node had its own drive: with a map that is zero but for one node.
    one = WilsonCowanNetwork(
        connectome, gradient="drive", gradient_map=[0, 0, 1, 0, 0, 0], **SHORT
    )
    flat = WilsonCowanNetwork(connectome, **SHORT)
    changed = one.simulate_batch({"gradient": 0.5, "coupling": 0}, KEY)[0]
    plain = flat.simulate_batch({"coupling": 0}, KEY)[0]
    more = flat.simulate_batch({"coupling": 0, "drive": 1.5 * 0.8}, KEY)[0]
    others = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(changed[others], plain[others], atol=1e-6)
    np.testing.assert_allclose(changed[2], more[2], atol=1e-6)
    assert np.abs(changed[2] - plain[2]).max() > 1e-3


@pytest.mark.parametrize(
    "settings, error, match",
    [
        ({"gradient": "speed"}, ValueError, "gradient"),
        ({"gradient": "drive", "gradient_map": "w"}, ValueError, "gradient_map"),
        ({"gradient": "drive", "gradient_map": [1, 2]}, ValueError, "gradient_map"),
        ({"gradient": "drive", "gradient_map": [1] * 6}, ValueError, "same value"),
        ({"preset": "tbv"}, ValueError, "Did you mean 'tvb'"),
        ({"output": "power"}, ValueError, "output"),
        ({"sfreq": None}, ValueError, "needs sfreq"),
        ({"duration": None}, ValueError, "needs duration"),
        ({"duration": -1.0}, ValueError, "duration"),
        ({"duration": 1e-4}, ValueError, "not one sample"),
        ({"burn_in": -1.0}, ValueError, "burn_in"),
        ({"step": 0.0}, ValueError, "step"),
        ({"step": np.nan}, ValueError, "step"),
        ({"step": 0.02}, ValueError, "unstable"),
        ({"longest_delay": 0.001}, ValueError, "delay between node_"),
        ({"connectome": np.eye(6)}, TypeError, "mne_sbi.Connectome"),
    ],
)
def test_settings_are_checked(connectome, settings, error, match):
    settings = {"connectome": connectome} | SHORT | settings
    with pytest.raises(error, match=match):
        WilsonCowanNetwork(**settings).simulate_batch({}, KEY)


@pytest.mark.parametrize(
    "params, match",
    [
        ({"speed": 0.0}, "speed must be positive"),
        ({"speed": -3.0}, "speed must be positive"),
        ({"speed": 0.4}, "past is kept for 0.25 s. Give longest_delay=0."),
        ({"noise": -0.1}, "noise must not be negative"),
        ({"tau_e": 0.0}, "tau_e must be positive"),
        ({"tau_i": 1e-5}, "unstable"),
        ({"coupling": np.nan}, "coupling"),
        ({"velocity": 10.0}, "no parameter 'velocity'"),
        ({"speed": [5.0, 6.0], "drive": [1, 2, 3]}, "same length"),
    ],
)
def test_params_are_checked(connectome, params, match):
    model = WilsonCowanNetwork(connectome, **SHORT)
    with pytest.raises(ValueError, match=match):
        model.simulate_batch(params, KEY)


def test_ranges_are_checked_before_any_simulation(connectome):
    model = WilsonCowanNetwork(connectome, **SHORT)
    model.check_ranges({"speed": (2.0, 20.0)})
    with pytest.raises(ValueError, match="longest_delay"):
        model.check_ranges({"speed": (0.1, 20.0)})
    with pytest.raises(ValueError, match="tau_i must be positive"):
        model.check_ranges({"tau_i": (0.0, 0.02)})
    model = WilsonCowanNetwork(connectome, gradient="drive", **SHORT)
    with pytest.raises(ValueError, match="beyond zero"):
        model.check_ranges({"gradient": (-1.5, 1.5)})


def test_connectomes_are_checked(connectome):
    weights = connectome.weights.copy()
    weights[2] = weights[:, 2] = 0
    lonely = replace(connectome, weights=weights)
    with pytest.raises(ValueError, match="1 of 6 nodes .* node_2.*pick"):
        WilsonCowanNetwork(lonely, **SHORT).simulate_batch({}, KEY)
    nowhere = replace(connectome, weights=np.zeros((6, 6)))
    with pytest.raises(ValueError, match="6 of 6 nodes"):
        WilsonCowanNetwork(nowhere, **SHORT).simulate_batch({}, KEY)
    bad = connectome.weights.copy()
    bad[0, 1] = np.nan
    with pytest.raises(ValueError, match="weights"):
        replace(connectome, weights=bad)
    with pytest.raises(ValueError, match="negative"):
        replace(connectome, weights=-connectome.weights)
    with pytest.raises(ValueError, match="millimetres"):
        replace(connectome, lengths=1000 * connectome.lengths)
    without = replace(connectome)
    with pytest.raises(ValueError, match="needs positions"):
        WilsonCowanNetwork(without, gradient="drive", **SHORT).simulate_batch({}, KEY)


def test_too_slow_for_the_past_in_jax(connectome):
    # Traced, nothing can be raised.
    model = WilsonCowanNetwork(connectome, **SHORT)
    params = {p.name: p.default for p in model.get_parameters()} | {"speed": 0.1}
    assert np.isnan(integrate(make_grid(model), params, KEY)).all()


def test_no_draws(connectome):
    model = WilsonCowanNetwork(connectome, **SHORT)
    assert model.simulate_batch({"drive": []}, KEY).shape == (0, 6, 50)
    spectra = WilsonCowanNetwork(connectome, output="spectrum", freqs=[5.0])
    assert spectra.simulate_batch({"drive": []}, KEY).shape == (0, 6, 1)


def test_cross_spectrum_needs_a_stable_fixed_point(connectome):
    model = WilsonCowanNetwork(connectome)
    assert model.get_cross_spectrum().shape == (45, 6, 6)
    with pytest.raises(ValueError, match="not stable"):
        model.get_cross_spectrum({"drive": 1.4})
    with pytest.raises(ValueError, match="one set"):
        model.get_cross_spectrum({"drive": [0.5, 0.6]})
    spectra = WilsonCowanNetwork(connectome, output="spectrum")
    valid = spectra.check_valid({"drive": np.array([0.5, 1.4])})
    assert valid.tolist() == [True, False]


def test_compiled_once_for_equal_settings(connectome):
    traces = []

    def count(model):
        before = integrate._cache_size()
        model.simulate({p.name: p.default for p in model.get_parameters()}, KEY)
        traces.append(integrate._cache_size() - before)

    settings = SHORT | {"duration": 0.37}
    count(WilsonCowanNetwork(connectome, **settings))
    count(WilsonCowanNetwork(connectome, **settings))
    assert traces == [1, 0]


def test_numba_comes_with_the_first_simulation():
    program = (
        "import sys, mne_sbi; mne_sbi.WilsonCowanNetwork().get_parameters();"
        "assert 'numba' not in sys.modules and 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "params, match",
    [
        ({"tau_e": [0.013, 13.3]}, "tau_e is in s, and 13.3 s looks like millisec"),
        ({"tau_noise": 10.0}, "tau_noise lies between .* 1000 times as much, as in ms"),
        ({"speed": 8000.0}, "speed lies between .* as in mm/s.* Divide by 1000"),
        ({"coupling": -5.0}, "coupling must not be negative"),
        # Diffusive coupling pulls activity back, the faster the stronger it is.
        ({"coupling": 300.0, "tau_e": 0.005}, "unstable.*population e"),
    ],
)
def test_units_and_coupling_are_checked(connectome, params, match):
    with pytest.raises(ValueError, match=match):
        WilsonCowanNetwork(connectome, **SHORT).simulate_batch(params, KEY)


def test_worst_corner_of_ranges_is_checked(connectome):
    # Each end by itself can be simulated, both together cannot.
    model = WilsonCowanNetwork(connectome, **SHORT)
    model.check_ranges({"tau_i": (0.005, 0.04)})
    model.check_ranges({"c_ii": (0, 15)})
    with pytest.raises(ValueError, match="unstable"):
        model.check_ranges({"tau_i": (0.005, 0.04), "c_ii": (0, 15)})


@pytest.mark.parametrize(
    "settings", [{"diffusive": "additive"}, {"delays": "no"}, {"delays": 1.5}]
)
def test_switches_are_true_or_false(connectome, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        WilsonCowanNetwork(connectome, **SHORT | settings).simulate_batch({}, KEY)


def test_gradient_of_nothing(connectome):
    model = WilsonCowanNetwork(connectome, preset="tvb", gradient="drive", **SHORT)
    model.simulate_batch({}, KEY)
    with pytest.raises(ValueError, match="multiplies drive, which is 0"):
        model.simulate_batch({"gradient": 0.3}, KEY)
