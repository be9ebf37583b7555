"""Recordings and matrices in whatever holds them: taken, or what to give instead."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mne_sbi import (
    Connectome,
    EEG2fMRIRegressor,
    EpochsToArray,
    WilsonCowanNetwork,
    connectivity_fit,
    simulate,
)
from mne_sbi.diagnostics import identifiability
from mne_sbi.features import LogPSD
from mne_sbi.models import SpectralGraphModel
from mne_sbi.testing import make_connectome


def objects(elements, *shape):
    """An array of objects."""
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(shape or -1)


@pytest.mark.parametrize(
    "hold",
    [
        iter,
        lambda raws: (raw for raw in raws),
        lambda raws: dict(enumerate(raws)).values(),
        tuple,
        objects,
        pd.Series,
        lambda raws: pd.Series(raws, ["sub-a", "sub-b"]),
    ],
)
def test_recordings_in_any_sequence(world, hold):
    """All as a list of them, in fit and predict; an index names them."""
    raws = [world.raw(0), world.raw(1)]
    expected = world.fitted.predict(raws)
    np.testing.assert_array_equal(world.fitted.predict(hold(raws)), expected)
    posterior = world.fitted.predict_posterior(hold(raws))
    named = isinstance(hold(raws), pd.Series) and hold(raws).index[0] == "sub-a"
    assert posterior.obs_names == (("sub-a", "sub-b") if named else None)
    again = world.sgm(duration=10.0).fit(hold(raws)).predict(hold(raws))
    assert len(again) == 4


def test_one_recording_in_an_array(world):
    alone = np.empty((), dtype=object)
    alone[()] = world.raw()
    expected = world.fitted.predict(world.raw())
    np.testing.assert_array_equal(world.fitted.predict(alone), expected)


def test_generators_of_source_estimates_and_epochs(world):
    """As `apply_inverse_epochs(..., return_generator=True)` gives them."""
    inverter = world.sgm(labels=world.labels).fit(world.stc())
    estimates = [world.stc(0), world.stc(1)]
    expected = inverter.predict(estimates)
    np.testing.assert_array_equal(inverter.predict(x for x in estimates), expected)
    epochs = world.epochs(world.raw())
    single = [epochs[i] for i in range(len(epochs))]
    array = EpochsToArray().fit_transform(x for x in single)
    np.testing.assert_array_equal(array, epochs.get_data())


@pytest.mark.parametrize(
    "hold, error, message",
    [
        (set, TypeError, "must be in a list: a set has no order"),
        (
            lambda raws: [raws, raws[:1]],
            TypeError,
            "2 lists of recordings.*concat",
        ),
        (
            lambda raws: objects(raws, 2, 1),
            TypeError,
            r"shape \(2, 1\).*list\(arr",
        ),
        (
            lambda raws: [*raws, None],
            TypeError,
            r"something else: \['NoneType'\]",
        ),
        (lambda raws: iter([]), ValueError, "list of recordings is empty"),
        (
            lambda raws: [raws[0].get_data(), raws[1].get_data()[:, 1:]],
            ValueError,
            r"2 arrays of the list have different shapes, \(5, 1999\), \(5, 2000\)",
        ),
        (
            lambda raws: np.ma.masked_greater(np.ones((2, 5, 6)), 0.5),
            ValueError,
            r"X is a masked array, and 60 of its 60 values are masked.*X.filled",
        ),
        (
            lambda raws: [np.ma.masked_array([[0.0, 1.0]], [[True, False]])] * 2,
            ValueError,
            "X is a masked array, and 1 of its 2 values",
        ),
    ],
)
def test_what_is_said_of_others(world, hold, error, message):
    raws = [world.raw(0), world.raw(1)]
    for call in (world.fitted.predict, world.sgm().fit, world.fitted.score):
        with pytest.raises(error, match=message):
            call(hold(raws))


def masked(*shape):
    """An array of ones of which one value is masked."""
    array = np.ma.ones(shape)
    array[(0,) * len(shape)] = np.ma.masked
    return array


@pytest.mark.parametrize(
    "name, call",
    [
        ("weights", lambda w: Connectome(masked(2, 2), np.ones((2, 2)), ["a", "b"])),
        ("lengths", lambda w: Connectome(np.ones((2, 2)), masked(2, 2), ["a", "b"])),
        ("alpha", lambda w: w.fitted.model_.simulate_batch({"alpha": masked(3)})),
        ("theta", lambda w: w.fitted.prior_.to_unit(masked(3, 5))),
        (
            "x",
            lambda w: dataclasses.replace(
                w.fitted.bank_, x=masked(*w.fitted.bank_.x.shape)
            ),
        ),
        ("X", lambda w: EEG2fMRIRegressor("hrf_ridge").fit(masked(40, 3), np.ones(40))),
        (
            "y",
            lambda w: EEG2fMRIRegressor("hrf_ridge").fit(np.ones((40, 3)), masked(40)),
        ),
        ("y", lambda w: w.sgm().fit(np.ones((9, 7)), masked(9, 5))),
        ("y", lambda w: w.fitted.score(w.raw(), masked(1, 5))),
        ("X", lambda w: EpochsToArray().fit(masked(4, 2, 9))),
        ("psd", lambda w: LogPSD().extract_spectrum(masked(1, 2, 3), [1.0, 2.0, 3.0])),
        ("data", lambda w: LogPSD().extract(masked(1, 2, 999), 100.0)),
        (
            "simulated",
            lambda w: connectivity_fit((masked(4, 4), list("abcd")), w.raw()),
        ),
    ],
)
def test_masked_values_are_missing(world, name, call):
    with pytest.raises(ValueError, match=f"{name} is a masked array, and 1 of its"):
        call(world)


def test_a_mask_of_nothing(world):
    """It is an array like any other."""
    x = world.array("spectrum")
    expected = world.fitted.predict(x)
    np.testing.assert_array_equal(world.fitted.predict(np.ma.masked_array(x)), expected)


def test_connectivity_in_a_data_frame():
    rng = np.random.default_rng(0)
    names = [f"lh.region{i}" for i in range(8)]
    a, b = (m + m.T for m in rng.random((2, 8, 8)))
    expected = connectivity_fit((a, names), (b, names), n_null=2).r
    table = pd.DataFrame(b, names, names)
    # Rows and columns in other orders, or without names for the rows.
    for given in (
        table,
        table.iloc[::-1, rng.permutation(8)],
        pd.DataFrame(b, columns=names),
    ):
        found = connectivity_fit((a, names), given, n_null=2).r
        assert found == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="1 of 8 rows have others: elsewhere"):
        wrong = table.rename(index={names[2]: "elsewhere"})
        connectivity_fit((a, names), wrong, n_null=2)


def test_repeated_nodes_are_no_information():
    model = SpectralGraphModel(make_connectome(3), [6.0, 12.0], engine="exact")
    for call in (
        lambda: identifiability(model, nodes=[0] * 20),
        lambda: simulate(model, None, 10, nodes=[1, 0, 1]),
    ):
        with pytest.raises(ValueError, match="nodes must differ, got . more than once"):
            call()


def test_repeated_frequencies_are_no_information():
    for call in (
        lambda: LogPSD(freqs=[9.0, 9.0]).extract_spectrum(np.ones((1, 1, 2)), [8, 10]),
        lambda: WilsonCowanNetwork(freqs=[9.0, 9.0]).get_freqs(),
        lambda: SpectralGraphModel(freqs=[9.0, 9.0]).get_freqs(),
    ):
        with pytest.raises(ValueError, match="freqs must increase, got .9. 9.."):
            call()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"n_draws": 10.5}, "n_draws must be a positive integer, got 10.5"),
        ({"n_draws": "20"}, "n_draws must be a positive integer, got '20'"),
        ({"n_draws": 0}, "n_draws must be a positive integer, got 0"),
        ({"n_jobs": "2"}, "n_jobs must be None, a number of threads, .* got '2'"),
        ({"n_jobs": 2.0}, "n_jobs must be None, a number of threads, .* got 2.0"),
        ({"n_jobs": 0}, "n_jobs must be None, a number of threads, .* got 0"),
    ],
)
def test_counts_are_checked_before_the_work(world, monkeypatch, settings, message):
    def fail(*args, **kwargs):
        raise AssertionError("simulated")

    monkeypatch.setattr(SpectralGraphModel, "simulate_batch", fail)
    with pytest.raises(ValueError, match=message):
        world.sgm(**settings).fit(world.raw())


def test_a_single_frequency(world):
    with pytest.raises(
        ValueError, match="single frequency has no shape.*scaling='none"
    ):
        world.sgm().set_params(freqs=[10.0]).fit(world.raw())
    level = LogPSD(scaling="none")
    inverter = world.sgm(features=level).set_params(freqs=[10.0]).fit(world.raw())
    assert inverter.predict(world.raw()).shape == (1, 5)
    with pytest.raises(
        ValueError, match=r"freqs must have shape \(n_freqs,\), got \(\)"
    ):
        world.sgm().set_params(freqs=10.0).fit(world.raw())
    with pytest.raises(
        ValueError, match=r"freqs must have shape \(n_freqs,\), got \(\)"
    ):
        LogPSD(freqs=10.0).extract_spectrum(np.ones((1, 2, 3)), [9.0, 10.0, 11.0])


def test_constant_simulations(world):
    """They are finite, and cannot be learnt from."""
    model = world.inverter("time series").model
    constant = type("Constant", (type(model),), {"simulate_batch": _constant})
    silent = constant(**model.get_params(deep=False))
    with pytest.raises(
        RuntimeError, match="None of the 16 simulations can be used: .*do not vary in"
    ):
        simulate(silent.set_params(sfreq=100.0, duration=4.0), None, 16)


def _constant(self, params, key):
    n = len(next(iter(params.values())))
    return np.ones((n, len(self.node_names), 400))
