"""Slow changes, which fMRI and EEG lose alike."""

import numpy as np


def slow_cosines(phase, n_cosines):
    """Make an orthonormal basis of a constant and of cosines.

    Parameters
    ----------
    phase : ndarray, shape (n,)
        Where each row is within its recording, from 0 to 1. Rows may be missing.
    n_cosines : int
        The slowest has half a period in the recording, each further one half more.

    Returns
    -------
    basis : ndarray, shape (n, n_cosines + 1)
        As :func:`nilearn.signal.clean` takes them away with ``filter="cosine"``, if no
        row is missing.
    """
    order = np.arange(n_cosines + 1)
    return np.linalg.qr(np.cos(np.pi * phase[:, np.newaxis] * order))[0]
