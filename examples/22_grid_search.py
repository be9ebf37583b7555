"""
============================
A grid search simulates once
============================

Which settings of the inference are best is a question for scikit-learn's
:class:`~sklearn.model_selection.GridSearchCV`. Simulations that are made before it, and
given to the inverter as ``simulations=``, serve all candidates. Here they are tried in
a :class:`~sklearn.pipeline.Pipeline` that starts from :class:`mne.Epochs` and computes
spectra in a way of its own.
"""

# %%
# Epochs of regions
# -----------------
# Six epochs of 30 s of 12 regions: white noise, coloured with the model's spectra. A
# connectome for people comes from :func:`~mne_sbi.datasets.fetch_connectome`; this one
# is synthetic, as the epochs are.

import dataclasses
import time

import mne
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from mne_sbi import EpochsToArray, SGMInverter, simulate
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.features import LogPSD, SpectralNoise
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel

connectome = dataclasses.replace(load_synthetic_connectome(), synthetic=False)
freqs = np.arange(2.0, 46.0, 2.0)
model = SpectralGraphModel(connectome, freqs)
truth = {"tau_e": 0.012, "tau_i": 0.1, "alpha": 0.7, "speed": 9.0, "tau_g": 0.009}
power = model.compute_spectrum(truth)[0, :12]

sfreq, duration, n_epochs = 100.0, 30.0, 6
rng = np.random.default_rng(0)
n_times = round(sfreq * duration)
white = np.fft.rfft(rng.standard_normal((n_epochs, 12, n_times)))
bins = np.fft.rfftfreq(n_times, 1 / sfreq)
colour = np.array([np.interp(bins, freqs, np.sqrt(row)) for row in power])
info = mne.create_info(list(connectome.names[:12]), sfreq, "misc")
epochs = mne.EpochsArray(np.fft.irfft(white * colour, n_times), info, verbose=False)

# %%
# A pipeline
# ----------
# :class:`~mne_sbi.EpochsToArray` comes first, because scikit-learn's splitters turn
# epochs into a list of single ones. Then there may be whatever works on arrays, such as
# the transformers of :mod:`mne.decoding`; here it is Welch's method with windows of
# 1 s. An inverter that gets arrays does not know what was done before, and has to be
# told:
#
# - ``freqs`` are those of the arrays, and ``unit`` says that they hold power;
# - ``nodes`` names the rows, since arrays have no names;
# - ``features`` holds the noise of spectra that were averaged over windows of 1 s in
#   30 s of recording.
#
# For epochs without such a step of your own, give them to the inverter as they are.


def compute_power(data):
    """Return power (n_epochs, n_regions, n_freqs) at 2, 4, ..., 44 Hz."""
    settings = {"fmin": 2, "fmax": 45, "n_fft": 100, "n_overlap": 50, "window": "hann"}
    power, _ = mne.time_frequency.psd_array_welch(
        data, sfreq, **settings, verbose=False
    )
    return power[:, :, ::2]


pipeline = Pipeline(
    [
        ("array", EpochsToArray()),
        ("welch", FunctionTransformer(compute_power)),
        (
            "invert",
            SGMInverter(
                connectome,
                freqs=freqs,
                unit="power",
                nodes=epochs.ch_names,
                features=LogPSD(window=1.0, noise=SpectralNoise(duration=duration)),
                method=NPE(),
                random_state=0,
                verbose=False,
            ),
        ),
    ]
)

# %%
# Simulate once
# -------------
# The simulations are of all 68 regions, and without noise: they serve any part of the
# regions and any noise. 3,000 are enough to show the way; 20,000 is the default of an
# inverter. :func:`~mne_sbi.simulate` keeps them on disk if it is given ``fname=``.

start = time.perf_counter()
bank = simulate(model, n_simulations=3000, random_state=0, n_jobs=2, verbose=False)
print(f"{len(bank)} simulations in {time.perf_counter() - start:.1f} s")
pipeline = pipeline.set_params(invert__simulations=bank)

# %%
# What is better?
# ---------------
# ``pipeline.score(epochs)``, the default, tells how much of the features' variance the
# predicted parameters explain. It depends on the recordings at hand, and does not tell
# wide posteriors from narrow ones. A criterion for the inference itself is the density
# of the posterior at the true parameters of fresh simulations, here in nats above the
# prior's: it is lower for intervals that are too narrow, and for those that are wider
# than need be.


def information(pipeline, X, y=None):
    """Return the mean log ratio of posterior and prior at the truth, in nats."""
    inverter = pipeline[-1]
    theta, x = inverter.simulate_features(1000, random_state=1)
    return inverter.method_.log_prob(inverter.prior_.to_unit(theta), x).mean()


# %%
# Search
# ------
# Settings of steps, and of the objects in them, are reached with double underscores.
# Three candidates: a mixture of Gaussians with few and with more passes over the
# simulations, and the flow of splines that is the default.
#
# ``fit`` does not learn from the epochs' values, so that there is nothing to overfit:
# one split is enough, in which the same epochs are used to fit and to score. Each
# further one would train every candidate once more.

everything = np.arange(n_epochs)
search = GridSearchCV(
    pipeline,
    [
        {"invert__method__density": ["mixture"], "invert__method__max_iter": [3, 10]},
        {"invert__method__density": ["spline"], "invert__method__max_iter": [10]},
    ],
    scoring=information,
    cv=[(everything, everything)],
)
search.fit(epochs)

table = pd.DataFrame(search.cv_results_)
names = {f"param_invert__method__{name}": name for name in ("density", "max_iter")}
names |= {"mean_test_score": "information", "mean_fit_time": "seconds to train"}
table[list(names)].rename(columns=names).round(2)

# %%
# More passes help, and splines are more flexible than the mixture, even with as few
# simulations as here. The seconds are those of the training alone.

# %%
# Use the best
# ------------
# It was fitted again, to the same simulations. ``set_output`` makes a data frame of
# what ``transform`` returns: the parameters by name.

best = search.best_estimator_
best[-1].set_output(transform="pandas")
print(best[-1].method)
print("simulated again:", best[-1].bank_ is not bank)
best.transform(epochs).round(4)
