"""The spectral graph model of regional power spectra."""

import numpy as np

from .._checks import check_freqs, check_option
from .._connectome import Connectome
from .._jax import standard_jax, standard_promotion
from .._threads import one_blas_thread
from ._base import ForwardModel
from ._sgm_batch import simulate_from_table
from ._sgm_equations import VARIANTS, magnitude, normalized_weights
from ._sgm_parameters import SINCE_2023, UNITS, UNTIL_2022, VERMA_2022
from ._sgm_shared import simulate_shared
from ._sgm_stability import local_is_stable, network_stability
from ._sgm_table import response_table

# Draws nearer than this to instability (smallest distance of the loop's eigenvalues
# from 1, the modulus margin of control theory) count as unstable: their spectra have
# peaks of more than 26 dB that no recording shows.
_MODULUS_MARGIN = 0.05


class SpectralGraphModel(ForwardModel):
    """Spectral graph model: power spectra of brain regions from their connections.

    Each region filters white noise through a local circuit of excitatory and
    inhibitory neurons; the regions are coupled along the connectome, with delays.

    Parameters
    ----------
    connectome : Connectome | None
        The connectome. ``None`` stands for the synthetic one that the package
        carries, which serves demonstrations only.
    freqs : array_like, shape (n_freqs,) | None
        Frequencies in Hz; by default 40 from 2 to 45 Hz, as in the papers.
    variant : str
        Which of the published recipes, see Notes: ``"resolvent"`` (default),
        ``"raj2020"``, ``"raj2020_local_alpha"``, ``"verma2022"``, ``"jin2023"``.
    engine : "auto" | "table" | "shared" | "exact"
        How :meth:`simulate_batch` works: from a prepared table (``resolvent`` and
        ``jin2023``; parameters inside the model's ranges), with eigenvectors shared
        among draws of equal speed, or one eigendecomposition or inverse per frequency
        and draw. ``"auto"`` takes the first that the variant allows.
    n_jobs : int | None
        Number of threads, as in joblib.
    verbose : bool | str | int | None
        As in MNE-Python.

    Notes
    -----
    With the normalised and delayed weights ``B``, whose columns are sources, at the
    wave number ``omega / speed``, the complex Laplacian is ``L = I - alpha B``. The
    spectrum is the power of a region for white noise in all regions. With the local
    response H and the response ``F(tau) = 1 / (1 + i omega tau)**2``:

    ``resolvent``
        ``|H|^2 || row of (i omega I + F(tau_g) / tau_g L)^{-1} ||^2``, the answer of
        the equations; it does not depend on conventions about eigenvectors.
    ``jin2023``
        With eigenvectors ``U`` and ``q_k = i omega + F(tau_g) lambda_k / tau_g``, the
        rows of ``U diag(1/q) U^H``, with ``|q_k|`` at least 5 % of the largest. It is
        not an inverse, because U is not unitary.
    ``verma2022``
        The same with ``F(tau_e)``.
    ``raj2020``, ``raj2020_local_alpha``
        ``|sum_k u_k H / q_k|``, ``q_k = i omega tau_g + F(tau_e) lambda_k``, over two
        thirds of the modes. It depends on the phase of the eigenvectors, which is
        fixed here so that the largest component is real and positive.

    Spectra have no absolute unit. Unstable settings have no spectrum:
    :meth:`check_valid` finds them.

    References
    ----------
    .. [1] Raj A et al. (2020). Spectral graph theory of brain oscillations. Human
       Brain Mapping 41:2980-2998.
    .. [2] Verma P et al. (2022). Spectral graph theory of brain oscillations -
       Revisited and improved. NeuroImage 249:118919.
    .. [3] Jin H et al. (2023). Bayesian inference of a spectral graph model for brain
       oscillations. NeuroImage 279:120278.

    Examples
    --------
    >>> from mne_sbi.models import SpectralGraphModel
    >>> model = SpectralGraphModel(engine="exact")
    >>> model.simulate_batch({"alpha": [0.4, 0.8]}, None).shape
    (2, 68, 40)
    """

    parameters = SINCE_2023
    default_free = ("tau_e", "tau_i", "alpha", "speed", "tau_g")
    output = "spectrum"

    def __init__(
        self,
        connectome=None,
        freqs=None,
        *,
        variant="resolvent",
        engine="auto",
        n_jobs=None,
        verbose=None,
    ):
        self.connectome = connectome
        self.freqs = freqs
        self.variant = variant
        self.engine = engine
        self.n_jobs = n_jobs
        self.verbose = verbose

    def get_parameters(self):
        """Return the parameters with the ranges and defaults of the variant."""
        variant = check_option("variant", self.variant, VARIANTS)
        if variant in ("resolvent", "jin2023"):
            return SINCE_2023
        return VERMA_2022 if variant == "verma2022" else UNTIL_2022

    def get_connectome(self):
        """Return the connectome in use."""
        if self.connectome is None:
            from ..datasets import load_synthetic_connectome

            return load_synthetic_connectome()
        if not isinstance(self.connectome, Connectome):
            raise TypeError(
                f"connectome must be an mne_sbi.Connectome(weights, lengths, names) or "
                f"None, got {type(self.connectome).__name__}."
            )
        return self.connectome

    def get_freqs(self):
        """Return the frequencies in use in Hz, ndarray of shape (n_freqs,)."""
        if self.freqs is None:
            return np.linspace(2.0, 45.0, 40)
        return check_freqs(self.freqs)

    @property
    def node_names(self):
        """Names of the connectome's nodes, a tuple of str."""
        return tuple(self.get_connectome().names)

    @property
    def shared_parameter(self):
        """The speed, where draws of equal speed share their eigenvectors."""
        return "speed" if self._get_engine() == "shared" else None

    @property
    def differentiable(self):
        """Whether the variant is one that JAX can differentiate."""
        return self.variant == "resolvent"

    def complete_params(self, params):
        """Fill in defaults and bring all values to one length.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Values of some parameters.

        Returns
        -------
        params : dict of ndarray, shape (n,)
            Values of all seven parameters.

        Raises
        ------
        ValueError
            If a name is unknown, a value is not finite or, where it must be,
            positive, or the lengths differ.
        """
        params = super().complete_params(params)
        for name, unit in UNITS.items():
            if (params[name] <= 0).any():
                lowest = params[name].min()
                raise ValueError(f"{name} must be positive, got {lowest:g} {unit}.")
        return params

    @standard_promotion()
    def simulate(self, params, key=None):
        """Compute one power spectrum exactly, in JAX.

        Parameters
        ----------
        params : dict of float
            A value for each of the seven parameters, in SI units.
        key : jax.Array | None
            Not used: the model is deterministic.

        Returns
        -------
        power : jax.Array, shape (n_nodes, n_freqs)
            Power, which can be differentiated by the parameters for the variant
            ``resolvent`` only: JAX does not differentiate the eigenvectors of a
            general matrix and raises ``NotImplementedError``.
        """
        import jax.numpy as jnp

        return self._magnitude(params, jnp) ** 2

    def compute_spectrum(self, params):
        """Compute power spectra exactly, in double precision.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.

        Returns
        -------
        power : ndarray, shape (n, n_nodes, n_freqs)
            Power.
        """
        params = self.complete_params(params)
        n = len(params["alpha"])
        power = np.empty((n, self.get_connectome().n_nodes, len(self.get_freqs())))
        # For matrices this small the threads of BLAS cost more than they bring.
        with one_blas_thread():
            for i in range(n):
                row = {name: value[i] for name, value in params.items()}
                power[i] = self._magnitude(row, np) ** 2
        return power

    @standard_jax()
    def simulate_batch(self, params, key=None):
        """Compute many power spectra with the chosen engine.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.
        key : jax.Array | None
            Not used: the model is deterministic.

        Returns
        -------
        power : ndarray of float32, shape (n, n_nodes, n_freqs)
            Power.

        Raises
        ------
        ValueError
            If the engine is the table and parameters lie outside the model's ranges.
        """
        params = self.complete_params(params)
        engine = self._get_engine()
        if engine == "exact":
            return self.compute_spectrum(params).astype(np.float32)
        if engine == "shared":
            connectome, freqs = self.get_connectome(), self.get_freqs()
            return simulate_shared(connectome, freqs, self.variant, params, self.n_jobs)
        return self._simulate_from_table(params)

    def check_valid(self, params):
        """Say for which parameters the model is stable.

        Parameters
        ----------
        params : dict of (float | array_like, shape (n,))
            Parameters; those that are missing have their defaults.

        Returns
        -------
        valid : ndarray of bool, shape (n,)
            Whether the local circuit is stable and, for ``resolvent``, the delayed
            network is so with a modulus margin of 0.05.
        """
        params = self.complete_params(params)
        valid = local_is_stable(params, self.variant)
        if self.variant == "resolvent":
            network = self._network_stability(params)
            valid &= network.is_stable(params)
            valid &= network.distance(params) >= _MODULUS_MARGIN
        return valid

    def check_ranges(self, ranges):
        """Raise an error if the fast engine does not cover these ranges.

        Parameters
        ----------
        ranges : dict of (float, float)
            Lowest and highest value of every parameter.
        """
        covered = self._ranges() if self._get_engine() == "table" else {}
        for name, (low, high) in covered.items():
            lowest, highest = ranges[name]
            # Limits that went through single precision still count as inside.
            if lowest < low * (1 - 1e-6) or highest > high * (1 + 1e-6):
                raise ValueError(
                    f"The fast engine covers {name} from {low:g} to {high:g}, but the "
                    f"prior asks for {lowest:g} to {highest:g}. Stay inside, or use "
                    "ModelInverter(SpectralGraphModel(..., engine='exact')), slower."
                )

    def prepare(self):
        """Make the table of the fast engine, unless it exists in memory or on disk.

        :meth:`simulate_batch` does it by itself; this is for waiting elsewhere.

        Returns
        -------
        self : SpectralGraphModel
            The model.
        """
        if self._get_engine() == "table":
            self._table()
        return self

    def _get_engine(self):
        engines = ("auto", "table", "shared", "exact")
        engine = check_option("engine", self.engine, engines)
        variant = check_option("variant", self.variant, VARIANTS)
        loops = self._has_loops()
        if not loops and variant != "resolvent":
            raise ValueError(
                f"The variant {variant!r} sums over eigenvectors, which are no basis "
                "in a connectome without a closed loop of connections. Use "
                "variant='resolvent', or check the connectome's weights."
            )
        tabled = loops and variant in ("resolvent", "jin2023")
        if engine == "table" and not loops:
            raise ValueError(
                "There is no table for a connectome without a closed loop of "
                "connections. Use engine='shared'."
            )
        if engine == "table" and not tabled:
            raise ValueError(
                f"There is no table for the variant {variant!r}, whose network part "
                "depends on more than three parameters or is not smooth. Use "
                "engine='shared'."
            )
        return ("table" if tabled else "shared") if engine == "auto" else engine

    def _has_loops(self):
        """Whether there is a way from a node back to itself, or no connection."""
        from scipy.sparse.csgraph import connected_components

        weights = self.get_connectome().weights
        n_parts, _ = connected_components(weights, directed=True, connection="strong")
        return n_parts < len(weights) or not weights.any()

    def _magnitude(self, params, xp):
        check_option("variant", self.variant, VARIANTS)
        connectome = self.get_connectome()
        omega = 2 * np.pi * self.get_freqs()
        weights = normalized_weights(connectome.weights)
        lengths = connectome.lengths
        if xp is not np:
            omega, weights, lengths = (xp.asarray(a) for a in (omega, weights, lengths))
        return magnitude(params, omega, weights, lengths, self.variant, xp)

    def _ranges(self):
        wanted = ("alpha", "tau_g", "speed")
        return {
            p.name: (p.low, p.high) for p in self.get_parameters() if p.name in wanted
        }

    def _network_stability(self, params):
        ranges = self._ranges()
        pairs = zip(ranges["speed"], ranges["tau_g"], strict=True)
        low, high = (speed * tau for speed, tau in pairs)
        asked = params["speed"] * params["tau_g"]
        # Outside of the model's ranges in steps of a factor 2, so that few are made.
        while low > asked.min(initial=low):
            low /= 2
        while high < asked.max(initial=high):
            high *= 2
        return network_stability(self.get_connectome(), (low, high))

    def _table(self):
        ranges = tuple((name, *limits) for name, limits in self._ranges().items())
        freqs = tuple(float(f) for f in self.get_freqs())
        projected = self.variant == "jin2023"
        return response_table(
            self.get_connectome(), freqs, ranges, projected, self.n_jobs, self.verbose
        )

    def _simulate_from_table(self, params):
        if params["alpha"].size:
            self.check_ranges({n: (v.min(), v.max()) for n, v in params.items()})
        network = None
        if self.variant == "resolvent":
            network = self._network_stability(params)
        return simulate_from_table(self, self._table(), network, params)
