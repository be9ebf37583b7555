"""Wrong posteriors, figures, features, data sets and epochs: each exact error."""

import re

import numpy as np
import pytest

from mne_sbi import (
    EpochsToArray,
    Posterior,
    datasets,
    diagnostics,
    testing,
    viz,
)
from mne_sbi.features import LogPSD, SpectralNoise
from mne_sbi.inference import PointRegressor, RejectionABC

RNG = np.random.default_rng(0)


DRAWS = RNG.random((2, 50, 2))


THETA, X = RNG.random((20, 2)), RNG.normal(size=(20, 3))


def posterior():
    return Posterior(DRAWS, ["a", "b"], ["s", ""])


CASES = [
    # Posteriors and figures.
    (
        "draws of one observation",
        lambda w: Posterior(DRAWS[0], ["a", "b"], ["s", ""]),
        ValueError,
        "draws must have shape (any, any, any), got (50, 2).",
    ),
    (
        "draws that are NaN",
        lambda w: Posterior(DRAWS * np.nan, ["a", "b"], ["s", ""]),
        ValueError,
        "draws must be finite, but 200 of its 200 values are NaN or infinite, "
        "the first at index (0, 0, 0). Remove or replace them before.",
    ),
    (
        "names in a string",
        lambda w: Posterior(DRAWS, "ab", ["s", ""]),
        TypeError,
        "names and units must be lists of strings, got 'ab' and ['s', ''].",
    ),
    (
        "two people of one name",
        lambda w: Posterior(
            DRAWS, ["a", "b"], ["s", ""], obs_names=["sub-01", "sub-01"]
        ),
        ValueError,
        "obs_names must be 2 different names, one per observation, got "
        "('sub-01', 'sub-01').",
    ),
    (
        "a level in per cent",
        lambda w: posterior().interval(90),
        ValueError,
        "level must be between 0 and 1, got 90.",
    ),
    (
        "nobody of that number",
        lambda w: posterior().plot_pairs(obs=7, show=False),
        IndexError,
        "There is no observation 7: the posterior holds 2, numbered from 0.",
    ),
    (
        "nobody of that name",
        lambda w: posterior()["sub-01"],
        KeyError,
        "\"The observations have no names, so not 'sub-01' either.\"",
    ),
    (
        "truth of another length",
        lambda w: posterior().plot_marginals(truth=[1, 2, 3], show=False),
        ValueError,
        "truth must have shape (2,), got (3,).",
    ),
    (
        "people drawn as regions",
        lambda w: posterior().plot_brain("a", show=False),
        ValueError,
        "The 2 observations have no names. Say which regions they are: "
        "names=['lh.cuneus', ...].",
    ),
    (
        "another ending of a posterior",
        lambda w: posterior().save("posterior.csv"),
        ValueError,
        "fname must end in .npz, got 'posterior.csv'.",
    ),
    (
        "draws for a posterior",
        lambda w: viz.plot_marginals(DRAWS, show=False),
        TypeError,
        "posterior must be a Posterior, got ndarray. Write Posterior(draws, "
        "names, units).",
    ),
    (
        "sensors on the cortex",
        lambda w: viz.plot_brain([1.0, 2.0], ["Cz", "Pz"], show=False),
        ValueError,
        re.compile(
            r"2 of 2 names are none of the 68 cortical regions: Cz, Pz\. "
            r"Known are lh\.bankssts, .* and 58 more\. Leave out what does "
            r"not lie on the cortex\."
        ),
    ),
    (
        "truth of other people",
        lambda w: diagnostics.coverage(DRAWS, np.ones((3, 2))),
        ValueError,
        "theta must have shape (2, 2), got (3, 2).",
    ),
    # Features and methods by themselves.
    (
        "time series of one observation",
        lambda w: LogPSD().extract(np.ones((5, 500)), 100.0),
        ValueError,
        "data must have shape (any, any, any), got (5, 500).",
    ),
    (
        "power that is negative",
        lambda w: LogPSD().extract_spectrum(-np.ones((1, 2, 6)), w.freqs),
        ValueError,
        "Power must be positive, but 12 of 12 values are zero, negative or NaN. "
        "Flat channels give zeros; spectra that are in dB already go in with "
        "unit='dB'.",
    ),
    (
        "noise of negative length",
        lambda w: SpectralNoise(duration=-60.0),
        ValueError,
        "duration must be positive, got -60.",
    ),
    (
        "parameters outside of the cube",
        lambda w: RejectionABC().fit(10 * THETA, X),
        ValueError,
        "theta must lie in the unit cube, but 19 of 20 rows do not. Map "
        "parameters with prior.to_unit(theta) before.",
    ),
    (
        "fewer features than pairs",
        lambda w: RejectionABC().fit(THETA, X[:5]),
        ValueError,
        "theta and x must have the same number of rows, got 20 and 5.",
    ),
    (
        "features of another length",
        lambda w: RejectionABC(0.2).fit(THETA, X).predict(X[:, :2]),
        ValueError,
        "x must have shape (n_obs, 3), as in fit, got (20, 2).",
    ),
    (
        "features that are NaN",
        lambda w: RejectionABC(0.2).fit(THETA, X).predict(X * np.nan),
        ValueError,
        "20 of 20 rows of x hold NaN or infinite values. Remove these rows, for "
        "example those that a simulation bank marks as not valid.",
    ),
    (
        "a posterior of a point",
        lambda w: PointRegressor((8,), max_iter=1).fit(THETA, X).sample(X, 5),
        NotImplementedError,
        "PointRegressor gives point estimates and no posterior. Use predict(x), "
        "or train NPE (method='npe') for draws and densities.",
    ),
    # Datasets and models.
    (
        "a dataset that is none",
        lambda w: datasets.fetch_connectome("hcp"),
        ValueError,
        "Invalid value for 'name': 'hcp'. Allowed: 'hcp_desikan86'.",
    ),
    (
        "correlations as weights",
        lambda w: datasets.clip_weights(-np.ones((2, 2))),
        ValueError,
        "weights must not be negative, the smallest is -1. Connection weights "
        "are counts or densities, not correlations.",
    ),
    (
        "a folder without data",
        lambda w: datasets.read_group_connectome(w.files),
        FileNotFoundError,
        "FOLDER/files/mean80_fibercount.csv does not exist. Call "
        "fetch_connectome() to download it.",
    ),
    (
        "a parameter that the model lacks",
        lambda w: w.fitted.model_.simulate_batch({"alhpa": [0.5]}),
        ValueError,
        "SpectralGraphModel has no parameter 'alhpa'. Its parameters are tau_e, "
        "tau_i, alpha, speed, tau_g, g_ei, g_ii. Did you mean 'alpha'?",
    ),
    (
        "a model that is a string",
        lambda w: testing.check_forward_model("spectral_graph"),
        TypeError,
        "check_forward_model() needs an instance of a ForwardModel, got "
        "'spectral_graph'.",
    ),
    # Epochs for pipelines.
    (
        "a Raw for epochs",
        lambda w: EpochsToArray().fit(w.raw()),
        TypeError,
        "EpochsToArray takes Epochs, got RawArray. Cut a Raw with "
        "mne.make_fixed_length_epochs(raw, duration=..., preload=True).",
    ),
    (
        "several epochs in an element",
        lambda w: EpochsToArray().fit([w.epochs(w.raw())] * 2),
        ValueError,
        "A list must hold single epochs, as scikit-learn's splitters make them, "
        "but its element 0 holds 4. Join them with mne.concatenate_epochs(list).",
    ),
    (
        "a channel missing in transform",
        lambda w: (
            EpochsToArray()
            .fit(w.epochs(w.raw()))
            .transform(w.epochs(w.raw().drop_channels(["lh.cuneus"])))
        ),
        ValueError,
        "The epochs lack channels of the fit, or they are bad: ['lh.cuneus']. "
        "Interpolate bad channels (epochs.interpolate_bads()), or fit without "
        "them.",
    ),
    (
        "another sampling rate in transform",
        lambda w: (
            EpochsToArray()
            .fit(w.epochs(w.raw()))
            .transform(w.epochs(w.raw().resample(50, verbose="error")))
        ),
        ValueError,
        "The epochs are sampled at 50 Hz, but those of the fit were at 100 Hz. "
        "Use epochs.resample(100).",
    ),
    (
        "names for an array",
        lambda w: EpochsToArray(picks="eeg").fit(np.ones((2, 3, 4))),
        ValueError,
        "An array has no names, so that picks='eeg' cannot be found among its 3 "
        "channels. Give numbers, or Epochs.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_is_said(refuses, case):
    refuses(*case[1:])
