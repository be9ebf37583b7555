"""Figures of volumes: where they are, and with which scale."""

import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker

from mne_sbi.viz import plot_volumes

from .volumes import AFFINE, SHAPE, n_voxels, slices


def test_volumes_have_one_scale_and_stand_where_the_affine_says(masker):
    volume = np.zeros((3, *SHAPE), np.float32)
    volume[1, 2, 7, 3] = 5.0  # x = 6, y = 10, z = 0 mm
    fig = plot_volumes(
        volume, 0.1 * volume, masker, index=1, limit=4.0, cuts=[0.0, 0.004], show=False
    )
    shown = slices(fig)
    # The bar of colours has no image.
    assert len(shown) == 4
    assert {image.get_clim() for image in shown} == {(-4.0, 4.0)}
    for image, value in zip(shown[::2], (5.0, 0.5), strict=True):
        data = np.ma.filled(image.get_array(), 0)
        assert data.max() == pytest.approx(value)
        row, column = np.unravel_index(data.argmax(), data.shape)
        left, right, bottom, top = image.get_extent()
        x = left + (column + 0.5) * (right - left) / data.shape[1]
        y = top - (row + 0.5) * (top - bottom) / data.shape[0]
        # In nilearn, slices end at the middle of the outermost voxels.
        assert image.origin == "upper"
        assert (x, y) == pytest.approx((6, 10), abs=2)
    # One slice higher there is nothing.
    for image in shown[1::2]:
        assert not np.ma.filled(image.get_array(), 0).any()
    titles = [ax.get_title() for ax in fig.axes if ax.get_title()]
    assert [title.split(" (")[0] for title in titles] == [
        "measured, volume 1",
        "predicted, volume 1",
    ]


def test_rows_of_voxels_and_images_show_the_same(masker):
    rng = np.random.default_rng(0)
    y = rng.standard_normal((4, n_voxels(masker))).astype(np.float32)
    image = masker.inverse_transform(y)
    figs = [
        plot_volumes(y, 0.5 * y, masker, index=[2, 0], show=False),
        plot_volumes(
            image, masker.inverse_transform(0.5 * y), index=[2, 0], show=False
        ),
    ]
    one, other = map(slices, figs)
    assert len(one) == 2 * 2 * 4
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(
            np.ma.filled(a.get_array(), 0), np.ma.filled(b.get_array(), 0)
        )
        assert a.get_clim() == b.get_clim()
    # 1 % of the measured values are beyond the colours.
    end = one[0].get_clim()[1]
    assert end == pytest.approx(np.quantile(np.abs(y[[2, 0]]), 0.99), rel=1e-5)


def test_correlation_has_a_scale_of_its_own(masker):
    y = np.random.default_rng(0).standard_normal((2, n_voxels(masker)))
    r = np.full((3, n_voxels(masker)), 0.2)
    r[:, 0] = (0.3, np.nan, 0.0)
    fig = plot_volumes(y, y, masker, r=r, show=False)
    shown = slices(fig)
    assert len(shown) == 2 * 4 + 8
    assert shown[-1].get_clim() == pytest.approx((-0.2, 0.2))
    assert "correlation over time, mean of 3 people" in [
        ax.get_title() for ax in fig.axes
    ]


def test_parcels_and_a_constant_prediction(masker):
    labels = masker.mask_img_.get_fdata().astype(np.int32)
    labels[4:] *= 2
    image = nibabel.Nifti1Image(labels, AFFINE)
    parcels = NiftiLabelsMasker(image, standardize=None, reports=False).fit()
    y = np.array([[1.0, -2.0]])
    shown = slices(plot_volumes(y, 0 * y, parcels, show=False))
    assert set(np.unique(np.ma.filled(shown[1].get_array(), 0))) == {-2.0, 0.0, 1.0}
    assert not np.ma.filled(shown[-1].get_array(), 0).any()


def test_volumes_with_scales_of_their_own(masker):
    rng = np.random.default_rng(0)
    n_voxels = int(masker.mask_img_.get_fdata().sum())
    y = rng.standard_normal((3, n_voxels))
    fig = plot_volumes(y, 0.01 * y, masker, index=[0, 2], limit="own", show=False)
    images = [im for ax in fig.axes for im in ax.get_images()]
    ends = {round(float(im.get_clim()[1]), 6) for im in images}
    expected = np.quantile(np.abs(y[[0, 2]]), 0.99)
    assert ends >= {round(float(expected), 6), round(float(0.01 * expected), 6)}
    with pytest.raises(ValueError, match="Did you mean 'own'"):
        plot_volumes(y, y, masker, limit="owm")


def test_wrong_volumes(masker):
    y = np.ones((3, n_voxels(masker)))
    with pytest.raises(ValueError, match="only a masker knows"):
        plot_volumes(y, y)
    with pytest.raises(ValueError, match=r"from 0 to 2.*\[3\]"):
        plot_volumes(y, y, masker, index=3)
    with pytest.raises(ValueError, match="columns, but the masker makes"):
        plot_volumes(y[:, 1:], y[:, 1:], masker)
    with pytest.raises(ValueError, match="the masker of"):
        plot_volumes(np.ones((3, 2, 2, 2)), y, masker)
    with pytest.raises(ValueError, match="not finite at volume 1. Volumes that no"):
        plot_volumes(
            y, np.where(np.arange(3)[:, None] == 1, np.nan, y), masker, index=1
        )
    with pytest.raises(ValueError, match="limit must be positive"):
        plot_volumes(y, y, masker, limit=0.0)
    with pytest.raises(ValueError, match="where the brain is; got"):
        plot_volumes(y, y, masker, cuts=[8.0])
    with pytest.raises(ValueError, match="r needs masker="):
        image = masker.inverse_transform(y)
        plot_volumes(image, image, r=y[0])
    small = nibabel.Nifti1Image(np.ones((2, 2, 2, 3)), AFFINE)
    with pytest.raises(ValueError, match="resample one to the other"):
        plot_volumes(masker.inverse_transform(y), small)
