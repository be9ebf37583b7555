"""The only place that imports Keras: choice of the backend, seeds without traces."""

import importlib.util
import os
import random
import sys
from contextlib import contextmanager

import numpy as np

# In the order of speed on a CPU for the small networks of this package.
_BACKENDS = ("jax", "torch", "tensorflow")


def import_keras():
    """Import Keras on a backend that is installed.

    A Keras that is imported already, and a backend that the environment variable
    ``KERAS_BACKEND`` names, are taken as they are. Otherwise the first of JAX, PyTorch
    and TensorFlow that is installed is used. The file ``keras.json`` is no evidence of
    a wish, because Keras writes it by itself, with TensorFlow in it, at its first
    import.

    Returns
    -------
    keras : module
        The Keras package.

    Raises
    ------
    ImportError
        If no backend is installed, or the one that ``KERAS_BACKEND`` names is not.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    if not os.environ.get("KERAS_BACKEND"):
        installed = [name for name in _BACKENDS if importlib.util.find_spec(name)]
        if not installed:
            raise ImportError(
                "Keras needs a backend, and none of jax, torch and tensorflow is "
                "installed. Type: pip install jax"
            )
        # In the environment, so that worker processes use the same one.
        os.environ["KERAS_BACKEND"] = installed[0]
    try:
        # Importing Keras or JAX draws from the global generators.
        with _kept_states():
            import keras
    except ImportError as exc:
        raise ImportError(
            f"Keras could not be imported with the backend "
            f"'{os.environ['KERAS_BACKEND']}' ({exc}). Install that backend, or set "
            f"the environment variable KERAS_BACKEND to one of {_BACKENDS} that is "
            "installed."
        ) from exc
    return keras


@contextmanager
def isolated_seed(seed):
    """Seed every random generator that Keras may use, and restore all of them.

    Parameters
    ----------
    seed : int
        The seed inside the block, in ``[0, 2**32)``.

    Yields
    ------
    keras : module
        The Keras package.

    Notes
    -----
    :func:`keras.utils.set_random_seed` seeds Python, NumPy and the backend, and
    replaces the global generator of Keras. What the caller had is put back when the
    block ends, however it ends.
    """
    keras = import_keras()
    torch = sys.modules.get("torch")
    torch_state = None if torch is None else torch.get_rng_state()
    restore_keras = _keep_keras_state()
    with _kept_states():
        try:
            keras.utils.set_random_seed(int(seed))
            yield keras
        finally:
            if torch is not None:
                torch.set_rng_state(torch_state)
            restore_keras()


@contextmanager
def _kept_states():
    """Put the global generators of Python and NumPy back when the block ends."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def _keep_keras_state():
    """Return a function that puts the global random state of Keras back."""
    # Keras has no public way to read these two; a test notices when they move.
    try:
        from keras.src.backend.common import global_state
        from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
        from keras.src.utils.rng_utils import GLOBAL_RANDOM_SEED
    except ImportError:
        return lambda: None
    names = (GLOBAL_RANDOM_SEED, GLOBAL_SEED_GENERATOR)
    kept = {name: global_state.get_global_attribute(name) for name in names}

    def restore():
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)

    return restore
