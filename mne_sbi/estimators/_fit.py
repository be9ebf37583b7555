"""The two ways to fit an inverter: to its own simulations, or to a caller's pairs."""

import dataclasses
import time

import numpy as np

from ..models._sampling import check_is_timed
from ._bank_rows import FreshSimulations, TrainingRows
from ._inputs import adapt_features, adapt_model, find_nodes
from ._observation import ObservationModel
from ._plausibility import (
    N_COMPARED,
    measure_simulations,
    take_duration,
    warn_if_implausible,
    warn_if_synthetic,
)
from ._reading import read_observations, read_pairs
from ._sensors import describe_coverage, find_sensors, get_projector
from ._setup import (
    check_bank,
    check_n_simulations,
    has_network,
    names_of_pairs,
    needs_sequences,
    open_bank,
    prior_for_pairs,
)

# Minutes of simulations that are announced.
_LONG = 3


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
    recording = None if X is None else read_observations(inverter, X, reset=True)
    names = inverter.nodes
    if recording is not None:
        window = getattr(inverter._make_features(), "window", None)
        adapt_model(inverter.model_, recording, window)
        names = recording.names if recording.from_mne else names
    warn_if_synthetic(inverter.model_, recording)
    _set_observation(inverter, names, recording)
    if recording is not None:
        # Only looked at to see whether it fits.
        summaries = inverter.observation_.summarize(recording)
        warn_if_implausible(inverter, recording, summaries)
        inverter.n_rows_ = len(summaries) // len(recording)
    start = time.perf_counter()
    inverter.bank_, nodes = _get_bank(inverter)
    if _wants_fresh(inverter):
        _say_cost(inverter, time.perf_counter() - start)
    observation = inverter.observation_
    rows = TrainingRows(inverter.bank_, observation, nodes)
    rng = np.random.default_rng(inverter.seed_)
    settings = {"resample": rows.resample if observation.is_noisy else None}
    x = rows if rows.is_lazy else rows[:]
    if _wants_fresh(inverter):
        # As many as are trained on: the validation rows stay those of the bank.
        n = len(rows) - round(len(rows) * inverter.method_.validation_fraction)
        settings = {"refresh": FreshSimulations(inverter, max(n, 1))}
        x = rows.resample(np.arange(len(rows)), rng)
    inverter.method_.fit(
        inverter.prior_.to_unit(inverter.bank_.theta[rows.valid]),
        x,
        random_state=inverter.seed_,
        verbose=inverter.verbose,
        **settings,
    )
    some = np.sort(rng.permutation(np.arange(N_COMPARED) % len(rows)))
    inverter.largest_distance_ = measure_simulations(
        inverter.method_, lambda: rows.resample(some, rng)
    )


def _say_cost(inverter, seconds):
    """Log how long the simulations of all passes will take, if that is long."""
    from mne.utils import logger, use_log_level

    n_passes = inverter.method_.max_iter
    minutes = seconds * n_passes / 60
    if minutes > _LONG:
        with use_log_level(inverter.verbose):
            logger.info(
                f"Simulating took {seconds:.0f} s and comes before each of {n_passes} "
                f"passes: about {minutes:.0f} min in all. fresh=False simulates once; "
                "fewer n_simulations or a shorter duration take less."
            )


def _wants_fresh(inverter):
    """Say whether to simulate anew for every pass."""
    trains = has_network(inverter.method_)
    return inverter.fresh and trains and inverter.simulations is None


def fit_to_pairs(inverter, X, y):
    """Train on the caller's data or features and parameters.

    Parameters
    ----------
    inverter : ModelInverter
        An inverter with model, prior and method; gets the other fitted attributes.
    X : array_like, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
        Data in the form of the model's, which pass through the features, or features;
        or MNE objects.
    y : array_like | DataFrame, shape (n_obs,) | (n_obs, n_params)
        Parameters; the columns of a data frame bring their names.
    """
    if inverter.simulations is not None:
        raise ValueError(
            "fit(X, y) learns from the pairs that it is given, and simulations= has "
            "others. Leave y out to learn from the simulations, or set "
            "simulations=None."
        )
    recording, theta = read_pairs(inverter, X, y)
    inverter.y_ndim_ = theta.ndim
    theta = theta.reshape(len(theta), -1)
    names = names_of_pairs(y, inverter.prior)
    inverter.prior_ = prior_for_pairs(inverter.prior_, theta, names, inverter.model_)
    # What y does not hold is not learned: it keeps its value.
    inverter.fixed_ = {
        p.name: inverter.fixed_.get(p.name, float(p.default))
        for p in inverter.model_.get_parameters()
        if p.name not in inverter.prior_.names
    }
    names = inverter.nodes
    adapt_model(inverter.model_, recording)
    if recording.from_mne:
        names = recording.names
    warn_if_synthetic(inverter.model_, recording)
    _set_observation(inverter, names, recording)
    inverter.bank_ = None
    if recording.from_mne or _is_data(inverter, recording.data.shape):
        summaries = inverter.observation_.summarize(recording)
        warn_if_implausible(inverter, recording, summaries)
        x = inverter.observation_.normalize(summaries)
        _check_one_row(x, theta)
        inverter.n_rows_ = 1
    else:
        inverter.features_ = None
        x = recording.data.reshape(len(theta), -1)
    if not recording.from_mne:
        inverter.input_shape_ = recording.data.shape[1:]
    inverter.method_.fit(
        inverter.prior_.to_unit(theta),
        x,
        random_state=inverter.seed_,
        verbose=inverter.verbose,
    )


def _check_one_row(x, theta):
    """Refuse pairs of which one observation has several rows, but one parameter set."""
    if len(x) != len(theta):
        raise ValueError(
            f"Each of the {len(theta)} observations has {len(x) // len(theta)} rows, "
            "and a model of one node is fitted to one at a time. Give each row its own "
            "y: X of shape (n_obs * n_rows, 1, n_times), or pick one channel."
        )


def _set_observation(inverter, names, recording):
    """Put together what is observed of the model."""
    check_is_timed(inverter.model_)
    features = inverter._make_features()
    if inverter.model_.output == "spectrum" and hasattr(features, "freqs"):
        freqs = inverter.model_.get_freqs()
        if features.freqs is not None and not np.array_equal(features.freqs, freqs):
            raise ValueError(
                f"The features have {len(features.freqs)} frequencies of their own, "
                f"others than the model's {len(freqs)} from {freqs[0]:g} to "
                f"{freqs[-1]:g} Hz. Leave freqs=None in the features, and give the "
                "frequencies to the model."
            )
        features.set_params(freqs=freqs)
    adapt_features(features, inverter.model_)
    if "n_static" in inverter.method_.get_params(deep=False) and needs_sequences(
        inverter.method_
    ):
        inverter.method_.set_params(n_static=getattr(features, "n_static", 0))
    if inverter.features is None and recording is not None:
        take_duration(features, recording)
    lead_field, mixing = None, None
    if inverter.lead_field is None:
        by_itself = inverter.model_.single_node
        nodes = None if by_itself else find_nodes(inverter.model_, names)
        inverter.row_names_ = tuple(names) if by_itself and names is not None else None
    else:
        lead_field, nodes, mixing = find_sensors(
            inverter.model_,
            inverter.lead_field,
            recording,
            inverter.labels,
            inverter.nodes,
        )
        inverter.row_names_ = None
    inverter.features_ = features
    inverter.observation_ = ObservationModel(
        inverter.model_,
        inverter.prior_,
        inverter.fixed_,
        features,
        nodes,
        inverter.unit,
        mixing,
        flat=not needs_sequences(inverter.method_),
    )
    inverter.node_names_ = inverter.observation_.node_names
    inverter.lead_field_ = lead_field
    inverter.ch_names_ = inverter.projector_ = None
    if lead_field is not None:
        inverter.ch_names_ = lead_field.ch_names
        inverter.projector_ = get_projector(recording, lead_field.ch_names)
    _say_coverage(inverter)


def _say_coverage(inverter):
    """Log which nodes are observed, where it is not all of them."""
    from mne.utils import logger, use_log_level

    text = describe_coverage(inverter.model_, inverter.observation_)
    if text is not None:
        with use_log_level(inverter.verbose):
            logger.info(text)


def _get_bank(inverter):
    """Return the caller's simulations, checked, or new ones, and the nodes to use."""
    if inverter.simulations is None:
        check_n_simulations(inverter.n_simulations)
        ranges = {name: (v, v) for name, v in inverter.fixed_.items()}
        ranges |= {p.name: (p.low, p.high) for p in inverter.prior_.parameters}
        inverter.model_.check_ranges(ranges)
        bank = inverter.observation_.simulate_bank(
            inverter.n_simulations,
            inverter.seed_,
            n_jobs=inverter.n_jobs,
            verbose=inverter.verbose,
        )
        return bank, None
    bank = open_bank(inverter.simulations)
    nodes = check_bank(bank, inverter)
    inverter.prior_ = bank.prior
    defaults = {p.name: float(p.default) for p in inverter.model_.get_parameters()}
    fixed = defaults | inverter.fixed_ | bank.provenance.get("fixed", {})
    inverter.fixed_ = {n: v for n, v in fixed.items() if n not in bank.prior.names}
    inverter.observation_ = dataclasses.replace(
        inverter.observation_, prior=bank.prior, fixed=inverter.fixed_
    )
    return bank, nodes


def _is_data(inverter, shape):
    """Say whether arrays of this shape are data of the model."""
    if len(shape) == 3:
        return True
    if inverter.model_.output != "spectrum":
        return False
    n_freqs = len(inverter.model_.get_freqs())
    return shape[1] == len(inverter.node_names_) * n_freqs
