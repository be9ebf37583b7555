"""
======================================
Invert a source estimate of MNE-Python
======================================

The usual road of source imaging, ``Raw``, forward solution, inverse operator,
``SourceEstimate``, ends in :class:`~mne_sbi.SGMInverter` with two more arguments:
``labels``, the regions, and ``src``, the source space. The same recording is then
inverted at the sensors, through the same forward solution.
"""

# %%
# A head
# ------
# The surfaces of a real brain come from FreeSurfer, and their regions from
# :func:`mne.read_labels_from_annot`. To work offline, this example makes its own: an
# ellipsoid stands for each hemisphere, and each of the 34 regions gets 18 of its
# vertices near the position that the package knows. From here on, all is as it would be
# with a real brain.

import dataclasses
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import mne
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import ConvexHull

from mne_sbi import LeadField, SGMInverter, simulate
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel

connectome = dataclasses.replace(load_synthetic_connectome(), synthetic=False)
n_each = 18


def make_ellipsoid(centre, radii, n):
    """Return n vertices in mm, spread by the golden angle, and outward triangles."""
    z = 1 - (2 * np.arange(n) + 1) / n
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(n)
    circle = np.array([np.cos(angle), np.sin(angle)]) * np.sqrt(1 - z**2)
    unit = np.array([*circle, z]).T
    triangles = ConvexHull(unit).simplices
    inward = np.linalg.det(unit[triangles]) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return centre + radii * unit, triangles


folder = tempfile.TemporaryDirectory()
subjects_dir = Path(folder.name)
(subjects_dir / "ellipsoids" / "surf").mkdir(parents=True)
labels = []
for hemi, x in (("lh", -32), ("rh", 32)):
    names = [name for name in connectome.names if name.startswith(hemi)]
    vertices, triangles = make_ellipsoid([x, 14, 50], [26, 62, 36], n_each * len(names))
    surface = subjects_dir / "ellipsoids" / "surf" / f"{hemi}.white"
    mne.write_surface(surface, vertices, triangles)
    # From fsaverage's coordinates to those of the head, roughly.
    regions = 1000 * connectome.positions[connectome.index_of(names)] + [0, 30, 41]
    distances = np.linalg.norm(vertices[:, None] - regions, axis=2)
    _, owner = linear_sum_assignment(np.repeat(distances, n_each, axis=1))
    for i, name in enumerate(names):
        mine = np.flatnonzero(owner // n_each == i)
        name = f"{name.split('.')[1]}-{hemi}"  # as MNE-Python spells it
        labels.append(mne.Label(mine, hemi=hemi, name=name, subject="ellipsoids"))
print(f"{len(labels)} labels, the first is {labels[0]}")

# %%
# Source space and forward solution
# ---------------------------------
# MNE-Python drops sources without an error where they lie outside of the inner skull,
# so that it is worth a look whether all are there.

src = mne.setup_source_space(
    "ellipsoids", "all", subjects_dir=subjects_dir, add_dist=False, verbose=False
)
folder.cleanup()
sfreq, duration = 100.0, 60.0
montage = mne.channels.make_standard_montage("biosemi32")
info = mne.create_info(montage.ch_names, sfreq, "eeg").set_montage(montage)
forward = mne.make_forward_solution(
    info,
    trans=None,
    src=src,
    bem=mne.make_sphere_model("auto", "auto", info, verbose=False),
    verbose=False,
)
print(f"{forward['nsource']} of {sum(space['nuse'] for space in src)} sources")

# %%
# A recording
# -----------
# As in :ref:`sphx_glr_auto_examples_20_sgm_sensors.py`: white noise, coloured with the
# model's spectra, in the regions; the lead field of the regions; and white noise at the
# electrodes, 20 dB below the signal.

freqs = np.linspace(2, 45, 20)
truth = {"tau_e": 0.012, "tau_i": 0.1, "alpha": 0.7, "speed": 9.0, "tau_g": 0.009}
model = SpectralGraphModel(connectome, freqs)
power = model.compute_spectrum(truth)[0]
rng = np.random.default_rng(0)
n_times = round(sfreq * duration)
white = np.fft.rfft(rng.standard_normal((68, n_times)))
bins = np.fft.rfftfreq(n_times, 1 / sfreq)
colour = [np.interp(bins, freqs, np.sqrt(row)) for row in power]
regions = np.fft.irfft(white * np.array(colour), n_times)

gain, _ = LeadField.from_forward(forward, labels).for_nodes(connectome.names)
eeg = gain @ (regions / regions.std() * 20e-9)  # A m
eeg += 0.1 * eeg.std() * rng.standard_normal(eeg.shape)
raw = mne.io.RawArray(eeg, info, verbose=False)

# %%
# Source imaging
# --------------
# This is MNE-Python alone. ``pick_ori="normal"`` gives each source a sign, by which
# the sources of a region can be averaged.

raw.set_eeg_reference(projection=True, verbose=False).apply_proj(verbose=False)
inverse_operator = mne.minimum_norm.make_inverse_operator(
    raw.info, forward, mne.make_ad_hoc_cov(raw.info, verbose=False), verbose=False
)
stc = mne.minimum_norm.apply_inverse_raw(
    raw, inverse_operator, 1 / 9, method="dSPM", pick_ori="normal", verbose=False
)
print(stc)

# %%
# Invert the source estimate
# --------------------------
# ``labels`` are averaged as :func:`mne.extract_label_time_course` does, with
# ``mode="mean_flip"``; the names of the labels are found among the connectome's however
# they are spelt.
#
# A :class:`mne.VolSourceEstimate` goes in the same way; its ``labels`` are the file of
# an atlas, such as ``aparc+aseg.mgz``. :doc:`/how_to_source_level` says more, also on
# several people.

settings = {
    "labels": labels,
    "freqs": freqs,
    # To save time; leave these two out for results to rely on.
    "simulations": simulate(model, n_simulations=4000, random_state=0, verbose=False),
    "method": NPE(density="mixture", max_iter=10),
    "random_state": 0,
    "verbose": False,
}
inverter = SGMInverter(connectome, src=inverse_operator["src"], **settings)
posterior = inverter.fit(stc).predict_posterior(stc)
inverter.plot_predictive(stc)

# %%
# Invert the sensors
# ------------------
# The same forward solution is a lead field. No inverse operator is needed, and no noise
# covariance; :doc:`/how_to_sensor_level` says what is assumed instead. The simulations
# are those from above, since they are of regions.

at_sensors = SGMInverter(connectome, lead_field=forward, **settings)
posterior_at_sensors = at_sensors.fit(raw).predict_posterior(raw)
at_sensors.plot_predictive(raw)

# %%
# Side by side
# ------------
# Both hold the truth, and their intervals overlap. The coupling ``alpha`` and
# ``speed`` are hardly informed on either road.

ranges = inverter.prior_.parameters
fig, axes = plt.subplots(1, len(ranges), figsize=(9, 2.2), layout="constrained")
fig.suptitle("90 % intervals, posterior means, and the truth (dashed)")
for i, (ax, parameter) in enumerate(zip(axes, ranges, strict=True)):
    for y, found in enumerate((posterior_at_sensors, posterior)):
        lower, upper = (end[0, i] for end in found.interval(0.9))
        ax.plot([lower, upper], [y, y], color=f"C{y}", linewidth=4)
        ax.plot(found.mean[0, i], y, "o", color="black")
    ax.axvline(truth[parameter.name], color="black", linestyle="--")
    ax.set(xlim=(parameter.low, parameter.high), ylim=(-0.6, 1.6), yticks=[])
    ax.set_title(f"{parameter.name} ({parameter.unit})".removesuffix(" ()"))
ticks = axes[0].set_yticks([0, 1], ["sensors", "sources"])
