"""``mne_sbi invert``: from files to a table, a posterior and a report."""

import importlib.util
import re
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from mne_sbi import (
    LeadField,
    Parameter,
    models,
    read_inverter,
    read_posterior,
)
from mne_sbi.commands import _recordings, main
from mne_sbi.models import ForwardModel

from .conftest import NAMES, make_raw, read_table


def test_a_row_per_file(invert, tmp_path, capsys):
    assert invert("sub-0_raw.fif", "sub-1_raw.fif", "--calibration", "20") == 0
    captured = capsys.readouterr()
    assert "warning" not in captured.err
    out = tmp_path / "out"
    posterior = read_posterior(out / "inversion_posterior.npz")
    assert posterior.obs_names == ("sub-0_raw.fif", "sub-1_raw.fif")
    assert posterior.draws.shape == (2, 20, 5)
    expected = posterior.to_data_frame().rename_axis("recording")
    pd.testing.assert_frame_equal(read_table(out), expected)
    assert read_table(out).columns[:3].tolist() == [
        *("tau_e", "tau_e_lower", "tau_e_upper")
    ]
    page = (out / "inversion_report.html").read_text(encoding="utf-8")
    for text in ("sub-1_raw.fif", "over 20 fresh simulations", "Observed: 5 regions"):
        assert text in page
    assert "tau_e (ms)" in captured.out
    (row,) = re.findall(r"^sub-1_raw\.fif +(\S+) \[", captured.out, flags=re.M)
    assert float(row) == pytest.approx(1e3 * posterior.mean[1, 0], rel=1e-2)
    assert f"Table: {out / 'inversion_parameters.csv'}" in captured.out


def test_the_same_seed_gives_the_same_and_a_file_does_not_mind_others(invert, tmp_path):
    for output, files in {"both": (0, 1), "one": (1,)}.items():
        files = [f"sub-{i}_raw.fif" for i in files]
        assert invert(*files, "--no-report", "--quiet", output=output) == 0
    both, one = read_table(tmp_path / "both"), read_table(tmp_path / "one")
    pd.testing.assert_series_equal(both.iloc[1], one.iloc[0])
    assert not (tmp_path / "one" / "inversion_report.html").exists()
    assert invert("sub-1_raw.fif", "--no-report", "--seed", "1", output="other") == 0
    assert not np.allclose(one, read_table(tmp_path / "other"))


def test_windows_and_epochs(invert, tmp_path, capsys):
    assert invert("sub-0_raw.fif", "--duration", "8", "--no-report") == 0
    table = read_table(tmp_path / "out")
    assert table.index.tolist() == [f"sub-0_raw.fif, window {i}" for i in (1, 2)]
    assert "last 4 s of the recording are left out" in capsys.readouterr().out
    # The epochs of a file are one observation.
    assert invert("sub-3-epo.fif", "--no-report", output="epochs") == 0
    assert read_table(tmp_path / "epochs").index.tolist() == ["sub-3-epo.fif"]


def test_files_of_one_name_are_told_apart_by_their_folders(invert, tmp_path):
    assert invert("sub-0_raw.fif", "twin/sub-0_raw.fif", "--no-report") == 0
    names = read_table(tmp_path / "out").index.tolist()
    assert names == ["sub-0_raw.fif", "twin/sub-0_raw.fif"]


def test_prior_and_picks(invert, tmp_path):
    prior = ["--prior", "speed=8:9", "--prior", "alpha=0.5"]
    picks = ["--picks", "cuneus-lh,cuneus-rh"]
    assert invert("sub-0_raw.fif", "--no-report", *prior, *picks) == 0
    posterior = read_posterior(tmp_path / "out" / "inversion_posterior.npz")
    assert posterior.names == ("tau_e", "tau_i", "speed", "tau_g")
    assert posterior.draws[..., 2].min() >= 8 and posterior.draws[..., 2].max() <= 9


def test_inverters_are_kept_and_used_again(invert, tmp_path, capsys):
    saved = str(tmp_path / "kept" / "five.zip")
    files = ["sub-0_raw.fif", "--no-report"]
    assert invert(*files, "--save-inverter", saved) == 0
    assert f"Inverter: {saved}" in capsys.readouterr().out
    inverter = read_inverter(saved)
    assert inverter.n_simulations == 300 and inverter.n_draws == 20
    again = ["--inverter", saved]
    assert invert(*files, *again, output="again", settings=[]) == 0
    assert "Learning" not in capsys.readouterr().out
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "out"), read_table(tmp_path / "again")
    )


@pytest.mark.slow
def test_a_network(invert, tmp_path, capfd):
    settings = ["--connectome", "five.npz", "--n-freqs", "6", "--n-simulations", "200"]
    settings += ["--max-iter", "1", "--calibration", "0", "--quiet", "--no-report"]
    assert invert("sub-0_raw.fif", settings=settings) == 0
    assert np.isfinite(read_table(tmp_path / "out")).all(axis=None)
    captured = capfd.readouterr()
    assert "Simulating" not in captured.err and "Reading" not in captured.out


def test_connectome_that_nobody_chose(invert, tmp_path, cache_dir, capsys):
    settings = ["--n-freqs", "6", "--n-simulations", "100", "--method", "abc"]
    settings += ["--no-report", "--n-draws", "5"]
    assert invert("sub-0_raw.fif", settings=settings) == 0
    lines = capsys.readouterr().err.splitlines()
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    assert "SYNTHETIC" in warning and "mne_sbi fetch hcp_desikan86" in warning


def test_epochs_of_eeglab(folder, monkeypatch):
    """They are in files of the same suffix as its recordings."""
    calls = []

    def read_raw(file, **settings):
        raise TypeError("The number of trials is 2. It must be 1 for raw files.")

    def read_epochs_eeglab(file, **settings):
        calls.append(file)
        return "epochs"

    monkeypatch.setattr(mne.io, "read_raw", read_raw)
    monkeypatch.setattr(mne.io, "read_epochs_eeglab", read_epochs_eeglab)
    assert _recordings._read("x.set") == "epochs" and calls == ["x.set"]
    with pytest.raises(ValueError, match="cannot read .*x.edf as a recording"):
        _recordings._read("x.edf")


def test_edf(invert, tmp_path, folder):
    pytest.importorskip("edfio")
    raw = make_raw(7, kind="eeg")
    raw.export(tmp_path / "regions.edf", verbose="error")
    assert invert(str(tmp_path / "regions.edf"), "--no-report") == 0
    assert read_table(tmp_path / "out").index.tolist() == ["regions.edf"]


class Slope(ForwardModel):
    """One node, whose power falls with a power of frequency."""

    parameters = (Parameter("slope", 0.5, 3.0, 1.0),)
    output = "spectrum"

    def __init__(self, freqs=None):
        self.freqs = freqs

    def simulate(self, params, key):
        import jax.numpy as jnp

        return jnp.asarray(self.freqs)[None] ** -params["slope"]


def test_other_spectral_models(invert, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(models, "get_model", lambda name: Slope)
    settings = ["--n-freqs", "20", "--n-simulations", "200", "--method", "abc"]
    settings += ["--no-report", "--n-draws", "20", "--picks", "cuneus-lh"]
    assert invert("sub-0_raw.fif", "sub-1_raw.fif", settings=settings) == 0
    # The noise is that of 20 s, or this would warn.
    assert "warning" not in capsys.readouterr().err
    posterior = read_posterior(tmp_path / "out" / "inversion_posterior.npz")
    assert posterior.names == ("slope",)
    assert invert("sub-0_raw.fif", "--connectome", "five.npz", output="o") == 1
    assert "takes no --connectome" in capsys.readouterr().err


def test_models_of_time_series(invert, tmp_path, monkeypatch, capsys):
    file = Path(__file__).parents[1] / "data" / "plugin_hopf" / "plugin_hopf.py"
    spec = importlib.util.spec_from_file_location("plugin_hopf", file)
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    monkeypatch.setattr(models, "get_model", lambda name: plugin.HopfModel)
    settings = ["--connectome", "five.npz", "--fmax", "30", "--n-simulations", "20"]
    settings += ["--method", "abc", "--n-draws", "5", "--calibration", "10"]
    assert invert("sub-0_raw.fif", settings=settings) == 0
    table = read_table(tmp_path / "out")
    assert table.columns[0] == "growth" and np.isfinite(table).all(axis=None)
    page = (tmp_path / "out" / "inversion_report.html").read_text(encoding="utf-8")
    assert "Measured and predicted spectra" in page and "fmax=30.0" in page
    assert invert("sub-0_raw.fif", *settings, "--n-freqs", "9", "--overwrite") == 1
    assert "takes no --n-freqs" in capsys.readouterr().err


EEG = ["--montage", "colin27_1005", "--rename-standard", "--n-simulations", "1000"]


def test_sensors_through_the_template(invert, shared_data, tmp_path, capsys):
    files = [
        str(shared_data / "eeg" / f"eegmmidb_S001R0{i}_first60s.edf") for i in "12"
    ]
    saved = str(tmp_path / "eeg.zip")
    sensors = [*files, *EEG, "--lead-field", "template", "--save-inverter", saved]
    assert invert(*sensors, "--fmax", "30", "--n-freqs", "15") == 0
    inverter = read_inverter(saved)
    assert len(inverter.ch_names_) == 64 and "Oz" in inverter.ch_names_
    assert inverter.node_names_ == tuple(NAMES)
    page = (tmp_path / "out" / "inversion_report.html").read_text(encoding="utf-8")
    assert "5 of 5 nodes are observed by 64 sensors" in page
    table = read_table(tmp_path / "out")
    # Positions are asked for before anything is computed.
    capsys.readouterr()
    # And names such as "Fc5." are those of the fit.
    again = ["--inverter", saved, *EEG[:2]]
    assert invert(files[1], *again, "--no-report", output="again", settings=[]) == 0
    pd.testing.assert_series_equal(
        read_table(tmp_path / "again").iloc[0], table.iloc[1]
    )


@pytest.mark.parametrize("labels", ["folder", "annotations"])
def test_sensors_through_a_forward_solution(invert, shared_data, tmp_path, labels):
    route = shared_data / "mne_route"
    forward = str(route / "sample_small_eeg64-fwd.fif")
    sources = [str(route / "sample_small_aparc_labels")]
    if labels == "annotations":
        sources = write_annotations(route, tmp_path)
    file = str(shared_data / "eeg" / "eegmmidb_S001R02_first60s.edf")
    options = ["--n-simulations", "1000", "--no-report", "--lead-field", forward]
    sensors = [file, *options, "--labels", *sources]
    assert invert(*sensors) == 0
    assert len(read_table(tmp_path / "out")) == 1


def write_annotations(route, folder):
    """Write the labels of the forward solution as annotations of its surfaces."""
    from nibabel import freesurfer

    files = []
    for side in ("lh", "rh"):
        names = sorted((route / "sample_small_aparc_labels").glob(f"*-{side}.label"))
        regions = np.zeros(1026, int)
        for i, name in enumerate(names, 1):
            regions[mne.read_label(name).vertices] = i
        table = np.arange(4 * len(names) + 4).reshape(-1, 4) % 200
        known = ["unknown", *(name.name.partition("-")[0] for name in names)]
        files.append(str(folder / f"{side}.aparc.annot"))
        freesurfer.write_annot(files[-1], regions, table, known, fill_ctab=True)
    return files


def test_eeglab_through_a_lead_field_of_a_file(invert, shared_data, tmp_path, capsys):
    file = str(shared_data / "eeg" / "test_raw.set")
    sensors = [file, "--picks", "eeg", "--no-report", "--lead-field"]
    assert invert(*sensors, "template") == 1
    assert "positions of 32 of 32 EEG channels: EEG 000" in capsys.readouterr().err
    ch_names = mne.io.read_raw(file, verbose="error").ch_names
    gain = np.random.default_rng(0).normal(size=(len(ch_names), 5))
    lead_field = LeadField(gain, ch_names, NAMES, ch_types=["eeg"] * len(ch_names))
    lead_field.save(tmp_path / "gain.npz")
    assert invert(*sensors, str(tmp_path / "gain.npz")) == 0
    assert read_table(tmp_path / "out").index.tolist() == ["test_raw.set"]


def test_channels_by_themselves(shared_data, tmp_path, capsys):
    fname = shared_data / "eeg" / "eegmmidb_S001R02_first60s.edf"
    options = ["--picks", "O1,Oz", "--rename-standard", "--duration", "20"]
    options += ["--n-simulations", "60", "--max-iter", "1", "--calibration", "0"]
    options += ["--output-dir", str(tmp_path), "--save-inverter", f"{tmp_path}/jr.zip"]
    options += ["--no-report"]
    assert main(["invert", "jansen_rit", str(fname), *options]) == 0
    table = read_table(tmp_path)
    assert len(table) == 6
    assert table.index[1] == "eegmmidb_S001R02_first60s.edf, window 1, Oz"
    # Without --picks, the channels are those of the fit.
    options = ["--rename-standard", "--no-report", "--overwrite"]
    options += ["--inverter", f"{tmp_path}/jr.zip", "--output-dir", str(tmp_path)]
    assert main(["invert", "jansen_rit", str(fname), *options]) == 0
    np.testing.assert_allclose(read_table(tmp_path), table, rtol=1e-3)
    # Other channels than those of the fit have their own names.
    options += ["--picks", "Oz,O2"]
    options.remove("--rename-standard")
    assert main(["invert", "jansen_rit", str(fname), *options]) == 0
    other = read_table(tmp_path)
    assert [name.rpartition(", ")[2] for name in other.index] == 3 * ["Oz..", "O2.."]
    np.testing.assert_allclose(other.iloc[::2], table.iloc[1::2], rtol=1e-3)
    options = ["--n-freqs", "3", "--output-dir", f"{tmp_path}/new"]
    assert main(["invert", "jansen_rit", str(fname), *options]) != 0
    assert "takes no --n-freqs" in capsys.readouterr().err
