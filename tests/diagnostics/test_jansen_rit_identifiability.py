"""What is known of the Jansen-Rit model's identifiability, found again."""

import numpy as np
import pytest

from mne_sbi import Parameter, Prior
from mne_sbi._symmetries import find_symmetries
from mne_sbi.diagnostics import identifiability
from mne_sbi.features import LogPSD
from mne_sbi.models import JansenRit, Recorded

SIX = ("A", "B", "a", "b", "C", "mu")


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (SIX, []),
        (
            ("A", "B", "C", "mu", "sigma"),
            [{"A": 1, "B": 1, "C": -1, "mu": -1, "sigma": -1}],
        ),
        (
            ("C", "c1", "c2", "c3", "c4"),
            [{"C": 1, "c1": -1, "c2": -1, "c3": -1, "c4": -1}],
        ),
        (("B", "c4"), [{"B": 1, "c4": -1}]),
        (("C", "c1", "c2", "c3"), []),
        ((*SIX, "sigma", "v_max"), [1, 1]),
    ],
)
def test_symmetries_of_free_sets(free, expected):
    found = find_symmetries(JansenRit().get_symmetries(), free)
    if expected and not isinstance(expected[0], dict):
        assert len(found) == len(expected)
    else:
        assert found == expected


def test_combinations_have_no_symmetry():
    model = JansenRit(parameterization="combinations")
    free = [*model.default_free, "Asigma"]
    assert find_symmetries(model.get_symmetries(), free) == []
    assert len(find_symmetries(model.get_symmetries(), [*free, "c4"])) == 1


def test_unknown_gain_adds_a_symmetry():
    model = Recorded(JansenRit(sfreq=128.0, duration=4.0), noise=False)
    free = ["A", "B", "r", "v0"]
    assert find_symmetries(model.get_symmetries(), free) == []
    (found,) = find_symmetries(model.get_symmetries(), [*free, "gain"])
    assert {abs(e) for e in found.values()} == {1.0} and set(found) == {*free, "gain"}


def log_normal_like(names, at):
    """Priors of standard deviation 0.35 in the logarithm, as in the published table."""
    known = {p.name: p for p in JansenRit().get_parameters()}
    half = np.exp(0.35 * np.sqrt(3))
    centre = {name: at.get(name, known[name].default) for name in names}
    return Prior(
        [
            Parameter(n, c / half, c * half, c, known[n].unit, "log")
            for n, c in centre.items()
        ]
    )


# Posterior over prior sd from an independent computation with the same prior.
@pytest.mark.parametrize(
    ("synapses", "expected"),
    [
        (135.0, (0.08, 0.41, 0.08, 0.10, 0.12, 0.55)),
        pytest.param(
            108.0, (0.08, 0.89, 0.15, 0.32, 0.29, 0.98), marks=pytest.mark.slow
        ),
    ],
)
def test_contraction_of_the_spectrum_of_ten_seconds(synapses, expected):
    model = JansenRit(sfreq=128.0, duration=10.0)
    prior = log_normal_like(SIX, {"C": synapses})
    features = LogPSD(fmin=1.0, scaling="none")
    result = identifiability(model, prior, features, n_replicates=500, random_state=0)
    np.testing.assert_allclose(result.contraction, expected, atol=0.08)
    assert result.symmetries == ()
    # From sloppy to stiff over more than three orders of magnitude.
    assert result.eigenvalues[0] > 300 * max(result.eigenvalues[-1], 1e-9)
    assert "a" in str(result).splitlines()[1]


def test_nothing_is_known_along_an_exact_symmetry():
    model = JansenRit(sfreq=128.0, duration=10.0)
    result = identifiability(
        model,
        {"sigma": "free", "a": 100.0, "b": 50.0},
        at={"C": 135.0},
        n_replicates=200,
        random_state=0,
    )
    assert [set(s) for s in result.symmetries] == [{"A", "B", "C", "mu", "sigma"}]
    assert result.eigenvalues[-1] < 1e-9 * result.eigenvalues[0]
    assert "A, B, C, mu and sigma can be rescaled together" in str(result)


@pytest.mark.slow
def test_gain_and_noise_cannot_be_told_apart_where_the_node_is_linear():
    """There the spectrum is proportional to (gain sigma)^2."""
    model = Recorded(JansenRit(sfreq=128.0, duration=10.0), noise=False)
    prior = Prior(
        [
            Parameter("sigma", 0.8, 1.6, 1.0, "1/sqrt(s)", "log"),
            Parameter("gain", 0.5, 2.0, 1.0, "", "log"),
        ]
    )
    result = identifiability(
        model, prior, LogPSD(scaling="none"), fixed={"C": 108.0}, n_replicates=300
    )
    assert result.eigenvalues[0] > 100 and result.eigenvalues[1] < 0.5
    # Not an exact symmetry: the sigmoid bends for larger noise.
    assert result.symmetries == ()
