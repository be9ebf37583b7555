"""Ridge regression through the response: against closed forms and scikit-learn."""

import numpy as np
import pytest
from sklearn import linear_model

from mne_sbi.eeg_fmri import HRFRidge, hrf_basis
from mne_sbi.eeg_fmri._folds import inner_folds
from mne_sbi.eeg_fmri._ridge_solver import (
    Noise,
    Ridge,
    choose_alpha,
    left_out_errors,
    predict_by_folds,
    shrink_mean,
    take_left_out,
)


def draw(n, p, k, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p) + 3
    coef = rng.standard_normal((p, k))
    return features, features @ coef + noise * rng.standard_normal((n, k)) - 5


@pytest.mark.parametrize(("n", "p"), [(60, 12), (20, 35)])
@pytest.mark.parametrize("alpha", [0.01, 1.0, 30.0])
def test_ridge_is_that_of_scikit_learn(n, p, alpha):
    features, targets = draw(n, p, 3)
    ridge = Ridge(features, targets)
    # Columns have unit variance, so the mean eigenvalue of their products is n.
    np.testing.assert_allclose(ridge.unit, n)
    scaled = (features - features.mean(0)) / features.std(0)
    expected = linear_model.Ridge(alpha * n).fit(scaled, targets)
    (found,) = ridge.predict_path(features, [alpha])
    np.testing.assert_allclose(found, expected.predict(scaled), rtol=1e-4, atol=1e-4)
    coef = ridge.coefficients(alpha)
    by_coef = features @ coef + ridge.offset - ridge.mean @ coef
    np.testing.assert_allclose(by_coef, expected.predict(scaled), rtol=1e-8, atol=1e-8)


def test_an_infinite_penalty_is_the_mean():
    features, targets = draw(30, 4, 2)
    ridge = Ridge(features, targets)
    assert not ridge.coefficients(np.inf).any()
    (found,) = ridge.predict_path(features, [np.inf])
    np.testing.assert_allclose(found, np.tile(targets.mean(0), (30, 1)), rtol=1e-6)


def test_whitening_is_generalised_least_squares():
    """Against the inverse of the covariance of an AR(1) process, written out."""
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1], [40, 25])
    features, targets = rng.standard_normal((65, 3)), rng.standard_normal((65, 2))
    rho = 0.6
    noise = Noise(targets, groups, "white")
    noise.rho = rho
    ridge = Ridge(features, targets, noise=noise)
    time = np.arange(65)
    same = groups[:, np.newaxis] == groups
    covariance = np.where(same, rho ** np.abs(time[:, np.newaxis] - time), 0)
    weights = np.linalg.inv(covariance) * (1 - rho**2)
    scaled = (features - features.mean(0)) / features.std(0)
    centred = targets - targets.mean(0)
    products = scaled.T @ weights @ scaled
    penalty = 0.3 * np.trace(products) / 3
    expected = np.linalg.solve(
        products + penalty * np.eye(3), scaled.T @ weights @ centred
    )
    found = ridge.coefficients(0.3) * features.std(0)[:, np.newaxis]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_noise_knows_neighbours_of_one_person_only():
    rng = np.random.default_rng(2)
    noise = np.zeros((3000, 4))
    for t in range(1, 3000):
        noise[t] = 0.7 * noise[t - 1] + rng.standard_normal(4)
    groups = np.repeat([0, 1, 2], 1000)
    assert abs(Noise(noise, groups).rho - 0.7) < 0.03
    assert Noise(noise, groups, "white").rho == 0
    # Where each pair is of another person, there are no neighbours.
    assert Noise(noise, np.arange(3000)).rho == 0
    known = Noise(noise, groups, "white")
    known.rho = 0.5
    rows = np.array([5, 6, 8, 999, 1000])
    white = known.whiten(noise[rows], rows)
    np.testing.assert_allclose(white[1], noise[6] - 0.5 * noise[5])
    for i in (0, 2, 3, 4):
        np.testing.assert_allclose(white[i], np.sqrt(0.75) * noise[rows[i]])


def test_errors_of_left_out_people_by_brute_force():
    features, targets = draw(50, 5, 2, noise=4.0)
    groups = np.repeat([0, 1, 2], [20, 17, 13])
    folds, alphas = inner_folds(groups), np.array([0.1, 3.0, np.inf])
    errors = left_out_errors(features, targets, folds, alphas)
    for i, person in enumerate([0, 1, 2]):
        train = groups != person
        centre, scale = features[train].mean(0), features[train].std(0)
        for j, alpha in enumerate([0.1, 3.0, 1e12]):
            ridge = linear_model.Ridge(alpha * train.sum())
            ridge.fit((features[train] - centre) / scale, targets[train])
            predicted = ridge.predict((features[~train] - centre) / scale)
            expected = ((predicted - targets[~train]) ** 2).sum()
            np.testing.assert_allclose(errors[i, j], expected, rtol=1e-4)
    left_out = take_left_out(predict_by_folds(features, targets, folds, 3.0), folds)
    np.testing.assert_allclose(
        ((left_out - targets) ** 2).sum(), errors[:, 1].sum(), rtol=1e-5
    )


def test_the_choice_of_a_penalty():
    alphas = np.array([1.0, 10.0, 100.0, np.inf])
    clear = np.array([[5.0, 1, 4, 6], [5.0, 2, 4, 6], [4.0, 1, 4, 6]])
    np.testing.assert_allclose(choose_alpha(clear, alphas), 10)
    assert choose_alpha(clear[:1], alphas) == 10
    nothing = np.array([[5.0, 4, 3, 1], [5.0, 4, 3, 2]])
    assert choose_alpha(nothing, alphas) == np.inf
    # Left out, the first fold leaves the second one's choice, and the reverse.
    apart = np.array([[1.0, 9, 9, 9], [9.0, 9, 1, 9]])
    np.testing.assert_allclose(choose_alpha(apart, alphas), 10)
    # Better on average, but by one block only.
    unsure = np.array([[1.0, 1, 1, 9], [5.0, 5, 5, 5], [5.0, 5, 5, 5], [5.0, 5, 5, 4]])
    assert np.isfinite(choose_alpha(unsure, alphas))
    assert choose_alpha(unsure, alphas, only_if_sure=True) == np.inf
    assert choose_alpha(clear, alphas, only_if_sure=True) == pytest.approx(10)


def test_means_of_noise_are_shrunk_to_zero_and_others_kept():
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((40, 500))
    assert np.abs(shrink_mean(noise, 0.0)).max() < 0.05
    np.testing.assert_allclose(shrink_mean(noise + 10, 0.0), noise.mean(0) + 10, 1e-3)
    # Too few, or too much alike, to say.
    assert not shrink_mean(noise[:8] + 10, 0.0).any()
    assert not shrink_mean(noise + 10, 0.8).any()


def made_up(n_people=4, n=120, lag_weights=None, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_people * n, 5, 3, 10)).astype(np.float32)
    if lag_weights is None:
        lag_weights = hrf_basis(10, 2.0)[:, 0]
    power = X @ lag_weights
    y = np.stack([power[:, 1, 2] - power[:, 0, 0], 2 * power[:, 4, 1]], axis=1)
    y = y + noise * rng.standard_normal(y.shape)
    return X, y.astype(np.float32), np.repeat(np.arange(n_people), n)


def test_the_response_is_found_and_beats_free_lags():
    X, y, groups = made_up()
    test_X, test_y, _ = made_up(seed=1)
    ridge = HRFRidge(2.0).fit(X, y, groups=groups)
    assert ridge.lags_ in ("hrf", "hrf_delays")
    free = HRFRidge(2.0, lags="free").fit(X, y, groups=groups)

    def error(model):
        return ((model.predict(test_X) - test_y) ** 2).mean()

    # 0.25 is the variance of the noise.
    assert 0.24 < error(ridge) < 0.28 < error(free)
    # Coefficients are the response, in the place that made y.
    lags = hrf_basis(10, 2.0)[:, 0]
    np.testing.assert_allclose(ridge.coef_[1, 2, :, 0], lags, atol=0.1)
    np.testing.assert_allclose(ridge.coef_[4, 1, :, 1], 2 * lags, atol=0.1)
    others = ridge.coef_.copy()
    others[1, 2, :, 0] = others[0, 0, :, 0] = others[4, 1, :, 1] = 0
    assert np.abs(others).max() < 0.1


def test_free_lags_are_found_where_there_are_pairs_enough():
    single = np.zeros(10)
    single[7] = 1.0
    X, y, groups = made_up(6, 600, single)
    assert HRFRidge(2.0).fit(X, y, groups=groups).lags_ == "free"
    few = HRFRidge(2.0).fit(X[:600], y[:600], groups=groups[:600])
    assert few.lags_ != "free"


def test_without_a_repetition_time_lags_are_free():
    X, y, groups = made_up()
    with pytest.warns(RuntimeWarning, match="Give t_r= in s"):
        assert HRFRidge().fit(X, y, groups=groups).lags_ == "free"
    with pytest.raises(ValueError, match="give t_r= in s"):
        HRFRidge(lags="hrf").fit(X, y, groups=groups)


def test_noise_gives_the_mean():
    X, y, groups = made_up()
    noise = np.random.default_rng(5).standard_normal(y.shape).astype(np.float32)
    ridge = HRFRidge(2.0).fit(X, noise, groups=groups)
    assert np.abs(ridge.predict(X) - noise.mean(0)).max() < 0.1


def test_allowing_for_autocorrelation_is_more_precise():
    gains = []
    for seed in range(4):
        X, y, groups = made_up(seed=seed, noise=0.0)
        rng = np.random.default_rng(seed)
        noise = np.zeros_like(y)
        for t in range(1, len(y)):
            noise[t] = 0.9 * noise[t - 1] + rng.standard_normal(2)
        y = y + noise
        truth = hrf_basis(10, 2.0)[:, 0]
        found = {
            kind: HRFRidge(2.0, lags="hrf", alpha=0.01, noise=kind)
            .fit(X, y, groups=groups)
            .coef_[4, 1, :, 1]
            for kind in ("white", "ar1")
        }
        errors = {k: ((v - 2 * truth) ** 2).sum() for k, v in found.items()}
        gains.append(errors["white"] / errors["ar1"])
    assert np.median(gains) > 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lags": "hfr"}, "Did you mean 'hrf'"),
        ({"alpha": "aut"}, "Invalid value for 'alpha'"),
        ({"alpha": -5.0}, "alpha must be positive"),
        ({"alpha": np.nan}, "alpha must be positive"),
        ({"noise": "pink"}, "Invalid value for 'noise'"),
        ({"t_r": -2.0}, "t_r must be positive"),
    ],
)
def test_wrong_settings(settings, message):
    X, y, groups = made_up(2, 40)
    with pytest.raises(ValueError, match=message):
        HRFRidge(**{"t_r": 2.0, **settings}).fit(X, y, groups=groups)
