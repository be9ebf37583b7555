"""Inference methods against analytic posteriors and against each other."""

import copy
import json
import pickle
import random

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mne_sbi.inference import NPE, InferenceMethod, PointRegressor, RejectionABC
from mne_sbi.inference._base import check_finite_rows

NOISE = 0.5
MIXING = np.array([[1.0, 0.5, 0.0, -0.3], [0.0, 0.4, 1.0, 0.6]])


def simulate(n, seed, *, noise=NOISE):
    """Gaussian parameters, in the unit cube, and linear features with noise."""
    rng = np.random.default_rng(seed)
    phi = rng.standard_normal((n, 2))
    x = phi @ MIXING + noise * rng.standard_normal((n, 4))
    return ndtr(phi), x.astype("float32")


def exact_posterior(x):
    """Mean and covariance of the Gaussian parameters."""
    covariance = np.linalg.inv(np.eye(2) + MIXING @ MIXING.T / NOISE**2)
    return x @ MIXING.T @ covariance / NOISE**2, covariance


@pytest.fixture(scope="module")
def npe():
    theta, x = simulate(6000, 0)
    return NPE(max_iter=10, learning_rate=2e-3).fit(theta, x, random_state=0)


SMALL = {
    "spline": NPE(max_iter=2, batch_size=32),
    "mixture": NPE(density="mixture", max_iter=2, batch_size=32, n_components=3),
    "point": PointRegressor((16,), 3, max_iter=2, batch_size=32),
    "abc": RejectionABC(0.1),
}


@pytest.fixture(scope="module")
def fitted():
    theta, x = simulate(150, 1)
    return {k: clone(m).fit(theta, x, random_state=3) for k, m in SMALL.items()}


def result(method, x):
    """Whatever the method says of features, as rows."""
    parts = [method.predict(x)]
    if method.gives_posterior:
        parts.append(method.sample(x, 20, random_state=5).reshape(len(x), -1))
        parts.append(method.log_prob(np.full((len(x), 2), 0.4), x)[:, None])
    return np.concatenate(parts, axis=1)


def test_npe_finds_the_exact_posterior(npe):
    _, x = simulate(100, 7)
    mean, covariance = exact_posterior(x)
    draws = ndtri(npe.sample(x, 1000, random_state=0))
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((draws.mean(axis=1) - mean) / sd).mean() < 0.15
    np.testing.assert_allclose(np.median(draws.std(axis=1), axis=0) / sd, 1, atol=0.1)
    correlation = np.median([np.corrcoef(d.T)[0, 1] for d in draws])
    expected = covariance[0, 1] / sd.prod()
    assert correlation == pytest.approx(expected, abs=0.1)


def test_npe_density_is_the_exact_density(npe):
    theta, x = simulate(300, 8)
    mean, covariance = exact_posterior(x)
    residual = ndtri(theta) - mean
    precision = np.linalg.inv(covariance)
    exact = -0.5 * np.einsum("ni,ij,nj->n", residual, precision, residual)
    exact += 0.5 * np.linalg.slogdet(precision)[1] + 0.5 * (ndtri(theta) ** 2).sum(1)
    assert np.abs(npe.log_prob(theta, x) - exact).mean() < 0.3
    assert abs((npe.log_prob(theta, x) - exact).mean()) < 0.08


def test_npe_agrees_with_rejection(npe):
    theta, x = simulate(300_000, 9)
    reference = RejectionABC(0.002).fit(theta, x)
    _, observed = simulate(20, 10)
    ours = npe.sample(observed, 1000, random_state=0)
    theirs = reference.sample(observed, 1000, random_state=0)
    assert np.abs(ours.mean(axis=1) - theirs.mean(axis=1)).mean() < 0.03
    assert np.abs(ours.std(axis=1) / theirs.std(axis=1) - 1.0).mean() < 0.12
    point = theirs.mean(axis=1)
    difference = npe.log_prob(point, observed) - reference.log_prob(point, observed)
    assert np.median(np.abs(difference)) < 0.3


def test_rejection_finds_a_known_posterior():
    """Uniform parameter, feature within 0.1 of it: the posterior is that interval."""
    rng = np.random.default_rng(0)
    theta = rng.random((40_000, 1))
    x = theta + rng.uniform(-0.1, 0.1, theta.shape)
    method = RejectionABC(0.005).fit(theta, x)
    draws = method.sample([[0.5]], 2000, random_state=0)[0, :, 0]
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert draws.std() == pytest.approx(0.2 / np.sqrt(12), rel=0.1)
    inside, outside = method.log_prob([[0.5], [0.8]], [[0.5], [0.5]])
    assert inside == pytest.approx(np.log(5.0), abs=0.25)
    assert outside < -5.0


@pytest.mark.parametrize("n_components", [None, 6])
def test_point_regressor_learns_a_function(n_components):
    rng = np.random.default_rng(0)
    theta = rng.random((4000, 2))
    waves = rng.uniform(1.0, 4.0, 30)
    x = np.sin(theta[:, :1] * waves) + theta[:, 1:] ** 2 * np.cos(waves)
    method = PointRegressor((64, 64, 64), n_components, max_iter=20, batch_size=64)
    method.fit(theta[:3500], 100.0 + 20.0 * x[:3500], random_state=0)
    error = method.predict(100.0 + 20.0 * x[3500:]) - theta[3500:]
    assert (1.0 - error.var(axis=0) / theta.var(axis=0) > 0.99).all()
    assert len(method.history_["loss"]) == 20
    assert method.history_["loss"][-1] < 0.1 * method.history_["loss"][0]


@pytest.mark.parametrize("name", ["spline", "mixture", "point"])
def test_fit_leaves_the_global_state_and_repeats(name, fitted):
    theta, x = simulate(150, 1)
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    again = clone(SMALL[name]).fit(theta, x, random_state=3)
    np.testing.assert_array_equal(result(again, x), result(fitted[name], x))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    if name != "spline":  # which takes its seeds as the mixture does
        other = clone(SMALL[name]).fit(theta, x, random_state=4)
        assert np.abs(other.predict(x) - again.predict(x)).max() > 1e-4


@pytest.mark.parametrize("name", SMALL)
def test_rows_do_not_depend_on_others(name, fitted):
    _, x = simulate(300, 2)
    together = result(fitted[name], x)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_allclose(
        result(fitted[name], x[order]), together[order], rtol=1e-7, atol=1e-9
    )
    for rows in (slice(1), slice(130, 137)):
        np.testing.assert_allclose(
            result(fitted[name], x[rows]), together[rows], atol=1e-9
        )
    assert together.dtype == np.float64


def largest_correlation(draws):
    """Largest |r| between draws of two observations, over pairs and parameters."""
    return max(
        np.abs(np.corrcoef(column) - np.eye(len(column))).max()
        for column in np.moveaxis(draws, 2, 0)
    )


@pytest.mark.parametrize("name", ["spline", "mixture", "abc"])
def test_draws_of_different_observations_are_independent(name, fitted):
    method = fitted[name]
    _, x = simulate(4, 1)
    x[1] = x[0] + 0.01  # nearly the same recording, and the same posterior
    together = method.sample(x, 1000, random_state=5)
    assert largest_correlation(together) < 0.1
    loaded = type(method).from_state(*method.get_state())
    for other in (method, loaded):
        alone = [other.sample(row[np.newaxis], 1000, random_state=5) for row in x]
        np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-6)


@pytest.mark.parametrize("name", ["spline", "mixture", "abc"])
def test_one_observation_has_the_same_draws_wherever_it_stands(name, fitted):
    method = fitted[name]
    _, x = simulate(5, 2)
    first = method.sample(x, 300, random_state=3)
    order = [3, 1, 4, 0, 2]
    # Rounding is no other recording.
    again = method.sample(x[order] * (1 + 1e-6), 300, random_state=3)
    np.testing.assert_allclose(again, first[order], atol=1e-4)
    # Fewer draws are the first of more; another seed gives others.
    fewer = method.sample(x, 7, random_state=3)
    np.testing.assert_allclose(fewer, first[:, :7], atol=1e-6)
    other = method.sample(x, 300, random_state=4)
    for ours, theirs in zip(first, other, strict=True):
        assert largest_correlation(np.stack([ours, theirs])) < 0.25


def test_intervals_of_differences_and_means_hold():
    """Of 90 %, over 500 pairs and 500 groups of twelve, in probit space."""
    method = NPE(density="mixture", max_iter=10, learning_rate=3e-3)
    method.fit(*simulate(6000, 0), random_state=0)
    theta, x = simulate(6000, 5)
    # With 99 draws, the 5th and the 95th of them hold 90 % on average.
    draws, truth = ndtri(method.sample(x, 99, random_state=0)), ndtri(theta)
    pairs = draws[:1000].reshape(500, 2, 99, 2)
    true_pairs = truth[:1000].reshape(500, 2, 2)
    groups = draws.reshape(500, 12, 99, 2)
    for value, true in (
        (pairs[:, 0] - pairs[:, 1], true_pairs[:, 0] - true_pairs[:, 1]),
        (groups.mean(axis=1), truth.reshape(500, 12, 2).mean(axis=1)),
    ):
        lower, upper = np.quantile(value, [0.05, 0.95], axis=1, method="weibull")
        held = ((lower < true) & (true < upper)).mean()
        assert 0.87 < held < 0.93


@pytest.mark.parametrize("name", SMALL)
def test_copies_say_the_same(name, fitted):
    method = fitted[name]
    _, x = simulate(10, 2)
    expected = result(method, x)
    state, arrays = method.get_state()
    state = json.loads(json.dumps(state))
    for other in (
        pickle.loads(pickle.dumps(method)),
        copy.deepcopy(method),
        type(method).from_state(state, arrays),
    ):
        np.testing.assert_array_equal(result(other, x), expected)
        assert other.history_ == method.history_
    assert not any(a.dtype == object for a in arrays.values())
    assert not hasattr(clone(method), "input_shape_")
    pickle.loads(pickle.dumps(clone(method)))
    if name != "abc":
        with pytest.raises(ValueError, match="not of"):
            wrong = NPE if name == "point" else PointRegressor
            wrong.from_state(state, arrays)


def test_state_loads_under_another_backend(fitted, tmp_path):
    """Keras' NumPy backend cannot train, but it is there without an install."""
    import subprocess
    import sys

    _, x = simulate(10, 2)
    state, arrays = fitted["spline"].get_state()
    (tmp_path / "state.json").write_text(json.dumps(state))
    np.savez(tmp_path / "arrays.npz", x_=x, **arrays)
    code = (
        "import json, sys, numpy as np; from mne_sbi.inference import NPE\n"
        "arrays = dict(np.load('arrays.npz')); x = arrays.pop('x_')\n"
        "method = NPE.from_state(json.load(open('state.json')), arrays)\n"
        "np.save('out.npy', method.sample(x, 20, random_state=5))\n"
        "import keras; print(keras.backend.backend())"
    )
    import os

    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"KERAS_BACKEND": "numpy", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "numpy", done.stderr
    ours = fitted["spline"].sample(x, 20, random_state=5)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), ours, atol=1e-4)


@pytest.mark.parametrize(
    "method", [NPE(density="mixture"), PointRegressor((16,), 3)], ids=["npe", "point"]
)
def test_resample_gives_fresh_noise(method):
    method = clone(method).set_params(batch_size=32, max_iter=3)
    theta, clean = simulate(200, 1, noise=0.0)
    calls = []

    def resample(indices, rng):
        rows = clean[indices] + rng.standard_normal((len(indices), 4)).astype("float32")
        calls.append((indices, rows[0, 0]))
        return rows

    method.fit(theta, clean, resample=resample, random_state=0)
    training = calls[2:]  # after those for the scale and the validation rows
    assert len(np.unique([value for _, value in training])) >= 3 * 6
    validation = set(calls[1][0].tolist())
    seen = set(np.concatenate([i for i, _ in training]).tolist())
    assert validation | seen == set(range(200)) and not validation & seen
    again = clone(method).fit(theta, clean, resample=resample, random_state=0)
    np.testing.assert_array_equal(method.predict(clean), again.predict(clean))


def test_sequence_network_on_flat_features():
    theta, x = simulate(64, 0)
    NPE("conv1d", "mixture", max_iter=1).fit(theta, x, random_state=0).predict(x[:2])


@pytest.mark.parametrize("n", [11, 130])
def test_every_row_is_trained_on(n):
    """A batch size that does not divide the number of rows, or exceeds it."""
    from mne_sbi.inference._training import Batches

    batches = Batches(lambda rows, rng: rows, n, 128, 0)
    rows = np.concatenate([batches[i] for i in range(batches.num_batches)])
    assert set(rows.tolist()) == set(range(n))
    first = rows.tolist()
    batches.on_epoch_end()
    assert batches[0].tolist() != first[: len(batches[0])]


def test_progress_is_shown(capsys):
    theta, x = simulate(40, 0)
    PointRegressor((8,), None, max_iter=2).fit(theta, x, verbose=True)
    shown = capsys.readouterr()
    assert "Training" in shown.out + shown.err
    PointRegressor((8,), None, max_iter=2).fit(theta, x)
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


@pytest.mark.parametrize("method", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, x: (t + 1.0, x), "prior.to_unit"),
        (lambda t, x: (t, np.where(x > 1.0, np.nan, x)), "rows of x hold NaN"),
        (lambda t, x: (np.where(t > 0.5, np.nan, t), x), "rows of theta hold NaN"),
        (lambda t, x: (t[:-1], x), "same number of rows"),
        (lambda t, x: (t[:4], x[:4]), "too few"),
        (lambda t, x: (t[:, 0], x), "must have shape"),
        (lambda t, x: (t, x[:, :0]), "must have shape"),
    ],
)
def test_bad_training_pairs(method, change, message):
    with pytest.raises(ValueError, match=message):
        clone(method).fit(*change(*simulate(50, 0)))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (NPE("mpl"), "Did you mean 'mlp'"),
        (NPE(density="splines"), "Did you mean 'spline'"),
        (NPE(max_iter=0), "max_iter must be a positive integer"),
        (NPE(dropout=1.0), "dropout must be in"),
        (NPE(learning_rate=-1.0), "learning_rate must be in"),
        (PointRegressor(n_components=0), "n_components must be a positive"),
        (PointRegressor(hidden=(0,)), "each width in hidden"),
        (RejectionABC(2.0), "quantile must be in"),
    ],
)
def test_bad_settings(method, message):
    with pytest.raises(ValueError, match=message):
        method.fit(*simulate(50, 0))


def test_bad_resample_is_named():
    theta, x = simulate(50, 0)
    with pytest.raises(ValueError, match="resample must return"):
        NPE().fit(theta, x, resample=lambda rows, rng: x[:3])
    with pytest.raises(ValueError, match="needs the 50 rows of x without noise"):
        NPE().fit(theta, x[:1], resample=lambda rows, rng: x[rows])
    with pytest.raises(ValueError, match="what resample returns"):
        NPE().fit(theta, x, resample=lambda rows, rng: x[rows] * np.nan)


@pytest.mark.parametrize("name", SMALL)
def test_bad_observations(name, fitted):
    method = fitted[name]
    with pytest.raises(ValueError, match=r"\(n_obs, 4\)"):
        method.predict(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="NaN"):
        method.predict(np.full((3, 4), np.nan))
    with pytest.raises(TypeError, match="real numbers"):
        method.predict(np.full((3, 4), "a"))
    with pytest.raises(NotFittedError):
        clone(method).predict(np.zeros((3, 4)))
    if method.gives_posterior:
        with pytest.raises(ValueError, match="n_draws"):
            method.sample(np.zeros((3, 4)), 0)
        with pytest.raises(ValueError, match="one row per row of x"):
            method.log_prob(np.full((2, 2), 0.5), np.zeros((3, 4)))
    else:
        with pytest.raises(NotImplementedError, match="npe"):
            method.sample(np.zeros((3, 4)), 5)
        with pytest.raises(NotImplementedError, match="npe"):
            method.log_prob(np.full((3, 2), 0.5), np.zeros((3, 4)))


def test_divergence_is_an_error():
    from mne_sbi.inference._training import Batches, keras, train

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    rows = np.zeros((20, 1), "float32")
    batches = Batches(lambda i, rng: (rows[i], rows[i]), 20, 10, 0)
    with pytest.raises(RuntimeError, match="smaller learning_rate than 0.5"):
        train(model, batches, lambda: np.nan, loss="mse", max_iter=2, learning_rate=0.5)


def test_finite_rows_are_counted():
    x = np.zeros((20_000, 2), "float32")
    check_finite_rows("x", x + 3e38)  # the sum overflows, the rows are finite
    x[[3, 19_999], 1] = np.inf, np.nan
    with pytest.raises(ValueError, match="2 of 20000 rows"):
        check_finite_rows("x", x)


def test_the_contract_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        InferenceMethod()
