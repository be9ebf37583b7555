"""Calibration of posteriors that are exact, too narrow, too wide, and shifted."""

import numpy as np
import pytest

from mne_sbi.diagnostics import (
    Calibration,
    calibration_error,
    coverage,
    sbc_ranks,
)

LEVELS = [0.5, 0.8, 0.9]


def posteriors(width, shift=0.0, *, n=4000, n_draws=99):
    """Draws and truths of a Gaussian conjugate model, the width times the exact one."""
    rng = np.random.default_rng(0)
    theta = rng.standard_normal((n, 2))
    mean = 0.5 * (theta + rng.standard_normal((n, 2)))
    noise = rng.standard_normal((n, n_draws, 2))
    return mean[:, None] + shift + width * np.sqrt(0.5) * noise, theta


def test_exact_posterior_has_nominal_coverage():
    draws, theta = posteriors(1.0)
    expected = np.repeat(np.array(LEVELS)[:, None], 2, axis=1)
    np.testing.assert_allclose(coverage(draws, theta, LEVELS), expected, atol=0.02)
    ranks = sbc_ranks(draws, theta)
    assert ranks.min() == 0 and ranks.max() == 99
    counts = np.bincount(ranks[:, 0], minlength=100)
    # Chi-square with 99 degrees of freedom.
    assert ((counts - 40) ** 2 / 40).sum() < 99 + 4 * np.sqrt(2 * 99)
    assert (calibration_error(draws, theta) < 0.015).all()
    assert (Calibration.from_draws(draws, theta).summary()["uniform_p"] > 1e-3).all()


def test_coverage_is_exact_for_few_draws():
    draws, theta = posteriors(1.0, n=20_000, n_draws=19)
    assert coverage(draws, theta, 0.9) == pytest.approx(0.9, abs=0.008)


@pytest.mark.parametrize(("width", "sign"), [(0.6, -1), (1.6, 1)])
def test_wrong_width_shows(width, sign):
    draws, theta = posteriors(width)
    difference = coverage(draws, theta, LEVELS) - np.array(LEVELS)[:, None]
    assert (sign * difference > 0.05).all()
    assert (calibration_error(draws, theta) > 0.1).all()


def test_shift_shows_in_the_ranks():
    draws, theta = posteriors(1.0, shift=0.5)
    assert (sbc_ranks(draws, theta).mean(axis=0) < 40).all()


def test_coverage_of_a_gaussian_of_wrong_width():
    """Against the normal distribution function."""
    from scipy.stats import norm

    draws, theta = posteriors(0.6, n_draws=999)
    half = 0.6 * norm.ppf(0.95)
    expected = 2 * norm.cdf(half) - 1
    assert coverage(draws, theta, 0.9) == pytest.approx(expected, abs=0.02)


def test_result_object():
    draws, theta = posteriors(0.6)
    result = Calibration.from_draws(draws, theta, names=["a", "b"])
    table = result.summary()
    assert table["parameter"].tolist() == ["a", "b"]
    np.testing.assert_allclose(table["error"], calibration_error(draws, theta))
    np.testing.assert_allclose(table["coverage_90"], coverage(draws, theta, 0.9)[0])
    assert (table["max_error"] >= table["error"]).all()
    assert (table["uniform_p"] < 1e-6).all()
    assert result.n == 4000
    assert repr(result).startswith("<Calibration | 4000 simulations, 2 parameters")
    with pytest.raises(AttributeError):
        result.ranks = None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((5, 3)), np.zeros((5, 3))), "draws must have shape"),
        ((np.zeros((5, 9, 3)), np.zeros((5, 2))), "theta must have shape"),
        ((np.zeros((5, 0, 3)), np.zeros((5, 3))), "must not be empty"),
        ((np.full((5, 9, 3), np.inf), np.zeros((5, 3))), "draws must be finite"),
    ],
)
def test_bad_arrays(arguments, message):
    for function in (sbc_ranks, coverage, calibration_error, Calibration.from_draws):
        with pytest.raises(ValueError, match=message):
            function(*arguments)


def test_bad_levels_and_names():
    draws, theta = posteriors(1.0, n=5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        coverage(draws, theta, [90])
    with pytest.raises(ValueError, match="as many names"):
        Calibration.from_draws(draws, theta, names=["a"])
