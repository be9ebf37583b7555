"""Options that describe a model, and the model that they ask for."""

import argparse
import sys


def add_model_options(parser):
    """Add what decides the model, and the range of its parameters.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of a command.
    """
    group = parser.add_argument_group("model")
    group.add_argument(
        "--connectome",
        metavar="FILE.npz",
        help="a file of Connectome.save (default: what 'mne_sbi fetch' has fetched; "
        "without it a SYNTHETIC connectome, for demonstrations only)",
    )
    group.add_argument("--fmin", type=float, metavar="HZ", help="lowest frequency")
    group.add_argument("--fmax", type=float, metavar="HZ", help="highest frequency")
    group.add_argument(
        "--n-freqs", type=int, metavar="N", help="number of frequencies between them"
    )
    group.add_argument(
        "--set",
        action="append",
        type=parse_setting,
        metavar="NAME=VALUE",
        help="a setting of the model, such as sfreq=100 or preset=resting_alpha; may "
        "be given several times",
    )
    group.add_argument(
        "--prior",
        action="append",
        type=parse_range,
        metavar="NAME=LOW:HIGH",
        help="infer a parameter over this range, in SI units; NAME=VALUE fixes it, "
        "NAME=free takes the model's range; may be given several times",
    )


def add_work_options(parser):
    """Add what decides how work is done, not what is asked for.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of a command.
    """
    parser.add_argument(
        "--seed", type=int, default=0, help="decides all draws (default: 0)"
    )
    parser.add_argument(
        "--n-jobs", type=int, metavar="N", help="threads that simulate (default: 1)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace outputs that exist"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def parse_range(text):
    """Read ``NAME=LOW:HIGH``, ``NAME=VALUE`` or ``NAME=free``.

    Parameters
    ----------
    text : str
        What the user typed.

    Returns
    -------
    name : str
        The parameter.
    wish : tuple of float | float | str
        Its range, its value, or ``"free"``.
    """
    name, _, wish = text.partition("=")
    if name and wish == "free":
        return name, wish
    try:
        numbers = [float(part) for part in wish.split(":")]
    except ValueError:
        numbers = []
    if not name or len(numbers) not in (1, 2):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=LOW:HIGH, NAME=VALUE or NAME=free, such as "
            "speed=5:20"
        )
    return name, tuple(numbers) if len(numbers) == 2 else numbers[0]


def parse_setting(text):
    """Read ``NAME=VALUE``, where the value is a number or a word.

    Parameters
    ----------
    text : str
        What the user typed.

    Returns
    -------
    name : str
        The setting.
    value : float | bool | None | str
        Its value.
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE.")
    words = {"true": True, "false": False, "none": None}
    if value.lower() in words:
        return name, words[value.lower()]
    try:
        return name, float(value)
    except ValueError:
        return name, value


def make_model(options):
    """Make the model that the options ask for.

    Parameters
    ----------
    options : argparse.Namespace
        With ``model`` and what :func:`add_model_options` adds.

    Returns
    -------
    model : ForwardModel
        The model.

    Raises
    ------
    ValueError
        If there is no such model, or it takes no such option.
    """
    import inspect

    from ..models import get_model

    cls = get_model(options.model)
    taken = inspect.signature(cls).parameters
    settings = {}
    if "connectome" in taken:
        settings["connectome"] = find_connectome(options.connectome)
    elif options.connectome is not None:
        raise ValueError(f"The model {options.model} takes no --connectome.")
    if "freqs" in taken:
        settings["freqs"] = make_freqs(options)
    elif options.n_freqs is not None:
        raise ValueError(f"The model {options.model} takes no --n-freqs.")
    chosen = dict(options.set or ())
    unknown = [name for name in chosen if name not in taken or name in settings]
    if unknown:
        from .._checks import did_you_mean

        others = [name for name in taken if name not in settings]
        raise ValueError(
            f"The model {options.model} has no setting {unknown[0]!r} here. It has "
            f"{', '.join(others)}." + did_you_mean(unknown[0], others)
        )
    return cls(**settings | chosen)


def check_complete(model, name):
    """Refuse a model of time series that does not know what to simulate.

    Parameters
    ----------
    model : ForwardModel
        The model.
    name : str
        Its name on the command line.

    Raises
    ------
    ValueError
        If the sampling rate or the duration is missing.
    """
    if model.output != "timeseries":
        return
    wanted = {"sfreq": 100, "duration": 60}
    missing = [n for n in wanted if getattr(model, n, 0) is None]
    if missing:
        words = " ".join(f"--set {n}={wanted[n]}" for n in missing)
        raise ValueError(
            f"The model {name} needs {' and '.join(missing)}. Type, for example: "
            f"{words}"
        )


def make_freqs(options):
    """Return the frequencies in Hz, or None for the model's own."""
    import numpy as np

    if options.fmin is options.fmax is options.n_freqs is None:
        return None
    # Those of the spectral graph model's data, where nothing is said.
    fmin = 2.0 if options.fmin is None else options.fmin
    fmax = 45.0 if options.fmax is None else options.fmax
    n_freqs = 40 if options.n_freqs is None else options.n_freqs
    if not 0 < fmin < fmax:
        raise ValueError(
            f"--fmin must be positive and below --fmax, got {fmin:g} and {fmax:g} Hz."
        )
    if n_freqs < 2:
        raise ValueError(f"--n-freqs must be at least 2, got {n_freqs}.")
    return np.linspace(fmin, fmax, n_freqs)


def find_connectome(fname):
    """Return a connectome: of a file, fetched before, or the synthetic one.

    Parameters
    ----------
    fname : str | None
        The file.

    Returns
    -------
    connectome : Connectome
        The connectome. A line of warning is printed if it is synthetic.
    """
    from .._connectome import read_connectome
    from ..datasets import fetch_connectome, load_synthetic_connectome

    if fname is not None:
        return read_connectome(fname)
    try:
        return fetch_connectome(download=False)
    except FileNotFoundError:
        warn_user(
            "no measured connectome is here, so the SYNTHETIC one is used, which is "
            "for demonstrations only. Type: mne_sbi fetch hcp_desikan86"
        )
        return load_synthetic_connectome()


def warn_user(text):
    """Print a line of warning."""
    print(f"warning: {text}", file=sys.stderr, flush=True)
