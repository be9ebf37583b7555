"""From EEG to fMRI: pairs, regressors, honest scores and synthetic recordings."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

del lazy
