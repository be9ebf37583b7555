"""Layers of Calhas' network against definitions, SciPy and plain Keras."""

import numpy as np
import pytest
from scipy.fft import idctn
from scipy.ndimage import maximum_filter
from scipy.optimize import minimize

from mne_sbi._keras import import_keras, isolated_seed

keras = import_keras()
ops = keras.ops
jax = pytest.importorskip("jax")

from mne_sbi.eeg_fmri._calhas_layers import (  # noqa: E402
    FourierFeatures,
    InverseDCT,
    ResidualBlock,
    ScaleOffset,
    TopographicalAttention,
    VoxelDense,
    pool,
    sparsemax,
)
from mne_sbi.eeg_fmri._calhas_networks import (  # noqa: E402
    measure_angles,
    measure_products,
)

needs_jax = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="gradients are taken by JAX"
)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def project(scores):
    """Nearest point of the simplex, by minimisation."""
    n = len(scores)
    found = minimize(
        lambda p: 0.5 * ((p - scores) ** 2).sum(),
        np.full(n, 1 / n),
        jac=lambda p: p - scores,
        bounds=[(0, None)] * n,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        options={"ftol": 1e-14},
    )
    return found.x


def test_sparsemax_is_the_projection_on_the_simplex():
    """Nearest points with no negative part and the sum one, by minimisation."""
    scores = draw(12, 6)
    scores[0] = 0.3, 0.3, 0.3, 0.3, -1, -1
    scores[1] = 9, 0, 0, 0, 0, 0
    found = np.asarray(sparsemax(scores))
    expected = np.stack([project(row.astype(float)) for row in scores])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (found == 0).any() and (found > 0).sum(axis=1).max() > 1
    # A row of many equal scores is spread evenly.
    np.testing.assert_allclose(found[0], [0.25] * 4 + [0] * 2, atol=1e-6)


@needs_jax
def test_gradient_of_sparsemax_is_known():
    """The Jacobian is diag(s) - s s' / |s| for the indicator s of the support."""
    scores = draw(6)
    support = (np.asarray(sparsemax(scores)) > 0).astype(float)
    assert 1 < support.sum() < 6
    expected = np.diag(support) - np.outer(support, support) / support.sum()
    np.testing.assert_allclose(jax.jacobian(sparsemax)(scores), expected, atol=1e-6)


def test_attention_mixes_channels():
    """W = sparsemax(X A') has rows that sum to one, and W X is returned."""
    layer = TopographicalAttention()
    layer.build((None, 5, 4, 3))
    x = 3 * draw(2, 5, 4, 3)
    mixed, weights = (np.asarray(value) for value in layer(x))
    rows, queries = x.reshape(2, 5, 12), np.asarray(layer.queries.value)
    expected = np.asarray(sparsemax(rows @ queries.T))
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert (weights == 0).any() and (weights >= 0).all()
    np.testing.assert_allclose(mixed.reshape(2, 5, 12), weights @ rows, atol=1e-5)


@pytest.mark.parametrize("size", [(2, 2, 1), (2, 3, 2)])
def test_pool_is_the_maximum_of_neighbours(size):
    """As SciPy's filter, where it does not look beyond the edge."""
    x = draw(2, 3, 5, 6, 4)
    found = np.asarray(pool(x, size))
    # The window of SciPy begins size // 2 before a place.
    filtered = maximum_filter(x, (1, 1, *size))
    inner = tuple(
        slice(s // 2, s // 2 + n - s + 1)
        for s, n in zip(size, x.shape[2:], strict=True)
    )
    np.testing.assert_array_equal(found, filtered[(slice(None), slice(None), *inner)])


def make_plain_block(block, shape, kernel, strides, pool_size):
    """The block out of Keras' own layers, with the same weights, channels last."""
    layers = keras.layers
    first, second = block._first, block._second
    kernels = np.asarray(first.kernel.value)
    inputs = keras.Input(shape)
    sides = []
    for part in (slice(None, 4), slice(4, None)):
        convolution = layers.Conv3D(4, kernel, strides=strides)
        norm = layers.BatchNormalization()
        side = layers.MaxPooling3D(pool_size, strides=1)(convolution(inputs))
        side = norm(side)
        convolution.set_weights([kernels[..., part], np.asarray(first.bias)[part]])
        norm.set_weights([np.asarray(w)[part] for w in block._first_norm.weights])
        sides.append(side)
    convolution, norm = layers.Conv3D(4, 3, padding="same"), layers.BatchNormalization()
    left = layers.ReLU()(norm(convolution(layers.ReLU()(sides[0]))))
    convolution.set_weights([np.asarray(second.kernel), np.asarray(second.bias)])
    norm.set_weights([np.asarray(w) for w in block._second_norm.weights])
    return keras.Model(inputs, layers.ReLU()(layers.Add()([left, sides[1]])))


@pytest.mark.parametrize("training", [False, True])
def test_block_is_that_of_plain_keras(training):
    """Two ways with convolutions of their own give the same numbers."""
    shape, kernel, strides, pool_size = (9, 12, 5), (3, 4, 2), (1, 2, 1), (2, 2, 1)
    block = ResidualBlock(kernel, strides, pool_size)
    with isolated_seed(0):
        block.build((None, 1, *shape))
        for weight in block.weights:
            noise = draw(*weight.shape, seed=len(weight.path))
            weight.assign(np.asarray(weight.value) + 0.1 * np.abs(noise))
        plain = make_plain_block(block, (*shape, 1), kernel, strides, pool_size)
        x = draw(3, 1, *shape)
        found = np.asarray(block(x, training=training))
        expected = np.asarray(plain(np.moveaxis(x, 1, -1), training=training))
    assert found.shape == (3, *block.compute_output_shape((3, 1, *shape))[1:])
    assert (found > 0).any()
    np.testing.assert_allclose(found, np.moveaxis(expected, -1, 1), atol=1e-5)


def test_fourier_features_are_those_of_the_paper():
    """Frozen random waves, normalised, with half of pi as gain and offset."""
    layer = FourierFeatures()
    layer.build((None, 40))
    omega, phase, gain, offset = (
        np.asarray(getattr(layer, name).value)
        for name in ("omega", "phase", "gain", "offset")
    )
    assert len(layer.trainable_weights) == 1
    assert float(layer.scale) == pytest.approx(np.sqrt(20))
    assert abs(omega.mean()) < 0.1 and abs(omega.std() - 1) < 0.1
    assert 0 <= phase.min() and phase.max() < 2 * np.pi and phase.std() > 1
    np.testing.assert_allclose([gain, offset], np.pi / 2, rtol=1e-6)
    z = draw(3, 40)
    normalise = keras.layers.LayerNormalization(
        gamma_initializer=keras.initializers.Constant(np.pi / 2),
        beta_initializer=keras.initializers.Constant(np.pi / 2),
    )
    expected = np.cos(np.asarray(normalise(z @ omega / np.sqrt(20) + phase)))
    np.testing.assert_allclose(layer(z), expected, atol=1e-5)


def test_scale_of_fourier_features_stays_above_zero():
    """It divides."""
    layer = FourierFeatures()
    layer.build((None, 3))
    assert 0 < float(layer.scale.constraint(ops.convert_to_tensor(-1.0))) < 1e-3
    assert float(layer.scale.constraint(ops.convert_to_tensor(2.0))) == 2


def test_waves_are_those_of_scipy():
    """Zeros behind the slowest coefficients, and SciPy's inverse transform."""
    layer = InverseDCT((6, 5, 7), (3, 5, 2))
    x = draw(2, 3, 5, 2)
    padded = np.zeros((2, 6, 5, 7))
    padded[:, :3, :5, :2] = x
    expected = idctn(padded, axes=(1, 2, 3), norm="ortho")
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("n_rows", [1, 4, 20])
def test_voxel_dense_is_dense(n_rows):
    """With its kernel turned, for few rows and for many."""
    ours, theirs = VoxelDense(30), keras.layers.Dense(30)
    ours.build((None, 7))
    theirs.build((None, 7))
    kernel, bias = draw(30, 7), draw(30)
    ours.set_weights([kernel, bias])
    theirs.set_weights([kernel.T, bias])
    x = draw(n_rows, 7)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


def test_scale_offset_is_a_convolution_of_one_voxel():
    """One number times the volume, and another one added."""
    layer = ScaleOffset()
    layer.build(None)
    layer.set_weights([np.float32(2), np.float32(3)])
    np.testing.assert_allclose(layer(np.array([[1.0, 4.0]])), [[5, 11]])


def test_documented_loss():
    """One minus the cosine of each pair, and no other pairs."""
    a, b = draw(4, 343), draw(4, 343, seed=1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.diag(a @ b.T) / norms
    assert float(measure_angles(a, b)) == pytest.approx(1 - np.mean(cosines), abs=1e-6)
    assert float(measure_angles(a, 3 * a)) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(float(measure_angles(a, 0 * b)))


def test_published_loss():
    """All pairs of the batch, axes reversed, norms of the batch: as its code has it."""
    a, b = draw(4, 343), draw(4, 343, seed=1)
    x, y = a.reshape(4, 7, 7, 7), b.reshape(4, 7, 7, 7)
    total = 0
    for i in range(4):
        for j in range(4):
            total += (x[i] * y[j].transpose(2, 1, 0)).sum()
    expected = 1 - total / 16 / np.sqrt((a**2).sum() * (b**2).sum())
    assert float(measure_products(a, b)) == pytest.approx(expected, abs=1e-6)
    # What makes it a mistake: its least value is where all vectors are the same.
    same = np.broadcast_to(x[:1] + x[:1].transpose(0, 3, 2, 1), x.shape)
    same = same.reshape(4, 343)
    assert float(measure_products(same, same)) == pytest.approx(0.75, abs=1e-6)
    assert float(measure_products(a, a)) > 0.75
