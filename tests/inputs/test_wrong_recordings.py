"""Wrong recordings of regions, each with the exact error."""

import re

import mne
import numpy as np
import pytest


def mark_bad(raw, names):
    raw.info["bads"] = list(names)
    return raw


def change(raw, value):
    """Put a value into the second channel."""
    raw._data[1, 50] = value
    return raw


def annotate(raw, onsets, duration):
    durations = [duration] * len(onsets)
    return raw.set_annotations(mne.Annotations(list(onsets), durations, "BAD_noise"))


CASES = [
    # Recordings of regions.
    (
        "sampled too slowly",
        lambda w: w.sgm().fit(w.raw().resample(60, verbose="error")),
        ValueError,
        "Frequencies up to 40 Hz need a sampling rate of at least 80 Hz, got 60 "
        "Hz. Lower fmax, or the freqs of the model.",
    ),
    (
        "shorter than the window",
        lambda w: w.sgm().fit(w.raw().crop(0, 1)),
        ValueError,
        "The time series last 1.01 s, less than the window of 2 s. Give longer "
        "recordings or a shorter window to LogPSD: features=LogPSD(..., window=...).",
    ),
    (
        "epochs shorter than the window",
        lambda w: w.sgm().fit(
            mne.make_fixed_length_epochs(w.raw(), 1.0, preload=True, verbose="error")
        ),
        ValueError,
        "The time series last 1 s, less than the window of 2 s. Give longer "
        "recordings or a shorter window to LogPSD: features=LogPSD(..., window=...).",
    ),
    (
        "all channels bad",
        lambda w: w.sgm().fit(mark_bad(w.raw(), w.names)),
        ValueError,
        "The RawArray has no channel that could be a region: all are bad, or of "
        "the kinds ['misc'].",
    ),
    (
        "no region among the channels",
        lambda w: w.sgm().fit(
            w.raw().set_channel_types(
                dict.fromkeys(w.names, "stim"), on_unit_change="ignore", verbose="error"
            )
        ),
        ValueError,
        "The RawArray has no channel that could be a region: all are bad, or of "
        "the kinds ['stim'].",
    ),
    (
        "NaN in a channel",
        lambda w: w.sgm().fit(change(w.raw(), np.nan)),
        ValueError,
        "1 of 5 regions hold NaN or infinite values: rh.cuneus. Leave them out "
        "(info['bads'], .pick), or annotate the segments in which it happens as "
        "bad.",
    ),
    (
        "infinite value in epochs",
        lambda w: w.sgm().fit(w.epochs(change(w.raw(), np.inf))),
        ValueError,
        "1 of 5 regions hold NaN or infinite values: rh.cuneus. Leave them out "
        "(info['bads'], .pick), or annotate the segments in which it happens as "
        "bad.",
    ),
    (
        "a flat channel",
        lambda w: w.sgm().fit(
            w.raw().apply_function(lambda x: 0 * x, picks=["lh.insula"])
        ),
        ValueError,
        "1 of 5 regions are flat: lh.insula. Leave them out (info['bads'], "
        ".pick), or annotate the segments in which it happens as bad.",
    ),
    (
        "all annotated as bad",
        lambda w: w.sgm().fit(annotate(w.raw(), [0], 20)),
        ValueError,
        "All of the recording is annotated as bad. See raw.annotations.",
    ),
    (
        "too little between bad segments",
        lambda w: w.sgm().fit(annotate(w.raw(), range(20), 0.5)),
        ValueError,
        "No piece of the time series, between segments that are left out or from "
        "start to end of an epoch, is as long as the window of 2 s. Annotate less as "
        "bad, give longer epochs, or a shorter window to LogPSD: "
        "features=LogPSD(..., window=...).",
    ),
    (
        "complex after a Hilbert transform",
        lambda w: w.sgm().fit(w.raw().apply_hilbert(picks="all")),
        TypeError,
        "The time series are complex, as after a Hilbert transform. Give them as "
        "they were before it.",
    ),
    (
        "a name misspelt",
        lambda w: w.sgm().fit(w.raw().rename_channels({"lh.cuneus": "lh.cuneuz"})),
        ValueError,
        "1 of 5 names are not in the connectome: lh.cuneuz. Did you mean "
        "'lh.cuneus'? The connectome has 5 nodes: lh.cuneus, rh.cuneus, "
        "lh.insula, rh.insula, lh.precentral.",
    ),
    (
        "two names of one region",
        lambda w: w.sgm().fit(w.raw().rename_channels({"lh.cuneus": "cuneus-rh"})),
        ValueError,
        "Names that stand for one node twice: cuneus-rh, rh.cuneus. The "
        "connectome has 5 nodes: lh.cuneus, rh.cuneus, lh.insula, rh.insula, "
        "lh.precentral.",
    ),
    (
        "sensors taken for regions",
        lambda w: w.sgm().fit(w.eeg()),
        ValueError,
        "10 of 10 names are not in the connectome: Fp1, Fp2, F3, F4, C3, C4, P3, "
        "P4, O1, O2. The connectome has 5 nodes: lh.cuneus, rh.cuneus, "
        "lh.insula, rh.insula, lh.precentral. None of the names is a region's. "
        "Channels of sensors need lead_field= ('template' or an mne.Forward), or "
        "source imaging first: mne.extract_label_time_course() gives time series "
        "of regions.",
    ),
    (
        "a region missing in predict",
        lambda w: w.fitted.predict(w.raw().drop_channels(["lh.insula"])),
        ValueError,
        "The recording has other regions than those of the fit. Missing: "
        "['lh.insula']; not in the fit: none. Pick the same channels, or fit "
        "again.",
    ),
    (
        "a region bad in predict",
        lambda w: w.fitted.predict(mark_bad(w.raw(), ["rh.cuneus"])),
        ValueError,
        "The recording has other regions than those of the fit. Missing: "
        "['rh.cuneus']; not in the fit: none. Pick the same channels, or fit "
        "again.",
    ),
    (
        "all epochs dropped",
        lambda w: w.sgm().fit(w.epochs(w.raw()).drop(range(4), verbose="error")),
        ValueError,
        "The Epochs holds no epoch. See epochs.drop_log for why they were dropped.",
    ),
    # Settings of what is read.
    (
        "picks of a type that is not there",
        lambda w: w.sgm(picks="eeg").fit(w.raw()),
        ValueError,
        re.compile(
            r"picks='eeg' fits no channel of the recording, which has "
            r"5 channels: lh\.cuneus, .* lh\.precentral\. .+"
        ),
    ),
    (
        "picks of a name misspelt",
        lambda w: w.sgm(picks=["lh.cuneuz"]).fit(w.raw()),
        ValueError,
        re.compile(
            r"picks=\['lh\.cuneuz'\] fits no channel of the recording, which "
            r"has 5 channels: lh\.cuneus, .*\. .+"
        ),
    ),
    (
        "picks of which one is misspelt",
        lambda w: w.sgm(picks=["lh.cuneus", "lh.insulla"]).fit(w.raw()),
        ValueError,
        re.compile(
            r"picks=\['lh\.cuneus', 'lh\.insulla'\] names channels that the "
            r"recording does not have: \['lh\.insulla'\]\. It has 5 channels: .*"
        ),
    ),
    (
        "picks of a bad channel",
        lambda w: w.sgm(picks=["lh.cuneus"]).fit(mark_bad(w.raw(), ["lh.cuneus"])),
        ValueError,
        "picks=['lh.cuneus'] chooses bad channels only: ['lh.cuneus'].",
    ),
    (
        "duration in ms",
        lambda w: w.sgm(duration=5000).fit(w.raw()),
        ValueError,
        "duration=5000 s does not fit a recording of 20 s at 100 Hz: a window "
        "must have two samples at least, and the recording one window.",
    ),
    (
        "negative duration",
        lambda w: w.sgm(duration=-1.0).fit(w.raw()),
        ValueError,
        "duration must be a positive number of seconds, got -1.0.",
    ),
    (
        "duration shorter than the window",
        lambda w: w.sgm(duration=1.0).fit(w.raw()),
        ValueError,
        "The time series last 1 s, less than the window of 2 s. Give longer "
        "recordings or a shorter window to LogPSD: features=LogPSD(..., window=...).",
    ),
    (
        "a window without data",
        lambda w: w.sgm(duration=5.0).fit(annotate(w.raw(), [5], 4)),
        ValueError,
        "The window from 5 to 10 s is annotated as bad but for 20% of it. Leave "
        "such windows out with mne.make_fixed_length_epochs(raw, duration, "
        "reject_by_annotation=True), and give the Epochs; or use longer windows.",
    ),
    (
        "duration of epochs",
        lambda w: w.sgm(duration=5.0).fit(w.epochs(w.raw())),
        ValueError,
        "duration cuts a Raw into windows, and a Epochs has none. Use "
        "duration=None, or give the Raw.",
    ),
    (
        "duration of an array",
        lambda w: w.sgm(duration=5.0).fit(w.spectra),
        ValueError,
        "duration cuts a Raw into windows, and an array has none. Use "
        "duration=None, or give the Raw.",
    ),
    # Lists.
    (
        "two sampling rates",
        lambda w: w.sgm().fit([w.raw(), w.raw().resample(90, verbose="error")]),
        ValueError,
        "All recordings must have one sampling rate, got 100 and 90 Hz "
        "(recording 1). Use .resample().",
    ),
    (
        "two kinds",
        lambda w: w.sgm().fit([w.raw(), w.epochs(w.raw())]),
        TypeError,
        "A list of recordings must hold objects of one kind, got Epochs, Raw.",
    ),
    (
        "nobody in a list",
        lambda w: w.sgm().fit([w.raw(), None]),
        TypeError,
        "A list of recordings holds something else: ['NoneType'].",
    ),
    (
        "a region missing in one",
        lambda w: w.sgm().fit([w.raw(), w.raw().drop_channels(["lh.insula"])]),
        ValueError,
        "All recordings must have the same channels; these are not in all: "
        "['lh.insula']. Recording 1 lacks ['lh.insula'] of recording 0 and has "
        "none besides. Use .pick(names), or interpolate bad channels.",
    ),
    (
        "names of files",
        lambda w: w.sgm().fit(["sub-01_raw.fif", "sub-02_raw.fif"]),
        TypeError,
        "Observations must be an array or objects of MNE-Python, got a list of "
        "str. Read a file first, for example with mne.io.read_raw().",
    ),
    (
        "the name of a file",
        lambda w: w.sgm().fit("sub-01_raw.fif"),
        TypeError,
        "Observations must be an array or objects of MNE-Python, got str. Read a "
        "file first, for example with mne.io.read_raw().",
    ),
    (
        "an empty list",
        lambda w: w.sgm().fit([]),
        ValueError,
        "The list of recordings is empty. Give one per person.",
    ),
    (
        "a dict of people",
        lambda w: w.sgm().fit({"sub-01": w.raw()}),
        TypeError,
        "Observations must be an array or objects of MNE-Python, got dict. Read "
        "a file first, for example with mne.io.read_raw().",
    ),
    (
        "slices of one Raw",
        lambda w: w.fitted.predict([w.raw()[0], w.raw()[1]]),
        TypeError,
        "This is what indexing a single Raw gives, as cross-validation does: "
        "pairs of data and times. Give epochs, mne.make_fixed_length_epochs(raw, "
        "duration=..., preload=True), or a list of one Raw per person.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_is_said(refuses, case):
    refuses(*case[1:])
