"""Neural posterior estimation."""

import numpy as np

from .._checks import check_count, check_option
from ._base import check_between, check_hidden, check_theta, make_generators
from ._network_method import NetworkMethod

# Rows of (observation, draw) per compiled call of the sampler.
_DRAW_BLOCK = 1024
# Draws behind the posterior mean of `predict`, from a fixed seed.
_N_PREDICT_DRAWS = 256


class NPE(NetworkMethod):
    """Neural posterior estimation: a network that returns a density over parameters.

    An embedding network turns features into a context; a density head turns the context
    into a density over the unit cube. Both are trained together on the log density of
    the true parameters of simulations [1]_.

    Parameters
    ----------
    embedding : "mlp" | "conv1d" | "bilstm" | "cnn_bilstm" | "transformer"
        The embedding network. All but ``"mlp"`` run along the last axis of features
        (n, n_nodes, n_points), of time or frequency; convolutions with strides shorten
        it to at most 128 steps of a recurrent network and 64 of a transformer.
    density : "spline" | "mixture"
        The density head: a masked autoregressive spline flow, or a mixture of Gaussians
        with full covariance, which samples 20 to 30 times faster but is less exact.
    hidden : tuple of int
        Widths of the hidden layers of ``"mlp"``, before one of 256 that is the context.
        With many simulations, or new ones at each pass, (512, 512) learns more.
    n_components : int | "auto" | None
        Principal components that ``"mlp"`` sees instead of the features; None keeps
        the features. ``"auto"`` keeps them too, except where fresh noise is drawn for
        every pass: then it takes the components that stand out of the noise, which a
        network would have to find among thousands of features that are mostly noise.
        The other embeddings see the features, whose order matters.
    n_static : int
        The first points of each row that are no part of the sequence, as the spectrum
        in front of a time series. They go past a sequence network through dense
        layers. ``"mlp"`` treats all points alike.
    dropout : float
        Share of units of the embedding left out in training.
    max_iter : int
        Number of passes over the training data.
    batch_size : int
        Simulations per step.
    learning_rate : float
        Of Adam at the beginning; falls to zero along a cosine.
    validation_fraction : float
        Share of simulations that choose the best pass and are not trained on.

    References
    ----------
    .. [1] Papamakarios & Murray (2016). Fast epsilon-free inference of simulation
       models with Bayesian conditional density estimation. NeurIPS 29.
    """

    #: Of the principal components; :class:`PointRegressor` says what it does.
    whitening = 0.5

    def __init__(
        self,
        embedding="mlp",
        density="spline",
        *,
        hidden=(256,),
        n_components="auto",
        n_static=0,
        dropout=0.0,
        max_iter=25,
        batch_size=128,
        learning_rate=1e-3,
        validation_fraction=0.1,
    ):
        self.embedding = embedding
        self.density = density
        self.hidden = hidden
        self.n_components = n_components
        self.n_static = n_static
        self.dropout = dropout
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction

    def _check_settings(self):
        super()._check_settings()
        check_option("density", self.density, ("spline", "mixture"))
        check_hidden(self.hidden)
        check_between("dropout", self.dropout, 0.0, 1.0)

    def _n_dense_components(self, resampled):
        if self.n_components != "auto":
            return self.n_components
        return "signal" if resampled else None

    def _build(self):
        from ._density import HEADS
        from ._networks import CONTEXT, make_embedding
        from ._training import Stage

        embedding = make_embedding(
            self.embedding,
            self._network_shape,
            hidden=self.hidden,
            n_static=self.n_static,
            dropout=self.dropout,
        )
        head = HEADS[self.density](self.n_params_)
        head.build((None, CONTEXT))

        def log_ratio(z, y):
            return head.log_ratio(y, head.condition(embedding(z)))

        stages = {
            "train": Stage(log_ratio, [embedding, head]),
            "condition": Stage(
                lambda z: head.condition(embedding(z)), [embedding, head]
            ),
            "log_ratio": Stage(head.log_ratio, [head]),
            "inverse": Stage(head.inverse, [head]),
        }
        if self.scaler_.components is not None:
            stages["project"] = self._make_project_stage()
        return stages

    @property
    def _head_class(self):
        from ._density import HEADS

        return HEADS[self.density]

    def _targets(self, theta):
        return self._head_class.to_line(theta).astype(np.float32)

    def _make_batch(self, z, targets):
        # The loss needs no target, but Keras wants one.
        return (z, targets), np.zeros(len(z), np.float32)

    def _loss(self):
        return lambda _, log_ratio: -log_ratio

    def _validation_loss(self, stages, z, targets):
        return -self._log_ratio(stages, z, targets).mean()

    @staticmethod
    def _log_ratio(stages, z, y):
        from ._training import in_blocks

        return in_blocks(stages["log_ratio"], y, in_blocks(stages["condition"], z))

    def log_prob(self, theta, x):
        """Logarithm of the posterior density in the unit cube.

        Parameters
        ----------
        theta : array, shape (n, n_params)
            Parameters in the unit cube.
        x : array, shape (n, n_features) | (n, n_nodes, n_points)
            Observed features, row by row.

        Returns
        -------
        log_prob : ndarray, shape (n,)
            The density relative to the prior, as the prior's is one.
        """
        z = self._scale_observed(x)
        theta = check_theta(theta, len(z), self.n_params_)
        y = self._targets(theta)
        return self._log_ratio(self._stages(), z, y).astype(np.float64)

    def sample(self, x, n_draws, *, random_state=None):
        """Draw from the posterior of each observation, independently.

        Parameters
        ----------
        x : array, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
            Observed features.
        n_draws : int
            Number of draws per observation.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of randomness.

        Returns
        -------
        draws : ndarray, shape (n_obs, n_draws, n_params)
            Parameters in the unit cube.
        """
        from ._training import in_blocks

        n_draws = check_count("n_draws", n_draws)
        z = self._standardise(x)
        generators = make_generators(z, random_state)
        stages, head = self._stages(), self._head_class
        conditions = in_blocks(stages["condition"], self._project(z))
        n_noise = self.n_params_ + head.N_EXTRA_NOISE
        draws = np.empty((len(z) * n_draws, self.n_params_))
        for start in range(0, len(draws), _DRAW_BLOCK):
            # Gathered block by block: all conditions at once would fill the memory.
            pairs = np.arange(start, min(start + _DRAW_BLOCK, len(draws)))
            rows, counts = np.unique(pairs // n_draws, return_counts=True)
            noise = [
                generators[row].random((count, n_noise))
                for row, count in zip(rows, counts, strict=True)
            ]
            y = in_blocks(
                stages["inverse"],
                head.shape_noise(np.concatenate(noise)),
                conditions[pairs // n_draws],
                block=_DRAW_BLOCK,
            )
            draws[pairs] = head.from_line(y)
        return draws.reshape(len(z), n_draws, self.n_params_)

    def predict(self, x):
        """Estimate the posterior mean in the unit cube, from 256 draws.

        Parameters
        ----------
        x : array, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
            Observed features.

        Returns
        -------
        theta : ndarray, shape (n_obs, n_params)
            The estimates.
        """
        return self.sample(x, _N_PREDICT_DRAWS, random_state=0).mean(axis=1)
