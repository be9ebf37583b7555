"""Chunks of simulations: reproducible, counted, and honest about what failed."""

import json

import numpy as np
import pytest
from mne.utils import catch_logging

import mne_sbi.simulation._run as run
from mne_sbi import Parameter, Prior
from mne_sbi.features import LogPSD
from mne_sbi.models import ForwardModel, SpectralGraphModel
from mne_sbi.simulation import simulate
from mne_sbi.testing import make_connectome


class Line(ForwardModel):
    """Spectra that fall in a line of dB; NaN and unstable where asked for."""

    output = "spectrum"
    parameters = (
        Parameter("height", 0.0, 10.0, 5.0, "dB"),
        Parameter("slope", 0.0, 1.0, 0.5, "dB/Hz"),
    )

    def __init__(self, freqs=(1.0, 2.0, 3.0), *, refused=0.0, broken=0.0):
        self.freqs = freqs
        self.refused = refused
        self.broken = broken

    def simulate(self, params, key):
        import jax.numpy as jnp

        decibels = params["height"] - params["slope"] * jnp.asarray(self.freqs)
        power = jnp.stack([10 ** (decibels / 10), 10 ** (decibels / 5)])
        return jnp.where(params["slope"] < self.broken, jnp.nan, power)

    def check_valid(self, params):
        return params["height"] >= 10 * self.refused


class Walk(ForwardModel):
    """Random walks, whose noise has to come from the key."""

    parameters = (Parameter("step", 0.1, 1.0, 0.5),)

    def __init__(self, *, sfreq=50.0, duration=1.0):
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        import jax

        n_times = round(self.sfreq * self.duration)
        return params["step"] * jax.random.normal(key, (2, n_times)).cumsum(axis=1)


FEATURES = LogPSD(2, 20, window=0.5)


def make_bank(model, n, *, seed=0, **settings):
    features = LogPSD(freqs=model.freqs) if model.output == "spectrum" else FEATURES
    prior = Prior(model.parameters)
    settings = {"features": features, "random_state": seed} | settings
    return simulate(model, prior, n, **settings)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(run, "_CHUNK", 100)
    monkeypatch.setattr(ForwardModel, "block_size", 30)


def test_simulations_are_the_model_s():
    bank = make_bank(Line(), 50)
    assert bank.theta.shape == (50, 2) and bank.x.shape == (50, 2, 3)
    height, slope = bank.theta.T[..., np.newaxis]
    decibels = height - slope * np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(bank.x[:, 0], decibels, atol=1e-4)
    np.testing.assert_allclose(bank.x[:, 1], 2 * decibels, atol=1e-4)
    assert bank.valid.all() and bank.x.dtype == np.float32
    # All over the prior, evenly: the Kolmogorov distance of 50 draws.
    ranks = np.sort(bank.prior.to_unit(bank.theta), axis=0)
    even = (np.arange(50)[:, np.newaxis] + 0.5) / 50
    assert np.abs(ranks - even).max() < 1.6 / np.sqrt(50)


@pytest.mark.parametrize("model", [Line(refused=0.3), Walk()])
def test_the_same_bank_from_the_same_seed(small_chunks, model):
    first = make_bank(model, 250)
    for other in (make_bank(model, 250), make_bank(model, 250, n_jobs=2)):
        np.testing.assert_array_equal(other.theta, first.theta)
        np.testing.assert_array_equal(other.x, first.x)
        assert other.provenance == first.provenance
    assert not np.isin(make_bank(model, 250, seed=1).theta, first.theta).any()


@pytest.mark.parametrize("model", [Line(refused=0.3), Walk()])
def test_a_longer_bank_begins_with_the_full_chunks_of_a_shorter_one(
    small_chunks, model
):
    short, long = make_bank(model, 200), make_bank(model, 330)
    np.testing.assert_array_equal(long.theta[:200], short.theta)
    np.testing.assert_array_equal(long.x[:200], short.x)
    # Chunks and blocks differ from each other.
    assert len(np.unique(long.theta[:, 0])) == 330
    assert len(np.unique(long.x[:, 0, 0])) == 330


def test_nodes_are_picked_in_the_order_given():
    bank = make_bank(Line(), 20, nodes=[1, 0])
    np.testing.assert_array_equal(bank.x[:, ::-1], make_bank(Line(), 20).x)


def test_fixed_parameters():
    model = Line()
    prior = Prior(model.parameters[:1])
    bank = simulate(
        model, prior, 20, features=LogPSD(), fixed={"slope": 0.0}, random_state=0
    )
    np.testing.assert_allclose(bank.x[:, 0, 0], bank.theta[:, 0], atol=1e-4)
    assert bank.provenance["fixed"] == {"slope": 0.0}


def test_provenance():
    connectome = make_connectome(3)
    model = SpectralGraphModel(connectome, [5.0, 10.0, 20.0], engine="exact")
    bank = simulate(
        model,
        Prior(model.parameters),
        12,
        features=LogPSD(freqs=model.freqs),
        nodes=[2, 0],
        random_state=7,
    )
    assert bank.provenance["node_names"] == ["node_2", "node_0"]
    settings = bank.provenance["settings"]
    assert settings["connectome"] == connectome.fingerprint
    assert settings["freqs"] == [5.0, 10.0, 20.0]
    assert settings["variant"] == "resolvent"
    assert not {"engine", "n_jobs", "verbose"} & set(settings)
    assert "SpectralGraphModel" in repr(bank)


def test_settings_are_described_alike_in_every_process():
    class Atlas:
        pass

    first, second = (Line(broken=Atlas(), freqs=np.arange(1, 4.0)) for _ in range(2))
    described = run.describe_settings(first)
    assert described == run.describe_settings(second)
    assert described == {"freqs": [1, 2, 3], "refused": 0.0, "broken": "Atlas"}
    assert json.loads(json.dumps(described)) == described


def test_refused_draws_are_excluded_counted_and_reported():
    model = Line(refused=0.8)
    with catch_logging() as log:
        bank = make_bank(model, 500, verbose="info")
    assert (bank.theta[:, 0] >= 8).all()
    excluded = bank.provenance["n_excluded"]
    # Four of five draws are refused: a negative binomial number.
    assert excluded == pytest.approx(2000, abs=4 * np.sqrt(500 * 0.8) / 0.2)
    assert f"{excluded} draws from the prior" in log.getvalue()
    # The prior is uniform over what is left.
    assert np.sort(bank.theta[:, 0])[250] == pytest.approx(9, abs=0.2)


def test_a_prior_that_is_refused_altogether():
    with pytest.raises(ValueError, match="refuses 5120 of 5120 .* Narrow the prior"):
        make_bank(Line(refused=1.1), 3)


def test_simulations_that_are_not_finite_are_masked_and_counted():
    with pytest.warns(RuntimeWarning, match=r"\d+ of 200 simulations hold NaN"):
        bank = make_bank(Line(broken=0.25), 200)
    np.testing.assert_array_equal(bank.valid, bank.theta[:, 1] >= 0.25)
    assert np.isnan(bank.x[~bank.valid]).all()
    assert np.isfinite(bank.x[bank.valid]).all()
    assert f"{(~bank.valid).sum()} not valid" in repr(bank)


def test_a_block_without_any_good_simulation(monkeypatch):
    monkeypatch.setattr(run, "_CHUNK", 2)
    with pytest.warns(RuntimeWarning, match="simulations hold NaN"):
        bank = make_bank(Line(broken=0.6), 20)
    np.testing.assert_array_equal(bank.valid, bank.theta[:, 1] >= 0.6)


def test_no_good_simulation_at_all():
    with pytest.raises(RuntimeError, match="None of the 20 .*check_forward_model"):
        make_bank(Line(broken=2.0), 20)


@pytest.mark.parametrize("n", [0, -5, 2.5, "many", True])
def test_number_of_simulations(n):
    with pytest.raises(ValueError, match="must be a positive integer, got"):
        make_bank(Line(), n)


def test_shared_parameter_has_few_values_that_cover_the_prior(monkeypatch):
    class Shared(Line):
        shared_parameter = "slope"

    bank = make_bank(Shared(refused=0.2), 5 * run._CHUNK)
    chunks = bank.theta[:, 1].reshape(5, -1)
    assert all(len(np.unique(chunk)) <= 5 for chunk in chunks)
    values = np.unique(chunks)
    assert len(values) == sum(len(np.unique(chunk)) for chunk in chunks)
    # Even over all chunks: no gap much larger than the mean one.
    gaps = np.diff(np.concatenate([[0], values, [1]]))
    assert gaps.max() < 3 / len(values)
    assert len(np.unique(bank.theta[:, 0])) == len(bank)
    # Fixed, it is drawn for nobody.
    prior = Prior(Shared.parameters[:1])
    bank = simulate(Shared(), prior, 10, features=LogPSD(), fixed={"slope": 0.5})
    assert len(bank) == 10


def test_a_generator_goes_on():
    rng = np.random.default_rng(0)
    first, second = (make_bank(Line(), 10, seed=rng) for _ in range(2))
    assert not np.isin(second.theta, first.theta).any()


class Sometimes(Walk):
    """Walks of which those of short steps do not move at one node."""

    def simulate(self, params, key):
        import jax.numpy as jnp

        data = super().simulate(params, key)
        return jnp.where(params["step"] < 0.3, data.at[1].set(2.0), data)


def test_simulations_that_do_not_vary_are_invalid():
    with pytest.warns(RuntimeWarning, match="left out"):
        bank = make_bank(Sometimes(), 200)
    np.testing.assert_array_equal(bank.valid, bank.theta[:, 0] >= 0.3)
