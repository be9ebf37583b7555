"""Density heads: the conditional density of parameters in the unit cube.

A head sees parameters on the real line, moved there from the unit cube by the quantile
function of its base distribution. What it returns is the ratio of its density to the
base's, which is the density in the cube: one everywhere for an untrained spline flow.
"""

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from .._keras import import_keras
from ._initializers import RandomKernel
from ._spline import N_SPLINE_VALUES, rational_quadratic_spline

keras = import_keras()
ops = keras.ops

# Affine log scale and shift, then the spline, for every parameter and step.
_N_VALUES = 2 + N_SPLINE_VALUES
# Largest |log scale| of one affine map: three of them still narrow the prior by e^12.
_MAX_LOG_SCALE = 4.0
# Far outside of the base distribution.
_NETWORK_END = 100.0
# Where float64 is about to round the base's distribution function to 0 or 1.
_LOGIT_END, _PROBIT_END = 36.0, 8.0


def _limit(value):
    """Saturate a log scale, with slope one at zero."""
    return _MAX_LOG_SCALE * ops.tanh(value / _MAX_LOG_SCALE)


def _bound(y):
    """Bound what a network sees: three steps could multiply up to infinity."""
    return ops.clip(y, -_NETWORK_END, _NETWORK_END)


class SplineFlow(keras.layers.Layer):
    """Masked autoregressive flow of rational-quadratic splines in logit space.

    Parameters
    ----------
    n_params : int
        Number of parameters.
    n_hidden : int
        Units of each hidden layer.
    n_steps : int
        Number of autoregressive steps; the parameters' order flips between them.

    Notes
    -----
    A step maps each coordinate :math:`y_d` by an affine function and then by a spline
    [1]_, with values that a masked network [2]_ with residual connections computes
    from :math:`y_{<d}` and the conditioning. The base is the standard logistic
    distribution: the uniform one seen in logit space.

    Hidden units are sorted by how many coordinates they see, and depend on units that
    see no more than they do. So sampling computes each unit once, not once per
    coordinate.

    References
    ----------
    .. [1] Durkan et al. (2019). Neural spline flows. NeurIPS 32.
    .. [2] Germain et al. (2015). MADE: masked autoencoder for distribution estimation.
       ICML 37.
    """

    #: Columns of noise beside one per parameter.
    N_EXTRA_NOISE = 0

    def __init__(self, n_params, *, n_hidden=128, n_steps=3, **kwargs):
        super().__init__(**kwargs)
        self.n_params, self.n_hidden, self.n_steps = n_params, n_hidden, n_steps
        self.n_conditions = n_steps * n_hidden

    def build(self, context_shape):
        """Create the weights; ``context_shape`` is (None, n_context)."""
        n_hidden, n_out = self.n_hidden, self.n_params * _N_VALUES
        # A unit of group g sees the first g coordinates.
        group = np.arange(n_hidden) * self.n_params // n_hidden
        coordinate = np.arange(self.n_params)
        self._ends = np.searchsorted(group, coordinate, side="right").tolist()
        self._masks = {
            "in": (coordinate[:, None] < group).astype("float32"),
            "hidden": (group[:, None] <= group).astype("float32"),
            "out": np.repeat(group[:, None] <= coordinate, _N_VALUES, axis=1).astype(
                "float32"
            ),
        }
        self._project = self._affine("project", context_shape[-1], self.n_conditions, 1)
        self._steps = [
            {
                "in": self._affine(f"in_{k}", self.n_params, n_hidden, 1)[0],
                "hidden_1": self._affine(f"hidden_1_{k}", n_hidden, n_hidden, 1),
                "hidden_2": self._affine(f"hidden_2_{k}", n_hidden, n_hidden, 1),
                # Zero: the untrained flow is the identity.
                "out": self._affine(f"out_{k}", n_hidden, n_out, 0),
            }
            for k in range(self.n_steps)
        ]

    def _affine(self, name, n_in, n_out, scale):
        init = RandomKernel(scale, "fan_in") if scale else "zeros"
        kernel = self.add_weight(
            name=f"{name}_kernel", shape=(n_in, n_out), initializer=init
        )
        bias = self.add_weight(name=f"{name}_bias", shape=(n_out,), initializer="zeros")
        return kernel, bias

    def condition(self, context):
        """Project the context to what all steps add to their first layer."""
        kernel, bias = self._project
        return ops.matmul(context, kernel) + bias

    def log_ratio(self, y, conditions):
        """Logarithm of the density in the unit cube.

        Parameters
        ----------
        y : tensor, shape (n, n_params)
            Parameters in logit space.
        conditions : tensor, shape (n, n_conditions)
            From :meth:`condition`.

        Returns
        -------
        log_ratio : tensor, shape (n,)
            Log density relative to the prior.
        """
        z, log_slopes = self.forward(y, conditions)
        return ops.sum(log_slopes + _log_logistic(z) - _log_logistic(y), -1)

    def forward(self, y, conditions):
        """Map logits of parameters to the base space; see :meth:`inverse`."""
        total = ops.zeros_like(y)
        for k, step in enumerate(self._steps):
            if k:
                y, total = ops.flip(y, 1), ops.flip(total, 1)
            values = self._all_values(step, y, self._of_step(conditions, k))
            log_scale = _limit(values[..., 0])
            y = (y - values[..., 1]) * ops.exp(log_scale)
            y, log_slope = rational_quadratic_spline(y, values[..., 2:])
            total = total + log_scale + log_slope
        return y, total

    def inverse(self, z, conditions):
        """Map base noise to logits of parameters.

        Parameters
        ----------
        z : tensor, shape (n, n_params)
            Standard logistic noise.
        conditions : tensor, shape (n, n_conditions)
            From :meth:`condition`.

        Returns
        -------
        y : tensor, shape (n, n_params)
            Parameters in logit space.
        """

        # A scan, so that one step is compiled, and not each: most of what a new
        # process waits for.
        def invert(z, step_and_condition):
            step, condition = step_and_condition
            return ops.flip(self._invert_step(step, z, condition), 1), None

        order = range(self.n_steps)[::-1]
        # Plain dicts: Keras keeps its own kind, which backends cannot scan.
        steps = keras.tree.map_structure(
            lambda *weights: ops.stack([ops.convert_to_tensor(w) for w in weights]),
            *(dict(self._steps[k]) for k in order),
        )
        parts = ops.stack([self._of_step(conditions, k) for k in order])
        z, _ = ops.scan(invert, z, (steps, parts))
        # There is no flip after the last step.
        return ops.flip(z, 1)

    def _of_step(self, conditions, k):
        return conditions[:, k * self.n_hidden : (k + 1) * self.n_hidden]

    def _all_values(self, step, y, condition):
        """Affine and spline values of all coordinates, shape (n, n_params, 25)."""
        kernel = step["in"] * self._masks["in"]
        hidden = ops.matmul(_bound(y), kernel) + condition
        for name in ("hidden_1", "hidden_2"):
            kernel, bias = step[name]
            kernel = kernel * self._masks["hidden"]
            hidden = hidden + ops.matmul(ops.relu(hidden), kernel) + bias
        kernel, bias = step["out"]
        values = ops.matmul(ops.relu(hidden), kernel * self._masks["out"]) + bias
        return ops.reshape(values, (-1, self.n_params, _N_VALUES))

    def _invert_step(self, step, z, condition):
        """Solve for one coordinate after the other, each with its group of units."""
        known = []  # coordinates, each (n, 1)
        active = [[], [], []]  # groups of units of the three hidden layers
        start = 0
        for d, end in enumerate(self._ends):
            hidden = condition[:, start:end]
            if d:
                y = _bound(ops.concatenate(known, 1))
                hidden = hidden + ops.matmul(y, step["in"][:d, start:end])
            for layer, name in enumerate(("hidden_1", "hidden_2")):
                active[layer].append(ops.relu(hidden))
                kernel, bias = step[name]
                seen = ops.concatenate(active[layer], 1)
                hidden = hidden + ops.matmul(seen, kernel[:end, start:end])
                hidden = hidden + bias[start:end]
            active[2].append(ops.relu(hidden))
            kernel, bias = step["out"]
            column = slice(d * _N_VALUES, (d + 1) * _N_VALUES)
            seen = ops.concatenate(active[2], 1)
            values = ops.matmul(seen, kernel[:end, column]) + bias[column]
            y, _ = rational_quadratic_spline(z[:, d], values[:, 2:], inverse=True)
            y = y * ops.exp(-_limit(values[:, 0])) + values[:, 1]
            known.append(y[:, None])
            start = end
        return ops.concatenate(known, 1)

    @staticmethod
    def to_line(theta):
        """Logit of parameters in the unit cube, float64 ndarray."""
        return np.clip(logit(theta), -_LOGIT_END, _LOGIT_END)

    @staticmethod
    def from_line(y):
        """Parameters in the unit cube, strictly inside, float64 ndarray."""
        return expit(np.clip(np.asarray(y, float), -_LOGIT_END, _LOGIT_END))

    @staticmethod
    def shape_noise(uniform):
        """Turn uniform numbers into what :meth:`inverse` takes."""
        return SplineFlow.to_line(uniform)


def _log_logistic(y):
    """Log density of the standard logistic distribution, exact far out too."""
    size = ops.abs(y)
    return -size - 2.0 * ops.softplus(-size)


class GaussianMixture(keras.layers.Layer):
    r"""Mixture of Gaussians with full covariance, in probit space.

    Parameters
    ----------
    n_params : int
        Number of parameters.
    n_gaussians : int
        Number of Gaussians.

    Notes
    -----
    In probit space the prior is a standard Gaussian, which a Gaussian can equal; in
    logit space it is a logistic distribution, which no mixture equals. Each Gaussian is
    parametrised by its mean m and the lower triangular factor L of its precision: its
    log density is :math:`\sum_i \log L_{ii} - |L (y - m)|^2 / 2` and a constant.
    """

    #: Columns of noise beside one per parameter: the first one chooses the Gaussian.
    N_EXTRA_NOISE = 1

    def __init__(self, n_params, *, n_gaussians=8, **kwargs):
        super().__init__(**kwargs)
        self.n_params, self.n_gaussians = n_params, n_gaussians
        self._n_below = n_params * (n_params - 1) // 2
        self.n_conditions = n_gaussians * (1 + 2 * n_params + self._n_below)

    def build(self, context_shape):
        """Create the weights; ``context_shape`` is (None, n_context)."""
        # Small but not zero: identical Gaussians would have identical gradients.
        self._kernel = self.add_weight(
            name="kernel",
            shape=(context_shape[-1], self.n_conditions),
            initializer=RandomKernel(1e-3, "fan_in"),
        )
        self._bias = self.add_weight(
            name="bias", shape=(self.n_conditions,), initializer="zeros"
        )
        below = np.zeros((self._n_below, self.n_params, self.n_params), "float32")
        rows, columns = np.tril_indices(self.n_params, -1)
        below[np.arange(self._n_below), rows, columns] = 1.0
        self._place_below = below.reshape(self._n_below, self.n_params**2)

    def condition(self, context):
        """Compute weights, means and factors of all Gaussians."""
        return ops.matmul(context, self._kernel) + self._bias

    def _unpack(self, conditions):
        """Return log weights (n, K), means (n, K, P), log diagonals, factors."""
        n, k = self.n_params, self.n_gaussians
        raw = ops.reshape(conditions, (-1, k, 1 + 2 * n + self._n_below))
        log_weights = ops.log_softmax(raw[..., 0], -1)
        log_diagonal = _limit(raw[..., 1 + n : 1 + 2 * n])
        factor = ops.exp(log_diagonal)[..., None] * ops.eye(n, dtype="float32")
        if self._n_below:
            below = ops.matmul(raw[..., 1 + 2 * n :], self._place_below)
            factor = factor + ops.reshape(below, (-1, k, n, n))
        return log_weights, raw[..., 1 : 1 + n], log_diagonal, factor

    def log_ratio(self, y, conditions):
        """Logarithm of the density in the unit cube, as in :class:`SplineFlow`."""
        log_weights, mean, log_diagonal, factor = self._unpack(conditions)
        z = ops.sum(factor * (y[:, None, :] - mean)[..., None, :], -1)
        log_gaussian = ops.sum(log_diagonal - 0.5 * z * z, -1)
        # The constants of the Gaussians and of the base are the same and cancel.
        return ops.logsumexp(log_weights + log_gaussian, -1) + 0.5 * ops.sum(y * y, -1)

    def inverse(self, noise, conditions):
        """Draw from the Gaussian that the first column of the noise chooses."""
        log_weights, mean, log_diagonal, factor = self._unpack(conditions)
        below = ops.cumsum(ops.exp(log_weights), -1)[:, :-1] <= noise[:, :1]
        index = ops.sum(ops.cast(below, "int32"), -1)
        chosen = ops.one_hot(index, self.n_gaussians, dtype=mean.dtype)
        mean = ops.sum(chosen[..., None] * mean, 1)
        factor = ops.sum(chosen[..., None, None] * factor, 1)
        scale = ops.exp(-ops.sum(chosen[..., None] * log_diagonal, 1))
        solved = []  # forward substitution: factor @ (y - mean) = noise
        for d in range(self.n_params):
            rest = noise[:, d + 1]
            for e in range(d):
                rest = rest - factor[:, d, e] * solved[e]
            solved.append(rest * scale[:, d])
        return mean + ops.stack(solved, 1)

    @staticmethod
    def to_line(theta):
        """Probit of parameters in the unit cube, float64 ndarray."""
        return np.clip(ndtri(theta), -_PROBIT_END, _PROBIT_END)

    @staticmethod
    def from_line(y):
        """Parameters in the unit cube, strictly inside, float64 ndarray."""
        return ndtr(np.clip(np.asarray(y, float), -_PROBIT_END, _PROBIT_END))

    @staticmethod
    def shape_noise(uniform):
        """Turn uniform numbers into what :meth:`inverse` takes."""
        normal = GaussianMixture.to_line(uniform[:, 1:])
        return np.concatenate([uniform[:, :1], normal], axis=1)


#: Density heads by the name that :class:`NPE` takes.
HEADS = {"spline": SplineFlow, "mixture": GaussianMixture}
