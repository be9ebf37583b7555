"""Where the package keeps files it can make or fetch again."""

import os
from pathlib import Path


def get_cache_dir(subfolder=None):
    """Return the folder for downloaded data and prepared tables.

    The environment variable ``MNE_SBI_CACHE_DIR`` decides; without it, the folder is
    the one that the operating system has for the caches of a user's programs. The
    folder is not created: whoever writes into it does that.

    Parameters
    ----------
    subfolder : str | None
        Name of a folder inside the cache folder.

    Returns
    -------
    path : pathlib.Path
        The folder, which may not exist yet.
    """
    configured = os.environ.get("MNE_SBI_CACHE_DIR")
    if configured:
        root = Path(configured).expanduser()
    else:
        import pooch

        root = Path(pooch.os_cache("mne_sbi"))
    return root if subfolder is None else root / subfolder
