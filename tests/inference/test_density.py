"""Density heads against quadrature, their own inverse, and their limits."""

import jax
import numpy as np
import pytest

from mne_sbi.inference._density import HEADS
from mne_sbi.inference._spline import END, rational_quadratic_spline

N_CONTEXT = 6


def make(name, n_params, scale, seed=0):
    """Return a head with random weights, None for untrained, and conditions."""
    head = HEADS[name](n_params)
    head.build((None, N_CONTEXT))
    rng = np.random.default_rng(seed)
    if scale is not None:
        for weight in head.weights:
            weight.assign(scale * rng.standard_normal(weight.shape))
    context = rng.standard_normal((1, N_CONTEXT)).astype("float32")
    return head, np.asarray(head.condition(context))


def log_ratio(head, conditions, theta):
    y = head.to_line(theta).astype("float32")
    repeated = np.repeat(conditions, len(theta), axis=0)
    # Compiled as a whole, as in training: the operations one by one take longer.
    return np.asarray(jax.jit(head.log_ratio)(y, repeated), float)


def density(head, conditions, theta):
    return np.exp(log_ratio(head, conditions, theta))


def invert(head, conditions, noise):
    noise = head.shape_noise(noise).astype("float32")
    repeated = np.repeat(conditions, len(noise), axis=0)
    return head.from_line(np.asarray(jax.jit(head.inverse)(noise, repeated)))


def draw(head, conditions, n, seed=1):
    n_noise = head.n_params + head.N_EXTRA_NOISE
    return invert(head, conditions, np.random.default_rng(seed).random((n, n_noise)))


@pytest.mark.parametrize("n_params", [1, 5])
def test_untrained_spline_flow_is_the_prior(n_params):
    head, conditions = make("spline", n_params, None)
    theta = np.random.default_rng(0).random((200, n_params))
    np.testing.assert_allclose(density(head, conditions, theta), 1.0, atol=1e-5)
    np.testing.assert_allclose(invert(head, conditions, theta), theta, atol=1e-6)


def test_untrained_mixture_is_close_to_the_prior():
    head, conditions = make("mixture", 3, None)
    theta = np.random.default_rng(0).uniform(0.02, 0.98, (200, 3))
    np.testing.assert_allclose(density(head, conditions, theta), 1.0, atol=0.1)


@pytest.mark.parametrize("n_params", [1, 5])
def test_inverse_undoes_forward(n_params):
    head, conditions = make("spline", n_params, 0.05)
    y = np.random.default_rng(2).logistic(size=(500, n_params)).astype("float32")
    conditions = np.repeat(conditions, 500, axis=0)
    z, _ = jax.jit(head.forward)(y, conditions)
    assert np.abs(np.asarray(z) - y).max() > 0.1
    again = jax.jit(head.inverse)(z, conditions)
    np.testing.assert_allclose(again, y, rtol=1e-4, atol=1e-4)


def test_slope_of_the_flow_is_its_jacobian():
    """The Jacobian by finite differences, in the order of the parameters."""
    head, conditions = make("spline", 3, 0.05)
    y = np.random.default_rng(3).normal(size=(1, 3)).astype("float32")
    step = 1e-2
    shifted = np.concatenate([y + step * np.eye(3), y - step * np.eye(3)])
    forward = jax.jit(head.forward)
    z, _ = forward(shifted.astype("float32"), np.repeat(conditions, 6, axis=0))
    z = np.asarray(z, float)
    _, expected = np.linalg.slogdet((z[:3] - z[3:]) / (2 * step))
    _, log_slope = forward(y, conditions)
    assert np.sum(log_slope) == pytest.approx(expected, abs=5e-3)


def quadrature(head, n):
    """Points in the cube, dense at its edges, and the volume that each stands for."""
    end = 7.9 if isinstance(head, HEADS["mixture"]) else 25.0
    edges = head.from_line(np.linspace(-end, end, n + 1))
    middle, width = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges)
    grids = np.meshgrid(*[middle] * head.n_params)
    volumes = np.meshgrid(*[width] * head.n_params)
    theta = np.stack(grids, -1).reshape(-1, head.n_params)
    return theta, np.prod(volumes, axis=0).ravel()


@pytest.mark.parametrize("name", ["spline", "mixture"])
def test_density_integrates_to_one(name):
    head, conditions = make(name, 1, 0.15 if name == "mixture" else 0.06)
    theta, volume = quadrature(head, 20_000)
    values = density(head, conditions, theta)
    assert values.std() > 0.1
    assert values @ volume == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("name", ["spline", "mixture"])
def test_moments_of_draws_are_those_of_the_density(name):
    """Of two parameters, whose density integrates to one as well."""
    head, conditions = make(name, 2, 0.15 if name == "mixture" else 0.06)
    theta, volume = quadrature(head, 400)
    values = density(head, conditions, theta)
    assert values.std() > 0.1
    weight = values * volume
    assert weight.sum() == pytest.approx(1.0, abs=2e-3)
    weight /= weight.sum()
    mean = weight @ theta
    covariance = (weight[:, None] * (theta - mean)).T @ (theta - mean)
    drawn = draw(head, conditions, 20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.002)


@pytest.mark.parametrize("name", ["spline", "mixture"])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_large_weights_stay_finite(name, scale):
    head, conditions = make(name, 4, scale)
    theta = np.array([[0.0, 1.0, 0.5, 1e-300], [1 - 1e-16, 0.1, 0.9, 0.999]])
    assert np.isfinite(log_ratio(head, conditions, theta)).all()
    drawn = draw(head, conditions, 500)
    assert ((drawn > 0.0) & (drawn < 1.0)).all()


@pytest.mark.parametrize("inverse", [False, True])
def test_spline_is_monotone_onto_itself(inverse):
    values = np.random.default_rng(0).normal(0.0, 2.0, (1, 23)).astype("float32")
    x = np.linspace(-10.0, 10.0, 4001, dtype="float32")
    spline = jax.jit(rational_quadratic_spline, static_argnames="inverse")
    y, _ = spline(x, np.repeat(values, 4001, 0), inverse=inverse)
    y = np.asarray(y)
    assert (np.diff(y) > -1e-5).all()
    outside = np.abs(x) >= END
    np.testing.assert_array_equal(y[outside], x[outside])
    assert np.abs(y[~outside]).max() <= END + 1e-4
