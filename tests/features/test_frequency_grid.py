"""One grid of frequencies for all sampling rates."""

import dataclasses

import mne
import numpy as np
import pytest

from mne_sbi import ModelInverter
from mne_sbi.features import Joined, LogPSD, SpectralNoise, TimeSeries
from mne_sbi.models import WilsonCowanNetwork
from mne_sbi.testing import make_connectome

# Of MNE-Python's sample data, two odd ones, and two with whole windows.
RATES = [600.614990234375, 125.1, 249.5, 100.0, 256.0]
# Its window of 1 s is 62.5 samples, and one of 0.2 s is 12.5.
ODD = [62.5, *RATES]


def sine(sfreq, freq=10.0, duration=20.0, seed=0):
    times = np.arange(round(duration * sfreq)) / sfreq
    noise = np.random.default_rng(seed).standard_normal((1, 2, len(times)))
    return np.sin(2 * np.pi * freq * times) + 1e-2 * noise


@pytest.mark.parametrize("scaling", ["zscore", "demean", "none"])
@pytest.mark.parametrize("sfreq", RATES)
def test_a_peak_is_at_its_frequency(sfreq, scaling):
    features = LogPSD(2.0, 40.0, scaling=scaling)
    found = features.normalize(features.extract(sine(sfreq), sfreq))
    freqs = features.get_freqs()
    assert found.shape == (1, 2, features.n_points) == (1, 2, len(freqs))
    np.testing.assert_array_equal(freqs, np.arange(4, 81) / 2)
    assert (freqs[found.argmax(axis=2)] == 10.0).all()
    # Its neighbours on both sides are equally high: half a bin would be 6 dB.
    summaries = features.extract(sine(sfreq), sfreq)
    np.testing.assert_allclose(summaries[..., 15], summaries[..., 17], atol=0.5)


@pytest.mark.parametrize("window", [1.0, 0.2])
@pytest.mark.parametrize("sfreq", ODD)
def test_power_is_that_of_the_transform_at_each_frequency(sfreq, window):
    """By hand: a Hann window, its Fourier integral, and the mean over windows."""
    features = LogPSD(4.0, 30.0, window=window)
    data = sine(sfreq, duration=5.0)
    found = 10 ** (features.extract(data, sfreq) / 10)
    n = round(window * sfreq)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(n) / sfreq, features.get_freqs()))
    power = []
    for start in range(0, data.shape[2] - n + 1, n - n // 2):
        piece = data[..., start : start + n]
        piece = (piece - piece.mean(axis=2, keepdims=True)) * taper
        power.append(np.abs(piece @ waves) ** 2)
    expected = 2 * np.mean(power, axis=0) / (sfreq * (taper**2).sum())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_level_of_white_noise_does_not_depend_on_the_rate():
    """A density of 1e-2 per Hz; 599 windows leave 0.2 dB of chance per frequency."""
    for sfreq in ODD:
        rng = np.random.default_rng(0)
        data = rng.standard_normal((1, 4, round(300 * sfreq)))
        level = LogPSD(2.0, 30.0).extract(data * np.sqrt(sfreq / 200), sfreq)
        assert level.mean() == pytest.approx(-20, abs=0.05), sfreq
        assert level.std() < 0.3, sfreq


@pytest.mark.parametrize("sfreq", [600.614990234375, 125.1])
def test_gaps_at_an_odd_rate(sfreq):
    data = sine(sfreq, duration=30.0)
    n = round(2 * sfreq)
    pieces = [slice(n, 4 * n + 9), slice(5 * n, 7 * n)]
    gaps = np.full_like(data, np.nan)
    for piece in pieces:
        gaps[..., piece] = data[..., piece]
    features = LogPSD(2.0, 40.0)
    found = features.extract(gaps, sfreq)
    power = [10 ** (features.extract(data[..., x], sfreq) / 10) for x in pieces]
    # Weighted by the samples that are used, as MNE-Python does.
    hop = n - n // 2
    used = [n + (3 * n + 9 - n) // hop * hop, n + n // hop * hop]
    expected = 10 * np.log10(np.average(power, axis=0, weights=used))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_frequencies_of_a_model_at_odd_rates():
    """Interpolated between the same frequencies, whatever the rate."""
    freqs = np.linspace(2, 45, 40)
    found = [LogPSD(freqs=freqs).extract(sine(rate), rate) for rate in RATES]
    for rate, spectra in zip(RATES, found, strict=True):
        near = np.abs(freqs - 10) < 0.5
        np.testing.assert_allclose(
            spectra[..., near], found[-1][..., near], atol=0.05, err_msg=rate
        )
    # Up to half a rate that makes no whole number of samples.
    for sfreq in (62.5, 125.1):
        high = LogPSD(freqs=[2.0, sfreq / 2], window=1.0)
        assert np.isfinite(high.extract(sine(sfreq), sfreq)).all()


@pytest.mark.parametrize(
    "features, message",
    [
        (LogPSD(-5, 40), "fmin.*positive"),
        (LogPSD(0, 40), "fmin.*positive"),
        (LogPSD(4, np.nan), "fmax"),
        (LogPSD(40, 4), "fmin < fmax"),
        (LogPSD(10.1, 10.4), "every 0.5 Hz .* none from fmin=10.1 to fmax=10.4 Hz"),
    ],
)
def test_bands_that_are_no_band(features, message):
    calls = [
        lambda: features.extract(sine(100.0), 100.0),
        features.get_freqs,
        lambda: features.n_points,
        lambda: Joined([features, TimeSeries()]).extract(sine(100.0), 100.0),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()


def test_the_mean_is_no_frequency():
    features = LogPSD(1e-12, 3.0, window=1.0)
    np.testing.assert_array_equal(features.get_freqs(), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="do not cover the frequencies 0.2 to 3 Hz"):
        LogPSD(freqs=[0.2, 3.0], window=1.0).extract(sine(100.0), 100.0)


def test_noise_of_other_frequencies_is_refused():
    spectra = np.zeros((2, 3, 40), np.float32)
    features = LogPSD(noise=SpectralNoise())
    with pytest.raises(ValueError, match=r"have 40 .* the features 87 from 2 to 45 Hz"):
        features.add_noise(spectra, np.random.default_rng(0))


@pytest.fixture(scope="module", params=["plain", "joined"])
def fitted(request):
    """An inverter that simulates at 100 Hz."""
    connectome = dataclasses.replace(make_connectome(4), synthetic=False)
    model = WilsonCowanNetwork(connectome, sfreq=100.0, duration=4.0)
    features = LogPSD(2.0, 40.0)
    if request.param == "joined":
        features = Joined([features, LogPSD(3.0, 30.0, window=1.0)])
    inverter = ModelInverter(
        model,
        features=features,
        method="abc",
        n_simulations=40,
        n_draws=5,
        random_state=0,
    )
    return inverter.fit(), connectome.names


@pytest.mark.parametrize("sfreq", RATES[:3])
def test_recordings_of_any_rate_are_inverted(fitted, sfreq):
    inverter, names = fitted
    data = np.random.default_rng(0).standard_normal((len(names), round(8 * sfreq)))
    raw = mne.io.RawArray(
        data, mne.create_info(list(names), sfreq, "misc"), verbose="error"
    )
    summaries = inverter.features_.extract(data[np.newaxis], sfreq)
    assert summaries.shape[1:] == inverter.bank_.x.shape[1:]
    assert np.isfinite(inverter.predict(raw)).all()
