"""Rendering kustomizations by kubectl, which comes as a wheel."""

import sysconfig
import tempfile
from pathlib import Path

import yaml

from tools.images_check.commands import CommandFailed, run
from tools.k8s_check.manifests import Manifests

# By libyaml, where it is there, eight times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"


def render(kustomization: Path) -> Manifests:
    """What `kubectl apply -k` would send; raises CommandFailed, also for a warning."""
    with tempfile.TemporaryDirectory(prefix="muster-render-") as directory:
        rendered = Path(directory) / "objects.yaml"
        said = run(
            *(str(KUBECTL), "kustomize", str(kustomization), "--output", str(rendered)),
            with_errors=True,
        )
        if said:
            raise CommandFailed(f"{kustomization}: {said}")
        objects = yaml.load_all(rendered.read_text("utf-8"), _Loader)
        return Manifests([each for each in objects if each])
