"""Regimes of a prior, of a toy model whose regimes are known and of Jansen-Rit."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

from mne_sbi import Parameter
from mne_sbi.diagnostics import RegimeMap, regime_map
from mne_sbi.models import (
    ForwardModel,
    JansenRit,
    PulseTrain,
    Recorded,
    SpectralGraphModel,
)
from mne_sbi.viz import plot_regimes


class Sine(ForwardModel):
    """A sine wave of a given frequency and size, which is "loud" or "soft"."""

    parameters = (
        Parameter("size", 0.0, 0.02, 0.01, "V"),
        Parameter("freq", 4.0, 20.0, 10.0, "Hz", "log"),
        Parameter("fail", 0.0, 1.0, 0.0),
    )
    default_free = ("size", "freq")

    def __init__(self, sfreq=None, duration=None):
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        times = jnp.arange(round(self.sfreq * self.duration)) / self.sfreq
        wave = jnp.sin(2 * jnp.pi * params["freq"] * times)
        noise = 1e-6 * jax.random.normal(key, wave.shape)
        bad = params["fail"] > 0.5
        return jnp.where(bad, jnp.inf, params["size"] * wave + noise)[np.newaxis]

    def classify_regimes(self, params):
        loud = params["size"] > 0.005
        return {"regime": np.where(loud, "loud", "soft")}


def test_toy_model():
    result = regime_map(Sine(), n=1500, random_state=0)
    shares = result.shares
    assert result.regimes == ("loud", "soft") and result.n == 1500
    assert shares["loud"] == pytest.approx(0.75, abs=0.04)
    assert shares["loud"] + shares["soft"] == 1.0
    # 8 mV of standard deviation is 11.3 mV of amplitude.
    expected = 1 - 8e-3 * np.sqrt(2) / 0.02
    assert shares["seizure-like"] == pytest.approx(expected, abs=0.04)
    expected = np.log(12 / 8) / np.log(20 / 4)
    assert shares["peak in 8-12 Hz"] == pytest.approx(expected, abs=0.05)
    assert shares["failed"] == 0.0
    np.testing.assert_allclose(
        result.table["sd"], result.table["size"] / np.sqrt(2), rtol=0.1, atol=1e-5
    )
    # The size decides (but for the part that holds the border), the frequency does not.
    assert list(result.influence) == ["size", "freq"]
    assert result.influence["size"] > 0.8
    assert result.influence["freq"] < 0.02


def test_parts_of_a_parameter():
    result = regime_map(Sine(), n=400, random_state=0)
    edges, counts = result.parts_of("freq")
    np.testing.assert_allclose(np.diff(np.log(edges)), np.log(5) / 10, rtol=1e-4)
    assert counts.sum() == 400 and counts.shape == (10, 2)
    edges, counts = result.parts_of("size")
    np.testing.assert_allclose(edges, np.linspace(0, 0.02, 11), atol=1e-8)
    # "loud" above a quarter of the range.
    assert counts[:2, 0].sum() == 0 and counts[3:, 1].sum() == 0
    size = result.table["size"].to_numpy()
    assert counts[0].sum() == ((size >= 0) & (size < 0.002)).sum()


def test_failed_simulations_are_counted():
    result = regime_map(Sine(), {"fail": "free"}, n=200, random_state=0)
    failed = result.shares["failed"]
    assert failed == pytest.approx(0.5, abs=0.1)
    assert result.table["peak"].isna().mean() == failed
    assert regime_map(Sine(), n=20, fixed={"fail": 1.0}).shares["failed"] == 1.0


def test_jansen_rit_of_the_moderate_prior():
    result = regime_map(JansenRit(), n=1000, random_state=0)
    shares = result.shares
    # Elsewhere, of 400 draws each; three standard errors of the difference.
    expected = {
        "limit cycle": 0.57,
        "3 fixed points": 0.07,
        "seizure-like": 0.39,
        "peak in 8-12 Hz": 0.30,
    }
    for kind, share in expected.items():
        error = np.sqrt(share * (1 - share) * (1 / 400 + 1 / 1000))
        assert shares[kind] == pytest.approx(share, abs=3 * error), kind
    assert set(result.regimes) == {
        "limit cycle",
        "noise-driven",
        "excitable",
        "bistable",
    }
    assert sum(shares[regime] for regime in result.regimes) == pytest.approx(1)
    assert next(iter(result.influence)) == "C"
    again = regime_map(JansenRit(sfreq=50.0), n=1000, random_state=0)
    assert again.table.equals(result.table)


def test_variants_of_jansen_rit():
    """Regimes do not depend on pulses, nor on what the parameters are called."""
    column = {"A": 3.25e-3, "B": 0.022, "a": 100.0, "b": 50.0, "mu": 220.0}
    plain = regime_map(JansenRit(), column | {"C": (65, 270)}, n=100, random_state=0)
    pulsed = JansenRit(stimulus=PulseTrain(populations=("inhibitory",)))
    found = regime_map(
        pulsed,
        column | {"C": (65, 270)},
        n=100,
        fixed={"pulse_inhibitory": 30.0},
        random_state=0,
    )
    assert found.table.equals(plain.table)
    products = JansenRit(parameterization="combinations")
    found = regime_map(products, n=100, random_state=0)
    assert found.shares["limit cycle"] > 0.2 and found.shares["failed"] == 0


def test_result_and_figure():
    result = regime_map(Sine(), n=300, random_state=0)
    assert repr(result).startswith("<RegimeMap | 300 draws: loud 7")
    assert isinstance(result, RegimeMap)
    table = result.summary()
    assert table["kind"].tolist() == list(result.shares)
    share = table["share"][0]
    assert table["error"][0] == pytest.approx(np.sqrt(share * (1 - share) / 300))
    frame = result.to_data_frame()
    assert list(frame.columns) == ["size", "freq", "regime", "sd", "peak"]
    frame["size"] = 0
    assert result.table["size"].max() > 0
    with pytest.raises(AttributeError):
        result.regimes = ()
    fig = plot_regimes(result, show=False)
    fig.canvas.draw()
    left, first, second = fig.axes
    labels = [tick.get_text() for tick in left.get_yticklabels()]
    assert labels == ["loud", "soft", "seizure-like", "peak in 8-12 Hz"]
    assert first.get_xlabel() == "size (mV)" and first.get_xlim() == (0, 20)
    assert second.get_xscale() == "log"
    tops = [p.get_y() + p.get_height() for p in first.patches]
    assert max(tops) == pytest.approx(1.0)
    plt.close("all")


def test_bad_input():
    with pytest.raises(ValueError, match="number of draws"):
        regime_map(Sine(), n=0)
    with pytest.raises(ValueError, match="Unknown parameter"):
        regime_map(Sine(), {"power": (0, 1)})
    with pytest.raises(TypeError, match="cannot classify its regimes"):
        regime_map(SpectralGraphModel())
    with pytest.raises(TypeError, match="give the inner model"):
        regime_map(Recorded(JansenRit(sfreq=128.0, duration=4.0)))
