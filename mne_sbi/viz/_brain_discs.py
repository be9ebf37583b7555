"""The cortex as discs: a projection that needs no surfaces."""

import dataclasses
from functools import cache

import numpy as np

from .._region_names import _PARCELS

# Area of a disc over that of its parcel: two thirds of the cortex are folded away, and
# discs that touch cover part of the plane only.
_SHARE = 0.2
# Least distance between discs in m, and least radius, so that a label fits in.
_GAP = 0.0008
_LEAST_RADIUS = 0.0068
# Size of labels in points, and what makes a label fit into a disc of 1 m.
_FONT, _FIT = 6.5, 3700
# Parcels this far from the midline are seen from the side, whatever their mean normal
# is: those inside the lateral fissure face up.
_LATERAL = 0.04
# What is seen from above: what faces up and is not low, or stands highest.
_FACES_UP, _LOWEST, _HIGHEST, _MIDLINE = 0.2, 0.01, 0.04, 0.015


@dataclasses.dataclass(frozen=True)
class Discs:
    """Parcels that are drawn as discs.

    Parameters
    ----------
    names : list of str
        Names of the parcels.
    positions, normals : ndarray, shape (n, 3)
        Centroids in m, and outward normals.
    radii : ndarray, shape (n,)
        Radii of the discs in m.
    """

    names: list
    positions: np.ndarray
    normals: np.ndarray
    radii: np.ndarray

    @classmethod
    def load(cls):
        """Load the packaged parcels."""
        from ..datasets import load_parcels

        parcels = load_parcels()
        radii = np.sqrt(_SHARE * parcels.areas / np.pi)
        radii = np.maximum(radii, _LEAST_RADIUS)
        return cls(parcels.names, parcels.positions, parcels.normals, radii)

    def box(self, view):
        """Return the lower left and the upper right corner of a view, in m."""
        outline = _outline(view)
        return outline.min(axis=0) - 0.004, outline.max(axis=0) + 0.004

    def draw(self, ax, view, colors):
        """Draw the discs that are seen.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Where to draw.
        view : View
            The view.
        colors : ndarray, shape (n, 4)
            Colours of the parcels.
        """
        from matplotlib.patches import Circle, Polygon

        ax.add_patch(Polygon(_outline(view), fc="0.97", ec="0.75", lw=1))
        seen = np.flatnonzero(self._is_seen(view))
        home = view.project(self.positions[seen])[:, :2]
        radii = self.radii[seen]
        side = np.sign(home[:, 0]) if len(view.sides) == 2 else np.zeros(len(seen))
        for i, centre in zip(seen, _move_apart(home, radii, side), strict=True):
            label = _PARCELS[self.names[i].partition(".")[2]]
            disc = Circle(centre, self.radii[i], fc=colors[i], ec="0.35", lw=0.5)
            ax.add_patch(disc)
            ax.text(
                *centre,
                label,
                ha="center",
                va="center",
                fontsize=min(_FONT, _FIT * self.radii[i] / len(label)),
                color=_ink(colors[i]),
            )

    def _is_seen(self, view):
        of_side = np.array(
            [name.partition(".")[0] in view.sides for name in self.names]
        )
        x, _, z = self.positions.T
        if view.title == "top":
            high = (self.normals[:, 2] > _FACES_UP) & (z > _LOWEST)
            return high & (np.abs(x) > _MIDLINE) | (z > _HIGHEST)
        lateral = (self.normals[:, 0] * x > 0) | (np.abs(x) > _LATERAL)
        return of_side & (lateral == view.title.endswith("lateral"))


def _move_apart(home, radii, side, n_steps=300):
    """Move discs until none overlaps another, staying close to where they belong.

    Discs with a side, -1 or 1, stay left or right of the midline.
    """
    centres = home.copy()
    wanted = radii[:, np.newaxis] + radii + _GAP
    np.fill_diagonal(wanted, 0)
    for step in range(n_steps):
        away = centres[:, np.newaxis] - centres
        distance = np.sqrt(np.square(away).sum(axis=2))
        overlap = np.maximum(wanted - distance, 0)
        push = away / np.maximum(distance, 1e-9)[..., np.newaxis]
        centres = centres + 0.5 * (push * overlap[..., np.newaxis]).sum(axis=1)
        # Pulled back less and less, so that nothing overlaps in the end.
        centres = centres + 0.1 * max(1 - 2 * step / n_steps, 0) * (home - centres)
        across = np.maximum(side * centres[:, 0], radii + _GAP / 2)
        centres[:, 0] = np.where(side == 0, centres[:, 0], side * across)
    return centres


@cache
def _outline(view):
    """Outline of the inner skull of fsaverage that MNE-Python carries, in m."""
    from pathlib import Path

    import mne
    from scipy.spatial import ConvexHull

    folder = Path(mne.__file__).parent / "data" / "fsaverage"
    fname = folder / "fsaverage-inner_skull-bem.fif"
    (skull,) = mne.read_bem_surfaces(fname, verbose="error")
    points = view.project(skull["rr"])[:, :2]
    return points[ConvexHull(points).vertices]


def _ink(color):
    """Black or white, whichever is read better on a colour (ITU-R BT.709 weights)."""
    return "black" if color[:3] @ np.array([0.2126, 0.7152, 0.0722]) > 0.45 else "white"
