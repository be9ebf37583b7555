"""Which parameters of the Jansen-Rit model move its spectrum: Sobol indices, and what
changing one parameter at a time shows of it.

The moderate prior and sigma: 7 parameters, 512 rows of 9 points, 4 replicates of 10 s
at 128 Hz. Beside mne_sbi's indices stand those of SALib, from as many simulations of
its own with features of its own code, and the published practice: each parameter from
50 to 150 % of its default, the others kept.

    python benchmarks/jansen_rit_sensitivity.py [--quick] [--json FILE] [--figure FILE]
"""

import argparse
import time

import jax
import numpy as np
from _report import report

from mne_sbi.diagnostics import sobol_sensitivity
from mne_sbi.features import LogPSD
from mne_sbi.models import JansenRit

N_REPLICATES = 4
MODEL = JansenRit(sfreq=128.0, duration=10.0)
PRIOR = {"sigma": "free"}
FACTORS = np.linspace(0.5, 1.5, 41)
PSD = LogPSD(1.0, 45.0, scaling="none")
FREQS = PSD.get_freqs()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer simulations")
    parser.add_argument("--json", help="file to write the table to")
    parser.add_argument("--figure", help="file to draw the changes one at a time in")
    args = parser.parse_args()
    n = 64 if args.quick else 512
    started = time.process_time()
    ours = sobol_sensitivity(
        MODEL, PRIOR, n=n, n_replicates=N_REPLICATES, random_state=0
    )
    seconds = time.process_time() - started
    salib, salib_seconds = run_salib(ours.names, n)
    spectra, shares = change_one_at_a_time(ours.names)
    columns = {"feature": "feature", "index": "index", "source": "source"}
    columns |= {name: name for name in ours.names}
    columns |= {"sum": "sum", "half_width": "largest half width", "cpu": "CPU-s"}
    rows = []
    for i, feature in enumerate(ours.features):
        values = {
            ("first", "mne_sbi"): ours.first_order[i],
            ("first", "SALib"): salib[feature]["S1"],
            ("total", "mne_sbi"): ours.total_order[i],
            ("total", "SALib"): salib[feature]["ST"],
            ("share", "one at a time"): shares[feature],
        }
        for (index, source), row in values.items():
            rows.append({"feature": feature, "index": index, "source": source})
            rows[-1] |= dict(zip(ours.names, np.round(row, 3), strict=True))
            rows[-1]["sum"] = np.round(row.sum(), 3)
            if source == "mne_sbi":
                ends = getattr(ours, f"{index}_order_interval")[i]
                rows[-1]["half_width"] = np.diff(ends).max() / 2
    rows[0]["cpu"], rows[1]["cpu"] = seconds, salib_seconds
    title = (
        f"Sensitivity of the Jansen-Rit model, {n} rows, {N_REPLICATES} replicates; "
        f"intervals of {ours.confidence:.0%}"
    )
    report(title, rows, columns, args.json)
    if args.figure:
        draw(ours, spectra, args.figure)


def compute_features(decibels):
    """Describe spectra (n, n_freqs) in dB, by code of this benchmark's own."""
    power = 10 ** (decibels.astype(float) / 10)
    cumulated = np.cumsum(power, axis=1) / power.sum(axis=1, keepdims=True)
    alpha = (FREQS >= 8) & (FREQS <= 13)
    return {
        "log_power": 10 * np.log10(power.sum(axis=1)),
        "peak_frequency": FREQS[power.argmax(axis=1)],
        "relative_alpha": power[:, alpha].sum(axis=1) / power.sum(axis=1),
        "median_frequency": np.array([np.interp(0.5, c, FREQS) for c in cumulated]),
        "log_psd": decibels,
    }


def simulate_features(params, n_replicates=N_REPLICATES):
    """Average the features of replicates, by name (n, ...)."""
    found = []
    for replicate in range(n_replicates):
        key = jax.random.fold_in(jax.random.key(1), replicate)
        parts = []
        for start in range(0, len(params["A"]), MODEL.block_size):
            block = {k: v[start : start + MODEL.block_size] for k, v in params.items()}
            data = MODEL.simulate_batch(block, jax.random.fold_in(key, start))
            parts.append(PSD.extract(np.asarray(data), MODEL.sfreq)[:, 0])
        found.append(compute_features(np.concatenate(parts)))
    return {name: np.mean([one[name] for one in found], axis=0) for name in found[0]}


def run_salib(names, n):
    """Do the same with SALib; of the spectrum, weight the indices by variance."""
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as design

    parameters = {p.name: p for p in MODEL.get_parameters()}
    logarithm = np.array([parameters[name].scale == "log" for name in names])
    ends = np.array([[parameters[n].low, parameters[n].high] for n in names])
    ends[logarithm] = np.log(ends[logarithm])
    problem = {"num_vars": len(names), "names": list(names), "bounds": ends.tolist()}
    started = time.process_time()
    theta = design.sample(problem, n, calc_second_order=False, seed=0)
    theta[:, logarithm] = np.exp(theta[:, logarithm])
    features = simulate_features(dict(zip(names, theta.T, strict=True)))
    results = {}
    for name, values in features.items():
        columns = values.reshape(len(values), -1).T
        found = [
            analysis.analyze(
                problem, column, calc_second_order=False, num_resamples=2, seed=0
            )
            for column in columns
        ]
        weights = columns.var(axis=1)
        results[name] = {
            index: np.average([f[index] for f in found], axis=0, weights=weights)
            for index in ("S1", "ST")
        }
    return results, time.process_time() - started


def change_one_at_a_time(names):
    """Change one parameter and keep the others at their defaults.

    Returns
    -------
    spectra : ndarray, shape (n_params, n_factors, n_freqs)
        Change of the spectrum in dB.
    shares : dict of ndarray, shape (n_params,)
        Of each feature, the variance that each parameter brings, over their sum.
    """
    defaults = {p.name: p.default for p in MODEL.get_parameters()}
    variances, spectra = [], []
    for name in names:
        params = {k: np.full(len(FACTORS), v) for k, v in defaults.items()}
        params[name] = defaults[name] * FACTORS
        # So many that the figure shows the parameter, not the noise.
        found = simulate_features(params, n_replicates=32)
        centre = len(FACTORS) // 2
        spectra.append(found["log_psd"] - found["log_psd"][centre])
        variances.append({k: v.var(axis=0).sum() for k, v in found.items()})
    shares = {}
    for feature in variances[0]:
        values = np.array([v[feature] for v in variances])
        shares[feature] = values / values.sum()
    return np.array(spectra), shares


def draw(ours, spectra, fname):
    """Draw the changes of the spectrum, one parameter at a time, and both indices."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 4, figsize=(12, 5.4), layout="constrained")
    limit = np.percentile(np.abs(spectra), 99)
    for ax, name, change in zip(axes.flat, ours.names, spectra, strict=False):
        image = ax.pcolormesh(
            FREQS, 100 * FACTORS, change, cmap="RdBu_r", vmin=-limit, vmax=limit
        )
        ax.set_title(name)
    fig.supxlabel("frequency (Hz)")
    fig.supylabel("value of the parameter (% of its default)")
    fig.colorbar(image, ax=axes, label="change of the spectrum (dB)", shrink=0.7)
    # What one at a time cannot see: the rest of each total index.
    ax, y = axes.flat[7], np.arange(len(ours.names))
    row = ours.features.index("log_psd")
    ax.barh(y, ours.total_order[row], height=0.8, color="#9fc3d9", label="total")
    ax.barh(y, ours.first_order[row], height=0.4, color="#1f6f9f", label="first order")
    ax.set_yticks(y, ours.names)
    ax.invert_yaxis()
    ax.set_title("Sobol indices over the prior")
    ax.set_xlabel("share of variance")
    ax.set_xlim(0, 1)
    ax.legend(frameon=False, loc="center right")
    fig.savefig(fname, dpi=150)


if __name__ == "__main__":
    main()
