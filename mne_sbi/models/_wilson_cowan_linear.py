"""The Wilson-Cowan network near its fixed point: spectra without a simulation.

For small fluctuations the network is linear. With the excitatory deviations z, and the
inhibitory ones solved for, the equations are at each angular frequency

    M z = b_e n_e + g n_i,    M = diag(i w - j_e - j_ie j_ei / (i w - j_i)) - b_e k W,

with the inputs n_e and n_i, the delayed weights W, and the cross-spectrum is
M^-1 D M^-H, where D holds the noise that arrives at each node.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._wilson_cowan_equations import scaled_weights, spread

# Steps of relaxation to the neighbourhood of the fixed point, how far each goes, and
# steps of Newton's method: within each for the inhibitory activity, and at the end.
_N_RELAX, _FAR, _N_INNER, _N_NEWTON = 500, 0.5, 4, 8
# Frequencies at which stability is judged, denser where they are low.
_N_FREQS = 721
# A fixed point is one if no rate is larger than this, times the time constant.
_RESIDUAL = 1e-4


def _sigmoid(x, slope, threshold, offset):
    """Return the firing rate at an input, and its slope."""
    rate = jax.nn.sigmoid(slope * (x - threshold))
    rest = offset * jax.nn.sigmoid(-slope * threshold)
    return rate - rest, slope * rate * (1 - rate)


def _rates(p, grid, weights, e, i):
    """Return what both activities strive for, minus themselves, and the slopes."""
    arriving = weights @ e - (weights.sum(axis=1) * e if grid.diffusive else 0)
    to_e = p["c_ee"] * e - p["c_ie"] * i + p["drive"] + p["coupling"] * arriving
    to_i = p["c_ei"] * e - p["c_ii"] * i + p["drive_i"]
    f_e, s_e = _sigmoid(to_e, p["a_e"], p["theta_e"], grid.offset)
    f_i, s_i = _sigmoid(to_i, p["a_i"], p["theta_i"], grid.offset)
    change_e, change_i = (1 - p["r_e"] * e) * f_e - e, (1 - p["r_i"] * i) * f_i - i
    slopes = (f_e, f_i, (1 - p["r_e"] * e) * s_e, (1 - p["r_i"] * i) * s_i)
    return jnp.concatenate([change_e, change_i]), slopes


def _settle_inhibition(p, grid, e, i):
    """Find the inhibitory activity for which nothing changes at given excitation.

    It strives for less the larger it is, so that there is exactly one.
    """
    for _ in range(_N_INNER):
        to_i = p["c_ei"] * e - p["c_ii"] * i + p["drive_i"]
        f_i, s_i = _sigmoid(to_i, p["a_i"], p["theta_i"], grid.offset)
        free = 1 - p["r_i"] * i
        i = i + (free * f_i - i) / (1 + p["r_i"] * f_i + free * p["c_ii"] * s_i)
        i = jnp.clip(i, -1.0, 1.0)
    return i


def _fixed_point(p, grid, weights):
    """Find the fixed point that is reached from rest; shape (2, n_nodes).

    Inhibition follows at once here, which fixed points do not depend on. Then the
    nodes excite each other and there are no cycles: excitation rises from rest to the
    lowest fixed point. Where more of it makes less, steps are implicit.
    """
    n = grid.n_nodes
    total = weights.sum(axis=1) if grid.diffusive else jnp.zeros(n)

    def residual(both):
        return _rates(p, grid, weights, both[:n], both[n:])[0]

    def relax(_, both):
        e, i = both[:n], _settle_inhibition(p, grid, both[:n], both[n:])
        changes, (f_e, f_i, g_e, g_i) = _rates(p, grid, weights, e, i)
        follow = g_i * p["c_ei"] / (1 + p["r_i"] * f_i + g_i * p["c_ii"])
        own = p["c_ee"] - p["coupling"] * total - p["c_ie"] * follow
        slope = g_e * own - 1 - p["r_e"] * f_e
        e = e + _FAR * changes[:n] / (1 + _FAR * jnp.maximum(-slope, 0))
        return jnp.concatenate([e, i])

    def newton(both, _):
        jacobian = jax.jacfwd(residual)(both)
        return both - jnp.linalg.solve(jacobian, residual(both)), None

    both = lax.fori_loop(0, _N_RELAX, relax, jnp.zeros(2 * n))
    both = lax.scan(newton, both, None, length=_N_NEWTON)[0]
    # One more step from a constant: the derivative by the parameters is that of the
    # implicit function.
    both = lax.stop_gradient(both)
    is_found = jnp.abs(residual(both)).max() < _RESIDUAL
    both = newton(both, None)[0]
    return jnp.where(is_found, both, jnp.nan).reshape(2, n)


def _linearise(params, grid):
    """Return the linear coefficients of all nodes about the fixed point."""
    weights = jnp.asarray(scaled_weights(grid.connectome), jnp.float32)
    params = {name: jnp.asarray(v, jnp.float32) for name, v in params.items()}
    p = {
        name: v * jnp.ones(grid.n_nodes)
        for name, v in spread(params, grid, jnp).items()
    }
    e, i = _fixed_point(p, grid, weights)
    _, (f_e, f_i, g_e, g_i) = _rates(p, grid, weights, e, i)
    own = p["c_ee"]
    if grid.diffusive:
        own = own - p["coupling"] * weights.sum(axis=1)
    return {
        "e": e,
        "i": i,
        "j_e": (g_e * own - 1 - p["r_e"] * f_e) / p["tau_e"],
        "j_ie": -g_e * p["c_ie"] / p["tau_e"],
        "j_ei": g_i * p["c_ei"] / p["tau_i"],
        "j_i": (-g_i * p["c_ii"] - 1 - p["r_i"] * f_i) / p["tau_i"],
        "b_e": g_e / p["tau_e"],
        "b_i": g_i / p["tau_i"],
        "noise": p["noise"],
        "tau_noise": p["tau_noise"],
        "weights": p["coupling"][:, np.newaxis] * weights,
        "delays": _delays(p, grid),
    }


def _delays(p, grid):
    if not grid.delays:
        return jnp.zeros((grid.n_nodes, grid.n_nodes))
    return jnp.asarray(grid.connectome.lengths, jnp.float32) / p["speed"]


def _local(c, omega):
    """Return the inverse response of single nodes, and how inhibitory input acts."""
    through = 1 / (1j * omega - c["j_i"])
    own = 1j * omega - c["j_e"] - c["j_ie"] * c["j_ei"] * through
    return own, c["j_ie"] * c["b_i"] * through


def _transfer(c, omega):
    """Return M, shape (n_nodes, n_nodes), and the noise's weights at the nodes."""
    own, inhibitory = _local(c, omega)
    delayed = c["weights"] * jnp.exp(-1j * omega * c["delays"])
    matrix = jnp.diag(own) - c["b_e"][:, np.newaxis] * delayed
    return matrix, c["b_e"] ** 2 + jnp.abs(inhibitory) ** 2


@functools.partial(jax.jit, static_argnums=(1, 2))
def cross_spectrum(params, grid, freqs):
    """Compute the cross-spectrum of excitatory activity; a pure JAX function.

    Parameters
    ----------
    params : dict of float
        The model's parameters.
    grid : Grid
        The setting.
    freqs : tuple of float
        Frequencies in Hz.

    Returns
    -------
    spectrum : jax.Array of complex64, shape (n_freqs, n_nodes, n_nodes)
        One-sided cross-spectral densities per Hz; NaN without a fixed point.
    """
    c = _linearise(params, grid)

    def one(freq):
        omega = 2 * np.pi * freq
        matrix, weights = _transfer(c, omega)
        # One-sided, of an Ornstein-Uhlenbeck process of unit variance.
        power = 4 * c["tau_noise"] / (1 + (omega * c["tau_noise"]) ** 2)
        root = jnp.sqrt(weights * power) * c["noise"]
        response = jnp.linalg.inv(matrix) * root
        return response @ response.conj().T

    return lax.map(one, jnp.asarray(freqs, jnp.float32))


def power_spectrum(params, grid, freqs):
    """Compute the power spectra of excitatory activity.

    Parameters
    ----------
    params, grid, freqs
        As of :func:`cross_spectrum`.

    Returns
    -------
    power : jax.Array of float32, shape (n_nodes, n_freqs)
        One-sided power spectral densities per Hz.
    """
    spectra = cross_spectrum(params, grid, freqs)
    return jnp.real(jnp.diagonal(spectra, axis1=1, axis2=2)).T


@functools.partial(jax.jit, static_argnums=1)
def stability(params, grid):
    """Say whether the fixed point is stable.

    Parameters
    ----------
    params : dict of float
        The model's parameters.
    grid : Grid
        The setting.

    Returns
    -------
    is_stable : jax.Array of bool
        Whether all single nodes are, and the network of them; not without a fixed
        point.

    Notes
    -----
    With stable nodes, the network is stable if ``det(I - L(i w))`` does not go round
    zero (Nyquist's criterion), L being the loop's response ``own^-1 b k W``. A row sum
    of the moduli of L below 1 at all frequencies is enough; if not, turns are counted,
    up to a frequency from which on, by the size of all terms, the sum is below 1.
    """
    c = _linearise(params, grid)
    trace, product = c["j_e"] + c["j_i"], c["j_e"] * c["j_i"] - c["j_ie"] * c["j_ei"]
    local = (trace < 0).all() & (product > 0).all()
    # |own| is at least w - |j_e| - |j_ie j_ei| / w.
    arriving = c["b_e"] * jnp.abs(c["weights"]).sum(axis=1)
    loop = jnp.sqrt(jnp.abs(c["j_ie"] * c["j_ei"]))
    highest = (arriving + jnp.abs(c["j_e"]) + loop).max()

    def one(omega):
        matrix, _ = _transfer(c, omega)
        # I - L
        ratio = matrix / _local(c, omega)[0][:, np.newaxis]
        sign, _ = jnp.linalg.slogdet(ratio)
        return sign, jnp.abs(jnp.eye(grid.n_nodes) - ratio).sum(axis=1).max()

    signs, gains = lax.map(one, highest * jnp.linspace(0, 1, _N_FREQS) ** 2)
    turns = jnp.angle(signs[1:] / signs[:-1]).sum() / np.pi
    return local & ((gains < 1).all() | (jnp.abs(turns) < 0.5))
