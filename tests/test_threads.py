"""The limit of BLAS threads is given back, however blocks overlap."""

import os
import subprocess
import sys
import textwrap

import pytest

# In processes of their own: the tests themselves run with one thread.
START = """
import threading
import numpy as np
from threadpoolctl import threadpool_info
from mne_sbi._threads import one_blas_thread

np.linalg.inv(np.eye(3))  # the library is loaded

def n_threads():
    return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

assert n_threads() == {2}, n_threads()
"""

NESTED = """
with one_blas_thread():
    assert n_threads() == {1}
    with one_blas_thread():
        assert n_threads() == {1}
    assert n_threads() == {1}
assert n_threads() == {2}
try:
    with one_blas_thread():
        raise KeyError
except KeyError:
    pass
assert n_threads() == {2}
"""

# The first to enter leaves first: each restoring what it found would leave one thread.
OVERLAPPING = """
first_in, second_in, first_out = (threading.Event() for _ in range(3))
reached = []

def first():
    with one_blas_thread():
        first_in.set()
        assert second_in.wait(10)
        assert n_threads() == {1}
    first_out.set()

def second():
    assert first_in.wait(10)
    with one_blas_thread():
        second_in.set()
        assert first_out.wait(10)
    reached.append(True)

threads = [threading.Thread(target=f) for f in (first, second)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert reached == [True]
assert n_threads() == {2}
with one_blas_thread():
    assert n_threads() == {1}
"""

# The caller's own limit, set in another thread, is replaced and given back.
INSIDE = """
from threadpoolctl import threadpool_limits

found = []

def work():
    with one_blas_thread():
        found.append(n_threads())
    found.append(n_threads())

with threadpool_limits(3, user_api="blas"):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [{1}, {3}], found
assert n_threads() == {2}, n_threads()
"""


@pytest.mark.parametrize(
    "script",
    [NESTED, OVERLAPPING, INSIDE],
    ids=["nested", "overlapping", "inside"],
)
def test_limit_is_given_back(script):
    if (os.cpu_count() or 1) < 2:
        pytest.skip("BLAS does not start more threads than there are cores")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    run = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(script)],
        env=os.environ | dict.fromkeys(names, "2"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
