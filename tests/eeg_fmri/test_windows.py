import mne
import numpy as np
import pytest

from mne_sbi.eeg_fmri._alignment import VolumeTiming
from mne_sbi.eeg_fmri._eeg_samples import eeg_channels, is_left_out, resample
from mne_sbi.eeg_fmri._eeg_windows import EEGWindows
from mne_sbi.eeg_fmri._windows import (
    band_power_windows,
    raw_windows,
    spectrogram_windows,
)

SFREQ = 200.0


def make_raw(data, sfreq=SFREQ, kinds="eeg", names=None):
    names = names or [f"E{i}" for i in range(len(data))]
    return mne.io.RawArray(data, mne.create_info(names, sfreq, kinds), verbose="error")


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    return make_raw(rng.normal(0.0, 1e-5, (3, int(120 * SFREQ))))


def test_power_of_white_noise_is_the_analytic_one():
    rng = np.random.default_rng(1)
    sigma = np.array([[1e-5], [3e-5]])
    raw = make_raw(sigma * rng.normal(size=(2, int(2000 * SFREQ))))
    bands = {"theta": (4.0, 8.0), "beta": (13.0, 30.0)}
    X, valid = band_power_windows(
        raw, 2.0 * np.arange(1, 1000), 2.0, bands=bands, n_lags=1
    )
    assert valid.all() and X.shape == (999, 2, 2, 1) and X.dtype == np.float32
    # A density of 2 sigma^2 / sfreq, times the width of the band.
    expected = 2 * sigma**2 / SFREQ * np.array([4.0, 17.0])
    mean = (10.0 ** X[..., 0].astype(float)).mean(axis=0)
    np.testing.assert_allclose(mean, expected, rtol=0.03)
    # Much less scattered than a single periodogram with a Hann window, whose power in
    # theta has about 2 x 8 / 1.94 degrees of freedom.
    relative = (10.0 ** X[:, 0, 0, 0].astype(float)).std() / expected[0, 0]
    assert relative < np.sqrt(2 / (16 / 1.94))


def test_power_of_a_sinusoid_is_half_its_squared_amplitude():
    t = np.arange(int(60 * SFREQ)) / SFREQ
    raw = make_raw(2e-5 * np.sin(2 * np.pi * 21.5 * t)[np.newaxis] + 1e-3)
    raw._data += np.random.default_rng(0).normal(0, 1e-9, raw._data.shape)
    bands = {"alpha": (8.0, 13.0), "beta": (13.0, 30.0)}
    X, _ = band_power_windows(
        raw, np.arange(2.0, 60.0, 2.0), 2.0, bands=bands, n_lags=1
    )
    power = 10.0 ** X[:, 0, :, 0].astype(float)
    np.testing.assert_allclose(power[:, 1], 0.5 * 2e-5**2, rtol=0.02)
    # Neither the sinusoid nor the offset leaks into the band beside it.
    assert (power[:, 0] < 1e-4 * power[:, 1]).all()


def test_lag_k_is_the_window_that_ends_k_repetition_times_before(noise):
    t_r, times = 1.7, 5.3 + 1.7 * np.arange(40)
    X, valid = band_power_windows(noise, times, t_r, n_lags=4)
    assert not valid[0] and valid[1:].all()  # 5.3 - 4 * 1.7 is before the recording
    times = times[valid]
    assert X.shape == (len(times), 3, 5, 4)
    for lag in range(4):
        single, _ = band_power_windows(noise, times - lag * t_r, t_r, n_lags=1)
        np.testing.assert_array_equal(X[..., lag], single[..., 0])


def test_a_burst_is_in_the_lag_that_covers_it():
    rng = np.random.default_rng(0)
    data = 1e-6 * rng.normal(size=(1, int(40 * SFREQ)))
    t = np.arange(data.shape[1]) / SFREQ
    data += 1e-4 * np.sin(2 * np.pi * 10 * t) * ((t >= 14.0) & (t < 16.0))
    X, _ = band_power_windows(
        make_raw(data), [20.0], 2.0, bands={"alpha": (8, 13)}, n_lags=5
    )
    assert X[0, 0, 0].argmax() == 2  # from 6 to 4 s before
    assert np.sort(X[0, 0, 0])[-2] < X[0, 0, 0].max() - 3


def test_windows_at_irregular_times(noise):
    times = np.array([20.0, 23.217, 31.0049])
    X, _ = band_power_windows(noise, times, 2.0, n_lags=2)
    for row, time in zip(X, times, strict=True):
        one, _ = band_power_windows(noise, [time], 2.0, n_lags=2)
        np.testing.assert_array_equal(row, one[0])


def test_spectrogram_is_the_transform_of_each_window(noise):
    t_r = 2.16
    n = round(t_r * SFREQ)
    onsets = 12.5 + t_r * np.arange(30)
    X, valid = spectrogram_windows(noise, onsets, t_r, n_freqs=100, n_windows=10)
    first = onsets - 10 * t_r >= 0
    np.testing.assert_array_equal(valid, first)
    assert 0 < first.sum() < 30 and X.shape == (first.sum(), 3, 100, 10)
    data = noise.get_data()
    for row, onset in zip(X, onsets[valid], strict=True):
        for w in range(10):
            start = round((onset - (10 - w) * t_r) * SFREQ)
            cut = data[:, start : start + n]
            expected = np.abs(np.fft.rfft(cut))[:, 1:101]
            np.testing.assert_allclose(row[:, :, w], expected, rtol=2e-5, atol=1e-12)


def test_spectrogram_in_steps_of_volumes_is_the_published_one(noise):
    # v..v+9 of consecutive windows belong to volume v + 10.
    X, valid = spectrogram_windows(noise, 2.0 * np.arange(40), 2.0, n_freqs=50)
    blocks = noise.get_data().reshape(3, -1, 400)
    spectra = np.abs(np.fft.rfft(blocks, axis=2))[..., 1:51]
    assert valid.sum() == 30 and not valid[:10].any()
    for v in range(30):
        expected = spectra[:, v : v + 10].transpose(0, 2, 1)
        np.testing.assert_allclose(X[v], expected, rtol=2e-5, atol=1e-12)


@pytest.mark.parametrize("t_r", [2.0, 1.2345])
def test_raw_windows_are_the_samples_before_the_volume(noise, t_r):
    onsets = 25.0 + t_r * np.arange(20)
    X, valid = raw_windows(noise, onsets, duration=30.0)
    np.testing.assert_array_equal(valid, onsets >= 30.0)
    data = noise.get_data().astype(np.float32)
    for row, onset in zip(X, onsets[valid], strict=True):
        stop = int(np.floor(onset * SFREQ + 0.5 + 1e-6))
        np.testing.assert_array_equal(row, data[:, stop - 6000 : stop])
    assert X.dtype == np.float32
    # Without a copy for each window, where that is possible.
    assert np.shares_memory(X[0], X[1]) == (t_r == 2.0)


def test_raw_windows_are_resampled():
    t = np.arange(int(80 * SFREQ)) / SFREQ
    raw = make_raw(1e-5 * np.sin(2 * np.pi * 3 * t)[np.newaxis])
    X, _ = raw_windows(raw, [40.0, 42.0], duration=30.0, sfreq=50.0)
    assert X.shape == (2, 1, 1500) and raw.info["sfreq"] == SFREQ
    expected = 1e-5 * np.sin(2 * np.pi * 3 * (10.0 + np.arange(1500) / 50))
    np.testing.assert_allclose(X[0, 0], expected, atol=2e-8)


def test_times_are_from_the_first_sample_of_a_cropped_recording(noise):
    X, _ = raw_windows(noise, [50.0], duration=10.0)
    cropped, _ = raw_windows(noise.copy().crop(20.0), [30.0], duration=10.0)
    np.testing.assert_array_equal(X, cropped)


def test_bad_segments_take_their_volumes_away(noise):
    noise.set_annotations(mne.Annotations([50.1], [0.2], ["BAD_jump"]))
    times = 10.0 + 2.0 * np.arange(50)
    _, valid = band_power_windows(noise, times, 2.0, n_lags=3)
    touched = (times > 50.1) & (times - 6.0 < 50.3)
    np.testing.assert_array_equal(valid, ~touched)
    _, valid = band_power_windows(
        noise, times, 2.0, n_lags=3, reject_by_annotation=False
    )
    assert valid.all()


def test_bad_channels_and_other_kinds_are_left_out():
    data = np.random.default_rng(0).normal(size=(5, 4000))
    kinds = ["eeg", "eeg", "eog", "ecg", "eeg"]
    raw = make_raw(data, kinds=kinds, names=["Fz", "Cz", "EOG", "ECG", "Oz"])
    raw.info["bads"] = ["Cz"]
    assert eeg_channels(raw) == ["Fz", "Oz"]
    assert eeg_channels(raw, ["Oz"]) == ["Oz"]
    with pytest.raises(
        ValueError, match="ECG do not record the brain: .* type ecg. Leave"
    ):
        eeg_channels(raw, ["Fz", "ECG"])
    with pytest.raises(ValueError, match=r"set_channel_types\(\{'ECG': 'ecg'\}\)"):
        eeg_channels(make_raw(data, names=["Fz", "Cz", "Pz", "ECG", "Oz"]))
    raw.info["bads"] = ["Fz", "Cz", "Oz"]
    with pytest.raises(ValueError, match="no good EEG channel"):
        eeg_channels(raw)
    with pytest.raises(TypeError, match="Raw, got ndarray"):
        eeg_channels(data)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("EKG", "ecg"),
        ("ECG2", "ecg"),
        ("HEOG", "eog"),
        ("LEOG", "eog"),
        ("EOG_R", "eog"),
    ]
    + [("LVEOG", "eog"), ("EMG1", "emg"), ("Resp", "resp"), ("PPG", "bio")]
    + [("EDA", "gsr"), ("GSR_MR_100", "gsr"), ("Status", "stim"), ("STI 014", "stim")]
    + [("CWL1", "misc"), ("CW 2", "misc"), ("ACC_X", "misc")],
)
def test_channels_that_are_no_eeg_are_told_their_type(name, kind):
    raw = make_raw(np.random.default_rng(0).normal(size=(2, 400)), names=["Fz", name])
    for picks in (None, "eeg"):
        with pytest.raises(ValueError, match="do not record the brain") as error:
            eeg_channels(raw, picks)
        assert f"raw.set_channel_types({{'{name}': '{kind}'}})" in str(error.value)
    # Both remedies.
    assert eeg_channels(raw, [name]) == [name]
    raw.set_channel_types({name: kind}, on_unit_change="ignore")
    assert eeg_channels(raw) == ["Fz"]


def test_no_electrode_is_taken_for_something_else():
    names = {"M1", "M2", "A1", "A2", "TP9", "CPz", "E1", "EEG 001"}
    for montage in mne.channels.get_builtin_montages():
        names |= set(mne.channels.make_standard_montage(montage).ch_names)
    names = sorted(names)
    assert eeg_channels(make_raw(np.zeros((len(names), 2)), names=names)) == names


@pytest.mark.parametrize(
    "bands, message",
    [
        ({"high": (90.0, 120.0)}, "'high' .90 to 120 Hz. is not in a recording"),
        ({"slow": (0.1, 0.3)}, "cannot be resolved in windows of 2 s"),
        ({"alpha": (13.0, 8.0)}, "must increase"),
        (["alpha"], r"such as \{'alpha': \(8, 13\)\}"),
    ],
)
def test_bands_that_the_recording_does_not_have(noise, bands, message):
    with pytest.raises(ValueError, match=message):
        band_power_windows(noise, [20.0], 2.0, bands=bands, n_lags=1)


def test_a_band_above_the_filter_of_the_recording(noise):
    filtered = noise.copy().filter(None, 25.0, verbose="error")
    with pytest.raises(ValueError, match=r"'gamma'.*filtered to 0 to 25 Hz"):
        band_power_windows(filtered, [20.0], 2.0, n_lags=1)


def test_flat_and_missing_samples_are_named(noise):
    noise._data[1, 4000:6000] = 0.0
    with pytest.raises(ValueError, match=r"Channels E1 are flat.* from 20 s on"):
        band_power_windows(noise, np.arange(10.0, 60.0, 2.0), 2.0, n_lags=1)
    noise._data[2, 8000] = np.nan
    with pytest.raises(ValueError, match=r"Channels E2 have .*NaN.*at 40 s"):
        spectrogram_windows(noise, [50.0], 2.0, n_freqs=10)
    with pytest.raises(ValueError, match=r"Channels E2 have .*NaN.*at 40 s"):
        raw_windows(noise, [50.0], duration=30.0)


def test_more_frequencies_than_a_window_has(noise):
    with pytest.raises(ValueError, match=r"n_freqs is 134, .* has 80 .* Use") as error:
        spectrogram_windows(noise, [50.0], 0.8)
    remedy = str(error.value).split("Use ")[1].rstrip(".")
    n_freqs = eval(remedy, {"EEGWindows": EEGWindows}).n_freqs
    X, _ = spectrogram_windows(noise, [50.0], 0.8, n_freqs=n_freqs)
    assert X.shape == (1, 3, 80, 10)


def test_skipped_volumes_are_counted_by_time(noise):
    onsets = 20.0 + 2.0 * np.arange(30)
    windows = EEGWindows("raw", duration=6.0, n_skip=4, standardize=False)
    whole = windows.compute(noise, VolumeTiming(onsets, 2.0))[1]
    assert whole[0] == 7
    kept = np.delete(np.arange(30), [5, 6])
    part = windows.compute(noise, VolumeTiming(onsets[kept], 2.0))[1]
    np.testing.assert_array_equal(kept[part], whole)


def test_no_volume_has_its_windows(noise):
    with pytest.raises(ValueError, match="None of 2 volumes can be used"):
        raw_windows(noise, [3.0, 5.0])


@pytest.mark.parametrize("text", ["BAD boundary", "EDGE", "boundary", "New Segment/"])
@pytest.mark.parametrize("first_samp", [0, 4321])
def test_windows_do_not_reach_across_joints(noise, text, first_samp):
    data = noise.get_data() + 1e-3 * (np.arange(noise.n_times) >= 10_010)
    raw = mne.io.RawArray(data, noise.info, first_samp=first_samp, verbose="error")
    joined = raw.copy().set_annotations(mne.Annotations(50.05, 0.0, text))
    marked = raw.copy().set_annotations(mne.Annotations(50.05, 1 / SFREQ, "BAD"))
    times = 2.0 * np.arange(4, 58)
    for compute in (
        lambda raw: band_power_windows(raw, times, 2.0, n_lags=3),
        lambda raw: spectrogram_windows(raw, times, 2.0, n_freqs=50, n_windows=3),
        lambda raw: raw_windows(raw, times, duration=6.0),
    ):
        (X, valid), (expected, kept) = compute(joined), compute(marked)
        np.testing.assert_array_equal(valid, kept)
        np.testing.assert_array_equal(X, expected)
        # 50.05 s is in the windows that end at 52, 54 and 56 s.
        assert times[~valid].tolist() == [52.0, 54.0, 56.0]
    events = raw.copy().set_annotations(mne.Annotations(50.05, 0.0, "Stimulus/S 1"))
    assert band_power_windows(events, times, 2.0, n_lags=3)[1].all()


@pytest.mark.parametrize("rate", [64.0, 100.0])
def test_resampling_does_not_reach_across_joints(rate):
    rng = np.random.default_rng(0)
    lengths = [3001, 2347, 1, 4651]
    parts = [1e-5 * rng.standard_normal((2, n)) for n in lengths]
    data = np.concatenate([x + i for i, x in enumerate(parts)], axis=1)
    joints = np.cumsum(lengths)[:-1] / SFREQ
    raw = mne.io.RawArray(
        data, mne.create_info(2, SFREQ, "eeg"), first_samp=777, verbose="error"
    ).set_annotations(mne.Annotations(joints, 0.0, "boundary"))
    found = resample(raw, raw.ch_names, rate)
    assert found.info["sfreq"] == rate and found.n_times == round(10_000 * rate / SFREQ)
    level = np.median(found.get_data()[0, : round(3000 * rate / SFREQ)])
    assert abs(level) < 1e-5
    # What the first part becomes by itself, up to its end.
    alone = make_raw(parts[0]).resample(rate, verbose="error").get_data()
    n = round(3000 * rate / SFREQ)
    np.testing.assert_allclose(found.get_data()[:, :n], alone[:, :n], atol=1e-12)
    # Everything between two joints is near its level: no ripple of a step of 1 V.
    bad = is_left_out(found)
    edges = np.r_[0, np.flatnonzero(bad), found.n_times]
    levels = [0, 1, 2, 3] if len(edges) == 5 else [0, 1, 3]
    for start, stop, wanted in zip(edges[:-1], edges[1:], levels, strict=True):
        inside = found.get_data(start=start + (start > 0), stop=stop)
        assert np.abs(inside - wanted).max(initial=0) < 1e-4


def test_windows_of_a_resampled_recording_do_not_reach_across_joints(noise):
    data = noise.get_data() + 1e-2 * (np.arange(noise.n_times) >= 10_010)
    times, windows = 2.0 * np.arange(4, 58), {"n_lags": 3, "high_pass": None}
    raw = make_raw(data).set_annotations(mne.Annotations(50.05, 0.0, "boundary"))
    settings = EEGWindows("band_power", sfreq=100.0, standardize=False, **windows)
    timing = VolumeTiming(times, 2.0)
    X, kept, _ = settings.compute(raw, timing)
    expected, all_kept, _ = settings.compute(noise, timing)
    rows = np.isin(all_kept, kept)
    # The offset is no power, and its ripple would be a hundred times the noise.
    assert (~rows).sum() == 3
    np.testing.assert_allclose(X, expected[rows], atol=0.3)
    assert np.abs(X - expected[rows]).mean() < 0.01


@pytest.mark.parametrize("sfreq", [600.614990234375, 125.1, 249.5, 250.0])
def test_spectrograms_have_the_frequencies_of_their_axis(sfreq):
    """A window of 1.93 s is no whole number of samples at the odd rates."""
    t_r, number = 1.93, 37
    times = np.arange(round(40 * sfreq)) / sfreq
    raw = make_raw(np.sin(2 * np.pi * number / t_r * times)[np.newaxis], sfreq=sfreq)
    windows = EEGWindows("spectrogram", n_freqs=60, n_windows=3, standardize=False)
    onsets = np.arange(10, 30, t_r)
    X, *_ = windows.compute(raw, VolumeTiming(onsets, t_r))
    _, freqs = windows.axis_for(t_r)
    assert (freqs[X[:, 0].argmax(axis=1)] == number / t_r).all()
    np.testing.assert_allclose(X[:, 0, number - 1], t_r * sfreq / 2, rtol=5e-3)
