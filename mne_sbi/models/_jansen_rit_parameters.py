"""The parameters of the Jansen-Rit model, its parameterisations and its symmetries."""

from .._checks import check_option
from .._parameters import Parameter

PARAMETERIZATIONS = ("standard", "combinations")
# Amplitudes, numbers of synapses and rates: below zero, excitation would inhibit. The
# rates of synapses and the slope cannot be zero either, because they divide.
_NOT_NEGATIVE = ("A", "B", "AC", "BC", "C", "c1", "c2", "c3", "c4", "sigma")
_NOT_NEGATIVE += ("Asigma", "v_max")
POSITIVE = ("a", "b", "r")
# With combinations, the excitatory gain is at the value of Jansen and Rit (1995).
GAUGE_A = 3.25e-3  # V

# Defaults: Jansen & Rit (1995), except the input, for which Ableidinger, Buckwar &
# Hinterleitner (2017) have noise about a mean of 220/s: their 2000 mV s^-3/2 on the
# derivative is sigma * A * a, hence 6.15. Ranges: of A to mu, a box about the defaults
# that holds fewer draws with seizure-like output than the far wider one of The Virtual
# Brain, from which come those of c1 to c4, v_max, v0 (lower end rounded) and r.
_GAINS = (
    Parameter("A", 0.002, 0.0065, 0.00325, "V", doc="Excitatory synaptic gain"),
    Parameter("B", 0.011, 0.044, 0.022, "V", doc="Inhibitory synaptic gain"),
)
_RATES = (
    Parameter("a", 60, 140, 100, "1/s", doc="Rate of the excitatory synapses"),
    Parameter("b", 30, 75, 50, "1/s", doc="Rate of the inhibitory synapses"),
)
_INPUT = (
    Parameter("C", 65, 270, 135, doc="Number of synapses between the populations"),
    Parameter("mu", 50, 500, 220, "1/s", doc="Mean firing rate of the input"),
)
_RATIOS = (
    Parameter("c1", 0.5, 1.5, 1, doc="Pyramidal to excitatory synapses, over C"),
    Parameter("c2", 0.4, 1.2, 0.8, doc="Excitatory to pyramidal synapses, over C"),
    Parameter("c3", 0.125, 0.375, 0.25, doc="Pyramidal to inhibitory synapses, over C"),
    Parameter("c4", 0.125, 0.375, 0.25, doc="Inhibitory to pyramidal synapses, over C"),
)
_SIGMA = Parameter(
    "sigma", 1, 20, 6.15, "1/sqrt(s)", "log", "Noise of the input's firing rate"
)
_SIGMOID = (
    Parameter("v_max", 2.5, 7.5, 5, "1/s", doc="Largest firing rate"),
    Parameter("v0", 0.003, 0.007, 0.006, "V", doc="Potential at half that rate"),
    Parameter("r", 280, 840, 560, "1/V", doc="Slope of the firing rate"),
)
# From the 2.5 % to the 97.5 % quantile of the products under the ranges above.
_COMBINATIONS = {
    "AC": Parameter("AC", 0.21, 1.5, 0.43875, "V", "log", "A times C"),
    "BC": Parameter("BC", 1.2, 10, 2.97, "V", "log", "B times C"),
    "Amu": Parameter("Amu", 0.21, 2.7, 0.715, "V/s", "log", "A times mu"),
    "Asigma": Parameter(
        "Asigma", 0.0034, 0.092, 0.0199875, "V/sqrt(s)", "log", "A times sigma"
    ),
}
# At 50 the other regions add at most 250/s to the input, as much as its mean.
_COUPLING = Parameter(
    "coupling", 0, 50, 10, doc="Synapses from other regions, for weights that sum to 1"
)
# Mixed with these defaults, pulses have the strength of a thalamic volley of 60/s on
# the population that takes the input; the others are off until they are asked for.
_PULSES = {
    "pyramidal": Parameter(
        "pulse_pyramidal", 0, 200, 0, "1/s", doc="Pulses' rate to pyramidal cells"
    ),
    "excitatory": Parameter(
        "pulse_excitatory", 0, 200, 60, "1/s", doc="Pulses' rate beside the input mu"
    ),
    "inhibitory": Parameter(
        "pulse_inhibitory", 0, 200, 0, "1/s", doc="Pulses' rate to inhibitory synapses"
    ),
}
POPULATIONS = tuple(_PULSES)

DEFAULT_FREE = {
    "standard": ("A", "B", "a", "b", "C", "mu"),
    "combinations": ("AC", "BC", "a", "b", "Amu"),
}


def make_parameters(parameterization, populations=(), coupled=False):
    """Return the parameters that a Jansen-Rit model has.

    Parameters
    ----------
    parameterization : "standard" | "combinations"
        Whether gains, synapses and input are parameters, or their products.
    populations : sequence of str
        Populations that get pulses.
    coupled : bool
        Whether regions are coupled.

    Returns
    -------
    parameters : tuple of Parameter
        The parameters, in SI units.
    """
    check_option("parameterization", parameterization, PARAMETERIZATIONS)
    if parameterization == "standard":
        first, noise = (*_GAINS, *_RATES, *_INPUT), _SIGMA
    else:
        products = _COMBINATIONS
        first = (products["AC"], products["BC"], *_RATES, products["Amu"])
        noise = products["Asigma"]
    pulses = tuple(p for name, p in _PULSES.items() if name in populations)
    between = (_COUPLING,) if coupled else ()
    return (*first, *_RATIOS, noise, *_SIGMOID, *pulses, *between)


def to_standard(params, parameterization):
    """Return the standard parameters, whatever the parameterisation.

    Parameters
    ----------
    params : dict of (float | array)
        Values of the parameters.
    parameterization : "standard" | "combinations"
        Which they are.

    Returns
    -------
    params : dict of (float | array)
        Values of the standard parameters.
    """
    if parameterization == "standard":
        return dict(params)
    params = dict(params)
    gain, synapses = GAUGE_A, params.pop("AC") / GAUGE_A
    params |= {"A": gain, "C": synapses, "B": params.pop("BC") / synapses}
    params["mu"] = params.pop("Amu") / gain
    params["sigma"] = params.pop("Asigma") / gain
    return params


def exact_symmetries(parameterization, names):
    """Return the rescalings that leave the output exactly as it is.

    Parameters
    ----------
    parameterization : "standard" | "combinations"
        Which parameters the model has.
    names : collection of str
        Their names.

    Returns
    -------
    symmetries : tuple of dict of float
        Exponents by parameter, as in :meth:`ForwardModel.get_symmetries`.
    """
    ratios = {"c1": -1, "c2": -1, "c3": -1, "c4": -1}
    fewer_synapses = {"AC": -1, "BC": -1}
    # The rate at which every population fires, and the number of its synapses; pulses
    # to pyramidal cells come without synapses, so that they have to grow with it.
    rate = {"v_max": 1, "pulse_pyramidal": 1, "coupling": -1}
    if parameterization == "standard":
        # All excitatory amplitudes, and the inhibitory one, which share C.
        amplitudes = {"A": 1, "B": 1, "C": -1, "mu": -1, "sigma": -1}
        amplitudes |= {"pulse_excitatory": -1, "pulse_inhibitory": -1, "coupling": -1}
        inhibition = {"B": 1, "c4": -1, "pulse_inhibitory": -1}
        found = [amplitudes, inhibition, {"C": 1} | ratios, rate | {"C": -1}]
    else:
        inhibition = {"BC": 1, "c4": -1, "pulse_inhibitory": -1}
        found = [inhibition, {"AC": 1, "BC": 1} | ratios, rate | fewer_synapses]
    return tuple(_keep(generator, names) for generator in found)


def check_signs(ranges):
    """Refuse ranges that reach below zero, where the model makes no sense.

    Parameters
    ----------
    ranges : dict of (float, float)
        Lowest and highest value of parameters.

    Raises
    ------
    ValueError
        If an amplitude, a number of synapses or a rate is negative.
    """
    for name, (low, _) in ranges.items():
        is_wrong = low < 0 if name in _NOT_NEGATIVE else low <= 0
        if is_wrong and name in (*_NOT_NEGATIVE, *POSITIVE):
            least = "at least 0" if name in _NOT_NEGATIVE else "positive"
            raise ValueError(
                f"{name} must be {least}, and the prior has it from {low:g} on. Give "
                f"another range: prior={{{name!r}: (low, high)}}."
            )


def gain_symmetries(parameterization, names):
    """Return the rescalings that divide the output by the factor.

    With the parameter ``gain``, by which an observation model multiplies the output,
    they leave the data as they are.

    Parameters
    ----------
    parameterization : "standard" | "combinations"
        Which parameters the model has.
    names : collection of str
        Their names.

    Returns
    -------
    symmetries : tuple of dict of float
        Exponents by parameter, among them ``gain``.
    """
    scale = {"r": 1, "v0": -1, "gain": 1}
    if parameterization == "standard":
        scale |= {"A": -1, "B": -1}
    else:
        # A stays at its gauge, so that what it multiplies has to be rescaled.
        scale |= {"AC": -1, "BC": -1, "Amu": -1, "Asigma": -1}
        scale |= {"pulse_excitatory": -1, "pulse_inhibitory": -1, "coupling": -1}
    return (_keep(scale, (*names, "gain")),)


def _keep(generator, names):
    return {name: float(e) for name, e in generator.items() if name in names}
