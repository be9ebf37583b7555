"""From recordings to scores with what users have: open maskers, searches, pipelines."""

import nibabel
import numpy as np
import pytest
import sklearn
from nilearn.maskers import NiftiMasker
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mne_sbi import EEG2fMRIRegressor, make_pairs, simulate_eeg_fmri
from mne_sbi.eeg_fmri import HRFRidge, evaluate


@pytest.fixture(scope="module")
def simulated():
    return simulate_eeg_fmri(
        3,
        n_volumes=40,
        montage="biosemi16",
        voxel_size=0.012,
        random_state=0,
        verbose=False,
    )


def make(simulated, masker):
    return make_pairs(simulated.raws, simulated.images, masker, verbose=False)


def test_the_person_stands_in_the_recording(simulated):
    pairs = make(simulated, simulated.masker)
    assert list(dict.fromkeys(pairs.groups)) == simulated.subjects


def test_a_masker_without_a_mask_can_be_copied_afterwards(simulated):
    pairs = make(simulated, NiftiMasker(mask_strategy="epi", standardize=None))
    assert pairs.masker.t_r == 2.0
    model = EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker)
    evaluation = evaluate(model, *pairs, baselines=False)
    assert np.isfinite(evaluation.predictions).all()
    model.fit(pairs.X, pairs.y, pairs.groups)
    img = model.predict_img(pairs.X[:3])
    np.testing.assert_allclose(img.header.get_zooms(), (12, 12, 12, 2), rtol=1e-6)


def test_one_that_was_fitted_before_too(simulated):
    masker = NiftiMasker(mask_strategy="epi", standardize=None)
    masker.fit(simulated.images[0])
    pairs = make(simulated, masker)
    assert masker.mask_img is None  # what was given is as it was
    evaluate(
        EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker), *pairs, baselines=False
    )


def test_a_masker_with_another_repetition_time_is_refused(simulated):
    masker = NiftiMasker(simulated.masker.mask_img, standardize=None, t_r=3.0)
    with pytest.raises(ValueError, match="masker has t_r=3 s, but the scans have 2 s"):
        make(simulated, masker)


def test_an_image_needs_a_repetition_time(simulated):
    pairs = make(simulated, simulated.masker)
    masker = NiftiMasker(simulated.masker.mask_img, standardize=None)
    model = EEG2fMRIRegressor(HRFRidge(2.0), masker=masker)
    model.fit(pairs.X, pairs.y, pairs.groups)
    with pytest.raises(ValueError, match="needs the repetition time"):
        model.predict_img(pairs.X)


def test_a_scan_whose_header_does_not_agree(simulated):
    image = simulated.images[0]
    other = nibabel.Nifti1Image(image.dataobj, image.affine, image.header.copy())
    other.header.set_zooms((12, 12, 12, 2.5))
    with pytest.raises(ValueError, match="2.5"):
        make_pairs(simulated.raws[0], other, simulated.masker, t_r=2.0)


class Listener(RegressorMixin, BaseEstimator):
    """Notes which people it was fitted to."""

    heard = []

    def fit(self, X, y, groups=None):
        self.heard.append(None if groups is None else tuple(np.unique(groups)))
        self.mean_ = y.mean(axis=0)
        return self

    def predict(self, X):
        return np.tile(self.mean_, (len(X), 1))


@pytest.mark.parametrize("routing", [False, True])
def test_a_search_is_told_the_people(simulated, routing):
    pairs = make(simulated, simulated.masker)
    with sklearn.config_context(enable_metadata_routing=routing):
        model = EEG2fMRIRegressor(HRFRidge(2.0))
        if routing:
            model.set_fit_request(groups=True)
        search = GridSearchCV(
            model, {"architecture__alpha": [1.0, 100.0]}, cv=LeaveOneGroupOut()
        )
        evaluation = evaluate(search, *pairs, baselines=False)
    assert np.isfinite(evaluation.predictions).all()


@pytest.mark.parametrize("routing", [False, True])
def test_a_pipeline_is_told_the_people(simulated, routing):
    pairs = make(simulated, simulated.masker)
    with sklearn.config_context(enable_metadata_routing=routing):
        listener = Listener()
        if routing:
            listener.set_fit_request(groups=True)
        Listener.heard.clear()
        evaluate(
            make_pipeline(FunctionTransformer(), listener), *pairs, baselines=False
        )
    assert Listener.heard == [("02", "03"), ("01", "03"), ("01", "02")]


def test_ridge_is_not_compared_with_itself(simulated):
    pairs = make(simulated, simulated.masker)
    evaluation = evaluate(EEG2fMRIRegressor(HRFRidge(2.0)), *pairs)
    assert "ridge" in evaluation.missing


def test_short_fast_scans_are_not_called_copies():
    """Predictions without power at high frequencies, where they correlate by chance."""
    made = simulate_eeg_fmri(
        5,
        n_volumes=100,
        t_r=0.8,
        montage="biosemi16",
        voxel_size=0.015,
        random_state=4,
        verbose=False,
    )
    pairs = make(made, made.masker)
    model = EEG2fMRIRegressor("hrf_ridge", masker=pairs.masker)
    evaluation = evaluate(model, *pairs, baselines=False)
    assert "copies previous volumes" not in evaluation.verdicts
    # A tenth of the volume before, added, is found.
    before = np.roll(pairs.y, 1, axis=0)
    before[np.flatnonzero(np.diff(pairs.runs, prepend=-1))] = 0
    cheat = evaluation.predictions + 0.1 * before
    groups, times = pairs.groups, pairs.times
    evaluation = evaluate(Given(), cheat, pairs.y, groups, times, baselines=False)
    assert "copies previous volumes" in evaluation.verdicts


class Given(BaseEstimator):
    """Predicts what stands in X."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X
