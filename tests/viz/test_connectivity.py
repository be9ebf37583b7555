"""Figures of connectivity show the matrices, the edges, the null and the baselines."""

import mne
import numpy as np
import pandas as pd
import pytest
from mne_connectivity import Connectivity

from mne_sbi import Connectome, connectivity_fit
from mne_sbi.viz import plot_connectivity, plot_connectivity_fit

NAMES = [f"{region}_{side}" for region in "ABCDEF" for side in "LR"]


def random_matrix(seed, n_nodes=12):
    made = np.random.default_rng(seed).normal(size=(n_nodes, n_nodes))
    return made + made.T


@pytest.fixture
def fit():
    rng = np.random.default_rng(0)
    connectome = Connectome(rng.random((12, 12)), 0.1 * rng.random((12, 12)), NAMES)
    return connectivity_fit(
        (random_matrix(0), NAMES),
        (random_matrix(0) + random_matrix(1), NAMES),
        connectome=connectome,
        ceiling=0.9,
        n_null=30,
        random_state=0,
    )


def panels(fig):
    fig.canvas.draw()
    return [ax for ax in fig.axes if ax.get_visible()]


def test_fit(fit):
    fig = fit.plot(show=False)
    measured, simulated, bar, edges, null = panels(fig)
    assert [measured.get_title(), simulated.get_title()] == ["measured", "simulated"]
    images = measured.images[0], simulated.images[0]
    assert images[0].get_clim() == images[1].get_clim()
    # Both signs: zero is in the middle.
    assert images[0].norm.vmin == -images[0].norm.vmax
    shown = np.ma.filled(images[0].get_array(), np.nan)
    off = ~np.eye(12, dtype=bool)
    np.testing.assert_array_equal(shown[off], fit.measured[off])
    assert np.isnan(np.diag(shown)).all()
    assert [x.get_text() for x in measured.get_xticklabels()] == NAMES
    assert bar.get_ylabel() == "connectivity"
    points = edges.collections[0].get_offsets()
    assert points.shape == (66, 2)
    assert np.corrcoef(points.T)[0, 1] == pytest.approx(fit.r)
    assert f"r = {fit.r:.3f}" in edges.get_title()
    labels = [text.get_text() for text in null.get_legend().get_texts()]
    assert any(label.startswith("permuted regions") for label in labels)
    assert f"simulation {fit.r:.2f}" in labels
    assert "ceiling 0.90" in labels
    for name, (r, _) in fit.baselines.items():
        assert any(label.startswith(name) for label in labels)
        assert any(np.allclose(line.get_xdata(), r) for line in null.lines)
    counts = [patch.get_height() for patch in null.patches]
    assert sum(counts) == 30


def test_matrices():
    one = np.abs(random_matrix(0))
    both = [Connectivity(one.ravel(), 12, names=NAMES), 2 * one]
    fig = plot_connectivity(both, titles=["one", "two"], show=False)
    first, second, _ = panels(fig)
    assert [first.get_title(), second.get_title()] == ["one", "two"]
    assert [x.get_text() for x in first.get_yticklabels()] == NAMES
    low, high = first.images[0].get_clim()
    assert 0 <= low < high
    assert second.images[0].get_clim() == (low, high)
    fig = plot_connectivity(both, titles=pd.Series(["a", "b"]), show=False)
    assert [ax.get_title() for ax in panels(fig)[:2]] == ["a", "b"]
    # Too many names to read, or none.
    fig = plot_connectivity(random_matrix(0, 40), show=False)
    assert panels(fig)[0].get_xlabel() == "40 regions"
    assert len(panels(plot_connectivity([one] * 4, show=False))) == 5


def test_matrices_that_do_not_fit():
    one = random_matrix(0)
    with pytest.raises(ValueError, match="must be of the same regions"):
        plot_connectivity([one, random_matrix(0, 5)], show=False)
    with pytest.raises(ValueError, match=r"titles must have shape \(1,\).* got 2"):
        plot_connectivity(one, titles=["a", "b"], show=False)
    with pytest.raises(ValueError, match=r"names must have shape \(12,\).* got 2"):
        plot_connectivity(one, names=["a", "b"], show=False)
    with pytest.raises(ValueError, match="must have shape"):
        plot_connectivity(one[:3], show=False)


def test_fit_without_extras():
    one, other = random_matrix(0), random_matrix(1)
    fit = connectivity_fit((one, NAMES), (other, NAMES), n_null=5, random_state=0)
    axes = panels(plot_connectivity_fit(fit, show=False))
    assert len(axes[-1].lines) == 1


def test_fit_of_series():
    info = mne.create_info(NAMES, 100.0, "misc")
    data = np.random.default_rng(0).normal(size=(12, 600))
    raw = mne.io.RawArray(data, info, verbose="error")
    fit = connectivity_fit(raw, (random_matrix(1), NAMES), n_null=5, random_state=0)
    null = panels(plot_connectivity_fit(fit, show=False))[-1]
    labels = [text.get_text() for text in null.get_legend().get_texts()]
    assert labels[:2] == ["white noise", "random phases"]


def test_matrices_are_brought_into_one_order():
    rng = np.random.default_rng(0)
    one = rng.standard_normal((12, 12))
    one += one.T
    order = rng.permutation(12)
    other = Connectivity(
        one[np.ix_(order, order)].ravel(), 12, names=[NAMES[i] for i in order]
    )
    fig = plot_connectivity([Connectivity(one.ravel(), 12, names=NAMES), other])
    first, second = (ax.images[0].get_array() for ax in fig.axes[:2])
    np.testing.assert_array_equal(first.filled(np.nan), second.filled(np.nan))
    with pytest.raises(ValueError, match="no regions"):
        plot_connectivity(other, names=[f"other_{i}" for i in range(12)])
