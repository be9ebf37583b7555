"""What predicts fMRI without the model that is evaluated."""

import inspect
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from .._checks import check_array
from .._frozen import FrozenArrays
from ._pairs import Pairs
from ._ridge import HRFRidge

MODEL, MEAN_VOLUME, OWN_MEAN = "model", "mean volume", "own mean volume"
PREVIOUS, RIDGE = "previous volume", "ridge"
VIGILANCE, MOTION = "vigilance only", "motion only"
# They know fMRI of the person, which no model is given.
NEEDS_FMRI = (OWN_MEAN, PREVIOUS)
# Those that make_pairs computes unless told otherwise.
_BANDS = ("delta", "theta", "alpha", "beta", "gamma")
# Normal values lie within so many standard deviations with a probability of 90 %.
_Z_90 = 1.6449
# Past volumes whose head motion still tells in fMRI, by spin history.
_MOTION_LAGS = 3


@dataclass(frozen=True, eq=False)
class Baselines(FrozenArrays):
    """What the baselines of :func:`evaluate` are computed from.

    Parameters
    ----------
    band_power : array, shape (n_pairs, n_channels, n_bands, n_lags) | None
        Band power, for ridge regression and for vigilance, of the same pairs as ``X``.
        None takes ``X`` if it has this form.
    bands : iterable of str | None
        Names of the bands. None takes those of pairs; for arrays, it stands for the
        five that :func:`make_pairs` computes by default.
    motion : array, shape (n_pairs, n_parameters) | None
        Head motion at each volume: the six parameters of realignment, in any unit.
    """

    band_power: np.ndarray | None = None
    bands: tuple | None = None
    motion: np.ndarray | None = None


def make_baselines(settings, estimator, X, timeline, pairs=None):
    """List the regressions that are compared with a model.

    Parameters
    ----------
    settings : Baselines
        What to compute them from.
    estimator : object
        The model; it is not compared with itself.
    X : ndarray, shape (n_pairs, ...)
        Its windows.
    timeline : Timeline
        When pairs were.
    pairs : Pairs | None
        What the windows are of, where pairs were given.

    Returns
    -------
    found : dict of (str -> (estimator, features))
        By name.
    missing : dict of (str -> str)
        Why others are not among them.
    """
    found, missing = {}, {}
    names = _name_bands(settings, pairs)
    power, why = _find_band_power(settings, X, names, pairs)
    if power is None:
        missing[RIDGE] = missing[VIGILANCE] = why
    else:
        architecture = getattr(estimator, "architecture", None)
        if architecture == "hrf_ridge" or isinstance(architecture, HRFRidge):
            missing[RIDGE] = "the model is that itself"
        else:
            found[RIDGE] = _ridge(timeline.t_r), power
        if {"alpha", "theta"} <= set(names):
            drowsy = (
                power[:, :, names.index("alpha")] - power[:, :, names.index("theta")]
            )
            vigilance = drowsy.mean(axis=1)[:, np.newaxis, np.newaxis]
            found[VIGILANCE] = _ridge(timeline.t_r), vigilance
        else:
            missing[VIGILANCE] = f"there are no bands alpha and theta in {names}"
    if settings.motion is None:
        missing[MOTION] = "no head motion was given: Baselines(motion=...)"
    else:
        motion = check_array("motion", settings.motion, shape=(len(X), None))
        found[MOTION] = _ridge(None), motion_features(motion, timeline.recording)
    return found, missing


def _name_bands(settings, pairs):
    """Return the names of the bands of band power, in their order."""
    if settings.bands is not None:
        return tuple(settings.bands)
    is_known = settings.band_power is None and pairs is not None and pairs.bands
    return tuple(pairs.bands) if is_known else _BANDS


def _find_band_power(settings, X, names, pairs):
    """Return band power, or None and why there is none."""
    power = settings.band_power
    if power is None:
        # By its shape, a spectrogram of as many frequencies would be the same.
        if pairs is not None and pairs.features != "band_power":
            return None, (
                f"X is of the features '{pairs.features}': "
                "Baselines(band_power=..., bands=...)"
            )
        if X.ndim != 4 or X.shape[2] != len(names):
            return None, (
                f"X of shape {X.shape} is not band power of {len(names)} bands: "
                "Baselines(band_power=..., bands=...)"
            )
        power = X
    shape = (len(X), None, len(names), None)
    return check_array("band_power", power, shape=shape, dtype=np.float32), ""


def _ridge(t_r):
    from ._regressor import EEG2fMRIRegressor

    return EEG2fMRIRegressor("hrf_ridge", t_r=t_r)


def motion_features(motion, recording):
    """Make regressors of head motion.

    Parameters
    ----------
    motion : ndarray, shape (n_pairs, n_parameters)
        Parameters of realignment.
    recording : ndarray of int, shape (n_pairs,)
        The recording of each pair; pairs of one are in the order of time.

    Returns
    -------
    features : ndarray of float32, shape (n_pairs, 6 * n_parameters)
        The parameters and their changes since the volume before, of the volume and of
        the two before it, with zero mean and unit standard deviation in each recording.
        Before the first volume, motion is as at the first.
    """
    features = np.empty((len(motion), 2 * _MOTION_LAGS * motion.shape[1]), np.float32)
    for number in np.unique(recording):
        rows = np.flatnonzero(recording == number)
        here = motion[rows]
        change = np.diff(here, axis=0, prepend=here[:1])
        both = np.concatenate([here, change], axis=1)
        before = [np.maximum(np.arange(len(rows)) - k, 0) for k in range(_MOTION_LAGS)]
        lagged = np.concatenate([both[b] for b in before], axis=1)
        scale = lagged.std(axis=0)
        scale[scale < 1e-12] = 1.0
        features[rows] = (lagged - lagged.mean(axis=0)) / scale
    return features


def previous_volumes(y, groups):
    """Predict each volume by the one before of the same person.

    The first is predicted by the person's mean.
    """
    predicted = np.empty_like(y)
    for person in np.unique(groups):
        rows = np.flatnonzero(groups == person)
        predicted[rows[1:]] = y[rows[:-1]]
        predicted[rows[0]] = y[rows].mean(axis=0, dtype=float)
    return predicted


def own_means(y, block):
    """Predict each volume by the mean of its block.

    Parameters
    ----------
    y : ndarray, shape (n_pairs, n_targets)
        fMRI.
    block : ndarray of int, shape (n_pairs,)
        Volumes of one person and recording that are tested together have one number.
    """
    predicted = np.empty_like(y)
    for number in np.unique(block):
        rows = block == number
        predicted[rows] = y[rows].mean(axis=0, dtype=float)
    return predicted


def training_means(y, splits):
    """Predict each volume by the mean of all in training.

    Returns
    -------
    predicted : ndarray, shape as y
        NaN where a pair is not tested.
    """
    predicted = np.full_like(y, np.nan)
    for train, test in splits:
        predicted[test] = y[train].mean(axis=0, dtype=float)
    return predicted


def cross_predict(estimator, X, y, groups, splits, n_jobs=None):
    """Predict each test pair by a model that was fitted to the fold's training pairs.

    Parameters
    ----------
    estimator : object
        Has ``fit`` and ``predict``. ``fit`` is given ``groups`` if it takes them.
    X : ndarray, shape (n_pairs, ...) | Pairs
        Windows, or pairs for an estimator that takes them.
    y : ndarray, shape (n_pairs, ...)
        fMRI.
    groups : ndarray, shape (n_pairs,)
        The person of each pair.
    splits : list of (train, test)
        Rows.
    n_jobs : int | None
        Folds at the same time, as in joblib.

    Returns
    -------
    predicted : ndarray of float32, shape (n_pairs, n_targets)
        NaN where a pair is not tested.
    inside : ndarray of bool, shape (n_pairs, n_targets) | None
        Which measured values lie in the 90 % interval of the prediction, where
        ``predict`` takes ``return_std``.

    Raises
    ------
    ValueError
        If predictions have another shape than y, or are not finite.
    """
    from joblib import Parallel, delayed

    jobs = (delayed(_fit_predict)(estimator, X, y, groups, *s) for s in splits)
    predicted = np.full((len(y), int(np.prod(y.shape[1:]))), np.nan, dtype=np.float32)
    is_inside = np.zeros(predicted.shape, dtype=bool)
    results = Parallel(n_jobs=n_jobs)(jobs)
    for number, ((_, test), (rows, inside)) in enumerate(
        zip(splits, results, strict=True)
    ):
        expected = (len(test), *y.shape[1:])
        if y.shape[1:] == (1,) and rows.shape == (len(test),):
            rows = rows[:, np.newaxis]  # many regressors drop a single column
        if rows.shape != expected:
            raise ValueError(
                f"{type(estimator).__name__}.predict returned the shape {rows.shape} "
                f"in fold {number}, expected {expected}, that of y."
            )
        n_bad = int((~np.isfinite(rows)).sum())
        if n_bad:
            raise ValueError(
                f"{type(estimator).__name__} predicted {n_bad} values in fold {number} "
                f"that are NaN or infinite, of {rows.size}. Scores need numbers: see "
                "whether it has converged, and look for extreme values in X."
            )
        predicted[test] = rows.reshape(len(test), -1)
        if inside is None:
            is_inside = None
        elif is_inside is not None:
            is_inside[test] = inside.reshape(len(test), -1)
    return predicted, is_inside


def _fit_predict(estimator, X, y, groups, train, test):
    """Return predictions of the test pairs, and what lies in their intervals."""
    model = clone(estimator)
    if isinstance(X, Pairs):
        arrays, people, X_test = (X.take(train),), {}, X.take(test)
    else:
        people = _name_groups(model, groups[train])
        arrays, X_test = (X[train], y[train]), X[test]
    with warnings.catch_warnings():
        # Splitters of a search that do not need them say so.
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        model.fit(*arrays, **people)
    if not _gives_std(model):
        return np.asarray(model.predict(X_test)), None
    predicted, std = map(np.asarray, model.predict(X_test, return_std=True))
    n_bad = int((~(np.isfinite(std) & (std >= 0))).sum())
    if std.shape != predicted.shape or n_bad:
        raise ValueError(
            f"{type(model).__name__}.predict(return_std=True) must return standard "
            f"deviations of the shape of its predictions, {predicted.shape}, got the "
            f"shape {std.shape}, {n_bad} values negative, infinite or NaN."
        )
    # Another shape is the caller's to tell; zeros stand for none, as in DummyRegressor.
    if predicted.size != y[test].size or not std.any():
        return predicted, None
    measured = y[test].reshape(predicted.shape)
    return predicted, np.abs(measured - predicted) <= _Z_90 * std


def _gives_std(model):
    """Tell whether a model, or the last step of a pipeline, has intervals."""
    import sklearn
    from sklearn.pipeline import Pipeline

    if isinstance(model, Pipeline) and not sklearn.get_config().get(
        "enable_metadata_routing"
    ):
        model = model.steps[-1][1]  # a pipeline hands arguments of predict on
    return "return_std" in inspect.signature(model.predict).parameters


def _name_groups(model, groups):
    """Return the argument of ``fit`` that brings the groups to where they are used."""
    import sklearn
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    if has_fit_parameter(model, "groups"):
        return {"groups": groups}
    if sklearn.get_config().get("enable_metadata_routing"):
        takes = isinstance(model, BaseSearchCV)
        if not takes and hasattr(model, "get_metadata_routing"):
            takes = bool(model.get_metadata_routing().consumes("fit", ["groups"]))
        return {"groups": groups} if takes else {}
    # Without routing, a search gives them to its splitter only, and a pipeline to the
    # step that is named.
    if isinstance(model, BaseSearchCV):
        return {"groups": groups}
    if isinstance(model, Pipeline):
        return {
            f"{name}__groups": groups
            for name, step in model.steps
            if isinstance(step, BaseSearchCV)
            or (hasattr(step, "fit") and has_fit_parameter(step, "groups"))
        }
    return {}
