"""The spectral graph model authors' data: group connectome, people, published fits."""

from pathlib import Path

from .._checks import check_option
from .._connectome import Connectome
from ._download import fetch_files
from ._preprocess import prepare_weights
from ._spectrome_files import (
    N_CORTICAL,
    check_row_order,
    find_file,
    match_names,
    read_fits,
    read_group_files,
    read_psd,
    read_weights,
)

SPECTROME_DESCRIPTION = """\
Resting-state MEG spectra of 68 cortical regions, structural connectomes of 86 regions
and fitted parameters of the spectral graph model, of 36 healthy people.

Spectra are power in arbitrary units. The fits are those of Verma et al. (2022), found
by annealing with the model variant "verma2022"; pearsonr is the mean over regions of
Pearson's r between model and data in dB. Tract lengths are those of the group
connectome. The 18 subcortical regions have connections but no spectra.

Source: https://github.com/Raj-Lab-UCSF/spectrome and
https://github.com/Raj-Lab-UCSF/spectrome-revisited (MIT licence). The group connectome
is a mean over people of the Human Connectome Project, whose terms of use may apply.

Please cite:
Raj et al. (2020), Spectral graph theory of brain oscillations, Human Brain Mapping
41(11), 2980-2998, https://doi.org/10.1002/hbm.24991
Verma, Nagarajan & Raj (2022), Spectral graph theory of brain oscillations - Revisited
and improved, NeuroImage 249, 118919,
https://doi.org/10.1016/j.neuroimage.2022.118919
"""


def fetch_connectome(
    name="hcp_desikan86",
    *,
    path=None,
    download=True,
    symmetrize=True,
    clip=7.0,
    verbose=None,
):
    """Fetch a measured group connectome.

    Parameters
    ----------
    name : str
        ``"hcp_desikan86"``: mean of 80 people of the Human Connectome Project, 86
        regions (68 cortical Desikan-Killiany parcels, then 18 subcortical regions).
    path : path-like | None
        Folder of the files. ``None``: the folder ``data`` in the cache folder, which
        the environment variable ``MNE_SBI_CACHE_DIR`` can set.
    download : bool
        Whether missing files (92 kB) may be downloaded.
    symmetrize : bool
        Give both hemispheres the larger of their two weights, as the papers on the
        spectral graph model do; see :func:`symmetrize_hemispheres`.
    clip : float | None
        Clip weights at this multiple of the mean non-zero weight, as the papers do
        with 7; see :func:`clip_weights`. ``None`` leaves them.
    verbose : bool | None
        False hides the progress bar.

    Returns
    -------
    connectome : Connectome
        86 nodes; weights are mean streamline counts, lengths are in m. No positions.

    Raises
    ------
    DownloadError
        If a download fails or a file is damaged. Nothing half-written remains.
    FileNotFoundError
        If a file is missing and ``download`` is false.

    Notes
    -----
    The length of a pair is a mean over 80 people in which people without that tract
    count as 0: lengths of pairs with few streamlines are too short.

    References
    ----------
    .. [1] Raj et al. (2020), Human Brain Mapping 41(11), 2980-2998,
       https://doi.org/10.1002/hbm.24991
    """
    check_option("name", name, ["hcp_desikan86"])
    folder = fetch_files(
        name, path, download, verbose, call=f"fetch_connectome({name!r})"
    )
    return read_group_connectome(folder, symmetrize=symmetrize, clip=clip)


def fetch_spectrome(
    *, path=None, download=True, symmetrize=True, clip=7.0, verbose=None
):
    """Fetch MEG spectra, connectomes and published fits of 36 people.

    Parameters
    ----------
    path, download, symmetrize, clip, verbose
        As in :func:`fetch_connectome`. The files have 3.0 MB.

    Returns
    -------
    data : sklearn.utils.Bunch
        See :func:`read_spectrome`.

    Raises
    ------
    DownloadError
        If a download fails or a file is damaged. Nothing half-written remains.
    FileNotFoundError
        If a file is missing and ``download`` is false.
    """
    folder = fetch_files("spectrome", path, download, verbose, call="fetch_spectrome()")
    return read_spectrome(folder, symmetrize=symmetrize, clip=clip)


def read_group_connectome(folder, *, symmetrize=True, clip=7.0):
    """Read the group connectome from a folder with its two files.

    Parameters
    ----------
    folder : path-like
        Folder with ``mean80_fibercount.csv`` and ``mean80_fiberlength.csv``.
    symmetrize, clip
        As in :func:`fetch_connectome`.

    Returns
    -------
    connectome : Connectome
        As :func:`fetch_connectome` returns it.
    """
    weights, lengths, names = read_group_files(Path(folder))
    return Connectome(
        prepare_weights(weights, names, symmetrize, clip),
        lengths,
        names,
        description=(
            "Mean of 80 people of the Human Connectome Project, 86 regions (Raj et al. "
            f"2020). {_describe_preparation(symmetrize, clip)}"
        ),
    )


def read_spectrome(
    folder,
    *,
    psd_file=None,
    connectome_file=None,
    fits_file=None,
    symmetrize=True,
    clip=7.0,
):
    """Read people's spectra, connectomes and published fits from a folder.

    Parameters
    ----------
    folder : path-like
        Folder with the files. The two files of the group connectome, from which the
        tract lengths come, must be in it.
    psd_file, connectome_file, fits_file : path-like | None
        Files in that folder. ``None`` looks for
        ``individual_psd_reordered_matlab*.nc``,
        ``individual_connectomes_reordered*.nc`` and
        ``MSGM_Reordered_matlab_500iter*.csv``, so that files of fewer people with a
        suffix are found too.
    symmetrize, clip
        As in :func:`fetch_connectome`, here for the weights of each person.

    Returns
    -------
    data : sklearn.utils.Bunch
        With the fields

        - ``psd`` : ndarray, shape (n_subjects, 68, n_freqs), power in arbitrary units;
        - ``freqs`` : ndarray, shape (n_freqs,), in Hz;
        - ``names`` : list of str, the 68 regions of ``psd``, which are also the first
          68 nodes of the connectomes;
        - ``subjects`` : list of str;
        - ``connectomes`` : list of Connectome, 86 nodes each, with the person's
          weights and the group's lengths in m;
        - ``fits`` : pandas.DataFrame, one row per person: tau_e, tau_i, tau_g (s),
          alpha, speed (m/s), g_ei, g_ii, the published pearsonr, and subject;
        - ``licence``, ``description`` : str.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If the files do not belong together: different numbers of people, or regions
        whose weights do not match the group's.
    """
    from sklearn.utils import Bunch

    folder = Path(folder)
    psd_file = find_file(folder, psd_file, "individual_psd_reordered_matlab", ".nc")
    connectome_file = find_file(
        folder, connectome_file, "individual_connectomes_reordered", ".nc"
    )
    fits_file = find_file(folder, fits_file, "MSGM_Reordered_matlab_500iter", ".csv")

    group_weights, lengths, group_names = read_group_files(folder)
    psd, freqs, psd_names, subjects = read_psd(psd_file)
    order = match_names(psd_names, group_names[:N_CORTICAL], psd_file)
    psd = psd[:, order]

    weights, names = read_weights(connectome_file)
    order = match_names(names, group_names, connectome_file)
    weights = weights[:, order][:, :, order]
    _check_people(len(subjects), len(weights), connectome_file, psd_file)
    check_row_order(weights.mean(axis=0), group_weights, connectome_file)

    fits = read_fits(fits_file)
    _check_people(len(subjects), len(fits), fits_file, psd_file)
    fits.insert(0, "subject", subjects)
    preparation = _describe_preparation(symmetrize, clip)
    connectomes = [
        Connectome(
            prepare_weights(weights_of_one, group_names, symmetrize, clip),
            lengths,
            group_names,
            description=f"Subject {subject} of spectrome, 86 regions. {preparation}",
        )
        for subject, weights_of_one in zip(subjects, weights, strict=True)
    ]
    return Bunch(
        psd=psd,
        freqs=freqs,
        names=group_names[:N_CORTICAL],
        subjects=subjects,
        connectomes=connectomes,
        fits=fits,
        licence="MIT",
        description=SPECTROME_DESCRIPTION,
    )


def _check_people(n_spectra, n_given, fname, psd_file):
    """Raise if two files are about different numbers of people."""
    if n_spectra != n_given:
        raise ValueError(
            f"{Path(fname).name} is about {n_given} people, but "
            f"{Path(psd_file).name} about {n_spectra}. Use files of one set."
        )


def _describe_preparation(symmetrize, clip):
    """Say what was done to the weights."""
    steps = []
    if symmetrize:
        steps.append("hemispheres symmetrized")
    if clip is not None:
        steps.append(f"clipped at {clip:g} x the mean non-zero weight")
    return f"Weights: {', '.join(steps) or 'as published'}."
