"""Jansen-Rit and real EEG: eyes open against eyes closed, occipital channels.

Subject 1 of the EEG motor movement/imagery data set (EEGBCI): a minute with eyes open
and one with eyes closed, each in six windows of 10 s. Printed are how much of the
measured spectra the posterior predicts, which parameters differ between the conditions,
how well the halves of a minute agree, and two controls: phase-randomised surrogates,
which have the same spectra, and white noise, of which there is nothing to learn but
that it is white.

    python benchmarks/jansen_rit_real_eeg.py --data FOLDER [--quick] [--json FILE]
                                             [--figure FILE]
"""

import argparse
import time
from pathlib import Path

import mne
import numpy as np
from _report import report

from mne_sbi import JansenRitInverter
from mne_sbi.diagnostics import predictive_coverage
from mne_sbi.features import LogPSD

CHANNELS = ["O1", "Oz", "O2"]
RUNS = {"open": "R01", "closed": "R02"}
HALF, WINDOW = 30.0, 10.0
# A rhythm above 12 Hz, as here with eyes open, needs faster synapses than the default
# ranges hold.
PRIOR = {"a": (60.0, 200.0), "b": (30.0, 100.0)}
FMIN, FMAX = 2.0, 40.0
N_DRAWS = 500
LEVEL = 0.9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with the EDF files")
    parser.add_argument("--quick", action="store_true", help="a tenth of the training")
    parser.add_argument("--json", help="file to write the table to")
    parser.add_argument("--figure", help="file for a figure of the predicted spectra")
    args = parser.parse_args()

    raws = {name: read(args.data, run) for name, run in RUNS.items()}
    inverter = JansenRitInverter(
        parameterization="combinations",
        features=LogPSD(FMIN, FMAX, window=1.0, scaling="demean"),
        duration=WINDOW,
        prior=PRIOR,
        n_simulations=2_000 if args.quick else 20_000,
        random_state=0,
    )
    start = time.perf_counter()
    inverter.fit(list(raws.values()))
    print(f"trained in {(time.perf_counter() - start) / 60:.1f} min")
    # Of each condition: the channels of the first window, of the second, ...
    found = {k: inverter.predict_posterior(raw, N_DRAWS) for k, raw in raws.items()}

    rows = check_prediction(inverter, raws)
    rows += [compare(found, i, name) for i, name in enumerate(inverter.prior_.names)]
    rows += check_controls(inverter, raws["closed"], found["closed"])
    columns = {"quantity": "quantity", "open": "open", "closed": "closed"}
    columns |= {"difference": "closed - open", "interval": f"{LEVEL:.0%} interval"}
    columns |= {"halves": "halves differ by", "unit": "unit"}
    report("Jansen-Rit and EEGBCI subject 1", rows, columns, args.json)
    if args.figure:
        for name, raw in raws.items():
            fname = Path(args.figure).with_stem(f"{Path(args.figure).stem}_{name}")
            figure = inverter.plot_predictive(raw, 1, show=False)
            figure.savefig(fname, dpi=100)


def read(folder, run):
    """Read a minute of EEG at 160 Hz, the occipital channels after re-referencing."""
    fname = next(Path(folder).rglob(f"*S001{run}*.edf"))
    raw = mne.io.read_raw_edf(fname, preload=True, verbose="error")
    mne.datasets.eegbci.standardize(raw)
    raw.set_eeg_reference("average", verbose="error")
    return raw.pick(CHANNELS).crop(0, 2 * HALF, include_tmax=False)


def check_prediction(inverter, raws):
    """Share of measured bins in the predictive intervals, per condition."""
    pairs = {k: inverter.posterior_predictive(raw, N_DRAWS) for k, raw in raws.items()}
    rows = []
    for level in (0.9, 0.95):
        shares = {
            k: predictive_coverage(*pair, level).mean() for k, pair in pairs.items()
        }
        rows.append({"quantity": f"measured bins in the {level:.0%} interval"} | shares)
    return rows


def pool(posterior, column, rng):
    """Draws of a parameter in each half, averaged over channels, shape (2, n_draws).

    Windows are independent recordings. Channels side by side see the same sources:
    their mean is taken to be no better known than each of them.
    """
    windows = np.split(posterior.draws[..., column], round(2 * HALF / WINDOW))
    windows = [rng.permutation(window.mean(axis=0)) for window in windows]
    return np.array([np.mean(half, axis=0) for half in np.split(np.array(windows), 2)])


def compare(found, column, name):
    """Means, their difference with an interval, and how the halves differ."""
    rng = np.random.default_rng(0)
    pooled = {k: pool(posterior, column, rng) for k, posterior in found.items()}
    closed, opened = (pooled[k].mean(axis=0) for k in ("closed", "open"))
    difference = closed - opened
    low, high = np.quantile(difference, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    halves = [np.ptp(draws.mean(axis=1)) for draws in pooled.values()]
    return {
        "quantity": name,
        "open": opened.mean(),
        "closed": closed.mean(),
        "difference": difference.mean(),
        "interval": f"{low:.4g} to {high:.4g}",
        "halves": float(np.abs(halves).mean()),
        "unit": found["open"].units[column],
    }


def check_controls(inverter, raw, found):
    """Posteriors of surrogates with the same spectra, and of white noise."""
    rng = np.random.default_rng(0)
    prior = inverter.prior_
    spread = prior.from_unit(rng.random((10_000, len(prior)))).std(axis=0)
    surrogate = raw.copy().apply_function(randomise_phases, rng=rng)
    white = raw.copy().apply_function(lambda x: x.std() * rng.standard_normal(len(x)))
    again = inverter.predict_posterior(surrogate, N_DRAWS)
    nothing = inverter.predict_posterior(white, N_DRAWS)
    shift = np.abs(again.mean - found.mean) / found.std
    own = [i for i, n in enumerate(prior.names) if not n.startswith(("snr", "exp"))]
    ratio = nothing.std.mean(axis=0) / spread
    names = [prior.names[i] for i in own]
    return [
        {
            "quantity": "surrogates: mean shift, in posterior sd",
            "closed": float(shift.mean()),
        },
        {
            "quantity": f"white noise: posterior sd / prior sd of {', '.join(names)}",
            "closed": ", ".join(f"{ratio[i]:.2f}" for i in own),
        },
    ]


def randomise_phases(x, rng):
    """Draw the phases of each window's Fourier series at random."""
    made = []
    for part in np.split(x, round(2 * HALF / WINDOW)):
        spectrum = np.fft.rfft(part)
        phases = rng.uniform(0, 2 * np.pi, len(spectrum))
        made.append(np.fft.irfft(np.abs(spectrum) * np.exp(1j * phases), len(part)))
    return np.concatenate(made)


if __name__ == "__main__":
    main()
