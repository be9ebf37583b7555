"""The how-to of EEG to fMRI runs as it stands, on recordings of the generator."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HOW_TO = Path(__file__).resolve().parents[1] / "doc" / "how_to_eeg_to_fmri.rst"
MOTION = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]


def read_blocks():
    text = HOW_TO.read_text(encoding="utf-8")
    found = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text)
    return [textwrap.dedent(block) for block in found]


def make_quick(name):
    """Make an architecture; one pass of a published one is enough to see it run."""
    from mne_sbi.eeg_fmri._registry import make_architecture

    architecture = make_architecture(name)
    return architecture if name != "calhas" else architecture.set_params(max_iter=1)


@pytest.mark.slow
def test_all_blocks_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    import sklearn

    from mne_sbi import simulate_eeg_fmri

    monkeypatch.setattr("mne_sbi.eeg_fmri._regressor.make_architecture", make_quick)
    monkeypatch.chdir(tmp_path)
    made = simulate_eeg_fmri(
        4,
        n_volumes=60,
        montage="biosemi16",
        voxel_size=0.012,
        random_state=0,
        verbose=False,
    )
    made.write_bids(tmp_path / "bids")
    confounds = [tmp_path / f"{person}.tsv" for person in made.subjects]
    for fname, motion in zip(confounds, made.motion, strict=True):
        table = pd.DataFrame(np.asarray(motion), columns=MOTION)
        table.to_csv(fname, sep="\t", index=False)
    names = {"root": tmp_path / "bids", "confound_files": confounds}
    blocks = [block for block in read_blocks() if "fetch_eeg_fmri" not in block]
    assert len(blocks) > 12
    with sklearn.config_context():
        for block in blocks:
            exec(compile(block, HOW_TO.name, "exec"), names)
    # What they leave: scores, an image, and predictions without fMRI.
    printed = capsys.readouterr().out
    assert printed.count("<Evaluation | leave_one_person_out, 4 people, 240") == 2
    assert names["img"].shape[3] == 60 and np.isfinite(names["y_new"]).all()
    assert (names["table"].query("predictor == 'model'")["skill"] > 0).all()
