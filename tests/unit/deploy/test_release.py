"""A release: one version everywhere, and what users verify it by."""

import re
import subprocess
import tomllib
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from deploy import release
from gateway.app import create_app
from gateway.settings import Settings
from muster_client.command.app import muster as command

ROOT = Path(__file__).parents[3]
VERSION = release.version()
MEMBERS = sorted(ROOT.glob("*/pyproject.toml"))
ORIGIN = release.Source("https://git.example.com/muster", "c0ffee", "1700000000", "1.2.3")


@pytest.mark.parametrize("file", MEMBERS, ids=lambda file: file.parent.name)
def test_a_package_has_the_version_of_the_one_place(file: Path) -> None:
    parsed = tomllib.loads(file.read_text("utf-8"))
    assert parsed["project"]["dynamic"] == ["version"]
    assert parsed["tool"]["hatch"]["version"]["path"] == "../pyproject.toml"
    assert {"file": "../pyproject.toml"} in parsed["tool"]["uv"]["cache-keys"]
    assert installed(parsed["project"]["name"]) == VERSION


def test_the_openapi_document_and_the_command_say_it(tmp_path: Path) -> None:
    served = create_app(Settings(home=tmp_path)).test_client().get("/openapi.json").get_json()
    assert served["info"]["version"] == VERSION
    assert CliRunner().invoke(command, ["--version"]).output.split()[-1] == VERSION


def test_the_manifests_and_the_changes_name_it() -> None:
    prod = yaml.safe_load((ROOT / "k8s/overlays/prod/kustomization.yaml").read_text("utf-8"))
    tags = {each["name"]: each.get("newTag") for each in prod["images"]}
    assert {tags[f"muster/{service}"] for service in release.SERVICES} == {VERSION}
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    heading = rf"^## {re.escape(VERSION)} - \d{{4}}-\d\d-\d\d$"
    assert re.findall(r"^## .*", changes, re.MULTILINE)[0] == "## Unreleased"
    assert re.search(heading, changes, re.MULTILINE)


def test_an_image_says_what_it_is_made_of() -> None:
    assert ORIGIN.labels() == {
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": "c0ffee",
        "org.opencontainers.image.source": "https://git.example.com/muster",
    }


def test_a_provenance_names_the_commit_the_base_and_the_run() -> None:
    run = {
        "GITHUB_SERVER_URL": "https://git.example.com",
        "GITHUB_REPOSITORY": "muster",
        "GITHUB_WORKFLOW_REF": "muster/.github/workflows/release.yml@refs/tags/v1.2.3",
        "GITHUB_RUN_ID": "7",
        "GITHUB_RUN_ATTEMPT": "1",
    }
    said = release.provenance("auth", "python:3@sha256:abc", ORIGIN, datetime.now(UTC), run)
    commit, lock, base = said["buildDefinition"]["resolvedDependencies"]
    assert commit["digest"] == {"gitCommit": "c0ffee"}
    assert len(lock["digest"]["sha256"]) == 64
    assert base == {"uri": "pkg:docker/python:3", "digest": {"sha256": "abc"}}
    assert said["runDetails"]["builder"]["id"].endswith("release.yml@refs/tags/v1.2.3")
    assert said["runDetails"]["metadata"]["invocationId"].endswith("/actions/runs/7/attempts/1")


def test_a_provenance_by_hand_says_so() -> None:
    said = release.provenance("auth", "python:3", ORIGIN, datetime.now(UTC), {})
    assert said["runDetails"]["builder"] == {"id": "urn:muster:released-by-hand"}
    assert "invocationId" not in said["runDetails"]["metadata"]


def test_the_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text("muster")
    release.write_sums(tmp_path)
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=True, capture_output=True).stdout


def test_a_commit_that_is_not_its_versions_tag_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "version", lambda: "0.0.0")
    with pytest.raises(release.ReleaseRefused, match=r"HEAD is not v0\.0\.0"):
        release.source()
