"""Settings as plain JSON and arrays, and back, without pickle.

Classes are looked up in fixed tables and in the registry of models: a file can name
none that is not known here, so that reading one runs no code of its author's.
"""

import dataclasses

import numpy as np

from .. import features, inference
from .._connectome import Connectome
from .._lead_field import LeadField
from .._priors import Parameter, Prior
from .._source_imaging import SourceImaging
from ..models import (
    ForwardModel,
    PluginError,
    PulseTrain,
    Recorded,
    get_model,
    list_models,
)

# Encoded objects are dicts with this key; nothing else is a dict in the JSON.
_KIND = "is"
_NOUNS = {
    "Connectome": Connectome,
    "LeadField": LeadField,
    "SourceImaging": SourceImaging,
}
_RECORDS = {
    "Parameter": Parameter,
    "SpectralNoise": features.SpectralNoise,
    "PulseTrain": PulseTrain,
}
_SETTINGS = {
    "LogPSD": features.LogPSD,
    "TimeSeries": features.TimeSeries,
    "EnvelopeCorrelation": features.EnvelopeCorrelation,
    "Joined": features.Joined,
    # Around a model of any name.
    "Recorded": Recorded,
    "NPE": inference.NPE,
    "PointRegressor": inference.PointRegressor,
    "RejectionABC": inference.RejectionABC,
}


class Encoder:
    """Turns values into what JSON can hold, and gathers their arrays.

    Attributes
    ----------
    arrays : dict of ndarray
        The arrays, each once, by the names under which the JSON refers to them.
    """

    def __init__(self):
        self.arrays = {}
        self._names = {}

    def encode(self, value, name):
        """Encode a value.

        Parameters
        ----------
        value : object
            A plain value, a container of such, an array, or one of the package's
            nouns.
        name : str
            What the value is, for the error message.

        Returns
        -------
        encoded : object
            What JSON can hold.

        Raises
        ------
        TypeError
            If it is something else.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, list):
            return [self.encode(item, name) for item in value]
        if isinstance(value, tuple):
            return {_KIND: "tuple", "items": self.encode(list(value), name)}
        if isinstance(value, dict):
            pairs = [[key, self.encode(item, name)] for key, item in value.items()]
            if all(isinstance(key, str) for key in value):
                return {_KIND: "dict", "items": pairs}
        if isinstance(value, np.ndarray) and value.dtype != object:
            return {_KIND: "array", "name": self._store(value)}
        return self._encode_object(value, name)

    def _encode_object(self, value, name):
        cls = type(value)
        known = cls.__name__
        if _NOUNS.get(known) is cls:
            return {_KIND: known, "of": self.encode(value.to_dict(), name)}
        if cls is Prior:
            return {_KIND: known, "of": self.encode(list(value.parameters), name)}
        if _RECORDS.get(known) is cls:
            # Not asdict(): it copies what it does not know.
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(cls)}
            return {_KIND: known, "of": self.encode(fields, name)}
        if _SETTINGS.get(known) is cls:
            return {
                _KIND: known,
                "of": self.encode(value.get_params(deep=False), name),
            }
        if isinstance(value, ForwardModel):
            return {
                _KIND: "model",
                "name": find_registered_name(value),
                "of": self.encode(value.get_params(deep=False), name),
            }
        raise TypeError(
            f"{name} holds {value!r}, a {cls.__name__}, which cannot be saved without "
            f"pickle. If the fitted inverter works without it (a random state), "
            f"replace it first with set_params(); otherwise use joblib.dump()."
        )

    def _store(self, array):
        # By identity: the connectome stands in the settings and in the fitted model.
        if id(array) not in self._names:
            self._names[id(array)] = f"array_{len(self._names):03d}"
            self.arrays[self._names[id(array)]] = array
        return self._names[id(array)]


def decode(value, arrays):
    """Restore what :meth:`Encoder.encode` encoded.

    Parameters
    ----------
    value : object
        What was in the JSON.
    arrays : dict of ndarray
        The arrays.

    Returns
    -------
    decoded : object
        The value.

    Raises
    ------
    KeyError
        If the JSON holds what an encoder does not write.
    """
    if isinstance(value, list):
        return [decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value[_KIND]
    if kind == "array":
        return arrays[value["name"]]
    if kind == "tuple":
        return tuple(decode(value["items"], arrays))
    if kind == "dict":
        return {key: decode(item, arrays) for key, item in value["items"]}
    content = decode(value["of"], arrays)
    if kind in _NOUNS:
        return _NOUNS[kind].from_dict(content)
    if kind == "Prior":
        return Prior(content)
    if kind == "model":
        return _get_model(value["name"])(**content)
    return (_RECORDS | _SETTINGS)[kind](**content)


def find_registered_name(model):
    """Find the name under which a model's class is registered.

    Parameters
    ----------
    model : ForwardModel
        The model.

    Returns
    -------
    name : str
        The name.

    Raises
    ------
    TypeError
        If its class is not registered.
    """
    cls = type(model)
    for info in list_models(details=True):
        # Only those that can be it: asking for a class imports its package.
        if info.status == "duplicate" or info.value.split(":")[-1] != cls.__qualname__:
            continue
        try:
            if get_model(info.name) is cls:
                return info.name
        except PluginError:
            continue
    raise TypeError(
        f"The model {cls.__name__} is not registered, so that a file could not name "
        "it. Register it in its package as an entry point in the group "
        "'mne_sbi.forward_models', or use joblib.dump()."
    )


def _get_model(name):
    try:
        return get_model(name)
    except (ValueError, PluginError) as exc:
        raise PluginError(
            f"The inverter was made with the forward model {name!r}, which cannot be "
            f"loaded: {exc}"
        ) from exc
