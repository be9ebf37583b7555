import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone

from mne_sbi import Parameter, Prior
from mne_sbi._priors import make_prior

TAU = Parameter("tau_e", 0.005, 0.03, 0.012, "s", doc="Excitatory time constant.")
ALPHA = Parameter("alpha", -0.5, 1.0, 0.8)
RATE = Parameter("rate", 0.1, 100.0, 3.0, "Hz", "log")
PARAMETERS = (TAU, ALPHA, RATE)


@pytest.fixture
def prior():
    return Prior(PARAMETERS)


@pytest.mark.parametrize(
    "kwargs, error, message",
    [
        ({"low": 2, "high": 1}, ValueError, "low < high, got low=2 and high=1"),
        ({"low": 1, "high": 1}, ValueError, "To fix a parameter, give one number"),
        ({"default": 9}, ValueError, "default of a, 9, must lie between low=0"),
        ({"scale": "log"}, ValueError, "low must be positive, got 0"),
        ({"scale": "lin"}, ValueError, "Did you mean 'linear'"),
        ({"high": np.inf}, ValueError, "'high' of a must be finite"),
        ({"low": np.nan}, ValueError, "'low' of a must be finite"),
        ({"low": "0"}, TypeError, "'low' of a must be a number"),
        ({"name": ""}, ValueError, "non-empty string"),
    ],
)
def test_parameter_refuses(kwargs, error, message):
    settings = {"name": "a", "low": 0, "high": 2, "default": 1} | kwargs
    with pytest.raises(error, match=message):
        Parameter(**settings)


def test_parameter_is_a_plain_record():
    parameter = Parameter("a", np.float32(0), 2, np.int64(1))
    assert parameter == Parameter("a", 0.0, 2.0, 1.0)
    assert type(parameter.low) is type(parameter.default) is float
    with pytest.raises(AttributeError):
        parameter.low = -1


def test_prior_refuses():
    with pytest.raises(ValueError, match="at least one parameter"):
        Prior([])
    with pytest.raises(ValueError, match=r"twice in the prior: \['tau_e'\]"):
        Prior([TAU, ALPHA, TAU])
    with pytest.raises(TypeError, match="made of Parameter objects, got 'tau_e'"):
        Prior(["tau_e"])


def test_prior_fields(prior):
    assert prior.names == ("tau_e", "alpha", "rate")
    assert prior.units == ("s", "", "Hz")
    assert prior.n_params == len(prior) == 3
    np.testing.assert_array_equal(prior.low, [0.005, -0.5, 0.1])
    np.testing.assert_array_equal(prior.high, [0.03, 1, 100])
    np.testing.assert_array_equal(prior.default, [0.012, 0.8, 3])


def test_prior_is_a_value(prior):
    same = Prior(list(PARAMETERS))
    assert same == prior and hash(same) == hash(prior)
    assert Prior([TAU]) != prior
    assert clone(prior) is prior
    assert copy.deepcopy(prior) == prior == pickle.loads(pickle.dumps(prior))
    assert Prior.from_dict(json.loads(json.dumps(prior.to_dict()))) == prior
    with pytest.raises(AttributeError):
        prior.parameters = ()


def test_prior_representations(prior):
    assert repr(prior).splitlines() == [
        "<Prior | 3 parameters>",
        "  name   low    high  default  unit  scale",
        "  tau_e  0.005  0.03  0.012    s     linear",
        "  alpha  -0.5   1     0.8            linear",
        "  rate   0.1    100   3        Hz    log",
    ]
    assert "1 parameter>" in repr(Prior([TAU]))
    angled = Prior([Parameter("<b>", 0, 1, 0.5)])._repr_html_()
    assert "&lt;b&gt;" in angled and "<b>" not in angled


def test_samples_follow_the_stated_distributions(prior):
    theta = prior.sample(4000, random_state=0)
    assert theta.shape == (4000, 3) and theta.dtype == np.float64
    reference = [
        stats.uniform(0.005, 0.025),
        stats.uniform(-0.5, 1.5),
        stats.loguniform(0.1, 100),
    ]
    for column, law in zip(theta.T, reference, strict=True):
        assert stats.kstest(column, law.cdf).pvalue > 0.01
    expected = sum(law.logpdf(c) for c, law in zip(theta.T, reference, strict=True))
    np.testing.assert_allclose(prior.log_prob(theta), expected, rtol=1e-12)
    units = [law.cdf(c) for c, law in zip(theta.T, reference, strict=True)]
    np.testing.assert_allclose(prior.to_unit(theta), np.transpose(units), atol=2e-7)


def test_samples_are_reproducible_and_extend(prior):
    np.testing.assert_array_equal(prior.sample(5, 1), prior.sample(8, 1)[:5])
    assert (prior.sample(5, 1) != prior.sample(5, 2)).all()


def test_log_prob_outside(prior):
    theta = np.tile(prior.default, (4, 1))
    theta[0, 0], theta[1, 1], theta[2, 2] = 0.004, 1.1, -1
    np.testing.assert_array_equal(np.isfinite(prior.log_prob(theta)), [0, 0, 0, 1])
    assert prior.log_prob(prior.default).shape == ()
    assert np.isfinite(prior.log_prob([prior.low, prior.high])).all()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_round_trips(values):
    prior = Prior(PARAMETERS)
    unit = np.reshape(values, (2, 1, 3))
    theta = prior.from_unit(unit)
    assert ((prior.low <= theta) & (theta <= prior.high)).all()
    inside = prior.to_unit(theta)
    assert ((inside > 0) & (inside < 1)).all()
    np.testing.assert_allclose(inside, unit, atol=2e-7)
    # Also after the parameters went through float32.
    np.testing.assert_allclose(prior.to_unit(np.float32(theta)), unit, atol=2e-6)
    z = prior.to_unconstrained(theta)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(prior.from_unconstrained(z), theta, rtol=2e-6, atol=2e-6)


def test_unconstrained_space_has_no_ends(prior):
    far = prior.from_unconstrained([[-1e4] * 3, [1e4] * 3])
    np.testing.assert_allclose(far, [prior.low, prior.high])


def test_from_unit_traced_can_be_differentiated(prior):
    import jax

    unit = np.array([0.2, 0.5, 0.9])
    np.testing.assert_allclose(prior.from_unit_traced(unit), prior.from_unit(unit))
    jacobian = jax.jit(jax.jacobian(prior.from_unit_traced))(unit)
    rate = prior.from_unit(unit)[2]
    exact = np.diag([0.025, 1.5, rate * np.log(1000)])
    np.testing.assert_allclose(jacobian, exact, rtol=1e-5, atol=1e-6)


def test_transforms_refuse(prior):
    with pytest.raises(ValueError, match=r"rate must lie between 0.1 and 100 Hz, got"):
        prior.to_unit([0.01, 0, 0.05])
    with pytest.raises(ValueError, match=r"alpha must lie between -0.5 and 1, got 2"):
        prior.to_unit([[0.01, 0, 3], [0.01, 2, 3]])
    with pytest.raises(ValueError, match="between 0 and 1, got values from 0.1 to 1.5"):
        prior.from_unit([0.1, 0.2, 1.5])
    with pytest.raises(ValueError, match=r"one column for each of tau_e, alpha, rate"):
        prior.to_unit(np.ones((4, 2)))
    with pytest.raises(ValueError, match="theta must be finite"):
        prior.log_prob([0.01, np.nan, 3])


def test_as_dict(prior):
    theta = prior.sample(6, 0).reshape(2, 3, 3)
    params = prior.as_dict(theta)
    assert list(params) == ["tau_e", "alpha", "rate"]
    np.testing.assert_array_equal(params["rate"], theta[..., 2])


def test_from_samples():
    rng = np.random.default_rng(0)
    theta = np.column_stack(
        [rng.uniform(1, 2, 50), rng.normal(size=50), np.full(50, -3), np.zeros(50)]
    )
    prior = Prior.from_samples(theta, ["a", "b", "c", "d"])
    assert prior.names == ("a", "b", "c", "d")
    width = np.ptp(theta[:, 1])
    assert prior.low[1] == pytest.approx(theta[:, 1].min() - 0.1 * width)
    assert prior.high[1] == pytest.approx(theta[:, 1].max() + 0.1 * width)
    np.testing.assert_allclose(
        [prior.low[2:], prior.high[2:]], [[-3.3, -0.1], [-2.7, 0.1]]
    )
    assert np.isfinite(prior.log_prob(theta)).all()


def test_from_samples_names_and_positive_columns():
    assert Prior.from_samples([[0.01], [5.0]]).low[0] == 0
    assert Prior.from_samples([[1, 2], [3, 4]]).names == ("theta_0", "theta_1")
    frame = pd.DataFrame({"alpha": [1.0, 2.0], "tau": [0.1, 0.2]})
    assert Prior.from_samples(frame).names == ("alpha", "tau")
    with pytest.raises(ValueError, match="1 columns, but 2 names"):
        Prior.from_samples([[1], [2]], ["a", "b"])
    with pytest.raises(ValueError, match="at least one row"):
        Prior.from_samples(np.empty((0, 2)))


def test_make_prior_defaults():
    prior, fixed = make_prior(PARAMETERS)
    assert prior == Prior(PARAMETERS) and fixed == {}
    prior, fixed = make_prior(PARAMETERS, free=["rate", "tau_e"])
    assert prior.names == ("tau_e", "rate")
    assert fixed == {"alpha": 0.8}


def test_make_prior_overrides():
    overrides = {"tau_e": (0.02, 0.05), "rate": 7, "alpha": "free"}
    prior, fixed = make_prior(PARAMETERS, free=["rate"], overrides=overrides)
    assert prior.names == ("tau_e", "alpha")
    assert prior.parameters[0] == Parameter("tau_e", 0.02, 0.05, 0.02, "s", doc=TAU.doc)
    assert prior.parameters[1] == ALPHA
    assert fixed == {"rate": 7.0}
    wide = Parameter("alpha", 0, 9, 5)
    assert make_prior(PARAMETERS, overrides={"alpha": wide})[0].parameters[1] == wide
    prior, fixed = make_prior(PARAMETERS, overrides=Prior([wide]))
    assert prior == Prior([wide])
    assert fixed == {"tau_e": 0.012, "rate": 3.0}


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"tau_": 1.0}, "Unknown parameter 'tau_'.*tau_e, alpha, rate.*mean 'tau_e'"),
        (Prior([Parameter("speed", 1, 2, 1)]), "Unknown parameter 'speed'"),
        ({"alpha": (1, 0)}, "alpha needs low < high, got low=1 and high=0"),
        ({"rate": (0, 1)}, "rate has a logarithmic scale"),
        ({"alpha": (1, 2, 3)}, r"must be \(low, high\), a number that fixes it"),
        ({"alpha": None}, r"must be \(low, high\), a number that fixes it"),
        ({"alpha": "fixed"}, "Invalid value for 'prior of alpha'"),
        ({"alpha": np.nan}, "alpha cannot be fixed at nan"),
        ({"alpha": TAU}, "prior of alpha was given as a parameter named tau_e"),
        ({"tau_e": 1, "alpha": 1, "rate": 1}, "leave at least one free"),
    ],
)
def test_make_prior_refuses(overrides, message):
    with pytest.raises(ValueError, match=message):
        make_prior(PARAMETERS, overrides=overrides)


def test_make_prior_refuses_other_types_and_unknown_free_names():
    with pytest.raises(TypeError, match="must be a Prior, a dict"):
        make_prior(PARAMETERS, overrides=[(0, 1)])
    with pytest.raises(ValueError, match="Did you mean 'alpha'"):
        make_prior(PARAMETERS, free=["alhpa"])
