import os

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

import mne_sbi
from mne_sbi._checks import (
    check_array,
    check_count,
    check_labels,
    check_one_per,
    check_option,
    check_rng,
    did_you_mean,
    draw_seed,
    write_atomically,
)
from mne_sbi.inference import NPE


@pytest.mark.parametrize(
    "given, options, hint",
    [
        ("resolvnt", ["raj2020", "resolvent"], " Did you mean 'resolvent'?"),
        ("HOPF", ["hopf"], " Did you mean 'hopf'?"),
        ("zzz", ["raj2020", "resolvent"], ""),
        ("a", [], ""),
    ],
)
def test_did_you_mean(given, options, hint):
    assert did_you_mean(given, options) == hint


def test_check_option():
    assert check_option("method", "npe", ["npe", "point"]) == "npe"
    assert check_option("scale", None, ["db", None]) is None
    with pytest.raises(ValueError) as error:
        check_option("method", "nep", ("npe", "point"))
    assert str(error.value) == (
        "Invalid value for 'method': 'nep'. Allowed: 'npe', 'point'. "
        "Did you mean 'npe'?"
    )
    with pytest.raises(ValueError, match="Invalid value for 'k': True"):
        check_option("k", True, [1, 2])
    with pytest.raises(ValueError, match="Invalid value for 'k': array"):
        check_option("k", np.ones(2), [1, None, "a"])


def test_check_rng_gives_the_same_stream_for_the_same_seed():
    one, two = check_rng(3).normal(size=4), check_rng(np.int64(3)).normal(size=4)
    np.testing.assert_array_equal(one, two)
    generator = np.random.default_rng(0)
    assert check_rng(generator) is generator
    legacy = np.random.RandomState(0)
    first, second = check_rng(legacy).random(), check_rng(legacy).random()
    assert first != second
    assert check_rng(np.random.RandomState(0)).random() == first
    assert check_rng(None).random() != check_rng(None).random()


@pytest.mark.parametrize(
    "given, error", [(-1, ValueError), ("1", TypeError), (1.5, TypeError)]
)
def test_check_rng_refuses(given, error):
    with pytest.raises(error, match="random_state must"):
        check_rng(given)


def test_draw_seed_leaves_the_global_generators_alone():
    before = np.random.get_state()[1].copy()
    assert draw_seed(7) == draw_seed(7)
    assert 0 <= draw_seed(None) < 2**31 - 1
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_check_array_accepts():
    value = np.ones((2, 3))
    assert check_array("x", value) is value
    assert check_array("x", [[1, 2]], shape=(None, 2)).dtype == float
    assert check_array("x", np.eye(3), shape=("n", "n")).shape == (3, 3)
    assert check_array("x", [1, 2], dtype=int).dtype == int
    assert check_array("x", ["a"], dtype=None).dtype.kind == "U"
    assert np.isnan(check_array("x", [np.nan], finite=False, positive=True)).all()


@pytest.mark.parametrize(
    "value, kwargs, error, message",
    [
        (np.ones(3), {"shape": (None, 3)}, ValueError, r"\(any, 3\), got \(3,\)"),
        (np.ones((2, 3)), {"shape": ("n", "n")}, ValueError, r"shape \(n, n\), got"),
        (np.ones(3), {"shape": (4,)}, ValueError, r"shape \(4,\), got \(3,\)"),
        ([[1, np.nan]], {}, ValueError, r"1 of its 2 values .* index \(0, 1\)"),
        ([1, -2.5], {"positive": True}, ValueError, "is -2.5 at index 1"),
        (0.0, {"positive": True}, ValueError, "x must be positive, but is 0"),
        ("abc", {}, TypeError, "array of float64, got str 'abc'"),
        (np.ones(2, complex), {}, TypeError, "must be real"),
        ([1.5], {"dtype": int}, TypeError, "must hold integers"),
        ([np.nan], {"dtype": int}, TypeError, "must hold integers"),
        ([[1], [1, 2]], {}, ValueError, "regular array"),
    ],
)
def test_check_array_refuses(value, kwargs, error, message):
    with pytest.raises(error, match=message):
        check_array("x", value, **kwargs)


def test_write_atomically(tmp_path):
    fname = tmp_path / "bank.npz"
    with write_atomically(fname) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npz"
        temporary.write_text("one")
        assert not fname.exists()
    assert fname.read_text() == "one"
    with (
        pytest.raises(FileExistsError, match="overwrite=True"),
        write_atomically(fname) as temporary,
    ):
        pass
    with (
        pytest.raises(RuntimeError, match="power cut"),
        write_atomically(fname, overwrite=True) as temporary,
    ):
        temporary.write_text("tw")
        raise RuntimeError("power cut")
    assert fname.read_text() == "one"
    with write_atomically(str(fname), overwrite=True) as temporary:
        temporary.write_text("two")
    assert fname.read_text() == "two"
    assert os.listdir(tmp_path) == ["bank.npz"]


def test_write_atomically_names_the_missing_folder(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="Create .*nowhere first"),
        write_atomically(tmp_path / "nowhere" / "bank.npz"),
    ):
        pass


def test_check_count():
    assert type(check_count("n", np.int64(3))) is int
    assert check_count("gap", 0, least=0) == 0
    for value in (0, -1, 2.0, "2", True, None):
        with pytest.raises(ValueError, match="n must be a positive integer, got "):
            check_count("n", value)
    with pytest.raises(ValueError, match="n must be an integer, 16 or more, got 15"):
        check_count("n", 15, 16)


class TestOnePer:
    @pytest.mark.parametrize(
        "make",
        [
            list,
            tuple,
            np.array,
            iter,
            lambda x: np.array(x, dtype=object),
            lambda x: (i for i in x),
            lambda x: pd.Series(x, index=[7, 2, 5]),
            lambda x: pd.Index(x),
            lambda x: pd.Series(x, dtype="category"),
            lambda x: dict.fromkeys(x).keys(),
        ],
    )
    @pytest.mark.parametrize("labels", [[3, 1, 2], ["c", "a", "b"], [0.5, 2, -1]])
    def test_any_sequence(self, make, labels):
        assert check_one_per("subject", make(labels), 3, "recording") == labels
        found = check_labels("subject", make(labels), 3, "recording")
        assert found.tolist() == labels and found.dtype.kind in "ifU"

    @pytest.mark.parametrize(
        "value, error, message",
        [
            ({"a": 1, "b": 2}, TypeError, r"dict, whose order .* list\(d.values\(\)\)"),
            ({1, 2}, TypeError, "set, whose order means nothing"),
            ("ab", TypeError, "one entry for each recording, got str 'ab'"),
            (2, TypeError, "one entry for each recording, got int 2"),
            (np.zeros((2, 1)), TypeError, "one entry .* got 2 dimensions"),
            (pd.DataFrame({"a": [1, 2]}), TypeError, "got 2 dimensions"),
            (np.array(1), TypeError, "one entry .* got an array"),
            ([1, 2, 3], ValueError, r"shape \(2,\), one entry .* got 3"),
        ],
    )
    def test_no_sequence(self, value, error, message):
        with pytest.raises(error, match=message):
            check_one_per("subject", value, 2, "recording")

    @pytest.mark.parametrize(
        "value, error, message",
        [
            ([1, "1"], TypeError, "numbers such as 1 and strings such as '1'"),
            (np.array([1, "1"], dtype=object), TypeError, "all strings or all numbers"),
            ([True, 1], TypeError, "booleans such as True and numbers such as 1"),
            ([("a", 1), ("b", 1)], TypeError, "values such as"),
            (["a", None], ValueError, "1 of 2 are missing"),
            ([1.0, np.nan], ValueError, "1 of 2 are missing"),
            (pd.Series([1, pd.NA], dtype="Int64"), ValueError, "1 of 2 are missing"),
        ],
    )
    def test_labels_that_cannot_be_told_apart(self, value, error, message):
        with pytest.raises(error, match=message):
            check_labels("subject", value, 2, "recording")

    def test_arrays_stay_as_they_are(self):
        value = np.arange(3, dtype=np.int8)
        assert check_labels("groups", value, 3, "pair") is value


@pytest.mark.parametrize(
    ("estimator", "key", "fragments"),
    [
        ("ModelInverter", "method__max_iter", ("method='npe'", "method=NPE()")),
        ("SGMInverter", "features__fmin", ("features=None", "features=LogPSD()")),
        ("ModelInverter", "model__sfreq", ("model='spectral_graph'", "model=Spectral")),
        ("EEG2fMRIRegressor", "architecture__max_iter", ("'residual'", "=Residual()")),
        ("EEG2fMRIRegressor", "target__n_components", ("'auto'", "=PCATarget()")),
    ],
)
def test_settings_of_parts_that_are_strings(estimator, key, fragments):
    estimator = getattr(mne_sbi, estimator)()
    with pytest.raises(ValueError, match=f"^{key} sets ") as error:
        estimator.set_params(**{key: 1})
    assert all(fragment in str(error.value) for fragment in fragments)
    # As GridSearchCV and Pipeline do.
    with pytest.raises(ValueError, match=f"^{key} sets "):
        make_pipeline(estimator).set_params(
            **{f"{type(estimator).__name__.lower()}__{key}": 1}
        )


def test_settings_of_parts_that_are_objects():
    inverter = mne_sbi.SGMInverter()
    inverter.set_params(method=NPE(), method__max_iter=3, n_draws=7)
    assert inverter.method.max_iter == 3 and inverter.n_draws == 7
    with pytest.raises(ValueError, match="method__embedding__units sets .*mlp"):
        inverter.set_params(method__embedding__units=3)
    with pytest.raises(ValueError, match="Invalid parameter 'methd'"):
        inverter.set_params(methd__max_iter=3)
