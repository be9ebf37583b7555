"""Simulation-based inversion of whole-brain models for MNE-Python users.

A prior over named parameters feeds a forward model; its simulations and the real
recordings pass through the same feature extractor; a network trained on the simulations
turns a recording's features into posterior draws, which are checked and plotted.

Names are imported when they are first used: importing the package imports neither JAX
nor Keras nor Matplotlib nor MNE.
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader as lazy

try:
    __version__ = version("mne-sbi")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0+unknown"

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

del PackageNotFoundError, lazy, version
