import io
import subprocess
import sys
from importlib.metadata import version

import mne_sbi
from mne_sbi.commands import main


def test_sys_info_reports_versions_and_models(capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert main(["sys_info"]) == 0
    printed = capsys.readouterr().out
    fields = dict(
        line.split(maxsplit=1) for line in printed.splitlines() if " " in line.strip()
    )
    assert fields["mne-sbi"] == mne_sbi.__version__
    assert fields["scikit-learn"] == version("scikit-learn")
    assert fields["Keras"].startswith("backend")
    assert "jax" in fields["Keras"]
    assert f"spectral_graph  mne-sbi {mne_sbi.__version__}, ok" in printed
    written = io.StringIO()
    mne_sbi.sys_info(written)
    assert written.getvalue() == printed


def test_sys_info_names_broken_models(tmp_path, monkeypatch):
    metadata = tmp_path / "broken_models-3.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: broken-models\nVersion: 3.1\n")
    (metadata / "entry_points.txt").write_text(
        "[mne_sbi.forward_models]\nbroken = no_such_module_xyz:Model\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    written = io.StringIO()
    mne_sbi.sys_info(written)
    assert "Model broken " in written.getvalue()
    assert "broken-models 3.1, broken: " in written.getvalue()
    assert "No module named 'no_such_module_xyz'" in written.getvalue()


def test_sys_info_does_not_import_keras():
    program = (
        "import os, sys; os.environ.pop('KERAS_BACKEND', None); import mne_sbi\n"
        "mne_sbi.sys_info(); assert 'keras' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "chosen at first use" in done.stdout
