"""Embedding networks: from standardised features to a context vector."""

import math

from .._checks import check_option
from .._keras import import_keras
from ._initializers import RandomKernel, RandomOrthogonal

keras = import_keras()
layers = keras.layers

# Length of the context vector, and width of the dense layers before it.
CONTEXT = 256
# Most steps of recurrent networks, which take them one after the other, and most tokens
# of attention, which costs the square of their number.
_MAX_STEPS, _MAX_TOKENS = 128, 64
# Variance of the vectors that mark positions, times their length: small beside tokens.
_POSITION = 0.16
# Keras' 0.99 needs hundreds of steps to forget the initial statistics: a small training
# set would be validated, and used, with wrong ones.
_MOMENTUM = 0.9


def make_embedding(name, input_shape, *, hidden=(CONTEXT,), n_static=0, dropout=0.0):
    r"""Build an embedding network.

    Parameters
    ----------
    name : "mlp" | "conv1d" | "bilstm" | "cnn_bilstm" | "transformer"
        Which one.
    input_shape : tuple of int
        Shape of one observation: ``(n_features,)``, or ``(n_nodes, n_points)``, where
        the last axis is time or frequency, along which the sequence networks run.
    hidden : sequence of int
        Widths of the hidden layers of ``"mlp"``.
    n_static : int
        The first points of each row that a sequence network does not run along: they
        go through dense layers beside it. Ignored by ``"mlp"``.
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
    if name == "mlp":
        context = _mlp(inputs, hidden)
    else:
        context = maker(_as_sequence(inputs[..., n_static:] if n_static else inputs))
        if n_static:
            static = _dense(CONTEXT, "relu")(_mlp(inputs[..., :n_static]))
            context = layers.Concatenate()([context, static])
    if dropout:
        context = layers.Dropout(dropout)(context)
    context = _dense(CONTEXT, "relu")(context)
    return keras.Model(inputs, context)


def make_regressor(input_shape, n_outputs, hidden, *, embedding="mlp", n_static=0):
    r"""Build a network that returns numbers instead of a context.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one observation.
    n_outputs : int
        Length of one output row.
    hidden : sequence of int
        Widths of the hidden layers of ``"mlp"``, each with batch normalisation and
        ReLU.
    embedding : str
        ``"mlp"`` for the hidden layers, or another name that :func:`make_embedding`
        takes, for that network and one linear layer.
    n_static : int
        As in :func:`make_embedding`.

    Returns
    -------
    network : keras.Model
        From (n, \*input_shape) to (n, n_outputs).
    """
    if embedding != "mlp":
        network = make_embedding(embedding, input_shape, n_static=n_static)
        return keras.Model(network.input, _dense(n_outputs)(network.output))
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


def _mlp(value, hidden=(CONTEXT,)):
    if len(value.shape) > 2:
        value = layers.Flatten()(value)
    for width in hidden:
        value = _dense(width, "relu")(value)
    return value


def _shorten(value, most, widths, *, least_stride=1):
    """Convolve with strides, until a sequence has at most so many steps.

    Parameters
    ----------
    value : KerasTensor, shape (n, n_points, n_channels)
        The sequence.
    most : int
        Most steps that may remain.
    widths : tuple of int
        Filters of each convolution.
    least_stride : int
        Smallest stride of each convolution. With 1, a sequence that is short enough
        is returned as it is.

    Returns
    -------
    value : KerasTensor, shape (n, n_steps, widths[-1])
        The shorter sequence.
    """
    factor = math.ceil(value.shape[1] / most)
    if factor == 1 and least_stride == 1:
        return value
    for i, width in enumerate(widths):
        # The rest of the factor, shared evenly among the layers that are left.
        stride = math.ceil(factor ** (1 / (len(widths) - i)) - 1e-9)
        factor = math.ceil(factor / stride)
        stride = max(stride, least_stride)
        # Windows overlap: what lies at the edge of one is inside of another.
        value = layers.Conv1D(
            width,
            max(5, 2 * stride),
            stride,
            padding="same",
            activation="relu",
            kernel_initializer=RandomKernel(),
        )(value)
    return value


def _convolve(value):
    return _shorten(value, _MAX_TOKENS, (32, 64, 64), least_stride=2)


def _conv1d(value):
    # Flattened, not averaged: where in the sequence a feature stands matters.
    return layers.Flatten()(_convolve(value))


def _recur(value):
    """Run along a sequence in both directions; return last states and their mean."""
    # Not by Bidirectional, which makes copies of layers by their names. A loop in the
    # compiled program: unrolled, it would take minutes to compile.
    states = [
        layers.LSTM(
            64,
            return_sequences=True,
            go_backwards=go_backwards,
            unroll=False,
            kernel_initializer=RandomKernel(),
            recurrent_initializer=RandomOrthogonal(),
        )(value)
        for go_backwards in (False, True)
    ]
    # Of ongoing activity every part says as much as the last one.
    parts = [state[:, -1] for state in states]
    parts += [layers.GlobalAveragePooling1D()(state) for state in states]
    return layers.Concatenate()(parts)


def _bilstm(value):
    return _recur(_shorten(value, _MAX_STEPS, (64,)))


def _cnn_bilstm(value):
    # Half as many steps as without convolutions say as much in 60 % of the time.
    return _recur(_convolve(value))


def _transformer(value):
    width, drawn = 64, {"kernel_initializer": RandomKernel()}
    # Tokens from several convolutions are learnt faster than from one or two.
    value = _Position()(_dense(width)(_convolve(value)))
    for _ in range(2):
        seen = layers.LayerNormalization()(value)
        value = layers.Add()(
            [value, layers.MultiHeadAttention(4, width // 4, **drawn)(seen, seen)]
        )
        seen = layers.LayerNormalization()(value)
        seen = _dense(width)(_dense(2 * width, "relu")(seen))
        value = layers.Add()([value, seen])
    value = layers.LayerNormalization()(value)
    return layers.Concatenate()(
        [layers.Flatten()(value), layers.GlobalAveragePooling1D()(value)]
    )


class _Position(keras.layers.Layer):
    """Add a learnt vector to each token: attention does not know their order."""

    def build(self, input_shape):
        self._vectors = self.add_weight(
            name="vectors",
            shape=tuple(input_shape[1:]),
            initializer=RandomKernel(_POSITION),
        )

    def call(self, value):
        return value + self._vectors
