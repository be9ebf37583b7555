"""The abstract forward model, which built-in models and plugins subclass."""

from abc import ABC, abstractmethod
from functools import lru_cache

import numpy as np
from sklearn.base import BaseEstimator

from .._checks import check_array, did_you_mean
from .._jax import standard_jax
from .._parameters import check_not_far

# How many simulations the default `simulate_batch` runs in one compiled call.
_CHUNK = 256


class ForwardModel(BaseEstimator, ABC):
    """A model that turns parameters into brain activity.

    To write a model, subclass it, declare its parameters, store the static settings
    in ``__init__`` unchanged, and write :meth:`simulate`. Everything else (drawing
    parameters, compiling, batching, noise, features) is done by the package.

    Attributes
    ----------
    parameters : tuple of Parameter
        The parameters that can be inferred, with ranges, defaults and units.
    default_free : tuple of str | None
        The parameters that are inferred when the user does not say; ``None`` stands
        for all. The others are fixed at their defaults.
    output : "timeseries" | "spectrum"
        What :meth:`simulate` returns. A time-series model has settings ``sfreq`` (Hz)
        and ``duration`` (s); a spectral model has ``freqs`` (Hz).
    output_unit : str
        Unit of what :meth:`simulate` returns; empty if there is none.
    shared_parameter : str | None
        A parameter whose values are costly to change. Draws from the prior are then
        made in groups that share a value of it.
    n_sharing : int
        How many draws share a value of it.
    differentiable : bool
        Whether JAX can differentiate :meth:`simulate`.
    chunk_size : int
        How many draws are one task for a thread or a worker, at most 2048: fewer for
        models that take long.
    block_size : int
        How many simulations of time series are asked for at once when many are needed:
        more are faster for some models, and take more memory.

    Notes
    -----
    Models are scikit-learn estimators only as far as their settings go: ``clone``,
    ``get_params`` and nested names such as ``model__duration`` work.
    """

    parameters = ()
    default_free = None
    output = "timeseries"
    output_unit = ""
    shared_parameter = None
    n_sharing = 640
    differentiable = True
    chunk_size = 2048
    block_size = 256

    @abstractmethod
    def simulate(self, params, key):
        """Simulate one draw.

        Parameters
        ----------
        params : dict of float
            One value for each of the model's parameters, in its unit.
        key : jax.Array
            Random key, from which all randomness must come.

        Returns
        -------
        data : jax.Array, shape (n_nodes, n_times) or (n_nodes, n_freqs)
            The time series, or the power spectrum (power, not decibels). It must be
            a pure JAX function of its arguments.
        """

    @standard_jax()
    def simulate_batch(self, params, key):
        """Simulate many draws.

        Parameters
        ----------
        params : dict of array, shape (n,)
            The values of the model's parameters.
        key : jax.Array
            Random key; draw ``i`` uses ``jax.random.fold_in(key, i)``.

        Returns
        -------
        data : ndarray, shape (n, n_nodes, n_times) or (n, n_nodes, n_freqs)
            The simulations. A model whose draws can share work overrides this.
        """
        import jax
        import jax.numpy as jnp

        params = self.complete_params(params)
        n = len(next(iter(params.values())))
        run = _compiled(type(self), _Settings(self.get_params(deep=False)))
        if n == 0:
            block = {name: jnp.zeros(1) for name in params}
            like = jax.eval_shape(run, block, jax.random.split(key, 1))
            return np.empty((0, *like.shape[1:]), like.dtype)
        out = []
        for start in range(0, n, _CHUNK):
            index = np.arange(start, min(start + _CHUNK, n))
            # A fixed shape per configuration, or the last chunk would compile anew.
            size = _CHUNK if n > _CHUNK else 1 << (n - 1).bit_length()
            padded = np.concatenate([index, np.repeat(index[-1:], size - len(index))])
            block = {name: jnp.asarray(v[padded]) for name, v in params.items()}
            keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.asarray(padded))
            out.append(np.asarray(run(block, keys))[: len(index)])
        return np.concatenate(out)

    def check_valid(self, params):
        """Say for which parameters the model makes sense.

        Parameters
        ----------
        params : dict of array, shape (n,)
            The values of the model's parameters.

        Returns
        -------
        valid : ndarray of bool, shape (n,)
            By default all are valid. Draws that are not are counted, reported and
            left out of the training.
        """
        n = len(next(iter(params.values())))
        return np.ones(n, dtype=bool)

    def check_ranges(self, ranges):
        """Raise an error if the model cannot simulate these ranges of parameters.

        Parameters
        ----------
        ranges : dict of (float, float)
            Lowest and highest value of every parameter.

        Raises
        ------
        ValueError
            By default never; a model whose :meth:`simulate_batch` covers less than
            any value overrides this, so that the error comes before the work.
        """
        return

    def prepare(self):
        """Do what all simulations of these settings share, before the first one.

        By default there is nothing to do. A model that computes tables overrides this
        and keeps them on disk, so that other processes find them; it must not keep
        them in the object, which is sent to every process that simulates.

        Returns
        -------
        self : ForwardModel
            The model.
        """
        return self

    def get_parameters(self):
        """Return the parameters that these settings of the model have.

        Returns
        -------
        parameters : tuple of Parameter
            By default :attr:`parameters`.
        """
        return self.parameters

    def get_freqs(self):
        """Return the frequencies of a spectral model.

        Returns
        -------
        freqs : ndarray, shape (n_freqs,)
            By default the setting ``freqs``, in Hz. A model whose setting may be
            ``None`` overrides this.
        """
        return np.atleast_1d(check_array("freqs", self.freqs))

    def complete_params(self, params):
        """Fill in defaults and bring all values to one length.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Values of some parameters.

        Returns
        -------
        params : dict of ndarray, shape (n,)
            Values of all parameters, in the order of :meth:`get_parameters`.

        Raises
        ------
        ValueError
            If a name is unknown, a value is not finite, values are so large that they
            are of another unit, or the lengths differ.
        """
        parameters = self.get_parameters()
        known = {p.name: p.default for p in parameters}
        for name in params:
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}. Its parameters "
                    f"are {', '.join(known)}." + did_you_mean(name, known)
                )
        values = {
            name: np.atleast_1d(check_array(name, params.get(name, default)))
            for name, default in known.items()
        }
        for parameter in parameters:
            check_not_far(parameter, values[parameter.name], "params")
        lengths = {name: value.shape for name, value in values.items()}
        try:
            shape = np.broadcast_shapes(*lengths.values())
        except ValueError as exc:
            raise ValueError(
                f"All parameters must be scalars or have the same length, got {lengths}"
            ) from exc
        if len(shape) != 1:
            raise ValueError(
                f"Parameters must be scalars or have shape (n,), got {lengths}."
            )
        return {name: np.broadcast_to(v, shape) for name, v in values.items()}

    def get_symmetries(self):
        """Return the rescalings of parameters that leave the data exactly as they are.

        Returns
        -------
        symmetries : tuple of dict of float
            For each, the exponent ``e`` of every parameter that it changes, from ``p``
            to ``p * k**e`` for any factor ``k > 0``. Parameters that are not named stay
            as they are. By default none is known.
        """
        return ()

    @property
    def single_node(self):
        """Whether the model is of one node, without a name.

        Then each row of a recording, a channel or a region, is inverted by itself.
        """
        return False

    @property
    def node_names(self):
        """Names of the nodes: those of the connectome, where the model has one."""
        connectome = getattr(self, "connectome", None)
        return None if connectome is None else tuple(connectome.names)


def freeze(value):
    """Turn a setting into something that can be compared and hashed.

    Parameters
    ----------
    value : object
        A setting of a model: numbers, strings, arrays, lists, dicts, or objects that
        can be hashed themselves, such as a connectome.

    Returns
    -------
    frozen : object
        Equal for equal settings.
    """
    if isinstance(value, np.ndarray):
        return ("array", value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, (list, tuple)):
        return tuple(freeze(v) for v in value)
    if isinstance(value, dict):
        return tuple(sorted((k, freeze(v)) for k, v in value.items()))
    if isinstance(value, ForwardModel):
        # A model round another one, whose clone is another object.
        return (type(value), freeze(value.get_params(deep=False)))
    return value


class _Settings:
    """Settings that compare by value, so that equal models share compiled code."""

    def __init__(self, params):
        self.params = params
        self._frozen = freeze(params)

    def __eq__(self, other):
        return isinstance(other, _Settings) and self._frozen == other._frozen

    def __hash__(self):
        return hash(self._frozen)


@lru_cache(maxsize=16)
def _compiled(cls, settings):
    """Compile a model's `simulate` over draws, once per class and settings."""
    import jax

    model = cls(**settings.params)
    return jax.jit(jax.vmap(model.simulate))
