import mne
import nibabel
import nilearn.image
import nilearn.signal
import numpy as np
import pytest
from nilearn.image import math_img, resample_img
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)

from mne_sbi.eeg_fmri._bold import (
    BoldSignal,
    fit_masker,
    load_bold,
    mask_bold,
    percent_change,
    read_bold,
)
from mne_sbi.eeg_fmri._images import to_image

REAL = {
    "nibabel_functional.nii": ((17, 21, 3, 20), 2.0),
    "nibabel_example4d.nii.gz": ((128, 96, 24, 2), 2.0),
    "nitime_fmri1.nii.gz": ((10, 10, 18, 40), 1.35),
}


def make_img(data=None, t_r=2.0, units="sec"):
    if data is None:
        data = 1000 + np.random.default_rng(0).normal(size=(3, 4, 2, 60))
    img = nibabel.Nifti1Image(np.asarray(data, dtype=np.float32), np.diag([3, 3, 3, 1]))
    img.header.set_zooms((3, 3, 3, t_r))
    img.header.set_xyzt_units("mm", units)
    return img


def mask_of(img, values=None):
    values = np.ones(img.shape[:3]) if values is None else values
    return NiftiMasker(nibabel.Nifti1Image(values.astype(np.uint8), img.affine))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", REAL)
def test_real_scans_are_read_masked_and_written_back_unchanged(
    shared_data, tmp_path, name, whole
):
    shape, t_r = REAL[name]
    path = shared_data / "fmri" / name
    if name == "nibabel_example4d.nii.gz":  # as its header says seconds
        with pytest.raises(ValueError, match="repetition time of 2000 s"):
            load_bold(path)
        with pytest.raises(ValueError, match="t_r is 2 s, but .* says 2000 s"):
            load_bold(path, 2.0)
        source = nibabel.load(path)
        source.header.set_xyzt_units("mm", "msec")
    else:
        source = path
    img, found = load_bold(source)
    assert img.shape == shape and found == t_r
    original = np.asanyarray(nibabel.load(path).dataobj)
    mask = original[..., 0] > np.median(original[..., 0])
    mask |= whole
    masker = fit_masker(mask_of(img, mask), [img])
    values = mask_bold(img, masker)
    # The order of columns is that of the mask's voxels.
    np.testing.assert_allclose(values, original[mask].T, rtol=1e-6)
    assert values.shape[1] == mask.sum() > 0.3 * mask.size

    back = to_image(values, masker, found)
    nibabel.save(back, tmp_path / "back.nii.gz")
    back = nibabel.load(tmp_path / "back.nii.gz")
    again, t_r_again = load_bold(back)
    assert t_r_again == found
    assert back.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(back.header.get_zooms()[3], t_r)
    np.testing.assert_array_equal(back.affine, img.affine)
    data = np.asanyarray(back.dataobj)
    np.testing.assert_allclose(data[mask], original[mask], rtol=1e-6)
    assert not data[~mask].any()
    np.testing.assert_array_equal(mask_bold(again, masker), values.astype(np.float32))
    if original.dtype.kind in "iu":  # integers are exact in single precision
        np.testing.assert_array_equal(data[mask].astype(original.dtype), original[mask])


@pytest.mark.parametrize(
    "n_volumes, t_r, high_pass",
    [(100, 2.0, 1 / 128), (300, 0.7, 0.01), (60, 2.0, None), (20, 2.0, 1 / 128)],
)
def test_percent_change_is_what_regression_leaves(n_volumes, t_r, high_pass):
    rng = np.random.default_rng(0)
    n = np.arange(n_volumes)
    drift = np.cos(np.pi * (n + 0.5) / n_volumes) if high_pass else 0 * n
    values = 800 + 30 * rng.normal(size=(n_volumes, 6))
    values += 50 * drift[:, None] * (n_volumes * t_r * 2 >= 128)
    y = percent_change(values, t_r, BoldSignal(high_pass=high_pass))
    n_cosines = 0 if high_pass is None else int(2 * n_volumes * t_r * high_pass)
    design = np.stack(
        [np.cos(np.pi * k * (n + 0.5) / n_volumes) for k in range(n_cosines + 1)], 1
    )
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    np.testing.assert_allclose(y, 100 * (values - fitted) / values.mean(0), atol=1e-4)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    assert y.dtype == np.float32
    assert n_cosines == {1 / 128: n_cosines, 0.01: 4, None: 0}[high_pass]


def test_blocks_of_columns_are_the_same(monkeypatch):
    values = 100 + np.random.default_rng(0).normal(size=(80, 11))
    whole = percent_change(values, 2.0, BoldSignal())
    monkeypatch.setattr("mne_sbi.eeg_fmri._bold._N_AT_ONCE", 4)
    np.testing.assert_array_equal(percent_change(values, 2.0, BoldSignal()), whole)


def test_unusable_columns():
    values = 100 + np.random.default_rng(0).normal(size=(80, 6))
    values[:, 2] = 55.0
    values[:, 4] -= 100.0
    with pytest.raises(ValueError, match="1 of 6 .* are constant, and 1 have a mean"):
        percent_change(values, 2.0, BoldSignal())
    y = percent_change(values, 2.0, BoldSignal(unusable="zero"))
    assert not y[:, [2, 4]].any() and y[:, [0, 1, 3, 5]].std(axis=0).min() > 0.5
    with pytest.raises(ValueError, match="mean of 5 of 6 .* centred or standardised"):
        percent_change(values - values.mean(axis=0) + 1e-3 * values, 2.0, BoldSignal())
    with pytest.raises(ValueError, match="6 of 6 .* are constant"):
        percent_change(np.ones((80, 6)), 2.0, BoldSignal(unusable="zero"))


@pytest.mark.parametrize(
    "t_r, units, given, expected",
    [
        (2.0, "sec", None, 2.0),
        (2000.0, "msec", None, 2.0),
        (1350000.0, "usec", 1.35, 1.35),
        (2.0, "unknown", None, 2.0),
        (1.0, "sec", None, 1.0),
        # The format's default is no information, and 2000 can be in ms.
        (1.0, "unknown", 2.0, 2.0),
        (1.0, "unknown", 1.0, 1.0),
        (1.0, "hz", 2.0, 2.0),
        (2000.0, "unknown", 2.0, 2.0),
        (2.0, "sec", 2.005, 2.005),  # a header that is rounded
        (0.0, "sec", 1.5, 1.5),
    ],
)
def test_repetition_times(t_r, units, given, expected):
    assert load_bold(make_img(t_r=t_r, units=units), given)[1] == expected


@pytest.mark.parametrize(
    "t_r, given, message",
    [
        (2.0, 1.5, "t_r is 1.5 s, but the image's header says 2 s.*set_zooms"),
        (1.0, 2.0, "t_r is 2 s, but the image's header says 1 s.*set_zooms"),
        (0.0, None, "header has no repetition time. Give t_r"),
        (2000.0, None, "2000 s. If it means milliseconds"),
        (2.0, -1.0, "t_r must be positive"),
        (2.0, 2000, "t_r is in s; 2000 looks like ms: give t_r=2.0"),
    ],
)
def test_repetition_times_that_disagree(t_r, given, message):
    with pytest.raises(ValueError, match=message):
        load_bold(make_img(t_r=t_r), given)


@pytest.mark.parametrize(
    "t_r, units, given, message",
    [
        (1.0, "unknown", None, "no repetition time. Give t_r .*math_img"),
        (1.0, "hz", None, "no repetition time. Give t_r"),
        (2000.0, "unknown", None, "2000 s. If it means milliseconds"),
        (2000.0, "unknown", 1.5, "t_r is 1.5 s, but .* says 2 s"),
        (2.0, "unknown", 1.5, "t_r is 1.5 s, but .* says 2 s"),
    ],
)
def test_headers_without_a_unit(t_r, units, given, message):
    with pytest.raises(ValueError, match=message):
        load_bold(make_img(t_r=t_r, units=units), given)


def test_what_nilearn_leaves_of_a_header():
    img = make_img()
    with pytest.raises(ValueError, match="no repetition time. Give t_r"):
        load_bold(math_img("img + 1", img=img))
    assert load_bold(math_img("img + 1", img=img), 2.0)[1] == 2.0


@pytest.mark.parametrize("how", ["list", "files", "pattern"])
def test_single_volumes_have_no_repetition_time(tmp_path, how):
    img = make_img()
    volumes = [img.slicer[..., i] for i in range(img.shape[3])]
    if how != "list":
        for i, volume in enumerate(volumes):
            nibabel.save(volume, tmp_path / f"vol_{i:03d}.nii")
        volumes = sorted(tmp_path.glob("vol_*.nii"))
    volumes = str(tmp_path / "vol_*.nii") if how == "pattern" else volumes
    with pytest.raises(ValueError, match="no repetition time. .*single volumes"):
        load_bold(volumes)
    for t_r in (1.0, 2.2):
        joined, found = load_bold(volumes, t_r)
        assert found == t_r
        np.testing.assert_array_equal(joined.get_fdata(), img.get_fdata())


def test_parts_of_a_scan():
    parts = [make_img(), make_img()]
    assert load_bold(parts)[1] == 2.0
    with pytest.raises(ValueError, match="differ in repetition time.* 2 to 2.5 s"):
        load_bold([make_img(), make_img(t_r=2.5)])


def test_an_image_whose_header_does_not_say_where_it_is():
    """Its affine is the format's default, with which a mask would find other voxels."""

    def as_file(data):
        img = nibabel.Nifti1Image(data.astype(np.float32), None)
        return nibabel.Nifti1Image.from_bytes(img.to_bytes())

    img = as_file(make_img().get_fdata())
    own = fit_masker(NiftiMasker(as_file(np.ones(img.shape[:3]))), [img])
    assert mask_bold(img, own).shape == (60, 24)
    other = fit_masker(mask_of(make_img()), [img])
    with pytest.raises(ValueError, match="code 0.* cannot be found.* img.set_sform"):
        mask_bold(img, other)
    img.set_sform(make_img().affine, code="scanner")
    mask_bold(img, other)
    with pytest.raises(ValueError, match="bold_img has no affine"):
        load_bold(nibabel.Nifti1Image(np.ones((3, 4, 2, 5)), None))


def test_the_remedy_of_a_wrong_header_works():
    img = make_img(t_r=1.0)
    with pytest.raises(ValueError, match="img.header.set_zooms") as error:
        load_bold(img, 2.2)
    for call in str(error.value).split("with ")[1].rstrip(".").split(" and "):
        eval(call, {"img": img})
    assert load_bold(img, 2.2)[1] == 2.2


def test_images_that_are_no_scans():
    with pytest.raises(ValueError, match=r"4-D image .* shape \(3, 4, 2\)"):
        load_bold(nibabel.Nifti1Image(np.ones((3, 4, 2)), np.eye(4)))
    for wrong in (None, make_img().get_fdata()):
        with pytest.raises(TypeError, match=f"bold_img .* got {type(wrong).__name__}"):
            load_bold(wrong)


def test_a_mask_elsewhere_or_empty():
    img = make_img()
    elsewhere = img.affine.copy()
    elsewhere[:3, 3] = 500
    masker = NiftiMasker(nibabel.Nifti1Image(np.ones((3, 4, 2), np.uint8), elsewhere))
    with pytest.raises(ValueError, match="do not overlap: the mask .* x from 500"):
        mask_bold(img, fit_masker(masker, [img]))
    empty = np.zeros((3, 4, 2), np.uint8)
    with pytest.raises(ValueError, match="mask is (empty|invalid)"):
        fit_masker(NiftiMasker(nibabel.Nifti1Image(empty, img.affine)), [img])


def test_nan_in_the_mask_is_counted_and_outside_does_no_harm():
    data = make_img().get_fdata()
    data[0, 0, 0, :5] = np.nan
    img = make_img(data)
    with pytest.raises(ValueError, match="5 values .*, in 1 voxels and 5 of 60 vol"):
        mask_bold(img, fit_masker(mask_of(img), [img]))
    inner = np.ones((3, 4, 2))
    inner[0, 0, 0] = 0
    values = mask_bold(img, fit_masker(mask_of(img, inner), [img]))
    np.testing.assert_allclose(values, data[inner > 0].T, rtol=1e-6)
    # Smoothing would bring them in, as jumps. The remedy works.
    masker = fit_masker(
        mask_of(img, inner).set_params(smoothing_fwhm=6.0, standardize=None), [img]
    )
    with pytest.raises(ValueError, match="5 values outside the mask") as error:
        mask_bold(img, masker)
    scope = {"img": img, "np": np, "nilearn": nilearn}
    exec(str(error.value).split("volumes: ")[1].rstrip("."), scope)
    data[0, 0, 0] = 0
    expected = masker.transform(make_img(data))
    np.testing.assert_allclose(mask_bold(scope["bold_img"], masker), expected)


@pytest.mark.filterwarnings("ignore:imgs are being resampled")
@pytest.mark.parametrize("kind", ["smoothed", "finer", "shifted"])
def test_nan_outside_the_mask_at_all_times_are_zeros(kind, caplog):
    """As SPM writes them; nilearn takes them for zeros."""
    data = 1000 + np.random.default_rng(0).normal(size=(7, 8, 6, 20))
    inner = np.zeros((7, 8, 6), np.uint8)
    inner[1:6, 2:6, 1:5] = 1
    zeros = make_img(data * inner[..., None])
    data[inner == 0] = np.nan
    mask = nibabel.Nifti1Image(inner, zeros.affine)
    masker = NiftiMasker(mask, standardize=None)
    if kind == "smoothed":
        masker.set_params(smoothing_fwhm=6.0)
    else:
        affine = (
            np.diag([1.5, 1.5, 1.5, 1.0]) if kind == "finer" else mask.affine.copy()
        )
        affine[:3, 3] = 0.0 if kind == "finer" else 1.0
        masker.set_params(
            mask_img=resample_img(
                mask,
                target_affine=affine,
                interpolation="nearest",
                force_resample=True,
                copy_header=True,
            )
        )
    masker = fit_masker(masker, [zeros])
    with caplog.at_level("INFO", logger="mne"), mne.utils.use_log_level("info"):
        values = mask_bold(make_img(data), masker)
    np.testing.assert_allclose(values, masker.transform(zeros), rtol=1e-6)
    assert "0 of them in the mask, are NaN or infinite at all times" in caplog.text


def test_voxels_that_are_nan_at_all_times():
    data = make_img().get_fdata()
    expected = percent_change(data.reshape(-1, 60).T, 2.0, BoldSignal())
    data[1, 2, 0] = np.nan
    img = make_img(data)
    masker = fit_masker(mask_of(img), [img])
    with pytest.raises(ValueError, match="In 1 voxels all are: .*unusable='zero'"):
        read_bold(img, masker, 2.0)
    y = read_bold(img, masker, 2.0, BoldSignal(unusable="zero"))
    expected[:, np.ravel_multi_index((1, 2, 0), (3, 4, 2))] = 0
    np.testing.assert_allclose(y, expected, atol=1e-3)
    # The other voxels of a parcel give the same as without it.
    atlas = np.ones((3, 4, 2), np.uint8)
    atlas[2] = 2
    labels = NiftiLabelsMasker(nibabel.Nifti1Image(atlas, img.affine)).fit()
    parcels = read_bold(img, labels, 2.0, BoldSignal(unusable="zero"))
    means = np.stack([np.nanmean(data[atlas == k], axis=0) for k in (1, 2)], axis=1)
    expected = percent_change(means, 2.0, BoldSignal())
    np.testing.assert_allclose(parcels, expected, atol=1e-4)
    with pytest.raises(ValueError, match="No voxel is left. Give a mask of this scan"):
        mask_bold(make_img(data * np.nan), masker)


def test_many_volumes_with_nan():
    data = make_img().get_fdata()
    data[:2, ..., ::2] = np.nan
    masker = fit_masker(mask_of(make_img()), [make_img()])
    with pytest.raises(ValueError, match="30 of 60.* a mask without the 16 voxels"):
        mask_bold(make_img(data), masker)
    data[..., ::2] = np.nan
    with pytest.raises(ValueError, match="30 of 60 volumes. Look at the scan"):
        mask_bold(make_img(data), masker)


def test_drift_is_that_of_the_times_of_volumes_that_are_left():
    n_volumes, t_r = 100, 2.0
    numbers = np.arange(n_volumes)
    # The slowest drifts that are removed, which gaps would distort.
    drift = np.cos(np.pi * np.array([[1], [3]]) * (numbers + 0.5) / n_volumes).sum(0)
    rest = np.random.default_rng(0).normal(size=(n_volumes, 4))
    kept = np.delete(numbers, np.r_[20:35, 60])
    onsets = 31.0 + t_r * kept
    flat = percent_change(800 + rest[kept], t_r, BoldSignal(), onsets)
    values = (800 + rest + 40 * drift[:, None])[kept]
    y = percent_change(values, t_r, BoldSignal(), onsets)
    # Up to the mean, which the drift is part of.
    y *= values.mean(0) / (800 + rest[kept]).mean(0)
    np.testing.assert_allclose(y, flat, atol=1e-5)
    assert np.abs(percent_change(values, t_r, BoldSignal()) - flat).max() > 0.1


def test_percent_change_is_that_of_nilearn():
    values = 800 + 30 * np.random.default_rng(0).normal(size=(100, 5))
    expected = nilearn.signal.clean(
        values,
        detrend=False,
        standardize="psc",
        t_r=2.0,
        filter="cosine",
        high_pass=1 / 128,
    )
    onsets = 31.0 + 2.0 * np.arange(100)
    for given in (None, onsets):
        y = percent_change(values, 2.0, BoldSignal(), given)
        np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"standardize": "zscore_sample"}, "standardize"),
        ({"detrend": True, "high_pass": 0.01, "t_r": 2.0}, "detrend and high_pass"),
    ],
)
def test_maskers_that_take_the_mean_away(settings, named):
    img = make_img()
    with pytest.raises(ValueError, match=f"The masker has {named} set"):
        fit_masker(mask_of(img).set_params(**settings), [img])


def test_no_masker():
    for masker in (None, "mask.nii", make_img()):
        with pytest.raises(TypeError, match="give nilearn.maskers.NiftiMasker") as exc:
            fit_masker(masker, [make_img()])
        assert f"got {type(masker).__name__}. " in str(exc.value)


@pytest.mark.parametrize(
    "masker", [NiftiSpheresMasker([(0, 0, 0)], radius=5), SurfaceMasker()]
)
def test_maskers_of_other_things(masker):
    with pytest.raises(TypeError, match=f"got {type(masker).__name__}.*NiftiLabels"):
        fit_masker(masker, [make_img()])


def test_wrong_settings():
    with pytest.raises(ValueError, match="high_pass must be positive"):
        BoldSignal(high_pass=-1.0)
    with pytest.raises(ValueError, match="'unusable'.*Did you mean 'zero'"):
        BoldSignal(unusable="zeros")
    values = 100 + np.random.default_rng(0).normal(size=(80, 2))
    with pytest.raises(ValueError, match="high_pass=0.2 Hz takes 64 of 80"):
        percent_change(values, 2.0, BoldSignal(high_pass=0.2))
