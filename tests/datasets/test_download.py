"""Downloads against a real HTTP server on this machine."""

import dataclasses
import hashlib

import pytest

from mne_sbi.datasets import (
    DownloadError,
    _download,
    fetch_connectome,
    fetch_spectrome,
    list_datasets,
    read_group_connectome,
    read_spectrome,
)
from mne_sbi.datasets._download import (
    RegistryEntry,
    data_folder,
    fetch_entries,
    fetch_file,
    read_registry,
)
from mne_sbi.datasets._eeg_fmri_files import read_set

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def server(server):
    """A server with one file."""
    server.pages["/good/file.bin"] = CONTENT
    return server


def make_entry(url, content=CONTENT, file="file.bin"):
    return RegistryEntry(
        file=file,
        datasets=("test",),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        licence="MIT",
        url=url,
    )


def test_download_is_kept_and_not_repeated(server, tmp_path):
    entry = make_entry(f"{server.url}/good/file.bin")
    folder = tmp_path / "new" / "folder"
    path = fetch_file(entry, folder, verbose=False)
    assert path == folder / "file.bin"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]
    fetch_file(entry, folder, verbose=False)
    assert server.requests == ["/good/file.bin"]


def test_progress_bar(server, tmp_path, capfd):
    entry = make_entry(f"{server.url}/good/file.bin")
    fetch_file(entry, tmp_path / "a", verbose=False)
    assert capfd.readouterr().err == ""
    fetch_file(entry, tmp_path / "b")
    assert "100%" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "damaged", "truncated", "cut", "off"])
def test_failed_download_leaves_nothing(server, tmp_path, kind):
    server.pages |= {
        "/damaged/file.bin": CONTENT[:-1] + b"x",
        "/truncated/file.bin": CONTENT[:1000],
        "/cut/file.bin": CONTENT,
    }
    entry = make_entry(f"{server.url}/{kind}/file.bin")
    if kind == "off":
        # Nobody listens at port 1.
        entry = dataclasses.replace(entry, url="http://127.0.0.1:1/file.bin")
    expected = {
        "missing": "status 404",
        "damaged": "not the registered file",
        "truncated": "not the registered file",
        "cut": "did not complete",
        "off": "did not complete",
    }[kind]
    folder = tmp_path / "data"
    with pytest.raises(DownloadError, match=expected) as info:
        fetch_file(entry, folder, verbose=False)
    message = str(info.value)
    for part in ("file.bin", entry.url, entry.sha256, str(folder), "yourself"):
        assert part in message
    assert isinstance(info.value, OSError)
    assert info.value.__cause__ is not None
    # Neither a part of the file nor the folder made for it.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [len(CONTENT), 0])
def test_no_more_comes_than_is_registered(server, tmp_path, monkeypatch, size):
    monkeypatch.setattr(_download, "LARGEST", 10**6)  # where no size is registered
    server.pages["/endless/file.bin"] = CONTENT
    entry = make_entry(f"{server.url}/endless/file.bin")
    entry = dataclasses.replace(entry, bytes=size, sha256=entry.sha256 if size else "")
    with pytest.raises(DownloadError, match="more arrived than (512 kB|1.0 MB)"):
        fetch_file(entry, tmp_path / "data", verbose=False)
    # The buffers of the connection may be full.
    assert server.n_sent < 5 * 10**7
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_what_was_there(server, tmp_path):
    (tmp_path / "other.txt").write_text("mine")
    entry = make_entry(f"{server.url}/missing/file.bin")
    with pytest.raises(DownloadError):
        fetch_file(entry, tmp_path, verbose=False)
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def test_folder_that_is_a_file(server, tmp_path):
    (tmp_path / "taken").write_text("mine")
    entry = make_entry(f"{server.url}/good/file.bin")
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch_file(entry, tmp_path / "taken", verbose=False)
    assert (tmp_path / "taken").read_text() == "mine"


def test_damaged_file_on_disk(server, tmp_path):
    entry = make_entry(f"{server.url}/good/file.bin")
    target = tmp_path / "file.bin"
    target.write_bytes(b"half")
    with pytest.raises(DownloadError, match="download=True"):
        fetch_file(entry, tmp_path, download=False)
    with pytest.warns(RuntimeWarning, match="downloading it again"):
        fetch_file(entry, tmp_path, verbose=False)
    assert target.read_bytes() == CONTENT


def test_download_false(tmp_path):
    entry = make_entry("http://127.0.0.1:1/file.bin")
    with pytest.raises(FileNotFoundError, match="fetch_this.*download=True"):
        fetch_file(entry, tmp_path, download=False, call="fetch_this()")
    assert list(tmp_path.iterdir()) == []


def make_entries(url, names):
    entry = make_entry(f"{url}/good/file.bin")
    return [
        dataclasses.replace(entry, file=name, url=f"{url}/{name}") for name in names
    ]


def test_all_files_that_are_missing_are_named(server, tmp_path):
    entries = make_entries(server.url, "abc")
    (tmp_path / "b").write_bytes(CONTENT)
    with pytest.raises(
        FileNotFoundError, match=r"2 of 3 files .*fetch_this\(\)"
    ) as exc:
        fetch_entries(entries, tmp_path, False, False, "fetch_this()")
    for name in "ac":
        assert f"\n  {name}  from {server.url}/{name}" in str(exc.value)
    assert f"{server.url}/b" not in str(exc.value)
    # The same where there is no network.
    entries = make_entries("http://127.0.0.1:1", "abc")
    with pytest.raises(DownloadError, match="Could not download a: ") as exc:
        fetch_entries(entries, tmp_path, True, False, "fetch_this()")
    assert str(exc.value).endswith(
        "Also missing there:\n  c  from http://127.0.0.1:1/c"
    )
    (tmp_path / "c").write_bytes(CONTENT)
    with pytest.raises(DownloadError, match="Could not download a: ") as exc:
        fetch_entries(entries, tmp_path, True, False, "fetch_this()")
    assert "Also missing" not in str(exc.value)


def test_interrupt_leaves_nothing(server, tmp_path, monkeypatch):
    """Ctrl-C in the middle of the transfer."""
    import requests

    def interrupted(self, chunk_size):
        yield CONTENT[:100]
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    entry = make_entry(f"{server.url}/good/file.bin")
    with pytest.raises(KeyboardInterrupt):
        fetch_file(entry, tmp_path / "data", verbose=False)
    assert list(tmp_path.iterdir()) == []


def test_data_folder(cache_dir, tmp_path):
    assert data_folder(None) == cache_dir / "data"
    assert data_folder(str(tmp_path)) == tmp_path


def test_registry():
    registry = read_registry()
    assert len(registry) == 5
    for entry in registry.values():
        assert entry.url.startswith("https://") and entry.url.endswith(entry.file)
        # A commit in the address: what is behind it cannot change.
        assert any(len(part) == 40 for part in entry.url.split("/"))
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.bytes > 0 and entry.licence


def test_list_datasets(cache_dir):
    assert list_datasets() == [
        "hcp_desikan86",
        "oddball",
        "sleep_features",
        "spectrome",
        "xp1",
        "xp2",
    ]
    infos = list_datasets(details=True)
    assert [info.name for info in infos] == list_datasets()
    assert not any(info.available for info in infos)
    assert infos[0].bytes == 44843 + 46888
    assert infos[0].folder == str(cache_dir / "data")
    assert infos[4].folder == str(cache_dir / "data" / "ds002336")
    assert infos[4].bytes == sum(
        entry.bytes for part, entry in read_set("xp1") if part != "scores"
    )
    assert not cache_dir.exists()


def test_pooch_logger_level_is_restored(server, tmp_path):
    import pooch

    before = pooch.get_logger().level
    fetch_file(make_entry(f"{server.url}/good/file.bin"), tmp_path, verbose=False)
    assert pooch.get_logger().level == before


@pytest.fixture
def real_files(server, shared_data, monkeypatch):
    """The registry with this machine's addresses, for the files of 12 people."""
    registry = {}
    for entry in read_registry().values():
        source = shared_data / "spectrome" / entry.file
        if not source.exists():  # we only have 12 of the 36 people
            source = source.with_stem(f"{source.stem}_dev12")
        content = source.read_bytes()
        server.pages[f"/real/{entry.file}"] = content
        registry[entry.file] = dataclasses.replace(
            entry,
            url=f"{server.url}/real/{entry.file}",
            sha256=hashlib.sha256(content).hexdigest(),
        )
    monkeypatch.setattr(_download, "read_registry", lambda: registry)
    return server.pages


def test_fetch_connectome(real_files, tmp_path, shared_data):
    with pytest.raises(FileNotFoundError, match=r"fetch_connectome\('hcp_desikan86'\)"):
        fetch_connectome(path=tmp_path, download=False)
    connectome = fetch_connectome(path=tmp_path, verbose=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mean80_fibercount.csv",
        "mean80_fiberlength.csv",
    ]
    assert connectome == read_group_connectome(shared_data / "spectrome")
    assert fetch_connectome(path=tmp_path, download=False) == connectome


def test_fetch_spectrome(real_files, cache_dir, shared_data):
    """Into the cache folder; a second call goes on where the first one failed."""
    last = real_files.pop("/real/MSGM_Reordered_matlab_500iter.csv")
    with pytest.raises(DownloadError, match="MSGM_Reordered_matlab_500iter.csv"):
        fetch_spectrome(verbose=False)
    # The complete files stay, nothing else.
    assert len(list((cache_dir / "data").iterdir())) == 4
    real_files["/real/MSGM_Reordered_matlab_500iter.csv"] = last
    data = fetch_spectrome(verbose=False, clip=None)
    expected = read_spectrome(shared_data / "spectrome", clip=None)
    assert data.connectomes == expected.connectomes
    assert data.fits.equals(expected.fits)
    assert data.subjects == expected.subjects


def test_fetch_connectome_unknown_name():
    with pytest.raises(ValueError, match="hcp_desikan86"):
        fetch_connectome("hcp_desikan68", download=False)
