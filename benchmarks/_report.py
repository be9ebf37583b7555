"""Print a benchmark's table, and write it with what it was measured on."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("mne-sbi", "numpy", "scipy", "jax", "keras", "scikit-learn", "mne")


def report(title, rows, columns, json_file=None):
    """Print one aligned table, and write it to a JSON file.

    Parameters
    ----------
    title : str
        What the table shows.
    rows : list of dict
        The rows; what a row lacks stays empty.
    columns : dict of str
        Headings by key, in order.
    json_file : path-like | None
        Where to write title, rows and machine, for another program to read.
    """
    cells = [list(columns.values())]
    cells += [[_format(row.get(key)) for key in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    rule = ["-" * width for width in widths]
    machine = describe_machine()
    print(f"\n{title}")
    print(", ".join(f"{name} {value}" for name, value in machine.items()), end="\n\n")
    for line in (cells[0], rule, *cells[1:]):
        padded = (cell.ljust(w) for cell, w in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())
    if json_file is not None:
        content = {"title": title, "rows": rows, "machine": machine}
        text = json.dumps(content, indent=1, default=float)
        Path(json_file).write_text(text + "\n", encoding="utf-8")


def describe_machine():
    """Return what the measurements depend on, a dict of str."""
    found = {"python": platform.python_version(), "cores": str(os.cpu_count())}
    found["processor"] = platform.processor() or platform.machine()
    return found | {name: version(name) for name in _LIBRARIES}


def _format(value):
    """Numbers with four significant digits, and thousands separated."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"
