"""What every architecture can do, and what those with a Keras network share."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator

from .._checks import check_count, draw_seed
from .._keras import check_can_train, isolated_seed
from .._threads import check_not_forked
from ..inference._base import check_between

# Rows per compiled call of a prediction: volumes are large.
_BLOCK = 16


class Architecture(ABC, BaseEstimator):
    """From windows of EEG to target values; sees arrays only.

    :class:`EEG2fMRIRegressor` checks what it is given, turns fMRI into targets and
    calls this. Settings are the arguments of ``__init__``; what is learnt ends in
    ``_``.

    Attributes
    ----------
    axes : tuple of str
        Names of the axes of one window, for messages.
    default_target : str
        ``"pca"`` or ``"voxels"``: what the regressor makes of fMRI unless told.
    left_out_ : ndarray, shape (n, n_targets)
        Optional, set by ``fit``: predictions of the training pairs by fits that did not
        see their person. The regressor takes it for the size of errors.
    """

    axes = ("channels", "bands", "lags")
    default_target = "voxels"

    @abstractmethod
    def fit(self, X, y, *, groups, grid=None, random_state=None, verbose=None):
        """Learn from pairs.

        Parameters
        ----------
        X : array of float32, shape (n, ...)
            The windows of EEG.
        y : array of float32, shape (n, n_targets)
            The targets.
        groups : array, shape (n,)
            The person of each pair.
        grid : VolumeGrid | None
            Which voxels the targets are, where they are voxels.
        random_state : None | int | numpy.random.Generator
            Source of randomness.
        verbose : bool | str | None
            Show progress; None and False do not.

        Returns
        -------
        self : Architecture
            The fitted architecture.
        """

    @abstractmethod
    def predict(self, X):
        """Predict targets, float32 of shape (n, n_targets), for windows (n, ...)."""

    @abstractmethod
    def update(self, X, y, *, random_state=None, verbose=None):
        """Calibrate a fitted architecture on a few pairs of one more person.

        Parameters are as in :meth:`fit`.
        """


class NetworkArchitecture(Architecture):
    """An architecture that is a Keras network, trained as its authors did.

    A child sets ``max_iter``, ``batch_size`` and ``learning_rate`` in ``__init__`` and
    writes :meth:`_build`. Weights are plain arrays between calls; compiled functions
    are made on first use and never pickled.

    Attributes
    ----------
    weights_ : list of ndarray
        Of all layers, those that only training uses included.
    history_ : dict of list of float
        ``"loss"`` after each pass.
    n_parameters_ : int
        Number of weights, those that only training uses included.
    """

    # Passes over the pairs of a new person, relative to those of fit.
    _CALIBRATION = 0.2

    @abstractmethod
    def _build(self, x_shape, n_targets, grid):
        """Build the network.

        Parameters
        ----------
        x_shape : tuple of int
            Shape of one window.
        n_targets : int
            Number of targets.
        grid : VolumeGrid | None
            As in :meth:`fit`.

        Returns
        -------
        trainer : keras.Model
            Holds all weights, not compiled. Takes what :meth:`_make_batch` returns.
        predictor : keras.Model
            From windows to targets (n, n_targets), with layers of ``trainer``.
        """

    def _make_batch(self, x, y, rng):
        """Turn rows into (inputs, targets) of the trainer."""
        return x, y

    def _compile(self, trainer):
        """Set optimiser and loss of the trainer."""
        from .._keras import import_keras

        keras = import_keras()
        optimizer = keras.optimizers.Adam(self.learning_rate)
        trainer.compile(optimizer=optimizer, loss="mse")

    def _make_callbacks(self):
        """Make what Keras calls after each pass, beside the bar of progress."""
        return []

    def fit(self, X, y, *, groups=None, grid=None, random_state=None, verbose=None):
        """Train the network; see :meth:`Architecture.fit`."""
        check_training_settings(self)
        self.x_shape_, self.n_targets_, self.grid_ = X.shape[1:], y.shape[1], grid
        self.history_ = {"loss": []}
        seed = draw_seed(random_state)
        with isolated_seed(seed):
            self._networks = self._build(self.x_shape_, self.n_targets_, grid)
            self._train(X, y, seed, self.max_iter, verbose)
        return self

    def update(self, X, y, *, random_state=None, verbose=None):
        """Train on, for a fifth of the passes; see :meth:`Architecture.update`."""
        seed = draw_seed(random_state)
        with isolated_seed(seed):
            self._get_networks()
            n_passes = max(1, round(self._CALIBRATION * self.max_iter))
            self._train(X, y, seed, n_passes, verbose)
        return self

    def predict(self, X):
        """Predict targets in blocks of one compiled size."""
        from ..inference._training import in_blocks

        with isolated_seed(0):
            predictor = self._get_networks()[1]
            return in_blocks(predictor, X, block=_BLOCK)

    def _train(self, X, y, seed, max_iter, verbose):
        from ..inference._training import Batches, read_weights, show_passes

        trainer = self._networks[0]
        self._compile(trainer)

        def make_batch(rows, rng):
            return self._make_batch(X[rows], y[rows], rng)

        batches = Batches(make_batch, len(X), self.batch_size, seed)
        with show_passes(max_iter, verbose) as callback:
            callbacks = [callback, *self._make_callbacks()]
            trained = trainer.fit(
                batches, epochs=max_iter, verbose=0, shuffle=False, callbacks=callbacks
            )
        self.history_["loss"] += [float(loss) for loss in trained.history["loss"]]
        if not np.isfinite(self.history_["loss"][-1]):
            raise RuntimeError(
                f"Training of {type(self).__name__} diverged: its loss is not finite. "
                f"Try a smaller learning_rate than {self.learning_rate:g}, and look "
                "for extreme values in X and y."
            )
        self.weights_ = read_weights(trainer)
        self.n_parameters_ = int(sum(weight.size for weight in self.weights_))

    def _get_networks(self):
        """Return trainer and predictor, built again after unpickling."""
        if getattr(self, "_networks", None) is None:
            self._networks = self._build(self.x_shape_, self.n_targets_, self.grid_)
            self._networks[0].set_weights(self.weights_)
        return self._networks

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "_networks"}


def check_training_settings(architecture):
    """Check the settings that all training has.

    Parameters
    ----------
    architecture : Architecture
        Has ``max_iter``, ``batch_size`` and ``learning_rate``.

    Raises
    ------
    TypeError, ValueError
        If one is of another type, or out of range.
    RuntimeError
        If the backend of Keras cannot train.
    """
    check_can_train()
    check_not_forked()
    check_count("max_iter", architecture.max_iter)
    check_count("batch_size", architecture.batch_size)
    check_between("learning_rate", architecture.learning_rate, 1e-30, 1e3)


def say_move(before, after, verbose):
    """Say how far calibration moved the predictions of its own pairs."""
    from mne.utils import logger, use_log_level

    size = np.sqrt(np.square(before - before.mean(axis=0)).mean(dtype=float))
    move = np.sqrt(np.square(after - before).mean(dtype=float))
    found = "Predictions stay as they were"
    if move:
        found = f"Predictions moved by {move / max(size, 1e-300):.0%} of their size"
    with use_log_level("INFO" if verbose is True else verbose):
        logger.info(f"{found} ({len(before)} pairs of calibration)")
