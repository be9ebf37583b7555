import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mne_sbi.eeg_fmri._standardizer import (
    RecordingStandardizer,
    remove_slow_changes,
    standardize_recordings,
)


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3, 5, 4))
    scale = rng.uniform(0.5, 5, (3, 3, 5, 1))
    offset = rng.normal(-11, 1, (3, 3, 5, 1))
    return scale[np.arange(60) % 3] * X + offset[np.arange(60) % 3]


GROUPS = np.array(["ann", "bob", "cid"])[np.arange(60) % 3]


def test_each_recording_has_its_own_scale(X):
    Z = RecordingStandardizer().fit_transform(X, groups=GROUPS)
    assert Z.dtype == np.float32 and Z.shape == X.shape
    for person in np.unique(GROUPS):
        part = X[person == GROUPS]
        mean = part.mean(axis=(0, 3), keepdims=True)
        expected = (part - mean) / part.std(axis=(0, 3), keepdims=True)
        np.testing.assert_allclose(Z[person == GROUPS], expected, atol=1e-5)


def test_without_groups_all_are_one_recording(X):
    Z = RecordingStandardizer().fit(X).transform(X)
    np.testing.assert_allclose(Z.mean(axis=(0, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(Z.std(axis=(0, 3)), 1, atol=1e-5)


def test_a_new_recording_is_standardised_by_itself(X):
    fitted = RecordingStandardizer().fit(X, groups=GROUPS)
    new = X[GROUPS == "bob"]
    both = fitted.transform(X, groups=GROUPS)[GROUPS == "bob"]
    np.testing.assert_array_equal(
        fitted.transform(10 * new + 3)[0].round(3), both[0].round(3)
    )


def test_columns_are_standardised_over_pairs_only(X):
    flat = X.reshape(60, -1)
    Z = RecordingStandardizer().fit_transform(flat, groups=GROUPS)
    np.testing.assert_allclose(Z[GROUPS == "ann"].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(Z[GROUPS == "ann"].std(axis=0), 1, atol=1e-5)
    own = RecordingStandardizer(axis=0).fit_transform(X, groups=GROUPS)
    np.testing.assert_allclose(own.reshape(60, -1), Z, atol=1e-6)


def test_constant_features_are_named_by_their_index(X):
    X[GROUPS == "bob", 2, 1] = 4.0
    with pytest.raises(
        ValueError, match=r"1 features .* in recording 'bob', .* \(2, 1\) of"
    ):
        RecordingStandardizer().fit_transform(X, groups=GROUPS)
    # There is nothing to name if all are of one.
    with pytest.raises(ValueError, match=r"features are constant, the .* \(2, 1\) of"):
        RecordingStandardizer().fit_transform(X[GROUPS == "bob"])


def test_constant_features_of_known_channels_are_named(X):
    X[:, 2, 1], X[:, 0, 3] = 4.0, 1.0
    with pytest.raises(ValueError, match="2 features are .* channels Fz, Oz. Mark"):
        standardize_recordings(X, np.zeros(60), ch_names=["Fz", "Cz", "Oz"])


def test_other_arrays_are_refused(X):
    fitted = RecordingStandardizer().fit(X)
    with pytest.raises(ValueError, match="X has 2 features, but RecordingStandardizer"):
        fitted.transform(X[:, :2])
    with pytest.raises(ValueError, match=r"groups must have shape \(60,\)"):
        fitted.transform(X, groups=GROUPS[:5])
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        fitted.transform(X[:, 0, 0, 0])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.transform(np.where(X > 20, np.nan, X) * np.nan)


def test_groups_are_routed_through_a_pipeline(X):
    y = np.random.default_rng(1).normal(size=60)
    with sklearn.config_context(enable_metadata_routing=True):
        flat = FunctionTransformer(lambda Z: Z.reshape(len(Z), -1))
        pipe = make_pipeline(RecordingStandardizer(), flat, Ridge())
        pipe.fit(X, y, groups=GROUPS)
        predicted = pipe.predict(X, groups=GROUPS)
        explicit = RecordingStandardizer().set_transform_request(groups=True)
        assert clone(explicit).get_metadata_routing().transform.requests == {
            "groups": True
        }
    Z = RecordingStandardizer().fit_transform(X, groups=GROUPS).reshape(60, -1)
    np.testing.assert_allclose(predicted, Ridge().fit(Z, y).predict(Z), atol=1e-5)


def test_slow_changes_are_those_of_the_cosine_transform():
    from scipy import fft

    X = np.random.default_rng(0).standard_normal((100, 2, 3)).astype(np.float32)
    found = remove_slow_changes(X, 7.0 + 2.0 * np.arange(100), 1 / 128)
    coefs = fft.dct(X.astype(float), axis=0, norm="ortho")
    coefs[: 1 + int(2 * 200 / 128)] = 0
    expected = fft.idct(coefs, axis=0, norm="ortho")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Pairs that are missing change nothing about what counts as slow.
    kept = np.delete(np.arange(100), [20, 21, 50])
    slow = np.cos(np.pi * 3 * (kept + 0.5) / 100)[:, None].astype(np.float32)
    left = remove_slow_changes(slow, 2.0 * kept, 1 / 128)
    assert np.abs(left).max() < 1e-5


def test_slow_changes_need_enough_pairs():
    X = np.zeros((10, 1, 1), np.float32)
    with pytest.raises(ValueError, match=r"takes 5 cosines from 10 pairs"):
        remove_slow_changes(X, 2.0 * np.arange(10), 1 / 8)
