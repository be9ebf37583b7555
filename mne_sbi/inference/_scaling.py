"""Scaling of features: zero mean, unit variance, optionally principal components."""

from dataclasses import dataclass

import numpy as np

# Rows converted at one time: bounds the memory beside the caller's array.
_CHUNK = 4096
# Most values of sequences that are converted at one time: series of many channels are
# long, and 4096 of them would take gigabytes.
_CHUNK_VALUES = 2**24
# Moments and components are estimated from at most this many rows: more would move the
# scale by less than 1 %, and what it is exactly does not matter.
_MAX_ROWS = 20_000
# A feature whose standard deviation is below this share of its mean is constant.
_CONSTANT = 1e-7
# Part of the mean noise variance that is added to all directions.
_RIDGE = 1e-3
# Largest number of features whose covariances are made and solved as they are.
MAX_SOLVED = 4096
# Leading directions of signal and of noise that span the solution for more features.
_N_SIGNAL, _N_NOISE = 128, 128


@dataclass(frozen=True)
class FeatureScaler:
    """Affine map of flattened features to standardised ones or to components.

    Parameters
    ----------
    mean, scale : ndarray, shape (n_features,)
        Mean and standard deviation of each feature; the scale of a constant feature is
        one.
    components : ndarray, shape (n_features, n_components) | None
        Columns map standardised features to scaled principal components.
    """

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray | None = None

    @classmethod
    def from_rows(cls, x, *, n_components=None, whitening=0.5, rng=None, pooled=None):
        """Estimate the map from training rows.

        Parameters
        ----------
        x : ndarray, shape (n, n_features)
            Training rows, finite.
        n_components : int | None
            Number of principal components; None standardises only.
        whitening : float
            From 0, components keep their standard deviations, to 1, all get the same.
        rng : numpy.random.Generator | None
            Chooses the rows to estimate from, where there are more than 20,000. None
            takes the first ones.
        pooled : tuple | None
            The shape of one observation and the number of its leading points that are
            no sequence. Then all points of a sequence share one scale: one each would
            blow up those where little happens, as before a stimulus.

        Returns
        -------
        scaler : FeatureScaler
            The map.
        """
        if len(x) > _MAX_ROWS:
            rows = slice(_MAX_ROWS)
            if rng is not None:
                rows = np.sort(rng.choice(len(x), _MAX_ROWS, replace=False))
            x = x[rows]
        mean, scale = _moments(x, _CHUNK if pooled is None else _n_rows(x.shape[1]))
        if pooled is not None:
            scale = _pool_scale(scale, *pooled)
        # Constant features stay at zero, whatever they are divided by.
        scaler = cls(mean, np.where(scale == 0.0, 1.0, scale))
        if n_components is None:
            return scaler
        covariance = np.zeros((x.shape[1], x.shape[1]))
        for start in range(0, len(x), _CHUNK):
            z = scaler.standardise(x[start : start + _CHUNK])
            covariance += z.T @ z
        components = _components(covariance / len(x), n_components, whitening)
        return cls(scaler.mean, scaler.scale, components)

    @classmethod
    def from_signal(cls, signal, noisy, *, n_max=128, least=0.01):
        """Estimate the map that keeps what stands out of the noise.

        Parameters
        ----------
        signal : ndarray, shape (n, n_features)
            Training rows without noise.
        noisy : ndarray, shape (n, n_features)
            The same rows with noise.
        n_max : int
            Largest number of components.
        least : float
            Smallest ratio of a component's variance over the signal to its variance
            over the noise. Weaker ones tell a network less than they cost it.

        Returns
        -------
        scaler : FeatureScaler
            The map to the components with the largest ratios, uncorrelated and of unit
            variance.

        Notes
        -----
        The components solve the generalised eigenproblem of the two covariances, as in
        linear discriminant analysis. Principal components of the noisy features would
        be directions of strong noise instead.
        """
        if signal.shape[1] > MAX_SOLVED:
            return cls._from_span(signal, noisy, n_max, least)
        n_features = signal.shape[1]
        within = np.zeros((n_features, n_features))
        between = np.zeros((n_features, n_features))
        mean, centre = noisy.mean(axis=0), signal.mean(axis=0)
        for start in range(0, len(signal), _CHUNK):
            rows = slice(start, start + _CHUNK)
            clean = signal[rows] - centre
            noise = noisy[rows] - mean - clean
            within += noise.T @ noise
            between += clean.T @ clean
        if not within.any():
            # Noise of size zero hides nothing.
            return cls.from_rows(noisy)
        # Directions without noise, as a normalisation makes them, must not blow up.
        within[np.diag_indices(n_features)] += _RIDGE * np.trace(within) / n_features
        components = _discriminate(between, within, len(signal), n_max, least)
        components = np.ascontiguousarray(components, dtype=np.float32)
        return cls(mean.astype(np.float64), np.ones(n_features), components)

    @classmethod
    def _from_span(cls, signal, noisy, n_max, least):
        """Do the same for many features, without a matrix of features by features.

        The solutions are ``W^-1 b`` for the noise covariance W and directions b of the
        signal. Where W is a few strong directions and the same variance in all others,
        they lie in the span of b and of these directions; W b is there for noise whose
        other directions differ, which is one step of a Krylov method towards W^-1 b.
        """
        mean, centre = noisy.mean(axis=0), signal.mean(axis=0)
        clean = signal - centre
        noise = noisy - mean
        noise -= clean
        if not noise.any():
            return cls.from_rows(noisy)
        rng = np.random.default_rng(0)
        of_signal = _leading_directions(clean, _N_SIGNAL, rng)
        blocks = [
            of_signal,
            noise.T @ (noise @ of_signal),
            _leading_directions(noise, _N_NOISE, rng),
        ]
        span = _orthonormal(np.concatenate(blocks, axis=1))
        n_features = signal.shape[1]
        ridge = _RIDGE * np.einsum("ij,ij->", noise, noise, dtype=float) / n_features
        inside = [(rows @ span).astype(np.float64) for rows in (clean, noise)]
        between, within = (rows.T @ rows for rows in inside)
        within[np.diag_indices(len(within))] += ridge
        found = _discriminate(between, within, len(signal), n_max, least)
        components = span @ found.astype(np.float32)
        components = np.ascontiguousarray(components, dtype=np.float32)
        return cls(mean.astype(np.float64), np.ones(n_features), components)

    def standardise(self, x):
        """Subtract the mean and divide by the scale, float32."""
        # In this order and in the input's precision: a large mean would cost digits.
        return np.ascontiguousarray((x - self.mean) / self.scale, dtype=np.float32)

    def transform(self, x):
        """Map all rows, in chunks, to float32."""
        n_out = x.shape[1] if self.components is None else self.components.shape[1]
        z = np.empty((len(x), n_out), np.float32)
        n_rows = _n_rows(x.shape[1]) if self.components is None else _CHUNK
        for start in range(0, len(x), n_rows):
            rows = slice(start, start + n_rows)
            z[rows] = self.project(self.standardise(x[rows]))
        return z

    def project(self, z):
        """Map standardised rows to components, if there are any."""
        return z if self.components is None else z @ self.components


def _n_rows(n_features):
    """Return the number of rows of sequences to convert at one time."""
    return max(1, min(_CHUNK, _CHUNK_VALUES // n_features))


def _moments(x, chunk):
    """Mean and standard deviation of columns, 0 if constant, without a copy."""
    # Sums about the first row lose no digits where the mean is large.
    shift = x[0].astype(np.float64)
    total, total_square = np.zeros_like(shift), np.zeros_like(shift)
    for start in range(0, len(x), chunk):
        rows = x[start : start + chunk] - shift
        total += rows.sum(0)
        total_square += np.einsum("ij,ij->j", rows, rows)
    offset = total / len(x)
    scale = np.sqrt(np.maximum(total_square / len(x) - offset**2, 0.0))
    mean = shift + offset
    scale[scale <= _CONSTANT * np.abs(mean)] = 0.0
    return mean, scale


def _pool_scale(scale, shape, n_static):
    """Give all points of a sequence the root mean square of their scales."""
    scale = scale.reshape(-1, shape[-1]).copy()
    sequence = scale[:, n_static:]
    varies = np.count_nonzero(sequence, axis=1, keepdims=True)
    total = np.square(sequence).sum(axis=1, keepdims=True)
    scale[:, n_static:] = np.sqrt(total / np.maximum(varies, 1))
    return scale.ravel()


def _discriminate(between, within, n, n_max, least):
    """Directions of the largest ratios of two covariances, of unit variance in both.

    Parameters
    ----------
    between, within : ndarray, shape (n_features, n_features)
        Sums of products over n rows of signal and of noise.
    n : int
        Number of rows.
    n_max, least : int, float
        As in :meth:`FeatureScaler.from_signal`.

    Returns
    -------
    components : ndarray, shape (n_features, n_components)
        Columns in the order of their ratios, the largest first.
    """
    from scipy.linalg import eigh

    last = len(within) - 1
    first = max(0, last + 1 - n_max)
    ratio, vectors = eigh(between, within, subset_by_index=[first, last])
    kept = ratio >= min(least, ratio[-1])
    # Noise of unit variance, then unit variance of both together.
    scale = np.sqrt(n / (1 + ratio[kept]))
    return (vectors[:, kept] * scale)[:, ::-1]


def _leading_directions(x, n_directions, rng):
    """Directions of the largest variance of rows, shape (n_features, n_directions).

    A randomised range finder with one power iteration (Halko et al. 2011): the span
    matters, not the single directions.
    """
    n_directions = min(n_directions, *x.shape)
    sketch = x @ rng.standard_normal((x.shape[1], n_directions), dtype=np.float32)
    sketch = x @ (x.T @ _orthonormal(sketch))
    return _orthonormal(x.T @ _orthonormal(sketch))


def _orthonormal(columns):
    """Return an orthonormal basis of the columns of a tall matrix.

    By their Gram matrix, which for so many rows takes a tenth of the time of a QR
    decomposition; twice, which makes it as exact (Yamamoto et al. 2015).
    """
    for _ in range(2):
        norm = np.linalg.norm(columns, axis=0)
        columns = columns[:, norm > 0] / norm[norm > 0]
        values, vectors = np.linalg.eigh((columns.T @ columns).astype(np.float64))
        # Columns that depend on the others, up to rounding in single precision.
        kept = values > 1e-6 * values[-1]
        columns = columns @ (vectors[:, kept] / np.sqrt(values[kept])).astype(
            columns.dtype
        )
    return columns


def _components(covariance, n_components, whitening):
    """Scaled eigenvectors of the largest eigenvalues, float32."""
    from scipy.linalg import eigh

    last = len(covariance) - 1
    first = max(0, last + 1 - n_components)
    values, vectors = eigh(covariance, subset_by_index=[first, last], overwrite_a=True)
    # Directions without variance, as from fewer rows than features, stay at zero
    # instead of being blown up to that of the others.
    kept = values > values[-1] * 1e-9
    share = np.where(kept, values, values[-1]) / values[-1]
    scale = kept * share ** (-whitening / 2.0) / np.sqrt(values[-1])
    return np.ascontiguousarray((vectors * scale)[:, ::-1], dtype=np.float32)
