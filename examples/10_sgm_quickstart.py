"""
================================================
Invert a recording with the spectral graph model
================================================

From an :class:`mne.io.Raw` whose channels are brain regions to a posterior over the
parameters of the spectral graph model, in one estimator:
:class:`~mne_sbi.SGMInverter`. The recording is synthetic, so that the answer is known,
and so is the connectome, so that nothing needs to be downloaded.
"""

# %%
# A recording
# -----------
# The model gives the power spectrum of each region, not a time series. White noise
# that is coloured with these spectra is a recording that obeys the model: 5 min of 68
# regions, in arbitrary units.

import mne
import numpy as np

from mne_sbi import SGMInverter
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel
from mne_sbi.viz import plot_predictive

connectome = load_synthetic_connectome()
truth = {"tau_e": 0.011, "tau_i": 0.06, "alpha": 0.7, "speed": 9.0, "tau_g": 0.008}
freqs = np.linspace(2, 45, 20)
power = SpectralGraphModel(connectome, freqs).compute_spectrum(truth)[0]

sfreq, duration = 100.0, 300.0
rng = np.random.default_rng(0)
white = np.fft.rfft(rng.standard_normal((68, round(sfreq * duration))))
bins = np.fft.rfftfreq(round(sfreq * duration), 1 / sfreq)
colour = [np.interp(bins, freqs, np.sqrt(row)) for row in power / power.max()]
series = np.fft.irfft(white * np.array(colour))
raw = mne.io.RawArray(
    series, mne.create_info(list(connectome.names), sfreq, "misc"), verbose=False
)
print(raw.ch_names[:4])

# %%
# Fit
# ---
# ``fit(raw)`` does not learn from the recording. It takes from it which regions there
# are, in which order, and how long it lasts, which decides how large the sampling noise
# of its spectra is; then it draws parameters from the prior, simulates spectra, adds
# observation noise, and trains a network to tell the parameters from noisy spectra.
#
# The warning says that a connectome that is made up meets a recording here. For a real
# recording, use the one that :func:`~mne_sbi.datasets.fetch_connectome` returns. The
# warning comes back whenever this inverter reads a recording.
#
# To save time, this example takes 20 frequencies, 4,000 simulations and the quicker
# kind of density. For results to rely on, leave ``freqs``, ``n_simulations`` and
# ``method`` out; to see progress, leave ``verbose`` out.

inverter = SGMInverter(
    connectome,
    freqs=freqs,
    n_simulations=4000,
    method=NPE(density="mixture", max_iter=12),
    random_state=0,
    n_jobs=2,
    verbose=False,
)
inverter.fit(raw)

# The prior that it used, and the parameters that it left fixed.
print(inverter.prior_)
print(inverter.fixed_)

# %%
# Posterior
# ---------
# ``contraction`` is the share of the prior's variance that the recording removes: 1
# where it says everything, 0 where it says nothing. It says next to nothing about the
# conduction speed, and the posterior admits that: it is as wide as the prior.

posterior = inverter.predict_posterior(raw)
posterior.summary().drop(columns=["obs", "unit"]).round(4)

# %%
posterior.plot_marginals(truth=[truth[name] for name in posterior.names])

# %%
# Measured and predicted spectra
# ------------------------------
# The model's spectra for draws from the posterior should look like the recording's.
# Both go through the same features: spectra in dB, brought to mean 0 and standard
# deviation 1 in every region, since gain and dynamic range of a measurement are
# unknown. The light band includes the observation noise. It is wide, because the
# default noise has room for what the model gets wrong in real people, and our
# recording obeys the model.

features = inverter.features_
measured = features.extract(raw.get_data()[np.newaxis], sfreq)
predicted = inverter.inverse_transform(posterior.draws[0, :200])
noisy = features.add_noise(predicted, rng)
plot_predictive(
    features.normalize(measured)[0],
    features.normalize(predicted),
    freqs,
    noisy=features.normalize(noisy),
    names=raw.ch_names,
)

# %%
# A point estimate
# ----------------
# ``predict`` gives the posterior mean. ``refine=True`` moves it to where the exact
# model fits the recording best: a better fit, without a statement of uncertainty.

best = inverter.predict(raw, refine=True)
for name, mean, refined in zip(
    posterior.names, posterior.mean[0], best[0], strict=True
):
    print(f"{name:6} true {truth[name]:.3g}, mean {mean:.3g}, refined {refined:.3g}")

# %%
# Can the intervals be trusted?
# -----------------------------
# ``diagnose`` inverts fresh simulations, whose parameters are known. Of the intervals
# with a probability of 90 %, nine of ten should hold the true value, and so on for
# other probabilities; the curves should stay inside the grey region.

calibration = inverter.diagnose(300, n_draws=200)
calibration.plot()

# %%
calibration.summary().round(3)
