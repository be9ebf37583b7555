"""Inner folds of people, on which architectures choose how much they believe."""

import numpy as np

# People are left out one by one up to this number, and in as many parts beyond it.
_MOST_FOLDS = 10
# Blocks of a single person.
_N_BLOCKS = 5
# Volumes left out on both sides of a block: 30 s at a repetition time of 2 s, as long
# as the response lasts.
_GAP = 15


def inner_folds(groups):
    """Split pairs so that no person is on both sides.

    Parameters
    ----------
    groups : array, shape (n,)
        The person of each pair.

    Returns
    -------
    folds : list of (train, test)
        Arrays of row numbers; every row is in ``test`` once. People are left out one
        by one, or in ten parts if there are more of them. The pairs of a single person
        are split into five blocks of neighbours, and training leaves out 15 pairs (or
        a sixth of all, if that is fewer) beside the block.
    """
    people, person = np.unique(groups, return_inverse=True)
    n = len(person)
    if len(people) == 1:
        return _blocks(n)
    part = np.arange(len(people)) % _MOST_FOLDS
    rows = np.arange(n)
    return [
        (rows[part[person] != number], rows[part[person] == number])
        for number in range(part.max() + 1)
    ]


def _blocks(n):
    """Split rows into blocks with a gap."""
    gap = min(_GAP, n // 6)
    rows = np.arange(n)
    folds = []
    for block in np.array_split(rows, min(_N_BLOCKS, n)):
        near = (rows >= block[0] - gap) & (rows <= block[-1] + gap)
        if not near.all():
            folds.append((rows[~near], block))
    return folds
