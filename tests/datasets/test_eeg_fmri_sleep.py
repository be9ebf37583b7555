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
    body = "\n".join("\t".join(str(value) for value in row) for row in rows)
    return f"{head}\n{body}\n".encode(encoding)


def make_files(subject, power, log_prob, stage, encoding="utf-8", scans=None):
    first = {"scan": scans[0]} if scans else {}
    second = {"scan": scans[1]} if scans else {}
    first |= dict(zip(BANDS, power.T, strict=True)) | {"hypnogram": stage}
    second |= dict(zip(STATES, log_prob.T, strict=True))
    stem = f"derivatives/{subject}_task-rest"
    return {
        f"{stem}_hypnogram-powerspectrum.tsv": ("table", make_tsv(first, encoding)),
        f"{stem}_decoding-states.tsv": ("table", make_tsv(second, encoding)),
    }


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
        "<SleepFeatures | 50 scans every 2.1 s of 2 people: 6 bands, 5 states>"
    )
    for i, name in enumerate(("power", "log_prob", "hypnogram")):
        expected = np.concatenate([first[i], second[i]])
        np.testing.assert_allclose(getattr(table, name), expected)
    assert table.subject.tolist() == ["sub-01"] * 30 + ["sub-02"] * 20
    np.testing.assert_array_equal(table.scan, [*range(1, 31), *range(1, 21)])
    only = read_sleep_features("02", path=tmp_path)
    np.testing.assert_array_equal(only.power, second[0])


def test_missing_values_and_scans(serve_set, tmp_path, capsys):
    """Rows belong together by the number of the scan."""
    power, log_prob, stage = make_values(10, 3)
    power[4, 2] = np.nan
    files = make_files("sub-01", power, log_prob, stage, scans=[range(1, 11)] * 2)
    name = "derivatives/sub-01_task-rest_decoding-states.tsv"
    states = dict(zip(["scan", *STATES], [range(2, 11), *log_prob[1:].T], strict=True))
    files[name] = ("table", make_tsv(states))
    serve_set("sleep_features", files)
    fetch_eeg_fmri("sleep_features", path=tmp_path, verbose=False)
    table = read_sleep_features(path=tmp_path, verbose="info")
    assert "sub-01: 2 scans with missing values are left out" in capsys.readouterr().out
    np.testing.assert_array_equal(table.scan, [2, 3, 4, 6, 7, 8, 9, 10])
    keep = table.scan - 1
    np.testing.assert_allclose(table.power, power[keep])
    np.testing.assert_allclose(table.log_prob, log_prob[keep])


def test_probabilities(serve_set, tmp_path):
    """Not logarithms, and columns by other names."""
    power, log_prob, stage = make_values(10, 4)
    files = make_files("sub-01", power, np.exp(log_prob), stage)
    names = dict.fromkeys(files)
    stem = "derivatives/sub-01_task-rest"
    columns = {
        f"{band} power": values for band, values in zip(BANDS, power.T, strict=True)
    }
    columns["Sleep stage"] = stage
    names[f"{stem}_hypnogram-powerspectrum.tsv"] = ("table", make_tsv(columns))
    name = f"{stem}_decoding-states.tsv"
    text = files[name][1].replace(b"prep_maze", b"Pre-Maze").replace(b"rest", b"Rest")
    names[name] = ("table", text)
    serve_set("sleep_features", names)
    fetch_eeg_fmri("sleep_features", path=tmp_path, verbose=False)
    table = read_sleep_features(path=tmp_path)
    np.testing.assert_allclose(table.log_prob, log_prob, atol=1e-12)
    np.testing.assert_allclose(table.power, power)


def test_wrong_tables(tmp_path):
    folder = tmp_path / "ds003574" / "derivatives"
    folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="fetch_eeg_fmri"):
        read_sleep_features(path=tmp_path)
    power, log_prob, stage = make_values(10, 5)

    def write(power=power, log_prob=log_prob, stage=stage, **replace):
        for name, (_, content) in make_files("sub-01", power, log_prob, stage).items():
            for old, new in replace.items():
                content = content.replace(old.encode(), new.encode())
            (tmp_path / "ds003574" / name).write_bytes(content)

    write()
    with pytest.raises(FileNotFoundError, match="sub-09 .* those of sub-01"):
        read_sleep_features(["sub-01", "sub-09"], path=tmp_path)
    write(alpha="gamma")
    with pytest.raises(ValueError, match="no column for 'alpha'; there are SW, delta"):
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
    write(power=power[1:], stage=stage[1:])
    short = (folder / "sub-01_task-rest_hypnogram-powerspectrum.tsv").read_bytes()
    write()
    (folder / "sub-01_task-rest_hypnogram-powerspectrum.tsv").write_bytes(short)
    with pytest.raises(ValueError, match="has 9 rows and .* 10"):
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
