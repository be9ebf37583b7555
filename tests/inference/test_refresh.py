"""New simulations before each pass."""

import numpy as np
import pytest
from scipy.special import ndtr
from sklearn.base import clone

from mne_sbi.inference import NPE, PointRegressor, RejectionABC
from mne_sbi.inference._training import Batches

MIXING = np.array([[1.0, 0.5, 0.0, -0.3], [0.0, 0.4, 1.0, 0.6]])


def simulate(n, seed):
    rng = np.random.default_rng(seed)
    phi = rng.standard_normal((n, 2))
    x = phi @ MIXING + 0.5 * rng.standard_normal((n, 4))
    return ndtr(phi), x.astype("float32")


METHODS = {
    "npe": NPE(density="mixture", max_iter=4, batch_size=32),
    "point": PointRegressor((16,), 3, max_iter=4, batch_size=32),
    "features": PointRegressor((16,), None, max_iter=4, batch_size=32),
}


@pytest.mark.parametrize("name", METHODS)
def test_each_pass_sees_its_own_rows_only(name, monkeypatch):
    method = clone(METHODS[name])
    seen, made = [], []
    take = type(method)._make_batch

    def make_batch(self, z, targets):
        seen.append((len(made), np.asarray(targets)))
        return take(self, z, targets)

    monkeypatch.setattr(type(method), "_make_batch", make_batch)
    theta, x = simulate(200, 0)

    def refresh(pass_number):
        made.append((pass_number, simulate(180, pass_number)[0]))
        return made[-1][1], simulate(180, pass_number)[1]

    method.fit(theta, x, refresh=refresh, random_state=0)
    assert [number for number, _ in made] == [1, 2, 3]
    rows_of = [theta] + [rows for _, rows in made]
    for number, rows in enumerate(rows_of):
        known = {tuple(row) for row in method._targets(rows)}
        batches = [targets for k, targets in seen if k == number]
        # Keras may ask for the first batch of all twice or more, to build the model.
        assert len(batches) == 6 if number else len(batches) >= 6
        used = {tuple(row) for targets in batches for row in targets}
        assert used <= known and len(used) == 180


@pytest.mark.parametrize("name", ["point", "features"])
def test_the_first_pass_sets_scale_and_validation_rows(name):
    theta, x = simulate(300, 0)
    validated = []

    class Watched(type(METHODS[name])):
        def _validation_loss(self, stages, z, targets):
            validated.append((z.copy(), targets.copy()))
            return super()._validation_loss(stages, z, targets)

    method = Watched(**METHODS[name].get_params())

    def refresh(pass_number):
        new_theta, new_x = simulate(270, pass_number)
        return new_theta, 5.0 + 3.0 * new_x

    method.fit(theta, x, refresh=refresh, random_state=0)
    plain = clone(METHODS[name]).fit(theta, x, random_state=0)
    np.testing.assert_array_equal(method.scaler_.mean, plain.scaler_.mean)
    assert len(validated) == 4
    for z, targets in validated[1:]:
        np.testing.assert_array_equal(z, validated[0][0])
        np.testing.assert_array_equal(targets, validated[0][1])
    # The first pass is the same with and without.
    first = (method.history_["loss"][0], plain.history_["loss"][0])
    assert first[0] == first[1]
    assert method.history_["loss"][1] != plain.history_["loss"][1]


@pytest.mark.parametrize("name", ["point", "features"])
def test_the_same_rows_again_are_as_good_as_no_refresh(name):
    """And the same seed gives the same network."""
    theta, x = simulate(2000, 0)
    first, second = (
        clone(METHODS[name]).fit(
            theta, x, refresh=lambda k: simulate(1800, k), random_state=0
        )
        for _ in range(2)
    )
    test_theta, test_x = simulate(500, 99)
    np.testing.assert_array_equal(first.predict(test_x), second.predict(test_x))
    plain = clone(METHODS[name]).fit(theta, x, random_state=0)
    errors = [np.abs(m.predict(test_x) - test_theta).mean() for m in (first, plain)]
    assert errors[0] < 1.1 * errors[1]


def test_fresh_rows_cannot_be_learnt_by_heart():
    theta, x = simulate(60, 0)
    method = PointRegressor((256, 256), None, max_iter=40, batch_size=30)
    by_heart = clone(method).fit(theta, x, random_state=0)
    fresh = clone(method).fit(
        theta, x, refresh=lambda k: simulate(60, k), random_state=0
    )
    test_theta, test_x = simulate(2000, 99)
    old, new = (
        np.square(m.predict(test_x) - test_theta).mean() for m in (by_heart, fresh)
    )
    assert new < 0.9 * old


@pytest.mark.parametrize("n", [40, 150, 500])
def test_any_number_of_rows(n):
    """A pass keeps its number of steps: the learning rate falls along it."""
    theta, x = simulate(200, 0)
    method = PointRegressor((8,), None, max_iter=2, batch_size=32)
    method.fit(theta, x, refresh=lambda k: simulate(n, k), random_state=0)
    batches = Batches(lambda rows, rng: rows, 180, 32, 0)
    batches.replace(lambda rows, rng: rows, n)
    assert batches.num_batches == 6
    rows = np.concatenate([batches[i] for i in range(6)])
    assert len(rows) == 192 and rows.max() < n
    assert len(np.unique(rows)) == min(n, 192)


def test_a_batch_is_of_one_set_of_rows():
    """Also for one who took the batches before they were replaced."""
    batches = Batches(lambda rows, rng: ("old", rows), 180, 32, 0)
    kept = iter(batches)
    assert next(kept)[0] == "old"
    batches.replace(lambda rows, rng: ("new", rows), 20)
    for name, rows in kept:
        assert name == "new" and rows.max() < 20


@pytest.mark.parametrize("name", ["point", "features"])
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda t, x: (t[:, :1], x), r"refresh\(1\) must return theta with 2 columns"),
        (lambda t, x: (t, x[:, :3]), r"refresh\(1\) must return theta with 2 columns"),
        (lambda t, x: (t[:-1], x), "same number of rows"),
        (lambda t, x: (t, np.where(x > 1, np.nan, x)), "rows of x hold NaN"),
        (lambda t, x: (t + 1, x), "prior.to_unit"),
    ],
)
def test_bad_rows_are_named(name, returned, message):
    theta, x = simulate(100, 0)
    with pytest.raises(ValueError, match=message):
        clone(METHODS[name]).fit(theta, x, refresh=lambda k: returned(theta, x))


def test_what_cannot_be_refreshed():
    theta, x = simulate(100, 0)
    with pytest.raises(ValueError, match="nothing to refresh"):
        RejectionABC().fit(theta, x, refresh=lambda k: (theta, x))
    with pytest.raises(ValueError, match="give one of the two"):
        NPE().fit(theta, x, resample=lambda i, rng: x[i], refresh=lambda k: (theta, x))
