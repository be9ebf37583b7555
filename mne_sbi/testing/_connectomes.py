"""Small made-up connectomes for tests."""

import numpy as np

from .._checks import check_rng
from .._connectome import Connectome

_RADIUS = 0.07  # m, about half the width of a brain
_DECAY = 0.03  # m


def make_connectome(n_nodes=5, *, random_state=0):
    """Make a small connectome of nodes scattered over a sphere.

    Parameters
    ----------
    n_nodes : int
        Number of nodes, at least 2.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Decides the positions.

    Returns
    -------
    connectome : Connectome
        Symmetric, with weights that fall exponentially with the distance, which is
        taken as the length of the connection. The nodes are named ``"node_0"``,
        ``"node_1"`` and so on.

    Raises
    ------
    ValueError
        If there are fewer than two nodes.
    """
    if n_nodes < 2:
        raise ValueError(f"n_nodes must be at least 2, got {n_nodes}.")
    positions = check_rng(random_state).normal(size=(n_nodes, 3))
    positions *= _RADIUS / np.linalg.norm(positions, axis=1, keepdims=True)
    lengths = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    weights = np.exp(-lengths / _DECAY)
    np.fill_diagonal(weights, 0)
    return Connectome(
        weights,
        lengths,
        [f"node_{number}" for number in range(n_nodes)],
        positions,
        description="nodes scattered over a sphere, for tests",
        synthetic=True,
    )
