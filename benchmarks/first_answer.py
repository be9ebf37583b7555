"""How long a user waits for the first posterior, and for each further one.

A saved inverter is read in a fresh process, which then inverts a new recording and
further ones: regions (68 time series) and sensors (64 electrodes through the template
lead field), 60 s each, 1,000 posterior draws. The time counts from before ``import
mne_sbi``; reading the recording from its file is part of it, training is not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _report import report

DURATION, SFREQ = 60.0, 160.0
COLUMNS = {
    "level": "recordings of",
    "first": "import to first posterior (s)",
    "median": "each further one, median (ms)",
    "worst": "worst (ms)",
    "goal": "goal",
}
GOAL = "<5 s, <50 ms"

# What a user's script does, run in a process of its own.
_SCRIPT = """
import json, sys, time
start = time.perf_counter()
import mne_sbi
inverter = mne_sbi.read_inverter(sys.argv[1])
import mne
mne.set_log_level("ERROR")
raw = mne.io.read_raw_fif(sys.argv[2], preload=True)
posterior = inverter.predict_posterior(raw, n_draws=1000)
first = time.perf_counter() - start
assert posterior.draws.shape[:2] == (1, 1000)
times = []
for fname in sys.argv[3:]:
    raw = mne.io.read_raw_fif(fname, preload=True)
    start = time.perf_counter()
    inverter.predict_posterior(raw, n_draws=1000)
    times.append(time.perf_counter() - start)
print(json.dumps({"first": first, "further": times}))
"""


def make_data(n_rows, rng):
    """Time series with spectra that fall, as those of the brain do."""
    n_times = round(DURATION * SFREQ)
    freqs = np.fft.rfftfreq(n_times, 1 / SFREQ)
    amplitude = 1 / (1 + freqs)
    shape = (n_rows, len(freqs))
    normal = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    data = np.fft.irfft(amplitude * normal, n=n_times)
    return 1e-5 * data / data.std()


def make_raws(level, rng, n):
    """Recordings of regions or of sensors."""
    import mne

    from mne_sbi.datasets import load_synthetic_connectome

    montage = mne.channels.make_standard_montage("biosemi64")
    names = list(load_synthetic_connectome().names)
    names = montage.ch_names if level == "sensors" else names
    info = mne.create_info(names, SFREQ, "eeg")
    raws = []
    for _ in range(n):
        raw = mne.io.RawArray(make_data(len(names), rng), info, verbose="error")
        raws.append(raw.set_montage(montage) if level == "sensors" else raw)
    return raws


def measure(level, folder, n_simulations, n_further):
    """Train and save an inverter, and use it in a new process."""
    import dataclasses

    from mne_sbi import SGMInverter
    from mne_sbi.datasets import load_synthetic_connectome

    rng = np.random.default_rng(0)
    raws = make_raws(level, rng, n_further + 1)
    connectome = dataclasses.replace(load_synthetic_connectome(), synthetic=False)
    inverter = SGMInverter(
        connectome,
        lead_field="template" if level == "sensors" else None,
        n_simulations=n_simulations,
        random_state=0,
    ).fit(raws[0])
    inverter.save(folder / "inverter.zip", overwrite=True)
    fnames = []
    for i, raw in enumerate(raws):
        fnames.append(str(folder / f"{i}_raw.fif"))
        raw.save(fnames[-1], overwrite=True, verbose="error")
    found = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(folder / "inverter.zip"), *fnames],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(found.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the table there as well")
    parser.add_argument(
        "--quick", action="store_true", help="a smaller inverter, fewer recordings"
    )
    args = parser.parse_args()
    n_simulations, n_further = (500, 3) if args.quick else (3000, 10)
    rows = []
    for level in ("regions", "sensors"):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(level, Path(folder), n_simulations, n_further)
        further = 1e3 * np.array(found["further"])
        rows.append(
            {
                "level": level,
                "first": found["first"],
                "median": float(np.median(further)),
                "worst": float(further.max()),
                "goal": GOAL,
            }
        )
    report(
        f"Posteriors of 1,000 draws from {DURATION:.0f} s recordings by a saved "
        "inverter",
        rows,
        COLUMNS,
        args.json,
    )


if __name__ == "__main__":
    main()
