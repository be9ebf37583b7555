"""The Jansen-Rit simulator against plain step-by-step solutions of its equations."""

import functools

import jax
import numpy as np
import pytest
from scipy.signal import welch

from mne_sbi import Connectome, Prior
from mne_sbi.models import JansenRit, PulseTrain
from mne_sbi.models._jansen_rit_kernel import exp2
from mne_sbi.models._jansen_rit_run import coupling_weights

KEY = jax.random.key(0)
PULSES = {"pyramidal": 40.0, "excitatory": 90.0, "inhibitory": 60.0}


def derivative(y, p, drive, arriving=0.0):
    """The equations as they are printed, in mV and 1/s."""
    a, b = p["a"], p["b"]
    gain_e, gain_i = p["A"] * 1e3, p["B"] * 1e3
    c1, c2, c3, c4 = (p["C"] * p[f"c{k}"] for k in (1, 2, 3, 4))

    def rate(v):
        return p["v_max"] / (1 + np.exp(p["r"] / 1e3 * (p["v0"] * 1e3 - v)))

    outside = p["mu"] + drive * p.get("pulse_excitatory", 0) + arriving
    pyramidal = rate(y[1] - y[2]) + drive * p.get("pulse_pyramidal", 0)
    inhibition = c4 * rate(c3 * y[0]) + drive * p.get("pulse_inhibitory", 0)
    return np.stack(
        [
            y[3],
            y[4],
            y[5],
            gain_e * a * pyramidal - 2 * a * y[3] - a**2 * y[0],
            gain_e * a * (outside + c2 * rate(c1 * y[0])) - 2 * a * y[4] - a**2 * y[1],
            gain_i * b * inhibition - 2 * b * y[5] - b**2 * y[2],
        ]
    ), rate(y[1] - y[2])


def solve(p, step, n_steps, drive=None, weights=None, coupling=0.0, n_nodes=1):
    """Heun's method without noise, step by step; returns y1 - y2 in V before each."""
    y = np.zeros((6, n_nodes))
    rates = np.zeros((n_steps + 1, n_nodes))
    signal = np.empty((n_nodes, n_steps))
    drive = np.zeros(n_steps + 1) if drive is None else drive

    def arriving(n):
        if weights is None:
            return 0.0
        n_known = min(n, weights.shape[1])
        past = rates[n - n_known : n][::-1]
        return coupling * np.einsum("idj,dj->i", weights[:, :n_known], past)

    for n in range(n_steps):
        signal[:, n] = (y[1] - y[2]) / 1e3
        first, rates[n] = derivative(y, p, drive[n], arriving(n))
        second = derivative(y + step * first, p, drive[n + 1], arriving(n + 1))[0]
        y = y + step / 2 * (first + second)
    return signal


def quiet(model, **values):
    params = {name: v[0] for name, v in model.complete_params(values).items()}
    return params | {"sigma": 0.0}


def relative(got, expected):
    return np.abs(got - expected).max() / expected.std()


def test_without_noise_it_follows_the_equations():
    settings = {"sfreq": 1000.0, "duration": 1.0, "burn_in": 0.0}
    params = quiet(JansenRit()) | {"C": np.array([68.0, 108.0, 135.0, 200.0])}
    expected = solve(params, 1e-4, 10_000, n_nodes=4)[:, ::10]

    def errors(**scheme):
        got = JansenRit(**settings, **scheme).simulate_batch(params, KEY)[:, 0]
        pairs = zip(got, expected, strict=True)
        return np.array([relative(*pair) for pair in pairs])

    # The same method in single precision.
    assert (errors(scheme="heun", step=1e-4) < 1e-3).all()
    coarse, middle, fine = (errors(step=step) for step in (1e-3, 5e-4, 2.5e-4))
    # Second order: a quarter for half the step.
    assert (coarse < 0.15).all()
    for ratio in (coarse / middle, middle / fine):
        assert ((3.5 < ratio) & (ratio < 4.5)).all()


@functools.lru_cache(maxsize=1)
def response_to_pulses():
    """Average response to two pulses, and the settings and parameters of the model."""
    train = PulseTrain(2, 0.3, 0.0213, tmin=-0.05, populations=tuple(PULSES))
    settings = {"sfreq": 250.0, "duration": 0.35, "burn_in": 0.0, "stimulus": train}
    given = {f"pulse_{name}": value for name, value in PULSES.items()}
    params = quiet(JansenRit(**settings), C=108.0, **given)
    # Events lie a lead after the periods before the first event.
    sampled = train.sampled(250.0, round(0.35 * 250))
    step, n_steps = 1e-4, 16_000
    first = (sampled.lead - min(0, sampled.first) * sampled.period) / 250
    time = step * np.arange(n_steps + 1)
    drive = np.zeros(n_steps + 1)
    for event in first + 0.3 * np.arange(2):
        after = (time - event) / step
        width = 0.0213 / step
        drive += np.clip(
            np.minimum(after + 0.5, width) - np.maximum(after - 0.5, 0), 0, 1
        )
    signal = solve(params, step, n_steps, drive)[0]
    starts = first + 0.3 * np.arange(2) + round(-0.05 * 250) / 250
    n_times = round(0.35 * 250)
    index = np.rint(starts / step).astype(int)[:, np.newaxis] + 40 * np.arange(n_times)
    return signal[index].mean(axis=0), settings, params


@pytest.mark.parametrize("scheme", ["strang", "heun"])
def test_pulses_follow_the_equations(scheme):
    expected, settings, params = response_to_pulses()
    step = 1e-3 if scheme == "strang" else 2e-4
    model = JansenRit(**settings, scheme=scheme, step=step)
    got = model.simulate_batch(params, KEY)[0]
    assert expected.std() > 1e-4  # the pulses do something
    assert relative(got[0], expected) < (5e-3 if scheme == "strang" else 2e-3)


@functools.lru_cache(maxsize=1)
def response_with_delays():
    """Response of three nodes, and the connectome, settings and parameters."""
    # A chain with unequal weights and lengths: 30 ms, 7 ms and less than one step.
    weights = np.array([[0, 0, 0.5], [2.0, 0, 0], [1.0, 1.5, 7.0]])
    lengths = np.array([[0, 0, 0.0001], [0.3, 0, 0], [0.07, 0.07, 0]])
    connectome = Connectome(weights, lengths, ["x", "y", "z"])
    train = PulseTrain(1, 0.5, 0.02, tmin=-0.1)
    fine = 1e-4
    settings = {"sfreq": 500.0, "duration": 0.4, "burn_in": 0.0, "stimulus": train}
    settings |= {"connectome": connectome, "step": fine, "speed": 10.0}
    params = quiet(
        JansenRit(**settings), C=108.0, mu=100.0, coupling=40.0, pulse_excitatory=150.0
    )
    sampled = train.sampled(500.0, 200)
    first = (sampled.lead - min(0, sampled.first) * sampled.period) / 500
    n_steps = 12_000
    after = (fine * np.arange(n_steps + 1) - first) / fine
    drive = np.clip(np.minimum(after + 0.5, 200) - np.maximum(after - 0.5, 0), 0, 1)
    delays = np.maximum(np.rint(lengths / 10 / fine).astype(int), 1)
    scaled = np.where(np.eye(3), 0, weights) / 2.5
    by_delay = np.zeros((3, delays.max(), 3))
    for i, j in zip(*np.nonzero(scaled), strict=True):
        by_delay[i, delays[i, j] - 1, j] = scaled[i, j]
    signal = solve(params, fine, n_steps, drive, by_delay, 40.0, 3)
    start = round((first - 0.1) / fine)
    return signal[:, start : start + 4000 : 20], settings, params


@pytest.mark.parametrize("scheme", ["strang", "heun"])
def test_delays_follow_the_equations(scheme):
    expected, settings, params = response_with_delays()
    got = JansenRit(**settings, scheme=scheme).simulate_batch(params, KEY)[0]
    assert np.abs(expected[0] - expected[1]).max() > 1e-4
    # Both are of second order; on the way from rest, Strang's error is the larger.
    assert relative(got, expected) < (0.05 if scheme == "strang" else 2e-3)


def test_coupling_weights():
    weights = np.array([[5.0, 1.0, 3.0], [2.0, 0, 0], [0, 0, 0]])
    lengths = np.array([[0, 0.02, 0.05], [0.001, 0, 0.9], [0.9, 0.9, 0]])
    connectome = Connectome(weights, lengths, ["x", "y", "z"])
    by_delay = coupling_weights(connectome, 10.0, 1e-3)
    assert by_delay.shape == (3, 5, 3)
    expected = np.zeros((3, 5, 3))
    expected[0, 1, 1], expected[0, 4, 2], expected[1, 0, 0] = 0.25, 0.75, 0.5
    np.testing.assert_allclose(by_delay, expected, rtol=1e-6)
    assert coupling_weights(connectome, 5.0, 1e-3).shape == (3, 10, 3)
    apart = Connectome(np.eye(2), np.zeros((2, 2)), ["x", "y"])
    assert coupling_weights(apart, 10.0, 1e-3) is None


def test_uncoupled_nodes_are_like_single_ones():
    nodes = Connectome(np.zeros((2, 2)), np.zeros((2, 2)), ["x", "y"])
    settings = {"sfreq": 100.0, "duration": 20.0, "step": 2.5e-3}
    params = {"C": np.full(256, 108.0)}
    both = JansenRit(nodes, **settings).simulate_batch(params, KEY)
    single = JansenRit(**settings).simulate_batch(params, KEY)
    assert both.shape == (256, 2, 2000) and single.shape == (256, 1, 2000)
    spectra = [welch(x, 100.0, nperseg=200)[1] for x in (both, single)]
    decibels = [10 * np.log10(s.mean(axis=(0, 1)))[2:80] for s in spectra]
    # 20 windows of 256 draws: 4.34 / sqrt(5120 / 1.06) of each.
    assert np.sqrt(np.mean((decibels[0] - decibels[1]) ** 2)) < 0.12
    assert both.std() / single.std() == pytest.approx(1, abs=0.01)
    both = both - both.mean(axis=-1, keepdims=True)
    correlation = (both[:, 0] * both[:, 1]).mean(axis=-1) / both.var(axis=-1).mean()
    assert abs(correlation.mean()) < 4 * correlation.std() / 16


def test_coupled_nodes_move_together():
    pair = Connectome(1 - np.eye(2), np.full((2, 2), 0.05), ["x", "y"])
    model = JansenRit(pair, sfreq=100.0, duration=20.0, step=2.5e-3)
    x = model.simulate_batch({"coupling": np.repeat([0.0, 20.0], 32)}, KEY)
    correlations = np.reshape([np.corrcoef(one)[0, 1] for one in x], (2, 32))
    apart, coupled = correlations.mean(axis=1)
    assert abs(apart) < 0.1 < abs(coupled)


def test_linear_spectrum_of_small_noise():
    # At a low rate, what lies beyond half of it would add to the highest frequencies.
    model = JansenRit(sfreq=250.0, duration=10.0)
    params = {"C": np.full(256, 100.0), "sigma": 0.5}
    freqs, power = welch(model.simulate_batch(params, KEY), 250.0, nperseg=1000)
    used = (freqs >= 1) & (freqs <= 40)
    expected, valid = model.get_linear_spectrum({"C": 100.0, "sigma": 0.5}, freqs[used])
    assert valid.all()
    error = 10 * np.log10(power.mean(axis=(0, 1))[used] / expected[0])
    assert np.sqrt(np.mean(error**2)) < 0.25


def test_powers_of_two():
    x = np.linspace(-126, 126, 100_001).astype(np.float32)
    for power in (exp2(x), jax.jit(exp2)(x)):
        error = np.asarray(power, dtype=float) / 2.0 ** x.astype(float) - 1
        assert np.abs(error).max() < 3e-7
    ends = exp2(np.float32([-1e9, 1e9]))
    np.testing.assert_allclose(ends, [2.0**-126, 2.0**126], rtol=3e-7)
    assert np.isnan(exp2(np.float32(np.nan)))
    x = x[np.abs(x) < 100][::100]
    slope = jax.jit(jax.vmap(jax.grad(exp2)))(x)
    np.testing.assert_allclose(slope, np.log(2) * 2.0**x, rtol=1e-4)


def spectrum(x, sfreq):
    """Mean spectrum from 1 to 40 Hz in dB, of Hann windows of 2 s that share 1 s."""
    freqs, power = welch(x[:, 0], sfreq, nperseg=round(2 * sfreq), axis=-1)
    return 10 * np.log10(power.mean(axis=0)[(freqs >= 1) & (freqs <= 40)])


def deviation(x):
    """Standard deviation about the mean of all draws, and its standard error."""
    power = ((x[:, 0] - x.mean()) ** 2).mean(axis=-1)
    error = power.std(ddof=1) / np.sqrt(len(power)) / 2 / np.sqrt(power.mean())
    return np.sqrt(power.mean()), error


@pytest.mark.slow
def test_default_scheme_has_the_spectrum_of_the_reference():
    settings = {"sfreq": 125.0, "duration": 20.0, "burn_in": 3.0}
    model = JansenRit(**settings)
    reference = JansenRit(**settings, scheme="heun", step=1e-4)
    free = [p for p in model.get_parameters() if p.name in model.default_free]
    draws = Prior(free).as_dict(Prior(free).sample(8, 1))
    draws = {
        name: np.append(v, model.complete_params({})[name]) for name, v in draws.items()
    }
    keys = jax.random.split(KEY, 3)
    table = []
    for i in range(9):
        params = {name: np.full(256, value[i]) for name, value in draws.items()}
        one, other = (model.simulate_batch(params, key) for key in keys[:2])
        exact = reference.simulate_batch(params, keys[2])
        found, again, expected = (spectrum(x, 125.0) for x in (one, other, exact))
        sd, error = deviation(one)
        exact_sd, exact_error = deviation(exact)
        table.append(
            [
                np.sqrt(np.mean((found - expected) ** 2)),
                np.sqrt(np.mean((found - again) ** 2)),
                sd / exact_sd - 1,
                np.hypot(error / sd, exact_error / exact_sd),
            ]
        )
    decibels, floor, ratio, error = np.transpose(table)
    print("\nlargest, median, at the defaults:")
    for name, values in {
        "spectrum, dB rms": decibels,
        "its Monte Carlo floor, dB rms": floor,
        "standard deviation off by, %": 100 * np.abs(ratio),
        "its standard error, %": 100 * error,
    }.items():
        print(f"{name}: {values.max():.3f} {np.median(values):.3f} {values[-1]:.3f}")
    assert decibels.max() <= 0.25
    assert (np.abs(ratio) <= 0.01 + 2 * error).all()
