"""Releases under traffic: the same once more, another tag, another secret, and back."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from embedded.demo.checks import heading
from tools.k8s_check.traffic import QUESTIONS
from tools.k8s_check.trial import Trial

_OURS = "muster/"
_OFTEN = ("again", "a third time")


@dataclass(frozen=True)
class Release:
    """A change of an overlay that is then applied, and whether it makes other pods."""

    name: str
    change: Callable[[Path], None]
    makes_pods: bool


def check_releases(trial: Trial) -> None:
    """Apply each release by `kubectl apply -k` alone: no request fails, and all is ready again."""
    heading("Releases under traffic, each by kubectl apply -k alone")
    checks = trial.suite.checks
    first = (trial.cluster.overlay / "kustomization.yaml").read_text("utf-8")

    def go_back(overlay: Path) -> None:
        (overlay / "kustomization.yaml").write_text(first, "utf-8")

    releases = [
        *(Release(f"the same, {often}", _keep, makes_pods=False) for often in _OFTEN),
        Release("a new tag", _rename_images, makes_pods=True),
        Release("another secret", _change_secret, makes_pods=True),
        Release("the former tag", go_back, makes_pods=True),
    ]
    with trial.outside.traffic(trial.orders()) as traffic:
        for release in releases:
            traffic.phase(release.name)
            before = _pods(trial)
            release.change(trial.cluster.overlay)
            started = time.monotonic()
            trial.cluster.apply()
            trial.must_all_be_ready()
            waited = time.monotonic() - started
            print(f"  {release.name}: applied, and all is ready after {waited:.0f} s")
            checks.equal(f"{release.name}: other pods", _pods(trial) != before, release.makes_pods)
        report = traffic.stop()
    for release in releases:
        failed = report.failed(release.name, "upload", *QUESTIONS)
        checks.equal(f"{release.name}: no request fails", failed, {})
    trial.must_keep_uploads(report)


def _pods(trial: Trial) -> frozenset[str]:
    """Ours: who comes and goes by itself, as by an autoscaler, is in it as well."""
    return frozenset().union(*(trial.cluster.incarnations(each) for each in trial.suite.servers()))


def _keep(_overlay: Path) -> None:
    pass


def _rename_images(overlay: Path) -> None:
    """The tag NEXT_TAG, or else the same images by their full name, which is another one, too."""
    path, tag = overlay / "kustomization.yaml", os.environ.get("NEXT_TAG")
    content = yaml.safe_load(path.read_text("utf-8"))
    for image in content["images"]:
        if image["name"].startswith(_OURS):
            image |= {"newTag": tag} if tag else {"newName": f"docker.io/{image['name']}"}
    path.write_text(yaml.safe_dump(content), "utf-8")


def _change_secret(overlay: Path) -> None:
    """The first administrator's password, which is for a suite that has none yet."""
    (overlay / "secrets" / "auth-admin.env").write_text("MUSTER_ADMIN_PASSWORD=Another-Passw0rd\n")
