"""How well spectra agree, and what agreement costs nothing."""

import numpy as np

from .._checks import check_array


def _pair(measured, predicted):
    shape = ("n_obs", "n_nodes", "n_freqs")
    measured = check_array("measured", measured, shape=shape)
    predicted = check_array("predicted", predicted, shape=measured.shape)
    return measured, predicted


def _correlation(a, b, axis):
    """Pearson's correlation; what does not vary correlates with nothing."""
    a = a - a.mean(axis=axis, keepdims=True)
    b = b - b.mean(axis=axis, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    if not (scale > 0).all():
        raise ValueError(
            f"{int((scale == 0).sum())} of {scale.size} pairs of spectra have no "
            "correlation, because one of them is the same at all frequencies. Leave "
            "such regions out."
        )
    return (a * b).sum(axis=axis) / scale


def spectral_correlation(measured, predicted):
    """Correlate spectra over frequency, averaged over regions.

    Parameters
    ----------
    measured, predicted : array, shape (n_obs, n_nodes, n_freqs)
        Spectra in dB.

    Returns
    -------
    r : ndarray, shape (n_obs,)
        Mean over the regions of Pearson's correlation over frequency, the score of
        the spectral graph model's literature. A straight line reaches 0.85 on resting
        MEG: give :func:`spectral_baselines` beside it.
    """
    measured, predicted = _pair(measured, predicted)
    return _correlation(measured, predicted, -1).mean(axis=-1)


def regional_correlation(measured, predicted):
    """Correlate the deviations of regions from the mean spectrum.

    Parameters
    ----------
    measured, predicted : array, shape (n_obs, n_nodes, n_freqs)
        Spectra in dB.

    Returns
    -------
    r : ndarray, shape (n_obs,)
        Correlation over regions and frequencies of what is left when every region's
        mean over frequency, and the mean over regions, are taken away: whether the
        model says in what regions differ.
    """
    deviations = []
    for spectra in _pair(measured, predicted):
        shape = spectra - spectra.mean(axis=2, keepdims=True)
        deviation = shape - shape.mean(axis=1, keepdims=True)
        deviations.append(deviation.reshape(len(deviation), -1))
    return _correlation(*deviations, -1)


def calibrated_rms(measured, predicted):
    """Misfit in dB after the best gain and slope of every region.

    Parameters
    ----------
    measured, predicted : array, shape (n_obs, n_nodes, n_freqs)
        Spectra in dB.

    Returns
    -------
    rms : ndarray, shape (n_obs,)
        Root mean square over regions and frequencies of what a linear function of the
        prediction, region by region, leaves of the measured spectra.
    """
    measured, predicted = _pair(measured, predicted)
    r = _correlation(measured, predicted, -1)
    return np.sqrt((measured.var(axis=-1) * (1 - r**2)).mean(axis=-1))


def predictive_coverage(measured, predicted, level=0.9):
    """Tell how much of what was measured lies inside of what is predicted.

    Parameters
    ----------
    measured : array, shape (n_obs, n_features)
        Features of observations.
    predicted : array, shape (n_obs, n_draws, n_features)
        Simulated features of posterior draws, as
        :meth:`mne_sbi.ModelInverter.posterior_predictive` gives them. Draws with NaN
        are left out.
    level : float
        Level of the central intervals, in (0, 1).

    Returns
    -------
    coverage : ndarray, shape (n_obs,)
        Share of the features in their intervals: about ``level`` where the model can
        do what it should.
    """
    measured = check_array("measured", measured, shape=("n_obs", "n_features"))
    shape = (measured.shape[0], "n_draws", measured.shape[1])
    predicted = check_array("predicted", predicted, shape=shape, finite=False)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}.")
    tail = (1 - level) / 2
    low, high = np.nanquantile(predicted, [tail, 1 - tail], axis=1)
    return ((measured >= low) & (measured <= high)).mean(axis=1)


def spectral_baselines(measured, freqs):
    """Score trivial predictions of regional spectra.

    Parameters
    ----------
    measured : array, shape (n_obs, n_nodes, n_freqs)
        Spectra in dB, of several people.
    freqs : array, shape (n_freqs,)
        Frequencies in Hz.

    Returns
    -------
    baselines : dict of ndarray, shape (n_obs,)
        :func:`spectral_correlation` of a straight line over frequency (``"line"``),
        of the other people's mean of the same region (``"others"``), and of the
        person's own mean over regions (``"own mean"``), which is the ceiling of any
        model that does not tell regions apart.
    """
    shape = ("n_obs", "n_nodes", "n_freqs")
    measured = check_array("measured", measured, shape=shape)
    n_obs = len(measured)
    line = np.broadcast_to(-np.asarray(freqs, dtype=float), measured.shape)
    own = np.broadcast_to(measured.mean(axis=1, keepdims=True), measured.shape)
    baselines = {
        "line": spectral_correlation(measured, line),
        "own mean": spectral_correlation(measured, own),
    }
    if n_obs > 1:
        others = (measured.sum(axis=0) - measured) / (n_obs - 1)
        baselines["others"] = spectral_correlation(measured, others)
    return baselines
