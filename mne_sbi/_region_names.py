"""One spelling for the names of brain regions.

The Desikan-Killiany parcels and the subcortical structures of FreeSurfer go by many
spellings: MNE writes ``bankssts-lh``, FreeSurfer ``ctx-lh-bankssts`` and
``Left-Thalamus-Proper``, toolboxes and papers ``LHbankssts``, ``lh_bankssts``,
``L_bankssts`` or ``lBKS``. The regions of other atlases are spelt in the same styles:
AAL2's ``Precentral_L``, Schaefer's ``7Networks_LH_Vis_1``. Nodes are matched through
one of them.
"""

import functools
import re

_SIDES = {"lh": "lh", "l": "lh", "left": "lh", "rh": "rh", "r": "rh", "right": "rh"}

# The 34 cortical parcels of Desikan et al. (2006), with the abbreviations of the atlas
# table of the spectral graph model's authors (spectrome/atlases/desikan_atlas_68.csv).
# doi:10.1016/j.neuroimage.2006.01.021
_PARCELS = {
    "bankssts": "BKS",
    "caudalanteriorcingulate": "CAC",
    "caudalmiddlefrontal": "CMF",
    "cuneus": "CUN",
    "entorhinal": "ENT",
    "frontalpole": "FP",
    "fusiform": "FUS",
    "inferiorparietal": "IP",
    "inferiortemporal": "IT",
    "insula": "INS",
    "isthmuscingulate": "IST",
    "lateraloccipital": "LO",
    "lateralorbitofrontal": "LOF",
    "lingual": "LIN",
    "medialorbitofrontal": "MOF",
    "middletemporal": "MT",
    "paracentral": "PARA",
    "parahippocampal": "PHIP",
    "parsopercularis": "POP",
    "parsorbitalis": "POB",
    "parstriangularis": "PT",
    "pericalcarine": "PERI",
    "postcentral": "POC",
    "posteriorcingulate": "PCG",
    "precentral": "PRC",
    "precuneus": "PREC",
    "rostralanteriorcingulate": "RAC",
    "rostralmiddlefrontal": "RMF",
    "superiorfrontal": "SF",
    "superiorparietal": "SP",
    "superiortemporal": "ST",
    "supramarginal": "SUPRA",
    "temporalpole": "TP",
    "transversetemporal": "TRANS",
}
_ABBREVIATIONS = {short: name for name, short in _PARCELS.items()}
_ABBREVIATIONS["PARAC"] = "paracentral"  # the right side's spelling in that table

# Subcortical structures: the names of FreeSurfer's segmentation, the short ones of the
# ENIGMA toolbox, and one misspelling that the authors' files contain.
_SUBCORTICAL = {
    "accumbens": ("accumbensarea", "accumb", "acumbens", "nucleusaccumbens"),
    "amygdala": ("amyg",),
    "brainstem": (),
    "caudate": ("caud",),
    "cerebellum": ("cerebellumcortex",),
    "hippocampus": ("hippo",),
    "pallidum": ("pal",),
    "putamen": ("put",),
    "thalamus": ("thalamusproper", "thal"),
    "ventraldc": (),
}
_KNOWN = {name: name for name in (*_PARCELS, *_SUBCORTICAL)}
_KNOWN |= {alias: name for name, aliases in _SUBCORTICAL.items() for alias in aliases}

_SEPARATOR = r"[\s._-]+"
_PREFIX = re.compile(rf"(lh|rh|left|right|l|r){_SEPARATOR}(.+)")
_SUFFIX = re.compile(rf"(.+?){_SEPARATOR}\(?(lh|rh|left|right|l|r)\)?")
# The atlas of Schaefer et al. (2018) has the side inside. doi:10.1093/cercor/bhx179
_NETWORKS = re.compile(rf"((?:7|17)networks){_SEPARATOR}(lh|rh){_SEPARATOR}(.+)")


@functools.lru_cache(maxsize=4096)
def normalize_region_name(name):
    """Write a region's name in the one spelling by which nodes are matched.

    Parameters
    ----------
    name : str
        A name such as ``"bankssts-lh"``, ``"ctx-lh-bankssts"``, ``"LHbankssts"``,
        ``"L_bankssts"``, ``"lBKS"`` or ``"Left-Thalamus-Proper"``.

    Returns
    -------
    canonical : str
        The hemisphere, a dot, and the region in lower case: ``"lh.bankssts"``,
        ``"lh.thalamus"``. Regions that are not of the Desikan-Killiany atlas keep
        their own name after the hemisphere, with ``_`` between its parts:
        ``"lh.frontal_sup_2"``. A name without a hemisphere is returned in lower case
        without surrounding blanks.

    Raises
    ------
    TypeError
        If the name is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"A region's name must be a string, got {name!r}.")
    name = name.strip()
    # These abbreviations are recognised by their capitals only: in lower case, "list"
    # would be the left isthmus of the cingulate.
    if name[:1] in ("l", "r") and name[1:] in _ABBREVIATIONS:
        return f"{_SIDES[name[0]]}.{_ABBREVIATIONS[name[1:]]}"
    region = re.sub(rf"^(ctx{_SEPARATOR})+(?=.)", "", name.lower())
    side = None
    # Again, because some atlases write the side at both ends: "L_V1_ROI-lh".
    while True:
        found, rest = _split_side(region)
        if found is None or side not in (None, found):
            break
        # What separates nothing goes, lest the name is not its own spelling.
        side, region = found, rest.strip("_-. \t") or rest
    known = _known_region(region)
    if side is None:
        return known or region
    # The spelling of AAL, of which not every copy keeps it.
    region = re.sub(_SEPARATOR, "_", region).replace("cerebelum", "cerebellum")
    return f"{side}.{known or region}"


def _known_region(region):
    """Return the usual name of a known region however it is hyphenated, or None."""
    return _KNOWN.get(re.sub(_SEPARATOR, "", region))


def _split_side(name):
    """Split a name in lower case into the hemisphere, or None, and the rest."""
    if found := _NETWORKS.fullmatch(name):
        return found[2], f"{found[1]}_{found[3]}"
    if found := _PREFIX.fullmatch(name):
        return _SIDES[found[1]], found[2]
    if found := _SUFFIX.fullmatch(name):
        return _SIDES[found[2]], found[1]
    # Without a separator only before a region that is known: "lingual" has no side.
    if not _known_region(name):
        for mark, side in _SIDES.items():
            rest = name.removeprefix(mark)
            if rest != name and _known_region(rest):
                return side, rest
    return None, name
