"""How a recording comes about: model, parameters, observed nodes and features."""

import dataclasses

import numpy as np

from .._checks import check_array
from .._priors import Prior
from ..features import FeatureExtractor
from ..models import ForwardModel
from ..simulation import simulate
from ..simulation._run import summarize
from ._inputs import summarize_recording


@dataclasses.dataclass(frozen=True)
class ObservationModel:
    """A forward model together with what is observed of it.

    Parameters
    ----------
    model : ForwardModel
        The model.
    prior : Prior
        The inferred parameters.
    fixed : dict of float
        The values of the others.
    features : FeatureExtractor
        Makes features of recordings and simulations, and knows the noise.
    nodes : ndarray of int | None
        The observed nodes; ``None`` for all.
    unit : "dB" | "power"
        Unit of spectra that are given as arrays.
    """

    model: ForwardModel
    prior: Prior
    fixed: dict
    features: FeatureExtractor
    nodes: np.ndarray | None = None
    unit: str = "dB"

    @property
    def node_names(self):
        """Names of the observed nodes, a tuple of str, or None."""
        names = self.model.node_names
        if names is None or self.nodes is None:
            return names
        return tuple(names[i] for i in self.nodes)

    def summarize(self, recording):
        """Return the summaries of a :class:`Recording`, (n_obs, n_nodes, n_points)."""
        names = self.node_names
        n_nodes = None if names is None else len(names)
        return summarize_recording(
            recording, self.model, self.features, n_nodes, self.unit
        )

    def normalize(self, summaries):
        """Return the features of summaries, shape (n_obs, n_features)."""
        return self.features.normalize(summaries).reshape(len(summaries), -1)

    def observe(self, summaries, rng):
        """Return features of simulated summaries with fresh observation noise."""
        sampled = self.model.output == "timeseries"
        noisy = self.features.add_noise(summaries, rng, sampled=sampled)
        return self.normalize(noisy)

    @property
    def is_noisy(self):
        """Whether :meth:`observe` adds noise."""
        return getattr(self.features, "noise", None) is not None

    def simulate_bank(self, n_simulations, seed, *, n_jobs=None, verbose=None):
        """Return a bank of simulations of the observed nodes."""
        return simulate(
            self.model,
            self.prior,
            n_simulations,
            features=self.features,
            fixed=self.fixed,
            nodes=self.nodes,
            random_state=seed,
            n_jobs=n_jobs,
            verbose=verbose,
        )

    def simulate_nodes(self, theta, seed=0):
        """Simulate the observed nodes.

        Parameters
        ----------
        theta : array_like, shape (n_obs, n_params)
            Parameters.
        seed : int
            Seed of models that are random.

        Returns
        -------
        data : ndarray, shape (n_obs, n_nodes, n_points)
            Power spectra or time series.
        """
        import jax

        theta = check_array("theta", theta, shape=("n_obs", len(self.prior.names)))
        params = self.prior.as_dict(theta) | self.fixed
        data = np.asarray(self.model.simulate_batch(params, jax.random.key(seed)))
        return data if self.nodes is None else data[:, self.nodes]

    def predict_features(self, theta, seed=0):
        """Return the features that parameters predict, without observation noise."""
        summaries = summarize(
            self.model, self.features, self.simulate_nodes(theta, seed)
        )
        if summaries is None:
            raise RuntimeError(
                "The model gives no finite data for any of these parameters."
            )
        return self.normalize(summaries)
