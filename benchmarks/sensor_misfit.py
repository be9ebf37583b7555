"""How much of what the model gets wrong is shared by neighbouring sensors.

Refined fits of the spectral graph model to real EEG and MEG at sensor level; residuals
of the standardised spectra, without what all sensors share, correlated over pairs of
sensors that see the same regions to the same extent. Beside them, what
:class:`mne_sbi.features.SpectralNoise` assumes at sensors. Needs ``--data FOLDER`` with
spectrome/, eeg/ and mne_route/.
"""

import argparse
import warnings
from pathlib import Path

import mne
import numpy as np
from _report import report

from mne_sbi import SGMInverter, simulate
from mne_sbi.datasets import read_group_connectome
from mne_sbi.estimators._reading import read_features
from mne_sbi.inference import NPE
from mne_sbi.models import SpectralGraphModel

FREQS = np.arange(2.0, 40.5, 1.5)
EDGES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.01)
COLUMNS = {"who": "recording", "common": "sd common", "own": "sd of a sensor"}
COLUMNS |= {low: f"r at coherence2 >= {low:g}" for low in EDGES[:-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--json", metavar="FILE", help="write the table there as well")
    args = parser.parse_args()
    mne.set_log_level("ERROR")
    # That residuals are unlike simulations is the question here.
    warnings.simplefilter("ignore")
    connectome = read_group_connectome(args.data / "spectrome")
    model = SpectralGraphModel(connectome, FREQS)
    bank = simulate(model, n_simulations=5000, random_state=0)
    rows = []
    for who, raws, settings in read_recordings(args.data):
        inverter = SGMInverter(
            connectome,
            freqs=FREQS,
            simulations=bank,
            method=NPE(density="mixture", max_iter=8),
            random_state=0,
            **settings,
        ).fit(raws[0])
        theta = inverter.predict(raws, refine=True)
        observed = read_features(inverter, raws).x
        residuals = observed - inverter.observation_.predict_features(theta)
        for i, residual in enumerate(residuals):
            residual = residual.reshape(-1, len(FREQS))
            row = describe(residual, inverter.observation_.mixing)
            rows.append({"who": f"{who}, {i}"} | row)
    mixing = inverter.observation_.mixing
    assumed = mixing.misfit_root @ mixing.misfit_root.T
    noise = inverter.features_.noise
    row = {"common": noise.misfit_common, "own": noise.misfit_regional}
    rows.append({"who": "assumed"} | row | by_coherence(assumed, mixing))
    report("Residuals of fits at sensor level", rows, COLUMNS, args.json)


def read_recordings(folder):
    """Yield names, recordings and settings of the inverter."""
    route = folder / "mne_route"
    labels = [
        mne.read_label(fname)
        for fname in sorted((route / "sample_small_aparc_labels").glob("*.label"))
    ]
    sample = mne.io.read_raw_fif(route / "sample_24s_raw.fif", preload=True)
    sample.info["bads"] = ["MEG 2443", "EEG 053"]
    sample.filter(1.0, 45.0).set_eeg_reference(projection=True).apply_proj()
    forward = mne.read_forward_solution(route / "sample_small-fwd.fif")
    settings = {"lead_field": forward, "labels": labels}
    for picks in ("eeg", "mag"):
        yield f"sample, {picks}", [sample], settings | {"picks": picks}
    eyes = []
    for run in ("R01", "R02"):
        raw = mne.io.read_raw_edf(folder / "eeg" / f"eegmmidb_S001{run}_first60s.edf")
        mne.datasets.eegbci.standardize(raw)
        eyes.append(raw.set_montage("colin27_1005"))
    forward = mne.read_forward_solution(route / "sample_small_eeg64-fwd.fif")
    yield "eyes, forward", eyes, {"lead_field": forward, "labels": labels}
    yield "eyes, template", eyes, {"lead_field": "template"}


def describe(residual, mixing):
    """Sizes of a residual, (n_channels, n_freqs), and correlations over channels."""
    common = residual.mean(axis=0)
    rest = residual - common
    covariance = rest @ rest.T / rest.shape[1]
    variance = np.diag(covariance).mean()
    sizes = {"common": float(common.std()), "own": float(np.sqrt(variance))}
    return sizes | by_coherence(covariance / variance, mixing)


def by_coherence(correlation, mixing):
    """Mean correlation of pairs of channels, by their squared coherence."""
    coherence = mixing.sampling_root @ mixing.sampling_root.T
    pairs = np.triu_indices(len(coherence), 1)
    coherence, correlation = coherence[pairs], correlation[pairs]
    found = {}
    for low, high in zip(EDGES[:-1], EDGES[1:], strict=True):
        inside = (coherence >= low) & (coherence < high)
        found[low] = float(correlation[inside].mean()) if inside.any() else None
    return found


if __name__ == "__main__":
    main()
