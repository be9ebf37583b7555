"""What separates measured spectra from the fitted model's: the default noise settings.

Fits the spectral graph model to the resting MEG spectra of real people (refined fits of
the five default parameters) and describes what is left, in the terms of
mne_sbi.features.SpectralNoise, whose defaults come from the 12 people of the
development set.

    python benchmarks/sgm_noise.py [--data FOLDER] [--json FILE]
"""

import argparse

import numpy as np
from _report import report

from mne_sbi import SGMInverter
from mne_sbi.datasets import (
    fetch_connectome,
    fetch_spectrome,
    read_group_connectome,
    read_spectrome,
)
from mne_sbi.features import SpectralNoise

COLUMNS = {"quantity": "quantity", "value": "measured", "default": "default"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer simulations")
    parser.add_argument("--data", help="folder with the files of the spectrome data")
    parser.add_argument("--json", help="file to write the table to")
    args = parser.parse_args()
    if args.data is None:
        people, connectome = fetch_spectrome(), fetch_connectome()
    else:
        people = read_spectrome(args.data)
        connectome = read_group_connectome(args.data)
    measured = 10 * np.log10(people.psd)
    # Refinement searches by itself: any method will do to start it.
    inverter = SGMInverter(
        connectome,
        freqs=people.freqs,
        nodes=people.names,
        method="abc",
        n_simulations=500 if args.quick else 5_000,
        random_state=0,
    ).fit(measured)
    fitted = inverter.inverse_transform(inverter.predict(measured, refine=True))
    noise, step = SpectralNoise(), np.diff(people.freqs).mean()
    slopes = np.log(regression_slope(measured, fitted))
    residual = standardise(measured) - standardise(fitted)
    common = residual.mean(axis=1, keepdims=True)
    regional = residual - common
    rows = [
        ("slope", np.exp(np.median(slopes)), noise.slope),
        ("slope_sd (log)", slopes.std(), noise.slope_sd),
        (
            "gain_sd (dB)",
            (measured - fitted).mean(axis=2).std(axis=1).mean(),
            noise.gain_sd,
        ),
        ("misfit_common", common.std(), noise.misfit_common),
        ("misfit_regional", regional.std(), noise.misfit_regional),
    ]
    for lag in (1, 2):
        # Correlation of the Matern 3/2 family at this distance.
        x = np.sqrt(3) * lag * step / noise.smoothness
        label = f"correlation of the regional misfit at {lag * step:.2g} Hz"
        rows.append((label, lagged(regional, lag), (1 + x) * np.exp(-x)))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    title = f"Residuals of {len(measured)} people, {measured.shape[1]} regions"
    report(title, rows, COLUMNS, args.json)


def standardise(spectra):
    centred = spectra - spectra.mean(axis=2, keepdims=True)
    return centred / spectra.std(axis=2, keepdims=True)


def regression_slope(measured, fitted):
    """Slope of measured on fitted decibels, person by person and region by region."""
    x = fitted - fitted.mean(axis=2, keepdims=True)
    slope = (x * measured).mean(axis=2) / (x**2).mean(axis=2)
    return slope[slope > 0]


def lagged(residual, lag):
    product = residual[..., lag:] * residual[..., :-lag]
    return product.mean() / (residual**2).mean()


if __name__ == "__main__":
    main()
