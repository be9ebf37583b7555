"""The parts of which synthetic recordings are made, against what is known of them."""

import numpy as np
import pytest
from scipy import ndimage, signal

from mne_sbi.eeg_fmri._bands import BANDS
from mne_sbi.eeg_fmri._hrf import canonical_hrf
from mne_sbi.eeg_fmri._synthetic_bold import (
    head_speed,
    make_drift,
    make_motion,
    make_neural,
    make_noise,
    remove_drift,
    solve_noise_scale,
    voxel_correlation,
)
from mne_sbi.eeg_fmri._synthetic_head import (
    WEIGHTS,
    Person,
    make_group,
    make_person,
    smooth_map,
)
from mne_sbi.eeg_fmri._synthetic_scan import make_info
from mne_sbi.eeg_fmri._synthetic_sources import (
    SLOW_STEP,
    compute_moments,
    draw_log_power,
    draw_noise,
    make_eeg,
)

SFREQ = 128.0


@pytest.fixture(scope="module")
def group():
    info = make_info("biosemi32", SFREQ)
    return make_group(info, 0.012, np.random.default_rng(0))


@pytest.fixture
def person(group):
    return make_person(group, np.random.default_rng(1))


def test_noise_has_the_spectrum_that_was_asked_for():
    def shape(freqs):
        return np.where((freqs > 5) & (freqs < 20), freqs, 0.0)

    noise = draw_noise(50, 4000, 100.0, shape, np.random.default_rng(0))
    np.testing.assert_allclose(noise.var(), 1, rtol=0.02)
    freqs, psd = signal.welch(noise, 100.0, nperseg=400)
    psd = psd.mean(axis=0)
    inside = (freqs > 6) & (freqs < 19)
    ratio = psd[inside] / freqs[inside] ** 2
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=0.15)
    assert psd[freqs > 22].max() < 1e-2 * psd.max()


def test_log_power_is_slow_and_shared_in_networks(group):
    rng = np.random.default_rng(0)
    log_power = draw_log_power(group.loadings, 3000.0, rng)
    assert list(log_power) == list(BANDS)
    alpha = log_power["alpha"]
    np.testing.assert_allclose(alpha.var(), 1, rtol=0.1)
    freqs, psd = signal.welch(alpha, 1 / SLOW_STEP, nperseg=10_000)
    assert psd[:, freqs < 0.006].sum() + psd[:, freqs > 0.16].sum() < 0.02 * psd.sum()
    # Half of the variance comes from networks: the correlation of two regions is half
    # the product of their loadings.
    expected = 0.5 * group.loadings @ group.loadings.T
    found = np.corrcoef(alpha)
    upper = np.triu_indices(len(alpha), 1)
    assert np.abs(found[upper] - expected[upper]).mean() < 0.06
    assert np.corrcoef(found[upper], expected[upper])[0, 1] > 0.9
    # Rhythms below gamma share the networks, hence half of their variance.
    across = np.diag(np.corrcoef(alpha, log_power["beta"])[:40, 40:])
    np.testing.assert_allclose(across.mean(), 0.5, atol=0.05)
    across = np.diag(np.corrcoef(alpha, log_power["gamma"])[:40, 40:])
    assert np.abs(across).mean() < 0.1


def test_regions_lie_apart_in_the_brain(group):
    distances = np.linalg.norm(group.regions[:, None] - group.regions, axis=2)
    distances[np.diag_indices(len(distances))] = np.inf
    assert distances.min() > 0.02
    to_voxels = np.linalg.norm(group.regions[:, None] - group.voxels, axis=2)
    assert to_voxels.min(axis=1).max() < 1e-9
    # Both hemispheres, front and back.
    assert 14 <= (group.regions[:, 0] < 0).sum() <= 26
    assert np.ptp(group.regions[:, 1]) > 0.12
    np.testing.assert_allclose(np.linalg.norm(group.normals, axis=1), 1)


def test_blobs_are_gaussians_around_regions(group, person):
    np.testing.assert_allclose(np.linalg.norm(person.blobs, axis=1), 1, rtol=1e-5)
    # Ratios of two regions in one voxel, from which their scaling drops out, give the
    # places back: log ratios are linear in the voxel's place.
    both = (person.blobs[:, 3] > 1e-20) & (person.blobs[:, 8] > 1e-20)
    ratios = np.log(person.blobs[both, 3].astype(float) / person.blobs[both, 8])
    design = np.column_stack([group.voxels[both], np.ones(both.sum())])
    slopes = np.linalg.lstsq(design, ratios)[0][:3]
    between = slopes * 0.012**2
    expected = group.regions[3] - group.regions[8]
    # Each moved by 5 mm.
    assert np.linalg.norm(between - expected) < 0.025


def test_gain_is_that_of_a_sphere(group):
    assert group.gain.shape == (32, 40)
    # Dipoles are seen best by the electrodes near them.
    from mne_sbi._template_lead_field import to_head

    positions = to_head(group.regions, group.normals)[0]
    distances = np.linalg.norm(group.electrodes[:, None] - positions, axis=2)
    strength = np.abs(group.gain)
    near = np.take_along_axis(strength, distances.argmin(axis=0)[None], 0).mean()
    far = np.take_along_axis(strength, distances.argmax(axis=0)[None], 0).mean()
    assert near > 3 * far


def _eeg(group, person, log_power, moments, duration, seed=0, speed=None):
    n_times = int(duration * SFREQ)
    speed = np.zeros(n_times) if speed is None else speed
    rng = np.random.default_rng(seed)
    return make_eeg(
        log_power, person, moments, group.electrodes, SFREQ, n_times, 0.0, speed, rng
    )


def _band_power(eeg, band, window):
    sos = signal.butter(4, BANDS[band], "bandpass", fs=SFREQ, output="sos")
    power = signal.sosfiltfilt(sos, eeg) ** 2
    n = int(window * SFREQ)
    used = power.shape[1] // n * n
    return power[:, :used].reshape(len(power), -1, n).mean(axis=2)


@pytest.fixture(scope="module")
def long_recording(group):
    """EEG of a person without differences, 10 min, and its background alone."""
    duration = 600.0
    person = Person(group.gain, None, None, 10.0, 0.0, None)
    rng = np.random.default_rng(5)
    log_power = draw_log_power(group.loadings, duration + 1, rng)
    moments = compute_moments(group.gain)
    eeg = _eeg(group, person, log_power, moments, duration)
    nothing = dict.fromkeys(moments, 0.0)
    return log_power, moments, eeg, _eeg(group, person, log_power, nothing, duration)


@pytest.mark.parametrize(
    ("band", "share"),
    [("delta", 0.35), ("theta", 0.35), ("alpha", 0.8), ("beta", 0.5), ("gamma", 0.05)],
)
def test_sources_have_their_share_of_power_at_the_scalp(long_recording, band, share):
    _, _, eeg, background = long_recording
    total = _band_power(eeg, band, 600.0).mean()
    silent = _band_power(background, band, 600.0).mean()
    np.testing.assert_allclose(1 - silent / total, share, atol=0.08)


def test_background_is_one_over_f(long_recording):
    background = long_recording[3]
    freqs, psd = signal.welch(background, SFREQ, nperseg=1024)
    inside = (freqs > 1) & (freqs < 45)
    slope = np.polyfit(np.log(freqs[inside]), np.log(psd.mean(axis=0)[inside]), 1)[0]
    np.testing.assert_allclose(slope, -1, atol=0.05)
    power = psd[:, inside].sum(axis=1).mean() * freqs[1]
    np.testing.assert_allclose(np.sqrt(power), 10e-6, rtol=0.05)


@pytest.mark.parametrize(("band", "least", "most"), [
    ("alpha", 0.7, 1.0), ("beta", 0.7, 1.0), ("gamma", -0.1, 0.5),
])  # fmt: skip
def test_scalp_power_follows_the_sources(group, long_recording, band, least, most):
    """Expected power at an electrode: squared gains times the power of sources."""
    log_power, moments, eeg, _ = long_recording
    gain = group.gain - group.gain.mean(axis=0)
    window = 4.0
    slow = np.exp(2 * 0.4 * log_power[band])
    n = round(window / SLOW_STEP)
    slow = slow[:, : 150 * n].reshape(40, 150, n).mean(axis=2)
    expected = np.log(gain**2 @ slow)
    found = np.log(_band_power(eeg, band, window))
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(expected, found, strict=True)]
    assert least < np.mean(r) < most


def test_moving_heads_make_noise(group, person):
    log_power = {band: np.zeros((40, 1002)) for band in BANDS}
    nothing = dict.fromkeys(BANDS, 0.0)
    still = _eeg(group, person, log_power, nothing, 100.0)
    moving = _eeg(group, person, log_power, nothing, 100.0, speed=np.full(12_800, 5.0))
    np.testing.assert_allclose(moving, 1.5 * still, rtol=1e-4, atol=1e-9)


def test_a_burst_lowers_the_signal_five_seconds_later(group, person):
    steps = np.arange(2000)
    burst = np.exp(-0.5 * ((steps - 800) / 5) ** 2)  # at 80 s
    log_power = {band: np.tile(burst, (40, 1)) for band in BANDS}
    same = {band: np.full(40, WEIGHTS[band]) for band in BANDS}
    for delay in (-1.0, 0.0, 2.0):
        late = Person(None, person.blobs, same, 10.0, delay, None)
        visible, hidden = make_neural(log_power, late, 0.5, 280, 40.0)
        times = 40.0 + 0.5 * (np.arange(280) + 0.5)
        course = visible.mean(axis=1)
        assert abs(times[course.argmin()] - (80 + 5 + delay)) < 0.5
        # Gamma raises it.
        assert abs(times[hidden.mean(axis=1).argmax()] - (80 + 5 + delay)) < 0.5
        expected = remove_drift(-canonical_hrf(times - 80, delay)[:, None], 0.5)[:, 0]
        assert np.corrcoef(course, expected)[0, 1] > 0.99


def test_half_of_the_neural_signal_is_visible(group, person):
    log_power = draw_log_power(group.loadings, 2100.0, np.random.default_rng(2))
    visible, hidden = make_neural(log_power, person, 2.0, 1000, 40.0)
    for part in (visible, hidden):
        np.testing.assert_allclose(part.std(axis=0).mean(), np.sqrt(0.5), rtol=1e-4)
    assert np.abs(voxel_correlation(visible, hidden)).mean() < 0.1


def test_drift_is_removed_as_nilearn_does():
    from nilearn.signal import clean

    values = np.random.default_rng(0).standard_normal((150, 6)).cumsum(axis=0)
    for t_r in (1.3, 2.0):
        expected = clean(
            values, detrend=False, standardize=None, filter="cosine",
            high_pass=1 / 128, t_r=t_r,
        )  # fmt: skip
        # nilearn's filter keeps the mean.
        expected -= expected.mean(axis=0)
        np.testing.assert_allclose(remove_drift(values, t_r), expected, atol=1e-9)


def test_noise_scale_of_orthogonal_parts():
    """The correlation is 1 / sqrt(1 + scale^2 + fixed^2) then."""
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((40, 3)))[0]
    visible, other, noise = (np.tile(column[:, None], (1, 7)) for column in basis.T)
    scale = solve_noise_scale(visible, visible + 0.5 * other, noise, 0.4)
    np.testing.assert_allclose(scale, np.sqrt(1 / 0.16 - 1.25), rtol=1e-6)


def test_thermal_noise_is_autocorrelated_and_smooth(group, person):
    motion = make_motion(400, 2.0, np.random.default_rng(0))
    noise, thermal = make_noise(group, person, motion, 2.0, np.random.default_rng(1))
    np.testing.assert_allclose(thermal.std(), 1, rtol=1e-5)
    series = thermal.reshape(400, -1)
    for lag in (1, 2):
        np.testing.assert_allclose(
            (series[lag:] * series[:-lag]).mean(), 0.3**lag, atol=0.02
        )
    assert thermal.mean() < 0.01
    # A white volume through a Gaussian with a full width of 8 mm, voxels of 12 mm.
    sigma = 8 / 2.355 / 12
    impulse = ndimage.gaussian_filter(np.eye(1, 41, 20)[0], sigma)
    expected = (impulse[1:] * impulse[:-1]).sum() / (impulse**2).sum()
    found = (thermal[:, 1:] * thermal[:, :-1]).mean()
    np.testing.assert_allclose(found, expected, atol=0.02)
    # All parts together, which do not depend on each other.
    np.testing.assert_allclose(noise.std(axis=0).mean(), 1, rtol=0.1)


def test_breath_and_heart_have_their_rates(group, person):
    """Volumes that are fast enough show them; those of 2 s are too slow for both."""
    motion = np.zeros((600, 6))
    motion[:, 0] = 1e-4 * np.random.default_rng(0).standard_normal(600)
    noise, _ = make_noise(group, person, motion, 0.2, np.random.default_rng(3))
    freqs, psd = signal.welch(noise, 5.0, nperseg=200, axis=0)
    power = psd.mean(axis=1)
    between = power[(freqs > 0.5) & (freqs < 0.8)].max()
    for low, high in ((0.15, 0.45), (0.8, 1.5)):
        assert power[(freqs > low) & (freqs < high)].max() > 4 * between


def test_motion_shifts_the_image(group):
    """What a movement changes is what moving the image changes."""
    from mne_sbi.eeg_fmri._synthetic_bold import _move

    smooth = 1000 + 100 * smooth_map(group.mask.shape, 3, np.random.default_rng(0))
    person = Person(None, None, None, 10.0, 0.0, smooth)
    centre = group.voxels.mean(axis=0)
    place = np.linalg.inv(group.affine) @ np.append(1000 * centre, 1)
    inner = ndimage.binary_erosion(group.mask, iterations=2)[group.mask]
    for column in range(6):
        motion = np.zeros((1, 6))
        motion[0, column] = 0.001 if column < 3 else 0.01  # 1 mm, 0.6 degrees
        found = _move(group, person, motion)[0]
        # A point of the moved image comes from where the movement took it from.
        rotation = np.eye(3)
        if column >= 3:
            a, b = [(1, 2), (2, 0), (0, 1)][column - 3]
            turn = motion[0, column]
            rotation[[a, b], [a, b]] = np.cos(turn)
            rotation[b, a], rotation[a, b] = np.sin(turn), -np.sin(turn)
        back = np.linalg.inv(rotation)
        shift = motion[0, :3] / group.voxel_size
        offset = place[:3] - back @ (place[:3] + shift)
        moved = ndimage.affine_transform(smooth, back, offset, order=3, mode="nearest")
        expected = 100 * (moved / smooth - 1)[group.mask]
        assert np.corrcoef(found[inner], expected[inner])[0, 1] > 0.98
        ratio = found[inner].std() / expected[inner].std()
        np.testing.assert_allclose(ratio, 1, atol=0.1)


def test_motion_starts_at_zero_and_moves():
    motion = make_motion(200, 2.0, np.random.default_rng(0))
    assert motion.shape == (200, 6)
    np.testing.assert_array_equal(motion[0], 0)
    assert (motion.std(axis=0) > 0).all()
    speed = head_speed(motion)
    np.testing.assert_allclose(speed.mean(), 1)
    # By hand for one volume: rotations on a sphere of 50 mm.
    steps = np.abs(motion[7] - motion[6])
    moved = steps[:3].sum() + 0.05 * steps[3:].sum()
    np.testing.assert_allclose(speed[7] / speed[8], moved / (
        np.abs(motion[8] - motion[7]) @ [1, 1, 1, 0.05, 0.05, 0.05]
    ))  # fmt: skip


def test_drift_is_a_cubic(group):
    drift = make_drift(group, 100, np.random.default_rng(0))
    np.testing.assert_allclose(drift.std(axis=0).mean(), 0.5, rtol=1e-5)
    powers = np.vander(np.linspace(-1, 1, 100), 4)
    left = drift - powers @ np.linalg.lstsq(powers, drift)[0]
    assert np.abs(left).max() < 1e-5
