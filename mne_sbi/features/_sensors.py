"""From regions to sensors: what of a model's activity a set of sensors records."""

import dataclasses
import functools

import numpy as np

from .._checks import check_array, listing
from ._base import FeatureExtractor
from ._spectral import LogPSD

# Share of a channel's misfit that is its own, whatever other channels see.
_OWN_MISFIT = 0.3


@dataclasses.dataclass(frozen=True, eq=False)
class SensorMixing:
    """How the activity of regions adds up at sensors.

    Parameters
    ----------
    gain : array, shape (n_channels, n_nodes)
        What a channel records of a unit of activity in each node.
    ch_names : tuple of str
        Names of the channels.
    ch_types : tuple of str | None
        Their types, whose units and noise differ; ``None`` for one type.

    Notes
    -----
    The powers of regions add up: the activity of different regions is taken as
    uncorrelated, since a spectral model returns powers, not phases. Time series add up
    as they are.
    """

    gain: np.ndarray
    ch_names: tuple
    ch_types: tuple | None = None

    def __repr__(self):
        return "<SensorMixing | {} channels x {} nodes>".format(*self.gain.shape)

    def __sklearn_clone__(self):
        return self

    def __post_init__(self):
        names = tuple(self.ch_names)
        gain = check_array("gain", self.gain, shape=(len(names), None)).copy()
        silent = [n for n, row in zip(names, gain, strict=True) if not row.any()]
        if silent:
            raise ValueError(
                f"{len(silent)} of {len(names)} channels record nothing of the model's "
                f"nodes: {listing(silent)}. Leave them out (picks=)."
            )
        gain.flags.writeable = False
        object.__setattr__(self, "gain", gain)
        object.__setattr__(self, "ch_names", names)

    @functools.cached_property
    def weights(self):
        """Shares of the nodes' powers in a channel's, (n_channels, n_nodes), float32.

        Every channel's weights add up to one: its gain, and with it the unit of its
        type, drops out, as it does in the features.
        """
        squared = self.gain**2
        return (squared / squared.sum(axis=1, keepdims=True)).astype(np.float32)

    @functools.cached_property
    def groups(self):
        """The channels of each type, list of ndarray of int."""
        kinds = np.array(self.ch_types or ["one"] * len(self.ch_names))
        return [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]

    @functools.cached_property
    def scale(self):
        """Power of channels relative to others of their type, (n_channels,), float32.

        For nodes of equal power.
        """
        power = (self.gain**2).sum(axis=1)
        for rows in self.groups:
            power[rows] /= power[rows].mean()
        return power.astype(np.float32)

    @functools.cached_property
    def sampling_root(self):
        """Square root of the correlation of sampling noise over channels, float32.

        Two channels that see the same regions have the same chance fluctuations. For
        Gaussian signals, the correlation of two power estimates is the squared
        coherence of the signals (Bendat & Piersol 2010, Random Data, section 8.5),
        taken here for regions of equal power.
        """
        return _square_root(self._squared_coherence())

    @functools.cached_property
    def misfit_root(self):
        """Square root of the correlation of misfit over channels, float32.

        Neighbours share less of it than the regions they see: electrodes and lead field
        have errors of their own. ``benchmarks/sensor_misfit.py`` measures how much, on
        real EEG and MEG.
        """
        shared = (1 - _OWN_MISFIT) * self._squared_coherence() ** 2
        return _square_root(shared + _OWN_MISFIT * np.eye(len(shared)))

    def _squared_coherence(self):
        """Squared coherence of channels for nodes of equal power."""
        rows = self.gain / np.linalg.norm(self.gain, axis=1, keepdims=True)
        return (rows @ rows.T) ** 2

    def mix_series(self, data):
        """Mix time series of nodes, (n, n_nodes, n_times), to those of channels."""
        return self.gain.astype(data.dtype) @ data

    def mix_power(self, power):
        """Mix powers of nodes, (n, n_nodes, n_freqs), to those of channels."""
        return self.weights.astype(power.dtype) @ power

    def mix_decibels(self, decibels):
        """Mix spectra of nodes in dB, (n, n_nodes, n_freqs), to those of channels."""
        # Relative to each observation's mean, so that no power leaves the range of
        # float32.
        level = decibels.mean(axis=(1, 2), keepdims=True)
        power = self.mix_power(10 ** ((decibels - level) / 10))
        return 10 * np.log10(power) + level


class SensorFeatures(FeatureExtractor):
    """Features of simulations that are observed through sensors.

    Where the features are spectra in dB of a spectral model, the summaries are those
    of the *nodes*, which need not be simulated again for other sensors: mixing is part
    of the noise. Otherwise the data are mixed before they are summarised.

    Parameters
    ----------
    features : FeatureExtractor
        The features of the recordings.
    mixing : SensorMixing
        From nodes to channels.
    output : "spectrum" | "timeseries"
        What the model returns.
    """

    def __init__(self, features, mixing, output):
        self.features = features
        self.mixing = mixing
        self.output = output

    @property
    def keeps_nodes(self):
        """Whether the summaries of simulations are those of nodes."""
        return self.output == "spectrum" and isinstance(self.features, LogPSD)

    @property
    def bands(self):
        """The bands that are compared; see :class:`FeatureExtractor`."""
        return self.features.bands

    def extract(self, data, sfreq):
        """Summarise time series of nodes; see :meth:`FeatureExtractor.extract`."""
        return self.features.extract(self.mixing.mix_series(data), sfreq)

    def extract_spectrum(self, psd, freqs):
        """Summarise powers; see :meth:`FeatureExtractor.extract_spectrum`."""
        if not self.keeps_nodes:
            psd = self.mixing.mix_power(np.asarray(psd))
        return self.features.extract_spectrum(psd, freqs)

    def describe_summaries(self):
        """Describe what decides the summaries, by which banks are told apart."""
        settings = self.features.describe_summaries()
        if self.keeps_nodes:
            return settings
        return settings | {"gain": self.mixing.gain.tolist()}

    def mix(self, summaries):
        """Turn summaries of simulations into those of channels, without noise."""
        return self.mixing.mix_decibels(summaries) if self.keeps_nodes else summaries

    def add_noise(self, summaries, rng, *, sampled=False):
        """Add noise: gains of regions, misfit and sampling noise of channels.

        Gains of regions are part of spectra of nodes only: time series are mixed
        already. The misfit was measured on source estimates, which are mixtures of
        regions as channels are: it is taken to be as large here, and to be shared by
        two channels as far as they see the same regions. Misfit of single regions would
        average out over the many that a channel sees, and leave posteriors falsely
        sharp.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_points)
            Summaries of simulations; of channels in place of nodes unless
            ``keeps_nodes``.
        rng : numpy.random.Generator
            Source of randomness.
        sampled : bool
            Whether the simulations were time series, which have sampling noise.

        Returns
        -------
        summaries : ndarray, shape (n_obs, n_channels, n_points)
            Noisy summaries of channels.
        """
        features, mixing = self.features, self.mixing
        if not isinstance(features, LogPSD):
            return features.add_noise(summaries, rng, sampled=sampled)
        noise = features.noise
        if noise is None:
            return self.mix(summaries)
        scale = np.ones_like(mixing.scale)
        if self.keeps_nodes:
            gains = rng.standard_normal((*summaries.shape[:2], 1), dtype=np.float32)
            summaries = self.mix(summaries + np.float32(noise.gain_sd) * gains)
            scale = mixing.scale
        freqs = features.get_freqs()
        noisy = noise.add_misfit(summaries, freqs, rng, root=mixing.misfit_root)
        noisy = noise.add_floor(noisy, rng, scale=scale, groups=mixing.groups)
        if sampled:
            return noisy
        return noise.add_sampling(
            noisy, rng, window=features.window, root=mixing.sampling_root
        )

    def normalize(self, summaries):
        """Turn summaries of channels into features."""
        return self.features.normalize(summaries)

    def get_feature_names_out(self, node_names):
        """Name the features of channels; see :class:`FeatureExtractor`."""
        return self.features.get_feature_names_out(node_names)


def _square_root(correlation):
    """Symmetric square root of a correlation matrix, float32."""
    values, vectors = np.linalg.eigh(correlation)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.ascontiguousarray(root, dtype=np.float32)


def make_simulated_features(features, mixing, output):
    """Return the features of simulations: through sensors, where there are any.

    Parameters
    ----------
    features : FeatureExtractor
        The features of the recordings.
    mixing : SensorMixing | None
        From nodes to channels; ``None`` where nodes are observed.
    output : "spectrum" | "timeseries"
        What the model returns.

    Returns
    -------
    features : FeatureExtractor | SensorFeatures
        What :func:`mne_sbi.simulate` takes.

    Raises
    ------
    TypeError
        If ``features`` is something else.
    """
    if not isinstance(features, FeatureExtractor):
        raise TypeError(f"features must be a FeatureExtractor, got {features!r}.")
    return features if mixing is None else SensorFeatures(features, mixing, output)
