"""The map of source imaging is what MNE-Python does to data."""

import pickle

import mne
import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi import SourceImaging

LAMBDA2 = 1 / 9


def imaging_of(**changes):
    arguments = {
        "kernel": np.arange(6.0).reshape(2, 3),
        "ch_names": ["u", "v", "w"],
        "label_names": ["insula-lh", "insula-rh"],
        "description": "made up",
    }
    return SourceImaging(**arguments | changes)


# The sample subject


@pytest.fixture(scope="module")
def labels(shared_data):
    folder = shared_data / "mne_route" / "sample_small_aparc_labels"
    return [mne.read_label(fname) for fname in sorted(folder.glob("*.label"))]


@pytest.fixture(scope="module")
def raw(shared_data):
    fname = shared_data / "mne_route" / "sample_24s_raw.fif"
    raw = mne.io.read_raw_fif(fname, verbose="error").crop(0, 1).load_data()
    raw.info["bads"] = ["MEG 2443", "EEG 053"]
    return raw.set_eeg_reference(projection=True, verbose="error")


@pytest.fixture(scope="module")
def make_operator(shared_data, raw):
    folder = shared_data / "mne_route"
    forward = mne.read_forward_solution(
        folder / "sample_small-fwd.fif", verbose="error"
    )
    covariance = mne.read_cov(folder / "sample_audvis_trunc-cov.fif", verbose="error")

    def make(**settings):
        return mne.minimum_norm.make_inverse_operator(
            raw.info, forward, covariance, verbose="error", **settings
        )

    return make


@pytest.fixture(scope="module")
def operator(make_operator):
    return make_operator(loose=0.2, depth=0.8)


def image(raw, operator, labels, method, pick_ori, mode):
    stc = mne.minimum_norm.apply_inverse_raw(
        raw, operator, LAMBDA2, method, pick_ori=pick_ori, verbose="error"
    )
    return mne.extract_label_time_course(
        stc, labels, operator["src"], mode=mode, verbose="error"
    )


def check_same(made, raw, operator, labels, method, pick_ori, mode):
    expected = image(raw, operator, labels, method, pick_ori, mode)
    got = made.kernel @ raw.get_data(picks=list(made.ch_names))
    np.testing.assert_allclose(got, expected, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize(
    "method, mode", [("dSPM", "mean_flip"), ("MNE", "mean"), ("sLORETA", "mean_flip")]
)
def test_the_map_is_what_mne_does(raw, operator, labels, method, mode):
    made = SourceImaging.from_inverse(
        operator, labels, lambda2=LAMBDA2, method=method, mode=mode
    )
    assert made.label_names == tuple(label.name for label in labels)
    assert made.kernel.shape == (68, 364)
    assert "EEG 053" not in made.ch_names
    assert repr(made).startswith(
        f"<SourceImaging | 364 channels to 68 labels, {method}"
    )
    check_same(made, raw, operator, labels, method, "normal", mode)
    # Whether projectors were applied before makes no difference: it applies them too.
    applied = raw.copy().apply_proj(verbose="error")
    check_same(made, applied, operator, labels, method, "normal", mode)


@pytest.mark.parametrize("pick_ori", ["normal", None])
def test_fixed_orientation(raw, make_operator, labels, pick_ori):
    fixed = make_operator(fixed=True, depth=0.8)
    made = SourceImaging.from_inverse(
        fixed, labels[:10], lambda2=LAMBDA2, pick_ori=pick_ori
    )
    check_same(made, raw, fixed, labels[:10], "dSPM", None, "mean_flip")


def test_averages(raw, operator, labels):
    evoked = mne.EvokedArray(raw.get_data()[:, :50], raw.info, nave=30)
    made = SourceImaging.from_inverse(operator, labels[:5], nave=30)
    stc = mne.minimum_norm.apply_inverse(
        evoked, operator, LAMBDA2, "dSPM", pick_ori="normal", verbose="error"
    )
    expected = mne.extract_label_time_course(
        stc, labels[:5], operator["src"], mode="mean_flip", verbose="error"
    )
    got = made.kernel @ evoked.get_data(picks=list(made.ch_names))
    np.testing.assert_allclose(got, expected, atol=1e-10 * np.abs(expected).max())


def test_labels_that_are_not_cortex_are_left_out(operator, labels):
    rest = mne.Label(labels[0].vertices, hemi="lh", name="unknown-lh", subject="sample")
    made = SourceImaging.from_inverse(operator, [rest, *labels[:2]])
    assert made.label_names == tuple(label.name for label in labels[:2])


def test_what_no_matrix_does(operator, labels):
    def error(match, kind=ValueError, inverse=operator, labels=labels, **settings):
        with pytest.raises(kind, match=match):
            SourceImaging.from_inverse(inverse, labels, **settings)

    for mode in ("max", "pca_flip", "auto"):
        error(f"mode='{mode}' is not linear .* 'mean', 'mean_flip'", mode=mode)
    error("pick_ori=None .* free orientation .*pick_ori='normal'", pick_ori=None)
    error("pick_ori='vector'", pick_ori="vector")
    error("make_inverse_operator", TypeError, inverse="operator-inv.fif")
    error("list of mne.Label", TypeError, labels="aparc")
    far = mne.Label([10**7], hemi="lh", name="tiny-lh", subject="sample")
    error("no source in the label 'tiny-lh'", labels=[far])


# The object


def test_content_is_checked_and_frozen():
    kernel = np.ones((2, 3))
    made = imaging_of(kernel=kernel)
    kernel[:] = 0
    np.testing.assert_array_equal(made.kernel, 1.0)
    assert (made.n_labels, made.n_channels) == (2, 3)
    for one in (made, pickle.loads(pickle.dumps(made))):
        with pytest.raises(ValueError, match="read-only"):
            one.kernel[0, 0] = 2
    with pytest.raises(AttributeError):
        made.kernel = kernel
    assert repr(imaging_of(description="")) == (
        "<SourceImaging | 3 channels to 2 labels>"
    )


def test_equality_hash_and_clone():
    made = imaging_of()
    for same in (
        pickle.loads(pickle.dumps(made)),
        SourceImaging.from_dict(made.to_dict()),
        clone(made),
    ):
        assert same == made and hash(same) == hash(made)
        assert same.fingerprint == made.fingerprint
    assert clone(made) is made
    assert made != "dSPM"
    for change in (
        {"kernel": made.kernel * 2},
        {"ch_names": ["w", "v", "u"]},
        {"label_names": ["insula-rh", "insula-lh"]},
    ):
        other = imaging_of(**change)
        assert other != made and other.fingerprint != made.fingerprint


def test_channels_are_found_by_name():
    made = imaging_of()
    kernel = made.for_channels(["x", "w", "u", "v"])
    np.testing.assert_array_equal(kernel, [[0, 2, 0, 1], [0, 5, 3, 4]])
    with pytest.raises(ValueError, match="2 are not in the lead field: v, w"):
        made.for_channels(["u", "x"])


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"kernel": np.zeros(3)}, ValueError, r"shape \(n_labels, n_channels\)"),
        ({"kernel": np.full((2, 3), np.nan)}, ValueError, "kernel must be finite"),
        ({"ch_names": ["u", "v"]}, ValueError, "3 columns, but 2 entries"),
        ({"label_names": ["a"]}, ValueError, "2 rows, but 1 entries"),
        ({"ch_names": ["u", "v", "u"]}, ValueError, "got twice: u, u"),
        (
            {"label_names": ["L_insula", "insula-lh"]},
            ValueError,
            "got twice: L_insula, insula-lh",
        ),
        ({"ch_names": "uvw"}, TypeError, "list of strings"),
    ],
)
def test_what_it_cannot_be(changes, error, message):
    with pytest.raises(error, match=message):
        imaging_of(**changes)
