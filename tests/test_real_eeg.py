"""Jansen-Rit on a real recording: what it predicts, and what it does not invent."""

import mne
import numpy as np
import pytest

from mne_sbi import JansenRitInverter
from mne_sbi.diagnostics import predictive_coverage
from mne_sbi.features import LogPSD
from mne_sbi.inference import NPE

pytestmark = pytest.mark.slow

CHANNELS = ["O1", "Oz", "O2"]


@pytest.fixture(scope="module")
def raws(shared_data):
    """A minute of EEG with eyes open, and one with eyes closed."""
    raws = {}
    for name, run in {"open": "R01", "closed": "R02"}.items():
        fname = shared_data / "eeg" / f"eegmmidb_S001{run}_first60s.edf"
        raw = mne.io.read_raw_edf(fname, preload=True, verbose="error")
        mne.datasets.eegbci.standardize(raw)
        raws[name] = raw.set_eeg_reference("average", verbose="error").pick(CHANNELS)
    return raws


@pytest.fixture(scope="module")
def inverter(raws):
    """Trained quickly; ``benchmarks/jansen_rit_real_eeg.py`` does it well."""
    inverter = JansenRitInverter(
        parameterization="combinations",
        features=LogPSD(2.0, 40.0, window=1.0, scaling="demean"),
        duration=20.0,
        n_simulations=1500,
        method=NPE(density="mixture", max_iter=15),
        random_state=0,
        verbose="error",
    )
    return inverter.fit(list(raws.values()))


def test_the_measured_spectrum_is_predicted(inverter, raws):
    for raw in raws.values():
        measured, predicted = inverter.posterior_predictive(raw, 200)
        assert measured.shape == (9, 39)
        assert predictive_coverage(measured, predicted, 0.95).mean() >= 0.9


def test_eyes_closed_have_more_signal(inverter, raws):
    """The alpha rhythm stands further out of the background, in every channel."""
    ratio = {}
    for name, raw in raws.items():
        posterior = inverter.predict_posterior(raw)
        column = posterior.names.index("snr_background")
        ratio[name] = posterior.mean[:, column].reshape(3, 3).mean(axis=0)
    assert (ratio["closed"] > ratio["open"] + 3.0).all()


def test_surrogates_of_the_same_spectrum_have_the_same_posterior(inverter, raws):
    rng = np.random.default_rng(0)

    def randomise(x):
        parts = []
        for part in np.split(x[: len(x) // 3 * 3], 3):
            amplitude = np.abs(np.fft.rfft(part))
            phases = rng.uniform(0, 2 * np.pi, len(amplitude))
            parts.append(np.fft.irfft(amplitude * np.exp(1j * phases), len(part)))
        return np.concatenate(parts)

    raw = raws["closed"].copy().crop(0, 60.0, include_tmax=False)
    found = inverter.predict_posterior(raw)
    again = inverter.predict_posterior(raw.copy().apply_function(randomise))
    shift = np.abs(again.mean - found.mean) / found.std
    assert shift.mean() < 0.25


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_white_noise_gives_back_the_prior(inverter, raws):
    rng = np.random.default_rng(0)
    white = raws["open"].copy()
    white.apply_function(lambda x: 1e-5 * rng.standard_normal(len(x)))
    posterior = inverter.predict_posterior(white)
    spread = inverter.prior_.from_unit(rng.random((10_000, 8))).std(axis=0)
    ratio = dict(zip(posterior.names, posterior.std.mean(axis=0) / spread, strict=True))
    for name in ("AC", "BC", "a", "b", "Amu"):
        assert 0.85 < ratio[name] < 1.15
    # That there is hardly a signal in it is what there was to learn.
    assert (posterior.mean[:, posterior.names.index("snr_white")] < 0.0).all()


@pytest.mark.filterwarnings("ignore:.*unlike all")
def test_pieces_that_were_joined_are_not_one_recording(inverter, raws, request):
    """Three pieces of a recording, in another order, each with an offset of its own."""
    raw = raws["closed"]
    pieces = [
        raw.copy().crop(start, start + 20.0, include_tmax=False)
        for start in (40.0, 2.0, 21.0)
    ]
    for level, piece in enumerate(pieces):
        piece.apply_function(lambda x, level=level: x + 2e-3 * level)
    joined = mne.concatenate_raws([x.copy() for x in pieces], verbose="error")
    # The same as one observation whose windows are those of the pieces.
    data = np.array([piece.get_data() for piece in pieces])
    apart = [mne.EpochsArray(data, raw.info, verbose="error")]
    request.addfinalizer(lambda: inverter.set_params(duration=20.0))
    inverter.set_params(duration=None)
    expected = inverter.predict_posterior(apart)

    def shift(recording):
        found = inverter.predict_posterior(recording)
        return np.abs(found.mean - expected.mean) / expected.std

    assert shift(joined).max() < 0.2
    for text in ("boundary", "New Segment/"):
        onsets = joined.first_time + np.array([20.0, 40.0])
        marked = mne.Annotations(onsets, 0.0, text, orig_time=raw.info["meas_date"])
        other = joined.copy().set_annotations(marked)
        np.testing.assert_array_equal(shift(other), shift(joined))
    assert shift(joined.copy().set_annotations(None)).max() > 0.5
