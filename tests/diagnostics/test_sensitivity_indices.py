"""Designs and indices against SciPy's, SALib's and their own intervals."""

import numpy as np
import pytest

from mne_sbi.diagnostics._sensitivity_indices import (
    MorrisDesign,
    SobolDesign,
    draw_weights,
    elementary_effects,
    morris_indices,
    sobol_indices,
)


def test_same_as_scipy():
    from scipy import stats

    rng = np.random.default_rng(0)
    values = rng.standard_normal((64, 5, 40)) + rng.standard_normal((64, 1, 40))
    expected = stats.sobol_indices(
        func={
            "f_A": values[:, 0].T,
            "f_B": values[:, 1].T,
            "f_AB": np.moveaxis(values[:, 2:], (1, 2, 0), (0, 1, 2)),
        },
        n=64,
    )
    found, _ = sobol_indices(values, draw_weights(64, 20, rng), 0.9)
    np.testing.assert_allclose(found["first_order"], expected.first_order)
    np.testing.assert_allclose(found["total_order"], expected.total_order)


def test_interval_covers_as_often_as_it_says():
    """With independent points, for which the bootstrap is made."""
    rng = np.random.default_rng(0)
    factors = np.array([1.0, 2.0])
    inside = []
    for _ in range(300):
        a, b = rng.random((2, 256, 2))
        mixed = np.stack([np.where(np.arange(2) == i, b, a) for i in range(2)], axis=1)
        points = np.concatenate([a[:, None], b[:, None], mixed], axis=1)
        values = (points @ factors)[..., np.newaxis]
        found, whole = sobol_indices(values, draw_weights(256, 200, rng), 0.9)
        np.testing.assert_allclose(found["total_order"][0], whole["total_order"])
        for name in ("first_order", "total_order"):
            low, high = whole[f"{name}_interval"].T
            inside.append((low <= [0.2, 0.8]) & ([0.2, 0.8] <= high))
    assert np.mean(inside, axis=0) == pytest.approx(0.9, abs=0.04)


def test_morris_design():
    rng = np.random.default_rng(0)
    walks = MorrisDesign(3, 8, rng).draw(2000)
    assert walks.shape == (2000, 4, 3)
    levels = np.unique(walks.round(9))
    np.testing.assert_allclose(levels, np.arange(8) / 7, atol=1e-8)
    counts = np.bincount(np.round(7 * walks[:, 0]).astype(int).ravel(), minlength=8)
    assert counts.min() > 600  # of 750
    steps = np.diff(walks, axis=1)
    np.testing.assert_allclose(np.abs(steps).sum(axis=1), 4 / 7)
    np.testing.assert_allclose(np.abs(steps).sum(axis=2), 4 / 7)


def test_morris_same_as_salib():
    from SALib.analyze import morris

    rng = np.random.default_rng(0)
    design = MorrisDesign(3, 4, rng)
    points = design.draw(30)
    values = points[..., 0] + 2 * points[..., 1] * points[..., 2] ** 2
    problem = {"num_vars": 3, "names": list("abc"), "bounds": [[0, 1]] * 3}
    expected = morris.analyze(problem, points.reshape(-1, 3), values.ravel())
    effects = elementary_effects(values[..., np.newaxis], points, design.step)
    weights = draw_weights(30, 4000, rng)
    found, whole = morris_indices(effects, weights, 0.95)
    for name in ("mu", "mu_star", "sigma"):
        np.testing.assert_allclose(found[name][0], expected[name], atol=1e-12)
    half = np.diff(found["mu_star_interval"][0])[:, 0] / 2
    np.testing.assert_allclose(half, expected["mu_star_conf"], rtol=0.3, atol=1e-12)
    np.testing.assert_allclose(whole["mu_star"], found["mu_star"][0])
    np.testing.assert_allclose(whole["sigma"], found["sigma"][0])


def test_sequence_goes_on():
    """Rows that replace others are those that a longer design would have had."""
    one = SobolDesign(2, np.random.default_rng(0))
    parts = np.concatenate([one.draw(16), one.draw(5), one.draw(11)])
    whole = SobolDesign(2, np.random.default_rng(0)).draw(32)
    np.testing.assert_array_equal(parts, whole)
