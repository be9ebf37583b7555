"""
================================
Jansen-Rit parameters of epochs
================================

A Jansen-Rit column per channel: its parameters are inferred from every epoch, pooled
over a condition, and used as features of a classifier in a
:class:`~sklearn.pipeline.Pipeline` with :class:`~sklearn.model_selection.GridSearchCV`.
"""

# %%
# Epochs of two conditions
# ------------------------
# Forty epochs of 8 s of one occipital channel, as if eyes were open and closed in turn.
# They come from the model itself, with more connections among the populations when
# eyes are closed, in 1/f background activity and white noise. So it is known what there
# is to find.

import jax
import matplotlib.pyplot as plt
import mne
import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mne_sbi import JansenRit, JansenRitInverter, simulate
from mne_sbi.inference import NPE
from mne_sbi.models import Recorded

sfreq, duration, n_epochs = 128.0, 8.0, 40
is_closed = np.arange(n_epochs) % 2 == 1
model = Recorded(JansenRit(sfreq=sfreq, duration=duration))
truth = {
    "C": np.where(is_closed, 135.0, 108.0),
    "gain": 0.005,
    "snr_background": 5.0,
    "exponent": 1.5,
    "snr_white": 15.0,
}
data = model.simulate_batch(truth, jax.random.key(0))
events = np.column_stack([np.arange(n_epochs), np.zeros(n_epochs), is_closed + 1])
epochs = mne.EpochsArray(
    np.asarray(data),
    mne.create_info(["Oz"], sfreq, "eeg"),
    events.astype(int),
    event_id={"open": 1, "closed": 2},
    verbose=False,
)
spectra = epochs.compute_psd("welch", fmin=1, fmax=45, n_fft=256, verbose=False)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for condition in epochs.event_id:
    power = spectra[condition].get_data()[:, 0].mean(axis=0)
    ax.plot(spectra.freqs, 10 * np.log10(power), label=condition)
ax.set(xlabel="frequency (Hz)", ylabel="power (dB)")
ax.legend(frameon=False)

# %%
# One inverter
# ------------
# ``fit`` looks at the epochs only for their sampling rate, length and filters. It
# simulates such epochs with parameters from the prior, anew for each pass over them,
# and trains a network. Few simulations and passes are enough to show the way; leave
# ``n_simulations`` and ``method`` out for results.

inverter = JansenRitInverter(
    n_simulations=3000,
    method=NPE(density="mixture", max_iter=15),
    random_state=0,
    verbose=False,
)
inverter.fit(epochs)
print(inverter.prior_)

# %%
# The last three parameters are those of the noise. The scale of EEG says nothing of the
# model's potentials in V, because nobody knows how much of them an electrode sees:
# ``gain=None`` takes it out of the spectra.
#
# Epoch by epoch, and pooled
# --------------------------
# An :class:`~mne.Epochs` object is one observation per epoch. In a list, each object is
# one recording, whose epochs are pooled into one posterior. That is of a longer
# recording, and so needs simulations as long; fewer of them here, which are not made
# anew for each pass.

single = inverter.predict_posterior(epochs)
conditions = [epochs["open"], epochs["closed"]]
pooled = (
    JansenRitInverter(
        n_simulations=2000,
        fresh=False,
        method=NPE(density="mixture", max_iter=15),
        random_state=0,
        verbose=False,
    )
    .fit(conditions)
    .predict_posterior(conditions, obs_names=["open", "closed"])
)
pd.DataFrame(
    {
        "one epoch": single.std.mean(axis=0),
        "20 epochs": pooled.std.mean(axis=0),
    },
    index=single.names,
).round(4)

# %%
# How far standard deviations can shrink depends on the parameter: what the spectrum
# says of it, here at the parameters of the epochs with closed eyes, and with which
# others it is confounded.

at = {name: values[1] for name, values in model.complete_params(truth).items()}
at = {name: at[name] for name in inverter.prior_.names}
found = inverter.identifiability(at, n_replicates=400, random_state=0)
print(found)

# %%
# Measured and predicted
# ----------------------
# In nine of ten frequencies, the measured spectrum of an epoch should lie in the band
# of what the posterior predicts.

fig = inverter.plot_predictive(epochs, 1)

# %%
# A classifier on top
# -------------------
# In a pipeline, every step is fitted with the ``y`` of the last one. The inverter has
# learnt from simulations and not from these epochs, so it is frozen, and nothing leaks.
# The search is over the classifier's regularisation, for features that are posterior
# means.

pipeline = Pipeline(
    [
        ("invert", FrozenEstimator(inverter)),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression()),
    ]
)
search = GridSearchCV(pipeline, {"classify__C": [0.01, 0.1, 1.0]}, cv=4)
search.fit(epochs, is_closed)
print(f"accuracy {search.best_score_:.2f}, chance 0.50, with {search.best_params_}")

# %%
# The weights are those of estimates, not of causes. Only C differs between these
# conditions, and other parameters could have changed the spectrum in much the same way:
# the estimates of all of them move, and the classifier uses them all.

best = search.best_estimator_["classify"]
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.bar(inverter.get_feature_names_out(), best.coef_[0])
ax.set_ylabel("weight for closed eyes")
ax.tick_params(axis="x", rotation=45)

# %%
# A search over the inference
# ---------------------------
# Simulations that were made before serve all candidates. They are of the model and the
# features of the inverter that was fitted. Scored is the density of the posterior at
# the true parameters of fresh simulations, in nats above the prior's.


def information(inverter, X, y=None):
    """Return the mean log ratio of posterior and prior at the truth, in nats."""
    theta, x = inverter.simulate_features(1000, random_state=1)
    return inverter.method_.log_prob(inverter.prior_.to_unit(theta), x).mean()


bank = simulate(
    inverter.model_,
    inverter.prior_,
    2000,
    features=inverter.features_,
    random_state=0,
    verbose=False,
)
everything = np.arange(n_epochs)
search = GridSearchCV(
    JansenRitInverter(
        simulations=bank, method=NPE("mlp", "mixture"), random_state=0, verbose=False
    ),
    {"method__max_iter": [3, 15]},
    scoring=information,
    cv=[(everything, everything)],
)
search.fit(epochs)
pd.DataFrame(search.cv_results_)[["param_method__max_iter", "mean_test_score"]]
