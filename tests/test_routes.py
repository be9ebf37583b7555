"""From real recordings to posteriors, along every route that MNE-Python users take."""

import mne
import numpy as np
import pytest

from mne_sbi import SGMInverter, simulation
from mne_sbi._priors import make_prior
from mne_sbi.datasets import read_group_connectome
from mne_sbi.estimators._reading import read_features
from mne_sbi.features import LogPSD
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel

pytestmark = [
    pytest.mark.slow,
    # Real recordings are not unlike all simulations.
    pytest.mark.filterwarnings("error"),
]

FREQS = np.arange(2.0, 40.5, 2.0)
ALPHA = (FREQS > 7) & (FREQS < 14)


@pytest.fixture(scope="module")
def connectome(shared_data):
    return read_group_connectome(shared_data / "spectrome")


@pytest.fixture(scope="module")
def bank(connectome):
    """Simulations of all nodes, which serve every route."""
    model = SpectralGraphModel(connectome, FREQS)
    prior, fixed = make_prior(model.get_parameters(), model.default_free)
    return simulation.simulate(
        model,
        prior,
        2500,
        features=LogPSD(freqs=FREQS),
        fixed=fixed,
        random_state=0,
        verbose="error",
    )


@pytest.fixture(scope="module")
def labels(shared_data):
    folder = shared_data / "mne_route" / "sample_small_aparc_labels"
    return [mne.read_label(fname) for fname in sorted(folder.glob("*.label"))]


@pytest.fixture(scope="module")
def fit(connectome, bank):
    """A function that fits an inverter to a recording."""

    def fit(inst, **settings):
        inverter = SGMInverter(
            connectome,
            freqs=FREQS,
            simulations=bank,
            method=NPE(max_iter=12),
            random_state=0,
            verbose="error",
            **settings,
        )
        return inverter.fit(inst)

    return fit


def read_observations(inverter, inst):
    """Return the features of a recording, shape (n_obs, n_rows, n_freqs)."""
    x = read_features(inverter, inst).x
    return x.reshape(len(x), -1, len(FREQS))


def predict_observations(inverter, posterior, obs):
    """Return the features that the posterior predicts, (n_draws, n_rows, n_freqs)."""
    data = inverter.inverse_transform(posterior.draws[obs, :100])
    return inverter.features_.normalize(data)


def find_peak(features):
    """Frequency of the highest point of the alpha band, of the mean over rows."""
    mean = features.reshape(-1, len(FREQS)).mean(axis=0)
    return FREQS[ALPHA][mean[ALPHA].argmax()]


def tell(title, posterior):
    """Print the summary of a posterior, as a user would."""
    print(f"\n{title}\n{posterior.summary().round(4).to_string(index=False)}")


# The sample subject: source imaging, and sensors through the forward solution.


@pytest.fixture(scope="module")
def sample(shared_data):
    folder = shared_data / "mne_route"
    raw = mne.io.read_raw_fif(
        folder / "sample_24s_raw.fif", preload=True, verbose="error"
    )
    raw.info["bads"] = ["MEG 2443", "EEG 053"]
    raw.filter(1.0, 45.0, verbose="error")
    raw.set_eeg_reference(projection=True, verbose="error").apply_proj(verbose="error")
    forward = mne.read_forward_solution(
        folder / "sample_small-fwd.fif", verbose="error"
    )
    covariance = mne.read_cov(folder / "sample_audvis_trunc-cov.fif", verbose="error")
    return raw, forward, covariance


@pytest.fixture(scope="module")
def at_source(sample, labels, fit):
    """The inverter, the posterior and the data of the route by source imaging."""
    raw, forward, covariance = sample
    operator = mne.minimum_norm.make_inverse_operator(
        raw.info, forward, covariance, loose=0.2, depth=0.8, verbose="error"
    )
    stc = mne.minimum_norm.apply_inverse_raw(
        raw, operator, 1 / 9, "dSPM", pick_ori="normal", verbose="error"
    )
    inverter = fit(stc, labels=labels, src=operator["src"])
    return inverter, inverter.predict_posterior(stc), stc


def check_fit(inverter, posterior, inst):
    """The regions are the cortical ones, and the mean spectrum is predicted."""
    assert len(inverter.node_names_) == 68
    measured = read_observations(inverter, inst).mean(axis=(0, 1))
    predicted = predict_observations(inverter, posterior, 0).mean(axis=(0, 1))
    r = np.corrcoef(measured, predicted)[0, 1]
    # A straight line over frequency is the baseline.
    line = np.corrcoef(measured, -FREQS)[0, 1]
    print(f"correlation with the mean spectrum: {r:.3f}; of a straight line {line:.3f}")
    assert r > 0.85 and r > line


def test_source_estimate(at_source):
    inverter, posterior, stc = at_source
    tell("sample, source level", posterior)
    check_fit(inverter, posterior, stc)


@pytest.mark.parametrize("picks", ["eeg", "grad"])
def test_sensors_say_what_sources_say(at_source, sample, labels, fit, picks):
    raw, forward, _ = sample
    if picks == "grad":
        # A third of 203 is as many as electrodes.
        raw = raw.copy().pick(raw.copy().pick("grad").ch_names[::3])
    inverter = fit(raw, lead_field=forward, labels=labels, picks=picks)
    posterior = inverter.predict_posterior(raw)
    tell(f"sample, sensor level, {picks}", posterior)
    check_fit(inverter, posterior, raw)
    ours = posterior.summary().set_index("parameter")
    theirs = at_source[1].summary().set_index("parameter")
    informed = (ours["contraction"] > 0.5) & (theirs["contraction"] > 0.5)
    assert informed.any()
    for name in ours.index[informed]:
        a, b = ours.loc[name], theirs.loc[name]
        assert max(a.lower, b.lower) < min(a.upper, b.upper), name


# Eyes open and closed: electrodes through a forward solution and through the template.


@pytest.fixture(scope="module")
def eyes(shared_data):
    """EEG of one person with eyes open, and with eyes closed."""
    raws = []
    for run in ("R01", "R02"):
        fname = shared_data / "eeg" / f"eegmmidb_S001{run}_first60s.edf"
        raw = mne.io.read_raw_edf(fname, preload=True, verbose="error")
        mne.datasets.eegbci.standardize(raw)
        raws.append(raw.set_montage("colin27_1005", verbose="error"))
    return raws


@pytest.fixture(scope="module", params=["forward", "template"])
def eyes_inverted(request, shared_data, eyes, labels, fit):
    settings = {"lead_field": "template"}
    if request.param == "forward":
        fname = shared_data / "mne_route" / "sample_small_eeg64-fwd.fif"
        forward = mne.read_forward_solution(fname, verbose="error")
        settings = {"lead_field": forward, "labels": labels}
    inverter = fit(eyes[0], **settings)
    posterior = inverter.predict_posterior(eyes)
    tell(f"eyes open (0) and closed (1), {request.param}", posterior)
    return inverter, posterior


def test_alpha_peak_of_closed_eyes(eyes_inverted, eyes):
    inverter, posterior = eyes_inverted
    measured = find_peak(read_observations(inverter, eyes[1]))
    predicted = find_peak(predict_observations(inverter, posterior, 1))
    print(f"alpha peak: measured {measured} Hz, predicted {predicted} Hz")
    assert abs(measured - predicted) <= 1.5


def test_eyes_differ_as_the_data_do(eyes_inverted, eyes):
    """More alpha with closed eyes, in the data and in nearly all posterior draws."""
    inverter, posterior = eyes_inverted
    band = (FREQS >= 8) & (FREQS <= 13)
    measured = [read_observations(inverter, one)[..., band].mean() for one in eyes]
    predicted = [
        predict_observations(inverter, posterior, i)[..., band].mean(axis=(1, 2))
        for i in range(2)
    ]
    print(f"alpha: measured {measured}, predicted {[p.mean() for p in predicted]}")
    assert measured[1] > measured[0]
    assert np.mean(np.sort(predicted[1]) > np.sort(predicted[0])) > 0.9
    closed, opened = (p.mean() for p in predicted[::-1])
    assert closed - opened > 0.5 * (measured[1] - measured[0])
