"""Banks larger than memory, killed at random moments, or made by a cluster."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc

import joblib
import numpy as np
import pytest

import mne_sbi.simulation._run as run
from mne_sbi import Parameter, simulate
from mne_sbi.inference import PointRegressor
from mne_sbi.models import ForwardModel, SpectralGraphModel
from mne_sbi.testing import make_connectome

from .conftest import assert_same


class Wide(ForwardModel):
    """Spectra of many nodes, quickly."""

    output = "spectrum"
    parameters = (Parameter("height", 1.0, 10.0, 5.0),)

    def __init__(self, n_nodes=100, freqs=tuple(range(1, 41))):
        self.n_nodes = n_nodes
        self.freqs = freqs

    def simulate(self, params, key):
        import jax.numpy as jnp

        phase = params["height"] * jnp.arange(1, self.n_nodes + 1)[:, None]
        return 2 + jnp.sin(phase + jnp.asarray(self.freqs, float))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_memory_does_not_grow_with_the_bank(tmp_path, monkeypatch, n_jobs):
    monkeypatch.setattr(run, "_CHUNK", 100)
    chunk = 100 * 100 * 40 * 4
    monkeypatch.setattr("mne_sbi.simulation._rows._CACHE_BYTES", 3 * chunk)
    model, settings = Wide(), {"fname": tmp_path / "a.sims", "n_jobs": n_jobs}
    method = PointRegressor((8,), None, max_iter=1, batch_size=100)
    monkeypatch.setattr("mne_sbi.inference._scaling._MAX_ROWS", 200)
    monkeypatch.setattr("mne_sbi.inference._network_method._MAX_VALIDATION", 200)
    small = simulate(model, None, 100, **settings)
    method.fit(small.prior.to_unit(small.theta), small.x)  # imports and compiles
    tracemalloc.start()
    try:
        bank = simulate(model, None, 4000, **settings)
        # Each thread has a chunk, its logarithm, and what it copies to check them.
        assert tracemalloc.get_traced_memory()[1] < 5 * n_jobs * chunk
        assert bank.x.nbytes == 40 * chunk
        tracemalloc.reset_peak()
        method.fit(bank.prior.to_unit(bank.theta), bank.x, random_state=0)
        # The cache, the rows for scaling and for validation, and a few batches.
        assert tracemalloc.get_traced_memory()[1] < 15 * chunk
    finally:
        tracemalloc.stop()


KILLED = """
    import sys

    from mne_sbi import simulate
    from mne_sbi.models import SpectralGraphModel
    from mne_sbi.testing import make_connectome

    model = SpectralGraphModel(make_connectome(20), [5.0, 10.0, 20.0])
    print("ready", flush=True)
    simulate(model, None, 30_000, fname=sys.argv[1], random_state=4, n_jobs=2)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_random_moments(tmp_path):
    fname, rng = tmp_path / "bank.sims", np.random.default_rng(0)
    model = SpectralGraphModel(make_connectome(20), [5.0, 10.0, 20.0])
    start = time.monotonic()
    expected = simulate(model, None, 30_000, random_state=4)
    took = time.monotonic() - start
    n_there, n_killed = [], 0
    for _ in range(6):
        program = [sys.executable, "-c", textwrap.dedent(KILLED), str(fname)]
        with subprocess.Popen(
            program, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"ready\n", process.stderr.read()
            # Preparing the first chunk takes a moment, too.
            time.sleep(0.1 + rng.random() * took)
            process.kill()
            process.communicate()
            n_killed += process.returncode == -signal.SIGKILL
        n_there.append(len(list(fname.glob("chunk-*.h5"))))
    assert n_killed >= 2
    assert n_there == sorted(n_there)
    bank = simulate(model, None, 30_000, fname=fname, random_state=4)
    assert_same(bank, expected)
    # No half file of those who were killed is left.
    assert len(list(fname.iterdir())) == 15 + 1


@pytest.mark.slow
def test_a_cluster_of_which_one_worker_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    model = SpectralGraphModel(make_connectome(20), [5.0, 10.0, 20.0], engine="exact")
    settings = {"n_simulations": 20_000, "random_state": 4}
    expected = simulate(model, **settings)
    fname, n_there, pids = tmp_path / "bank.sims", [], []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):
        pids += client.run(os.getpid).values()
        assert len(set(pids)) == 2 and os.getpid() not in pids

        def kill_one():
            while not (n_there and n_there[-1] >= 3):
                n_there.append(len(list(fname.glob("chunk-*.h5"))))
                time.sleep(0.01)
            os.kill(pids[0], signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        bank = simulate(model, fname=fname, **settings)
        killer.join()
    assert n_there[-1] < 10
    assert_same(bank, expected)
