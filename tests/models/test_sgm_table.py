"""The table engine against exact computation, and its life on disk."""

import numpy as np
import pytest

from mne_sbi import Prior
from mne_sbi._files import read_file, save_file
from mne_sbi.datasets import read_group_connectome, read_spectrome
from mne_sbi.models import SpectralGraphModel, _sgm_table
from mne_sbi.models._sgm_equations import delayed_weights, normalized_weights
from mne_sbi.models._sgm_table import (
    ResponseGrid,
    ResponseTable,
    chebyshev_nodes,
    compress,
    response_table,
    to_coefficients,
)
from mne_sbi.testing import make_connectome

FREQS = (3.0, 10.0, 22.0, 40.0)


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "spectrome"


@pytest.fixture
def fresh(cache_dir):
    """No table in memory and none on disk."""
    response_table.cache_clear()
    yield cache_dir / "spectral_graph"
    response_table.cache_clear()


@pytest.fixture
def small():
    return SpectralGraphModel(make_connectome(6), FREQS, verbose=False)


def draw(model, n, seed=0):
    prior = Prior(model.get_parameters())
    theta = prior.sample(2 * n, seed)
    theta = theta[model.check_valid(prior.as_dict(theta))]
    return prior.as_dict(theta[:n])


def error_db(model, params):
    exact = model.compute_spectrum(params)
    return np.abs(10 * np.log10(model.simulate_batch(params) / exact))


def rms(values):
    return np.sqrt(np.mean(values**2))


def test_small_connectome():
    error = error_db(*_model_and_draws(make_connectome(15), 500))
    assert rms(error) <= 0.05
    assert error.max() <= 0.5


def test_part_of_the_group_connectome(folder):
    group = read_group_connectome(folder)
    error = error_db(*_model_and_draws(group.pick(group.names[:68:2]), 300))
    assert rms(error) <= 0.05
    assert error.max() <= 0.5


def test_connectome_with_unconnected_nodes(folder):
    person = read_spectrome(folder).connectomes[0]
    # 32 and 66 are hardly connected in this person, 68 and 76 not at all.
    part = person.pick([person.names[i] for i in range(28, 36)] + ["lh.cerebellum"])
    error = error_db(*_model_and_draws(part, 300))
    assert rms(error) <= 0.05
    assert error.max() <= 0.5


def test_jin2023():
    """Its eigenvectors turn sharply where eigenvalues meet: less exact in places."""
    model, params = _model_and_draws(make_connectome(15), 300, variant="jin2023")
    error = error_db(model, params)
    assert rms(error) <= 0.05
    assert np.quantile(error, 0.999) <= 0.5


def _model_and_draws(connectome, n, **settings):
    model = SpectralGraphModel(connectome, verbose=False, **settings)
    return model, draw(model, n)


def test_draws_do_not_depend_on_their_company(small):
    """A draw's spectrum is the same alone and among others, up to rounding."""
    params = draw(small, 50)
    together = small.simulate_batch(params)
    for i in (0, 17, 49):
        alone = small.simulate_batch({k: v[i : i + 1] for k, v in params.items()})
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-4)


def test_near_instability(small):
    """Exact where the network nearly rings, whatever the table says there."""
    prior = Prior(small.get_parameters())
    params = prior.as_dict(prior.sample(60_000, 2))
    params = {k: v[small.check_valid(params)] for k, v in params.items()}
    distance = small._network_stability(params).distance(params)
    nearest = np.argsort(distance)[:60]
    assert distance[nearest].max() < 0.15
    error = error_db(small, {k: v[nearest] for k, v in params.items()})
    assert error.max() <= 0.5


@pytest.mark.parametrize("person", range(12))
def test_response_grid_of_people(folder, person):
    """Unconnected nodes give equal eigenvalues; the grid must not suffer from them."""
    connectome = read_spectrome(folder).connectomes[person]
    weights = normalized_weights(connectome.weights)
    assert (weights.sum(axis=1) == 0).sum() >= 4
    gains = np.array([0.3, 0.8 - 0.5j, -1.2 - 0.9j, 0.5 + 1j])
    for kappa in (2.0, 30.0):
        delayed = delayed_weights(weights, connectome.lengths, kappa, np)
        grid = ResponseGrid(delayed, projected=False)
        inverse = np.linalg.inv(np.eye(86) - gains[:, None, None] * delayed)
        expected = 1 / np.linalg.norm(inverse, axis=-1) ** 2
        np.testing.assert_allclose(grid.inverse_power(gains), expected, rtol=1e-4)


def test_chebyshev_coefficients():
    x = chebyshev_nodes(6)
    values = np.stack([x**3, 2 * x**2 - 1], axis=1)
    coefficients = to_coefficients(values, 0)
    expected = [[0, 0], [0.75, 0], [0, 1], [0.25, 0], [0, 0], [0, 0]]
    np.testing.assert_allclose(coefficients, expected, atol=1e-12)


def test_compress_keeps_what_it_must():
    rng = np.random.default_rng(0)
    # Decaying coefficients, as of a smooth function, of rank 6 over the outputs.
    decay = [0.3 ** np.arange(n) for n in (5, 12, 8)]
    size = np.einsum("a,b,c->abc", *decay)[..., np.newaxis]
    full = size * rng.standard_normal((5, 12, 8, 6)) @ rng.standard_normal((6, 40))
    full = full.astype(np.float32)
    ranges = {"alpha": (0.1, 1.0), "tau_g": (0.005, 0.03), "speed": (5.0, 20.0)}
    u = {name: rng.uniform(*limits, 50) for name, limits in ranges.items()}
    slowness = (1 / u["speed"] - 1 / 20) / (1 / 5 - 1 / 20)
    log_tau = np.log(u["tau_g"] / 0.005) / np.log(6)
    positions = ((u["alpha"] - 0.1) / 0.9, log_tau, slowness)
    series = [
        np.polynomial.chebyshev.chebvander(2 * position - 1, n - 1)
        for position, n in zip(positions, full.shape[:3], strict=True)
    ]
    expected = np.einsum("na,nb,nc,abco->no", *series, full)
    for tolerance in (1e-2, 1e-3):
        table = ResponseTable({"coarse": compress(full, tolerance, 6)}, ranges)
        got = table.inverse_power(**u, level="coarse")
        assert rms(got - expected) < 3 * tolerance
    fine = compress(full, 1e-3, 6)["index"].shape[1]
    assert compress(full, 1e-2, 6)["index"].shape[1] < fine < 5 * 12 * 8


def test_read_back_from_disk(small, fresh, monkeypatch):
    params = draw(small, 20)
    first = small.simulate_batch(params)
    assert len(list(fresh.glob("*.npz"))) == 1
    response_table.cache_clear()

    def refuse(*args, **kwargs):
        raise AssertionError("the table is made anew")

    monkeypatch.setattr(_sgm_table, "build_coefficients", refuse)
    np.testing.assert_array_equal(small.simulate_batch(params), first)
    # In memory: the file is not needed again.
    next(fresh.glob("*.npz")).unlink()
    clone = SpectralGraphModel(make_connectome(6), FREQS, verbose=False)
    np.testing.assert_array_equal(clone.simulate_batch(params), first)
    # Whatever the table depends on has a table of its own.
    for other in (
        SpectralGraphModel(make_connectome(6), FREQS[:3], verbose=False),
        SpectralGraphModel(make_connectome(6, random_state=1), FREQS, verbose=False),
        SpectralGraphModel(make_connectome(6), FREQS, variant="jin2023", verbose=False),
    ):
        with pytest.raises(AssertionError, match="made anew"):
            other.prepare()


@pytest.mark.parametrize("damage", ["empty", "short", "altered", "other", "text"])
def test_damaged_file_is_replaced(small, fresh, damage):
    params = draw(small, 20)
    first = small.simulate_batch(params)
    (file,) = fresh.glob("*.npz")
    content = bytearray(file.read_bytes())
    if damage == "other":
        content, arrays = read_file(file, _sgm_table._FORMAT)
        content["label"] = "another table"
        arrays = {name: 2 * array for name, array in arrays.items()}
        save_file(file, content, arrays, version=_sgm_table._FORMAT, overwrite=True)
    else:
        middle = slice(len(content) // 2, len(content) // 2 + 50)
        altered = bytearray(content)
        altered[middle] = bytes(255 - byte for byte in altered[middle])
        damaged = {"empty": b"", "short": content[:2000], "text": b"no table"}
        file.write_bytes(damaged.get(damage, altered))
    response_table.cache_clear()
    np.testing.assert_array_equal(small.simulate_batch(params), first)
    assert file.read_bytes() != b"" and len(list(fresh.iterdir())) == 1
    assert read_file(file, _sgm_table._FORMAT)[0]["label"] != "another table"


def test_folder_that_cannot_be_written(small, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("MNE_SBI_CACHE_DIR", str(blocked))
    response_table.cache_clear()
    assert small.simulate_batch({}).shape == (1, 6, 4)
    response_table.cache_clear()


def test_ranges(small):
    limits = {p.name: [p.low, p.high] for p in small.get_parameters()}
    rounded = {name: np.float32(values) for name, values in limits.items()}
    assert np.isfinite(small.simulate_batch(rounded)).all()
    for name, value in (("alpha", 1.1), ("tau_g", 0.004), ("speed", 25.0)):
        with pytest.raises(ValueError, match=rf"{name} from .*engine='exact'"):
            small.simulate_batch({name: [0.5 * sum(limits[name]), value]})
    # The local curve is not in the table.
    assert small.simulate_batch({"tau_e": 0.05, "g_ei": 0.0}).shape == (1, 6, 4)


def test_progress_and_silence(fresh, capsys):
    model = SpectralGraphModel(make_connectome(5), FREQS, verbose=True)
    model.prepare()
    out, err = capsys.readouterr()
    assert "5 nodes" in out + err and "Preparing" in err
    response_table.cache_clear()
    for file in fresh.iterdir():
        file.unlink()
    SpectralGraphModel(make_connectome(5), FREQS, verbose=False).prepare()
    assert capsys.readouterr() == ("", "")


def test_threads_give_the_same_table(fresh):
    params = {"alpha": [0.3, 0.9]}
    spectra = []
    for n_jobs in (1, 2):
        response_table.cache_clear()
        for file in fresh.glob("*"):
            file.unlink()
        model = SpectralGraphModel(
            make_connectome(5), FREQS, n_jobs=n_jobs, verbose=False
        )
        spectra.append(model.simulate_batch(params))
    np.testing.assert_array_equal(*spectra)
