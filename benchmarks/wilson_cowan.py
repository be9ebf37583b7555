"""Simulating Wilson-Cowan networks: how fast, beside other packages.

For a made-up connectome of 80 regions with delays and a step of 0.1 ms, on one core:
node-steps per CPU-second of one simulation and of 32 with different parameters, by this
package, brainmass, neurolib and The Virtual Brain, each in the fastest of the ways in
which it can do it; memory and CPU time of a minute; then, at the standard step of this
package, simulations of a minute per hour, with the correlations of envelopes; and how
long the first call takes. The other packages are installed from the index into an
environment each, under --folder or a temporary one.

    python benchmarks/wilson_cowan.py [--quick] [--folder FOLDER] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from _environments import OURS, install
from _report import describe_machine, report
from _wilson_cowan_peers import (
    COUPLING,
    RHYTHM,
    RHYTHM_DURATION,
    SETTINGS,
    SPEEDS,
    STEP,
    make_ours,
    pin,
)

from mne_sbi import Prior
from mne_sbi.features import EnvelopeCorrelation
from mne_sbi.models._wilson_cowan_run import start_draws
from mne_sbi.models._wilson_cowan_settings import make_grid

PEERS = {"brainmass": (), "neurolib": (), "tvb-library": ()}
WORKER = Path(__file__).with_name("_wilson_cowan_peers.py")
N_NODES = 80
SPEED = {
    "package": "package",
    "version": "version",
    "scheme": "scheme",
    "conduction": "m/s",
    "simulated": "s simulated",
    "speed": "million node-steps per CPU-s",
    "ratio": "this package / it",
}
SINGLE = SPEED | {"sd": "sd of E", "goal": "goal"}
BATCH = SPEED | {"goal": "goal"}
MEMORY = {
    "package": "package",
    "version": "version",
    "scheme": "scheme",
    "memory": "MB more",
    "seconds": "CPU-s",
    "goal": "goal",
}
RATE = {
    "what": "what",
    "n_draws": "draws",
    "sharing": "draws per speed",
    "seconds": "CPU-s each",
    "rate": "per core-hour",
    "goal": "goal",
}
FIRST = {
    "process": "process",
    "what": "what",
    "cpu": "CPU-s",
    "wall": "s",
}


def make_connectome(file):
    """Write weights and lengths of a dense connectome that is made up."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((N_NODES, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    # Evenly spread in an ellipsoid with the half axes of a brain.
    points *= np.cbrt(rng.uniform(size=(N_NODES, 1))) * [0.070, 0.085, 0.060]
    distances = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
    lengths = np.maximum(1.3 * distances, 0.007)
    weights = rng.lognormal(size=lengths.shape)
    for matrix in (lengths, weights):
        np.fill_diagonal(matrix, 0)
    # As this package scales them.
    weights /= weights.sum(axis=1).max()
    content = {"weights": weights, "lengths": lengths}
    np.savez(file, **content)
    return content


class Workers:
    """The packages, each in a process of its own for each task.

    Parameters
    ----------
    interpreters : dict of (str, str)
        Interpreters and versions by package.
    file : path-like
        The connectome.
    repeats : int
        Of which the best counts, within a process.
    """

    def __init__(self, interpreters, file, repeats):
        self.interpreters = interpreters
        self.file = file
        self.repeats = repeats

    def run(self, package, task, **variables):
        """Return what a package reports, a list of dict."""
        environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
        environment |= {"OMP_NUM_THREADS": "1"} | variables
        python, version = self.interpreters[package]
        done = subprocess.run(
            [python, WORKER, package, task, self.file, str(self.repeats)],
            capture_output=True,
            text=True,
            env=environment,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            print(f"{package} failed in {task}: {done.stderr.strip()[-300:]}")
        label = {"package": package, "version": version}
        return [label | json.loads(line) for line in lines]

    def compare(self, task, packages, rounds):
        """Return the fastest row of each way, in turns of the packages."""
        fastest = {}
        # In turns, so that all see the same states of the machine.
        for _ in range(rounds):
            for package in packages:
                if package not in self.interpreters:
                    continue
                for row in self.run(package, task):
                    key = package, row["scheme"], row["conduction"]
                    if key not in fastest or row["speed"] > fastest[key]["speed"]:
                        fastest[key] = row
        return list(fastest.values())


def add_ratios(rows, goals):
    """Sort rows by conduction speed; add how much faster this package is, and goals."""
    ours = {r["conduction"]: r["speed"] for r in rows if r["package"] == OURS}
    peak = {}
    for row in rows:
        key = row["package"], row["conduction"]
        peak[key] = max(row["speed"], peak.get(key, 0))
    made, order = [], list(ours)
    rows = sorted(rows, key=lambda r: (order.index(r["conduction"]), -r["speed"]))
    for row in rows:
        row = row | {"ratio": ours[row["conduction"]] / row["speed"]}
        # A goal is one for the fastest way.
        if row["speed"] == peak[row["package"], row["conduction"]]:
            row["goal"] = goals.get(row["package"])
        made.append(row | {"speed": row["speed"] / 1e6})
    return made


def compare_trajectories(workers, file, content):
    """Say how far one oscillation is from brainmass' scheme of first order."""
    settings = SETTINGS | {"sfreq": 1 / STEP, "duration": RHYTHM_DURATION}
    model, key = make_ours(content, **settings), jax.random.key(0)
    # Where the draw starts, which has no public name.
    start = np.asarray(start_draws(make_grid(model), key, np.arange(1))[0])[..., 0]
    # The first sample is the start.
    params = RHYTHM | {"coupling": COUPLING, "speed": SPEEDS[0]}
    ours = model.simulate_batch(params, key)[0].T[1:]
    np.savez(file, **content, start=start)
    row = {"range": np.ptp(ours)}
    for other in workers.run("brainmass", "trajectory"):
        theirs = np.array(other["signal"])[: len(ours)]
        row[f"{1e3 * other['step']:g} ms"] = np.abs(ours - theirs).max()
    told = [f"{value:.1e} with its step at {key}" for key, value in row.items()][1:]
    print(
        f"\nA rhythm without noise, {1e3 * RHYTHM_DURATION:g} ms, E over a range of "
        f"{row['range']:.2f}, step of 0.1 ms: largest difference from brainmass, whose "
        f"scheme is of first order and rounds delays, {', '.join(told)}"
    )
    return row


def measure_rates(content, rounds):
    """Rows of how many simulations of a minute, from the prior, take an hour."""
    pin()
    model, key = make_ours(content, sfreq=100.0, duration=60.0), jax.random.key(0)
    free = [p for p in model.get_parameters() if p.name in model.default_free]
    prior, extractor = Prior(free), EnvelopeCorrelation(8, 12)
    rows = []
    for n_draws, n_sharing in ((64, 16), (16, 1)):
        params = prior.as_dict(prior.sample(n_draws, 0))
        params["speed"] = np.repeat(params["speed"][::n_sharing], n_sharing)
        # Compiles.
        make_ours(content, sfreq=100.0, duration=1.0).simulate_batch(params, key)
        seconds = []
        for number in range(rounds):
            start = time.process_time()
            data = model.simulate_batch(params, key)
            middle = time.process_time()
            if number == 0:
                extractor.extract(data[:2], 100.0)
            later = time.process_time()
            features = extractor.extract(data, 100.0)
            seconds.append([middle - start, time.process_time() - later])
        assert np.isfinite(data).all() and len(features) == n_draws
        simulating, extracting = np.min(seconds, axis=0) / n_draws
        for what, each in (
            ("simulations of 60 s", simulating),
            ("with correlations of envelopes", simulating + extracting),
        ):
            row = {"what": what, "n_draws": n_draws, "sharing": n_sharing}
            goal = "at least 10,000" if n_sharing > 1 else None
            rows.append(row | {"seconds": each, "rate": 3600 / each, "goal": goal})
    return rows


def measure_first_calls(workers):
    """Rows of how long importing and first calls take in new processes."""
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for process in ("the first ever", "a later one"):
            for row in workers.run(OURS, "first", NUMBA_CACHE_DIR=cache):
                rows.append(row | {"process": process})
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round, not three")
    parser.add_argument("--folder", type=Path, help="for the environments; kept")
    parser.add_argument("--json", metavar="FILE", help="write the tables there")
    args = parser.parse_args()
    rounds, tables = (1 if args.quick else 3), []

    def show(title, rows, columns):
        report(title, rows, columns)
        tables.append({"title": title, "rows": rows})

    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        file = Path(scratch) / "connectome.npz"
        content = make_connectome(file)
        # Within a process there are rounds as well.
        workers = Workers(
            install(folder.resolve(), PEERS), file, 1 if args.quick else 2
        )
        rows = workers.compare("single", (OURS, *PEERS), rounds)
        goals = dict.fromkeys(("brainmass", "neurolib"), "at least 3")
        title = f"One simulation of {N_NODES} nodes, steps of 0.1 ms, one core"
        show(title, add_ratios(rows, goals), SINGLE)
        if "brainmass" in workers.interpreters:
            row = compare_trajectories(workers, file, content)
            tables.append({"title": "Difference from brainmass", "rows": [row]})
        rows = workers.compare("batch", (OURS, "brainmass"), rounds)
        title = f"32 simulations of {N_NODES} nodes, different couplings, one core"
        show(title, add_ratios(rows, {"brainmass": "at least 8"}), BATCH)
        rows = []
        for package in (OURS, "brainmass", "neurolib"):
            if package in workers.interpreters:
                goal = {"goal": "below 100 MB"} if package == OURS else {}
                rows += [row | goal for row in workers.run(package, "memory")]
        title = f"A simulation of 60 s at 2 m/s, {N_NODES} nodes, steps of 0.1 ms"
        show(title, rows, MEMORY)
        title = f"Draws from the prior, {N_NODES} nodes, steps of 0.5 ms, one core"
        show(title, measure_rates(content, rounds), RATE)
        title = f"A simulation of 1 s, {N_NODES} nodes, in a new process"
        show(title, measure_first_calls(workers), FIRST)
    if args.json:
        content = {"machine": describe_machine(), "tables": tables}
        text = json.dumps(content, indent=1, default=float)
        Path(args.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
