"""The walk through the code in docs/one-upload.md leads to what is there, and stays short."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/one-upload.md").read_text("utf-8")
STEPS = re.findall(
    r"^\| [^|]+ \| \[`([^`]+)`\]\(\.\./([^)]+)\) \| `([\w.]+)` \|", PAGE, re.MULTILINE
)
MOST_FILES = 12
SCREEN = 50


def definition(file: str, name: str) -> ast.AST:
    """The class or function `name`, as in `Class.method`; raises StopIteration."""
    found: ast.AST = ast.parse((ROOT / file).read_text("utf-8"))
    for part in name.split("."):
        assert isinstance(found, (ast.Module, ast.ClassDef))
        found = next(each for each in found.body if getattr(each, "name", None) == part)
    return found


def test_the_walk_is_at_most_twelve_files() -> None:
    files = [link for _, link, _ in STEPS]
    assert len(files) > 6
    assert len(set(files)) == len(files) <= MOST_FILES


@pytest.mark.parametrize(("shown", "link", "name"), STEPS)
def test_each_step_is_in_its_file_and_fits_on_a_screen(shown: str, link: str, name: str) -> None:
    assert shown == link
    found = definition(link, name)
    functions = (
        [each for each in found.body if isinstance(each, ast.FunctionDef)]
        if isinstance(found, ast.ClassDef)
        else [found]
    )
    for function in functions:
        assert isinstance(function, ast.FunctionDef)
        assert (function.end_lineno or 0) - function.lineno < SCREEN


def test_every_other_file_that_the_walk_names_is_there() -> None:
    named = re.findall(r"`((?:gateway|dbuploader|notification|muster)/[\w/]+\.py)`", PAGE)
    assert len(named) > MOST_FILES
    assert [file for file in named if not (ROOT / file).exists()] == []
