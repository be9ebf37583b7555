"""The structural connectome: which regions are connected, and over what distance."""

import dataclasses
import functools
import hashlib

import numpy as np

from ._checks import check_array, did_you_mean, listing
from ._files import read_npz, save_npz
from ._frozen import SameByContent
from ._region_names import normalize_region_name

# No fibre in a human head is longer; a larger number is in millimetres.
_LONGEST = 1.0  # m
_FORMAT = "mne_sbi connectome 2"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Connectome(SameByContent):
    """Structural connectome with named nodes.

    Parameters
    ----------
    weights : array_like | DataFrame, shape (n_nodes, n_nodes)
        Strengths of the connections, not negative; the unit is the caller's, because
        models normalise them. ``weights[i, j]`` is the connection **from** ``names[j]``
        **to** ``names[i]``: rows are targets, columns are sources. The diagonal is set
        to zero: connections within a node belong to the model of the node.
    lengths : array_like | DataFrame, shape (n_nodes, n_nodes)
        Lengths of the connections in m, with the same indices. Data frames are put
        into the order of ``names``. Where a length is zero
        in both directions, activity arrives at once; zeros everywhere stand for a
        network without delays.
    names : sequence of str
        Names of the nodes. Two names that differ only in spelling, as ``"L_insula"``
        and ``"insula-lh"`` do, count as one.
    positions : array_like, shape (n_nodes, 3) | None
        Positions of the nodes in m.
    description : str
        Where the connectome comes from.
    synthetic : bool
        Whether it was made from a rule rather than measured.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, a weight or length is
        negative, two names are the same, lengths or positions are in mm, or only one
        half of the weights or of the lengths is given.

    Notes
    -----
    A connectome never changes: the arrays are read-only copies of what was given, and
    two connectomes with the same content are equal and have the same hash.

    Tractography measures no direction: its weights and lengths are symmetric matrices,
    of which files often hold only the upper half. Two or more weights that are all on
    one side of the diagonal are therefore an error, and so is a connection whose length
    is zero in its own direction only.
    """

    weights: np.ndarray
    lengths: np.ndarray
    names: tuple
    positions: np.ndarray | None = None
    description: str = dataclasses.field(default="", kw_only=True)
    synthetic: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self):
        self._set_checked()
        _check_both_halves(self.weights)

    def _set_checked(self):
        """Replace the fields by checked, read-only copies."""
        weights = _by_name("weights", self.weights, self.names)
        weights = check_array("weights", weights, shape=("n_nodes", "n_nodes"))
        names = _check_names(self.names, len(weights))
        shape = weights.shape
        lengths = _by_name("lengths", self.lengths, names)
        lengths = check_array("lengths", lengths, shape=shape)
        for label, array in (("weights", weights), ("lengths", lengths)):
            if (array < 0).any():
                row, column = np.argwhere(array < 0)[0]
                raise ValueError(
                    f"{label} must not be negative, but {array[row, column]:g} stands "
                    f"between {names[row]} and {names[column]}."
                )
        _check_metres("lengths", lengths)
        fields = {"weights": weights, "lengths": lengths, "positions": None}
        if self.positions is not None:
            positions = check_array("positions", self.positions, shape=(len(names), 3))
            _check_metres("positions", positions)
            fields["positions"] = positions
        fields = {key: None if a is None else a.copy() for key, a in fields.items()}
        for key in ("weights", "lengths"):
            np.fill_diagonal(fields[key], 0)
        _check_lengths(fields["weights"], fields["lengths"], names)
        text = {"description": str(self.description), "synthetic": bool(self.synthetic)}
        self.__setstate__(fields | text | {"names": names})

    @classmethod
    def _restore(cls, **fields):
        """Make a part or a copy of a connectome, which may be feed-forward."""
        connectome = object.__new__(cls)
        connectome.__dict__.update(fields)
        connectome._set_checked()
        return connectome

    @property
    def n_nodes(self):
        """Number of nodes."""
        return len(self.names)

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 of weights, lengths and names, as hexadecimal digits."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        for array in (self.weights, self.lengths):
            # Little-endian on every machine, so that a cache can be shared.
            digest.update(array.astype("<f8").tobytes())
        return digest.hexdigest()

    def delays(self, speed):
        """Return the conduction delays between the nodes.

        Parameters
        ----------
        speed : float
            Conduction speed in m/s.

        Returns
        -------
        delays : ndarray, shape (n_nodes, n_nodes)
            Delays in s.

        Raises
        ------
        ValueError
            If the speed is not positive.
        """
        return self.lengths / check_array("speed", speed, shape=(), positive=True)

    def index_of(self, names):
        """Find nodes by name, whatever the spelling.

        Parameters
        ----------
        names : sequence of str
            Names in any spelling that :func:`normalize_region_name` understands.

        Returns
        -------
        index : ndarray of int, shape (n_names,)
            Positions of these names among the connectome's nodes.

        Raises
        ------
        ValueError
            If names are missing from the connectome or stand twice in the list. The
            message lists them.
        """
        names = _check_strings(names)
        where = {normalize_region_name(name): i for i, name in enumerate(self.names)}
        wanted = [normalize_region_name(name) for name in names]
        pairs = list(zip(names, wanted, strict=True))
        problems = []
        missing = [name for name, key in pairs if key not in where]
        if missing:
            hint = did_you_mean(normalize_region_name(missing[0]), where)
            problems.append(
                f"{len(missing)} of {len(names)} names are not in the connectome: "
                f"{listing(missing)}.{hint}"
            )
        twice = [name for name, key in pairs if wanted.count(key) > 1]
        if twice:
            problems.append(f"Names that stand for one node twice: {listing(twice)}.")
        if problems:
            own = f"The connectome has {self.n_nodes} nodes: {listing(self.names)}."
            raise ValueError(" ".join([*problems, own]))
        return np.array([where[key] for key in wanted], dtype=int)

    def reorder(self, names):
        """Put all nodes into another order.

        Parameters
        ----------
        names : sequence of str
            The names of all nodes, in any spelling.

        Returns
        -------
        connectome : Connectome
            The connectome in that order, with its own spelling of the names.

        Raises
        ------
        ValueError
            If a name is missing, is unknown, or stands twice.
        """
        index = self.index_of(names)
        if len(index) != self.n_nodes:
            left_out = np.setdiff1d(np.arange(self.n_nodes), index)
            raise ValueError(
                f"reorder() needs all {self.n_nodes} nodes, but these were not named: "
                f"{listing([self.names[i] for i in left_out])}. To take a part of the "
                "connectome, use pick()."
            )
        return self._take(index)

    def pick(self, names):
        """Take some of the nodes, in the order given.

        Parameters
        ----------
        names : sequence of str
            Names of nodes, in any spelling.

        Returns
        -------
        connectome : Connectome
            The nodes and the connections among them, with the connectome's own
            spelling of the names.

        Raises
        ------
        ValueError
            If no name is given, or one is unknown or stands twice.
        """
        return self._take(self.index_of(names))

    def _take(self, index):
        block = np.ix_(index, index)
        return self._restore(
            weights=self.weights[block],
            lengths=self.lengths[block],
            names=[self.names[i] for i in index],
            positions=None if self.positions is None else self.positions[index],
            description=self.description,
            synthetic=self.synthetic,
        )

    def to_dict(self):
        """Describe the connectome by arrays and strings.

        Returns
        -------
        description : dict of (ndarray | str)
            What :meth:`from_dict` understands, and what a file holds.
        """
        description = {
            "weights": self.weights,
            "lengths": self.lengths,
            "names": np.array(self.names),
            "description": self.description,
            "synthetic": np.array(self.synthetic),
        }
        if self.positions is not None:
            description["positions"] = self.positions
        return description

    @classmethod
    def from_dict(cls, description):
        """Make the connectome that :meth:`to_dict` described.

        Parameters
        ----------
        description : dict of (ndarray | str)
            The description.

        Returns
        -------
        connectome : Connectome
            The connectome.
        """
        return cls._restore(
            weights=description["weights"],
            lengths=description["lengths"],
            names=[str(name) for name in description["names"]],
            positions=description.get("positions"),
            description=str(description["description"]),
            synthetic=bool(description["synthetic"]),
        )

    def save(self, fname, overwrite=False):
        """Save the connectome to a file.

        Parameters
        ----------
        fname : path-like
            The file, whose name must end in ``.npz``.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is false.
        ValueError
            If the name does not end in ``.npz``.
        """
        save_npz(fname, self.to_dict(), version=_FORMAT, overwrite=overwrite)

    def __repr__(self):
        parts = [
            f"{self.n_nodes} nodes",
            f"{np.count_nonzero(self.weights)} connections",
            f"lengths up to {self.lengths.max():.3g} m",
        ]
        if self.positions is not None:
            parts.append("positions")
        if self.synthetic:
            parts.append("synthetic")
        return f"<Connectome | {', '.join(parts)}>"


def read_connectome(fname):
    """Read a connectome that was saved with :meth:`Connectome.save`.

    Parameters
    ----------
    fname : path-like
        The file.

    Returns
    -------
    connectome : Connectome
        The connectome.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds something else.
    """
    return read_npz(fname, Connectome, version=_FORMAT, kind="a connectome")


def _check_strings(names):
    """Check a list of names; one string is a common slip for a list of one."""
    if isinstance(names, str):
        raise TypeError(f"names must be a list of strings, got the string {names!r}.")
    names = [str(n) if isinstance(n, np.str_) else n for n in names]
    if not names:
        raise ValueError("names must hold at least one name.")
    return names


def _check_names(names, n_nodes):
    """Check that there is one name per node and that no two mean the same node."""
    names = _check_strings(names)
    if len(names) != n_nodes:
        raise ValueError(
            f"names must have one entry per node: weights has {n_nodes} rows, but "
            f"{len(names)} names were given."
        )
    keys = [normalize_region_name(name) for name in names]
    twice = [name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1]
    if twice:
        raise ValueError(f"Node names must be unique, got twice: {listing(twice)}.")
    return tuple(names)


def _check_metres(label, array):
    """Refuse distances that can only be millimetres."""
    largest = np.abs(array).max()
    if largest > _LONGEST:
        raise ValueError(
            f"{label} must be in m, but reach {largest:g}, which looks like "
            f"millimetres. Give {label} / 1000."
        )


def _by_name(label, matrix, names):
    """Put a data frame whose rows and columns are named into the order of names."""
    if not (hasattr(matrix, "columns") and hasattr(matrix, "loc")):
        return matrix
    labels = [*matrix.index, *matrix.columns]
    if not all(isinstance(name, str) for name in labels):
        return matrix
    names = list(names)
    for axis in (matrix.index, matrix.columns):
        if sorted(axis) != sorted(names):
            differ = sorted(set(axis) ^ set(names))
            raise ValueError(
                f"The rows and columns of {label} must have the names of the nodes. "
                f"These are in one of both only, or twice: {listing(differ)}."
            )
    return matrix.loc[names, names]


def _check_both_halves(weights):
    """Raise an error for what looks like one half of a symmetric matrix."""
    # A single connection is one-way on purpose.
    if np.count_nonzero(weights) < 2:
        return
    for half, other in (("above", np.tril), ("below", np.triu)):
        if not other(weights).any():
            raise ValueError(
                f"All {np.count_nonzero(weights)} weights stand {half} the diagonal, "
                "as in a file that holds one half of a symmetric matrix. Give "
                "weights + weights.T. If the network is feed-forward, give its nodes "
                "in an order in which weights stand on both sides."
            )


def _check_lengths(weights, lengths, names):
    """Raise an error for lengths that are given for one direction only."""
    one_sided = (weights > 0) & (lengths == 0) & (lengths.T > 0)
    if one_sided.any():
        row, column = np.argwhere(one_sided)[0]
        raise ValueError(
            f"lengths are zero for {one_sided.sum()} of {np.count_nonzero(weights)} "
            f"connections, but not in the other direction: from {names[column]} to "
            f"{names[row]} 0 m, and back {lengths[column, row]:g} m. If lengths holds "
            "one half of a symmetric matrix, give np.maximum(lengths, lengths.T)."
        )
