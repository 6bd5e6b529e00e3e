"""Sequence diagrams as SVG: who does what after whom. `_static/pictures.css` gives the colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_COLUMN = 106
_ROW = 38
_HEAD = 64
_BOX = (94, 40)
_LOOP = 34


class UnknownParticipant(Exception):
    """A step names somebody who has no line in the picture."""


@dataclass(frozen=True)
class Step:
    """`source` does `text` to `target`; an answer goes back along a dashed line."""

    source: str
    target: str
    text: str
    is_answer: bool = False


@dataclass(frozen=True)
class Phase:
    """Steps that belong together, under a heading."""

    name: str
    steps: Sequence[Step]


@dataclass(frozen=True)
class SequenceDiagram:
    """Phases from top to bottom; `participants` from left to right, two lines of text at most.

    Raises UnknownParticipant when it is drawn.
    """

    title: str
    participants: Sequence[str]
    phases: Sequence[Phase]

    def _repr_html_(self) -> str:
        """For notebooks and MyST: the picture as an element of the page."""
        return f'<div class="picture sequence">{self.to_svg()}</div>'

    def to_svg(self) -> str:
        """The picture, with no size of its own but its proportions."""
        rows: list[Phase | Step] = []
        for phase in self.phases:
            rows += [phase, *phase.steps]
        width = _COLUMN * len(self.participants)
        height = _HEAD + _ROW * len(rows) + _ROW // 2
        parts = [self._lifelines(height), *self._heads(), *self._draw(rows, width)]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}">'
            f"<title>{escape(self.title)}</title>{_ARROWHEAD}{''.join(parts)}</svg>"
        )

    def _draw(self, rows: Sequence[Phase | Step], width: int) -> list[str]:
        drawn: list[str] = []
        number = 0
        for position, row in enumerate(rows):
            y = _HEAD + _ROW * position + _ROW // 2
            if isinstance(row, Phase):
                drawn.append(_heading(row.name, y, width))
            else:
                number += 1
                drawn.append(self._arrow(row, number, y))
        return drawn

    def _x(self, participant: str) -> int:
        try:
            return _COLUMN * self.participants.index(participant) + _COLUMN // 2
        except ValueError:
            raise UnknownParticipant(participant) from None

    def _lifelines(self, height: int) -> str:
        lines = [
            f'<line class="life" x1="{self._x(name)}" y1="{_HEAD - 8}" x2="{self._x(name)}"'
            f' y2="{height - 6}"/>'
            for name in self.participants
        ]
        return "".join(lines)

    def _heads(self) -> list[str]:
        return [_head(name, self._x(name)) for name in self.participants]

    def _arrow(self, step: Step, number: int, y: int) -> str:
        start, end = self._x(step.source), self._x(step.target)
        kind = "answer" if step.is_answer else "call"
        label = f'<tspan class="number">{number}</tspan> {escape(step.text)}'
        if start == end:
            path = f"M{start} {y - 6}h{_LOOP}v12h-{_LOOP - 6}"
            text = f'<text x="{start + _LOOP + 6}" y="{y + 4}">{label}</text>'
        else:
            path = f"M{start} {y + 4}H{end - 6 if end > start else end + 6}"
            text = f'<text class="middle" x="{(start + end) // 2}" y="{y - 4}">{label}</text>'
        return f'<path class="{kind}" d="{path}" marker-end="url(#arrowhead)"/>{text}'


_ARROWHEAD = (
    '<defs><marker id="arrowhead" viewBox="0 0 8 8" refX="2" refY="4" markerWidth="8"'
    ' markerHeight="8" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>'
)


def _heading(name: str, y: int, width: int) -> str:
    return (
        f'<rect class="phase" x="4" y="{y - 13}" width="{width - 8}" height="26" rx="4"/>'
        f'<text class="phase" x="14" y="{y + 5}">{escape(name)}</text>'
    )


def _head(name: str, x: int) -> str:
    width, height = _BOX
    lines = name.split("\n")
    first = 6 + height / 2 + 4 - 7.5 * (len(lines) - 1)
    text = "".join(
        f'<tspan x="{x}" y="{first + 15 * position:g}">{escape(line)}</tspan>'
        for position, line in enumerate(lines)
    )
    return (
        f'<rect class="head" x="{x - width // 2}" y="6" width="{width}" height="{height}" rx="6"/>'
        f'<text class="middle head">{text}</text>'
    )
