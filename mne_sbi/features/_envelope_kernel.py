"""Compiled sums over pairs of signals, for correlations of orthogonalised envelopes.

Signal i without what it shares in phase with signal j has the envelope
``abs(imag(z_i * conj(z_j))) / abs(z_j)`` = ``abs(y_i * cos_j - x_i * sin_j)``, with
``z_i = x_i + 1j * y_i`` and the phase of j. It is never stored: each value is made in a
register and goes into the sums of which a correlation is made. Time is cut into blocks,
so that a block of all signals stays in the cache, and four signals are taken at a time,
for which each value of j is loaded once. Sums inside a block have the precision of the
input; over blocks they are double.

A block holds five arrays of shape (n_rows, n_samples): real and imaginary part, cosine
and sine of the phase, and the envelope minus its mean of 1. ``n_rows`` is a multiple of
``ROWS``; rows of zeros, and zeros after the last sample, add nothing to any sum. It is
indexed and not unpacked, because Numba takes the arrays that iteration gives for
strided ones, whose sums are no vector instructions and take ten times as long.

This file is imported inside functions only, because Numba takes a while to import.
"""

import numba
import numpy as np

ROWS = 4  # signals at a time: with more, the sums do not fit the registers

# These let sums be vector instructions; NaN and infinity keep their meaning.
_OPTIONS = {
    "nogil": True,
    "cache": True,
    "fastmath": {"reassoc", "contract", "nsz"},
    "error_model": "numpy",
}


@numba.njit(**_OPTIONS)
def sum_pairs(signals, n_samples, is_window):
    """Sum what the correlations of all ordered pairs need.

    Parameters
    ----------
    signals : ndarray of complex, shape (n_nodes, n_times)
        Analytic signals, which are scaled to a mean envelope of 1.
    n_samples : int
        Samples in a block.
    is_window : bool
        Whether sums are over the means of blocks, instead of over samples.

    Returns
    -------
    sums : ndarray of float64, shape (3, n_rows, n_rows)
        Over the envelope of row i orthogonalised to j: its sum, its sum of squares, and
        its sum of products with the envelope of j.
    totals : ndarray of float64, shape (2, n_rows)
        Over the envelope minus 1: its sum, and its sum of squares.
    """
    n_nodes, n_times = signals.shape
    n_rows = (n_nodes + ROWS - 1) // ROWS * ROWS
    sums, totals = np.zeros((3, n_rows, n_rows)), np.zeros((2, n_rows))
    block = np.zeros((5, n_rows, n_samples), signals.real.dtype)
    means, lines = np.empty(n_rows), np.empty((ROWS, n_rows), block.dtype)
    scales = _find_scales(signals)
    for start in range(0, n_times, n_samples):
        stop = min(start + n_samples, n_times)
        if stop < start + n_samples:
            block[:] = 0
        _fill(signals, start, stop, scales, block)
        _add_totals(block[4], means, totals, is_window)
        if is_window:
            _add_means(block, means, lines, sums)
        else:
            _add_samples(block, sums)
    return sums, totals


@numba.njit(**_OPTIONS)
def _find_scales(signals):
    """Find what brings each signal to a mean envelope of 1."""
    n_nodes, n_times = signals.shape
    scales = np.empty(n_nodes, signals.real.dtype)
    one, zero = scales.dtype.type(1), scales.dtype.type(0)
    for row in range(n_nodes):
        z = signals[row]
        largest = zero
        for t in range(n_times):
            largest = max(largest, abs(z[t].real), abs(z[t].imag))
        # First to the largest value, because squares of 1e-25 are zero in float32.
        scale = one / largest if largest > zero else one
        total = 0.0
        for t in range(n_times):
            a, b = z[t].real * scale, z[t].imag * scale
            total += np.sqrt(a * a + b * b)
        scales[row] = scale * (n_times / total) if total > 0 else one
    return scales


@numba.njit(**_OPTIONS)
def _fill(signals, start, stop, scales, block):
    """Write a block."""
    x, y, cosine, sine, envelope = block[0], block[1], block[2], block[3], block[4]
    one, zero = block.dtype.type(1), block.dtype.type(0)
    for row in range(len(signals)):
        scale = scales[row]
        # A slice of a row is contiguous, and a slice of all rows is not.
        z = signals[row][start:stop]
        for t in range(stop - start):
            a, b = z[t].real * scale, z[t].imag * scale
            m = np.sqrt(a * a + b * b)
            # A value of zero has no phase, and its product is zero with any.
            inverse = one / m if m > zero else zero
            x[row, t], y[row, t] = a, b
            cosine[row, t], sine[row, t] = a * inverse, b * inverse
            envelope[row, t] = m - one


@numba.njit(**_OPTIONS)
def _add_totals(envelope, means, totals, is_window):
    """Add the sums of single envelopes, and compute their means in the block."""
    for row in range(envelope.shape[0]):
        total = power = 0.0
        for value in envelope[row]:
            total += value
            power += np.float64(value) * value
        means[row] = total / envelope.shape[1]
        totals[0, row] += means[row] if is_window else total
        totals[1, row] += means[row] ** 2 if is_window else power


@numba.njit(**_OPTIONS)
def _add_samples(block, sums):
    """Add the sums over the samples of a block."""
    x, y, cosine, sine, envelope = block[0], block[1], block[2], block[3], block[4]
    n_rows, n_samples = x.shape
    zero = block.dtype.type(0)
    for i in range(0, n_rows, ROWS):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        y0, y1, y2, y3 = y[i], y[i + 1], y[i + 2], y[i + 3]
        for j in range(n_rows):
            c, s, e = cosine[j], sine[j], envelope[j]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = p0 = p1 = p2 = p3 = zero
            for t in range(n_samples):
                o0 = abs(y0[t] * c[t] - x0[t] * s[t])
                o1 = abs(y1[t] * c[t] - x1[t] * s[t])
                o2 = abs(y2[t] * c[t] - x2[t] * s[t])
                o3 = abs(y3[t] * c[t] - x3[t] * s[t])
                a0, b0, p0 = a0 + o0, b0 + o0 * o0, p0 + o0 * e[t]
                a1, b1, p1 = a1 + o1, b1 + o1 * o1, p1 + o1 * e[t]
                a2, b2, p2 = a2 + o2, b2 + o2 * o2, p2 + o2 * e[t]
                a3, b3, p3 = a3 + o3, b3 + o3 * o3, p3 + o3 * e[t]
            found = ((a0, b0, p0), (a1, b1, p1), (a2, b2, p2), (a3, b3, p3))
            for k, (a, b, p) in enumerate(found):
                sums[0, i + k, j] += a
                sums[1, i + k, j] += b
                sums[2, i + k, j] += p


@numba.njit(**_OPTIONS)
def _add_means(block, means, lines, sums):
    """Add the sums over means, of which a block gives one for each pair."""
    x, y, cosine, sine = block[0], block[1], block[2], block[3]
    n_rows, n_samples = x.shape
    zero = block.dtype.type(0)
    for i in range(0, n_rows, ROWS):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        y0, y1, y2, y3 = y[i], y[i + 1], y[i + 2], y[i + 3]
        for j in range(n_rows):
            c, s = cosine[j], sine[j]
            a0 = a1 = a2 = a3 = zero
            for t in range(n_samples):
                a0 += abs(y0[t] * c[t] - x0[t] * s[t])
                a1 += abs(y1[t] * c[t] - x1[t] * s[t])
                a2 += abs(y2[t] * c[t] - x2[t] * s[t])
                a3 += abs(y3[t] * c[t] - x3[t] * s[t])
            lines[0, j], lines[1, j], lines[2, j], lines[3, j] = a0, a1, a2, a3
        for k in range(ROWS):
            for j in range(n_rows):
                mean = lines[k, j] / np.float64(n_samples)
                sums[0, i + k, j] += mean
                sums[1, i + k, j] += mean * mean
                sums[2, i + k, j] += mean * means[j]
