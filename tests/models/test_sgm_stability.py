"""Stability against roots, growth in time, and a count of unstable poles."""

import numpy as np
import pytest

from mne_sbi import Connectome, Prior
from mne_sbi.datasets import read_group_connectome
from mne_sbi.models import SpectralGraphModel
from mne_sbi.models._sgm_equations import local_response
from mne_sbi.models._sgm_stability import (
    NetworkStability,
    local_is_stable,
    loop_gain,
    network_stability,
)
from mne_sbi.testing import make_connectome

POLY = np.polynomial.polynomial.Polynomial


def draw(variant, n, seed=0):
    prior = Prior(SpectralGraphModel(variant=variant).get_parameters())
    return prior.as_dict(prior.sample(n, seed))


def local_poles(p, variant):
    """Poles of the local response, from its denominators."""
    s = POLY([0, 1])
    a, b, g_ei, g_ii = 1 / p["tau_e"], 1 / p["tau_i"], p["g_ei"], p["g_ii"]
    if variant in ("raj2020", "raj2020_local_alpha"):
        c = p["alpha"] if variant == "raj2020_local_alpha" else 1.0
        parts = [
            s * (s + a) ** 2 + c * a**3,
            s * (s + b) ** 2 + c * g_ii * b**3,
            (s + a) ** 2 * (s + b) ** 2 + g_ei * g_ii * a**2 * b**2,
        ]
        return np.concatenate([part.roots() for part in parts])
    both = s * (s + a) ** 2 * (s + b) ** 2
    first = both + a**3 * (s + b) ** 2
    second = both + g_ii * b**3 * (s + a) ** 2
    return (first * second + g_ei**2 * a**5 * b**5).roots()


@pytest.mark.parametrize(
    "variant", ["resolvent", "verma2022", "raj2020", "raj2020_local_alpha"]
)
def test_local_stability_is_that_of_the_roots(variant):
    params = draw(variant, 2000)
    stable = local_is_stable(params, variant)
    growth = np.empty(2000)
    for i in range(2000):
        p = {name: value[i] for name, value in params.items()}
        growth[i] = local_poles(p, variant).real.max()
    clear = np.abs(growth) > 1e-6 * np.abs(growth).max()
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(stable[clear], growth[clear] < 0)
    assert 20 < stable.sum() < 1980


@pytest.mark.parametrize("variant", ["resolvent", "raj2020", "raj2020_local_alpha"])
def test_response_is_infinite_at_the_poles(variant):
    """The polynomials above are those of the response that is simulated."""
    params = draw(variant, 5)
    for i in range(5):
        p = {name: value[i] for name, value in params.items()}
        poles = local_poles(p, variant)
        at_pole = local_response(p, poles * (1 - 1e-7) / 1j, variant)
        beside = local_response(p, poles * 1.01 / 1j, variant)
        assert (np.abs(at_pole) > 1e3 * np.abs(beside)).all()


def test_shares_of_unstable_draws():
    """8.1 and 97.5 % in the boxes of 2023 and 2020, by roots of the polynomial."""
    share = 1 - local_is_stable(draw("jin2023", 20_000), "jin2023").mean()
    assert share == pytest.approx(0.081, abs=0.006)
    share = 1 - local_is_stable(draw("verma2022", 20_000), "verma2022").mean()
    assert share == pytest.approx(0.975, abs=0.005)


# ---------------------------------------------------------------------------
# The delayed network, on three nodes that can ring.


@pytest.fixture(scope="module")
def ring():
    weights = np.array([[0, 3.0, 1.0], [3.0, 0, 0.5], [1.0, 0.5, 0]])
    lengths = np.array([[0, 0.06, 0.11], [0.06, 0, 0.09], [0.11, 0.09, 0]])
    return Connectome(weights, lengths, ["node_1", "node_2", "node_3"])


@pytest.fixture(scope="module")
def network(ring):
    return NetworkStability(ring, (0.025, 0.6))


@pytest.fixture(scope="module")
def params():
    """Draws on both sides of the critical coupling, with the shortest time constants
    and delays that there are, so that simulations can be short.
    """
    rng = np.random.default_rng(0)
    speed, tau_g = rng.uniform(5, 20, 60), rng.uniform(0.005, 0.02, 60)
    return {"alpha": rng.uniform(0.1, 1.0, 60), "speed": speed, "tau_g": tau_g}


def normalized(connectome):
    degree = connectome.weights.sum(axis=0)
    return connectome.weights / degree[:, None]  # these weights are symmetric


def relative_to_critical(network, params):
    reach = params["speed"] * params["tau_g"]
    return params["alpha"] / np.interp(reach, network.reach, network.critical_alpha)


def unstable_poles(connectome, alpha, speed, tau_g):
    """Count the poles in the right half plane by the argument principle.

    With z = s tau_g the system is z (1 + z)^2 + 1 - alpha B(z). The contour is half of
    the boundary of the right half plane, because the poles are pairwise conjugate.
    """
    n = connectome.n_nodes
    arc = 60 * np.exp(1j * np.linspace(0, np.pi / 2, 2000))
    axis = 1j * np.concatenate([np.geomspace(60, 0.001, 6000), [0]])
    z = np.concatenate([arc, axis])[:, None, None]
    delays = connectome.lengths / (speed * tau_g)
    coupling = alpha * normalized(connectome) * np.exp(-z * delays)
    system = (z * (1 + z) ** 2 + 1) * np.eye(n) - coupling
    phase = np.unwrap(np.angle(np.linalg.det(system)))
    return round((phase[-1] - phase[0]) / np.pi)


def growth_rates(connectome, params, duration=1.5, dt=1e-4):
    """Simulate x' = -F(x - alpha sum of delayed x) / tau_g from a kick; rates in 1/s.

    F, the response 1 / (1 + s tau_g)^2, is two low-pass filters in a row.
    """
    w, n_draws = normalized(connectome), len(params["alpha"])
    tau, alpha = params["tau_g"][:, None], params["alpha"][:, None]
    lags = connectome.lengths / params["speed"][:, None, None] / dt
    lags = np.round(lags).astype(int)
    n_steps, longest = round(duration / dt), lags.max()
    x = np.zeros((longest + n_steps, n_draws, 3))
    y, u = np.zeros((n_draws, 3)), np.zeros((n_draws, 3))
    x[longest] = [1.0, -0.3, 0.2]
    rows, columns = np.arange(n_draws)[:, None, None], np.arange(3)[None, None]
    for t in range(longest, longest + n_steps - 1):
        coupled = (w * x[t - lags, rows, columns]).sum(axis=-1)
        # Semi-implicit, so that the step itself adds no growth.
        x[t + 1] = x[t] - dt * u / tau
        y = y + dt * (x[t + 1] - alpha * coupled - y) / tau
        u = u + dt * (y - u) / tau
    size = np.abs(x[longest:]).max(axis=-1)
    third = n_steps // 3
    before, after = size[third : 2 * third].max(axis=0), size[2 * third :].max(axis=0)
    return np.log(after / before) / (third * dt)


def test_network_stability_by_counting_poles(ring, network, params):
    relative = relative_to_critical(network, params)
    clear = np.flatnonzero(np.abs(relative - 1) > 0.05)
    stable = network.is_stable(params)
    counts = [
        unstable_poles(ring, *(params[k][i] for k in ("alpha", "speed", "tau_g")))
        for i in clear
    ]
    np.testing.assert_array_equal(stable[clear], np.array(counts) == 0)
    assert 10 < stable[clear].sum() < len(clear) - 10


def test_network_stability_by_growth_in_time(ring, network, params):
    rates = growth_rates(ring, params)
    clear = np.abs(relative_to_critical(network, params) - 1) > 0.15
    assert clear.sum() > 35
    stable = network.is_stable(params)
    np.testing.assert_array_equal(stable[clear], rates[clear] < 0)
    assert 10 < stable[clear].sum() < clear.sum() - 10


def test_distance_is_that_of_a_fine_scan(network, params, ring):
    stable = network.is_stable(params)
    distance = network.distance(params)[stable]
    x = np.linspace(0.3, 3, 2000)
    for got, alpha, speed, tau_g in zip(
        distance, *(params[k][stable] for k in ("alpha", "speed", "tau_g")), strict=True
    ):
        delays = ring.lengths / (speed * tau_g)
        delayed = normalized(ring) * np.exp(-1j * x[:, None, None] * delays)
        eigenvalues = np.linalg.eigvals(delayed)
        expected = np.abs(1 - alpha * loop_gain(x)[:, None] * eigenvalues).min()
        # The lower of the neighbours on the grid, which is the cautious side.
        assert expected - 0.06 < got < expected + 0.02


def test_undelayed_limit(ring):
    """Above 1, coupling exceeds the leak: no ringing, but growth."""
    network = NetworkStability(ring, (0.025, 0.6))
    assert network.alpha[-1] == pytest.approx(1.0)
    # With a reach this long, delays are nothing and the network cannot ring.
    long = NetworkStability(ring, (20.0, 40.0))
    params = {"speed": np.full(2, 1000.0), "tau_g": np.full(2, 0.03)}
    params["alpha"] = np.array([0.97, 1.1])
    np.testing.assert_array_equal(long.is_stable(params), [True, False])
    counts = [unstable_poles(ring, a, 1000.0, 0.03) for a in params["alpha"]]
    assert counts == [0, 1]


def test_outside_of_the_models_ranges(ring):
    """Nothing beyond the ranges is called stable for want of a grid."""
    model = SpectralGraphModel(ring, engine="exact")
    params = {
        "alpha": np.array([1.5, 0.9, 0.9, 0.9]),
        "speed": np.array([10.0, 2.0, 60.0, 1.0]),
        "tau_g": np.array([0.012, 0.005, 0.1, 0.004]),
    }
    counts = [
        unstable_poles(ring, *(params[k][i] for k in ("alpha", "speed", "tau_g")))
        for i in range(4)
    ]
    got = model.check_valid(params)
    assert (got <= (np.array(counts) == 0)).all()
    assert not got[0]
    n_made = network_stability.cache_info().misses
    for factor in (1.0, 1.01, 0.99):
        model.check_valid({"speed": 60 * factor, "tau_g": 0.1})
    assert network_stability.cache_info().misses <= n_made + 1


def test_group_connectome(shared_data):
    """The whole check: about 8 % of the draws are excluded, nearly all locally."""
    model = SpectralGraphModel(read_group_connectome(shared_data / "spectrome"))
    params = draw("resolvent", 5000)
    local = local_is_stable(params, "resolvent")
    valid = model.check_valid(params)
    assert (valid <= local).all()
    assert local.mean() - valid.mean() < 0.02


def test_variants_check_what_they_say():
    params = {"tau_e": 0.012, "tau_i": 0.006, "g_ei": 4.0, "g_ii": 1.0}
    connectome = make_connectome(5)
    for variant, expected in (("verma2022", False), ("raj2020", True)):
        model = SpectralGraphModel(connectome, variant=variant)
        assert model.check_valid(params).tolist() == [expected]
