"""Fixed points, stability and linear spectrum of a Jansen-Rit node."""

import numpy as np
import pytest

from mne_sbi.models import _jansen_rit_dynamics as dynamics

FIXED = {
    "c1": 1.0,
    "c2": 0.8,
    "c3": 0.25,
    "c4": 0.25,
    "sigma": 6.15,
    "v_max": 5.0,
    "v0": 0.006,
    "r": 560.0,
}
DEFAULT = {"A": 3.25e-3, "B": 0.022, "a": 100.0, "b": 50.0, "C": 135.0, "mu": 220.0}
BOX = {
    "A": (0.0020, 0.0065),
    "B": (0.011, 0.044),
    "a": (60, 140),
    "b": (30, 75),
    "C": (65, 270),
    "mu": (50, 500),
}


def draws(n, seed=0):
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(*ends, n) for name, ends in BOX.items()}
    return values | {name: np.full(n, value) for name, value in FIXED.items()}


def one(**changes):
    values = DEFAULT | FIXED | changes
    return {name: np.array([value]) for name, value in values.items()}


def take(params, rows):
    return {name: value[rows] for name, value in params.items()}


def test_nothing_moves_at_a_fixed_point():
    params = draws(500)
    potential, n_points = dynamics.fixed_points(params)
    assert (np.isfinite(potential).sum(axis=1) == n_points).all()
    state = dynamics.states(params, potential)
    for column in range(potential.shape[1]):
        is_point = np.isfinite(potential[:, column])
        part, point = take(params, is_point), state[is_point, column]
        np.testing.assert_allclose(
            point[:, 1] - point[:, 2], potential[is_point, column], atol=1e-14
        )
        # In units of the terms that cancel, here about a^2 * 10 mV.
        rest = dynamics.velocity(part, point)
        assert np.abs(rest).max() < 1e-10 * (100**2 * 0.01)


def test_as_many_fixed_points_as_a_very_fine_grid_finds():
    params = draws(300, seed=1)
    _, n_points = dynamics.fixed_points(params)
    gain, inhibition = params["A"] / params["a"], params["B"] / params["b"]

    def rate(v):
        return 5 / (1 + np.exp(560 * (0.006 - v)))

    for i in range(300):
        z = np.linspace(-0.3, 0.3, 300_001)
        y0, c = gain[i] * rate(z), params["C"][i]
        excite = gain[i] * (params["mu"][i] + 0.8 * c * rate(c * y0))
        rest = z - excite + inhibition[i] * 0.25 * c * rate(0.25 * c * y0)
        assert n_points[i] == np.count_nonzero(np.diff(rest > 0)), i


def test_two_fixed_points_that_nearly_meet_are_told_apart():
    """The fold of the standard parameters: three fixed points below it, one above."""
    below, above = 60.0, 200.0
    for _ in range(45):
        middle = (below + above) / 2
        several = dynamics.fixed_points(one(mu=middle))[1][0] == 3
        below, above = (middle, above) if several else (below, middle)
    # Published as p = 113.58 for these parameters (Grimbert & Faugeras 2006).
    assert below == pytest.approx(113.58, abs=0.05)
    potential = dynamics.fixed_points(one(mu=below - 1e-6))[0][0]
    assert np.isfinite(potential).all() and (np.diff(potential) > 0).all()
    assert np.diff(potential).min() < 1e-5


def test_jacobian_against_finite_differences():
    params = draws(50)
    potential = dynamics.fixed_points(params)[0][:, :1]
    point = dynamics.states(params, potential)[:, 0]
    exact = dynamics.jacobian(params, potential)[:, 0]
    for column in range(6):
        # Small against the width of the sigmoid over the gain of 270: 1.8 mV / 270.
        step = 1e-8 if column < 3 else 1e-6
        shift = step * np.eye(6)[column]
        ahead = dynamics.velocity(params, point + shift)
        behind = dynamics.velocity(params, point - shift)
        numeric = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(
            exact[..., column], numeric, rtol=1e-5, atol=1e-3, err_msg=str(column)
        )


def test_stability_is_what_trajectories_do():
    """The noise-free equations, started beside each fixed point."""
    params = draws(30, seed=2)
    potential, _ = dynamics.fixed_points(params)
    growth = dynamics.leading_eigenvalues(params, potential).real[:, 0]
    clear = np.abs(growth) > 5.0
    params, growth = take(params, clear), growth[clear]
    point = dynamics.states(params, potential[clear, :1])[:, 0]
    state, start = point + 1e-8, 1e-8
    step = 1e-4  # s
    for _ in range(15_000):
        half = state + 0.5 * step * dynamics.velocity(params, state)
        state = state + step * dynamics.velocity(params, half)
    distance = np.abs(state - point)[:, :3].max(axis=1)
    assert (distance[growth < 0] < start).all()
    # exp(5 / s * 1.5 s) is 1800.
    assert (distance[growth > 0] > 100 * start).all()
    assert (growth < 0).sum() > 5 and (growth > 0).sum() > 5


def test_regimes_of_the_standard_parameters():
    regimes = dynamics.classify(one())
    assert regimes["regime"][0] == "limit cycle"  # the alpha rhythm
    assert regimes["n_fixed_points"][0] == 1 and regimes["n_stable"][0] == 0
    assert 9 < regimes["resonance"][0] < 13
    calm = dynamics.classify(one(C=108.0))
    assert calm["regime"][0] == "noise-driven" and calm["growth_rate"][0] < 0
    # Below the fold the node rests, and noise can kick it off.
    assert dynamics.classify(one(mu=80.0))["n_fixed_points"][0] == 3


def test_shares_of_the_moderate_prior():
    regimes = dynamics.classify(draws(4000))
    n = np.bincount(regimes["n_stable"], minlength=3) / 4000
    # Against 400 draws elsewhere: 57 % without, 41 % with one stable fixed point, 7 %
    # with three fixed points; with three standard errors of those.
    assert n[0] == pytest.approx(0.57, abs=0.075)
    assert n[1] == pytest.approx(0.41, abs=0.075)
    assert (regimes["n_fixed_points"] == 3).mean() == pytest.approx(0.07, abs=0.04)
    assert set(regimes["regime"]) == set(dynamics.REGIMES)


def test_spectrum_against_the_resolvent_of_the_jacobian():
    params = draws(300)
    freqs = np.array([0.0, 1.0, 4.0, 9.5, 10.0, 23.0, 60.0])
    power, valid = dynamics.analytic_spectrum(params, freqs)
    assert 0.25 < valid.mean() < 0.45
    assert np.isnan(power[~valid]).all()
    part = take(params, valid)
    matrix = dynamics.jacobian(part, dynamics.fixed_points(part)[0][:, :1])[:, 0]
    observe = np.array([0, 1, -1, 0, 0, 0])
    for column, freq in enumerate(freqs):
        drive = np.zeros((valid.sum(), 6))
        drive[:, 4] = part["A"] * part["a"] * part["sigma"]
        resolvent = 2j * np.pi * freq * np.eye(6) - matrix
        response = np.linalg.solve(resolvent, drive[..., np.newaxis])[..., 0]
        expected = 2 * np.abs(response @ observe) ** 2
        np.testing.assert_allclose(power[valid, column], expected, rtol=1e-8)


def test_variance_of_the_spectrum_solves_the_lyapunov_equation():
    from scipy.linalg import solve_continuous_lyapunov

    params = one(C=108.0)
    freqs = np.arange(0, 500, 0.01)
    power, _ = dynamics.analytic_spectrum(params, freqs)
    matrix = dynamics.jacobian(params, dynamics.fixed_points(params)[0])[0, 0]
    noise = np.zeros((6, 6))
    noise[4, 4] = (3.25e-3 * 100 * 6.15) ** 2
    covariance = solve_continuous_lyapunov(matrix, -noise)
    observe = np.array([0, 1, -1, 0, 0, 0])
    variance = observe @ covariance @ observe
    assert np.trapezoid(power[0], freqs) == pytest.approx(variance, rel=1e-4)
    gain = dynamics.fluctuation_gain(params)[0]
    assert gain == pytest.approx(560 * np.sqrt(variance), rel=1e-3)


def test_exact_symmetries_of_the_spectrum():
    params = draws(200)
    freqs = np.array([2.0, 10.0, 30.0])
    power, valid = dynamics.analytic_spectrum(params, freqs)
    scaled = dict(params)
    for name, factor in {"A": 2, "B": 2, "C": 0.5, "mu": 0.5, "sigma": 0.5}.items():
        scaled[name] = factor * params[name]
    again, valid_2 = dynamics.analytic_spectrum(scaled, freqs)
    np.testing.assert_array_equal(valid, valid_2)
    np.testing.assert_array_equal(power, again)


def simulated_error(params, *, duration, n_repeats=1):
    """Rms difference in dB of simulated and linear spectra from 1 to 40 Hz, (n,)."""
    import jax
    from scipy.signal import welch

    from mne_sbi.models import JansenRit

    model = JansenRit(sfreq=256.0, duration=duration, burn_in=4.0)
    power = 0
    for repeat in range(n_repeats):
        data = model.simulate_batch(params, jax.random.key(repeat))[:, 0]
        freqs, one = welch(data, 256.0, nperseg=512)
        power = power + one / n_repeats
    inside = (freqs >= 1) & (freqs <= 40)
    expected, _ = dynamics.analytic_spectrum(params, freqs[inside])
    return np.sqrt(np.square(10 * np.log10(power[:, inside] / expected)).mean(axis=1))


def stable_draws(n, sigma, seed):
    params = draws(n, seed) | {"sigma": np.full(n, sigma)}
    return take(params, dynamics.analytic_spectrum(params, [1.0])[1])


def test_spectrum_against_simulations_of_little_noise():
    """The smaller the noise, the better: the least of the model's range."""
    params = stable_draws(150, sigma=1.0, seed=0)
    small = dynamics.fluctuation_gain(params) < 0.2
    assert small.mean() > 0.8
    error = simulated_error(take(params, small), duration=120.0)
    # 119 windows that overlap by half: 0.42 dB of Monte Carlo error.
    assert error.max() < 0.8 and np.median(error) < 0.5


@pytest.mark.slow
def test_spectrum_against_simulations_of_the_standard_noise():
    params = stable_draws(1000, sigma=6.15, seed=3)
    error = simulated_error(params, duration=64.0, n_repeats=8)
    ratio = dynamics.fluctuation_gain(params)
    within = error < 1.0
    print(
        f"{len(error)} draws with one fixed point, stable: {within.mean():.0%} within "
        f"1 dB rms of the simulation, median {np.median(error):.2f} dB"
    )
    for low, high in ((0.0, 0.4), (0.4, 0.6), (0.6, 1.0), (1.0, np.inf)):
        some = (ratio >= low) & (ratio < high)
        print(f"  ratio {low:g} to {high:g}: {within[some].mean():.0%} of {some.sum()}")
    # Elsewhere 78 % of about 140 draws were.
    assert 0.7 < within.mean() < 0.9
    assert within[ratio < 0.4].all()
    # Noise that is large against the sigmoid meets another slope than the linear one.
    assert not within[ratio > 1.5].any()


def test_no_draws():
    empty = {name: np.zeros(0) for name in DEFAULT | FIXED}
    potential, n_points = dynamics.fixed_points(empty)
    assert potential.shape == (0, 3) and n_points.shape == (0,)
    assert dynamics.classify(empty)["regime"].shape == (0,)


@pytest.mark.parametrize(
    "changes", [{"C": 0.0}, {"v_max": 0.0}, {"A": 0.0}, {"r": 1e5}, {"mu": 1e6}]
)
def test_without_feedback_there_is_one_stable_fixed_point(changes):
    regimes = dynamics.classify(one(**changes))
    assert regimes["regime"][0] == "noise-driven"
    # A sigmoid that is a step, or saturated, has no slope at the fixed point either.
    assert regimes["growth_rate"][0] == pytest.approx(-50.0, abs=0.1)
