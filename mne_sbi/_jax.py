"""JAX's number types, which are settings of the whole process."""

from contextlib import contextmanager


@contextmanager
def standard_jax():
    """Run a block, or a function as a decorator, with the number types of a fresh JAX.

    With ``jax_enable_x64`` random numbers are others, and networks are rounded in
    another way; with ``jax_numpy_dtype_promotion="strict"`` sums of two types are
    errors. Both are the user's for their own code.
    """
    import jax

    # Earlier versions have it in jax.experimental only.
    place = jax if hasattr(jax, "enable_x64") else jax.experimental
    with place.enable_x64(False), standard_promotion():
        yield


@contextmanager
def standard_promotion():
    """Run a block, or a function, that may be traced with the user's precision."""
    import jax

    with jax.numpy_dtype_promotion("standard"):
        yield
