"""Warnings of what makes an answer wrong: shown, and kept for the result."""

import dataclasses
import functools
from contextlib import contextmanager
from contextvars import ContextVar

_KEPT = ContextVar("mne_sbi warnings", default=None)


def warn_user(message, category=RuntimeWarning):
    """Warn, with the user's line that led here, and keep the message for the result.

    Parameters
    ----------
    message : str
        What the user should know.
    category : type
        Class of the warning.

    Notes
    -----
    :func:`mne.set_log_level` and the filters of Python decide whether the warning is
    shown. Neither decides whether :func:`keep_warnings` keeps it.
    """
    from mne.utils import warn

    kept = _KEPT.get()
    if kept is not None and message not in kept:
        kept.append(message)
    warn(message, category, ignore_namespaces=("mne", "mne_sbi", "sklearn"))


@contextmanager
def keep_warnings():
    """Collect the messages of :func:`warn_user` in this thread.

    Yields
    ------
    kept : list of str
        The messages, each once, in the order of their first appearance. A block
        around this one keeps them too.
    """
    outer, kept = _KEPT.get(), []
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)
        if outer is not None:
            outer.extend(message for message in kept if message not in outer)


def keeps_warnings(function):
    """Put what a function warned of into the ``warnings`` of the record it returns."""

    @functools.wraps(function)
    def keeping(*args, **kwargs):
        with keep_warnings() as kept:
            result = function(*args, **kwargs)
        return dataclasses.replace(result, warnings=tuple(kept))

    return keeping


def count_warnings(result):
    """Return what the ``repr`` of a result says of its warnings."""
    n = len(result.warnings)
    return f" | {n} warning{'' if n == 1 else 's'}, see .warnings" if n else ""
