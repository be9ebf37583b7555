"""
==========================================
Invert EEG at the sensors, without sources
==========================================

:class:`~mne_sbi.SGMInverter` takes an :class:`mne.io.Raw` of EEG as it is, with
``lead_field="template"``. The simulations go through a lead field to the electrodes,
and through the same reference and features as the recording. Two synthetic recordings,
"eyes closed" and "eyes open", show what comes out; their parameters are known.
"""

# %%
# Two recordings
# --------------
# The time constant ``tau_g`` of the long-range connections is 11 ms with eyes closed
# and 7.5 ms with eyes open, all else is the same. That makes alpha strong and weak; it
# is a choice of this example, and no finding about brains.
#
# White noise that is coloured with the model's spectra is the activity of the 68
# regions. A lead field brings it to the electrodes, where white noise is added, 20 dB
# below the signal.
#
# These recordings are made with the synthetic connectome, which is thus the right one
# for them; ``synthetic=False`` keeps the package from warning of it. For people, take
# :func:`~mne_sbi.datasets.fetch_connectome`.

import dataclasses

import matplotlib.pyplot as plt
import mne
import numpy as np

from mne_sbi import LeadField, SGMInverter
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel

connectome = dataclasses.replace(load_synthetic_connectome(), synthetic=False)
bins = np.arange(2, 45.5, 0.5)
model = SpectralGraphModel(connectome, bins)
same = {"tau_e": 0.012, "tau_i": 0.1, "alpha": 0.7, "speed": 9.0}
truth = {"closed": same | {"tau_g": 0.011}, "open": same | {"tau_g": 0.0075}}

sfreq, duration = 100.0, 120.0
montage = mne.channels.make_standard_montage("biosemi32")
info = mne.create_info(montage.ch_names, sfreq, "eeg").set_montage(montage)
gain, _ = LeadField.from_template(info).for_nodes(connectome.names)


def record(params, seed):
    """Draw a recording of which the model is true."""
    rng = np.random.default_rng(seed)
    n_times = round(sfreq * duration)
    white = np.fft.rfft(rng.standard_normal((68, n_times)))
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    power = model.compute_spectrum(params)[0]
    colour = [np.interp(freqs, bins, np.sqrt(row)) for row in power]
    regions = np.fft.irfft(white * np.array(colour), n_times)
    eeg = gain @ (regions / regions.std() * 50e-9)  # A m
    eeg += 0.1 * eeg.std() * rng.standard_normal(eeg.shape)
    return mne.io.RawArray(eeg, info, verbose=False)


raws = {name: record(truth[name], seed) for seed, name in enumerate(truth)}


def compute_power(raw):
    """Return power (n_channels, n_bins) against the average reference."""
    raw = raw.copy().set_eeg_reference(verbose=False)
    return raw.compute_psd(fmin=2, fmax=45, n_fft=200, verbose=False).get_data()


fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for name, raw in raws.items():
    power = compute_power(raw).mean(axis=0) * 1e12
    ax.plot(bins, 10 * np.log10(power), label=f"eyes {name}")
ax.set(
    xlabel="frequency (Hz)", ylabel="power (dB, uV²/Hz)", title="mean of 32 channels"
)
legend = ax.legend()

# %%
# Fit
# ---
# ``fit`` takes from the recordings which channels there are, where they lie, their
# reference and their length. One fit serves both, and others with these channels. The
# recording may have any common reference: data and lead field get the average
# reference of the channels that are used.
#
# To save time, this example takes 20 frequencies, 4,000 simulations and the quicker
# kind of density. For results to rely on, leave ``freqs``, ``n_simulations`` and
# ``method`` out.

inverter = SGMInverter(
    connectome,
    lead_field="template",
    freqs=np.linspace(2, 45, 20),
    n_simulations=4000,
    method=NPE(density="mixture", max_iter=12),
    random_state=0,
    n_jobs=2,
    verbose=False,
)
inverter.fit(list(raws.values()))
print(inverter.lead_field_)

# %%
# Posterior
# ---------
# A list gives one row per recording. The intervals hold the true values; those of the
# coupling ``alpha`` and of ``speed`` are as wide as the prior, because spectra hardly
# tell them.

posterior = inverter.predict_posterior(list(raws.values()))
table = posterior.to_data_frame(level=0.9).set_axis(list(raws))
table.T.round(4)

# %%
# ``tau_g`` is what differs. The draws of the two recordings are independent, so that
# their differences are draws of the difference.

column = posterior.names.index("tau_g")
closed, opened = posterior.draws[:, :, column]
lower, upper = np.quantile(closed - opened, [0.05, 0.95]) * 1e3
print(f"tau_g, closed - open: {lower:.1f} to {upper:.1f} ms (90 %), true 3.5 ms")

# %%
# Measured and predicted spectra
# ------------------------------
# Of eyes closed, as the network sees them: in dB, each channel standardised. The light
# band holds the noise that the inverter allows for, which includes white noise of the
# sensors; it is why the measured spectra may be flat where the predicted ones fall.

inverter.plot_predictive(raws["closed"])

# %%
# A topography that the fit has not seen
# --------------------------------------
# Since every channel is standardised, how power is spread over the scalp plays no part
# in the inference, and can serve as a check. The model's spectra at the posterior mean,
# through the lead field, predict the alpha power of each channel but for one common
# factor: it is shown in dB, relative to the mean power of all channels from 2 to 45 Hz.
#
# Here the pictures agree, because the regions were made as active as the model says.
# The alpha rhythm of people is strongest at the back of the head, which this model does
# not explain.

gain, _ = inverter.lead_field_.for_nodes(connectome.names)


def compute_alpha(power):
    """Return alpha power (n_channels,), in dB relative to all power."""
    alpha = power[:, (bins >= 8) & (bins <= 13)].sum(axis=1)
    return 10 * np.log10(alpha / power.sum(axis=1).mean())


fig, axes = plt.subplots(2, 2, figsize=(5.5, 5), layout="constrained")
for row, name, mean in zip(axes, raws, posterior.mean, strict=True):
    params = inverter.fixed_ | dict(zip(posterior.names, mean, strict=True))
    maps = {
        "measured": compute_alpha(compute_power(raws[name])),
        "predicted": compute_alpha(gain**2 @ model.compute_spectrum(params)[0]),
    }
    for ax, (kind, values) in zip(row, maps.items(), strict=True):
        picture, _ = mne.viz.plot_topomap(
            values, info, axes=ax, vlim=(-12, 4), cmap="viridis", show=False
        )
        ax.set_title(f"eyes {name}, {kind}")
    r = np.corrcoef(maps["measured"], maps["predicted"])[0, 1]
    print(f"eyes {name}: correlation over channels {r:.2f}")
bar = fig.colorbar(picture, ax=axes, label="alpha power (dB)", shrink=0.6)
