"""The demonstration: run once, as users do, with less to learn from."""

import contextlib
import io
import re

import numpy as np
import pytest

from mne_sbi.commands import _demo, main

# About a third of the simulations that the command learns from, in half of the time.
SIZE = _demo.Size(n_simulations=7000, max_iter=12)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    """Run the command as users do, and keep what it found and printed."""
    folder = tmp_path_factory.mktemp("demo")
    kept = []
    invert = _demo.invert_synthetic

    def invert_and_keep(*arguments):
        kept.append(invert(*arguments))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch, io.StringIO() as stream:
        patch.setattr(_demo, "invert_synthetic", invert_and_keep)
        patch.setattr(_demo, "Size", lambda: SIZE)
        patch.setenv("MNE_SBI_CACHE_DIR", str(folder / "cache"))
        with contextlib.redirect_stdout(stream):
            assert main(["demo", "--output-dir", str(folder / "new")]) == 0
        return kept[0], stream.getvalue(), folder / "new"


@pytest.mark.slow
def test_the_recording_was_not_trained_on(demonstration):
    found = demonstration[0]
    assert len(found.inverter.bank_) == SIZE.n_simulations
    assert not (found.inverter.bank_.theta == found.truth).all(axis=1).any()
    params = found.inverter.prior_.as_dict(found.truth[np.newaxis])
    assert found.inverter.model_.check_valid(params).all()


@pytest.mark.slow
def test_the_recording_is_the_model_with_noise(demonstration):
    found = demonstration[0]
    clean = found.inverter.inverse_transform(found.truth[np.newaxis])[0]
    assert found.measured.shape == clean.shape == (68, SIZE.n_freqs)
    # The misfit is about 0.45 of a region's spread, sampling noise comes on top.
    scaled = found.inverter.features_.normalize(np.array([clean, found.measured]))
    assert 0.2 < (scaled[1] - scaled[0]).std() < 0.7


@pytest.mark.slow
def test_results_are_told_in_units_and_words(demonstration):
    found, printed, _ = demonstration
    rows = re.findall(
        r"^(\w+)(?: \([\w/]+\))? +(\S+) +(\S+) +(\S+) to (\S+) .* (\w+)$",
        printed,
        re.MULTILINE,
    )
    rows = [row for row in rows if row[0] in found.inverter.prior_.names]
    assert [row[0] for row in rows] == list(found.inverter.prior_.names)
    assert "tau_e (ms)" in printed and "speed (m/s)" in printed
    for row, value in zip(rows, found.truth, strict=True):
        true, median, lower, upper = map(float, row[1:5])
        factor = 1e3 if row[0].startswith("tau") else 1
        assert true == pytest.approx(factor * value, rel=0.005)
        assert lower < median < upper
        # One of five 90 % intervals may well miss, but not by its own width.
        assert 2 * lower - upper < true < 2 * upper - lower
        assert row[5] == "informed"
    assert printed.count("hardly informed") == 1  # the speed, as always


@pytest.mark.slow
def test_intervals_are_calibrated(demonstration):
    line = re.search(r"Calibration: .* in\n(.*)\(", demonstration[1]).group()
    shares = [int(share) for share in re.findall(r"\w+ (\d+)%", line)]
    # 1000 simulations: 0.9 % standard deviation, and the network is not exact.
    assert len(shares) == 5 and all(86 <= share <= 94 for share in shares)


@pytest.mark.slow
def test_figure_and_times(demonstration):
    found, printed, folder = demonstration
    (fname,) = folder.iterdir()
    assert f"Figure: {fname}" in printed
    assert fname.read_bytes().startswith(b"\x89PNG")
    assert fname.stat().st_size > 50_000
    times = re.search(r"^Time: (.*); in all", printed, re.MULTILINE).group(1)
    stages = [part.split()[0] for part in times.split(", ")]
    assert stages == "load prepare simulate train infer check draw".split()


def test_mistakes_are_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(_demo, "invert_synthetic", pytest.fail)
    with pytest.raises(ValueError, match="-1"):
        _demo.run(tmp_path, -1)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        _demo.run(tmp_path / "file", 0)


def test_words():
    shares = (0.99, 0.7, 0.2, -0.01)
    assert [_demo._word(share) for share in shares] == [
        "well informed",
        "informed",
        "weakly informed",
        "hardly informed",
    ]
