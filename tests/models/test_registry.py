import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mne_sbi.models import ForwardModelInfo, PluginError, get_model, list_models

PLUGIN = Path(__file__).parents[1] / "data" / "plugin_hopf"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a package with one model on the path."""

    def install(distribution, model, value, source=None):
        folder = tmp_path / distribution
        metadata = folder / f"{distribution.replace('-', '_')}-3.1.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 3.1\n"
        )
        (metadata / "entry_points.txt").write_text(
            f"[mne_sbi.forward_models]\n{model} = {value}\n"
        )
        if source is not None:
            module = value.partition(":")[0]
            (folder / f"{module}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(folder)

    return install


@pytest.fixture
def scratch_target(tmp_path):
    """The folder into which pip installed the third-party package."""
    # A build writes into the source tree: leave the repository's copy clean.
    source = shutil.copytree(PLUGIN, tmp_path / "source")
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command += ["--target", target, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run_with_plugin(target, program):
    """Run a program in which the installed plugin can be imported."""
    environment = os.environ | {"PYTHONPATH": str(target), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_builtin_models_come_through_the_entry_points():
    assert "spectral_graph" in list_models()
    (info,) = [i for i in list_models(details=True) if i.name == "spectral_graph"]
    assert info == ForwardModelInfo(
        "spectral_graph",
        "mne_sbi.models:SpectralGraphModel",
        "mne-sbi",
        info.version,
        "found",
    )


def test_get_model_returns_the_class():
    from mne_sbi.models import SpectralGraphModel

    assert get_model("spectral_graph") is SpectralGraphModel
    records = list_models(details=True, load=True)
    assert {i.name: i.status for i in records}["spectral_graph"] == "ok"


def test_unknown_model():
    with pytest.raises(ValueError) as error:
        get_model("spectral_grph")
    message = str(error.value)
    assert message.startswith("There is no forward model 'spectral_grph'. Installed: ")
    assert message.endswith("Did you mean 'spectral_graph'?")
    with pytest.raises(TypeError, match="class or instance can be used as it is"):
        get_model(ForwardModelInfo)


def test_broken_plugin_fails_only_when_asked_for(install):
    install(
        "broken-models", "broken", "broken_module:Model", "import not_installed_xyz"
    )
    assert "broken" in list_models()
    assert "broken_module" not in sys.modules
    get_model("spectral_graph")
    with pytest.raises(PluginError) as error:
        get_model("broken")
    message = str(error.value)
    assert "'broken' of broken-models 3.1 (broken_module:Model)" in message
    assert "ModuleNotFoundError: No module named 'not_installed_xyz'" in message
    assert "`pip uninstall broken-models`" in message
    assert isinstance(error.value.__cause__, ModuleNotFoundError)
    (info,) = [i for i in list_models(details=True, load=True) if i.name == "broken"]
    assert info.status == "broken"
    assert "not_installed_xyz" in info.error


@pytest.mark.parametrize(
    "value, source, message",
    [
        ("attribute_module:Model", "", "AttributeError"),
        ("raising_module:Model", "raise ValueError('no licence')", "no licence"),
        ("not a module at all", None, "cannot be imported"),
    ],
)
def test_other_ways_to_be_broken(install, value, source, message):
    install("broken-models", "broken", value, source)
    with pytest.raises(PluginError, match=f"broken-models 3.1 .*{message}"):
        get_model("broken")


@pytest.mark.parametrize("source", ["class Model: pass", "Model = 3"])
def test_plugin_that_is_no_forward_model(install, source):
    module = f"other_module_{len(source)}"
    install("other-models", "other", f"{module}:Model", source)
    with pytest.raises(PluginError, match="must be a subclass of mne_sbi.models.Forw"):
        get_model("other")


def test_two_packages_that_claim_one_name(install):
    install("models-one", "twin", "twin_one:Model", "raise RuntimeError")
    install("models-two", "twin", "twin_two:Model", "raise RuntimeError")
    assert list_models().count("twin") == 1
    twins = [i for i in list_models(details=True, load=True) if i.name == "twin"]
    assert [(i.distribution, i.status) for i in twins] == [
        ("models-one", "duplicate"),
        ("models-two", "duplicate"),
    ]
    with pytest.raises(PluginError) as error:
        get_model("twin")
    message = str(error.value)
    assert "models-one 3.1 (twin_one:Model) and models-two 3.1 (twin_two" in message
    assert "Uninstall all but one" in message


def test_a_plugin_cannot_replace_a_builtin_model(install):
    install("impostor", "spectral_graph", "impostor_module:Model")
    with pytest.raises(PluginError, match=r"impostor 3.1 .* and mne-sbi "):
        get_model("spectral_graph")


def test_the_plugin_is_short():
    files = [PLUGIN / "pyproject.toml", PLUGIN / "plugin_hopf.py"]
    assert sum(len(file.read_text().splitlines()) for file in files) < 60


# One test, because pip takes seconds to install: what a third party's user does.
@pytest.mark.slow
def test_real_plugin(scratch_target):
    printed = run_with_plugin(
        scratch_target,
        """
        import sys

        import mne_sbi
        from mne_sbi.models import get_model, list_models

        assert "hopf" in list_models()
        assert "plugin_hopf" not in sys.modules and "jax" not in sys.modules
        (info,) = [i for i in list_models(details=True) if i.name == "hopf"]
        print(info.distribution, info.version)

        import jax
        import numpy as np

        weights = np.ones((3, 3)) - np.eye(3)
        names = ["lh.insula", "rh.insula", "lh.cuneus"]
        connectome = mne_sbi.Connectome(weights, 0.1 * weights, names)
        model = get_model("hopf")(connectome, duration=4.0)
        params = {p.name: p.default for p in model.parameters} | {"growth": 1.0}
        data = model.simulate(params, jax.random.key(0))
        assert data.shape == (3, 800), data.shape
        # The oscillators oscillate where they were told to.
        power = np.abs(np.fft.rfft(data, axis=1)).sum(axis=0)
        print(np.fft.rfftfreq(800, 1 / 200)[power.argmax()])
        """,
    )
    distribution, peak = printed.splitlines()
    assert distribution == "plugin-hopf 1.2.0"
    assert float(peak) == pytest.approx(10, abs=0.5)


@pytest.mark.slow
def test_inversion_with_the_real_plugin(scratch_target):
    printed = run_with_plugin(
        scratch_target,
        """
        import numpy as np

        from mne_sbi import Connectome, ModelInverter, Prior
        from mne_sbi.features import LogPSD
        from mne_sbi.models import get_model

        weights = np.ones((3, 3)) - np.eye(3)
        names = ["lh.insula", "rh.insula", "lh.cuneus"]
        connectome = Connectome(weights, 0.1 * weights, names)
        inverter = ModelInverter(
            get_model("hopf")(connectome, sfreq=100.0, duration=10.0),
            prior={"growth": -2.0, "coupling": 5.0, "noise": 0.3},
            features=LogPSD(),
            method="npe",
            n_simulations=1000,
            random_state=0,
        )
        truth = np.array([[7.0], [13.0]])
        recordings = inverter.fit().inverse_transform(truth)
        posterior = inverter.predict_posterior(recordings)
        assert posterior.names == ("frequency",)
        print(*np.median(posterior.draws, axis=1).ravel())
        """,
    )
    low, high = map(float, printed.split())
    assert low == pytest.approx(7, abs=1)
    assert high == pytest.approx(13, abs=1)
