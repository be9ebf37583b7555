"""The inverter with the defaults of the Jansen-Rit model."""

import numpy as np

from .._checks import check_array, check_option
from ..features import FeatureExtractor, Joined, LogPSD, TimeSeries
from ..inference import NPE, InferenceMethod, PointRegressor
from ..models import JansenRit, Recorded
from ._inverter import ModelInverter
from ._setup import make_features

_FEATURES = ("psd", "raw", "both")
_NETWORKS = ("mlp", "conv1d", "bilstm", "cnn_bilstm", "transformer")
_METHODS = {"npe": NPE, "point": PointRegressor}
# What `benchmarks/jansen_rit_recovery.py` was measured with.
_SETTINGS = {
    "npe": {"hidden": (512, 512), "max_iter": 50},
    "point": {"n_components": None, "max_iter": 40, "batch_size": 256},
}
# The same simulations again and again would be learnt by heart.
_REUSED = {"max_iter": 15}


class JansenRitInverter(ModelInverter):
    """Infer the parameters of the Jansen-Rit model from EEG, MEG or source activity.

    ``fit(X)`` takes sampling rate, length, filters and channels from X, simulates such
    recordings with parameters from the prior, and trains a network. Noise of random
    level and colour is part of the simulations, and of what is inferred.

    The model is of one node, unless it gets a connectome or a lead field: each channel
    or region of a recording is inverted by itself.

    Parameters
    ----------
    connectome : Connectome | None
        Couples several regions; ``None`` for one.
    sfreq : float | None
        Sampling rate in Hz of observations that are arrays, or of ``fit()`` without
        any; by default that of the recording.
    stimulus : PulseTrain | None
        For evoked responses: the simulations are averages over its pulses.
    parameterization : "standard" | "combinations"
        Infer A, B, C and mu, or the products of them that the signal depends on; see
        :class:`~mne_sbi.JansenRit`.
    noise : bool
        Whether the simulations have 1/f background activity and white noise, whose
        levels and exponent are inferred too.
    gain : float | None
        Factor from the model's potential in V to the unit of the data. ``None`` if it
        is unknown, as in EEG, MEG and source estimates: features then do not depend on
        the scale of an observation.
    prior : dict | Prior | None
        What to infer, over which range: ``{"A": (0.002, 0.005)}`` narrows a range,
        ``{"mu": 220.0}`` fixes a value, ``{"sigma": "free"}`` frees a parameter that is
        fixed by default.
    features : "psd" | "raw" | "both" | FeatureExtractor
        Power spectra in dB from 2 to 45 Hz, the time series, or both side by side.
        ``None`` stands for the spectra, or the time series with a stimulus.
    network : "mlp" | "conv1d" | "bilstm" | "cnn_bilstm" | "transformer"
        The network that sees the features; all but the first run along time, or along
        frequency where the features are spectra only.
    method : "npe" | "point" | InferenceMethod
        ``"npe"`` gives posteriors, ``"point"`` estimates of the posterior mean.
    n_simulations : int
        Number of simulations in each pass over the training data.
    fresh : bool
        Simulate anew for every pass. Otherwise fewer passes use the same simulations,
        which are learnt by heart in part: of 60,000, 90 % intervals of clean recordings
        hold 84 to 90 % of the true values.
    simulations : SimulationBank | path-like | None
        Simulations to learn from, or the file they are in, in place of new ones.
    nodes : list of str | None
        Names of the rows of arrays, for a model with a connectome.
    labels : list of mne.Label | None
        Regions, for source estimates and for the sources of an ``mne.Forward``.
    src : mne.SourceSpaces | None
        Source space, for source estimates.
    mode : str
        How sources of a region are averaged, as in
        :func:`mne.extract_label_time_course`; ``"auto"`` is ``"mean_flip"`` with
        ``src`` and ``"mean"`` without.
    lead_field : "template" | mne.Forward | LeadField | None
        What sensors record of each region. With it, all channels are inverted together.
    picks : str | list | None
        Channels to use, as in MNE-Python. Bad channels are left out. ``None`` takes
        data channels (EEG, MEG, intracranial electrodes and the like) or, where there
        are none, miscellaneous ones.
    duration : float | None
        Length of an observation in s: each ``Raw`` is cut into windows of this length.
        By default that of the recording, of the shortest if there are several.
    n_draws : int
        Number of posterior draws per observation.
    random_state : None | int | numpy.random.RandomState
        Source of randomness; an integer gives the same result every time.
    n_jobs : int | None
        Threads that simulate, as in joblib.
    verbose : bool | str | int | None
        As in MNE-Python.

    Attributes
    ----------
    model_ : Recorded
        The model as it is recorded, with settings taken from the data.
    row_names_ : tuple of str | None
        The channels or regions that are inverted each by itself.
    prior_, fixed_, features_, method_, bank_, node_names_, lead_field_, ch_names_
        As of :class:`ModelInverter`.
    warnings_ : tuple of str
        What the fit warned of, also where a log level has silenced it. Posteriors have
        these warnings too.
    n_features_in_ : int
        Second dimension of X, where X is an array.

    See Also
    --------
    mne_sbi.diagnostics.identifiability : What data can tell of parameters.

    Notes
    -----
    One ``Epochs`` object is one observation per epoch. In a list, each ``Epochs`` is
    one recording whose epochs are pooled: ``predict_posterior([epochs])`` gives one
    posterior, which is narrower than those of single epochs. Fit to the same:
    ``fit([epochs])``.

    Examples
    --------
    >>> from mne_sbi import JansenRitInverter
    >>> inverter = JansenRitInverter(picks=["Oz"], random_state=0)
    >>> posterior = inverter.fit(raw).predict_posterior(raw)  # doctest: +SKIP
    >>> posterior.summary()  # doctest: +SKIP
    """

    #: Spectra are made of time series, never given.
    unit = "dB"

    def __init__(
        self,
        connectome=None,
        *,
        sfreq=None,
        stimulus=None,
        parameterization="standard",
        noise=True,
        gain=None,
        prior=None,
        features=None,
        network="mlp",
        method="npe",
        n_simulations=20_000,
        fresh=True,
        simulations=None,
        nodes=None,
        labels=None,
        src=None,
        mode="auto",
        lead_field=None,
        picks=None,
        duration=None,
        n_draws=1000,
        random_state=None,
        n_jobs=None,
        verbose=None,
    ):
        self.connectome = connectome
        self.sfreq = sfreq
        self.stimulus = stimulus
        self.parameterization = parameterization
        self.noise = noise
        self.gain = gain
        self.network = network
        super().__init__(
            prior=prior,
            features=features,
            method=method,
            n_simulations=n_simulations,
            simulations=simulations,
            fresh=fresh,
            nodes=nodes,
            labels=labels,
            src=src,
            mode=mode,
            lead_field=lead_field,
            picks=picks,
            duration=duration,
            n_draws=n_draws,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        # Settings of the parent that are none here.
        del self.model, self.unit

    def _make_model(self):
        model = JansenRit(
            self.connectome,
            sfreq=self.sfreq,
            duration=self.duration,
            stimulus=self.stimulus,
            parameterization=self.parameterization,
        )
        if not isinstance(self.noise, (bool, np.bool_)):
            raise TypeError(
                f"noise must be True or False, got {self.noise!r}. Its levels and its "
                "exponent are parameters: prior={'snr_white': (10, 30)}."
            )
        return Recorded(model, noise=self.noise)

    def _get_fixed(self):
        if self.gain is None:
            return {}
        gain = check_array("gain", self.gain, shape=(), positive=True)
        if "gain" in self.prior_.names:
            raise ValueError(
                f"gain={self.gain:g} is known, and the prior wants it inferred. Give "
                "gain=None, or leave 'gain' out of the prior."
            )
        return {"gain": float(gain)}

    def _get_unknown(self):
        return (*self.prior_.names, *(["gain"] if self._is_scale_free else []))

    @property
    def _is_scale_free(self):
        """Whether features must not depend on the scale of the data."""
        return self.gain is None and "gain" not in self.prior_.names

    def _make_features(self):
        wish = self.features
        if wish is None:
            wish = "psd" if self.stimulus is None else "raw"
        if isinstance(wish, FeatureExtractor):
            return make_features(wish, None)
        if not isinstance(wish, str):
            raise TypeError(
                f"features must be one of {list(_FEATURES)}, or a FeatureExtractor "
                f"such as LogPSD(), got {wish!r:.80}."
            )
        check_option("features", wish, _FEATURES)
        scale_free = self._is_scale_free
        spectra = LogPSD(
            2.0, 45.0, window=1.0, scaling="demean" if scale_free else "none"
        )
        series = TimeSeries(
            scaling="zscore" if scale_free else "none",
            transform="none" if scale_free else "log",
        )
        kinds = {"psd": spectra, "raw": series, "both": Joined([spectra, series])}
        return kinds[wish]

    def _make_method(self):
        network = check_option("network", self.network, _NETWORKS)
        is_object = isinstance(self.method, InferenceMethod)
        if not is_object:
            check_option("method", self.method, (*_METHODS, "abc"))
        if is_object or self.method == "abc":
            if network != "mlp":
                raise ValueError(
                    f"network={network!r} and method={self.method!r:.40} would be two "
                    f"words on one thing. Write method=NPE(embedding={network!r}), or "
                    "method='npe'."
                )
            return super()._make_method()
        # New simulations at each pass: a network can be larger without learning them by
        # heart.
        settings = _SETTINGS[self.method]
        if self.method == "npe" and not (self.fresh and self.simulations is None):
            settings = _REUSED
        method = _METHODS[self.method](embedding=network, **settings)
        # Attention learns less at the larger steps of the other point estimates.
        rate = method.learning_rate
        return method.set_params(
            learning_rate=min(rate, 1e-3) if network == "transformer" else rate
        )
