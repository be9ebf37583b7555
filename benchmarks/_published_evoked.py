"""Evoked responses of a Jansen-Rit column as a published benchmark simulates them.

The set-up is that of "Deep Jansen-Rit parameter inference" (arXiv 2406.05002) and its
public code: one region, 60 pulses of 50 ms at 1 Hz into all three populations, no
process noise, Euler steps of 1 ms, 64 channels at 1 kHz, the average over pulses from
-0.2 to 1 s, nine parameters. It is written here in NumPy, all draws side by side.

Two systems of units: the published one, in which potentials are in volts, the slope of
the sigmoid is 0.56 (the number per millivolt) and its maximum 0.05 1/s; and a
consistent one, with a slope of 560 per volt and a maximum of 5 1/s. With the mixed
units the sigmoid is linear over the potentials that occur, so that few parameters act
on the response.
"""

import numpy as np

#: Targets and their ranges: V, 1/s, and ratios.
RANGES = {
    "A_e": (2.6e-3, 9.75e-3),
    "A_i": (17.6e-3, 110e-3),
    "b_e": (50.0, 150.0),
    "b_i": (25.0, 75.0),
    "a_1": (0.5, 1.5),
    "a_2": (0.4, 1.2),
    "a_3": (0.125, 0.375),
    "a_4": (0.125, 0.375),
    "C": (65.0, 1350.0),
}
#: Slope in 1/V and largest firing rate in 1/s.
UNITS = {"mixed": (0.56, 0.05), "consistent": (560.0, 5.0)}
THRESHOLD = 6e-3  # V
STEP = 1e-3  # s
N_PULSES, INTERVAL, WIDTH = 60, 1.0, 0.05  # -, s, s
TRANSIENT, TMIN, TMAX = 0.8, -0.2, 1.0  # s
PULSE, PULSE_TO_PYRAMIDAL = 60.0, 0.56 * 60.0  # 1/s
# Dipole moment of the source in A m per V of y1 - y2, as published.
MOMENT = 1e-6
# Sensor noise of a single pulse, white: that of MNE-Python's make_ad_hoc_cov for EEG.
NOISE = 0.2e-6  # V
REGION = "lh.caudalmiddlefrontal"
# Draws side by side: states of as many stay in the cache of a core.
_LANES = 1000


def draw_targets(n, rng):
    """Draw parameters: Gaussian about the middle of a range, sd a quarter of it.

    Returns
    -------
    targets : ndarray, shape (n, 9)
        Only draws in which everything is positive; a few in a hundred are not.
    """
    low, high = np.array(list(RANGES.values())).T
    drawn = np.empty((0, len(low)))
    while len(drawn) < n:
        more = (low + high) / 2 + (high - low) / 4 * rng.standard_normal((n, len(low)))
        drawn = np.concatenate([drawn, more[(more > 0).all(axis=1)]])
    return drawn[:n]


def to_unit(targets):
    """Move targets linearly to (0, 1), four standard deviations to either side."""
    low, high = np.array(list(RANGES.values())).T
    return np.clip((targets - (low + high) / 2) / (2 * (high - low)) + 0.5, 0.0, 1.0)


def simulate_source(targets, units):
    """Average the response of the source over pulses.

    Parameters
    ----------
    targets : ndarray, shape (n, 9)
        Parameters.
    units : "mixed" | "consistent"
        Key of ``UNITS``.

    Returns
    -------
    response : ndarray of float32, shape (n, 1201)
        y1 - y2 in V, minus its mean before the pulse; not finite where it diverges.
    """
    blocks = [
        _average(targets[start : start + _LANES].T, *UNITS[units])
        for start in range(0, len(targets), _LANES)
    ]
    response = np.concatenate(blocks)
    before = response[:, : round(-TMIN / STEP)].mean(axis=1, keepdims=True)
    return (response - before).astype(np.float32)


def _average(targets, slope, largest):
    a_e, a_i, b_e, b_i, a_1, a_2, a_3, a_4, c = targets

    def rate(v):
        return largest / (1.0 + np.exp(slope * (THRESHOLD - v)))

    n_epoch = round((TMAX - TMIN) / STEP) + 1
    period, width = round(INTERVAL / STEP), round(WIDTH / STEP)
    first = round(TRANSIENT / STEP)
    begin = first + round(TMIN / STEP)
    total = np.zeros((n_epoch, targets.shape[1]))
    y, v = np.zeros((3, targets.shape[1])), np.zeros((3, targets.shape[1]))
    gain = np.stack([a_e * b_e, a_e * b_e, a_i * b_i])
    decay = np.stack([b_e, b_e, b_i])
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(begin + (N_PULSES - 1) * period + n_epoch):
            since = i - begin
            # An epoch lasts longer than the interval: its end is the next one's
            # beginning.
            for trial in range(max(0, since // period - 1), since // period + 1):
                if trial < N_PULSES and 0 <= since - trial * period < n_epoch:
                    total[since - trial * period] += y[1] - y[2]
            is_on = i >= first and (i - first) % period < width
            drive = np.stack(
                [
                    is_on * PULSE_TO_PYRAMIDAL + rate(y[1] - y[2]),
                    is_on * PULSE + a_2 * c * rate(a_1 * c * y[0]),
                    is_on * PULSE + a_4 * c * rate(a_3 * c * y[0]),
                ]
            )
            change = gain * drive - 2 * decay * v - decay**2 * y
            y, v = y + STEP * v, v + STEP * change
    return total.T / N_PULSES


def get_topography():
    """Return the potentials of the region in V per A m at 64 electrodes.

    That of the template lead field: a sphere with four shells and a dipole at the
    centre of the region. It only scales the channels.
    """
    import mne

    from mne_sbi import LeadField

    montage = mne.channels.make_standard_montage("biosemi64")
    info = mne.create_info(montage.ch_names, 1 / STEP, "eeg").set_montage(montage)
    lead_field = LeadField.from_template(info)
    column = list(lead_field.node_names).index(REGION)
    gain = lead_field.gain[:, column]
    return gain - gain.mean()


def record(response, rng):
    """Bring responses of the source to channels, and add noise.

    Parameters
    ----------
    response : ndarray, shape (n, n_times)
        From :func:`simulate_source`.
    rng : numpy.random.Generator
        Source of the noise, of its own in each simulation.

    Returns
    -------
    evoked : ndarray of float32, shape (n, 64, n_times)
        In microvolts, with the average reference.
    """
    topography = (1e6 * MOMENT * get_topography()).astype(np.float32)
    shape = (len(response), len(topography), response.shape[1])
    evoked = rng.standard_normal(shape, dtype=np.float32)
    evoked -= evoked.mean(axis=1, keepdims=True)
    evoked *= np.float32(1e6 * NOISE / np.sqrt(N_PULSES))
    evoked += topography[:, np.newaxis] * response[:, np.newaxis]
    return evoked


def make_pairs(n, units, seed):
    """Simulate pairs of evoked responses and targets.

    Returns
    -------
    targets : ndarray, shape (n_valid, 9)
        Parameters of the simulations that are finite.
    evoked : ndarray of float32, shape (n_valid, 64, n_times)
        Their data.
    """
    rng = np.random.default_rng(seed)
    targets = draw_targets(n, rng)
    response = simulate_source(targets, units)
    valid = np.isfinite(response).all(axis=1)
    return targets[valid], record(response[valid], rng)
