"""The command line: ``mne_sbi demo``, ``invert``, ``simulate``, ``fetch``, ..."""

from ._main import main

__all__ = ["main"]
