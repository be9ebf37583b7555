"""When the volumes of an fMRI scan are in the EEG recorded with it."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array, check_count
from .._frozen import FrozenArrays
from .._warnings import warn_user
from ._marker_grid import fit_grid
from ._markers import find_markers

# A warning comes when more than this part of the markers is lost.
_MANY_MISSING = 0.1
# Two repetition times are the same up to this part. Clocks differ by 1e-4 at most;
# headers are rounded to 10 ms.
SAME_T_R = 0.01
# Seconds above which a repetition time must be in another unit.
LONGEST_T_R = 60.0


@dataclass(frozen=True, repr=False, eq=False)
class VolumeTiming(FrozenArrays):
    """When the volumes of a scan are, as :func:`align_volumes` finds them.

    Parameters
    ----------
    onsets : array, shape (n_volumes,)
        Beginnings of the volumes in s from the recording's first sample, as in
        ``raw.times``.
    t_r : float
        Repetition time in s by the clock of the EEG.
    n_missing : int
        Volumes without a marker.
    n_doubled : int
        Further markers of a volume that has one; they are left out.
    n_extra : int
        Markers of no volume: off the grid, or before or after the scan.
    jitter : float
        Root mean square distance of the markers from the onsets, in s.

    Attributes
    ----------
    repaired : bool
        Whether any marker was missing, doubled or extra.

    Examples
    --------
    >>> from mne_sbi.eeg_fmri import VolumeTiming
    >>> VolumeTiming([1.0, 3.0, 5.0], 2.0, n_missing=1)
    <VolumeTiming | 3 volumes every 2 s from 1 s on; 1 marker missing>
    """

    onsets: np.ndarray
    t_r: float
    n_missing: int = 0
    n_doubled: int = 0
    n_extra: int = 0
    jitter: float = 0.0

    def __post_init__(self):
        onsets = check_array("onsets", self.onsets, shape=("n_volumes",)).copy()
        if not len(onsets) or (np.diff(onsets) <= 0).any():
            raise ValueError("onsets must be one or more increasing times.")
        onsets.flags.writeable = False
        object.__setattr__(self, "onsets", onsets)
        t_r = check_array("t_r", self.t_r, shape=(), positive=True)
        object.__setattr__(self, "t_r", float(t_r))

    @property
    def repaired(self):
        """Whether any marker was missing, doubled or extra."""
        return bool(self.n_missing or self.n_doubled or self.n_extra)

    def __len__(self):
        return len(self.onsets)

    def __repr__(self):
        parts = [
            f"{len(self)} volumes every {self.t_r:.6g} s from {self.onsets[0]:.6g} s on"
        ]
        counts = {
            "missing": self.n_missing,
            "doubled": self.n_doubled,
            "extra": self.n_extra,
        }
        marks = [
            f"{n} marker{'s' * (n != 1)} {what}" for what, n in counts.items() if n
        ]
        parts += [", ".join(marks)] if marks else []
        parts += [f"jitter {1e3 * self.jitter:.3g} ms"] if self.jitter else []
        return f"<VolumeTiming | {'; '.join(parts)}>"


def align_volumes(
    raw,
    n_volumes=None,
    t_r=None,
    *,
    event="auto",
    first_onset=None,
    tolerance=None,
    verbose=None,
):
    r"""Find when the volumes of an fMRI scan are in an EEG recording.

    Markers that are lost, doubled or spurious do no harm: the onsets are the regular
    grid that fits the good markers best. What was repaired is reported.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording, with markers as annotations or in a stimulus channel.
    n_volumes : int | None
        Number of volumes of the scan. ``None`` takes those from the first to the last
        marker.
    t_r : float | None
        Repetition time in s. ``None`` takes the markers' spacing.
    event : str | int | array_like of float
        What the markers are: a regular expression that is sought anywhere in the
        descriptions of annotations; the number of an event in the stimulus channel; or
        the onsets themselves, in s from the first sample. ``"auto"`` knows R128, T  1,
        Scan Start, V  1 and volume.
    first_onset : float | None
        Roughly when the first volume begins, in s from the first sample. Needed where
        markers at an end of the scan are missing, or there are more than volumes:
        nothing else tells which volume the first marker belongs to.
    tolerance : float | None
        Distance in s from the grid up to which a marker counts. ``None`` takes a
        twentieth of the repetition time.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    timing : VolumeTiming
        The onsets, and what was repaired.

    Raises
    ------
    ValueError
        If there are no markers or too few, they do not fit ``t_r`` or any grid, it is
        not clear which volume is the first, or the recording ends before the scan.

    Notes
    -----
    A marker at time :math:`m_i` belongs to volume
    :math:`k_i = \mathrm{round}((m_i - b) / a)`; the line :math:`a k + b` is fitted by
    least squares, first to the longest stretch of regular markers and then to ever
    wider surroundings of it. Markers further than five robust standard deviations from
    it take no part, and those beyond the tolerance belong to no volume. So the errors
    of the spacing never add up to half a volume, and neither the first marker nor any
    other has a special role.

    With ``t_r``, ``n_volumes`` and a single marker, which is then the scan's start, the
    onsets are computed from it.
    """
    import mne
    from mne.utils import logger, use_log_level

    if not isinstance(raw, mne.io.BaseRaw):
        raise TypeError(f"raw must be an mne.io.Raw, got {type(raw).__name__}.")
    n_volumes, t_r, tolerance = _check_settings(n_volumes, t_r, tolerance)
    if first_onset is not None:
        first_onset = float(check_array("first_onset", first_onset, shape=()))
    times, source = find_markers(raw, event)
    sample = 1.0 / raw.info["sfreq"]
    duration = raw.n_times * sample
    with use_log_level(verbose):
        if len(times) == 1:
            timing = _from_one_marker(times[0], source, n_volumes, t_r)
        else:
            grid = fit_grid(times, t_r, tolerance, sample, source)
            _check_same_t_r(grid.period, t_r, source)
            _check_not_multiple(grid, t_r, n_volumes, source)
            first, n_volumes = _place(grid, n_volumes, first_onset, duration, source)
            timing = _count(grid, first, n_volumes)
        check_inside(timing, duration)
        if len(times) == 1:
            logger.info(f"Volumes are computed from the one marker {source}.")
        elif timing.repaired:
            logger.info(f"Markers of volumes were repaired: {timing!r}")
        else:
            logger.info(f"Markers of volumes: {timing!r}")
    if timing.n_missing > _MANY_MISSING * len(timing) and len(times) > 1:
        warn_user(
            f"{timing.n_missing} of {len(timing)} volumes have no marker ({source}). "
            "Their times come from the others: was the scan interrupted?"
        )
    return timing


def _check_settings(n_volumes, t_r, tolerance):
    """Check numbers that may be left out."""
    if n_volumes is not None:
        n_volumes = check_count("n_volumes", n_volumes)
    if t_r is not None:
        t_r = check_t_r(t_r)
    if tolerance is not None:
        tolerance = float(check_array("tolerance", tolerance, shape=(), positive=True))
    return n_volumes, t_r, tolerance


def check_t_r(t_r):
    """Check a repetition time that a caller gave, and return it in s."""
    t_r = float(check_array("t_r", t_r, shape=(), positive=True))
    if t_r > LONGEST_T_R:
        raise ValueError(
            f"t_r is in s; {t_r:g} looks like ms: give t_r={t_r / 1000!r}."
        )
    return t_r


def _from_one_marker(onset, source, n_volumes, t_r):
    """Compute the grid from the start of the scan."""
    missing = [
        name for name, v in (("n_volumes", n_volumes), ("t_r", t_r)) if v is None
    ]
    if missing:
        raise ValueError(
            f"There is only one marker: {source}. If it is the scan's start, "
            f"give {' and '.join(missing)} as well; otherwise say with event= which "
            "are the markers."
        )
    return VolumeTiming(onset + t_r * np.arange(n_volumes), t_r)


def _check_not_multiple(grid, t_r, n_volumes, source):
    """Check that the markers do not come every few t_r because t_r is wrong."""
    step = float(np.median(np.diff(grid.slots))) if len(grid.slots) > 1 else 1.0
    if t_r is None or n_volumes is None or step < 2:
        return
    span = grid.slots[-1] - grid.slots[0] + 1
    # Where every second marker is lost, the markers reach over as many volumes as the
    # scan has; where t_r is wrong, over a multiple.
    n_steps = round((span - 1) / step) + 1
    if abs(n_steps - n_volumes) < abs(span - n_volumes):
        raise ValueError(
            f"The markers {source} for {n_volumes} volumes come every "
            f"{step * grid.period:.6g} s, so t_r is not {t_r:g} s. Correct t_r, or the "
            "image's header with img.header.set_zooms(...)."
        )


def _check_same_t_r(period, t_r, source):
    """Compare the fitted repetition time with the given one."""
    if t_r is not None and abs(period / t_r - 1) > SAME_T_R:
        raise ValueError(
            f"t_r is {t_r:g} s, but the markers {source} come every {period:.6g} s. "
            "Correct t_r, or say with event= which are the markers of volumes."
        )


def _place(grid, n_volumes, first_onset, duration, source):
    """Decide which slot of the grid is the first volume."""
    low, high = grid.slots[0], grid.slots[-1]
    if first_onset is not None:
        position = (first_onset - grid.offset) / grid.period
        first = round(position)
        if abs(position - first) > 0.25:
            nearest = grid.onset(np.array([np.floor(position), np.ceil(position)]))
            raise ValueError(
                f"first_onset={first_onset:g} s lies between two volumes, which begin "
                f"at {nearest[0]:.6g} and {nearest[1]:.6g} s. Give one of them."
            )
        n_volumes = high - first + 1 if n_volumes is None else n_volumes
        if n_volumes < 1:
            raise ValueError(
                f"first_onset={first_onset:g} s is after the last marker, at "
                f"{grid.onset(high):.6g} s. Give n_volumes as well, or an earlier time."
            )
        return first, n_volumes
    if n_volumes is None:
        return low, high - low + 1
    if n_volumes != high - low + 1:
        # Where the recording begins or ends does not tell: it may have been started
        # late or stopped early as well as lost a marker.
        _refuse_to_guess(grid, n_volumes, duration, source)
    return low, n_volumes


def _refuse_to_guess(grid, n_volumes, duration, source):
    """Say that the first volume could be at several places."""
    low, high = grid.slots[0], grid.slots[-1]
    first, other = grid.onset(np.array([low, high - n_volumes + 1]))
    span = high - low + 1
    problem = (
        f"The markers {source} reach over {span} volumes, but n_volumes is {n_volumes}"
    )
    if span < n_volumes:
        early = VolumeTiming(first + grid.period * np.arange(n_volumes), grid.period)
        has_room_before = other > -0.5 * grid.period
        if _count_inside(early, duration) < n_volumes:
            if has_room_before:
                raise ValueError(
                    _lost_at_the_beginning(problem, other, early, duration)
                )
            check_inside(early, duration, f"{problem}. ")
        if not has_room_before:
            raise ValueError(
                f"{problem}. Give align_volumes first_onset={first:.6g} if markers at "
                "the end are lost: there is no room for all others before the first. "
                "If these are not the markers of volumes, give others as event=; "
                "numbers in a list are taken for onsets in s."
            )
        when = "markers at the end are lost", "markers at the beginning are lost"
    else:
        when = "the last have no volume", "the first are of dummy volumes"
    raise ValueError(
        f"{problem}: it is not clear which is the scan's first. Give align_volumes "
        f"first_onset={first:.6g} if {when[0]}, or first_onset={other:.6g} if "
        f"{when[1]}; make_pairs takes the result as timing=."
    )


def _lost_at_the_beginning(problem, other, early, duration):
    """Say what to do if the recording has room for a whole scan before it only.

    The other explanation comes last: where it is wrong, its remedy gives each volume
    the EEG of the next, and nothing would tell.
    """
    n_fit = _count_inside(early, duration)
    return (
        f"{problem}. If markers of the first volumes are lost, give align_volumes "
        f"first_onset={other:.6g}; make_pairs takes the result as timing=. The "
        f"recording ends at {duration:.6g} s, so markers at the end can be lost only "
        "if the EEG was stopped before the scan ended. Only if you know that it was: "
        f"{n_fit} volumes fit; leave the others out, with "
        f"nilearn.image.index_img(bold_img, slice(0, {n_fit})) and n_volumes={n_fit}."
    )


def _count(grid, first, n_volumes):
    """Make the timing of volumes, and count what was repaired."""
    inside = (grid.slots >= first) & (grid.slots < first + n_volumes)
    residuals = grid.residuals[inside]
    return VolumeTiming(
        grid.onset(first + np.arange(n_volumes)),
        grid.period,
        n_missing=int(n_volumes - inside.sum()),
        n_doubled=int(grid.n_doubled),
        n_extra=int(grid.n_off + (~inside).sum()),
        jitter=float(np.sqrt(np.mean(residuals**2))) if len(residuals) else 0.0,
    )


def _count_inside(timing, duration):
    """Count the volumes of which at least half is inside the recording."""
    return int((timing.onsets + 0.5 * timing.t_r <= duration).sum())


def check_inside(timing, duration, problem=""):
    """Check that a recording covers a scan, up to half of its last volume.

    Parameters
    ----------
    timing : VolumeTiming
        Of the scan.
    duration : float
        Of the recording, in s.
    problem : str
        What the message begins with.

    Raises
    ------
    ValueError
        If the recording begins after the first volume or ends before the last.
    """
    # In samples, rounding could put the first onset a little before the recording.
    if timing.onsets[0] < -0.5 * timing.t_r:
        n_before = int((timing.onsets < 0).sum())
        raise ValueError(
            f"The scan begins {-timing.onsets[0]:.6g} s before the recording: its "
            f"first {n_before} volumes have no EEG. Leave them out, with "
            f"nilearn.image.index_img(bold_img, slice({n_before}, None))."
        )
    n_fit = _count_inside(timing, duration)
    if n_fit < len(timing):
        raise ValueError(
            f"{problem}The recording ends at {duration:.6g} s, before the scan, whose "
            f"last of {len(timing)} volumes begins at {timing.onsets[-1]:.6g} s: "
            f"{n_fit} volumes fit. If the EEG was stopped early, leave the others out, "
            f"with nilearn.image.index_img(bold_img, slice(0, {n_fit})) and "
            f"n_volumes={n_fit}."
        )
