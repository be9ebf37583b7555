import subprocess
import sys

import numpy as np
from scipy.sparse.csgraph import connected_components

from mne_sbi.datasets import (
    load_parcels,
    load_synthetic_connectome,
    read_group_connectome,
)


def test_parcels():
    parcels = load_parcels()
    assert len(parcels.names) == 68 == len(set(parcels.names))
    assert parcels.names[0] == "lh.bankssts" and parcels.names[67] == "rh.insula"
    left, right = parcels.names[:34], parcels.names[34:]
    assert [name[3:] for name in left] == [name[3:] for name in right]
    assert all(name.startswith("lh.") for name in left)
    # Metres, left is negative x, and a head is about 0.1 m in each direction.
    assert (parcels.positions[:34, 0] < 0).all()
    assert (parcels.positions[34:, 0] > 0).all()
    assert 0.05 < np.abs(parcels.positions).max() < 0.12
    np.testing.assert_allclose(np.linalg.norm(parcels.normals, axis=1), 1, atol=1e-5)
    assert ((parcels.coherence > 0) & (parcels.coherence < 1)).all()
    # The two halves are near mirror images.
    mirrored = parcels.positions[34:] * [-1, 1, 1]
    assert np.linalg.norm(mirrored - parcels.positions[:34], axis=1).max() < 0.01
    # Pial area of both hemispheres of fsaverage, medial wall left out: about 0.13 m2.
    assert 0.12 < parcels.areas.sum() < 0.18


def test_parcels_anatomy():
    parcels = load_parcels()
    at = dict(zip(parcels.names, parcels.positions, strict=True))
    normal = dict(zip(parcels.names, parcels.normals, strict=True))
    rear = min(at, key=lambda name: at[name][1])
    assert rear.endswith("lateraloccipital")
    assert max(at, key=lambda name: at[name][1]).endswith("frontalpole")
    assert max(at, key=lambda name: at[name][2]).endswith("paracentral")
    # Normals point outwards: the frontal pole forwards, lateral occipital backwards,
    # the lateral temporal lobe sideways, the medial wall towards the midline.
    assert normal["lh.frontalpole"][1] > 0.8
    assert normal["rh.lateraloccipital"][1] < -0.7
    assert normal["lh.middletemporal"][0] < -0.9
    assert normal["lh.precuneus"][0] > 0.9


def test_parcels_cannot_be_changed_for_others():
    load_parcels().positions[:] = 0
    load_parcels().names.clear()
    assert load_parcels().positions.any() and load_parcels().names


def test_parcels_against_another_atlas(shared_data):
    """MNI152 centroids of spectrome; the spaces differ by a few mm."""
    table = np.genfromtxt(
        shared_data / "spectrome" / "desikan_atlas_68.csv",
        delimiter=",",
        dtype=str,
        skip_header=1,
        encoding="utf-8-sig",
    )
    theirs = {f"{row[0][0]}h.{row[1]}": row[2:5].astype(float) / 1000 for row in table}
    parcels = load_parcels()
    distances = np.array(
        [
            np.linalg.norm(theirs[name] - position)
            for name, position in zip(parcels.names, parcels.positions, strict=True)
        ]
    )
    assert distances.mean() < 0.005 and distances.max() < 0.0085


def test_synthetic_connectome():
    connectome = load_synthetic_connectome()
    assert connectome.n_nodes == 68 and connectome.synthetic
    assert "synthetic" in repr(connectome).lower()
    assert list(connectome.names) == load_parcels().names
    weights, lengths = connectome.weights, connectome.lengths
    np.testing.assert_allclose(weights, weights.T, rtol=1e-12)
    np.testing.assert_allclose(lengths, lengths.T, rtol=1e-12)
    assert not np.diag(weights).any() and not np.diag(lengths).any()
    assert connected_components(weights)[0] == 1
    positions = connectome.positions
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    assert (lengths >= distances).all()
    assert lengths.max() < 0.3
    # Nearer is stronger for the same areas; homologs beat their neighbours across.
    share_within = (weights[:34, :34].sum() + weights[34:, 34:].sum()) / weights.sum()
    assert abs(share_within - 0.907) < 1e-6
    across = weights[:34, 34:]
    assert np.diag(across).mean() > 5 * across.mean()


def test_synthetic_connectome_follows_the_distance_rule():
    connectome = load_synthetic_connectome()
    areas = load_parcels().areas
    upper = np.triu_indices(34, 1)
    density = (connectome.weights / np.outer(areas, areas))[upper]
    slope = np.polyfit(connectome.lengths[upper], np.log(density), 1)[0]
    np.testing.assert_allclose(-1 / slope, 0.0234)


def test_synthetic_connectome_is_the_same_in_another_process():
    code = (
        "from mne_sbi.datasets import load_synthetic_connectome as load;"
        "print(load().fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == load_synthetic_connectome().fingerprint
    assert load_synthetic_connectome() is load_synthetic_connectome()


def test_synthetic_connectome_resembles_the_measured_one(shared_data):
    """The figures in its documentation."""
    from scipy.stats import spearmanr

    measured = read_group_connectome(
        shared_data / "spectrome", symmetrize=False, clip=None
    ).pick(load_parcels().names)
    synthetic = load_synthetic_connectome()
    upper = np.triu_indices(68, 1)
    ours, theirs = synthetic.weights.sum(axis=0), measured.weights.sum(axis=0)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.88
    assert abs(ours.std() / ours.mean() - theirs.std() / theirs.mean()) < 0.05
    np.testing.assert_allclose(ours.mean(), theirs.mean(), rtol=1e-3)
    rho = spearmanr(synthetic.weights[upper], measured.weights[upper]).statistic
    assert rho > 0.7
    # Lengths are compared where the tract is seen in most people.
    seen = measured.weights[upper] > 10
    ratio = synthetic.lengths[upper][seen] / measured.lengths[upper][seen]
    assert 0.8 < np.median(ratio) < 1.25


def test_import_downloads_and_imports_nothing_heavy():
    code = (
        "import sys, mne_sbi.datasets as d; d.list_datasets;"
        "print([m for m in ('pooch', 'pandas', 'h5py', 'mne', 'scipy', 'jax')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
