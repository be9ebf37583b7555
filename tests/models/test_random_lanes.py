"""Normal deviates from generators that run side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

from mne_sbi.models._random_lanes import (
    draw_bits,
    draw_normal_pair,
    polynomial,
    start_lanes,
    to_normal_pair,
)

N_LANES, N_DRAWS = 2048, 500


def start(n_lanes=N_LANES, nodes=()):
    return start_lanes(jax.random.split(jax.random.key(0), n_lanes), nodes)


@pytest.fixture(scope="module")
def normals():
    """Deviates, shape (n_draws, 2, n_lanes)."""

    def draw(lanes, _):
        lanes, *pair = draw_normal_pair(lanes)
        return lanes, jnp.stack(pair)

    drawn = lax.scan(draw, start(), None, length=N_DRAWS)[1]
    return np.asarray(drawn, dtype=float)


def test_bits_are_those_of_the_published_generator():
    # Marsaglia (2003), section 4: the first values of xor128 from its own seeds.
    words = (123456789, 362436069, 521288629, 88675123)
    state, expected = list(words), []
    lanes, got = tuple(jnp.full(3, w, jnp.uint32) for w in words), []
    for _ in range(10):
        t = (state[0] ^ (state[0] << 11)) & 0xFFFFFFFF
        state = [*state[1:], state[3] ^ (state[3] >> 19) ^ t ^ (t >> 8)]
        expected.append(state[3])
        lanes, bits = draw_bits(lanes)
        got.append(int(bits[1]))
    assert got == expected
    assert got[0] == 3701687786  # known from many implementations


def test_moments_and_distribution(normals):
    n = normals.size
    assert abs(normals.mean()) < 4 / np.sqrt(n)
    assert abs(normals.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs(stats.skew(normals.ravel())) < 4 * np.sqrt(6 / n)
    assert abs(stats.kurtosis(normals.ravel())) < 4 * np.sqrt(24 / n)
    assert stats.kstest(normals.ravel()[:200_000], "norm").pvalue > 1e-3


@pytest.mark.parametrize("limit", [2.0, 3.0, 4.0])
def test_tails(normals, limit):
    for sign in (-1, 1):
        count = (sign * normals > limit).sum()
        expected = normals.size * stats.norm.sf(limit)
        assert abs(count - expected) < 4 * np.sqrt(expected) + 1


def test_independence_in_time_within_pairs_and_across_lanes(normals):
    first, second = normals[:, 0], normals[:, 1]
    bound = 5 / np.sqrt(first.size)
    # Sine and cosine of one angle share the radius: so do their squares, if wrong.
    assert abs(np.mean(first * second)) < bound
    assert abs(np.mean((first**2 - 1) * (second**2 - 1))) < 2 * bound
    series = normals.reshape(-1, N_LANES)
    for lag in (1, 2, 3, 4, 8):
        assert abs(np.mean(series[lag:] * series[:-lag])) < bound
        squares = series**2 - 1
        assert abs(np.mean(squares[lag:] * squares[:-lag])) < 2 * bound
    correlation = np.corrcoef(series.T[:400])
    off = correlation[np.triu_indices(400, 1)] * np.sqrt(len(series))
    assert abs(off.std() - 1) < 0.02
    assert np.abs(off).max() < 6


def test_spectrum_is_flat(normals):
    power = np.abs(np.fft.rfft(normals[:, 0], axis=0)[1:-1]) ** 2 / N_DRAWS
    assert abs(power.mean() - 1) < 0.01
    assert np.abs(power.mean(axis=1) - 1).max() < 5 / np.sqrt(N_LANES)


def test_accuracy_of_the_transform():
    rng = np.random.default_rng(0)
    one, two = (rng.integers(0, 2**32, 10**5, dtype=np.uint32) for _ in range(2))
    one[:4] = two[:4] = [0, 1, 2**32 - 2, 2**32 - 1]
    got = np.asarray(to_normal_pair(jnp.asarray(one), jnp.asarray(two)), dtype=float)
    assert np.isfinite(got).all()
    # The same map in double precision.
    uniform = (one >> 1) / 2**31 + 2.0**-32
    radius = np.sqrt(-2 * np.log(np.minimum(uniform, 1))) * np.where(one & 1, -1, 1)
    angle = np.pi * two.astype(np.int32) / 2**32
    expected = radius * np.stack([np.sin(angle), np.cos(angle)])
    close = uniform < 1 - 1e-4  # beyond, the radius is below 0.015
    assert np.abs(got - expected)[:, close].max() < 1e-4
    assert np.abs(got - expected).max() < 5e-3
    assert np.abs(got).max() < 6.7


def test_lanes_of_keys_and_nodes():
    keys = jax.random.split(jax.random.key(1), 5)
    lanes = start_lanes(keys)
    assert len(lanes) == 4 and all(w.shape == (5,) for w in lanes)
    alone = start_lanes(keys[2:3])
    for whole, one in zip(lanes, alone, strict=True):
        assert whole[2] == one[0]
    nodes = np.stack(start_lanes(keys, (3,)))
    assert nodes.shape == (4, 3, 5)
    assert len(np.unique(nodes)) == nodes.size


def test_polynomial():
    x = jnp.linspace(-1, 1, 11)
    value = polynomial((1.0, 2.0, 3.0), x)
    np.testing.assert_allclose(value, 1 + 2 * x + 3 * x**2, rtol=1e-6)
