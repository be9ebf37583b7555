"""What an inverter finds out about itself with simulations of its own."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import draw_seed
from ..diagnostics import Calibration, identifiability
from ._reading import read_features

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
        seed = self._check_seed(random_state)
        unit = self.method_.sample(x, n_draws, random_state=seed)
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

    def posterior_predictive(self, X, n_draws=200, *, random_state=None):
        """Simulate what the posterior predicts, beside what was measured.

        Parameters
        ----------
        X : array_like | MNE object | list
            Observations, as for :meth:`ModelInverter.predict`.
        n_draws : int
            Number of posterior draws that are simulated for each observation.
        random_state : None | int
            Source of randomness of the simulations.

        Returns
        -------
        measured : ndarray, shape (n_obs, n_features)
            Features of the observations. Where rows are inverted by themselves, each
            row counts as an observation.
        predicted : ndarray, shape (n_obs, n_draws, n_features)
            Features of simulations with parameters from the posterior, with noise. Of
            draws that the model refuses, or that are not finite, they are NaN.

        See Also
        --------
        mne_sbi.diagnostics.predictive_coverage : How much of the measured is predicted.
        """
        check_is_fitted(self)
        self._needs_model("posterior_predictive()")
        x = read_features(self, X).x
        measured = x.reshape(len(x), -1)
        rng = np.random.default_rng(self._check_seed(random_state))
        predicted = [
            self.observation_.predict_noisy(theta, rng)
            for theta in self._draw(x, n_draws)
        ]
        return measured, np.stack(predicted)

    def identifiability(self, at=None, *, n_replicates=1000, random_state=None):
        """Measure what the recording can tell about the parameters at all.

        Parameters
        ----------
        at : dict of float | None
            The point at which it is measured; by default the middle of the prior.
        n_replicates : int
            Simulations of each of the ``2 * n_params + 1`` points.
        random_state : None | int
            Source of randomness.

        Returns
        -------
        result : Identifiability
            Exact symmetries, Fisher information and what follows from it; see
            :func:`mne_sbi.diagnostics.identifiability`, which needs no training.
        """
        check_is_fitted(self)
        self._needs_model("identifiability()")
        observation = self.observation_
        return identifiability(
            self.model_,
            self.prior_,
            observation.simulated_features,
            at=at,
            fixed=self.fixed_,
            nodes=observation.nodes,
            n_replicates=n_replicates,
            random_state=self._check_seed(random_state),
        )

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
