"""The parameters of the Wilson-Cowan network, and the sets that papers use."""

import dataclasses

import numpy as np

from .._checks import check_option
from .._parameters import Parameter

#: Parameters that may differ from node to node along a gradient.
LOCAL = ("drive", "drive_i", "noise", "tau_e", "tau_i")
LOCAL += ("c_ee", "c_ie", "c_ei", "c_ii", "a_e", "theta_e", "a_i", "theta_i")
DEFAULT_FREE = ("coupling", "speed", "drive", "noise", "gradient")
# Below zero, or at zero, the equations make no sense.
_POSITIVE = ("speed", "tau_noise", "tau_e", "tau_i", "a_e", "a_i")
_NOT_NEGATIVE = ("coupling", "noise", "c_ee", "c_ie", "c_ei", "c_ii", "r_e", "r_i")
# Beyond, they can only be of another unit: milliseconds, and millimetres per second or
# per millisecond. No axon conducts faster than 150 m/s.
_LARGEST = {"tau_e": 0.5, "tau_i": 0.5, "tau_noise": 5.0, "speed": 200.0}
_OTHER_UNIT = {"tau": ("s", "milliseconds"), "speed": ("m/s", "mm/s")}

_BETWEEN = (
    Parameter("coupling", 0, 30, 1, doc="Input from others, for weights that sum to 1"),
    Parameter("speed", 2, 20, 8, "m/s", doc="Conduction speed between nodes"),
)
# Ranges: those of The Virtual Brain for weights, slopes and thresholds, with ends
# rounded, of drive and noise what goes from damped fluctuations to saturation.
_LOCAL = (
    Parameter("drive", 0, 3, 0.8, doc="Constant input to excitatory populations"),
    Parameter("noise", 0.004, 0.4, 0.1, "", "log", "Standard deviation of the noise"),
    Parameter("tau_e", 0.005, 0.04, 0.02, "s", doc="Excitatory time constant"),
    Parameter("tau_i", 0.005, 0.04, 0.02, "s", doc="Inhibitory time constant"),
    Parameter("c_ee", 8, 20, 16, doc="Weight from excitatory to excitatory"),
    Parameter("c_ie", 2, 16, 12, doc="Weight from inhibitory to excitatory"),
    Parameter("c_ei", 8, 20, 15, doc="Weight from excitatory to inhibitory"),
    Parameter("c_ii", 0, 15, 3, doc="Weight from inhibitory to inhibitory"),
    Parameter("a_e", 0.8, 2, 1.3, doc="Slope of the excitatory sigmoid"),
    Parameter("theta_e", 2, 6, 4, doc="Threshold of the excitatory sigmoid"),
    Parameter("a_i", 0.8, 3, 2, doc="Slope of the inhibitory sigmoid"),
    Parameter("theta_i", 2, 6, 3.7, doc="Threshold of the inhibitory sigmoid"),
    Parameter("drive_i", -2, 2, 0, doc="Constant input to inhibitory populations"),
    Parameter("tau_noise", 0.001, 0.05, 0.01, "s", doc="Time constant of the noise"),
    Parameter("r_e", 0, 1, 1, doc="Share of refractory excitatory cells per activity"),
    Parameter("r_i", 0, 1, 1, doc="Share of refractory inhibitory cells per activity"),
)
_GRADIENT = Parameter(
    "gradient", -0.5, 0.5, 0, doc="Relative change of a parameter over its map"
)


@dataclasses.dataclass(frozen=True)
class Preset:
    """A set of parameters that a paper or a package uses.

    Parameters
    ----------
    values : dict of float
        Values that differ from those of Wilson and Cowan (1972).
    offset : bool
        Whether the firing rate without input is subtracted, so that rest is at zero.
    diffusive : bool
        Whether differences of activity arrive at a node, and not activity.
    """

    values: dict
    offset: bool = True
    diffusive: bool = True


PRESETS = {
    # Their limit cycle (figure 11), which starts at a drive between 1 and 1.25. They
    # have time constants of 8 ms; with 20 ms the rhythm is near 10 Hz.
    "wilson_cowan_1972": Preset({}),
    # Of a search like that of benchmarks/resting_meg_fc.py, which prints how well it
    # fits envelope correlations of resting MEG. What is not given here is as above.
    "resting_alpha": Preset(
        {"coupling": 16.2, "speed": 13, "drive": 2.22, "noise": 0.012}
        | {"tau_e": 0.0124, "tau_i": 0.0279}
    ),
    # WilsonCowan of The Virtual Brain 2.10 (Sanz-Leon et al. 2015, equations 33-36).
    "tvb": Preset(
        {"c_ee": 12, "c_ie": 4, "c_ei": 13, "c_ii": 11, "tau_e": 0.01, "tau_i": 0.01}
        | {"a_e": 1.2, "theta_e": 2.8, "a_i": 1, "theta_i": 4, "drive": 0}
    ),
    # WCModel of neurolib 0.6 (Cakan, Jajcay and Obermayer 2021).
    "neurolib": Preset(
        {"c_ee": 16, "c_ie": 12, "c_ei": 15, "c_ii": 3, "tau_e": 2.5e-3}
        | {"tau_i": 3.75e-3, "a_e": 1.5, "theta_e": 3, "a_i": 1.5, "theta_i": 3}
        | {"tau_noise": 5e-3, "speed": 20, "drive": 0},
        offset=False,
        diffusive=False,
    ),
}


def make_parameters(preset, *, delays=True, gradient=None):
    """Return the parameters that a Wilson-Cowan network has.

    Parameters
    ----------
    preset : str
        Which defaults.
    delays : bool
        Whether there is a conduction speed.
    gradient : str | None
        The parameter that differs from node to node.

    Returns
    -------
    parameters : tuple of Parameter
        The parameters, in SI units.
    """
    values = PRESETS[check_option("preset", preset, PRESETS)].values
    found = (*_BETWEEN[: 1 + bool(delays)], *_LOCAL)
    if gradient is not None:
        check_option("gradient", gradient, LOCAL)
        found = (*found, _GRADIENT)
    return tuple(_with_default(p, values.get(p.name, p.default)) for p in found)


def _with_default(parameter, value):
    """Return a parameter with a default, whose range reaches as far."""
    low, high = min(parameter.low, value), max(parameter.high, value)
    return dataclasses.replace(parameter, low=low, high=high, default=value)


def check_values(params):
    """Refuse values for which the equations make no sense.

    Parameters
    ----------
    params : dict of array_like
        Values of parameters, or the ends of their ranges.

    Raises
    ------
    ValueError
        If a time constant, a slope or the speed is not positive, or so large that it
        must be of another unit; or a weight, the coupling or the noise is negative.
    """
    for name, value in params.items():
        least, most = np.min(value), np.max(value)
        if name in _POSITIVE and not least > 0:
            raise ValueError(f"{name} must be positive, got {least:g}.")
        if name in _NOT_NEGATIVE and not least >= 0:
            raise ValueError(f"{name} must not be negative, got {least:g}.")
        if most > _LARGEST.get(name, np.inf):
            unit, other = _OTHER_UNIT[name.split("_")[0]]
            raise ValueError(
                f"{name} is in {unit}, and {most:g} {unit} looks like {other}. Give "
                f"{most / 1000:g}."
            )


def check_step(params, step, *, diffusive, gradient=1.0):
    """Refuse a step that is too long for the fastest population.

    Parameters
    ----------
    params : dict of array, shape (n,)
        The parameters.
    step : float
        Step of the integration in s.
    diffusive : bool
        Whether coupling pulls activity back, with weights whose largest sum is 1.
    gradient : float
        Largest factor between a node's parameter and the model's.

    Raises
    ------
    ValueError
        If the rate at which a population can change, times the step, is more than a
        half: the scheme is unstable from 1 on, and wrong by a tenth at a half.
    """
    # Excitation onto itself lowers the rate.
    pulls = {
        "e": np.maximum(diffusive * params["coupling"] - params["c_ee"], 0),
        "i": params["c_ii"],
    }
    for kind, pull in pulls.items():
        # The slope of the sigmoid is at most a quarter of `a`.
        rate = 1 + params[f"r_{kind}"] + pull * params[f"a_{kind}"] / 4
        largest = float((rate / params[f"tau_{kind}"]).max()) * gradient
        if step * largest > 0.5:
            raise ValueError(
                f"step={step:g} s is unstable: the population {kind} changes at up to "
                f"{largest:.4g} per s, with tau_{kind} from "
                f"{params[f'tau_{kind}'].min():g} s. Give step={0.4 / largest:.1g} or "
                "less, a longer time constant, or less coupling."
            )


def find_extremes(ranges):
    """Return the corner of ranges where a network is fastest, and its delays longest.

    Parameters
    ----------
    ranges : dict of (float, float)
        Lowest and highest value of every parameter.

    Returns
    -------
    params : dict of ndarray, shape (1,)
        The corner.
    """
    lowest = ("speed", "tau_e", "tau_i", "tau_noise", "c_ee")
    corner = {}
    for name, (low, high) in ranges.items():
        value = low if name in lowest else high
        if name == "gradient":
            value = low if abs(low) > abs(high) else high
        corner[name] = np.array([float(value)])
    return corner
