"""Synthetic recordings of EEG and fMRI of which is known what EEG can tell."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._checks import check_count, draw_seed
from ._bold import read_bold
from ._synthetic_bold import (
    HRF_LENGTH,
    head_speed,
    make_drift,
    make_motion,
    make_neural,
    make_noise,
    make_volumes,
    remove_drift,
    solve_noise_scale,
    voxel_correlation,
)
from ._synthetic_head import make_group, make_person
from ._synthetic_scan import Scan, check_voxel_size, make_info
from ._synthetic_sources import compute_moments, draw_log_power, make_eeg

# What the scanner writes into the EEG at the onset of each volume.
MARKER = "Response/R128"


class Ceiling(NamedTuple):
    """How well the EEG-visible part explains the measured volumes, per person.

    Parameters
    ----------
    r : ndarray, shape (n_subjects,)
        Correlation over time of measured and EEG-visible percent signal change, mean
        over voxels.
    r2 : ndarray, shape (n_subjects,)
        One minus the squared difference of both over the squared measured change,
        summed over volumes and voxels.
    """

    r: np.ndarray
    r2: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class SyntheticEEGfMRI:
    """Simultaneous recordings of synthetic people, from :func:`simulate_eeg_fmri`.

    Parameters
    ----------
    raws : list of mne.io.RawArray
        EEG of each person in V against the mean of the electrodes, with a montage and
        an annotation ``"Response/R128"`` at the onset of each volume.
    images : list of nibabel.Nifti1Image
        Volumes of each person, shape (nx, ny, nz, n_volumes), in MNI space, with the
        time between volumes in the header.
    masker : nilearn.maskers.NiftiMasker
        Fitted to the brain mask; it changes nothing else.
    visible : list of ndarray, shape (n_volumes, n_voxels)
        Percent signal change that EEG can see: the best that a prediction can do. The
        drift that :func:`make_pairs` removes is removed.
    motion : list of ndarray, shape (n_volumes, 6)
        Translations in m and rotations in rad of the head, relative to the first
        volume.
    subjects : list of str
        Names of the people.
    t_r : float
        Time between volumes in s.
    settings : dict
        The arguments that made them, and the seed that was drawn.
    """

    raws: list
    images: list
    masker: object
    visible: list
    motion: list
    subjects: list
    t_r: float
    settings: dict

    @property
    def ceiling(self):
        """What a perfect prediction would score: a tuple ``(r, r2)`` of arrays."""
        r, r2 = [], []
        for image, visible in zip(self.images, self.visible, strict=True):
            measured = read_bold(image, self.masker, self.t_r)
            r.append(voxel_correlation(measured, visible).mean())
            r2.append(1 - ((measured - visible) ** 2).sum() / (measured**2).sum())
        return Ceiling(np.array(r, dtype=float), np.array(r2, dtype=float))

    def write_bids(self, root, overwrite=False):
        """Write a BIDS folder: BrainVision, NIfTI, events and descriptions.

        Parameters
        ----------
        root : path-like
            The folder to make. It is written completely or not at all.
        overwrite : bool
            Replace an existing folder.

        Returns
        -------
        root : pathlib.Path
            The folder.

        Raises
        ------
        FileExistsError
            If the folder exists and ``overwrite`` is false, or if it is no folder that
            this method wrote.
        FileNotFoundError
            If the folder that shall hold it does not exist.

        Notes
        -----
        The realignment parameters come as a derivative. What EEG can see is not
        written: it is not part of a recording.
        """
        from ._bids import write_bids

        return write_bids(self, root, overwrite)

    def __repr__(self):
        raw, (n_volumes, n_voxels) = self.raws[0], self.visible[0].shape
        people = "person" if len(self.subjects) == 1 else "people"
        return (
            f"<SyntheticEEGfMRI | {len(self.subjects)} {people}, "
            f"{len(raw.ch_names)} channels at {raw.info['sfreq']:g} Hz, {n_volumes} "
            f"volumes of {n_voxels} voxels every {self.t_r:g} s, ceiling r "
            f"{self.settings['ceiling']:g}>"
        )


def simulate_eeg_fmri(
    n_subjects=6,
    *,
    n_volumes=140,
    t_r=2.0,
    sfreq=250.0,
    montage="biosemi64",
    voxel_size=0.006,
    lead_in=30.0,
    ceiling=0.40,
    random_state=None,
    verbose=None,
):
    r"""Simulate simultaneous EEG and fMRI of people at rest.

    Parameters
    ----------
    n_subjects : int
        Number of people. A person is the same whatever their number.
    n_volumes : int
        Volumes per person, at least 16.
    t_r : float
        Time between volumes in s.
    sfreq : float
        Sampling rate of the EEG in Hz, above 90.
    montage : str | mne.channels.DigMontage
        Where the electrodes are: a name of :func:`mne.channels.get_builtin_montages`,
        or a montage with nasion and ears.
    voxel_size : float
        Edge of a voxel in m, in whole millimetres from 0.003 to 0.015.
    lead_in : float
        How long before the first volume the EEG starts, in s.
    ceiling : float
        Correlation of measured and EEG-visible percent signal change after removal of
        drift, mean over voxels. The noise of each person is scaled to reach it.
    random_state : None | int | numpy.random.Generator | numpy.random.RandomState
        Source of randomness.
    verbose : bool | str | int | None
        Progress is shown at the level "INFO".

    Returns
    -------
    simulated : SyntheticEEGfMRI
        The recordings, and the part of the volumes that EEG can see.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is out of range, or the ceiling cannot be reached.

    Notes
    -----
    Forty regions of cortex, as far from each other as can be, belong to six networks.
    Log power :math:`p_{rb}(t)` of region r in band b is the sum of what its networks do
    and of its own, between 0.008 and 0.15 Hz. It modulates band-limited noise, which a
    sphere with four shells takes to the electrodes, where it meets a 1/f background;
    and it makes

    .. math:: \mathrm{BOLD}_r(t) = h * \sum_b w_b\, p_{rb},

    with the response h of :func:`canonical_hrf`. The weights are negative from delta to
    beta, where EEG sees the sources; that of gamma is positive, and muscles hide gamma
    at the scalp. Half of the neural variance is visible. Regions reach voxels
    as blobs of 12 mm. The volumes are a T2*-weighted template with a coil's bias times
    this change, slow drift, smooth thermal noise with an AR(1) correlation, a global
    signal, breathing and heartbeat that the volumes sample too slowly, and motion,
    which makes the EEG noisier as well.

    People differ in the places of electrodes and regions, the directions of sources,
    the alpha frequency, the delay of the response, the weights, and the mean volume.

    Examples
    --------
    >>> from mne_sbi.eeg_fmri import simulate_eeg_fmri
    >>> simulated = simulate_eeg_fmri(
    ...     2, n_volumes=30, montage="biosemi16", voxel_size=0.012, verbose=False
    ... )
    >>> simulated.images[0].shape
    (18, 21, 17, 30)
    """
    from mne.utils import ProgressBar, use_log_level

    n_subjects = check_count("n_subjects", n_subjects)
    scan = Scan.from_arguments(n_volumes, t_r, lead_in, ceiling)
    voxel_size = check_voxel_size(voxel_size)
    info = make_info(montage, sfreq)
    seed = draw_seed(random_state)
    group = make_group(info, voxel_size, np.random.default_rng([seed, 0]))
    people = []
    with use_log_level(verbose):
        for i in ProgressBar(range(n_subjects), mesg="Simulating"):
            people.append(_simulate_person(group, scan, [seed, 1 + i]))
    raws, images, visible, motion = (list(parts) for parts in zip(*people, strict=True))
    settings = {
        "n_subjects": n_subjects,
        "sfreq": info["sfreq"],
        "montage": montage,
        "voxel_size": voxel_size,
        "seed": seed,
        **scan._asdict(),
    }
    subjects = [f"{i + 1:02d}" for i in range(n_subjects)]
    for raw, subject in zip(raws, subjects, strict=True):
        # So that make_pairs knows whose they are.
        raw.info["subject_info"] = {"his_id": subject}
    masker = _make_masker(group, scan.t_r)
    return SyntheticEEGfMRI(
        raws, images, masker, visible, motion, subjects, scan.t_r, settings
    )


def _simulate_person(group, scan, seed):
    """Return EEG, image, what EEG can see, and motion of one person."""
    rng = np.random.default_rng(seed)
    person = make_person(group, rng)
    # The first volumes depend on what was before the EEG.
    log_power = draw_log_power(group.loadings, HRF_LENGTH + scan.duration + 1, rng)
    motion = make_motion(scan.n_volumes, scan.t_r, rng)
    raw = _make_raw(group, person, scan, log_power, motion, rng)
    visible, hidden = make_neural(
        log_power, person, scan.t_r, scan.n_volumes, HRF_LENGTH + scan.lead_in
    )
    noise, thermal = make_noise(group, person, motion, scan.t_r, rng)
    drift = make_drift(group, scan.n_volumes, rng)
    neural = visible + hidden
    fixed = neural + remove_drift(drift, scan.t_r)
    scale = solve_noise_scale(visible, fixed, noise, scan.ceiling)
    change = neural + drift + np.float32(scale) * noise
    volumes = make_volumes(group, person, change, thermal, scale)
    return raw, _make_image(group, volumes, scan.t_r), visible, motion


def _make_raw(group, person, scan, log_power, motion, rng):
    """Make the EEG recording of a person."""
    import mne

    sfreq = group.info["sfreq"]
    n_times = int(np.ceil(scan.duration * sfreq - 1e-6))
    times = np.arange(n_times) / sfreq
    speed = np.interp(times, scan.onsets + 0.5 * scan.t_r, head_speed(motion), left=0.0)
    eeg = make_eeg(
        log_power, person, compute_moments(group.gain), group.electrodes, sfreq,
        n_times, HRF_LENGTH, speed, rng,
    )  # fmt: skip
    raw = mne.io.RawArray(eeg, group.info.copy(), verbose="error")
    # The amplifier can mark samples only.
    marked = np.round(scan.onsets * sfreq) / sfreq
    return raw.set_annotations(mne.Annotations(marked, 0.0, MARKER))


def _make_image(group, volumes, t_r):
    """Make an image of volumes (n_volumes, nx, ny, nz)."""
    import nibabel

    data = np.ascontiguousarray(np.moveaxis(volumes, 0, -1), dtype=np.float32)
    image = nibabel.Nifti1Image(data, group.affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
    return image


def _make_masker(group, t_r):
    """Make the masker of the brain."""
    import nibabel
    from nilearn.maskers import NiftiMasker

    image = nibabel.Nifti1Image(group.mask.astype(np.uint8), group.affine)
    # False, nilearn's default for standardize, is on its way out.
    masker = NiftiMasker(mask_img=image, standardize=None, t_r=t_r, reports=False)
    return masker.fit()
