"""Windows of a recording without fMRI, made as others were."""

from dataclasses import replace

import numpy as np

from .._checks import listing
from ._alignment import VolumeTiming
from ._alike import sfreq_of
from ._eeg_samples import eeg_channels

# Windows from which on a mean and a standard deviation over time mean something.
_LEAST_WINDOWS = 10


def make_like(pairs, raw, timing=None):
    """Make windows; see :meth:`Pairs.make_windows`."""
    import mne

    if pairs.windows is None:
        raise ValueError(
            "It is not known how the windows of these pairs were made. Pairs of "
            "make_pairs know it."
        )
    if not isinstance(raw, mne.io.BaseRaw):
        raise TypeError(f"raw must be an mne.io.Raw, got {type(raw).__name__}.")
    good = set(raw.ch_names) - set(raw.info["bads"])
    missing = [name for name in pairs.ch_names if name not in good]
    if missing:
        raise ValueError(
            f"The recording lacks the channels {listing(missing)} of the pairs. "
            "Channels that are marked as bad count as missing: see "
            "raw.interpolate_bads()."
        )
    names = list(pairs.ch_names)
    eeg_channels(raw, names)  # of the right types
    windows = replace(pairs.windows, picks=names)
    if pairs.info is not None and raw.info["sfreq"] != sfreq_of(pairs):
        windows = replace(windows, sfreq=sfreq_of(pairs))
    duration = raw.n_times / raw.info["sfreq"]
    least = (windows.reach(pairs.t_r) + _LEAST_WINDOWS) * pairs.t_r
    if duration < least:
        raise ValueError(
            f"The recording lasts {duration:.4g} s, and {_LEAST_WINDOWS} windows, "
            f"which are standardised over time, need {least:.4g} s. Some minutes are "
            "better."
        )
    if timing is None:
        n = int(duration / pairs.t_r)
        timing = VolumeTiming(pairs.t_r * np.arange(n), pairs.t_r)
    X, kept, found = windows.compute(raw, timing)
    order = [found.index(name) for name in names]
    return X[:, order], windows.times_of(timing)[kept]
