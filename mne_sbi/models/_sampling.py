"""When models that are integrated over time take steps and samples."""

import numbers

import numpy as np

from .._checks import check_array
from .._memory import check_memory

# Samples before the first one that is kept: a day at 1 MHz.
_MOST_BURNT = 1e11


def positive_setting(model, name):
    """Return a setting that must be a positive number.

    Parameters
    ----------
    model : ForwardModel
        The model.
    name : str
        Name of the setting.

    Returns
    -------
    value : float
        Its value.
    """
    value = getattr(model, name)
    if value is None:
        raise ValueError(_describe_missing(model, [name]))
    return float(check_array(name, value, shape=(), positive=True))


def check_is_timed(model):
    """Check that a model of time series has a sampling rate and a duration.

    Parameters
    ----------
    model : ForwardModel
        The model.

    Raises
    ------
    ValueError
        If one of them is None.
    """
    missing = [n for n in ("sfreq", "duration") if getattr(model, n, 0) is None]
    if model.output == "timeseries" and missing:
        raise ValueError(_describe_missing(model, missing))


def _describe_missing(model, names):
    """Write what to give to a model that lacks settings."""
    # A model around another one has its settings inside.
    kind = type(getattr(model, "model", model)).__name__
    return (
        f"{kind} needs {' and '.join(names)}. Create it as {kind}(sfreq=128.0, "
        "duration=10.0), in Hz and s, or fit an inverter to Raw, Epochs or another "
        "time series of MNE-Python: it takes them from the recording."
    )


def split_sample(model):
    """Split the time between two samples into steps.

    Parameters
    ----------
    model : ForwardModel
        A model with ``sfreq`` in Hz and ``step``, the longest step in s.

    Returns
    -------
    step : float
        Step of the integration in s.
    n_steps : int
        Steps from one sample to the next.
    """
    sfreq, longest = (positive_setting(model, name) for name in ("sfreq", "step"))
    # A rate that is a rounded number of Hz is not to cost a whole step more.
    n_steps = max(1, int(np.ceil(1 / (sfreq * longest) * (1 - 1e-9))))
    return 1 / (sfreq * n_steps), n_steps


def count_samples(model):
    """Count the samples before the first one that is kept, and from there on.

    Parameters
    ----------
    model : ForwardModel
        A model with ``sfreq`` in Hz, and ``duration`` and ``burn_in`` in s.

    Returns
    -------
    n_burn : int
        Samples that are left out.
    n_times : int
        Samples of the output.

    Raises
    ------
    ValueError
        If there is none, or the time before them is negative.
    """
    sfreq, duration = (positive_setting(model, name) for name in ("sfreq", "duration"))
    n_times = round(sfreq * duration)
    check_series_size(model)
    if n_times < 1:
        raise ValueError(f"duration={duration:g} s at {sfreq:g} Hz is not one sample.")
    burn_in = float(check_array("burn_in", model.burn_in, shape=()))
    if burn_in < 0:
        raise ValueError(f"burn_in must not be negative, got {burn_in:g} s.")
    if burn_in * sfreq > _MOST_BURNT:
        raise ValueError(
            f"burn_in={burn_in:g} s at {sfreq:g} Hz are {burn_in * sfreq:.3g} samples "
            "before the first one. Give seconds, some few time constants."
        )
    return int(np.ceil(burn_in * sfreq)), n_times


def check_series_size(model, n_draws=1):
    """Raise an error for time series that do not fit into memory.

    Parameters
    ----------
    model : ForwardModel
        A model of time series; nothing is checked where it has no number for its rate
        or duration.
    n_draws : int
        How many simulations are made at once.

    Raises
    ------
    ValueError
        If they take more than all memory.
    """
    sfreq, duration = (getattr(model, name, None) for name in ("sfreq", "duration"))
    if not all(isinstance(v, numbers.Real) for v in (sfreq, duration)):
        return
    n_nodes = len(model.node_names or [0])
    several = f"{n_draws} simulations" if n_draws > 1 else "A simulation"
    check_memory(
        f"{several} of {type(model).__name__} with {n_nodes} nodes",
        4.0 * n_draws * n_nodes * sfreq * duration,
        f"Reduce duration={duration:g} (s) or sfreq={sfreq:g} (Hz).",
    )
