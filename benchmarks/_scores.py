"""R2 and correlation of parameters with bootstrap intervals, and tables of them."""

import numpy as np
from _report import report

N_BOOTSTRAP = 400


def score(truth, estimate, names):
    """Compute R2 and correlation of each target, with intervals.

    Parameters
    ----------
    truth, estimate : ndarray, shape (n, n_targets)
        Parameters.
    names : sequence of str
        Names of the targets.

    Returns
    -------
    scores : dict
        ``{target: {"r2": [value, low, high], "r": [value, low, high]}}``, with the
        mean over targets as another target.
    """
    rng = np.random.default_rng(0)
    n = len(truth)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAP).astype(float)
    weights = np.concatenate([np.ones((1, n)), counts]) / n

    def mean(values):
        return weights @ values

    mean_t, mean_e = mean(truth), mean(estimate)
    variance = mean(truth**2) - mean_t**2
    spread = np.maximum(mean(estimate**2) - mean_e**2, 1e-300)
    covariance = mean(truth * estimate) - mean_t * mean_e
    found = {
        "r2": 1 - mean((truth - estimate) ** 2) / variance,
        "r": covariance / np.sqrt(variance * spread),
    }
    scores = {name: {} for name in (*names, "mean")}
    for key, values in found.items():
        values = np.column_stack([values, values.mean(axis=1)])
        low, high = np.quantile(values[1:], [0.025, 0.975], axis=0)
        for i, name in enumerate(scores):
            scores[name][key] = [float(v) for v in (values[0, i], low[i], high[i])]
    return scores


def show(title, rows, more, key=None):
    """Print a table of scores: R2 and correlation, or one of the two.

    A cell is a value and half the width of its interval; where both are shown, that of
    the correlation is about as wide, and in the file that --json names.
    """
    names = list(rows[0]["scores"])
    lines = []
    for row in rows:
        line = {k: v for k, v in row.items() if k not in ("scores", "is_matched")}
        for name in names:
            cell = row["scores"].get(name)
            if cell is not None:
                keys = (key,) if key else ("r2", "r")
                line[name] = _in_words(*cell[keys[0]])
                if len(keys) > 1:
                    line[name] += f" | {cell[keys[1]][0]:.2f}"
        lines.append(line)
    columns = {"network": "network", "input": "input", **more}
    columns |= {name: name for name in names} | {"seconds": "CPU-s"}
    columns = {k: v for k, v in columns.items() if any(k in line for line in lines)}
    what = "" if key else ": R2 | correlation"
    report(f"{title}{what}", lines, columns)


def _in_words(value, low, high):
    half = (high - low) / 2
    return f"{value:.2f}" + (f"±{half:.2f}" if half else "")
