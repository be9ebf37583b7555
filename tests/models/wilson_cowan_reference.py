"""The Wilson-Cowan network step by step in double precision, to compare with."""

import numpy as np


def firing_rate(x, slope, threshold):
    rest = 1 / (1 + np.exp(slope * threshold))
    return 1 / (1 + np.exp(-slope * (x - threshold))) - rest


def simulate_plainly(connectome, p, step, n_steps, start, noise=None):
    """Simulate with diffusive coupling; all steps, shape (n_steps, n_nodes, ...).

    ``start`` holds both activities, shape (2, n_nodes, ...); ``noise`` standard normal
    deviates of shape (n_steps, 2, n_nodes, ...), or nothing.
    """
    weights = connectome.weights * (1 - np.eye(connectome.n_nodes))
    weights = weights / weights.sum(axis=1).max()
    total = weights.sum(axis=1).reshape(-1, *[1] * (start.ndim - 2))
    delays = np.zeros_like(weights)
    if np.isfinite(p["speed"]):
        delays = connectome.lengths / p["speed"] / step
    whole = np.floor(delays).astype(int)
    part = (delays - whole).reshape(*delays.shape, *[1] * (start.ndim - 2))
    n_past = whole.max() + 2
    past = np.repeat(start[:1], n_past + n_steps, axis=0)
    source = np.arange(connectome.n_nodes)
    (e, i), x = start.astype(float), np.zeros((2, *start.shape[1:]))
    decay = np.exp(-step / p["tau_noise"])
    out = np.empty((n_steps, *start.shape[1:]))
    for number in range(n_steps):
        out[number] = e
        now = n_past - 1 + number
        past[now] = e
        arriving = (1 - part) * past[now - whole, source]
        arriving = arriving + part * past[now - whole - 1, source]
        u = np.einsum("ij,ij...->i...", weights, arriving) - total * e
        to_e = p["c_ee"] * e - p["c_ie"] * i + p["drive"] + x[0] + p["coupling"] * u
        to_i = p["c_ei"] * e - p["c_ii"] * i + p["drive_i"] + x[1]
        rate_e = firing_rate(to_e, p["a_e"], p["theta_e"])
        rate_i = firing_rate(to_i, p["a_i"], p["theta_i"])
        change_e = step / p["tau_e"] * (-e + (1 - p["r_e"] * e) * rate_e)
        change_i = step / p["tau_i"] * (-i + (1 - p["r_i"] * i) * rate_i)
        if number == 0:  # a step of Euler
            before_e, before_i = change_e, change_i
        e = e + 1.5 * change_e - 0.5 * before_e
        i = i + 1.5 * change_i - 0.5 * before_i
        before_e, before_i = change_e, change_i
        if noise is not None:
            x = decay * x + p["noise"] * np.sqrt(1 - decay**2) * noise[number]
    return out
