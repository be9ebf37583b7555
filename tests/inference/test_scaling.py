"""The feature scaler against NumPy's moments and singular values."""

import numpy as np
import pytest
from scipy.linalg import eigh, subspace_angles

from mne_sbi.inference._scaling import FeatureScaler


def features(n=500, n_features=12, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((n_features, n_features))
    return rng.standard_normal((n, n_features)) @ mixing + 1e4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_standardised_features_have_unit_variance(dtype):
    x = features().astype(dtype)
    scaler = FeatureScaler.from_rows(x)
    np.testing.assert_allclose(scaler.mean, x.astype(float).mean(0), rtol=1e-6)
    np.testing.assert_allclose(scaler.scale, x.astype(float).std(0), rtol=1e-4)
    z = scaler.transform(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=2e-3)
    np.testing.assert_allclose(z.std(axis=0), 1.0, atol=1e-3)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_components_are_principal(whitening):
    x = features()
    scaler = FeatureScaler.from_rows(x, n_components=5, whitening=whitening)
    z = scaler.transform(x).astype(float)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    variance = np.linalg.svd(standard, compute_uv=False)[:5] ** 2 / len(x)
    expected = (variance / variance[0]) ** (1.0 - whitening)
    np.testing.assert_allclose(z.var(axis=0), expected, rtol=1e-3)
    correlation = np.corrcoef(z.T) - np.eye(5)
    assert np.abs(correlation).max() < 1e-3


def test_constant_features_and_missing_directions_stay_zero():
    x = features(n=4)
    x[:, 2] = 7.3
    scaler = FeatureScaler.from_rows(x, n_components=12, whitening=1.0)
    assert scaler.scale[2] == 1.0
    z = scaler.transform(x)
    assert np.isfinite(z).all()
    assert (np.abs(z[:, 3:]) < 1e-3).all()  # four rows span three directions


def test_scale_of_many_rows_comes_from_some(monkeypatch):
    from mne_sbi.inference import _scaling

    monkeypatch.setattr(_scaling, "_MAX_ROWS", 200)
    monkeypatch.setattr(_scaling, "_CHUNK", 64)
    x = features(2000)
    scaler = FeatureScaler.from_rows(x, n_components=3, rng=np.random.default_rng(0))
    z = scaler.transform(x)
    assert z.shape == (2000, 3)
    np.testing.assert_allclose(z[:, 0].std(), 1.0, atol=0.15)


def test_signal_components_are_those_with_least_noise():
    rng = np.random.default_rng(3)
    n, sizes = 4000, np.array([1.0, 0.1, 10.0, 1.0])
    # The second and the third feature carry the signal; the third is drowned in noise.
    signal = rng.standard_normal((n, 4)) * [0.0, 1.0, 1.0, 0.0] + 5.0
    noisy = signal + rng.standard_normal((n, 4)) * sizes
    scaler = FeatureScaler.from_signal(signal, noisy, least=0.5)
    assert scaler.components.shape == (4, 1)
    weights = np.abs(scaler.components[:, 0])
    assert weights[1] > 50 * weights[[0, 2, 3]].max()
    z = scaler.transform(noisy)
    np.testing.assert_allclose([z.mean(), z.std()], [0.0, 1.0], atol=0.02)
    # Weak components stay if they are asked for, in the order of their ratios, without
    # correlation.
    scaler = FeatureScaler.from_signal(signal, noisy, least=0.005)
    z = scaler.transform(noisy)
    assert z.shape == (n, 2)
    np.testing.assert_allclose(np.cov(z.T), np.eye(2), atol=0.05)


def test_signal_without_noise_is_standardised():
    x = features()
    scaler = FeatureScaler.from_signal(x, x)
    assert scaler.components is None
    np.testing.assert_allclose(scaler.mean, x.mean(axis=0))


def many_features(n, n_features, n_signal, seed=0):
    """Weak signals under strong common and weak independent noise."""
    rng = np.random.default_rng(seed)
    size = np.geomspace(1, 0.1, n_signal)[:, np.newaxis]
    patterns = size * rng.standard_normal((n_signal, n_features))
    common = 2 * rng.standard_normal((20, n_features))
    # Common noise and signal overlap, as sources that share sensors do.
    common[:3] += patterns[:3]
    signal = rng.standard_normal((n, n_signal)) @ patterns
    noise = rng.standard_normal((n, 20)) @ common
    own = rng.uniform(0.8, 1.2, n_features)
    noise += own * rng.standard_normal((n, n_features))
    signal = signal.astype(np.float32)
    exact = np.linalg.solve(common.T @ common + np.diag(own**2), patterns.T)
    return signal, signal + noise.astype(np.float32), exact


def test_many_features_are_solved_in_a_span(monkeypatch):
    from mne_sbi.inference import _scaling

    *rows, exact = many_features(12_000, 400, 12)
    signal, noisy = (part[:6000] for part in rows)
    full = FeatureScaler.from_signal(signal, noisy, n_max=12)
    monkeypatch.setattr(_scaling, "MAX_SOLVED", 300)
    # As few directions in proportion as for thousands of features.
    monkeypatch.setattr(_scaling, "_N_SIGNAL", 16)
    monkeypatch.setattr(_scaling, "_N_NOISE", 30)
    span = FeatureScaler.from_signal(signal, noisy, n_max=12)
    assert span.components.dtype == np.float32
    np.testing.assert_allclose(span.mean, full.mean)
    # As near to the exact subspace, and the same ratios of signal to noise in others.
    angles = [subspace_angles(exact, m.components).max() for m in (full, span)]
    assert angles[1] < 1.1 * angles[0] < np.radians(30)
    signal, noisy = (part[6000:] for part in rows)
    ratios = []
    for scaler in (full, span):
        clean = (signal - signal.mean(axis=0)) @ scaler.components
        noise = (noisy - signal) @ scaler.components
        noise -= noise.mean(axis=0)
        ratios.append(eigh(clean.T @ clean, noise.T @ noise, eigvals_only=True)[::-1])
    np.testing.assert_allclose(ratios[1], ratios[0], rtol=0.05)
    # Principal components of the signal alone are much worse.
    plain = FeatureScaler.from_rows(signal, n_components=12).components
    clean, noise = signal @ plain, (noisy - signal) @ plain
    worse = eigh(clean.T @ clean, noise.T @ noise, eigvals_only=True)[::-1]
    assert worse[0] < 0.8 * ratios[1][0]


def test_many_features_without_noise(monkeypatch):
    monkeypatch.setattr("mne_sbi.inference._scaling.MAX_SOLVED", 10)
    x = features()
    assert FeatureScaler.from_signal(x, x).components is None


def test_long_sequences_are_read_in_small_pieces(monkeypatch):
    from mne_sbi.inference import _scaling

    x = np.random.default_rng(0).standard_normal((50, 40)) + 3.0
    whole = FeatureScaler.from_rows(x, pooled=((2, 20), 0))
    monkeypatch.setattr(_scaling, "_CHUNK_VALUES", 300)
    pieces = FeatureScaler.from_rows(x, pooled=((2, 20), 0))
    np.testing.assert_allclose(pieces.scale, whole.scale, rtol=1e-12)
    np.testing.assert_allclose(pieces.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(whole.transform(x), whole.standardise(x))


def test_a_sequence_has_one_scale():
    """The static points, and the rows, have their own; means are those of points."""
    rng = np.random.default_rng(0)
    scales = np.array([[5.0, 0.0, 1.0, 3.0, 0.0], [1.0, 2.0, 4e-6, 0.0, 4e-6]])
    means = rng.standard_normal((2, 5)) * 1e-6
    x = means + scales * rng.standard_normal((4000, 2, 5))
    scaler = FeatureScaler.from_rows(x.reshape(4000, 10), pooled=((2, 5), 1))
    np.testing.assert_allclose(scaler.mean.reshape(2, 5), means, atol=0.3)
    # Points that do not vary at all, as before a stimulus, do not count.
    expected = [[5.0, *[5**0.5] * 4], [1.0, *[((4 + 2 * 16e-12) / 3) ** 0.5] * 4]]
    np.testing.assert_allclose(scaler.scale.reshape(2, 5), expected, rtol=0.05)
    flat = FeatureScaler.from_rows(np.ones((20, 4)), pooled=((4,), 0))
    np.testing.assert_array_equal(flat.scale, 1.0)
