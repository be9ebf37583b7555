"""A folder in the Brain Imaging Data Structure: BrainVision, NIfTI, JSON and tables.

Formats: BIDS 1.10 (https://bids-specification.readthedocs.io) and BrainVision Core Data
Format 1.0. Both are written here in full: they are a few lines of text beside the
numbers.
"""

import json
import os
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_BIDS_VERSION = "1.10.0"
_TASK = "rest"
_GENERATOR = "mne_sbi"
_README = """Synthetic simultaneous EEG and fMRI of people at rest.

Made by mne_sbi.eeg_fmri.simulate_eeg_fmri. No real person was recorded.
"""


def write_bids(simulated, root, overwrite=False):
    """Write synthetic recordings as a BIDS folder, completely or not at all.

    Parameters
    ----------
    simulated : SyntheticEEGfMRI
        The recordings.
    root : path-like
        The folder to make; the one that holds it must exist.
    overwrite : bool
        Replace a folder that this function wrote.

    Returns
    -------
    root : pathlib.Path
        The folder.

    Raises
    ------
    FileExistsError
        If something else is there, or ``overwrite`` is false.
    FileNotFoundError
        If the folder that shall hold it does not exist.
    """
    root = Path(root)
    with _replace_folder(root, overwrite) as folder:
        _write_descriptions(simulated, folder)
        for i, subject in enumerate(simulated.subjects):
            name = f"sub-{subject}"
            _write_eeg(simulated.raws[i], folder / name / "eeg", name)
            _write_bold(simulated.images[i], simulated.t_r, folder / name, name)
            motion = folder / "derivatives" / _GENERATOR / name / "func"
            _write_motion(simulated.motion[i], motion, name)
    return root


def write_brainvision(raw, fname):
    """Write a recording as BrainVision: three files, 32-bit floats in microvolts.

    Floats neither clip nor round as 16-bit integers would.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        Of EEG channels, in V.
    fname : pathlib.Path
        The header, with the suffix ``.vhdr``; the other two lie beside it.
    """
    data_file, marker_file = fname.with_suffix(".eeg"), fname.with_suffix(".vmrk")
    common = f"[Common Infos]\nCodepage=UTF-8\nDataFile={data_file.name}\n"
    # A comma separates the fields of a channel, hence this escape.
    names = [name.replace(",", r"\1") for name in raw.ch_names]
    channels = [f"Ch{i}={name},,1,µV" for i, name in enumerate(names, 1)]
    interval = 1e6 / raw.info["sfreq"]
    lines = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "",
        f"{common}MarkerFile={marker_file.name}",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(names)}",
        f"SamplingInterval={interval:.12g}",
        "",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "",
        "[Channel Infos]",
        *channels,
    ]
    _write_text(fname, lines)
    markers = [
        f"Mk{i}={kind},{label.replace(',', chr(92) + '1')},{sample + 1},1,0"
        for i, (sample, kind, label) in enumerate(_find_markers(raw), 1)
    ]
    head = "Brain Vision Data Exchange Marker File, Version 1.0"
    _write_text(marker_file, [head, "", common, "[Marker Infos]", *markers])
    (1e6 * raw.get_data()).T.astype("<f4").tofile(data_file)


@contextmanager
def _replace_folder(root, overwrite):
    """Yield a new folder that takes the place of ``root`` when all went well."""
    if not root.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"The folder of {root} does not exist. Create {root.parent} first."
        )
    _check_place(root, overwrite)
    mark = uuid.uuid4().hex
    # In the same folder, because a rename is atomic only inside one file system.
    new, old = (root.with_name(f".{root.name}-{mark}-{end}") for end in ("new", "old"))
    new.mkdir()
    try:
        yield new
        if root.exists():
            os.replace(root, old)
        try:
            os.replace(new, root)
        except BaseException:
            if old.exists():
                os.replace(old, root)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _check_place(root, overwrite):
    """Refuse to replace what :func:`write_bids` did not write."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    if not overwrite:
        raise FileExistsError(
            f"{root} exists already. Use overwrite=True to replace it."
        )
    try:
        text = (root / "dataset_description.json").read_text(encoding="utf-8")
        is_ours = json.loads(text)["GeneratedBy"][0]["Name"] == _GENERATOR
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        is_ours = False
    if not is_ours:
        raise FileExistsError(
            f"{root} is not a folder that write_bids wrote, and is left as it is. "
            "Choose another folder, or remove it yourself."
        )


def _write_descriptions(simulated, folder):
    """Write what describes the whole folder."""
    description = {
        "Name": "Synthetic EEG and fMRI",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "raw",
        "License": "CC0",
        "GeneratedBy": [{"Name": _GENERATOR, "Description": "simulate_eeg_fmri"}],
    }
    _write_json(folder / "dataset_description.json", description)
    _write_text(folder / "README", _README.splitlines())
    people = [[f"sub-{subject}"] for subject in simulated.subjects]
    _write_table(folder / "participants.tsv", ["participant_id"], people)
    derivative = description | {
        "Name": "Realignment parameters of synthetic EEG and fMRI",
        "DatasetType": "derivative",
    }
    inside = folder / "derivatives" / _GENERATOR
    inside.mkdir(parents=True)
    _write_json(inside / "dataset_description.json", derivative)


def _write_eeg(raw, folder, name):
    """Write a person's EEG and what belongs to it."""
    folder.mkdir(parents=True)
    stem = f"{name}_task-{_TASK}"
    write_brainvision(raw, folder / f"{stem}_eeg.vhdr")
    sfreq, n_channels = float(raw.info["sfreq"]), len(raw.ch_names)
    description = {
        "TaskName": _TASK,
        "SamplingFrequency": sfreq,
        "EEGReference": "average",
        "PowerLineFrequency": "n/a",
        "SoftwareFilters": "n/a",
        "EEGChannelCount": n_channels,
        "RecordingDuration": raw.n_times / sfreq,
        "RecordingType": "continuous",
    }
    _write_json(folder / f"{stem}_eeg.json", description)
    channels = [[channel, "EEG", "µV"] for channel in raw.ch_names]
    _write_table(folder / f"{stem}_channels.tsv", ["name", "type", "units"], channels)
    events = [
        [sample / sfreq, 0, sample, "volume", label]
        for sample, _, label in _find_markers(raw)
    ]
    columns = ["onset", "duration", "sample", "trial_type", "value"]
    _write_table(folder / f"{stem}_events.tsv", columns, events)
    _write_positions(raw, folder, name)


def _write_positions(raw, folder, name):
    """Write where the electrodes are, in m relative to nasion and ears."""
    positions = raw.get_montage().get_positions()
    rows = [
        [channel, *(f"{value:.6f}" for value in positions["ch_pos"][channel])]
        for channel in raw.ch_names
    ]
    table = folder / f"{name}_space-CapTrak_electrodes.tsv"
    _write_table(table, ["name", "x", "y", "z"], rows)
    landmarks = {
        key: np.round(positions[point], 6).tolist()
        for key, point in (("NAS", "nasion"), ("LPA", "lpa"), ("RPA", "rpa"))
    }
    description = {
        # BIDS' word for the head coordinates of MNE-Python.
        "EEGCoordinateSystem": "CapTrak",
        "EEGCoordinateUnits": "m",
        "AnatomicalLandmarkCoordinateSystem": "CapTrak",
        "AnatomicalLandmarkCoordinateUnits": "m",
        "AnatomicalLandmarkCoordinates": landmarks,
    }
    _write_json(folder / f"{name}_space-CapTrak_coordsystem.json", description)


def _write_bold(image, t_r, folder, name):
    """Write a person's volumes."""
    folder = folder / "func"
    folder.mkdir()
    stem = f"{name}_task-{_TASK}_bold"
    image.to_filename(folder / f"{stem}.nii.gz")
    description = {
        "TaskName": _TASK,
        "RepetitionTime": t_r,
        # Volumes hold what the brain did in their middle.
        "SliceTimingCorrected": True,
        "StartTime": 0.5 * t_r,
    }
    _write_json(folder / f"{stem}.json", description)


def _write_motion(motion, folder, name):
    """Write realignment parameters as fMRIPrep does: in mm and rad."""
    folder.mkdir(parents=True)
    columns = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    rows = [[f"{value:.9g}" for value in row] for row in motion * ([1e3] * 3 + [1] * 3)]
    fname = folder / f"{name}_task-{_TASK}_desc-confounds_timeseries.tsv"
    _write_table(fname, columns, rows)


def _find_markers(raw):
    """Return sample, type and label of each annotation."""
    onsets = raw.annotations.onset - raw.first_time
    samples = np.round(onsets * raw.info["sfreq"]).astype(int).tolist()
    names = [text.split("/", 1) for text in raw.annotations.description]
    parts = [name if len(name) == 2 else ["Comment", *name] for name in names]
    return [(sample, *part) for sample, part in zip(samples, parts, strict=True)]


def _write_json(fname, content):
    text = json.dumps(content, indent=2, ensure_ascii=False)
    _write_text(fname, text.splitlines())


def _write_table(fname, columns, rows):
    _write_text(fname, ["\t".join(map(str, row)) for row in [columns, *rows]])


def _write_text(fname, lines):
    fname.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
