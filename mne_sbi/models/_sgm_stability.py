"""Stability of the spectral graph model: local populations, and the delayed network."""

from functools import lru_cache

import numpy as np

from .._threads import one_blas_thread
from ._sgm_equations import PHASED, delayed_weights, gamma_response, normalized_weights

# Where the delayed network can ring: the loop gain 1 / (1 + ix (1 + ix)**2) of
# x = omega tau_g exceeds 1 below x = 1.27 and has its peak of 2.9 at x = 0.75.
_RINGING = (0.05, 3.0)
# Points per factor e of the grids in reach and wave number, and number of couplings:
# the distance from instability is then good to 0.03 on the group connectome (measured).
_PER_REACH, _PER_KAPPA, _N_ALPHA = 15, 66, 55


def local_is_stable(params, variant):
    """Say where the local populations are stable.

    Parameters
    ----------
    params : dict of ndarray, shape (n,)
        The model's parameters.
    variant : str
        One of the model's variants.

    Returns
    -------
    stable : ndarray of bool, shape (n,)
        Whether all poles of the local response lie in the left half plane.

    Notes
    -----
    With ``a = 1 / tau_e`` and ``b = 1 / tau_i`` the poles since 2022 are the roots of::

        [s (s+a)^2 (s+b)^2 + a^3 (s+b)^2] [s (s+a)^2 (s+b)^2 + g_ii b^3 (s+a)^2]
        + g_ei^2 a^5 b^5

    Their signs are read off the Routh-Hurwitz table, which is a thousand times
    cheaper than the roots.
    """
    a, b = 1 / params["tau_e"], 1 / params["tau_i"]
    g_ei, g_ii = params["g_ei"], params["g_ii"]
    # In units of sqrt(a b) the coefficients stay near 1.
    a, b = np.sqrt(a / b), np.sqrt(b / a)
    one, zero = np.ones_like(a), np.zeros_like(a)
    square_a, square_b = _square(one, a), _square(one, b)
    s = np.stack([one, zero])
    if variant in PHASED:
        gain = params["alpha"] if variant == "raj2020_local_alpha" else one
        return (
            _all_left(_add(_times(s, square_a), gain * a**3))
            & _all_left(_add(_times(s, square_b), gain * g_ii * b**3))
            & _all_left(_add(_times(square_a, square_b), g_ei * g_ii * a**2 * b**2))
        )
    both = _times(s, _times(square_a, square_b))
    first = _add(both, a**3 * square_b)
    second = _add(both, g_ii * b**3 * square_a)
    return _all_left(_add(_times(first, second), g_ei**2 * a**5 * b**5))


def _square(one, root):
    """Coefficients of (s + root)^2, highest power first, shape (3, n)."""
    return np.stack([one, 2 * root, root**2])


def _times(p, q):
    """Product of polynomials whose coefficients lie along the first axis."""
    out = np.zeros((len(p) + len(q) - 1, *np.broadcast_shapes(p[0].shape, q[0].shape)))
    for i, coefficient in enumerate(p):
        out[i : i + len(q)] += coefficient * q
    return out


def _add(p, q):
    """Sum of a polynomial and a lower one, or a constant per column."""
    q = np.atleast_2d(q)
    out = p.copy()
    out[len(p) - len(q) :] += q
    return out


def _all_left(p):
    """Whether all roots have a negative real part (Routh-Hurwitz), shape (n,)."""
    n_columns = (len(p) + 1) // 2
    rows = np.zeros((2, n_columns, *p[0].shape))
    rows[0, : len(p[0::2])] = p[0::2]
    rows[1, : len(p[1::2])] = p[1::2]
    stable = (rows[0, 0] > 0) & (rows[1, 0] > 0)
    upper, lower = rows
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(len(p) - 2):
            new = np.zeros_like(upper)
            new[:-1] = upper[1:] - upper[0] / lower[0] * lower[1:]
            # NaN after a zero pivot compares as unstable, which it is: a root on or
            # right of the axis.
            stable &= new[0] > 0
            upper, lower = lower, new
    return stable


class NetworkStability:
    """Where the delayed network of the resolvent is stable, and how near to ringing.

    The loop from the network to itself is ``alpha g(omega tau_g) B(omega / speed)``
    with ``g(x) = 1 / (1 + ix (1 + ix)**2)``. With ``kappa = omega / speed`` its
    eigenvalues depend on kappa, and on ``reach = speed * tau_g`` alone: stability is a
    critical ``alpha`` for every reach.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    reach : tuple of float
        Range of ``speed * tau_g`` in m.

    Notes
    -----
    The network is unstable when the curve of ``det(I - alpha g B)`` winds round zero
    (Nyquist's criterion; without coupling the network is stable), or when ``alpha B``
    has an eigenvalue above 1 without any delay, where activity grows without ringing.
    """

    def __init__(self, connectome, reach):
        width = np.log(reach[1] / reach[0])
        n_reach = int(np.ceil(_PER_REACH * width))
        self.reach = np.geomspace(reach[0] * 0.999, reach[1] * 1.001, n_reach)
        low, high = _RINGING
        n_kappa = int(np.ceil(_PER_KAPPA * (width + np.log(high / low))))
        self.kappa = np.geomspace(low / self.reach[-1], high / self.reach[0], n_kappa)
        weights = normalized_weights(connectome.weights)
        largest = np.linalg.eigvals(weights).real.max()
        # Without any loop in the graph, no coupling makes it unstable.
        self.alpha = np.linspace(0, 1 / max(largest, 0.1), _N_ALPHA)
        matrices = delayed_weights(weights, connectome.lengths, self.kappa, np)
        with one_blas_thread():
            self.eigenvalues = np.linalg.eigvals(matrices)
        self.margin = np.empty((n_reach, _N_ALPHA))
        stable = np.empty((n_reach, _N_ALPHA), dtype=bool)
        for i, c in enumerate(self.reach):
            x = self.kappa * c
            inside = (x >= low) & (x <= high)
            loop = loop_gain(x[inside])[:, np.newaxis] * self.eigenvalues[inside]
            for j, a in enumerate(self.alpha):
                factors = 1 - a * loop
                self.margin[i, j] = np.abs(factors[x[inside] > 0.3]).min()
                stable[i, j] = not _winds(factors)
        # Once unstable, more coupling does not help: the first crossing counts. The
        # last value is the limit without delay.
        first = np.where(stable.all(1), _N_ALPHA - 1, stable.argmin(1))
        self.critical_alpha = self.alpha[first]

    def is_stable(self, params):
        """Say for which parameters the network is stable.

        Parameters
        ----------
        params : dict of ndarray, shape (n,)
            The model's parameters ``alpha``, ``speed`` and ``tau_g``.

        Returns
        -------
        stable : ndarray of bool, shape (n,)
            Whether ``alpha`` lies below its critical value. Between two reaches that
            were looked at, the smaller critical value counts.
        """
        position = np.searchsorted(self.reach, params["speed"] * params["tau_g"])
        right = np.clip(position, 1, len(self.reach) - 1)
        critical = np.minimum(
            self.critical_alpha[right - 1], self.critical_alpha[right]
        )
        return params["alpha"] < critical

    def distance(self, params):
        """Return the smallest distance of an eigenvalue of the loop from 1.

        Parameters
        ----------
        params : dict of ndarray, shape (n,)
            The model's parameters ``alpha``, ``speed`` and ``tau_g``.

        Returns
        -------
        distance : ndarray, shape (n,)
            The smallest over all frequencies, the lower of the neighbours on a grid.
        """
        c = params["speed"] * params["tau_g"]
        i = np.clip(np.searchsorted(self.reach, c), 1, len(self.reach) - 1)
        j = np.clip(np.searchsorted(self.alpha, params["alpha"]), 1, None)
        j = np.minimum(j, len(self.alpha) - 1)
        corners = [self.margin[i - u, j - v] for u in (0, 1) for v in (0, 1)]
        return np.min(corners, axis=0)


def _winds(factors):
    """Whether the product of factors, over frequencies, winds round zero."""
    turned = np.unwrap(np.angle(factors.prod(axis=1)))
    # The plot begins and ends where every factor is in the right half plane: there
    # the sum of the principal angles is the true phase.
    ends = np.angle(factors[[0, -1]]).sum(axis=1)
    return abs((turned[-1] - turned[0]) - (ends[1] - ends[0])) > np.pi


def loop_gain(x):
    """Gain of the macroscopic loop, ``1 / (1 + ix (1 + ix)**2)`` for x = omega tau."""
    return 1 / (1 + 1j * x / gamma_response(x, 1.0))


@lru_cache(maxsize=8)
def network_stability(connectome, reach):
    """Return the :class:`NetworkStability`, made once per connectome and range."""
    return NetworkStability(connectome, reach)
