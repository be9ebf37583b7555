"""Inverters as files: what comes back predicts the same, or an error says why not."""

import json
import os
import subprocess
import sys
import textwrap
import zipfile

import mne
import numpy as np
import pandas as pd
import pytest
from mne.utils import catch_logging

from mne_sbi import ModelInverter, Parameter, Prior, SGMInverter, read_inverter
from mne_sbi.features import LogPSD, SpectralNoise
from mne_sbi.inference import NPE, PointRegressor, RejectionABC
from mne_sbi.models import ForwardModel, SpectralGraphModel

METHODS = {
    "npe": NPE(density="mixture", max_iter=1),
    "point": PointRegressor((8, 8), 4, max_iter=1),
    "abc": RejectionABC(0.05),
}


class Unregistered(ForwardModel):
    """A model that no package offers."""

    output = "spectrum"
    parameters = (Parameter("height", 0.0, 1.0, 0.5),)
    freqs = (1.0, 2.0)

    def simulate(self, params, key):
        import jax.numpy as jnp

        return jnp.array([[1.0, 2.0]]) + params["height"]


@pytest.fixture
def saved(make_inverter, spectra, tmp_path):
    fname = tmp_path / "inverter.zip"
    make_inverter().fit(spectra).save(fname)
    return fname


def save_and_read(inverter, folder):
    inverter.save(folder / "inverter.zip")
    return read_inverter(folder / "inverter.zip")


@pytest.mark.parametrize("method", METHODS)
def test_predictions_are_those_before(make_inverter, spectra, tmp_path, method):
    inverter = make_inverter(method=METHODS[method]).fit(spectra)
    again = save_and_read(inverter, tmp_path)
    assert type(again) is SGMInverter
    np.testing.assert_array_equal(again.predict(spectra), inverter.predict(spectra))
    if method != "point":
        draws = inverter.predict_posterior(spectra).draws
        np.testing.assert_array_equal(again.predict_posterior(spectra).draws, draws)
    theta = inverter.predict(spectra)
    np.testing.assert_array_equal(
        again.inverse_transform(theta), inverter.inverse_transform(theta)
    )
    assert again.score(spectra) == inverter.score(spectra)
    # It is an estimator like any other: it can be fitted anew, and saved again.
    assert again.bank_ is None
    again.save(tmp_path / "again.zip")


def test_settings_come_back(make_inverter, spectra, tmp_path):
    settings = {
        "prior": {"alpha": (0.2, 0.9), "speed": 10.0, "g_ei": "free"},
        "features": LogPSD(scaling="demean", noise=SpectralNoise(duration=None)),
        "nodes": ["L.cuneus", "R.insula", "L.insula"],
        "n_jobs": 1,
    }
    inverter = make_inverter(**settings).fit(spectra[:, :3])
    again = save_and_read(inverter, tmp_path)
    mine, theirs = again.get_params(), inverter.get_params()
    assert mine.keys() == theirs.keys()
    np.testing.assert_array_equal(mine.pop("freqs"), theirs.pop("freqs"))
    for name, value in theirs.items():
        if name not in ("features", "method"):
            assert mine[name] == value and type(mine[name]) is type(value), name
    for name in ("prior_", "fixed_", "node_names_", "seed_", "n_features_in_"):
        assert getattr(again, name) == getattr(inverter, name), name
    assert again.features_.noise == inverter.features_.noise
    assert again.model_.connectome == inverter.model_.connectome
    refitted = again.fit(spectra[:, :3]).predict(spectra[:, :3])
    np.testing.assert_array_equal(refitted, inverter.predict(spectra[:, :3]))


def test_random_state_that_was_none(make_inverter, spectra, tmp_path):
    inverter = make_inverter(random_state=None).fit(spectra)
    again = save_and_read(inverter, tmp_path)
    np.testing.assert_array_equal(again.predict(spectra), inverter.predict(spectra))


def test_recordings_after_reading(make_inverter, make_raw, tmp_path):
    raw = make_raw()
    inverter = make_inverter().fit(raw)
    again = save_and_read(inverter, tmp_path)
    np.testing.assert_array_equal(again.predict(raw), inverter.predict(raw))


@pytest.mark.parametrize("by_name", [False, True])
def test_model_inverter(connectome, spectra, tmp_path, by_name):
    prior = Prior([Parameter("alpha", 0.2, 0.9, 0.5, doc="Coupling")])
    freqs = list(np.linspace(4, 40, 6))
    inverter = ModelInverter(
        SpectralGraphModel(connectome, freqs),
        prior=prior,
        method="abc",
        n_simulations=50,
        verbose="error",
    ).fit(spectra)
    if by_name:
        inverter.set_params(model="spectral_graph")
    again = save_and_read(inverter, tmp_path)
    assert again.prior == prior and again.model_.freqs == freqs
    assert isinstance(again.model, str if by_name else SpectralGraphModel)
    np.testing.assert_array_equal(again.predict(spectra), inverter.predict(spectra))


def test_pairs_of_features(make_inverter, tmp_path):
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(60, 3)), columns=["p", "q", "r"])
    inverter = make_inverter().fit(x, x.to_numpy()[:, 0])
    again = save_and_read(inverter, tmp_path)
    np.testing.assert_array_equal(again.predict(x), inverter.predict(x))
    assert again.predict(x).shape == (60,) and again.features_ is None
    with pytest.raises(ValueError, match="feature names"):
        again.predict(x[["q", "p", "r"]])


def test_objects_of_mne_are_left_out_and_named(make_inverter, spectra, tmp_path):
    inverter = make_inverter().fit(spectra)
    inverter.set_params(labels=[mne.Label([0], hemi="lh", name="cuneus-lh")])
    with catch_logging() as log, mne.use_log_level("info"):
        inverter.save(tmp_path / "inverter.zip")
    assert "inverter.set_params(labels=...)" in log.getvalue()
    assert read_inverter(tmp_path / "inverter.zip").labels is None


def test_no_pickle_and_no_code(saved):
    with zipfile.ZipFile(saved) as archive:
        assert set(archive.namelist()) == {"inverter.json", "arrays.npz"}
        content = json.loads(archive.read("inverter.json"))
    assert content["format"] == "mne_sbi inverter 2"


def test_another_process_reads_it(saved, spectra, tmp_path):
    np.save(tmp_path / "x.npy", spectra)
    program = """
        import sys
        import numpy as np
        from mne_sbi import read_inverter

        inverter = read_inverter(sys.argv[1])
        np.save(sys.argv[3], inverter.predict(np.load(sys.argv[2])))
    """
    files = [saved, tmp_path / "x.npy", tmp_path / "theta.npy"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *files],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "theta.npy")
    np.testing.assert_array_equal(found, read_inverter(saved).predict(spectra))


def test_an_existing_file_is_kept(saved, make_inverter, spectra):
    before = saved.read_bytes()
    inverter = make_inverter(random_state=1).fit(spectra)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        inverter.save(saved)
    assert saved.read_bytes() == before
    inverter.save(saved, overwrite=True)
    assert read_inverter(saved).random_state == 1
    with pytest.raises(ValueError, match="must end in .zip"):
        inverter.save("inverter.pkl")


class OwnMethod(RejectionABC):
    """A method of the caller's."""


class OwnFeatures(LogPSD):
    """Features of the caller's."""


class OwnInverter(SGMInverter):
    """An inverter of the caller's."""


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"random_state": np.random.RandomState(0)}, r"random_state= .*set_params\(\)"),
        ({"method": OwnMethod()}, "OwnMethod"),
        ({"features": OwnFeatures()}, r"OwnFeatures.*joblib.dump\(\)"),
    ],
)
def test_what_cannot_be_saved(make_inverter, spectra, tmp_path, settings, message):
    inverter = make_inverter(**settings).fit(spectra)
    with pytest.raises(TypeError, match=message):
        inverter.save(tmp_path / "inverter.zip")
    assert not list(tmp_path.iterdir())


def test_classes_that_cannot_be_saved(make_inverter, spectra, tmp_path):
    inverter = OwnInverter(**make_inverter().get_params(deep=False)).fit(spectra)
    with pytest.raises(TypeError, match="Only ModelInverter and SGMInverter"):
        inverter.save(tmp_path / "inverter.zip")
    inverter = ModelInverter(Unregistered(), method="abc", n_simulations=20).fit()
    with pytest.raises(TypeError, match="Unregistered is not registered.*entry point"):
        inverter.save(tmp_path / "inverter.zip")


def cut(fname):
    fname.write_bytes(fname.read_bytes()[:-1000])


def overwrite_with_text(fname):
    fname.write_text("not an inverter")


def flip_a_byte(fname):
    content = bytearray(fname.read_bytes())
    content[len(content) // 2] ^= 0xFF
    fname.write_bytes(content)


def rewrite(fname, change):
    """Change the description, and leave the arrays as they are."""
    with zipfile.ZipFile(fname) as archive:
        content = json.loads(archive.read("inverter.json"))
        arrays = archive.read("arrays.npz")
    change(content)
    with zipfile.ZipFile(fname, "w") as archive:
        archive.writestr("inverter.json", json.dumps(content))
        archive.writestr("arrays.npz", arrays)


def name_another_class(fname):
    rewrite(fname, lambda content: content.update({"class": "os.system"}))


def name_another_kind(fname):
    rewrite(
        fname,
        lambda content: content["settings"].update(prior={"is": "Popen", "of": None}),
    )


def lose_the_fit(fname):
    rewrite(fname, lambda content: content.pop("fitted"))


def write_a_list(fname):
    with zipfile.ZipFile(fname, "w") as archive:
        archive.writestr("inverter.json", "[]")
        archive.writestr("arrays.npz", "")


def leave_another_archive(fname):
    with zipfile.ZipFile(fname, "w") as archive:
        archive.writestr("readme.txt", "hello")


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        overwrite_with_text,
        flip_a_byte,
        name_another_class,
        name_another_kind,
        lose_the_fit,
        write_a_list,
        leave_another_archive,
    ],
)
def test_damaged_and_foreign_files(saved, damage):
    damage(saved)
    with pytest.raises(ValueError, match="inverter.zip is damaged or not an inverter"):
        read_inverter(saved)
    # Nothing stays open.
    saved.unlink()


@pytest.mark.parametrize(
    "found, message",
    [
        ("mne_sbi inverter 3", "newer version of mne_sbi .*pip install --upgrade"),
        ("something else", "expected the format 'mne_sbi inverter 2', found 'someth"),
    ],
)
def test_other_formats(saved, found, message):
    rewrite(saved, lambda content: content.update(format=found))
    with pytest.raises(ValueError, match=message):
        read_inverter(saved)


def test_model_that_is_not_installed(saved):
    rewrite(saved, lambda content: content["fitted"]["model"].update(name="hopf"))
    with pytest.raises(RuntimeError, match="forward model 'hopf', which cannot be"):
        read_inverter(saved)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_inverter(tmp_path / "none.zip")
