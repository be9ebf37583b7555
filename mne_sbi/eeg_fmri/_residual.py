"""Ridge regression, and a small network for what it leaves."""

import numpy as np
from sklearn.utils.extmath import randomized_svd

from .._checks import check_count, draw_seed
from .._keras import isolated_seed
from ._base import Architecture, check_training_settings
from ._folds import inner_folds
from ._gains import fit_gains
from ._ridge import HRFRidge
from ._ridge_solver import take_left_out


class Residual(Architecture):
    """Ridge regression plus a small network, each shrunk by what it is worth.

    Parameters
    ----------
    t_r : float | None
        As in :class:`HRFRidge`.
    lags : str
        As in :class:`HRFRidge`.
    n_inputs : int
        Number of principal components of the ridge's features that the network sees.
    n_hidden : int
        Units of its hidden layer.
    n_networks : int
        Networks for each fold, which differ in their first weights; their mean is what
        counts.
    max_iter : int
        Most passes over the pairs.
    batch_size : int
        Pairs in a step.
    learning_rate : float
        Of the optimiser Adam.

    Attributes
    ----------
    ridge_ : HRFRidge
        The fitted ridge regression.
    gains_ : ndarray, shape (2, n_targets)
        What the ridge's and the network's predictions are multiplied with.
    n_passes_ : int
        After how many passes the networks predicted left-out people best; at zero they
        are not used.
    calibration_ : tuple of ndarray | None
        Coefficients and intercept that :meth:`update` added, as those of the ridge.
    weights_ : list of ndarray
        Of all networks: hidden weights and offsets, and output weights.

    Notes
    -----
    For each fold of people a ridge regression is fitted, and a network to its errors in
    the same people: what is not linear. The prediction is the mean of the networks,
    added to the ridge regression of all. Networks begin with output weights of zero,
    that is at the ridge solution. The number of passes and the gains of both parts, one
    for each target, come from the people whom each fold left out, so that what does not
    generalise is not used.
    """

    default_target = "pca"

    def __init__(
        self,
        t_r=None,
        *,
        lags="auto",
        n_inputs=64,
        n_hidden=32,
        n_networks=4,
        max_iter=20,
        batch_size=64,
        learning_rate=1e-3,
    ):
        self.t_r = t_r
        self.lags = lags
        self.n_inputs = n_inputs
        self.n_hidden = n_hidden
        self.n_networks = n_networks
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate

    def fit(self, X, y, *, groups, grid=None, random_state=None, verbose=None):
        """Fit; see :meth:`Architecture.fit`."""
        check_training_settings(self)
        for name in ("n_inputs", "n_hidden", "n_networks"):
            check_count(name, getattr(self, name))
        seed = draw_seed(random_state)
        self.ridge_ = HRFRidge(self.t_r, lags=self.lags, noise="auto")
        self.calibration_ = None
        folds = inner_folds(groups)
        by_ridge = self.ridge_.fit_by_folds(X, y, groups, folds)
        inputs = self._fit_inputs(X)
        with isolated_seed(seed):
            errors = y[:, np.newaxis] - by_ridge
            by_network = self._train(inputs, errors, folds, seed, verbose)
        by_ridge = take_left_out(by_ridge, folds)
        one_person = len(np.unique(groups)) == 1
        units = _number_folds(folds, len(y)) if one_person else groups
        self.gains_ = fit_gains(y, by_ridge, by_network, units, one_person)
        self.left_out_ = self.gains_[0] * by_ridge + self.gains_[1] * by_network
        return self

    def predict(self, X):
        """Predict targets (n, n_targets)."""
        prediction = self.gains_[0] * self.ridge_.predict(X)
        if self.n_passes_:
            prediction += self.gains_[1] * self._run(self._inputs(X))
        if self.calibration_ is not None:
            coef, intercept = self.calibration_
            prediction += np.tensordot(X, coef, axes=3) + intercept
        return prediction

    def update(self, X, y, *, random_state=None, verbose=None):
        """Add a ridge regression of one person; see :meth:`Architecture.update`."""
        added = self.ridge_.correct(X, y - self.predict(X))
        before = self.calibration_ or (0.0, 0.0)
        self.calibration_ = tuple(a + b for a, b in zip(before, added, strict=True))
        return self

    def _fit_inputs(self, X):
        """Find the principal components of the ridge's features."""
        features = self.ridge_.features(X)
        self.input_mean_ = features.mean(axis=0)
        self.input_scale_ = features.std(axis=0)
        self.input_scale_ = np.where(self.input_scale_ > 1e-12, self.input_scale_, 1.0)
        scaled = (features - self.input_mean_) / self.input_scale_
        most = min(self.n_inputs, *scaled.shape)
        _, values, axes = randomized_svd(scaled, most, random_state=0)
        # Components keep their ratios: small ones hold more noise.
        self.input_axes_ = axes.T / max(np.sqrt((values**2).mean() / len(X)), 1e-12)
        return self._inputs(X)

    def _inputs(self, X):
        scaled = (self.ridge_.features(X) - self.input_mean_) / self.input_scale_
        return (scaled @ self.input_axes_).astype(np.float32)

    def _train(self, inputs, errors, folds, seed, verbose):
        """Train a network for each fold on the errors of its ridge regression.

        Returns
        -------
        left_out : ndarray, shape (n, n_targets)
            Predictions of each pair by the network that left it out.
        """
        from ._residual_networks import train

        self.error_scale_ = float(errors.std()) or 1.0
        self.weights_, self.history_, left_out = train(
            inputs,
            (errors / self.error_scale_).astype(np.float32),
            folds,
            self,
            seed,
            verbose,
        )
        self.n_passes_ = int(np.argmax(self.history_["explained"]))
        return left_out * self.error_scale_

    def _run(self, inputs):
        """Return the networks' mean prediction (n, n_targets)."""
        from ._residual_networks import run

        return self.error_scale_ * run(self.weights_, inputs)


def _number_folds(folds, n):
    """Return the number of the fold (n,) that leaves each row out."""
    numbers = np.zeros(n, dtype=int)
    for number, (_, test) in enumerate(folds):
        numbers[test] = number
    return numbers
