"""What every forward model must fulfil."""

import inspect

import numpy as np
from sklearn.base import clone

from .._parameters import Parameter
from .._priors import Prior
from ..models import ForwardModel
from ..models._sampling import check_is_timed

# The batch engine of a model may be an approximation; this much is below the noise of
# any estimated spectrum (5 dB for a single periodogram, 0.5 dB after averaging 75).
_TOLERANCE_DB = 0.5
# Of the root mean square: float32 results of two compiled programs differ by rounding,
# which recurrent dynamics amplify.
_TOLERANCE_TIMESERIES = 1e-2


def check_forward_model(model, *, differentiable=True, random_state=0):
    """Check that a forward model keeps the contract of :class:`ForwardModel`.

    Every check raises an error that says what is wrong. Use it in the tests of a
    package that offers a model.

    Parameters
    ----------
    model : ForwardModel
        The model, with settings that make a simulation short.
    differentiable : bool
        Whether the model's simulations can be differentiated by its parameters.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Decides which parameters are tried.

    Raises
    ------
    AssertionError
        If the model does not keep the contract.
    TypeError
        If the object is not an instance of a subclass of :class:`ForwardModel`.
    ValueError
        If the sampling rate or the duration of a model of time series is not set.
    """
    if not isinstance(model, ForwardModel):
        hint = " This is the class; create an instance." * inspect.isclass(model)
        raise TypeError(
            "check_forward_model() needs an instance of a ForwardModel, got "
            f"{model!r}.{hint}"
        )
    check_is_timed(model)
    check_parameters(model)
    check_settings(model)
    # The first import of JAX draws from NumPy's generator, for which no model can help.
    import jax  # noqa: F401

    before = _global_state()
    theta = _draw_valid(model, random_state)
    check_output(model)
    check_randomness(model)
    check_jit(model)
    check_batch(model, theta)
    if differentiable:
        check_gradient(model)
    _require(
        _global_state() == before,
        "simulating changed NumPy's global random state: draw from the key only",
    )


def check_parameters(model):
    """Check that the parameters are declared and documented.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    parameters = model.get_parameters()
    _require(
        isinstance(parameters, tuple) and len(parameters) > 0,
        f"the parameters must be a tuple of Parameter objects, got {parameters!r}",
    )
    for parameter in parameters:
        _require(
            isinstance(parameter, Parameter),
            f"{parameter!r} among the parameters is not a Parameter",
        )
        _require(
            parameter.name.isidentifier(),
            f"the parameter's name {parameter.name!r} must be usable as a keyword",
        )
        _require(parameter.doc, f"the parameter {parameter.name} needs a doc")
    names = Prior(parameters).names  # two of one name are an error here
    unknown = sorted(set(model.default_free or ()) - set(names))
    _require(not unknown, f"default_free names unknown parameters {unknown}")
    _require(
        model.shared_parameter in (None, *names),
        f"shared_parameter {model.shared_parameter!r} is not a parameter",
    )
    _require(
        model.output in ("timeseries", "spectrum"),
        f"output must be 'timeseries' or 'spectrum', got {model.output!r}",
    )


def check_settings(model):
    """Check that the constructor only stores its arguments.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    from ..models._base import freeze

    signature = inspect.signature(type(model).__init__)
    for argument in signature.parameters.values():
        _require(
            argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD),
            f"__init__ must name all its arguments, but takes *{argument.name}",
        )
    settings = model.get_params(deep=False)
    rebuilt = type(model)(**settings)
    for name, value in settings.items():
        _require(
            getattr(rebuilt, name) is value,
            f"__init__ must store {name!r} as it was given",
        )
    # Private attributes would make a clone differ from the original.
    extra = sorted(set(vars(rebuilt)) - set(settings))
    _require(not extra, f"__init__ sets {extra}, which are not its arguments")
    copied = clone(model).get_params(deep=False)
    try:
        same = hash(freeze(copied)) == hash(freeze(settings))
    except TypeError as exc:
        raise AssertionError(
            f"{type(model).__name__}: the settings must be hashable or arrays, lists "
            f"and dicts, or the model would be compiled at each call: {exc}"
        ) from exc
    _require(same, "a clone's settings must equal the original's")


def check_output(model):
    """Check shape and values of a simulation at the default parameters.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    data = np.asarray(model.simulate(_defaults(model), _key(0)))
    needed = ("freqs",) if model.output == "spectrum" else ("sfreq", "duration")
    for setting in needed:
        _require(
            hasattr(model, setting), f"a {model.output} model needs {setting!r}, in SI"
        )
    if model.output == "spectrum":
        n_last, label = len(model.get_freqs()), "n_freqs"
    else:
        n_last, label = round(model.sfreq * model.duration), "n_times"
    _require(
        data.ndim == 2 and data.shape[1] == n_last,
        f"simulate() must return shape (n_nodes, {label}) with {label}={n_last}, got "
        f"{data.shape}",
    )
    names = model.node_names
    if names is not None:
        _require(
            len(names) == len(data) and len(set(names)) == len(names),
            f"node_names must name each of the {len(data)} nodes once, got {names}",
        )
    _require(
        np.isrealobj(data) and np.isfinite(data).all(),
        "the simulation at the default parameters must be real and finite",
    )
    if model.output == "spectrum":
        _require((data > 0).all(), "a spectrum must be power, which is positive")


def check_randomness(model):
    """Check that a simulation is a function of the parameters and the key.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    params = _defaults(model)
    first, second = (np.asarray(model.simulate(params, _key(1))) for _ in range(2))
    _require(
        np.array_equal(first, second),
        "the same parameters and key must give the same simulation",
    )


def check_batch(model, theta):
    """Check that a batch is what its draws are one by one.

    Parameters
    ----------
    model : ForwardModel
        The model.
    theta : ndarray, shape (n, n_params)
        Valid parameters.
    """
    import jax

    prior = Prior(model.get_parameters())
    params, key = prior.as_dict(theta), _key(2)
    batch = np.asarray(model.simulate_batch(params, key))
    for row, values in enumerate(theta):
        one = {name: float(v) for name, v in zip(prior.names, values, strict=True)}
        alone = np.asarray(model.simulate(one, jax.random.fold_in(key, row)))
        _require(
            batch.shape == (len(theta), *alone.shape),
            f"simulate_batch() must return shape (n, n_nodes, ...), {len(theta)} times "
            f"{alone.shape}, got {batch.shape}",
        )
        _require_close(model, batch[row], alone, "simulate_batch() and simulate()")
    fewer = {name: values[:2] for name, values in params.items()}
    part = np.asarray(model.simulate_batch(fewer, key))
    for row in range(2):
        _require_close(model, part[row], batch[row], "batches of two sizes")
    valid = model.check_valid(params)
    _require(
        np.shape(valid) == (len(theta),) and np.asarray(valid).dtype == bool,
        "check_valid() must return one bool per draw",
    )
    try:
        model.simulate_batch(params | {"no_such_parameter": theta[:, 0]}, key)
    except ValueError:
        return
    _require(False, "simulate_batch() must refuse unknown parameters (complete_params)")


def check_jit(model):
    """Check that a simulation can be compiled for all parameters at once.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    import jax

    params = _defaults(model)
    try:
        compiled = np.asarray(jax.jit(model.simulate)(params, _key(3)))
    except TypeError as exc:
        raise AssertionError(
            f"{type(model).__name__}: simulate() must be a pure JAX function of "
            f"parameters and key, but cannot be compiled: {exc}"
        ) from exc
    plain = np.asarray(model.simulate(params, _key(3)))
    _require_close(model, compiled, plain, "compiled and plain simulate()")


def check_gradient(model):
    """Check that the gradient by every parameter exists and is finite.

    Parameters
    ----------
    model : ForwardModel
        The model.
    """
    import jax
    import jax.numpy as jnp

    def summarise(params):
        data = model.simulate(params, _key(4))
        if model.output == "spectrum":
            return jnp.log(data).mean()
        return jnp.square(data).mean()

    # Compiled as a whole, as users of gradients do.
    gradient = jax.jit(jax.grad(summarise))(_defaults(model))
    for name, value in gradient.items():
        _require(
            bool(np.isfinite(value)),
            f"the gradient by {name} at the default parameters is {value}",
        )
    _require(
        any(value != 0 for value in gradient.values()),
        "the gradients by all parameters are zero: does simulate() use them?",
    )


def _require(condition, message):
    if not condition:
        raise AssertionError(f"This forward model breaks the contract: {message}.")


def _require_close(model, first, second, what):
    """Compare two simulations on the scale that the output has."""
    if model.output == "spectrum":
        error = np.abs(10 * np.log10(first / second)).max()
        limit, unit = _TOLERANCE_DB, "dB"
    else:
        error = np.abs(first - second).max() / np.sqrt(np.mean(second**2))
        limit, unit = _TOLERANCE_TIMESERIES, "of the root mean square"
    # Written so that NaN fails.
    _require(
        bool(error <= limit), f"{what} differ by {error:.3g} {unit}, at most {limit:g}"
    )


def _defaults(model):
    return {p.name: float(p.default) for p in model.get_parameters()}


def _key(seed):
    import jax

    return jax.random.key(seed)


def _draw_valid(model, random_state, n=3):
    """Draw parameters that the model says it can simulate."""
    prior = Prior(model.get_parameters())
    theta = prior.sample(1000, random_state)
    theta = theta[model.check_valid(prior.as_dict(theta))]
    _require(
        len(theta) >= n,
        f"of 1000 draws from the prior only {len(theta)} are valid: narrow the ranges",
    )
    return theta[:n]


def _global_state():
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return (name, keys.tobytes(), *rest)
