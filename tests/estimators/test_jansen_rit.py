"""JansenRitInverter: rows, pooling, evoked responses, sensors, settings, files."""

import jax
import mne
import numpy as np
import pytest

from mne_sbi import JansenRitInverter, LeadField, read_inverter, simulate
from mne_sbi.diagnostics import predictive_coverage
from mne_sbi.estimators import _jansen_rit
from mne_sbi.features import LogPSD
from mne_sbi.inference import NPE, PointRegressor
from mne_sbi.models import JansenRit, PulseTrain, Recorded
from mne_sbi.testing import make_connectome

SFREQ = 128.0
QUICK = NPE(density="mixture", max_iter=2, batch_size=64)
PARAMS = ("A", "B", "a", "b", "C", "mu", "snr_background", "exponent", "snr_white")


def make_inverter(**settings):
    defaults = {
        "method": QUICK,
        "n_simulations": 200,
        "n_draws": 50,
        "random_state": 0,
        "verbose": "error",
    }
    return JansenRitInverter(**defaults | settings)


def make_data(n, duration=4.0, **params):
    """Simulated recordings in V at the standard parameters, in some noise."""
    model = Recorded(JansenRit(sfreq=SFREQ, duration=duration))
    noise = {"snr_background": 10.0, "snr_white": 20.0, "exponent": 1.0}
    params = {"C": np.full(n, 135.0)} | noise | params
    return np.asarray(model.simulate_batch(params, jax.random.key(0)))


def make_raw(names=("O1", "Oz"), duration=4.0):
    data = make_data(len(names), duration)[:, 0]
    info = mne.create_info(list(names), SFREQ, "eeg")
    return mne.io.RawArray(data, info, verbose="error")


def make_epochs(n=4, names=("O1", "Oz"), duration=4.0):
    data = make_data(n * len(names), duration).reshape(n, len(names), -1)
    info = mne.create_info(list(names), SFREQ, "eeg")
    return mne.EpochsArray(data, info, verbose="error")


@pytest.fixture(scope="module")
def fitted():
    return make_inverter().fit(make_raw())


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_each_channel_is_inverted_by_itself(fitted):
    raw = make_raw()
    theta = fitted.predict(raw)
    assert theta.shape == (1, 2 * len(PARAMS))
    names = fitted.get_feature_names_out()
    assert names[0] == "A@O1" and names[len(PARAMS)] == "A@Oz"
    posterior = fitted.predict_posterior(raw)
    assert posterior.obs_names == ("O1", "Oz") and posterior.names == PARAMS
    np.testing.assert_allclose(posterior.mean.ravel(), theta[0], rtol=1e-6)
    # What one channel gives does not depend on the others.
    alone = fitted.predict_posterior(raw.copy().pick(["Oz"]))
    np.testing.assert_allclose(alone.draws[0], posterior.draws[1], rtol=1e-3)
    assert alone.obs_names is None
    theta, std = fitted.predict(make_epochs(), return_std=True)
    assert theta.shape == std.shape == (4, 2 * len(PARAMS))
    table = fitted.set_output(transform="pandas").transform(make_epochs())
    assert list(table.columns) == list(names)


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_settings_come_from_the_recording(fitted):
    inner = fitted.model_.model
    assert (inner.sfreq, inner.duration) == (SFREQ, 4.0)
    assert fitted.row_names_ == ("O1", "Oz")
    raw = make_raw(duration=8.0).filter(1.0, 50.0, verbose="error")
    inverter = make_inverter(duration=2.0).fit(raw)
    assert inverter.model_.highpass == 1.0 and inverter.model_.lowpass == 50.0
    assert inverter.model_.model.duration == 2.0
    assert inverter.predict_posterior(raw).obs_names[:3] == ("0, O1", "0, Oz", "1, O1")


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_a_list_of_epochs_is_pooled():
    epochs = make_epochs(4, names=("Oz",))
    inverter = make_inverter().fit([epochs])
    # Seven windows of 1 s in each, as many as in one recording of 14.5 s.
    assert inverter.model_.duration == 14.5
    assert inverter.predict([epochs]).shape == (1, len(PARAMS))
    with pytest.warns(RuntimeWarning, match="4 s of usable data.* last 14.5 s"):
        inverter.predict(epochs)


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_an_unknown_gain_does_not_matter(fitted):
    raw = make_raw()
    louder = raw.copy().apply_function(lambda x: 1e3 * x)
    np.testing.assert_allclose(fitted.predict(louder), fitted.predict(raw), rtol=1e-3)
    known = make_inverter(gain=1.0).fit(raw)
    assert known.fixed_["gain"] == 1.0
    assert np.abs(known.predict(louder) / known.predict(raw) - 1).max() > 0.01


def test_arrays_and_source_estimates():
    data = make_data(6)
    inverter = make_inverter(sfreq=SFREQ).fit(data)
    assert inverter.model_.duration == 4.0
    assert inverter.predict(data).shape == (6, len(PARAMS))
    # Two rows each, and nothing to learn of but the set-up.
    assert inverter.predict(data.reshape(3, 2, -1)).shape == (3, 2 * len(PARAMS))
    label = mne.Label([0, 1], hemi="lh", name="cuneus-lh")
    series = data[:2, 0] - data[:2, 0].mean(axis=1, keepdims=True)
    stc = mne.SourceEstimate(series, [np.arange(2), []], 0, 1 / SFREQ)
    inverter = make_inverter(labels=[label], mode="mean").fit(stc)
    assert inverter.row_names_ == ("cuneus-lh",)
    assert inverter.predict(stc).shape == (1, len(PARAMS))


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_evoked_response():
    stimulus = PulseTrain(4, 1.0, 0.05, tmin=-0.2)
    model = JansenRit(sfreq=SFREQ, duration=0.8, stimulus=stimulus)
    data = model.simulate_batch({"C": np.full(1, 120.0)}, jax.random.key(0))[0]
    info = mne.create_info(["Oz"], SFREQ, "eeg")
    settings = {"tmin": -0.2, "verbose": "error"}
    evoked = mne.EvokedArray(np.asarray(data), info, nave=4, **settings)
    inverter = make_inverter(stimulus=stimulus, n_simulations=100).fit(evoked)
    assert inverter.predict(evoked).shape == (1, len(PARAMS))
    assert inverter.model_.model.stimulus == stimulus
    with pytest.warns(RuntimeWarning, match="stimulus"):
        make_inverter(stimulus=stimulus, n_simulations=100).fit(
            make_epochs(2, ["Oz"], 0.8)
        )
    evoked.nave = 40
    with pytest.warns(RuntimeWarning, match="average of 40 epochs.* of 4 pulses"):
        inverter.predict(evoked)
    with pytest.warns(RuntimeWarning, match="Evoked"):
        make_inverter(features=LogPSD(4.0, 45.0, window=0.5)).fit(evoked)


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_one_region_through_sensors(tmp_path):
    names = ("Oz", "O1", "Pz")
    lead_field = LeadField(np.array([[2.0], [1.0], [-3.0]]), names, ("cuneus-lh",))
    raw = make_raw(names)
    raw.set_montage("colin27_1005", match_case=False)
    inverter = make_inverter(lead_field=lead_field).fit(raw)
    assert inverter.ch_names_ == names and inverter.row_names_ is None
    # All channels together, hence one set of parameters.
    theta = inverter.predict(raw)
    assert theta.shape == (1, len(PARAMS))
    inverter.save(tmp_path / "sensors.zip")
    again = read_inverter(tmp_path / "sensors.zip")
    np.testing.assert_allclose(again.predict(raw), theta, rtol=1e-5)
    two = LeadField(np.ones((3, 2)) * [[1, 2], [2, 1], [3, 1]], names, ("a", "b"))
    with pytest.raises(ValueError, match="one node, and the lead field 2"):
        make_inverter(lead_field=two).fit(raw)


def test_coupled_regions():
    connectome = make_connectome(3)
    data = np.random.default_rng(0).standard_normal((2, 3, 512))
    inverter = make_inverter(
        connectome=connectome, sfreq=SFREQ, n_simulations=60, noise=False
    ).fit(data)
    assert inverter.node_names_ == tuple(connectome.names)
    assert inverter.predict(data).shape == (2, len(inverter.prior_.names))


# What each network makes of sequences without other features is tested with it.
@pytest.mark.parametrize(
    ("features", "network"),
    [
        ("raw", "conv1d"),
        *(("both", name) for name in ("conv1d", "bilstm", "cnn_bilstm", "transformer")),
    ],
)
@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_networks_and_features(features, network, tmp_path, monkeypatch):
    quick = {"density": "mixture", "max_iter": 1}
    monkeypatch.setitem(_jansen_rit._SETTINGS, "npe", quick)
    inverter = make_inverter(
        sfreq=SFREQ, duration=2.0, features=features, network=network, method="npe"
    )
    inverter.set_params(n_simulations=64).fit()
    n_static = 44 if features == "both" else 0
    assert inverter.method_.embedding == network
    assert inverter.method_.n_static == n_static
    assert inverter.method_.input_shape_ == (1, n_static + 256)
    data = make_data(3, duration=2.0)
    theta = inverter.predict(data)
    inverter.save(tmp_path / "inverter.zip")
    again = read_inverter(tmp_path / "inverter.zip").predict(data)
    np.testing.assert_allclose(again, theta, rtol=1e-4)


def test_fresh_simulations_at_each_pass():
    theta, x = [], []

    class Watched(NPE):
        def fit(self, *args, refresh, **settings):
            for number in (1, 2, 1):
                made = refresh(number)
                theta.append(made[0])
                x.append(made[1])
            return super().fit(*args, refresh=refresh, **settings)

    watched = Watched(density="mixture", max_iter=2, batch_size=64)
    inverter = make_inverter(sfreq=SFREQ, duration=2.0, method=watched).fit()
    assert theta[0].shape == (180, len(PARAMS)) and x[0].shape == (180, 44)
    assert np.abs(theta[0] - theta[1]).min() > 0
    np.testing.assert_array_equal(x[0], x[2])
    # None of them are those of the bank.
    first = inverter.prior_.to_unit(inverter.bank_.theta)
    assert not np.isin(first[:, 0], np.concatenate(theta)[:, 0]).any()
    data = make_data(2, duration=2.0)
    again = make_inverter(sfreq=SFREQ, duration=2.0).fit().predict(data)
    np.testing.assert_array_equal(inverter.predict(data), again)


def test_simulations_that_were_made_before_are_used():
    model = Recorded(JansenRit(sfreq=SFREQ, duration=2.0))
    features = LogPSD(2.0, 45.0, window=1.0, scaling="demean")
    bank = simulate(model, n_simulations=100, features=features, random_state=0)
    inverter = make_inverter(sfreq=SFREQ, duration=2.0, simulations=bank).fit()
    assert inverter.bank_ is bank
    with pytest.raises(ValueError, match="another model"):
        make_inverter(sfreq=SFREQ, duration=4.0, simulations=bank).fit()


def test_what_can_be_rescaled_is_warned_of():
    with pytest.warns(RuntimeWarning, match="A, B, C, mu and sigma can be rescaled"):
        make_inverter(sfreq=SFREQ, duration=2.0, prior={"sigma": "free"}).fit()
    combinations = make_inverter(
        sfreq=SFREQ,
        duration=2.0,
        parameterization="combinations",
        prior={"Asigma": "free"},
    ).fit()
    assert combinations.prior_.names[:2] == ("AC", "BC")
    # With an unknown gain, the slope of the sigmoid is one of the scales.
    free = {"r": "free", "v0": "free"}
    with pytest.warns(RuntimeWarning, match="gain"):
        make_inverter(sfreq=SFREQ, duration=2.0, prior=free).fit()
    make_inverter(sfreq=SFREQ, duration=2.0, prior=free, gain=1.0).fit()


def test_what_the_posterior_predicts(fitted):
    raw = make_raw()
    measured, predicted = fitted.posterior_predictive(raw, n_draws=40)
    assert measured.shape == (2, 44) and predicted.shape == (2, 40, 44)
    again = fitted.posterior_predictive(raw, n_draws=40)[1]
    np.testing.assert_array_equal(predicted, again)
    assert (predictive_coverage(measured, predicted) > 0.5).all()
    figure = fitted.plot_predictive(raw, "Oz", show=False)
    assert [ax.get_title() for ax in figure.axes] == ["Oz"]


def test_identifiability_of_an_inverter(fitted):
    result = fitted.identifiability(n_replicates=60)
    assert result.prior == fitted.prior_
    # The rate of the excitatory synapses shows in any spectrum, the input hardly.
    shares = dict(zip(PARAMS, result.contraction, strict=True))
    assert shares["a"] < shares["mu"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"network": "lstm"}, ValueError, "bilstm"),
        ({"network": "bilstm"}, ValueError, "two words on one thing"),
        ({"features": "spectrum"}, ValueError, "'psd'"),
        ({"gain": -1.0}, ValueError, "gain"),
        ({"sfreq": None}, ValueError, "needs sfreq"),
        ({"parameterization": "combos"}, ValueError, "combinations"),
        ({"method": "snpe"}, ValueError, "npe"),
        ({"duration": 0.5}, ValueError, "window"),
        ({"sfreq": 64.0}, ValueError, "45 Hz"),
        ({"prior": {"a": (-10.0, 100.0)}}, ValueError, "a must be positive"),
    ],
)
def test_wrong_settings(settings, error, message):
    with pytest.raises(error, match=message):
        make_inverter(**{"sfreq": SFREQ, "duration": 2.0} | settings).fit()


def test_wrong_recordings(fitted):
    raw = make_raw()
    with pytest.raises(ValueError, match="64 Hz, and simulations.* 128 Hz"):
        fitted.predict(raw.copy().resample(64.0, verbose="error"))
    with pytest.raises(ValueError, match="64 Hz, and simulations.* 128 Hz"):
        make_inverter(sfreq=SFREQ).fit(raw.copy().resample(64.0, verbose="error"))
    with pytest.raises(ValueError, match="less than the window"):
        fitted.predict(raw.copy().crop(0, 0.5))
    dead = raw.copy()
    dead._data[1] = 0.0
    with pytest.raises(ValueError, match="flat.*Oz|Oz.*flat"):
        fitted.predict(dead)
    dead._data[1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(dead)


def test_simulations_that_overflow_are_counted():
    settings = {"prior": {"sigma": (1.0, 1e40)}, "verbose": "warning"}
    with pytest.warns(RuntimeWarning, match="of 200 simulations hold NaN"):
        with pytest.warns(RuntimeWarning, match="can be rescaled"):
            inverter = make_inverter(sfreq=SFREQ, duration=2.0, **settings).fit()
    assert 0 < inverter.bank_.valid.sum() < 200


def test_point_estimates():
    inverter = make_inverter(
        sfreq=SFREQ,
        duration=2.0,
        method=PointRegressor((32,), n_components=None, max_iter=2),
    ).fit()
    assert inverter.predict(make_data(2, 2.0)).shape == (2, len(PARAMS))
    assert JansenRitInverter(method="point")._make_method().max_iter == 40
