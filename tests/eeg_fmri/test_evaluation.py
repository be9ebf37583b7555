import pickle
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from scipy.signal import lfilter
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut
from sklearn.neighbors import KNeighborsRegressor

from mne_sbi.eeg_fmri._baselines import Baselines, motion_features
from mne_sbi.eeg_fmri._evaluate import evaluate
from mne_sbi.eeg_fmri._hrf import hrf_basis
from mne_sbi.eeg_fmri._regressor import EEG2fMRIRegressor
from mne_sbi.eeg_fmri._splits import BlockedWithinPerson, LeakageWarning

N, N_PEOPLE, T_R = 100, 4, 2.0
GROUPS = np.repeat(["anna", "ben", "cleo", "dora"], N)
TIMES = np.tile(T_R * np.arange(N), N_PEOPLE)
BANDS = ("delta", "theta", "alpha", "beta", "gamma")


def slow(rng, n_columns, pole=0.9):
    """Autocorrelated noise, separate for each person."""
    white = rng.standard_normal((N_PEOPLE, N + 50, n_columns))
    made = lfilter([1], [1, -pole], white, axis=1)[:, 50:]
    return made.reshape(-1, n_columns) * np.sqrt(1 - pole**2)


def center(y):
    return np.concatenate([p - p.mean(axis=0) for p in np.split(y, N_PEOPLE)])


def linear_data(seed=0, noise=2.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((len(GROUPS), 6))
    visible = X @ rng.standard_normal((6, 25))
    y = visible + noise * rng.standard_normal(visible.shape)
    return X, center(y), visible


class Given(BaseEstimator):
    """Predicts what stands in X."""

    def __init__(self, change=None):
        self.change = change

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X if self.change is None else self.change(X)


# ------------------------------------------------------------------------- scores
def test_scores_are_those_of_a_loop_over_people():
    X, y, _ = linear_data()
    evaluation = evaluate(Ridge(), X, y, GROUPS, TIMES, baselines=False)
    table = evaluation.table.set_index("person")
    assert evaluation.people == ("anna", "ben", "cleo", "dora")
    for number, person in enumerate(evaluation.people):
        test = person == GROUPS
        p = Ridge().fit(X[~test], y[~test]).predict(X[test])
        np.testing.assert_allclose(
            evaluation.predictions[test], p, rtol=1e-5, atol=1e-6
        )
        sse, own = ((y[test] - p) ** 2).sum(), (y[test] - y[test].mean(axis=0)) ** 2
        assert table.loc[person, "skill"] == pytest.approx(1 - sse / own.sum())
        r = [np.corrcoef(a, b)[0, 1] for a, b in zip(p.T, y[test].T, strict=True)]
        np.testing.assert_allclose(evaluation.r[number], r, atol=1e-5)
        assert table.loc[person, "r"] == pytest.approx(np.mean(r))
    assert evaluation.verdicts == {}


def test_what_eeg_can_explain_reaches_the_whole_ceiling():
    _, y, visible = linear_data()
    evaluation = evaluate(
        Given(), visible, y, GROUPS, TIMES, ceiling=visible, baselines=False
    )
    table = evaluation.table
    np.testing.assert_allclose(table["fraction_of_ceiling"], 1, rtol=1e-6)
    rng = np.random.default_rng(5)
    noisy = visible + visible.std() * rng.standard_normal(visible.shape)
    table = evaluate(
        Given(), noisy, y, GROUPS, TIMES, ceiling=visible, baselines=False
    ).table
    np.testing.assert_allclose(table["fraction_of_ceiling"], np.sqrt(0.5), atol=0.05)


def test_summary_averages_people_and_counts_those_above_their_null():
    X, y, _ = linear_data()
    # One person's EEG has nothing to do with the fMRI.
    X[:N] = np.random.default_rng(9).standard_normal((N, 6))
    evaluation = evaluate(LinearRegression(), X, y, GROUPS, TIMES, random_state=0)
    table, summary = evaluation.table, evaluation.summary()
    model = table[table["predictor"] == "model"]
    row = summary.loc["model"]
    assert row["n_above"] == 3 and row["n_people"] == 4
    assert row["skill"] == pytest.approx(model["skill"].mean())
    assert row["worst_skill"] == model["skill"].min()
    assert row["worst_person"] == "anna"
    # The mean over people is known better than each of them.
    assert 0 < row["r_null95"] < model["r_null95"].mean()
    assert row["p"] == pytest.approx(1e-4, rel=0.01)


def test_result_prints_as_a_small_table_and_survives_pickling():
    X, y, _ = linear_data()
    evaluation = evaluate(Ridge(), X, y, GROUPS, TIMES)
    text = repr(evaluation)
    assert "leave_one_person_out, 4 people, 400 volumes, 25 targets" in text
    assert "motion only (no head motion was given: Baselines(motion=...))" in text
    assert text.splitlines()[-1].startswith("8 checks passed; not checked: ridge (X of")
    assert len(text.splitlines()) < 12
    assert not evaluation.predictions.flags.writeable
    again = pickle.loads(pickle.dumps(evaluation))
    assert repr(again) == text and not again.r.flags.writeable


def test_all_checks_can_be_made():
    X = band_power()
    rng = np.random.default_rng(0)
    visible = center(X[:, 0, 2] @ rng.standard_normal((10, 25)))
    y = visible + center(rng.standard_normal(visible.shape))
    model = EEG2fMRIRegressor(t_r=T_R, target="voxels", random_state=0)
    baselines = Baselines(bands=("theta", "alpha", "beta"), motion=slow(rng, 6))
    evaluation = evaluate(
        model, X[:, :, :3], y, GROUPS, TIMES, baselines=baselines, ceiling=visible
    )
    n = len(evaluation.verdicts)
    expected = f"{11 - n} of 11 checks passed" if n else "11 checks passed"
    assert evaluation.checks == expected


def test_keeping_no_predictions():
    X, y, _ = linear_data()
    kwargs = {"baselines": False, "keep_predictions": False}
    assert evaluate(Ridge(), X, y, GROUPS, **kwargs).predictions is None


@pytest.mark.parametrize("shape", [(), (25,), (5, 5, 1)])
def test_models_get_and_return_fmri_in_its_own_shape(shape):
    X, y, _ = linear_data()
    y = y[:, 0] if shape == () else y.reshape(-1, *shape)
    seen = []

    class Watching(Given):
        def fit(self, X, y):
            seen.append(y.shape)
            return self

        def predict(self, X):
            return np.ones((len(X), *shape))

    evaluation = evaluate(Watching(), X, y, GROUPS, TIMES, baselines=False)
    assert evaluation.predictions.shape == (400, *shape)
    assert set(seen) == {(300, *shape)}


def test_people_are_passed_to_fit_where_it_takes_them():
    X, y, _ = linear_data()
    seen = []

    class Grouped(Given):
        def fit(self, X, y, groups=None):
            seen.append(set(groups))
            return self

        def predict(self, X):
            return np.zeros((len(X), 25))

    evaluate(Grouped(), X, y, GROUPS, TIMES, baselines=False)
    assert [len(people) for people in seen] == [3] * 4


def test_folds_in_parallel_give_the_same():
    X, y, _ = linear_data()
    one = evaluate(Ridge(), X, y, GROUPS, TIMES, baselines=False)
    with parallel_config("threading"):
        two = evaluate(Ridge(), X, y, GROUPS, TIMES, baselines=False, n_jobs=2)
    np.testing.assert_array_equal(one.predictions, two.predictions)


# -------------------------------------------------------------------------- leaks
def test_random_features_leak_through_shuffling_and_not_through_blocks():
    """Slow EEG and slow fMRI without any relation; neighbours resemble each other."""
    rng = np.random.default_rng(0)
    X, y = slow(rng, 8, 0.95), center(slow(rng, 20, 0.95))
    model = KNeighborsRegressor(3)
    kwargs = {"baselines": False, "random_state": 0}
    results = {
        cv: evaluate(model, X, y, GROUPS, TIMES, cv=cv, **kwargs)
        for cv in ("shuffled", "within_person", "leave_one_person_out")
    }
    r = {cv: result.summary().loc["model", "r"] for cv, result in results.items()}
    assert r["shuffled"] > 0.6
    assert abs(r["within_person"]) < 0.15 and abs(r["leave_one_person_out"]) < 0.15
    assert results["shuffled"].leaks and "(LEAKS)" in repr(results["shuffled"])
    assert not results["within_person"].leaks
    assert not results["leave_one_person_out"].leaks


def test_a_splitter_that_leaks_warns_by_name():
    X, y, _ = linear_data()
    message = r"KFold leaks: 400 of 400 test pairs .* nearer than 30 s.*gap=15"
    with pytest.warns(LeakageWarning, match=message) as caught:
        evaluation = evaluate(
            Ridge(), X, y, GROUPS, TIMES, cv=KFold(5, shuffle=True, random_state=0)
        )
    assert caught[0].filename == __file__
    assert evaluation.leaks and evaluation.cv == "KFold"
    assert "nearer than 30 s" in evaluation.warnings[0]
    assert "warning: KFold leaks" in repr(evaluation)


@pytest.mark.parametrize(
    "cv", [LeaveOneGroupOut(), GroupKFold(2), BlockedWithinPerson(3, gap=15)]
)
def test_splitters_that_do_not_leak_do_not_warn(cv):
    X, y, _ = linear_data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluation = evaluate(Ridge(), X, y, GROUPS, TIMES, cv=cv, baselines=False)
    assert not evaluation.leaks


def test_without_times_the_gap_is_in_volumes():
    X, y, _ = linear_data()
    with pytest.warns(LeakageWarning, match="nearer than 10 volumes"):
        evaluate(Ridge(), X, y, GROUPS, cv=BlockedWithinPerson(2, gap=3), gap=10)


def test_pairs_that_are_not_tested_do_not_count():
    X, y, _ = linear_data()
    splits = [(np.arange(100, 400), np.arange(100))]
    evaluation = evaluate(Ridge(), X, y, GROUPS, TIMES, cv=splits)
    assert evaluation.people == ("anna",)
    assert np.isnan(evaluation.predictions[100:]).all()
    assert evaluation.table["n_volumes"].unique().tolist() == [100]


# ---------------------------------------------------------------------- baselines
def band_power(seed=0):
    """Band power with lags of its own history, and without any relation to people."""
    rng = np.random.default_rng(seed)
    n_lags = 10
    power = rng.standard_normal((N_PEOPLE, N + n_lags, 3, 5))
    lags = [power[:, n_lags - k : n_lags - k + N] for k in range(n_lags)]
    X = np.stack(lags, axis=-1).reshape(-1, 3, 5, n_lags)
    return X.astype(np.float32)


def test_baselines_find_what_they_are_about():
    rng = np.random.default_rng(1)
    X = band_power()
    response = hrf_basis(10, T_R)[:, 0]
    alert = (X[:, :, 2] - X[:, :, 1]).mean(axis=1) @ response
    one_electrode = X[:, 0, 3] @ response
    motion = slow(rng, 6)
    y = np.empty((400, 30))
    y[:, :10] = alert[:, None]
    y[:, 10:20] = one_electrode[:, None]
    y[:, 20:] = motion[:, :1]
    y = center(y / y.std(axis=0) + 0.5 * rng.standard_normal(y.shape))
    evaluation = evaluate(
        Ridge(), X.reshape(400, -1), y, GROUPS, TIMES,
        baselines=Baselines(band_power=X, motion=motion),
    )  # fmt: skip
    r = evaluation.summary()["r"]
    expected = 1 / np.sqrt(1.25)  # of what is predicted without error
    # A third of the targets each; ridge regression finds the first two thirds.
    assert r["vigilance only"] == pytest.approx(expected / 3, abs=0.05)
    assert r["motion only"] == pytest.approx(expected / 3, abs=0.05)
    assert r["ridge"] == pytest.approx(2 * expected / 3, abs=0.05)
    assert r["mean volume"] == r["own mean volume"] == 0
    assert evaluation.missing == {}
    needs = evaluation.table.groupby("predictor")["needs_fmri"].first()
    assert set(needs[needs].index) == {"own mean volume", "previous volume"}
    assert "below ridge" in evaluation.verdicts


@pytest.mark.parametrize("cv", ["leave_one_person_out", "within_person", "shuffled"])
def test_means_have_no_skill_however_pairs_are_split(cv):
    X, y, _ = linear_data()
    y = center(slow(np.random.default_rng(2), 25))
    table = evaluate(Ridge(), X, y, GROUPS, TIMES, cv=cv, random_state=0).table
    own = table[table.predictor == "own mean volume"]
    np.testing.assert_allclose(own["skill"], 0, atol=1e-9)
    mean = table[table.predictor == "mean volume"]
    assert (mean["skill"] <= 1e-9).all() and (mean["r"] == 0).all()


def test_previous_volume_is_the_volume_before_of_the_same_person():
    X, y, _ = linear_data()
    y = center(slow(np.random.default_rng(2), 25))
    table = evaluate(Ridge(), X, y, GROUPS, TIMES).table
    row = table[(table.predictor == "previous volume") & (table.person == "ben")]
    mine = y[GROUPS == "ben"]
    sse = ((mine[1:] - mine[:-1]) ** 2).sum() + (mine[0] ** 2).sum()
    assert row["r2"].item() == pytest.approx(1 - sse / (mine**2).sum(), abs=1e-5)
    assert row["r2"].item() > 0.5 and row["skill"].item() <= 0.01
    assert row["reference"].item() == "previous volumes"


def test_ridge_is_not_compared_with_itself():
    X = band_power()
    y = center(np.random.default_rng(0).standard_normal((400, 4)))
    model = EEG2fMRIRegressor("hrf_ridge", t_r=T_R, target="voxels")
    evaluation = evaluate(model, X, y, GROUPS, TIMES)
    assert evaluation.missing["ridge"] == "the model is that itself"
    assert "vigilance only" in evaluation.summary().index


def test_why_baselines_are_missing():
    X = band_power()
    y = center(np.random.default_rng(0).standard_normal((400, 4)))
    model = Given(lambda X: X[:, 0, :4, 0])
    missing = evaluate(model, X[:, :, :4], y, GROUPS, TIMES).missing
    assert "is not band power of 5 bands" in missing["ridge"]
    baselines = Baselines(bands=("slow", "alpha", "beta", "gamma"))
    evaluation = evaluate(model, X[:, :, :4], y, GROUPS, TIMES, baselines=baselines)
    assert "no bands alpha and theta" in evaluation.missing["vigilance only"]
    assert "ridge" in evaluation.summary().index


def test_motion_has_lags_and_changes_within_a_recording():
    motion = np.random.default_rng(0).standard_normal((20, 2))
    recording = np.repeat([0, 1], 10)
    features = motion_features(motion, recording)
    assert features.shape == (20, 12)
    for rows in (slice(0, 10), slice(10, 20)):
        here = motion[rows]
        # Of the volume before, the change since the one before that.
        change = np.concatenate([[0, 0], np.diff(here[:, 1])[:-1]])
        expected = (change - change.mean()) / change.std()
        np.testing.assert_allclose(features[rows, 7], expected, atol=1e-5)
    still = motion_features(np.ones((10, 6)), np.zeros(10, dtype=int))
    np.testing.assert_array_equal(still, 0)


# ------------------------------------------------------------------------- images
def test_a_masker_scores_images():
    nibabel = pytest.importorskip("nibabel")
    from nilearn.maskers import NiftiMasker

    mask = np.zeros((6, 6, 3), dtype=np.int8)
    mask[1:5, 1:5] = 1  # 48 voxels
    masker = NiftiMasker(nibabel.Nifti1Image(mask, np.eye(4)), standardize=None).fit()
    rng = np.random.default_rng(0)
    visible = slow(rng, 48)
    y = center(visible + rng.standard_normal(visible.shape))
    kwargs = {"baselines": False, "masker": masker}
    row = evaluate(Given(), y, y, GROUPS, TIMES, **kwargs).summary().loc["model"]
    assert row["ssim"] == pytest.approx(1) and row["ssim_shuffled"] < 0.5
    evaluation = evaluate(Given(), visible, y, GROUPS, TIMES, **kwargs)
    assert 0.1 < evaluation.summary().loc["model", "ssim"] < 0.95
    with pytest.raises(ValueError, match="masker has 48 voxels, but y has 40 columns"):
        evaluate(Given(), y[:, :40], y[:, :40], GROUPS, TIMES, **kwargs)


# -------------------------------------------------------------------------- errors
def bad(X, y, **kwargs):
    kwargs.setdefault("baselines", False)
    groups = kwargs.pop("groups", GROUPS)
    estimator = kwargs.pop("estimator", Ridge())
    return evaluate(estimator, X, y, groups, kwargs.pop("times", TIMES), **kwargs)


def test_values_that_are_not_numbers_are_counted():
    X, y, _ = linear_data()
    X[3, 2] = X[5, 1] = np.nan
    with pytest.raises(ValueError, match="X must be finite, but 2 of its 2400"):
        bad(X, y)
    X, y, _ = linear_data()
    y[0, :3] = np.inf
    with pytest.raises(ValueError, match="y must be finite, but 3 of its 10000"):
        bad(X, y)


def test_predictions_that_are_not_numbers_or_have_another_shape():
    X, y, _ = linear_data()
    lost = Given(lambda X: np.full((len(X), 25), np.nan))
    with pytest.raises(ValueError, match="Given predicted 2500 values in fold 0"):
        bad(X, y, estimator=lost)
    with pytest.raises(ValueError, match=r"shape \(100, 6\) in fold 0, expected \(100"):
        bad(X, y, estimator=Given())


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"groups": None}, ValueError, "Use cv='within_person'"),
        ({"groups": GROUPS[1:]}, ValueError, "groups must have shape"),
        ({"times": TIMES[1:]}, ValueError, "times must have shape"),
        ({"ceiling": np.zeros((400, 3))}, ValueError, "ceiling must have shape"),
        ({"gap": 0}, ValueError, "gap must be positive"),
        ({"gap": 150.0}, ValueError, "smaller gap="),
        ({"baselines": "all"}, TypeError, "baselines must be True, False or"),
        ({"cv": "loso"}, ValueError, "Invalid value for 'cv'"),
        ({"groups": np.r_[GROUPS[:-10], ["eve"] * 10]}, ValueError, "eve has 10 vol"),
    ],
)
def test_arguments_that_do_not_fit(change, error, message):
    X, y, _ = linear_data()
    with pytest.raises(error, match=message):
        bad(X, y, **change)


def test_eeg_and_fmri_of_different_lengths():
    X, y, _ = linear_data()
    with pytest.raises(ValueError, match="X has 399 pairs, but y has 400"):
        bad(X[1:], y)
    with pytest.raises(ValueError, match="X must have shape"):
        bad(X[:, 0], y)
