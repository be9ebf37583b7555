"""Which channels are read, and the checks that all readers of channels share."""

import warnings

import mne
import numpy as np
import pytest

from mne_sbi import JansenRitInverter, connectivity_fit
from mne_sbi._recording import as_recording
from mne_sbi.eeg_fmri import EEGWindows, VolumeTiming
from mne_sbi.features import EnvelopeCorrelation

SFREQ = 100.0
# MNE-Python's own list of what is no data channel, but for the flux noise channels.
NO_BRAIN = [
    *("ref_meg", "stim", "eog", "ecg", "emg", "resp", "bio", "chpi", "exci", "ias"),
    *("syst", "gof", "dipole", "temperature", "gsr", "eyegaze", "pupil"),
]
BRAIN = ["mag", "grad", "eeg", "csd", "seeg", "ecog", "dbs", "hbo", "hbr", "fnirs_od"]


def make_raw(kinds, n_times=3000, names=None, seed=0):
    names = names or [f"{kind}_{i}" for i, kind in enumerate(kinds)]
    data = 1e-5 * np.random.default_rng(seed).standard_normal((len(kinds), n_times))
    info = mne.create_info(names, SFREQ, kinds)
    return mne.io.RawArray(data, info, verbose="error")


@pytest.mark.parametrize("kind", BRAIN)
def test_data_channels_are_taken(kind):
    raw = make_raw([*NO_BRAIN, "misc", kind, kind])
    wanted = (f"{kind}_18", f"{kind}_19")
    assert as_recording(raw).names == wanted
    epochs = mne.make_fixed_length_epochs(raw, 10.0, preload=True, verbose="error")
    assert as_recording(epochs).names == wanted
    if kind in ("mag", "grad", "eeg"):
        assert as_recording(raw, sensors=True).names == wanted


def test_miscellaneous_channels_are_regions_where_there_are_no_others():
    raw = make_raw([*NO_BRAIN, "misc", "misc"])
    assert as_recording(raw).names == ("misc_17", "misc_18")
    both = make_raw(["misc", "eeg", "misc"])
    assert as_recording(both).names == ("eeg_1",)
    # Not either where the data channels are all bad.
    both.info["bads"] = ["eeg_1"]
    with pytest.raises(ValueError, match=r"could be a region.*\['eeg', 'misc'\]"):
        as_recording(both)


@pytest.mark.parametrize("kind", NO_BRAIN)
def test_other_channels_need_to_be_picked(kind):
    raw = make_raw([kind, kind])
    for sensors in (False, True):
        with pytest.raises(ValueError, match=f"no channel that could be.*{kind}"):
            as_recording(raw, sensors=sensors)
    assert as_recording(raw, picks=[f"{kind}_1"]).names == (f"{kind}_1",)


@pytest.fixture(scope="module")
def fitted():
    """An inverter of single channels."""
    inverter = JansenRitInverter(
        n_simulations=12, method="abc", n_draws=2, random_state=0, verbose=False
    )
    return inverter.fit(make_raw(["eeg"] * 4))


def test_readers_take_the_same_channels(fitted):
    extra = ["ref_meg", "gsr", "temperature", "pupil", "misc"]
    raw = make_raw([*extra, "eeg", "eeg", "eeg", "eeg"])
    wanted = raw.ch_names[len(extra) :]
    assert EnvelopeCorrelation().compute(raw).names == wanted
    names = fitted.predict_posterior(raw).obs_names
    assert list(names) == wanted
    timing = VolumeTiming(np.arange(5, 28, 2.0), 2.0)
    *_, names = EEGWindows(n_lags=2).compute(raw, timing)
    assert names == wanted


# Projectors.


def with_reference(raw):
    """The recording with an average reference that is not applied."""
    return raw.copy().set_eeg_reference(projection=True, verbose="error")


def test_every_reader_warns_of_projectors_that_are_not_applied(fitted):
    """Every reader that does not take the average reference."""
    raw = make_raw(["eeg"] * 4)
    timing = VolumeTiming(np.arange(5, 28, 2.0), 2.0)
    matrix = np.add.outer(np.arange(4.0), np.arange(4.0)), raw.ch_names
    calls = {
        "predict": fitted.predict,
        "compute": EnvelopeCorrelation().compute,
        "measured": lambda raw: connectivity_fit(matrix, raw, n_null=2),
        "windows": lambda raw: EEGWindows(n_lags=2).compute(raw, timing),
    }
    for name, call in calls.items():
        with pytest.warns(RuntimeWarning) as record:
            call(with_reference(raw))
        found = {str(warning.message) for warning in record}
        (message,) = [text for text in found if "not applied" in text]
        assert "Average EEG reference" in message and ".apply_proj()" in message, name
    applied = with_reference(raw).apply_proj(verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_recording(applied)
        # Of sensors, the average reference is taken in any case.
        as_recording(with_reference(raw), sensors=True)
        # Of other channels.
        both = make_raw(["mag", "mag", "eeg", "eeg"])
        as_recording(with_reference(both), picks="mag")


@pytest.mark.parametrize("kind", ["epochs", "evoked", "spectrum"])
def test_all_kinds_of_recordings_warn_of_projectors(kind):
    raw = with_reference(make_raw(["eeg"] * 4))
    epochs = mne.make_fixed_length_epochs(
        raw, 10.0, preload=True, proj=False, verbose="error"
    )
    inst = {
        "epochs": epochs,
        "evoked": epochs.average(),
        "spectrum": raw.compute_psd(n_fft=100, verbose="error"),
    }[kind]
    with pytest.warns(RuntimeWarning, match="not applied: Average EEG reference"):
        as_recording(inst)


# A channel that dominates the average reference.


def make_eeg(n_channels=19, seed=0, n_times=3000):
    return make_raw(["eeg"] * n_channels, n_times, seed=seed)


def scale(raw, names, factor):
    return raw.copy().apply_function(lambda x: factor * x, picks=names)


@pytest.mark.parametrize("n_channels", [3, 4, 19, 64])
@pytest.mark.parametrize("referenced", [False, True])
def test_a_channel_that_dominates_is_named(n_channels, referenced):
    raw = scale(make_eeg(n_channels), ["eeg_1"], 1000.0)
    if referenced:
        raw.set_eeg_reference("average", verbose="error")
    with pytest.warns(RuntimeWarning, match=r"EEG channels eeg_1 are .*info\['bads'\]"):
        as_recording(raw, sensors=True)
    epochs = mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")
    for inst in (epochs, epochs.average()):
        with pytest.warns(RuntimeWarning, match="EEG channels eeg_1 are so much"):
            as_recording(inst, sensors=True)
    power = with_reference(raw).apply_proj(verbose="error")
    with pytest.warns(RuntimeWarning, match="EEG channels eeg_1 are so much"):
        as_recording(power.compute_psd(n_fft=100, verbose="error"), sensors=True)
    # Marked as bad, it is in no reference.
    raw.info["bads"] = ["eeg_1"]
    if not referenced:
        as_recording(raw, sensors=True)


def test_several_channels_that_dominate_are_named():
    raw = scale(make_eeg(), ["eeg_3", "eeg_7", "eeg_11"], 1000.0)
    with pytest.warns(RuntimeWarning, match="eeg_3, eeg_7, eeg_11 are so much larger"):
        as_recording(raw, sensors=True)


@pytest.mark.parametrize("factor, warns", [(10, False), (15, False), (25, True)])
def test_half_of_the_power_is_the_limit(factor, warns):
    """A channel of 19 leaves 1/19 of its amplitude in the others."""
    raw = scale(make_eeg(), ["eeg_1"], factor)
    if warns:
        with pytest.warns(RuntimeWarning, match="eeg_1 are so much larger"):
            as_recording(raw, sensors=True)
    else:
        as_recording(raw, sensors=True)


@pytest.mark.parametrize("n_channels", [2, 3, 4, 19])
def test_ordinary_recordings_do_not_warn(n_channels):
    raw = make_eeg(n_channels)
    times = raw.times
    # Drifts, the power line, and a short artefact are outside of what is compared.
    drift = 1e-2 * times / times[-1] + 1e-3 * np.sin(2 * np.pi * 48.0 * times)
    raw.apply_function(lambda x: x + drift, picks=["eeg_1"])
    rhythm = 3e-5 * np.sin(2 * np.pi * 10 * times)
    raw.apply_function(lambda x: x + rhythm, picks=["eeg_0"])
    raw.set_annotations(mne.Annotations([3.0, 20.0], [2.0, 4.0], "BAD"))
    as_recording(raw, sensors=True)
    as_recording(raw, sensors=True, duration=10.0)


def test_spectra_of_a_dominated_recording_are_those_of_the_channel():
    """What the warning is about: 18 copies of one spectrum."""
    raw = make_eeg()
    times = raw.times
    loud = 1e-2 * np.sin(2 * np.pi * 10 * times) + 1e-2 * raw.get_data()[1] / 1e-5
    raw.apply_function(lambda x: x + loud, picks=["eeg_1"])
    with pytest.warns(RuntimeWarning, match="EEG channels eeg_1 are"):
        (series,) = as_recording(raw, sensors=True).data
    correlation = np.corrcoef(series)[1]
    np.testing.assert_allclose(np.delete(correlation, 1), -1, atol=1e-3)
