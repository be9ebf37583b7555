import pickle

import numpy as np
import pytest

from mne_sbi.eeg_fmri import EEG2fMRIRegressor, HRFRidge
from mne_sbi.eeg_fmri._patterns import PredictionPatterns, compute_patterns

N, N_CHANNELS, N_BANDS, N_LAGS, N_VOXELS = 400, 6, 5, 4, 30
CHANNEL, BAND, LAG = 2, 3, 1
GROUP = slice(10, 15)


class Known:
    """Predicts from weights (n_features, n_voxels)."""

    def __init__(self, weights, axes=None):
        self.weights = weights
        if axes is not None:
            self.architecture_ = self
            self.axes = axes

    def predict(self, X):
        return X.reshape(len(X), -1) @ self.weights + 7.0


def windows(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, N_CHANNELS, N_BANDS, N_LAGS)).astype(np.float32)


def weights_of(*entries):
    weights = np.zeros((N_CHANNELS, N_BANDS, N_LAGS, N_VOXELS))
    for place, voxels, value in entries:
        weights[(*place, voxels)] = value
    return weights.reshape(-1, N_VOXELS)


@pytest.fixture
def one():
    return Known(weights_of(((CHANNEL, BAND, LAG), GROUP, -2.0)))


def test_one_feature_and_one_group_of_voxels_are_found(one):
    X = windows()
    patterns = compute_patterns(one, X)
    # There is one pattern, and no more are made up.
    assert patterns.n_patterns == 1
    assert patterns.explained == pytest.approx([1.0])
    x = X[:, CHANNEL, BAND, LAG]
    expected = np.zeros(N_VOXELS)
    expected[GROUP] = 2 * x.std()
    np.testing.assert_allclose(patterns.maps[0], expected, atol=1e-5)
    # Fewer power is more fMRI.
    course = -(x - x.mean()) / x.std()
    np.testing.assert_allclose(patterns.time_courses[:, 0], course, atol=1e-4)
    topography = patterns.topographies[0]
    peak = np.unravel_index(np.abs(topography).argmax(), topography.shape)
    assert peak == (CHANNEL, BAND, LAG)
    assert topography[peak] == pytest.approx(-x.std(), rel=1e-4)
    others = np.delete(topography.ravel(), np.ravel_multi_index(peak, topography.shape))
    assert np.abs(others).max() < 5 / np.sqrt(N)


def test_patterns_are_those_of_the_singular_values():
    X, rng = windows(), np.random.default_rng(1)
    weights = rng.standard_normal((N_CHANNELS * N_BANDS * N_LAGS, N_VOXELS))
    regressor = Known(weights)
    patterns = compute_patterns(regressor, X, n_patterns=4)
    centred = regressor.predict(X) - regressor.predict(X).mean(axis=0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(patterns.explained, s[:4] ** 2 / (s**2).sum())
    signs = np.sign(vt[np.arange(4), np.abs(vt[:4]).argmax(axis=1)])
    np.testing.assert_allclose(
        patterns.maps, (signs * s[:4] / np.sqrt(N))[:, np.newaxis] * vt[:4], rtol=1e-6
    )
    np.testing.assert_allclose(
        patterns.time_courses, np.sqrt(N) * u[:, :4] * signs, atol=1e-8
    )
    covariance = np.cov(patterns.time_courses.T, ddof=0)
    np.testing.assert_allclose(covariance, np.eye(4), atol=1e-8)
    flat = X.reshape(N, -1).astype(float)
    for k in range(4):
        both = np.cov(flat.T, patterns.time_courses[:, k], ddof=0)[-1, :-1]
        np.testing.assert_allclose(patterns.topographies[k].ravel(), both, atol=1e-8)


def test_a_channel_that_cancels_noise_does_not_show():
    rng = np.random.default_rng(0)
    X = np.zeros((N, 3, 1, 1), np.float32)
    signal, noise = rng.standard_normal((2, N))
    noise -= signal * (signal @ noise) / (signal @ signal)
    X[:, 0, 0, 0] = signal + noise
    X[:, 1, 0, 0] = noise  # knows nothing of the signal
    weights = np.array([[1.0], [-1.0], [0.0]])
    topography = compute_patterns(Known(weights), X).topographies[0].ravel()
    assert topography[0] == pytest.approx(signal.std(), rel=0.01)
    assert abs(topography[1]) < 0.01


def test_spectrograms_and_their_axes():
    axes = ("channels", "frequencies", "windows")
    regressor = Known(weights_of(((CHANNEL, BAND, LAG), GROUP, 1.0)), axes)
    regressor.masker_t_r_ = 2.0
    patterns = compute_patterns(regressor, windows())
    assert patterns.axes == axes
    # Windows have the oldest first, lags the most recent.
    np.testing.assert_allclose(patterns.lag_times, [7, 5, 3, 1])
    band_power = compute_patterns(Known(regressor.weights), windows())
    np.testing.assert_allclose(band_power.lag_times, [0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize("shape", [(), (30,), (5, 3, 2)])
def test_regressor_of_the_package_with_fmri_of_any_shape(shape):
    X = windows()
    weights = np.random.default_rng(2).uniform(0.5, 1.0, shape)
    y = np.multiply.outer(X[:, CHANNEL, BAND, LAG], weights)
    regressor = EEG2fMRIRegressor(HRFRidge(lags="free")).fit(X, y)
    patterns = compute_patterns(regressor, X)
    assert patterns.maps.shape[1] == np.prod(shape, dtype=int)
    peak = np.abs(patterns.topographies[0]).argmax()
    assert np.unravel_index(peak, X.shape[1:]) == (CHANNEL, BAND, LAG)
    r = np.corrcoef(patterns.time_courses[:, 0], X[:, CHANNEL, BAND, LAG])[0, 1]
    assert r > 0.95


def test_result_is_read_only_and_survives_pickling(one):
    patterns = compute_patterns(one, windows())
    assert "1 of predictions of 30 voxels (100% of their variance)" in repr(patterns)
    again = pickle.loads(pickle.dumps(patterns))
    assert isinstance(again, PredictionPatterns)
    for each in (patterns, again):
        with pytest.raises(ValueError, match="read-only"):
            each.maps[0, 0] = 1.0
    np.testing.assert_array_equal(again.maps, patterns.maps)


def test_wrong_arguments(one):
    X = windows()
    with pytest.raises(ValueError, match="Raw windows have no such patterns"):
        compute_patterns(one, X[..., 0])
    raw = Known(one.weights, ("channels", "samples"))
    with pytest.raises(ValueError, match="features='band_power' or 'spectrogram'"):
        compute_patterns(raw, X)
    with pytest.raises(TypeError, match="must be a fitted EEG2fMRIRegressor"):
        compute_patterns("residual", X)
    with pytest.raises(ValueError, match="n_patterns must be a positive integer"):
        compute_patterns(one, X, n_patterns=0)
    with pytest.raises(ValueError, match="finite"):
        compute_patterns(one, np.where(X > 2, np.nan, X))
    with pytest.raises(ValueError, match="same for all pairs"):
        compute_patterns(Known(np.zeros_like(one.weights)), X)
    with pytest.raises(ValueError, match="need several"):
        compute_patterns(one, X[:1])
