"""Convolution on JAX's CPU backend: copied patches times a matrix of the kernel.

Three ways to deal with a place of the kernel, one per axis. Along the first axis, a
loop takes slabs of the volume, one for each output. Along another, the slab holds
shifted copies of itself. Along a third, without strides, products with all places of
the kernel are taken at once, and shifted products are added. So only one axis is
copied, a slab stays in the cache, and the matrices are wide enough to multiply fast.
Backwards the copies are made again.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class _Plan(NamedTuple):
    """Lengths along three axes, and the axis whose products are shifted and added.

    ``places`` are the outputs, ``columns`` those of which products are taken.
    """

    kernel: tuple
    strides: tuple
    lengths: tuple
    places: tuple
    n_inputs: int
    n_outputs: int
    summed: int | None

    @property
    def copied(self):
        """Axes of shifted copies, the last one first, whose copies are smallest."""
        return [axis for axis in (2, 1) if axis != self.summed]

    @property
    def columns(self):
        """Columns of products along the second and the third axis."""
        return tuple(
            (self.lengths if axis == self.summed else self.places)[axis]
            for axis in (1, 2)
        )


def _make_plan(x_shape, kernel_shape, strides):
    lengths, kernel = x_shape[2:], kernel_shape[:3]
    places = tuple(
        (n - k) // s + 1 for n, k, s in zip(lengths, kernel, strides, strict=True)
    )
    # As few products as possible that no output needs.
    free = [axis for axis in (1, 2) if strides[axis] == 1]
    summed = min(free, key=lambda axis: lengths[axis] / places[axis], default=None)
    return _Plan(kernel, strides, lengths, places, *kernel_shape[3:], summed)


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
        copies = _copy_shifted(plan, volume)

        def convolve_slab(number):
            return _add_shifted(plan, matrix @ _take_slab(plan, copies, number))

        return lax.map(convolve_slab, jnp.arange(plan.places[0]))

    return lax.map(convolve_one, x).transpose(0, 2, 1, 3, 4)


def _forward(x, kernel, strides):
    return convolve(x, kernel, strides), (x, kernel)


def _backward(strides, kept, grad):
    x, kernel = kept
    plan = _make_plan(x.shape, kernel.shape, strides)
    matrix, to_kernel = jax.vjp(partial(_to_matrix, plan), kernel)
    grad = grad.transpose(0, 2, 1, 3, 4)

    def add_volume(total, pair):
        copies, rows = _copy_shifted(plan, pair[0]), pair[1]

        def add_slab(number, total):
            slab = _take_slab(plan, copies, number)
            return total + _spread(plan, rows[number]) @ slab.T

        return lax.fori_loop(0, plan.places[0], add_slab, total), None

    def return_volume(rows):
        def add_slab(number, copies):
            slab = matrix.T @ _spread(plan, rows[number])
            return _add_slab(plan, copies, number, slab)

        n_patch = matrix.shape[1] // plan.kernel[0]
        zero = jnp.zeros((plan.lengths[0], n_patch, *plan.columns), x.dtype)
        copies = lax.fori_loop(0, plan.places[0], add_slab, zero)
        return _add_copies(plan, copies)

    # Two loops, so that the second one is dropped where nobody asks for its result.
    total, _ = lax.scan(add_volume, jnp.zeros_like(matrix), (x, grad))
    return lax.map(return_volume, grad), to_kernel(total)[0]


convolve.defvjp(_forward, _backward)


def _to_matrix(plan, kernel):
    """Kernel as a matrix (places along the summed axis and outputs, patch)."""
    summed = [] if plan.summed is None else [plan.summed]
    kernel = kernel.transpose([*summed, 4, 0, *plan.copied[::-1], 3])
    n_rows = plan.n_outputs * (plan.kernel[plan.summed] if summed else 1)
    return kernel.reshape(n_rows, -1)


def _copy_shifted(plan, volume):
    """Shifted copies of one volume (nx, patch without x, columns)."""
    copies = volume.transpose(1, 0, 2, 3)
    for axis in plan.copied:
        stride, n_places = plan.strides[axis], plan.places[axis]
        # The last two axes are spatial, however many were stacked before them.
        place = copies.ndim - 3 + axis
        shifted = [
            lax.slice_in_dim(
                copies, k, k + stride * (n_places - 1) + 1, stride, axis=place
            )
            for k in range(plan.kernel[axis])
        ]
        copies = jnp.stack(shifted, axis=1)
    return copies.reshape(plan.lengths[0], -1, *plan.columns)


def _add_copies(plan, copies):
    """Add copies up where they came from: the transpose of _copy_shifted."""
    n_copies = [plan.kernel[axis] for axis in plan.copied[::-1]]
    copies = copies.reshape(plan.lengths[0], *n_copies, plan.n_inputs, *plan.columns)
    for axis in plan.copied[::-1]:
        stride, length = plan.strides[axis], plan.lengths[axis]
        parts = jnp.moveaxis(copies, 1, 0)
        place = parts.ndim - 4 + axis
        # With a stride, k = stride * whole + rest: the rests get an axis of their own.
        parts = jnp.expand_dims(parts, place + 2)
        shape = list(parts.shape[1:])
        shape[place : place + 2] = -(-length // stride), stride
        total = jnp.zeros(shape, copies.dtype)
        for k, part in enumerate(parts):
            start = [0] * total.ndim
            start[place : place + 2] = divmod(k, stride)
            # In place, one part after the other: a sum of padded parts would visit
            # the whole volume for each of them.
            total = _add_at(total, part, start)
        shape[place : place + 2] = [shape[place] * stride]
        copies = lax.slice_in_dim(total.reshape(shape), 0, length, axis=place)
    return copies.transpose(1, 0, 2, 3)


def _take_slab(plan, copies, number):
    """Patches of one output along x, as columns."""
    start = number * plan.strides[0]
    slab = lax.dynamic_slice_in_dim(copies, start, plan.kernel[0])
    return slab.reshape(-1, plan.columns[0] * plan.columns[1])


def _add_slab(plan, copies, number, slab):
    """Add patches of one output along x: the transpose of _take_slab."""
    slab = slab.reshape(plan.kernel[0], *copies.shape[1:])
    return _add_at(copies, slab, [number * plan.strides[0], 0, 0, 0])


def _add_at(total, part, start):
    kept = lax.dynamic_slice(total, start, part.shape)
    return lax.dynamic_update_slice(total, kept + part, start)


def _add_shifted(plan, products):
    """Sum of products of all places along the summed axis: (n_outputs, my, mz)."""
    products = products.reshape(-1, plan.n_outputs, *plan.columns)
    if plan.summed is None:
        return products[0]
    n_places = plan.places[plan.summed]
    return sum(
        lax.slice_in_dim(part, k, k + n_places, axis=plan.summed)
        for k, part in enumerate(products)
    )


def _spread(plan, row):
    """Gradients of products: the transpose of _add_shifted."""
    if plan.summed is None:
        return row.reshape(plan.n_outputs, -1)
    n_kernel, n_columns = plan.kernel[plan.summed], plan.lengths[plan.summed]
    ends = [(0, 0)] * 3
    ends[plan.summed] = n_kernel - 1, n_kernel - 1
    padded = jnp.pad(row, ends)
    shifted = [
        lax.slice_in_dim(padded, start, start + n_columns, axis=plan.summed)
        for start in range(n_kernel - 1, -1, -1)
    ]
    return jnp.stack(shifted).reshape(n_kernel * plan.n_outputs, -1)


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
    back = grad @ kernel
    # Adds zero, but makes the gradient of the matrix depend on all readings of it:
    # otherwise the optimiser could not change it in place, and each step would copy it.
    x = x + 0 * back[0, 0]
    outer = sum(d[:, None] * row for d, row in zip(grad, x, strict=True))
    return back, outer


multiply.defvjp(_forward_product, _backward_product)
