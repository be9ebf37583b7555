"""``python -m mne_sbi`` is the command ``mne_sbi``."""

import sys

from .commands import main

sys.exit(main())
