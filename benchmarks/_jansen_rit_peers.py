"""Simulate Jansen-Rit columns with one package; run by jansen_rit_simulation.py.

    python _jansen_rit_peers.py PACKAGE REPEATS

Runs in an environment of that package, which need not have any other. Prints a line of
JSON for each way in which the package can do it: node-steps per CPU-second, the best of
the repeats after a first run that compiles, and the standard deviation of y1 - y2 in
mV, which tells whether the scheme is right. The model is the same for all: standard
parameters, input of 220/s with noise of 6.15/sqrt(s), a step of about 1 ms.
"""

import json
import os
import sys
import time
from functools import partial

import numpy as np

MU, SIGMA = 220.0, 6.15
BURN = 2000  # steps before the standard deviation is taken


def pin():
    """Stay on one core: JAX then has one thread, and none that wait for each other."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def best(simulate, n_nodes, n_steps, repeats):
    """Node-steps per CPU-second of the best of some runs, and the last run's result."""
    simulate()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = np.asarray(simulate())
        seconds.append(time.process_time() - start)
    return n_nodes * n_steps / min(seconds), result


def say(scheme, n_nodes, speed, signal):
    """Print a result; signal in mV, time first."""
    row = {"scheme": scheme, "nodes": n_nodes, "speed": speed}
    row["sd"] = float(np.asarray(signal, dtype=float).std())
    print(json.dumps(row), flush=True)


def run_tvb(repeats):
    from tvb.simulator.lab import (
        connectivity,
        coupling,
        integrators,
        models,
        monitors,
        noise,
        simulator,
    )

    n_steps = 4000
    # As many regions as its usual connectome, without connections or delays.
    n_nodes = 76
    network = connectivity.Connectivity(
        weights=np.zeros((n_nodes, n_nodes)),
        tract_lengths=np.zeros((n_nodes, n_nodes)),
        region_labels=np.array([f"region_{i}" for i in range(n_nodes)]),
        centres=np.zeros((n_nodes, 3)),
        speed=np.array([4.0]),
    )
    network.configure()
    # In ms; the noise of the derivative of the excitatory potential alone.
    strength = SIGMA * 1e-3 * np.sqrt(1e3) * 3.25 * 0.1
    model = models.JansenRit(
        mu=np.array([MU * 1e-3]),
        v0=np.array([6.0]),
        p_min=np.array([0.0]),
        p_max=np.array([0.0]),
        variables_of_interest=["y1", "y2"],
    )
    for name in ("HeunStochastic", "EulerStochastic"):
        variance = strength**2 / 2 * (np.arange(6) == 4)
        random = noise.Additive(nsig=variance, noise_seed=1)
        sim = simulator.Simulator(
            model=model,
            connectivity=network,
            coupling=coupling.Linear(a=np.array([0.0])),
            integrator=getattr(integrators, name)(dt=1.0, noise=random),
            monitors=[monitors.SubSample(period=8.0)],
        ).configure()

        def simulate(sim=sim):
            # It goes on from where it stopped, so that nothing has to settle.
            data = sim.run(simulation_length=float(n_steps))[0][1]
            return data[:, 0, :, 0] - data[:, 1, :, 0]

        speed, signal = best(simulate, n_nodes, n_steps, repeats)
        say(name, n_nodes, speed, signal)


def run_brainmass(repeats):
    import brainmass
    import brainstate
    import brainunit as u

    n_samples, n_inner = 512, 8
    n_steps = n_samples * n_inner
    brainstate.environ.set(dt=1.0 * u.ms)
    # Its noise is in rates, drawn anew at each step.
    noise = SIGMA / np.sqrt(1e-3)
    for scheme in ("exp_euler", "rk2", "heun"):
        for n_nodes in (256, 1024, 2048, 4096, 8192, 16384):
            model = brainmass.JansenRitStep(in_size=n_nodes, method=scheme)
            brainstate.nn.init_all_states(model)

            def step(_, model=model, n_nodes=n_nodes):
                drawn = brainstate.random.randn(n_nodes)
                return model.update(E_inp=(MU + noise * drawn) * u.Hz)

            def sample(_, step=step):
                return brainstate.transform.for_loop(step, np.arange(n_inner))[-1]

            def each_step(step=step):
                return brainstate.transform.for_loop(step, np.arange(n_steps))[::8]

            def by_sample(sample=sample):
                return brainstate.transform.for_loop(sample, np.arange(n_samples))

            found = []
            for loop in (each_step, by_sample):
                compiled = brainstate.transform.jit(loop)

                def simulate(compiled=compiled):
                    return np.asarray(compiled() / u.mV)

                found.append(best(simulate, n_nodes, n_steps, repeats))
            speed, signal = max(found, key=lambda one: one[0])
            say(scheme, n_nodes, speed, signal)


def run_vbjax(repeats):
    import jax
    import vbjax

    n_steps = 4096
    theta = vbjax.jr_default_theta._replace(v0=6.0, mu=MU * 1e-3)
    strength = SIGMA * 1e-3 * np.sqrt(1e3) * 3.25 * 0.1
    diffusion = strength * (np.arange(6) == 4)[:, np.newaxis]
    for n_nodes in (64, 256, 1024):
        for unroll in (1, 10):
            loop = vbjax.make_sde(
                dt=1.0,
                dfun=lambda state, p: vbjax.jr_dfun(state, 0.0, p),
                gfun=diffusion,
                unroll=unroll,
            )[1]

            def simulate(seed, loop=loop, n_nodes=n_nodes):
                normals = jax.random.normal(jax.random.key(seed), (n_steps, n_nodes))
                states = loop(np.zeros((6, n_nodes), np.float32), normals, theta)
                return (states[:, 1] - states[:, 2])[::8]

            compiled = jax.jit(simulate)
            speed, signal = best(
                lambda compiled=compiled: compiled(0), n_nodes, n_steps, repeats
            )
            say(f"Heun, unroll={unroll}", n_nodes, speed, signal[BURN // 8 :])


def run_jrnmm(repeats):
    import jax
    import jax.numpy as jnp
    import jrnmm

    n_steps = 4096
    for n_nodes in (64, 256, 1024):
        # One step more or less, by the rounding of arange.
        settings = {"dt": 1 / 1024, "t_end": (n_steps - 0.5) / 1024}
        values = {
            "Cs": jnp.full(n_nodes, 135.0),
            "mus": jnp.full(n_nodes, MU),
            "sigmas": jnp.full(n_nodes, SIGMA * 3.25 * 100),
            "gains": jnp.zeros(n_nodes),
        }

        def simulate(key, values, settings=settings, n_nodes=n_nodes):
            start = jnp.zeros((n_nodes, 6))
            return jrnmm.simulate(key, initial_states=start, **settings, **values)

        # As it is called, it is compiled at each call; so, once.
        compiled = partial(jax.jit(simulate), jax.random.PRNGKey(0), values)
        speed, signal = best(compiled, n_nodes, n_steps, repeats)
        say("Strang", n_nodes, speed, signal[:, BURN:, 0])


def run_mne_sbi(repeats):
    import jax

    from mne_sbi.models import JansenRit

    model = JansenRit(sfreq=128.0, duration=10.0)
    n_steps = 8 * (1280 + 256)  # with the burn-in
    for scheme in ("strang", "heun"):
        model.set_params(scheme=scheme)
        for n_nodes in (1024, 8192):
            # A value for each simulation, although they are the same here.
            params = {"C": np.full(n_nodes, 135.0)}

            def simulate(params=params):
                return model.simulate_batch(params, jax.random.key(0))[:, 0]

            speed, signal = best(simulate, n_nodes, n_steps, repeats)
            say(scheme, n_nodes, speed, 1e3 * signal)


def main():
    package, repeats = sys.argv[1], int(sys.argv[2])
    pin()
    runs = {
        "tvb-library": run_tvb,
        "brainmass": run_brainmass,
        "vbjax": run_vbjax,
        "jrnmm": run_jrnmm,
        "mne-sbi": run_mne_sbi,
    }
    runs[package](repeats)


if __name__ == "__main__":
    main()
