"""Band power of EEG and states decoded from fMRI, per scan (OpenNeuro ds003574)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._checks import check_array, check_count, listing
from .._frozen import FrozenArrays
from ._eeg_fmri_tables import read_table

BANDS = ("SW", "delta", "theta", "alpha", "sigma", "beta")
STATES = ("face", "maze", "prep_face", "prep_maze", "rest")
SLEEP_T_R = 2.1
# Zeros have no logarithm, and the order of tiny probabilities means little.
_LEAST_PROBABILITY = 1e-6
# How columns may be called, without case and punctuation.
_BAND_NAMES = {band: (band.lower(),) for band in BANDS} | {"SW": ("sw", "slowwave")}
_STATE_NAMES = {
    state: (state.replace("_", ""), state.replace("_", "").replace("prep", "pre"))
    for state in STATES
}
_STAGE_NAMES = {"hypnogram": ("hypnogram", "stage", "sleepstage")}
_SCAN_NAMES = {"scan": ("numscan", "scan", "scannumber", "volume")}


@dataclass(frozen=True, repr=False, eq=False)
class SleepFeatures(FrozenArrays):
    """EEG band power and brain states for every scan, of one or several people.

    Parameters
    ----------
    power : array, shape (n_scans, n_bands)
        Logarithm of the power of each band of the EEG, as published (in one number for
        all channels; the unit is the authors').
    log_prob : array, shape (n_scans, n_states)
        Natural logarithm of the probability of each state, which the authors' decoder
        read from the scan; probabilities below 1e-6 are read as 1e-6.
    subject : array of str, shape (n_scans,)
        The person.
    hypnogram : array of int, shape (n_scans,)
        Sleep stage, 0 for awake; as published.
    scan : array of int, shape (n_scans,)
        Number of the scan within the person's recording, from 1 on.
    bands, states : tuple of str
        Names of the columns.
    t_r : float
        Repetition time in s.
    """

    power: np.ndarray
    log_prob: np.ndarray
    subject: np.ndarray
    hypnogram: np.ndarray
    scan: np.ndarray
    bands: tuple[str, ...] = BANDS
    states: tuple[str, ...] = STATES
    t_r: float = SLEEP_T_R

    def __post_init__(self):
        n_scans = len(self.power)
        for field, shape, dtype in (
            ("power", (n_scans, len(self.bands)), float),
            ("log_prob", (n_scans, len(self.states)), float),
            ("subject", (n_scans,), None),
            ("hypnogram", (n_scans,), int),
            ("scan", (n_scans,), int),
        ):
            value = check_array(field, getattr(self, field), shape=shape, dtype=dtype)
            value = value.copy()
            value.flags.writeable = False
            object.__setattr__(self, field, value)
        if (self.log_prob > 1e-6).any():
            raise ValueError(
                "log_prob must be logarithms of probabilities, none above 0, but one "
                f"is {self.log_prob.max():g}."
            )
        object.__setattr__(self, "t_r", float(self.t_r))

    def __repr__(self):
        n_people = len(np.unique(self.subject))
        return (
            f"<SleepFeatures | {len(self.scan)} scans every {self.t_r:g} s of "
            f"{n_people} people: {len(self.bands)} bands, {len(self.states)} states>"
        )


def read_sleep_features(subjects=None, *, path=None, verbose=None):
    """Read band power and states of people who fell asleep in the scanner.

    Parameters
    ----------
    subjects : str | list of str | None
        The people, such as ``"sub-01"``. ``None``: all of whom both tables are there.
    path : path-like | None
        Folder of data sets, as in :func:`fetch_eeg_fmri`, which must have fetched
        ``"sleep_features"`` before.
    verbose : bool | str | int | None
        As in MNE-Python.

    Returns
    -------
    table : SleepFeatures
        Scan after scan, subject after subject. The rows of the two tables of a subject
        are matched by the number of the scan. Scans with missing values, and scans that
        only one of the tables has, are left out; a message says how many.

    Raises
    ------
    FileNotFoundError
        If there is nothing of a person.
    ValueError
        If a table lacks a column, the message says which ones it has; or if scans are
        numbered twice.
    """
    from mne.utils import use_log_level

    from ._eeg_fmri import set_folder
    from ._eeg_fmri_files import full_name

    folder = set_folder("sleep_features", path) / "derivatives"
    pattern = "{}_task-rest_hypnogram-powerspectrum.tsv"
    found = sorted(p.name.split("_")[0] for p in folder.glob(pattern.format("sub-*")))
    if subjects is None:
        subjects = found
    subjects = [subjects] if isinstance(subjects, str) else list(subjects)
    subjects = list(dict.fromkeys(full_name(subject) for subject in subjects))
    missing = [subject for subject in subjects if subject not in found]
    if missing or not subjects:
        raise FileNotFoundError(
            f"No tables of {listing(missing) or 'anybody'} in {folder}; there are "
            f"those of {listing(found, 20) or 'nobody'}. Call "
            "fetch_eeg_fmri('sleep_features')."
        )
    with use_log_level(verbose):
        parts = [
            _read_person(
                subject,
                folder / pattern.format(subject),
                folder / f"{subject}_task-rest_decoding-states.tsv",
            )
            for subject in subjects
        ]
    return SleepFeatures(
        *(np.concatenate(columns) for columns in zip(*parts, strict=True))
    )


def _read_person(subject, power_file, state_file):
    """Read both tables of one person and keep the scans that are whole in both."""
    from mne.utils import logger

    power = read_table(power_file, _SCAN_NAMES | _BAND_NAMES | _STAGE_NAMES)
    states = read_table(state_file, _SCAN_NAMES | _STATE_NAMES)
    # The tables begin and end at different scans, so rows of one place do not belong
    # together.
    for table, fname in ((power, power_file), (states, state_file)):
        _check_scans(table["scan"], fname)
    scan, rows, others = np.intersect1d(
        power["scan"], states["scan"], return_indices=True
    )
    X = np.stack([power[band][rows] for band in BANDS], axis=1)
    p = np.stack([states[state][others] for state in STATES], axis=1)
    stage = power["hypnogram"][rows]
    whole = np.isfinite(X).all(axis=1) & ~np.isnan(p).any(axis=1) & np.isfinite(stage)
    n_scans = int(whole.sum())
    n_left = len(np.union1d(power["scan"], states["scan"])) - n_scans
    if n_left:
        logger.info(
            f"{subject}: {n_left} scans are left out, which have missing values or are "
            "in one of the two tables only."
        )
    p = _to_log(p[whole], state_file)
    return X[whole], p, np.full(n_scans, subject), stage[whole], scan[whole]


def _check_scans(scan, fname):
    """Check that each row has a scan of its own."""
    whole = np.isfinite(scan) & (scan == np.round(scan))
    values, counts = np.unique(scan[whole], return_counts=True)
    if not whole.all() or (counts > 1).any():
        wrong = [*scan[~whole], *values[counts > 1]]
        raise ValueError(
            f"{fname.name} must have the number of another scan in every row, but has "
            f"{listing([f'{number:g}' for number in wrong])}, which are no whole "
            "numbers or are there more than once. Fetch the file again."
        )


def _to_log(p, fname):
    """Return the logarithm of probabilities, which may be given as either."""
    least = np.log(_LEAST_PROBABILITY)
    if (p <= 0).all() and np.allclose(np.exp(p).sum(axis=1), 1.0, atol=0.05):
        return np.maximum(p, least)
    if (p >= 0).all() and np.allclose(p.sum(axis=1), 1.0, atol=0.05):
        return np.log(np.maximum(p, _LEAST_PROBABILITY))
    raise ValueError(
        f"{fname} must hold probabilities that sum to 1 in every row, or "
        f"their natural logarithms; the first row is {p[0] if len(p) else 'missing'}."
    )


def make_sleep_pairs(table, *, n_lags=12, high_pass=1 / 128):
    r"""Make pairs of lagged band power and brain states, ready for an estimator.

    Parameters
    ----------
    table : SleepFeatures | mapping
        What :func:`read_sleep_features` returns; or arrays by the names ``X``,
        ``logY``, ``subject``, ``hypnogram``, ``scan``, ``bands``, ``states`` and
        ``TR``, such as an opened ``.npz`` file.
    n_lags : int
        Number of lags. Lag 0 is the power of the same scan, lag k that of k scans
        before.
    high_pass : float | None
        Remove what is slower than this, in Hz, from power and states. ``None`` removes
        only their means.

    Returns
    -------
    X : array of float32, shape (n_pairs, 1, n_bands, n_lags)
        Band power; per person and band, zero mean and unit variance over the scans.
    y : array of float32, shape (n_pairs, n_states)
        Centred log-ratio of the states' probabilities, standardised in the same way.
    groups : array, shape (n_pairs,)
        The person.
    times : array of float, shape (n_pairs,)
        Beginning of the scan in s from the person's first scan.

    Raises
    ------
    ValueError
        If a person has too few scans, or a column does not vary.

    Notes
    -----
    The probabilities :math:`p_j` of a scan sum to 1, so their logarithms cannot vary
    independently. The centred log-ratio [1]_

    .. math:: y_j = \log p_j - \frac{1}{m} \sum_{i=1}^m \log p_i

    does not depend on their common scale. Slow drifts of both sides, with the depth of
    sleep above all, correlate by chance over a single night, and a high-pass leaves
    what is paired scan by scan. It removes the first :math:`1 + \lfloor 2 n T_R f
    \rfloor` cosines of the :math:`n` scans, as SPM does. The first ``n_lags`` scans,
    and those after a gap, have no complete past and are left out.

    References
    ----------
    .. [1] Aitchison (1982), The statistical analysis of compositional data, Journal of
       the Royal Statistical Society B 44(2), 139-177.
    """
    table = _as_features(table)
    n_lags = check_count("n_lags", n_lags)
    if high_pass is not None:
        check_array("high_pass", high_pass, shape=(), positive=True)
    ratio = table.log_prob - table.log_prob.mean(axis=1, keepdims=True)
    X, y, groups, times = [], [], [], []
    for subject in dict.fromkeys(table.subject.tolist()):
        mine = np.flatnonzero(table.subject == subject)
        scan = table.scan[mine]
        # Stretches without gaps: a lag must not reach over one.
        runs = np.split(np.arange(len(mine)), np.flatnonzero(np.diff(scan) != 1) + 1)
        power, state = (
            _clean(values[mine], runs, high_pass, table.t_r, subject, names)
            for values, names in ((table.power, table.bands), (ratio, table.states))
        )
        runs = [run for run in runs if len(run) > n_lags]
        if not runs:
            raise ValueError(
                f"{subject!r} has no {n_lags + 1} scans in a row: nothing is left with "
                f"n_lags={n_lags}."
            )
        for run in runs:
            windows = np.lib.stride_tricks.sliding_window_view(power[run], n_lags, 0)
            X.append(windows[1:, :, ::-1])  # most recent first
            y.append(state[run[n_lags:]])
            groups.append(table.subject[mine[run[n_lags:]]])
            times.append((scan[run[n_lags:]] - scan[0]) * table.t_r)
    X = np.concatenate(X)[:, np.newaxis].astype(np.float32)
    y = np.concatenate(y).astype(np.float32)
    return X, y, np.concatenate(groups), np.concatenate(times)


def _as_features(table):
    """Accept arrays by name."""
    if isinstance(table, SleepFeatures):
        return table
    if not isinstance(table, Mapping):
        raise TypeError(
            "table must be a SleepFeatures or a mapping of arrays, got "
            f"{type(table).__name__}."
        )
    needed = ["X", "logY", "subject", "hypnogram", "scan", "bands", "states", "TR"]
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(
            f"table has no {listing(missing)}; needed are {listing(needed)}."
        )
    arrays = [table[name] for name in needed]
    bands, states = (tuple(map(str, names)) for names in arrays[5:7])
    return SleepFeatures(*arrays[:5], bands, states, float(arrays[7]))


def _clean(values, runs, high_pass, t_r, subject, names):
    """Filter each stretch and standardise over the person."""
    values = np.concatenate([_filter(values[run], high_pass, t_r) for run in runs])
    values -= values.mean(axis=0)
    scale = values.std(axis=0)
    flat = [name for name, s in zip(names, scale, strict=True) if s < 1e-9]
    if flat:
        raise ValueError(
            f"{listing(flat)} of {subject!r} does not vary, or only more slowly than "
            "high_pass. Leave this person out."
        )
    return values / scale


def _filter(values, high_pass, t_r):
    """Remove the slow cosines, of which the first is constant."""
    n_scans = len(values)
    n_slow = 1 + (int(2 * n_scans * t_r * high_pass) if high_pass else 0)
    order = np.arange(min(n_slow, n_scans))
    basis = np.cos(np.pi * (np.arange(n_scans)[:, np.newaxis] + 0.5) * order / n_scans)
    basis /= np.linalg.norm(basis, axis=0)
    return values - basis @ (basis.T @ values)
