"""Simulations of models whose source changes between two runs are not mixed."""

import importlib
import runpy
import sys
import textwrap

import pytest

from mne_sbi import simulate
from mne_sbi.features import LogPSD
from mne_sbi.models import SpectralGraphModel
from mne_sbi.simulation._source import describe_code
from mne_sbi.testing import make_connectome

MODEL = """
    from mne_sbi import Parameter, simulate
    from mne_sbi.models import ForwardModel
    {imports}

    class Line(ForwardModel):
        '''A line.'''

        output = "spectrum"
        parameters = (Parameter("height", 1.0, 2.0, 1.5),)
        freqs = (1.0, 2.0)

        def simulate(self, params, key):
            import jax.numpy as jnp

            return {factor} * (params["height"] + jnp.array([[1.0, 2.0]]))
"""
SCRIPT = """
    bank = simulate(Line(), None, {n}, fname="bank.sims", random_state=0)
"""


def write(path, text, imports="", factor="1", **values):
    path.parent.mkdir(exist_ok=True)
    text = textwrap.dedent(text)
    path.write_text(text.format(imports=imports, factor=factor, **values))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that simulates by the module of a folder, as a new process would."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget():
        for name in [n for n in sys.modules if n.partition(".")[0] == "line_models"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def run():
        forget()
        line = importlib.import_module("line_models").Line()
        bank = simulate(line, None, 10, fname=tmp_path / "a.sims", random_state=0)
        return bank.provenance["code"]["Line"]

    yield run
    forget()


def test_a_module(tmp_path, run):
    fname = tmp_path / "line_models.py"
    write(fname, MODEL)
    code = run()
    assert code.startswith("source ")
    # A comment is no change.
    write(fname, MODEL, imports="# as of today")
    assert run() == code
    write(fname, MODEL, factor="1000")
    with pytest.raises(ValueError, match=r"other settings: code.Line \(source .*there"):
        run()


def test_a_package(tmp_path, run):
    """The model's file stays the same; another file, or the version, changes."""
    package = tmp_path / "line_models"
    write(package / "__init__.py", "from ._line import Line")
    write(package / "_line.py", MODEL, imports="from ._rules import F", factor="F")
    write(package / "_rules.py", "F = 1")
    metadata = tmp_path / "line_models-3.1.dist-info" / "METADATA"
    text = "Metadata-Version: 2.1\nName: line-models\nVersion: {version}\n"
    write(metadata, text, version="3.1")
    code = run()
    assert code.startswith("line_models 3.1, source ")
    write(package / "_rules.py", "F = 1000")
    with pytest.raises(ValueError, match=r"code.Line \(line_models 3.1, source"):
        run()
    write(package / "_rules.py", "F = 1")
    assert run() == code
    write(metadata, text, version="3.20")
    with pytest.raises(ValueError, match="line_models 3.20, source .* asked for"):
        run()


def test_a_script(tmp_path, monkeypatch):
    """What the model does not use may change, such as the number of simulations."""
    monkeypatch.chdir(tmp_path)

    def run(n, **values):
        write(tmp_path / "script.py", textwrap.dedent(MODEL + SCRIPT), n=n, **values)
        variables = runpy.run_path("script.py", run_name="__main__")
        return variables["bank"].provenance["code"]["Line"]

    scale = "SCALE = {}\ndef scale(): return SCALE"
    code = run(10, imports=scale.format(1), factor="scale()")
    assert run(20, imports=scale.format(1), factor="scale()") == code
    for values in (
        {"imports": scale.format(1000), "factor": "scale()"},
        {"imports": scale.format(1), "factor": "1000 * scale()"},
    ):
        with pytest.raises(ValueError, match=r"other settings: code.Line \(source"):
            run(20, **values)


class OwnFeatures(LogPSD):
    """Features of another package."""


class OwnModel(SpectralGraphModel):
    """A model of another package."""


def test_what_is_described():
    model, features = SpectralGraphModel(make_connectome(3), [5.0]), LogPSD()
    assert describe_code(model, features) == {}
    own = OwnModel(make_connectome(3), [5.0])
    assert list(describe_code(own, OwnFeatures())) == ["OwnFeatures", "OwnModel"]
