"""Pictures and reports of an inverter."""

import numbers

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import listing
from .._region_names import normalize_region_name
from .._warnings import keep_warnings
from ..diagnostics import Calibration
from ..inference import Posterior
from ..simulation._run import summarize
from ._inputs import get_connectome
from ._reading import read_features
from ._sensors import describe_coverage

# Observations whose figures go into a report: each has three.
_N_PICTURED = 10
# Posterior draws whose spectra are simulated for a figure.
_N_DRAWS = 200
# Settings that are data, or of no consequence for what is found.
_NOT_SHOWN = ("simulations", "src", "labels", "n_jobs", "verbose", "prior")


class InverterPlots:
    """What an inverter draws and reports."""

    def plot_predictive(self, X, obs=0, *, n_draws=_N_DRAWS, picks=None, show=True):
        """Plot measured spectra against those that the posterior predicts.

        Parameters
        ----------
        X : array_like | MNE object | list
            Observations, as for :meth:`predict`.
        obs : int | str
            Number of the observation, or its name where X has names.
        n_draws : int
            Number of posterior draws whose spectra are simulated.
        picks : list of str | list of int | None
            The regions to show, or the channels with a lead field; by default five.
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure; see :func:`mne_sbi.viz.plot_predictive`. The spectra are scaled
            as the network sees them.

        Raises
        ------
        ValueError
            If there are no spectra to predict, or no such observation or region.
        """
        self._needs_spectra("plot_predictive()")
        x, obs_names, *_ = read_features(self, X)
        row = _find_observation(obs, len(x), obs_names)
        draws = self._draw(x[[row]], n_draws)[0]
        name = None if obs_names is None else obs_names[row]
        return _plot_spectra(self, x[row], draws, picks, show, name)

    def add_to_report(
        self,
        report,
        X,
        *,
        title=None,
        posterior=None,
        calibration=None,
        tags=("mne-sbi",),
    ):
        """Add a section with what was found to a report of MNE-Python.

        The section holds the warnings, the settings, the table of parameters, figures
        of the first ten observations' posteriors and predicted spectra, and the
        calibration.

        Parameters
        ----------
        report : mne.Report
            The report.
        X : array_like | MNE object | list
            Observations, as for :meth:`predict`.
        title : str | None
            Title of the section, by default ``"Model inversion"``.
        posterior : Posterior | None
            What :meth:`predict_posterior` found for X; by default it is asked.
        calibration : Calibration | int | None
            What :meth:`diagnose` found, or the number of simulations to diagnose now.
        tags : tuple of str
            Tags by which readers of the report filter.

        Returns
        -------
        posterior : Posterior
            What is reported.

        Raises
        ------
        TypeError
            If the report, the posterior, the calibration or the tags are something
            else.
        ValueError
            If the posterior has another number of observations than X.
        """
        from ..viz._report import add_warnings

        _check_report(report, posterior, calibration, tags)
        check_is_fitted(self)
        with keep_warnings() as kept:
            x, obs_names, *_ = read_features(self, X)
        if posterior is None:
            draws = self._draw(x, self.n_draws)
            posterior = self._make_posterior(draws, obs_names, kept)
        elif posterior.n_obs != len(x):
            raise ValueError(
                f"The posterior is of {posterior.n_obs} observations, and X holds "
                f"{len(x)}. Give the posterior of X, or posterior=None."
            )
        if isinstance(calibration, numbers.Integral):
            calibration = self.diagnose(int(calibration))
        place = {"section": title or "Model inversion", "tags": tuple(tags)}
        add_warnings(report, (*self.warnings_, *posterior.warnings, *kept), **place)
        _report_settings(self, report, place)
        _report_posterior(report, posterior, place)
        _report_spectra(self, report, x, posterior, place)
        if calibration is not None:
            _report_calibration(report, calibration, place)
        return posterior

    def _needs_spectra(self, what):
        check_is_fitted(self)
        self._needs_model(what)
        if not hasattr(self.features_, "get_freqs"):
            raise ValueError(
                f"{what} shows spectra, and the features "
                f"{type(self.features_).__name__} are none. posterior_predictive(X) "
                "gives measured and predicted features as arrays."
            )


def _find_observation(obs, n_obs, obs_names):
    """Return the number of an observation."""
    if isinstance(obs, str):
        if obs_names is None or obs not in obs_names:
            known = f"have no names. Give a number from 0 to {n_obs - 1}"
            if obs_names is not None:
                known = f"are {list(obs_names)}"
            raise ValueError(f"There is no observation {obs!r}: the {n_obs} {known}.")
        return list(obs_names).index(obs)
    if not isinstance(obs, numbers.Integral) or not -n_obs <= obs < n_obs:
        raise ValueError(
            f"obs must be a number from 0 to {n_obs - 1}, or a name, got {obs!r}."
        )
    return int(obs)


def _plot_spectra(inverter, x, draws, picks, show, name=None):
    """Plot one observation's features against what draws predict.

    Parameters
    ----------
    inverter : ModelInverter
        A fitted inverter.
    x : ndarray, shape (n_features,) | (n_rows, n_points)
        The features.
    draws : ndarray, shape (n_draws, n_params)
        Posterior draws.
    picks : list | None
        Rows to show.
    show : bool
        Show the figure.
    name : str | None
        Name of the observation, for one that is a single row.
    """
    from ..viz import plot_predictive

    x = x.reshape(-1)
    observation, model = inverter.observation_, inverter.model_
    nodes = observation.simulate_nodes(draws, inverter.seed_)
    summaries = summarize(model, observation.simulated_features, nodes)
    good = None if summaries is None else np.isfinite(summaries).all(axis=(1, 2))
    if good is None or not good.any():
        raise RuntimeError("The model gives no finite data for any of these draws.")
    summaries = summaries[good]
    names = observation.row_names
    if observation.by_row:
        # One panel, of the observation, or of the only channel that there is.
        only = (getattr(inverter, "row_names_", None) or ("",))[0]
        names = [only if name is None else name]
    n_rows = summaries.shape[1] if names is None else len(names)
    shape = (-1, n_rows, len(x) // n_rows)
    noisy = None
    if observation.is_noisy:
        rng = np.random.default_rng(inverter.seed_)
        noisy = observation.observe(summaries, rng).reshape(shape)
    return plot_predictive(
        x.reshape(shape)[0],
        observation.normalize_simulated(summaries).reshape(shape),
        inverter.features_.get_freqs(),
        names=names,
        noisy=noisy,
        nodes=_find_rows(picks, names, n_rows),
        rows="regions" if inverter.lead_field_ is None else "channels",
        show=show,
    )


def _find_rows(picks, names, n_rows):
    """Return the numbers of the rows to show, or None."""
    if picks is None:
        return None
    if isinstance(picks, (str, numbers.Integral)):
        picks = [picks]
    places = {normalize_region_name(n): i for i, n in enumerate(names or ())}
    rows = []
    for pick in picks:
        is_name = isinstance(pick, str)
        row = places.get(normalize_region_name(pick)) if is_name else pick
        if row is None or not 0 <= row < n_rows:
            known = "" if names is None else f": {listing(names)}"
            raise ValueError(
                f"picks has {pick!r}, which is none of the {n_rows} rows of the "
                f"spectra{known}."
            )
        rows.append(int(row))
    return rows


def _check_report(report, posterior, calibration, tags):
    import mne

    if not isinstance(report, mne.Report):
        raise TypeError(
            f"report must be an mne.Report, got {type(report).__name__}. Write "
            "report = mne.Report(title=...)."
        )
    if not isinstance(posterior, (Posterior, type(None))):
        raise TypeError(
            "posterior must be what predict_posterior() returns, or None, got "
            f"{type(posterior).__name__}."
        )
    if isinstance(tags, str):
        raise TypeError(
            f"tags must be a tuple of strings, got {tags!r}. Write ({tags!r},)."
        )
    is_number = isinstance(calibration, numbers.Integral)
    is_number &= not isinstance(calibration, bool)
    if calibration is None or isinstance(calibration, Calibration) or is_number:
        return
    raise TypeError(
        "calibration must be what diagnose() returns, or a number of simulations, got "
        f"{calibration!r}."
    )


def _report_settings(inverter, report, place):
    """Add what was inverted, how, and what was inferred over which range."""
    from ..viz._report import add_html, paragraph, rows_to_html

    add_html(
        report,
        paragraph(_describe_observed(inverter))
        + rows_to_html(("setting", "value"), _list_settings(inverter)),
        "Settings",
        **place,
    )
    add_html(report, inverter.prior_._repr_html_(), "Prior", **place)


def _describe_observed(inverter):
    """Say in one paragraph what was observed."""
    if inverter.features_ is None:
        return "Observed: features of the caller's."
    observation = inverter.observation_
    names = observation.row_names
    what = "region" if observation.mixing is None else "channel"
    if names is None:
        text = "Observed: all nodes of the model."
    else:
        plural = "" if len(names) == 1 else "s"
        text = f"Observed: {len(names)} {what}{plural}, {', '.join(names)}."
    coverage = describe_coverage(inverter.model_, observation)
    return text if coverage is None else f"{text} {coverage}"


def _list_settings(inverter):
    """Return pairs of setting and value, in one line each."""
    from importlib.metadata import version

    connectome = get_connectome(inverter.model_)
    rows = []
    if getattr(connectome, "synthetic", False):
        rows.append(("warning", "SYNTHETIC connectome: for demonstrations only."))
    rows += [("mne_sbi", version("mne-sbi")), ("model", _one_line(inverter.model_))]
    description = getattr(connectome, "description", "")
    if description:
        rows.append(("connectome", description))
    rows += [
        ("features", _one_line(inverter.features_)),
        ("method", _one_line(inverter.method_)),
    ]
    rows += [(f"fixed {name}", f"{v:g}") for name, v in inverter.fixed_.items()]
    skipped = (*_NOT_SHOWN, "model", "connectome", "freqs", "features", "method")
    for name, value in inverter.get_params(deep=False).items():
        if name not in skipped and value is not None:
            rows.append((name, _one_line(value)))
    if inverter.bank_ is not None:
        rows.append(("simulations used", f"{int(np.sum(inverter.bank_.valid)):,}"))
    return rows


def _one_line(value, n_most=400):
    # Long arrays by their ends.
    with np.printoptions(threshold=6, edgeitems=2, precision=4):
        text = " ".join(repr(value).split())
    return text if len(text) <= n_most else f"{text[:n_most]} ..."


def _report_posterior(report, posterior, place):
    """Add the table of all observations, and figures of the first ones."""
    from ..viz import plot_marginals, plot_pairs
    from ..viz._report import add_figures, add_html, paragraph, parameters_to_html

    captions = _captions(posterior)
    note = ""
    if len(captions) < posterior.n_obs:
        note = paragraph(
            f"The figures below the table show the first {len(captions)} of "
            f"{posterior.n_obs} observations."
        )
    table = parameters_to_html(posterior.summary())
    add_html(report, note + table, "Parameters", **place)
    kinds = {"Posterior": plot_marginals}
    if len(posterior.names) > 1:
        kinds["Posterior, pairs of parameters"] = plot_pairs
    for heading, plot in kinds.items():

        def make(i, plot=plot):
            return plot(posterior[i], show=False)

        add_figures(report, make, captions, heading, **place)


def _captions(posterior):
    """Return the names of the observations that are pictured."""
    names = posterior.obs_names or [f"observation {i}" for i in range(posterior.n_obs)]
    return list(names[:_N_PICTURED])


def _report_spectra(inverter, report, x, posterior, place):
    """Add measured and predicted spectra of the first observations."""
    from ..viz._report import add_figures

    if not hasattr(inverter.features_, "get_freqs"):
        return

    def make(i):
        draws = posterior.draws[i, :_N_DRAWS]
        return _plot_spectra(inverter, x[i], draws, None, False, captions[i])

    captions = _captions(posterior)
    add_figures(report, make, captions, "Measured and predicted spectra", **place)


def _report_calibration(report, calibration, place):
    """Add table and figure of the calibration."""
    from ..viz import plot_calibration
    from ..viz._report import add_figures, add_html, table_to_html

    caption = (
        f"Coverage and ranks over {calibration.n} fresh simulations: on the diagonal, "
        "and flat, where intervals are right."
    )
    add_figures(
        report,
        lambda i: plot_calibration(calibration, show=False),
        [caption],
        "Calibration",
        **place,
    )
    table = table_to_html(calibration.summary())
    add_html(report, table, "Calibration in numbers", **place)
