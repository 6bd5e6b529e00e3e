"""Drivers load where they are wanted and only there, each time in a new process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

DRIVERS = {"_mysql_connector", "mysql", "pymongo", "bson", "gridfs", "pika", "botocore"}
EMBEDDED = {
    "MUSTER_BROKER_URL": "sqlite:///{home}/broker.db",
    "MUSTER_CSV_STORE_URL": "file://{home}/store",
    "MUSTER_AUTH_DATABASE_URL": "sqlite:///{home}/auth.db",
    "MUSTER_EMPLOYMENT_DATABASE_URL": "sqlite:///{home}/employment.db",
    "MUSTER_NOTIFICATION_DATABASE_URL": "sqlite:///{home}/notification.db",
    "MUSTER_SMTP_URL": "maildir://{home}/mail",
    "MUSTER_KEY_FILE": "{home}/key.pem",
}
SERVICES = ("auth", "dbuploader", "gateway", "notification", "queries")


@pytest.mark.parametrize(
    "modules", ["ssl, muster.database.mysql, pyarrow", "muster.database.mysql, ssl, pyarrow"]
)
def test_the_driver_of_mysql_loads_before_and_after_ssl(modules: str) -> None:
    assert {"_mysql_connector", "ssl", "pyarrow.lib"} <= set(modules_after(f"import {modules}"))


def test_the_loader_s_http_side_loads_the_driver_before_pyarrow(tmp_path: Path) -> None:
    url = {"MUSTER_EMPLOYMENT_DATABASE_URL": "mysql://user:password@127.0.0.1/employment"}
    modules = modules_after(_made("dbuploader"), {**_embedded(tmp_path), **url})
    assert modules.index("_mysql_connector") < modules.index("pyarrow.lib")


def test_no_app_of_the_embedded_default_imports_a_driver(tmp_path: Path) -> None:
    # In one interpreter: the driver that one of them imported would stay, behind that one's module.
    modules = modules_after("\n".join(map(_made, SERVICES)), _embedded(tmp_path))
    assert {f"{service}.app" for service in SERVICES} <= set(modules)
    assert [name for name in modules if name in DRIVERS] == []


def modules_after(code: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """The modules that a new interpreter has imported after `code`, in the order of import."""
    with TemporaryDirectory() as home:
        ended = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import sys\n{code}\nimport json\nprint(json.dumps(list(sys.modules)))",
            ],
            env={**os.environ, "MUSTER_HOME": home, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    modules: list[str] = json.loads(ended.stdout)
    return modules


def _made(service: str) -> str:
    return f"from {service}.app import create_app\ncreate_app()"


def _embedded(home: Path) -> dict[str, str]:
    return {name: url.format(home=home) for name, url in EMBEDDED.items()}
