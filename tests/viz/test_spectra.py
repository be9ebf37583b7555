"""Figures of measured and predicted spectra show what they are given."""

import numpy as np
import pytest

from mne_sbi import Parameter, Posterior, Prior
from mne_sbi.viz import plot_inversion, plot_predictive

FREQS = np.linspace(2, 45, 20)
NAMES = [f"lh.region{i}" for i in range(10)]


@pytest.fixture
def spectra():
    rng = np.random.default_rng(0)
    measured = -np.log(FREQS) + rng.normal(0, 0.1, (10, 20))
    return measured, measured + rng.normal(0, 0.2, (300, 10, 20))


def panels(fig):
    fig.canvas.draw()
    return [ax for ax in fig.axes if ax.get_visible()]


def test_bands_and_measured_curves(spectra):
    measured, predicted = spectra
    noisy = measured + 5 * (predicted - measured)
    fig = plot_predictive(
        measured, predicted, FREQS, names=NAMES, noisy=noisy, nodes=[7], show=False
    )
    mean, single = panels(fig)
    assert mean.get_title() == "mean of 10 regions"
    assert single.get_title() == "lh.region7"
    assert single.get_xlabel() == "frequency (Hz)"
    curves = {line.get_label(): line.get_ydata() for line in single.lines}
    np.testing.assert_allclose(curves["measured"], measured[7])
    light, dark = single.collections
    for band, of in ((light, noisy), (dark, predicted)):
        y = band.get_paths()[0].vertices[:, 1]
        assert y.max() == pytest.approx(np.quantile(of[:, 7], 0.95, axis=0).max())
        assert y.min() == pytest.approx(np.quantile(of[:, 7], 0.05, axis=0).min())
    np.testing.assert_allclose(mean.lines[-1].get_ydata(), measured.mean(0))


def test_five_regions_by_default(spectra):
    titles = [ax.get_title() for ax in panels(plot_predictive(*spectra, FREQS))]
    assert titles[1:] == [f"region {i}" for i in (1, 3, 5, 7, 9)]


def test_inversion_has_a_panel_per_parameter(spectra):
    prior = Prior([Parameter("tau_e", 0.005, 0.03, 0.01, "s"), Parameter("a", 0, 1, 0)])
    draws = prior.sample(200, 0)[np.newaxis]
    posterior = Posterior(draws, prior.names, prior.units, prior=prior)
    fig = plot_inversion(
        posterior, *spectra, FREQS, truth=[0.02, 0.5], names=NAMES, show=False
    )
    axes = panels(fig)
    assert [ax.get_xlabel() for ax in axes[:2]] == ["tau_e (ms)", "a"]
    assert len(axes) == 2 + 6
    assert axes[0].lines[1].get_xdata()[0] == pytest.approx(20)


def test_shapes_that_do_not_fit(spectra):
    measured, predicted = spectra
    with pytest.raises(ValueError, match="measured must have shape"):
        plot_predictive(measured[:, :5], predicted, FREQS)
    with pytest.raises(ValueError, match="predicted must have shape"):
        plot_predictive(measured, predicted[:, :5], FREQS)
    with pytest.raises(ValueError, match=r"names must have shape \(10,\)"):
        plot_predictive(measured, predicted, FREQS, names=NAMES[:3])
