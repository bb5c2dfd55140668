"""How Sphinx builds these pages: python -m sphinx -W -b html docs build/docs."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import rollingball  # noqa: E402

project, author = "rollingball", "the rollingball developers"
copyright = author
version = release = rollingball.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "docstrings",  # these three are beside this file
    "mathml",
    "picture",
]
html_math_renderer = "mathml"
exclude_patterns = ["out"]
nitpicky = False

myst_enable_extensions = ["dollarmath", "deflist", "attrs_inline"]
myst_heading_anchors = 3

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "exclude-members": "settings, program, check_dim, chosen, law",  # what kernels ask of a method
}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "alabaster"
html_title = "rollingball"
html_static_path = ["_static"]
html_css_files = ["page.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "description": "Balls that roll on the graph of a loss",
    "fixed_sidebar": True,
    "page_width": "860px",
    "sidebar_width": "230px",
    "show_powered_by": False,
    "show_relbars": True,
}
