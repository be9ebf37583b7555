"""What scikit-learn's checks do not try: 3-D arrays, and objects of MNE-Python."""

import copy
import pickle
import sys
from pathlib import Path

import joblib
import mne
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import mne_sbi.estimators._observation as observation
from mne_sbi import EpochsToArray, ModelInverter
from mne_sbi.features import LogPSD
from mne_sbi.models import SpectralGraphModel

NAMES = ["lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula", "lh.precentral"]
FREQS = np.linspace(4, 40, 6)
PARAMETERS = ["tau_e", "tau_i", "alpha", "speed", "tau_g"]
GROUPS = [0, 0, 1, 1, 2, 2]


@pytest.fixture(scope="module")
def raws(make_raw):
    return [make_raw(seed=seed) for seed in range(6)]


@pytest.fixture(scope="module")
def epochs(make_raw):
    raw = make_raw(duration=30.0)
    return mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")


@pytest.fixture(scope="module")
def labels():
    sides = [name.split(".") for name in NAMES]
    vertices = [0, 0, 1, 1, 2]
    return [
        mne.Label([vertex], hemi=hemi, name=f"{region}-{hemi}")
        for (hemi, region), vertex in zip(sides, vertices, strict=True)
    ]


@pytest.fixture(scope="module")
def estimates(raws):
    """The same recordings as sources: three vertices on the left, two on the right."""
    order = [0, 2, 4, 1, 3]
    vertices = [np.array([0, 1, 2]), np.array([0, 1])]
    return [
        mne.SourceEstimate(raw.get_data()[order], vertices, 0, 1 / raw.info["sfreq"])
        for raw in raws
    ]


@pytest.fixture(scope="module")
def inputs(raws, epochs, estimates, spectra):
    """Six observations of every kind that can be taken apart."""
    rng = np.random.default_rng(1)
    return {
        "array": np.concatenate([spectra, spectra[:2] + rng.normal(size=(2, 5, 6))]),
        "series": np.stack([raw.get_data() for raw in raws]),
        "raws": raws,
        "epochs": epochs,
        "list of epochs": [epochs[i] for i in range(6)],
        "estimates": estimates,
    }


@pytest.fixture(scope="module")
def hopf():
    folder = str(Path(__file__).parents[1] / "data" / "plugin_hopf")
    sys.path.insert(0, folder)
    from plugin_hopf import HopfModel

    # It stays importable, for pickle, until the tests of this file are done.
    yield HopfModel
    sys.path.remove(folder)
    del sys.modules["plugin_hopf"]


@pytest.fixture(scope="module")
def make_estimator(make_inverter, connectome, labels, hopf):
    def make_estimator(kind, **settings):
        if kind == "EpochsToArray":
            return EpochsToArray()
        sgm = make_inverter(labels=labels, n_simulations=60, **settings)
        if kind == "SGMInverter":
            return sgm
        shared = sgm.get_params(deep=False)
        for name in ("connectome", "freqs", "variant"):
            del shared[name]
        if kind == "ModelInverter":
            model = SpectralGraphModel(connectome, FREQS)
            features = LogPSD()
        else:
            model = hopf(connectome, sfreq=100.0, duration=4.0)
            features = LogPSD(freqs=FREQS, window=1.0, scaling="demean")
        return ModelInverter(model, **shared | {"features": features})

    return make_estimator


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
    with joblib.parallel_config("loky", n_jobs=2):
        found = joblib.Parallel()(
            joblib.delayed(fitted.predict)(take(X, [row])) for row in range(6)
        )
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
