"""Wrong spectra, sources and other objects of MNE-Python, each with the exact error."""

import re

import mne
import numpy as np
import pytest

from mne_sbi.features import LogPSD


def annotate(raw, onsets, duration):
    durations = [duration] * len(onsets)
    return raw.set_annotations(mne.Annotations(list(onsets), durations, "BAD_noise"))


def decibels(world):
    spectrum = world.spectrum(world.raw())
    spectrum._data = 10 * np.log10(spectrum._data)
    return spectrum


def vectors(world):
    data = np.random.default_rng(0).normal(size=(10, 3, 500))
    return mne.VectorSourceEstimate(data, world.stc().vertices, 0, 0.01)


def of_subject(stc, subject):
    stc.subject = subject
    return stc


CASES = [
    # Other objects of MNE-Python.
    (
        "time-frequency",
        lambda w: w.sgm().fit(
            w.epochs(w.raw()).compute_tfr(
                "morlet", freqs=[10.0, 20.0], picks="all", verbose="error"
            )
        ),
        TypeError,
        "A EpochsTFR cannot be inverted. Give one of Raw, Epochs, Evoked, "
        "EpochsSpectrum, Spectrum, SourceEstimate, VolSourceEstimate, "
        "MixedSourceEstimate, a list of these, or an array.",
    ),
    (
        "an Info",
        lambda w: w.sgm().fit(w.raw().info),
        TypeError,
        "A Info cannot be inverted. Give one of Raw, Epochs, Evoked, "
        "EpochsSpectrum, Spectrum, SourceEstimate, VolSourceEstimate, "
        "MixedSourceEstimate, a list of these, or an array.",
    ),
    (
        "labels in place of a recording",
        lambda w: w.sgm().fit(w.labels),
        TypeError,
        "A Label cannot be inverted. Give one of Raw, Epochs, Evoked, "
        "EpochsSpectrum, Spectrum, SourceEstimate, VolSourceEstimate, "
        "MixedSourceEstimate, a list of these, or an array.",
    ),
    # Spectra.
    (
        "complex spectra",
        lambda w: w.sgm().fit(
            w.raw().compute_psd(
                "welch", n_fft=200, output="complex", picks="all", verbose="error"
            )
        ),
        TypeError,
        "The spectrum is complex. Compute it with .compute_psd(output='power').",
    ),
    (
        "a spectrum per segment",
        lambda w: w.sgm().fit(
            w.raw().compute_psd(
                "welch", n_fft=200, average=None, picks="all", verbose="error"
            )
        ),
        ValueError,
        "The spectrum holds each segment or taper by itself. Compute it with the "
        "default average of .compute_psd().",
    ),
    (
        "spectra that end too early",
        lambda w: w.sgm().fit(
            w.raw().compute_psd(fmax=30, picks="all", verbose="error")
        ),
        ValueError,
        "Spectra from 0 to 30 Hz do not cover the frequencies 4 to 40 Hz that "
        "the model needs. Give the model other freqs.",
    ),
    (
        "spectra on two grids",
        lambda w: w.sgm().fit(
            [
                w.raw().compute_psd("welch", n_fft=n, picks="all", verbose="error")
                for n in (200, 256)
            ]
        ),
        ValueError,
        "All spectra must have the same frequencies, got 101 from 0 to 50 Hz and "
        "129 from 0 to 50 Hz (recording 1). Compute them with the same n_fft, "
        "fmin and fmax.",
    ),
    (
        "spectra in decibels",
        lambda w: w.sgm().fit(decibels(w)),
        ValueError,
        "5 of 5 regions have negative power, as decibels have: lh.cuneus, "
        "rh.cuneus, lh.insula, rh.insula, lh.precentral. Leave them out "
        "(info['bads'], .pick), or annotate the segments in which it happens as "
        "bad.",
    ),
    (
        "spectra without a grid of the features",
        lambda w: w.series_inverter(features=LogPSD()).fit(w.spectrum(w.raw())),
        ValueError,
        "Spectra of MNE-Python need frequencies to be brought to: give "
        "features=LogPSD(freqs=...), or the time series.",
    ),
    # Source estimates.
    (
        "no labels",
        lambda w: w.sgm().fit(w.stc()),
        ValueError,
        "A SourceEstimate needs labels=, the regions to average over: a list of "
        "mne.Label with the names of the connectome's regions, for example from "
        "mne.read_labels_from_annot(subject, 'aparc').",
    ),
    (
        "a vector estimate",
        lambda w: w.sgm(labels=w.labels).fit(vectors(w)),
        TypeError,
        "A VectorSourceEstimate has three time series for each source. Use "
        ".magnitude(), or .project('pca', src) for one with a sign.",
    ),
    (
        "the name of a parcellation",
        lambda w: w.sgm(labels="aparc").fit(w.stc()),
        TypeError,
        "labels of a SourceEstimate must be a list of mne.Label, as from "
        "mne.read_labels_from_annot(subject, 'aparc'), got 'aparc'.",
    ),
    (
        "labels of another atlas",
        lambda w: w.sgm(labels=[mne.Label([0], hemi="lh", name="V1-lh")]).fit(w.stc()),
        ValueError,
        "1 of 1 names are not in the connectome: V1-lh. The connectome has 5 "
        "nodes: lh.cuneus, rh.cuneus, lh.insula, rh.insula, lh.precentral. None "
        "of the names is a region's. Channels of sensors need lead_field= "
        "('template' or an mne.Forward), or source imaging first: "
        "mne.extract_label_time_course() gives time series of regions.",
    ),
    (
        "a label without sources",
        lambda w: w.sgm(labels=[mne.Label([900], hemi="lh", name="cuneus-lh")]).fit(
            w.stc()
        ),
        ValueError,
        "The source estimate has no source in the label 'cuneus-lh'. Leave the "
        "label out, or use a denser source space.",
    ),
    (
        "labels of somebody else",
        lambda w: w.sgm(
            labels=[mne.Label([0], hemi="lh", name="cuneus-lh", subject="fsaverage")]
        ).fit(of_subject(w.stc(), "sample")),
        ValueError,
        "The labels are those of fsaverage, but the source estimate is of "
        "sample. Use mne.morph_labels(labels, 'sample'), or morph the source "
        "estimate.",
    ),
    (
        "a label twice",
        lambda w: w.sgm(labels=w.labels + w.labels[:1]).fit(w.stc()),
        ValueError,
        "Names that stand for one node twice: cuneus-lh, cuneus-lh. The "
        "connectome has 5 nodes: lh.cuneus, rh.cuneus, lh.insula, rh.insula, "
        "lh.precentral.",
    ),
    (
        "another way to average",
        lambda w: w.sgm(labels=w.labels, mode="pca").fit(w.stc()),
        ValueError,
        "Invalid value for 'mode': 'pca'. Allowed: 'auto', 'mean_flip', 'mean', "
        "'pca_flip', 'max'.",
    ),
    (
        "signs without a source space",
        lambda w: w.sgm(labels=w.labels, mode="mean_flip").fit(w.stc()),
        ValueError,
        "mode='mean_flip' needs src=inverse_operator['src']. Without: auto, mean, max.",
    ),
    (
        "a forward solution as source space",
        lambda w: w.sgm(labels=w.labels, src=w.forward).fit(w.stc()),
        TypeError,
        "src must be the mne.SourceSpaces that the SourceEstimate was made with, "
        "inverse_operator['src'] or forward['src'], got Forward.",
    ),
    (
        "a volume as source space of surfaces",
        lambda w: w.sgm(labels=w.labels, src=w.volume).fit(w.stc()),
        ValueError,
        "src is a volume source space, but a SourceEstimate needs that of surfaces.",
    ),
    (
        "a volume without source space",
        lambda w: w.sgm(labels=w.atlas).fit(w.volume_stc()),
        ValueError,
        "A VolSourceEstimate needs src=, the source space that it was made with: "
        "inverse_operator['src'] or forward['src'].",
    ),
    (
        "labels of surfaces for a volume",
        lambda w: w.sgm(labels=w.labels, src=w.volume).fit(w.volume_stc()),
        TypeError,
        re.compile(
            r"labels of a VolSourceEstimate must be the file of an atlas or "
            r"\(file, names of regions\), got \[<Label .+"
        ),
    ),
    (
        "an atlas that is not there",
        lambda w: w.sgm(labels="aseg.mgz", src=w.volume).fit(w.volume_stc()),
        FileNotFoundError,
        "There is no atlas aseg.mgz.",
    ),
    (
        "a region that the atlas lacks",
        lambda w: w.sgm(labels=(w.atlas, ["ctx-lh-cuneuz"]), src=w.volume).fit(
            w.volume_stc()
        ),
        ValueError,
        "FreeSurfer's table of regions does not have ['ctx-lh-cuneuz']. Did you "
        "mean 'ctx-lh-cuneus'?",
    ),
    (
        "a lead field for sources",
        lambda w: w.sgm(labels=w.labels, lead_field="template").fit(w.stc()),
        TypeError,
        "A SourceEstimate has sources, and no sensors for a lead field. Use "
        "lead_field=None, or give the Raw or the Epochs.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_is_said(refuses, case):
    refuses(*case[1:])
