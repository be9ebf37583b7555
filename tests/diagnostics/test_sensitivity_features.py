"""Features that sensitivity is measured on, of series and spectra that are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from mne_sbi import Parameter
from mne_sbi.diagnostics import morris_sensitivity, sobol_sensitivity
from mne_sbi.features import LogPSD
from mne_sbi.models import ForwardModel


class Sine(ForwardModel):
    """A wave of known power and frequency, on two nodes."""

    parameters = (
        Parameter("frequency", 5.0, 30.0, 10.0, "Hz"),
        Parameter("gain", 0.1, 10.0, 1.0, scale="log"),
    )
    block_size = 8

    def __init__(self, *, sfreq=100.0, duration=4.0):
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        times = jnp.arange(round(self.sfreq * self.duration)) / self.sfreq
        wave = jnp.sin(2 * jnp.pi * params["frequency"] * times)
        # Some power everywhere, which is not rounding error.
        wave = wave + 0.01 * np.random.default_rng(0).standard_normal(len(times))
        return params["gain"] * jnp.stack([wave, 2 * wave])

    def simulate_batch(self, params, key):
        assert len(params["gain"]) <= self.block_size
        return super().simulate_batch(params, key)


def test_built_in_features():
    found = morris_sensitivity(Sine(), n_trajectories=20, random_state=0)
    assert found.features == (
        "log_power",
        "peak_frequency",
        "relative_alpha",
        "median_frequency",
        "log_psd",
    )
    by_name = dict(zip(found.features, found.mu_star, strict=True))
    # Of 25 Hz and of 40 dB; the peak to half a bin of 0.5 Hz, over the step of 4/7.
    np.testing.assert_allclose(by_name["peak_frequency"], [25, 0], atol=0.9)
    np.testing.assert_allclose(by_name["median_frequency"], [25, 0], atol=0.9)
    np.testing.assert_allclose(by_name["log_power"], [0, 40], atol=0.5)
    assert by_name["relative_alpha"][0] > 0.3 and by_name["relative_alpha"][1] < 1e-4
    outputs = found.outputs["log_psd"]
    assert outputs["mu"].shape == (2, 89, 2)
    np.testing.assert_allclose(outputs["axis"], np.arange(1, 45.1, 0.5))
    np.testing.assert_allclose(outputs["mu"][..., 1], 40, atol=0.2)


def test_extractors_see_what_a_network_sees():
    """The default scaling takes the gain out."""
    features = {"shape": LogPSD(2, 40), "raw": LogPSD(2, 40, scaling="none")}
    found = sobol_sensitivity(Sine(), features=features, n=16, random_state=0)
    assert found.total_order[0, 1] < 1e-4 < 0.1 < found.total_order[1, 1]
    assert found.outputs["shape"]["axis"][[0, -1]].tolist() == [2, 40]


class Slope(ForwardModel):
    """A power law, a spectral model."""

    output = "spectrum"
    parameters = (
        Parameter("exponent", 0.5, 2.0, 1.0),
        Parameter("gain", 0.1, 10.0, 1.0, scale="log"),
    )

    def __init__(self, freqs=(1.0, 2.0, 5.0, 10.0)):
        self.freqs = freqs

    def simulate(self, params, key):
        freqs = jnp.asarray(self.freqs)
        return (params["gain"] * freqs ** -params["exponent"])[jnp.newaxis]


def test_spectral_models():
    def decibels(psd, freqs):
        assert freqs.tolist() == [1, 2, 5, 10]
        return 10 * np.log10(psd)

    features = ["log_psd", "median_frequency", LogPSD(scaling="none"), decibels]
    found = sobol_sensitivity(Slope(), features=features, n=64, random_state=0)
    assert found.features == ("log_psd", "median_frequency", "LogPSD", "decibels")
    # At 1 Hz, the exponent does nothing.
    for name in ("log_psd", "LogPSD", "decibels"):
        outputs = found.outputs[name]
        assert outputs["axis_label"] == "frequency (Hz)"
        np.testing.assert_allclose(outputs["axis"], [1, 2, 5, 10])
        np.testing.assert_allclose(outputs["total_order"][0, 0], [0, 1], atol=0.03)
        exponent = (15 * np.log10(10)) ** 2 / ((15 * np.log10(10)) ** 2 + 20**2)
        assert outputs["first_order"][0, 3, 0] == pytest.approx(exponent, abs=0.05)
    assert found.first_order[1, 1] == pytest.approx(0, abs=1e-6)


def test_frequencies_without_alpha():
    with pytest.raises(ValueError, match="relative_alpha needs frequencies"):
        sobol_sensitivity(Slope((20.0, 30.0)), n=16)
    found = sobol_sensitivity(Slope((20.0, 30.0)), n=16, features="log_power")
    assert found.features == ("log_power",)
