"""A bank is a function of the study and the seed, whatever the process is set to."""

import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

import mne_sbi.simulation._run as run
from mne_sbi import simulate
from mne_sbi.models import JansenRit, SpectralGraphModel
from mne_sbi.testing import make_connectome

MODELS = {
    "spectral graph": SpectralGraphModel(make_connectome(4), [5.0, 10.0, 20.0]),
    "Jansen-Rit": JansenRit(sfreq=100.0, duration=2.0, burn_in=0.1),
}


def make(model, n_jobs=1):
    return simulate(
        model, n_simulations=8, random_state=3, n_jobs=n_jobs, verbose="error"
    )


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_settings_of_jax_and_threads_do_not_matter(model, monkeypatch):
    monkeypatch.setattr(run, "_CHUNK", 4)
    expected = make(model)
    assert len(np.unique(expected.x)) > 20
    with jax.enable_x64(True):
        wide = make(model)
    params, key = {p.name: p.default for p in model.get_parameters()}, jax.random.key(0)
    one = np.asarray(model.simulate(params, key))
    with jax.numpy_dtype_promotion("strict"):
        strict = make(model)
        np.testing.assert_array_equal(model.simulate(params, key), one)
    for bank in (wide, strict, make(model, n_jobs=2)):
        np.testing.assert_array_equal(bank.theta, expected.theta)
        np.testing.assert_array_equal(bank.x, expected.x)


PROGRAM = """
    import multiprocessing
    import numpy as np
    from threadpoolctl import threadpool_limits
    from mne_sbi import simulate
    from mne_sbi.models import SpectralGraphModel
    from mne_sbi.testing import make_connectome

    def make(n_jobs=1, n=2100):
        return simulate(
            SpectralGraphModel(make_connectome(30), [5.0, 10.0, 20.0]),
            n_simulations=n, random_state=0, n_jobs=n_jobs, verbose="error"
        ).x

    def make_in_fork(connection):
        try:
            make(n=10)
        except RuntimeError as error:
            connection.send(str(error))
        else:
            connection.send("no error")

    with threadpool_limits(2):
        one, two = make(1), make(2)
    assert np.array_equal(one, two), np.abs(one - two).max()
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=make_in_fork, args=(theirs,)
    )
    process.start()
    assert ours.poll(60), "the fork hangs"
    text = ours.recv()
    assert "forked from one that had used JAX" in text and "spawn" in text, text
    process.join()
"""


def test_threads_of_blas_and_forks():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROGRAM)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
