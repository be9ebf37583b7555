"""What the sensitivity of a model is measured on: features, by name or of any kind."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_option
from ..features import FeatureExtractor, LogPSD
from ..models._sampling import check_is_timed

# Band of the built-in features in Hz: that of resting EEG without slow drifts and
# without the power line.
_FMIN, _FMAX = 1.0, 45.0
# Alpha in Hz, after Babiloni et al. (2020), Clin. Neurophysiol. 131, 285-307.
_ALPHA = (8.0, 13.0)
BUILT_IN = (
    "log_power",
    "peak_frequency",
    "relative_alpha",
    "median_frequency",
    "log_psd",
)


@dataclass(frozen=True)
class Axis:
    """Meaning of the outputs of a feature.

    Parameters
    ----------
    values : ndarray, shape (n_points,)
        Frequencies, times, or numbers.
    label : str
        What they are, with a unit.
    """

    values: np.ndarray
    label: str


class FeatureSet:
    """Named features of a model's simulations.

    Parameters
    ----------
    features : str | callable | FeatureExtractor | sequence of str | dict | None
        As in :func:`sobol_sensitivity`.
    model : ForwardModel
        The model.

    Raises
    ------
    TypeError
        If a feature is of another type.
    ValueError
        If a name is unknown, or the model's frequencies are too few for it.
    """

    def __init__(self, features, model):
        self.model = model
        self.features = _as_dict(features)
        self.is_spectrum = model.output == "spectrum"
        self.axes = {}
        if any(isinstance(feature, str) for feature in self.features.values()):
            self.log_psd = _make_log_psd(model)
            self.freqs = self.log_psd.get_freqs()
            _check_frequencies(self.freqs, self.features.values())

    def compute(self, data):
        """Compute all features.

        Parameters
        ----------
        data : ndarray, shape (n, n_nodes, n_times) or (n, n_nodes, n_freqs)
            Simulations.

        Returns
        -------
        values : dict of ndarray, shape (n, n_rows, n_points)
            By name. Simulations that are not finite, or without power where a spectrum
            is needed, have NaN.
        """
        finite = np.isfinite(data).all(axis=(1, 2))
        power, values = None, {}
        for name, feature in self.features.items():
            good = finite if _is_plain(feature) else finite & self._has_power(data)
            chosen = data if good.all() else data[good]
            if not len(chosen):
                values[name] = None
                continue
            if not isinstance(feature, str):
                made = self._apply(name, feature, chosen)
            else:
                power = self._power(chosen) if power is None else power
                made = _BUILT_IN[feature](power, self.freqs)
            made = self._check(name, made, len(chosen))
            values[name] = np.full((len(data), *made.shape[1:]), np.nan)
            values[name][good] = made
        return values

    def _has_power(self, data):
        if self.is_spectrum:
            return (data > 0).all(axis=(1, 2))
        return (np.ptp(data, axis=2) > 0).all(axis=1)

    def _power(self, data):
        """Return power at the frequencies of built-in features."""
        if self.is_spectrum:
            return np.asarray(data, dtype=float)
        return 10 ** (self.log_psd.extract(data, self.model.sfreq) / 10.0)

    def _apply(self, name, feature, data):
        """Apply an extractor or a function."""
        sampled = self.model.get_freqs() if self.is_spectrum else self.model.sfreq
        if not isinstance(feature, FeatureExtractor):
            return feature(data, sampled)
        if self.is_spectrum:
            summaries = feature.extract_spectrum(data, sampled)
        else:
            summaries = feature.extract(data, sampled)
        # Without frequencies of its own, it has those of a spectral model.
        own = not self.is_spectrum or getattr(feature, "freqs", None) is not None
        if name not in self.axes and own and hasattr(feature, "get_freqs"):
            self.axes[name] = Axis(feature.get_freqs(), "frequency (Hz)")
        return feature.normalize(summaries)

    def _check(self, name, made, n):
        """Check what a feature returned, and find the meaning of its outputs."""
        try:
            array = np.asarray(made, dtype=float)
        except (TypeError, ValueError) as exc:
            raise TypeError(f"The feature {name!r} must return numbers: {exc}") from exc
        if array.ndim not in (1, 2, 3) or len(array) != n or not array.size:
            raise ValueError(
                f"The feature {name!r} must return an array of shape (n,) or "
                f"(n, n_outputs) for n simulations, got {array.shape} for {n}."
            )
        # Outputs on the last axis, rows such as nodes on the one before it.
        array = array.reshape(n, 1 if array.ndim < 3 else array.shape[1], -1)
        if name not in self.axes:
            self.axes[name] = self._find_axis(name, array.shape[2])
        if array.shape[2] != len(self.axes[name].values):
            raise ValueError(
                f"The feature {name!r} must return as many outputs each time, got "
                f"{len(self.axes[name].values)} and {array.shape[2]}."
            )
        return array

    def _find_axis(self, name, n_points):
        """Guess the meaning of outputs by their number."""
        if self.features[name] == "log_psd":
            return Axis(self.freqs, "frequency (Hz)")
        model = self.model
        if self.is_spectrum and n_points == len(model.get_freqs()):
            return Axis(model.get_freqs(), "frequency (Hz)")
        if not self.is_spectrum and n_points == round(model.sfreq * model.duration):
            # Averages over events begin before these.
            start = getattr(getattr(model, "stimulus", None), "tmin", 0.0)
            return Axis(start + np.arange(n_points) / model.sfreq, "time (s)")
        return Axis(np.arange(n_points), "output")


def _as_dict(features):
    """Give every feature a name."""
    if features is None:
        return {name: name for name in BUILT_IN}
    if not isinstance(features, dict):
        several = features if isinstance(features, (list, tuple)) else [features]
        features = {_name_of(feature): feature for feature in several}
        if len(features) != len(several):
            raise ValueError(
                "Two features have the same name. Name them by a dict such as "
                "{'raw': LogPSD(scaling='none'), 'shape': LogPSD()}."
            )
    if not features:
        raise ValueError(f"Give at least one feature, such as {BUILT_IN[0]!r}.")
    for name, feature in features.items():
        if isinstance(feature, str):
            check_option("features", feature, BUILT_IN)
        elif isinstance(feature, type) or not (
            callable(feature) or isinstance(feature, FeatureExtractor)
        ):
            raise TypeError(
                f"The feature {name!r} must be a FeatureExtractor object, a function "
                f"of (data, sfreq), or one of {', '.join(BUILT_IN)}; got {feature!r}."
            )
    return dict(features)


def _name_of(feature):
    if isinstance(feature, str):
        return feature
    name = getattr(feature, "__name__", type(feature).__name__)
    return "feature" if name == "<lambda>" else name


def _is_plain(feature):
    """Say whether a feature is a function, which may accept constant series."""
    return not isinstance(feature, (str, FeatureExtractor))


def _make_log_psd(model):
    """Make the extractor whose spectra the built-in features describe."""
    if model.output == "spectrum":
        return LogPSD(freqs=model.get_freqs(), scaling="none")
    check_is_timed(model)
    window = min(2.0, model.duration)
    return LogPSD(_FMIN, min(_FMAX, model.sfreq / 2), window=window, scaling="none")


def _check_frequencies(freqs, features):
    """Refuse frequencies that say nothing of what is asked for."""
    if "relative_alpha" in features and not _in_alpha(freqs).any():
        raise ValueError(
            f"relative_alpha needs frequencies between {_ALPHA[0]:g} and "
            f"{_ALPHA[1]:g} Hz; the model has {freqs.min():g} to {freqs.max():g} Hz. "
            "Give other features."
        )
    if len(freqs) < 2 and set(features) & set(BUILT_IN):
        raise ValueError(
            f"Built-in features need two frequencies or more, got {freqs}. Give a "
            "function of (psd, freqs) instead."
        )


def _in_alpha(freqs):
    return (freqs >= _ALPHA[0]) & (freqs <= _ALPHA[1])


def _shares(power, freqs):
    """Return power per frequency bin, averaged over nodes, (n, n_freqs)."""
    return power.mean(axis=1) * np.gradient(freqs)


def _log_power(power, freqs):
    return 10 * np.log10(_shares(power, freqs).sum(axis=1))


def _peak_frequency(power, freqs):
    return freqs[power.mean(axis=1).argmax(axis=1)]


def _relative_alpha(power, freqs):
    shares = _shares(power, freqs)
    return shares[:, _in_alpha(freqs)].sum(axis=1) / shares.sum(axis=1)


def _median_frequency(power, freqs):
    below = np.cumsum(_shares(power, freqs), axis=1)
    below = below / below[:, -1:]
    # Linear between the bins, so that it does not jump from one to the next.
    return np.array([np.interp(0.5, row, freqs) for row in below])


def _log_psd(power, freqs):
    return 10 * np.log10(power)


_BUILT_IN = dict(
    zip(
        BUILT_IN,
        (_log_power, _peak_frequency, _relative_alpha, _median_frequency, _log_psd),
        strict=True,
    )
)
