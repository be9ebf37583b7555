"""Simulate at sensor level with a real lead field, invert at sensor level, count.

The recordings are time series made here from the spectra of the model, and go in as
``Raw``: windows, reference, band edges and sampling noise that channels share are all
the pipeline's own business. Only the misfit is drawn by the package.
"""

import jax
import mne
import numpy as np
import pytest

from mne_sbi import SGMInverter
from mne_sbi.datasets import read_group_connectome
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel

pytestmark = pytest.mark.slow

FREQS = np.arange(4.0, 41.0, 3.0)
FINE = np.arange(1.0, 51.0)
SFREQ, DURATION, N = 100.0, 60.0, 200


@pytest.fixture(scope="module")
def connectome(shared_data):
    return read_group_connectome(shared_data / "spectrome")


@pytest.fixture(scope="module")
def inverter(shared_data, connectome):
    """An inverter of 64 electrodes, through a boundary element model of one head."""
    folder = shared_data / "mne_route"
    forward = mne.read_forward_solution(
        folder / "sample_small_eeg64-fwd.fif", verbose="error"
    )
    labels = [
        mne.read_label(fname)
        for fname in sorted((folder / "sample_small_aparc_labels").glob("*.label"))
    ]
    names = forward["info"]["ch_names"]
    noise = np.random.default_rng(0).standard_normal((len(names), 6000))
    return SGMInverter(
        connectome,
        freqs=FREQS,
        method=NPE(max_iter=15),
        n_simulations=3000,
        lead_field=forward,
        labels=labels,
        random_state=0,
        verbose="error",
    ).fit(make_raw(noise, names))


def make_raw(data, names):
    info = mne.create_info(list(names), SFREQ, "eeg")
    raw = mne.io.RawArray(1e-5 * data / data.std(), info, verbose="error")
    return raw.set_montage("colin27_1005", verbose="error")


def at(freqs, rows):
    """Interpolate rows over the fine frequencies."""
    return np.array([np.interp(freqs, FINE, row) for row in rows])


def make_recording(power, inverter, rng):
    """Draw a recording of regions with these powers, and of the assumed misfit."""
    noise, mixing = inverter.features_.noise, inverter.observation_.mixing
    power = power * 10 ** (noise.gain_sd * rng.standard_normal((len(power), 1)) / 10)
    decibels = 10 * np.log10(mixing.weights.astype(float) @ power)
    wrong = noise.add_misfit(
        decibels[np.newaxis].astype(np.float32), FINE, rng, root=mixing.misfit_root
    )[0]
    n_times = round(DURATION * SFREQ)
    freqs = np.fft.rfftfreq(n_times, 1 / SFREQ)

    def complex_normal(n):
        drawn = rng.standard_normal((2, n, len(freqs)))
        return (drawn[0] + 1j * drawn[1]) / np.sqrt(2)

    sources = np.sqrt(at(freqs, power)) * complex_normal(len(power))
    sensors = mixing.gain @ sources * at(freqs, 10 ** ((wrong - decibels) / 20))
    used = (freqs >= FREQS[0]) & (freqs <= FREQS[-1])
    signal = (np.abs(sensors[:, used]) ** 2).mean()
    floor = np.sqrt(signal * 10 ** (-rng.uniform(*noise.sensor_snr) / 10))
    sensors += floor * complex_normal(len(sensors))
    return make_raw(np.fft.irfft(sensors, n=n_times), mixing.ch_names)


def test_intervals_of_recordings_cover(connectome, inverter):
    model = SpectralGraphModel(connectome, FINE, engine="exact")
    theta = inverter.prior_.sample(N + 30, 1)
    params = inverter.prior_.as_dict(theta) | inverter.fixed_
    theta = theta[inverter.model_.check_valid(params)][:N]
    assert len(theta) == N
    params = inverter.prior_.as_dict(theta) | inverter.fixed_
    powers = np.asarray(model.simulate_batch(params, jax.random.key(0)), dtype=float)
    rng = np.random.default_rng(5)
    raws = [
        make_recording(power[inverter.observation_.nodes], inverter, rng)
        for power in powers
    ]
    # One in a thousand may be unlike all simulations that it is compared with.
    posterior = inverter.predict_posterior(raws)
    lower, upper = posterior.interval(0.9)
    covered = ((theta >= lower) & (theta <= upper)).mean(axis=0)
    print(dict(zip(inverter.prior_.names, covered, strict=True)))
    assert ((covered >= 0.85) & (covered <= 0.95)).all(), covered
    # The intervals say something: what the data inform is found.
    r = np.corrcoef(posterior.mean[:, -1], theta[:, -1])[0, 1]
    assert inverter.prior_.names[-1] == "tau_g" and r > 0.8


def test_intervals_of_simulations_cover(inverter):
    calibration = inverter.diagnose(1000, n_draws=400)
    covered = calibration.summary()["coverage_90"]
    print(calibration.summary().to_string())
    assert covered.between(0.85, 0.95).all()
