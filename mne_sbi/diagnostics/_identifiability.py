"""Identifiability: what recordings of this kind can tell about parameters at all."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_array, draw_seed
from .._parameters import check_known
from .._priors import Prior
from .._symmetries import describe_symmetry, find_symmetries
from .._warnings import count_warnings, keeps_warnings, warn_user
from ..features import LogPSD, SpectralNoise
from ..models._sampling import check_is_timed
from ..simulation._recipe import as_model, make_recipe
from ._fisher import (
    PriorScale,
    contraction_error,
    contraction_of,
    fisher_information,
    make_design,
    remove_directions,
    simulate_features,
)

# A covariance cannot be estimated from fewer.
_LEAST_REPLICATES = 50
# Posterior over prior standard deviation up to which a parameter is called well
# determined, and from which hardly: an information of 8 and of 0.56 priors. Words for
# readers; the numbers stand beside them.
_WELL, _HARDLY = 1 / 3, 0.8
# Information along the best known direction, in priors, below which something is wrong.
_NOTHING = 0.5
# Share of the largest weight of a direction from which a parameter is named.
_NAMED = 0.35


@dataclass(frozen=True, repr=False, eq=False)
class Identifiability:
    """What the features of a recording tell about the parameters of a model.

    Usually made by :func:`identifiability`.

    Parameters
    ----------
    prior : Prior
        The free parameters.
    at : ndarray, shape (n_params,)
        The point to which everything refers.
    fisher : ndarray, shape (n_params, n_params)
        Fisher information in units of the prior's standard deviations: 1 is as much as
        the prior tells.
    contraction_error : ndarray, shape (n_params,)
        Standard error of :attr:`contraction`, from the finite number of simulations.
    symmetries : tuple of dict of float
        Rescalings of the free parameters that leave the data exactly as they are:
        exponent by parameter.
    n_features, n_replicates : int
        Number of features, and of simulations of each point that were used.
    n_failed : int
        Replicates that were left out because a simulation was not finite.
    warnings : tuple of str
        What was warned of, also where a log level has silenced it.
    """

    prior: Prior
    at: np.ndarray
    fisher: np.ndarray
    contraction_error: np.ndarray
    symmetries: tuple
    n_features: int
    n_replicates: int
    n_failed: int = 0
    warnings: tuple = ()

    @property
    def names(self):
        """Names of the free parameters."""
        return self.prior.names

    @property
    def contraction(self):
        """Posterior over prior standard deviation, shape (n_params,).

        1 says that the features tell nothing about a parameter, all others being
        unknown too. For a posterior that is Gaussian around this point, with a Gaussian
        prior of the same standard deviation.
        """
        return contraction_of(self.fisher)

    @property
    def eigenvalues(self):
        """Information along each direction, descending, shape (n_params,)."""
        return np.maximum(np.linalg.eigvalsh(self.fisher)[::-1], 0.0)

    @property
    def eigenvectors(self):
        """Directions as columns, in prior standard deviations, (n_params, n_params)."""
        vectors = np.linalg.eigh(self.fisher)[1][:, ::-1]
        # Of a direction and its opposite, the one whose largest weight is positive.
        largest = np.argmax(np.abs(vectors), axis=0)
        return vectors * np.sign(vectors[largest, np.arange(len(vectors))])

    @property
    def directions(self):
        """Combinations of parameters from the best known to the least.

        A :class:`pandas.DataFrame` with one row per direction: ``information``, the
        eigenvalue; ``contraction`` along the direction; and the weight of each
        parameter.
        """
        import pandas as pd

        values = self.eigenvalues
        known = {"information": values, "contraction": 1 / np.sqrt(1 + values)}
        weights = dict(zip(self.names, self.eigenvectors, strict=True))
        return pd.DataFrame(known | weights)

    def summary(self):
        """Describe each parameter by a few numbers; ``print(result)`` does it in words.

        Returns
        -------
        table : pandas.DataFrame
            One row per parameter: ``parameter``, ``unit``, ``at``, ``prior_sd`` and
            ``posterior_sd`` (of the logarithm where the prior is uniform in it, as
            ``scale`` says), ``contraction`` and its standard error
            ``contraction_error``.
        """
        import pandas as pd

        prior_sd = PriorScale(self.prior).sd
        return pd.DataFrame(
            {
                "parameter": self.names,
                "unit": self.prior.units,
                "scale": [p.scale for p in self.prior.parameters],
                "at": self.at,
                "prior_sd": prior_sd,
                "posterior_sd": prior_sd * self.contraction,
                "contraction": self.contraction,
                "contraction_error": self.contraction_error,
            }
        )

    def plot(self, *, show=True):
        """Plot the contraction of each parameter, and the directions.

        Parameters
        ----------
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure.
        """
        from ..viz import plot_identifiability

        return plot_identifiability(self, show=show)

    def _describe_direction(self, number):
        weights = self.eigenvectors[:, number]
        order = np.argsort(-np.abs(weights))
        words = ""
        for i in order:
            if abs(weights[i]) < _NAMED * abs(weights[order[0]]):
                continue
            sign = "-" if weights[i] < 0 else "+"
            words += f" {sign} {abs(weights[i]):.2f} {self.names[i]}"
        width = 1 / np.sqrt(1 + self.eigenvalues[number])
        return f"{words.removeprefix(' + ')} ({width:.2g} of the prior's width is left)"

    def _describe_symmetries(self):
        if not self.symmetries:
            return ["  No exact symmetry among these parameters."]
        return [f"  {describe_symmetry(symmetry)}." for symmetry in self.symmetries]

    def __repr__(self):
        pairs = zip(self.names, self.contraction, strict=True)
        shown = ", ".join(f"{name} {value:.2f}" for name, value in pairs)
        n = len(self.symmetries)
        symmetries = f"{n or 'no'} exact {'symmetry' if n == 1 else 'symmetries'}"
        return (
            f"<Identifiability | {self.n_features} features, {self.n_replicates} "
            f"replicates, posterior/prior sd: {shown}; {symmetries}"
            f"{count_warnings(self)}>"
        )

    def __str__(self):
        """Write the parameters from best to least known, directions and symmetries."""
        point = zip(self.prior.parameters, self.at, strict=True)
        where = ", ".join(f"{p.name} = {v:.4g} {p.unit}".rstrip() for p, v in point)
        lines = [f"At {where}, as posterior over prior standard deviation:"]
        kinds = ("Well determined", "Partly determined", "Hardly determined")
        kind_of = np.digitize(self.contraction, (_WELL, _HARDLY))
        for number, kind in enumerate(kinds):
            order = np.argsort(self.contraction, kind="stable")
            members = [i for i in order if kind_of[i] == number]
            if members:
                text = ", ".join(
                    f"{self.names[i]} {self.contraction[i]:.2f}" for i in members
                )
                lines.append(f"  {kind}: {text}.")
        if len(self.names) > 1:
            lines.append(f"  Best known direction: {self._describe_direction(0)}.")
            lines.append(f"  Least known direction: {self._describe_direction(-1)}.")
        return "\n".join([*lines, *self._describe_symmetries()])


@keeps_warnings
def identifiability(
    model,
    prior=None,
    features=None,
    *,
    at=None,
    fixed=None,
    nodes=None,
    n_replicates=1000,
    step=0.2,
    random_state=None,
):
    """Measure what features can tell about parameters, before any training.

    Parameters
    ----------
    model : ForwardModel | str
        The model, or its registered name.
    prior : Prior | dict | None
        The free parameters, as in :func:`mne_sbi.simulate`.
    features : FeatureExtractor | None
        Makes the features, with observation noise if it has any. By default power
        spectra in decibels, not normalised; of a spectral model with the noise of
        :class:`~mne_sbi.features.SpectralNoise`.
    at : dict of float | None
        The point at which it is measured; by default, and for parameters that are left
        out, the middle of the prior. Identifiability can differ between regimes.
    fixed : dict of float | None
        Values of the other parameters; by default the model's.
    nodes : array_like of int | None
        The nodes that are recorded; ``None`` stands for all.
    n_replicates : int
        Simulations of each of the ``2 * n_params + 1`` points.
    step : float
        Distance in standard deviations of the prior over which derivatives are taken.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.

    Returns
    -------
    result : Identifiability
        The Fisher information, what follows from it, and the exact symmetries.

    Raises
    ------
    TypeError, ValueError
        If an argument is not understood, the model refuses a point, or the features
        have no noise.
    RuntimeError
        If most simulations are not finite.

    Notes
    -----
    The derivatives of the mean features are central differences of simulations with
    common random numbers, their covariance that of replicates at the point itself.
    Along an exact symmetry of the model the information is set to zero, which it is.

    What the features tell through their *covariance* is left out, which is all for
    series of ongoing activity: choose spectra there. Left out is also what is not
    linear within ``step``: a network can learn more, or less where the point lies close
    to a bifurcation.
    """
    model = as_model(model)
    recipe = make_recipe(model, prior, _default_features(model, features), fixed, nodes)
    check_is_timed(recipe.model)
    n_replicates, step = _check_numbers(n_replicates, step)
    centre = _as_point(recipe.prior, at)
    theta, distance = make_design(recipe.prior, centre, step)
    recipe.model.prepare()
    _check_valid(recipe, theta)
    made = simulate_features(recipe, theta, n_replicates, draw_seed(random_state))
    # A replicate has to be there at all points, to be compared.
    good = np.isfinite(made).all(axis=(0, 2))
    if good.sum() < max(_LEAST_REPLICATES, n_replicates / 2):
        raise RuntimeError(
            f"{n_replicates - good.sum()} of {n_replicates} replicates hold "
            "simulations that are not finite. Choose another point with at={...}, or "
            "another prior."
        )
    fisher, leave_out = fisher_information(made[:, good], distance)
    symmetries = find_symmetries(
        model.get_symmetries(), recipe.prior.names, fixed=recipe.fixed
    )
    # Differences over a step leave the curve along which an exact symmetry moves.
    scale = PriorScale(recipe.prior)
    null = [scale.tangent(symmetry, centre) for symmetry in symmetries]
    result = Identifiability(
        prior=recipe.prior,
        at=centre,
        fisher=remove_directions(fisher, null),
        contraction_error=contraction_error(remove_directions(leave_out, null)),
        symmetries=tuple(symmetries),
        n_features=made.shape[2],
        n_replicates=int(good.sum()),
        n_failed=int((~good).sum()),
    )
    _warn_if_blind(result)
    return result


def _warn_if_blind(result):
    """Warn if the mean of the features hardly depends on any parameter."""
    if result.eigenvalues[0] < _NOTHING:
        warn_user(
            "The mean of the features hardly depends on the parameters, and only that "
            "is counted here. Series of an ongoing activity tell by their covariance: "
            "for them, measure the identifiability with features=LogPSD(...)."
        )


def _default_features(model, features):
    if features is not None:
        return features
    if model.output == "spectrum":
        return LogPSD(freqs=model.get_freqs(), scaling="none", noise=SpectralNoise())
    return LogPSD(scaling="none")


def _check_numbers(n_replicates, step):
    is_integer = isinstance(n_replicates, (int, np.integer))
    if not is_integer or isinstance(n_replicates, bool):
        raise TypeError(f"n_replicates must be an integer, got {n_replicates!r}.")
    if n_replicates < _LEAST_REPLICATES:
        raise ValueError(
            f"n_replicates must be at least {_LEAST_REPLICATES}, got {n_replicates}: "
            "the covariance of the features is estimated from them."
        )
    return int(n_replicates), float(check_array("step", step, shape=(), positive=True))


def _as_point(prior, at):
    """Return the point as an array, inside the prior."""
    values = dict(
        zip(prior.names, prior.from_unit(np.full(len(prior), 0.5)), strict=True)
    )
    if at is not None and not isinstance(at, dict):
        raise TypeError(
            f"at must be a dict such as {{{prior.names[0]!r}: {prior.default[0]:g}}} "
            f"or None, got {type(at).__name__}."
        )
    check_known(at or {}, prior.names)
    for parameter in prior.parameters:
        value = (at or {}).get(parameter.name, values[parameter.name])
        value = float(check_array(parameter.name, value, shape=()))
        if not parameter.low <= value <= parameter.high:
            raise ValueError(
                f"at has {parameter.name} = {value:g}, outside its prior from "
                f"{parameter.low:g} to {parameter.high:g} {parameter.unit}".rstrip()
                + ". Widen the prior, or choose another point."
            )
        values[parameter.name] = value
    return np.array(list(values.values()))


def _check_valid(recipe, theta):
    """Raise an error if the model refuses a point that has to be simulated."""
    valid = np.asarray(recipe.model.check_valid(recipe.complete(theta)))
    if valid.all():
        return
    row = theta[int(np.argmin(valid))]
    names = recipe.prior.names
    point = ", ".join(f"{n}={v:g}" for n, v in zip(names, row, strict=True))
    raise ValueError(
        f"The model refuses {int((~valid).sum())} of the {len(theta)} points that "
        f"have to be simulated, the first at {point}. Choose another point with "
        "at={...}, or a smaller step."
    )
