"""Calibration: whether posteriors hold the true parameters as often as they say."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array
from .._parameters import order_by_name

_LEVELS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())
# Levels that the summary names.
_SHOWN_LEVELS = (0.5, 0.8, 0.9, 0.95)


def sbc_ranks(draws, theta):
    """Rank the true parameters among posterior draws.

    Parameters
    ----------
    draws : array, shape (n, n_draws, n_params)
        Posterior draws of n simulations.
    theta : array, shape (n, n_params)
        The parameters that were simulated.

    Returns
    -------
    ranks : ndarray of int, shape (n, n_params)
        Number of draws below the true value, from 0 to ``n_draws``. If the posterior is
        right and the parameters come from the prior, all ranks are equally likely [1]_.

    References
    ----------
    .. [1] Talts et al. (2018). Validating Bayesian inference algorithms with
       simulation-based calibration. arXiv:1804.06788.
    """
    draws, theta = _check(draws, theta)
    return (draws < theta[:, None, :]).sum(axis=1)


def coverage(draws, theta, levels=_LEVELS):
    """Measure how often intervals of the posterior hold the true parameters.

    Parameters
    ----------
    draws : array, shape (n, n_draws, n_params)
        Posterior draws of n simulations.
    theta : array, shape (n, n_params)
        The parameters that were simulated.
    levels : sequence of float
        Probabilities of the intervals, each in (0, 1). An interval leaves the same
        probability on either side.

    Returns
    -------
    coverage : ndarray, shape (n_levels, n_params)
        Share of the simulations whose true value is inside the interval.
    """
    draws, theta = _check(draws, theta)
    levels = _check_levels(levels)
    # With this definition of quantiles the expected coverage of an exact posterior is
    # the level for any number of draws.
    ends = np.concatenate([(1.0 - levels) / 2.0, (1.0 + levels) / 2.0])
    ends = np.quantile(draws, ends, axis=1, method="weibull")
    lower, upper = ends[: len(levels)], ends[len(levels) :]
    return ((lower <= theta) & (theta <= upper)).mean(axis=1)


def calibration_error(draws, theta, levels=_LEVELS):
    """Mean distance between the coverage of intervals and their level.

    Parameters
    ----------
    draws : array, shape (n, n_draws, n_params)
        Posterior draws of n simulations.
    theta : array, shape (n, n_params)
        The parameters that were simulated.
    levels : sequence of float
        Probabilities of the intervals, each in (0, 1).

    Returns
    -------
    error : ndarray, shape (n_params,)
        Mean over the levels of the absolute difference.
    """
    levels = _check_levels(levels)
    difference = coverage(draws, theta, levels) - levels[:, None]
    return np.abs(difference).mean(axis=0)


@dataclass(frozen=True, repr=False, eq=False)
class Calibration:
    """How well posteriors of simulations are calibrated.

    Usually made by :meth:`from_draws`.

    Parameters
    ----------
    ranks : ndarray of int, shape (n, n_params)
        Ranks of the true values; see :func:`sbc_ranks`.
    n_draws : int
        Number of draws that the ranks refer to.
    levels : ndarray, shape (n_levels,)
        Probabilities of intervals.
    coverage : ndarray, shape (n_levels, n_params)
        Share of true values inside; see :func:`coverage`.
    names : tuple of str
        Names of the parameters.
    """

    ranks: np.ndarray
    n_draws: int
    levels: np.ndarray
    coverage: np.ndarray
    names: tuple

    @classmethod
    def from_draws(cls, draws, theta, *, names=None, levels=_LEVELS):
        """Compute the calibration of posterior draws.

        Parameters
        ----------
        draws : array, shape (n, n_draws, n_params)
            Posterior draws of n simulations.
        theta : array, shape (n, n_params)
            The parameters that were simulated.
        names : sequence of str | None
            Names of the parameters in ``draws``, by which the columns of a data frame
            ``theta`` are found.
        levels : sequence of float
            Probabilities of the intervals, each in (0, 1).

        Returns
        -------
        calibration : Calibration
            The result.
        """
        if names is not None:
            theta = order_by_name("theta", theta, names)
        draws, theta = _check(draws, theta)
        n_params = draws.shape[2]
        names = tuple(names or (f"parameter {i}" for i in range(n_params)))
        if len(names) != n_params:
            raise ValueError(
                f"draws of {n_params} parameters need as many names, got {names}."
            )
        return cls(
            ranks=sbc_ranks(draws, theta),
            n_draws=draws.shape[1],
            levels=_check_levels(levels),
            coverage=coverage(draws, theta, levels),
            names=names,
        )

    @property
    def n(self):
        """Number of simulations."""
        return len(self.ranks)

    @property
    def error(self):
        """Mean absolute difference of coverage and level, shape (n_params,)."""
        return np.abs(self.coverage - self.levels[:, None]).mean(axis=0)

    def summary(self):
        """Describe each parameter by a few numbers.

        Returns
        -------
        table : pandas.DataFrame
            One row per parameter: ``error`` and ``max_error``, the mean and largest
            absolute difference of coverage and level; the coverage at 50, 80, 90 and
            95 %, where these levels were computed; ``uniform_p``, the p-value of the
            Kolmogorov-Smirnov test of uniform ranks.
        """
        import pandas as pd
        from scipy.stats import kstest

        difference = np.abs(self.coverage - self.levels[:, None])
        columns = {
            "parameter": self.names,
            "error": difference.mean(axis=0),
            "max_error": difference.max(axis=0),
        }
        for level in _SHOWN_LEVELS:
            index = np.flatnonzero(np.isclose(self.levels, level))
            if len(index):
                columns[f"coverage_{100 * level:.0f}"] = self.coverage[index[0]]
        # To the middle of the rank's share of the unit interval.
        unit = (self.ranks + 0.5) / (self.n_draws + 1)
        columns["uniform_p"] = [kstest(u, "uniform").pvalue for u in unit.T]
        return pd.DataFrame(columns)

    def plot(self, *, show=True):
        """Plot coverage against level, and the ranks.

        Parameters
        ----------
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.
        """
        from ..viz import plot_calibration

        return plot_calibration(self, show=show)

    def __repr__(self):
        worst = int(np.argmax(self.error))
        return (
            f"<Calibration | {self.n} simulations, {len(self.names)} parameters, mean "
            f"error {self.error.mean():.3f}, largest {self.error[worst]:.3f} of "
            f"{self.names[worst]}>"
        )


def _check(draws, theta):
    """Check that draws and true values belong together."""
    draws = check_array("draws", draws, shape=(None, None, None))
    theta = check_array("theta", theta, shape=(draws.shape[0], draws.shape[2]))
    if 0 in draws.shape:
        raise ValueError(f"draws must not be empty, got shape {draws.shape}.")
    return draws, theta


def _check_levels(levels):
    levels = np.atleast_1d(check_array("levels", levels))
    if levels.ndim != 1 or not ((levels > 0.0) & (levels < 1.0)).all():
        raise ValueError(f"levels must be numbers between 0 and 1, got {levels}.")
    return levels
