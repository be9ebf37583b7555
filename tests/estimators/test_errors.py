"""Early errors that say what to do."""

import dataclasses

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import mne_sbi.estimators._observation as observation
from mne_sbi import ModelInverter, Parameter, SGMInverter
from mne_sbi.datasets import read_spectrome
from mne_sbi.estimators._plausibility import warn_if_power
from mne_sbi.features import LogPSD, SpectralNoise
from mne_sbi.inference import PointRegressor
from mne_sbi.models import ForwardModel, SpectralGraphModel
from mne_sbi.simulation import read_simulation_bank


@pytest.fixture
def no_simulation(monkeypatch):
    """An early error comes before the first simulation."""

    def refuse(*args, **kwargs):
        raise AssertionError("simulated before the error")

    monkeypatch.setattr(observation, "simulate", refuse)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"n_simulations": 3}, "at least 10, got 3"),
        ({"n_simulations": 0}, "at least 10, got 0"),
        ({"n_simulations": 2.5}, "an integer of at least 10, got 2.5"),
        ({"prior": {"alpha": (0.9, 0.2)}}, "low < high, .*give one number instead"),
        ({"prior": {"alpha": (0.5, 0.5)}}, "low < high"),
        ({"prior": {"alhpa": 0.5}}, "Unknown parameter 'alhpa'.*mean 'alpha'"),
        ({"prior": {"alpha": "fre"}}, "Allowed: 'free'"),
        ({"method": "nep"}, "'nep'. Allowed: .*Did you mean 'npe'"),
        ({"variant": "resolvant"}, "Did you mean 'resolvent'"),
        ({"unit": "db"}, "Allowed: 'dB', 'power'.*Did you mean 'dB'"),
        ({"freqs": [10.0, 5.0]}, "freqs must increase"),
        ({"features": LogPSD(freqs=[1.0, 2.0])}, "Leave freqs=None in the features"),
        ({"random_state": -1}, "must not be negative"),
        ({"nodes": ["lh.cuneus", "lh.precentrall"]}, "Did you mean 'lh.precentral'"),
    ],
)
@pytest.mark.usefixtures("no_simulation")
def test_settings(make_inverter, spectra, settings, message):
    with pytest.raises(ValueError, match=message):
        make_inverter(**settings).fit(spectra)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"connectome": np.eye(5)}, r"Connectome\(weights, lengths, names\)"),
        ({"method": PointRegressor}, "must be an InferenceMethod or one of"),
        ({"simulations": 3}, r"read_simulation_bank\(\)"),
        ({"prior": [1, 2]}, "a dict such as"),
        ({"random_state": "0"}, "random_state must be None, an integer"),
    ],
)
@pytest.mark.usefixtures("no_simulation")
def test_types_of_settings(make_inverter, spectra, settings, message):
    with pytest.raises(TypeError, match=message):
        make_inverter(**settings).fit(spectra)


@pytest.mark.parametrize(
    "model, error, message",
    [
        ("spectral_grap", ValueError, "Did you mean 'spectral_graph'"),
        (SpectralGraphModel, TypeError, r"Write SpectralGraphModel\(...\)"),
        (3, TypeError, "must be a ForwardModel or a name"),
    ],
)
def test_models(model, error, message):
    with pytest.raises(error, match=message):
        ModelInverter(model).fit()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x: x[..., :5], "X has 5 frequencies, but the model has 6 .* freqs="),
        (lambda x: np.concatenate([x, x], axis=2), "X has 12 frequencies"),
        (lambda x: x[:, :4], "X has 4 nodes, but 5 are expected.* nodes=list of 4"),
        (lambda x: x.reshape(4, 30)[:, 1:], r"\(n_obs, 5, 6\) or \(n_obs, 30\)"),
        (lambda x: x[0, 0], "Reshape your data|must have shape"),
        (lambda x: np.where(x == x[1, 2, 3], np.nan, x), r"1 of .* at index \(1, 2, 3"),
        (lambda x: x * np.inf, "infinite.*Remove or replace"),
    ],
)
@pytest.mark.usefixtures("no_simulation")
def test_arrays(make_inverter, spectra, change, message):
    with pytest.raises(ValueError, match=message):
        make_inverter().fit(change(spectra))


@pytest.mark.parametrize("n_freqs", [39, 44])
def test_default_frequencies_are_named(connectome, n_freqs):
    with pytest.raises(ValueError, match="has 40 frequencies from 2 to 45 Hz. Give"):
        SGMInverter(connectome).fit(np.zeros((1, 5, n_freqs)))


def test_wrong_arrays_in_predict(make_inverter, spectra):
    inverter = make_inverter().fit(spectra)
    with pytest.raises(ValueError, match="X has 5 frequencies"):
        inverter.predict(spectra[..., :5])
    with pytest.raises(ValueError, match="X has 4 nodes"):
        inverter.predict(spectra[:, :4])
    with pytest.raises(ValueError, match="Remove or replace"):
        inverter.predict(spectra * np.nan)
    with pytest.raises(ValueError, match="the same power .* Drop these regions"):
        inverter.predict(0 * spectra)


@pytest.mark.usefixtures("no_simulation")
def test_power_that_is_not_positive(make_inverter, spectra):
    power = 10 ** (spectra / 10)
    for bad in (-1.0, 0.0):
        power[0, 0, 0] = bad
        with pytest.raises(ValueError, match="1 of 120 values are zero, negative or"):
            make_inverter(unit="power").fit(power)


@pytest.mark.usefixtures("no_simulation")
def test_recordings(make_inverter, make_raw):
    names = ["lh.cuneuss", "rh.cuneus", "L.insula", "R.insula", "lh.precentral"]
    with pytest.raises(ValueError, match="1 of 5 names .*: lh.cuneuss. Did you mean"):
        make_inverter().fit(make_raw(names))
    with pytest.raises(ValueError, match="names are not in the connectome: EEG 001"):
        make_inverter().fit(make_raw(["EEG 001", "EEG 002"]))
    with pytest.raises(ValueError, match="at least 80 Hz, got 60 Hz. Lower fmax"):
        make_inverter().fit(make_raw(sfreq=60.0))
    with pytest.raises(ValueError, match="last 1 s, less than the window of 2 s"):
        make_inverter().fit(make_raw(duration=1.0))
    raw = make_raw()
    flat = raw.copy().apply_function(lambda x: 0 * x, picks=["lh.insula"])
    with pytest.raises(ValueError, match="1 of 5 regions are flat: lh.insula. Leave"):
        make_inverter().fit(flat)
    with pytest.raises(TypeError, match="Read a file first"):
        make_inverter().fit("raw.fif")


@pytest.mark.parametrize(
    "method",
    ["predict", "transform", "predict_posterior", "inverse_transform", "score", "save"],
)
def test_not_fitted(make_inverter, spectra, method):
    with pytest.raises(NotFittedError, match="Call 'fit'"):
        getattr(make_inverter(), method)(spectra)
    with pytest.raises(NotFittedError):
        make_inverter().diagnose()


def test_a_point_estimate_has_no_posterior(make_inverter, spectra):
    method = PointRegressor((8,), None, max_iter=1)
    inverter = make_inverter(method=method).fit(spectra)
    with pytest.raises(ValueError, match="no standard deviation of refined or point"):
        inverter.predict(spectra, return_std=True)
    with pytest.raises(NotImplementedError, match="method='npe'"):
        inverter.predict_posterior(spectra)


@pytest.fixture(scope="module")
def bank(make_inverter, spectra):
    return make_inverter().fit(spectra).bank_


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"prior": {"alpha": 0.5}}, "simulations vary .* are to be inferred"),
        ({"prior": {"alpha": (0.3, 0.6)}}, "another range or value of alpha"),
        ({"prior": {"g_ei": 0.2}}, "another range or value of g_ei"),
        ({"freqs": np.linspace(4, 41, 6)}, "another freqs of the model"),
        ({"variant": "jin2023"}, "another variant of the model"),
    ],
)
@pytest.mark.usefixtures("no_simulation")
def test_simulations_of_something_else(make_inverter, bank, settings, message):
    with pytest.raises(ValueError, match=message):
        make_inverter(simulations=bank, **settings).fit()


def test_simulations_of_more_nodes_than_recorded(make_inverter, bank, spectra):
    """A bank of all nodes serves recordings of some, in any order."""
    some = {"nodes": ["lh.insula", "lh.cuneus"]}
    fitted = make_inverter(simulations=bank, **some).fit()
    afresh = make_inverter(**some).fit()
    X = spectra[:, [2, 0]]
    np.testing.assert_array_equal(fitted.predict(X), afresh.predict(X))
    with pytest.raises(ValueError, match="of 2 nodes .* of 5 .*not simulated: rh.cu"):
        make_inverter(simulations=afresh.bank_).fit()


@pytest.mark.usefixtures("no_simulation")
def test_simulations_of_another_connectome(make_inverter, bank, connectome):
    other = dataclasses.replace(connectome, weights=2 * connectome.weights)
    with pytest.raises(ValueError, match="another connectome of the model"):
        make_inverter(simulations=bank, connectome=other).fit()


@pytest.mark.usefixtures("no_simulation")
def test_simulations_of_another_model(make_inverter, bank):
    class OtherModel(SpectralGraphModel):
        pass

    inverter = make_inverter()
    settings = inverter.get_params(deep=False)
    for name in ("connectome", "freqs", "variant"):
        del settings[name]
    model = OtherModel(inverter.connectome, inverter.freqs)
    other = ModelInverter(model, **settings | {"simulations": bank})
    with pytest.raises(ValueError, match="model SpectralGraphModel, not of OtherModel"):
        other.fit()


def test_simulations_with_other_scaling_noise_and_window(make_inverter, bank, spectra):
    """What a grid search varies, with one bank of spectra."""
    features = LogPSD(3, 30, window=1.0, scaling="demean", noise=SpectralNoise(90.0))
    make_inverter(simulations=bank, features=features).fit(spectra)


class Noise(ForwardModel):
    """Time series of white noise."""

    parameters = (Parameter("size", 0.1, 1.0, 0.5),)

    def __init__(self, sfreq=50.0, duration=4.0):
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        import jax

        shape = (2, round(self.sfreq * self.duration))
        return params["size"] * jax.random.normal(key, shape)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"window": 2.0}, r"with window=1.0, and the features have window=2.0\. Give"),
        ({"fmin": 3.0}, "with fmin=2.0, and the features have fmin=3.0"),
        ({"fmax": 15.0}, "with fmax=20.0, and the features have fmax=15.0"),
        ({"freqs": [4.0, 8.0]}, r"fmin=2.0, freqs=None, .* freqs=\[4.0, 8.0\]"),
        ({"scaling": "demean"}, None),
    ],
)
def test_simulations_that_were_summarised_otherwise(tmp_path, settings, message):
    def make(**others):
        return ModelInverter(
            Noise(),
            features=LogPSD(**({"fmin": 2, "fmax": 20, "window": 1.0} | others)),
            method="abc",
            n_simulations=100,
            random_state=0,
            verbose="error",
        )

    made = make().fit().bank_
    made.save(tmp_path / "bank.h5")
    for simulations in (made, read_simulation_bank(tmp_path / "bank.h5")):
        inverter = make(**settings).set_params(simulations=simulations)
        if message is None:
            inverter.fit()
            continue
        with pytest.raises(ValueError, match=message):
            inverter.fit()
    # A bank that does not say how it was made is taken as it is.
    silent = dataclasses.replace(made, provenance={"model": "Noise, by hand"})
    make().set_params(simulations=silent).fit()


def test_simulations_of_a_model_whose_code_has_changed():
    inverter = ModelInverter(
        Noise(),
        features=LogPSD(fmin=2, fmax=20, window=1.0),
        method="abc",
        n_simulations=20,
        random_state=0,
    ).fit()
    made = inverter.bank_.provenance
    assert made["code"]["Noise"].startswith("source ")
    other = made | {"code": {"Noise": "source 0123"}}
    inverter.set_params(
        simulations=dataclasses.replace(inverter.bank_, provenance=other)
    )
    with pytest.warns(RuntimeWarning, match="code of Noise has changed .* again with"):
        inverter.fit()


@pytest.mark.usefixtures("no_simulation")
def test_pairs_and_simulations(make_inverter, bank, spectra):
    with pytest.raises(ValueError, match="Leave y out .* or set simulations=None"):
        make_inverter(simulations=bank).fit(spectra, np.full((4, 5), 0.5))


@pytest.mark.parametrize(
    "prior, asked",
    [
        ({"alpha": (0.05, 1.5)}, "0.05 to 1.5"),
        ({"alpha": 1.5}, "1.5 to 1.5"),
    ],
)
def test_prior_that_the_fast_engine_does_not_cover(
    make_inverter, connectome, prior, asked, no_simulation
):
    message = f"covers alpha from .* asks for {asked}. .*engine='exact'"
    with pytest.raises(ValueError, match=message):
        make_inverter(prior=prior).fit()
    exact = SpectralGraphModel(connectome, [8.0, 16.0, 32.0], engine="exact")
    with pytest.raises(AssertionError, match="simulated before"):
        ModelInverter(exact, prior=prior).fit()


@pytest.mark.usefixtures("no_simulation")
def test_time_series_in_an_array(make_inverter, make_raw, spectra):
    with pytest.raises(ValueError, match="values in Hz. Time series go in as mne.io.R"):
        make_inverter().fit(make_raw().get_data()[np.newaxis])
    with pytest.raises(ValueError, match="array of 5 values in Hz.$"):
        make_inverter().fit(spectra[..., :5])


@pytest.mark.usefixtures("no_simulation")
def test_sensors_are_no_regions(make_inverter, make_raw):
    with pytest.raises(ValueError, match=r"extract_label_time_course\(\) gives"):
        make_inverter().fit(make_raw(["EEG 001", "EEG 002"]))
    with pytest.raises(ValueError, match="1 of 2 names") as error:
        make_inverter().fit(make_raw(["EEG 001", "lh.cuneus"]))
    assert "extract_label" not in str(error.value)


# Power that is taken for decibels is no error, but a warning.


@pytest.fixture(scope="module")
def people(shared_data):
    return read_spectrome(shared_data / "spectrome")


@pytest.mark.parametrize("scale", [1.0, 1e-26, 1e3])
def test_power_of_people_warns(people, scale):
    for power in scale * people.psd:
        with pytest.warns(RuntimeWarning, match="look like power. Set unit='power'"):
            warn_if_power(power[np.newaxis])


def test_decibels_of_people_do_not_warn(people):
    decibels = 10 * np.log10(people.psd)
    lowest = -decibels.min()
    for offset in (0.0, lowest + 1e-3, lowest + 1, lowest + 20, lowest + 300):
        warn_if_power(decibels + offset)
        for person in decibels + offset:
            warn_if_power(person[np.newaxis])


def test_power_with_its_unit_does_not_warn(make_inverter, spectra):
    make_inverter(unit="power").fit(10 ** (spectra / 10))
    with pytest.warns(RuntimeWarning, match="Set unit='power'"):
        make_inverter().fit(1e-20 * 10 ** (spectra / 10))


def test_theta_of_another_shape(make_inverter, spectra):
    inverter = make_inverter().fit(spectra)
    with pytest.raises(ValueError, match=r"theta must have shape \(n_obs, 5\)"):
        inverter.inverse_transform([[0.5, 0.5]])
