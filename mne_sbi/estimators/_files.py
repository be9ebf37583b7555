"""Fitted inverters as files."""

from pathlib import Path

import numpy as np

from .. import inference
from .._files import damage_named, read_file, save_file
from ..models import PluginError, Recorded
from ._codec import Encoder, decode
from ._inverter import ModelInverter
from ._jansen_rit import JansenRitInverter
from ._named import SGMInverter
from ._observation import ObservationModel
from ._sensors import make_mixing
from ._setup import needs_sequences

_FORMAT = "mne_sbi inverter 2"
_CLASSES = {
    cls.__name__: cls for cls in (ModelInverter, SGMInverter, JansenRitInverter)
}
_METHODS = {
    cls.__name__: cls
    for cls in (inference.NPE, inference.PointRegressor, inference.RejectionABC)
}
# Settings that a file does not hold: objects of MNE-Python, and large arrays.
_LEFT_OUT = ("labels", "src", "simulations")
# Attributes that not every fitted inverter has.
_OPTIONAL = (
    "n_features_in_",
    "input_shape_",
    "lead_field_",
    "ch_names_",
    "projector_",
    "row_names_",
    "n_rows_",
    "largest_distance_",
)


def save_inverter(inverter, fname, overwrite=False):
    """Save a fitted inverter to one file, without pickle.

    Parameters
    ----------
    inverter : ModelInverter
        The fitted inverter.
    fname : path-like
        Name of the file, which ends in ``.zip``.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is false.
    TypeError
        If a setting cannot be saved: a model that is not registered, features or a
        method of the caller's own class, a random state that is no integer.
    ValueError
        If the name does not end in ``.zip``.

    Notes
    -----
    The file is a zip archive of ``content.json`` and of arrays in NumPy's format. It
    does not hold the simulations, nor the objects of MNE-Python among the settings; a
    lead field that was made of one is in it.
    """
    if Path(fname).suffix != ".zip":
        raise ValueError(f"The file's name must end in .zip, got {fname}.")
    encoder = Encoder()
    content = _describe(inverter, encoder)
    save_file(fname, content, encoder.arrays, version=_FORMAT, overwrite=overwrite)
    _note_left_out(inverter)


def _note_left_out(inverter):
    """Tell which settings have to be given again after reading."""
    settings = inverter.get_params(deep=False)
    dropped = [n for n in ("labels", "src") if settings.get(n) is not None]
    if inverter.lead_field_ is not None:
        # The lead field itself is in the file.
        dropped = []
    if dropped:
        from mne.utils import logger

        again = ", ".join(f"{name}=..." for name in dropped)
        logger.info(
            f"{' and '.join(dropped)} are not saved. After reading the inverter, give "
            f"them again: inverter.set_params({again})."
        )


def _describe(inverter, encoder):
    """Describe an inverter by what JSON can hold, and arrays."""
    cls = type(inverter)
    if _CLASSES.get(cls.__name__) is not cls:
        raise TypeError(
            f"Only {' and '.join(_CLASSES)} can be saved, got a {cls.__name__}. Use "
            "joblib.dump()."
        )
    method = type(inverter.method_)
    if _METHODS.get(method.__name__) is not method:
        raise TypeError(
            f"The method {method.__name__} is not one of the package's "
            f"({', '.join(_METHODS)}) and cannot be saved. Use joblib.dump()."
        )
    settings = inverter.get_params(deep=False)
    kept = {name: v for name, v in settings.items() if name not in _LEFT_OUT}
    if not isinstance(kept.get("lead_field"), (str, type(None))):
        # An mne.Forward is large; what was made of it is enough to fit again.
        kept["lead_field"] = inverter.lead_field_
    state, arrays = inverter.method_.get_state()
    observation = inverter.observation_
    fitted = {
        "model": inverter.model_,
        "prior": inverter.prior_,
        "fixed": inverter.fixed_,
        "features": observation.features,
        "nodes": observation.nodes,
        "unit": observation.unit,
        "node_names": inverter.node_names_,
        "seed": inverter.seed_,
        "y_ndim": inverter.y_ndim_,
        "warnings": inverter.warnings_,
        # Pairs of the caller's own features have no extractor.
        "has_features": inverter.features_ is not None,
        "method_state": state,
        "method_arrays": arrays,
    }
    for name in _OPTIONAL:
        if hasattr(inverter, name):
            fitted[name] = getattr(inverter, name)
    if hasattr(inverter, "feature_names_in_"):
        fitted["feature_names_in_"] = [str(n) for n in inverter.feature_names_in_]
    return {
        "class": cls.__name__,
        "method": method.__name__,
        "settings": {n: encoder.encode(v, f"{n}=") for n, v in kept.items()},
        "fitted": {n: encoder.encode(v, n) for n, v in fitted.items()},
    }


def read_inverter(fname):
    """Read an inverter that was saved with :meth:`ModelInverter.save`.

    Parameters
    ----------
    fname : path-like
        Name of the file.

    Returns
    -------
    inverter : ModelInverter
        The fitted inverter, of the class that was saved. It predicts what it predicted
        before. The simulations are not in the file: ``bank_`` is ``None``. Source
        spaces and labels are not either: give them again with
        ``inverter.set_params(labels=..., src=...)``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    RuntimeError
        If the forward model is of a package that is not installed or broken.
    ValueError
        If the file is damaged, holds something else, or is of a newer version.
    """
    with damage_named(fname, "an inverter", "ModelInverter.save()"):
        try:
            return _restore(*read_file(fname, _FORMAT))
        except PluginError as exc:
            not_installed = exc
    raise not_installed


def _restore(content, arrays):
    """Make the inverter that :func:`_describe` described."""
    settings = {n: decode(v, arrays) for n, v in content["settings"].items()}
    fitted = {n: decode(v, arrays) for n, v in content["fitted"].items()}
    inverter = _CLASSES[content["class"]](**settings)
    method = _METHODS[content["method"]]
    inverter.model_ = fitted["model"]
    inverter.prior_ = fitted["prior"]
    inverter.fixed_ = fitted["fixed"]
    inverter.seed_ = fitted["seed"]
    inverter.y_ndim_ = fitted["y_ndim"]
    inverter.warnings_ = tuple(fitted["warnings"])
    inverter.node_names_ = fitted["node_names"]
    inverter.bank_ = None
    inverter.features_ = fitted["features"] if fitted["has_features"] else None
    inverter.lead_field_ = fitted.get("lead_field_")
    inverter.ch_names_ = fitted.get("ch_names_")
    inverter.projector_ = None
    mixing, nodes = None, fitted["nodes"]
    if inverter.lead_field_ is not None and not isinstance(inverter.model_, Recorded):
        mixing = make_mixing(inverter.lead_field_, inverter.model_, nodes)
    inverter.method_ = method.from_state(
        fitted["method_state"], fitted["method_arrays"]
    )
    inverter.observation_ = ObservationModel(
        inverter.model_,
        inverter.prior_,
        inverter.fixed_,
        fitted["features"],
        nodes,
        fitted["unit"],
        mixing,
        flat=not needs_sequences(inverter.method_),
    )
    for name in _OPTIONAL:
        if name in fitted:
            setattr(inverter, name, fitted[name])
    if "feature_names_in_" in fitted:
        names = np.array(fitted["feature_names_in_"], dtype=object)
        inverter.feature_names_in_ = names
    return inverter
