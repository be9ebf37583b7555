"""Monotone rational-quadratic splines of the real line onto itself."""

import math

from .._keras import import_keras

keras = import_keras()
ops = keras.ops

N_BINS = 8
# Outside of [-END, END] the spline is the identity. The standard logistic base
# distribution has 7e-4 of its mass there.
END = 8.0
# Number of values that one spline needs: widths, heights, slopes at the inner knots.
N_SPLINE_VALUES = 3 * N_BINS - 1
# Smallest share of a bin and smallest slope: keep the inverse well conditioned.
_SMALLEST = 1e-3


def rational_quadratic_spline(x, values, *, inverse=False):
    r"""Map numbers through a monotone spline with linear tails.

    Parameters
    ----------
    x : tensor, shape (...)
        Where to evaluate.
    values : tensor, shape (..., 23)
        Unconstrained widths, heights and slopes of the 8 bins. All zeros give the
        identity.
    inverse : bool
        Evaluate the inverse function.

    Returns
    -------
    y : tensor, shape (...)
        The function's values.
    log_slope : tensor, shape (...)
        Logarithm of the slope of the forward function at the point, for either
        direction.

    Notes
    -----
    With the relative position :math:`\xi` in a bin of width w, height h and chord
    slope s = h / w, and the slopes :math:`d_0, d_1` at its ends [1]_:

    .. math::

        y = y_0 + h \frac{s \xi^2 + d_0 \xi (1 - \xi)}
                         {s + (d_0 + d_1 - 2 s) \xi (1 - \xi)}

    References
    ----------
    .. [1] Durkan et al. (2019). Neural spline flows. NeurIPS 32.
    """
    inside = ops.abs(x) < END
    # The values outside are replaced, not only their result: a NaN in the branch that
    # is not taken would still reach the gradient.
    x_in = ops.where(inside, x, ops.zeros_like(x))
    x0, width, y0, height, d0, d1 = _pick_bin(x_in, values, inverse)
    chord = height / width
    bend = d0 + d1 - 2.0 * chord
    if inverse:
        rise = x_in - y0
        a = height * (chord - d0) + rise * bend
        b = height * d0 - rise * bend
        c = -chord * rise
        root = ops.sqrt(ops.maximum(b * b - 4.0 * a * c, 0.0))
        xi = ops.clip(2.0 * c / (-b - root), 0.0, 1.0)
        y = x0 + xi * width
    else:
        xi = (x_in - x0) / width
    xi_rest = xi * (1.0 - xi)
    denominator = chord + bend * xi_rest
    if not inverse:
        y = y0 + height * (chord * xi * xi + d0 * xi_rest) / denominator
    slope = d1 * xi * xi + 2.0 * chord * xi_rest + d0 * (1.0 - xi) * (1.0 - xi)
    log_slope = (
        2.0 * ops.log(chord) + ops.log(slope) - 2.0 * ops.log(ops.abs(denominator))
    )
    return (
        ops.where(inside, y, x),
        ops.where(inside, log_slope, ops.zeros_like(x)),
    )


def _pick_bin(x, values, inverse):
    """Return start, size and end slopes of the bin that holds each number."""
    width = _shares(values[..., :N_BINS])
    height = _shares(values[..., N_BINS : 2 * N_BINS])
    # The shift makes the slope one where the value is zero.
    shift = math.log(math.expm1(1.0 - _SMALLEST))
    slope = _SMALLEST + ops.softplus(values[..., 2 * N_BINS :] + shift)
    one = ops.ones_like(slope[..., :1])
    x_end, y_end = ops.cumsum(width, -1) - END, ops.cumsum(height, -1) - END
    # Counting the inner edges below the number picks exactly one bin, however the
    # edges are rounded.
    edges = (y_end if inverse else x_end)[..., :-1]
    index = ops.sum(ops.cast(x[..., None] >= edges, "int32"), -1)
    chosen = ops.one_hot(index, N_BINS, dtype=values.dtype)
    quantities = (
        x_end - width,
        width,
        y_end - height,
        height,
        ops.concatenate([one, slope], -1),
        ops.concatenate([slope, one], -1),
    )
    return [ops.sum(quantity * chosen, -1) for quantity in quantities]


def _shares(values):
    """Cut [-END, END] into positive pieces."""
    share = _SMALLEST + (1.0 - _SMALLEST * N_BINS) * ops.softmax(values, -1)
    return 2.0 * END * share
