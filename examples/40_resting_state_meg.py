"""
==========================================
Resting-state MEG: networks and their null
==========================================

A Wilson-Cowan network on a connectome, from its equations to a whole-brain map of
functional connectivity that is compared with a recording's: simulate, resample, filter
to the alpha band, take envelopes, orthogonalise, correlate, fit. Each step is done on
the time axis, and the fit stands beside what white noise would reach, since a fit that
noise reaches as well says nothing.

No real recording can be part of this example. A simulation with other parameters, with
the noise of a measurement, takes its place; everything after it is as with real data.
"""

# %%
# A connectome and a model
# ------------------------
# The connectome that comes with the package is made up. For real work, take one that
# was measured: :func:`~mne_sbi.datasets.fetch_connectome`, or
# :class:`~mne_sbi.Connectome` with weights, lengths in m, and names.

import jax
import matplotlib.pyplot as plt
import mne
import numpy as np

from mne_sbi import (
    LeadField,
    SourceImaging,
    WilsonCowanNetwork,
    connectivity_fit,
    simulate_activity,
)
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.features import EnvelopeCorrelation
from mne_sbi.models import Recorded
from mne_sbi.viz import plot_brain, plot_connectivity

connectome = load_synthetic_connectome()
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, values, title in (
    (axes[0], np.log10(connectome.weights + 1e-6), "log10 of weights"),
    (axes[1], 100 * connectome.lengths, "lengths (cm)"),
):
    image = ax.imshow(values)
    ax.set(title=title, xlabel="from region", ylabel="to region")
    fig.colorbar(image, ax=ax, shrink=0.7)

# %%
# Each region has an excitatory and an inhibitory population. With little drive they are
# at rest, and noise makes them fluctuate; with more, they have a rhythm of their own,
# and the coupling decides how regions take part in the rhythms of others. The preset is
# one whose connectivity in the alpha band was found to be near that of resting MEG.

model = WilsonCowanNetwork(
    connectome, preset="resting_alpha", sfreq=200.0, duration=120.0
)
drives = np.array([0.5, 1.0, 1.5, 2.0])
stable = model.find_stable({"drive": drives})
for drive, is_stable in zip(drives, stable, strict=True):
    print(f"drive {drive}: {'at rest' if is_stable else 'rhythms'} without noise")

# %%
# Simulate
# --------
# Two minutes of 68 regions take a second or two, and little memory: activity goes
# through an anti-alias filter as it is made, and only its samples are kept.
# ``activity.to_raw()`` is a :class:`mne.io.Raw` whose channels are regions, for all
# that MNE-Python can do; ``to_stc`` and ``to_sensors`` bring it to the cortex and to
# EEG or MEG.

activity = simulate_activity(model, random_state=0)
raw = activity.to_raw().resample(100.0, verbose=False)
print(activity, raw, sep="\n")

shown = ["lh.pericalcarine", "rh.pericalcarine", "lh.superiorfrontal"]
raw.plot(
    n_channels=10,
    duration=4,
    scalings={"eeg": 0.3},
    show_scrollbars=False,
    show_scalebars=False,
    verbose=False,
)

# %%
# The spectrum has a peak in the alpha band.

spectrum = raw.compute_psd(fmin=1, fmax=40, n_fft=400, verbose=False)
power, freqs = spectrum.get_data(return_freqs=True)
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(freqs, 10 * np.log10(power.T), color="C0", alpha=0.2)
ax.plot(freqs, 10 * np.log10(power.mean(axis=0)), color="k")
ax.axvspan(8, 12, color="C1", alpha=0.2)
ax.set(
    xlabel="frequency (Hz)", ylabel="power (dB)", title="all regions, and their mean"
)

# %%
# One pair of regions, step by step
# ---------------------------------
# The band-pass, along time. Then the analytic signal, whose modulus is the envelope.

alpha = raw.copy().filter(8, 12, picks="all", verbose=False)
analytic = alpha.copy().apply_hilbert(picks="all", verbose=False)
a, b = analytic.get_data(picks=shown[:2])
times = raw.times[:300]
fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.plot(times, a.real[:300], label="8-12 Hz")
ax.plot(times, np.abs(a)[:300], color="k", label="envelope")
ax.set(xlabel="time (s)", title=shown[0])
ax.legend(loc="upper right")

# %%
# What two signals share without a lag can be leakage of source imaging: one source
# seen in two places. Orthogonalisation takes it out of b before their envelopes are
# compared: of b, only the part is kept that is a quarter of a cycle away from a.

b_orthogonal = np.imag(b * np.conj(a) / np.abs(a))
fig, axes = plt.subplots(2, 1, figsize=(9, 4.5), sharex=True, layout="constrained")
axes[0].plot(times, np.abs(a)[:300], "k", label=f"envelope of {shown[0]}")
axes[0].plot(times, np.abs(b)[:300], "C0", label=f"envelope of {shown[1]}")
axes[1].plot(times, np.abs(a)[:300], "k")
axes[1].plot(times, np.abs(b_orthogonal)[:300], "C1", label="orthogonalised")
axes[1].set(xlabel="time (s)")
for ax in axes:
    ax.legend(loc="upper right")

plain = np.corrcoef(np.abs(a), np.abs(b))[0, 1]
one_way = np.corrcoef(np.abs(a), np.abs(b_orthogonal))[0, 1]
other_way = np.corrcoef(np.abs(b), np.abs(np.imag(a * np.conj(b) / np.abs(b))))[0, 1]
print(f"correlation of envelopes: {plain:.3f}")
print(f"orthogonalised: {one_way:.3f} and {other_way:.3f}")

# %%
# The whole brain
# ---------------
# :class:`~mne_sbi.features.EnvelopeCorrelation` does this for all pairs, in both
# directions. Its values are those of :func:`mne_connectivity.envelope_correlation`, but
# for a few tenths of a second at either end, where filters have to guess.

features = EnvelopeCorrelation(8, 12)
simulated = features.compute(raw)
matrix = simulated.get_data("dense")
i, j = (raw.ch_names.index(name) for name in shown[:2])
print(f"{matrix[i, j]:.3f} by the class, {(one_way + other_way) / 2:.3f} by hand")

# %%
# Regions that go with many others:

plot_brain(matrix.mean(axis=0), raw.ch_names, label="mean correlation")

# %%
# The recording
# -------------
# Two minutes of another brain: weaker coupling, slower conduction, more drive, and
# noise of the measurement, whose regions come in another order. Regions are matched by
# name, never by their place.

other = WilsonCowanNetwork(
    connectome, preset="resting_alpha", sfreq=100.0, duration=120.0
)
person = {"coupling": 16.0, "speed": 11.0, "drive": 2.1}
recording = simulate_activity(other, person, random_state=1).to_raw()
rng = np.random.default_rng(0)
data = recording.get_data()
data += 0.2 * data.std(axis=1, keepdims=True) * rng.standard_normal(data.shape)
info = mne.create_info(recording.ch_names, recording.info["sfreq"], "eeg")
recording = mne.io.RawArray(data, info, verbose=False)
recording.reorder_channels(list(rng.permutation(recording.ch_names)))

measured = features.compute(recording)
names = list(connectome.names)
plot_connectivity([measured, simulated], names=names, titles=["recording", "model"])

# %%
# The fit, and its null
# ---------------------
# The correlation of both maps over all pairs, beside that of white noise of the same
# length through the same steps, of surrogates of the simulation with random phases, and
# of what needs no model: the weights, minus the lengths, and least squares on both.

fit = connectivity_fit(raw, measured, connectome=connectome, n_null=25, random_state=0)
fit.summary().round(3)

# %%
fit.plot()

# %%
# The mistake that fits everything
# --------------------------------
# Filters of :mod:`scipy.signal` work along the last axis. With time on the first one,
# they smooth over the index of the regions instead: neighbours in the list become
# alike, in any data. Two independent recordings of white noise then fit each other.

from scipy.signal import butter, filtfilt, hilbert  # noqa: E402


def connectivity_by_mistake(noise):
    """Filter data of shape (n_times, n_nodes) along the wrong axis, and correlate."""
    b, a = butter(2, [0.16, 0.24], btype="band")
    envelopes = np.abs(hilbert(filtfilt(b, a, noise), axis=0))
    b, a = butter(2, 0.02)
    return np.corrcoef(filtfilt(b, a, envelopes).T)


pairs = np.triu_indices(68, 1)
maps = [connectivity_by_mistake(rng.standard_normal((6000, 68))) for _ in range(2)]
r = np.corrcoef(maps[0][pairs], maps[1][pairs])[0, 1]
print(f"white noise against white noise, filtered over regions: r = {r:.2f}")
noise = [
    mne.io.RawArray(rng.standard_normal((68, 6000)), info, verbose=False)
    for _ in range(2)
]
right = connectivity_fit(*noise, features=features, n_null=1, random_state=0)
print(f"the same, filtered over time: r = {right.r:.2f}")

# %%
# Through sensors and source imaging
# ----------------------------------
# Activity that was estimated from sensors leaks from one region into others, and what
# sensors hardly see is lost. Simulations can go the same way: here through the lead
# field of 64 electrodes and a minimum-norm estimate by hand. With MNE-Python,
# :meth:`SourceImaging.from_inverse <mne_sbi.SourceImaging.from_inverse>` takes an
# inverse operator. So coarse a view returns a map that has nothing to do with that of
# the regions. A model is to be compared with such a recording after the same steps, or
# not at all.

montage = mne.channels.make_standard_montage("biosemi64")
cap = mne.create_info(montage.ch_names, 100.0, "eeg").set_montage(montage)
lead_field = LeadField.from_template(cap).prepare(cap)
gain, _ = lead_field.for_nodes(connectome.names)
noise = np.trace(gain @ gain.T) / len(gain) / 9 * np.eye(len(gain))
kernel = gain.T @ np.linalg.inv(gain @ gain.T + noise)
imaging = SourceImaging(kernel, lead_field.ch_names, connectome.names)
network = WilsonCowanNetwork(
    connectome, preset="resting_alpha", sfreq=100.0, duration=60.0
)
seen = Recorded(network, lead_field=lead_field, source_imaging=imaging, noise=False)
edges = {}
for what, source in (("regions", network), ("estimates", seen)):
    series = simulate_activity(source, random_state=2).data
    edges[what] = features.correlate(series, 100.0)[pairs]
r = np.corrcoef(edges["regions"], edges["estimates"])[0, 1]
print(f"connectivity of regions and of their estimates: r = {r:.2f}")

# %%
# Linear theory
# -------------
# Below the rhythm's onset, where the fixed point is stable, the network's spectra and
# coherence follow from its equations without a simulation, in milliseconds: for
# searches, for starting values, and to check the simulation.

quiet = {"drive": 1.0}
twin = WilsonCowanNetwork(
    connectome, preset="resting_alpha", output="spectrum", freqs=freqs
)
theory = twin.simulate_batch(quiet, jax.random.key(0))[0]
data = simulate_activity(model, quiet, random_state=0).to_raw()
estimate = data.compute_psd(fmin=1, fmax=40, n_fft=800, verbose=False).get_data()
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(freqs, 10 * np.log10(estimate.mean(axis=0)), label="simulation")
ax.plot(freqs, 10 * np.log10(theory.mean(axis=0)), "k--", label="linear theory")
ax.set(xlabel="frequency (Hz)", ylabel="power per Hz (dB)")
ax.legend()
