"""Every kind of recording with channels, alone and in lists."""

import mne
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold
from sklearn.utils import _safe_indexing

from mne_sbi._recording import as_recording

SFREQ = 100.0


def make_raw(names="abc", duration=3.0, kinds="misc", seed=0, sfreq=SFREQ):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((len(names), round(duration * sfreq)))
    info = mne.create_info(list(names), sfreq, kinds)
    return mne.io.RawArray(data, info, verbose="error")


def make_epochs(n_epochs=4, names="abc", seed=0, kinds="misc"):
    data = np.random.default_rng(seed).standard_normal((n_epochs, len(names), 50))
    info = mne.create_info(list(names), SFREQ, kinds)
    return mne.EpochsArray(data, info, verbose="error")


# Windows of a Raw.


def test_windows():
    raw = make_raw(duration=3.3)
    with mne.utils.catch_logging(verbose="info") as log:
        recording = as_recording(raw, duration=1)
    assert "last 0.3 s of the recording are left out" in log.getvalue()
    assert recording.durations == (1, 1, 1)
    joined = np.concatenate(recording.data, axis=1)
    np.testing.assert_array_equal(joined, raw.get_data()[:, :300])
    # As MNE-Python cuts them.
    epochs = mne.make_fixed_length_epochs(raw, 1, preload=True, verbose="error")
    np.testing.assert_array_equal(np.stack(recording.data), epochs.get_data())
    with mne.utils.catch_logging(verbose="info") as log:
        assert len(as_recording(raw, duration=1.1)) == 3
    assert "left out" not in log.getvalue()


def test_windows_of_several_people():
    raws = [make_raw(seed=1), make_raw(duration=2, seed=2)]
    recording = as_recording(raws, duration=1.0)
    assert len(recording) == 5
    np.testing.assert_array_equal(recording.data[3], raws[1].get_data()[:, :100])


def test_windows_with_bad_segments():
    raw = make_raw()
    raw.set_annotations(mne.Annotations(1.2, 0.4, "BAD_blink"))
    recording = as_recording(raw, duration=1.0)
    assert recording.durations == (1, 0.6, 1)
    assert np.isnan(recording.data[1][:, 20:60]).all()
    raw.set_annotations(mne.Annotations(1.2, 0.6, "BAD_blink"))
    with pytest.raises(
        ValueError, match="1 to 2 s is annotated as bad but for 40%.*mak"
    ):
        as_recording(raw, duration=1.0)
    raw.set_annotations(mne.Annotations(0.9, 1.2, "BAD_blink"))
    with pytest.raises(ValueError, match="1 to 2 s is annotated as bad but for 0%"):
        as_recording(raw, duration=1.0)


def test_a_channel_that_is_flat_in_one_window():
    raw = make_raw()
    raw.apply_function(lambda x: np.where(np.arange(300) < 200, x, 0), picks=["b"])
    as_recording(raw)
    with pytest.raises(ValueError, match="1 of 3 regions are flat from 2 to 3 s: b"):
        as_recording(raw, duration=1.0)


@pytest.mark.parametrize("duration", [0, -1, np.nan, np.inf, "2", True, [2.0]])
def test_duration_must_be_a_time(duration):
    with pytest.raises(ValueError, match="duration must be a positive number of sec"):
        as_recording(make_raw(), duration=duration)


@pytest.mark.parametrize("duration", [3.1, 0.01])
def test_duration_must_fit(duration):
    with pytest.raises(ValueError, match="does not fit a recording of 3 s at 100 Hz"):
        as_recording(make_raw(), duration=duration)


@pytest.mark.parametrize(
    "X, whose",
    [
        (np.zeros((2, 3)), "an array"),
        (make_epochs(), "a Epochs"),
        ([make_epochs()], "a Epochs"),
        (make_epochs().average("all"), "a Evoked"),
    ],
)
def test_duration_is_for_raw(X, whose):
    with pytest.raises(ValueError, match=f"{whose} has none. Use duration=None"):
        as_recording(X, duration=1.0)


# Epochs.


def test_list_of_epochs_has_one_observation_per_element():
    epochs = [make_epochs(4, seed=0), make_epochs(1, seed=1)]
    recording = as_recording(epochs)
    assert len(recording) == 2 and recording.durations == (2.0, 0.5)
    first = recording.data[0]
    gaps = np.isnan(first).all(axis=0)
    assert np.isnan(first).sum() == 9
    np.testing.assert_array_equal(np.flatnonzero(gaps), [50, 101, 152])
    expected = np.concatenate(list(epochs[0].get_data()), axis=1)
    np.testing.assert_array_equal(first[:, ~gaps], expected)
    np.testing.assert_array_equal(recording.data[1], epochs[1].get_data()[0])


def test_what_scikit_learn_makes_of_epochs():
    epochs = make_epochs(6)
    for train, test in KFold(3).split(np.zeros(6)):
        for rows in (train, test):
            part = _safe_indexing(epochs, rows)
            assert isinstance(part, list)
            recording = as_recording(part)
            whole = epochs.get_data()[rows]
            np.testing.assert_array_equal(np.stack(recording.data), whole)
    objects = np.empty(2, dtype=object)
    objects[:] = [make_raw(), make_raw()]
    assert len(as_recording(objects)) == 2


def test_epochs_that_were_all_dropped():
    epochs = make_epochs(2)
    epochs.drop([0, 1], verbose="error")
    with pytest.raises(ValueError, match="holds no epoch. See epochs.drop_log"):
        as_recording(epochs)


# Averages and spectra.


def test_evoked():
    evoked = make_epochs().average("all")
    recording = as_recording(evoked)
    assert recording.is_average and recording.is_series and len(recording) == 1
    np.testing.assert_array_equal(recording.data[0], evoked.get_data())
    assert as_recording([evoked, evoked]).is_average
    assert not as_recording(make_epochs()).is_average


def test_spectrum():
    # SpectrumArray takes no miscellaneous channels.
    raw = make_raw(duration=10.0, kinds="eeg")
    spectrum = raw.compute_psd(n_fft=100, picks="all", verbose="error")
    recording = as_recording(spectrum)
    np.testing.assert_array_equal(recording.data, spectrum.get_data("all")[None])
    np.testing.assert_array_equal(recording.freqs, np.arange(51.0))
    assert recording.names == ("a", "b", "c") and recording.from_mne
    assert not recording.is_series and recording.durations == ()
    assert recording.band == (0, 50)
    # Two people, whose channels are in another order.
    other = make_raw("cab", 10.0, "eeg", seed=1).compute_psd(
        n_fft=100, picks="all", verbose="error"
    )
    both = as_recording([spectrum, other])
    np.testing.assert_array_equal(both.data[1], other.get_data(picks=["a", "b", "c"]))
    array = mne.time_frequency.SpectrumArray(
        spectrum.get_data("all"), spectrum.info, spectrum.freqs, verbose="error"
    )
    np.testing.assert_array_equal(as_recording(array).data, recording.data)


def test_spectra_of_epochs():
    epochs = make_epochs(kinds="eeg")
    spectra = epochs.compute_psd("multitaper", picks="all", verbose="error")
    power = spectra.get_data("all")
    np.testing.assert_array_equal(as_recording(spectra).data, power)
    # One observation per element of a list: the mean power of its epochs.
    both = as_recording([spectra, spectra[:2]])
    np.testing.assert_allclose(both.data, [power.mean(axis=0), power[:2].mean(axis=0)])
    array = mne.time_frequency.EpochsSpectrumArray(
        power, spectra.info, spectra.freqs, verbose="error"
    )
    np.testing.assert_array_equal(as_recording(array).data, power)


def make_spectrum(power, names="ab"):
    info = mne.create_info(list(names), SFREQ, "eeg")
    freqs = np.arange(1.0, power.shape[1] + 1)
    return mne.time_frequency.SpectrumArray(power, info, freqs, verbose="error")


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: make_raw(kinds="eeg").compute_psd(n_fft=100, average=False),
            ValueError,
            "each segment or taper by itself",
        ),
        (
            lambda: make_epochs(kinds="eeg").compute_psd(average=False, method="welch"),
            ValueError,
            "each segment or taper by itself",
        ),
        (
            lambda: make_raw(kinds="eeg").compute_psd("multitaper", output="complex"),
            TypeError,
            "The spectrum is complex",
        ),
        (
            lambda: make_spectrum(-np.ones((2, 4))),
            ValueError,
            "2 of 2 .* decibels.*a, b",
        ),
        (lambda: make_spectrum(np.eye(2) * np.nan), ValueError, "hold NaN"),
        (
            lambda: make_spectrum(np.array([[0.0, 0], [0, 1]])),
            ValueError,
            "1 of 2 regions have no power at any frequency: a",
        ),
        (
            lambda: [make_spectrum(np.ones((2, 4))), make_spectrum(np.ones((2, 5)))],
            ValueError,
            r"got 4 from 1 to 4 Hz and 5 from 1 to 5 Hz \(recording 1\)",
        ),
    ],
)
def test_spectra_that_are_refused(make, error, message):
    with mne.use_log_level("error"):
        X = make()
    with pytest.raises(error, match=message):
        as_recording(X)


# Lists.


def test_channels_in_any_order_and_spelling():
    raws = [make_raw("abc", seed=0), make_raw("cab", seed=1)]
    recording = as_recording(raws)
    assert recording.names == ("a", "b", "c")
    np.testing.assert_array_equal(
        recording.data[1], raws[1].get_data(picks=["a", "b", "c"])
    )
    names = ["cuneus-lh", "insula-rh"]
    other = ["R_insula", "ctx-lh-cuneus"]
    raws = [make_raw(names, seed=0), make_raw(other, seed=1)]
    recording = as_recording(raws)
    assert recording.names == tuple(names)
    np.testing.assert_array_equal(recording.data[1], raws[1].get_data()[::-1])


def test_bad_channels_of_one_person():
    raws = [make_raw(), make_raw(), make_raw()]
    raws[2].info["bads"] = ["b"]
    with pytest.raises(ValueError, match=r"Recording 2 lacks \['b'\].*interpolate"):
        as_recording(raws)
    raws[0].info["bads"] = raws[1].info["bads"] = ["b"]
    assert as_recording(raws).names == ("a", "c")


def test_sampling_rates_that_differ_by_rounding():
    raws = [make_raw(sfreq=rate) for rate in (600.6149902, 600.61499023)]
    assert as_recording(raws).sfreq == raws[0].info["sfreq"]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: [make_raw(), make_epochs()], "one kind, got Epochs, Raw"),
        (lambda: [make_raw(), np.zeros((3, 9))], r"something else: \['ndarray'\]"),
        (lambda: [np.zeros((3, 9)), make_raw()], r"something else: \['ndarray'\]"),
        (lambda: [make_raw(), [make_raw()]], "1 lists of recordings.*concatenate_raws"),
        (lambda: make_raw().info, "A Info cannot be inverted. Give one of Raw"),
        (lambda: [make_raw().info], "A Info cannot be inverted"),
        (
            lambda: make_epochs().compute_tfr(
                "morlet", [20.0], picks="all", n_cycles=1
            ),
            "A EpochsTFR cannot be inverted",
        ),
        # What cross-validation makes of a single Raw.
        (lambda: _safe_indexing(make_raw(), [0, 1]), "make_fixed_length_epochs.*list"),
    ],
)
def test_lists_and_objects_that_are_refused(make, message):
    with mne.use_log_level("error"):
        X = make()
    with pytest.raises(TypeError, match=message):
        as_recording(X)


def test_complex_recordings():
    raw = make_raw(kinds="eeg").apply_hilbert(verbose="error")
    for X in (raw, mne.make_fixed_length_epochs(raw, 1, preload=True, verbose="error")):
        with pytest.raises(TypeError, match="complex, as after a Hilbert transform"):
            as_recording(X)


# Choosing channels.


@pytest.mark.parametrize(
    "picks, expected",
    [
        (["c", "a"], "ca"),
        ("b", "b"),
        ([0, 2], "ac"),
        (2, "c"),
        (slice(1, 3), "bc"),
        ("eeg", "bc"),
        (["eeg", "misc"], "abc"),
        ("all", "abcd"),
        ("data", "bc"),
    ],
)
def test_picks_as_in_mne(picks, expected):
    raw = make_raw("abcd", kinds=["misc", "eeg", "eeg", "stim"])
    recording = as_recording(raw, picks=picks)
    assert recording.names == tuple(expected)
    np.testing.assert_array_equal(recording.data[0], raw.get_data(picks=list(expected)))
    epochs = mne.make_fixed_length_epochs(raw, 1, preload=True, verbose="error")
    for X in (epochs, epochs.average("all"), epochs.compute_psd("welch", picks="all")):
        assert as_recording(X, picks=picks).names == tuple(expected)


def test_picks_and_bad_channels():
    raw = make_raw("abcd", kinds=["misc", "eeg", "eeg", "stim"])
    raw.info["bads"] = ["b"]
    assert as_recording(raw, picks="eeg").names == ("c",)
    for picks in (["a", "b"], [0, 1]):
        with pytest.raises(ValueError, match=r"marked as bad: \['b'\]. Take"):
            as_recording(raw, picks=picks)
    raw.info["bads"] = ["b", "c"]
    with pytest.raises(ValueError, match=r"chooses bad channels only: \['b', 'c'\]"):
        as_recording(raw, picks="eeg")


@pytest.mark.parametrize("picks", ["mag", ["x"], [9], 1.5, [], [1.5]])
def test_picks_that_fit_nothing(picks):
    with pytest.raises((ValueError, TypeError, IndexError), match="picks=.* a, b, c"):
        as_recording(make_raw(), picks=picks)


# Tables.


def test_names_of_observations():
    values = np.zeros((2, 3))
    frame = pd.DataFrame(values, index=["ann", "bob"])
    assert as_recording(frame).obs_names == ("ann", "bob")
    assert as_recording(frame).data is frame
    assert as_recording(pd.DataFrame(values)).obs_names is None
    assert as_recording(values).obs_names is None
