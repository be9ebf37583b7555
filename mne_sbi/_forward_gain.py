"""Gains of regions from a forward solution of MNE-Python."""

import numpy as np

from ._checks import listing


def average_over_labels(forward, labels):
    """Average the gains of the sources of each label along the surface normals.

    Parameters
    ----------
    forward : mne.Forward
        A forward solution on the cortical surfaces.
    labels : list of mne.Label
        The regions.

    Returns
    -------
    gain : ndarray, shape (n_channels, n_labels)
        The gains, per A m.
    ch_names : list of str
        The channels.
    ch_types : list of str
        Their types.

    Raises
    ------
    TypeError
        If the arguments are of other types.
    ValueError
        If the source space is no surface, or labels hold no source of it.
    """
    import mne

    labels = _check_labels(labels)
    if not isinstance(forward, mne.Forward):
        raise TypeError(
            f"forward must be an mne.Forward, got {type(forward).__name__}. Read a "
            "file first: mne.read_forward_solution()."
        )
    src = forward["src"]
    kinds = [space["type"] for space in src]
    if kinds[:2] != ["surf", "surf"]:
        raise ValueError(
            "The forward solution must be on the cortical surfaces, a source space of "
            f"mne.setup_source_space(), but its source spaces are of the types {kinds}."
        )
    _check_subject(src, labels)
    sources = _gain_along_normals(forward)
    numbers = [space["vertno"] for space in src[:2]]
    # Sources of the left hemisphere come first.
    start = {"lh": 0, "rh": len(numbers[0])}
    columns, empty = [], []
    for label in labels:
        index = [
            start[part.hemi]
            + np.flatnonzero(np.isin(numbers[part.hemi == "rh"], part.vertices))
            for part in _hemispheres(label)
        ]
        index = np.concatenate(index)
        if not len(index):
            empty.append(label.name)
            continue
        columns.append(sources[:, index].mean(axis=1, dtype=float))
    if empty:
        raise ValueError(
            f"{len(empty)} of {len(labels)} labels hold no source of the forward "
            f"solution: {listing(empty)}. MNE drops sources outside of the inner skull "
            "and within mindist= of it without an error, and a coarse source space has "
            "none in small regions. Use a denser one, a smaller mindist=, or leave "
            "these labels out."
        )
    names = forward["sol"]["row_names"]
    types = dict(
        zip(
            forward["info"]["ch_names"],
            forward["info"].get_channel_types(),
            strict=True,
        )
    )
    return np.array(columns).T, list(names), [types[name] for name in names]


def _gain_along_normals(forward):
    """Return the gain of each source along the surface normal, (n_channels, n)."""
    from mne.io.constants import FIFF

    gain = forward["sol"]["data"]
    if forward["source_ori"] == FIFF.FIFFV_MNE_FIXED_ORI:
        return gain
    if forward["surf_ori"]:
        # Two tangents, then the normal.
        return gain[:, 2::3]
    # Of the vertices, not of the patches around them: what the sources' normals are
    # when MNE-Python makes this forward solution fixed with use_cps=False.
    spaces = forward["src"][:2]
    normals = np.concatenate([space["nn"][space["vertno"]] for space in spaces])
    gain = gain[:, : 3 * len(normals)].reshape(len(gain), len(normals), 3)
    return np.einsum("csk,sk->cs", gain, normals)


def _check_labels(labels):
    """Check that this is a list of labels."""
    import mne

    kinds = mne.Label, mne.label.BiHemiLabel
    if not isinstance(labels, list | tuple):
        raise TypeError(f"labels must be a list of mne.Label, got {labels!r:.80}.")
    strange = [label for label in labels if not isinstance(label, kinds)]
    if strange:
        raise TypeError(
            f"labels must be a list of mne.Label, got {strange[0]!r:.80} in it."
        )
    if not labels:
        raise ValueError("labels must hold at least one label, got an empty list.")
    return list(labels)


def _check_subject(src, labels):
    """Refuse labels that number the vertices of another person's surface."""
    subject = src[0].get("subject_his_id")
    others = sorted({label.subject for label in labels} - {None, "unknown", subject})
    if subject and others:
        raise ValueError(
            f"The labels belong to the subject {listing(others)}, the forward solution "
            f"to {subject}. Bring the labels to its surface with "
            f"mne.morph_labels(labels, subject_to={subject!r})."
        )


def _hemispheres(label):
    """Split a label that spans both hemispheres."""
    return (label,) if label.hemi in ("lh", "rh") else (label.lh, label.rh)
