"""Global sensitivity: which parameters move the features of a model's data."""

import numpy as np

from .._checks import check_array, check_rng, draw_seed
from .._warnings import keeps_warnings
from ..models._sampling import check_is_timed
from ..simulation._recipe import make_recipe
from ._sensitivity_features import FeatureSet
from ._sensitivity_indices import (
    MorrisDesign,
    SobolDesign,
    draw_weights,
    elementary_effects,
    morris_indices,
    sobol_indices,
)
from ._sensitivity_results import MorrisSensitivity, SobolSensitivity
from ._sensitivity_runs import run_design


@keeps_warnings
def sobol_sensitivity(
    model,
    prior=None,
    *,
    features=None,
    n=512,
    n_replicates=1,
    fixed=None,
    n_bootstrap=1000,
    confidence=0.9,
    random_state=None,
    verbose=None,
):
    """Attribute the variance of features to the parameters of a model.

    Parameters
    ----------
    model : ForwardModel | str
        The model, or its registered name.
    prior : Prior | dict | None
        The parameters and the ranges over which they vary, as in
        :func:`mne_sbi.simulate`. The indices depend on it.
    features : str | callable | FeatureExtractor | sequence | dict | None
        What is measured on the simulations: names of built-in features (see Notes), a
        :class:`~mne_sbi.features.FeatureExtractor`, a function of ``(data, sfreq)`` or
        ``(psd, freqs)`` that returns an array of shape (n,) or (n, n_outputs), several
        of these, or a dict of them by name. ``None`` stands for all built-in ones.
    n : int
        Number of rows of the design, a power of 2. There are ``n * (n_params + 2) *
        n_replicates`` simulations.
    n_replicates : int
        Simulations with different noise whose features are averaged at each point. See
        Notes for models that are not deterministic.
    fixed : dict of float | None
        Values of the other parameters; by default the model's.
    n_bootstrap : int
        Number of bootstrap samples.
    confidence : float
        Probability of the intervals.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    sensitivity : SobolSensitivity
        The indices, with ``to_data_frame`` and ``plot``.

    Raises
    ------
    ValueError
        If an argument is wrong, or half of the rows of the design cannot be used.

    See Also
    --------
    morris_sensitivity : Cheaper, without shares of variance.

    Notes
    -----
    The *first-order* index of a parameter is the share of a feature's variance that
    would vanish if the parameter were known, on average; the *total* index is the share
    that would remain if all others were known. What lies between is interaction: the
    effect of the parameter depends on the values of the others, and is not seen when
    one parameter at a time is changed [1]_. Of a feature with several outputs, such as
    a spectrum, the index is the mean over outputs weighted by their variance, which is
    the share of the total variance [2]_.

    Built-in features are those of the power spectrum from 1 to 45 Hz (of a spectral
    model, at its frequencies): ``"log_power"`` (dB), ``"peak_frequency"`` (Hz),
    ``"relative_alpha"`` (share of the power at 8 to 13 Hz), ``"median_frequency"`` (Hz,
    half of the power lies below), all of the power averaged over nodes; and
    ``"log_psd"`` (dB) at every node and frequency. The summaries of an extractor are
    normalised as it says; observation noise is not added.

    *Randomness of the model* counts as one more input of it: points of a row that are
    subtracted from each other share it. It adds to the variance, so that all indices
    become smaller by the share that the result gives as ``noise``, and where a
    parameter's effect depends on it, this is part of the total index. More replicates
    make both smaller; without common noise, it would be part of every total index.

    *Draws that cannot be used*, because the model refuses them as unstable or a feature
    is not finite, take their whole row with them: it is replaced by the next one of the
    sequence, and a warning tells how many there were. Among the rest, parameters are
    not independent, which the theory wants; if half of the rows are lost it is an
    error.

    Intervals are percentiles of a bootstrap over rows. It does not know that the points
    of a Sobol sequence cover the space more evenly than random ones, so that the
    intervals are rather too wide.

    References
    ----------
    .. [1] Saltelli et al. (2010). Variance based sensitivity analysis of model output.
       Comput. Phys. Commun. 181, 259-270. doi:10.1016/j.cpc.2009.09.018
    .. [2] Lamboni, Monod & Makowski (2011). Multivariate sensitivity analysis to
       measure global contribution of input factors in dynamic models. Reliab. Eng.
       Syst. Saf. 96, 450-459. doi:10.1016/j.ress.2010.12.002; Gamboa et al. (2014).
       Sensitivity analysis for multidimensional and functional outputs. Electron. J.
       Stat. 8, 575-603. doi:10.1214/14-EJS895
    """
    _check_integer("n", n, 2)
    if n & (n - 1):
        above = 1 << int(n).bit_length()
        raise ValueError(
            f"n must be a power of 2, which makes Sobol points balanced, got {n}. Use "
            f"{above // 2} or {above}."
        )
    confidence = _check_counts(n_replicates, n_bootstrap, confidence)
    recipe = make_recipe(model, prior, None, fixed, None)
    check_is_timed(recipe.model)
    features = FeatureSet(features, recipe.model)
    rng = check_rng(random_state)
    design, seed = SobolDesign(len(recipe.prior), rng), draw_seed(rng)
    runs = _run(recipe, features, design, n, n_replicates, seed, verbose)
    weights = draw_weights(n, n_bootstrap, rng)
    outputs, whole, noise = {}, [], []
    for name, values in runs.values.items():
        flat = values.reshape(*values.shape[:2], -1)
        found, together = sobol_indices(flat, weights, confidence)
        whole.append(together)
        noise.append(_share(runs.noise[name], found["variance"]))
        outputs[name] = _with_axis(
            found, values, features.axes[name], recipe.model.node_names
        )
    return SobolSensitivity(
        names=recipe.prior.names,
        features=tuple(outputs),
        **_stack(whole),
        noise=np.array(noise),
        outputs=outputs,
        n=n,
        n_replicates=n_replicates,
        n_replaced=runs.n_replaced,
        confidence=confidence,
    )


@keeps_warnings
def morris_sensitivity(
    model,
    prior=None,
    *,
    features=None,
    n_trajectories=64,
    n_levels=8,
    n_replicates=1,
    fixed=None,
    n_bootstrap=1000,
    confidence=0.9,
    random_state=None,
    verbose=None,
):
    """Screen the parameters of a model by their elementary effects.

    Parameters
    ----------
    model : ForwardModel | str
        The model, or its registered name.
    prior : Prior | dict | None
        The parameters and the ranges over which they vary, as in
        :func:`mne_sbi.simulate`.
    features : str | callable | FeatureExtractor | sequence | dict | None
        What is measured on the simulations, as in :func:`sobol_sensitivity`.
    n_trajectories : int
        Number of walks through the parameters. There are ``n_trajectories * (n_params
        + 1) * n_replicates`` simulations.
    n_levels : int
        Number of values that each parameter takes, even, evenly from one end of its
        range to the other, on its scale. The customary 4 leave gaps: a resonance is
        seen at 4 frequencies only.
    n_replicates : int
        Simulations with different noise whose features are averaged at each point.
    fixed : dict of float | None
        Values of the other parameters; by default the model's.
    n_bootstrap : int
        Number of bootstrap samples.
    confidence : float
        Probability of the intervals.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    sensitivity : MorrisSensitivity
        The indices, with ``to_data_frame`` and ``plot``.

    Raises
    ------
    ValueError
        If an argument is wrong, or half of the trajectories cannot be used.

    See Also
    --------
    sobol_sensitivity : Shares of the variance, for more simulations.

    Notes
    -----
    An elementary effect is the change of a feature over that of a parameter, all others
    kept, at a random point; the parameter counts from 0 to 1 over its range [1]_. The
    mean of its absolute value, ``mu_star`` [2]_, ranks the parameters. Its standard
    deviation, ``sigma``, is 0 for a parameter whose effect is the same everywhere: a
    ``sigma`` as large as ``mu_star`` tells that the parameter interacts with others or
    acts nonlinearly. Of a feature with several outputs, the absolute value of an effect
    is its root mean square over them.

    All simulations of a trajectory have the same noise, so that it falls out of the
    differences as far as the parameters do not change its effect. Trajectories with a
    draw that cannot be used are replaced, and a warning tells how many there were.

    References
    ----------
    .. [1] Morris (1991). Factorial sampling plans for preliminary computational
       experiments. Technometrics 33, 161-174. doi:10.1080/00401706.1991.10484804
    .. [2] Campolongo, Cariboni & Saltelli (2007). An effective screening design for
       sensitivity analysis of large models. Environ. Model. Softw. 22, 1509-1518.
       doi:10.1016/j.envsoft.2006.10.004
    """
    _check_integer("n_trajectories", n_trajectories, 2)
    _check_integer("n_levels", n_levels, 2)
    if n_levels % 2:
        raise ValueError(
            f"n_levels must be even, or some levels would be more likely, got "
            f"{n_levels}. Use {n_levels - 1} or {n_levels + 1}."
        )
    confidence = _check_counts(n_replicates, n_bootstrap, confidence)
    recipe = make_recipe(model, prior, None, fixed, None)
    check_is_timed(recipe.model)
    features = FeatureSet(features, recipe.model)
    rng = check_rng(random_state)
    design = MorrisDesign(len(recipe.prior), n_levels, rng)
    seed = draw_seed(rng)
    runs = _run(recipe, features, design, n_trajectories, n_replicates, seed, verbose)
    weights = draw_weights(n_trajectories, n_bootstrap, rng)
    outputs, whole = {}, []
    for name, values in runs.values.items():
        flat = values.reshape(*values.shape[:2], -1)
        effects = elementary_effects(flat, runs.unit, design.step)
        found, together = morris_indices(effects, weights, confidence)
        whole.append(together)
        found["variance"] = flat.var(axis=(0, 1))
        outputs[name] = _with_axis(
            found, values, features.axes[name], recipe.model.node_names
        )
    return MorrisSensitivity(
        names=recipe.prior.names,
        features=tuple(outputs),
        **_stack(whole),
        outputs=outputs,
        n=n_trajectories,
        n_replicates=n_replicates,
        n_replaced=runs.n_replaced,
        confidence=confidence,
    )


def _run(recipe, features, design, n, n_replicates, seed, verbose):
    from mne.utils import use_log_level

    with use_log_level(verbose):
        return run_design(recipe, features, design, n, n_replicates, seed)


def _share(noise, variance):
    return noise.sum() / variance.sum() if variance.any() else np.nan


def _with_axis(found, values, axis, node_names):
    """Give flat outputs their rows and points back, and say what these are."""
    shape = values.shape[2:]
    arrays = {name: v.reshape(*shape, *v.shape[1:]) for name, v in found.items()}
    named = node_names is not None and len(node_names) == shape[0]
    rows = tuple(node_names) if named else tuple(range(shape[0]))
    return {"rows": rows, "axis": axis.values, "axis_label": axis.label} | arrays


def _stack(whole):
    return {name: np.stack([one[name] for one in whole]) for name in whole[0]}


def _check_counts(n_replicates, n_bootstrap, confidence):
    """Check what both analyses are given."""
    _check_integer("n_replicates", n_replicates, 1)
    # Fewer cannot tell the ends of an interval.
    _check_integer("n_bootstrap", n_bootstrap, 20)
    confidence = float(check_array("confidence", confidence, shape=()))
    if not 0 < confidence < 1:
        raise ValueError(
            f"confidence must be a probability such as 0.9, got {confidence:g}."
        )
    return confidence


def _check_integer(name, value, least):
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer or value < least:
        raise ValueError(
            f"{name} must be an integer of {least} or more, got {value!r}."
        )
