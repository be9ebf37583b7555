"""A model together with what lies between it and a recording of it."""

import numpy as np

from .._checks import check_array
from .._jax import standard_jax, standard_promotion
from .._lead_field import LeadField
from .._parameters import Parameter
from .._region_names import normalize_region_name
from .._source_imaging import SourceImaging
from ._base import ForwardModel
from ._recorded_chain import Chain, check_band, compile_chain

_GAIN = Parameter(
    "gain", 0.1, 10.0, 1.0, "", "log", doc="Factor from the model's unit to the data's."
)
_NOISE = (
    Parameter(
        "snr_background", -20, 40, 20, "dB", doc="Signal to 1/f background noise."
    ),
    Parameter("exponent", 0, 2.5, 1, "", doc="Background has power 1/f^exponent."),
    Parameter("snr_white", -20, 40, 20, "dB", doc="Signal to white noise."),
)
# Number that sets the noise's random key apart from those that models make, which
# count from zero.
_NOISE_KEY = 0x6E6F6973
# Numbers in one call of the compiled function: 16 MB, which caches and memory can hold.
_CHUNK = 1 << 22
# Fewer draws are filled up: compiling for them takes longer.
_LEAST = 16


class Recorded(ForwardModel):
    """A time-series model as it is recorded: with gain, sensors, noise and filters.

    Noise is part of the simulation here, of a level and a colour that are parameters:
    they can be inferred, or left to vary as nuisances, so that what is inferred of the
    model holds at any of them.

    Parameters
    ----------
    model : ForwardModel
        The model, of time series.
    lead_field : LeadField | None
        From the model's nodes to channels; ``None`` if the nodes are recorded.
    highpass, lowpass : float | None
        Cutoffs in Hz of the filters that the recording went through; ``None``, zero, or
        half the sampling rate and above stand for none.
    noise : bool
        Whether there is noise.
    source_imaging : SourceImaging | None
        From the channels of the lead field to labels, where the recording consists of
        source estimates, or their time courses of labels; ``None`` if it is of nodes or
        channels.

    See Also
    --------
    mne_sbi.features.SpectralNoise : Noise that is added to spectra.

    Notes
    -----
    The data are filter(gain (z + background + white)), where z is the activity of the
    nodes, or of channels after the lead field. Both noises are Gaussian and independent
    over rows; that of the background has the power 1/f^exponent. With a lead field of
    average reference, the noise has it too; it has no other projectors.

    Source imaging is applied to these data of channels, noise and all, so that labels
    have the leakage and the noise that they have in a recording. Levels of noise are
    those at the channels.

    ``snr_background`` and ``snr_white`` are ratios in dB of variances in the recorded
    band, which goes from ``highpass``, but at least 1 Hz, to ``lowpass``, or half the
    sampling rate. The signal's is that of the very simulation, averaged over rows of
    one type; the noise's is the expected one. A simulation without variance becomes
    NaN.

    Filters have zero phase and the magnitude of MNE-Python's default filter
    (:func:`mne.filter.create_filter`).
    """

    def __init__(
        self,
        model,
        *,
        lead_field=None,
        highpass=None,
        lowpass=None,
        noise=True,
        source_imaging=None,
    ):
        self.model = model
        self.lead_field = lead_field
        self.highpass = highpass
        self.lowpass = lowpass
        self.noise = noise
        self.source_imaging = source_imaging

    @property
    def sfreq(self):
        """Sampling rate in Hz, of the model inside."""
        return self._inner.sfreq

    @property
    def duration(self):
        """Length in s, of the model inside."""
        return self._inner.duration

    @property
    def default_free(self):
        """Those of the model inside, and the noise's."""
        inner = self._inner
        free = inner.default_free
        if free is None:
            free = tuple(p.name for p in inner.get_parameters())
        return (*free, *(p.name for p in _NOISE)) if self.noise else tuple(free)

    @property
    def shared_parameter(self):
        """That of the model inside."""
        return self._inner.shared_parameter

    @property
    def n_sharing(self):
        """How many draws share a value of it, as in the model inside."""
        return self._inner.n_sharing

    @property
    def differentiable(self):
        """Whether the model inside is."""
        return self._inner.differentiable

    @property
    def chunk_size(self):
        """How many draws are one task, as for the model inside."""
        return self._inner.chunk_size

    @property
    def block_size(self):
        """How many simulations are asked for at once, as for the model inside."""
        return self._inner.block_size

    @property
    def single_node(self):
        """Whether one node is recorded by itself."""
        return self._inner.single_node and self.lead_field is None

    @property
    def node_names(self):
        """Names of what is recorded: nodes, channels, or labels."""
        if self.source_imaging is not None:
            return self._source_imaging.label_names
        if self.lead_field is None:
            return self._inner.node_names
        return self._lead_field.ch_names

    def get_connectome(self):
        """Return the connectome whose nodes are recorded.

        Returns
        -------
        connectome : Connectome | None
            With source imaging, the nodes that are labels, in their order, or ``None``
            if labels are no nodes; ``None`` for channels.
        """
        inner = self._inner
        if self.lead_field is not None and self.source_imaging is None:
            return None
        get = getattr(inner, "get_connectome", None)
        whole = getattr(inner, "connectome", None) if get is None else get()
        if whole is None or self.source_imaging is None:
            return whole
        labels = self._source_imaging.label_names
        known = {normalize_region_name(name) for name in whole.names}
        is_part = known.issuperset(map(normalize_region_name, labels))
        return whole.pick(labels) if is_part else None

    def get_parameters(self):
        """Return the parameters of the model inside, the gain, and the noise's.

        Returns
        -------
        parameters : tuple of Parameter
            The parameters.

        Raises
        ------
        ValueError
            If the model inside has a parameter of the same name.
        """
        inner = self._inner.get_parameters()
        own = (_GAIN, *_NOISE) if self.noise else (_GAIN,)
        both = {p.name for p in inner} & {p.name for p in own}
        if both:
            raise ValueError(
                f"{type(self.model).__name__} has parameters {sorted(both)} already, "
                "as Recorded has. Rename those of the model."
            )
        return (*inner, *own)

    def get_symmetries(self):
        """Return the rescalings that leave the data exactly as they are.

        Returns
        -------
        symmetries : tuple of dict of float
            Those of the model inside, and those of its ``get_gain_symmetries``, if it
            has that method, in which the gain takes part.
        """
        inner = self._inner
        get = getattr(inner, "get_gain_symmetries", tuple)
        return (*inner.get_symmetries(), *get())

    def check_valid(self, params):
        """Say for which parameters the model inside makes sense."""
        return self._inner.check_valid(self._split(params)[0])

    def check_ranges(self, ranges):
        """Raise an error if the model inside cannot simulate these ranges."""
        self._inner.check_ranges(self._split(ranges)[0])

    def prepare(self):
        """Check the settings, and prepare the model inside."""
        self._chain()
        self._inner.prepare()
        return self

    @standard_promotion()
    def simulate(self, params, key):
        """Simulate one recording.

        Parameters
        ----------
        params : dict of float
            Values of all parameters.
        key : jax.Array
            Random key.

        Returns
        -------
        data : jax.Array, shape (n_rows, n_times)
            Time series of nodes, channels or labels.
        """
        import jax

        inner, own = self._split(params)
        run = compile_chain(self._chain(), batched=False)
        z = self._inner.simulate(inner, key)
        return run(z, own, jax.random.fold_in(key, _NOISE_KEY))

    @standard_jax()
    def simulate_batch(self, params, key):
        """Simulate many recordings; see :meth:`ForwardModel.simulate_batch`."""
        import jax
        import jax.numpy as jnp

        params = self.complete_params(params)
        inner, own = self._split(params)
        run = compile_chain(self._chain(), batched=True)
        z = np.asarray(self._inner.simulate_batch(inner, key))
        n = len(z)
        like = jax.eval_shape(
            run,
            jax.ShapeDtypeStruct((1, *z.shape[1:]), np.float32),
            {name: jax.ShapeDtypeStruct((1,), np.float32) for name in own},
            jax.random.split(key, 1),
        )
        data = np.empty((n, *like.shape[1:]), like.dtype)
        # A power of two, or nearly every number of draws would be compiled anew.
        n_rows = like.shape[1]
        if self.source_imaging is not None:
            # Channels are more than labels, and are there on the way.
            n_rows = max(n_rows, self._lead_field.n_channels)
        most = max(1, _CHUNK // max(n_rows * like.shape[2], 1))
        size = 1 << max(n - 1, _LEAST - 1).bit_length()
        size = min(size, 1 << most.bit_length() - 1)
        fold = jax.vmap(
            lambda i: jax.random.fold_in(jax.random.fold_in(key, i), _NOISE_KEY)
        )
        for start in range(0, n, size):
            index = np.arange(start, start + size)
            rows = np.minimum(index, n - 1)
            block = {name: jnp.asarray(v[rows]) for name, v in own.items()}
            made = run(z[rows], block, fold(jnp.asarray(index)))
            data[start : start + size] = np.asarray(made)[: n - start]
        return data

    def _split(self, values):
        """Split a dict by parameter into that of the model inside and the others."""
        names = {p.name for p in self._inner.get_parameters()}
        inner = {name: v for name, v in values.items() if name in names}
        return inner, {name: v for name, v in values.items() if name not in names}

    @property
    def _inner(self):
        if not isinstance(self.model, ForwardModel):
            raise TypeError(
                f"Recorded needs a ForwardModel as its model, got {self.model!r:.80}. "
                "Write Recorded(JansenRit(...))."
            )
        if self.model.output != "timeseries":
            raise ValueError(
                f"Recorded needs a model of time series, and "
                f"{type(self.model).__name__} is one of spectra, whose observation "
                "noise is set with LogPSD(noise=SpectralNoise(...))."
            )
        return self.model

    @property
    def _lead_field(self):
        if not isinstance(self.lead_field, LeadField):
            raise TypeError(
                f"lead_field must be a LeadField, or None, got {self.lead_field!r:.80}."
                " Write LeadField.from_template(info).prepare(info), or "
                "LeadField.from_forward(forward, labels).prepare(info)."
            )
        return self.lead_field

    @property
    def _source_imaging(self):
        if not isinstance(self.source_imaging, SourceImaging):
            raise TypeError(
                "source_imaging must be a SourceImaging, or None, got "
                f"{self.source_imaging!r:.80}. Write "
                "SourceImaging.from_inverse(inverse_operator, labels)."
            )
        if self.lead_field is None:
            raise ValueError(
                "source_imaging goes from channels to labels, and without a lead field "
                "there are no channels. Give both: Recorded(model, lead_field="
                "LeadField.from_forward(forward, labels).prepare(raw.info), "
                "source_imaging=SourceImaging.from_inverse(inverse_operator, labels))."
            )
        return self.source_imaging

    def _chain(self):
        """Check the settings, and gather what the compiled function depends on."""
        inner = self._inner
        names = None
        if self.lead_field is not None:
            names = inner.node_names
            if names is None:
                names = self._lead_field.node_names
        if inner.sfreq is None:
            raise ValueError(
                f"The sampling rate is not known yet. Give it to the model inside: "
                f"{type(inner).__name__}(sfreq=...)."
            )
        sfreq = float(check_array("sfreq", inner.sfreq, shape=(), positive=True))
        highpass, lowpass = check_band(self.highpass, self.lowpass, sfreq)
        imaging = None
        if self.source_imaging is not None:
            imaging = self._source_imaging
            # Raises an error if channels are missing, before any work.
            imaging.for_channels(self._lead_field.ch_names)
        return Chain(
            sfreq, highpass, lowpass, bool(self.noise), self.lead_field, names, imaging
        )
