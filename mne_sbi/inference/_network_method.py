"""What the two methods with a Keras network share: data, training, state."""

from abc import abstractmethod

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import check_count, check_option, draw_seed
from .._keras import check_can_train, isolated_seed
from .._threads import check_not_forked, one_blas_thread
from ._base import InferenceMethod, check_between, check_training
from ._scaling import FeatureScaler
from ._training_features import TrainingFeatures

# Most validation rows that are drawn from simulations on disk.
_MAX_VALIDATION = 20_000
# Bytes of components of simulations on disk that are kept in memory.
_KEPT = 2**30


class NetworkMethod(InferenceMethod):
    """A method with a Keras network, whose weights are plain arrays between calls.

    Compiled functions are made on first use and never pickled. A child class has the
    settings ``n_components``, ``max_iter``, ``batch_size``, ``learning_rate`` and
    ``validation_fraction``, and ``whitening`` as a setting or a constant.

    Attributes
    ----------
    scaler_ : FeatureScaler
        The map from features to what the network sees.
    weights_ : list of ndarray
        The network's weights.
    """

    @abstractmethod
    def _build(self):
        """Build the network and its stages.

        Returns
        -------
        stages : dict of keras.Model
            ``"train"`` is the model that holds all weights.
        """

    @abstractmethod
    def _targets(self, theta):
        """Turn parameters into what the model learns, float32 ndarray."""

    @abstractmethod
    def _make_batch(self, z, targets):
        """Turn scaled features and targets into (inputs, targets) of the model."""

    @abstractmethod
    def _validation_loss(self, stages, z, targets):
        """Compute the loss on rows that are not trained on."""

    @abstractmethod
    def _loss(self):
        """Return the loss, as :meth:`keras.Model.compile` takes it."""

    def fit(
        self,
        theta,
        x,
        *,
        resample=None,
        refresh=None,
        random_state=None,
        verbose=None,
    ):
        """Train the network; see :meth:`InferenceMethod.fit`.

        Parameters
        ----------
        theta : array, shape (n, n_params)
            Parameters in the unit cube.
        x : array, shape (n, n_features) | (n, n_nodes, n_points)
            Their features.
        resample : callable | None
            ``resample(indices, rng)`` returns features of these rows with fresh noise,
            float32; ``x`` are the rows without noise then. Called for every batch;
            the validation rows are drawn once.
        refresh : callable | None
            ``refresh(pass_number)`` returns new ``(theta, x)``, noise included, to
            train on in pass 1, 2, ..., after the one with number 0 over the pairs
            given here, which keep what scaling and validation rows are. A pass has
            the same number of steps whatever their number: a share of
            ``1 - validation_fraction`` of the number given here is one pass. Not
            together with ``resample``.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of randomness.
        verbose : bool | str | None
            Show progress. None and False do not.

        Returns
        -------
        self : NetworkMethod
            The fitted method.
        """
        check_can_train()
        check_not_forked()
        self._check_settings()
        if resample is not None and refresh is not None:
            raise ValueError(
                "resample= draws new noise for the given simulations, and refresh= "
                "replaces them: give one of the two. What refresh returns brings its "
                "own noise."
            )
        theta, x, shape = check_training(theta, x, resampled=resample is not None)
        self.input_shape_, self.n_params_ = shape, theta.shape[1]
        self._check_shape(shape)
        seed = draw_seed(random_state)
        with isolated_seed(seed), one_blas_thread():
            self._train(
                TrainingFeatures(x, shape, resample), theta, refresh, seed, verbose
            )
        return self

    def _check_shape(self, shape):
        """Check the settings that depend on the shape of the features."""
        if self.embedding != "mlp" and self.n_static >= shape[-1]:
            raise ValueError(
                f"n_static={self.n_static} of {shape[-1]} points leave no sequence for "
                f"embedding='{self.embedding}'. Give a smaller n_static, or use "
                "embedding='mlp'."
            )

    def _check_settings(self):
        for name in ("max_iter", "batch_size"):
            check_count(name, getattr(self, name))
        if self.n_components not in (None, "auto"):
            check_count("n_components", self.n_components)
        _check_embedding(self.embedding, self.n_components, self.n_static)
        check_between("whitening", self.whitening, 0.0, 1.0 + 1e-12)
        check_between("learning_rate", self.learning_rate, 1e-12, 1e3)
        check_between("validation_fraction", self.validation_fraction, 1e-6, 0.9)

    def _train(self, rows, theta, refresh, seed, verbose):
        """Scale the features, build the network and train it."""
        from ._training import Batches, read_weights, split_rows, train

        rng = np.random.default_rng(seed)
        n = len(theta)
        self.scaler_ = self._fit_scaler(rows, n, rng)
        most = _MAX_VALIDATION if rows.are_many else None
        training, validation = split_rows(n, self.validation_fraction, rng, most)
        targets = self._targets(theta)
        features, local = self._prepare(rows, n)

        def make_batch(indices, rng):
            chosen = training[indices]
            return self._make_batch(features(chosen, rng), targets[chosen])

        z_validation = rows.in_pieces(features, validation, rng)
        self._cache = stages = self._build()
        local = {k: v[training] if k == "chunks" else v for k, v in local.items()}
        batches = Batches(make_batch, len(training), self.batch_size, seed, **local)

        def renew(pass_number):
            batches.replace(*self._renew(refresh, pass_number))

        self.history_ = train(
            stages["train"],
            batches,
            lambda: self._validation_loss(stages, z_validation, targets[validation]),
            loss=self._loss(),
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            refresh=None if refresh is None else renew,
            verbose=verbose,
        )
        self.weights_ = read_weights(stages["train"])

    def _prepare(self, rows, n):
        """Return what makes network inputs of rows, and where rows are on disk.

        Parameters
        ----------
        rows : TrainingFeatures
            The features.
        n : int
            Their number.

        Returns
        -------
        features : callable
            From row indices and a generator to inputs of the network.
        local : dict
            For :class:`Batches`; empty if the order does not matter.
        """
        # Components are few: project once. Otherwise each batch is scaled when it is
        # used, which needs no second copy of the features.
        once = rows.resample is None and self.scaler_.components is not None
        once = once and (not rows.are_many or 4 * n * self._network_shape[0] <= _KEPT)
        if once:
            scaled = self.scaler_.transform(rows.x)
            return (lambda indices, rng: scaled[indices]), {}

        def features(indices, rng):
            return self._as_input(self.scaler_.transform(rows.take(indices, rng)))

        return features, rows.locate(np.arange(n))

    def _renew(self, refresh, pass_number):
        """Take new pairs, and return what makes batches of them and their number."""
        theta, x = refresh(pass_number)
        theta, x, shape = check_training(theta, np.asarray(x), resampled=False)
        if shape != self.input_shape_ or theta.shape[1] != self.n_params_:
            raise ValueError(
                f"refresh({pass_number}) must return theta with {self.n_params_} "
                f"columns and x with rows of shape {self.input_shape_}, as given to "
                f"fit, got {theta.shape[1]} and {shape}."
            )
        features, _ = self._prepare(TrainingFeatures(x, shape, None), len(theta))
        targets = self._targets(theta)

        def make_batch(indices, rng):
            return self._make_batch(features(indices, rng), targets[indices])

        return make_batch, len(theta)

    def _fit_scaler(self, rows, n, rng):
        """Choose what the network sees of the features."""
        if self.embedding != "mlp":
            return FeatureScaler.from_rows(
                rows.for_scaling(n, rng),
                rng=rng,
                pooled=(self.input_shape_, self.n_static),
            )
        n_components = self._n_dense_components(rows.resample is not None)
        if n_components == "signal":
            return FeatureScaler.from_signal(*rows.signal_and_noisy(n, rng))
        return FeatureScaler.from_rows(
            rows.for_scaling(n, rng),
            n_components=n_components,
            whitening=self.whitening,
            rng=rng,
        )

    @abstractmethod
    def _n_dense_components(self, resampled):
        """Say how many components dense layers see: int, None or "signal"."""

    @property
    def _network_shape(self):
        """Shape of one observation as the network sees it."""
        if self.scaler_.components is None:
            return self.input_shape_
        return (self.scaler_.components.shape[1],)

    def _as_input(self, z):
        return z.reshape(len(z), *self._network_shape)

    def _stages(self):
        """Return the compiled stages, built from the weights if need be."""
        check_is_fitted(self, "weights_")
        stages = getattr(self, "_cache", None)
        if stages is None:
            # Building draws initial weights, which must leave no trace. Another thread
            # may have built them in the meantime, or sees them with their weights.
            with isolated_seed(0):
                stages = getattr(self, "_cache", None)
                if stages is None:
                    stages = self._build()
                    stages["train"].set_weights(self.weights_)
                    self._cache = stages
        return stages

    def _scale_observed(self, x):
        """Check observed features and map them to the network's input."""
        return self._project(self._standardise(x))

    def _standardise(self, x):
        """Check observed features and standardise them, shape (n_obs, n_features)."""
        x = self._check_x(x)
        return self.scaler_.standardise(x)

    def _project(self, z):
        """Map standardised features to the network's input."""
        from ._training import in_blocks

        if self.scaler_.components is not None:
            z = in_blocks(self._stages()["project"], z)
        return self._as_input(z)

    def _make_project_stage(self):
        """Build the projection to components as a stage of fixed-size blocks."""
        from ._training import Stage, keras

        layer = keras.layers.Dense(
            self._network_shape[0], use_bias=False, kernel_initializer="zeros"
        )
        layer.build((None, len(self.scaler_.mean)))
        layer.set_weights([self.scaler_.components])
        return Stage(layer, [layer])

    def get_state(self):
        """Describe the fitted method; see :meth:`InferenceMethod.get_state`.

        Returns
        -------
        state : dict
            Settings and shapes; can be written as JSON.
        arrays : dict of ndarray
            Scaling and weights.
        """
        check_is_fitted(self, "weights_")
        params = self.get_params(deep=False)
        state = {
            "method": type(self).__name__,
            "settings": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in params.items()
            },
            "input_shape": list(self.input_shape_),
            "n_params": self.n_params_,
            "history": self.history_,
            "n_weights": len(self.weights_),
        }
        arrays = {f"weight_{i:03d}": w for i, w in enumerate(self.weights_)}
        arrays |= {"mean": self.scaler_.mean, "scale": self.scaler_.scale}
        if self.scaler_.components is not None:
            arrays["components"] = self.scaler_.components
        return state, arrays

    @classmethod
    def from_state(cls, state, arrays):
        """Restore what :meth:`get_state` describes, under any Keras backend.

        Parameters
        ----------
        state : dict
            Settings and shapes.
        arrays : dict of ndarray
            Scaling and weights.

        Returns
        -------
        method : NetworkMethod
            The fitted method.
        """
        if state["method"] != cls.__name__:
            raise ValueError(
                f"The state is one of {state['method']}, not of {cls.__name__}."
            )
        settings = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in state["settings"].items()
        }
        method = cls(**settings)
        method.input_shape_ = tuple(state["input_shape"])
        method.n_params_ = state["n_params"]
        method.history_ = state["history"]
        method.scaler_ = FeatureScaler(
            arrays["mean"], arrays["scale"], arrays.get("components")
        )
        method.weights_ = [arrays[f"weight_{i:03d}"] for i in range(state["n_weights"])]
        return method

    def __getstate__(self):
        state = super().__getstate__().copy()
        state.pop("_cache", None)  # compiled functions; made anew from the weights
        return state


def _check_embedding(embedding, n_components, n_static):
    """Check the settings of the network that reads the features."""
    names = ("mlp", "conv1d", "bilstm", "cnn_bilstm", "transformer")
    check_option("embedding", embedding, names)
    if embedding != "mlp" and n_components not in (None, "auto"):
        raise ValueError(
            f"embedding='{embedding}' runs along a sequence, and {n_components} "
            "principal components are none. Leave n_components at its default, or use "
            "embedding='mlp'."
        )
    is_integer = isinstance(n_static, (int, np.integer))
    if not is_integer or isinstance(n_static, bool) or n_static < 0:
        raise ValueError(
            f"n_static must be the number of leading points of each row that are no "
            f"sequence, 0 or more, got {n_static!r}."
        )
