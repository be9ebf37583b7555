"""Recordings of MNE-Python whose channels or labels are regions."""

import dataclasses

import mne
import numpy as np
import pytest

from mne_sbi import ModelInverter
from mne_sbi._recording import as_recording
from mne_sbi.estimators._plausibility import take_duration
from mne_sbi.features import LogPSD, SpectralNoise
from mne_sbi.models import SpectralGraphModel

NAMES = ("lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula", "lh.precentral")
SPELLINGS = {
    "lh.cuneus": "cuneus-lh",
    "rh.cuneus": "ctx-rh-cuneus",
    "lh.insula": "L_insula",
    "rh.insula": "rh_insula",
    "lh.precentral": "LHprecentral",
}


@pytest.fixture(scope="module")
def raw(make_raw):
    return make_raw()


@pytest.fixture(scope="module")
def fitted(make_inverter, raw):
    return make_inverter().fit(raw)


def test_raw_is_one_observation(fitted, raw):
    assert fitted.predict(raw).shape == (1, 5)
    assert fitted.node_names_ == NAMES
    posterior = fitted.predict_posterior([raw, raw])
    assert posterior.draws.shape == (2, 20, 5)
    np.testing.assert_array_equal(posterior.draws[0], posterior.draws[1])


def test_raw_gives_what_its_spectra_give(fitted, raw):
    """The same features by hand, as an array."""
    freqs = fitted.model_.get_freqs()
    spectra = LogPSD(freqs=freqs).extract(raw.get_data()[np.newaxis], 100.0)
    np.testing.assert_array_equal(fitted.predict(spectra), fitted.predict(raw))


def test_gain_of_the_recording_does_not_matter(fitted, raw):
    louder = raw.copy().apply_function(lambda x: 1e-9 * x, picks="all")
    np.testing.assert_allclose(fitted.predict(louder), fitted.predict(raw))


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_channels_in_any_order_and_spelling(fitted, raw, order):
    other = raw.copy().reorder_channels([NAMES[i] for i in order])
    other.rename_channels(SPELLINGS)
    np.testing.assert_array_equal(fitted.predict(other), fitted.predict(raw))


def test_fit_to_other_names_than_those_of_predict(make_inverter, fitted, raw):
    renamed = raw.copy().rename_channels(SPELLINGS)
    inverter = make_inverter().fit(renamed)
    assert inverter.node_names_ == NAMES
    np.testing.assert_array_equal(inverter.predict(raw), fitted.predict(raw))


def test_bad_regions_are_left_out(make_inverter, fitted, raw):
    bad = raw.copy()
    bad.info["bads"] = ["rh.cuneus"]
    inverter = make_inverter().fit(bad)
    assert inverter.node_names_ == ("lh.cuneus", *NAMES[2:])
    assert inverter.inverse_transform(inverter.prior_.sample(2, 0)).shape == (2, 4, 6)
    assert inverter.predict(bad).shape == (1, 5)
    # Every region of the connectome counts, also those that were not recorded.
    assert inverter.model_.get_connectome().n_nodes == 5
    with pytest.raises(ValueError, match=r"Missing: \['rh.cuneus'\]; not in the fit"):
        fitted.predict(bad)
    with pytest.raises(ValueError, match=r"not in the fit: \['rh.cuneus'\]. Pick"):
        inverter.predict(raw)


def test_epochs(make_inverter, make_raw):
    raw = make_raw(duration=20.0)
    epochs = mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")
    fitted = make_inverter().fit(epochs)
    assert fitted.features_.noise.duration == 5
    together = fitted.predict(epochs)
    assert together.shape == (4, 5)
    np.testing.assert_array_equal(fitted.predict(epochs[2]), together[2:3])
    pieces = [epochs[i] for i in range(4)]
    np.testing.assert_array_equal(fitted.predict(pieces), together)


def test_a_list_holds_a_recording_per_element(make_inverter, fitted, make_raw):
    """All epochs of a person are one observation, with no window across a border."""
    raws = [make_raw(duration=20.0, seed=seed) for seed in range(2)]
    people = [
        mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")
        for raw in raws
    ]
    together = fitted.predict(people)
    assert together.shape == (2, 5)
    extractor = LogPSD(freqs=fitted.model_.get_freqs())
    power = 10 ** (extractor.extract(people[1].get_data(), 100.0) / 10)
    # Interpolated decibels and averaged power do not commute exactly.
    by_hand = 10 * np.log10(power.mean(axis=0))[np.newaxis]
    np.testing.assert_allclose(
        fitted.inverse_transform(together[1:]),
        fitted.inverse_transform(fitted.predict(by_hand)),
        atol=3,
    )


def test_windows_of_a_recording(make_inverter, make_raw):
    raw = make_raw(duration=20.0)
    inverter = make_inverter(duration=5.0).fit(raw)
    assert inverter.features_.noise.duration == 5
    epochs = mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")
    by_epoch = make_inverter().fit(epochs).predict(epochs)
    np.testing.assert_allclose(inverter.predict(raw), by_epoch)


def test_spectra_of_mne(make_inverter, fitted, raw):
    settings = {"method": "welch", "n_fft": 200, "n_overlap": 100, "window": "hann"}
    settings |= {"picks": "all", "verbose": "error"}
    spectrum = raw.compute_psd(**settings)
    unknown = "does not tell how long the recording was.* noise is that of "
    with pytest.warns(RuntimeWarning, match=unknown + "20 s"):
        np.testing.assert_allclose(fitted.predict(spectrum), fitted.predict(raw))
    with pytest.warns(RuntimeWarning, match=unknown + "20 s"):
        assert fitted.predict([spectrum, spectrum]).shape == (2, 5)
    with pytest.warns(RuntimeWarning, match=unknown + "60 s"):
        assert make_inverter().fit(spectrum).features_.noise.duration == 60
    # Whoever says how long it was is not asked again.
    known = LogPSD(noise=SpectralNoise(duration=20.0))
    make_inverter(features=known).fit(spectrum)
    epochs = mne.make_fixed_length_epochs(raw, 5.0, preload=True, verbose="error")
    spectra = epochs.compute_psd(**settings)
    with pytest.warns(RuntimeWarning, match="as many windows as 2 s .* of 20 s"):
        assert fitted.predict(spectra).shape == (4, 5)
    too_few = raw.compute_psd(fmax=30.0, **settings)
    with pytest.raises(ValueError, match="to 30 Hz do not cover .* to 40 Hz"):
        fitted.predict(too_few)


def test_coarse_spectra_are_said_to_be_so(make_inverter, raw):
    """What compute_psd() gives by default at high sampling rates."""
    settings = {"method": "welch", "picks": "all", "verbose": "error"}
    features = LogPSD(noise=SpectralNoise(duration=20.0))
    inverter = make_inverter(features=features).fit(raw)
    with pytest.warns(RuntimeWarning, match="every 10 Hz, and are compared"):
        inverter.predict(raw.compute_psd(n_fft=10, **settings))


def test_average_is_said_to_be_one(make_inverter, fitted, raw):
    epochs = mne.make_fixed_length_epochs(raw, 10.0, preload=True, verbose="error")
    evoked = epochs.average(picks="all")
    features = LogPSD(noise=SpectralNoise(duration=10.0))
    with pytest.warns(RuntimeWarning, match="An Evoked .* Give the Epochs"):
        inverter = make_inverter(features=features).fit(evoked)
    with pytest.warns(RuntimeWarning, match="An Evoked"):
        assert inverter.predict([evoked, evoked]).shape == (2, 5)


def test_source_estimate(fitted, make_inverter, raw):
    """Sources that all have their label's time course."""
    hemispheres = {"lh": [], "rh": []}
    for name in NAMES:
        hemispheres[name[:2]].append(name)
    rows, labels = [], []
    for hemi, names in hemispheres.items():
        for i, name in enumerate(names):
            vertices = [10 * i, 10 * i + 1]
            labels.append(mne.Label(vertices, hemi=hemi, name=f"{name[3:]}-{hemi}"))
            rows += [name, name]
    vertices = [np.array([0, 1, 10, 11, 20, 21]), np.array([0, 1, 10, 11])]
    data = np.concatenate([raw.get_data(picks=[name]) for name in rows])
    stc = mne.SourceEstimate(data, vertices, 0, 1 / raw.info["sfreq"])
    inverter = make_inverter(labels=labels).fit(stc)
    assert inverter.predict([stc, stc]).shape == (2, 5)
    fitted.set_params(labels=labels)
    np.testing.assert_allclose(fitted.predict(stc), fitted.predict(raw))
    fitted.set_params(labels=None)
    with pytest.raises(ValueError, match="needs labels="):
        fitted.predict(stc)


def test_pairs_of_recordings_and_parameters(make_inverter, make_raw):
    raws = [make_raw(seed=i) for i in range(12)]
    theta = make_inverter().fit().prior_.sample(12, 0)
    inverter = make_inverter().fit(raws, theta)
    assert inverter.predict(raws[:2]).shape == (2, 5)
    with pytest.raises(ValueError, match="a row for each of the 12 recordings"):
        make_inverter().fit(raws, theta[:5])


def test_labels_of_conditions_are_no_parameters(make_inverter, make_raw):
    raws = [make_raw(seed=i) for i in range(12)]
    for labels in ([0, 1] * 6, ["rest", "task"] * 6):
        with pytest.raises(ValueError, match=r"FrozenEstimator\(inverter\)"):
            make_inverter().fit(raws, labels)


def test_names_of_observations(fitted, raw):
    posterior = fitted.predict_posterior([raw, raw], obs_names=["one", "two"])
    assert list(posterior.to_data_frame().index) == ["one", "two"]
    with pytest.raises(ValueError, match=r"obs_names must have shape \(2,\).* got 1"):
        fitted.predict_posterior([raw, raw], obs_names=["one"])


# What is not what the fit assumes is said, once in each call.


def found_warnings(record):
    return [str(warning.message) for warning in record]


def test_default_noise_has_the_length_of_the_recording(
    make_inverter, make_raw, spectra
):
    raws = [make_raw(duration=duration) for duration in (30.0, 25.0, 40.0)]
    raws[0].set_annotations(mne.Annotations([10], [12.0], "BAD_noise"))
    inverter = make_inverter().fit(raws)
    # Nine windows before the segment and seven after it, as many as in 17 s.
    assert inverter.features_.noise.duration == 17
    assert make_inverter().fit(raws[1:]).features_.noise.duration == 25
    assert make_inverter().fit(spectra).features_.noise.duration == 60
    # The window may be set, and a little less is near enough.
    inverter.predict(make_raw(duration=15.0))
    with pytest.warns(RuntimeWarning) as record:
        inverter.predict([make_raw(duration=d) for d in (14.0, 12.0)])
    (message,) = found_warnings(record)
    assert message.startswith("A recording has 12 s of usable data, but")
    assert "that of 17 s" in message and "SpectralNoise(duration=12)" in message


def test_recordings_shorter_than_the_noise_s_warn(make_inverter, raw):
    features = LogPSD(noise=SpectralNoise(duration=60.0))
    with pytest.warns(RuntimeWarning, match="20 s of usable .* of 60 s") as record:
        inverter = make_inverter(features=features).fit(raw)
    assert inverter.features_.noise.duration == 60 and len(record) == 1
    # The warning leads to the user's line.
    assert record[0].filename == __file__
    make_inverter(features=LogPSD(noise=SpectralNoise(duration=None))).fit(raw)
    make_inverter(features=LogPSD(noise=SpectralNoise(duration=10.0))).fit(raw)


@pytest.mark.parametrize(
    "highpass, lowpass, warns",
    [(None, 39.0, True), (None, 40.0, False), (6.0, None, True), (4.0, None, False)],
)
def test_filters_within_the_model_s_frequencies_warn(
    make_inverter, raw, highpass, lowpass, warns
):
    # MNE-Python does not note filters of miscellaneous channels.
    filtered = raw.copy().set_channel_types(
        dict.fromkeys(NAMES, "eeg"), on_unit_change="ignore"
    )
    filtered.filter(highpass, lowpass, verbose="error")
    if not warns:
        make_inverter().fit(filtered)
        return
    with pytest.warns(RuntimeWarning, match="compared from 4 to 40 Hz.*freqs="):
        make_inverter().fit(filtered)


# The packaged connectome is never used silently on a recording.


@pytest.fixture(scope="module")
def synthetic(connectome):
    return dataclasses.replace(connectome, synthetic=True)


def test_synthetic_connectome_warns(make_inverter, synthetic, raw):
    with pytest.warns(RuntimeWarning, match="fetch_connectome") as record:
        make_inverter(connectome=synthetic).fit(raw)
    assert record[0].filename == __file__


def test_synthetic_connectome_warns_in_predict(make_inverter, synthetic, raw, spectra):
    inverter = make_inverter(connectome=synthetic, features=LogPSD()).fit(spectra)
    # Through scikit-learn's wrapper as well, the warning leads to the user's line.
    for method in (inverter.predict, inverter.transform):
        with pytest.warns(RuntimeWarning, match="fetch_connectome") as record:
            method(raw)
        assert record[0].filename == __file__


def test_arrays_do_not_warn_if_it_was_chosen(make_inverter, synthetic, spectra):
    make_inverter(connectome=synthetic).fit(spectra).predict(spectra)
    make_inverter(connectome=synthetic).fit()


def test_arrays_warn_if_nobody_chose_it():
    inverter = ModelInverter(
        SpectralGraphModel(freqs=[8.0, 16.0, 32.0], engine="exact"),
        prior={"tau_e": 0.01, "tau_i": 0.01, "speed": 10.0, "tau_g": 0.01},
        method="abc",
        n_simulations=10,
        verbose="error",
    )
    X = -np.arange(3.0) * np.ones((1, 68, 1))
    with pytest.warns(RuntimeWarning, match="fetch_connectome"):
        inverter.fit(X)


# The noise is that of the windows that the spectrum averages, however they came about.


def noise_of(make_inverter, X, window=2.0):
    """Length that the default noise takes from X, and the windows it stands for."""
    features = make_inverter().fit(X).features_
    assert features.window == window
    duration = features.noise.duration
    return duration, 2 * duration / window - 1


def make_epochs(raw, duration, overlap=0.0, **settings):
    return mne.make_fixed_length_epochs(
        raw, duration, overlap=overlap, preload=True, verbose="error", **settings
    )


def test_noise_of_overlapping_epochs(make_inverter, make_raw):
    raw = make_raw(duration=60.0)
    # Half-overlapping windows are those of the whole recording.
    assert noise_of(make_inverter, [make_epochs(raw, 2.0, 1.0)])[0] == 60
    assert noise_of(make_inverter, [make_epochs(raw, 2.0, 1.5)])[0] == 60
    assert noise_of(make_inverter, [make_epochs(raw, 4.0, 3.0)])[0] == 60
    # In any order, after a baseline was taken out of each, and at a lower rate.
    epochs = make_epochs(raw, 4.0, 3.0).apply_baseline((0, 0.5))
    assert noise_of(make_inverter, [epochs[::-1]])[0] == 60
    fast = make_raw(sfreq=200.0, duration=60.0)
    epochs = make_epochs(fast, 4.0, 3.0).decimate(2, verbose="error")
    assert noise_of(make_inverter, [epochs])[0] == 60
    # One window in each of 30.
    assert noise_of(make_inverter, [make_epochs(raw, 2.0)]) == (31, 30)


@pytest.mark.parametrize(("duration", "overlap"), [(2.0, 1.5), (4.0, 3.0), (3.0, 0.0)])
def test_noise_is_as_large_as_spectra_of_white_noise_vary(duration, overlap):
    rows = np.random.default_rng(0).standard_normal((300, 3000))
    raw = mne.io.RawArray(rows, mne.create_info(300, 100.0, "misc"), verbose="error")
    recording = as_recording([make_epochs(raw, duration, overlap)])
    features = LogPSD(5.0, 45.0, window=2.0, noise=SpectralNoise())
    found = features.extract(np.array(recording.data), 100.0)[0].std(axis=0).mean()
    take_duration(features, recording)
    expected = 10 / np.log(10) / np.sqrt(features.noise.n_averages(2.0))
    assert found == pytest.approx(expected, rel=0.08)


def test_noise_of_epochs_whose_events_are_made_up(make_inverter, make_raw):
    """EpochsArray numbers them one sample after the other."""
    epochs = make_epochs(make_raw(duration=60.0), 2.0)
    array = mne.EpochsArray(epochs.get_data(), epochs.info, verbose="error")
    assert noise_of(make_inverter, [array]) == (31, 30)


def test_noise_of_short_good_pieces(make_inverter, make_raw):
    raw = make_raw(duration=40.0)
    # Pieces of 10, 1.5 and 20 s: 9, 0 and 19 windows.
    raw.set_annotations(mne.Annotations([10.0, 14.5], [3.0, 5.5], "BAD"))
    assert noise_of(make_inverter, raw) == (29, 28)


def test_noise_of_joined_recordings(make_inverter, make_raw):
    raws = [make_raw(duration=20.0, seed=seed) for seed in range(3)]
    joined = mne.concatenate_raws(raws, verbose="error")
    # A joint takes a sample, and the last window of 20 s with it.
    assert noise_of(make_inverter, joined) == (56, 19 + 18 + 18)


def test_noise_of_spectra_of_epochs(make_inverter, make_raw):
    settings = {"method": "welch", "n_fft": 200, "window": "hann", "picks": "all"}
    settings |= {"verbose": "error"}
    raw = make_raw(duration=60.0)
    spectra = make_epochs(raw, 2.0).compute_psd(**settings)
    # Of each by itself one window, and of their average 30.
    assert noise_of(make_inverter, spectra) == (2, 1)
    assert noise_of(make_inverter, [spectra]) == (31, 30)
    assert noise_of(make_inverter, spectra.average()) == (31, 30)
    info = mne.create_info(spectra.ch_names, 100.0, "eeg")
    array = mne.time_frequency.EpochsSpectrumArray(
        spectra.get_data(picks="all"), info, spectra.freqs, verbose="error"
    )
    assert noise_of(make_inverter, [array]) == (31, 30)
    # Windows that overlap by more than half are no more than those of the recording.
    spectra = make_epochs(raw, 2.0, 1.5).compute_psd(**settings)
    assert noise_of(make_inverter, [spectra]) == (60, 59)


def test_command_line_counts_windows(make_raw, tmp_path):
    """Features that the command makes have the length that an inverter would find."""
    from mne_sbi.commands._invert import _tell_duration

    raw = make_raw(duration=40.0)
    raw.set_annotations(mne.Annotations([10.0, 14.5], [3.0, 5.5], "BAD"))
    model = SpectralGraphModel(freqs=np.linspace(4, 40, 6))
    features = LogPSD(noise=SpectralNoise())
    inverter = ModelInverter(model, features=features)
    _tell_duration(inverter, [raw, make_raw(duration=90.0)])
    assert inverter.features.noise.duration == 29
    _tell_duration(inverter.set_params(duration=5.0), [make_raw(duration=90.0)])
    assert inverter.features.noise.duration == 5
