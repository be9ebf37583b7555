"""Training loop and evaluation in blocks, shared by the Keras methods."""

import contextlib
import math

import numpy as np

from .._jax import standard_jax
from .._keras import exclusive_keras, import_keras
from .._threads import check_not_forked

keras = import_keras()

# Rows per compiled call. Fixed, so that a row meets the same arithmetic whatever rows
# are beside it, and so that each function is compiled once.
BLOCK = 128


class Stage(keras.Model):
    """Keras model around a function of tensors that uses some layers.

    Parameters
    ----------
    function : callable
        Takes the input tensors as positional arguments.
    used : list of keras.layers.Layer
        The built layers whose weights the function uses.
    """

    def __init__(self, function, used):
        super().__init__()
        self._function, self._used = function, list(used)
        self.built = True

    def call(self, inputs):
        """Apply the function."""
        if isinstance(inputs, (list, tuple)):
            return self._function(*inputs)
        return self._function(inputs)


def in_blocks(stage, *arrays, block=BLOCK):
    """Evaluate a model on blocks of rows of one fixed size.

    Parameters
    ----------
    stage : keras.Model
        From one or several tensors to one, row by row.
    *arrays : ndarray, shape (n, ...)
        The inputs, with the same number of rows.
    block : int
        Rows per block; the last one is filled up with zeros.

    Returns
    -------
    result : ndarray, shape (n, ...)
        Float32.
    """
    check_not_forked()
    n, run = len(arrays[0]), _make_runner(stage)
    results = []
    for start in range(0, max(n, 1), block):
        rows = [np.asarray(a[start : start + block], np.float32) for a in arrays]
        n_rows = len(rows[0])
        if n_rows < block:
            rows = [
                np.concatenate([a, np.zeros((block - n_rows, *a.shape[1:]), a.dtype)])
                for a in rows
            ]
        results.append(np.asarray(run(rows if len(rows) > 1 else rows[0]))[:n_rows])
    return np.concatenate(results)


def _make_runner(stage):
    """Return a function from a block of inputs to the model's outputs.

    :meth:`keras.Model.predict_on_batch` moves the weights in and out of the model at
    each call, which two threads cannot do at once. With JAX the model is evaluated as a
    pure function of its weights instead.
    """
    if keras.backend.backend() != "jax":

        def run(inputs):
            with exclusive_keras():
                return stage.predict_on_batch(inputs)

        return run

    compiled = _compile(stage)
    weights = [
        [v.value for v in variables]
        for variables in (stage.trainable_variables, stage.non_trainable_variables)
    ]

    def run(inputs):
        arrays = inputs if isinstance(inputs, list) else [inputs]
        shapes = tuple(array.shape for array in arrays)
        if shapes in compiled.known:
            with standard_jax():
                return compiled(*weights, inputs)
        # Traced by one thread, in single precision.
        with exclusive_keras():
            out = compiled(*weights, inputs)
            compiled.known.add(shapes)
        return out

    return run


def _compile(stage):
    """Return the compiled pure function of a model, made once."""
    compiled = getattr(stage, "_compiled", None)
    if compiled is None:
        compiled = stage._compiled = _Compiled(stage)
    return compiled


class _Compiled:
    """A model as a compiled function of weights and inputs, without side effects."""

    def __init__(self, stage):
        import jax

        self.known = set()
        self._run = jax.jit(lambda *args: stage.stateless_call(*args)[0])

    def __call__(self, trainable, others, inputs):
        return self._run(trainable, others, inputs)


def read_weights(model):
    """Copy a model's weights to NumPy arrays.

    Parameters
    ----------
    model : keras.Model
        The model.

    Returns
    -------
    weights : list of ndarray
        In the order that :meth:`keras.Model.set_weights` takes.
    """
    # Copies: a backend may hand out views of memory that the next step writes to.
    # Keras' own get_weights makes NumPy 2 warn.
    return [np.array(keras.ops.convert_to_numpy(w.value)) for w in model.weights]


class Batches(keras.utils.PyDataset):
    """Batches of one size in a new random order at each pass.

    Parameters
    ----------
    make_batch : callable
        From row indices and a generator to the inputs and the targets.
    n : int
        Number of rows.
    batch_size : int
        Rows per batch. The last batch of a pass is filled up with rows of the pass's
        beginning, so that no row is left out and one shape is compiled.
    seed : int
        Determines the order and the generators given to ``make_batch``.
    chunks : ndarray of int, shape (n,) | None
        The chunk that each row is read from. Then the order is one of the chunks, and
        of the rows among ``n_together`` chunks. None is any order.
    n_together : int
        How many chunks are kept in memory.
    """

    def __init__(self, make_batch, n, batch_size, seed, *, chunks=None, n_together=1):
        super().__init__()
        self._seed, self._n_together = seed, n_together
        self._batch_size = min(batch_size, n)
        self._num_batches = math.ceil(n / self._batch_size)
        self._pass = 0
        self._set(make_batch, n, chunks)

    @property
    def num_batches(self):
        """Number of batches in one pass."""
        return self._num_batches

    def __getitem__(self, index):
        make_batch, order, number = self._current
        # From the place alone: Keras asks for the first batch twice.
        rng = np.random.default_rng([self._seed, number, index + 1])
        first = index * self._batch_size
        return make_batch(order[first : first + self._batch_size], rng)

    def on_epoch_end(self):
        """Shuffle anew."""
        self._pass += 1
        self._set(self._make_batch, self._n, self._chunks)

    def replace(self, make_batch, n):
        """Take other rows from now on, without a change to the number of batches.

        Parameters
        ----------
        make_batch : callable
            From row indices and a generator to the inputs and the targets.
        n : int
            Number of rows. If there are more of them than the batches hold, a pass
            leaves some out; if there are fewer, it repeats some.
        """
        self._set(make_batch, n, None)

    def _set(self, make_batch, n, chunks):
        self._make_batch, self._n, self._chunks = make_batch, n, chunks
        rng = np.random.default_rng([self._seed, self._pass, 0])
        if chunks is None:
            order = rng.permutation(n)
        else:
            order = shuffle_locally(chunks, self._n_together, rng)
        order = np.resize(order, self._num_batches * self._batch_size)
        # One object, set at once: a backend that fetches batches in a thread never
        # sees the rows of one pass with the order of another.
        self._current = (make_batch, order, self._pass)


def shuffle_locally(chunks, n_together, rng):
    """Shuffle chunks, and then rows within as many chunks as are kept in memory.

    Parameters
    ----------
    chunks : ndarray of int, shape (n,)
        The chunk of each row.
    n_together : int
        Number of chunks whose rows are shuffled together.
    rng : numpy.random.Generator
        The source of randomness.

    Returns
    -------
    order : ndarray of int, shape (n,)
        The rows in their new order.
    """
    numbers, chunk = np.unique(chunks, return_inverse=True)
    group = rng.permutation(len(numbers)) // n_together
    return np.argsort(group[chunk] + rng.random(len(chunk)))


class _KeepBest(keras.callbacks.Callback):
    """Records the losses and the weights of the pass with the best validation loss."""

    def __init__(self, validate, report, refresh):
        super().__init__()
        self._validate, self._report, self._refresh = validate, report, refresh
        self.history = {"loss": [], "validation_loss": []}
        self.best_loss, self.best_weights = np.inf, None

    def on_epoch_begin(self, epoch, logs=None):
        """Renew the rows before each pass but the first.

        Here and not in :class:`Batches`, whose own hooks Keras also calls for the batch
        that it builds a model with. All batches of the last pass were used by now, and
        none of the next one was asked for.
        """
        if epoch and self._refresh is not None:
            self._refresh(epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Validate after a pass."""
        train, validation = float(logs["loss"]), float(self._validate())
        self.history["loss"].append(train)
        self.history["validation_loss"].append(validation)
        if validation < self.best_loss:
            self.best_loss = validation
            self.best_weights = read_weights(self.model)
        self._report(epoch + 1)
        if not np.isfinite(train):
            self.model.stop_training = True


def train(
    model,
    batches,
    validate,
    *,
    loss,
    max_iter,
    learning_rate,
    refresh=None,
    verbose=None,
):
    """Train a model and leave it with its best weights.

    Parameters
    ----------
    model : keras.Model
        The model; its weights change.
    batches : Batches
        The training data.
    validate : callable
        Takes nothing, returns the loss on rows that are not trained on.
    loss : str | callable
        As :meth:`keras.Model.compile` takes it.
    max_iter : int
        Number of passes over the training data.
    learning_rate : float
        At the beginning; it falls to zero along a cosine.
    refresh : callable | None
        Called with the number of the pass, from 1 on, before each pass but the first:
        the time to replace what is in ``batches``.
    verbose : bool | str | None
        Show progress; None and False do not.

    Returns
    -------
    history : dict of list of float
        ``"loss"`` and ``"validation_loss"`` after each pass.

    Raises
    ------
    RuntimeError
        If no pass ended with a finite validation loss.
    """
    n_steps = max_iter * batches.num_batches
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, n_steps)
    # A single step along a huge gradient, as an outlying row gives, can undo a pass.
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=5.0)
    model.compile(optimizer=optimizer, loss=loss)
    with _progress(max_iter, verbose) as report:
        keeper = _KeepBest(validate, report, refresh)
        model.fit(
            batches, epochs=max_iter, verbose=0, shuffle=False, callbacks=[keeper]
        )
    if keeper.best_weights is None:
        raise RuntimeError(
            "Training diverged: no pass had a finite validation loss. Try a smaller "
            f"learning_rate than {learning_rate:g}, and look for extreme values in x."
        )
    model.set_weights(keeper.best_weights)
    return keeper.history


class _Report(keras.callbacks.Callback):
    """Reports each finished pass."""

    def __init__(self, report):
        super().__init__()
        self._report = report

    def on_epoch_end(self, epoch, logs=None):
        """Count a pass."""
        self._report(epoch + 1)


@contextlib.contextmanager
def show_passes(max_iter, verbose):
    """Yield a callback for :meth:`keras.Model.fit` that shows a bar of passes.

    Parameters
    ----------
    max_iter : int
        Number of passes.
    verbose : bool | str | None
        Show progress; None and False do not.

    Yields
    ------
    callback : keras.callbacks.Callback
        Does nothing where progress is not shown.
    """
    with _progress(max_iter, verbose) as report:
        yield _Report(report)


@contextlib.contextmanager
def _progress(max_iter, verbose):
    """Yield a function that takes the number of finished passes."""
    if not verbose:
        yield lambda n_done: None
        return
    from mne.utils import ProgressBar, use_log_level

    with use_log_level("INFO" if verbose is True else verbose):
        # As a context manager, MNE's bar counts by a file of its own, which stays at 0.
        passes = iter(ProgressBar(range(max_iter), mesg="Training"))
        next(passes)
        yield lambda n_done: next(passes, None)


def split_rows(n, fraction, rng, most=None):
    """Split rows at random into training and validation rows.

    Parameters
    ----------
    n : int
        Number of rows.
    fraction : float
        Share of validation rows, in (0, 1); at least one row stays on either side.
    rng : numpy.random.Generator
        The source of randomness.
    most : int | None
        Largest number of validation rows.

    Returns
    -------
    train, validation : ndarray of int
        Sorted indices.
    """
    n_validation = min(max(1, round(n * fraction)), n - 1)
    n_validation = n_validation if most is None else min(n_validation, most)
    order = rng.permutation(n)
    return np.sort(order[n_validation:]), np.sort(order[:n_validation])
