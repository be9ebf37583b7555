"""The limit of BLAS threads is given back, however blocks overlap."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mne_sbi._threads import one_blas_thread


def n_threads():
    return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    np.linalg.inv(np.eye(3))  # the library is loaded
    with threadpool_limits(2, user_api="blas"):
        if n_threads() != {2}:
            pytest.skip("this BLAS cannot use two threads")
        yield


def test_limit_and_restore(two_threads):
    with one_blas_thread():
        assert n_threads() == {1}
        with one_blas_thread():
            assert n_threads() == {1}
        assert n_threads() == {1}
    assert n_threads() == {2}


def test_restored_after_an_error(two_threads):
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert n_threads() == {2}


def test_overlapping_threads(two_threads):
    """The first to enter leaves first: each restoring what it found would leave 1."""
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    seen = []

    def first():
        with one_blas_thread():
            first_in.set()
            assert second_in.wait(10)
        first_out.set()

    def second():
        assert first_in.wait(10)
        with one_blas_thread():
            second_in.set()
            assert first_out.wait(10)
            seen.append(n_threads())

    threads = [threading.Thread(target=f) for f in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [{1}]
    assert n_threads() == {2}
