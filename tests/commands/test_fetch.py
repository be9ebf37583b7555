"""``mne_sbi fetch``: what there is, and where it goes."""

import pytest

from mne_sbi import datasets
from mne_sbi.commands import main
from mne_sbi.datasets import _download, list_datasets


def test_list(cache_dir, capsys):
    assert main(["fetch"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "size", "licence", "here", "content"]
    for info, row in zip(list_datasets(details=True), rows, strict=False):
        name, number, unit, licence, here = row.split()[:5]
        assert (name, licence, here) == (info.name, info.licence, "no")
        scale = {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
        assert float(number) * scale == pytest.approx(info.bytes, rel=0.05)
        assert info.title in row


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """Calls of the function that downloads, which downloads nothing."""
    calls = []

    def fetch_files(name, path, download, verbose, call):
        calls.append((name, path, download, verbose))
        return tmp_path

    monkeypatch.setattr(_download, "fetch_files", fetch_files)
    return calls


def test_fetch(fetched, tmp_path, capsys):
    assert main(["fetch", "hcp_desikan86"]) == 0
    printed = capsys.readouterr().out
    for text in (
        f"Folder: {tmp_path}",
        "Licence: ",
        "fetch_connectome('hcp_desikan86')",
    ):
        assert text in printed
    assert main(["fetch", "spectrome", "--path", "here", "--quiet"]) == 0
    assert "fetch_spectrome(path='here')" in capsys.readouterr().out
    assert fetched == [
        ("hcp_desikan86", None, True, True),
        ("spectrome", "here", True, False),
    ]


def test_fetch_eeg_fmri(monkeypatch, tmp_path, capsys):
    calls = []

    def fetch_eeg_fmri(name, subjects, **settings):
        calls.append((name, subjects, settings))
        return tmp_path

    monkeypatch.setattr(datasets, "fetch_eeg_fmri", fetch_eeg_fmri)
    command = ["fetch", "xp1", "--subjects", "xp101", "--what", "eeg", "bold"]
    assert main([*command, "--quiet"]) == 0
    settings = {"what": ["eeg", "bold"], "path": None, "verbose": False}
    settings["allow_unverified"] = False
    assert calls == [("xp1", ["xp101"], settings)]
    assert "fetch_eeg_fmri('xp1')" in capsys.readouterr().out
    assert main(["fetch", "oddball", "--allow-unverified"]) == 0
    assert calls[1][2]["allow_unverified"] and calls[1][2]["verbose"] is None
    assert main(["fetch", "spectrome", "--subjects", "sub-01"]) == 1
    assert "leave out --subjects" in capsys.readouterr().err


def test_files_that_are_there_are_not_downloaded(shared_data, monkeypatch, capsys):
    def fail(*args):
        raise AssertionError("downloads")

    monkeypatch.setattr(_download, "_download", fail)
    folder = shared_data / "spectrome"
    assert main(["fetch", "hcp_desikan86", "--path", str(folder)]) == 0
    assert f"path={str(folder)!r})" in capsys.readouterr().out


def test_unknown_names(capsys):
    assert main(["fetch", "spectrom"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("mne_sbi fetch: ") and "Did you mean 'spectrome'?" in error


def test_failures_are_told_without_a_traceback(cache_dir, monkeypatch, capsys):
    entry = next(iter(_download.read_registry().values()))
    import dataclasses

    # Nobody listens at port 1.
    broken = dataclasses.replace(entry, url="http://127.0.0.1:1/file")
    monkeypatch.setattr(_download, "dataset_files", lambda name: [broken])
    assert main(["fetch", "hcp_desikan86", "--quiet"]) == 1
    assert "Could not download" in capsys.readouterr().err
