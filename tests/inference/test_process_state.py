"""Threads, and settings of the whole process, do not change what methods find."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi._keras import import_keras
from mne_sbi.inference import NPE, PointRegressor

METHODS = {
    "mixture": NPE(density="mixture", max_iter=2, batch_size=32, n_components=3),
    "point": PointRegressor((16,), 3, max_iter=2, batch_size=32),
}
RNG = np.random.default_rng(0)
THETA = RNG.random((120, 2))
X = THETA @ RNG.standard_normal((2, 4)) + 0.1 * RNG.standard_normal((120, 4))


def fit(name, seed):
    return clone(METHODS[name]).fit(THETA, X, random_state=seed)


def result(method):
    if method.gives_posterior:
        return method.sample(X, 50, random_state=5)
    return method.predict(X)


@pytest.fixture(scope="module")
def fitted():
    return {name: fit(name, 3) for name in METHODS}


@pytest.fixture(scope="module")
def expected(fitted):
    return {name: result(method) for name, method in fitted.items()}


def in_threads(function, n=4):
    with ThreadPoolExecutor(n) as pool:
        return [future.result() for future in [pool.submit(function) for _ in range(n)]]


@pytest.mark.parametrize("name", METHODS)
def test_one_method_predicts_in_several_threads(name, fitted, expected):
    """As one after the other, also where the threads have to build the network."""
    read = type(fitted[name]).from_state(*fitted[name].get_state())
    for method in (fitted[name], read):
        for found in in_threads(lambda method=method: result(method)):
            np.testing.assert_array_equal(found, expected[name])
    np.testing.assert_array_equal(result(read), expected[name])


def test_fits_in_several_threads_are_those_of_one(expected):
    for found in in_threads(lambda: result(fit("mixture", 3)), 2):
        np.testing.assert_array_equal(found, expected["mixture"])


def test_a_method_predicts_while_another_one_trains(fitted, expected):
    with ThreadPoolExecutor(2) as pool:
        training = pool.submit(lambda: result(fit("mixture", 3)))
        for _ in range(5):
            np.testing.assert_array_equal(result(fitted["point"]), expected["point"])
        np.testing.assert_array_equal(training.result(), expected["mixture"])


@pytest.mark.parametrize(
    ("name", "setting"),
    [("mixture", "bfloat16"), ("point", "float16"), ("point", "mixed_bfloat16")],
)
def test_the_precision_of_keras_is_that_of_the_package(name, setting, expected):
    config = import_keras().config
    floatx, policy = config.floatx(), config.dtype_policy()
    try:
        if not setting.startswith("mixed"):
            config.set_floatx(setting)
        config.set_dtype_policy(setting)
        method = fit(name, 3)
        np.testing.assert_array_equal(result(method), expected[name])
        read = type(method).from_state(*method.get_state())
        np.testing.assert_array_equal(result(read), expected[name])
        # What the user chose is still there.
        assert config.floatx() == (floatx if "mixed" in setting else setting)
        assert config.dtype_policy().name == setting
    finally:
        config.set_floatx(floatx)
        config.set_dtype_policy(policy)


@pytest.mark.parametrize("name", METHODS)
def test_settings_of_jax_do_not_matter(name, expected):
    with jax.enable_x64(True):
        np.testing.assert_array_equal(result(fit(name, 3)), expected[name])
    with jax.numpy_dtype_promotion("strict"):
        np.testing.assert_array_equal(result(fit(name, 3)), expected[name])
