"""The default architecture: never worse than what left-out people allow."""

import copy
import pickle

import numpy as np
import pytest

from mne_sbi.eeg_fmri import EEG2fMRIRegressor, HRFRidge, Residual, hrf_basis

LAGS = hrf_basis(8, 2.0)[:, 0]


def draw(kind, n_people=5, n=200, noise=0.3, seed=0):
    """Pairs whose targets depend on power linearly, not linearly, or not at all."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_people * n, 4, 2, 8)).astype(np.float32)
    power = X @ LAGS
    parts = {
        "linear": power[:, :3, 0],
        "bent": power[:, :3, 0] + 1.5 * np.abs(power[:, 1:, 1]),
        "nothing": np.zeros((len(X), 3)),
    }
    y = parts[kind] + noise * rng.standard_normal((len(X), 3))
    y -= y.mean(axis=0)
    return X, y.astype(np.float32), np.repeat(np.arange(n_people), n)


def skill(model, kind, seed=9):
    X, y, _ = draw(kind, seed=seed)
    return 1 - ((model.predict(X) - y) ** 2).sum() / (y**2).sum()


@pytest.fixture(scope="module")
def fitted():
    models = {}
    for kind in ("linear", "bent", "nothing"):
        X, y, groups = draw(kind)
        model = Residual(2.0, max_iter=30).fit(X, y, groups=groups, random_state=0)
        models[kind] = model, HRFRidge(2.0, noise="ar1").fit(X, y, groups=groups)
    return models


def test_networks_find_what_is_not_linear(fitted):
    model, ridge = fitted["bent"]
    assert skill(model, "bent") > skill(ridge, "bent") + 0.2
    assert model.n_passes_ > 5
    assert (model.gains_[1] > 0.5).all()


def test_where_all_is_linear_it_is_ridge(fitted):
    model, ridge = fitted["linear"]
    assert abs(skill(model, "linear") - skill(ridge, "linear")) < 0.003
    np.testing.assert_allclose(model.gains_[0], 1, atol=0.02)


def test_where_there_is_nothing_it_predicts_next_to_nothing(fitted):
    model, _ = fitted["nothing"]
    assert abs(skill(model, "nothing")) < 0.003


def test_before_the_first_pass_it_is_exactly_ridge():
    X, y, groups = draw("bent", 3, 60)
    model = Residual(2.0, max_iter=1, learning_rate=1e-30)
    model.fit(X, y, groups=groups, random_state=0)
    assert np.abs(model.weights_[2]).max() < 1e-25
    expected = model.gains_[0] * model.ridge_.predict(X)
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-15)


def test_predictions_of_left_out_people_do_not_see_them():
    """Changing one person's fMRI does not change how that person is predicted."""
    X, y, groups = draw("bent", 3, 80)
    changed = y.copy()
    changed[groups == 1] *= -1
    one, other = (
        HRFRidge(2.0, lags="hrf", alpha=1.0).fit(X, each, groups=groups).left_out_
        for each in (y, changed)
    )
    np.testing.assert_array_equal(one[groups == 1], other[groups == 1])
    assert np.abs(one[groups == 0] - other[groups == 0]).max() > 0.1


def test_the_same_seed_gives_the_same_and_others_do_not():
    X, y, groups = draw("bent", 3, 80)
    fits = [
        Residual(2.0, max_iter=5).fit(X, y, groups=groups, random_state=seed)
        for seed in (0, 0, 1)
    ]
    first, same, other = (model.predict(X) for model in fits)
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 1e-6


def test_pickled_and_copied(fitted):
    model, _ = fitted["bent"]
    X, _, _ = draw("bent", 1, 20)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("name", ["residual", "hrf_ridge"])
def test_calibration_to_a_person_who_differs(name):
    """Someone whose power and fMRI are related the other way round."""
    X, y, groups = draw("linear")
    model = EEG2fMRIRegressor(name, t_r=2.0, random_state=0).fit(X, y, groups)
    new_X, new_y, _ = draw("linear", 1, 400, seed=5)
    new_y = -new_y
    before = model.score(new_X[200:], new_y[200:])
    after = model.partial_fit(new_X[:200], new_y[:200]).score(new_X[200:], new_y[200:])
    assert before < -1
    assert after > 0.6
    # Again, from where it is.
    model.partial_fit(new_X[:200], new_y[:200])
    assert model.score(new_X[200:], new_y[200:]) > 0.6


def test_calibration_without_evidence_changes_nothing():
    X, y, groups = draw("linear")
    model = EEG2fMRIRegressor("hrf_ridge", t_r=2.0).fit(X, y, groups)
    before = model.architecture_.coef_.copy()
    new_X, new_y, _ = draw("linear", 1, 60, noise=3.0, seed=5)
    model.partial_fit(new_X, new_y)
    np.testing.assert_array_equal(model.architecture_.coef_, before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_iter": 0}, "max_iter"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"n_networks": 0}, "n_networks"),
    ],
)
def test_wrong_settings(settings, message):
    X, y, groups = draw("linear", 2, 30)
    with pytest.raises((ValueError, TypeError), match=message):
        Residual(2.0, **settings).fit(X, y, groups=groups)


@pytest.mark.parametrize("n", [1, 3, 8, 19])
@pytest.mark.parametrize("name", ["residual", "hrf_ridge"])
def test_a_few_pairs_of_a_new_person_change_nothing(name, n):
    X, y, groups = draw("linear", 3, 120)
    model = EEG2fMRIRegressor(name, t_r=2.0, random_state=0).fit(X, y, groups)
    new_X, new_y, _ = draw("linear", 1, 100, seed=5)
    before = model.predict(new_X)
    with pytest.warns(RuntimeWarning, match=f"with {n} pairs changes nothing"):
        model.partial_fit(new_X[:n], -new_y[:n])
    np.testing.assert_array_equal(model.predict(new_X), before)


@pytest.mark.parametrize("n", [20, 25, 40])
@pytest.mark.parametrize("name", ["residual", "hrf_ridge"])
def test_few_correlated_volumes_of_a_new_person_do_no_harm(name, n):
    """Noise with slow changes has a mean in each short piece, which is no offset."""
    X, y, groups = draw("linear", 3, 120)
    rng = np.random.default_rng(n)
    noise = np.zeros((len(y) + 400, 3))
    for t in range(1, len(noise)):
        noise[t] = 0.8 * noise[t - 1] + rng.standard_normal(3)
    model = EEG2fMRIRegressor(name, t_r=2.0, random_state=0)
    model.fit(X, (y + noise[: len(y)]).astype(np.float32), groups)
    new_X, new_y, _ = draw("linear", 1, 400, seed=5)
    new_y = new_y + noise[len(y) :]
    before = model.score(new_X[100:], new_y[100:])
    after = model.partial_fit(new_X[:n], new_y[:n]).score(new_X[100:], new_y[100:])
    assert after > before - 0.02


def test_one_person_is_no_worse_than_ridge():
    for seed in range(3):
        X, y, _ = draw("linear", 1, 200, noise=2.0, seed=seed)
        scores = {}
        for name in ("residual", "hrf_ridge"):
            model = EEG2fMRIRegressor(name, t_r=2.0, random_state=0)
            scores[name] = model.fit(X[:150], y[:150]).score(X[150:], y[150:])
        assert scores["residual"] > scores["hrf_ridge"] - 0.02


@pytest.mark.slow
def test_standard_recordings():
    """The standard set of the benchmark, every person left out once."""
    from mne_sbi import make_pairs, simulate_eeg_fmri
    from mne_sbi.eeg_fmri import evaluate

    made = simulate_eeg_fmri(6, n_volumes=140, random_state=0, verbose=False)
    pairs = make_pairs(made.raws, made.images, made.masker, verbose=False)
    people = {}
    for name in ("residual", "hrf_ridge"):
        model = EEG2fMRIRegressor(name, masker=pairs.masker, random_state=0)
        found = evaluate(model, *pairs, baselines=False, keep_predictions=False)
        people[name] = found.table.set_index("person")[["r", "skill"]]
        # Of all people together; the noise of a person is not what a fit can know.
        assert found.table["coverage"].mean() == pytest.approx(0.9, abs=0.01)
    default = people["residual"]
    assert default["r"].mean() >= 0.24
    assert default["skill"].mean() >= 0.055
    assert default["skill"].min() >= -0.01
    assert (default >= people["hrf_ridge"]).all(axis=None)


@pytest.mark.slow
def test_real_recordings(shared_data):
    """Ridge regression with all its choices, on 12 people."""
    from mne_sbi.datasets import make_sleep_pairs
    from mne_sbi.eeg_fmri import evaluate

    fname = shared_data / "eegfmri" / "ds003574_bandpower_states_dev12.npz"
    pairs = make_sleep_pairs(np.load(fname))
    model = EEG2fMRIRegressor("hrf_ridge", t_r=2.1)
    found = {
        cv: evaluate(model, *pairs, cv=cv, baselines=False, random_state=0)
        .summary()
        .loc["model"]
        for cv in ("leave_one_person_out", "shuffled")
    }
    new_people = found["leave_one_person_out"]
    assert new_people["r"] >= 0.122
    assert new_people["r_null95"] < 0.02
    assert new_people["n_above"] >= 10
    assert found["shuffled"]["r"] > new_people["r"] + 0.01
