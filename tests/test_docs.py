"""The documentation knows every public name, and the examples are in their place."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import mne_sbi

REPOSITORY = Path(__file__).resolve().parents[1]
DOC, EXAMPLES = REPOSITORY / "doc", REPOSITORY / "examples"
SUBPACKAGES = sorted(
    module.name
    for module in pkgutil.iter_modules(mne_sbi.__path__)
    if module.ispkg and not module.name.startswith("_") and module.name != "commands"
)


def listed():
    """Map each module of api.rst to the names that are listed under it."""
    names, module = {}, None
    for line in (DOC / "api.rst").read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            names.setdefault(module, []).append(line.strip())
    return names


@pytest.mark.parametrize("subpackage", ["", *SUBPACKAGES])
def test_every_public_name_is_in_the_api_page(subpackage):
    name = f"mne_sbi.{subpackage}".rstrip(".")
    names = listed()
    found = {*names["mne_sbi"], *names.get(name, ())}
    public = set(importlib.import_module(name).__all__) - set(SUBPACKAGES)
    assert public - found - {"__version__"} == set()


def test_api_page_lists_what_exists_and_once():
    names = listed()
    for module, members in names.items():
        public = importlib.import_module(module).__all__
        assert set(members) <= set(public), module
    everything = [member for members in names.values() for member in members]
    assert len(everything) == len(set(everything))


def test_references_lead_to_public_names():
    known = {f"{module}.{name}" for module, names in listed().items() for name in names}
    pattern = r":(?:class|func):`(?:[^`<]*<)?~?(mne_sbi\.[\w.]+)"
    for path in [*DOC.glob("*.rst"), *DOC.glob("adr/*.rst"), *EXAMPLES.glob("*.py")]:
        for target in re.findall(pattern, path.read_text(encoding="utf-8")):
            assert target in known, f"{path.name}: {target}"


def examples():
    return sorted(EXAMPLES.rglob("*.py"))


def test_examples_are_numbered_scripts():
    assert examples()
    assert not {path.suffix for path in EXAMPLES.rglob("*.*")} - {".py", ".rst"}
    for path in examples():
        assert path.parent == EXAMPLES
        assert re.fullmatch(r"\d\d_[a-z0-9_]+\.py", path.name), path.name
    numbers = [path.name[:2] for path in examples()]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.name)
def test_example_has_a_title_and_public_imports_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = ast.get_docstring(tree).splitlines()
    assert set(lines[0]) == {"="} and len(lines[0]) >= len(lines[1])
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert "._" not in node.module, node.module


def test_the_worked_model_is_as_short_as_promised():
    plugin = REPOSITORY / "tests" / "data" / "plugin_hopf" / "plugin_hopf.py"
    assert len(plugin.read_text(encoding="utf-8").splitlines()) < 60
    page = (DOC / "how_to_write_a_forward_model.rst").read_text(encoding="utf-8")
    assert "plugin_hopf.py" in page
