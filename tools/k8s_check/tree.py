"""A copy of k8s/ with secrets of its own, and what its kustomizations render to."""

import shutil
from functools import cache
from pathlib import Path

import yaml

from deploy.make_k8s_secrets import write_secrets
from tools.k8s_check.kustomize import render
from tools.k8s_check.manifests import Manifests

ROOT = Path(__file__).parents[2]
# What k8s/ takes from outside of itself.
_PARTS = ("k8s", "deploy/mysql", "deploy/mongo", "deploy/rabbitmq")


class Tree:
    """The copy in `directory`; each kustomization is rendered once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for part in _PARTS:
            shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("secrets"))
        write_secrets(self.overlay("dev") / "secrets")
        self.rendered = cache(self._render)

    def overlay(self, name: str) -> Path:
        """Where the overlay `name` is."""
        return self._directory / "k8s" / "overlays" / name

    def _render(self, name: str) -> Manifests:
        """What the overlay `name` renders to, or `OVERLAY with COMPONENT and COMPONENT`."""
        overlay, _, components = name.partition(" with ")
        if not components:
            return render(self.overlay(overlay))
        return render(self._with(overlay, components.split(" and ")))

    def _with(self, overlay: str, components: list[str]) -> Path:
        directory = self.overlay("-".join([overlay, *components]))
        directory.mkdir(exist_ok=True)
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"../{overlay}"],
            "components": [f"../../components/{each}" for each in components],
        }
        (directory / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return directory
