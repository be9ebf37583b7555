"""``mne_sbi simulate``: simulations on disk, to train from."""

from ._model_options import add_model_options, add_work_options

_EXAMPLE = """\
example: mne_sbi simulate spectral_graph --n 100000 --output bank.sims --n-jobs 2

If it is interrupted, the same line goes on where it stopped.
"""


def add_simulate(commands):
    """Add the command.

    Parameters
    ----------
    commands : argparse object
        What ``add_subparsers`` returned.
    """
    import argparse

    text = "simulate draws from a model's prior and keep them on disk"
    parser = commands.add_parser(
        "simulate",
        help=text,
        description=f"{text.capitalize()}.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a name of 'mne_sbi models'")
    parser.add_argument(
        "--n", type=int, required=True, metavar="N", help="number of simulations"
    )
    parser.add_argument(
        "--output", required=True, metavar="FOLDER", help="where they are kept"
    )
    add_model_options(parser)
    add_work_options(parser)
    parser.set_defaults(run=_run)


def _run(options):
    from ._model_options import check_complete, make_model

    model = make_model(options)
    check_complete(model, options.model)
    from ..simulation import simulate

    bank = simulate(
        model,
        dict(options.prior) if options.prior else None,
        options.n,
        features=_make_features(model, options),
        fname=options.output,
        random_state=options.seed,
        n_jobs=options.n_jobs,
        overwrite=options.overwrite,
        verbose="error" if options.quiet else True,
    )
    excluded = bank.provenance.get("n_excluded", 0)
    print(
        f"{len(bank):,} simulations of {', '.join(bank.prior.names)}; {excluded:,} "
        "unstable draws were left out."
    )
    print(f"Folder: {options.output}")
    print(f"Train: mne_sbi invert {options.model} FILE --simulations {options.output}")
    print(f"In Python: mne_sbi.read_simulation_bank({options.output!r})")


def _make_features(model, options):
    """Return features for the band of a model of time series, or None."""
    if model.output == "spectrum" or options.fmin is options.fmax is None:
        return None
    from ..features import LogPSD

    band = {"fmin": options.fmin, "fmax": options.fmax}
    return LogPSD(**{name: hz for name, hz in band.items() if hz is not None})
