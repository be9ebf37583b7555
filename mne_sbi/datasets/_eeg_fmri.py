"""EEG recorded together with fMRI: download and reading."""

from .._checks import check_option
from ._download import data_folder, fetch_entries, format_size
from ._eeg_fmri_files import (
    SETS,
    check_parts,
    check_subjects,
    full_name,
    select_entries,
)
from ._eeg_fmri_tarball import check_opt_in, fetch_tarball, list_missing, tarball_entry


def fetch_eeg_fmri(
    name,
    subjects=None,
    *,
    what=None,
    path=None,
    download=True,
    allow_unverified=False,
    verbose=None,
):
    """Fetch EEG that was recorded together with fMRI.

    Parameters
    ----------
    name : str
        The set:

        - ``"xp1"`` (OpenNeuro ds002336): motor imagery and neurofeedback, cleaned EEG
          of 64 channels at 200 Hz and volumes every 2 s, of 3 people (1.4 GB);
          neurofeedback runs as EEG and fMRI of two motor regions, of 10 people
          (``what="scores"``, 0.3 GB);
        - ``"xp2"`` (ds002338): the like with a repetition time of 1 s, EEG at 8 to
          30 Hz and fMRI of two motor regions, of 15 people (0.3 GB); no volumes;
        - ``"oddball"`` (ds000116): auditory and visual oddball, EEG of 34 channels at
          1000 Hz and volumes every 2 s, of 3 people (0.5 GB and the EEG);
        - ``"sleep_features"`` (ds003574): EEG band power and states decoded from fMRI
          for every scan of 2.1 s, of 18 people (8 MB).
    subjects : str | list of str | None
        The people, such as ``"sub-xp101"`` or ``"xp101"``. ``None``: all.
    what : str | list of str | None
        Parts of the set: ``"eeg"``, ``"bold"``, ``"motion"`` and ``"scores"`` of
        ``"xp1"``, ``"scores"`` of ``"xp2"``, ``"bold"`` and ``"eeg"`` of ``"oddball"``
        and ``"table"`` of ``"sleep_features"``. ``None``: all but the scores of
        ``"xp1"``. The small files that describe the set always come along.
    path : path-like | None
        Folder of data sets; the files go to its subfolder ``ds002336`` and the like.
        ``None``: the folder ``data`` in the cache folder, which the environment
        variable ``MNE_SBI_CACHE_DIR`` can set.
    download : bool
        Whether missing files may be downloaded.
    allow_unverified : bool
        Whether to download the EEG of ``"oddball"``, which cannot be verified; see
        Notes.
    verbose : bool | str | int | None
        As in MNE-Python. False hides the sizes and the progress bars.

    Returns
    -------
    folder : pathlib.Path
        The folder with the files; :func:`read_eeg_fmri` and
        :func:`read_sleep_features` read them.

    Raises
    ------
    ValueError
        If a person or part is not registered, or ``allow_unverified`` is needed.
    DownloadError
        If a download fails or a file is damaged. Nothing of that file remains; the
        files before it stay, and the next call goes on from there.
    FileNotFoundError
        If a file is missing and ``download`` is false.

    Notes
    -----
    Before anything is downloaded, a message says how much comes and where it goes.
    Every file is pinned by its hash, and files of OpenNeuro by their version as well,
    except for about half of the files of ``"xp2"``: they were renamed at the source,
    and of these the newest version is asked for, which the hash then checks.

    The EEG of ``"oddball"`` was never moved to OpenNeuro. It is in tarballs of the
    older OpenfMRI archive, over plain HTTP, for which nobody has published a hash. The
    hashes of what comes first are recorded in ``eeg_hashes.json`` beside the data, and
    later downloads and readings must agree with it. Only the cleaned EEG is extracted.

    All sets are in the public domain (CC0). Please cite their authors: Lioi et al.
    [1]_ for ``"xp1"`` and ``"xp2"``, Walz et al. [2]_ for ``"oddball"``; those of
    ``"sleep_features"`` are in its ``dataset_description.json``.

    References
    ----------
    .. [1] Lioi et al. (2020), Simultaneous EEG-fMRI during a neurofeedback task, a
       brain imaging dataset for multimodal data integration, Scientific Data 7, 173.
    .. [2] Walz et al. (2013), Simultaneous EEG-fMRI reveals temporal evolution of
       coupling between supramodal cortical attention networks and the brainstem,
       Journal of Neuroscience 33(49), 19212-19222.
    """
    from mne.utils import use_log_level

    parts = check_parts(name, what)
    subjects = check_subjects(name, subjects, parts)
    folder = set_folder(name, path)
    call = f"fetch_eeg_fmri({name!r})"
    entries = select_entries(name, subjects, parts)
    from_tarballs = subjects if name == "oddball" and "eeg" in parts else []
    check_opt_in(
        folder,
        from_tarballs,
        download=download,
        allow_unverified=allow_unverified,
        call=call,
    )
    if download:
        with use_log_level(verbose):
            _announce(name, folder, entries, list_missing(folder, from_tarballs))
    # Only False silences progress: a log level says nothing about it.
    progress = verbose is not False
    fetch_entries(entries, folder, download, progress, call)
    for subject in from_tarballs:
        fetch_tarball(subject, folder, download=download, verbose=progress, call=call)
    return folder


def set_folder(name, path):
    """Return the folder of a set."""
    info = SETS[check_option("name", name, SETS)]
    return data_folder(path) / info.openneuro


def _announce(name, folder, entries, tarballs):
    """Tell what will be downloaded, if anything."""
    from mne.utils import logger

    missing = [
        entry
        for entry in entries
        if not (path := folder / entry.file).exists()
        or path.stat().st_size != entry.bytes
    ]
    if not missing and not tarballs:
        return
    size = format_size(sum(entry.bytes for entry in missing))
    text = f"{name} ({SETS[name].openneuro}): downloading {len(missing)} files ({size})"
    if tarballs:
        names = ", ".join(tarball_entry(subject).file for subject in tarballs)
        text += f" and {names}, whose sizes and hashes nobody has published,"
    text += f" to {folder}"
    if len(missing) < len(entries):
        text += f" ({len(entries) - len(missing)} others are there)"
    logger.info(text)


def read_eeg_fmri(name, subject, *, tasks=None, what=None, path=None, verbose=None):
    """Read the runs of a person, as :func:`fetch_eeg_fmri` fetched them.

    Parameters
    ----------
    name : str
        ``"xp1"``, ``"xp2"`` or ``"oddball"``. For ``"sleep_features"``, which has no
        recordings, see :func:`read_sleep_features`.
    subject : str
        The person, such as ``"sub-xp101"`` or ``"xp101"``.
    tasks : str | list of str | None
        Only runs of these tasks, such as ``"eegfmriNF"``. ``None``: all.
    what : str | None
        ``"bold"``: EEG with volumes; ``"scores"``: EEG with the fMRI of two regions.
        ``None``: ``"scores"`` for ``"xp2"`` and ``"bold"`` for the others.
    path : path-like | None
        As in :func:`fetch_eeg_fmri`.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    runs : list of EEGfMRIRun
        Those of which both EEG and fMRI are there, sorted by name. A message tells
        which lack one of them.

    Raises
    ------
    FileNotFoundError
        If no run has both EEG and fMRI; the message says what to call.
    ValueError
        If the name, task or content of a file is not as expected.
    DownloadError
        If EEG of ``"oddball"`` is not what the first download brought.

    Notes
    -----
    Volumes that do not lie within the EEG as a whole are left out, and so are those
    that the authors discard: :attr:`EEGfMRIRun.volumes` says which ones remain.

    ``"xp1"``: the scanner starts 2 s before the protocol and the EEG with it, at the
    first marker ``S 99``. Where markers ``S  2`` of the task blocks show that the EEG
    begins with a later block, since that marker was missing, the onsets follow them,
    with a warning. Markers of volumes in the EEG refine the onsets.

    ``"oddball"``: recording and scan start together and their clocks are
    synchronised. The person called ``sub-01`` at OpenNeuro is ``sub001`` in the
    tarballs, task 1 is auditory and task 2 visual. Electrodes have names and positions
    only where the tarball brought ``locations_34_EEG.ced``.
    """
    from mne.utils import use_log_level

    from ._eeg_fmri_oddball import read_oddball
    from ._eeg_fmri_xp import read_scores, read_volumes

    check_option("name", name, SETS)
    if name == "sleep_features":
        raise ValueError(
            "'sleep_features' has no recordings but a table: use "
            f"read_sleep_features({subject!r})."
        )
    options = [part for part in ("bold", "scores") if part in SETS[name].parts]
    what = check_option("what", options[0] if what is None else what, options)
    subject = full_name(subject)
    if isinstance(tasks, str):
        tasks = [tasks]
    read = {"oddball": read_oddball}.get(
        name, read_scores if what == "scores" else read_volumes
    )
    with use_log_level(verbose):
        return read(name, set_folder(name, path), subject, tasks)
