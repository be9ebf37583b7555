"""What resting spectra tell about the parameters of the spectral graph model.

Trains one inverter per kind of observation noise on spectra of 68 cortical regions and
inverts 2,000 fresh simulations with it: the contraction of each parameter (the share of
the prior's variance that an observation removes, averaged over simulations) and how
often 90 % intervals hold the true value.

    python benchmarks/sgm_information.py [--quick] [--data FOLDER] [--json FILE]
"""

import argparse

import numpy as np
from _connectome import get_connectome
from _report import report

from mne_sbi import SGMInverter
from mne_sbi.diagnostics import coverage
from mne_sbi.features import LogPSD, SpectralNoise

SAMPLING_ONLY = {
    "slope": 1.0,
    "slope_sd": 0.0,
    "gain_sd": 0.0,
    "tilt_sd": 0.0,
    "misfit_common": 0.0,
    "misfit_regional": 0.0,
}
NOISES = {
    "sampling, 60 s": SpectralNoise(60.0, **SAMPLING_ONLY),
    "all (default), 60 s": SpectralNoise(60.0),
    "all, 600 s": SpectralNoise(600.0),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer simulations")
    parser.add_argument("--data", help="folder with the group connectome's files")
    parser.add_argument("--json", help="file to write the table to")
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    connectome = get_connectome(args.data)
    rows, names = [], None
    for label, noise in NOISES.items():
        inverter = SGMInverter(
            connectome,
            nodes=connectome.names[:68],
            features=LogPSD(noise=noise),
            n_simulations=3_000 if args.quick else 20_000,
            random_state=0,
            n_jobs=args.n_jobs,
            verbose=True,
        ).fit()
        names = inverter.prior_.names
        rows += measure(label, inverter, 300 if args.quick else 2_000)
    columns = {"noise": "observation noise", "number": ""}
    report(
        f"Spectra of 68 regions, {connectome.n_nodes}-node connectome",
        rows,
        columns | {name: name for name in names},
        args.json,
    )


def measure(label, inverter, n):
    theta, x = inverter.simulate_features(n)
    prior = inverter.prior_
    unit = inverter.method_.sample(x, 400, random_state=0)
    draws = prior.from_unit(unit)
    variance = prior.sample(200_000, 0).var(axis=0)
    contraction = 1 - draws.var(axis=1).mean(axis=0) / variance
    held = np.ravel(coverage(draws, theta, [0.9]))
    rows = []
    for number, values in (("contraction", contraction), ("90 % coverage", held)):
        values = dict(zip(prior.names, map(float, values), strict=True))
        rows.append({"noise": label, "number": number} | values)
    return rows


if __name__ == "__main__":
    main()
