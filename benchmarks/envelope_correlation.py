"""Correlations of orthogonalised envelopes: how fast, beside mne_connectivity.

CPU time of 94 regions and 5 minutes at 100 Hz: of the correlations of given analytic
signals, and of all from the recording on, with the band-pass from 8 to 12 Hz.

    python benchmarks/envelope_correlation.py [--quick] [--json FILE]
"""

import argparse
import time

import mne
import numpy as np
from _report import report
from mne_connectivity import envelope_correlation

from mne_sbi.features import EnvelopeCorrelation
from mne_sbi.features._envelopes import analytic_signal, correlate_envelopes

N_REGIONS, SFREQ, DURATION, BAND = 94, 100.0, 300.0, (8.0, 12.0)
COLUMNS = {
    "what": "what",
    "precision": "precision",
    "lowpass": "low-pass in Hz",
    "ours": "this package, CPU-s",
    "peer": "mne_connectivity, CPU-s",
    "ratio": "mne_connectivity / this",
    "difference": "largest difference",
    "goal": "goal",
}


def make_data():
    """White noise with a common part, so that some correlations are not zero."""
    rng = np.random.default_rng(0)
    n_times = int(SFREQ * DURATION)
    common = np.roll(rng.standard_normal(n_times), 5)
    strength = rng.uniform(0, 1, (N_REGIONS, 1))
    return rng.standard_normal((N_REGIONS, n_times)) + strength * common


def peer_correlation(signals):
    found = envelope_correlation(signals[np.newaxis], absolute=False)
    return found.get_data("dense")[0, :, :, 0]


def peer_pipeline(data):
    """What a user of MNE-Python would write, in its double precision."""
    info = mne.create_info(N_REGIONS, SFREQ, "eeg")
    raw = mne.io.RawArray(data.astype(float), info, verbose="error")
    raw.filter(*BAND, verbose="error").apply_hilbert(verbose="error")
    return peer_correlation(raw.get_data())


def measure(functions, rounds):
    """Return the least CPU time and the result of each, in turns."""
    # Compiles, and plans Fourier transforms.
    results = [function() for function in functions]
    seconds = np.empty((rounds, len(functions)))
    # In turns, so that all see the same states of the machine.
    for row in seconds:
        for index, function in enumerate(functions):
            start = time.process_time()
            function()
            row[index] = time.process_time() - start
    return seconds.min(axis=0), results


def compare(what, precision, ours, peer, rounds, goal=None):
    """Return a row of the table."""
    (seconds, peer_seconds), (found, expected) = measure([ours, peer], rounds)
    return {
        "what": what,
        "precision": precision,
        "ours": seconds,
        "peer": peer_seconds,
        "ratio": peer_seconds / seconds,
        "difference": f"{np.abs(found - expected).max():.0e}",
        "goal": goal,
    }


def measure_lowpass(data, precision, rounds):
    """Return rows with a low-pass of the envelopes, which the peer does not have."""
    rows = []
    for lowpass in (2.0, 1.0, 0.2):
        extractor = EnvelopeCorrelation(*BAND, lowpass=lowpass)
        (seconds,), _ = measure([lambda e=extractor: e.correlate(data, SFREQ)], rounds)
        row = {"what": "from the recording", "precision": precision}
        rows.append(row | {"lowpass": lowpass, "ours": seconds})
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round, not three")
    parser.add_argument("--json", metavar="FILE", help="write the table there")
    args = parser.parse_args()
    rounds = 1 if args.quick else 3
    rows = []
    extractor = EnvelopeCorrelation(*BAND)
    for precision, dtype in (("double", np.float64), ("single", np.float32)):
        data = make_data().astype(dtype)
        signals = analytic_signal(data, SFREQ, *BAND)
        rows.append(
            compare(
                "of analytic signals",
                precision,
                lambda signals=signals: correlate_envelopes(signals),
                lambda signals=signals: peer_correlation(signals),
                rounds,
                goal="at least 10",
            )
        )
        rows.append(
            compare(
                "from the recording",
                precision,
                lambda data=data: extractor.correlate(data, SFREQ),
                lambda data=data: peer_pipeline(data),
                rounds,
            )
        )
        rows += measure_lowpass(data, precision, rounds)
    title = (
        f"Correlation of orthogonalised envelopes: {N_REGIONS} regions, "
        f"{DURATION / 60:g} min at {SFREQ:g} Hz"
    )
    report(title, rows, COLUMNS, args.json)


if __name__ == "__main__":
    main()
