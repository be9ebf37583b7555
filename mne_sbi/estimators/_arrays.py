"""First step of a Pipeline: from MNE-Python's epochs to the arrays of its decoders."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_no_mask
from .._recording import as_recording, collect
from .._recording_arrays import SAME_RATE


def _gives_a_table(transformer):
    """Tell whether features have names: not where channels have time series."""
    return not getattr(transformer, "_is_3d", False)


class EpochsToArray(TransformerMixin, BaseEstimator):
    """Turn epochs into an array, as the first step of a Pipeline.

    The transformers of :mod:`mne.decoding` take arrays, but scikit-learn's splitters
    turn :class:`mne.Epochs` into lists of single epochs. With this step before them,
    a ``Pipeline`` can be cross-validated on the ``Epochs`` themselves. Channels are
    matched by name: those of other epochs may be in another order, but not missing.

    Parameters
    ----------
    picks : str | array_like | slice | None
        Channels of the epochs to use, as in MNE-Python; of an array, by number only.
        ``None`` takes all good channels but those of stimuli, eyes, heart, muscles and
        breathing.

    Attributes
    ----------
    ch_names_ : tuple of str | None
        Names of the channels used, in the order of the array; ``None`` after arrays.
    sfreq_ : float | None
        Sampling rate in Hz; ``None`` after arrays.
    n_features_in_ : int
        Number of channels used, or of an array's columns.

    See Also
    --------
    mne.decoding.PSDEstimator : Spectra of arrays.
    mne.decoding.Scaler : Standardise channels.
    mne.decoding.Vectorizer : Flatten all but the first axis.

    Notes
    -----
    Load and clean the epochs before: ``epochs.load_data().drop_bad()``, because
    scikit-learn asks for their number first. Splitting hundreds of epochs takes
    seconds; where that matters, give ``epochs.get_data(copy=False)``.

    Examples
    --------
    >>> from mne.decoding import PSDEstimator, Vectorizer
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from mne_sbi import EpochsToArray
    >>> pipeline = make_pipeline(
    ...     EpochsToArray(), PSDEstimator(160.0), Vectorizer(), RidgeClassifier()
    ... )
    """

    def __init__(self, picks=None):
        self.picks = picks

    def fit(self, X, y=None):
        """Remember the channels and the sampling rate.

        Parameters
        ----------
        X : mne.Epochs | list of mne.Epochs | array_like
            Epochs; a list of single epochs; or an array of shape (n_epochs,
            n_channels, n_times) or (n_epochs, n_features).
        y : object
            Not used.

        Returns
        -------
        self : EpochsToArray
            The fitted transformer.
        """
        self._read(X, reset=True)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and turn the same epochs into an array.

        Parameters
        ----------
        X : mne.Epochs | list of mne.Epochs | array_like
            As in :meth:`fit`.
        y : object
            Not used.

        Returns
        -------
        array : ndarray, shape (n_epochs, n_channels, n_times) | (n_epochs, n_features)
            The data.
        """
        return self._read(X, reset=True)

    def transform(self, X):
        """Turn epochs into an array.

        Parameters
        ----------
        X : mne.Epochs | list of mne.Epochs | array_like
            Epochs with the channels of the fit, in any order; or an array with its
            channels in that of the fit.

        Returns
        -------
        array : ndarray, shape (n_epochs, n_channels, n_times) | (n_epochs, n_features)
            The data, in V, T or T/m as MNE-Python has them.

        Raises
        ------
        ValueError
            If channels are missing or bad, or the sampling rate is another.
        """
        check_is_fitted(self)
        return self._read(X, reset=False)

    @available_if(_gives_a_table)
    def get_feature_names_out(self, input_features=None):
        """Get the names of the features of a table; there are none for time series.

        Parameters
        ----------
        input_features : array_like of str | None
            Names of the columns; ``None`` for those of the fit.

        Returns
        -------
        names : ndarray of str
            The names of the features.
        """
        check_is_fitted(self)
        names = OneToOneFeatureMixin.get_feature_names_out(self, input_features)
        return names if self.picks is None else names[self._columns(len(names))]

    def _read(self, X, *, reset):
        """Return X as an array, and remember what it is or compare it with the fit."""
        X = collect(X)
        epochs = _as_epochs(X)
        if epochs is None:
            return self._read_array(X, reset=reset)
        if reset:
            recording = as_recording(epochs, picks=self.picks)
            self.ch_names_, self.sfreq_ = recording.names, recording.sfreq
            self.n_features_in_ = len(recording.names)
            self._is_3d = True
            self.__dict__.pop("feature_names_in_", None)
        elif self.ch_names_ is None:
            raise ValueError(
                "EpochsToArray was fitted to an array, whose channels have no names. "
                "Give epochs.get_data(), or fit to Epochs."
            )
        else:
            for element in epochs if isinstance(epochs, list) else [epochs]:
                _check_channels(element, self.ch_names_)
            recording = as_recording(epochs, picks=list(self.ch_names_))
            if not np.isclose(recording.sfreq, self.sfreq_, rtol=SAME_RATE, atol=0):
                raise ValueError(
                    f"The epochs are sampled at {recording.sfreq:g} Hz, but those of "
                    f"the fit were at {self.sfreq_:g} Hz. Use epochs.resample("
                    f"{self.sfreq_:g})."
                )
        lengths = sorted({series.shape[1] for series in recording.data})
        if len(lengths) > 1:
            raise ValueError(
                f"All epochs must have the same number of samples, got {lengths}. Use "
                "epochs.crop()."
            )
        data = np.stack(recording.data)
        joined = np.flatnonzero(np.isnan(data).any(axis=(1, 2)))
        if len(joined):
            raise ValueError(
                f"{len(joined)} of {len(data)} epochs reach across a joint of two "
                "pieces of the recording, which an annotation such as 'boundary' "
                f"marks. Leave them out: epochs.drop({joined.tolist()})."
            )
        return data

    def _read_array(self, X, *, reset):
        """Validate an array as scikit-learn does it."""
        settings = {"dtype": [np.float64, np.float32], "allow_nd": True, "order": "C"}
        by_name = not reset and self.ch_names_ is not None
        check_no_mask("X", X)
        # Columns are channels after Epochs, and features after a table.
        X = validate_data(self, X, reset=reset, **settings)
        if X.ndim > 3 or (by_name and X.ndim != 3):
            raise ValueError(
                "EpochsToArray takes arrays of shape (n_epochs, n_channels, n_times)"
                f"{'' if by_name else ' or (n_epochs, n_features)'}, got {X.shape}."
            )
        if reset:
            self.ch_names_ = self.sfreq_ = None
            self._is_3d = X.ndim == 3
        elif (X.ndim == 3) != self._is_3d:
            raise ValueError(
                f"EpochsToArray was fitted to an array of {2 + self._is_3d} axes, got "
                f"{X.ndim}."
            )
        # After Epochs, the array has only the channels that were picked.
        if by_name or self.picks is None:
            return X
        return np.ascontiguousarray(X[:, self._columns(X.shape[1])])

    def _columns(self, n_columns):
        """Return the columns that picks chooses of an array, by number."""
        try:
            columns = np.atleast_1d(np.arange(n_columns)[self.picks])
        except IndexError as exc:
            raise ValueError(
                f"An array has no names, so that picks={self.picks!r} cannot be found "
                f"among its {n_columns} channels. Give numbers, or Epochs."
            ) from exc
        if not columns.size or columns.ndim != 1:
            raise ValueError(f"picks={self.picks!r} chooses no list of channels.")
        return columns

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _as_epochs(X):
    """Return Epochs or a list of single epochs, or None if X is no object of MNE's."""
    is_list = isinstance(X, (list, tuple))
    first = X[0] if is_list and len(X) else X
    if type(first).__module__.partition(".")[0] != "mne":
        return None
    import mne

    elements = list(X) if is_list else [X]
    strange = {type(x).__name__ for x in elements if not isinstance(x, mne.BaseEpochs)}
    if strange:
        raise TypeError(
            f"EpochsToArray takes Epochs, got {', '.join(sorted(strange))}. Cut a Raw "
            "with mne.make_fixed_length_epochs(raw, duration=..., preload=True)."
        )
    if not is_list:
        return X
    several = [i for i, epochs in enumerate(elements) if len(epochs) != 1]
    if several:
        raise ValueError(
            "A list must hold single epochs, as scikit-learn's splitters make them, "
            f"but its element {several[0]} holds {len(elements[several[0]])}. Join "
            "them with mne.concatenate_epochs(list)."
        )
    return elements


def _check_channels(epochs, names):
    """Refuse epochs in which a channel of the fit is missing or bad."""
    bads = set(epochs.info["bads"])
    missing = [name for name in names if name not in epochs.ch_names or name in bads]
    if missing:
        raise ValueError(
            f"The epochs lack channels of the fit, or they are bad: {missing}. "
            "Interpolate bad channels (epochs.interpolate_bads()), or fit without them."
        )
