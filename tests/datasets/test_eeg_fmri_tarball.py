"""The tarballs of the oddball set, which nobody can verify."""

import hashlib
import io
import json
import os
import tarfile
import time

import numpy as np
import pytest

from mne_sbi.datasets import (
    DownloadError,
    _eeg_fmri_tarball,
    fetch_eeg_fmri,
    read_eeg_fmri,
)

from .eeg_fmri_files import make_ced, make_oddball, make_oddball_eeg, make_tarball

NAME = "ds116_sub001.tgz"
MEMBER = "sub001/EEG/task001_run001/EEG_rereferenced.mat"


def make_content():
    return {
        MEMBER: make_oddball_eeg(),
        "sub001/EEG/task002_run001/EEG_rereferenced.mat": make_oddball_eeg(9.0),
        "sub001/EEG/task001_run001/EEG_raw.mat": b"raw",
        "sub001/BOLD/task001_run001/bold.nii.gz": b"bold",
    }


@pytest.fixture
def oddball(serve_set):
    server = serve_set("oddball", make_oddball())
    server.pages[f"/{NAME}"] = make_tarball(make_content())
    return server


def fetch(tmp_path, **settings):
    settings = {"allow_unverified": True, "verbose": False} | settings
    return fetch_eeg_fmri("oddball", "sub-01", path=tmp_path, **settings)


def everything(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_needs_permission(oddball, tmp_path):
    """Asked for before anything is downloaded."""
    with pytest.raises(ValueError, match="allow_unverified=True") as info:
        fetch(tmp_path, allow_unverified=False)
    assert f"{oddball.url}/{NAME}" in str(info.value)
    assert oddball.requests == [] and list(tmp_path.iterdir()) == []
    # Volumes need none.
    fetch(tmp_path, allow_unverified=False, what="bold")
    assert oddball.requests and not any("tgz" in path for path in oddball.requests)


def test_hash_is_recorded(oddball, tmp_path):
    folder = fetch(tmp_path)
    content = make_content()
    record = json.loads((folder / "eeg_hashes.json").read_text())[NAME]
    body = oddball.pages[f"/{NAME}"]
    assert record["sha256"] == hashlib.sha256(body).hexdigest()
    assert record["bytes"] == len(body) and record["url"] == f"{oddball.url}/{NAME}"
    # Only the cleaned EEG is kept; neither the tarball nor anything else.
    kept = [name for name in content if "rereferenced" in name]
    assert set(record["members"]) == set(kept)
    assert [f for f in everything(folder / "tarballs") if f.endswith(".mat")] == kept
    assert not list(folder.rglob("*.tgz")) and not list(folder.rglob(".*"))
    for name in kept:
        assert (folder / "tarballs" / name).read_bytes() == content[name]
    # It is there: no permission is needed, and nothing comes again.
    n_requests = len(oddball.requests)
    fetch(tmp_path, allow_unverified=False)
    fetch(tmp_path, allow_unverified=False, download=False)
    assert len(oddball.requests) == n_requests


def test_download_false(oddball, tmp_path):
    with pytest.raises(FileNotFoundError, match="allow_unverified=True"):
        fetch(tmp_path, download=False)


def test_changed_tarball(oddball, tmp_path):
    folder = fetch(tmp_path)
    target = folder / "tarballs" / MEMBER
    before = (folder / "eeg_hashes.json").read_bytes()
    target.unlink()
    changed = make_content() | {MEMBER: make_oddball_eeg(12.0)}
    original = oddball.pages[f"/{NAME}"]
    oddball.pages[f"/{NAME}"] = make_tarball(changed)
    with pytest.raises(DownloadError, match="has changed: its sha256 is"):
        fetch(tmp_path)
    assert not target.exists() and not list(folder.rglob(".*"))
    assert (folder / "eeg_hashes.json").read_bytes() == before
    # What is the same as at first is welcome.
    oddball.pages[f"/{NAME}"] = original
    fetch(tmp_path)
    assert target.exists()
    assert json.loads((folder / "eeg_hashes.json").read_text()) == json.loads(before)


def test_changed_member(oddball, tmp_path):
    """Found at reading, and replaced by fetching."""
    folder = fetch(tmp_path)
    target = folder / "tarballs" / MEMBER
    content = target.read_bytes()
    target.write_bytes(make_oddball_eeg(14.0))
    with pytest.raises(DownloadError, match="not what the first download brought"):
        read_eeg_fmri("oddball", "sub-01", path=tmp_path)
    n_requests = len(oddball.requests)
    with pytest.raises(DownloadError, match="not what the first download brought"):
        fetch(tmp_path, download=False)
    assert len(oddball.requests) == n_requests
    with pytest.warns(RuntimeWarning, match="Downloading it again"):
        fetch(tmp_path)
    assert target.read_bytes() == content
    assert len(read_eeg_fmri("oddball", "sub-01", path=tmp_path)) == 2


@pytest.mark.parametrize("name", ["../../evil.mat", "/evil/evil.mat", "sub001/../../e"])
def test_path_traversal(oddball, tmp_path, name):
    folder = tmp_path / "deep" / "er"
    evil = make_content() | {name: b"evil"}
    oddball.pages[f"/{NAME}"] = make_tarball(evil)
    with pytest.raises(DownloadError, match="not safe: .* outside of its folder"):
        fetch(folder)
    assert not [f for f in everything(tmp_path) if "evil" in f or f.endswith("/e")]
    assert not (folder / "ds000116" / "tarballs").exists()
    assert not (folder / "ds000116" / "eeg_hashes.json").exists()


def test_leftovers_of_a_killed_download(oddball, tmp_path):
    folder = fetch(tmp_path, what="bold", allow_unverified=False)
    for name, age in (("old", 100_000), ("new", 0)):
        left = folder / f".{NAME}-{name}"
        left.mkdir()
        (left / NAME).write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    fetch(tmp_path)
    assert [p.name for p in folder.glob(".ds116*")] == [f".{NAME}-new"]


def test_a_bomb(oddball, tmp_path, monkeypatch):
    """Of zeros in a file that nobody asks for."""
    monkeypatch.setattr(_eeg_fmri_tarball, "LARGEST_CONTENT", 10**7)
    content = make_content() | {"sub001/zeros": bytes(10**7)}
    oddball.pages[f"/{NAME}"] = make_tarball(content)
    with pytest.raises(DownloadError, match="is not safe: it unpacks to more than"):
        fetch(tmp_path)
    assert not any("sub001" in name for name in everything(tmp_path))


def test_a_bomb_in_a_name(oddball, tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"comment": "0" * 2**21}
        archive.addfile(member)
    oddball.pages[f"/{NAME}"] = file.getvalue()
    with pytest.raises(DownloadError, match="no whole tarball .*description of 2.1 MB"):
        fetch(tmp_path)


def test_wanted_name_that_is_a_link(oddball, tmp_path):
    """A link by the name of a wanted file is not followed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo(MEMBER)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    oddball.pages[f"/{NAME}"] = buffer.getvalue()
    with pytest.raises(DownloadError, match="has no sub001/EEG"):
        fetch(tmp_path)


@pytest.mark.parametrize("kind", ["cut", "truncated", "text", "other person"])
def test_broken_tarball_leaves_nothing(oddball, tmp_path, kind):
    body = oddball.pages[f"/{NAME}"]
    if kind == "cut":
        oddball.broken.append(f"/{NAME}")
        expected = "did not complete"
    elif kind == "other person":
        names = {name.replace("sub001", "sub002"): b"1" for name in make_content()}
        oddball.pages[f"/{NAME}"] = make_tarball(names)
        expected = "has no sub001/EEG"
    else:
        oddball.pages[f"/{NAME}"] = body[:-500] if kind == "truncated" else b"Sorry."
        expected = "no whole tarball"
    with pytest.raises(DownloadError, match=expected) as info:
        fetch(tmp_path)
    assert NAME in str(info.value)
    folder = tmp_path / "ds000116"
    assert not (folder / "tarballs").exists() and not list(folder.rglob(".*"))
    assert not (folder / "eeg_hashes.json").exists()


def test_damaged_record(oddball, tmp_path):
    folder = fetch(tmp_path)
    (folder / "eeg_hashes.json").write_text("{half")
    with pytest.raises(DownloadError, match="cannot be read"):
        fetch(tmp_path)


def test_reading(oddball, tmp_path):
    fetch(tmp_path)
    auditory, visual = read_eeg_fmri("oddball", "01", path=tmp_path)
    assert (auditory.task, auditory.run, visual.task) == ("auditory", "01", "visual")
    assert repr(auditory).startswith("<EEGfMRIRun | oddball sub-01 auditory run 01: 37")
    raw = auditory.raw
    kinds = raw.get_channel_types()
    assert kinds == ["eeg"] * 34 + ["ecg", "stim", "stim"]
    assert raw.info["sfreq"] == 1000 and raw.ch_names[0] == "E01"
    # In V, but codes as they are.
    expected = np.arange(37) * np.r_[np.full(35, 1e-6), 1, 1]
    np.testing.assert_allclose(raw.get_data()[:, 17], expected, rtol=1e-12)
    # 15 s of EEG cover 7 of 10 volumes of 2 s, from the first one on.
    assert auditory.t_r == 2.0
    np.testing.assert_array_equal(auditory.onsets, 2.0 * np.arange(7))
    np.testing.assert_array_equal(visual.volumes, np.arange(4))
    img = auditory.load_bold()
    assert img.shape[3] == 7 and img.header.get_zooms()[3] == 2.0
    assert auditory.events["onset"].tolist() == [3.5] and auditory.motion is None
    (only,) = read_eeg_fmri("oddball", "sub-01", tasks="visual", path=tmp_path)
    assert only.task == "visual"


def test_electrode_positions(oddball, tmp_path):
    content = make_content() | {"supplement/locations_34_EEG.ced": make_ced()}
    oddball.pages[f"/{NAME}"] = make_tarball(content)
    fetch(tmp_path)
    run = read_eeg_fmri("oddball", "sub-01", path=tmp_path)[0]
    assert run.raw.ch_names[:2] == ["P0", "P1"]
    positions = run.raw.get_montage().get_positions()["ch_pos"]
    # EEGLAB's X, towards the nose, is MNE's y; its Y, to the left, is minus MNE's x.
    direction = np.array([0.0, 1.0, 0.5])
    expected = 0.095 * direction / np.linalg.norm(direction)
    np.testing.assert_allclose(positions["P0"], expected, atol=1e-6)
    last = positions["P16"]
    assert last[0] < 0 and abs(last[1]) < 0.01


def test_wrong_rows(oddball, tmp_path):
    content = make_content() | {MEMBER: make_oddball_eeg(n_rows=36)}
    oddball.pages[f"/{NAME}"] = make_tarball(content)
    fetch(tmp_path)
    with pytest.raises(ValueError, match=r"must have 37 rows, got shape \(36, "):
        read_eeg_fmri("oddball", "sub-01", path=tmp_path)
