"""The only bridge from users' objects, MNE-Python's above all, to arrays."""

import dataclasses
import functools
import numbers
import sys
from collections.abc import Iterator, ValuesView
from pathlib import Path

import numpy as np

from ._checks import check_no_mask, listing
from ._recording_arrays import Recording, join
from ._recording_channels import read_epochs, read_evoked, read_raw, read_spectrum
from ._recording_sources import read_source_estimate

__all__ = ["Recording", "as_recording", "collect"]


def as_recording(
    X,
    *,
    labels=None,
    src=None,
    mode="auto",
    picks=None,
    duration=None,
    sensors=False,
):
    """Turn what a user holds into arrays.

    Parameters
    ----------
    X : array_like | DataFrame | MNE object | list of MNE objects
        What was observed: an array of shape (n_obs, n_nodes, n_points) or
        (n_obs, n_features); or an object of MNE-Python, whose bad channels are left
        out: ``Raw`` (one observation, without segments annotated as bad, and cut at
        joints, which annotations without a duration mark), ``Epochs`` and
        ``EpochsSpectrum`` (one observation per epoch), ``Evoked`` or ``Spectrum``,
        ``SourceEstimate``, ``VolSourceEstimate`` or ``MixedSourceEstimate``. A list, a
        generator or a Series holds objects of one kind, and each element is one
        observation.
    labels : list of mne.Label | path-like | tuple | None
        Regions of source estimates, as in :func:`mne.extract_label_time_course`.
    src : mne.SourceSpaces | None
        Source space of source estimates.
    mode : str
        How sources are averaged over a region, as in
        :func:`mne.extract_label_time_course`. ``"auto"`` aligns signs
        (``"mean_flip"``) on a surface if ``src`` is given, and otherwise takes the
        mean.
    picks : str | array_like | slice | None
        Channels, as in MNE-Python, without bad ones; ``None`` takes MNE-Python's data
        channels or, where there are none, miscellaneous ones; and all EEG,
        magnetometers and gradiometers if ``sensors``.
    duration : float | None
        Length in s of consecutive windows of a ``Raw``, one observation each.
    sensors : bool
        Whether channels are sensors. EEG is then referenced to the average of the
        channels used, and active projectors are taken out of these channels once more.

    Returns
    -------
    recording : Recording
        The arrays.

    Raises
    ------
    TypeError
        If the object, or one of a list, is of another kind.
    ValueError
        If the objects of a list differ in sampling rate or names, values are not
        usable, or labels are missing.
    """
    _check_duration(duration)
    X, names = collect(X), _index_of(X)
    # Nobody can hold an MNE object without MNE-Python being imported.
    if "mne" in sys.modules:
        settings = {
            "labels": labels,
            "src": src,
            "mode": mode,
            "picks": picks,
            "duration": duration,
            "sensors": sensors,
        }
        kind = _kind_of(X)
        if kind is not None:
            return _read(X, kind, settings, is_alone=True)
        kind, elements = _kind_of_list(X)
        if kind is not None:
            read = join([_read(x, kind, settings, is_alone=False) for x in elements])
            has_names = names is not None and len(names) == len(read)
            return dataclasses.replace(read, obs_names=names) if has_names else read
    first = X[0] if isinstance(X, (list, tuple)) and len(X) else X
    # Not every dict: some are sparse arrays, for which scikit-learn has words.
    if isinstance(first, (str, bytes, Path)) or type(X) is dict:
        raise TypeError(
            f"Observations must be an array or objects of MNE-Python, got "
            f"{'' if first is X else 'a list of '}{type(first).__name__}. Read a file "
            "first, for example with mne.io.read_raw()."
        )
    if isinstance(X, (list, tuple)) and not X:
        raise ValueError("The list of recordings is empty. Give one per person.")
    if duration is not None:
        raise ValueError(_WHOSE_DURATION.format("an array"))
    check_no_mask("X", X)
    _check_regular(X)
    return Recording(X, obs_names=names)


def collect(X):
    """Turn whatever holds several recordings into a list.

    Parameters
    ----------
    X : object
        A generator, such as ``apply_inverse_epochs(return_generator=True)`` gives; the
        values of a dict; a pandas Series or an array of objects. Anything else is
        returned as it is.

    Returns
    -------
    X : object
        A list in these cases.

    Raises
    ------
    TypeError
        If X is a set, which has no order, or holds lists of recordings.
    """
    if isinstance(X, (set, frozenset)):
        raise TypeError(
            f"Recordings must be in a list: a {type(X).__name__} has no order, by "
            "which results could be told apart. Give a list in an order that you know."
        )
    holds_objects = getattr(X, "dtype", None) == np.dtype(object)
    # Epochs are iterators too, of their own arrays.
    if isinstance(X, (Iterator, ValuesView)) and not hasattr(X, "info"):
        X = list(X)
    elif holds_objects and np.ndim(X) <= 1:
        # An array with a single object in it has no dimension.
        X = list(X) if np.ndim(X) else X.item()
    elif holds_objects and _holds_mne(np.ravel(X)):
        raise TypeError(
            f"Recordings are in an array of shape {np.shape(X)}. Give a list of them, "
            "list(array.ravel())."
        )
    if isinstance(X, (list, tuple)):
        nested = [x for x in X if isinstance(x, (list, tuple)) and _holds_mne(x)]
        if nested:
            raise TypeError(
                f"A list of recordings holds {len(nested)} lists of recordings. Give "
                "one list with an element per observation; recordings of one "
                "participant become one with mne.concatenate_raws(list)."
            )
    return X


def _holds_mne(elements):
    """Return whether a sequence holds objects of MNE-Python."""
    return any(type(x).__module__.partition(".")[0] == "mne" for x in elements)


def _check_regular(X):
    """Raise an error for lists of arrays of different shapes."""
    if not isinstance(X, (list, tuple)):
        return
    shapes = {np.shape(x) for x in X if isinstance(x, np.ndarray)}
    if len(shapes) > 1:
        raise ValueError(
            f"The {len(X)} arrays of the list have different shapes, "
            f"{listing(sorted(shapes))}. Give arrays of one shape, or time series of "
            "different lengths as mne.io.RawArray, with the names of the rows."
        )


_WHOSE_DURATION = (
    "duration cuts a Raw into windows, and {} has none. Use duration=None, or give "
    "the Raw."
)


def _check_duration(duration):
    if duration is None:
        return
    is_number = isinstance(duration, numbers.Real) and not isinstance(duration, bool)
    if not is_number or not 0 < duration < np.inf:
        raise ValueError(
            f"duration must be a positive number of seconds, got {duration!r}."
        )


@functools.cache
def _kinds():
    """Map the kinds of objects that are read to their classes."""
    import mne

    return {
        "Raw": mne.io.BaseRaw,
        "Epochs": mne.BaseEpochs,
        "Evoked": mne.Evoked,
        # Before Spectrum in every version, whichever inherits from which.
        "EpochsSpectrum": mne.time_frequency.EpochsSpectrum,
        "Spectrum": mne.time_frequency.Spectrum,
        "SourceEstimate": mne.SourceEstimate,
        "VolSourceEstimate": mne.VolSourceEstimate,
        "MixedSourceEstimate": mne.MixedSourceEstimate,
    }


def _kind_of(x):
    """Return the kind of an MNE object, or None if it is something else."""
    for kind, cls in _kinds().items():
        if isinstance(x, cls):
            return kind
    name = type(x).__name__
    if "Vector" in name and name.endswith("SourceEstimate"):
        raise TypeError(
            f"A {name} has three time series for each source. Use .magnitude(), or "
            ".project('pca', src) for one with a sign."
        )
    # Subclasses of list and dict in MNE-Python, as SourceSpaces, are not data either.
    if type(x).__module__.partition(".")[0] == "mne":
        raise TypeError(
            f"A {name} cannot be inverted. Give one of {', '.join(_kinds())}, a list "
            "of these, or an array."
        )
    return None


def _kind_of_list(X):
    """Return the one kind of a list's elements and the elements, or (None, None)."""
    is_objects = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    if not isinstance(X, (list, tuple)) and not is_objects:
        return None, None
    elements = list(X)
    if elements and all(_is_slice_of_raw(x) for x in elements):
        raise TypeError(
            "This is what indexing a single Raw gives, as cross-validation does: pairs "
            "of data and times. Give epochs, mne.make_fixed_length_epochs(raw, "
            "duration=..., preload=True), or a list of one Raw per person."
        )
    kinds = [_kind_of(x) for x in elements]
    found = [kind for kind in kinds if kind is not None]
    if not found:
        return None, None
    strange = [
        type(x).__name__
        for x, kind in zip(elements, kinds, strict=True)
        if kind is None
    ]
    if strange:
        raise TypeError(f"A list of recordings holds something else: {strange}.")
    if len(set(found)) > 1:
        raise TypeError(
            f"A list of recordings must hold objects of one kind, got "
            f"{', '.join(sorted(set(found)))}."
        )
    return found[0], elements


def _is_slice_of_raw(x):
    return (
        isinstance(x, tuple)
        and len(x) == 2
        and all(isinstance(part, np.ndarray) for part in x)
        and x[0].ndim == 2
        and x[1].ndim == 1
        and x[0].shape[1] == len(x[1])
    )


def _read(x, kind, settings, *, is_alone):
    """Read one MNE object; its epochs are one observation if it is one of a list."""
    channels = {name: settings[name] for name in ("picks", "sensors")}
    if kind == "Raw":
        return read_raw(x, duration=settings["duration"], **channels)
    if settings["duration"] is not None:
        raise ValueError(_WHOSE_DURATION.format(f"a {kind}"))
    if kind == "Epochs":
        return read_epochs(x, joined=not is_alone, **channels)
    if kind == "Evoked":
        return read_evoked(x, **channels)
    if kind.endswith("Spectrum"):
        return read_spectrum(x, joined=not is_alone, **channels)
    if settings["sensors"]:
        raise TypeError(
            f"A {kind} has sources, and no sensors for a lead field. Use "
            "lead_field=None, or give the Raw or the Epochs."
        )
    if settings["picks"] is not None:
        raise ValueError(f"picks chooses channels, but a {kind} has labels.")
    sources = {name: settings[name] for name in ("labels", "src", "mode")}
    return read_source_estimate(x, **sources)


def _index_of(X):
    """Return the names of the rows of a DataFrame or Series, or None without names."""
    if not hasattr(X, "iloc"):
        return None
    names = tuple(X.index)
    return names if all(isinstance(name, str) for name in names) and names else None
