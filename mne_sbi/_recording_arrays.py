"""What recordings become: arrays with names, their checks, and how lists are joined."""

import dataclasses

import numpy as np

from ._region_names import normalize_region_name

# Sampling rates that came through float32 headers, or as 1 / tstep, differ by rounding.
SAME_RATE = 1e-6


@dataclasses.dataclass(frozen=True)
class Recording:
    """Observations as arrays.

    Parameters
    ----------
    data : list of ndarray, shape (n_rows, n_times), or ndarray
        One time series per observation, which may differ in length, and are NaN in all
        rows where a segment is left out or two pieces are joined; or power of shape
        (n_obs, n_rows, n_freqs), if ``freqs`` are given; or an array of shape (n_obs,
        n_nodes, n_points) or (n_obs, n_features) whose meaning only the estimator
        knows.
    sfreq : float | None
        Sampling rate in Hz; ``None`` for arrays and spectra.
    names : tuple of str | None
        Names of the rows, regions or sensors; ``None`` for arrays.
    band : tuple of float | None
        Cutoffs in Hz of the filters that the recording went through, highpass and
        lowpass, where they are known.
    freqs : ndarray of float, shape (n_freqs,) | None
        Frequencies in Hz, if the observations are spectra of MNE-Python.
    info : mne.Info | None
        Sensors of exactly the rows, if the rows are sensors.
    obs_names : tuple of str | None
        Names of the observations, if a DataFrame's index gives them.
    is_average : bool
        Whether the time series are averages over epochs.
    tmin : float | None
        Time of the first sample of averages in s, relative to the event; NaN if they
        begin at different times.
    nave : tuple of int
        Numbers of epochs in averages.
    n_repeated : tuple of int
        Numbers of samples of each time series that are in it more than once, as those
        of epochs that overlap are; empty for none.
    n_windows : tuple of float | None
        Numbers of windows that each spectrum averages, at least; ``None`` if unknown.
    """

    data: object
    sfreq: float | None = None
    names: tuple | None = None
    band: tuple | None = None
    _: dataclasses.KW_ONLY
    freqs: np.ndarray | None = None
    info: object = None
    obs_names: tuple | None = None
    is_average: bool = False
    tmin: float | None = None
    nave: tuple = ()
    n_repeated: tuple = ()
    n_windows: tuple | None = None

    @property
    def from_mne(self):
        """Whether the rows have names, as those of objects of MNE-Python do."""
        return self.names is not None

    @property
    def is_series(self):
        """Whether the observations are time series with a sampling rate."""
        return self.sfreq is not None

    @property
    def durations(self):
        """Length of each time series in s, without the segments left out.

        What is in it more than once counts once.
        """
        if not self.is_series:
            return ()
        n_times = [int((~np.isnan(series[0])).sum()) for series in self.data]
        repeated = self.n_repeated or [0] * len(n_times)
        return tuple(
            (n - again) / self.sfreq for n, again in zip(n_times, repeated, strict=True)
        )

    def __len__(self):
        return len(self.data)


def check_series(series, names, *, what="regions", kept=None, where=""):
    """Refuse rows that are flat, complex or not finite, and name them.

    Parameters
    ----------
    series : ndarray, shape (n_rows, n_times)
        Time series.
    names : sequence of str
        Names of the rows.
    what : str
        What the rows are, for the message.
    kept : ndarray of bool, shape (n_times,) | None
        Which samples count; ``None`` for all.
    where : str
        Which part of the recording this is, for the message.

    Raises
    ------
    TypeError
        If the series are complex.
    ValueError
        If a row is flat or not finite, or no sample is left.
    """
    if np.iscomplexobj(series):
        raise TypeError(
            "The time series are complex, as after a Hilbert transform. Give them as "
            "they were before it."
        )
    if kept is not None:
        series = series[:, kept]
    if not series.shape[1]:
        raise ValueError(
            f"All of the recording{where} is annotated as bad. See raw.annotations."
        )
    _refuse(
        {
            "hold NaN or infinite values": ~np.isfinite(series).all(axis=1),
            "are flat": (series == series[:, :1]).all(axis=1),
        },
        names,
        what,
        where,
    )


def check_power(power, names, *, what="regions"):
    """Refuse spectra that are no power, and name their rows.

    Parameters
    ----------
    power : ndarray, shape (..., n_rows, n_freqs)
        Power spectra.
    names : sequence of str
        Names of the rows.
    what : str
        What the rows are, for the message.

    Raises
    ------
    ValueError
        If power is not finite, negative, or zero at all frequencies.
    """
    power = power.reshape(-1, *power.shape[-2:])
    _refuse(
        {
            "hold NaN or infinite values": ~np.isfinite(power).all(axis=(0, 2)),
            "have negative power, as decibels have": (power < 0).any(axis=(0, 2)),
            "have no power at any frequency": (power == 0).all(axis=2).any(axis=0),
        },
        names,
        what,
        "",
    )


def _refuse(problems, names, what, where):
    for problem, rows in problems.items():
        found = [name for name, is_bad in zip(names, rows, strict=True) if is_bad]
        if found:
            raise ValueError(
                f"{len(found)} of {len(names)} {what} {problem}{where}: "
                f"{', '.join(found)}. Leave them out (info['bads'], .pick), or "
                "annotate the segments in which it happens as bad."
            )


def join(recordings):
    """Join recordings that must agree.

    Parameters
    ----------
    recordings : list of Recording
        One per element of a user's list.

    Returns
    -------
    recording : Recording
        All observations, with the rows in the order of the first recording.

    Raises
    ------
    ValueError
        If sampling rates, frequencies, rows or projectors differ.
    """
    first = recordings[0]
    data = [first.data]
    for index, other in enumerate(recordings[1:], start=1):
        _check_grid(first, other, index)
        order = _match_rows(first, other, index)
        if first.info is not None:
            _check_projectors(first.info, other.info, index)
        if order is None:
            data.append(other.data)
        elif first.is_series:
            data.append([series[order] for series in other.data])
        else:
            data.append(other.data[:, order])
    if first.is_series:
        data = [series for part in data for series in part]
    else:
        data = np.concatenate(data)
    bands = [recording.band for recording in recordings if recording.band is not None]
    band = None
    if bands:
        highpasses, lowpasses = zip(*bands, strict=True)
        band = (max(highpasses), min(lowpasses))
    starts = {recording.tmin for recording in recordings}
    tmin = first.tmin if len(starts) == 1 else np.nan
    counts = {
        name: tuple(n for recording in recordings for n in getattr(recording, name))
        for name in ("nave", "n_repeated")
    }
    n_windows = [recording.n_windows for recording in recordings]
    counts["n_windows"] = None if None in n_windows else sum(n_windows, ())
    return dataclasses.replace(first, data=data, band=band, tmin=tmin, **counts)


def _check_grid(first, other, index):
    """Compare sampling rates, or the frequencies of spectra."""
    if first.is_series:
        if not np.isclose(other.sfreq, first.sfreq, rtol=SAME_RATE, atol=0):
            raise ValueError(
                f"All recordings must have one sampling rate, got {first.sfreq:g} and "
                f"{other.sfreq:g} Hz (recording {index}). Use .resample()."
            )
        return
    same_length = len(first.freqs) == len(other.freqs)
    if not same_length or not np.allclose(first.freqs, other.freqs, rtol=1e-6):
        grids = [
            f"{len(freqs)} from {freqs[0]:g} to {freqs[-1]:g} Hz"
            for freqs in (first.freqs, other.freqs)
        ]
        raise ValueError(
            f"All spectra must have the same frequencies, got {grids[0]} and "
            f"{grids[1]} (recording {index}). Compute them with the same n_fft, fmin "
            "and fmax."
        )


def _match_rows(first, other, index):
    """Return the other's rows in the first's order, or None if they are in it."""
    if other.names == first.names:
        return None
    wanted, found = list(first.names), list(other.names)
    # Regions may be spelt differently. Sensors may not: "A1" is not "a1".
    if set(wanted) != set(found) and first.info is None:
        wanted = [normalize_region_name(name) for name in wanted]
        found = [normalize_region_name(name) for name in found]
    missing = sorted(set(wanted) - set(found))
    extra = sorted(set(found) - set(wanted))
    if missing or extra or len(set(found)) < len(found):
        raise ValueError(
            "All recordings must have the same channels; these are not in all: "
            f"{sorted(missing + extra)}. Recording {index} lacks {missing or 'none'} "
            f"of recording 0 and has {extra or 'none'} besides. Use .pick(names), or "
            "interpolate bad channels."
        )
    return [found.index(name) for name in wanted]


def active_projectors(info):
    """Return the projectors that the data of a recording went through.

    Parameters
    ----------
    info : mne.Info
        The recording's sensors.

    Returns
    -------
    projectors : list of mne.Projection
        The active ones.
    """
    return [projector for projector in info["projs"] if projector["active"]]


def _check_projectors(first, other, index):
    """Refuse recordings that no single lead field can stand for."""
    sides = active_projectors(first), active_projectors(other)
    same = len(sides[0]) == len(sides[1]) and all(
        a["data"]["col_names"] == b["data"]["col_names"]
        and np.allclose(a["data"]["data"], b["data"]["data"])
        for a, b in zip(*sides, strict=False)
    )
    if not same:
        raise ValueError(
            "All recordings of sensors must have the same active projectors, because "
            f"the simulations go through them. Recording 0 has {_describe(sides[0])}; "
            f"recording {index} has {_describe(sides[1])}. Add the same projectors to "
            "all with .add_proj() and .apply_proj(), or use one inverter for each "
            "person."
        )


def _describe(projectors):
    return ", ".join(repr(p["desc"]) for p in projectors) or "none"
