"""The set-up of a checkout, by make as a person types it, where nothing can be downloaded."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tools.environment import MEGABYTES, drivers, explain

ROOT = Path(__file__).parents[3]
UV = ROOT / ".uv/bin/uv"
NOWHERE = "http://127.0.0.1:9"
UV_VERSION = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]


class Checkout:
    """A copy of what the set-up needs, with no network."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("Makefile", "pyproject.toml", "uv.lock", "tools", "embedded"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, path / name)
        for package in ROOT.glob("*/pyproject.toml"):
            (path / package.parent.name).mkdir(exist_ok=True)
            shutil.copy(package, path / package.parent.name)

    def give_uv(self) -> None:
        """Have the uv of this checkout there already."""
        (self.path / ".uv/bin").mkdir(parents=True)
        (self.path / ".uv/bin/uv").symlink_to(UV)
        (self.path / f".uv/uv-{UV_VERSION}").touch()

    def python_with(self, code: str) -> Path:
        """A Python that runs `code` before everything else."""
        (self.path / "customized").mkdir()
        (self.path / "customized/sitecustomize.py").write_text(code)
        python = self.path / "customized/python3"
        python.write_text(f'#!/bin/sh\nPYTHONPATH="{python.parent}" exec "{base_python()}" "$@"\n')
        python.chmod(0o755)
        return python

    def make(
        self, *targets: str, python: str | Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        outside_make = {
            name: value
            for name, value in os.environ.items()
            if name not in {"MAKELEVEL", "MAKEFLAGS", "MFLAGS", "VIRTUAL_ENV", "PIP_FIND_LINKS"}
        }
        return subprocess.run(
            ["make", *(targets or [".venv/.synced"]), f"PYTHON={python or base_python()}"],
            cwd=self.path,
            env={
                **outside_make,
                "PIP_INDEX_URL": NOWHERE,
                "PIP_CACHE_DIR": str(self.path / "cache"),
                "UV_CACHE_DIR": str(self.path / "cache"),
                "HTTPS_PROXY": NOWHERE,
                "ALL_PROXY": NOWHERE,
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            check=False,
        )


def base_python() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def sentence(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line that tells what is wrong."""
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert ended.stdout == ""
    told = [line for line in ended.stderr.splitlines() if not line.startswith("make: *** ")]
    wrong = [line for line in told if not line.startswith("Setting up")]
    assert len(wrong) == 1, ended.stderr
    return wrong[0].removeprefix("muster: ")


def test_without_python_the_variable_that_names_one_is_told(checkout: Checkout) -> None:
    told = sentence(checkout.make(python="python-of-nobody"))
    assert told.startswith("There is no python-of-nobody: install Python 3.11")


def test_an_old_python_is_told(checkout: Checkout) -> None:
    old = checkout.python_with("import sys; sys.version_info = (3, 9, 2)")
    assert "needs Python 3.11 or newer and" in sentence(checkout.make(python=old))


def test_a_python_that_can_install_nothing_names_what_to_install(checkout: Checkout) -> None:
    bare = checkout.python_with("import sys; sys.modules.update(pip=None, ensurepip=None)")
    told = sentence(checkout.make(python=bare))
    assert f"apt-get install python3.{sys.version_info.minor}-venv" in told


def test_without_a_network_pip_ends_with_one_sentence(checkout: Checkout) -> None:
    assert sentence(checkout.make()).startswith("The package index can't be reached")


@pytest.mark.skipif(not UV.exists(), reason="needs make .venv/.synced-dev")
class TestWithUv:
    def test_without_a_network_uv_ends_with_one_sentence(self, checkout: Checkout) -> None:
        checkout.give_uv()
        assert sentence(checkout.make()).startswith("The package index can't be reached")
        assert "error: Failed to " in (checkout.path / ".uv/set-up.log").read_text()

    @pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml"])
    def test_a_file_that_is_cut_off_is_named(self, name: str, checkout: Checkout) -> None:
        checkout.give_uv()
        file = checkout.path / name
        file.write_text(file.read_text("utf-8")[:1000])
        assert sentence(checkout.make()).startswith(f"{name} can't be read: restore it")

    def test_without_a_network_what_is_there_stays(self, checkout: Checkout) -> None:
        checkout.give_uv()
        environment = checkout.path / ".venv"
        venv.create(environment)
        (environment / ".synced").touch()
        os.utime(environment / ".synced", (0, 0))
        assert sentence(checkout.make()).startswith("The package index can't be reached")
        assert sorted(environment.glob(".[bs]*")) == [environment / ".synced"]

    def test_what_was_broken_off_is_begun_again(self, checkout: Checkout) -> None:
        checkout.give_uv()
        half_done = checkout.path / ".venv/lib/half-done"
        half_done.mkdir(parents=True)
        (checkout.path / ".venv/.begun").touch()
        (checkout.path / ".venv/.synced-dev").touch()
        assert sentence(checkout.make()).startswith("The package index can't be reached")
        assert not half_done.exists()


def test_where_nothing_can_be_written_the_place_is_told(checkout: Checkout) -> None:
    (checkout.path / ".uv").touch()
    told = sentence(checkout.make())
    assert told.startswith(f"{checkout.path / '.uv'} can't be written (Not a directory)")


def test_an_environment_that_is_up_to_date_needs_no_python(checkout: Checkout) -> None:
    (checkout.path / ".venv/bin").mkdir(parents=True)
    (checkout.path / ".venv/bin/python").symlink_to(sys.executable)
    (checkout.path / ".venv/.synced").touch()
    assert checkout.make(python="python-of-nobody").returncode == 0


def test_an_environment_whose_python_is_gone_is_set_up_anew(checkout: Checkout) -> None:
    (checkout.path / ".venv/bin").mkdir(parents=True)
    (checkout.path / ".venv/bin/python").symlink_to("/nowhere/python3")
    (checkout.path / ".venv/.synced").touch()
    assert "There is no python-of-nobody" in sentence(checkout.make(python="python-of-nobody"))


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("error: Failed to initialize cache at `/root/.cache/uv`", "can't write its cache /root"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("cause: invalid peer certificate: UnknownIssuer", "certificate"),
        ("ERROR: No matching distribution found for uv==0.1", "has no uv==0.1 for this machine"),
        ("error: a\n  cause: it is odd.\n", "Set-up failed: it is odd. Everything"),
        ("", "Set-up failed. Everything"),
    ],
)
def test_a_failure_is_explained(output: str, advice: str) -> None:
    assert advice in explain(output)


def test_every_group_of_packages_has_a_size() -> None:
    groups = re.findall(r"/\.synced-?(\w*)", (ROOT / "Makefile").read_text("utf-8"))
    assert set(groups) == set(MEGABYTES)


def test_the_packages_that_only_servers_need_are_drivers() -> None:
    assert set(drivers()) == {"botocore", "mysql-connector-python", "pika", "pymongo"}


@pytest.mark.parametrize(
    ("name", "url", "stamp"),
    [
        ("BROKER", "amqp://guest:a$b@broker/", ".venv/.synced-servers"),
        ("EMPLOYMENT_DATABASE", "mysql://db/employment", ".venv/.synced-servers"),
        ("EMPLOYMENT_DATABASE", "sqlite:////tmp/employment.db", ".venv/.synced"),
        ("CSV_STORE", "file:///tmp/store", ".venv/.synced"),
        ("CSV_STORE", "", ".venv/.synced"),
    ],
)
def test_drivers_are_installed_when_a_url_names_a_server(
    name: str, url: str, stamp: str, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("BROKER", "CSV_STORE", "AUTH_DATABASE", "EMPLOYMENT_DATABASE"):
        monkeypatch.delenv(f"MUSTER_{other}_URL", raising=False)
    monkeypatch.setenv(f"MUSTER_{name}_URL", url)
    planned = checkout.make("--dry-run", "run").stdout
    assert re.findall(r"-m tools.environment \S+ (\S+)", planned) == [stamp]
