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
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=_run)


def _run(options):
    if options.name is None:
        print("\n".join(list_lines()))
    else:
        print(fetch(options.name, options.path, not options.quiet))


def list_lines():
    """Return the lines of the list of data sets."""
    from ..datasets import list_datasets
    from ._tables import format_table

    rows = [("name", "size", "licence", "here", "content")]
    for info in list_datasets(details=True):
        here = "yes" if info.available else "no"
        rows.append((info.name, _size(info.bytes), info.licence, here, info.title))
    return [*format_table(rows), "", "Type: mne_sbi fetch NAME"]


def fetch(name, path, progress):
    """Download a data set, unless it is there.

    Parameters
    ----------
    name : str
        Its name.
    path : path-like | None
        Folder of the files.
    progress : bool
        Show progress.

    Returns
    -------
    text : str
        Where it is, and its licence.
    """
    from .._checks import check_option
    from ..datasets import list_datasets
    from ..datasets._download import fetch_files

    infos = {info.name: info for info in list_datasets(details=True)}
    info = infos[check_option("NAME", name, list(infos))]
    folder = fetch_files(
        name, path, download=True, verbose=progress, call=f"mne_sbi fetch {name}"
    )
    return (
        f"{info.title}\n"
        f"Files: {', '.join(info.files)}\n"
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


def _size(n_bytes):
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"
