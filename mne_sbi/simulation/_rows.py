"""Rows of arrays larger than memory, read or made when they are asked for."""

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict

import numpy as np

# Memory for chunks that were read, in bytes. Training shuffles within as many chunks as
# fit, so that a pass over the rows reads each chunk once.
_CACHE_BYTES = 2**29


class LazyRows(ABC):
    """An array of which only the rows that are asked for are in memory.

    ``rows[i]``, ``rows[a:b]`` and ``rows[indices]`` return NumPy arrays; so do a mask
    and ``numpy.asarray(rows)``, which reads everything.

    Attributes
    ----------
    shape : tuple of int
        Shape of the whole array.
    dtype : numpy.dtype
        Its type.
    chunks : ndarray of int, shape (n,)
        The chunk that each row is read from.
    n_together : int
        The number of chunks that are kept in memory together.
    """

    shape: tuple
    dtype: np.dtype

    @property
    @abstractmethod
    def chunks(self):
        """The chunk that each row is read from, ndarray of int, shape (n,)."""

    @property
    @abstractmethod
    def n_together(self):
        """The number of chunks that are kept in memory together."""

    @abstractmethod
    def take(self, indices):
        """Return rows.

        Parameters
        ----------
        indices : ndarray of int, shape (n,)
            Numbers of rows, from 0 on, in any order.

        Returns
        -------
        rows : ndarray, shape (n, ...)
            The rows.
        """

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self):
        """Bytes of the whole array, if it were in memory."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def fits(self):
        """Whether all chunks are kept in memory, once they were read."""
        return len(np.unique(self.chunks)) <= self.n_together

    def choose(self, rows):
        """Return some of the rows, still on disk.

        Parameters
        ----------
        rows : slice | array_like of (int | bool)
            Which rows.

        Returns
        -------
        rows : LazyRows
            The chosen ones, in this order.
        """
        return _ChosenRows(self, _as_indices(rows, len(self)))

    def map(self, function):
        """Return what a function makes of the rows when they are read.

        Parameters
        ----------
        function : callable
            From rows, shape (n, ...), to as many rows.

        Returns
        -------
        rows : LazyRows
            The results.
        """
        return _MappedRows(self, function)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
            index = np.arange(len(self))[index]  # checks the range, counts from the end
            return self.take(index[np.newaxis])[0]
        return self.take(_as_indices(index, len(self)))

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("Rows on disk have no array without reading them.")
        return np.asarray(self[:], dtype=dtype)

    def __repr__(self):
        return f"<{type(self).__name__} | {self.shape} {self.dtype}, not in memory>"


def _as_indices(index, n):
    """Turn a slice, a mask or numbers of rows into numbers from 0 on."""
    if isinstance(index, slice):
        return np.arange(n)[index]
    # A tuple would choose along several axes of an array.
    index = np.empty((0, 0)) if isinstance(index, tuple) else np.asarray(index)
    if index.dtype == bool and index.shape == (n,):
        return np.flatnonzero(index)
    if (index.dtype.kind not in "iu" and index.size) or index.ndim != 1:
        raise TypeError(
            "Rows that are not in memory are chosen by an integer, a slice, a sequence "
            f"of integers or a mask of all {n} rows, not by several axes at once. Read "
            "them first for more: rows[:][...]."
        )
    index = index.astype(np.intp)
    beyond = (index < -n) | (index >= n)
    if beyond.any():
        raise IndexError(f"Row {index[beyond][0]} is out of range: there are {n} rows.")
    return np.where(index < 0, index + n, index)


class ChunkedRows(LazyRows):
    """Rows that come in chunks of one size, a few of which are kept in memory.

    Parameters
    ----------
    read : callable
        ``read(chunk, rows)`` returns rows of a chunk: all for ``None``, or those of a
        sorted array of numbers without repetitions.
    shape : tuple of int
        Shape of the whole array.
    dtype : dtype
        Its type.
    chunk_size : int
        Rows per chunk; the last one may have fewer.
    """

    def __init__(self, read, shape, dtype, chunk_size):
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._read, self._size = read, chunk_size
        self._kept, self._lock = OrderedDict(), threading.Lock()

    @property
    def chunks(self):
        """The chunk of each row."""
        return np.arange(len(self)) // self._size

    @property
    def n_together(self):
        """How many chunks the cache holds."""
        row = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        return max(1, _CACHE_BYTES // max(1, row * self._size))

    def take(self, indices):
        """Return rows; see :meth:`LazyRows.take`."""
        out = np.empty((len(indices), *self.shape[1:]), self.dtype)
        chunk, within = np.divmod(indices, self._size)
        order = np.argsort(chunk, kind="stable")
        needed, first = np.unique(chunk[order], return_index=True)
        # Rows from all over the place: the cache would hold none of them next time.
        scattered = len(needed) > self.n_together
        pieces = np.split(order, first[1:])
        for number, where in zip(needed, pieces, strict=False):
            rows = within[where]
            kept = self._find(int(number), read=not scattered)
            if kept is None:
                rows, again = np.unique(rows, return_inverse=True)
                out[where] = self._read(int(number), rows)[again]
            else:
                out[where] = kept[rows]
        return out

    def _find(self, number, read):
        """Return a chunk from memory, or from disk if it is to be read."""
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
            if not read:
                return None
            # Room is made before, so that the limit holds at any moment.
            while len(self._kept) >= self.n_together:
                self._kept.popitem(last=False)
            self._kept[number] = self._read(number, None)
            return self._kept[number]

    def __getstate__(self):
        # Another process reads for itself.
        return {k: v for k, v in vars(self).items() if k not in ("_kept", "_lock")}

    def __setstate__(self, state):
        vars(self).update(state)
        self._kept, self._lock = OrderedDict(), threading.Lock()


class _ChosenRows(LazyRows):
    """Some rows of others."""

    def __init__(self, parent, rows):
        self._parent, self._rows = parent, rows
        self.shape, self.dtype = (len(rows), *parent.shape[1:]), parent.dtype

    @property
    def chunks(self):
        return self._parent.chunks[self._rows]

    @property
    def n_together(self):
        return self._parent.n_together

    def take(self, indices):
        return self._parent.take(self._rows[indices])


class _MappedRows(LazyRows):
    """What a function makes of rows."""

    def __init__(self, parent, function):
        self._parent, self._function = parent, function
        one = function(parent.take(np.arange(min(1, len(parent)))))
        self.shape, self.dtype = (len(parent), *one.shape[1:]), one.dtype

    @property
    def chunks(self):
        return self._parent.chunks

    @property
    def n_together(self):
        return self._parent.n_together

    def take(self, indices):
        return self._function(self._parent.take(indices))
