"""Simulating the spectral graph model: how fast, and how exact.

Simulations per CPU-second of regions x 40 frequencies with all seven parameters random,
by the package and by one eigendecomposition per frequency as in the published code; and
the difference between the package's fast engine and exact computation.

    python benchmarks/sgm_simulation.py [--quick] [--data FOLDER] [--json FILE]
"""

import argparse
import os
import tempfile
import time

import numpy as np
from _report import report
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from mne_sbi import Prior
from mne_sbi.datasets import (
    fetch_connectome,
    load_synthetic_connectome,
    read_group_connectome,
)
from mne_sbi.models import SpectralGraphModel
from mne_sbi.models._sgm_stability import network_stability
from mne_sbi.models._sgm_table import response_table

CHUNK = 2048
COLUMNS = {"quantity": "quantity", "value": "value", "unit": "unit", "goal": "goal"}


def get_connectome(folder):
    """Return the group connectome if it can be had, otherwise the packaged one."""
    if folder is not None:
        return read_group_connectome(folder)
    try:
        return fetch_connectome()
    except OSError as exc:
        reason = str(exc).splitlines()[0]
        print(
            f"The measured group connectome is not available. {reason}\n"
            "Using the packaged synthetic one. To use the measured one, connect to the "
            "internet or give --data FOLDER, with mean80_fibercount.csv and "
            "mean80_fiberlength.csv inside."
        )
        return load_synthetic_connectome()


def draw_parameters(n, prior, seed):
    """Return n draws from the prior, all seven parameters random, a dict of arrays."""
    return prior.as_dict(prior.sample(n, seed))


def keep(params, chosen):
    return {name: value[chosen] for name, value in params.items()}


def simulate_chunks(model, params):
    """Simulate as a user would: check, leave out the unstable, simulate the rest."""
    n_valid = 0
    for start in range(0, len(params["alpha"]), CHUNK):
        chunk = keep(params, slice(start, start + CHUNK))
        chunk = keep(chunk, model.check_valid(chunk))
        n_valid += len(model.simulate_batch(chunk))
    return n_valid


def simulate_plainly(connectome, freqs, p):
    """One spectrum with an eigendecomposition per frequency (Jin et al. 2023)."""
    weights, lengths = connectome.weights, connectome.lengths
    degree = np.sqrt(weights.sum(axis=1) * weights.sum(axis=0))
    normalized = weights / np.where(degree > 0, degree, 1)[:, np.newaxis]
    tau_e, tau_i, tau_g = p["tau_e"], p["tau_i"], p["tau_g"]
    power = np.empty((len(weights), len(freqs)))
    for f, freq in enumerate(freqs):
        s = 2j * np.pi * freq
        delayed_weights = normalized * np.exp(-s / p["speed"] * lengths)
        laplacian = np.eye(len(weights)) - p["alpha"] * delayed_weights
        eigenvalues, vectors = np.linalg.eig(laplacian)
        f_e, f_i = 1 / (1 + s * tau_e) ** 2, 1 / (1 + s * tau_i) ** 2
        a, b = s + p["g_ii"] * f_i / tau_i, s + f_e / tau_e
        x = p["g_ei"] * f_e * f_i
        local = a + b + x * (1 / tau_e - 1 / tau_i)
        local /= a * b + x**2 / (tau_e * tau_i)
        q = s + eigenvalues / (1 + s * tau_g) ** 2 / tau_g
        transfer = (vectors * (local / q)) @ vectors.conj().T
        power[:, f] = np.linalg.norm(transfer, axis=1) ** 2
    return power


def measure_preparation(connectome):
    """CPU-seconds of what is done once per connectome, with nothing cached."""
    response_table.cache_clear()
    network_stability.cache_clear()
    model = SpectralGraphModel(connectome)
    start = time.process_time()
    model.prepare()
    model.check_valid({})
    return model, time.process_time() - start


def measure_speed(model, prior, n_repeats, n_plain):
    """CPU-seconds per simulation of the package and of the plain computation."""
    fast, plain = [], []
    connectome, freqs = model.get_connectome(), model.get_freqs()
    draws = draw_parameters(8 * CHUNK, prior, 1)
    simulate_chunks(model, keep(draws, slice(0, CHUNK)))  # warm
    with threadpool_limits(1):
        # In turns, so that both see the same state of the machine.
        for repeat in range(n_repeats):
            start = time.process_time()
            n_valid = simulate_chunks(model, draws)
            fast.append((time.process_time() - start) / n_valid)
            chosen = range(repeat * n_plain, (repeat + 1) * n_plain)
            start = time.process_time()
            for i in chosen:
                one = {name: float(value[i]) for name, value in draws.items()}
                simulate_plainly(connectome, freqs, one)
            plain.append((time.process_time() - start) / n_plain)
    return np.median(fast), np.median(plain)


def measure_error(model, prior, n_draws, n_jobs):
    """Difference in dB between the fast engine and exact values for valid draws."""
    params = draw_parameters(n_draws + n_draws // 5, prior, 0)
    valid = model.check_valid(params)
    # Draws up to the last that is needed; the rest is not looked at.
    n_looked_at = int(np.searchsorted(np.cumsum(valid), n_draws)) + 1
    params = keep(params, np.flatnonzero(valid[:n_looked_at]))
    starts = range(0, n_draws, 50)
    parts = [keep(params, slice(start, start + 50)) for start in starts]
    exact = Parallel(n_jobs=n_jobs)(
        delayed(model.compute_spectrum)(part) for part in parts
    )
    square, largest = 0.0, 0.0
    for part, expected in zip(parts, exact, strict=True):
        error = 10 * np.log10(model.simulate_batch(part) / expected)
        square += (error**2).mean(axis=(1, 2)).sum() / n_draws
        largest = max(largest, np.abs(error).max())
    return np.sqrt(square), largest, n_looked_at, n_looked_at - n_draws


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="500 draws, not 10,000")
    parser.add_argument("--data", metavar="FOLDER", help="of the group connectome")
    parser.add_argument("--json", metavar="FILE", help="write the table there")
    parser.add_argument("--n-jobs", type=int, default=2, help="for the exact spectra")
    args = parser.parse_args()
    connectome = get_connectome(args.data)
    with tempfile.TemporaryDirectory() as scratch:
        # After fetching, so that only the tables are made anew.
        os.environ["MNE_SBI_CACHE_DIR"] = scratch
        model, preparation = measure_preparation(connectome)
        prior = Prior(model.get_parameters())
        fast, plain = measure_speed(model, prior, 3 if args.quick else 7, 3)
        n_draws = 500 if args.quick else 10_000
        rms, largest, n_drawn, n_unstable = measure_error(
            model, prior, n_draws, args.n_jobs
        )
    rows = [
        {"quantity": "simulations, package", "value": 1 / fast, "unit": "1/CPU-s"},
        {
            "quantity": "simulations, eigenvectors per frequency",
            "value": 1 / plain,
            "unit": "1/CPU-s",
        },
        {"quantity": "ratio", "value": plain / fast, "goal": "at least 10,000"},
        {
            "quantity": "preparation of a connectome",
            "value": preparation,
            "unit": "CPU-s",
            "goal": "below 30",
        },
        {
            "quantity": "error, root mean square",
            "value": rms,
            "unit": "dB",
            "goal": "at most 0.05",
        },
        {
            "quantity": "error, largest",
            "value": largest,
            "unit": "dB",
            "goal": "at most 0.5",
        },
        {"quantity": "stable draws compared", "value": n_draws},
        {
            "quantity": "unstable draws left out",
            "value": n_unstable,
            "unit": f"of {n_drawn:,}",
        },
    ]
    source = "synthetic" if connectome.synthetic else "measured"
    title = (
        f"Spectral graph model, {source} connectome of {connectome.n_nodes} regions, "
        f"{len(model.get_freqs())} frequencies, 7 random parameters"
    )
    report(title, rows, COLUMNS, args.json)


if __name__ == "__main__":
    main()
