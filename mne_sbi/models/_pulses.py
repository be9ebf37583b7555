"""Trains of pulses that evoke responses, and the epochs that are averaged."""

import dataclasses
import numbers

import numpy as np

from .._checks import check_array, check_option
from ._jansen_rit_parameters import POPULATIONS

# A normal distribution is cut here, so that no pulse reaches into the next interval.
_LARGEST_LATENCY = 3.0  # standard deviations


@dataclasses.dataclass(frozen=True)
class PulseTrain:
    """A train of equal rectangular pulses, and the epochs around them.

    Parameters
    ----------
    n_pulses : int
        Number of pulses, over which the model's output is averaged.
    interval : float
        Seconds from one event to the next; rounded to whole samples.
    width : float
        Duration of a pulse in s.
    jitter : float
        Standard deviation of the latency from an event to its pulse, in s. Latencies
        are normal about zero and at most three standard deviations.
    tmin : float
        Start of an epoch relative to its event, in s; rounded to whole samples. How
        long it lasts is the model's ``duration``.
    populations : sequence of str
        Which populations take the pulses: ``"pyramidal"``, ``"excitatory"``,
        ``"inhibitory"``. For each the model has a parameter with the pulses' rate.

    Raises
    ------
    ValueError
        If a number is not positive, a population is unknown, or a pulse with its
        jitter does not fit into the interval.
    """

    n_pulses: int = 60
    interval: float = 1.0
    width: float = 0.05
    _: dataclasses.KW_ONLY
    jitter: float = 0.0
    tmin: float = -0.2
    populations: tuple = ("excitatory",)

    def __post_init__(self):
        whole = isinstance(self.n_pulses, numbers.Integral)
        if not whole or isinstance(self.n_pulses, bool) or self.n_pulses < 1:
            raise ValueError(
                f"n_pulses must be an integer of at least 1, got {self.n_pulses!r}."
            )
        for name in ("interval", "width"):
            self._store(name, check_array(name, getattr(self, name), positive=True))
        for name in ("jitter", "tmin"):
            self._store(name, check_array(name, getattr(self, name)))
        if self.jitter < 0:
            raise ValueError(f"jitter must not be negative, got {self.jitter:g} s.")
        needed = self.width + 2 * _LARGEST_LATENCY * self.jitter
        if needed >= self.interval:
            raise ValueError(
                f"Pulses of {self.width:g} s with a jitter of {self.jitter:g} s need "
                f"{needed:g} s (3 standard deviations to both sides), but come every "
                f"{self.interval:g} s. Give a longer interval or less jitter."
            )
        given = self.populations
        given = (given,) if isinstance(given, str) else tuple(given)
        for population in given:
            check_option("populations", population, POPULATIONS)
        if not given or len(set(given)) < len(given):
            raise ValueError(f"populations must name each one once, got {given}.")
        object.__setattr__(self, "populations", given)

    def _store(self, name, value):
        if value.ndim:
            raise ValueError(f"{name} must be a number, got shape {value.shape}.")
        object.__setattr__(self, name, float(value))

    def sampled(self, sfreq, n_times):
        """Return the train in samples.

        Parameters
        ----------
        sfreq : float
            Sampling rate in Hz.
        n_times : int
            Samples of an epoch.

        Returns
        -------
        train : SampledTrain
            The train.

        Raises
        ------
        ValueError
            If an interval has too few samples for a pulse.
        """
        period = round(self.interval * sfreq)
        # A sample more than the earliest pulse needs, because a pulse acts on the step
        # before and after it as well.
        lead = int(np.ceil(_LARGEST_LATENCY * self.jitter * sfreq)) + 1
        last = _LARGEST_LATENCY * self.jitter + self.width
        if lead + int(np.ceil(last * sfreq)) + 1 > period:
            raise ValueError(
                f"A pulse of {self.width:g} s with its jitter needs more than the "
                f"{period} samples from one event to the next at {sfreq:g} Hz. Give a "
                "longer interval."
            )
        start = lead + round(self.tmin * sfreq)
        return SampledTrain(
            n_pulses=int(self.n_pulses),
            period=period,
            lead=lead,
            start=start,
            n_times=n_times,
            width=self.width,
            jitter=self.jitter,
        )


@dataclasses.dataclass(frozen=True)
class SampledTrain:
    """A pulse train on the samples of a simulation.

    A simulation is made of periods, which begin a little before the events; with tmin
    and duration an epoch may begin in an earlier period and end in a later one.

    Parameters
    ----------
    n_pulses : int
        Number of pulses.
    period : int
        Samples from one event to the next.
    lead : int
        Samples from the start of a period to its event.
    start : int
        Samples from the start of a period to that of its epoch; may be negative.
    n_times : int
        Samples of an epoch.
    width, jitter : float
        Duration of a pulse and standard deviation of its latency, in s.
    """

    n_pulses: int
    period: int
    lead: int
    start: int
    n_times: int
    width: float
    jitter: float

    @property
    def first(self):
        """The period in which the first event's epoch begins; the event's is 0."""
        return self.start // self.period

    @property
    def n_parts(self):
        """The number of periods that an epoch touches."""
        return (self.start + self.n_times - 1) // self.period - self.first + 1

    @property
    def n_periods(self):
        """The number of periods to simulate."""
        return max(self.n_pulses, self.n_pulses + self.first + self.n_parts - 1) - min(
            0, self.first
        )

    def has_pulse(self):
        """Say which of the simulated periods have a pulse, shape (n_periods,)."""
        number = np.arange(self.n_periods) + min(0, self.first)
        return (number >= 0) & (number < self.n_pulses)

    def shares(self):
        """Return what each period adds to each part, shape (n_periods, n_parts)."""
        number = np.arange(self.n_periods)[:, np.newaxis] + min(0, self.first)
        event = number - (self.first + np.arange(self.n_parts))
        return ((event >= 0) & (event < self.n_pulses)) / self.n_pulses

    def latencies(self, normals):
        """Turn normal deviates into latencies in s.

        Parameters
        ----------
        normals : array
            Normal deviates.

        Returns
        -------
        latencies : array
            Latencies in s, at most three standard deviations.
        """
        return self.jitter * normals.clip(-_LARGEST_LATENCY, _LARGEST_LATENCY)
