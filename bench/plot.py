"""Draws series of one unit side by side."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from bench.figures import Series, rounded

# The same picture for the same figures, with text that stays text.
matplotlib.rcParams.update({"svg.hashsalt": "muster", "svg.fonttype": "none"})
_OURS, _OTHERS = "#1b6ca8", "#b4b9c0"


def draw_bars(title: str, bars: Mapping[str, Series], path: Path) -> None:
    """Write a bar for each series, its median with its spread, to an SVG or PNG file.

    Those whose label begins with "Muster" are ours, and stand out.
    """
    figure = Figure(figsize=(9, 1.1 + 0.42 * len(bars)), layout="constrained")
    axes = figure.subplots()
    medians = [series.median for series in bars.values()]
    spread = [
        [series.median - min(series.values) for series in bars.values()],
        [max(series.values) - series.median for series in bars.values()],
    ]
    colours = [_OURS if label.startswith("Muster") else _OTHERS for label in bars]
    axes.barh(list(bars), medians, xerr=spread, color=colours, capsize=3)
    for row, series in enumerate(bars.values()):
        note = f"  {rounded(series.median)}"
        axes.annotate(note, (max(series.values), row), va="center", fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(next(iter(bars.values())).unit)
    axes.set_title(title, loc="left")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
