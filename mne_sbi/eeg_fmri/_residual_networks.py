"""Networks for the errors of ridge regression, one for each fold, trained together."""

import numpy as np

from .._keras import import_keras
from ..inference._training import Batches, show_passes

keras = import_keras()

# Decay of the weights at each step, in units of the learning rate.
_WEIGHT_DECAY = 0.1


class FoldNetworks(keras.layers.Layer):
    """One hidden layer of tanh for each fold, and output weights that begin at zero.

    Parameters
    ----------
    n_networks, n_hidden, n_targets : int
        Their number, and units of each.
    """

    def __init__(self, n_networks, n_hidden, n_targets):
        super().__init__()
        self._shape = n_networks, n_hidden, n_targets

    def build(self, shape):
        """Make the weights for inputs (n, n_inputs)."""
        n_networks, n_hidden, n_targets = self._shape
        glorot = keras.initializers.RandomNormal(stddev=shape[-1] ** -0.5)
        self.hidden_weights = self.add_weight(
            (n_networks, shape[-1], n_hidden), initializer=glorot
        )
        self.offsets = self.add_weight((n_networks, n_hidden), initializer="zeros")
        self.output_weights = self.add_weight(
            (n_networks, n_hidden, n_targets), initializer="zeros"
        )

    def call(self, inputs):
        """Predict (n, n_networks, n_targets)."""
        hidden = keras.ops.einsum("nd,mdh->nmh", inputs, self.hidden_weights)
        hidden = keras.ops.tanh(hidden + self.offsets)
        return keras.ops.einsum("nmh,mhk->nmk", hidden, self.output_weights)


def train(inputs, errors, folds, settings, seed, verbose):
    """Train a network on each fold's pairs; keep the pass that generalises best.

    Parameters
    ----------
    inputs : ndarray of float32, shape (n, n_inputs)
        What the networks see.
    errors : ndarray of float32, shape (n, n_targets)
        What they learn.
    folds : list of (train, test)
        Rows of each fold.
    settings : Residual
        Has ``n_hidden``, ``max_iter``, ``batch_size`` and ``learning_rate``.
    seed : int
        Of the order of the batches.
    verbose : bool | str | None
        Show progress.

    Returns
    -------
    weights : list of ndarray
        Hidden weights (n_folds, n_inputs, n_hidden), offsets (n_folds, n_hidden) and
        output weights (n_folds, n_hidden, n_targets).
    history : dict of list of float
        ``"left_out"``: mean squared error of the pairs that networks left out, before
        the first and after each pass.
    left_out : ndarray of float32, shape (n, n_targets)
        Predictions of each row by the network of the fold that left it out.
    """
    layer = FoldNetworks(len(folds), settings.n_hidden, errors.shape[1])
    seen = np.zeros((len(inputs), len(folds)), np.float32)
    for number, (rows, _) in enumerate(folds):
        seen[rows, number] = 1.0
    trainer = _trainer(layer, inputs.shape[1], len(folds), errors.shape[1])
    trainer.compile(
        optimizer=keras.optimizers.AdamW(
            settings.learning_rate, weight_decay=_WEIGHT_DECAY
        ),
        loss=lambda zero, difference: keras.ops.mean(difference**2),
    )

    def make_batch(rows, rng):
        arrays = inputs[rows], seen[rows], errors[rows]
        return arrays, np.zeros(len(rows), np.float32)

    batches = Batches(make_batch, len(inputs), settings.batch_size, seed)
    keeper = _KeepBest(layer, inputs, errors, folds)
    with show_passes(settings.max_iter, verbose) as bar:
        trainer.fit(
            batches,
            epochs=settings.max_iter,
            verbose=0,
            shuffle=False,
            callbacks=[keeper, bar],
        )
    return keeper.weights, {"left_out": keeper.losses}, keeper.left_out


def _trainer(layer, n_inputs, n_networks, n_targets):
    """Return the model of the differences in the pairs that each network sees."""
    inputs = keras.Input((n_inputs,))
    seen = keras.Input((n_networks,))
    errors = keras.Input((n_targets,))
    difference = layer(inputs) - keras.ops.expand_dims(errors, 1)
    difference = difference * keras.ops.expand_dims(seen, 2)
    return keras.Model([inputs, seen, errors], difference)


def run(weights, inputs):
    """Predict (n, n_networks, n_targets) with plain arrays.

    Parameters
    ----------
    weights : list of ndarray
        As :func:`train` returns them.
    inputs : ndarray, shape (n, n_inputs)
        What the networks see.
    """
    hidden_weights, offsets, output_weights = weights
    hidden = np.tanh(
        np.einsum("nd,mdh->nmh", inputs, hidden_weights, optimize=True) + offsets
    )
    return np.einsum("nmh,mhk->nmk", hidden, output_weights, optimize=True)


class _KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the pass with the least error of left-out pairs."""

    def __init__(self, layer, inputs, errors, folds):
        super().__init__()
        self._layer, self._inputs, self._errors = layer, inputs, errors
        self._folds = folds
        self.losses, self.weights, self.left_out = [], None, None

    def on_train_begin(self, logs=None):
        """Keep what the networks are before the first pass: zero."""
        self._look()

    def on_epoch_end(self, epoch, logs=None):
        """Look at left-out pairs after a pass."""
        self._look()

    def _look(self):
        weights = [
            np.array(keras.ops.convert_to_numpy(w.value)) for w in self._layer.weights
        ]
        left_out = np.zeros_like(self._errors)
        for number, (_, rows) in enumerate(self._folds):
            own = [w[number : number + 1] for w in weights]
            left_out[rows] = run(own, self._inputs[rows])[:, 0]
        loss = float(((self._errors - left_out) ** 2).mean(dtype=float))
        if not self.losses or loss < min(self.losses):
            self.weights, self.left_out = weights, left_out
        self.losses.append(loss)
