"""Product distributions of named parameters."""

import dataclasses

import numpy as np

from ._checks import check_array, check_rng
from ._memory import check_memory
from ._parameters import (
    Parameter,
    check_known,
    check_same_unit,
    enclosing_parameters,
    explain_units,
    html_table,
    order_by_name,
    override_parameter,
    text_table,
)

# Unit-cube coordinates are kept this far from 0 and 1: the networks see them as
# float32, whose largest value below 1 is 1 - 6e-8, and the logit must stay finite.
_EDGE = 1e-7
# How far outside its range, relative to its width, a value may lie because it once went
# through float32.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True, repr=False)
class Prior:
    """Product of independent parameters, each uniform on its scale.

    Parameters
    ----------
    parameters : sequence of Parameter
        The parameters to be inferred. Their order is the order of the columns of
        every ``theta``.

    Raises
    ------
    ValueError
        If there is no parameter, or two have the same name.

    Notes
    -----
    The *unit cube* is the image of the prior under its cumulative distribution
    functions: the prior is uniform there. The *unconstrained space* is the logit of the
    unit cube. All arrays of parameters have the shape ``(..., n_params)`` and the
    units of the parameters.
    """

    parameters: tuple

    def __post_init__(self):
        single = isinstance(self.parameters, Parameter)
        parameters = (self.parameters,) if single else tuple(self.parameters)
        for parameter in parameters:
            if not isinstance(parameter, Parameter):
                raise TypeError(
                    f"A prior is made of Parameter objects, got {parameter!r}. Write "
                    "Prior([Parameter(name, low, high, default, unit)])."
                )
        names = [parameter.name for parameter in parameters]
        if not names:
            raise ValueError(
                "A prior needs at least one parameter: there is nothing to infer."
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Parameters appear twice in the prior: {twice}.")
        object.__setattr__(self, "parameters", parameters)

    @property
    def names(self):
        """Names of the parameters, a tuple of str."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def units(self):
        """Units of the parameters, a tuple of str."""
        return tuple(parameter.unit for parameter in self.parameters)

    @property
    def low(self):
        """Lower ends of the ranges, array of shape (n_params,)."""
        return np.array([parameter.low for parameter in self.parameters])

    @property
    def high(self):
        """Upper ends of the ranges, array of shape (n_params,)."""
        return np.array([parameter.high for parameter in self.parameters])

    @property
    def default(self):
        """Default values, array of shape (n_params,)."""
        return np.array([parameter.default for parameter in self.parameters])

    @property
    def n_params(self):
        """Number of parameters."""
        return len(self.parameters)

    @property
    def _is_log(self):
        return np.array([parameter.scale == "log" for parameter in self.parameters])

    def __len__(self):
        return self.n_params

    def __sklearn_clone__(self):
        # Immutable: a clone could only be equal to it.
        return self

    def sample(self, n, random_state=None):
        """Draw from the prior.

        Parameters
        ----------
        n : int
            Number of draws.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            For the same integer, a longer sample begins with the shorter one.

        Returns
        -------
        theta : ndarray, shape (n, n_params)
            The draws.
        """
        is_integer = isinstance(n, (int, np.integer)) and not isinstance(n, bool)
        if not is_integer or n < 0:
            raise ValueError(f"n must be a number of draws, 0 or more, got {n!r}.")
        n_bytes = 8.0 * n * self.n_params
        check_memory("The draws", n_bytes, f"Reduce their number, {n}.")
        unit = check_rng(random_state).random((n, self.n_params))
        return self.from_unit(unit)

    def log_prob(self, theta):
        """Evaluate the logarithm of the prior's density.

        Parameters
        ----------
        theta : array_like, shape (..., n_params)
            Parameters.

        Returns
        -------
        log_prob : ndarray, shape (...)
            Natural logarithm of the density; minus infinity outside the prior.
        """
        theta = self._check(theta)
        inside = ((theta >= self.low) & (theta <= self.high)).all(axis=-1)
        # Density 1 / (high - low), or 1 / (theta log(high / low)) on a log scale.
        safe = np.clip(theta, self.low, self.high)
        ratio, width = self._log_ratio(), self.high - self.low
        density = np.where(self._is_log, safe * ratio, width)
        return np.where(inside, -np.log(density).sum(axis=-1), -np.inf)

    def to_unit(self, theta):
        """Map parameters to the unit cube.

        Parameters
        ----------
        theta : array_like, shape (..., n_params)
            Parameters inside the prior.

        Returns
        -------
        unit : ndarray, shape (..., n_params)
            The cumulative probabilities, strictly between 0 and 1.

        Raises
        ------
        ValueError
            If a parameter lies outside its range.
        """
        theta = self._check(theta)
        slack = _ROUNDING * (self.high - self.low)
        outside = (theta < self.low - slack) | (theta > self.high + slack)
        if outside.any():
            column = int(np.argwhere(outside)[0][-1])
            worst = self.parameters[column]
            value = theta[outside[..., column], column][0]
            units = explain_units(worst, theta[..., column])
            raise ValueError(
                f"{worst.name} must lie between {worst.low:g} and {worst.high:g} "
                f"{worst.unit}".rstrip()
                + f", got {value:g}"
                + (
                    f", {units}"
                    if units
                    else ". Widen the prior's range or leave such values out."
                )
            )
        # A linear column can hold zero or less, whose logarithm nobody asks for.
        safe = np.clip(theta, self.low, self.high)
        low, logarithm = self.low, self._is_log
        unit = (safe - low) / (self.high - low)
        relative = safe[..., logarithm] / low[logarithm]
        unit[..., logarithm] = np.log(relative) / self._log_ratio()[logarithm]
        return np.clip(unit, _EDGE, 1 - _EDGE)

    def from_unit(self, unit):
        """Map points of the unit cube to parameters.

        Parameters
        ----------
        unit : array_like, shape (..., n_params)
            Cumulative probabilities from 0 to 1.

        Returns
        -------
        theta : ndarray, shape (..., n_params)
            The parameters.

        Raises
        ------
        ValueError
            If a value lies outside the unit interval.
        """
        unit = self._check(unit, "unit")
        if ((unit < 0) | (unit > 1)).any():
            raise ValueError(
                "Points of the unit cube must lie between 0 and 1, got values from "
                f"{unit.min():g} to {unit.max():g}. For parameters, use to_unit()."
            )
        # Rounding must not carry a value over the end of its range.
        return np.clip(self.from_unit_traced(unit), self.low, self.high)

    def from_unit_traced(self, unit):
        """Map points of the unit cube to parameters, inside a traced function.

        The same as :meth:`from_unit` by arithmetic only: it accepts JAX tracers, can
        be differentiated, and checks nothing.

        Parameters
        ----------
        unit : array, shape (..., n_params)
            Cumulative probabilities, of NumPy or of JAX.

        Returns
        -------
        theta : array, shape (..., n_params)
            The parameters, of the same kind of array.
        """
        low, logarithm = self.low, self._is_log
        width = np.where(logarithm, 0.0, self.high - low)
        # The factor is exp(0) = 1 for linear columns, the summand 0 for the others.
        return low * np.exp(self._log_ratio()) ** unit + width * unit

    def to_unconstrained(self, theta):
        """Map parameters to the unconstrained space.

        Parameters
        ----------
        theta : array_like, shape (..., n_params)
            Parameters inside the prior.

        Returns
        -------
        z : ndarray, shape (..., n_params)
            Logit of the cumulative probabilities.
        """
        unit = self.to_unit(theta)
        return np.log(unit) - np.log1p(-unit)

    def from_unconstrained(self, z):
        """Map points of the unconstrained space to parameters.

        Parameters
        ----------
        z : array_like, shape (..., n_params)
            Logits.

        Returns
        -------
        theta : ndarray, shape (..., n_params)
            The parameters.
        """
        z = self._check(z, "z")
        # The logistic function, in the form that does not overflow.
        return self.from_unit(0.5 * (1 + np.tanh(0.5 * z)))

    def as_dict(self, theta):
        """Split parameters by name.

        Parameters
        ----------
        theta : array_like, shape (..., n_params)
            Parameters.

        Returns
        -------
        params : dict of ndarray, shape (...)
            One array per parameter.
        """
        theta = self._check(theta)
        return {name: theta[..., column] for column, name in enumerate(self.names)}

    def to_dict(self):
        """Describe the prior by plain values, as JSON has them."""
        return {"parameters": [dataclasses.asdict(p) for p in self.parameters]}

    @classmethod
    def from_dict(cls, description):
        """Make the prior that :meth:`to_dict` described."""
        return cls([Parameter(**fields) for fields in description["parameters"]])

    @classmethod
    def from_samples(cls, theta, names=None):
        """Make the box that holds the given parameters.

        Parameters
        ----------
        theta : array_like or DataFrame, shape (n, n_params)
            Parameters, a row per sample.
        names : sequence of str | None
            Names of the columns; by default those of the data frame, or ``theta_0``,
            ``theta_1`` and so on.

        Returns
        -------
        prior : Prior
            Linear ranges that hold the samples with a margin of 10 %.

        Raises
        ------
        ValueError
            If the samples are not a finite matrix or the names do not fit.
        """
        return cls(enclosing_parameters(theta, names))

    def _check(self, theta, name="theta"):
        """Check that the last axis holds the parameters."""
        theta = check_array(name, order_by_name(name, theta, self.names))
        if theta.ndim == 0 or theta.shape[-1] != self.n_params:
            raise ValueError(
                f"{name} must have shape (..., {self.n_params}), one column for each "
                f"of {', '.join(self.names)}, got {theta.shape}."
            )
        return theta

    def _log_ratio(self):
        """Return log(high / low) of logarithmic columns and 0 of the others."""
        pairs = [(p.high / p.low if p.scale == "log" else 1) for p in self.parameters]
        return np.log(pairs)

    def __repr__(self):
        plural = "" if self.n_params == 1 else "s"
        title = f"<Prior | {self.n_params} parameter{plural}>"
        return "\n".join([title, *text_table(self.parameters)])

    def _repr_html_(self):
        return html_table(self.parameters)


def make_prior(parameters, free=None, overrides=None):
    """Choose which of a model's parameters are inferred, and over what ranges.

    Parameters
    ----------
    parameters : sequence of Parameter
        The parameters of a forward model.
    free : sequence of str | None
        Names of the parameters that are inferred when nothing else is said; ``None``
        stands for all.
    overrides : dict | Prior | None
        What the caller wants otherwise, by name: ``(low, high)`` infers the parameter
        over that range, a number fixes it, ``"free"`` infers it over the model's
        range, and a :class:`Parameter` says everything. A :class:`Prior` is taken as it
        is, and the parameters that it lacks are fixed at their defaults.

    Returns
    -------
    prior : Prior
        The inferred parameters, in the model's order.
    fixed : dict of float
        The values of the others.

    Raises
    ------
    ValueError
        If a name is unknown, a range is empty, or nothing is left to infer.
    """
    known = {parameter.name: parameter for parameter in parameters}
    if isinstance(overrides, Prior):
        check_known(overrides.names, known)
        for parameter in overrides.parameters:
            check_same_unit(known[parameter.name], parameter)
        fixed = {n: p.default for n, p in known.items() if n not in overrides.names}
        return overrides, fixed
    overrides = {} if overrides is None else overrides
    if not isinstance(overrides, dict):
        raise TypeError(
            "A prior must be a Prior, a dict such as "
            + next(f"{{{p.name!r}: ({p.low:g}, {p.high:g})}}" for p in known.values())
            + f", or None, got {type(overrides).__name__}."
        )
    free = set(known if free is None else free)
    check_known([*free, *overrides], known)
    inferred, fixed = [], {}
    for name, parameter in known.items():
        wish = overrides.get(name, "free" if name in free else parameter.default)
        chosen = override_parameter(parameter, wish)
        if isinstance(chosen, Parameter):
            inferred.append(chosen)
        else:
            fixed[name] = chosen
    if not inferred:
        raise ValueError(
            f"All parameters are fixed ({', '.join(fixed)}): leave at least one free."
        )
    return Prior(inferred), fixed
