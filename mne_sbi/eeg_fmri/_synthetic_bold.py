"""Volumes of synthetic people: neural activity, and noise for a given ceiling."""

import numpy as np
from scipy import fft, ndimage, optimize, signal

from ._hrf import canonical_hrf
from ._synthetic_head import smooth_map
from ._synthetic_sources import SLOW_STEP, draw_noise

# How long the haemodynamic response is followed.
HRF_LENGTH = 32.0  # s
# What EEG cannot see: muscles hide it at the scalp.
_HIDDEN = ("gamma",)
# Part of the variance of the neural signal that EEG can see.
_VISIBLE_SHARE = 0.5
# Standard deviation of the neural signal, mean over voxels: 1 % of the baseline at 3 T.
_NEURAL = 1.0  # percent
# Drifts slower than this are removed from percent signal change, as usual in fMRI.
HIGH_PASS = 1 / 128  # Hz
# Slow drift of the scanner, with polynomials up to this order.
_DRIFT, _DRIFT_ORDER = 0.5, 3  # percent
# Parts of the variance of the noise. Where voxels are large or smoothed, physiological
# noise comes near thermal noise at 3 T (Triantafyllou et al., NeuroImage 26:243-250,
# 2005).
_NOISE = {
    "thermal": 0.6,
    "global": 0.1,
    "respiration": 0.12,
    "cardiac": 0.08,
    "motion": 0.1,
}
# Correlation time of the thermal noise: an AR(1) coefficient of 0.3 at 2 s; and its
# smoothness, the standard deviation of a Gaussian with a full width of 8 mm.
_CORRELATION_TIME = 2.0 / np.log(1 / 0.3)  # s
_SMOOTHNESS = 0.008 / 2.355  # m
# Smoothness of maps of physiological noise.
_MAP_SMOOTHNESS = 0.015  # m
# Low-frequency changes of breathing and heart rate, which reach the whole brain.
_GLOBAL = (0.008, 0.1)  # Hz
# Rate in Hz: mean and standard deviation over people; and how far it wanders within a
# person, relative to the rate.
_RATES = {"respiration": (0.27, 0.04), "cardiac": (1.1, 0.12)}
_WANDER = 0.05
# Noise outside the brain, relative to the mean signal.
_AIR = 0.01
# Movement of the head per s^0.5, its return, and rare jerks: in a scan, some tenths of
# a millimetre and of a degree, as in people who lie still.
_MOVE = {"translation": 2e-5, "rotation": 3e-4}  # m, rad
_RETURN = 200.0  # s
_JERK_RATE, _JERK = 0.01, 10.0  # 1/s, relative to the movement in 1 s


def remove_drift(values, t_r):
    """Remove the mean and slow cosines from columns (n_volumes, n_voxels)."""
    n_volumes = len(values)
    order = min(n_volumes - 1, int(np.floor(2 * n_volumes * HIGH_PASS * t_r)))
    coefs = fft.dct(values, axis=0, norm="ortho")
    coefs[: order + 1] = 0.0
    return fft.idct(coefs, axis=0, norm="ortho", overwrite_x=True)


def voxel_correlation(x, y):
    """Correlate each column of x with the same of y; columns have zero mean."""
    products = np.einsum("tv,tv->v", x, y)
    norms = np.einsum("tv,tv->v", x, x) * np.einsum("tv,tv->v", y, y)
    return products / np.sqrt(norms)


def make_neural(log_power, person, t_r, n_volumes, first):
    """Make what neural activity adds to the volumes.

    Parameters
    ----------
    log_power : dict of str to ndarray, shape (n_regions, n_steps)
        Of each band, in steps of ``SLOW_STEP``.
    person : Person
        Its weights, delay and blobs are used.
    t_r : float
        In s.
    n_volumes : int
        How many.
    first : float
        Onset of the first volume on the axis of ``log_power``, in s.

    Returns
    -------
    visible, hidden : ndarray, shape (n_volumes, n_voxels)
        Percent signal change that EEG can and cannot see, without drift.
    """
    response = canonical_hrf(np.arange(0, HRF_LENGTH, SLOW_STEP), delay=person.delay)
    # Slices are taken to be brought to the middle of the volume.
    times = first + (np.arange(n_volumes) + 0.5) * t_r
    parts = []
    for is_hidden in (False, True):
        drive = sum(
            person.weights[band][:, np.newaxis] * slow
            for band, slow in log_power.items()
            if (band in _HIDDEN) == is_hidden
        )
        bold = signal.fftconvolve(drive, response[np.newaxis], axes=1)
        slow_times = np.arange(drive.shape[1]) * SLOW_STEP
        regions = np.stack([
            np.interp(times, slow_times, row[: len(slow_times)]) for row in bold
        ])  # fmt: skip
        parts.append(remove_drift(regions.T.astype(np.float32) @ person.blobs.T, t_r))
    for part, share in zip(parts, (_VISIBLE_SHARE, 1 - _VISIBLE_SHARE), strict=True):
        part *= np.sqrt(share) * _NEURAL / part.std(axis=0).mean()
    return tuple(parts)


def make_motion(n_volumes, t_r, rng):
    """Draw realignment parameters (n_volumes, 6): translations in m, rotations in rad.

    A random walk that comes back, with rare jerks.
    """
    sizes = np.repeat([_MOVE["translation"], _MOVE["rotation"]], 3)
    steps = rng.standard_normal((n_volumes, 6)) * np.sqrt(t_r)
    jerks = rng.random((n_volumes, 1)) < _JERK_RATE * t_r
    steps += jerks * _JERK * rng.standard_normal((n_volumes, 6))
    stays = np.exp(-t_r / _RETURN)
    motion = signal.lfilter([1.0], [1.0, -stays], steps, axis=0) * sizes
    return motion - motion[0]


def head_speed(motion):
    """Return how far the head moves to each volume, relative to the mean.

    Rotations count as the movement on a sphere with a radius of 50 mm (Power et al.,
    NeuroImage 59:2142-2154, 2012).
    """
    parts = np.abs(np.diff(motion, axis=0, prepend=motion[:1]))
    moved = parts[:, :3].sum(axis=1) + 0.05 * parts[:, 3:].sum(axis=1)
    return moved / moved.mean()


def make_noise(group, person, motion, t_r, rng):
    """Make noise of unit standard deviation, and volumes of thermal noise.

    Returns
    -------
    noise : ndarray, shape (n_volumes, n_voxels)
        All parts that the ceiling scales, without drift.
    thermal : ndarray, shape (n_volumes, nx, ny, nz)
        Of unit variance, for what is outside the brain.
    """
    n_volumes = len(motion)
    thermal = _draw_thermal(group, n_volumes, t_r, rng)
    parts = {
        "thermal": thermal[:, group.mask],
        "global": _draw_global(group, n_volumes, t_r, rng),
        "motion": _move(group, person, motion),
    }
    for name, rate in _RATES.items():
        parts[name] = _draw_pulse(group, n_volumes, t_r, rate, rng)
    noise = np.zeros_like(parts["thermal"])
    for name, share in _NOISE.items():
        part = remove_drift(parts[name], t_r)
        noise += np.float32(np.sqrt(share) / part.std(axis=0).mean()) * part
    return noise, thermal


def make_drift(group, n_volumes, rng):
    """Draw the slow drift of each voxel (n_volumes, n_voxels), in percent."""
    times = np.linspace(-1, 1, n_volumes)
    orders = range(1, _DRIFT_ORDER + 1)
    courses = np.stack([np.polynomial.Legendre.basis(n)(times) for n in orders], axis=1)
    maps = np.stack([_draw_map(group, rng) for _ in orders])
    drift = courses @ maps
    drift -= drift.mean(axis=0)
    return (_DRIFT / drift.std(axis=0).mean() * drift).astype(np.float32)


def solve_noise_scale(visible, fixed, noise, ceiling):
    """Find how much noise brings the mean correlation over voxels to the ceiling.

    Parameters
    ----------
    visible : ndarray, shape (n_volumes, n_voxels)
        What EEG can see.
    fixed : ndarray, shape (n_volumes, n_voxels)
        What is there without noise.
    noise : ndarray, shape (n_volumes, n_voxels)
        What is scaled.
    ceiling : float
        Mean correlation of ``visible`` with ``fixed + scale * noise``.

    Returns
    -------
    scale : float
        Standard deviation of the noise in percent.

    Raises
    ------
    ValueError
        If the correlation without noise is below the ceiling.
    """

    def inner(x, y):
        return np.einsum("tv,tv->v", x, y, dtype=np.float64)

    signal_power = inner(visible, visible)
    with_fixed, with_noise = inner(visible, fixed), inner(visible, noise)
    powers = inner(fixed, fixed), 2 * inner(fixed, noise), inner(noise, noise)

    def excess(log_scale):
        scale = np.exp(log_scale)
        total = powers[0] + scale * powers[1] + scale**2 * powers[2]
        products = with_fixed + scale * with_noise
        return (products / np.sqrt(signal_power * total)).mean() - ceiling

    quiet, loud = np.log(1e-3), np.log(1e3)
    if excess(quiet) < 0 or excess(loud) > 0:
        highest, lowest = excess(quiet) + ceiling, excess(loud) + ceiling
        raise ValueError(
            f"ceiling={ceiling:g} cannot be reached: with {len(visible)} volumes, "
            f"noise can bring the correlation to values from {lowest:.2f} to "
            f"{highest:.2f}, as EEG sees {_VISIBLE_SHARE:.0%} of the neural variance. "
            "Give a value between, or more volumes."
        )
    return float(np.exp(optimize.brentq(excess, quiet, loud)))


def make_volumes(group, person, change, thermal, scale):
    """Make the volumes (n_volumes, nx, ny, nz) that the scanner gives.

    ``change`` is in percent of the baseline, in the voxels of the mask; outside there
    is the baseline and noise, whose magnitude the scanner takes.
    """
    air = np.float32(_AIR * person.baseline[group.mask].mean())
    volumes = person.baseline.astype(np.float32) * (
        1 + np.float32(scale / 100) * thermal
    )
    volumes = np.abs(volumes + air * thermal)
    volumes[:, group.mask] = person.baseline[group.mask] * (1 + change / 100)
    return volumes


def _draw_thermal(group, n_volumes, t_r, rng):
    """Draw smooth noise of unit variance with an AR(1) correlation over time."""
    noise = rng.standard_normal((n_volumes, *group.mask.shape), dtype=np.float32)
    sigma = _SMOOTHNESS / group.voxel_size
    noise = ndimage.gaussian_filter(noise, (0, sigma, sigma, sigma))
    stays = np.exp(-t_r / _CORRELATION_TIME)
    noise[1:] *= np.float32(np.sqrt(1 - stays**2))
    for previous, volume in zip(noise[:-1], noise[1:], strict=True):
        volume += np.float32(stays) * previous
    return noise / noise.std()


def _draw_global(group, n_volumes, t_r, rng):
    """Draw a signal that all voxels have, each as much as its place says."""

    def is_slow(freqs):
        return (freqs >= _GLOBAL[0]) & (freqs <= _GLOBAL[1])

    # Long enough to hold such frequencies, whatever the scan's length.
    n_drawn = max(n_volumes, int(np.ceil(2 / _GLOBAL[0] / t_r)))
    course = draw_noise(1, n_drawn, 1 / t_r, is_slow, rng)[0, :n_volumes]
    return np.outer(course, np.exp(0.5 * _draw_map(group, rng))).astype(np.float32)


def _draw_pulse(group, n_volumes, t_r, rate, rng):
    """Draw a rhythm that is faster than the volumes.

    Each slice samples it at its own time, and vessels have different phases: a cosine
    and a sine with their own maps (Glover et al., Magn Reson Med 44:162-167, 2000).
    """
    mean_rate = max(rng.normal(*rate), 0.5 * rate[0])
    n_slices = group.mask.shape[2]
    times = (np.arange(n_volumes)[:, np.newaxis] + np.arange(n_slices) / n_slices) * t_r
    steps = mean_rate * t_r * _WANDER * rng.standard_normal(n_volumes)
    phase = 2 * np.pi * (mean_rate * times + np.cumsum(steps)[:, np.newaxis])
    phase = phase[:, np.nonzero(group.mask)[2]]
    maps = _draw_map(group, rng), _draw_map(group, rng)
    return (maps[0] * np.cos(phase) + maps[1] * np.sin(phase)).astype(np.float32)


def _draw_map(group, rng):
    """Draw a smooth field over the voxels of the mask."""
    smoothness = _MAP_SMOOTHNESS / group.voxel_size
    return smooth_map(group.mask.shape, smoothness, rng)[group.mask]


def _move(group, person, motion):
    """Return what motion changes, in percent: movement times the image's gradient."""
    gradients = np.gradient(person.baseline, group.voxel_size)
    baseline = person.baseline[group.mask]
    slopes = np.stack([gradient[group.mask] / baseline for gradient in gradients])
    from_centre = group.voxels - group.voxels.mean(axis=0)
    # Moment arms: a rotation w moves the point r by the cross product of w and r.
    arms = np.cross(from_centre, slopes.T)
    return (-100 * motion @ np.vstack([slopes, arms.T])).astype(np.float32)
