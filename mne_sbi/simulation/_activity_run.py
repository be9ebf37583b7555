"""Simulate once, for parameters that are known."""

import numpy as np

from .._checks import draw_seed, listing
from .._region_names import normalize_region_name
from ..models._sampling import check_is_timed, check_series_size
from ._activity import Activity
from ._recipe import as_model


def simulate_activity(model, params=None, *, random_state=None, verbose=None):
    """Simulate the activity of regions once, for given parameters.

    Parameters
    ----------
    model : ForwardModel | str
        A model of time series, or its registered name, with sampling rate and duration.
    params : dict of float | None
        Values of some parameters, in their units; the others have their defaults.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    activity : Activity
        The activity, which becomes a ``Raw``, ``Epochs`` or a ``SourceEstimate`` of
        MNE-Python, or a recording with sensors.

    Raises
    ------
    TypeError
        If the model or ``params`` is of another type.
    ValueError
        If the model is one of spectra, settings are missing, a parameter is unknown,
        or the model makes no sense with these parameters.

    See Also
    --------
    mne_sbi.simulate : Many simulations, of parameters drawn from a prior.

    Examples
    --------
    >>> from mne_sbi import simulate_activity
    >>> from mne_sbi.models import JansenRit
    >>> activity = simulate_activity(JansenRit(sfreq=128.0, duration=2.0), {"C": 135})
    >>> activity.data.shape
    (1, 256)
    """
    import jax
    from mne.utils import use_log_level

    model = as_model(model)
    _check_settings(model)
    check_series_size(model)
    values = _complete(model, params)
    key = jax.random.key(draw_seed(random_state))
    with use_log_level(verbose):
        data = np.asarray(model.prepare().simulate_batch(values, key))[0]
    params = {name: float(v[0]) for name, v in values.items()}
    n_bad = np.count_nonzero(~np.isfinite(data))
    if n_bad:
        raise ValueError(
            f"{n_bad} of {data.size} values of the simulation are NaN or infinite: "
            f"{type(model).__name__} does not work with {params}. Give other params."
        )
    names = model.node_names
    if names is None:
        names = [f"node_{i}" for i in range(len(data))]
    return Activity(
        data,
        model.sfreq,
        names,
        params=params,
        unit=model.output_unit,
        positions=_find_positions(model, names),
    )


def _check_settings(model):
    """Refuse models that make no time series, or do not know yet how long ones."""
    kind = type(model).__name__
    if model.output != "timeseries":
        raise ValueError(
            f"{kind} is a model of spectra, and has no activity over time. Use a model "
            "of time series such as JansenRit, or model.simulate_batch() for spectra."
        )
    check_is_timed(model)


def _complete(model, params):
    """Return all parameters as arrays of one value, checked."""
    params = {} if params is None else params
    if not isinstance(params, dict):
        raise TypeError(
            "params must be a dict of numbers by name, or None, got "
            f"{type(params).__name__}."
        )
    values = model.complete_params(params)
    several = [name for name, value in params.items() if np.size(value) != 1]
    if several:
        raise ValueError(
            f"simulate_activity() makes one simulation, but {listing(several)} has "
            "several values, or none. Give one number each, or call it once per set of "
            "parameters."
        )
    values = {name: np.array(v, dtype=float) for name, v in values.items()}
    model.check_ranges({name: (float(v[0]), float(v[0])) for name, v in values.items()})
    if not model.check_valid(values)[0]:
        given = {name: float(v[0]) for name, v in values.items()}
        raise ValueError(
            f"{type(model).__name__} makes no sense, or is unstable, with {given}. "
            "Give other params."
        )
    return values


def _find_positions(model, names):
    """Return the positions of the nodes, where the model's connectome has them."""
    get = getattr(model, "get_connectome", None)
    connectome = getattr(model, "connectome", None) if get is None else get()
    if connectome is None or connectome.positions is None:
        return None
    same = [normalize_region_name(name) for name in connectome.names] == [
        normalize_region_name(name) for name in names
    ]
    return connectome.positions if same else None
