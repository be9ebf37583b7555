"""Files in the formats of the sets of EEG with fMRI, with known content."""

import gzip
import io
import json
import tarfile

import h5py
import nibabel
import numpy as np
from scipy.io import savemat

XP_NAMES = ["Fp1", "Cz", "Oz", "ECG"]
XP_SFREQ = 200.0
EVENTS = "onset\tduration\ttrial_type\tstim_file\n" + "".join(
    f"{onset}\t20\t{kind}\t{kind}.png\n"
    for onset, kind in zip((2, 22, 42, 62), ("Rest", "Task-NF") * 2, strict=True)
)


def make_brainvision(stem, duration, markers):
    """Make the three files of a recording: channel i is (i + 1) uV everywhere.

    ``markers`` are (type, description, time in s).
    """
    lines = [
        "Brain Vision Data Exchange Header File Version 2.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={stem}.dat",
        f"MarkerFile={stem}.vmrk",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(XP_NAMES)}",
        f"SamplingInterval={1e6 / XP_SFREQ:g}",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "[Channel Infos]",
        *(f"Ch{i + 1}={name},,1,µV" for i, name in enumerate(XP_NAMES)),
    ]
    marks = [
        "Brain Vision Data Exchange Marker File, Version 2.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={stem}.dat",
        "[Marker Infos]",
        *(
            f"Mk{i + 1}={kind},{text},{round(time * XP_SFREQ) + 1},1,0"
            for i, (kind, text, time) in enumerate(markers)
        ),
    ]
    row = np.arange(1, len(XP_NAMES) + 1, dtype="<f4")
    data = np.tile(row, (round(duration * XP_SFREQ), 1))
    return {
        "vhdr": "\n".join(lines).encode(),
        "vmrk": "\n".join(marks).encode(),
        "dat": data.tobytes(),
    }


def make_bold(n_volumes, shape=(3, 4, 2)):
    """Make a compressed NIfTI whose volumes hold their own numbers.

    Its header claims a wrong repetition time.
    """
    data = np.broadcast_to(np.arange(n_volumes, dtype=np.int16), (*shape, n_volumes))
    img = nibabel.Nifti1Image(np.ascontiguousarray(data), np.diag([2.0, 2, 4, 1]))
    img.header.set_zooms((2.0, 2.0, 4.0, 9.0))
    return gzip.compress(img.to_bytes(), 1, mtime=0)


def make_motion(n_volumes):
    """Make SPM's table: volume k has k times (1, ..., 6)."""
    rows = np.arange(n_volumes)[:, np.newaxis] * np.arange(1.0, 7)
    return "\n".join(
        "\t" + "\t".join(f"{v: .7e}" for v in row) for row in rows
    ).encode()


def xp1_markers(first_block=0, n_blocks=2, late=0.0):
    """Make the markers of a recording that begins with a rest block."""
    blocks = range(n_blocks - first_block)
    return [
        ("New Segment", "", 0.0),
        *(("Stimulus", "S 99", 40.0 * i) for i in blocks),
        *(("Stimulus", "S  2", 40.0 * i + 20.0) for i in blocks),
        *(("Response", "R128", 2.0 * i + late) for i in range(len(blocks) * 20)),
    ]


def make_xp1(subjects=("sub-xp101",), *, markers=None, duration=81.0, n_volumes=45):
    """Make a set of people with one whole run, and one without EEG."""
    files = {
        "README": ("info", b"A set.\n"),
        "task-eegfmriNF_events.tsv": ("info", EVENTS.encode()),
        "task-eegfmriNF_bold.json": ("info", b'{"TaskName": "eegfmriNF"}'),
    }
    for subject in subjects:
        stem = f"{subject}_task-eegfmriNF_eeg_pp"
        eeg = make_brainvision(stem, duration, markers or xp1_markers())
        files |= {
            f"derivatives/{subject}/eeg_pp/{stem}.{kind}": ("eeg", content)
            for kind, content in eeg.items()
        }
        sidecar = json.dumps({"RepetitionTime": 2, "SliceTiming": [0.0]}).encode()
        for task in ("eegfmriNF", "motorloc"):
            func = f"{subject}/func/{subject}_task-{task}_bold"
            files[f"{func}.nii.gz"] = ("bold", make_bold(n_volumes))
            files[f"{func}.json"] = ("bold", sidecar)
        motion = f"d_{subject}_task-eegfmriNF_headmotion.tsv"
        files[f"derivatives/{subject}/head_motion/{motion}"] = (
            "motion",
            make_motion(n_volumes),
        )
    return files


def make_mat(content, new):
    """Make a MATLAB file, of version 7.3 (``new``) or 5."""
    buffer = io.BytesIO()
    if not new:
        savemat(buffer, content)
        # Files of one content are equal: without the time in the header's text.
        return b"MATLAB 5.0 MAT-file".ljust(116) + buffer.getvalue()[116:]

    def fill(group, content):
        for name, value in content.items():
            if isinstance(value, dict):
                fill(group.create_group(name), value)
            else:
                group[name] = np.asarray(value).T  # MATLAB's order of axes

    with h5py.File(buffer, "w") as file:
        fill(file, content)
    return buffer.getvalue()


def make_scores(name, subject, labels, new):
    """Make the scores of neurofeedback runs: 30 s of 64 channels, and regions.

    The EEG of channel c at sample t is c + t / 1000 uV.
    """
    n_seconds, t_r = 30, {"xp1": 2, "xp2": 1}[name]
    eeg = np.arange(64)[:, np.newaxis] + np.arange(200 * n_seconds) / 1000
    series = np.arange(n_seconds // t_r, dtype=float)[:, np.newaxis]
    if name == "xp1":
        cube = eeg.reshape(64, n_seconds, 200).transpose(0, 2, 1)
        nf_eeg = {"eegdata": cube, "nf": np.zeros((120, 1))}
        nf_bold = {
            "roimean_left": series,
            "roimean_right": series + 100,
            "bgmean": series + 200,
        }
    else:
        nf_eeg = {"eeg": eeg, "lapC3_ERD": np.zeros((1, 120))}
        nf_bold = {
            "m1": {"roimean": series, "bgmean": series + 200},
            "sma": {"roimean": series + 100, "bgmean": series + 200},
        }
    start = f"derivatives/{subject}"
    files = {}
    for label in labels:
        stem = f"d_{subject}_task-{label}"
        for kind, content in (("eeg", nf_eeg), ("bold", nf_bold)):
            mat = make_mat({f"NF_{kind}": content}, new)
            files[f"{start}/NF_{kind}/{stem}_NF{kind}_scores.mat"] = ("scores", mat)
    return files


def make_oddball(subject="sub-01", n_volumes=10):
    """Make the volumes and events of two runs."""
    files = {}
    for task in ("auditory", "visual"):
        long = f"task-{task}oddballwithbuttonresponsetotargetstimuli"
        files[f"{long}_bold.json"] = ("info", b'{"RepetitionTime": 2.0}')
        stem = f"{subject}/func/{subject}_{long}_run-01"
        files[f"{stem}_bold.nii.gz"] = ("bold", make_bold(n_volumes))
        events = b"onset\tduration\ttrial_type\n3.5\t0.2\ttarget\n"
        files[f"{stem}_events.tsv"] = ("bold", events)
    return files


def make_oddball_eeg(duration=15.0, n_rows=37):
    """Make the cleaned EEG of a run: row i is i."""
    data = np.tile(
        np.arange(n_rows, dtype=float)[:, np.newaxis], round(1000 * duration)
    )
    return make_mat({"data_reref": data}, new=False)


def make_ced():
    """Make a table of 34 electrodes on a circle."""
    angle = np.linspace(0, np.pi, 34)
    rows = ["Number\tlabels\ttheta\tradius\tX\tY\tZ"] + [
        f"{i + 1}\tP{i}\t0\t0.5\t{np.cos(a):.6f}\t{np.sin(a):.6f}\t0.5"
        for i, a in enumerate(angle)
    ]
    return "\n".join(rows).encode()


def make_tarball(files):
    """Make a compressed tarball of ``{name: content}``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
