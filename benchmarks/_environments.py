"""Other packages, each in an environment of its own, to be measured beside this one."""

import os
import subprocess
import sys
import venv

OURS = "mne-sbi"


def install(folder, packages):
    """Make an environment per package.

    Parameters
    ----------
    folder : pathlib.Path
        Where; what is there already is used.
    packages : dict of tuple of str
        By name on the index, what they import without asking for it.

    Returns
    -------
    interpreters : dict of (str, str)
        Interpreters and versions by package, this one among them.
    """
    found = {OURS: (sys.executable, version_of(sys.executable, OURS))}
    for package, extra in packages.items():
        place = folder / package
        python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
        if not python.exists():
            venv.create(place, with_pip=True)
        command = [python, "-m", "pip", "install", "-q", package, *extra]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{package} cannot be installed: {done.stderr.strip()[-300:]}")
            continue
        found[package] = (str(python), version_of(python, package))
    return found


def version_of(python, package):
    """Return the version of a package in an environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip()
