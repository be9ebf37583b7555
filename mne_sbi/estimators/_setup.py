"""What an inverter is made of: model, method, prior and simulations, checked."""

import json
import numbers
import re
from pathlib import Path

import numpy as np
from sklearn.base import clone

from .._checks import check_option, listing
from .._parameters import check_inside, check_known, is_inside
from .._priors import Prior
from .._symmetries import describe_symmetry, find_symmetries
from .._warnings import warn_user
from ..features import FeatureExtractor
from ..simulation import SimulationBank, read_simulation_bank
from ..simulation._recipe import as_model, describe_settings
from ..simulation._source import describe_code

_METHODS = {"npe": "NPE", "point": "PointRegressor", "abc": "RejectionABC"}
# Fewer simulations cannot be split for training and validation.
_N_LEAST = 10


def make_model(model):
    """Return a model of the inverter's own.

    Parameters
    ----------
    model : ForwardModel | str
        A model, or its registered name.

    Returns
    -------
    model : ForwardModel
        A clone.

    Raises
    ------
    TypeError
        If it is something else.
    """
    return clone(as_model(model))


def make_features(features, default):
    """Return features of the inverter's own.

    Parameters
    ----------
    features : FeatureExtractor | None
        The setting.
    default : FeatureExtractor
        What ``None`` stands for.

    Returns
    -------
    features : FeatureExtractor
        A clone, or the default.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if features is None:
        return default
    if not isinstance(features, FeatureExtractor):
        raise TypeError(
            f"features must be a FeatureExtractor such as LogPSD(), or None, got "
            f"{features!r:.80}."
        )
    return clone(features)


def make_method(method):
    """Return an inference method of the inverter's own.

    Parameters
    ----------
    method : InferenceMethod | str
        A method, or ``"npe"``, ``"point"`` or ``"abc"``.

    Returns
    -------
    method : InferenceMethod
        A clone, not fitted.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If it is another string.
    """
    from .. import inference

    if isinstance(method, str):
        name = _METHODS[check_option("method", method, tuple(_METHODS))]
        return getattr(inference, name)()
    if not isinstance(method, inference.InferenceMethod):
        raise TypeError(
            f"method must be an InferenceMethod or one of {list(_METHODS)}, got "
            f"{method!r}."
        )
    return clone(method)


def has_network(method):
    """Return whether a method trains a network of Keras."""
    from ..inference import NPE, PointRegressor

    return isinstance(method, (NPE, PointRegressor))


def needs_sequences(method):
    """Say whether a method's network runs along sequences.

    Parameters
    ----------
    method : InferenceMethod
        The method.

    Returns
    -------
    needs : bool
        Otherwise the features of an observation are one row of numbers.
    """
    return getattr(method, "embedding", "mlp") != "mlp"


def warn_if_symmetric(model, free, fixed):
    """Warn of parameters that no data can tell apart.

    Parameters
    ----------
    model : ForwardModel
        The model.
    free : sequence of str
        The parameters that are not known.
    fixed : dict of float
        The others.
    """
    for symmetry in find_symmetries(model.get_symmetries(), free, fixed=fixed):
        warn_user(
            f"{describe_symmetry(symmetry)}. Along this direction the posterior is as "
            "wide as the prior, however good the data. Fix one of them in the prior, "
            "or infer combinations that stay the same."
        )


def check_n_simulations(n):
    """Check the number of simulations before the first of them is made.

    Parameters
    ----------
    n : int
        The number.

    Raises
    ------
    ValueError
        If it is no integer, or too small to learn from.
    """
    is_integer = isinstance(n, (int, np.integer)) and not isinstance(n, bool)
    if not is_integer or n < _N_LEAST:
        raise ValueError(
            f"n_simulations must be an integer of at least {_N_LEAST}, got {n!r}. "
            "Useful results need thousands."
        )


def names_of_pairs(y, wishes):
    """Return the names of the parameters in y, where it has any.

    Parameters
    ----------
    y : array_like | DataFrame | Series
        The caller's parameters.
    wishes : dict | Prior | None
        The caller's prior.

    Returns
    -------
    names : list of str | None
        The names of a data frame's columns, or of a series.

    Raises
    ------
    ValueError
        If the prior fixes one of them.
    """
    names = getattr(y, "columns", [getattr(y, "name", None)])
    if not len(names) or not all(isinstance(name, str) for name in names):
        return None
    wishes = wishes if isinstance(wishes, dict) else {}
    fixed = [name for name in names if isinstance(wishes.get(name), numbers.Real)]
    if fixed:
        raise ValueError(
            f"y has values of {', '.join(fixed)}, which the prior fixes. Leave them "
            "out of y, or give the prior ranges of them."
        )
    return list(names)


def prior_for_pairs(prior, theta, names, model):
    """Choose the prior of pairs that the caller gives.

    Parameters
    ----------
    prior : Prior
        The prior of the model.
    theta : ndarray, shape (n, n_params)
        The caller's parameters.
    names : sequence of str | None
        Their names, where the caller gave a data frame.
    model : ForwardModel
        The model.

    Returns
    -------
    prior : Prior
        The model's parameters of these names, or all inferred ones, if there are as
        many; otherwise the box round the caller's parameters.

    Raises
    ------
    ValueError
        If a name is not one of the model's, or a value lies outside of the range of the
        prior and of the model.
    """
    own = {p.name: p for p in model.get_parameters()}
    inferred = {p.name: p for p in prior.parameters}
    hint = ""
    if names is not None:
        check_known(names, own | inferred)
    elif theta.shape[1] == len(prior.names):
        names = prior.names
        hint = (
            f" The columns of y are {', '.join(names)}; those of a pandas.DataFrame "
            "are found by name, in any order."
        )
    else:
        return Prior.from_samples(theta)
    chosen = []
    for name, values in zip(names, theta.T, strict=True):
        options = [d[name] for d in (inferred, own) if name in d]
        inside = [p for p in options if is_inside(p, values)]
        if not inside:
            check_inside(options[0], values, "y", hint)
        chosen.append(inside[0])
    return Prior(chosen)


def open_bank(simulations):
    """Return the simulations of a setting, read from disk if it names a file.

    Parameters
    ----------
    simulations : SimulationBank | path-like
        The setting.

    Returns
    -------
    bank : SimulationBank
        The simulations.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(simulations, (str, Path)):
        return read_simulation_bank(simulations)
    if not isinstance(simulations, SimulationBank):
        raise TypeError(
            "simulations must be a SimulationBank, as simulate(), the attribute bank_ "
            "of an inverter and read_simulation_bank() give it, or the file of one, "
            f"got {type(simulations).__name__}."
        )
    return simulations


def check_bank(bank, inverter):
    """Check that simulations are of what is to be inferred.

    Parameters
    ----------
    bank : SimulationBank
        The simulations.
    inverter : ModelInverter
        An inverter with model, prior and observed nodes.

    Returns
    -------
    rows : ndarray of int | None
        Where the observed nodes stand among those of the bank; ``None`` if they are
        the same in the same order.

    Raises
    ------
    ValueError
        If model, parameters, settings of the model or summaries are others, or
        observed nodes are missing.
    """
    _check_bank_model(bank, inverter)
    _check_bank_parameters(bank, inverter)
    _check_bank_summaries(bank, inverter)
    _check_bank_code(bank, inverter)
    made_with = bank.provenance.get("settings")
    if made_with is not None:
        asked = describe_settings(inverter.model_)
        # Through JSON, as the bank's own went if it was read from a file.
        asked = json.loads(json.dumps(asked))
        made_with = json.loads(json.dumps(made_with))
        other = [n for n in asked if n in made_with and asked[n] != made_with[n]]
        if other:
            raise ValueError(
                f"The simulations were made with another {' and '.join(other)} of the "
                "model. Give the model the same settings, or simulate again with "
                "simulations=None."
            )
    return _find_bank_rows(bank, inverter)


def _find_bank_rows(bank, inverter):
    """Find the observed nodes among those that were simulated."""
    made_for, names = bank.provenance.get("node_names"), inverter.node_names_
    if made_for is None or names is None or list(made_for) == list(names):
        return None
    features = inverter.observation_.simulated_features
    missing = [name for name in names if name not in made_for]
    if not missing and features.keeps_nodes:
        return np.array([made_for.index(name) for name in names])
    raise ValueError(
        f"The simulations are of {len(made_for)} nodes ({listing(made_for, 3)}) and "
        f"the recording of {len(names)} ({listing(names, 3)}), of which {len(missing)} "
        f"were not simulated: {listing(missing)}. Simulate for the recorded nodes."
    )


def _check_bank_model(bank, inverter):
    """Check that a bank is of the same model, where it says of which."""
    # As `simulate` writes it: the model as code. Others may write what they like.
    found = re.match(r"(\w+)\(", str(bank.provenance.get("model", "")))
    mine = type(inverter.model_).__name__
    if found and found[1] != mine:
        raise ValueError(
            f"The simulations are of the model {found[1]}, not of {mine}. Give that "
            "model, or simulate again with simulations=None."
        )


def _check_bank_code(bank, inverter):
    """Warn of models and features whose source changed since they simulated."""
    made = bank.provenance.get("code", {})
    features = inverter.observation_.simulated_features
    asked = describe_code(inverter.model_, features)
    other = [n for n in asked if n in made and made[n] != asked[n]]
    if other:
        warn_user(
            f"The code of {' and '.join(other)} has changed since the simulations were "
            "made, which may make every answer wrong. Simulate again with "
            "simulations=None."
        )


def _check_bank_summaries(bank, inverter):
    """Check that a bank holds the summaries that the features make of recordings."""
    made = bank.provenance.get("summaries")
    if made is None:
        return
    asked = inverter.observation_.simulated_features.describe_summaries()
    compared = made.keys() | asked.keys()
    if inverter.model_.output == "spectrum":
        # Its frequencies are the model's and compared as such, and there is no window.
        compared &= {"class", "gain"}
    other = sorted(n for n in compared if made.get(n) != asked.get(n))
    if other:
        if "gain" in other:
            raise ValueError(
                "The simulations went through another lead field than the recording, "
                "or one of them through none. Simulate again with simulations=None."
            )
        was = ", ".join(f"{n}={made.get(n)}" for n in other)
        now = ", ".join(f"{n}={asked.get(n)}" for n in other)
        raise ValueError(
            f"The simulations were summarised with {was}, and the features have {now}. "
            "Give the same features, or simulate again with simulations=None."
        )


def _check_bank_parameters(bank, inverter):
    """Check that a bank varies what is to be inferred, over the same ranges."""
    prior = inverter.prior_
    if inverter.prior is None:
        # Without a wish of the user's, what the simulations vary is inferred.
        return
    if bank.prior.names != prior.names:
        raise ValueError(
            f"The simulations vary {list(bank.prior.names)}, but {list(prior.names)} "
            "are to be inferred. Make others, give the same prior, or leave prior=None "
            "to infer what they vary."
        )
    other = [
        mine.name
        for mine, theirs in zip(prior.parameters, bank.prior.parameters, strict=True)
        if (mine.low, mine.high, mine.scale) != (theirs.low, theirs.high, theirs.scale)
    ]
    fixed = bank.provenance.get("fixed", {})
    other += [n for n, v in inverter.fixed_.items() if fixed.get(n, v) != v]
    if other:
        raise ValueError(
            f"The simulations have another range or value of {' and '.join(other)} "
            "than the prior asks for. Make others, or leave prior=None to infer what "
            "they vary."
        )
