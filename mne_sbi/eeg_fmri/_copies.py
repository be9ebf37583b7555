"""Whether a prediction knows measured volumes of the past, which no EEG does."""

from dataclasses import dataclass

import numpy as np

from ._hrf import canonical_hrf

# Volumes of the past that a prediction may have been made of.
N_PAST = 4
# Volumes of a person from which on regressions on the past mean something.
LEAST_VOLUMES = 6 * N_PAST
# Columns of one person that are looked at; evenly spaced if there are more.
_MOST_COLUMNS = 2000
_N_COMPONENTS = 10
# Longest repetition time in use, in s. The longer it is, the more of the highest third
# of frequencies the haemodynamic response passes: the cautious choice where none is
# given.
_LONGEST_T_R = 3.0
# Share of the variance of a prediction that past volumes must explain for it to be a
# copy without any look at frequencies.
_MOST = 0.75
# A variance share by which the past must explain more than the present and the future.
_LEAD = 0.01
# Squared correlation with a single past volume that leaves no doubt.
_SURE = 0.95
# Above the highest third of frequencies: how much of the prediction may be known from
# the past besides twice what the haemodynamic response lets through. Motion and breath
# reach EEG and fMRI alike, and with some spatial patterns more than with most voxels.
_TOLERANCE_VOXELS, _TOLERANCE_COMPONENTS = 0.1, 0.25
# High frequencies that hold less of the variance are rounding or the leakage of a
# filter, as in fMRI that was low-pass filtered.
_LEAST_POWER = 0.01
# A prediction whose own share there is below this fraction of the measured one can hold
# no more than that fraction of past volumes, and correlates by chance.
_LEAST_FRACTION = 0.01


@dataclass(frozen=True)
class CopyEvidence:
    """How much of a prediction is explained by measured volumes.

    Parameters
    ----------
    past, present : float
        Shares of the prediction's variance that the four volumes before, and that the
        same volume and the three after it explain.
    single : float
        Largest squared correlation with one of the four volumes before, or zero where
        the same volume has a larger one.
    fast : float
        The share that the past explains in the highest third of frequencies.
    passed : float
        The share of the measured variance in the highest third of frequencies that can
        have passed the haemodynamic response.
    fast_power, own_fast_power : float
        The share of the measured variance, and of the prediction's, that is there.
    uncertainty : float
        Three standard deviations of ``fast`` for a prediction that knows nothing.
    """

    past: float
    present: float
    single: float
    fast: float
    passed: float
    fast_power: float
    own_fast_power: float
    uncertainty: float


def find_copies(people, t_r):
    r"""Decide whether predictions were made of measured volumes of the past.

    Parameters
    ----------
    people : list of (predicted, measured)
        Of each person, arrays (n_volumes, n_targets) in the order of time.
    t_r : float | None
        Repetition time in s.

    Returns
    -------
    is_copy : bool
        Whether they were.
    share : float
        Share of the predictions' variance that the past volumes explain.

    Notes
    -----
    A prediction from EEG resembles the volume before as far as EEG explains fMRI: both
    follow the same slow response. Two things tell a copy from it.

    (1) The past explains at least three quarters of the prediction, and more than the
    present and the future do; or a single past volume nearly all of it.

    (2) The response to neural activity has hardly any power at high frequencies,

    .. math:: \frac{S_{visible}(f_{high})}{S_y(f_{high})} \le
              \frac{|H(f_{high})|^2}{|H(f)|^2} \frac{S_y(f)}{S_y(f_{high})}

    for every lower f, if the spectrum of neural power does not rise. What fMRI does
    there is noise of the measurement, and a prediction whose past volumes explain more
    of it than that bound has seen the noise.

    Both are applied to voxels, and (2) to the prediction's largest spatial components,
    because a copy may have passed through a few components. Where measured signals have
    next to no noise, a copy and an honest prediction that comes a volume too late are
    one and the same, and the latter may be called a copy. Predictions in time are not.
    """
    voxels, components = [], []
    for predicted, measured in people:
        p, y = _centre(predicted), _centre(measured)
        step = -(-p.shape[1] // _MOST_COLUMNS)
        p, y = p[:, ::step], y[:, ::step]
        if not p.any() or not y.any():
            continue
        axes = main_axes(p)
        voxels.append(_look_at(p, y, t_r))
        components.append(_look_at(p @ axes, y @ axes, t_r))
    if not voxels:
        return False, 0.0
    by_voxel, by_component = _average(voxels), _average(components)
    is_most = by_voxel.past >= _MOST and by_voxel.past > by_voxel.present + _LEAD
    is_copy = (
        is_most
        or by_voxel.single >= _SURE
        or _knows_noise(by_voxel, _TOLERANCE_VOXELS)
        or _knows_noise(by_component, _TOLERANCE_COMPONENTS)
    )
    return bool(is_copy), max(by_voxel.past, by_component.past if is_copy else 0.0)


def _knows_noise(evidence, tolerance):
    """Tell whether high frequencies are known that the response does not pass."""
    most = 2 * evidence.passed + tolerance + evidence.uncertainty
    leads = evidence.past > evidence.present + 2 * _LEAD
    has_fast = (
        evidence.fast_power > _LEAST_POWER
        and evidence.own_fast_power > _LEAST_FRACTION * evidence.fast_power
    )
    return leads and has_fast and evidence.fast > most


def _average(evidence):
    """Average over people; what is uncertain in each is less so on average."""
    fields = CopyEvidence.__dataclass_fields__
    means = {k: float(np.mean([getattr(e, k) for e in evidence])) for k in fields}
    means["uncertainty"] /= np.sqrt(len(evidence))
    return CopyEvidence(**means)


def _centre(x):
    x = np.asarray(x, dtype=float)
    return x - x.mean(axis=0)


def main_axes(x):
    """Return the largest spatial components (n_targets, k) of centred values."""
    axes = np.linalg.svd(x, full_matrices=False)[2]
    return axes[:_N_COMPONENTS].T


def past_of(y, lags):
    """Lay out shifted copies of values.

    Parameters
    ----------
    y : ndarray, shape (n, n_columns)
        Values in the order of time.
    lags : sequence of int
        Shifts from -N_PAST to N_PAST; positive is the past.

    Returns
    -------
    shifted : ndarray, shape (n_columns, n - 2 * N_PAST, n_lags)
        Without the first and the last ``N_PAST`` rows, which lack neighbours.
    """
    n = len(y)
    rows = [y[N_PAST - lag : n - N_PAST - lag] for lag in lags]
    return np.stack(rows, axis=-1).transpose(1, 0, 2)


def _look_at(p, y, t_r):
    """Collect the evidence of one person."""
    past, present = range(1, N_PAST + 1), range(0, -N_PAST, -1)
    shifted = [past_of(p, [0]), past_of(y, past), past_of(y, present)]
    p, before, after = (x - x.mean(axis=1, keepdims=True) for x in shifted)
    n = p.shape[1]
    # A taper keeps slow signals, which do not end where they began, out of the high
    # frequencies; it costs a third of the degrees of freedom.
    window = np.hanning(n + 2)[1:-1]
    n_freqs = n // 2 + 1
    low = 2 * n_freqs // 3
    n_free = 2 * (n_freqs - low) / 1.5
    fast = [_high_pass(x, window, low) for x in (p, before)]
    now = after[:, :, :1]
    spectrum, own = (
        np.square(np.abs(np.fft.rfft(x[:, :, 0] * window, axis=1))).sum(axis=0)
        for x in (now, p)
    )
    n_series = _count_independent(_high_pass(now, window, low)[:, :, 0])
    lone = [_explained(p, x, n) for x in np.split(before, N_PAST, axis=2)]
    return CopyEvidence(
        past=_explained(p, before, n),
        present=_explained(p, after, n),
        single=max(lone) if max(lone) > _explained(p, now, n) else 0.0,
        fast=_explained(*fast, n_free),
        passed=_share_passed(spectrum, np.fft.rfftfreq(n), t_r or _LONGEST_T_R, low),
        fast_power=float(spectrum[low:].sum() / spectrum.sum()),
        own_fast_power=float(own[low:].sum() / own.sum()),
        uncertainty=float(3 * np.sqrt(2 * N_PAST) / n_free / np.sqrt(n_series)),
    )


def _explained(p, by, n_free):
    """Return the share of variance that regressions column by column explain.

    Corrected for the number of regressors: zero on average if there is nothing.
    """
    n_regressors = by.shape[2]
    products = by.transpose(0, 2, 1) @ by
    # Neighbours of a smooth signal are nearly the same.
    size = 1e-6 * np.trace(products, axis1=1, axis2=2) + 1e-300
    products += size[:, None, None] * np.eye(n_regressors)
    weights = np.linalg.solve(products, by.transpose(0, 2, 1) @ p)
    left = np.square(p - by @ weights).sum() / max(np.square(p).sum(), 1e-300)
    return float(1 - left * n_free / max(n_free - n_regressors, 1))


def _high_pass(x, window, low):
    """Keep frequencies from number ``low`` on, of series along axis 1."""
    spectrum = np.fft.rfft(x * window[:, None], axis=1)
    spectrum[:, :low] = 0
    return np.fft.irfft(spectrum, x.shape[1], axis=1)


def _count_independent(series):
    """Return the effective number of independent rows: the participation ratio."""
    products = series.T @ series
    return max(1.0, np.trace(products) ** 2 / max(np.square(products).sum(), 1e-300))


def _share_passed(spectrum, freqs, t_r, low):
    """Bound the share of the highest third that passed the response."""
    t = np.arange(0.0, 32.0, 0.1)
    phases = np.exp(-2j * np.pi * (freqs / t_r)[:, None] * t)
    response = np.square(np.abs(phases @ canonical_hrf(t)))
    thirds = [slice(1, low // 2), slice(low // 2, low), slice(low, None)]
    measured = [spectrum[third].mean() for third in thirds]
    passed = [response[third].mean() for third in thirds]
    top = max(measured[2], 1e-300)
    return float(min(passed[2] / passed[i] * measured[i] / top for i in (0, 1)))
