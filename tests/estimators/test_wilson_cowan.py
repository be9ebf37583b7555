"""Inverting networks: spectra and envelope correlations of MNE objects."""

import jax
import mne
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score

from mne_sbi import (
    ModelInverter,
    WilsonCowanNetwork,
    read_inverter,
    simulate_activity,
)
from mne_sbi.features import EnvelopeCorrelation, Joined, LogPSD
from mne_sbi.inference import NPE
from mne_sbi.testing import make_connectome

pytestmark = pytest.mark.slow

PRIOR = {"coupling": (3, 30), "speed": (3, 20), "drive": (1.4, 2.6)}


def make_inverter(connectome, **settings):
    features = Joined(
        [LogPSD(2, 40, window=1.0, scaling="demean"), EnvelopeCorrelation(8, 12)]
    )
    settings = {"n_simulations": 3000, "random_state": 0} | settings
    return ModelInverter(
        WilsonCowanNetwork(connectome, preset="resting_alpha"),
        prior=PRIOR | {"noise": 0.02},
        features=features,
        method=NPE(density="mixture", dropout=0.1, max_iter=15),
        verbose="ERROR",
        **settings,
    )


@pytest.fixture(scope="module")
def connectome():
    from dataclasses import replace

    return replace(make_connectome(8, random_state=1), synthetic=False)


def make_raw(connectome, seed, **params):
    model = WilsonCowanNetwork(
        connectome, preset="resting_alpha", sfreq=100.0, duration=20.0
    )
    params = {"noise": 0.02} | params
    return simulate_activity(model, params, random_state=seed).to_raw()


@pytest.fixture(scope="module")
def fitted(connectome):
    raw = make_raw(connectome, 0)
    return make_inverter(connectome).fit(raw)


def test_it_recovers_parameters(fitted):
    theta = fitted.prior_.sample(200, 1)
    params = fitted.prior_.as_dict(theta) | fitted.fixed_
    params = {name: np.broadcast_to(v, 200) for name, v in params.items()}
    data = fitted.model_.simulate_batch(params, jax.random.key(5))
    posterior = fitted.predict_posterior(data, 200)
    r2 = r2_score(theta, posterior.mean, multioutput="raw_values")
    found = dict(zip(fitted.prior_.names, r2, strict=True))
    assert found["drive"] > 0.9
    assert found["coupling"] > 0.9
    assert found["speed"] > 0.8
    low, high = np.quantile(posterior.draws, [0.05, 0.95], axis=1)
    covered = ((theta > low) & (theta < high)).mean(axis=0)
    assert (covered > 0.8).all()


def test_raw_in_any_order_and_gain(fitted, connectome):
    raw = make_raw(connectome, 3, drive=2.2, coupling=10.0)
    first = fitted.predict(raw)
    other = raw.copy().reorder_channels(raw.ch_names[::-1])
    np.testing.assert_allclose(fitted.predict(other), first, rtol=1e-3)
    louder = mne.io.RawArray(1e-6 * raw.get_data(), raw.info, verbose=False)
    np.testing.assert_allclose(fitted.predict(louder), first, rtol=1e-3)
    both = fitted.predict([raw, louder])
    np.testing.assert_allclose(both, np.repeat(first, 2, axis=0), rtol=1e-3)
    drive = fitted.prior_.names.index("drive")
    assert first[0, drive] == pytest.approx(2.2, abs=0.15)


def test_saved(fitted, connectome, tmp_path):
    raw = make_raw(connectome, 4)
    fitted.save(tmp_path / "network.zip")
    again = read_inverter(tmp_path / "network.zip")
    np.testing.assert_allclose(again.predict(raw), fitted.predict(raw), rtol=1e-5)


def test_bank_and_settings(fitted, connectome):
    again = clone(make_inverter(connectome, simulations=fitted.bank_))
    raw = make_raw(connectome, 5)
    np.testing.assert_allclose(
        again.fit(raw).predict(raw), fitted.predict(raw), rtol=1e-3
    )
    other = make_inverter(connectome, simulations=fitted.bank_)
    other.set_params(features__envelopecorrelation__fmax=13)
    with pytest.raises(ValueError, match="summarised"):
        other.fit(raw)
    few = raw.copy().pick(raw.ch_names[:5])
    with pytest.raises(ValueError, match="not simulated|Simulate for"):
        make_inverter(connectome, simulations=fitted.bank_).fit(few)


def test_priors_are_checked_before_simulating(connectome):
    raw = make_raw(connectome, 6)
    inverter = make_inverter(connectome)
    inverter.set_params(prior={"speed": (0.05, 3.0)})
    with pytest.raises(ValueError, match="longest_delay"):
        inverter.fit(raw)
    inverter.set_params(prior={"tau_e": (1e-5, 0.01)})
    with pytest.raises(ValueError, match="unstable"):
        inverter.fit(raw)
