"""Simulate Wilson-Cowan networks with one package; run by wilson_cowan.py.

    python _wilson_cowan_peers.py PACKAGE TASK FILE REPEATS

Runs in an environment of that package, which need not have any other. FILE is an .npz
archive with the connectome. Prints a line of JSON for each way in which the package can
do the task: CPU-seconds are the best of the repeats after two runs that compile.

The model is that of The Virtual Brain, with a drive of 0.5, at which it has one state
of rest, and noise as input with a standard deviation of 0.1 and a time constant of
10 ms. neurolib has a model of its own, and noise outside of the sigmoid.
"""

import functools
import sys
import time

import numpy as np
from _process_measures import best, pin, say, say_memory, say_speed

STEP = 1e-4  # s
SPEEDS = (2.0, 10.0)  # m/s
COUPLING, DRIVE, NOISE, TAU = 1.0, 0.5, 0.1, 0.01
COUPLINGS = np.linspace(0.1, 3, 32)
# Of this package, for what the others do.
SETTINGS = {"preset": "tvb", "step": STEP, "burn_in": 0.0}
BURN = 1.0  # s before the standard deviation is taken
# An oscillation by itself, of the equations of Wilson and Cowan (1972).
RHYTHM = {"c_ee": 16, "c_ie": 12, "c_ei": 15, "c_ii": 3, "a_e": 1.3, "theta_e": 4}
RHYTHM |= {"a_i": 2, "theta_i": 3.7, "drive": 1.25, "noise": 0}
# Later on, differences of schemes have grown, and say little of them.
RHYTHM_DURATION = 0.1  # s


# ---------------------------------------------------------------------- brainmass


class Brainmass:
    """Its network, and the loops that it can run in."""

    # Its wIE is from inhibitory to excitatory cells, whatever its documentation says.
    names = {"wEE": "c_ee", "wIE": "c_ie", "wEI": "c_ei", "wII": "c_ii"}
    names |= {"a_E": "a_e", "theta_E": "theta_e", "a_I": "a_i", "theta_I": "theta_i"}

    def __init__(self, file):
        self.weights, self.lengths = file["weights"], file["lengths"]

    def make(self, speed, coupling=COUPLING, method="exp_euler", start=None, **values):
        import brainmass
        import braintools
        import brainunit as u

        n = len(self.weights)
        p = {"c_ee": 12, "c_ie": 4, "c_ei": 13, "c_ii": 11, "a_e": 1.2, "theta_e": 2.8}
        p |= {"a_i": 1, "theta_i": 4, "drive": DRIVE, "noise": NOISE} | values
        # Its input from outside is the mean of its noise.
        sigma, tau = p["noise"] * np.sqrt(2), 1e3 * TAU * u.ms
        # Where it starts, as well.
        noise = {
            f"noise_{name}": brainmass.OUProcess(
                n, mean=m, sigma=sigma, tau=tau, init=braintools.init.Constant(m)
            )
            for name, m in (("E", p["drive"]), ("I", 0.0))
        }
        begin, past = {}, {}
        if start is not None:
            begin = {f"r{name}_init": given(start[i]) for i, name in enumerate("EI")}
            past = {"delay_init": given(start[0])}
        node = brainmass.WilsonCowanStep(
            n,
            tau_E=10.0 * u.ms,
            tau_I=10.0 * u.ms,
            **{theirs: float(p[name]) for theirs, name in self.names.items()},
            method=method,
            **noise,
            **begin,
        )
        return brainmass.Network(
            node,
            conn=self.weights,
            distance=1e3 * self.lengths,
            speed=speed,
            coupled_var="rE",
            k=coupling,
            **past,
        )

    def loop(self, network, n_steps, every=1):
        """Run it; return activity at every so many steps."""
        from brainstate.transform import for_loop

        def several(_):
            return for_loop(lambda _: network.update(), np.arange(every))[-1]

        one = several if every > 1 else lambda _: network.update()
        return for_loop(one, np.arange(n_steps // every))


def given(values):
    """Return an initial value in brainmass' form."""

    def initialize(size, *_, **__):
        return np.broadcast_to(np.asarray(values, np.float32), size)

    return initialize


def run_brainmass(task, file, repeats):
    import brainstate
    import brainunit as u

    jit, init = brainstate.transform.jit, brainstate.nn.init_all_states
    peer, n_nodes = Brainmass(file), len(file["weights"])
    brainstate.environ.set(dt=1e3 * STEP * u.ms)
    if task == "single":
        for speed in SPEEDS:
            for method in ("exp_euler", "euler"):
                for every in (1, 10):
                    network = peer.make(speed, method=method)
                    init(network)
                    loop = jit(lambda n=network, e=every: peer.loop(n, 60_000, e))
                    seconds, signal = best(loop, repeats)
                    signal = signal[int(BURN / STEP) // every :]
                    scheme = method + ("" if every == 1 else f", {every} steps in one")
                    row = {"scheme": scheme, "conduction": speed, "simulated": 6.0}
                    rate = 1 / (STEP * every)
                    say_speed(60_000 * n_nodes, seconds, signal, rate, **row)
    elif task == "batch":
        n_steps, n_draws = 5000, len(COUPLINGS)

        def one(speed, coupling):
            network = peer.make(speed, coupling)
            init(network)
            return peer.loop(network, n_steps, 10)

        for speed in SPEEDS:
            ways = {
                "vmap": brainstate.transform.vmap,
                "map": lambda f: lambda k: brainstate.transform.map(f, k),
            }
            for name, way in ways.items():
                batch = jit(way(lambda k, s=speed: one(s, k)))
                couplings = COUPLINGS.astype(np.float32)
                seconds, _ = best(lambda b=batch, k=couplings: b(k), repeats)
                total = n_steps * n_nodes * n_draws
                row = {"scheme": name, "conduction": speed, "simulated": 0.5}
                say_speed(total, seconds, **row)
    elif task == "memory":
        for every, scheme in ((1, "all steps kept"), (100, "of 100 steps one kept")):
            network = peer.make(SPEEDS[0])
            init(network)

            @functools.lru_cache
            def compiled(duration, network=network, every=every):
                n_steps = round(duration / STEP)
                return jit(lambda: peer.loop(network, n_steps, every))

            def simulate(duration, compiled=compiled):
                return np.asarray(compiled(duration)())

            say_memory(simulate, 0.5, 60.0, scheme=scheme)
    elif task == "trajectory":
        for part in (1, 4):
            step = STEP / part
            brainstate.environ.set(dt=1e3 * step * u.ms)
            network = peer.make(SPEEDS[0], start=file["start"], **RHYTHM)
            init(network)
            n_steps = round(RHYTHM_DURATION / step)
            signal = np.asarray(jit(lambda n=network, t=n_steps: peer.loop(n, t))())
            say(step=step, signal=signal[part - 1 :: part].tolist())


# ----------------------------------------------------------------------- neurolib


def run_neurolib(task, file, repeats):
    from neurolib.models.wc import WCModel

    n_nodes = len(file["weights"])
    model = WCModel(Cmat=file["weights"], Dmat=1e3 * file["lengths"], seed=0)
    model.params["dt"] = 1e3 * STEP
    # It has no noise unless asked.
    model.params["sigma_ou"] = 0.01

    def simulate(duration):
        model.params["duration"] = 1e3 * duration
        model.run()
        return model.exc.T

    if task == "single":
        for speed in SPEEDS:
            model.params["signalV"] = speed
            seconds, signal = best(lambda: simulate(6.0), repeats)
            row = {"scheme": "Euler", "conduction": speed, "simulated": 6.0}
            signal = signal[int(BURN / STEP) :]
            say_speed(60_000 * n_nodes, seconds, signal, 1 / STEP, **row)
    elif task == "memory":
        model.params["signalV"] = SPEEDS[0]
        say_memory(simulate, 0.5, 60.0, scheme="all steps kept")


# ------------------------------------------------------------- The Virtual Brain


def run_tvb(task, file, repeats):
    from scipy.optimize import fsolve
    from tvb.simulator.lab import (
        connectivity,
        coupling,
        integrators,
        models,
        monitors,
        noise,
        simulator,
    )

    def response(activity):
        """Firing rates and their slopes."""
        e, i = activity
        slope, threshold = np.array([1.2, 1.0]), np.array([2.8, 4.0])
        x = np.array([12 * e - 4 * i + DRIVE, 13 * e - 11 * i])
        rate = 1 / (1 + np.exp(-slope * (x - threshold)))
        offset = 1 / (1 + np.exp(slope * threshold))
        return rate - offset, slope * rate * (1 - rate)

    # Its noise is added to changes, not to inputs: as strong as what small noise does.
    rest = fsolve(lambda y: (1 - y) * response(y)[0] - y, [0.5, 0.5])
    strength = (1 - rest) * response(rest)[1] * NOISE / np.sqrt(1e3 * TAU)
    n_nodes = len(file["weights"])
    for speed in SPEEDS:
        network = connectivity.Connectivity(
            weights=file["weights"],
            tract_lengths=1e3 * file["lengths"],
            region_labels=np.array([f"region_{i}" for i in range(n_nodes)]),
            centres=np.zeros((n_nodes, 3)),
            speed=np.array([speed]),
        )
        network.configure()
        random = noise.Additive(nsig=strength**2 / 2, ntau=1e3 * TAU, noise_seed=1)
        sim = simulator.Simulator(
            model=models.WilsonCowan(P=np.array([DRIVE])),
            connectivity=network,
            coupling=coupling.Difference(a=np.array([COUPLING])),
            integrator=integrators.EulerStochastic(dt=1e3 * STEP, noise=random),
            monitors=[monitors.SubSample(period=1.0)],
        ).configure()

        # It goes on from where it stopped.
        def simulate(duration, sim=sim):
            return sim.run(simulation_length=1e3 * duration)[0][1][:, 0, :, 0]

        simulate(0.5)
        seconds, parts = [], []
        for _ in range(repeats):
            start = time.process_time()
            parts.append(simulate(1.0))
            seconds.append(time.process_time() - start)
        row = {"scheme": "Euler", "conduction": speed, "simulated": 1.0}
        signal = np.concatenate(parts)
        say_speed(10_000 * n_nodes, min(seconds), signal, 1000, **row)


# ------------------------------------------------------------------- this package


def make_ours(file, **settings):
    from mne_sbi import Connectome, WilsonCowanNetwork

    names = [f"region_{i}" for i in range(len(file["weights"]))]
    connectome = Connectome(file["weights"], file["lengths"], names)
    return WilsonCowanNetwork(connectome, **settings)


def run_mne_sbi(task, file, repeats):
    if task == "first":
        measure_first(file)
        return
    import jax

    n_nodes = len(file["weights"])
    key = jax.random.key(0)
    base = {"drive": DRIVE, "noise": NOISE, "tau_noise": TAU, "coupling": COUPLING}

    def simulate(params, duration):
        model = make_ours(file, sfreq=100.0, duration=duration, **SETTINGS)
        return model.simulate_batch(params, key)

    scheme = "Adams-Bashforth"
    if task == "single":
        for speed in SPEEDS:
            params = base | {"speed": speed}
            seconds, signal = best(lambda p=params: simulate(p, 6.0), repeats)
            signal = signal[0].T[int(100 * BURN) :]
            row = {"scheme": scheme, "conduction": speed, "simulated": 6.0}
            say_speed(60_000 * n_nodes, seconds, signal, 100, **row)
    elif task == "batch":
        n_draws = len(COUPLINGS)
        # The last is what brainmass cannot: its delays are constants when it compiles.
        for speed in (*SPEEDS, np.linspace(2, 20, n_draws)):
            params = base | {"speed": speed, "coupling": COUPLINGS}
            params = {k: np.broadcast_to(v, n_draws) for k, v in params.items()}
            seconds, _ = best(lambda p=params: simulate(p, 2.0), repeats)
            name = speed if np.ndim(speed) == 0 else "2 to 20"
            row = {"scheme": scheme, "conduction": name, "simulated": 2.0}
            say_speed(20_000 * n_nodes * n_draws, seconds, **row)
    elif task == "memory":
        params = base | {"speed": SPEEDS[0]}
        say_memory(lambda d: simulate(params, d), 0.5, 60.0, scheme="sampled at 100 Hz")


def measure_first(file):
    """Print how long importing and the first calls take."""
    start, wall = time.process_time(), time.perf_counter()

    def tell(what):
        nonlocal start, wall
        cpu, passed = time.process_time() - start, time.perf_counter() - wall
        say(what=what, cpu=cpu, wall=passed)
        start, wall = time.process_time(), time.perf_counter()

    import jax

    model = make_ours(file, sfreq=100.0, duration=1.0)
    tell("import")
    for n_draws, name in ((1, "a draw"), (16, "16 draws")):
        for call in ("first", "second"):
            model.simulate_batch({"coupling": np.ones(n_draws)}, jax.random.key(0))
            tell(f"{name}, {call} call")


def main():
    package, task, file, repeats = sys.argv[1:]
    pin()
    runs = {
        "mne-sbi": run_mne_sbi,
        "brainmass": run_brainmass,
        "neurolib": run_neurolib,
        "tvb-library": run_tvb,
    }
    with np.load(file) as archive:
        content = {name: archive[name] for name in archive.files}
    runs[package](task, content, int(repeats))


if __name__ == "__main__":
    main()
