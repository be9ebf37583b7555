"""Simulations that go through source imaging, as a recording did."""

import dataclasses

import jax
import jax.numpy as jnp
import mne
import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi import (
    LeadField,
    ModelInverter,
    Parameter,
    SourceImaging,
    simulate_activity,
)
from mne_sbi.features import LogPSD
from mne_sbi.models import ForwardModel, JansenRit, Recorded
from mne_sbi.testing import check_forward_model, make_connectome

KEY = jax.random.key(5)
SFREQ = 100.0


class Sources(ForwardModel):
    """White noise at the nodes of a connectome, which costs nothing."""

    parameters = (Parameter("amplitude", 0, 10, 1, "V", doc="Amplitude."),)

    def __init__(self, connectome, sfreq=SFREQ, duration=1.0):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        shape = (self.connectome.n_nodes, round(self.sfreq * self.duration))
        return params["amplitude"] * jax.random.normal(key, shape) + jnp.ones(shape)


def connectome_of(names):
    return dataclasses.replace(
        make_connectome(len(names)), names=names, synthetic=False
    )


def make_model():
    return Sources(connectome_of(("lh.a", "rh.a", "lh.b")))


def make_jansen_rit(names, **settings):
    return JansenRit(connectome_of(names), burn_in=0.5, **settings)


@pytest.fixture
def lead_field():
    gain = np.random.default_rng(0).normal(size=(5, 3))
    names = [f"E{i}" for i in range(5)]
    return LeadField(gain - gain.mean(axis=0), names, ["b-lh", "a-lh", "a-rh"])


@pytest.fixture
def imaging():
    kernel = np.random.default_rng(1).normal(size=(2, 4))
    return SourceImaging(kernel, ["E3", "E0", "E4", "E1"], ["a-rh", "b-lh"])


def run(model, n=3, **params):
    values = {p.name: np.full(n, p.default) for p in model.get_parameters()}
    values |= {name: np.full(n, value) for name, value in params.items()}
    return model.simulate_batch(values, KEY)


def test_contract(lead_field, imaging):
    model = Recorded(
        make_model(), lead_field=lead_field, source_imaging=imaging, highpass=2.0
    )
    check_forward_model(model)
    assert model.node_names == ("a-rh", "b-lh")
    assert not model.single_node
    assert clone(model).source_imaging is imaging
    assert model.get_params()["source_imaging"] is imaging


@pytest.mark.parametrize("band", [(None, None), (2.0, 40.0)])
@pytest.mark.parametrize("noise", [True, False])
def test_labels_are_the_channels_times_the_kernel(lead_field, imaging, band, noise):
    settings = {"highpass": band[0], "lowpass": band[1], "noise": noise}
    at_channels = Recorded(make_model(), lead_field=lead_field, **settings)
    at_labels = Recorded(
        make_model(), lead_field=lead_field, source_imaging=imaging, **settings
    )
    given = {"gain": 3.0} | ({"snr_white": 0.0} if noise else {})
    channels = run(at_channels, **given).astype(float)
    # The noise is the same, and is mixed with the signal.
    expected = imaging.kernel @ channels[:, [3, 0, 4, 1]]
    got = run(at_labels, **given)
    assert got.shape == (3, 2, 100)
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_noise_is_mixed_between_labels(lead_field):
    # Two labels of one channel have one noise.
    kernel = np.array([[1.0, 0, 0, 0, 0], [2.0, 0, 0, 0, 0]])
    imaging = SourceImaging(kernel, lead_field.ch_names, ["a-lh", "a-rh"])
    model = Recorded(make_model(), lead_field=lead_field, source_imaging=imaging)
    data = run(model, snr_white=-20.0)
    np.testing.assert_allclose(data[:, 1], 2 * data[:, 0], rtol=1e-5, atol=1e-8)


def test_connectome_is_that_of_the_labels(lead_field, imaging):
    inner = make_model()
    model = Recorded(inner, lead_field=lead_field, source_imaging=imaging)
    own = model.get_connectome()
    assert own.names == ("rh.a", "lh.b")
    assert own == inner.connectome.pick(["a-rh", "b-lh"])
    other = SourceImaging(imaging.kernel, imaging.ch_names, ["a-rh", "insula-lh"])
    assert model.set_params(source_imaging=other).get_connectome() is None
    assert model.node_names == ("a-rh", "insula-lh")
    assert Recorded(inner).get_connectome() is inner.connectome


def test_what_does_not_vary_is_invalid(lead_field, imaging):
    model = Recorded(make_model(), lead_field=lead_field, source_imaging=imaging)
    assert np.isfinite(run(model)).all()
    assert np.isnan(run(model, amplitude=0.0)).all()


def test_errors_name_the_remedy(lead_field, imaging):
    def error(match, kind=ValueError, **settings):
        settings = {"lead_field": lead_field, "source_imaging": imaging} | settings
        with pytest.raises(kind, match=match):
            Recorded(make_model(), **settings).prepare()

    error("source_imaging must be a SourceImaging", TypeError, source_imaging=np.eye(2))
    error("without a lead field there are no channels.*prepare", lead_field=None)
    less = LeadField(lead_field.gain[:4], lead_field.ch_names[:4], ["b", "lh.a", "c"])
    error("4 channels, of which 1 are not in the lead field: E4", lead_field=less)


def test_inverter_of_label_time_courses(lead_field, imaging):
    model = Recorded(
        make_jansen_rit(("lh.a", "rh.a", "lh.b")),
        lead_field=lead_field,
        source_imaging=imaging,
    )
    inverter = ModelInverter(
        model,
        prior={"C": (100.0, 150.0), "snr_white": (0.0, 20.0)},
        features=LogPSD(fmin=4, window=0.5),
        method="abc",
        n_simulations=30,
        random_state=0,
    )
    truth = clone(model).set_params(model__sfreq=SFREQ, model__duration=1.0)
    data = run(truth, 1)[0]
    # In another order, and spelt otherwise, than the labels of source imaging.
    info = mne.create_info(["lh.b", "rh.a"], SFREQ, "misc")
    raw = mne.io.RawArray(data[::-1], info, verbose="error")
    theta = inverter.fit(raw).predict(raw)
    assert theta.shape == (1, len(inverter.prior_.names))
    assert inverter.node_names_ == ("b-lh", "a-rh")
    swapped = raw.copy().reorder_channels(["rh.a", "lh.b"])
    np.testing.assert_array_equal(inverter.predict(swapped), theta)
    strange = raw.copy().rename_channels({"lh.b": "lh.a"})
    with pytest.raises(ValueError, match="names are not in the connectome: lh.a"):
        inverter.predict(strange)


@pytest.fixture(scope="module")
def sample(shared_data):
    """EEG of the sample subject, and what images it."""
    folder = shared_data / "mne_route"
    files = sorted((folder / "sample_small_aparc_labels").glob("*.label"))[:6]
    labels = [mne.read_label(file) for file in files]
    with mne.use_log_level("error"):
        raw = mne.io.read_raw_fif(folder / "sample_24s_raw.fif").crop(0, 4).load_data()
        raw.info["bads"] = ["EEG 053"]
        raw.pick("eeg", exclude="bads").resample(SFREQ)
        raw.set_eeg_reference(projection=True).apply_proj()
        forward = mne.read_forward_solution(folder / "sample_small-fwd.fif")
        operator = mne.minimum_norm.make_inverse_operator(
            raw.info, forward, mne.make_ad_hoc_cov(raw.info), loose=0.2, depth=0.8
        )
    lead_field = LeadField.from_forward(forward, labels).prepare(raw.info)
    return raw, labels, operator, lead_field


def image(raw, operator):
    return mne.minimum_norm.apply_inverse_raw(
        raw, operator, 1 / 9, pick_ori="normal", verbose="error"
    )


def test_simulations_are_what_mne_makes_of_them(sample):
    raw, labels, operator, lead_field = sample
    inner = Sources(connectome_of([label.name for label in labels]))
    model = Recorded(
        inner,
        lead_field=lead_field,
        noise=False,
        source_imaging=SourceImaging.from_inverse(operator, labels),
    )
    # The same random numbers, recorded and imaged by MNE-Python's own functions.
    activity = simulate_activity(inner, random_state=0)
    recorded = activity.to_sensors(lead_field, raw.info, moment=1.0, remove_mean=False)
    expected = mne.extract_label_time_course(
        image(recorded, operator),
        labels,
        operator["src"],
        mode="mean_flip",
        verbose="error",
    )
    got = simulate_activity(model, random_state=0).data
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_source_estimates_of_the_sample_subject(sample):
    raw, labels, operator, lead_field = sample
    stc = image(raw, operator)
    connectome = connectome_of([label.name for label in labels])
    model = Recorded(
        Sources(connectome, sfreq=None, duration=None),
        lead_field=lead_field,
        source_imaging=SourceImaging.from_inverse(operator, labels),
    )
    inverter = ModelInverter(
        model,
        labels=labels,
        src=operator["src"],
        features=LogPSD(fmin=4, fmax=40, window=1.0),
        method="abc",
        n_simulations=20,
        random_state=0,
    )
    theta = inverter.fit(stc).predict(stc)
    assert inverter.node_names_ == tuple(label.name for label in labels)
    assert np.isfinite(theta).all()
    # Simulations are of what is recorded.
    assert inverter.bank_.x.shape[1] == len(labels)
