"""Make simulations in chunks, each a pure function of model, prior, seed and number."""

import contextlib
from importlib.metadata import version

import numpy as np

from .._checks import draw_seed
from .._threads import one_blas_thread
from ._bank import SimulationBank

# Draws in one chunk. Part of what makes results reproducible: changing it changes them.
_CHUNK = 2048
# Time series are simulated and summarised in blocks, because a chunk of them is large.
_BLOCK = 256
# Least number of draws whose stability is checked at once.
_LEAST_DRAWN = 256
# Draws that share a value of a costly parameter; fewer cost more, more cover it worse.
_SHARE = 640
# Increments of an additive recurrence that covers an interval evenly, however many
# values are taken (the golden ratio).
_GOLDEN = (np.sqrt(5) - 1) / 2
# Settings that decide how a model is simulated, not what comes out of it.
_NOT_DECISIVE = ("engine", "n_jobs", "verbose")
# Give up when the model refuses this share of the draws of a prior.
_MAX_REFUSED = 0.999


def simulate(
    model,
    prior,
    n_simulations,
    *,
    features,
    fixed=None,
    nodes=None,
    random_state=None,
    n_jobs=None,
    verbose=None,
):
    """Draw parameters from a prior, simulate, and summarise.

    Parameters
    ----------
    model : ForwardModel
        The model.
    prior : Prior
        Parameters to draw.
    n_simulations : int
        Number of simulations.
    features : FeatureExtractor
        Makes the summaries.
    fixed : dict of float | None
        Values of the other parameters; by default the model's.
    nodes : array_like of int | None
        The nodes whose summaries are kept, in this order; ``None`` keeps all.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness. The same integer gives the same bank, whatever ``n_jobs``.
    n_jobs : int | None
        Number of threads that simulate, as in joblib.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    bank : SimulationBank
        The simulations. Draws that the model refuses as unstable are drawn again,
        counted in ``bank.provenance["n_excluded"]`` and reported.

    Raises
    ------
    ValueError
        If ``n_simulations`` is not a positive integer, or the model refuses nearly
        every draw.
    RuntimeError
        If no simulation is finite.
    """
    from joblib import Parallel, delayed
    from mne.utils import ProgressBar, logger, use_log_level

    is_integer = isinstance(n_simulations, (int, np.integer))
    if not is_integer or isinstance(n_simulations, bool) or n_simulations < 1:
        raise ValueError(
            f"n_simulations must be a positive integer, got {n_simulations!r}."
        )
    seed = draw_seed(random_state)
    fixed = dict(fixed or {})
    sizes = [min(_CHUNK, n_simulations - s) for s in range(0, n_simulations, _CHUNK)]
    prepare = getattr(model, "prepare", None)
    if prepare is not None:
        prepare()
    # Chunks in parallel, BLAS in one thread each; or the other way round.
    parallel = n_jobs not in (None, 1)
    limit = one_blas_thread() if parallel else contextlib.nullcontext()
    with use_log_level(verbose), limit:
        pool = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
        made = pool(
            delayed(_simulate_chunk)(
                model, prior, features, fixed, nodes, seed, chunk, size
            )
            for chunk, size in enumerate(sizes)
        )
        theta = np.empty((n_simulations, len(prior.names)))
        parts, n_excluded = [], 0
        progress = ProgressBar(made, max_value=len(sizes), mesg="Simulating")
        for chunk, (part, summaries, refused) in enumerate(progress):
            theta[chunk * _CHUNK : chunk * _CHUNK + len(part)] = part
            parts.append(summaries)
            n_excluded += refused
        x = _join(parts, sizes)
        if x is None:
            raise RuntimeError(
                f"None of the {n_simulations} simulations is finite. Narrow the prior, "
                "or check the model with mne_sbi.testing.check_forward_model."
            )
        valid = _report(x, n_excluded, logger)
    names = model.node_names
    if names is not None and nodes is not None:
        names = [names[i] for i in nodes]
    provenance = {
        "model": _one_line(model),
        "settings": describe_settings(model),
        "features": _one_line(features),
        "summaries": features.describe_summaries(),
        "fixed": {name: float(value) for name, value in fixed.items()},
        "node_names": None if names is None else list(names),
        "seed": seed,
        "n_excluded": int(n_excluded),
        "mne_sbi": version("mne-sbi"),
    }
    return SimulationBank(theta, x, valid, prior, provenance)


def _join(parts, sizes):
    """Join summaries, freeing each as it is copied; parts may be None, and all so."""
    shapes = {part.shape[1:] for part in parts if part is not None}
    if not shapes:
        return None
    if len(parts) == 1:
        return parts[0]
    x = np.full((sum(sizes), *shapes.pop()), np.nan, np.float32)
    start = 0
    for i, size in enumerate(sizes):
        if parts[i] is not None:
            x[start : start + size] = parts[i]
            parts[i] = None
        start += size
    return x


def describe_settings(model):
    """Describe the settings that decide what a model simulates, in plain values.

    Parameters
    ----------
    model : ForwardModel
        The model.

    Returns
    -------
    settings : dict of (str | float | list | None)
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
    value = getattr(value, "fingerprint", value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if type(value).__repr__ is object.__repr__:
        # It would tell an address, which is another one in each process.
        return type(value).__name__
    return " ".join(repr(value).split())


def _one_line(estimator):
    return " ".join(repr(estimator).split())


def _report(x, n_excluded, logger):
    """Say what was left out; return which simulations are finite."""
    n = len(x)
    valid = np.array([np.isfinite(row).all() for row in x])
    if n_excluded:
        share = n_excluded / (n + n_excluded)
        logger.info(
            f"{n_excluded} draws from the prior ({share:.1%}) were unstable; others "
            "were drawn instead."
        )
    if not valid.all():
        from mne.utils import warn

        warn(
            f"{int((~valid).sum())} of {n} simulations hold NaN or infinite values and "
            "are left out. Narrow the prior if they are many."
        )
    return valid


def _simulate_chunk(model, prior, features, fixed, nodes, seed, chunk, size):
    """Simulate one chunk; a pure function of its arguments.

    Returns
    -------
    theta : ndarray, shape (size, n_params)
        Parameters.
    summaries : ndarray of float32, shape (size, n_nodes, n_points)
        Summaries.
    n_refused : int
        Draws that the model refused.
    """
    import jax

    theta, n_refused = _draw_valid(model, prior, fixed, seed, chunk, size)
    params = _complete(prior, theta, fixed)
    key = jax.random.fold_in(jax.random.key(seed), chunk)
    block = size if model.output == "spectrum" else _BLOCK
    parts, sizes = [], []
    for number, start in enumerate(range(0, size, block)):
        rows = {name: value[start : start + block] for name, value in params.items()}
        data = model.simulate_batch(rows, jax.random.fold_in(key, number))
        data = np.asarray(data)
        if nodes is not None:
            data = data[:, np.asarray(nodes)]
        parts.append(summarize(model, features, data))
        sizes.append(len(data))
    return theta, _join(parts, sizes), n_refused


def _complete(prior, theta, fixed):
    """Return all parameters by name, arrays of shape (n,)."""
    constant = {name: np.full(len(theta), value) for name, value in fixed.items()}
    return prior.as_dict(theta) | constant


def summarize(model, features, data):
    """Summarise a model's simulations.

    Parameters
    ----------
    model : ForwardModel
        The model that made them.
    features : FeatureExtractor
        Makes the summaries.
    data : ndarray, shape (n, n_nodes, n_times) or (n, n_nodes, n_freqs)
        Time series or power spectra. Simulations that are not finite, or whose power
        is not positive, get NaN.

    Returns
    -------
    summaries : ndarray of float32, shape (n, n_nodes, n_points) | None
        The summaries; ``None`` if no simulation is good.
    """
    good = np.isfinite(data).all(axis=(1, 2))
    if model.output == "spectrum":
        good &= (data > 0).all(axis=(1, 2))
    if not good.any():
        return None
    chosen = data if good.all() else data[good]
    if model.output == "spectrum":
        made = features.extract_spectrum(chosen, model.get_freqs())
    else:
        made = features.extract(chosen, model.sfreq)
    if good.all():
        return made
    summaries = np.full((len(data), *made.shape[1:]), np.nan, np.float32)
    summaries[good] = made
    return summaries


def _draw_valid(model, prior, fixed, seed, chunk, size):
    """Draw parameters until enough of them are valid."""
    rng = np.random.default_rng([seed, chunk])
    shared = model.shared_parameter
    shared = None if shared is None or shared in fixed else prior.names.index(shared)
    # Few draws would say little of the share that the model refuses.
    n = max(size, _LEAST_DRAWN)
    drawn, valid, n_valid = [], [], 0
    while n_valid < size:
        unit = rng.random((n, len(prior.names)))
        if shared is not None:
            unit[:, shared] = _shared_values(seed, chunk, n)
        theta = prior.from_unit(unit)
        drawn.append(theta)
        valid.append(np.asarray(model.check_valid(_complete(prior, theta, fixed))))
        n_valid, n_drawn = n_valid + int(valid[-1].sum()), len(valid) * n
        if n_drawn >= 20 * n and n_valid < (1 - _MAX_REFUSED) * n_drawn:
            raise ValueError(
                f"The model refuses {n_drawn - n_valid} of {n_drawn} draws from the "
                "prior as unstable. Narrow the prior to where the model is stable; "
                "model.check_valid(params) tells."
            )
    used = np.flatnonzero(np.concatenate(valid))[:size]
    # What was drawn beyond the last one that is used counts neither way.
    return np.concatenate(drawn)[used], int(used[-1]) + 1 - size


def _shared_values(seed, chunk, size):
    """Few values in (0, 1), each shared by many draws, evenly spread over chunks."""
    n_values = int(np.ceil(_CHUNK / _SHARE))
    start = np.random.default_rng(seed).random()
    values = (start + _GOLDEN * (chunk * n_values + np.arange(n_values))) % 1
    return values[np.arange(size) % n_values]
