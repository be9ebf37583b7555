"""Rows of a connectome are targets and columns sources, in every model."""

import jax
import numpy as np
import pytest

from mne_sbi import Connectome, WilsonCowanNetwork
from mne_sbi.models import JansenRit, SpectralGraphModel
from mne_sbi.models._wilson_cowan_run import integrate
from mne_sbi.models._wilson_cowan_settings import make_grid

KEY = jax.random.key(0)
FREQS = np.arange(4.0, 45, 8)
WEIGHTS = np.array([[0, 0], [1.0, 0]])
LENGTHS = np.array([[0, 0.05], [0.05, 0]])
SHORT = {"sfreq": 200.0, "duration": 1.0}


# From the first node to the second, which are named so.
PAIR = Connectome(WEIGHTS, LENGTHS, ["source", "target"])


def spectral_graph(engine):
    def simulate(connectome, coupling):
        model = SpectralGraphModel(connectome, FREQS, engine=engine)
        return model.simulate_batch({"alpha": coupling}, KEY)[0]

    return simulate


def spectral_graph_jax(connectome, coupling):
    model = SpectralGraphModel(connectome, FREQS)
    params = {p.name: p.default for p in model.get_parameters()}
    return np.asarray(model.simulate(params | {"alpha": coupling}))


def jansen_rit(connectome, coupling):
    model = JansenRit(connectome, **SHORT, rng="threefry")
    return model.simulate_batch({"coupling": 20 * coupling}, KEY)[0]


def wilson_cowan(connectome, coupling):
    model = WilsonCowanNetwork(connectome, **SHORT)
    return model.simulate_batch({"coupling": 10 * coupling}, KEY)[0]


def wilson_cowan_jax(connectome, coupling):
    model = WilsonCowanNetwork(connectome, **SHORT)
    params = {p.name: p.default for p in model.get_parameters()}
    params |= {"coupling": 10 * coupling}
    return np.asarray(integrate(make_grid(model), params, KEY))


def wilson_cowan_linear(connectome, coupling):
    model = WilsonCowanNetwork(connectome, output="spectrum", freqs=FREQS)
    return model.simulate_batch({"coupling": 5 * coupling, "drive": 0.5}, KEY)[0]


MODELS = {
    "spectral graph, exact": spectral_graph("exact"),
    "spectral graph, shared": spectral_graph("shared"),
    "spectral graph, JAX": spectral_graph_jax,
    "Jansen-Rit": jansen_rit,
    "Wilson-Cowan": wilson_cowan,
    "Wilson-Cowan, JAX": wilson_cowan_jax,
    "Wilson-Cowan, linear": wilson_cowan_linear,
}


@pytest.mark.parametrize("name", MODELS)
def test_only_the_target_is_driven(name):
    """What arrives changes the target; the source is as without coupling."""
    simulate = MODELS[name]
    apart, coupled = simulate(PAIR, 0.1), simulate(PAIR, 0.9)
    np.testing.assert_allclose(coupled[0], apart[0], rtol=1e-5)
    change = np.abs(coupled[1] - apart[1]).max()
    assert change > 0.05 * np.abs(apart[1]).max()


def test_spectral_graph_of_a_pair_by_hand():
    """The source filters noise; the target adds what arrives, delayed by a phase."""
    model = SpectralGraphModel(PAIR, FREQS)
    p = {p.name: p.default for p in model.get_parameters()}
    s = 2j * np.pi * FREQS
    loop = 1 / (1 + s * p["tau_g"]) ** 2 / p["tau_g"]
    own = np.abs(1 / (s + loop)) ** 2
    # The target has one input of weight 1 and no output: its weight is normalised to 1.
    arriving = np.abs(p["alpha"] * loop / (s + loop) ** 2) ** 2
    source, target = model.compute_spectrum({})[0]
    np.testing.assert_allclose(target / source, (own + arriving) / own, rtol=1e-10)


def feed_forward(n_nodes=6, seed=0):
    """A network without loops whose nodes stand in no particular order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_nodes)
    weights = np.triu(rng.random((n_nodes, n_nodes)), 1)[np.ix_(order, order)]
    lengths = rng.uniform(0.02, 0.15, weights.shape)
    return Connectome(weights, lengths, [f"node_{i}" for i in range(n_nodes)])


def test_spectral_graph_without_loops():
    """Its matrices have no basis of eigenvectors."""
    connectome = feed_forward()
    rng = np.random.default_rng(1)
    params = {"alpha": rng.uniform(0.1, 1, 20), "speed": rng.uniform(5, 20, 20)}
    exact = SpectralGraphModel(connectome, FREQS, engine="exact")
    power = SpectralGraphModel(connectome, FREQS).simulate_batch(params)
    expected = exact.compute_spectrum(params)
    assert np.abs(10 * np.log10(power / expected)).max() < 1e-3
    with pytest.raises(ValueError, match="no table .*closed loop.*engine='shared'"):
        SpectralGraphModel(connectome, FREQS, engine="table").simulate_batch(params)
    with pytest.raises(ValueError, match="'jin2023' sums .*variant='resolvent'"):
        SpectralGraphModel(connectome, FREQS, variant="jin2023").simulate_batch({})


def test_spectral_graph_nearly_without_loops():
    """Eigenvectors that are hardly a basis do not cost precision."""
    part = feed_forward()
    weights = part.weights + 1e-9 * (1 - np.eye(6))
    lengths = part.lengths
    connectome = Connectome(weights, lengths, part.names)
    params = {"alpha": np.linspace(0.1, 1, 5)}
    exact = SpectralGraphModel(connectome, FREQS, engine="exact")
    shared = SpectralGraphModel(connectome, FREQS, engine="shared")
    error = shared.simulate_batch(params) / exact.compute_spectrum(params)
    assert np.abs(10 * np.log10(error)).max() < 0.02
