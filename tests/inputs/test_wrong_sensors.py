"""Wrong sensors, lead fields and arrays, each with the exact error."""

import re

import mne
import numpy as np
import pytest

from mne_sbi import LeadField


def mark_bad(raw, names):
    raw.info["bads"] = list(names)
    return raw


def lose_position(raw, row):
    raw.info["chs"][row]["loc"][:] = np.nan
    return raw


def in_millimetres(world):
    positions = mne.channels.make_standard_montage("biosemi64").get_positions()
    positions = {n: 1000 * positions["ch_pos"][n] for n in world.channels}
    montage = mne.channels.make_dig_montage(positions, coord_frame="head")
    return world.bare_eeg().set_montage(montage)


def swap_columns(world):
    table = world.table("spectrum")
    return world.sgm().fit(table).predict(table[table.columns[::-1]])


CASES = [
    # Sensors.
    (
        "an array as lead field",
        lambda w: w.sgm(lead_field=np.eye(10)).fit(w.eeg()),
        TypeError,
        "lead_field must be 'template', an mne.Forward (with labels=) or a "
        "LeadField. Read a file first: mne.read_forward_solution() or "
        "mne_sbi.read_lead_field(). Got ndarray.",
    ),
    (
        "the name of a file as lead field",
        lambda w: w.sgm(lead_field="sample-fwd.fif").fit(w.eeg()),
        ValueError,
        "lead_field must be 'template', an mne.Forward (with labels=) or a "
        "LeadField. Read a file first: mne.read_forward_solution() or "
        "mne_sbi.read_lead_field(). Got 'sample-fwd.fif'.",
    ),
    (
        "template misspelt",
        lambda w: w.sgm(lead_field="templat").fit(w.eeg()),
        ValueError,
        "lead_field must be 'template', an mne.Forward (with labels=) or a "
        "LeadField. Read a file first: mne.read_forward_solution() or "
        "mne_sbi.read_lead_field(). Got 'templat'. Did you mean 'template'?",
    ),
    (
        "a forward solution without labels",
        lambda w: w.sgm(lead_field=w.forward).fit(w.eeg()),
        ValueError,
        "A forward solution needs labels=, the regions to average over, named as "
        "the model's nodes: mne.read_labels_from_annot(subject, 'aparc').",
    ),
    (
        "no montage",
        lambda w: w.sgm(lead_field="template").fit(w.bare_eeg()),
        ValueError,
        re.compile(
            r"10 of 10 EEG channels have no position: Fp1, Fp2, .*, O2\. Set "
            r"them with info\.set_montage\(\.\.\.\), .+"
        ),
    ),
    (
        "one electrode without position",
        lambda w: w.sgm(lead_field="template").fit(lose_position(w.eeg(), 2)),
        ValueError,
        re.compile(
            r"1 of 10 EEG channels have no position: F3\. Set them with "
            r"info\.set_montage\(\.\.\.\), .+"
        ),
    ),
    (
        "positions in mm",
        lambda w: w.sgm(lead_field="template").fit(in_millimetres(w)),
        ValueError,
        "The electrodes lie on a sphere of 89.5 m radius, which is no head. "
        "Positions must be in m; see info.set_montage(...).",
    ),
    (
        "MEG with the template",
        lambda w: w.sgm(lead_field="template").fit(w.bare_eeg("mag")),
        ValueError,
        "lead_field='template' is for EEG, but the recording has channels of the "
        "types ['mag']. For MEG, give an mne.Forward and labels=; for EEG, see "
        "raw.set_channel_types().",
    ),
    (
        "regions with a lead field",
        lambda w: w.sgm(lead_field="template").fit(w.raw()),
        ValueError,
        "The RawArray has no channel that could be an EEG or MEG sensor: all are "
        "bad, or of the kinds ['misc'].",
    ),
    (
        "an array with the template",
        lambda w: w.sgm(lead_field="template").fit(w.spectra),
        ValueError,
        "Arrays do not say which sensors recorded them. Give objects of "
        "MNE-Python, or lead_field=LeadField(...) with a row per row of the data.",
    ),
    (
        "nodes with a lead field",
        lambda w: w.sgm(lead_field="template", nodes=w.names).fit(w.eeg()),
        ValueError,
        "nodes= names rows that are regions, but with lead_field= the rows are "
        "channels. Leave nodes out.",
    ),
    (
        "lead field of other channels",
        lambda w: w.sgm(
            lead_field=LeadField(np.ones((2, 5)), ["A1", "A2"], w.names)
        ).fit(w.eeg()),
        ValueError,
        "10 of 10 good channels of the recording are not in the lead field: Fp1, "
        "Fp2, F3, F4, C3, C4, P3, P4, O1, O2. The lead field has 2 channels: A1, "
        "A2. Choose channels with picks=, or make the lead field for this "
        "recording.",
    ),
    (
        "lead field of other regions",
        lambda w: w.sgm(lead_field=LeadField(np.ones((10, 1)), w.channels, ["V1"])).fit(
            w.eeg()
        ),
        ValueError,
        "The lead field has none of the 5 nodes lh.cuneus, rh.cuneus, lh.insula, "
        "rh.insula, lh.precentral. It has V1.",
    ),
    (
        "power of EEG without reference",
        lambda w: w.sgm(lead_field="template").fit(
            w.bare_eeg().set_montage("biosemi64").compute_psd(verbose="error")
        ),
        ValueError,
        "The lead field has the average reference, which power spectra of EEG "
        "cannot be given any more. Give the Raw or the Epochs, or spectra after "
        "raw.set_eeg_reference(projection=True).apply_proj() with the bad "
        "channels marked.",
    ),
    (
        "a single electrode",
        lambda w: w.sgm(lead_field="template", picks=["O1"]).fit(w.eeg()),
        ValueError,
        "The only EEG channel, O1, has no average reference. Give two at least, "
        "better many, or regions.",
    ),
    (
        "a channel of the fit that is bad",
        lambda w: w.fitted_to_sensors.predict(mark_bad(w.eeg(), ["O1"])),
        ValueError,
        "The recording lacks 1 of the 10 channels of the fit, or they are bad: "
        "O1. Fit an inverter without them, or interpolate them "
        "(.interpolate_bads()) if they are few.",
    ),
    (
        "regions after a fit to sensors",
        lambda w: w.fitted_to_sensors.predict(w.raw()),
        ValueError,
        "The recording lacks 10 of the 10 channels of the fit, or they are bad: "
        "Fp1, Fp2, F3, F4, C3, C4, P3, P4, O1, O2. Fit an inverter without them, "
        "or interpolate them (.interpolate_bads()) if they are few.",
    ),
    (
        "spectra of regions after a fit to sensors",
        lambda w: w.fitted_to_sensors.predict(w.spectra),
        ValueError,
        "X has 5 nodes, but 10 are expected. If it covers a part of them, name "
        "it: nodes=list of 5 names.",
    ),
    # Arrays.
    (
        "four dimensions",
        lambda w: w.sgm().fit(w.spectra[np.newaxis]),
        ValueError,
        "X must have shape (n_obs, 5, 6) or (n_obs, 30): 5 nodes and 6 "
        "frequencies from 4 to 40 Hz. Got (1, 3, 5, 6).",
    ),
    (
        "NaN in an array",
        lambda w: w.fitted.predict(w.spectra * np.nan),
        ValueError,
        "X must be finite, but 90 of its 90 values are NaN or infinite, the "
        "first at index (0, 0, 0). Remove or replace them before.",
    ),
    (
        "spectra at other frequencies",
        lambda w: w.sgm().fit(w.spectra[..., :5]),
        ValueError,
        "X has 5 frequencies, but the model has 6 frequencies from 4 to 40 Hz. "
        "Give the model the frequencies of the data: freqs=array of 5 values in "
        "Hz.",
    ),
    (
        "part of the nodes without names",
        lambda w: w.sgm().fit(w.spectra[:, :3]),
        ValueError,
        "X has 3 nodes, but 5 are expected. If it covers a part of them, name "
        "it: nodes=list of 3 names.",
    ),
    (
        "time series taken for spectra",
        lambda w: w.sgm().fit(w.raw().get_data()[np.newaxis]),
        ValueError,
        "X has 2000 frequencies, but the model has 6 frequencies from 4 to 40 "
        "Hz. Give the model the frequencies of the data: freqs=array of 2000 "
        "values in Hz. Time series go in as mne.io.RawArray with the regions' "
        "names.",
    ),
    (
        "time series in a table",
        lambda w: w.series_inverter().fit(w.flat_array("timeseries")),
        ValueError,
        "X must have shape (n_obs, 5, n_times), got (3, 2000).",
    ),
    (
        "power taken for decibels",
        lambda w: w.sgm().fit(1e9 * 10 ** (w.spectra / 10)),
        ValueError,
        "X reaches 9.55e+08, and no power has more than 3100 dB. Set "
        "unit='power', or give 10 * log10(power).",
    ),
    (
        "decibels taken for power",
        lambda w: w.sgm(unit="power").fit(w.spectra),
        ValueError,
        "Power must be positive, but 90 of 90 values are zero, negative or NaN. "
        "Flat channels give zeros; spectra that are in dB already go in with "
        "unit='dB'.",
    ),
    (
        "more names than rows",
        lambda w: w.sgm(nodes=w.names).fit(w.spectra[:, :3]),
        ValueError,
        "X has 3 nodes, but 5 are expected. If it covers a part of them, name "
        "it: nodes=list of 3 names.",
    ),
    (
        "numbers for names",
        lambda w: w.sgm(nodes=[0, 1, 2, 3, 4]).fit(w.spectra),
        TypeError,
        "A region's name must be a string, got 0.",
    ),
    (
        "a model that nobody told the sampling rate",
        lambda w: w.series_inverter(model__sfreq=None).fit(w.array("timeseries")),
        ValueError,
        re.compile(r"HopfModel needs sfreq\. [\s\S]*HopfModel\(sfreq=[\s\S]*"),
    ),
    (
        "other columns than in fit",
        lambda w: swap_columns(w),
        ValueError,
        re.compile(
            r"The feature names should match those that were passed during "
            r"fit\.[\s\S]*"
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_is_said(refuses, case):
    refuses(*case[1:])
