"""Inverters as scikit-learn's tools use them."""

import pickle

import mne
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import mne_sbi.estimators._observation as observation
import mne_sbi.simulation._run as run
from mne_sbi import ModelInverter, Parameter, Prior, SGMInverter
from mne_sbi.estimators._setup import make_method
from mne_sbi.features import LogPSD, SpectralNoise
from mne_sbi.inference import NPE
from mne_sbi.models import ForwardModel, SpectralGraphModel
from mne_sbi.testing import make_connectome

PARAMETERS = ("tau_e", "tau_i", "alpha", "speed", "tau_g")


@pytest.fixture(scope="module")
def npe(make_inverter, spectra):
    method = NPE(density="mixture", max_iter=2)
    return make_inverter(method=method).fit(spectra)


def test_default_settings():
    inverter = ModelInverter()
    assert inverter.model == "spectral_graph" and inverter.method == "npe"
    assert set(inverter.get_params()) == set(vars(inverter))
    assert "model" not in SGMInverter().get_params()


def test_fit_and_predict(npe, spectra):
    with pytest.raises(ValueError, match="no standard deviation of refined"):
        npe.predict(spectra, return_std=True, refine=True)
    theta, std = npe.predict(spectra, return_std=True)
    assert theta.shape == std.shape == (4, 5)
    assert npe.prior_.names == PARAMETERS and (std > 0).all()
    assert ((theta > npe.prior_.low) & (theta < npe.prior_.high)).all()
    np.testing.assert_array_equal(npe.predict(spectra.reshape(4, 30)), theta)
    posterior = npe.predict_posterior(spectra, n_draws=7)
    assert posterior.draws.shape == (4, 7, 5)
    assert posterior.names == PARAMETERS and posterior.units[3] == "m/s"
    np.testing.assert_allclose(npe.predict_posterior(spectra).mean, theta)
    assert len(npe.bank_) == 300 and npe.n_features_in_ == 5
    assert npe.fixed_ == {"g_ei": 0.35, "g_ii": 1.0}


def test_learns_from_its_simulations(make_inverter):
    """With one parameter free and no noise, the nearest simulations know it."""
    prior = {"tau_i": 0.02, "alpha": 0.5, "speed": 10.0, "tau_g": 0.012}
    inverter = make_inverter(prior=prior, features=LogPSD()).fit()
    truth = inverter.prior_.sample(50, 1)
    spectra = inverter.inverse_transform(truth)
    assert spectra.shape == (50, 5, 6)
    assert inverter.score(spectra, truth) > 0.97
    assert inverter.score(spectra, truth) == pytest.approx(
        r2_score(truth, inverter.predict(spectra))
    )
    # Without y: how well the spectra of the predicted parameters fit.
    assert 0.97 < inverter.score(spectra) < 1
    refined = inverter.predict(spectra, refine=True)
    error = np.abs(inverter.prior_.to_unit(refined) - inverter.prior_.to_unit(truth))
    assert np.median(error) < 1e-3


def test_the_same_twice(npe, spectra):
    again = clone(npe).fit(spectra)
    assert again is not npe and not hasattr(clone(npe), "prior_")
    np.testing.assert_array_equal(again.predict(spectra), npe.predict(spectra))
    np.testing.assert_array_equal(npe.predict(spectra), npe.predict(spectra))
    other = clone(npe).set_params(random_state=1).fit(spectra)
    assert (other.predict(spectra) != npe.predict(spectra)).all()


def test_data_given_to_fit_do_not_matter(npe, spectra):
    """X tells only what is recorded: nothing leaks from it."""
    other = clone(npe).fit(spectra[:1] * 3 + 1)
    np.testing.assert_array_equal(other.predict(spectra), npe.predict(spectra))


def test_a_prediction_does_not_depend_on_the_other_rows(npe, spectra):
    together = npe.predict(spectra)
    alone = np.concatenate([npe.predict(spectra[i : i + 1]) for i in range(4)])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(npe.predict(spectra[::-1])[::-1], together)


def test_jobs_do_not_matter(make_inverter, spectra, monkeypatch):
    monkeypatch.setattr(run, "_CHUNK", 64)
    one, two = (make_inverter(n_jobs=n).fit(spectra) for n in (1, 2))
    np.testing.assert_array_equal(one.predict(spectra), two.predict(spectra))


def test_pickle(npe, spectra):
    again = pickle.loads(pickle.dumps(npe))
    np.testing.assert_array_equal(again.predict(spectra), npe.predict(spectra))


def test_pandas_output(make_inverter, spectra):
    table = make_inverter().set_output(transform="pandas").fit_transform(spectra)
    assert isinstance(table, pd.DataFrame)
    assert tuple(table.columns) == PARAMETERS and table.shape == (4, 5)


def to_decibels(power):
    return 10 * np.log10(power)


def test_pipeline(make_inverter, spectra):
    power = 10 ** (spectra / 10)
    pipeline = make_pipeline(FunctionTransformer(to_decibels), make_inverter())
    expected = make_inverter(unit="power").fit(power).predict(power)
    found = pipeline.fit(power).predict(power)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(pipeline.transform(power), found)


def test_grid_search_over_a_shared_bank(make_inverter, spectra, monkeypatch):
    calls = []
    simulate = observation.simulate

    def counted(*args, **kwargs):
        calls.append(args)
        return simulate(*args, **kwargs)

    monkeypatch.setattr(observation, "simulate", counted)
    bank = make_inverter().fit(spectra).bank_
    inverter = make_inverter(simulations=bank)
    grid = {
        "method__quantile": [0.05, 0.1],
        "features": [None, LogPSD(scaling="demean")],
    }
    search = GridSearchCV(inverter, grid, cv=2).fit(spectra)
    assert len(calls) == 1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.bank_ is bank
    # A shared bank gives what simulations of its own would have given.
    own = make_inverter().fit(spectra).predict(spectra)
    shared = clone(inverter).fit(spectra).predict(spectra)
    np.testing.assert_array_equal(own, shared)


def test_bank_decides_what_is_inferred(make_inverter, spectra):
    prior = {"alpha": (0.3, 0.7), "g_ei": 0.2}
    bank = make_inverter(prior=prior).fit(spectra).bank_
    inverter = make_inverter(simulations=bank).fit(spectra)
    assert inverter.prior_ == bank.prior and inverter.fixed_["g_ei"] == 0.2
    make_inverter(simulations=bank, prior=prior).fit(spectra)


def test_cross_validation_on_pairs(make_inverter):
    inverter = make_inverter(features=LogPSD()).fit()
    theta = inverter.prior_.sample(60, 0)
    scores = cross_val_score(
        make_inverter(), inverter.inverse_transform(theta), theta, cv=2
    )
    assert scores.shape == (2,) and np.isfinite(scores).all()


def test_pairs_of_data(make_inverter):
    teacher = make_inverter(features=LogPSD()).fit()
    theta = teacher.prior_.sample(60, 0)
    spectra = teacher.inverse_transform(theta)
    pupil = make_inverter().fit(spectra, theta)
    assert pupil.prior_ == teacher.prior_ and pupil.bank_ is None
    assert pupil.inverse_transform(theta[:2]).shape == (2, 5, 6)
    flat = make_inverter().fit(spectra.reshape(60, 30), theta)
    np.testing.assert_array_equal(pupil.predict(spectra), flat.predict(spectra))


def test_pairs_of_features_of_the_caller_s(make_inverter):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = x @ rng.normal(size=(3, 2))
    inverter = make_inverter().fit(x, y)
    assert inverter.features_ is None
    assert inverter.prior_.names == ("theta_0", "theta_1")
    assert inverter.score(x, y) > 0.5
    one = make_inverter().fit(x, y[:, 0])
    assert one.predict(x).shape == (200,) and one.transform(x).shape == (200, 1)
    with pytest.raises(ValueError, match=r"on features of shape \(3,\)"):
        inverter.predict(np.zeros((2, 3, 1)))
    for call in (lambda: inverter.score(x), lambda: inverter.predict(x, refine=True)):
        with pytest.raises(ValueError, match="needs data of the model"):
            call()


def test_columns_of_a_data_frame_name_the_parameters(make_inverter):
    teacher = make_inverter(features=LogPSD()).fit()
    theta = teacher.prior_.sample(40, 0)
    spectra = teacher.inverse_transform(theta)
    y = pd.DataFrame(theta, columns=PARAMETERS)[list(PARAMETERS[::-1])]
    inverter = make_inverter().fit(spectra, y)
    assert inverter.prior_.names == PARAMETERS[::-1]
    assert inverter.prior_.units == teacher.prior_.units[::-1]
    np.testing.assert_allclose(inverter.inverse_transform(y), spectra, atol=1e-3)


@pytest.mark.parametrize("make", [pd.Series, lambda y, name: pd.DataFrame({name: y})])
def test_what_pairs_do_not_hold_is_fixed(make_inverter, make):
    prior = {"tau_e": "free", "tau_i": "free", "alpha": 0.3, "speed": 10.0}
    teacher = make_inverter(prior=prior, features=LogPSD()).fit()
    theta = teacher.prior_.sample(40, 0)
    x = teacher.inverse_transform(theta)
    values = dict(zip(teacher.prior_.names, theta.T, strict=True))
    inverter = make_inverter(prior=prior).fit(x, make(values["tau_i"], name="tau_i"))
    assert inverter.prior_.names == ("tau_i",)
    expected = {p.name: p.default for p in inverter.model_.get_parameters()}
    del expected["tau_i"]
    assert inverter.fixed_ == expected | {"alpha": 0.3, "speed": 10.0}
    assert np.isfinite(inverter.predict(x[:2], refine=True)).all()
    nullable = make(values["tau_i"], name="tau_i").convert_dtypes()
    assert make_inverter(prior=prior).fit(x, nullable).prior_.names == ("tau_i",)
    with pytest.raises(ValueError, match="values of speed, which the prior fixes"):
        make_inverter(prior=prior).fit(x, make(np.full(40, 9.0), name="speed"))
    with pytest.raises(ValueError, match="tau_i lies between .* as in ms"):
        make_inverter(prior=prior).fit(x, make(1000 * values["tau_i"], name="tau_i"))


def test_pairs_with_named_values_that_are_no_data_frame(make_inverter):
    y = pd.DataFrame({"tau_i": np.linspace(0.01, 0.1, 12)})
    for wrong in (y.to_dict("records"), y.to_records(), y.to_dict("list")):
        with pytest.raises(TypeError, match=r"y must be .*Give pandas.DataFrame\(y\)"):
            make_inverter().fit(np.zeros((12, 30)), wrong)


def test_columns_of_a_data_frame_are_found_by_name(make_inverter):
    """Wherever parameters are given, the order of named columns does not matter."""
    inverter = make_inverter(features=LogPSD()).fit()
    theta = inverter.prior_.sample(20, 0)
    spectra = inverter.inverse_transform(theta)
    turned = pd.DataFrame(theta, columns=PARAMETERS)[list(PARAMETERS[::-1])]
    expected = inverter.score(spectra, theta)
    assert inverter.score(spectra, turned) == pytest.approx(expected, rel=1e-9)
    np.testing.assert_array_equal(inverter.inverse_transform(turned), spectra)
    prior = inverter.prior_
    np.testing.assert_array_equal(prior.to_unit(turned), prior.to_unit(theta))
    wrong = turned.rename(columns={"speed": "sped"})
    for call in (inverter.score, inverter.fit):
        with pytest.raises(ValueError, match=r"sped.*Did you mean 'speed'\?"):
            call(spectra, wrong)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda y: y * [1e3, 1e3, 1, 1, 1e3],
            r"tau_e lies between 0.005 and 0.03 s, but in y it goes from .*1000 times "
            r"as much, as in ms\? Divide by 1000",
        ),
        (
            lambda y: y * [1, 1, 1, 1e-3, 1],
            r"speed lies between 5 and 20 .*0.001 times, as in km/s\? Multiply by 1000",
        ),
        (
            lambda y: y[:, ::-1],
            r"tau_i lies .*The columns of y are tau_e, tau_i, alpha, speed, tau_g; "
            "those of a pandas.DataFrame are found by name",
        ),
        (
            lambda y: y + [0, 0, 0, 20, 0],
            r"speed lies between 5 and 20 m/s, .*times high=20. Widen it, "
            r"prior=\{'speed': \(5, ",
        ),
    ],
)
def test_pairs_outside_of_the_ranges(make_inverter, change, message):
    inverter = make_inverter()
    prior = Prior([p for p in SpectralGraphModel.parameters if p.name in PARAMETERS])
    theta = prior.sample(20, 0)
    x = np.random.default_rng(0).normal(size=(20, 7))
    with pytest.raises(ValueError, match=message):
        inverter.fit(x, change(theta))


def test_pairs_outside_of_a_narrow_prior(make_inverter):
    """They are known to be possible: the model's own range holds them."""
    x, narrow = np.zeros((20, 7)), {"speed": (5.0, 6.0)}
    x += np.random.default_rng(0).normal(size=x.shape)
    prior = Prior([p for p in SpectralGraphModel.parameters if p.name in PARAMETERS])
    theta = prior.sample(20, 0)
    inverter = make_inverter(prior=narrow).fit(x, theta)
    assert inverter.prior_ == prior
    theta[:, 3] += 100
    wide = make_inverter(prior={"speed": (5.0, 125.0)}).fit(x, theta)
    assert wide.prior_.high[3] == 125 and wide.prior_.units[3] == "m/s"


def test_true_parameters_in_another_unit(make_inverter):
    inverter = make_inverter(features=LogPSD()).fit()
    theta = inverter.prior_.sample(4, 0)
    spectra = inverter.inverse_transform(theta)
    posterior = inverter.predict_posterior(spectra[:1], 20)
    milli = theta * [1e3, 1e3, 1, 1, 1e3]
    for name, call in {
        "y": lambda: inverter.score(spectra, milli),
        "theta": lambda: inverter.inverse_transform(milli),
        "truth": lambda: posterior.plot_marginals(truth=milli[0], show=False),
        "params": lambda: inverter.model_.simulate_batch({"tau_e": 12.0}),
        "fixed": lambda: run.simulate(inverter.model_, None, 10, fixed={"g_ei": 400.0}),
        "the prior": lambda: make_inverter(prior={"tau_e": (5, 30)}).fit(),
    }.items():
        with pytest.raises(ValueError, match=f"but in {name} it .*1000 times as much"):
            call()
    theta[:, 3] = 30.0  # beyond the range, but of the same unit
    inverter.score(spectra, theta)
    truth = dict(zip(PARAMETERS[::-1], theta[0, ::-1], strict=True))
    posterior.plot_marginals(truth=truth, show=False)


def test_a_second_fit_forgets_the_first(make_inverter, make_raw, spectra):
    inverter = make_inverter().fit(spectra[:, :5])
    inverter.fit(make_raw())
    assert not hasattr(inverter, "n_features_in_")


def test_regions_in_any_order(make_inverter, connectome, spectra):
    """Without a network, whose start depends on the order, to rounding."""
    order = [3, 0, 4, 2, 1]
    names = [connectome.names[i] for i in order]
    spelt = ["rh_insula", "cuneus-lh", "lh.precentral", "insula-lh", "R.cuneus"]
    expected = make_inverter(features=LogPSD()).fit(spectra).predict(spectra)
    for nodes in (names, spelt):
        inverter = make_inverter(features=LogPSD(), nodes=nodes)
        found = inverter.fit(spectra[:, order]).predict(spectra[:, order])
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert inverter.node_names_ == tuple(names)


def test_part_of_the_nodes():
    """68 observed regions of a connectome of 86."""
    connectome = make_connectome(86)
    model = SpectralGraphModel(connectome, [6.0, 12.0, 24.0], variant="verma2022")
    nodes = list(connectome.names[18:])
    inverter = ModelInverter(
        model,
        nodes=nodes,
        prior={"tau_e": 0.01, "tau_i": 0.01, "speed": 10.0, "tau_g": 0.01},
        method="abc",
        n_simulations=40,
        random_state=0,
        verbose="error",
    )
    X = inverter.fit(-np.arange(3.0) * np.ones((1, 68, 1))).inverse_transform([[0.5]])
    assert X.shape == (1, 68, 3) and inverter.node_names_ == tuple(nodes)
    params = {"alpha": 0.5} | inverter.fixed_
    full = 10 * np.log10(model.simulate_batch(params))
    np.testing.assert_allclose(X, full[:, 18:], atol=1e-3)


def test_noise_is_drawn_by_the_features(make_inverter, spectra):
    clean, noisy = (
        make_inverter(features=LogPSD(noise=noise)).fit(spectra)
        for noise in (None, SpectralNoise())
    )
    assert not clean.observation_.is_noisy and noisy.observation_.is_noisy
    theta, first = clean.simulate_features(20)
    again, second = noisy.simulate_features(20)
    np.testing.assert_array_equal(theta, again)
    assert np.abs(first - second).mean() > 0.1
    # Simulations that the training has not seen.
    assert not np.isin(theta, clean.bank_.theta).any()


def test_diagnose(npe):
    calibration = npe.diagnose(100, n_draws=19)
    table = calibration.summary()
    assert len(table) == 5
    np.testing.assert_array_equal(table, npe.diagnose(100, n_draws=19).summary())


def test_prior_as_an_object(make_inverter, spectra):
    prior = Prior([p for p in SpectralGraphModel.parameters if p.name == "alpha"])
    inverter = make_inverter(prior=prior).fit(spectra)
    assert inverter.prior_ is prior and len(inverter.fixed_) == 6


@pytest.mark.parametrize("method", ["npe", "point", "abc"])
def test_methods_by_name(method):
    """Only that the name is understood: their networks are large."""
    names = {"npe": "NPE", "point": "PointRegressor", "abc": "RejectionABC"}
    assert type(make_method(method)).__name__ == names[method]


def test_time_series_model_takes_rate_and_duration_from_the_recording(make_raw):
    class Walk(ForwardModel):
        parameters = (Parameter("memory", 0.1, 0.95, 0.5),)

        def __init__(self, connectome, *, sfreq=None, duration=None):
            self.connectome = connectome
            self.sfreq = sfreq
            self.duration = duration

        def simulate(self, params, key):
            import jax

            def advance(x, kick):
                x = params["memory"] * x + kick
                return x, x

            kicks = jax.random.normal(key, (round(self.sfreq * self.duration), 2))
            return jax.lax.scan(advance, kicks[0], kicks)[1].T

    inverter = ModelInverter(
        Walk(make_connectome(2)),
        features=LogPSD(2, 40, window=1.0, scaling="demean"),
        method="abc",
        n_simulations=300,
        random_state=0,
        verbose="error",
    )
    raw = make_raw(["node_1", "node_0"])
    with pytest.warns(RuntimeWarning, match="synthetic"):
        found = inverter.fit(raw).predict(raw)
    assert inverter.model_.sfreq == 100 and inverter.model_.duration == 20
    # The recording is a process of this kind with a memory of 0.8.
    assert found[0, 0] == pytest.approx(0.8, abs=0.05)
    series = inverter.inverse_transform([[0.3], [0.9]])
    assert series.shape == (2, 2, 2000)
    np.testing.assert_allclose(inverter.predict(series)[:, 0], [0.3, 0.9], atol=0.06)
    with pytest.raises(ValueError, match="needs a model of spectra"):
        inverter.predict(series, refine=True)


def test_epochs_are_observations(make_inverter, make_raw):
    epochs = mne.make_fixed_length_epochs(
        make_raw(), 5.0, preload=True, verbose="error"
    )
    inverter = make_inverter().fit(epochs)
    assert inverter.predict(epochs).shape == (4, 5)
    scores = cross_val_score(inverter, epochs, cv=2)
    assert scores.shape == (2,)


def test_without_a_prior_a_bank_says_what_is_inferred(make_inverter):
    """What it varies, over its ranges, and what it fixes."""
    asked = {"g_ei": (0.3, 0.5), "speed": 8.0}
    made = make_inverter(prior=asked).fit()
    fitted = make_inverter(simulations=made.bank_).fit()
    assert fitted.prior_ == made.prior_
    assert fitted.fixed_ == made.fixed_ and "g_ei" not in fitted.fixed_
    X = made.inverse_transform(made.prior_.sample(3, 0))
    np.testing.assert_array_equal(fitted.predict(X), made.predict(X))
