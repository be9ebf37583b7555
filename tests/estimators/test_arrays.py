"""EpochsToArray, before the transformers of MNE-Python."""

import mne
import numpy as np
import pandas as pd
import pytest
from mne.decoding import PSDEstimator, Scaler, Vectorizer
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from mne_sbi import EpochsToArray

SFREQ = 100.0
N_EPOCHS = 24


def make_epochs(names="abcd", kinds="eeg", n_times=100, seed=0):
    """Noise, in which every other epoch has a rhythm of 10 Hz."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((N_EPOCHS, len(names), n_times))
    data[::2] += 2 * np.sin(2 * np.pi * 10 * np.arange(n_times) / SFREQ)
    info = mne.create_info(list(names), SFREQ, kinds)
    return mne.EpochsArray(data, info, verbose="error")


y = np.arange(N_EPOCHS) % 2


def test_epochs_lists_and_arrays_give_the_same():
    epochs = make_epochs()
    expected = epochs.get_data()
    transformer = EpochsToArray()
    np.testing.assert_array_equal(transformer.fit_transform(epochs), expected)
    assert transformer.ch_names_ == tuple("abcd") and transformer.sfreq_ == SFREQ
    assert transformer.n_features_in_ == 4
    rows = [3, 1, 2]
    pieces = _safe_indexing(epochs, rows)
    assert isinstance(pieces, list)
    np.testing.assert_array_equal(transformer.transform(pieces), expected[rows])
    np.testing.assert_array_equal(transformer.transform(expected[rows]), expected[rows])
    transformer.fit(expected)
    np.testing.assert_array_equal(transformer.transform(expected), expected)
    assert transformer.ch_names_ is None and transformer.sfreq_ is None


def test_channels_are_matched_by_name():
    epochs = make_epochs("abcde", ["eeg", "eog", "eeg", "stim", "misc"])
    epochs.info["bads"] = ["e"]
    transformer = EpochsToArray().fit(epochs)
    assert transformer.ch_names_ == ("a", "c")
    other = epochs.copy().reorder_channels(list("edcba"))
    expected = epochs.get_data(picks=["a", "c"])
    np.testing.assert_array_equal(transformer.transform(other), expected)
    other.info["bads"] = ["c"]
    with pytest.raises(ValueError, match=r"or they are bad: \['c'\].*interpolate"):
        transformer.transform(other)
    with pytest.raises(ValueError, match=r"lack channels of the fit.*\['c'\]"):
        transformer.transform([other.copy().pick(["a"])[0]])


@pytest.mark.parametrize("picks", ["eeg", ["c", "a"], [2, 0], slice(1, 3)])
def test_picks(picks):
    epochs = make_epochs("abcd", ["eeg", "misc", "eeg", "misc"])
    expected = epochs.get_data(picks=picks)
    transformer = EpochsToArray(picks)
    np.testing.assert_array_equal(transformer.fit_transform(epochs), expected)
    # Chosen once, by name: in other epochs, the same numbers are other channels.
    other = epochs.copy().reorder_channels(list("dcba"))
    np.testing.assert_array_equal(transformer.transform(other), expected)
    np.testing.assert_array_equal(transformer.transform(expected), expected)
    data = epochs.get_data()
    if isinstance(picks, slice) or isinstance(picks[0], int):
        made = EpochsToArray(picks).fit_transform(data)
        np.testing.assert_array_equal(made, data[:, picks])
    else:
        with pytest.raises(ValueError, match="An array has no names, so that picks="):
            EpochsToArray(picks).fit(data).transform(data)


def test_tables_keep_their_names():
    table = pd.DataFrame(np.eye(3), columns=list("abc"))
    transformer = EpochsToArray().fit(table)
    assert list(transformer.get_feature_names_out()) == ["a", "b", "c"]
    pd.testing.assert_frame_equal(
        transformer.set_output(transform="pandas").transform(table), table
    )
    transformer = EpochsToArray([2, 0]).fit(table)
    assert list(transformer.get_feature_names_out()) == ["c", "a"]
    # Time series have no names that a table could show.
    assert not hasattr(EpochsToArray().fit(make_epochs()), "get_feature_names_out")


def test_pipeline_with_names_at_its_end():
    epochs = make_epochs()
    pipeline = make_pipeline(EpochsToArray(), Vectorizer(), StandardScaler())
    pipeline[0].set_output(transform="pandas")
    pipeline[2].set_output(transform="pandas")
    made = pipeline.fit_transform(epochs)
    assert isinstance(made, pd.DataFrame) and made.shape == (N_EPOCHS, 400)


def make_pipelines(info):
    return [
        make_pipeline(
            EpochsToArray(),
            PSDEstimator(SFREQ, fmax=40),
            Vectorizer(),
            StandardScaler(),
            RidgeClassifier(),
        ),
        make_pipeline(
            EpochsToArray(picks="eeg"),
            Scaler(info),
            PSDEstimator(SFREQ),
            Vectorizer(),
            StandardScaler(),
            RidgeClassifier(),
        ),
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_cross_validation_of_epochs_is_that_of_their_array(which):
    epochs = make_epochs()
    pipeline = make_pipelines(epochs.info)[which]
    data = epochs.get_data()
    scores = cross_val_score(pipeline, epochs, y, cv=KFold(3))
    by_hand = cross_val_score(make_pipeline(*pipeline[1:]), data, y, cv=KFold(3))
    np.testing.assert_array_equal(scores, by_hand)
    assert scores.mean() > 0.9


def test_grid_search():
    epochs = make_epochs()
    pipeline = make_pipelines(epochs.info)[0]
    grid = {
        "epochstoarray__picks": [None, ["a"], ["a", "b"]],
        "psdestimator__fmax": [5.0, 40.0],
    }
    search = GridSearchCV(pipeline, grid, cv=KFold(3)).fit(epochs, y)
    assert search.best_params_["psdestimator__fmax"] == 40
    assert search.predict(epochs[:5]).shape == (5,)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_clone_and_a_second_fit():
    transformer = EpochsToArray(picks=["a"]).fit(make_epochs())
    with pytest.raises(NotFittedError):
        clone(transformer).transform(make_epochs())
    transformer.set_params(picks=None).fit(make_epochs("xy"))
    assert transformer.ch_names_ == ("x", "y")
    transformer.fit(np.eye(3))
    assert transformer.get_feature_names_out().shape == (3,)


@pytest.mark.parametrize(
    "fit, give, error, message",
    [
        (None, lambda: [make_epochs()], ValueError, "element 0 holds 24.*concatenate"),
        (
            None,
            lambda: mne.io.RawArray(np.eye(3), mne.create_info(3, 1.0)),
            TypeError,
            "takes Epochs, got RawArray. Cut a Raw with mne.make_fixed_length",
        ),
        (None, lambda: [make_epochs()[0], 3], TypeError, "takes Epochs, got int"),
        (None, lambda: np.zeros((2, 3, 4, 5)), ValueError, r"got \(2, 3, 4, 5\)"),
        (None, lambda: [make_epochs()[0], make_epochs("abce")[0]], ValueError, "lacks"),
        (
            None,
            lambda: [make_epochs()[0], make_epochs(n_times=50)[0]],
            ValueError,
            r"same number of samples, got \[50, 100\]. Use epochs.crop",
        ),
        (None, lambda: np.full((2, 3, 4), np.nan), ValueError, "contains NaN"),
        (
            make_epochs,
            lambda: make_epochs().resample(50),
            ValueError,
            r"sampled at 50 Hz, .* at 100 Hz. Use epochs.resample\(100\)",
        ),
        (make_epochs, lambda: np.zeros((2, 4)), ValueError, r"n_times\), got \(2, 4\)"),
        (make_epochs, lambda: np.zeros((2, 3, 9)), ValueError, "has 3 features"),
        (
            lambda: np.eye(3),
            make_epochs,
            ValueError,
            "channels have no names. Give epo",
        ),
        (lambda: np.eye(3), lambda: np.zeros((2, 3, 9)), ValueError, "2 axes, got 3"),
    ],
)
def test_errors(fit, give, error, message):
    with mne.use_log_level("error"):
        X = give()
    transformer = EpochsToArray()
    with pytest.raises(error, match=message):
        if fit is None:
            transformer.fit(X)
        else:
            transformer.fit(fit()).transform(X)


@pytest.mark.parametrize("picks", [[9], [], "a"])
def test_wrong_picks_of_arrays(picks):
    X = np.zeros((2, 3, 4))
    with pytest.raises(ValueError, match="picks="):
        EpochsToArray(picks).fit_transform(X)
