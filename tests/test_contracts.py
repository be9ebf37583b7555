"""Every registered model keeps the contract."""

import inspect

import pytest

import mne_sbi
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


def test_every_summary_is_a_data_frame():
    """One kind everywhere; what is in words is printed."""
    found = []
    for module in (mne_sbi, mne_sbi.diagnostics, mne_sbi.eeg_fmri):
        for name in dir(module):
            method = getattr(getattr(module, name), "summary", None)
            if inspect.isfunction(method):
                found.append(name)
                assert "pandas.DataFrame" in inspect.getdoc(method), name
    assert {"Posterior", "Calibration", "Identifiability", "Evaluation"} <= set(found)
