"""``mne_sbi invert``: from files to a table, a posterior and a report."""

import dataclasses
import re

import mne
import numpy as np
import pandas as pd
import pytest

from mne_sbi import LeadField, read_inverter, read_posterior
from mne_sbi.commands import main
from mne_sbi.datasets import load_synthetic_connectome

NAMES = ["lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula", "lh.precentral"]
PARAMETERS = ["tau_e", "tau_i", "alpha", "speed", "tau_g"]


def make_raw(seed=0, names=NAMES, *, kind="misc", duration=20.0, sfreq=100.0):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((len(names), round(sfreq * duration)))
    # Spectra that fall, as those of the brain do.
    for i in range(1, data.shape[1]):
        data[:, i] += 0.8 * data[:, i - 1]
    info = mne.create_info(list(names), sfreq, kind)
    return mne.io.RawArray(1e-5 * data, info, verbose="error")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings, a connectome, and other files."""
    folder = tmp_path_factory.mktemp("files")
    connectome = dataclasses.replace(
        load_synthetic_connectome().pick(NAMES), synthetic=False
    )
    connectome.save(folder / "five.npz")
    for i in range(2):
        raw = make_raw(i, ["-".join(name.split(".")[::-1]) for name in NAMES])
        raw.save(folder / f"sub-{i}_raw.fif", verbose="error")
    (folder / "twin").mkdir()
    make_raw(5).save(folder / "twin" / "sub-0_raw.fif", verbose="error")
    epochs = mne.make_fixed_length_epochs(make_raw(3), 5.0, verbose="error")
    epochs.save(folder / "sub-3-epo.fif", verbose="error")
    make_raw(0, ["Fc5.", "C3..", "Oz.."], kind="eeg").save(
        folder / "eeg_raw.fif", verbose="error"
    )
    make_raw(4, sfreq=90.0).save(folder / "slow_raw.fif", verbose="error")
    (folder / "text.txt").write_text("hello")
    (folder / "broken_raw.fif").write_bytes(b"\0" * 100)
    return folder


@pytest.fixture
def invert(folder, tmp_path, monkeypatch):
    """A function that runs the command on files of the folder, quickly."""
    monkeypatch.chdir(folder)

    def invert(*arguments, output="out", settings=None):
        if settings is None:
            settings = ["--connectome", "five.npz", "--fmin", "4", "--fmax", "40"]
            settings += ["--n-freqs", "6", "--n-simulations", "300"]
            settings += ["--method", "abc", "--n-draws", "20", "--calibration", "0"]
        where = ["--output-dir", str(tmp_path / output)]
        # Last, because the last of two values of an option counts.
        return main(["invert", "spectral_graph", *settings, *where, *arguments])

    return invert


def read_table(folder):
    return pd.read_csv(folder / "inversion_parameters.csv", index_col="recording")


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


MISTAKES = {
    "no file": (["nowhere.fif"], "There is no file nowhere.fif."),
    "twice": (["sub-0_raw.fif", "./sub-0_raw.fif"], "The same file is given twice"),
    "text": (["text.txt"], "text.txt cannot be read as a recording (AssertionError)."),
    "broken": (["broken_raw.fif"], "broken_raw.fif cannot be read as a recording"),
    "rates": (["sub-0_raw.fif", "slow_raw.fif"], "100.* Hz"),
    "picks": (["sub-0_raw.fif", "--picks", "Oz"], "--picks does not fit sub-0_raw.fif"),
    "sensors": (["eeg_raw.fif"], "need lead_field= .'template'"),
    "positions": (
        ["eeg_raw.fif", "--lead-field", "template"],
        "no positions of Fc5., C3.., Oz... Name a montage, such as --montage standard",
    ),
    "montage": (
        ["eeg_raw.fif", "--lead-field", "template", "--montage", "standard_1005"],
        "standard_1005 has no positions for Fc5., C3.., Oz.. of eeg_raw.fif. --rename",
    ),
    "unknown montage": (
        ["eeg_raw.fif", "--lead-field", "template", "--montage", "biosemi46"],
        "no montage biosemi46. Did you mean 'biosemi64'?",
    ),
    "no standard": (["sub-0_raw.fif", "--rename-standard"], "no channels of the 10-05"),
    "windows": (["sub-0_raw.fif", "--duration", "100"], "100 s"),
    "windows of epochs": (["sub-3-epo.fif", "--duration", "2"], "duration cuts a Raw"),
    "duration": (["sub-0_raw.fif", "--duration", "-1"], "--duration must be positive"),
    "draws": (["sub-0_raw.fif", "--n-draws", "0"], "--n-draws must be positive, got 0"),
    "simulations": (["sub-0_raw.fif", "--n-simulations", "3"], "at least 10, got 3"),
    "checks": (["sub-0_raw.fif", "--calibration", "-1"], "must not be negative: -1"),
    "band": (["sub-0_raw.fif", "--fmin", "50"], "--fmin must be positive and below"),
    "nyquist": (["sub-0_raw.fif", "--fmax", "60"], "sampling rate of at least 120 Hz"),
    "frequencies": (["sub-0_raw.fif", "--n-freqs", "1"], "--n-freqs must be at least"),
    "parameter": (["sub-0_raw.fif", "--prior", "sped=1:2"], "Did you mean 'speed'?"),
    "range": (["sub-0_raw.fif", "--prior", "speed=3:2"], "speed"),
    "connectome": (["sub-0_raw.fif", "--connectome", "none.npz"], "none.npz"),
    "no connectome": (["sub-0_raw.fif", "--connectome", "sub-0_raw.fif"], "sub-0_raw"),
    "labels": (["sub-0_raw.fif", "--labels", "twin"], "--labels belongs to --lead"),
    "labels of a template": (
        ["eeg_raw.fif", "--lead-field", "template", "--labels", "twin"],
        "--labels belongs to --lead-field FILE-fwd.fif only",
    ),
    "no lead field": (
        ["eeg_raw.fif", "--lead-field", "tempalte"],
        "'template' or a file, and there is no file tempalte",
    ),
    "forward without labels": (
        ["eeg_raw.fif", "--lead-field", "text.txt"],
        "needs the regions of its sources: --labels",
    ),
    "no forward": (
        ["eeg_raw.fif", "--lead-field", "text.txt", "--labels", "twin"],
        "text.txt cannot be read as a forward solution",
    ),
    "method": (["sub-0_raw.fif", "--max-iter", "3"], "--max-iter belongs to --method"),
    "name of inverter": (
        ["sub-0_raw.fif", "--save-inverter", "x.pkl"],
        "--save-inverter must end in .zip",
    ),
    "trained": (
        ["sub-0_raw.fif", "--inverter", "x.zip"],
        "leave out --connectome, --fmin, --fmax, --n-freqs, --n-simulations, --method",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_end_with_a_line(invert, tmp_path, capsys, mistake):
    arguments, message = MISTAKES[mistake]
    settings = ["--connectome", "five.npz", "--fmin", "4", "--fmax", "40"]
    settings += ["--n-freqs", "6", "--n-simulations", "50", "--method", "abc"]
    where = ["--output-dir", str(tmp_path / "out"), "--quiet"]
    status = main(["invert", "spectral_graph", *settings, *where, *arguments])
    captured = capsys.readouterr()
    assert status == 1
    assert captured.err.startswith("mne_sbi invert: ")
    assert (
        re.search(message, captured.err.replace("\n", " ")) or message in captured.err
    )
    assert "Traceback" not in captured.err and captured.out == ""
    assert not list((tmp_path / "out").glob("*.*"))


def test_unknown_models(capsys, folder):
    assert main(["invert", "spectral_grap", str(folder / "sub-0_raw.fif")]) == 1
    assert "Did you mean 'spectral_graph'?" in capsys.readouterr().err


def test_inverter_that_is_none(folder, tmp_path, capsys):
    arguments = ["invert", "spectral_graph", str(folder / "sub-0_raw.fif")]
    arguments += ["--output-dir", str(tmp_path)]
    assert main([*arguments, "--inverter", str(folder / "nowhere.zip")]) == 1
    assert "There is no file" in capsys.readouterr().err
    assert main([*arguments, "--inverter", str(folder / "text.txt")]) == 1
    assert "is damaged or not an inverter" in capsys.readouterr().err


def test_outputs_that_exist_are_found_before_the_work(invert, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    table = tmp_path / "out" / "inversion_parameters.csv"
    table.write_text("old")
    assert invert("broken_raw.fif") == 1
    error = capsys.readouterr().err
    assert f"{table} would be replaced" in error and "--overwrite" in error
    assert table.read_text() == "old"
    assert invert("sub-0_raw.fif", "--no-report", "--overwrite") == 0
    assert len(read_table(tmp_path / "out")) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["invert"],
        ["invert", "spectral_graph"],
        ["invert", "spectral_graph", "x.fif", "--method", "mcmc"],
        ["invert", "spectral_graph", "x.fif", "--prior", "speed"],
        ["invert", "spectral_graph", "x.fif", "--prior", "speed=1:2:3"],
        ["invert", "spectral_graph", "x.fif", "--prior", "=1:2"],
        ["invert", "spectral_graph", "x.fif", "--seed", "a"],
    ],
)
def test_wrong_arguments_end_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: mne_sbi invert" in capsys.readouterr().err


def test_edf(invert, tmp_path, folder):
    pytest.importorskip("edfio")
    raw = make_raw(7, kind="eeg")
    raw.export(tmp_path / "regions.edf", verbose="error")
    assert invert(str(tmp_path / "regions.edf"), "--no-report") == 0
    assert read_table(tmp_path / "out").index.tolist() == ["regions.edf"]


EEG = ["--montage", "standard_1005", "--rename-standard", "--n-simulations", "1000"]


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
    again = ["--inverter", saved, *EEG[:3]]
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
    sensors = [file, *EEG, "--no-report", "--lead-field", forward, "--labels", *sources]
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
    assert "no positions of EEG 000" in capsys.readouterr().err
    ch_names = mne.io.read_raw(file, verbose="error").ch_names
    gain = np.random.default_rng(0).normal(size=(len(ch_names), 5))
    lead_field = LeadField(gain, ch_names, NAMES, ch_types=["eeg"] * len(ch_names))
    lead_field.save(tmp_path / "gain.npz")
    assert invert(*sensors, str(tmp_path / "gain.npz")) == 0
    assert read_table(tmp_path / "out").index.tolist() == ["test_raw.set"]
