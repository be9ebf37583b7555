import csv
import json

import mne
import nibabel
import numpy as np
import pytest

from mne_sbi.eeg_fmri import _bids
from mne_sbi.eeg_fmri._bids import write_brainvision
from mne_sbi.eeg_fmri._synthetic import simulate_eeg_fmri


@pytest.fixture(scope="module")
def simulated():
    return simulate_eeg_fmri(
        2, n_volumes=20, t_r=1.5, sfreq=128.0, montage="biosemi16", voxel_size=0.012,
        lead_in=5.0, random_state=0, verbose=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(simulated, tmp_path_factory):
    return simulated.write_bids(tmp_path_factory.mktemp("bids") / "set")


def _read_table(fname):
    with open(fname, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _read_json(fname):
    return json.loads(fname.read_text(encoding="utf-8"))


def _read_eeg(folder, subject):
    fname = folder / f"sub-{subject}" / "eeg" / f"sub-{subject}_task-rest_eeg.vhdr"
    return mne.io.read_raw_brainvision(fname, preload=True, verbose=False)


def test_eeg_comes_back(simulated, folder):
    for subject, raw in zip(simulated.subjects, simulated.raws, strict=True):
        back = _read_eeg(folder, subject)
        assert back.ch_names == raw.ch_names
        assert back.info["sfreq"] == raw.info["sfreq"]
        assert set(back.get_channel_types()) == {"eeg"}
        # 32-bit floats have a resolution of 2^-24 of the value.
        data = raw.get_data()
        np.testing.assert_allclose(back.get_data(), data, rtol=2**-23, atol=1e-18)


def test_markers_come_back_at_their_samples(simulated, folder):
    back = _read_eeg(folder, "02")
    events, event_id = mne.events_from_annotations(back, verbose=False)
    assert list(event_id) == ["Response/R128"]
    expected = np.round((5 + 1.5 * np.arange(20)) * 128)
    np.testing.assert_array_equal(events[:, 0], expected)
    table = _read_table(folder / "sub-02" / "eeg" / "sub-02_task-rest_events.tsv")
    np.testing.assert_array_equal([int(row["sample"]) for row in table], expected)
    onsets = [float(row["onset"]) for row in table]
    np.testing.assert_allclose(onsets, expected / 128)
    assert {row["value"] for row in table} == {"R128"}


def test_volumes_come_back(simulated, folder):
    for subject, image in zip(simulated.subjects, simulated.images, strict=True):
        stem = folder / f"sub-{subject}" / "func" / f"sub-{subject}_task-rest_bold"
        back = nibabel.load(f"{stem}.nii.gz")
        np.testing.assert_array_equal(back.get_fdata(), image.get_fdata())
        np.testing.assert_array_equal(back.affine, image.affine)
        assert back.header.get_zooms()[3] == 1.5
        about = _read_json(stem.with_name(f"{stem.name}.json"))
        assert about["RepetitionTime"] == 1.5
        assert about["StartTime"] == 0.75


def test_electrodes_and_motion_come_back(simulated, folder):
    raw = simulated.raws[0]
    eeg = folder / "sub-01" / "eeg"
    table = _read_table(eeg / "sub-01_space-CapTrak_electrodes.tsv")
    assert [row["name"] for row in table] == raw.ch_names
    positions = [[float(row[axis]) for axis in "xyz"] for row in table]
    expected = [channel["loc"][:3] for channel in raw.info["chs"]]
    np.testing.assert_allclose(positions, expected, atol=1e-6)
    landmarks = _read_json(eeg / "sub-01_space-CapTrak_coordsystem.json")
    nasion = landmarks["AnatomicalLandmarkCoordinates"]["NAS"]
    np.testing.assert_allclose(
        nasion, raw.get_montage().get_positions()["nasion"], atol=1e-6
    )
    name = "sub-01_task-rest_desc-confounds_timeseries.tsv"
    rows = _read_table(folder / "derivatives" / "mne_sbi" / "sub-01" / "func" / name)
    motion = np.array([list(map(float, row.values())) for row in rows])
    assert list(rows[0]) == [f"{k}_{axis}" for k in ("trans", "rot") for axis in "xyz"]
    motion[:, :3] /= 1000  # mm
    np.testing.assert_allclose(motion, simulated.motion[0], rtol=1e-7)


def test_descriptions(folder):
    about = _read_json(folder / "dataset_description.json")
    assert about["Name"]
    assert about["BIDSVersion"]
    people = _read_table(folder / "participants.tsv")
    assert [row["participant_id"] for row in people] == ["sub-01", "sub-02"]
    eeg = _read_json(folder / "sub-01" / "eeg" / "sub-01_task-rest_eeg.json")
    assert eeg["SamplingFrequency"] == 128
    assert eeg["EEGChannelCount"] == 16
    assert eeg["RecordingDuration"] == 35
    channels = _read_table(folder / "sub-01" / "eeg" / "sub-01_task-rest_channels.tsv")
    assert {row["type"] for row in channels} == {"EEG"}
    # Nothing is left beside the folder.
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_nothing_is_replaced_unasked(simulated, tmp_path):
    root = tmp_path / "set"
    assert simulated.write_bids(root) == root
    mark = root / "mine.txt"
    mark.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        simulated.write_bids(root)
    assert mark.exists()
    simulated.write_bids(root, overwrite=True)
    assert not mark.exists()
    assert (root / "sub-02").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_folders_of_others_stay(simulated, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    description = tmp_path / "dataset_description.json"
    for text in (None, "{}", "[]", '{"GeneratedBy": [{"Name": "fmriprep"}]}'):
        if text is not None:
            description.write_text(text)
        with pytest.raises(FileExistsError, match="is left as it is"):
            simulated.write_bids(tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    file = tmp_path / "notes.txt"
    with pytest.raises(FileExistsError, match="is left as it is"):
        simulated.write_bids(file, overwrite=True)


def test_an_empty_folder_is_filled(simulated, tmp_path):
    simulated.write_bids(tmp_path)
    assert (tmp_path / "participants.tsv").exists()


def test_a_missing_parent_is_named(simulated, tmp_path):
    with pytest.raises(FileNotFoundError, match="Create .*nowhere first"):
        simulated.write_bids(tmp_path / "nowhere" / "set")


def test_all_or_nothing(simulated, tmp_path, monkeypatch):
    root = tmp_path / "set"
    simulated.write_bids(root)
    before = sorted(path.name for path in root.rglob("*"))

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(_bids, "_write_motion", fail)
    with pytest.raises(OSError, match="disk full"):
        simulated.write_bids(root, overwrite=True)
    assert sorted(path.name for path in root.rglob("*")) == before
    with pytest.raises(OSError, match="disk full"):
        simulated.write_bids(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_brainvision_of_unusual_names_and_rates(tmp_path):
    rng = np.random.default_rng(0)
    info = mne.create_info(["Fp1,left", "Käse"], 1000 / 3, "eeg")
    raw = mne.io.RawArray(1e-2 * rng.standard_normal((2, 1000)), info, verbose=False)
    raw.set_annotations(mne.Annotations([0.3, 1.5], 0, ["Stimulus/S,1", "note"]))
    fname = tmp_path / "odd.vhdr"
    write_brainvision(raw.crop(0.2), fname)
    back = mne.io.read_raw_brainvision(fname, preload=True, verbose=False)
    assert back.ch_names == ["Fp1,left", "Käse"]
    np.testing.assert_allclose(back.info["sfreq"], 1000 / 3, rtol=1e-9)
    # 10 mV would not fit into 16-bit integers of 0.1 uV.
    np.testing.assert_allclose(back.get_data(), raw.get_data(), rtol=2**-23)
    assert list(back.annotations.description) == ["Stimulus/S,1", "Comment/note"]
    np.testing.assert_allclose(
        back.annotations.onset, np.round([100 - 67, 500 - 67]) / (1000 / 3), atol=2e-3
    )
