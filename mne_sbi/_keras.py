"""The only place that imports Keras: choice of the backend, seeds without traces."""

import importlib.util
import os
import random
import sys
import threading
from contextlib import contextmanager, nullcontext

import numpy as np

from ._jax import standard_jax

# In the order of speed on a CPU for the small networks of this package.
_BACKENDS = ("jax", "torch", "tensorflow")
# Keras' own other backends evaluate networks and cannot train them.
_ONLY_EVALUATE = ("numpy", "openvino")
# One thread at a time imports Keras, builds networks and trains them: the precision of
# Keras, its seeds, and the generators of Python and NumPy from which initial weights
# come, are one for the whole process.
_EXCLUSIVE = threading.RLock()


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
    ValueError
        If ``KERAS_BACKEND`` is not the name of a backend.
    """
    if "keras" not in sys.modules:
        with _EXCLUSIVE:
            _import_first()
    # Waits for another thread that is about to import it.
    import keras

    return keras


def _import_first():
    """Choose the backend and import Keras."""
    wanted = os.environ.get("KERAS_BACKEND")
    known = (*_BACKENDS, *_ONLY_EVALUATE)
    if wanted and wanted not in known:
        hint = " Names are in lower case." if wanted.lower() in known else ""
        raise ValueError(
            f"The environment variable KERAS_BACKEND is {wanted!r}, and must be one of "
            f"{', '.join(_BACKENDS)}.{hint}"
        )
    if not wanted:
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
            import keras  # noqa: F401
    except ImportError as exc:
        raise ImportError(
            f"Keras could not be imported with the backend "
            f"'{os.environ['KERAS_BACKEND']}' ({exc}). Install that backend, or set "
            f"the environment variable KERAS_BACKEND to one of {_BACKENDS} that is "
            "installed."
        ) from exc


def check_can_train():
    """Raise an error if the backend of Keras cannot train networks."""
    backend = import_keras().backend.backend()
    if backend in _ONLY_EVALUATE:
        raise RuntimeError(
            f"The Keras backend {backend!r} cannot train networks. Set the environment "
            f"variable KERAS_BACKEND to one of {', '.join(_BACKENDS)} before Python "
            "starts."
        )


@contextmanager
def exclusive_keras():
    """Keep Keras for this thread, in single precision.

    Yields
    ------
    keras : module
        The Keras package. Inside the block, ``floatx`` and the policy of new layers are
        float32; what the caller had set is put back when the block ends. Other threads
        wait at this place until then.
    """
    keras = import_keras()
    is_jax = keras.backend.backend() == "jax"
    with _EXCLUSIVE, standard_jax() if is_jax else nullcontext():
        floatx, restore = keras.config.floatx(), _keep_keras_state()
        try:
            keras.config.set_floatx("float32")
            keras.config.set_dtype_policy("float32")
            yield keras
        finally:
            keras.config.set_floatx(floatx)
            restore()


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
    block ends, however it ends. The block is one of :func:`exclusive_keras`.
    """
    with exclusive_keras() as keras, _kept_states():
        torch = sys.modules.get("torch")
        torch_state = None if torch is None else torch.get_rng_state()
        try:
            keras.utils.set_random_seed(int(seed))
            yield keras
        finally:
            if torch is not None:
                torch.set_rng_state(torch_state)


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
    """Return a function that puts seeds and dtype policy of Keras back."""
    # Keras has no public way to read these as they are; a test notices when they move.
    try:
        from keras.src.backend.common import global_state
        from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
        from keras.src.utils.rng_utils import GLOBAL_RANDOM_SEED
    except ImportError:
        return lambda: None
    names = (GLOBAL_RANDOM_SEED, GLOBAL_SEED_GENERATOR, "dtype_policy")
    kept = {name: global_state.get_global_attribute(name) for name in names}

    def restore():
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)

    return restore
