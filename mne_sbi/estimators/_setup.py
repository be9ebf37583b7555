"""What an inverter is made of: model, method, prior and simulations, checked."""

import numpy as np
from sklearn.base import clone

from .._checks import check_option
from .._priors import Prior
from ..models import ForwardModel, get_model
from ._inputs import get_connectome

_METHODS = {"npe": "NPE", "point": "PointRegressor", "abc": "RejectionABC"}


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
    if isinstance(model, str):
        return get_model(model)()
    if isinstance(model, type):
        raise TypeError(
            f"model must be an object, got the class {model.__name__}. Write "
            f"{model.__name__}(...)."
        )
    if not isinstance(model, ForwardModel):
        raise TypeError(f"model must be a ForwardModel or a name, got {model!r}.")
    return clone(model)


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


def prior_for_pairs(prior, theta):
    """Choose the prior of pairs that the caller gives.

    Parameters
    ----------
    prior : Prior
        The prior of the model.
    theta : ndarray, shape (n, n_params)
        The caller's parameters.

    Returns
    -------
    prior : Prior
        The model's, if it has as many parameters and holds all of theirs; otherwise
        the box round the caller's parameters.
    """
    same = theta.shape[1] == len(prior.names)
    if same and np.isfinite(prior.log_prob(theta)).all():
        return prior
    return Prior.from_samples(theta, prior.names if same else None)


def check_bank(bank, prior, node_names):
    """Check that simulations are of what is to be inferred.

    Parameters
    ----------
    bank : SimulationBank
        The simulations.
    prior : Prior
        What is to be inferred.
    node_names : sequence of str | None
        The observed nodes.

    Raises
    ------
    ValueError
        If parameters or nodes are others.
    """
    if bank.prior.names != prior.names:
        raise ValueError(
            f"The simulations vary {list(bank.prior.names)}, but {list(prior.names)} "
            "are to be inferred. Make others, or give the same prior."
        )
    made_for = bank.provenance.get("node_names")
    if made_for is None or node_names is None or list(made_for) == list(node_names):
        return
    raise ValueError(
        f"The simulations are of {len(made_for)} nodes ({', '.join(made_for[:3])} ...) "
        f"and the recording of {len(node_names)} ({', '.join(node_names[:3])} ...), or "
        "they stand in another order. Simulate for the recorded nodes."
    )


def warn_if_synthetic(model, recording):
    """Warn that a synthetic connectome is no basis for results on recordings.

    Parameters
    ----------
    model : ForwardModel
        The model.
    recording : Recording | None
        What is inverted. Arrays may be simulated: for them the warning comes only
        where nobody asked for the synthetic connectome by name.
    """
    connectome = get_connectome(model)
    if connectome is None or not connectome.synthetic or recording is None:
        return
    chosen = getattr(model, "connectome", None) is not None
    if recording.from_mne or not chosen:
        from mne.utils import warn

        warn(
            "The synthetic connectome that comes with mne_sbi is in use. It serves "
            "demonstrations; for recordings, pass a measured one: "
            "connectome=mne_sbi.datasets.fetch_connectome()."
        )
