"""Every kind of input through every inverter; the documentation's tables are these.

``python tests/inputs/test_inputs.py`` writes the tables in ``doc/`` anew.
"""

import csv
import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INVERTERS = {
    "SGMInverter": "spectrum",
    "spectra": "spectrum",
    "time series": "timeseries",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A row of a table: what one holds, what one sets, what comes out."""

    held: str
    rows: str
    n_rows: int
    make: Callable
    settings: Callable = lambda world: {}
    setting: str = ""
    # Inverters that do not take it, and what they say.
    refused: dict = dataclasses.field(default_factory=dict)
    # Inverters that take it with a warning.
    warned: dict = dataclasses.field(default_factory=dict)


NO_TABLE = {
    "time series": r"X must have shape \(n_obs, 5, n_times\), got \(3, 2000\)\."
}
AVERAGE = dict.fromkeys(("SGMInverter", "spectra"), "An Evoked holds what is locked")
UNKNOWN = {"SGMInverter": "does not tell how long the recording was"}


def labelled(world):
    return {"labels": world.labels}


def labelled_with_src(world):
    return {"labels": world.labels, "src": world.surface}


def labelled_volume(world):
    names = ["ctx-lh-cuneus", "ctx-rh-cuneus", "ctx-lh-insula", "ctx-rh-insula"]
    return {
        "labels": (world.atlas, [*names, "ctx-lh-precentral"]),
        "src": world.volume,
    }


def persons(make):
    """Three recordings of one kind."""
    return [make(seed) for seed in range(3)]


REGIONS = [
    Case(
        "2-D array",
        "row of the array",
        3,
        lambda w, output: w.flat_array(output),
        refused=NO_TABLE,
    ),
    Case("3-D array", "entry of the first axis", 3, lambda w, output: w.array(output)),
    Case(
        "``DataFrame``",
        "row, named by the index",
        3,
        lambda w, output: w.table(output),
        refused=NO_TABLE,
    ),
    Case("``Raw`` of regions", "recording", 1, lambda w, _: w.raw()),
    Case(
        "``Raw`` of regions, in windows",
        "window",
        4,
        lambda w, _: w.raw(),
        lambda w: {"duration": 5.0},
        "``duration=5``",
    ),
    Case("``Epochs``", "epoch", 4, lambda w, _: w.epochs(w.raw())),
    Case(
        "``Evoked``",
        "average",
        1,
        lambda w, _: w.epochs(w.raw()).average("all"),
        warned=AVERAGE,
    ),
    Case(
        "``Spectrum``",
        "spectrum",
        1,
        lambda w, _: w.spectrum(w.raw()),
        warned=UNKNOWN,
    ),
    Case("``EpochsSpectrum``", "epoch", 4, lambda w, _: w.spectrum(w.epochs(w.raw()))),
    Case(
        "``SourceEstimate``",
        "estimate",
        1,
        lambda w, _: w.stc(),
        labelled,
        "``labels=``",
    ),
    Case(
        "``SourceEstimate``, signs aligned",
        "estimate",
        1,
        lambda w, _: w.stc(),
        labelled_with_src,
        "``labels=``, ``src=``",
    ),
    Case(
        "``VolSourceEstimate``",
        "estimate",
        1,
        lambda w, _: w.volume_stc(),
        labelled_volume,
        "``labels=`` (atlas), ``src=``",
    ),
    Case("list of ``Raw``", "element", 3, lambda w, _: persons(w.raw)),
    Case(
        "list of ``Raw``, in windows",
        "window of any element",
        12,
        lambda w, _: persons(w.raw),
        lambda w: {"duration": 5.0},
        "``duration=5``",
    ),
    Case(
        "list of ``Epochs``",
        "element",
        3,
        lambda w, _: [w.epochs(raw) for raw in persons(w.raw)],
    ),
    Case(
        "list of single ``Epochs``, as cross-validation makes it",
        "element",
        4,
        lambda w, _: [w.epochs(w.raw())[i] for i in range(4)],
    ),
    Case(
        "list of ``Evoked``",
        "element",
        3,
        lambda w, _: [w.epochs(raw).average("all") for raw in persons(w.raw)],
        warned=AVERAGE,
    ),
    Case(
        "list of ``Spectrum``",
        "element",
        3,
        lambda w, _: [w.spectrum(raw) for raw in persons(w.raw)],
        warned=UNKNOWN,
    ),
    Case(
        "list of ``EpochsSpectrum``",
        "element",
        3,
        lambda w, _: [w.spectrum(w.epochs(raw)) for raw in persons(w.raw)],
    ),
    Case(
        "list of ``SourceEstimate``",
        "element",
        3,
        lambda w, _: persons(w.stc),
        labelled,
        "``labels=``",
    ),
    Case(
        "list of ``VolSourceEstimate``",
        "element",
        3,
        lambda w, _: persons(w.volume_stc),
        labelled_volume,
        "``labels=`` (atlas), ``src=``",
    ),
]

SENSORS = [
    Case("``Raw`` of sensors", "recording", 1, lambda w, _: w.eeg()),
    Case(
        "``Raw`` of sensors, in windows",
        "window",
        4,
        lambda w, _: w.eeg(),
        lambda w: {"duration": 5.0},
        "``duration=5``",
    ),
    Case("``Epochs``", "epoch", 4, lambda w, _: w.epochs(w.eeg())),
    Case(
        "``Evoked``",
        "average",
        1,
        lambda w, _: w.epochs(w.eeg()).average(),
        warned=AVERAGE,
    ),
    Case(
        "``Spectrum``",
        "spectrum",
        1,
        lambda w, _: w.spectrum(w.eeg()),
        warned=UNKNOWN,
    ),
    Case("``EpochsSpectrum``", "epoch", 4, lambda w, _: w.spectrum(w.epochs(w.eeg()))),
    Case("list of ``Raw``", "element", 3, lambda w, _: persons(w.eeg)),
    Case(
        "list of ``Epochs``",
        "element",
        3,
        lambda w, _: [w.epochs(raw) for raw in persons(w.eeg)],
    ),
    Case(
        "list of ``Spectrum``",
        "element",
        3,
        lambda w, _: [w.spectrum(raw) for raw in persons(w.eeg)],
        warned=UNKNOWN,
    ),
]
LEAD_FIELDS = ("LeadField", "template", "Forward")
HEADER = [
    "What you hold",
    "Setting",
    "One row of the answer per",
    "``SGMInverter``",
    "``ModelInverter``, model of spectra",
    "``ModelInverter``, model of time series",
]
FILES = {"inputs_of_regions.csv": REGIONS, "inputs_of_sensors.csv": SENSORS}


def answer(case, kind):
    """What a cell of the table says."""
    if kind in case.refused:
        return "no"
    return "with a warning" if kind in case.warned else "yes"


def make_table(cases):
    """Rows of a table, the header first."""
    rows = [HEADER]
    for case in cases:
        cells = [answer(case, kind) for kind in INVERTERS]
        rows.append([case.held, case.setting, case.rows, *cells])
    return rows


def write_tables():
    for name, cases in FILES.items():
        with open(REPOSITORY / "doc" / name, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(make_table(cases))


@pytest.mark.parametrize("name", FILES)
def test_the_documentation_has_these_tables(name):
    with open(REPOSITORY / "doc" / name, newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    hint = "Type: python tests/inputs/test_inputs.py"
    assert found == make_table(FILES[name]), hint
    page = (REPOSITORY / "doc" / "how_to_inputs.rst").read_text(encoding="utf-8")
    assert f":file: {name}" in page


def run(inverter, case, kind, X):
    """Fit and predict; every number that comes out is checked."""
    warned = case.warned.get(kind)
    expected = pytest.warns(RuntimeWarning, match=warned) if warned else nullcontext()
    n_params = 4 if kind == "time series" else 5
    with expected:
        assert inverter.fit(X) is inverter
    with expected:
        theta, std = inverter.predict(X, return_std=True)
    assert theta.shape == std.shape == (case.n_rows, n_params)
    assert theta.dtype == float and np.isfinite(theta).all() and np.isfinite(std).all()
    low, high = inverter.prior_.low, inverter.prior_.high
    assert ((low <= theta) & (theta <= high)).all()
    with expected:
        posterior = inverter.predict_posterior(X)
    assert posterior.draws.shape == (case.n_rows, inverter.n_draws, n_params)
    np.testing.assert_allclose(posterior.mean, theta)
    with expected:
        np.testing.assert_array_equal(inverter.transform(X), theta)
    with expected:
        assert np.isfinite(inverter.score(X))
    if isinstance(X, pd.DataFrame):
        assert posterior.obs_names == tuple(X.index)
    # The same a second time: an answer does not depend on what was asked before.
    with expected:
        np.testing.assert_array_equal(inverter.predict(X), theta)


def label_of(case):
    return case.held.replace("`", "").replace(" ", "_")


@pytest.mark.parametrize("kind", INVERTERS)
@pytest.mark.parametrize("case", REGIONS, ids=label_of)
def test_regions(world, case, kind):
    inverter = world.inverter(kind, **case.settings(world))
    X = case.make(world, INVERTERS[kind])
    if kind in case.refused:
        with pytest.raises(ValueError, match=case.refused[kind]):
            inverter.fit(X)
        return
    run(inverter, case, kind, X)
    assert inverter.node_names_ is not None and set(inverter.node_names_) == set(
        world.names
    )


@pytest.mark.parametrize("kind", INVERTERS)
@pytest.mark.parametrize("lead_field", LEAD_FIELDS)
@pytest.mark.parametrize("case", SENSORS, ids=label_of)
def test_sensors(world, case, lead_field, kind):
    settings = case.settings(world) | {"lead_field": world.lead_fields[lead_field]}
    if lead_field == "Forward":
        settings["labels"] = world.labels
    inverter = world.inverter(kind, **settings)
    run(inverter, case, kind, case.make(world, INVERTERS[kind]))
    assert inverter.ch_names_ == tuple(world.channels)


def test_every_kind_that_is_read_is_in_the_tables():
    from mne_sbi._recording import _kinds

    held = " ".join(case.held for case in REGIONS)
    # Mixed estimates are tested where they are read; they are made with both of these.
    for kind in set(_kinds()) - {"MixedSourceEstimate"}:
        assert f"``{kind}``" in held, kind
        assert f"list of ``{kind}``" in held, kind


if __name__ == "__main__":
    write_tables()
