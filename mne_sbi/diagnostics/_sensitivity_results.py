"""Results of sensitivity analyses."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_option
from .._warnings import count_warnings


class _Sensitivity:
    """What the results of both methods have in common."""

    # Names of the indices, the one that ranks the parameters, and what n counts.
    _indices = ()
    _ranking = ""
    _counted = ""

    def to_data_frame(self, feature=None):
        """Return the indices as a table.

        Parameters
        ----------
        feature : str | None
            A feature whose outputs are told apart; ``None`` stands for all features,
            each as a whole.

        Returns
        -------
        table : pandas.DataFrame
            One row per feature and parameter, or per output of the feature and
            parameter. Each index has a column, and two for the ends of its interval.
        """
        import pandas as pd

        if feature is None:
            keys = ("feature", "parameter")
            index = pd.MultiIndex.from_product([self.features, self.names], names=keys)
            return self._fill(index.to_frame(index=False), vars(self))
        check_option("feature", feature, self.features)
        found = self.outputs[feature]
        keys = ("row", found["axis_label"], "parameter")
        levels = [found["rows"], found["axis"], self.names]
        index = pd.MultiIndex.from_product(levels, names=keys)
        return self._fill(index.to_frame(index=False), found)

    def _fill(self, table, arrays):
        """Add columns of indices to a table."""
        for name in self._indices:
            if name in arrays:
                table[name] = arrays[name].ravel()
                ends = arrays[f"{name}_interval"].reshape(-1, 2)
                table[f"{name}_low"], table[f"{name}_high"] = ends.T
        return table

    def plot(self, feature=None, *, show=True):
        """Plot the indices; see :func:`mne_sbi.viz.plot_sensitivity`.

        Parameters
        ----------
        feature : str | None
            A feature whose outputs are told apart, such as frequencies; ``None`` stands
            for all features, each as a whole.
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.
        """
        from ..viz import plot_sensitivity

        return plot_sensitivity(self, feature, show=show)

    def __repr__(self):
        def plural(n, noun):
            return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

        lines = [
            f"<{type(self).__name__} | {plural(len(self.features), 'feature')}, "
            f"{plural(len(self.names), 'parameter')}, {self.n} {self._counted}, "
            f"{plural(self.n_replicates, 'replicate')}{count_warnings(self)}>"
        ]
        width = max(map(len, self.features))
        for feature, values in zip(
            self.features, getattr(self, self._ranking), strict=True
        ):
            order = np.argsort(-np.nan_to_num(values, nan=-np.inf))
            ranked = (f"{self.names[i]} {values[i]:.3g}" for i in order)
            lines.append(f"  {feature:{width}}  {self._ranking}: {', '.join(ranked)}")
        return "\n".join(lines)


@dataclass(frozen=True, repr=False, eq=False)
class SobolSensitivity(_Sensitivity):
    """First-order and total Sobol indices of a model's parameters.

    Made by :func:`sobol_sensitivity`, which says what they mean.

    Parameters
    ----------
    names : tuple of str
        Names of the parameters.
    features : tuple of str
        Names of the features.
    first_order, total_order : ndarray, shape (n_features, n_params)
        Shares of the variance of a feature; of one with several outputs, the mean over
        outputs weighted by their variance.
    first_order_interval, total_order_interval : ndarray, shape \
            (n_features, n_params, 2)
        Ends of bootstrap intervals.
    noise : ndarray, shape (n_features,)
        Share of the variance that is the model's own randomness, after averaging over
        replicates; NaN if there is only one.
    outputs : dict of dict
        By feature: ``rows`` (names of the nodes, or numbers), ``axis`` of shape
        (n_points,) and ``axis_label``; the indices of every output, shape (n_rows,
        n_points, n_params), and their intervals; and ``variance``, shape (n_rows,
        n_points).
    n : int
        Rows of the design; there were ``n * (n_params + 2) * n_replicates``
        simulations.
    n_replicates : int
        Simulations that were averaged at each point.
    n_replaced : int
        Rows that could not be used and were replaced by others.
    confidence : float
        Probability of the intervals.
    warnings : tuple of str
        What was warned of, also where a log level has silenced it.
    """

    names: tuple
    features: tuple
    first_order: np.ndarray
    total_order: np.ndarray
    first_order_interval: np.ndarray
    total_order_interval: np.ndarray
    noise: np.ndarray
    outputs: dict
    n: int
    n_replicates: int
    n_replaced: int
    confidence: float
    warnings: tuple = ()

    _indices = ("first_order", "total_order")
    _ranking = "total_order"
    _counted = "rows"


@dataclass(frozen=True, repr=False, eq=False)
class MorrisSensitivity(_Sensitivity):
    """Elementary effects of a model's parameters.

    Made by :func:`morris_sensitivity`, which says what they mean.

    Parameters
    ----------
    names : tuple of str
        Names of the parameters.
    features : tuple of str
        Names of the features.
    mu_star, sigma : ndarray, shape (n_features, n_params)
        Mean of the absolute value and standard deviation of the elementary effects, in
        the feature's unit per range of the parameter; of a feature with several
        outputs, root mean squares over them.
    mu_star_interval, sigma_interval : ndarray, shape (n_features, n_params, 2)
        Ends of bootstrap intervals.
    outputs : dict of dict
        By feature: ``rows`` (names of the nodes, or numbers), ``axis`` of shape
        (n_points,) and ``axis_label``; ``mu`` (the mean, with its sign), ``mu_star``
        and ``sigma`` of every output, shape (n_rows, n_points, n_params), and their
        intervals; and ``variance`` over all points, shape (n_rows, n_points).
    n : int
        Number of trajectories; there were ``n * (n_params + 1) * n_replicates``
        simulations.
    n_replicates : int
        Simulations that were averaged at each point.
    n_replaced : int
        Trajectories that could not be used and were replaced by others.
    confidence : float
        Probability of the intervals.
    warnings : tuple of str
        What was warned of, also where a log level has silenced it.
    """

    names: tuple
    features: tuple
    mu_star: np.ndarray
    sigma: np.ndarray
    mu_star_interval: np.ndarray
    sigma_interval: np.ndarray
    outputs: dict
    n: int
    n_replicates: int
    n_replaced: int
    confidence: float
    warnings: tuple = ()

    _indices = ("mu", "mu_star", "sigma")
    _ranking = "mu_star"
    _counted = "trajectories"
