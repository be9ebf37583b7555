"""Inverters of sensors, through lead fields of a few electrodes."""

import dataclasses

import mne
import numpy as np
import pytest

from mne_sbi import LeadField, ModelInverter, Parameter, read_inverter
from mne_sbi._recording import as_recording
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.features import FeatureExtractor, LogPSD
from mne_sbi.inference import RejectionABC
from mne_sbi.models import ForwardModel, SpectralGraphModel

EEG = ["Fp1", "F7", "Fz", "C3", "Cz", "P4", "O1", "O2"]
NODES = ["lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula"]


@pytest.fixture(scope="module")
def make_sensors():
    """A function that makes recordings of electrodes."""

    def make_sensors(seed=0, names=EEG, duration=20.0):
        rng = np.random.default_rng(seed)
        data = np.cumsum(rng.standard_normal((len(names), round(100 * duration))), 1)
        data = data - 0.95 * np.roll(data, 1, axis=1)
        info = mne.create_info(list(names), 100.0, "eeg")
        raw = mne.io.RawArray(1e-6 * data, info, verbose="error")
        return raw.set_montage("colin27_1020", verbose="error")

    return make_sensors


@pytest.fixture(scope="module")
def raw(make_sensors):
    return make_sensors()


@pytest.fixture(scope="module")
def fitted(make_inverter, raw):
    return make_inverter(lead_field="template").fit(raw)


def test_template(fitted, raw):
    assert fitted.ch_names_ == tuple(EEG)
    assert isinstance(fitted.lead_field_, LeadField)
    assert fitted.node_names_ == ("lh.cuneus", "rh.cuneus", *fitted.node_names_[2:])
    assert fitted.predict(raw).shape == (1, 5)
    assert fitted.predict_posterior([raw, raw]).draws.shape == (2, 20, 5)
    assert fitted.inverse_transform(fitted.predict(raw)).shape == (1, 8, 6)


def test_gain_is_that_of_the_lead_field(fitted, raw, connectome):
    """The whole chain by hand: electrodes, average reference, powers that add up."""
    gain, _ = LeadField.from_template(raw.info).for_nodes(connectome.names)
    gain = gain - gain.mean(axis=0)
    theta = fitted.prior_.sample(3, 0)
    params = fitted.prior_.as_dict(theta) | fitted.fixed_
    power = np.asarray(fitted.model_.simulate_batch(params, None), dtype=float)
    by_hand = 10 * np.log10(np.einsum("cn,onf->ocf", gain**2, power))
    found = fitted.inverse_transform(theta)
    difference = found - by_hand
    assert np.ptp(difference, axis=2).max() < 1e-3


def test_reference_and_order_of_channels_do_not_matter(fitted, raw):
    expected = fitted.predict(raw)
    other = raw.copy().set_eeg_reference(["Cz", "O1"], verbose="error")
    np.testing.assert_allclose(fitted.predict(other), expected)
    other = raw.copy().reorder_channels(EEG[::-1])
    np.testing.assert_allclose(fitted.predict(other), expected)
    more = raw.copy().add_channels(
        [
            mne.io.RawArray(
                np.random.default_rng(0).standard_normal((1, raw.n_times)),
                mne.create_info(["Pz"], 100.0, "eeg"),
                verbose="error",
            )
        ],
        force_update_info=True,
    )
    np.testing.assert_allclose(fitted.predict(more), expected)


def test_bad_and_missing_channels(make_inverter, fitted, raw):
    bad = raw.copy()
    bad.info["bads"] = ["Cz"]
    inverter = make_inverter(lead_field="template").fit(bad)
    assert inverter.ch_names_ == tuple(name for name in EEG if name != "Cz")
    inverter.predict(bad)
    # Good in this one, and left out all the same: the reference must be the same.
    np.testing.assert_allclose(inverter.predict(raw), inverter.predict(bad))
    with pytest.raises(ValueError, match="lacks 1 of the 8 .*bad: Cz. Fit an"):
        fitted.predict(bad)
    with pytest.raises(ValueError, match="lacks 1 of the 8 channels .*: Cz. Fit an"):
        fitted.predict(raw.copy().drop_channels(["Cz"]))


@pytest.fixture
def with_projector(raw):
    """A copy of the recording with a projector that is not applied yet."""
    direction = np.tile([0.5, -0.5], 4)[np.newaxis] / np.sqrt(2)
    data = {"data": direction, "col_names": EEG, "row_names": None}
    blink = mne.Projection(
        data=data | {"nrow": 1, "ncol": 8}, desc="blink", kind=1, active=False
    )
    return raw.copy().add_proj(blink, verbose="error")


def test_other_projectors_than_in_the_fit(make_inverter, fitted, raw, with_projector):
    with pytest.warns(RuntimeWarning, match="not applied: blink"):
        theta = fitted.predict(with_projector)
    np.testing.assert_allclose(theta, fitted.predict(raw))
    applied = with_projector.copy().apply_proj(verbose="error")
    with pytest.raises(ValueError, match="other projectors .*active ones are .'blink'"):
        fitted.predict(applied)
    inverter = make_inverter(lead_field="template").fit(applied)
    inverter.predict(applied)
    with pytest.raises(ValueError, match="other projectors .*active ones are none"):
        inverter.predict(raw)


def test_waiting_projectors_are_said(make_inverter, with_projector):
    with pytest.warns(
        RuntimeWarning, match="not applied: blink. .*apply_proj"
    ) as found:
        make_inverter(lead_field="template").fit(with_projector)
    assert found[0].filename == __file__


def test_one_bank_serves_regions_and_all_sensors(make_inverter, make_raw, raw):
    bank = make_inverter().fit(make_raw()).bank_
    first = make_inverter(lead_field="template", simulations=bank).fit(raw)
    some = raw.copy().pick(EEG[:5])
    second = make_inverter(lead_field="template", simulations=bank).fit(some)
    assert first.bank_ is bank and second.bank_ is bank
    alone = make_inverter(lead_field="template").fit(raw)
    np.testing.assert_allclose(alone.predict(raw), first.predict(raw))


def test_lead_field_object_and_arrays(make_inverter, connectome):
    """A lead field that sees each node once gives what regions give."""
    lead_field = LeadField(np.eye(5)[[1, 0, 2]], ["a", "b", "c"], connectome.names)
    through = make_inverter(lead_field=lead_field, features=LogPSD()).fit()
    assert through.node_names_ == tuple(connectome.names)
    names = [connectome.names[i] for i in (1, 0, 2)]
    direct = make_inverter(nodes=names, features=LogPSD()).fit()
    X = direct.inverse_transform(direct.prior_.sample(3, 0))
    np.testing.assert_allclose(through.predict(X), direct.predict(X), rtol=1e-4)


def test_unprojected_lead_field_after_a_fit_to_arrays(make_inverter, raw, connectome):
    """Recordings are referenced to the average: such a lead field has to be, too."""
    as_made = LeadField.from_template(raw.info)
    settings = {"features": LogPSD(), "verbose": "error"}
    inverter = make_inverter(lead_field=as_made, **settings).fit()
    with pytest.raises(ValueError, match=r"lead_field.prepare\(raw.info\)"):
        inverter.predict(raw)
    prepared = make_inverter(lead_field=as_made.prepare(raw.info), **settings).fit()
    fitted = make_inverter(lead_field=as_made, **settings).fit(raw)
    np.testing.assert_allclose(prepared.predict(raw), fitted.predict(raw))


def test_refined_estimates_of_sensors(make_inverter, connectome):
    gain = np.random.default_rng(0).normal(size=(7, 5))
    lead_field = LeadField(gain, list("abcdefg"), connectome.names)
    inverter = make_inverter(
        lead_field=lead_field,
        features=LogPSD(),
        prior={"speed": 10.0, "alpha": 0.5},
        freqs=np.linspace(2, 40, 30),
    ).fit()
    # Not the first: two parameter sets have nearly its spectra.
    theta = inverter.prior_.sample(3, 1)[1:]
    X = inverter.inverse_transform(theta)
    found = inverter.predict(X, refine=True)
    np.testing.assert_allclose(found, theta, rtol=1e-2)


def test_saved_with_its_lead_field(fitted, raw, tmp_path):
    fitted.save(tmp_path / "inverter.zip")
    again = read_inverter(tmp_path / "inverter.zip")
    np.testing.assert_array_equal(again.predict(raw), fitted.predict(raw))
    assert again.lead_field_ == fitted.lead_field_
    assert again.ch_names_ == fitted.ch_names_


def test_forward_need_not_be_kept(fitted, make_inverter, raw, tmp_path):
    """In place of an mne.Forward, the file has the lead field that was made of it."""
    inverter = make_inverter(lead_field=fitted.lead_field_).fit(raw)
    inverter.save(tmp_path / "inverter.zip")
    again = read_inverter(tmp_path / "inverter.zip")
    np.testing.assert_allclose(again.lead_field.gain, fitted.lead_field_.gain)
    np.testing.assert_array_equal(again.fit(raw).predict(raw), inverter.predict(raw))


class Oscillators(ForwardModel):
    """Noise of each region by itself, with one free parameter."""

    output = "timeseries"
    parameters = (Parameter("decay", 0.5, 0.99, 0.9, doc="Of one step to the next."),)

    def __init__(self, connectome, *, sfreq=None, duration=None):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        import jax

        n_times = round(self.sfreq * self.duration)
        kicks = jax.random.normal(key, (n_times, self.connectome.n_nodes))

        def advance(x, kick):
            x = params["decay"] * x + kick
            return x, x

        return jax.lax.scan(advance, kicks[0], kicks)[1].T


def test_model_of_time_series(connectome, raw):
    """Time series are mixed before they are summarised."""
    inverter = ModelInverter(
        Oscillators(connectome),
        lead_field="template",
        features=LogPSD(4.0, 40.0, scaling="demean"),
        method=RejectionABC(0.1),
        n_simulations=200,
        n_draws=20,
        random_state=0,
        verbose="error",
    ).fit(raw)
    assert inverter.bank_.x.shape[1] == 8
    theta = np.array([[0.6], [0.95]])
    series = inverter.inverse_transform(theta)
    assert series.shape == (2, 8, 2000)
    info = raw.info
    raws = [mne.io.RawArray(x / x.std() * 1e-5, info, verbose="error") for x in series]
    found = inverter.predict(raws)
    assert np.abs(found - theta).max() < 0.1


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"lead_field": "templat"}, "Did you mean 'template'"),
        ({"lead_field": "template", "nodes": NODES}, "Leave nodes out"),
        ({"lead_field": "template", "picks": ["Cz", "Qz"]}, "Qz"),
    ],
)
def test_settings(make_inverter, raw, settings, message):
    with pytest.raises(ValueError, match=message):
        make_inverter(**settings).fit(raw)


def test_arrays_need_a_lead_field_object(make_inverter, spectra):
    with pytest.raises(ValueError, match=r"lead_field=LeadField\(...\) with a row per"):
        make_inverter(lead_field="template").fit(spectra)


def test_regions_that_no_sensor_sees_are_said(make_inverter, connectome, raw, caplog):
    part = load_synthetic_connectome().pick(connectome.names)
    names = ["lh.thalamus", *connectome.names[1:]]
    other = dataclasses.replace(part, names=names, synthetic=False)
    inverter = make_inverter(connectome=other, lead_field="template", verbose=True)
    with mne.utils.catch_logging(verbose=True) as log:
        inverter.fit(raw)
    assert inverter.node_names_ == tuple(connectome.names[1:])
    assert "4 of 5 nodes are observed by 8 sensors. Not observed: lh.thal" in (
        log.getvalue()
    )


def test_forgotten_and_misspelt_labels_are_said(make_inverter, connectome, raw):
    """As a forward solution with labels of one hemisphere, or a wrong name, gives."""
    from mne_sbi.estimators._sensors import find_sensors

    model = make_inverter()._make_model()
    recording = as_recording(raw, sensors=True)

    def find(names, labels=()):
        gain = np.random.default_rng(0).standard_normal((len(EEG), len(names)))
        return find_sensors(model, LeadField(gain, EEG, names), recording, labels)

    find([*connectome.names, "unknown-lh"])
    with pytest.warns(RuntimeWarning, match="has only 2 of the model's 5 nodes"):
        find(connectome.names[:2])
    with pytest.warns(RuntimeWarning, match="left out: insulaa-lh. .* are lh.insula."):
        find([n if n != "lh.insula" else "insulaa-lh" for n in connectome.names])


class Octaves(FeatureExtractor):
    """Features of a caller's own: power at some frequencies, without noise."""

    def extract(self, data, sfreq):
        return LogPSD(freqs=[8.0, 32.0]).extract(data, sfreq)

    def extract_spectrum(self, psd, freqs):
        return (10 * np.log10(np.asarray(psd)[..., ::2])).astype(np.float32)

    def add_noise(self, summaries, rng, *, sampled=False):
        return summaries

    def normalize(self, summaries):
        return summaries - summaries.mean(axis=2, keepdims=True)

    def get_feature_names_out(self, node_names):
        return np.array([f"{node} {i}" for node in node_names for i in range(2)])


def test_features_of_any_kind(raw, connectome):
    """Features of the caller's own are mixed as powers, before they are summarised."""

    def make(lead_field="template", **settings):
        return ModelInverter(
            SpectralGraphModel(connectome, [8.0, 16.0, 32.0], engine="exact"),
            lead_field=lead_field,
            features=Octaves(),
            method=RejectionABC(0.2),
            n_simulations=50,
            n_draws=10,
            random_state=0,
            verbose="error",
            **settings,
        )

    inverter = make().fit(raw)
    bank = inverter.bank_
    assert bank.x.shape == (50, 8, 2)
    power = inverter.observation_.simulate_rows(bank.theta[:3])
    by_hand = 10 * np.log10(power[..., ::2])
    np.testing.assert_allclose(bank.x[:3], by_hand, rtol=1e-4)
    assert np.isfinite(inverter.predict(raw)).all()
    # The simulations are those of channels, and serve this lead field only.
    expected = inverter.predict(raw)
    np.testing.assert_array_equal(
        make(simulations=bank).fit(raw).predict(raw), expected
    )
    gain = inverter.lead_field_.gain
    other = dataclasses.replace(inverter.lead_field_, gain=gain[:, ::-1])
    for lead_field in (other, None):
        with pytest.raises(ValueError, match="through another lead field than the rec"):
            make(lead_field, simulations=bank).fit()
