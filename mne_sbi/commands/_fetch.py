"""``mne_sbi fetch``: list and download data sets."""


def add_fetch(commands):
    """Add the command.

    Parameters
    ----------
    commands : argparse object
        What ``add_subparsers`` returned.
    """
    text = "list the data sets that can be downloaded, or download one"
    parser = commands.add_parser(
        "fetch",
        help=text,
        description=f"{text.capitalize()}.",
        epilog="example: mne_sbi fetch hcp_desikan86",
    )
    parser.add_argument("name", nargs="?", help="the data set; without it, list all")
    parser.add_argument(
        "--path", metavar="FOLDER", help="where the files go (default: the cache)"
    )
    parser.add_argument(
        "--subjects",
        nargs="+",
        metavar="NAME",
        help="only these people; for EEG recorded with fMRI",
    )
    parser.add_argument(
        "--what",
        nargs="+",
        metavar="PART",
        help="only these parts, such as eeg, bold or scores; for EEG recorded with "
        "fMRI",
    )
    parser.add_argument(
        "--allow-unverified",
        action="store_true",
        help="download files of which nobody has published a hash",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=_run)


def _run(options):
    if options.name is None:
        print("\n".join(list_lines()))
    else:
        print(
            fetch(
                options.name,
                options.path,
                not options.quiet,
                subjects=options.subjects,
                what=options.what,
                allow_unverified=options.allow_unverified,
            )
        )


def list_lines():
    """Return the lines of the list of data sets."""
    from ..datasets import list_datasets
    from ..datasets._download import format_size
    from ._tables import format_table

    rows = [("name", "size", "licence", "here", "content")]
    for info in list_datasets(details=True):
        here = "yes" if info.available else "no"
        rows.append(
            (info.name, format_size(info.bytes), info.licence, here, info.title)
        )
    return [*format_table(rows), "", "Type: mne_sbi fetch NAME"]


def fetch(name, path, progress, *, subjects=None, what=None, allow_unverified=False):
    """Download a data set, unless it is there.

    Parameters
    ----------
    name : str
        Its name.
    path : path-like | None
        Folder of the files.
    progress : bool
        Show progress.
    subjects, what, allow_unverified
        For EEG recorded with fMRI, as in :func:`~mne_sbi.datasets.fetch_eeg_fmri`.

    Returns
    -------
    text : str
        Where it is, and its licence.
    """
    from .._checks import check_option, listing
    from ..datasets import fetch_eeg_fmri, list_datasets
    from ..datasets._download import fetch_files
    from ..datasets._eeg_fmri_files import SETS

    infos = {info.name: info for info in list_datasets(details=True)}
    info = infos[check_option("NAME", name, list(infos))]
    if name in SETS:
        folder = fetch_eeg_fmri(
            name,
            subjects,
            what=what,
            path=path,
            allow_unverified=allow_unverified,
            verbose=None if progress else False,
        )
    elif subjects or what:
        raise ValueError(f"{name!r} comes as a whole: leave out --subjects and --what.")
    else:
        folder = fetch_files(
            name, path, download=True, verbose=progress, call=f"mne_sbi fetch {name}"
        )
    files = "" if subjects or what else f"Files: {listing(info.files, 5)}\n"
    return (
        f"{info.title}\n{files}"
        f"Folder: {folder}\n"
        f"Licence: {info.licence}\n"
        f"In Python: mne_sbi.datasets.{_call(info.function, path)}"
    )


def _call(function, path):
    """Write the call that reads the files, with the folder if it is another."""
    if path is None:
        return function
    start = function.removesuffix(")")
    comma = "" if start.endswith("(") else ", "
    return f"{start}{comma}path={str(path)!r})"
