import numpy as np
import pytest
from scipy import fft
from sklearn.decomposition import PCA

from mne_sbi.eeg_fmri import DCTTarget, PCATarget, Voxels
from mne_sbi.eeg_fmri._grid import VolumeGrid


def draw(n=60, p=200):
    rng = np.random.default_rng(0)
    scale = 1.0 / np.arange(1, p + 1)
    return (rng.standard_normal((n, p)) * scale + 7).astype(np.float32)


def test_components_are_those_of_scikit_learn():
    y = draw()
    target = PCATarget(5).fit(y)
    expected = PCA(5, svd_solver="full").fit(y)
    np.testing.assert_allclose(
        np.abs(np.sum(target.basis_ * expected.components_, axis=1)), 1, atol=1e-4
    )
    np.testing.assert_allclose(
        target.decode(target.encode(y)),
        expected.inverse_transform(expected.transform(y)),
        atol=1e-3,
    )
    assert PCATarget(500).fit(y).basis_.shape == (59, 200)


@pytest.mark.parametrize("target", [PCATarget(6), DCTTarget((2, 2, 2)), Voxels()])
def test_squared_errors_of_numbers_are_those_of_voxels(target):
    mask = np.random.default_rng(1).random((6, 7, 8)) < 0.6
    grid = VolumeGrid(mask)
    y = draw(p=grid.n_voxels)
    target.fit(y, grid=grid)
    z = target.encode(y)
    other = z + np.random.default_rng(2).standard_normal(z.shape)
    found = ((target.decode(other) - target.decode(z)) ** 2).sum()
    np.testing.assert_allclose(found, ((other - z) ** 2).sum(), rtol=1e-3)
    # What is in the space comes back.
    once = target.decode(z)
    np.testing.assert_allclose(target.decode(target.encode(once)), once, atol=1e-4)


def test_cosines_on_whole_volumes_are_a_transform():
    y = np.random.default_rng(0).standard_normal((3, 6 * 5 * 4))
    target = DCTTarget((3, 2, 2)).fit(y, grid=VolumeGrid.from_shape((6, 5, 4)))
    coefs = fft.dctn((y - y.mean(0)).reshape(3, 6, 5, 4), axes=(1, 2, 3), norm="ortho")
    low = np.zeros_like(coefs)
    low[:, :3, :2, :2] = coefs[:, :3, :2, :2]
    expected = fft.idctn(low, axes=(1, 2, 3), norm="ortho").reshape(3, -1) + y.mean(0)
    np.testing.assert_allclose(target.decode(target.encode(y)), expected, atol=1e-5)


def test_wrong_settings():
    y = draw()
    with pytest.raises(ValueError, match="give masker="):
        DCTTarget().fit(y)
    with pytest.raises(
        ValueError, match="n_components must be a positive integer, got 0"
    ):
        PCATarget(0).fit(y)
    with pytest.raises(ValueError, match="three numbers"):
        DCTTarget((2, 2)).fit(y, grid=VolumeGrid.from_shape((10, 5, 4)))


def test_grid():
    mask = np.zeros((2, 3, 2), dtype=bool)
    mask[0, 1, 1] = mask[1, 2, 0] = True
    grid = VolumeGrid(mask)
    assert repr(grid) == "<VolumeGrid | 2 of 2 x 3 x 2 voxels>"
    volumes = grid.to_volumes(np.array([[4.0, 5.0]]))
    assert volumes[0, 0, 1, 1] == 4 and volumes[0, 1, 2, 0] == 5
    assert volumes.sum() == 9
    np.testing.assert_array_equal(grid.from_volumes(volumes), [[4, 5]])
    with pytest.raises(ValueError, match="no voxel"):
        VolumeGrid(np.zeros((2, 2, 2), dtype=bool))
    with pytest.raises(TypeError, match="NiftiMasker"):
        VolumeGrid.from_masker(object())
