"""Fitting and predicting leave the global random generators as they were."""

import os
import random
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from mne_sbi.inference import NPE, PointRegressor

METHODS = {
    "npe": NPE(density="mixture", max_iter=1),
    "point": PointRegressor((8,), None, max_iter=1),
}


def use_everything(inverter, spectra):
    inverter.fit(spectra)
    inverter.predict(spectra, refine=True)
    inverter.simulate_features(5)
    inverter.score(spectra)


@pytest.mark.filterwarnings("ignore:The refined values stand at an end")
@pytest.mark.parametrize("method", METHODS)
def test_generators_of_python_numpy_and_keras(make_inverter, spectra, method):
    import keras

    def draw():
        keras_draw = np.asarray(keras.random.normal((3,)))
        return random.random(), np.random.random(), keras_draw.tolist()

    keras.utils.set_random_seed(3)
    expected = [draw(), draw()]
    keras.utils.set_random_seed(3)
    found = [draw()]
    use_everything(make_inverter(method=METHODS[method]), spectra)
    found.append(draw())
    assert found == expected


def test_global_seeds_do_not_decide(make_inverter, spectra):
    found = []
    for seed in (0, 1):
        np.random.seed(seed)
        random.seed(seed)
        inverter = make_inverter(method=METHODS["point"]).fit(spectra)
        found.append(inverter.predict(spectra))
    np.testing.assert_array_equal(*found)


def test_random_state_object_advances(make_inverter, spectra):
    state = np.random.RandomState(0)
    inverter = make_inverter(random_state=state)
    first, second = (inverter.fit(spectra).seed_ for _ in range(2))
    assert first != second
    assert make_inverter(random_state=np.random.RandomState(0)).fit().seed_ == first


@pytest.mark.slow
def test_the_first_import_of_keras_and_jax():
    """It happens inside of fit, and draws from the global generators."""
    program = """
        import random, sys
        import numpy as np
        from mne_sbi import SGMInverter
        from mne_sbi.inference import PointRegressor
        from mne_sbi.testing import make_connectome

        assert not {"jax", "keras"} & set(sys.modules)
        random.seed(1), np.random.seed(2)
        before = random.getstate(), np.random.get_state()
        inverter = SGMInverter(
            make_connectome(4),
            freqs=[5.0, 10.0, 20.0],
            method=PointRegressor((4,), None, max_iter=1),
            n_simulations=50,
            random_state=0,
            verbose="error",
        )
        X = inverter.fit().inverse_transform(inverter.prior_.sample(2, 0))
        inverter.predict(X)
        assert {"jax", "keras"} <= set(sys.modules)
        after = random.getstate(), np.random.get_state()
        assert after[0] == before[0]
        for a, b in zip(after[1], before[1]):
            assert np.array_equal(a, b)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
