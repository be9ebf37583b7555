"""Reading the files of the spectral graph model's authors (12 of their people)."""

import hashlib
import shutil

import numpy as np
import pytest

from mne_sbi.datasets import (
    load_parcels,
    read_group_connectome,
    read_spectrome,
)
from mne_sbi.datasets._download import read_registry
from mne_sbi.datasets._spectrome_files import (
    check_row_order,
    read_group_files,
    read_weights,
)


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "spectrome"


@pytest.fixture(scope="module")
def data(folder):
    return read_spectrome(folder)


@pytest.mark.parametrize("file", ["mean80_fibercount.csv", "mean80_fiberlength.csv"])
def test_registry_hashes(folder, file):
    entry = read_registry()[file]
    content = (folder / file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry.sha256
    assert len(content) == entry.bytes


def test_group_connectome_order_and_units(folder):
    connectome = read_group_connectome(folder, symmetrize=False, clip=None)
    assert connectome.n_nodes == 86
    assert list(connectome.names[:68]) == load_parcels().names
    with open(folder / "mean80_fibercount.csv") as fid:
        header = fid.readline().strip().split(",")
        raw = np.loadtxt(fid, delimiter=",")
    lengths = np.loadtxt(folder / "mean80_fiberlength.csv", delimiter=",")
    for first, second in (
        ("ctx-lh-precentral", "ctx-rh-precentral"),
        ("Left-Thalamus-Proper", "ctx-lh-cuneus"),
        ("Right-VentralDC", "Right-Putamen"),
    ):
        i, j = header.index(first), header.index(second)
        here = connectome.index_of([first, second])
        assert connectome.weights[here[0], here[1]] == raw[i, j]
        assert connectome.lengths[here[0], here[1]] == pytest.approx(
            lengths[i, j] / 1000
        )
    # The longest mean tract has 147 mm.
    assert connectome.lengths.max() == pytest.approx(0.14706)
    assert not connectome.synthetic


def test_group_connectome_preparation(folder):
    raw = read_group_connectome(folder, symmetrize=False, clip=None).weights
    prepared = read_group_connectome(folder).weights
    # The index ranges of the 86 regions as the papers' code uses them.
    left = np.r_[0:34, 68:77]
    right = np.r_[34:68, 77:86]
    expected = np.empty_like(raw)
    inside = np.maximum(raw[np.ix_(left, left)], raw[np.ix_(right, right)])
    across = np.maximum(raw[np.ix_(left, right)], raw[np.ix_(right, left)])
    for rows, columns, block in (
        (left, left, inside),
        (right, right, inside),
        (left, right, across),
        (right, left, across),
    ):
        expected[np.ix_(rows, columns)] = block
    expected = np.minimum(expected, 7 * expected[expected > 0].mean())
    np.testing.assert_array_equal(prepared, expected)
    assert (prepared < read_group_connectome(folder, clip=None).weights).any()


def test_people(data):
    assert data.psd.shape == (12, 68, 40)
    assert (data.psd > 0).all()
    np.testing.assert_allclose(data.freqs, np.linspace(2, 45, 40))
    assert data.subjects[0] == "8002.101" and len(set(data.subjects)) == 12
    assert data.names == load_parcels().names
    assert len(data.connectomes) == 12
    for connectome in data.connectomes:
        assert list(connectome.names[:68]) == data.names
        assert connectome.lengths.max() < 0.2
    assert data.licence == "MIT"
    assert "10.1016/j.neuroimage.2022.118919" in data.description


def test_people_weights_keep_region(data, folder):
    """Cerebellum and ventral diencephalon have no connections in individuals."""
    empty = ["lh.cerebellum", "lh.ventraldc", "rh.cerebellum", "rh.ventraldc"]
    for connectome in data.connectomes:
        strengths = connectome.weights.sum(axis=0)
        assert not strengths[connectome.index_of(empty)].any()
    group = read_group_connectome(folder)
    thalamus = group.index_of(["lh.thalamus"])[0]
    mean = np.mean([c.weights[thalamus, :68] for c in data.connectomes], axis=0)
    assert np.corrcoef(np.log1p(mean), np.log1p(group.weights[thalamus, :68]))[0, 1] > 0


def test_alpha_is_strongest_in_occipital_and_parietal_cortex(data):
    """Would fail if the rows of the spectra were in another order than the names."""
    alpha = (data.freqs >= 8) & (data.freqs <= 13)
    relative = (data.psd[..., alpha].sum(-1) / data.psd.sum(-1)).mean(axis=0)
    positions = load_parcels().positions
    top = np.argsort(relative)[-10:]
    assert (positions[top, 1] < -0.03).all()


def test_fits(data, folder):
    fits = data.fits
    assert list(fits.columns) == [
        "subject", "tau_e", "tau_i", "alpha", "speed", "g_ei", "g_ii", "tau_g",
        "pearsonr",
    ]  # fmt: skip
    assert list(fits["subject"]) == data.subjects
    # 5-20 ms, 5-20 m/s: the box in which the annealing searched.
    for name in ("tau_e", "tau_i", "tau_g"):
        assert fits[name].between(0.005 - 1e-9, 0.02 + 1e-9).all()
    assert fits["speed"].between(5 - 1e-9, 20 + 1e-9).all()
    assert fits["pearsonr"].mean() == pytest.approx(0.8911, abs=5e-5)


def test_fits_are_sorted_by_person(folder, tmp_path):
    from mne_sbi.datasets._spectrome_files import read_fits

    source = folder / "MSGM_Reordered_matlab_500iter_dev12.csv"
    header, *rows = source.read_text().strip().split("\n")
    shuffled = tmp_path / "MSGM_Reordered_matlab_500iter.csv"
    shuffled.write_text("\n".join([header, *rows[::-1]]) + "\n")
    assert read_fits(shuffled).equals(read_fits(source))


def test_published_correlation_is_reproduced(data):
    """Verma et al. 2022, written here frequency by frequency, for two people."""
    for index in (0, 7):
        fit = data.fits.iloc[index]
        r = _verma2022_correlation(data.connectomes[index], fit, data, index)
        assert r == pytest.approx(fit["pearsonr"], abs=0.006)


def _verma2022_correlation(connectome, fit, data, index):
    weights, lengths = connectome.weights, connectome.lengths
    rows, columns = weights.sum(axis=1), weights.sum(axis=0)
    scale = 1 / (np.sqrt(rows * columns) + np.finfo(float).eps)
    scale[rows + columns < 0.2 * (rows + columns).mean()] = 0
    tau_e, tau_i, gei, gii = fit["tau_e"], fit["tau_i"], fit["g_ei"], fit["g_ii"]
    model = []
    for omega in 2 * np.pi * data.freqs:
        s = 1j * omega
        delayed = weights * np.exp(-s * lengths / fit["speed"])
        laplacian = np.eye(86) - fit["alpha"] * scale[:, None] * delayed
        eigenvalues, vectors = np.linalg.eig(laplacian)
        f_e, f_i = 1 / (1 + s * tau_e) ** 2, 1 / (1 + s * tau_i) ** 2
        a, b, x = s + f_i * gii / tau_i, s + f_e / tau_e, gei * f_e * f_i
        local = (a + b + x * (1 / tau_e - 1 / tau_i)) / (a * b + x**2 / (tau_e * tau_i))
        q = s + f_e * eigenvalues / fit["tau_g"]
        floor = 0.05 * np.abs(q).max()
        q = np.where(np.abs(q) < floor, floor * q / np.abs(q), q)
        transfer = (vectors * (local / q)) @ vectors.conj().T
        model.append(np.linalg.norm(transfer, axis=1))
    model = np.log10(np.array(model).T[:68])
    measured = np.log10(data.psd[index])
    pairs = zip(model, measured, strict=True)
    return np.mean([np.corrcoef(m, d)[0, 1] for m, d in pairs])


def test_wrong_row_order_is_found(folder):
    group, _, names = read_group_files(folder)
    fname = folder / "individual_connectomes_reordered_dev12.nc"
    weights = read_weights(fname)[0].mean(axis=0)
    check_row_order(weights, group, fname)
    alphabetical = np.argsort(names[:34])
    wrong = np.r_[alphabetical, alphabetical + 34, 68:86]
    with pytest.raises(ValueError, match="order of its names"):
        check_row_order(weights[np.ix_(wrong, wrong)], group, fname)


def test_files_by_argument_and_missing_files(folder, tmp_path, data):
    stems = {
        "psd_file": "individual_psd_reordered_matlab_dev12.nc",
        "connectome_file": "individual_connectomes_reordered_dev12.nc",
        "fits_file": "MSGM_Reordered_matlab_500iter_dev12.csv",
    }
    with pytest.raises(FileNotFoundError, match=r"fetch_spectrome\(\)"):
        read_spectrome(tmp_path)
    for file in stems.values():
        shutil.copy(folder / file, tmp_path / file)
    with pytest.raises(FileNotFoundError, match=r"fetch_connectome\(\)"):
        read_spectrome(tmp_path)
    for file in ("mean80_fibercount.csv", "mean80_fiberlength.csv"):
        shutil.copy(folder / file, tmp_path / file)
    again = read_spectrome(tmp_path, **stems)
    assert again.connectomes == data.connectomes

    # Two candidates: the caller must choose. The file of all people wins by its name.
    psd_file = tmp_path / stems["psd_file"]
    shutil.copy(psd_file, tmp_path / "individual_psd_reordered_matlab_copy.nc")
    with pytest.raises(FileNotFoundError, match="psd_file="):
        read_spectrome(tmp_path)
    shutil.copy(psd_file, tmp_path / "individual_psd_reordered_matlab.nc")
    assert read_spectrome(tmp_path).subjects == data.subjects
    with pytest.raises(FileNotFoundError, match=r"nothing\.nc"):
        read_spectrome(tmp_path, psd_file="nothing.nc")


def test_files_of_different_people(folder, tmp_path):
    source = folder / "MSGM_Reordered_matlab_500iter_dev12.csv"
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("\n".join(source.read_text().split("\n")[:-3]) + "\n")
    with pytest.raises(ValueError, match="people"):
        read_spectrome(folder, fits_file=fewer)
