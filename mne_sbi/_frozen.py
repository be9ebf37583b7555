"""Objects that never change: read-only arrays, and equality by content."""

import numpy as np


class FrozenArrays:
    """Base of frozen dataclasses that hold arrays."""

    def __setstate__(self, state):
        # The frozen dataclass forbids assignment; unpickling comes here too, because
        # pickle does not keep arrays read-only.
        self.__dict__.update(state)
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False


class SameByContent(FrozenArrays):
    """Base of those that are equal where their content is.

    Children have ``to_dict``, which returns the content, and ``fingerprint``.
    """

    def __eq__(self, other):
        if not isinstance(other, type(self)):
            return NotImplemented
        mine, theirs = self.to_dict(), other.to_dict()
        same_fields = mine.keys() == theirs.keys()
        return same_fields and all(np.array_equal(mine[k], theirs[k]) for k in mine)

    def __hash__(self):
        return hash(self.fingerprint)

    def __sklearn_clone__(self):
        # A clone could only be equal to it.
        return self
