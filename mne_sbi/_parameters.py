"""Named parameters of forward models, and what a caller may wish of them."""

import dataclasses
import html
import numbers

import numpy as np

from ._checks import check_array, check_option, did_you_mean


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a forward model, with its range and unit.

    Parameters
    ----------
    name : str
        Name of the parameter, as in the model's equations.
    low, high : float
        Ends of the range that the prior covers, in ``unit``.
    default : float
        Value of the parameter where it is not inferred, in ``unit``.
    unit : str
        SI unit; an empty string for a pure number.
    scale : "linear" | "log"
        Whether the prior is uniform in the parameter or in its logarithm.
    doc : str
        What the parameter is, in one line.

    Raises
    ------
    ValueError
        If the range is empty or not finite, the default lies outside, or a parameter
        with a logarithmic scale is not positive.
    """

    name: str
    low: float
    high: float
    default: float
    unit: str = ""
    scale: str = "linear"
    doc: str = ""

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(
                f"A parameter's name must be a non-empty string, got {self.name!r}."
            )
        check_option("scale", self.scale, ("linear", "log"))
        for field in ("low", "high", "default"):
            value = getattr(self, field)
            if not isinstance(value, numbers.Real):
                raise TypeError(f"'{field}' of {self.name} must be a number: {value!r}")
            if not np.isfinite(value):
                raise ValueError(f"'{field}' of {self.name} must be finite: {value}")
            # Plain floats, so that records compare, print and turn into JSON alike.
            object.__setattr__(self, field, float(value))
        if not self.low < self.high:
            raise ValueError(
                f"{self.name} needs low < high, got low={self.low:g} and "
                f"high={self.high:g}. To fix a parameter, give one number instead of "
                "a range."
            )
        if not self.low <= self.default <= self.high:
            raise ValueError(
                f"The default of {self.name}, {self.default:g}, must lie between "
                f"low={self.low:g} and high={self.high:g}."
            )
        if self.scale == "log" and self.low <= 0:
            raise ValueError(
                f"{self.name} has a logarithmic scale, so low must be positive, got "
                f"{self.low:g}. Use scale='linear' for a range that includes zero."
            )


def check_known(names, known):
    """Raise an error for the first name that no parameter has.

    Parameters
    ----------
    names : iterable of str
        What was asked for.
    known : iterable of str
        The names of the parameters.
    """
    for name in names:
        if name not in known:
            raise ValueError(
                f"Unknown parameter {name!r}. The model has: {', '.join(known)}."
                + did_you_mean(name, known)
            )


def _check_unit(parameter, wish):
    """Refuse numbers that are so large that they can only be of another unit."""
    values = wish if isinstance(wish, tuple | list | np.ndarray) else [wish]
    numeric = [v for v in values if isinstance(v, numbers.Real)]
    # Milliseconds and millimetres are a thousand times as many.
    if not numeric or not np.isfinite(numeric).all() or parameter.high <= 0:
        return
    if min(numeric) < 100 * parameter.high:
        return
    unit = f" {parameter.unit}".rstrip()
    raise ValueError(
        f"{parameter.name} is in{unit or ' no unit'} and lies between "
        f"{parameter.low:g} and {parameter.high:g}{unit}; {wish!r} can only be of "
        "another unit. For such values, give a Parameter."
    )


def override_parameter(parameter, wish):
    """Apply a caller's wish to one parameter.

    Parameters
    ----------
    parameter : Parameter
        The parameter as the model describes it.
    wish : tuple of float | float | "free" | Parameter
        A range over which to infer it, a number to fix it at, its own range, or all
        about it.

    Returns
    -------
    chosen : Parameter | float
        The parameter to infer, or its fixed value.

    Raises
    ------
    ValueError
        If the wish is none of these.
    """
    name = parameter.name
    _check_unit(parameter, wish)
    if isinstance(wish, Parameter):
        if wish.name != name:
            raise ValueError(
                f"The prior of {name} was given as a parameter named {wish.name}."
            )
        return wish
    if isinstance(wish, str):
        check_option(f"prior of {name}", wish, ("free",))
        return parameter
    if isinstance(wish, numbers.Real) and not isinstance(wish, bool):
        if not np.isfinite(wish):
            raise ValueError(f"{name} cannot be fixed at {wish}.")
        return float(wish)
    is_pair = isinstance(wish, tuple | list | np.ndarray) and len(wish) == 2
    if not is_pair:
        raise ValueError(
            f"The prior of {name} must be (low, high), a number that fixes it, or "
            f"'free', got {wish!r}."
        )
    low, high = wish
    ordered = isinstance(low, numbers.Real) and isinstance(high, numbers.Real)
    # Out of order, the record itself refuses the range; clip() would hide it.
    default = min(max(parameter.default, low), high) if ordered else parameter.default
    return dataclasses.replace(parameter, low=low, high=high, default=default)


def enclosing_parameters(theta, names=None):
    """Make parameters whose ranges hold the given samples.

    The ranges reach 10 % of the samples' range beyond the samples on both sides, but
    not below zero where all samples are positive. A column with one value gets a range
    of 10 % of that value, or 0.1, on both sides.

    Parameters
    ----------
    theta : array_like or DataFrame, shape (n, n_params)
        Samples, a row each.
    names : sequence of str | None
        Names of the columns; by default those of the data frame, or ``theta_0``,
        ``theta_1`` and so on.

    Returns
    -------
    parameters : list of Parameter
        One per column, on a linear scale, with the samples' mean as default.

    Raises
    ------
    ValueError
        If the samples are not a finite matrix or the names do not fit.
    """
    if names is None:
        names = getattr(theta, "columns", None)
    theta = check_array("theta", theta, shape=(None, None))
    if len(theta) == 0:
        raise ValueError("theta must hold at least one row of parameters.")
    n_params = theta.shape[1]
    if names is None:
        names = [f"theta_{column}" for column in range(n_params)]
    names = [str(name) for name in names]
    if len(names) != n_params:
        raise ValueError(
            f"theta has {n_params} columns, but {len(names)} names were given: {names}."
        )
    least, most = theta.min(axis=0), theta.max(axis=0)
    margin = 0.1 * (most - least)
    # Equal values can differ in their last bits.
    constant = margin <= 1e-12 * np.abs(most)
    margin[constant] = np.where(most == 0, 0.1, 0.1 * np.abs(most))[constant]
    low = np.where(least > 0, np.maximum(least - margin, 0), least - margin)
    middle = np.clip(theta.mean(axis=0), least, most)
    columns = zip(names, low, most + margin, middle, strict=True)
    return [Parameter(*column) for column in columns]


def _table_rows(parameters):
    """Return what the two tables print, the head first."""
    head = ("name", "low", "high", "default", "unit", "scale")
    body = [
        (p.name, f"{p.low:g}", f"{p.high:g}", f"{p.default:g}", p.unit, p.scale)
        for p in parameters
    ]
    return [head, *body]


def text_table(parameters):
    """Return the lines of a table of parameters.

    Parameters
    ----------
    parameters : sequence of Parameter
        The parameters.

    Returns
    -------
    lines : list of str
        The lines, indented by two blanks.
    """
    rows = _table_rows(parameters)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        line = "  ".join(cell.ljust(width) for cell, width in cells)
        lines.append("  " + line.rstrip())
    return lines


def html_table(parameters):
    """Return a table of parameters for notebooks.

    Parameters
    ----------
    parameters : sequence of Parameter
        The parameters.

    Returns
    -------
    table : str
        An HTML table.
    """
    lines = []
    for number, row in enumerate(_table_rows(parameters)):
        tag = "td" if number else "th"
        cells = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return "<table>" + "".join(lines) + "</table>"
