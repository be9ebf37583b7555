"""Band power and states of people who fall asleep in the scanner."""

import numpy as np
import pytest
from scipy.fft import dct, idct

from mne_sbi.datasets import (
    SleepFeatures,
    fetch_eeg_fmri,
    make_sleep_pairs,
    read_sleep_features,
)
from mne_sbi.datasets._eeg_fmri_sleep import BANDS, STATES


def make_values(n_scans, seed):
    rng = np.random.default_rng(seed)
    power = rng.normal(size=(n_scans, len(BANDS)))
    prob = rng.dirichlet(np.ones(len(STATES)), n_scans)
    return power, np.log(prob), rng.integers(0, 4, n_scans)


def make_tsv(columns, encoding="utf-8"):
    head = "\t".join(columns)
    rows = zip(*columns.values(), strict=True)
    lines = [head, *("\t".join(str(value) for value in row) for row in rows), ""]
    return "\r\n".join(lines).encode(encoding)


def make_files(subject, power, log_prob, stage, encoding="utf-8", scans=None):
    """As published: probabilities, and the first scan has no state."""
    n_scans = len(power)
    scans = scans or (range(1, n_scans + 1), range(2, n_scans + 1))
    first = {"num_scan": scans[0], "hypnogram": stage}
    first |= dict(zip(BANDS, power.T, strict=True))
    prob = np.exp(log_prob[-len(scans[1]) :])
    names = [{"prep_maze": "pre_maze"}.get(state, state) for state in STATES]
    second = {"num_scan": scans[1], "state": np.array(STATES)[prob.argmax(axis=1)]}
    second |= dict(zip(names, prob.T, strict=True))
    stem = f"derivatives/{subject}_task-rest"
    tables = {
        f"{stem}_hypnogram-powerspectrum.tsv": first,
        f"{stem}_decoding-states.tsv": second,
    }
    return {k: ("table", make_tsv(v, encoding)) for k, v in tables.items()}


def make_features(n_scans=200, people=("a", "b"), **changes):
    parts = [make_values(n_scans, seed) for seed in range(len(people))]
    power, log_prob, stage = (np.concatenate(part) for part in zip(*parts, strict=True))
    fields = {
        "power": power,
        "log_prob": log_prob,
        "subject": np.repeat(people, n_scans),
        "hypnogram": stage,
        "scan": np.tile(np.arange(1, n_scans + 1), len(people)),
    }
    return SleepFeatures(**fields | changes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_read(serve_set, tmp_path, encoding):
    """Some of the tables are in UTF-16."""
    first, second = make_values(30, 1), make_values(20, 2)
    files = make_files("sub-01", *first) | make_files("sub-02", *second, encoding)
    serve_set("sleep_features", files)
    fetch_eeg_fmri("sleep_features", path=tmp_path, verbose=False)
    table = read_sleep_features(path=tmp_path)
    assert repr(table) == (
        "<SleepFeatures | 48 scans every 2.1 s of 2 people: 6 bands, 5 states>"
    )
    for i, name in enumerate(("power", "log_prob", "hypnogram")):
        expected = np.concatenate([first[i][1:], second[i][1:]])
        np.testing.assert_allclose(getattr(table, name), expected)
    assert table.subject.tolist() == ["sub-01"] * 29 + ["sub-02"] * 19
    np.testing.assert_array_equal(table.scan, [*range(2, 31), *range(2, 21)])
    only = read_sleep_features("02", path=tmp_path)
    np.testing.assert_array_equal(only.power, second[0][1:])


@pytest.mark.parametrize("subject", [2, 5])
def test_published_tables(shared_data, subject):
    """The tables as published equal the arrays that were made of them."""
    folder = shared_data / "eegfmri"
    table = read_sleep_features(f"sub-{subject:02d}", path=folder)
    with np.load(folder / "ds003574_bandpower_states_dev12.npz") as arrays:
        rows = arrays["subject"] == subject
        np.testing.assert_array_equal(table.scan, arrays["scan"][rows])
        np.testing.assert_array_equal(table.hypnogram, arrays["hypnogram"][rows])
        for name, values in (("X", table.power), ("logY", table.log_prob)):
            # Up to the rounding of the arrays, to 11 bits.
            kept = arrays[name][rows].astype(float)
            np.testing.assert_allclose(values, kept, rtol=1.01 * 2**-11, atol=1e-7)
        assert table.bands == tuple(arrays["bands"])
        assert set(table.states) - set(arrays["states"]) == {"prep_maze"}
        assert set(arrays["states"]) - set(table.states) == {"pre_maze"}  # as published


def test_rows_are_matched_by_the_number_of_the_scan(serve_set, tmp_path, capsys):
    """One table begins later, ends later and is in another order."""
    power, log_prob, stage = make_values(10, 3)
    power[4, 2] = np.nan
    scans = range(1, 9), range(2, 11)
    files = make_files("sub-01", power[:8], log_prob, stage[:8], scans=scans)
    name = "derivatives/sub-01_task-rest_decoding-states.tsv"
    head, *rows, _ = files[name][1].split(b"\r\n")
    files[name] = ("table", b"\r\n".join([head, *rows[::-1], b""]))
    serve_set("sleep_features", files)
    fetch_eeg_fmri("sleep_features", path=tmp_path, verbose=False)
    table = read_sleep_features(path=tmp_path, verbose="info")
    assert "sub-01: 4 scans are left out" in capsys.readouterr().out
    np.testing.assert_array_equal(table.scan, [2, 3, 4, 6, 7, 8])
    keep = table.scan - 1
    np.testing.assert_allclose(table.power, power[keep])
    np.testing.assert_allclose(table.log_prob, log_prob[keep])


def test_other_names_and_logarithms(serve_set, tmp_path):
    power, log_prob, stage = make_values(10, 4)
    stem = "derivatives/sub-01_task-rest"
    columns = {f"{b} power": values for b, values in zip(BANDS, power.T, strict=True)}
    columns |= {"Sleep stage": stage, "Scan": range(1, 11)}
    states = dict(zip(STATES, log_prob.T, strict=True)) | {"scan number": range(1, 11)}
    states["Pre-Maze"] = states.pop("prep_maze")
    files = {
        f"{stem}_hypnogram-powerspectrum.tsv": ("table", make_tsv(columns)),
        f"{stem}_decoding-states.tsv": ("table", make_tsv(states)),
    }
    serve_set("sleep_features", files)
    fetch_eeg_fmri("sleep_features", path=tmp_path, verbose=False)
    table = read_sleep_features(path=tmp_path)
    np.testing.assert_allclose(table.log_prob, log_prob, atol=1e-12)
    np.testing.assert_allclose(table.power, power)


def test_probabilities_that_are_rounded_to_zero(serve_set, tmp_path):
    power, log_prob, stage = make_values(10, 4)
    prob = np.array([[0, 1e-9, 0.2, 0.3, 0.5]] * 10)
    with np.errstate(divide="ignore"):
        files = make_files("sub-01", power, np.log(prob), stage)
    serve_set("sleep_features", files)
    fetch_eeg_fmri("sleep_features", path=tmp_path, verbose=False)
    table = read_sleep_features(path=tmp_path)
    expected = np.log([[1e-6, 1e-6, 0.2, 0.3, 0.5]] * 9)
    np.testing.assert_allclose(table.log_prob, expected)


def test_rows_that_end_in_a_tab(serve_set, tmp_path):
    """Names belong to the columns that they stand above."""
    power, log_prob, stage = make_values(10, 4)
    files = make_files("sub-01", power, log_prob, stage)
    for name, (part, text) in files.items():
        head, *rows = text.split(b"\r\n")
        rows = [row + b"\t" if row else row for row in rows]
        files[name] = (part, b"\r\n".join([head, *rows]))
    serve_set("sleep_features", files)
    fetch_eeg_fmri("sleep_features", path=tmp_path, verbose=False)
    table = read_sleep_features(path=tmp_path)
    np.testing.assert_allclose(table.power, power[1:])
    np.testing.assert_allclose(table.log_prob, log_prob[1:])


def test_wrong_tables(tmp_path):
    folder = tmp_path / "ds003574" / "derivatives"
    folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="fetch_eeg_fmri"):
        read_sleep_features(path=tmp_path)
    power, log_prob, stage = make_values(10, 5)

    def write(log_prob=log_prob, stage=stage, scans=None, **replace):
        files = make_files("sub-01", power, log_prob, stage, scans=scans)
        for name, (_, content) in files.items():
            for old, new in replace.items():
                content = content.replace(old.encode(), new.encode())
            (tmp_path / "ds003574" / name).write_bytes(content)

    write()
    with pytest.raises(FileNotFoundError, match="sub-09 .* those of sub-01"):
        read_sleep_features(["sub-01", "sub-09"], path=tmp_path)
    write(alpha="gamma")
    with pytest.raises(ValueError, match="no column for 'alpha'; there are num_scan"):
        read_sleep_features(path=tmp_path)
    write(alpha="Delta")
    with pytest.raises(ValueError, match="several columns for 'delta'"):
        read_sleep_features(path=tmp_path)
    write(stage=["N2"] * 10)
    with pytest.raises(ValueError, match="'hypnogram' must hold numbers"):
        read_sleep_features(path=tmp_path)
    write(log_prob=log_prob + 1)
    with pytest.raises(ValueError, match="sum to 1"):
        read_sleep_features(path=tmp_path)
    write(num_scan="row")
    with pytest.raises(ValueError, match="no column for 'scan'; there are row, hypno"):
        read_sleep_features(path=tmp_path)
    write(scans=([*range(1, 10), 9], range(2, 11)))
    with pytest.raises(ValueError, match="number of another scan .* has 9, which"):
        read_sleep_features(path=tmp_path)
    write(scans=(range(1, 11), [*range(2, 10), 9.5]))
    with pytest.raises(ValueError, match=r"decoding-states.tsv .* has 9.5, which"):
        read_sleep_features(path=tmp_path)


def test_pairs():
    """Against the definition, with another implementation of the cosines."""
    table = make_features()
    X, y, groups, times = make_sleep_pairs(table, n_lags=4)
    assert X.shape == (2 * 196, 1, 6, 4) and X.dtype == np.float32
    assert y.shape == (2 * 196, 5) and y.dtype == np.float32
    assert groups.tolist() == ["a"] * 196 + ["b"] * 196
    np.testing.assert_allclose(times[:196], 2.1 * np.arange(4, 200))

    def clean(values):
        spectrum = dct(values, axis=0, norm="ortho")
        spectrum[: 1 + int(2 * 200 * 2.1 / 128)] = 0
        values = idct(spectrum, axis=0, norm="ortho")
        return values / values.std(axis=0)

    power = clean(table.power[200:])
    prob = np.exp(table.log_prob[200:])
    geometric_mean = np.prod(prob, axis=1, keepdims=True) ** (1 / 5)
    ratio = clean(np.log(prob / geometric_mean))
    for lag in range(4):
        expected = power[4 - lag : 200 - lag]
        np.testing.assert_allclose(X[196:, 0, :, lag], expected, atol=1e-5)
    np.testing.assert_allclose(y[196:], ratio[4:], atol=1e-5)


def test_pairs_do_not_reach_over_gaps():
    scan = np.r_[1:101, 150:250, 300:305]
    table = make_features(205, ("a",), scan=scan)
    X, y, _, times = make_sleep_pairs(table, n_lags=10, high_pass=None)
    # 10 scans without a past at the beginning of each stretch; the last is too short.
    assert len(X) == len(y) == 2 * 90
    np.testing.assert_allclose(times[[0, 89, 90]], 2.1 * np.array([10, 99, 159]))
    # Each stretch has its own mean.
    shifted = table.power + 100 * (scan > 120)[:, np.newaxis]
    moved = make_features(205, ("a",), scan=scan, power=shifted)
    np.testing.assert_allclose(
        make_sleep_pairs(moved, n_lags=10, high_pass=None)[0], X, atol=1e-4
    )


def test_without_high_pass_drifts_stay():
    drift = np.linspace(-5, 5, 200)[:, np.newaxis]
    power = make_values(200, 0)[0] + drift
    table = make_features(200, ("a",), power=power)
    with_drift = make_sleep_pairs(table, n_lags=1, high_pass=None)[0]
    without = make_sleep_pairs(table, n_lags=1)[0]
    times = np.arange(1, 200)
    assert np.corrcoef(with_drift[:, 0, 3, 0], times)[0, 1] > 0.9
    assert abs(np.corrcoef(without[:, 0, 3, 0], times)[0, 1]) < 0.05


def test_wrong_pairs():
    with pytest.raises(ValueError, match="no 13 scans in a row"):
        make_sleep_pairs(make_features(12), high_pass=None)
    flat = make_features()
    power = flat.power.copy()
    power[:200, 3] = 2.0
    with pytest.raises(ValueError, match="alpha of 'a' does not vary"):
        make_sleep_pairs(make_features(power=power))
    with pytest.raises(ValueError, match="n_lags must be a positive integer"):
        make_sleep_pairs(flat, n_lags=0)
    with pytest.raises(ValueError, match="high_pass must be positive"):
        make_sleep_pairs(flat, high_pass=-1.0)
    with pytest.raises(TypeError, match="SleepFeatures or a mapping"):
        make_sleep_pairs([1, 2])
    with pytest.raises(ValueError, match="table has no logY"):
        make_sleep_pairs({"X": [], "subject": []})
    with pytest.raises(ValueError, match="none above 0"):
        make_features(log_prob=-flat.log_prob)


def test_ridge_on_real_recordings(shared_data):
    """Plain ridge in people it has not seen: what is known about these recordings."""
    file = shared_data / "eegfmri" / "ds003574_bandpower_states_dev12.npz"
    with np.load(file) as arrays:
        X, y, groups, times = make_sleep_pairs(arrays)
        n_scans = len(arrays["scan"])
    people = np.unique(groups)
    assert len(people) == 12
    assert X.shape == (n_scans - 12 * 12, 1, 6, 12) and y.shape == (len(X), 5)
    assert times[0] == pytest.approx(12 * 2.1)
    flat = X.reshape(len(X), -1).astype(float)
    r = []
    for person in people:
        train = groups != person
        means = flat[train].mean(axis=0), y[train].mean(axis=0)
        A, b = flat[train] - means[0], y[train] - means[1]
        weights = np.linalg.solve(A.T @ A + 1e4 * np.eye(A.shape[1]), A.T @ b)
        predicted = (flat[~train] - means[0]) @ weights
        r.append(
            [
                np.corrcoef(p, m)[0, 1]
                for p, m in zip(predicted.T, y[~train].T, strict=True)
            ]
        )
    assert np.mean(r) == pytest.approx(0.1221, abs=0.001)
