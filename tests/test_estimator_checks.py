import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mne_sbi import (
    EEG2fMRIRegressor,
    EpochsToArray,
    JansenRitInverter,
    ModelInverter,
    SGMInverter,
)
from mne_sbi.eeg_fmri import RecordingStandardizer, Residual
from mne_sbi.inference import NPE, PointRegressor
from mne_sbi.models import SpectralGraphModel
from mne_sbi.testing import make_connectome

# 35 spectral values, which is no number of features that the checks use: they learn
# from pairs of other features.
FREQS = np.linspace(4, 40, 7)
CONNECTOME = make_connectome(5)
POINT = PointRegressor(
    (32,), n_components=None, max_iter=40, batch_size=16, learning_rate=0.01
)


def by_recordings(estimator):
    """Checks that a transformer must fail that looks at whole recordings."""
    if not isinstance(estimator, RecordingStandardizer):
        return {}
    return {
        "check_methods_subset_invariance": "the mean of a part is another one",
    }


def by_ranges(estimator):
    """Checks that inverters must fail: five targets are the model's five parameters."""
    if isinstance(estimator, JansenRitInverter | EEG2fMRIRegressor):
        return {}
    return {"check_regressor_multioutput": "the targets lie outside of the ranges"}


@parametrize_with_checks(
    [EpochsToArray(), RecordingStandardizer()], expected_failed_checks=by_recordings
)
def test_scikit_learn_of_transformers(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [EEG2fMRIRegressor("hrf_ridge")], expected_failed_checks=lambda _: {}
)
def test_scikit_learn_of_ridge(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        SGMInverter(CONNECTOME, freqs=FREQS, method=POINT),
        ModelInverter(
            SpectralGraphModel(CONNECTOME, FREQS),
            method=NPE(density="mixture", max_iter=20, batch_size=16),
            n_draws=50,
        ),
        JansenRitInverter(sfreq=128.0, duration=2.0, method=POINT),
        EEG2fMRIRegressor(Residual(max_iter=3)),
    ],
    expected_failed_checks=by_ranges,
)
def test_scikit_learn(estimator, check):
    check(estimator)
