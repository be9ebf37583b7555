"""The posterior object: numbers, selection, files."""

import sys

import numpy as np
import pandas as pd
import pytest

from mne_sbi import Parameter, Posterior, Prior, read_posterior

PRIOR = Prior(
    [
        Parameter("tau_e", 0.005, 0.02, 0.012, "s"),
        Parameter("speed", 1.0, 20.0, 10.0, "m/s", scale="log"),
    ]
)


def make(n_obs=3, n_draws=400, *, prior=PRIOR, obs_names=("s1", "s2", "s3")):
    draws = PRIOR.sample(n_obs * n_draws, 0).reshape(n_obs, n_draws, 2)
    names = None if obs_names is None else obs_names[:n_obs]
    return Posterior(draws, PRIOR.names, PRIOR.units, prior=prior, obs_names=names)


def test_statistics_are_those_of_the_draws():
    posterior = make()
    assert (posterior.n_obs, posterior.n_draws, len(posterior)) == (3, 400, 3)
    np.testing.assert_array_equal(posterior.mean, posterior.draws.mean(axis=1))
    np.testing.assert_array_equal(posterior.median, np.median(posterior.draws, axis=1))
    lower, upper = posterior.interval(0.8)
    inside = (posterior.draws > lower[:, None]) & (posterior.draws < upper[:, None])
    np.testing.assert_allclose(inside.mean(axis=1), 0.8, atol=0.005)
    assert not posterior.draws.flags.writeable


def test_summary_has_a_row_per_observation_and_parameter():
    posterior = make(n_draws=20_000)
    table = posterior.summary()
    assert table["obs"].tolist() == ["s1", "s1", "s2", "s2", "s3", "s3"]
    assert table["parameter"].tolist() == ["tau_e", "speed"] * 3
    assert table["unit"].tolist() == ["s", "m/s"] * 3
    np.testing.assert_array_equal(table["mean"], posterior.mean.ravel())
    # Draws from the prior itself: nothing was learnt.
    np.testing.assert_allclose(table["contraction"], 0.0, atol=0.03)
    np.testing.assert_allclose(
        table.loc[0, ["lower", "upper"]].tolist(), [0.00575, 0.01925], rtol=0.03
    )
    assert "contraction" not in make(prior=None).summary()
    assert make(obs_names=None).summary()["obs"].tolist() == [0, 0, 1, 1, 2, 2]


def test_contraction_of_a_narrow_posterior():
    draws = np.full((1, 100, 2), [0.01, 5.0])
    table = Posterior(draws, PRIOR.names, PRIOR.units, prior=PRIOR).summary()
    np.testing.assert_allclose(table["contraction"], 1.0)


def test_observations_are_selected_by_number_and_name():
    posterior = make()
    for index in (1, "s2", -2):
        chosen = posterior[index]
        assert chosen.n_obs == 1 and chosen.obs_names == ("s2",)
        np.testing.assert_array_equal(chosen.draws[0], posterior.draws[1])
    assert posterior[1:].obs_names == ("s2", "s3")
    assert posterior[[2, 0]].obs_names == ("s3", "s1")
    assert [one.obs_names[0] for one in posterior] == ["s1", "s2", "s3"]
    with pytest.raises(KeyError, match="Did you mean 'sub-1'"):
        make(obs_names=("sub-1", "x", "y"))["sub-11"]
    with pytest.raises(KeyError, match="no names"):
        make(obs_names=None)["s1"]
    with pytest.raises(IndexError):
        posterior[3]


def test_names_of_observations_are_any_sequence():
    for names in (pd.Series([7, 8], index=[1, 0]), pd.Index([7, 8]), iter(["7", "8"])):
        posterior = Posterior(np.ones((2, 5, 2)), ["a", "b"], ["", ""], obs_names=names)
        assert posterior.obs_names == ("7", "8")
    for wrong, message in (
        ("ab", "one entry for each observation, got str 'ab'"),
        ({"a": 1, "b": 2}, "got a dict, whose order means nothing"),
        ({"a", "b"}, "got a set, whose order means nothing"),
    ):
        with pytest.raises(TypeError, match=message):
            Posterior(np.ones((2, 5, 2)), ["a", "b"], ["", ""], obs_names=wrong)
    with pytest.raises(ValueError, match="2 different names"):
        Posterior(np.ones((2, 5, 2)), ["a", "b"], ["", ""], obs_names=[1, "1"])


def test_repr_names_parameters_and_units():
    expected = "<Posterior | 1 observation, 400 draws each, of tau_e (s), speed (m/s)>"
    assert repr(make(1)) == expected


@pytest.mark.parametrize("prior", [None, PRIOR])
@pytest.mark.parametrize("obs_names", [None, ("s1", "s2", "s3")])
def test_file_round_trip(tmp_path, prior, obs_names):
    posterior = make(prior=prior, obs_names=obs_names)
    posterior.save(tmp_path / "p.npz")
    again = read_posterior(tmp_path / "p.npz")
    np.testing.assert_array_equal(again.draws, posterior.draws)
    assert again.names == posterior.names and again.units == posterior.units
    assert again.obs_names == posterior.obs_names and again.prior == posterior.prior
    with pytest.raises(FileExistsError, match="overwrite=True"):
        posterior.save(tmp_path / "p.npz")
    posterior[0].save(tmp_path / "p.npz", overwrite=True)
    assert len(read_posterior(tmp_path / "p.npz")) == 1


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match="is damaged or not a posterior .*Post"):
        read_posterior(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="must end in .npz"):
        make().save(tmp_path / "p.pkl")
    assert [p.name for p in tmp_path.iterdir()] == ["other.npz"]


def test_to_xarray(monkeypatch):
    posterior = make()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "xarray", None)
        with pytest.raises(ImportError, match="pip install xarray"):
            posterior.to_xarray()
    pytest.importorskip("xarray")
    dataset = posterior.to_xarray()
    assert dataset["speed"].dims == ("obs", "draw")
    assert dataset["obs"].to_numpy().tolist() == ["s1", "s2", "s3"]
    np.testing.assert_array_equal(dataset["draw"], np.arange(400))
    np.testing.assert_array_equal(
        dataset["speed"].sel(obs="s2"), posterior["s2"].draws[0, :, 1]
    )
    attrs = {"units": "m/s", "prior_low": 1.0, "prior_high": 20.0, "prior_scale": "log"}
    assert attrs.items() <= dataset["speed"].attrs.items()
    assert dataset.attrs["inference_library"] == "mne_sbi"
    bare = make(prior=None, obs_names=None).to_xarray()
    assert bare["obs"].to_numpy().tolist() == [0, 1, 2]
    assert bare["speed"].attrs == {"units": "m/s"}


def test_xarray_has_the_form_that_arviz_wants():
    xarray = pytest.importorskip("xarray")
    dataset = make().to_xarray()
    # As the docstring says it.
    dataset = dataset.expand_dims("chain").transpose("chain", "draw", "obs")
    assert dataset["tau_e"].dims == ("chain", "draw", "obs")
    assert isinstance(dataset, xarray.Dataset)


def test_a_row_per_observation():
    posterior = make(n_draws=50)
    table = posterior.to_data_frame(level=0.8)
    assert table.index.tolist() == ["s1", "s2", "s3"] and table.index.name == "obs"
    assert table.columns.tolist() == [
        *("tau_e", "tau_e_lower", "tau_e_upper"),
        *("speed", "speed_lower", "speed_upper"),
    ]
    lower, upper = posterior.interval(0.8)
    np.testing.assert_array_equal(table["speed"], posterior.mean[:, 1])
    np.testing.assert_array_equal(table["tau_e_lower"], lower[:, 0])
    np.testing.assert_array_equal(table["speed_upper"], upper[:, 1])
    assert make(obs_names=None).to_data_frame().index.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="between 0 and 1"):
        posterior.to_data_frame(90)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": np.zeros((3, 2))}, "draws must have shape"),
        ({"draws": np.zeros((0, 5, 2))}, "must not be empty"),
        ({"draws": np.full((1, 5, 2), np.nan)}, "draws must be finite"),
        ({"units": ["s"]}, "as many names and units"),
        ({"names": ["tau_e", "speeed"], "prior": PRIOR}, "those of the prior"),
        ({"obs_names": ["a", "b"]}, "one entry for each observation"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {
        "draws": np.ones((1, 5, 2)),
        "names": PRIOR.names,
        "units": PRIOR.units,
    }
    with pytest.raises(ValueError, match=message):
        Posterior(**(arguments | change))


def test_bad_level():
    with pytest.raises(ValueError, match="between 0 and 1"):
        make().interval(90)


def test_warnings_are_kept_and_shown(tmp_path):
    texts = ("The recording is short.", "The connectome is synthetic.")
    quiet = make()
    posterior = Posterior(
        quiet.draws, PRIOR.names, PRIOR.units, PRIOR, quiet.obs_names, texts
    )
    assert quiet.warnings == () and "warning" not in repr(quiet)
    assert posterior["s2"].warnings == posterior[1:].warnings == texts
    assert "2 warnings" in repr(posterior) and "1 warning," in repr(
        Posterior(quiet.draws, PRIOR.names, PRIOR.units, warnings=texts[:1])
    )
    for table in (posterior.summary(), posterior.to_data_frame()):
        assert (table["warnings"] == 2).all()
        assert table.attrs["warnings"] == list(texts)
    assert "warnings" not in quiet.summary() and "warnings" not in quiet.to_data_frame()
    posterior.save(tmp_path / "posterior.npz")
    assert read_posterior(tmp_path / "posterior.npz").warnings == texts
    with pytest.raises(TypeError, match="warnings must be a list"):
        Posterior(quiet.draws, PRIOR.names, PRIOR.units, warnings="short")
