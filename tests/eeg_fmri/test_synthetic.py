import mne
import numpy as np
import pytest
from scipy import signal

from mne_sbi.eeg_fmri._bands import BANDS
from mne_sbi.eeg_fmri._synthetic import simulate_eeg_fmri
from mne_sbi.eeg_fmri._synthetic_head import make_group, make_person

SMALL = {
    "n_volumes": 40,
    "montage": "biosemi16",
    "sfreq": 128.0,
    "voxel_size": 0.012,
    "random_state": 3,
    "verbose": False,
}


@pytest.fixture(scope="module")
def small():
    return simulate_eeg_fmri(2, **SMALL)


@pytest.fixture(scope="module")
def standard():
    # The first three of the standard set's six people.
    return simulate_eeg_fmri(3, random_state=0, verbose=False)


def _people(simulated):
    """Draw once more what each person of a set is like."""
    seed, raw = simulated.settings["seed"], simulated.raws[0]
    group = make_group(
        raw.info, simulated.settings["voxel_size"], np.random.default_rng([seed, 0])
    )
    n_people = len(simulated.subjects)
    return [
        make_person(group, np.random.default_rng([seed, 1 + i]))
        for i in range(n_people)
    ]


def _measure(image, mask, t_r):
    """Percent signal change without drift, by least squares on cosines."""
    signals = np.asarray(image.dataobj, dtype=float)[mask].T
    n_volumes = len(signals)
    change = 100 * (signals / signals.mean(axis=0) - 1)
    orders = np.arange(int(2 * n_volumes * t_r / 128) + 1)
    cosines = np.cos(
        np.pi * np.outer(np.arange(n_volumes) + 0.5, orders) / n_volumes
    )  # fmt: skip
    return change - cosines @ np.linalg.lstsq(cosines, change)[0]


def test_same_seed_same_recordings(small):
    again = simulate_eeg_fmri(2, **SMALL)
    other = simulate_eeg_fmri(2, **(SMALL | {"random_state": 4}))
    for i in range(2):
        data = small.raws[i].get_data()
        np.testing.assert_array_equal(again.raws[i].get_data(), data)
        assert not np.allclose(other.raws[i].get_data(), data)
        volumes = small.images[i].get_fdata()
        np.testing.assert_array_equal(again.images[i].get_fdata(), volumes)
        np.testing.assert_array_equal(again.visible[i], small.visible[i])
        np.testing.assert_array_equal(again.motion[i], small.motion[i])


def test_a_person_is_the_same_among_more(small):
    more = simulate_eeg_fmri(3, **SMALL)
    assert more.subjects == ["01", "02", "03"]
    for i in range(2):
        np.testing.assert_array_equal(more.raws[i].get_data(), small.raws[i].get_data())
        np.testing.assert_array_equal(
            more.images[i].get_fdata(), small.images[i].get_fdata()
        )


def test_people_differ(small):
    first, second = (raw.get_data().ravel() for raw in small.raws)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    a, b = (image.get_fdata().mean(axis=-1) for image in small.images)
    assert 0.9 < np.corrcoef(a.ravel(), b.ravel())[0, 1] < 0.9999
    one, other = _people(small)
    assert one.alpha != other.alpha
    assert one.delay != other.delay


def test_ceiling_is_what_was_asked_for(standard):
    mask = standard.masker.mask_img_.get_fdata() > 0
    for i, (image, visible) in enumerate(
        zip(standard.images, standard.visible, strict=True)
    ):
        measured = _measure(image, mask, standard.t_r)
        r = [
            np.corrcoef(a, b)[0, 1] for a, b in zip(measured.T, visible.T, strict=True)
        ]
        r2 = 1 - ((measured - visible) ** 2).sum() / (measured**2).sum()
        assert abs(np.mean(r) - 0.40) < 0.001
        assert abs(r2 - 0.16) < 0.02
        np.testing.assert_allclose(standard.ceiling.r[i], np.mean(r), atol=1e-4)
        np.testing.assert_allclose(standard.ceiling.r2[i], r2, atol=1e-3)


@pytest.mark.parametrize("ceiling", [0.1, 0.6])
def test_other_ceilings(ceiling):
    simulated = simulate_eeg_fmri(1, **SMALL, ceiling=ceiling)
    np.testing.assert_allclose(simulated.ceiling.r, ceiling, atol=1e-4)


def test_ceiling_that_noise_cannot_bring():
    with pytest.raises(ValueError, match="cannot be reached.*50% of the neural"):
        simulate_eeg_fmri(1, **SMALL, ceiling=0.95)


def test_visible_part_has_no_drift(standard):
    visible = standard.visible[0]
    n_volumes = len(visible)
    cosines = np.cos(
        np.pi * np.outer(np.arange(5), np.arange(n_volumes) + 0.5) / n_volumes
    )
    assert np.abs(cosines @ visible).max() < 1e-3
    # What is one cosine faster stays.
    faster = np.cos(5 * np.pi * (np.arange(n_volumes) + 0.5) / n_volumes)
    assert np.abs(faster @ visible).max() > 1


def test_sizes_are_those_of_measured_data(standard):
    mask = standard.masker.mask_img_.get_fdata() > 0
    assert 8000 < mask.sum() < 9000
    signals = standard.images[0].get_fdata()[mask]
    # The ratio of mean and standard deviation at 3 T, smoothed or with large voxels.
    assert 40 < np.median(signals.mean(axis=1) / signals.std(axis=1)) < 70
    assert standard.images[0].get_fdata().min() >= 0
    # EEG at rest.
    assert 5e-6 < standard.raws[0].get_data().std() < 30e-6
    assert np.abs(standard.motion[0]).max() < 0.01
    np.testing.assert_array_equal(standard.motion[0][0], 0)


def test_images_and_masker(small):
    from nilearn.datasets import load_mni152_brain_mask

    template = load_mni152_brain_mask(resolution=12)
    for image, visible in zip(small.images, small.visible, strict=True):
        assert image.shape == (*template.shape, 40)
        assert image.get_data_dtype() == np.float32
        np.testing.assert_array_equal(image.affine, template.affine)
        np.testing.assert_allclose(image.header.get_zooms(), (12, 12, 12, 2))
        assert image.header.get_xyzt_units() == ("mm", "sec")
        signals = small.masker.transform(image)
        assert signals.shape == visible.shape
        mask = template.get_fdata() > 0
        np.testing.assert_array_equal(signals, image.get_fdata()[mask].T)
    assert small.masker.t_r == small.t_r == 2.0


def test_each_volume_has_a_marker(small):
    for raw in small.raws:
        assert raw.n_times == (30 + 40 * 2) * 128
        assert set(raw.get_channel_types()) == {"eeg"}
        assert raw.get_montage() is not None
        events, event_id = mne.events_from_annotations(raw, verbose=False)
        assert list(event_id) == ["Response/R128"]
        np.testing.assert_array_equal(events[:, 0], (30 + 2 * np.arange(40)) * 128)


def test_markers_lie_on_samples():
    simulated = simulate_eeg_fmri(1, **(SMALL | {"t_r": 1.28}), lead_in=31.3)
    onsets = simulated.raws[0].annotations.onset
    samples = onsets * 128
    np.testing.assert_allclose(samples, np.round(samples), atol=1e-6)
    expected = 31.3 + 1.28 * np.arange(40)
    np.testing.assert_allclose(onsets, expected, atol=0.5 / 128)


def test_channels_have_no_common_part(small):
    # They are against the mean of the electrodes.
    data = small.raws[0].get_data()
    assert np.abs(data.mean(axis=0)).max() < 1e-5 * np.abs(data).max()


def test_alpha_peak_is_the_persons(standard):
    for raw, person in zip(standard.raws, _people(standard), strict=True):
        psd = raw.compute_psd(fmin=6, fmax=14.5, n_fft=1024, verbose=False)
        # Without the 1/f background.
        power = psd.get_data().mean(axis=0) * psd.freqs
        upper = power > 0.5 * power.max()
        centre = np.average(psd.freqs[upper], weights=power[upper])
        assert abs(centre - person.alpha) < 0.5
        edges = power[[0, -1]]
        assert power.max() > 3 * edges.max()


def test_alpha_at_the_scalp_goes_before_volumes(standard):
    """Alpha power lowers BOLD about 5 s later, which cross-correlation finds."""
    lags, step = np.arange(-4, 16), 1.0
    found = np.zeros(len(lags))
    for raw, visible in zip(standard.raws, standard.visible, strict=True):
        sos = signal.butter(4, BANDS["alpha"], "bandpass", fs=250, output="sos")
        alpha = signal.sosfiltfilt(sos, raw.get_data()) ** 2
        alpha = alpha[:, : 310 * 250].reshape(64, 310, 250).mean(axis=2)
        power = np.log(alpha).mean(axis=0)
        times = (np.arange(310) + 0.5) * step
        bold = visible.mean(axis=1)
        onset = 30 + 2.0 * (np.arange(140) + 0.5)
        used = onset > 50
        found += [
            np.corrcoef(np.interp(onset - lag, times, power)[used], bold[used])[0, 1]
            for lag in lags
        ]
    found /= 3
    assert found.min() < -0.3
    assert 3 <= lags[found.argmin()] <= 8


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("n_subjects", 0, ValueError, "n_subjects must be a positive integer"),
        ("n_subjects", 2.5, ValueError, "n_subjects must"),
        ("n_volumes", 10, ValueError, "n_volumes must be an integer, 16 or more"),
        ("t_r", 0.0, ValueError, "t_r must be positive"),
        ("t_r", np.nan, ValueError, "t_r must be finite"),
        ("sfreq", 80.0, ValueError, "sfreq must be above 90 Hz"),
        ("montage", "biosemi63", ValueError, "Did you mean 'biosemi64'"),
        ("montage", 64, TypeError, "biosemi64"),
        ("voxel_size", 6, ValueError, "in m .* use 0.006"),
        ("voxel_size", 0.0065, ValueError, "whole number of millimetres"),
        ("voxel_size", 0.03, ValueError, "from 0.003 to 0.015"),
        ("lead_in", -1.0, ValueError, "lead_in must not be negative"),
        ("ceiling", 0.0, ValueError, "between 0 and 1"),
        ("ceiling", 40, ValueError, "between 0 and 1"),
        ("random_state", -1, ValueError, "random_state"),
    ],
)
def test_bad_arguments(name, value, error, message):
    arguments = {"n_subjects": 1} | SMALL | {name: value}
    with pytest.raises(error, match=message):
        simulate_eeg_fmri(**arguments)


def test_a_montage_without_landmarks_is_refused():
    positions = {"A": [0.05, 0, 0.05], "B": [-0.05, 0, 0.05]}
    montage = mne.channels.make_dig_montage(positions, coord_frame="unknown")
    with pytest.raises(ValueError, match="montage has no nasion, lpa, rpa"):
        simulate_eeg_fmri(1, **(SMALL | {"montage": montage}))


def test_one_electrode_is_refused():
    montage = mne.channels.make_standard_montage("biosemi16")
    positions = montage.get_positions()
    single = mne.channels.make_dig_montage(
        {"Cz": positions["ch_pos"]["Cz"]},
        **{key: positions[key] for key in ("nasion", "lpa", "rpa")},
    )
    with pytest.raises(ValueError, match="two electrodes"):
        simulate_eeg_fmri(1, **(SMALL | {"montage": single}))


def test_a_montage_can_be_given(small):
    montage = mne.channels.make_standard_montage("biosemi16")
    given = simulate_eeg_fmri(1, **(SMALL | {"montage": montage}))
    np.testing.assert_array_equal(given.raws[0].get_data(), small.raws[0].get_data())


def test_repr_and_settings(small):
    assert repr(small) == (
        "<SyntheticEEGfMRI | 2 people, 16 channels at 128 Hz, 40 volumes of 1084 "
        "voxels every 2 s, ceiling r 0.4>"
    )
    assert small.settings["n_volumes"] == 40
    assert small.settings["montage"] == "biosemi16"


def test_progress_is_shown_when_wanted(capfd):
    simulate_eeg_fmri(1, **SMALL)
    assert not capfd.readouterr().err
    simulate_eeg_fmri(1, **(SMALL | {"verbose": True}))
    assert "Simulating" in capfd.readouterr().err
