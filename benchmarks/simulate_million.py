"""A bank larger than memory: simulated to disk, resumed, and trained from.

Spectral graph simulations of all regions x 40 frequencies in a folder, with two
threads: seconds, CPU-seconds and peak memory; the same call again, which only checks
what is there; and one pass of neural posterior estimation that reads the bank from disk
and draws fresh observation noise for every batch. Each stage is a process of its own,
whose memory is measured.

    python benchmarks/simulate_million.py [--n N] [--folder FOLDER] [--keep]
                                          [--data FOLDER] [--json FILE]

A million simulations of 86 regions take 14 GB of disk.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from _connectome import get_connectome
from _report import report

COLUMNS = {
    "stage": "stage",
    "seconds": "seconds",
    "cpu": "CPU-seconds",
    "per_million": "seconds per million",
    "memory": "peak memory, GB",
    "goal": "goal",
}


def make_model(data):
    from mne_sbi.models import SpectralGraphModel

    return SpectralGraphModel(get_connectome(data))


def prepare(data, fname, args):
    """Prepare the tables of the connectome, once and for all banks."""
    make_model(data).prepare()
    return {}


def simulate(data, fname, args):
    from mne_sbi import simulate

    bank = simulate(
        make_model(data),
        n_simulations=args.n,
        fname=fname,
        random_state=0,
        n_jobs=args.n_jobs,
    )
    print(f"{bank!r}, {bank.x.nbytes / 1e9:.1f} GB")
    return {"n_nodes": bank.x.shape[1], "gigabytes": bank.x.nbytes / 1e9}


def train(data, fname, args):
    from mne_sbi import SGMInverter
    from mne_sbi.inference import NPE

    inverter = SGMInverter(
        make_model(data).get_connectome(),
        simulations=str(fname),
        method=NPE(max_iter=1, batch_size=args.batch_size),
        random_state=0,
        verbose=True,
    )
    inverter.fit()
    loss = inverter.method_.history_["validation_loss"][-1]
    return {"loss": loss, "n_components": len(inverter.method_.scaler_.components.T)}


def measured(stage, *args):
    """Run a stage, and return what it says, with its costs."""
    start = time.perf_counter()
    result = stage(*args)
    seconds = time.perf_counter() - start
    own, children = (
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return result | {
        "seconds": seconds,
        "cpu": sum(u.ru_utime + u.ru_stime for u in (own, children)),
        "memory": (own.ru_maxrss + children.ru_maxrss) / unit,
    }


def run(stage, *args):
    """Run a stage in a fresh process: peak memory never falls within one."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measured, stage, *args).result()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=1_000_000, help="simulations")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=512, help="of the training")
    parser.add_argument("--folder", metavar="FOLDER", help="where the bank goes")
    parser.add_argument("--keep", action="store_true", help="do not delete the bank")
    parser.add_argument("--data", metavar="FOLDER", help="of the group connectome")
    parser.add_argument("--json", metavar="FILE", help="write the table there")
    args = parser.parse_args()
    # Neither stage is to profit from a table in the memory of this process.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if args.folder is not None:
        Path(args.folder).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mne_sbi_million_", dir=args.folder))
    fname = folder / "bank.sims"
    rows = []
    try:
        run(prepare, args.data, fname, args)
        for name, stage, goal in (
            ("simulate to disk", simulate, "below 600 s, 4 GB"),
            ("the same call again", simulate, ""),
            ("train, one pass from disk", train, "below 4 GB"),
        ):
            row = run(stage, args.data, fname, args) | {"stage": name, "goal": goal}
            row["per_million"] = row["seconds"] * 1e6 / args.n
            rows.append(row)
            print(row)
    finally:
        if not args.keep:
            shutil.rmtree(folder)
    title = (
        f"{args.n:,} spectral graph simulations, {rows[0]['n_nodes']} regions x 40 "
        f"frequencies, {rows[0]['gigabytes']:.1f} GB, {args.n_jobs} threads"
    )
    report(title, rows, COLUMNS, args.json)


if __name__ == "__main__":
    main()
