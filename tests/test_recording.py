"""The bridge from MNE-Python's objects to arrays."""

import mne
import numpy as np
import pytest

from mne_sbi._recording import as_recording

SFREQ = 100.0


def make_info(names, kinds="misc"):
    return mne.create_info(names, SFREQ, kinds)


def make_raw(names=("a", "b", "c"), n_times=300, kinds="misc", seed=0):
    data = np.random.default_rng(seed).standard_normal((len(names), n_times))
    return mne.io.RawArray(data, make_info(list(names), kinds), verbose="error")


def make_epochs(n_epochs=4):
    data = np.random.default_rng(0).standard_normal((n_epochs, 3, 50))
    info = make_info(["a", "b", "c"])
    return mne.EpochsArray(data, info, verbose="error")


@pytest.fixture
def labels():
    return [
        mne.Label([0, 1], hemi="lh", name="cuneus-lh"),
        mne.Label([7, 9], hemi="rh", name="insula-rh"),
    ]


@pytest.fixture
def stc():
    data = np.arange(5.0)[:, np.newaxis] + np.arange(20.0)
    return mne.SourceEstimate(data, [[0, 1, 4], [7, 9]], 0, 1 / SFREQ)


def test_arrays_are_passed_on():
    X = np.zeros((2, 3, 4))
    recording = as_recording(X)
    assert recording.data is X and not recording.from_mne
    assert recording.names is None and len(recording) == 2


def test_raw():
    raw = make_raw()
    recording = as_recording(raw)
    assert recording.from_mne and recording.sfreq == SFREQ
    assert recording.names == ("a", "b", "c")
    (series,) = recording.data
    np.testing.assert_array_equal(series, raw.get_data())


def test_bads_and_channels_that_are_no_regions_are_left_out():
    raw = make_raw("abcd", kinds=["eeg", "eog", "eeg", "stim"])
    assert as_recording(raw).names == ("a", "c")
    raw.info["bads"] = ["a"]
    assert as_recording(raw).names == ("c",)
    raw.info["bads"] = ["a", "c"]
    with pytest.raises(ValueError, match="no channel that could be a region: all are"):
        as_recording(raw)


def test_segments_annotated_as_bad_are_left_out():
    raw = make_raw()
    raw.set_annotations(mne.Annotations([0.5, 2], [1.0, 0.5], ["BAD_jump", "blink"]))
    # Times of annotations and of a recording that was cut start at different places.
    for start, kept in ((0, np.r_[0:50, 150:300]), (20, np.r_[0:30, 130:280])):
        part = raw.copy().crop(start / SFREQ)
        recording = as_recording(part)
        (series,) = recording.data
        np.testing.assert_array_equal(series[:, kept], part.get_data()[:, kept])
        # Not joined, which would put steps into the series.
        assert np.isnan(np.delete(series, kept, axis=1)).all()
        assert recording.durations == (len(kept) / SFREQ,)


def test_what_annotations_excuse():
    """Values that are not finite, or constant, in annotated segments."""
    data = make_raw().get_data()
    data[1, 60:80] = np.nan
    with pytest.raises(ValueError, match="1 of 3 regions hold NaN .* values: b. Leave"):
        as_recording(mne.io.RawArray(data, make_info(["a", "b", "c"]), verbose="error"))
    raw = mne.io.RawArray(data, make_info(["a", "b", "c"]), verbose="error")
    raw.set_annotations(mne.Annotations(0.5, 0.5, "BAD_lost"))
    assert as_recording(raw).durations == (2.5,)
    raw.set_annotations(mne.Annotations(0.7, 0.5, "BAD_lost"))
    with pytest.raises(ValueError, match="values: b. Leave"):
        as_recording(raw)
    raw.set_annotations(mne.Annotations(0, 3, "BAD_all"))
    with pytest.raises(ValueError, match="All of the recording is annotated as bad"):
        as_recording(raw)


def test_flat_channels_are_named():
    raw = make_raw("abcd")
    raw.apply_function(lambda x: 0 * x + 7, picks=["b", "d"])
    with pytest.raises(ValueError, match="2 of 4 regions are flat: b, d. Leave them"):
        as_recording(raw)
    # A channel that was switched off but for a segment that is left out.
    raw = make_raw()
    raw.apply_function(lambda x: np.where(np.arange(300) < 100, x, 0), picks=["c"])
    as_recording(raw)
    raw.set_annotations(mne.Annotations(0, 1, "BAD_start"))
    with pytest.raises(ValueError, match="1 of 3 regions are flat: c. "):
        as_recording(raw)


def test_band_of_the_filters():
    raw = make_raw(kinds="eeg")
    assert as_recording(raw).band == (0, SFREQ / 2)
    filtered = raw.copy().filter(2, 30, picks="all", verbose="error")
    assert as_recording(filtered).band == (2, 30)
    assert as_recording([raw, filtered]).band == (2, 30)
    assert as_recording(np.zeros((1, 2))).band is None


def test_epochs_and_what_cross_validation_makes_of_them():
    epochs = make_epochs()
    recording = as_recording(epochs)
    assert len(recording) == 4
    np.testing.assert_array_equal(np.stack(recording.data), epochs.get_data())
    pieces = as_recording([epochs[i] for i in (2, 0)])
    np.testing.assert_array_equal(np.stack(pieces.data), epochs.get_data()[[2, 0]])


def test_list_of_recordings_of_different_lengths():
    recording = as_recording([make_raw(n_times=300), make_raw(n_times=200)])
    assert [series.shape for series in recording.data] == [(3, 300), (3, 200)]


def test_source_estimate_by_the_mean_over_labels(stc, labels):
    stc = stc - 1.0  # with negative values, as activity has
    recording = as_recording(stc, labels=labels)
    assert recording.names == ("cuneus-lh", "insula-rh")
    assert recording.sfreq == SFREQ
    np.testing.assert_allclose(recording.data[0][:, 0], [-0.5, 2.5])
    assert len(as_recording([stc, stc], labels=labels)) == 2


def test_source_estimate_with_a_source_space(shared_data):
    folder = shared_data / "mne_route"
    files = sorted((folder / "sample_small_aparc_labels").glob("*.label"))
    labels = [mne.read_label(file) for file in files]
    forward = mne.read_forward_solution(
        folder / "sample_small-fwd.fif", verbose="error"
    )
    vertices = [hemi["vertno"] for hemi in forward["src"]]
    rng = np.random.default_rng(0)
    stc = mne.SourceEstimate(
        rng.standard_normal((sum(map(len, vertices)), 50)), vertices, 0, 1 / SFREQ
    )
    recording = as_recording(stc, labels=labels, src=forward["src"])
    expected = mne.extract_label_time_course(
        stc, labels, forward["src"], mode="mean_flip", verbose="error"
    )
    np.testing.assert_array_equal(recording.data[0], expected)
    assert recording.names[0] == "bankssts-lh" and len(recording.names) == 68


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: "raw.fif", TypeError, "Read a file first"),
        (lambda: {"a": 1}, TypeError, "got dict"),
        (lambda: [make_raw(), 3], TypeError, r"something else: \['int'\]"),
        (
            lambda: [make_raw(), make_raw("abd")],
            ValueError,
            r"not in all: \['c', 'd'\]. Recording 1 lacks \['c'\] .* has \['d'\] bes",
        ),
        (
            lambda: [make_raw(), make_raw().resample(50, verbose="error")],
            ValueError,
            r"one sampling rate, got 100 and 50 Hz \(recording 1\). Use .resample",
        ),
        (
            lambda: mne.io.RawArray(np.full((1, 9), np.nan), make_info(["a"])),
            ValueError,
            "1 of 1 regions hold NaN or infinite values: a",
        ),
    ],
)
def test_errors(make, error, message):
    with mne.use_log_level("error"):
        X = make()
    with pytest.raises(error, match=message):
        as_recording(X)


def test_errors_of_source_estimates(stc, labels):
    with pytest.raises(ValueError, match="needs labels=.*read_labels_from_annot"):
        as_recording(stc)
    labels.append(mne.Label([3], hemi="lh", name="insula-lh"))
    with pytest.raises(ValueError, match="no source in the label 'insula-lh'"):
        as_recording(stc, labels=labels)
    vector = mne.VectorSourceEstimate(np.zeros((5, 3, 20)), stc.vertices, 0, 0.01)
    with pytest.raises(TypeError, match=r"VectorSourceEstimate .*\.magnitude\(\)"):
        as_recording(vector, labels=labels)
