"""Anatomy of synthetic people: what all of them share, and how one differs.

The grid of voxels is the brain of the MNI152 template that nilearn carries. Regions are
small patches of cortex that EEG sees as dipoles in a sphere and fMRI as blobs.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from .._template_lead_field import (
    dipole_gain,
    place_electrodes,
    pull_in,
    read_electrodes,
    to_head,
)
from ._bands import BANDS

N_REGIONS = 40
N_NETWORKS = 6
# Concentration of the Dirichlet distribution of the loadings: below one, a region
# belongs mainly to one or two networks.
_CONCENTRATION = 0.3
# Standard deviation of the Gaussian in which a region reaches the voxels around it.
_BLOB = 0.012  # m
# Cortex: distances from the brain's surface. Cortex is 2 to 4 mm thick and sulci are up
# to 20 mm deep (Fischl & Dale, PNAS 97:11050-11055, 2000).
_CORTEX = (0.003, 0.018)  # m
# Behind and below this point (MNI y and z) lies the cerebellum.
_CEREBELLUM = (-0.035, -0.015)  # m
# A patch of cortex points outwards on the crown of a gyrus and sideways in the wall of
# a sulcus: what is added to the outward unit vector, per coordinate.
_TILT = 0.7

# How much people differ, as standard deviations. Electrodes come off their place by
# 3 mm. A cytoarchitectonic area's place varies by about 5 mm after alignment to a
# template (Amunts et al., NeuroImage 11:66-84, 2000), and with it the folds, hence the
# direction of a patch.
_ELECTRODE_JITTER = 0.003  # m
_REGION_JITTER = 0.005  # m
_NORMAL_JITTER = 0.25
# The response's time to peak differs by about 0.7 s between people (Handwerker et al.,
# NeuroImage 21:1639-1651, 2004); the individual alpha frequency is 10 +- 1 Hz
# (Klimesch, Brain Res Rev 29:169-195, 1999).
_DELAY = 0.7  # s
_ALPHA = (10.0, 1.0)  # Hz
_ALPHA_RANGE = (8.0, 12.0)  # Hz
# The coupling of power and BOLD differs between people and regions by about a third
# (Goncalves et al., NeuroImage 30:203-213, 2006, found even its sign to differ).
_WEIGHT_JITTER = 0.3
# Linear alignment to a template leaves some mm (Klein et al., NeuroImage 46:786-802,
# 2009); receive coils leave a smooth pattern of 10 %.
_SHIFT = 0.002  # m
_BIAS = 0.1
_BIAS_SMOOTHNESS = 0.03  # m
# Mean signal of a T2*-weighted volume in each tissue, in units of the scanner: grey
# matter is brighter than white matter, fluid brighter than both.
_SIGNAL = {"fluid": 1200.0, "grey": 1000.0, "white": 750.0}

# Log power of each band to BOLD. Alpha, beta: Laufs et al., PNAS 100:11053-11058, 2003,
# gamma: Logothetis et al., Nature 412:150-157, 2001.
WEIGHTS = {"delta": -0.1, "theta": -0.15, "alpha": -0.7, "beta": -0.45, "gamma": 0.8}


@dataclass(frozen=True)
class Group:
    """What all people have in common.

    Parameters
    ----------
    mask : ndarray of bool, shape (nx, ny, nz)
    affine : ndarray, shape (4, 4)
        From voxels to MNI coordinates in mm.
    template : ndarray, shape (nx, ny, nz)
        Mean signal of a volume.
    voxels : ndarray, shape (n_voxels, 3)
        MNI coordinates in m.
    regions : ndarray, shape (n_regions, 3)
        MNI coordinates in m.
    normals : ndarray, shape (n_regions, 3)
    loadings : ndarray, shape (n_regions, n_networks)
        Each row has a norm of one.
    info : mne.Info
        With the electrodes where the montage has them.
    electrodes : ndarray, shape (n_channels, 3)
        On the template's head, in m.
    """

    mask: np.ndarray
    affine: np.ndarray
    template: np.ndarray
    voxels: np.ndarray
    regions: np.ndarray
    normals: np.ndarray
    loadings: np.ndarray
    info: object
    electrodes: np.ndarray

    @property
    def gain(self):
        """Gain (n_channels, n_regions) in V per A m of the template's head."""
        return _compute_gain(self.electrodes, self.regions, self.normals)

    @property
    def voxel_size(self):
        """In m."""
        return abs(self.affine[0, 0]) / 1000


@dataclass(frozen=True)
class Person:
    """How one person differs.

    Parameters
    ----------
    gain : ndarray, shape (n_channels, n_regions)
        In V per A m.
    blobs : ndarray, shape (n_voxels, n_regions)
        Each row has a norm of one.
    weights : dict of str to ndarray, shape (n_regions,)
        From the log power of each band to BOLD.
    alpha : float
        Individual alpha frequency in Hz.
    delay : float
        Of the haemodynamic response, in s.
    baseline : ndarray, shape (nx, ny, nz)
        Mean volume.
    """

    gain: np.ndarray
    blobs: np.ndarray
    weights: dict
    alpha: float
    delay: float
    baseline: np.ndarray


def make_group(info, voxel_size, rng):
    """Draw what all people have in common; ``voxel_size`` in m."""
    mask, affine, template = _load_brain(round(1000 * voxel_size))
    voxels = _to_metres(np.argwhere(mask), affine)
    regions = _spread_points(_find_cortex(mask, affine), N_REGIONS, rng)
    outward = regions - voxels.mean(axis=0)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    normals = _unit(outward + _TILT * rng.standard_normal(outward.shape))
    loadings = rng.dirichlet(np.full(N_NETWORKS, _CONCENTRATION), N_REGIONS)
    electrodes = place_electrodes(read_electrodes(info)[1])
    return Group(
        mask, affine, template, voxels, regions, normals, _unit(loadings), info,
        electrodes,
    )  # fmt: skip


def make_person(group, rng):
    """Draw one person."""
    regions = group.regions + _REGION_JITTER * rng.standard_normal(group.regions.shape)
    tilt = _NORMAL_JITTER * rng.standard_normal(group.normals.shape)
    shifts = _ELECTRODE_JITTER * rng.standard_normal(group.electrodes.shape)
    weights = {
        band: WEIGHTS[band] * (1 + _WEIGHT_JITTER * rng.standard_normal(len(regions)))
        for band in BANDS
    }
    distances = np.linalg.norm(group.voxels[:, np.newaxis] - regions, axis=2)
    # As logarithms first: far from all regions the Gaussians themselves underflow.
    exponents = -0.5 * (distances / _BLOB) ** 2
    blobs = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    return Person(
        gain=_compute_gain(
            group.electrodes + shifts, regions, _unit(group.normals + tilt)
        ),
        blobs=_unit(blobs).astype(np.float32),
        weights=weights,
        alpha=float(np.clip(rng.normal(*_ALPHA), *_ALPHA_RANGE)),
        delay=float(rng.normal(0.0, _DELAY)),
        baseline=_make_baseline(group, rng),
    )


def smooth_map(shape, smoothness, rng):
    """Draw a smooth field with zero mean and unit variance.

    ``smoothness`` is the standard deviation of the Gaussian in voxels.
    """
    field = ndimage.gaussian_filter(rng.standard_normal(shape), smoothness)
    return (field - field.mean()) / field.std()


@cache
def _load_brain(resolution):
    """Return mask, affine and mean signal of the template at a resolution in mm."""
    from nilearn.datasets import (
        load_mni152_brain_mask,
        load_mni152_gm_template,
        load_mni152_wm_template,
    )

    image = load_mni152_brain_mask(resolution=resolution)
    mask = np.asarray(image.dataobj) > 0
    grey = load_mni152_gm_template(resolution=resolution).get_fdata()
    white = load_mni152_wm_template(resolution=resolution).get_fdata()
    fluid = np.clip(mask - grey - white, 0, None)
    template = (
        _SIGNAL["fluid"] * fluid + _SIGNAL["grey"] * grey + _SIGNAL["white"] * white
    )
    for array in (mask, template):
        array.flags.writeable = False
    return mask, image.affine, template


def _find_cortex(mask, affine):
    """Return MNI coordinates, in m, of voxels in the cortex."""
    size = abs(affine[0, 0]) / 1000
    # Distances from the centre of the next voxel outside, half a voxel too many.
    depth = size * (ndimage.distance_transform_edt(mask) - 0.5)
    indices = np.argwhere((depth >= _CORTEX[0]) & (depth <= _CORTEX[1]))
    points = _to_metres(indices, affine)
    below = (points[:, 1] < _CEREBELLUM[0]) & (points[:, 2] < _CEREBELLUM[1])
    return points[~below]


def _spread_points(points, n_points, rng):
    """Choose points that are as far from each other as can be, one after the other."""
    chosen = [int(rng.integers(len(points)))]
    distances = np.linalg.norm(points - points[chosen[0]], axis=1)
    for _ in range(n_points - 1):
        chosen.append(int(distances.argmax()))
        new = np.linalg.norm(points - points[chosen[-1]], axis=1)
        distances = np.minimum(distances, new)
    return points[chosen]


def _compute_gain(electrodes, regions, normals):
    """Return the gain (n_channels, n_regions) of regions in MNI coordinates."""
    positions, normals = to_head(regions, normals)
    return dipole_gain(electrodes, pull_in(positions), normals)


def _make_baseline(group, rng):
    """Draw a person's mean volume: the template, shifted, through a coil."""
    shift = rng.normal(0.0, _SHIFT, 3) / group.voxel_size
    shifted = ndimage.shift(group.template, shift, order=1)
    bias = smooth_map(shifted.shape, _BIAS_SMOOTHNESS / group.voxel_size, rng)
    baseline = shifted * np.exp(_BIAS * bias)
    # At the border a shift leaves voxels of the mask empty; their signal comes from
    # tissue that fills them in part.
    least = 0.2 * baseline[group.mask].mean()
    return np.where(group.mask, np.maximum(baseline, least), baseline)


def _to_metres(indices, affine):
    """Return MNI coordinates, in m, of indices of voxels."""
    return (indices @ affine[:3, :3].T + affine[:3, 3]) / 1000


def _unit(vectors):
    """Scale rows to a norm of one."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
