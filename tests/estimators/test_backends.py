"""A saved inverter predicts the same under every Keras backend that is installed."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from mne_sbi.inference import NPE, PointRegressor

# Small, because what differs between backends does so in each of their operations. The
# sequence networks compile for half a minute; they agreed to 3e-8 when tried by hand.
METHODS = {
    "spline": NPE(max_iter=1),
    "mixture": NPE(density="mixture", n_components=4, max_iter=1),
    "point": PointRegressor((16, 16), 4, max_iter=1),
}
# NumPy's needs no installation, and cannot train.
BACKENDS = ("jax", "torch", "tensorflow", "numpy")
PROGRAM = """
    import sys
    from pathlib import Path

    import keras
    import numpy as np

    from mne_sbi import read_inverter

    folder = Path(sys.argv[1])
    x = np.load(folder / "x.npy")
    found = {"backend": keras.backend.backend()}
    for fname in sorted(folder.glob("*.zip")):
        inverter = read_inverter(fname)
        found[f"{fname.stem}_mean"] = inverter.predict(x)
        if inverter.method_.gives_posterior:
            found[f"{fname.stem}_draws"] = inverter.predict_posterior(x).draws
    np.savez(folder / f"{sys.argv[2]}.npz", **found)
"""


@pytest.fixture(scope="module")
def saved(make_inverter, spectra, tmp_path_factory):
    """A folder with an inverter per method, and what each of them predicts here."""
    folder = tmp_path_factory.mktemp("backends")
    np.save(folder / "x.npy", spectra)
    found = {}
    for name, method in METHODS.items():
        inverter = make_inverter(method=method).fit(spectra)
        inverter.save(folder / f"{name}.zip")
        found[f"{name}_mean"] = inverter.predict(spectra)
        if inverter.method_.gives_posterior:
            found[f"{name}_draws"] = inverter.predict_posterior(spectra).draws
    return folder, inverter.prior_, found


def keras_backend():
    from mne_sbi._keras import import_keras

    return import_keras().backend.backend()


def run(folder, backend):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(folder), backend],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / f"{backend}.npz") as arrays:
        return dict(arrays)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
# Of Keras and PyTorch, where this process has them.
@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_predictions_under_another_backend(request, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the Keras backend {backend} is not installed")
    if backend == keras_backend():
        pytest.skip(f"{backend} is the Keras backend of this process")
    folder, prior, expected = request.getfixturevalue("saved")
    found = run(folder, backend)
    assert str(found.pop("backend")) == backend
    assert found.keys() == expected.keys()
    # Parameters differ in scale by orders of magnitude: relative to their ranges.
    scale = prior.high - prior.low
    worst = {n: np.max(np.abs(found[n] - v) / scale) for n, v in expected.items()}
    print(
        f"\n{backend}: largest differences", {k: f"{v:.1e}" for k, v in worst.items()}
    )
    assert {n: v for n, v in worst.items() if not v <= 1e-5} == {}
