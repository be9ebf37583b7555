"""Pulse trains: what is refused, and how epochs lie on the periods of a simulation."""

import numpy as np
import pytest

from mne_sbi.models import PulseTrain


def test_defaults_and_equality():
    train = PulseTrain()
    assert train == PulseTrain(60, 1.0, 0.05, jitter=0, populations=["excitatory"])
    assert hash(train) == hash(PulseTrain(60))
    assert train.populations == ("excitatory",)
    assert PulseTrain(populations="inhibitory").populations == ("inhibitory",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_pulses": 0}, "n_pulses must be an integer of at least 1"),
        ({"n_pulses": 2.5}, "n_pulses"),
        ({"n_pulses": True}, "n_pulses"),
        ({"interval": 0}, "interval must be positive"),
        ({"interval": [1.0, 2.0]}, "interval must be a number"),
        ({"width": -0.1}, "width"),
        ({"width": 1.5}, "come every 1 s"),
        ({"jitter": -0.1}, "jitter must not be negative"),
        ({"jitter": 0.2}, "3 standard deviations"),
        ({"tmin": np.nan}, "tmin"),
        ({"populations": ("excitatry",)}, "Did you mean 'excitatory'"),
        ({"populations": ()}, "each one once"),
        ({"populations": ("inhibitory", "inhibitory")}, "each one once"),
    ],
)
def test_refused(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        PulseTrain(**settings)


def test_too_few_samples():
    with pytest.raises(ValueError, match="5 samples"):
        PulseTrain(interval=0.05, width=0.045).sampled(100.0, 10)


@pytest.mark.parametrize("tmin", [-2.5, -1.0, -0.2, 0.0, 0.13, 1.7])
@pytest.mark.parametrize("n_times", [1, 100, 120, 350])
@pytest.mark.parametrize("jitter", [0.0, 0.05])
def test_epochs_are_cut_where_the_events_are(tmin, n_times, jitter):
    train = PulseTrain(4, 1.0, 0.05, jitter=jitter, tmin=tmin).sampled(100.0, n_times)
    # A signal in which every sample is its own number, from the first period on.
    first = min(0, train.first)
    signal = np.arange(train.n_periods * train.period) + first * train.period
    periods = signal.reshape(train.n_periods, 1, train.period)
    total = (train.shares()[:, :, np.newaxis] * periods).sum(axis=0).ravel()
    begin = train.start - train.first * train.period
    assert 0 <= begin < train.period
    average = total[begin : begin + train.n_times]
    # Event k is `lead` samples into period k.
    events = train.lead + train.period * np.arange(4)
    expected = events.mean() + round(tmin * 100) + np.arange(n_times)
    np.testing.assert_allclose(average, expected)
    has_pulse = train.has_pulse()
    assert has_pulse.sum() == 4 and has_pulse[-first]
    np.testing.assert_allclose(train.shares().sum(axis=0), 1)


def test_latencies_stay_inside():
    train = PulseTrain(interval=1.0, width=0.05, jitter=0.1).sampled(100.0, 100)
    latencies = train.latencies(np.array([-9.0, -1.0, 0.0, 9.0]))
    np.testing.assert_allclose(latencies, [-0.3, -0.1, 0.0, 0.3])
    # From the start of a period, with room for half a step on both sides.
    assert train.lead / 100 + latencies.min() > 0
    assert train.lead / 100 + latencies.max() + train.width < train.period / 100
