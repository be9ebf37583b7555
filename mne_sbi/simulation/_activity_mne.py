"""From dipole moments of regions to source estimates and recordings."""

import numpy as np

from .._checks import listing
from .._forward_gain import _check_labels, _check_subject, _hemispheres
from .._lead_field import LeadField
from .._recording_arrays import SAME_RATE
from .._region_names import normalize_region_name
from .._sensors import AVERAGE_REFERENCE, check_info, rows_for

# Mean of a lead field over EEG channels, relative to its largest value, that is
# rounding: the lead field has the average reference.
_ROUNDING = 1e-6
_SENSORS = ("eeg", "mag", "grad")


def make_stc(data, names, sfreq, labels, src):
    """Spread dipole moments of regions evenly over their sources.

    Parameters
    ----------
    data : ndarray, shape (n_nodes, n_times)
        Dipole moments in A m.
    names : sequence of str
        The nodes.
    sfreq : float
        Sampling rate in Hz.
    labels : list of mne.Label
        The regions.
    src : mne.SourceSpaces
        The source space.

    Returns
    -------
    stc : mne.SourceEstimate
        Dipole moments in A m of the sources in the labels.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If nodes have no label, labels have no source, or a source is in two labels.
    """
    import mne

    labels = find_labels(names, labels)
    _check_source_space(src)
    _check_subject(src, labels)
    owners = [np.full(len(space["vertno"]), -1) for space in src[:2]]
    empty, shared = [], []
    for i, label in enumerate(labels):
        n_sources = 0
        for part in _hemispheres(label):
            side = int(part.hemi == "rh")
            inside = np.isin(src[side]["vertno"], part.vertices)
            n_sources += inside.sum()
            others = np.unique(owners[side][inside])
            shared += [f"{labels[k].name} and {label.name}" for k in others if k >= 0]
            owners[side][inside] = i
        if not n_sources:
            empty.append(label.name)
    if empty:
        raise ValueError(
            f"{len(empty)} of {len(labels)} labels hold no source of src: "
            f"{listing(empty)}. Use a denser source space, or leave these nodes out: "
            "activity.pick(names)."
        )
    if shared:
        raise ValueError(
            f"A source can have the activity of one region only, but labels have "
            f"sources in common: {listing(shared)}. Use labels that do not overlap."
        )
    vertices = [
        space["vertno"][owner >= 0] for space, owner in zip(src, owners, strict=False)
    ]
    owner = np.concatenate(owners)
    owner = owner[owner >= 0]
    share = data / np.bincount(owner, minlength=len(data))[:, np.newaxis]
    return mne.SourceEstimate(
        share[owner], vertices, 0.0, 1 / sfreq, subject=src[0].get("subject_his_id")
    )


def make_sensors(data, names, sfreq, lead_field, info, labels, noise_cov, rng):
    """Record dipole moments of regions with sensors.

    Parameters
    ----------
    data : ndarray, shape (n_nodes, n_times)
        Dipole moments in A m.
    names : sequence of str
        The nodes.
    sfreq : float
        Sampling rate in Hz.
    lead_field : LeadField | mne.Forward
        From regions to channels.
    info : mne.Info
        Of the channels.
    labels : list of mne.Label | None
        Regions of an ``mne.Forward``.
    noise_cov : mne.Covariance | None
        Of the noise.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    raw : mne.io.RawArray
        The recording.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If the sampling rates differ, or nodes or channels are missing.
    """
    check_info(info)
    if not np.isclose(info["sfreq"], sfreq, rtol=SAME_RATE):
        raise ValueError(
            f"info has a sampling rate of {info['sfreq']:g} Hz, and the activity has "
            f"{sfreq:g} Hz. Simulate at the rate of the recording: give the model "
            f"sfreq={info['sfreq']:g}."
        )
    lead_field = _as_lead_field(lead_field, names, labels)
    info = _pick_sensors(info, lead_field)
    gain = _gain_of(lead_field, names, info)
    is_average = _is_average_referenced(gain, info)
    _check_reference(info, is_average)
    raw, projs = _without_projectors(gain @ data, info)
    if noise_cov is not None:
        _add_noise(raw, noise_cov, rng)
    return _apply_projectors(raw, projs, is_average)


def find_labels(names, labels):
    """Find the labels of nodes by name.

    Parameters
    ----------
    names : sequence of str
        The nodes.
    labels : list of mne.Label
        Labels, of which those that are no nodes are left out.

    Returns
    -------
    labels : list of mne.Label
        One per node.

    Raises
    ------
    TypeError
        If labels are something else.
    ValueError
        If nodes have no label, or two.
    """
    labels = _check_labels(labels)
    found = {}
    for label in labels:
        found.setdefault(normalize_region_name(label.name), []).append(label)
    mine = [found.get(normalize_region_name(name), []) for name in names]
    missing = [name for name, own in zip(names, mine, strict=True) if not own]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(names)} nodes have no label: {listing(missing)}. "
            f"The labels are {listing([label.name for label in labels])}. Give labels "
            "with the names of the nodes, or leave these nodes out: "
            "activity.pick(names)."
        )
    twice = [name for name, own in zip(names, mine, strict=True) if len(own) > 1]
    if twice:
        raise ValueError(f"Nodes have more than one label: {listing(twice)}.")
    return [own[0] for own in mine]


def _check_source_space(src):
    import mne

    if not isinstance(src, mne.SourceSpaces):
        raise TypeError(
            "src must be mne.SourceSpaces, forward['src'] or inverse_operator['src'], "
            f"got {type(src).__name__}."
        )
    if src.kind != "surface":
        raise ValueError(
            f"src is a {src.kind} source space, but labels need that of surfaces."
        )


def _as_lead_field(lead_field, names, labels):
    """Return a lead field, that of the nodes if it is made of a forward solution."""
    import mne

    if isinstance(lead_field, LeadField):
        return lead_field
    if not isinstance(lead_field, mne.Forward):
        raise TypeError(
            "lead_field must be a LeadField, such as LeadField.from_template(info), or "
            f"an mne.Forward with labels=, got {type(lead_field).__name__}."
        )
    if labels is None:
        raise ValueError(
            "A forward solution needs labels=, the regions to average over, named as "
            "the nodes: mne.read_labels_from_annot(subject, 'aparc')."
        )
    return LeadField.from_forward(lead_field, find_labels(names, labels))


def _pick_sensors(info, lead_field):
    """Return a copy of the info with its good channels of the lead field's types."""
    import mne

    kinds = set(lead_field.ch_types or _SENSORS)
    picks = [
        i
        for i, kind in enumerate(info.get_channel_types())
        if kind in kinds and info["ch_names"][i] not in info["bads"]
    ]
    if not picks:
        raise ValueError(
            f"info has no good channels of the types {sorted(kinds)}, which the lead "
            f"field has. It has {sorted(set(info.get_channel_types()))}."
        )
    return mne.pick_info(info, picks)


def _gain_of(lead_field, names, info):
    """Return the gain from all nodes to all channels of the info."""
    rows = rows_for(info, lead_field.ch_names, lead_field.ch_types)
    gain, covered = lead_field.for_nodes(names)
    unseen = [name for name, seen in zip(names, covered, strict=True) if not seen]
    if unseen:
        raise ValueError(
            f"{len(unseen)} of {len(names)} nodes are not in the lead field: "
            f"{listing(unseen)}. It has {listing(lead_field.node_names)}. Leave nodes "
            "that sensors do not see out: activity.pick(names)."
        )
    return gain[rows]


def _without_projectors(data, info):
    """Return data as they are before projectors, and the projectors of the info."""
    import mne

    # Copies of copies, because a projector's own copy is a mere dict.
    projs, info = info.copy()["projs"], info.copy()
    for projector in info["projs"]:
        projector["active"] = False
    raw = mne.io.RawArray(data, info, verbose="error")
    return raw.del_proj("all"), projs


def _apply_projectors(raw, projs, is_average):
    """Apply the projectors that were active, and the average reference."""

    def is_wanted(projector):
        is_reference = projector["kind"] == AVERAGE_REFERENCE
        return projector["active"] or (is_average and is_reference)

    wanted = [projector for projector in projs if is_wanted(projector)]
    waiting = [projector for projector in projs if not is_wanted(projector)]
    for projector in wanted:
        projector["active"] = False
    raw.add_proj(wanted, verbose="error")
    if is_average and all(p["kind"] != AVERAGE_REFERENCE for p in wanted):
        raw.set_eeg_reference(projection=True, verbose="error")
    if raw.info["projs"]:
        raw.apply_proj(verbose="error")
    return raw.add_proj(waiting, verbose="error")


def _is_average_referenced(gain, info):
    """Say whether potentials of a lead field have no mean over channels."""
    eeg = gain[np.array(info.get_channel_types()) == "eeg"]
    if len(eeg) < 2:
        return False
    return bool((np.abs(eeg.mean(axis=0)) <= _ROUNDING * np.abs(eeg).max()).all())


def _check_reference(info, is_average):
    """Refuse a reference that is not known, unless the average takes its place."""
    has_eeg = "eeg" in info.get_channel_types()
    if info["custom_ref_applied"] and has_eeg and not is_average:
        raise ValueError(
            "The EEG of info has a reference that was set by hand, which info does not "
            "name, and the lead field has none. Give one of the average reference: "
            "lead_field.prepare(info), or LeadField.from_forward(forward, labels)"
            ".prepare(info), with an info of the lead field's channels."
        )


def _add_noise(raw, noise_cov, rng):
    """Add noise to data before projectors, which are applied to both afterwards."""
    import mne

    if not isinstance(noise_cov, mne.Covariance):
        raise TypeError(
            "noise_cov must be an mne.Covariance, as mne.compute_raw_covariance() or "
            f"mne.make_ad_hoc_cov(info) make it, got {type(noise_cov).__name__}."
        )
    missing = [name for name in raw.ch_names if name not in noise_cov["names"]]
    if missing:
        raise ValueError(
            f"noise_cov lacks {len(missing)} of {len(raw.ch_names)} channels: "
            f"{listing(missing)}. They would have no noise. Mark them as bad in info, "
            "or compute the covariance with them."
        )
    # As mne.simulation.add_noise(), but silent about a reference that is not there, and
    # which is taken afterwards if there is one.
    _, _, colorer = mne.cov.compute_whitener(
        noise_cov,
        raw.info,
        picks=np.arange(len(raw.ch_names)),
        pca=True,
        return_colorer=True,
        verbose="error",
    )
    noise = colorer @ rng.standard_normal((colorer.shape[1], raw.n_times))
    raw.apply_function(lambda data: data + noise, picks="all", channel_wise=False)
