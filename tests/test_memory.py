"""What does not fit into memory or on a disk is an error before it is made."""

from types import SimpleNamespace

import pytest

import mne_sbi._memory as memory
from mne_sbi import Prior, WilsonCowanNetwork, simulate, simulate_activity
from mne_sbi.commands import main
from mne_sbi.models import JansenRit, SpectralGraphModel
from mne_sbi.simulation._recipe import make_recipe
from mne_sbi.simulation._run import _check_sizes
from mne_sbi.testing import make_connectome

_TOTAL_MEMORY = memory.total_memory
CONNECTOME = make_connectome(5)


@pytest.fixture(autouse=True)
def small_machine(monkeypatch):
    """1 GB of memory, and 2 GB that are free on the disk."""
    monkeypatch.setattr(memory, "total_memory", lambda: 1e9)
    usage = SimpleNamespace(free=2e9)
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda path: usage)


def spectral_graph():
    return SpectralGraphModel(CONNECTOME, [6.0, 12.0, 24.0], engine="exact")


def wilson_cowan(**settings):
    return WilsonCowanNetwork(CONNECTOME, sfreq=100.0, **settings)


@pytest.mark.parametrize(
    "run, message",
    [
        # 4 bytes for each of 1e14 samples.
        (
            lambda _: simulate_activity(JansenRit(sfreq=100.0, duration=1e12)),
            r"A simulation of JansenRit with 1 nodes would take at least 400 TB of "
            r"memory, and there are 1 GB. Reduce duration=1e\+12",
        ),
        (
            lambda _: simulate_activity(JansenRit(sfreq=1e9, duration=10.0)),
            r"at least 40 GB of memory.* or sfreq=1e\+09 \(Hz\)",
        ),
        (
            lambda _: simulate_activity(JansenRit(sfreq=1e2, duration=1, burn_in=1e12)),
            r"burn_in=1e\+12 s at 100 Hz are 1e\+14 samples",
        ),
        (
            lambda _: simulate_activity(wilson_cowan(duration=1.0, longest_delay=1e9)),
            r"The past of the network .* Reduce longest_delay=1e\+09",
        ),
        # 64 at once of 5 nodes with 1e6 samples.
        (
            lambda _: simulate(wilson_cowan(duration=1e4), None, 1000),
            r"64 simulations of WilsonCowanNetwork with 5 nodes .* 1.28 GB",
        ),
        # 5 parameters of 8 bytes, and 15 values of 4 bytes.
        (
            lambda _: simulate(spectral_graph(), None, 10**15),
            r"1,000,000,000,000,000 simulations .* 100 PB of memory",
        ),
        (
            lambda folder: simulate(spectral_graph(), None, 22_000_000, fname=folder),
            r"22,000,000 simulations .* 2.2 GB in .*bank.sims, and 2 GB are free",
        ),
        (
            lambda _: Prior(SpectralGraphModel.parameters).sample(10**12),
            r"The draws would take at least 56 TB of memory",
        ),
    ],
)
def test_sizes(tmp_path, run, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "bank.sims")
    assert not list(tmp_path.iterdir())


def test_nodes_that_are_not_kept_take_no_memory():
    """Of one node they fit, of five they do not."""
    with pytest.raises(ValueError, match="Reduce n_simulations=11000000"):
        simulate(spectral_graph(), None, 11_000_000)
    _check_sizes(make_recipe(spectral_graph(), None, None, None, [0]), 11_000_000, None)


def test_a_bank_that_is_there_counts_as_written(tmp_path):
    (tmp_path / "chunk").write_bytes(b"x" * 1000)
    memory.check_disk("It", 2e9 + 1000, tmp_path, "")
    with pytest.raises(ValueError, match="It would take at least 2 GB in"):
        memory.check_disk("It", 2e9 + 1001, tmp_path, "")


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "spectral_graph", "--n", "1" + 15 * "0", "--output", "b"])
    assert "Reduce --n 1000000000000000." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "n_bytes, text", [(0, "0 bytes"), (1500, "1.5 kB"), (3.21e12, "3.21 TB")]
)
def test_describe_bytes(n_bytes, text):
    assert memory.describe_bytes(n_bytes) == text


def test_total_memory_of_this_machine():
    total = _TOTAL_MEMORY()
    assert total is None or 1e8 < total < 1e14
