"""What a user of the Jansen-Rit model may give by mistake, and what is said to it."""

import re

import mne
import numpy as np
import pytest

from mne_sbi import JansenRit, JansenRitInverter
from mne_sbi.diagnostics import sobol_sensitivity
from mne_sbi.inference import NPE


def make_raw(names=("O1", "Oz"), duration=6.0):
    rng = np.random.default_rng(0)
    data = np.cumsum(rng.standard_normal((len(names), int(100 * duration))), axis=1)
    return mne.io.RawArray(data, mne.create_info(list(names), 100.0, "eeg"))


def fit(raw=None, **settings):
    defaults = {
        "method": NPE(density="mixture", max_iter=1, batch_size=64),
        "n_simulations": 100,
        "random_state": 0,
        "verbose": "error",
    }
    return JansenRitInverter(**defaults | settings).fit(
        make_raw() if raw is None else raw
    )


WRONG = [
    ({"gain": "1e6"}, TypeError, "gain must be a number, got str '1e6'."),
    (
        {"gain": 1.0, "prior": {"gain": "free"}},
        ValueError,
        "gain=1 is known, and the prior wants it inferred. Give gain=None, or leave "
        "'gain' out of the prior.",
    ),
    (
        {"features": ["psd", "raw"]},
        TypeError,
        "features must be one of ['psd', 'raw', 'both'], or a FeatureExtractor such as "
        "LogPSD(), got ['psd', 'raw'].",
    ),
    (
        {"noise": "pink"},
        TypeError,
        "noise must be True or False, got 'pink'. Its levels and its exponent are "
        "parameters: prior={'snr_white': (10, 30)}.",
    ),
    (
        {"prior": {"A": (-0.005, 0.002)}},
        ValueError,
        "A must be at least 0, and the prior has it from -0.005 on. Give another "
        "range: prior={'A': (low, high)}.",
    ),
    (
        {"prior": {"a": -100.0}},
        ValueError,
        "a must be positive, and the prior has it from -100 on. Give another range: "
        "prior={'a': (low, high)}.",
    ),
    (
        {"prior": ["A", "B"]},
        TypeError,
        "A prior must be a Prior, a dict such as {'A': (0.002, 0.0065)}, or None, got "
        "list.",
    ),
    (
        {"sfreq": 128.0},
        ValueError,
        "The recording has 100 Hz, and simulations of JansenRit have 128 Hz. Resample "
        "the recording, .resample(128), or fit again with sfreq=None, which takes the "
        "recording's.",
    ),
]


@pytest.mark.parametrize(("settings", "error", "message"), WRONG)
def test_message_of_wrong_settings(settings, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        fit(**settings)


def test_nobody_told_the_sampling_rate():
    with pytest.raises(ValueError, match=r"^JansenRit needs sfreq and duration"):
        JansenRitInverter().fit()
    with pytest.raises(ValueError, match=r"^JansenRit needs sfreq and duration"):
        sobol_sensitivity(JansenRit(), n=16)


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_a_response_without_a_stimulus_is_told_how_to_get_one():
    raw = make_raw()
    evoked = mne.EvokedArray(raw.get_data(), raw.info, tmin=-0.2, nave=30)
    match = r"locked to an event.*PulseTrain\(n_pulses=evoked.nave, tmin=-0.2\)"
    with pytest.warns(RuntimeWarning, match=match):
        fit(evoked)


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_what_is_not_there_is_named_in_figures():
    raw = make_raw()
    inverter = fit(raw.copy().pick(["Oz"]))
    epochs = mne.make_fixed_length_epochs(raw.pick(["Oz"]), 6.0, verbose="error")
    with pytest.raises(ValueError, match="no names. Give a number from 0 to 0"):
        inverter.plot_predictive(epochs, "Pz")
    inverter = fit(raw, features="raw")
    with pytest.raises(ValueError, match=r"posterior_predictive\(X\) gives"):
        inverter.plot_predictive(raw)


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_legend_of_one_panel_is_within_the_figure():
    raw = make_raw()
    fig = fit(raw).plot_predictive(raw, "Oz", n_draws=20)
    fig.canvas.draw()
    (legend,) = fig.legends
    assert legend.get_window_extent().x1 <= fig.bbox.x1
