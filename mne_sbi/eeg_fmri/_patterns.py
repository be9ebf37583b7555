"""What a fitted regressor uses of EEG, and where in the brain it predicts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import check_array, check_count
from .._frozen import FrozenArrays
from ._inputs import unpack_pairs
from ._pairs import Pairs

# Columns of predictions that are looked at together.
_BLOCK = 4096
# Predictions vary if they do by more than this share of their size, and a pattern is
# one if its variance is more than this share of the first one's: less is rounding.
_VARIES, _COUNTS = 1e-6, 1e-10


@dataclass(frozen=True, repr=False, eq=False)
class PredictionPatterns(FrozenArrays):
    """Leading patterns of predictions, and the EEG that goes with them.

    Made by :func:`compute_patterns`.

    Parameters
    ----------
    time_courses : ndarray, shape (n_pairs, n_patterns)
        How strong each pattern is predicted to be at each pair; zero mean, standard
        deviation one, uncorrelated.
    maps : ndarray, shape (n_patterns, n_voxels)
        By how much a prediction changes, in the unit of y, where the time course rises
        by one standard deviation. The largest value of each is positive.
    topographies : ndarray, shape (n_patterns, n_channels, n_bands, n_lags)
        Covariance of each EEG feature with the time course, in the unit of X. With
        spectrograms, the last two axes are frequencies and windows.
    explained : ndarray, shape (n_patterns,)
        Share of the variance of the predictions, summed over voxels.
    axes : tuple of str
        What the axes of ``topographies`` after the first are, as in the architecture:
        lags have the most recent first, windows the oldest.
    t_r : float | None
        Length of a lag in s, where it is known.
    masker : nilearn masker | None
        What turns ``maps`` into images.
    ch_names : tuple of str | None
        The channels, where they are known.
    bands : dict of (str -> (float, float)) | None
        Of band power, in Hz, where they are known.
    freqs : array, shape (n_freqs,) | None
        Of spectrograms, in Hz, where they are known.
    """

    time_courses: np.ndarray
    maps: np.ndarray
    topographies: np.ndarray
    explained: np.ndarray
    axes: tuple = ("channels", "bands", "lags")
    t_r: float | None = None
    masker: Any = None
    ch_names: tuple | None = None
    bands: dict | None = None
    freqs: np.ndarray | None = None

    def __post_init__(self):
        n = len(self.explained)
        shapes = {
            "time_courses": (None, n),
            "maps": (n, None),
            "topographies": (n, None, None, None),
            "explained": (n,),
        }
        for name, shape in shapes.items():
            array = check_array(name, getattr(self, name), shape=shape).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "axes", tuple(self.axes))

    @property
    def n_patterns(self):
        """Number of patterns."""
        return len(self.explained)

    @property
    def lag_times(self):
        """Middle of each lag before the volume.

        An array of shape (n_lags,), in s, or in volumes where ``t_r`` is not known.
        """
        n_lags = self.topographies.shape[3]
        before = np.arange(n_lags) + 0.5
        if self.axes[2] == "windows":
            before = before[::-1]
        return before * (1.0 if self.t_r is None else self.t_r)

    def plot(self, info, *, bands=None, freqs=None, masker=None, show=True):
        """Plot the patterns, one in each row.

        Parameters
        ----------
        info : mne.Info
            The channels, with positions, such as ``pairs.info``. Channels of patterns
            that were computed from pairs are found by name.
        bands : dict of (str -> (float, float)) | sequence of str | None
            The bands of the features; None takes those of pairs. For spectrograms, the
            bands in Hz over which frequencies are averaged.
        freqs : array, shape (n_freqs,) | None
            Frequencies in Hz; needed for spectrograms that were not those of pairs.
        masker : nilearn masker | None
            What made y; None takes that of the regressor.
        show : bool
            Show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            The figure; see :func:`mne_sbi.viz.plot_patterns`.
        """
        from ..viz import plot_patterns

        return plot_patterns(
            self, info, bands=bands, freqs=freqs, masker=masker, show=show
        )

    def __repr__(self):
        size = " x ".join(map(str, self.topographies.shape[1:]))
        shares = ", ".join(f"{share:.0%}" for share in self.explained)
        return (
            f"<PredictionPatterns | {self.n_patterns} of predictions of "
            f"{self.maps.shape[1]} voxels ({shares} of their variance), from "
            f"{' x '.join(self.axes)} {size}>"
        )


def compute_patterns(regressor, X, n_patterns=3):
    r"""Find what a fitted regressor uses of EEG, whatever its architecture.

    Parameters
    ----------
    regressor : EEG2fMRIRegressor
        Fitted. Any other object with ``predict(X)`` is taken to use band power.
    X : Pairs | array, shape (n_pairs, n_channels, n_bands, n_lags)
        Pairs, or windows of EEG to predict from: band power, or spectrograms (n_pairs,
        n_channels, n_freqs, n_windows). Better those of new people than those that the
        regressor was fitted to.
    n_patterns : int
        Number of patterns; there are fewer if the predictions have fewer.

    Returns
    -------
    patterns : PredictionPatterns
        The patterns.

    Raises
    ------
    ValueError
        If X are raw windows, whose samples have no phase that is the same at each
        volume, or columns without channels; or if predictions do not change.

    Notes
    -----
    The predictions without their mean over pairs are taken apart by singular values,
    :math:`\hat Y = \sum_k s_k m_k^T`, into time courses :math:`s_k` with unit variance
    and maps :math:`m_k`. The topography of pattern k is the covariance

    .. math:: a_k = \frac{1}{n} \sum_i (x_i - \bar x) s_{ki},

    the forward activation pattern of an output of a model (equation 6 of Haufe et al.,
    NeuroImage 87:96-110, 2014, for uncorrelated outputs): it shows where in EEG there
    is what the model reads. Weights, or gradients, would also show the channels that a
    model uses only to cancel noise. For standardised X it is a correlation.

    Signs: each map has a positive value where it is largest, so that a positive value
    in a topography is power that is high when fMRI is predicted to be high there.

    A pattern tells what the predictions are made of, and not whether they are right:
    see :func:`evaluate`.

    Examples
    --------
    >>> import numpy as np
    >>> from mne_sbi.eeg_fmri import EEG2fMRIRegressor, compute_patterns
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 8, 5, 6))  # pairs, channels, bands, lags
    >>> y = X[:, 3, 2, [1]] * [1.0, 0.0, -0.5]
    >>> regressor = EEG2fMRIRegressor("hrf_ridge", t_r=2.0).fit(X, y)
    >>> patterns = compute_patterns(regressor, X, n_patterns=1)
    >>> [int(i) for i in np.argwhere(patterns.topographies[0] > 0.5)[0]]
    [3, 2, 1]
    """
    like = getattr(regressor, "pairs_like_", None)
    ch_names = t_r = bands = freqs = None
    if isinstance(X, Pairs):
        ch_names, t_r = (like or X).ch_names, X.t_r
        bands, freqs = X.bands, X.freqs
    X, axes = _check_windows(regressor, unpack_pairs(X, like=like, targets=False)[0])
    n_patterns = check_count("n_patterns", n_patterns)
    predicted = check_array("predictions", regressor.predict(X), dtype=None)
    if len(predicted) != len(X):
        raise ValueError(
            f"The regressor predicts {len(predicted)} rows for {len(X)} pairs."
        )
    predicted = predicted.reshape(len(X), -1)
    courses, maps, explained = _decompose(predicted, n_patterns)
    features = X.reshape(len(X), -1).astype(float)
    features -= features.mean(axis=0)
    topographies = courses.T @ features / len(X)
    return PredictionPatterns(
        time_courses=courses,
        maps=maps,
        topographies=topographies.reshape(len(maps), *X.shape[1:]),
        explained=explained,
        axes=axes,
        t_r=getattr(regressor, "masker_t_r_", None) or t_r,
        masker=getattr(regressor, "masker_", None),
        ch_names=ch_names,
        bands=bands,
        freqs=freqs,
    )


def _check_windows(regressor, X):
    """Return windows with four axes, and the names of the last three."""
    if not hasattr(regressor, "predict"):
        raise TypeError(
            "regressor must be a fitted EEG2fMRIRegressor, or have predict(X); got "
            f"{type(regressor).__name__}."
        )
    axes = ("channels", "bands", "lags")
    axes = getattr(getattr(regressor, "architecture_", None), "axes", axes)
    X = check_array("X", X, dtype=np.float32)
    if X.ndim != 4 or len(axes) != 3:
        raise ValueError(
            f"X has the shape {X.shape}, and patterns need band power (n_pairs, "
            "n_channels, n_bands, n_lags) or spectrograms (n_pairs, n_channels, "
            "n_freqs, n_windows). Raw windows have no such patterns: the phase of "
            "oscillations is another one at each volume, so that no sample goes with "
            "the prediction. Fit 'residual', 'hrf_ridge' or 'calhas' to "
            "make_pairs(..., features='band_power' or 'spectrogram')."
        )
    if len(X) < 2:
        raise ValueError(f"X has {len(X)} pairs, and patterns need several.")
    return X, axes


def _decompose(predicted, n_patterns):
    """Take predictions apart by singular values.

    Parameters
    ----------
    predicted : ndarray, shape (n_pairs, n_voxels)
        The predictions.
    n_patterns : int
        How many patterns to return at most.

    Returns
    -------
    courses : ndarray, shape (n_pairs, n_patterns)
        With unit variance.
    maps : ndarray, shape (n_patterns, n_voxels)
        Of ``predicted``.
    explained : ndarray, shape (n_patterns,)
        Shares of the variance.
    """
    from scipy.linalg import eigh

    n, n_voxels = predicted.shape
    # The products of all pairs of rows, block by block: there are up to 10**5 voxels,
    # of which no copy is made.
    products, size = np.zeros((n, n)), 0.0
    for start in range(0, n_voxels, _BLOCK):
        block = predicted[:, start : start + _BLOCK].astype(float)
        size = max(size, np.abs(block).max())
        block -= block.mean(axis=0)
        products += block @ block.T
    total = np.trace(products)
    if total <= n * n_voxels * (_VARIES * size) ** 2:
        raise ValueError(
            "The predictions are the same for all pairs, so there is no pattern in "
            "them. A residual or ridge regressor predicts a constant where it has "
            "found nothing that helps in people who were left out."
        )
    values, vectors = eigh(
        products, subset_by_index=(max(0, n - n_patterns), n - 1), driver="evr"
    )
    values, vectors = values[::-1], vectors[:, ::-1]
    found = values > _COUNTS * values[0]
    values, courses = values[found], np.sqrt(n) * vectors[:, found]
    # The constant has been removed; rounding may have left a bit of it.
    courses -= courses.mean(axis=0)
    maps = courses.T.astype(predicted.dtype) @ predicted / n
    maps = maps.astype(float)
    largest = np.abs(maps).argmax(axis=1)
    signs = np.sign(maps[np.arange(len(maps)), largest])
    return courses * signs, maps * signs[:, np.newaxis], values / total
