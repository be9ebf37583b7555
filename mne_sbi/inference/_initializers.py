"""Initial weights of networks, drawn by NumPy.

A backend compiles its random generators for each shape of weights, which takes seconds
in a fresh process, also where the weights are then replaced by those of a file.
"""

import math
import random

import numpy as np

from .._keras import import_keras

keras = import_keras()


class RandomKernel(keras.initializers.Initializer):
    """Uniform random numbers, scaled by the number of inputs or of in- and outputs.

    Parameters
    ----------
    scale : float
        Factor of the variance.
    mode : "fan_in" | "fan_avg"
        What the variance is the inverse of. The default, with ``scale=1``, is the
        initialisation of Glorot and Bengio (2010), AISTATS 9.

    Notes
    -----
    The seed comes from Python's generator, as that of Keras' own initializers does.
    """

    def __init__(self, scale=1.0, mode="fan_avg"):
        self.scale, self.mode = scale, mode

    def __call__(self, shape, dtype=None):
        """Draw a kernel of shape (n_in, n_out), or (size, n_in, n_out)."""
        n_in, n_out = math.prod(shape[:-1]), shape[-1]
        fan = n_in if self.mode == "fan_in" else (n_in + n_out) / 2
        limit = math.sqrt(3 * self.scale / max(fan, 1))
        rng = np.random.default_rng(random.getrandbits(32))
        drawn = rng.uniform(-limit, limit, shape)
        return keras.ops.convert_to_tensor(drawn.astype(np.float32), dtype=dtype)

    def get_config(self):
        """Return the settings, as Keras wants them."""
        return {"scale": self.scale, "mode": self.mode}


class RandomOrthogonal(keras.initializers.Initializer):
    """A random matrix with orthonormal rows, for the recurrence of a network.

    Notes
    -----
    Saxe, McClelland & Ganguli (2014), ICLR: such a recurrence neither shrinks nor blows
    up what it carries from step to step. The seed is as in :class:`RandomKernel`.
    """

    def __call__(self, shape, dtype=None):
        """Draw a matrix of shape (n_in, n_out), with no more rows than columns."""
        rng = np.random.default_rng(random.getrandbits(32))
        basis, triangle = np.linalg.qr(rng.standard_normal(shape[::-1]))
        drawn = (basis * np.sign(np.diag(triangle))).T
        return keras.ops.convert_to_tensor(drawn.astype(np.float32), dtype=dtype)
