"""The haemodynamic response, and the lags of EEG power that it makes of one."""

import numpy as np
from scipy.special import gammaln

# The two gamma densities of SPM: peak and undershoot at 5 and 15 s, with a dispersion
# of 1 s; the undershoot is one sixth.
_PEAK_SHAPE, _UNDERSHOOT_SHAPE, _RATIO = 6.0, 16.0, 1.0 / 6.0
# Steps in a lag when a response is averaged over it.
_STEPS = 20


def canonical_hrf(t, delay=0.0):
    r"""Evaluate the canonical haemodynamic response.

    Parameters
    ----------
    t : array_like
        Times since the impulse, in s.
    delay : float
        Shift of the response, in s; positive is later.

    Returns
    -------
    response : ndarray, shape as t
        In 1/s: its integral over time is one. Zero before the impulse.

    Notes
    -----
    The difference of two gamma densities with a dispersion of 1 s,

    .. math:: h(t) \propto \frac{t^5 e^{-t}}{\Gamma(6)}
              - \frac{1}{6} \frac{t^{15} e^{-t}}{\Gamma(16)},

    as in SPM (Friston et al., NeuroImage 7:30-40, 1998); its peak is at 5.0 s.
    """
    t = np.asarray(t, dtype=float) - delay
    difference = _gamma(t, _PEAK_SHAPE) - _RATIO * _gamma(t, _UNDERSHOOT_SHAPE)
    return difference / (1.0 - _RATIO)


def _gamma(t, shape):
    """Evaluate a gamma density with scale 1 s; zero for times that are not positive."""
    positive = np.where(t > 0, t, 1.0)
    density = np.exp((shape - 1) * np.log(positive) - positive - gammaln(shape))
    return np.where(t > 0, density, 0.0)


def hrf_basis(n_lags, t_r, n_delays=1, spread=1.0):
    """Compute the weights of lagged power that a haemodynamic response gives.

    Parameters
    ----------
    n_lags : int
        Number of lags; lag k holds the power of ``[-(k + 1) t_r, -k t_r]`` before the
        volume.
    t_r : float
        Length of a lag in s.
    n_delays : int
        Number of responses with delays that are ``spread`` apart, in the order of
        earlier to later, with the canonical one in the middle.
    spread : float
        In s.

    Returns
    -------
    basis : ndarray, shape (n_lags, n_delays)
        Each column is the response averaged over each lag, with a norm of one.
    """
    step = t_r / _STEPS
    fine = (np.arange(n_lags * _STEPS) + 0.5) * step
    delays = spread * (np.arange(n_delays) - (n_delays - 1) / 2)
    responses = np.stack([canonical_hrf(fine, delay) for delay in delays], axis=1)
    basis = responses.reshape(n_lags, _STEPS, n_delays).mean(axis=1)
    return basis / np.linalg.norm(basis, axis=0)
