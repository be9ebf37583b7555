"""Standardisation of EEG features within each recording."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array as check_sklearn_array

from .._checks import check_labels, listing
from ._cosines import slow_cosines


class RecordingStandardizer(TransformerMixin, BaseEstimator):
    """Give the EEG features of each recording zero mean and unit standard deviation.

    Impedances, caps and skulls give each recording a scale of its own, which says
    nothing about the person's fMRI. The mean and the standard deviation are of the
    recording itself, also of one that was not there in ``fit``. That is no leak: fMRI
    is not used. It does mean that a prediction needs a recording of some minutes, not
    a single window.

    Parameters
    ----------
    axis : int | tuple of int
        Axes over which the mean and the standard deviation are taken: pairs, and the
        last one, which is lags, windows or samples for the arrays of
        :func:`make_pairs`. All lags of a feature are the same series, so they share
        their scale. Arrays with two axes are always averaged over pairs only.

    Attributes
    ----------
    n_features_in_ : int
        Length of the second axis in ``fit``.

    See Also
    --------
    make_pairs : Does the same by default.

    Examples
    --------
    >>> import numpy as np
    >>> from mne_sbi.eeg_fmri import RecordingStandardizer
    >>> X = np.random.default_rng(0).normal(7.0, 2.0, (50, 3, 5, 4))
    >>> Z = RecordingStandardizer().fit_transform(X, groups=np.repeat([0, 1], 25))
    >>> Z[:25, 0, 0].std().round(3)
    np.float32(1.0)
    """

    __metadata_request__transform = {"groups": True}
    __metadata_request__fit = {"groups": True}

    def __init__(self, axis=(0, -1)):
        self.axis = axis

    def fit(self, X, y=None, groups=None):
        """Check the array; nothing is learnt from it.

        Parameters
        ----------
        X : array_like, shape (n_pairs, n_channels, ...)
            EEG features.
        y : None
            Ignored.
        groups : array_like of shape (n_pairs,) | None
            Recording of each pair.

        Returns
        -------
        self : RecordingStandardizer
            The transformer.
        """
        X = self._check(X)
        self._groups(groups, len(X))
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X, groups=None):
        """Standardise each recording.

        Parameters
        ----------
        X : array_like, shape (n_pairs, n_channels, ...)
            EEG features.
        groups : array_like of shape (n_pairs,) | None
            Recording of each pair; a person stands for one, if there is one each.
            ``None`` if all are of one recording.

        Returns
        -------
        Z : ndarray of float32, shape (n_pairs, n_channels, ...)
            Standardised features.

        Raises
        ------
        ValueError
            If a feature is constant in a recording.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        X = self._check(X)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but RecordingStandardizer is expecting "
                f"{self.n_features_in_} features as input (channels, or columns of a "
                "2-D X)."
            )
        return standardize_recordings(X, self._groups(groups, len(X)), self.axis)

    def fit_transform(self, X, y=None, groups=None):
        """Standardise each recording, as ``fit`` and ``transform`` together."""
        return self.fit(X, groups=groups).transform(X, groups=groups)

    def _check(self, X):
        # scikit-learn's own check: it knows sparse matrices, and its messages are
        # what its users expect.
        return check_sklearn_array(
            X, dtype=[np.float32, np.float64], allow_nd=True, input_name="X"
        )

    def _groups(self, groups, n_pairs):
        if groups is None:
            return np.zeros(n_pairs, dtype=int)
        return check_labels("groups", groups, n_pairs, "pair")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = True
        return tags


def standardize_recordings(X, groups, axis=(0, -1), ch_names=None):
    """Give each recording zero mean and unit standard deviation.

    Parameters
    ----------
    X : ndarray, shape (n_pairs, n_channels, ...)
        EEG features.
    groups : ndarray, shape (n_pairs,)
        Recording of each pair.
    axis : tuple of int
        Axes of the mean; the first only, where ``X`` has two.
    ch_names : sequence of str | None
        Channels, for the message.

    Returns
    -------
    Z : ndarray of float32, shape (n_pairs, n_channels, ...)
        Standardised features.

    Raises
    ------
    ValueError
        If a feature is constant in a recording.
    """
    axis = 0 if X.ndim == 2 else axis
    Z = np.empty(X.shape, dtype=np.float32)
    labels = np.unique(groups)
    for label in labels:
        rows = groups == label
        part = X[rows]
        mean = part.mean(axis=axis, keepdims=True, dtype=float)
        sd = part.std(axis=axis, keepdims=True, dtype=float)
        # What rounding in single precision leaves of a constant is no variation.
        constant = sd <= 1e-6 * np.abs(mean)
        if constant.any():
            where = f" in recording {label.item()!r}" if len(labels) > 1 else ""
            raise ValueError(_constant(constant, where, ch_names))
        Z[rows] = (part - mean) / sd
    return Z


def _constant(constant, where, ch_names):
    """Say which features are constant."""
    if ch_names is not None:
        flat = constant[0].reshape(len(ch_names), -1).any(axis=1)
        bad = [name for name, is_flat in zip(ch_names, flat, strict=True) if is_flat]
        return (
            f"{constant.sum()} features are constant{where}, of the channels "
            f"{listing(bad)}. Mark them in raw.info['bads'], or give longer recordings."
        )
    _, *index = np.argwhere(constant)[0].tolist()
    kept = tuple(i for i, n in zip(index, constant.shape[1:], strict=True) if n > 1)
    return (
        f"{constant.sum()} features are constant{where}, the first at index "
        f"{kept or tuple(index)} of the axes after pairs. Leave the channel out, or "
        "give longer recordings."
    )


def remove_slow_changes(X, times, high_pass):
    """Take the mean and slow cosines over time away from each feature.

    Parameters
    ----------
    X : ndarray, shape (n_pairs, ...)
        Features of one recording.
    times : ndarray, shape (n_pairs,)
        Times of the pairs in s, which may have gaps.
    high_pass : float
        Cosines up to this frequency are removed, in Hz.

    Returns
    -------
    X : ndarray of float32, shape (n_pairs, ...)
        What is left, by least squares.

    Raises
    ------
    ValueError
        If there are not twice as many pairs as cosines.
    """
    step = np.median(np.diff(times)) if len(times) > 1 else 0.0
    duration = times[-1] - times[0] + step
    n_cosines = int(2 * duration * high_pass)
    if 2 * n_cosines >= len(times):
        raise ValueError(
            f"high_pass={high_pass:g} Hz takes {n_cosines} cosines from {len(times)} "
            "pairs. Give longer recordings or a lower frequency; None removes nothing."
        )
    phase = (times - times[0] + 0.5 * step) / duration
    slow = slow_cosines(phase, n_cosines).astype(np.float32)
    flat = X.reshape(len(X), -1) - X.reshape(len(X), -1).mean(axis=0)
    return (flat - slow @ (slow.T @ flat)).reshape(X.shape)
