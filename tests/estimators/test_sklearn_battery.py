"""What scikit-learn's checks do not try: 3-D arrays, and objects of MNE-Python."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline

GROUPS = [0, 0, 1, 1, 2, 2]

CELLS = [
    ("SGMInverter", "array"),
    ("SGMInverter", "raws"),
    ("SGMInverter", "epochs"),
    ("SGMInverter", "list of epochs"),
    ("SGMInverter", "estimates"),
    ("ModelInverter", "array"),
    ("ModelInverter", "raws"),
    ("ModelInverter", "epochs"),
    ("ModelInverter", "estimates"),
    ("Hopf", "series"),
    ("Hopf", "raws"),
    ("Hopf", "epochs"),
    ("Hopf", "estimates"),
    ("EpochsToArray", "series"),
    ("EpochsToArray", "epochs"),
    ("EpochsToArray", "list of epochs"),
]
every_cell = pytest.mark.parametrize("kind, held", CELLS, ids=map("-".join, CELLS))


def take(X, rows):
    """Take observations as scikit-learn's splitters do, but of Epochs as MNE does."""
    if isinstance(X, list):
        return [X[row] for row in rows]
    return X[rows]


# Of every estimator on every kind of input.


@every_cell
def test_clone_knows_the_settings_and_nothing_else(make_estimator, inputs, kind, held):
    fitted = make_estimator(kind).fit(inputs[held])
    again = clone(fitted)
    assert repr(again.get_params(deep=False)) == repr(fitted.get_params(deep=False))
    assert not [name for name in vars(again) if name.endswith("_")]
    with pytest.raises(NotFittedError, match="Call 'fit'"):
        again.transform(inputs[held])


@every_cell
def test_fit_leaves_settings_and_data_alone(make_estimator, inputs, kind, held):
    estimator = make_estimator(kind)
    before = estimator.get_params(deep=False)
    described = repr(estimator.get_params())
    X = inputs[held]
    copied = copy.deepcopy(X)
    estimator.fit(X).transform(X)
    after = estimator.get_params(deep=False)
    assert all(after[name] is value for name, value in before.items())
    assert repr(estimator.get_params()) == described
    for pair in zip(list(X), list(copied), strict=True):
        if hasattr(pair[0], "get_data"):
            pair = [x.get_data() for x in pair]
        elif hasattr(pair[0], "vertices"):
            pair = [x.data for x in pair]
        np.testing.assert_array_equal(*pair)


@every_cell
def test_fitting_again_gives_the_same(make_estimator, inputs, kind, held):
    X = inputs[held]
    estimator = make_estimator(kind).fit(X)
    first = estimator.transform(X)
    assert estimator.fit(X) is estimator
    np.testing.assert_array_equal(estimator.transform(X), first)
    np.testing.assert_array_equal(clone(estimator).fit(X).transform(X), first)
    np.testing.assert_array_equal(clone(estimator).fit_transform(X), first)
    pipeline = Pipeline([("step", clone(estimator))])
    np.testing.assert_array_equal(pipeline.fit(X).transform(X), first)


@every_cell
def test_order_and_company_of_observations(make_estimator, inputs, kind, held):
    X = inputs[held]
    estimator = make_estimator(kind).fit(X)
    together = estimator.transform(X)
    order = [3, 0, 5, 1, 4, 2]
    np.testing.assert_array_equal(estimator.transform(take(X, order)), together[order])
    for row in (0, 5):
        alone = estimator.transform(take(X, [row]))
        np.testing.assert_array_equal(alone, together[[row]])


@every_cell
@pytest.mark.parametrize("way", ["pickle", "joblib", "joblib, memory-mapped"])
def test_pickles(make_estimator, inputs, tmp_path, kind, held, way):
    X = inputs[held]
    estimator = make_estimator(kind).fit(X)
    if way == "pickle":
        again = pickle.loads(pickle.dumps(estimator))
    else:
        joblib.dump(estimator, tmp_path / "estimator.joblib")
        mode = "r" if "mapped" in way else None
        again = joblib.load(tmp_path / "estimator.joblib", mmap_mode=mode)
    np.testing.assert_array_equal(again.transform(X), estimator.transform(X))
    # An unfitted one as well.
    pickle.loads(pickle.dumps(clone(estimator))).fit(X)


INVERTERS = [cell for cell in CELLS if cell[0] != "EpochsToArray"]


every_inverter = pytest.mark.parametrize(
    "kind, held", INVERTERS, ids=map("-".join, INVERTERS)
)


@every_inverter
def test_pandas_output(make_estimator, inputs, kind, held):
    X = inputs[held]
    estimator = make_estimator(kind).set_output(transform="pandas").fit(X)
    table = estimator.transform(X)
    assert isinstance(table, pd.DataFrame) and len(table) == 6
    assert list(table.columns) == list(estimator.get_feature_names_out())
    np.testing.assert_array_equal(table, estimator.predict(X))


@every_inverter
def test_cross_validation(make_estimator, inputs, kind, held):
    X, inverter = inputs[held], make_estimator(kind)
    scores = cross_val_score(inverter, X, cv=3, error_score="raise")
    assert scores.shape == (3,) and np.isfinite(scores).all()
    if held == "epochs":
        return
    # Epochs by groups are what people would have: one list element each.
    for splitter in (LeaveOneGroupOut(), GroupKFold(3)):
        found = cross_val_score(
            inverter, X, groups=GROUPS, cv=splitter, error_score="raise"
        )
        assert found.shape == (3,) and np.isfinite(found).all()
    theta = cross_val_predict(inverter, X, cv=LeaveOneGroupOut(), groups=GROUPS)
    # Nothing is learnt from X, so that each fold has learnt the same.
    np.testing.assert_array_equal(theta, clone(inverter).fit(X).predict(X))
