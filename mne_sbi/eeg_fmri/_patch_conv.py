"""A 3-D convolution that is fast on JAX's CPU backend, in both directions."""

import math
import random

import numpy as np

from .._checks import check_option
from .._keras import import_keras

keras = import_keras()
ops = keras.ops


class GlorotUniform(keras.initializers.Initializer):
    """Glorot and Bengio's uniform initialisation (2010), with fans that are told.

    Drawn by NumPy, because a backend compiles its generator for each shape.

    Parameters
    ----------
    fan_in, fan_out : int
        How many inputs meet in an output, and how many outputs an input reaches.
    """

    def __init__(self, fan_in, fan_out):
        self.fan_in, self.fan_out = fan_in, fan_out

    def __call__(self, shape, dtype=None):
        """Draw weights of a shape."""
        limit = math.sqrt(6 / (self.fan_in + self.fan_out))
        # The seed comes from Python's generator, as that of Keras' initializers does.
        rng = np.random.default_rng(random.getrandbits(32))
        drawn = rng.random(shape, dtype=np.float32)
        drawn *= 2 * limit
        drawn -= limit
        return ops.convert_to_tensor(drawn, dtype=dtype)

    def get_config(self):
        """Return the settings, as Keras wants them."""
        return {"fan_in": self.fan_in, "fan_out": self.fan_out}


class PatchConv3D(keras.layers.Layer):
    """3-D convolution of ``(n, channels, nx, ny, nz)``, as products with patches.

    The same numbers as :class:`keras.layers.Conv3D`, whose kernel has the same shape.
    JAX compiles the gradient of a strided 3-D convolution for a CPU into code that
    takes seconds per step: there, patches are copied and multiplied as matrices. Other
    backends and devices use their own convolution.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size : tuple of int, shape (3,)
        Length of the kernel along each axis.
    strides : tuple of int, shape (3,)
        Steps between outputs.
    padding : "valid" | "same"
        ``"same"`` puts zeros around the volume so that the output is as large as the
        input; for odd kernels and no strides.
    n_together : int
        Number of convolutions of the same input that this one stands for: each has
        ``filters / n_together`` channels, and draws initial weights for that number.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        n_together=1,
        **settings,
    ):
        super().__init__(**settings)
        check_option("padding", padding, ("valid", "same"))
        self.filters, self.n_together = filters, n_together
        self.kernel_size, self.strides = tuple(kernel_size), tuple(strides)
        self.padding = (0, 0, 0)
        if padding == "same":
            if any(k % 2 == 0 for k in self.kernel_size) or max(self.strides) > 1:
                raise ValueError(
                    "padding 'same' needs odd kernels and strides of 1; got a kernel "
                    f"of {self.kernel_size} and strides of {self.strides}. Type "
                    "padding='valid'."
                )
            self.padding = tuple(k // 2 for k in self.kernel_size)

    def build(self, input_shape):
        """Make the kernel and the offset."""
        places, n_inputs = math.prod(self.kernel_size), input_shape[1]
        fans = places * n_inputs, places * self.filters // self.n_together
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, n_inputs, self.filters),
            initializer=GlorotUniform(*fans),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros"
        )

    def call(self, inputs):
        """Convolve."""
        if any(self.padding):
            ends = [(0, 0), (0, 0)] + [(n, n) for n in self.padding]
            inputs = ops.pad(inputs, ends)
        if runs_jax_on_cpu():
            from ._patch_products import convolve

            kernel = ops.convert_to_tensor(self.kernel)
            outputs = convolve(inputs, kernel, self.strides)
        else:
            outputs = ops.conv(
                ops.transpose(inputs, (0, 2, 3, 4, 1)),
                self.kernel,
                strides=self.strides,
                padding="valid",
                data_format="channels_last",
            )
            outputs = ops.transpose(outputs, (0, 4, 1, 2, 3))
        return outputs + ops.reshape(self.bias, (1, -1, 1, 1, 1))

    def compute_output_shape(self, input_shape):
        """Shape of the output for that of an input."""
        n_rows, _, *lengths = input_shape
        places = [
            (length + 2 * padding - kernel) // stride + 1
            for length, padding, kernel, stride in zip(
                lengths, self.padding, self.kernel_size, self.strides, strict=True
            )
        ]
        return (n_rows, self.filters, *places)


def runs_jax_on_cpu():
    """Say whether Keras computes by JAX on a CPU."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "cpu"
