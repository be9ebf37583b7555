"""The command line: ``mne_sbi demo``, ``mne_sbi models``, ``mne_sbi sys_info``."""

from ._main import main

__all__ = ["main"]
