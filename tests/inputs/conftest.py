"""What a researcher may hold: every kind of recording of the same few regions."""

import dataclasses
import functools
import re
import sys
from pathlib import Path

import mne
import nibabel
import numpy as np
import pandas as pd
import pytest

from mne_sbi import LeadField, ModelInverter, SGMInverter
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.features import LogPSD
from mne_sbi.inference import RejectionABC
from mne_sbi.models import SpectralGraphModel

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ["lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula", "lh.precentral"]
CHANNELS = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"]
FREQS = np.linspace(4, 40, 6)
SFREQ = 100.0
SETTINGS = {
    "method": RejectionABC(0.1),
    "n_simulations": 60,
    "n_draws": 15,
    "random_state": 0,
    "verbose": "error",
}


class World:
    """What a researcher may hold, of the same five regions or ten electrodes."""

    names, channels, freqs = NAMES, CHANNELS, FREQS

    def __init__(self, folder):
        self.folder = folder

    @functools.cached_property
    def connectome(self):
        part = load_synthetic_connectome().pick(NAMES)
        return dataclasses.replace(part, synthetic=False)

    def signals(self, n_rows, duration=20.0, seed=0):
        """Time series with spectra that fall, and differ among rows."""
        rng = np.random.default_rng(seed)
        data = rng.standard_normal((n_rows, round(duration * SFREQ)))
        for i in range(1, data.shape[1]):
            data[:, i] += 0.8 * data[:, i - 1]
        return 1e-6 * data * np.arange(1, n_rows + 1)[:, np.newaxis]

    def raw(self, seed=0):
        info = mne.create_info(NAMES, SFREQ, "misc")
        return mne.io.RawArray(self.signals(5, seed=seed), info, verbose="error")

    def eeg(self, seed=0):
        info = mne.create_info(CHANNELS, SFREQ, "eeg")
        info.set_montage("biosemi64")
        raw = mne.io.RawArray(self.signals(10, seed=seed), info, verbose="error")
        # Power cannot be referenced any more, hence before.
        raw.set_eeg_reference(projection=True, verbose="error")
        return raw.apply_proj(verbose="error")

    def epochs(self, raw):
        return mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")

    def spectrum(self, inst):
        return inst.compute_psd(
            "welch", n_fft=200, n_overlap=100, picks="all", verbose="error"
        )

    def array(self, output, n_obs=3):
        """Decibels for a model of spectra, time series for the other."""
        if output == "spectrum":
            rng = np.random.default_rng(0)
            return -0.5 * FREQS + rng.normal(size=(n_obs, 5, len(FREQS)))
        return np.stack([self.signals(5, 4.0, seed) for seed in range(n_obs)])

    def flat_array(self, output):
        return self.array(output).reshape(3, -1)

    def table(self, output):
        x = self.flat_array(output)
        index = [f"sub-{i}" for i in range(len(x))]
        return pd.DataFrame(x, index, [f"x{i}" for i in range(x.shape[1])])

    @functools.cached_property
    def labels(self):
        """Two vertices per region."""
        counts = {"lh": 0, "rh": 0}
        labels = []
        for hemi, region in (name.split(".") for name in NAMES):
            first = 2 * counts[hemi]
            name = f"{region}-{hemi}"
            labels.append(mne.Label([first, first + 1], hemi=hemi, name=name))
            counts[hemi] += 1
        return labels

    @functools.cached_property
    def surface(self):
        rng = np.random.default_rng(0)
        spaces = []
        for number, side, n in ((101, -1, 6), (102, 1, 4)):
            normals = rng.normal(size=(n, 3))
            normals[:, 0] = side * np.abs(normals[:, 0])
            normals[:, 2] = np.abs(normals[:, 2])
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            space = {
                "type": "surf",
                "id": number,
                "np": n,
                "rr": 0.06 * normals + [0, 0, 0.04],
                "nn": normals,
                "vertno": np.arange(n),
                "inuse": np.ones(n, int),
                "nuse": n,
                "tris": np.array([[0, 1, 2]]),
                "ntri": 1,
                "use_tris": np.zeros((0, 3), int),
                "nuse_tri": 0,
                "coord_frame": 4,
                "subject_his_id": "someone",
            }
            names = ("pinfo", "patch_inds", "nearest", "nearest_dist")
            absent = dict.fromkeys([*names, "dist", "dist_limit"])
            spaces.append(space | absent)
        return mne.SourceSpaces(spaces)

    def stc(self, seed=0):
        data = np.repeat(self.signals(5, seed=seed), 2, axis=0)
        # Three regions on the left come first.
        order = [i for side in "lr" for i, n in enumerate(NAMES) if n[0] == side]
        rows = [2 * i + k for i in order for k in (0, 1)]
        noise = 1e-8 * np.random.default_rng(seed).standard_normal(data.shape)
        vertices = [np.arange(6), np.arange(4)]
        return mne.SourceEstimate((data + noise)[rows], vertices, 0, 1 / SFREQ)

    @functools.cached_property
    def atlas(self):
        """FreeSurfer's numbers of the five regions, in slabs of voxels of 5 mm."""
        values = np.zeros((24, 24, 24), np.int32)
        numbers = [1005, 2005, 1035, 2035, 1024]
        for i, number in enumerate(numbers):
            values[2 + 4 * i : 6 + 4 * i, 2:22, 2:22] = number
        affine = np.diag([5.0, 5.0, 5.0, 1.0])
        affine[:3, 3] = -57.5
        fname = self.folder / "aparc+aseg.mgz"
        nibabel.save(nibabel.MGHImage(values, affine), fname)
        return fname

    @functools.cached_property
    def volume(self):
        return mne.setup_volume_source_space(
            pos=15.0,
            mri=self.atlas,
            sphere=(0, 0, 0, 0.05),
            sphere_units="m",
            mindist=0,
            verbose="error",
        )

    def volume_stc(self, seed=0):
        vertices = self.volume[0]["vertno"]
        return mne.VolSourceEstimate(
            self.signals(len(vertices), seed=seed), [vertices], 0, 1 / SFREQ
        )

    @functools.cached_property
    def forward(self):
        sphere = mne.make_sphere_model((0, 0, 0.04), 0.095, verbose="error")
        return mne.make_forward_solution(
            self.eeg().info, None, self.surface, sphere, meg=False, verbose="error"
        )

    @functools.cached_property
    def lead_fields(self):
        return {
            "LeadField": LeadField.from_forward(self.forward, self.labels),
            "template": "template",
            "Forward": self.forward,
        }

    def bare_eeg(self, kind="eeg"):
        """Sensors without positions and reference."""
        info = mne.create_info(self.channels, SFREQ, kind)
        return mne.io.RawArray(self.signals(10), info, verbose="error")

    def sgm(self, **settings):
        return self.inverter("SGMInverter", **settings)

    def series_inverter(self, **settings):
        return self.inverter("time series").set_params(**settings)

    @functools.cached_property
    def fitted(self):
        """Fitted to a recording of regions."""
        return self.sgm().fit(self.raw())

    @functools.cached_property
    def fitted_to_sensors(self):
        return self.sgm(lead_field="template").fit(self.eeg())

    @functools.cached_property
    def spectra(self):
        return self.array("spectrum")

    @functools.cached_property
    def files(self):
        """A folder with a file of each kind, and one of none."""
        folder = self.folder / "files"
        folder.mkdir()
        self.fitted.save(folder / "inverter.zip")
        self.fitted.predict_posterior(self.raw()).save(folder / "posterior.npz")
        self.fitted.bank_.save(folder / "bank.h5")
        self.connectome.save(folder / "connectome.npz")
        (folder / "text.fif").write_text("hello")
        return folder

    def inverter(self, kind, **settings):
        settings = SETTINGS | settings
        if kind == "SGMInverter":
            return SGMInverter(self.connectome, freqs=FREQS, **settings)
        if kind == "spectra":
            settings["features"] = LogPSD()
            return ModelInverter(SpectralGraphModel(self.connectome, FREQS), **settings)
        settings["features"] = LogPSD(freqs=FREQS, window=1.0)
        model = hopf_model()(self.connectome, sfreq=SFREQ, duration=4.0)
        return ModelInverter(model, **settings)


@functools.cache
def hopf_model():
    """A third party's model of time series, which the documentation shows."""
    folder = str(REPOSITORY / "tests" / "data" / "plugin_hopf")
    sys.path.insert(0, folder)
    try:
        from plugin_hopf import HopfModel
    finally:
        sys.path.remove(folder)
        sys.modules.pop("plugin_hopf", None)
    return HopfModel


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def refuses(world):
    """A function that makes a wrong call and compares all that is said."""

    def refuses(call, error, message):
        with pytest.raises(error) as caught:
            call(world)
        assert type(caught.value) is error
        said = str(caught.value).replace(str(world.folder), "FOLDER")
        if isinstance(message, re.Pattern):
            assert message.fullmatch(said), said
        else:
            assert said == message

    return refuses
