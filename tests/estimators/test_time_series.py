"""Time series as features of inverters: lengths, grid search, files."""

import sys
from pathlib import Path

import jax
import mne
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from mne_sbi import ModelInverter, read_inverter
from mne_sbi.features import Joined, LogPSD, TimeSeries
from mne_sbi.models import JansenRit, Recorded
from mne_sbi.testing import make_connectome

PLUGIN = Path(__file__).parents[1] / "data" / "plugin_hopf"
SFREQ = 100.0


@pytest.fixture
def hopf(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGIN))
    from plugin_hopf import HopfModel

    yield HopfModel(make_connectome(3), sfreq=SFREQ, duration=1.0)
    sys.modules.pop("plugin_hopf", None)


def make_inverter(model, features, **settings):
    prior = {"growth": (-5.0, 5.0), "noise": (0.05, 0.5)}
    settings = {"prior": prior, "n_simulations": 60, "random_state": 0} | settings
    return ModelInverter(model, features=features, method="abc", **settings)


def make_epochs(model, n_times=100, n=6):
    params = {"growth": np.linspace(-4, 4, n)}
    data = model.simulate_batch(params, jax.random.key(1))
    data = np.concatenate([data, data], axis=2)[..., :n_times]
    info = mne.create_info(list(model.connectome.names), SFREQ, "misc")
    return mne.EpochsArray(data, info, verbose="error")


JOINED = Joined([LogPSD(fmin=4, window=0.5), TimeSeries()])


@pytest.mark.parametrize("features", [TimeSeries(), JOINED], ids=["series", "joined"])
@pytest.mark.filterwarnings("ignore:The synthetic connectome")
def test_series_go_through_an_inverter(hopf, features):
    inverter = make_inverter(Recorded(hopf), features)
    # Epochs of MNE-Python hold both ends.
    epochs = make_epochs(hopf, n_times=101)
    theta = inverter.fit(epochs).predict(epochs)
    assert theta.shape == (6, 7)
    assert inverter.bank_.x.shape[:2] == (60, 3)
    # Of arrays as well, and both alike.
    again = inverter.predict(epochs.get_data()[..., :100])
    np.testing.assert_array_equal(again, theta)
    with pytest.raises(ValueError, match="150 samples"):
        inverter.predict(make_epochs(hopf, n_times=150))


@pytest.mark.filterwarnings("ignore:The synthetic connectome")
def test_settings_of_parts_in_a_grid_search(hopf):
    epochs = make_epochs(hopf)
    grid = {
        "features__timeseries__scaling": ["zscore", "none"],
        "model__duration": [1.0],
    }
    search = GridSearchCV(
        make_inverter(hopf, JOINED, n_simulations=30),
        grid,
        cv=KFold(2),
        error_score="raise",
    )
    search.fit(epochs.get_data())
    assert set(search.best_params_) == set(grid)
    assert JOINED.features[1].scaling == "zscore"


def test_a_file_holds_features_and_recorded_model(tmp_path):
    model = Recorded(JansenRit(sfreq=SFREQ, duration=1.0), highpass=1.0)
    inverter = make_inverter(model, JOINED, prior=None, n_simulations=20)
    x = model.simulate_batch({"A": np.array([2e-3, 4e-3])}, jax.random.key(0))
    theta = inverter.fit(x).predict(x)
    fname = tmp_path / "inverter.zip"
    inverter.save(fname)
    again = read_inverter(fname)
    np.testing.assert_array_equal(again.predict(x), theta)
    assert again.model.highpass == 1.0
    assert isinstance(again.features.features[1], TimeSeries)


@pytest.mark.parametrize("features", [TimeSeries(), JOINED], ids=["series", "joined"])
@pytest.mark.filterwarnings("ignore:The synthetic connectome")
def test_other_filters_than_in_the_fit_warn(hopf, features):
    epochs = make_epochs(hopf)
    epochs.set_channel_types(dict.fromkeys(epochs.ch_names, "eeg"), verbose="error")
    with epochs.info._unlock():
        epochs.info.update(highpass=0.5, lowpass=45.0)
    if features is JOINED:
        features = Joined([LogPSD(4.0, 20.0, window=0.5), TimeSeries()])
    inverter = make_inverter(Recorded(hopf), features).fit(epochs)
    inverter.predict(epochs)
    with epochs.info._unlock():
        epochs.info.update(highpass=2.0)
    wanted = "filtered to 2 to 45 Hz, and the simulations to 0.5 to 45 Hz.*alike"
    with pytest.warns(RuntimeWarning, match=wanted):
        inverter.predict(epochs)
