"""Reading runs of XP1 and XP2 from files in their format, with known content."""

import numpy as np
import pytest

from mne_sbi.datasets import EEGfMRIRun, fetch_eeg_fmri, read_eeg_fmri

from .eeg_fmri_files import make_scores, make_xp1, xp1_markers


@pytest.fixture
def fetch(serve_set, tmp_path):
    """A function that serves and fetches a set, and returns the folder."""

    def fetch(name, files, **settings):
        serve_set(name, files)
        return fetch_eeg_fmri(name, path=tmp_path, verbose=False, **settings)

    return fetch


def test_xp1(fetch, tmp_path):
    fetch("xp1", make_xp1())
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path, verbose=False)
    assert isinstance(run, EEGfMRIRun)
    assert (run.subject, run.task, run.run) == ("sub-xp101", "eegfmriNF", "")
    assert run.raw.get_channel_types() == ["eeg", "eeg", "eeg", "ecg"]
    # Channel i is (i + 1) uV.
    np.testing.assert_allclose(
        run.raw.get_data()[:, [0, -1]], 1e-6 * np.array([[1, 2, 3, 4]] * 2).T, rtol=1e-6
    )
    positions = run.raw.get_montage().get_positions()["ch_pos"]
    assert positions["Oz"][1] < 0 < positions["Fp1"][1]
    # The scan starts 2 s before the EEG, which covers 40 of 45 volumes; the header's
    # repetition time, 9 s, is not that of the sidecar.
    assert run.t_r == 2.0
    np.testing.assert_allclose(run.onsets, 2.0 * np.arange(40), atol=1e-9)
    np.testing.assert_array_equal(run.volumes, np.arange(1, 41))
    img = run.load_bold()
    assert img.shape == (3, 4, 2, 40) and img.header.get_zooms() == (2, 2, 4, 2)
    # The file names no unit.
    assert img.header.get_xyzt_units()[1] == "sec"
    np.testing.assert_array_equal(img.get_fdata()[0, 0, 0], run.volumes)
    # Volume k moved by k mm to 3 k mm, and 4 k rad to 6 k rad.
    expected = run.volumes[:, np.newaxis] * [1e-3, 2e-3, 3e-3, 4, 5, 6]
    np.testing.assert_allclose(run.motion, expected)
    # In time of the EEG: the first rest block is where it begins.
    assert run.events["onset"].tolist() == [0, 20, 40, 60]
    assert run.events["trial_type"].tolist() == ["Rest", "Task-NF"] * 2
    with pytest.raises(ValueError, match="read-only"):
        run.onsets[0] = 1.0


@pytest.mark.parametrize("late", [0.4, -0.3])
def test_markers_refine_the_onsets(fetch, tmp_path, late):
    """Volumes come a bit later or earlier than the protocol says."""
    markers = xp1_markers(late=0.0)
    moved = [(k, d, t + late * (d == "R128")) for k, d, t in markers]
    moved = [m for m in moved if m[2] >= 0]
    fetch("xp1", make_xp1(markers=moved))
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    expected = 2.0 * np.arange(1, 46) - 2.0 + late
    expected = expected[(expected >= 0) & (expected <= 79.0025)]
    np.testing.assert_allclose(run.onsets, expected, atol=0.003)
    # The marker of every volume that has one.
    times = [t for _, d, t in moved if d == "R128"]
    assert np.abs(run.onsets[:, np.newaxis] - times).min(axis=0).max() < 0.003


def test_lost_first_marker(fetch, tmp_path):
    """Without its first S 99, the EEG was cut at the second one, 40 s later."""
    markers = xp1_markers(first_block=1)
    fetch("xp1", make_xp1(markers=markers, duration=41.0))
    with pytest.warns(
        RuntimeWarning, match="begins 42.0 s after .* 1 of 2 task blocks"
    ):
        (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    np.testing.assert_array_equal(run.volumes, np.arange(21, 41))
    np.testing.assert_allclose(run.onsets, 2.0 * np.arange(20), atol=1e-9)
    assert run.events["onset"].tolist() == [-40, -20, 0, 20]


def test_lost_marker_in_the_middle(fetch, tmp_path):
    """The number of markers does not tell which are lost; their times do."""
    blocks = [("Stimulus", "S  2", t) for t in (20.0, 72.0)]
    fetch("xp1", make_xp1(markers=blocks))
    with pytest.warns(RuntimeWarning, match="do not fit the 2 blocks of the protocol"):
        (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    np.testing.assert_allclose(run.onsets, 2.0 * np.arange(40), atol=1e-12)


def test_without_markers(fetch, tmp_path):
    fetch("xp1", make_xp1(markers=[("New Segment", "", 0.0)]))
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    np.testing.assert_allclose(run.onsets, 2.0 * np.arange(40), atol=1e-12)


def test_useless_markers(fetch, tmp_path):
    rng = np.random.default_rng(0)
    noise = [("Response", "R128", t) for t in rng.uniform(0, 80, 40)]
    blocks = [("Stimulus", "S  2", 10.0 * i) for i in range(5)]
    fetch("xp1", make_xp1(markers=noise + blocks))
    with pytest.warns(RuntimeWarning) as caught:
        (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    messages = " ".join(str(warning.message) for warning in caught)
    assert "5 markers of task blocks" in messages and "not 2 s apart" in messages
    np.testing.assert_allclose(run.onsets, 2.0 * np.arange(40), atol=1e-12)


def test_incomplete_runs_are_told(fetch, tmp_path, capsys):
    fetch("xp1", make_xp1())
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path, verbose="info")
    assert run.task == "eegfmriNF"
    assert "EEG or fMRI is missing: motorloc" in capsys.readouterr().out


def test_nothing_to_read(fetch, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"fetch_eeg_fmri\('xp1', 'sub-xp101'\)"
    ):
        read_eeg_fmri("xp1", "xp101", path=tmp_path)
    fetch("xp1", make_xp1())
    with pytest.raises(FileNotFoundError, match="people found there: sub-xp101;"):
        read_eeg_fmri("xp1", "xp107", path=tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'eegfmriNF'"):
        read_eeg_fmri("xp1", "xp101", tasks="eegfmrinf", path=tmp_path)
    with pytest.raises(ValueError, match="read_sleep_features"):
        read_eeg_fmri("sleep_features", "sub-01", path=tmp_path)
    with pytest.raises(ValueError, match="scores"):
        read_eeg_fmri("xp2", "xp201", what="bold", path=tmp_path)


def test_eeg_of_another_run(fetch, tmp_path):
    fetch("xp1", make_xp1(n_volumes=1))
    with pytest.raises(ValueError, match="covers none of the 1 volumes"):
        read_eeg_fmri("xp1", "xp101", path=tmp_path)


def test_wrong_motion(fetch, tmp_path):
    folder = fetch("xp1", make_xp1())
    file = next(folder.rglob("*headmotion.tsv"))
    lines = file.read_text().splitlines()
    # Names above the columns are fine, a missing row is not.
    file.write_text("\n".join(["tx\tty\ttz\trx\try\trz", *lines]))
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    assert run.motion[0, 1] == pytest.approx(2e-3)
    # They say which column is which; the tables of a set can be in UTF-16.
    names = "rot_x\trot_y\trot_z\ttrans_x\ttrans_y\ttrans_z"
    file.write_text("\n".join([names, *lines]), encoding="utf-16")
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    np.testing.assert_allclose(run.motion[0], [4e-3, 5e-3, 6e-3, 1, 2, 3])
    file.write_text("\n".join(["a\tb\tc\td\te\tf", *lines]))
    with pytest.raises(ValueError, match="columns a, b, c, .*trans_x, trans_y"):
        read_eeg_fmri("xp1", "xp101", path=tmp_path)
    file.write_text("\n".join(lines[:-1]))
    with pytest.raises(ValueError, match="6 numbers for each of 45 volumes, got 44"):
        read_eeg_fmri("xp1", "xp101", path=tmp_path)
    file.unlink()
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    assert run.motion is None


def test_no_repetition_time(fetch, tmp_path):
    folder = fetch("xp1", make_xp1(markers=[("New Segment", "", 0.0)]))
    sidecar = folder / "sub-xp101" / "func" / "sub-xp101_task-eegfmriNF_bold.json"
    sidecar.unlink()
    with pytest.raises(FileNotFoundError, match="No RepetitionTime"):
        read_eeg_fmri("xp1", "xp101", path=tmp_path)
    # What holds for a task stands in the set's folder.
    (folder / "task-eegfmriNF_bold.json").write_text('{"RepetitionTime": 4}')
    (run,) = read_eeg_fmri("xp1", "xp101", path=tmp_path)
    assert run.t_r == 4.0
    (folder / "task-eegfmriNF_bold.json").write_text('{"RepetitionTime": 2000}')
    with pytest.raises(ValueError, match="is 2000, but must be in s"):
        read_eeg_fmri("xp1", "xp101", path=tmp_path)


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("name", ["xp1", "xp2"])
def test_scores(fetch, tmp_path, name, new):
    labels = {"xp1": ["eegNF"], "xp2": ["1dNF_run-01", "1dNF_run-02"]}[name]
    subject = {"xp1": "sub-xp104", "xp2": "sub-xp201"}[name]
    fetch(name, make_scores(name, subject, labels, new), what="scores")
    runs = read_eeg_fmri(name, subject, what="scores", path=tmp_path)
    assert [run.run for run in runs] == {"xp1": [""], "xp2": ["01", "02"]}[name]
    run, t_r = runs[0], {"xp1": 2.0, "xp2": 1.0}[name]
    assert run.raw.info["sfreq"] == 200 and len(run.raw.ch_names) == 64
    assert run.raw.get_channel_types().count("ecg") == 1
    # Seconds follow each other: channel c is c + t / 1000 uV at sample t.
    expected = 1e-6 * (np.arange(64)[:, np.newaxis] + np.arange(6000) / 1000)
    np.testing.assert_allclose(run.raw.get_data(), expected, rtol=1e-9)
    n_volumes = round(30 / t_r)
    assert run.t_r == t_r and run.bold is None
    np.testing.assert_array_equal(run.onsets, t_r * np.arange(n_volumes))
    assert run.region_names[-1] == "background" and len(run.region_names) == 3
    np.testing.assert_array_equal(
        run.regions, np.arange(n_volumes)[:, np.newaxis] + [0, 100, 200]
    )
    with pytest.raises(ValueError, match="use run.regions"):
        run.load_bold()


def test_scores_of_another_shape(fetch, tmp_path):
    from .eeg_fmri_files import make_mat

    files = make_scores("xp2", "sub-xp201", ["1dNF_run-01"], new=True)
    folder = fetch("xp2", files)
    eeg = next(folder.rglob("*NFeeg_scores.mat"))
    eeg.write_bytes(make_mat({"NF_eeg": {"eeg": np.zeros((63, 10))}}, new=True))
    with pytest.raises(ValueError, match=r"EEG of 64 x any, got shape \(63, 10\)"):
        read_eeg_fmri("xp2", "xp201", path=tmp_path)
    for new in (False, True):
        eeg.write_bytes(make_mat({"NF_eeg": {"other": np.zeros((64, 10))}}, new))
        with pytest.raises(ValueError, match="no NF_eeg.eeg; there is other"):
            read_eeg_fmri("xp2", "xp201", path=tmp_path)


def test_pairs_of_runs(fetch, tmp_path):
    """What is read is what pairs of EEG and fMRI are made of."""
    import nibabel
    from nilearn.maskers import NiftiMasker

    from mne_sbi.eeg_fmri._make_pairs import make_pairs

    fetch("xp1", make_xp1(("sub-xp101", "sub-xp102")))
    runs = [read_eeg_fmri("xp1", s, path=tmp_path)[0] for s in ("xp101", "xp102")]
    rng = np.random.default_rng(0)
    images = []
    for run in runs:
        run.raw.load_data()
        run.raw.apply_function(lambda x: x + 1e-6 * rng.standard_normal(x.shape))
        img = run.load_bold()
        data = 1000 + rng.standard_normal(img.shape, np.float32)
        images.append(nibabel.Nifti1Image(data, img.affine, img.header))
    mask = nibabel.Nifti1Image(np.ones(img.shape[:3], np.uint8), img.affine)
    pairs = make_pairs(
        [run.raw for run in runs],
        images,
        NiftiMasker(mask),
        timing=[run.onsets for run in runs],
    )
    X, y, groups, times = pairs
    assert set(groups) == {"sub-xp101", "sub-xp102"} and len(X) == len(y) > 40
    assert X.shape[1] == 3 and y.shape[1] == 24  # without the ECG; all voxels
    assert times.max() < 81
