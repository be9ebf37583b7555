"""A bank of simulations: parameters and summaries, in memory and on disk."""

import dataclasses
from pathlib import Path

import numpy as np

from .._checks import check_array, check_no_mask
from .._files import damage_named, read_file, save_file
from .._priors import Prior
from ._rows import LazyRows

_FORMAT = "mne_sbi simulations 2"
_ARRAYS = ("theta", "x", "valid")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SimulationBank:
    """Simulations of a forward model, ready to learn from.

    Parameters
    ----------
    theta : array, shape (n_simulations, n_params)
        Parameters in their units.
    x : array, shape (n_simulations, n_nodes, n_points)
        Summaries of the simulations, without observation noise. Those of a bank in a
        folder stay on disk: ``bank.x[rows]`` reads the rows that are asked for.
    valid : array of bool, shape (n_simulations,)
        Which simulations are finite and may be learnt from.
    prior : Prior
        Where the parameters come from.
    provenance : dict
        How the simulations were made, in plain values: model, features, fixed
        parameters, node names, seed, and ``n_excluded``, the number of draws from the
        prior that the model refused (unstable ones).
    """

    theta: np.ndarray
    x: np.ndarray
    valid: np.ndarray
    prior: Prior
    provenance: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.prior, Prior):
            raise TypeError(
                f"prior must be a Prior, got {type(self.prior).__name__}. Write "
                "Prior([Parameter(...), ...])."
            )
        n_params = len(self.prior.names)
        theta = check_array("theta", self.theta, shape=(None, n_params))
        for name, value in (("x", self.x), ("valid", self.valid)):
            check_no_mask(name, value)
        x = self.x if isinstance(self.x, LazyRows) else np.asarray(self.x)
        valid = np.asarray(self.valid)
        if x.ndim != 3 or len(x) != len(theta) or valid.shape != (len(theta),):
            raise ValueError(
                "A bank needs theta (n, n_params), x (n, n_nodes, n_points) and valid "
                f"(n,), got {theta.shape}, {x.shape} and {valid.shape}."
            )
        if valid.dtype != bool:
            raise TypeError(f"valid must hold booleans, got {valid.dtype}.")
        for name, array in zip(_ARRAYS, (theta, x, valid), strict=True):
            if isinstance(array, np.ndarray):
                # A view, so that the caller's own array stays writable.
                array = array.view()
                array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self):
        return len(self.theta)

    def __sklearn_clone__(self):
        # Immutable and large: a grid search over a shared bank must not copy it.
        return self

    def __repr__(self):
        model = self.provenance.get("model", "a model")
        excluded = self.provenance.get("n_excluded", 0)
        return (
            f"<SimulationBank | {len(self)} simulations of {model}, "
            f"{int((~self.valid).sum())} not valid, {excluded} draws excluded, "
            f"{self.x.shape[1]} nodes x {self.x.shape[2]} points, "
            f"{len(self.prior.names)} parameters>"
        )

    def split(self, n):
        """Split into the first ``n`` simulations and the others.

        Parameters
        ----------
        n : int
            Size of the first part.

        Returns
        -------
        first, second : SimulationBank
            The parts; they share the arrays with this bank.

        Raises
        ------
        ValueError
            If one part would be empty.
        """
        if not 0 < n < len(self):
            raise ValueError(f"n must lie between 1 and {len(self) - 1}, got {n}.")
        return tuple(
            SimulationBank(
                self.theta[s],
                self._rows_of_x(s),
                self.valid[s],
                self.prior,
                self.provenance,
            )
            for s in (slice(n), slice(n, None))
        )

    def get_valid(self):
        """Return the simulations that may be learnt from.

        Returns
        -------
        theta : ndarray, shape (n_valid, n_params)
            Parameters in their units.
        x : array, shape (n_valid, n_nodes, n_points)
            Their summaries; still on disk, if those of the bank are.
        """
        if self.valid.all():
            return self.theta, self.x
        return self.theta[self.valid], self._rows_of_x(self.valid)

    def _rows_of_x(self, rows):
        return self.x.choose(rows) if isinstance(self.x, LazyRows) else self.x[rows]

    def save(self, fname, overwrite=False):
        """Save to an HDF5 file; the file is complete or not there.

        Parameters
        ----------
        fname : path-like
            Name of the file, which ends in ``.h5``.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is false.
        ValueError
            If the name does not end in ``.h5``.
        """
        if not str(fname).endswith(".h5"):
            raise ValueError(f"The file's name must end in .h5, got {fname}.")
        content = {"prior": self.prior.to_dict(), "provenance": self.provenance}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        save_file(fname, content, arrays, version=_FORMAT, overwrite=overwrite)


def read_simulation_bank(fname):
    """Read a bank from a file or a folder.

    Parameters
    ----------
    fname : path-like
        Name of a file that :meth:`SimulationBank.save` wrote, which is read into
        memory; or of a folder that :func:`mne_sbi.simulate` made, whose summaries are
        read when they are needed.

    Returns
    -------
    bank : SimulationBank
        The bank.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If it is damaged, not complete, or holds something else.
    """
    if Path(fname).is_dir():
        from ._folder import read_bank_folder

        return read_bank_folder(fname)
    if not Path(fname).is_file():
        raise FileNotFoundError(f"There is no file or folder {fname}.")
    with damage_named(fname, "a simulation bank", "SimulationBank.save()"):
        content, arrays = read_file(fname, _FORMAT)
        prior = Prior.from_dict(content["prior"])
        return SimulationBank(**arrays, prior=prior, provenance=content["provenance"])
