"""Banks in folders: stopped, damaged, resumed; always the same."""

import os
import pickle

import h5py
import joblib
import numpy as np
import pytest
from mne.utils import catch_logging

import mne_sbi.simulation._folder as _folder
import mne_sbi.simulation._run as run
from mne_sbi import Parameter, read_simulation_bank, simulate
from mne_sbi._checks import remove_leftovers
from mne_sbi._files import decode_json, encode_json
from mne_sbi.features import LogPSD
from mne_sbi.models import ForwardModel, SpectralGraphModel
from mne_sbi.simulation._folder import chunk_file
from mne_sbi.simulation._rows import LazyRows
from mne_sbi.testing import make_connectome

from .conftest import assert_same


class Walk(ForwardModel):
    """Random walks, whose noise has to come from the key; broken where asked for."""

    parameters = (
        Parameter("step", 0.1, 1.0, 0.5),
        Parameter("offset", 0.0, 1.0, 0.5),
    )

    def __init__(self, *, sfreq=50.0, duration=1.0, broken=0.0):
        self.sfreq = sfreq
        self.duration = duration
        self.broken = broken

    def simulate(self, params, key):
        import jax
        import jax.numpy as jnp

        n_times = round(self.sfreq * self.duration)
        walk = params["step"] * jax.random.normal(key, (2, n_times)).cumsum(axis=1)
        return jnp.where(params["step"] < self.broken, jnp.nan, walk)


FEATURES = LogPSD(2, 20, window=0.5)
SETTINGS = {"features": FEATURES, "random_state": 0}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(run, "_CHUNK", 100)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_same_bank_on_disk_as_in_memory(tmp_path, n_jobs):
    expected = simulate(Walk(), n_simulations=350, **SETTINGS)
    fname = tmp_path / "bank.sims"
    bank = simulate(Walk(), None, 350, fname=fname, n_jobs=n_jobs, **SETTINGS)
    assert isinstance(bank.x, LazyRows)
    assert_same(bank, expected)
    assert_same(read_simulation_bank(str(fname)), expected)
    assert repr(bank) == repr(expected)
    # One file for each chunk, the manifest, and no leftovers.
    assert len(list(fname.iterdir())) == 5


def test_processes_make_the_same_bank(tmp_path):
    settings = {"n_simulations": 350, "random_state": 0}
    model = SpectralGraphModel(make_connectome(3), [5.0, 10.0], engine="exact")
    expected = simulate(model, **settings)
    with joblib.parallel_config("loky", n_jobs=2):
        bank = simulate(model, fname=tmp_path / "a.sims", **settings)
        in_memory = simulate(model, **settings)
    assert_same(bank, expected)
    assert_same(in_memory, expected)


def test_the_same_call_again_makes_nothing_twice(tmp_path, monkeypatch):
    fname = tmp_path / "bank.sims"
    first = simulate(Walk(), None, 350, fname=fname, **SETTINGS)
    before = {p: p.stat().st_mtime_ns for p in fname.iterdir()}
    with catch_logging() as log:
        again = simulate(Walk(), None, 350, fname=fname, verbose=True, **SETTINGS)
    assert_same(again, first)
    assert {p: p.stat().st_mtime_ns for p in fname.iterdir()} == before
    assert "4 of 4 chunks are there." in log.getvalue()
    # Threads and messages make no other bank.
    model = SpectralGraphModel(make_connectome(3), [5.0, 10.0], engine="exact")
    simulate(model, None, 50, fname=tmp_path / "b.sims", random_state=0)
    model.set_params(n_jobs=2, verbose="error")
    simulate(model, None, 50, fname=tmp_path / "b.sims", random_state=0)


def test_stopped_by_an_error(tmp_path, monkeypatch):
    fname, expected = tmp_path / "bank.sims", simulate(Walk(), None, 350, **SETTINGS)
    write, n_written = run.write_chunk, []

    def write_two(*args):
        if len(n_written) == 2:
            raise KeyboardInterrupt
        n_written.append(args)
        write(*args)

    monkeypatch.setattr(run, "write_chunk", write_two)
    with pytest.raises(KeyboardInterrupt):
        simulate(Walk(), None, 350, fname=fname, **SETTINGS)
    monkeypatch.setattr(run, "write_chunk", write)
    with pytest.raises(ValueError, match="2 of the 4 chunks .* missing or damaged"):
        read_simulation_bank(fname)
    with catch_logging() as log:
        bank = simulate(Walk(), None, 350, fname=fname, verbose=True, **SETTINGS)
    assert "2 of 4 chunks are there." in log.getvalue()
    assert_same(bank, expected)


def test_more_simulations_are_added(tmp_path):
    fname = tmp_path / "bank.sims"
    simulate(Walk(), None, 150, fname=fname, **SETTINGS)
    first = chunk_file(fname, 0).stat().st_mtime_ns
    bank = simulate(Walk(), None, 350, fname=fname, **SETTINGS)
    assert_same(bank, simulate(Walk(), None, 350, **SETTINGS))
    assert chunk_file(fname, 0).stat().st_mtime_ns == first
    with pytest.raises(ValueError, match=r"n_simulations \(350 there, 150 asked for"):
        simulate(Walk(), None, 150, fname=fname, **SETTINGS)


def test_without_a_random_state_the_seed_of_the_folder_is_kept(tmp_path):
    fname = tmp_path / "bank.sims"
    settings = {"features": FEATURES, "fname": fname}
    first = simulate(Walk(), None, 150, **settings)
    chunk_file(fname, 1).unlink()
    assert_same(simulate(Walk(), None, 150, **settings), first)
    other = simulate(Walk(), None, 150, overwrite=True, **settings)
    assert not np.isin(other.theta, first.theta).any()


def test_some_simulations_are_not_finite(tmp_path):
    # The seed decides that all of the last chunk, of five, are broken.
    settings = SETTINGS | {"n_simulations": 105}
    for seed in range(100):
        settings["random_state"] = seed
        theta = simulate(Walk(), **settings).theta[100:, 0]
        if (theta < 0.7).all():
            break
    with pytest.warns(RuntimeWarning, match=r"\d+ of 105 simulations hold NaN"):
        expected = simulate(Walk(broken=0.7), **settings)
    fname = tmp_path / "bank.sims"
    with pytest.warns(RuntimeWarning, match=r"\d+ of 105 simulations hold NaN"):
        bank = simulate(Walk(broken=0.7), fname=fname, **settings)
    with h5py.File(chunk_file(fname, 1)) as file:
        assert "x" not in file
    assert_same(bank, expected)
    assert np.isnan(bank.x[[103, 104]]).all()
    for made, wanted in zip(bank.get_valid(), expected.get_valid(), strict=True):
        np.testing.assert_array_equal(made, wanted)
    with pytest.raises(RuntimeError, match="None of the 105 simulations can be used"):
        simulate(Walk(broken=2.0), fname=tmp_path / "none.sims", **settings)


def test_another_process_was_faster(tmp_path, monkeypatch):
    """It has the last chunk and tidies up while this one still writes the same."""
    expected = simulate(Walk(), None, 150, **SETTINGS)
    fname, write = tmp_path / "bank.sims", run.write_chunk

    def write_after_another(chunk, *args):
        monkeypatch.setattr(run, "write_chunk", write)
        simulate(Walk(), None, 150, fname=fname, **SETTINGS)
        replace = os.replace

        def tidy_up_first(source, target):
            monkeypatch.setattr(os, "replace", replace)
            remove_leftovers(fname)
            replace(source, target)

        monkeypatch.setattr(os, "replace", tidy_up_first)
        write(chunk, *args)

    monkeypatch.setattr(run, "write_chunk", write_after_another)
    bank = simulate(Walk(), None, 150, fname=fname, **SETTINGS)
    assert_same(bank, expected)


def test_another_process_wants_more(tmp_path, monkeypatch):
    """It adds simulations while this one still writes the last chunk of fewer."""
    fname, write = tmp_path / "bank.sims", run._simulate_chunk
    banks = []

    def simulate_after_another(recipe, seed, chunk, *args):
        if chunk == 1:
            monkeypatch.setattr(run, "_simulate_chunk", write)
            banks.append(simulate(Walk(), None, 350, fname=fname, **SETTINGS))
        return write(recipe, seed, chunk, *args)

    monkeypatch.setattr(run, "_simulate_chunk", simulate_after_another)
    with pytest.raises(ValueError, match=r"n_simulations \(350 there, 150 asked for\)"):
        simulate(Walk(), None, 150, fname=fname, **SETTINGS)
    assert_same(banks[0], simulate(Walk(), None, 350, **SETTINGS))
    assert_same(read_simulation_bank(fname), banks[0])


def test_another_process_starts_at_the_same_moment(tmp_path, monkeypatch):
    """Both find no folder; the second goes on with the bank, and the seed, of one."""
    fname, draw, banks = tmp_path / "bank.sims", _folder.draw_seed, []

    def draw_after_another(random_state):
        monkeypatch.setattr(_folder, "draw_seed", draw)
        banks.append(simulate(Walk(), None, 150, fname=fname, features=FEATURES))
        return draw(random_state)

    monkeypatch.setattr(_folder, "draw_seed", draw_after_another)
    bank = simulate(Walk(), None, 150, fname=fname, features=FEATURES)
    assert_same(bank, banks[0])


def cut(fname):
    fname.write_bytes(fname.read_bytes()[:-900])


def flip(fname):
    with h5py.File(fname, "a") as file:
        file["x"][3, 1, 2] += 1


def empty(fname):
    fname.write_bytes(b"")


def take_from_another_bank(fname):
    simulate(Walk(), None, 350, fname=fname.parents[1] / "b", features=FEATURES)
    fname.write_bytes(chunk_file(fname.parents[1] / "b", 1).read_bytes())


def take_from_another_place(fname):
    fname.write_bytes(chunk_file(fname.parent, 0).read_bytes())


def drop_x(fname):
    with h5py.File(fname, "a") as file:
        del file["x"]


DAMAGES = [cut, flip, empty, take_from_another_bank, take_from_another_place, drop_x]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_chunks_are_found_and_made_again(tmp_path, monkeypatch, damage):
    fname = tmp_path / "bank.sims"
    expected = simulate(Walk(), None, 350, **SETTINGS)
    bank = simulate(Walk(), None, 350, fname=fname, **SETTINGS)
    damage(chunk_file(fname, 1))
    with pytest.raises(ValueError, match="damaged. Call simulate"):
        np.asarray(bank.x)
    # Single rows of banks larger than memory.
    monkeypatch.setattr("mne_sbi.simulation._rows._CACHE_BYTES", 1)
    with pytest.raises(ValueError, match="damaged. Call simulate"):
        bank.x[[3, 103, 203]]
    with catch_logging() as log:
        bank = simulate(Walk(), None, 350, fname=fname, verbose=True, **SETTINGS)
    assert "3 of 4 chunks are there, 1 is damaged or shorter" in log.getvalue()
    assert_same(bank, expected)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"random_state": 1}, r"seed \(\d+ there, \d+ asked for\)"),
        ({"model": Walk(duration=2.0)}, r"settings.duration \(1.0 there, 2.0 asked"),
        ({"prior": {"step": (0.1, 0.5)}}, r"prior.step \(\[0.1, 1.0, 'linear'\]"),
        ({"prior": {"step": 0.2}}, r"fixed.step \(nothing there, 0.2 asked"),
        ({"nodes": [1]}, r"nodes \(nothing there, \[1\] asked for\)"),
        ({"features": LogPSD(2, 20, window=1)}, r"summaries.window \(0.5 there, 1.0"),
        ({"n_simulations": 10}, r"n_simulations \(120 there, 10 asked for\)"),
    ],
)
def test_other_settings_are_named(tmp_path, change, message):
    settings = {"model": Walk(), "n_simulations": 120, **SETTINGS}
    settings["fname"] = tmp_path / "bank.sims"
    simulate(**settings)
    with pytest.raises(ValueError, match="made with other settings: .*" + message):
        simulate(**(settings | change))
    # Starting anew removes what was there.
    bank = simulate(**(settings | change), overwrite=True)
    assert_same(bank, simulate(**(settings | change | {"fname": None})))


def test_engines_are_not_mixed(tmp_path):
    model = SpectralGraphModel(make_connectome(3), [5.0, 10.0], engine="exact")
    fname = tmp_path / "bank.sims"
    simulate(model, None, 50, fname=fname, random_state=0)
    model.set_params(engine="shared")
    with pytest.raises(ValueError, match=r"other settings: model \(SpectralGraphModel"):
        simulate(model, None, 50, fname=fname, random_state=0)


def test_places_where_no_bank_may_be(tmp_path):
    def make(name, **settings):
        return simulate(Walk(), None, 10, fname=tmp_path / name, **SETTINGS | settings)

    with pytest.raises(ValueError, match="must be the name of a folder, such as bank."):
        make("bank.h5")
    (tmp_path / "file").write_text("a")
    with pytest.raises(ValueError, match="must be the name of a folder"):
        make("file")
    with pytest.raises(FileNotFoundError, match="Create .*nowhere first"):
        make("nowhere/bank.sims")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"but other files \(chapter.tex\)"):
            make("thesis", overwrite=overwrite)
    (tmp_path / "empty").mkdir()
    assert len(make("empty")) == 10


def test_damaged_and_foreign_manifests(tmp_path):
    fname = tmp_path / "bank.sims"
    simulate(Walk(), None, 10, fname=fname, **SETTINGS)
    manifest = fname / "manifest.json"
    text = manifest.read_text()
    other = decode_json(text) | {"format": "mne_sbi simulation chunks 1"}
    manifest.write_text(encode_json(other))
    with pytest.raises(ValueError, match="expected 'mne_sbi simulation chunks 2', fou"):
        read_simulation_bank(fname)
    assert text.count('"low": 0.1') == 1
    nested = '{"format": "mne_sbi simulation chunks 2", "a": ' + "[" * 100_000
    for broken in (text[:200], text.replace('"low": 0.1', '"low": 0.2'), nested):
        manifest.write_text(broken)
        with pytest.raises(ValueError, match="damaged or not a simulation bank"):
            read_simulation_bank(fname)
        with pytest.raises(ValueError, match="damaged or not a simulation bank"):
            simulate(Walk(), None, 10, fname=fname, **SETTINGS)
    assert len(simulate(Walk(), None, 10, fname=fname, overwrite=True, **SETTINGS))
    with pytest.raises(ValueError, match="damaged or not a simulation bank"):
        read_simulation_bank(tmp_path)
    # A number of chunks that nobody has is not counted to.
    manifest.write_text(encode_json(decode_json(text) | {"n_simulations": 10**15}))
    with pytest.raises(ValueError, match="chunks in .* are missing or damaged"):
        read_simulation_bank(fname)


def test_files_of_others_are_kept(tmp_path):
    fname = tmp_path / "bank.sims"
    simulate(Walk(), None, 10, fname=fname, **SETTINGS)
    for name in ("my-chunk-1.h5", "chunk-000001.h5.bak", "notes.txt"):
        (fname / name).write_text("precious")
    simulate(Walk(), None, 10, fname=fname, overwrite=True, **SETTINGS)
    for name in ("my-chunk-1.h5", "chunk-000001.h5.bak", "notes.txt"):
        assert (fname / name).read_text() == "precious"
    # The manifest of another program.
    other = tmp_path / "website"
    other.mkdir()
    (other / "manifest.json").write_text('{"name": "website"}')
    (other / "chunk-000000.h5").write_text("precious")
    with pytest.raises(FileExistsError, match="website holds no simulation bank"):
        simulate(Walk(), None, 10, fname=other, overwrite=True, **SETTINGS)
    assert (other / "manifest.json").read_text() == '{"name": "website"}'
    assert (other / "chunk-000000.h5").read_text() == "precious"


def test_what_cannot_be_simulated():
    def check(error, message, *args, **settings):
        with pytest.raises(error, match=message):
            simulate(*args, **({"n_simulations": 10} | settings))

    check(ValueError, "no forward model 'wlak'", "wlak")
    check(TypeError, r"got the class Walk. Write Walk\(", Walk)
    check(TypeError, "must be a ForwardModel or a name, got 3", 3)
    check(TypeError, "must be a Prior, a dict", Walk(), [1, 2])
    check(ValueError, "Unknown parameter 'stop'.*mean 'step'", Walk(), {"stop": 1})
    check(ValueError, "Unknown parameter 'stop'", Walk(), fixed={"stop": 1})
    check(ValueError, "step cannot be both fixed and drawn", Walk(), fixed={"step": 1})
    check(TypeError, "fixed must be a dict", Walk(), fixed=[0.5])
    check(TypeError, "must be a FeatureExtractor", Walk(), features=LogPSD)
    check(TypeError, "must be a sequence of integers", Walk(), nodes=[0.5])
    check(ValueError, "must be at least 0, got", Walk(), nodes=[-1])
    model = SpectralGraphModel(make_connectome(3), [5.0, 10.0])
    check(ValueError, r"at least 0 and less than 3, got \[3\]", model, nodes=[3])
    check(ValueError, "fast engine covers alpha", model, {"alpha": (0.01, 2.0)})


def test_defaults(monkeypatch):
    model = SpectralGraphModel(make_connectome(3), [5.0, 10.0], engine="exact")
    bank = simulate(model, {"alpha": (0.2, 0.4), "speed": 5.0}, 10, random_state=0)
    assert bank.prior.names == ("tau_e", "tau_i", "alpha", "tau_g")
    assert bank.provenance["fixed"]["speed"] == 5.0
    assert set(bank.provenance["fixed"]) == {"speed", "g_ei", "g_ii"}
    assert bank.provenance["summaries"]["freqs"] == [5.0, 10.0]
    assert ((bank.theta[:, 2] >= 0.2) & (bank.theta[:, 2] <= 0.4)).all()
    monkeypatch.setattr("mne_sbi.simulation._recipe.get_model", lambda name: Walk)
    bank = simulate("walk", None, 3, features=FEATURES, random_state=0)
    assert len(bank) == 3


def test_models_are_sent_to_processes_without_their_tables(cache_dir):
    model = SpectralGraphModel(make_connectome(5), [5.0, 10.0, 20.0])
    assert model.prepare() is model
    model.simulate_batch({"alpha": [0.3]})
    assert len(pickle.dumps(model)) < 20_000
    assert list((cache_dir / "spectral_graph").glob("*.npz"))
    # A model that has nothing to prepare says so too.
    walk = Walk()
    assert walk.prepare() is walk


def test_workers_without_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="on a disk that all of them share"):
        run._store_chunk(tmp_path / "a.sims", "", None, 0, 0, 10)
