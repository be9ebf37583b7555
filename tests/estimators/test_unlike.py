"""Observations unlike all simulations are said to be so."""

import numpy as np
import pytest

from mne_sbi import read_inverter
from mne_sbi.inference import NPE, PointRegressor

WARNING = pytest.mark.filterwarnings("error")


@pytest.fixture(
    scope="module",
    params=[NPE(density="mixture", max_iter=2), PointRegressor((8,), max_iter=2)],
    ids=["npe", "point"],
)
def fitted(request, make_inverter):
    return make_inverter(method=request.param).fit()


@WARNING
def test_simulations_are_like_simulations(fitted):
    theta, _ = fitted.simulate_features(200, random_state=3)
    X = fitted.inverse_transform(theta)
    rng = np.random.default_rng(0)
    noisy = fitted.features_.add_noise(X.astype(np.float32), rng)
    assert len(fitted.predict(noisy)) == 200


@WARNING
def test_what_is_unlike_them_is_said(fitted, tmp_path):
    theta, _ = fitted.simulate_features(3, random_state=3)
    X = fitted.inverse_transform(theta)
    # No model of the brain has such a line in its spectra.
    X[1] += np.where(np.arange(X.shape[2]) % 2, 40.0, 0.0)
    fitted.save(tmp_path / "inverter.zip")
    for inverter in (fitted, read_inverter(tmp_path / "inverter.zip")):
        with pytest.warns(RuntimeWarning, match="1 of 3 .*number 1. are unlike all"):
            inverter.predict(X)


@WARNING
def test_pairs_of_the_caller_s_are_not_compared(make_inverter):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    inverter = make_inverter(method=PointRegressor((8,), None, max_iter=1)).fit(X, y)
    inverter.predict(100 * X)
