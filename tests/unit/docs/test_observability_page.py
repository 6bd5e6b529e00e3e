"""The page about logs has every field that a log call names."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("gateway", "auth", "dbuploader", "notification", "queries", "embedded", "muster")
LOG_CALL = re.compile(r"log\.(debug|info|warning|error|exception|critical)")
# Under another name in the line.
EXCEPTION = "exc_info"


def fields_in_code() -> set[str]:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    return {
        keyword.arg
        for call in calls
        if isinstance(call, ast.Call) and LOG_CALL.fullmatch(ast.unparse(call.func))
        for keyword in call.keywords
        if keyword.arg
    }


def test_every_field_of_a_log_line_stands_there() -> None:
    page = (ROOT / "docs/observability.md").read_text("utf-8").partition("\n## Traces")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(fields_in_code()) > 20
    assert fields_in_code() - {EXCEPTION} <= listed
