"""What no process of the embedded default imports: others' drivers, OpenTelemetry, and rich."""

import re

import pytest

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import PATIENTLY
from tests.e2e.faults import PROCESSES

NOT_IMPORTED = {"_mysql_connector", "mysql", "pymongo", "bson", "gridfs", "pika"}
# Of the command `muster`; others take it where they find it: see muster/startup.py.
NOT_IMPORTED |= {"rich.console", "pygments.lexer"}
# Of OpenTelemetry the API only. MySQL's driver imports the rest of it by itself.
SERVICES = {"auth", "dbuploader", "gateway", "notification", "queries"}
NOT_IMPORTED |= {f"opentelemetry.{part}" for part in ("sdk", "exporter", "instrumentation")}
# Python says of each module: "import time:       279 |        279 |   zipimport".
IMPORT = re.compile(r"import time: [^|]*\|[^|]*\| +([\w.]+)")


@pytest.mark.parametrize(
    "suite",
    [pytest.param("embedded", marks=[pytest.mark.xdist_group("embedded"), PATIENTLY])],
    indirect=True,
)
def test_no_process_imports_a_driver_or_the_sdk_of_opentelemetry(
    suite: SuiteProcess, admin: Client
) -> None:
    upload = admin.upload("departments.csv", b"906,Sixth")
    assert admin.wait_for_email(upload["id"])["state"] == "sent"
    shared = imports_of(suite, "forkserver")
    assert {"muster.settings", "pyarrow.lib"} <= shared
    assert NOT_IMPORTED & shared == set()
    # What a service is made of is its own, what it is built on is shared.
    assert not any(module.split(".")[0] in SERVICES for module in shared)
    for process in PROCESSES:
        assert NOT_IMPORTED & imports_of(suite, process) == set(), process


def imports_of(suite: SuiteProcess, process: str) -> set[str]:
    return set(IMPORT.findall((suite.home / "log" / f"{process}.log").read_text()))
