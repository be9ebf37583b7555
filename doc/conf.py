"""Settings of the documentation of the installed package; it builds offline."""

import os
from importlib.metadata import version as get_version
from pathlib import Path

# Both before the gallery imports the package. The cache folder is the caller's, where
# MNE_SBI_CACHE_DIR names one.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "agg")
ROOT = Path(__file__).resolve().parents[1]

project = "mne_sbi"
author = "The mne_sbi developers"
copyright = author
release = get_version("mne-sbi")
version = ".".join(release.split(".")[:2])

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.md5"]
root_doc = "index"

autosummary_generate = True
# Where file names do not tell capitals apart, a class and a function of one name would
# be one page.
autosummary_filename_map = {
    "mne_sbi.diagnostics.Identifiability": "mne_sbi.diagnostics.Identifiability_class"
}
autodoc_default_options = {"members": True, "inherited-members": True}
# Parameter types are prose for people here, not links.
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# Docstrings that come from scikit-learn and MNE-Python refer to pages of their own
# documentation, which an offline build cannot find.
suppress_warnings = ["ref.ref", "ref.term", "ref.doc", "config.cache"]

html_theme = "pydata_sphinx_theme"
html_title = "mne_sbi"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/\d\d_\w+\.py$",
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib\.figure\.Figure",
    "download_all_examples": False,
    "show_memory": False,
    "doc_module": ("mne_sbi",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"mne_sbi": None},
    "remove_config_comments": True,
}
