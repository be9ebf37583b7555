"""Give all readers one recording in twelve equivalent forms, and compare the answers.

Usage::

    python tools/equivalent_recordings.py [--raw FILE]

Prints a table with a row per reader and a column per form. A cell is the largest
deviation of the answer from that to the whole recording, in units of its sampling
noise: the standard deviation of the posterior for inverters, that over parts of the
recording for connectivity, and that over windows for band power. The exit status is 1
if a cell is above the limit or a reader fails. ``-`` marks what a reader does not take
by its documentation, and ``*`` what an inverter takes only after a fit to this form.

Without ``--raw`` the recording is synthetic. Of a file, the first nine EEG channels are
used, which must have names of the 10-05 system; for readers of regions they are called
regions.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import warnings
from pathlib import Path

import mne
import numpy as np
from sklearn.base import clone

from mne_sbi import (
    JansenRitInverter,
    ModelInverter,
    SGMInverter,
    WilsonCowanNetwork,
    connectivity_fit,
)
from mne_sbi.datasets import load_synthetic_connectome
from mne_sbi.eeg_fmri import EEGWindows, VolumeTiming
from mne_sbi.features import EnvelopeCorrelation, Joined, LogPSD, SpectralNoise
from mne_sbi.inference import RejectionABC

SENSORS = ["Fz", "C3", "Cz", "C4", "Pz", "P3", "P4", "Oz", "Fp1"]
REGIONS = [
    f"{side}.{region}"
    for region in ("cuneus", "insula", "precentral", "lingual")
    for side in ("lh", "rh")
] + ["lh.precuneus"]
# The last channel is only in the form that has an extra one.
N_USED = 8
# What is cut off the beginning, and the length that is left, in s.
CUT, DURATION = 10.0, 60.0
LIMIT = 1.0
N_PARTS = 6
TIMING = VolumeTiming(np.arange(10.0, 58.0, 2.0), 2.0)


def make_synthetic():
    """Noise with a falling spectrum and a rhythm at 10 Hz, partly shared."""
    sfreq = 200.0
    rng = np.random.default_rng(0)
    n_times = round((CUT + DURATION) * sfreq)
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    alpha = 4 * np.exp(-0.5 * ((freqs - 10) / 1.0) ** 2)
    shape = 1 / np.maximum(freqs, 1.0) + alpha / 10
    white = np.fft.rfft(rng.standard_normal((len(SENSORS), n_times)), axis=1)
    data = np.fft.irfft(shape * white, n_times, axis=1)
    mixing = np.eye(len(SENSORS)) + 0.2 * rng.standard_normal((len(SENSORS),) * 2)
    data = 1e-5 * mixing @ data / data.std()
    info = mne.create_info(SENSORS, sfreq, "eeg")
    return mne.io.RawArray(data, info)


def read_file(fname):
    """Read the first nine EEG channels of a file, with names of the 10-05 system."""
    raw = mne.io.read_raw(fname, preload=True)
    mne.datasets.eegbci.standardize(raw)
    known = mne.channels.make_standard_montage("colin27_1005").ch_names
    raw.pick("eeg", exclude="bads")
    names = [name for name in raw.ch_names if name in known][: len(SENSORS)]
    raw.pick(names)
    length = raw.n_times / raw.info["sfreq"]
    if len(names) < len(SENSORS) or length < CUT + DURATION - 10:
        raise SystemExit(
            f"{fname} must have {len(SENSORS)} EEG channels with names of the 10-05 "
            f"system and last {CUT + DURATION - 10:g} s, got {len(names)} channels and "
            f"{length:g} s."
        )
    data = raw.get_data()
    info = mne.create_info(names, raw.info["sfreq"], "eeg")
    return mne.io.RawArray(data, info)


def make_forms(source, names, folder):
    """Return the forms of a recording by name; None where there is no such form."""
    everything = source.copy().rename_channels(
        dict(zip(source.ch_names, names, strict=True))
    )
    is_sensors = names != REGIONS
    if is_sensors:
        everything.set_montage("colin27_1005")
    long = everything.copy().pick(names[:N_USED])
    sfreq = long.info["sfreq"]
    cut = round(CUT * sfreq)
    # The same samples, with times that begin at zero.
    info = long.info.copy()
    whole = mne.io.RawArray(long.get_data()[:, cut:], info)
    extra = mne.io.RawArray(everything.get_data()[:, cut:], everything.info.copy())
    half = round(whole.n_times / 2) / sfreq
    first, second = whole.copy().crop(0, half, include_tmax=False), whole.copy()
    second.crop(half)
    # As after the jump of an amplifier.
    step = 1e3 * whole.get_data().std() * np.linspace(-1, 1, N_USED)
    second._data += step[:, np.newaxis]
    annotated = whole.copy()
    annotated.set_annotations(mne.Annotations(half / 2, 0.0, "BAD boundary"))
    saved = folder / f"{'sensors' if is_sensors else 'regions'}_raw.fif"
    whole.save(saved, fmt="double", overwrite=True)
    others = mne.create_info(["HEOG", "STI", "ACC", "GSR"], sfreq, "misc")
    others = mne.io.RawArray(step[0] * np.ones((4, whole.n_times)), others)
    others._data += np.random.default_rng(1).standard_normal(others._data.shape)
    kinds = {"HEOG": "eog", "STI": "stim", "GSR": "gsr"}
    others.set_channel_types(kinds, on_unit_change="ignore")
    renamed = None
    if not is_sensors:
        sides = {n: "-".join(n.split(".")[::-1]) for n in names[:N_USED]}
        renamed = whole.copy().rename_channels(sides)
    length = whole.n_times / sfreq
    return {
        "whole": whole,
        "joined": mne.concatenate_raws([first, second]),
        "cropped": long.copy().crop(cut / sfreq),
        "reordered": whole.copy().reorder_channels(whole.ch_names[::-1]),
        "renamed": renamed,
        "list": [whole],
        "epoch": mne.make_fixed_length_epochs(whole, length, preload=True),
        "zero": annotated,
        "saved": mne.io.read_raw(saved, preload=True),
        "rate": whole.copy().resample(0.8 * sfreq),
        "non-data": whole.copy().add_channels([others]),
        "extra": extra,
    }


class Inverted:
    """Answers of an inverter: means by parameter and row, and their deviations."""

    def __init__(self, inverter, whole):
        self.inverter = inverter.fit(whole)
        self.whole = whole

    def __call__(self, X):
        """Return values and deviations by row and parameter, and a mark of a refit."""
        inverter, mark = self.inverter, ""
        try:
            posterior = inverter.predict_posterior(X)
        except ValueError as exc:
            if "it again" not in str(exc) and "gain" not in str(exc):
                raise
            inverter, mark = clone(inverter).fit(X), "*"
            posterior = inverter.predict_posterior(X)
        # Models of one node are fitted to each channel, and say which it is.
        names = posterior.obs_names
        rows = range(posterior.n_obs) if names is None else names
        mean, sd = posterior.draws.mean(axis=1), posterior.draws.std(axis=1)
        values = {
            (str(row).rpartition(", ")[2], name): (mean[i, j], sd[i, j])
            for i, row in enumerate(rows)
            for j, name in enumerate(posterior.names)
        }
        return values, mark


class Connected:
    """Edges of connectivity, and their deviation over parts of the recording."""

    taken = "not list"

    def __init__(self, compute, whole):
        self.compute = compute
        length = whole.n_times / whole.info["sfreq"] / N_PARTS
        parts = [
            compute(whole.copy().crop(i * length, (i + 1) * length, include_tmax=False))
            for i in range(N_PARTS)
        ]
        self.sd = {
            key: np.std([part[key] for part in parts], ddof=1) / np.sqrt(N_PARTS)
            for key in parts[0]
        }

    def __call__(self, X):
        """Return values and deviations by edge."""
        return {k: (v, self.sd.get(k)) for k, v in self.compute(X).items()}, ""


def compute_edges(X):
    """Envelope correlations by pair of regions."""
    made = EnvelopeCorrelation(8, 12).compute(X)
    matrix, names = made.get_data("dense").squeeze(), list(made.names)
    # The spelling is the reader's to keep.
    names = [".".join(n.split("-")[::-1]) if "-" in n else n for n in names]
    return {
        tuple(sorted((names[i], names[j]))): matrix[i, j]
        for i in range(len(names))
        for j in range(i)
    }


def make_fit(matrix, names):
    """Return what correlates a recording's connectivity with a fixed matrix."""

    def compute(X):
        fit = connectivity_fit(
            (matrix, names),
            X,
            features=EnvelopeCorrelation(8, 12),
            on_missing="ignore",
            n_null=1,
            random_state=0,
        )
        return {"r": fit.r}

    return compute


class Windowed:
    """Band power of EEG before volumes."""

    taken = "raw only"

    def __init__(self):
        self.windows = EEGWindows(n_lags=1, standardize=False, high_pass=None)

    def __call__(self, X):
        """Return values and deviations by volume, channel and band."""
        made, kept, names = self.windows.compute(X, TIMING)
        sd = made.std(axis=0)
        return {
            (volume, name, band): (made[i, j, band, 0], sd[j, band, 0])
            for i, volume in enumerate(kept)
            for j, name in enumerate(names)
            for band in range(made.shape[2])
        }, ""


def make_readers(regions, sensors):
    """Return readers by name, each with the forms of what it reads."""
    connectome = dataclasses.replace(
        load_synthetic_connectome().pick(REGIONS), synthetic=False
    )
    shared = {"method": RejectionABC(0.1), "n_draws": 200, "random_state": 0}
    noise = SpectralNoise(duration=DURATION)
    sgm = SGMInverter(
        connectome, features=LogPSD(noise=noise), n_simulations=1000, **shared
    )
    network = ModelInverter(
        WilsonCowanNetwork(
            connectome, preset="resting_alpha", sfreq=100.0, duration=10.0
        ),
        features=Joined(
            [
                LogPSD(2, 40, window=1.0, scaling="demean"),
                EnvelopeCorrelation(8, 12, summary="strength"),
            ]
        ),
        n_simulations=200,
        **shared,
    )
    through = clone(sgm).set_params(lead_field="template")
    through.set_params(
        connectome=dataclasses.replace(load_synthetic_connectome(), synthetic=False),
        n_simulations=500,
    )
    column = JansenRitInverter(n_simulations=300, **shared)
    matrix = np.random.default_rng(0).standard_normal((N_USED, N_USED))
    whole = regions["whole"]
    fit = make_fit(matrix + matrix.T, REGIONS[:N_USED])
    return {
        "SGM regions": (lambda: Inverted(sgm, whole), regions),
        "SGM sensors": (lambda: Inverted(through, sensors["whole"]), sensors),
        "Jansen-Rit": (lambda: Inverted(column, sensors["whole"]), sensors),
        "Wilson-Cowan": (lambda: Inverted(network, whole), regions),
        "envelopes": (lambda: Connected(compute_edges, whole), regions),
        "connectivity_fit": (lambda: Connected(fit, whole), regions),
        "EEGWindows": (Windowed, sensors),
    }


def compare(values, expected):
    """Largest deviation in units of the expected values' standard deviation."""
    shared = [key for key in expected if key in values]
    if not shared:
        raise ValueError("no value in common")
    return max(
        abs(values[key][0] - expected[key][0]) / max(expected[key][1], 1e-12)
        for key in shared
    )


def fill_row(make_reader, forms):
    """Return the cells of one reader, and whether all are good."""
    cells, is_good, expected = [], True, None
    reader = make_reader()
    taken = getattr(reader, "taken", "")
    for name, X in forms.items():
        is_left_out = (name == "list" and taken) or (
            name == "epoch" and taken == "raw only"
        )
        if X is None or is_left_out:
            cells.append("-")
            continue
        try:
            values, mark = reader(X)
            expected = values if expected is None else expected
            deviation = compare(values, expected)
        except Exception as exc:
            # Whatever a reader cannot read is a row of the table.
            cells.append("error")
            is_good = False
            sys.stderr.write(f"  {name}: {type(exc).__name__}: {exc}\n")
            continue
        is_good &= deviation <= LIMIT
        cells.append(f"{deviation:.2g}{mark}")
    return cells, is_good


def write_row(name, cells):
    """Write a row of the table."""
    sys.stdout.write(f"{name:17}" + "".join(f"{cell:>10}" for cell in cells) + "\n")
    sys.stdout.flush()


def main():
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--raw", help="file of a recording in place of a synthetic one")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    mne.set_log_level("ERROR")
    source = make_synthetic() if options.raw is None else read_file(options.raw)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        regions = make_forms(source, REGIONS, Path(folder))
        sensors = make_forms(source, source.ch_names, Path(folder))
        write_row("reader", regions)
        for name, (make_reader, forms) in make_readers(regions, sensors).items():
            cells, is_good = fill_row(make_reader, forms)
            write_row(name, cells)
            failed += [] if is_good else [name]
    verdict = f"FAIL: {', '.join(failed)}" if failed else "PASS"
    sys.stdout.write(
        f"Deviations in units of sampling noise; limit {LIMIT:g}.\n{verdict}\n"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
