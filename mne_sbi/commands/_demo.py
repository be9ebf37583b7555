"""The demonstration: invert a recording whose parameters are known."""

import contextlib
import dataclasses
import os
import time

import numpy as np

from .._checks import check_folder, draw_seed, write_atomically

_FIGURE = "mne_sbi_demo.png"
# What a recording tells about a parameter, by the contraction it reaches.
_WORDS = (
    (0.9, "well informed"),
    (0.5, "informed"),
    (0.1, "weakly informed"),
    (-np.inf, "hardly informed"),
)


@dataclasses.dataclass(frozen=True)
class Size:
    """How much work the demonstration does.

    Parameters
    ----------
    n_simulations : int
        Simulations to learn from.
    max_iter : int
        Passes over them; 16 take about half a minute on two cores.
    n_freqs : int
        Frequencies of the spectra. Fewer than the model's default of 40, because the
        noise that is drawn for every pass takes most of the time.
    n_draws : int
        Posterior draws of the recording.
    n_checks : int
        Fresh simulations on which the intervals are checked.
    duration : float
        Length of the recording in s.
    """

    n_simulations: int = 20_000
    max_iter: int = 16
    n_freqs: int = 25
    n_draws: int = 2000
    n_checks: int = 1000
    duration: float = 300.0


@dataclasses.dataclass(frozen=True)
class Inversion:
    """A synthetic recording and what was inferred from it.

    Parameters
    ----------
    inverter : SGMInverter
        The fitted inverter.
    truth : ndarray, shape (n_params,)
        The recording's parameters.
    measured : ndarray, shape (n_nodes, n_freqs)
        Its spectra in dB.
    posterior : Posterior
        What was inferred.
    calibration : Calibration
        Coverage of intervals on fresh simulations.
    """

    inverter: object
    truth: np.ndarray
    measured: np.ndarray
    posterior: object
    calibration: object


def run(output_dir=".", seed=0):
    """Run the demonstration and print what it finds.

    Parameters
    ----------
    output_dir : path-like
        Folder of the figure, made if it does not exist.
    seed : int
        Decides all draws.

    Returns
    -------
    fname : pathlib.Path
        The figure.
    """
    return demonstrate(output_dir, seed, Size())


def demonstrate(output_dir, seed, size):
    """Run a demonstration of a given size.

    Parameters
    ----------
    output_dir : path-like
        Folder of the figure, made if it does not exist.
    seed : int
        Decides all draws.
    size : Size
        How much work to do.

    Returns
    -------
    fname : pathlib.Path
        The figure.
    """
    # Mistakes are told before the work, not after it.
    draw_seed(seed)
    fname = check_folder("output_dir", output_dir) / _FIGURE
    fname.parent.mkdir(parents=True, exist_ok=True)
    print(
        "Infer the parameters of a spectral graph model from the power spectra of a "
        f"synthetic\nrecording of {size.duration / 60:g} min. Its regions are real, "
        "its connectome is made up for demonstrations.\n"
    )
    stages = _Stages()
    found = invert_synthetic(seed, size, stages)
    with stages("Draw the figure"), write_atomically(fname, overwrite=True) as path:
        _save_figure(found, path, seed)
    print()
    print("\n".join(_result_lines(found)))
    print(f"\nTime: {stages.describe()}")
    print(f"Figure: {fname}")
    return fname


def invert_synthetic(seed, size, stages):
    """Simulate, train, and invert a recording that was not trained on.

    Parameters
    ----------
    seed : int
        Decides all draws.
    size : Size
        How much work to do.
    stages : callable
        ``stages(title)`` is a context manager round each stage.

    Returns
    -------
    found : Inversion
        The result.
    """
    training_seed, recording_seed = np.random.SeedSequence(seed).generate_state(2)
    n_jobs = min(2, os.cpu_count() or 1)
    with stages("Load the libraries"):
        from .._keras import import_keras
        from .._priors import make_prior
        from ..datasets import load_synthetic_connectome
        from ..estimators import SGMInverter
        from ..features import LogPSD, SpectralNoise
        from ..inference import NPE
        from ..models import SpectralGraphModel
        from ..simulation import simulate

        import_keras()
        connectome = load_synthetic_connectome()
    freqs = np.linspace(2.0, 45.0, size.n_freqs)
    model = SpectralGraphModel(connectome, freqs, n_jobs=n_jobs, verbose=True)
    prior, fixed = make_prior(model.get_parameters(), model.default_free)
    noise = SpectralNoise(duration=size.duration)
    features = LogPSD(freqs=freqs, noise=noise)
    with stages("Prepare the model for this connectome"):
        model.prepare()

    def draw(n, seed, verbose):
        return simulate(
            model,
            prior,
            n,
            features=features,
            fixed=fixed,
            random_state=int(seed % 2**31),
            n_jobs=n_jobs,
            verbose=verbose,
        )

    with stages(f"Simulate {size.n_simulations:,} spectra"):
        bank = draw(size.n_simulations, training_seed, True)
    inverter = SGMInverter(
        connectome,
        freqs=freqs,
        features=features,
        method=NPE(max_iter=size.max_iter),
        simulations=bank,
        n_jobs=n_jobs,
        random_state=int(training_seed % 2**31),
        verbose=True,
    )
    with stages("Train a network to tell parameters from noisy spectra"):
        inverter.fit()
    inverter.set_params(verbose=False)
    recorded = draw(1, recording_seed, False)
    rng = np.random.default_rng(recording_seed)
    measured = features.add_noise(recorded.x, rng)
    with stages("Infer the parameters of a recording that it has not seen"):
        posterior = inverter.predict_posterior(measured, size.n_draws)
    with stages(f"Check the intervals on {size.n_checks:,} fresh simulations"):
        calibration = inverter.diagnose(size.n_checks, n_draws=200)
    return Inversion(inverter, recorded.theta[0], measured[0], posterior, calibration)


class _Stages:
    """Say what is being done, and keep the time that it took."""

    def __init__(self):
        self.seconds = {}

    @contextlib.contextmanager
    def __call__(self, title):
        print(f"{len(self.seconds) + 1}. {title} ...", flush=True)
        start = time.perf_counter()
        yield
        self.seconds[title] = time.perf_counter() - start

    def describe(self):
        """Return one line with the time of each stage."""
        parts = [
            f"{title.split()[0].lower()} {seconds:.1f} s"
            for title, seconds in self.seconds.items()
        ]
        return f"{', '.join(parts)}; in all {sum(self.seconds.values()):.0f} s"


def _result_lines(found):
    """Return the table of parameters and the line of calibration."""
    from ..viz._style import axis_label, in_display_unit

    prior = found.inverter.prior_
    rows = [("parameter", "true", "median", "90 % interval", "prior", "contraction")]
    for i, row in enumerate(found.posterior.summary().itertuples()):
        factor, unit = in_display_unit(row.unit)
        numbers = (found.truth[i], row.median, row.lower, row.upper)
        true, median, lower, upper = (f"{factor * number:.3g}" for number in numbers)
        rows.append(
            (
                axis_label(row.parameter, unit),
                true,
                median,
                f"{lower} to {upper}",
                f"{factor * prior.low[i]:g} to {factor * prior.high[i]:g}",
                f"{max(row.contraction, 0.0):.2f}  {_word(row.contraction)}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines.append(
        "(contraction: the share of the prior's variance that the recording removes)"
    )
    return [line.rstrip() for line in lines] + ["", _calibration_line(found)]


def _word(contraction):
    # Rounded as it is printed, so that number and word agree.
    return next(word for least, word in _WORDS if round(contraction, 2) >= least)


def _calibration_line(found):
    """Say how often intervals held the true value, and how often they should."""
    table = found.calibration.summary()
    shares = [
        f"{row.parameter} {row.coverage_90:.0%}"
        for row in table.itertuples(index=False)
    ]
    n = found.calibration.n
    # Two standard deviations of a share of n.
    margin = 2 * np.sqrt(0.9 * 0.1 / n)
    return (
        f"Calibration: of {n:,} fresh simulations, the 90 % intervals held the true "
        f"value in\n  {', '.join(shares)} (exact ones: {0.9 - margin:.0%} to "
        f"{min(0.9 + margin, 1):.0%})."
    )


def _save_figure(found, path, seed):
    """Draw posterior and spectra, and save them."""
    from ..viz import plot_inversion
    from ..viz._style import save_and_close

    inverter = found.inverter
    features = inverter.features_
    rng = np.random.default_rng(seed)
    spectra = inverter.inverse_transform(found.posterior.draws[0, :300])
    fig = plot_inversion(
        found.posterior,
        features.normalize(found.measured[np.newaxis])[0],
        features.normalize(spectra),
        inverter.model_.get_freqs(),
        truth=found.truth,
        names=inverter.node_names_,
        noisy=features.normalize(features.add_noise(spectra, rng)),
        show=False,
    )
    save_and_close(fig, path)
