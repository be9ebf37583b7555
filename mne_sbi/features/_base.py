"""The abstract feature extractor, one object for recordings and simulations."""

from abc import ABC, abstractmethod

from sklearn.base import BaseEstimator

from .._warnings import warn_user

# Cutoffs of filters that are equal but for rounding.
_SAME = 1e-6


class FeatureExtractor(BaseEstimator, ABC):
    """Turns recordings and simulations into features, in the same way.

    The way from data to features has two steps. *Summaries* are what a simulation bank
    keeps: arrays of shape (n_obs, n_nodes, n_points) without observation noise.
    *Features* are what a network sees: summaries, for simulations with the observation
    noise added, after normalisation. Since noise is drawn anew whenever features are
    asked for, a bank serves any noise settings and a network never sees the same
    noise twice.

    Attributes
    ----------
    n_static : int
        Number of leading points of each row that are no sequence: networks that read
        sequences read the others.
    n_points : int | None
        Number of points of each row, as far as settings tell.
    keeps_nodes : bool
        Whether each row is of one node, so that nodes can be picked from summaries.
    bands : tuple of (float, float)
        Lowest and highest frequency in Hz of each band that is compared, in which a
        recording must not be filtered; empty for features without frequencies.
    """

    n_static = 0
    n_points = None
    keeps_nodes = True
    bands = ()

    def warn_if_filtered(self, passed):
        """Warn of filters that left nothing of some of the frequencies.

        Parameters
        ----------
        passed : tuple of (float, float) | None
            Highpass and lowpass in Hz of a recording; ``None`` if they are not known.
        """
        if passed is None:
            return
        highpass, lowpass = passed
        cut = [
            f"{low:g} to {high:g}"
            for low, high in self.bands
            if lowpass < high * (1 - _SAME) or highpass > low * (1 + _SAME)
        ]
        if cut:
            warn_user(
                f"The recording is filtered to {highpass:g} to {lowpass:g} Hz, but it "
                f"is compared from {' Hz and from '.join(cut)} Hz. Compare frequencies "
                "inside of the filter's band (fmin and fmax of the features, or freqs= "
                "of the model), or filter less."
            )

    @abstractmethod
    def extract(self, data, sfreq):
        """Summarise time series.

        Parameters
        ----------
        data : array, shape (n_obs, n_nodes, n_times)
            Time series; NaN in all nodes where a segment is left out.
        sfreq : float
            Sampling rate in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The summaries.
        """

    @abstractmethod
    def extract_spectrum(self, psd, freqs):
        """Summarise power spectra.

        Parameters
        ----------
        psd : array, shape (n_obs, n_nodes, n_freqs)
            Power, in any unit.
        freqs : array, shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The summaries.
        """

    def describe_summaries(self):
        """Describe what decides the summaries, by which banks are told apart.

        Returns
        -------
        settings : dict of (str | float | list | None)
            The class, and in children the settings without which summaries of the same
            data would be others.
        """
        return {"class": type(self).__name__}

    @abstractmethod
    def add_noise(self, summaries, rng, *, sampled=False):
        """Add observation noise to the summaries of simulations.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_points)
            Summaries of simulations.
        rng : numpy.random.Generator
            Source of randomness.
        sampled : bool
            Whether the simulations were time series of finite length, which bring
            the sampling noise of their summaries with them.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            Noisy summaries.
        """

    @abstractmethod
    def normalize(self, summaries):
        """Turn summaries of recordings or (noisy) simulations into features.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_points)
            Summaries.

        Returns
        -------
        features : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The features.
        """

    @abstractmethod
    def get_feature_names_out(self, node_names):
        """Name the features.

        Parameters
        ----------
        node_names : sequence of str
            Names of the nodes.

        Returns
        -------
        names : ndarray of str, shape (n_nodes * n_points,)
            Names in the order of the flattened features.
        """
