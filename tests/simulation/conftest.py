import numpy as np


def assert_same(bank, expected):
    for name in ("theta", "x", "valid"):
        np.testing.assert_array_equal(getattr(bank, name), getattr(expected, name))
    assert bank.prior == expected.prior
    assert bank.provenance == expected.provenance
