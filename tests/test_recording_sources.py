"""Source estimates become time series of regions."""

import mne
import nibabel
import numpy as np
import pytest

from mne_sbi._recording import as_recording

SFREQ = 100.0
N_TIMES = 20


def make_stc(vertices, seed=0, cls=mne.SourceEstimate, **kwargs):
    n = sum(len(v) for v in vertices)
    data = np.random.default_rng(seed).standard_normal((n, N_TIMES))
    return cls(data, [np.array(v) for v in vertices], 0, 1 / SFREQ, **kwargs)


@pytest.fixture
def stc():
    return make_stc([[0, 1, 4], [7, 9]])


@pytest.fixture
def labels():
    return [
        mne.Label([0, 1, 2], hemi="lh", name="cuneus-lh"),
        mne.Label([9], hemi="rh", name="insula-rh"),
    ]


def test_mean_and_max_by_hand(stc, labels):
    expected = [stc.data[:2].mean(axis=0), stc.data[4]]
    for mode in ("auto", "mean"):
        recording = as_recording(stc, labels=labels, mode=mode)
        np.testing.assert_allclose(recording.data[0], expected)
    recording = as_recording(stc, labels=labels, mode="max")
    np.testing.assert_allclose(recording.data[0][0], np.abs(stc.data[:2]).max(axis=0))
    assert recording.names == ("cuneus-lh", "insula-rh")
    assert recording.is_series and recording.from_mne and recording.sfreq == SFREQ
    assert recording.durations == (0.2,)


def test_label_of_both_hemispheres(stc, labels):
    both = labels[0] + labels[1]
    (series,) = as_recording(stc, labels=both).data
    np.testing.assert_allclose(series[0], stc.data[[0, 1, 4]].mean(axis=0))


def test_what_is_not_cortex_is_left_out(stc, labels):
    rest = mne.Label([100], hemi="lh", name="unknown-lh")
    with mne.utils.catch_logging(verbose="info") as log:
        recording = as_recording(stc, labels=[rest, *labels])
    assert recording.names == ("cuneus-lh", "insula-rh")
    assert "left out: unknown-lh" in log.getvalue()


def test_list_of_people(stc, labels):
    other = make_stc([[0, 4], [7, 9]], seed=1)
    recording = as_recording([stc, other], labels=labels)
    assert len(recording) == 2
    np.testing.assert_allclose(recording.data[1], other.data[[0, 3]])


@pytest.fixture
def surface():
    """A source space with normals that point up at even vertices, and down at odd."""
    normals = np.zeros((12, 3))
    normals[:, 2] = 1 - 2 * (np.arange(12) % 2)
    spaces = []
    for hemi, vertices in ((101, [0, 1, 4]), (102, [7, 9])):
        spaces.append(
            {
                "type": "surf",
                "id": hemi,
                "np": 12,
                "nn": normals,
                "rr": normals * 0.05,
                "vertno": np.array(vertices),
                "nuse": len(vertices),
                "inuse": np.isin(np.arange(12), vertices).astype(int),
                "coord_frame": 5,
                "subject_his_id": "someone",
            }
        )
    return mne.SourceSpaces(spaces)


def test_signs_are_aligned_with_a_source_space(stc, labels, surface):
    difference = (stc.data[0] - stc.data[1]) / 2
    for mode in ("auto", "mean_flip"):
        (series,) = as_recording(stc, labels=labels, src=surface, mode=mode).data
        np.testing.assert_allclose(np.abs(series[0]), np.abs(difference))
    (series,) = as_recording(stc, labels=labels, src=surface, mode="mean").data
    np.testing.assert_allclose(series[0], stc.data[:2].mean(axis=0))
    expected = mne.extract_label_time_course(stc, labels, surface, mode="pca_flip")
    (series,) = as_recording(stc, labels=labels, src=surface, mode="pca_flip").data
    np.testing.assert_array_equal(series, expected)


def test_magnitudes_are_said_to_be_none_of_the_activity(stc, labels):
    with pytest.warns(RuntimeWarning, match="has no negative value, as a magnitude"):
        as_recording(abs(stc), labels=labels)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """An atlas of three regions, in voxels of 5 mm."""
    values = np.zeros((24, 24, 24), np.int32)
    values[2:12, 2:22, 2:22] = 10
    values[12:22, 2:12, 2:22] = 49
    values[12:22, 12:22, 2:22] = 50
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    affine[:3, 3] = -57.5
    fname = tmp_path_factory.mktemp("atlas") / "aparc+aseg.mgz"
    nibabel.save(nibabel.MGHImage(values, affine), fname)
    return fname


@pytest.fixture(scope="module")
def volume(atlas):
    return mne.setup_volume_source_space(
        pos=15.0,
        mri=atlas,
        sphere=(0, 0, 0, 0.045),
        sphere_units="m",
        mindist=0,
        verbose="error",
    )


def make_volume_stc(volume, seed=0):
    """One time series per region, which its sources have in common."""
    series = np.random.default_rng(seed).standard_normal((3, N_TIMES))
    # FreeSurfer's surface coordinates run against the first two axes of voxels.
    x, _, z = volume[0]["rr"][volume[0]["vertno"]].T
    region = np.where(x > 0, 0, np.where(z > 0, 1, 2))
    stc = mne.VolSourceEstimate(
        series[region], [volume[0]["vertno"]], 0, 1 / SFREQ, subject=None
    )
    return stc, series


NAMES = ("Left-Thalamus-Proper", "Right-Thalamus-Proper", "Right-Caudate")


def test_volume_with_every_region_of_an_atlas(atlas, volume):
    stc, series = make_volume_stc(volume)
    recording = as_recording(stc, labels=atlas, src=volume)
    assert recording.names == NAMES
    expected = mne.extract_label_time_course(
        stc, str(atlas), volume, mode="mean", verbose="error"
    )
    np.testing.assert_allclose(recording.data[0], expected[-3:])
    # Voxels at the border take part of their neighbours'.
    for made, true in zip(recording.data[0], series, strict=True):
        assert np.corrcoef(made, true)[0, 1] > 0.95
    assert len(as_recording([stc, stc], labels=str(atlas), src=volume)) == 2


def test_volume_with_chosen_regions_in_their_order(atlas, volume):
    stc, _ = make_volume_stc(volume)
    every = as_recording(stc, labels=atlas, src=volume).data[0]
    names = [NAMES[2], NAMES[0]]
    recording = as_recording(stc, labels=(atlas, names), src=volume, mode="mean")
    assert recording.names == tuple(names)
    np.testing.assert_array_equal(recording.data[0], every[[2, 0]])
    recording = as_recording(stc, labels=[atlas, {"x": 49, "y": 10}], src=volume)
    assert recording.names == ("x", "y")
    np.testing.assert_array_equal(recording.data[0], every[[1, 0]])
    recording = as_recording(stc, labels=(atlas, NAMES[1]), src=volume)
    np.testing.assert_array_equal(recording.data[0], every[[1]])


def test_mixed_source_space(labels, surface, volume):
    """Surface labels, and the whole of each volume under its own name."""
    part = dict(volume[0]) | {"seg_name": "Left-Amygdala", "coord_frame": 5}
    mixed = mne.SourceSpaces([*surface, part])
    vertices = [space["vertno"] for space in mixed]
    stc = make_stc(vertices, cls=mne.MixedSourceEstimate)
    recording = as_recording(stc, labels=labels, src=mixed, mode="mean")
    assert recording.names == ("cuneus-lh", "insula-rh", "Left-Amygdala")
    expected = [stc.data[:2].mean(axis=0), stc.data[4], stc.data[5:].mean(axis=0)]
    np.testing.assert_allclose(recording.data[0], expected)
    with pytest.raises(ValueError, match="MixedSourceEstimate needs src="):
        as_recording(stc, labels=labels)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"labels": None}, ValueError, "needs labels=.*read_labels_from_annot"),
        ({"labels": "aparc"}, TypeError, "list of mne.Label.*got 'aparc'"),
        ({"labels": ["cuneus-lh"]}, TypeError, r"got \['cuneus-lh'\]"),
        ({"labels": []}, ValueError, "labels holds no region"),
        ({"mode": "mean_flip"}, ValueError, r"needs src=.*Without: auto, mean, max"),
        ({"mode": None}, ValueError, "Invalid value for 'mode': None"),
        ({"mode": "meanflip"}, ValueError, "Did you mean 'mean_flip'"),
        ({"picks": "eeg"}, ValueError, "picks chooses channels, but"),
        ({"sensors": True}, TypeError, "no sensors for a lead field.*Raw or the Ep"),
        ({"duration": 1.0}, ValueError, "a SourceEstimate has none"),
    ],
)
def test_wrong_settings(stc, labels, change, error, message):
    with pytest.raises(error, match=message):
        as_recording(stc, **({"labels": labels} | change))


def test_labels_of_another_subject(labels):
    stc = make_stc([[0, 1, 4], [7, 9]], subject="sub-01")
    labels[0].subject = "fsaverage"
    with pytest.raises(ValueError, match="fsaverage.*sub-01.*morph_labels"):
        as_recording(stc, labels=labels)


def test_flat_and_complex_sources(stc, labels):
    stc.data[:2] = 3.0
    with pytest.raises(ValueError, match="1 of 2 regions are flat: cuneus-lh"):
        as_recording(stc, labels=labels)
    # A Hilbert transform makes sources complex.
    stc = mne.SourceEstimate(stc.data + 1j, stc.vertices, 0, 0.01)
    with pytest.raises(TypeError, match="complex, as after a Hilbert transform"):
        as_recording(stc, labels=labels)


@pytest.mark.parametrize("kind", ["Vector", "VolVector"])
def test_vector_source_estimates(kind):
    cls = getattr(mne, f"{kind}SourceEstimate")
    vertices = [np.arange(3), np.arange(2)][: 2 if kind == "Vector" else 1]
    data = np.zeros((sum(map(len, vertices)), 3, N_TIMES))
    vector = cls(data, vertices, 0, 0.01)
    for X in (vector, [vector, vector]):
        with pytest.raises(TypeError, match=rf"{kind}SourceEstimate has .*magnitude"):
            as_recording(X)


def test_wrong_labels_of_volumes(atlas, volume, surface, tmp_path):
    stc, _ = make_volume_stc(volume)

    def refuse(error, message, labels=atlas, src=volume, mode="auto"):
        with pytest.raises(error, match=message):
            as_recording(stc, labels=labels, src=src, mode=mode)

    refuse(ValueError, r"needs labels=, .*atlas.*\(file, names of regions\)", None)
    refuse(ValueError, "needs src=, the source space", src=None)
    refuse(ValueError, "mode='mean_flip' is for surfaces", mode="mean_flip")
    refuse(ValueError, "src is a surface source space", src=surface)
    refuse(TypeError, "must be the file of an atlas", [mne.Label([0], hemi="lh")])
    refuse(FileNotFoundError, "no atlas", tmp_path / "none.mgz")
    refuse(ValueError, r"no voxel of \['Left-Caudate'\]", (atlas, ["Left-Caudate"]))
    refuse(ValueError, "Did you mean 'Left-Caudate'", (atlas, ["left-caudat"]))
    refuse(ValueError, "no voxel of any region", (atlas, []))
    refuse(TypeError, "names to whole numbers", (atlas, {"x": [10, 49]}))
    other = tmp_path / "aal.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2), np.int32), np.eye(4)), other)
    refuse(ValueError, r"aal.nii is not one of FreeSurfer's.*\{name: number", other)
