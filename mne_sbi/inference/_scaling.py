"""Scaling of features: zero mean, unit variance, optionally principal components."""

from dataclasses import dataclass

import numpy as np

# Rows converted at one time: bounds the memory beside the caller's array.
_CHUNK = 4096
# The principal components are estimated from at most this many rows.
_MAX_PCA_ROWS = 20_000
# A feature whose standard deviation is below this share of its mean is constant.
_CONSTANT = 1e-7


@dataclass(frozen=True)
class FeatureScaler:
    """Affine map of flattened features to standardised ones or to components.

    Parameters
    ----------
    mean, scale : ndarray, shape (n_features,)
        Mean and standard deviation of each feature; the scale of a constant feature is
        one.
    components : ndarray, shape (n_features, n_components) | None
        Columns map standardised features to whitened principal components.
    """

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray | None = None

    @classmethod
    def from_rows(cls, x, *, n_components=None, rng=None):
        """Estimate the map from training rows.

        Parameters
        ----------
        x : ndarray, shape (n, n_features)
            Training rows, finite.
        n_components : int | None
            Number of principal components; None standardises only.
        rng : numpy.random.Generator | None
            Chooses the rows that the components are computed from, where there are
            more than 20,000.

        Returns
        -------
        scaler : FeatureScaler
            The map.
        """
        mean, scale = _moments(x)
        scaler = cls(mean, scale)
        if n_components is None:
            return scaler
        rows = np.arange(len(x))
        if len(x) > _MAX_PCA_ROWS:
            rows = np.sort(rng.choice(len(x), _MAX_PCA_ROWS, replace=False))
        covariance = np.zeros((x.shape[1], x.shape[1]))
        for start in range(0, len(rows), _CHUNK):
            z = scaler.standardise(x[rows[start : start + _CHUNK]])
            covariance += z.T @ z
        return cls(mean, scale, _components(covariance / len(rows), n_components))

    def standardise(self, x):
        """Subtract the mean and divide by the scale, float32."""
        # In this order and in the input's precision: a large mean would cost digits.
        return np.ascontiguousarray((x - self.mean) / self.scale, dtype=np.float32)

    def transform(self, x):
        """Map all rows, in chunks, to float32."""
        n_out = x.shape[1] if self.components is None else self.components.shape[1]
        z = np.empty((len(x), n_out), np.float32)
        for start in range(0, len(x), _CHUNK):
            rows = slice(start, start + _CHUNK)
            z[rows] = self.project(self.standardise(x[rows]))
        return z

    def project(self, z):
        """Map standardised rows to components, if there are any."""
        return z if self.components is None else z @ self.components


def _moments(x):
    """Mean and standard deviation of columns, without a copy of the array."""
    # Sums about the first row lose no digits where the mean is large.
    shift = x[0].astype(np.float64)
    total, total_square = np.zeros_like(shift), np.zeros_like(shift)
    for start in range(0, len(x), _CHUNK):
        rows = x[start : start + _CHUNK] - shift
        total += rows.sum(0)
        total_square += np.einsum("ij,ij->j", rows, rows)
    offset = total / len(x)
    scale = np.sqrt(np.maximum(total_square / len(x) - offset**2, 0.0))
    mean = shift + offset
    scale[scale <= _CONSTANT * np.abs(mean)] = 1.0
    scale[scale == 0.0] = 1.0
    return mean, scale


def _components(covariance, n_components):
    """Whitened eigenvectors of the largest eigenvalues, float32."""
    from scipy.linalg import eigh

    n_features = len(covariance)
    n_components = min(n_components, n_features)
    first = n_features - n_components
    values, vectors = eigh(
        covariance, subset_by_index=[first, n_features - 1], overwrite_a=True
    )
    # Directions without variance, as from fewer rows than features, stay at zero
    # instead of being blown up to unit variance.
    kept = values > values[-1] * 1e-9
    scale = np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    return np.ascontiguousarray((vectors * scale)[:, ::-1], dtype=np.float32)
