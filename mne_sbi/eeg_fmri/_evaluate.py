"""Scores that a constant image, a copy or a leak does not raise unseen."""

import numpy as np

from .._checks import check_rng, draw_seed
from .._warnings import keeps_warnings
from ._baselines import (
    MEAN_VOLUME,
    MODEL,
    OWN_MEAN,
    PREVIOUS,
    Baselines,
    cross_predict,
    make_baselines,
    own_means,
    previous_volumes,
    training_means,
)
from ._evaluation import Evaluation
from ._evaluation_inputs import check_pairs
from ._image_scores import make_image_scores
from ._images import ready_masker
from ._regressor import EEG2fMRIRegressor
from ._scorer import Scorer
from ._splits import describe_leak, find_leaks, make_splits, warn_of_leak
from ._verdicts import find_verdicts


@keeps_warnings
def evaluate(
    estimator,
    X,
    y=None,
    groups=None,
    times=None,
    *,
    cv="leave_one_person_out",
    baselines=True,
    masker=None,
    mean_volumes=None,
    ceiling=None,
    gap=30.0,
    keep_predictions=True,
    n_jobs=None,
    random_state=None,
    verbose=None,
):
    """Score a model that predicts fMRI from EEG, honestly.

    Parameters
    ----------
    estimator : object
        Any regressor of scikit-learn's kind. It is cloned for each fold; ``fit`` is
        given ``groups`` if it takes them, and if ``predict`` takes ``return_std``, it
        is seen how many measured values lie in the intervals.
    X : Pairs | array, shape (n_pairs, ...)
        Pairs of :func:`make_pairs`, alone: they hold all four arrays, and which
        recording each pair is of. :class:`EEG2fMRIRegressor` is given pairs, other
        estimators their arrays. Or windows of EEG.
    y : array, shape (n_pairs, n_voxels) | (n_pairs, nx, ny, nz) | (n_pairs,)
        fMRI, in percent signal change without drift.
    groups : array, shape (n_pairs,) | None
        The person of each pair; None is one person. The pairs of one person are in the
        order of time.
    times : array, shape (n_pairs,) | None
        Time of each volume within its recording, in s. Where the times of a person go
        back, another recording begins. None takes pairs to be one volume apart.
    cv : str | int | splitter | iterable of (train, test)
        ``"leave_one_person_out"`` asks for skill in new people. ``"within_person"``
        leaves out blocks of one person with a gap on both sides, and trains with the
        rest of the same person. ``"shuffled"`` draws pairs at random, only to show how
        much this flatters. Any splitter of scikit-learn, with a warning if it leaks.
    baselines : bool | Baselines
        Whether to score baselines too, or what to compute them from.
    masker : nilearn.maskers.NiftiMasker | None
        The masker that made ``y``; with it, volumes are scored as images too. If
        ``y`` are whole volumes, these count where its mask is, or everywhere without.
    mean_volumes : dict of (person -> array, shape (n_voxels,)) | None
        Mean volume of each person in the scanner's units. With it, images are whole
        volumes, as in the literature: the mean of the training people's volumes plus
        the predicted change, against the measured volume. Without, images are ``y``.
    ceiling : array, shape as y | None
        The part of ``y`` that EEG can explain, where it is known, as from
        :func:`simulate_eeg_fmri`.
    gap : float
        Distance in s, or in volumes without ``times``, from which on pairs of one
        person count as separate. By default as long as the haemodynamic response lasts.
    keep_predictions : bool
        Whether the result holds the model's predictions, which are as large as ``y``.
    n_jobs : int | None
        Folds at the same time, as in joblib.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        For ``cv="shuffled"`` and for the null of the mean over people. The model has
        its own.
    verbose : bool | str | None
        Show progress.

    Returns
    -------
    evaluation : Evaluation
        Scores of each person, and verdicts.

    Raises
    ------
    TypeError, ValueError
        If an array has another shape than described or holds NaN; if there is one
        person, and people are to be left out; if a person is tested with many gaps; if
        predictions are not finite or have another shape than ``y``.

    Warns
    -----
    LeakageWarning
        If a splitter that is not chosen by name trains with pairs that are nearer than
        ``gap`` to a test pair of the same person.

    Notes
    -----
    Whole volumes look right for any prediction, so the first score is the skill over
    the person's own mean volume, which no model knows. Correlations over time stand
    beside those of the same predictions shifted circularly, because slow signals
    correlate by chance. Predictions that are constant, that are the person's mean or
    that are made of measured volumes are named in :attr:`Evaluation.verdicts`; the last
    are compared with what these volumes give for nothing. The page "How to read an
    EEG-to-fMRI score" says more.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from mne_sbi.eeg_fmri import evaluate
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 4))
    >>> y = X @ rng.standard_normal((4, 20)) + 4 * rng.standard_normal((300, 20))
    >>> people = np.repeat(["anna", "ben", "cleo"], 100)
    >>> evaluation = evaluate(Ridge(), X, y, people, baselines=False)
    >>> bool(evaluation.summary().loc["model", "skill"] > 0.1)
    True
    """
    pairs = check_pairs(X, y, groups, times, ceiling, gap)
    settings = _check_baselines(baselines)
    rng = check_rng(random_state)
    splits, cv_name = make_splits(cv, pairs, draw_seed(rng))
    n_near, n_tested = find_leaks(splits, pairs.timeline)
    leak = None
    if n_near:
        leak = describe_leak(cv_name, n_near, n_tested, pairs.timeline)
        if not isinstance(cv, str):
            warn_of_leak(leak)
    people = np.unique(pairs.groups)
    masker = ready_masker(masker)
    images = make_image_scores(masker, mean_volumes, pairs.y.shape[1:], people)
    regressions, missing = {}, {}
    if settings is not None:
        regressions, missing = make_baselines(
            settings, estimator, pairs.X, pairs.timeline, pairs.whole
        )
    scorer = Scorer(pairs, splits, images, rng)
    takes_pairs = pairs.whole is not None and isinstance(estimator, EEG2fMRIRegressor)
    X = pairs.whole if takes_pairs else pairs.X
    predicted, inside = _cross_predict(
        estimator, MODEL, pairs, X, splits, n_jobs, verbose
    )
    scorer.score_model(predicted, inside)
    if settings is not None:
        _score_baselines(scorer, regressions, pairs, splits, n_jobs, verbose)
    return Evaluation(
        rows=tuple(scorer.rows),
        verdicts=find_verdicts(scorer.people, scorer.rows, scorer.copy_share, leak),
        cv=cv_name,
        people=tuple(person.name for person in scorer.people),
        r=np.array([null.r for null in scorer.nulls], dtype=np.float32),
        r_null95=np.array([null.r_null95 for null in scorer.nulls], dtype=np.float32),
        predictions=predicted.reshape(pairs.y.shape) if keep_predictions else None,
        mean_nulls=scorer.mean_nulls,
        missing=missing,
    )


def _check_baselines(baselines):
    """Return what baselines are computed from, or None."""
    if isinstance(baselines, Baselines):
        return baselines
    if isinstance(baselines, bool | np.bool_):
        return Baselines() if baselines else None
    raise TypeError(
        "baselines must be True, False or Baselines(band_power=..., motion=...), got "
        f"{type(baselines).__name__}."
    )


def _score_baselines(scorer, regressions, pairs, splits, n_jobs, verbose):
    """Score what predicts without the model."""
    values = pairs.values
    scorer.score_baseline(OWN_MEAN, own_means(values, scorer.block))
    scorer.score_baseline(PREVIOUS, previous_volumes(values, pairs.groups))
    scorer.score_baseline(MEAN_VOLUME, training_means(values, splits))
    for name, (regressor, features) in regressions.items():
        predicted, inside = _cross_predict(
            regressor, name, pairs, features, splits, n_jobs, verbose
        )
        scorer.score_baseline(name, predicted, inside)


def _cross_predict(estimator, name, pairs, X, splits, n_jobs, verbose):
    """Fit and predict all folds, and say so."""
    from mne.utils import logger, use_log_level

    with use_log_level("INFO" if verbose is True else verbose):
        if verbose:
            logger.info(f"Fitting {name} to {len(splits)} folds")
        return cross_predict(estimator, X, pairs.y, pairs.groups, splits, n_jobs)
