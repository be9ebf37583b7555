import numpy as np
import pytest
from scipy.signal import lfilter

from mne_sbi.eeg_fmri._nulls import ShiftNull, null_of_mean, shift_null, unit_columns


def slow(rng, shape):
    return lfilter([1], [1, -0.9], rng.standard_normal(shape), axis=0)


@pytest.mark.parametrize("n", [40, 41])
@pytest.mark.parametrize("n_targets", [1, 7])
def test_all_shifts_equal_a_loop(n, n_targets):
    rng = np.random.default_rng(0)
    p, y = slow(rng, (n, n_targets)), slow(rng, (n, n_targets))
    null = shift_null(p, y, min_shift=5)
    brute = np.array(
        [
            [np.corrcoef(np.roll(p[:, v], s), y[:, v])[0, 1] for v in range(n_targets)]
            for s in range(n)
        ]
    )
    used = brute[5 : n - 4]  # shifts by -5 are used, those by -4 are not
    assert len(null.null) == n - 9
    np.testing.assert_allclose(null.r, brute[0], atol=1e-10)
    np.testing.assert_allclose(null.null, used.mean(axis=1), atol=1e-10)
    expected = np.quantile(used, 0.95, axis=0)
    np.testing.assert_allclose(null.r_null95, expected, atol=1e-10)
    n_as_good = (used.mean(axis=1) >= brute[0].mean()).sum()
    assert null.p == pytest.approx((1 + n_as_good) / (1 + len(used)))


def test_columns_in_several_blocks_are_as_in_one(monkeypatch):
    rng = np.random.default_rng(1)
    p, y = slow(rng, (60, 9)), slow(rng, (60, 9))
    whole = shift_null(p, y, 10)
    monkeypatch.setattr("mne_sbi.eeg_fmri._nulls._BLOCK", 2)
    parts = shift_null(p, y, 10)
    np.testing.assert_allclose(parts.null, whole.null, atol=1e-12)
    np.testing.assert_allclose(parts.r_null95, whole.r_null95, atol=1e-12)


def test_what_does_not_change_is_zero_if_predicted_and_unknown_if_measured():
    rng = np.random.default_rng(2)
    p, y = rng.standard_normal((50, 3)), rng.standard_normal((50, 3))
    p[:, 0], y[:, 1] = 1e3, -2.0
    null = shift_null(p, y, 5)
    assert null.r[0] == 0 and np.isnan(null.r[1]) and abs(null.r[2]) > 0
    assert null.mean == pytest.approx((0 + null.r[2]) / 2)


def test_rounding_of_a_large_constant_is_no_change():
    values = np.full((100, 2), 12345.678, dtype=np.float32)
    values[:, 0] += np.float32(0.001) * (np.arange(100) % 2)  # one unit of precision
    assert not unit_columns(values).any()


def test_slow_signals_without_relation_exceed_the_null_as_often_as_it_says():
    rng = np.random.default_rng(3)
    ps = [
        shift_null(slow(rng, (300, 1)), slow(rng, (300, 1)), 30).p for _ in range(300)
    ]
    # The standard error of the share is 0.013.
    assert 0.02 < np.mean(np.array(ps) <= 0.05) < 0.09


def test_too_few_volumes_for_a_shift():
    x = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ValueError, match="20 volumes has no circular shift by 15"):
        shift_null(x, x, 15)


def test_null_of_the_mean_over_people():
    # Two people, each with shifts that give 0 or 1: the mean is 1 in a quarter.
    person = ShiftNull(np.ones(1), np.ones(1), np.array([0.0, 1.0]))
    quantile, p = null_of_mean([person, person], np.random.default_rng(0))
    assert quantile == 1.0
    assert p == pytest.approx(0.25, abs=0.02)
