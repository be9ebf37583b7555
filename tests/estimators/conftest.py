import dataclasses
import sys
from pathlib import Path

import mne
import numpy as np
import pytest

from mne_sbi import EpochsToArray, ModelInverter, SGMInverter
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.features import LogPSD
from mne_sbi.inference import RejectionABC
from mne_sbi.models import SpectralGraphModel

FREQS = np.linspace(4, 40, 6)
NAMES = ["lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula", "lh.precentral"]


@pytest.fixture(scope="session")
def connectome():
    """Five regions, said to be measured so that nobody warns of them."""
    part = load_synthetic_connectome().pick(NAMES)
    return dataclasses.replace(part, synthetic=False)


@pytest.fixture(scope="session")
def make_inverter(connectome):
    """A function that makes small inverters, by default without a network."""

    def make_inverter(**settings):
        defaults = {
            "freqs": FREQS,
            "method": RejectionABC(0.05),
            "n_simulations": 300,
            "random_state": 0,
            "n_draws": 20,
            "verbose": "error",
        }
        return SGMInverter(**({"connectome": connectome} | defaults | settings))

    return make_inverter


@pytest.fixture(scope="session")
def spectra():
    """Spectra in dB of four people."""
    rng = np.random.default_rng(0)
    return -0.5 * FREQS + rng.normal(size=(4, 5, 6))


@pytest.fixture(scope="session")
def make_raw():
    """A function that makes recordings whose channels are regions."""

    def make_raw(names=NAMES, *, sfreq=100.0, duration=20.0, seed=0):
        rng = np.random.default_rng(seed)
        data = rng.standard_normal((len(names), round(sfreq * duration)))
        # Spectra that fall, as those of the brain do, and differ among regions.
        for i in range(1, data.shape[1]):
            data[:, i] += 0.8 * data[:, i - 1]
        data *= np.arange(1, len(names) + 1)[:, np.newaxis]
        info = mne.create_info(list(names), sfreq, "misc")
        return mne.io.RawArray(data, info, verbose="error")

    return make_raw


@pytest.fixture(scope="module")
def raws(make_raw):
    return [make_raw(seed=seed) for seed in range(6)]


@pytest.fixture(scope="module")
def epochs(make_raw):
    raw = make_raw(duration=30.0)
    return mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")


@pytest.fixture(scope="module")
def labels():
    sides = [name.split(".") for name in NAMES]
    vertices = [0, 0, 1, 1, 2]
    return [
        mne.Label([vertex], hemi=hemi, name=f"{region}-{hemi}")
        for (hemi, region), vertex in zip(sides, vertices, strict=True)
    ]


@pytest.fixture(scope="module")
def estimates(raws):
    """The same recordings as sources: three vertices on the left, two on the right."""
    order = [0, 2, 4, 1, 3]
    vertices = [np.array([0, 1, 2]), np.array([0, 1])]
    return [
        mne.SourceEstimate(raw.get_data()[order], vertices, 0, 1 / raw.info["sfreq"])
        for raw in raws
    ]


@pytest.fixture(scope="module")
def inputs(raws, epochs, estimates, spectra):
    """Six observations of every kind that can be taken apart."""
    rng = np.random.default_rng(1)
    return {
        "array": np.concatenate([spectra, spectra[:2] + rng.normal(size=(2, 5, 6))]),
        "series": np.stack([raw.get_data() for raw in raws]),
        "raws": raws,
        "epochs": epochs,
        "list of epochs": [epochs[i] for i in range(6)],
        "estimates": estimates,
    }


@pytest.fixture(scope="module")
def hopf():
    folder = str(Path(__file__).parents[1] / "data" / "plugin_hopf")
    sys.path.insert(0, folder)
    from plugin_hopf import HopfModel

    # It stays importable, for pickle, until the tests of this file are done.
    yield HopfModel
    sys.path.remove(folder)
    del sys.modules["plugin_hopf"]


@pytest.fixture(scope="module")
def make_estimator(make_inverter, connectome, labels, hopf):
    def make_estimator(kind, **settings):
        if kind == "EpochsToArray":
            return EpochsToArray()
        sgm = make_inverter(labels=labels, n_simulations=60, **settings)
        if kind == "SGMInverter":
            return sgm
        shared = sgm.get_params(deep=False)
        for name in ("connectome", "freqs", "variant"):
            del shared[name]
        if kind == "ModelInverter":
            model = SpectralGraphModel(connectome, FREQS)
            features = LogPSD()
        else:
            model = hopf(connectome, sfreq=100.0, duration=4.0)
            features = LogPSD(freqs=FREQS, window=1.0, scaling="demean")
        return ModelInverter(model, **shared | {"features": features})

    return make_estimator
