"""The documentation site: ``make -C docs html``."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

import gallery  # noqa: E402
import laws  # noqa: E402
import reference  # noqa: E402

project = "ltr"
author = "the ltr developers"
copyright = "the ltr developers, BSD 3-Clause"
version = release = version_of("ltr")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "formulas",
    "reference",
]
exclude_patterns = ["build", "README.md"]
templates_path = ["_templates"]
default_role = "literal"
smartquotes = False  # of default="listnet" and --options

autosummary_generate = reference.write(HERE / "reference")
laws.write(HERE / "laws.md")
gallery.write_benchmarks(HERE.parent / "examples", HERE / "benchmarks.rst")
sphinx_gallery_conf = gallery.prepare(HERE.parent / "examples", HERE / "build/examples")

# ------------------------------------------------------------------ the reference
autosummary_imported_members = True
autodoc_typehints = "none"  # types are in the docstrings
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_display_short_literal_types = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

nitpicky = True
nitpick_ignore_regex = reference.ELSEWHERE

# ---------------------------------------------------------------------- the pages
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = f"ltr {release}"
html_short_title = "ltr"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "ltr"},
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 2,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {name: [] for name in ("index", "start", "changelog", "contributing")}
