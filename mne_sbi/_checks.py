"""Checks of what a caller gives: options, random states, arrays, files.

Each check returns the value in the form that the rest of the package works with, or
raises an error that says what was given, what was expected and what to type.
"""

import difflib
import numbers
import os
import re
import stat
import time
import uuid
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# Keras and JAX take seeds that fit a signed 32-bit integer.
_SEED_END = 2**31 - 1
_EXISTS = "{} exists already. Use overwrite=True to replace it."
# Names of files that are not complete yet.
_TEMPORARY = re.compile(r"\..*-[0-9a-f]{32}\.mne_sbi(\.\w+)?\Z")
# Seconds without a change after which such a file is of a process that was killed.
ABANDONED = 86_400


def did_you_mean(name, options):
    """Suggest the option that a misspelt name probably meant.

    Parameters
    ----------
    name : str
        What was given.
    options : iterable of str
        What would have been understood.

    Returns
    -------
    hint : str
        ``" Did you mean 'x'?"`` with a leading space, or an empty string when no
        option is close.
    """
    by_lower_case = {str(option).lower(): str(option) for option in options}
    close = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1)
    return f" Did you mean '{by_lower_case[close[0]]}'?" if close else ""


def listing(names, most=10):
    """Join names for a message, not more than can be read.

    Parameters
    ----------
    names : sequence of str
        The names.
    most : int
        How many are spelt out.

    Returns
    -------
    text : str
        ``"a, b"``, or ``"a, b and 3 more"``.
    """
    text = ", ".join(map(str, names[:most]))
    return text if len(names) <= most else f"{text} and {len(names) - most} more"


def check_option(name, value, options):
    """Check that a value is one of a few allowed ones.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    value : object
        What was given.
    options : iterable
        The allowed values.

    Returns
    -------
    value : object
        The value, unchanged.

    Raises
    ------
    ValueError
        If the value is not among the options.
    """
    options = list(options)
    for option in options:
        # An array has no single truth value, and True == 1 although only one of them
        # may be allowed: compare only what is of one type.
        if type(value) is type(option) and value == option:
            return value
    allowed = ", ".join(repr(option) for option in options)
    names = [option for option in options if isinstance(option, str)]
    hint = did_you_mean(value, names) if isinstance(value, str) else ""
    raise ValueError(
        f"Invalid value for '{name}': {value!r}. Allowed: {allowed}.{hint}"
    )


def check_nested(estimator, settings, examples):
    """Check that settings such as ``method__max_iter`` are those of an object.

    Parameters
    ----------
    estimator : object
        What ``set_params`` is called on.
    settings : dict
        Values by name, as for ``set_params``.
    examples : dict of str
        For parts that a string may stand for, an object that has settings.

    Raises
    ------
    ValueError
        If a part is a string or None, which has no settings.
    """
    for key in settings:
        *parts, setting = key.split("__")
        owner = estimator
        for depth, part in enumerate(parts, 1):
            path = "__".join(parts[:depth])
            if path not in settings and not hasattr(owner, part):
                break  # an unknown name, for which scikit-learn has an error
            owner = settings.get(path, getattr(owner, part, None))
            if not hasattr(owner, "set_params"):
                example = examples.get(path, "an object")
                raise ValueError(
                    f"{key} sets {setting!r} of {path}={owner!r}, which has no "
                    f"settings. Give an object instead: {path}={example}."
                )


def check_rng(random_state):
    """Turn a random state into a NumPy generator.

    Parameters
    ----------
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        ``None`` gives fresh entropy; a generator is returned as it is, so that
        successive calls go on in its stream; a ``RandomState`` gives one seed, which
        advances it.

    Returns
    -------
    rng : numpy.random.Generator
        The generator.

    Raises
    ------
    TypeError
        If the random state is of another type.
    ValueError
        If it is a negative integer.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(_SEED_END))
    if random_state is None:
        return np.random.default_rng()
    is_integer = isinstance(random_state, numbers.Integral)
    if is_integer and not isinstance(random_state, bool):
        if random_state < 0:
            raise ValueError(
                f"random_state must not be negative, got {random_state}. Give an "
                "integer from 0 on, or None for a different result each time."
            )
        return np.random.default_rng(int(random_state))
    raise TypeError(
        "random_state must be None, an integer, a numpy.random.Generator or a "
        f"numpy.random.RandomState, got {type(random_state).__name__}."
    )


def draw_seed(random_state):
    """Draw an integer seed for a library that has generators of its own.

    Parameters
    ----------
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        As in :func:`check_rng`.

    Returns
    -------
    seed : int
        A seed in ``[0, 2**31 - 1)``.
    """
    return int(check_rng(random_state).integers(_SEED_END))


def check_array(name, value, *, shape=None, dtype=float, finite=True, positive=False):
    """Check an array's shape and values.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    value : array_like
        What was given.
    shape : tuple of (int | str | None) | None
        The expected shape. ``None`` and a label such as ``"n_nodes"`` stand for any
        length; axes with one label must have one length. ``None`` in place of the
        tuple allows any shape.
    dtype : dtype | None
        Type of the result; ``None`` keeps the type of the input.
    finite : bool
        Refuse NaN and infinity.
    positive : bool
        Refuse zero and negative values.

    Returns
    -------
    array : ndarray
        The values. No copy is made where the input already has the type.

    Raises
    ------
    TypeError
        If the input cannot be read as numbers of that type.
    ValueError
        If the shape or a value is not as expected.
    """
    array = _as_array(name, value, dtype, is_number=shape == ())
    if shape is not None:
        _check_shape(name, array, tuple(shape))
    is_number = np.issubdtype(array.dtype, np.number)
    if finite and is_number and not np.isfinite(array).all():
        n_bad = int((~np.isfinite(array)).sum())
        raise ValueError(
            f"{name} must be finite, but {n_bad} of its {array.size} values are NaN "
            f"or infinite, the first at index {_first(~np.isfinite(array))}. Remove or "
            "replace them before."
        )
    # Written so that NaN, where it is allowed, does not count as "not positive".
    if positive and is_number and (array <= 0).any():
        index = _first(array <= 0)
        where = f" at index {index}" if array.ndim else ""
        raise ValueError(f"{name} must be positive, but is {array[index]:g}{where}.")
    return array


def check_freqs(freqs):
    """Check that frequencies are positive and increase.

    Parameters
    ----------
    freqs : array_like, shape (n_freqs,)
        Frequencies in Hz.

    Returns
    -------
    freqs : ndarray of float, shape (n_freqs,)
        The same.

    Raises
    ------
    ValueError
        If they are not.
    """
    freqs = check_array("freqs", freqs, shape=("n_freqs",), positive=True)
    if (np.diff(freqs) <= 0).any():
        raise ValueError(f"freqs must increase, got {freqs}.")
    return freqs


def check_count(name, value, least=1):
    """Check that a setting is an integer and large enough.

    Parameters
    ----------
    name : str
        Name of the setting, for the error message.
    value : int
        What was given.
    least : int
        The smallest that will do.

    Returns
    -------
    value : int
        The value.

    Raises
    ------
    ValueError
        If it is something else, or smaller.
    """
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer or value < least:
        wanted = "a positive integer" if least == 1 else f"an integer, {least} or more"
        raise ValueError(f"{name} must be {wanted}, got {value!r}.")
    return int(value)


def check_one_per(name, value, n, each):
    """Read a sequence with one entry for each of several things.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    value : sequence | iterable
        What was given: a list, a tuple, an array of one dimension, a pandas Series or
        Index, a generator. Values are taken in their order, whatever an index says.
    n : int | None
        The number of things; ``None`` for any.
    each : str
        What they are, such as ``"recording"``.

    Returns
    -------
    values : list
        The values, of length ``n``.

    Raises
    ------
    TypeError
        If it is no such sequence.
    ValueError
        If the length is another one.
    """
    wanted = f"{name} must be a list with one entry for each {each}"
    if isinstance(value, Mapping | set | frozenset):
        give = "list(d.values())" if isinstance(value, Mapping) else "a list"
        raise TypeError(
            f"{wanted}, got a {type(value).__name__}, whose order means nothing. Give "
            f"{give} instead, in that order."
        )
    n_dims = np.ndim(value) if hasattr(value, "__array__") else 1
    is_one = isinstance(value, str | bytes) or not hasattr(value, "__iter__")
    if is_one or n_dims != 1:
        what = f"{n_dims} dimensions" if n_dims > 1 else _kind(value)
        raise TypeError(f"{wanted}, got {what}.")
    values = value.tolist() if hasattr(value, "tolist") else list(value)
    if n is not None and len(values) != n:
        raise ValueError(
            f"{name} must have shape ({n},), one entry for each {each}, got "
            f"{len(values)}."
        )
    return values


def check_labels(name, value, n, each):
    """Read names or numbers of groups, such as subjects, to be compared with another.

    Parameters
    ----------
    name, value, n, each
        As in :func:`check_one_per`.

    Returns
    -------
    labels : ndarray, shape (n,)
        The labels.

    Raises
    ------
    TypeError
        If it is no sequence, or labels are not all strings, or all numbers.
    ValueError
        If the length is another one, or labels are missing.
    """
    values = check_one_per(name, value, n, each)
    examples, n_missing = {}, 0
    for label in values:
        kind = _kind_of_label(label)
        n_missing += kind is None
        examples.setdefault(kind, label)
    if n_missing:
        raise ValueError(
            f"{name} must have an entry for each {each}, but {n_missing} of "
            f"{len(values)} are missing (None or NaN)."
        )
    if len(examples) > 1 or "others" in examples:
        found = " and ".join(
            f"{'values' if kind == 'others' else kind} such as {example!r}"
            for kind, example in examples.items()
        )
        raise TypeError(
            f"{name} must be all strings or all numbers, got {found}. In an array, 1 "
            f"and '1' would be the same; if they are, give [str(x) for x in {name}]."
        )
    is_plain = isinstance(value, np.ndarray) and value.dtype.kind in "iufUb"
    return value if is_plain else np.asarray(values)


def _kind_of_label(value):
    """Return the type of a label in the plural; None if it is missing."""
    if isinstance(value, str):
        return "strings"
    if isinstance(value, bool | np.bool_):
        return "booleans"
    if isinstance(value, numbers.Real):
        return "numbers" if value == value else None
    # pandas has missing values of its own, which equal nothing.
    is_missing = value is None or type(value).__name__ in ("NAType", "NaTType")
    return None if is_missing else "others"


def check_no_mask(name, value):
    """Raise an error for masked values, whose mask NumPy would drop.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    value : object
        What was given; of a list, its elements are looked at.

    Raises
    ------
    ValueError
        If values are masked.
    """
    if isinstance(value, np.ma.MaskedArray):
        n_masked = int(np.ma.count_masked(value))
        if n_masked:
            raise ValueError(
                f"{name} is a masked array, and {n_masked} of its {value.size} values "
                "are masked. Leave these out, or fill them with values that you trust: "
                f"{name}.filled(...)."
            )
    elif isinstance(value, (list, tuple)):
        for element in value:
            if isinstance(element, (list, tuple, np.ma.MaskedArray)):
                check_no_mask(name, element)


def check_folder(name, folder):
    """Check that a folder is there or can be made.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    folder : path-like
        The folder.

    Returns
    -------
    folder : pathlib.Path
        The folder.

    Raises
    ------
    NotADirectoryError
        If it, or a folder that it should be in, is a file.
    """
    folder = Path(folder)
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(
                f"{name} must be a folder, but {path} is a file. Give another name, or "
                "move the file."
            )
    return folder


def check_n_jobs(n_jobs):
    """Check a number of threads, as joblib understands it.

    Parameters
    ----------
    n_jobs : int | None
        The setting.

    Returns
    -------
    n_jobs : int | None
        The same.

    Raises
    ------
    ValueError
        If it is anything else, or 0.
    """
    is_integer = isinstance(n_jobs, numbers.Integral) and not isinstance(n_jobs, bool)
    if n_jobs is not None and (not is_integer or n_jobs == 0):
        raise ValueError(
            "n_jobs must be None, a number of threads, or -1 for all of the "
            f"processor's, got {n_jobs!r}."
        )
    return n_jobs


def _as_array(name, value, dtype, is_number=False):
    """Convert to an array, without letting numbers lose a part silently."""
    check_no_mask(name, value)
    try:
        array = np.asarray(value)
    except ValueError as exc:  # ragged nested lists
        raise ValueError(f"{name} must be a regular array: {exc}") from exc
    if dtype is None:
        return array
    loses_part = np.iscomplexobj(array) and not np.issubdtype(dtype, np.complexfloating)
    if loses_part:
        raise TypeError(f"{name} must be real, got complex numbers.")
    try:
        if array.dtype.kind in "SU":  # NumPy would read "60" as a number
            raise TypeError
        with np.errstate(invalid="ignore"):  # NaN as an integer: refused just below
            converted = array.astype(dtype, copy=False)
    except (TypeError, ValueError) as exc:
        wanted = "a number" if is_number else f"an array of {np.dtype(dtype).name}"
        raise TypeError(f"{name} must be {wanted}, got {_kind(value)}.") from exc
    wants_integers = np.issubdtype(dtype, np.integer)
    if wants_integers and array.dtype.kind == "f" and (converted != array).any():
        raise TypeError(f"{name} must hold integers, got {_kind(value)}.")
    return converted


def _kind(value):
    """Describe a value for an error message."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"{type(value).__name__} {value!r}"[:80]


def _first(mask):
    """Return the index of the first true entry as plain integers."""
    index = tuple(int(i) for i in np.argwhere(mask)[0])
    return index[0] if len(index) == 1 else index


def _check_shape(name, array, shape):
    """Compare a shape with one that has wildcards and labels."""
    expected = "(" + ", ".join("any" if s is None else str(s) for s in shape)
    expected += ",)" if len(shape) == 1 else ")"
    labels = {}
    matches = array.ndim == len(shape)
    if matches:
        for length, wanted in zip(array.shape, shape, strict=True):
            if isinstance(wanted, str):
                matches &= labels.setdefault(wanted, length) == length
            elif wanted is not None:
                matches &= length == wanted
    if not matches:
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}.")


@contextmanager
def write_atomically(fname, overwrite=False):
    """Write a file completely or not at all.

    Parameters
    ----------
    fname : path-like
        The file to write. Its folder must exist. Where it is a link, the file that it
        points to is written.
    overwrite : bool
        Replace an existing file, whose permissions are kept.

    Yields
    ------
    path : pathlib.Path
        Where to write instead: an empty file in the same folder with the same suffix.
        When the block ends, that file takes the place of ``fname``; when the block
        raises, it is removed and an existing ``fname`` stays as it was. What a process
        that was killed left in the folder is removed, too.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is false.
    FileNotFoundError
        If the folder does not exist.
    """
    if not Path(fname).parent.is_dir():
        raise FileNotFoundError(
            f"The folder of {fname} does not exist. Create {Path(fname).parent} first."
        )
    target = Path(os.path.realpath(fname))
    if target.exists() and not overwrite:
        raise FileExistsError(_EXISTS.format(fname))
    remove_leftovers(target.parent)
    temporary, lock = _make_temporary(target)
    try:
        mode = stat.S_IMODE((target if target.exists() else temporary).stat().st_mode)
        # The unfinished file has the permissions of the final one.
        os.chmod(temporary, mode | stat.S_IWUSR | stat.S_IRUSR)
        yield temporary
        # Without this, a loss of power after the rename could leave an empty file.
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.chmod(temporary, mode)
        if overwrite:
            os.replace(temporary, target)
        else:
            _put_in_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _make_temporary(target):
    """Make an empty file next to another one; return its path and its lock."""
    while True:
        # In the same folder, because a rename is atomic only inside one file system.
        name = f".{target.stem}-{uuid.uuid4().hex}.mne_sbi{target.suffix}"
        temporary = target.with_name(name)
        lock = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        if fcntl is None:
            os.close(lock)
            return temporary, None
        with suppress(OSError):  # disks without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have taken it for a leftover before it was locked.
        if temporary.exists():
            return temporary, lock
        os.close(lock)


def _put_in_place(temporary, target):
    """Rename a file, unless the new name is taken since it was looked for."""
    try:
        os.link(temporary, target)
    except FileExistsError as exc:
        raise FileExistsError(_EXISTS.format(target)) from exc
    except OSError:  # disks without hard links
        os.replace(temporary, target)


def remove_leftovers(folder):
    """Remove files that killed processes left half written in a folder."""
    for path in Path(folder).glob(".*-*.mne_sbi*"):
        if _TEMPORARY.match(path.name):
            with suppress(OSError), open(path, "rb+") as file:
                if _is_abandoned(file):
                    path.unlink()


def _is_abandoned(file):
    """Return whether no process writes a file any more."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except OSError:  # disks without locks
        pass
    return time.time() - os.fstat(file.fileno()).st_mtime > ABANDONED
