"""Rows to train on: the features of a bank's simulations, made when needed."""

import numpy as np

from .._checks import draw_seed
from ..simulation._rows import LazyRows

# Simulations of passes have other seeds than those of the bank and of checks.
_PASSES = 2
# Least number of simulations that replace those that are not valid.
_LEAST = 256
# Rows whose features are made at once.
_CHUNK = 2048


class TrainingRows(LazyRows):
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
        self.dtype = np.dtype(np.float32)
        # One row tells how many features there are.
        one = self.take(np.arange(min(1, len(self.valid))))
        self.shape = (len(self.valid), *one.shape[1:])

    @property
    def is_lazy(self):
        """Whether the simulations stay on disk."""
        return isinstance(self._x, LazyRows)

    @property
    def chunks(self):
        """The chunk on disk that each row is read from."""
        return self._x.chunks[self.valid] if self.is_lazy else np.zeros(len(self), int)

    @property
    def n_together(self):
        """The number of chunks that are kept in memory together."""
        return self._x.n_together if self.is_lazy else 1

    def take(self, index):
        """Return features without noise, ndarray of shape (n_rows, ...)."""
        parts = [
            self._observation.normalize_simulated(
                self._summaries(index[start : start + _CHUNK])
            )
            for start in range(0, max(len(index), 1), _CHUNK)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def resample(self, index, rng):
        """Return features with fresh noise, ndarray of shape (n_rows, ...)."""
        return self._observation.observe(self._summaries(index), rng)

    def _summaries(self, index):
        rows = index if self._all_valid else self.valid[index]
        summaries = self._x[rows]
        return summaries if self._nodes is None else summaries[:, self._nodes]


class FreshSimulations:
    """New simulations for every pass over the training data.

    Parameters
    ----------
    inverter : ModelInverter
        An inverter with model, prior, features and seed.
    n : int
        Number of simulations in a pass.
    """

    def __init__(self, inverter, n):
        self._observation = inverter.observation_
        self._seed, self._n, self._n_jobs = inverter.seed_, n, inverter.n_jobs

    def __call__(self, pass_number):
        """Simulate for a pass.

        Parameters
        ----------
        pass_number : int
            Number of the pass, from 1 on; that of the bank is 0.

        Returns
        -------
        theta : ndarray, shape (n, n_params)
            Parameters in the unit cube.
        x : ndarray, shape (n, ...)
            Features with noise.
        """
        rng = np.random.default_rng([_PASSES, self._seed, pass_number])
        theta, x, n_missing = [], [], self._n
        while n_missing:
            # Those that are not valid were reported for the bank, and are replaced.
            # Of few, none may be valid, which is an error.
            n = max(n_missing, min(_LEAST, self._n))
            bank = self._observation.simulate_bank(
                n, draw_seed(rng), n_jobs=self._n_jobs, verbose="CRITICAL"
            )
            used = np.flatnonzero(bank.valid)[:n_missing]
            theta.append(self._observation.prior.to_unit(bank.theta[used]))
            x.append(self._observation.observe(bank.x[used], rng))
            n_missing -= len(used)
        return np.concatenate(theta), np.concatenate(x)
