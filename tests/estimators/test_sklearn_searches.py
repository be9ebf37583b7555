"""Inverters among other estimators: nested settings, searches, pipelines, tables."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import mne_sbi.estimators._observation as observation

FREQS = np.linspace(4, 40, 6)
GROUPS = [0, 0, 1, 1, 2, 2]


# Settings of settings.


@pytest.mark.parametrize(
    "kind, settings",
    [
        ("SGMInverter", {"method__quantile": 0.2}),
        ("ModelInverter", {"method__quantile": 0.2, "features__scaling": "demean"}),
        ("ModelInverter", {"model__variant": "jin2023", "model__freqs": FREQS + 1}),
        ("Hopf", {"model__sfreq": 120.0, "features__window": 0.5}),
    ],
)
def test_nested_settings(make_estimator, inputs, kind, settings):
    X = inputs["series" if kind == "Hopf" else "array"]
    estimator = make_estimator(kind)
    untouched = clone(estimator)
    assert estimator.get_params().keys() >= settings.keys()
    assert estimator.set_params(**settings) is estimator
    found = estimator.get_params()
    for name, value in settings.items():
        assert found[name] is value
    pipeline = Pipeline([("inverter", untouched)])
    pipeline.set_params(**{f"inverter__{k}": v for k, v in settings.items()})
    expected = estimator.fit(X).predict(X)
    np.testing.assert_array_equal(pipeline.fit(X).predict(X), expected)
    assert repr(estimator.method_) == repr(estimator.method)


def test_settings_that_do_not_exist(make_estimator):
    for name in ("quantile", "method__quantiles", "model__connectom"):
        with pytest.raises(ValueError, match="Invalid parameter"):
            make_estimator("ModelInverter").set_params(**{name: 1})


# Grid search.


@pytest.fixture
def calls(monkeypatch):
    """The calls that simulate a bank."""
    calls = []
    simulate = observation.simulate

    def counted(*args, **kwargs):
        calls.append(args)
        return simulate(*args, **kwargs)

    monkeypatch.setattr(observation, "simulate", counted)
    return calls


@pytest.mark.parametrize("held", ["array", "raws", "epochs", "estimates"])
@pytest.mark.parametrize("on_disk", [False, True])
def test_grid_search_simulates_once(
    make_estimator, inputs, calls, tmp_path, held, on_disk
):
    X = inputs[held]
    bank = make_estimator("ModelInverter").fit(X).bank_
    if on_disk:
        bank.save(tmp_path / "bank.h5")
        bank = tmp_path / "bank.h5"
    grid = {
        "inverter__method__quantile": [0.05, 0.2],
        "inverter__features__scaling": ["demean", "zscore"],
    }
    pipeline = Pipeline([("inverter", make_estimator("ModelInverter"))])
    pipeline.set_params(inverter__simulations=bank)
    search = GridSearchCV(pipeline, grid, cv=GroupKFold(3), error_score="raise")
    search.fit(X, groups=GROUPS)
    assert len(calls) == 1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (6, 5)


@pytest.mark.slow
@pytest.mark.parametrize("held", ["array", "raws", "epochs"])
def test_processes_give_the_same(make_estimator, inputs, held):
    X, inverter = inputs[held], make_estimator("SGMInverter")
    grid = {"method__quantile": [0.05, 0.2]}
    searches = [
        GridSearchCV(inverter, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X)
        for n_jobs in (1, 2)
    ]
    one, two = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_array_equal(one, two)
    fitted = make_estimator("SGMInverter").fit(X)
    single = [X[i : i + 1] for i in range(6)]
    with joblib.parallel_config("loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(fitted.predict)(row) for row in single)
    np.testing.assert_array_equal(np.concatenate(found), fitted.predict(X))


# With other estimators.


def test_before_a_classifier(make_estimator, raws):
    """A pipeline hands y to every step: the inverter must be frozen, or it learns y."""
    y = [0, 0, 0, 1, 1, 1]
    fitted = make_estimator("SGMInverter").fit(raws)
    theta = fitted.predict(raws)
    pipeline = make_pipeline(
        FrozenEstimator(fitted), StandardScaler(), LogisticRegression()
    )
    by_hand = make_pipeline(StandardScaler(), LogisticRegression()).fit(theta, y)
    found = pipeline.fit(raws, y).predict_proba(raws)
    np.testing.assert_array_equal(found, by_hand.predict_proba(theta))
    scores = cross_val_score(pipeline, raws, y, cv=LeaveOneGroupOut(), groups=GROUPS)
    assert scores.shape == (3,)


def test_names_of_columns(make_estimator, inputs):
    """Columns of a table are compared by name, also where they are spectra."""
    x = inputs["array"].reshape(6, 30)
    table = pd.DataFrame(x, columns=[f"x{i}" for i in range(30)])
    inverter = make_estimator("SGMInverter").fit(table)
    assert list(inverter.feature_names_in_) == list(table.columns)
    expected = inverter.predict(inputs["array"])
    np.testing.assert_array_equal(inverter.predict(table), expected)
    with pytest.raises(ValueError, match="feature names should match"):
        inverter.predict(table[table.columns[::-1]])
    named = table.set_axis([f"sub-{i}" for i in range(6)])
    frame = inverter.set_output(transform="pandas").transform(named)
    assert list(frame.index) == list(named.index)


def test_a_fit_forgets_the_one_before(make_estimator, inputs):
    """Arrays, recordings, tables and pairs, one after the other in any order."""
    x = inputs["array"].reshape(6, 30)
    table = pd.DataFrame(x, columns=[f"x{i}" for i in range(30)])
    theta = np.random.default_rng(0).uniform(0.2, 0.8, (6, 2))
    fits = {
        "array": (inputs["array"], None),
        "table": (table, None),
        "raws": (inputs["raws"], None),
        "pairs": (np.tile(x[:, :4], (3, 1)), np.tile(theta, (3, 1))),
        "estimates": (inputs["estimates"], None),
    }
    expected = {}
    for name, (X, y) in fits.items():
        fitted = make_estimator("SGMInverter").fit(X, y)
        expected[name] = fitted.predict(X), {n for n in vars(fitted) if n[-1] == "_"}
    inverter = make_estimator("SGMInverter")
    order = ["table", "pairs", "raws", "array", "estimates", "table", "raws", "pairs"]
    for name in order:
        X, y = fits[name]
        np.testing.assert_array_equal(inverter.fit(X, y).predict(X), expected[name][0])
        assert {n for n in vars(inverter) if n[-1] == "_"} == expected[name][1], name


def test_one_recording_is_not_taken_apart(make_estimator, raws, estimates):
    """scikit-learn and MNE-Python refuse before the inverter sees anything."""
    inverter = make_estimator("SGMInverter")
    with pytest.raises(IndexError, match="All picks must be < n_channels"):
        cross_val_score(inverter, raws[0], cv=2, error_score="raise")
    with pytest.raises(TypeError, match="at least 1 dimension.*SourceEstimate"):
        cross_val_score(inverter, estimates[0], cv=2, error_score="raise")
    # What does come through says what to do.
    pieces = [raws[0][i % 5] for i in range(6)]
    with pytest.raises(TypeError, match=r"make_fixed_length_epochs\(raw, duration"):
        cross_val_score(inverter, pieces, cv=2, error_score="raise")
