"""Channels and regions that are inverted each by itself: what their rows are."""

import mne
import numpy as np
import pytest

from mne_sbi._recording import as_recording

SFREQ = 128.0


def montage_names(montage):
    return mne.channels.make_standard_montage(montage).ch_names


def make_raw(names=None, kinds="eeg", duration=20.0, seed=0):
    names = montage_names("biosemi64") if names is None else names
    data = np.random.default_rng(seed).normal(
        size=(len(names), round(duration * SFREQ))
    )
    info = mne.create_info(list(names), SFREQ, kinds)
    return mne.io.RawArray(1e-5 * data, info, verbose="error")


def test_raw_of_64_channels():
    raw = make_raw()
    recording = as_recording(raw, picks="eeg")
    assert len(recording) == 1
    assert recording.names == tuple(raw.ch_names)
    assert (recording.sfreq, recording.durations) == (SFREQ, (20.0,))
    # Neither reference nor projectors are touched, and no positions are needed.
    np.testing.assert_array_equal(recording.data[0], raw.get_data())
    windows = as_recording(raw, picks="eeg", duration=4.0)
    assert [series.shape for series in windows.data] == [(64, 512)] * 5


def test_epochs_evoked_and_lists():
    epochs = mne.make_fixed_length_epochs(
        make_raw(), 2.0, preload=True, verbose="error"
    )
    recording = as_recording(epochs, picks="eeg")
    assert [series.shape for series in recording.data] == [(64, 256)] * 10
    evoked = epochs.average()
    recording = as_recording(evoked, picks="eeg")
    assert recording.is_average
    np.testing.assert_array_equal(recording.data[0], evoked.data)
    pooled = as_recording([epochs, epochs[:3]], picks="eeg")
    assert pooled.durations == (20.0, 6.0)
    assert np.isnan(pooled.data[0]).all(axis=0).sum() == 9


def test_one_channel_needs_no_reference():
    recording = as_recording(make_raw(), picks=["Oz"])
    assert recording.names == ("Oz",)
    assert recording.data[0].shape == (1, 2560)


def test_bad_channels_are_left_out_and_those_asked_for_refused():
    raw = make_raw()
    raw.info["bads"] = ["Oz"]
    assert "Oz" not in as_recording(raw, picks="eeg").names
    with pytest.raises(ValueError, match="marked as bad: .'Oz'."):
        as_recording(raw, picks=["Oz", "Pz"])


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_dead_channel_is_named(value):
    raw = make_raw()
    data = raw.get_data()
    data[12] = value
    raw = mne.io.RawArray(data, raw.info, verbose="error")
    with pytest.raises(ValueError, match=f"1 of 64 .*: {raw.ch_names[12]}. Leave"):
        as_recording(raw, picks="eeg")
    raw.info["bads"] = [raw.ch_names[12]]
    assert len(as_recording(raw, picks="eeg").names) == 63


@pytest.mark.parametrize("montage", ["biosemi256", "GSN-HydroCel-256"])
def test_names_of_electrodes_are_kept_apart(montage):
    # As names of regions, which may be spelt in many ways, some would be one.
    names = montage_names(montage)
    first = make_raw(names, duration=1.0)
    other = first.copy().reorder_channels(names[::-1])
    recording = as_recording([first, other], picks="eeg")
    assert recording.names == tuple(names)
    np.testing.assert_array_equal(recording.data[1], recording.data[0])


def test_what_is_not_a_signal_of_the_brain():
    names = ["Oz", "EOG1", "MISC1", "STI"]
    raw = make_raw(names, ["eeg", "eog", "misc", "stim"])
    assert as_recording(raw, picks="eeg").names == ("Oz",)
    assert as_recording(raw, picks="data").names == ("Oz",)
    # Regions can only be of the kind misc; next to EEG, such a channel is
    # an accelerometer and the like.
    assert as_recording(raw).names == ("Oz",)
    assert as_recording(raw.drop_channels("Oz")).names == ("MISC1",)


def test_intracranial_electrodes_and_meg():
    kinds = ["seeg", "ecog", "mag", "grad"]
    raw = make_raw(["a1", "A1", "m", "g"], kinds)
    assert as_recording(raw, picks="data").names == ("a1", "A1", "m", "g")


def test_segments_annotated_as_bad():
    raw = make_raw()
    raw.set_annotations(mne.Annotations(3.0, 1.0, "BAD_blink"))
    recording = as_recording(raw, picks="eeg")
    assert recording.durations == (19.0,)
    assert np.isnan(recording.data[0]).all(axis=0).sum() == 128


def test_labels_of_any_name_are_rows():
    rng = np.random.default_rng(0)
    vertices = [np.arange(10), np.arange(10)]
    stc = mne.SourceEstimate(rng.normal(size=(20, 256)), vertices, 0, 1 / SFREQ)
    labels = [
        mne.Label([0, 1, 2], hemi="lh", name="my patch-lh"),
        mne.Label([5, 6], hemi="rh", name="V1-rh"),
    ]
    recording = as_recording(stc, labels=labels)
    assert recording.names == ("my patch-lh", "V1-rh")
    assert recording.data[0].shape == (2, 256)
    assert recording.sfreq == SFREQ
    one = as_recording([stc, stc], labels=labels[1])
    assert [series.shape for series in one.data] == [(1, 256)] * 2
    assert one.names == ("V1-rh",)
