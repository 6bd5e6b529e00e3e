"""The documentation's build: MyST pages by Sphinx, with no request to another host."""

import logging
import os
from pathlib import Path

project = "Muster"
author = "The Muster developers"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Muster"
html_static_path = ["_static"]
html_css_files = ["pictures.css"]
html_show_copyright = False
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
nitpicky = True
# The client's docstrings name types of Python and type variables: a link would need the network.
nitpick_ignore_regex = [("py:.*", r"(?!muster_client).*|.*\.T")]
# As in Markdown: docstrings quote code by one backtick.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# Not dashes: help names options without marking them as code.
smartquotes_action = "qe"
# The pictures are drawn by cells, as in a notebook; one that fails is to fail the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
# A kernel that says what is wrong, and nothing of what is right.
os.environ["JUPYTER_PATH"] = str(Path(__file__).parent / "drawing" / "jupyter")
logging.getLogger("traitlets").setLevel(logging.WARNING)
