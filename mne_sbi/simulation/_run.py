"""Make simulations in chunks, each a pure function of model, prior, seed and number."""

import platform
import threading
from pathlib import Path

import numpy as np

from .._checks import check_n_jobs, draw_seed, remove_leftovers
from .._jax import standard_jax
from .._memory import check_disk, check_memory
from .._threads import check_not_forked, one_blas_thread
from .._warnings import warn_user
from ..models._sampling import check_is_timed, check_series_size
from ._bank import SimulationBank
from ._folder import (
    check_chunk,
    check_unchanged,
    chunk_file,
    chunk_sizes,
    label_of,
    open_folder,
    read_bank_folder,
    write_chunk,
)
from ._recipe import describe_settings, make_recipe

__all__ = ["describe_settings", "simulate", "summarize"]

# Draws in one chunk, unless the model takes fewer. Part of what makes results
# reproducible: changing it changes them.
_CHUNK = 2048
# Square root of the largest number of single precision, with room for sums.
_LARGEST = 1e16
# Least number of draws whose stability is checked at once.
_LEAST_DRAWN = 256
# Increments of an additive recurrence that covers an interval evenly, however many
# values are taken (the golden ratio).
_GOLDEN = (np.sqrt(5) - 1) / 2
# Give up when the model refuses this share of the draws of a prior.
_MAX_REFUSED = 0.999
# The threads of a process prepare a model one after the other, which is once.
_PREPARING = threading.Lock()


def simulate(
    model,
    prior=None,
    n_simulations=20_000,
    *,
    fname=None,
    features=None,
    fixed=None,
    nodes=None,
    random_state=None,
    n_jobs=None,
    overwrite=False,
    verbose=None,
):
    """Draw parameters from a prior, simulate, and summarise.

    Parameters
    ----------
    model : ForwardModel | str
        The model, or its registered name.
    prior : Prior | dict | None
        Parameters to draw: a prior; a dict of ranges ``(low, high)`` and of values that
        fix a parameter; or ``None`` for what the model infers by default.
    n_simulations : int
        Number of simulations.
    fname : path-like | None
        Name of a folder to keep the simulations in, such as ``bank.sims``. They need no
        memory then, and may be more than fit into it. If the folder is there already,
        the call goes on where the one before was stopped, or adds simulations if
        ``n_simulations`` is larger.
    features : FeatureExtractor | None
        Makes the summaries; by default :class:`~mne_sbi.features.LogPSD` at the
        frequencies of a spectral model.
    fixed : dict of float | None
        Values of the other parameters; by default the model's.
    nodes : array_like of int | None
        The nodes whose summaries are kept, in this order; ``None`` keeps all.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness. The same integer gives the same bank, whatever ``n_jobs``
        and ``fname``. ``None`` goes on with the seed of the folder, if it is there.
    n_jobs : int | None
        Number of threads that simulate, as in joblib; under
        :class:`joblib.parallel_config`, that of its processes or of its cluster.
    overwrite : bool
        Remove the bank that is in the folder, and start anew.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    bank : SimulationBank
        The simulations; with ``fname``, their summaries are on disk. Draws that the
        model refuses as unstable are drawn again, counted in
        ``bank.provenance["n_excluded"]`` and reported.

    Raises
    ------
    ValueError
        If ``n_simulations`` is not a positive integer, the model refuses nearly every
        draw, or the folder holds simulations that were made with other settings.
    FileExistsError
        If the folder holds something else.
    RuntimeError
        If no simulation can be used.
    """
    from mne.utils import use_log_level

    is_integer = isinstance(n_simulations, (int, np.integer))
    if not is_integer or isinstance(n_simulations, bool) or n_simulations < 1:
        raise ValueError(
            f"n_simulations must be a positive integer, got {n_simulations!r}."
        )
    n_simulations = int(n_simulations)
    check_not_forked()
    check_n_jobs(n_jobs)
    recipe = make_recipe(model, prior, features, fixed, nodes)
    check_is_timed(recipe.model)
    _check_sizes(recipe, n_simulations, fname)
    # A folder that is there may have a seed.
    may_have_seed = fname is not None and random_state is None
    seed = None if may_have_seed else draw_seed(random_state)
    # Bits depend on the threads of BLAS, which are one in each chunk whatever n_jobs.
    with use_log_level(verbose), one_blas_thread():
        if fname is not None:
            return _simulate_to_folder(
                recipe, seed, n_simulations, fname, overwrite, n_jobs
            )
        return _simulate_to_memory(recipe, seed, n_simulations, n_jobs)


def _check_sizes(recipe, n_simulations, fname):
    """Raise an error for what does not fit into memory or on the disk."""
    model = recipe.model
    nodes = model.node_names or [0] if recipe.nodes is None else recipe.nodes
    n_points = 1
    if model.output == "timeseries":
        at_once = min(n_simulations, model.block_size, _chunk_size(model))
        check_series_size(model, at_once)
    else:
        freqs = getattr(recipe.features, "freqs", None)
        n_points = len(model.get_freqs() if freqs is None else freqs)
    theta = 8.0 * n_simulations * len(recipe.prior)
    x = 4.0 * n_simulations * len(nodes) * n_points
    what = f"{n_simulations:,} simulations of {type(model).__name__}"
    remedy = f"Reduce n_simulations={n_simulations}."
    check_memory(what, theta + (x if fname is None else 0), remedy)
    if fname is not None:
        check_disk(what, theta + x, fname, remedy)


def _chunk_size(model):
    return min(_CHUNK, model.chunk_size)


def _simulate_to_memory(recipe, seed, n_simulations, n_jobs):
    """Make a bank in memory."""
    from joblib import Parallel, delayed
    from mne.utils import ProgressBar

    sizes = chunk_sizes(n_simulations, _chunk_size(recipe.model))
    recipe.model.prepare()
    pool = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    made = pool(
        delayed(_simulate_chunk)(recipe, seed, chunk, size)
        for chunk, size in enumerate(sizes)
    )
    theta, parts, n_excluded = [], [], 0
    for part in ProgressBar(made, max_value=len(sizes), mesg="Simulating"):
        theta.append(part[0])
        parts.append(part[1])
        n_excluded += part[2]
    valid = np.concatenate(
        [_find_finite(x, size) for x, size in zip(parts, sizes, strict=True)]
    )
    _report(valid, n_excluded)
    x = _join(parts, sizes)
    provenance = recipe.get_provenance() | {"seed": seed, "n_excluded": n_excluded}
    return SimulationBank(np.concatenate(theta), x, valid, recipe.prior, provenance)


def _simulate_to_folder(recipe, seed, n_simulations, fname, overwrite, n_jobs):
    """Make the chunks of a bank on disk that are not there."""
    from joblib import Parallel, delayed
    from mne.utils import ProgressBar, logger

    description = {
        "identity": recipe.get_identity() | {"seed": seed},
        "prior": recipe.prior.to_dict(),
        "provenance": recipe.get_provenance(),
        "chunk_size": _chunk_size(recipe.model),
    }
    manifest, is_new = open_folder(fname, description, n_simulations, overwrite)
    # Workers may have another working directory.
    folder, label = Path(fname).resolve(), label_of(manifest)
    seed = manifest["identity"]["seed"]
    sizes = chunk_sizes(n_simulations, manifest["chunk_size"])
    pool = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    missing = np.arange(len(sizes))
    if not is_new:
        checked = pool(
            delayed(check_chunk)(chunk_file(folder, chunk), label, size)
            for chunk, size in enumerate(sizes)
        )
        checked = ProgressBar(checked, max_value=len(sizes), mesg="Checking")
        missing = np.flatnonzero(~np.array(list(checked)))
        n_damaged = sum(chunk_file(folder, chunk).exists() for chunk in missing)
        are = "is" if n_damaged == 1 else "are"
        again = f", {n_damaged} {are} damaged or shorter and made again"
        logger.info(
            f"Going on with {fname}: {len(sizes) - len(missing)} of {len(sizes)} "
            f"chunks are there{again if n_damaged else ''}."
        )
    if len(missing):
        recipe.model.prepare()
        made = pool(
            delayed(_store_chunk)(
                folder, manifest, recipe, seed, int(chunk), sizes[chunk]
            )
            for chunk in missing
        )
        for _ in ProgressBar(made, max_value=len(missing), mesg="Simulating"):
            pass
    remove_leftovers(folder)
    check_unchanged(folder, manifest)
    bank = read_bank_folder(folder)
    _report(bank.valid, bank.provenance["n_excluded"])
    return bank


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


def _find_finite(x, size):
    """Say which simulations are finite; those of a chunk without any are None."""
    if x is None:
        return np.zeros(size, dtype=bool)
    return np.array([np.isfinite(row).all() for row in x])


def _report(valid, n_excluded):
    """Say what was left out."""
    from mne.utils import logger

    n, n_bad = len(valid), int((~valid).sum())
    if n_excluded:
        share = n_excluded / (n + n_excluded)
        logger.info(
            f"{n_excluded} draws from the prior ({share:.1%}) were unstable; others "
            "were drawn instead."
        )
    if n_bad == n:
        raise RuntimeError(
            f"None of the {n} simulations can be used: they hold NaN or infinite "
            "values, do not vary in time, or have spectra that are not positive. "
            "Narrow the prior, or check the model with "
            "mne_sbi.testing.check_forward_model."
        )
    if n_bad:
        warn_user(
            f"{n_bad} of {n} simulations hold NaN or infinite values, do not vary in "
            "time or have spectra that are not positive, and are left out. Narrow the "
            "prior if they are many."
        )


def _store_chunk(folder, manifest, recipe, seed, chunk, size):
    """Simulate one chunk and write it, unless another process did so."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not there on the machine {platform.node()}. With workers on "
            "several machines, fname must be on a disk that all of them share."
        )
    fname, label = chunk_file(folder, chunk), label_of(manifest)
    if check_chunk(fname, label, size):
        return
    theta, x, n_refused = _simulate_chunk(recipe, seed, chunk, size)
    arrays = {"theta": theta, "valid": _find_finite(x, size)}
    if x is not None:
        arrays["x"] = x
    # A chunk of another bank must stay.
    check_unchanged(folder, manifest)
    write_chunk(fname, label, arrays, n_refused)


@standard_jax()
def _simulate_chunk(recipe, seed, chunk, size):
    """Simulate one chunk; a pure function of its arguments.

    Returns
    -------
    theta : ndarray, shape (size, n_params)
        Parameters.
    summaries : ndarray of float32, shape (size, n_nodes, n_points) | None
        Summaries; ``None`` if no simulation is finite.
    n_refused : int
        Draws that the model refused.
    """
    model = recipe.model
    # In a process of its own, nobody has limited BLAS or read the model's tables.
    with one_blas_thread():
        with _PREPARING:
            model.prepare()
        theta, n_refused = _draw_valid(recipe, seed, chunk, size)
        return theta, _simulate_draws(recipe, theta, seed, chunk), n_refused


def _simulate_draws(recipe, theta, seed, chunk):
    """Simulate and summarise the draws of one chunk."""
    import jax

    model, params = recipe.model, recipe.complete(theta)
    key = jax.random.fold_in(jax.random.key(seed), chunk)
    # Time series are summarised in blocks, because a chunk of them is large.
    block = len(theta) if model.output == "spectrum" else model.block_size
    parts, sizes = [], []
    for number, start in enumerate(range(0, len(theta), block)):
        rows = {name: value[start : start + block] for name, value in params.items()}
        data = model.simulate_batch(rows, jax.random.fold_in(key, number))
        data = np.asarray(data)
        if recipe.nodes is not None:
            data = data[:, np.asarray(recipe.nodes)]
        parts.append(summarize(model, recipe.features, data))
        sizes.append(len(data))
    return _join(parts, sizes)


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
        is not positive, or of which a row does not vary in time, get NaN.

    Returns
    -------
    summaries : ndarray of float32, shape (n, n_nodes, n_points) | None
        The summaries; ``None`` if no simulation is good.
    """
    good = np.isfinite(data).all(axis=(1, 2))
    if model.output == "spectrum":
        good &= (data > 0).all(axis=(1, 2))
    else:
        # A recording of this would be refused: the channel is dead. And larger values
        # have infinite power.
        good &= np.abs(data).max(axis=(1, 2)) < _LARGEST
        good &= (data.max(axis=2) > data.min(axis=2)).all(axis=1)
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


def _draw_valid(recipe, seed, chunk, size):
    """Draw parameters until enough of them are valid."""
    model, prior = recipe.model, recipe.prior
    rng = np.random.default_rng([seed, chunk])
    shared = model.shared_parameter
    shared = None if shared not in prior.names else prior.names.index(shared)
    # Few draws would say little of the share that the model refuses.
    n = max(size, _LEAST_DRAWN)
    drawn, valid, n_valid = [], [], 0
    while n_valid < size:
        unit = rng.random((n, len(prior.names)))
        if shared is not None:
            unit[:, shared] = _shared_values(seed, chunk, n, model)
        theta = prior.from_unit(unit)
        drawn.append(theta)
        valid.append(np.asarray(model.check_valid(recipe.complete(theta))))
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


def _shared_values(seed, chunk, size, model):
    """Few values in (0, 1), each shared by many draws, evenly spread over chunks."""
    n_values = int(np.ceil(_chunk_size(model) / model.n_sharing))
    start = np.random.default_rng(seed).random()
    values = (start + _GOLDEN * (chunk * n_values + np.arange(n_values))) % 1
    number = np.arange(size)
    # Time series are made in blocks of a chunk, in which values have to be the same.
    if model.output == "timeseries":
        number = number // model.n_sharing
    return values[number % n_values]
