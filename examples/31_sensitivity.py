"""
====================================================
Which parameters move the data? A global sensitivity
====================================================

Before parameters are inferred: which of them change the data at all, and do they act
alone? Sobol indices and elementary effects answer for a whole prior. The model is
:class:`~mne_sbi.JansenRit`, a column of cortex that is driven by noise.
"""

# %%
# One parameter at a time
# -----------------------
# A common way to look at it: one parameter from 50 to 150 % of its default, all others
# kept. For these three, the spectrum is moved smoothly in some places and jumps in
# others, where the column changes from one kind of activity to another. Where that
# happens depends on the other parameters, of which the figure has one value each.

import jax
import matplotlib.pyplot as plt
import numpy as np

from mne_sbi.diagnostics import morris_sensitivity, sobol_sensitivity
from mne_sbi.features import LogPSD
from mne_sbi.models import JansenRit

model = JansenRit(sfreq=128.0, duration=10.0)
psd = LogPSD(1.0, 30.0, scaling="none")
freqs = psd.get_freqs()
defaults = {parameter.name: parameter.default for parameter in model.get_parameters()}
factors = np.repeat(np.linspace(0.5, 1.5, 41), 8)  # 8 simulations of each

fig, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
for ax, name in zip(axes, ["A", "b", "C"], strict=True):
    values = {name: defaults[name] * factors}
    data = model.simulate_batch(values, jax.random.key(0))
    spectra = psd.extract(data, model.sfreq).reshape(41, 8, -1).mean(axis=1)
    # In dB for V^2/Hz, above what is 1 uV^2/Hz.
    image = ax.pcolormesh(freqs, 100 * factors[::8], spectra + 120)
    ax.set(title=name, xlabel="frequency (Hz)")
axes[0].set_ylabel("% of the default")
fig.colorbar(image, ax=axes, label="dB")

# %%
# Sobol indices
# -------------
# :func:`~mne_sbi.diagnostics.sobol_sensitivity` lets all parameters vary over the
# prior: here those that the model infers by default, and the noise's amplitude
# ``sigma``. The *first-order* index of a parameter is the share of a feature's variance
# that would vanish on average if the parameter were known. The *total* index is the
# share that would be left if all others were known. Their difference is interaction.
#
# Features are given by name; without ``features``, all of the built-in ones are taken.
# The model is random, so that each point is simulated twice and the features averaged.

sensitivity = sobol_sensitivity(
    model, {"sigma": "free"}, n=256, n_replicates=2, random_state=0, verbose=False
)
print(sensitivity)

# %%
# Light bars are total indices, dark bars first-order ones, with intervals of 90 %. For
# the power, ``A`` and ``C`` do something on their own. For the rhythm, only ``b`` does,
# and yet all but ``sigma`` are involved: the first-order indices sum to about a half or
# less, the total ones to more than 2. One parameter at a time does not show this,
# wherever the others are kept.

sensitivity.plot()

# %%
# Of a feature with several outputs, such as the spectrum, the bars are of all outputs
# together: the mean over frequencies, weighted by their variance. Each frequency for
# itself:

sensitivity.plot("log_psd")

# %%
# Numbers come as a table; ``to_data_frame("log_psd")`` has a row per frequency and
# parameter.

table = sensitivity.to_data_frame()
table[table["feature"] == "peak_frequency"].round(2)

# %%
# Elementary effects
# ------------------
# With many parameters, or a slow model, start with
# :func:`~mne_sbi.diagnostics.morris_sensitivity`. It walks through the prior, one
# parameter after the other, and measures how much the feature changes at each step.
# Here, all 14 parameters, with far fewer simulations. What is to the left does little.
# What is above the line does different things in different places.

screening = morris_sensitivity(
    model,
    {name: "free" for name in defaults},
    features=["log_power", "peak_frequency"],
    n_trajectories=64,
    n_replicates=2,
    random_state=0,
    verbose=False,
)
screening.plot()

# %%
# Features of your own
# --------------------
# A feature is a function of the simulations, shape (n, n_nodes, n_times), and their
# sampling rate. It should have no extreme values, or single simulations decide. With a
# :class:`~mne_sbi.features.FeatureExtractor`, the indices are of what a network would
# see: in spectra that are scaled to mean 0 and standard deviation 1, as by default, no
# parameter does much alone, not even the gain ``A``.


def time_above_mean(data, sfreq):
    """Return the share of the samples above the mean: half, unless waves are peaked."""
    series = data[:, 0]
    return (series > series.mean(axis=1, keepdims=True)).mean(axis=1)


own = sobol_sensitivity(
    model,
    {"sigma": "free"},
    features={
        "time above the mean": time_above_mean,
        "spectrum": psd,
        "scaled spectrum": LogPSD(1.0, 30.0),
    },
    n=256,
    random_state=0,
    verbose=False,
)
own.plot()
