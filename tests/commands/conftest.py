"""Recordings and a command line for the tests of ``mne_sbi invert``."""

import dataclasses

import mne
import numpy as np
import pandas as pd
import pytest

from mne_sbi.commands import main
from mne_sbi.datasets import load_synthetic_connectome

NAMES = ["lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula", "lh.precentral"]


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
