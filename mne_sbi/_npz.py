"""Files of named arrays, as small frozen objects are saved in."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ._checks import write_atomically

# What NumPy raises for a file that is cut short, altered or of another kind.
UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_npz(fname, content, *, version, overwrite=False):
    """Write arrays and strings to a file, completely or not at all.

    Parameters
    ----------
    fname : path-like
        The file, whose name must end in ``.npz``.
    content : dict of (ndarray | str)
        What to write.
    version : str
        Kind and version of the content, by which :func:`read_npz` recognises it.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is false.
    ValueError
        If the name does not end in ``.npz``.
    """
    if Path(fname).suffix != ".npz":
        raise ValueError(f"The file's name must end in .npz, got {fname}.")
    with write_atomically(fname, overwrite=overwrite) as temporary:
        np.savez_compressed(temporary, format=version, **content)


def read_npz(fname, needed, *, version, kind, writer):
    """Read what :func:`save_npz` wrote.

    Parameters
    ----------
    fname : path-like
        The file.
    needed : iterable of str
        Names of the arrays that it must hold.
    version : str
        The format that is expected.
    kind : str
        What the file should hold, for the error messages.
    writer : str
        What writes such files, for the error messages.

    Returns
    -------
    content : dict of ndarray
        The arrays.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds something else.
    """
    fname = Path(fname)
    if not fname.is_file():
        raise FileNotFoundError(f"There is no file {fname}.")
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with open(fname, "rb") as file, np.load(file, allow_pickle=False) as archive:
            content = {key: archive[key] for key in archive.files}
    except UNREADABLE as exc:
        raise ValueError(
            f"{fname} is damaged or not a {kind}. {writer} writes such files."
        ) from exc
    found = str(content.get("format"))
    if found != version:
        raise ValueError(
            f"{fname} does not hold a {kind} in a format that this version reads: "
            f"expected {version!r}, found {found!r}."
        )
    missing = sorted(set(needed) - content.keys())
    if missing:
        raise ValueError(f"{fname} is damaged: it lacks {', '.join(missing)}.")
    return content
