"""Learning rate of Bricman and Borst's training."""

from .._keras import import_keras

keras = import_keras()


class Plateau(keras.callbacks.Callback):
    """Lower the learning rate where the loss stays, as PyTorch does.

    Keras' own callback waits for one pass less, compares losses by an absolute
    tolerance, and reads the rate in a way that NumPy 2 warns of.

    Parameters
    ----------
    learning_rate : float
        At the beginning.
    factor : float
        What the rate is multiplied by.
    patience : int
        Passes without a smaller loss that are borne before the rate falls.
    tolerance : float
        Share by which a loss has to be below the best one to count as smaller.
    """

    def __init__(self, learning_rate, factor, patience, tolerance=1e-4):
        super().__init__()
        self._learning_rate, self._factor = learning_rate, factor
        self._patience, self._tolerance = patience, tolerance
        self._best, self._n_bad = float("inf"), 0

    def on_epoch_end(self, epoch, logs=None):
        """Compare the loss of a pass with the best one."""
        loss = float(logs["loss"])
        if loss < self._best * (1 - self._tolerance):
            self._best, self._n_bad = loss, 0
            return
        self._n_bad += 1
        if self._n_bad > self._patience:
            self._learning_rate *= self._factor
            self.model.optimizer.learning_rate = self._learning_rate
            self._n_bad = 0
