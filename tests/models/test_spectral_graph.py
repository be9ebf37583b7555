"""The spectral graph model against its equations, written out here once more."""

import jax
import numpy as np
import pytest

from mne_sbi import Connectome, Prior
from mne_sbi.datasets import read_group_connectome, read_spectrome
from mne_sbi.models import SpectralGraphModel
from mne_sbi.testing import make_connectome

VARIANTS = ("resolvent", "raj2020", "raj2020_local_alpha", "verma2022", "jin2023")
FREQS = (2.0, 5.5, 9.0, 14.0, 21.0, 33.0, 45.0)


# ---------------------------------------------------------------------------
# The published equations, one frequency and one draw at a time. Nothing here comes
# from the package, and the code is written for reading, not for speed.


def plain_spectrum(connectome, freqs, p, variant):
    """Power, shape (n_nodes, n_freqs)."""
    columns = [
        plain_magnitude(connectome, 2 * np.pi * freq, p, variant) for freq in freqs
    ]
    return np.transpose(columns) ** 2


def plain_laplacian(connectome, omega, alpha, speed):
    weights, lengths = connectome.weights, connectome.lengths
    n = len(weights)
    row_degree, column_degree = weights.sum(axis=1), weights.sum(axis=0)
    total = row_degree + column_degree
    laplacian = np.eye(n, dtype=complex)
    for i in range(n):
        if total[i] < 0.2 * total.mean():
            continue  # the degree counts as infinite
        for j in range(n):
            delayed = weights[i, j] * np.exp(-1j * omega * lengths[i, j] / speed)
            degree = np.sqrt(row_degree[i] * column_degree[i])
            laplacian[i, j] -= alpha * delayed / degree
    return laplacian


def plain_local_2020(s, p, coupling):
    f_e = 1 / (1 + s * p["tau_e"]) ** 2
    f_i = p["g_ii"] / (1 + s * p["tau_i"]) ** 2
    h_e = coupling / p["tau_e"] / (s + coupling * f_e / p["tau_e"])
    h_i = coupling / p["tau_i"] / (s + coupling * f_i / p["tau_i"])
    h_ei = p["g_ei"] * f_e * f_i / (1 + p["g_ei"] * f_e * f_i)
    return h_e / 2 + h_i / 4 + h_ei / 4


def plain_local_2022(s, p):
    f_e, f_i = 1 / (1 + s * p["tau_e"]) ** 2, 1 / (1 + s * p["tau_i"]) ** 2
    a, b = s + f_i * p["g_ii"] / p["tau_i"], s + f_e / p["tau_e"]
    x = p["g_ei"] * f_e * f_i
    h_e = (1 + x / (p["tau_e"] * a)) / (b + x**2 / (p["tau_e"] * p["tau_i"] * a))
    h_i = (1 - x / (p["tau_i"] * b)) / (a + x**2 / (p["tau_e"] * p["tau_i"] * b))
    return h_e + h_i


def plain_floor(q):
    smallest = 0.05 * np.abs(q).max()
    return np.array([smallest * z / abs(z) if abs(z) < smallest else z for z in q])


def plain_magnitude(connectome, omega, p, variant):
    s = 1j * omega
    laplacian = plain_laplacian(connectome, omega, p["alpha"], p["speed"])
    f_e, f_g = 1 / (1 + s * p["tau_e"]) ** 2, 1 / (1 + s * p["tau_g"]) ** 2
    if variant == "resolvent":
        system = s * np.eye(len(laplacian)) + f_g / p["tau_g"] * laplacian
        transfer = plain_local_2022(s, p) * np.linalg.inv(system)
        return np.linalg.norm(transfer, axis=1)
    eigenvalues, vectors = np.linalg.eig(laplacian)
    if variant in ("verma2022", "jin2023"):
        response = f_e if variant == "verma2022" else f_g
        q = plain_floor(s + response * eigenvalues / p["tau_g"])
        transfer = vectors @ np.diag(plain_local_2022(s, p) / q) @ vectors.conj().T
        return np.linalg.norm(transfer, axis=1)
    if variant == "raj2020":
        local = plain_local_2020(s, p, 1.0)
        q = p["tau_g"] * s + f_e * eigenvalues
    else:
        local = plain_local_2020(s, p, p["alpha"])
        tau = p["tau_g"] / p["alpha"]
        q = tau * (s + p["alpha"] * f_e * eigenvalues / p["tau_g"])
    q = plain_floor(q)
    # The first mode is left out; the documented phase: largest component positive.
    modes = np.argsort(np.abs(eigenvalues))[1 : round(2 / 3 * len(eigenvalues))]
    answer = 0
    for k in modes:
        vector = vectors[:, k]
        pivot = vector[np.argmax(np.abs(vector))]
        answer = answer + local / q[k] * vector * np.abs(pivot) / pivot
    return np.abs(answer)


# ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "spectrome"


@pytest.fixture(scope="module")
def group(folder):
    return read_group_connectome(folder)


@pytest.fixture(scope="module")
def people(folder):
    return read_spectrome(folder)


def lopsided_connectome(n_nodes=12, seed=3):
    """A connectome with directed connections, and two nodes that listen to nobody."""
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(0, 1.5, (n_nodes, n_nodes)) * (1 - np.eye(n_nodes))
    weights[4] = weights[:, 4] = 0.0
    weights[7] *= 1e-4
    weights[:, 7] *= 1e-2
    lengths = rng.uniform(0.02, 0.15, (n_nodes, n_nodes))
    return Connectome(weights, lengths, [f"node_{i}" for i in range(n_nodes)])


def draw(model, n, seed=0, valid=True):
    prior = Prior(model.get_parameters())
    theta = prior.sample(80 * n + 80, seed)  # 3 % are valid for verma2022
    if valid:
        theta = theta[model.check_valid(prior.as_dict(theta))]
    return prior.as_dict(theta[:n])


def row_of(params, i):
    return {name: float(value[i]) for name, value in params.items()}


def error_db(power, expected):
    return np.abs(10 * np.log10(power / expected))


def permuted(connectome, order):
    names = [connectome.names[i] for i in order]
    index = np.ix_(order, order)
    return Connectome(connectome.weights[index], connectome.lengths[index], names)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("make", [make_connectome, lopsided_connectome])
def test_equations_on_small_connectomes(variant, make):
    connectome = make(12)
    model = SpectralGraphModel(connectome, FREQS, variant=variant)
    # Without the filter for stability: the formulas hold wherever they are finite.
    params = draw(model, 8, valid=False)
    power = model.compute_spectrum(params)
    assert power.dtype == np.float64 and power.shape == (8, 12, len(FREQS))
    for i in range(8):
        expected = plain_spectrum(connectome, FREQS, row_of(params, i), variant)
        np.testing.assert_allclose(power[i], expected, rtol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_equations_on_group_connectome(variant, group):
    model = SpectralGraphModel(group, FREQS, variant=variant)
    params = draw(model, 2, valid=False)
    power = model.compute_spectrum(params)
    for i in range(2):
        expected = plain_spectrum(group, FREQS, row_of(params, i), variant)
        np.testing.assert_allclose(power[i], expected, rtol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_simulate_in_single_precision(variant):
    """Rounding of 1e-7 grows by the condition of the eigenvectors."""
    connectome = make_connectome(12)
    model = SpectralGraphModel(connectome, FREQS, variant=variant)
    params = draw(model, 4)
    run = jax.jit(model.simulate)
    for i in range(4):
        power = np.asarray(run(row_of(params, i), None))
        expected = plain_spectrum(connectome, FREQS, row_of(params, i), variant)
        assert power.dtype == np.float32
        assert error_db(power, expected).max() < 0.02


def test_simulate_resolvent_on_group_connectome(group):
    model = SpectralGraphModel(group, FREQS)
    params = draw(model, 2)
    expected = model.compute_spectrum(params)
    for i in range(2):
        power = np.asarray(model.simulate(row_of(params, i), None))
        assert error_db(power, expected[i]).max() < 0.002


def test_single_parameters_and_defaults():
    """Parameters that are left out have their defaults; scalars are draws of one."""
    model = SpectralGraphModel(make_connectome(6), FREQS)
    defaults = {p.name: p.default for p in model.get_parameters()}
    power = model.compute_spectrum({"alpha": 0.3, "speed": [6.0, 12.0]})
    for i, speed in enumerate([6.0, 12.0]):
        p = defaults | {"alpha": 0.3, "speed": speed}
        expected = plain_spectrum(model.connectome, FREQS, p, "resolvent")
        np.testing.assert_allclose(power[i], expected, rtol=1e-6)


def test_unconnected_node_shows_the_local_response():
    connectome = lopsided_connectome()
    model = SpectralGraphModel(connectome, FREQS)
    params = draw(model, 3)
    power = model.compute_spectrum(params)
    for i in range(3):
        p = row_of(params, i)
        s = 2j * np.pi * np.array(FREQS)
        alone = s + 1 / (1 + s * p["tau_g"]) ** 2 / p["tau_g"]
        expected = np.abs(plain_local_2022(s, p) / alone) ** 2
        np.testing.assert_allclose(power[i, 4], expected, rtol=1e-9)
        # Node 7 sends to others, but its own row is cut as well.
        np.testing.assert_allclose(power[i, 7], expected, rtol=1e-9)


def test_published_correlations(people):
    """Verma et al. 2022: all people, from their connectomes and fitted parameters."""
    correlations = []
    for i, connectome in enumerate(people.connectomes):
        model = SpectralGraphModel(connectome, people.freqs, variant="verma2022")
        fit = people.fits.iloc[i]
        names = [p.name for p in model.get_parameters()]
        power = model.compute_spectrum({name: fit[name] for name in names})[0, :68]
        # The paper correlates 20 log10 of the magnitude with 20 log10 of the power.
        pairs = zip(10 * np.log10(power), 20 * np.log10(people.psd[i]), strict=True)
        correlations.append(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))
    np.testing.assert_allclose(correlations, people.fits["pearsonr"], atol=0.006)
    assert np.mean(correlations) == pytest.approx(0.8911, abs=0.002)


@pytest.mark.parametrize(
    ("variant", "engine"),
    [(v, e) for v in VARIANTS for e in ("exact", "shared")]
    + [("resolvent", "table"), ("jin2023", "table")],
)
def test_permutation_of_regions(variant, engine):
    connectome = make_connectome(10)
    order = np.random.default_rng(1).permutation(10)
    options = {"variant": variant, "engine": engine, "verbose": False}
    model = SpectralGraphModel(connectome, FREQS, **options)
    other = SpectralGraphModel(permuted(connectome, order), FREQS, **options)
    assert other.node_names == tuple(model.node_names[i] for i in order)
    params = draw(model, 5)
    np.testing.assert_array_equal(model.check_valid(params), other.check_valid(params))
    first, second = model.simulate_batch(params), other.simulate_batch(params)
    # The table is truncated, and where depends on the order by rounding.
    limit = 0.005 if engine == "table" else 1e-4
    assert error_db(second, first[:, order]).max() < limit
    assert error_db(second, first).max() > 0.5


@pytest.mark.parametrize("variant", VARIANTS)
def test_permutation_with_unconnected_nodes(variant, people):
    """Equal eigenvalues of unconnected nodes leave no freedom that LAPACK uses."""
    connectome = people.connectomes[0]
    order = np.random.default_rng(1).permutation(connectome.n_nodes)
    model = SpectralGraphModel(connectome, (6.0, 25.0), variant=variant)
    other = SpectralGraphModel(
        permuted(connectome, order), (6.0, 25.0), variant=variant
    )
    params = draw(model, 2)
    first, second = model.compute_spectrum(params), other.compute_spectrum(params)
    np.testing.assert_allclose(second, first[:, order], rtol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("make", [make_connectome, lopsided_connectome])
def test_shared_engine(variant, make):
    model = SpectralGraphModel(make(12), FREQS, variant=variant, engine="shared")
    params = draw(model, 60)
    params["speed"] = np.repeat([6.0, 11.0, 17.0], 20)
    params["speed"][[3, 40]] = 9.0
    power = model.simulate_batch(params)
    assert power.dtype == np.float32
    np.testing.assert_allclose(power, model.compute_spectrum(params), rtol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_shared_engine_on_group_connectome(variant, group):
    freqs = (4.0, 10.0, 30.0)
    model = SpectralGraphModel(group, freqs, variant=variant, engine="shared")
    params = draw(model, 10)
    params["speed"][:] = 8.0
    expected = model.compute_spectrum(params)
    np.testing.assert_allclose(model.simulate_batch(params), expected, rtol=1e-4)


def test_shared_parameter():
    assert SpectralGraphModel().shared_parameter is None
    assert SpectralGraphModel(variant="raj2020").shared_parameter == "speed"
    assert SpectralGraphModel(engine="shared").shared_parameter == "speed"


def test_gradient_of_resolvent():
    model = SpectralGraphModel(make_connectome(10), FREQS)
    params = row_of(draw(model, 1, seed=4), 0)
    jacobian = jax.jacobian(lambda p: jax.numpy.log(model.simulate(p, None)))(params)
    for name, value in params.items():
        step = 1e-4 * value
        sides = {name: [value - step, value + step]}
        low, high = np.log(model.compute_spectrum(params | sides))
        expected = (high - low) / (2 * step)
        got = np.asarray(jacobian[name])
        assert np.abs(got - expected).max() < 1e-3 * np.abs(expected).max(), name


def test_gradient_of_eigenvector_variants_is_refused():
    assert SpectralGraphModel().differentiable
    model = SpectralGraphModel(make_connectome(6), FREQS, variant="jin2023")
    assert not model.differentiable
    params = {p.name: p.default for p in model.get_parameters()}
    with pytest.raises(NotImplementedError, match="eig"):
        jax.grad(lambda p: model.simulate(p, None).sum())(params)


def test_exact_engine_is_compute_spectrum():
    model = SpectralGraphModel(make_connectome(6), FREQS, engine="exact")
    params = draw(model, 3)
    power = model.simulate_batch(params)
    assert power.dtype == np.float32
    np.testing.assert_array_equal(
        power, model.compute_spectrum(params).astype(np.float32)
    )


@pytest.mark.parametrize("engine", ["table", "shared", "exact"])
def test_no_draws(engine):
    model = SpectralGraphModel(make_connectome(6), FREQS, engine=engine, verbose=False)
    power = model.simulate_batch({"alpha": np.empty(0)})
    assert power.shape == (0, 6, len(FREQS))
    assert model.check_valid({"alpha": np.empty(0)}).shape == (0,)


def test_defaults_are_valid():
    for variant in VARIANTS:
        model = SpectralGraphModel(variant=variant)
        assert model.check_valid({}).all(), variant
        names = [p.name for p in model.get_parameters()]
        assert set(model.default_free) < set(names)
        assert {"g_ei", "g_ii"} == set(names) - set(model.default_free)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "raj202"}, r"'variant': 'raj202'.*Did you mean 'raj2020'\?"),
        ({"engine": "tables"}, r"'engine': 'tables'.*Did you mean 'table'\?"),
        ({"freqs": [4.0, 3.0]}, "freqs must increase"),
        ({"freqs": [4.0, 4.0]}, "freqs must increase"),
        ({"freqs": [0.0, 4.0]}, "freqs"),
        ({"freqs": [4.0, np.nan]}, "freqs"),
        ({"freqs": [[4.0, 5.0]]}, "freqs"),
        ({"variant": "raj2020", "engine": "table"}, "engine='shared'"),
        ({"variant": "verma2022", "engine": "table"}, "engine='shared'"),
    ],
)
@pytest.mark.parametrize("method", ["simulate_batch", "prepare"])
def test_wrong_settings(settings, message, method):
    model = SpectralGraphModel(make_connectome(5), **settings)
    with pytest.raises(ValueError, match=message):
        model.prepare() if method == "prepare" else model.simulate_batch({})


def test_wrong_connectome():
    model = SpectralGraphModel(np.ones((3, 3)))
    with pytest.raises(TypeError, match=r"mne_sbi\.Connectome"):
        model.simulate_batch({})


def test_wrong_parameters():
    model = SpectralGraphModel(make_connectome(5), engine="exact")
    for call in (model.simulate_batch, model.compute_spectrum, model.check_valid):
        with pytest.raises(ValueError, match=r"'tau'.*Did you mean 'tau_[egi]'\?"):
            call({"tau": 0.01})
        with pytest.raises(ValueError, match="alpha"):
            call({"alpha": np.nan})
        with pytest.raises(ValueError, match="same length"):
            call({"alpha": [0.1, 0.2], "speed": [5.0, 6.0, 7.0]})
        with pytest.raises(ValueError, match="tau_e must be positive, got -0.01 s"):
            call({"tau_e": [0.01, -0.01]})
        with pytest.raises(ValueError, match="speed must be positive, got 0 m/s"):
            call({"speed": 0.0})
