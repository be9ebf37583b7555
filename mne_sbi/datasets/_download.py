"""Downloading the registered files, whole or not at all."""

import csv
import hashlib
import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from .._cache import get_cache_dir
from .._checks import check_option

# Seconds without an answer of the server before a download counts as failed.
TIMEOUT = 30
# Bytes of the largest file that is downloaded where no size is published.
LARGEST = 4 * 10**9


class DownloadError(OSError):
    """A file could not be downloaded, or what came is not what was expected.

    The message names the file, its address and its expected hash, and says how to get
    the file by hand.
    """


@dataclass(frozen=True)
class RegistryEntry:
    """One file that can be downloaded.

    ``file`` is its name, or its path in the data set's folder with forward slashes.
    The content is checked by ``sha256``; by ``md5`` where the source publishes nothing
    else; and not at all where both are empty.
    """

    file: str
    datasets: tuple[str, ...]
    bytes: int
    sha256: str
    licence: str
    url: str
    md5: str = ""

    @property
    def hash(self):
        """Name of the algorithm and hash of the content; empty if unknown."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", self.md5)


@dataclass(frozen=True)
class DatasetInfo:
    """What :func:`list_datasets` tells about a dataset.

    Parameters
    ----------
    name : str
        The name.
    function : str
        The function that fetches it.
    title : str
        One line about the content.
    licence : str
        Short name of the licence.
    files : tuple of str
        Names of the files.
    bytes : int
        Size of the files together.
    folder : str
        Where the files are put unless ``path`` says otherwise.
    available : bool
        Whether all the files are there already.
    """

    name: str
    function: str
    title: str
    licence: str
    files: tuple[str, ...]
    bytes: int
    folder: str
    available: bool


_TITLES = {
    "hcp_desikan86": (
        "fetch_connectome('hcp_desikan86')",
        "Mean connectome of 80 people (HCP), 86 Desikan-Killiany regions",
    ),
    "spectrome": (
        "fetch_spectrome()",
        "MEG spectra, connectomes and published fits of 36 people",
    ),
}


@cache
def read_registry():
    """Read the packaged registry as ``{file: RegistryEntry}``."""
    table = resources.files("mne_sbi.datasets") / "data" / "registry.csv"
    with table.open(encoding="utf-8") as fid:
        rows = list(csv.DictReader(ln for ln in fid if not ln.startswith("#")))
    return {
        row["file"]: RegistryEntry(
            file=row["file"],
            datasets=tuple(row["datasets"].split()),
            bytes=int(row["bytes"]),
            sha256=row["sha256"],
            licence=row["licence"],
            url=row["url"],
        )
        for row in rows
    }


def list_datasets(details=False):
    """List the datasets that can be downloaded.

    Parameters
    ----------
    details : bool
        Whether to return a record for each dataset instead of its name.

    Returns
    -------
    datasets : list of str | list of DatasetInfo
        The datasets, sorted by name. Nothing is downloaded.
    """
    from ._eeg_fmri_files import list_sets

    if not details:
        return sorted([*_TITLES, *list_sets()])
    folder = data_folder(None)
    infos = list_sets(folder)
    for name in _TITLES:
        entries = dataset_files(name)
        infos.append(
            DatasetInfo(
                name=name,
                function=_TITLES[name][0],
                title=_TITLES[name][1],
                licence=", ".join(sorted({entry.licence for entry in entries})),
                files=tuple(entry.file for entry in entries),
                bytes=sum(entry.bytes for entry in entries),
                folder=str(folder),
                available=all((folder / entry.file).exists() for entry in entries),
            )
        )
    return sorted(infos, key=lambda info: info.name)


def dataset_files(name):
    """Return the registry entries of one dataset."""
    check_option("name", name, sorted(_TITLES))
    return [entry for entry in read_registry().values() if name in entry.datasets]


def data_folder(path):
    """Return the folder of the downloads: the argument, or one in the cache."""
    return get_cache_dir("data") if path is None else Path(path).expanduser()


def fetch_files(name, path, download, verbose, call):
    """Make sure that all the files of a dataset are there and whole.

    Parameters
    ----------
    name : str
        Name of the dataset.
    path : path-like | None
        Folder for the files; ``None`` for the cache folder.
    download : bool
        Whether files that are missing may be downloaded.
    verbose : bool | None
        Whether to show progress; ``None`` is the same as true.
    call : str
        What the user called, for the error messages.

    Returns
    -------
    folder : pathlib.Path
        The folder with the files.

    Raises
    ------
    FileNotFoundError
        If a file is missing and ``download`` is false.
    DownloadError
        If a download fails, or a file is not the registered one.
    """
    folder = data_folder(path)
    fetch_entries(dataset_files(name), folder, download, verbose, call)
    return folder


def fetch_entries(entries, folder, download, verbose, call):
    """Fetch several files; an error names all that are missing."""
    missing = [entry for entry in entries if not (folder / entry.file).exists()]
    if missing and not download:
        size = format_size(sum(entry.bytes for entry in missing))
        raise FileNotFoundError(
            f"{len(missing)} of {len(entries)} files are missing and download=False. "
            f"Call {call} with download=True ({size}), or download them yourself into "
            f"{folder}:\n{_addresses(missing)}"
        )
    for entry in entries:
        try:
            fetch_file(entry, folder, download=download, verbose=verbose, call=call)
        except DownloadError as exc:
            others = [e for e in missing if not (folder / e.file).exists()]
            others = [e for e in others if e is not entry]
            if not others:
                raise
            raise DownloadError(
                f"{exc}\nAlso missing there:\n{_addresses(others)}"
            ) from exc.__cause__


def _addresses(entries, most=20):
    """Write a line with name and address of each file."""
    lines = [f"  {entry.file}  from {entry.url}" for entry in entries[:most]]
    if len(entries) > most:
        lines.append(f"  and {len(entries) - most} more")
    return "\n".join(lines)


def fetch_file(entry, folder, *, download=True, verbose=None, call="fetch_*()"):
    """Make sure that one registered file is in a folder, and whole."""
    target = folder / entry.file
    if target.exists():
        algorithm, expected = entry.hash
        found = hash_file(target, algorithm)
        if found == expected:
            return target
        if not download:
            raise DownloadError(
                f"{target} is not the registered file: its {algorithm} is {found}, "
                f"expected {expected}. Delete it, or call {call} with download=True to "
                "replace it."
            )
        warnings.warn(
            f"{target} is not the registered file (another {algorithm}): downloading "
            "it again.",
            RuntimeWarning,
            stacklevel=4,
        )
    elif not download:
        raise FileNotFoundError(
            f"{target} does not exist and download=False. Call {call} with "
            f"download=True (the file has {format_size(entry.bytes)}), or download it "
            f"yourself from {entry.url} into {target.parent}."
        )
    _download(entry, folder, verbose is None or bool(verbose))
    return target


def _download(entry, folder, progress):
    """Download one file; nothing remains of a download that fails."""
    import pooch

    target = folder / entry.file
    created = [path for path in target.parents if not path.exists()]
    algorithm, expected = entry.hash
    try:
        # pooch writes to a temporary name in the same folder, compares the hash and
        # only then renames; the temporary file is deleted whatever happens.
        with _quiet(pooch.get_logger()):
            pooch.retrieve(
                entry.url,
                known_hash=f"{algorithm}:{expected}" if expected else None,
                fname=target.name,
                path=target.parent,
                downloader=_make_downloader(entry, progress),
            )
    except (OSError, ValueError) as error:  # ValueError: not the registered file
        raise DownloadError(_message(entry, target, error)) from error
    finally:
        # After a failure the folders that we made are empty again.
        for path in created:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _make_downloader(entry, progress):
    """Return a downloader for pooch.

    pooch's own takes whatever a server sends, leaves the connection open when a
    transfer breaks off, and its progress bar is wrong where the server compresses text
    files.
    """

    def download(url, output_file, pooch, check_only=False):
        import requests
        from tqdm import tqdm

        with requests.get(url, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            with (
                open(output_file, "wb") as fid,
                tqdm(
                    total=entry.bytes or None,
                    desc=entry.file.rpartition("/")[-1],
                    unit="B",
                    unit_scale=True,
                    disable=not progress,
                ) as bar,
            ):
                left = entry.bytes or LARGEST
                for chunk in response.iter_content(chunk_size=2**16):
                    left -= len(chunk)
                    if left < 0:
                        most = format_size(entry.bytes or LARGEST)
                        raise ValueError(f"more arrived than {most}")
                    fid.write(chunk)
                    bar.update(len(chunk))

    return download


def _message(entry, target, error):
    """Say what went wrong and how to get the file by hand."""
    import requests

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, ValueError):
        what = "what arrived is not the registered file (damaged or changed on the way)"
    elif status is not None:
        what = f"the server answered with status {status}"
    elif not isinstance(error, requests.RequestException):
        what = "the folder cannot be written to"
    else:
        what = "the transfer did not complete (no network, or it was cut off)"
    algorithm, expected = entry.hash
    remedy = "Try again."
    if expected:
        remedy = (
            "Try again, or download the file yourself and put it, under the name "
            f"{target.name}, into that folder."
        )
    return (
        f"Could not download {entry.file}: {what}.\n"
        f"  from:    {entry.url}\n"
        f"  to:      {target.parent}\n"
        f"  {algorithm + ':':8} {expected or 'not published'}\n"
        f"  cause:   {type(error).__name__}: {error}\n"
        f"Nothing was written. {remedy}"
    )


@contextmanager
def _quiet(logger):
    """Silence pooch's notices: our errors and its progress bar say it all."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def hash_file(fname, algorithm="sha256"):
    """Compute the hash of a file's content."""
    with open(fname, "rb") as fid:
        return hashlib.file_digest(fid, algorithm).hexdigest()


def format_size(n_bytes):
    """Write a number of bytes for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"
