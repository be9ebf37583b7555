"""Convolution on JAX's CPU backend: copied patches times a matrix of the kernel.

Two axes of the kernel are unrolled into patches. Along the third, which has no
strides, the product with all places of the kernel is taken at once, and shifted
products are added: that takes fewer copies than unrolling three axes, and wider
matrices than a product for each place. Volumes are taken one after the other, which
keeps patches in the cache, and backwards the patches are made again.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class _Plan(NamedTuple):
    """Lengths along three axes, and the axis whose products are shifted and added."""

    kernel: tuple
    strides: tuple
    lengths: tuple
    places: tuple
    axis: int | None


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x, kernel, strides):
    """Convolve volumes without padding.

    Parameters
    ----------
    x : jax.Array, shape (n, n_inputs, nx, ny, nz)
        The volumes.
    kernel : jax.Array, shape (kx, ky, kz, n_inputs, n_outputs)
        The kernel.
    strides : tuple of int, shape (3,)
        Steps between outputs.

    Returns
    -------
    y : jax.Array, shape (n, n_outputs, mx, my, mz)
        The outputs.
    """
    plan = _make_plan(x.shape, kernel.shape, strides)
    matrix = _to_matrix(plan, kernel)

    def convolve_one(volume):
        products = matrix @ _make_patches(plan, volume)
        return _add_shifted(plan, products, kernel.shape[-1])

    return lax.map(convolve_one, x)


def _forward(x, kernel, strides):
    return convolve(x, kernel, strides), (x, kernel)


def _backward(strides, kept, grad):
    x, kernel = kept
    plan = _make_plan(x.shape, kernel.shape, strides)
    matrix, to_kernel = jax.vjp(partial(_to_matrix, plan), kernel)

    def spread(one):
        add = partial(_add_shifted, plan, n_outputs=kernel.shape[-1])
        shape = (len(matrix), _count_patches(plan))
        (products,) = jax.linear_transpose(
            add, jax.ShapeDtypeStruct(shape, one.dtype)
        )(one)
        return products

    def add_one(total, row):
        volume, one = row
        return total + spread(one) @ _make_patches(plan, volume).T, None

    def return_one(one):
        return _add_patches(plan, matrix.T @ spread(one), x.shape[1])

    # Two loops, so that the second one is dropped where nobody asks for its result.
    total, _ = lax.scan(add_one, jnp.zeros_like(matrix), (x, grad))
    return lax.map(return_one, grad), to_kernel(total)[0]


convolve.defvjp(_forward, _backward)


def _make_plan(x_shape, kernel_shape, strides):
    lengths, kernel = x_shape[2:], kernel_shape[:3]
    places = tuple(
        (n - k) // s + 1 for n, k, s in zip(lengths, kernel, strides, strict=True)
    )
    # The products that no output needs are in proportion to length / places.
    free = [axis for axis in range(3) if strides[axis] == 1]
    axis = min(free, key=lambda axis: lengths[axis] / places[axis], default=None)
    return _Plan(kernel, tuple(strides), lengths, places, axis)


def _unrolled(plan):
    return [axis for axis in range(3) if axis != plan.axis]


def _count_patches(plan):
    count = 1
    for axis in range(3):
        count *= (plan.lengths if axis == plan.axis else plan.places)[axis]
    return count


def _to_matrix(plan, kernel):
    """Kernel as matrix (places along the axis x outputs, patch)."""
    summed = [] if plan.axis is None else [plan.axis]
    # As _make_patches stacks: the axis that is unrolled last comes first.
    order = [*summed, 4, *_unrolled(plan)[::-1], 3]
    n_rows = kernel.shape[4]
    for axis in summed:
        n_rows *= kernel.shape[axis]
    return kernel.transpose(order).reshape(n_rows, -1)


def _make_patches(plan, volume):
    """Patches of one volume as columns of a matrix."""
    patches = volume
    for axis in _unrolled(plan):
        stride, reach = plan.strides[axis], plan.strides[axis] * (plan.places[axis] - 1)
        # Spatial axes are the last three, however many were stacked before them.
        shifted = [
            lax.slice_in_dim(
                patches, k, k + reach + 1, stride, axis=patches.ndim - 3 + axis
            )
            for k in range(plan.kernel[axis])
        ]
        patches = jnp.stack(shifted)
    return patches.reshape(-1, _count_patches(plan))


def _add_patches(plan, patches, n_inputs):
    """Add patches up where they came from: the transpose of _make_patches."""
    shape = [
        (plan.lengths if axis == plan.axis else plan.places)[axis] for axis in range(3)
    ]
    axes = _unrolled(plan)[::-1]
    patches = patches.reshape(*(plan.kernel[axis] for axis in axes), n_inputs, *shape)
    for axis in axes:
        stride, length = plan.strides[axis], plan.lengths[axis]
        place = patches.ndim - 4 + axis
        # With a stride, k = stride * whole + rest: the rests get an axis of their own.
        parts = jnp.expand_dims(patches, 1 + place + 1)
        shape = list(parts.shape[1:])
        shape[place : place + 2] = -(-length // stride), stride
        total = jnp.zeros(shape, patches.dtype)
        for k, part in enumerate(parts):
            start = [0] * total.ndim
            start[place : place + 2] = divmod(k, stride)
            # In place, one part after the other: a sum of padded parts would visit
            # the whole volume for each of them.
            kept = lax.dynamic_slice(total, start, part.shape)
            total = lax.dynamic_update_slice(total, kept + part, start)
        shape[place : place + 2] = [shape[place] * stride]
        patches = lax.slice_in_dim(total.reshape(shape), 0, length, axis=place)
    return patches


def _add_shifted(plan, products, n_outputs):
    """Sum of the products of all places of the kernel along the axis."""
    shape = [
        (plan.lengths if axis == plan.axis else plan.places)[axis] for axis in range(3)
    ]
    products = products.reshape(-1, n_outputs, *shape)
    if plan.axis is None:
        return products[0]
    n_places = plan.places[plan.axis]
    return sum(
        lax.slice_in_dim(part, k, k + n_places, axis=1 + plan.axis)
        for k, part in enumerate(products)
    )


@jax.custom_vjp
def multiply(x, kernel):
    """Product of few rows with a large matrix.

    Its gradient is written as a sum of outer products, one per row. A compiler can put
    that into the loop of the optimiser, so that a gradient as large as the matrix never
    stands in memory.

    Parameters
    ----------
    x : jax.Array, shape (n, n_inputs)
        The rows.
    kernel : jax.Array, shape (n_outputs, n_inputs)
        The matrix.

    Returns
    -------
    y : jax.Array, shape (n, n_outputs)
        The products.
    """
    return x @ kernel.T


def _forward_product(x, kernel):
    return multiply(x, kernel), (x, kernel)


def _backward_product(kept, grad):
    x, kernel = kept
    outer = sum(d[:, None] * row for d, row in zip(grad, x, strict=True))
    return grad @ kernel, outer


multiply.defvjp(_forward_product, _backward_product)
