"""Simulate the points of a design, in blocks, and replace rows that cannot be used."""

from dataclasses import dataclass

import numpy as np

from .._warnings import warn_user

# Simulations of spectra that are made at once; those of time series are the model's.
_BLOCK = 2048


@dataclass(frozen=True)
class Runs:
    """Features at the points of a design.

    Parameters
    ----------
    unit : ndarray, shape (n, n_points, n_params)
        The points, in the unit cube.
    values : dict of ndarray, shape (n, n_points, n_rows, n_outputs)
        Every feature, averaged over replicates.
    noise : dict of ndarray, shape (n_rows, n_outputs)
        Variance of such an average over other replicates, averaged over the points;
        NaN if there is only one replicate.
    n_replaced : int
        Rows that could not be used.
    """

    unit: np.ndarray
    values: dict
    noise: dict
    n_replaced: int


def run_design(recipe, features, design, n, n_replicates, seed):
    """Simulate n rows of a design.

    Parameters
    ----------
    recipe : Recipe
        Model, prior and fixed parameters.
    features : FeatureSet
        What is computed from the simulations.
    design : SobolDesign | MorrisDesign
        Draws the rows.
    n : int
        Number of rows.
    n_replicates : int
        Simulations per point.
    seed : int
        Seed of the simulations.

    Returns
    -------
    runs : Runs
        The features.

    Raises
    ------
    ValueError
        If half of the rows cannot be used.
    """
    import jax
    from mne.utils import logger

    n_points = len(design.streams)
    logger.info(
        f"{n} rows of {n_points} points, replicates: {n_replicates}. Simulating "
        f"{n * n_points * n_replicates} times"
    )
    recipe.model.prepare()
    key, number = jax.random.key(seed), 0
    kept, n_kept, n_refused, n_failed = [], 0, 0, 0
    while n_kept < n:
        if n_refused + n_failed > n:
            raise ValueError(_describe(n_kept, n_refused, n_failed) + _REMEDY)
        rows = design.draw(n - n_kept)
        valid = _check_valid(recipe, rows)
        n_refused += int((~valid).sum())
        for block in _split(rows[valid], recipe.model):
            one = jax.random.fold_in(key, number)
            found = _simulate_block(
                recipe, features, block, design.streams, n_replicates, one
            )
            kept += [] if found is None else [found]
            n_good = 0 if found is None else len(found[0])
            n_kept, n_failed = n_kept + n_good, n_failed + len(block) - n_good
            number += 1
    if n_refused + n_failed:
        warn_user(
            _describe(n_kept, n_refused, n_failed)
            + " Others were drawn instead, so that parameters are not independent any "
            "more, and the indices are approximate. Narrow the prior if they are many."
        )
    return _join(kept, n_refused + n_failed)


_REMEDY = (
    " Indices of the rest would not be those of this prior. Narrow the prior to where "
    "the model is stable; model.check_valid(params) tells which draws it refuses."
)


def _describe(n_kept, n_refused, n_failed):
    n = n_kept + n_refused + n_failed
    return (
        f"Of {n} rows of the design, the model refused a point of {n_refused}, and a "
        f"feature of {n_failed} was NaN or infinite."
    )


def _check_valid(recipe, rows):
    """Say of which rows the model accepts all points."""
    theta = recipe.prior.from_unit(rows.reshape(-1, rows.shape[2]))
    valid = np.asarray(recipe.model.check_valid(recipe.complete(theta)))
    return valid.reshape(rows.shape[:2]).all(axis=1)


def _split(rows, model):
    """Split rows into blocks, which limits the memory that simulations take."""
    size = _BLOCK if model.output == "spectrum" else model.block_size
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _simulate_block(recipe, features, rows, streams, n_replicates, key):
    """Simulate all points of a block of rows.

    Returns
    -------
    found : tuple | None
        Of the rows whose features are finite: the points, the features, and the
        variance of these over replicates. ``None`` if there is no such row.
    """
    import jax

    means, spreads = [], []
    for point, stream in enumerate(streams):
        params = recipe.complete(recipe.prior.from_unit(rows[:, point]))
        made = []
        for replicate in range(n_replicates):
            # Simulation i of a call has the key fold_in(key, i): points of a row whose
            # calls have one key get the same noise.
            one = jax.random.fold_in(jax.random.fold_in(key, stream), replicate)
            data = np.asarray(recipe.model.simulate_batch(params, one))
            made.append(features.compute(data))
        if any(value is None for values in made for value in values.values()):
            return None
        stacks = {name: np.stack([m[name] for m in made]) for name in made[0]}
        means.append({name: s.mean(axis=0) for name, s in stacks.items()})
        spreads.append({name: _variance_of_mean(s) for name, s in stacks.items()})
    values = {name: np.stack([m[name] for m in means], axis=1) for name in means[0]}
    finite = [np.isfinite(v).all(axis=(1, 2, 3)) for v in values.values()]
    good = np.logical_and.reduce(finite)
    if not good.any():
        return None
    values = {name: value[good] for name, value in values.items()}
    noise = {name: np.mean([s[name][good] for s in spreads], axis=0) for name in values}
    return rows[good], values, noise


def _variance_of_mean(stack):
    """Estimate the variance of a mean over the first axis."""
    if len(stack) == 1:
        return np.full(stack.shape[1:], np.nan)
    return stack.var(axis=0, ddof=1) / len(stack)


def _join(kept, n_replaced):
    units, values, noises = zip(*kept, strict=True)
    return Runs(
        np.concatenate(units),
        {name: np.concatenate([v[name] for v in values]) for name in values[0]},
        {
            name: np.concatenate([part[name] for part in noises]).mean(axis=0)
            for name in values[0]
        },
        n_replaced,
    )
