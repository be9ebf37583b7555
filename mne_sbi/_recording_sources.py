"""From source estimates of MNE-Python to time series of regions."""

import numbers
from pathlib import Path

import numpy as np

from ._checks import check_option, did_you_mean
from ._recording_arrays import Recording, check_series
from ._warnings import warn_user

_MODES = ("auto", "mean_flip", "mean", "pca_flip", "max")
# Without normals, signs cannot be aligned.
_MODES_WITHOUT_SRC = ("auto", "mean", "max")
# Labels of FreeSurfer's parcellations that are the rest, and not cortex.
_NO_REGION = ("unknown", "corpuscallosum", "medialwall", "???")


def read_source_estimate(stc, *, labels=None, src=None, mode="auto"):
    """Average a source estimate over regions.

    Parameters
    ----------
    stc : mne.SourceEstimate | mne.VolSourceEstimate | mne.MixedSourceEstimate
        The source estimate.
    labels : list of mne.Label | path-like | tuple | None
        Regions: labels for a surface or mixed source space; for a volume, an atlas
        file, or a pair of an atlas file and its regions, as a list of FreeSurfer's
        names or a dict of names and values.
    src : mne.SourceSpaces | None
        The source space that the estimate was made with.
    mode : str
        How sources are averaged, as in :func:`mne.extract_label_time_course`.

    Returns
    -------
    recording : Recording
        One observation.

    Raises
    ------
    TypeError
        If labels are of the wrong kind.
    ValueError
        If labels or the source space are missing, or a label has no source.
    """
    import mne

    check_option("mode", mode, _MODES)
    is_volume = isinstance(stc, mne.VolSourceEstimate)
    is_mixed = isinstance(stc, mne.MixedSourceEstimate)
    name = type(stc).__name__
    if labels is None:
        raise ValueError(_missing_labels(name, is_volume))
    if src is None and (is_volume or is_mixed):
        raise ValueError(
            f"A {name} needs src=, the source space that it was made with: "
            "inverse_operator['src'] or forward['src']."
        )
    if src is not None and not isinstance(src, mne.SourceSpaces):
        raise TypeError(
            f"src must be the mne.SourceSpaces that the {name} was made with, "
            f"inverse_operator['src'] or forward['src'], got {type(src).__name__}."
        )
    if not is_volume and not is_mixed and src is not None and src.kind != "surface":
        raise ValueError(
            f"src is a {src.kind} source space, but a {name} needs that of surfaces."
        )
    if is_volume:
        labels, names = _volume_labels(labels, src)
        modes = ("auto", "mean", "max")
    else:
        labels = _surface_labels(labels, stc)
        names = [label.name for label in labels]
        modes = _MODES_WITHOUT_SRC if src is None else _MODES
    if is_mixed:
        names += [str(space["seg_name"]) for space in src[2:]]
    if mode not in modes:
        need = "is for surfaces" if is_volume else "needs src=inverse_operator['src']"
        raise ValueError(f"mode={mode!r} {need}. Without: {', '.join(modes)}.")
    if mode == "auto" and src is None:
        mode = "mean"
    series = mne.extract_label_time_course(stc, labels, src, mode=mode, verbose="error")
    series = np.asarray(series)
    check_series(series, names)
    # Of the sources: aligning signs makes half of a magnitude negative.
    if (stc.data >= 0).all():
        warn_user(
            f"The {name} has no negative value, as a magnitude or power: a rhythm of "
            "10 Hz has 20 Hz in it. Use pick_ori='normal' in the inverse method, or "
            "'max-power' in a beamformer."
        )
    return Recording([series], float(stc.sfreq), tuple(names))


def _missing_labels(name, is_volume):
    if is_volume:
        return (
            f"A {name} needs labels=, the regions to average over: the file of an "
            "atlas in the space of the source space's MRI, as 'aparc+aseg.mgz', or "
            "(file, names of regions)."
        )
    return (
        f"A {name} needs labels=, the regions to average over: a list of "
        "mne.Label with the names of the connectome's regions, for example from "
        "mne.read_labels_from_annot(subject, 'aparc')."
    )


def _surface_labels(labels, stc):
    """Return the labels that are regions, and check that they have sources."""
    import mne
    from mne.utils import logger

    label_types = mne.Label, mne.label.BiHemiLabel
    if isinstance(labels, label_types):
        labels = [labels]
    is_list = isinstance(labels, (list, tuple))
    if not is_list or not all(isinstance(label, label_types) for label in labels):
        raise TypeError(
            f"labels of a {type(stc).__name__} must be a list of mne.Label, as from "
            f"mne.read_labels_from_annot(subject, 'aparc'), got {labels!r:.80}."
        )
    rest = [label.name for label in labels if is_no_region(label.name)]
    if rest:
        logger.info(f"Labels that are not cortex are left out: {', '.join(rest)}.")
    labels = [label for label in labels if label.name not in rest]
    if not labels:
        raise ValueError("labels holds no region.")
    strange = {label.subject for label in labels} - {None, stc.subject}
    if strange and stc.subject is not None:
        raise ValueError(
            f"The labels are those of {', '.join(sorted(strange))}, but the source "
            f"estimate is of {stc.subject}. Use mne.morph_labels(labels, "
            f"{stc.subject!r}), or morph the source estimate."
        )
    empty = [label.name for label in labels if not _n_sources(label, stc)]
    if empty:
        raise ValueError(
            f"The source estimate has no source in the label {str(empty)[1:-1]}. Leave "
            "the label out, or use a denser source space."
        )
    return labels


def is_no_region(name):
    bare = name.lower().removesuffix("-lh").removesuffix("-rh")
    return bare.replace("_", "").replace(" ", "") in _NO_REGION


def _n_sources(label, stc):
    """Count the sources of a label in one or both hemispheres."""
    parts = [label.lh, label.rh] if label.hemi == "both" else [label]
    return sum(
        np.isin(stc.vertices[("lh", "rh").index(part.hemi)], part.vertices).sum()
        for part in parts
    )


def _volume_labels(labels, src):
    """Return labels as MNE-Python takes them, and the regions' names in their order."""
    if src.kind != "volume":
        raise ValueError(
            f"src is a {src.kind} source space, but a VolSourceEstimate needs that of "
            "a whole volume."
        )
    regions = None
    if isinstance(labels, (list, tuple)) and len(labels) == 2:
        atlas, regions = labels
    else:
        atlas = labels
    if not isinstance(atlas, (str, Path)):
        raise TypeError(
            "labels of a VolSourceEstimate must be the file of an atlas or (file, "
            f"names of regions), got {labels!r:.80}."
        )
    if not Path(atlas).is_file():
        raise FileNotFoundError(f"There is no atlas {atlas}.")
    present = _values_of(atlas)
    if not isinstance(regions, dict):
        regions = _freesurfer_values(atlas, regions, present)
    elif not all(isinstance(value, numbers.Integral) for value in regions.values()):
        raise TypeError(
            "The dict of an atlas' regions must map names to whole numbers, got "
            f"{regions!r:.80}."
        )
    absent = [name for name, value in regions.items() if value not in present]
    if absent or not regions:
        raise ValueError(f"The atlas {atlas} has no voxel of {absent or 'any region'}.")
    return (str(atlas), regions), list(regions)


def _freesurfer_values(atlas, names, present):
    """Map FreeSurfer's names, or those of all values present, to an atlas' values."""
    import mne

    # The numbers of other atlases have other meanings.
    if Path(atlas).suffix != ".mgz":
        raise ValueError(
            f"The atlas {Path(atlas).name} is not one of FreeSurfer's (.mgz), whose "
            "numbers have known names. Give (file, {name: number in the atlas})."
        )
    table = mne.read_freesurfer_lut()[0]
    if names is None:
        # The background carries a name as well.
        return {name: n for name, n in table.items() if n and n in present}
    names = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ValueError(
            f"FreeSurfer's table of regions does not have {unknown}."
            f"{did_you_mean(unknown[0], table)}"
        )
    return {name: table[name] for name in names}


def _values_of(atlas):
    """Return the values of an atlas' voxels."""
    import nibabel

    return set(np.unique(np.asarray(nibabel.load(atlas).dataobj)).tolist())
