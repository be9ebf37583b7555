"""The scikit-learn door of the side road from EEG to fMRI."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from .._checks import check_nested, check_option, check_rng
from .._warnings import keep_warnings
from ._base import Architecture, say_move
from ._grid import find_grid
from ._inputs import (
    agree_t_r,
    as_targets,
    as_windows,
    check_columns,
    check_features,
    check_groups,
    check_percent,
    check_same_unit,
    check_window_shape,
    unpack_pairs,
)
from ._pairs import Pairs
from ._registry import ARCHITECTURES, make_architecture
from ._targets import TARGETS, TargetSpace

# Pairs whose voxels are looked at together.
_BLOCK = 256


class EEG2fMRIRegressor(RegressorMixin, BaseEstimator):
    """Predict fMRI from EEG.

    Parameters
    ----------
    architecture : str | Architecture
        ``"residual"``, the default, is ridge regression on band power plus a small
        network for what is left, each believed as far as it predicts people who were
        left out. ``"hrf_ridge"`` is the ridge regression alone. ``"calhas"``,
        ``"bricman_dense"``, ``"bricman_conv"`` and ``"bricman_transformer"`` are the
        published networks. An object has settings:
        ``mne_sbi.eeg_fmri.Calhas(decoder="dct")``.
    target : str | TargetSpace
        What the architecture predicts: ``"pca"`` for principal components of the
        training fMRI, ``"dct"`` for low spatial frequencies, ``"voxels"`` for the
        columns of ``y`` as they are. ``"auto"`` is ``"pca"`` for ``"residual"`` and
        ``"hrf_ridge"`` where ``y`` has more columns than components, and
        ``"voxels"`` otherwise.
    masker : nilearn.maskers.NiftiMasker | None
        What made ``y`` out of images. Needed for :meth:`predict_img`, for
        ``target="dct"``, and for the architectures that use neighbouring voxels. If
        it is not fitted, it needs a ``mask_img``.
    t_r : float | None
        Repetition time in s, which is the length of the lags of ``X``; None takes
        that of the masker, or of pairs given to ``fit``. Without any, ``"residual"``
        and ``"hrf_ridge"`` know no haemodynamic response and give each lag a
        coefficient.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness of ``fit``.
    verbose : bool | str | None
        Show progress.

    Attributes
    ----------
    architecture_ : Architecture
        The fitted architecture.
    target_ : TargetSpace
        The fitted space of targets.
    grid_ : VolumeGrid | None
        Where the voxels are, where this is known.
    pairs_like_ : Pairs | None
        Channels and features of the pairs of fit, without rows; None for arrays.
    y_std_ : ndarray, shape (n_columns,)
        Standard deviation of the errors for each column of ``y``: in training people
        who were left out, for ``"residual"`` and ``"hrf_ridge"``; that of ``y`` itself
        for the other architectures, which leave nobody out.
    warnings_ : tuple of str
        What the fit warned of, also where a log level has silenced it.
    n_features_in_ : int
        Length of the first axis of a window (channels, or columns of a 2-D ``X``).

    See Also
    --------
    mne_sbi.eeg_fmri.make_pairs : Makes ``X``, ``y``, ``groups`` of recordings.
    mne_sbi.eeg_fmri.evaluate : Scores beside their nulls and baselines.

    Notes
    -----
    Every architecture sees windows of EEG only: ``predict`` never uses fMRI. EEG
    explains a few per cent of the variance of fMRI at best, and volumes as such look
    right for any prediction; so :meth:`score` is the skill over the mean of the
    training pairs, on ``y`` in percent signal change.

    Examples
    --------
    >>> import numpy as np
    >>> import mne_sbi
    >>> from mne_sbi import EEG2fMRIRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 8, 5, 6))  # pairs, channels, bands, lags
    >>> power = X @ mne_sbi.eeg_fmri.hrf_basis(6, t_r=2.0)[:, 0]
    >>> y = power[:, :4, 2] @ rng.standard_normal((4, 30))
    >>> regressor = EEG2fMRIRegressor("hrf_ridge", t_r=2.0).fit(X[:150], y[:150])
    >>> bool(regressor.score(X[150:], y[150:]) > 0.5)
    True
    """

    def __init__(
        self,
        architecture="residual",
        *,
        target="auto",
        masker=None,
        t_r=None,
        random_state=None,
        verbose=None,
    ):
        self.architecture = architecture
        self.target = target
        self.masker = masker
        self.t_r = t_r
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params):
        """Change settings, also those of the architecture and the target.

        Parameters
        ----------
        **params : dict
            Settings by name, such as ``t_r`` or ``architecture__max_iter``.

        Returns
        -------
        self : EEG2fMRIRegressor
            The regressor.

        Raises
        ------
        ValueError
            If there is no such setting, or it is one of an object and a string stands
            in its place.
        """
        examples = {"architecture": "Residual()", "target": "PCATarget()"}
        check_nested(self, params, examples)
        return super().set_params(**params)

    def fit(self, X, y=None, groups=None):
        """Learn from pairs of EEG and fMRI.

        Parameters
        ----------
        X : Pairs | array, shape (n_pairs, n_channels, n_bands, n_lags) | (n_pairs, ...)
            Pairs of :func:`make_pairs`, which hold ``y`` and ``groups``, and whose
            channels and features later ones are compared with. Or windows of EEG, as
            :func:`make_pairs` makes them for the architecture: band power for
            ``"residual"`` and ``"hrf_ridge"``, which also take columns (n_pairs,
            n_features); spectrograms for ``"calhas"``; raw windows (n_pairs,
            n_channels, n_samples) for ``"bricman_*"``.
        y : array, shape (n_pairs, n_voxels) | (n_pairs, nx, ny, nz) | (n_pairs,)
            fMRI, in percent signal change without drift. Not beside pairs.
        groups : array, shape (n_pairs,) | None
            The person of each pair, by which inner folds are made. None is one person;
            then inner folds are blocks of pairs. Pairs of a person stand in the order
            of time.

        Returns
        -------
        self : EEG2fMRIRegressor
            The fitted regressor.

        Raises
        ------
        TypeError
            If an argument is of another type than described.
        ValueError
            If shapes do not fit together, values are not finite, or the
            architecture needs windows of another kind.
        """
        with keep_warnings() as kept:
            self._fit(X, y, groups)
        self.warnings_ = tuple(kept)
        return self

    def _fit(self, X, y, groups):
        """Fit, with warnings."""
        # What fails on the way must not look fitted.
        self.__dict__.pop("y_std_", None)
        self._settle(X)
        check_features(X, self.architecture_)
        self.pairs_like_ = X.take([]) if isinstance(X, Pairs) else None
        X, y, groups = unpack_pairs(X, y, groups)
        X = as_windows(X, self.architecture_)
        # Predictions are of the type of y: volumes are large, so float32 where y is.
        is_single = getattr(y, "dtype", None) == np.float32
        self.y_dtype_ = np.dtype(np.float32 if is_single else np.float64)
        y, self.y_shape_ = as_targets(y, len(X))
        groups = check_groups(groups, len(X))
        self.x_shape_, self.n_features_in_ = X.shape[1:], X.shape[1]
        check_columns(self.masker_, self.pairs_like_, self.y_shape_)
        self.grid_ = find_grid(self.masker_, self.y_shape_)
        rng = check_rng(self.random_state)
        self.target_ = self._make_target(y.shape[1])
        self.target_.fit(y, grid=self.grid_)
        # The grid says where voxels are: of no meaning for components.
        whole = TARGETS["voxels"] is type(self.target_)
        self.architecture_.fit(
            X,
            self.target_.encode(y),
            groups=groups,
            grid=self.grid_ if whole else None,
            random_state=rng,
            verbose=self.verbose,
        )
        self.y_std_ = self._find_std(y)

    def _find_std(self, y):
        """Return the standard deviation of errors in people who are left out."""
        left_out = self.architecture_.__dict__.pop("left_out_", None)
        if left_out is None:
            return y.std(axis=0)
        squares = np.zeros(y.shape[1])
        for start in range(0, len(y), _BLOCK):
            rows = slice(start, start + _BLOCK)
            error = y[rows] - self.target_.decode(left_out[rows])
            squares += (error**2).sum(axis=0)
        return np.sqrt(squares / len(y))

    def partial_fit(self, X, y=None, groups=None):
        """Calibrate on a few minutes of one more person.

        Parameters
        ----------
        X, y : Pairs | array
            Pairs of the new person, as in :meth:`fit`.
        groups : array, shape (n_pairs,) | None
            As in :meth:`fit`; used only if the regressor is not fitted yet, when this
            is the same as :meth:`fit`.

        Returns
        -------
        self : EEG2fMRIRegressor
            The regressor, fitted to the new person.

        Notes
        -----
        Components of fMRI stay those of :meth:`fit`. Ridge regression is shrunk towards
        the coefficients of the group instead of zero, as far as blocks of the new pairs
        that are left out say, and not at all by fewer than 20 pairs; networks are
        trained on for a fifth of their passes, by however few.
        With ``verbose``, it is said how far predictions of these pairs moved.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, groups)
        X, y, _ = unpack_pairs(X, y, groups, self.pairs_like_)
        X = self._check_again(X)
        y, shape = as_targets(y, len(X))
        if shape != self.y_shape_:
            raise ValueError(
                f"y has rows of the shape {shape}, but fit saw {self.y_shape_}. Use "
                "the same masker."
            )
        check_same_unit(y.mean(axis=0), self.target_.mean_, self.y_std_)
        before = self.architecture_.predict(X) if self.verbose else None
        self.architecture_.update(
            X,
            self.target_.encode(y),
            random_state=check_rng(self.random_state),
            verbose=self.verbose,
        )
        if self.verbose:
            say_move(before, self.architecture_.predict(X), self.verbose)
        return self

    def predict(self, X, return_std=False):
        """Predict fMRI.

        Parameters
        ----------
        X : Pairs | array, shape (n_pairs, ...)
            Windows of EEG as in :meth:`fit`. Channels of pairs may be in another order
            if those of fit were pairs too.
        return_std : bool
            Also return standard deviations of the errors.

        Returns
        -------
        y : ndarray, shape (n_pairs, ...)
            As ``y`` of :meth:`fit`: voxels, volumes or one number for each pair, of
            its type: float32 if that was.
        std : ndarray, shape of y
            Only if ``return_std`` is true. The same at all times: ``y_std_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before :meth:`fit`.
        ValueError
            If windows are not as in :meth:`fit`.
        """
        check_is_fitted(self)
        X = self._check_again(X)
        z = self.architecture_.predict(X).astype(self.y_dtype_, copy=False)
        y = self.target_.decode(z).reshape(len(X), *self.y_shape_)
        if not return_std:
            return y
        std = self.y_std_.reshape(self.y_shape_).astype(self.y_dtype_)
        return y, np.broadcast_to(std, y.shape)

    def predict_img(self, X, mean_img=None):
        """Predict fMRI as an image.

        Parameters
        ----------
        X : Pairs | array, shape (n_pairs, ...)
            Windows of EEG, in the order of time.
        mean_img : Niimg-like | None
            The person's mean volume. With it, the image is that mean changed by the
            prediction, which must be in percent; without, it is the prediction.

        Returns
        -------
        img : nibabel.Nifti1Image, shape (nx, ny, nz, n_pairs)
            With the masker's affine and the repetition time in its header; zero
            outside the mask.

        Raises
        ------
        ValueError
            Without a masker, or a repetition time; if ``mean_img`` is given and the
            regressor was not fitted to percentages.

        Warns
        -----
        RuntimeWarning
            If pairs lack volumes, as after bad segments, or are of several recordings:
            the volumes of the image follow each other.
        """
        from ._images import to_image, warn_of_gaps

        check_is_fitted(self)
        if self.masker is None:
            raise ValueError(
                "predict_img needs to know where the columns of y are: give the "
                "estimator masker=, the one that made y, and fit again."
            )
        if self.masker_t_r_ is None:
            raise ValueError(
                "predict_img needs the repetition time for the header: give the "
                "estimator t_r= in s, or a masker that has one, as pairs.masker."
            )
        if mean_img is not None:
            check_percent(self.target_.mean_, self.y_std_)
        if isinstance(X, Pairs):
            warn_of_gaps(X)
        y = self.predict(X)
        y = y.reshape(len(y), -1)
        return to_image(y, self.masker_, self.masker_t_r_, mean_img)

    def score(self, X, y=None):
        """Compute the skill over the mean of the training pairs.

        Parameters
        ----------
        X, y : Pairs | array
            Pairs, as in :meth:`fit`.

        Returns
        -------
        skill : float
            One minus the summed squared error of the prediction over that of the
            training mean; zero for a prediction that knows nothing.
        """
        check_is_fitted(self)
        X, y, _ = unpack_pairs(X, y, like=self.pairs_like_)
        y, _ = as_targets(y, len(X))
        error = y - self.predict(X).reshape(len(y), -1)
        reference = y - self.target_.mean_
        return 1.0 - float(
            (error**2).sum(dtype=float) / (reference**2).sum(dtype=float)
        )

    def _settle(self, X):
        """Turn settings into what is fitted."""
        from ._images import ready_masker

        self.masker_ = ready_masker(self.masker)
        self.masker_t_r_ = t_r = agree_t_r(self.t_r, self.masker_, X)
        if isinstance(self.architecture, Architecture):
            self.architecture_ = clone(self.architecture)
        else:
            check_option("architecture", self.architecture, ARCHITECTURES)
            self.architecture_ = make_architecture(self.architecture)
        if getattr(self.architecture_, "t_r", 0.0) is None:
            self.architecture_.t_r = t_r

    def _make_target(self, n_columns):
        """Return an unfitted space of targets."""
        if isinstance(self.target, TargetSpace):
            return clone(self.target)
        check_option("target", self.target, ("auto", *TARGETS))
        name = self.target
        if name == "auto":
            name = self.architecture_.default_target
            if name == "pca" and n_columns <= TARGETS["pca"]().n_components:
                name = "voxels"
        return TARGETS[name]()

    def _check_again(self, X):
        """Check windows against those of fit."""
        check_features(X, self.architecture_)
        X = unpack_pairs(X, like=self.pairs_like_, targets=False)[0]
        X = as_windows(X, self.architecture_)
        check_window_shape(X, self.x_shape_, self.architecture_)
        return X

    def __sklearn_is_fitted__(self):
        return hasattr(self, "y_std_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        return tags
