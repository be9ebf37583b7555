"""Frequency bands of EEG, and the power in them."""

import numpy as np

from .._checks import check_array

# Conventional bands in Hz, lower end included. Above 45 Hz little is left of scalp EEG
# after the artefacts of the scanner are removed.
BANDS = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}
# Sine tapers: as many have a half bandwidth of (number + 1) / 2 in units of one over
# the length of the window.
_N_TAPERS = 3


def check_bands(bands, t_r, sfreq, passed):
    """Check frequency bands against a recording.

    Parameters
    ----------
    bands : dict of (str, (float, float)) | None
        Ends in Hz; ``None`` for the usual five.
    t_r : float
        Length of a window in s.
    sfreq : float
        Sampling rate in Hz.
    passed : tuple of (float, float)
        Cutoffs in Hz of the filters that the recording went through.

    Returns
    -------
    bands : dict of (str, (float, float))
        The bands.

    Raises
    ------
    ValueError
        If a band is not in the recording, or has no cycle in a window.
    """
    if bands is None:
        bands = BANDS
    if not isinstance(bands, dict) or not bands:
        raise ValueError(
            "bands must be a dictionary such as {'alpha': (8, 13)}, in Hz; got "
            f"{bands!r}."
        )
    lowest, highest = passed[0], min(sfreq / 2, passed[1])
    checked = {}
    for name, ends in bands.items():
        fmin, fmax = check_array(f"bands[{name!r}]", ends, shape=(2,)).tolist()
        if not 0 <= fmin < fmax:
            raise ValueError(f"bands[{name!r}] must increase from 0 on, got {ends}.")
        # A filter leaves part of a band that it cuts, but nothing of one beyond it.
        if fmax > sfreq / 2 or fmin >= highest or fmax <= lowest:
            raise ValueError(
                f"Band {name!r} ({fmin:g} to {fmax:g} Hz) is not in a recording with a "
                f"sampling rate of {sfreq:g} Hz that was filtered to {lowest:g} to "
                f"{highest:g} Hz. Give other bands, or a recording that was filtered "
                "less."
            )
        if fmax * t_r < 1 or (fmax - fmin) * t_r < 0.5:
            raise ValueError(
                f"Band {name!r} ({fmin:g} to {fmax:g} Hz) cannot be resolved in "
                f"windows of {t_r:g} s. Give wider or higher bands."
            )
        checked[name] = (fmin, fmax)
    return checked


def band_power(windows, sfreq, bands):
    """Estimate the power in bands, shape (n_windows, n_channels, n_bands)."""
    from scipy.fft import next_fast_len, rfft

    length = windows.shape[2]
    order = np.arange(1, _N_TAPERS + 1)[:, np.newaxis]
    phase = np.pi * order * np.arange(1, length + 1) / (length + 1)
    tapers = np.sqrt(2 / (length + 1)) * np.sin(phase)
    # Twice the length, so that bands are sampled finely.
    n_fft = next_fast_len(2 * length, real=True)
    freqs = np.fft.rfftfreq(n_fft, 1 / sfreq)
    masks = [(freqs >= fmin) & (freqs < fmax) for fmin, fmax in bands]
    weights = np.stack(
        [
            m / m.sum() * (ends[1] - ends[0])
            for m, ends in zip(masks, bands, strict=True)
        ]
    )
    used = np.flatnonzero(weights.any(axis=0))
    used = slice(used[0], used[-1] + 1)
    centred = windows - windows.mean(axis=2, keepdims=True)
    density = 0.0
    for taper in tapers:
        spectra = rfft(centred * taper, n_fft, axis=2)[..., used]
        density = density + np.square(spectra.real) + np.square(spectra.imag)
    # Both signs of frequency; the tapers have unit energy.
    density *= 2 / (sfreq * _N_TAPERS)
    return density @ weights[:, used].T
