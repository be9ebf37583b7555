import numpy as np

from mne_sbi.eeg_fmri import canonical_hrf, hrf_basis


def test_the_response_is_that_of_spm():
    """nilearn has SPM's response too, shifted by the onset that it defines."""
    from nilearn.glm.first_level import spm_hrf

    t_r, oversampling = 0.5, 50
    theirs = spm_hrf(t_r, oversampling, time_length=32.0)
    step = t_r / oversampling
    ours = canonical_hrf(np.arange(len(theirs)) * step)
    # Both have a sum of one, up to the step.
    theirs = theirs / theirs.sum() / step
    shifts = range(-5, 6)
    gap = min(np.abs(np.roll(theirs, s) - ours)[10:-10].max() for s in shifts)
    assert gap < 0.01 * ours.max()


def test_peak_area_and_delay():
    t = np.arange(0, 60, 0.001)
    response = canonical_hrf(t)
    assert abs(t[response.argmax()] - 5.0) < 0.002
    np.testing.assert_allclose(np.trapezoid(response, t), 1, atol=1e-4)
    np.testing.assert_allclose(canonical_hrf(t, 1.5)[1500:], response[:-1500], 1e-6)
    assert not canonical_hrf([-1.0, 0.0]).any()


def test_basis_is_the_mean_over_each_lag():
    basis = hrf_basis(12, 2.0)
    fine = np.arange(0, 24, 0.0005) + 0.00025
    expected = canonical_hrf(fine).reshape(12, -1).mean(axis=1)
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(basis[:, 0], expected, atol=1e-4)
    several = hrf_basis(12, 2.0, 3, 1.5)
    np.testing.assert_allclose(several[:, 1], basis[:, 0])
    centre = np.arange(12) @ np.abs(several) / np.abs(several).sum(axis=0)
    assert (np.diff(centre) > 0.3).all()
