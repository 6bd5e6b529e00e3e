"""Where no collector is named, no process has anything to do with OpenTelemetry."""

import pytest

from embedded.client import Client
from embedded.running import RunningSuite
from tests.e2e.conftest import PATIENTLY
from tests.e2e.faults import PROCESSES


# MySQL's driver imports it by itself.
@pytest.mark.parametrize(
    "suite",
    [pytest.param("embedded", marks=[pytest.mark.xdist_group("embedded"), PATIENTLY])],
    indirect=True,
)
def test_no_process_imports_opentelemetry(suite: RunningSuite, admin: Client) -> None:
    upload = admin.upload("departments.csv", b"906,Sixth")
    assert admin.wait_for_email(upload["id"])["state"] == "sent"
    for process in PROCESSES:
        imported = (suite.home / "log" / f"{process}.log").read_text()
        assert "muster.spans" in imported
        assert "opentelemetry" not in imported
