"""Rows and times of recordings of which the model is not told as it should be."""

import mne
import numpy as np
import pytest

from mne_sbi import JansenRitInverter, SGMInverter, read_inverter, simulate
from mne_sbi.features import LogPSD
from mne_sbi.inference import NPE
from mne_sbi.models import JansenRit, PulseTrain, Recorded
from mne_sbi.testing import make_connectome

SFREQ, DURATION = 100.0, 4.0
QUICK = NPE(density="mixture", max_iter=1, batch_size=64)
SETTINGS = {
    "method": QUICK,
    "n_simulations": 100,
    "n_draws": 20,
    "random_state": 0,
    "verbose": "error",
}
NAMES = ["O1", "Oz", "O2"]
pytestmark = pytest.mark.filterwarnings("ignore:.*unlike all")


def make_epochs(n=3, duration=DURATION):
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((n, len(NAMES), int(duration * SFREQ)))
    info = mne.create_info(NAMES, SFREQ, "eeg")
    return mne.EpochsArray(np.cumsum(steps, axis=-1), info, verbose="error")


@pytest.fixture(scope="module")
def fitted():
    return JansenRitInverter(**SETTINGS).fit(make_epochs())


def test_rows_in_another_order_get_the_columns_of_the_fit(fitted):
    epochs = make_epochs()
    swapped = epochs.copy().reorder_channels(["O2", "O1", "Oz"])
    np.testing.assert_array_equal(fitted.predict(swapped), fitted.predict(epochs))
    names = fitted.predict_posterior(swapped).obs_names
    assert names == fitted.predict_posterior(epochs).obs_names


def test_transform_refuses_rows_that_its_columns_are_not_of(fitted):
    few = make_epochs().pick(["O1", "Oz"])
    assert fitted.predict(few).shape == (3, 2 * len(fitted.prior_))
    others = make_epochs().rename_channels({"O1": "P3"})
    for epochs in (few, others):
        with pytest.raises(ValueError, match="columns for 3 rows as in the fit"):
            fitted.transform(epochs)


def test_rows_of_arrays_have_columns_with_numbers():
    data = make_epochs().get_data()
    inverter = JansenRitInverter(sfreq=SFREQ, **SETTINGS).fit(data)
    table = inverter.set_output(transform="pandas").transform(data)
    n_params = len(inverter.prior_)
    assert table.columns[n_params] == "A@1" and table.shape == (3, 3 * n_params)
    np.testing.assert_array_equal(table, inverter.predict(data))


def test_parameters_of_rows_go_back_to_their_data(fitted, tmp_path):
    epochs = make_epochs()
    theta = fitted.transform(epochs)
    data = fitted.inverse_transform(theta)
    assert data.shape == epochs.get_data().shape
    n_params = len(fitted.prior_)
    alone = fitted.inverse_transform(theta[:1, :n_params])
    np.testing.assert_allclose(alone[0, 0], data[0, 0], rtol=1e-4)
    fitted.save(tmp_path / "jr.zip")
    again = read_inverter(tmp_path / "jr.zip")
    np.testing.assert_array_equal(again.inverse_transform(theta), data)


@pytest.mark.parametrize("shift", [-0.2, 0.1])
def test_averages_begin_when_the_simulated_ones_do(shift):
    info = mne.create_info(["Oz"], SFREQ, "eeg")
    data = np.random.default_rng(0).standard_normal((1, 120))

    def average(tmin):
        return mne.EvokedArray(data, info, tmin=tmin, verbose="error")

    inverter = JansenRitInverter(stimulus=PulseTrain(n_pulses=2), **SETTINGS)
    with pytest.raises(ValueError, match="PulseTrain"):
        inverter.fit(average(-0.2 + shift))
    inverter.fit(average(-0.2))
    with pytest.raises(ValueError, match="stimulus has epochs from -0.2 s"):
        inverter.predict(average(-0.2 + shift))
    with pytest.raises(ValueError, match="nan: several"):
        inverter.predict([average(-0.2), average(-0.2 + shift)])


@pytest.mark.parametrize("duration, length", [(2.0, 11.0), (3.0, 13.0), (20.0, 20.0)])
def test_pooled_epochs_have_spectra_as_rough_as_simulations(duration, length):
    # Windows of 2 s, one every second: 10, 12 and 19 of them fit into the epochs.
    n = {2.0: 10, 3.0: 6, 20.0: 1}[duration]
    epochs = make_epochs(n, duration)
    features = LogPSD(2.0, 45.0, window=2.0, scaling="demean")
    inverter = JansenRitInverter(features=features, **SETTINGS).fit([epochs])
    assert inverter.model_.duration == length


def test_draws_that_the_model_refuses_predict_nothing():
    inverter = SGMInverter(
        make_connectome(4),
        prior={"g_ei": "free", "g_ii": "free"},
        **SETTINGS | {"n_simulations": 200},
    ).fit()
    observation = inverter.observation_
    theta = inverter.prior_.sample(200, np.random.default_rng(0))
    params = inverter.prior_.as_dict(theta) | inverter.fixed_
    valid = inverter.model_.check_valid(inverter.model_.complete_params(params))
    assert 0.1 < valid.mean() < 0.99
    features = observation.predict_noisy(theta, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isfinite(features).all(axis=1), valid)


def test_a_network_without_a_method_that_has_one():
    with pytest.raises(ValueError, match="two words on one thing"):
        JansenRitInverter(network="conv1d", **SETTINGS | {"method": "abc"}).fit(
            make_epochs()
        )


def test_simulations_without_filters_serve_recordings_without_filters():
    model = Recorded(JansenRit(sfreq=SFREQ, duration=DURATION))
    features = LogPSD(2.0, 45.0, window=1.0, scaling="demean")
    bank = simulate(model, n_simulations=100, features=features, random_state=0)
    inverter = JansenRitInverter(simulations=bank, **SETTINGS).fit(make_epochs())
    assert inverter.model_.highpass is None and inverter.model_.lowpass is None
    filtered = make_epochs().filter(None, 47.0, verbose="error")
    with pytest.raises(ValueError, match="another lowpass"):
        inverter.fit(filtered)
