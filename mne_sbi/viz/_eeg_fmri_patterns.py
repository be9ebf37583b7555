"""Figure of what predictions of fMRI use of EEG, and where."""

import numpy as np

from .._checks import check_array, listing
from ._eeg_fmri_volumes import (
    add_bar,
    array_to_image,
    diverging,
    draw_slices,
    find_cuts,
    find_mask,
    settle,
)
from ._style import POSTERIOR, finish, hide_spines

_N_CUTS = 3
# Widths in inches of a topography, the profile over lags, and a map; height of a row.
_TOPOGRAPHY, _PROFILE, _MAP, _HEIGHT = 1.15, 1.7, 3.4, 1.6
# Columns of y that are drawn as bars.
_MOST_BARS = 40


def plot_patterns(patterns, info, *, bands=None, freqs=None, masker=None, show=True):
    """Plot patterns of predictions: topographies, lags and voxels.

    Each row is a pattern. The topographies are those at the lag where the pattern is
    strongest over all channels and bands; one colour scale holds for the row. Next to
    them, the norm over channels at each lag, with a line for each band in the colour of
    its name; the dashed line is the lag of the topographies. On the right, by how much
    the prediction changes at each voxel.

    Parameters
    ----------
    patterns : PredictionPatterns
        What :func:`mne_sbi.eeg_fmri.compute_patterns` found.
    info : mne.Info
        The channels, with positions.
    bands : dict of (str -> (float, float)) | sequence of str | None
        The bands of the features; None takes those of the patterns, and numbers bands
        that are not known. For spectrograms, the bands in Hz over which frequencies are
        averaged; None takes the usual ones.
    freqs : array, shape (n_freqs,) | None
        Frequencies in Hz, for spectrograms; None takes those of the patterns.
    masker : nilearn masker | None
        What made y. None takes that of the regressor; without any, values are drawn in
        the order of the columns of y.
    show : bool
        Show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If channels, bands or voxels are not those of the patterns.
    """
    import matplotlib.pyplot as plt

    from ..eeg_fmri._images import ready_masker

    info = _find_channels(info, patterns)
    names, values = _group_bands(patterns, bands, freqs)
    masker = ready_masker(patterns.masker if masker is None else masker)
    images = None
    if masker is not None:
        images = array_to_image("maps", patterns.maps, masker)
    n, n_bands = patterns.n_patterns, len(names)
    widths = [_TOPOGRAPHY] * n_bands + [_PROFILE, _MAP]
    fig = plt.figure(
        figsize=(sum(widths) + 2.2, _HEIGHT * n + 0.4), layout="constrained"
    )
    axes = fig.subplots(n, n_bands + 2, width_ratios=widths, squeeze=False)
    colours = _colours(n_bands)
    limits = [float(np.abs(each).max()) for each in patterns.maps]
    for row, line in enumerate(axes):
        lag = _draw_topographies(line[:n_bands], info, values[row], names, colours, row)
        _draw_profile(line[n_bands], patterns, values[row], lag, colours, row == n - 1)
        share = f"{patterns.explained[row]:.0%} of the predictions"
        line[-1].set_title(f"pattern {row + 1}: {share}", fontsize="small")
        if images is None:
            _draw_columns(line[-1], patterns.maps[row])
        else:
            add_bar(fig, [line[-1]], limits[row], "change per sd")
    if images is not None:
        settle(fig)
        mask = find_mask(masker, images)
        for row in range(n):
            draw_slices(
                axes[row, -1],
                images.slicer[..., row],
                mask,
                find_cuts(mask, _N_CUTS),
                limits[row],
            )
    return finish(fig, show)


def _find_channels(info, patterns):
    """Return the info of the patterns' channels, by name where these are known."""
    import mne

    if not isinstance(info, mne.Info):
        raise TypeError(
            f"info must be an mne.Info, such as pairs.info, got {type(info).__name__}."
        )
    n_channels = patterns.topographies.shape[1]
    if patterns.ch_names is not None:
        missing = [name for name in patterns.ch_names if name not in info["ch_names"]]
        if missing:
            raise ValueError(
                f"info lacks the channels {listing(missing)} of the patterns. Give "
                "that of the pairs, pairs.info."
            )
        rows = [info["ch_names"].index(name) for name in patterns.ch_names]
        info = mne.pick_info(info, rows, verbose="error")
    if len(info["ch_names"]) != n_channels:
        raise ValueError(
            f"info has {len(info['ch_names'])} channels, and the patterns have "
            f"{n_channels}. Give that of the pairs, or mne.pick_info(info, picks)."
        )
    if np.isnan([ch["loc"][:3] for ch in info["chs"]]).any():
        raise ValueError(
            "info has channels without a position, and topographies need them: call "
            "raw.set_montage() before make_pairs, or pairs.info.set_montage()."
        )
    return info


def _group_bands(patterns, bands, freqs):
    """Return names of bands, and values (n_patterns, n_channels, n_bands, n_lags)."""
    from ..eeg_fmri._bands import BANDS

    values = patterns.topographies
    n_bands = values.shape[2]
    if patterns.axes[1] == "frequencies":
        freqs = patterns.freqs if freqs is None else freqs
        return _average_bands(values, BANDS if bands is None else bands, freqs)
    bands = patterns.bands if bands is None else bands
    # Not by their number: five bands need not be the usual ones.
    bands = [f"band {i}" for i in range(n_bands)] if bands is None else bands
    names = [bands] if isinstance(bands, str) else list(bands)
    if len(names) != n_bands:
        raise ValueError(
            f"bands has {len(names)} names, {names}, and the patterns have {n_bands} "
            "bands. Give those of the features, such as pairs.bands."
        )
    return names, values


def _average_bands(values, bands, freqs):
    """Average spectrograms over frequencies."""
    if freqs is None:
        raise ValueError(
            "Patterns of spectrograms need freqs=, in Hz, such as pairs.freqs."
        )
    freqs = check_array("freqs", freqs, shape=(values.shape[2],))
    if not isinstance(bands, dict):
        raise ValueError(
            "For spectrograms, bands must be a dictionary such as {'alpha': (8, 13)}, "
            f"in Hz; got {bands!r}."
        )
    means = []
    for name, (fmin, fmax) in bands.items():
        inside = (freqs >= fmin) & (freqs < fmax)
        if not inside.any():
            raise ValueError(
                f"Band {name!r} ({fmin:g} to {fmax:g} Hz) has none of the frequencies, "
                f"{freqs.min():g} to {freqs.max():g} Hz. Give bands= that have."
            )
        means.append(values[:, :, inside].mean(axis=2))
    return list(bands), np.stack(means, axis=2)


def _colours(n_bands):
    from matplotlib import colormaps

    if n_bands == 1:
        return [POSTERIOR]
    return colormaps["plasma"](np.linspace(0, 0.8, n_bands))


def _draw_topographies(axes, info, values, names, colours, row):
    """Draw the bands (n_channels, n_bands, n_lags) at the strongest lag, returned."""
    from mne.viz import plot_topomap

    lag = int(np.linalg.norm(values, axis=(0, 1)).argmax())
    limit = float(np.abs(values[:, :, lag]).max()) or 1.0
    for i, ax in enumerate(axes):
        plot_topomap(
            values[:, i, lag],
            info,
            axes=ax,
            show=False,
            cmap=diverging(),
            vlim=(-limit, limit),
            contours=0,
            sensors="k,",
        )
        if row == 0:
            ax.set_title(names[i], fontsize="small", color=colours[i])
    add_bar(axes[-1].figure, list(axes), limit, "covariance")
    return lag


def _draw_profile(ax, patterns, values, lag, colours, is_last):
    """Draw the norm over channels at each lag."""
    times = patterns.lag_times
    norm = np.linalg.norm(values, axis=0)
    for line, colour in zip(norm, colours, strict=True):
        ax.plot(times, line, color=colour, lw=1.3, marker="o", ms=2)
    ax.axvline(times[lag], color="0.5", lw=0.8, ls="--", zorder=0)
    unit = "s" if patterns.t_r is not None else "volumes"
    ax.set_title(f"{times[lag]:.3g} {unit} before", fontsize="small")
    ax.set_ylim(0, None)
    ax.set_yticks([])
    ax.set_ylabel("norm", fontsize="small")
    ax.tick_params(labelsize="small")
    if is_last:
        ax.set_xlabel(f"lag ({unit})", fontsize="small")
    hide_spines(ax)


def _draw_columns(ax, values):
    """Draw the values of columns of y whose place is not known."""
    if len(values) <= _MOST_BARS:
        ax.bar(np.arange(len(values)), values, color=POSTERIOR)
    else:
        ax.plot(values, color=POSTERIOR, lw=0.8)
    ax.axhline(0, color="0.7", lw=0.8)
    ax.set_xlabel("column of y", fontsize="small")
    ax.set_ylabel("change per sd", fontsize="small")
    ax.tick_params(labelsize="small")
    hide_spines(ax)
