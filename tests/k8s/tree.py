"""The kustomizations to render."""

from tools.k8s_check.subsets import INCLUDED, pairwise
from tools.k8s_check.tree import ROOT, Tree

__all__ = ["ALL", "K8S", "OVERLAYS", "ROOT", "SAMPLE", "Tree"]

K8S = ROOT / "k8s"
OVERLAYS = sorted(INCLUDED)
SAMPLE = sorted(name for overlay in OVERLAYS for name in pairwise(overlay))
ALL = sorted({*OVERLAYS, *SAMPLE})
