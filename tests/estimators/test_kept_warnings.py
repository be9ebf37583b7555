"""What an inverter warns of reaches its results, however quiet MNE-Python is."""

import mne
import pytest

from mne_sbi import read_inverter
from mne_sbi.datasets import load_synthetic_connectome


@pytest.fixture(scope="module")
def fitted(make_inverter, connectome):
    """Of a synthetic connectome, which only recordings are warned of."""
    synthetic = load_synthetic_connectome().pick(list(connectome.names))
    with mne.use_log_level("ERROR"):
        return make_inverter(connectome=synthetic).fit()


@pytest.fixture(scope="module")
def posterior(fitted, make_raw):
    with mne.use_log_level("ERROR"):
        return fitted.predict_posterior(make_raw())


def test_silenced_warnings_reach_the_posterior(fitted, posterior, spectra):
    assert fitted.warnings_ == ()
    assert any("synthetic" in text for text in posterior.warnings)
    assert "see .warnings" in repr(posterior)
    # Those of one prediction are not those of the next.
    assert fitted.predict_posterior(spectra[:, :5]).warnings == ()


def test_warnings_of_the_fit_are_those_of_each_posterior(
    make_inverter, make_raw, spectra, tmp_path
):
    synthetic = load_synthetic_connectome().pick(list(make_raw().ch_names))
    with mne.use_log_level("ERROR"):
        inverter = make_inverter(connectome=synthetic).fit(make_raw())
        (text,) = [text for text in inverter.warnings_ if "synthetic" in text]
        found = inverter.predict_posterior(spectra).warnings
        both = inverter.predict_posterior(make_raw()).warnings
    assert text in found and both.count(text) == 1
    inverter.save(tmp_path / "inverter.zip")
    assert read_inverter(tmp_path / "inverter.zip").warnings_ == inverter.warnings_
    # A fit without warnings forgets them.
    assert make_inverter().fit(spectra).warnings_ == ()


def test_the_report_begins_with_warnings(fitted, posterior, make_raw):
    import matplotlib.pyplot as plt

    report = mne.Report(verbose="error")
    with mne.use_log_level("ERROR"):
        fitted.add_to_report(report, make_raw(), posterior=posterior)
    plt.close("all")
    first = report.html[0]
    assert "Warnings" in first and "synthetic" in first
