"""The options of ``mne_sbi invert``."""

import argparse

from ._model_options import add_model_options, add_work_options

_DESCRIPTION = """\
Infer a model's parameters from recordings: a row of a table per file, the posterior,
and an HTML report. Channels are regions, found by their names, or sensors, with
--lead-field.
"""
_EXAMPLE = """\
examples:
  regions   mne_sbi invert spectral_graph sub-*_parcels_raw.fif --output-dir results
  sensors   mne_sbi invert spectral_graph S001R02.edf --lead-field template \\
                --montage colin27_1005 --save-inverter eeg64.zip
  channels  mne_sbi invert jansen_rit S001R02.edf --picks O1,Oz,O2 --rename-standard
  again     mne_sbi invert spectral_graph S002R02.edf --inverter eeg64.zip \\
                --montage colin27_1005 --output-dir sub-2
"""


def add_invert(commands):
    """Add the command.

    Parameters
    ----------
    commands : argparse object
        What ``add_subparsers`` returned.
    """
    parser = commands.add_parser(
        "invert",
        help="infer a model's parameters from recordings",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a name of 'mne_sbi models'")
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="recordings that MNE-Python reads (.fif, .edf, .bdf, .set, .vhdr, ...), "
        "or epochs (-epo.fif); one row each",
    )
    parser.add_argument(
        "--output-dir",
        default=".",
        metavar="FOLDER",
        help="where the outputs go (default: the current folder)",
    )
    _add_recording_options(parser)
    add_model_options(parser)
    _add_inference_options(parser)
    add_work_options(parser)
    parser.set_defaults(run=_run)


def _add_recording_options(parser):
    group = parser.add_argument_group("recordings")
    group.add_argument(
        "--picks",
        metavar="NAME,NAME",
        help="channels or types of channels, such as eeg, with commas between",
    )
    group.add_argument(
        "--duration",
        type=float,
        metavar="S",
        help="cut recordings into windows of this length: a row each",
    )
    group.add_argument(
        "--lead-field",
        metavar="template|FILE",
        help="invert sensors: through a template of the head for EEG, a forward "
        "solution (-fwd.fif, with --labels), or a file of LeadField.save (.npz)",
    )
    group.add_argument(
        "--labels",
        nargs="+",
        metavar="PATH",
        help="regions of the forward solution: a folder of .label files, or the .annot "
        "files of both hemispheres",
    )
    group.add_argument(
        "--montage", metavar="NAME", help="electrode positions, such as colin27_1005"
    )
    group.add_argument(
        "--rename-standard",
        action="store_true",
        help="write names of electrodes such as 'Fc5.' as 'FC5' in the outputs; they "
        "are found under either name",
    )


def _add_inference_options(parser):
    group = parser.add_argument_group("inference")
    group.add_argument(
        "--n-simulations",
        type=int,
        metavar="N",
        help="simulations to learn from (default: 20000)",
    )
    group.add_argument(
        "--simulations",
        metavar="PATH",
        help="learn from what 'mne_sbi simulate' made, in place of new simulations; "
        "give the same options of the model",
    )
    group.add_argument(
        "--method", choices=("npe", "abc"), help="how to infer (default: npe)"
    )
    group.add_argument(
        "--max-iter", type=int, metavar="N", help="passes of the training, for npe"
    )
    group.add_argument(
        "--inverter",
        metavar="FILE.zip",
        help="use this fitted inverter, in place of training one",
    )
    group.add_argument(
        "--save-inverter", metavar="FILE.zip", help="keep the fitted inverter"
    )
    group.add_argument(
        "--n-draws",
        type=int,
        metavar="N",
        help="posterior draws of each recording (default: 1000)",
    )
    group.add_argument(
        "--calibration",
        type=int,
        default=300,
        metavar="N",
        help="fresh simulations on which the report checks the intervals; 0 for none "
        "(default: 300)",
    )
    group.add_argument("--no-report", action="store_true", help="write no HTML report")


def _run(options):
    from ._invert import run

    run(options)
