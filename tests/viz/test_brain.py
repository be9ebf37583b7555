"""Maps of regions: the right colour in the right place, from any spelling of names."""

import itertools

import matplotlib as mpl
import mne
import numpy as np
import pytest
from nibabel import freesurfer

from mne_sbi import Parameter, Posterior, Prior
from mne_sbi.datasets import load_parcels
from mne_sbi.viz import plot_brain

VIEWS = {"left lateral", "left medial", "top", "right lateral", "right medial"}


def discs(fig, view):
    """Map the label of each disc to (centre, radius, colour)."""
    (ax,) = (ax for ax in fig.axes if ax.get_label() == view)
    circles = [p for p in ax.patches if isinstance(p, mpl.patches.Circle)]
    labels = [text.get_text() for text in ax.texts]
    assert len(circles) == len(labels)
    found = [(np.array(c.center), c.radius, c.get_facecolor()) for c in circles]
    return list(zip(labels, found, strict=True))


def test_every_parcel_is_seen_and_none_hides_another():
    parcels = load_parcels()
    fig = plot_brain(np.arange(68.0), parcels.names, show=False)
    assert {ax.get_label() for ax in fig.axes} == VIEWS | {"colour bar"}
    for side in ("left", "right"):
        seen = [*discs(fig, f"{side} lateral"), *discs(fig, f"{side} medial")]
        assert len(seen) == len({label for label, _ in seen}) == 34
    for view in VIEWS:
        for (_, (a, r, _)), (_, (b, s, _)) in itertools.combinations(
            discs(fig, view), 2
        ):
            assert np.linalg.norm(a - b) > 0.99 * (r + s)


def test_discs_have_the_parcels_areas_and_stay_near_them():
    parcels = load_parcels()
    fig = plot_brain(np.arange(68.0), parcels.names, show=False)
    lateral = dict(discs(fig, "left lateral"))
    index = {"PRC": "lh.precentral", "MT": "lh.middletemporal", "INS": "lh.insula"}
    index = {label: parcels.names.index(name) for label, name in index.items()}
    shares = [lateral[n][1] ** 2 / parcels.areas[i] for n, i in index.items()]
    np.testing.assert_allclose(shares, shares[0])
    for label, i in index.items():
        # Seen from the left, the front is on the left.
        home = parcels.positions[i, 1:] * [-1, 1]
        assert np.linalg.norm(lateral[label][0] - home) < 0.012
    # From above, the left hemisphere is on the left.
    assert all(x[0] != 0 for _, (x, _, _) in discs(fig, "top"))
    n_left = sum(x[0] < 0 for _, (x, _, _) in discs(fig, "top"))
    assert n_left == len(discs(fig, "top")) / 2


def test_colours_are_those_of_the_values():
    names = ["cuneus-lh", "ctx-rh-cuneus", "LHprecentral"]
    fig = plot_brain([1.0, 2.0, 3.0], names, label="x (ms)", cmap="cividis", show=False)
    cmap = mpl.colormaps["cividis"]
    assert dict(discs(fig, "left medial"))["CUN"][2] == cmap(0.0)
    assert dict(discs(fig, "right medial"))["CUN"][2] == cmap(0.5)
    assert dict(discs(fig, "left lateral"))["PRC"][2] == cmap(1.0)
    grey = dict(discs(fig, "right lateral"))["PRC"][2]
    assert grey[0] == grey[1] == grey[2]
    (bar,) = (ax for ax in fig.axes if ax.get_label() == "colour bar")
    assert bar.get_xlabel() == "x (ms)" and bar.get_xlim() == (1.0, 3.0)
    fig = plot_brain([1.0, 2.0, 3.0], names, limits=(0, 4), show=False)
    assert dict(discs(fig, "right medial"))["CUN"][2] == mpl.colormaps["viridis"](0.5)
    # A single value has a colour too.
    fig = plot_brain([0.0], names[:1], show=False)
    fig.canvas.draw()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["lh.cuneus"]}, r"names must have shape \(2,\), one entry for each"),
        ({"names": "ab"}, "names must be a list with one entry for each value"),
        (
            {"names": ["lh.cuneus", "Left-Thalamus-Proper"]},
            "1 of 2 names are none of the 68 cortical regions: Left-Thalamus-Proper. "
            ".*Leave out",
        ),
        ({"names": ["lh.cuneus", "cuneus-lh"]}, "Each region can have one value"),
        ({"values": [1.0, np.nan]}, "values must be finite"),
        ({"values": [[1.0, 2.0]]}, "values must have shape"),
        ({"limits": (2, 1)}, "low < high"),
        ({"limits": (1, 2, 3)}, "limits must have shape"),
    ],
)
def test_mistakes(change, message):
    arguments = {"values": [1.0, 2.0], "names": ["lh.cuneus", "rh.cuneus"]}
    with pytest.raises((TypeError, ValueError), match=message):
        plot_brain(**(arguments | change), show=False)


@pytest.fixture
def subjects_dir(tmp_path):
    """Two spheres, whose front halves are one region and back halves another."""
    folder = tmp_path / "round"
    for name in ("surf", "label"):
        (folder / name).mkdir(parents=True)
    sphere = mne.surface._get_ico_surface(3)
    labels = 1 + (sphere["rr"][:, 1] < 0)
    table = np.array([[0, 0, 0, 0], [200, 0, 0, 0], [0, 200, 0, 0]])
    for side, middle in (("lh", -60.0), ("rh", 60.0)):
        points = 50 * sphere["rr"] + [middle, 0, 0]
        freesurfer.write_geometry(
            folder / "surf" / f"{side}.round", points, sphere["tris"]
        )
        freesurfer.write_annot(
            folder / "label" / f"{side}.halves.annot",
            labels,
            table,
            ["unknown", "front", "back"],
            fill_ctab=True,
        )
    return tmp_path


def colours(fig, view, side=0):
    """Return the polygons' centres, shape (n, 2), and colours in one view."""
    (ax,) = (ax for ax in fig.axes if ax.get_label() == view)
    surface = ax.collections[side]
    centres = np.array([p.vertices[:-1].mean(axis=0) for p in surface.get_paths()])
    return centres, surface.get_facecolor()


def test_surfaces(subjects_dir):
    settings = {"subject": "round", "parc": "halves", "surf": "round", "show": False}
    fig = plot_brain(
        [1.0, 2.0],
        ["front-lh", "back-rh"],
        subjects_dir=subjects_dir,
        cmap=mpl.colors.ListedColormap(["red", "blue"]),
        **settings,
    )
    fig.canvas.draw()
    # The front is on the left, where the left hemisphere is seen from the left.
    centres, rgba = colours(fig, "left lateral")
    front = centres[:, 0] < -8
    assert (rgba[front, 0] > 0.5).all() and (rgba[front, 2] < 0.1).all()
    back = centres[:, 0] > 8
    np.testing.assert_allclose(rgba[back, 0], rgba[back, 2])
    # Half of the triangles face the page.
    assert abs(len(centres) - 640) < 40
    centres, rgba = colours(fig, "right medial")
    back = centres[:, 0] > 8
    assert (rgba[back, 2] > 0.5).all() and (rgba[back, 0] < 0.1).all()
    left, right = colours(fig, "top", 0)[0], colours(fig, "top", 1)[0]
    assert left[:, 0].max() < 0 < right[:, 0].min()
    with pytest.raises(ValueError, match=r"lh\.cuneus\. Known are lh\.unknown"):
        plot_brain([1.0], ["lh.cuneus"], subjects_dir=subjects_dir, **settings)


def test_surfaces_that_are_not_there(subjects_dir):
    with pytest.raises(FileNotFoundError, match="fetch_fsaverage"):
        plot_brain([1.0], ["lh.cuneus"], subjects_dir=subjects_dir, show=False)
    fname = subjects_dir / "round" / "surf" / "lh.round"
    points, triangles = freesurfer.read_geometry(fname)
    freesurfer.write_geometry(fname, np.vstack([points, points[:1]]), triangles)
    settings = {"subject": "round", "parc": "halves", "surf": "round", "show": False}
    with pytest.raises(ValueError, match="642 vertices.*has 643"):
        plot_brain([1.0], ["front-lh"], subjects_dir=subjects_dir, **settings)


PRIOR = Prior(
    [
        Parameter("tau_e", 0.005, 0.02, 0.012, "s"),
        Parameter("alpha", 0.1, 1.0, 0.5),
    ]
)


def make_posterior(obs_names=("lh.cuneus", "rh.cuneus", "lh.insula"), prior=PRIOR):
    draws = PRIOR.sample(3 * 50, 0).reshape(3, 50, 2)
    return Posterior(draws, PRIOR.names, PRIOR.units, prior, obs_names)


@pytest.mark.parametrize(
    ("statistic", "label"),
    [
        ("mean", "mean of tau_e (ms)"),
        ("median", "median of tau_e (ms)"),
        ("sd", "sd of tau_e (ms)"),
        ("contraction", "contraction of tau_e"),
    ],
)
def test_posterior(statistic, label):
    posterior = make_posterior()
    fig = posterior.plot_brain("tau_e", statistic=statistic, show=False)
    table = posterior.summary()
    factor = 1 if statistic == "contraction" else 1e3
    values = factor * table.loc[table["parameter"] == "tau_e", statistic]
    (bar,) = (ax for ax in fig.axes if ax.get_label() == "colour bar")
    assert bar.get_xlabel() == label
    np.testing.assert_allclose(bar.get_xlim(), [values.min(), values.max()])


def test_posterior_takes_names_and_settings():
    names = ["precentral-lh", "precentral-rh", "insula-lh"]
    fig = make_posterior(None).plot_brain(
        "alpha", names=names, limits=(0, 1), label="excitation", show=False
    )
    (bar,) = (ax for ax in fig.axes if ax.get_label() == "colour bar")
    assert bar.get_xlim() == (0.0, 1.0) and bar.get_xlabel() == "excitation"


def test_posteriors_without_regions():
    with pytest.raises(ValueError, match=r"Say which regions they are: names=\["):
        make_posterior(None).plot_brain("alpha")
    with pytest.raises(ValueError, match="one observation, the whole brain"):
        make_posterior(None)[0].plot_brain("alpha")
    with pytest.raises(ValueError, match="one observation, the whole brain"):
        make_posterior(("sub-1", "sub-2", "sub-3"))[0].plot_brain("alpha")
    make_posterior()["rh.cuneus"].plot_brain("alpha", show=False)
    with pytest.raises(ValueError, match="are none of the 68 cortical regions"):
        make_posterior(("sub-1", "sub-2", "sub-3")).plot_brain("alpha")
    with pytest.raises(ValueError, match="Did you mean 'alpha'"):
        make_posterior().plot_brain("alhpa")
    with pytest.raises(ValueError, match="Did you mean 'mean'"):
        make_posterior().plot_brain("alpha", statistic="meen")
    with pytest.raises(ValueError, match="this posterior has none"):
        make_posterior(prior=None).plot_brain("alpha", statistic="contraction")
