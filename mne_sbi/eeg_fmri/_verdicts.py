"""Findings about predictions that their scores alone do not tell."""

from dataclasses import dataclass

import numpy as np

from ._baselines import MODEL, RIDGE
from ._scores import CONSTANT, is_constant

# A volume is the person's own mean if it differs by less than this share of the
# standard deviation over time.
_SAME = 0.05
# If predictions change, their mean must be nearer to the person's own mean than this
# share of the distance of the training mean, which must be at least so many standard
# deviations away: otherwise any model would be as near.
_NEARER, _AWAY = 0.1, 0.3
# Relative changes of an error, and changes of the structural similarity, that are not
# worth a word; a perfect prediction changes the similarity by 0.0005.
_ERROR_STEP, _SSIM_STEP = 1e-3, 1e-3
# Skill below which a model does harm.
_HARM = -0.01
# Share of measured values that 90 % intervals must hold. Of a few people who happen to
# be noisier than those of the training, honest ones hold somewhat less than 90 %.
_COVERAGE = 0.85
# By how much a correlation may exceed its ceiling, by chance.
_BEYOND = 0.02
# Findings that there can be, as :attr:`Evaluation.verdicts` lists them.
_N_CHECKS = 11


@dataclass(frozen=True, eq=False)
class PersonPrediction:
    """What was predicted for one person.

    Parameters
    ----------
    name : object
        The person.
    predicted, measured : ndarray, shape (n_volumes, n_targets)
        In the order of time.
    fold : ndarray of int, shape (n_volumes,)
        The fold in which each volume was tested.
    train_mean : ndarray, shape (n_volumes, n_targets)
        Mean of the volumes that each fold was trained with.
    """

    name: object
    predicted: np.ndarray
    measured: np.ndarray
    fold: np.ndarray
    train_mean: np.ndarray

    @property
    def is_constant(self):
        """Whether predictions of a fold do not change with time."""
        return is_constant(self.predicted, self.measured, self.fold)

    @property
    def is_own_mean(self):
        """Whether predictions are the person's own mean, or have it as their mean."""
        own, guess, train = (
            x.mean(axis=0, dtype=float)
            for x in (self.measured, self.predicted, self.train_mean)
        )
        sd = _rms(self.measured - own.astype(self.measured.dtype))
        distance, usual = _rms(guess - own), _rms(train - own)
        if self.is_constant and distance < _SAME * sd:
            return True
        return bool(usual > _AWAY * sd and distance < _NEARER * usual)


def _rms(x):
    return float(np.sqrt(np.square(x).mean(dtype=float)))


def find_verdicts(people, rows, copy_share, leak):
    """Say what is wrong with predictions, or with what scores seem to say.

    Parameters
    ----------
    people : list of PersonPrediction
        The model's predictions.
    rows : list of dict
        Scores of the model and the baselines, as in :class:`Evaluation`.
    copy_share : float | None
        Share of the predictions' variance that past volumes explain, if predictions
        were made of them.
    leak : str | None
        What is wrong with the splits.

    Returns
    -------
    verdicts : dict of (str -> str)
        Sentences by name.
    """
    import pandas as pd

    found = {} if leak is None else {"leak": leak}
    n = len(people)
    n_constant = sum(person.is_constant for person in people)
    n_own = sum(person.is_own_mean for person in people)
    if 2 * n_constant >= n:
        found["constant"] = (
            f"The predictions of {n_constant} of {n} people do not change with time: "
            f"less than {CONSTANT:.0%} of the measured standard deviation. They are a "
            "constant image."
        )
    if 2 * n_own >= n:
        found["own mean"] = (
            f"The predictions of {n_own} of {n} people are, on average over time, "
            "their own mean volume, which EEG does not tell and which has no time."
        )
    if copy_share is not None:
        found["copies previous volumes"] = (
            "The predictions are made of measured volumes of the recent past, which "
            f"explain {copy_share:.0%} of them. Their skill is over what these volumes "
            "give for nothing."
        )
    table = pd.DataFrame(rows)
    model = table[table["predictor"] == MODEL]
    if "constant" not in found:
        # Of a constant image, both are true by definition.
        found |= _time_shuffle(model) | _constant_image(model)
    return found | _against_others(model, table)


def describe_checks(rows, verdicts, missing):
    """Write how many checks were passed, and what was not checked for which reason.

    Parameters
    ----------
    rows : sequence of dict
        Scores of the model and the baselines, as in :class:`Evaluation`.
    verdicts : dict of (str -> str)
        What :func:`find_verdicts` found.
    missing : dict of (str -> str)
        Baselines that could not be computed, and why.

    Returns
    -------
    text : str
        One line.
    """
    import pandas as pd

    table = pd.DataFrame(rows)
    model = table[table["predictor"] == MODEL]
    # Shuffled times cannot be tested with a constant image.
    n_skipped = 2 * ("constant" in verdicts)
    unknown = {}
    if not (table["predictor"] == RIDGE).any():
        n_skipped += 1
        unknown[RIDGE] = "baselines=False"
    if model["r_ceiling"].isna().all():
        n_skipped += 1
        unknown["ceiling"] = "give ceiling="
    if model["coverage"].isna().all():
        n_skipped += 1
        unknown["intervals"] = "predict has no return_std="
    unknown |= missing
    n_checked = _N_CHECKS - n_skipped
    passed = f"{n_checked} checks passed"
    if verdicts:
        passed = f"{n_checked - len(verdicts)} of {passed}"
    if not unknown:
        return passed
    reasons = ", ".join(f"{name} ({why})" for name, why in unknown.items())
    return f"{passed}; not checked: {reasons}"


def _time_shuffle(model):
    """Name the scores that do not notice a random order of the predictions."""
    names = []
    mean = model.mean(numeric_only=True)
    if mean["rmse_shuffled"] < mean["rmse"] * (1 + _ERROR_STEP):
        names.append(f"RMSE ({mean['rmse']:.4g} -> {mean['rmse_shuffled']:.4g})")
    if mean["ssim_shuffled"] > mean["ssim"] - _SSIM_STEP:
        names.append(f"SSIM ({mean['ssim']:.4f} -> {mean['ssim_shuffled']:.4f})")
    if not names:
        return {}
    verb = "says" if len(names) == 1 else "say"
    return {
        "time shuffle": f"{' and '.join(names)} {verb} nothing about time here: it is "
        "not worse when predictions are put into another order."
    }


def _constant_image(model):
    """Name the scores by which a constant image is as good as the predictions."""
    names = []
    mean = model.mean(numeric_only=True)
    if mean["rmse_constant"] <= mean["rmse"]:
        names.append(f"RMSE ({mean['rmse_constant']:.4g} against {mean['rmse']:.4g})")
    if mean["ssim_constant"] >= mean["ssim"]:
        names.append(f"SSIM ({mean['ssim_constant']:.4f} against {mean['ssim']:.4f})")
    if not names:
        return {}
    return {
        "constant image": "A constant image, the mean of the predictions over time, is "
        f"not worse than the predictions by {' and '.join(names)}."
    }


def _against_others(model, table):
    """Compare with the null, the person's mean, ridge regression and the ceiling."""
    found = {}
    n, n_above = len(model), int((model["r"] > model["r_null95"]).sum())
    if 2 * n_above <= n:
        found["below null"] = (
            f"r exceeds the 95 % quantile of its circular shifts in {n_above} of {n} "
            "people only."
        )
    worst = model.loc[model["r2"].idxmin()]
    if worst["r2"] < _HARM:
        found["below mean"] = (
            f"R2 is {worst['r2']:.3f} in person {worst['person']}, whose own mean "
            "volume would have been a better prediction."
        )
    ridge = table.loc[table["predictor"] == RIDGE, "skill"].mean()
    if model["skill"].mean() < ridge:
        found["below ridge"] = (
            f"The mean skill, {model['skill'].mean():.4f}, is below that of ridge "
            f"regression on band power, {ridge:.4f}."
        )
    r, ceiling = model["r"].mean(), model["r_ceiling"].mean()
    if r > ceiling + _BEYOND:
        found["above ceiling"] = (
            f"The mean r, {r:.3f}, is above what EEG can explain, {ceiling:.3f}: the "
            "model has seen something else."
        )
    coverage = model["coverage"].mean()
    if coverage < _COVERAGE:
        found["overconfident"] = (
            f"The 90 % intervals of the predictions hold {coverage:.0%} of the "
            "measured values."
        )
    return found
