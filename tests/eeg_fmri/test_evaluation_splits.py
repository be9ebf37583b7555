"""Scores whatever the folds, the recordings and the voxels are."""

import warnings

import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.base import BaseEstimator
from sklearn.linear_model import BayesianRidge, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mne_sbi.eeg_fmri import evaluate

N, PEOPLE = 200, 3
GROUPS = np.repeat(np.arange(PEOPLE), N)
TIMES = np.tile(2.0 * np.arange(N), PEOPLE)


class Given(BaseEstimator):
    """Predicts what stands in X."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X


def score(predicted, y, times=TIMES, estimator=None, **kwargs):
    kwargs = {"baselines": False, "random_state": 0, **kwargs}
    return evaluate(estimator or Given(), predicted, y, GROUPS, times, **kwargs)


def slow(rng, pole, n_columns=20):
    white = rng.standard_normal((PEOPLE, N, n_columns))
    return lfilter([1], [1, -pole], white, axis=1).reshape(-1, n_columns)


@pytest.fixture(scope="module")
def linear():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((len(GROUPS), 4))
    visible = X @ rng.standard_normal((4, 12))
    return X, visible + 3 * rng.standard_normal(visible.shape)


@pytest.mark.filterwarnings("ignore::mne_sbi.eeg_fmri.LeakageWarning")
def test_skill_does_not_depend_on_how_many_volumes_a_fold_tests(linear):
    """Down to six volumes of a person; the model learns the same, but for its data."""
    skills = [
        score(*linear, estimator=Ridge(), cv=KFold(k, shuffle=True, random_state=0))
        .summary()
        .loc["model", "skill"]
        for k in (5, 20, 100)
    ]
    assert skills[0] > 0.25 and np.ptp(skills) < 0.01


def test_means_have_no_skill_within_people_and_noise_has_less():
    rng = np.random.default_rng(1)
    y = slow(rng, 0.98)
    kwargs = {"cv": "within_person", "baselines": True}
    skill = score(y * 0, y, **kwargs).summary()["skill"]
    assert abs(skill["own mean volume"]) < 1e-12
    assert -0.02 < skill["mean volume"] <= 0 and skill["model"] <= 0
    noisy = score(0.1 * rng.standard_normal(y.shape), y, **kwargs).summary()["skill"]
    assert noisy["model"] < skill["model"]


def test_a_mean_for_each_recording_has_no_skill_and_is_named():
    rng = np.random.default_rng(2)
    second = np.tile(np.repeat([0, 1], N // 2), PEOPLE)
    times = np.tile(2.0 * np.arange(N // 2), 2 * PEOPLE)
    y = rng.standard_normal((len(GROUPS), 20)) + np.where(second, 0.7, -0.7)[:, None]
    means = np.stack(
        [
            y[(GROUPS == g) & (second == s)].mean(axis=0)
            for g, s in zip(GROUPS, second, strict=True)
        ]
    )
    evaluation = score(means, y, times)
    np.testing.assert_allclose(evaluation.table["skill"], 0, atol=1e-6)
    assert evaluation.verdicts.keys() >= {"constant", "own mean"}
    # Without times, it is one recording, and the prediction changes.
    assert (score(means, y, None).table["skill"] > 0.2).all()


def test_every_second_volume_cannot_be_tested():
    y = slow(np.random.default_rng(3), 0.6)
    rows = [np.flatnonzero(person == GROUPS) for person in range(PEOPLE)]
    others = [np.flatnonzero(person != GROUPS) for person in range(PEOPLE)]
    every_second = [(a, b[::2]) for a, b in zip(others, rows, strict=True)]
    with pytest.raises(ValueError, match="person 0, 100 of 200 .* 99 gaps .*: test bl"):
        score(y, y, cv=every_second)
    # Two blocks have one gap.
    blocks = [(a, np.r_[b[:80], b[120:]]) for a, b in zip(others, rows, strict=True)]
    assert score(y, y, cv=blocks).table["n_volumes"].tolist() == [160] * PEOPLE


def test_the_ceiling_reaches_itself_within_people_too():
    rng = np.random.default_rng(4)
    visible = slow(rng, 0.3)
    y = visible + slow(rng, 0.98) + 0.5 * rng.standard_normal(visible.shape)
    evaluation = score(visible, y, ceiling=visible, cv="within_person")
    np.testing.assert_allclose(evaluation.table["fraction_of_ceiling"], 1, rtol=1e-5)
    assert "above ceiling" not in evaluation.verdicts


def test_a_ceiling_of_nothing_has_no_fraction(linear):
    X, y = linear
    evaluation = score(X, y, estimator=Ridge(), ceiling=np.zeros_like(y))
    assert evaluation.table["fraction_of_ceiling"].isna().all()
    assert "above ceiling" in evaluation.verdicts


class TooSure(BaseEstimator):
    """Predicts the mean, with half of the standard deviation."""

    def fit(self, X, y):
        self.mean_, self.std_ = y.mean(axis=0), y.std(axis=0)
        return self

    def predict(self, X, return_std=False):
        shape = (len(X), *self.mean_.shape)
        mean, std = (np.broadcast_to(x, shape) for x in (self.mean_, self.std_ / 2))
        return (mean, std) if return_std else mean


def test_voxels_outside_of_the_brain_hide_nothing(linear):
    X, y = linear
    box = np.zeros((len(y), 4, 4, 3))
    box[:, :2, :3, :2] = y.reshape(-1, 2, 3, 2)
    flat, boxed = (score(X, v, estimator=TooSure()) for v in (y, box))
    assert "overconfident" in flat.verdicts and "overconfident" in boxed.verdicts
    np.testing.assert_allclose(boxed.table["coverage"], flat.table["coverage"])


def test_whole_volumes_count_where_the_mask_is(linear):
    import nibabel
    from nilearn.maskers import NiftiMasker

    X, y = linear
    box = np.zeros((len(y), 6, 6, 4))
    mask = np.zeros(box.shape[1:], dtype=np.uint8)
    mask[:2, :3, :2] = 1
    box[:, mask > 0] = y
    masker = NiftiMasker(nibabel.Nifti1Image(mask, np.eye(4)), standardize=None).fit()
    flat, boxed = (
        score(X, v, estimator=TooSure(), masker=masker).table["ssim"] for v in (y, box)
    )
    np.testing.assert_allclose(boxed, flat)
    assert (score(X, box, estimator=TooSure()).table["ssim"] > flat + 0.2).all()
    with pytest.raises(ValueError, match=r"shape \(6, 6, 4\), but the volumes of y"):
        score(X, box[:, :5], estimator=TooSure(), masker=masker)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_regressors_that_drop_a_single_column(linear):
    X, y = linear
    evaluation = score(X, y[:, :1], estimator=BayesianRidge())
    flat = score(X, y[:, 0], estimator=BayesianRidge())
    np.testing.assert_array_equal(evaluation.predictions[:, 0], flat.predictions)
    assert (np.abs(evaluation.table["coverage"] - 0.9) < 0.05).all()


def test_a_search_within_a_pipeline_is_told_the_people(linear):
    X, y = linear
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 9.0]}, cv=GroupKFold(2))
    evaluation = score(X, y, estimator=make_pipeline(StandardScaler(), search))
    assert (evaluation.table["skill"] > 0.2).all()
    # A splitter without people says so for each fold, which is no news.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score(X, y, estimator=GridSearchCV(Ridge(), {"alpha": [1.0, 9.0]}, cv=KFold(2)))


@pytest.mark.filterwarnings("ignore::mne_sbi.eeg_fmri.LeakageWarning")
def test_people_who_are_tested_too_little_are_named_before_anything_is_fitted(linear):
    X, y = linear

    class Never(Given):
        def fit(self, X, y):
            raise AssertionError("fitted")

    def bad(rows, **kwargs):
        parts = (part[rows] for part in (X, y, GROUPS, TIMES))
        evaluate(Never(), *parts, baselines=False, **kwargs)

    short = np.r_[:20, N : 3 * N]
    with pytest.raises(ValueError, match="Person 0 has 20 volumes to test, and .* 24"):
        bad(short, gap=1.0)
    short = np.r_[:29, N : 3 * N]
    with pytest.raises(ValueError, match=r"need 30: .* gap= \(15 volumes\) or more"):
        bad(short)
    cv = [(np.arange(N, 3 * N), np.arange(20))]
    with pytest.raises(ValueError, match=r"20 volumes to test \(of 200; cv= tests no"):
        bad(slice(None), cv=cv)
    with pytest.raises(ValueError, match="Each fold tests one volume of person 0"):
        bad(slice(None), cv=LeaveOneOut())
