"""Reading XP1 and XP2, motor imagery and neurofeedback (Lioi et al. 2020)."""

import re

import numpy as np

from .._warnings import warn_user
from ._eeg_fmri_matlab import read_array
from ._eeg_fmri_runs import (
    EEGfMRIRun,
    check_tasks,
    count_volumes,
    covered_volumes,
    read_events,
    read_motion,
    read_t_r,
    report_runs,
)

# The scanner starts this long before the protocol, with which the cleaned EEG starts
# (README of both sets).
SCANNER_LEAD = 2.0
# The cap, in the order of the channels (channels.tsv of ds002336). The scores come
# without names; both sets were recorded with the same cap.
CAP = (
    "Fp1 Fp2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T7 T8 P7 P8 Fz Cz Pz Oz FC1 FC2 CP1 CP2 "
    "FC5 FC6 CP5 CP6 TP9 TP10 POz ECG F1 F2 C1 C2 P1 P2 AF3 AF4 FC3 FC4 CP3 CP4 PO3 "
    "PO4 F5 F6 C5 C6 P5 P6 AF7 AF8 FT7 FT8 TP7 TP8 PO7 PO8 FT9 FT10 Fpz CPz"
).split()
_SCORES_SFREQ = 200.0
# Names in the files of the regions' mean signals; repetition time in s (README).
_REGIONS = {
    "xp1": {
        "left_motor": ("roimean_left",),
        "right_motor": ("roimean_right",),
        "background": ("bgmean",),
    },
    "xp2": {
        "m1": ("m1", "roimean"),
        "sma": ("sma", "roimean"),
        "background": ("m1", "bgmean"),
    },
}
_SCORES_T_R = {"xp1": 2.0, "xp2": 1.0}
# Markers of volumes must lie on a grid up to this part of the repetition time.
_JITTER = 0.05


def read_volumes(name, folder, subject, tasks):
    """Read the runs of a person that have cleaned EEG and volumes."""
    eeg_folder = folder / "derivatives" / subject / "eeg_pp"
    start = len(f"{subject}_task-")
    eeg = {
        path.name[start:].removesuffix("_eeg_pp.vhdr"): path
        for path in eeg_folder.glob(f"{subject}_task-*_eeg_pp.vhdr")
    }
    bold = {
        path.name[start:].removesuffix("_bold.nii.gz"): path
        for path in (folder / subject / "func").glob(f"{subject}_task-*_bold.nii.gz")
    }
    both = {task: (eeg[task], bold[task]) for task in sorted(eeg.keys() & bold.keys())}
    call = f"fetch_eeg_fmri({name!r}, {subject!r})"
    report_runs(both, sorted(eeg.keys() ^ bold.keys()), folder, subject, "bold", call)
    return [
        _read_volumes_run(name, folder, subject, task, *files)
        for task, files in check_tasks(tasks, both, subject).items()
    ]


def _read_volumes_run(name, folder, subject, label, eeg, bold):
    import mne

    task, _, run = label.partition("_run-")
    raw = mne.io.read_raw_brainvision(eeg)
    prepare_channels(raw)
    t_r = read_t_r(folder, bold)
    events_file = folder / f"task-{task}_events.tsv"
    start = find_start(raw, read_events(events_file, 0.0), t_r)
    n_volumes = count_volumes(bold)
    onsets = np.arange(n_volumes) * t_r - start
    volumes = covered_volumes(raw, onsets, t_r)
    if not len(volumes):
        raise ValueError(
            f"{eeg.name} lasts {raw.n_times / raw.info['sfreq']:g} s and covers none "
            f"of the {n_volumes} volumes of {bold.name}: are they of one run?"
        )
    motion_file = f"d_{subject}_task-{label}_headmotion.tsv"
    motion = read_motion(
        folder / "derivatives" / subject / "head_motion" / motion_file, n_volumes
    )
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
        motion=None if motion is None else motion[volumes],
        events=read_events(events_file, start),
    )


def prepare_channels(raw):
    """Tell the ECG from EEG, and add template positions where there are none."""
    import mne

    if "ECG" in raw.ch_names:
        raw.set_channel_types({"ECG": "ecg"}, on_unit_change="ignore")
    montage = raw.get_montage()
    if montage is None or not montage.get_positions()["ch_pos"]:
        template = mne.channels.make_standard_montage("colin27_1005")
        raw.set_montage(template, match_case=False, on_missing="warn")


def find_start(raw, events, t_r):
    """Find the time within the scan at which a cleaned recording begins, in s.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording.
    events : pandas.DataFrame | None
        The protocol, with onsets in s of the scan.
    t_r : float
        Repetition time in s.

    Returns
    -------
    start : float
        2 s, refined by markers of the recording.
    """
    start = SCANNER_LEAD
    marked = _onsets(raw, r"S\s+2$")
    if events is not None and len(marked):
        planned = events["onset"][events["trial_type"].str.startswith("Task")]
        # The recording was cut at the first marker of a rest block that is there:
        # what is lost is lost at the beginning.
        last = planned.to_numpy()[-len(marked) :]
        shifts = last - marked if len(last) == len(marked) else np.array([np.inf])
        found = float(np.median(shifts))
        if not np.abs(shifts - found).max() <= t_r / 2:
            warn_user(
                f"The {len(marked)} markers of task blocks in {_name(raw)} do not fit "
                f"the {len(planned)} blocks of the protocol: they are not used."
            )
            return start - _grid_shift(raw, start, t_r)
        if abs(found - start) > t_r / 2:
            warn_user(
                f"{_name(raw)} begins {found:.1f} s after the scan rather than "
                f"{start:g} s: {len(marked)} of {len(planned)} task blocks are "
                "marked in it. The volumes follow the markers."
            )
        start = found
    return start - _grid_shift(raw, start, t_r)


def _grid_shift(raw, start, t_r):
    """Return how much later than planned the markers of volumes are, in s."""
    markers = _onsets(raw, r"R128$")
    if len(markers) < 3:
        return 0.0
    shifts = (markers + start) / t_r
    shifts = (shifts - np.round(shifts)) * t_r
    shift = float(np.median(shifts))
    if np.median(np.abs(shifts - shift)) > _JITTER * t_r:
        warn_user(
            f"The markers R128 of {_name(raw)} are not {t_r:g} s apart: they are not "
            "used, and the onsets of volumes follow the protocol."
        )
        return 0.0
    return shift


def _onsets(raw, pattern):
    """Return the onsets of annotations in s from the first sample."""
    onsets = [
        onset
        for onset, text in zip(
            raw.annotations.onset, raw.annotations.description, strict=True
        )
        if re.search(pattern, text)
    ]
    return np.array(onsets) - raw.first_time


def _name(raw):
    return raw.filenames[0].name


def read_scores(name, folder, subject, tasks):
    """Read the neurofeedback runs of a person: EEG and the signal of regions."""
    derivatives = folder / "derivatives" / subject
    start = len(f"d_{subject}_task-")
    found = [
        {
            path.name[start:].removesuffix(f"_NF{kind}_scores.mat"): path
            for path in (derivatives / f"NF_{kind}").glob(
                f"d_{subject}_task-*_NF{kind}_scores.mat"
            )
        }
        for kind in ("eeg", "bold")
    ]
    eeg, bold = found
    both = {task: (eeg[task], bold[task]) for task in sorted(eeg.keys() & bold.keys())}
    call = f"fetch_eeg_fmri({name!r}, {subject!r}, what='scores')"
    report_runs(both, sorted(eeg.keys() ^ bold.keys()), folder, subject, "scores", call)
    return [
        _read_scores_run(name, subject, label, *files)
        for label, files in check_tasks(tasks, both, subject).items()
    ]


def _read_scores_run(name, subject, label, eeg, bold):
    import mne

    if name == "xp1":
        # Channels x samples of one second x seconds.
        data = read_array(eeg, "NF_eeg", "eegdata")
        expected = (len(CAP), int(_SCORES_SFREQ), None)
        fits = data.ndim == 3 and data.shape[:2] == expected[:2]
        data = data.transpose(0, 2, 1).reshape(len(data), -1) if fits else data
    else:
        data = read_array(eeg, "NF_eeg", "eeg")
        expected = (len(CAP), None)
        fits = data.ndim == 2 and len(data) == len(CAP)
    if not fits:
        wanted = " x ".join("any" if n is None else str(n) for n in expected)
        raise ValueError(f"{eeg} must hold EEG of {wanted}, got shape {data.shape}.")
    info = mne.create_info(CAP, _SCORES_SFREQ, "eeg")
    raw = mne.io.RawArray(1e-6 * data, info, verbose="error")  # stored in uV
    prepare_channels(raw)
    series = {
        region: read_array(bold, "NF_bold", *fields).ravel()
        for region, fields in _REGIONS[name].items()
    }
    lengths = {len(values) for values in series.values()}
    if len(lengths) > 1:
        raise ValueError(f"{bold} has regions of different lengths: {lengths}.")
    t_r = _SCORES_T_R[name]
    onsets = np.arange(lengths.pop()) * t_r
    volumes = covered_volumes(raw, onsets, t_r)
    task, _, run = label.partition("_run-")
    return EEGfMRIRun(
        name,
        subject,
        task,
        run,
        raw,
        t_r,
        onsets[volumes],
        volumes,
        regions=np.stack(list(series.values()), axis=1)[volumes],
        region_names=tuple(series),
    )
