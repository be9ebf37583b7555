"""One BLAS thread, for work that is parallel already or made of small matrices."""

import threading
from contextlib import contextmanager


class _Limit:
    """The limit of BLAS threads, which is one for the whole process.

    Blocks may overlap in several of our threads: the first to enter sets the limit, the
    last to leave restores what was there. If each block restored what it found, one
    that ends late would restore the limit of another.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside = 0
        self._controller = None
        self._limiter = None

    def enter(self):
        from threadpoolctl import ThreadpoolController

        with self._lock:
            if self._n_inside == 0:
                # Looking for the libraries takes some ms, once.
                self._controller = self._controller or ThreadpoolController()
                self._limiter = self._controller.limit(limits=1, user_api="blas")
            self._n_inside += 1

    def leave(self):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._limiter.restore_original_limits()
                self._limiter = None


_LIMIT = _Limit()


@contextmanager
def one_blas_thread():
    """Run a block with one BLAS thread; blocks may overlap in several threads."""
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()
