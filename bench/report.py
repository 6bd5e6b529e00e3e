"""Writes what was found as a page for people."""

from collections.abc import Sequence

from bench.figures import Comparison, Figure, rounded
from bench.results import Record

ENOUGH_RUNS = 5
_HEAD = ("figure", "ours", "alternative", "result", "target", "met")
_RESULTS = {
    Comparison.VALUE: "",
    Comparison.RATIO: "{}",
    Comparison.TIMES: "{} times as fast",
    Comparison.MORE: "{} more",
}


def as_markdown(records: Sequence[Record]) -> str:
    """The page: a table for each part, and what it was measured with."""
    sections = [_section(record) for record in records]
    return "\n".join(
        [
            "# Measurements",
            "",
            "Written by `make bench`, which measures ours and the alternatives in turns (A B C,",
            "A B C …). Each value is the median of the runs, with the lowest and the highest in",
            "brackets; each result is of two medians, ours divided by the alternative unless it is",
            "said otherwise. What was measured in each run stands in `results/`.",
            *(line for section in sections for line in ("", *section)),
            "",
        ]
    )


def _section(record: Record) -> list[str]:
    answer = record.answer
    few = "" if record.runs >= ENOUGH_RUNS else ": a trial, which proves nothing"
    lines = [
        f"## {answer.title}",
        "",
        f"{record.measured_on:%Y-%m-%d}, {record.machine}. Runs: {record.runs}{few}.",
        "",
        _line(_HEAD),
        _line(("---", *("--:" for _ in _HEAD[1:]))),
        *(_line(_cells(figure)) for figure in answer.figures),
    ]
    if answer.bars:
        lines += ["", f"![{answer.title}]({record.name}.svg)"]
    if answer.conditions:
        lines += ["", *(f"- {condition}" for condition in answer.conditions)]
    return lines


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.title,
        str(figure.ours),
        str(figure.alternative or ""),
        _RESULTS[figure.comparison].format(rounded(figure.result)),
        str(figure.target or ""),
        {True: "yes", False: "**no**", None: ""}[figure.met],
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
