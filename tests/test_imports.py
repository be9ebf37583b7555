import subprocess
import sys

import pytest

HEAVY = ("jax", "keras", "matplotlib", "mne", "pandas", "scipy", "sklearn", "numpy")


def modules_after(statement):
    """Return the heavy libraries that are loaded after a statement."""
    program = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split()) & set(HEAVY)


@pytest.mark.parametrize(
    "statement",
    [
        "import mne_sbi",
        "import mne_sbi; mne_sbi.__version__, dir(mne_sbi)",
        "import mne_sbi; mne_sbi.models",
        "import mne_sbi.commands",
    ],
)
def test_import_loads_nothing_heavy(statement):
    assert modules_after(statement) == set()


def test_the_nouns_need_numpy_only():
    loaded = modules_after("from mne_sbi import Connectome, Parameter, Prior")
    assert loaded == {"numpy"}


def test_listing_models_imports_no_model():
    loaded = modules_after("import mne_sbi; mne_sbi.list_models()")
    assert loaded <= {"numpy"}
