"""Which of several kinds of markers are those of volumes."""

from dataclasses import dataclass

import numpy as np

from .._checks import listing
from ._marker_grid import usual_step

# Steps and numbers of markers are those of a scan up to this part, when the kind is
# sought whose own error tells what is wrong.
_NEAR_STEP, _NEAR_NUMBER = 0.05, 0.1
# Kinds are as complete as another up to this part of the volumes.
_SAME_LOST = 0.1


@dataclass(frozen=True)
class Scan:
    """What is known about a scan and the recording around it; times in s."""

    n_volumes: int | None
    t_r: float | None
    first_onset: float | None
    tolerance: float | None
    n_times: int
    sfreq: float

    @property
    def duration(self):
        """Length of the recording."""
        return self.n_times / self.sfreq


def choose_kind(kinds, scan, align):
    """Choose the markers of volumes.

    Parameters
    ----------
    kinds : list of MarkerKind
        What there is.
    scan : Scan
        What they must fit.
    align : callable
        From times, their source and the scan to a VolumeTiming; ValueError if they do
        not fit.

    Returns
    -------
    kind : MarkerKind
        The markers.
    timing : VolumeTiming
        The volumes.

    Raises
    ------
    ValueError
        If not exactly one kind fits.
    """
    if scan.n_volumes is None and scan.t_r is None:
        kinds = _only_kind(kinds)
    if len(kinds) == 1:
        return kinds[0], align(kinds[0].times, kinds[0].source, scan)
    fits, errors = [], []
    for kind in kinds:
        try:
            fits.append((kind, align(kind.times, kind.source, scan)))
        except ValueError as error:
            errors.append((kind, error))
    # Completeness does not decide between kinds that come with every volume.
    steady = [fit for fit in fits if fit[0].is_named and _is_steady(*fit)]
    fits = steady if steady and not _are_same(steady) else _most_complete(fits)
    if not fits:
        near = [(kind, error) for kind, error in errors if _is_near(kind, scan)]
        if len(near) == 1:
            raise near[0][1]
    if not fits or not _are_same(fits):
        _refuse_to_choose(kinds, [kind for kind, _ in fits], scan)
    return fits[0]


def _only_kind(kinds):
    """Return the only kind, where nothing is known that it must fit."""
    named = [kind for kind in kinds if kind.is_named]
    # A marker of every volume is better than one of the scan's start.
    often = [kind for kind in named if len(kind.times) > 1]
    left = often or named or kinds
    if len(left) > 1:
        problem = "The stimulus channel has several events"
        if named:
            problem = "Several kinds of annotation look like markers of volumes"
        raise ValueError(
            f"{problem}: {_list(left)}. Give n_volumes and t_r, which tell them "
            f"apart, or say which with event=, for example event={left[0].event!r}."
        )
    return left


def _most_complete(fits):
    """Return the kinds that lack the fewest markers; named ones, if there are any."""
    # A marker of every volume gives more precise onsets than one of the scan's start.
    fits = [fit for fit in fits if len(fit[0].times) > 1] or fits
    if not fits:
        return fits
    least = min(timing.n_missing for _, timing in fits)
    fits = [fit for fit in fits if fit[1].n_missing <= least + _SAME_LOST * len(fit[1])]
    return [fit for fit in fits if fit[0].is_named] or fits


def _are_same(fits):
    """Return whether several kinds mark the same volumes, up to a twentieth of t_r."""
    first = fits[0][1]
    return all(
        len(timing) == len(first)
        and np.abs(timing.onsets - first.onsets).max() <= _NEAR_STEP * first.t_r
        for _, timing in fits
    )


def _is_steady(kind, timing):
    """Return whether markers come with every volume, up to those that are lost."""
    if len(kind.times) < 2:
        return False
    return abs(usual_step(kind.times) / timing.t_r - 1) <= _NEAR_STEP


def _is_near(kind, scan):
    """Return whether markers can be those of the scan, with something wrong."""
    n_markers = len(kind.times)
    if n_markers < 2 or not np.diff(kind.times).any():
        return False
    if scan.t_r is not None:
        return abs(usual_step(kind.times) / scan.t_r - 1) <= _NEAR_STEP
    return abs(n_markers / scan.n_volumes - 1) <= _NEAR_NUMBER


def _refuse_to_choose(kinds, fitting, scan):
    """Raise an error that lists the kinds and how to choose."""
    parts = [f"{scan.n_volumes} volumes"] if scan.n_volumes is not None else []
    parts += [f"t_r={scan.t_r:g} s"] if scan.t_r is not None else []
    wanted = " and ".join(parts)
    problem = f"No kind of markers fits {wanted}"
    if fitting:
        problem = f"Several kinds of markers fit {wanted}: {_list(fitting)}"
    example = (fitting or kinds)[0].event
    raise ValueError(
        f"{problem}. The recording has {_list(kinds)}. Say which are the markers of "
        f"volumes with event=, for example event={example!r}, or correct n_volumes and "
        "t_r."
    )


def _list(kinds):
    """Describe kinds for a message."""
    return listing([kind.describe() for kind in kinds])
