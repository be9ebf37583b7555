"""How well simulated connectivity fits measured one, and what fits for free."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array, check_rng
from .._connectome import Connectome
from .._warnings import count_warnings, keeps_warnings
from ..features import EnvelopeCorrelation
from ._connectivity_inputs import match_regions, read_connections
from ._connectivity_nulls import (
    correlate_edges,
    permutation_null,
    structural_baselines,
    surrogate_null,
    white_noise_null,
)

WHITE_NOISE, PERMUTED = "white noise", "permuted regions"
# Shares of the draws that the summary's interval leaves out on either side.
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, repr=False, eq=False)
class ConnectivityFit:
    """How well simulated connectivity fits the measured one.

    Usually made by :func:`connectivity_fit`.

    Parameters
    ----------
    r : float
        Pearson's correlation over all edges.
    names : tuple of str
        Names of the regions, as measured.
    simulated, measured : ndarray, shape (n_nodes, n_nodes)
        Connectivity, with zeros on the diagonal.
    null : ndarray, shape (n_null,)
        Correlations of what has no connectivity.
    null_kind : "white noise" | "permuted regions"
        What that is.
    surrogate : ndarray, shape (n_null,) or (0,)
        Correlations of the simulation's series with random phases; none where a matrix
        was given instead of series.
    baselines : dict of (tuple of (float, int))
        By name, the correlation of what a connectome tells without a model, and the
        number of edges that it is over.
    ceiling : float | None
        Correlation that noise in the measured connectivity leaves possible.
    n_ignored : int
        Number of regions that were left out.
    warnings : tuple of str
        What was warned of, also where a log level has silenced it.
    """

    r: float
    names: tuple
    simulated: np.ndarray
    measured: np.ndarray
    null: np.ndarray
    null_kind: str
    surrogate: np.ndarray
    baselines: dict
    ceiling: float | None = None
    n_ignored: int = 0
    warnings: tuple = ()

    @property
    def n_edges(self):
        """Number of edges."""
        return len(self.names) * (len(self.names) - 1) // 2

    @property
    def p_value(self):
        """Share of the null that fits as well or better, counting the fit itself."""
        return (1 + int((self.null >= self.r).sum())) / (1 + len(self.null))

    def summary(self):
        """Describe the fit beside what fits without a model.

        Returns
        -------
        table : pandas.DataFrame
            One row each for the simulation, the null, the surrogates, the baselines and
            the ceiling: ``r``, of the null and the surrogates the mean; ``lower`` and
            ``upper``, which hold 95 % of them; ``n_edges``; and the simulation's
            ``p_value``.
        """
        import pandas as pd

        rows = [
            {
                "what": "simulation",
                "r": self.r,
                "n_edges": self.n_edges,
                "p_value": self.p_value,
            }
        ]
        for what, draws in (
            (self.null_kind, self.null),
            ("random phases", self.surrogate),
        ):
            if len(draws):
                lower, upper = np.quantile(draws, _TAILS)
                rows.append(
                    {
                        "what": what,
                        "r": draws.mean(),
                        "lower": lower,
                        "upper": upper,
                        "n_edges": self.n_edges,
                    }
                )
        rows += [
            {"what": what, "r": r, "n_edges": n}
            for what, (r, n) in self.baselines.items()
        ]
        if self.ceiling is not None:
            rows.append({"what": "ceiling", "r": self.ceiling, "n_edges": self.n_edges})
        columns = ["what", "r", "lower", "upper", "n_edges", "p_value"]
        return pd.DataFrame(rows, columns=columns)

    def plot(self, *, show=True):
        """Plot both matrices, the edges, and the fit beside the null and baselines.

        Parameters
        ----------
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.
        """
        from ..viz import plot_connectivity_fit

        return plot_connectivity_fit(self, show=show)

    def __repr__(self):
        parts = [
            f"r = {self.r:.3f} over {self.n_edges} edges of {len(self.names)} regions",
            f"{self.null_kind} {self.null.mean():.3f} +- {self.null.std():.3f}, "
            f"p = {self.p_value:.2g}",
        ]
        known = {k: r for k, (r, _) in self.baselines.items() if np.isfinite(r)}
        if known:
            best = max(known, key=known.get)
            parts.append(f"best baseline {best} {known[best]:.3f}")
        if self.ceiling is not None:
            parts.append(f"ceiling {self.ceiling:.3f}")
        return f"<ConnectivityFit | {'; '.join(parts)}{count_warnings(self)}>"


@keeps_warnings
def connectivity_fit(
    simulated,
    measured,
    *,
    features=None,
    connectome=None,
    ceiling=None,
    on_missing="raise",
    n_null=100,
    random_state=None,
    verbose=None,
):
    """Correlate simulated with measured connectivity, beside what fits for free.

    Parameters
    ----------
    simulated, measured : Connectivity | tuple of (array, list) | Raw | Epochs
        Each a :class:`mne_connectivity.Connectivity`; a pair of a matrix, shape
        (n_nodes, n_nodes), and the names of its regions; or time series of regions,
        which may also be anything with a method ``to_raw``. The diagonal does not
        count.
    features : EnvelopeCorrelation | None
        Makes connectivity of time series; by default ``EnvelopeCorrelation()``. If the
        measured connectivity is a matrix, choose the settings that it was made with.
    connectome : Connectome | None
        Structure, for baselines; it may have more regions.
    ceiling : float | None
        Correlation that noise in the measured connectivity leaves possible, such as
        the root of its reliability. It is shown beside the fit.
    on_missing : "raise" | "ignore"
        What to do with regions that are not in all of them, whatever the spelling:
        raise an error that lists them, or leave them out and log how many.
    n_null : int
        Number of draws of the null, and of surrogates.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    fit : ConnectivityFit
        The correlation, its null and the baselines.

    Raises
    ------
    TypeError
        If an argument is not understood.
    ValueError
        If regions are missing, a matrix is not symmetric or not finite, or does not
        vary.

    Notes
    -----
    The null tells whether a pipeline finds a fit where there is nothing: white noise
    with as many regions and samples as the simulation goes through the same features.
    It must be near zero. A pipeline that filters along the regions instead of the time
    gives white noise a correlation of 0.7 or more with other white noise. If the
    simulation is a matrix, the null is of its regions in random order, which is
    narrower than that of a simulation as smooth over the cortex as the measured
    connectivity. Surrogates have the spectrum of the simulation and no relation between
    regions. Each draw of either takes as long as the connectivity of the simulation.

    Baselines are over the edges where they are defined: weights, the logarithm of the
    positive ones, minus the length where there is one, and the least-squares fit of
    weights and lengths together, in the sample, and with each edge predicted from the
    other four of five folds. Folds of edges share regions, so even the latter is better
    than a prediction for other regions would be. A weight is the mean of both
    directions. A simulation whose parameters were chosen for a high ``r`` is in sample
    as well: simulate again with other noise before quoting it.
    """
    from mne.utils import logger, use_log_level

    features = _check_features(features)
    _check_arguments(connectome, ceiling, n_null)
    # Streams of their own: the baselines do not depend on the number of draws.
    streams = check_rng(random_state).spawn(3)
    with use_log_level(verbose):
        simulated = read_connections("simulated", simulated, features)
        measured = read_connections("measured", measured, features)
        simulated, measured, connectome, n_ignored = match_regions(
            simulated, measured, connectome, on_missing
        )
        if n_ignored:
            logger.info(
                f"{len(measured.names)} regions are compared; {n_ignored} are not in "
                "all inputs and are left out."
            )
        target = measured.matrix
        r = correlate_edges(simulated.matrix, target)
        if not np.isfinite(r):
            raise ValueError(
                "The simulated or the measured connectivity is the same for all edges, "
                "and correlates with nothing."
            )
        null, surrogate, null_kind = _draw_nulls(
            simulated, target, features, n_null, streams
        )
        baselines = {}
        if connectome is not None:
            baselines = structural_baselines(connectome, target, streams[2])
    return ConnectivityFit(
        r=r,
        names=measured.names,
        simulated=simulated.matrix,
        measured=target,
        null=null,
        null_kind=null_kind,
        surrogate=surrogate,
        baselines=baselines,
        ceiling=None if ceiling is None else float(ceiling),
        n_ignored=n_ignored,
    )


def _draw_nulls(simulated, target, features, n_null, streams):
    """Return null, surrogates, and the kind of the null."""
    if simulated.series is None:
        null = permutation_null(simulated.matrix, target, n_null, streams[0])
        return null, np.empty(0), PERMUTED
    shared = simulated.series, simulated.sfreq, features, target, n_null
    null = white_noise_null(*shared, streams[0])
    return null, surrogate_null(*shared, streams[1]), WHITE_NOISE


def _check_features(features):
    if features is None:
        return EnvelopeCorrelation()
    if not isinstance(features, EnvelopeCorrelation):
        raise TypeError(
            "features must be an EnvelopeCorrelation, such as EnvelopeCorrelation(8, "
            f"12, lowpass=1.0), or None, got {type(features).__name__}."
        )
    return features


def _check_arguments(connectome, ceiling, n_null):
    if connectome is not None and not isinstance(connectome, Connectome):
        raise TypeError(
            "connectome must be a Connectome, made of weights, lengths and names, or "
            f"None, got {type(connectome).__name__}."
        )
    if ceiling is not None:
        value = float(check_array("ceiling", ceiling, shape=()))
        if not 0 < value <= 1:
            raise ValueError(
                f"ceiling must be a correlation above 0 and up to 1, got {value:g}."
            )
    is_integer = isinstance(n_null, (int, np.integer)) and not isinstance(n_null, bool)
    if not is_integer or n_null < 1:
        raise ValueError(
            f"n_null must be a number of draws of 1 or more, got {n_null!r}. A p-value "
            "of 0.01 needs 99 at least."
        )
