"""Columns of regions are the same regions in every recording."""

from dataclasses import replace

import mne
import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiSpheresMasker

from mne_sbi import EEG2fMRIRegressor, make_pairs
from mne_sbi.eeg_fmri import BoldSignal, Pairs, evaluate
from mne_sbi.eeg_fmri._bold import percent_change
from mne_sbi.eeg_fmri._images import columns_of, to_image, transform
from mne_sbi.viz._eeg_fmri_volumes import array_to_image

SIGNAL = BoldSignal(high_pass=None)


def make_labels():
    """Three large regions, 10, 30 and 40, and a small one of 1 mm, 20."""
    labels = np.zeros((12, 12, 12), dtype=np.int32)
    labels[:6], labels[6:, :6], labels[6:, 6:] = 10, 30, 40
    labels[7, 7, 7] = 20
    return nibabel.Nifti1Image(labels, np.eye(4))


def make_maps():
    labels = np.asarray(make_labels().dataobj)
    maps = np.stack([labels == i for i in (10, 20, 30, 40)], axis=-1)
    return nibabel.Nifti1Image(maps.astype(np.float32), np.eye(4))


def make_scan(size, seed=0):
    """Volumes on a grid that 1 mm at (7, 7, 7) is part of, or not."""
    n = 12 // size
    data = 1000 + 10 * np.random.default_rng(seed).normal(size=(n, n, n, 100))
    img = nibabel.Nifti1Image(data, np.diag([size, size, size, 1.0]))
    img.header.set_zooms((size, size, size, 2.0))
    img.header.set_xyzt_units("mm", "sec")
    return img


MASKERS = {
    "labels": lambda **kwargs: NiftiLabelsMasker(make_labels(), **kwargs),
    "maps": lambda **kwargs: NiftiMapsMasker(make_maps(), **kwargs),
}


@pytest.fixture(scope="module")
def raw():
    data = 1e-6 * np.random.default_rng(0).normal(size=(3, 24_200))
    info = mne.create_info(["Fz", "Cz", "Oz"], 100.0, "eeg")
    raw = mne.io.RawArray(data, info, verbose="error")
    onsets = 40 + 2.0 * np.arange(100)
    return raw.set_annotations(mne.Annotations(onsets, 0.0, "Response/R128"))


@pytest.fixture(scope="module")
def pairs(raw):
    masker = MASKERS["labels"](resampling_target="labels")
    return make_pairs(
        [raw, raw],
        [make_scan(1), make_scan(3, seed=1)],
        masker,
        subject=["ann", "bob"],
        signal=SIGNAL,
    )


@pytest.mark.parametrize("kind, lost", [("labels", "20"), ("maps", "1")])
def test_regions_that_are_lost_are_named(raw, kind, lost):
    masker = MASKERS[kind]()
    # On the masker's own grid all are there.
    assert len(make_pairs(raw, make_scan(1), masker).region_names) == 4
    message = rf"The {kind} {lost} have no voxel .* 3 x 3 x 3 mm.*_target='{kind}'"
    with pytest.raises(ValueError, match=message):
        make_pairs(raw, make_scan(3), masker)
    with pytest.raises(ValueError, match=r"^Recording 2 of 2 .*'bob'.*" + message):
        make_pairs(
            [raw] * 2, [make_scan(1), make_scan(3)], masker, subject=["ann", "bob"]
        )


@pytest.mark.parametrize("kind", ["labels", "maps"])
def test_regions_outside_of_a_mask(raw, kind):
    """Where the masker's own mask leaves them out, they are in no recording."""
    mask = np.ones((12, 12, 12), dtype=np.uint8)
    mask[:6] = 0
    mask = nibabel.Nifti1Image(mask, np.eye(4))
    masker = MASKERS[kind](mask_img=mask)
    pairs = make_pairs(raw, make_scan(1), masker)
    expected = {"labels": ("20", "30", "40"), "maps": ("map 1", "map 2", "map 3")}
    assert pairs.region_names == expected[kind] and pairs.y.shape[1] == 3
    with pytest.raises(ValueError, match=rf"The {kind} (20|1) have no voxel"):
        make_pairs(raw, make_scan(3), masker)
    # nilearn would take their zeros for the columns of others.
    masker.set_params(**{f"keep_masked_{kind}": True})
    with pytest.raises(ValueError, match=rf"{kind} (10|0) are outside .* Leave keep_m"):
        make_pairs(raw, make_scan(1), masker)


def test_the_remedy(raw, pairs):
    """Resampled images give all regions, in one order, with the right values."""
    assert pairs.region_names == ("10", "20", "30", "40")
    labels = np.asarray(make_labels().dataobj)
    data = make_scan(1).get_fdata()
    means = [data[labels == i].mean(axis=0) for i in (10, 20, 30, 40)]
    expected = percent_change(np.stack(means, axis=1), 2.0, SIGNAL)
    ann = pairs.pick("ann")
    expected = expected[ann.volumes]
    np.testing.assert_allclose(ann.y, expected - expected.mean(axis=0), atol=1e-4)


def test_predicted_images_have_each_value_in_its_region(raw, pairs):
    model = EEG2fMRIRegressor("hrf_ridge", target="voxels", masker=pairs.masker)
    model.fit(pairs)
    bob = pairs.pick("bob")
    predicted = model.predict(bob)
    volumes = model.predict_img(bob).get_fdata()
    labels = np.asarray(make_labels().dataobj)
    for column, label in enumerate((10, 20, 30, 40)):
        inside = volumes[labels == label]
        np.testing.assert_allclose(inside, [predicted[:, column]] * len(inside))
    scores = evaluate(model, pairs, baselines=False)
    assert scores.predictions.shape == pairs.y.shape


def test_pairs_of_other_regions_are_not_mixed(raw, pairs):
    data = np.asarray(make_labels().dataobj).copy()
    data[data == 20] = 40
    masker = NiftiLabelsMasker(nibabel.Nifti1Image(data, np.eye(4)))
    other = make_pairs(raw, make_scan(3), masker, subject="cleo", signal=SIGNAL)
    assert other.region_names == ("10", "30", "40")
    model = EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker).fit(pairs)
    lacks = r"regions 10, 20, 30, 40, but lack 20\. .*resampling_target='labels'"
    for use in (model.predict, model.predict_img, model.score, model.partial_fit):
        with pytest.raises(ValueError, match=lacks):
            use(other)
    with pytest.raises(ValueError, match=lacks):
        Pairs.concatenate([pairs, other])
    with pytest.raises(ValueError, match=lacks):
        EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker).fit(other)
    with pytest.raises(ValueError, match=lacks):
        evaluate(
            EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker),
            other,
            cv="within_person",
        )
    with pytest.raises(ValueError, match=r"\(3,\), but the masker has 4 regions: 10"):
        EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker).fit(other.X, other.y)
    # The same number is not enough.
    renamed = replace(other, region_names=("10", "20", "30"))
    with pytest.raises(ValueError, match="lack 20 and have also 40|lack 40"):
        other.match(renamed)


def test_names_of_labels(raw):
    """Labels whose names are given are named; an unused one shifts no name."""
    names = ["left", "small", "front", "back"]
    masker = NiftiLabelsMasker(make_labels(), labels=names).fit()
    assert columns_of(masker)[1] == "20 (small)"
    with pytest.raises(ValueError, match=r"The labels 20 \(small\) have no voxel"):
        transform(masker, make_scan(3))


def test_the_last_image_of_a_masker_does_not_matter(raw, pairs):
    """nilearn's own attributes are those of the last image."""
    masker = MASKERS["labels"]().fit()
    y = np.arange(8.0, dtype=np.float32).reshape(2, 4)
    with pytest.raises(ValueError, match="The labels 20 have no voxel"):
        transform(masker, make_scan(3))
    assert masker.n_elements_ == 3
    assert columns_of(masker) == ("10", "20", "30", "40")
    volumes = to_image(y, masker, 2.0).get_fdata()
    assert volumes[7, 7, 7].tolist() == [1, 5] and volumes[11, 11, 11].tolist() == [
        3,
        7,
    ]
    assert array_to_image("y", y, masker).shape == (12, 12, 12, 2)
    with pytest.raises(ValueError, match="The labels 20 have no voxel"):
        to_image(y, masker, 2.0, mean_img=make_scan(3).slicer[..., 0])


def test_seeds():
    """Each has a place, which names its column."""
    seeds = [(3, 3, 3), (8, 8, 8)]
    mask = nibabel.Nifti1Image(np.ones((12, 12, 12), dtype=np.uint8), np.eye(4))
    masker = NiftiSpheresMasker(seeds, radius=1.5, mask_img=mask).fit()
    assert columns_of(masker) == ("seed at (3, 3, 3)", "seed at (8, 8, 8)")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3, 5, 4)), rng.normal(size=(60, 2))
    model = EEG2fMRIRegressor("hrf_ridge", masker=masker, t_r=2.0).fit(X, y)
    predicted, volumes = model.predict(X), model.predict_img(X).get_fdata()
    for column, seed in enumerate(seeds):
        np.testing.assert_allclose(volumes[seed], predicted[:, column], rtol=1e-5)
    with pytest.raises(ValueError, match=r"masker has 2 regions: seed at \(3, 3, 3\)"):
        EEG2fMRIRegressor("hrf_ridge", masker=masker).fit(X, rng.normal(size=(60, 3)))
