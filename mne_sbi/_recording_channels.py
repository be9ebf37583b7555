"""From objects of MNE-Python with channels to arrays: Raw, Epochs, Evoked, spectra."""

import numpy as np

from ._checks import listing
from ._recording_arrays import Recording, active_projectors, check_power, check_series
from ._recording_joints import find_left_out, left_out_of_raw
from ._sensors import match_ch_names, sensor_projector, warn_if_not_projected
from ._warnings import warn_user

_SENSORS = ("eeg", "mag", "grad")
# A window of which less than this share is left has hardly a spectrum of its own.
_LEAST_KEPT = 0.5
# What the average of equal channels leaves of them is rounding.
_ROUNDING = 1e-10
# The same samples of two epochs correlate above this, whatever baseline or trend was
# taken out of each.
_SAME = 0.7
# Band in Hz, and largest number of windows of 1 s, in which the power of channels is
# compared: slow drifts and the power line are in no spectrum.
_COMPARED = 1.0, 45.0
_N_COMPARED = 60
# Channels with more than so many times the power of others stand out ...
_OUTLYING = 10
# ... and the average reference must not carry so much of theirs into the others.
_MOST_SHARED = 0.5


def read_raw(raw, *, picks=None, duration=None, sensors=False):
    """Read a continuous recording.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording; segments annotated as bad become NaN, and so does a sample where
        annotations say that two pieces are joined.
    picks : str | array_like | slice | None
        Channels, as in MNE-Python.
    duration : float | None
        Length in s of the windows that become an observation each; ``None`` makes one
        observation of the whole.
    sensors : bool
        Whether the channels are sensors, and not regions.

    Returns
    -------
    recording : Recording
        The observations.

    Raises
    ------
    ValueError
        If no channel is left, a channel has no usable values, or a window has too few.
    """
    rows, names, info = _choose(raw, picks, sensors)
    what = "sensors" if sensors else "regions"
    series = raw.get_data(picks=rows)
    left_out = left_out_of_raw(raw)
    sfreq = float(raw.info["sfreq"])
    windows = [(0, raw.n_times)]
    if duration is not None:
        windows = _find_windows(raw.n_times, sfreq, duration)
    data = []
    for start, stop in windows:
        kept = ~left_out.mark(start, stop)
        where = ""
        if duration is not None:
            where = f" from {start / sfreq:g} to {stop / sfreq:g} s"
            _check_share(kept, where)
        part = np.ascontiguousarray(series[:, start:stop])
        check_series(part, names, what=what, kept=kept, where=where)
        # As in MNE-Python's own spectra: what is left, joined, would have steps.
        part[:, ~kept] = np.nan
        data.append(part)
    if sensors:
        data = _project(data, names, info)
    return Recording(data, sfreq, tuple(names), find_band(raw.info), info=info)


def _find_windows(n_times, sfreq, duration):
    """Return (start, stop) in samples of the consecutive windows of a recording."""
    from mne.utils import logger

    length = round(duration * sfreq)
    if not 2 <= length <= n_times:
        raise ValueError(
            f"duration={duration:g} s does not fit a recording of {n_times / sfreq:g} "
            f"s at {sfreq:g} Hz: a window must have two samples at least, and the "
            "recording one window."
        )
    rest = n_times % length
    if rest:
        logger.info(
            f"The last {rest / sfreq:g} s of the recording are left out, because they "
            f"are shorter than a window of {duration:g} s."
        )
    return [(i, i + length) for i in range(0, n_times - length + 1, length)]


def _check_share(kept, where):
    if kept.mean() < _LEAST_KEPT:
        raise ValueError(
            f"The window{where} is annotated as bad but for {kept.mean():.0%} of it. "
            "Leave such windows out with mne.make_fixed_length_epochs(raw, duration, "
            "reject_by_annotation=True), and give the Epochs; or use longer windows."
        )


def read_epochs(epochs, *, picks=None, sensors=False, joined=False):
    """Read epochs.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The epochs.
    picks, sensors
        As in :func:`read_raw`.
    joined : bool
        Make one observation of all epochs, with a gap of NaN between two, instead of
        one observation of each. A sample becomes NaN where two pieces are joined
        inside of an epoch.

    Returns
    -------
    recording : Recording
        The observations.

    Raises
    ------
    ValueError
        If there is no epoch, no channel is left, or a channel has no usable values.
    """
    rows, names, info = _choose(epochs, picks, sensors)
    data = list(epochs.get_data(picks=rows, verbose="error"))
    if not data:
        raise ValueError(
            f"The {type(epochs).__name__} holds no epoch. See epochs.drop_log for why "
            "they were dropped."
        )
    for series, joints in zip(data, _find_joints(epochs), strict=True):
        what = "sensors" if sensors else "regions"
        check_series(series, names, what=what, kept=~joints)
        series[:, joints] = np.nan
    n_repeated = ()
    if joined:
        n_repeated = (_count_repeated(data, epochs),)
    if sensors:
        data = _project(data, names, info)
    if joined and len(data) > 1:
        gap = np.full((len(names), 1), np.nan)
        pieces = [piece for series in data for piece in (gap, series)]
        data = [np.concatenate(pieces[1:], axis=1)]
    return Recording(
        data,
        float(epochs.info["sfreq"]),
        tuple(names),
        find_band(epochs.info),
        info=info,
        n_repeated=n_repeated,
    )


def _find_joints(epochs):
    """Mark joints of pieces inside of each epoch, list of bool of shape (n_times,).

    What is annotated as bad was kept with ``reject_by_annotation=False``, or was not
    kept; a joint that only EEGLAB or BrainVision calls so, MNE-Python always keeps.
    """
    n_times, sfreq = len(epochs.times), epochs.info["sfreq"]
    nothing = np.empty((0, 2), dtype=int)
    return [
        find_left_out(found, sfreq, epochs.times[0])
        ._replace(spans=nothing)
        .mark(0, n_times)
        for found in epochs.get_annotations_per_epoch()
    ]


def _count_repeated(data, epochs):
    """Count the samples of epochs that are in the next one, in time, as well."""
    n_times = data[0].shape[1]
    # Events count samples of the Raw.
    rate = getattr(epochs, "_raw_sfreq", epochs.info["sfreq"])
    starts = epochs.events[:, 0] * (epochs.info["sfreq"] / rate)
    order = np.argsort(starts, kind="stable")
    n_repeated = 0
    for i, j in zip(order[:-1], order[1:], strict=True):
        shift = round(starts[j] - starts[i])
        # Epochs of an array may have events that were made up.
        if shift < n_times and _are_same(data[i][:, shift:], data[j], n_times - shift):
            n_repeated += n_times - shift
    return n_repeated


def _are_same(a, b, n):
    """Whether the first samples of two arrays are the same but for offset and trend."""
    a, b = a[:, :n], b[:, :n]
    kept = ~np.isnan(a[0] + b[0])
    if not kept.any():
        return False
    a, b = (x[:, kept] - x[:, kept].mean(axis=1, keepdims=True) for x in (a, b))
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return bool(np.array_equal(a, b) or (a * b).sum() > _SAME * size)


def read_evoked(evoked, *, picks=None, sensors=False):
    """Read an average.

    Parameters
    ----------
    evoked : mne.Evoked
        The average.
    picks, sensors
        As in :func:`read_raw`.

    Returns
    -------
    recording : Recording
        One observation, marked as an average.
    """
    rows, names, info = _choose(evoked, picks, sensors)
    data = [evoked.get_data(picks=rows)]
    check_series(data[0], names, what="sensors" if sensors else "regions")
    if sensors:
        data = _project(data, names, info)
    return Recording(
        data,
        float(evoked.info["sfreq"]),
        tuple(names),
        find_band(evoked.info),
        info=info,
        is_average=True,
        tmin=float(evoked.times[0]),
        nave=(int(evoked.nave),),
    )


def read_spectrum(spectrum, *, picks=None, sensors=False, joined=False):
    """Read power spectra.

    Parameters
    ----------
    spectrum : mne.time_frequency.Spectrum | mne.time_frequency.EpochsSpectrum
        The spectra.
    picks, sensors
        As in :func:`read_raw`.
    joined : bool
        Make one observation of all epochs, their mean power.

    Returns
    -------
    recording : Recording
        The observations.

    Raises
    ------
    TypeError
        If the spectra are complex.
    ValueError
        If they are not averaged over segments or tapers, or hold EEG whose reference
        is unknown.
    """
    import mne

    rows, names, info = _choose(spectrum, picks, sensors)
    if info is not None:
        _check_reference_of_power(info)
    power = np.asarray(spectrum.get_data(picks=rows))
    if np.iscomplexobj(power):
        raise TypeError(
            "The spectrum is complex. Compute it with .compute_psd(output='power')."
        )
    is_epochs = isinstance(spectrum, mne.time_frequency.EpochsSpectrum)
    if power.ndim != 2 + is_epochs:
        raise ValueError(
            "The spectrum holds each segment or taper by itself. Compute it with the "
            "default average of .compute_psd()."
        )
    if not is_epochs:
        power = power[np.newaxis]
    if not len(power):
        raise ValueError(f"The {type(spectrum).__name__} holds no epoch.")
    check_power(power, names, what="sensors" if sensors else "regions")
    n_windows = (1,) * len(power) if is_epochs else _count_averaged(spectrum)
    freqs = np.array(spectrum.freqs, dtype=float)
    if sensors:
        inside = (freqs >= _COMPARED[0]) & (freqs <= _COMPARED[1])
        _warn_if_dominated(list(power[..., inside]), names, _eeg_rows(info))
    if joined:
        if is_epochs:
            n_windows = (_count_windows(spectrum, len(power)),)
        power = power.mean(axis=0, keepdims=True)
    return Recording(
        power,
        names=tuple(names),
        band=find_band(spectrum.info),
        freqs=freqs,
        info=info,
        n_windows=n_windows,
    )


def _count_averaged(spectrum):
    """Return the number of epochs that a spectrum averages, (n,), or None."""
    # MNE-Python does not store the number of windows of a Raw or within an epoch.
    of_epochs = spectrum.__getstate__()["inst_type_str"] == "Epochs"
    return (int(spectrum.nave),) if of_epochs and spectrum.nave else None


def _count_windows(spectrum, n_epochs):
    """Count the windows of epochs; those that overlap by more than half, by share."""
    events = getattr(spectrum, "events", None)
    shifts = [0] if events is None else np.diff(np.sort(events[:, 0]))
    if len(spectrum.freqs) < 2 or not np.all(np.array(shifts) > 1):
        # Arrays have none, or such as number epochs sample by sample.
        return n_epochs
    half = spectrum.info["sfreq"] / np.diff(spectrum.freqs)[0] / 2
    return 1 + float(np.minimum(shifts / half, 1).sum())


def find_band(info):
    """Return the cutoffs of the filters that a recording went through, in Hz."""
    return info["highpass"] or 0.0, info["lowpass"] or np.inf


def _choose(inst, picks, sensors):
    """Return rows and names of the channels to use, and their Info if sensors."""
    import mne

    kinds = dict(zip(inst.ch_names, inst.get_channel_types(), strict=True))
    bads = set(inst.info["bads"])
    if picks is None:
        names = _pick_default(inst.info, sensors)
        if not names:
            wanted = "an EEG or MEG sensor" if sensors else "a region"
            raise ValueError(
                f"The {type(inst).__name__} has no channel that could be {wanted}: "
                f"all are bad, or of the kinds {sorted(set(kinds.values()))}."
            )
    else:
        names = _pick(inst.info, picks, bads)
    warn_if_not_projected(inst.info, names, is_referenced=sensors)
    # By number, because a channel's name may also be that of a type.
    rows = [inst.ch_names.index(name) for name in names]
    if not sensors:
        return rows, names, None
    strange = sorted({kinds[name] for name in names} - set(_SENSORS))
    if strange:
        raise ValueError(
            f"picks={picks!r} chooses channels of the kinds {strange}, for which there "
            f"is no lead field. Sensors are {', '.join(_SENSORS)}."
        )
    info = mne.pick_info(inst.info, rows)
    _check_eeg(info)
    return rows, names, info


def _pick_default(info, sensors):
    """Return the good channels that record the brain, by inclusion."""
    import mne

    kinds = {"meg": True, "eeg": True, "ref_meg": False, "exclude": ()}
    if not sensors:
        kinds |= dict.fromkeys(("csd", "seeg", "ecog", "dbs", "fnirs"), True)
    rows = mne.pick_types(info, **kinds)
    if not len(rows) and not sensors:
        # MNE-Python has no type for regions, which are therefore miscellaneous. Next to
        # data channels, miscellaneous ones are accelerometers and the like.
        rows = mne.pick_types(info, misc=True, exclude=())
    names = [info["ch_names"][row] for row in rows]
    return [name for name in names if name not in info["bads"]]


def _pick(info, picks, bads):
    """Return the names that MNE-Python's picks mean, without bad channels."""
    import mne

    # MNE-Python's own reading of picks, on an object without any data.
    empty = mne.EvokedArray(np.zeros((len(info["ch_names"]), 1)), info, verbose="error")
    try:
        names = empty.pick(picks, exclude=(), verbose="error").ch_names
    except (ValueError, TypeError, IndexError, RuntimeError) as exc:
        spelt = _spell(picks, info["ch_names"])
        if spelt is not None:
            return _pick(info, spelt, bads)
        has = f"{len(info['ch_names'])} channels: {listing(info['ch_names'], 20)}"
        missing = _find_missing(picks, info["ch_names"])
        if missing:
            raise ValueError(
                f"picks={picks!r} names channels that the recording does not have: "
                f"{missing}. It has {has}."
            ) from exc
        raise type(exc)(
            f"picks={picks!r} fits no channel of the recording, which has {has}. {exc}"
        ) from exc
    kept = [name for name in names if name not in bads]
    if not kept:
        raise ValueError(f"picks={picks!r} chooses bad channels only: {names}.")
    # Asked for one by one, a channel cannot just be missing. A type can have bad ones.
    if not isinstance(picks, slice):
        listed = [picks] if np.ndim(picks) == 0 else picks
        asked = {x if isinstance(x, str) else info["ch_names"][x] for x in listed}
        refused = [name for name in names if name in bads & asked]
        if refused:
            raise ValueError(
                f"picks chooses channels that are marked as bad: {refused}. Take them "
                "from picks or from info['bads']."
            )
    return kept


def _spell(picks, known):
    """Return names as the recording spells them, or None if that is no other way."""
    names = [picks] if isinstance(picks, str) else picks
    if not isinstance(names, (list, tuple, np.ndarray)) or not all(
        isinstance(name, str) for name in names
    ):
        return None
    matched = match_ch_names(names, known)
    spelt = [matched.get(name, name) for name in names]
    return None if spelt == list(names) else spelt


def _find_missing(picks, known):
    """Return those of several names that are missing, if others are there."""
    if isinstance(picks, (str, slice)):
        return []
    names = [str(x) for x in np.atleast_1d(picks) if isinstance(x, str)]
    missing = [name for name in names if name not in known]
    return missing if len(missing) < len(names) else []


def _eeg_rows(info):
    """Return the rows of EEG channels, int of shape (n_eeg,)."""
    import mne

    return mne.pick_types(info, meg=False, eeg=True, exclude=())


def _check_eeg(info):
    """Refuse EEG that an average reference does not make comparable."""
    from mne.io.constants import FIFF

    rows = _eeg_rows(info)
    bipolar = [
        info["ch_names"][row]
        for row in rows
        if info["chs"][row]["coil_type"] == FIFF.FIFFV_COIL_EEG_BIPOLAR
    ]
    if bipolar:
        raise ValueError(
            f"Bipolar channels have no common reference: {bipolar}. Give the channels "
            "against one reference, or leave these out with picks."
        )
    if len(rows) == 1:
        raise ValueError(
            f"The only EEG channel, {info['ch_names'][rows[0]]}, has no average "
            "reference. Give two at least, better many, or regions."
        )


def _project(data, names, info):
    """Give EEG the average reference, and take out what projectors have taken out.

    Whatever the common reference was, and whichever channels took part when a projector
    was applied, the result is the same; see :func:`sensor_projector`.
    """
    rows, projector = _eeg_rows(info), sensor_projector(info)
    projected = []
    for series in data:
        before = np.nanmax(np.abs(series[rows])) if len(rows) else 0
        series = projector @ series.astype(float, copy=False)
        left = np.nanmax(np.abs(series[rows]), axis=1, initial=0)
        is_same = left < before * _ROUNDING
        same = [names[row] for row in rows[is_same]]
        if same:
            raise ValueError(
                f"Nothing is left of {', '.join(same)} after the average reference: "
                "all EEG channels used hold the same."
            )
        projected.append(series)
    powers = [_estimate_briefly(series, info["sfreq"]) for series in projected]
    _warn_if_dominated(powers, names, rows)
    return projected


def _estimate_briefly(series, sfreq):
    """Return power in the compared band from a few windows, (n_rows, n_freqs)."""
    from scipy.signal import periodogram

    n_times = series.shape[1]
    length = max(1, min(n_times, round(sfreq)))
    n_windows = min(_N_COMPARED, n_times // length)
    starts = np.linspace(0, n_times - length, n_windows).astype(int)
    windows = np.array([series[:, i : i + length] for i in starts])
    windows = windows[np.isfinite(windows).all(axis=(1, 2))]
    if not len(windows):
        return np.zeros((len(series), 0))
    freqs, power = periodogram(windows, sfreq, "hann", detrend="constant")
    inside = (freqs >= _COMPARED[0]) & (freqs <= _COMPARED[1])
    return power[..., inside].sum(axis=0)


def _warn_if_dominated(powers, names, rows):
    """Warn of EEG channels whose power the average reference brought into all others.

    What a channel x leaves in the others is x / n, and n - 1 times as much in itself.

    Parameters
    ----------
    powers : list of ndarray, shape (n_channels, n_freqs)
        Power of each observation with the average reference.
    names : list of str
        The channels.
    rows : ndarray of int
        Those of EEG.
    """
    found = []
    for power in powers if len(rows) > 2 else ():
        power = power[rows]
        typical = np.median(power, axis=0)
        if not typical.size or not (typical > 0).all():
            continue
        ratio = np.median(power / typical, axis=1)
        share = ratio / (len(rows) - 1) ** 2
        outlying = (ratio > _OUTLYING) | (share > _MOST_SHARED)
        if share[outlying].sum() > _MOST_SHARED:
            found += [names[row] for row in rows[outlying] if names[row] not in found]
    if found:
        warn_user(
            f"The EEG channels {listing(found)} are so much larger than the others "
            "that they dominate these through the average reference. Mark them as bad "
            "in info['bads'] if they are broken, correct their unit if it is wrong, or "
            "choose others with picks=."
        )


def _check_reference_of_power(info):
    """Refuse power of EEG, which nobody can reference, unless it is known to be so."""
    from mne.io.constants import FIFF

    used = {info["ch_names"][row] for row in _eeg_rows(info)}
    averaged = [
        set(projector["data"]["col_names"])
        for projector in active_projectors(info)
        if projector["kind"] == FIFF.FIFFV_PROJ_ITEM_EEG_AVREF
    ]
    if used and used not in averaged:
        raise ValueError(
            "The lead field has the average reference, which power spectra of EEG "
            "cannot be given any more. Give the Raw or the Epochs, or spectra after "
            "raw.set_eeg_reference(projection=True).apply_proj() with the bad channels "
            "marked."
        )
