"""The door to Keras leaves no trace on what the caller has."""

import random
import subprocess
import sys

import numpy as np
import pytest

from mne_sbi._keras import import_keras, isolated_seed


def global_state():
    keras_global = pytest.importorskip("keras.src.backend.common.global_state")
    names = ("global_random_seed", "global_seed_generator")
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2],
        *(keras_global.get_global_attribute(name) for name in names),
    )


def test_seed_is_isolated():
    import_keras().utils.set_random_seed(3)
    before = global_state()
    draws = []
    for _ in range(2):
        with isolated_seed(5) as keras:
            draws.append(np.asarray(keras.random.normal((4,))))
            assert np.random.get_state()[1].tolist() != before[1]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert global_state() == before


def test_seed_is_restored_after_an_error():
    before = global_state()
    with pytest.raises(RuntimeError, match="inside"):
        with isolated_seed(5):
            raise RuntimeError("inside")
    assert global_state() == before


def run(code, **environment):
    import os

    keep = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=keep | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_backend_is_chosen_without_keras_json(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    code = (
        "import random, numpy as np; before = np.random.get_state()[1].tolist(), "
        "random.getstate()\n"
        "from mne_sbi._keras import import_keras\n"
        "print(import_keras().backend.backend())\n"
        "assert (np.random.get_state()[1].tolist(), random.getstate()) == before"
    )
    done = run(code, KERAS_HOME=str(tmp_path))
    assert done.stdout.strip() == "jax", done.stderr


def test_missing_backend_says_what_to_do(tmp_path):
    hide = (
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n in ('jax', 'torch', 'tensorflow') "
        "else found(n, *a)\n"
    )
    code = hide + "from mne_sbi._keras import import_keras; import_keras()"
    done = run(code, KERAS_HOME=str(tmp_path))
    assert "pip install jax" in done.stderr
    assert not (tmp_path / "keras.json").exists()


def test_wrong_backend_is_named(tmp_path):
    code = "from mne_sbi._keras import import_keras; import_keras()"
    done = run(code, KERAS_HOME=str(tmp_path), KERAS_BACKEND="tensorflow")
    if done.returncode == 0:
        pytest.skip("TensorFlow is installed")
    assert "KERAS_BACKEND" in done.stderr.splitlines()[-1]


def test_names_in_capitals_are_understood():
    code = "from mne_sbi._keras import import_keras; import_keras()"
    message = run(code, KERAS_BACKEND="JAX").stderr.splitlines()[-1]
    assert "KERAS_BACKEND is 'JAX'" in message
    assert "jax, torch, tensorflow. Names are in lower case." in message


def test_a_backend_that_cannot_train_is_an_error_before_simulating(monkeypatch):
    import mne_sbi.estimators._observation as observation
    from mne_sbi import SGMInverter
    from mne_sbi.eeg_fmri import EEG2fMRIRegressor
    from mne_sbi.inference import NPE

    def simulate(*args, **kwargs):
        raise AssertionError("simulated in vain")

    monkeypatch.setattr(observation, "simulate", simulate)
    monkeypatch.setattr(import_keras().backend, "backend", lambda: "numpy")
    theta, x = np.full((20, 1), 0.5), np.zeros((20, 3))
    windows = np.zeros((20, 4, 3, 5), "float32")
    for fit in (
        SGMInverter(method="npe").fit,
        lambda: NPE().fit(theta, x),
        lambda: EEG2fMRIRegressor("residual", t_r=2.0).fit(windows, x),
    ):
        with pytest.raises(RuntimeError, match="'numpy' cannot train.*KERAS_BACKEND"):
            fit()
    with pytest.raises(AssertionError, match="in vain"):
        SGMInverter(method="abc").fit()
