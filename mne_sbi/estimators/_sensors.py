"""Recordings of sensors: which regions they see, through what, in which order."""

import dataclasses

import numpy as np

from .._checks import listing
from .._lead_field import LeadField, make_lead_field
from .._recording_sources import is_no_region
from .._region_names import normalize_region_name
from .._sensors import match_ch_names, sensor_projector
from .._warnings import warn_user
from ..features._sensors import SensorMixing
from ..models import Recorded
from ._inputs import get_inner


def find_sensors(model, lead_field, recording, labels=None, nodes=None):
    """Find what the sensors of a recording see of a model.

    Parameters
    ----------
    model : ForwardModel
        The model.
    lead_field : "template" | mne.Forward | LeadField
        The setting of the inverter.
    recording : Recording | None
        What is recorded; ``None`` and arrays need a :class:`LeadField`, whose channels
        are the rows.
    labels : list of mne.Label | None
        Regions of an ``mne.Forward``.
    nodes : list of str | None
        The inverter's names of rows, which have to be left out here.

    Returns
    -------
    lead_field : LeadField
        From regions to the channels of the recording, with its reference.
    nodes : ndarray of int | None
        The model's nodes that the sensors see; ``None`` for a :class:`Recorded` model,
        which gets the lead field as a setting.
    mixing : SensorMixing | None
        From these nodes to the channels.

    Raises
    ------
    ValueError
        If the model has no named nodes, or the recording no positions.
    """
    if nodes is not None:
        raise ValueError(
            "nodes= names rows that are regions, but with lead_field= the rows are "
            "channels. Leave nodes out."
        )
    if getattr(model, "source_imaging", None) is not None:
        raise ValueError(
            "With source_imaging= in Recorded, the rows of a recording are labels, and "
            "lead_field= of the inverter would make them channels. Give the lead field "
            "to Recorded, and None to the inverter."
        )
    names = get_inner(model).node_names
    if names is None and not get_inner(model).single_node:
        raise ValueError(
            f"lead_field= needs a model whose nodes have names, and "
            f"{type(model).__name__} has none. Give it a connectome."
        )
    info = None if recording is None else recording.info
    if info is not None:
        lead_field = make_lead_field(lead_field, info, labels)
    elif not isinstance(lead_field, LeadField):
        raise ValueError(
            "Arrays do not say which sensors recorded them. Give objects of "
            "MNE-Python, or lead_field=LeadField(...) with a row per row of the data."
        )
    if names is None:
        names = _name_single_node(lead_field)
    _, covered = lead_field.for_nodes(names)
    _warn_if_partial(lead_field, names, covered, labels)
    if isinstance(model, Recorded):
        # It mixes by itself, before it adds the noise of sensors.
        model.set_params(lead_field=lead_field)
        return lead_field, None, None
    if model.node_names is None:
        raise ValueError(
            f"lead_field= with {type(model).__name__}, whose one node has no name, "
            "needs the model as it is recorded: model=Recorded(...)."
        )
    nodes = np.flatnonzero(covered)
    return lead_field, nodes, make_mixing(lead_field, model, nodes)


def _name_single_node(lead_field):
    """Return the one node of a lead field, which is that of a model of one node."""
    if len(lead_field.node_names) != 1:
        raise ValueError(
            f"The model has one node, and the lead field {len(lead_field.node_names)}. "
            "Give the lead field of one region, as LeadField.from_forward(forward, "
            "[label]) makes it, or a connectome for several."
        )
    return lead_field.node_names


def _warn_if_partial(lead_field, names, covered, labels):
    """Warn of regions that were probably forgotten, or misspelt in the labels."""
    unseen = [n for n, seen in zip(names, covered, strict=True) if not seen]
    if len(unseen) >= len(names) / 2:
        warn_user(
            f"The lead field has only {len(names) - len(unseen)} of the model's "
            f"{len(names)} nodes, and sensors are taken to record nothing of the "
            f"others: {listing(unseen)}. Give labels of both hemispheres."
        )
    known = {normalize_region_name(name) for name in names}
    # Names of labels that are no cortex are no mistake.
    strange = [
        name
        for name in (lead_field.node_names if labels is not None else ())
        if normalize_region_name(name) not in known and not is_no_region(name)
    ]
    if strange and unseen:
        warn_user(
            f"Labels that are none of the model's nodes are left out: "
            f"{listing(strange)}. Nodes without a label are {listing(unseen)}."
        )


def make_mixing(lead_field, model, nodes):
    """Return the mixing of a model's nodes by a lead field.

    Parameters
    ----------
    lead_field : LeadField
        From regions to channels.
    model : ForwardModel
        The model.
    nodes : ndarray of int
        Those of its nodes that the lead field has.

    Returns
    -------
    mixing : SensorMixing
        From these nodes to the channels.
    """
    gain, _ = lead_field.for_nodes(model.node_names)
    return SensorMixing(gain[:, nodes], lead_field.ch_names, lead_field.ch_types)


def get_projector(recording, ch_names):
    """Return what reference and projectors leave of the channels of a recording.

    Parameters
    ----------
    recording : Recording | None
        The recording.
    ch_names : tuple of str
        The channels, in the order of the result.

    Returns
    -------
    projector : ndarray, shape (n_channels, n_channels) | None
        ``None`` for arrays, of which nothing is known.
    """
    if recording is None or recording.info is None:
        return None
    names = recording.info["ch_names"]
    matched = match_ch_names(ch_names, names)
    order = [names.index(matched[name]) for name in ch_names]
    return sensor_projector(recording.info)[np.ix_(order, order)]


def match_channels(recording, lead_field, projector):
    """Bring the channels of a recording into the order of the fit.

    Parameters
    ----------
    recording : Recording
        New observations; arrays are taken as they are.
    lead_field : LeadField
        That of the fit.
    projector : ndarray, shape (n_channels, n_channels) | None
        What :func:`get_projector` returned in the fit; ``None`` after a fit to arrays.

    Returns
    -------
    recording : Recording
        The same observations.

    Raises
    ------
    ValueError
        If a channel is missing, or the recording was projected in another way.
    """
    if not recording.from_mne:
        return recording
    ch_names = lead_field.ch_names
    names = list(recording.names)
    matched = match_ch_names(ch_names, names)
    refuse_missing([name for name in ch_names if name not in matched], ch_names)
    found = get_projector(recording, ch_names)
    if projector is None:
        _check_unprojected(found, lead_field)
    elif not np.allclose(found, projector, atol=1e-6):
        active = [p["desc"] for p in recording.info["projs"] if p["active"]]
        raise ValueError(
            "The recording went through other projectors than the one of the fit, "
            f"whose lead field they changed. Its active ones are {active or 'none'}. "
            "Apply the same to all recordings (.add_proj(), .apply_proj()), or fit an "
            "inverter for this one."
        )
    order = [names.index(matched[name]) for name in ch_names]
    data = recording.data
    if isinstance(data, np.ndarray):
        data = data[:, order]
    else:
        data = [series[order] for series in data]
    return dataclasses.replace(recording, data=data, names=tuple(ch_names))


def refuse_missing(missing, ch_names):
    """Raise an error if channels of the fit are missing.

    Parameters
    ----------
    missing : list of str
        The channels that a recording lacks.
    ch_names : sequence of str
        Those of the fit.

    Raises
    ------
    ValueError
        If any is missing.
    """
    if missing:
        raise ValueError(
            f"The recording lacks {len(missing)} of the {len(ch_names)} channels of "
            f"the fit, or they are bad: {listing(missing)}. Fit an inverter without "
            "them, or interpolate them (.interpolate_bads()) if they are few."
        )


def _check_unprojected(projector, lead_field):
    """Check a lead field that was fitted to arrays, and knows no reference."""
    gain = lead_field.gain
    if not np.allclose(projector @ gain, gain, atol=1e-6 * np.abs(gain).max()):
        raise ValueError(
            "The inverter was fitted without a recording, through a lead field that "
            "has not the reference and projectors that recordings get. Fit it to a "
            "recording, fit(raw), or prepare the lead field: "
            "lead_field=lead_field.prepare(raw.info)."
        )


def describe_coverage(model, observation):
    """Say in words which of a model's nodes a recording sees.

    Parameters
    ----------
    model : ForwardModel
        The model.
    observation : ObservationModel
        What is observed of it.

    Returns
    -------
    text : str | None
        ``None`` if all nodes are observed themselves.
    """
    if observation.nodes is None or model.node_names is None:
        return None
    seen = set(observation.node_names)
    unseen = [name for name in model.node_names if name not in seen]
    if not unseen and observation.mixing is None:
        return None
    through = ""
    if observation.mixing is not None:
        through = f" by {len(observation.mixing.ch_names)} sensors"
    text = f"{len(seen)} of {len(model.node_names)} nodes are observed{through}."
    if unseen:
        text += f" Not observed: {listing(unseen, 20)}."
    return text
