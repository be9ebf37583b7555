"""``mne_sbi invert`` tells mistakes in a line, before it works."""

import re

import numpy as np
import pytest

from mne_sbi import SGMInverter, read_connectome
from mne_sbi.commands import main
from mne_sbi.inference import PointRegressor

from .conftest import make_raw, read_table

MISTAKES = {
    "no file": (["nowhere.fif"], "There is no file nowhere.fif."),
    "twice": (["sub-0_raw.fif", "./sub-0_raw.fif"], "The same file is given twice"),
    "text": (
        ["text.txt"],
        "cannot read text.txt as a recording: it is damaged or of another format. Give",
    ),
    "broken": (["broken_raw.fif"], "cannot read broken_raw.fif as a recording: "),
    "output": (
        ["sub-0_raw.fif", "--output-dir", "text.txt"],
        "--output-dir must be a folder, but text.txt is a file.",
    ),
    "rates": (["sub-0_raw.fif", "slow_raw.fif"], "sampled at 90 and 100 Hz"),
    "kinds": (["sub-0_raw.fif", "sub-3-epo.fif"], "Some files hold epochs, and others"),
    "picks": (["sub-0_raw.fif", "--picks", "Oz"], "there is no channel or type Oz"),
    "some picks": (
        ["eeg_raw.fif", "--picks", "fc5,Qz,Oz"],
        "there is no channel or type Qz. Its 3 channels are Fc5., C3.., Oz..",
    ),
    "sensors": (["eeg_raw.fif"], "need --lead-field .'template'"),
    "positions": (
        ["eeg_raw.fif", "--lead-field", "template"],
        "of 3 of 3 EEG channels: Fc5., C3.., Oz... Name a montage, such as --montage",
    ),
    "montage": (
        ["eeg_raw.fif", "--lead-field", "template", "--montage", "biosemi256"],
        "no positions for 2 of 3 EEG channels of eeg_raw.fif: Fc5., Oz... --picks",
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
        "cannot read text.txt as a forward solution: it is damaged or",
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
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


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


def test_interruption(invert, tmp_path, capsys, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(SGMInverter, "fit", interrupt)
    assert invert("sub-0_raw.fif") == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not list((tmp_path / "out").iterdir())


def test_folders_that_cannot_be_made(invert, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert invert("sub-0_raw.fif") == 1
    error = capsys.readouterr().err
    assert str(tmp_path / "out") in error and "Traceback" not in error


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


def test_inverters_without_posterior(folder, tmp_path, capsys):
    connectome = read_connectome(folder / "five.npz")
    method = PointRegressor(max_iter=1)
    settings = {"freqs": np.linspace(4, 40, 6), "n_simulations": 50, "random_state": 0}
    inverter = SGMInverter(connectome, method=method, verbose="error", **settings)
    inverter.fit(make_raw()).save(tmp_path / "point.zip")
    arguments = [
        "invert",
        "spectral_graph",
        str(folder / "sub-0_raw.fif"),
        "--inverter",
    ]
    assert main([*arguments, str(tmp_path / "point.zip")]) == 1
    assert "point estimates without intervals" in capsys.readouterr().err


def test_what_a_report_cannot_hold_is_found_before_the_work(invert, tmp_path, capsys):
    inverter = ["--inverter", str(tmp_path / "a.zip")]
    assert invert("sub-0_raw.fif", "--save-inverter", inverter[1], "--no-report") == 0
    capsys.readouterr()
    files = ["sub-0_raw.fif", "slow_raw.fif"]
    assert invert(*files, *inverter, settings=[], output="both") == 1
    assert "sampled at 90 and 100 Hz" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()
    # A table alone has a row of each.
    settings = ["--no-report"]
    assert invert(*files, *inverter, settings=settings, output="both") == 0
    assert list(read_table(tmp_path / "both").index) == files
