"""Read the command line and call what it asks for."""

import argparse
import contextlib
import logging
import os
import sys

from ._fetch import add_fetch
from ._invert_options import add_invert
from ._simulate import add_simulate
from ._wording import to_options


def main(arguments=None):
    """Run the command ``mne_sbi``.

    Parameters
    ----------
    arguments : list of str | None
        The arguments, by default those of the process.

    Returns
    -------
    status : int
        0 for success, 1 for a mistake in what was asked for, 130 after an
        interruption, 141 if the output is closed. Wrong arguments end the
        process with 2, as argparse does.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows ASCII only shows other characters by their numbers.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Logging handlers print a traceback when their output is closed.
    told, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        try:
            return _run(_make_parser(), arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        # As after "mne_sbi models | head". Python flushes again when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, AttributeError):
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return 141
    finally:
        logging.raiseExceptions = told


def _run(parser, arguments):
    """Call what the arguments ask for, and return the status."""
    options = parser.parse_args(arguments)
    if options.run is None:
        parser.print_help()
        return 0
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    # What these say is meant for the user; where they were raised is not. A
    # RuntimeError is one of simulations that are not finite, or of a broken plugin.
    except (OSError, RuntimeError, TypeError, ValueError) as exc:
        if options.traceback:
            raise
        text = to_options(str(exc), options)
        print(f"mne_sbi {options.command}: {text}", file=sys.stderr)
        return 1
    return 0


def _make_parser():
    parser = argparse.ArgumentParser(
        prog="mne_sbi", description="Simulation-based inversion of whole-brain models."
    )
    parser.add_argument("--version", action=_PrintVersion)
    parser.add_argument(
        "--traceback", action="store_true", help="show where an error was raised"
    )
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", dest="command")

    text = "simulate, train, and invert a synthetic recording, offline"
    demo = commands.add_parser("demo", help=text, description=f"{text.capitalize()}.")
    demo.add_argument(
        "--output-dir",
        default=".",
        metavar="FOLDER",
        help="where the figure goes (default: the current folder)",
    )
    demo.add_argument(
        "--seed", type=int, default=0, help="decides all draws (default: 0)"
    )
    demo.set_defaults(run=_demo)

    add_invert(commands)
    add_simulate(commands)
    add_fetch(commands)

    text = "list the forward models of all installed packages"
    models = commands.add_parser("models", help=text, description=f"{text}.")
    models.add_argument(
        "name", nargs="?", help="show the parameters of this model instead"
    )
    models.add_argument(
        "--check", action="store_true", help="import every model to see if it works"
    )
    models.set_defaults(run=_models)

    text = "print versions, backend and installed models, for bug reports"
    sys_info = commands.add_parser("sys_info", help=text, description=f"{text}.")
    sys_info.set_defaults(run=_sys_info)
    return parser


class _PrintVersion(argparse.Action):
    """Look the version up only when it is asked for."""

    def __init__(self, option_strings, dest, **kwargs):
        super().__init__(option_strings, dest, nargs=0, help="print the version")

    def __call__(self, parser, *ignored):
        from .. import __version__

        print(f"mne_sbi {__version__}")
        parser.exit()


def _demo(options):
    from ._demo import run

    run(output_dir=options.output_dir, seed=options.seed)


def _models(options):
    from .. import Prior, get_model, list_models
    from ._tables import format_table

    if options.name is not None:
        model = get_model(options.name)
        print((model.__doc__ or options.name).strip().splitlines()[0])
        print(Prior(model.parameters))
        for parameter in model.parameters:
            print(f"    {parameter.name}: {parameter.doc}")
        return
    records = list_models(details=True, load=options.check)
    rows = [("name", "package", "status")]
    for record in records:
        package = f"{record.distribution} {record.version}"
        rows.append((record.name, package, record.status))
    print("\n".join(format_table(rows)))
    for record in records:
        if record.error:
            print(f"\n{record.error}")


def _sys_info(options):
    from .. import sys_info

    sys_info()
