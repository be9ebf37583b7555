"""The architecture: which file may import which.

A file imports only from a lower floor, or from its own folder. Function bodies count as
well, except that a method may import ``viz`` to plot.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mne_sbi"

FLOORS = {
    "_checks": 0,
    "_files": 0,
    "_frozen": 0,
    "_cache": 0,
    "_threads": 0,
    "_warnings": 0,
    "_keras": 0,
    "_jax": 0,
    "_memory": 0,
    "_region_names": 0,
    "_sensors": 0,
    "_parameters": 1,
    "_symmetries": 1,
    "_priors": 1,
    "_connectome": 1,
    "_lead_field": 1,
    "_forward_gain": 1,
    "_template_lead_field": 1,
    "_recording": 1,
    "_recording_arrays": 1,
    "_recording_channels": 1,
    "_recording_joints": 1,
    "_recording_sources": 1,
    "_source_imaging": 1,
    "models": 2,
    "features": 2,
    "simulation": 3,
    "inference": 4,
    "diagnostics": 5,
    "estimators": 6,
    "eeg_fmri": 6,
}
# Doors at the side of the house: each may use the floors given here, and no floor may
# use a door, except where DOORS_OPEN_TO says so.
DOORS = {
    "viz": 6,
    "datasets": 1,
    "testing": 6,
    "_sys_info": 6,
    "commands": 6,
    "__main__": 6,
}
# A result plots itself, and a model or an estimator falls back on the packaged
# connectome: inside a function only, so that importing them stays cheap. The template's
# lead field is made of the packaged parcels. The commands are a user of everything.
DOORS_OPEN_TO = {
    "viz": {"inference", "diagnostics", "simulation", "estimators", "eeg_fmri"},
    "datasets": {
        "_template_lead_field",
        "models",
        "estimators",
        "eeg_fmri",
        "testing",
        "viz",
    },
    "_sys_info": {"commands"},
    "commands": {"__main__"},
}
# Heavy or optional libraries, and the only places that may import them.
ONLY_IN = {
    "keras": {"_keras"},
    "matplotlib": {"viz"},
    "tensorflow": set(),
    "torch": {"_keras"},
}
FORBIDDEN_NAMES = {"utils", "helpers", "misc", "common", "core"}

# The package's own __init__ opens to every floor, lazily.
FILES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})


def unit_of(path):
    """Return the folder directly in the package, or the file, that a path is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def public_homes():
    """Map the package's public names to the unit that they come from."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    homes = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = node.module or alias.name
                homes[alias.name] = module.split(".")[0]
    return homes


def imports_of(tree, path):
    """Yield (line, is_inside_function, absolute parts) of every import in a file."""
    package = ("mne_sbi", *path.relative_to(PACKAGE).parent.parts)
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
        if child is not node
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            names = [(*base, alias.name) for alias in node.names]
        for name in names:
            yield node.lineno, id(node) in inside, name


def problems_of(path, source):
    """Return what a file imports that it should not."""
    unit, homes = unit_of(path), public_homes()
    problems = []
    for line, inside, name in imports_of(ast.parse(source), path):
        where = f"{path.relative_to(PACKAGE.parent)}:{line}"
        if name[0] in ONLY_IN and unit not in ONLY_IN[name[0]]:
            problems.append(f"{where} imports {name[0]}")
        if name[0] != "mne_sbi" or len(name) == 1:
            continue
        target = homes.get(name[1], name[1])
        if target == unit or name[1].startswith("__version__"):
            continue
        if target not in FLOORS and target not in DOORS:
            problems.append(f"{where} imports {target}, which has no floor")
        elif target in DOORS:
            if unit not in DOORS_OPEN_TO.get(target, ()) and unit != "commands":
                problems.append(f"{where} imports the side door {target}")
            elif unit in FLOORS and not inside:
                problems.append(f"{where} imports {target} outside a function")
        elif unit in FLOORS:
            # Files directly in the package share a folder: they may use each other.
            own_folder = unit.startswith("_") and target.startswith("_")
            below = FLOORS[target] < FLOORS[unit]
            if not below and not (own_folder and FLOORS[target] == FLOORS[unit]):
                problems.append(
                    f"{where} imports {target} from the same or upper floor"
                )
        elif FLOORS[target] > DOORS[unit]:
            problems.append(f"{where} imports {target} from too high a floor")
    return problems


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_file_imports_downwards(path):
    assert not problems_of(path, path.read_text(encoding="utf-8"))


def test_every_file_has_a_floor():
    units = {unit_of(path) for path in FILES}
    assert units <= FLOORS.keys() | DOORS.keys()


def test_no_folder_or_file_without_a_subject():
    for path in [*FILES, *(p for p in PACKAGE.rglob("*") if p.is_dir())]:
        assert path.stem.strip("_") not in FORBIDDEN_NAMES, path


@pytest.mark.parametrize(
    "file, source, problem",
    [
        ("_priors.py", "from .models import ForwardModel", "same or upper floor"),
        ("models/_base.py", "from ..features import LogPSD", "same or upper floor"),
        ("models/_base.py", "import mne_sbi.inference", "same or upper floor"),
        ("models/_base.py", "from mne_sbi import Posterior", "same or upper floor"),
        ("_checks.py", "from ._priors import Prior", "same or upper floor"),
        ("features/_spectral.py", "import keras", "imports keras"),
        ("features/_spectral.py", "def f():\n    import keras", "imports keras"),
        ("inference/_npe.py", "from keras import layers", "imports keras"),
        ("inference/_a.py", "import matplotlib.pyplot as plt", "imports matplotlib"),
        ("inference/_a.py", "from ..viz import plot_pairs", "outside a function"),
        ("models/_a.py", "from .. import datasets", "outside a function"),
        ("models/_a.py", "from ..viz import plot_pairs", "side door viz"),
        ("estimators/_a.py", "from ..commands import main", "side door commands"),
        ("datasets/_a.py", "from ..models import ForwardModel", "too high a floor"),
        ("models/_a.py", "from .._attic import x", "has no floor"),
    ],
)
def test_the_checker_finds(file, source, problem):
    (found,) = problems_of(PACKAGE / file, source)
    assert problem in found


@pytest.mark.parametrize(
    "file, source",
    [
        ("models/_base.py", "from .._priors import Parameter\nimport jax"),
        ("models/_a.py", "from ._base import ForwardModel"),
        ("models/_a.py", "def f():\n    from ..datasets import load"),
        ("estimators/_a.py", "from mne_sbi import Prior, Posterior"),
        ("inference/_a.py", "def plot():\n    from ..viz import plot_pairs"),
        ("_keras.py", "def f():\n    import keras"),
        ("_priors.py", "from ._parameters import Parameter"),
        ("commands/_demo.py", "from .. import SGMInverter, datasets, viz"),
        ("viz/_a.py", "import matplotlib"),
    ],
)
def test_the_checker_accepts(file, source):
    assert not problems_of(PACKAGE / file, source)
