"""Writes the tables of `docs/errors.md`, which come from the registries of problems and codes.

python -m tools.error_page
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from muster.contracts.error_codes import ROW_ERRORS, UPLOAD_ERRORS
from muster.contracts.problems import PROBLEM_TYPES, ProblemType

PAGE = Path(__file__).parents[1] / "docs/errors.md"

_CODE = re.compile(
    r"\bMUSTER_[A-Z_]+|\b[a-z_]+=(?:\w+)?|\bmax_[a-z]+\b|\bexpect_rows\b|\b\d+/\d+/\d+|\b1\.5\b"
)


def with_tables(page: str) -> str:
    """The page with its tables as they are now."""
    problems = [
        # An anchor for each, as the page of an installation has it.
        (f"`{kind}`", f'{each.status}<a id="{kind}"></a>', each.title, each.meaning, _and_see(each))
        for kind, each in PROBLEM_TYPES.items()
    ]
    failures = [
        (f"`{code}`", _marked(error.meaning), _to_do(error.remedy, error.see))
        for code, error in UPLOAD_ERRORS.items()
    ]
    rejects = [
        (f"`{code}`", _marked(error.cause), _to_do(error.remedy, error.see))
        for code, error in ROW_ERRORS.items()
    ]
    head = ("code", "status", "title", "meaning", "what to do")
    page = _replaced(page, "problems", head, problems)
    page = _replaced(page, "uploads", ("code", "meaning", "what to do"), failures)
    return _replaced(page, "rows", ("code", "most often", "what to do"), rejects)


def _and_see(problem: ProblemType) -> str:
    return f"{problem.remedy}. {problem.see}" if problem.see else problem.remedy


def _to_do(remedy: str, see: str) -> str:
    return f"{_marked(remedy)} {see}".strip()


def _marked(text: str) -> str:
    """With what is typed in a program's letters."""
    return _CODE.sub(r"`\g<0>`", text)


def _replaced(page: str, name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    before, begin, rest = page.partition(f"<!-- {name}: python -m tools.error_page -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->\n")
    lines = [head, ["---"] * len(head), *rows]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    return f"{before}{begin}\n{table}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
