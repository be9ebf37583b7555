"""
=============
A group study
=============

Twelve people were recorded twice, with eyes closed and with eyes open. The recordings
stand in one list, each becomes one row of parameters with intervals, and a paired test
compares the conditions. The recordings are synthetic, so that the answer is known.
"""

# %%
# 24 recordings
# -------------
# Each person has parameters of their own. With eyes open, the long-range time constant
# ``tau_g`` is 2 ms shorter, give or take 0.5 ms; nothing else differs. White noise,
# coloured with the model's spectra, stands for 60 s of activity of the 34 regions of
# the left hemisphere.
#
# The list has one :class:`mne.io.Raw` per recording; :class:`mne.Epochs`, source
# estimates and EEG with a lead field go in the same way. The connectome is synthetic,
# as the recordings are; that for people is
# :func:`~mne_sbi.datasets.fetch_connectome`.

import dataclasses
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import mne
import numpy as np
import pandas as pd
from scipy.stats import ttest_rel
from sklearn.model_selection import GroupKFold, cross_val_score

from mne_sbi import SGMInverter, simulate
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel

connectome = dataclasses.replace(load_synthetic_connectome(), synthetic=False)
freqs = np.linspace(2, 45, 20)
model = SpectralGraphModel(connectome, freqs)

rng = np.random.default_rng(0)
n_people = 12
closed = pd.DataFrame(
    {
        "tau_e": rng.normal(0.012, 0.001, n_people),
        "tau_i": rng.normal(0.1, 0.02, n_people),
        "alpha": rng.uniform(0.4, 0.9, n_people),
        "speed": rng.uniform(6, 15, n_people),
        "tau_g": rng.normal(0.011, 0.0007, n_people),
    },
    index=[f"sub-{i:02d}" for i in range(1, n_people + 1)],
)
opened = closed.assign(tau_g=closed["tau_g"] - rng.normal(0.002, 0.0005, n_people))
truth = pd.concat([closed, opened], keys=["closed", "open"], names=["eyes", "person"])

sfreq, duration = 100.0, 60.0
n_times = round(sfreq * duration)
bins = np.fft.rfftfreq(n_times, 1 / sfreq)
info = mne.create_info(list(connectome.names[:34]), sfreq, "misc")
raws = []
for params in truth.to_dict("records"):
    power = model.compute_spectrum(params)[0, :34]
    colour = np.array([np.interp(bins, freqs, np.sqrt(row)) for row in power])
    white = np.fft.rfft(rng.standard_normal((34, n_times)))
    series = np.fft.irfft(white * colour / np.sqrt(power.max()), n_times)
    raws.append(mne.io.RawArray(series, info, verbose=False))
print(f"{len(raws)} recordings of {len(raws[0].ch_names)} regions")

# %%
# Fit once
# --------
# ``fit`` learns from simulations, and takes from the list only what was recorded: the
# regions, and the length of the shortest recording. One inverter serves all people.
#
# To save time, this example takes 20 frequencies, 4,000 simulations and the quicker
# kind of density; leave ``freqs``, ``simulations`` and ``method`` out for results to
# rely on. The simulations are made beforehand, because they are used again below.

bank = simulate(model, n_simulations=4000, random_state=0, n_jobs=2, verbose=False)
inverter = SGMInverter(
    connectome,
    freqs=freqs,
    simulations=bank,
    method=NPE(density="mixture", max_iter=12),
    random_state=0,
    verbose=False,
)
inverter.fit(raws)

# %%
# Does the model describe people?
# -------------------------------
# The score without ``y`` is the share of the features' variance that the predicted
# parameters explain. ``groups`` keeps the two recordings of a person together. Each
# number is for four people who took no part in the fit. Nothing is learnt from
# recordings, so that this is about the people, and hardly about the fit: a number that
# stands out points to recordings worth a look. The simulations are those from above.

people = truth.index.get_level_values("person")
scores = cross_val_score(inverter, raws, groups=people, cv=GroupKFold(3))
print(f"explained: {scores.round(3)}")

# %%
# One row per recording
# ---------------------
# The order is that of the list. The columns are the posterior mean of each parameter,
# and the ends of its 90 % interval, in SI units.

posterior = inverter.predict_posterior(raws)
table = posterior.to_data_frame(level=0.9).set_index(truth.index)
table[["tau_e", "tau_e_lower", "tau_e_upper", "tau_g", "tau_g_lower", "tau_g_upper"]]

# %%
# An interval tells how well *one recording* determines a parameter, given the model and
# its noise. It is not the spread over people. Of the true values, so many are inside:

inside = pd.Series(
    {
        name: truth[name].between(table[f"{name}_lower"], table[f"{name}_upper"]).mean()
        for name in posterior.names
    }
)
print(inside.round(2).to_string())

# %%
# More than nine of ten, because the default noise has room for what the model gets
# wrong in real people, and these recordings obey the model.
#
# A paired test
# -------------
# A test over people compares the posterior means of the two conditions and ignores the
# intervals. Where two parameters can stand in for each other, a change of one moves the
# estimates of both, and in all people alike. The draws show how much each recording
# leaves open. Those of different recordings are independent, so that differences of two
# recordings' draws are draws of the difference, and their mean over people is a draw of
# the mean difference. (Versions before the first release used the same random numbers
# for every recording: intervals of differences and of groups that were computed with
# them are invalid.)


def compare(name):
    """Return mean difference, its 90 % interval, the truth, and p of a t test.

    Time constants are in ms, the speed is in m/s.
    """
    column = posterior.names.index(name)
    factor = 1e3 if name.startswith("tau") else 1.0
    first, second = factor * posterior.draws[:, :, column].reshape(2, n_people, -1)
    lower, upper = np.quantile((first - second).mean(axis=0), [0.05, 0.95])
    first, second = first.mean(axis=1), second.mean(axis=1)
    return {
        "closed - open": (first - second).mean(),
        "lower": lower,
        "upper": upper,
        "truth": factor * (closed[name] - opened[name]).mean(),
        "p": ttest_rel(first, second).pvalue,
    }


tests = pd.DataFrame({name: compare(name) for name in posterior.names}).T
tests.style.format("{:.2f}").format("{:.1g}", subset=["p"])

# %%
# Only ``tau_g`` differs. Its interval holds the true difference and excludes 0; those
# of all others include 0. The test finds ``tau_g`` too, but p may also be small for
# parameters that are the same in both conditions: the change of ``tau_g`` moves their
# estimates a little, in everybody alike. So look at the interval before believing a
# small p, and decide beforehand which parameters are tested.

fig, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for ax, name in zip(axes, ("tau_g", "tau_e"), strict=True):
    columns = [name, f"{name}_lower", f"{name}_upper"]
    for i, person in enumerate(closed.index):
        mean, lower, upper = (
            1e3 * table.xs(person, level="person")[columns].to_numpy().T
        )
        x = np.arange(2) + 0.3 * (i / n_people - 0.5)
        ax.vlines(x, lower, upper, color="C0", alpha=0.25)
        ax.plot(x, mean, "o-", color="C0", alpha=0.6, markersize=4)
    ax.set(title=name, ylabel="ms", xlim=(-0.4, 1.4))
    ax.set_xticks([0, 1], ["closed", "open"])

# %%
# A report
# --------
# :meth:`~mne_sbi.SGMInverter.add_to_report` adds a section to an :class:`mne.Report`:
# settings, parameters, posteriors, measured and predicted spectra, and the calibration
# if it is asked for. Names make it readable; the figures here are of two recordings.

chosen = [0, n_people]
two = [raws[i] for i in chosen]
names = [f"{person}, eyes {eyes}" for eyes, person in truth.index[chosen]]
report = mne.Report(title="Group study", verbose=False)
inverter.add_to_report(
    report,
    two,
    posterior=inverter.predict_posterior(two, obs_names=names),
    calibration=inverter.diagnose(300, n_draws=200),
)
with tempfile.TemporaryDirectory() as folder:
    fname = Path(folder) / "report.html"
    report.save(fname, open_browser=False, verbose=False)
    print(f"{fname.name}: {fname.stat().st_size / 1e6:.1f} MB")
