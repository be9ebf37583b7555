"""Rescalings of parameters that no recording can tell apart.

Of a model that says in :meth:`ForwardModel.get_symmetries` by which rescalings its data
do not change, these functions find those that remain when some parameters are known,
and say them in words.
"""

from fractions import Fraction
from math import gcd, lcm

from ._checks import listing

# Exponents are small fractions; what floats add beyond is rounding.
_MAX_DENOMINATOR = 1000


def find_symmetries(generators, free, *, fixed=None):
    """Find the rescalings of free parameters alone that leave the data as they are.

    Parameters
    ----------
    generators : iterable of dict of float
        Exact symmetries of a model: for each, the exponents ``e`` of the parameters
        that go from ``p`` to ``p * k**e``.
    free : sequence of str
        The parameters that are inferred. All others are known.
    fixed : dict of float | None
        Values of known parameters. A parameter that is known to be zero stays zero
        under any rescaling, and so does not stand in the way of one.

    Returns
    -------
    symmetries : list of dict of float
        Independent symmetries of the free parameters, in their order, with the
        smallest exponents that are integers; empty if there is none.

    Notes
    -----
    Rescalings can be composed, so that they form a vector space of exponents. What is
    sought is its part in which all known parameters have the exponent zero.
    """
    free = list(free)
    rows = [_to_fractions(generator) for generator in generators]
    zero = {name for name, value in (fixed or {}).items() if value == 0}
    known = [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if name not in free and name not in zero
    ]
    # With the known parameters in front, elimination leaves at the bottom the rows in
    # which they do not appear.
    matrix = [[row.get(name, Fraction(0)) for name in known + free] for row in rows]
    matrix = _eliminate(matrix)
    kept = [row[len(known) :] for row in matrix if not any(row[: len(known)])]
    kept = _make_sparse([row for row in kept if any(row)])
    return [
        {name: float(e) for name, e in zip(free, _to_integers(row), strict=True) if e}
        for row in kept
    ]


def describe_symmetry(symmetry):
    """Say a symmetry in words.

    Parameters
    ----------
    symmetry : dict of float
        The exponent of each parameter.

    Returns
    -------
    words : str
        One sentence without a full stop, such as "A, C and mu can be rescaled together
        without changing the signal: multiply A by k and divide C and mu by k, for any
        k > 0".
    """
    names = list(symmetry)
    if len(names) == 1:
        return f"{names[0]} can have any positive value without changing the signal"
    by_exponent = {}
    for name, exponent in symmetry.items():
        by_exponent.setdefault(exponent, []).append(name)
    steps = [
        f"{'multiply' if exponent > 0 else 'divide'} {_join(group)} by k"
        + ("" if abs(exponent) == 1 else f"^{abs(exponent):g}")
        for exponent, group in sorted(by_exponent.items(), reverse=True)
    ]
    return (
        f"{_join(names)} can be rescaled together without changing the signal: "
        f"{_join(steps)}, for any k > 0"
    )


def _join(names):
    """Join words as in a sentence."""
    if len(names) < 2:
        return "".join(names)
    return f"{listing(names[:-1], most=len(names))} and {names[-1]}"


def _to_fractions(generator):
    """Return exponents as exact fractions, without zeros."""
    exact = {
        name: Fraction(exponent).limit_denominator(_MAX_DENOMINATOR)
        for name, exponent in generator.items()
    }
    return {name: exponent for name, exponent in exact.items() if exponent}


def _eliminate(matrix):
    """Bring a matrix to reduced row echelon form, without rows of zeros."""
    matrix = [list(row) for row in matrix]
    n_columns = len(matrix[0]) if matrix else 0
    done = 0
    for column in range(n_columns):
        pivot = next((i for i in range(done, len(matrix)) if matrix[i][column]), None)
        if pivot is None:
            continue
        matrix[done], matrix[pivot] = matrix[pivot], matrix[done]
        scale = matrix[done][column]
        matrix[done] = [value / scale for value in matrix[done]]
        for i, row in enumerate(matrix):
            if i != done and row[column]:
                matrix[i] = _add(row, matrix[done], -row[column])
        done += 1
    return matrix[:done]


def _make_sparse(rows):
    """Add rows to each other where that leaves fewer parameters in one."""
    improved = True
    while improved:
        improved = False
        for i, row in enumerate(rows):
            for j, other in enumerate(rows):
                for a, b in zip(row, other, strict=True):
                    if i == j or not a or not b:
                        continue
                    candidate = _add(row, other, -a / b)
                    if _count(candidate) < _count(rows[i]):
                        rows[i], improved = candidate, True
    return rows


def _add(row, other, factor):
    return [a + factor * b for a, b in zip(row, other, strict=True)]


def _count(row):
    return sum(1 for value in row if value)


def _to_integers(row):
    """Scale fractions to the smallest integers, the first of them positive."""
    common = lcm(*(value.denominator for value in row))
    integers = [int(value * common) for value in row]
    divisor = gcd(*integers)
    first = next(value for value in integers if value)
    return [value // divisor * (1 if first > 0 else -1) for value in integers]
