"""Recovering six parameters of the Jansen-Rit model, clean and in noise.

Recordings of 10 s at 128 Hz, parameters from the default prior. Without noise, point
estimates and posteriors are learnt from 60,000 simulations, and from new ones at each
pass, which is the default. With white and 1/f noise of random level and colour, one
inverter is trained once and tested at one level and colour after the other.

    python benchmarks/jansen_rit_recovery.py [--quick] [--json FILE]
"""

import argparse
import time

import jax
import numpy as np
from _report import report
from sklearn.metrics import r2_score

from mne_sbi import JansenRitInverter
from mne_sbi.inference import PointRegressor

NAMES = ("A", "B", "a", "b", "C", "mu")
GOALS = {"A": 0.94, "B": 0.43, "a": 0.91, "b": 0.70, "C": 0.62, "mu": 0.47}
SFREQ, DURATION = 128.0, 10.0
# So much above the noise that there is none.
OFF = 100.0
LEVELS = (20.0, 10.0, 5.0, 0.0)
N_DRAWS = 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--json", help="file to write the table to")
    args = parser.parse_args()
    n_train, n_test = (6_000, 500) if args.quick else (60_000, 5_000)

    common = {"sfreq": SFREQ, "duration": DURATION, "gain": 1.0, "random_state": 0}
    rows = [{"inverter": "goal", "test": "clean"} | GOALS | {"mean": 0.70}]
    once = {"fresh": False, "noise": False, "n_simulations": n_train}
    network = PointRegressor((256, 256, 128), n_components=None)
    settings = {
        "point, 60,000 simulations": once | {"method": network},
        "npe, 60,000 simulations": once,
        "npe, 20,000 a pass": {"noise": False},
        "npe, 20,000 a pass, noise": {},
    }
    for label, setting in settings.items():
        setting = {"n_simulations": n_train // 3} | setting
        inverter = JansenRitInverter(**common | setting)
        start = time.perf_counter(), time.process_time()
        inverter.fit()
        took = {
            "minutes": (time.perf_counter() - start[0]) / 60,
            "cpu": (time.process_time() - start[1]) / 60,
        }
        for test, noise in tests(inverter.noise):
            theta, data = simulate(inverter, n_test, noise)
            row = score(inverter, theta, data)
            rows.append({"inverter": label, "test": test} | row | took)
            print(rows[-1], flush=True)
            took = {}
    columns = {"inverter": "inverter", "test": "test"} | {n: f"R2 {n}" for n in NAMES}
    columns |= {"mean": "mean", "coverage": "coverage", "low": "lowest"}
    columns |= {"high": "highest"}
    columns |= {"minutes": "min", "cpu": "CPU-min"}
    report(
        "Jansen-Rit, 10 s at 128 Hz: R2 and 90 % intervals", rows, columns, args.json
    )


def tests(noisy):
    """Yield a name and the noise of each test, in dB below the signal."""
    yield "clean", {"snr_white": OFF, "snr_background": OFF} if noisy else {}
    for level in LEVELS if noisy else ():
        yield f"white {level:g} dB", {"snr_white": level, "snr_background": OFF}
        yield (
            f"pink {level:g} dB",
            {"snr_white": OFF, "snr_background": level, "exponent": 1.0},
        )


def simulate(inverter, n, noise):
    """Draw the model's parameters from the prior, and record them in given noise."""
    theta = inverter.prior_.sample(n, random_state=1)
    params = inverter.prior_.as_dict(theta) | inverter.fixed_
    params = {k: np.broadcast_to(v, n) for k, v in (params | noise).items()}
    data = inverter.model_.simulate_batch(params, jax.random.key(123))
    columns = [inverter.prior_.names.index(name) for name in NAMES]
    return theta[:, columns], np.asarray(data)


def score(inverter, theta, data):
    """R2 and coverage of the model's parameters."""
    if not inverter.method_.gives_posterior:
        r2 = r2_score(theta, inverter.predict(data), multioutput="raw_values")
        return dict(zip(NAMES, r2.tolist(), strict=True)) | {"mean": float(r2.mean())}
    posterior = inverter.predict_posterior(data, N_DRAWS)
    columns = [posterior.names.index(name) for name in NAMES]
    draws = posterior.draws[..., columns]
    r2 = r2_score(theta, draws.mean(axis=1), multioutput="raw_values")
    low, high = np.quantile(draws, [0.05, 0.95], axis=1)
    coverage = ((theta > low) & (theta < high)).mean(axis=0)
    found = dict(zip(NAMES, r2.tolist(), strict=True))
    return found | {
        "mean": float(r2.mean()),
        "coverage": float(coverage.mean()),
        "low": float(coverage.min()),
        "high": float(coverage.max()),
    }


if __name__ == "__main__":
    main()
