"""A bank of simulations in a folder: a manifest, and one file per chunk.

Chunks are written by whoever simulates them, in any order and any process, each once
and whole or not at all. Nothing is merged afterwards, and nothing is written twice.
"""

import contextlib
import hashlib
import json
import re
from functools import partial
from pathlib import Path

import numpy as np

from .._checks import check_count, check_folder, draw_seed, write_atomically
from .._files import (
    StoredFile,
    check_format,
    damage_named,
    decode_json,
    encode_json,
    save_file,
)
from .._priors import Prior
from ._bank import SimulationBank
from ._rows import ChunkedRows

_KIND = "mne_sbi simulation chunks"
_FORMAT = f"{_KIND} 2"
_MANIFEST = "manifest.json"
# What is damaged, and how to make it again.
_WHAT = ("a simulation bank", "simulate(..., fname=..., overwrite=True)")
_CHUNK_NAME = re.compile(r"chunk-\d{6,}\.h5")


def chunk_file(folder, number):
    """Return the file of a chunk, a Path."""
    return Path(folder) / f"chunk-{number:06d}.h5"


def open_folder(folder, description, n_simulations, overwrite):
    """Make the folder of a bank, or find one to go on with.

    Parameters
    ----------
    folder : path-like
        The folder.
    description : dict
        What the simulations are, in plain values: ``"identity"``, which must be the
        same to go on, except for a seed of None, which accepts any; and ``"prior"``,
        ``"provenance"``, ``"chunk_size"``.
    n_simulations : int
        Number of simulations; may be more than those of the bank that is there.
    overwrite : bool
        Remove the bank that is there.

    Returns
    -------
    manifest : dict
        The description, with the seed that is used, as it is on disk now.
    is_new : bool
        Whether there was none before.

    Raises
    ------
    FileExistsError
        If something else than a bank is there.
    ValueError
        If the bank that is there was made in another way.
    """
    folder = Path(folder)
    _check_place(folder)
    exists = (folder / _MANIFEST).exists()
    found = read_manifest(folder) if exists and not overwrite else None
    if exists and overwrite:
        for path in folder.iterdir():
            if _CHUNK_NAME.fullmatch(path.name):
                path.unlink()
    manifest = {"format": _FORMAT, "n_simulations": n_simulations} | description
    # Through JSON, as what is on disk went.
    manifest = json.loads(json.dumps(manifest))
    if manifest["identity"]["seed"] is None:
        seed = draw_seed(None) if found is None else found["identity"]["seed"]
        manifest["identity"]["seed"] = seed
    if found is not None:
        _check_same(folder, found, manifest)
    manifest["provenance"]["seed"] = manifest["identity"]["seed"]
    if manifest == found:
        return manifest, False
    folder.mkdir(exist_ok=True)
    try:
        with write_atomically(folder / _MANIFEST, overwrite=exists) as temporary:
            temporary.write_text(encode_json(manifest, indent=1), encoding="utf-8")
    except FileExistsError:
        # Another process started the same bank at the same moment.
        return open_folder(folder, description, n_simulations, overwrite=False)
    return manifest, found is None


def _check_place(folder):
    """Check that a bank may be where it is to be."""
    if folder.suffix == ".h5" or folder.is_file():
        raise ValueError(
            f"fname must be the name of a folder, such as bank.sims, got {folder}. For "
            "one file, simulate without fname and call bank.save('bank.h5')."
        )
    check_folder("The folder of fname", folder.parent)
    if not folder.parent.is_dir():
        raise FileNotFoundError(
            f"The folder of {folder} does not exist. Create {folder.parent} first."
        )
    if not folder.is_dir():
        return
    if (folder / _MANIFEST).exists():
        # Programs of all kinds call a file manifest.json.
        with open(folder / _MANIFEST, encoding="utf-8", errors="replace") as file:
            if _KIND in file.read(10_000):
                return
    # What a kill before the first manifest can leave is no reason to stop.
    others = [p.name for p in folder.iterdir() if not p.name.startswith(".manifest-")]
    if others:
        raise FileExistsError(
            f"{folder} holds no simulation bank but other files ({others[0]}). Give "
            "the name of a folder that is not there yet, or empty this one."
        )


def check_unchanged(folder, manifest):
    """Raise an error if another process has made another bank of a folder."""
    found = read_manifest(folder)
    if found != manifest:
        _check_same(folder, found, manifest)
        raise ValueError(
            f"{folder} was changed by another process while this one simulated. Call "
            "simulate(...) again when the other process is done."
        )


def _check_same(folder, found, wanted):
    """Raise an error that names all that is different from the bank on disk."""
    old, new = _flat(found["identity"]), _flat(wanted["identity"])
    if old.get("model") != new.get("model") and len(_differing(old, new)) > 1:
        # The single settings say it better than the model's text.
        del old["model"], new["model"]
    other = [
        f"{name} ({_short(old.get(name))} there, {_short(new.get(name))} asked for)"
        for name in _differing(old, new)
    ]
    n_old, n_new = found["n_simulations"], wanted["n_simulations"]
    if n_new < n_old:
        other.append(f"n_simulations ({n_old} there, {n_new} asked for)")
    if other:
        raise ValueError(
            f"{folder} holds simulations that were made with other settings: "
            f"{'; '.join(other)}. Give the same settings to go on with it, another "
            "fname, or overwrite=True to start anew."
        )


def _differing(old, new):
    return sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))


def _flat(description, prefix=""):
    """Join the names of nested settings with dots."""
    flat = {}
    for name, value in description.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _short(value):
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:45] + f"... ({len(text)} characters)"


def read_manifest(folder):
    """Read what a bank in a folder is.

    Parameters
    ----------
    folder : path-like
        The folder.

    Returns
    -------
    manifest : dict
        The description.

    Raises
    ------
    ValueError
        If there is none, or one of another format.
    """
    fname = Path(folder) / _MANIFEST
    with damage_named(folder, *_WHAT):
        manifest = decode_json(fname.read_text(encoding="utf-8"))
        check_format(folder, manifest["format"], _FORMAT)
        _ = [manifest[k] for k in ("identity", "prior", "provenance")]
        _ = [check_count(k, manifest[k]) for k in ("chunk_size", "n_simulations")]
    return manifest


def label_of(manifest):
    """Return a text that tells chunks of one bank from those of others."""
    text = json.dumps([manifest["identity"], manifest["chunk_size"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def chunk_sizes(n_simulations, chunk_size):
    """Return the number of simulations in each chunk, a list of int."""
    starts = range(0, n_simulations, chunk_size)
    return [min(chunk_size, n_simulations - start) for start in starts]


def write_chunk(fname, label, arrays, n_excluded):
    """Write a chunk, completely or not at all.

    Parameters
    ----------
    fname : path-like
        The file.
    label : str
        Whose chunk it is.
    arrays : dict of ndarray
        ``"theta"``, ``"valid"`` and ``"x"``, which is missing if no simulation of the
        chunk is finite.
    n_excluded : int
        Draws that the model refused.
    """
    content = {"label": _label_of_chunk(label, fname), "n_excluded": n_excluded}
    # What a damaged or foreign chunk left is replaced.
    save_file(fname, content, arrays, version=_FORMAT, overwrite=True, by_rows=("x",))


def _label_of_chunk(label, fname):
    # A chunk is also the one of a number.
    return f"{label} {Path(fname).stem}"


def read_chunk(fname, label, size, *, rows=None):
    """Read a chunk.

    Parameters
    ----------
    fname : path-like
        The file.
    label : str
        Whose chunk it must be.
    size : int
        The number of simulations that it must have.
    rows : slice | ndarray of int | None
        Which rows of ``x`` to read, all for ``slice(None)``; ``None`` for no ``x``.

    Returns
    -------
    chunk : dict | None
        ``theta``, ``valid``, ``n_excluded``, ``row_shape`` (None if no simulation is
        finite) and ``x`` (None likewise). None if the file is not there, damaged, or
        not such a chunk.
    """
    # Damaged bytes can make any step fail.
    with contextlib.suppress(Exception), StoredFile(fname, _FORMAT) as file:
        lengths = {about["shape"][0] for about in file.arrays.values()}
        if file.content["label"] != _label_of_chunk(label, fname) or lengths != {size}:
            return None
        chunk = {name: file.read(name) for name in ("theta", "valid")}
        shape = tuple(file.arrays["x"]["shape"][1:]) if "x" in file.arrays else None
        chunk |= {"n_excluded": file.content["n_excluded"], "row_shape": shape}
        if shape is None or rows is None:
            return chunk | {"x": None}
        is_all = isinstance(rows, slice)
        return chunk | {"x": file.read("x") if is_all else file.read_rows("x", rows)}
    return None


def check_chunk(fname, label, size):
    """Return whether a chunk is there, whole and right."""
    return read_chunk(fname, label, size, rows=slice(None)) is not None


def read_bank_folder(folder):
    """Read a bank from a folder; the summaries stay on disk.

    Parameters
    ----------
    folder : path-like
        The folder.

    Returns
    -------
    bank : SimulationBank
        The bank.

    Raises
    ------
    ValueError
        If it is damaged, not complete, or none.
    """
    folder = Path(folder).resolve()
    manifest = read_manifest(folder)
    size, n_simulations = manifest["chunk_size"], manifest["n_simulations"]
    label, n_chunks = label_of(manifest), -(-n_simulations // size)
    chunks = []
    # Those that are there, because the manifest of a stranger can name any number.
    for path in sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name)):
        number = int(path.stem[6:]) if _CHUNK_NAME.fullmatch(path.name) else n_chunks
        n = min(size, n_simulations - number * size)
        chunk = read_chunk(path, label, n) if number < n_chunks else None
        chunks += [] if chunk is None else [chunk]
    if len(chunks) < n_chunks:
        raise ValueError(
            f"{n_chunks - len(chunks)} of the {n_chunks} chunks in {folder} are "
            "missing or damaged. Call simulate(...) with the same arguments and fname "
            "again: it makes these only."
        )
    sizes = chunk_sizes(n_simulations, size)
    shapes = {chunk["row_shape"] for chunk in chunks} - {None}
    # Nothing is finite: as in memory, where there is no row either.
    row_shape = shapes.pop() if shapes else (0, 0)
    x = ChunkedRows(
        partial(_read_rows, folder, label, sizes, row_shape),
        (n_simulations, *row_shape),
        np.float32,
        size,
    )
    with damage_named(folder, *_WHAT):
        n_excluded = sum(chunk["n_excluded"] for chunk in chunks)
        return SimulationBank(
            np.concatenate([chunk["theta"] for chunk in chunks]),
            x,
            np.concatenate([chunk["valid"] for chunk in chunks]),
            Prior.from_dict(manifest["prior"]),
            manifest["provenance"] | {"n_excluded": n_excluded},
        )


def _read_rows(folder, label, sizes, row_shape, number, rows):
    """Read summaries of one chunk; all of them, or those of sorted numbers."""
    fname, size = chunk_file(folder, number), sizes[number]
    # Many rows that are not neighbours take longer than the whole chunk.
    few = rows is not None and len(rows) <= 256
    chunk = read_chunk(fname, label, size, rows=rows if few else slice(None))
    if chunk is None or chunk["row_shape"] not in (None, row_shape):
        raise ValueError(
            f"{fname} is missing or damaged. Call simulate(...) with the same "
            "arguments and fname again: it makes this chunk anew."
        )
    x = chunk["x"]
    if x is None:
        n = size if rows is None else len(rows)
        return np.full((n, *row_shape), np.nan, np.float32)
    return x if few or rows is None else x[rows]
