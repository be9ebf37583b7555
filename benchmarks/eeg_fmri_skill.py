"""EEG to fMRI: skill in people who were left out, on recordings with a known ceiling.

The standard set is `simulate_eeg_fmri(6, n_volumes=140, random_state=0)`; other seeds
are other worlds, with other networks and people. Each row is an architecture, scored by
`evaluate` on people who were left out: all choices that it makes (penalties, lags,
passes, gains) are made inside the training people. Below are the same for splits within
people, for a random split, which leaks, and for predictors that cheat.

Networks of others are trained for fewer passes than published, to end within an hour:
the numbers of passes are in the table.

    python benchmarks/eeg_fmri_skill.py [--seeds 0 1 2] [--only NAME ...] [--json FILE]
"""

import argparse
import sys
import time

import numpy as np
from _report import report
from sklearn.base import BaseEstimator, RegressorMixin

from mne_sbi import EEG2fMRIRegressor, make_pairs, simulate_eeg_fmri
from mne_sbi.eeg_fmri import (
    Baselines,
    BricmanConv,
    BricmanDense,
    BricmanTransformer,
    Calhas,
    EEGWindows,
    HRFRidge,
    evaluate,
)

COLUMNS = {
    "seed": "seed",
    "name": "model",
    "split": "split",
    "r": "r",
    "fraction": "of ceiling",
    "null": "null 95 %",
    "n_above": "people above",
    "skill": "R2",
    "worst": "worst R2",
    "r_gain": "r - ridge, worst fold",
    "skill_gain": "R2 - ridge, worst fold",
    "coverage": "in 90 % interval",
    "ssim": "SSIM",
    "seconds": "CPU-s",
    "verdict": "verdict",
}
# Raw windows at 100 Hz instead of 1000 Hz, so that all fit into memory.
RAW = EEGWindows("raw", sfreq=100.0)
NETWORKS = {
    "calhas": ("spectrogram", Calhas(max_iter=4)),
    "bricman_dense": (RAW, BricmanDense(pool=1, max_iter=20)),
    "bricman_transformer": (RAW, BricmanTransformer(pool=1, max_iter=5)),
    "bricman_conv": (RAW, BricmanConv(pool=1, max_iter=1)),
}
SPLITS = ("leave_one_person_out", "within_person", "shuffled")


class Constant(RegressorMixin, BaseEstimator):
    """Predicts the mean of the training pairs."""

    def fit(self, X, y):
        self.mean_ = y.mean(axis=0)
        return self

    def predict(self, X):
        return np.tile(self.mean_, (len(X), 1))


class Cheat(RegressorMixin, BaseEstimator):
    """Predicts rows of a table that the window's first number points to."""

    def __init__(self, table):
        self.table = table

    def __sklearn_clone__(self):
        return self

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.table[X[:, 0].astype(int)]


def score(evaluation, name, seconds, ridge=None):
    """One row of the table."""
    summary = evaluation.summary()
    row = summary.loc["model"]
    by_person = evaluation.table.query("predictor == 'model'").set_index("person")
    gains = {}
    if ridge is not None:
        for key in ("r", "skill"):
            gains[f"{key}_gain"] = float((by_person[key] - ridge[key]).min())
    known = [k for k in evaluation.verdicts if k not in ("time shuffle", "below mean")]
    return by_person, {
        "name": name,
        "split": evaluation.cv,
        "r": row["r"],
        "fraction": row["fraction_of_ceiling"],
        "null": row["r_null95"],
        "n_above": f"{row['n_above']} of {row['n_people']}",
        "skill": row["skill"],
        "worst": row["worst_skill"],
        **gains,
        "coverage": row["coverage"] if np.isfinite(row["coverage"]) else None,
        "ssim": row["ssim"] if np.isfinite(row["ssim"]) else None,
        "seconds": seconds,
        "verdict": ", ".join(known),
    }


def baseline_rows(evaluation):
    """Rows of the baselines that an evaluation holds."""
    summary = evaluation.summary().drop(index=["model", "ridge"], errors="ignore")
    for name, row in summary.iterrows():
        yield {
            "name": name,
            "split": evaluation.cv,
            "r": row["r"],
            "fraction": row["fraction_of_ceiling"],
            "null": row["r_null95"],
            "n_above": f"{row['n_above']} of {row['n_people']}",
            "skill": row["r2"],
            "ssim": row["ssim"] if np.isfinite(row["ssim"]) else None,
        }


def run(estimator, pairs, **settings):
    """Evaluate, and count CPU-seconds."""
    start = time.process_time()
    settings = {"keep_predictions": False, "random_state": 0, **settings}
    evaluation = evaluate(estimator, *pairs, **settings)
    seconds = time.process_time() - start
    print(f"{estimator}: {seconds:.0f} CPU-s", file=sys.stderr, flush=True)
    return evaluation, seconds


def rows_of_seed(seed, only):
    """All rows of one set of recordings."""
    recordings = simulate_eeg_fmri(6, n_volumes=140, random_state=seed)
    images, masker = recordings.images, recordings.masker
    people = recordings.subjects

    def pair(features):
        return make_pairs(
            recordings.raws, images, masker, features=features, subject=people
        )

    pairs = pair("band_power")
    visible = [
        part[pairs.volumes[pairs.groups == person]]
        for part, person in zip(recordings.visible, people, strict=True)
    ]
    known = {
        "ceiling": np.concatenate(visible),
        "masker": masker,
        "mean_volumes": {
            person: masker.transform(image).mean(axis=0)
            for person, image in zip(people, images, strict=True)
        },
    }
    ridge, rows = None, []
    # The second one shows how much of the default's gain is its model of the noise.
    linear = {"hrf_ridge": "hrf_ridge", "hrf_ridge, AR(1)": HRFRidge(noise="ar1")}
    for name, architecture in {**linear, "residual": "residual"}.items():
        model = EEG2fMRIRegressor(architecture, t_r=pairs.t_r, random_state=0)
        baselines = False
        if name == "residual":
            motion = np.concatenate(recordings.motion)
            baselines = Baselines(bands=pairs.bands, motion=motion)
        for split in SPLITS:
            if baselines and split == SPLITS[0]:
                found, seconds = run(model, pairs, baselines=baselines, **known)
                rows += list(baseline_rows(found))
            found, seconds = run(model, pairs, cv=split, baselines=False, **known)
            by_person, row = score(
                found, name, seconds, ridge if split == SPLITS[0] else None
            )
            rows.append(row)
            if name == "hrf_ridge" and split == SPLITS[0]:
                ridge = by_person
    if only is None or "cheats" in only:
        rows += cheat_rows(pairs, known["ceiling"])
    for name, (features, architecture) in NETWORKS.items():
        if only is not None and name not in only:
            continue
        model = EEG2fMRIRegressor(
            architecture, masker=masker, t_r=pairs.t_r, random_state=0
        )
        found, seconds = run(model, pair(features), baselines=False, **known)
        label = f"{name}, {architecture.max_iter} passes"
        rows.append(score(found, label, seconds, ridge)[1])
    return [{"seed": seed, **row} for row in rows]


def cheat_rows(pairs, visible):
    """A constant, the person's own mean and the previous volume, as predictors."""
    index = np.arange(len(pairs.y), dtype=np.float32)[:, np.newaxis]
    # Volumes with a mean of their own, as those that are not percent signal change.
    rng = np.random.default_rng(0)
    means = {
        person: rng.standard_normal(pairs.y.shape[1]) for person in set(pairs.groups)
    }
    own = np.stack([means[person] for person in pairs.groups]).astype(np.float32)
    previous = np.roll(pairs.y, 1, axis=0)
    first = np.flatnonzero(np.diff(pairs.runs, prepend=-1))
    previous[first] = 0.0  # nobody's first volume has one before it
    cheats = {
        "constant": (Constant(), pairs.y),
        "own mean volume": (Cheat(own), pairs.y + own),
        "previous volume": (Cheat(previous), pairs.y),
    }
    for name, (model, y) in cheats.items():
        data = (index, y, pairs.groups, pairs.times)
        found, seconds = run(model, data, baselines=False, ceiling=visible)
        yield score(found, f"cheat: {name}", seconds)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", nargs="*", help="networks and 'cheats' to add")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds:
        rows += rows_of_seed(seed, arguments.only)
    report(
        "EEG to fMRI: people who were left out, of a ceiling of r = .40",
        rows,
        COLUMNS,
        arguments.json,
    )


if __name__ == "__main__":
    main()
