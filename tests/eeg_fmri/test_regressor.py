"""The scikit-learn door: shapes, targets, images, cloning, errors."""

import pickle

import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from mne_sbi.eeg_fmri import (
    Architecture,
    EEG2fMRIRegressor,
    HRFRidge,
    PCATarget,
    Residual,
    hrf_basis,
)

AFFINE = np.diag([3.0, 3.0, 4.0, 1.0])
AFFINE[:3, 3] = [-20, -30, 10]
SHAPE = (6, 7, 5)


@pytest.fixture(scope="module")
def masker():
    mask = np.random.default_rng(0).random(SHAPE) < 0.5
    image = nibabel.Nifti1Image(mask.astype(np.uint8), AFFINE)
    return NiftiMasker(mask_img=image, standardize=None, t_r=2.2).fit()


@pytest.fixture(scope="module")
def pairs(masker):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((240, 4, 3, 6)).astype(np.float32)
    power = (X @ hrf_basis(6, 2.2)[:, 0])[:, :, 1]
    n_voxels = int(masker.mask_img_.get_fdata().sum())
    y = power @ rng.standard_normal((4, n_voxels))
    y = y + rng.standard_normal(y.shape)
    return X, y.astype(np.float32), np.repeat([0, 1, 2], 80)


@pytest.fixture(scope="module")
def fitted(pairs, masker):
    return EEG2fMRIRegressor("hrf_ridge", masker=masker).fit(*pairs)


def test_skill_is_over_the_training_mean(pairs):
    X, y, groups = pairs
    train = groups < 2
    model = EEG2fMRIRegressor("hrf_ridge", t_r=2.2).fit(X[train], y[train])
    rest = y[~train]
    error = ((rest - model.predict(X[~train])) ** 2).sum()
    expected = 1 - error / ((rest - y[train].mean(0)) ** 2).sum()
    np.testing.assert_allclose(model.score(X[~train], rest), expected, rtol=1e-5)
    # Of a variance of 4 + 1, four can be explained.
    assert 0.7 < expected < 0.82


def test_shapes_and_types_are_those_of_y(pairs):
    X, y, groups = pairs
    for given in (y[:, 0], y[:, :3], y[:, :90].reshape(240, 6, 5, 3)):
        for dtype in (np.float32, np.float64):
            model = EEG2fMRIRegressor("hrf_ridge", t_r=2.2)
            found = model.fit(X, given.astype(dtype), groups).predict(X[:9])
            assert found.shape == (9, *given.shape[1:])
            assert found.dtype == dtype


def test_columns_are_channels_with_one_band_and_lag(pairs):
    X, y, groups = pairs
    flat = X.reshape(240, -1)[:, :10]
    found = EEG2fMRIRegressor("hrf_ridge").fit(flat, y, groups)
    expected = EEG2fMRIRegressor("hrf_ridge").fit(flat[:, :, None, None], y, groups)
    np.testing.assert_array_equal(
        found.predict(flat), expected.predict(flat[..., None, None])
    )
    assert found.n_features_in_ == 10


def test_the_masker_tells_the_repetition_time(pairs, masker):
    X, y, groups = pairs
    by_masker = EEG2fMRIRegressor("hrf_ridge", masker=masker).fit(X, y, groups)
    by_hand = EEG2fMRIRegressor("hrf_ridge", t_r=2.2).fit(X, y, groups)
    np.testing.assert_array_equal(by_masker.predict(X), by_hand.predict(X))
    assert by_masker.architecture_.t_r == 2.2
    # An object that has one keeps it.
    own = EEG2fMRIRegressor(HRFRidge(1.0), masker=masker).fit(X, y, groups)
    assert own.architecture_.t_r == 1.0


def test_errors_are_as_large_as_said(pairs):
    X, y, groups = pairs
    train = groups < 2
    model = EEG2fMRIRegressor("hrf_ridge", t_r=2.2).fit(
        X[train], y[train], groups[train]
    )
    found, std = model.predict(X[~train], return_std=True)
    assert std.shape == found.shape
    inside = np.abs(found - y[~train]) < 1.645 * std
    assert abs(inside.mean() - 0.9) < 0.02
    # The same as by hand, from pairs that were left out.
    np.testing.assert_allclose(std[0], model.y_std_, rtol=1e-6)
    assert (std[0] < y.std(axis=0)).all() and (std[0] > 0.8).all()


def test_image_has_the_maskers_place_and_the_repetition_time(fitted, masker, pairs):
    X, y, _ = pairs
    img = fitted.predict_img(X[:5])
    assert img.shape == (*SHAPE, 5)
    np.testing.assert_allclose(img.affine, AFFINE)
    np.testing.assert_allclose(img.header.get_zooms(), (3, 3, 4, 2.2), rtol=1e-6)
    assert img.header.get_xyzt_units() == ("mm", "sec")
    mask = masker.mask_img_.get_fdata() > 0
    assert not img.get_fdata()[~mask].any()
    np.testing.assert_allclose(masker.transform(img), fitted.predict(X[:5]), rtol=1e-5)


def test_image_around_a_persons_mean(fitted, masker, pairs):
    mean = np.random.default_rng(3).uniform(500, 900, SHAPE)
    mean_img = nibabel.Nifti1Image(mean, AFFINE)
    img = fitted.predict_img(pairs[0][:4], mean_img)
    mask = masker.mask_img_.get_fdata() > 0
    expected = mean[mask] * (1 + fitted.predict(pairs[0][:4]) / 100)
    np.testing.assert_allclose(img.get_fdata()[mask].T, expected, rtol=1e-5)


def test_image_of_parcels(pairs):
    X, y, groups = pairs
    labels = np.zeros(SHAPE, np.int16)
    labels[:3], labels[3:, :4] = 1, 2
    image = nibabel.Nifti1Image(labels, AFFINE)
    masker = NiftiLabelsMasker(image, standardize=None, t_r=2.2).fit()
    model = EEG2fMRIRegressor("hrf_ridge", masker=masker).fit(X, y[:, :2], groups)
    img = model.predict_img(X[:3])
    found = model.predict(X[:3])
    np.testing.assert_allclose(img.get_fdata()[0, 0, 0], found[:, 0], rtol=1e-5)
    np.testing.assert_allclose(img.get_fdata()[4, 1, 0], found[:, 1], rtol=1e-5)
    assert model.grid_ is None


def test_clones_work_with_the_masker(fitted, pairs, masker):
    X, y, groups = pairs
    again = clone(fitted)
    assert not hasattr(again.masker, "mask_img_")
    again.fit(X, y, groups)
    img, expected = again.predict_img(X[:2]), fitted.predict_img(X[:2])
    np.testing.assert_array_equal(img.get_fdata(), expected.get_fdata())
    # One whose mask only data could tell, as after NiftiMasker().fit(images).
    with pytest.raises(ValueError, match=r"Give NiftiMasker\(mask_img=...\)"):
        EEG2fMRIRegressor("hrf_ridge", masker=NiftiMasker()).fit(X, y)


def test_grid_search_over_settings_of_the_architecture(pairs):
    X, y, groups = pairs
    search = GridSearchCV(
        EEG2fMRIRegressor(HRFRidge(2.2), target=PCATarget(4)),
        {"architecture__alpha": [0.01, 1e5], "target__n_components": [2, 4]},
        cv=GroupKFold(3),
    )
    search.fit(X, y, groups=groups)
    assert search.best_params_ == {
        "architecture__alpha": 0.01,
        "target__n_components": 4,
    }


def test_groups_reach_fit_through_metadata_routing(pairs):
    import sklearn

    X, y, groups = pairs
    with sklearn.config_context(enable_metadata_routing=True):
        model = EEG2fMRIRegressor("hrf_ridge", t_r=2.2)
        model.set_fit_request(groups=True)
        scores = cross_val_score(
            model, X, y, cv=GroupKFold(3), params={"groups": groups}
        )
    assert (scores > 0.6).all()


def test_pickled(fitted, pairs):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(pairs[0]), fitted.predict(pairs[0]))


class MeanOfChannels(Architecture):
    """A third party's architecture."""

    axes = ("channels", "samples")

    def __init__(self, factor=2.0):
        self.factor = factor

    def fit(self, X, y, *, groups, grid=None, random_state=None, verbose=None):
        self.grid_, self.n_ = grid, y.shape[1]
        return self

    def predict(self, X):
        return np.tile(self.factor * X.mean(axis=(1, 2))[:, np.newaxis], (1, self.n_))

    def update(self, X, y, *, random_state=None, verbose=None):
        return self


def test_an_architecture_of_ones_own(pairs, masker):
    _, y, groups = pairs
    X = np.random.default_rng(0).standard_normal((240, 3, 50)).astype(np.float32)
    model = EEG2fMRIRegressor(MeanOfChannels(), masker=masker).fit(X, y, groups)
    expected = 2 * X.mean(axis=(1, 2))[:, np.newaxis] + y.mean(axis=0)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-4, atol=1e-5)
    assert model.architecture_.grid_.shape == SHAPE
    # Who leaves nobody out cannot know errors better than the spread of y.
    np.testing.assert_allclose(model.y_std_, y.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "residul"}, "Did you mean 'residual'"),
        ({"target": "voxel"}, "Did you mean 'voxels'"),
        ({"t_r": 0.0}, "t_r must be positive"),
        ({"target": "dct"}, "give masker="),
        ({"masker": 3}, "masker must be a nilearn masker"),
    ],
)
def test_wrong_settings(pairs, settings, message):
    X, y, groups = pairs
    settings = {"architecture": "hrf_ridge", **settings}
    with pytest.raises((ValueError, TypeError), match=message):
        EEG2fMRIRegressor(**settings).fit(X, y, groups)


def test_wrong_arrays(pairs, masker, fitted):
    X, y, groups = pairs
    model = EEG2fMRIRegressor("hrf_ridge", t_r=2.2)
    bad = X.copy()
    bad[3, 1, 1, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(bad, y)
    bad_y = y.copy()
    bad_y[2, 5] = np.inf
    with pytest.raises(ValueError, match="y must be finite"):
        model.fit(X, bad_y)
    with pytest.raises(ValueError, match="X has 240 pairs, but y has 239"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match=r"groups must have shape \(240,\)"):
        model.fit(X, y, groups[:-1])
    with pytest.raises(ValueError, match=r"y must have shape"):
        model.fit(X, y[:, :6].reshape(240, 3, 2))
    with pytest.raises(ValueError, match="features='band_power'"):
        model.fit(X[..., 0], y)
    with pytest.raises(ValueError, match="but the masker has"):
        EEG2fMRIRegressor("hrf_ridge", masker=masker).fit(X, y[:, :-1])
    with pytest.raises(ValueError, match="is expecting 4 features"):
        fitted.predict(X[:, :3])
    with pytest.raises(ValueError, match="but fit saw"):
        fitted.predict(X[..., :5])
    with pytest.raises(ValueError, match="Use the same masker"):
        clone(fitted).fit(X, y).partial_fit(X, y[:, :-1])
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="give the estimator masker="):
        model.fit(X, y).predict_img(X)


def test_repetition_times_that_differ(pairs, masker):
    X, y, groups = pairs
    with pytest.raises(ValueError, match="t_r is 3 s, but the masker has 2.2 s"):
        EEG2fMRIRegressor("hrf_ridge", masker=masker, t_r=3.0).fit(X, y, groups)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_pairs_of_nobody(pairs, missing):
    X, y, _ = pairs
    groups = np.repeat(np.array(["a", "b"], dtype=object), 120)
    groups[7] = missing
    with pytest.raises(ValueError, match="1 of 240 are missing"):
        EEG2fMRIRegressor("hrf_ridge", t_r=2.2).fit(X, y, groups)


def test_a_mean_of_several_volumes_is_refused(fitted, pairs):
    several = nibabel.Nifti1Image(np.ones((*SHAPE, 3)), AFFINE)
    with pytest.raises(ValueError, match="mean_img must be one volume, got 3"):
        fitted.predict_img(pairs[0][:2], several)


def test_what_the_networks_need_is_said(pairs):
    _, y, groups = pairs
    X = np.zeros((240, 8, 20, 10), np.float32)
    with pytest.raises(ValueError, match="masker"):
        EEG2fMRIRegressor("calhas").fit(X, y, groups)
    with pytest.raises(ValueError, match="features='raw'"):
        EEG2fMRIRegressor("bricman_dense").fit(X, y, groups)


def test_defaults():
    assert EEG2fMRIRegressor().architecture == "residual"
    assert Residual().get_params()["n_networks"] == 4
