"""Whether what was given is what the fit assumes; where not, a warning says so."""

import dataclasses

import numpy as np

from .._checks import listing
from .._warnings import warn_user
from ..features import TimeSeries
from ..models import Recorded
from ..models._recorded_chain import check_band
from ._inputs import find_lengths, get_connectome, get_inner
from ._setup import has_network

# A recording may be this much shorter than assumed before the difference matters.
_LEAST_SHARE = 0.8
# Spectra of recordings span less than this in dB, and more than that over regions ...
_MOST_DB, _LEAST_DB = 80, 0.1
# ... and decibels do not stand this far above their median.
_MOST_PEAKED = 10
# Cutoffs of filters that differ by less are equal.
_SAME_CUTOFF = 1e-3
# Simulations with which observations are compared.
N_COMPARED = 1000
# Simulations that were not compared can be a little further away than the farthest.
_MARGIN = 1.2


def take_duration(features, recording):
    """Give the observation noise the length of the recording.

    Parameters
    ----------
    features : FeatureExtractor
        The default features, which are changed.
    recording : Recording
        The recording.
    """
    noise = getattr(features, "noise", None)
    lengths = find_lengths(recording, features)
    if lengths and getattr(noise, "duration", None) is not None:
        features.set_params(noise=dataclasses.replace(noise, duration=min(lengths)))


def warn_if_implausible(inverter, recording, summaries):
    """Warn of what was read without an error, but is not what it was taken for.

    Parameters
    ----------
    inverter : ModelInverter
        An inverter with model and features.
    recording : Recording
        What was given.
    summaries : ndarray, shape (n_obs, n_nodes, n_points)
        The summaries of it.
    """
    inner = get_inner(inverter.model_)
    stimulus = getattr(inner, "stimulus", None)
    # Others may be models of responses, of which nobody knows here.
    is_ongoing = inverter.model_.output == "spectrum" or hasattr(inner, "stimulus")
    if recording.is_average and stimulus is None and is_ongoing:
        remedy = "Give the Epochs or the Raw."
        if hasattr(inner, "stimulus"):
            remedy += (
                " Or simulate responses: stimulus=mne_sbi.models.PulseTrain(n_pulses="
                f"evoked.nave, tmin={recording.tmin:g})."
            )
        warn_user(
            "An Evoked holds what is locked to an event; the average removes most of "
            f"the ongoing activity that the model describes. {remedy}"
        )
    if stimulus is not None:
        _warn_if_averaged_otherwise(stimulus, recording)
    if recording.is_series and not recording.is_average and stimulus is not None:
        warn_user(
            "The model has a stimulus, so that it gives averages over many of its "
            "pulses, and the recording is none. Give the Evoked, epochs.average()."
        )
    if recording.from_mne:
        _warn_if_short(inverter, recording)
        inverter.features_.warn_if_filtered(recording.band)
        if recording.is_series and _has_series(inverter.features_):
            _warn_if_filtered_otherwise(inverter.model_, recording)
        _warn_if_coarse(inverter, recording)
    elif inverter.model_.output == "spectrum" and inverter.unit == "dB":
        warn_if_power(summaries)


def _warn_if_averaged_otherwise(stimulus, recording):
    """Warn of averages over another number of epochs than the simulations'."""
    # One is what arrays say that nobody told the number.
    other = sorted(
        {
            n
            for n in recording.nave
            if n > 1 and not _LEAST_SHARE < n / stimulus.n_pulses < 1 / _LEAST_SHARE
        }
    )
    if other:
        warn_user(
            f"An Evoked is the average of {other[0]} epochs, and simulations are of "
            f"{stimulus.n_pulses} pulses: they keep another share of the ongoing "
            f"activity. Give PulseTrain(n_pulses={other[0]})."
        )


def _warn_if_short(inverter, recording):
    """Warn of sampling noise that is larger than assumed, or unknown."""
    lengths = find_lengths(recording, inverter.features_)
    noise = getattr(inverter.features_, "noise", None)
    assumed = getattr(noise, "duration", None)
    is_simulated = inverter.model_.output == "timeseries"
    if is_simulated:
        # Simulated time series bring their own sampling noise. How long a spectrum's
        # recording was is not known.
        assumed = inverter.model_.duration if recording.is_series else None
    if assumed is None:
        return
    if not lengths:
        # Features of the caller have the noise that the caller chose.
        if inverter.features is None:
            warn_user(
                "A Spectrum does not tell how long the recording was: the observation "
                f"noise is that of {assumed:.4g} s. Give the Raw or the Epochs, or fit "
                "with features=LogPSD(noise=SpectralNoise(duration=...)) and the "
                "length of the recording in s."
            )
        return
    shortest = min(lengths)
    if shortest >= _LEAST_SHARE * assumed:
        return
    start = f"A recording has {shortest:.4g} s of usable data, but"
    if not recording.is_series:
        start = (
            f"A spectrum of epochs averages as many windows as {shortest:.4g} s of "
            "data have, or more, but"
        )
    if is_simulated:
        warn_user(
            f"{start} simulations last {assumed:.4g} s: intervals will be too narrow. "
            f"Fit to the shortest recording, or give duration={shortest:.4g}."
        )
    else:
        warn_user(
            f"{start} the observation noise is that of {assumed:.4g} s: intervals "
            "will be too narrow. Fit with "
            f"features=LogPSD(noise=SpectralNoise(duration={shortest:.4g}))."
        )


def _has_series(features):
    """Whether time series are features, or are among those that are joined."""
    parts = getattr(features, "features", ())
    return isinstance(features, TimeSeries) or any(map(_has_series, parts))


def _warn_if_filtered_otherwise(model, recording):
    """Warn of time series that went through other filters than the simulations."""
    if not isinstance(model, Recorded) or recording.band is None:
        return
    bands = [
        check_band(*band, recording.sfreq)
        for band in (recording.band, (model.highpass, model.lowpass))
    ]
    found, simulated = (
        (highpass or 0.0, lowpass or recording.sfreq / 2) for highpass, lowpass in bands
    )
    if not np.allclose(found, simulated, rtol=_SAME_CUTOFF, atol=0):
        warn_user(
            f"The recording is filtered to {found[0]:g} to {found[1]:g} Hz, and the "
            f"simulations to {simulated[0]:g} to {simulated[1]:g} Hz: time series have "
            "another shape then. Filter all recordings alike, or fit to this one."
        )


def _warn_if_coarse(inverter, recording):
    """Warn of spectra in which the peaks that the model has would be blurred."""
    wanted = getattr(inverter.features_, "freqs", None)
    if recording.freqs is None or wanted is None or len(wanted) < 2:
        return
    found, needed = (np.diff(freqs).max() for freqs in (recording.freqs, wanted))
    if found > needed * (1 + 1e-6):
        warn_user(
            f"The spectra have a value every {found:.3g} Hz, and are compared every "
            f"{needed:.3g} Hz: what lies between is interpolated, and peaks are lost. "
            f"Use windows of {1 / needed:.2g} s or more, .compute_psd(n_fft=...) in "
            "samples, or give the Raw or the Epochs."
        )


def measure_simulations(method, draw):
    """Measure how far simulations are from what a network takes for usual.

    Parameters
    ----------
    method : InferenceMethod
        A fitted method.
    draw : callable
        Returns features of simulations with noise, ndarray of shape (n, n_features).

    Returns
    -------
    largest : float | None
        The largest distance; ``None`` for methods without a network, which do not
        extrapolate.
    """
    if not has_network(method):
        return None
    return float(_distances(method, draw()).max())


def _distances(method, x):
    """Mean square of what a network sees of features, shape (n,)."""
    x = np.asarray(x)
    return (method.scaler_.transform(x.reshape(len(x), -1)) ** 2).mean(axis=1)


def warn_if_unlike(inverter, x):
    """Warn of observations unlike all simulations, where a network extrapolates.

    Parameters
    ----------
    inverter : ModelInverter
        A fitted inverter.
    x : ndarray, shape (n_obs, n_features)
        Features of the observations.
    """
    largest = getattr(inverter, "largest_distance_", None)
    if largest is None:
        return
    distance = _distances(inverter.method_, x)
    unlike = np.flatnonzero(distance > _MARGIN * largest)
    if len(unlike):
        which = listing(unlike.tolist())
        warn_user(
            f"{len(unlike)} of {len(x)} observations (number {which}) are unlike all "
            f"{N_COMPARED:,} simulations they were compared with: their distance from "
            f"the usual is up to {distance.max():.3g}, that of simulations up to "
            f"{largest:.3g}. The posterior extrapolates and can be far too narrow. "
            "Compare measured and predicted spectra (plot_predictive), and look for "
            "artefacts, filters, or a prior that is too narrow."
        )


def warn_if_power(spectra):
    """Warn of power that is taken for decibels.

    Parameters
    ----------
    spectra : ndarray, shape (n_obs, n_nodes, n_freqs)
        What was given as spectra in dB.
    """
    if not (spectra > 0).all():
        return
    span = np.ptp(spectra, axis=2).max()
    peaks = (spectra.max(axis=2) / np.median(spectra, axis=2)).ravel()
    # Spectra that vary by a factor, but hardly by a decibel, are power in small units.
    is_tiny = span < _LEAST_DB and spectra.max() > 2 * spectra.min()
    if span > _MOST_DB or is_tiny or np.median(peaks) > _MOST_PEAKED:
        warn_user(
            f"The spectra are positive and span up to {span:.3g}, which decibels of a "
            "recording do not: they look like power. Set unit='power', or give "
            "10 * log10(power)."
        )


def warn_if_synthetic(model, recording):
    """Warn that a synthetic connectome is no basis for results on recordings.

    Parameters
    ----------
    model : ForwardModel
        The model.
    recording : Recording | None
        What is inverted. Arrays may be simulated: for them the warning comes only
        where nobody asked for the synthetic connectome by name.
    """
    connectome = get_connectome(model)
    if connectome is None or not connectome.synthetic or recording is None:
        return
    chosen = getattr(get_inner(model), "connectome", None) is not None
    if recording.from_mne or not chosen:
        warn_user(
            "The synthetic connectome that comes with mne_sbi is in use. It serves "
            "demonstrations; for recordings, pass a measured one: "
            "connectome=mne_sbi.datasets.fetch_connectome()."
        )
