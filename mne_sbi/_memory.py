"""Sizes of what would be made, compared with what there is before it is made."""

import os
import shutil
from pathlib import Path

# Limit of a container; "max" where there is none.
_LIMIT = Path("/sys/fs/cgroup/memory.max")
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def total_memory():
    """Return the bytes of memory that this process can have at most, or None."""
    known = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    if _LIMIT.exists():
        text = _LIMIT.read_text().strip()
        known += [int(text)] if text.isdigit() else []
    return min(known, default=None)


def check_memory(what, n_bytes, remedy):
    """Raise an error for what does not fit into memory.

    Parameters
    ----------
    what : str
        What would be made, the beginning of a sentence.
    n_bytes : float
        The least that it takes.
    remedy : str
        What to change.

    Raises
    ------
    ValueError
        If that is more than all memory.
    """
    total = total_memory()
    if total is not None and not n_bytes <= total:
        raise ValueError(
            f"{what} would take at least {describe_bytes(n_bytes)} of memory, and "
            f"there are {describe_bytes(total)}. {remedy}"
        )


def check_disk(what, n_bytes, folder, remedy):
    """Raise an error for what does not fit on a disk.

    Parameters
    ----------
    what : str
        What would be written, the beginning of a sentence.
    n_bytes : float
        The least that it takes.
    folder : path-like
        Where; it need not exist. What is in it already counts as written.
    remedy : str
        What to change.

    Raises
    ------
    ValueError
        If that is more than is free.
    """
    folder = Path(folder).resolve()
    written = sum(f.stat().st_size for f in folder.glob("*") if f.is_file())
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if not n_bytes - written <= free:
        raise ValueError(
            f"{what} would take at least {describe_bytes(n_bytes)} in {folder}, and "
            f"{describe_bytes(free)} are free there. {remedy}"
        )


def describe_bytes(n_bytes):
    """Return a number of bytes in words, as ``"3.2 GB"``."""
    for unit in _UNITS:
        if n_bytes < 1000 or unit == _UNITS[-1]:
            return f"{n_bytes:,.3g} {unit}"
        n_bytes /= 1000
