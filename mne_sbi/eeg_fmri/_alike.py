"""Whether pairs mean the same."""

import numpy as np

from ._alignment import SAME_T_R


def check_alike(pairs, first):
    """See that pairs can be joined, or be predicted by what learnt from others.

    Parameters
    ----------
    pairs, first : Pairs
        These, and those that they must be like.

    Raises
    ------
    ValueError
        If they differ in features, bands, settings, repetition time or voxels.
    """
    for name in ("features", "bands"):
        mine, its = getattr(pairs, name), getattr(first, name)
        if mine != its:
            raise ValueError(f"The pairs differ in {name}: {its} and {mine}.")
    if None not in (pairs.windows, first.windows):
        for name in ("standardize", "high_pass"):
            mine, its = (getattr(each.windows, name) for each in (pairs, first))
            if mine != its:
                raise ValueError(
                    f"The pairs were made with {name}={its} and {name}={mine}: use the "
                    "same EEGWindows for all recordings."
                )
    if abs(pairs.t_r / first.t_r - 1) > SAME_T_R:
        raise ValueError(
            f"The pairs differ in repetition time: {first.t_r:g} and {pairs.t_r:g} s. "
            "Lags mean other times then: treat them separately."
        )
    for name in ("X", "y"):
        mine, its = getattr(pairs, name).shape[1:], getattr(first, name).shape[1:]
        if mine != its:
            raise ValueError(
                f"{name} has pairs of the shapes {its} and {mine}. Use the same "
                "sampling rate, windows and mask for all recordings."
            )
    masks = [getattr(each.masker, "mask_img_", None) for each in (first, pairs)]
    if masks[0] is not masks[1] and None not in masks and not _same_image(*masks):
        raise ValueError(
            "The pairs have maskers with other voxels: give make_pairs the same masker "
            "for all recordings."
        )


def _same_image(first, second):
    """Tell whether two masks have the same voxels at the same place."""
    return (
        first.shape == second.shape
        and np.allclose(first.affine, second.affine, atol=1e-4)
        and np.array_equal(np.asanyarray(first.dataobj), np.asanyarray(second.dataobj))
    )
