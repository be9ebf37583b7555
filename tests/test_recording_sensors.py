"""Recordings of sensors: which ones, their reference, and their projectors."""

import mne
import numpy as np
import pytest

from mne_sbi._recording import as_recording

EEG = ["Fz", "Cz", "Pz", "Oz"]


def make_raw(names=EEG, kinds="eeg", seed=0, n_times=400):
    data = 1e-5 * np.random.default_rng(seed).standard_normal((len(names), n_times))
    info = mne.create_info(list(names), 100.0, kinds)
    return mne.io.RawArray(data, info, verbose="error")


def test_eeg_has_the_average_reference():
    raw = make_raw()
    before = raw.get_data()
    recording = as_recording(raw, sensors=True)
    expected = before - before.mean(axis=0)
    np.testing.assert_allclose(recording.data[0], expected, atol=1e-20)
    # The user's recording stays as it was.
    np.testing.assert_array_equal(raw.get_data(), before)
    assert recording.info.ch_names == EEG and recording.names == tuple(EEG)
    # Regions are left alone.
    np.testing.assert_array_equal(as_recording(raw).data[0], before)
    assert as_recording(raw).info is None


@pytest.mark.parametrize("reference", [["Cz"], ["Fz", "Oz"], "average"])
def test_reference_of_the_recording_does_not_matter(reference):
    raw = make_raw()
    raw.info["bads"] = ["Cz"]
    expected = as_recording(raw, sensors=True).data[0]
    other = raw.copy().set_eeg_reference(reference, verbose="error")
    made = as_recording(other, sensors=True)
    assert made.names == ("Fz", "Pz", "Oz")
    np.testing.assert_allclose(made.data[0], expected, atol=1e-18)


def test_reference_of_every_kind():
    raw = make_raw()
    mean = raw.get_data().mean(axis=0)
    epochs = mne.make_fixed_length_epochs(raw, 1, preload=True, verbose="error")
    recording = as_recording(epochs, sensors=True)
    for series, epoch in zip(recording.data, epochs.get_data(), strict=True):
        np.testing.assert_allclose(series, epoch - epoch.mean(axis=0), atol=1e-20)
    (joined,) = as_recording([epochs], sensors=True).data
    kept = ~np.isnan(joined[0])
    np.testing.assert_allclose(joined[:, kept], raw.get_data() - mean, atol=1e-20)
    evoked = epochs.average()
    (series,) = as_recording(evoked, sensors=True).data
    np.testing.assert_allclose(series.mean(axis=0), 0, atol=1e-20)
    raw.set_annotations(mne.Annotations(1.0, 0.5, "BAD"))
    for series in as_recording(raw, sensors=True, duration=2.0).data:
        np.testing.assert_allclose(np.nansum(series, axis=0), 0, atol=1e-19)


def test_which_channels_are_sensors():
    names = ["EEG1", "EEG2", "MEG1", "MEG2", "MEG3", "a", "b", "c"]
    kinds = ["eeg", "eeg", "mag", "grad", "ref_meg", "stim", "eog", "misc"]
    raw = make_raw(names, kinds)
    recording = as_recording(raw, sensors=True)
    assert recording.names == ("EEG1", "EEG2", "MEG1", "MEG2")
    assert recording.info.get_channel_types() == ["eeg", "eeg", "mag", "grad"]
    # The reference is that of the EEG alone.
    np.testing.assert_array_equal(recording.data[0][2:], raw.get_data()[2:4])
    assert as_recording(raw, sensors=True, picks="meg").names == ("MEG1", "MEG2")
    raw.info["bads"] = ["MEG1"]
    assert as_recording(raw, sensors=True, picks=["grad"]).names == ("MEG2",)


def test_positions_are_kept():
    raw = make_raw()
    raw.set_montage("colin27_1020", verbose="error")
    recording = as_recording(raw, sensors=True, picks=["Oz", "Fz"])
    assert recording.names == ("Oz", "Fz") == tuple(recording.info.ch_names)
    np.testing.assert_array_equal(
        recording.info["chs"][0]["loc"], raw.info["chs"][3]["loc"]
    )


def test_list_of_people_in_any_order():
    raws = [make_raw(), make_raw(EEG[::-1], seed=1)]
    recording = as_recording(raws, sensors=True)
    data = raws[1].get_data()[::-1]
    np.testing.assert_allclose(recording.data[1], data - data.mean(axis=0), atol=1e-20)
    # Names of sensors are not spelt in two ways.
    raws[1].rename_channels({"Oz": "oz"})
    with pytest.raises(ValueError, match=r"lacks \['Oz'\] .* and has \['oz'\] besides"):
        as_recording(raws, sensors=True)


def make_projector(direction):
    return mne.Projection(
        data={
            "data": np.array([direction]),
            "row_names": None,
            "col_names": EEG,
            "nrow": 1,
            "ncol": len(EEG),
        },
        desc="blink",
        kind=1,
        active=False,
    )


def test_active_projectors_are_kept_and_must_agree():
    blink = make_projector([0.8, 0.6, 0.0, 0.0])
    raw = make_raw()
    inactive = raw.copy().add_proj(blink, verbose="error")
    applied = inactive.copy().apply_proj(verbose="error")
    recording = as_recording(applied, sensors=True)
    (projector,) = recording.info["projs"]
    assert projector["active"] and projector["desc"] == "blink"
    # By hand: what is left after both directions, in whatever order they were removed.
    removed = np.array([[0.8, 0.6, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    data = raw.get_data()
    data = data - np.linalg.pinv(removed) @ (removed @ data)
    np.testing.assert_allclose(recording.data[0], data, atol=1e-19)
    with pytest.warns(RuntimeWarning, match="not applied: blink"):
        as_recording([raw, inactive], sensors=True)
    as_recording([applied, applied.copy()], sensors=True)
    with pytest.raises(ValueError, match="Recording 0 has 'blink'; recording 1 has no"):
        as_recording([applied, raw], sensors=True)
    other = raw.copy().add_proj(make_projector([0, 0, 0.6, 0.8]), verbose="error")
    other.apply_proj(verbose="error")
    with pytest.raises(ValueError, match="the same active projectors.*one inverter f"):
        as_recording([applied, other], sensors=True)
    # Regions do not pass through a lead field.
    as_recording([applied, raw])


def test_power_of_eeg_needs_a_known_reference():
    raw = make_raw()
    spectrum = raw.compute_psd(n_fft=100, verbose="error")
    with pytest.raises(ValueError, match=r"cannot be given any more.*projection=True"):
        as_recording(spectrum, sensors=True)
    raw.set_eeg_reference(projection=True, verbose="error").apply_proj(verbose="error")
    spectrum = raw.compute_psd(n_fft=100, verbose="error")
    recording = as_recording(spectrum, sensors=True)
    expected = as_recording(raw, sensors=True).data[0]
    power, freqs = mne.time_frequency.psd_array_welch(
        expected, 100.0, n_fft=100, verbose="error"
    )
    np.testing.assert_allclose(recording.data[0], power)
    np.testing.assert_array_equal(recording.freqs, freqs)
    # The reference was that of other channels.
    with pytest.raises(ValueError, match="cannot be given any more"):
        as_recording(spectrum, sensors=True, picks=["Fz", "Oz"])
    magnetometers = make_raw(kinds="mag").compute_psd(n_fft=100, verbose="error")
    assert as_recording(magnetometers, sensors=True).data.shape == (1, 4, 51)


@pytest.mark.parametrize(
    "make, settings, message",
    [
        (
            lambda: mne.set_bipolar_reference(make_raw(), "Fz", "Cz", verbose="error"),
            {},
            r"no common reference: \['Fz-Cz'\]",
        ),
        (lambda: make_raw(["Cz"]), {}, "only EEG channel, Cz, has no average"),
        (lambda: make_raw(), {"picks": ["Cz"]}, "only EEG channel, Cz"),
        (lambda: make_raw(kinds="misc"), {}, "no channel that could be an EEG or MEG"),
        (
            lambda: make_raw(kinds=["eeg", "eeg", "ecog", "misc"]),
            {"picks": "all"},
            r"kinds \['ecog', 'misc'\], for which there is no lead field",
        ),
    ],
)
def test_sensors_that_are_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        as_recording(make(), sensors=True, **settings)


def test_flat_sensors_are_named():
    raw = make_raw().apply_function(lambda x: 0 * x, picks=["Pz"])
    with pytest.raises(ValueError, match="1 of 4 sensors are flat: Pz"):
        as_recording(raw, sensors=True)
    # Differences between the channels are all there is.
    raw = make_raw().apply_function(lambda x: np.sin(np.arange(400.0)), picks="all")
    for picks in (EEG, EEG[:3]):
        with pytest.raises(ValueError, match="Nothing is left of Fz, Cz, Pz.*the same"):
            as_recording(raw, sensors=True, picks=picks)


def test_eeg_of_a_real_recording(shared_data):
    folder = shared_data / "eeg"
    raw = mne.io.read_raw_edf(
        folder / "eegmmidb_S001R02_first60s.edf", preload=True, verbose="error"
    )
    recording = as_recording(raw, sensors=True, duration=20.0)
    assert len(recording) == 3 and len(recording.names) == 64
    raw.set_eeg_reference("average", verbose="error")
    for series, start in zip(recording.data, (0, 20, 40), strict=True):
        first = start * 160
        expected = raw.get_data(start=first, stop=first + 3200)
        np.testing.assert_allclose(series, expected, atol=1e-12)


def test_a_real_recording_of_meg_and_eeg(shared_data):
    raw = mne.io.read_raw_fif(
        shared_data / "mne_route" / "sample_24s_raw.fif", verbose="error"
    )
    raw.info["bads"] = ["MEG 2443", "EEG 053"]
    with pytest.warns(RuntimeWarning, match="not applied: PCA-v1, PCA-v2, PCA-v3"):
        recording = as_recording(raw, sensors=True, picks=["mag", "eeg"])
    kinds = recording.info.get_channel_types()
    assert kinds.count("mag") == 102 and kinds.count("eeg") == 59
    eeg = np.array(kinds) == "eeg"
    np.testing.assert_allclose(recording.data[0][eeg].mean(axis=0), 0, atol=1e-15)
