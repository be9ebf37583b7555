"""One contract over all architectures that have a name."""

import pickle

import numpy as np
import pytest

from mne_sbi.eeg_fmri import Architecture, EEG2fMRIRegressor, _calhas
from mne_sbi.eeg_fmri._registry import ARCHITECTURES, make_architecture

WINDOWS = {
    ("channels", "bands", "lags"): (6, 3, 8),
    ("channels", "frequencies", "windows"): (8, 24, 10),
    ("channels", "samples"): (6, 800),
}
VOLUME = (8, 9, 8)


def settings_of(name):
    """A small copy of each: few passes, small batches."""
    architecture = make_architecture(name)
    small = {"max_iter": 2, "batch_size": 8}
    known = architecture.get_params()
    return architecture.set_params(**{k: v for k, v in small.items() if k in known})


@pytest.fixture
def few_layers(monkeypatch):
    """One layer or block instead of several, which are compiled faster.

    As many as published are trained where sizes are tested, and with Calhas' network.
    """
    from mne_sbi.eeg_fmri import _bricman_networks, _bricman_transformers

    monkeypatch.setattr(_bricman_transformers, "_N_LAYERS", 1)
    monkeypatch.setattr(_bricman_networks, "_VOLUME_FILTERS", (16, 1))
    for name in ("_EEG_BLOCKS", "_VOLUME_BLOCKS"):
        monkeypatch.setattr(_calhas, name, getattr(_calhas, name)[:1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_contract(name, few_layers):
    architecture = settings_of(name)
    assert isinstance(architecture, Architecture)
    assert architecture.default_target in ("pca", "voxels")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((48, *WINDOWS[architecture.axes])).astype(np.float32)
    y = rng.standard_normal((48, *VOLUME)).astype(np.float32)
    groups = np.repeat([0, 1, 2], 16)
    kept = X.copy(), y.copy()

    model = EEG2fMRIRegressor(architecture, t_r=2.0, random_state=3)
    model.fit(X, y, groups)
    found = model.predict(X[:10])
    assert found.shape == (10, *VOLUME)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    # The same after pickling, and in other company. That one seed gives the same fit
    # twice is tested with each network: compiling them takes long.
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X[:10]), found)
    np.testing.assert_allclose(model.predict(X)[:10], found, atol=1e-5)
    # What was given is as it was, and the object that was given is not fitted.
    np.testing.assert_array_equal(X, kept[0])
    np.testing.assert_array_equal(y, kept[1])
    assert not [k for k in vars(architecture) if k.endswith("_")]
    # Calibration returns the regressor itself, with predictions of the same kind.
    assert model.partial_fit(X[:24], y[:24]) is model
    after = model.predict(X[:10])
    assert after.shape == found.shape and np.isfinite(after).all()
