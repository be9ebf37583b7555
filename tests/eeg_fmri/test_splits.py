import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, cross_val_predict

from mne_sbi.eeg_fmri._evaluation_inputs import check_pairs
from mne_sbi.eeg_fmri._splits import (
    BlockedWithinPerson,
    Timeline,
    find_leaks,
    make_splits,
)

PEOPLE = np.repeat(["anna", "ben", "cleo"], [100, 90, 80])


def pairs_of(groups=PEOPLE, times=None, gap=10.0):
    n = len(groups)
    return check_pairs(np.zeros((n, 2)), np.zeros((n, 3)), groups, times, None, gap)


# ------------------------------------------------------------------------ blocks
def test_blocks_test_each_pair_once_and_keep_the_gap_to_both_sides():
    splits = list(BlockedWithinPerson(4, gap=7).split(PEOPLE, groups=PEOPLE))
    assert len(splits) == 12 == BlockedWithinPerson(4).get_n_splits(groups=PEOPLE)
    tested = np.concatenate([test for _, test in splits])
    np.testing.assert_array_equal(np.sort(tested), np.arange(270))
    for train, test in splits:
        assert len(set(PEOPLE[train]) | set(PEOPLE[test])) == 1
        np.testing.assert_array_equal(np.diff(test), 1)
        near = np.abs(train[:, None] - test).min(axis=1)
        assert near.min() == 8
        # No more than the gap is lost.
        person = np.flatnonzero(PEOPLE == PEOPLE[test[0]])
        lost = set(person) - set(train) - set(test)
        assert all(np.abs(test - row).min() <= 7 for row in lost)


def test_people_whose_pairs_lie_mixed_are_told_apart():
    groups = np.tile(["a", "b"], 20)
    train, test = next(BlockedWithinPerson(2, gap=1).split(groups, groups=groups))
    np.testing.assert_array_equal(test, np.arange(0, 20, 2))
    np.testing.assert_array_equal(train, np.arange(22, 40, 2))


def test_blocks_serve_scikit_learn():
    X = np.arange(270.0)[:, None]
    predicted = cross_val_predict(
        LinearRegression(), X, 2 * X[:, 0], groups=PEOPLE, cv=BlockedWithinPerson(3, 5)
    )
    np.testing.assert_allclose(predicted, 2 * X[:, 0])


@pytest.mark.parametrize(
    "splitter, message",
    [
        (BlockedWithinPerson(5, gap=40), "cleo has 80 pairs|too few for 5 blocks"),
        (BlockedWithinPerson(1), "n_splits must be an integer, 2 or more"),
        (BlockedWithinPerson(2, gap=-1), "gap must be an integer, 0 or more"),
    ],
)
def test_blocks_that_cannot_be(splitter, message):
    with pytest.raises(ValueError, match=message):
        list(splitter.split(PEOPLE, groups=PEOPLE))


def test_blocks_need_people():
    with pytest.raises(ValueError, match="needs groups="):
        BlockedWithinPerson().get_n_splits()


# ------------------------------------------------------------------------- names
def test_names_make_the_splits_that_they_say():
    pairs = pairs_of()
    splits, name = make_splits("leave_one_person_out", pairs, 0)
    assert name == "leave_one_person_out" and len(splits) == 3
    assert all(not set(PEOPLE[a]) & set(PEOPLE[b]) for a, b in splits)
    splits, _ = make_splits("within_person", pairs, 0)
    assert len(splits) == 15
    assert find_leaks(splits, pairs.timeline)[0] == 0
    splits, _ = make_splits("shuffled", pairs, 0)
    again, _ = make_splits("shuffled", pairs, 0)
    np.testing.assert_array_equal(splits[0][1], again[0][1])
    assert (np.diff(splits[0][1]) > 1).any()


def test_one_person_cannot_be_left_out():
    with pytest.raises(ValueError, match="Use cv='within_person'"):
        make_splits("leave_one_person_out", pairs_of(np.zeros(50)), 0)


def test_other_splitters_keep_their_names():
    pairs = pairs_of()
    assert make_splits(GroupKFold(3), pairs, 0)[1] == "GroupKFold"
    assert make_splits(4, pairs, 0)[1] == "KFold"
    mask = np.arange(270) < 100
    splits, name = make_splits([(mask, ~mask)], pairs, 0)
    assert name == "The given list of splits"
    np.testing.assert_array_equal(splits[0][0], np.arange(100))


def test_splits_that_make_no_sense():
    with pytest.raises(ValueError, match="ShuffleSplit tests .* more than once"):
        make_splits(ShuffleSplit(5, test_size=0.5, random_state=0), pairs_of(), 0)
    with pytest.raises(ValueError, match="same pairs in training and test"):
        make_splits([(np.arange(9), np.arange(5, 20))], pairs_of(), 0)
    with pytest.raises(ValueError, match="Did you mean 'within_person'"):
        make_splits("within_persons", pairs_of(), 0)
    with pytest.raises(ValueError, match="splits tests 1 of 270 pairs more than"):
        make_splits([(np.arange(9), np.array([20, 21, 20]))], pairs_of(), 0)
    with pytest.raises(ValueError, match="same pairs in training and test"):
        make_splits([(np.arange(270), np.arange(-9, 0))], pairs_of(), 0)
    with pytest.raises(ValueError, match="has no splits"):
        make_splits([], pairs_of(), 0)


@pytest.mark.parametrize(
    "rows", [[], [0.5, 1.5], [0, 270], [[0], [1]], np.ones(9, dtype=bool)]
)
def test_rows_that_are_none(rows):
    with pytest.raises(ValueError, match="as row numbers below 270, or as a mask of"):
        make_splits([(np.arange(100, 200), rows)], pairs_of(), 0)


def test_blocks_keep_the_gap_where_people_differ_in_repetition_time():
    groups = np.repeat([0, 1], [150, 200])
    times = np.r_[1.0 * np.arange(150), 2.0 * np.arange(200)]
    pairs = pairs_of(groups, times)
    assert pairs.timeline.gap_volumes == 10 and pairs.timeline.t_r == 2.0
    splits, _ = make_splits("within_person", pairs, 0)
    assert find_leaks(splits, pairs.timeline) == (0, 350)


# ------------------------------------------------------------------------- leaks
@pytest.mark.parametrize("with_times", [False, True])
def test_leaks_are_counted_as_a_loop_does(with_times):
    rng = np.random.default_rng(0)
    times = np.concatenate([rng.uniform(1, 3, n).cumsum() for n in (100, 90, 80)])
    times = times if with_times else None
    pairs = pairs_of(times=times, gap=6.0)
    order = np.concatenate([np.arange(n) for n in (100, 90, 80)])
    at = times if with_times else order
    splits = [(np.arange(0, 270, 7), np.arange(3, 270, 11))]
    splits = [(np.setdiff1d(a, b), b) for a, b in splits]
    ((train, test),) = splits
    brute = sum(
        any(abs(at[i] - at[j]) < 6 and PEOPLE[i] == PEOPLE[j] for j in train)
        for i in test
    )
    assert 0 < brute < len(test)
    assert find_leaks(splits, pairs.timeline) == (brute, len(test))


def test_another_recording_of_the_same_person_is_far_away():
    times = np.tile(np.arange(30) * 2.0, 2)
    pairs = pairs_of(np.zeros(60), times, gap=30.0)
    assert pairs.timeline.t_r == 2.0 and pairs.timeline.gap_volumes == 15
    np.testing.assert_array_equal(pairs.timeline.recording, np.repeat([0, 1], 30))
    apart = [(np.arange(30), np.arange(30, 60))]
    assert find_leaks(apart, pairs.timeline) == (0, 30)
    inside = [(np.arange(20), np.arange(20, 60))]
    # Rows 20 to 29; row 34 is 30 s from row 19, were it the same recording.
    assert find_leaks(inside, pairs.timeline) == (10, 40)


def test_blocks_without_gap_leak_at_their_ends():
    pairs = pairs_of(gap=10)
    splits, _ = make_splits(KFold(27), pairs, 0)
    assert find_leaks(splits, pairs.timeline)[0] > 0.9 * 270


def test_pairs_out_of_the_order_of_time_are_an_error():
    times = np.random.default_rng(0).permutation(270).astype(float)
    with pytest.raises(ValueError, match="sort the pairs of each person by time"):
        pairs_of(times=times)


def test_short_recordings_do_not_go_back_in_time():
    n = 60
    X, y, groups = np.zeros((n, 2)), np.zeros((n, 3)), np.zeros(n, dtype=int)
    runs, times = np.arange(n) // 3, 2.0 * np.arange(n)
    timeline = Timeline(groups, times, 10.0, runs)
    np.testing.assert_array_equal(timeline.recording, runs)
    with pytest.raises(ValueError, match="times of person 0 go back 30 times in 60"):
        check_pairs(X, y, groups, times - 3.0 * (np.arange(n) % 2), None, 10.0)
