"""A posterior as tables: of parameters, of observations, and for xarray."""

import numpy as np

# Points of the unit interval from which the prior's variance is computed.
_N_PRIOR_POINTS = 4000


def summarize_posterior(posterior, level):
    """Describe each parameter of each observation; see :meth:`Posterior.summary`.

    Parameters
    ----------
    posterior : Posterior
        The posterior.
    level : float
        Probability of the interval.

    Returns
    -------
    table : pandas.DataFrame
        One row per observation and parameter.
    """
    import pandas as pd

    lower, upper = posterior.interval(level)
    n_params = len(posterior.names)
    columns = {
        "obs": np.repeat(np.array(label_observations(posterior), object), n_params),
        "parameter": posterior.names * posterior.n_obs,
        "unit": posterior.units * posterior.n_obs,
        "mean": posterior.mean.ravel(),
        "sd": posterior.std.ravel(),
        "median": posterior.median.ravel(),
        "lower": lower.ravel(),
        "upper": upper.ravel(),
    }
    if posterior.prior is not None:
        columns["contraction"] = contraction(posterior).ravel()
    return _note_warnings(pd.DataFrame(columns), posterior)


def widen_posterior(posterior, level):
    """Lay out one row per observation; see :meth:`Posterior.to_data_frame`.

    Parameters
    ----------
    posterior : Posterior
        The posterior.
    level : float
        Probability of the interval.

    Returns
    -------
    table : pandas.DataFrame
        Three columns per parameter.
    """
    import pandas as pd

    lower, upper = posterior.interval(level)
    columns = {}
    for i, name in enumerate(posterior.names):
        columns[name] = posterior.mean[:, i]
        columns[f"{name}_lower"] = lower[:, i]
        columns[f"{name}_upper"] = upper[:, i]
    index = pd.Index(label_observations(posterior), name="obs")
    return _note_warnings(pd.DataFrame(columns, index=index), posterior)


def _note_warnings(table, posterior):
    """Put the number of warnings, if there are any, where a reader sees it."""
    if posterior.warnings:
        table["warnings"] = len(posterior.warnings)
        table.attrs["warnings"] = list(posterior.warnings)
    return table


def posterior_to_xarray(posterior):
    """Convert to an xarray dataset; see :meth:`Posterior.to_xarray`.

    Parameters
    ----------
    posterior : Posterior
        The posterior.

    Returns
    -------
    dataset : xarray.Dataset
        One variable per parameter.
    """
    try:
        import xarray
    except ImportError as exc:
        raise ImportError(
            "to_xarray() needs xarray, which is not installed. Type: pip install xarray"
        ) from exc
    from importlib.metadata import version

    variables = {}
    for i, name in enumerate(posterior.names):
        attrs = {"units": posterior.units[i]}
        if posterior.prior is not None:
            parameter = posterior.prior.parameters[i]
            # Plain numbers and strings, which NetCDF files can hold.
            attrs |= {
                "long_name": parameter.doc,
                "prior_low": float(parameter.low),
                "prior_high": float(parameter.high),
                "prior_scale": parameter.scale,
            }
        variables[name] = (("obs", "draw"), posterior.draws[:, :, i], attrs)
    coords = {
        "obs": list(label_observations(posterior)),
        "draw": np.arange(posterior.n_draws),
    }
    attrs = {
        "inference_library": "mne_sbi",
        "inference_library_version": version("mne-sbi"),
    }
    if posterior.warnings:
        attrs["warnings"] = "\n".join(posterior.warnings)
    return xarray.Dataset(variables, coords=coords, attrs=attrs)


def label_observations(posterior):
    """Return the observations' names, or their numbers where they have none."""
    return posterior.obs_names or range(posterior.n_obs)


def contraction(posterior):
    """Return the share of the prior's variance that the data remove.

    Parameters
    ----------
    posterior : Posterior
        A posterior with a prior.

    Returns
    -------
    contraction : ndarray, shape (n_obs, n_params)
        One minus the ratio of posterior to prior variance.
    """
    middle = (np.arange(_N_PRIOR_POINTS) + 0.5) / _N_PRIOR_POINTS
    unit = np.repeat(middle[:, None], len(posterior.names), axis=1)
    variance = posterior.prior.from_unit(unit).var(axis=0)
    return 1.0 - posterior.std**2 / variance
