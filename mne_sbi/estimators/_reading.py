"""How an inverter reads the X and y that scikit-learn's methods take."""

import contextlib
import dataclasses
import logging
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_array as check_sklearn_array
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_array, check_no_mask, check_one_per
from .._recording import as_recording, collect
from .._sensors import match_ch_names
from ._inputs import check_rate, check_start, match_nodes, match_rows
from ._plausibility import warn_if_implausible, warn_if_synthetic, warn_if_unlike
from ._sensors import match_channels, refuse_missing

# Attributes that only some kinds of X leave.
_FROM_X = (
    "n_features_in_",
    "feature_names_in_",
    "input_shape_",
    "largest_distance_",
    "n_rows_",
)


def forget_inputs(inverter):
    """Delete what an earlier fit learnt of X, so that it does not bind the next.

    Parameters
    ----------
    inverter : ModelInverter
        The inverter.
    """
    for name in _FROM_X:
        inverter.__dict__.pop(name, None)


def read_observations(inverter, X, *, reset):
    """Read X.

    Parameters
    ----------
    inverter : ModelInverter
        The inverter; gets ``n_features_in_`` if X is an array and ``reset`` is true.
    X : array_like | MNE object | list
        Observations.
    reset : bool
        Whether this is ``fit``, or X has to be like that of ``fit``.

    Returns
    -------
    recording : Recording
        The observations.
    """
    recording = _as_recording(inverter, X, reset=reset)
    if recording.from_mne:
        return recording
    data = _validate(inverter, recording.data, reset=reset)
    return dataclasses.replace(recording, data=data)


def _as_recording(inverter, X, *, reset):
    """Cross the border with the settings of the inverter."""
    elements = collect(X)
    if not hasattr(X, "iloc"):  # whose index names the observations
        X = elements
    picks = inverter.picks
    through = inverter.lead_field
    if not reset:
        through = inverter.lead_field_
        if through is not None:
            # The same channels as in the fit, or their average would be another
            # reference.
            picks = list(inverter.ch_names_)
            _check_channels(elements, picks)
    with _log_level(inverter.verbose):
        return as_recording(
            X,
            labels=inverter.labels,
            src=inverter.src,
            mode=inverter.mode,
            picks=picks,
            duration=_window_length(inverter, elements),
            sensors=through is not None,
        )


def _window_length(inverter, X):
    """Length of the windows that a Raw is cut into.

    For a model of time series it is the length of the simulations too, which other
    observations have without being cut.
    """
    if inverter.model_.output == "spectrum" or inverter.duration is None:
        return inverter.duration
    first = X[0] if isinstance(X, (list, tuple)) and len(X) else X
    is_raw = hasattr(first, "first_samp") and hasattr(first, "info")
    return inverter.duration if is_raw else None


def _log_level(verbose):
    """Set the log level of MNE-Python while a recording is read.

    Warnings of what makes an answer wrong are shown as everywhere else in an inverter:
    the level of MNE-Python decides, not ``verbose``.
    """
    if verbose is None:
        return contextlib.nullcontext()
    from mne.utils import logger, use_log_level

    before = logger.level
    with use_log_level(verbose):
        asked = logger.level
    return use_log_level(min(asked, max(before, logging.WARNING)))


def _check_channels(X, ch_names):
    """Refuse recordings of MNE-Python that lack channels of the fit."""
    for inst in X if isinstance(X, (list, tuple)) else [X]:
        if not hasattr(inst, "ch_names") or not hasattr(inst, "info"):
            continue
        good = [name for name in inst.ch_names if name not in inst.info["bads"]]
        matched = match_ch_names(ch_names, good)
        refuse_missing([name for name in ch_names if name not in matched], ch_names)


def read_pairs(inverter, X, y):
    """Read the X and y of ``fit(X, y)``.

    Parameters
    ----------
    inverter : ModelInverter
        The inverter; gets ``n_features_in_`` if X is an array.
    X : array_like | MNE object | list
        Observations or features.
    y : array_like, shape (n_obs,) | (n_obs, n_params)
        Parameters.

    Returns
    -------
    recording : Recording
        The observations.
    theta : ndarray of float, shape (n_obs,) | (n_obs, n_params)
        The parameters.
    """
    check_no_mask("y", y)
    is_list = isinstance(y, list | tuple) and len(y) and isinstance(y[0], dict)
    is_record = getattr(getattr(y, "dtype", None), "names", None) is not None
    if isinstance(y, dict) or is_list or is_record:
        raise TypeError(
            f"y must be an array or a pandas.DataFrame, got {type(y).__name__} with "
            "named values. Give pandas.DataFrame(y)."
        )
    recording = _as_recording(inverter, X, reset=True)
    if not recording.from_mne:
        data, y = _validate(inverter, X, y, reset=True)
        recording = dataclasses.replace(recording, data=data)
        return recording, np.asarray(y, dtype=float)
    if np.asarray(y).dtype.kind not in "f":
        raise ValueError(
            "y must hold parameters, which are not integers or words as labels of "
            "conditions are. To classify, fit the inverter without y first and put "
            "sklearn.frozen.FrozenEstimator(inverter) into the pipeline; parameters go "
            "in as np.asarray(y, dtype=float)."
        )
    y = check_array("y", y)
    if y.ndim not in (1, 2) or len(y) != len(recording):
        raise ValueError(
            f"y must have a row for each of the {len(recording)} recordings, got the "
            f"shape {y.shape}."
        )
    return recording, y


def _validate(inverter, X, y=None, *, reset):
    """Validate arrays as scikit-learn does it; return X, or X and y."""
    settings = {
        "reset": reset,
        "dtype": [np.float64, np.float32],
        "allow_nd": True,
        "order": "C",
        # Said by our own check, whose message tells where and what to do.
        "ensure_all_finite": False,
    }
    if y is None:
        if not reset and inverter.features_ is not None:
            # Data of the model may be flat or not, whatever they were in fit; their
            # shape is checked against the model.
            del settings["reset"]
            if hasattr(X, "columns") and hasattr(inverter, "feature_names_in_"):
                # Columns in another order would be another spectrum.
                validate_data(inverter, X, reset=False, skip_check_array=True)
            X = check_sklearn_array(X, estimator=inverter, input_name="X", **settings)
        else:
            X = validate_data(inverter, X, **settings)
        return check_array("X", X, dtype=None)
    settings |= {"multi_output": True, "y_numeric": True, "ensure_min_samples": 2}
    X, y = validate_data(inverter, X, y, **settings)
    return check_array("X", X, dtype=None), check_array("y", y)


class Observed(NamedTuple):
    """Features of observations.

    Parameters
    ----------
    x : ndarray, shape (n_obs * n_rows, ...)
        What the method sees, observation by observation.
    names : tuple of str | None
        Names of the rows of ``x``, where there are any.
    n_rows : int
        Rows of a recording that are inverted by themselves; 1 where they are inverted
        together.
    row_names : tuple of str | None
        Their names, where there are any.
    """

    x: np.ndarray
    names: tuple | None
    n_rows: int = 1
    row_names: tuple | None = None


def name_rows(obs_names, row_names, n_obs, n_rows):
    """Name what is inverted: observations, and the rows of each by themselves.

    Parameters
    ----------
    obs_names : sequence of str | None
        Names of the observations.
    row_names : sequence of str | None
        Names of the rows of each.
    n_obs, n_rows : int
        Numbers of both.

    Returns
    -------
    names : tuple of str | None
        ``None`` if neither have names.
    """
    if n_rows == 1:
        return None if obs_names is None else tuple(obs_names)
    if obs_names is None and row_names is None:
        return None
    rows = range(n_rows) if row_names is None else row_names
    if n_obs == 1 and obs_names is None:
        return tuple(rows)
    observations = range(n_obs) if obs_names is None else obs_names
    return tuple(f"{obs}, {row}" for obs in observations for row in rows)


def read_features(inverter, X, obs_names=None):
    """Read X and make the features of it that the method has learnt from.

    Parameters
    ----------
    inverter : ModelInverter
        A fitted inverter.
    X : array_like | MNE object | list
        Observations, or features after ``fit(X, y)`` with features.
    obs_names : sequence of str | None
        Names of the observations; by default those that X has.

    Returns
    -------
    observed : Observed
        The features, with names.

    Raises
    ------
    NotFittedError
        If the inverter is not fitted.
    ValueError
        If X is not like what the inverter was fitted to.
    """
    check_is_fitted(inverter)
    recording = read_observations(inverter, X, reset=False)
    if obs_names is not None:
        obs_names = check_one_per("obs_names", obs_names, len(recording), "observation")
        recording = dataclasses.replace(recording, obs_names=tuple(obs_names))
    if recording.from_mne:
        warn_if_synthetic(inverter.model_, recording)
        check_rate(inverter.model_, recording)
        check_start(inverter.model_, recording)
    if inverter.features_ is None:
        data = np.asarray(recording.data)
        if recording.from_mne or data.shape[1:] != inverter.input_shape_:
            raise ValueError(
                "This inverter was fitted with fit(X, y) on features of shape "
                f"{inverter.input_shape_} per observation. Give such features."
            )
        return Observed(data.reshape(len(data), -1), recording.obs_names)
    if inverter.ch_names_ is not None:
        recording = match_channels(recording, inverter.lead_field_, inverter.projector_)
    else:
        recording = match_nodes(recording, inverter.model_, inverter.node_names_)
        recording = match_rows(recording, inverter.row_names_)
    summaries = inverter.observation_.summarize(recording)
    warn_if_implausible(inverter, recording, summaries)
    x = inverter.observation_.normalize(summaries)
    warn_if_unlike(inverter, x)
    n_obs = len(recording)
    n_rows = len(x) // n_obs
    names = name_rows(recording.obs_names, recording.names, n_obs, n_rows)
    return Observed(x, names, n_rows, recording.names)
