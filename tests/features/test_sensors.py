"""From regions to sensors: mixing, and the noise of channels."""

import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi.features import LogPSD, SpectralNoise
from mne_sbi.features._sensors import SensorFeatures, SensorMixing

FREQS = np.linspace(2.0, 40.0, 20)
QUIET = {"slope": 1.0, "slope_sd": 0.0, "gain_sd": 0.0}
QUIET |= {"misfit_common": 0.0, "misfit_regional": 0.0}


@pytest.fixture(scope="module")
def gain():
    """Six channels and four nodes, some channels nearly alike."""
    gain = np.random.default_rng(0).normal(size=(6, 4))
    gain[1] = gain[0] + 0.1 * gain[1]
    return gain


@pytest.fixture(scope="module")
def mixing(gain):
    return SensorMixing(gain, list("abcdef"))


@pytest.fixture(scope="module")
def decibels():
    rng = np.random.default_rng(1)
    return (rng.normal(0, 5, (3, 4, 20)) - FREQS - 300).astype(np.float32)


def make_features(mixing, output="spectrum", **noise):
    noise = SpectralNoise(**(QUIET | {"duration": None, "sensor_snr": None} | noise))
    return SensorFeatures(LogPSD(freqs=FREQS, noise=noise), mixing, output)


def test_powers_add_up(mixing, gain, decibels):
    """By hand, in double precision; channels up to a factor each."""
    power = np.einsum("cn,onf->ocf", gain**2, 10 ** (decibels.astype(float) / 10))
    by_hand = 10 * np.log10(power)
    difference = mixing.mix_decibels(decibels) - by_hand
    difference -= difference.mean(axis=2, keepdims=True)
    assert np.abs(difference).max() < 1e-3
    np.testing.assert_allclose(mixing.weights.sum(axis=1), 1, rtol=1e-6)
    as_power = 10 * np.log10(mixing.mix_power(10 ** (decibels.astype(float) / 10)))
    np.testing.assert_allclose(mixing.mix_decibels(decibels), as_power, atol=1e-3)


def test_series_add_up_with_their_signs(mixing, gain):
    data = np.random.default_rng(2).normal(size=(2, 4, 50))
    np.testing.assert_allclose(mixing.mix_series(data), gain @ data)
    features = make_features(mixing, "timeseries")
    long = np.random.default_rng(2).normal(size=(2, 4, 1000))
    np.testing.assert_array_equal(
        features.extract(long, 100.0), features.features.extract(gain @ long, 100.0)
    )


def test_channels_that_see_nothing_are_named(gain):
    gain = gain.copy()
    gain[[1, 4]] = 0
    with pytest.raises(ValueError, match="2 of 6 channels record nothing .*: b, e. Le"):
        SensorMixing(gain, list("abcdef"))


def test_noise_is_shared_as_power_estimates_are(mixing, gain):
    """Against power estimates of Gaussian sources that were mixed by hand."""
    rng = np.random.default_rng(3)
    n, n_averages = 4000, 20
    sources = rng.normal(size=(n, 2 * n_averages, 4))
    power = ((sources @ gain.T) ** 2).mean(axis=1)
    measured = np.corrcoef(10 * np.log10(power).T)
    assumed = mixing.sampling_root @ mixing.sampling_root.T
    np.testing.assert_allclose(np.diag(assumed), 1, rtol=1e-5)
    assert assumed[0, 1] > 0.8 and np.min(assumed) < 0.3
    np.testing.assert_allclose(measured, assumed, atol=0.06)
    drawn = make_features(mixing, duration=60.0)
    noise = drawn.add_noise(np.zeros((n, 4, 20), np.float32), rng)[..., 0]
    np.testing.assert_allclose(np.corrcoef(noise.T), assumed, atol=0.06)


def test_misfit_of_a_channel_is_as_large_as_that_of_a_region(mixing, decibels):
    """It does not average out over the regions that a channel sees."""
    rng = np.random.default_rng(4)
    features = make_features(mixing, misfit_regional=0.4)
    many = np.repeat(decibels[:1], 2000, axis=0)
    clean = features.mix(many)
    residual = features.add_noise(many, rng) - clean
    size = residual.std(axis=0) / clean.std(axis=2)[0][:, np.newaxis]
    np.testing.assert_allclose(size, 0.4, rtol=0.1)


def test_white_noise_has_the_ratio_asked_for(mixing, decibels):
    rng = np.random.default_rng(5)
    noisy = make_features(mixing, sensor_snr=(10.0, 10.0)).add_noise(decibels, rng)
    level = decibels.mean()
    signal = 10 ** ((make_features(mixing).mix(decibels) - level) / 10)
    added = 10 ** ((noisy - level) / 10) - signal
    # The same power in all channels, once they are in one unit, and at all frequencies.
    added, signal = (a * mixing.scale[:, np.newaxis] for a in (added, signal))
    expected = signal.mean(axis=(1, 2), keepdims=True) / 10
    assert np.abs(added / expected - 1).max() < 0.02


def test_noise_of_time_series_is_that_of_channels_too(mixing):
    """Misfit is shared by channels that see the same, and sensors have white noise."""
    rng = np.random.default_rng(7)
    series = np.tile(rng.normal(size=(1, 4, 1000)), (500, 1, 1))
    features = make_features(mixing, "timeseries", misfit_regional=0.4, duration=60.0)
    clean = features.extract(series, 100.0)
    residual = features.add_noise(clean, rng, sampled=True) - clean
    measured = np.corrcoef(residual[..., 5].T)
    assumed = mixing.misfit_root @ mixing.misfit_root.T
    np.testing.assert_allclose(measured, assumed, atol=0.15)
    # Sampling noise comes with the simulations: a sampled spectrum gets no more of it.
    features = make_features(mixing, "timeseries", duration=60.0)
    once = clean[:1]
    np.testing.assert_array_equal(features.add_noise(once, rng, sampled=True), once)
    assert np.std(features.add_noise(once, rng, sampled=False) - once) > 0.3
    features = make_features(mixing, "timeseries", sensor_snr=(10.0, 10.0))
    noisy = features.add_noise(once, rng, sampled=True)
    added = 10 ** (noisy / 10) - 10 ** (once / 10)
    expected = (10 ** (once / 10)).mean() / 10
    np.testing.assert_allclose(added, expected, rtol=0.02)


def test_each_type_of_channel_has_noise_of_its_own(gain, decibels):
    units = np.array([1e6, 1e6, 1e6, 1e-6, 1e-6, 1e-6])[:, np.newaxis]
    kinds = ("eeg",) * 3 + ("mag",) * 3
    mixing = SensorMixing(units * gain, list("abcdef"), kinds)
    noisy = make_features(mixing, sensor_snr=(10.0, 10.0)).add_noise(
        decibels, np.random.default_rng(5)
    )
    alone = SensorMixing(gain[3:], list("def"))
    by_itself = make_features(alone, sensor_snr=(10.0, 10.0)).add_noise(
        decibels, np.random.default_rng(5)
    )
    np.testing.assert_allclose(noisy[:, 3:], by_itself, atol=1e-3)


def test_summaries_of_nodes_serve_all_sensors(mixing, gain, decibels):
    power = 10 ** (decibels.astype(float) / 10)
    other = SensorMixing(gain[::-1], list("fedcba"))
    made = [make_features(m) for m in (mixing, other)]
    first, second = (f.extract_spectrum(power, FREQS) for f in made)
    np.testing.assert_array_equal(first, second)
    assert made[0].describe_summaries() == made[1].describe_summaries()
    # Time series are summarised after mixing: other sensors, other summaries.
    series = [make_features(m, "timeseries") for m in (mixing, other)]
    assert series[0].describe_summaries() != series[1].describe_summaries()


def test_settings_of_sensor_noise():
    assert SpectralNoise(sensor_snr=[10, 20]).sensor_snr == (10.0, 20.0)
    with pytest.raises(ValueError, match="the lowest and the highest ratio in dB, got"):
        SpectralNoise(sensor_snr=(20, 10))
    with pytest.raises(ValueError, match="sensor_snr must have shape"):
        SpectralNoise(sensor_snr=3.0)


def test_clone(mixing):
    features = make_features(mixing)
    assert clone(features).mixing is mixing
