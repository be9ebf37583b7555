"""The packaged table of cortical parcels."""

import csv
from functools import cache
from importlib import resources

import numpy as np


def load_parcels():
    """Load positions and orientations of the 68 Desikan-Killiany parcels.

    Returns
    -------
    parcels : sklearn.utils.Bunch
        With the fields

        - ``names`` : list of str, 68 names such as ``"lh.bankssts"``, in FreeSurfer's
          order, left hemisphere first;
        - ``positions`` : ndarray, shape (68, 3), centroids in m, surface RAS of
          fsaverage (MNI305);
        - ``normals`` : ndarray, shape (68, 3), mean outward unit normals of the pial
          surface;
        - ``coherence`` : ndarray, shape (68,), length of the mean normal before it was
          scaled to one: 1 where all vertices point the same way, near 0 where the
          orientations cancel. A dipole at the centroid overstates the field of an
          evenly active parcel by about the inverse of it;
        - ``areas`` : ndarray, shape (68,), in m2;
        - ``description`` : str.

    Notes
    -----
    Derived from FreeSurfer's fsaverage subject and its ``aparc`` annotation [1]_ by
    ``tools/make_parcel_table.py`` of the source repository.

    References
    ----------
    .. [1] Desikan et al. (2006), NeuroImage 31(3), 968-980,
       https://doi.org/10.1016/j.neuroimage.2006.01.021
    """
    from sklearn.utils import Bunch

    names, numbers = _read_table()
    return Bunch(
        names=list(names),
        positions=numbers[:, :3].copy(),
        normals=numbers[:, 3:6].copy(),
        coherence=numbers[:, 6].copy(),
        areas=numbers[:, 7].copy(),
        description=(
            "68 Desikan-Killiany parcels of fsaverage (MNI305 surface RAS, m). "
            "Derived from FreeSurfer's fsaverage subject (FreeSurfer Software License)."
        ),
    )


@cache
def _read_table():
    """Read names (68,) and numbers (68, 8) of the table."""
    table = resources.files("mne_sbi.datasets") / "data" / "parcels_dk.csv"
    with table.open(encoding="utf-8") as fid:
        rows = list(csv.reader(line for line in fid if not line.startswith("#")))[1:]
    names = tuple(row[0] for row in rows)
    return names, np.array([row[1:] for row in rows], dtype=float)
