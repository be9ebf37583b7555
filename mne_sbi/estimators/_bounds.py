"""Estimates at the ends of the prior, which reflect the prior more than the data."""

import numpy as np

from .._warnings import warn_user

# A posterior piles up where more than this share of its draws lies this near to an end,
# in the prior's probability. If simulations and prior are right, the posteriors' mean
# share is the prior's, so that at most `_NEAR / _SHARE` of them do (Markov's
# inequality), and far fewer unless a parameter is known very well.
_NEAR, _SHARE = 0.02, 0.5
_EXPECTED = _NEAR / _SHARE


def find_piled_up(prior, draws):
    """Find posteriors that pile up at an end of a parameter's range.

    Parameters
    ----------
    prior : Prior
        The prior.
    draws : ndarray, shape (n_obs, n_draws, n_params)
        Posterior draws.

    Returns
    -------
    low, high : ndarray of bool, shape (n_obs, n_params)
        Whether they do at the low end, and at the high end.
    """
    unit = prior.to_unit(draws)
    near_low, near_high = unit < _NEAR, unit > 1 - _NEAR
    return near_low.mean(axis=1) > _SHARE, near_high.mean(axis=1) > _SHARE


def warn_if_piled_up(prior, draws):
    """Warn of posteriors that pile up, if they are more than can be expected.

    Parameters
    ----------
    prior : Prior
        The prior.
    draws : ndarray, shape (n_obs, n_draws, n_params)
        Posterior draws.
    """
    low, high = find_piled_up(prior, draws)
    _warn(prior, low, high, _EXPECTED, "estimates pile up at")


def warn_if_at_ends(prior, theta, edge):
    """Warn of refined values that were stopped at an end of a parameter's range.

    Parameters
    ----------
    prior : Prior
        The prior.
    theta : ndarray, shape (n_obs, n_params)
        Refined values.
    edge : float
        How near to an end the refinement goes, in the prior's probability.
    """
    unit = prior.to_unit(theta)
    near = 1.01 * edge
    _warn(prior, unit <= near, unit >= 1 - near, 0, "refined values stand at")


def _warn(prior, low, high, expected, what):
    """Warn by name of parameters with ends that more than the expected share reach."""
    n_expected = expected * len(low)
    # As many may be by chance.
    most = n_expected + np.sqrt(n_expected)
    found = []
    for column, parameter in enumerate(prior.parameters):
        for end, reached in (("low", low), ("high", high)):
            n = int(reached[:, column].sum())
            if n > most:
                value = f"{getattr(parameter, end):g} {parameter.unit}".rstrip()
                of = f" in {n} of {len(reached)} observations"
                found.append(
                    f"{parameter.name} ({end} end, {value})"
                    + (of if len(reached) > 1 else "")
                )
    if found:
        warn_user(
            f"The {what} an end of the prior: {'; '.join(found)}. They say what the "
            "prior allows rather than what the data show. Widen the range if larger "
            "or smaller values make sense, prior={name: (low, high)}; otherwise the "
            "model does not describe this recording, see plot_predictive."
        )
