from dataclasses import replace

import mne
import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.image import math_img
from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiMasker

from mne_sbi.eeg_fmri._alignment import align_volumes
from mne_sbi.eeg_fmri._bold import BoldSignal, percent_change
from mne_sbi.eeg_fmri._eeg_windows import EEGWindows
from mne_sbi.eeg_fmri._make_pairs import make_pairs
from mne_sbi.eeg_fmri._pairs import Pairs

SFREQ, T_R, FIRST = 100.0, 2.0, 40.0
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
SHAPE = (4, 4, 3)


def make_recording(n_volumes=100, seed=0, names=("Fz", "Cz", "Oz"), t_r=T_R):
    """EEG whose alpha power changes from one window before the volume to the next."""
    rng = np.random.default_rng(seed)
    n_times = int((FIRST + (n_volumes + 2) * t_r) * SFREQ)
    data = 1e-6 * rng.normal(size=(len(names), n_times))
    # Windows end in the middle of volumes, so envelopes change there.
    n_window = int(round(t_r * SFREQ))
    begin = int(round((FIRST + 0.5 * t_r) * SFREQ)) % n_window
    envelope = np.exp(rng.normal(size=n_times // n_window + 2))
    t = np.arange(n_times)
    which = (t - begin) // n_window + 1
    data[0] += 1e-5 * envelope[which] * np.sin(2 * np.pi * 10.3 * t / SFREQ)
    raw = mne.io.RawArray(
        data, mne.create_info(list(names), SFREQ, "eeg"), verbose="error"
    )
    onsets = FIRST + t_r * np.arange(n_volumes)
    raw.set_annotations(mne.Annotations(onsets, 0.0, "Response/R128"))
    # Of the window that ends in the middle of each volume.
    last = int(round((FIRST + 0.5 * t_r) * SFREQ)) // n_window
    return raw, envelope[: last + n_volumes + 1], last


def make_scan(n_volumes=100, seed=0, t_r=T_R, dtype=np.float32):
    rng = np.random.default_rng(seed)
    data = 1000 + 10 * rng.normal(size=(*SHAPE, n_volumes))
    img = nibabel.Nifti1Image(data.astype(dtype), AFFINE)
    img.header.set_zooms((3.0, 3.0, 3.0, t_r))
    img.header.set_xyzt_units("mm", "sec")
    return img


def full_masker():
    mask = nibabel.Nifti1Image(np.ones(SHAPE, dtype=np.uint8), AFFINE)
    return NiftiMasker(mask_img=mask)


@pytest.fixture
def recording():
    return make_recording()[0]


@pytest.fixture
def pairs(recording):
    return make_pairs(recording, make_scan(), full_masker(), subject="ann")


@pytest.mark.parametrize("lag", [0, 3, 7])
def test_a_voxel_that_follows_power_is_found_at_its_lag(lag):
    raw, envelope, last = make_recording()
    img = make_scan()
    log_power = 2 * np.log10(envelope)
    data = img.get_fdata()
    data[1, 2, 1] = 1000 + 20 * log_power[last - lag + np.arange(100)]
    img = nibabel.Nifti1Image(data, AFFINE, img.header)
    signal, features = BoldSignal(high_pass=None), EEGWindows(high_pass=None)
    pairs = make_pairs(raw, img, full_masker(), signal=signal, features=features)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1, 2, 1] = True
    y = pairs.y[:, mask.ravel()][:, 0]
    alpha = list(pairs.bands).index("alpha")
    r = [np.corrcoef(pairs.X[:, 0, alpha, k], y)[0, 1] for k in range(15)]
    assert r[lag] > 0.999
    assert max(np.abs(np.delete(r, lag))) < 0.4
    # 20 per unit of log power, over a mean of about 1000, is 2 percent.
    assert y.std() == pytest.approx(2 * log_power.std(), rel=0.25)


def test_the_arrays_and_what_they_mean(recording, pairs):
    X, y, groups, times = pairs
    n = len(X)
    # 15 lags of 2 s before 41 s, so all volumes but none of the first are there.
    assert n == 100 and X.shape == (n, 3, 5, 15) and y.shape == (n, 48)
    assert X.dtype == y.dtype == np.float32
    assert (groups == "ann").all() and (pairs.runs == 0).all()
    np.testing.assert_allclose(times, FIRST + T_R * (0.5 + np.arange(100)), atol=1e-9)
    assert pairs.ch_names == ("Fz", "Cz", "Oz") and pairs.t_r == T_R
    assert pairs.info.ch_names == list(pairs.ch_names)
    assert list(pairs.bands) == ["delta", "theta", "alpha", "beta", "gamma"]
    assert pairs.masker.mask_img_.shape == SHAPE
    np.testing.assert_allclose(X.mean(axis=(0, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(X.std(axis=(0, 3)), 1, atol=1e-5)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    assert repr(pairs) == (
        "<Pairs | 100 of 1 person, TR 2 s: band_power 3 x 5 x 15 -> 48>"
    )
    with pytest.raises(ValueError, match="read-only"):
        pairs.y[0] = 0


def test_volumes_without_full_windows_are_left_out_and_reported(caplog):
    raw = make_recording()[0].crop(25.0)
    with caplog.at_level("INFO", logger="mne"):
        pairs = make_pairs(raw, make_scan(), full_masker(), verbose="info")
    # 30 s before the middle of the first volumes, at 16 s, are not there.
    assert pairs.n_pairs == 93
    assert pairs.times[0] == pytest.approx(15.0 + 1.0 + 7 * 2.0)
    np.testing.assert_array_equal(pairs.volumes, np.arange(7, 100))
    assert "7 of 100 volumes are left out: 7 need EEG from before" in caplog.text
    # The rows of y are those of the same volumes.
    whole = percent_change(
        make_scan().get_fdata().reshape(48, 100).T, T_R, BoldSignal()
    )[7:]
    np.testing.assert_allclose(pairs.y, whole - whole.mean(axis=0), atol=1e-4)


def test_spectrogram_and_raw_windows_end_at_the_onset(recording):
    data = recording.get_data()
    spectra = make_pairs(
        recording,
        make_scan(),
        full_masker(),
        features=EEGWindows("spectrogram", n_freqs=60, standardize=False),
    )
    assert spectra.X.shape == (100, 3, 60, 10)
    np.testing.assert_allclose(spectra.freqs, np.arange(1, 61) / T_R)
    before = data[:, 3800:4000]  # the 2 s before 40 s
    expected = np.abs(np.fft.rfft(before))[:, 1:61]
    np.testing.assert_allclose(spectra.X[0, :, :, -1], expected, rtol=1e-4, atol=1e-11)
    raw_pairs = make_pairs(
        recording,
        make_scan(),
        full_masker(),
        features=EEGWindows("raw", standardize=False),
    )
    assert raw_pairs.X.shape == (100, 3, 3000)
    np.testing.assert_array_equal(raw_pairs.X[4], data[:, 1800:4800].astype(np.float32))
    assert raw_pairs.times[4] == FIRST + 4.5 * T_R
    standard = make_pairs(recording, make_scan(), full_masker(), features="raw").X
    span = data[:, 1000:23800]
    expected = (data[:, 1800:4800] - span.mean(1, keepdims=True)) / span.std(
        axis=1, keepdims=True
    )
    np.testing.assert_allclose(standard[4], expected, atol=1e-5)


def test_published_standardisation_over_channels(recording):
    def get(**settings):
        features = EEGWindows("spectrogram", n_freqs=30, **settings)
        return make_pairs(recording, make_scan(), full_masker(), features=features)

    plain, channels = get(standardize=False), get(standardize="channels", n_skip=3)
    from scipy.stats import zscore

    # Three volumes are left out of both, and then ten windows come before the first.
    assert channels.n_pairs == 87
    np.testing.assert_allclose(channels.times[0], FIRST + 13.5 * T_R)
    np.testing.assert_array_equal(channels.volumes, np.arange(13, 100))
    np.testing.assert_allclose(channels.X, zscore(plain.X[13:], axis=1), atol=1e-3)


def test_several_recordings_and_people():
    raws = [make_recording(seed=i)[0] for i in range(3)]
    raws[1].reorder_channels(["Oz", "Fz", "Cz"])
    images = [make_scan(seed=i) for i in range(3)]
    people = ["ann", "bob", "ann"]
    pairs = make_pairs(raws, images, full_masker(), subject=people)
    assert pairs.n_pairs == 300
    assert pairs.groups.tolist() == np.repeat(people, 100).tolist()
    assert pairs.runs.tolist() == np.repeat([0, 1, 2], 100).tolist()
    # Channels are matched by name.
    alone = make_pairs(raws[1], images[1], full_masker(), subject="bob")
    assert alone.ch_names == ("Oz", "Fz", "Cz")
    np.testing.assert_array_equal(pairs.X[100:200], alone.X[:, [1, 2, 0]])
    assert pairs.volumes.tolist() == 3 * list(range(100))
    bob = pairs.pick("bob")
    np.testing.assert_array_equal(bob.y, alone.y)
    assert pairs.pick(["ann"]).n_pairs == 200
    assert "300 of 2 people in 3 recordings" in repr(pairs)
    again = Pairs.concatenate([pairs.pick("ann"), bob])
    assert again.runs.tolist() == np.repeat([0, 1, 2], 100).tolist()
    with pytest.raises(ValueError, match="no pairs of 'anne'.*'ann', 'bob'"):
        pairs.pick("anne")


def test_people_are_read_from_the_recordings(recording):
    recording.info["subject_info"] = {"his_id": "sub-07"}
    img = make_scan()
    with pytest.warns(RuntimeWarning, match="All 2 recordings have his_id 'sub-07'"):
        pairs = make_pairs([recording] * 2, [img] * 2, full_masker())
    assert (pairs.groups == "sub-07").all() and pairs.runs.max() == 1


@pytest.mark.parametrize("given", ["timing", "onsets"])
def test_times_of_volumes_can_be_given(recording, pairs, given):
    timing = align_volumes(recording, 100, T_R)
    recording.set_annotations(None)
    timing = timing if given == "timing" else timing.onsets
    again = make_pairs(recording, make_scan(), full_masker(), timing=timing)
    np.testing.assert_array_equal(again.X, pairs.X)


def test_maskers_of_parcels_and_unfitted_ones(recording):
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[:2], labels[2:] = 1, 2
    img = make_scan()
    masker = NiftiLabelsMasker(nibabel.Nifti1Image(labels, AFFINE))
    y = make_pairs(recording, img, masker).y
    assert not hasattr(masker, "labels_img_")  # the caller's stays as it was
    means = np.stack([img.get_fdata()[labels == k].mean(axis=0) for k in (1, 2)], 1)
    expected = percent_change(means, T_R, BoldSignal())
    np.testing.assert_allclose(y, expected - expected.mean(0), atol=1e-4)
    maps = np.stack([labels == 1, labels == 2], axis=-1).astype(np.float32)
    masker = NiftiMapsMasker(nibabel.Nifti1Image(maps, AFFINE))
    np.testing.assert_allclose(make_pairs(recording, img, masker).y, y, atol=1e-4)


def test_a_masker_without_mask_finds_the_head(recording):
    data = make_scan().get_fdata()
    data[:2] = 1.0 + 1e-3 * np.random.default_rng(0).normal(size=data[:2].shape)
    img = nibabel.Nifti1Image(data, AFFINE, make_scan().header)
    masker = NiftiMasker(mask_strategy="epi", mask_args={"opening": 0})
    pairs = make_pairs([recording] * 2, [img] * 2, masker, subject=[0, 1])
    mask = np.asanyarray(pairs.masker.mask_img_.dataobj) > 0
    np.testing.assert_array_equal(
        mask, np.arange(4)[:, None, None] * np.ones(SHAPE) > 1
    )
    assert pairs.y.shape == (200, 24)


def test_arrays_of_other_lengths_are_refused(pairs):
    with pytest.raises(ValueError, match="differ in length: .*'times': 5"):
        Pairs(*_arguments(pairs, times=np.arange(5)))
    with pytest.raises(ValueError, match="2 channels, which are its second axis"):
        Pairs(*_arguments(pairs, ch_names=("Fz", "Cz")))


def _arguments(pairs, **changes):
    return list((vars(pairs) | changes).values())


def test_pairs_that_do_not_fit_are_not_joined(pairs):
    other = Pairs(*_arguments(pairs, t_r=1.0))
    with pytest.raises(ValueError, match="repetition time: 2 and 1 s"):
        Pairs.concatenate([pairs, other])
    other = Pairs(*_arguments(pairs, y=pairs.y[:, :5]))
    with pytest.raises(
        ValueError, match=r"y has pairs of the shapes \(48,\) and \(5,\)"
    ):
        Pairs.concatenate([pairs, other])
    with pytest.raises(ValueError, match="no pairs to join"):
        Pairs.concatenate([])


def test_pickled_pairs_are_the_same(pairs):
    import pickle

    again = pickle.loads(pickle.dumps(pairs))
    np.testing.assert_array_equal(again.X, pairs.X)
    assert not again.X.flags.writeable


@pytest.mark.parametrize(
    "make",
    [tuple, np.array, lambda x: pd.Series(x, index=[5, 3]), pd.Index, iter],
)
def test_subjects_are_any_sequence(make, recording):
    raws, scans = [recording] * 2, [make_scan()] * 2
    pairs = make_pairs(
        pd.Series(raws), iter(scans), full_masker(), subject=make(["ann", "bob"])
    )
    n = pairs.n_pairs // 2
    assert pairs.groups.tolist() == ["ann"] * n + ["bob"] * n
    np.testing.assert_array_equal(pairs.X[:n], pairs.X[n:])
    onsets = align_volumes(raws[0], scans[0].shape[3]).onsets
    timed = make_pairs(
        raws, scans, full_masker(), subject=[1, 2], timing=pd.Series([onsets, onsets])
    )
    np.testing.assert_array_equal(timed.X, pairs.X)


def test_subjects_that_cannot_be_told_apart(recording):
    raws, scans = [recording] * 3, [make_scan()] * 3
    for subject in ([1, "1", 2], np.array([1, "1", 2], dtype=object)):
        with pytest.raises(TypeError, match="all strings or all numbers, got numbers"):
            make_pairs(raws, scans, full_masker(), subject=subject)
    with pytest.raises(TypeError, match=r"got a dict.* Give list\(d.values\(\)\)"):
        make_pairs(raws, scans, full_masker(), subject={"a": 1, "b": 2, "c": 3})
    with pytest.raises(ValueError, match="1 of 3 are missing"):
        make_pairs(raws, scans, full_masker(), subject=["a", None, "b"])
    one, other = (
        make_pairs(raws[0], scans[0], full_masker(), subject=s) for s in (1, "1")
    )
    with pytest.raises(TypeError, match="all strings or all numbers"):
        Pairs.concatenate([one, other])
    with pytest.raises(TypeError, match="all strings or all numbers"):
        one.pick([1, "1"])
    with pytest.raises(TypeError, match="all strings or all numbers"):
        replace(one, groups=[1, "1"] * (one.n_pairs // 2) + [1] * (one.n_pairs % 2))


@pytest.mark.parametrize("lost", ["math_img", "volumes"])
def test_a_repetition_time_that_the_header_lost(recording, pairs, lost):
    """It is not 1 s, the default of the format, which gives EEG of other moments."""
    img = make_scan()
    if lost == "math_img":
        scan = math_img("1.0 * img", img=img)
    else:
        scan = [img.slicer[..., i] for i in range(img.shape[3])]
    timing = FIRST + T_R * np.arange(100)
    with pytest.raises(ValueError, match="no repetition time. Give t_r"):
        make_pairs(recording, scan, full_masker(), timing=timing)
    for several in (False, True):
        given = ([recording], [scan]) if several else (recording, scan)
        again = make_pairs(*given, full_masker(), t_r=T_R, subject="ann")
        np.testing.assert_array_equal(again.X, pairs.X)
        np.testing.assert_allclose(again.y, pairs.y, atol=1e-5)
        assert again.t_r == T_R
