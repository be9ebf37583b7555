"""The EEG of the oddball set: tarballs without a published hash.

What comes first is recorded in a small file beside the data; whatever comes or is read
later must be the same.
"""

import json
import re
import shutil
import tarfile
import tempfile
import time
import warnings
import zlib
from pathlib import Path

from .._checks import ABANDONED, listing, write_atomically
from ._download import (
    DownloadError,
    RegistryEntry,
    fetch_file,
    format_size,
    hash_file,
)
from ._eeg_fmri_files import LOCK

# Two public projects that use the data agree on this address; nothing else is known
# about the files.
BASE_URL = "http://openfmri.s3.amazonaws.com/tarballs"
# Bytes of all files in a tarball, the others of the set included.
LARGEST_CONTENT = 10**10
# Headers that tarfile reads into memory, however long they are.
_DESCRIPTIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
# The cleaned EEG of a run, and the positions of the electrodes wherever they are.
_WANTED = re.compile(
    r"(?P<person>sub\d{3})/EEG/task00[12]_run00[123]/EEG_rereferenced\.mat"
    r"|(?:.*/)?locations_34_EEG\.ced"
)


def tarball_entry(subject):
    """Return what is known about the tarball of a person such as ``"sub-01"``."""
    name = f"ds116_sub{int(subject.removeprefix('sub-')):03d}.tgz"
    return RegistryEntry(name, ("oddball",), 0, "", "CC0", f"{BASE_URL}/{name}")


def read_lock(folder):
    """Read the recorded hashes as ``{tarball: {"sha256", "url", "members"}}``."""
    path = Path(folder) / LOCK
    if not path.exists():
        return {}
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        for record in lock.values():
            record["sha256"], record["members"].items()
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DownloadError(
            f"{path} cannot be read ({error}). It holds the hashes of the tarballs at "
            "their first download. Delete it to trust the next download anew."
        ) from error
    return lock


def check_members(folder, subject):
    """Return the extracted files of a person after comparing them with the record.

    Returns
    -------
    members : dict of str to pathlib.Path
        Name in the tarball, and path. Empty if nothing was fetched.

    Raises
    ------
    DownloadError
        If a file has changed since the first download.
    """
    folder = Path(folder)
    record = read_lock(folder).get(tarball_entry(subject).file)
    if record is None:
        return {}
    members = {name: folder / "tarballs" / name for name in record["members"]}
    if not all(path.exists() for path in members.values()):
        return {}
    for name, path in members.items():
        expected = record["members"][name]
        if (found := hash_file(path)) != expected:
            raise DownloadError(
                f"{path} is not what the first download brought: its sha256 is "
                f"{found}, recorded is {expected} ({LOCK}). Delete it and fetch again."
            )
    return members


def list_missing(folder, subjects):
    """List the people of whom the EEG must be downloaded, without reading files."""
    lock = read_lock(folder)
    folder = Path(folder) / "tarballs"
    records = {s: lock.get(tarball_entry(s).file) for s in subjects}
    return [
        subject
        for subject, record in records.items()
        if not record or not all((folder / name).exists() for name in record["members"])
    ]


def check_opt_in(folder, subjects, *, download, allow_unverified, call):
    """Raise if tarballs must come that may not.

    Raises
    ------
    FileNotFoundError
        If something must be downloaded and ``download`` is false.
    ValueError
        If it must and ``allow_unverified`` is false.
    """
    missing = list_missing(folder, subjects)
    if missing and not download:
        raise FileNotFoundError(
            f"The EEG of {listing(missing)} is not in {folder} and download=False. "
            f"Call {call} with download=True and allow_unverified=True."
        )
    if missing and not allow_unverified:
        raise ValueError(
            f"The EEG of {listing(missing)} is in tarballs such as "
            f"{tarball_entry(missing[0]).url}, for which nobody has published a hash "
            "or a size: what comes cannot be compared with anything. Add "
            "allow_unverified=True to download it all the same; its hash is recorded "
            "then, and later downloads must be the same. For the volumes only, use "
            "what='bold'."
        )


def fetch_tarball(subject, folder, *, download=True, verbose, call):
    """Make sure that the EEG of a person is there, the same as ever.

    Raises
    ------
    DownloadError
        If the download fails, has changed, or is not safe: nothing remains of it.
        Without ``download``, if a file has changed.
    """
    entry = tarball_entry(subject)
    try:
        if check_members(folder, subject):
            return
    except DownloadError as error:
        if not download:
            raise
        warnings.warn(f"{error} Downloading it again.", RuntimeWarning, stacklevel=3)
    folder.mkdir(parents=True, exist_ok=True)
    # What a process that was killed left.
    for path in folder.glob(f".{entry.file}-*"):
        if time.time() - path.stat().st_mtime > ABANDONED:
            shutil.rmtree(path, ignore_errors=True)
    # On the same disk, so that what is complete can be moved; gone whatever happens.
    with tempfile.TemporaryDirectory(prefix=f".{entry.file}-", dir=folder) as scratch:
        tarball = fetch_file(entry, Path(scratch), verbose=verbose, call=call)
        _compare_with_record(tarball, entry, folder)
        members = _extract(tarball, entry, Path(scratch) / "members")
        _record(tarball, entry, folder, members)
        for name, source in members.items():
            target = folder / "tarballs" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)


def _compare_with_record(tarball, entry, folder):
    """Raise if the tarball is not that of the first download."""
    record = read_lock(folder).get(entry.file)
    if record and (found := hash_file(tarball)) != record["sha256"]:
        raise DownloadError(
            f"{entry.url} has changed: its sha256 is {found}, at the first download "
            f"it was {record['sha256']} ({folder / LOCK}). Nothing was written. If "
            f"you trust the new file, delete {entry.file!r} from that record."
        )


def _extract(tarball, entry, scratch):
    """Extract the wanted files, as ``{name in the tarball: path}``."""
    members = {}
    person = entry.file.removeprefix("ds116_").removesuffix(".tgz")
    try:
        # One pass: the index of a compressed tarball costs a pass of its own.
        with tarfile.open(tarball, "r|gz", tarinfo=_Member) as archive:
            n_bytes = 0
            for member in archive:
                n_bytes += member.size
                _check_safe(member, scratch, entry, n_bytes)
                wanted = _WANTED.fullmatch(member.name.removeprefix("./"))
                if not (wanted and member.isfile()) or wanted["person"] not in (
                    person,
                    None,
                ):
                    continue
                name = member.name.removeprefix("./")
                target = scratch / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.extractfile(member) as source, open(target, "wb") as fid:
                    shutil.copyfileobj(source, fid)
                members[name] = target
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise DownloadError(
            f"What came from {entry.url} is no whole tarball "
            f"({type(error).__name__}: {error}). Nothing was written; try again."
        ) from error
    if not any(name.endswith(".mat") for name in members):
        raise DownloadError(
            f"{entry.url} has no {person}/EEG/task00?_run00?/EEG_rereferenced.mat. "
            "Nothing was written."
        )
    return members


class _Member(tarfile.TarInfo):
    """A member of a tarball, whose description must be small."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        member = super().frombuf(buf, encoding, errors)
        if member.type in _DESCRIPTIONS and member.size > 2**20:
            raise tarfile.ReadError(f"a description of {format_size(member.size)}")
        return member


def _check_safe(member, scratch, entry, n_bytes):
    """Raise an error for files outside of the folder, or too large a content.

    Such a file is never extracted here, but who made it is not to be trusted.
    """
    if n_bytes > LARGEST_CONTENT:
        raise DownloadError(
            f"{entry.url} is not safe: it unpacks to more than "
            f"{format_size(LARGEST_CONTENT)}. Nothing was written."
        )
    # By hand: tarfile.data_filter came with Python 3.11.4. Only regular files of known
    # names are extracted, and never by their tarfile, so links need no check.
    root = scratch.resolve()
    if (root / member.name).resolve().is_relative_to(root):
        return
    raise DownloadError(
        f"{entry.url} is not safe: {member.name!r} points outside of its folder. "
        "Nothing was written."
    )


def _record(tarball, entry, folder, members):
    """Write down the hashes of the first download."""
    lock = read_lock(folder)
    lock[entry.file] = {
        "url": entry.url,
        "bytes": tarball.stat().st_size,
        "sha256": hash_file(tarball),
        "members": {name: hash_file(path) for name, path in sorted(members.items())},
    }
    with write_atomically(folder / LOCK, overwrite=True) as path:
        path.write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")
