"""From recordings and scans to pairs."""

import numbers
import os

import numpy as np

from .._checks import check_array, check_labels, check_one_per, listing
from .._warnings import warn_user
from ._alignment import SAME_T_R, VolumeTiming, align_volumes, check_inside
from ._bold import BoldSignal, fit_masker, load_bold, read_bold
from ._eeg_samples import eeg_channels
from ._eeg_windows import EEGWindows
from ._images import columns_of
from ._pairs import Pairs, check_same_channels

# Part of a repetition time that steps between given onsets may be off.
_MOST_OFF = 0.25


def make_pairs(
    raw,
    bold_img,
    masker,
    *,
    features="band_power",
    signal=None,
    t_r=None,
    timing=None,
    subject=None,
    verbose=None,
):
    """Pair the EEG before each volume with the volume.

    Parameters
    ----------
    raw : mne.io.BaseRaw | list of mne.io.BaseRaw
        The EEG, without the artefacts of the scanner; a list for several recordings.
    bold_img : path-like | nibabel image | list of these
        The fMRI recorded with it, 4-D, realigned, or a list of its 3-D volumes; a list
        of scans if ``raw`` is a list. Of several people, in one space.
    masker : nilearn masker
        ``NiftiMasker``, ``NiftiLabelsMasker`` or ``NiftiMapsMasker`` without
        standardisation and high-pass filter. One that is not fitted is copied, and the
        copy is fitted.
    features : str | EEGWindows
        ``"band_power"``, ``"spectrogram"``, ``"raw"``, or settings of them.
    signal : BoldSignal | None
        Settings of the percent signal change; ``None`` removes drifts below 1/128 Hz.
    t_r : float | None
        Repetition time in s; ``None`` takes the image's header. Needed where the header
        has none, as those of a list of 3-D volumes, or has 1 without a unit, which is
        the default of the format.
    timing : VolumeTiming | array_like | list of these | None
        When volumes are: what :func:`align_volumes` returns, or their onsets in s from
        the first sample, without those of volumes that were left out of the scan; a
        list with one for each of several recordings. ``None`` looks for markers with
        :func:`align_volumes`.
    subject : int | str | sequence of these | None
        The subject, or each recording's, in order: a list, an array, a pandas Series or
        another sequence of strings or of numbers. ``None`` takes
        ``raw.info["subject_info"]["his_id"]``, and 0 for a single recording without.
    verbose : bool | str | int | None
        As in MNE-Python. At the default level, volumes that are left out are reported.

    Returns
    -------
    pairs : Pairs
        ``X, y, groups, times``, and what they mean.

    Raises
    ------
    ValueError
        If EEG and scan, or recordings among each other, do not fit together; the
        message says how to correct it.

    Warns
    -----
    RuntimeWarning
        If several recordings have one ``his_id``, as anonymised ones can, and no
        ``subject`` says whose they are.

    See Also
    --------
    EEGWindows, BoldSignal : The settings.

    Notes
    -----
    Drift is removed, and the mean taken, over all volumes of a scan. Then volumes
    without full windows are left out, and the mean of the others is set to zero.

    Volumes that move or are NaN can be left out of the scan before, together with their
    onsets: ``index_img(bold_img, keep)``, ``timing=align_volumes(...).onsets[keep]``.
    Drift and lags are by the times of the others.
    """
    from mne.utils import use_log_level

    windows = EEGWindows(features) if isinstance(features, str) else features
    if not isinstance(windows, EEGWindows):
        raise TypeError(
            "features must be 'band_power', 'spectrogram', 'raw' or EEGWindows(...), "
            f"got {type(features).__name__}."
        )
    signal = BoldSignal() if signal is None else signal
    if not isinstance(signal, BoldSignal):
        raise TypeError(
            f"signal must be BoldSignal(...) or None, got {type(signal).__name__}."
        )
    raws, images, timings = _as_lists(raw, bold_img, timing)
    people = _find_people(raws, subject)
    names = _for_each(people, lambda each: eeg_channels(each, windows.picks), raws)
    check_same_channels(names, people)
    with use_log_level(verbose):
        loaded = _for_each(people, lambda image: load_bold(image, t_r), images)
        images, rates = zip(*loaded, strict=True)
        _check_same_t_r(rates, people)
        masker = fit_masker(masker, images, rates[0])
        # All checks that need no computing come first.
        n_volumes = [image.shape[3] for image in images]
        timings = _for_each(people, _find_timing, raws, n_volumes, rates, timings)

        def pair(*recording):
            return _pair(*recording, masker, windows, signal)

        parts = _for_each(people, pair, raws, images, rates, timings, people)
    return Pairs.concatenate(parts)


def _for_each(people, function, *lists):
    """Call a function for each recording; errors say whose, if there are several."""
    results = []
    for i, arguments in enumerate(zip(*lists, strict=True)):
        try:
            results.append(function(*arguments))
        except (TypeError, ValueError, RuntimeError) as exc:
            # Subclasses may be made of other arguments than a message.
            is_plain = type(exc) in (TypeError, ValueError, RuntimeError)
            if len(people) == 1 or not is_plain:
                raise
            raise type(exc)(
                f"Recording {i + 1} of {len(people)} (person {people[i]!r}): {exc}"
            ) from exc
    return results


def _as_lists(raw, bold_img, timing):
    """Return lists of recordings, images and timings, of one length."""
    import mne
    from nibabel.spatialimages import SpatialImage

    is_one = isinstance(raw, mne.io.BaseRaw | mne.BaseEpochs | str)
    is_data = isinstance(raw, np.ndarray) and raw.dtype != object
    if is_one or is_data or not hasattr(raw, "__iter__"):
        if isinstance(timing, list | tuple) and any(
            isinstance(one, VolumeTiming) for one in timing
        ):
            raise TypeError(
                "raw is one recording, so timing must be one VolumeTiming, got a "
                f"{type(timing).__name__} of {len(timing)}. Give timing=timing[0], or "
                "lists of recordings and scans."
            )
        return [raw], [bold_img], [timing]
    raws = check_one_per("raw", raw, None, "recording")
    if isinstance(bold_img, str | os.PathLike | SpatialImage):
        raise TypeError(
            "raw is a list, so bold_img must be one too, with a scan for each; got "
            f"{type(bold_img).__name__}."
        )
    images = check_one_per("bold_img", bold_img, None, "recording")
    timings = _list_timings(timing, len(raws))
    lengths = {"raw": len(raws), "bold_img": len(images), "timing": len(timings)}
    if len(set(lengths.values())) != 1 or not raws:
        raise ValueError(
            "raw, bold_img and timing must be lists of one length, with one recording "
            f"at least; their lengths are {lengths}."
        )
    return raws, images, timings


def _list_timings(timing, n):
    """Return timings of several recordings as a list."""
    if timing is None:
        return [None] * n
    if isinstance(timing, np.ndarray) and timing.ndim == 2:
        return list(timing)
    is_one = isinstance(timing, VolumeTiming | numbers.Real)
    timings = [] if is_one else check_one_per("timing", timing, None, "recording")
    if (n and not timings) or any(isinstance(one, numbers.Real) for one in timings):
        raise TypeError(
            f"raw is a list of {n} recordings, so timing must be a list with a "
            "VolumeTiming or an array of onsets for each. Give timing=[...], with None "
            "for those whose markers are to be looked for."
        )
    return timings


def _find_people(raws, subject):
    """Return whose recordings they are, one each."""
    if subject is not None:
        if isinstance(subject, str) or not hasattr(subject, "__iter__"):
            subject = [subject] * len(raws)
        return check_labels("subject", subject, len(raws), "recording").tolist()
    people = [(getattr(each, "info", {}).get("subject_info") or {}) for each in raws]
    people = [each.get("his_id") for each in people]
    if len(raws) == 1:
        return [0 if people[0] is None else people[0]]
    if len(set(people)) == 1 and people[0] is not None:
        warn_user(
            f"All {len(raws)} recordings have his_id {people[0]!r} and are taken for "
            "one person's; give subject= if they are not."
        )
    if None in people:
        raise ValueError(
            "It is not known whose the recordings are, so one person could be taken "
            f"for several. Give subject, a list of {len(raws)} names or numbers."
        )
    return people


def _check_same_t_r(values, people):
    """Compare the repetition times of the scans."""
    differ = [
        f"{person!r}: {value:g} s"
        for person, value in zip(people, values, strict=True)
        if abs(value / values[0] - 1) > SAME_T_R
    ]
    if differ:
        raise ValueError(
            f"The scans differ in repetition time: {people[0]!r} has {values[0]:g} s, "
            f"but {listing(differ)}. Lags mean other times then: treat them separately."
        )


def _find_timing(raw, n_volumes, t_r, timing):
    """Return when the volumes of a scan are, checked against it."""
    if timing is None:
        return align_volumes(raw, n_volumes, t_r)
    if not isinstance(timing, VolumeTiming):
        onsets = check_array("timing", timing, shape=(None,))
        timing = VolumeTiming(onsets, _step_of(onsets, t_r))
    if len(timing) != n_volumes:
        raise ValueError(
            f"timing has {len(timing)} volumes, but the scan has {n_volumes}. Use "
            "align_volumes(raw, n_volumes=bold_img.shape[3]); if the scan was cut, cut "
            "its onsets too."
        )
    if abs(timing.t_r / t_r - 1) > SAME_T_R:
        raise ValueError(
            f"Volumes come every {timing.t_r:.6g} s by timing, but the repetition time "
            f"of the scan is {t_r:g} s. Correct whichever is wrong; onsets are in s."
        )
    check_inside(timing, raw.n_times / raw.info["sfreq"])
    return timing


def _step_of(onsets, t_r):
    """Return the repetition time of onsets, some of which may have been left out."""
    steps = np.diff(onsets)
    if not len(steps) or (steps <= 0).any():
        return t_r
    # Relative to the usual step, which t_r is compared with later; to t_r itself where
    # so many volumes were left out that neighbours are rare. Steps that are all even,
    # say, are those of another t_r.
    usual = np.median(steps)
    multiples = np.rint(steps / t_r).astype(int)
    fits = (abs(steps / t_r - multiples) <= _MOST_OFF).all()
    if fits and multiples.min() >= 1 and np.gcd.reduce(multiples) == 1:
        usual = t_r
    counts = np.maximum(np.rint(steps / usual), 1)
    off = np.abs(steps / usual - counts) > _MOST_OFF
    # Where the usual step is no t_r, that is the matter.
    if off.any() and abs(usual / t_r - 1) <= _MOST_OFF:
        i = int(np.flatnonzero(off)[0])
        raise ValueError(
            f"timing[{i}] and timing[{i + 1}] are {steps[i]:.6g} s apart, which is no "
            f"multiple of the repetition time of {t_r:g} s. Correct the onsets; if the "
            "scan was interrupted, cut it in two and give each part as a recording."
        )
    return np.polyfit(np.r_[0, np.cumsum(counts)], onsets, 1)[0]


def _pair(raw, img, t_r, timing, person, masker, windows, signal):
    """Pair one recording."""
    import mne

    X, kept, names = windows.compute(raw, timing)
    y = read_bold(img, masker, timing.t_r, signal, timing.onsets)[kept]
    y -= y.mean(axis=0, dtype=float).astype(np.float32)
    bands, freqs = windows.axis_for(timing.t_r)
    rows = [raw.ch_names.index(name) for name in names]
    return Pairs(
        X,
        y,
        np.full(len(X), person),
        windows.times_of(timing)[kept],
        np.zeros(len(X), dtype=int),
        kept,
        names,
        mne.pick_info(raw.info, rows, verbose="error"),
        t_r,
        windows.features,
        bands=bands,
        freqs=freqs,
        masker=masker,
        windows=windows,
        region_names=columns_of(masker),
    )
