"""Observation noise against the distributions that it claims to have."""

import numpy as np
import pytest
from scipy.stats import gamma

from mne_sbi.features import SpectralNoise

FREQS = np.linspace(2, 45, 20)
OFF = {
    "duration": None,
    "slope": 1.0,
    "slope_sd": 0.0,
    "gain_sd": 0.0,
    "tilt_sd": 0.0,
    "misfit_common": 0.0,
    "misfit_regional": 0.0,
}


def draw(n=4000, n_nodes=2, spectra=None, sampled=False, **settings):
    """Draws of the noise with only the given parts of it switched on."""
    noise = SpectralNoise(**(OFF | settings))
    if spectra is None:
        spectra = np.zeros((n, n_nodes, len(FREQS)), np.float32)
    rng = np.random.default_rng(0)
    return noise.add(spectra, FREQS, rng, window=2.0, sampled=sampled)


def test_everything_off_changes_nothing():
    spectra = np.random.default_rng(0).normal(size=(3, 2, 20)).astype(np.float32)
    noisy = draw(spectra=spectra)
    np.testing.assert_array_equal(noisy, spectra)
    assert noisy is not spectra and noisy.dtype == np.float32


def test_spectra_are_left_as_they_are():
    spectra = np.random.default_rng(0).normal(size=(3, 2, 20)).astype(np.float32)
    spectra.flags.writeable = False
    SpectralNoise().add(spectra, FREQS, np.random.default_rng(0), window=2.0)


@pytest.mark.parametrize("duration", [10.0, 30.0, 120.0])
def test_sampling_noise_is_that_of_averaged_periodograms(duration):
    noise = SpectralNoise(duration=duration)
    n = noise.n_averages(2.0)
    exact = 10 * np.log10(gamma(n, scale=1 / n).rvs(100_000, random_state=1))
    found = draw(duration=duration).ravel()
    assert found.mean() == pytest.approx(exact.mean(), abs=0.02)
    assert found.std() == pytest.approx(exact.std(), rel=0.02)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    np.testing.assert_allclose(
        np.quantile(found, levels), np.quantile(exact, levels), atol=0.05
    )


def test_number_of_averages_is_that_of_welch():
    """The variance of Welch's estimates of white noise, in windows that overlap."""
    from scipy.signal import welch

    noise = np.random.default_rng(0).standard_normal((4000, 2000))
    _, power = welch(noise, 100.0, nperseg=200)
    inner = power[:, 4:-4]
    n_averages = (inner.mean(axis=0) / inner.std(axis=0)) ** 2
    expected = SpectralNoise(duration=20.0).n_averages(2.0)
    assert n_averages.mean() == pytest.approx(expected, rel=0.03)


def test_sampled_spectra_get_no_sampling_noise():
    assert not draw(duration=10.0, sampled=True).any()


def test_gain_and_tilt():
    gain = draw(gain_sd=2.0)
    assert (gain == gain[..., :1]).all()
    assert gain[..., 0].std() == pytest.approx(2.0, rel=0.05)
    assert abs(np.corrcoef(gain[:, 0, 0], gain[:, 1, 0])[0, 1]) < 0.05
    tilt = draw(tilt_sd=1.5)
    # dB per decade, about the middle of the logarithmic axis.
    span = np.log10(FREQS[-1] / FREQS[0])
    np.testing.assert_allclose(tilt[..., 0], -tilt[..., -1], atol=1e-5)
    slope = (tilt[..., -1] - tilt[..., 0]) / span
    assert slope.std() == pytest.approx(1.5, rel=0.05)


def test_slope_scales_the_model_s_decibels():
    spectra = np.ones((4000, 2, 20), np.float32)
    factor = draw(spectra=spectra, slope=0.4, slope_sd=0.3)
    assert (factor == factor[..., :1]).all()
    assert np.median(factor) == pytest.approx(0.4, rel=0.02)
    assert np.log(factor[..., 0]).std() == pytest.approx(0.3, rel=0.05)


def test_misfit_is_smooth_and_partly_common():
    shape = np.sin(FREQS / 5).astype(np.float32)
    spectra = np.broadcast_to(3 * shape, (6000, 2, 20))
    misfit = draw(
        spectra=spectra, misfit_common=0.3, misfit_regional=0.4, smoothness=4.0
    )
    misfit = (misfit - spectra) / (3 * shape.std())
    # Relative to the standard deviation over frequency; both parts add in variance.
    assert misfit.std() == pytest.approx(0.5, rel=0.03)
    between = np.mean(misfit[:, 0] * misfit[:, 1]) / 0.25
    assert between == pytest.approx(0.3**2 / 0.25, abs=0.03)
    lag = np.sqrt(3) * (FREQS[3] - FREQS[0]) / 4.0
    along = np.mean(misfit[:, :, 3:] * misfit[:, :, :-3]) / 0.25
    assert along == pytest.approx((1 + lag) * np.exp(-lag), abs=0.03)


# As many rows as frequencies, too: the two correlations must not be mixed up.
@pytest.mark.parametrize("n_rows", [3, len(FREQS)])
@pytest.mark.parametrize("part", ["misfit_regional", "gain_sd", "tilt_sd"])
def test_noise_is_shared_by_rows_as_asked(n_rows, part):
    noise = SpectralNoise(**(OFF | {part: 0.5}))
    ramp = np.linspace(20, 0, len(FREQS), dtype=np.float32)
    spectra = np.broadcast_to(ramp, (3000, n_rows, len(FREQS)))
    wanted = np.full((n_rows, n_rows), 0.6) + 0.4 * np.eye(n_rows)
    values, vectors = np.linalg.eigh(wanted)
    root = ((vectors * np.sqrt(values)) @ vectors.T).astype(np.float32)
    for root_or_none, expected in ((root, wanted), (None, np.eye(n_rows))):
        rng = np.random.default_rng(0)
        noisy = noise.add_misfit(spectra, FREQS, rng, root=root_or_none)
        found = np.corrcoef(noisy[:, :, 0].T)
        np.testing.assert_allclose(found, expected, atol=0.07)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"duration": 0}, "duration must be positive, got 0"),
        ({"gain_sd": -1}, "gain_sd must be 0 or positive, got -1"),
        ({"duration": np.nan}, "duration must be finite"),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        SpectralNoise(**settings)
