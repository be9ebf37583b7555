"""Downloads of EEG with fMRI: complete, resumed, damaged, missing."""

import re

import pytest

from mne_sbi.datasets import DownloadError, fetch_eeg_fmri, list_datasets
from mne_sbi.datasets._eeg_fmri_files import (
    INFO,
    SETS,
    list_subjects,
    read_set,
    subject_of,
)

from .eeg_fmri_files import make_scores, make_xp1

PEOPLE = ("sub-xp101", "sub-xp102")


@pytest.fixture
def xp1(serve_set):
    files = make_xp1(PEOPLE)
    files |= make_scores("xp1", "sub-xp109", ["eegNF"], new=True)
    server = serve_set("xp1", files)
    server.files = files
    return server


def files_in(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_complete(xp1, tmp_path):
    folder = fetch_eeg_fmri("xp1", path=tmp_path, verbose=False)
    assert folder == tmp_path / "ds002336"
    expected = {f for f, (part, _) in xp1.files.items() if part != "scores"}
    assert files_in(folder) == expected
    for file in expected:
        assert (folder / file).read_bytes() == xp1.files[file][1]
    # Everything is there: nothing is asked for again, with or without permission.
    n_requests = len(xp1.requests)
    assert n_requests == len(expected)
    fetch_eeg_fmri("xp1", path=tmp_path, verbose=False)
    fetch_eeg_fmri("xp1", path=tmp_path, download=False)
    assert len(xp1.requests) == n_requests


def test_only_what_is_wanted(xp1, tmp_path):
    folder = fetch_eeg_fmri("xp1", "xp102", what="eeg", path=tmp_path, verbose=False)
    expected = {
        file
        for file, (part, _) in xp1.files.items()
        if part == INFO or (part == "eeg" and "xp102" in file)
    }
    assert files_in(folder) == expected
    folder = fetch_eeg_fmri("xp1", what=["scores"], path=tmp_path, verbose=False)
    assert {f for f in files_in(folder) if "/NF_" in f} == {
        file for file, (part, _) in xp1.files.items() if part == "scores"
    }


def test_resume_after_a_broken_transfer(xp1, tmp_path):
    names = sorted(f for f, (part, _) in xp1.files.items() if part == "bold")
    # The third that is asked for.
    broken = [f for f in names if f.endswith(".nii.gz")][2]
    xp1.broken.append(f"/{broken}")
    with pytest.raises(DownloadError, match="did not complete") as info:
        fetch_eeg_fmri("xp1", path=tmp_path, verbose=False)
    assert broken in str(info.value) and isinstance(info.value.__cause__, OSError)
    folder = tmp_path / "ds002336"
    whole = files_in(folder)
    assert broken not in whole and len(whole) > 3
    # No part of the file is left, under whatever name.
    assert whole <= set(xp1.files)
    xp1.broken.clear()
    xp1.requests.clear()
    fetch_eeg_fmri("xp1", path=tmp_path, verbose=False)
    assert not {request[1:] for request in xp1.requests} & whole
    assert broken in files_in(folder)
    assert len(files_in(folder)) == len(whole) + len(xp1.requests)


def test_wrong_hash(xp1, tmp_path):
    """The right size, but not the registered content."""
    file = "sub-xp101/func/sub-xp101_task-eegfmriNF_bold.nii.gz"
    content = xp1.files[file][1]
    xp1.pages[f"/{file}"] = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(DownloadError, match="not the registered file") as info:
        fetch_eeg_fmri("xp1", "xp101", what="bold", path=tmp_path, verbose=False)
    message = str(info.value)
    md5 = next(e.md5 for _, e in read_of("xp1") if e.file == file)
    assert f"md5:     {md5}" in message and "hash" in message and xp1.url in message
    assert file not in files_in(tmp_path / "ds002336")
    assert files_in(tmp_path / "ds002336") <= set(xp1.files)


def read_of(name):
    from mne_sbi.datasets import _eeg_fmri_files

    return _eeg_fmri_files.read_set(name)


def test_damaged_on_disk(xp1, tmp_path):
    folder = fetch_eeg_fmri("xp1", path=tmp_path, verbose=False)
    target = folder / "README"
    target.write_bytes(b"B set.\n")
    with pytest.raises(DownloadError, match="its md5 is .* expected"):
        fetch_eeg_fmri("xp1", path=tmp_path, download=False)
    with pytest.warns(RuntimeWarning, match="another md5"):
        fetch_eeg_fmri("xp1", path=tmp_path, verbose=False)
    assert target.read_bytes() == b"A set.\n"


def test_download_false(xp1, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"fetch_eeg_fmri\('xp1'\) with down"):
        fetch_eeg_fmri("xp1", path=tmp_path, download=False)
    assert list(tmp_path.iterdir()) == [] and xp1.requests == []


def test_sizes_are_told_before(xp1, tmp_path, capfd):
    import mne

    with mne.utils.use_log_level("info"):
        fetch_eeg_fmri("xp1", what="motion", path=tmp_path)
        out, err = capfd.readouterr()
        n_bytes = sum(
            len(content)
            for part, content in xp1.files.values()
            if part in (INFO, "motion")
        )
        size = f"({n_bytes / 1e3:.0f} kB)"
        assert out.startswith(f"xp1 (ds002336): downloading 5 files {size} to ")
        assert out.strip().endswith(str(tmp_path / "ds002336"))
        assert "100%" in err
        fetch_eeg_fmri("xp1", what=["motion", "bold"], path=tmp_path)
        out = capfd.readouterr().out
        assert "downloading 8 files (" in out
        assert out.strip().endswith("(5 others are there)")
        # Nothing to say of nothing.
        fetch_eeg_fmri("xp1", what=["motion", "bold"], path=tmp_path)
        assert capfd.readouterr() == ("", "")
        fetch_eeg_fmri("xp1", path=tmp_path, verbose=False)
        assert capfd.readouterr() == ("", "")


def test_missing_people(xp1, tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'sub-xp102'") as info:
        fetch_eeg_fmri("xp1", ["xp101", "xp1o2"], path=tmp_path)
    assert "sub-xp1o2" in str(info.value)
    assert "Registered: sub-xp101, sub-xp102." in str(info.value)
    with pytest.raises(ValueError, match="With what='scores' also: sub-xp109"):
        fetch_eeg_fmri("xp1", "sub-xp109", path=tmp_path)
    with pytest.raises(ValueError, match="is empty"):
        fetch_eeg_fmri("xp1", [], path=tmp_path)
    with pytest.raises(TypeError, match="strings such as"):
        fetch_eeg_fmri("xp1", [101], path=tmp_path)
    assert xp1.requests == [] and list(tmp_path.iterdir()) == []


def test_missing_parts(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'xp1'"):
        fetch_eeg_fmri("xp11", path=tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'bold'"):
        fetch_eeg_fmri("xp1", what="bolt", path=tmp_path)
    with pytest.raises(ValueError, match="scores"):
        fetch_eeg_fmri("xp2", what="bold", path=tmp_path)
    with pytest.raises(ValueError, match="what is empty"):
        fetch_eeg_fmri("xp1", what=[], path=tmp_path)


def test_available(xp1, cache_dir):
    def available():
        infos = list_datasets(details=True)
        return next(info.available for info in infos if info.name == "xp1")

    assert not available()
    fetch_eeg_fmri("xp1", verbose=False)
    assert available()


@pytest.mark.parametrize("name", SETS)
def test_registry(name):
    """Facts only: everything is pinned, and of the known people."""
    rows = read_set(name)
    files = [entry.file for _, entry in rows]
    assert len(set(files)) == len(files) > 40
    for part, entry in rows:
        assert part == INFO or part in SETS[name].parts
        assert (part == INFO) == (subject_of(entry.file) is None)
        assert entry.bytes > 0 and entry.licence == "CC0"
        assert len(bytes.fromhex(entry.md5)) == 16 and not entry.sha256
        assert not entry.file.startswith("/") and ".." not in entry.file.split("/")
        url, _, query = entry.url.partition("?")
        number = SETS[name].openneuro
        if url.startswith("https://s3.amazonaws.com/openneuro.org/"):
            assert url.endswith(f"/{number}/{entry.file}")
            # Files of ds002338 that were renamed have no version under their new name.
            assert re.fullmatch(r"versionId=\S+", query) or (
                not query and name == "xp2"
            )
        else:
            # A commit in the address: what is behind it cannot change.
            start = f"https://raw.githubusercontent.com/OpenNeuroDatasets/{number}"
            assert re.fullmatch(rf"{start}/[0-9a-f]{{40}}/{entry.file}", entry.url)


def test_registered_people():
    assert list_subjects("xp1", ["eeg", "bold"]) == [f"sub-xp10{i}" for i in (1, 2, 3)]
    assert len(list_subjects("xp1", ["scores"])) == 10
    assert len(list_subjects("xp2", ["scores"])) == 15
    assert list_subjects("oddball", ["bold", "eeg"]) == ["sub-01", "sub-02", "sub-03"]
    assert len(list_subjects("sleep_features", ["table"])) == 18
    # Two tables of each.
    for subject in list_subjects("sleep_features", ["table"]):
        assert sum(subject in e.file for _, e in read_set("sleep_features")) == 2


def test_registries_are_small():
    from importlib import resources

    folder = resources.files("mne_sbi.datasets") / "data"
    sizes = [len((folder / f"eeg_fmri_{name}.csv").read_bytes()) for name in SETS]
    assert sum(sizes) < 150_000
