from pathlib import Path

from mne_sbi._cache import get_cache_dir


def test_cache_dir_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MNE_SBI_CACHE_DIR", str(tmp_path / "here"))
    assert get_cache_dir() == tmp_path / "here"
    assert get_cache_dir("tables") == tmp_path / "here" / "tables"
    assert not (tmp_path / "here").exists()


def test_cache_dir_default(monkeypatch):
    monkeypatch.delenv("MNE_SBI_CACHE_DIR")
    path = get_cache_dir()
    assert isinstance(path, Path)
    assert path.name == "mne_sbi"
