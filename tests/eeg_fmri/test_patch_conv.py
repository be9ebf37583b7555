"""Convolution by patches against the convolution of Keras and that of SciPy."""

import numpy as np
import pytest
from scipy.signal import correlate

from mne_sbi._keras import import_keras

keras = import_keras()
jax = pytest.importorskip("jax")

from mne_sbi.eeg_fmri import _patch_conv  # noqa: E402
from mne_sbi.eeg_fmri._patch_conv import GlorotUniform, PatchConv3D  # noqa: E402
from mne_sbi.eeg_fmri._patch_products import convolve, multiply  # noqa: E402

needs_jax = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="gradients are taken by JAX"
)
# Kernel, strides: every axis strided or not, every axis summed or copied.
CASES = [
    ((3, 4, 2), (1, 1, 1)),
    ((3, 4, 2), (2, 1, 1)),
    ((4, 3, 2), (3, 2, 1)),
    ((4, 2, 3), (1, 1, 2)),
    ((2, 3, 4), (2, 3, 3)),
    ((1, 1, 1), (1, 1, 1)),
    ((7, 9, 8), (1, 1, 1)),
    ((2, 7, 2), (1, 1, 1)),
]
SHAPE = (7, 9, 8)


def make_arrays(kernel, n_inputs=2, n_outputs=3):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, n_inputs, *SHAPE)).astype(np.float32)
    weights = rng.standard_normal((*kernel, n_inputs, n_outputs)).astype(np.float32)
    # Outputs of the order of one.
    return x, weights / np.float32(np.sqrt(n_inputs * np.prod(kernel)))


def convolve_by_scipy(x, weights, strides):
    """Sum over inputs of correlations, in double precision."""
    rows = [
        [
            sum(
                correlate(volume[i], weights[..., i, o].astype(float), "valid")
                for i in range(x.shape[1])
            )
            for o in range(weights.shape[-1])
        ]
        for volume in x.astype(float)
    ]
    steps = tuple(slice(None, None, s) for s in strides)
    return np.array(rows)[(slice(None), slice(None), *steps)]


def convolve_by_jax(x, weights, strides):
    """Convolution of XLA."""
    return jax.lax.conv_general_dilated(
        x, weights, strides, "VALID", dimension_numbers=("NCHWD", "HWDIO", "NCHWD")
    )


@pytest.mark.parametrize(("kernel", "strides"), CASES)
def test_values_are_those_of_scipy(kernel, strides):
    """Sums are those of SciPy, in double precision."""
    x, weights = make_arrays(kernel)
    expected = convolve_by_scipy(x, weights, strides)
    found = np.asarray(convolve(x, weights, strides))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@needs_jax
@pytest.mark.parametrize(("kernel", "strides"), CASES)
def test_gradients_are_those_of_xla(kernel, strides):
    """Gradients of a nonlinear function of the outputs, for volumes and kernel."""
    x, weights = make_arrays(kernel)

    def gradients(function):
        def loss(x, weights):
            return jax.numpy.sin(function(x, weights, strides)).sum()

        return jax.jit(jax.grad(loss, (0, 1)))(x, weights)

    found, expected = gradients(convolve), gradients(convolve_by_jax)
    for one, other in zip(found, expected, strict=True):
        scale = float(np.abs(other).max())
        np.testing.assert_allclose(one, other, atol=1e-5 * scale)


@pytest.mark.parametrize(
    ("kernel", "strides", "padding"),
    [((3, 2, 4), (2, 1, 1), "valid"), ((3, 3, 3), (1, 1, 1), "same")],
)
@pytest.mark.parametrize("on_cpu", [True, False])
def test_layer_is_that_of_keras(monkeypatch, kernel, strides, padding, on_cpu):
    """The layer with Keras' weights, by patches and by the backend's convolution."""
    if not on_cpu:
        monkeypatch.setattr(_patch_conv, "runs_jax_on_cpu", lambda: False)
    x, _ = make_arrays(kernel)
    theirs = keras.layers.Conv3D(5, kernel, strides=strides, padding=padding)
    expected = np.asarray(theirs(np.moveaxis(x, 1, -1)))
    ours = PatchConv3D(5, kernel, strides, padding)
    ours.build(x.shape)
    bias = np.arange(5, dtype=np.float32)
    ours.set_weights([np.asarray(theirs.kernel.value), bias])
    found = np.asarray(ours(x))
    assert ours.compute_output_shape(x.shape) == found.shape
    expected = np.moveaxis(expected + bias, -1, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_initial_weights_are_glorots():
    """Uniform between the limits that two separate convolutions would have."""
    layer = PatchConv3D(8, (5, 6, 7), n_together=2)
    layer.build((None, 4, 9, 9, 9))
    drawn = np.asarray(layer.kernel.value)
    limit = np.sqrt(6 / (5 * 6 * 7 * (4 + 4)))
    assert drawn.shape == (5, 6, 7, 4, 8)
    assert 0.99 * limit < drawn.max() <= limit
    assert -limit <= drawn.min() < -0.99 * limit
    np.testing.assert_allclose(drawn.std(), limit / np.sqrt(3), rtol=0.03)
    assert GlorotUniform(2, 3).get_config() == {"fan_in": 2, "fan_out": 3}


@pytest.mark.parametrize(
    ("kernel", "strides"), [((3, 2, 3), (1, 1, 1)), ((3, 3, 3), (1, 2, 1))]
)
def test_same_padding_needs_odd_kernels_without_strides(kernel, strides):
    """What has no middle cannot stay as large as it is."""
    with pytest.raises(ValueError, match="odd kernels and strides of 1"):
        PatchConv3D(2, kernel, strides, "same")


@needs_jax
def test_outer_products_are_the_gradient_of_the_product():
    """Product, and its gradients, are those of plain JAX."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 6)).astype(np.float32)
    kernel = rng.standard_normal((50, 6)).astype(np.float32)

    def gradients(function):
        return jax.grad(lambda *a: jax.numpy.sin(function(*a)).sum(), (0, 1))(x, kernel)

    np.testing.assert_array_equal(multiply(x, kernel), x @ kernel.T)
    expected = gradients(lambda x, kernel: x @ kernel.T)
    for found, other in zip(gradients(multiply), expected, strict=True):
        np.testing.assert_allclose(found, other, atol=1e-5)
