"""Embedding networks: from standardised features to a context vector."""

from .._checks import check_option
from .._keras import import_keras
from ._initializers import RandomKernel

keras = import_keras()
layers = keras.layers

# Length of the context vector, and width of the dense layers before it.
CONTEXT = 256
# Attention costs the square of the number of tokens; on a CPU more than this is slow.
_MAX_TOKENS = 64
# Keras' 0.99 needs hundreds of steps to forget the initial statistics: a small training
# set would be validated, and used, with wrong ones.
_MOMENTUM = 0.9


def make_embedding(name, input_shape, *, dropout=0.0):
    r"""Build an embedding network.

    Parameters
    ----------
    name : "mlp" | "conv1d" | "bilstm" | "cnn_bilstm" | "transformer"
        Which one.
    input_shape : tuple of int
        Shape of one observation: ``(n_features,)``, or ``(n_nodes, n_points)``, where
        the last axis is time or frequency, along which the sequence networks run.
    dropout : float
        Share of units left out in training, in [0, 1).

    Returns
    -------
    network : keras.Model
        From (n, \*input_shape) to (n, 256).
    """
    makers = {
        "mlp": _mlp,
        "conv1d": _conv1d,
        "bilstm": _bilstm,
        "cnn_bilstm": _cnn_bilstm,
        "transformer": _transformer,
    }
    maker = makers[check_option("embedding", name, makers)]
    inputs = keras.Input(input_shape)
    context = maker(inputs if name == "mlp" else _as_sequence(inputs))
    if dropout:
        context = layers.Dropout(dropout)(context)
    context = _dense(CONTEXT, "relu")(context)
    return keras.Model(inputs, context)


def make_regressor(input_shape, n_outputs, hidden):
    r"""Build a network of dense layers, each with batch normalisation and ReLU.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one observation.
    n_outputs : int
        Length of one output row.
    hidden : sequence of int
        Widths of the hidden layers.

    Returns
    -------
    network : keras.Model
        From (n, \*input_shape) to (n, n_outputs).
    """
    inputs = value = keras.Input(input_shape)
    if len(input_shape) > 1:
        value = layers.Flatten()(value)
    for width in hidden:
        # The normalisation has an offset of its own.
        value = _dense(width, use_bias=False)(value)
        value = layers.BatchNormalization(momentum=_MOMENTUM)(value)
        value = layers.ReLU()(value)
    return keras.Model(inputs, _dense(n_outputs)(value))


def _dense(width, activation=None, **settings):
    return layers.Dense(
        width, activation, kernel_initializer=RandomKernel(), **settings
    )


def _as_sequence(inputs):
    """Put the axis along which a sequence runs before its channels."""
    if len(inputs.shape) == 2:
        return layers.Reshape((inputs.shape[1], 1))(inputs)
    return layers.Permute((2, 1))(inputs)


def _mlp(value):
    if len(value.shape) > 2:
        value = layers.Flatten()(value)
    return _dense(CONTEXT, "relu")(value)


def _convolve(value):
    for n_filters in (32, 64, 64):
        value = layers.Conv1D(n_filters, 5, 2, padding="same", activation="relu")(value)
    return value


def _conv1d(value):
    # Flattened, not averaged: where in the sequence a feature stands matters.
    return layers.Flatten()(_convolve(value))


def _bilstm(value):
    return layers.Bidirectional(layers.LSTM(64))(value)


def _cnn_bilstm(value):
    return _bilstm(_convolve(value))


def _transformer(value):
    width = 64
    size = -(-value.shape[1] // _MAX_TOKENS)
    value = layers.Conv1D(width, size, size, padding="same")(value)
    value = _Position()(value)
    for _ in range(2):
        seen = layers.LayerNormalization()(value)
        value = layers.Add()(
            [value, layers.MultiHeadAttention(4, width // 4)(seen, seen)]
        )
        seen = layers.LayerNormalization()(value)
        seen = layers.Dense(width)(layers.Dense(2 * width, "relu")(seen))
        value = layers.Add()([value, seen])
    return layers.Flatten()(layers.LayerNormalization()(value))


class _Position(keras.layers.Layer):
    """Add a learnt vector to each token: attention does not know their order."""

    def build(self, input_shape):
        self._vectors = self.add_weight(
            name="vectors", shape=tuple(input_shape[1:]), initializer="random_normal"
        )

    def call(self, value):
        return value + self._vectors
