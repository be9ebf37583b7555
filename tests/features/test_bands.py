"""Features have bands, and every reader compares them with the filters."""

import warnings

import jax
import mne
import numpy as np
import pytest

from mne_sbi import ModelInverter, Parameter, connectivity_fit
from mne_sbi.eeg_fmri import EEGWindows, VolumeTiming
from mne_sbi.features import EnvelopeCorrelation, Joined, LogPSD, TimeSeries
from mne_sbi.models import ForwardModel

SFREQ = 100.0
ALPHA = {
    "plain": LogPSD(8.0, 12.0),
    "freqs": LogPSD(freqs=[8.0, 9.5, 12.0]),
    "envelopes": EnvelopeCorrelation(8.0, 12.0),
    "joined": Joined([LogPSD(21.0, 39.0), EnvelopeCorrelation(8.0, 12.0)]),
    "nested": Joined([LogPSD(21.0, 39.0), Joined([LogPSD(8.0, 12.0), TimeSeries()])]),
}
MESSAGE = "filtered to 20 to 40 Hz, but it is compared from 8 to 12 Hz"


class Noise(ForwardModel):
    """Time series of white noise of four nodes."""

    parameters = (Parameter("size", 0.1, 1.0, 0.5),)

    def __init__(self, sfreq=SFREQ, duration=20.0):
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        shape = (4, round(self.sfreq * self.duration))
        return params["size"] * jax.random.normal(key, shape)


def make_raw():
    data = 1e-5 * np.random.default_rng(0).standard_normal((4, 2000))
    return mne.io.RawArray(
        data, mne.create_info(list("abcd"), SFREQ, "eeg"), verbose="error"
    )


@pytest.fixture(scope="module")
def plain():
    return make_raw()


@pytest.fixture(scope="module")
def filtered():
    return make_raw().filter(20.0, 40.0, verbose="error")


def test_bands():
    assert LogPSD(7.9, 12.2).bands == ((8.0, 12.0),)
    for name in ("plain", "freqs", "envelopes"):
        assert ALPHA[name].bands == ((8.0, 12.0),), name
    assert ALPHA["joined"].bands == ((21.0, 39.0), (8.0, 12.0))
    assert ALPHA["nested"].bands == ((21.0, 39.0), (8.0, 12.0))
    assert TimeSeries().bands == ()


@pytest.mark.parametrize("name", ALPHA)
def test_inverters_warn_of_filters(name, plain, filtered):
    features = ALPHA[name]
    inverter = ModelInverter(
        Noise(),
        features=features,
        method="abc",
        n_simulations=12,
        n_draws=2,
        random_state=0,
        verbose=False,
    )
    with pytest.warns(RuntimeWarning, match=MESSAGE):
        inverter.fit(filtered)
    with pytest.warns(RuntimeWarning, match=MESSAGE):
        inverter.predict(filtered)
    inverter.predict(plain)


def test_connectivity_warns_of_filters(plain, filtered):
    features = ALPHA["envelopes"]
    matrix = np.add.outer(np.arange(4.0), np.arange(4.0)), plain.ch_names
    calls = [
        features.compute,
        lambda raw: connectivity_fit(matrix, raw, features=features, n_null=2),
        lambda raw: connectivity_fit(raw, matrix, features=features, n_null=2),
    ]
    for call in calls:
        with pytest.warns(RuntimeWarning, match=MESSAGE):
            call(filtered)
        call(plain)


def test_all_bands_that_are_cut_are_told():
    features = Joined([LogPSD(8.0, 12.0), LogPSD(30.0, 45.0), LogPSD(21.0, 40.0)])
    wanted = "compared from 8 to 12 Hz and from 30 to 45 Hz.*filter less"
    with pytest.warns(RuntimeWarning, match=wanted):
        features.warn_if_filtered((20.0, 40.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features.warn_if_filtered(None)
        features.warn_if_filtered((8.0, 45.0))
        TimeSeries().warn_if_filtered((20.0, 40.0))


def test_band_power_is_of_bands_that_the_filter_left(filtered):
    timing = VolumeTiming(np.arange(5, 18, 2.0), 2.0)
    for band in ((8.0, 12.0), (40.0, 48.0)):
        with pytest.raises(ValueError, match="not in a recording .* to 20 to 40 Hz"):
            EEGWindows(bands={"band": band}, n_lags=2).compute(filtered, timing)
    X, *_ = EEGWindows(bands={"band": (15.0, 25.0)}, n_lags=2).compute(filtered, timing)
    assert np.isfinite(X).all()
