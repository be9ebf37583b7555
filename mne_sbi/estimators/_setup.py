"""What an inverter is made of: model, method, prior and simulations, checked."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
from sklearn.base import clone

from .._checks import check_option, listing
from .._priors import Prior
from .._symmetries import describe_symmetry, find_symmetries
from .._warnings import warn_user
from ..features import FeatureExtractor
from ..simulation import SimulationBank, read_simulation_bank
from ..simulation._recipe import as_model, describe_settings

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
        The model's, if it has as many parameters, of these names if there are any, and
        holds all values; otherwise the box round the caller's parameters.
    """
    if names is not None:
        names = tuple(str(name) for name in names)
    elif theta.shape[1] == len(prior.names):
        names = prior.names
    if names == prior.names and np.isfinite(prior.log_prob(theta)).all():
        return prior
    known = {p.name: p for p in (*model.get_parameters(), *prior.parameters)}
    box = Prior.from_samples(theta, names)
    return Prior(
        dataclasses.replace(p, unit=known[p.name].unit, doc=known[p.name].doc)
        if p.name in known
        else p
        for p in box.parameters
    )


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
