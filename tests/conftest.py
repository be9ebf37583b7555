"""Settings that every test needs before it imports the package's dependencies."""

import os
import tempfile
from pathlib import Path

import pytest

# MNE, Keras and Matplotlib read these when they are imported, hence not in a fixture.
_SCRATCH = tempfile.TemporaryDirectory(prefix="mne_sbi_tests_")
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["MPLBACKEND"] = "agg"
os.environ["_MNE_FAKE_HOME_DIR"] = _SCRATCH.name
os.environ["MNE_SBI_CACHE_DIR"] = str(Path(_SCRATCH.name) / "cache")
# Many tests compile the same networks. Workers inherit the folder, and the workers of
# one session share it.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(_SCRATCH.name) / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
# The tests run side by side with others and on small machines: more threads than cores
# only make them wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_unconfigure():
    _SCRATCH.cleanup()


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real recordings, which is not part of the repository.

    ``MNE_SBI_TEST_DATA`` names it; otherwise it is sought beside the repository.
    """
    configured = os.environ.get("MNE_SBI_TEST_DATA")
    folder = Path(configured) if configured else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            "real recordings not found: set MNE_SBI_TEST_DATA to the folder that "
            "holds spectrome/"
        )
    return folder


@pytest.fixture
def cache_dir(tmp_path, monkeypatch):
    """An empty cache folder for one test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MNE_SBI_CACHE_DIR", str(folder))
    return folder
