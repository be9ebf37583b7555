"""The fit of connectivity is by name and along time, and white noise fits nothing."""

import dataclasses
import logging

import mne
import numpy as np
import pytest
from mne_connectivity import Connectivity, envelope_correlation
from scipy.signal import butter, filtfilt, hilbert

from mne_sbi import Connectome, connectivity_fit
from mne_sbi.diagnostics import ConnectivityFit
from mne_sbi.features import EnvelopeCorrelation, LogPSD
from mne_sbi.features._envelopes import correlate_envelopes

SFREQ = 100.0
NAMES = [f"{region}_{side}" for region in "ABCDEFGH" for side in "LR"]


def raw_of(data, names=None):
    names = names or [f"r{i}_L" for i in range(len(data))]
    info = mne.create_info(names, SFREQ, "misc")
    return mne.io.RawArray(data, info, verbose="error")


def noise(n_nodes, n_times, seed):
    return np.random.default_rng(seed).standard_normal((n_nodes, n_times))


def random_matrix(n_nodes=16, seed=0):
    made = noise(n_nodes, n_nodes, seed)
    made = made + made.T
    np.fill_diagonal(made, 0)
    return made


def random_connectome(names=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.random((len(names), len(names)))
    weights *= rng.random(weights.shape) > 0.2
    lengths = 0.2 * rng.random(weights.shape)
    lengths = np.where(weights > 0, lengths, 0)
    return Connectome(weights, lengths, names)


def edges_of(matrix):
    return matrix[np.triu_indices(len(matrix), k=1)]


def published_pipeline(data, axis):
    """Connectivity of a pipeline that was published, with its filters on an axis.

    Its series have the regions last, where `filtfilt` filters if no axis is given.
    """
    series = data.T
    band = filtfilt(*butter(3, [8, 12], "band", fs=SFREQ), series, axis=axis)
    signals = hilbert(band, axis=0)
    phases = signals.conj() / np.abs(signals)
    lowpass = butter(3, 1.0, "low", fs=SFREQ)
    envelope = filtfilt(*lowpass, np.abs(signals), axis=axis)
    found = np.zeros((len(data), len(data)))
    for i in range(len(data)):
        orthogonal = np.abs(np.imag(signals[:, [i]] * phases))
        orthogonal = filtfilt(*lowpass, orthogonal, axis=axis)
        a, b = orthogonal - orthogonal.mean(axis=0), envelope - envelope.mean(axis=0)
        found[i] = (a * b).sum(axis=0)
        found[i] /= np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return (found + found.T) / 2


def test_white_noise_fits_no_white_noise():
    one, other = noise(94, 6000, 0), noise(94, 6000, 1)
    fit = connectivity_fit(
        raw_of(one.astype(np.float32)), raw_of(other), n_null=9, random_state=0
    )
    assert abs(fit.r) < 0.05
    assert np.abs(fit.null).max() < 0.06
    assert np.abs(fit.surrogate).max() < 0.06
    assert fit.null_kind == "white noise"
    assert fit.p_value > 0.05


@pytest.mark.parametrize(("axis", "is_wrong"), [(-1, True), (0, False)])
def test_white_noise_fits_where_filters_go_along_regions(axis, is_wrong):
    names = [f"r{i}_L" for i in range(94)]
    # Ten seconds are enough to see it.
    pairs = [(published_pipeline(noise(94, 1000, k), axis), names) for k in (0, 1)]
    fit = connectivity_fit(*pairs, n_null=9, random_state=0)
    if is_wrong:
        assert fit.r > 0.6
    else:
        assert abs(fit.r) < 0.06


def test_regions_are_matched_by_name():
    rng = np.random.default_rng(0)
    data = noise(16, 3000, 0)
    order = rng.permutation(16)
    shuffled = raw_of(data[order], [NAMES[i] for i in order])
    spelt = [f"{name[-1].lower()}h.{name[:-2].lower()}" for name in NAMES]
    matrix = EnvelopeCorrelation().correlate(data, SFREQ)
    fit = connectivity_fit(shuffled, (matrix, spelt), n_null=3, random_state=0)
    assert fit.r == pytest.approx(1, abs=1e-9)
    assert fit.names == tuple(spelt)
    np.testing.assert_allclose(fit.simulated, fit.measured, atol=1e-12)
    assert fit.p_value == 0.25


def test_kinds_of_input_agree():
    data, target = noise(6, 3000, 0), random_matrix(6)
    names = NAMES[:6]
    raw = raw_of(data, names)
    features = EnvelopeCorrelation(4, 8, lowpass=2.0)
    settings = {"features": features, "n_null": 2, "random_state": 0}
    measured = Connectivity(target.ravel(), 6, names=names)
    expected = connectivity_fit(raw, measured, **settings)
    epochs = mne.make_fixed_length_epochs(raw, 30.0, preload=True, verbose="error")

    class Activity:
        def to_raw(self):
            return raw

    made = features.compute(raw)
    pair = made.get_data("dense"), names
    for simulated in (Activity(), epochs, made, pair, list(pair)):
        fit = connectivity_fit(simulated, (target, names), **settings)
        assert fit.r == pytest.approx(expected.r, abs=1e-9)
    np.testing.assert_allclose(
        expected.r,
        np.corrcoef(edges_of(pair[0]), edges_of(target))[0, 1],
        rtol=1e-9,
    )
    signals = hilbert(data, axis=1)
    peer = envelope_correlation(signals[np.newaxis], names=names, absolute=False)
    ours = correlate_envelopes(signals)
    fit = connectivity_fit(peer, (ours, names), n_null=2)
    assert fit.r == pytest.approx(1, abs=1e-9)


def test_null_of_series_has_their_gaps_and_settings():
    data = noise(6, 3000, 0)
    data[:, 1000:1500] = np.nan
    target = random_matrix(6)
    features = EnvelopeCorrelation(lowpass=2.0)
    raw = raw_of(np.nan_to_num(data), NAMES[:6])
    raw.set_annotations(mne.Annotations(10.0, 5.0, "bad"))
    settings = {"features": features, "n_null": 5}
    fit = connectivity_fit(raw, (target, NAMES[:6]), random_state=3, **settings)
    rng = np.random.default_rng(3).spawn(3)[0]
    for draw in fit.null:
        made = rng.standard_normal(data.shape, dtype=np.float32)
        made[:, np.isnan(data[0])] = np.nan
        matrix = features.correlate(made, SFREQ)
        expected = np.corrcoef(edges_of(matrix), edges_of(target))[0, 1]
        assert draw == pytest.approx(expected, abs=1e-9)
    again = connectivity_fit(raw, (target, NAMES[:6]), random_state=3, **settings)
    np.testing.assert_array_equal(again.null, fit.null)
    np.testing.assert_array_equal(again.surrogate, fit.surrogate)
    other = connectivity_fit(raw, (target, NAMES[:6]), random_state=4, **settings)
    assert (other.null != fit.null).all()


def test_surrogates_keep_spectra_and_break_relations():
    from mne_sbi.diagnostics._connectivity_nulls import _randomize

    for n_times in (1000, 1001):
        data = np.cumsum(noise(1, n_times, 0), axis=1).repeat(2, axis=0)
        spectrum = np.fft.rfft(data, axis=1)
        made = _randomize(spectrum, n_times, np.random.default_rng(0))
        power = np.abs(np.fft.rfft(made, axis=1))
        np.testing.assert_allclose(power, np.abs(spectrum), rtol=1e-9, atol=1e-9)
        assert abs(np.corrcoef(made)[0, 1]) < 0.9
        np.testing.assert_allclose(made.mean(axis=1), data.mean(axis=1))
    # A common slow amplitude makes all envelopes correlate, more than in its absence.
    slow = np.exp(np.convolve(noise(1, 6049, 1)[0], np.ones(50) / 7, "valid"))
    strength = np.linspace(0, 1, 8)[:, np.newaxis]
    raw = raw_of(noise(8, 6000, 2) * slow**strength, NAMES[:8])
    matrix = EnvelopeCorrelation().compute(raw)
    fit = connectivity_fit(raw, matrix, n_null=20, random_state=0)
    assert fit.r == pytest.approx(1)
    assert np.quantile(fit.surrogate, 0.95) < 0.8
    assert fit.p_value == pytest.approx(1 / 21)


def test_null_of_a_matrix_is_of_its_regions_in_random_order():
    one, other = random_matrix(seed=0), random_matrix(seed=1)
    measured = one + other, NAMES
    fit = connectivity_fit((one, NAMES), measured, n_null=199, random_state=0)
    assert fit.null_kind == "permuted regions"
    assert len(fit.surrogate) == 0
    assert abs(fit.null.mean()) < 0.05
    assert fit.p_value == 1 / 200
    expected = np.corrcoef(edges_of(one), edges_of(one + other))[0, 1]
    assert fit.r == pytest.approx(expected)
    assert "permuted regions" in repr(fit)


def test_missing_regions_are_listed_or_counted(caplog):
    one, other = random_matrix(), random_matrix(seed=1)
    part = other[2:, 2:], NAMES[2:]
    with pytest.raises(ValueError, match="2 of 16 simulated regions are not measured"):
        connectivity_fit((one, NAMES), part)
    with pytest.raises(ValueError, match="measured regions are not simulated: A_L, A_"):
        connectivity_fit(part, (one, NAMES))
    connectome = random_connectome(NAMES[:-1])
    with pytest.raises(ValueError, match="not in the connectome: H_R"):
        connectivity_fit((one, NAMES), (other, NAMES), connectome=connectome)
    propagate = mne.utils.logger.propagate
    mne.utils.logger.propagate = True
    try:
        with caplog.at_level(logging.INFO, logger="mne"):
            fit = connectivity_fit(
                (one, NAMES),
                part,
                connectome=connectome,
                on_missing="ignore",
                n_null=2,
                verbose=True,
            )
    finally:
        mne.utils.logger.propagate = propagate
    assert "13 regions are compared; 3 are not in all inputs" in caplog.text
    assert fit.names == tuple(NAMES[2:-1])
    assert fit.n_ignored == 3
    assert fit.n_edges == 13 * 12 // 2
    np.testing.assert_allclose(fit.simulated, one[2:-1, 2:-1])
    others = [f"x{name}" for name in NAMES[:13]] + NAMES[13:]
    with pytest.raises(ValueError, match="Only 3 regions are in all"):
        connectivity_fit((one, NAMES), (other, others), on_missing="ignore")


def test_regions_left_out_are_not_in_the_null():
    raw, target = raw_of(noise(8, 1000, 0), NAMES[:8]), random_matrix(8)
    settings = {"n_null": 2, "random_state": 0, "on_missing": "ignore"}
    fit = connectivity_fit(raw, (target[:6, :6], NAMES[:6]), **settings)
    assert len(fit.names) == 6
    alone = raw.copy().pick(NAMES[:6])
    other = connectivity_fit(alone, (target[:6, :6], NAMES[:6]), **settings)
    np.testing.assert_array_equal(fit.null, other.null)
    assert fit.r == pytest.approx(other.r, abs=1e-9)


def test_baselines():
    connectome = random_connectome()
    weights, lengths = (
        edges_of((x + x.T) / 2) for x in (connectome.weights, connectome.lengths)
    )
    target = random_matrix()
    wanted = edges_of(target) + 2 * weights - 8 * lengths
    target[np.triu_indices(16, k=1)] = wanted
    target = np.triu(target) + np.triu(target).T
    fit = connectivity_fit(
        (random_matrix(seed=1), NAMES),
        (target, NAMES),
        connectome=connectome,
        n_null=2,
        random_state=0,
    )
    found = fit.baselines

    def r(a, used):
        return np.corrcoef(a[used], wanted[used])[0, 1], used.sum()

    positive, reached = weights > 0, lengths > 0
    everywhere = np.full(len(weights), True)
    assert found["weights"] == pytest.approx(r(weights, everywhere))
    with np.errstate(divide="ignore"):
        assert found["log weights"] == pytest.approx(r(np.log(weights), positive))
    assert found["minus length"] == pytest.approx(r(-lengths, reached))
    from sklearn.linear_model import LinearRegression

    design = np.stack([weights, lengths], axis=1)[reached]
    best = np.sqrt(
        LinearRegression().fit(design, wanted[reached]).score(design, wanted[reached])
    )
    in_sample = found["least squares (in sample)"]
    assert in_sample == pytest.approx((best, reached.sum()))
    assert found["minus length"][0] < in_sample[0]
    assert 0.1 < found["least squares (5 folds)"][0] < in_sample[0]


def test_folds_do_not_learn_from_what_they_predict():
    fits = [
        connectivity_fit(
            (random_matrix(seed=1), NAMES),
            (random_matrix(seed=seed), NAMES),
            connectome=random_connectome(seed=seed),
            n_null=1,
            random_state=0,
        )
        for seed in range(20)
    ]
    inside, outside = (
        np.mean([fit.baselines[f"least squares ({kind})"][0] for fit in fits])
        for kind in ("in sample", "5 folds")
    )
    assert inside > 0.05
    assert outside < 0.02


def test_summary_and_repr():
    fit = connectivity_fit(
        raw_of(noise(16, 1000, 0), NAMES),
        (random_matrix(), NAMES),
        connectome=random_connectome(),
        ceiling=0.6,
        n_null=5,
        random_state=0,
    )
    assert isinstance(fit, ConnectivityFit)
    table = fit.summary().set_index("what")
    assert table.index.tolist() == [
        "simulation",
        "white noise",
        "random phases",
        *fit.baselines,
        "ceiling",
    ]
    assert table.loc["simulation", "r"] == fit.r
    assert table.loc["simulation", "p_value"] == fit.p_value
    row = table.loc["white noise"]
    assert row["lower"] <= row["r"] <= row["upper"]
    assert table.loc["ceiling", "r"] == 0.6
    text = repr(fit)
    assert text.startswith(f"<ConnectivityFit | r = {fit.r:.3f} over 120 edges of 16")
    assert "white noise" in text and "best baseline" in text and "ceiling 0.6" in text
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.r = 1.0


def test_wrong_matrices():
    good = random_matrix(), NAMES

    def refuse(wrong, match, error=ValueError):
        with pytest.raises(error, match=match):
            connectivity_fit(good, wrong, n_null=1)

    asymmetric = good[0].copy()
    asymmetric[0, 1] += 1
    refuse((asymmetric, NAMES), "measured must be symmetric.* from A_L to A_R and ")
    refuse((np.tril(good[0]), NAMES), "Only one triangle is filled")
    holes = good[0].copy()
    holes[0, 1] = holes[1, 0] = np.nan
    refuse((holes, NAMES), "measured must be finite")
    refuse((good[0], NAMES[:-1]), "connects 16 regions and has 15 names")
    refuse((np.ones((16, 16)), NAMES), "is the same for all edges")
    refuse(good[0], "without names", TypeError)
    refuse((good[0], good[0]), "must be one recording, one Connectivity", TypeError)
    raw = raw_of(noise(16, 1000, 0), NAMES)
    refuse([raw, raw], "got a list of 2: RawArray, RawArray", TypeError)
    refuse((good[0], [str(i) for i in range(16)]), "numbers instead of names")
    refuse((good[0], ["lh.a", *NAMES[1:-1], "A_L"]), "stand for one region: lh.a, A_L")
    bands = Connectivity(good[0].ravel(), 16, names=NAMES)
    bands = envelope_correlation(noise(2, 16 * 100, 0).reshape(2, 16, 100))
    refuse(bands, r"shape \(2, 16, 16, 1\), and one matrix")
    # NaN on the diagonal is nothing.
    diagonal = good[0].copy()
    np.fill_diagonal(diagonal, np.nan)
    assert connectivity_fit(good, (diagonal, NAMES), n_null=1).r == pytest.approx(1)


def test_wrong_arguments():
    good = random_matrix(), NAMES

    def refuse(error, match, **settings):
        with pytest.raises(error, match=match):
            connectivity_fit(good, good, **settings)

    refuse(TypeError, "must be an EnvelopeCorrelation", features=LogPSD())
    refuse(TypeError, "must be a Connectome", connectome=good[0])
    refuse(ValueError, "ceiling must be a correlation", ceiling=1.5)
    refuse(ValueError, "n_null must be a number of draws", n_null=0)
    refuse(ValueError, "Did you mean 'ignore'", on_missing="ignored")
    refuse(TypeError, "random_state must be", random_state="0")


def test_measured_alpha_connectivity(shared_data):
    file = shared_data / "meg_fc" / "rsmeg_alpha_orthogonalised_fc_aal2.npz"
    if not file.exists():
        pytest.skip(f"{file.name} is not in the folder of real recordings")
    with np.load(file) as stored:
        measured = stored["fc94"], stored["labels94"].tolist()
        part = stored["fc80"], stored["labels80"].tolist()
    itself = connectivity_fit(measured, measured, n_null=20, random_state=0)
    assert itself.r == pytest.approx(1)
    assert np.abs(itself.null).max() < 0.2
    cortex = connectivity_fit(measured, part, n_null=1, on_missing="ignore")
    assert cortex.r == pytest.approx(1)
    assert cortex.n_ignored == 14
    order = np.random.default_rng(0).permutation(94)
    data = noise(94, 6000, 0).astype(np.float32)
    raw = raw_of(data, [measured[1][i] for i in order])
    fit = connectivity_fit(
        raw,
        measured,
        features=EnvelopeCorrelation(lowpass=1.0),
        n_null=10,
        random_state=0,
    )
    assert abs(fit.r) < 0.06
    assert np.abs(fit.null).max() < 0.06
    assert abs(fit.null.mean()) < 0.02
