"""EEG to fMRI on real recordings: band power and brain states of 12 people.

EEG power in six bands per scan, and what a classifier of fMRI says about five states
(ds003574: sleep and games, 1458 to 3588 scans of 2.1 s per person). States are centred
log-ratios of the probabilities; both are high-passed at 128 s, since slow drifts of
vigilance and of the scanner correlate without telling anything about minutes. "Plain"
ridge has one coefficient per band and lag and a penalty that is given, not chosen.

    python benchmarks/eeg_fmri_real.py --data FOLDER [--json FILE]

FOLDER holds eegfmri/ds003574_bandpower_states_dev12.npz.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from _report import report
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mne_sbi import EEG2fMRIRegressor
from mne_sbi.datasets import make_sleep_pairs
from mne_sbi.eeg_fmri import evaluate

COLUMNS = {
    "name": "model",
    "split": "split",
    "r": "r",
    "null": "null 95 %",
    "n_above": "people above",
    "skill": "R2",
    "worst": "worst R2",
    "coverage": "in 90 % interval",
    "seconds": "CPU-s",
    "verdict": "verdict",
}
T_R = 2.1
FLATTEN = FunctionTransformer(lambda X: X.reshape(len(X), -1))
MODELS = {
    "plain ridge on 12 lags": make_pipeline(FLATTEN, Ridge(1e4)),
    "hrf_ridge": EEG2fMRIRegressor("hrf_ridge", t_r=T_R),
    "residual": EEG2fMRIRegressor("residual", t_r=T_R, random_state=0),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    fname = arguments.data / "eegfmri" / "ds003574_bandpower_states_dev12.npz"
    pairs = make_sleep_pairs(np.load(fname))
    rows = []
    for name, model in MODELS.items():
        for split in ("leave_one_person_out", "within_person", "shuffled"):
            start = time.process_time()
            found = evaluate(model, *pairs, cv=split, baselines=False, random_state=0)
            row = found.summary().loc["model"]
            rows.append(
                {
                    "name": name,
                    "split": split,
                    "r": row["r"],
                    "null": row["r_null95"],
                    "n_above": f"{row['n_above']} of {row['n_people']}",
                    "skill": row["skill"],
                    "worst": row["worst_skill"],
                    "coverage": row["coverage"] if row["coverage"] > 0 else None,
                    "seconds": time.process_time() - start,
                    "verdict": ", ".join(found.verdicts),
                }
            )
            print(rows[-1], flush=True)
    report(f"{len(pairs[0])} scans of 12 people", rows, COLUMNS, arguments.json)


if __name__ == "__main__":
    main()
