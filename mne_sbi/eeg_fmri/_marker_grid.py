"""A regular grid through markers of which some are wrong."""

from dataclasses import dataclass

import numpy as np

# Steps between markers are the same up to this part: the jitter of trigger boxes is a
# few milliseconds.
_SAME_STEP = 0.05
# Robust standard deviations from which a marker is taken to be no volume's.
_OUTLIER = 5.0
# Markers off the grid, as a part of those on it, up to which the grid is believed.
_MANY_OFF = 0.2


@dataclass(frozen=True)
class MarkerGrid:
    """Equal steps, and the markers on them; ``offset + slot * period`` in s."""

    offset: float
    period: float
    slots: np.ndarray
    residuals: np.ndarray
    n_doubled: int
    n_off: int

    def onset(self, slot):
        """Return the time of slots, in s."""
        return self.offset + self.period * slot


def fit_grid(times, t_r, tolerance, sample, source):
    """Fit equal steps to markers, robustly.

    Parameters
    ----------
    times : ndarray, shape (n_markers,)
        In s, sorted.
    t_r : float | None
        The expected step in s.
    tolerance : float | None
        Distance in s from the grid up to which a marker counts; ``None`` for a
        twentieth of the step.
    sample : float
        Time between samples of the recording in s, the resolution of markers.
    source : str
        What the markers are, for messages.

    Returns
    -------
    grid : MarkerGrid
        The grid, and the markers on it in the order of time, one per slot.

    Raises
    ------
    ValueError
        If there are too few markers, or they are on no grid.
    """
    step = usual_step(times)
    if t_r is None and len(times) < 3:
        raise ValueError(
            f"{len(times)} markers ({source}) do not tell the spacing of volumes. Give "
            "t_r as well, or say with event= which are the markers."
        )
    period = step if t_r is None else _check_step(step, t_r, source)
    tolerance = _SAME_STEP * period if tolerance is None else tolerance
    line = _grow(times, period, tolerance, source)
    slots, residuals, best = _assign(times, line, tolerance)
    for _ in range(3):
        # What is far off for its like has no say, but it is still its volume's marker.
        best &= np.abs(residuals) <= _limit(residuals[best], sample, tolerance)
        line = _line(slots[best], times[best], line)
        slots, residuals, best = _assign(times, line, tolerance)
    n_near = int((np.abs(residuals) <= tolerance).sum())
    n_off = len(times) - n_near
    if n_off > max(2, _MANY_OFF * best.sum()):
        raise ValueError(
            f"The markers {source} are on no regular grid: with a step of "
            f"{line[0]:.6g} s, {n_off} of {len(times)} are more than "
            f"{1e3 * tolerance:.3g} ms off. If the recording holds several scans, crop "
            "it to one (raw.crop); if markers jitter more, give a larger tolerance."
        )
    return MarkerGrid(
        line[1], line[0], slots[best], residuals[best], n_near - int(best.sum()), n_off
    )


def usual_step(times):
    """Return the step between neighbours that fills most of the time."""
    steps = np.sort(np.diff(times))
    steps = steps[steps > 0]
    if not len(steps):
        raise ValueError(
            "All markers of volumes are at one time. Give others as event."
        )
    low = np.searchsorted(steps, (1 - _SAME_STEP) * steps, side="left")
    high = np.searchsorted(steps, (1 + _SAME_STEP) * steps, side="right")
    # Weighted with their length: doubled markers make as many short steps as long ones.
    most = np.argmax((high - low) * steps)
    return float(np.median(steps[low[most] : high[most]]))


def _check_step(step, t_r, source):
    """Check that the usual step is one repetition time, or several."""
    n_volumes = step / t_r
    n_slices = t_r / step
    nearest = max(1, round(n_volumes))
    if abs(n_volumes - nearest) <= _SAME_STEP * nearest:
        return t_r
    problem = f"t_r is {t_r:g} s, but the markers {source} come every {step:.6g} s. "
    if round(n_slices) > 1 and abs(n_slices / round(n_slices) - 1) < _SAME_STEP / 5:
        raise ValueError(
            f"{problem}There seems to be one for each of {round(n_slices)} slices or "
            "groups of slices. Give only the first of each volume, as event=times, "
            f"with times = times_of_all_markers[::{round(n_slices)}]."
        )
    raise ValueError(
        f"{problem}Correct t_r, or say with event= which are the markers of volumes."
    )


def _grow(times, period, tolerance, source):
    """Fit the longest regular stretch, and from there ever more of the markers."""
    # Doubled markers would break the stretches.
    times = times[np.diff(times, prepend=-np.inf) > tolerance]
    steps = np.diff(times) / period
    counts = np.maximum(np.round(steps), 1)
    regular = np.abs(steps - counts) * period <= tolerance
    edges = np.flatnonzero(np.diff(np.r_[False, regular, False].astype(int)))
    if not len(edges):
        raise ValueError(
            f"No two neighbours of the {len(times)} markers {source} are a multiple of "
            f"{period:.6g} s apart, up to {1e3 * tolerance:.3g} ms. Give a larger "
            "tolerance, or say with event= which are the markers."
        )
    starts, stops = edges[::2], edges[1::2]
    longest = np.argmax(stops - starts)
    start, stop = starts[longest], stops[longest]
    slots = np.r_[0, np.cumsum(counts[start:stop])]
    line = _line(slots, times[start : stop + 1], (period, times[start]))
    low, high = slots[0], slots[-1]
    while True:
        slots, _, best = _assign(times, line, tolerance)
        inside = (slots >= low) & (slots <= high)
        line = _line(slots[best & inside], times[best & inside], line)
        if inside.all():
            return line
        # Twice as far to both sides: the error of the step is still small there.
        width = high - low + 1
        low, high = low - width, high + width


def _assign(times, line, tolerance):
    """Find each marker's slot, its distance and whether it is the slot's nearest."""
    slots = np.round((times - line[1]) / line[0]).astype(int)
    residuals = times - (line[1] + line[0] * slots)
    order = np.lexsort((np.abs(residuals), slots))
    is_first = np.r_[True, np.diff(slots[order]) != 0]
    best = np.zeros(len(times), dtype=bool)
    best[order[is_first]] = True
    return slots, residuals, best & (np.abs(residuals) <= tolerance)


def _limit(residuals, sample, tolerance):
    """Return the distance in s up to which markers take part in the fit."""
    # Four fifths are believed. The median would not do: rounded to samples, most
    # distances are often zero and the others one sample.
    spread = np.quantile(np.abs(residuals), 0.8) / 1.2816
    return min(_OUTLIER * max(spread, 0.5 * sample), tolerance)


def _line(slots, times, otherwise):
    """Fit ``(period, offset)`` by least squares; two markers determine it."""
    if len(np.unique(slots)) < 2:
        return otherwise
    middle = slots.mean()
    centred = slots - middle
    period = centred @ (times - times.mean()) / (centred @ centred)
    return float(period), float(times.mean() - period * middle)
