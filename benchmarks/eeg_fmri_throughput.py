"""EEG to fMRI: how many volumes per CPU-second each architecture trains and predicts.

At the published sizes, on one core, with random numbers for data. Networks are measured
in steps of training after the first ones, which compile: what encodes volumes, the
optimiser and the making of batches are counted. The two that predict components of
fMRI are measured as whole fits, from voxels to voxels, times their passes. A goal says
how many volumes an architecture must train per CPU-second. Rows of other programs are
constants that were measured on another day, on another machine with two cores.

    python benchmarks/eeg_fmri_throughput.py [--quick] [--only NAME ...] [--json FILE]
"""

import argparse
import gc
import time

import numpy as np
from _process_measures import pin
from _report import report

from mne_sbi.eeg_fmri import EEG2fMRIRegressor
from mne_sbi.eeg_fmri._grid import VolumeGrid
from mne_sbi.eeg_fmri._registry import make_architecture

COLUMNS = {
    "name": "architecture",
    "input": "EEG",
    "output": "voxels",
    "parameters": "parameters",
    "train": "volumes trained per CPU-s",
    "predict": "volumes predicted per CPU-s",
    "goal": "goal",
}
SPECTROGRAM, RAW, BAND_POWER = (64, 134, 10), (34, 30_000), (34, 5, 15)
CALHAS_VOLUME, BRICMAN_VOLUME = (64, 64, 30), (53, 63, 52)
N_MASKED, N_BAND_POWER_VOXELS = 30_000, 45_000
# Row, architecture, settings, shape of a window, shape of a volume, voxels.
NETWORKS = (
    ("calhas", "calhas", {}, SPECTROGRAM, CALHAS_VOLUME, None),
    ("calhas, DCT", "calhas", {"decoder": "dct"}, SPECTROGRAM, CALHAS_VOLUME, None),
    ("calhas, masked", "calhas", {}, SPECTROGRAM, CALHAS_VOLUME, N_MASKED),
    ("bricman_dense", "bricman_dense", {}, RAW, BRICMAN_VOLUME, None),
    ("bricman_conv", "bricman_conv", {}, RAW, BRICMAN_VOLUME, None),
    ("bricman_transformer", "bricman_transformer", {}, RAW, BRICMAN_VOLUME, None),
)
GOALS = {"calhas": "at least 12", "residual": "at least 500"}
# Volumes per CPU-second of Calhas' network at the published sizes, elsewhere.
ELSEWHERE = (
    ("calhas: eeg-to-fmri 0.0.9, TensorFlow 2.9", 3.1, None),
    ("calhas: port to Keras 3, TensorFlow 2.21", 6.0, None),
)
TITLE = "EEG to fMRI at published sizes, one core"


def make_grid(shape, n_voxels):
    """Grid of whole volumes, or of a number of voxels in the middle."""
    if n_voxels is None:
        return VolumeGrid.from_shape(shape)
    axes = [np.linspace(-1, 1, n) ** 2 for n in shape]
    distances = sum(np.meshgrid(*axes, indexing="ij"))
    nearest = np.argsort(distances, axis=None, kind="stable")[:n_voxels]
    mask = np.zeros(shape, dtype=bool)
    mask.flat[nearest] = True
    return VolumeGrid(mask)


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def measure(work, seconds):
    """Times per CPU-second of some work, in as many turns as fit; the best turn."""
    best, start = 0.0, time.process_time()
    while not best or time.process_time() - start < seconds:
        before = time.process_time()
        n_done = work()
        best = max(best, n_done / (time.process_time() - before))
    return best


def measure_network(name, settings, x_shape, shape, n_voxels, seconds):
    """Speed of an architecture's network, in training and in prediction."""
    from mne_sbi.inference._training import Batches

    network = make_architecture(name).set_params(**settings, max_iter=1)
    grid = make_grid(shape, n_voxels)
    n = max(2 * network.batch_size, 16)
    X, y = draw(n, *x_shape), draw(n, grid.n_voxels)
    network.fit(X, y, groups=np.zeros(n), grid=grid, random_state=0)
    # The same compiled step as in fit, without what fit does once.
    trainer = network._get_networks()[0]
    batches = Batches(
        lambda rows, rng: network._make_batch(X[rows], y[rows], rng),
        n,
        network.batch_size,
        seed=0,
    )

    def train():
        trainer.fit(batches, epochs=1, verbose=0, shuffle=False)
        return n

    def predict():
        return len(network.predict(X))

    # The first turns compile.
    train(), predict()
    return {
        "input": " x ".join(map(str, x_shape)),
        "output": grid.n_voxels,
        "parameters": network.n_parameters_,
        "train": measure(train, seconds),
        "predict": measure(predict, seconds / 4),
    }


def measure_regressor(name, n, seconds):
    """Speed of a whole fit to voxels, times its passes, and of prediction."""
    X, y = draw(n, *BAND_POWER), draw(n, N_BAND_POWER_VOXELS)
    groups = np.repeat(np.arange(4), n // 4)
    regressor = EEG2fMRIRegressor(name, t_r=2.0, random_state=0)
    n_passes = getattr(make_architecture(name), "max_iter", 1)

    def fit():
        regressor.fit(X, y, groups)
        return n * n_passes

    fit()
    row = {
        "input": " x ".join(map(str, BAND_POWER)),
        "output": N_BAND_POWER_VOXELS,
        "parameters": count_parameters(regressor.architecture_),
        "train": measure(fit, seconds),
    }
    return row | {"predict": measure(lambda: len(regressor.predict(X)), seconds / 4)}


def count_parameters(architecture):
    """Coefficients of the ridge regression, and weights of networks beside it."""
    ridge = getattr(architecture, "ridge_", architecture)
    weights = getattr(architecture, "weights_", [])
    return sum(array.size for array in (ridge.coef_, ridge.intercept_, *weights))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter measurements")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows to measure")
    parser.add_argument("--json", metavar="FILE", help="write the table there")
    args = parser.parse_args()
    pin()
    seconds, n_pairs, rows = (3, 400, []) if args.quick else (20, 1200, [])
    tasks = {
        row: (measure_network, (*settings, seconds)) for row, *settings in NETWORKS
    }
    for name in ("hrf_ridge", "residual"):
        tasks[name] = measure_regressor, (name, n_pairs, seconds)
    for name in args.only or tasks:
        function, settings = tasks[name]
        rows.append({"name": name, **function(*settings), "goal": GOALS.get(name)})
        print(f"{name}: {rows[-1]['train']:.4g} volumes per CPU-s", flush=True)
        # Large weights, and the optimiser's beside them.
        gc.collect()
    keys = ("name", "train", "predict")
    rows += [dict(zip(keys, row, strict=True)) for row in ELSEWHERE]
    report(TITLE, rows, COLUMNS, args.json)


if __name__ == "__main__":
    main()
