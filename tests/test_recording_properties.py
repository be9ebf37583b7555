"""Whatever comes in: an error, or as many finite observations as there should be."""

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mne_sbi._recording import as_recording
from mne_sbi._region_names import normalize_region_name

SFREQ = 50.0
# The same examples each time: a test that fails now and then helps nobody.
FIXED = settings(max_examples=80, derandomize=True, deadline=None, database=None)

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1
)
KINDS = st.sampled_from(["misc", "eeg", "mag", "eog", "stim", "seeg"])
# Finite values as recordings have them, and those that must never get through.
VALUES = st.floats(-1e3, 1e3, width=32) | st.sampled_from(
    [0.0, np.nan, np.inf, -np.inf]
)


@st.composite
def tables(draw, *, n_axes, values=VALUES):
    """Arrays of channels and times, now and then with rows that are constant."""
    shape = draw(st.tuples(*[st.integers(1, 5)] * (n_axes - 1), st.integers(1, 40)))
    seed = draw(st.integers(0, 99))
    data = np.random.default_rng(seed).standard_normal(shape)
    for _ in range(draw(st.integers(0, 2))):
        place = tuple(draw(st.integers(0, n - 1)) for n in shape)
        whole_row = draw(st.booleans())
        data[place[:-1] if whole_row else place] = draw(values)
    return data


@st.composite
def infos(draw, n_channels):
    names = draw(st.lists(NAMES, min_size=n_channels, max_size=n_channels, unique=True))
    kinds = draw(st.lists(KINDS, min_size=n_channels, max_size=n_channels))
    info = mne.create_info(names, SFREQ, kinds)
    info["bads"] = draw(st.lists(st.sampled_from(names), max_size=1))
    return info


@st.composite
def raws(draw):
    data = draw(tables(n_axes=2))
    raw = mne.io.RawArray(data, draw(infos(len(data))), verbose="error")
    if draw(st.booleans()):
        onset = draw(st.floats(0, raw.times[-1]))
        duration = draw(st.floats(0, raw.times[-1]))
        with mne.use_log_level("error"):
            raw.set_annotations(mne.Annotations(onset, duration, "BAD"))
    return raw


@st.composite
def epochs(draw):
    data = draw(tables(n_axes=3))
    return mne.EpochsArray(data, draw(infos(data.shape[1])), verbose="error")


def read(X, **kwargs):
    """Return a recording, or None where an error says what is wrong."""
    try:
        with mne.use_log_level("error"):
            return as_recording(X, **kwargs)
    except (TypeError, ValueError) as exc:
        assert str(exc).strip()
        return None


def check(recording, n_obs, info):
    """Check what every answer must be."""
    assert len(recording) == len(recording.data) == n_obs
    names = recording.names
    assert len(set(names)) == len(names) > 0
    assert set(names) <= set(info["ch_names"]) - set(info["bads"])
    if recording.info is not None:
        assert tuple(recording.info["ch_names"]) == names
    for series in recording.data:
        assert series.shape[0] == len(names) and series.dtype == np.float64
        # Gaps are gaps in all rows, and something is left.
        missing = np.isnan(series)
        assert (missing.any(axis=0) == missing.all(axis=0)).all()
        assert not missing.all()
        assert np.isfinite(series[~missing]).all()
        kept = series[:, ~missing[0]]
        assert (kept != kept[:, :1]).any(axis=1).all()
    if recording.is_series:
        assert len(recording.durations) == n_obs and min(recording.durations) > 0


@FIXED
@given(
    raws(),
    st.booleans(),
    st.none() | st.floats(0.02, 1.0) | st.sampled_from([0.0, np.nan, "1", -1]),
)
def test_raw(raw, sensors, duration):
    before = raw.get_data()
    recording = read(raw, sensors=sensors, duration=duration)
    if recording is not None:
        n_obs = 1
        if duration is not None:
            n_obs = raw.n_times // round(duration * SFREQ)
        check(recording, n_obs, raw.info)
    np.testing.assert_array_equal(raw.get_data(), before)


@FIXED
@given(epochs(), st.booleans(), st.data())
def test_epochs(inst, sensors, data):
    recording = read(inst, sensors=sensors)
    if recording is not None:
        check(recording, len(inst), inst.info)
    # As scikit-learn's splitters choose rows, and as lists of several epochs.
    rows = data.draw(st.lists(st.integers(0, len(inst) - 1), min_size=1, max_size=4))
    pieces = [inst[row] for row in rows] + data.draw(st.sampled_from([[], [inst]]))
    listed = read(pieces, sensors=sensors)
    if listed is not None:
        check(listed, len(pieces), inst.info)
        if recording is not None:
            assert listed.names == recording.names
            np.testing.assert_array_equal(listed.data[0], recording.data[rows[0]])
    if recording is not None:
        assert listed is not None
        check(
            as_recording(inst.average("all"), picks=list(recording.names)), 1, inst.info
        )


POWER = st.floats(0, 1e3, width=32) | st.sampled_from([-1.0, np.nan, np.inf])


@FIXED
@given(tables(n_axes=3, values=POWER), st.booleans(), st.data())
def test_spectra(power, sensors, data):
    power = power**2 if data.draw(st.booleans()) else power
    names = [f"c{i}" for i in range(power.shape[1])]
    kind = data.draw(st.sampled_from(["eeg", "mag"]))
    info = mne.create_info(names, SFREQ, kind)
    freqs = np.arange(1.0, power.shape[2] + 1)
    spectra = mne.time_frequency.EpochsSpectrumArray(
        power, info, freqs, verbose="error"
    )
    recording = read(spectra, sensors=sensors)
    if recording is not None:
        assert recording.data.shape == power.shape and not recording.is_series
        assert np.isfinite(recording.data).all() and (recording.data >= 0).all()
        assert recording.data.any(axis=2).all()
        assert not (sensors and kind == "eeg")
    listed = read([spectra, spectra], sensors=sensors)
    assert (listed is None) == (recording is None)
    if listed is not None:
        assert listed.data.shape == (2, *power.shape[1:])


@FIXED
@given(st.data(), st.booleans())
def test_channels_of_a_list_are_matched_by_name(data, sensors):
    """Each row goes where its name is, whatever the order; sets that differ do not."""
    n_channels = data.draw(st.integers(2, 5))
    unique = st.lists(NAMES, min_size=n_channels, max_size=n_channels, unique=True)
    names = data.draw(unique)
    order = data.draw(st.permutations(range(n_channels)))
    values = np.random.default_rng(0).standard_normal((n_channels, 20))
    first = mne.io.RawArray(
        values, mne.create_info(names, SFREQ, "eeg"), verbose="error"
    )
    other = [names[i] for i in order]
    second = mne.io.RawArray(
        values[list(order)], mne.create_info(other, SFREQ, "eeg"), verbose="error"
    )
    recording = as_recording([first, second], sensors=sensors)
    assert recording.names == tuple(names)
    np.testing.assert_allclose(recording.data[1], recording.data[0], atol=1e-12)
    strange = mne.io.RawArray(
        values, mne.create_info(data.draw(unique), SFREQ, "eeg"), verbose="error"
    )
    found = {normalize_region_name(name) for name in strange.ch_names}
    if found != {normalize_region_name(name) for name in names}:
        with pytest.raises(ValueError, match="Recording 1 lacks"):
            as_recording([first, strange], sensors=sensors)


@FIXED
@given(
    hnp.arrays(
        hnp.scalar_dtypes(), hnp.array_shapes(min_dims=1, max_dims=4, max_side=4)
    )
)
def test_arrays_go_through_as_they_are(X):
    recording = as_recording(X)
    assert recording.data is X and len(recording) == len(X)
    assert not recording.from_mne and not recording.is_series


PARTS = st.sampled_from(
    ["l", "R", "lh", "RH", "left", "ctx", "_", "-", ".", " ", "insula", "LO", "(r)"]
)


@settings(FIXED, max_examples=300)
@given(NAMES | st.lists(PARTS, min_size=1, max_size=7).map("".join))
def test_normalised_names_stay_as_they_are(name):
    canonical = normalize_region_name(name)
    assert normalize_region_name(canonical) == canonical
    assert normalize_region_name(f"  {name} ") == canonical
