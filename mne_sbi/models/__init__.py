"""Forward models, and the registry that finds them.

A forward model turns parameters into brain activity. The built-in models and those of
other packages are found the same way, through the entry-point group
``mne_sbi.forward_models``.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

del lazy
