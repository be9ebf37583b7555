"""Connectivity matrices and the series behind them, and regions matched by name."""

import dataclasses

import numpy as np

from .._checks import check_array, check_option, did_you_mean, listing
from .._region_names import normalize_region_name
from ..features._region_series import read_regions

# How asymmetric a matrix may be relative to its largest value: rounding of float32,
# and of files with six digits.
_SYMMETRIC = 1e-5
# Two regions have one edge, and three have three: no correlation to speak of.
_LEAST_REGIONS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Connections:
    """Connectivity of named regions.

    Parameters
    ----------
    matrix : ndarray, shape (n_nodes, n_nodes)
        Symmetric connectivity; the diagonal does not count.
    names : tuple of str
        Names of the regions.
    series : ndarray, shape (n_nodes, n_times) | None
        The time series, if it was made of some.
    sfreq : float | None
        Their sampling rate in Hz.
    """

    matrix: np.ndarray
    names: tuple
    series: np.ndarray | None = None
    sfreq: float | None = None

    def pick(self, index):
        """Take some of the regions, in this order."""
        return dataclasses.replace(
            self,
            matrix=self.matrix[np.ix_(index, index)],
            names=tuple(self.names[i] for i in index),
            series=None if self.series is None else self.series[index],
        )


def read_connections(name, value, features):
    """Read a connectivity matrix, or make one of time series.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    value : mne_connectivity.Connectivity | tuple | DataFrame | Raw | Epochs
        The connectivity, a pair of matrix and names, a data frame whose rows and
        columns are regions, or time series.
    features : EnvelopeCorrelation
        Makes connectivity of time series.

    Returns
    -------
    connections : Connections
        The connectivity.
    """
    series = sfreq = None
    # An object of this class, without importing the library for those who have none.
    if hasattr(value, "n_nodes") and hasattr(value, "indices"):
        matrix, names = _read_dense(name, value), value.names
    elif hasattr(value, "iloc") and hasattr(value, "columns"):
        matrix, names = _read_table(name, value)
    elif isinstance(value, (tuple, list)):
        matrix, names = _read_pair(name, value)
    elif isinstance(value, np.ndarray):
        raise TypeError(
            f"{name} is an array without names, and regions are matched by name. Give "
            f"the pair {name}=(matrix, names), or a Raw."
        )
    else:
        series, sfreq, names = read_regions(features, value)
        matrix = features.correlate(series, sfreq)
    names = tuple(map(str, names))
    matrix = _check_matrix(name, matrix, names)
    if names == tuple(map(str, range(len(names)))):
        raise ValueError(
            f"The regions of {name} have numbers instead of names, and regions are "
            f"matched by name. Give names to them, for example {name}=(matrix, names)."
        )
    return Connections(matrix, names, series, sfreq)


def _read_dense(name, connectivity):
    """Return the one matrix that a connectivity object holds."""
    data = np.asarray(connectivity.get_data("dense"))
    n_nodes = connectivity.n_nodes
    if data.size != n_nodes**2:
        raise ValueError(
            f"{name} holds connectivity of shape {data.shape}, and one matrix of shape "
            f"{(n_nodes, n_nodes)} is needed. Average over epochs with .combine(), or "
            f"choose a band, and give the pair {name}=(matrix, names)."
        )
    return data.reshape(n_nodes, n_nodes)


def _read_table(name, table):
    """Return the matrix of a data frame, and the names of its columns."""
    names = [str(label) for label in table.columns]
    rows = [str(label) for label in table.index]
    if sorted(rows) == sorted(names) and len(set(names)) == len(names):
        return table.to_numpy()[[rows.index(label) for label in names]], names
    # An index that counts rows, as files without a column of names give it.
    if rows == [str(i) for i in range(len(names))]:
        return table.to_numpy(), names
    odd = [label for label in rows if label not in names]
    raise ValueError(
        f"The rows and columns of the data frame {name} must have the same names, each "
        f"once, but {len(odd)} of {len(rows)} rows have others: {listing(odd)}. Give "
        f"the pair {name}=(matrix, names)."
    )


def _read_pair(name, value):
    """Return a matrix and its names, or say what a pair is."""
    is_pair = len(value) == 2 and not hasattr(value[0], "info")
    if not is_pair or np.ndim(value[0]) != 2 or np.ndim(value[1]) != 1:
        kinds = ", ".join(type(x).__name__ for x in value[:3])
        raise TypeError(
            f"{name} must be one recording, one Connectivity, or the pair (matrix, "
            f"names) with a matrix of shape (n_nodes, n_nodes), got a "
            f"{type(value).__name__} of {len(value)}: {kinds}."
        )
    return value


def _check_matrix(name, matrix, names):
    matrix = check_array(name, matrix, shape=("n_nodes", "n_nodes"), finite=False)
    if len(matrix) != len(names):
        raise ValueError(
            f"{name} connects {len(matrix)} regions and has {len(names)} names."
        )
    matrix = matrix.copy()
    # Some write ones there, others zeros or NaN.
    np.fill_diagonal(matrix, 0)
    check_array(name, matrix)
    difference = np.abs(matrix - matrix.T)
    if difference.max(initial=0) > _SYMMETRIC * np.abs(matrix).max(initial=0):
        i, j = np.unravel_index(difference.argmax(), matrix.shape)
        is_triangle = not np.triu(matrix).any() or not np.tril(matrix).any()
        hint = (
            "Only one triangle is filled: add the transposed matrix to it."
            if is_triangle
            else "Average it with the transposed matrix if directions do not matter."
        )
        raise ValueError(
            f"{name} must be symmetric, but has {matrix[i, j]:g} from {names[i]} to "
            f"{names[j]} and {matrix[j, i]:g} back. {hint}"
        )
    return (matrix + matrix.T) / 2


def match_regions(simulated, measured, connectome, on_missing):
    """Bring connectivity and connectome into one order of regions.

    Parameters
    ----------
    simulated, measured : Connections
        The connectivity.
    connectome : Connectome | None
        Structure; it may have more regions.
    on_missing : "raise" | "ignore"
        What to do with regions that are not in all of them.

    Returns
    -------
    simulated, measured : Connections
        The same regions in the order of the measured ones.
    connectome : Connectome | None
        The same.
    n_ignored : int
        How many regions are left out.
    """
    check_option("on_missing", on_missing, ("raise", "ignore"))
    keys = {
        "simulated": _index_names("simulated", simulated.names),
        "measured": _index_names("measured", measured.names),
    }
    structure = None
    if connectome is not None:
        structure = _index_names("connectome", connectome.names)
    used = [
        key
        for key in keys["measured"]
        if key in keys["simulated"] and (structure is None or key in structure)
    ]
    everything = keys["simulated"].keys() | keys["measured"].keys()
    n_ignored = len(everything) - len(used)
    if n_ignored and on_missing == "raise":
        _refuse_missing(simulated, measured, keys, structure)
    if len(used) < _LEAST_REGIONS:
        raise ValueError(
            f"Only {len(used)} regions are in all of simulated, measured and, where it "
            f"is given, the connectome, and {_LEAST_REGIONS} are needed at least. The "
            f"simulation has {listing(simulated.names)}; measured are "
            f"{listing(measured.names)}."
        )
    picked = [
        side.pick([keys[name][key] for key in used])
        for name, side in (("simulated", simulated), ("measured", measured))
    ]
    if connectome is not None:
        connectome = connectome.pick([connectome.names[structure[key]] for key in used])
    return *picked, connectome, n_ignored


def _index_names(label, names):
    """Map the one spelling of each name to its place."""
    keys = [normalize_region_name(name) for name in names]
    twice = [name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1]
    if twice:
        raise ValueError(
            f"Regions of {label} have names that stand for one region: "
            f"{listing(twice)}. Rename or drop them."
        )
    return {key: i for i, key in enumerate(keys)}


def _refuse_missing(simulated, measured, keys, structure):
    """Raise an error that lists the regions which are not in all inputs."""
    pairs = (
        ("simulated", simulated, "measured", keys["measured"]),
        ("measured", measured, "simulated", keys["simulated"]),
        ("simulated", simulated, "in the connectome", structure),
    )
    problems = []
    for label, side, where, others in pairs:
        if others is None:
            continue
        missing = [
            name
            for name, key in zip(side.names, keys[label], strict=True)
            if key not in others
        ]
        if missing:
            hint = did_you_mean(normalize_region_name(missing[0]), others)
            problems.append(
                f"{len(missing)} of {len(side.names)} {label} regions are not "
                f"{where}: {listing(missing)}.{hint}"
            )
    raise ValueError(
        " ".join(problems) + " Drop or rename these regions, or use "
        "on_missing='ignore' to compare the others."
    )
