"""The kustomizations to render."""

from deploy.k8s_check.tree import ROOT, Tree

__all__ = ["ALL", "COMPONENTS", "K8S", "OVERLAYS", "ROOT", "Tree"]

K8S = ROOT / "k8s"
OVERLAYS = sorted(each.name for each in (K8S / "overlays").iterdir())
COMPONENTS = sorted(each.name for each in (K8S / "components").glob("*"))
ALL = [*OVERLAYS, *(f"dev with {name}" for name in COMPONENTS)]
