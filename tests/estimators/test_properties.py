"""Whatever comes in: an answer with a finite row per observation, or a known error."""

import mne
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mne_sbi import LeadField

NAMES = ["lh.cuneus", "rh.cuneus", "lh.insula", "rh.insula", "lh.precentral"]
N_FREQS = 6
# What is documented to be raised; anything else, or bare NumPy, is a defect.
ERRORS = (TypeError, ValueError)
BARE = (
    "operands could not be broadcast",
    "index out of",
    "matmul",
    "unsupported operand",
    "object is not",
    "has no attribute",
    "cannot reshape",
    "setting an array element",
    "unexpected keyword",
    "indices must be",
)
few = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def fitted(make_inverter, spectra):
    return make_inverter().fit(spectra)


@pytest.fixture(scope="module")
def fitted_to_raw(make_inverter, make_raw):
    return make_inverter().fit(make_raw())


def check(inverter, X, n_expected):
    """Every way to ask gives the same: errors, or finite rows."""
    answers = []
    for ask in (
        inverter.predict,
        lambda X: inverter.predict(X, return_std=True)[0],
        lambda X: inverter.predict_posterior(X).mean,
        inverter.transform,
    ):
        try:
            answers.append(ask(X))
        except ERRORS as error:
            said = str(error)
            assert said and not any(text in said for text in BARE), said
            answers.append(type(error))
    first = answers[0]
    if isinstance(first, type):
        assert answers == [first] * 4
        return None
    for answer in answers:
        assert answer.shape == (n_expected, 5)
        assert np.isfinite(answer).all()
        np.testing.assert_allclose(answer, first)
    low, high = inverter.prior_.low, inverter.prior_.high
    assert ((low <= first) & (first <= high)).all()
    return first


lengths = st.integers(0, 7)
shapes = st.one_of(
    st.sampled_from([(2, 5, N_FREQS), (3, 5 * N_FREQS), (1, 5, N_FREQS)]),
    st.lists(lengths, max_size=4).map(tuple),
)
dtypes = st.sampled_from(
    ["float64", "float32", "float16", "int64", "uint8", "bool", "complex64", "U8", "O"]
)
strange = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e300, -1e300, 1e-300])
containers = st.sampled_from(["array", "list", "DataFrame", "Fortran", "read-only"])


def make_array(shape, dtype, seed):
    # More than a byte: an integer is a value like any other.
    values = np.random.default_rng(seed).normal(-10, 5, shape)
    with np.errstate(invalid="ignore"):
        return values.astype(dtype)


def put_into(array, container):
    if container == "list":
        return array.tolist()
    if container == "DataFrame" and array.ndim == 2:
        return pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    if container == "Fortran":
        return np.asfortranarray(array)
    if container == "read-only":
        array.flags.writeable = False
    return array


@few
@given(
    shape=shapes,
    dtype=dtypes,
    container=containers,
    places=st.lists(st.integers(0, 10**6), max_size=3),
    value=strange,
    seed=st.integers(0, 3),
)
@pytest.mark.filterwarnings("ignore:.*look like power")
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_arrays(fitted, shape, dtype, container, places, value, seed):
    array = make_array(shape, dtype, seed)
    if array.dtype.kind in "fc" and array.size:
        for place in places:
            with np.errstate(over="ignore"):
                array.flat[place % array.size] = value
    is_spectra = shape[1:] in ((5, N_FREQS), (5 * N_FREQS,)) and shape[0] > 0
    answer = check(fitted, put_into(array, container), shape[0] if shape else 0)
    if not is_spectra or array.dtype.kind == "c":
        assert answer is None, "these are no spectra of five regions"
    elif array.dtype.kind == "f" and not places:
        assert answer is not None
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        assert answer is None


# The five regions as others spell them, and what is none of them.
REGION_OF = {name: i for i, name in enumerate(NAMES)} | {
    "cuneus-lh": 0,
    "ctx-rh-cuneus": 1,
    "L_insula": 2,
    "RHinsula": 3,
    "precentral_L": 4,
    "EEG 001": None,
    "lh.cuneuz": None,
}
SERIES = np.random.default_rng(0).normal(size=(8, 2000)).cumsum(axis=1)
orders = st.one_of(
    st.permutations(NAMES),
    st.permutations(list(REGION_OF)[5:10]),
    st.lists(st.sampled_from(list(REGION_OF)), min_size=1, max_size=6, unique=True),
)


def make_object(kind, data, names, sfreq, kinds, bads):
    """Return an object of MNE-Python, and the number of its observations."""
    info = mne.create_info(list(names), sfreq, kinds)
    info["bads"] = bads
    if kind == "Epochs":
        return mne.EpochsArray(np.stack([data, data]), info, verbose="error"), 2
    if kind == "Evoked":
        return mne.EvokedArray(data, info, verbose="error"), 1
    raw = mne.io.RawArray(data, info, verbose="error")
    if kind == "list of Raw":
        return [raw, raw.copy(), raw], 3
    is_real = np.isrealobj(data) and np.isfinite(data).all()
    if kind == "Spectrum" and is_real and data.shape[1] >= 200:
        return raw.compute_psd("welch", n_fft=200, picks="all", verbose="error"), 1
    return raw, 1


@few
@given(
    names=orders,
    kind=st.sampled_from(["Raw", "Epochs", "list of Raw", "Evoked", "Spectrum"]),
    kinds=st.sampled_from(["misc", "misc", "eeg", "stim"]),
    sfreq=st.sampled_from([50.0, 100.0, 100.5, 256.0]),
    n_times=st.sampled_from([40, 250, 2000]),
    bads=st.one_of(st.just([]), st.lists(st.integers(0, 5), max_size=2)),
    nan=st.one_of(st.none(), st.none(), st.integers(0, 5)),
    is_complex=st.sampled_from([False, False, False, True]),
)
@pytest.mark.filterwarnings("ignore:A recording has")
@pytest.mark.filterwarnings("ignore:An Evoked")
def test_recordings(
    fitted_to_raw, names, kind, kinds, sfreq, n_times, bads, nan, is_complex
):
    regions = [REGION_OF[name] for name in names]
    data = SERIES[[7 if i is None else i for i in regions], :n_times].copy()
    if nan is not None:
        data[nan % len(names), 20] = np.nan
    if is_complex:
        data = data * (1 + 0.5j)
    bads = sorted({names[i] for i in bads if i < len(names)})
    X, n_expected = make_object(kind, data, names, sfreq, kinds, bads)
    answer = check(fitted_to_raw, X, n_expected)
    used = [i for i, name in zip(regions, names, strict=True) if name not in bads]
    is_right = sorted(used, key=str) == list(range(5)) and kinds != "stim"
    is_right &= not is_complex and np.isfinite(data).all()
    if not is_right or (kind != "Spectrum" and n_times < 2 * sfreq) or sfreq < 80:
        assert answer is None
    elif kind != "Spectrum":
        # Names decide, whatever their order and spelling.
        same, _ = make_object(kind, SERIES[:5, :n_times], NAMES, sfreq, "misc", [])
        np.testing.assert_allclose(answer, fitted_to_raw.predict(same))


CHANNELS = ["Fp1", "Cz", "Pz", "O1", "O2", "Oz"]


@pytest.fixture(scope="module")
def fitted_to_sensors(make_inverter):
    gain = np.random.default_rng(0).normal(size=(8, 5))
    lead_field = LeadField(gain, [*CHANNELS, "T7", "T8"], NAMES)
    raw, _ = make_object("Raw", SERIES[:6], CHANNELS, 100.0, "eeg", [])
    return make_inverter(lead_field=lead_field).fit(raw)


@few
@given(
    names=st.one_of(
        st.permutations(CHANNELS),
        st.permutations([*CHANNELS, "T7"]),
        st.lists(st.sampled_from([*CHANNELS, "T7", "cz"]), min_size=1, unique=True),
    ),
    kind=st.sampled_from(["Raw", "Epochs", "list of Raw"]),
    kinds=st.sampled_from(["eeg", "eeg", "mag", "misc"]),
    bads=st.one_of(st.just([]), st.lists(st.integers(0, 6), max_size=2)),
    offset=st.sampled_from([0.0, 1e3]),
)
def test_sensors(fitted_to_sensors, names, kind, kinds, bads, offset):
    # Another spelling of a channel, unless that one is there too.
    spelt = {} if "Cz" in names else {"cz": "Cz"}
    meant = [spelt.get(name, name) for name in names]
    order = [CHANNELS.index(name) if name in CHANNELS else 7 for name in meant]
    # Any reference: what all channels share goes away.
    data = SERIES[order] + offset * np.sin(SERIES[6])
    good = {meant[i] for i in range(len(names)) if i not in bads}
    bads = sorted({names[i] for i in bads if i < len(names)})
    X, n_expected = make_object(kind, data, names, 100.0, kinds, bads)
    answer = check(fitted_to_sensors, X, n_expected)
    if kinds != "eeg" or not set(CHANNELS) <= good:
        assert answer is None
        return
    same, _ = make_object(kind, SERIES[:6], CHANNELS, 100.0, "eeg", [])
    np.testing.assert_allclose(answer, fitted_to_sensors.predict(same))
