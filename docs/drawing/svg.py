"""Graphviz's SVG as a part of the page: with its icons, and in the page's colours."""

import base64
import re
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Protocol

_IMAGE = re.compile(
    r'<image xlink:href="([^"]+)" (width="[^"]+" height="[^"]+") [^>]*?(x="[^"]+" y="[^"]+")/>'
)


class Drawn(Protocol):
    """What `diagrams` and `graphviz` call a graph."""

    def pipe(self, *, format: str, encoding: str) -> str:
        """The picture in that format."""


@dataclass(frozen=True)
class Picture:
    """A graph to show in a notebook or a MyST page; `title` is for who can't see it."""

    graph: Drawn
    title: str

    def _repr_html_(self) -> str:
        return f'<div class="picture graph">{self.to_svg()}</div>'

    def to_svg(self) -> str:
        """The picture, with no size of its own but its proportions, that needs no other file."""
        drawn = self.graph.pipe(format="svg", encoding="utf-8")
        body = drawn[drawn.index("viewBox=") : drawn.rindex("</svg>")]
        icons: dict[tuple[str, str], str] = {}

        def use(found: re.Match[str]) -> str:
            name = icons.setdefault((found[1], found[2]), f"icon-{len(icons)}")
            return f'<use href="#{name}" {found[3]}/>'

        body = _IMAGE.sub(use, body)
        defined = "".join(
            f'<image id="{name}" {size} href="{_data(path)}"/>'
            for (path, size), name in icons.items()
        )
        attributes, _, content = body.partition(">")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {attributes}>'
            f"<title>{escape(self.title)}</title><defs>{defined}</defs>{content}</svg>"
        )


@cache
def _data(path: str) -> str:
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()
