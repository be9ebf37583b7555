"""Tables of text whose encoding and names of columns differ from person to person."""

import codecs
import io
import re

import numpy as np

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(fname):
    """Read a text file in UTF-8, or in UTF-16 if its byte order mark says so."""
    content = fname.read_bytes()
    encodings = [e for mark, e in _MARKS.items() if content.startswith(mark)]
    try:
        return content.decode(encodings[0] if encodings else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{fname} must be text in UTF-8, or in UTF-16 with a byte order mark: "
            f"{error}. Fetch the file again, or save it as UTF-8."
        ) from error


def read_frame(fname):
    """Read a table that is separated by tabs as a data frame."""
    import pandas as pd

    text = io.StringIO(read_text(fname))
    # Where rows end in a tab, pandas would take the first column for an index, and
    # each name for the column after it.
    return pd.read_csv(
        text, sep="\t", na_values=["n/a"], skipinitialspace=True, index_col=False
    )


def read_table(fname, names):
    """Read columns of numbers from a table that is separated by tabs.

    Parameters
    ----------
    fname : pathlib.Path
        The file.
    names : dict of str to tuple of str
        The columns, and how they may be called in the file: in small letters, without
        anything but letters and digits.

    Returns
    -------
    columns : dict of str to array
        Floats; NaN where the table has nothing.

    Raises
    ------
    ValueError
        If a column is missing or ambiguous, or holds text.
    """
    table = read_frame(fname)
    plain = [re.sub(r"[^a-z0-9]", "", str(column).lower()) for column in table.columns]
    columns = {}
    for name, spellings in names.items():
        found = [i for i, column in enumerate(plain) if column in spellings]
        if not found:
            # Such as "alpha_power" or "SW (log)".
            found = [
                i for i, column in enumerate(plain) if column.startswith(spellings)
            ]
        if len(found) == 1:
            columns[name] = _to_numbers(table.iloc[:, found[0]], fname)
        else:
            what = "no column" if not found else "several columns"
            raise ValueError(
                f"{fname.name} has {what} for {name!r}; there are "
                f"{', '.join(map(str, table.columns))}."
            )
    return columns


def _to_numbers(column, fname):
    try:
        return np.asarray(column, float)
    except ValueError as error:
        raise ValueError(
            f"{fname.name}: the column {column.name!r} must hold numbers: {error}"
        ) from error
