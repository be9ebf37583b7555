"""``mne_sbi simulate``: banks on disk, resumed and learnt from."""

import dataclasses

import numpy as np
import pytest

from mne_sbi import read_posterior, read_simulation_bank
from mne_sbi.commands import main
from mne_sbi.datasets import load_synthetic_connectome

from .conftest import NAMES, make_raw


@pytest.fixture
def simulate(tmp_path, monkeypatch):
    """A function that runs the command in an empty folder, on five regions."""
    monkeypatch.chdir(tmp_path)
    connectome = load_synthetic_connectome().pick(NAMES)
    dataclasses.replace(connectome, synthetic=False).save("five.npz")

    def simulate(*arguments, n=60):
        settings = ["--connectome", "five.npz", "--n-freqs", "6", "--n", str(n)]
        settings += ["--output", "bank.sims"]
        return main(["simulate", "spectral_graph", *settings, *arguments])

    return simulate


def test_bank_is_made_and_learnt_from(simulate, tmp_path, capsys):
    assert simulate("--prior", "speed=8:9") == 0
    printed = capsys.readouterr().out
    assert "60 simulations of tau_e, tau_i, alpha, speed, tau_g; " in printed
    assert "--simulations bank.sims" in printed
    bank = read_simulation_bank("bank.sims")
    assert np.shape(bank.x) == (60, 5, 6)
    speed = bank.theta[:, bank.prior.names.index("speed")]
    assert speed.min() >= 8 and speed.max() <= 9
    make_raw().save("sub_raw.fif", verbose="error")
    arguments = ["invert", "spectral_graph", "sub_raw.fif", "--no-report", "--quiet"]
    arguments += ["--connectome", "five.npz", "--n-freqs", "6", "--method", "abc"]
    arguments += ["--n-draws", "10", "--simulations"]
    assert main([*arguments, "bank.sims"]) == 0
    posterior = read_posterior("inversion_posterior.npz")
    assert np.isin(posterior.draws.round(9), bank.theta.round(9)).all()
    # Other frequencies are another model.
    arguments += ["bank.sims", "--overwrite", "--n-freqs", "7"]
    assert main(arguments) == 1
    assert "made with another --fmin and --fmax" in capsys.readouterr().err
    assert main([*arguments, "--simulations", "none.sims"]) == 1
    assert "There is nothing at none.sims" in capsys.readouterr().err
    assert main([*arguments, "--n-simulations", "20"]) == 1
    assert "no --n-simulations" in capsys.readouterr().err


def test_the_same_line_goes_on(simulate, capsys):
    assert simulate("--quiet") == 0
    first = read_simulation_bank("bank.sims")
    theta = np.array(first.theta)
    assert simulate("--quiet", n=80) == 0
    bank = read_simulation_bank("bank.sims")
    assert len(bank) == 80
    np.testing.assert_array_equal(bank.theta[:60], theta)
    # Other settings are an error, unless the bank is to be replaced.
    capsys.readouterr()
    assert simulate("--quiet", "--seed", "3") == 1
    assert "bank.sims" in capsys.readouterr().err
    assert simulate("--quiet", "--seed", "3", "--overwrite") == 0
    assert not np.allclose(read_simulation_bank("bank.sims").theta, theta)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", "0"], "positive integer, got 0"),
        (["--connectome", "none.npz"], "none.npz"),
        (["--prior", "sped=1:2"], "Did you mean 'speed'"),
        (["--fmin", "50"], "--fmin must be positive and below --fmax"),
        (["--seed", "-1"], "--seed must not be negative"),
    ],
)
def test_mistakes_end_with_a_line(simulate, tmp_path, capsys, arguments, message):
    assert simulate("--quiet", *arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("mne_sbi simulate: ") and captured.out == ""
    assert message in captured.err
    assert not (tmp_path / "bank.sims").exists()


def test_models_without_frequencies(simulate, capsys, monkeypatch):
    from mne_sbi import models
    from mne_sbi.models import ForwardModel

    class Plain(ForwardModel):
        def __init__(self, size=1):
            self.size = size

    monkeypatch.setattr(models, "get_model", lambda name: Plain)
    assert simulate() == 1
    assert "takes no --connectome" in capsys.readouterr().err
    assert (
        main(["simulate", "plain", "--n", "5", "--output", "x", "--n-freqs", "9"]) == 1
    )
    assert "takes no --n-freqs" in capsys.readouterr().err


def test_simulations_that_are_not_finite(simulate, capsys, monkeypatch, tmp_path):
    from mne_sbi import Parameter, models
    from mne_sbi.models import ForwardModel

    class Broken(ForwardModel):
        parameters = (Parameter("height", 1.0, 10.0, 5.0),)

        def __init__(self, sfreq=100.0, duration=4.0):
            self.sfreq = sfreq
            self.duration = duration

        def simulate(self, params, key):
            return np.nan * params["height"] * np.ones((2, 400))

    monkeypatch.setattr(models, "get_model", lambda name: Broken)
    arguments = ["simulate", "broken", "--n", "5", "--quiet"]
    assert main([*arguments, "--output", str(tmp_path / "broken.sims")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("mne_sbi simulate: None of the 5 simulations can be used: ")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments", [["spectral_graph"], ["m", "--n", "x", "--output", "y"], []]
)
def test_wrong_arguments_end_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["simulate", *arguments])
    assert stop.value.code == 2
    assert "usage: mne_sbi simulate" in capsys.readouterr().err


def test_networks_need_settings(simulate, capsys):
    arguments = ["--connectome", "five.npz", "--n", "20", "--output", "net.sims"]
    assert main(["simulate", "wilson_cowan", *arguments]) == 1
    said = capsys.readouterr().err
    assert "--set sfreq=100 --set duration=60" in said and "Simulating" not in said
    settings = ["sfreq=100", "duration=3", "burn_in=0.5", "preset=resting_alpha"]
    settings = [word for setting in settings for word in ("--set", setting)]
    assert main(["simulate", "wilson_cowan", *arguments, *settings]) == 0
    bank = read_simulation_bank("net.sims")
    assert len(bank) == 20 and "resting_alpha" in bank.provenance["model"]
    assert main(["simulate", "wilson_cowan", *arguments, "--set", "prset=tvb"]) == 1
    assert "Did you mean 'preset'" in capsys.readouterr().err
    sgm = ["invert", "spectral_graph", "any_raw.fif", "--set", "variant=jin2023"]
    assert main(sgm) == 1
