"""Wrong files, priors, connectomes, lead fields, simulations: each exact error."""

import numpy as np
import pytest

from mne_sbi import (
    Connectome,
    LeadField,
    Parameter,
    Posterior,
    Prior,
    SimulationBank,
    read_connectome,
    read_inverter,
    read_lead_field,
    read_posterior,
    read_simulation_bank,
    simulate,
)

RNG = np.random.default_rng(0)


DRAWS = RNG.random((2, 50, 2))


def posterior():
    return Posterior(DRAWS, ["a", "b"], ["s", ""])


CASES = [
    # Files.
    (
        "no file",
        lambda w: read_inverter(w.files / "none.zip"),
        FileNotFoundError,
        "There is no file FOLDER/files/none.zip.",
    ),
    (
        "a posterior read as an inverter",
        lambda w: read_inverter(w.files / "posterior.npz"),
        ValueError,
        "FOLDER/files/posterior.npz is not of the format that this version reads: "
        "expected 'mne_sbi inverter 2', found 'mne_sbi posterior 2'.",
    ),
    (
        "an inverter read as a posterior",
        lambda w: read_posterior(w.files / "inverter.zip"),
        ValueError,
        "FOLDER/files/inverter.zip is not of the format that this version reads: "
        "expected 'mne_sbi posterior 2', found 'mne_sbi inverter 2'.",
    ),
    (
        "no posterior",
        lambda w: read_posterior(w.files / "none.npz"),
        FileNotFoundError,
        "There is no file FOLDER/files/none.npz.",
    ),
    (
        "a connectome read as a lead field",
        lambda w: read_lead_field(w.files / "connectome.npz"),
        ValueError,
        "FOLDER/files/connectome.npz is not of the format that this version reads: "
        "expected 'mne_sbi lead field 2', found 'mne_sbi connectome 2'.",
    ),
    (
        "text read as a connectome",
        lambda w: read_connectome(w.files / "text.fif"),
        ValueError,
        "FOLDER/files/text.fif is damaged or not a connectome of this version of "
        "mne_sbi. Replace it by a copy that is whole, or make it again: "
        "Connectome.save() writes such files.",
    ),
    (
        "a connectome read as a bank",
        lambda w: read_simulation_bank(w.files / "connectome.npz"),
        ValueError,
        "FOLDER/files/connectome.npz is not of the format that this version reads: "
        "expected 'mne_sbi simulations 2', found 'mne_sbi connectome 2'.",
    ),
    # Priors, connectomes, lead fields.
    (
        "a prior of tuples",
        lambda w: Prior([("alpha", 0.1, 1.0)]),
        TypeError,
        "A prior is made of Parameter objects, got ('alpha', 0.1, 1.0). Write "
        "Prior([Parameter(name, low, high, default, unit)]).",
    ),
    (
        "a parameter twice",
        lambda w: Prior([Parameter("alpha", 0, 1, 0.5)] * 2),
        ValueError,
        "Parameters appear twice in the prior: ['alpha'].",
    ),
    (
        "a default outside",
        lambda w: Parameter("alpha", 0.0, 1.0, 5.0),
        ValueError,
        "The default of alpha, 5, must lie between low=0 and high=1.",
    ),
    (
        "zero on a logarithmic scale",
        lambda w: Parameter("alpha", 0.0, 1.0, 0.5, "", "log"),
        ValueError,
        "alpha has a logarithmic scale, so low must be positive, got 0. Use "
        "scale='linear' for a range that includes zero.",
    ),
    (
        "outside of the prior",
        lambda w: w.fitted.prior_.to_unit([0.5, 0.01, 0.5, 10.0, 0.01]),
        ValueError,
        "tau_e must lie between 0.005 and 0.03 s, got 0.5. Widen the prior's "
        "range or leave such values out.",
    ),
    (
        "minus one draw",
        lambda w: w.fitted.prior_.sample(-1),
        ValueError,
        "n must be a number of draws, 0 or more, got -1.",
    ),
    (
        "lengths in mm",
        lambda w: Connectome(
            np.ones((2, 2)), np.array([[0, 80.0], [80.0, 0]]), ["a", "b"]
        ),
        ValueError,
        "lengths must be in m, but reach 80, which looks like millimetres. Give "
        "lengths / 1000.",
    ),
    (
        "negative weights",
        lambda w: Connectome(-np.ones((2, 2)), np.zeros((2, 2)), ["a", "b"]),
        ValueError,
        "weights must not be negative, but -1 stands between a and a.",
    ),
    (
        "a node in two spellings",
        lambda w: Connectome(
            np.ones((2, 2)), np.zeros((2, 2)), ["L_insula", "insula-lh"]
        ),
        ValueError,
        "Node names must be unique, got twice: L_insula, insula-lh.",
    ),
    (
        "too few names",
        lambda w: Connectome(np.ones((2, 2)), np.zeros((2, 2)), ["a"]),
        ValueError,
        "names must have one entry per node: weights has 2 rows, but 1 names "
        "were given.",
    ),
    (
        "a string of names",
        lambda w: w.connectome.pick("lh.cuneus"),
        TypeError,
        "names must be a list of strings, got the string 'lh.cuneus'.",
    ),
    (
        "no speed",
        lambda w: w.connectome.delays(0.0),
        ValueError,
        "speed must be positive, but is 0.",
    ),
    (
        "nodes and columns",
        lambda w: LeadField(np.ones((2, 3)), ["Cz", "Pz"], ["lh.cuneus", "rh.cuneus"]),
        ValueError,
        "node_names must have one entry per column of the gain: there are 3 "
        "columns, but 2 entries were given.",
    ),
    (
        "the file of a forward solution",
        lambda w: LeadField.from_forward("sample-fwd.fif", w.labels),
        TypeError,
        "forward must be an mne.Forward, got str. Read a file first: "
        "mne.read_forward_solution().",
    ),
    (
        "a Raw for its Info",
        lambda w: LeadField.from_template(w.eeg()),
        TypeError,
        "info must be an mne.Info, such as raw.info, got RawArray.",
    ),
    # Simulations.
    (
        "a model misspelt",
        lambda w: simulate("spectral_grap", None, 10),
        ValueError,
        "There is no forward model 'spectral_grap'. Installed: jansen_rit, "
        "spectral_graph, wilson_cowan. Did you mean 'spectral_graph'?",
    ),
    (
        "no simulations",
        lambda w: simulate(w.fitted.model_, None, 0),
        ValueError,
        "n_simulations must be a positive integer, got 0.",
    ),
    (
        "names of nodes",
        lambda w: simulate(w.fitted.model_, None, 10, nodes=["lh.cuneus"]),
        TypeError,
        "nodes must be a sequence of integers, the numbers of the nodes to keep, "
        "or None, got ['lh.cuneus'].",
    ),
    (
        "a file for a folder",
        lambda w: simulate(w.fitted.model_, None, 10, fname=w.files / "bank.h5"),
        ValueError,
        "fname must be the name of a folder, such as bank.sims, got "
        "FOLDER/files/bank.h5. For one file, simulate without fname and call "
        "bank.save('bank.h5').",
    ),
    (
        "fixed and drawn",
        lambda w: simulate(w.fitted.model_, None, 10, fixed={"alpha": 0.5}),
        ValueError,
        "alpha cannot be both fixed and drawn from the prior. Leave it out of "
        "fixed, or out of the prior.",
    ),
    (
        "a bank without a prior",
        lambda w: SimulationBank(
            np.ones((3, 2)), np.ones((3, 2, 2)), np.ones(3, bool), None
        ),
        TypeError,
        "prior must be a Prior, got NoneType. Write Prior([Parameter(...), ...]).",
    ),
    (
        "a bank of unequal arrays",
        lambda w: SimulationBank(
            np.ones((3, 5)), np.ones((4, 2, 2)), np.ones(4, bool), w.fitted.prior_
        ),
        ValueError,
        "A bank needs theta (n, n_params), x (n, n_nodes, n_points) and valid "
        "(n,), got (3, 5), (4, 2, 2) and (4,).",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_is_said(refuses, case):
    refuses(*case[1:])
