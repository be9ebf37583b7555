"""Posteriors and refined values at the ends of the prior are no findings."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from mne_sbi import Parameter, Prior
from mne_sbi.estimators._bounds import find_piled_up, warn_if_at_ends, warn_if_piled_up
from mne_sbi.features import LogPSD

# Elsewhere it is ignored: made-up recordings are like no model.
pytestmark = pytest.mark.filterwarnings("error:The estimates pile up")

PRIOR = Prior(
    [
        Parameter("alpha", 0.1, 1.0, 0.5),
        Parameter("speed", 5.0, 20.0, 10.0, "m/s", "log"),
    ]
)


def exact_posteriors(width, n_obs=2000, n_draws=100, shift=0.0, seed=0):
    """Draws of exact posteriors of uniform parameters seen with Gaussian noise.

    The shift, in widths, is an error of the model.
    """
    rng = np.random.default_rng(seed)
    seen = rng.random((n_obs, 1, 2)) + width * rng.normal(size=(n_obs, 1, 2))
    seen += width * shift
    low, high = (0 - seen) / width, (1 - seen) / width
    size = (n_obs, n_draws, 2)
    unit = truncnorm.rvs(low, high, seen, width, size=size, random_state=rng)
    return PRIOR.from_unit(unit)


@pytest.mark.parametrize(
    "width, most", [(0.002, 0.03), (0.05, 0.01), (0.1, 0.002), (10.0, 0)]
)
def test_false_alarms_are_rare(width, most):
    """Where simulations and prior are right, for parameters known well and badly."""
    draws = exact_posteriors(width)
    for end in find_piled_up(PRIOR, draws):
        assert end.mean(axis=0).max() <= most
    # As many of many observations as must say nothing.
    warn_if_piled_up(PRIOR, draws)


@pytest.mark.parametrize("width", [0.01, 0.05])
def test_wrong_models_are_found(width):
    """With the parameters at which the data fit best far outside of the prior."""
    low, high = find_piled_up(PRIOR, exact_posteriors(width, shift=1.1 / width))
    assert high.mean() > 0.95 and not low.any()


def test_names_of_parameters_that_pile_up():
    unit = np.random.default_rng(0).random((3, 200, 2))
    unit[1:, :, 0] = 1 - 0.02 * unit[1:, :, 0]
    unit[0, :120, 1] *= 0.02
    with pytest.warns(RuntimeWarning) as record:
        warn_if_piled_up(PRIOR, PRIOR.from_unit(unit))
    (message,) = [str(one.message) for one in record]
    assert "alpha (high end, 1) in 2 of 3 observations" in message
    assert "speed (low end, 5 m/s) in 1 of 3 observations" in message
    # Forty in a hundred draws near the end are no majority.
    warn_if_piled_up(PRIOR, PRIOR.from_unit(unit[:1, 50:]))


@pytest.mark.parametrize("n_obs, n_piled", [(1, 1), (9, 1), (60, 4)])
def test_how_many_of_several(n_obs, n_piled):
    """One of few is too many; of many, some pile up by chance."""
    unit = np.full((n_obs, 50, 2), 0.5)
    unit[:n_piled, :, 1] = 0.99
    with pytest.warns(RuntimeWarning, match="speed"):
        warn_if_piled_up(PRIOR, PRIOR.from_unit(unit))
    if n_obs > 10:
        warn_if_piled_up(PRIOR, PRIOR.from_unit(unit[1:]))


def test_refined_values_at_the_ends():
    theta = PRIOR.from_unit(np.array([[0.999, 0.5], [0.3, 0.5]]))
    with pytest.warns(RuntimeWarning, match=r"alpha \(high end, 1\) in 1 of 2 obs"):
        warn_if_at_ends(PRIOR, theta, 1e-3)
    warn_if_at_ends(PRIOR, theta[1:], 1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda inverter, x: inverter.predict(x),
        lambda inverter, x: inverter.predict_posterior(x, 10),
        lambda inverter, x: inverter.transform(x),
    ],
)
def test_an_inverter_says_so(make_inverter, monkeypatch, call):
    inverter = make_inverter(features=LogPSD(), n_simulations=60).fit()
    x = inverter.inverse_transform(inverter.prior_.sample(1, 0))

    def sample(x, n_draws, random_state=None):
        return np.full((len(x), n_draws, 5), [0.5, 0.5, 0.5, 0.995, 0.5])

    monkeypatch.setattr(inverter.method_, "sample", sample)
    with pytest.warns(RuntimeWarning, match=r"speed \(high end, 20 m/s\).*prior=\{"):
        call(inverter, x)
