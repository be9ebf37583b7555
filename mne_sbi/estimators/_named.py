"""Inverters with the defaults of one model."""

from ..features import LogPSD, SpectralNoise
from ..models import SpectralGraphModel
from ._inverter import ModelInverter
from ._setup import make_features


class SGMInverter(ModelInverter):
    """Infer the parameters of the spectral graph model from regional spectra.

    ``fit(X)`` draws parameters from the prior, simulates spectra, adds the observation
    noise and trains a network; X tells only which regions were recorded. The fitted
    inverter gives parameters of any number of recordings in milliseconds.

    Parameters
    ----------
    connectome : Connectome | None
        The connectome, see :func:`mne_sbi.datasets.fetch_connectome`. ``None`` stands
        for the synthetic one that the package carries, for demonstrations.
    freqs : array_like, shape (n_freqs,) | None
        Frequencies in Hz; by default 40 from 2 to 45 Hz. Recordings are interpolated to
        them, spectra in arrays must have them.
    variant : str
        Which of the published recipes; see
        :class:`~mne_sbi.models.SpectralGraphModel`.
    prior : dict | Prior | None
        What to infer, over which range; by default ``tau_e``, ``tau_i``, ``alpha``,
        ``speed`` and ``tau_g`` over the model's ranges. ``{"alpha": (0.2, 1.0)}``
        narrows a range, ``{"speed": 10.0}`` fixes a value, ``{"g_ei": "free"}`` frees
        one that is fixed by default.
    features : LogPSD | None
        By default spectra in dB, standardised region by region, with the
        :class:`~mne_sbi.features.SpectralNoise` of a recording as long as the one that
        ``fit`` is given (the shortest of several, without segments annotated as bad),
        or of 60 s for arrays. Recordings much shorter than the noise's ``duration``
        raise a warning.
    method : "npe" | "point" | "abc" | InferenceMethod
        ``"npe"`` gives posteriors, ``"point"`` a network's point estimates (three
        hidden layers with batch normalisation, trained on the squared error).
    n_simulations : int
        Number of simulations.
    simulations : SimulationBank | path-like | None
        Simulations to learn from, or the file they are in, in place of new ones: a grid
        search simulates once.
    fresh : bool
        Simulate anew for every pass over the training data.
    nodes : list of str | None
        Names of the rows of arrays, where they are not all nodes of the connectome in
        its order. MNE objects bring their names.
    unit : "dB" | "power"
        Unit of spectra that are given as arrays.
    labels : list of mne.Label | None
        Regions, for source estimates and for the sources of an ``mne.Forward``.
    src : mne.SourceSpaces | None
        Source space, for source estimates.
    mode : str
        How sources of a region are averaged, as in
        :func:`mne.extract_label_time_course`; ``"auto"`` is ``"mean_flip"`` with
        ``src`` and ``"mean"`` without.
    lead_field : "template" | mne.Forward | LeadField | None
        For recordings of sensors: what sensors record of each region. The simulations
        pass through it, so that sensors are inverted without source imaging.
        ``"template"`` computes it for the electrode positions of the recording.
    picks : str | list | None
        Channels to use, as in MNE-Python. Bad channels are left out. ``None`` takes
        data channels (EEG, MEG, intracranial electrodes and the like) or, where there
        are none, miscellaneous ones.
    duration : float | None
        Cut each ``Raw`` into windows of this length in s, an observation each.
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
    model_ : SpectralGraphModel
        The model.
    prior_ : Prior
        The inferred parameters.
    fixed_ : dict of float
        The values of the others.
    features_ : LogPSD | None
        The features; ``None`` after ``fit(X, y)`` with features of the caller's.
    method_ : InferenceMethod
        The trained method.
    bank_ : SimulationBank | None
        The simulations.
    node_names_ : tuple of str | None
        The regions that the recording sees, as the connectome spells them.
    lead_field_ : LeadField | None
        From regions to channels, with the reference and projections of the recording.
    ch_names_ : tuple of str | None
        The channels, with a lead field.
    warnings_ : tuple of str
        What the fit warned of, also where a log level has silenced it. Posteriors have
        these warnings too.
    n_features_in_ : int
        Second dimension of X, where X is an array.

    Examples
    --------
    >>> from mne_sbi import SGMInverter
    >>> from mne_sbi.datasets import fetch_connectome
    >>> connectome = fetch_connectome()  # doctest: +SKIP
    >>> inverter = SGMInverter(connectome, random_state=0)  # doctest: +SKIP
    >>> posterior = inverter.fit(raw).predict_posterior(raw)  # doctest: +SKIP
    >>> posterior.summary()  # doctest: +SKIP
    """

    def __init__(
        self,
        connectome=None,
        *,
        freqs=None,
        variant="resolvent",
        prior=None,
        features=None,
        method="npe",
        n_simulations=20_000,
        simulations=None,
        fresh=False,
        nodes=None,
        unit="dB",
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
        self.freqs = freqs
        self.variant = variant
        super().__init__(
            prior=prior,
            features=features,
            method=method,
            n_simulations=n_simulations,
            simulations=simulations,
            fresh=fresh,
            nodes=nodes,
            unit=unit,
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
        # The parent's setting, which the three above replace.
        del self.model

    def _make_model(self):
        return SpectralGraphModel(
            self.connectome,
            self.freqs,
            variant=self.variant,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def _make_features(self):
        return make_features(self.features, LogPSD(noise=SpectralNoise()))
