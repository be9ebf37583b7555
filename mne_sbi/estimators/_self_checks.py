"""What an inverter finds out about itself with simulations of its own."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import draw_seed
from ..diagnostics import Calibration

# Tells the random numbers of checks from those of the training, whose seed may be the
# same number.
_CHECKS = 1


class InverterChecks:
    """The methods of an inverter that check it on fresh simulations."""

    def diagnose(self, n_simulations=500, *, n_draws=500, random_state=None):
        """Check the calibration on fresh simulations with observation noise.

        Parameters
        ----------
        n_simulations : int
            Number of simulations.
        n_draws : int
            Number of posterior draws for each.
        random_state : None | int
            Source of randomness. Whatever it is, the simulations are others than those
            of the training.

        Returns
        -------
        calibration : Calibration
            Coverage of intervals and ranks of the true values, per parameter.
        """
        theta, x = self.simulate_features(n_simulations, random_state=random_state)
        # Shared noise would make the simulations' ranks move together.
        seed = self._check_seed(random_state)
        unit = self.method_.sample(x, n_draws, random_state=seed, shared_noise=False)
        draws = self.prior_.from_unit(unit)
        return Calibration.from_draws(draws, theta, names=self.prior_.names)

    def simulate_features(self, n_simulations, *, random_state=None):
        """Simulate observations: parameters from the prior, features with noise.

        Parameters
        ----------
        n_simulations : int
            Number of simulations.
        random_state : None | int
            Source of randomness. Whatever it is, the simulations are others than those
            of the training.

        Returns
        -------
        theta : ndarray, shape (n_simulations, n_params)
            Parameters.
        x : ndarray, shape (n_simulations, n_features)
            What the network would see of them.
        """
        check_is_fitted(self)
        self._needs_model("Simulating")
        seed = self._check_seed(random_state)
        bank = self.observation_.simulate_bank(
            n_simulations, seed, n_jobs=self.n_jobs, verbose=self.verbose
        )
        x = self.observation_.observe(bank.x[bank.valid], np.random.default_rng(seed))
        return bank.theta[bank.valid], x

    def _needs_model(self, what):
        if self.features_ is None:
            raise ValueError(
                f"{what} needs data of the model, but this inverter was fitted with "
                "fit(X, y) on features of the caller's."
            )

    def _check_seed(self, random_state):
        """Seed of simulations for checks, from a stream that training does not use."""
        seed = self.seed_ if random_state is None else draw_seed(random_state)
        return draw_seed(np.random.default_rng([_CHECKS, seed]))
