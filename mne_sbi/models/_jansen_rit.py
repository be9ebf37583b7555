"""The Jansen-Rit model of a cortical column, or of several that are connected."""

import numpy as np

from .._checks import check_array, check_option
from .._connectome import Connectome
from .._jax import standard_jax, standard_promotion
from ._base import ForwardModel
from ._jansen_rit_parameters import (
    DEFAULT_FREE,
    PARAMETERIZATIONS,
    POSITIVE,
    check_signs,
    exact_symmetries,
    gain_symmetries,
    make_parameters,
    to_standard,
)
from ._pulses import PulseTrain
from ._sampling import count_samples, positive_setting, split_sample

_SCHEMES = ("strang", "heun")
_GENERATORS = ("xorshift", "threefry")
# The spectrum of the default scheme is wrong by up to 3.4 dB at 4 ms, and 10 dB at 8.
_LONGEST_STEP = 4e-3  # s
# Simulations side by side, times nodes. A power of two that holds all draws, from the
# first to the last of these: fewer do not fill the vector units, and more do not fit
# into the cache that is next to them.
_FEWEST_LANES, _MOST_LANES = 64, 2048


class JansenRit(ForwardModel):
    """Jansen-Rit model: the EEG source of a cortical column, or of several.

    Pyramidal cells excite, and are excited and inhibited by, two populations of
    interneurons; noise about a mean firing rate comes in at the excitatory ones.

    Parameters
    ----------
    connectome : Connectome | None
        Regions, each a column of the same parameters with noise of its own, and their
        connections. ``None`` stands for a single column.
    sfreq : float | None
        Sampling rate in Hz. An inverter fills it in from the recording.
    duration : float | None
        Duration in s. An inverter fills it in from the recording.
    stimulus : PulseTrain | None
        Pulses that reach all regions alike. The output is then the average of the
        epochs around them, not baseline-corrected, each ``duration`` long, with the
        noise going on meanwhile. ``None`` stands for the resting state.
    scheme : "strang" | "heun"
        How to integrate: Strang splitting with exact Ornstein-Uhlenbeck steps, or
        Heun's method, which serves as reference.
    step : float
        Longest step of the integration in s, at most 0.004; the step is the largest
        one not above it of which a whole number makes a sample.
    burn_in : float
        Seconds that are simulated before the first sample, from random potentials.
        With 0, the first samples are those of the way up from potentials of zero.
    speed : float
        Conduction speed along the connections in m/s. Delays are rounded to steps of
        the integration, and last one step at least.
    rng : "xorshift" | "threefry"
        Random numbers from a generator per simulation inside the loop, or from
        :mod:`jax.random`, four times slower.
    parameterization : "standard" | "combinations"
        With ``"combinations"``, ``A``, ``B``, ``C``, ``mu`` and ``sigma`` are replaced
        by the products that the signal determines: ``AC``, ``BC``, ``Amu`` and
        ``Asigma``, with A at 3.25 mV.

    Notes
    -----
    With the firing rate ``S(v) = v_max / (1 + exp(r (v0 - v)))`` the potentials follow

    .. code-block:: text

        y0'' = A a S(y1 - y2)                              - 2 a y0' - a^2 y0
        y1'' = A a (mu + sigma dW/dt + C c2 S(C c1 y0))    - 2 a y1' - a^2 y1
        y2'' = B b C c4 S(C c3 y0)                         - 2 b y2' - b^2 y2

    and the output is ``y1 - y2`` in V. The numbers of synapses C1 to C4 of the
    literature are ``C c1`` to ``C c4``. The noise is of the input's firing rate; where
    it is written as that of the second derivative, its strength is ``sigma A a``.

    Pulses add their rate, in 1/s, to ``S(y1 - y2)`` (pyramidal), to ``mu`` (excitatory)
    or to ``C c4 S(C c3 y0)`` (inhibitory). A connectome adds ``coupling * sum_j w_ij
    S(y1_j - y2_j)``, delayed, to ``mu`` of region i, with the weights w, from region j
    to region i, scaled so that the largest sum that arrives at one region is 1.

    The output is sampled, not filtered. The spectrum falls with the fourth power of the
    frequency, so that what lies beyond half the sampling rate adds 0.2 dB at 40 Hz and
    a rate of 128 Hz, and 0.8 dB at a rate of 100 Hz. Simulations are in single
    precision; parameters for which they overflow give NaN or infinity.

    References
    ----------
    .. [1] Jansen BH, Rit VG (1995). Electroencephalogram and visual evoked potential
       generation in a mathematical model of coupled cortical columns. Biological
       Cybernetics 73:357-366.
    .. [2] Ableidinger M, Buckwar E, Hinterleitner H (2017). A stochastic version of
       the Jansen and Rit neural mass model: analysis and numerics. Journal of
       Mathematical Neuroscience 7:8.

    Examples
    --------
    >>> import jax
    >>> from mne_sbi.models import JansenRit
    >>> model = JansenRit(sfreq=128.0, duration=2.0)
    >>> model.simulate_batch({"C": [108, 135]}, jax.random.key(0)).shape
    (2, 1, 256)
    """

    parameters = make_parameters("standard")
    output = "timeseries"
    output_unit = "V"

    def __init__(
        self,
        connectome=None,
        *,
        sfreq=None,
        duration=None,
        stimulus=None,
        scheme="strang",
        step=1e-3,
        burn_in=2.0,
        speed=10.0,
        rng="xorshift",
        parameterization="standard",
    ):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration
        self.stimulus = stimulus
        self.scheme = scheme
        self.step = step
        self.burn_in = burn_in
        self.speed = speed
        self.rng = rng
        self.parameterization = parameterization

    def get_parameters(self):
        """Return the parameters that these settings have, a tuple of Parameter."""
        populations = ()
        if self._get_stimulus() is not None:
            populations = self.stimulus.populations
        coupled = self._get_connectome() is not None
        return make_parameters(self.parameterization, populations, coupled)

    @property
    def default_free(self):
        """The parameters that are inferred when nobody says which."""
        options = PARAMETERIZATIONS
        return DEFAULT_FREE[
            check_option("parameterization", self.parameterization, options)
        ]

    @property
    def single_node(self):
        """Whether the model is of one node, without a name."""
        return self._get_connectome() is None

    @property
    def block_size(self):
        """How many simulations are asked for at once when many are needed."""
        return self._lanes()

    def get_symmetries(self):
        """Return the rescalings of parameters that leave the output as it is.

        Returns
        -------
        symmetries : tuple of dict of float
            As in :meth:`ForwardModel.get_symmetries`. Rescaled by a power of two, the
            output is the same to the last bit.
        """
        names = [p.name for p in self.get_parameters()]
        return exact_symmetries(self.parameterization, names)

    def get_gain_symmetries(self):
        """Return the rescalings that only divide the output by the factor.

        Returns
        -------
        symmetries : tuple of dict of float
            As in :meth:`ForwardModel.get_symmetries`, each with the exponent 1 of a
            parameter ``gain`` by which something else multiplies the output.
        """
        names = [p.name for p in self.get_parameters()]
        return gain_symmetries(self.parameterization, names)

    def complete_params(self, params):
        """Fill in defaults and bring all values to one length.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Values of some parameters.

        Returns
        -------
        params : dict of ndarray, shape (n,)
            Values of all parameters.

        Raises
        ------
        ValueError
            If a name is unknown, a value is not finite, a rate of synapses or the
            slope is not positive, or the lengths differ.
        """
        params = super().complete_params(params)
        for name in POSITIVE:
            if (params[name] <= 0).any():
                raise ValueError(
                    f"{name} must be positive, got {params[name].min():g}."
                )
        return params

    def check_ranges(self, ranges):
        """Raise an error if amplitudes, numbers of synapses or rates are negative."""
        check_signs(ranges)

    @standard_promotion()
    def simulate(self, params, key):
        """Simulate one draw, in JAX.

        Parameters
        ----------
        params : dict of float
            A value for each parameter, in its unit.
        key : jax.Array
            Random key.

        Returns
        -------
        signal : jax.Array of float32, shape (n_nodes, n_times)
            The signal in V.
        """
        import jax.numpy as jnp

        from ._jansen_rit_run import integrate

        grid = self._make_grid()
        params = to_standard(params, self.parameterization)
        params = {name: jnp.asarray(v)[np.newaxis] for name, v in params.items()}
        return integrate(grid, params, key[np.newaxis])[0]

    @standard_jax()
    def simulate_batch(self, params, key):
        """Simulate many draws side by side.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.
        key : jax.Array
            Random key; draw ``i`` uses ``jax.random.fold_in(key, i)``.

        Returns
        -------
        signal : ndarray of float32, shape (n, n_nodes, n_times)
            The signals in V.
        """
        from ._jansen_rit_run import compiled

        grid = self._make_grid()
        params = self._standard_params(params)
        with np.errstate(over="ignore"):  # infinite, and so is the simulation
            params = {name: value.astype(np.float32) for name, value in params.items()}
        n = len(params["C"])
        out = np.empty((n, grid.n_nodes, grid.n_times), np.float32)
        # Few sizes, because compilation takes longer than a few lanes more.
        most = self._lanes()
        lanes = min(max(1 << (n - 1).bit_length(), _FEWEST_LANES), most) if n else most
        run = compiled(grid)
        for start in range(0, n, lanes):
            number = np.minimum(np.arange(start, start + lanes), n - 1)
            block = {name: value[number] for name, value in params.items()}
            here = out[start : start + lanes]
            here[:] = np.asarray(run(block, key, number))[: len(here)]
        return out

    def classify_regimes(self, params):
        """Say what each column does without noise, pulses and other columns.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.

        Returns
        -------
        regimes : dict of ndarray, shape (n,)
            ``regime``: ``"noise-driven"`` (the only fixed point is stable), ``"limit
            cycle"`` (no fixed point is), ``"excitable"`` (one of several is) or
            ``"bistable"``; ``n_fixed_points`` and ``n_stable``; ``growth_rate`` in 1/s
            and ``resonance`` in Hz of the most stable fixed point.
        """
        from ._jansen_rit_dynamics import classify

        return classify(self._standard_params(params))

    def get_linear_spectrum(self, params, freqs):
        """Compute the spectrum of small fluctuations about the only fixed point.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.
        freqs : array_like, shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        power : ndarray, shape (n, n_freqs)
            One-sided power spectral density of a column without pulses and other
            columns, in V^2/Hz; NaN where there is none.
        valid : ndarray of bool, shape (n,)
            Whether there is exactly one fixed point and it is stable.
        """
        from ._jansen_rit_dynamics import analytic_spectrum

        freqs = check_array("freqs", freqs, shape=("n_freqs",))
        return analytic_spectrum(self._standard_params(params), freqs)

    def _standard_params(self, params):
        """Return the standard parameters as arrays of one length."""
        params = to_standard(self.complete_params(params), self.parameterization)
        return dict(zip(params, np.broadcast_arrays(*params.values()), strict=True))

    def _lanes(self):
        """Return how many simulations are computed side by side at most."""
        connectome = self._get_connectome()
        n_nodes = 1 if connectome is None else connectome.n_nodes
        fitting = 1 << (_MOST_LANES // n_nodes).bit_length() >> 1
        return max(fitting, _FEWEST_LANES)

    def _get_stimulus(self):
        if self.stimulus is None or isinstance(self.stimulus, PulseTrain):
            return self.stimulus
        raise TypeError(
            "stimulus must be a mne_sbi.models.PulseTrain(n_pulses=60, interval=1.0, "
            f"width=0.05) or None, got {type(self.stimulus).__name__}."
        )

    def _get_connectome(self):
        if self.connectome is None or isinstance(self.connectome, Connectome):
            return self.connectome
        raise TypeError(
            "connectome must be an mne_sbi.Connectome(weights, lengths, names) or "
            f"None, got {type(self.connectome).__name__}."
        )

    def _make_grid(self):
        """Check the settings, and say when to simulate and how."""
        from ._jansen_rit_run import Grid

        check_option("parameterization", self.parameterization, PARAMETERIZATIONS)
        connectome = self._get_connectome()
        n_burn, n_times = count_samples(self)
        longest = positive_setting(self, "step")
        if longest > _LONGEST_STEP:
            raise ValueError(
                f"step={longest:g} s is too long: at more than {_LONGEST_STEP:g} s the "
                "spectrum is wrong by several dB. The default is 0.001 s."
            )
        step, n_steps = split_sample(self)
        stimulus = self._get_stimulus()
        train = None if stimulus is None else stimulus.sampled(self.sfreq, n_times)
        return Grid(
            step=step,
            n_steps=n_steps,
            n_burn=n_burn,
            n_times=n_times,
            scheme=check_option("scheme", self.scheme, _SCHEMES),
            rng=check_option("rng", self.rng, _GENERATORS),
            train=train,
            connectome=connectome,
            speed=positive_setting(self, "speed"),
        )
