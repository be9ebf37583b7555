"""One simulation, and what MNE-Python makes of it."""

import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import mne
import numpy as np
import pytest

from mne_sbi import LeadField, Parameter, simulate_activity
from mne_sbi.models import ForwardModel, JansenRit, Recorded, SpectralGraphModel
from mne_sbi.simulation import Activity
from mne_sbi.testing import make_connectome

SFREQ = 100.0


class Sources(ForwardModel):
    """White noise about an offset, at the nodes of a connectome."""

    parameters = (
        Parameter("amplitude", 0.1, 10, 1, "V", doc="Amplitude."),
        Parameter("offset", -1e3, 1e3, 5, "V", doc="Constant in all nodes."),
    )
    output_unit = "V"

    def __init__(self, connectome, sfreq=SFREQ, duration=2.0):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration

    def check_valid(self, params):
        return params["amplitude"] < 9

    def simulate(self, params, key):
        shape = (self.connectome.n_nodes, round(self.sfreq * self.duration))
        noise = params["amplitude"] * jax.random.normal(key, shape) + params["offset"]
        return jnp.where(params["offset"] > 100, jnp.nan, noise)


@pytest.fixture
def model():
    return Sources(make_connectome(3))


@pytest.fixture
def activity(model):
    return simulate_activity(model, {"amplitude": 2}, random_state=0)


def activity_of(names, seed=0, n_times=40, sfreq=SFREQ):
    data = np.random.default_rng(seed).normal(3, 1, size=(len(names), n_times))
    return Activity(data, sfreq, names)


# One simulation


def test_one_simulation(model, activity):
    assert activity.data.shape == (3, 200) and activity.data.dtype == float
    assert (activity.sfreq, activity.duration, activity.unit) == (SFREQ, 2.0, "V")
    assert activity.names == model.node_names
    assert activity.params == {"amplitude": 2.0, "offset": 5.0}
    assert activity.data.std() == pytest.approx(2, rel=0.1)
    np.testing.assert_allclose(activity.times[[0, -1]], [0, 1.99])
    np.testing.assert_array_equal(activity.positions, model.connectome.positions)
    assert repr(activity) == "<Activity | 3 nodes, 2 s at 100 Hz, in V>"


def test_random_states(model, activity):
    again = simulate_activity(model, {"amplitude": 2}, random_state=0)
    np.testing.assert_array_equal(again.data, activity.data)
    other = simulate_activity(model, {"amplitude": 2}, random_state=1)
    assert not np.isclose(other.data, activity.data).any(axis=1).all()


def test_a_column_without_a_name():
    made = simulate_activity(JansenRit(sfreq=128.0, duration=1.0), random_state=0)
    assert made.names == ("node_0",) and made.data.shape == (1, 128)
    assert made.positions is None
    assert made.params["A"] == pytest.approx(3.25e-3)


def test_recorded_models_work_too(model):
    made = simulate_activity(Recorded(model, highpass=1.0), {"snr_white": 0})
    assert made.names == model.node_names and made.params["snr_white"] == 0


def test_content_is_frozen(activity):
    for one in (activity, pickle.loads(pickle.dumps(activity)), copy.copy(activity)):
        with pytest.raises(ValueError, match="read-only"):
            one.data[0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            one.positions[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        activity.data = 0


def test_some_nodes(activity):
    names = [activity.names[2], activity.names[0]]
    some = activity.pick(names)
    np.testing.assert_array_equal(some.data, activity.data[[2, 0]])
    np.testing.assert_array_equal(some.positions, activity.positions[[2, 0]])
    assert some.names == tuple(names) and some.params == activity.params
    with pytest.raises(ValueError, match="no nodes lh.insula"):
        activity.pick(["lh.insula"])


@pytest.mark.parametrize(
    "change, params, error, message",
    [
        ({"sfreq": None}, None, ValueError, r"Sources needs sfreq. .*Sources\(sfreq="),
        ({"duration": None}, None, ValueError, "Sources needs duration"),
        ({}, {"amplitud": 1}, ValueError, "no parameter 'amplitud'.*Did you mean"),
        ({}, {"amplitude": [1, 2]}, ValueError, "one simulation, but amplitude has"),
        ({}, {"amplitude": [1], "offset": []}, ValueError, "offset has several"),
        ({}, [1, 2], TypeError, "dict of numbers by name, or None, got list"),
        ({}, {"amplitude": 9.5}, ValueError, "makes no sense, or is unstable"),
        ({}, {"offset": 200}, ValueError, "600 of 600 values .* NaN or infinite"),
    ],
)
def test_errors(model, change, params, error, message):
    with pytest.raises(error, match=message):
        simulate_activity(model.set_params(**change), params)


def test_models_that_have_no_activity():
    with pytest.raises(ValueError, match="model of spectra"):
        simulate_activity(SpectralGraphModel())
    with pytest.raises(ValueError, match=r"needs sfreq and duration. .*JansenRit\("):
        simulate_activity("jansen_rit")
    with pytest.raises(ValueError, match=r"JansenRit needs .*JansenRit\("):
        simulate_activity(Recorded(JansenRit()))
    with pytest.raises(ValueError, match="no forward model 'jansen'"):
        simulate_activity("jansen")
    with pytest.raises(TypeError, match="object, got the class JansenRit"):
        simulate_activity(JansenRit)


def test_what_an_activity_cannot_be():
    for changes, message in (
        ({"data": np.zeros(3)}, r"data must have shape \(n_nodes, n_times\)"),
        ({"names": ["a"]}, "2 rows, but 1 entries"),
        ({"names": ["L_insula", "insula-lh"]}, "got twice"),
        ({"sfreq": 0}, "sfreq must be positive"),
        ({"positions": np.zeros((3, 3))}, "positions must have shape"),
    ):
        arguments = {"data": np.zeros((2, 4)), "sfreq": 1.0, "names": ["a", "b"]}
        with pytest.raises(ValueError, match=message):
            Activity(**arguments | changes)


# Into containers


def test_raw(activity):
    raw = activity.to_raw(gain=1e-6)
    assert raw.ch_names == list(activity.names)
    np.testing.assert_allclose(raw.get_data(), 1e-6 * activity.data)
    assert raw.info["sfreq"] == SFREQ
    # What does not work for channels of type misc.
    spectrum = raw.filter(4, 30, verbose="error").compute_psd(verbose="error")
    assert spectrum.get_data().shape[0] == 3
    assert activity.to_raw("misc").get_channel_types() == ["misc"] * 3


def test_epochs(activity):
    epochs = activity.to_epochs(0.5, gain=2.0)
    assert epochs.get_data().shape == (4, 3, 50)
    np.testing.assert_allclose(epochs.get_data()[1], 2 * activity.data[:, 50:100])
    assert len(activity.to_epochs(0.5, overlap=0.25)) == 7


# On the cortex and at sensors: the sample subject


@pytest.fixture(scope="module")
def labels(shared_data):
    folder = shared_data / "mne_route" / "sample_small_aparc_labels"
    return [mne.read_label(fname) for fname in sorted(folder.glob("*.label"))]


@pytest.fixture(scope="module")
def forward(shared_data):
    fname = shared_data / "mne_route" / "sample_small-fwd.fif"
    return mne.read_forward_solution(fname, verbose="error")


@pytest.fixture(scope="module")
def fixed(forward):
    """The forward solution as MNE-Python fixes it to the vertices' normals."""
    return mne.convert_forward_solution(
        forward, surf_ori=True, force_fixed=True, use_cps=False, verbose="error"
    )


@pytest.fixture
def info(shared_data):
    fname = shared_data / "mne_route" / "sample_24s_raw.fif"
    return mne.io.read_info(fname, verbose="error")


@pytest.fixture(scope="module")
def covariance(shared_data):
    fname = shared_data / "mne_route" / "sample_audvis_trunc-cov.fif"
    return mne.read_cov(fname, verbose="error")


@pytest.fixture
def brain(labels, info):
    """Activity of all labels, in another order and spelling."""
    names = [label.name for label in labels][::-1]
    names = [f"ctx-{name[-2:]}-{name[:-3]}" for name in names]
    return activity_of(names, sfreq=info["sfreq"])


def assert_close(got, expected, tolerance=1e-10):
    # Of each type of channels: V are 10^8 times T.
    size = np.abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_array_less(np.abs(got - expected) / size, tolerance)


def test_sources_of_a_label_share_its_moment(brain, labels, forward):
    stc = brain.to_stc(labels, forward["src"], moment=2e-9, remove_mean=False)
    assert stc.tstep == pytest.approx(1 / brain.sfreq) and stc.subject == "sample"
    for label, row in zip(labels, brain.data[::-1], strict=True):
        inside = stc.in_label(label).data
        np.testing.assert_allclose(inside.sum(axis=0), 2e-9 * row, atol=1e-22)
        np.testing.assert_array_equal(inside, inside[:1].repeat(len(inside), axis=0))
    # As MNE-Python reads it back.
    series = mne.extract_label_time_course(
        stc, labels[:3], forward["src"], mode="mean", verbose="error"
    )
    n_each = [len(stc.in_label(label).data) for label in labels[:3]]
    expected = 2e-9 * brain.data[::-1][:3] / np.c_[n_each]
    np.testing.assert_allclose(series, expected)


def test_lead_field_and_sources_give_the_same(brain, labels, forward, fixed, info):
    stc = brain.to_stc(labels, fixed["src"], moment=1e-9)
    expected = mne.apply_forward_raw(fixed, stc, info, verbose="error")
    lead_field = LeadField.from_forward(fixed, labels)
    raw = brain.to_sensors(lead_field, info, moment=1e-9)
    assert len(raw.ch_names) == 366 and "STI 014" not in raw.ch_names
    assert_close(raw.get_data(), expected.get_data(raw.ch_names))
    # Of free orientation, which MNE-Python's simulator fixes by itself: of one that is
    # fixed, MNE-Python 1.13 simulates something else than with apply_forward_raw.
    simulated = mne.simulation.simulate_raw(
        info, stc, forward=forward, use_cps=False, verbose="error"
    )
    assert_close(raw.get_data(), simulated.get_data(raw.ch_names))
    direct = brain.to_sensors(fixed, info, labels=labels, moment=1e-9)
    np.testing.assert_allclose(direct.get_data(), raw.get_data(), atol=1e-25)
    # The defaults of both agree as well, and give what is usual.
    usual = brain.to_stc(labels, fixed["src"])
    expected = mne.apply_forward_raw(fixed, usual, info, verbose="error")
    raw = brain.to_sensors(fixed, info, labels=labels)
    assert_close(raw.get_data(), expected.get_data(raw.ch_names))
    sums = [usual.in_label(label).data.sum(axis=0) for label in labels]
    assert np.sqrt(np.mean(np.square(sums))) == pytest.approx(10e-9)


def test_channels_are_those_of_the_info(brain, labels, fixed, info):
    whole = brain.to_sensors(fixed, info, labels=labels)
    info["bads"] = ["MEG 2443", "EEG 053"]
    some = mne.pick_info(info, np.arange(300, info["nchan"])[::-1])
    raw = brain.to_sensors(fixed, some, labels=labels)
    wanted = [
        name
        for name in some["ch_names"]
        if name in whole.ch_names and name not in info["bads"]
    ]
    assert raw.ch_names == wanted
    assert_close(raw.get_data(), whole.get_data(wanted))


def test_means_can_stay(brain, labels, fixed, info):
    with_mean = brain.to_sensors(fixed, info, labels=labels, remove_mean=False)
    without = brain.to_sensors(fixed, info, labels=labels)
    data = with_mean.get_data()
    assert_close(without.get_data(), data - data.mean(axis=1, keepdims=True))
    assert np.abs(data.mean(axis=1)).max() > data.std(axis=1).max()


def test_average_reference_is_that_of_the_lead_field(
    brain, labels, fixed, info, covariance
):
    info = mne.pick_info(info, mne.pick_types(info, meg=True, eeg=True))
    plain = LeadField.from_forward(fixed, labels)
    for lead_field, is_average in ((plain, False), (plain.prepare(info), True)):
        raw = brain.to_sensors(lead_field, info, noise_cov=covariance, random_state=0)
        data = raw.get_data("eeg")
        mean = np.abs(data.mean(axis=0)).max()
        assert (mean < 1e-6 * np.abs(data).max()) == is_average
        active = [p["desc"] for p in raw.info["projs"] if p["active"]]
        assert active == ["Average EEG reference"] * is_average
        # Those that wait are still there.
        assert len(raw.info["projs"]) == 3 + is_average
    # It is the average of what has none.
    without = brain.to_sensors(plain, info, noise_cov=covariance, random_state=0)
    without.set_eeg_reference(projection=True, verbose="error").del_proj([0, 1, 2])
    expected = without.apply_proj(verbose="error").get_data("eeg")
    assert_close(data, expected, 1e-9)


def test_template_of_electrodes_alone():
    montage = mne.channels.make_standard_montage("biosemi16")
    info = mne.create_info(montage.ch_names, SFREQ, "eeg").set_montage(montage)
    lead_field = LeadField.from_template(info)
    some = activity_of(lead_field.node_names[::7])
    noise = mne.make_ad_hoc_cov(info, std=1e-7, verbose="error")
    raw = some.to_sensors(lead_field, info, noise_cov=noise, random_state=0)
    assert raw.ch_names == montage.ch_names and not raw.info["projs"]
    # A reference that was set by hand cannot be reproduced, but the average can.
    by_hand = raw.copy().set_eeg_reference(["Fz"], verbose="error").info
    with pytest.raises(ValueError, match=r"set by hand.*lead_field.prepare\(info\)"):
        some.to_sensors(lead_field, by_hand)
    made = some.to_sensors(
        lead_field.prepare(by_hand), by_hand, noise_cov=noise, random_state=0
    )
    average = raw.set_eeg_reference(projection=True, verbose="error").apply_proj()
    assert_close(made.get_data(), average.get_data(), 1e-9)
    assert not made.info["custom_ref_applied"] and made.info["projs"][0]["active"]


def test_active_projectors_are_applied(brain, labels, fixed, info, covariance):
    raw = mne.io.RawArray(np.ones((info["nchan"], 2)), info, verbose="error")
    raw.set_eeg_reference(projection=True, verbose="error").apply_proj(verbose="error")
    settings = {"labels": labels, "noise_cov": covariance, "random_state": 1}
    made = brain.to_sensors(fixed, raw.info, **settings)
    expected = brain.to_sensors(fixed, info, **settings)
    expected.set_eeg_reference(projection=True, verbose="error")
    expected.apply_proj(verbose="error")
    assert_close(made.get_data(), expected.get_data(), 1e-9)
    assert len(made.info["projs"]) == 4
    assert all(projector["active"] for projector in made.info["projs"])
    # The caller's info is as it was.
    assert not any(projector["active"] for projector in info["projs"])


def test_noise_is_that_of_mne(brain, labels, fixed, info, covariance):
    settings = {"labels": labels, "moment": 1e-9}
    made = brain.to_sensors(
        fixed, info, noise_cov=covariance, random_state=7, **settings
    )
    expected = brain.to_sensors(fixed, info, **settings).del_proj("all")
    mne.simulation.add_noise(
        expected, covariance, rng=np.random.default_rng(7), verbose="error"
    )
    np.testing.assert_allclose(made.get_data(), expected.get_data(), rtol=1e-12)


def test_noise_has_its_covariance():
    names = ["u", "v", "w"]
    info = mne.create_info(names, SFREQ, "mag")
    square = np.array([[4.0, 1, 0], [1, 2, -1], [0, -1, 3]]) * 1e-24
    covariance = mne.Covariance(square, names, [], [], 100)
    lead_field = LeadField(np.ones((3, 1)), names, ["a"], ch_types=["mag"] * 3)
    one = activity_of(["a"], n_times=50_000)
    settings = {"moment": 1e-20, "noise_cov": covariance}
    raw = one.to_sensors(lead_field, info, random_state=0, **settings)
    np.testing.assert_allclose(np.cov(raw.get_data()), square, atol=0.1e-24)
    again = one.to_sensors(lead_field, info, random_state=0, **settings)
    np.testing.assert_array_equal(again.get_data(), raw.get_data())


def test_simulated_recordings_can_be_imaged(brain, labels, forward, info, covariance):
    info = mne.pick_info(info, mne.pick_types(info, meg=True, eeg=True))
    lead_field = LeadField.from_forward(forward, labels).prepare(info)
    raw = brain.to_sensors(lead_field, info, noise_cov=covariance, random_state=0)
    # MNE-Python refuses EEG without an average reference, or with a custom one.
    operator = mne.minimum_norm.make_inverse_operator(
        raw.info, forward, covariance, verbose="error"
    )
    stc = mne.minimum_norm.apply_inverse_raw(
        raw, operator, 1 / 9, pick_ori="normal", verbose="error"
    )
    assert np.isfinite(stc.data).all()


def test_what_sources_cannot_be(brain, labels, forward):
    src = forward["src"]

    def error(match, kind=ValueError, labels=labels, src=src, activity=brain, **given):
        with pytest.raises(kind, match=match):
            activity.to_stc(labels, src, **given)

    error("2 of 68 nodes have no label: .*pick", labels=labels[2:])
    far = labels[0].copy()
    far.vertices = np.array([10**7])
    far.pos, far.values = np.zeros((1, 3)), np.ones(1)
    error(
        "1 of 68 labels hold no source of src: bankssts-lh", labels=[far, *labels[1:]]
    )
    wide = labels[0] + labels[2]
    wide.name = labels[0].name
    error(
        "in common: caudalanteriorcingulate-lh and bankssts-lh",
        labels=[wide, *labels[1:]],
    )
    error("more than one label", labels=[labels[0], *labels])
    error("list of mne.Label", TypeError, labels="aparc")
    error("must be mne.SourceSpaces", TypeError, src=forward)
    flat = dataclasses.replace(brain, data=np.ones_like(brain.data))
    error("does not vary.*moment=", activity=flat)
    foreign = [label.copy() for label in labels]
    for label in foreign:
        label.subject = "fsaverage"
    error("belong to the subject fsaverage", labels=foreign)


def test_what_sensors_cannot_be(brain, labels, forward, info, covariance):
    def error(match, kind=ValueError, info=info, activity=brain, **given):
        given = {"lead_field": forward, "labels": labels} | given
        with pytest.raises(kind, match=match):
            activity.to_sensors(given.pop("lead_field"), info, **given)

    slow = dataclasses.replace(brain, sfreq=SFREQ)
    error(
        r"rate of 600.6\d* Hz, and the activity has 100 Hz.*model sfreq=600",
        activity=slow,
    )
    error("needs labels=", labels=None)
    error("LeadField.from_template", TypeError, lead_field="template")
    error("info must be an mne.Info", TypeError, info=forward)
    lead_field = LeadField.from_forward(forward, labels[2:])
    error("2 of 68 nodes are not in the lead field", lead_field=lead_field)
    error("noise_cov must be an mne.Covariance", TypeError, noise_cov=np.eye(3))
    less = mne.pick_channels_cov(covariance, covariance["names"][3:], exclude=[])
    error("noise_cov lacks 3 of 366 channels", noise_cov=less)
    stimuli = mne.pick_info(info, mne.pick_types(info, meg=False, stim=True))
    error("no good channels of the types", info=stimuli)
