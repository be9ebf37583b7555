"""The Wilson-Cowan equations: what the steps and the linear twin need of parameters."""

import dataclasses
import functools

import numpy as np

from .._connectome import Connectome

_LOG2_E = float(np.log2(np.e))
# Length of the anti-alias filter in samples of the output, and where its magnitude is a
# half, relative to the output's rate. With Kaiser's window for 60 dB it passes 0.37 of
# the rate and stops from 0.53 on, so that nothing folds back below 0.47.
_FILTER_SAMPLES, _CUTOFF, _ATTENUATION = 24, 0.45, 60.0
#: Variables and parameters of a node in the order in which the kernel keeps them:
#: activity, inputs of noise, and the changes by the step before; then the excitatory
#: population's coefficients, the inhibitory one's, and the noise's decay.
ROWS = (
    *("e", "i", "x_e", "x_i", "change_e", "change_i"),
    *("ee", "ie", "drive_e", "input", "noise_e", "offset_e", "step_e", "refractory_e"),
    *("ei", "ii", "drive_i", "noise_i", "offset_i", "step_i", "refractory_i", "decay"),
)
COEFFICIENTS = ROWS[6:]


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a simulation depends on, apart from parameters and randomness.

    Parameters
    ----------
    connectome : Connectome
        The nodes, and what couples them.
    step : float
        Step of the integration in s.
    n_steps : int
        Steps from one sample of the output to the next.
    n_burn : int
        Samples that are left out before the first one.
    n_times : int
        Samples of the output.
    longest_delay : float
        How much of the past is kept in s.
    delays : bool
        Whether there are delays.
    diffusive : bool
        Whether differences of activity arrive, and not activity.
    offset : bool
        Whether the firing rate without input is subtracted.
    gradient : str | None
        The parameter that differs from node to node.
    gradient_map : tuple of float | None
        By how much, relative to the parameter ``gradient``.
    """

    connectome: Connectome
    step: float
    n_steps: int
    n_burn: int
    n_times: int
    longest_delay: float
    delays: bool = True
    diffusive: bool = True
    offset: bool = True
    gradient: str | None = None
    gradient_map: tuple | None = None

    @property
    def n_nodes(self):
        """Number of nodes."""
        return self.connectome.n_nodes

    @functools.cached_property
    def n_past(self):
        """Steps of the past that are kept."""
        return max(int(np.ceil(self.longest_delay / self.step)) + 2, len(self.taps))

    @functools.cached_property
    def taps(self):
        """Anti-alias filter on the past, the oldest first, a multiple of 16 long."""
        from scipy.signal import firwin, kaiser_beta

        if self.n_steps == 1:
            return np.r_[np.zeros(15), 1.0].astype(np.float32)
        n_taps = _FILTER_SAMPLES * self.n_steps + 1

        window = ("kaiser", kaiser_beta(_ATTENUATION))
        taps = firwin(n_taps, 2 * _CUTOFF / self.n_steps, window=window)
        return np.r_[np.zeros(-n_taps % 16), taps].astype(np.float32)


def scaled_weights(connectome):
    """Return the weights, scaled so that the largest sum of a node is 1.

    Parameters
    ----------
    connectome : Connectome
        The connectome, with connections.

    Returns
    -------
    weights : ndarray, shape (n_nodes, n_nodes)
        From the second node to the first.
    """
    return connectome.weights / connectome.weights.sum(axis=1).max()


def spread(params, grid, xp=np):
    """Give every node its parameters.

    Parameters
    ----------
    params : dict of array, shape (...)
        A value, or an array of them, for each parameter of the model.
    grid : Grid
        The setting, of which gradient and its map are used.
    xp : module
        ``numpy`` or ``jax.numpy``.

    Returns
    -------
    params : dict of array, shape (..., 1) or (..., n_nodes)
        The parameters, without the gradient.
    """
    params = {
        name: xp.asarray(value)[..., np.newaxis] for name, value in params.items()
    }
    if grid.gradient is not None:
        slope = params.pop("gradient") * xp.asarray(grid.gradient_map)
        params[grid.gradient] = params[grid.gradient] * (1 + slope)
    return params


def make_coefficients(params, grid, xp=np):
    """Compute what a step needs of the parameters.

    Arguments of the sigmoids are multiplied by their slope and by log2(e), so that they
    are exponents of two.

    Parameters
    ----------
    params : dict of array, shape (...)
        A value, or an array of them, for each parameter of the model.
    grid : Grid
        The setting.
    xp : module
        ``numpy`` or ``jax.numpy``.

    Returns
    -------
    coefficients : dict of array, shape (..., n_nodes)
        By the names in ``COEFFICIENTS``.
    """
    p = spread(params, grid, xp)
    slope_e, slope_i = p["a_e"] * _LOG2_E, p["a_i"] * _LOG2_E
    total = scaled_weights(grid.connectome).sum(axis=1) if grid.diffusive else 0.0
    decay = xp.exp(-grid.step / p["tau_noise"])
    noise = p["noise"] * xp.sqrt(1 - decay**2)
    made = {
        "ee": slope_e * (p["c_ee"] - p["coupling"] * total),
        "ie": slope_e * p["c_ie"],
        "drive_e": slope_e * (p["drive"] - p["theta_e"]),
        "input": slope_e * p["coupling"],
        "noise_e": slope_e * noise,
        "offset_e": grid.offset / (1 + xp.exp(p["a_e"] * p["theta_e"])),
        "step_e": grid.step / p["tau_e"],
        "refractory_e": p["r_e"],
        "ei": slope_i * p["c_ei"],
        "ii": slope_i * p["c_ii"],
        "drive_i": slope_i * (p["drive_i"] - p["theta_i"]),
        "noise_i": slope_i * noise,
        "offset_i": grid.offset / (1 + xp.exp(p["a_i"] * p["theta_i"])),
        "step_i": grid.step / p["tau_i"],
        "refractory_i": p["r_i"],
        "decay": decay,
    }
    one = xp.ones(grid.n_nodes)
    return {name: made[name] * one for name in COEFFICIENTS}


def first_changes(c, grid, activity, xp=np):
    """Return the changes by a step at the start, where nothing was different before.

    With these as the changes by the step before, the first step is one of Euler.

    Parameters
    ----------
    c : dict of array, shape (..., n_nodes)
        Coefficients.
    grid : Grid
        The setting.
    activity : array, shape (2, ..., n_nodes)
        Excitatory and inhibitory activity since ever.
    xp : module
        ``numpy`` or ``jax.numpy``.

    Returns
    -------
    changes : tuple of 2 array, shape (..., n_nodes)
        Of excitatory and inhibitory activity.
    """
    e, i = activity
    arriving = e @ xp.asarray(scaled_weights(grid.connectome).T, dtype=e.dtype)
    to_e = c["ee"] * e - c["ie"] * i + c["drive_e"] + c["input"] * arriving
    to_i = c["ei"] * e - c["ii"] * i + c["drive_i"]
    rate_e = 1 / (1 + xp.exp2(-to_e)) - c["offset_e"]
    rate_i = 1 / (1 + xp.exp2(-to_i)) - c["offset_i"]
    return (
        c["step_e"] * ((1 - c["refractory_e"] * e) * rate_e - e),
        c["step_i"] * ((1 - c["refractory_i"] * i) * rate_i - i),
    )
