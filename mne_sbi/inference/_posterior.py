"""Posterior: draws of named parameters for one or several observations."""

import numbers
from dataclasses import dataclass

import numpy as np

from .._checks import check_array, check_one_per, did_you_mean
from .._files import damage_named, read_file, save_file
from .._priors import Prior
from .._warnings import count_warnings
from ._posterior_tables import (
    posterior_to_xarray,
    summarize_posterior,
    widen_posterior,
)

_FORMAT = "mne_sbi posterior 2"


@dataclass(frozen=True, repr=False, eq=False)
class Posterior:
    """Draws from the posterior distribution of each observation.

    Parameters
    ----------
    draws : array, shape (n_obs, n_draws, n_params)
        Parameters in SI units.
    names : sequence of str
        Names of the parameters.
    units : sequence of str
        Their units; an empty string for a number without unit.
    prior : Prior | None
        The prior that the draws belong to. With it, summaries tell how much narrower
        the posterior is, and plots show the prior's range.
    obs_names : sequence of str | None
        Names of the observations, such as subjects.
    warnings : sequence of str
        What may make these draws wrong: the warnings of the inverter's fit and of
        reading the recordings, also those that a log level has silenced.

    Examples
    --------
    >>> import numpy as np
    >>> from mne_sbi import Posterior
    >>> draws = np.random.default_rng(0).normal(0.012, 0.001, (3, 500, 1))
    >>> posterior = Posterior(draws, ["tau_e"], ["s"])
    >>> posterior
    <Posterior | 3 observations, 500 draws each, of tau_e (s)>
    >>> posterior.mean.round(3).tolist()
    [[0.012], [0.012], [0.012]]
    """

    draws: np.ndarray
    names: tuple
    units: tuple
    prior: Prior | None = None
    obs_names: tuple | None = None
    warnings: tuple = ()

    def __post_init__(self):
        draws = check_array("draws", self.draws, shape=(None, None, None)).copy()
        if 0 in draws.shape:
            raise ValueError(f"draws must not be empty, got shape {draws.shape}.")
        draws.flags.writeable = False
        if isinstance(self.names, str) or isinstance(self.units, str):
            raise TypeError(
                f"names and units must be lists of strings, got {self.names!r} and "
                f"{self.units!r}."
            )
        names, units = tuple(self.names), tuple(self.units)
        if len(set(names)) < len(names):
            raise ValueError(f"Names of parameters must differ, got {names}.")
        if not isinstance(self.prior, (Prior, type(None))):
            raise TypeError(f"prior must be a Prior, got {type(self.prior).__name__}.")
        if not len(names) == len(units) == draws.shape[2]:
            raise ValueError(
                f"draws of {draws.shape[2]} parameters need as many names and units, "
                f"got {len(names)} and {len(units)}."
            )
        if self.prior is not None and tuple(self.prior.names) != names:
            raise ValueError(
                f"names must be those of the prior, {tuple(self.prior.names)}, got "
                f"{names}."
            )
        obs_names = self.obs_names
        if obs_names is not None:
            obs_names = check_one_per("obs_names", obs_names, len(draws), "observation")
            obs_names = tuple(str(name) for name in obs_names)
            if len(set(obs_names)) != len(draws):
                raise ValueError(
                    f"obs_names must be {len(draws)} different names, one per "
                    f"observation, got {obs_names}."
                )
        if isinstance(self.warnings, str):
            raise TypeError(
                f"warnings must be a list of strings, got {self.warnings!r}."
            )
        checked = {"draws": draws, "names": names, "units": units}
        checked |= {"obs_names": obs_names, "warnings": tuple(map(str, self.warnings))}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def n_obs(self):
        """Number of observations."""
        return self.draws.shape[0]

    @property
    def n_draws(self):
        """Number of draws per observation."""
        return self.draws.shape[1]

    @property
    def mean(self):
        """Posterior mean, ndarray, shape (n_obs, n_params)."""
        return self.draws.mean(axis=1)

    @property
    def median(self):
        """Posterior median, ndarray, shape (n_obs, n_params)."""
        return np.median(self.draws, axis=1)

    @property
    def std(self):
        """Posterior standard deviation, ndarray, shape (n_obs, n_params)."""
        return self.draws.std(axis=1)

    def interval(self, level=0.9):
        """Compute the interval with equal probability on either side.

        Parameters
        ----------
        level : float
            Probability of the interval, in (0, 1).

        Returns
        -------
        lower, upper : ndarray, shape (n_obs, n_params)
            The interval's ends.
        """
        if not isinstance(level, numbers.Real) or not 0.0 < level < 1.0:
            raise ValueError(f"level must be between 0 and 1, got {level!r}.")
        ends = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
        # This definition of quantiles covers `level` on average for any number of
        # draws.
        return tuple(np.quantile(self.draws, ends, axis=1, method="weibull"))

    def __len__(self):
        return self.n_obs

    def __array__(self, dtype=None, copy=None):
        # Without it, NumPy would take single observations apart without end.
        return np.array(self.draws, dtype=dtype, copy=copy)

    def __getitem__(self, index):
        """Select observations by number, slice, list or name."""
        if isinstance(index, str):
            index = self._index_of(index)
        try:
            rows = np.atleast_1d(np.arange(self.n_obs)[index])
        except IndexError as exc:
            raise IndexError(
                f"There is no observation {index!r}: the posterior holds {self.n_obs}, "
                "numbered from 0."
            ) from exc
        obs_names = self.obs_names
        if obs_names is not None:
            obs_names = [obs_names[i] for i in rows]
        return Posterior(
            self.draws[rows],
            self.names,
            self.units,
            prior=self.prior,
            obs_names=obs_names,
            warnings=self.warnings,
        )

    def _index_of(self, name):
        if self.obs_names is None:
            raise KeyError(f"The observations have no names, so not {name!r} either.")
        if name not in self.obs_names:
            hint = did_you_mean(name, self.obs_names)
            raise KeyError(
                f"No observation is called {name!r}.{hint} obs_names lists all "
                f"{self.n_obs}."
            )
        return self.obs_names.index(name)

    def __iter__(self):
        return (self[i] for i in range(self.n_obs))

    def __repr__(self):
        plural = "" if self.n_obs == 1 else "s"
        parameters = ", ".join(
            f"{name} ({unit})" if unit else name
            for name, unit in zip(self.names, self.units, strict=True)
        )
        return (
            f"<Posterior | {self.n_obs} observation{plural}, {self.n_draws} draws each,"
            f" of {parameters}{count_warnings(self)}>"
        )

    def summary(self, level=0.9):
        """Describe each parameter of each observation by a few numbers.

        Parameters
        ----------
        level : float
            Probability of the interval from ``lower`` to ``upper``.

        Returns
        -------
        table : pandas.DataFrame
            One row per observation and parameter, with the columns ``obs``,
            ``parameter``, ``unit``, ``mean``, ``sd``, ``median``, ``lower``, ``upper``
            and, if there is a prior, ``contraction``: one minus the ratio of posterior
            to prior variance, that is, 0 where the data say nothing and 1 where they
            say everything. If there are :attr:`warnings`, a column of that name holds
            their number, and ``table.attrs["warnings"]`` the texts.
        """
        return summarize_posterior(self, level)

    def to_data_frame(self, level=0.9):
        """Lay out one row per observation, for group studies.

        Parameters
        ----------
        level : float
            Probability of the intervals.

        Returns
        -------
        table : pandas.DataFrame
            The index ``obs`` holds the observations' names, or numbers. Each parameter
            has three columns in its SI unit: ``tau_e``, the posterior mean, and
            ``tau_e_lower`` and ``tau_e_upper``, the ends of the interval. If there are
            :attr:`warnings`, a column of that name holds their number, and
            ``table.attrs["warnings"]`` the texts.
        """
        return widen_posterior(self, level)

    def to_xarray(self):
        """Convert to an xarray dataset.

        Returns
        -------
        dataset : xarray.Dataset
            One variable per parameter, with dimensions ``obs`` and ``draw``, and the
            unit and the prior's range among its attributes.

        Raises
        ------
        ImportError
            If xarray is not installed.

        Notes
        -----
        ArviZ wants a dimension ``chain``, first. The draws are independent, as those of
        a single chain; hand them over with
        ``arviz.convert_to_dataset(dataset.expand_dims("chain").transpose("chain",
        "draw", "obs"))``.
        """
        return posterior_to_xarray(self)

    def plot_marginals(self, obs=0, *, truth=None, show=True):
        """Plot the distribution of each parameter of one observation.

        Parameters
        ----------
        obs : int | str
            Number or name of the observation.
        truth : array, shape (n_params,) | None
            Parameters to mark.
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.
        """
        from ..viz import plot_marginals

        return plot_marginals(self[obs], truth=truth, show=show)

    def plot_pairs(self, obs=0, *, truth=None, show=True):
        """Plot the joint distribution of each pair of parameters of one observation.

        Parameters
        ----------
        obs : int | str
            Number or name of the observation.
        truth : array, shape (n_params,) | None
            Parameters to mark.
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.
        """
        from ..viz import plot_pairs

        return plot_pairs(self[obs], truth=truth, show=show)

    def plot_brain(
        self, parameter, *, statistic="mean", names=None, subjects_dir=None, **kwargs
    ):
        """Plot a parameter on the cortex, where each observation is a region.

        Parameters
        ----------
        parameter : str
            Name of the parameter.
        statistic : "mean" | "median" | "sd" | "contraction"
            What is shown of it: a number of each region's posterior, in the unit of
            the parameter; or how much of the prior's variance the data removed.
        names : sequence of str | None
            The observations' regions; by default the names of the observations.
        subjects_dir : path-like | None
            Folder of FreeSurfer subjects. ``None`` draws a projection that needs none.
        **kwargs : dict
            For :func:`mne_sbi.viz.plot_brain`.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.

        Raises
        ------
        ValueError
            If the observations are not regions, or a name is not known.
        """
        from ..viz._brain import plot_posterior_brain

        return plot_posterior_brain(
            self,
            parameter,
            statistic=statistic,
            names=names,
            subjects_dir=subjects_dir,
            **kwargs,
        )

    def save(self, fname, overwrite=False):
        """Save to a file that :func:`read_posterior` reads.

        Parameters
        ----------
        fname : path-like
            Name of the file, which ends in ``.npz``.
        overwrite : bool
            Replace an existing file.
        """
        if not str(fname).endswith(".npz"):
            raise ValueError(f"fname must end in .npz, got {str(fname)!r}.")
        contents = {
            "names": self.names,
            "units": self.units,
            "obs_names": self.obs_names,
            "prior": None if self.prior is None else self.prior.to_dict(),
            "warnings": self.warnings,
        }
        arrays = {"draws": self.draws}
        save_file(fname, contents, arrays, version=_FORMAT, overwrite=overwrite)


def read_posterior(fname):
    """Read a posterior that was saved with :meth:`Posterior.save`.

    Parameters
    ----------
    fname : path-like
        Name of the file.

    Returns
    -------
    posterior : Posterior
        The posterior.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or does not hold a posterior.
    """
    with damage_named(fname, "a posterior", "Posterior.save()"):
        contents, arrays = read_file(fname, _FORMAT)
        prior = contents.pop("prior")
        prior = None if prior is None else Prior.from_dict(prior)
        return Posterior(arrays["draws"], prior=prior, **contents)
