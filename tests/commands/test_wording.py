"""Messages of the package speak of options on the command line."""

import argparse

import pytest

from mne_sbi.commands._wording import to_options

OPTIONS = argparse.Namespace(
    n_draws=None, duration=None, lead_field=None, picks=None, fmin=None, seed=0,
    overwrite=False,
    prior=None, method=None, n=3, output="x", labels=None, model="m", name="n",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n_draws must be positive, got 0.", "--n-draws must be positive, got 0."),
        ("Use duration=None, or give the Raw.", "Use no --duration, or give the Raw."),
        ("duration cuts a Raw into windows", "--duration cuts a Raw into windows"),
        ("duration=100 s does not fit.", "--duration 100 s does not fit."),
        ("duration=1.5 s", "--duration 1.5 s"),
        ("Give lead_field='template'.", "Give --lead-field template."),
        ("They need lead_field= ('template')", "They need --lead-field ('template')"),
        ("a.npz exists. Use overwrite=True to", "a.npz exists. Use --overwrite to"),
        ("with picks=['eeg'] or picks=.", "with picks=['eeg'] or --picks."),
        ("random_state must be one", "--seed must be one"),
        ("n must be a positive integer", "--n must be a positive integer"),
        ("Invalid value for 'method': 'x'.", "Invalid value for --method: 'x'."),
        ("Give other freqs.", "Give other --fmin and --fmax."),
        ("Lower fmin, or use LogPSD(fmin=2)", "Lower --fmin, or use LogPSD(fmin=2)"),
        ("n_simulations must be", "--n must be"),
        ("settings, another fname, or", "settings, another --output, or"),
        # Words of plain English, and code.
        ("Its prior and duration are short: the labels.", None),
        ("The method must be cited.", None),
        ("model must have nodes. name is wrong.", None),
        ("Write JansenRit(sfreq=128.0, duration=10.0).", None),
        ("Write f(g(duration=1.0), duration=2.0) first", None),
        ("inverter.n_draws, raw.duration=3, max_duration=3", None),
    ],
)  # fmt: skip
def test_arguments_become_options(text, expected):
    assert to_options(text, OPTIONS) == (expected or text)
