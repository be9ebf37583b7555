"""Symmetries that remain when some parameters are known, and their words."""

import numpy as np
import pytest

from mne_sbi._symmetries import describe_symmetry, find_symmetries

# Of the Jansen-Rit equations, derived by hand: what each scales in the sigmoids'
# arguments is taken back by what follows.
JANSEN_RIT = (
    {"A": 1, "B": 1, "C": -1, "mu": -1, "sigma": -1},
    {"B": 1, "c4": -1},
    {"C": 1, "c1": -1, "c2": -1, "c3": -1, "c4": -1},
    {"v_max": 1, "C": -1},
)
RATIOS = ["c1", "c2", "c3", "c4"]


def test_free_parameters_decide():
    (found,) = find_symmetries(JANSEN_RIT, ["A", "B", "C", "mu", "sigma"])
    assert found == {"A": 1, "B": 1, "C": -1, "mu": -1, "sigma": -1}
    assert find_symmetries(JANSEN_RIT, ["A", "B", "a", "b", "C", "mu"]) == []
    assert find_symmetries(JANSEN_RIT, ["C", *RATIOS]) == [
        {"C": 1, "c1": -1, "c2": -1, "c3": -1, "c4": -1}
    ]
    assert find_symmetries(JANSEN_RIT, ["B", "c4"]) == [{"B": 1, "c4": -1}]
    assert find_symmetries(JANSEN_RIT, ["a", "b"]) == []
    assert find_symmetries((), ["a"]) == []


def test_combinations_of_generators_are_found():
    """With C known, its ratios take over its part in rescaling A."""
    (found,) = find_symmetries(JANSEN_RIT, ["A", "B", "mu", "sigma", *RATIOS[:3]])
    # c4 is known as well: B has to stay.
    assert found == {"A": 1, "mu": -1, "sigma": -1, "c1": -1, "c2": -1, "c3": -1}
    found = find_symmetries(JANSEN_RIT, ["v_max", *RATIOS])
    assert found == [{"v_max": 1} | dict.fromkeys(RATIOS, -1)]


def test_as_many_as_the_null_space_has_dimensions():
    rng = np.random.default_rng(0)
    names = list("abcdefgh")
    for _ in range(50):
        matrix = rng.integers(-2, 3, (4, 8))
        generators = [dict(zip(names, map(float, row), strict=True)) for row in matrix]
        free = [name for name in names if rng.random() < 0.7]
        known = [i for i, name in enumerate(names) if name not in free]
        rank = np.linalg.matrix_rank(matrix)
        expected = rank - np.linalg.matrix_rank(matrix[:, known]) if known else rank
        found = find_symmetries(generators, free)
        assert len(found) == expected
        for symmetry in found:
            row = np.array([symmetry.get(name, 0) for name in names])
            assert np.linalg.matrix_rank(np.vstack([matrix, row])) == rank
            values = np.array(list(symmetry.values()))
            assert values[0] > 0 and (values == np.round(values)).all()
            assert np.gcd.reduce(values.astype(int)) == 1


def test_zeros_do_not_stand_in_the_way():
    generators = [{"B": 1, "c4": -1, "pulse": -1}]
    assert find_symmetries(generators, ["B", "c4"]) == []
    assert find_symmetries(generators, ["B", "c4"], fixed={"pulse": 60.0}) == []
    found = find_symmetries(generators, ["B", "c4"], fixed={"pulse": 0.0})
    assert found == [{"B": 1, "c4": -1}]


def test_exponents_become_the_smallest_integers():
    assert find_symmetries([{"x": -0.5, "y": 1 / 3}], ["x", "y"]) == [
        {"x": 3.0, "y": -2.0}
    ]


def test_sparse_rows_are_preferred():
    generators = [{"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 1, "b": -1}]
    both = find_symmetries(generators + [{"c": 1, "d": -1}], list("abcd"))
    assert sorted(len(symmetry) for symmetry in both) == [2, 2, 2]


@pytest.mark.parametrize(
    ("symmetry", "words"),
    [
        (
            JANSEN_RIT[0],
            "A, B, C, mu and sigma can be rescaled together without changing the "
            "signal: multiply A and B by k and divide C, mu and sigma by k, for any "
            "k > 0",
        ),
        (
            {"x": 3.0, "y": -2.0},
            "x and y can be rescaled together without changing the signal: multiply x "
            "by k^3 and divide y by k^2, for any k > 0",
        ),
        ({"x": 1.0}, "x can have any positive value without changing the signal"),
    ],
)
def test_words(symmetry, words):
    assert describe_symmetry(symmetry) == words
