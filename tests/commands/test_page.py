"""The page about the command line shows lines that are understood."""

import shlex
from pathlib import Path

import pytest

from mne_sbi.commands._main import _make_parser

PAGE = Path(__file__).parents[2] / "doc" / "how_to_command_line.rst"
LINES = [
    line.strip()
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("    mne_sbi ")
]


@pytest.mark.parametrize("line", LINES)
def test_lines_of_the_page(line):
    options = _make_parser().parse_args(shlex.split(line)[1:])
    assert callable(options.run)


def test_there_are_lines_of_each_command():
    assert {line.split()[1] for line in LINES} == {"fetch", "invert", "simulate"}


def test_examples_of_the_help_texts(capsys):
    for command in ("invert", "simulate", "fetch"):
        with pytest.raises(SystemExit):
            _make_parser().parse_args([command, "--help"])
        shown = capsys.readouterr().out.replace("\\\n", " ")
        lines = [ln for ln in shown.splitlines() if "mne_sbi " + command in ln]
        lines = [ln for ln in lines if "usage" not in ln]
        assert lines
        for line in lines:
            words = shlex.split(line[line.index("mne_sbi ") :])
            _make_parser().parse_args(words[1:])
