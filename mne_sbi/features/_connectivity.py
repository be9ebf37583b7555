"""Functional connectivity as features: correlations of envelopes in a band."""

import numpy as np

from .._checks import check_array, check_option
from ._base import FeatureExtractor
from ._envelopes import (
    analytic_signal,
    correlate_envelopes,
    design_filter,
    find_pieces,
)
from ._region_series import read_regions

_SUMMARIES = ("matrix", "strength")
_ORTHOGONALIZE = ("pairwise", False)
# The mean over a window of T s lets half the power through at 0.443 / T Hz, where
# sin(pi x) / (pi x) = 1 / sqrt(2) has its root x = 0.443.
_HALF_POWER = 0.443
# A correlation over fewer windows has a standard error above 0.3.
_LEAST_WINDOWS = 10


class EnvelopeCorrelation(FeatureExtractor):
    """Correlations of the envelopes of all pairs of regions in a frequency band.

    Parameters
    ----------
    fmin, fmax : float
        Band in Hz. The filter is the one of ``raw.filter(fmin, fmax)``.
    orthogonalize : "pairwise" | False
        Whether what two signals share without a lag, as they do through volume
        conduction or the leakage of source imaging, is taken out of one of them [1]_,
        in both directions, which are averaged; or ``False`` for plain correlations.
    lowpass : float | None
        Frequency in Hz at which the envelopes' power is halved before they are
        correlated, the orthogonalised one and the other. They are averaged over windows
        of 0.443 / ``lowpass`` s without overlap, rounded to whole samples. ``None``
        leaves them as they are.
    absolute : bool
        Whether to take absolute values of both directions before they are averaged, as
        :func:`mne_connectivity.envelope_correlation` does by default. Then independent
        signals do not correlate by zero on average.
    summary : "matrix" | "strength"
        What :meth:`extract` returns: all correlations, or for each region the mean of
        its correlations with all others.

    See Also
    --------
    mne_sbi.connectivity_fit : Compare simulated and measured connectivity.

    Notes
    -----
    The correlations are those of :func:`mne_connectivity.envelope_correlation` of the
    same analytic signals, many times faster. Where segments are left out, or in epochs,
    each piece is filtered by itself, and the pieces' envelopes are put together; pieces
    shorter than the filter are left out, and windows of ``lowpass`` do not reach from
    one piece into another.

    The average over windows costs about as much as no low-pass, and somewhat more where
    a window has few samples. Beyond its first zero, at 2.3 times ``lowpass``, it still
    lets up to a fifth of the amplitude through. Short recordings have few windows: 60 s
    have 27 of them at 0.2 Hz.

    References
    ----------
    .. [1] Hipp et al. (2012). Large-scale cortical correlation structure of spontaneous
       oscillatory activity. Nature Neuroscience 15, 884-890. doi:10.1038/nn.3101.
    """

    # Columns are nodes as well: rows of a bank cannot be picked without them.
    keeps_nodes = False

    def __init__(
        self,
        fmin=8.0,
        fmax=12.0,
        *,
        orthogonalize="pairwise",
        lowpass=None,
        absolute=False,
        summary="matrix",
    ):
        self.fmin = fmin
        self.fmax = fmax
        self.orthogonalize = orthogonalize
        self.lowpass = lowpass
        self.absolute = absolute
        self.summary = summary

    @property
    def n_points(self):
        """Number of points of a row: 1, or None where it is the number of nodes."""
        return 1 if self.summary == "strength" else None

    @property
    def bands(self):
        """The band in Hz, tuple of one pair (lowest, highest)."""
        return ((float(self.fmin), float(self.fmax)),)

    def extract(self, data, sfreq):
        """Correlate the envelopes of time series.

        Parameters
        ----------
        data : array, shape (n_obs, n_nodes, n_times)
            Time series. Where all nodes are NaN, a segment is left out.
        sfreq : float
            Sampling rate in Hz.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_nodes or 1)
            Correlations, with zeros on the diagonal; or the mean of each row without
            the diagonal.

        Raises
        ------
        ValueError
            If the series are too short for the filter or the low-pass, sampled too
            slowly for the band, flat or not finite, or of one node only.
        """
        sfreq = self._check_settings(sfreq)
        # Simulations are of single precision, and remain so.
        dtype = None if getattr(data, "dtype", None) == np.float32 else float
        data = check_array(
            "data", data, shape=(None, None, None), dtype=dtype, finite=False
        )
        n_obs, n_nodes, _ = data.shape
        if n_nodes < 2:
            raise ValueError(
                f"Correlations need two regions at least, got {n_nodes}. Give the "
                "time series of all regions, shape (n_obs, n_nodes, n_times)."
            )
        matrices = np.empty((n_obs, n_nodes, n_nodes), dtype=np.float32)
        for index, series in enumerate(data):
            matrices[index] = self._correlate(series, sfreq, f" of observation {index}")
        if self.summary == "strength":
            return matrices.sum(axis=2, keepdims=True) / np.float32(n_nodes - 1)
        return matrices

    def compute(self, inst, *, sfreq=None, names=None, picks=None):
        """Compute the connectivity of one recording or simulation.

        Parameters
        ----------
        inst : Raw | Epochs | array, shape (n_nodes, n_times)
            Time series of regions; of a ``Raw`` without segments annotated as bad, and
            cut where annotations say that two pieces are joined. All epochs together
            make one observation. What has a method ``to_raw`` is taken as that.
        sfreq : float | None
            Sampling rate in Hz, of arrays only.
        names : sequence of str | None
            Names of the regions, of arrays only.
        picks : str | array_like | slice | None
            Channels, as in MNE-Python; ``None`` takes the good data channels or, where
            there are none, miscellaneous ones.

        Returns
        -------
        connectivity : mne_connectivity.Connectivity
            The full matrix, symmetric, with zeros on the diagonal, whatever ``summary``
            is.

        Raises
        ------
        TypeError, ValueError
            If the recording is not understood, or its series cannot be used; see
            :meth:`extract`.
        """
        from mne_connectivity import Connectivity

        series, sfreq, names = read_regions(self, inst, sfreq, names, picks)
        matrix = self.correlate(series, sfreq)
        return Connectivity(
            matrix.ravel(),
            n_nodes=len(matrix),
            names=list(names),
            method=self._describe_method(),
        )

    def correlate(self, series, sfreq):
        """Correlate the envelopes of one recording.

        Parameters
        ----------
        series : array, shape (n_nodes, n_times)
            Time series. Where all nodes are NaN, a segment is left out.
        sfreq : float
            Sampling rate in Hz.

        Returns
        -------
        matrix : ndarray of float64, shape (n_nodes, n_nodes)
            Correlations, with zeros on the diagonal.
        """
        sfreq = self._check_settings(sfreq)
        dtype = None if getattr(series, "dtype", None) == np.float32 else float
        series = check_array(
            "series", series, shape=(None, None), dtype=dtype, finite=False
        )
        if len(series) < 2:
            raise ValueError("Correlations need two regions at least, got 1.")
        return self._correlate(series, sfreq, "")

    def extract_spectrum(self, psd, freqs):
        """Refuse power spectra, which do not tell how envelopes correlate.

        Parameters
        ----------
        psd : array, shape (n_obs, n_nodes, n_freqs)
            Power.
        freqs : array, shape (n_freqs,)
            Frequencies in Hz.

        Raises
        ------
        ValueError
            In any case.
        """
        raise ValueError(
            "Envelope correlations cannot be made of power spectra, which hold no "
            "relation between regions. Give time series, or use features=LogPSD() for "
            "models of spectra."
        )

    def describe_summaries(self):
        """Describe what decides the summaries, by which banks are told apart.

        Returns
        -------
        settings : dict of (str | float | bool | None)
            The class and all settings.
        """
        lowpass = None if self.lowpass is None else float(self.lowpass)
        return super().describe_summaries() | {
            "fmin": float(self.fmin),
            "fmax": float(self.fmax),
            "orthogonalize": self.orthogonalize,
            "lowpass": lowpass,
            "absolute": bool(self.absolute),
            "summary": self.summary,
        }

    def add_noise(self, summaries, rng, *, sampled=False):
        """Return the correlations: simulations of finite length have their noise.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_points)
            Correlations.
        rng : numpy.random.Generator
            Not used.
        sampled : bool
            Not used.

        Returns
        -------
        summaries : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The same.
        """
        return summaries

    def normalize(self, summaries):
        """Return the correlations, which need no scaling, in single precision.

        Parameters
        ----------
        summaries : ndarray, shape (n_obs, n_nodes, n_points)
            Correlations.

        Returns
        -------
        features : ndarray of float32, shape (n_obs, n_nodes, n_points)
            The same.
        """
        return np.asarray(summaries, dtype=np.float32)

    def get_feature_names_out(self, node_names):
        """Name the features ``node~other@band``, or ``node@band`` for the strength.

        Parameters
        ----------
        node_names : sequence of str
            Names of the nodes.

        Returns
        -------
        names : ndarray of str, shape (n_nodes * n_points,)
            Names in the order of the flattened features.
        """
        band = f"{self.fmin:g}-{self.fmax:g}Hz"
        if self.summary == "strength":
            names = [f"{node}@{band}" for node in node_names]
        else:
            names = [f"{a}~{b}@{band}" for a in node_names for b in node_names]
        return np.array(names, dtype=object)

    def _describe_method(self):
        """Describe what was computed in words."""
        words = ["envelope correlation", f"{self.fmin:g}-{self.fmax:g} Hz"]
        if self.orthogonalize:
            words.append("orthogonalized pairwise")
            words += ["absolute values"] * bool(self.absolute)
        if self.lowpass is not None:
            words.append(f"envelopes low-passed at {self.lowpass:g} Hz")
        return ", ".join(words)

    def _check_settings(self, sfreq):
        """Check the settings, and return the sampling rate as a float."""
        check_option("summary", self.summary, _SUMMARIES)
        check_option("orthogonalize", self.orthogonalize, _ORTHOGONALIZE)
        check_option("absolute", self.absolute, (True, False))
        sfreq = float(check_array("sfreq", sfreq, shape=(), positive=True))
        for name in ("fmin", "fmax", "lowpass"):
            if name != "lowpass" or self.lowpass is not None:
                check_array(name, getattr(self, name), shape=(), positive=True)
        if not self.fmin < self.fmax:
            raise ValueError(
                f"EnvelopeCorrelation needs fmin < fmax, got fmin={self.fmin:g} and "
                f"fmax={self.fmax:g} Hz."
            )
        if not self.fmax < sfreq / 2:
            raise ValueError(
                f"A band up to fmax={self.fmax:g} Hz needs a sampling rate above "
                f"{2 * self.fmax:g} Hz, got {sfreq:g} Hz. Lower fmax, or give data of "
                "a higher rate."
            )
        return sfreq

    def _correlate(self, series, sfreq, where):
        """Correlate envelopes of one observation, ndarray of (n_nodes, n_nodes)."""
        n_taps = len(design_filter(sfreq, float(self.fmin), float(self.fmax)))
        pieces = find_pieces(series, n_taps, sfreq, where)
        window = self._find_window(pieces, sfreq, where)
        signals = []
        for start, stop in pieces:
            made = analytic_signal(series[:, start:stop], sfreq, self.fmin, self.fmax)
            signals.append(made[:, : (stop - start) // window * window])
        signals = signals[0] if len(signals) == 1 else np.concatenate(signals, axis=1)
        return correlate_envelopes(
            signals,
            orthogonalize=self.orthogonalize,
            absolute=self.absolute,
            window=window,
        )

    def _find_window(self, pieces, sfreq, where):
        """Return the number of samples over which envelopes are averaged."""
        if self.lowpass is None:
            return 1
        window = round(_HALF_POWER / self.lowpass * sfreq)
        if window < 2:
            raise ValueError(
                f"lowpass={self.lowpass:g} Hz is no low-pass at {sfreq:g} Hz: a window "
                f"of {_HALF_POWER} / lowpass s must have two samples, so give "
                f"{_HALF_POWER * sfreq / 2:.4g} Hz or less, or lowpass=None."
            )
        n_windows = sum((stop - start) // window for start, stop in pieces)
        if n_windows < _LEAST_WINDOWS:
            duration = sum(stop - start for start, stop in pieces) / sfreq
            raise ValueError(
                f"The {duration:g} s{where} hold {n_windows} windows of "
                f"{window / sfreq:.3g} s for lowpass={self.lowpass:g} Hz, and "
                f"{_LEAST_WINDOWS} are needed at least. Give a higher lowpass, None, "
                "or longer recordings."
            )
        return window
