import numpy as np
import pytest

from mne_sbi.eeg_fmri._grid import VolumeGrid
from mne_sbi.eeg_fmri._image_scores import ImageScores, make_image_scores, ssim
from mne_sbi.eeg_fmri._scores import is_constant, score_over_time, skill_over_past


def score(predicted, measured, min_shift):
    fold = np.zeros(len(measured), dtype=int)
    return score_over_time(predicted, measured, fold, min_shift)


def test_scaled_truth_with_noise_has_the_analytic_scores():
    rng = np.random.default_rng(0)
    y, noise = rng.standard_normal((2, 4000, 30))
    a, b = 0.6, 0.3
    row, null = score(a * y + b * noise, y, 50)
    assert row["r"] == pytest.approx(a / np.hypot(a, b), abs=0.002)
    expected = 1 - ((1 - a) ** 2 + b**2)
    assert row["skill"] == row["r2"] == pytest.approx(expected, abs=0.003)
    assert row["rmse"] == pytest.approx(np.sqrt((1 - a) ** 2 + b**2), rel=0.01)
    assert row["share_above"] == 1 and row["reference"] == "own mean"
    assert null.r.shape == (30,)


def test_an_offset_costs_skill_and_not_correlation():
    rng = np.random.default_rng(1)
    y = rng.standard_normal((100, 5))
    y -= y.mean(axis=0)
    row, _ = score(y + 2.0, y, 10)
    assert row["r"] == pytest.approx(1.0)
    assert row["r2"] == pytest.approx(1 - 4 / y.var())


def test_errors_of_shuffled_and_constant_predictions_equal_brute_force():
    rng = np.random.default_rng(2)
    y, p = rng.standard_normal((2, 30, 4)).cumsum(axis=1)
    row, _ = score(p, y, 5)
    # The mean over all circular shifts is that over all orders: each prediction
    # meets each measurement equally often.
    squares = [((np.roll(p, s, axis=0) - y) ** 2).mean() for s in range(30)]
    assert row["rmse_shuffled"] ** 2 == pytest.approx(np.mean(squares))
    assert row["rmse_constant"] ** 2 == pytest.approx(((p.mean(0) - y) ** 2).mean())


def test_large_volumes_in_single_precision_lose_nothing():
    rng = np.random.default_rng(3)
    y = rng.standard_normal((200, 50))
    p = 0.5 * y + rng.standard_normal((200, 50))
    small, _ = score(p, y, 10)
    shifted = [(1000 + x).astype(np.float32) for x in (p, y)]
    large, _ = score(*shifted, 10)
    for name in ("r2", "r", "r_null95", "rmse", "rmse_shuffled"):
        assert large[name] == pytest.approx(small[name], abs=2e-4)


def test_measured_values_that_never_change_are_an_error():
    with pytest.raises(ValueError, match="No measured value of a person changes"):
        score(np.ones((50, 2)), np.ones((50, 2)), 5)
    y = np.random.default_rng(0).standard_normal((50, 2))
    with pytest.raises(ValueError, match="let each fold test two volumes or more"):
        score_over_time(y, y, np.arange(50), 5)


def test_a_constant_in_each_block_has_no_correlation_and_no_skill():
    rng = np.random.default_rng(4)
    fold = np.repeat(np.arange(5), 20)
    level = rng.standard_normal((5, 8))
    y = 2 * level[fold] + rng.standard_normal((100, 8))
    row, _ = score_over_time(level[fold], y, fold, 5)
    assert row["r"] == 0 and row["skill"] < 0
    assert is_constant(level[fold], y, fold)
    assert not is_constant(level[fold] + 0.1 * y, y, fold)
    # The blocks' own means are the reference, and have a skill of zero.
    own = np.stack([y[fold == k].mean(axis=0) for k in range(5)])
    assert score_over_time(own[fold], y, fold, 5)[0]["skill"] == pytest.approx(0)
    # What is added to constants and knows nothing makes them worse.
    noise = rng.standard_normal(y.shape)
    skills = [
        score_over_time(own[fold] + size * noise, y, fold, 5)[0]["skill"]
        for size in (0, 0.005, 0.02, 0.1, 1.0)
    ]
    assert (np.diff(skills) < 0).all()


def test_correlation_is_that_within_blocks():
    rng = np.random.default_rng(5)
    fold = np.repeat([0, 1], 50)
    y, p = rng.standard_normal((2, 100, 1)) + 3 * fold[:, None]
    row, _ = score_over_time(p, y, fold, 5)
    inner = [
        np.concatenate([x[:50] - x[:50].mean(), x[50:] - x[50:].mean()]) for x in (p, y)
    ]
    assert row["r"] == pytest.approx(np.corrcoef(*np.squeeze(inner))[0, 1])
    assert abs(row["r"]) < 0.3 < np.corrcoef(p.T, y.T)[0, 1]


def slow_fmri(seed, n=200, n_targets=6):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((n, n_targets))
    for t in range(1, n):
        y[t] += 0.8 * y[t - 1]
    return y


def lagged(y, lag):
    return np.vstack([np.zeros((lag, y.shape[1])), y[:-lag]])


@pytest.mark.parametrize(
    "weights", [(1,), (0.8,), (0, 1), (0.4, 0.3, 0.2), (0, 0, 0, 1)]
)
def test_no_mixture_of_past_volumes_has_skill_over_them(weights):
    y = slow_fmri(0)
    p = sum(w * lagged(y, k) for k, w in enumerate(weights, start=1))
    assert skill_over_past(p, y) <= 1e-6


def test_weights_that_differ_between_targets_have_none_either():
    y = slow_fmri(1)
    assert skill_over_past(lagged(y, 1) * np.linspace(0.2, 1, 6), y) <= 1e-6


def test_the_past_seen_through_a_few_components_has_none_either():
    y = slow_fmri(2, n_targets=40)
    axes = np.linalg.svd(y, full_matrices=False)[2][:5]
    assert skill_over_past(0.8 * lagged(y, 1) @ axes.T @ axes, y) <= 1e-6


def test_what_is_known_besides_the_past_counts():
    y = slow_fmri(3)
    surprise = y - 0.8 * lagged(y, 1)
    # Half of the surprise is foreseen, which leaves a quarter of its variance.
    skill = skill_over_past(0.8 * lagged(y, 1) + 0.5 * surprise, y)
    assert skill == pytest.approx(0.75, abs=0.03)


# ------------------------------------------------------------------------ images
def volumes(seed, n=3, shape=(14, 16, 4)):
    rng = np.random.default_rng(seed)
    return 100 + 20 * rng.standard_normal((n, *shape))


def test_similarity_equals_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = volumes(0), volumes(0) + 0.5 * (volumes(1) - 100)
    mask = np.zeros(a.shape[1:], dtype=bool)
    mask[2:11, 3:13] = True
    scale = np.ptp(b[:, mask])
    maps = np.empty_like(a)
    for i in range(len(a)):
        for z in range(a.shape[3]):
            _, maps[i, :, :, z] = metrics.structural_similarity(
                b[i, :, :, z],
                a[i, :, :, z],
                data_range=scale,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                full=True,
            )
    expected = maps[:, mask].mean()
    assert 0.3 < expected < 0.95
    assert ssim(a, b, mask) == pytest.approx(expected, abs=1e-10)


def test_similarity_of_a_volume_with_itself_is_one():
    a = volumes(2)
    assert ssim(a, a, np.ones(a.shape[1:], dtype=bool)) == 1.0


def test_zeros_outside_of_the_mask_do_not_count():
    mask = np.zeros((14, 16, 4), dtype=bool)
    mask[4:10, 4:12] = True
    a, b = volumes(3) * mask, volumes(4) * mask
    found = ssim(a, b, mask)
    assert found < ssim(a, b, np.ones_like(mask)) - 0.05
    margin = [(9, 9), (9, 9), (0, 0)]
    a, b = (np.pad(x, [(0, 0), *margin]) for x in (a, b))
    assert ssim(a, b, np.pad(mask, margin)) == pytest.approx(found, abs=1e-12)


def test_own_mean_looks_perfect_and_the_mean_of_others_does_not():
    rng = np.random.default_rng(5)
    grid = VolumeGrid.from_shape((12, 12, 3))
    anatomy = 1000 + 200 * rng.standard_normal((2, grid.n_voxels))
    y = rng.standard_normal((60, grid.n_voxels))  # per cent
    images = ImageScores(grid, {"a": anatomy[0], "b": anatomy[1]})
    groups = np.repeat(["a", "b"], 60)
    splits = [(np.arange(60, 120), np.arange(60))]
    base = images.bases(groups, splits)
    np.testing.assert_allclose(base[0], anatomy[1])
    nothing = np.zeros_like(y)
    own = images.score(nothing, y, anatomy[0], np.broadcast_to(anatomy[0], y.shape))
    others = images.score(nothing, y, anatomy[0], np.broadcast_to(base[0], y.shape))
    oracle = images.score(y, y, anatomy[0], np.broadcast_to(anatomy[0], y.shape))
    assert oracle["ssim"] == pytest.approx(1)
    assert 0.97 < own["ssim"] < 1 and others["ssim"] < 0.5
    assert own["ssim"] == own["ssim_shuffled"] == own["ssim_constant"]


def test_shuffled_images_are_worse_if_the_images_follow_time():
    y = np.random.default_rng(6).standard_normal((40, 12 * 12 * 3))
    row = ImageScores(VolumeGrid.from_shape((12, 12, 3))).score(y, y)
    assert row["ssim"] == 1
    assert row["ssim_shuffled"] < 0.2 and row["ssim_constant"] < 0.5


def test_a_masker_of_other_voxels_and_missing_people_are_errors():
    people = np.array(["a", "b"])
    with pytest.raises(ValueError, match="lacks 1 of . subjects: b"):
        make_image_scores(None, {"a": np.ones(8)}, (2, 2, 2), people)
    with pytest.raises(ValueError, match="needs masker="):
        make_image_scores(None, {"a": np.ones(8)}, (8,), people)
    assert make_image_scores(None, None, (8,), people) is None
