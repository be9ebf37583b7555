"""Joints of pieces, which annotations without a duration mark."""

import datetime

import mne
import numpy as np
import pytest

from mne_sbi import EpochsToArray
from mne_sbi._recording import as_recording
from mne_sbi.features import EnvelopeCorrelation, LogPSD

SFREQ = 100.0
JOINTS = ["BAD boundary", "EDGE boundary", "boundary", "New Segment/", "bad_jump"]


def make_raw(data, kinds="misc", sfreq=SFREQ, first_samp=0, dated=False):
    info = mne.create_info([f"r{i}" for i in range(len(data))], sfreq, kinds)
    raw = mne.io.RawArray(data, info, first_samp=first_samp, verbose="error")
    if dated:
        raw.set_meas_date(datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC))
    return raw


def noise(n_times=4000, n_rows=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n_rows, n_times))


def annotate(raw, onset, duration, text):
    """Annotate at times from the first sample."""
    raw = raw.copy()
    orig_time = raw.info["meas_date"]
    onset = np.asarray(onset) + (raw.first_time if orig_time else 0)
    return raw.set_annotations(
        mne.Annotations(onset, duration, text, orig_time=orig_time)
    )


def gaps_of(raw, **kwargs):
    return [np.flatnonzero(np.isnan(x[0])) for x in as_recording(raw, **kwargs).data]


@pytest.mark.parametrize("text", JOINTS)
@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("first_samp", [0, 1234])
def test_a_joint_takes_one_sample(text, dated, first_samp):
    raw = make_raw(noise(), first_samp=first_samp, dated=dated)
    raw = annotate(raw, [12.34, 12.34, 30.0], 0.0, [text, text, "Stimulus/S 1"])
    assert gaps_of(raw)[0].tolist() == [1234]
    assert gaps_of(raw.copy().crop(5.0))[0].tolist() == [734]
    assert gaps_of(raw.copy().crop(5.0, 8.0))[0].tolist() == []


def test_a_duration_counts_only_where_it_is_that_of_a_segment():
    raw = make_raw(noise(), dated=True)
    # Of what was cut out, and that of a marker.
    for text in ("boundary", "New Segment/"):
        assert gaps_of(annotate(raw, 10.0, 5.0, text))[0].tolist() == [1000]
    for text in ("BAD_jump", "edge"):
        found = gaps_of(annotate(raw, 10.0, 0.05, text))[0]
        assert found.tolist() == [1000, 1001, 1002, 1003, 1004]
    for text in ("boundary/1", "segment", "Comment/bad boundary", "S 1"):
        assert not len(gaps_of(annotate(raw, 10.0, 0.0, text))[0])


def test_segments_are_those_of_mne():
    rng = np.random.default_rng(0)
    onset, duration = rng.uniform(0, 40, 30), rng.uniform(0.01, 0.7, 30)
    raw = make_raw(noise(), first_samp=77, dated=True)
    raw = annotate(raw, np.r_[0, np.sort(onset)], np.r_[0.1, duration], "Bad")
    expected = raw.get_data(reject_by_annotation="NaN", verbose="error")
    np.testing.assert_array_equal(as_recording(raw).data[0], expected)


@pytest.mark.parametrize(
    ("onset", "gaps"),
    [
        (0.0, []),  # BrainVision marks the beginning of every file.
        (0.01, [1]),
        (9.995, [1000]),  # EEGLAB's boundaries are between two samples.
        (9.994, [999]),
        (39.99, [3999]),
        (39.995, []),
    ],
)
def test_joints_at_the_ends_and_between_samples(onset, gaps):
    raw = annotate(make_raw(noise()), onset, 0.0, "boundary")
    assert gaps_of(raw)[0].tolist() == gaps


def test_a_joint_where_a_window_begins_is_not_in_it():
    parts = [make_raw(noise(1000, seed=i) + 50 * i) for i in range(3)]
    raw = mne.concatenate_raws([part.copy() for part in parts], verbose="error")
    assert gaps_of(raw)[0].tolist() == [1000, 2000]
    recording = as_recording(raw, duration=10.0)
    for found, part in zip(recording.data, parts, strict=True):
        np.testing.assert_array_equal(found, part.get_data())
    assert [len(gap) for gap in gaps_of(raw, duration=15.0)] == [1, 1]
    # Half-way between the last sample of one window and the first of the next.
    raw = annotate(make_raw(noise()), 9.995, 0.0, "boundary")
    assert not any(len(gap) for gap in gaps_of(raw, duration=10.0))


def test_saved_and_read_again(tmp_path):
    parts = [make_raw(noise(100_000, n_rows=1, seed=i), sfreq=1e3) for i in range(3)]
    raw = mne.concatenate_raws(parts, verbose="error").crop(20.0)
    expected = gaps_of(raw)
    raw.save(tmp_path / "joined_raw.fif", verbose="error")
    again = mne.io.read_raw_fif(tmp_path / "joined_raw.fif", verbose="error")
    assert [gap.tolist() for gap in gaps_of(again)] == [[80_000, 180_000]]
    np.testing.assert_array_equal(expected, gaps_of(again))


def test_white_noise_of_two_levels_has_no_power_at_low_frequencies():
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((1, 6000)) for _ in range(2)]
    raws = [make_raw(part + 500 * i) for i, part in enumerate(parts)]
    joined = mne.concatenate_raws(raws, verbose="error")
    features = LogPSD(freqs=[2.0, 10.0, 40.0], scaling="none")
    found = features.extract(np.array(as_recording(joined).data), SFREQ)
    apart = np.mean([features.extract(x[np.newaxis], SFREQ) for x in parts], axis=0)
    np.testing.assert_allclose(found[0], apart[0], atol=0.15)
    # The density of white noise is 2 / sfreq.
    np.testing.assert_allclose(found[0], 10 * np.log10(2 / SFREQ), atol=1.0)


@pytest.mark.parametrize("text", JOINTS)
def test_envelopes_are_those_round_a_gap_of_one_sample(text):
    raw = make_raw(noise(6000, 4) + 300 * (np.arange(6000) >= 2500))
    extractor = EnvelopeCorrelation(8.0, 12.0)
    found = extractor.compute(annotate(raw, 25.0, 0.0, text)).get_data("dense")
    marked = annotate(raw, 25.0, 1 / SFREQ, "BAD_joint")
    expected = extractor.compute(marked).get_data("dense")
    np.testing.assert_array_equal(found, expected)
    across = extractor.compute(raw).get_data("dense")
    assert np.abs(across - expected).max() > 0.05


def test_epochs_across_a_joint():
    """MNE-Python rejects them by itself only where the joint is called bad."""
    raw = make_raw(noise(6000), first_samp=500, dated=True)
    raw = annotate(raw, [25.5, 40.0], 0.0, ["boundary", "New Segment/"]).crop(3.0)
    epochs = mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")
    gaps = gaps_of(epochs)
    # 25.5 s is 22.5 s after the crop, and 40 s is 37 s after it.
    assert [gap.tolist() for gap in gaps[4:8]] == [[250], [], [], [200]]
    assert not any(len(gap) for gap in [*gaps[:4], *gaps[8:]])
    (joined,) = as_recording([epochs]).data
    assert np.flatnonzero(np.isnan(joined[0])).tolist()[4:6] == [2254, 2504]
    slow = epochs.copy().decimate(2, verbose="error")
    assert gaps_of(slow)[4].tolist() == [125]
    shifted = mne.Epochs(
        raw, epochs.events + [220, 0, 0], tmin=-1.0, tmax=1.0, baseline=None,
        preload=True, verbose="error",
    )  # fmt: skip
    assert [gap.tolist() for gap in gaps_of(shifted)[4:5]] == [[130]]
    with pytest.raises(ValueError, match=r"2 of 11 epochs .*epochs.drop\(\[4, 7\]\)"):
        EpochsToArray().fit_transform(epochs)
    marked = mne.make_fixed_length_epochs(
        annotate(raw, [22.5, 37.0], 0.0, "BAD boundary"), 5.0, verbose="error"
    ).drop_bad()
    assert len(marked) == 9 and len(as_recording(marked)) == 9


@pytest.mark.parametrize("rate", [64.0, 99.0])
def test_joints_of_a_recording_that_was_resampled(rate):
    """Rounding of the pieces' lengths adds up, and annotations stay where they were."""
    lengths = [1003, 1019, 1019, 1019, 1019, 1019, 1019]
    parts = [make_raw(noise(n, 2)).resample(rate) for n in lengths]
    raws = [make_raw(noise(n, 2), first_samp=33) for n in lengths]
    raw = mne.concatenate_raws(raws, verbose="error").resample(rate, verbose="error")
    ends = np.cumsum([len(part.times) for part in parts])
    assert raw.n_times == ends[-1]
    assert gaps_of(raw)[0].tolist() == ends[:-1].tolist()
    cropped = raw.copy().crop(ends[1] / rate + 1.0)
    expected = ends[2:-1] - (raw.n_times - cropped.n_times)
    assert gaps_of(cropped)[0].tolist() == expected.tolist()
    by_hand = raw.copy().set_annotations(mne.Annotations(35.0, 0.0, "boundary"))
    assert gaps_of(by_hand)[0].tolist() == [round(35 * rate)]


def test_real_recording_that_was_cut_and_joined(shared_data):
    fname = shared_data / "eeg" / "eegmmidb_S001R02_first60s.edf"
    raw = mne.io.read_raw_edf(fname, preload=True, verbose="error").pick(
        ["O1..", "Oz.."]
    )
    starts = (40.0, 2.0, 21.0)
    pieces = [raw.copy().crop(a, a + 20.0, include_tmax=False) for a in starts]
    joined = mne.concatenate_raws([x.copy() for x in pieces], verbose="error")
    features = LogPSD(freqs=np.arange(1.0, 41.0), window=1.0)
    found = features.extract(np.array(as_recording(joined).data), 160.0)[0]
    # The pieces without the samples that the joints take, by the windows in each.
    apart = [raw.get_data() for raw in pieces]
    apart = [apart[0], apart[1][:, 1:], apart[2][:, 1:]]
    power = [10 ** (features.extract(x[np.newaxis], 160.0)[0] / 10) for x in apart]
    expected = 10 * np.log10(np.average(power, axis=0, weights=[20.0, 19.5, 19.5]))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # And with them, as windows of the joined recording are.
    data = np.array([raw.get_data() for raw in pieces])
    whole = features.extract(data, 160.0)
    windows = as_recording(joined, duration=20.0).data
    np.testing.assert_array_equal(features.extract(np.array(windows), 160.0), whole)
    mean = 10 * np.log10((10 ** (whole / 10)).mean(axis=0))
    np.testing.assert_allclose(found, mean, atol=0.4)
