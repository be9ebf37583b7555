"""Rows to train on: the features of a bank's simulations, made when needed."""

import numpy as np

# Rows whose features are made at once.
_CHUNK = 2048


class TrainingRows:
    """Features of the valid simulations of a bank, in memory or on disk.

    Parameters
    ----------
    bank : SimulationBank
        The simulations.
    observation : ObservationModel
        Makes features of their summaries.
    nodes : ndarray of int | None
        The observed ones among the bank's nodes; ``None`` for all in their order.
    """

    def __init__(self, bank, observation, nodes=None):
        self._x = bank.x
        self._observation = observation
        self._nodes = nodes
        self.valid = np.flatnonzero(bank.valid)
        self._all_valid = len(self.valid) == len(bank)

    @property
    def is_lazy(self):
        """Whether the simulations stay on disk."""
        return not isinstance(self._x, np.ndarray)

    @property
    def chunk_size(self):
        """Number of neighbouring rows that are read together."""
        return getattr(self._x, "chunk_size", _CHUNK)

    def __len__(self):
        return len(self.valid)

    @property
    def ndim(self):
        """Number of dimensions, as of an array."""
        return 2

    @property
    def shape(self):
        """Number of rows and of features."""
        return len(self), self[:1].shape[1]

    @property
    def dtype(self):
        """Type of the features."""
        return np.dtype(np.float32)

    def __getitem__(self, index):
        """Return features without noise, ndarray of shape (n_rows, n_features)."""
        if isinstance(index, slice):
            index = np.arange(len(self))[index]
        index = np.asarray(index)
        parts = [
            self._observation.normalize_simulated(
                self._summaries(index[start : start + _CHUNK])
            )
            for start in range(0, max(len(index), 1), _CHUNK)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def resample(self, index, rng):
        """Return features with fresh noise, ndarray of shape (n_rows, n_features)."""
        return self._observation.observe(self._summaries(index), rng)

    def _summaries(self, index):
        rows = index if self._all_valid else self.valid[index]
        summaries = self._x[rows]
        return summaries if self._nodes is None else summaries[:, self._nodes]
