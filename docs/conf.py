"""The documentation's build: MyST pages by Sphinx, with no request to another host."""

import logging
import os
from pathlib import Path

project = "Muster"
author = "The Muster developers"
extensions = ["myst_nb"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Muster"
html_static_path = ["_static"]
html_css_files = ["pictures.css"]
html_show_copyright = False
myst_heading_anchors = 3
nitpicky = True
# The pictures are drawn by cells, as in a notebook; one that fails is to fail the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
# A kernel that says what is wrong, and nothing of what is right.
os.environ["JUPYTER_PATH"] = str(Path(__file__).parent / "drawing" / "jupyter")
logging.getLogger("traitlets").setLevel(logging.WARNING)
