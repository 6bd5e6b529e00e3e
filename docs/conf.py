"""The documentation's build: MyST pages by Sphinx, with no request to another host."""

project = "Muster"
author = "The Muster developers"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Muster"
myst_heading_anchors = 3
