"""
============================================================
EEG to fMRI: predict volumes, and know what a score is worth
============================================================

What does EEG tell about the fMRI that was recorded with it? With recordings of your
own, these lines answer it for people who took no part in the training:

.. code-block:: python

   import mne
   from nilearn.maskers import NiftiMasker
   from mne_sbi import EEG2fMRIRegressor, make_pairs
   from mne_sbi.eeg_fmri import evaluate

   raws = [mne.io.read_raw_brainvision(f"sub-{i}_eeg.vhdr") for i in people]
   scans = [f"sub-{i}_bold.nii.gz" for i in people]    # realigned, in one space
   masker = NiftiMasker(mask_img="mask.nii.gz", standardize=None)
   pairs = make_pairs(raws, scans, masker, subject=people)
   regressor = EEG2fMRIRegressor(masker=pairs.masker, random_state=0)
   evaluation = evaluate(regressor, pairs)             # leaves out one person at a time
   print(evaluation)
   img = regressor.fit(pairs).predict_img(pairs_of_somebody)

No real recording can be part of this example. Synthetic ones take their place, and have
an advantage: it is known how much of their fMRI the EEG can tell at all.
"""

# %%
# Recordings
# ----------
# People at rest: 32 electrodes, volumes of 8 mm every 2 s. A prediction that made the
# best of the EEG would correlate with the measured signal as ``ceiling r`` says. To try
# what reads files, ``simulated.write_bids(folder)`` writes BrainVision and NIfTI.

import numpy as np
from nilearn.image import mean_img
from sklearn.base import BaseEstimator, RegressorMixin

from mne_sbi import EEG2fMRIRegressor, make_pairs, simulate_eeg_fmri
from mne_sbi.eeg_fmri import Baselines, align_volumes, compute_patterns, evaluate
from mne_sbi.viz import plot_time_courses, plot_volumes

simulated = simulate_eeg_fmri(
    5, montage="biosemi32", voxel_size=0.008, random_state=0, verbose=False
)
masker, people = simulated.masker, simulated.subjects
print(simulated)

# %%
# Pairs
# -----
# The scanner marks each volume in the EEG. A marker that was lost, or one too many, is
# no harm: the onsets are the regular grid that fits the others.

raw = simulated.raws[0].copy()
raw.annotations.delete([3, 40, 41])
print(align_volumes(raw, n_volumes=140, t_r=2.0, verbose=False))

# %%
# A row of ``X`` is the power of five frequency bands at each electrode in the windows
# before a volume; a row of ``y`` is the percent signal change of each voxel, without
# drift; ``groups`` tells the person and ``times`` the moment. Each person's EEG is
# standardised by itself, for which no fMRI is needed.

pairs = make_pairs(
    simulated.raws, simulated.images, masker, subject=people, verbose=False
)
print(pairs)

# %%
# Whatever else is known of each volume has to go with the pairs: what EEG can see,
# which only a simulation knows, and the motion of the head. ``pairs.volumes`` counts
# the volumes of each recording.


def of_pairs(recordings):
    """Take the volumes that have a pair from arrays with a row per volume."""
    rows = [rows[pairs.volumes[pairs.runs == i]] for i, rows in enumerate(recordings)]
    return np.concatenate(rows)


visible, motion = of_pairs(simulated.visible), of_pairs(simulated.motion)
mean_volumes = {
    person: masker.transform(mean_img(img, copy_header=True)).ravel()
    for person, img in zip(people, simulated.images, strict=True)
}

# %%
# The score
# ---------
# One person after the other is left out. Everything that the model chooses is chosen
# within the others: components of fMRI, penalties, the shape of the response, whether a
# network adds anything, and how far to believe it.
#
# Read *skill* first: one minus the ratio of squared errors to those of the person's own
# mean volume, which is zero for a prediction that knows nothing. Then *r*, the
# correlation over time, beside what 95 % of circular shifts of the same predictions
# stay below, ``r_null95``; and the share of the ceiling. The last column says what
# skill refers to.

regressor = EEG2fMRIRegressor(masker=masker, random_state=0)
evaluation = evaluate(
    regressor,
    pairs,
    baselines=Baselines(motion=motion),
    masker=masker,
    mean_volumes=mean_volumes,
    ceiling=visible,
    random_state=0,
)
print(evaluation)

# %%
# The rows below the model's need no model, or hardly any. The person's own mean volume
# has the largest structural similarity (SSIM) and knows nothing: never judge by
# similarity of whole volumes. The previous volume correlates well, because fMRI
# resembles itself, but has seen fMRI. Ridge regression is what a network has to beat.
# *Vigilance only* sees one number, alpha over theta; *motion only* sees no EEG.

evaluation.plot(show=False)

# %%
# A table with one row per predictor and person, for statistics of your own:

model = evaluation.table.query("predictor == 'model'").set_index("person")
model[["n_volumes", "skill", "r", "r_null95", "p", "share_above"]].round(3)

# %%
# The split that flatters
# -----------------------
# Pairs drawn at random have neighbours in the training set: windows of EEG that
# overlap, and volumes that resemble each other. ``evaluate`` says so. The same model,
# the same data:

shuffled = evaluate(
    regressor, pairs, cv="shuffled", baselines=False, ceiling=visible, random_state=0
)
print(shuffled.verdicts["leak"], end="\n\n")
for each in (evaluation, shuffled):
    row = each.summary().loc["model"]
    print(f"{each.cv}: skill {row['skill']:.3f}, r {row['r']:.3f}")

# %%
# Three predictors that cheat
# ---------------------------
# Each of them would do well by some score in use. None has skill here, and each is
# called by its name.


class Constant(RegressorMixin, BaseEstimator):
    """Predict the mean of the training pairs, whatever the EEG."""

    def fit(self, X, y):
        """Keep the mean."""
        self.mean_ = y.mean(axis=0)
        return self

    def predict(self, X):
        """Repeat it."""
        return np.tile(self.mean_, (len(X), 1))


class Cheat(RegressorMixin, BaseEstimator):
    """Look the answer up in a table, which X has the row number of."""

    def __init__(self, table):
        self.table = table

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def predict(self, X):
        """Look up."""
        return self.table[X[:, 0]]


# Changes have the same mean in all people, namely zero, so that a constant is the own
# mean too. Values on a scale of their own, as volumes have, tell the two apart.
whole = pairs.y + np.array([mean_volumes[p] for p in pairs.groups]) / 100
first = np.flatnonzero(np.diff(pairs.runs, prepend=-1))
previous = np.roll(whole, 1, axis=0)
previous[first] = whole[first + 1]
own_mean = np.array([whole[pairs.groups == p].mean(axis=0) for p in pairs.groups])
rows = np.arange(pairs.n_pairs)[:, np.newaxis]
cheats = {
    "constant": Constant(),
    "own mean": Cheat(own_mean),
    "previous volume": Cheat(previous),
}
for name, cheat in cheats.items():
    result = evaluate(
        cheat, rows, whole, pairs.groups, pairs.times, baselines=False, random_state=0
    )
    skill = result.summary().loc["model", "skill"]
    print(f"{name}: skill {skill:.3f}; verdicts: {', '.join(result.verdicts)}")

# %%
# One person's volumes
# --------------------
# Fitted to the others, the regressor turns EEG into an image, in the space of the
# masker: percent signal change or, with the person's mean volume, values like those of
# the scanner.

person = people[-1]
rest, own = pairs.pick(people[:-1]), pairs.pick(person)
regressor.fit(rest)
predicted = regressor.predict_img(own)
zooms = ", ".join(f"{zoom:g}" for zoom in predicted.header.get_zooms())
print(f"volumes of the shape {predicted.shape}, voxels and TR: {zooms}")
mean = mean_img(simulated.images[-1], copy_header=True)
like_scanner = masker.transform(regressor.predict_img(own, mean_img=mean))
for name, values in (("measured", masker.transform(mean)), ("predicted", like_scanner)):
    print(f"mean over the brain, {name}: {values.mean():.0f}")

# %%
# The volume in which the prediction is farthest from zero, measured and predicted, each
# with a colour scale of its own, and the correlation over time at each voxel.

where = people.index(person)
y_predicted, y_std = regressor.predict(own, return_std=True)
strongest = int((y_predicted**2).sum(axis=1).argmax())
plot_volumes(
    own.y,
    y_predicted,
    masker,
    index=strongest,
    r=evaluation.r[where],
    limit="own",
    show=False,
)

# %%
# Time courses of three voxels: those that were predicted best in the *other* people.
# To choose the best of this person would flatter. The interval is that of the errors in
# people who were left out of the training: where a person moves more than they did, or
# is noisier, it holds less than 90 %. Count over all voxels before you rely on it.

inside = np.abs(own.y - y_predicted) <= 1.645 * y_std
print(f"{inside.mean():.0%} of the values of all voxels lie in the 90 % interval")
best = np.argsort(np.delete(evaluation.r, where, axis=0).mean(axis=0))[[-1, -20, -100]]
plot_time_courses(own.times, own.y, y_predicted, y_std, picks=best, show=False)

# %%
# What the prediction uses of the EEG, and where it goes: topographies of each band at
# the strongest lag, the strength at each lag, and the voxels that change.

patterns = compute_patterns(regressor, own, n_patterns=2)
print(patterns)
patterns.plot(own.info, bands=own.bands, show=False)

# %%
# A few minutes of calibration
# ----------------------------
# If there is fMRI of the new person, ``partial_fit`` moves the regressor as far as
# blocks of these pairs that are left out say. Train with the first three minutes, leave
# a gap of half a minute, test on what remains. A few minutes tell little: often the
# regressor stays where it was, which is better than to follow noise.

begin, end = own.times[0] + 180.0, own.times[0] + 210.0
few, later = own.take(own.times < begin), own.take(own.times >= end)
print(f"{few.n_pairs} pairs for calibration, {later.n_pairs} for the test")
before = regressor.score(later)
after = regressor.partial_fit(few).score(later)
print(f"skill over the mean: {before:.3f} before, {after:.3f} after calibration")
