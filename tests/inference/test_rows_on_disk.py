"""Learning from rows on disk: as well as from memory, without reading all at once."""

import numpy as np
import pytest
from scipy.special import ndtr

from mne_sbi import ModelInverter, read_simulation_bank
from mne_sbi.inference import NPE, PointRegressor, RejectionABC
from mne_sbi.inference._training import shuffle_locally
from mne_sbi.simulation import _rows
from mne_sbi.simulation._rows import ChunkedRows

CHUNK = 250
MIXING = np.array([[1.0, 0.5, 0.0, -0.3], [0.0, 0.4, 1.0, 0.6]])


def simulate(n, seed):
    rng = np.random.default_rng(seed)
    phi = rng.standard_normal((n, 2))
    return ndtr(phi), (phi @ MIXING).astype(np.float32).reshape(n, 2, 2)


def add_noise(x, rng):
    return x + 0.5 * rng.standard_normal(x.shape, dtype=np.float32)


class Reads:
    """Chunks of an array, and a record of what is read."""

    def __init__(self, x):
        self.x, self.n_rows, self.whole = x, [], []

    def __call__(self, number, rows):
        chunk = self.x[number * CHUNK : (number + 1) * CHUNK]
        chunk = chunk if rows is None else chunk[rows]
        self.n_rows.append(len(chunk))
        self.whole.append(number if rows is None else None)
        return chunk.copy()


def on_disk(x):
    reads = Reads(x)
    return ChunkedRows(reads, x.shape, x.dtype, CHUNK), reads


@pytest.fixture
def four_chunks_fit(monkeypatch):
    monkeypatch.setattr(_rows, "_CACHE_BYTES", 4 * CHUNK * 4 * 4)


def test_rows_are_read_as_from_an_array(four_chunks_fit):
    _, x = simulate(1100, 0)
    rows, _ = on_disk(x)
    assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == (x.shape, x.dtype, 3, 1100)
    assert not rows.fits and rows.n_together == 4
    rng = np.random.default_rng(0)
    for index in (
        slice(None),
        slice(700, 20, -3),
        slice(240, 260),
        7,
        -1,
        [5, 5, 1099, -1],
        rng.integers(1100, size=2000),
        np.arange(3, 900, 7),
        rng.random(1100) < 0.1,
        np.zeros(0, int),
    ):
        np.testing.assert_array_equal(rows[index], x[index])
    np.testing.assert_array_equal(np.asarray(rows), x)
    chosen = rows.choose(np.arange(0, 1100, 3)).map(lambda part: part.sum(axis=2))
    np.testing.assert_array_equal(chosen[10:20], x[30:60:3].sum(axis=2))
    assert chosen.shape == (367, 2)
    np.testing.assert_array_equal(chosen.chunks, np.arange(0, 1100, 3) // CHUNK)
    with pytest.raises(IndexError, match="Row 1100 is out of range: there are 1100"):
        rows[[3, 1100]]
    for wrong in ((0, 1), np.zeros(3), "a", np.zeros(3, bool), [[1]]):
        with pytest.raises(TypeError, match="are chosen by an integer, a slice"):
            rows[wrong]


def test_few_chunks_are_kept_and_scattered_rows_are_not(four_chunks_fit):
    _, x = simulate(5000, 0)
    rows, reads = on_disk(x)
    for _ in range(3):
        rows[[10, 300, 600, 900]]
    assert reads.whole == [0, 1, 2, 3]
    rows[1200]
    assert reads.whole[-1] == 4 and len(rows._kept) == 4
    # From all chunks: read, and not kept.
    rows[np.arange(0, 5000, 50)]
    assert set(reads.whole[5:]) == {None} and sum(reads.n_rows[5:]) == 80
    assert len(rows._kept) == 4


def test_order_of_chunks():
    chunks = np.repeat(np.arange(20), 50)[::2]
    rng = np.random.default_rng(0)
    order = shuffle_locally(chunks, 4, rng)
    np.testing.assert_array_equal(np.sort(order), np.arange(500))
    groups = chunks[order].reshape(5, 100)
    assert all(len(np.unique(group)) == 4 for group in groups)
    assert all((np.diff(group) != 0).mean() > 0.5 for group in groups)
    assert (shuffle_locally(chunks, 4, rng) != order).mean() > 0.9


@pytest.mark.parametrize("noisy", [False, True])
def test_few_rows_give_the_same_network_as_in_memory(noisy):
    theta, x = simulate(1000, 0)
    rows, _ = on_disk(x)
    networks = []
    for given in (x, rows):
        resample = None
        if noisy:

            def resample(indices, rng, given=given):
                return add_noise(given[indices], rng)

        method = NPE(max_iter=2, batch_size=64)
        networks.append(method.fit(theta, given, resample=resample, random_state=0))
    for first, second in zip(*(n.weights_ for n in networks), strict=True):
        np.testing.assert_array_equal(first, second)


def fit_both(method, noisy, n=8000):
    """Fit a method to rows in memory and on disk."""
    theta, x = simulate(n, 1)
    rows, reads = on_disk(x)
    fitted = []
    for given in (x, rows):

        def resample(indices, rng, given=given):
            return add_noise(given[indices], rng)

        if not noisy:
            resample = None
        fitted.append(
            type(method)(**method.get_params()).fit(
                theta, given, resample=resample, random_state=0
            )
        )
    return fitted, reads


@pytest.mark.parametrize(
    "method, noisy",
    [
        pytest.param(
            NPE(max_iter=8, batch_size=64, learning_rate=2e-3),
            True,
            marks=pytest.mark.slow,
        ),
        (PointRegressor((32, 32), None, max_iter=8, batch_size=64), False),
        (PointRegressor((32, 32), 4, max_iter=8, batch_size=64), False),
    ],
)
def test_many_rows_train_as_well_as_in_memory(four_chunks_fit, method, noisy):
    (in_memory, from_disk), reads = fit_both(method, noisy)
    # A pass reads each of the 32 chunks hardly more than once, and never all at once.
    n_whole = sum(number is not None for number in reads.whole)
    n_passes = 1 if method.get_params()["n_components"] == 4 else 8
    assert n_whole <= 1.3 * 32 * n_passes + 32
    assert max(reads.n_rows) <= CHUNK
    theta, x = simulate(500, 2)
    if noisy:
        x = add_noise(x, np.random.default_rng(3))
        scores = [m.log_prob(theta, x).mean() for m in (in_memory, from_disk)]
        assert scores[0] > 1.0
        assert scores[1] == pytest.approx(scores[0], abs=0.05)
        draws = [m.sample(x[:50], 400, random_state=0) for m in (in_memory, from_disk)]
        means, widths = zip(*((d.mean(1), d.std(1)) for d in draws), strict=True)
        assert np.abs(means[0] - means[1]).mean() < 0.02
        assert np.abs(widths[1] / widths[0] - 1).mean() < 0.1
    else:
        errors = [np.abs(m.predict(x) - theta).mean() for m in (in_memory, from_disk)]
        assert errors[1] < max(1.5 * errors[0], 0.02)


def test_validation_rows_are_limited(four_chunks_fit, monkeypatch):
    from mne_sbi.inference import _network_method, _training_features

    monkeypatch.setattr(_network_method, "_MAX_VALIDATION", 100)
    monkeypatch.setattr(_training_features, "_PIECE", 30)
    monkeypatch.setattr(_network_method, "_KEPT", 1)
    theta, x = simulate(3000, 1)
    seen = []

    def resample(indices, rng):
        seen.append(len(indices))
        return add_noise(x[indices], rng)

    rows, _ = on_disk(x)
    method = NPE(max_iter=1, batch_size=64, n_components=None)
    method.fit(theta, rows, resample=resample, random_state=0)
    assert seen[:5] == [3000, 30, 30, 30, 10]
    assert len(seen) - 5 in (46, 47)  # Keras may ask for the first batch twice


@pytest.mark.parametrize("noisy", [False, True])
def test_rejection_from_disk(four_chunks_fit, monkeypatch, noisy):
    (in_memory, from_disk), _ = fit_both(RejectionABC(0.02), noisy)
    _, x = simulate(20, 2)
    x = add_noise(x, np.random.default_rng(0))
    draws = [m.sample(x, 300, random_state=0) for m in (in_memory, from_disk)]
    if noisy:
        difference = draws[0].mean(axis=1) - draws[1].mean(axis=1)
        assert np.abs(difference).mean() < 0.03
        # The noise of a row is the same each time.
        again = from_disk.sample(x, 300, random_state=0)
        np.testing.assert_array_equal(again, draws[1])
    else:
        np.testing.assert_allclose(draws[0], draws[1])
    restored = RejectionABC.from_state(*from_disk.get_state())
    np.testing.assert_array_equal(restored.sample(x, 300, random_state=0), draws[1])
    monkeypatch.setattr("mne_sbi.inference._abc._MAX_SAVED", 1000)
    with pytest.raises(ValueError, match="keeps all its simulations.*train NPE"):
        from_disk.get_state()


def test_rows_that_do_not_fit(four_chunks_fit):
    theta, x = simulate(3000, 0)
    rows, _ = on_disk(x)
    with pytest.raises(ValueError, match="same number of rows, got 2999 and 3000"):
        NPE(max_iter=1).fit(theta[1:], rows)
    broken = x.copy()
    broken[::10] = np.nan
    rows, _ = on_disk(broken)
    with pytest.raises(ValueError, match="rows of x hold NaN"):
        NPE(max_iter=1, n_components=None).fit(theta, rows)


def make_banks(folder, n):
    from mne_sbi import simulate as make_bank
    from mne_sbi.models import SpectralGraphModel
    from mne_sbi.testing import make_connectome

    freqs = np.linspace(3.0, 40.0, 12)
    model = SpectralGraphModel(make_connectome(3), freqs, engine="exact")
    in_memory = make_bank(model, n_simulations=n, random_state=0)
    on_disk = make_bank(model, None, n, fname=folder / "a.sims", random_state=0)
    return model, in_memory, on_disk


def test_a_bank_on_disk_is_split_and_saved(tmp_path):
    _, expected, bank = make_banks(tmp_path, 30)
    for mine, theirs in zip(bank.split(7), expected.split(7), strict=True):
        np.testing.assert_array_equal(mine.x, theirs.x)
        np.testing.assert_array_equal(mine.theta, theirs.theta)
    bank.save(tmp_path / "a.h5")
    np.testing.assert_array_equal(read_simulation_bank(tmp_path / "a.h5").x, expected.x)
    assert bank.prior == expected.prior


def test_an_inverter_learns_from_a_folder(tmp_path, monkeypatch):
    model, in_memory, _ = make_banks(tmp_path, 600)
    x = in_memory.x[:20]
    predicted = []
    for bank in (in_memory, tmp_path / "a.sims", str(tmp_path / "a.sims")):
        if len(predicted) == 2:
            # As if it did not fit into memory.
            monkeypatch.setattr(_rows, "_CACHE_BYTES", 1)
            monkeypatch.setattr(_rows.LazyRows, "fits", False)
        method = NPE(max_iter=3, batch_size=32)
        inverter = ModelInverter(model, simulations=bank, method=method, random_state=0)
        predicted.append(inverter.fit().predict(x))
    np.testing.assert_array_equal(predicted[1], predicted[0])
    spread = in_memory.theta.std(axis=0)
    assert np.abs((predicted[2] - predicted[0]) / spread).mean() < 0.5
