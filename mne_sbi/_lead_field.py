"""The lead field: what the regions' activity looks like at the sensors."""

import dataclasses
import functools
import hashlib
import sys

import numpy as np

from ._checks import check_array, did_you_mean, listing
from ._files import read_npz, save_npz
from ._frozen import SameByContent
from ._region_names import normalize_region_name
from ._sensors import brain_info, check_info, check_names, rows_for, sensor_projector

_FORMAT = "mne_sbi lead field 2"
_CHOICES = (
    "lead_field must be 'template', an mne.Forward (with labels=) or a LeadField. Read "
    "a file first: mne.read_forward_solution() or mne_sbi.read_lead_field(). Got"
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LeadField(SameByContent):
    """Lead field: the sensors' signals for unit activity of each node.

    Parameters
    ----------
    gain : array_like, shape (n_channels, n_nodes)
        Signal of each channel when a node carries a dipole moment of 1 A m, spread
        evenly over its cortex along the surface normals: V for EEG, T for
        magnetometers, T/m for gradiometers, each per A m.
    ch_names : sequence of str
        Names of the channels.
    node_names : sequence of str
        Names of the nodes. Two names that differ only in spelling, as ``"L_insula"``
        and ``"insula-lh"`` do, count as one.
    ch_types : sequence of str | None
        Types of the channels, such as ``"eeg"``, ``"mag"`` and ``"grad"``.
    description : str
        Where the lead field comes from.

    Raises
    ------
    TypeError
        If a name is not a string.
    ValueError
        If shapes do not fit, a value is not finite, or a name stands twice.

    Notes
    -----
    A lead field never changes: the gain is a read-only copy, and two lead fields with
    the same content are equal and have the same hash.
    """

    gain: np.ndarray
    ch_names: tuple
    node_names: tuple
    ch_types: tuple | None = dataclasses.field(default=None, kw_only=True)
    description: str = dataclasses.field(default="", kw_only=True)

    def __post_init__(self):
        gain = check_array("gain", self.gain, shape=("n_channels", "n_nodes"))
        fields = {
            "gain": gain.copy(),
            "ch_names": check_names("ch_names", self.ch_names, len(gain), str),
            "node_names": check_names(
                "node_names", self.node_names, gain.shape[1], normalize_region_name
            ),
            "description": str(self.description),
        }
        if self.ch_types is not None:
            fields["ch_types"] = check_names("ch_types", self.ch_types, len(gain), None)
        self.__setstate__(fields)

    @classmethod
    def from_forward(cls, forward, labels):
        """Average the sources of a forward solution over regions.

        Parameters
        ----------
        forward : mne.Forward
            A forward solution on the cortical surfaces, with free or fixed
            orientation. It is not changed.
        labels : list of mne.Label
            The regions, with the names of the nodes, on the same surfaces.

        Returns
        -------
        lead_field : LeadField
            The channels of the forward solution, bad ones among them, and one node
            per label.

        Raises
        ------
        ValueError
            If the source space is no surface, or labels hold no source of it.

        Notes
        -----
        Within a region, every source is given the same moment along the surface
        normal, so that the fields of opposite walls of folds cancel.
        """
        from ._forward_gain import average_over_labels

        gain, ch_names, ch_types = average_over_labels(forward, labels)
        return cls(
            gain,
            ch_names,
            [label.name for label in labels],
            ch_types=ch_types,
            description="forward solution, averaged over labels",
        )

    @classmethod
    def from_template(cls, info):
        """Compute an EEG lead field from the electrodes' positions alone.

        Parameters
        ----------
        info : mne.Info
            Of the recording. The electrodes need positions
            (:meth:`mne.Info.set_montage`); their names do not matter.

        Returns
        -------
        lead_field : LeadField
            The EEG channels that have a position, bad ones too, and the 68 regions of
            :func:`mne_sbi.datasets.load_parcels`.

        Raises
        ------
        ValueError
            If there are no EEG channels, good ones have no position, or the positions
            cannot be those of electrodes on a head.

        Notes
        -----
        The head is a sphere with four shells, onto whose surface the electrodes are
        brought by the sphere that fits them best and the plane of nasion and ears.
        Each region is a dipole at its centroid in fsaverage, along its mean normal,
        times the coherence of its normals, because opposite walls of folds cancel [1]_.

        This is no head model of a person: with those of a boundary-element model of one
        head, the topographies correlate with 0.95 (median; a tenth of them below 0.88).

        References
        ----------
        .. [1] Ahlfors et al. (2010), Human Brain Mapping 31(1), 140-149,
           https://doi.org/10.1002/hbm.20851
        """
        from ._template_lead_field import compute_template

        gain, ch_names, node_names = compute_template(info)
        return cls(
            gain,
            ch_names,
            node_names,
            ch_types=["eeg"] * len(ch_names),
            description="template: 68 parcels of fsaverage in a four-shell sphere",
        )

    @property
    def n_channels(self):
        """Number of channels."""
        return len(self.ch_names)

    @property
    def n_nodes(self):
        """Number of nodes."""
        return len(self.node_names)

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 of gain, channels and nodes, as hexadecimal digits."""
        names = "\n".join([*self.ch_names, "", *self.node_names])
        digest = hashlib.sha256(names.encode())
        # Little-endian on every machine, so that a cache can be shared.
        digest.update(self.gain.astype("<f8").tobytes())
        return digest.hexdigest()

    def prepare(self, info):
        """Bring the lead field into the state that a recording is in.

        Parameters
        ----------
        info : mne.Info
            Of the recording. Channels that are bad, or not of the brain, are left out.

        Returns
        -------
        lead_field : LeadField
            The other channels of ``info`` in its order, with its active projectors and
            the average reference of EEG channels applied, by :func:`sensor_projector`.

        Raises
        ------
        ValueError
            If the lead field lacks channels of the recording or has them as another
            type, or the projectors leave nothing of a channel.
        """
        info = brain_info(info)
        rows = rows_for(info, self.ch_names, self.ch_types)
        return dataclasses.replace(
            self,
            gain=sensor_projector(info) @ self.gain[rows],
            ch_names=[self.ch_names[row] for row in rows],
            ch_types=self.ch_types and [self.ch_types[row] for row in rows],
        )

    def for_nodes(self, names):
        """Take the gain of a model's nodes.

        Parameters
        ----------
        names : sequence of str
            Names of the nodes in any spelling that :func:`normalize_region_name`
            understands. Nodes of the lead field that are not among them are left out.

        Returns
        -------
        gain : ndarray, shape (n_channels, n_names)
            The gain, zero for nodes that the lead field does not have.
        covered : ndarray of bool, shape (n_names,)
            Which nodes the lead field has.

        Raises
        ------
        ValueError
            If the lead field has none of the nodes, or two names stand for one.
        """
        names = check_names("names", names, None, normalize_region_name)
        own = [normalize_region_name(name) for name in self.node_names]
        where = {name: i for i, name in enumerate(own)}
        index = [where.get(normalize_region_name(name), -1) for name in names]
        covered = np.array(index) >= 0
        if not covered.any():
            raise ValueError(
                f"The lead field has none of the {len(names)} nodes "
                f"{listing(names)}. It has {listing(self.node_names)}."
            )
        return np.where(covered, self.gain[:, index], 0.0), covered

    def to_dict(self):
        """Describe the lead field by arrays and strings.

        Returns
        -------
        description : dict of (ndarray | str)
            What :meth:`from_dict` understands, and what a file holds.
        """
        description = {
            "gain": self.gain,
            "ch_names": np.array(self.ch_names),
            "node_names": np.array(self.node_names),
            "description": self.description,
        }
        if self.ch_types is not None:
            description["ch_types"] = np.array(self.ch_types)
        return description

    @classmethod
    def from_dict(cls, description):
        """Make the lead field that :meth:`to_dict` described.

        Parameters
        ----------
        description : dict of (ndarray | str)
            The description.

        Returns
        -------
        lead_field : LeadField
            The lead field.
        """
        return cls(
            description["gain"],
            [str(name) for name in description["ch_names"]],
            [str(name) for name in description["node_names"]],
            ch_types=description.get("ch_types"),
            description=str(description["description"]),
        )

    def save(self, fname, overwrite=False):
        """Save the lead field to a file.

        Parameters
        ----------
        fname : path-like
            The file, whose name must end in ``.npz``.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is false.
        ValueError
            If the name does not end in ``.npz``.
        """
        save_npz(fname, self.to_dict(), version=_FORMAT, overwrite=overwrite)

    def __repr__(self):
        kinds = sorted(set(self.ch_types or ()))
        channels = f"{self.n_channels} {'+'.join(kinds) + ' ' * bool(kinds)}channels"
        return f"<LeadField | {channels}, {self.n_nodes} nodes>"


def read_lead_field(fname):
    """Read a lead field that was saved with :meth:`LeadField.save`.

    Parameters
    ----------
    fname : path-like
        The file.

    Returns
    -------
    lead_field : LeadField
        The lead field.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds something else.
    """
    return read_npz(fname, LeadField, version=_FORMAT, kind="a lead field")


def make_lead_field(lead_field, info, labels=None):
    """Make the lead field that belongs to a recording.

    Parameters
    ----------
    lead_field : "template" | mne.Forward | LeadField
        ``"template"`` needs the positions of the electrodes
        (:meth:`LeadField.from_template`), an ``mne.Forward`` needs ``labels``
        (:meth:`LeadField.from_forward`).
    info : mne.Info
        Of the recording.
    labels : list of mne.Label | None
        Regions of a forward solution.

    Returns
    -------
    lead_field : LeadField
        Prepared for the recording.

    Raises
    ------
    TypeError
        If ``lead_field`` is of another type.
    ValueError
        If it is another string, or labels are missing.
    """
    check_info(info)
    if isinstance(lead_field, str):
        if lead_field != "template":
            hint = did_you_mean(lead_field, ["template"])
            raise ValueError(f"{_CHOICES} {lead_field!r}.{hint}")
        lead_field = LeadField.from_template(info)
    elif isinstance(lead_field, sys.modules["mne"].Forward):
        if labels is None:
            raise ValueError(
                "A forward solution needs labels=, the regions to average over, named "
                "as the model's nodes: mne.read_labels_from_annot(subject, 'aparc')."
            )
        lead_field = LeadField.from_forward(lead_field, labels)
    elif not isinstance(lead_field, LeadField):
        raise TypeError(f"{_CHOICES} {type(lead_field).__name__}.")
    return lead_field.prepare(info)
