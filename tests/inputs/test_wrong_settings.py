"""Wrong settings and methods of inverters, each with the exact error."""

import re

import mne
import numpy as np
import pytest

from mne_sbi import (
    ModelInverter,
    Parameter,
    Posterior,
)
from mne_sbi.features import LogPSD
from mne_sbi.inference import NPE, PointRegressor, RejectionABC
from mne_sbi.models import SpectralGraphModel

RNG = np.random.default_rng(0)


DRAWS = RNG.random((2, 50, 2))


def posterior():
    return Posterior(DRAWS, ["a", "b"], ["s", ""])


CASES = [
    # Settings of inverters.
    (
        "tau_e in ms",
        lambda w: w.sgm(prior={"tau_e": (5, 20)}).fit(),
        ValueError,
        "tau_e lies between 0.005 and 0.03 s, but in the prior it goes from 5 to 20, "
        "1000 times as much, as in ms? Divide by 1000.",
    ),
    (
        "speed fixed in mm/s",
        lambda w: w.sgm(prior={"speed": 10_000}).fit(),
        ValueError,
        "speed lies between 5 and 20 m/s, but in the prior it is 1e+04, 1000 times as "
        "much, as in mm/s? Divide by 1000.",
    ),
    (
        "a prior of another unit",
        lambda w: w.sgm(
            prior={"tau_e": Parameter("tau_e", 5.0, 30.0, 10.0, "ms")}
        ).fit(),
        ValueError,
        "The prior has tau_e in ms, and the model takes it in s. Give low, high and "
        "default in s.",
    ),
    (
        "a parameter misspelt",
        lambda w: w.sgm(prior={"alhpa": (0.1, 1.0)}).fit(),
        ValueError,
        "Unknown parameter 'alhpa'. The model has: tau_e, tau_i, alpha, speed, "
        "tau_g, g_ei, g_ii. Did you mean 'alpha'?",
    ),
    (
        "a range upside down",
        lambda w: w.sgm(prior={"alpha": (1.0, 0.1)}).fit(),
        ValueError,
        "alpha needs low < high, got low=1 and high=0.1. To fix a parameter, "
        "give one number instead of a range.",
    ),
    (
        "nothing left to infer",
        lambda w: w.sgm(
            prior=dict.fromkeys(w.fitted.prior_.names, 0.01)
            | {"speed": 10.0, "alpha": 0.5}
        ).fit(),
        ValueError,
        "All parameters are fixed (tau_e, tau_i, alpha, speed, tau_g, g_ei, "
        "g_ii): leave at least one free.",
    ),
    (
        "a method misspelt",
        lambda w: w.sgm(method="snpe").fit(),
        ValueError,
        "Invalid value for 'method': 'snpe'. Allowed: 'npe', 'point', 'abc'. Did "
        "you mean 'npe'?",
    ),
    (
        "the class of a method",
        lambda w: w.sgm(method=RejectionABC).fit(),
        TypeError,
        re.compile(
            r"method must be an InferenceMethod or one of \['npe', 'point', "
            r"'abc'\], got <class '.*RejectionABC'>\."
        ),
    ),
    (
        "an embedding that is none",
        lambda w: w.sgm(method=NPE("lstm")).fit(),
        ValueError,
        "Invalid value for 'embedding': 'lstm'. Allowed: 'mlp', 'conv1d', "
        "'bilstm', 'cnn_bilstm', 'transformer'. Did you mean 'bilstm'?",
    ),
    (
        "no passes",
        lambda w: w.sgm(method=NPE(max_iter=0)).fit(),
        ValueError,
        "max_iter must be a positive integer, got 0.",
    ),
    (
        "one width without a tuple",
        lambda w: w.sgm(method=PointRegressor(64)).fit(),
        TypeError,
        "hidden must be a tuple of widths, got 64. Write hidden=(64,).",
    ),
    (
        "the name of features",
        lambda w: w.sgm(features="psd").fit(),
        TypeError,
        "features must be a FeatureExtractor such as LogPSD(), or None, got 'psd'.",
    ),
    (
        "a number as noise",
        lambda w: w.sgm(features=LogPSD(noise=0.1)).fit(),
        TypeError,
        "noise must be a SpectralNoise, or None, got float. Write "
        "SpectralNoise(duration=60.0).",
    ),
    (
        "a window of negative length",
        lambda w: w.sgm(features=LogPSD(window=-2.0)).fit(),
        ValueError,
        "window must be positive, but is -2.",
    ),
    (
        "a band upside down",
        lambda w: w.series_inverter(features=LogPSD(40.0, 4.0)).fit(),
        ValueError,
        "LogPSD needs fmin < fmax, got fmin=40 and fmax=4 Hz.",
    ),
    (
        "frequencies of the features' own",
        lambda w: w.sgm(features=LogPSD(freqs=[8.0, 12.0])).fit(),
        ValueError,
        "The features have 2 frequencies of their own, others than the model's 6 "
        "from 4 to 40 Hz. Leave freqs=None in the features, and give the "
        "frequencies to the model.",
    ),
    (
        "a float as number",
        lambda w: w.sgm(n_simulations=1e4).fit(),
        ValueError,
        "n_simulations must be an integer of at least 10, got 10000.0. Useful "
        "results need thousands.",
    ),
    (
        "too few simulations",
        lambda w: w.sgm(n_simulations=3).fit(),
        ValueError,
        "n_simulations must be an integer of at least 10, got 3. Useful results "
        "need thousands.",
    ),
    (
        "the name of a connectome",
        lambda w: w.sgm().set_params(connectome="hcp_desikan86").fit(),
        TypeError,
        "connectome must be an mne_sbi.Connectome(weights, lengths, names) or "
        "None, got str.",
    ),
    (
        "frequency zero",
        lambda w: w.sgm().set_params(freqs=[0.0, 10.0]).fit(),
        ValueError,
        "freqs must be positive, but is 0 at index 0.",
    ),
    (
        "a file of simulations that is not there",
        lambda w: w.sgm(simulations=w.files / "none.h5").fit(),
        FileNotFoundError,
        "There is no file or folder FOLDER/files/none.h5.",
    ),
    (
        "a file of something else",
        lambda w: w.sgm(simulations=w.files / "text.fif").fit(),
        ValueError,
        "FOLDER/files/text.fif is damaged or not a simulation bank of this version of "
        "mne_sbi. Replace it by a copy that is whole, or make it again: "
        "SimulationBank.save() writes such files.",
    ),
    (
        "simulations of other parameters",
        lambda w: w.sgm(simulations=w.fitted.bank_, prior={"alpha": 0.5}).fit(),
        ValueError,
        "The simulations vary ['tau_e', 'tau_i', 'alpha', 'speed', 'tau_g'], but "
        "['tau_e', 'tau_i', 'speed', 'tau_g'] are to be inferred. Make others, "
        "give the same prior, or leave prior=None to infer what they vary.",
    ),
    (
        "a model's class",
        lambda w: ModelInverter(SpectralGraphModel).fit(),
        TypeError,
        "model must be an object, got the class SpectralGraphModel. Write "
        "SpectralGraphModel(...).",
    ),
    # Methods of inverters.
    (
        "parameters for some of the recordings",
        lambda w: w.sgm().fit([w.raw()] * 3, np.zeros((2, 5))),
        ValueError,
        "y must have a row for each of the 3 recordings, got the shape (2, 5).",
    ),
    (
        "parameters that are groups",
        lambda w: w.sgm().fit(w.spectra, ["patient", "control", "control"]),
        TypeError,
        "y must be an array of float64, got an array of <U7.",
    ),
    (
        "three pairs",
        lambda w: w.sgm().fit(w.spectra, [0.1, 0.2, 0.3]),
        ValueError,
        "3 simulations are too few to learn from: give at least 10; useful "
        "results need thousands.",
    ),
    (
        "no draws",
        lambda w: w.fitted.predict_posterior(w.raw(), n_draws=0),
        ValueError,
        "n_draws must be a positive integer, got 0.",
    ),
    (
        "deviation of refined values",
        lambda w: w.fitted.predict(w.raw(), return_std=True, refine=True),
        ValueError,
        "return_std=True gives no standard deviation of refined or point "
        "estimates. Use method='npe' without refine=True.",
    ),
    (
        "refining time series",
        lambda w: w.series_inverter().fit().predict(w.raw(), refine=True),
        ValueError,
        "refine=True needs a model of spectra: time series are random.",
    ),
    (
        "a posterior for parameters",
        lambda w: w.fitted.inverse_transform(w.fitted.predict_posterior(w.raw())),
        ValueError,
        "theta must have shape (n_obs, 5), got (1, 15, 5).",
    ),
    (
        "a negative time constant",
        lambda w: w.fitted.inverse_transform([[-0.01, 0.01, 0.5, 10.0, 0.01]]),
        ValueError,
        "tau_e must be positive, got -0.01 s.",
    ),
    (
        "another ending",
        lambda w: w.fitted.save(w.files / "inverter.fif"),
        ValueError,
        "The file's name must end in .zip, got FOLDER/files/inverter.fif.",
    ),
    (
        "a folder that is not there",
        lambda w: w.fitted.save(w.files / "derivatives" / "inverter.zip"),
        FileNotFoundError,
        "The folder of FOLDER/files/derivatives/inverter.zip does not exist. "
        "Create FOLDER/files/derivatives first.",
    ),
    (
        "an existing file",
        lambda w: w.fitted.save(w.files / "inverter.zip"),
        FileExistsError,
        "FOLDER/files/inverter.zip exists already. Use overwrite=True to replace it.",
    ),
    (
        "an observation that is not there",
        lambda w: w.fitted.plot_predictive(w.raw(), obs=7, show=False),
        ValueError,
        "obs must be a number from 0 to 0, or a name, got 7.",
    ),
    (
        "the file of a report",
        lambda w: w.fitted.add_to_report("report.html", w.raw()),
        TypeError,
        "report must be an mne.Report, got str. Write report = mne.Report(title=...).",
    ),
    (
        "a table for a posterior in a report",
        lambda w: w.fitted.add_to_report(
            mne.Report(verbose="error"), w.raw(), posterior=w.fitted.predict(w.raw())
        ),
        TypeError,
        "posterior must be what predict_posterior() returns, or None, got ndarray.",
    ),
    (
        "a string for tags",
        lambda w: w.fitted.add_to_report(
            mne.Report(verbose="error"), w.raw(), tags="study"
        ),
        TypeError,
        "tags must be a tuple of strings, got 'study'. Write ('study',).",
    ),
    (
        "a region to plot that was not recorded",
        lambda w: w.fitted.plot_predictive(w.raw(), picks="lh.lingual", show=False),
        ValueError,
        "picks has 'lh.lingual', which is none of the 5 rows of the spectra: "
        "lh.cuneus, rh.cuneus, lh.insula, rh.insula, lh.precentral.",
    ),
    (
        "a negative number of simulations",
        lambda w: w.fitted.diagnose(-1),
        ValueError,
        "n_simulations must be a positive integer, got -1.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_is_said(refuses, case):
    refuses(*case[1:])
