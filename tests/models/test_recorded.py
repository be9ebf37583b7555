"""What is asked of the noise, the filter and the sensors is what comes out."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import periodogram

from mne_sbi import LeadField, Parameter
from mne_sbi.models import (
    ForwardModel,
    JansenRit,
    PulseTrain,
    Recorded,
    SpectralGraphModel,
)
from mne_sbi.testing import check_forward_model, make_connectome

PLUGIN = Path(__file__).parents[1] / "data" / "plugin_hopf"
KEY = jax.random.key(3)


class Sources(ForwardModel):
    """White noise at named nodes, each with a scale of its own, times a parameter."""

    parameters = (
        Parameter("amplitude", 0, 10, 1, "V", doc="Amplitude."),
        Parameter("offset", -1e3, 1e3, 0, "V", doc="Constant in all nodes."),
    )
    default_free = ("amplitude",)

    def __init__(self, scales=(1.0,), sfreq=128.0, duration=10.0, names=None):
        self.scales = scales
        self.sfreq = sfreq
        self.duration = duration
        self.names = names

    @property
    def node_names(self):
        return self.names

    @property
    def single_node(self):
        return len(self.scales) == 1

    def get_symmetries(self):
        return ({"offset": 0.0},)

    def get_gain_symmetries(self):
        return ({"amplitude": -1.0, "gain": 1.0},)

    def check_valid(self, params):
        return params["amplitude"] > 0.5

    def simulate(self, params, key):
        scales = jnp.asarray(self.scales)[:, None]
        shape = (len(self.scales), round(self.sfreq * self.duration))
        noise = jax.random.normal(key, shape)
        return params["amplitude"] * scales * noise + params["offset"]


class Tones(Sources):
    """A sine in each node, for which only the noise is random."""

    def simulate(self, params, key):
        times = jnp.arange(round(self.sfreq * self.duration)) / self.sfreq
        tones = [jnp.sin(2 * jnp.pi * 16 * times + i) for i in range(len(self.scales))]
        return (
            params["amplitude"] * jnp.asarray(self.scales)[:, None] * jnp.stack(tones)
        )


@pytest.fixture
def hopf(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGIN))
    from plugin_hopf import HopfModel

    yield HopfModel(make_connectome(3), duration=1.0)
    sys.modules.pop("plugin_hopf", None)


def run(model, n=1, **params):
    params = {"snr_background": 40.0, "snr_white": 40.0} | params
    values = {
        p.name: np.full(n, params.get(p.name, p.default))
        for p in model.get_parameters()
    }
    return model.simulate_batch(values, KEY)


def noise_of(model, n=1, **params):
    """The noise alone: what is recorded, less what the model inside gives."""
    inner = run(model.model, n)
    return run(model, n, **params).astype(float) - inner


def band_variance(series, sfreq, low, high):
    freqs, power = periodogram(series, sfreq, detrend="constant")
    inside = (freqs >= low) & (freqs <= high)
    return power[..., inside].sum(axis=-1) * (freqs[1] - freqs[0])


def test_contract(hopf):
    check_forward_model(Recorded(hopf))
    model = Recorded(hopf)
    assert model.node_names == hopf.node_names
    assert model.get_connectome() is hopf.connectome


def test_contract_with_sensors_and_filters():
    rng = np.random.default_rng(0)
    names = [f"E{i}" for i in range(4)]
    inner = Sources((1.0, 2.0, 0.5), duration=1.0, names=("a", "b", "c"))
    lead_field = LeadField(rng.normal(size=(4, 3)), names, inner.names)
    model = Recorded(inner, lead_field=lead_field, highpass=2.0, lowpass=40.0)
    check_forward_model(model)
    assert model.node_names == tuple(names)
    assert model.get_connectome() is None


def test_without_noise_it_is_the_model_times_its_gain():
    inner = Sources((1.0, 3.0))
    data = run(Recorded(inner, noise=False), 5, gain=2.0, amplitude=3.0)
    np.testing.assert_array_equal(data, 2 * run(inner, 5, amplitude=3.0))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_background_has_the_slope_asked_for(exponent):
    model = Recorded(Tones(duration=16.0))
    noise = noise_of(model, 64, snr_background=-20, snr_white=90, exponent=exponent)
    freqs, power = periodogram(noise[:, 0], 128, window="hann")
    use = (freqs > 1) & (freqs < 60)
    slope, _ = np.polyfit(np.log(freqs[use]), np.log(power.mean(axis=0)[use]), 1)
    assert slope == pytest.approx(-exponent, abs=0.03)


def test_white_noise_is_white():
    noise = noise_of(Recorded(Tones(duration=16.0)), 64, snr_background=90, snr_white=0)
    freqs, power = periodogram(noise[:, 0], 128)
    thirds = np.array_split(power.mean(axis=0)[1:-1], 3)
    means = np.array([third.mean() for third in thirds])
    np.testing.assert_allclose(means / means.mean(), 1, atol=0.03)
    # Samples are independent, and Gaussian.
    flat = noise.ravel() / noise.std()
    assert abs((flat[1:] * flat[:-1]).mean()) < 0.01
    assert (flat**4).mean() == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("band", [(None, None), (4.0, 30.0)])
@pytest.mark.parametrize("snr", [-10.0, 0.0, 20.0])
@pytest.mark.parametrize("which", ["snr_background", "snr_white"])
def test_signal_to_noise_is_as_asked(band, snr, which):
    highpass, lowpass = band
    inner = Tones((1.0, 2.0), duration=200.0)
    model = Recorded(inner, highpass=highpass, lowpass=lowpass)
    levels = {"snr_background": 90.0, "snr_white": 90.0} | {which: snr}
    # The filter passes the tone of 16 Hz as it is.
    noise = noise_of(model, 8, **levels)[..., 1280:-1280]
    # Away from the cutoffs, where the filter takes a part.
    low, high = (1.0, 64.0) if highpass is None else (5.0, 29.0)
    share = share_of_band(which, (low, high), (highpass or 1.0, lowpass or 64.0))
    signal = run(inner).astype(float)
    ratio = signal.var(axis=-1).mean() / (
        band_variance(noise, 128, low, high).mean() / share
    )
    assert 10 * np.log10(ratio) == pytest.approx(snr, abs=0.1)


def share_of_band(which, part, whole):
    measure = np.log if which == "snr_background" else np.asarray
    return np.ptp(measure(part)) / np.ptp(measure(whole))


def test_signals_slower_than_a_second():
    # As of blood oxygenation: the band ends below 1 Hz.
    inner = Sources(sfreq=0.5, duration=4000.0)
    clean = run(inner, 2)
    data = run(Recorded(inner), 2, snr_white=0.0)
    ratio = clean.var() / (data - clean).var()
    assert 10 * np.log10(ratio) == pytest.approx(0, abs=0.3)


def test_noise_does_not_go_round():
    noise = noise_of(Recorded(Tones()), 256, snr_background=0, exponent=2.5)[:, 0]
    steps = np.diff(noise).std()
    # The end is no neighbour of the beginning.
    assert np.std(noise[:, 0] - noise[:, -1]) > 3 * steps


def test_filter_is_that_of_mne():
    from mne.filter import filter_data

    inner = Sources(duration=60.0)
    model = Recorded(inner, highpass=2.0, lowpass=30.0, noise=False)
    expected = filter_data(
        run(inner)[0].astype(float), 128, 2.0, 30.0, pad="reflect", verbose="error"
    )
    # Ends differ, as MNE-Python's reflections go by ramps.
    inside = slice(256, -256)
    got = run(model)[0]
    np.testing.assert_allclose(got[:, inside], expected[:, inside], atol=1e-5)


def test_noise_is_filtered_too():
    model = Recorded(Tones(duration=60.0), highpass=8.0, lowpass=24.0)
    noise = noise_of(model, 8, snr_background=0, snr_white=0)
    inside = band_variance(noise, 128, 8, 24).mean()
    assert band_variance(noise, 128, 40, 60).mean() < 1e-4 * inside
    assert band_variance(noise, 128, 0, 3).mean() < 1e-4 * inside


def test_filters_that_filter_nothing():
    inner = Sources()
    plain = run(Recorded(inner, noise=False))
    for band in [(0.0, np.inf), (None, 64.0), (0, 100)]:
        model = Recorded(inner, highpass=band[0], lowpass=band[1], noise=False)
        np.testing.assert_array_equal(run(model), plain)


def test_filter_longer_than_the_data():
    model = Recorded(Sources(duration=1.0), highpass=0.1, lowpass=40.0)
    assert np.isfinite(run(model, 4)).all()


def make_lead_field(seed=0, referenced=True, ch_types=None, n_channels=6):
    gain = np.random.default_rng(seed).normal(size=(n_channels, 2))
    if referenced:
        gain -= gain.mean(axis=0)
    names = [f"E{i}" for i in range(n_channels)]
    return LeadField(gain, names, ["a", "b"], ch_types=ch_types)


def test_lead_field_is_a_matrix_product():
    inner, lead_field = Sources((1.0, 2.0), names=("b", "a")), make_lead_field()
    data = run(Recorded(inner, lead_field=lead_field, noise=False), 3)
    # Nodes are found by name.
    expected = lead_field.gain[:, ::-1] @ run(inner, 3)
    np.testing.assert_allclose(data, expected, rtol=1e-4, atol=1e-5)


def test_noise_has_the_reference_of_the_lead_field():
    inner = Tones((1.0, 2.0), duration=60.0, names=("a", "b"))
    settings = {"snr_background": 0.0, "snr_white": 0.0}
    for referenced in (True, False):
        lead_field = make_lead_field(referenced=referenced)
        data = run(Recorded(inner, lead_field=lead_field), 4, **settings)
        clean = run(Recorded(inner, lead_field=lead_field, noise=False), 4)
        noise = data - clean
        mean = np.abs(noise.mean(axis=1)).max()
        assert (mean < 1e-5 * np.abs(noise).max()) == referenced
        # The level is the one asked for, reference or not: two noises of 0 dB.
        ratio = band_variance(clean, 128, 1, 64).mean() / (
            band_variance(noise, 128, 1, 64).mean()
        )
        assert 10 * np.log10(ratio) == pytest.approx(-10 * np.log10(2), abs=0.1)


def test_each_type_of_channels_has_its_level():
    inner = Tones((1.0, 2.0), duration=30.0, names=("a", "b"))
    kinds = ["eeg"] * 3 + ["mag"] * 3
    gain = (
        make_lead_field(referenced=False).gain
        * np.r_[1, 1, 1, 1e-9, 1e-9, 1e-9][:, np.newaxis]
    )
    lead_field = LeadField(gain, list("uvwxyz"), ["a", "b"], ch_types=kinds)
    data = run(Recorded(inner, lead_field=lead_field), 4, snr_white=10.0)
    clean = run(Recorded(inner, lead_field=lead_field, noise=False), 4)
    for rows in (slice(0, 3), slice(3, 6)):
        ratio = clean[:, rows].var(axis=-1).mean() / (
            band_variance((data - clean)[:, rows], 128, 1, 64).mean()
        )
        assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.2)


def test_gain_multiplies_noise_as_well():
    model = Recorded(Sources())
    settings = {"snr_background": 0.0, "snr_white": 3.0}
    one, four = (run(model, 2, gain=gain, **settings) for gain in (1.0, 4.0))
    np.testing.assert_array_equal(4 * one, four)


def test_draws_are_those_of_any_batch():
    model = Recorded(Sources((1.0, 2.0), duration=1.0), highpass=1.0)
    params = {"snr_white": np.linspace(-10, 30, 11)}
    many = model.simulate_batch(params, KEY)
    few = model.simulate_batch({"snr_white": params["snr_white"][:3]}, KEY)
    np.testing.assert_allclose(few, many[:3], rtol=1e-5, atol=1e-5)
    assert len(model.simulate_batch({"snr_white": np.ones(0)}, KEY)) == 0
    other = model.simulate_batch(params, jax.random.key(4))
    assert not np.isclose(other, many).any(axis=(1, 2)).all()
    # Noise is independent over draws and rows, and of the model's random numbers.
    flat = many.reshape(22, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(22)).max() < 0.4


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("bad", [{"amplitude": 0.0}, {"amplitude": 0.0, "offset": 7.0}])
def test_what_does_not_vary_is_invalid(noise, bad):
    model = Recorded(Sources(), noise=noise)
    names = {"amplitude": 1.0, "offset": 0.0} | bad
    data = model.simulate_batch(
        {name: np.array([1.0 * (name == "amplitude"), v]) for name, v in names.items()},
        KEY,
    )
    assert np.isfinite(data[0]).all()
    assert np.isnan(data[1]).all()


def test_numerical_trouble_stays_in_its_draw():
    class Blowing(Sources):
        def simulate(self, params, key):
            z = super().simulate(params, key)
            return jnp.where(params["amplitude"] > 5, z.at[0, 3].set(jnp.inf), z)

    data = Recorded(Blowing()).simulate_batch({"amplitude": np.array([1.0, 9])}, KEY)
    assert np.isfinite(data[0]).all()
    assert np.isnan(data[1]).all()


def test_what_the_model_inside_knows_is_asked():
    model = Recorded(Sources((1.0, 2.0), names=("a", "b")))
    assert model.node_names == ("a", "b")
    assert (model.sfreq, model.duration) == (128.0, 10.0)
    assert model.set_params(model__sfreq=100.0).sfreq == 100.0
    noise = ("snr_background", "exponent", "snr_white")
    assert model.default_free == ("amplitude", *noise)
    assert Recorded(Sources(), noise=False).default_free == ("amplitude",)
    assert not model.single_node
    assert Recorded(Sources()).single_node
    lead_field = LeadField([[1.0], [-1.0]], ["u", "v"], ["a"])
    assert not Recorded(Sources(), lead_field=lead_field).single_node
    assert model.get_symmetries() == (
        {"offset": 0.0},
        {"amplitude": -1.0, "gain": 1.0},
    )
    params = model.complete_params({"amplitude": np.array([0.1, 1.0])})
    assert model.check_valid(params).tolist() == [False, True]
    model.check_ranges({p.name: (p.low, p.high) for p in model.get_parameters()})
    assert model.prepare() is model


def test_one_source_seen_by_sensors():
    lead_field = LeadField([[1.0], [-1.0], [0.5]], ["u", "v", "w"], ["patch"])
    data = run(Recorded(Sources(), lead_field=lead_field, noise=False), 2)
    np.testing.assert_allclose(data, lead_field.gain @ run(Sources(), 2), rtol=1e-6)


def test_errors_name_the_remedy():
    class Clash(Sources):
        parameters = (Parameter("gain", 0, 1, 0.5, doc="Taken."),)

    def error(match, kind=ValueError, **settings):
        settings = {"model": Sources()} | settings
        with pytest.raises(kind, match=match):
            run(Recorded(**settings))

    error("parameters .'gain'.", model=Clash())
    error("one of spectra", model=SpectralGraphModel())
    error("needs a ForwardModel", TypeError, model="jansen_rit")
    error(r"sampling rate is not known", model=Sources(sfreq=None))
    error("highpass < lowpass", highpass=20.0, lowpass=10.0)
    error("highpass < lowpass", highpass=70.0)
    error("highpass < lowpass", highpass=-1.0)
    error("say nothing of the band", highpass=10.02, lowpass=10.05)
    error("must be a LeadField", TypeError, lead_field=np.eye(2))
    error(
        r"has 2 nodes and the model has 1.*LeadField\(gain",
        lead_field=make_lead_field(),
    )
    error(
        "1 of 2 channels record nothing",
        lead_field=LeadField([[1.0], [0.0]], ["u", "v"], ["a"]),
    )
    with pytest.raises(ValueError, match="has no parameter 'snr'"):
        Recorded(Sources()).simulate_batch({"snr": np.ones(2)}, KEY)


def test_jansen_rit_with_a_gain_has_one_more_symmetry():
    model = Recorded(JansenRit(sfreq=100.0, duration=1.0), highpass=1.0)
    assert model.single_node
    assert model.block_size == model.model.block_size
    generator = next(s for s in model.get_symmetries() if "gain" in s)
    params = {p.name: np.array([p.default]) for p in model.get_parameters()}
    # A power of two, so that nothing is rounded.
    other = {name: v * 2.0 ** generator.get(name, 0) for name, v in params.items()}
    one, two = (model.simulate_batch(p, KEY) for p in (params, other))
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(one, two)


def test_evoked_responses_are_recorded_in_the_same_way():
    pulses = PulseTrain(n_pulses=4, interval=0.5, tmin=-0.1)
    inner = JansenRit(sfreq=100.0, duration=0.4, stimulus=pulses)
    data = run(Recorded(inner, lowpass=30.0), 2)
    assert data.shape == (2, 1, 40)
    assert np.isfinite(data).all()
