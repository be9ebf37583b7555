"""Readers of the files of the spectral graph model's authors."""

import numpy as np

from .._checks import check_array
from .._connectome import normalize_region_name
from .._files import OtherFormatError, damage_named, get_own

# The group files start with the subcortical regions, left then right.
N_SUBCORTICAL = 18
N_CORTICAL = 68
# Rank correlation of the people's mean weights with the group's, over the pairs of
# cortical regions. Measured for 12 of the 36 people: 0.87 in the right order, 0.28 with
# the rows taken as alphabetical, at most 0.12 in 500 random orders.
MIN_WEIGHT_CORRELATION = 0.6
# Columns of the published fits: our name, theirs, and the factor to SI units.
FIT_COLUMNS = (
    ("tau_e", "taue", 1e-3),
    ("tau_i", "taui", 1e-3),
    ("alpha", "alpha", 1.0),
    ("speed", "speed", 1.0),
    ("g_ei", "gei", 1.0),
    ("g_ii", "gii", 1.0),
    ("tau_g", "tauC", 1e-3),
    ("pearsonr", "pearsonr", 1.0),
)


def check_row_order(weights, group_weights, fname):
    """Raise if people's cortical weights do not look like the group's.

    Names alone do not protect: in the older files of the same authors the names of the
    spectra stand in another order than the rows. Only cortical pairs are compared,
    because the tracking of subcortical regions differs between the two sources.
    """
    from scipy.stats import spearmanr

    pairs = np.triu_indices(N_CORTICAL, 1)
    r = spearmanr(weights[pairs], group_weights[pairs]).statistic
    if not r > MIN_WEIGHT_CORRELATION:
        raise ValueError(
            f"The weights in {fname} do not match those of the group connectome (rank "
            f"correlation {r:.2f} over pairs of cortical regions, expected above "
            f"{MIN_WEIGHT_CORRELATION}): its rows are probably not in the order of its "
            "names. Use individual_connectomes_reordered.nc, which fetch_spectrome() "
            "downloads."
        )


def find_file(folder, fname, stem, suffix):
    """Return the given file, or the one of that stem in the folder."""
    if fname is not None:
        found = folder / fname
        if not found.exists():
            raise FileNotFoundError(f"{found} does not exist.")
        return found
    exact = folder / f"{stem}{suffix}"
    if exact.exists():
        return exact
    candidates = sorted(folder.glob(f"{stem}*{suffix}"))
    if len(candidates) != 1:
        problem = (
            f"There are {len(candidates)}: {[path.name for path in candidates]}. Say "
            "which one with psd_file=, connectome_file= or fits_file=."
            if candidates
            else "Call fetch_spectrome() to download it."
        )
        raise FileNotFoundError(
            f"Expected one file {stem}*{suffix} in {folder}. {problem}"
        )
    return candidates[0]


def read_group_files(folder):
    """Return weights, lengths in m and names, cortical regions first."""
    counts = folder / "mean80_fibercount.csv"
    tracts = folder / "mean80_fiberlength.csv"
    for fname in (counts, tracts):
        if not fname.exists():
            raise FileNotFoundError(
                f"{fname} does not exist. Call fetch_connectome() to download it."
            )
    with open(counts, encoding="utf-8") as fid:
        names = fid.readline().strip().split(",")
        weights = np.loadtxt(fid, delimiter=",", ndmin=2)
    lengths = np.loadtxt(tracts, delimiter=",", ndmin=2)
    n_nodes = N_CORTICAL + N_SUBCORTICAL
    for fname, array in ((counts, weights), (tracts, lengths)):
        check_array(fname.name, array, shape=(n_nodes, n_nodes))
    order = np.roll(np.arange(n_nodes), -N_SUBCORTICAL)
    names = [normalize_region_name(names[index]) for index in order]
    lengths = lengths / 1000  # mm -> m: the only place
    return weights[np.ix_(order, order)], lengths[np.ix_(order, order)], names


def read_psd(fname):
    """Return power (n_subjects, n_regions, n_freqs), freqs, names and subjects."""
    import h5py

    with _damage_named(fname), h5py.File(fname, "r") as h5:
        values = _main_variable(h5, fname)
        freqs = np.asarray(get_own(h5, "frequencies")[()], float)
        names = [name.decode() for name in get_own(h5, "regionx")[()]]
        subjects = [subject.decode() for subject in get_own(h5, "subject")[()]]
    check_array("frequencies", freqs, shape=("n_freqs",))
    check_array(
        f"The spectra in {fname}",
        values,
        shape=(len(names), len(freqs), len(subjects)),
        positive=True,
    )
    return np.ascontiguousarray(values.transpose(2, 0, 1)), freqs, names, subjects


def read_weights(fname):
    """Return weights (n_subjects, n_nodes, n_nodes) and names."""
    import h5py

    with _damage_named(fname), h5py.File(fname, "r") as h5:
        values = _main_variable(h5, fname)
        names = [name.decode() for name in get_own(h5, "regionx")[()]]
    check_array(f"The weights in {fname}", values, shape=(len(names), len(names), None))
    # Adding zero turns the file's -0.0 (absent connections) into 0.0.
    return np.ascontiguousarray(values.transpose(2, 0, 1)) + 0.0, names


def _damage_named(fname):
    return damage_named(fname, "a NetCDF file", "fetch_spectrome()")


def _main_variable(h5, fname):
    """Return the three-dimensional variable of a NetCDF4 file."""
    items = [get_own(h5, name) for name in h5]
    found = [item for item in items if getattr(item, "ndim", 0) == 3]
    if len(found) != 1:
        raise OtherFormatError(
            f"{fname} has {len(found)} three-dimensional variables, expected one. It "
            "is not one of the files of fetch_spectrome()."
        )
    return np.asarray(found[0][()], dtype=float)


def read_fits(fname):
    """Return the published fits in SI units, in the order of the spectra."""
    import pandas as pd

    with open(fname, encoding="utf-8") as fid:
        header = [name.strip() for name in fid.readline().lstrip("# ").split(",")]
        values = np.loadtxt(fid, delimiter=",", ndmin=2)
    missing = [theirs for _, theirs, _ in FIT_COLUMNS if theirs not in header]
    if missing or "sub" not in header:
        raise ValueError(
            f"{fname} has no column {', '.join(missing) or 'sub'}; its columns are "
            f"{', '.join(header)}."
        )
    # Rows stand in the order in which the fits finished; 'sub' counts the people in
    # the order of the spectra.
    people = values[:, header.index("sub")]
    if len(np.unique(people)) < len(people):
        raise ValueError(f"{fname} has several fits of one number in the column 'sub'.")
    values = values[np.argsort(people)]
    columns = {
        ours: factor * values[:, header.index(theirs)]
        for ours, theirs, factor in FIT_COLUMNS
    }
    return pd.DataFrame(columns)


def match_names(names, wanted, fname):
    """Return the index that brings names into the wanted order, matched by name."""
    position = {normalize_region_name(name): index for index, name in enumerate(names)}
    missing = [name for name in wanted if name not in position]
    if missing or len(names) != len(wanted):
        raise ValueError(
            f"The {len(names)} regions of {fname} are not the {len(wanted)} regions of "
            f"the group connectome. Missing: {missing}."
        )
    return [position[name] for name in wanted]
