import dataclasses

import mne
import numpy as np
import pytest

from mne_sbi import SGMInverter
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.inference import RejectionABC

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
