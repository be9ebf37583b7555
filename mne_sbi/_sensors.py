"""Sensors: which of them are used, and what is projected out of them."""

import sys

import numpy as np

from ._checks import did_you_mean, listing
from ._warnings import warn_user

# FIFF.FIFFV_PROJ_ITEM_EEG_AVREF of MNE-Python
AVERAGE_REFERENCE = 10
_BRAIN = ("eeg", "mag", "grad", "seeg", "ecog", "dbs", "hbo", "hbr")


def sensor_projector(info):
    """Make the projector that recordings and lead fields share.

    Parameters
    ----------
    info : mne.Info
        Of the recording.

    Returns
    -------
    projector : ndarray, shape (n_channels, n_channels)
        Orthogonal projector over the good channels of ``info``, in its order, that
        removes the vectors of the active projectors, cut to these channels, and what
        all EEG channels share.

    Raises
    ------
    ValueError
        If nothing is left of a channel.

    Notes
    -----
    A projector that was applied before channels were dropped has mixed them into the
    others, with weights that cannot be known afterwards. What it subtracted from the
    remaining channels is, however, a combination of its vectors cut to these. Once
    those are projected out of data and lead field alike, the history of a recording
    makes no difference: neither which further channels took part when a projector was
    applied, nor which reference was used. Channels that were bad at that time, but are
    good now, are the one exception; nothing tells them from the others.
    """
    names, kinds = zip(*good_channels(info).items(), strict=True)
    is_eeg = np.array(kinds) == "eeg"
    vectors = [is_eeg.astype(float)]
    # The info in a forward solution has no such entry.
    for projector in info.get("projs", ()):
        if projector["active"]:
            columns = {name: i for i, name in enumerate(projector["data"]["col_names"])}
            index = [columns.get(name, -1) for name in names]
            inside = np.array(index) >= 0
            vectors += list(np.where(inside, projector["data"]["data"][:, index], 0.0))
    vectors = [vector / np.linalg.norm(vector) for vector in vectors if vector.any()]
    identity = np.eye(len(names))
    if not vectors:
        return identity
    basis, strength, _ = np.linalg.svd(np.array(vectors).T, full_matrices=False)
    # MNE-Python's threshold, below which it takes vectors for copies of each other.
    basis = basis[:, strength > 1e-2 * strength[0]]
    result = identity - basis @ basis.T
    empty = [n for n, left in zip(names, np.diag(result), strict=True) if left < 1e-6]
    if empty:
        raise ValueError(
            f"Reference and projectors leave nothing of {listing(empty)}: of "
            f"{len(names)} channels, {basis.shape[1]} directions are removed. Use more "
            "channels, or leave these out."
        )
    return result


def warn_if_not_projected(info, names, *, is_referenced=False):
    """Warn of projectors that are there, but were not applied.

    Parameters
    ----------
    info : mne.Info
        Of the recording.
    names : sequence of str
        The channels that are used.
    is_referenced : bool
        Whether the channels get the average reference in any case.
    """
    used = set(names)
    waiting = [
        str(projector["desc"])
        for projector in info["projs"]
        if not projector["active"]
        and not (is_referenced and projector["kind"] == AVERAGE_REFERENCE)
        and used.intersection(projector["data"]["col_names"])
    ]
    if waiting:
        warn_user(
            f"The recording has projectors that are not applied: {', '.join(waiting)}. "
            "What they would take out is in the data. Use .apply_proj(), or "
            ".del_proj() if it should stay."
        )


def brain_info(info):
    """Leave channels out that do not record the brain, such as eog and stim.

    Parameters
    ----------
    info : mne.Info
        Of a recording.

    Returns
    -------
    info : mne.Info
        Of the others; the same object if there are no such.
    """
    check_info(info)
    from mne import channel_type, pick_info

    kinds = [channel_type(info, index) for index in range(len(info["ch_names"]))]
    kept = [index for index, kind in enumerate(kinds) if kind in _BRAIN]
    if not kept or len(kept) == len(kinds):
        return info
    return pick_info(info, kept, verbose="error")


def rows_for(info, ch_names, ch_types=None):
    """Find a recording's good channels among those of a lead field.

    Parameters
    ----------
    info : mne.Info
        Of the recording.
    ch_names : sequence of str
        Channels of the lead field.
    ch_types : sequence of str | None
        Their types.

    Returns
    -------
    rows : list of int
        Where the good channels of ``info`` are, in its order. Names are matched as by
        :func:`match_ch_names`.

    Raises
    ------
    TypeError
        If ``info`` is no :class:`mne.Info`.
    ValueError
        If channels are missing, or are of another type.
    """
    check_info(info)
    wanted = good_channels(info)
    where = {name: i for i, name in enumerate(ch_names)}
    matched = match_ch_names(wanted, where)
    missing = [name for name in wanted if name not in matched]
    # Said first, because hundreds of names would hide it.
    others = {wanted[name] for name in missing} - set(ch_types or wanted.values())
    if others:
        kinds = sorted(set(ch_types))
        raise ValueError(
            f"The recording has {len(missing)} channels of the types {sorted(others)}, "
            f"but the lead field is of {kinds}. Choose channels with picks={kinds}, or "
            "give an mne.Forward and labels= for all of them."
        )
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(wanted)} good channels of the recording are not "
            f"in the lead field: {listing(missing)}.{did_you_mean(missing[0], where)} "
            f"The lead field has {len(where)} channels: {listing(list(where))}. Choose "
            "channels with picks=, or make the lead field for this recording."
        )
    rows = [where[matched[name]] for name in wanted]
    for name, row in zip(wanted, rows, strict=True) if ch_types else ():
        ours = ch_types[row]
        if wanted[name] != ours:
            raise ValueError(
                f"The channel {name} is of type {wanted[name]!r} in the recording and "
                f"{ours!r} in the lead field. See raw.set_channel_types()."
            )
    return rows


def match_ch_names(names, known):
    """Match names of channels, also where only case or dots differ.

    EEGBCI and other data sets write ``"Fc5."`` and ``"Cz.."`` for FC5 and Cz.

    Parameters
    ----------
    names, known : sequence of str
        Names in one spelling and in another.

    Returns
    -------
    matched : dict of (str -> str)
        The known name of each name that has one: the same, or the only one that
        differs in nothing else and is no other name's.
    """
    known = list(known)
    matched = {name: name for name in names if name in known}
    near, far = {}, {}
    for name in names:
        if name not in matched:
            near.setdefault(_plain(name), []).append(name)
    for name in known:
        if name not in matched:
            far.setdefault(_plain(name), []).append(name)
    for key, ours in near.items():
        theirs = far.get(key, [])
        if len(ours) == len(theirs) == 1:
            matched[ours[0]] = theirs[0]
    return matched


def _plain(name):
    """Return a name without dots at its ends, in lower case."""
    return name.strip(" .").lower()


def good_channels(info):
    """Return the names and types of the channels that are not marked as bad.

    Parameters
    ----------
    info : mne.Info
        Of a recording.

    Returns
    -------
    good : dict of str
        Types by name.

    Raises
    ------
    ValueError
        If all channels are bad.
    """
    kinds = zip(info["ch_names"], info.get_channel_types(), strict=True)
    good = {name: kind for name, kind in kinds if name not in info["bads"]}
    if not good:
        raise ValueError(
            "All channels of the recording are marked as bad. See raw.info['bads']."
        )
    return good


def check_info(info):
    """Refuse anything but an mne.Info.

    Parameters
    ----------
    info : object
        What was given.

    Raises
    ------
    TypeError
        If it is something else.
    """
    # Nobody can hold an Info without MNE-Python being imported.
    if "mne" not in sys.modules or not isinstance(info, sys.modules["mne"].Info):
        raise TypeError(
            f"info must be an mne.Info, such as raw.info, got {type(info).__name__}."
        )


def check_names(label, names, n_expected, key):
    """Check a list of names: their number, and that each stands for one thing.

    Parameters
    ----------
    label : str
        Name of the argument, for the error message.
    names : sequence of str
        The names.
    n_expected : int | None
        How many there must be; ``None`` for any number but none.
    key : callable | None
        From a name to what it stands for; ``None`` allows repetitions.

    Returns
    -------
    names : tuple of str
        The names.

    Raises
    ------
    TypeError
        If they are no list of strings.
    ValueError
        If there is another number of them, or two stand for one thing.
    """
    if isinstance(names, str):
        raise TypeError(f"{label} must be a list of strings, got the string {names!r}.")
    names = [str(name) if isinstance(name, np.str_) else name for name in names]
    strange = [name for name in names if not isinstance(name, str)]
    if strange:
        raise TypeError(f"{label} must hold strings, got {strange[0]!r}.")
    if not names:
        raise ValueError(f"{label} must hold at least one name.")
    if n_expected not in (None, len(names)):
        axis = "column" if label == "node_names" else "row"
        raise ValueError(
            f"{label} must have one entry per {axis} of the gain: there are "
            f"{n_expected} {axis}s, but {len(names)} entries were given."
        )
    if key is not None:
        keys = [key(name) for name in names]
        pairs = zip(names, keys, strict=True)
        twice = [name for name, one in pairs if keys.count(one) > 1]
        if twice:
            raise ValueError(f"{label} must be unique, got twice: {listing(twice)}.")
    return tuple(names)
