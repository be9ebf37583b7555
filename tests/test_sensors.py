"""Recordings and lead fields go through the same projector."""

import mne
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mne_sbi import LeadField
from mne_sbi._sensors import match_ch_names, sensor_projector

N_NODES = 5
NODES = [f"node {i}" for i in range(N_NODES)]


def info_of(n_eeg=12, n_mag=8):
    names = [f"EEG{i}" for i in range(n_eeg)] + [f"MEG{i}" for i in range(n_mag)]
    return mne.create_info(names, 100.0, ["eeg"] * n_eeg + ["mag"] * n_mag)


def vectors(names, n=2, seed=1):
    """An SSP projector, with vectors as MNE-Python computes them."""
    rng = np.random.default_rng(seed)
    data = np.linalg.qr(rng.normal(size=(len(names), n)))[0].T
    content = {
        "nrow": n,
        "ncol": len(names),
        "row_names": None,
        "col_names": list(names),
        "data": data,
    }
    return mne.Projection(active=False, data=content, desc="made up", kind=1)


@pytest.fixture
def simulated():
    """A lead field in any order, and a recording of it without noise."""
    rng = np.random.default_rng(0)
    info = info_of()
    gain = rng.normal(size=(20, N_NODES))
    order = rng.permutation(20)
    lead_field = LeadField(
        gain[order],
        [info["ch_names"][i] for i in order],
        NODES,
        ch_types=[info.get_channel_types()[i] for i in order],
    )
    sources = rng.normal(size=(N_NODES, 40))
    raw = mne.io.RawArray(gain @ sources, info, verbose="error")
    return lead_field, raw, sources


def check(lead_field, raw, sources, *, projected=False):
    """Compare the recording's good channels with the prepared lead field."""
    data = raw.get_data(picks=[n for n in raw.ch_names if n not in raw.info["bads"]])
    if projected:
        data = sensor_projector(raw.info) @ data
    expected = lead_field.prepare(raw.info).gain @ sources
    assert_allclose(data, expected, rtol=0, atol=1e-10 * np.abs(data).max())


@pytest.mark.parametrize("bads", [[], ["EEG3", "MEG1"]])
@pytest.mark.parametrize("projection", [True, False])
def test_average_reference(simulated, bads, projection):
    lead_field, raw, sources = simulated
    raw.info["bads"] = bads
    raw.set_eeg_reference(projection=projection, verbose="error")
    raw.apply_proj(verbose="error")
    check(lead_field, raw, sources)


@pytest.mark.parametrize("bads", [[], ["EEG3", "MEG1"]])
def test_projectors(simulated, bads):
    lead_field, raw, sources = simulated
    raw.info["bads"] = bads
    raw.add_proj(vectors(raw.ch_names[12:]), verbose="error")
    # A vector that sums to zero, as those of referenced EEG do, and copies of one,
    # which are to count once.
    raw.add_proj(vectors(raw.ch_names[12:]), verbose="error")
    raw.set_eeg_reference(projection=True, verbose="error")
    with mne.use_log_level("error"):
        raw.add_proj(vectors(raw.ch_names[:12], n=1), verbose="error")
        raw.apply_proj()
    check(lead_field, raw, sources)


def test_inactive_projectors_are_left_alone(simulated):
    lead_field, raw, sources = simulated
    raw.add_proj(vectors(raw.ch_names[12:]), verbose="error")
    raw.set_eeg_reference(verbose="error")
    check(lead_field, raw, sources)


def bads_after(raw):
    raw.apply_proj()
    raw.info["bads"] = ["EEG1", "MEG2"]


def bads_before_and_dropped(raw):
    raw.info["bads"] = ["EEG1", "MEG2"]
    raw.apply_proj()
    raw.drop_channels(raw.info["bads"])


def picked_after(raw):
    raw.apply_proj()
    raw.pick(raw.ch_names[2:9] + raw.ch_names[13:19])


def referenced_with_others(raw):
    raw.info["bads"] = ["EEG4"]
    raw.apply_proj()
    raw.set_eeg_reference()
    raw.info["bads"] = ["EEG4", "EEG5", "MEG2"]


def reordered(raw):
    raw.apply_proj()
    raw.reorder_channels(raw.ch_names[::-1])
    raw.set_eeg_reference(["EEG7"])


@pytest.mark.parametrize(
    "history",
    [
        bads_after,
        bads_before_and_dropped,
        picked_after,
        referenced_with_others,
        reordered,
    ],
)
def test_history_makes_no_difference_once_both_are_projected(simulated, history):
    lead_field, raw, sources = simulated
    with mne.use_log_level("error"):
        raw.add_proj([vectors(raw.ch_names[12:]), vectors(raw.ch_names[:12], n=1)])
        history(raw)
    check(lead_field, raw, sources, projected=True)


def test_projector_is_one_and_contains_the_reference():
    info = info_of(6, 3)
    projector = sensor_projector(info)
    assert_allclose(projector @ projector, projector, atol=1e-14)
    assert_allclose(projector, projector.T)
    assert_allclose(projector[:6, :6], np.eye(6) - 1 / 6)
    assert_allclose(projector[6:, 6:], np.eye(3))
    assert_allclose(sensor_projector(info_of(0, 3)), np.eye(3))


def test_channels_of_which_nothing_is_left(simulated):
    lead_field, raw, _ = simulated
    one = raw.copy().pick(["EEG0", "MEG0", "MEG1"])
    with pytest.raises(ValueError, match="leave nothing of EEG0: of 3 channels, 1 dir"):
        lead_field.prepare(one.info)
    raw.add_proj(vectors(raw.ch_names[12:]), verbose="error")
    few = raw.apply_proj(verbose="error").pick(["MEG3", "MEG4"])
    with pytest.raises(ValueError, match="leave nothing of MEG3, MEG4"):
        lead_field.prepare(few.info)


def test_channels_that_do_not_fit(simulated):
    lead_field, raw, _ = simulated
    names = {"EEG0": "eeg 0", "EEG1": "Fz"}
    renamed = raw.copy().rename_channels(names)
    with pytest.raises(ValueError, match="2 of 20 good .*: eeg 0, Fz. Did you mean 'E"):
        lead_field.prepare(renamed.info)
    # Bad channels need not be in it.
    renamed.info["bads"] = ["eeg 0", "Fz"]
    assert lead_field.prepare(renamed.info).n_channels == 18
    retyped = raw.copy().set_channel_types({"EEG2": "seeg"}, verbose="error")
    with pytest.raises(ValueError, match="EEG2 is of type 'seeg' in the recording and"):
        lead_field.prepare(retyped.info)
    raw.info["bads"] = raw.ch_names
    with pytest.raises(ValueError, match="All channels of the recording are marked"):
        lead_field.prepare(raw.info)


def test_prepared_twice_is_the_same(simulated):
    lead_field, raw, _ = simulated
    raw.info["bads"] = ["EEG2"]
    once = lead_field.prepare(raw.info)
    twice = once.prepare(raw.info)
    assert_allclose(twice.gain, once.gain, atol=1e-14)
    assert once.ch_names == tuple(n for n in raw.ch_names if n != "EEG2")
    assert once.node_names == lead_field.node_names


@pytest.mark.parametrize(
    ("names", "known", "expected"),
    [
        (["Fc5.", "Cz..", "IZ"], ["FC5", "Cz", "Iz"], ["FC5", "Cz", "Iz"]),
        (["A1", "a1"], ["a1", "A1"], ["A1", "a1"]),  # two channels of one cap
        (["a1"], ["A1"], ["A1"]),
        (["A1", "a1."], ["A1"], ["A1", None]),  # taken by its own name
        (["a1.", "A1."], ["A1"], [None, None]),  # nobody knows which
        (["a1."], ["a1", "A1"], [None]),
        (["Fc51"], ["FC5"], [None]),
    ],
)
def test_names_that_differ_by_convention(names, known, expected):
    pairs = zip(names, expected, strict=True)
    assert match_ch_names(names, known) == {a: b for a, b in pairs if b is not None}


def test_lead_fields_of_recordings_with_dots():
    names = ["FC5", "Cz", "Oz", "A1"]
    gain = np.random.default_rng(0).normal(size=(4, 3))
    lead_field = LeadField(gain, names, ["a-lh", "b-lh", "c-lh"], ch_types=["eeg"] * 4)
    plain = mne.create_info(["Oz", "FC5", "Cz"], 100.0, "eeg")
    dotted = mne.create_info(["Oz..", "Fc5.", "Cz.."], 100.0, "eeg")
    assert lead_field.prepare(dotted) == lead_field.prepare(plain)
    with pytest.raises(ValueError, match=r"1 of 2 good channels .* lead field: Xz\."):
        lead_field.prepare(mne.create_info(["Oz..", "Xz."], 100.0, "eeg"))
