"""Says what is found and whether it is what was expected."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Checks:
    """The comparisons made so far; `wrong` names those that failed."""

    made: int = 0
    wrong: list[str] = field(default_factory=list)

    def equal(self, what: str, found: Any, expected: Any) -> None:
        """Compare, and print the outcome."""
        self.made += 1
        if found == expected:
            print(f"  ok     {what}")
            return
        self.wrong.append(what)
        print(f"  WRONG  {what}\n         found:    {found}\n         expected: {expected}")


def heading(text: str) -> None:
    """Print the beginning of a step."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def table(rows: list[dict[str, Any]], limit: int | None = None) -> None:
    """Print rows in aligned columns, numbers to the right; the first `limit` of them."""
    if not rows:
        print("  (no rows)")
        return
    shown = rows[:limit]
    texts = [list(rows[0]), *([str(cell) for cell in row.values()] for row in shown)]
    widths = [max(len(line[index]) for line in texts) for index in range(len(texts[0]))]
    numeric = [isinstance(cell, int | float) for cell in rows[0].values()]
    for line in texts:
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numeric, strict=True)
        )
        print("  " + "  ".join(cells).rstrip())
    if len(shown) < len(rows):
        print(f"  … and {len(rows) - len(shown)} more")
