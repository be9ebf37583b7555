"""Regimes of a prior: what kinds of activity its draws make."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from .._checks import check_array, draw_seed
from ..features import LogPSD
from ..simulation._recipe import make_recipe

# A node of the Jansen-Rit model with a standard deviation above this many volts makes
# large slow spikes as in a seizure; its alpha rhythm at the standard parameters has 2.1
# mV, measured.
_SEIZURE_LIKE = 8e-3
_ALPHA = (8.0, 12.0)  # Hz
# Where the peak is looked for, in Hz: below, slow drifts win.
_BAND = (2.0, 45.0)
# The short simulations: long enough for the power at the lowest frequency, and of the
# activity itself, not of an average over stimuli.
_SIMULATED = {"duration": 6.0, "sfreq": 128.0, "stimulus": None}
# Equal parts of each parameter's range in which shares are counted.
_N_PARTS = 10


@dataclass(frozen=True, repr=False, eq=False)
class RegimeMap:
    """Regimes of draws from a prior.

    Usually made by :func:`regime_map`.

    Parameters
    ----------
    prior : Prior
        The prior.
    table : pandas.DataFrame
        One row per draw: the parameters in their units; ``regime`` and what else the
        model says of it; ``sd`` (V), the standard deviation of a short simulation, and
        ``peak`` (Hz), the frequency of most power in it. Both are NaN where the
        simulation was not finite.
    regimes : tuple of str
        Names of the regimes, in the order of figures.
    """

    prior: object
    table: object
    regimes: tuple

    @property
    def n(self):
        """Number of draws."""
        return len(self.table)

    @property
    def shares(self):
        """Share of the draws by what is found, a dict of float.

        Each regime; ``n fixed points`` for each number that occurs; ``seizure-like``,
        with a standard deviation above 8 mV; ``peak in 8-12 Hz``; ``failed``, with a
        simulation that is not finite.
        """
        table, found = self.table, {}
        for regime in self.regimes:
            found[regime] = float((table["regime"] == regime).mean())
        if "n_fixed_points" in table:
            counts = table["n_fixed_points"].value_counts(normalize=True).sort_index()
            for number, share in counts.items():
                plural = "" if number == 1 else "s"
                found[f"{number} fixed point{plural}"] = float(share)
        alpha = table["peak"].between(*_ALPHA)
        return found | {
            "seizure-like": float((table["sd"] > _SEIZURE_LIKE).mean()),
            "peak in 8-12 Hz": float(alpha.mean()),
            "failed": float(table["sd"].isna().mean()),
        }

    @property
    def influence(self):
        """How much each parameter by itself decides the regime, a dict of float.

        The share by which the probability of a wrong guess falls when the parameter is
        known to a tenth of its range (Goodman & Kruskal's tau, less its expectation
        under chance): 1 if it decides alone, 0 if it says nothing.
        """
        by_name = {name: self._influence_of(name) for name in self.prior.names}
        return dict(sorted(by_name.items(), key=lambda pair: -pair[1]))

    def summary(self):
        """Return the shares with their standard errors.

        Returns
        -------
        table : pandas.DataFrame
            One row per entry of :attr:`shares`: ``kind``, ``share`` and ``error``.
        """
        import pandas as pd

        share = np.array(list(self.shares.values()))
        error = np.sqrt(share * (1 - share) / self.n)
        return pd.DataFrame({"kind": list(self.shares), "share": share, "error": error})

    def to_data_frame(self):
        """Return the table of draws, a :class:`pandas.DataFrame`."""
        return self.table.copy()

    def parts_of(self, name):
        """Count regimes in equal parts of a parameter's range.

        Parameters
        ----------
        name : str
            Name of the parameter.

        Returns
        -------
        edges : ndarray, shape (n_parts + 1,)
            Borders of the parts, in the parameter's unit; on its scale they are
            equally far from each other.
        counts : ndarray of int, shape (n_parts, n_regimes)
            Draws of each regime in each part.
        """
        column = self.prior.names.index(name)
        unit = self.prior.to_unit(self.table[list(self.prior.names)].to_numpy())
        part = np.minimum((unit[:, column] * _N_PARTS).astype(int), _N_PARTS - 1)
        corners = np.full((_N_PARTS + 1, len(self.prior)), 0.5)
        corners[:, column] = np.linspace(0, 1, _N_PARTS + 1)
        counts = np.stack(
            [
                np.bincount(part[self.table["regime"] == regime], minlength=_N_PARTS)
                for regime in self.regimes
            ],
            axis=1,
        )
        return self.prior.from_unit(corners)[:, column], counts

    def plot(self, *, show=True):
        """Plot shares of the regimes, and how they depend on each parameter.

        Parameters
        ----------
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.
        """
        from ..viz import plot_regimes

        return plot_regimes(self, show=show)

    def _influence_of(self, name):
        counts = self.parts_of(name)[1].astype(float)
        total = counts.sum(axis=0) / self.n
        spread = 1 - np.square(total).sum()
        if spread == 0:
            return 0.0
        size = counts.sum(axis=1)
        full = size > 0
        within = np.square(counts[full]).sum(axis=1) / size[full]
        tau = (within.sum() / self.n - np.square(total).sum()) / spread
        # Of independent variables, tau is (parts - 1) / (n - 1) on average.
        by_chance = (full.sum() - 1) / max(self.n - 1, 1)
        return float(np.clip((tau - by_chance) / (1 - by_chance), 0, 1))

    def __repr__(self):
        shares = self.shares
        kinds = [*self.regimes, "seizure-like"]
        shown = ", ".join(f"{kind} {shares[kind]:.0%}" for kind in kinds)
        return f"<RegimeMap | {self.n} draws: {shown}>"


def regime_map(model, prior=None, n=2000, *, fixed=None, random_state=None):
    """Say what kinds of activity the draws of a prior make.

    Parameters
    ----------
    model : ForwardModel | str
        A model of time series that has a method ``classify_regimes``, such as
        :class:`~mne_sbi.JansenRit`, or its registered name. Its own sampling
        rate and duration do not matter.
    prior : Prior | dict | None
        The parameters that are drawn, as in :func:`mne_sbi.simulate`.
    n : int
        Number of draws.
    fixed : dict of float | None
        Values of the other parameters; by default the model's.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.

    Returns
    -------
    result : RegimeMap
        Shares of the regimes, of seizure-like activity and of alpha rhythms, and a
        table of the draws.

    Raises
    ------
    TypeError
        If the model cannot classify regimes.
    ValueError
        If an argument is not understood.

    Notes
    -----
    Regimes come from the equations without noise. Standard deviation and peak come from
    one simulation of 6 s per draw, without stimuli, so that they vary a little with the
    seed; of several nodes, they are the mean, and the peak of the mean spectrum.
    """
    is_integer = isinstance(n, (int, np.integer)) and not isinstance(n, bool)
    if not is_integer or n < 1:
        raise ValueError(f"n must be a number of draws, 1 or more, got {n!r}.")
    recipe = make_recipe(model, prior, None, fixed, None)
    model = recipe.model
    if not hasattr(model, "classify_regimes") or model.output != "timeseries":
        raise TypeError(
            f"{type(model).__name__} cannot classify its regimes. A regime map needs a "
            "model of time series with a method classify_regimes(params), such as "
            "JansenRit; of a model around another one, give the inner model."
        )
    rng = np.random.default_rng(draw_seed(random_state))
    theta = recipe.prior.sample(n, rng)
    params = recipe.complete(theta)
    found = model.classify_regimes(params)
    sd, peak = _simulate(model, params, draw_seed(rng))
    return _make_map(recipe.prior, theta, found | {"sd": sd, "peak": peak})


def _make_map(prior, theta, columns):
    """Put draws and what was found of them into a table."""
    import pandas as pd

    table = pd.DataFrame(prior.as_dict(theta) | columns)
    names, counts = np.unique(
        np.asarray(table["regime"], dtype=str), return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    return RegimeMap(prior, table, tuple(names[order].tolist()))


def _simulate(model, params, seed):
    """Simulate briefly; return standard deviation and peak frequency, shape (2, n)."""
    import jax

    known = model.get_params(deep=False)
    settings = {name: value for name, value in _SIMULATED.items() if name in known}
    short = clone(model).set_params(**settings)
    # Without a stimulus, a model may have fewer parameters.
    names = [parameter.name for parameter in short.get_parameters()]
    params = {name: value for name, value in params.items() if name in names}
    n, key = len(next(iter(params.values()))), jax.random.key(seed)
    found = []
    for block, start in enumerate(range(0, n, short.block_size)):
        some = {
            k: value[start : start + short.block_size] for k, value in params.items()
        }
        data = short.simulate_batch(some, jax.random.fold_in(key, block))
        found.append(_measure(np.asarray(data, dtype=float), short.sfreq))
    return np.concatenate(found, axis=1)


def _measure(data, sfreq):
    """Return standard deviation and peak frequency of simulations, shape (2, n)."""
    data = check_array("simulations", data, shape=(None, None, None), finite=False)
    with np.errstate(invalid="ignore"):  # infinite values become NaN
        sd = data.std(axis=2)
    # A node at rest without noise has no peak.
    good = np.isfinite(sd).all(axis=1) & (sd > 0).all(axis=1)
    peak = np.full(len(sd), np.nan)
    if good.any():
        extractor = LogPSD(*_BAND)
        spectra = extractor.extract(data[good], sfreq).mean(axis=1)
        peak[good] = extractor.get_freqs()[np.argmax(spectra, axis=1)]
    mean = sd.mean(axis=1)
    return np.stack([np.where(np.isfinite(mean), mean, np.nan), peak])
