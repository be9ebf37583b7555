"""Arrays in MATLAB files, old and new."""

import math

import numpy as np

from .._files import OtherFormatError, damage_named, get_own

# Numbers in the largest array that is read: 4 GB.
_LARGEST = 2**29


def read_array(fname, *names):
    """Read an array in a MATLAB file.

    Parameters
    ----------
    fname : path-like
        The file, of version 7.3 (HDF5) or before.
    *names : str
        Name of the variable, then of fields of structures in it.

    Returns
    -------
    array : ndarray of float
        With the axes as in MATLAB.

    Raises
    ------
    ValueError
        If it is not there; the message says what is. If the file is damaged.
    """
    import h5py

    with damage_named(fname, "a MATLAB file", "fetch_eeg_fmri()"):
        if h5py.is_hdf5(fname):
            with h5py.File(fname) as file:
                value = _find(fname, file, names)
                _check_size("/".join(names), value.shape)
                # HDF5 has the axes of MATLAB's column-major arrays in reverse.
                return np.asarray(value[()], float).T
        from scipy.io import loadmat, whosmat

        found = {name: shape for name, shape, _ in whosmat(fname)}
        _check_size(names[0], found.get(names[0], ()))
        first = [names[0]] if names[0] in found else None
        content = loadmat(fname, variable_names=first, simplify_cells=True)
        return np.asarray(_find(fname, content, names), float)


def _check_size(name, shape):
    """Raise an error for an array that is too large for a recording."""
    if math.prod(int(n) for n in shape) > _LARGEST:
        raise ValueError(f"{name} has the shape {shape}.")


def _find(fname, content, names):
    """Descend into variables and fields."""
    for i, name in enumerate(names):
        if not hasattr(content, "keys") or name not in content:
            found = list(content.keys()) if hasattr(content, "keys") else []
            found = [str(key) for key in found if not str(key).startswith(("__", "#"))]
            raise OtherFormatError(
                f"{fname} has no {'.'.join(names[: i + 1])}; there is "
                f"{', '.join(found) or 'nothing'}. Is it a file of this set?"
            )
        content = content[name] if isinstance(content, dict) else get_own(content, name)
    return content
