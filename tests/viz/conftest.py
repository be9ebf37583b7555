"""What tests of figures share."""

import matplotlib.pyplot as plt
import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from .volumes import AFFINE, SHAPE


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture
def masker():
    """A box within a volume, without its outermost voxels."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    image = nibabel.Nifti1Image(mask, AFFINE)
    return NiftiMasker(mask_img=image, standardize=None, reports=False).fit()
