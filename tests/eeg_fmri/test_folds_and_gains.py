import numpy as np

from mne_sbi.eeg_fmri._folds import inner_folds
from mne_sbi.eeg_fmri._gains import fit_gains


def check_folds(folds, n):
    np.testing.assert_array_equal(
        np.sort(np.concatenate([t for _, t in folds])), np.arange(n)
    )
    for train, test in folds:
        assert not set(train) & set(test)


def test_people_are_left_out_one_by_one():
    groups = np.array(["b", "a", "a", "c", "b", "c", "c"])
    folds = inner_folds(groups)
    check_folds(folds, 7)
    assert [set(groups[test]) for _, test in folds] == [{"a"}, {"b"}, {"c"}]
    assert all(len(train) + len(test) == 7 for train, test in folds)


def test_many_people_are_left_out_in_ten_parts():
    groups = np.repeat(np.arange(23), 4)
    folds = inner_folds(groups)
    check_folds(folds, 92)
    assert len(folds) == 10
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])


def test_one_person_is_split_into_blocks_with_a_gap():
    folds = inner_folds(np.zeros(300))
    check_folds(folds, 300)
    assert len(folds) == 5
    for train, test in folds:
        assert (np.diff(test) == 1).all()
        nearest = np.abs(train[:, np.newaxis] - test).min()
        assert nearest == 16
    # Short recordings keep something to learn from.
    check_folds(inner_folds(np.zeros(12)), 12)
    check_folds(inner_folds(np.zeros(2)), 2)


def draw(n_people=6, n=400, k=40, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_people), n)
    return rng, groups, rng.standard_normal((n_people * n, k))


def test_a_ridge_part_that_is_right_is_believed_and_noise_is_not():
    rng, groups, ridge = draw()
    y = ridge + 3 * rng.standard_normal(ridge.shape)
    noise = rng.standard_normal(ridge.shape)
    gains = fit_gains(y, ridge, noise, groups)
    np.testing.assert_allclose(gains[0], 1, atol=0.1)
    assert gains[1].mean() < 0.03


def test_gains_of_parts_that_are_too_large():
    """The best multiple is covariance over variance."""
    rng, groups, network = draw()
    ridge = rng.standard_normal(network.shape)
    y = 0.4 * network + ridge + rng.standard_normal(ridge.shape)
    gains = fit_gains(y, ridge, network, groups)
    np.testing.assert_allclose(gains[1], 0.4, atol=0.05)


def test_targets_that_differ_keep_their_own_gains():
    rng, groups, network = draw()
    own = np.repeat([0.0, 0.8], 20)
    y = own * network + 0.5 * rng.standard_normal(network.shape)
    gains = fit_gains(y, np.zeros_like(y), network, groups)
    np.testing.assert_allclose(gains[1], own, atol=0.1)
    # A part that is not there has no gain.
    assert not gains[0].any()


def test_one_person_and_targets_without_variation():
    gains = fit_gains(np.ones((5, 2)), np.zeros((5, 2)), np.zeros((5, 2)), np.zeros(5))
    assert np.isfinite(gains).all()
