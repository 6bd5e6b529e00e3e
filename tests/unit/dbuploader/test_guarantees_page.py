"""docs/guarantees.md names, for each promise, tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()


def test_each_promise_names_its_tests() -> None:
    promises = re.split(r"^\d+\. ", PAGE.split("## Not promised")[0], flags=re.MULTILINE)[1:]
    assert len(promises) == 19
    assert [promise for promise in promises if "`tests/" not in promise] == []


def test_the_tests_it_names_are_there() -> None:
    named = re.findall(r"`(tests/[^`]+)`", PAGE)
    assert [name for name in named if not (ROOT / name).is_file()] == []
