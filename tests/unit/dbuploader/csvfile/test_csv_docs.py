"""docs/csv.md names every code that reading or validating a file can give."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
CODE = re.compile(r'"([a-z]+-(?:error|cell|label|file))"')
WARNING = re.compile(r'UploadWarning\(\s*"([a-z0-9-]+)"')


def codes_in_the_source() -> set[str]:
    folders = [ROOT / "dbuploader" / "csvfile", ROOT / "dbuploader" / "validation"]
    sources = [file.read_text("utf-8") for folder in folders for file in folder.rglob("*.py")]
    return {code for source in sources for code in CODE.findall(source) + WARNING.findall(source)}


@pytest.mark.parametrize("code", sorted(codes_in_the_source()))
def test_a_code_stands_in_the_rules(code: str) -> None:
    assert f"`{code}`" in (ROOT / "docs" / "csv.md").read_text("utf-8")


def test_the_codes_are_found() -> None:
    warnings = {"preamble", "apostrophes", "misread-text", "utf-16-without-mark"}
    assert {"quote-error", "empty-file", "extra-label", *warnings} <= codes_in_the_source()
