"""From what a user gives to an inverter, to the summaries that its features need."""

import dataclasses

import numpy as np

from .._checks import check_array, check_option, listing
from .._recording_arrays import SAME_RATE
from .._region_names import normalize_region_name
from ..features._welch import count_samples
from ..models import Recorded
from ..models._recorded_chain import check_band

_UNITS = ("dB", "power")
# So many times the model's frequencies are rather samples of time series.
_MANY = 5
# Of the largest power that a float64 holds; the smallest has -3100.
_MOST_DECIBELS = 3100


def get_connectome(model):
    """Return the connectome that a model uses, or None.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    get = getattr(model, "get_connectome", None)
    return getattr(model, "connectome", None) if get is None else get()


def get_inner(model):
    """Return the model of the brain inside of a recorded one, or the model itself.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    return model.model if isinstance(model, Recorded) else model


def find_nodes(model, names):
    """Find the model's nodes that a recording covers.

    Parameters
    ----------
    model : ForwardModel
        The model.
    names : sequence of str | None
        Names of the recorded regions, in any spelling; ``None`` if they are unknown.

    Returns
    -------
    nodes : ndarray of int | None
        The model's nodes in the order of the recording; ``None`` for all.

    Raises
    ------
    ValueError
        If a name is not one of the model's nodes.
    """
    connectome = get_connectome(model)
    if names is None:
        return None
    if connectome is not None:
        return _find_regions(connectome, names)
    own = model.node_names
    if own is None:
        return None
    missing = [name for name in names if name not in own]
    if missing:
        raise ValueError(
            f"The model has no nodes {missing}. Its nodes are {list(own)}."
        )
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f"Nodes must differ, got more than once: {listing(twice)}.")
    return np.array([own.index(name) for name in names])


def _find_regions(connectome, names):
    """Find regions by name; where none fits, say that sensors are no regions."""
    try:
        return connectome.index_of(names)
    except ValueError as exc:
        known = {normalize_region_name(name) for name in connectome.names}
        if known.intersection(map(normalize_region_name, names)):
            raise
        raise ValueError(
            f"{exc} None of the names is a region's. Channels of sensors need "
            "lead_field= ('template' or an mne.Forward), or source imaging first: "
            "mne.extract_label_time_course() gives time series of regions."
        ) from exc


def match_nodes(recording, model, node_names):
    """Bring the channels of a recording into the order of the fit.

    Parameters
    ----------
    recording : Recording
        New observations.
    model : ForwardModel
        The fitted model.
    node_names : tuple of str | None
        The nodes of the fit.

    Returns
    -------
    recording : Recording
        The same observations; arrays are taken as they are.

    Raises
    ------
    ValueError
        If the recording has other nodes than those of the fit.
    """
    if not recording.from_mne or node_names is None:
        return recording
    found = [model.node_names[i] for i in find_nodes(model, recording.names)]
    missing = [name for name in node_names if name not in found]
    extra = [name for name in found if name not in node_names]
    if missing or extra:
        raise ValueError(
            "The recording has other regions than those of the fit. Missing: "
            f"{missing or 'none'}; not in the fit: {extra or 'none'}. Pick the same "
            "channels, or fit again."
        )
    return _reorder(recording, found, node_names)


def match_rows(recording, row_names):
    """Bring rows that are inverted by themselves into the order of the fit.

    Parameters
    ----------
    recording : Recording
        New observations.
    row_names : tuple of str | None
        The rows of the fit.

    Returns
    -------
    recording : Recording
        The same observations. Where not all rows are those of the fit, they are left
        as they are: a model of one node inverts any.
    """
    if not recording.from_mne or row_names is None or recording.names == row_names:
        return recording
    if sorted(recording.names) != sorted(row_names):
        return recording
    return _reorder(recording, list(recording.names), row_names)


def _reorder(recording, found, wanted):
    """Put the rows of a recording, which are called as found, in another order."""
    order = [found.index(name) for name in wanted]
    if recording.is_series:
        data = [series[order] for series in recording.data]
    else:
        data = recording.data[:, order]
    return dataclasses.replace(recording, data=data, names=tuple(wanted))


def adapt_model(model, recording, window=None):
    """Fill settings of a time-series model that are not given from a recording.

    These are the sampling rate, the duration, and the filters of :class:`Recorded`.

    Parameters
    ----------
    model : ForwardModel
        A clone that may be changed.
    recording : Recording
        The recording.
    window : float | None
        Length in s of the windows of power spectra; ``None`` if there are none.

    Raises
    ------
    ValueError
        If the model has another sampling rate than the recording, or its averages
        begin at another time.
    """
    if model.output != "timeseries":
        return
    inner = get_inner(model)
    if not recording.is_series:
        _fill(inner, "duration", lambda: _array_duration(recording, inner.sfreq))
        return
    _fill(inner, "sfreq", lambda: recording.sfreq)
    # The shortest of several, so that no spectrum is taken for smoother than it is.
    _fill(inner, "duration", lambda: min(_lengths(recording, window)))
    check_rate(model, recording)
    check_start(model, recording)
    if isinstance(model, Recorded) and recording.band is not None:
        # What filters nothing is None, as in models with which banks were simulated.
        highpass, lowpass = check_band(*recording.band, recording.sfreq)
        _fill(model, "highpass", lambda: highpass)
        _fill(model, "lowpass", lambda: lowpass)


def adapt_features(features, model):
    """Tell time series among the features how long simulations are.

    Parameters
    ----------
    features : FeatureExtractor
        A clone that may be changed.
    model : ForwardModel
        The model.
    """
    if model.output != "timeseries":
        return
    for name, value in features.get_params().items():
        if name.rpartition("__")[2] == "n_times" and value is None:
            part = name.removesuffix("n_times")
            sfreq = features.get_params()[f"{part}sfreq"] or model.sfreq
            features.set_params(**{name: round(sfreq * model.duration)})


def _fill(model, name, get):
    """Give a setting a value if the model has it, and it is None."""
    if model.get_params(deep=False).get(name, 0) is None:
        model.set_params(**{name: get()})


def _lengths(recording, window):
    """Lengths in s of series without gaps with as many windows: none cross a gap."""
    if window is None:
        return recording.durations
    n_window = count_samples(window, recording.sfreq)
    hop = n_window - n_window // 2
    lengths = []
    for series, length in zip(recording.data, recording.durations, strict=True):
        edges = np.diff(np.isnan(series[0]), prepend=True, append=True)
        runs = np.diff(np.flatnonzero(edges))[::2]
        n_windows = ((runs[runs >= n_window] - n_window) // hop + 1).sum()
        held = ((n_windows - 1) * hop + n_window) / recording.sfreq
        # Epochs can overlap by more than windows do.
        is_cut = len(runs) > 1 and n_windows
        lengths.append(float(min(held, length)) if is_cut else length)
    return lengths


def find_lengths(recording, features):
    """Find how long recordings without gaps are that have as many windows.

    Parameters
    ----------
    recording : Recording
        Observations.
    features : FeatureExtractor
        Features, of whose windows it is.

    Returns
    -------
    lengths : list of float
        Lengths in s; empty if unknown, as those of arrays and of a Raw's spectrum are.
    """
    window = getattr(features, "window", None)
    if recording.is_series:
        return list(_lengths(recording, window))
    if recording.n_windows is None or window is None:
        return []
    # As SpectralNoise counts windows that overlap by half.
    return [(n + 1) / 2 * window for n in recording.n_windows]


def _array_duration(recording, sfreq):
    """Length in s of arrays of time series, where the sampling rate is known."""
    data = np.asarray(recording.data)
    return None if sfreq is None or data.ndim != 3 else data.shape[2] / sfreq


def check_rate(model, recording):
    """Refuse recordings of another sampling rate than that of recorded simulations.

    Parameters
    ----------
    model : ForwardModel
        The model.
    recording : Recording
        Observations.

    Raises
    ------
    ValueError
        If the rates differ.
    """
    # Filters and noise of a recorded model are those of one rate. Spectra of others are
    # compared in Hz, and time series by their number of samples.
    if not isinstance(model, Recorded) or not recording.is_series:
        return
    if not np.isclose(model.sfreq, recording.sfreq, rtol=SAME_RATE):
        raise ValueError(
            f"The recording has {recording.sfreq:g} Hz, and simulations of "
            f"{type(get_inner(model)).__name__} have {model.sfreq:g} Hz. Resample the "
            f"recording, .resample({model.sfreq:g}), or fit again with sfreq=None, "
            "which takes the recording's."
        )


def check_start(model, recording):
    """Refuse averages that begin at another time from the event than the simulations'.

    Parameters
    ----------
    model : ForwardModel
        The model.
    recording : Recording
        Observations.

    Raises
    ------
    ValueError
        If they do.
    """
    wanted = getattr(getattr(get_inner(model), "stimulus", None), "tmin", None)
    if wanted is None or recording.tmin is None:
        return
    # Written so that NaN fails. Both are rounded to samples.
    if not abs(recording.tmin - wanted) * recording.sfreq < 1:
        raise ValueError(
            f"The Evoked begins at {recording.tmin:g} s from its event (nan: several "
            f"begin at different times), and the stimulus has epochs from {wanted:g} "
            "s. Give PulseTrain(tmin=...) as in mne.Epochs, or cut the Evoked with "
            ".crop(tmin)."
        )


def summarize_recording(recording, model, features, n_nodes, unit):
    """Summarise observations for a model.

    Parameters
    ----------
    recording : Recording
        Observations: MNE objects, or arrays in the form of the model's output.
    model : ForwardModel
        The model.
    features : FeatureExtractor
        Makes the summaries.
    n_nodes : int | None
        Number of nodes expected; ``None`` takes any.
    unit : "dB" | "power"
        Unit of spectra that are given as arrays.

    Returns
    -------
    summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
        The summaries.

    Raises
    ------
    ValueError
        If shapes do not fit the model; the message says what would.
    """
    check_option("unit", unit, _UNITS)
    if recording.freqs is not None:
        if getattr(features, "freqs", None) is None:
            raise ValueError(
                "Spectra of MNE-Python need frequencies to be brought to: give "
                "features=LogPSD(freqs=...), or the time series."
            )
        return features.extract_spectrum(recording.data, recording.freqs)
    if recording.is_series:
        made = [
            features.extract(series[np.newaxis], recording.sfreq)
            for series in recording.data
        ]
        return np.concatenate(made)
    if model.output == "timeseries":
        series = _shape_series(recording.data, n_nodes)
        return features.extract(series, model.sfreq)
    freqs = model.get_freqs()
    spectra = _shape_spectra(recording.data, n_nodes, freqs)
    if unit == "power":
        return features.extract_spectrum(spectra, freqs)
    largest = np.abs(spectra).max()
    if largest > _MOST_DECIBELS:
        raise ValueError(
            f"X reaches {largest:.3g}, and no power has more than {_MOST_DECIBELS} dB. "
            "Set unit='power', or give 10 * log10(power)."
        )
    return spectra.astype(np.float32)


def _shape_series(data, n_nodes):
    """Bring arrays of time series to shape (n_obs, n_nodes, n_times)."""
    data = check_array("X", data)
    if data.ndim == 2 and n_nodes in (1, None):
        data = data[:, np.newaxis]
    if data.ndim != 3 or (n_nodes is not None and data.shape[1] != n_nodes):
        raise ValueError(
            f"X must have shape (n_obs, {n_nodes or 'n_nodes'}, n_times), got "
            f"{data.shape}."
        )
    return data


def _shape_spectra(data, n_nodes, freqs):
    """Bring arrays of spectra to shape (n_obs, n_nodes, n_freqs)."""
    data = check_array("X", data)
    n_freqs = len(freqs)
    wanted = f"(n_obs, {n_nodes}, {n_freqs}) or (n_obs, {n_nodes * n_freqs})"
    grid = f"{n_freqs} frequencies from {freqs[0]:g} to {freqs[-1]:g} Hz"
    if data.ndim == 2 and data.shape[1] == n_nodes * n_freqs:
        return data.reshape(len(data), n_nodes, n_freqs)
    if data.ndim != 3:
        raise ValueError(
            f"X must have shape {wanted}: {n_nodes} nodes and {grid}. Got {data.shape}."
        )
    if data.shape[2] != n_freqs:
        hint = ""
        if data.shape[2] > _MANY * n_freqs:
            hint = " Time series go in as mne.io.RawArray with the regions' names."
        raise ValueError(
            f"X has {data.shape[2]} frequencies, but the model has {grid}. Give the "
            f"model the frequencies of the data: freqs=array of {data.shape[2]} values "
            f"in Hz.{hint}"
        )
    if data.shape[1] != n_nodes:
        raise ValueError(
            f"X has {data.shape[1]} nodes, but {n_nodes} are expected. If it covers a "
            f"part of them, name it: nodes=list of {data.shape[1]} names."
        )
    return data
