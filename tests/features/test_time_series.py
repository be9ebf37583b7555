"""Time series as features: nothing is changed but what was asked for."""

import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi.features import Joined, LogPSD, SpectralNoise, TimeSeries

SFREQ = 128.0


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    return rng.normal(3, 2e-3, (5, 2, 256))


def features_of(extractor, data, sfreq=SFREQ):
    return extractor.normalize(extractor.extract(data, sfreq))


def test_plain_series_are_left_alone(series):
    extractor = TimeSeries(scaling="none", baseline=None)
    summaries = extractor.extract(series, SFREQ)
    assert summaries.dtype == np.float32
    np.testing.assert_array_equal(summaries, series.astype(np.float32))
    np.testing.assert_array_equal(extractor.normalize(summaries), summaries)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(extractor.add_noise(summaries, rng), summaries)


def test_zscore_is_over_all_rows_and_leaves_their_ratio(series):
    series[:, 1] = 3 + 5 * (series[:, 1] - 3)
    features = features_of(TimeSeries(), series)
    np.testing.assert_allclose(features.mean(axis=2), 0, atol=1e-4)
    np.testing.assert_allclose((features**2).mean(axis=(1, 2)), 1, rtol=1e-3)
    ratio = features[:, 1].std(axis=1) / features[:, 0].std(axis=1)
    np.testing.assert_allclose(
        ratio, series[:, 1].std(axis=1) / series[:, 0].std(axis=1), rtol=1e-3
    )
    # Gain and offset of an observation do not matter.
    other = features_of(TimeSeries(), 7 * series - 2)
    np.testing.assert_allclose(other, features, atol=2e-3)


def test_baseline(series):
    summaries = TimeSeries(baseline=(0.0, 0.5)).extract(series, SFREQ)
    expected = series - series[..., :64].mean(axis=2, keepdims=True)
    np.testing.assert_allclose(summaries, expected, atol=1e-6)
    demeaned = TimeSeries(baseline="mean").extract(series, SFREQ)
    np.testing.assert_allclose(
        demeaned, series - series.mean(axis=2, keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize(
    ("settings", "typical"),
    [
        ({"scaling": "none"}, 1e-3),
        ({"scaling": "none", "typical": 0.1}, 0.1),
        ({"typical": 2.0}, 2.0),
        ({}, 1.0),
    ],
)
def test_logarithm(series, settings, typical):
    plain = settings | {"transform": "none"}
    x = features_of(TimeSeries(**plain), series).astype(float)
    got = features_of(TimeSeries(transform="log", **settings), series)
    np.testing.assert_allclose(
        got, np.sign(x) * np.log1p(np.abs(x) / typical), rtol=1e-5, atol=1e-7
    )


def test_lower_rate_is_that_of_a_filtered_signal():
    times = np.arange(2560) / 256
    slow, fast = np.sin(2 * np.pi * 5 * times), np.sin(2 * np.pi * 100 * times)
    data = (slow + fast)[np.newaxis, np.newaxis] + 10
    extractor = TimeSeries(sfreq=128, scaling="none", baseline="mean")
    got = extractor.extract(data, 256.0)[0, 0]
    assert got.shape == (1280,)
    np.testing.assert_allclose(got[64:-64], slow[::2][64:-64], atol=0.02)
    same = extractor.extract(data, 128.0)
    assert same.shape[2] == 2560


def test_length_is_checked_and_both_ends_of_epochs_are_taken(series):
    extractor = TimeSeries(n_times=255)
    assert extractor.extract(series, SFREQ).shape == (5, 2, 255)
    with pytest.raises(ValueError, match=r"256 samples \(2 s at 128 Hz\), and 300"):
        TimeSeries(n_times=300).extract(series, SFREQ)
    with pytest.raises(ValueError, match=r"make_fixed_length_epochs\(raw, 1\)"):
        TimeSeries(n_times=128).extract(series, SFREQ)


def test_errors_name_the_remedy(series):
    gaps = series.copy()
    gaps[0, :, 10:20] = np.nan
    with pytest.raises(ValueError, match="Segments of the recording are left out"):
        TimeSeries().extract(gaps, SFREQ)
    gaps[0, 0] = 0
    with pytest.raises(ValueError, match="data"):
        TimeSeries().extract(gaps, SFREQ)
    with pytest.raises(ValueError, match="cannot be made of power spectra"):
        TimeSeries().extract_spectrum(series, np.arange(256))
    with pytest.raises(ValueError, match="1 of 5 time series are flat"):
        series[2] = 4.0
        features_of(TimeSeries(baseline=None), series)
    for sfreq in (256.0, 127.91):
        with pytest.raises(ValueError, match="rate must be lower"):
            TimeSeries(sfreq=sfreq).extract(series, SFREQ)
    wrong = {
        "scaling": "minmax",
        "transform": "sqrt",
        "baseline": (0.2, 0.1),
        "n_times": 1,
        "sfreq": -1.0,
        "typical": 0.0,
    }
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=name):
            TimeSeries(**{name: value}).extract(series, SFREQ)
    for baseline in [(0.0, 3.0), (0.1, 0.101)]:
        with pytest.raises(ValueError, match="holds no sample"):
            TimeSeries(baseline=baseline).extract(series, SFREQ)
    with pytest.raises(ValueError, match="Allowed: 'mean'"):
        TimeSeries(baseline="median").extract(series, SFREQ)


def test_names_and_description():
    extractor = TimeSeries(n_times=3)
    assert extractor.get_feature_names_out(["a", "b"]).tolist() == [
        *("a@0", "a@1", "a@2"),
        *("b@0", "b@1", "b@2"),
    ]
    names = TimeSeries(n_times=2, sfreq=100).get_feature_names_out(["a"])
    assert names.tolist() == ["a@0s", "a@0.01s"]
    with pytest.raises(ValueError, match="n_times is given"):
        TimeSeries().get_feature_names_out(["a"])
    one = TimeSeries().describe_summaries()
    assert one == {"class": "TimeSeries", "sfreq": None, "baseline": "mean"}
    # Scaling is no part of summaries.
    assert TimeSeries(scaling="none", transform="log").describe_summaries() == one
    other = TimeSeries(baseline=(0, 0.2), sfreq=np.float32(64)).describe_summaries()
    assert other == {"class": "TimeSeries", "sfreq": 64.0, "baseline": [0.0, 0.2]}
    assert TimeSeries().n_static == 0
    assert LogPSD().n_static == 0


@pytest.fixture
def joined():
    return Joined([LogPSD(fmin=4, fmax=40, window=1.0), TimeSeries()])


def test_joined_is_side_by_side(series, joined):
    spectra, plain = joined.features
    summaries = joined.extract(series, SFREQ)
    assert summaries.shape == (5, 2, 37 + 256)
    assert joined.n_static == spectra.n_points == 37
    np.testing.assert_array_equal(summaries[..., :37], spectra.extract(series, SFREQ))
    np.testing.assert_array_equal(summaries[..., 37:], plain.extract(series, SFREQ))
    features = joined.normalize(summaries)
    spectral = features_of(spectra, series)
    np.testing.assert_allclose(features[..., :37], spectral, atol=2e-5)
    np.testing.assert_array_equal(features[..., 37:], features_of(plain, series))


def test_joined_noise_is_that_of_the_parts(series, joined):
    summaries = joined.extract(series, SFREQ)
    assert joined.noise is None
    rng = np.random.default_rng(0)
    assert joined.add_noise(summaries, rng) is summaries
    noise = SpectralNoise(duration=2.0)
    joined.set_params(logpsd__noise=noise)
    assert joined.noise is noise
    noisy = joined.add_noise(summaries, np.random.default_rng(0), sampled=True)
    expected = joined.features[0].add_noise(
        summaries[..., :37], np.random.default_rng(0), sampled=True
    )
    np.testing.assert_array_equal(noisy[..., :37], expected)
    np.testing.assert_array_equal(noisy[..., 37:], summaries[..., 37:])


def test_joined_settings_have_names(joined):
    assert joined.get_params()["timeseries__scaling"] == "zscore"
    copied = clone(joined).set_params(timeseries__scaling="none", logpsd__window=0.5)
    assert copied.features[1].scaling == "none"
    assert copied.features[0].window == 0.5
    assert joined.features[1].scaling == "zscore"
    before = joined.features
    joined.set_params(timeseries=TimeSeries(n_times=3), timeseries__scaling="none")
    assert joined.features[1].get_params()["n_times"] == 3
    assert joined.features[1].scaling == "none"
    assert before[1].n_times is None
    two = Joined([LogPSD(), LogPSD(window=1.0)])
    assert two.get_params()["logpsd2__window"] == 1.0
    assert two.n_static == 87
    with pytest.raises(ValueError, match="Invalid parameter"):
        joined.set_params(mlp__window=1)


def test_joined_names_and_description(joined):
    joined.set_params(logpsd__freqs=[10.0], timeseries__n_times=2)
    assert joined.n_points == 3
    names = joined.get_feature_names_out(["a", "b"])
    assert names.tolist() == ["a@10Hz", "a@0", "a@1", "b@10Hz", "b@0", "b@1"]
    described = joined.describe_summaries()
    assert described["class"] == "Joined"
    assert [part["class"] for part in described["parts"]] == ["LogPSD", "TimeSeries"]


def test_joined_of_spectra():
    psd = np.random.default_rng(0).uniform(1, 2, (3, 2, 50))
    freqs = np.arange(1.0, 51.0)
    joined = Joined([LogPSD(freqs=[4.0, 6.0]), LogPSD(freqs=[8.0])])
    assert joined.extract_spectrum(psd, freqs).shape == (3, 2, 3)


def test_joined_errors(series):
    for wrong in ([], "psd", [LogPSD], None):
        with pytest.raises(TypeError, match="needs a list of FeatureExtractor"):
            Joined(wrong).extract(series, SFREQ)
    with pytest.raises(ValueError, match="Put it last"):
        Joined([TimeSeries(), LogPSD(window=1.0)]).extract(series, SFREQ)
    # The frequencies of a model of spectra are others than those of the window.
    with pytest.raises(ValueError, match=r"87.* expected.*LogPSD the freqs of the mod"):
        Joined([LogPSD(), LogPSD()]).extract_spectrum(np.ones((1, 2, 3)), [4, 5, 6])
    known = Joined([TimeSeries(n_times=256), LogPSD(window=1.0)])
    assert known.extract(series, SFREQ).shape[2] == 256 + 44
