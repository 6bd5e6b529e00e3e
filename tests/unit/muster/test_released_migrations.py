"""A migration that ran somewhere is never changed or taken away: databases stand on it."""

from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RELEASED = {
    "auth/migrations/versions/0001_users.py": "05b57d54ab4d168a",
    "auth/migrations/versions/0002_ended_tokens.py": "700cf59083682053",
    "auth/migrations/versions/0003_login_networks.py": "1f9958033da55770",
    "auth/migrations/versions/0004_administration.py": "54a09cd13bf95a67",
    "dbuploader/migrations/versions/0001_first_tables.py": "53bc88b2909e3b1f",
    "dbuploader/migrations/versions/0002_statistics_on_request.py": "7275829e48801f8a",
    "dbuploader/migrations/versions/0003_warnings_in_the_ledger.py": "928fc026df54bb77",
    "dbuploader/migrations/versions/0004_seconds_of_loads.py": "485976714287b96e",
    "dbuploader/migrations/versions/0005_age_of_answers.py": "bf58cfa990e1fc48",
    "dbuploader/migrations/versions/0006_identities_of_attempts.py": "1020fe076e6cb18f",
    "dbuploader/migrations/versions/0007_whose_rejects.py": "310729cd29ce7b21",
}


def digest(file: Path) -> str:
    """Of a migration, whatever its docstring says."""
    _, _, code = file.read_text("utf-8").split('"""', 2)
    return sha256(code.encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_migration_does_what_it_did(name: str) -> None:
    assert digest(ROOT / name) == RELEASED[name]


def test_further_migrations_come_after_those() -> None:
    for service in ("auth", "dbuploader"):
        folder = ROOT / service / "migrations/versions"
        released = sorted(name for name in RELEASED if name.startswith(service))
        there = sorted(file.relative_to(ROOT).as_posix() for file in folder.glob("0*.py"))
        assert there[: len(released)] == released
