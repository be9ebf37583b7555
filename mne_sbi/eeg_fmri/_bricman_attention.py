"""Attention as PyTorch's transformers have it, and with a memory of earlier tokens.

Vaswani et al. (2017), NeurIPS 30: layers that normalise behind each sum.
"""

import math

from .._keras import import_keras
from ..inference._initializers import RandomKernel

keras = import_keras()
layers, ops = keras.layers, keras.ops

# Score of what a token may not look at.
_NEVER = -1e9
# Values of a random byte.
_N_BYTES = 256


def _norm():
    return layers.LayerNormalization(epsilon=1e-5)


class Dropper:
    """Dropout that uses up random bytes which it is given.

    Keras' dropout draws in each of its places; compiling some sixty generators takes
    longer than many steps of training. Shares are rounded to 1 / 256.

    Parameters
    ----------
    draws : tensor of uint8, shape (n, n_draws) | None
        Random bytes for each row. None leaves nothing out.
    """

    def __init__(self, draws=None):
        self._draws, self.n_used = draws, 0

    def __call__(self, values, rate):
        """Leave a share of values (n, ...) out, and enlarge the others."""
        lowest = round(rate * _N_BYTES)
        if self._draws is None or not lowest:
            return values
        first, shape = self.n_used, values.shape[1:]
        self.n_used += math.prod(shape)
        draws = ops.reshape(self._draws[:, first : self.n_used], (-1, *shape))
        kept = ops.cast(ops.greater_equal(draws, lowest), values.dtype)
        return values * kept * (_N_BYTES / (_N_BYTES - lowest))


class Attention(layers.Layer):
    """Attention with several heads, in the parts that a step by step use needs.

    Parameters
    ----------
    width : int
        Length of a token.
    n_heads : int
        Number of heads, of ``width / n_heads`` each.
    dropout : float
        Share of the weights of attention that training leaves out.
    initializer : keras.initializers.Initializer
        Of the kernel behind the heads.
    """

    def __init__(self, width, n_heads, dropout, initializer, **settings):
        super().__init__(**settings)
        self._width, self._n_heads, self._dropout = width, n_heads, dropout
        self._last = layers.Dense(width, kernel_initializer=initializer)

    def build(self, input_shape):
        """Make the kernels of queries, keys and values, drawn as one."""
        width = self._width
        self.kernel = self.add_weight(
            name="kernel", shape=(width, 3 * width), initializer=RandomKernel()
        )
        self.bias = self.add_weight(
            name="bias", shape=(3 * width,), initializer="zeros"
        )
        self._last.build((None, None, width))

    def query(self, tokens):
        """Return queries (n, n_heads, n_tokens, width / n_heads) of tokens."""
        return self._heads(tokens, 0)

    def remember(self, tokens):
        """Return keys and values of tokens, each of the shape of queries."""
        return self._heads(tokens, 1), self._heads(tokens, 2)

    def mix(self, query, remembered, allowed, drop):
        """Mix values for each query.

        Parameters
        ----------
        query : tensor, shape (n, n_heads, n_queries, width / n_heads)
            Of :meth:`query`.
        remembered : pair of tensor, shape (n, n_heads, n_tokens, width / n_heads)
            Of :meth:`remember`.
        allowed : tensor of bool, shape (n_queries, n_tokens) | None
            Which tokens each query may see; all, if None.
        drop : Dropper
            Leaves weights out.

        Returns
        -------
        mixed : tensor, shape (n, n_queries, width)
            The mixtures, behind the last kernel.
        """
        keys, values = remembered
        scores = ops.matmul(query, ops.transpose(keys, (0, 1, 3, 2)))
        scores = scores / math.sqrt(self._width // self._n_heads)
        if allowed is not None:
            scores = ops.where(allowed, scores, _NEVER)
        weights = drop(ops.softmax(scores, axis=-1), self._dropout)
        mixed = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        n_queries = query.shape[2]
        return self._last(ops.reshape(mixed, (-1, n_queries, self._width)))

    def _heads(self, tokens, part):
        columns = slice(part * self._width, (part + 1) * self._width)
        vectors = ops.matmul(tokens, self.kernel[:, columns]) + self.bias[columns]
        shape = (-1, tokens.shape[1], self._n_heads, self._width // self._n_heads)
        return ops.transpose(ops.reshape(vectors, shape), (0, 2, 1, 3))


class _AttentionLayer(layers.Layer):
    """What a layer of the encoder and one of the decoder share.

    Parameters
    ----------
    n_attentions : int
        Number of attentions before the dense layers.
    width, n_heads : int
        Of the attention.
    n_hidden : int
        Width of the dense layer between.
    dropout : float
        Share of numbers that training leaves out, in several places.
    initializer : callable
        Makes the initialisers of kernels but those of queries, keys and values.
    """

    def __init__(
        self, n_attentions, width, n_heads, n_hidden, dropout, initializer, **settings
    ):
        super().__init__(**settings)
        self._width, self._n_heads, self._n_hidden = width, n_heads, n_hidden
        self._dropout = dropout
        self._attentions = [
            Attention(width, n_heads, dropout, initializer())
            for _ in range(n_attentions)
        ]
        self._norms = [_norm() for _ in range(n_attentions + 1)]
        self._hidden = layers.Dense(
            n_hidden, activation="relu", kernel_initializer=initializer()
        )
        self._last = layers.Dense(width, kernel_initializer=initializer())

    def build(self, input_shape):
        """Build all layers."""
        shape = (None, None, self._width)
        for layer in (*self._attentions, *self._norms, self._hidden):
            layer.build(shape)
        self._last.build((None, None, self._n_hidden))

    def count_draws(self, n_tokens, *n_seen):
        """Count the bytes that a :class:`Dropper` uses up for each row.

        Parameters
        ----------
        n_tokens : int
            Number of tokens.
        *n_seen : int
            Number of tokens that each attention sees.

        Returns
        -------
        n_draws : int
            The number.
        """
        each = self._n_heads * sum(n_seen) + self._width * (len(n_seen) + 1)
        return n_tokens * (each + self._n_hidden)

    def _attend(self, number, tokens, remembered, allowed, drop):
        attention = self._attentions[number]
        mixed = attention.mix(attention.query(tokens), remembered, allowed, drop)
        return self._norms[number](tokens + drop(mixed, self._dropout))

    def _transform(self, tokens, drop):
        hidden = drop(self._hidden(tokens), self._dropout)
        changed = drop(self._last(hidden), self._dropout)
        return self._norms[-1](tokens + changed)


class EncoderLayer(_AttentionLayer):
    """Attention of tokens to each other, and two dense layers.

    Parameters
    ----------
    width, n_heads, n_hidden, dropout, initializer
        As :class:`_AttentionLayer` takes them.
    """

    def __init__(self, *sizes, **settings):
        super().__init__(1, *sizes, **settings)

    def call(self, tokens, drop):
        """Transform tokens (n, n_tokens, width)."""
        remembered = self._attentions[0].remember(tokens)
        tokens = self._attend(0, tokens, remembered, None, drop)
        return self._transform(tokens, drop)


class DecoderLayer(_AttentionLayer):
    """Attention to tokens before, attention to those of the encoder, dense layers.

    Parameters
    ----------
    width, n_heads, n_hidden, dropout, initializer
        As :class:`_AttentionLayer` takes them.
    """

    def __init__(self, *sizes, **settings):
        super().__init__(2, *sizes, **settings)

    def call(self, tokens, encoded, allowed, drop):
        """Transform tokens, each of which sees the ones that are allowed."""
        own = self._attentions[0].remember(tokens)
        return self._apply(tokens, own, self.remember(encoded), allowed, drop)

    def remember(self, encoded):
        """Return keys and values of the encoder's tokens, the same at each step."""
        return self._attentions[1].remember(encoded)

    def step(self, token, own, encoded, here, allowed):
        """Transform one token, with keys and values of those before.

        Parameters
        ----------
        token : tensor, shape (n, 1, width)
            The token.
        own : pair of tensor, shape (n, n_heads, n_tokens, width / n_heads)
            Keys and values of all tokens, those of later ones of any value.
        encoded : pair of tensor
            Of :meth:`remember`.
        here, allowed : tensor of bool, shape (n_tokens,)
            Which token this is, and which ones it may see.

        Returns
        -------
        token : tensor, shape (n, 1, width)
            Transformed.
        own : pair of tensor
            With keys and values of this token.
        """
        new = self._attentions[0].remember(token)
        place = here[:, None]
        own = tuple(ops.where(place, a, b) for a, b in zip(new, own, strict=True))
        return self._apply(token, own, encoded, allowed[None], Dropper()), own

    def _apply(self, tokens, own, encoded, allowed, drop):
        tokens = self._attend(0, tokens, own, allowed, drop)
        tokens = self._attend(1, tokens, encoded, None, drop)
        return self._transform(tokens, drop)
