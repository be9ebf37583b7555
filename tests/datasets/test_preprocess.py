import numpy as np
import pytest

from mne_sbi.datasets import clip_weights, symmetrize_hemispheres

NAMES = ["lh.cuneus", "rh.cuneus", "rh.insula", "brainstem", "lh.insula"]


def test_symmetrize_by_hand():
    weights = np.zeros((5, 5))
    weights[0, 4] = weights[4, 0] = 3  # left cuneus - left insula
    weights[1, 2] = weights[2, 1] = 5  # right cuneus - right insula
    weights[0, 2] = weights[2, 0] = 1  # left cuneus - right insula
    weights[0, 3] = weights[3, 0] = 7  # left cuneus - brain stem
    weights[0, 1] = weights[1, 0] = 2  # left cuneus - right cuneus
    given = weights.copy()
    result = symmetrize_hemispheres(weights, NAMES)
    assert result[0, 4] == result[1, 2] == 5
    assert result[0, 2] == result[1, 4] == 1
    assert result[0, 3] == result[1, 3] == 7
    assert result[0, 1] == 2
    np.testing.assert_array_equal(result, result.T)
    np.testing.assert_array_equal(weights, given)


def test_symmetrize_does_not_depend_on_order_or_spelling():
    rng = np.random.default_rng(0)
    weights = rng.random((5, 5))
    order = rng.permutation(5)
    spelt = ["ctx-" + name.replace(".", "-") for name in NAMES]
    spelt[3] = NAMES[3]
    shuffled = symmetrize_hemispheres(
        weights[np.ix_(order, order)], [spelt[index] for index in order]
    )
    expected = symmetrize_hemispheres(weights, NAMES)
    np.testing.assert_array_equal(shuffled, expected[np.ix_(order, order)])


def test_clip():
    weights = np.ones((4, 4)) - np.eye(4)
    weights[0, 1] = weights[1, 0] = 100
    limit = 2 * (10 * 1 + 2 * 100) / 12
    clipped = clip_weights(weights, 2)
    assert clipped.max() == pytest.approx(limit)
    assert clipped[2, 3] == 1 and clipped[0, 0] == 0
    assert weights.max() == 100
    assert not clip_weights(np.zeros((3, 3))).any()


def test_errors():
    weights = np.ones((5, 5))
    with pytest.raises(ValueError, match="one name per node"):
        symmetrize_hemispheres(weights, NAMES[:4])
    with pytest.raises(ValueError, match="lh.cuneus"):
        symmetrize_hemispheres(weights, ["lh.cuneus", "LHcuneus", *NAMES[2:]])
    with pytest.raises(ValueError, match="negative"):
        clip_weights(-weights)
    with pytest.raises(ValueError, match="factor"):
        clip_weights(weights, 0)
    with pytest.raises(ValueError, match="shape"):
        clip_weights(weights[:3])
