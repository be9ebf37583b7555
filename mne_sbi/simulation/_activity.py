"""One simulation of the brain's activity, and its ways into MNE-Python."""

import dataclasses

import numpy as np

from .._checks import check_array, check_rng, listing
from .._frozen import FrozenArrays
from .._region_names import normalize_region_name
from .._sensors import check_names

# The order of size of dipole moments that explain EEG and MEG (Hämäläinen et al. 1993),
# in A m.
_USUAL = 10e-9
# Standard deviation, relative to the largest value, that is rounding in single
# precision, in which models simulate.
_FLAT = 1e-6


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Activity(FrozenArrays):
    """Activity of regions over time, as :func:`mne_sbi.simulate_activity` makes it.

    Parameters
    ----------
    data : array_like, shape (n_nodes, n_times)
        The activity of each node, in ``unit``.
    sfreq : float
        Sampling rate in Hz.
    names : sequence of str
        Names of the nodes.
    params : dict of float
        The parameters of the model.
    unit : str
        Unit of the activity; empty if the model does not say.
    positions : array_like, shape (n_nodes, 3) | None
        Positions of the nodes in m, as in :class:`~mne_sbi.Connectome`.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is not finite, or a name stands twice.

    Notes
    -----
    An activity never changes: its arrays are read-only copies.
    """

    data: np.ndarray
    sfreq: float
    names: tuple
    params: dict = dataclasses.field(default_factory=dict, kw_only=True)
    unit: str = dataclasses.field(default="", kw_only=True)
    positions: np.ndarray | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self):
        data = check_array("data", self.data, shape=("n_nodes", "n_times"))
        names = check_names("names", self.names, None, normalize_region_name)
        if len(names) != len(data):
            raise ValueError(
                f"names must have one entry per row of the data: there are {len(data)} "
                f"rows, but {len(names)} entries were given."
            )
        fields = {
            "data": data.copy(),
            "sfreq": float(check_array("sfreq", self.sfreq, shape=(), positive=True)),
            "names": names,
            "params": {str(name): float(v) for name, v in self.params.items()},
            "unit": str(self.unit),
        }
        if self.positions is not None:
            where = check_array("positions", self.positions, shape=(len(data), 3))
            fields["positions"] = where.copy()
        self.__setstate__(fields)

    @property
    def n_nodes(self):
        """Number of nodes."""
        return len(self.names)

    @property
    def times(self):
        """Times in s, from the first sample, shape (n_times,)."""
        return np.arange(self.data.shape[1]) / self.sfreq

    @property
    def duration(self):
        """Length in s."""
        return self.data.shape[1] / self.sfreq

    def pick(self, names):
        """Take some of the nodes, in the order given.

        Parameters
        ----------
        names : sequence of str
            Names of nodes, in any spelling.

        Returns
        -------
        activity : Activity
            The activity of these nodes.

        Raises
        ------
        ValueError
            If a name is unknown or stands twice.
        """
        names = check_names("names", names, None, normalize_region_name)
        own = {normalize_region_name(name): i for i, name in enumerate(self.names)}
        missing = [name for name in names if normalize_region_name(name) not in own]
        if missing:
            raise ValueError(
                f"The activity has no nodes {listing(missing)}. It has "
                f"{listing(self.names)}."
            )
        index = [own[normalize_region_name(name)] for name in names]
        return dataclasses.replace(
            self,
            data=self.data[index],
            names=[self.names[i] for i in index],
            positions=None if self.positions is None else self.positions[index],
        )

    def to_raw(self, ch_type="eeg", *, gain=1.0):
        """Turn regions into channels of MNE-Python.

        Parameters
        ----------
        ch_type : str
            Type of the channels. There is none for regions, and of type ``"misc"``
            they would be left out by ``.filter()``, ``.compute_psd()``,
            ``.apply_hilbert()`` and the like, which take data channels. They are
            therefore called EEG, which they are not: there are no positions, and no
            reference is to be set.
        gain : float
            Factor from the unit of the activity to that of the channels, V for EEG,
            such as 1e-6 to read a unit as 1 µV.

        Returns
        -------
        raw : mne.io.RawArray
            A channel per region, with the region's name; ``raw.plot()``,
            ``raw.filter()`` and ``raw.compute_psd()`` are MNE-Python's own.
        """
        import mne

        gain = float(check_array("gain", gain, shape=()))
        info = mne.create_info(list(self.names), self.sfreq, ch_type)
        return mne.io.RawArray(gain * self.data, info, verbose="error")

    def to_epochs(self, duration, *, overlap=0.0, ch_type="eeg", gain=1.0):
        """Cut the activity into epochs of one length.

        Parameters
        ----------
        duration : float
            Length of an epoch in s.
        overlap : float
            Time in s that neighbours share.
        ch_type, gain : str, float
            As in :meth:`to_raw`.

        Returns
        -------
        epochs : mne.Epochs
            As :func:`mne.make_fixed_length_epochs` makes them.
        """
        import mne

        return mne.make_fixed_length_epochs(
            self.to_raw(ch_type, gain=gain),
            duration,
            overlap=overlap,
            preload=True,
            verbose="error",
        )

    def to_stc(self, labels, src, *, moment=None, remove_mean=True):
        """Spread the activity over the cortex.

        Parameters
        ----------
        labels : list of mne.Label
            The regions, found by the names of the nodes however they are spelt. Labels
            that are no nodes are left out.
        src : mne.SourceSpaces
            The source space: ``forward["src"]`` or ``inverse_operator["src"]``.
        moment : float | None
            Dipole moment in A m of a whole region for one unit of activity; ``None``
            as in :meth:`to_sensors`.
        remove_mean : bool
            Whether the mean of each node over time is taken out first.

        Returns
        -------
        stc : mne.SourceEstimate
            Dipole moments in A m along the surface normals, of all sources in the
            labels. Those of one label have the same moment, the region's divided by
            their number, so that :func:`mne.apply_forward_raw` gives what
            :meth:`to_sensors` gives. :func:`mne.simulation.simulate_stc` does not
            divide.

        Raises
        ------
        ValueError
            If nodes have no label, labels have no source, or a source is in two labels.
        """
        from ._activity_mne import make_stc

        data = self._moments(moment, remove_mean)
        return make_stc(data, self.names, self.sfreq, labels, src)

    def to_sensors(
        self,
        lead_field,
        info,
        *,
        labels=None,
        moment=None,
        remove_mean=True,
        noise_cov=None,
        random_state=None,
    ):
        """Record the activity with EEG and MEG.

        Parameters
        ----------
        lead_field : LeadField | mne.Forward
            From regions, found by name, to channels.
        info : mne.Info
            Of a recording with the sampling rate of the activity. The good EEG and MEG
            channels in it are simulated, of the types that the lead field has.
        labels : list of mne.Label | None
            Regions of an ``mne.Forward``, named as the nodes.
        moment : float | None
            Dipole moment in A m of a whole region for one unit of activity. ``None``
            takes what gives the regions 10 nA m (root mean square over regions and
            time, without means), the usual size [1]_. Give a number to compare
            simulations in their size.
        remove_mean : bool
            Whether the mean of each node over time is taken out first. Firing rates
            and potentials have a large one, which no amplifier of EEG or MEG records.
        noise_cov : mne.Covariance | None
            Covariance in V^2, T^2 and (T/m)^2 over channels of noise that is added,
            white over time, as by :func:`mne.simulation.add_noise`. Use that of data
            in the band of interest.
        random_state : None | int | numpy.random.Generator | numpy.random.RandomState
            Source of the noise.

        Returns
        -------
        raw : mne.io.RawArray
            The recording, in V, T and T/m. Projectors that are active in ``info`` are
            applied to signal and noise. Where the lead field has the average reference
            (:meth:`mne_sbi.LeadField.prepare`), so has the noise, and there is an
            active projector that says so; otherwise potentials are relative to
            infinity. Filters that ``info`` tells of are not applied.

        Raises
        ------
        TypeError
            If an argument is of another type.
        ValueError
            If the sampling rates differ, or nodes or channels are missing.

        References
        ----------
        .. [1] Hämäläinen et al. (1993), Reviews of Modern Physics 65(2), 413-497,
           https://doi.org/10.1103/RevModPhys.65.413
        """
        from ._activity_mne import make_sensors

        rng = check_rng(random_state)
        data = self._moments(moment, remove_mean)
        return make_sensors(
            data, self.names, self.sfreq, lead_field, info, labels, noise_cov, rng
        )

    def _moments(self, moment, remove_mean):
        """Return dipole moments in A m, shape (n_nodes, n_times)."""
        centred = self.data - self.data.mean(axis=1, keepdims=True)
        if moment is None:
            size = np.sqrt((centred**2).mean())
            if not size > _FLAT * np.abs(self.data).max():
                raise ValueError(
                    "The activity does not vary, so that it cannot be scaled to the "
                    "usual size. Give moment=, in A m for one unit of activity."
                )
            moment = _USUAL / size
        moment = float(check_array("moment", moment, shape=()))
        return moment * (centred if remove_mean else self.data)

    def __repr__(self):
        unit = f", in {self.unit}" if self.unit else ""
        return (
            f"<Activity | {self.n_nodes} nodes, {self.duration:g} s at {self.sfreq:g} "
            f"Hz{unit}>"
        )
