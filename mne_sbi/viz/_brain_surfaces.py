"""The cortex as surfaces that FreeSurfer made, drawn with Matplotlib."""

import dataclasses
from pathlib import Path

import numpy as np

# Share of the light that comes from everywhere, and the direction of the rest, seen on
# the page: from the upper left, in front of it.
_AMBIENT = 0.68
_LIGHT = np.array([-0.35, 0.45, 0.82])
# How dark sulci are where they are known, so that an inflated surface shows them.
_SULCUS = 0.91
# Space between the hemispheres in mm.
_GAP = 2.0


@dataclasses.dataclass(frozen=True)
class Surfaces:
    """Parcels on the surfaces of both hemispheres.

    Parameters
    ----------
    names : list of str
        Names of the parcels.
    points : dict of ndarray, shape (n_vertices, 3)
        Vertices of each hemisphere in mm, ``"lh"`` and ``"rh"``.
    triangles : dict of ndarray of int, shape (n_triangles, 3)
        Vertices of each triangle, anticlockwise from outside.
    regions : dict of ndarray of int, shape (n_vertices,)
        The parcel of each vertex; -1 for none.
    shades : dict of ndarray, shape (n_vertices,)
        Brightness of each vertex.
    """

    names: list
    points: dict
    triangles: dict
    regions: dict
    shades: dict

    @classmethod
    def read(cls, subjects_dir, subject, parc, surf):
        """Read a subject's files; see :func:`plot_brain` for the parameters."""
        from nibabel import freesurfer

        folder = Path(subjects_dir).expanduser() / subject
        names, points, triangles, regions, shades = [], {}, {}, {}, {}
        for side in ("lh", "rh"):
            fname = _find(folder / "surf" / f"{side}.{surf}")
            points[side], triangles[side] = freesurfer.read_geometry(fname)
            fname = _find(folder / "label" / f"{side}.{parc}.annot")
            labels, _, known = freesurfer.read_annot(fname)
            if len(labels) != len(points[side]):
                raise ValueError(
                    f"{fname} labels {len(labels)} vertices, but the surface {surf} "
                    f"has {len(points[side])}. Use files of one subject."
                )
            regions[side] = np.where(labels < 0, -1, labels + len(names))
            names += [f"{side}.{name.decode()}" for name in known]
            shades[side] = np.ones(len(labels))
            sulci = folder / "surf" / f"{side}.sulc"
            if sulci.is_file():
                depth = freesurfer.read_morph_data(sulci)
                shades[side] = np.where(depth > 0, _SULCUS, 1.0)
        # Inflated hemispheres are centred, each by itself.
        points["lh"] = points["lh"] - [points["lh"][:, 0].max() + _GAP / 2, 0, 0]
        points["rh"] = points["rh"] - [points["rh"][:, 0].min() - _GAP / 2, 0, 0]
        return cls(names, points, triangles, regions, shades)

    def box(self, view):
        """Return the lower left and the upper right corner of a view, in mm."""
        points = np.concatenate([self.points[side] for side in view.sides])
        page = view.project(points)[:, :2]
        return page.min(axis=0) - 2, page.max(axis=0) + 2

    def draw(self, ax, view, colors):
        """Draw the surfaces that are seen.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Where to draw.
        view : View
            The view.
        colors : ndarray, shape (n, 4)
            Colours of the parcels.
        """
        from matplotlib.collections import PolyCollection

        for side in view.sides:
            corners = view.project(self.points[side])[self.triangles[side]]
            edges = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
            normals = np.cross(*edges)
            normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, np.newaxis]
            front = normals[:, 2] > 0
            # What is nearer is drawn later.
            order = np.flatnonzero(front)[np.argsort(corners[front, :, 2].mean(axis=1))]
            light = np.maximum(normals[order] @ _LIGHT, 0) / np.linalg.norm(_LIGHT)
            faces = self._paint(side, colors)[order]
            faces[:, :3] *= (_AMBIENT + (1 - _AMBIENT) * light)[:, np.newaxis]
            surface = PolyCollection(
                corners[order, :, :2],
                facecolors=faces,
                # Edges in the same colour close the seams between triangles.
                edgecolors=faces,
                linewidths=0.4,
                rasterized=True,
            )
            ax.add_collection(surface, autolim=False)

    def _paint(self, side, colors):
        """Return the colour of each triangle, shape (n_triangles, 4)."""
        from matplotlib.colors import to_rgba

        # Vertices of no region, number -1, get the last colour.
        colors = np.vstack([colors, to_rgba("0.88")])
        painted = colors[self.regions[side]]
        painted[:, :3] *= self.shades[side][:, np.newaxis]
        return painted[self.triangles[side]].mean(axis=1)


def _find(fname):
    if not fname.is_file():
        raise FileNotFoundError(
            f"There is no file {fname}. subjects_dir must hold the FreeSurfer subject, "
            "which mne.datasets.fetch_fsaverage(subjects_dir) downloads for "
            "'fsaverage'; subjects_dir=None draws a projection that needs no files."
        )
    return fname
