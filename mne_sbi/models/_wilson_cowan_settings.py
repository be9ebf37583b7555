"""Checks of a Wilson-Cowan network's settings, before anything is simulated."""

import numpy as np

from .._checks import check_array, check_option, listing
from .._memory import check_memory
from ._sampling import count_samples, positive_setting, split_sample
from ._wilson_cowan_equations import Grid
from ._wilson_cowan_parameters import PRESETS, check_step, check_values

_AXES = ("x", "y", "z")


def check_connected(connectome):
    """Refuse a connectome with nodes that nothing connects.

    Parameters
    ----------
    connectome : Connectome
        The connectome.

    Returns
    -------
    connectome : Connectome
        The same.
    """
    weights = connectome.weights
    alone = ~(weights.any(axis=0) | weights.any(axis=1))
    if alone.any():
        names = [
            n for n, is_alone in zip(connectome.names, alone, strict=True) if is_alone
        ]
        raise ValueError(
            f"{len(names)} of {connectome.n_nodes} nodes are not connected to any "
            f"other: {listing(names)}. Leave them out: connectome.pick([n for n in "
            "connectome.names if n not in (...)])."
        )
    return connectome


def get_map(model):
    """Return the map of the gradient.

    Parameters
    ----------
    model : WilsonCowanNetwork
        The model.

    Returns
    -------
    values : tuple of float | None
        A value for each node; ``None`` without a gradient.
    """
    if model.gradient is None:
        return None
    connectome = model.get_connectome()
    if not isinstance(model.gradient_map, str):
        shape = (connectome.n_nodes,)
        values = check_array("gradient_map", model.gradient_map, shape=shape)
    else:
        axis = check_option("gradient_map", model.gradient_map, _AXES)
        if connectome.positions is None:
            raise ValueError(
                f"gradient_map={axis!r} needs positions, which the connectome lacks. "
                "Give them, Connectome(weights, lengths, names, positions), or give "
                "gradient_map a value for each node."
            )
        values = connectome.positions[:, _AXES.index(axis)]
        middle = (values.max() + values.min()) / 2
        values = (values - middle) / max(np.ptp(values) / 2, 1e-12)
    if np.ptp(values) == 0:
        raise ValueError("gradient_map has the same value for all nodes.")
    return tuple(float(v) for v in values)


def check_params(model, params):
    """Refuse parameters that cannot be simulated with these settings.

    Parameters
    ----------
    model : WilsonCowanNetwork
        The model.
    params : dict of ndarray, shape (n,)
        All parameters.

    Raises
    ------
    ValueError
        If a value makes no sense, a delay is longer than the past that is kept, the
        gradient changes a sign, or the step is too long.
    """
    check_values(params)
    check_connected(model.get_connectome())
    factor = 1.0
    if model.gradient is not None:
        _check_gradient(model, params)
        largest = float(np.abs(np.outer(params["gradient"], get_map(model))).max())
        if largest >= 1:
            raise ValueError(
                f"The gradient changes {model.gradient} by {largest:.0%} in some "
                "regions, beyond zero. Give a smaller gradient, or a map from -1 to 1."
            )
        # Where time constants are smallest.
        factor = 1 / (1 - largest) if model.gradient.startswith("tau") else 1 + largest
    if model.output == "timeseries":
        if model.delays:
            _check_delays(model, float(params["speed"].min()))
        if model.sfreq is not None:
            step, _ = split_sample(model)
            check_step(params, step, diffusive=is_diffusive(model), gradient=factor)


def _check_gradient(model, params):
    """Refuse a gradient that would change nothing."""
    is_off = (params[model.gradient] == 0) & (params["gradient"] != 0)
    if is_off.any():
        raise ValueError(
            f"The gradient multiplies {model.gradient}, which is 0 and stays so in all "
            f"regions. Give {model.gradient} another value, or choose another gradient."
        )


def is_diffusive(model):
    """Return whether differences of activity arrive.

    Parameters
    ----------
    model : WilsonCowanNetwork
        The model.

    Returns
    -------
    is_diffusive : bool
        As the setting says, or the preset.
    """
    preset = PRESETS[check_option("preset", model.preset, PRESETS)]
    chosen = check_option("diffusive", model.diffusive, (None, True, False))
    return preset.diffusive if chosen is None else chosen


def _check_delays(model, slowest):
    """Refuse delays beyond the past that is kept."""
    kept = positive_setting(model, "longest_delay")
    connectome = model.get_connectome()
    lengths = np.where(connectome.weights > 0, connectome.lengths, 0)
    longest = lengths.max()
    if longest <= kept * slowest:
        return
    row, column = np.unravel_index(lengths.argmax(), lengths.shape)
    raise ValueError(
        f"At {slowest:g} m/s, the delay between {connectome.names[row]} and "
        f"{connectome.names[column]}, {longest:.3g} m apart, is "
        f"{longest / slowest:.3g} s, and the past is kept for {kept:g} s. Give "
        f"longest_delay={1.05 * longest / slowest:.2g}, or a speed of at least "
        f"{1.01 * longest / kept:.2g} m/s."
    )


def make_grid(model, *, for_spectrum=False):
    """Check the settings, and gather what a simulation depends on.

    Parameters
    ----------
    model : WilsonCowanNetwork
        The model.
    for_spectrum : bool
        Whether only the linear twin is needed, which has no steps.

    Returns
    -------
    grid : Grid
        The settings.
    """
    settings = {
        "connectome": check_connected(model.get_connectome()),
        "delays": check_option("delays", model.delays, (True, False)),
        "diffusive": is_diffusive(model),
        "offset": PRESETS[model.preset].offset,
        "gradient": model.gradient,
        "gradient_map": get_map(model),
    }
    if for_spectrum:
        return Grid(
            step=1.0, n_steps=1, n_burn=0, n_times=1, longest_delay=1.0, **settings
        )
    step, n_steps = split_sample(model)
    n_burn, n_times = count_samples(model)
    longest_delay = positive_setting(model, "longest_delay")
    check_memory(
        "The past of the network",
        4.0 * settings["connectome"].n_nodes * longest_delay / step,
        f"Reduce longest_delay={longest_delay:g} (s).",
    )
    return Grid(
        step=step,
        n_steps=n_steps,
        n_burn=n_burn,
        n_times=n_times,
        longest_delay=longest_delay,
        **settings,
    )
