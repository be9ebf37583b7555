"""The contract of inference methods: arrays in, arrays out, parameters in (0, 1)."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._checks import check_count, check_no_mask, draw_seed
from ..simulation._rows import LazyRows

# Rows checked for finite values at one time: the mask of a large array is large too.
_CHUNK = 8192
# Waves over features, whose sums tell observations apart, and how much of a standard
# deviation these may differ by in what counts as one observation.
_RATES = np.linspace(0.7, 2.3, 8)
_PHASES = np.arange(8.0)[:, np.newaxis]
_SAME = 1e-3


class InferenceMethod(BaseEstimator, ABC):
    """Learns from pairs of parameters and features what features say of parameters.

    A method sees arrays only. Parameters are in the unit cube: the caller moves them
    there with :meth:`mne_sbi.Prior.to_unit` and back with
    :meth:`~mne_sbi.Prior.from_unit`, so that the prior of every method is uniform.
    Features are arrays (n, n_features) or (n, n_nodes, n_points); a method standardises
    them by itself.

    Attributes
    ----------
    input_shape_ : tuple of int
        Shape of the features of one observation.
    n_params_ : int
        Number of parameters.
    history_ : dict of list of float
        Losses after each pass; empty for methods that do not train.
    """

    #: Whether :meth:`sample` and :meth:`log_prob` exist for this method.
    gives_posterior = True

    @abstractmethod
    def fit(
        self,
        theta,
        x,
        *,
        resample=None,
        refresh=None,
        random_state=None,
        verbose=None,
    ):
        """Learn from simulations.

        Parameters
        ----------
        theta : array, shape (n, n_params)
            Parameters in the unit cube.
        x : array, shape (n, n_features) | (n, n_nodes, n_points)
            Their features; or rows that stay on disk, as those of a bank in a folder,
            which networks read in chunks.
        resample : callable | None
            ``resample(indices, rng)`` returns float32 features of the rows ``indices``
            with fresh observation noise from the :class:`numpy.random.Generator`
            ``rng``. If given, ``x`` are the features without noise; most methods use
            no more than their shape.
        refresh : callable | None
            ``refresh(pass_number)`` returns new ``(theta, x)`` that replace the
            training rows before each pass but the first, with ``pass_number`` 1, 2, ...
            So a network never sees a simulation twice, and cannot learn it by heart.
            Methods that make no passes refuse it.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of randomness; an integer gives the same result every time.
        verbose : bool | str | None
            Show progress. None and False do not.

        Returns
        -------
        self : InferenceMethod
            The fitted method.
        """

    @abstractmethod
    def sample(self, x, n_draws, *, random_state=None):
        """Draw from the posterior of each observation.

        The draws of different observations are independent. Those of one observation
        depend on the random state and its features, and not on which other
        observations are given.

        Parameters
        ----------
        x : array, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
            Observed features.
        n_draws : int
            Number of draws per observation.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of randomness.

        Returns
        -------
        draws : ndarray, shape (n_obs, n_draws, n_params)
            Parameters in the unit cube.
        """

    @abstractmethod
    def log_prob(self, theta, x):
        """Logarithm of the posterior density in the unit cube.

        Parameters
        ----------
        theta : array, shape (n, n_params)
            Parameters in the unit cube.
        x : array, shape (n, n_features) | (n, n_nodes, n_points)
            Observed features, row by row.

        Returns
        -------
        log_prob : ndarray, shape (n,)
            The density relative to the prior, as the prior's is one.
        """

    @abstractmethod
    def predict(self, x):
        """Estimate the posterior mean in the unit cube.

        Parameters
        ----------
        x : array, shape (n_obs, n_features) | (n_obs, n_nodes, n_points)
            Observed features.

        Returns
        -------
        theta : ndarray, shape (n_obs, n_params)
            The estimates.
        """

    @abstractmethod
    def get_state(self):
        """Describe the fitted method without Python objects.

        Returns
        -------
        state : dict
            Settings and shapes; can be written as JSON.
        arrays : dict of ndarray
            What was learnt.
        """

    @classmethod
    @abstractmethod
    def from_state(cls, state, arrays):
        """Restore what :meth:`get_state` describes.

        Parameters
        ----------
        state : dict
            Settings and shapes.
        arrays : dict of ndarray
            What was learnt.

        Returns
        -------
        method : InferenceMethod
            The fitted method.
        """

    def _check_x(self, x):
        """Return observed features as rows of floats, shape (n_obs, n_features)."""
        check_is_fitted(self, "input_shape_")
        x = _as_floats("x", x)
        if x.shape[1:] != self.input_shape_:
            raise ValueError(
                f"x must have shape (n_obs, {_joined(self.input_shape_)}), as in fit, "
                f"got {x.shape}."
            )
        x = x.reshape(len(x), -1)
        check_finite_rows("x", x)
        return x


def make_generators(z, random_state):
    """Make a random generator for each observation.

    Parameters
    ----------
    z : ndarray, shape (n_obs, n_features)
        Standardised features.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.

    Returns
    -------
    generators : list of numpy.random.Generator
        Each depends on the random state and on the features of its observation: two
        recordings have independent draws, in one call and in two, and one recording
        has the same draws wherever it stands.
    """
    seed = draw_seed(random_state)
    return [np.random.default_rng([seed, *_fingerprint(row)]) for row in z]


def _fingerprint(row):
    """Turn an observation into a few integers.

    Not the bytes of its features: rounding, as of another platform, another gain or
    another order of the channels, would give other draws to the same recording.
    """
    angles = _RATES[:, np.newaxis] * np.arcsinh(row.astype(np.float64)) + _PHASES
    sums = np.sin(angles).sum(axis=1) / np.sqrt(len(row))
    return np.round(sums / _SAME).astype(np.int64) + 2**31


def check_training(theta, x, *, resampled, n_least=10):
    """Check training pairs.

    Parameters
    ----------
    theta : array, shape (n, n_params)
        Parameters.
    x : array, shape (n, ...)
        Features.
    resampled : bool
        Whether only the shape of one row of ``x`` is used.
    n_least : int
        Smallest number of pairs.

    Returns
    -------
    theta : ndarray, shape (n, n_params)
        Float64.
    x : ndarray | LazyRows, shape (n, n_features)
        Float32 or float64, one row per observation. Rows on disk stay there, unless
        they are few and all of them are needed.
    input_shape : tuple of int
        Shape of one observation's features.

    Raises
    ------
    ValueError
        If shapes do not agree, rows are too few, values are not finite, or parameters
        are outside of the unit cube.
    """
    theta, x = _as_floats("theta", theta).astype(np.float64), _as_floats("x", x)
    if theta.ndim != 2 or x.ndim not in (2, 3) or 0 in x.shape:
        raise ValueError(
            "theta must have shape (n, n_params) and x (n, n_features) or "
            f"(n, n_nodes, n_points), got {theta.shape} and {x.shape}."
        )
    is_lazy = isinstance(x, LazyRows)
    if (is_lazy or not resampled) and len(x) != len(theta):
        raise ValueError(
            f"theta and x must have the same number of rows, got {len(theta)} and "
            f"{len(x)}."
        )
    if len(theta) < n_least:
        raise ValueError(
            f"{len(theta)} simulations are too few to learn from: give at least "
            f"{n_least}; useful results need thousands."
        )
    check_finite_rows("theta", theta)
    n_outside = int(((theta < 0.0) | (theta > 1.0)).any(axis=1).sum())
    if n_outside:
        raise ValueError(
            f"theta must lie in the unit cube, but {n_outside} of {len(theta)} rows do "
            "not. Map parameters with prior.to_unit(theta) before."
        )
    input_shape = x.shape[1:]
    if is_lazy and x.fits and not resampled:
        x, is_lazy = np.asarray(x), False
    if is_lazy:
        # Looked at when they are read.
        return theta, x.map(_flatten) if x.ndim > 2 else x, input_shape
    x = _flatten(x)
    if not resampled:
        check_finite_rows("x", x)
    return theta, x, input_shape


def check_finite_rows(name, x):
    """Raise a ValueError that counts the rows with NaN or infinite values."""
    n_bad = 0
    for start in range(0, len(x), _CHUNK):
        chunk = x[start : start + _CHUNK]
        # The sum is finite only if all values are, unless finite values overflow: then
        # the slow way decides.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(chunk.sum()):
                continue
        n_bad += int((~np.isfinite(chunk)).any(axis=1).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(x)} rows of {name} hold NaN or infinite values. Remove "
            "these rows, for example those that a simulation bank marks as not valid."
        )


def check_theta(theta, n, n_params):
    """Check parameters whose density is asked for.

    Parameters
    ----------
    theta : array, shape (n, n_params)
        Parameters in the unit cube.
    n, n_params : int
        Expected shape.

    Returns
    -------
    theta : ndarray, shape (n, n_params)
        Float64.
    """
    theta = _as_floats("theta", theta).astype(np.float64)
    if theta.shape != (n, n_params):
        raise ValueError(
            f"theta must have shape {(n, n_params)}, one row per row of x, got "
            f"{theta.shape}."
        )
    if not ((theta >= 0.0) & (theta <= 1.0)).all():
        raise ValueError(
            "theta must lie in the unit cube. Map parameters with "
            "prior.to_unit(theta) before."
        )
    return theta


def check_hidden(hidden):
    """Check the widths of hidden layers.

    Parameters
    ----------
    hidden : sequence of int
        What was given.
    """
    if isinstance(hidden, (int, np.integer)):
        raise TypeError(
            f"hidden must be a tuple of widths, got {hidden}. Write hidden=({hidden},)."
        )
    for width in hidden:
        check_count("each width in hidden", width)


def check_between(name, value, low, high):
    """Check that a setting is a number with low <= value < high.

    Parameters
    ----------
    name : str
        Name of the setting, for the error message.
    value : float
        What was given.
    low, high : float
        The limits; the lower one is allowed.

    Returns
    -------
    value : float
        The value.
    """
    is_number = isinstance(value, (int, float, np.number))
    if not is_number or isinstance(value, bool) or not low <= value < high:
        raise ValueError(f"{name} must be in [{low:g}, {high:g}), got {value!r}.")
    return float(value)


def _flatten(x):
    return x.reshape(len(x), -1)


def _as_floats(name, value):
    """Convert to float32 or float64, without a copy of what is a float already."""
    if not isinstance(value, LazyRows):
        check_no_mask(name, value)
        value = np.asarray(value)
    if value.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} must hold real numbers, got an array of {value.dtype}."
        )
    if value.dtype not in (np.float32, np.float64):
        if isinstance(value, LazyRows):
            return value.map(lambda rows: rows.astype(np.float64))
        value = value.astype(np.float64)
    return value


def _joined(shape):
    return ", ".join(str(n) for n in shape)
