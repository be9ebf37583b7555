"""Whether pairs mean the same."""

import numpy as np

from .._checks import listing
from ._alignment import SAME_T_R


def check_alike(pairs, first, targets=True):
    """See that pairs can be joined, or be predicted by what learnt from others.

    Parameters
    ----------
    pairs, first : Pairs
        These, and those that they must be like.
    targets : bool
        Whether their fMRI must be alike too.

    Raises
    ------
    ValueError
        If they differ in features, bands, settings, repetition time or voxels.
    """
    if pairs.features != first.features:
        raise ValueError(
            f"The pairs differ in features: {first.features} and {pairs.features}."
        )
    bands = [_list_bands(each) for each in (first, pairs)]
    if bands[0] != bands[1]:
        raise ValueError(
            f"The pairs differ in bands, or in their order: {bands[0]} and {bands[1]}."
        )
    _check_settings(pairs, first)
    if abs(pairs.t_r / first.t_r - 1) > SAME_T_R:
        raise ValueError(
            f"The pairs differ in repetition time: {first.t_r:g} and {pairs.t_r:g} s. "
            "Lags mean other times then: treat them separately."
        )
    if pairs.X.shape[2:] != first.X.shape[2:]:
        raise ValueError(
            f"X has pairs of the shapes {first.X.shape[1:]} and {pairs.X.shape[1:]}. "
            "Use the same sampling rate and windows for all recordings."
        )
    check_regions(first.region_names, pairs.region_names)
    if targets:
        _check_targets(pairs, first)


def check_regions(known, given, who="The pairs"):
    """Compare the regions that columns of fMRI are of, where both are known.

    Parameters
    ----------
    known, given : tuple of str | None
        Those of fit, and those that must be the same.
    who : str
        What the message begins with.

    Raises
    ------
    ValueError
        If they differ: by name.
    """
    if known is None or given is None or known == given:
        return
    missing = [name for name in known if name not in given]
    further = [name for name in given if name not in known]
    parts = [f"lack {listing(missing)}"] if missing else []
    parts += [f"have also {listing(further)}"] if further else []
    differ = " and ".join(parts) or "have them in another order"
    raise ValueError(
        f"{who} must be of the regions {listing(known)}, but {differ}. Give make_pairs "
        "the same masker for all recordings, with resampling_target='labels' so that "
        "no label is lost on the grid of an image (resampling_target='maps' for maps)."
    )


def _list_bands(pairs):
    """Return names and ends of the bands in their order, or None."""
    if pairs.bands is None:
        return None
    return [(name, *map(float, ends)) for name, ends in pairs.bands.items()]


def _check_settings(pairs, first):
    """Compare how windows were made, as far as that changes what they mean."""
    if None in (pairs.windows, first.windows):
        return
    names = {
        "band_power": ("standardize", "high_pass"),
        "spectrogram": ("standardize",),
        "raw": ("standardize", "duration"),
    }[pairs.features]
    found = [
        {name: getattr(each.windows, name) for name in names}
        | ({"sfreq": sfreq_of(each)} if _has_rate(each) else {})
        for each in (first, pairs)
    ]
    for name in found[0]:
        its, mine = (each.get(name) for each in found)
        if its != mine:
            raise ValueError(
                f"The pairs were made with {name}={its} and {name}={mine}: use the "
                "same EEGWindows for all recordings."
            )


def _has_rate(pairs):
    """Tell whether values depend on the sampling rate."""
    is_scaled = pairs.features == "spectrogram" and not pairs.windows.standardize
    return pairs.info is not None and (pairs.features == "raw" or is_scaled)


def sfreq_of(pairs):
    """Return the sampling rate in Hz of what windows were made of."""
    return float(pairs.windows.sfreq or pairs.info["sfreq"])


def _check_targets(pairs, first):
    """Compare columns of fMRI, and where they are."""
    if pairs.y.shape[1:] != first.y.shape[1:]:
        raise ValueError(
            f"y has pairs of the shapes {first.y.shape[1:]} and {pairs.y.shape[1:]}. "
            "Use the same mask for all recordings."
        )
    for name in ("mask_img_", "labels_img_", "maps_img_"):
        its, mine = (getattr(each.masker, name, None) for each in (first, pairs))
        if its is not mine and None not in (its, mine) and not _same_image(its, mine):
            raise ValueError(
                "The pairs have maskers with other voxels: give make_pairs the same "
                "masker for all recordings."
            )


def _same_image(first, second):
    """Tell whether two images have the same values at the same place."""
    return (
        first.shape == second.shape
        and np.allclose(first.affine, second.affine, atol=1e-4)
        and np.array_equal(np.asanyarray(first.dataobj), np.asanyarray(second.dataobj))
    )


def find_channels(pairs, like):
    """Return the places of the channels of other pairs in these.

    Raises
    ------
    ValueError
        If some are missing, or values depend on further ones.
    """
    missing = [name for name in like.ch_names if name not in pairs.ch_names]
    if missing:
        raise ValueError(
            f"The pairs lack the channels {listing(missing)} of those that they are "
            "compared with. Channels that are bad are left out by make_pairs: see "
            "raw.interpolate_bads()."
        )
    further = [name for name in pairs.ch_names if name not in like.ch_names]
    standardize = getattr(pairs.windows, "standardize", None)
    if further and standardize == "channels":
        raise ValueError(
            f"The pairs have also the channels {listing(further)}, over which "
            "standardize='channels' was computed. Leave them out before, with "
            "EEGWindows(picks=[...]) of the channels that all recordings have."
        )
    return [pairs.ch_names.index(name) for name in like.ch_names]


def find_common(first, second):
    """Find the volumes that two have, by the recording and the time in it.

    Parameters
    ----------
    first, second : Pairs
        Of the same recordings in the same order.

    Returns
    -------
    rows : list of ndarray of int, shape (n_common,)
        Of each.

    Raises
    ------
    ValueError
        If there are none.
    """
    rows = [], []
    onsets = [_onsets_of(each) for each in (first, second)]
    for run in np.intersect1d(first.runs, second.runs):
        mine, its = (
            np.flatnonzero(each.runs == run)[np.argsort(times[each.runs == run])]
            for each, times in zip((first, second), onsets, strict=True)
        )
        a, b = onsets[0][mine], onsets[1][its]
        # The nearest of the second to each of the first.
        after = np.clip(np.searchsorted(b, a), 0, len(b) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(abs(b[before] - a) < abs(b[after] - a), before, after)
        same = np.abs(b[nearest] - a) < first.t_r / 4
        rows[0].append(mine[same])
        rows[1].append(its[nearest[same]])
    rows = [np.concatenate(each).astype(int) for each in rows if each]
    if not rows or not len(rows[0]):
        raise ValueError(
            "The pairs have no volume in common: give both calls of make_pairs the "
            "same recordings in the same order."
        )
    order = np.argsort(rows[0], kind="stable")
    return [each[order] for each in rows]


def _onsets_of(pairs):
    """Return the onsets of volumes, which times are moments of, in s."""
    if pairs.windows is None:
        return pairs.times
    return pairs.times - pairs.windows.slice_time_ref * pairs.t_r
