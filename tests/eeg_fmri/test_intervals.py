"""How many measured values lie in the intervals that estimators give."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mne_sbi.eeg_fmri import evaluate
from mne_sbi.eeg_fmri._regressor import EEG2fMRIRegressor

GROUPS = np.repeat(["anna", "ben", "cleo"], 150)


class Given(BaseEstimator):
    """Predicts what stands in X, with one standard deviation."""

    def __init__(self, std=2.0):
        self.std = std

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X, return_std=False):
        return (X, np.full(X.shape, self.std)) if return_std else X


@pytest.fixture(scope="module")
def pairs():
    """Six features, what is seen of them, and that with errors of the size 2."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((len(GROUPS), 6))
    visible = X @ rng.standard_normal((6, 25))
    return X, visible, visible + 2 * rng.standard_normal(visible.shape)


@pytest.mark.parametrize(
    # The second: normal values within 0.82 standard deviations.
    "std, expected",
    [(2.0, 0.9), (1.0, 0.5892), (1e9, 1.0), (1e-9, 0.0)],
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_coverage_is_that_of_normal_errors(pairs, std, expected, in_pipeline):
    _, visible, y = pairs
    model = Given(std)
    if in_pipeline:
        model = make_pipeline(FunctionTransformer(), model)
    evaluation = evaluate(model, visible, y, GROUPS, baselines=False)
    assert (np.abs(evaluation.table["coverage"] - expected) < 0.03).all()
    assert ("overconfident" in evaluation.verdicts) == (expected < 0.85)
    assert "coverage" in repr(evaluation)


def test_coverage_of_ridge_in_new_people_is_what_it_says(pairs):
    X, _, y = pairs
    evaluation = evaluate(EEG2fMRIRegressor("hrf_ridge"), X, y, GROUPS)
    coverage = evaluation.table.set_index("predictor")["coverage"]
    assert (np.abs(coverage["model"] - 0.9) < 0.03).all()
    assert coverage[["mean volume", "previous volume"]].isna().all()


def test_estimators_without_intervals_have_no_coverage(pairs):
    X, visible, y = pairs
    evaluation = evaluate(Ridge(), X, y, GROUPS, baselines=False)
    assert evaluation.table["coverage"].isna().all()
    assert "coverage" not in repr(evaluation)
    assert "overconfident" not in evaluation.verdicts
    # A pipeline that routes arguments wants to be asked for each.
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(FunctionTransformer(), Given())
        evaluation = evaluate(model, visible, y, GROUPS, baselines=False)
    assert evaluation.table["coverage"].isna().all()


def test_dummies_that_return_zeros_have_none(pairs):
    X, _, y = pairs
    evaluation = evaluate(DummyRegressor(), X, y, GROUPS, baselines=False)
    assert evaluation.table["coverage"].isna().all()
    assert "overconfident" not in evaluation.verdicts


def test_intervals_of_another_shape_or_sign(pairs):
    _, visible, y = pairs

    class Flat(Given):
        def predict(self, X, return_std=False):
            return X, np.ones(len(X))

    shapes = r"predictions, \(150, 25\), got the shape \(150,\)"
    with pytest.raises(ValueError, match=shapes):
        evaluate(Flat(), visible, y, GROUPS, baselines=False)
    with pytest.raises(ValueError, match="3750 values negative, infinite or NaN"):
        evaluate(Given(-1.0), visible, y, GROUPS, baselines=False)
