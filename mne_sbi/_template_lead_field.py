"""An EEG lead field without a forward solution, from what the packages carry.

The head is a sphere with the four shells of :func:`mne.make_sphere_model`. A sphere is
fitted to the electrodes, and they come to the template's scalp in the directions in
which its centre sees them, stretched from the top so that nasion and ears come to their
place: head size, origin and the roundness of a montage hardly matter then. Each region
is a dipole at its centroid in fsaverage along its mean normal, times the coherence of
its normals, because opposite walls of folds cancel.
"""

import numpy as np

from ._checks import listing
from ._sensors import check_info

# Sphere fitted, as below, to the montage "fsaverage_1005" of MNE-Python 1.13 in head
# coordinates; its centre is that of the template's head.
_CENTRE = np.array([-0.0016, 0.0129, 0.0448])  # m
_ELECTRODES_RADIUS = 0.0978  # m
# Mean distance of fsaverage's skin (mne/data/fsaverage/fsaverage-head.fif), above the
# plane of nasion and ears, from that centre.
_HEAD_RADIUS = 0.0959  # m
# Innermost of the shells of mne.make_sphere_model(), relative to the outermost, less
# the least distance from it of mne.setup_volume_source_space().
_SOURCES_RADIUS = 0.90 * _HEAD_RADIUS - 0.005  # m
# Heads are no spheres: standard deviation of the distances of the electrodes of that
# montage from the sphere.
_ASPHERICITY = 0.006  # m
# How far centre and radius may be from the template's. Weak: it decides only where a
# few electrodes do not. The centre's is half of what spherical montages need, whose
# origin is their centre; the radius' is that of adults, 0.09 to 0.1 m, doubled.
_CENTRE_SPREAD = 0.02  # m
_RADIUS_SPREAD = 0.01  # m
# Electrodes farther below the centre, in radii, sit on cheeks and neck.
_LOWEST = -0.2
# No head is as small or as large; other numbers are in mm or cm.
_HEADS = (0.04, 0.16)  # m


def compute_template(info):
    """Compute the gain of 68 parcels at the electrodes.

    Parameters
    ----------
    info : mne.Info
        Of the recording.

    Returns
    -------
    gain : ndarray, shape (n_channels, 68)
        Potential of each electrode in V per A m, against a point far away.
    ch_names : list of str
        EEG channels that have a position.
    node_names : list of str
        The parcels.

    Raises
    ------
    TypeError
        If ``info`` is no :class:`mne.Info`.
    ValueError
        If there are no EEG channels, good ones have no position, or the positions
        cannot be those of electrodes on a head.
    """
    from .datasets import load_parcels

    ch_names, electrodes = read_electrodes(info)
    parcels = load_parcels()
    positions, normals = to_head(parcels.positions, parcels.normals)
    gain = dipole_gain(place_electrodes(electrodes), pull_in(positions), normals)
    return gain * parcels.coherence, ch_names, parcels.names


def read_electrodes(info):
    """Return names and positions (n, 3), in m, of the EEG channels."""
    from mne.io.constants import FIFF

    check_info(info)
    kinds = info.get_channel_types()
    pairs = zip(info["chs"], kinds, strict=True)
    channels = [channel for channel, kind in pairs if kind == "eeg"]
    if not channels:
        raise ValueError(
            "lead_field='template' is for EEG, but the recording has channels of the "
            f"types {sorted(set(kinds))}. For MEG, give an mne.Forward and labels=; "
            "for EEG, see raw.set_channel_types()."
        )
    bipolar = [
        channel["ch_name"]
        for channel in channels
        if channel["coil_type"] == FIFF.FIFFV_COIL_EEG_BIPOLAR
    ]
    if bipolar:
        raise ValueError(
            f"Bipolar EEG channels have no position: {listing(bipolar)}. Leave them "
            "out (raw.drop_channels), or use the recording before they were made."
        )
    positions = np.array([channel["loc"][:3] for channel in channels])
    # MNE-Python writes zeros or NaN for an electrode whose place is not known.
    known = np.isfinite(positions).all(axis=1) & (positions != 0).any(axis=1)
    missing = [
        channel["ch_name"]
        for channel, is_known in zip(channels, known, strict=True)
        if not is_known and channel["ch_name"] not in info["bads"]
    ]
    if missing:
        # As EEGBCI has them, which no montage knows.
        has_dots = any(name.endswith(".") for name in missing)
        first = "mne.datasets.eegbci.standardize(raw), then " * has_dots
        raise ValueError(
            f"{len(missing)} of {len(channels)} EEG channels have no position: "
            f"{listing(missing)}. Set them with info.set_montage(...), for example "
            f"{first}raw.set_montage('colin27_1005', match_case=False); for channels "
            "that are no electrodes on the head, use raw.set_channel_types() or "
            "raw.drop_channels()."
        )
    if not known.any():
        raise ValueError("All EEG channels are marked as bad and have no position.")
    used = [channel for channel, there in zip(channels, known, strict=True) if there]
    frames = {int(channel["coord_frame"]) for channel in used}
    if frames != {int(FIFF.FIFFV_COORD_HEAD)}:
        raise ValueError(
            "The electrodes' positions must be in head coordinates (relative to nasion "
            f"and ears), but are in the frames {sorted(frames)} of MNE-Python. Set a "
            "montage that has these fiducials with info.set_montage(...)."
        )
    return [channel["ch_name"] for channel in used], positions[known]


def to_head(positions, normals):
    """Bring fsaverage's surface coordinates into its head coordinates."""
    from importlib import resources

    import mne

    folder = resources.files("mne") / "data" / "fsaverage"
    with resources.as_file(folder / "fsaverage-trans.fif") as fname:
        to_mri = mne.read_trans(fname, verbose="error")
    # From head to MRI, as MNE-Python names it.
    to_head = np.linalg.inv(to_mri["trans"])
    rotation, shift = to_head[:3, :3], to_head[:3, 3]
    return positions @ rotation.T + shift, normals @ rotation.T


def place_electrodes(electrodes):
    """Place electrodes (n, 3) on the template's head."""
    centre, radius = _fit_head(electrodes)
    smallest, largest = _HEADS
    if not smallest < radius < largest:
        raise ValueError(
            f"The electrodes lie on a sphere of {radius:.3g} m radius, which is no "
            "head. Positions must be in m; see info.set_montage(...)."
        )
    x, y, z = (electrodes - centre).T
    from_top = np.arctan2(np.hypot(x, y), z)
    # Nasion and ears, at the height zero of head coordinates, must come to where they
    # are on the template. Spherical montages have them on the equator.
    template = _angle_of_ears(_CENTRE, _ELECTRODES_RADIUS)
    from_top *= template / _angle_of_ears(centre, radius)
    around = np.arctan2(y, x)
    directions = np.stack(
        [
            np.sin(from_top) * np.cos(around),
            np.sin(from_top) * np.sin(around),
            np.cos(from_top),
        ],
        axis=1,
    )
    return _CENTRE + _HEAD_RADIUS * directions


def _angle_of_ears(centre, radius):
    """Return the angle at the centre between the top and nasion or ears, in rad."""
    return np.arccos(np.clip(-centre[2] / radius, -1, 1))


def _fit_head(electrodes):
    """Fit a sphere to the electrodes on the upper head: centre (3,) and radius, m.

    The template's sphere is the prior, so that a few electrodes, or those of one side,
    do not give an absurd one.
    """
    from scipy.optimize import least_squares

    template = np.append(_CENTRE, _ELECTRODES_RADIUS)
    spread = np.append(np.full(3, _CENTRE_SPREAD), _RADIUS_SPREAD)
    used = np.ones(len(electrodes), dtype=bool)
    # Which ones are low depends on the centre. Two or three rounds settle it.
    for _ in range(5):

        def misfit(sphere, points=electrodes[used]):
            distances = np.linalg.norm(points - sphere[:3], axis=1)
            from_surface = (distances - sphere[3]) / _ASPHERICITY
            return np.append(from_surface, (sphere - template) / spread)

        sphere = least_squares(misfit, template).x
        upper = (electrodes - sphere[:3])[:, 2] > _LOWEST * sphere[3]
        if not upper.any() or (upper == used).all():
            break
        used = upper
    return sphere[:3], sphere[3]


def pull_in(positions):
    """Bring positions (n, 3) that lie in the template's skull back into its brain."""
    offsets = positions - _CENTRE
    distances = np.linalg.norm(offsets, axis=1, keepdims=True)
    return _CENTRE + offsets * np.minimum(1, _SOURCES_RADIUS / distances)


def dipole_gain(electrodes, positions, normals):
    """Return the potentials (n_electrodes, n_dipoles) of unit dipoles in a sphere."""
    import mne

    info = mne.create_info([str(i) for i in range(len(electrodes))], 1.0, "eeg")
    for channel, position in zip(info["chs"], electrodes, strict=True):
        channel["loc"][:] = 0.0  # among them the reference: none
        channel["loc"][:3] = position
    sphere = mne.make_sphere_model(_CENTRE, _HEAD_RADIUS, verbose="error")
    src = mne.setup_volume_source_space(
        pos={"rr": positions, "nn": normals}, verbose="error"
    )
    # MNE-Python compares positions in MRI coordinates with the sphere in head
    # coordinates, and drops what it takes to be outside: here both are the same.
    forward = mne.make_forward_solution(
        info,
        mne.Transform("head", "mri"),
        src,
        sphere,
        meg=False,
        mindist=0.0,
        verbose="error",
    )
    if forward["nsource"] != len(positions):
        raise RuntimeError(
            f"MNE-Python {mne.__version__} left out "
            f"{len(positions) - forward['nsource']} of {len(positions)} parcels of the "
            "template. This is an error of mne_sbi: please report it."
        )
    gain = forward["sol"]["data"].reshape(len(electrodes), len(positions), 3)
    return np.einsum("csk,sk->cs", gain, normals)
