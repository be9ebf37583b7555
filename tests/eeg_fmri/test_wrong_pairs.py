"""Recordings and scans that do not fit together: early errors that say what to do."""

import mne
import nibabel
import nilearn.image
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from mne_sbi import EEG2fMRIRegressor
from mne_sbi.eeg_fmri._alignment import align_volumes
from mne_sbi.eeg_fmri._bold import BoldSignal
from mne_sbi.eeg_fmri._eeg_windows import EEGWindows
from mne_sbi.eeg_fmri._make_pairs import _step_of, make_pairs

SFREQ, T_R, N = 100.0, 2.0, 60
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
# What is not of all volumes.
KEEP = EEGWindows(standardize=False, high_pass=None)


def make_raw(names=("Fz", "Cz", "Oz"), t_r=T_R, n=N, start=35.0):
    rng = np.random.default_rng(0)
    n_times = int((start + n * t_r) * SFREQ)
    data = 1e-5 * rng.normal(size=(len(names), n_times))
    info = mne.create_info(list(names), SFREQ, "eeg")
    raw = mne.io.RawArray(data, info, verbose="error")
    raw.set_annotations(mne.Annotations(start + t_r * np.arange(n), 0.0, "R128"))
    return raw


def make_scan(t_r=T_R, n=N, change=None):
    data = 1000 + 10 * np.random.default_rng(1).normal(size=(4, 3, 2, n))
    if change is not None:
        change(data)
    img = nibabel.Nifti1Image(data.astype(np.float32), AFFINE)
    img.header.set_zooms((3, 3, 3, t_r))
    img.header.set_xyzt_units("mm", "sec")
    return img


def make_masker(affine=AFFINE):
    return NiftiMasker(nibabel.Nifti1Image(np.ones((4, 3, 2), np.uint8), affine))


def test_right_ones_are_paired():
    pairs = make_pairs(make_raw(), make_scan(), make_masker())
    assert pairs.n_pairs == N


def test_lists_of_pairs():
    pairs = make_pairs(make_raw(), make_scan(), make_masker())
    with pytest.raises(TypeError, match=r"list of Pairs.*Pairs.concatenate\(X\)"):
        EEG2fMRIRegressor("hrf_ridge").fit([pairs, pairs])


def test_a_header_that_disagrees_with_t_r():
    with pytest.raises(ValueError, match="t_r is 1.5 s, but the image's header says 2"):
        make_pairs(make_raw(), make_scan(), make_masker(), t_r=1.5)


def test_a_header_that_disagrees_with_the_markers():
    with pytest.raises(ValueError, match="t_r is 2.1 s, but the markers .* 2 s"):
        make_pairs(make_raw(), make_scan(t_r=2.1), make_masker())


def test_eeg_that_is_shorter_than_the_scan():
    with pytest.raises(ValueError, match="recording ends .* 50 volumes fit.*index_img"):
        make_pairs(make_raw().crop(0, 35 + 50 * T_R - 0.5), make_scan(), make_masker())
    timing = 35 + T_R * np.arange(N)
    with pytest.raises(ValueError, match="recording ends .* 50 volumes fit"):
        make_pairs(
            make_raw(n=50), make_scan(), make_masker(), timing=timing, subject="ann"
        )


def test_a_scan_that_is_shorter_than_the_markers():
    with pytest.raises(ValueError, match="over 60 volumes, but n_volumes is 57"):
        make_pairs(make_raw(), make_scan(n=57), make_masker())


def test_no_markers():
    raw = make_raw()
    raw.set_annotations(mne.Annotations([1.0], [0.0], ["Eyes closed"]))
    with pytest.raises(ValueError, match="no marker of volumes.*'Eyes closed'.*event="):
        make_pairs(raw, make_scan(), make_masker())


def test_channels_that_differ_are_named():
    raws = [make_raw(), make_raw(("Fz", "Cz", "Pz"))]
    scans = [make_scan(), make_scan()]
    with pytest.raises(ValueError, match=r"'bob' lacks Oz and has also Pz.*equalize_"):
        make_pairs(raws, scans, make_masker(), subject=["ann", "bob"])
    raws[1] = make_raw()
    raws[1].info["bads"] = ["Cz"]
    with pytest.raises(ValueError, match=r"'bob' lacks Cz\. Bad channels"):
        make_pairs(raws, scans, make_masker(), subject=["ann", "bob"])
    # Both remedies.
    picked = EEGWindows(picks=["Fz", "Oz"])
    pairs = make_pairs(
        raws, scans, make_masker(), subject=["ann", "bob"], features=picked
    )
    assert pairs.ch_names == ("Fz", "Oz")
    raws = mne.channels.equalize_channels(
        [make_raw(), make_raw(("Cz", "Pz", "Fz"))], verbose="error"
    )
    pairs = make_pairs(raws, scans, make_masker(), subject=["ann", "bob"])
    assert pairs.ch_names == ("Fz", "Cz")


def test_a_mask_that_does_not_overlap():
    affine = AFFINE.copy()
    affine[:3, 3] = -300
    with pytest.raises(ValueError, match="mask and the image do not overlap"):
        make_pairs(make_raw(), make_scan(), make_masker(affine))


def test_constant_voxels():
    def change(data):
        data[0, 0, 0] = 7.0
        data[0, 1] = 0.0

    scan = make_scan(change=change)
    with pytest.raises(ValueError, match=r"3 of 24 .* constant.*unusable='zero'"):
        make_pairs(make_raw(), scan, make_masker())
    signal = BoldSignal(unusable="zero")
    pairs = make_pairs(make_raw(), scan, make_masker(), signal=signal)
    assert (pairs.y.std(axis=0) == 0).sum() == 3


def test_a_nan_volume_is_left_out_by_the_remedy():
    def change(data):
        data[..., 25] = np.nan

    raw, scan = make_raw(), make_scan(change=change)
    with pytest.raises(ValueError, match="24 values .* 1 of 60 vol.*keep = ") as error:
        make_pairs(raw, scan, make_masker())
    scope = {"np": np, "nilearn": nilearn, "raw": raw, "bold_img": scan}
    scope["align_volumes"] = align_volumes
    steps = str(error.value).split("volumes out: ")[1].rstrip(".")
    for step in (
        steps.replace(", bold_img", ";bold_img").replace(" and ", ";").split(";")
    ):
        exec(step, scope)
    pairs = make_pairs(raw, scope["bold_img"], make_masker(), timing=scope["timing"])
    # EEG and times are those of the whole scan; so is the fMRI, up to what one volume
    # of 60 says about drift.
    whole = make_pairs(raw, make_scan(), make_masker(), features=KEEP)
    part = make_pairs(
        raw, scope["bold_img"], make_masker(), timing=scope["timing"], features=KEEP
    )
    keep = np.delete(np.arange(N), 25)
    np.testing.assert_allclose(part.times, whole.times[keep], atol=1e-6)
    np.testing.assert_array_equal(part.X, whole.X[keep])
    np.testing.assert_allclose(part.y, whole.y[keep], atol=0.5)
    assert pairs.n_pairs == 59 and whole.y.std() > 0.8


def test_many_volumes_may_be_left_out_unless_it_looks_like_another_repetition_time():
    onsets = 30.0 + 2.0 * np.arange(60)
    sparse = onsets[np.isin(np.arange(60) % 5, (0, 2))]
    assert _step_of(sparse, 2.0) == pytest.approx(2.0)
    assert _step_of(onsets[::2], 2.0) == pytest.approx(4.0)
    assert _step_of(onsets[[0, 2, 4, 8, 10]], 2.0) == pytest.approx(4.0)


def test_onsets_that_are_off_are_named():
    timing = 35 + T_R * np.arange(N)
    timing[30:] += 0.7
    with pytest.raises(ValueError, match=r"timing\[29\] and timing\[30\] are 2.7 s"):
        make_pairs(make_raw(), make_scan(), make_masker(), timing=timing)


def test_nan_and_flat_channels_in_the_eeg():
    raw = make_raw()
    raw._data[2, 5000] = np.nan
    with pytest.raises(ValueError, match="Oz have values that are NaN.*at 50 s"):
        make_pairs(raw, make_scan(), make_masker())
    raw = make_raw()
    raw._data[0] = 0.0
    for features in ("band_power", "raw", EEGWindows("spectrogram", n_freqs=20)):
        with pytest.raises(ValueError, match="flat|constant"):
            make_pairs(raw, make_scan(), make_masker(), features=features)


def test_repetition_times_that_differ_between_people():
    raws = [make_raw(), make_raw(t_r=1.5)]
    scans = [make_scan(), make_scan(t_r=1.5)]
    with pytest.raises(ValueError, match="'ann' has 2 s, but 'bob': 1.5 s"):
        make_pairs(raws, scans, make_masker(), subject=["ann", "bob"])


def test_times_that_do_not_belong_to_the_scan():
    timing = 35 + T_R * np.arange(N)
    with pytest.raises(ValueError, match="timing has 58 volumes, but the scan has 60"):
        make_pairs(make_raw(), make_scan(), make_masker(), timing=timing[:58])
    with pytest.raises(ValueError, match="every 0.02 s by timing.*onsets are in s"):
        make_pairs(make_raw(), make_scan(), make_masker(), timing=timing / 100)


@pytest.mark.parametrize("onsets_only", [True, False])
def test_one_timing_for_a_list_of_recordings(onsets_only):
    timing = align_volumes(make_raw())
    timing = timing.onsets if onsets_only else timing
    with pytest.raises(TypeError, match=r"list of 1 .* Give timing=\[...\]"):
        make_pairs([make_raw()], [make_scan()], make_masker(), timing=timing)
    pairs = make_pairs([make_raw()], [make_scan()], make_masker(), timing=[timing])
    assert pairs.n_pairs == N
    with pytest.raises(TypeError, match="timing must be a list"):
        make_pairs([make_raw()], [make_scan()], make_masker(), timing=35.0)
    with pytest.raises(TypeError, match="one VolumeTiming, got a list of 1"):
        make_pairs(
            make_raw(), make_scan(), make_masker(), timing=[align_volumes(make_raw())]
        )


def _lose_first_marker(raw, scan):
    raw.annotations.delete([0])


def _flat_channel(raw, scan):
    raw._data[1] = 0.0


def _ecg_as_eeg(raw, scan):
    raw.rename_channels({"Cz": "ECG"})


def _all_bad(raw, scan):
    raw.annotations.append(0.0, raw.times[-1], "BAD_")


def _constant_voxel(raw, scan):
    scan.get_fdata()  # nibabel's cache is not what is masked
    np.asanyarray(scan.dataobj)[0, 0, 0] = 7.0


@pytest.mark.parametrize(
    "spoil, message",
    [
        (_lose_first_marker, "The markers .* over 59 volumes"),
        (_flat_channel, "Channels Cz are flat"),
        (_ecg_as_eeg, "Channels ECG are of type 'eeg'"),
        (_all_bad, "None of 60 volumes"),
        (_constant_voxel, "1 of 24 voxels or parcels are constant"),
    ],
)
def test_errors_say_whose_recording_it_is(spoil, message):
    raws, scans = [make_raw(), make_raw()], [make_scan(), make_scan()]
    spoil(raws[1], scans[1])
    with pytest.raises(ValueError, match=message) as error:
        make_pairs(raws, scans, make_masker(), subject=["ann", "bob"])
    assert str(error.value).startswith("Recording 2 of 2 (person 'bob'): ")
    # There is nothing to say for a single one.
    with pytest.raises(ValueError, match=f"^{message}"):
        make_pairs(raws[1], scans[1], make_masker())


def test_errors_of_types_say_whose_recording_it_is():
    raws = [make_raw(), "eeg.vhdr"]
    with pytest.raises(
        TypeError, match=r"^Recording 2 of 2 \(person 'bob'\): raw must"
    ):
        make_pairs(raws, [make_scan()] * 2, make_masker(), subject=["ann", "bob"])


def test_flat_spectrograms_name_the_channel():
    raw = make_raw()
    raw._data[1] = 0.0
    with pytest.raises(ValueError, match="20 features are constant, .* channels Cz"):
        make_pairs(
            raw,
            make_scan(),
            make_masker(),
            features=EEGWindows("spectrogram", n_freqs=20),
        )


def test_one_name_for_all_recordings_warns():
    raws, scans = [make_raw(), make_raw()], [make_scan(), make_scan()]
    for raw in raws:
        raw.info["subject_info"] = {"his_id": "X"}
    with pytest.warns(
        RuntimeWarning, match="All 2 recordings have his_id 'X'"
    ) as found:
        pairs = make_pairs(raws, scans, make_masker())
    assert len(found) == 1 and set(pairs.groups) == {"X"}
    # Said by the caller, it is meant; tests turn warnings into errors.
    assert set(make_pairs(raws, scans, make_masker(), subject="X").groups) == {"X"}


def test_a_lost_repetition_time_is_named_where_a_marker_is_lost_too():
    raw = make_raw()
    raw.annotations.delete([7])
    with pytest.raises(ValueError, match="come every 2 s, so t_r is not 1 s"):
        make_pairs(raw, make_scan(t_r=1.0), make_masker())


def test_lists_of_different_lengths():
    raws, scans = [make_raw()] * 2, [make_scan()] * 3
    with pytest.raises(ValueError, match="'raw': 2, 'bold_img': 3"):
        make_pairs(raws, scans, make_masker(), subject=[0, 1])
    with pytest.raises(TypeError, match="bold_img must be one too"):
        make_pairs(raws, make_scan(), make_masker())
    with pytest.raises(ValueError, match=r"subject must have shape \(2,\).* got 3"):
        make_pairs(raws, scans[:2], make_masker(), subject=[0, 1, 2])
    with pytest.raises(ValueError, match="not known whose the recordings are"):
        make_pairs(raws, scans[:2], make_masker())


@pytest.mark.parametrize(
    "settings, error, message",
    [
        (
            {"features": "bandpower"},
            ValueError,
            "Did you mean 'band_power'",
        ),
        ({"features": 3}, TypeError, "EEGWindows"),
        ({"signal": "psc"}, TypeError, "signal must be BoldSignal"),
    ],
)
def test_wrong_settings(settings, error, message):
    with pytest.raises(error, match=message):
        make_pairs(make_raw(), make_scan(), make_masker(), **settings)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"standardize": "channels"}, "is for features='spectrogram'"),
        ({"standardize": "channel"}, "Did you mean 'channels'"),
        ({"slice_time_ref": 1.5}, "slice_time_ref must be between 0"),
        ({"n_lags": 0}, "n_lags must be positive"),
        ({"n_skip": -1}, "n_skip must not be negative"),
        ({"duration": 0}, "duration must be positive"),
        ({"sfreq": -5}, "sfreq must be positive"),
    ],
)
def test_wrong_settings_of_windows(settings, message):
    with pytest.raises(ValueError, match=message):
        EEGWindows(**settings)


def test_windows_that_leave_no_volume():
    with pytest.raises(ValueError, match="n_skip=50 .* leave none of 60"):
        make_pairs(
            make_raw(), make_scan(), make_masker(), features=EEGWindows(n_skip=50)
        )


def test_what_is_no_recording():
    with pytest.raises(TypeError, match="raw must be an mne.io.Raw, got ndarray"):
        make_pairs(np.zeros((3, 100)), make_scan(), make_masker())
    with pytest.raises(TypeError, match="give nilearn.maskers.NiftiMasker"):
        make_pairs(make_raw(), make_scan(), None)
