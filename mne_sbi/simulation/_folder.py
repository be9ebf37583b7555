"""A bank of simulations in a folder: a manifest, and one file per chunk.

Chunks are written by whoever simulates them, in any order and any process, each once
and whole or not at all. Nothing is merged afterwards, and nothing is written twice.
"""

import contextlib
import hashlib
import json
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from .._checks import check_folder, draw_seed, write_atomically
from .._priors import Prior
from ._bank import SimulationBank
from ._rows import ChunkedRows

_FORMAT = "mne_sbi simulation chunks 1"
_MANIFEST = "manifest.json"
_ARRAYS = ("theta", "valid", "x")


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
    found = None
    if (folder / _MANIFEST).exists():
        if overwrite:
            for path in folder.glob("*chunk-*.h5"):
                path.unlink()
        else:
            found = read_manifest(folder)
    manifest = {"format": _FORMAT, "n_simulations": n_simulations} | description
    # Through JSON, as what is on disk went.
    manifest = json.loads(json.dumps(manifest))
    if manifest["identity"]["seed"] is None:
        seed = draw_seed(None) if found is None else found["identity"]["seed"]
        manifest["identity"]["seed"] = seed
    if found is not None:
        _check_same(folder, found, manifest)
    manifest["provenance"]["seed"] = manifest["identity"]["seed"]
    if manifest != found:
        folder.mkdir(exist_ok=True)
        with write_atomically(folder / _MANIFEST, overwrite=True) as temporary:
            temporary.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
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
    if not folder.is_dir() or (folder / _MANIFEST).exists():
        return
    # What a kill before the first manifest can leave is no reason to stop.
    others = [p.name for p in folder.iterdir() if not p.name.startswith(".manifest-")]
    if others:
        raise FileExistsError(
            f"{folder} holds no simulation bank but other files ({others[0]}). Give "
            "the name of a folder that is not there yet."
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
    try:
        manifest = json.loads(fname.read_text(encoding="utf-8"))
        found = manifest["format"]
        if found == _FORMAT:
            _ = [manifest[k] for k in ("identity", "prior", "provenance", "chunk_size")]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ValueError(
            f"{folder} is damaged or not a simulation bank. simulate(..., fname=...) "
            "makes such folders; with overwrite=True it starts anew."
        ) from exc
    if found != _FORMAT:
        raise ValueError(
            f"{folder} does not hold simulations in a format that this version reads: "
            f"expected {_FORMAT!r}, found {found!r}."
        )
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
    import h5py

    # What a damaged or foreign chunk left is replaced.
    with write_atomically(fname, overwrite=True) as temporary:
        with h5py.File(temporary, "w", locking=False) as file:
            about = {"format": _FORMAT, "label": label, "n_excluded": n_excluded}
            file.attrs.update(about)
            for name, array in arrays.items():
                file[name] = array
                file[name].attrs["crc32"] = _checksum(array)


def _checksum(array):
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).reshape(-1))


def read_chunk(fname, label, size, *, with_x):
    """Read a chunk.

    Parameters
    ----------
    fname : path-like
        The file.
    label : str
        Whose chunk it must be.
    size : int
        The number of simulations that it must have.
    with_x : bool
        Read ``x`` as well, and compare its checksum.

    Returns
    -------
    chunk : dict | None
        ``theta``, ``valid``, ``n_excluded``, ``row_shape`` (None if no simulation is
        finite) and ``x`` (None likewise). None if the file is not there, damaged, or
        not such a chunk.
    """
    import h5py

    try:
        # Nobody changes a chunk, and shared disks often cannot lock files.
        with h5py.File(fname, "r", locking=False) as file:
            if file.attrs["format"] != _FORMAT or file.attrs["label"] != label:
                return None
            chunk = {"n_excluded": int(file.attrs["n_excluded"])}
            has_x = "x" in file
            chunk["row_shape"] = file["x"].shape[1:] if has_x else None
            if len(file["theta"]) != size or (has_x and len(file["x"]) != size):
                return None
            for name in _ARRAYS if has_x and with_x else _ARRAYS[:2]:
                chunk[name] = file[name][()]
                if file[name].attrs["crc32"] != _checksum(chunk[name]):
                    return None
    except (OSError, KeyError, ValueError, RuntimeError):
        return None
    return {"x": None} | chunk


def check_chunk(fname, label, size):
    """Say whether a chunk is there, whole and right."""
    if not Path(fname).exists():
        return False
    return read_chunk(fname, label, size, with_x=True) is not None


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
    size, label = manifest["chunk_size"], label_of(manifest)
    sizes = chunk_sizes(manifest["n_simulations"], size)
    files = [chunk_file(folder, number) for number in range(len(sizes))]
    chunks = [
        read_chunk(file, label, n, with_x=False)
        for file, n in zip(files, sizes, strict=True)
    ]
    n_missing = sum(chunk is None for chunk in chunks)
    if n_missing:
        raise ValueError(
            f"{n_missing} of the {len(chunks)} chunks in {folder} are missing or "
            "damaged. Call simulate(...) with the same arguments and fname again: it "
            "makes these only."
        )
    shapes = {chunk["row_shape"] for chunk in chunks} - {None}
    # Nothing is finite: as in memory, where there is no row either.
    row_shape = shapes.pop() if shapes else (0, 0)
    x = ChunkedRows(
        partial(_read_rows, folder, label, sizes, row_shape),
        (manifest["n_simulations"], *row_shape),
        np.float32,
        size,
    )
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
    import h5py

    fname = chunk_file(folder, number)
    # Many rows that are not neighbours take HDF5 longer than the whole chunk.
    if rows is None or len(rows) > 256:
        chunk = read_chunk(fname, label, sizes[number], with_x=True)
        if chunk is not None:
            x = chunk["x"]
            if x is None:
                x = np.full((sizes[number], *row_shape), np.nan, np.float32)
            return x if rows is None else x[rows]
    else:
        with (
            contextlib.suppress(OSError, KeyError, RuntimeError),
            h5py.File(fname, "r", locking=False) as file,
        ):
            if file.attrs["label"] == label:
                if "x" not in file:
                    return np.full((len(rows), *row_shape), np.nan, np.float32)
                return file["x"][rows]
    raise ValueError(
        f"{fname} is missing or damaged. Call simulate(...) with the same arguments "
        "and fname again: it makes this chunk anew."
    )


def remove_leftovers(folder):
    """Remove what killed processes left half written; call it when all is done."""
    for path in Path(folder).glob(".*-*"):
        if path.name.startswith((".chunk-", ".manifest-")):
            path.unlink(missing_ok=True)
