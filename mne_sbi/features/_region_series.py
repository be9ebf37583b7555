"""Time series of regions, of whatever holds them."""

from .._checks import check_array, check_one_per
from .._recording import as_recording


def read_regions(features, inst, sfreq=None, names=None, picks=None):
    """Read the time series of regions of one recording.

    Parameters
    ----------
    features : FeatureExtractor
        What is made of them.
    inst, sfreq, names, picks
        As in :meth:`EnvelopeCorrelation.compute`.

    Returns
    -------
    series : ndarray, shape (n_nodes, n_times)
        Time series, NaN where a segment is left out.
    sfreq : float
        Sampling rate in Hz.
    names : tuple of str
        Names of the regions.
    """
    if callable(getattr(inst, "to_raw", None)):
        inst = inst.to_raw()
    if isinstance(inst, (list, tuple)) and any(hasattr(x, "info") for x in inst):
        raise TypeError(
            f"compute() takes one recording, got a list of {len(inst)}. Call it for "
            "each: [features.compute(raw) for raw in raws]."
        )
    # In a list, because all epochs of an element are one observation.
    recording = as_recording([inst], picks=picks)
    if recording.from_mne:
        if sfreq is not None or names is not None:
            raise ValueError(
                "sfreq and names are those of the recording. Leave them out; "
                ".rename_channels() changes names."
            )
        if not recording.is_series:
            raise TypeError(
                "Envelopes need time series, and a spectrum has none. Give the Raw or "
                "the Epochs."
            )
        features.warn_if_filtered(recording.band)
        return recording.data[0], recording.sfreq, recording.names
    if picks is not None:
        raise ValueError("picks chooses channels of MNE-Python. Choose rows before.")
    if sfreq is None:
        raise ValueError(
            "An array needs its sampling rate in Hz: compute(array, sfreq=100.0)."
        )
    shape = ("n_nodes", "n_times")
    series = check_array("The array", inst, shape=shape, dtype=None, finite=False)
    if series.shape[1] < series.shape[0]:
        raise ValueError(
            f"The array has {series.shape[0]} rows of {series.shape[1]} samples, and "
            "rows are regions: (n_nodes, n_times). Give array.T if time comes first."
        )
    names = range(len(series)) if names is None else names
    names = tuple(map(str, check_one_per("names", names, len(series), "time series")))
    return series, float(check_array("sfreq", sfreq, shape=(), positive=True)), names
