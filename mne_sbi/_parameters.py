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


# Factors between the unit of a parameter and those that are taken for it, with the
# prefix that the values then had.
_PREFIXES = {1e3: "m", 1e6: "\N{MICRO SIGN}", 1e-3: "k"}
# So many times the largest value of a range is of another unit.
_FAR = 100
# Relative to the width of a range: values that once went through float32.
_ROUNDING = 1e-6


def order_by_name(name, values, wanted):
    """Put values that have names into the order of parameters.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    values : array_like | DataFrame | Series | dict
        Values whose last axis is the parameters.
    wanted : sequence of str
        Names of the parameters.

    Returns
    -------
    values : array_like
        In the order of ``wanted`` where the values have names, that is strings; as they
        were where they have none.

    Raises
    ------
    ValueError
        If the names are others than those of the parameters.
    """
    if isinstance(values, dict):
        found = list(values)
    elif hasattr(values, "iloc"):
        found = list(values.columns if hasattr(values, "columns") else values.index)
    else:
        return values
    if not found or not all(isinstance(label, str) for label in found):
        return values
    wanted = list(wanted)
    if sorted(found) != sorted(wanted):
        missing = [label for label in wanted if label not in found]
        extra = [label for label in found if label not in wanted]
        raise ValueError(
            f"{name} must have the names {', '.join(wanted)}. Missing: "
            f"{', '.join(missing) or 'none'}; unknown or twice: "
            f"{', '.join(extra) or 'none'}."
            + (did_you_mean(extra[0], wanted) if extra else "")
        )
    if isinstance(values, dict):
        return np.stack([np.asarray(values[label]) for label in wanted], axis=-1)
    return np.asarray(values[wanted])


def explain_units(parameter, values):
    """Describe by what factor values miss a range, if another unit explains it.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    values : ndarray
        Its values.

    Returns
    -------
    text : str
        ``"1000 times as much, as in ms? Divide by 1000."``, or an empty string.
    """
    values = np.ravel(values)
    low, high = parameter.low, parameter.high

    def holds_most(values):
        return np.mean((values >= low) & (values <= high)) >= 0.9

    if not values.size or ((values >= low) & (values <= high)).any():
        return ""
    for factor, prefix in _PREFIXES.items():
        if holds_most(values / factor):
            unit = f", as in {prefix}{parameter.unit}" if parameter.unit else ""
            if factor > 1:
                return f"{factor:.0f} times as much{unit}? Divide by {factor:.0f}."
            return f"{factor:g} times{unit}? Multiply by {1 / factor:.0f}."
    return ""


def check_units(parameters, values, name):
    """Raise an error for values that lie in the range in another unit only.

    Parameters
    ----------
    parameters : sequence of Parameter
        The parameters.
    values : ndarray, shape (..., n_params)
        Their values.
    name : str
        Name of the argument, for the error message.

    Raises
    ------
    ValueError
        If all values of a parameter are off by a factor between units.
    """
    for column, parameter in enumerate(parameters):
        one = np.asarray(values)[..., column]
        text = explain_units(parameter, one)
        if text:
            raise ValueError(f"{_reach(parameter, one, name)}, {text}")


def check_inside(parameter, values, name, hint=""):
    """Raise an error for values outside of a range, with the factor.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    values : ndarray
        Its values.
    name : str
        Name of the argument, for the error message.
    hint : str
        What else may be wrong.

    Raises
    ------
    ValueError
        If a value lies outside, beyond rounding.
    """
    if is_inside(parameter, values):
        return
    text = explain_units(parameter, values)
    if not text:
        largest, smallest = np.max(values), np.min(values)
        above = largest > parameter.high
        end, value = ("high", largest) if above else ("low", smallest)
        limit = getattr(parameter, end)
        times = f"{value / limit:.3g} times {end}={limit:g}" if limit else "beyond it"
        low = min(float(smallest), parameter.low)
        high = max(float(largest), parameter.high)
        text = f"{times}. Widen it, prior={{{parameter.name!r}: ({low:g}, {high:g})}}."
    raise ValueError(f"{_reach(parameter, values, name)}, {text}{hint}")


def is_inside(parameter, values):
    """Return whether all values lie in a parameter's range, but for rounding."""
    slack = _ROUNDING * (parameter.high - parameter.low)
    low, high = parameter.low - slack, parameter.high + slack
    return bool(((values >= low) & (values <= high)).all())


def _reach(parameter, values, name):
    """Describe the range of a parameter and what was given."""
    unit = f" {parameter.unit}".rstrip()
    least, most = f"{np.min(values):.4g}", f"{np.max(values):.4g}"
    given = f"is {least}" if least == most else f"goes from {least} to {most}"
    return (
        f"{parameter.name} lies between {parameter.low:g} and {parameter.high:g}{unit}"
        f", but in {name} it {given}"
    )


def check_not_far(parameter, values, name):
    """Raise an error for numbers so large that they can only be of another unit.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    values : float | sequence of float
        What was given; anything but numbers is left to other checks.
    name : str
        Name of the argument, for the error message.

    Raises
    ------
    ValueError
        If all are more than a hundred times the largest value of the range.
    """
    if isinstance(values, (tuple, list)):
        values = [v for v in values if isinstance(v, numbers.Real)]
    numeric = np.ravel(values) if np.size(values) else np.zeros(1)
    if numeric.dtype.kind not in "fiu" or not np.isfinite(numeric).all():
        return
    # Milliseconds and millimetres are a thousand times as many.
    if parameter.high <= 0 or numeric.min() < _FAR * parameter.high:
        return
    text = explain_units(parameter, numeric) or "which can only be of another unit."
    raise ValueError(f"{_reach(parameter, numeric, name)}, {text}")


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
    if isinstance(wish, Parameter):
        if wish.name != name:
            raise ValueError(
                f"The prior of {name} was given as a parameter named {wish.name}."
            )
        check_same_unit(parameter, wish)
        return wish
    check_not_far(parameter, wish, "the prior")
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


def check_same_unit(parameter, wish):
    """Raise an error for a parameter in another unit than the model's."""
    if wish.unit and parameter.unit and wish.unit != parameter.unit:
        raise ValueError(
            f"The prior has {wish.name} in {wish.unit}, and the model takes it in "
            f"{parameter.unit}. Give low, high and default in {parameter.unit}."
        )
    check_not_far(parameter, (wish.low, wish.high), "the prior")


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
