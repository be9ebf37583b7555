"""Threads: one for BLAS where work is parallel already, and none after a fork."""

import os
import threading
from contextlib import contextmanager

# How many of our blocks limit BLAS, whose limit is one for the whole process, and what
# puts the limit of before back.
_COUNTING = threading.Lock()
_LIMITS = []
# The process that used JAX first.
_USER = None


def check_not_forked():
    """Raise an error in a process that was forked after JAX was used.

    A fork copies the memory of a process and none of its threads. JAX would wait for
    its threads without end.
    """
    global _USER
    if _USER is None:
        _USER = os.getpid()
    if _USER != os.getpid():
        raise RuntimeError(
            "This process was forked from one that had used JAX, whose threads do not "
            "survive a fork: it would wait forever. Start worker processes with "
            'multiprocessing.get_context("spawn") or joblib, or fork before the first '
            "simulation, fit or prediction."
        )


@contextmanager
def one_blas_thread():
    """Run a block with one BLAS thread.

    Blocks may be nested, and may overlap in several threads: the first one sets the
    limit, and the last one to end restores what was there before. The bits of a product
    of matrices depend on the number of threads, so that none may get more in between.
    """
    with _COUNTING:
        _LIMITS.append(None if _LIMITS else _set_limit())
    try:
        yield
    finally:
        with _COUNTING:
            if len(_LIMITS) > 1:
                _LIMITS.pop()
            else:
                controller, limit = _LIMITS.pop()
                _release(controller)
                limit.restore_original_limits()
                _release(controller)


def _set_limit():
    """Set the limit to one thread; return what restores it."""
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    _release(controller)
    return controller, controller.limit(limits=1, user_api="blas")


def _release(controller):
    """Let any thread set the limit, whichever set it last.

    From version 3.8 on, threadpoolctl does nothing in all threads but the first to set
    a limit of OpenBLAS.
    """
    for library in controller.lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)
