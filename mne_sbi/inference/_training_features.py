"""Features of training rows: as given, from disk, or with fresh noise."""

import numpy as np

from ..simulation._rows import LazyRows
from ._base import check_finite_rows
from ._scaling import MAX_SOLVED

# Rows of fresh noise from which the scale of the features is estimated, and most values
# of them: beyond 6,710 features there are fewer rows.
_N_SCALING_ROWS = 20_000
_N_SCALING_VALUES = 2**27
# Rows of as many features as have their components from the span of some directions.
_N_SPAN_ROWS = 6144
# Rows that are read at once where many are needed.
_PIECE = 2048


class TrainingFeatures:
    """Features of training rows, as given or with fresh noise."""

    def __init__(self, x, shape, resample):
        self.x, self.resample, self._shape = x, resample, shape

    @property
    def are_many(self):
        """Whether the rows are on disk, and more than fit into memory."""
        return isinstance(self.x, LazyRows) and not self.x.fits

    def locate(self, indices):
        """Say where rows are on disk, as :class:`Batches` takes it."""
        if not self.are_many:
            return {}
        chunks = self.x.chunks[indices]
        return {"chunks": chunks, "n_together": self.x.n_together}

    def in_pieces(self, features, indices, rng):
        """Compute features, piece by piece if the rows are on disk."""
        if not self.are_many:
            return features(indices, rng)
        starts = range(0, len(indices), _PIECE)
        return np.concatenate([features(indices[s : s + _PIECE], rng) for s in starts])

    def take(self, indices, rng):
        """Return rows, shape (len(indices), n_features)."""
        if self.resample is None:
            rows = self.x[indices]
            if isinstance(self.x, LazyRows):
                check_finite_rows("x", rows)
            return rows
        rows = np.asarray(self.resample(indices, rng))
        if rows.shape != (len(indices), *self._shape):
            raise ValueError(
                f"resample must return an array of shape {(len(indices), *self._shape)}"
                f" for {len(indices)} indices, got {rows.shape}."
            )
        rows = rows.reshape(len(rows), -1)
        check_finite_rows("what resample returns", rows)
        return rows

    def signal_and_noisy(self, n, rng):
        """Return rows without and with noise, more than features if possible."""
        if len(self.x) != n:
            raise ValueError(
                f"n_components='auto' needs the {n} rows of x without noise beside "
                f"resample, got {len(self.x)} rows. Give them, or n_components=None."
            )
        n_features = self.x.shape[1]
        n_rows = max(min(n, _N_SCALING_ROWS), 4 * n_features)
        if n_features > MAX_SOLVED:
            n_rows = _N_SPAN_ROWS
        # Few simulations are used several times: their noise is new each time.
        indices = np.sort(rng.permutation(np.arange(n_rows) % n))
        pieces = np.array_split(indices, max(1, n_rows // _PIECE))
        noisy = np.concatenate([self.take(piece, rng) for piece in pieces])
        return self.x[indices], noisy

    def for_scaling(self, n, rng):
        """Return rows to estimate scale and components from."""
        if self.resample is None:
            return self.x
        indices = np.arange(n)
        most = min(_N_SCALING_ROWS, _N_SCALING_VALUES // self.x.shape[1])
        if n > most:
            indices = np.sort(rng.choice(n, most, replace=False))
        return self.take(indices, rng)
