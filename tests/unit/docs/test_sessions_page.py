"""The page of MySQL sessions has what is set and required, and no other."""

import re
from pathlib import Path

from muster.database.mysql.session import LOCK_WAITS, REQUIREMENTS, SETTINGS

PAGE = Path(__file__).parents[3] / "docs" / "sessions.md"


def table_below(heading: str) -> list[tuple[str, ...]]:
    """The first two columns."""
    _, _, rest = PAGE.read_text("utf-8").partition(f"## {heading}\n")
    return re.findall(r"^\| `(\w+)` \| ([^|]*) \|", rest.partition("\n## ")[0], re.MULTILINE)


def test_every_variable_that_a_session_sets_stands_there_with_its_value() -> None:
    settings = [(name, f"`{value}`" if value != "" else "`''`") for name, value, _ in SETTINGS]
    waits = [(name, "`lock_seconds`") for name in LOCK_WAITS]
    assert table_below("What a session sets") == [*settings, *waits]


def test_everything_that_a_server_must_be_set_to_stands_there() -> None:
    required = [(each.name, each.wanted) for each in REQUIREMENTS]
    assert table_below("What only the server can set") == required
