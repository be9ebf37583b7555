"""Every network on the Jansen-Rit model: kinds and levels of noise, and targets.

Three tables. The first: resting signals of 10 s at 128 Hz, with known gain, six targets
over their default ranges; each network is trained three times, on signals without
noise, and with white and with 1/f noise of a random signal-to-noise ratio from 0 to
30 dB, on new simulations at each pass, and tested on noise that it was trained for and
on other noise. The second: a bidirectional LSTM that learns from 1,000 simulations. The
third: evoked responses as in a published benchmark, in its own units and in
consistent ones, see _published_evoked.py.

Intervals are 95 % ones, from a bootstrap over the test simulations; they say nothing of
how networks differ from training to training.

    python benchmarks/jansen_rit_networks.py [--quick] [--only PART] [--n-jobs N]
        [--n-simulations N] [--max-iter N] [--json FILE] [--figure FILE]
"""

import argparse
import json
import os
import time
from pathlib import Path

# One thread per process, before JAX reads it: several jobs run side by side.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np
from _report import describe_machine
from _scores import score, show
from joblib import Parallel, delayed

from mne_sbi._priors import make_prior
from mne_sbi.features import LogPSD, TimeSeries
from mne_sbi.inference import PointRegressor
from mne_sbi.models import JansenRit, Recorded

SFREQ, DURATION = 128.0, 10.0  # Hz, s
N_TEST = 2000
LEVELS = (20, 10, 5, 0)  # dB
TRAINED_DB = (0, 30)
ABSENT_DB = 200  # noise of this ratio is none in single precision
EXPONENT = {"white": 0.0, "pink": 1.0}
FEATURES = {
    "spectrum": LogPSD(fmin=1, fmax=45, scaling="none"),
    "series": TimeSeries(scaling="none", transform="log"),
}
NETWORKS = (
    ("mlp", "spectrum"),
    ("conv1d", "series"),
    ("bilstm", "series"),
    ("cnn_bilstm", "series"),
    ("transformer", "series"),
    ("mlp", "series"),
)
# Correlations that are published, for noise of the ad-hoc level: an attention network
# and an LSTM, from the notebooks of the public code.
PUBLISHED = {
    "published: attention": (
        *(0.114, 0.988, 0.489, 0.895, -0.067, 0.049, -0.019, 0.043, 0.180),
    ),
    "published: LSTM": (
        *(-0.026, 0.051, 0.179, -0.192, -0.075, -0.047, -0.124, -0.021, -0.075),
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", choices=["noise", "few", "evoked"], help="one table")
    parser.add_argument("--n-simulations", type=int, default=20_000, help="per pass")
    parser.add_argument("--max-iter", type=int, default=6, help="passes, first table")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--json", help="file to write the tables to")
    parser.add_argument("--figure", help="file to draw the first table to")
    args = parser.parse_args()
    parts = {"noise": compare_noise, "few": learn_from_few, "evoked": compare_units}
    found = {"machine": describe_machine()}
    for name, part in parts.items():
        if args.only in (None, name):
            start = time.perf_counter()
            found[name] = part(args)
            print(f"\n{(time.perf_counter() - start) / 60:.1f} minutes")
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if args.figure and "noise" in found:
        draw(found["noise"], args.figure)


def make_resting_prior():
    """Return the default prior of the six targets."""
    model = JansenRit(sfreq=SFREQ, duration=DURATION)
    return make_prior(model.get_parameters(), model.default_free)[0]


def simulate_resting(n, kind, level, seed):
    """Simulate resting signals.

    Parameters
    ----------
    n : int
        Number of draws.
    kind : "clean" | "white" | "pink"
        Noise.
    level : float | None
        Signal-to-noise ratio in dB; None draws one for each.
    seed : int
        Equal seeds give equal signals, whatever the noise.

    Returns
    -------
    unit : ndarray, shape (n, 6)
        Parameters in the unit cube.
    signals : ndarray of float32, shape (n, 1, 1280)
        In V.
    """
    import jax

    prior = make_resting_prior()
    theta = prior.sample(n, random_state=seed)
    params = dict(zip(prior.names, theta.T, strict=True))
    model = JansenRit(sfreq=SFREQ, duration=DURATION)
    model = Recorded(model, noise=kind != "clean")
    if kind != "clean":
        if level is None:
            level = np.random.default_rng([seed, 1]).uniform(*TRAINED_DB, n)
        params |= {"snr_background": level, "exponent": EXPONENT[kind]}
        params["snr_white"] = ABSENT_DB
    signals = np.asarray(model.simulate_batch(params, jax.random.key(seed)))
    return prior.to_unit(theta), signals


def make_rows(kind, level, seed, n, features):
    """Simulate pairs of parameters in the unit cube and features."""
    unit, signals = simulate_resting(n, kind, level, seed)
    extractor = FEATURES[features]
    return unit, extractor.normalize(extractor.extract(signals, SFREQ))


def make_network(embedding, max_iter):
    """Make a network with settings that suit its size."""
    if embedding == "mlp":
        # Cheap: it may see each simulation of a pass more often than the others.
        settings = {"hidden": (256, 256, 128), "n_components": None}
        return PointRegressor(**settings, max_iter=max_iter, batch_size=128)
    rate = 1e-3 if embedding == "transformer" else 2e-3
    return PointRegressor(
        embedding=embedding, max_iter=max_iter, batch_size=128, learning_rate=rate
    )


def train_and_test(embedding, features, trained, tests, args):
    """Train one network on one kind of noise, and test it on several.

    Returns
    -------
    rows : list of dict
        One per test.
    """
    n, max_iter = args["n_simulations"], args["max_iter"]
    if (embedding, features) == ("mlp", "spectrum"):
        max_iter *= 2
    network = make_network(embedding, max_iter)
    unit, x = make_rows(trained, None, 10, n, features)
    simulated = [0.0]

    def refresh(pass_number):
        start = time.process_time()
        pair = make_rows(trained, None, 10 + pass_number, round(0.9 * n), features)
        simulated[0] += time.process_time() - start
        return pair

    start = time.process_time()
    network.fit(unit, x, refresh=refresh, random_state=0)
    seconds = time.process_time() - start - simulated[0]
    rows, names = [], make_resting_prior().names
    for kind, level in tests:
        unit, x = make_rows(kind, level, 1, args["n_test"], features)
        rows.append(
            {
                "network": embedding,
                "input": features,
                "trained": trained,
                "tested": kind if level is None else f"{kind} {level} dB",
                "is_matched": kind == trained,
                "n_seen": n * max_iter,
                "seconds": seconds,
                "scores": score(unit, network.predict(x), names),
            }
        )
    return rows


def compare_noise(args):
    """Make the first table."""
    noisy = {kind: [(kind, level) for level in LEVELS] for kind in EXPONENT}
    tests = {
        "clean": [("clean", None), *noisy["white"], *noisy["pink"]],
        "white": [("clean", None), *noisy["white"], *noisy["pink"]],
        "pink": [("clean", None), *noisy["pink"], *noisy["white"]],
    }
    settings = settings_of(args)
    # The expensive ones first, so that no process waits for one at the end.
    order = ("transformer", "cnn_bilstm", "bilstm", "conv1d", "mlp")
    networks = sorted(NETWORKS, key=lambda pair: order.index(pair[0]))
    found = Parallel(args.n_jobs)(
        delayed(train_and_test)(embedding, features, trained, tests[trained], settings)
        for embedding, features in networks
        for trained in tests
    )
    rows = [row for rows in found for row in rows]
    rows.sort(key=lambda row: NETWORKS.index((row["network"], row["input"])))
    show(
        f"Networks and noise: {settings['n_simulations']:,} simulations a pass, "
        f"{settings['n_test']:,} for the test",
        rows,
        {"trained": "trained on", "tested": "tested on"},
    )
    return rows


def learn_from_few(args):
    """Make the second table: as many simulations as the published benchmark has."""
    settings = settings_of(args)
    rows = Parallel(args.n_jobs)(
        delayed(_learn_from_few)(*network, settings)
        for network in (("bilstm", "series"), ("mlp", "spectrum"))
    )
    show("1,000 simulations, without noise", rows, {"max_iter": "passes"})
    return rows


def _learn_from_few(embedding, features, settings):
    max_iter = 8 if settings["is_quick"] else 30
    network = make_network(embedding, max_iter).set_params(batch_size=32)
    network.set_params(learning_rate=1e-3)
    pairs = make_rows("clean", None, 10, 1000, features)
    start = time.process_time()
    network.fit(*pairs, random_state=0)
    seconds = time.process_time() - start
    unit, x = make_rows("clean", None, 1, settings["n_test"], features)
    names = make_resting_prior().names
    return {
        "network": embedding,
        "input": features,
        "max_iter": max_iter,
        "seconds": seconds,
        "scores": score(unit, network.predict(x), names),
    }


def compare_units(args):
    """Make the third table."""
    is_quick = args.quick
    rows = Parallel(args.n_jobs)(
        delayed(_learn_evoked)(embedding, units, is_quick)
        for embedding in ("transformer", "bilstm", "mlp")
        for units in ("mixed", "consistent")
    )
    names = [name for name in rows[0]["scores"] if name != "mean"]
    for name, values in PUBLISHED.items():
        scores = {t: {"r": [v, v, v]} for t, v in zip(names, values, strict=True)}
        rows.append({"network": name, "units": "mixed", "scores": scores})
    show(
        "Evoked responses, 64 channels, 1,000 simulations (with mixed units the "
        "sigmoid is linear): correlation",
        rows,
        {"units": "units", "n_valid": "finite"},
        "r",
    )
    return rows


def _learn_evoked(embedding, units, is_quick):
    from _published_evoked import RANGES, make_pairs, to_unit

    n, n_test, max_iter = (300, 200, 6) if is_quick else (1000, 1000, 30)
    targets, evoked = make_pairs(n, units, 0)
    network = make_network(embedding, max_iter)
    network.set_params(batch_size=32, learning_rate=1e-3)
    start = time.process_time()
    network.fit(to_unit(targets), evoked, random_state=0)
    seconds = time.process_time() - start
    tested, evoked = make_pairs(n_test, units, 1)
    scores = score(to_unit(tested), network.predict(evoked), tuple(RANGES))
    return {
        "network": embedding,
        "units": units,
        "n_valid": f"{len(targets):,} + {len(tested):,}",
        "seconds": seconds,
        "scores": scores,
    }


def settings_of(args):
    """Return the sizes, as a dict that other processes can be given."""
    share = 10 if args.quick else 1
    return {
        "n_simulations": args.n_simulations // share,
        "max_iter": args.max_iter,
        "n_test": N_TEST // share,
        "is_quick": args.quick,
    }


def draw(rows, fname):
    """Draw the mean R2 of each network against the noise."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    levels = ["clean", *(f"{level} dB" for level in LEVELS)]
    panels = [(t, k) for k in EXPONENT for t in ("clean", "white", "pink")]
    fig, axes = plt.subplots(
        2, 3, figsize=(10, 6), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (trained, kind) in zip(axes.flat, panels, strict=True):
        for embedding, features in NETWORKS:
            found = {
                row["tested"].removeprefix(f"{kind} "): row["scores"]["mean"]["r2"]
                for row in rows
                if (row["network"], row["input"]) == (embedding, features)
                and row["trained"] == trained
                and row["tested"].startswith(("clean", kind))
            }
            value, low, high = np.array([found[level] for level in levels]).T
            x = np.arange(len(levels))
            (line,) = ax.plot(x, value, marker="o", label=f"{embedding}, {features}")
            ax.fill_between(x, low, high, alpha=0.2, color=line.get_color())
        ax.set(
            title=f"trained on {trained}, tested on {kind}", xticks=x, ylim=(-0.5, 0.8)
        )
        ax.set_xticklabels(levels)
        ax.axhline(0, color="0.5", linewidth=0.8)
    for ax in axes[:, 0]:
        ax.set_ylabel("mean R²")
    # Where curves of matched noise leave room.
    axes[0, 1].legend(fontsize="small", loc="lower left")
    fig.savefig(fname, dpi=150)
    plt.close(fig)


if __name__ == "__main__":
    main()
