"""Networks for the errors of ridge regression, one for each fold, trained together."""

import numpy as np

from .._keras import import_keras
from ..inference._training import Batches, read_weights, show_passes
from ._ridge_solver import take_left_out

keras = import_keras()

# Decay of the weights at each step, in units of the learning rate.
_WEIGHT_DECAY = 1.0


class FoldNetworks(keras.layers.Layer):
    """One hidden layer of GELU for each fold, and output weights that begin at zero.

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
        hidden = keras.ops.gelu(hidden + self.offsets, approximate=True)
        return keras.ops.einsum("nmh,mhk->nmk", hidden, self.output_weights)


def train(inputs, errors, folds, settings, seed, verbose):
    """Train a network on each fold's pairs; keep the pass that generalises best.

    Parameters
    ----------
    inputs : ndarray of float32, shape (n, n_inputs)
        What the networks see.
    errors : ndarray of float32, shape (n, n_folds, n_targets)
        What they learn.
    folds : list of (train, test)
        Rows of each fold.
    settings : Residual
        Has ``n_hidden``, ``n_networks``, ``max_iter``, ``batch_size`` and
        ``learning_rate``.
    seed : int
        Of the order of the batches.
    verbose : bool | str | None
        Show progress.

    Returns
    -------
    weights : list of ndarray
        Hidden weights (n_all, n_inputs, n_hidden), offsets (n_all, n_hidden) and output
        weights (n_all, n_hidden, n_targets) of the networks of all folds.
    history : dict of list of float
        ``"explained"``: part of the squared errors of left-out pairs that a multiple of
        the predictions explains, before the first and after each pass.
    left_out : ndarray of float32, shape (n, n_targets)
        Mean predictions of each row by the networks of the fold that left it out.
    """
    # Networks of one fold stand side by side.
    n_networks = settings.n_networks
    layer = FoldNetworks(len(folds) * n_networks, settings.n_hidden, errors.shape[2])
    seen = np.zeros((len(inputs), len(folds)), np.float32)
    for number, (rows, _) in enumerate(folds):
        seen[rows, number] = 1.0
    trainer = _trainer(
        layer, inputs.shape[1], errors.shape[1], n_networks, errors.shape[2]
    )
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
    return keeper.weights, {"explained": keeper.explained}, keeper.left_out


def _trainer(layer, n_inputs, n_folds, n_networks, n_targets):
    """Return the model of the differences in the pairs that each network sees."""
    inputs = keras.Input((n_inputs,))
    seen = keras.Input((n_folds,))
    errors = keras.Input((n_folds, n_targets))
    of_networks = (keras.ops.repeat(a, n_networks, axis=1) for a in (seen, errors))
    seen_by, errors_of = of_networks
    difference = (layer(inputs) - errors_of) * keras.ops.expand_dims(seen_by, 2)
    return keras.Model([inputs, seen, errors], difference)


def run(weights, inputs):
    """Predict the networks' mean (n, n_targets) with plain arrays.

    Parameters
    ----------
    weights : list of ndarray
        As :func:`train` returns them.
    inputs : ndarray, shape (n, n_inputs)
        What the networks see.
    """
    hidden_weights, offsets, output_weights = weights
    hidden = np.einsum("nd,mdh->nmh", inputs, hidden_weights, optimize=True) + offsets
    # The approximate GELU (Hendrycks & Gimpel, arXiv:1606.08415), as above.
    inner = np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)
    hidden = 0.5 * hidden * (1 + np.tanh(inner))
    return np.tensordot(hidden, output_weights, axes=2) / len(output_weights)


class _KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the pass that explains most of left-out errors."""

    def __init__(self, layer, inputs, errors, folds):
        super().__init__()
        self._layer, self._inputs, self._folds = layer, inputs, folds
        self._errors = take_left_out(errors, folds)
        self.explained, self.weights, self.left_out = [], None, None

    def on_train_begin(self, logs=None):
        """Keep what the networks are before the first pass: zero."""
        self._look()

    def on_epoch_end(self, epoch, logs=None):
        """Look at left-out pairs after a pass."""
        self._look()

    def _look(self):
        weights = read_weights(self._layer)
        left_out = np.zeros_like(self._errors)
        for number, (_, rows) in enumerate(self._folds):
            own = [np.split(w, len(self._folds))[number] for w in weights]
            left_out[rows] = run(own, self._inputs[rows])
        product = max(0.0, float((left_out * self._errors).sum(dtype=float)))
        square = float((left_out**2).sum(dtype=float))
        total = float((self._errors**2).sum(dtype=float))
        explained = product**2 / max(square * total, 1e-300)
        if not self.explained or explained > max(self.explained):
            self.weights, self.left_out = weights, left_out
        self.explained.append(explained)
