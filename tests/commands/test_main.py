import io
import subprocess
import sys
import types

import pytest

import mne_sbi
from mne_sbi.commands import main
from mne_sbi.models import _registry


@pytest.fixture
def demo(monkeypatch):
    """Put a function in the place of the demonstration."""

    def replace(function):
        module = types.SimpleNamespace(run=function)
        monkeypatch.setitem(sys.modules, "mne_sbi.commands._demo", module)

    return replace


def test_help_and_version(capsys):
    assert main([]) == 0
    assert "sys_info" in capsys.readouterr().out
    for arguments in (["--help"], ["demo", "--help"], ["models", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert "usage: mne_sbi" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"mne_sbi {mne_sbi.__version__}\n"


@pytest.mark.parametrize("arguments", [["dmeo"], ["demo", "--seed", "x"], ["-q"]])
def test_wrong_arguments_end_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_demo_gets_its_options(demo):
    calls = []
    demo(lambda **options: calls.append(options))
    assert main(["demo"]) == main(["demo", "--output-dir", "out", "--seed", "3"]) == 0
    assert calls == [
        {"output_dir": ".", "seed": 0},
        {"output_dir": "out", "seed": 3},
    ]


def fail(error):
    def run(**options):
        raise error

    return run


@pytest.mark.parametrize(
    "error",
    [
        ValueError("seed must not be negative"),
        FileNotFoundError("no folder"),
        _registry.PluginError("broken package"),
    ],
)
def test_mistakes_are_told_without_a_traceback(demo, capsys, error):
    demo(fail(error))
    assert main(["demo"]) == 1
    captured = capsys.readouterr()
    told = str(error).replace("seed", "--seed")
    assert captured.err == f"mne_sbi demo: {told}\n"
    assert captured.out == ""
    with pytest.raises(type(error)):
        main(["--traceback", "demo"])


def test_other_errors_keep_their_traceback(demo):
    demo(fail(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main(["demo"])


def test_interruption(demo, capsys):
    demo(fail(KeyboardInterrupt()))
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_models(capsys):
    assert main(["models"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "package", "status"]
    (row,) = [row for row in rows if row.startswith("spectral_graph ")]
    assert row.split() == ["spectral_graph", "mne-sbi", mne_sbi.__version__, "found"]


def test_models_check(capsys):
    assert main(["models", "--check"]) == 0
    (row,) = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("spectral_graph ")
    ]
    assert row.split()[-1] == "ok"


def test_models_of_one_name(capsys):
    assert main(["models", "spectral_graph"]) == 0
    printed = capsys.readouterr().out
    for parameter in mne_sbi.get_model("spectral_graph").parameters:
        assert f"{parameter.name}: {parameter.doc}" in printed
    assert main(["models", "spectral_grap"]) == 1
    assert "Did you mean 'spectral_graph'?" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["mne_sbi", "script"])
def test_as_a_process(module):
    command = {
        "mne_sbi": [sys.executable, "-m", "mne_sbi"],
        "script": [
            sys.executable,
            "-c",
            "from importlib.metadata import entry_points; import sys;"
            "script, = entry_points(group='console_scripts', name='mne_sbi');"
            "sys.exit(script.load()())",
        ],
    }[module]
    done = subprocess.run(
        [*command, "models", "no_such_model"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("mne_sbi models: There is no forward model 'no_such")


def test_output_that_nobody_reads_is_no_error():
    """As in ``mne_sbi models | head -1``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mne_sbi", "models"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_a_terminal_of_ascii(demo, monkeypatch):
    demo(lambda **options: print("R\u00b2 of sub-J\u00fcrgen \u2611"))
    output = io.BytesIO()
    stream = io.TextIOWrapper(output, encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["demo"]) == 0
    assert output.getvalue() == rb"R\xb2 of sub-J\xfcrgen \u2611" + b"\n"
