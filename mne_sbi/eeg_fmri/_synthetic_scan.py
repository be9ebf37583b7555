"""How synthetic people are recorded: arguments, checked."""

from typing import NamedTuple

import numpy as np

from .._checks import check_array, check_count, check_option, listing
from ._bands import BANDS

# Voxels must be small enough to hold all regions, and large enough for the memory.
_VOXEL_SIZES = (0.003, 0.015)  # m
# Fewer volumes than this have no power left between drift and the slowest networks.
_LEAST_VOLUMES = 16


class Scan(NamedTuple):
    """How people are recorded."""

    n_volumes: int
    t_r: float
    lead_in: float
    ceiling: float

    @classmethod
    def from_arguments(cls, n_volumes, t_r, lead_in, ceiling):
        """Check what a caller gives."""
        return cls(
            check_count("n_volumes", n_volumes, _LEAST_VOLUMES),
            float(check_array("t_r", t_r, shape=(), positive=True)),
            _check_lead_in(lead_in),
            _check_ceiling(ceiling),
        )

    @property
    def onsets(self):
        """Onset of each volume in s from the start of the EEG."""
        return self.lead_in + self.t_r * np.arange(self.n_volumes)

    @property
    def duration(self):
        """Length of the EEG in s."""
        return self.lead_in + self.n_volumes * self.t_r


def make_info(montage, sfreq):
    """Make the info of the channels of a montage, sampled with ``sfreq`` in Hz."""
    import mne

    if isinstance(montage, str):
        check_option("montage", montage, mne.channels.get_builtin_montages())
        montage = mne.channels.make_standard_montage(montage)
    if not isinstance(montage, mne.channels.DigMontage):
        raise TypeError(
            "montage must be the name of a montage of MNE-Python, such as "
            f"'biosemi64', or a mne.channels.DigMontage, got {type(montage).__name__}."
        )
    if len(montage.ch_names) < 2:
        raise ValueError("montage must have two electrodes at least.")
    positions = montage.get_positions()
    missing = [key for key in ("nasion", "lpa", "rpa") if positions[key] is None]
    if missing:
        raise ValueError(
            f"montage has no {listing(missing)}: give these points to "
            "mne.channels.make_dig_montage, so that the electrodes can be placed on a "
            "head."
        )
    info = mne.create_info(montage.ch_names, _check_sfreq(sfreq), "eeg")
    return info.set_montage(montage)


def _check_sfreq(sfreq):
    sfreq = float(check_array("sfreq", sfreq, shape=(), positive=True))
    fmax = BANDS["gamma"][1]
    if sfreq <= 2 * fmax:
        raise ValueError(
            f"sfreq must be above {2 * fmax:g} Hz, because the sources have "
            f"frequencies up to {fmax:g} Hz, got {sfreq:g}."
        )
    return sfreq


def _check_lead_in(lead_in):
    lead_in = float(check_array("lead_in", lead_in, shape=()))
    if lead_in < 0:
        raise ValueError(
            f"lead_in must not be negative, got {lead_in:g}. It is the time in s from "
            "the start of the EEG to the first volume."
        )
    return lead_in


def check_voxel_size(voxel_size):
    voxel_size = float(check_array("voxel_size", voxel_size, shape=()))
    millimetres = 1000 * voxel_size
    smallest, largest = _VOXEL_SIZES
    is_whole = abs(millimetres - round(millimetres)) < 1e-6
    if not (smallest - 1e-9 <= voxel_size <= largest + 1e-9 and is_whole):
        raise ValueError(
            "voxel_size is in m and must be a whole number of millimetres from "
            f"{smallest:g} to {largest:g}, got {voxel_size:g}. For example, use 0.006."
        )
    return voxel_size


def _check_ceiling(ceiling):
    ceiling = float(check_array("ceiling", ceiling, shape=()))
    if not 0 < ceiling < 1:
        raise ValueError(f"ceiling is a correlation between 0 and 1, got {ceiling:g}.")
    return ceiling
