"""Agreement of spectra by hand, and the baselines of real recordings."""

import numpy as np
import pytest

from mne_sbi.datasets import read_spectrome
from mne_sbi.diagnostics import (
    calibrated_rms,
    regional_correlation,
    spectral_baselines,
    spectral_correlation,
)

FREQS = np.array([1.0, 2.0, 3.0, 4.0])
# Two regions of one person; deviations from their means over frequency are
# (-1, 0, 0, 1) and (-1, 1, -1, 1).
MEASURED = np.array([[[4.0, 5, 5, 6], [1, 3, 1, 3]]])
# Deviations (-1, 1, -1, 1) and (2, -2, 2, -2).
PREDICTED = np.array([[[7.0, 9, 7, 9], [4, 0, 4, 0]]])


def test_spectral_correlation():
    by_hand = [2 / np.sqrt(2 * 4), -8 / np.sqrt(4 * 16)]
    found = spectral_correlation(MEASURED, PREDICTED)
    np.testing.assert_allclose(found, [np.mean(by_hand)])
    people = spectral_correlation(
        np.concatenate([MEASURED, PREDICTED]), np.concatenate([PREDICTED] * 2)
    )
    np.testing.assert_allclose(people, [found[0], 1])


def test_gain_and_slope_do_not_matter():
    changed = PREDICTED * np.array([[2.0], [0.3]]) + np.array([[5.0], [-9.0]])
    for score in (spectral_correlation, calibrated_rms):
        np.testing.assert_allclose(score(MEASURED, changed), score(MEASURED, PREDICTED))


def test_regional_correlation():
    # What is left of the regions without their common part: plus and minus of this.
    measured = np.array([0, -0.5, 0.5, 0])
    predicted = np.array([-1.5, 1.5, -1.5, 1.5])
    expected = measured @ predicted / np.sqrt(measured @ measured * 9)
    found = regional_correlation(MEASURED, PREDICTED)
    np.testing.assert_allclose(found, [expected])
    # A spectrum that all regions share says nothing of their differences.
    common = 5 * np.array([0, 1, 0, 2.0])
    np.testing.assert_allclose(
        regional_correlation(MEASURED, PREDICTED + common), found
    )


def test_calibrated_rms_is_what_a_regression_leaves():
    residuals = []
    for region in range(2):
        design = np.column_stack([np.ones(4), PREDICTED[0, region]])
        _, left, _, _ = np.linalg.lstsq(design, MEASURED[0, region], rcond=None)
        residuals.append(left[0])
    expected = np.sqrt(np.sum(residuals) / 8)
    np.testing.assert_allclose(calibrated_rms(MEASURED, PREDICTED), [expected])


def test_baselines_by_hand():
    people = np.concatenate([MEASURED, PREDICTED])
    found = spectral_baselines(people, FREQS)
    line = np.array([-1.5, -0.5, 0.5, 1.5]) / np.sqrt(5)
    by_hand = [-3 / np.sqrt(10), -np.array([-1, 1, -1, 1]) @ line / 2]
    np.testing.assert_allclose(found["line"][0], np.mean(by_hand))
    own = spectral_correlation(MEASURED, np.full((1, 2, 4), [2.5, 4, 3, 4.5]))
    np.testing.assert_allclose(found["own mean"][0], own[0])
    # Of two people, the others of one are the other.
    both = spectral_correlation(MEASURED, PREDICTED)[0]
    np.testing.assert_allclose(found["others"], [both, both])
    assert "others" not in spectral_baselines(MEASURED, FREQS)


def test_baselines_of_real_recordings(shared_data):
    data = read_spectrome(shared_data / "spectrome")
    baselines = spectral_baselines(10 * np.log10(data.psd), data.freqs)
    assert baselines["line"].mean() == pytest.approx(0.853, abs=1e-3)
    assert baselines["own mean"].mean() == pytest.approx(0.909, abs=1e-3)
    assert (baselines["others"] < baselines["own mean"]).mean() > 0.5


@pytest.mark.parametrize(
    "measured, predicted, message",
    [
        (MEASURED[0], PREDICTED[0], r"measured must have shape \(n_obs, n_nodes"),
        (MEASURED, PREDICTED[:, :1], r"predicted must have shape \(1, 2, 4\)"),
        (MEASURED * np.nan, PREDICTED, "measured must be finite"),
        (MEASURED, 0 * PREDICTED, "2 of 2 pairs of spectra .* Leave such regions out"),
    ],
)
def test_errors(measured, predicted, message):
    with pytest.raises(ValueError, match=message):
        spectral_correlation(measured, predicted)
