"""Banks of simulations as objects and as files."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest
from sklearn.base import clone

from mne_sbi import Parameter, Prior, SimulationBank, read_simulation_bank
from mne_sbi._files import decode_json, encode_json

from .conftest import assert_same

PRIOR = Prior([Parameter("a", 0, 1, 0.5, "s"), Parameter("b", 1, 9, 2, scale="log")])


@pytest.fixture
def bank():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 3, 4)).astype(np.float32)
    x[3] = np.nan
    provenance = {"model": "Line()", "n_excluded": 5, "fixed": {"c": 1.5}, "seed": 3}
    return SimulationBank(
        PRIOR.sample(20, 0), x, np.isfinite(x).all(axis=(1, 2)), PRIOR, provenance
    )


def test_round_trip(bank, tmp_path):
    bank.save(tmp_path / "bank.h5")
    read = read_simulation_bank(tmp_path / "bank.h5")
    assert_same(read, bank)
    assert read.x.dtype == np.float32
    assert_same(pickle.loads(pickle.dumps(bank)), bank)


def test_arrays_cannot_be_changed_but_the_caller_s_can(bank):
    with pytest.raises(ValueError, match="read-only"):
        bank.x[0] = 0
    x = np.zeros((2, 1, 1))
    SimulationBank(PRIOR.sample(2, 0), x, np.ones(2, bool), PRIOR)
    x[0] = 1


def test_a_grid_search_does_not_copy_it(bank):
    assert clone(bank, safe=False) is bank


def test_split(bank):
    first, second = bank.split(5)
    assert len(first) == 5 and len(second) == 15
    np.testing.assert_array_equal(second.theta, bank.theta[5:])
    for n in (0, 20):
        with pytest.raises(ValueError, match="between 1 and 19"):
            bank.split(n)


def test_repr(bank):
    assert repr(bank) == (
        "<SimulationBank | 20 simulations of Line(), 1 not valid, 5 draws excluded, "
        "3 nodes x 4 points, 2 parameters>"
    )


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"x": np.zeros((19, 3, 4))}, ValueError, r"A bank needs theta \(n, n_params"),
        ({"x": np.zeros((20, 3))}, ValueError, "A bank needs"),
        ({"theta": np.zeros((20, 3))}, ValueError, r"theta must have shape \(any, 2\)"),
        ({"valid": np.ones(20)}, TypeError, "must hold booleans"),
    ],
)
def test_what_does_not_fit(bank, change, error, message):
    parts = {n: getattr(bank, n) for n in ("theta", "x", "valid", "prior")}
    with pytest.raises(error, match=message):
        SimulationBank(**(parts | change))


def test_an_existing_file_is_kept(bank, tmp_path):
    fname = tmp_path / "bank.h5"
    bank.save(fname)
    first, second = bank.split(5)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        first.save(fname)
    first.save(fname, overwrite=True)
    assert len(read_simulation_bank(fname)) == 5
    with pytest.raises(ValueError, match="must end in .h5"):
        bank.save(tmp_path / "bank.npz")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_simulation_bank(tmp_path / "none.h5")


def cut(fname):
    fname.write_bytes(fname.read_bytes()[:-500])


def overwrite_with_text(fname):
    fname.write_text("not a bank")


def drop_an_array(fname):
    with h5py.File(fname, "a") as file:
        del file["valid"]


def rewrite(fname, change):
    """Change the description, its hash included."""
    with h5py.File(fname, "a") as file:
        about = decode_json(file["content"][()].tobytes())
        change(about)
        del file["content"]
        file["content"] = np.frombuffer(encode_json(about).encode(), np.uint8)


def damage_the_description(fname):
    content = fname.read_bytes()
    assert content.count(b'"n_excluded": 5') == 1
    fname.write_bytes(content.replace(b'"n_excluded": 5', b'"n_excluded": 4'))


def lose_the_prior(fname):
    rewrite(fname, lambda about: about["content"].pop("prior"))


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        overwrite_with_text,
        drop_an_array,
        damage_the_description,
        lose_the_prior,
    ],
)
def test_damaged_file(bank, tmp_path, damage):
    fname = tmp_path / "bank.h5"
    bank.save(fname)
    damage(fname)
    with pytest.raises(ValueError, match="bank.h5 is damaged or not a simulation bank"):
        read_simulation_bank(fname)
    # Nothing stays open.
    fname.unlink()


def test_other_format(bank, tmp_path):
    fname = tmp_path / "bank.h5"
    bank.save(fname)
    rewrite(fname, lambda about: about.update(format="mne_sbi simulation chunks 2"))
    with pytest.raises(ValueError, match="expected 'mne_sbi simulations 2', found"):
        read_simulation_bank(fname)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("exists", [False, True])
def test_killed_while_writing(bank, tmp_path, exists):
    fname = tmp_path / "bank.h5"
    if exists:
        bank.save(fname)
    program = """
        import os, signal, sys

        import numpy as np

        from mne_sbi import Parameter, Prior, SimulationBank, _files

        prior = Prior([Parameter("a", 0, 1, 0.5)])
        x = np.zeros((4000, 3, 4), np.float32)
        bank = SimulationBank(prior.sample(4000), x, np.ones(4000, bool), prior)
        write = _files._write

        def write_and_die(out, name, *args):
            written = write(out, name, *args)
            if name == "x":
                os.kill(os.getpid(), signal.SIGKILL)
            return written

        _files._write = write_and_die
        bank.save(sys.argv[1], overwrite=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(fname)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # It died half way.
    assert any(f.stat().st_size > 4000 * 3 * 4 * 4 for f in tmp_path.glob(".bank-*"))
    if exists:
        assert_same(read_simulation_bank(fname), bank)
    else:
        assert not fname.exists()
    # The next one tidies up.
    bank.save(fname, overwrite=True)
    assert list(tmp_path.iterdir()) == [fname]
