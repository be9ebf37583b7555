"""Make ``mne_sbi/datasets/data/parcels_dk.csv`` from fsaverage.

For each of the 68 Desikan-Killiany parcels: the centroid, the mean outward
normal and the area of the fsaverage5 pial surface, and how well the normals of
the parcel agree (orientation coherence). Coordinates are fsaverage surface RAS
(MNI305), in metres.

Inputs (none is shipped with the package):

* ``lh.aparc.annot`` and ``rh.aparc.annot`` of FreeSurfer's fsaverage subject.
  The vertices of fsaverage5 are the first 10242 of the 163842 of fsaverage.
* the fsaverage5 pial surfaces, ``pial_left.gii.gz`` and ``pial_right.gii.gz``,
  which the nilearn wheel carries in ``nilearn/datasets/data/fsaverage5``.

Usage::

    python tools/make_parcel_table.py --annot LH RH --pial LEFT RIGHT --out CSV
        [--check desikan_atlas_68.csv]

``--check`` takes the centroid table of spectrome (MNI152, mm; MIT licence) and
prints how far the centroids are from it.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

N_FSAVERAGE5 = 10242
# The labels of aparc that are not cortex of a parcel.
NOT_PARCELS = ("unknown", "corpuscallosum")
HEADER = """\
# Desikan-Killiany parcels of fsaverage: x, y, z = centroid (m), nx, ny, nz = mean
# outward unit normal, coherence = length of the mean normal before scaling (1: all
# vertices point the same way), area (m2). Surface RAS of fsaverage (MNI305).
# Derived by tools/make_parcel_table.py from lh/rh.aparc.annot of FreeSurfer's
# fsaverage (Desikan et al. 2006; Fischl et al. 1999; copyright MGH, FreeSurfer
# Software License) and the fsaverage5 pial surfaces carried by nilearn
# {nilearn}. Area-weighted over the vertices of each parcel.
"""


def vertex_normals_and_areas(vertices, triangles):
    """Return outward unit normals (n, 3) and areas (n,) of the vertices."""
    corners = vertices[triangles]
    # Length of the cross product = twice the triangle's area, so that summing over
    # the triangles of a vertex weights each by its area.
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    areas = np.zeros(len(vertices))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], cross)
        # A vertex owns a third of each of its triangles.
        np.add.at(areas, triangles[:, corner], np.linalg.norm(cross, axis=1) / 6)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    # The volume enclosed is positive only if the triangles wind outwards.
    volume = np.einsum("ij,ij->", corners[:, 0], cross) / 6
    if volume < 0:
        normals = -normals
    return normals, areas


def hemisphere_rows(hemi, annot, pial):
    """Return one row (name and numbers, m) for each parcel of one hemisphere."""
    labels, _, label_names = nib.freesurfer.read_annot(annot)
    label_names = [name.decode() for name in label_names]
    labels = labels[:N_FSAVERAGE5]
    surface = nib.load(pial)
    vertices = surface.agg_data("pointset").astype(float) / 1000  # mm -> m
    triangles = surface.agg_data("triangle")
    if len(vertices) != N_FSAVERAGE5:
        raise SystemExit(f"{pial} has {len(vertices)} vertices, not {N_FSAVERAGE5}.")
    normals, areas = vertex_normals_and_areas(vertices, triangles)

    rows = []
    # The order of aparc's colour table, which is also the order of the connectomes
    # we read. It is nearly, not quite, alphabetical.
    for index, parcel in enumerate(label_names):
        if parcel in NOT_PARCELS:
            continue
        mask = labels == index
        weight = areas[mask]
        centroid = weight @ vertices[mask] / weight.sum()
        mean_normal = weight @ normals[mask] / weight.sum()
        coherence = np.linalg.norm(mean_normal)
        numbers = [*centroid, *(mean_normal / coherence), coherence, weight.sum()]
        rows.append((f"{hemi}.{parcel}", numbers))
    return rows


def check(rows, atlas):
    """Print the distance of our centroids from those of spectrome's atlas."""
    with open(atlas, newline="", encoding="utf-8-sig") as fid:
        table = list(csv.reader(fid))[1:]
    # The hemisphere is read off the short name ('lSF'): the column that should hold
    # it calls one left parcel 'right'.
    theirs = {
        f"{row[0][0]}h.{row[1]}": np.array(row[2:5], float) / 1000 for row in table
    }
    missing = [name for name, _ in rows if name not in theirs]
    if missing:
        raise SystemExit(f"Not in {atlas}: {missing}")
    distances = np.array(
        [np.linalg.norm(theirs[name] - numbers[:3]) for name, numbers in rows]
    )
    worst = rows[int(distances.argmax())][0]
    sys.stdout.write(
        f"distance to {Path(atlas).name}, mm: mean {1e3 * distances.mean():.1f}, "
        f"median {1e3 * np.median(distances):.1f}, "
        f"max {1e3 * distances.max():.1f} ({worst})\n"
    )


def main():
    """Read the arguments, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--annot", nargs=2, required=True, metavar=("LH", "RH"))
    parser.add_argument("--pial", nargs=2, required=True, metavar=("LEFT", "RIGHT"))
    parser.add_argument("--out", required=True)
    parser.add_argument("--nilearn", default="0.14.1", help="version, for the header")
    parser.add_argument("--check", help="desikan_atlas_68.csv of spectrome")
    args = parser.parse_args()

    rows = []
    for hemi, annot, pial in zip(("lh", "rh"), args.annot, args.pial, strict=True):
        rows += hemisphere_rows(hemi, annot, pial)
    if args.check:
        check(rows, args.check)
    with open(args.out, "w", newline="", encoding="utf-8") as fid:
        fid.write(HEADER.format(nilearn=args.nilearn))
        writer = csv.writer(fid, lineterminator="\n")
        writer.writerow("name x y z nx ny nz coherence area".split())
        for name, numbers in rows:
            writer.writerow([name, *(f"{number:.6f}" for number in numbers)])


if __name__ == "__main__":
    main()
