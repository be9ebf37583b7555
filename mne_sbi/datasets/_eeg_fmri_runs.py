"""One run of EEG with fMRI: the recording, and when the volumes are in it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .._checks import check_array
from .._frozen import FrozenArrays
from ._eeg_fmri_tables import read_frame, read_text

# Seconds above which a repetition time must be in another unit.
_LONGEST_T_R = 60.0
# Names of the parameters of motion, in the order of SPM, without punctuation.
_MOTION_NAMES = (
    ("transx", "tx", "x"),
    ("transy", "ty", "y"),
    ("transz", "tz", "z"),
    ("rotx", "rx", "pitch"),
    ("roty", "ry", "roll"),
    ("rotz", "rz", "yaw"),
)


@dataclass(frozen=True, repr=False, eq=False)
class EEGfMRIRun(FrozenArrays):
    """EEG and fMRI of one run, as :func:`read_eeg_fmri` reads them.

    Parameters
    ----------
    dataset, subject, task, run : str
        What it is. ``run`` is empty where there is only one of the task.
    raw : mne.io.BaseRaw
        The EEG. ``raw.info["subject_info"]`` names the person.
    t_r : float
        Repetition time in s.
    onsets : array, shape (n_volumes,)
        Beginnings of the volumes in s from the first sample of ``raw``.
    volumes : array of int, shape (n_volumes,)
        Their numbers in the file, from 0 on, without gaps. Those that the EEG does not
        cover are left out.
    bold : pathlib.Path | None
        The file of volumes; see :meth:`load_bold`.
    regions : array, shape (n_volumes, n_regions) | None
        Instead of volumes: mean signal of regions, in the scanner's units.
    region_names : tuple of str
        Names of the regions.
    motion : array, shape (n_volumes, 6) | None
        Translations in m and rotations in rad of the head, for each volume.
    events : pandas.DataFrame | None
        Blocks or trials: ``onset`` in s from the first sample of ``raw``,
        ``duration`` in s, ``trial_type``, and what else the set has.

    See Also
    --------
    mne_sbi.eeg_fmri.make_pairs : Takes them.

    Examples
    --------
    >>> make_pairs(
    ...     [run.raw for run in runs],
    ...     [run.load_bold() for run in runs],
    ...     masker,
    ...     timing=[run.onsets for run in runs],
    ... )  # doctest: +SKIP
    """

    dataset: str
    subject: str
    task: str
    run: str
    raw: object
    t_r: float
    onsets: np.ndarray
    volumes: np.ndarray
    bold: Path | None = None
    regions: np.ndarray | None = None
    region_names: tuple[str, ...] = ()
    motion: np.ndarray | None = None
    events: object = None

    def __post_init__(self):
        # Where pairs of EEG and fMRI look for the person.
        self.raw.info["subject_info"] = {"his_id": self.subject}
        n_volumes = len(self.onsets)
        shapes = {
            "onsets": (n_volumes,),
            "volumes": (n_volumes,),
            "regions": (n_volumes, len(self.region_names)),
            "motion": (n_volumes, 6),
        }
        for field, shape in shapes.items():
            value = getattr(self, field)
            if value is None:
                continue
            dtype = int if field == "volumes" else float
            value = check_array(field, value, shape=shape, dtype=dtype).copy()
            value.flags.writeable = False
            object.__setattr__(self, field, value)
        if (np.diff(self.volumes) != 1).any():
            raise ValueError("volumes must be numbers that follow each other.")

    def load_bold(self):
        """Load the volumes that belong to the onsets.

        Returns
        -------
        img : nibabel.nifti1.Nifti1Image
            Shape (nx, ny, nz, n_volumes). Its header's repetition time is ``t_r``,
            whatever the file says.

        Raises
        ------
        ValueError
            If the run has regions instead of volumes.
        """
        import nibabel

        if self.bold is None:
            raise ValueError(
                f"{self!r} has no volumes but regions: use run.regions, or fetch the "
                "volumes of a set that has them."
            )
        img = nibabel.load(self.bold)
        img = img.slicer[..., self.volumes[0] : self.volumes[-1] + 1]
        img.header.set_zooms((*img.header.get_zooms()[:3], self.t_r))
        # The repetition time is in s, whatever unit the file names, or none.
        img.header.set_xyzt_units(img.header.get_xyzt_units()[0], "sec")
        return img

    def __repr__(self):
        what = "volumes" if self.regions is None else "scans of regions"
        parts = [self.dataset, self.subject, self.task, self.run and f"run {self.run}"]
        return (
            f"<EEGfMRIRun | {' '.join(part for part in parts if part)}: "
            f"{len(self.raw.ch_names)} channels at {self.raw.info['sfreq']:g} Hz, "
            f"{len(self.onsets)} {what} every {self.t_r:g} s>"
        )


def covered_volumes(raw, onsets, t_r):
    """Return the numbers of the volumes that lie within a recording as a whole."""
    # A volume may stick out by half a sample, which is only rounding.
    slack = 0.5 / raw.info["sfreq"]
    end = raw.n_times / raw.info["sfreq"]
    inside = (onsets >= -slack) & (onsets + t_r <= end + slack)
    return np.flatnonzero(inside)


def read_t_r(folder, bold):
    """Read the repetition time in s from the nearest JSON sidecar of a file.

    The header is not asked: converters have been known to write other times into it.
    """
    stem = bold.name.removesuffix(".gz").removesuffix(".nii")
    # BIDS: what is true for a task of all people stands in the set's folder.
    task = "_".join(
        part for part in stem.split("_") if part.startswith(("task", "bold"))
    )
    candidates = [bold.with_name(f"{stem}.json"), folder / f"{task}.json"]
    for path in candidates:
        if path.exists():
            content = json.loads(read_text(path))
            if "RepetitionTime" in content:
                t_r = float(content["RepetitionTime"])
                if not 0 < t_r <= _LONGEST_T_R:
                    raise ValueError(
                        f"RepetitionTime in {path} is {t_r:g}, but must be in s, above "
                        f"0 and up to {_LONGEST_T_R:g}. Correct it."
                    )
                return t_r
    raise FileNotFoundError(
        f"No RepetitionTime for {bold.name}: neither {candidates[0]} nor "
        f"{candidates[1]} has it. Fetch the set again."
    )


def read_events(path, start):
    """Read a table of events; onsets from seconds of the scan to those of the EEG."""
    if not path.exists():
        return None
    events = read_frame(path)
    events["onset"] -= start
    return events


def read_motion(path, n_volumes):
    """Read SPM's parameters of motion: translations in m, rotations in rad.

    Raises
    ------
    ValueError
        If there are not six numbers for each volume.
    """
    if not path.exists():
        return None
    rows = [line.split() for line in read_text(path).splitlines()]
    rows = [row for row in rows if row]
    order = range(6)
    if rows and not _is_number(rows[0][0]):
        order = _order_of_motion(rows[0], path)
        rows = rows[1:]
    motion = np.array(rows, float) if len({len(row) for row in rows}) == 1 else None
    if motion is None or motion.shape != (n_volumes, 6):
        raise ValueError(
            f"{path} must have 6 numbers for each of {n_volumes} volumes, got "
            f"{len(rows)} rows. Fetch the file again, or move it away to go without."
        )
    motion = motion[:, order]
    motion[:, :3] *= 1e-3  # SPM writes mm
    return motion


def _order_of_motion(names, path):
    """Return where the translations along x, y, z and the rotations are."""
    plain = ["".join(filter(str.isalpha, name.lower())) for name in names]
    found = [
        [i for i, name in enumerate(plain) if name in spellings]
        for spellings in _MOTION_NAMES
    ]
    if [len(places) for places in found] != [1] * 6 or len(names) != 6:
        raise ValueError(
            f"{path} has the columns {', '.join(names)}, but trans_x, trans_y, "
            "trans_z, rot_x, rot_y and rot_z are expected. Correct the names, or move "
            "the file away to go without."
        )
    return [places[0] for places in found]


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def count_volumes(bold):
    """Return the number of volumes of a file, from its header."""
    import nibabel

    shape = nibabel.load(bold).shape
    if len(shape) != 4:
        raise ValueError(f"{bold} must hold volumes over time, got shape {shape}.")
    return shape[3]


def report_runs(runs, incomplete, folder, subject, what, call):
    """Tell which runs lack EEG or fMRI; raise if nothing is left."""
    from mne.utils import logger

    if not runs:
        found = sorted({path.name for path in folder.rglob("sub-*") if path.is_dir()})
        raise FileNotFoundError(
            f"No run of {subject} with both EEG and fMRI ({what}) in {folder}; people "
            f"found there: {', '.join(found) or 'none'}; runs that lack one of them: "
            f"{', '.join(incomplete) or 'none'}. Call {call}."
        )
    if incomplete:
        logger.info(
            f"{subject}: left out, because EEG or fMRI is missing: "
            f"{', '.join(incomplete)}"
        )


def check_tasks(tasks, available, subject):
    """Keep the wanted tasks; raise if one is not there."""
    from .._checks import check_option

    if tasks is None:
        return available
    for task in tasks:
        check_option(f"tasks (of {subject})", task, sorted(available))
    return {task: available[task] for task in available if task in tasks}
