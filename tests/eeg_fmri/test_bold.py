import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from mne_sbi.eeg_fmri._bold import (
    BoldSignal,
    fit_masker,
    load_bold,
    mask_bold,
    percent_change,
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
        (0.0, None, "header has no repetition time. Give t_r"),
        (2000.0, None, "2000 s. If it means milliseconds"),
        (2.0, -1.0, "t_r must be positive"),
    ],
)
def test_repetition_times_that_disagree(t_r, given, message):
    with pytest.raises(ValueError, match=message):
        load_bold(make_img(t_r=t_r), given)


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
    # Smoothing would bring them in.
    masker = mask_of(img, inner).set_params(smoothing_fwhm=6.0)
    with pytest.raises(ValueError, match="5 values"):
        mask_bold(img, fit_masker(masker, [img]))


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
    with pytest.raises(TypeError, match="give nilearn.maskers.NiftiMasker"):
        fit_masker(None, [make_img()])
    with pytest.raises(TypeError, match="masker must be a nilearn masker"):
        fit_masker("mask.nii", [make_img()])


def test_wrong_settings():
    with pytest.raises(ValueError, match="high_pass must be positive"):
        BoldSignal(high_pass=-1.0)
    with pytest.raises(ValueError, match="'unusable'.*Did you mean 'zero'"):
        BoldSignal(unusable="zeros")
    values = 100 + np.random.default_rng(0).normal(size=(80, 2))
    with pytest.raises(ValueError, match="high_pass=0.2 Hz takes 64 of 80"):
        percent_change(values, 2.0, BoldSignal(high_pass=0.2))
