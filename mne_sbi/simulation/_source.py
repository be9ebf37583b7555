"""The code of models and features of other packages, as a text that changes with it."""

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import inspect
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np

from ..features import FeatureExtractor
from ..models import ForwardModel, list_models

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def describe_code(*objects):
    """Describe the code of models and features that are not the package's own.

    Parameters
    ----------
    *objects : ForwardModel | FeatureExtractor
        With what their settings hold.

    Returns
    -------
    code : dict of str
        By class: version of its package, where it has one, and a hash of the source.
        The package's own classes are left out: their version is that of the package.
    """
    values = [v for o in objects for v in (o, *o.get_params(deep=True).values())]
    classes = {
        type(v) for v in values if isinstance(v, (ForwardModel, FeatureExtractor))
    }
    parts = classes | {v for v in values if inspect.isfunction(v)}
    return {
        part.__qualname__: _describe(part)
        for part in sorted(parts, key=lambda part: part.__qualname__)
        if part.__module__.partition(".")[0] != "mne_sbi"
    }


def _describe(part):
    """Describe the code of a class or function."""
    module = sys.modules.get(part.__module__)
    fname = getattr(module, "__file__", None)
    # In a script, most of the rest decides nothing; in a notebook there is no file.
    if part.__module__ == "__main__" or fname is None:
        return f"source {_CodeHash().add(part)}"
    package = part.__module__.partition(".")[0]
    root = getattr(sys.modules.get(package), "__file__", None) or ""
    folder = Path(root).parent if Path(root).stem == "__init__" else None
    version = _find_version(package)
    return f"{version}source {_hash_files(folder or Path(fname))}"


def _find_version(package):
    """Return name and version of the distribution that holds a package, or nothing."""
    for info in list_models(details=True):
        if info.value.partition(":")[0].partition(".")[0] == package:
            return f"{info.distribution} {info.version}, "
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return f"{package} {importlib.metadata.version(package)}, "
    return ""


def _hash_files(path):
    """Hash a source file, or those in a folder; comments and layout do not count."""
    suffixes = (".py", *EXTENSION_SUFFIXES)
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    digest = hashlib.sha256()
    for file in files:
        if file == path or (file.name.endswith(suffixes) and file.is_file()):
            stat = file.stat()
            digest.update(_hash_file(file, stat.st_mtime_ns, stat.st_size))
    return digest.hexdigest()[:16]


@functools.cache
def _hash_file(file, *_when):
    """Hash a file, bytes."""
    content = file.read_bytes()
    if file.suffix == ".py":
        with contextlib.suppress(SyntaxError, ValueError):
            content = ast.dump(ast.parse(content)).encode()
    return hashlib.sha256(content).digest()


class _CodeHash:
    """Hashes compiled code, and what it uses of the same module."""

    def __init__(self):
        self._seen, self._texts = [], []

    def add(self, part):
        """Hash a class or function, str."""
        self._visit(part, part.__module__)
        return hashlib.sha256("\n".join(self._texts).encode()).hexdigest()[:16]

    def _visit(self, value, home):
        value = getattr(value, "py_func", None) or inspect.unwrap(value)
        if isinstance(value, (classmethod, staticmethod)):
            value = value.__func__
        if isinstance(value, _PLAIN):
            self._texts.append(repr(value))
        elif isinstance(value, np.ndarray):
            digest = hashlib.sha256(value.tobytes()).hexdigest()
            self._texts.append(f"{value.dtype} {value.shape} {digest}")
        elif isinstance(value, (tuple, list)):
            self._texts.append(f"{type(value).__name__} of {len(value)}")
            for item in value:
                self._visit(item, home)
        elif isinstance(value, (dict, set, frozenset)):
            items = value.items() if isinstance(value, dict) else value
            self._visit(sorted(items, key=repr), home)
        elif any(value is other for other in self._seen):
            pass
        elif isinstance(value, property):
            self._visit([value.fget], home)
        elif inspect.isfunction(value) and value.__module__ == home:
            self._seen.append(value)
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            self._visit([value.__defaults__, value.__kwdefaults__, cells], home)
            self._visit_code(value.__code__, value.__globals__, home)
        elif inspect.isclass(value) and value.__module__ == home:
            self._seen.append(value)
            self._visit(value.__bases__, home)
            # Of the names that Python sets, only methods are the author's.
            parts = {
                name: part
                for name, part in vars(value).items()
                if not name.startswith(("__", "_abc_")) or inspect.isfunction(part)
            }
            self._visit(parts, home)
        else:
            self._texts.append(_name(value))

    def _visit_code(self, code, variables, home):
        self._texts += [code.co_code.hex(), " ".join(code.co_names)]
        for constant in code.co_consts:
            if inspect.iscode(constant):
                self._visit_code(constant, variables, home)
            else:
                self._visit(constant, home)
        for name in code.co_names:
            if name in variables:
                self._visit(variables[name], home)


def _name(value):
    """Return a text for a value that is the same in every process."""
    name = getattr(value, "__qualname__", getattr(value, "__name__", None))
    if name is not None:
        return f"{getattr(value, '__module__', '')}.{name}"
    is_plain = type(value).__repr__ is not object.__repr__ and " at 0x" not in repr(
        value
    )
    return repr(value) if is_plain else type(value).__qualname__
