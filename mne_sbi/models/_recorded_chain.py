"""What happens to activity until it is recorded: sensors, noise, filter, gain."""

import dataclasses
from functools import lru_cache, partial

import numpy as np

from .._checks import check_array, listing
from .._lead_field import LeadField
from .._source_imaging import SourceImaging

# Below, time series of a few seconds say little, and 1/f noise has most of its power:
# ratios to it would mean something else for every highpass.
_LOWEST = 1.0
# Share of the length that noise is longer at either end, so that its end does not go
# over into its beginning, as a Fourier series does.
_MARGIN = 1 / 8
# Standard deviation, relative to the largest value, below which a float32 time series
# is flat but for rounding.
_FLAT = 1e-6
# Mean of a lead field over EEG channels, relative to its largest value, that is
# rounding: the lead field has the average reference.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Chain:
    """What the way from nodes to data depends on, apart from parameters.

    Parameters
    ----------
    sfreq : float
        Sampling rate in Hz.
    highpass, lowpass : float | None
        Cutoffs in Hz; ``None`` without a filter.
    noise : bool
        Whether there is noise.
    lead_field : LeadField | None
        From nodes to channels.
    node_names : tuple of str | None
        The model's nodes, as the lead field names them; ``None`` without one.
    source_imaging : SourceImaging | None
        From channels to labels.
    """

    sfreq: float
    highpass: float | None
    lowpass: float | None
    noise: bool
    lead_field: LeadField | None = None
    node_names: tuple | None = None
    source_imaging: SourceImaging | None = None

    @property
    def is_filtered(self):
        """Whether there is a filter."""
        return self.highpass is not None or self.lowpass is not None


def check_band(highpass, lowpass, sfreq):
    """Check the cutoffs of filters.

    Parameters
    ----------
    highpass, lowpass : float | None
        Cutoffs in Hz.
    sfreq : float
        Sampling rate in Hz.

    Returns
    -------
    highpass, lowpass : float | None
        The cutoffs; ``None`` for those that filter nothing.

    Raises
    ------
    ValueError
        If they leave nothing.
    """
    if highpass is not None:
        highpass = float(check_array("highpass", highpass, shape=())) or None
    if lowpass is not None:
        lowpass = float(check_array("lowpass", lowpass, shape=(), finite=False))
        lowpass = None if lowpass >= sfreq / 2 else lowpass
    lowest = 0 if highpass is None else highpass
    highest = sfreq / 2 if lowpass is None else lowpass
    # Written so that NaN fails.
    if not 0 <= lowest < highest:
        raise ValueError(
            "Recorded needs 0 <= highpass < lowpass, and highpass below half the "
            f"sampling rate of {sfreq:g} Hz, got highpass={highpass} and "
            f"lowpass={lowpass}."
        )
    return highpass, lowpass


@lru_cache(maxsize=32)
def compile_chain(chain, *, batched):
    """Compile the way from nodes to data, once for equal settings.

    Parameters
    ----------
    chain : Chain
        The settings.
    batched : bool
        Whether the arguments have draws first.

    Returns
    -------
    run : callable
        Like :func:`_run` without its first argument.
    """
    import jax

    run = partial(_run, chain)
    return jax.jit(jax.vmap(run) if batched else run)


def _run(chain, z, own, key):
    """Turn the activity of nodes into data; a pure JAX function.

    Parameters
    ----------
    chain : Chain
        The settings.
    z : jax.Array, shape (n_nodes, n_times)
        Activity.
    own : dict of float
        ``gain``, and with noise ``snr_background``, ``exponent`` and ``snr_white``.
    key : jax.Array
        Random key of the noise.

    Returns
    -------
    data : jax.Array, shape (n_rows, n_times)
        The data; NaN if the activity does not vary, or is not finite.
    """
    import jax.numpy as jnp

    average = reference = None
    if chain.lead_field is not None:
        mixing = _make_mixing(chain.lead_field, chain.node_names, z.shape[0])
        gain, average, reference = (
            m if m is None else jnp.asarray(m, jnp.float32) for m in mixing
        )
        z = gain @ z
    n_times = z.shape[1]
    weights = band_weights(chain, n_times, n_times)
    centred = z - z.mean(axis=1, keepdims=True)
    variance = _power(jnp.fft.rfft(centred)) @ jnp.asarray(weights, jnp.float32)
    is_good = variance > (_FLAT * jnp.abs(z).max(axis=1)) ** 2
    signal = z
    if chain.noise:
        # Averages, because the noise does not know in which row there is most signal.
        n_rows = z.shape[0]
        average = jnp.full((n_rows, n_rows), 1 / n_rows) if average is None else average
        variance = average @ variance
        is_good = average @ is_good > 0
    # Comparisons with NaN are false.
    is_good = is_good.all() & jnp.isfinite(z).all()
    if chain.noise or chain.is_filtered:
        signal = _add_and_filter(chain, z, variance, reference, own, key)
    data = jnp.where(is_good, own["gain"] * signal, jnp.nan)
    if chain.source_imaging is None:
        return data
    # Last, as for a recording. A filter acts on every row alike, so that it makes no
    # difference whether a recording was filtered before or after.
    kernel = chain.source_imaging.for_channels(chain.lead_field.ch_names)
    return jnp.asarray(kernel, jnp.float32) @ data


def _add_and_filter(chain, z, variance, reference, own, key):
    """Add noise, and apply the filter."""
    import jax.numpy as jnp

    n_rows, n_times = z.shape
    n_before, n_fft, response = _plan(chain, n_times)
    inside = slice(n_before, n_before + n_times)
    if chain.is_filtered:
        # Reflected, so that the filter meets no step at the ends.
        padding = (n_before, n_fft - n_before - n_times)
        spectrum = jnp.fft.rfft(jnp.pad(z, ((0, 0), padding), mode="reflect"))
    else:
        spectrum = 0
    if chain.noise:
        noise = _draw_noise(chain, n_rows, n_times, n_fft, own, key)
        if reference is not None:
            noise = reference @ noise
        spectrum = spectrum + jnp.sqrt(variance)[:, jnp.newaxis] * noise
    made = jnp.fft.irfft(spectrum * jnp.asarray(response, jnp.float32), n_fft)
    made = made[:, inside]
    return made if chain.is_filtered else z + made


def _draw_noise(chain, n_rows, n_times, n_fft, own, key):
    """Draw the noise's spectrum, for a signal of variance one in the band.

    Both kinds are Gaussian and independent, so that their sum is drawn at once.
    """
    import jax
    import jax.numpy as jnp

    freqs = np.fft.rfftfreq(n_fft, 1 / chain.sfreq)
    # The mean, where 1/f has no value, is left to white noise.
    logs = jnp.asarray(np.log(np.where(freqs == 0, 1, freqs)), jnp.float32)
    shape = jnp.where(freqs == 0, 0, jnp.exp(-own["exponent"] * logs))
    weights = jnp.asarray(band_weights(chain, n_times, n_fft) * n_fft, jnp.float32)
    background = 10 ** (-own["snr_background"] / 10) * shape / (weights @ shape)
    white = 10 ** (-own["snr_white"] / 10) / weights.sum()
    normal = jax.random.normal(key, (2, n_rows, len(freqs)), jnp.float32)
    # Where a series of real numbers has a real coefficient, it has all the power.
    is_real = (freqs == 0) | np.isclose(2 * freqs, chain.sfreq)
    scale = np.where(is_real, np.sqrt(n_fft), np.sqrt(n_fft / 2)).astype(np.float32)
    return scale * jnp.sqrt(background + white) * (normal[0] + 1j * normal[1])


def _power(spectrum):
    return spectrum.real**2 + spectrum.imag**2


def band_weights(chain, n_times, n_fft):
    """Weights of squared Fourier coefficients that add up to the variance in the band.

    Parameters
    ----------
    chain : Chain
        The settings.
    n_times : int
        Length of the data in samples, which has a lowest frequency.
    n_fft : int
        Length of the Fourier transform.

    Returns
    -------
    weights : ndarray, shape (n_fft // 2 + 1,)
        The weights, zero outside the band.

    Raises
    ------
    ValueError
        If no frequency is in the band.
    """
    freqs = np.fft.rfftfreq(n_fft, 1 / chain.sfreq)
    lowest = max(chain.highpass or 0, chain.sfreq / n_times)
    highest = chain.lowpass or chain.sfreq / 2
    if highest > _LOWEST:
        lowest = max(lowest, _LOWEST)
    is_inside = (freqs >= lowest * (1 - 1e-9)) & (freqs <= highest * (1 + 1e-9))
    if not is_inside.any():
        raise ValueError(
            f"Time series of {n_times / chain.sfreq:g} s say nothing of the band from "
            f"{lowest:g} to {highest:g} Hz. Simulate longer ones, or change highpass "
            "and lowpass."
        )
    n_sides = np.where(np.isclose(2 * freqs, chain.sfreq), 1, 2)
    return np.where(is_inside, n_sides, 0) / n_fft**2


@lru_cache(maxsize=64)
def _plan(chain, n_times):
    """Choose the margin before the data and the length, and compute the filter there.

    Returns
    -------
    n_before : int
        Samples before the data.
    n_fft : int
        Length of the Fourier transform.
    response : ndarray, shape (n_fft // 2 + 1,)
        Real response of the filter.
    """
    from mne.filter import create_filter
    from scipy.fft import next_fast_len

    kernel, n_before = np.ones(1), int(np.ceil(_MARGIN * n_times))
    if chain.is_filtered:
        kernel = create_filter(
            None, chain.sfreq, chain.highpass, chain.lowpass, verbose="error"
        )
        # Not further than a reflection reaches.
        n_before = max(n_before, min(len(kernel) // 2, n_times - 1))
    n_fft = next_fast_len(n_times + 2 * n_before, real=True)
    # Centred at zero. What is longer than the series goes round, which samples the
    # filter's response at the frequencies of the series.
    index = (np.arange(len(kernel)) - len(kernel) // 2) % n_fft
    centred = np.bincount(index, kernel, n_fft)
    return n_before, n_fft, np.fft.rfft(centred).real


def _make_mixing(lead_field, names, n_nodes):
    """Return gain, averages over channels of a type, and reference for the noise.

    Returns
    -------
    gain : ndarray, shape (n_rows, n_nodes)
        From nodes to channels.
    average : ndarray, shape (n_rows, n_rows)
        Means over the rows of each type: V and T cannot be averaged.
    reference : ndarray, shape (n_rows, n_rows) | None
        Turns independent noise into noise of the same variance that has the reference
        of the lead field; ``None`` if it has none.
    """
    if len(names) != n_nodes:
        raise ValueError(
            f"The lead field has {len(names)} nodes and the model has {n_nodes}, "
            "without names. Give a lead field of the model's nodes in their order: "
            "LeadField(gain[:, columns], ch_names, names)."
        )
    gain, _ = lead_field.for_nodes(names)
    silent = [
        n for n, row in zip(lead_field.ch_names, gain, strict=True) if not row.any()
    ]
    if silent:
        raise ValueError(
            f"{len(silent)} of {len(gain)} channels record nothing of the model's "
            f"nodes: {listing(silent)}. Leave them out of the lead field."
        )
    kinds = np.array(lead_field.ch_types or ["eeg"] * len(gain))
    same = kinds[:, np.newaxis] == kinds
    average = same / same.sum(axis=1, keepdims=True)
    is_eeg = (kinds == "eeg").astype(float)
    size = np.abs(gain[is_eeg > 0]).max(initial=0)
    if (
        is_eeg.sum() < 2
        or (np.abs(is_eeg @ gain) > _ROUNDING * size * is_eeg.sum()).any()
    ):
        return gain, average, None
    reference = np.eye(len(gain)) - np.outer(is_eeg, is_eeg) / is_eeg.sum()
    return gain, average, reference / np.sqrt(np.diag(reference))[:, np.newaxis]
