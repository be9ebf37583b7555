"""Pairs as a whole: what they hold is compared by name wherever they go."""

import re
import warnings
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from mne.utils import catch_logging
from nilearn.image import index_img, mean_img
from nilearn.maskers import NiftiMasker
from numpy.testing import assert_array_equal

from mne_sbi import EEG2fMRIRegressor, make_pairs, simulate_eeg_fmri
from mne_sbi.eeg_fmri import (
    EEGWindows,
    Pairs,
    VolumeTiming,
    compute_patterns,
    evaluate,
)
from mne_sbi.eeg_fmri._bands import BANDS
from mne_sbi.eeg_fmri._baselines import Baselines, make_baselines
from mne_sbi.eeg_fmri._evaluation_inputs import check_pairs


@pytest.fixture(scope="module")
def simulated():
    return simulate_eeg_fmri(
        3,
        n_volumes=60,
        montage="biosemi16",
        voxel_size=0.012,
        random_state=0,
        verbose=False,
    )


@pytest.fixture(scope="module")
def pairs(simulated):
    return make_pairs(
        simulated.raws,
        simulated.images,
        simulated.masker,
        subject=simulated.subjects,
        verbose=False,
    )


@pytest.fixture(scope="module")
def fitted(pairs):
    rest = pairs.pick(["01", "02"])
    return EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker).fit(rest)


def later(simulated, **kwargs):
    """The last person, with channels in another order, who comes later."""
    raw = simulated.raws[2]
    raw = raw.copy().reorder_channels(sorted(raw.ch_names))
    kwargs = {"subject": "03", "verbose": False, **kwargs}
    return make_pairs(raw, simulated.images[2], simulated.masker, **kwargs)


def test_whole_pairs_are_their_arrays(pairs, fitted):
    rest, own = pairs.pick(["01", "02"]), pairs.pick("03")
    by_hand = EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker)
    by_hand.fit(rest.X, rest.y, rest.groups)
    assert by_hand.pairs_like_ is None and fitted.pairs_like_.n_pairs == 0
    assert_array_equal(fitted.predict(own), by_hand.predict(own.X))
    assert fitted.score(own) == by_hand.score(own.X, own.y)
    assert_array_equal(
        EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker)
        .partial_fit(rest)
        .partial_fit(own)
        .predict(own),
        by_hand.partial_fit(own.X, own.y).predict(own.X),
    )
    found = evaluate(by_hand, pairs, baselines=False).table
    assert found.equals(evaluate(by_hand, *pairs, baselines=False).table)


def test_channels_of_a_person_who_comes_later_are_found_by_name(
    simulated, pairs, fitted
):
    own = later(simulated)
    assert own.ch_names != pairs.ch_names
    expected = fitted.predict(pairs.pick("03"))
    np.testing.assert_allclose(fitted.predict(own), expected, atol=1e-5)
    # An array does not know them.
    assert np.abs(fitted.predict(own.X) - expected).max() > 0.05
    matched = own.match(pairs)
    assert matched.ch_names == pairs.ch_names == tuple(matched.info.ch_names)
    np.testing.assert_allclose(matched.X, pairs.pick("03").X, atol=1e-5)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_further_channel_is_left_out(simulated, pairs, fitted, place):
    raw = simulated.raws[2].copy()
    extra = raw.copy().pick([3]).rename_channels({raw.ch_names[3]: "X1"})
    extra.apply_function(lambda x: x[::-1])
    names = list(raw.ch_names)
    names.insert({"first": 0, "middle": 5, "last": len(names)}[place], "X1")
    raw.add_channels([extra], force_update_info=True).reorder_channels(names)
    own = make_pairs(
        raw, simulated.images[2], simulated.masker, subject="03", verbose=False
    )
    assert len(own.ch_names) == len(pairs.ch_names) + 1
    without = pairs.pick("03")
    np.testing.assert_allclose(own.match(pairs).X, without.X, atol=1e-5)
    expected = fitted.predict(without)
    np.testing.assert_allclose(fitted.predict(own), expected, atol=1e-5)
    assert fitted.score(own) == pytest.approx(fitted.score(without), abs=1e-4)
    X, _ = pairs.make_windows(raw, VolumeTiming(30.0 + 2.0 * np.arange(60), 2.0))
    np.testing.assert_allclose(fitted.predict(X), expected, atol=1e-5)
    # Values that were computed over all channels change with a further one.
    spectra = [
        make_pairs(
            each,
            simulated.images[2],
            simulated.masker,
            features=EEGWindows("spectrogram", n_freqs=9, standardize="channels"),
            verbose=False,
        )
        for each in (simulated.raws[2], raw)
    ]
    with pytest.raises(ValueError, match="also the channels X1.*EEGWindows.picks"):
        spectra[1].match(spectra[0])


@pytest.mark.parametrize(
    "features, message",
    [
        (EEGWindows(standardize=False), "standardize=True and standardize=False"),
        (EEGWindows(high_pass=None), "high_pass=0.0078125 and high_pass=None"),
        (EEGWindows(bands={k: (8, 13) for k in "abcde"}), "differ in bands"),
        (EEGWindows(bands=dict(reversed(BANDS.items()))), "bands, or in their order"),
        ("spectrogram", "HRFRidge takes features='band_power', and these pairs"),
    ],
)
def test_windows_of_another_kind_are_named(simulated, fitted, features, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict(later(simulated, features=features))


def test_what_changes_values_of_raw_windows_and_spectra_is_compared(simulated):
    def make(features):
        return later(simulated, features=features)

    raw, spectrum = (
        {"features": "raw", "standardize": False},
        {"features": "spectrogram", "n_freqs": 60},
    )
    first = make(EEGWindows(**raw, sfreq=40, duration=30))
    with pytest.raises(ValueError, match="duration=30 and duration=15"):
        make(EEGWindows(**raw, sfreq=80, duration=15)).match(first)
    first = make(EEGWindows(**spectrum, standardize=False))
    with pytest.raises(ValueError, match="sfreq=250.0 and sfreq=125.0"):
        make(EEGWindows(**spectrum, standardize=False, sfreq=125)).match(first)
    # What these windows do not use may differ, and lists are as good as tuples.
    make(EEGWindows(**spectrum, high_pass=None)).match(make(EEGWindows(**spectrum)))
    alpha = [make(EEGWindows(bands={"alpha": ends})) for ends in ((8, 13), [8.0, 13])]
    alpha[0].match(alpha[1])


def test_voxels_are_compared_where_they_are_used(simulated, pairs, fitted):
    mask = simulated.masker.mask_img_
    data = np.asarray(mask.dataobj).copy()
    data[tuple(np.argwhere(data)[0])] = 0
    masker = NiftiMasker(nibabel.Nifti1Image(data, mask.affine), standardize=None)
    raw, image = simulated.raws[2], simulated.images[2]
    own = make_pairs(raw, image, masker, subject="03", verbose=False)
    assert_array_equal(fitted.predict(own), fitted.predict(pairs.pick("03")))
    with pytest.raises(ValueError, match="Use the same mask for all recordings"):
        fitted.score(own)


def test_missing_channels_are_named(simulated, fitted):
    raw = simulated.raws[2].copy().drop_channels(["Cz"])
    own = make_pairs(raw, simulated.images[2], simulated.masker, verbose=False)
    with pytest.raises(ValueError, match="The pairs lack the channels Cz of those"):
        fitted.predict(own)


def test_architectures_say_which_windows_they_take(simulated, pairs):
    spectra = later(simulated, features="spectrogram")
    with pytest.raises(ValueError, match="HRFRidge takes features='band_power', and"):
        EEG2fMRIRegressor("hrf_ridge").fit(spectra)
    with pytest.raises(ValueError, match="Calhas takes features='spectrogram', and"):
        EEG2fMRIRegressor("calhas").fit(pairs)


def test_evaluate_hands_pairs_on(simulated, pairs):
    known, unknown = (
        evaluate(EEG2fMRIRegressor("hrf_ridge", t_r=t_r), pairs, baselines=False)
        for t_r in (2.0, None)
    )
    assert known.table.equals(unknown.table)
    with pytest.raises(ValueError, match="t_r is 3 s, but the pairs have 2 s"):
        evaluate(EEG2fMRIRegressor("hrf_ridge", t_r=3.0), pairs, baselines=False)
    with pytest.raises(ValueError, match="Calhas takes features='spectrogram', and"):
        evaluate(EEG2fMRIRegressor("calhas"), pairs, baselines=False)


def test_baselines_find_bands_by_name(simulated, pairs):
    """Five bands need not be the usual ones, nor in their order."""

    def vigilance(of):
        checked = check_pairs(of, None, None, None, None, 30.0)
        found, missing = make_baselines(
            Baselines(), None, checked.X, checked.timeline, checked.whole
        )
        return found.get("vigilance only", (None, None))[1], missing

    own = pairs.pick("03")
    names = list(own.bands)
    expected = (own.X[:, :, 2] - own.X[:, :, 1]).mean(axis=1)
    np.testing.assert_allclose(vigilance(own)[0][:, 0, 0], expected)
    turned = replace(own, X=own.X[:, :, ::-1], bands=dict(reversed(own.bands.items())))
    np.testing.assert_allclose(vigilance(turned)[0][:, 0, 0], expected)
    few = {name: own.bands[name] for name in ("alpha", "theta")}
    few = replace(own, X=own.X[:, :, [2, 1]], bands=few)
    np.testing.assert_allclose(vigilance(few)[0][:, 0, 0], expected)
    other = {f"x{name}": ends for name, ends in own.bands.items()}
    none, missing = vigilance(replace(own, bands=other))
    assert none is None and "no bands alpha and theta" in missing["vigilance only"]
    assert names == ["delta", "theta", "alpha", "beta", "gamma"]
    spectra = replace(own, features="spectrogram", bands=None, freqs=np.arange(1, 6.0))
    none, missing = vigilance(spectra)
    assert none is None and "features 'spectrogram'" in missing["vigilance only"]


def test_y_is_not_given_twice(pairs):
    with pytest.raises(TypeError, match="Pairs hold y and groups"):
        EEG2fMRIRegressor("hrf_ridge").fit(pairs, pairs.y)
    with pytest.raises(TypeError, match="Pairs hold y, groups and times"):
        evaluate(EEG2fMRIRegressor("hrf_ridge"), pairs, groups=pairs.groups)


def test_pairs_bring_the_repetition_time(pairs, fitted):
    model = EEG2fMRIRegressor("hrf_ridge").fit(pairs.pick(["01", "02"]))
    assert model.architecture_.t_r == 2.0
    own = pairs.pick("03")
    assert_array_equal(model.predict(own), fitted.predict(own))
    with pytest.raises(ValueError, match="t_r is 3 s, but the pairs have 2 s"):
        EEG2fMRIRegressor("hrf_ridge", t_r=3.0).fit(pairs)


# ------------------------------------------------------------------- without fMRI
def test_windows_of_a_recording_without_fmri(simulated, pairs, fitted):
    raw = simulated.raws[2].copy()
    raw.reorder_channels(sorted(raw.ch_names))
    onsets = VolumeTiming(30.0 + 2.0 * np.arange(60), 2.0)
    X, times = pairs.make_windows(raw, onsets)
    own = pairs.pick("03")
    np.testing.assert_allclose(X, own.X, atol=1e-5)
    np.testing.assert_allclose(times, own.times)
    # From the beginning on, every 2 s: 30 s until the first whole window, and the
    # middle of the volume's time.
    X, times = pairs.make_windows(raw)
    assert_array_equal(np.diff(times), 2.0)
    assert times[0] == pytest.approx(31.0) and raw.times[-1] - 3 < times[-1]
    assert np.isfinite(fitted.predict(X)).all()


@pytest.mark.parametrize("features", ["band_power", "spectrogram", "raw"])
def test_windows_of_another_sampling_rate(simulated, features):
    pairs = later(simulated, features=features)
    raw = simulated.raws[2].copy().resample(500)
    X, _ = pairs.make_windows(raw, VolumeTiming(30.0 + 2.0 * np.arange(60), 2.0))
    assert X.shape == pairs.X.shape
    inner = slice(5, -5)  # resampling begins and ends with artefacts
    r = np.corrcoef(X[inner].ravel(), pairs.X[inner].ravel())[0, 1]
    assert r > 0.98


def test_recordings_that_are_too_short(simulated, pairs):
    raw = simulated.raws[2].copy().crop(0, 33)
    with pytest.raises(ValueError, match="lasts 33 s, and 10 windows.* need 49 s"):
        pairs.make_windows(raw)


def test_windows_need_the_channels_and_the_settings(simulated, pairs):
    raw = simulated.raws[2].copy().drop_channels(["Cz"])
    raw.info["bads"] = ["Fp1"]
    with pytest.raises(ValueError, match="lacks the channels Fp1, Cz of the pairs"):
        pairs.make_windows(raw)
    with pytest.raises(ValueError, match="not known how the windows"):
        replace(pairs, windows=None).make_windows(simulated.raws[2])


# -------------------------------------------------------------- taking and joining
def test_pairs_that_are_taken(pairs):
    early = pairs.take(pairs.times < 60)
    assert early.n_pairs == 3 * 15 and early.times.max() < 60
    assert_array_equal(early.X[:15], pairs.X[:15])
    assert_array_equal(pairs.take([5, 2]).volumes, pairs.volumes[[5, 2]])
    assert pairs.take(3).n_pairs == 1 and pairs.take(slice(0, 9)).n_pairs == 9
    empty = pairs.take([])
    assert Pairs.concatenate([pairs, empty, pairs]).n_pairs == 2 * pairs.n_pairs
    assert pairs.take([]).n_pairs == 0 and pairs.take([]).ch_names == pairs.ch_names


def test_common_volumes_of_other_features(simulated, pairs):
    spectra = make_pairs(
        simulated.raws,
        simulated.images,
        simulated.masker,
        features=EEGWindows("spectrogram", n_skip=3),
        subject=simulated.subjects,
        verbose=False,
    )
    assert spectra.n_pairs != pairs.n_pairs
    mine, theirs = spectra.common(pairs)
    assert mine.n_pairs == theirs.n_pairs == min(spectra.n_pairs, pairs.n_pairs)
    for name in ("groups", "runs", "volumes"):
        assert_array_equal(getattr(mine, name), getattr(theirs, name))
    assert mine.features == "spectrogram" and theirs.features == "band_power"
    with pytest.raises(ValueError, match="of other people, or in another order"):
        spectra.common(replace(pairs, groups=pairs.groups[::-1]))
    with pytest.raises(ValueError, match="have no volume in common"):
        spectra.common(pairs.take(pairs.times < 0))


def test_common_volumes_of_a_scan_without_some(simulated, pairs):
    """They are numbered anew in the scan that is cut: times tell."""
    keep = np.setdiff1d(np.arange(60), [25, 26])
    cut = make_pairs(
        simulated.raws[0],
        index_img(simulated.images[0], keep),
        simulated.masker,
        timing=(30.0 + 2.0 * np.arange(60))[keep],
        subject="01",
        verbose=False,
    )
    mine, theirs = cut.common(pairs.pick("01"))
    assert mine.n_pairs == 58 == cut.n_pairs
    np.testing.assert_allclose(mine.times, theirs.times)
    assert_array_equal(theirs.volumes, keep)


def test_other_voxels_of_the_same_number_are_not_joined(simulated):
    mask = simulated.masker.mask_img_
    data = np.roll(np.asarray(mask.dataobj), 1, axis=0)
    moved = nibabel.Nifti1Image(data, mask.affine)
    image = simulated.images[1]
    rolled = np.roll(np.asarray(image.dataobj), 1, axis=0)
    rolled = nibabel.Nifti1Image(rolled, image.affine, image.header)
    other = make_pairs(
        simulated.raws[1],
        rolled,
        NiftiMasker(moved, standardize=None),
        subject="02",
        verbose=False,
    )
    own = later(simulated)
    with pytest.raises(ValueError, match="maskers with other voxels"):
        Pairs.concatenate([own, other])


def test_recordings_that_follow_each_other_are_two(pairs):
    """The times of the second go on where those of the first ended."""
    second = np.arange(pairs.n_pairs) % 60 >= 30
    runs = 2 * pairs.runs + second
    split = replace(pairs, runs=runs)
    level = np.where(second, 1.0, -1.0)[:, None] * pairs.y.std()
    split = replace(split, y=pairs.y + level)
    model = EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker)
    known, unknown = (
        evaluate(model, *what, baselines=False) for what in ([split], list(split))
    )
    # What differs between recordings only does not count.
    assert (known.table["skill"] > unknown.table["skill"]).all()


# ------------------------------------------------------------------------- images
def test_images_say_what_they_lack(pairs, fitted):
    own = pairs.pick("03")
    rows = np.r_[:10, 15:40]
    gappy = own.take(rows)
    with pytest.warns(RuntimeWarning, match="lack 5 volumes between"):
        image = fitted.predict_img(gappy)
    assert image.shape[3] == 35
    with pytest.warns(RuntimeWarning, match="are of 3 recordings"):
        fitted.predict_img(pairs)
    with pytest.warns(RuntimeWarning, match="not in the order of time"):
        fitted.predict_img(own.take(slice(None, None, -1)))
    # Clocks differ: 300 volumes of 2.008 s, by a header of 2 s.
    long = own.take(np.arange(300) % own.n_pairs)
    long = replace(long, times=2.008 * np.arange(300))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.predict_img(own)
        fitted.predict_img(long)


def test_units_of_the_scanner_are_named(simulated, pairs, fitted):
    own = pairs.pick("03")
    mean = mean_img(simulated.images[2], copy_header=True)
    raw_units = 9 * own.y + 900
    with pytest.raises(ValueError, match="in the units of the scanner. Percent signal"):
        EEG2fMRIRegressor("hrf_ridge").fit(pairs).partial_fit(own.X, raw_units)
    other = EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker)
    other.fit(own.X, raw_units)
    with pytest.raises(ValueError, match="mean_img is for predictions in percent"):
        other.predict_img(own.X, mean_img=mean)
    # It may well be calibrated with such values.
    other.partial_fit(own.X, raw_units)
    fitted.predict_img(own, mean_img=mean)


# ----------------------------------------------------------------------- patterns
def test_patterns_know_their_channels(simulated, pairs, fitted):
    own = later(simulated)
    patterns = compute_patterns(fitted, own, n_patterns=1)
    assert patterns.ch_names == pairs.ch_names
    by_hand = compute_patterns(fitted, pairs.pick("03").X, n_patterns=1)
    np.testing.assert_allclose(patterns.topographies, by_hand.topographies, atol=1e-4)
    assert by_hand.ch_names is None
    # They know the bands of the pairs too.
    first, second = (patterns.plot(info, show=False) for info in (pairs.info, own.info))
    titles = [ax.get_title() for ax in first.axes[:5]]
    assert titles == list(pairs.bands) and by_hand.bands is None
    images = [
        [np.asarray(image.get_array()) for ax in fig.axes for image in ax.images]
        for fig in (first, second)
    ]
    for one, other in zip(*images, strict=True):
        np.testing.assert_allclose(one, other)
    with pytest.raises(ValueError, match="info lacks the channels Cz of the patterns"):
        patterns.plot(simulated.raws[2].copy().drop_channels(["Cz"]).info)
    nowhere = pairs.info.copy()
    nowhere.set_montage(None)
    with pytest.raises(ValueError, match=r"call raw.set_montage\(\) before make_pairs"):
        patterns.plot(nowhere)


def test_calibration_says_how_far_it_moved(pairs):
    rest, own = pairs.pick(["01", "02"]), pairs.pick("03")
    model = EEG2fMRIRegressor("hrf_ridge", verbose=True).fit(rest)
    with catch_logging() as log, pytest.warns(RuntimeWarning, match="8 pairs changes"):
        model.partial_fit(own.X[:8], own.y[:8])
    assert "Predictions stay as they were (8 pairs" in log.getvalue()
    # Someone whose fMRI follows EEG five times as strongly, without noise.
    with catch_logging() as log:
        model.partial_fit(own.X, 5 * model.predict(own))
    moved = float(re.search(r"moved by (\d+)% of", log.getvalue())[1])
    assert 200 < moved < 410
