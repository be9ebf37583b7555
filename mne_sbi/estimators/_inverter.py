"""The inverter: a forward model, features and an inference method as one estimator."""

import dataclasses

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from .._checks import check_count, check_n_jobs, check_nested, draw_seed
from .._keras import check_can_train, import_keras
from .._memory import check_memory
from .._priors import make_prior
from .._warnings import keep_warnings
from ..features import LogPSD
from ..inference import Posterior
from ._bounds import warn_if_at_ends, warn_if_piled_up
from ._fit import fit_to_pairs, fit_to_simulations
from ._plots import InverterPlots
from ._reading import forget_inputs, read_features
from ._refine import EDGE, refine_parameters
from ._self_checks import InverterChecks
from ._setup import (
    has_network,
    make_features,
    make_method,
    make_model,
    warn_if_symmetric,
)
from ._transforms import InverterTransforms

# Objects with settings, for parts that a string may name.
_EXAMPLES = {
    "method": "NPE()",
    "features": "LogPSD()",
    "model": "SpectralGraphModel(connectome)",
}


class ModelInverter(
    InverterPlots,
    InverterChecks,
    RegressorMixin,
    InverterTransforms,
    BaseEstimator,
):
    """Infer the parameters of a forward model from recordings.

    ``fit(X)`` learns from simulations of its own: X tells only what was recorded
    (regions, sampling rate, length), so that nothing leaks from the data, and a fitted
    inverter serves new recordings. ``fit(X, y)`` learns from the caller's pairs of
    data, or of any features, and parameters instead.

    Parameters
    ----------
    model : ForwardModel | str
        The model, or its registered name.
    prior : dict | Prior | None
        What to infer, over which range: ``{"alpha": (0.2, 1.0)}`` narrows a range,
        ``{"speed": 10.0}`` fixes a value, ``{"g_ei": "free"}`` frees a parameter that
        is fixed by default.
    features : FeatureExtractor | None
        By default :class:`~mne_sbi.features.LogPSD` without observation noise.
    method : "npe" | "point" | "abc" | InferenceMethod
        Neural posterior estimation, a network for the posterior mean, rejection, or
        an object with settings.
    n_simulations : int
        Number of simulations.
    simulations : SimulationBank | path-like | None
        Simulations to learn from, or the file they are in, in place of new ones: a grid
        search simulates once.
    fresh : bool
        Simulate anew for every pass over the training data: a network that sees no
        simulation twice cannot learn one by heart. ``bank_`` holds those of the first
        pass. Methods without a network, and given ``simulations``, ignore it.
    nodes : list of str | None
        Names of the rows of arrays, where they are not all nodes of the model in its
        order. MNE objects bring their names.
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
    model_ : ForwardModel
        The model, with settings taken from the data.
    prior_ : Prior
        The inferred parameters.
    fixed_ : dict of float
        The values of the others.
    features_ : FeatureExtractor | None
        The features; ``None`` after ``fit(X, y)`` with features of the caller's.
    method_ : InferenceMethod
        The trained method.
    bank_ : SimulationBank | None
        The simulations.
    node_names_ : tuple of str | None
        The regions that the recording sees, as the model spells them.
    lead_field_ : LeadField | None
        From regions to channels, with the reference and projections of the recording.
    ch_names_ : tuple of str | None
        The channels, with a lead field.
    warnings_ : tuple of str
        What the fit warned of, also where a log level has silenced it. Posteriors have
        these warnings too.
    n_features_in_ : int
        Second dimension of X, where X is an array.
    """

    def __init__(
        self,
        model="spectral_graph",
        *,
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
        self.model = model
        self.prior = prior
        self.features = features
        self.method = method
        self.n_simulations = n_simulations
        self.simulations = simulations
        self.fresh = fresh
        self.nodes = nodes
        self.unit = unit
        self.labels = labels
        self.src = src
        self.mode = mode
        self.lead_field = lead_field
        self.picks = picks
        self.duration = duration
        self.n_draws = n_draws
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def set_params(self, **params):
        """Change settings, also those of the model, the features and the method.

        Parameters
        ----------
        **params : dict
            Settings by name, such as ``n_draws`` or ``method__max_iter``.

        Returns
        -------
        self : ModelInverter
            The inverter.

        Raises
        ------
        ValueError
            If there is no such setting, or it is one of an object and a string stands
            in its place.
        """
        check_nested(self, params, _EXAMPLES)
        return super().set_params(**params)

    # The hooks with which a named child sets its defaults.
    def _make_model(self):
        return make_model(self.model)

    def _make_features(self):
        return make_features(self.features, LogPSD())

    def _make_method(self):
        return make_method(self.method)

    def _get_fixed(self):
        """Values that settings fix, unless the prior frees them."""
        return {}

    def _get_unknown(self):
        """Names of what is not known of the model, inferred or not."""
        return self.prior_.names

    def fit(self, X=None, y=None):
        """Learn to invert.

        Parameters
        ----------
        X : array_like | mne.io.BaseRaw | mne.BaseEpochs | mne.SourceEstimate | list
            Observations, see :meth:`predict`. Without ``y`` they only tell what is
            recorded; ``None`` stands for all nodes of the model.
        y : array_like | DataFrame, shape (n_obs, n_params) | None
            Parameters in the units of the model, inside of its ranges, to learn from
            pairs. Then X may be any features, of shape (n_obs, n_features). The columns
            of a data frame are found by name.

        Returns
        -------
        self : ModelInverter
            The fitted inverter.

        Raises
        ------
        ValueError
            If X does not fit the model, or settings are wrong.
        """
        with keep_warnings() as kept:
            self._fit(X, y)
        self.warnings_ = tuple(kept)
        return self

    def _fit(self, X, y):
        """Fit, with warnings."""
        forget_inputs(self)
        # Importing Keras or JAX moves NumPy's global generator; this way puts it back.
        import_keras()
        check_count("n_draws", self.n_draws)
        check_n_jobs(self.n_jobs)
        self.seed_ = draw_seed(self.random_state)
        self.model_ = self._make_model()
        self.prior_, self.fixed_ = make_prior(
            self.model_.get_parameters(), self.model_.default_free, self.prior
        )
        known = self._get_fixed().items()
        self.fixed_ |= {n: v for n, v in known if n in self.fixed_}
        warn_if_symmetric(self.model_, self._get_unknown(), self.fixed_)
        self.method_ = self._make_method()
        if has_network(self.method_):
            check_can_train()
        if y is not None:
            fit_to_pairs(self, X, y)
        else:
            fit_to_simulations(self, X)

    def predict(self, X, *, return_std=False, refine=False):
        """Estimate parameters: the mean of the posterior.

        Parameters
        ----------
        X : array_like | mne.io.BaseRaw | mne.BaseEpochs | mne.SourceEstimate | list
            Observations. Arrays have the form of the model's output: for a spectral
            model spectra in dB, shape (n_obs, n_nodes, n_freqs) or flat; for a
            time-series model shape (n_obs, n_nodes, n_times). The channels of ``Raw``
            (one observation) and ``Epochs`` (one per epoch) are regions, found by
            name. A list holds one recording per person.
        return_std : bool
            Return the posterior's standard deviation too.
        refine : bool
            Move the parameters to where the exact model's features fit best, from the
            best of the posterior's mean and some of its draws. Needs a spectral model.

        Returns
        -------
        theta : ndarray, shape (n_obs, n_params)
            Parameters in the units of ``prior_``; shape (n_obs,) after ``fit(X, y)``
            with a one-dimensional y, and (n_obs, n_rows * n_params) where the model is
            of one node and each row of a recording is inverted by itself.
        std : ndarray, shape (n_obs, n_params)
            Standard deviations, only if ``return_std``.
        """
        observed = read_features(self, X)
        if return_std and (refine or not self.method_.gives_posterior):
            raise ValueError(
                "return_std=True gives no standard deviation of refined or point "
                "estimates. Use method='npe' without refine=True."
            )
        theta, draws = self._estimate(observed.x)
        if refine:
            theta = self._refine(observed.x, theta, draws)
            warn_if_at_ends(self.prior_, theta, EDGE)
        theta = self._shape_estimates(theta, observed.n_rows)
        if not return_std:
            return theta
        return theta, self._shape_estimates(draws.std(axis=1), observed.n_rows)

    def _shape_estimates(self, values, n_rows):
        """Put what belongs to one observation into one row."""
        if self.y_ndim_ == 1 and n_rows == 1:
            return values[:, 0]
        return values.reshape(-1, n_rows * values.shape[1])

    def _estimate(self, x):
        """Posterior means (n_obs, n_params) and draws (n_obs, n_draws, n_params)."""
        if not self.method_.gives_posterior:
            theta = self.prior_.from_unit(self.method_.predict(x))
            return theta, theta[:, np.newaxis]
        draws = self._draw(x, self.n_draws)
        warn_if_piled_up(self.prior_, draws)
        return draws.mean(axis=1), draws

    def predict_posterior(self, X, n_draws=None, *, obs_names=None):
        """Draw from the posterior.

        Parameters
        ----------
        X : array_like | MNE object | list
            Observations, as for :meth:`predict`.
        n_draws : int | None
            Number of draws; by default the setting ``n_draws``.
        obs_names : sequence of str | None
            Names of the observations, such as persons; by default those of the rows of
            a data frame.

        Returns
        -------
        posterior : Posterior
            Draws with names and units, of each observation, or of each row of each
            observation where they are inverted by themselves. Its ``warnings`` are
            those of the fit and of reading X.

        Notes
        -----
        The draws of different observations are independent, in one call and in
        several: differences of two observations' draws are draws of the difference,
        and means over observations are draws of the mean. An observation
        with the same features, to rounding, has the same draws in every call with the
        same inverter.
        """
        with keep_warnings() as kept:
            observed = read_features(self, X, obs_names)
        n_draws = self.n_draws if n_draws is None else n_draws
        draws = self._draw(observed.x, n_draws)
        return self._make_posterior(draws, observed.names, kept)

    def _make_posterior(self, draws, obs_names, kept):
        """Wrap draws, with the warnings of the fit and those kept since."""
        prior = self.prior_
        with keep_warnings() as found:
            warn_if_piled_up(prior, draws)
        warnings = tuple(dict.fromkeys((*self.warnings_, *kept, *found)))
        return Posterior(draws, prior.names, prior.units, prior, obs_names, warnings)

    def _draw(self, x, n_draws):
        n_draws = check_count("n_draws", n_draws)
        n_bytes = 8.0 * len(x) * n_draws * len(self.prior_)
        check_memory("The draws", n_bytes, f"Reduce n_draws={n_draws}.")
        unit = self.method_.sample(x, n_draws, random_state=self.seed_)
        return self.prior_.from_unit(unit)

    def _refine(self, x, theta, draws):
        self._needs_model("refine=True")
        if self.model_.output != "spectrum":
            raise ValueError(
                "refine=True needs a model of spectra: time series are random."
            )
        observation = dataclasses.replace(self.observation_, flat=True)
        return refine_parameters(observation, x.reshape(len(x), -1), theta, draws)

    def score(self, X, y=None):
        """Score the predictions.

        Parameters
        ----------
        X : array_like | MNE object | list
            Observations.
        y : array_like | DataFrame, shape (n_obs, n_params) | None
            True parameters. The columns of a data frame are found by name.

        Returns
        -------
        score : float
            R2 of the parameters, averaged over them. Without ``y``: R2 of the
            features that the predicted parameters predict, which is 0 for features
            that are constant.
        """
        if y is not None:
            predicted = self.predict(X)
            return r2_score(self._order_parameters("y", y), predicted)
        observed = read_features(self, X).x
        self._needs_model("score(X) without y")
        theta, _ = self._estimate(observed)
        predicted = self.observation_.predict_features(theta, self.seed_)
        total = ((observed - observed.mean()) ** 2).sum()
        return float(1 - ((observed - predicted) ** 2).sum() / total)

    def save(self, fname, overwrite=False):
        """Save the fitted inverter to one file, without pickle.

        Parameters
        ----------
        fname : path-like
            Name of the file, which ends in ``.zip``.
        overwrite : bool
            Replace an existing file.
        """
        from ._files import save_inverter

        check_is_fitted(self)
        save_inverter(self, fname, overwrite)

    def __sklearn_is_fitted__(self):
        return hasattr(getattr(self, "method_", None), "input_shape_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags
