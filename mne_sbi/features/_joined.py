"""Several kinds of features side by side."""

import numpy as np

from .._checks import listing
from ._base import FeatureExtractor


class Joined(FeatureExtractor):
    """Several kinds of features side by side, such as spectra and time series.

    Parameters
    ----------
    features : list of FeatureExtractor
        The kinds, in the order in which their points stand in each row. The last one is
        a sequence for networks that read such; time series come last.

    Notes
    -----
    Settings of the parts have names with the class in lower case, for a grid search:
    ``Joined([LogPSD(), TimeSeries()])`` has ``logpsd__window`` and
    ``timeseries__scaling``; parts of one class are numbered from the second on,
    ``logpsd2__window``.
    """

    def __init__(self, features):
        self.features = features

    @property
    def n_points(self):
        """Number of points of a row, or None as long as it is not known."""
        counts = [part.n_points for part in self._parts]
        return None if None in counts else sum(counts)

    @property
    def n_static(self):
        """Number of leading points of a row that are no sequence: all but the last."""
        return sum(self._counts(None)[:-1])

    @property
    def bands(self):
        """The bands of the parts in Hz, tuple of pairs (lowest, highest)."""
        return tuple(band for part in self._parts for band in part.bands)

    @property
    def keeps_nodes(self):
        """Whether each row is of one node, in all parts."""
        return all(part.keeps_nodes for part in self._parts)

    @property
    def noise(self):
        """Noise of the first part that has one, or None."""
        found = (getattr(part, "noise", None) for part in self._parts)
        return next((noise for noise in found if noise is not None), None)

    @property
    def window(self):
        """Length in s of the windows of the first part that has such, or None."""
        found = (getattr(part, "window", None) for part in self._parts)
        return next((window for window in found if window is not None), None)

    def get_params(self, deep=True):
        """Return the settings, with those of the parts.

        Parameters
        ----------
        deep : bool
            Whether to return those of the parts.

        Returns
        -------
        params : dict
            Settings by name.
        """
        params = {"features": self.features}
        if deep and isinstance(self.features, (list, tuple)):
            for name, part in zip(self._names(), self.features, strict=True):
                params[name] = part
                inside = part.get_params() if hasattr(part, "get_params") else {}
                params |= {f"{name}__{key}": value for key, value in inside.items()}
        return params

    def set_params(self, **params):
        """Change settings, also those of the parts.

        Parameters
        ----------
        **params : dict
            Settings by name.

        Returns
        -------
        self : Joined
            The extractor.
        """
        if "features" in params:
            self.features = params.pop("features")
        if isinstance(self.features, (list, tuple)):
            parts = [
                params.pop(name, part)
                for name, part in zip(self._names(), self.features, strict=True)
            ]
            if any(a is not b for a, b in zip(parts, self.features, strict=True)):
                self.features = parts
        return super().set_params(**params)

    def extract(self, data, sfreq):
        """Summarise time series, each part for itself.

        Parameters
        ----------
        data : array, shape (n_obs, n_nodes, n_times)
            Time series.
        sfreq : float
            Sampling rate in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The summaries side by side.
        """
        return self._join([part.extract(data, sfreq) for part in self._parts])

    def extract_spectrum(self, psd, freqs):
        """Summarise power spectra, each part for itself.

        Parameters
        ----------
        psd : array, shape (n_obs, n_nodes, n_freqs)
            Power, in any unit.
        freqs : array, shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The summaries side by side.
        """
        return self._join([part.extract_spectrum(psd, freqs) for part in self._parts])

    def describe_summaries(self):
        """Describe what decides the summaries, by which banks are told apart.

        Returns
        -------
        settings : dict of (str | list)
            Class, and the descriptions of the parts.
        """
        parts = [part.describe_summaries() for part in self._parts]
        return super().describe_summaries() | {"parts": parts}

    def add_noise(self, summaries, rng, *, sampled=False):
        """Add each part's noise to it.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_points)
            Summaries of simulations.
        rng : numpy.random.Generator
            Source of randomness.
        sampled : bool
            Whether the simulations were time series.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            Noisy summaries.
        """
        if self.noise is None:
            return summaries
        made = [
            part.add_noise(rows, rng, sampled=sampled)
            for part, rows in self._split(summaries)
        ]
        return np.concatenate(made, axis=2)

    def normalize(self, summaries):
        """Turn summaries into features, each part for itself.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_points)
            Summaries.

        Returns
        -------
        features : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The features.
        """
        made = [part.normalize(rows) for part, rows in self._split(summaries)]
        return np.concatenate(made, axis=2)

    def get_feature_names_out(self, node_names):
        """Name the features as the parts do.

        Parameters
        ----------
        node_names : sequence of str
            Names of the nodes.

        Returns
        -------
        names : ndarray of str, shape (n_nodes * n_points,)
            Names in the order of the flattened features.
        """
        names = [
            part.get_feature_names_out([node])
            for node in node_names
            for part in self._parts
        ]
        return np.concatenate(names)

    @property
    def _parts(self):
        parts = self.features
        is_list = isinstance(parts, (list, tuple)) and len(parts) > 0
        if not is_list or not all(isinstance(x, FeatureExtractor) for x in parts):
            raise TypeError(
                "Joined needs a list of FeatureExtractor, such as [LogPSD(), "
                f"TimeSeries()], got {parts!r:.80}."
            )
        return parts

    def _names(self):
        """Names of the parts: classes in lower case, numbered where they repeat."""
        kinds = [type(part).__name__.lower() for part in self.features]
        counts = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
        pairs = zip(kinds, counts, strict=True)
        return [kind if n == 1 else f"{kind}{n}" for kind, n in pairs]

    def _counts(self, n_total):
        """Numbers of points of the parts; of the last, what is left of the total."""
        counts = [part.n_points for part in self._parts]
        unknown = [
            type(part).__name__
            for part, count in zip(self._parts[:-1], counts, strict=False)
            if count is None
        ]
        if unknown:
            raise ValueError(
                f"The length of {listing(unknown)} is not known. Put it last in "
                "Joined, or give it (n_times=, freqs=)."
            )
        if n_total is not None:
            counts[-1] = n_total - sum(counts[:-1])
        return counts

    def _split(self, summaries):
        """Pair the parts with their summaries."""
        ends = np.cumsum(self._counts(summaries.shape[2]))[:-1]
        return zip(self._parts, np.split(summaries, ends, axis=2), strict=True)

    def _join(self, made):
        """Put summaries side by side, and check that they will be found again."""
        counts = self._counts(sum(x.shape[2] for x in made))
        found = [x.shape[2] for x in made]
        if counts != found:
            raise ValueError(
                f"The parts of Joined gave {found} points where {counts} are expected. "
                "With a model of spectra, give LogPSD the freqs of the model."
            )
        return np.concatenate(made, axis=2)
