"""MATLAB files that are damaged, or point to other files."""

import h5py
import numpy as np
import pytest

from mne_sbi.datasets._eeg_fmri_matlab import read_array
from mne_sbi.datasets._spectrome_files import read_weights

from .eeg_fmri_files import make_mat

DAMAGED = "damaged or not a MATLAB file .*fetch_eeg_fmri"


@pytest.mark.parametrize("new", [False, True])
def test_damaged_files(tmp_path, new):
    fname = tmp_path / "a.mat"
    array = np.random.default_rng(0).normal(size=(3, 400))
    content = make_mat({"data": array}, new=new)
    fname.write_bytes(content)
    np.testing.assert_array_equal(read_array(fname, "data"), array)
    for n_bytes in (0, 100, 300, len(content) - 2000):
        fname.write_bytes(content[:n_bytes])
        with pytest.raises(ValueError, match=DAMAGED):
            read_array(fname, "data")


@pytest.mark.parametrize("names", [("data",), ("NF_eeg", "eeg")])
def test_links_are_not_followed(tmp_path, names):
    with h5py.File(tmp_path / "other.mat", "w") as file:
        file["/".join(names)] = np.ones(3)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file[names[0]] = h5py.ExternalLink("other.mat", names[0])
    with pytest.raises(ValueError, match=DAMAGED):
        read_array(tmp_path / "a.mat", *names)


def test_values_in_other_files(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(240))
    place = [(str(tmp_path / "secret"), 0, 240)]
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("data", (30,), float, external=place)
    with pytest.raises(ValueError, match=DAMAGED):
        read_array(tmp_path / "a.mat", "data")
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.create_dataset("weights", (2, 3, 5), float, external=place)
        file["regionx"] = [b"a", b"b"]
    with pytest.raises(ValueError, match="damaged or not a NetCDF file .*fetch_spect"):
        read_weights(tmp_path / "a.nc")


@pytest.mark.parametrize("new", [False, True])
def test_sizes_are_bounded(tmp_path, monkeypatch, new):
    monkeypatch.setattr("mne_sbi.datasets._eeg_fmri_matlab._LARGEST", 1000)
    fname = tmp_path / "a.mat"
    fname.write_bytes(make_mat({"data": np.zeros((2, 501))}, new=new))
    with pytest.raises(ValueError, match=DAMAGED):
        read_array(fname, "data")
