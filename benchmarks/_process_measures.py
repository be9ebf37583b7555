"""Time and memory of one process that simulates, printed as lines of JSON."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def pin():
    """Stay on one core: JAX then has one thread, and none that wait for each other."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def say(**row):
    print(json.dumps(row), flush=True)


def best(simulate, repeats):
    """CPU-seconds of the best of some runs after two, and the last run's result."""
    # brainmass compiles in the second as well, for the state that the first one left.
    # Arrays are awaited, or JAX would go on with them while time is taken.
    for _ in range(2):
        np.asarray(simulate())
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = np.asarray(simulate())
        seconds.append(time.process_time() - start)
    return min(seconds), result


def say_speed(n_steps, seconds, signal=None, rate=None, **row):
    """Print node-steps per CPU-second, and a signal's standard deviation at 100 Hz.

    Signals are (time, nodes). Those of the peers get the filter that this package has.
    """
    row["speed"] = n_steps / seconds
    if signal is not None:
        signal = np.asarray(signal, dtype=float)
        if rate > 100:
            from scipy.signal import firwin, kaiser_beta, upfirdn

            down = round(rate / 100)
            window = ("kaiser", kaiser_beta(60.0))
            taps = firwin(24 * down + 1, 0.9 / down, window=window)
            # Without its ends, where it has no whole window.
            signal = upfirdn(taps, signal, down=down, axis=0)[24:-24]
        row["sd"] = float(signal.std(axis=0).mean())
    say(**row)


class Peak:
    """The most memory in MB that is held beyond what is held at the start."""

    def __init__(self):
        # What was held before and given back since does not count, where Linux is.
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass
        self.before = self._read()

    def measure(self):
        return (self._read() - self.before) / 1024

    def _read(self):
        # Not ru_maxrss, which starts with what the process held that started this one.
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
            return int(next(s for s in lines if s.startswith("VmHWM")).split()[1])
        except OSError:
            import resource

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak / 1024 if sys.platform == "darwin" else peak


def say_memory(simulate, short, long, **row):
    """Print memory and CPU-seconds of a long run after a short one that compiles."""
    simulate(short)
    peak = Peak()
    seconds = []
    # More than one, because brainmass compiles for each length, and twice.
    for number in range(3):
        start = time.process_time()
        simulate(long)
        seconds.append(time.process_time() - start)
        if number == 0:
            memory = peak.measure()
    say(memory=memory, seconds=min(seconds), **row)
