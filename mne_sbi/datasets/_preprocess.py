"""How the spectral graph model papers prepare a connectome's weights."""

import numpy as np

from .._checks import check_array
from .._connectome import normalize_region_name


def symmetrize_hemispheres(weights, names):
    r"""Give both hemispheres the larger of their two weights.

    Every connection is compared with its mirror image (left and right exchanged in
    both ends) and both get the larger weight. Tractography often misses a connection
    on one side only.

    Parameters
    ----------
    weights : array_like, shape (n_nodes, n_nodes)
        Weights, not negative.
    names : list of str
        Names of the nodes, in any common spelling: they tell which node is the mirror
        image of which. A node without a partner is its own mirror image.

    Returns
    -------
    weights : ndarray, shape (n_nodes, n_nodes)
        A new array.

    Notes
    -----
    With the permutation :math:`m` that exchanges left and right,
    :math:`W_{ij} \leftarrow \max(W_{ij}, W_{m(i) m(j)})`. The same as
    ``bi_symmetric_c`` of spectrome [1]_, which works with fixed index ranges.

    References
    ----------
    .. [1] Raj et al. (2020), Human Brain Mapping 41(11), 2980-2998,
       https://doi.org/10.1002/hbm.24991
    """
    names = list(names)
    weights = _check_weights(weights)
    if len(names) != len(weights):
        raise ValueError(
            f"names has {len(names)} entries, but weights has {len(weights)} rows. "
            "Give one name per node."
        )
    mirror = _mirror_index(names)
    return np.maximum(weights, weights[np.ix_(mirror, mirror)])


def clip_weights(weights, factor=7.0):
    """Clip extreme weights at a multiple of the mean weight.

    Parameters
    ----------
    weights : array_like, shape (n_nodes, n_nodes)
        Weights, not negative.
    factor : float
        Weights above ``factor`` times the mean of the non-zero weights are set to that
        value. The papers use 7 (``reduce_extreme_dir`` of spectrome).

    Returns
    -------
    weights : ndarray, shape (n_nodes, n_nodes)
        A new array.
    """
    weights = _check_weights(weights)
    factor = float(check_array("factor", factor, shape=(), positive=True))
    positive = weights[weights > 0]
    if positive.size == 0:
        return weights.copy()
    return np.minimum(weights, factor * positive.mean())


def prepare_weights(weights, names, symmetrize, clip):
    """Apply the two steps above, in the order of the papers, where asked for."""
    if symmetrize:
        weights = symmetrize_hemispheres(weights, names)
    if clip is not None:
        weights = clip_weights(weights, clip)
    return weights


def _check_weights(weights):
    """Check for a square, finite, non-negative matrix."""
    weights = check_array("weights", weights, shape=("n_nodes", "n_nodes"))
    if (weights < 0).any():
        raise ValueError(
            f"weights must not be negative, the smallest is {weights.min():g}. "
            "Connection weights are counts or densities, not correlations."
        )
    return weights


def _mirror_index(names):
    """Return, for each node, the index of the node across the midline."""
    canonical = [normalize_region_name(name) for name in names]
    index = {name: position for position, name in enumerate(canonical)}
    if len(index) < len(canonical):
        double = sorted({name for name in canonical if canonical.count(name) > 1})
        raise ValueError(f"names must be unique, but these occur twice: {double}.")
    other = {"lh.": "rh.", "rh.": "lh."}
    mirror = []
    for position, name in enumerate(canonical):
        prefix, region = name[:3], name[3:]
        mirror.append(index.get(other.get(prefix, prefix) + region, position))
    return np.array(mirror)
