"""The two ways to fit an inverter: to its own simulations, or to a caller's pairs."""

import dataclasses

import numpy as np
from sklearn.utils.validation import validate_data

from .._recording import as_recording
from ..simulation._run import get_model_freqs
from ._inputs import adapt_model, find_nodes
from ._observation import ObservationModel
from ._setup import check_bank, prior_for_pairs, warn_if_synthetic


def fit_to_simulations(inverter, X):
    """Simulate what X tells of the measurement, and train.

    Parameters
    ----------
    inverter : ModelInverter
        An inverter with model, prior and method; gets the other fitted attributes.
    X : array_like | MNE object | list | None
        Observations, of which only the set-up is used.
    """
    inverter.y_ndim_ = 2
    recording = None if X is None else inverter._read(X, reset=True)
    names = inverter.nodes
    if recording is not None:
        adapt_model(inverter.model_, recording)
        names = recording.names if recording.from_mne else names
    warn_if_synthetic(inverter.model_, recording)
    _set_observation(inverter, names)
    if recording is not None:
        # Only looked at to see whether it fits.
        inverter.observation_.summarize(recording)
    inverter.bank_ = _get_bank(inverter)
    bank, observation = inverter.bank_, inverter.observation_
    rows = np.flatnonzero(bank.valid)
    summaries = bank.x if len(rows) == len(bank) else bank.x[rows]
    resample = None
    if observation.is_noisy:

        def resample(indices, rng):
            return observation.observe(summaries[indices], rng)

    inverter.method_.fit(
        inverter.prior_.to_unit(bank.theta[rows]),
        observation.normalize(summaries),
        resample=resample,
        random_state=inverter.seed_,
        verbose=inverter.verbose,
    )


def fit_to_pairs(inverter, X, y):
    """Train on the caller's data or features and parameters.

    Parameters
    ----------
    inverter : ModelInverter
        An inverter with model, prior and method; gets the other fitted attributes.
    X : array_like, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
        Data in the form of the model's, which pass through the features, or features.
    y : array_like, shape (n_obs,) | (n_obs, n_params)
        Parameters.
    """
    X, y = validate_data(
        inverter,
        X,
        y,
        reset=True,
        dtype=[np.float64, np.float32],
        allow_nd=True,
        multi_output=True,
        y_numeric=True,
        ensure_min_samples=2,
    )
    theta = np.asarray(y, dtype=float)
    inverter.y_ndim_ = theta.ndim
    theta = theta.reshape(len(theta), -1)
    inverter.prior_ = prior_for_pairs(inverter.prior_, theta)
    _set_observation(inverter, inverter.nodes)
    inverter.bank_ = None
    if _is_data(inverter, X.shape):
        summaries = inverter.observation_.summarize(as_recording(X))
        x = inverter.observation_.normalize(summaries)
    else:
        inverter.features_ = None
        x = X.reshape(len(X), -1)
    inverter.input_shape_ = X.shape[1:]
    inverter.method_.fit(
        inverter.prior_.to_unit(theta),
        x,
        random_state=inverter.seed_,
        verbose=inverter.verbose,
    )


def _set_observation(inverter, names):
    """Put together what is observed of the model."""
    features = inverter._make_features()
    if inverter.model_.output == "spectrum" and hasattr(features, "freqs"):
        features.set_params(freqs=get_model_freqs(inverter.model_))
    inverter.features_ = features
    inverter.observation_ = ObservationModel(
        inverter.model_,
        inverter.prior_,
        inverter.fixed_,
        features,
        find_nodes(inverter.model_, names),
        inverter.unit,
    )
    inverter.node_names_ = inverter.observation_.node_names


def _get_bank(inverter):
    """Return the caller's simulations, checked, or new ones."""
    bank = inverter.simulations
    if bank is None:
        return inverter.observation_.simulate_bank(
            inverter.n_simulations,
            inverter.seed_,
            n_jobs=inverter.n_jobs,
            verbose=inverter.verbose,
        )
    check_bank(bank, inverter.prior_, inverter.node_names_)
    inverter.prior_ = bank.prior
    inverter.fixed_ = inverter.fixed_ | bank.provenance.get("fixed", {})
    inverter.observation_ = dataclasses.replace(
        inverter.observation_, prior=bank.prior, fixed=inverter.fixed_
    )
    return bank


def _is_data(inverter, shape):
    """Say whether arrays of this shape are data of the model."""
    if len(shape) == 3:
        return True
    if inverter.model_.output != "spectrum":
        return False
    n_freqs = len(get_model_freqs(inverter.model_))
    return shape[1] == len(inverter.node_names_) * n_freqs
