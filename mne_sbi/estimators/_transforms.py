"""An inverter as a transformer: from data to parameters and back."""

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted


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
            Parameters.
        """
        theta = self.predict(X)
        return theta.reshape(len(theta), -1)

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
            itself.
        """
        check_is_fitted(self)
        names = self.prior_.names
        rows = getattr(self, "row_names_", None)
        if rows is not None and len(rows) > 1:
            names = [f"{name}@{row}" for row in rows for name in names]
        return np.array(names, dtype=object)

    def inverse_transform(self, theta):
        """Compute the model's data for parameters.

        Parameters
        ----------
        theta : array_like, shape (n_obs, n_params)
            Parameters in the units of ``prior_``.

        Returns
        -------
        data : ndarray, shape (n_obs, n_rows, n_freqs) or (n_obs, n_rows, n_times)
            Spectra in dB, or time series, of the observed nodes, or of the channels of
            a lead field.
        """
        check_is_fitted(self)
        data = self.observation_.simulate_rows(theta, self.seed_)
        return 10 * np.log10(data) if self.model_.output == "spectrum" else data
