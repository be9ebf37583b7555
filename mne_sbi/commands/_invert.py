"""``mne_sbi invert``: from files of recordings to a table, a posterior and a report."""

import contextlib
import warnings
from pathlib import Path

import numpy as np

from .._checks import check_folder, write_atomically
from .._recording import as_recording
from .._warnings import keep_warnings
from ._model_options import find_connectome, make_freqs, make_model, warn_user
from ._recordings import (
    check_together,
    name_recordings,
    read_lead_field_option,
    read_recording,
)
from ._tables import format_posterior
from ._wording import to_options

_TABLE = "inversion_parameters.csv"
_POSTERIOR = "inversion_posterior.npz"
_REPORT = "inversion_report.html"
# Options that only training uses.
_TRAINING = (
    *("connectome", "fmin", "fmax", "n_freqs", "prior", "n_simulations", "method"),
    *("max_iter", "lead_field", "labels", "save_inverter", "simulations"),
)


def run(options):
    """Invert recordings as the command line asks for.

    Parameters
    ----------
    options : argparse.Namespace
        The options.

    Returns
    -------
    outputs : dict of pathlib.Path
        The files that were written: ``table``, ``posterior``, ``report``.
    """
    outputs = _find_outputs(options)
    names = name_recordings(options.files)
    _check_options(options)
    from mne.utils import use_log_level

    say = (lambda text: None) if options.quiet else _say
    level = "ERROR" if options.quiet else "INFO"
    # Without a saved inverter, a synthetic connectome is warned of when it is chosen.
    said = () if options.inverter else ("synthetic connectome",)
    with _warnings_as_lines(said, options), use_log_level(level):
        inverter = _read_inverter(options) if options.inverter else None
        if inverter is None:
            inverter = _make_inverter(options)
        say(f"Reading {_count(len(names), 'recording')} ...")
        X = [read_recording(file, options) for file in options.files]
        if options.inverter is None or "report" in outputs:
            check_together(X)
        # Before the work, in case that they cannot be made.
        for fname in outputs.values():
            fname.parent.mkdir(parents=True, exist_ok=True)
        if options.inverter is None:
            source = options.simulations or f"{inverter.n_simulations:,} simulations"
            say(f"Learning from {source} ...")
            _tell_duration(inverter, X)
            inverter.fit(X)
            if options.save_inverter is not None:
                inverter.save(options.save_inverter, overwrite=options.overwrite)
        say("Inverting ...")
        posterior = _invert(inverter, X, names)
        _save(posterior, outputs, options.overwrite)
        if "report" in outputs:
            say("Writing the report ...")
            _report(inverter, X, posterior, outputs["report"], options)
    print()
    print("Posterior means and 90 % intervals:")
    print("\n".join(format_posterior(posterior)))
    print()
    for what, fname in outputs.items():
        print(f"{what.capitalize()}: {fname}")
    return outputs


def _say(text):
    print(text, flush=True)


def _count(n, noun):
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


@contextlib.contextmanager
def _warnings_as_lines(left_out, options):
    """Print each warning once, as a line, without the line of code that raised it."""
    said = set()

    def show(message, category, *ignored, **also_ignored):
        text = to_options(" ".join(str(message).split()), options)
        # Others are of the libraries' inside, and nothing that users can change.
        is_for_users = issubclass(category, (RuntimeWarning, UserWarning))
        if not is_for_users or text in said or any(part in text for part in left_out):
            return
        said.add(text)
        warn_user(text)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


def _find_outputs(options):
    """Return the outputs by what they are; raise if one exists and must not.

    Raises
    ------
    FileExistsError
        If an output exists and is not to be replaced.
    """
    folder = check_folder("--output-dir", options.output_dir)
    outputs = {"table": folder / _TABLE, "posterior": folder / _POSTERIOR}
    if not options.no_report:
        outputs["report"] = folder / _REPORT
    if options.save_inverter is not None:
        outputs["inverter"] = Path(options.save_inverter)
        check_folder("The folder of --save-inverter", outputs["inverter"].parent)
        if outputs["inverter"].suffix != ".zip":
            raise ValueError(
                f"--save-inverter must end in .zip, got {options.save_inverter}."
            )
    there = [str(fname) for fname in outputs.values() if fname.exists()]
    if there and not options.overwrite:
        raise FileExistsError(
            f"{', '.join(there)} would be replaced. Choose another --output-dir, or "
            "type --overwrite."
        )
    return outputs


def _check_options(options):
    """Raise for numbers out of range and options that exclude each other."""
    for name in ("n_simulations", "max_iter", "n_draws", "duration"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise ValueError(f"{_option(name)} must be positive, got {value}.")
    if options.calibration < 0:
        raise ValueError(f"--calibration must not be negative: {options.calibration}.")
    if options.method == "abc" and options.max_iter is not None:
        raise ValueError("--max-iter belongs to --method npe.")
    if options.simulations is not None:
        if options.n_simulations is not None:
            raise ValueError(
                "--simulations has a number of its own: no --n-simulations."
            )
        if not Path(options.simulations).exists():
            raise FileNotFoundError(f"There is nothing at {options.simulations}.")
    if options.labels and options.lead_field is None:
        raise ValueError("--labels belongs to --lead-field FILE-fwd.fif.")
    given = [n for n in _TRAINING if getattr(options, n) is not None]
    if options.inverter is not None and given:
        given = ", ".join(map(_option, given))
        raise ValueError(f"--inverter is trained already: leave out {given}.")


def _option(name):
    return f"--{name.replace('_', '-')}"


def _read_inverter(options):
    """Read a fitted inverter, and set how it works here."""
    from ..estimators import read_inverter
    from ..models import Recorded, get_model

    cls = get_model(options.model)
    inverter = read_inverter(options.inverter)
    model = inverter.model_
    found = type(model.model if isinstance(model, Recorded) else model)
    if found is not cls:
        raise ValueError(
            f"{options.inverter} inverts {found.__name__}, not {options.model}, which "
            f"is {cls.__name__}."
        )
    if not inverter.method_.gives_posterior:
        raise ValueError(
            f"{options.inverter} gives point estimates without intervals. Use one that "
            "was fitted with method='npe' or 'abc'."
        )
    rows = getattr(inverter, "row_names_", None)
    if options.picks is None and rows:
        # The channels of the fit, and not all that a file happens to have.
        options.picks = ",".join(rows)
    settings = {"n_jobs": options.n_jobs, "verbose": _verbose(options)}
    for name in ("n_draws", "duration"):
        if getattr(options, name) is not None:
            settings[name] = getattr(options, name)
    return inverter.set_params(**settings)


def _verbose(options):
    return "error" if options.quiet else True


def _make_inverter(options):
    """Make an inverter that is not fitted."""
    from ..estimators import ModelInverter, SGMInverter
    from ..inference import NPE, RejectionABC
    from ..models import JansenRit, SpectralGraphModel, get_model

    settings = {
        "duration": options.duration,
        "n_simulations": options.n_simulations or 20_000,
        "simulations": options.simulations,
        "n_draws": options.n_draws or 1000,
        "random_state": options.seed,
        "n_jobs": options.n_jobs,
        "verbose": _verbose(options),
        "prior": dict(options.prior) if options.prior else None,
    }
    if options.method == "abc":
        settings["method"] = RejectionABC()
    elif options.max_iter is not None:
        settings["method"] = NPE(max_iter=options.max_iter)
    cls = get_model(options.model)
    if options.set and cls in (SpectralGraphModel, JansenRit):
        raise ValueError(f"--set does nothing for {options.model}. Leave it out.")
    if cls is SpectralGraphModel:
        connectome = find_connectome(options.connectome)
        settings |= read_lead_field_option(
            options.lead_field, options.labels, connectome.names
        )
        return SGMInverter(connectome, freqs=make_freqs(options), **settings)
    if cls is JansenRit:
        return _make_jansen_rit_inverter(options, settings)
    model = make_model(options)
    settings |= read_lead_field_option(
        options.lead_field, options.labels, model.node_names
    )
    return ModelInverter(model, features=_make_features(model, options), **settings)


def _make_jansen_rit_inverter(options, settings):
    """Make the inverter that models a recording's noise and filters as well."""
    from .._connectome import read_connectome
    from ..estimators import JansenRitInverter
    from ..features import LogPSD

    if options.n_freqs is not None:
        raise ValueError(f"The model {options.model} takes no --n-freqs.")
    connectome, nodes = None, None
    if options.connectome is not None:
        connectome = read_connectome(options.connectome)
        nodes = connectome.names
    settings |= read_lead_field_option(options.lead_field, options.labels, nodes)
    if options.fmin is not None or options.fmax is not None:
        fmin = 2.0 if options.fmin is None else options.fmin
        fmax = 45.0 if options.fmax is None else options.fmax
        settings["features"] = LogPSD(fmin, fmax, window=1.0, scaling="demean")
    return JansenRitInverter(connectome, **settings)


def _make_features(model, options):
    """Make features of a model that has no inverter of its own name."""
    from ..features import LogPSD, SpectralNoise

    if model.output == "spectrum":
        # Its frequencies are the model's.
        return LogPSD(noise=SpectralNoise())
    band = {"fmin": options.fmin, "fmax": options.fmax}
    return LogPSD(**{name: hz for name, hz in band.items() if hz is not None})


def _tell_duration(inverter, X):
    """Give features that were made here the length of the recordings, for the noise.

    An inverter that makes its own features finds out by itself.
    """
    from ..estimators._plausibility import take_duration

    if getattr(inverter.features, "noise", None) is None:
        return
    recording = as_recording(
        X,
        picks=inverter.picks,
        duration=inverter.duration,
        sensors=inverter.lead_field is not None,
    )
    take_duration(inverter.features, recording)


def _invert(inverter, X, names):
    """Draw from the posterior of each recording, and name its observations."""
    from ..estimators._reading import name_rows, read_features

    draws, obs_names = [], []
    with keep_warnings() as kept:
        for recording, name in zip(X, names, strict=True):
            # A list of one, so that the epochs of a file are one observation.
            observed = read_features(inverter, [recording])
            draws.append(inverter._draw(observed.x, inverter.n_draws))
            # Rows may be inverted by themselves, and be others than those of the fit.
            n = len(observed.x) // observed.n_rows
            several = [f"{name}, window {i + 1}" for i in range(n)]
            windows = several if n > 1 else [name]
            obs_names += name_rows(windows, observed.row_names, n, observed.n_rows)
    return inverter._make_posterior(np.concatenate(draws), obs_names, kept)


def _save(posterior, outputs, overwrite):
    """Write the table and the posterior."""
    table = posterior.to_data_frame().rename_axis("recording")
    with write_atomically(outputs["table"], overwrite) as path:
        table.to_csv(path)
    posterior.save(outputs["posterior"], overwrite=overwrite)


def _report(inverter, X, posterior, fname, options):
    """Write the report."""
    import mne

    # What is to be said of the recordings was said.
    with mne.use_log_level("ERROR"):
        _write_report(inverter, X, posterior, fname, options)


def _write_report(inverter, X, posterior, fname, options):
    import mne

    report = mne.Report(title=f"mne_sbi invert {options.model}", verbose="error")
    inverter.add_to_report(
        report,
        X,
        title=f"Inversion of {options.model}",
        posterior=posterior,
        calibration=options.calibration or None,
    )
    report.save(fname, open_browser=False, overwrite=True, verbose="error")
