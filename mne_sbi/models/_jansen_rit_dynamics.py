"""Fixed points of one Jansen-Rit node, their stability, and the spectrum around them.

Everything is in SI units and needs no simulation. Sources: the equilibria and their
bifurcations in Grimbert & Faugeras (2006), Neural Computation 18, 3052-3068; the
linearised spectrum in Moran et al. (2007), NeuroImage 37, 706-720.
"""

import numpy as np

# Points of the grid on which fixed points are bracketed: evenly over the potential, and
# evenly over the firing rate. What rises steeply rises in one of the two.
_N_POTENTIAL, _N_RATE = 384, 640
# Halvings after which a bracket is as narrow as float64 can tell.
_N_HALVINGS = 60
# Draws whose grids are in memory at once.
_CHUNK = 1024
# Least number of columns: the standard parameters have at most three fixed points.
_N_COLUMNS = 3

REGIMES = ("noise-driven", "limit cycle", "excitable", "bistable")


def fixed_points(params):
    """Find all fixed points of the noise-free node.

    Parameters
    ----------
    params : dict of array, shape (n,)
        Values of ``A``, ``B`` (V), ``a``, ``b``, ``mu``, ``v_max`` (1/s), ``C``, ``c1``
        to ``c4``, ``v0`` (V) and ``r`` (1/V).

    Returns
    -------
    potential : ndarray, shape (n, n_columns)
        The potential ``z = y1 - y2`` of each fixed point in V, ascending, then NaN.
        There are three columns, or more where a draw has more fixed points.
    n_points : ndarray of int, shape (n,)
        Number of fixed points.

    Notes
    -----
    At rest ``y0 = A/a S(z)``, so that all fixed points are the roots of one function::

        F(z) = z - A/a (mu + C2 S(C1 y0)) + B/b C4 S(C3 y0)

    which is negative at its lower and positive at its upper bound. Its sign changes on
    a grid, and the extrema between grid points, bracket the roots; bisection does the
    rest. So a pair of roots that lie between two grid points is found as well.
    """
    p = _coefficients(params)
    n = len(p["v0"])
    owner, root = [], []
    for start in range(0, n, _CHUNK):
        part = {name: value[start : start + _CHUNK] for name, value in p.items()}
        rows, left, right = _brackets(part)
        root.append(
            _bisect(_balance, {k: v[rows] for k, v in part.items()}, left, right)
        )
        owner.append(rows + start)
    owner = np.concatenate(owner) if owner else np.zeros(0, int)
    root = np.concatenate(root) if root else np.zeros(0)
    n_points = np.bincount(owner, minlength=n)
    order = np.lexsort((root, owner))
    owner, root = owner[order], root[order]
    column = np.arange(len(owner)) - np.searchsorted(owner, owner)
    potential = np.full((n, max(_N_COLUMNS, n_points.max(initial=0))), np.nan)
    potential[owner, column] = root
    return potential, n_points


def states(params, potential):
    """Complete fixed points to all six state variables.

    Parameters
    ----------
    params : dict of array, shape (n,)
        As in :func:`fixed_points`.
    potential : array, shape (n, n_columns)
        Potentials of fixed points in V.

    Returns
    -------
    state : ndarray, shape (n, n_columns, 6)
        ``y0``, ``y1``, ``y2`` in V and their derivatives in V/s, which are zero.
    """
    p = {name: value[:, np.newaxis] for name, value in _coefficients(params).items()}
    y0 = p["ge"] * _rate(p, potential)
    y1 = p["ge"] * (p["mu"] + p["C2"] * _rate(p, p["C1"] * y0))
    y2 = p["gi"] * p["C4"] * _rate(p, p["C3"] * y0)
    zero = np.zeros_like(y0)
    return np.stack([y0, y1, y2, zero, zero, zero], axis=-1)


def velocity(params, state):
    """Evaluate the right-hand side of the noise-free equations.

    Parameters
    ----------
    params : dict of array, shape (n,)
        As in :func:`fixed_points`.
    state : array, shape (n, 6)
        ``y0`` to ``y5``.

    Returns
    -------
    velocity : ndarray, shape (n, 6)
        Time derivatives of the state.

    Notes
    -----
    With ``S(v) = v_max / (1 + exp(r (v0 - v)))`` and ``C1 = c1 C`` and so on::

        y0'' = A a S(y1 - y2)            - 2a y0' - a^2 y0
        y1'' = A a (mu + C2 S(C1 y0))    - 2a y1' - a^2 y1   (+ A a sigma dW)
        y2'' = B b C4 S(C3 y0)           - 2b y2' - b^2 y2
    """
    p = _coefficients(params)
    a, b = p["a"], p["b"]
    y0, y1, y2, y3, y4, y5 = np.moveaxis(np.asarray(state, dtype=float), -1, 0)
    # ge = A / a, so that A a = ge a^2.
    y0_pull = p["ge"] * _rate(p, y1 - y2) - y0
    y1_pull = p["ge"] * (p["mu"] + p["C2"] * _rate(p, p["C1"] * y0)) - y1
    y2_pull = p["gi"] * p["C4"] * _rate(p, p["C3"] * y0) - y2
    return np.stack(
        [
            y3,
            y4,
            y5,
            a**2 * y0_pull - 2 * a * y3,
            a**2 * y1_pull - 2 * a * y4,
            b**2 * y2_pull - 2 * b * y5,
        ],
        axis=-1,
    )


def jacobian(params, potential):
    """Linearise the equations around fixed points.

    Parameters
    ----------
    params : dict of array, shape (n,)
        As in :func:`fixed_points`.
    potential : array, shape (n, n_columns)
        Potentials of fixed points in V.

    Returns
    -------
    jacobian : ndarray, shape (n, n_columns, 6, 6)
        Derivatives of :func:`velocity` with respect to the state.
    """
    p = {name: value[:, np.newaxis] for name, value in _coefficients(params).items()}
    to_pyramidal, excitation, inhibition = _slopes(p, np.asarray(potential))
    matrix = np.zeros((*np.shape(potential), 6, 6))
    matrix[..., 0, 3] = matrix[..., 1, 4] = matrix[..., 2, 5] = 1
    a, b = p["a"], p["b"]
    for row, rate in ((3, a), (4, a), (5, b)):
        matrix[..., row, row - 3] = -(rate**2)
        matrix[..., row, row] = -2 * rate
    matrix[..., 3, 1] = a**2 * p["ge"] * to_pyramidal
    matrix[..., 3, 2] = -matrix[..., 3, 1]
    matrix[..., 4, 0] = a**2 * p["ge"] * excitation
    matrix[..., 5, 0] = b**2 * p["gi"] * inhibition
    return matrix


def leading_eigenvalues(params, potential):
    """Find the least damped mode around each fixed point.

    Parameters
    ----------
    params : dict of array, shape (n,)
        As in :func:`fixed_points`.
    potential : array, shape (n, n_columns)
        Potentials of fixed points in V; NaN where there is none.

    Returns
    -------
    eigenvalue : ndarray of complex, shape (n, n_columns)
        The eigenvalue of the Jacobian with the largest real part, in 1/s, its imaginary
        part not negative; NaN where there is no fixed point. A fixed point is stable
        where the real part is negative.
    """
    potential = np.asarray(potential, dtype=float)
    is_point = np.isfinite(potential)
    matrix = jacobian(params, np.where(is_point, potential, 0.0))[is_point]
    leading = np.full(potential.shape, np.nan, complex)
    if len(matrix):
        # Ordered by the real part; of a conjugate pair, either will do.
        every = np.linalg.eigvals(matrix)
        index = np.argmax(every.real, axis=1)
        chosen = every[np.arange(len(every)), index]
        leading[is_point] = chosen.real + 1j * np.abs(chosen.imag)
    return leading


def classify(params):
    """Say in which regime the noise-free node is.

    Parameters
    ----------
    params : dict of array, shape (n,)
        As in :func:`fixed_points`.

    Returns
    -------
    regimes : dict of ndarray, shape (n,)
        ``regime``: ``"noise-driven"`` (one fixed point, which is stable: the rhythm is
        filtered noise), ``"limit cycle"`` (no stable fixed point: it oscillates without
        noise), ``"excitable"`` (one of several fixed points is stable) or
        ``"bistable"`` (more than one is stable).
        ``n_fixed_points`` and ``n_stable``: how many there are.
        ``growth_rate``: in 1/s, of the most stable fixed point; negative where one is
        stable. ``resonance``: frequency in Hz at which that fixed point rings, 0 where
        it does not.

    Notes
    -----
    Limit cycles that exist beside a stable fixed point cannot be told from fixed points
    alone: a noise-driven or excitable node may have one.
    """
    potential, n_points = fixed_points(params)
    leading = leading_eigenvalues(params, potential)
    growth = np.where(np.isfinite(potential), leading.real, np.inf)
    n_stable = (growth < 0).sum(axis=1)
    regime = np.select(
        [n_stable == 0, n_stable > 1, n_points == 1],
        ["limit cycle", "bistable", "noise-driven"],
        "excitable",
    )
    best = np.argmin(growth, axis=1)[:, np.newaxis]
    chosen = np.take_along_axis(leading, best, axis=1)[:, 0]
    return {
        "regime": regime,
        "n_fixed_points": n_points,
        "n_stable": n_stable,
        "growth_rate": chosen.real,
        "resonance": chosen.imag / (2 * np.pi),
    }


def analytic_spectrum(params, freqs):
    """Compute the spectrum of small fluctuations around the only fixed point.

    Parameters
    ----------
    params : dict of array, shape (n,)
        As in :func:`fixed_points`, and ``sigma`` in 1/sqrt(s).
    freqs : array, shape (n_freqs,)
        Frequencies in Hz.

    Returns
    -------
    power : ndarray, shape (n, n_freqs)
        One-sided power spectral density of ``z`` in V^2/Hz; NaN where ``valid`` is
        false.
    valid : ndarray of bool, shape (n,)
        Whether there is exactly one fixed point and it is stable. Elsewhere the
        equations have no single linearisation.

    Notes
    -----
    The response of ``z`` to the input rate is ``H = Ha / (1 - Ha g0 (Ha g1 - Hb g2))``
    with ``Ha = A a / (s + a)^2``, ``Hb = B b / (s + b)^2`` and the slopes ``g`` of the
    three loops; the power is ``2 sigma^2 |H(2 pi i f)|^2``. It holds while fluctuations
    are small against the width of the sigmoid.
    """
    freqs = np.asarray(freqs, dtype=float)
    potential, n_points = fixed_points(params)
    leading = leading_eigenvalues(params, potential)
    valid = (n_points == 1) & (leading[:, 0].real < 0)
    p = {name: value[:, np.newaxis] for name, value in _coefficients(params).items()}
    to_pyramidal, excitation, inhibition = _slopes(p, potential[:, :1])
    s = 2j * np.pi * freqs
    excite = p["ge"] * np.square(p["a"] / (s + p["a"]))
    inhibit = p["gi"] * np.square(p["b"] / (s + p["b"]))
    loop = excite * to_pyramidal * (excite * excitation - inhibit * inhibition)
    sigma = np.asarray(params["sigma"], dtype=float)[:, np.newaxis]
    power = 2 * np.square(sigma * np.abs(excite / (1 - loop)))
    return np.where(valid[:, np.newaxis], power, np.nan), valid


def fluctuation_gain(params):
    """Compare linear fluctuations with the width of the sigmoid.

    Parameters
    ----------
    params : dict of array, shape (n,)
        As in :func:`analytic_spectrum`.

    Returns
    -------
    ratio : ndarray, shape (n,)
        ``r`` times the standard deviation of ``z`` in the linear approximation; NaN
        where that is not valid. Below 0.2 the spectrum was within 0.5 dB rms of
        simulations (1 to 40 Hz) for all of 358 draws from the model's ranges.
    """
    freqs = np.linspace(0.0, 200.0, 2001)
    power, _ = analytic_spectrum(params, freqs)
    variance = np.trapezoid(power, freqs, axis=1)
    return np.sqrt(variance) * np.asarray(params["r"], dtype=float)


def _coefficients(params):
    """Return gains of the synapses in V s, connectivities, the sigmoid's constants."""
    p = {
        name: np.atleast_1d(np.asarray(params[name], dtype=float))
        for name in ("a", "b", "mu", "v_max", "v0", "r")
    }
    p["ge"] = np.asarray(params["A"], dtype=float) / p["a"]
    p["gi"] = np.asarray(params["B"], dtype=float) / p["b"]
    for number in "1234":
        p[f"C{number}"] = np.asarray(params[f"c{number}"]) * np.asarray(params["C"])
    shape = np.broadcast_shapes(*(np.shape(value) for value in p.values()))
    return {name: np.broadcast_to(value, shape) for name, value in p.items()}


def _rate(p, potential):
    """Return the firing rate in 1/s of a population at a potential in V."""
    # The logistic function in the form that does not overflow.
    return 0.5 * p["v_max"] * (1 + np.tanh(0.5 * p["r"] * (potential - p["v0"])))


def _rate_slope(p, potential):
    """Return the derivative of the firing rate in 1/(s V)."""
    bend = np.tanh(0.5 * p["r"] * (potential - p["v0"]))
    return 0.25 * p["r"] * p["v_max"] * (1 - np.square(bend))


def _slopes(p, potential):
    """Return slopes of the pyramidal, the exciting and the inhibiting rate."""
    y0 = p["ge"] * _rate(p, potential)
    excitation = p["C1"] * p["C2"] * _rate_slope(p, p["C1"] * y0)
    inhibition = p["C3"] * p["C4"] * _rate_slope(p, p["C3"] * y0)
    return _rate_slope(p, potential), excitation, inhibition


def _balance(p, potential):
    """Evaluate F of :func:`fixed_points`, which is zero there."""
    y0 = p["ge"] * _rate(p, potential)
    excitation = p["ge"] * (p["mu"] + p["C2"] * _rate(p, p["C1"] * y0))
    return potential - excitation + p["gi"] * p["C4"] * _rate(p, p["C3"] * y0)


def _balance_slope(p, potential):
    """Evaluate the derivative of F."""
    to_pyramidal, excitation, inhibition = _slopes(p, potential)
    return 1 - p["ge"] * to_pyramidal * (p["ge"] * excitation - p["gi"] * inhibition)


def _brackets(p):
    """Bracket all fixed points.

    Returns
    -------
    rows : ndarray of int, shape (n_brackets,)
        The draw that each belongs to.
    left, right : ndarray, shape (n_brackets,)
        Potentials between which F changes its sign.
    """
    p = {name: value[:, np.newaxis] for name, value in p.items()}
    low = p["ge"] * p["mu"] - p["gi"] * p["C4"] * p["v_max"]
    high = p["ge"] * (p["mu"] + p["C2"] * p["v_max"])
    even = low + (high - low) * np.linspace(0, 1, _N_POTENTIAL)
    share = np.linspace(0, 1, _N_RATE + 2)[1:-1]
    by_rate = p["v0"] + np.log(share / (1 - share)) / p["r"]
    grid = np.sort(np.concatenate([even, np.clip(by_rate, low, high)], axis=1), axis=1)
    above, rising = _balance(p, grid) > 0, _balance_slope(p, grid) > 0
    # At the bounds the sign is known; rounding must not hide a root there.
    above[:, 0], above[:, -1] = False, True
    crosses = above[:, 1:] != above[:, :-1]
    rows, cells = np.nonzero(crosses)
    left, right = grid[rows, cells], grid[rows, cells + 1]
    # A cell that F enters and leaves on one side may hold two roots about an extremum.
    rows_2, cells_2 = np.nonzero(~crosses & (rising[:, 1:] != rising[:, :-1]))
    part = {name: value[rows_2, 0] for name, value in p.items()}
    ends = grid[rows_2, cells_2], grid[rows_2, cells_2 + 1]
    extremum = _bisect(_balance_slope, part, *ends)
    through = (_balance(part, extremum) > 0) != above[rows_2, cells_2]
    rows_2, extremum = rows_2[through], extremum[through]
    return (
        np.concatenate([rows, rows_2, rows_2]),
        np.concatenate([left, ends[0][through], extremum]),
        np.concatenate([right, extremum, ends[1][through]]),
    )


def _bisect(function, p, left, right):
    """Halve brackets, each of its own draw, until they are as narrow as they can be."""
    left, right = left.copy(), right.copy()
    sign = function(p, right) > 0
    for _ in range(_N_HALVINGS):
        middle = 0.5 * (left + right)
        is_right = (function(p, middle) > 0) == sign
        right = np.where(is_right, middle, right)
        left = np.where(is_right, left, middle)
    return 0.5 * (left + right)
