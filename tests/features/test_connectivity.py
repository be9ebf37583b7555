"""Envelope correlations are those of other implementations, on the time axis."""

import mne
import numpy as np
import pytest
from mne_connectivity import Connectivity, envelope_correlation
from scipy.signal import hilbert
from sklearn.base import clone

from mne_sbi.features import EnvelopeCorrelation, FeatureExtractor
from mne_sbi.features._envelopes import analytic_signal, correlate_envelopes

SFREQ = 100.0


def mixed_noise(n_nodes, n_times, seed=0):
    """Noise whose envelopes correlate, with and without a lag."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(2, n_times + 5))
    weights = rng.uniform(0.2, 1, (n_nodes, 2))
    rows = weights[:, :1] * common[0, 5:] + weights[:, 1:] * np.roll(common[1], 3)[5:]
    rows[::2] = np.roll(rows[::2], 4, axis=1)
    rows += 0.7 * rng.normal(size=(n_nodes, n_times))
    slow = np.convolve(rng.normal(size=n_times + 49), np.ones(50) / 7, "valid")
    return rows * np.exp(rng.uniform(0.3, 0.6, (n_nodes, 1)) * slow)


def analytic_noise(n_nodes, n_times, seed=0):
    return hilbert(mixed_noise(n_nodes, n_times, seed), axis=1)


def peer(signals, **settings):
    found = envelope_correlation(signals[np.newaxis], **settings)
    return found.get_data("dense")[0, :, :, 0]


def without_diagonal(matrix):
    return matrix - np.diag(np.diag(matrix))


def brute_force(signals, window=1, absolute=False):
    """Correlations pair by pair, as the formula has them."""
    n = len(signals)
    found = np.zeros((n, n))
    n_kept = signals.shape[1] // window * window

    def average(envelope):
        return envelope[:n_kept].reshape(-1, window).mean(axis=1)

    for i in range(n):
        for j in set(range(n)) - {i}:
            a, b = signals[i], signals[j]
            orthogonal = np.abs(np.imag(a * b.conj() / np.abs(b)))
            pair = average(orthogonal), average(np.abs(b))
            found[i, j] = np.corrcoef(*pair)[0, 1]
    found = np.abs(found) if absolute else found
    return (found + found.T) / 2


def raw_of(data, types="eeg", names=None):
    names = names or [f"r{i}" for i in range(len(data))]
    info = mne.create_info(names, SFREQ, types)
    return mne.io.RawArray(data.copy(), info, verbose="error")


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("n_nodes", [2, 7, 16])
def test_equals_mne_connectivity(n_nodes, absolute):
    # Neither the nodes nor the samples fill whole blocks.
    signals = analytic_noise(n_nodes, 1237) * 1e-12
    got = correlate_envelopes(signals, absolute=absolute)
    expected = peer(signals, orthogonalize="pairwise", absolute=absolute)
    assert np.abs(got - expected).max() < 1e-10
    assert np.abs(got).max() > 0.1
    single = correlate_envelopes(signals.astype(np.complex64), absolute=absolute)
    np.testing.assert_allclose(single, expected, atol=2e-6)


def test_equals_mne_connectivity_without_orthogonalisation():
    signals = analytic_noise(6, 900)
    got = correlate_envelopes(signals, orthogonalize=False)
    expected = without_diagonal(peer(signals, orthogonalize=False))
    assert np.abs(got - expected).max() < 1e-10


@pytest.mark.parametrize("window", [1, 2, 5, 44])
@pytest.mark.parametrize("absolute", [False, True])
def test_equals_brute_force(window, absolute):
    signals = analytic_noise(5, 1010)
    settings = {"window": window, "absolute": absolute}
    got = correlate_envelopes(signals, **settings)
    np.testing.assert_allclose(got, brute_force(signals, **settings), atol=1e-12)
    single = correlate_envelopes(signals.astype(np.complex64), **settings)
    np.testing.assert_allclose(single, got, atol=1e-5)


def test_windows_without_orthogonalisation():
    signals = analytic_noise(4, 1000)
    means = np.abs(signals).reshape(4, -1, 20).mean(axis=2)
    expected = without_diagonal(np.corrcoef(means))
    got = correlate_envelopes(signals, orthogonalize=False, window=20)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_copies_and_constant_envelopes_correlate_with_nothing():
    signals = analytic_noise(4, 1000)
    signals[1] = -3 * signals[0]
    signals[3] = np.exp(1j * np.arange(1000))
    for dtype in (np.complex128, np.complex64):
        got = correlate_envelopes(signals.astype(dtype))
        assert got[0, 1] == 0
        assert np.isfinite(got).all()
        plain = correlate_envelopes(signals.astype(dtype), orthogonalize=False)
        assert plain[0, 1] == pytest.approx(1)
        assert not plain[3].any()
        silent = signals.astype(dtype)
        silent[2] = 0
        assert not correlate_envelopes(silent)[2].any()
        assert not correlate_envelopes(silent, orthogonalize=False)[2].any()


def test_filter_is_that_of_mne():
    data = mixed_noise(3, 6000) + np.array([[0.0], [5.0], [-1e3]])
    filtered = raw_of(data).filter(8, 12, verbose="error").get_data()
    got = analytic_signal(data, SFREQ, 8.0, 12.0)
    scale = np.abs(filtered[0]).mean()
    inside = slice(200, -200)
    # The row with a large offset, of which MNE-Python lets a thousandth through.
    for row, tolerance in ((0, 1e-4), (1, 0.01)):
        difference = got[row].real - filtered[row]
        assert np.abs(difference[inside]).max() < tolerance * scale
    expected = hilbert(filtered[0])
    inside = slice(1000, -1000)
    assert np.abs(got[0] - expected)[inside].max() < 0.01 * scale
    single = analytic_signal(data.astype(np.float32), SFREQ, 8.0, 12.0)
    assert single.dtype == np.complex64
    np.testing.assert_allclose(single[:2], got[:2], atol=1e-5)


@pytest.mark.parametrize("lowpass", [None, 2.0])
def test_agrees_with_filter_and_mne_connectivity(lowpass):
    data = mixed_noise(5, 12000)
    extractor = EnvelopeCorrelation(lowpass=lowpass)
    got = extractor.extract(data[np.newaxis], SFREQ)
    assert got.shape == (1, 5, 5)
    assert got.dtype == np.float32
    raw = raw_of(data).filter(8, 12, verbose="error").apply_hilbert(verbose="error")
    # A boxcar of 0.2215 s, 22 samples.
    expected = brute_force(raw.get_data(), window=1 if lowpass is None else 22)
    np.testing.assert_allclose(got[0], expected, atol=2e-3)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(extractor.correlate(data, SFREQ), got[0], atol=1e-6)


@pytest.mark.parametrize("lowpass", [None, 2.0])
@pytest.mark.parametrize("orthogonalize", ["pairwise", False])
def test_gain_and_order_do_not_matter(lowpass, orthogonalize):
    data = mixed_noise(6, 3000)
    rng = np.random.default_rng(1)
    order = rng.permutation(6)
    extractor = EnvelopeCorrelation(lowpass=lowpass, orthogonalize=orthogonalize)
    plain = extractor.correlate(data, SFREQ)
    gain = 10 ** rng.uniform(-15, 3, (6, 1))
    scaled = extractor.correlate(data * gain, SFREQ)
    np.testing.assert_allclose(scaled, plain, atol=1e-10)
    single = extractor.correlate((data * gain).astype(np.float32), SFREQ)
    np.testing.assert_allclose(single, plain, atol=1e-4)
    shuffled = extractor.correlate(data[order], SFREQ)
    np.testing.assert_allclose(shuffled, plain[np.ix_(order, order)], atol=1e-12)


def test_batch_is_the_same_one_by_one():
    data = np.stack([mixed_noise(5, 2000, seed) for seed in range(3)])
    data = data.astype(np.float32)
    extractor = EnvelopeCorrelation(4, 7)
    together = extractor.extract(data, SFREQ)
    for series, matrix in zip(data, together, strict=True):
        np.testing.assert_array_equal(
            extractor.extract(series[np.newaxis], SFREQ)[0], matrix
        )
        np.testing.assert_array_equal(matrix, matrix.T)
        assert not np.diag(matrix).any()


def test_strength_is_the_mean_of_rows():
    data = mixed_noise(5, 2000)[np.newaxis]
    matrix = EnvelopeCorrelation().extract(data, SFREQ)
    strength = EnvelopeCorrelation(summary="strength").extract(data, SFREQ)
    assert strength.shape == (1, 5, 1)
    np.testing.assert_allclose(strength[..., 0], matrix.sum(axis=2) / 4, rtol=1e-6)


@pytest.mark.parametrize("lowpass", [None, 2.0])
def test_gaps_are_left_out(lowpass):
    data = mixed_noise(4, 3000)
    data[:, 1000:1010] = np.nan
    # Shorter than the filter of 165 samples.
    data[:, 1100:1107] = np.nan
    extractor = EnvelopeCorrelation(lowpass=lowpass)
    got = extractor.extract(data[np.newaxis], SFREQ)[0]
    window = 1 if lowpass is None else 22
    pieces = [
        analytic_signal(data[:, a:b], SFREQ, 8.0, 12.0)[:, : (b - a) // window * window]
        for a, b in ((0, 1000), (1107, 3000))
    ]
    expected = brute_force(np.concatenate(pieces, axis=1), window=window)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_annotations_and_epochs():
    data = mixed_noise(4, 4000)
    raw = raw_of(data, "misc", ["a", "b", "c", "d"])
    raw.set_annotations(mne.Annotations(10.0, 5.0, "bad"))
    extractor = EnvelopeCorrelation()
    got = extractor.compute(raw)
    assert isinstance(got, Connectivity)
    assert list(got.names) == ["a", "b", "c", "d"]
    assert "8-12 Hz" in got.method and "pairwise" in got.method
    gaps = data.copy()
    gaps[:, 1000:1500] = np.nan
    expected = extractor.correlate(gaps, SFREQ)
    np.testing.assert_allclose(got.get_data("dense"), expected, atol=1e-12)
    epochs = mne.make_fixed_length_epochs(
        raw_of(data), 10.0, preload=True, verbose="error"
    )
    pieces = [analytic_signal(x, SFREQ, 8.0, 12.0) for x in epochs.get_data()]
    expected = correlate_envelopes(np.concatenate(pieces, axis=1))
    got = extractor.compute(epochs).get_data("dense")
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_compute_takes_arrays_picks_and_what_becomes_a_raw():
    data = mixed_noise(4, 2000)
    extractor = EnvelopeCorrelation(lowpass=2.0, absolute=True, summary="strength")
    got = extractor.compute(data, sfreq=SFREQ, names=["a", "b", "c", "d"])
    assert got.get_data("dense").shape == (4, 4)
    assert got.method.endswith("absolute values, envelopes low-passed at 2 Hz")
    assert list(extractor.compute(data, sfreq=SFREQ).names) == ["0", "1", "2", "3"]
    raw = raw_of(data)
    raw.info["bads"] = ["r1"]
    assert list(extractor.compute(raw).names) == ["r0", "r2", "r3"]
    assert list(extractor.compute(raw, picks=["r3", "r0"]).names) == ["r3", "r0"]

    class Activity:
        def to_raw(self):
            return raw

    assert list(extractor.compute(Activity()).names) == ["r0", "r2", "r3"]


def test_compute_says_what_is_missing():
    data, extractor = mixed_noise(4, 2000), EnvelopeCorrelation()
    with pytest.raises(ValueError, match=r"compute\(array, sfreq=100.0\)"):
        extractor.compute(data)
    with pytest.raises(ValueError, match=r"names must have shape .* got 2"):
        extractor.compute(data, sfreq=SFREQ, names=["a", "b"])
    with pytest.raises(ValueError, match="Choose rows before"):
        extractor.compute(data, sfreq=SFREQ, picks=[0])
    with pytest.raises(ValueError, match="are those of the recording"):
        extractor.compute(raw_of(data), sfreq=SFREQ)
    with pytest.raises(ValueError, match="must have shape"):
        extractor.compute(data[np.newaxis], sfreq=SFREQ)
    spectrum = raw_of(data).compute_psd(verbose="error")
    with pytest.raises(TypeError, match="a spectrum has none"):
        extractor.compute(spectrum)
    data[2] = 1.0
    with pytest.raises(ValueError, match="r2"):
        extractor.compute(raw_of(data))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"fmin": 12.0}, "fmin < fmax"),
        ({"fmin": 0.0}, "fmin must be positive"),
        ({"fmax": 50.0}, "sampling rate above 100 Hz, got 100 Hz"),
        ({"orthogonalize": True}, "Allowed: 'pairwise', False"),
        ({"summary": "edges"}, "'matrix', 'strength'"),
        ({"absolute": 1}, "Allowed: True, False"),
        ({"lowpass": -1.0}, "lowpass must be positive"),
        ({"lowpass": 30.0}, "give 22.15 Hz or less"),
        ({"lowpass": 0.4}, "hold 9 windows of 1.11 s"),
        ({"fmin": 0.1, "fmax": 0.2}, "less than the filter of 33"),
    ],
)
def test_wrong_settings(settings, match):
    data = mixed_noise(3, 1000)[np.newaxis]
    with pytest.raises(ValueError, match=match):
        EnvelopeCorrelation(**settings).extract(data, SFREQ)


def test_wrong_data():
    data, extractor = mixed_noise(3, 1000)[np.newaxis], EnvelopeCorrelation()
    with pytest.raises(ValueError, match="two regions at least"):
        extractor.extract(data[:, :1], SFREQ)
    with pytest.raises(ValueError, match="two regions at least"):
        extractor.correlate(data[0, :1], SFREQ)
    with pytest.raises(ValueError, match="lasts 1.64 s, less than the filter of 1.65"):
        extractor.extract(data[..., :164], SFREQ)
    with pytest.raises(ValueError, match="must have shape"):
        extractor.extract(data[0], SFREQ)
    with pytest.raises(ValueError, match="sfreq must be positive"):
        extractor.extract(data, 0.0)
    gaps = data.copy()
    gaps[..., ::100] = np.nan
    with pytest.raises(ValueError, match="longest piece between gaps of observation 0"):
        extractor.extract(gaps, SFREQ)
    gaps[:] = np.nan
    with pytest.raises(ValueError, match="lasts 0 s"):
        extractor.extract(gaps, SFREQ)
    for value, match in ((np.nan, "must be finite"), (np.inf, "must be finite")):
        wrong = data.copy()
        wrong[0, 1, 500] = value
        with pytest.raises(ValueError, match=match):
            extractor.extract(wrong, SFREQ)
    wrong = np.concatenate([data, data])
    wrong[1, 2] = 3.0
    with pytest.raises(ValueError, match="observation 1 do not vary, the nodes 2"):
        extractor.extract(wrong, SFREQ)
    with pytest.raises(ValueError, match="cannot be made of power spectra"):
        extractor.extract_spectrum(np.ones((1, 3, 5)), np.arange(5))


def test_is_a_feature_extractor():
    extractor = EnvelopeCorrelation(13, 30, lowpass=1)
    assert isinstance(extractor, FeatureExtractor)
    assert clone(extractor).get_params() == extractor.get_params()
    assert not extractor.keeps_nodes
    assert extractor.n_points is None
    assert EnvelopeCorrelation(summary="strength").n_points == 1
    described = extractor.describe_summaries()
    assert described == {
        "class": "EnvelopeCorrelation",
        "fmin": 13.0,
        "fmax": 30.0,
        "orthogonalize": "pairwise",
        "lowpass": 1.0,
        "absolute": False,
        "summary": "matrix",
    }
    names = extractor.get_feature_names_out(["a", "b"]).tolist()
    assert names == ["a~a@13-30Hz", "a~b@13-30Hz", "b~a@13-30Hz", "b~b@13-30Hz"]
    strength = EnvelopeCorrelation(summary="strength")
    assert strength.get_feature_names_out(["a", "b"]).tolist() == [
        "a@8-12Hz",
        "b@8-12Hz",
    ]
    summaries = np.ones((2, 3, 3))
    assert extractor.add_noise(summaries, np.random.default_rng(0)) is summaries
    assert extractor.normalize(summaries).dtype == np.float32


def test_what_is_no_recording_is_refused():
    features = EnvelopeCorrelation()
    noise = np.random.default_rng(0).standard_normal((4, 2000))
    raw = mne.io.RawArray(noise, mne.create_info(4, 100.0, "eeg"), verbose=False)
    with pytest.raises(TypeError, match="one recording, got a list of 2"):
        features.compute([raw, raw])
    with pytest.raises(ValueError, match="Give array.T"):
        features.compute(noise.T, sfreq=100.0)
    with pytest.raises(ValueError, match=r"\(n_nodes, n_times\)"):
        features.compute(noise[np.newaxis], sfreq=100.0)
