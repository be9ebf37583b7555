"""One BLAS thread, for work that is parallel already or made of small matrices."""

import threading
from contextlib import contextmanager

# Held while one of our blocks limits BLAS, whose limit is one for the whole process.
_LIMITED = threading.Lock()


@contextmanager
def one_blas_thread():
    """Run a block with one BLAS thread.

    Blocks may be nested, and may overlap in several threads: only the first one sets
    the limit, and it alone restores what was there before. If each restored what it
    had found, a block that ends last could leave the limit of another in place.
    """
    if not _LIMITED.acquire(blocking=False):
        yield
        return
    try:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        _LIMITED.release()
