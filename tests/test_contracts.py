"""Every registered model keeps the contract."""

import inspect

import pytest

from mne_sbi import get_model, list_models
from mne_sbi.testing import check_forward_model, make_connectome

# Settings that make a simulation short, for whichever of them a model has.
SETTINGS = {"sfreq": 200.0, "duration": 1.0}


@pytest.mark.parametrize("name", list_models())
def test_registered_model(name):
    model = get_model(name)
    settings = SETTINGS | {"connectome": make_connectome(6)}
    known = inspect.signature(model).parameters
    check_forward_model(model(**{k: v for k, v in settings.items() if k in known}))
