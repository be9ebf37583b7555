"""Fisher information against models whose information is known."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

from mne_sbi import Parameter, Prior
from mne_sbi.diagnostics import Identifiability, identifiability
from mne_sbi.features import FeatureExtractor, LogPSD
from mne_sbi.models import ForwardModel
from mne_sbi.viz import plot_identifiability


class Loudness(ForwardModel):
    """White noise whose standard deviation is a product: only that can be known."""

    parameters = (
        Parameter("a", 0.5, 2.0, 1.0, scale="log"),
        Parameter("b", 1.0, 3.0, 2.0, "V"),
        Parameter("idle", 0.0, 1.0, 0.5),
        Parameter("fail", 0.0, 1.0, 0.0),
    )
    default_free = ("a", "b")

    def __init__(self, sfreq=100.0, duration=10.0):
        self.sfreq = sfreq
        self.duration = duration

    def simulate(self, params, key):
        noise = jax.random.normal(key, (1, round(self.sfreq * self.duration)))
        bad = jax.random.uniform(jax.random.fold_in(key, 1)) < params["fail"]
        return jnp.where(bad, jnp.nan, params["a"] * params["b"] * noise)

    def check_valid(self, params):
        return params["b"] < 2.9

    def get_symmetries(self):
        return ({"a": 1, "b": -1}, {"idle": 1})


class Line(ForwardModel):
    """A straight line in white noise, the standard deviation of which is 2."""

    parameters = (Parameter("level", -3, 3, 0), Parameter("slope", -6, 6, 0))

    def __init__(self, n_times=20, noise=2.0):
        self.n_times = n_times
        self.noise = noise

    @property
    def sfreq(self):
        return 1.0

    def simulate(self, params, key):
        times = jnp.linspace(0, 1, self.n_times)
        noise = self.noise * jax.random.normal(key, (1, self.n_times))
        return params["level"] + params["slope"] * times + noise


class Samples(FeatureExtractor):
    """The series themselves."""

    def extract(self, data, sfreq):
        return np.asarray(data, np.float32)

    def extract_spectrum(self, psd, freqs):
        raise NotImplementedError

    def add_noise(self, summaries, rng, *, sampled=False):
        return summaries

    def normalize(self, summaries):
        return summaries

    def get_feature_names_out(self, node_names):
        raise NotImplementedError


def test_linear_regression():
    """The information of a linear model is known in closed form."""
    result = identifiability(
        Line(), features=Samples(), n_replicates=2000, random_state=0
    )
    design = np.stack([np.ones(20), np.linspace(0, 1, 20)])
    sd = np.array([6, 12]) / np.sqrt(12)
    expected = design @ design.T / 4 * np.outer(sd, sd)
    # The covariance of 20 features from 2000 replicates is good to some percent.
    np.testing.assert_allclose(result.fisher, expected, rtol=0.1)
    contraction = np.sqrt(np.diag(np.linalg.inv(expected + np.eye(2))))
    np.testing.assert_allclose(result.contraction, contraction, rtol=0.06)
    np.testing.assert_allclose(
        result.eigenvalues, np.linalg.eigvalsh(expected)[::-1], rtol=0.1
    )
    assert result.symmetries == () and result.n_features == 20


def test_more_features_than_replicates_shrinks_and_does_not_invent():
    result = identifiability(
        Line(n_times=300), features=Samples(), n_replicates=100, random_state=0
    )
    design = np.stack([np.ones(300), np.linspace(0, 1, 300)])
    sd = np.array([6, 12]) / np.sqrt(12)
    expected = design @ design.T / 4 * np.outer(sd, sd)
    np.testing.assert_allclose(result.fisher, expected, rtol=0.3)


def test_what_is_not_there_is_not_found():
    """Features of pure noise would look informative if errors were not taken out."""
    result = identifiability(
        Loudness(),
        {"a": "free", "b": 2.0, "idle": "free"},
        LogPSD(scaling="none"),
        n_replicates=300,
        random_state=0,
    )
    assert result.names == ("a", "idle")
    assert result.contraction[1] == pytest.approx(1.0, abs=0.02)
    assert result.fisher[1, 1] < 0.05
    # 2 n_times for the logarithm of a standard deviation; windows lose a little.
    sd = np.log(4) / np.sqrt(12)
    assert 0.6 < result.fisher[0, 0] / (2 * 1000 * sd**2) < 1.1


def test_only_the_product_is_known():
    result = identifiability(Loudness(), n_replicates=300, random_state=0)
    assert result.symmetries == ({"a": 1.0, "b": -1.0},)
    best, worst = result.eigenvalues
    assert best > 100 and worst < 1e-3 * best
    sd = np.array([np.log(4) / np.sqrt(12), 2 / np.sqrt(12)])
    # Along the symmetry: log a rises by 1 where b falls by b.
    null = np.array([1, -2]) / sd
    null /= np.linalg.norm(null)
    assert abs(null @ result.eigenvectors[:, 1]) > 0.99
    # What is left of each is its part in the direction that nobody knows.
    np.testing.assert_allclose(result.contraction, np.abs(null), atol=0.05)
    assert "a and b can be rescaled together" in str(result)
    assert "multiply a by k and divide b by k" in str(result)
    known = identifiability(Loudness(), {"b": 2.0}, n_replicates=300, random_state=0)
    assert known.symmetries == ()
    assert known.contraction[0] < 0.1
    assert "No exact symmetry" in str(known)


def test_features_whose_mean_tells_nothing_are_warned_of():
    """The samples themselves have zero mean, however loud."""
    with pytest.warns(RuntimeWarning, match="features=LogPSD"):
        identifiability(Loudness(duration=1.0), {"b": 2.0}, Samples(), n_replicates=500)


def test_same_seed_same_result_and_errors_are_honest():
    kwargs = {"prior": {"b": 2.0}, "n_replicates": 400}
    results = [identifiability(Loudness(), random_state=i, **kwargs) for i in range(20)]
    again = identifiability(Loudness(), random_state=3, **kwargs)
    np.testing.assert_array_equal(again.fisher, results[3].fisher)
    spread = np.std([r.contraction[0] for r in results])
    claimed = np.mean([r.contraction_error[0] for r in results])
    assert 0.5 < claimed / spread < 2


def test_failed_simulations_are_left_out_in_pairs():
    result = identifiability(
        Loudness(),
        {"b": 2.0},
        fixed={"fail": 0.2},
        n_replicates=400,
        random_state=0,
    )
    assert 40 < result.n_failed < 120
    assert result.n_replicates == 400 - result.n_failed
    assert result.contraction[0] < 0.1
    with pytest.raises(RuntimeError, match="not finite"):
        identifiability(Loudness(), {"b": 2.0}, fixed={"fail": 0.9}, n_replicates=100)


def test_point_and_edge_of_the_prior():
    result = identifiability(
        Loudness(), at={"a": 2.0}, n_replicates=100, random_state=0
    )
    np.testing.assert_allclose(result.at, [2.0, 2.0])
    # One-sided at the edge, with nearly the same information about the product.
    middle = identifiability(Loudness(), n_replicates=100, random_state=0)
    assert result.eigenvalues[0] == pytest.approx(middle.eigenvalues[0], rel=0.3)
    assert identifiability(Loudness(), n_replicates=50).at[0] == pytest.approx(1.0)


def test_spectral_model(connectome_of_five):
    from mne_sbi.models import SpectralGraphModel

    model = SpectralGraphModel(connectome_of_five, freqs=np.arange(4.0, 31.0, 2.0))
    prior = {"alpha": (0.1, 1.0), "tau_e": (0.005, 0.02)}
    prior |= {p.name: p.default for p in model.get_parameters() if p.name not in prior}
    result = identifiability(model, prior, n_replicates=300, random_state=0)
    assert result.n_features == 5 * 14
    assert (result.contraction < 1).all()
    with pytest.raises(ValueError, match="SpectralNoise"):
        identifiability(
            model,
            prior,
            LogPSD(freqs=model.get_freqs(), scaling="none"),
            n_replicates=50,
        )


@pytest.fixture
def connectome_of_five():
    from mne_sbi.testing import make_connectome

    return make_connectome(5)


def test_result_and_figure():
    result = identifiability(Loudness(), n_replicates=100, random_state=0)
    assert repr(result).startswith("<Identifiability | 87 features, 100 replicates")
    assert "1 exact symmetry" in repr(result)
    table = result.summary()
    assert table["parameter"].tolist() == ["a", "b"]
    np.testing.assert_allclose(
        table["posterior_sd"], table["prior_sd"] * table["contraction"]
    )
    directions = result.directions
    assert list(directions.columns) == ["information", "contraction", "a", "b"]
    np.testing.assert_allclose((directions[["a", "b"]] ** 2).sum(axis=1), 1)
    with pytest.raises(AttributeError):
        result.fisher = None
    fig = plot_identifiability(result, show=False)
    fig.canvas.draw()
    left, right = fig.axes[:2]
    assert [t.get_text() for t in left.get_yticklabels()] == ["a", "b"]
    assert "posterior / prior" in left.get_xlabel()
    assert "a and b can be rescaled" in fig.get_supxlabel()
    assert right.get_images()[0].get_array().shape == (2, 2)
    plt.close("all")


def test_words_name_what_matters():
    prior = Prior([Parameter(name, 0, 1, 0.5) for name in "abc"])
    fisher = np.diag([99.0, 1.0, 0.0])
    result = Identifiability(prior, np.full(3, 0.5), fisher, np.zeros(3), (), 10, 100)
    text = str(result)
    assert "Well determined: a 0.10." in text
    assert "Partly determined: b 0.71." in text
    assert "Hardly determined: c 1.00." in text
    assert "Best known direction: 1.00 a (0.1 of the prior's width is left)." in text
    assert "Least known direction: 1.00 c (1 of the prior's width is left)." in text


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"at": {"c": 1.0}}, ValueError, "Unknown parameter 'c'"),
        ({"at": {"a": 9.0}}, ValueError, "outside its prior"),
        ({"at": 1.0}, TypeError, "must be a dict"),
        ({"at": {"b": 2.9}}, ValueError, "refuses"),
        ({"n_replicates": 10}, ValueError, "at least 50"),
        ({"n_replicates": 99.5}, TypeError, "integer"),
        ({"step": 0.0}, ValueError, "positive"),
        ({"fixed": {"a": 1.0}}, ValueError, "both fixed and drawn"),
        ({"features": "psd"}, TypeError, "FeatureExtractor"),
    ],
)
def test_bad_input(kwargs, error, match):
    with pytest.raises(error, match=match):
        identifiability(Loudness(), **kwargs)
