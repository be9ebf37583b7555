"""Stuart-Landau oscillators on a connectome, after Deco et al. (2017)."""

import jax
import jax.numpy as jnp

from mne_sbi import Parameter
from mne_sbi.models import ForwardModel


class HopfModel(ForwardModel):
    """Coupled oscillators near a Hopf bifurcation, doi:10.1038/s41598-017-03073-5."""

    output = "timeseries"
    parameters = (
        Parameter("growth", -10, 5, -2, "1/s", doc="Distance to the bifurcation."),
        Parameter("frequency", 4, 20, 10, "Hz", doc="Frequency of each node."),
        Parameter("coupling", 0, 20, 5, "1/s", doc="Strength of the connections."),
        Parameter("noise", 0.01, 1, 0.1, "1/s^0.5", "log", doc="Noise amplitude."),
    )

    def __init__(self, connectome, *, sfreq=200.0, duration=2.0):
        self.connectome = connectome
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        """Integrate z' = (growth + i omega - |z|^2) z + coupling by Euler-Maruyama."""
        weights = jnp.asarray(self.connectome.weights)
        weights = weights / weights.sum(axis=1).max()
        omega = 2 * jnp.pi * params["frequency"]
        step = 1 / self.sfreq
        n_times = round(self.duration * self.sfreq)
        kicks = jax.random.normal(key, (n_times, len(weights), 2))
        # Turning by exp(i omega step) is exact; Euler's step would make it grow.
        turn = jnp.exp(1j * omega * step)

        def advance(z, kick):
            inflow = params["coupling"] * (weights @ z - weights.sum(axis=1) * z)
            drift = (params["growth"] - jnp.abs(z) ** 2) * z + inflow
            noise = params["noise"] * jnp.sqrt(step) * (kick[:, 0] + 1j * kick[:, 1])
            z = turn * (z + step * drift) + noise
            return z, z.real

        start = jnp.full(len(weights), 0.1 + 0j)
        return jax.lax.scan(advance, start, kicks)[1].T
