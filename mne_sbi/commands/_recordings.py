"""Read the files that ``mne_sbi invert`` is given."""

import re
from pathlib import Path

import numpy as np

from .._checks import did_you_mean, listing
from .._recording_arrays import SAME_RATE
from .._region_names import normalize_region_name
from .._sensors import match_ch_names

# Names by which MNE-Python's files of epochs are known.
_EPOCHS = re.compile(r"[-_]epo\.fif(\.gz)?")
# The hemisphere in the name of an annotation, such as lh.aparc.annot.
_SIDE = re.compile(r"(?:^|[^a-z])(lh|rh)\.")

# What to give instead of a file that MNE-Python does not read.
_FORMATS = (
    " Give a file that it reads, such as .fif, .edf, .bdf, .vhdr or .set. Tables of "
    "numbers need names and a sampling rate: in Python, mne.io.RawArray."
)


def name_recordings(files):
    """Name recordings by their files, or by their paths where files share a name.

    Parameters
    ----------
    files : list of str
        The files.

    Returns
    -------
    names : list of str
        A name for each.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is given twice.
    """
    missing = [file for file in files if not Path(file).exists()]
    if missing:
        raise FileNotFoundError(f"There is no file {', '.join(missing)}.")
    resolved = [Path(file).resolve() for file in files]
    twice = [
        f for f, path in zip(files, resolved, strict=True) if resolved.count(path) > 1
    ]
    if twice:
        raise ValueError(f"The same file is given twice: {', '.join(twice)}.")
    names = [Path(file).name for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]


def read_recording(file, options):
    """Read one recording, and rename, pick and place its channels.

    Parameters
    ----------
    file : str
        The file.
    options : argparse.Namespace
        With ``rename_standard``, ``picks``, ``montage`` and ``lead_field``.

    Returns
    -------
    recording : mne.io.BaseRaw | mne.BaseEpochs
        The recording.

    Raises
    ------
    ValueError
        If it cannot be read, or lacks channels or positions.
    """
    recording = _read(file)
    if options.rename_standard:
        _rename(recording, file)
    if options.picks is not None:
        _pick(recording, [pick.strip() for pick in options.picks.split(",")], file)
    if options.montage is not None:
        _set_montage(recording, options.montage, file)
    elif options.lead_field == "template":
        _check_positions(recording, file)
    return recording


def check_together(recordings):
    """Refuse recordings that cannot stand in one list.

    Parameters
    ----------
    recordings : list of mne.io.BaseRaw | list of mne.BaseEpochs
        What was read.

    Raises
    ------
    ValueError
        If they differ in sampling rate, or only some are epochs.
    """
    import mne

    rates = sorted({recording.info["sfreq"] for recording in recordings})
    if len({isinstance(recording, mne.BaseEpochs) for recording in recordings}) > 1:
        problem = "Some files hold epochs, and others continuous recordings."
    elif rates[-1] - rates[0] > SAME_RATE * rates[0]:
        all_rates = " and ".join(f"{rate:g}" for rate in rates)
        problem = f"The recordings are sampled at {all_rates} Hz."
    else:
        return
    raise ValueError(
        f"{problem} What learns from them, and a report, needs one kind at one rate: "
        "give them in several calls, with --inverter the same fitted inverter."
    )


def _read(file):
    import mne

    if _EPOCHS.search(Path(file).name):
        return _read_with(mne.read_epochs, file, "epochs", preload=True)
    try:
        return _read_with(mne.io.read_raw, file, "a recording", preload=True)
    except ValueError as exc:
        # EEGLAB keeps epochs in files of the same kind as recordings.
        if Path(file).suffix == ".set" and isinstance(exc.__cause__, TypeError):
            return _read_with(mne.io.read_epochs_eeglab, file, "epochs")
        raise


def _read_with(read, file, what, **settings):
    """Read a file; whatever is wrong with it is an error that names it."""
    try:
        return read(file, verbose="error", **settings)
    except MemoryError:
        raise
    except Exception as exc:
        # Readers of damaged files fail in many ways, all of which mean this.
        is_said = isinstance(exc, (ValueError, OSError, RuntimeError))
        text = " ".join(str(exc).split()).rstrip(".") if is_said else ""
        text = text or "it is damaged or of another format"
        hint = _FORMATS if what == "a recording" else ""
        raise ValueError(
            f"MNE-Python cannot read {file} as {what}: {text}.{hint}"
        ) from exc


def _rename(recording, file):
    """Give channels such as 'Fc5.' the names of the 10-05 system."""
    import mne

    mne.datasets.eegbci.standardize(recording)
    known = set(mne.channels.make_standard_montage("colin27_1005").ch_names)
    if not known.intersection(recording.ch_names):
        raise ValueError(
            f"--rename-standard: {file} has no channels of the 10-05 system, but "
            f"{listing(recording.ch_names)}."
        )


def _pick(recording, picks, file):
    """Pick channels in place, by their names or types."""
    try:
        recording.pick(picks[0] if len(picks) == 1 else picks, verbose="error")
    except ValueError as exc:
        matched = match_ch_names(picks, recording.ch_names)
        if len(matched) == len(picks):
            recording.pick([matched[pick] for pick in picks], verbose="error")
            return
        wrong = [pick for pick in picks if pick not in matched]
        raise ValueError(
            f"--picks does not fit {file}: there is no channel or type "
            f"{listing(wrong)}. Its {len(recording.ch_names)} channels are "
            f"{listing(recording.ch_names, 20)}."
        ) from exc


def _set_montage(recording, name, file):
    """Give the electrodes their positions."""
    import mne

    try:
        montage = mne.channels.make_standard_montage(name)
    except ValueError as exc:
        known = mne.channels.get_builtin_montages()
        raise ValueError(
            f"There is no montage {name}.{did_you_mean(name, known)} MNE-Python knows "
            f"{', '.join(known)}."
        ) from exc
    types = dict(zip(recording.ch_names, recording.get_channel_types(), strict=True))
    eeg = [c for c, kind in types.items() if kind == "eeg"]
    matched = match_ch_names(eeg, montage.ch_names)
    missing = [c for c in eeg if c not in matched]
    if missing:
        raise ValueError(
            f"The montage {name} has no positions for {len(missing)} of {len(eeg)} EEG "
            f"channels of {file}: {listing(missing)}. --picks leaves channels out."
        )
    # The montage gets the names of the recording, which are those of the outputs.
    montage = montage.copy()
    montage.rename_channels({matched[c]: c for c in eeg if matched[c] != c})
    recording.set_montage(montage, match_case=False, verbose="error")


def _check_positions(recording, file):
    """Raise if EEG channels have no positions, which a template needs."""
    types = recording.get_channel_types()
    without = [
        channel["ch_name"]
        for channel, kind in zip(recording.info["chs"], types, strict=True)
        if kind == "eeg"
        and (not np.isfinite(channel["loc"][:3]).all() or not channel["loc"][:3].any())
        and channel["ch_name"] not in recording.info["bads"]
    ]
    if without:
        raise ValueError(
            f"{file} has no positions of {len(without)} of {types.count('eeg')} EEG "
            f"channels: {listing(without)}. Name a montage, such as --montage "
            "colin27_1005."
        )


def read_lead_field_option(value, labels, node_names):
    """Read the lead field and the labels that options name.

    Parameters
    ----------
    value : str | None
        ``"template"``, or a file of a forward solution or of a :class:`LeadField`.
    labels : list of str | None
        A folder of label files, or annotation files.
    node_names : sequence of str | None
        The nodes of the model; labels of other names are left out.

    Returns
    -------
    settings : dict
        ``lead_field`` and ``labels`` for an inverter.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If the options do not belong together, or a file is of another kind.
    """
    if value is None or value == "template" or str(value).endswith(".npz"):
        if labels:
            raise ValueError("--labels belongs to --lead-field FILE-fwd.fif only.")
        if value in (None, "template"):
            return {"lead_field": value}
        from .._lead_field import read_lead_field

        return {"lead_field": read_lead_field(value)}
    import mne

    if not Path(value).is_file():
        raise FileNotFoundError(
            f"--lead-field must be 'template' or a file, and there is no file {value}."
        )
    if not labels:
        raise ValueError(
            "A forward solution needs the regions of its sources: --labels FOLDER, or "
            "--labels lh.aparc.annot rh.aparc.annot."
        )
    forward = _read_with(mne.read_forward_solution, value, "a forward solution")
    return {"lead_field": forward, "labels": _read_labels(labels, node_names)}


def _read_labels(sources, node_names):
    """Read the labels that are nodes of a model."""
    import mne

    labels = []
    for source in map(Path, sources):
        if source.is_dir():
            files = sorted(source.glob("*.label"))
            labels += [mne.read_label(file) for file in files]
        elif source.is_file():
            labels += _read_annotation(source)
        else:
            raise FileNotFoundError(f"There is no file or folder {source}.")
    wanted = {normalize_region_name(name) for name in node_names or ()}
    chosen = [lb for lb in labels if normalize_region_name(lb.name) in wanted]
    if not chosen:
        found = f" ({listing([label.name for label in labels])})" if labels else ""
        raise ValueError(
            f"None of the {len(labels)} labels of --labels{found} is a node of the "
            "model."
        )
    return chosen


def _read_annotation(file):
    """Read the labels of one hemisphere; a forward solution has the positions."""
    import mne
    from nibabel import freesurfer

    side = _SIDE.search(file.name)
    if side is None:
        raise ValueError(
            f"The name of an annotation must tell the hemisphere, as lh.aparc.annot "
            f"does, got {file.name}."
        )
    try:
        regions, _, names = freesurfer.read_annot(file)
    except (ValueError, OSError, IndexError) as exc:
        raise ValueError(f"{file} cannot be read as an annotation: {exc}") from exc
    hemi = side[1]
    return [
        mne.Label(
            np.flatnonzero(regions == i),
            hemi=hemi,
            name=f"{name.decode()}-{hemi}",
            verbose="error",
        )
        for i, name in enumerate(names)
        if (regions == i).any()
    ]
