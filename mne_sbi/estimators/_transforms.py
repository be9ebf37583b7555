"""An inverter as a transformer: from data to parameters and back."""

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import check_array, check_no_mask
from .._parameters import check_units, order_by_name
from ._reading import read_features


class InverterTransforms(TransformerMixin):
    """The methods of an inverter that scikit-learn expects of transformers."""

    # Here, because the mixin wraps `transform` only in classes that define it.

    def transform(self, X):
        """Estimate parameters, as :meth:`predict` does.

        Parameters
        ----------
        X : array_like | MNE object | list
            Observations.

        Returns
        -------
        theta : ndarray, shape (n_obs, n_params)
            Parameters, in the columns of :meth:`get_feature_names_out`.

        Raises
        ------
        ValueError
            If rows that are inverted each by itself are not those of the fit, whose
            names the columns have.
        """
        observed = read_features(self, X)
        known, n_known = getattr(self, "row_names_", None), self._n_rows
        others = None not in (known, observed.row_names) and observed.row_names != known
        if others or observed.n_rows != n_known:
            raise ValueError(
                f"transform has columns for {n_known} rows as in the fit, "
                f"{known or 'without names'}, and X has {observed.n_rows}: "
                f"{observed.row_names or 'without names'}. Fit to such recordings, or "
                "use predict_posterior, which names what it inverts."
            )
        theta, _ = self._estimate(observed.x)
        return theta.reshape(-1, n_known * theta.shape[1])

    @property
    def _n_rows(self):
        """Rows of a recording that are inverted by themselves, as in the fit."""
        return getattr(self, "n_rows_", 1)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the parameters.

        Parameters
        ----------
        input_features : None
            Not used.

        Returns
        -------
        names : ndarray of str, shape (n_params,)
            The names; ``A@Oz`` where several rows of a recording are inverted each by
            itself, with their numbers where they have no names.
        """
        check_is_fitted(self)
        names = self.prior_.names
        rows = getattr(self, "row_names_", None) or range(self._n_rows)
        if len(rows) > 1:
            names = [f"{name}@{row}" for row in rows for name in names]
        return np.array(names, dtype=object)

    def _order_parameters(self, name, theta):
        """Return parameters of the caller's in the order of those of the fit."""
        check_no_mask(name, theta)
        theta = order_by_name(name, theta, self.get_feature_names_out())
        n_params = len(self.prior_.names)
        if np.ndim(theta) == 2 and np.shape(theta)[1] % n_params == 0:
            values = np.reshape(np.asarray(theta, dtype=float), (-1, n_params))
            check_units(self.prior_.parameters, values, name)
        return theta

    def inverse_transform(self, theta):
        """Compute the model's data for parameters.

        Parameters
        ----------
        theta : array_like | DataFrame, shape (n_obs, n_params)
            Parameters in the units of ``prior_``; of several rows side by side, as
            :meth:`transform` returns them, where each is inverted by itself. The
            columns of a data frame are found by name.

        Returns
        -------
        data : ndarray, shape (n_obs, n_rows, n_freqs) or (n_obs, n_rows, n_times)
            Spectra in dB, or time series, of the observed nodes, or of the channels of
            a lead field.
        """
        check_is_fitted(self)
        n_params, n_rows = len(self.prior_.names), self._n_rows
        theta = self._order_parameters("theta", theta)
        if np.shape(theta)[1:] != (n_rows * n_params,):
            n_rows = 1
        theta = check_array("theta", theta, shape=("n_obs", n_rows * n_params))
        theta = theta.reshape(-1, n_params)
        data = self.observation_.simulate_rows(theta, self.seed_)
        data = data.reshape(-1, n_rows * data.shape[1], data.shape[2])
        return 10 * np.log10(data) if self.model_.output == "spectrum" else data
