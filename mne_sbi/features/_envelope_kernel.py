"""Compiled sums over pairs of signals, for correlations of orthogonalised envelopes.

Signal i without what it shares in phase with signal j has the envelope
``abs(imag(z_i * conj(z_j))) / abs(z_j)`` = ``abs(y_i * cos_j - x_i * sin_j)``, with
``z_i = x_i + 1j * y_i`` and the phase of j. It is never stored: each value is made in a
register and goes into the sums of which a correlation is made. Time is cut into blocks,
so that a block of all signals stays in the cache, and four signals are taken at a time,
for which each value of j is loaded once. Sums inside a block have the precision of the
input; over blocks they are double.

Only this file imports Numba, and it is imported inside functions only.
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
def fill_blocks(signals, x, y, cosine, sine, envelope):
    """Cut analytic signals into blocks, scaled to a mean envelope of 1.

    Parameters
    ----------
    signals : ndarray of complex, shape (n_rows, n_times)
        Analytic signals.
    x, y, cosine, sine, envelope : ndarray, shape (n_blocks, n_most, n_samples)
        Zeros, which are overwritten: real and imaginary part, cosine and sine of the
        phase, and the envelope minus its mean of 1. The last block may be longer than
        the signals.
    """
    n_rows, n_times = signals.shape
    n_blocks, _, n_samples = x.shape
    one = x.dtype.type(1)
    zero = x.dtype.type(0)
    for row in range(n_rows):
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
        scale *= x.dtype.type(n_times / total) if total > 0 else one
        for block in range(n_blocks):
            start = block * n_samples
            for t in range(min(n_samples, n_times - start)):
                a, b = z[start + t].real * scale, z[start + t].imag * scale
                m = np.sqrt(a * a + b * b)
                # A value of zero has no phase, and its product is zero with any.
                inverse = one / m if m > zero else zero
                x[block, row, t] = a
                y[block, row, t] = b
                cosine[block, row, t] = a * inverse
                sine[block, row, t] = b * inverse
                envelope[block, row, t] = m - one


@numba.njit(**_OPTIONS)
def sum_samples(x, y, cosine, sine, envelope):
    """Sum over samples what the correlations of all ordered pairs need.

    Parameters
    ----------
    x, y, cosine, sine, envelope : ndarray, shape (n_blocks, n_rows, n_samples)
        As :func:`fill_blocks` makes them; ``n_rows`` is a multiple of ``ROWS``.

    Returns
    -------
    sums : ndarray of float64, shape (3, n_rows, n_rows)
        Over the envelope of row i orthogonalised to j: its sum, its sum of squares, and
        its sum of products with the envelope of j.
    """
    n_blocks, n_rows, n_samples = x.shape
    sums = np.zeros((3, n_rows, n_rows))
    zero = x.dtype.type(0)
    for block in range(n_blocks):
        for i in range(0, n_rows, ROWS):
            x0, y0 = x[block, i], y[block, i]
            x1, y1 = x[block, i + 1], y[block, i + 1]
            x2, y2 = x[block, i + 2], y[block, i + 2]
            x3, y3 = x[block, i + 3], y[block, i + 3]
            for j in range(n_rows):
                c, s, e = cosine[block, j], sine[block, j], envelope[block, j]
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
    return sums


@numba.njit(**_OPTIONS)
def sum_windows(x, y, cosine, sine, means):
    """Sum over windows what the correlations of their means need.

    Parameters
    ----------
    x, y, cosine, sine : ndarray, shape (n_windows, n_rows, n_samples)
        As :func:`fill_blocks` makes them, with a window in each block.
    means : ndarray of float64, shape (n_windows, n_rows)
        Mean envelope of each window, minus 1.

    Returns
    -------
    sums : ndarray of float64, shape (3, n_rows, n_rows)
        As those of :func:`sum_samples`, over the means of windows.
    """
    n_windows, n_rows, n_samples = x.shape
    sums = np.zeros((3, n_rows, n_rows))
    totals = np.empty((ROWS, n_rows), x.dtype)
    zero = x.dtype.type(0)
    for window in range(n_windows):
        for i in range(0, n_rows, ROWS):
            x0, y0 = x[window, i], y[window, i]
            x1, y1 = x[window, i + 1], y[window, i + 1]
            x2, y2 = x[window, i + 2], y[window, i + 2]
            x3, y3 = x[window, i + 3], y[window, i + 3]
            for j in range(n_rows):
                c, s = cosine[window, j], sine[window, j]
                a0 = a1 = a2 = a3 = zero
                for t in range(n_samples):
                    a0 += abs(y0[t] * c[t] - x0[t] * s[t])
                    a1 += abs(y1[t] * c[t] - x1[t] * s[t])
                    a2 += abs(y2[t] * c[t] - x2[t] * s[t])
                    a3 += abs(y3[t] * c[t] - x3[t] * s[t])
                totals[0, j], totals[1, j] = a0, a1
                totals[2, j], totals[3, j] = a2, a3
            for k in range(ROWS):
                for j in range(n_rows):
                    mean = totals[k, j] / np.float64(n_samples)
                    sums[0, i + k, j] += mean
                    sums[1, i + k, j] += mean * mean
                    sums[2, i + k, j] += mean * means[window, j]
    return sums
