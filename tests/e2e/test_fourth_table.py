"""A further table is one declaration and the migration that is written from it; all else obeys."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN

ROOT = Path(__file__).parents[2]
ID = {"required": True, "minimum": 1, "maximum": 2147483647}
WAREHOUSES = {
    "name": "warehouses",
    "title": "Warehouses",
    "fields": [
        {"name": "id", "type": "integer", "constraints": ID},
        {
            "name": "email",
            "type": "string",
            "constraints": {"required": True, "maxLength": 80, "pattern": r"[^@\s]+@[^@\s]+"},
        },
        {
            "name": "kind",
            "type": "string",
            "constraints": {"required": True, "maxLength": 10, "enum": ["office", "depot"]},
        },
        {"name": "department_id", "type": "integer", "constraints": ID},
    ],
    "primaryKey": ["id"],
    "foreignKeys": [
        {"fields": ["department_id"], "reference": {"resource": "departments", "fields": ["id"]}}
    ],
}
FILE = b"""id,email,kind,department_id
1,lima@example.com,office,1
2,nowhere,office,1
3,berlin@example.com,garage,1
4,quito@example.com,depot,9
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the packages, in which every process that is started looks first."""
    copy = tmp_path / "checkout"
    for package in ("muster", "auth", "dbuploader", "embedded", "gateway", "notification"):
        shutil.copytree(ROOT / package, copy / package)
    for package in ("queries", "tools"):
        shutil.copytree(ROOT / package, copy / package)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return copy


@pytest.mark.timeout(600)
def test_a_declaration_and_its_migration_are_a_table_that_loads(
    checkout: Path, tmp_path: Path
) -> None:
    declaration = checkout / "muster/contracts/tables/warehouses.json"
    declaration.write_text(json.dumps(WAREHOUSES))
    written = subprocess.run(
        [sys.executable, "-m", "tools.migration", "warehouses"], capture_output=True, text=True
    )
    assert written.returncode == 0, written.stderr
    assert len(list((checkout / "dbuploader/migrations/versions").glob("*_warehouses.py"))) == 1

    with (
        SuiteProcess(tmp_path / "home") as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as client,
    ):
        client.wait(client.upload("departments.csv", b"1,Sales\n")["id"])
        upload = client.wait(client.upload("warehouses.csv", FILE)["id"])
        assert upload["state"] == "completed_with_rejects"
        assert (upload["rows"]["inserted"], upload["rows"]["rejected"]) == (1, 3)
        rejects = client.rejects(upload["id"])
        assert [(row["_line"], row["_code"], row["_column"]) for row in rejects] == [
            ("3", "constraint-error", "email"),
            ("4", "constraint-error", "kind"),
            ("5", "foreign-key", "department_id"),
        ]
        assert client.rows("warehouses") == [
            {"id": 1, "email": "lima@example.com", "kind": "office", "department_id": 1}
        ]


def test_without_a_new_declaration_there_is_no_migration_to_write(checkout: Path) -> None:
    written = subprocess.run(
        [sys.executable, "-m", "tools.migration", "nothing"], capture_output=True, text=True
    )
    assert written.returncode == 1
    assert "there is nothing to write" in written.stderr


def test_a_changed_table_is_left_to_a_person(checkout: Path) -> None:
    declaration = checkout / "muster/contracts/tables/jobs.json"
    schema = json.loads(declaration.read_text())
    schema["fields"].append({"name": "grade", "type": "integer", "constraints": ID})
    declaration.write_text(json.dumps(schema))
    written = subprocess.run(
        [sys.executable, "-m", "tools.migration", "grades"], capture_output=True, text=True
    )
    assert written.returncode == 1
    assert "by hand" in written.stderr
    assert "add_column" in written.stderr
