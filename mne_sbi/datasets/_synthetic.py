"""A synthetic connectome that needs no download."""

from functools import cache

import numpy as np

from .._connectome import Connectome
from ._parcels import load_parcels

# Decay of connectivity with tract length, in m: Rosen & Halgren 2021 (see Notes below).
DECAY_LENGTH = 0.0234
# Tract length over distance of the centroids, within a hemisphere and across: least
# squares through the origin over the pairs with at least 10 streamlines of the group
# connectome of fetch_connectome (415 and 102 pairs). Pairs with fewer are left out
# because their mean lengths count people without the tract as length zero.
TORTUOSITY_WITHIN = 1.13
TORTUOSITY_ACROSS = 1.39
# Shares of the total weight, and mean strength of a node, in the same 68 x 68 group
# connectome (before clipping).
SHARE_WITHIN = 0.907
SHARE_HOMOTOPIC = 0.028
SHARE_HETEROTOPIC = 0.065
MEAN_STRENGTH = 1758.0


def load_synthetic_connectome():
    r"""Load a SYNTHETIC connectome of the 68 Desikan-Killiany parcels.

    .. warning::
        No person's brain was measured for it: it is for demonstrations, tests and
        examples, never for a paper. :func:`fetch_connectome` downloads a measured
        one.

    Returns
    -------
    connectome : Connectome
        68 nodes (``"lh.bankssts"``, ...; FreeSurfer's order, left hemisphere first)
        with weights on the scale of streamline counts, lengths in m and positions in
        m (MNI305). ``synthetic`` is true.

    Notes
    -----
    Nothing is random. With parcel areas :math:`A`, centroid distances :math:`d`,
    lengths :math:`L_{ij} = t\,d_{ij}` and tortuosity :math:`t` (1.13 within a
    hemisphere, 1.39 across),

    .. math:: W_{ij} = c\, A_i A_j\, e^{-L_{ij} / \lambda},
              \qquad \lambda = 23.4\ \text{mm},

    the exponential distance rule of cortical wiring: found by tracers in the macaque
    [1]_ and by tractography of human cortex [2]_, which also finds connections between
    homologous areas stronger than other connections across the hemispheres. The factor
    :math:`c` has one value within hemispheres, one between homologous parcels and one
    between the other pairs, so that these hold 90.7, 2.8 and 6.5 % of the weight as in
    the measured group connectome of :func:`fetch_connectome`.

    In that group connectome (68 x 68), the mean weight per area of the pairs within a
    hemisphere falls off with centroid distance by a factor e every 23.8 mm (here:
    23.4 / 1.13 = 20.7 mm). Compared with it, node strengths correlate with r = 0.89
    (coefficient of variation 0.68, measured 0.65), edge weights with Spearman's rho
    0.72. What differs: the graph is
    complete (measured: 91 % of the pairs), its median weight is 4.5 times larger and
    its weights span less (standard deviation of log10 0.97, measured 1.19), because no
    specific tract, such as the fasciculi between distant regions, stands out of the
    rule; the strongest homotopic connections are those of medial parcels, which face
    each other; and lengths reach 221 mm (measured: 147 mm, but see
    :func:`fetch_connectome` for why the measured ones are too short).

    References
    ----------
    .. [1] Ercsey-Ravasz et al. (2013), Neuron 80(1), 184-197,
       https://doi.org/10.1016/j.neuron.2013.07.036
    .. [2] Rosen & Halgren (2021), eNeuro 8(1), ENEURO.0416-20.2020,
       https://doi.org/10.1523/ENEURO.0416-20.2020
    """
    return _make_synthetic_connectome()


@cache
def _make_synthetic_connectome():
    """Compute the connectome once per process; it cannot be changed."""
    parcels = load_parcels()
    positions, areas = parcels.positions, parcels.areas
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    within, homotopic, heterotopic = _pair_kinds(parcels.names)
    lengths = distances * np.where(within, TORTUOSITY_WITHIN, TORTUOSITY_ACROSS)

    weights = np.outer(areas, areas) * np.exp(-lengths / DECAY_LENGTH)
    np.fill_diagonal(weights, 0.0)
    total = MEAN_STRENGTH * len(areas)
    for pairs, share in (
        (within, SHARE_WITHIN),
        (homotopic, SHARE_HOMOTOPIC),
        (heterotopic, SHARE_HETEROTOPIC),
    ):
        weights[pairs] *= share * total / weights[pairs].sum()

    return Connectome(
        weights,
        lengths,
        parcels.names,
        positions,
        description=(
            "SYNTHETIC: 68 Desikan-Killiany parcels, weights from an exponential "
            "distance rule (decay length 23.4 mm). For demonstrations and tests only."
        ),
        synthetic=True,
    )


def _pair_kinds(names):
    """Return masks (n, n) of pairs within, homotopic and heterotopic across."""
    hemispheres = np.array([name.split(".")[0] for name in names])
    parcels = np.array([name.split(".")[1] for name in names])
    within = hemispheres[:, None] == hemispheres[None]
    homotopic = ~within & (parcels[:, None] == parcels[None])
    return within, homotopic, ~within & ~homotopic
