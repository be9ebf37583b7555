"""Find forward models, the package's own and those of other packages.

A package offers a model by an entry point in the group ``mne_sbi.forward_models``; the
built-in models are registered in the same way. Looking for models reads metadata only:
a package is imported when one of its models is asked for.
"""

import dataclasses
from importlib.metadata import entry_points

from .._checks import did_you_mean

GROUP = "mne_sbi.forward_models"


class PluginError(RuntimeError):
    """A package offers a forward model that cannot be used."""


@dataclasses.dataclass(frozen=True)
class ForwardModelInfo:
    """What is known of a forward model that a package offers.

    Parameters
    ----------
    name : str
        The name under which it is registered.
    value : str
        Where its class is, as ``"package.module:Class"``.
    distribution : str
        The installed package that offers it.
    version : str
        The version of that package.
    status : "found" | "duplicate" | "ok" | "broken"
        ``"found"`` if it was not imported, ``"duplicate"`` if several packages claim
        the name; ``"ok"`` or ``"broken"`` if it was imported to see.
    error : str
        Why it is broken; empty otherwise.
    """

    name: str
    value: str
    distribution: str
    version: str
    status: str = "found"
    error: str = ""


def list_models(*, details=False, load=False):
    """List the forward models of all installed packages.

    Parameters
    ----------
    details : bool
        Return a record of each model instead of its name.
    load : bool
        Import every model to see whether it works; the records say so in their
        ``status``. Has no effect on the names.

    Returns
    -------
    models : list of str | list of ForwardModelInfo
        The names, each once, or the records, sorted by name. A name that several
        packages claim has several records.
    """
    records = _find_records()
    if not details:
        return sorted({record.name for record, _ in records})
    if load:
        return [_try_to_load(record, entry) for record, entry in records]
    return [record for record, _ in records]


def get_model(name):
    """Get the class of a forward model by its registered name.

    Parameters
    ----------
    name : str
        One of :func:`list_models`.

    Returns
    -------
    model : type
        The class, a subclass of :class:`ForwardModel`.

    Raises
    ------
    ValueError
        If no installed package offers a model of this name.
    PluginError
        If several packages claim the name, or if the package that offers it fails to
        import or offers something else than a forward model.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"The name of a model must be a string, got {name!r}. A model's class or "
            "instance can be used as it is, without being registered."
        )
    records = _find_records()
    matches = [(record, entry) for record, entry in records if record.name == name]
    if not matches:
        names = sorted({record.name for record, _ in records})
        raise ValueError(
            f"There is no forward model {name!r}. Installed: {', '.join(names)}."
            + did_you_mean(name, names)
        )
    if len(matches) > 1:
        claims = " and ".join(_describe(record) for record, _ in matches)
        raise PluginError(
            f"Several packages offer a forward model {name!r}: {claims}. Uninstall all "
            "but one of them, or import the class that you want and use it directly."
        )
    return _load(*matches[0])


def _find_records():
    """Return pairs of a record and its entry point, sorted; imports no plugin."""
    pairs = []
    for entry in entry_points(group=GROUP):
        distribution = entry.dist.name if entry.dist else None
        version = entry.dist.version if entry.dist else None
        record = ForwardModelInfo(
            entry.name, entry.value, distribution or "unknown", version or "unknown"
        )
        pairs.append((record, entry))
    names = [record.name for record, _ in pairs]
    pairs = [
        (dataclasses.replace(record, status="duplicate"), entry)
        if names.count(record.name) > 1
        else (record, entry)
        for record, entry in pairs
    ]
    return sorted(pairs, key=lambda pair: (pair[0].name, pair[0].distribution))


def _describe(record):
    return f"{record.distribution} {record.version} ({record.value})"


def _load(record, entry):
    """Import a model's class and check what it is."""
    from ._base import ForwardModel

    package = record.distribution
    origin = f"The forward model {record.name!r} of {_describe(record)}"
    try:
        model = entry.load()
    # Anything can go wrong while somebody else's module is imported.
    except Exception as exc:
        raise PluginError(
            f"{origin} cannot be imported: {type(exc).__name__}: {exc}. Try "
            f"`pip install --upgrade {package}`, or remove it with "
            f"`pip uninstall {package}`."
        ) from exc
    if not (isinstance(model, type) and issubclass(model, ForwardModel)):
        raise PluginError(
            f"{origin} is {model!r}, but must be a subclass of "
            f"mne_sbi.models.ForwardModel. Tell the authors of {package}."
        )
    return model


def _try_to_load(record, entry):
    """Return the record with the outcome of an import."""
    if record.status == "duplicate":
        return record
    try:
        _load(record, entry)
    except PluginError as exc:
        return dataclasses.replace(record, status="broken", error=str(exc))
    return dataclasses.replace(record, status="ok")
