"""What the two methods with a Keras network share: data, training, state."""

from abc import abstractmethod

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import draw_seed
from .._keras import isolated_seed
from ..simulation._rows import LazyRows
from ._base import (
    InferenceMethod,
    check_between,
    check_count,
    check_finite_rows,
    check_training,
)
from ._scaling import MAX_SOLVED, FeatureScaler

# Rows of fresh noise from which the scale of the features is estimated, and most values
# of them: beyond 6,710 features there are fewer rows.
_N_SCALING_ROWS = 20_000
_N_SCALING_VALUES = 2**27
# Rows of as many features as have their components from the span of some directions.
_N_SPAN_ROWS = 6144
# Most validation rows that are drawn from simulations on disk.
_MAX_VALIDATION = 20_000
# Bytes of components of simulations on disk that are kept in memory.
_KEPT = 2**30
# Rows that are read at once where many are needed.
_PIECE = 2048


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

    def fit(self, theta, x, *, resample=None, random_state=None, verbose=None):
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
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of randomness.
        verbose : bool | str | None
            Show progress. None and False do not.

        Returns
        -------
        self : NetworkMethod
            The fitted method.
        """
        self._check_settings()
        theta, x, shape = check_training(theta, x, resampled=resample is not None)
        self.input_shape_, self.n_params_ = shape, theta.shape[1]
        seed = draw_seed(random_state)
        with isolated_seed(seed):
            self._train(_Rows(x, shape, resample), theta, seed, verbose)
        return self

    def _check_settings(self):
        for name in ("max_iter", "batch_size"):
            check_count(name, getattr(self, name))
        if self.n_components not in (None, "auto"):
            check_count("n_components", self.n_components)
        check_between("whitening", self.whitening, 0.0, 1.0 + 1e-12)
        check_between("learning_rate", self.learning_rate, 1e-12, 1e3)
        check_between("validation_fraction", self.validation_fraction, 1e-6, 0.9)

    def _train(self, rows, theta, seed, verbose):
        """Scale the features, build the network and train it."""
        from ._training import Batches, read_weights, split_rows, train

        rng = np.random.default_rng(seed)
        n = len(theta)
        self.scaler_ = self._fit_scaler(rows, n, rng)
        most = _MAX_VALIDATION if rows.are_many else None
        training, validation = split_rows(n, self.validation_fraction, rng, most)
        targets = self._targets(theta)
        # Components are few: project once. Otherwise each batch is scaled when it is
        # used, which needs no second copy of the features.
        once = rows.resample is None and self.scaler_.components is not None
        once = once and (not rows.are_many or 4 * n * self._network_shape[0] <= _KEPT)
        scaled = self.scaler_.transform(rows.x) if once else None

        def features(indices, rng):
            if once:
                return scaled[indices]
            return self._as_input(self.scaler_.transform(rows.take(indices, rng)))

        def make_batch(indices, rng):
            chosen = training[indices]
            return self._make_batch(features(chosen, rng), targets[chosen])

        z_validation = rows.in_pieces(features, validation, rng)
        self._cache = stages = self._build()
        local = {} if once else rows.locate(training)
        self.history_ = train(
            stages["train"],
            Batches(make_batch, len(training), self.batch_size, seed, **local),
            lambda: self._validation_loss(stages, z_validation, targets[validation]),
            loss=self._loss(),
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            verbose=verbose,
        )
        self.weights_ = read_weights(stages["train"])

    def _fit_scaler(self, rows, n, rng):
        """Choose what the network sees of the features."""
        if self.n_components == "auto" and rows.resample is not None:
            return FeatureScaler.from_signal(*rows.signal_and_noisy(n, rng))
        return FeatureScaler.from_rows(
            rows.for_scaling(n, rng),
            n_components=None if self.n_components == "auto" else self.n_components,
            whitening=self.whitening,
            rng=rng,
        )

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
        if getattr(self, "_cache", None) is None:
            # Building draws initial weights, which must leave no trace.
            with isolated_seed(0):
                self._cache = self._build()
            self._cache["train"].set_weights(self.weights_)
        return self._cache

    def _scale_observed(self, x):
        """Check observed features and map them to the network's input."""
        from ._training import in_blocks

        x = self._check_x(x)
        z = self.scaler_.standardise(x)
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


class _Rows:
    """Features of training rows, as given or with fresh noise."""

    def __init__(self, x, shape, resample):
        self.x, self.resample, self._shape = x, resample, shape

    @property
    def are_many(self):
        """Whether the rows are on disk, and more than fit into memory."""
        return isinstance(self.x, LazyRows) and not self.x.fits

    def locate(self, indices):
        """Say where rows are on disk, as :class:`Batches` takes it."""
        if not self.are_many:
            return {}
        chunks = self.x.chunks[indices]
        return {"chunks": chunks, "n_together": self.x.n_together}

    def in_pieces(self, features, indices, rng):
        """Compute features, piece by piece if the rows are on disk."""
        if not self.are_many:
            return features(indices, rng)
        starts = range(0, len(indices), _PIECE)
        return np.concatenate([features(indices[s : s + _PIECE], rng) for s in starts])

    def take(self, indices, rng):
        """Return rows, shape (len(indices), n_features)."""
        if self.resample is None:
            rows = self.x[indices]
            if isinstance(self.x, LazyRows):
                check_finite_rows("x", rows)
            return rows
        rows = np.asarray(self.resample(indices, rng))
        if rows.shape != (len(indices), *self._shape):
            raise ValueError(
                f"resample must return an array of shape {(len(indices), *self._shape)}"
                f" for {len(indices)} indices, got {rows.shape}."
            )
        rows = rows.reshape(len(rows), -1)
        check_finite_rows("what resample returns", rows)
        return rows

    def signal_and_noisy(self, n, rng):
        """Return rows without and with noise, more than features if possible."""
        if len(self.x) != n:
            raise ValueError(
                f"n_components='auto' needs the {n} rows of x without noise beside "
                f"resample, got {len(self.x)} rows. Give them, or n_components=None."
            )
        n_features = self.x.shape[1]
        n_rows = max(min(n, _N_SCALING_ROWS), 4 * n_features)
        if n_features > MAX_SOLVED:
            n_rows = _N_SPAN_ROWS
        # Few simulations are used several times: their noise is new each time.
        indices = np.sort(rng.permutation(np.arange(n_rows) % n))
        pieces = np.array_split(indices, max(1, n_rows // _PIECE))
        noisy = np.concatenate([self.take(piece, rng) for piece in pieces])
        return self.x[indices], noisy

    def for_scaling(self, n, rng):
        """Return rows to estimate scale and components from."""
        if self.resample is None:
            return self.x
        indices = np.arange(n)
        most = min(_N_SCALING_ROWS, _N_SCALING_VALUES // self.x.shape[1])
        if n > most:
            indices = np.sort(rng.choice(n, most, replace=False))
        return self.take(indices, rng)
