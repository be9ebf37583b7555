import copy
import csv
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from mne_sbi import Connectome, read_connectome
from mne_sbi._connectome import normalize_region_name

NAMES = ("lh.insula", "rh.insula", "lh.cuneus", "Left-Thalamus-Proper")


def make_connectome(**changes):
    rng = np.random.default_rng(0)
    arguments = {
        "weights": rng.random((4, 4)),
        "lengths": rng.random((4, 4)) * 0.2,
        "names": NAMES,
        "positions": rng.normal(size=(4, 3)) * 0.05,
        "description": "made up",
    }
    return Connectome(**arguments | changes)


@pytest.fixture
def connectome():
    return make_connectome()


@pytest.mark.parametrize(
    "given, expected",
    [
        ("bankssts-lh", "lh.bankssts"),
        ("ctx-lh-bankssts", "lh.bankssts"),
        ("ctx_rh_bankssts", "rh.bankssts"),
        ("LHbankssts", "lh.bankssts"),
        ("RHbankssts", "rh.bankssts"),
        ("lh.bankssts", "lh.bankssts"),
        ("lh_bankssts", "lh.bankssts"),
        ("L.bankssts", "lh.bankssts"),
        ("R_bankssts", "rh.bankssts"),
        (" left superior frontal ", "lh.superiorfrontal"),
        ("lSF", "lh.superiorfrontal"),
        ("rPARAC", "rh.paracentral"),
        ("Left-Thalamus-Proper", "lh.thalamus"),
        ("Left-Thalamus", "lh.thalamus"),
        ("Rthal", "rh.thalamus"),
        ("Lhippo", "lh.hippocampus"),
        ("lh_thalamus", "lh.thalamus"),
        ("Right-Accumbens-area", "rh.accumbens"),
        ("rh_acumbens", "rh.accumbens"),
        ("Left-Cerebellum-Cortex", "lh.cerebellum"),
        ("Right-VentralDC", "rh.ventraldc"),
        ("Precentral_L", "lh.precentral"),
        ("Frontal_Sup_2_R", "rh.frontal_sup_2"),
        ("L_V1_ROI-lh", "lh.v1_roi"),
        # No side is made up where there is none.
        ("lingual", "lingual"),
        ("Brain-Stem", "brainstem"),
        ("list", "list"),
        (" Node 7 ", "node 7"),
        ("right", "right"),
    ],
)
def test_normalize_region_name(given, expected):
    assert normalize_region_name(given) == expected
    assert normalize_region_name(expected) == expected


def test_normalize_region_name_wants_a_string():
    with pytest.raises(TypeError, match="must be a string, got 3"):
        normalize_region_name(3)


def _spectrome_header(folder):
    with open(folder / "mean80_fibercount.csv", newline="") as file:
        return next(csv.reader(file))


def test_spellings_of_the_real_files_agree(shared_data):
    folder = shared_data / "spectrome"
    header = [normalize_region_name(name) for name in _spectrome_header(folder)]
    assert len(set(header)) == 86
    assert all(name[:3] in ("lh.", "rh.") for name in header)

    with h5py.File(folder / "individual_connectomes_reordered_dev12.nc") as file:
        people = [normalize_region_name(name.decode()) for name in file["regionx"][:]]
    # Cortex first in one file, last in the other.
    assert people == header[18:] + header[:18]
    with h5py.File(folder / "individual_psd_reordered_matlab_dev12.nc") as file:
        cortex = [normalize_region_name(name.decode()) for name in file["regionx"][:]]
    assert cortex == header[18:]

    text = (folder / "OrderingAlphabetical_86ROIs.txt").read_text().split()
    alphabetical = {normalize_region_name(name) for name in text}
    assert alphabetical == {
        name for name in header if not name.endswith(("cerebellum", "ventraldc"))
    }
    with open(
        folder / "desikan_atlas_68.csv", newline="", encoding="utf-8-sig"
    ) as file:
        rows = list(csv.reader(file))[1:]
    full = [normalize_region_name(f"{row[5]} {row[1]}") for row in rows]
    assert set(full) <= set(cortex)
    for row in rows:
        abbreviated = normalize_region_name(row[0])
        assert abbreviated[:3] == f"{row[0][0]}h."
        assert abbreviated[3:] == row[1]
    assert {normalize_region_name(row[0]) for row in rows} == set(cortex)


def test_spellings_of_enigma_agree(shared_data):
    labels = shared_data / "connectome" / "enigma_hcp_strucLabels_with_sctx.csv"
    enigma = {normalize_region_name(name) for name in labels.read_text().split(",")}
    header = map(normalize_region_name, _spectrome_header(shared_data / "spectrome"))
    assert enigma == {
        name for name in header if not name.endswith(("cerebellum", "ventraldc"))
    }


def test_fields(connectome):
    assert connectome.n_nodes == 4
    assert connectome.names == NAMES
    assert connectome.description == "made up"
    assert not connectome.synthetic
    assert repr(connectome) == (
        "<Connectome | 4 nodes, 12 connections, lengths up to 0.196 m, positions>"
    )
    assert repr(make_connectome(synthetic=True)).endswith("positions, synthetic>")


def test_nothing_can_be_changed():
    weights = np.ones((4, 4))
    connectome = make_connectome(weights=weights)
    weights[0, 1] = 5
    assert connectome.weights[0, 1] == 1
    copies = [connectome, pickle.loads(pickle.dumps(connectome))]
    for one in [*copies, copy.deepcopy(connectome), connectome.reorder(NAMES[::-1])]:
        for array in (one.weights, one.lengths, one.positions):
            with pytest.raises(ValueError, match="read-only"):
                array[0, 0] = 1
    with pytest.raises(AttributeError):
        connectome.names = ()


def test_equality_and_hash(connectome):
    same = make_connectome()
    assert same == connectome and hash(same) == hash(connectome)
    assert pickle.loads(pickle.dumps(connectome)) == connectome
    assert clone(connectome) is connectome
    assert connectome != make_connectome(positions=None)
    assert connectome != make_connectome(weights=np.ones((4, 4)))
    assert connectome != make_connectome(synthetic=True)
    assert connectome != 3
    assert len(connectome.fingerprint) == 64
    assert connectome.fingerprint != connectome.reorder(NAMES[::-1]).fingerprint


def test_delays(connectome):
    np.testing.assert_allclose(connectome.delays(10.0), connectome.lengths / 10)
    for speed in (0, -3):
        with pytest.raises(ValueError, match=f"speed must be positive, but is {speed}"):
            connectome.delays(speed)


def test_reorder_and_pick_in_any_spelling(connectome):
    order = ["Lthal", "cuneus-lh", "R_insula", "ctx-lh-insula"]
    turned = connectome.reorder(order)
    assert turned.names == NAMES[::-1]
    np.testing.assert_array_equal(turned.weights, connectome.weights[::-1, ::-1])
    np.testing.assert_array_equal(turned.lengths, connectome.lengths[::-1, ::-1])
    np.testing.assert_array_equal(turned.positions, connectome.positions[::-1])
    assert turned.reorder(NAMES) == connectome
    part = connectome.pick(["rINS", "LHcuneus"])
    assert part.names == ("rh.insula", "lh.cuneus")
    assert part.weights[0, 1] == connectome.weights[1, 2]
    assert part.description == "made up"
    index = connectome.index_of(np.array(["lh.cuneus", "lh.insula"]))
    np.testing.assert_array_equal(index, [2, 0])
    assert make_connectome(positions=None).pick(["rINS"]).positions is None


def test_names_that_do_not_match(connectome):
    with pytest.raises(ValueError) as error:
        connectome.pick(["lh.insulla", "nowhere", "R_insula", "insula-rh"])
    message = str(error.value)
    assert "2 of 4 names are not in the connectome: lh.insulla, nowhere." in message
    assert "Did you mean 'lh.insula'?" in message
    assert "one node twice: R_insula, insula-rh." in message
    assert "The connectome has 4 nodes: lh.insula, rh.insula" in message
    with pytest.raises(ValueError, match="not named: rh.insula, lh.cuneus. .*pick()"):
        connectome.reorder(["lh.insula", "lh.thalamus"])
    with pytest.raises(TypeError, match="list of strings, got the string 'lh.insula'"):
        connectome.pick("lh.insula")
    with pytest.raises(ValueError, match="at least one name"):
        connectome.pick([])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"weights": np.ones((4, 3))}, r"weights must have shape \(n_nodes, n_nodes\)"),
        ({"weights": np.full((4, 4), np.nan)}, "weights must be finite, but 16 of"),
        ({"weights": np.eye(4) - 0.1}, "-0.1 stands between lh.insula and rh.insula"),
        ({"lengths": np.ones((3, 3))}, r"lengths must have shape \(4, 4\)"),
        ({"lengths": -np.eye(4)}, "lengths must not be negative"),
        ({"lengths": np.eye(4) * 80}, "reach 80, .*millimetres. Give lengths / 1000"),
        ({"positions": np.ones((4, 2))}, r"positions must have shape \(4, 3\)"),
        ({"positions": np.ones((4, 3)) * -60}, "positions must be in m, but reach 60"),
        ({"names": NAMES[:3]}, "weights has 4 rows, but 3 names were given"),
        (
            {"weights": np.triu(np.ones((4, 4)))},
            r"All 6 weights stand above the diagonal.*weights \+ weights.T",
        ),
        (
            {"weights": np.tril(np.ones((4, 4)))},
            r"All 6 weights stand below the diagonal.*weights \+ weights.T",
        ),
        (
            {"lengths": np.triu(np.full((4, 4), 0.05))},
            r"zero for 6 of 12 connections.*from lh.insula to rh.insula 0 m, and back "
            r"0.05 m.*np.maximum\(lengths, lengths.T\)",
        ),
        (
            {"names": ("a", "insula-lh", "b", "L_insula")},
            "unique, got twice: insula-lh, L_insula",
        ),
    ],
)
def test_connectome_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        make_connectome(**changes)


def test_the_diagonal_is_no_connection():
    weights, lengths = np.ones((4, 4)), np.full((4, 4), 0.1)
    connectome = make_connectome(weights=weights, lengths=lengths)
    np.testing.assert_array_equal(connectome.weights, 1 - np.eye(4))
    np.testing.assert_array_equal(connectome.lengths, 0.1 * (1 - np.eye(4)))
    assert connectome == make_connectome(
        weights=weights - np.eye(4), lengths=lengths - 0.1 * np.eye(4)
    )
    assert make_connectome(weights=np.eye(4)).weights.max() == 0


def test_parts_of_directed_connectomes(tmp_path):
    """A part may be feed-forward, where the whole is not."""
    weights = np.array([[0, 1, 2, 3], [0, 0, 4, 5], [0, 0, 0, 6], [7, 0, 0, 0]])
    part = make_connectome(weights=weights).pick(NAMES[:3])
    np.testing.assert_array_equal(part.weights, weights[:3, :3])
    part.save(tmp_path / "part.npz")
    assert read_connectome(tmp_path / "part.npz") == part
    # A single connection is one-way on purpose; lengths may be zero, or of one way.
    pair = Connectome([[0, 1], [0, 0]], [[0, 0.1], [0, 0]], ["a", "b"])
    assert pair.weights[0, 1] == 1
    assert make_connectome(lengths=np.zeros((4, 4))).lengths.max() == 0


@pytest.mark.parametrize("changes", [{}, {"positions": None, "synthetic": True}])
def test_save_and_read(tmp_path, changes):
    connectome = make_connectome(**changes)
    fname = tmp_path / "connectome.npz"
    connectome.save(fname)
    assert read_connectome(fname) == connectome
    assert Connectome.from_dict(connectome.to_dict()) == connectome
    with pytest.raises(FileExistsError, match="overwrite=True"):
        connectome.save(fname)
    connectome.save(str(fname), overwrite=True)
    assert read_connectome(str(fname)) == connectome


def test_save_and_read_refuse(tmp_path, connectome):
    with pytest.raises(ValueError, match="must end in .npz"):
        connectome.save(tmp_path / "connectome.csv")
    with pytest.raises(FileNotFoundError, match="There is no file .*nothing.npz"):
        read_connectome(tmp_path / "nothing.npz")
    fname = tmp_path / "connectome.npz"
    connectome.save(fname)
    content = fname.read_bytes()
    for length in (0, 10, 200, len(content) - 30):
        fname.write_bytes(content[:length])
        with pytest.raises(ValueError, match="is damaged or not a connectome"):
            read_connectome(fname)
    altered = bytearray(content)
    altered[content.index(connectome.weights.tobytes()) + 5] ^= 1
    fname.write_bytes(altered)
    with pytest.raises(ValueError, match="is damaged or not a connectome"):
        read_connectome(fname)
    np.savez(fname, weights=np.eye(2))
    with pytest.raises(ValueError, match="is damaged or not a connectome"):
        read_connectome(fname)
    with open(fname, "wb") as file:
        np.save(file, np.eye(2))
    with pytest.raises(ValueError, match="is damaged or not a connectome"):
        read_connectome(fname)
    with open(fname, "wb") as file:
        np.savez(file, names=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="is damaged or not a connectome"):
        read_connectome(fname)


def test_data_frames_are_ordered_by_name():
    rng = np.random.default_rng(0)
    weights, lengths = rng.random((4, 4)), rng.random((4, 4)) * 0.2
    expected = make_connectome(weights=weights, lengths=lengths)
    order = [2, 0, 3, 1]
    frames = {
        name: pd.DataFrame(values, NAMES, NAMES).iloc[order, order[::-1]]
        for name, values in (("weights", weights), ("lengths", lengths))
    }
    assert make_connectome(**frames) == expected
    # Labels that are numbers are no names.
    assert make_connectome(weights=pd.DataFrame(weights), lengths=lengths) == expected
    other = frames["weights"].rename(index={"lh.insula": "lh.precuneus"})
    with pytest.raises(ValueError, match="names of the nodes.*lh.insula, lh.precuneus"):
        make_connectome(weights=other)
