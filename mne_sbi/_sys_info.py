"""What is installed here, for bug reports."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from ._cache import get_cache_dir
from .models import list_models

_DEPENDENCIES = (
    "mne-sbi",
    "mne",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "joblib",
    "h5py",
    "nibabel",
    "nilearn",
    "pooch",
    "keras",
    "jax",
    "jaxlib",
    "torch",
    "tensorflow",
)


def sys_info(fid=None):
    """Print versions, the network backend and the installed forward models.

    Every forward model is imported, to see whether it works.

    Parameters
    ----------
    fid : file-like | None
        Where to print; ``None`` stands for the standard output.
    """
    lines = [
        ("Platform", platform.platform()),
        ("Python", sys.version.replace("\n", " ")),
        ("CPU", f"{os.cpu_count()} cores"),
        ("Cache folder", str(get_cache_dir())),
        ("", ""),
        *((name, _find_version(name)) for name in _DEPENDENCIES),
        ("Keras backend", _describe_backend()),
        ("", ""),
    ]
    for record in list_models(details=True, load=True):
        package = f"{record.distribution} {record.version}"
        status = f"{record.status}: {record.error}" if record.error else record.status
        lines.append((f"Model {record.name}", f"{package}, {status}"))
    width = max(len(label) for label, _ in lines) + 2
    text = "\n".join(f"{label:<{width}}{value}".rstrip() for label, value in lines)
    (sys.stdout if fid is None else fid).write(text + "\n")


def _find_version(distribution):
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _describe_backend():
    """Say which backend Keras uses or would use, without importing it."""
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    chosen = os.environ.get("KERAS_BACKEND")
    return f"{chosen} (KERAS_BACKEND)" if chosen else "chosen at first use"
