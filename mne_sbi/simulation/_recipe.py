"""What simulations are made from: checked, and described in plain values."""

import dataclasses
from importlib.metadata import version

import numpy as np
from sklearn.base import clone

from .._checks import check_array, listing
from .._parameters import check_known, check_not_far
from .._priors import Prior, make_prior
from ..features import FeatureExtractor, LogPSD
from ..models import ForwardModel, get_model
from ._source import describe_code

# Settings that decide how a model is simulated, not what comes out of it.
_NOT_DECISIVE = ("engine", "n_jobs", "verbose")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that a chunk of simulations is a function of, but its number and the seed.

    Parameters
    ----------
    model : ForwardModel
        The model.
    prior : Prior
        Parameters to draw.
    features : FeatureExtractor
        Makes the summaries.
    fixed : dict of float
        Values of the other parameters.
    nodes : tuple of int | None
        The nodes that are kept.
    """

    model: ForwardModel
    prior: Prior
    features: FeatureExtractor
    fixed: dict
    nodes: tuple | None

    def complete(self, theta):
        """Return all parameters by name, arrays of shape (n,)."""
        n = len(theta)
        constant = {name: np.full(n, value) for name, value in self.fixed.items()}
        return self.prior.as_dict(theta) | constant

    def get_provenance(self):
        """Describe how simulations are made, for whoever reads them."""
        names = self.model.node_names
        if names is not None and self.nodes is not None:
            names = [names[i] for i in self.nodes]
        return {
            "model": one_line(self.model),
            "settings": describe_settings(self.model),
            "features": one_line(self.features),
            "summaries": self.features.describe_summaries(),
            "fixed": {name: float(value) for name, value in self.fixed.items()},
            "node_names": None if names is None else list(names),
            "mne_sbi": version("mne-sbi"),
            "code": describe_code(self.model, self.features),
        }

    def get_identity(self):
        """Describe what decides the simulations, by which chunks are told apart."""
        # How many threads compute a table, or say so, makes no other numbers.
        silent = clone(self.model)
        threads = {"n_jobs", "verbose"} & set(silent.get_params(deep=False))
        silent.set_params(**dict.fromkeys(threads))
        identity = self.get_provenance() | {"model": one_line(silent)}
        # Scaling and noise are no part of the summaries.
        del identity["features"]
        identity["nodes"] = None if self.nodes is None else list(self.nodes)
        identity["prior"] = {
            p.name: [p.low, p.high, p.scale] for p in self.prior.parameters
        }
        return identity


def make_recipe(model, prior, features, fixed, nodes):
    """Check what a caller gives, and fill in what is left out.

    Parameters
    ----------
    model : ForwardModel | str
        The model, or its registered name.
    prior : Prior | dict | None
        Parameters to draw.
    features : FeatureExtractor | None
        Makes the summaries.
    fixed : dict of float | None
        Values of other parameters.
    nodes : array_like of int | None
        The nodes that are kept.

    Returns
    -------
    recipe : Recipe
        All of it.

    Raises
    ------
    TypeError
        If something is of another type.
    ValueError
        If a parameter is not known, fixed and drawn, or out of the model's range, or a
        node is not there.
    """
    model = as_model(model)
    prior, others = make_prior(model.get_parameters(), model.default_free, prior)
    fixed = {} if fixed is None else fixed
    if not isinstance(fixed, dict):
        raise TypeError(
            "fixed must be a dict such as {'speed': 10.0} or None, got "
            f"{type(fixed).__name__}."
        )
    check_known(fixed, [p.name for p in model.get_parameters()])
    fixed = {n: float(check_array(n, v, shape=())) for n, v in fixed.items()}
    for parameter in model.get_parameters():
        check_not_far(parameter, fixed.get(parameter.name, parameter.low), "fixed")
    both = [name for name in fixed if name in prior.names]
    if both:
        raise ValueError(
            f"{' and '.join(both)} cannot be both fixed and drawn from the prior. "
            "Leave it out of fixed, or out of the prior."
        )
    recipe = Recipe(
        model,
        prior,
        _as_features(features, model),
        others | fixed,
        _as_nodes(nodes, model.node_names),
    )
    ranges = {name: (value, value) for name, value in recipe.fixed.items()}
    model.check_ranges(ranges | {p.name: (p.low, p.high) for p in prior.parameters})
    return recipe


def as_model(model):
    """Return a model that was given as an object or by its registered name.

    Parameters
    ----------
    model : ForwardModel | str
        The model.

    Returns
    -------
    model : ForwardModel
        The same object, or a new one with default settings.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(model, str):
        return get_model(model)()
    if isinstance(model, type):
        raise TypeError(
            f"model must be an object, got the class {model.__name__}. Write "
            f"{model.__name__}(...)."
        )
    if not isinstance(model, ForwardModel):
        raise TypeError(f"model must be a ForwardModel or a name, got {model!r}.")
    return model


def _as_features(features, model):
    if features is None:
        is_spectrum = model.output == "spectrum"
        return LogPSD(freqs=model.get_freqs() if is_spectrum else None)
    if not isinstance(features, FeatureExtractor):
        raise TypeError(
            "features must be a FeatureExtractor such as LogPSD(), or None, got "
            f"{features!r}."
        )
    return features


def _as_nodes(nodes, names):
    if nodes is None:
        return None
    array = np.asarray(nodes)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        raise TypeError(
            "nodes must be a sequence of integers, the numbers of the nodes to keep, "
            f"or None, got {nodes!r}."
        )
    end = len(names) if names is not None else np.inf
    if (array < 0).any() or (array >= end).any():
        among = "" if names is None else f" and less than {end}"
        raise ValueError(f"nodes must be at least 0{among}, got {array.tolist()}.")
    values, counts = np.unique(array, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"nodes must differ, got {listing(values[counts > 1].tolist())} more than "
            "once: a copy of a node is no further observation."
        )
    return tuple(array.tolist())


def describe_settings(model):
    """Describe the settings that decide what a model simulates, in plain values.

    Parameters
    ----------
    model : ForwardModel
        The model.

    Returns
    -------
    settings : dict of (str | float | list | dict | None)
        By name; the connectome by its fingerprint.
    """
    settings = model.get_params(deep=False)
    # What is None stands for something: for that.
    if hasattr(model, "get_connectome"):
        settings["connectome"] = model.get_connectome()
    if model.output == "spectrum":
        settings["freqs"] = model.get_freqs()
    return {
        name: _plain(value)
        for name, value in settings.items()
        if name not in _NOT_DECISIVE
    }


def _plain(value):
    if isinstance(value, ForwardModel):
        # A model round another one: its settings, whose connectome has a fingerprint.
        return {"class": type(value).__name__} | describe_settings(value)
    value = getattr(value, "fingerprint", value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if type(value).__repr__ is object.__repr__:
        # It would tell an address, which is another one in each process.
        return type(value).__name__
    return " ".join(repr(value).split())


def one_line(estimator):
    """Return an estimator as code in one line."""
    return " ".join(repr(estimator).split())
