"""Wrong commands, each with the exact error; and how many wrong inputs there are."""

import ast
from pathlib import Path

import pytest

from mne_sbi.commands import main

CASES = [
    (
        "a recording that is not there",
        ["invert", "FOLDER/files/inverter.zip", "none.fif"],
        "There is no file none.fif.",
    ),
    (
        "a command on a dataset that is none",
        ["fetch", "hcp"],
        "Invalid value for 'NAME': 'hcp'. Allowed: 'hcp_desikan86', 'oddball', "
        "'sleep_features', 'spectrome', 'xp1', 'xp2'.",
    ),
    (
        "a command on a model misspelt",
        ["models", "spectral_grap"],
        "There is no forward model 'spectral_grap'. Installed: jansen_rit, "
        "spectral_graph, wilson_cowan. Did you mean 'spectral_graph'?",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_is_said(world, capsys, case):
    _, arguments, message = case
    # Makes the files, where no other test did.
    folder = str(world.files.parent)
    assert main([part.replace("FOLDER", folder) for part in arguments]) == 1
    said = capsys.readouterr().err.replace(folder, "FOLDER")
    assert said.splitlines()[-1] == f"mne_sbi {arguments[0]}: {message}"


def test_there_are_many_and_no_two_are_the_same():
    names = []
    for path in sorted(Path(__file__).parent.glob("test_wrong_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CASES":
                names += [row.elts[0].value for row in node.value.elts]
    assert len(names) >= 150
    assert len(set(names)) == len(names)
