"""What a prediction correlates with by chance: circular shifts in time."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

# Columns that are transformed at once, which bounds memory.
_BLOCK = 2048
# A standard deviation below this share of the size of the values is rounding.
ROUNDING = 1e-6
# The share of shifts that a correlation must exceed.
LEVEL = 0.95
# Draws of one shift per person, for the mean over people.
_N_DRAWS = 10_000


@dataclass(frozen=True, eq=False)
class ShiftNull:
    """Temporal correlation of a prediction, and of the prediction shifted in time.

    Parameters
    ----------
    r : ndarray, shape (n_targets,)
        Pearson's correlation over time; zero where the prediction does not change,
        NaN where the measured values do not.
    r_null95 : ndarray, shape (n_targets,)
        The 95 % quantile of the same over the shifts.
    null : ndarray, shape (n_shifts,)
        The mean over targets, for each shift.
    """

    r: np.ndarray
    r_null95: np.ndarray
    null: np.ndarray

    @property
    def mean(self):
        """Mean correlation over the targets that change."""
        return float(np.nanmean(self.r))

    @property
    def p(self):
        """Share of shifts, the unshifted included, that do as well."""
        return float((1 + (self.null >= self.mean).sum()) / (1 + len(self.null)))


def shift_null(predicted, measured, min_shift):
    """Correlate a prediction with measured values at every circular shift.

    Parameters
    ----------
    predicted, measured : ndarray, shape (n_volumes, n_targets)
        Of one person, in the order of time.
    min_shift : int
        Shifts nearer than this many volumes to zero, in either direction, are left
        out: there, smooth signals still resemble themselves.

    Returns
    -------
    null : ShiftNull
        The correlations.

    Raises
    ------
    ValueError
        If no shift is left, or no measured value changes.

    Notes
    -----
    Shifts keep the autocorrelation of both signals, which makes correlations of slow
    signals large by chance. All of them are exact and cost a few Fourier transforms:
    with unit-norm columns, the inverse transform of :math:`P^* Y` is the correlation at
    each shift.
    """
    n, n_targets = measured.shape
    shifts = np.arange(n)[max(1, min_shift) : n - max(1, min_shift) + 1]
    if not len(shifts):
        raise ValueError(
            f"A person with {n} volumes has no circular shift by {min_shift} or more: "
            "record longer, or give evaluate() a smaller gap=."
        )
    r, quantile = np.empty(n_targets), np.empty(n_targets)
    null, n_changing = np.zeros(len(shifts)), 0
    for start in range(0, n_targets, _BLOCK):
        block = slice(start, start + _BLOCK)
        p, y = unit_columns(predicted[:, block]), unit_columns(measured[:, block])
        spectrum = np.conj(fft.rfft(p, axis=0)) * fft.rfft(y, axis=0)
        every = fft.irfft(spectrum, n, axis=0)
        every[:, ~y.any(axis=0)] = np.nan
        r[block] = every[0]
        quantile[block] = np.quantile(every[shifts], LEVEL, axis=0)
        null += np.nansum(every[shifts], axis=1)
        n_changing += int(y.any(axis=0).sum())
    if not n_changing:
        raise ValueError("No measured value changes with time in a person: check y.")
    return ShiftNull(r, quantile, null / n_changing)


def null_of_mean(nulls, rng):
    """Draw the mean over people of correlations at shifts that are independent.

    Parameters
    ----------
    nulls : list of ShiftNull
        Of each person.
    rng : numpy.random.Generator
        Draws a shift for each person.

    Returns
    -------
    r_null95 : float
        The 95 % quantile of the mean.
    p : float
        Share of draws, the unshifted included, in which the mean is as large as that of
        the unshifted predictions.
    """
    drawn = [rng.choice(null.null, _N_DRAWS) for null in nulls]
    means = np.mean(drawn, axis=0)
    mean = np.mean([null.mean for null in nulls])
    p = (1 + (means >= mean).sum()) / (1 + _N_DRAWS)
    return float(np.quantile(means, LEVEL)), float(p)


def unit_columns(x):
    """Remove the mean of each column and give it a norm of one, or zeros.

    Parameters
    ----------
    x : ndarray, shape (n, n_columns)
        Values; single precision is enough.

    Returns
    -------
    scaled : ndarray, shape (n, n_columns)
        Columns that change by no more than rounding are zero.
    """
    size = np.abs(x).max(axis=0)
    x = x - x.mean(axis=0, dtype=float).astype(x.dtype)
    norm = np.sqrt(np.square(x).sum(axis=0, dtype=float))
    changes = norm > ROUNDING * np.sqrt(len(x)) * size
    scale = np.where(changes, 1.0 / np.where(changes, norm, 1.0), 0.0)
    return x * scale.astype(x.dtype)
