"""Source imaging as a matrix: what it makes of channels, region by region."""

import dataclasses
import functools
import hashlib

import numpy as np

from ._checks import check_array, did_you_mean, listing
from ._frozen import SameByContent
from ._recording_sources import read_source_estimate
from ._region_names import normalize_region_name
from ._sensors import check_names

# Averages over sources whose weights do not depend on the data.
_LINEAR_MODES = ("mean", "mean_flip")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SourceImaging(SameByContent):
    """Source imaging: the linear map from channels to the activity of regions.

    Data that went through source imaging have its blur and its leakage between regions.
    :class:`~mne_sbi.models.Recorded` gives the same to simulations.

    Parameters
    ----------
    kernel : array_like, shape (n_labels, n_channels)
        Signal of each label for a unit signal of each channel.
    ch_names : sequence of str
        Names of the channels.
    label_names : sequence of str
        Names of the labels. Two names that differ only in spelling, as ``"L_insula"``
        and ``"insula-lh"`` do, count as one.
    description : str
        Where the map comes from.

    Raises
    ------
    TypeError
        If a name is not a string.
    ValueError
        If shapes do not fit, a value is not finite, or a name stands twice.

    Notes
    -----
    A map never changes: the kernel is a read-only copy, and two maps with the same
    content are equal and have the same hash.
    """

    kernel: np.ndarray
    ch_names: tuple
    label_names: tuple
    description: str = dataclasses.field(default="", kw_only=True)

    def __post_init__(self):
        kernel = check_array("kernel", self.kernel, shape=("n_labels", "n_channels"))
        names = {
            "label_names": check_names(
                "label_names", self.label_names, None, normalize_region_name
            ),
            "ch_names": check_names("ch_names", self.ch_names, None, str),
        }
        for (name, given), n in zip(names.items(), kernel.shape, strict=True):
            if len(given) != n:
                axis = "row" if name == "label_names" else "column"
                raise ValueError(
                    f"{name} must have one entry per {axis} of the kernel: there are "
                    f"{n} {axis}s, but {len(given)} entries were given."
                )
        others = {"kernel": kernel.copy(), "description": str(self.description)}
        self.__setstate__(names | others)

    @classmethod
    def from_inverse(
        cls,
        inverse_operator,
        labels,
        *,
        lambda2=1 / 9,
        method="dSPM",
        pick_ori="normal",
        mode="mean_flip",
        nave=1,
    ):
        """Take the map from an inverse operator of MNE-Python.

        Parameters
        ----------
        inverse_operator : mne.minimum_norm.InverseOperator
            The inverse operator of the recording, of cortical surfaces.
        labels : list of mne.Label
            The regions. Labels that are not cortex, as ``"unknown-lh"``, are left out.
        lambda2 : float
            Regularisation, as in :func:`mne.minimum_norm.apply_inverse_raw`.
        method : str
            ``"MNE"``, ``"dSPM"``, ``"sLORETA"`` or ``"eLORETA"``.
        pick_ori : "normal" | None
            ``None`` needs an inverse operator of fixed orientation: of a free one it
            gives magnitudes, which are not linear in the data.
        mode : "mean" | "mean_flip"
            How sources are averaged over a label, as in
            :func:`mne.extract_label_time_course`.
        nave : int
            Number of averages in the data.

        Returns
        -------
        source_imaging : SourceImaging
            From the channels of the inverse operator to the labels, such that ``kernel
            @ data`` is what :func:`mne.minimum_norm.apply_inverse_raw` and
            :func:`mne.extract_label_time_course` make of these channels' data. All
            arguments must be those that the recording was imaged with.

        Raises
        ------
        TypeError
            If an argument is of another type.
        ValueError
            If the settings make something that is not linear in the data, the source
            space is no surface, or labels have no source.
        """
        import mne

        _check_operator(inverse_operator, pick_ori, mode)
        names = list(inverse_operator["noise_cov"].ch_names)
        own = inverse_operator["info"]
        types = dict(zip(own["ch_names"], own.get_channel_types(), strict=True))
        with mne.use_log_level("error"):
            # The rate means nothing: every sample is a channel.
            info = mne.create_info(names, 1.0, [types[name] for name in names])
            evoked = mne.EvokedArray(np.eye(len(names)), info, nave=nave)
            if "eeg" in types.values():
                # What MNE-Python asks for. It is not applied here: the inverse operator
                # applies its own.
                evoked.set_eeg_reference(projection=True)
            stc = mne.minimum_norm.apply_inverse(
                evoked,
                inverse_operator,
                lambda2,
                method,
                pick_ori=None if _is_fixed(inverse_operator) else pick_ori,
            )
        src = inverse_operator["src"]
        made = read_source_estimate(stc, labels=labels, src=src, mode=mode)
        text = f"{method}, lambda2={lambda2:.3g}, mode={mode!r}"
        return cls(made.data[0], names, made.names, description=text)

    @property
    def n_channels(self):
        """Number of channels."""
        return len(self.ch_names)

    @property
    def n_labels(self):
        """Number of labels."""
        return len(self.label_names)

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 of kernel, channels and labels, as hexadecimal digits."""
        names = "\n".join([*self.ch_names, "", *self.label_names])
        digest = hashlib.sha256(names.encode())
        # Little-endian on every machine, so that a cache can be shared.
        digest.update(self.kernel.astype("<f8").tobytes())
        return digest.hexdigest()

    def for_channels(self, names):
        """Take the kernel for channels in another order.

        Parameters
        ----------
        names : sequence of str
            Names of channels, as those of a lead field. Those that source imaging does
            not use get zeros.

        Returns
        -------
        kernel : ndarray, shape (n_labels, n_names)
            The kernel.

        Raises
        ------
        ValueError
            If channels that source imaging uses are missing.
        """
        names = list(check_names("names", names, None, str))
        missing = [name for name in self.ch_names if name not in names]
        if missing:
            raise ValueError(
                f"Source imaging uses {self.n_channels} channels, of which "
                f"{len(missing)} are not in the lead field: {listing(missing)}."
                f"{did_you_mean(missing[0], names)} The lead field has "
                f"{listing(names)}. Make both of the same good channels: "
                "lead_field.prepare(raw.info), and an inverse operator of raw.info."
            )
        kernel = np.zeros((self.n_labels, len(names)))
        kernel[:, [names.index(name) for name in self.ch_names]] = self.kernel
        return kernel

    def to_dict(self):
        """Describe the map by arrays and strings.

        Returns
        -------
        description : dict of (ndarray | str)
            What :meth:`from_dict` understands.
        """
        return {
            "kernel": self.kernel,
            "ch_names": np.array(self.ch_names),
            "label_names": np.array(self.label_names),
            "description": self.description,
        }

    @classmethod
    def from_dict(cls, description):
        """Make the map that :meth:`to_dict` described.

        Parameters
        ----------
        description : dict of (ndarray | str)
            The description.

        Returns
        -------
        source_imaging : SourceImaging
            The map.
        """
        return cls(
            description["kernel"],
            [str(name) for name in description["ch_names"]],
            [str(name) for name in description["label_names"]],
            description=str(description["description"]),
        )

    def __repr__(self):
        parts = [f"{self.n_channels} channels to {self.n_labels} labels"]
        parts += [self.description] * bool(self.description)
        return f"<SourceImaging | {', '.join(parts)}>"


def _is_fixed(inverse_operator):
    from mne.io.constants import FIFF

    return inverse_operator["source_ori"] == FIFF.FIFFV_MNE_FIXED_ORI


def _check_operator(inverse_operator, pick_ori, mode):
    """Refuse what is no inverse operator, or would not be linear in the data."""
    import mne

    if not isinstance(inverse_operator, mne.minimum_norm.InverseOperator):
        raise TypeError(
            "inverse_operator must be an mne.minimum_norm.InverseOperator, got "
            f"{type(inverse_operator).__name__}. Make one with "
            "mne.minimum_norm.make_inverse_operator(), or read one with "
            "mne.minimum_norm.read_inverse_operator()."
        )
    kind = inverse_operator["src"].kind
    if kind != "surface":
        raise ValueError(
            f"The inverse operator is of a {kind} source space, whose sources have no "
            "normals and so no sign. Use one of cortical surfaces."
        )
    if mode not in _LINEAR_MODES:
        raise ValueError(
            f"mode={mode!r} is not linear in the data, or unknown, so that no matrix "
            "does the same to simulations. Extract the time courses with one of "
            f"{', '.join(map(repr, _LINEAR_MODES))}, and say the same here."
        )
    if pick_ori == "normal" or (pick_ori is None and _is_fixed(inverse_operator)):
        return
    raise ValueError(
        f"pick_ori={pick_ori!r} with an inverse operator of free orientation does not "
        "give one signal per source that is linear in the data. Image the recording "
        "with pick_ori='normal', and say the same here."
    )
