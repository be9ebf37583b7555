"""Reading the oddball set (Walz et al. 2013)."""

import re

import numpy as np

from ._eeg_fmri_matlab import read_array
from ._eeg_fmri_runs import (
    EEGfMRIRun,
    check_tasks,
    count_volumes,
    covered_volumes,
    read_events,
    read_t_r,
    report_runs,
)
from ._eeg_fmri_tables import read_frame
from ._eeg_fmri_tarball import check_members

_SFREQ = 1000.0
_N_EEG = 34
# Rows after the EEG (README of ds000116).
_OTHERS = {"ECG": "ecg", "stimulus": "stim", "response": "stim"}
_TASKS = {"task001": "auditory", "task002": "visual"}
_BOLD_TASK = "{}oddballwithbuttonresponsetotargetstimuli"


def read_oddball(name, folder, subject, tasks):
    """Read the runs of a person."""
    members = check_members(folder, subject)
    eeg, positions = {}, None
    for member, path in members.items():
        found = re.search(r"(task00[12])_run0(\d\d)/EEG_rereferenced\.mat$", member)
        if found:
            eeg[_TASKS[found[1]], found[2]] = path
        elif member.endswith(".ced"):
            positions = path
    func = folder / subject / "func"
    bold = {
        (task, path.name.rpartition("_run-")[2][:2]): path
        for task in _TASKS.values()
        for path in func.glob(f"{subject}_task-{_BOLD_TASK.format(task)}_run-*.nii.gz")
    }
    both = sorted(eeg.keys() & bold.keys())
    incomplete = [f"{task} run {run}" for task, run in sorted(eeg.keys() ^ bold.keys())]
    call = f"fetch_eeg_fmri({name!r}, {subject!r}, allow_unverified=True)"
    report_runs(both, incomplete, folder, subject, "bold", call)
    by_task = {task: [] for task, _ in both}
    for key in both:
        by_task[key[0]].append(key)
    return [
        _read_run(name, folder, subject, *key, eeg[key], bold[key], positions)
        for keys in check_tasks(tasks, by_task, subject).values()
        for key in keys
    ]


def _read_run(name, folder, subject, task, run, eeg, bold, positions):
    import mne

    data = read_array(eeg, "data_reref")
    n_rows = _N_EEG + len(_OTHERS)
    if data.ndim != 2 or len(data) != n_rows:
        raise ValueError(f"{eeg} must have {n_rows} rows, got shape {data.shape}.")
    if positions is None:
        names, montage = [f"E{i + 1:02d}" for i in range(_N_EEG)], None
    else:
        names, montage = read_ced(positions)
        if len(names) != _N_EEG:
            raise ValueError(f"{positions} has {len(names)} electrodes, not {_N_EEG}.")
    kinds = ["eeg"] * _N_EEG + list(_OTHERS.values())
    data[: _N_EEG + 1] *= 1e-6  # EEG and ECG are in uV, the others are codes
    info = mne.create_info([*names, *_OTHERS], _SFREQ, kinds)
    raw = mne.io.RawArray(data, info, verbose="error")
    if montage is not None:
        raw.set_montage(montage)
    t_r = read_t_r(folder, bold)
    onsets = np.arange(count_volumes(bold)) * t_r
    volumes = covered_volumes(raw, onsets, t_r)
    events = bold.with_name(bold.name.replace("_bold.nii.gz", "_events.tsv"))
    return EEGfMRIRun(
        name,
        subject,
        task,
        run,
        raw,
        t_r,
        onsets[volumes],
        volumes,
        bold=bold,
        events=read_events(events, 0.0),
    )


def read_ced(fname):
    """Read names and positions from EEGLAB's table of electrodes.

    Returns
    -------
    names : list of str
        The electrodes in their order.
    montage : mne.channels.DigMontage
        Their positions on a head of 95 mm: EEGLAB's x points to the nose and y to the
        left, MNE's x to the right and y to the nose; EEGLAB's unit is arbitrary.
    """
    import mne

    table = read_frame(fname)
    table.columns = [column.strip() for column in table.columns]
    missing = {"labels", "X", "Y", "Z"} - set(table.columns)
    if missing:
        raise ValueError(
            f"{fname} has no columns {', '.join(sorted(missing))}; there are "
            f"{', '.join(table.columns)}."
        )
    names = [str(label).strip() for label in table["labels"]]
    positions = table[["Y", "X", "Z"]].to_numpy(float) * [-1, 1, 1]
    radius = np.linalg.norm(positions, axis=1, keepdims=True)
    positions *= 0.095 / radius
    montage = mne.channels.make_dig_montage(
        dict(zip(names, positions, strict=True)), coord_frame="head"
    )
    return names, montage
