"""Sensitivity of models whose indices are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mne_sbi import Parameter, Prior
from mne_sbi.diagnostics import morris_sensitivity, sobol_sensitivity
from mne_sbi.features import LogPSD
from mne_sbi.models import ForwardModel, JansenRit, PulseTrain


class Toy(ForwardModel):
    """A function of few parameters as a time series of so many values."""

    def __init__(self, function, parameters, *, sfreq=100.0, duration=0.02):
        self.function = function
        self.parameters = parameters
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        values = jnp.stack(self.function(key=key, **params))
        return values[jnp.newaxis]


def unit(names):
    return tuple(Parameter(name, 0.0, 1.0, 0.5) for name in names)


def ishigami(a, b, c, key):
    value = jnp.sin(a) + 7 * jnp.sin(b) ** 2 + 0.1 * c**4 * jnp.sin(a)
    return value, value


ISHIGAMI = Toy(ishigami, tuple(Parameter(name, -np.pi, np.pi, 0.0) for name in "abc"))
# Of the g-function: the larger, the less a parameter matters.
G_WEIGHTS = np.array([0.0, 1.0, 4.5, 9.0])


def g_function(key, **params):
    values = jnp.stack(list(params.values()))
    value = jnp.prod((jnp.abs(4 * values - 2) + G_WEIGHTS) / (1 + G_WEIGHTS))
    return value, value


def series(data, sfreq):
    """The simplest feature: the series themselves."""
    return data[:, 0]


def first(data, sfreq):
    return data[:, 0, 0]


def test_ishigami_function():
    """Indices by the formulas of Ishigami & Homma (1990), for 7 and 0.1."""
    inner, outer = 0.1 * np.pi**4 / 5, 0.01 * np.pi**8 * 8 / 225
    parts = np.array([(1 + inner) ** 2 / 2, 49 / 8, 0.0])
    whole = parts.sum() + outer
    found = sobol_sensitivity(ISHIGAMI, features=first, n=2048, random_state=0)
    assert found.names == ("a", "b", "c")
    np.testing.assert_allclose(found.first_order[0], parts / whole, atol=0.02)
    total = (parts + [outer, 0, outer]) / whole
    np.testing.assert_allclose(found.total_order[0], total, atol=0.02)
    for name, truth in (("first_order", parts / whole), ("total_order", total)):
        low, high = getattr(found, f"{name}_interval")[0].T
        assert ((low <= truth) & (truth <= high)).all()
        assert (high - low < 0.2).all()


def test_g_function():
    """Indices by the formulas of Saltelli & Sobol (1995)."""
    parts = 1 / (3 * (1 + G_WEIGHTS) ** 2)
    whole = np.prod(1 + parts) - 1
    total = parts * np.prod(1 + parts) / (1 + parts) / whole
    model = Toy(g_function, unit("abcd"))
    found = sobol_sensitivity(model, features=first, n=1024, random_state=1)
    np.testing.assert_allclose(found.first_order[0], parts / whole, atol=0.03)
    np.testing.assert_allclose(found.total_order[0], total, atol=0.03)


def test_all_outputs_together():
    """Of two linear outputs, the share of the sum of their variances."""

    def function(a, b, c, key):
        return a + 2 * b, 3 * c + 0.5 * a

    model = Toy(function, unit("abc"))
    found = sobol_sensitivity(model, features=series, n=1024, random_state=0)
    variances = np.array([[1, 4, 0], [0.25, 0, 9]]) / 12
    shares = variances / variances.sum(axis=1, keepdims=True)
    outputs = found.outputs["series"]
    assert outputs["axis_label"] == "time (s)"
    np.testing.assert_allclose(outputs["axis"], [0, 0.01])
    np.testing.assert_allclose(outputs["first_order"][0], shares, atol=0.02)
    np.testing.assert_allclose(outputs["total_order"][0], shares, atol=0.02)
    np.testing.assert_allclose(outputs["variance"][0], variances.sum(1), rtol=0.01)
    whole = variances.sum(axis=0) / variances.sum()
    np.testing.assert_allclose(found.first_order[0], whole, atol=0.02)
    np.testing.assert_allclose(found.total_order[0], whole, atol=0.02)
    low, high = found.total_order_interval[0].T
    assert ((low <= whole) & (whole <= high)).all()


def noisy(a, b, key):
    value = a + jnp.sqrt(1 / 12) * jax.random.normal(key)
    return value, value


def test_noise_is_no_effect_of_a_parameter():
    """Half of the variance is noise, and b does nothing."""
    model = Toy(noisy, unit("ab"))
    settings = {"features": first, "n": 2048, "random_state": 0}
    found = sobol_sensitivity(model, n_replicates=1, **settings)
    np.testing.assert_allclose(found.total_order[0], [0.5, 0], atol=0.04)
    np.testing.assert_allclose(found.first_order[0], [0.5, 0], atol=0.04)
    assert np.isnan(found.noise).all()
    found = sobol_sensitivity(model, n_replicates=4, **settings)
    np.testing.assert_allclose(found.total_order[0], [0.8, 0], atol=0.04)
    np.testing.assert_allclose(found.noise, 0.2, atol=0.02)
    screened = morris_sensitivity(model, features=first, random_state=0)
    np.testing.assert_allclose(screened.mu_star[0], [1, 0], atol=1e-5)
    np.testing.assert_allclose(screened.sigma[0], 0, atol=1e-5)


def same(one, two):
    return all(
        np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True)
        for name in vars(one)
        if isinstance(getattr(one, name), np.ndarray)
    )


@pytest.mark.parametrize("measure", [sobol_sensitivity, morris_sensitivity])
def test_random_state(measure):
    size = {"n": 32} if measure is sobol_sensitivity else {"n_trajectories": 32}
    model = Toy(noisy, unit("ab"))
    results = [
        measure(model, features=first, random_state=seed, **size) for seed in (0, 0, 1)
    ]
    assert same(results[0], results[1]) and not same(results[0], results[2])


def test_morris_tells_interaction():
    def function(a, b, c, d, key):
        return 2 * a - 3 * b, c * d

    parameters = (
        *unit("acd"),
        Parameter("b", -1.0, 1.0, 0.0),
    )
    model = Toy(function, parameters)
    found = morris_sensitivity(model, features=series, random_state=0)
    outputs = found.outputs["series"]
    order = [found.names.index(name) for name in "abcd"]
    mu = outputs["mu"][0][:, order]
    # An effect is that of the whole range, and b's is 2 wide.
    np.testing.assert_allclose(mu[0], [2, -6, 0, 0], atol=1e-5)
    np.testing.assert_allclose(outputs["sigma"][0, 0], 0, atol=1e-5)
    sigma = outputs["sigma"][0, 1][order]
    assert (sigma[2:] > 0.2).all() and (sigma[:2] < 1e-5).all()
    np.testing.assert_allclose(mu[1], [0, 0, 0.5, 0.5], atol=0.1)
    # Root mean squares over both outputs.
    np.testing.assert_allclose(
        found.mu_star[0, order[:2]], np.array([2, 6]) / np.sqrt(2), atol=1e-5
    )


def test_parameters_on_a_log_scale():
    def function(a, b, key):
        return jnp.log10(a), b

    model = Toy(function, (Parameter("a", 0.01, 1.0, 0.1, scale="log"), *unit("b")))
    found = morris_sensitivity(model, features=first, random_state=0)
    np.testing.assert_allclose(found.mu_star[0], [2, 0], atol=1e-5)


def test_fixed_and_prior():
    def function(a, b, key):
        return a * b, b

    model = Toy(function, unit("ab"))
    found = morris_sensitivity(model, {"b": 0.25}, features=first)
    assert found.names == ("a",)
    np.testing.assert_allclose(found.mu_star, 0.25, atol=1e-6)
    prior = Prior([Parameter("a", 0.0, 0.5, 0.1)])
    found = morris_sensitivity(model, prior, fixed={"b": 0.2}, features=first)
    np.testing.assert_allclose(found.mu_star, 0.1, atol=1e-6)
    # One parameter, one output: no interaction.
    found = sobol_sensitivity(model, prior, features=first, n=64, random_state=0)
    np.testing.assert_allclose(found.total_order, 1, atol=0.05)


@pytest.mark.parametrize("measure", [sobol_sensitivity, morris_sensitivity])
def test_constant_outputs(measure):
    def function(a, b, key):
        return 5.0 + 0 * a, a + b

    size = {"n": 64} if measure is sobol_sensitivity else {}
    model = Toy(function, unit("ab"))
    features = {"constant": first, "both": series}
    found = measure(model, features=features, random_state=0, **size)
    values = found.total_order if measure is sobol_sensitivity else found.mu_star
    if measure is sobol_sensitivity:
        assert np.isnan(values[0]).all()
        assert np.isnan(found.outputs["both"]["total_order"][0, 0]).all()
        np.testing.assert_allclose(values[1], 0.5, atol=0.05)
    else:
        np.testing.assert_allclose(values[0], 0)


class Refusing(Toy):
    """Refuses, or fails for, small values of its first parameter."""

    def __init__(
        self, function, parameters, *, sfreq=100.0, duration=0.02, refused=0, failed=0
    ):
        super().__init__(function, parameters, sfreq=sfreq, duration=duration)
        self.refused = refused
        self.failed = failed

    def check_valid(self, params):
        return params["a"] >= self.refused

    def simulate(self, params, key):
        data = super().simulate(params, key)
        return jnp.where(params["a"] < self.failed, jnp.nan, data)


def linear(a, b, key):
    return a + b, a


@pytest.mark.parametrize("kind", ["refused", "failed"])
@pytest.mark.parametrize("measure", [sobol_sensitivity, morris_sensitivity])
def test_rows_that_cannot_be_used(kind, measure):
    model = Refusing(linear, unit("ab"), **{kind: 0.1})
    size = {"n": 64} if measure is sobol_sensitivity else {"n_trajectories": 64}
    with pytest.warns(RuntimeWarning, match="rows of the design.*Narrow the prior"):
        found = measure(model, features=first, random_state=0, **size)
    # A row has two values of a: a fifth has one below 0.1; with 8 levels, a fourth.
    assert 5 < found.n_replaced < 40
    assert found.n == 64
    if measure is sobol_sensitivity:
        shares = np.array([0.81, 1]) / 1.81
        np.testing.assert_allclose(found.total_order[0], shares, atol=0.06)
        assert np.isfinite(found.total_order_interval).all()
    else:
        np.testing.assert_allclose(found.mu_star[0], 1, atol=1e-4)


@pytest.mark.parametrize("kind", ["refused", "failed"])
def test_too_few_rows(kind):
    model = Refusing(linear, unit("ab"), **{kind: 0.9})
    with pytest.raises(ValueError, match="Of .* rows .*check_valid"):
        sobol_sensitivity(model, features=first, n=64, random_state=0)
    model = Refusing(linear, unit("ab"), **{kind: 2.0})
    with pytest.raises(ValueError, match="Narrow the prior"):
        sobol_sensitivity(model, features=first, n=64, random_state=0)


def test_results():
    found = sobol_sensitivity(
        ISHIGAMI, features={"x": first, "both": series}, n=1024, random_state=0
    )
    assert repr(found).startswith(
        "<SobolSensitivity | 2 features, 3 parameters, 1024 rows, 1 replicate>\n"
        "  x     total_order: a 0.5"
    )
    table = found.to_data_frame()
    assert len(table) == 6
    row = table[(table["feature"] == "both") & (table["parameter"] == "b")].iloc[0]
    assert row["first_order"] == found.first_order[1, 1]
    assert row["total_order_high"] == found.total_order_interval[1, 1, 1]
    table = found.to_data_frame("both")
    assert table.columns[:3].tolist() == ["row", "time (s)", "parameter"]
    assert len(table) == 6
    assert table["total_order"][4] == found.outputs["both"]["total_order"][0, 1, 1]
    with pytest.raises(ValueError, match="Did you mean 'both'"):
        found.to_data_frame("bot")
    with pytest.raises(AttributeError):
        found.names = ()
    found = morris_sensitivity(ISHIGAMI, features=first, n_trajectories=10)
    assert "10 trajectories" in repr(found)
    assert "mu" not in found.to_data_frame()
    table = found.to_data_frame("first")
    assert table["mu"][1] == found.outputs["first"]["mu"][0, 0, 1]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n": 100}, ValueError, "power of 2.*Use 64 or 128"),
        ({"n": 0}, ValueError, "n must be an integer of 2 or more, got 0"),
        ({"n": 64.0}, ValueError, "n must be an integer"),
        ({"n_replicates": 0}, ValueError, "n_replicates must be an integer of 1"),
        ({"n_bootstrap": 3}, ValueError, "n_bootstrap must be an integer of 20"),
        ({"confidence": 90}, ValueError, "such as 0.9, got 90"),
        ({"features": "log_pwr"}, ValueError, "Did you mean 'log_power'"),
        ({"features": LogPSD}, TypeError, "must be a FeatureExtractor object"),
        ({"features": 3}, TypeError, "must be a FeatureExtractor object"),
        ({"features": {}}, ValueError, "at least one feature"),
        ({"features": [first, first]}, ValueError, "same name"),
        ({"features": lambda d, s: "x"}, TypeError, "must return numbers"),
        ({"features": lambda d, s: d[:2]}, ValueError, r"\(n, n_outputs\)"),
        ({"features": lambda d, s: 1.0}, ValueError, r"\(n, n_outputs\)"),
        ({"prior": {"d": (0, 1)}}, ValueError, "d"),
        ({"fixed": {"a": 0.5}}, ValueError, "both fixed and drawn"),
        ({"model": "no_such"}, ValueError, "no_such"),
        ({"random_state": -1}, ValueError, "negative"),
    ],
)
def test_wrong_input(settings, error, message):
    settings = {"model": ISHIGAMI, "features": first, "n": 16} | settings
    with pytest.raises(error, match=message):
        sobol_sensitivity(**settings)


def test_wrong_input_of_screening():
    with pytest.raises(ValueError, match="Use 4 or 6"):
        morris_sensitivity(ISHIGAMI, features=first, n_levels=5)
    with pytest.raises(ValueError, match="n_trajectories must be an integer of 2"):
        morris_sensitivity(ISHIGAMI, features=first, n_trajectories=1)


def test_times_of_averages_begin_before_the_events():
    class Evoked(Toy):
        stimulus = PulseTrain(tmin=-0.2)

    found = morris_sensitivity(Evoked(linear, unit("ab")), features=series)
    np.testing.assert_allclose(found.outputs["series"]["axis"], [-0.2, -0.19])


def test_jansen_rit():
    """Over the moderate prior, rhythm is b's and power that of A and C."""
    found = sobol_sensitivity(
        JansenRit(sfreq=128.0, duration=6.0),
        {"sigma": "free"},
        features=["log_power", "median_frequency"],
        n=256,
        random_state=0,
    )
    power, rhythm = (
        dict(zip(found.names, row, strict=True)) for row in found.total_order
    )
    assert sorted(power, key=power.get)[-2:] in (["A", "C"], ["C", "A"])
    assert max(rhythm, key=rhythm.get) == "b"
    assert rhythm["sigma"] < 0.15
    # Nearly all is interaction.
    assert found.first_order[1].sum() < 0.7 < 2 < found.total_order[1].sum()
