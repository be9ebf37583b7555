"""Figures of sensitivity show the indices that they are given."""

import numpy as np
import pytest

from mne_sbi.diagnostics import MorrisSensitivity, SobolSensitivity
from mne_sbi.viz import plot_sensitivity

NAMES, FEATURES = ("a", "b", "c"), ("power", "psd")
FREQS = np.array([1.0, 2.0, 4.0, 8.0])


def indices(names, *shape):
    """Random indices of a shape, with intervals."""
    rng = np.random.default_rng(0)
    found = {}
    for name in names:
        found[name] = rng.random(shape) * 0.5
        ends = [0.9 * found[name], 1.1 * found[name]]
        found[f"{name}_interval"] = np.stack(ends, axis=-1)
    return found


def make(kind):
    is_sobol = kind is SobolSensitivity
    names = ("first_order", "total_order") if is_sobol else ("mu_star", "sigma")
    outputs = {
        "power": {"axis": np.zeros(1), "axis_label": "output", "rows": (0,)},
        "psd": {
            "rows": (0, 1),
            "axis": FREQS,
            "axis_label": "frequency (Hz)",
            # The second row counts three times as much.
            "variance": np.array([np.ones(4), np.full(4, 3.0)]),
        }
        | indices(names, 2, 4, 3),
    }
    more = {"noise": np.array([0.1, np.nan])} if is_sobol else {}
    return kind(
        names=NAMES,
        features=FEATURES,
        **indices(names, 2, 3),
        outputs=outputs,
        n=64,
        n_replicates=1,
        n_replaced=0,
        confidence=0.9,
        **more,
    )


def panels(fig):
    fig.canvas.draw()
    return [ax for ax in fig.axes if ax.get_visible()]


def test_bars():
    sensitivity = make(SobolSensitivity)
    axes = panels(sensitivity.plot(show=False))
    assert [ax.get_title() for ax in axes] == list(FEATURES)
    for i, ax in enumerate(axes):
        widths = [bar.get_width() for bar in ax.patches]
        expected = [*sensitivity.total_order[i], *sensitivity.first_order[i]]
        np.testing.assert_allclose(widths, expected)
        assert [label.get_text() for label in ax.get_yticklabels()] == list(NAMES)
    (legend,) = axes[0].figure.legends
    assert {text.get_text() for text in legend.texts} == {
        "total",
        "first order",
        "randomness of the model",
    }


def test_bars_without_an_index():
    sensitivity = make(SobolSensitivity)
    for array in vars(sensitivity).values():
        if isinstance(array, np.ndarray):
            array[0] = np.nan
    assert len(panels(plot_sensitivity(sensitivity, show=False))) == 2


def test_scatter():
    sensitivity = make(MorrisSensitivity)
    axes = panels(sensitivity.plot(show=False))
    assert [ax.get_title() for ax in axes] == list(FEATURES)
    for i, ax in enumerate(axes):
        drawn = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
        expected = np.stack([sensitivity.mu_star[i], sensitivity.sigma[i]], axis=1)
        np.testing.assert_allclose(drawn, expected)
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.texts] == list(NAMES)


@pytest.mark.parametrize("kind", [SobolSensitivity, MorrisSensitivity])
def test_maps(kind):
    sensitivity = make(kind)
    axes = panels(sensitivity.plot("psd", show=False))
    assert axes[2].get_xlabel() == "frequency (Hz)"
    name = "total_order" if kind is SobolSensitivity else "sigma"
    values = sensitivity.outputs["psd"][name]
    weights = [0.25, 0.75] if kind is SobolSensitivity else [0.5, 0.5]
    power = 1 if kind is SobolSensitivity else 2
    expected = np.average(values**power, axis=0, weights=weights) ** (1 / power)
    drawn = np.asarray(axes[1].collections[0].get_array())
    np.testing.assert_allclose(drawn.reshape(3, 4), expected.T)
    np.testing.assert_allclose(axes[2].lines[0].get_ydata(), np.sqrt(2))


def test_wrong_feature():
    sensitivity = make(SobolSensitivity)
    with pytest.raises(ValueError, match="Did you mean 'psd'"):
        sensitivity.plot("pds", show=False)
    with pytest.raises(ValueError, match="one output only"):
        sensitivity.plot("power", show=False)
