"""Figures and reports of inverters show what was measured and found."""

from html.parser import HTMLParser

import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest
from mne.time_frequency import psd_array_welch

from mne_sbi import LeadField, Posterior, SGMInverter
from mne_sbi.estimators import _plots

from .conftest import FREQS, NAMES


@pytest.fixture(autouse=True)
def no_figure_is_left():
    plt.close("all")  # of tests in other files
    yield
    left = plt.get_fignums()
    plt.close("all")
    assert not left


@pytest.fixture(scope="module")
def inverter(make_inverter, make_raw):
    return make_inverter().fit(make_raw())


class Page(HTMLParser):
    """Collects texts, tables and the number of images of a saved report."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.texts, self.n_images, self.inside = [], [], 0, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.inside = True
            self.rows[-1].append("")
        attrs = dict(attrs)
        is_figure = "figure-img" in (attrs.get("class") or "")
        self.n_images += tag == "img" and is_figure

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())
        if self.inside:
            self.rows[-1][-1] += data.strip()


def save(report, folder):
    fname = folder / "report.html"
    report.save(fname, open_browser=False, overwrite=True, verbose="error")
    return Page(fname.read_text(encoding="utf-8"))


def panels(fig):
    titles = [ax.get_title() for ax in fig.axes if ax.get_visible()]
    plt.close(fig)
    return titles


def test_predictive(inverter, make_raw, spectra):
    raw = make_raw()
    fig = inverter.plot_predictive(raw, n_draws=30, show=False)
    measured = fig.axes[0].lines[-1]
    np.testing.assert_allclose(measured.get_xdata(), FREQS)
    settings = {"n_fft": 200, "n_overlap": 100, "window": "hann", "picks": "all"}
    psd = raw.compute_psd("welch", **settings).get_data("all")
    frequencies = np.arange(101) / 2.0
    expected = inverter.features_.extract_spectrum(psd[None], frequencies)
    expected = inverter.features_.normalize(expected)[0].mean(axis=0)
    np.testing.assert_allclose(measured.get_ydata(), expected, atol=1e-3)
    assert panels(fig) == ["mean of 5 regions", *NAMES]
    # The bands with noise are wider than those without.
    fig = inverter.plot_predictive(spectra, 2, picks=["cuneus-rh", 0], show=False)
    noisy, clean = fig.axes[1].collections[:2]
    heights = [c.get_paths()[0].get_extents().height for c in (noisy, clean)]
    assert heights[0] > heights[1]
    assert panels(fig) == ["mean of 5 regions", "rh.cuneus", "lh.cuneus"]


def test_predictive_of_sensors(make_inverter, make_raw):
    ch_names = [f"EEG{i}" for i in range(6)]
    raw = make_raw(ch_names)
    raw.set_channel_types(dict.fromkeys(ch_names, "eeg"), on_unit_change="ignore")
    gain = np.random.default_rng(0).normal(size=(6, 5))
    lead_field = LeadField(gain, ch_names, NAMES, ch_types=["eeg"] * 6)
    inverter = make_inverter(lead_field=lead_field).fit(raw)
    fig = inverter.plot_predictive(raw, picks=["EEG4"], n_draws=20, show=False)
    freqs, measured = fig.axes[1].lines[-1].get_data()
    # The average reference is taken before the spectrum.
    data = raw.get_data() - raw.get_data().mean(axis=0)
    settings = {"sfreq": 100.0, "n_fft": 200, "n_overlap": 100, "window": "hann"}
    psd, bins = psd_array_welch(data[[4]], **settings, verbose="error")
    expected = 10 * np.log10(np.interp(freqs, bins, psd[0]))
    expected = (expected - expected.mean()) / expected.std()
    np.testing.assert_allclose(measured, expected, atol=0.02)
    assert panels(fig) == ["mean of 6 channels", "EEG4"]
    with pytest.raises(ValueError, match="'lh.cuneus', which is none of the 6 rows"):
        inverter.plot_predictive(raw, picks=["lh.cuneus"], show=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"obs": 4}, "number from 0 to 3, or a name, got 4"),
        ({"obs": "sub-1"}, "no observation 'sub-1': the 4 have no names"),
        ({"picks": ["lh.lingual"]}, "'lh.lingual', which is none of the 5 rows"),
        ({"picks": 5}, "5, which is none of the 5 rows"),
    ],
)
def test_predictive_of_what_is_not_there(inverter, spectra, settings, message):
    with pytest.raises(ValueError, match=message):
        inverter.plot_predictive(spectra, **settings, show=False)


def test_features_of_the_callers_have_no_spectra(make_inverter, tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.random((60, 2))
    inverter = make_inverter().fit(X, y)
    with pytest.raises(ValueError, match="features of the caller's"):
        inverter.plot_predictive(X)
    report = mne.Report(verbose="error")
    inverter.add_to_report(report, X[:2])
    page = save(report, tmp_path)
    assert "Measured and predicted spectra" not in page.texts
    assert "Observed: features of the caller's." in page.texts


def test_report(inverter, spectra, tmp_path):
    report = mne.Report(title="Study", verbose="error")
    names = ["ann", "b<b"]
    found = inverter.predict_posterior(spectra[:2])
    given = Posterior(found.draws, found.names, found.units, found.prior, names)
    posterior = inverter.add_to_report(
        report, spectra[:2], title="Spectral graph", posterior=given, calibration=40
    )
    assert posterior is given
    page = save(report, tmp_path)
    for heading in (
        *("Spectral graph", "Settings", "Prior", "Parameters", "Posterior"),
        *("Measured and predicted spectra", "Calibration in numbers"),
    ):
        assert any(heading in text for text in page.texts), heading
    table = posterior.summary()
    rows = {(row[0], row[1]): row for row in page.rows if row and row[0] in names}
    assert len(rows) == len(table)
    for row in table.itertuples():
        shown = rows[(row.obs, row.parameter)]
        factor = 1e3 if row.unit == "s" else 1.0
        assert shown[2] == ("ms" if row.unit == "s" else row.unit)
        assert float(shown[3]) == pytest.approx(factor * row.mean, rel=1e-3)
        assert float(shown[-1]) == pytest.approx(row.contraction, abs=0.01)
    # Marginals, pairs and spectra of each, and one of the calibration.
    assert page.n_images == 3 * 2 + 1
    assert any(text.startswith("Observed: 5 regions, lh.cuneus") for text in page.texts)
    assert any("over 40 fresh simulations" in text for text in page.texts)
    assert ["seed", "0"] not in page.rows
    assert ["random_state", "0"] in page.rows


def test_report_of_many_says_which_are_pictured(inverter, tmp_path, monkeypatch):
    monkeypatch.setattr(_plots, "_N_PICTURED", 2)
    X = np.random.default_rng(0).normal(size=(12, 5, 6))
    report = mne.Report(verbose="error")
    posterior = inverter.add_to_report(report, X)
    assert posterior.n_obs == 12
    page = save(report, tmp_path)
    assert page.n_images == 6
    assert any("the first 2 of 12 observations" in text for text in page.texts)
    assert any("observation 1" in text for text in page.texts)


def test_report_takes_a_calibration(inverter, spectra, tmp_path):
    calibration = inverter.diagnose(30, n_draws=20)
    report = mne.Report(verbose="error")
    inverter.add_to_report(report, spectra[:1], calibration=calibration)
    page = save(report, tmp_path)
    assert page.n_images == 4
    row = calibration.summary().iloc[0]
    assert [row["parameter"], f"{row['error']:.3f}"] in [r[:2] for r in page.rows]


def test_report_warns_of_a_synthetic_connectome(make_inverter, spectra, tmp_path):
    from mne_sbi.datasets import load_synthetic_connectome

    inverter = make_inverter(connectome=load_synthetic_connectome().pick(NAMES))
    report = mne.Report(verbose="error")
    inverter.fit().add_to_report(report, spectra[:1])
    assert any("SYNTHETIC" in text for text in save(report, tmp_path).texts)


def test_mistakes_in_reports(inverter, spectra):
    with pytest.raises(TypeError, match=r"must be an mne\.Report, got str"):
        inverter.add_to_report("report.html", spectra)
    report = mne.Report(verbose="error")
    for wrong in (True, "yes", 0.5):
        with pytest.raises(TypeError, match="a number of simulations, got"):
            inverter.add_to_report(report, spectra, calibration=wrong)
    posterior = inverter.predict_posterior(spectra[:2])
    with pytest.raises(ValueError, match="of 2 observations, and X holds 4"):
        inverter.add_to_report(report, spectra, posterior=posterior)
    with pytest.raises(ValueError, match="not fitted"):
        SGMInverter().add_to_report(report, spectra)
