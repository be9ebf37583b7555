"""The sets of EEG recorded with fMRI, and which files belong to what."""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from .._checks import check_option, did_you_mean, listing
from ._download import DatasetInfo, RegistryEntry

# Small files that describe a set always come along.
INFO = "info"
# Where the hashes of tarballs are recorded, which nobody has published.
LOCK = "eeg_hashes.json"


@dataclass(frozen=True)
class EEGfMRISet:
    """What there is to know about a set before its files are here.

    Parameters
    ----------
    name : str
        The name.
    openneuro : str
        Its number at OpenNeuro, which is also the name of its folder.
    title : str
        One line about the content.
    parts : dict of str to str
        What can be fetched, and what that is.
    default : tuple of str
        The parts that are fetched unless told otherwise.
    """

    name: str
    openneuro: str
    title: str
    parts: dict
    default: tuple[str, ...]


SETS = {
    info.name: info
    for info in (
        EEGfMRISet(
            "xp1",
            "ds002336",
            "Motor imagery and neurofeedback: 64-channel EEG with fMRI (TR 2 s)",
            {
                "eeg": "EEG at 200 Hz without gradient and pulse artefacts",
                "bold": "fMRI volumes",
                "motion": "head motion",
                "scores": "EEG and fMRI of motor regions in neurofeedback runs",
            },
            ("eeg", "bold", "motion"),
        ),
        EEGfMRISet(
            "xp2",
            "ds002338",
            "Motor neurofeedback: EEG at 8-30 Hz with fMRI of two regions (TR 1 s)",
            {"scores": "EEG and fMRI of motor regions in neurofeedback runs"},
            ("scores",),
        ),
        EEGfMRISet(
            "oddball",
            "ds000116",
            "Oddball: 34-channel EEG (of unknown size) with fMRI (TR 2 s)",
            {"bold": "fMRI volumes", "eeg": "EEG at 1000 Hz, from tarballs"},
            ("bold", "eeg"),
        ),
        EEGfMRISet(
            "sleep_features",
            "ds003574",
            "Falling asleep: band power of EEG and states decoded from fMRI, per scan",
            {"table": "band power and states of every scan"},
            ("table",),
        ),
    )
}


@cache
def read_set(name):
    """Read the packaged registry of a set as a tuple of (part, RegistryEntry)."""
    check_option("name", name, SETS)
    table = resources.files("mne_sbi.datasets") / "data" / f"eeg_fmri_{name}.csv"
    with table.open(encoding="utf-8") as fid:
        rows = list(csv.DictReader(ln for ln in fid if not ln.startswith("#")))
    return tuple((row["part"], _make_entry(name, row)) for row in rows)


def _make_entry(name, row):
    algorithm, _, content_hash = row["hash"].partition(":")
    hashes = {"sha256": "", "md5": "", algorithm: content_hash}
    return RegistryEntry(
        file=row["file"],
        datasets=(name,),
        bytes=int(row["bytes"]),
        licence="CC0",
        url=row["url"],
        **hashes,
    )


def subject_of(file):
    """Return the person that a file is about, e.g. ``"sub-xp101"``, or None."""
    found = re.search(r"sub-[A-Za-z0-9]+", file)
    return found[0] if found else None


def list_subjects(name, parts):
    """List the people of whom every one of the parts is registered."""
    people = [
        {subject_of(entry.file) for kind, entry in read_set(name) if kind == part}
        for part in parts
        if (name, part) != ("oddball", "eeg")  # tarballs, which are not registered
    ]
    return (
        sorted(set.intersection(*people)) if people else list_subjects(name, ["bold"])
    )


def check_parts(name, what):
    """Turn the argument ``what`` into a tuple of names of parts."""
    info = SETS[check_option("name", name, SETS)]
    if what is None:
        return info.default
    what = (what,) if isinstance(what, str) else tuple(what)
    if not what:
        raise ValueError(f"what is empty. Parts of {name!r}: {listing([*info.parts])}.")
    return tuple(check_option("what", part, info.parts) for part in what)


def check_subjects(name, subjects, parts):
    """Turn the argument ``subjects`` into a list of names with ``sub-``.

    Raises
    ------
    ValueError
        If somebody is not registered; the message says who is, and for what.
    """
    available = list_subjects(name, parts)
    if subjects is None:
        return available
    subjects = [subjects] if isinstance(subjects, str) else list(subjects)
    if not subjects:
        raise ValueError(
            f"subjects is empty. Registered for {name!r}: {listing(available, 20)}."
        )
    full = [full_name(subject) for subject in subjects]
    unknown = [subject for subject in full if subject not in available]
    if unknown:
        elsewhere = {
            part: sorted(set(list_subjects(name, [part])) - set(available))
            for part in SETS[name].parts
        }
        others = [
            f" With what={part!r} also: {listing(more, 20)}."
            for part, more in elsewhere.items()
            if more
        ]
        hint = ""
        if not any(unknown[0] in more for more in elsewhere.values()):
            hint = did_you_mean(unknown[0], available)
        raise ValueError(
            f"Not registered for {name!r} with {listing(parts)}: {listing(unknown)}. "
            f"Registered: {listing(available, 20)}.{hint}{''.join(others)}"
        )
    return list(dict.fromkeys(full))


def full_name(subject):
    """Return the name of a person with ``sub-``."""
    if not isinstance(subject, str):
        raise TypeError(
            f"Names of subjects are strings such as 'sub-xp101', got {subject!r}."
        )
    return subject if subject.startswith("sub-") else f"sub-{subject}"


def select_entries(name, subjects, parts):
    """Return the registered files of some people and parts, small ones first."""
    wanted = [
        entry
        for part, entry in read_set(name)
        if part == INFO or (part in parts and subject_of(entry.file) in subjects)
    ]
    return sorted(wanted, key=lambda entry: (entry.bytes > 1e6, entry.file))


def list_sets(folder=None):
    """List the names of the sets, or with a folder what is known about each."""
    if folder is None:
        return sorted(SETS)
    infos = []
    for name, info in SETS.items():
        entries = select_entries(name, list_subjects(name, info.default), info.default)
        own = folder / info.openneuro
        available = all((own / entry.file).exists() for entry in entries)
        if name == "oddball":
            # Its EEG has no size and is not among the files.
            available = available and (own / LOCK).exists()
        infos.append(
            DatasetInfo(
                name=name,
                function=f"fetch_eeg_fmri({name!r})",
                title=info.title,
                licence="CC0",
                files=tuple(entry.file for entry in entries),
                bytes=sum(entry.bytes for entry in entries),
                folder=str(own),
                available=available,
            )
        )
    return infos
