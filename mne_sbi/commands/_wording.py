"""Messages of the package with the names of command-line options."""

import re

# Arguments of functions that options have other names for.
_OTHER_NAMES = {"random_state": "seed", "fname": "output", "n_simulations": "n"}
# What the namespace holds besides options.
_NO_OPTIONS = ("model", "files", "name", "run", "command")
# Words that are not plain English, wherever they stand; and all with an underscore.
_NO_WORDS = ("fmin", "fmax", "freqs", "fname")
# Code such as LogPSD(fmin=1.0), in which options would make no sense.
_CALL = re.compile(r"\w\((?:[^()]|\([^()]*\))*\)")
# After these, a word that is also plain English begins a sentence.
_START = r"(?:^|(?<=[.:] ))"
_VERBS = "must|needs|has|is|names|cuts|chooses|holds|belongs"
_VALUE = r"(?P<value>'[^']*'|\"[^\"]*\"|\.\.\.|-?[\w.+-]*\w)?"


def to_options(text, options):
    """Replace the Python arguments in a message by the options of a command.

    Parameters
    ----------
    text : str
        The message, such as ``"n_draws must be positive; give duration=None."``.
    options : argparse.Namespace
        The options, by whose names the arguments are known.

    Returns
    -------
    text : str
        The message, such as ``"--n-draws must be positive; give no --duration."``.
    """
    names = {name: name for name in vars(options) if name not in _NO_OPTIONS}
    others = {name: to for name, to in _OTHER_NAMES.items() if to in names}
    names = others | names
    said = {name: f"--{dest.replace('_', '-')}" for name, dest in names.items()}
    if "fmin" in names:
        said["freqs"] = "--fmin and --fmax"
    for name, option in said.items():
        text = _outside_calls(text, name, option)
    return text


def _outside_calls(text, name, option):
    """Replace an argument by an option, but in code."""
    parts, start = [], 0
    for call in _CALL.finditer(text):
        parts += [_replace(text[start : call.start()], name, option), call[0]]
        start = call.end()
    return "".join([*parts, _replace(text[start:], name, option)])


def _replace(text, name, option):
    """Replace an argument by an option."""

    def assign(match):
        value = (match["value"] or "").strip("'\"")
        if value in ("None", "False"):
            return f"no {option}"
        return option if value in ("", "True", "...") else f"{option} {value}"

    text = re.sub(rf"(?<![\w.'\"-]){name}={_VALUE}(?![\w(\[{{'\"])", assign, text)
    text = re.sub(rf"'{name}'(?=: )", option, text)
    if "_" in name or name in _NO_WORDS:
        return re.sub(rf"(?<![\w.'\"=/-]){name}(?!\w|\.\w|[(=\[])", option, text)
    return re.sub(rf"{_START}{name}(?= (?:{_VERBS})\b)", option, text)
