"""Where no collector is named, no process has anything to do with OpenTelemetry."""

from pathlib import Path

from embedded.client import Client
from embedded.running import RunningSuite
from tests.e2e.conftest import ADMIN
from tests.e2e.families import embedded_family
from tests.e2e.faults import PROCESSES


def test_no_process_imports_opentelemetry(tmp_path: Path) -> None:
    family = embedded_family(tmp_path)
    # Python then tells every module that it imports on standard error, which is the log.
    with (
        RunningSuite(family.home, {"PYTHONPROFILEIMPORTTIME": "1"}) as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as admin,
    ):
        upload = admin.upload("departments.csv", b"1,One")
        assert admin.wait_for_email(upload["id"])["state"] == "sent"
    for process in PROCESSES:
        imported = (family.home / "log" / f"{process}.log").read_text()
        assert "muster.spans" in imported
        assert "opentelemetry" not in imported
