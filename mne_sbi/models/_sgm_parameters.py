"""The parameters of the spectral graph model, and the ranges of each literature."""

from .._priors import Parameter

_DOCS = {
    "tau_e": "Time constant of the excitatory population",
    "tau_i": "Time constant of the inhibitory population",
    "alpha": "Global coupling of the network",
    "speed": "Conduction speed along the fibres",
    "tau_g": "Time constant of the long-range (graph) response",
    "g_ei": "Gain of the excitatory-inhibitory loop",
    "g_ii": "Gain of the inhibitory loop, relative to the excitatory one",
}
UNITS = {"tau_e": "s", "tau_i": "s", "tau_g": "s", "speed": "m/s"}


def _make_parameters(**ranges):
    return tuple(
        Parameter(name, low, high, default, unit=UNITS.get(name, ""), doc=_DOCS[name])
        for name, (low, high, default) in ranges.items()
    )


# The box of the simulation-based inference papers (Jin et al. 2023); gains as there.
SINCE_2023 = _make_parameters(
    tau_e=(0.005, 0.03, 0.012),
    tau_i=(0.005, 0.2, 0.02),
    alpha=(0.1, 1.0, 0.8),
    speed=(5.0, 20.0, 10.0),
    tau_g=(0.005, 0.03, 0.012),
    g_ei=(0.001, 0.7, 0.35),
    g_ii=(0.001, 2.0, 1.0),
)
# The box of the annealing fits of 2020 and 2022; gains as in the 2020 code.
UNTIL_2022 = _make_parameters(
    tau_e=(0.005, 0.02, 0.012),
    tau_i=(0.005, 0.02, 0.006),
    alpha=(0.1, 1.0, 0.8),
    speed=(5.0, 20.0, 10.0),
    tau_g=(0.005, 0.02, 0.006),
    g_ei=(0.5, 5.0, 4.0),
    g_ii=(0.5, 5.0, 1.0),
)
# The loop of the 2022 model is stable only for small gains.
VERMA_2022 = tuple(
    Parameter(p.name, p.low, p.high, 0.5, unit=p.unit, doc=p.doc)
    if p.name in ("g_ei", "g_ii")
    else p
    for p in UNTIL_2022
)
