"""Spectra in dB against SciPy's Welch estimates and analytic levels."""

import numpy as np
import pytest
from scipy.signal import welch

from mne_sbi.features import LogPSD, SpectralNoise

SFREQ = 200.0


@pytest.fixture(scope="module")
def series():
    """White noise of density 1e-2 per Hz with a sinusoid of power 1/2 at 10 Hz."""
    times = np.arange(24_000) / SFREQ
    noise = np.random.default_rng(0).standard_normal((1, 3, len(times)))
    tone = np.sin(2 * np.pi * 10 * times)
    return noise + tone * np.array([0, 1, 3])[:, np.newaxis]


def test_extract_is_welch(series):
    features = LogPSD()
    found = features.extract(series, SFREQ)
    freqs, power = welch(series, SFREQ, window="hann", nperseg=400, noverlap=200)
    inside = (freqs >= 2) & (freqs <= 45)
    np.testing.assert_array_equal(features.get_freqs(), freqs[inside])
    assert found.shape == (1, 3, 87) and found.dtype == np.float32
    np.testing.assert_allclose(found, 10 * np.log10(power[..., inside]), atol=1e-3)


def test_levels_of_noise_and_tone(series):
    found = LogPSD().extract(series, SFREQ)[0]
    freqs = LogPSD().get_freqs()
    # A variance of 1 over the 100 Hz up to half the sampling rate.
    assert found[0].mean() == pytest.approx(-20, abs=0.2)
    assert (freqs[found.argmax(axis=1)[1:]] == 10).all()
    # A power of 1/2 within the equivalent width of a Hann window, 1.5 bins of 0.5 Hz.
    assert found[1].max() == pytest.approx(10 * np.log10(0.5 / 0.75), abs=0.3)


def test_interpolation_to_the_frequencies_of_a_model(series):
    freqs = np.array([2.25, 5.0, 9.9, 45.0])
    found = LogPSD(freqs=freqs).extract(series, SFREQ)
    bins, power = welch(series, SFREQ, window="hann", nperseg=400, noverlap=200)
    expected = np.empty_like(found)
    for node in range(3):
        decibels = 10 * np.log10(power[0, node, 1:])
        expected[0, node] = np.interp(freqs, bins[1:], decibels)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_highest_frequency_and_odd_sampling_rate(series):
    freqs = np.linspace(1, 300, 7)
    found = LogPSD(freqs=freqs).extract(series, 600.61499)
    assert np.isfinite(found).all()
    found = LogPSD(freqs=freqs[:3]).extract(series, 2 * freqs[2])
    assert np.isfinite(found).all()


def test_extract_spectrum_keeps_the_model_s_own_frequencies():
    freqs = np.array([3.0, 10.0, 30.0])
    power = np.array([[[1.0, 10.0, 0.1]]])
    found = LogPSD(freqs=freqs).extract_spectrum(power, freqs)
    np.testing.assert_allclose(found, [[[0, 10, -10]]], atol=1e-5)
    half_way = LogPSD(freqs=[6.5]).extract_spectrum(power, freqs)
    np.testing.assert_allclose(half_way, [[[5]]], atol=1e-5)


def test_frequencies_are_checked_wherever_they_are_asked_for():
    freqs = np.ma.masked_greater(np.arange(5.0, 40.0, 5.0), 20)
    for wrong, message in ((freqs, "masked array"), ([9.0, 8.0], "must increase")):
        with pytest.raises(ValueError, match=message):
            LogPSD(freqs=wrong).get_freqs()


def test_scalings():
    spectra = np.random.default_rng(1).normal(20, 5, (4, 3, 9)).astype(np.float32)
    moved = 2.5 * spectra + np.arange(3, dtype=np.float32)[:, np.newaxis]
    standard = LogPSD().normalize(spectra)
    np.testing.assert_allclose(standard.mean(axis=2), 0, atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=2), 1, atol=1e-5)
    # An unknown gain and an unknown dynamic range do not matter.
    np.testing.assert_allclose(LogPSD().normalize(moved), standard, atol=1e-4)
    centred = LogPSD(scaling="demean")
    np.testing.assert_allclose(
        centred.normalize(spectra + 7), centred.normalize(spectra), atol=1e-4
    )
    np.testing.assert_array_equal(LogPSD(scaling="none").normalize(spectra), spectra)


def test_normalize_leaves_its_input_and_agrees_with_jax():
    import jax.numpy as jnp

    spectra = np.random.default_rng(2).normal(size=(2, 3, 9)).astype(np.float32)
    before = spectra.copy()
    for scaling in ("zscore", "demean", "none"):
        features = LogPSD(scaling=scaling)
        mine = features.normalize(spectra)
        np.testing.assert_allclose(
            features.normalize(jnp.asarray(spectra), xp=jnp), mine, atol=1e-5
        )
    np.testing.assert_array_equal(spectra, before)


def test_names():
    names = LogPSD(freqs=[4.0, 10.5]).get_feature_names_out(["a", "b"])
    assert list(names) == ["a@4Hz", "a@10.5Hz", "b@4Hz", "b@10.5Hz"]
    with pytest.raises(ValueError, match="known once freqs are given"):
        LogPSD().get_feature_names_out(["a"])


def test_noise_of_an_extractor():
    spectra = np.random.default_rng(3).normal(size=(2, 3, 87)).astype(np.float32)
    rng = np.random.default_rng(0)
    assert LogPSD().add_noise(spectra, rng) is spectra
    noise = SpectralNoise(duration=30.0)
    bins = np.arange(4, 91) / 2
    own = LogPSD(noise=noise).add_noise(spectra, np.random.default_rng(5))
    given = LogPSD(freqs=bins, noise=noise).add_noise(spectra, np.random.default_rng(5))
    np.testing.assert_array_equal(own, given)


def test_sampling_noise_follows_the_window_of_the_spectra():
    """A longer window leaves fewer of them to average."""
    spectra = np.zeros((2000, 1, 9), np.float32)
    only_sampling = {"slope_sd": 0, "gain_sd": 0, "misfit_common": 0}
    noise = SpectralNoise(60.0, misfit_regional=0, **only_sampling)
    for window in (1.0, 4.0):
        features = LogPSD(freqs=np.arange(2, 11), window=window, noise=noise)
        drawn = features.add_noise(spectra, np.random.default_rng(0))
        expected = 10 / np.log(10) / np.sqrt(noise.n_averages(window))
        assert drawn.std() == pytest.approx(expected, rel=0.03)


@pytest.fixture
def annotated(series):
    """A recording with bad segments, one of them after a short good piece."""
    import mne

    # The level is another one after the first, as after the jump of a sensor.
    data = series[0] + 20 * (np.arange(24_000) > 22 * SFREQ)
    info = mne.create_info(["a", "b", "c"], SFREQ, "misc")
    raw = mne.io.RawArray(data, info, verbose="error")
    raw.set_annotations(mne.Annotations([20, 70, 74.5], [5.0, 3.0, 8.0], "BAD_jump"))
    return raw


def test_gaps_are_handled_as_mne_does(annotated):
    gaps = annotated.get_data(reject_by_annotation="NaN", verbose="error")
    settings = {"n_fft": 400, "n_overlap": 200, "window": "hann", "verbose": "error"}
    # Pieces shorter than the window, which MNE-Python analyses with a shorter one, are
    # left out.
    merged = annotated.copy()
    merged.annotations.append(72.9, 1.7, "BAD_short")
    expected = merged.compute_psd("welch", fmin=2, fmax=45, picks="all", **settings)
    expected = 10 * np.log10(expected.get_data(picks="all"))
    found = LogPSD().extract(gaps[np.newaxis], SFREQ)[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # Observations whose gaps differ.
    full = annotated.get_data()
    both = LogPSD().extract(np.array([full, gaps]), SFREQ)
    np.testing.assert_array_equal(both[1], found)
    np.testing.assert_array_equal(both[0], LogPSD().extract(full[np.newaxis], SFREQ)[0])
    # The joined pieces have more power at low frequencies, because of the step.
    joined = annotated.get_data(reject_by_annotation="omit", verbose="error")
    joined = LogPSD().extract(joined[np.newaxis], SFREQ)[0]
    assert (joined[0, 0] - found[0, 0]) > 3


def test_gaps_that_leave_nothing(series):
    gaps = series[..., :4000].copy()
    gaps[..., 100::200] = np.nan
    with pytest.raises(ValueError, match="No piece .* as long as the window of 2 s"):
        LogPSD().extract(gaps, SFREQ)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: LogPSD().extract(x, 80.0), "at least 90 Hz, got 80 Hz. Lower fmax"),
        (lambda x: LogPSD().extract(x[..., :300], SFREQ), "Give longer recordings"),
        (lambda x: LogPSD().extract(0 * x, SFREQ), "Flat channels give zeros"),
        (
            lambda x: LogPSD().extract_spectrum(-np.ones((1, 2, 3)), [1, 2, 3]),
            "6 of 6 values are zero, negative or NaN.* unit='dB'",
        ),
        (
            lambda x: LogPSD(freqs=[1.0, 9.0]).extract_spectrum(
                np.ones((1, 2, 3)), [2, 3, 9]
            ),
            "do not cover the frequencies 1 to 9 Hz .* other freqs",
        ),
        (lambda x: LogPSD(scaling="z").normalize(x), "Allowed: 'zscore', 'demean'"),
        (
            lambda x: LogPSD().normalize(np.full((1, 2, 5), 37.123)),
            "2 spectra have the same power at all frequencies .* Drop these regions",
        ),
        (lambda x: LogPSD().extract(x[0], SFREQ), r"shape \(any, any, any\)"),
        (lambda x: LogPSD().extract(x * np.nan, SFREQ), "Annotate less as bad"),
        (
            lambda x: LogPSD().extract(np.where(x == x[0, 1, 9], np.nan, x), SFREQ),
            r"1 of its .* at index \(0, 1, 9\). Remove or replace",
        ),
    ],
)
def test_errors(series, call, message):
    with pytest.raises(ValueError, match=message):
        call(series)


@pytest.mark.parametrize("window", [1.0, 2.0, 0.7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_welch_is_that_of_mne(window, dtype):
    from mne.time_frequency import psd_array_welch

    from mne_sbi.features._welch import estimate_power

    sfreq, n_window = 128.0, 2 * round(64 * window)
    white = np.random.default_rng(0).normal(3, 1, (7, 3, 1280))
    # A random walk far from zero is hard on single precision.
    walk = white.cumsum(axis=2) + 1e3
    cases = [(white, (1, n_window // 2), 1e-5), (white, (4, 37), 1e-5)]
    for data, (first, last), rtol in [*cases, (walk, (1, 30), 1e-3)]:
        data = (1e-6 * data).astype(dtype)
        rtol = 1e-9 if dtype == np.float64 else rtol
        expected, _ = psd_array_welch(
            data.astype(float),
            sfreq,
            n_fft=n_window,
            n_overlap=n_window // 2,
            window="hann",
            verbose="error",
        )
        got = estimate_power(data, sfreq, n_window / sfreq, first, last)
        np.testing.assert_allclose(got, expected[..., first : last + 1], rtol=rtol)


def test_welch_takes_blocks(monkeypatch):
    from mne_sbi.features import _welch

    data = np.random.default_rng(0).normal(size=(9, 2, 400)).astype(np.float32)
    whole = _welch.estimate_power(data, 100.0, 1.0, 1, 40)
    monkeypatch.setattr(_welch, "_BLOCK", 3000)
    parts = _welch.estimate_power(data, 100.0, 1.0, 1, 40)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
