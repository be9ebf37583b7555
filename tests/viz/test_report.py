"""Pictures in a report are those that savefig writes."""

import base64
import io
import re

import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest
from PIL import Image

from mne_sbi.viz import _report, plot_predictive

PLACE = {"section": "s", "tags": ("t",)}


def make_spectra(n_panels):
    """Make a figure of 1 region, or of the mean and some regions."""
    rng = np.random.default_rng(0)
    n = max(n_panels - 1, 1)
    freqs = np.linspace(2, 45, 10)
    spectra = rng.standard_normal((20, n, 10))
    return plot_predictive(spectra[0], spectra, freqs, show=False)


def pixels(file):
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def images_of(report):
    found = re.findall(r'src="data:image/\w+;base64,([^"]+)"', "".join(report.html))
    return [pixels(io.BytesIO(base64.b64decode(image))) for image in found]


def saved(fig):
    file = io.BytesIO()
    fig.savefig(file)
    return pixels(file)


def assert_is_the_same(image, expected):
    assert image.shape == expected.shape
    # One pixel to the side, lines and letters would differ in most of their pixels.
    assert (np.abs(image - expected).max(axis=2) > 64).mean() < 1e-3


@pytest.mark.parametrize("dpi", [100, 72])
@pytest.mark.parametrize("n_panels", [1, 2, 3])
def test_columns_of_spectra(n_panels, dpi):
    report = mne.Report(verbose="error")
    with plt.rc_context({"figure.dpi": dpi}):
        _report.add_figures(
            report, lambda i: make_spectra(n_panels), ["c"], "h", **PLACE
        )
        expected = saved(make_spectra(n_panels))
    (image,) = images_of(report)
    assert_is_the_same(image, expected)


def test_sliders_and_reports_of_users():
    report = mne.Report(verbose="error")
    _report.add_figures(report, make_spectra, ["a", "b"], "h", **PLACE)
    report.add_figure(make_spectra(1), title="by hand")
    images = images_of(report)
    assert len(images) == 3
    for image in images:
        assert_is_the_same(image, saved(make_spectra(1)))


def test_figures_that_users_made():
    # 459.99... pixels, of which MNE-Python cuts one off, and Matplotlib does not.
    fig, ax = plt.subplots(figsize=(4.6, 3))
    ax.plot([0, 1])
    assert int(fig.bbox.width) == 459
    before = saved(fig)
    report = mne.Report(verbose="error")
    _report.add_open_figures(report, [fig], None, "h", **PLACE)
    (image,) = images_of(report)
    assert_is_the_same(image, saved(fig))
    assert image.shape == before.shape
    assert plt.fignum_exists(fig.number)
