"""The connectome that the benchmarks simulate with."""

from mne_sbi.datasets import (
    fetch_connectome,
    load_synthetic_connectome,
    read_group_connectome,
)


def get_connectome(folder=None):
    """Return the group connectome if it can be had, otherwise the packaged one.

    Parameters
    ----------
    folder : path-like | None
        Folder with mean80_fibercount.csv and mean80_fiberlength.csv.
    """
    if folder is not None:
        return read_group_connectome(folder)
    try:
        return fetch_connectome()
    except OSError as exc:
        print(
            f"The measured group connectome is not available ({exc}).\nUsing the "
            "packaged synthetic one. To use the measured one, connect to the internet "
            "or give --data FOLDER, with mean80_fibercount.csv and "
            "mean80_fiberlength.csv inside."
        )
        return load_synthetic_connectome()
