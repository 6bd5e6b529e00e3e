"""Spoiling manifests, one change at a time."""

import copy
from dataclasses import dataclass
from typing import Any

from tools.k8s_check.manifests import Json, Manifests, name_of

REMOVED = object()
POD = "spec/template/spec"
FIRST = f"{POD}/containers/0"


@dataclass(frozen=True)
class Change:
    """Sets the value at `path` of one object, or removes it; without a path, the object itself.

    `target` is a kind and a name, which may leave out the hash. A path's numbers index lists, and
    `-` appends to one; `~` in a key stands for a slash.
    """

    target: str
    path: str = ""
    value: Any = REMOVED

    def __str__(self) -> str:
        text = str(self.value)
        what = "removed" if self.value is REMOVED else text if len(text) < 60 else f"{text[:57]}..."
        return f"{self.target} {self.path or 'itself'}: {what}"

    def applied_to(self, manifests: Manifests) -> Manifests:
        """The manifests with the change; fails where there is nothing to change."""
        changed = Manifests(copy.deepcopy(manifests.objects))
        kind, _, name = self.target.partition(" ")
        (found,) = [each for each in changed.of(kind) if _is_called(each, name)]
        if self.path:
            self._change(found)
        else:
            changed.objects.remove(found)
        assert changed.objects != manifests.objects, f"{self} changes nothing"
        return changed

    def _change(self, found: Json) -> None:
        *parents, last = (step.replace("~", "/") for step in self.path.split("/"))
        at: Any = found
        for step in parents:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if last == "-":
            at.append(self.value)
        elif self.value is REMOVED:
            del at[int(last) if isinstance(at, list) else last]
        else:
            at[int(last) if isinstance(at, list) else last] = self.value


def _is_called(manifest: Json, name: str) -> bool:
    found = name_of(manifest)
    return found == name or (manifest["kind"] in ("ConfigMap", "Secret") and found[:-11] == name)
