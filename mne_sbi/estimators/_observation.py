"""How a recording comes about: model, parameters, observed nodes and features."""

import dataclasses

import numpy as np

from .._checks import check_array, draw_seed
from .._priors import Prior
from ..features import FeatureExtractor
from ..features._sensors import SensorMixing, make_simulated_features
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
    mixing : SensorMixing | None
        From these nodes to sensors; ``None`` where the nodes themselves are observed.
    flat : bool
        Whether the features of an observation are one row of numbers, and not a
        sequence for each row of the recording.
    """

    model: ForwardModel
    prior: Prior
    fixed: dict
    features: FeatureExtractor
    nodes: np.ndarray | None = None
    unit: str = "dB"
    mixing: SensorMixing | None = None
    flat: bool = True

    @property
    def by_row(self):
        """Whether each row of a recording is an observation of its own."""
        return self.model.single_node and self.mixing is None

    @property
    def node_names(self):
        """Names of the nodes that the recording sees, a tuple of str, or None."""
        names = self.model.node_names
        if names is None or self.nodes is None:
            return names
        return tuple(names[i] for i in self.nodes)

    @property
    def row_names(self):
        """Names of what is recorded, nodes or channels, a tuple of str, or None."""
        return self.node_names if self.mixing is None else self.mixing.ch_names

    @property
    def simulated_features(self):
        """The features of simulations, which pass the sensors before."""
        return make_simulated_features(self.features, self.mixing, self.model.output)

    def summarize(self, recording):
        """Return the summaries of a :class:`Recording`, (n_obs, n_rows, n_points).

        With :attr:`by_row`, their shape is (n_obs * n_rows, 1, n_points).
        """
        names = self.row_names
        n_rows = None if names is None else len(names)
        summaries = summarize_recording(
            recording, self.model, self.features, n_rows, self.unit
        )
        if self.by_row:
            return summaries.reshape(-1, 1, summaries.shape[-1])
        return summaries

    def normalize(self, summaries):
        """Return the features of summaries.

        Their shape is (n_obs, n_features), or (n_obs, n_rows, n_points) unless
        :attr:`flat`.
        """
        features = self.features.normalize(summaries)
        return features.reshape(len(summaries), -1) if self.flat else features

    def observe(self, summaries, rng):
        """Return features of simulated summaries with fresh observation noise."""
        sampled = self.model.output == "timeseries"
        noisy = self.simulated_features.add_noise(summaries, rng, sampled=sampled)
        return self.normalize(noisy)

    def normalize_simulated(self, summaries):
        """Return features of simulated summaries without observation noise."""
        if self.mixing is not None:
            summaries = self.simulated_features.mix(summaries)
        return self.normalize(summaries)

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
            features=self.simulated_features,
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

    def simulate_rows(self, theta, seed=0):
        """Simulate what is recorded: the observed nodes, or the channels.

        Parameters
        ----------
        theta : array_like, shape (n_obs, n_params)
            Parameters.
        seed : int
            Seed of models that are random.

        Returns
        -------
        data : ndarray, shape (n_obs, n_rows, n_points)
            Power spectra or time series. The power of a channel is relative to that of
            nodes with the power one.
        """
        data = self.simulate_nodes(theta, seed)
        if self.mixing is None:
            return data
        if self.model.output == "spectrum":
            return self.mixing.mix_power(data)
        return self.mixing.mix_series(data)

    def predict_noisy(self, theta, rng):
        """Simulate features as they would be recorded.

        Parameters
        ----------
        theta : array_like, shape (n, n_params)
            Parameters.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        features : ndarray of float32, shape (n, n_features)
            Features with noise; NaN where a simulation is not finite, or the model
            refuses the parameters.
        """
        data = self.simulate_nodes(theta, draw_seed(rng))
        summaries = summarize(self.model, self.simulated_features, data)
        params = self.model.complete_params(self.prior.as_dict(theta) | self.fixed)
        good = np.array(self.model.check_valid(params), dtype=bool)
        if summaries is None or not good.any():
            raise RuntimeError("The model gives no finite data for these parameters.")
        good &= np.isfinite(summaries).all(axis=(1, 2))
        made = self.observe(summaries[good], rng).reshape(good.sum(), -1)
        features = np.full((len(summaries), made.shape[1]), np.nan, np.float32)
        features[good] = made
        return features

    def predict_features(self, theta, seed=0):
        """Return the features that parameters predict, without observation noise."""
        summaries = summarize(
            self.model, self.simulated_features, self.simulate_nodes(theta, seed)
        )
        if summaries is None:
            raise RuntimeError(
                "The model gives no finite data for any of these parameters."
            )
        return self.normalize_simulated(summaries)
