import pickle

import mne
import numpy as np
import pytest

from mne_sbi.eeg_fmri._alignment import VolumeTiming, align_volumes

SFREQ = 250.0
T_R, FIRST, N = 2.16, 10.0, 120
TRUE = FIRST + T_R * np.arange(N)


def make_raw(times, description="Response/R128", end=None):
    end = TRUE[-1] + T_R if end is None else end
    info = mne.create_info(["Cz"], SFREQ, "eeg")
    raw = mne.io.RawArray(np.zeros((1, round(end * SFREQ))), info, verbose="error")
    raw.set_annotations(mne.Annotations(times, 0.0, description))
    return raw


def test_clean_markers():
    timing = align_volumes(make_raw(TRUE), N, T_R)
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-9)
    assert timing.t_r == pytest.approx(T_R) and not timing.repaired
    assert timing.jitter < 1e-9 and len(timing) == N
    # Nothing else than the markers has to be known.
    again = align_volumes(make_raw(TRUE))
    np.testing.assert_allclose(again.onsets, TRUE, atol=1e-9)


def test_lost_doubled_and_spurious_markers_are_repaired(caplog):
    times = np.delete(TRUE, [5, 6, 40, 77])
    times = np.r_[times, TRUE[[3, 60]] + 0.004, 33.3, 100.05, 177.77]
    with caplog.at_level("INFO", logger="mne"):
        timing = align_volumes(make_raw(times), N, T_R, verbose="info")
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-6)
    assert (timing.n_missing, timing.n_doubled, timing.n_extra) == (4, 2, 3)
    assert timing.repaired
    assert "repaired: <VolumeTiming | 120 volumes every 2.16 s from 10 s on; " in (
        caplog.text
    )
    assert "4 markers missing, 2 markers doubled, 3 markers extra" in caplog.text


@pytest.mark.parametrize("t_r", [None, T_R, 2.15])
@pytest.mark.parametrize("seed", range(8))
def test_volumes_are_recovered_to_the_sample(seed, t_r):
    rng = np.random.default_rng(seed)
    jitter = 0.003
    kept = rng.random(N) > 0.08
    kept[[0, -1]] = True
    times = (TRUE + jitter * rng.normal(size=N))[kept]
    doubled = times[rng.random(len(times)) < 0.05]
    # Not where a lost one was: nothing could tell them from it.
    spurious = rng.choice(TRUE[:-1], 8) + rng.uniform(0.2, T_R - 0.2, 8)
    times = np.r_[times, doubled + 0.006, spurious]
    times = np.round(times * SFREQ) / SFREQ
    timing = align_volumes(make_raw(times), N, t_r)
    # Rounding a lag or an onset to samples gives the right one, or its neighbour.
    assert np.abs(timing.onsets - TRUE).max() < 0.5 / SFREQ
    assert timing.n_missing == N - kept.sum()
    assert (timing.n_doubled, timing.n_extra) == (len(doubled), 8)
    assert 0.6 * jitter < timing.jitter < 1.5 * jitter
    assert timing.t_r == pytest.approx(T_R, rel=1e-4)


def test_the_first_marker_has_no_special_role():
    # 80 ms late: a grid that starts there would be late everywhere.
    times = TRUE.copy()
    times[0] += 0.08
    timing = align_volumes(make_raw(times), N, T_R)
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-6)
    assert not timing.repaired
    assert timing.jitter == pytest.approx(0.08 / np.sqrt(N))


def test_errors_of_the_spacing_do_not_add_up():
    # With a step that is 0.8 % off, the last of 1000 volumes would be 8 steps off.
    true = FIRST + 1.008 * np.arange(1000)
    timing = align_volumes(make_raw(true, end=1030.0), 1000, 1.0)
    np.testing.assert_allclose(timing.onsets, true, atol=1e-6)


def test_clocks_that_drift_are_followed():
    true = FIRST + 2.0001 * np.arange(900)
    timing = align_volumes(make_raw(true, end=2000.0), 900, 2.0)
    assert timing.t_r == pytest.approx(2.0001, rel=1e-9)


def test_a_recording_that_stops_with_the_markers_is_no_proof_of_a_lost_first_one():
    # It may as well have been stopped one volume early, but that is the rarer case, and
    # a wrong remedy for it would pair each volume with the EEG of the next.
    stopped = make_raw(TRUE[:-1], end=TRUE[-1])
    for raw, onset in ((stopped, "7.84"), (make_raw(TRUE[1:]), "10")):
        with pytest.raises(ValueError, match="120. If markers of the first vol") as exc:
            align_volumes(raw, N, T_R)
        first, last = str(exc.value).split("Only if you know that it was: ")
        assert f"give align_volumes first_onset={onset};" in first
        assert "stopped" not in first.split("first_onset=")[0]
        assert last.startswith("119 volumes fit") and "n_volumes=119" in last
    timing = align_volumes(raw, N, T_R, first_onset=10.0)
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-6)


def test_markers_without_room_for_the_others_before_them():
    with pytest.raises(ValueError, match="n_volumes is 120. Give .*first_onset=10 if"):
        align_volumes(make_raw(TRUE[:100]), N, T_R)
    with pytest.raises(ValueError, match="given as event .3 times.*taken for onsets"):
        align_volumes(make_raw(TRUE), N, T_R, event=TRUE[:3])
    with pytest.raises(ValueError, match="given as event .3 times.* 117 volumes fit"):
        align_volumes(make_raw(TRUE), N, T_R, event=TRUE[3:6])


def test_a_lost_marker_at_an_end_with_room_on_both_sides_is_asked_for():
    raw = make_raw(TRUE[1:], end=300.0)
    with pytest.raises(ValueError, match="119 volumes, but n_volumes is 120") as error:
        align_volumes(raw, N, T_R)
    assert "first_onset=10 if markers at the beginning are lost" in str(error.value)
    assert "first_onset=12.16 if markers at the end are lost" in str(error.value)
    timing = align_volumes(raw, N, T_R, first_onset=10.0)
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-6)
    timing = align_volumes(raw, N, T_R, first_onset=12.1)
    np.testing.assert_allclose(timing.onsets, TRUE + T_R, atol=1e-6)
    assert timing.n_missing == 1
    with pytest.raises(ValueError, match="lies between two volumes"):
        align_volumes(raw, N, T_R, first_onset=11.1)


def test_markers_of_dummy_volumes_are_asked_for():
    with pytest.raises(ValueError, match="first_onset=18.64 if the first are of dummy"):
        align_volumes(make_raw(TRUE), N - 4, T_R)
    timing = align_volumes(make_raw(TRUE), N - 4, T_R, first_onset=TRUE[4])
    np.testing.assert_allclose(timing.onsets, TRUE[4:], atol=1e-6)
    assert (timing.n_extra, timing.n_missing) == (4, 0)


def test_many_lost_markers_warn():
    times = np.delete(TRUE, np.arange(30, 50))
    with pytest.warns(RuntimeWarning, match="20 of 120 volumes have no marker"):
        timing = align_volumes(make_raw(times), N, T_R)
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-6)


def test_one_marker_is_the_start_of_the_scan(caplog):
    raw = make_raw([FIRST], "Scan Start")
    with caplog.at_level("INFO", logger="mne"):
        timing = align_volumes(raw, N, T_R, verbose="info")
    np.testing.assert_allclose(timing.onsets, TRUE)
    assert "computed from the one marker 'Scan Start'" in caplog.text
    with pytest.raises(ValueError, match="only one marker.*give t_r as well"):
        align_volumes(raw, N)
    with pytest.raises(ValueError, match="give n_volumes and t_r as well"):
        align_volumes(raw)


@pytest.mark.parametrize(
    "description",
    ["R128", "Response/R128", "Stimulus/T  1", "Scanner/Scan Start", "Volume/V  1"]
    + ["volume", "Response/R 128"],
)
def test_usual_markers_are_known(description):
    raw = make_raw(TRUE, description)
    raw.annotations.append([1.0, 2.0], [0.0, 0.0], ["New Segment/", "Stimulus/S 99"])
    np.testing.assert_allclose(align_volumes(raw).onsets, TRUE, atol=1e-6)


def test_markers_of_each_volume_are_preferred_to_one_of_the_start():
    raw = make_raw(TRUE, "Volume/V  1")
    raw.annotations.append([FIRST - 5.0], [0.0], ["Scan Start"])
    np.testing.assert_allclose(align_volumes(raw).onsets, TRUE, atol=1e-6)


def test_a_pattern_is_sought_anywhere_in_the_description():
    raw = make_raw(TRUE, "Comment/my marker (x)")
    for event in ("marker", r"\(x\)$"):
        np.testing.assert_allclose(
            align_volumes(raw, event=event).onsets, TRUE, atol=1e-6
        )
    with pytest.raises(ValueError, match="no regular expression"):
        align_volumes(raw, event="(x")


def test_onsets_can_be_given():
    raw = make_raw([])
    timing = align_volumes(raw, event=np.delete(TRUE, 7))
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-6)
    with pytest.raises(ValueError, match="holds no time"):
        align_volumes(raw, event=[])


def test_a_stimulus_channel():
    samples = np.round(TRUE * SFREQ).astype(int)
    data = np.zeros((2, samples[-1] + 1000))
    data[1, samples], data[1, 100] = 4, 9
    info = mne.create_info(["Cz", "STI"], SFREQ, ["eeg", "stim"])
    raw = mne.io.RawArray(data, info, first_samp=500, verbose="error")
    with pytest.raises(ValueError, match=r"several events: event 4 .*\(120, .*event=4"):
        align_volumes(raw)
    timing = align_volumes(raw, event=4)
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-3)
    raw.crop(5.0)
    timing = align_volumes(raw)
    np.testing.assert_allclose(timing.onsets, TRUE - 5.0, atol=1e-3)


@pytest.mark.parametrize("date", [None, 1.6e9])
def test_times_are_from_the_first_sample(date):
    raw = make_raw(TRUE)
    annotations = raw.annotations.copy()
    raw.set_meas_date(date)
    raw.set_annotations(mne.Annotations(annotations.onset, 0.0, "R128"))
    timing = align_volumes(raw.crop(4.0))
    np.testing.assert_allclose(timing.onsets, TRUE - 4.0, atol=1e-6)


def test_no_markers():
    with pytest.raises(ValueError, match="no marker of volumes. It has no annotation"):
        align_volumes(make_raw([]))
    raw = make_raw([1.0, 2.0], "Stimulus/S  1")
    with pytest.raises(ValueError, match=r"annotations are 'Stimulus/S  1' \(2\)"):
        align_volumes(raw)
    with pytest.raises(ValueError, match="no event 'R128'.*event=: part of a desc"):
        align_volumes(raw, event="R128")
    with pytest.raises(ValueError, match="no event 3"):
        align_volumes(raw, event=3)


def test_several_kinds_of_marker():
    raw = make_raw(np.r_[TRUE, TRUE + 1], ["R128"] * N + ["R128 off"] * N)
    with pytest.raises(ValueError, match=r"Several kinds.*event='\^R128\$'"):
        align_volumes(raw)
    np.testing.assert_allclose(align_volumes(raw, event="^R128$").onsets, TRUE)


class TestKindsOfMarkers:
    """A hundred volumes every 2 s from 10 s on, and stimuli."""

    volumes = 10 + 2.0 * np.arange(100)

    def make(self, stimuli, volumes=None, names=("Stimulus/T  1", "Volume/V  1")):
        volumes = self.volumes if volumes is None else volumes
        raw = make_raw(volumes, names[1], end=215.0)
        raw.annotations.append(stimuli, 0.0, names[0])
        return raw

    @pytest.mark.parametrize(
        "stimuli",
        [
            12.9 + 15.554 * np.arange(11),  # regular by themselves
            volumes[::9] + 0.9,  # with the scanner, over the whole scan
            volumes[1:] + 0.9,  # every volume but the first
            np.random.default_rng(0).uniform(10, 210, 60),
        ],
        ids=["regular", "locked", "each", "irregular"],
    )
    @pytest.mark.parametrize("swap", [False, True])
    def test_the_kind_that_fits_wins(self, stimuli, swap):
        names = ("Stimulus/T  1", "Volume/V  1")[:: -1 if swap else 1]
        raw = self.make(stimuli, names=names)
        timing = align_volumes(raw, 100, 2.0)
        np.testing.assert_allclose(timing.onsets, self.volumes, atol=1e-6)
        assert not timing.repaired
        # Nothing tells which they are if nothing is known of the scan.
        there = rf"'{names[1]}' \(100, every 2 s\)"
        with pytest.raises(ValueError, match=rf"Several kinds .*{there}"):
            align_volumes(raw)

    @pytest.mark.parametrize("known", [{"n_volumes": 100}, {"t_r": 2.0}])
    def test_one_of_both_can_be_enough(self, known):
        raw = self.make(12.9 + 15.554 * np.arange(11))
        timing = align_volumes(raw, **known)
        np.testing.assert_allclose(timing.onsets, self.volumes, atol=1e-6)

    def test_kinds_that_fit_alike(self):
        raw = self.make(self.volumes + 0.9)
        both = r"'Stimulus/T  1' \(100, every 2 s\), 'Volume/V  1' \(100, every 2 s\)"
        with pytest.raises(ValueError, match=f"Several kinds .* fit .*({both}|'V)"):
            align_volumes(raw, 100, 2.0)
        timing = align_volumes(raw, 100, 2.0, event="V  1")
        np.testing.assert_allclose(timing.onsets, self.volumes, atol=1e-6)

    def test_the_most_complete_of_steady_kinds_is_no_evidence(self):
        """Stimuli with every volume, next to markers of which a fifth is lost."""
        lossy = np.delete(self.volumes, np.arange(3, 100, 5))
        raw = self.make(self.volumes + 0.9, lossy)
        with pytest.raises(ValueError, match="Several kinds .* fit .*event="):
            align_volumes(raw, 100, 2.0)
        with pytest.warns(RuntimeWarning, match="20 of 100 volumes have no marker"):
            timing = align_volumes(raw, 100, 2.0, event="V  1")
        np.testing.assert_allclose(timing.onsets, self.volumes, atol=1e-6)

    def test_no_kind_fits(self):
        raw = self.make(12.9 + 15.554 * np.arange(11))
        message = (
            r"No kind of markers fits 70 volumes and t_r=2.7 s. .*V  1' \(100, every 2 "
            r"s\), 'Stimulus/T  1' \(11, every 15.554 s\)\. .*event='Volume/V  1'"
        )
        with pytest.raises(ValueError, match=message):
            align_volumes(raw, 70, 2.7)

    def test_the_first_volume_is_never_guessed(self):
        """The error of the kind that it must be, with its remedies."""
        raw = self.make(12.9 + 15.554 * np.arange(11), self.volumes[:-1])
        message = "V  1.* over 99 volumes, but n_volumes is 100: .* first_onset=10 if"
        with pytest.raises(ValueError, match=message):
            align_volumes(raw, 100, 2.0)
        timing = align_volumes(raw, 100, 2.0, first_onset=10.0)
        np.testing.assert_allclose(timing.onsets, self.volumes, atol=1e-6)

    def test_events_of_a_channel_and_annotations(self):
        """Whichever fits; names win over numbers, and the same twice is one."""

        def add_channel(raw, times, code=3):
            data = np.zeros((1, raw.n_times))
            data[0, np.round(times * SFREQ).astype(int)] = code
            info = mne.create_info(["STI"], SFREQ, "stim")
            stim = mne.io.RawArray(data, info, verbose="error")
            return raw.add_channels([stim], force_update_info=True)

        stimuli = 12.9 + 15.554 * np.arange(11)
        raw = add_channel(make_raw(stimuli, "Stimulus/T  1", 215.0), self.volumes)
        timing = align_volumes(raw, 100, 2.0)
        np.testing.assert_allclose(timing.onsets, self.volumes, atol=1e-6)
        for late in (0.0, 0.9):
            raw = make_raw(self.volumes, "R128", end=215.0)
            raw = add_channel(raw, self.volumes + late)
            timing = align_volumes(raw, 100, 2.0)
            np.testing.assert_allclose(timing.onsets, self.volumes, atol=1e-6)

    def test_long_steps_warn(self):
        raw = make_raw(12.9 + 15.554 * np.arange(11), "Stimulus/T  1", 215.0)
        with pytest.warns(RuntimeWarning, match="every 15.554 s, which is long .* t_r"):
            align_volumes(raw)
        assert len(align_volumes(raw, 11, 15.554)) == 11


def test_another_repetition_time():
    with pytest.raises(ValueError, match="t_r is 2 s, but the markers .* 2.16 s"):
        align_volumes(make_raw(TRUE), N, 2.0)
    with pytest.raises(ValueError, match="t_r is 2.2 s, but the markers .* 2.16 s"):
        align_volumes(make_raw(TRUE), N, 2.2)


def test_a_marker_for_each_slice():
    slices = FIRST + T_R / 30 * np.arange(30 * N)
    raw = make_raw(slices)
    with pytest.raises(ValueError, match=r"each of 30 slices.*times\[?.*::30\]"):
        align_volumes(raw, N, T_R)
    timing = align_volumes(raw, N, T_R, event=slices[::30])
    np.testing.assert_allclose(timing.onsets, TRUE, atol=1e-6)


def test_too_few_markers_and_irregular_ones():
    with pytest.raises(ValueError, match="2 markers.*Give t_r as well"):
        align_volumes(make_raw(TRUE[:2]))
    assert len(align_volumes(make_raw(TRUE[:2]), t_r=T_R)) == 2
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="on no regular grid|No two neighbours|come"):
        align_volumes(make_raw(rng.uniform(10, 260, 100)), t_r=T_R)
    two_scans = np.r_[TRUE[:60], TRUE[60:] + 0.97]
    with pytest.raises(ValueError, match="holds several scans, crop it"):
        align_volumes(make_raw(two_scans, end=300.0))
    with pytest.raises(ValueError, match="All markers of volumes are at one time"):
        align_volumes(make_raw([5.0, 5.0, 5.0]))


def test_the_recording_ends_before_the_scan():
    raw = make_raw(TRUE).crop(0, TRUE[99] + 1.5)
    with pytest.raises(ValueError, match=r"ends at 225.3.* 100 volumes fit") as error:
        align_volumes(raw, N, T_R)
    assert "index_img(bold_img, slice(0, 100))" in str(error.value)
    late = make_raw(TRUE).crop(TRUE[3] - 1.0)
    with pytest.raises(ValueError, match="begins 5.48 s before the recording"):
        align_volumes(late, N, T_R, event=TRUE - TRUE[3] + 1.0)


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"n_volumes": 0}, ValueError, "n_volumes must be a positive integer"),
        ({"t_r": -1.0}, ValueError, "t_r must be positive"),
        ({"t_r": 2160}, ValueError, r"t_r is in s; 2160 looks like ms: give t_r=2.16"),
        ({"tolerance": 0.0}, ValueError, "tolerance must be positive"),
        ({"first_onset": 500.0}, ValueError, "after the last marker"),
    ],
)
def test_wrong_settings(settings, error, message):
    with pytest.raises(error, match=message):
        align_volumes(make_raw(TRUE), **settings)
    with pytest.raises(TypeError, match="must be an mne.io.Raw, got ndarray"):
        align_volumes(TRUE)


def test_timing_is_frozen():
    timing = VolumeTiming([1.0, 3.0], 2.0, n_missing=1, jitter=0.002)
    assert repr(timing) == (
        "<VolumeTiming | 2 volumes every 2 s from 1 s on; "
        "1 marker missing; jitter 2 ms>"
    )
    for each in (timing, pickle.loads(pickle.dumps(timing))):
        with pytest.raises(ValueError, match="read-only"):
            each.onsets[0] = 0
    with pytest.raises(ValueError, match="increasing"):
        VolumeTiming([1.0, 1.0], 2.0)


def test_a_lost_repetition_time_in_the_header_is_named():
    """A header that says 1 s, as tools that lose it write, with a marker per volume."""
    times = 30.0 + 2.0 * np.arange(60)
    raw = make_raw(times, end=155.0)
    for first_onset in (None, 30.0):
        with pytest.raises(
            ValueError, match=r"60 volumes come every 2 s, so t_r is not 1 s"
        ):
            align_volumes(raw, 60, 1.0, first_onset=first_onset)
    for lost in (0, 7, 59):  # also with a marker lost
        with pytest.raises(ValueError, match=r"every 2 s, so t_r is not 1 s.*set_zoom"):
            align_volumes(make_raw(np.delete(times, lost), end=155.0), 60, 1.0)
    # Every second marker lost is another matter.
    with pytest.warns(RuntimeWarning, match="29 of 59 volumes have no marker"):
        timing = align_volumes(make_raw(times[::2], end=155.0), 59, 2.0)
    np.testing.assert_allclose(timing.onsets, times[:59], atol=1e-9)
