"""Cheats are named, and honest predictions are not."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from mne_sbi.eeg_fmri._copies import find_copies
from mne_sbi.eeg_fmri._evaluate import evaluate
from mne_sbi.eeg_fmri._hrf import canonical_hrf

N, N_TARGETS, N_PEOPLE = 140, 60, 3
STEPS = 16


class Given(BaseEstimator):
    """Predicts what stands in X."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X


def visible_fmri(rng, t_r, n_targets=N_TARGETS):
    """Six slow processes through the haemodynamic response, seen by all targets."""
    dt = t_r / STEPS
    n_fine = (N + 40) * STEPS
    spectrum = np.fft.rfft(rng.standard_normal((n_fine, 6)), axis=0)
    freqs = np.fft.rfftfreq(n_fine, dt)
    spectrum[(freqs < 0.008) | (freqs > 0.15)] = 0
    neural = np.fft.irfft(spectrum, n_fine, axis=0)
    response = canonical_hrf(np.arange(0, 32, dt))
    bold = np.stack([np.convolve(x, response)[:n_fine] for x in neural.T], axis=1)
    visible = bold[40 * STEPS :: STEPS][:N] @ rng.standard_normal((6, n_targets))
    return (visible - visible.mean(axis=0)) / visible.std()


def fmri(seed, t_r=2.0, noise=2.3, white=0.5, n_targets=N_TARGETS):
    """Return what EEG can see, and the same with noise: white, and slow and smooth."""
    rng = np.random.default_rng(seed)
    visible = visible_fmri(rng, t_r, n_targets)
    slow = rng.standard_normal((N, 20))
    for t in range(1, N):
        slow[t] += 0.6 * slow[t - 1]
    slow = slow @ rng.standard_normal((20, n_targets))
    fast = rng.standard_normal((N, n_targets))
    rest = np.sqrt(1 - white) * slow / slow.std() + np.sqrt(white) * fast
    y = visible + noise * rest
    return visible, y - y.mean(axis=0)


def late(x, lag=1):
    return np.concatenate([np.zeros_like(x[:lag]), x[:-lag]])


def noise_of(x, seed, share):
    size = share * x.std()
    return size * np.random.default_rng(seed).standard_normal(x.shape)


def few_components(x):
    axes = np.linalg.svd(x, full_matrices=False)[2][:8]
    return x @ axes.T @ axes


def regress_on_past(y):
    """Predict by each target's own autoregression of order one."""
    slope = (y[1:] * y[:-1]).sum(axis=0) / np.square(y).sum(axis=0)
    return slope * late(y)


COPIES = {
    "previous": lambda v, y: late(y),
    "scaled": lambda v, y: 0.8 * late(y),
    "inverted": lambda v, y: -0.3 * late(y),
    "with noise": lambda v, y: late(y) + noise_of(y, 7, 0.5),
    "with much noise": lambda v, y: 0.5 * (late(y) + noise_of(y, 7, 1.0)),
    "mean of three": lambda v, y: (late(y) + late(y, 2) + late(y, 3)) / 3,
    "mean of six": lambda v, y: sum(late(y, k) for k in range(1, 7)) / 6,
    "two back": lambda v, y: late(y, 2),
    "few components": lambda v, y: few_components(late(y)),
    "autoregression": lambda v, y: regress_on_past(y),
    "half honest": lambda v, y: 0.5 * late(y) + 0.5 * v,
}
HONEST = {
    "perfect": lambda v, y: v,
    "too late": lambda v, y: late(v),
    "too early": lambda v, y: late(v[::-1])[::-1],
    "weak": lambda v, y: 0.1 * v,
    "slow errors": lambda v, y: v + visible_fmri(np.random.default_rng(9), 2.0),
    "late with errors": lambda v, y: (
        late(v) + 0.75 * visible_fmri(np.random.default_rng(9), 2.0)
    ),
    "fast errors": lambda v, y: v + noise_of(v, 8, 0.6),
    "late with fast errors": lambda v, y: late(v) + noise_of(v, 8, 0.75),
    "few components": lambda v, y: few_components(v),
    "unrelated": lambda v, y: visible_fmri(np.random.default_rng(9), 2.0),
    "noise": lambda v, y: noise_of(v, 8, 1.0),
}


def judge(predict, **settings):
    people = [fmri(seed, **settings) for seed in range(N_PEOPLE)]
    t_r = settings.get("t_r", 2.0)
    return find_copies([(predict(v, y), y) for v, y in people], t_r)


# Shares of noise that make perfect predictions correlate at .4 and .64 with fMRI.
@pytest.mark.parametrize("noise, white", [(2.3, 0.5), (1.2, 0.3)])
@pytest.mark.parametrize("t_r", [1.0, 2.0])
@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found(name, t_r, noise, white):
    is_copy, share = judge(COPIES[name], t_r=t_r, noise=noise, white=white)
    assert is_copy and share > 0.15


# The last is a measurement without any noise.
@pytest.mark.parametrize("noise, white", [(2.3, 0.5), (1.2, 0.3), (0.75, 0.0), (0, 0)])
@pytest.mark.parametrize("t_r", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("name", HONEST)
def test_honest_predictions_are_not_called_copies(name, t_r, noise, white):
    if noise == 0 and name == "too late":
        pytest.skip("without noise, this is the previous volume")
    assert not judge(HONEST[name], t_r=t_r, noise=noise, white=white)[0]


@pytest.mark.parametrize("name", ["previous", "scaled", "mean of three", "two back"])
def test_copies_are_found_without_noise_too(name):
    assert judge(COPIES[name], noise=0)[0]


@pytest.mark.parametrize("n_targets", [1, 5])
def test_few_targets_are_enough(n_targets):
    for name in ("previous", "scaled", "two back", "mean of three"):
        assert judge(COPIES[name], n_targets=n_targets)[0], name
    for name in ("perfect", "too late", "weak", "fast errors", "noise"):
        assert not judge(HONEST[name], n_targets=n_targets)[0], name


@pytest.mark.parametrize("name", sorted(COPIES.keys() - {"with much noise"}))
def test_without_repetition_time_copies_are_found_too(name):
    people = [fmri(seed) for seed in range(N_PEOPLE)]
    assert find_copies([(COPIES[name](v, y), y) for v, y in people], None)[0]


def test_a_prediction_of_perfect_correlation_with_the_past_need_not_be_a_copy():
    # White targets, predicted where they are: the past tells nothing.
    rng = np.random.default_rng(0)
    y = rng.standard_normal((N, 20))
    is_copy, share = find_copies([(0.9 * y, y)], 2.0)
    assert not is_copy and share < 0.05


# ------------------------------------------------------- what evaluate says of them
def scan(seed=0, mean=0.0):
    """Return visible and measured fMRI of all people, the people and times."""
    people = [fmri(seed + number) for number in range(N_PEOPLE)]
    visible, y = (np.concatenate(x) for x in zip(*people, strict=True))
    anatomy = np.random.default_rng(99).uniform(0.5, 1, (N_PEOPLE, 1, N_TARGETS))
    y = y + np.repeat(mean * anatomy, N, axis=1).reshape(y.shape)
    groups = np.repeat(["anna", "ben", "cleo"], N)
    return visible, y, groups, np.tile(2.0 * np.arange(N), N_PEOPLE)


def per_person(function, y, groups):
    return np.concatenate([function(y[groups == g]) for g in np.unique(groups)])


def run(predicted, y, groups, times, **kwargs):
    kwargs.setdefault("baselines", False)
    return evaluate(Given(), predicted, y, groups, times, **kwargs)


@pytest.mark.parametrize("mean", [0.0, 1000.0])
@pytest.mark.parametrize("cv", ["leave_one_person_out", "within_person"])
def test_constant_own_mean_and_copy_have_no_skill_and_are_named(mean, cv):
    _, y, groups, times = scan(mean=mean)
    constant = np.full_like(y, y.mean() + 1.0)
    own = per_person(lambda x: np.broadcast_to(x.mean(axis=0), x.shape), y, groups)
    copy = per_person(lambda x: np.concatenate([x[:1], x[:-1]]), y, groups)
    cheats = {"constant": constant, "own mean": own, "copies previous volumes": copy}
    for name, predicted in cheats.items():
        evaluation = run(predicted, y, groups, times, cv=cv)
        assert (evaluation.table["skill"] <= 0.01).all(), name
        assert name in evaluation.verdicts
        assert f"\n{name}: " in repr(evaluation)
        named = evaluation.verdicts.keys() & cheats.keys()
        # Copies of whole volumes have the person's own mean, which is a constant.
        assert named <= {"constant": {name}, "own mean": {name, "constant"}}.get(
            name, {name, "own mean"}
        )
    # The last is the copy, which does not count as a constant.
    assert "constant" not in evaluation.verdicts


@pytest.mark.parametrize("name", sorted(COPIES.keys() - {"half honest"}))
def test_no_near_copy_has_skill(name):
    _, y, groups, times = scan()
    predicted = per_person(lambda x: COPIES[name](None, x), y, groups)
    evaluation = run(predicted, y, groups, times)
    assert "copies previous volumes" in evaluation.verdicts
    assert (evaluation.table["reference"] == "previous volumes").all()
    assert (evaluation.table["skill"] <= 0.01).all()


def test_a_copy_has_skill_over_the_mean_which_is_why_it_is_not_the_reference():
    _, y, groups, times = scan()
    y = per_person(lambda x: x + 2 * late(x) + late(x, 2), y, groups)  # smooth fMRI
    copy = per_person(late, y, groups)
    table = run(copy, y, groups, times).table
    assert (table["r2"] > 0.1).all() and (table["skill"] <= 0.01).all()


def test_an_honest_prediction_is_scored_over_the_mean_and_nothing_is_said():
    visible, y, groups, times = scan()
    evaluation = run(visible, y, groups, times, ceiling=visible)
    assert evaluation.verdicts == {}
    table = evaluation.table
    assert (table["reference"] == "own mean").all()
    assert (table["skill"] > 0.1).all() and (table["skill"] == table["r2"]).all()


def test_own_mean_is_named_even_if_predictions_change():
    visible, y, groups, times = scan(mean=1000.0)
    own = per_person(lambda x: np.broadcast_to(x.mean(axis=0), x.shape), y, groups)
    evaluation = run(own + visible, y, groups, times)
    assert "own mean" in evaluation.verdicts and "constant" not in evaluation.verdicts
    # Within a person, the mean of the training volumes is as near.
    evaluation = run(own + visible, y, groups, times, cv="within_person")
    assert "own mean" not in evaluation.verdicts


def test_predictions_that_differ_between_folds_only_are_constant():
    _, y, groups, times = scan()
    block = np.arange(len(y)) % N // (N // 5)
    predicted = np.ones_like(y) * block[:, None]
    evaluation = run(predicted, y, groups, times, cv="within_person")
    assert "constant" in evaluation.verdicts


def test_scores_that_do_not_notice_time_are_named():
    visible, y, groups, times = scan()
    noise = noise_of(y, 3, 1.0)
    verdicts = run(noise, y, groups, times).verdicts
    assert "RMSE" in verdicts["time shuffle"] and "RMSE" in verdicts["constant image"]
    assert "below null" in verdicts and "below mean" in verdicts
    # With the right sign and too large: better than in another order, yet worse than
    # a constant.
    verdicts = run(4 * visible, y, groups, times).verdicts
    assert "time shuffle" not in verdicts and "constant image" in verdicts


def test_similarity_of_whole_volumes_does_not_notice_time():
    visible, y, groups, times = scan()
    visible, y = 0.5 * visible, 0.5 * y  # per cent
    shape = (5, 4, 3)
    anatomy = np.random.default_rng(4).uniform(200, 1000, 60)
    means = {person: anatomy * (1 + i / 10) for i, person in enumerate(set(groups))}
    evaluation = run(
        visible.reshape(-1, *shape),
        y.reshape(-1, *shape),
        groups,
        times,
        mean_volumes=means,
    )
    assert evaluation.verdicts.keys() == {"time shuffle"}
    assert "SSIM" in evaluation.verdicts["time shuffle"]
    assert "RMSE" not in evaluation.verdicts["time shuffle"]
    assert evaluation.predictions.shape == (len(y), *shape)


def test_more_than_eeg_can_explain_is_named():
    visible, y, groups, times = scan()
    verdicts = run(visible + 0.3 * y, y, groups, times, ceiling=visible).verdicts
    assert list(verdicts) == ["above ceiling"]
