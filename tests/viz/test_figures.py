"""Figures show what they are given, with units, and do not show themselves."""

import numpy as np
import pytest

from mne_sbi import Parameter, Posterior, Prior
from mne_sbi.diagnostics import Calibration
from mne_sbi.viz import (
    plot_calibration,
    plot_coverage,
    plot_marginals,
    plot_pairs,
    plot_recovery,
    plot_sbc,
)

PRIOR = Prior(
    [
        Parameter("tau_e", 0.005, 0.02, 0.012, "s"),
        Parameter("alpha", 0.1, 1.0, 0.5),
        Parameter("speed", 1.0, 20.0, 10.0, "m/s", scale="log"),
    ]
)
LABELS = ["tau_e (ms)", "alpha", "speed (m/s)"]


@pytest.fixture
def posterior():
    unit = np.random.default_rng(0).beta(8, 5, (2 * 300, 3))
    draws = PRIOR.from_unit(unit).reshape(2, 300, 3)
    return Posterior(
        draws, PRIOR.names, PRIOR.units, prior=PRIOR, obs_names=["s1", "s2"]
    )


@pytest.fixture
def calibration():
    rng = np.random.default_rng(0)
    return Calibration.from_draws(
        rng.random((200, 50, 3)), rng.random((200, 3)), names=PRIOR.names
    )


def panels(fig):
    fig.canvas.draw()
    return [ax for ax in fig.axes if ax.get_visible()]


def test_marginals(posterior):
    truth = np.array([0.012, 0.5, 8.0])
    axes = panels(posterior.plot_marginals("s2", truth=truth, show=False))
    assert [ax.get_xlabel() for ax in axes] == LABELS
    low, high = axes[0].get_xlim()
    assert low < 5.0 < 20.0 < high
    prior, marker, interval = axes[0].lines[:3]
    np.testing.assert_allclose(prior.get_ydata(), 1.0 / 15.0, rtol=1e-6)
    np.testing.assert_allclose(marker.get_xdata(), 12.0)
    lower, upper = posterior[1].interval(0.9)
    np.testing.assert_allclose(
        interval.get_xdata(), [1e3 * lower[0, 0], 1e3 * upper[0, 0]], rtol=1e-2
    )


def test_density_of_the_bars_is_one(posterior):
    ax = panels(plot_marginals(posterior[0], show=False))[2]
    area = sum(bar.get_width() * bar.get_height() for bar in ax.patches)
    assert area == pytest.approx(1.0, rel=1e-6)


def test_pairs(posterior):
    axes = panels(posterior.plot_pairs(1, truth=[0.012, 0.5, 8.0], show=False))
    assert len(axes) == 6
    assert [ax.get_xlabel() for ax in axes[-3:]] == LABELS


def test_narrow_and_constant_posteriors_can_be_drawn():
    draws = np.random.default_rng(0).normal(0.01, 1e-8, (1, 200, 3))
    draws[..., 2] = 5.0
    posterior = Posterior(draws, PRIOR.names, PRIOR.units)
    for plot in (plot_marginals, plot_pairs):
        panels(plot(posterior, show=False))
        panels(
            plot(Posterior(draws, PRIOR.names, PRIOR.units, prior=PRIOR), show=False)
        )


def test_a_single_parameter():
    draws = np.random.default_rng(0).normal(0.01, 1e-3, (1, 200, 1))
    posterior = Posterior(draws, ["tau_e"], ["s"])
    assert len(panels(plot_pairs(posterior, show=False))) == 1
    assert len(panels(plot_marginals(posterior, show=False))) == 1


@pytest.mark.parametrize("plot", [plot_marginals, plot_pairs])
def test_several_observations_are_refused(plot, posterior):
    with pytest.raises(ValueError, match=r"posterior\[0\]"):
        plot(posterior, show=False)
    with pytest.raises(ValueError, match="truth must have shape"):
        plot(posterior[0], truth=[1.0], show=False)


def test_coverage(calibration):
    (ax,) = panels(plot_coverage(calibration, show=False))
    curves = ax.lines[1:]
    assert [line.get_label() for line in curves] == list(PRIOR.names)
    np.testing.assert_array_equal(curves[1].get_ydata(), calibration.coverage[:, 1])


@pytest.mark.parametrize("n_draws", [3, 50, 1000])
def test_ranks(n_draws):
    rng = np.random.default_rng(0)
    result = Calibration.from_draws(rng.random((100, n_draws, 2)), rng.random((100, 2)))
    for ax in panels(plot_sbc(result, show=False)):
        area = sum(bar.get_width() * bar.get_height() for bar in ax.containers[0])
        assert area == pytest.approx(1.0)


def test_calibration_shows_both(calibration):
    assert len(panels(calibration.plot(show=False))) == 4
    assert len(panels(plot_calibration(calibration, show=False))) == 4


def test_recovery():
    true = PRIOR.sample(500, 0)
    estimated = true + 0.1 * true.std(axis=0) * np.random.default_rng(0).normal(
        size=true.shape
    )
    axes = panels(
        plot_recovery(
            true,
            estimated,
            names=PRIOR.names,
            units=PRIOR.units,
            std=0.1 * true.std(axis=0) * np.ones_like(true),
            show=False,
        )
    )
    assert [ax.get_xlabel() for ax in axes] == [f"true {label}" for label in LABELS]
    assert all(ax.get_title().startswith("R² = 0.99") for ax in axes)
    with pytest.raises(ValueError, match="estimated must have shape"):
        plot_recovery(true, estimated[1:], names=PRIOR.names, units=PRIOR.units)


def test_show_does_not_warn_without_windows(calibration):
    plot_coverage(calibration, show=True)


@pytest.mark.parametrize("plot", [plot_marginals, plot_pairs])
def test_the_observation_is_named(posterior, plot):
    assert plot(posterior["s2"], show=False).get_suptitle() == "s2"
    unnamed = Posterior(posterior.draws[:1], posterior.names, posterior.units)
    assert plot(unnamed, show=False).get_suptitle() == ""
