"""
===============================
Invert a network of oscillators
===============================

From a recording of brain regions to a posterior over the coupling, the conduction speed
and the drive of a Wilson-Cowan network: spectra and envelope correlations of the
recording go into a network that has learnt from simulations what they tell.

To save time, this example has 16 regions, recordings of half a minute, and few
simulations. :ref:`networks` has settings for results to rely on.
"""

# %%
# A recording
# -----------
# Of the synthetic connectome that comes with the package, 16 regions; and a simulation
# that stands for a recording, so that the answer is known.

import numpy as np

from mne_sbi import ModelInverter, WilsonCowanNetwork, simulate_activity
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.features import EnvelopeCorrelation, Joined, LogPSD
from mne_sbi.inference import NPE

connectome = load_synthetic_connectome()
connectome = connectome.pick(connectome.names[::4][:16])
network = WilsonCowanNetwork(
    connectome, preset="resting_alpha", sfreq=100.0, duration=30.0
)
truth = {"coupling": 12.0, "speed": 8.0, "drive": 1.9, "noise": 0.02}
raw = simulate_activity(network, truth, random_state=1).to_raw()
print(raw)

# %%
# An inverter
# -----------
# ``fit(raw)`` takes regions, sampling rate and length from the recording, simulates
# recordings of this kind with parameters from the prior, and trains a network on their
# features. ``LogPSD`` brings each spectrum to a mean of zero, so that the unknown gain
# of a measurement does not matter.

inverter = ModelInverter(
    WilsonCowanNetwork(connectome, preset="resting_alpha"),
    prior={
        "coupling": (3, 30),
        "speed": (3, 20),
        "drive": (1.4, 2.6),
        "noise": (0.005, 0.1),
    },
    features=Joined(
        [LogPSD(2, 40, window=1.0, scaling="demean"), EnvelopeCorrelation(8, 12)]
    ),
    method=NPE(density="mixture", n_components=48, dropout=0.1, max_iter=12),
    n_simulations=1500,
    random_state=0,
    n_jobs=2,
    verbose=False,
)
inverter.fit(raw)
posterior = inverter.predict_posterior(raw)
posterior.summary().drop(columns=["obs", "unit"]).round(3)

# %%
posterior.plot_marginals(truth=[truth[name] for name in posterior.names])

# %%
# Does the posterior predict the recording?
# -----------------------------------------
# Features of simulations with parameters from the posterior, beside the measured ones:
# if the model is right, nine of ten lie in the interval that holds 90 % of the former.

measured, predicted = inverter.posterior_predictive(raw, 60)
low, high = np.nanquantile(predicted[0], [0.05, 0.95], axis=0)
# Where a correlation is of a region with itself, there is nothing to predict.
varies = high > low
inside = (measured[0] >= low) & (measured[0] <= high)
print(f"{inside[varies].mean():.0%} of the features lie in the 90 % interval")

# %%
# Can the intervals be trusted?
# -----------------------------
# ``diagnose`` inverts fresh simulations, whose parameters are known. Curves below the
# grey region would say that intervals are too narrow, as they become with fewer
# simulations or more training.

calibration = inverter.diagnose(200, n_draws=200)
calibration.plot()
