"""What connectivity correlates with by chance, and what a connectome tells of it."""

import numpy as np

from ..features._envelopes import split_at_gaps

# Edges are cut into this many folds.
N_FOLDS = 5


def upper_triangle(matrix):
    """Return the edges of a symmetric matrix, ndarray of (n * (n - 1) / 2,)."""
    return matrix[np.triu_indices(len(matrix), k=1)]


def correlate_edges(a, b):
    """Correlate the edges of two symmetric matrices.

    Parameters
    ----------
    a, b : ndarray, shape (n_nodes, n_nodes) or (n_edges,)
        Matrices, or edges.

    Returns
    -------
    r : float
        Pearson's correlation; NaN if one of them does not vary.
    """
    a, b = (upper_triangle(x) if np.ndim(x) == 2 else np.asarray(x) for x in (a, b))
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else np.nan


def white_noise_null(series, sfreq, features, measured, n_null, rng):
    """Correlate the connectivity of white noise with the measured one.

    Parameters
    ----------
    series : ndarray, shape (n_nodes, n_times)
        The simulation, whose number of regions, length and gaps the noise has.
    sfreq : float
        Sampling rate in Hz.
    features : EnvelopeCorrelation
        Makes connectivity.
    measured : ndarray, shape (n_nodes, n_nodes)
        Measured connectivity.
    n_null : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    null : ndarray, shape (n_null,)
        The correlations.
    """
    gaps = np.isnan(series).all(axis=0)
    null = np.empty(n_null)
    for draw in range(n_null):
        noise = rng.standard_normal(series.shape, dtype=np.float32)
        noise[:, gaps] = np.nan
        null[draw] = correlate_edges(features.correlate(noise, sfreq), measured)
    return null


def surrogate_null(series, sfreq, features, measured, n_null, rng):
    """Correlate the connectivity of phase-randomised series with the measured one.

    Parameters
    ----------
    series, sfreq, features, measured, n_null, rng
        As in :func:`white_noise_null`.

    Returns
    -------
    null : ndarray, shape (n_null,)
        The correlations.
    """
    pieces = split_at_gaps(series).tolist()
    # A large offset would leave single precision little for the rest.
    series = series - np.nanmean(series, axis=1, keepdims=True)
    spectra = [np.fft.rfft(series[:, a:b], axis=1) for a, b in pieces]
    null = np.empty(n_null)
    made = np.full(series.shape, np.nan, dtype=np.float32)
    # Single precision holds neither the square of 1e-25 nor that of 1e25.
    scale = np.nanmax(np.abs(series), axis=1, keepdims=True)
    for draw in range(n_null):
        for (a, b), spectrum in zip(pieces, spectra, strict=True):
            made[:, a:b] = _randomize(spectrum, b - a, rng) / scale
        null[draw] = correlate_edges(features.correlate(made, sfreq), measured)
    return null


def _randomize(spectrum, n_times, rng):
    """Give each row's spectrum random phases, and return the series."""
    phases = rng.uniform(0, 2 * np.pi, spectrum.shape)
    # The constant, and half the sampling rate, have no phase.
    phases[:, 0] = 0
    if n_times % 2 == 0:
        phases[:, -1] = 0
    return np.fft.irfft(spectrum * np.exp(1j * phases), n_times, axis=1)


def permutation_null(simulated, measured, n_null, rng):
    """Correlate matrices after the regions of one were put into random order.

    Parameters
    ----------
    simulated, measured : ndarray, shape (n_nodes, n_nodes)
        Connectivity.
    n_null : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    null : ndarray, shape (n_null,)
        The correlations.
    """
    orders = [rng.permutation(len(simulated)) for _ in range(n_null)]
    return np.array(
        [correlate_edges(simulated[np.ix_(o, o)], measured) for o in orders]
    )


def structural_baselines(connectome, measured, rng):
    """Correlate measured connectivity with what is known without any model.

    Parameters
    ----------
    connectome : Connectome
        Weights and lengths, in the order of the measured regions.
    measured : ndarray, shape (n_nodes, n_nodes)
        Measured connectivity.
    rng : numpy.random.Generator
        Cuts edges into folds.

    Returns
    -------
    baselines : dict of (tuple of (float, int))
        By name, the correlation and the number of edges that it is over.
    """
    target = upper_triangle(measured)
    weights, lengths = (
        upper_triangle((x + x.T) / 2) for x in (connectome.weights, connectome.lengths)
    )
    positive, reached = weights > 0, lengths > 0
    design = np.stack([np.ones(len(target)), weights, lengths], axis=1)
    # Where no fibre was found, some files have a length of zero.
    rows = {
        "weights": (weights, np.full(len(target), True)),
        "log weights": (np.log(np.where(positive, weights, 1)), positive),
        "minus length": (-lengths, reached),
        "least squares (in sample)": (None, reached),
        f"least squares ({N_FOLDS} folds)": (None, reached),
    }
    found = {}
    for name, (predictor, used) in rows.items():
        if used.sum() < 2 * N_FOLDS:
            continue
        if predictor is None:
            n_folds = 1 if "sample" in name else N_FOLDS
            predicted = _least_squares(design[used], target[used], n_folds, rng)
        else:
            predicted = predictor[used]
        found[name] = correlate_edges(predicted, target[used]), int(used.sum())
    return found


def _least_squares(design, target, n_folds, rng):
    """Predict each edge from the others, or from all if there is one fold."""
    scaled = design / np.abs(design).max(axis=0)
    folds = rng.permutation(len(target)) % n_folds
    predicted = np.empty(len(target))
    for fold in range(n_folds):
        test = folds == fold
        train = ~test if n_folds > 1 else test
        solution = np.linalg.lstsq(scaled[train], target[train], rcond=None)[0]
        predicted[test] = scaled[test] @ solution
    return predicted
