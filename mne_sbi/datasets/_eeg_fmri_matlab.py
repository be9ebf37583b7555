"""Arrays in MATLAB files, old and new."""

import numpy as np


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
        If it is not there; the message says what is.
    """
    import h5py

    if h5py.is_hdf5(fname):
        with h5py.File(fname) as file:
            value = _find(fname, file, names)
            # HDF5 has the axes of MATLAB's column-major arrays in reverse.
            return np.asarray(value[()], float).T
    from scipy.io import loadmat

    content = loadmat(fname, variable_names=[names[0]], simplify_cells=True)
    if names[0] not in content:
        content = loadmat(fname, simplify_cells=True)
    return np.asarray(_find(fname, content, names), float)


def _find(fname, content, names):
    """Descend into variables and fields."""
    for i, name in enumerate(names):
        if not hasattr(content, "keys") or name not in content:
            found = list(content.keys()) if hasattr(content, "keys") else []
            found = [str(key) for key in found if not str(key).startswith(("__", "#"))]
            raise ValueError(
                f"{fname} has no {'.'.join(names[: i + 1])}; there is "
                f"{', '.join(found) or 'nothing'}. Is it a file of this set?"
            )
        content = content[name]
    return content
