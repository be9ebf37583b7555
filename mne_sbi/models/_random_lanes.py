"""Normal random numbers for many simulations at once, made while they run.

Each lane, which is one simulation or one node of it, has its own generator: xorshift128
with the shifts 11, 8 and 19, of period 2**128 - 1, started at 128 random bits. Two of
its numbers make two normal deviates by the transform of Box and Muller. Logarithm, sine
and cosine are polynomials, because only these become vector instructions. Drawing
numbers with ``jax.random`` before or inside the loop takes four times as long.

The coefficients are least-maximum fits, by iteratively reweighted least squares on 4001
Chebyshev nodes; the error that stands beside each is measured on the same nodes.

References
----------
.. [1] Marsaglia G (2003). Xorshift RNGs. Journal of Statistical Software 8(14).
.. [2] Box GEP, Muller ME (1958). A note on the generation of random normal deviates.
   Annals of Mathematical Statistics 29:610-611.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# log2(1 + t) / t for t in [0, 1); absolute error of the logarithm 2e-6.
LOG2 = (
    1.442553144098427,
    -0.7182819062152265,
    0.458270747987147,
    -0.2795380220833032,
    0.12345138085241811,
    -0.026457413359720395,
)
# sin(pi t) / t in powers of t**2 for t in [-1/2, 1/2]; absolute error of the sine 6e-7.
SIN = (
    3.141582022148917,
    -5.167142796313215,
    2.541899027144173,
    -0.5546361960759459,
)
# cos(pi t) in powers of t**2 for t in [-1/2, 1/2]; absolute error 5e-8.
COS = (
    0.9999999534666588,
    -4.934792858674201,
    4.058411914145984,
    -1.3318801611140412,
    0.21969679833459216,
)
MANTISSA, ONE = 0x007FFFFF, 0x3F800000  # of single precision
MINUS_TWO_LN_2 = np.float32(-2 * np.log(2))


def polynomial(coefficients, x):
    """Evaluate a polynomial by Horner's rule.

    Parameters
    ----------
    coefficients : sequence of float
        The lowest power first.
    x : jax.Array
        Where.

    Returns
    -------
    value : jax.Array, shape of x
        The values.
    """
    value = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def start_lanes(keys, nodes=()):
    """Start a generator for each simulation and node.

    Parameters
    ----------
    keys : jax.Array, shape (n_lanes,)
        A random key for each simulation.
    nodes : tuple of int
        Empty, or the number of nodes.

    Returns
    -------
    lanes : tuple of 4 jax.Array of uint32, shape (n_lanes,) or (n_nodes, n_lanes)
        The generators.
    """
    bits = jax.vmap(lambda key: jax.random.bits(key, (4, *nodes), jnp.uint32))(keys)
    return tuple(jnp.moveaxis(bits, 0, -1))


def draw_bits(lanes):
    """Draw 32 random bits from each lane.

    Parameters
    ----------
    lanes : tuple of 4 jax.Array of uint32
        The generators.

    Returns
    -------
    lanes : tuple of 4 jax.Array of uint32
        The generators afterwards.
    bits : jax.Array of uint32
        The bits.
    """
    x, y, z, w = lanes
    x = x ^ (x << 11)
    bits = w ^ (w >> 19) ^ x ^ (x >> 8)
    return (y, z, w, bits), bits


def draw_normal_pair(lanes):
    """Draw two independent standard normal deviates from each lane.

    Parameters
    ----------
    lanes : tuple of 4 jax.Array of uint32
        The generators.

    Returns
    -------
    lanes : tuple of 4 jax.Array of uint32
        The generators afterwards.
    first, second : jax.Array of float32
        The deviates, not larger than 6.7.
    """
    lanes, for_radius = draw_bits(lanes)
    lanes, for_angle = draw_bits(lanes)
    return lanes, *to_normal_pair(for_radius, for_angle)


def to_normal_pair(for_radius, for_angle):
    """Turn random bits into two independent standard normal deviates.

    Parameters
    ----------
    for_radius, for_angle : jax.Array of uint32
        Random bits.

    Returns
    -------
    first, second : jax.Array of float32
        The deviates.
    """
    # Through signed integers, for which every processor has a vector instruction.
    upper = (for_radius >> 1).astype(jnp.int32).astype(jnp.float32)
    # In (0, 1], so that the logarithm is finite: the least is half a unit of 31 bits.
    uniform = upper * np.float32(2**-31) + np.float32(2**-32)
    bits = lax.bitcast_convert_type(uniform, jnp.int32)
    exponent = ((bits >> 23) - 127).astype(jnp.float32)
    t = lax.bitcast_convert_type((bits & MANTISSA) | ONE, jnp.float32) - 1
    log2 = exponent + polynomial(LOG2, t) * t
    # The polynomial may exceed zero by its error where the uniform number is nearly 1.
    radius = jnp.sqrt(jnp.maximum(log2 * MINUS_TWO_LN_2, 0))
    # A half circle of angles, and the lowest bit, which was not used, for the sign.
    sign = for_radius << 31
    radius = lax.bitcast_convert_type(radius, jnp.uint32) | sign
    radius = lax.bitcast_convert_type(radius, jnp.float32)
    angle = lax.bitcast_convert_type(for_angle, jnp.int32).astype(jnp.float32)
    angle = angle * np.float32(2**-32)
    square = angle * angle
    return (
        radius * (polynomial(SIN, square) * angle),
        radius * polynomial(COS, square),
    )
