"""The architecture at first sight: parts in the cluster, servers outside, and who calls whom.

`make architecture` draws docs/pictures/architecture.svg from the overlay prod with the component
ingress. What the figure says is read from the manifests; where it stands is written here.
"""

import base64
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from docs.drawing.system import Node, System, read_system
from tools.k8s_check.manifests import Json, Manifests, name_of
from tools.k8s_check.tree import Tree

FILE = Path(__file__).parents[1] / "pictures" / "architecture.svg"
OVERLAY = "prod with ingress"
_STYLE = Path(__file__).with_suffix(".css")

GATEWAY, AUTH, BROKER = "gateway", "auth", "rabbitmq"
# The rows in the figure, from the top: a part, and the server beside it.
ROWS = (
    (AUTH, "auth-db"),
    ("queries", "employment-db"),
    ("dbuploader", "mongo"),
    ("notification", "notification-db"),
    (BROKER, "mail"),
)

# Of the package diagrams: https://diagrams.mingrammer.com/docs/nodes/onprem
ICONS = {
    "Deployment": "k8s/compute/deploy.png",
    "Ingress": "k8s/network/ing.png",
    "PersistentVolume": "k8s/storage/pv.png",
    "PersistentVolumeClaim": "k8s/storage/pvc.png",
    "Service": "k8s/network/svc.png",
    "StatefulSet": "k8s/compute/sts.png",
    "StorageClass": "k8s/storage/sc.png",
    "mail": "aws/engagement/simple-email-service-ses-email.png",
    "mongodb": "onprem/database/mongodb.png",
    "mysql": "onprem/database/mysql.png",
    "rabbitmq": "onprem/queue/rabbitmq.png",
}


class Unplaced(Exception):
    """The manifests have a part or a server that has no row in the figure."""


@dataclass(frozen=True)
class Box:
    """An icon, and up to two lines below it."""

    icon: str
    label: str
    detail: str = ""


SERVERS = {
    "auth-db": Box("mysql", "MySQL", "users"),
    "employment-db": Box("mysql", "MySQL", "employment"),
    "mongo": Box("mongodb", "MongoDB", "files, records"),
    "notification-db": Box("mysql", "MySQL", "notification"),
    "mail": Box("mail", "mail server"),
}


@dataclass(frozen=True)
class Overview:
    """`calls` are from a part to a part or a server."""

    ingress: str
    parts: Mapping[str, Sequence[Box]]
    servers: frozenset[str]
    calls: frozenset[tuple[str, str]]


def read_overview(manifests: Manifests) -> Overview:
    """What the figure says of the rendered `manifests`. Raises HalfOpen, and Unplaced."""
    system = read_system(manifests)
    part_of = {node: part for part, nodes in system.parts.items() for node in nodes}
    calls = {
        (part_of[edge.source], part_of[edge.target] or edge.target.name)
        for edge in system.edges
        if edge.meaning == "calls"
    }
    servers = frozenset(node.name for node in system.parts[""] if node.kind == "Managed")
    parts = {part: _boxes(part, system, manifests) for part in system.parts if part}
    if strange := (parts.keys() | servers) ^ {GATEWAY, *(name for row in ROWS for name in row)}:
        raise Unplaced(sorted(strange))
    (ingress,) = manifests.of("Ingress")
    host = ingress["spec"]["rules"][0]["host"]
    return Overview(host, parts, servers, frozenset(call for call in calls if call[0] != call[1]))


def _boxes(part: str, system: System, manifests: Manifests) -> list[Box]:
    pods = _Pods(manifests)
    of_kind: dict[str, list[Node]] = {}
    for node in system.parts[part]:
        of_kind.setdefault(node.kind, []).append(node)
    boxes = [Box("Service", "Service")]
    for node in of_kind.get("Deployment", ()):
        label = node.name.removeprefix(part).strip("-") or "HTTP"
        boxes.append(Box("Deployment", label, pods.of(node)))
    for node in of_kind.get("StatefulSet", ()):
        boxes += [Box(part, "RabbitMQ"), Box("StatefulSet", "StatefulSet", pods.of(node))]
    for _ in of_kind.get("PersistentVolumeClaim", ()):
        boxes += [Box("PersistentVolumeClaim", "claim"), Box("PersistentVolume", "volume")]
        boxes.append(Box("StorageClass", "storage", "class"))
    return boxes


class _Pods:
    """How many pods each workload has."""

    def __init__(self, manifests: Manifests) -> None:
        self._fixed = {
            (each["kind"], name_of(each)): each["spec"].get("replicas", 1)
            for each in manifests.of("Deployment", "StatefulSet")
        }
        self._scaled = {
            (each["spec"]["scaleTargetRef"]["kind"], each["spec"]["scaleTargetRef"]["name"]): each
            for each in manifests.of("HorizontalPodAutoscaler")
        }

    def of(self, node: Node) -> str:
        scaler: Json | None = self._scaled.get((node.kind, node.name))
        if scaler:
            return "{minReplicas} to {maxReplicas} pods".format_map(scaler["spec"])
        count = self._fixed[node.kind, node.name]
        return f"{count} pods" if count > 1 else "1 pod"


def draw(overview: Overview, icon: Callable[[str], str]) -> str:
    """The figure as SVG that needs no other file; `icon` gives the address of an icon's picture."""
    return _Figure(overview).svg(icon)


_SIZE = 42
_SLOT = 78
_PITCH = 106
_HEIGHT = 94
_TOP = 42
_LEFT = 268
_RIGHT = _LEFT + 6 * _SLOT
_SERVER = _RIGHT + 194
_WIDTH = _SERVER + 62
_GATEWAY_BOX = (112, 206)
_BOTTOM = _TOP + len(ROWS) * _PITCH
_KINDS = ("own", "http", "keys", "message", "data")
_LEGEND = (
    ("http", "HTTP"),
    ("keys", "calls to auth"),
    ("message", "messages"),
    ("data", "data, mail"),
)


class _Figure:
    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._used: dict[str, None] = {}

    def svg(self, icon: Callable[[str], str]) -> str:
        lines = [*self._lines()]
        boxes = [*self._ingress(), *self._gateway(), *self._rows(), *self._legend()]
        defined = "".join(
            f'<image id="{name}" width="{_SIZE}" height="{_SIZE}" href="{icon(name)}"/>'
            for name in self._used
        )
        tips = "".join(_tip(kind) for kind in _KINDS)
        style = _STYLE.read_text("utf-8")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_WIDTH}"'
            f' height="{_BOTTOM + 12}" viewBox="0 0 {_WIDTH} {_BOTTOM + 12}">\n'
            f"<title>The architecture of Muster</title><style>\n{style}</style>\n"
            f"<defs>{tips}{defined}</defs>\n"
            f'<rect class="page" width="100%" height="100%"/>\n'
            f'<rect class="cluster" x="8" y="8" width="{_RIGHT + 108}" height="{_BOTTOM - 4}"/>\n'
            f'<text class="start name" x="20" y="29">Kubernetes</text>\n'
            f'<text class="name" x="{_SERVER}" y="29">Managed</text>\n'
            + "\n".join([*boxes, *lines])
            + "\n</svg>\n"
        )

    def _ingress(self) -> Iterator[str]:
        yield from self._box(Box("Ingress", "Ingress"), 56, _middle(0))

    def _gateway(self) -> Iterator[str]:
        boxes = self._overview.parts[GATEWAY]
        left, right = _GATEWAY_BOX
        height = (len(boxes) - 1) * _PITCH + _HEIGHT
        yield from _frame(GATEWAY, left, _top(0), right - left, height)
        for row, box in enumerate(boxes):
            yield from self._box(box, (left + right) // 2, _middle(row))

    def _rows(self) -> Iterator[str]:
        for row, (part, server) in enumerate(ROWS):
            boxes = self._overview.parts[part]
            yield from _frame(part, _LEFT, _top(row), _SLOT * len(boxes), _HEIGHT)
            for slot, box in enumerate(boxes):
                yield from self._box(box, _slot(slot), _middle(row))
            x, y = _SERVER - 30, _middle(row) - 24
            yield f'<rect class="plate" x="{x}" y="{y}" width="60" height="46" rx="6"/>'
            yield from self._box(SERVERS[server], _SERVER, _middle(row))

    def _box(self, box: Box, x: int, y: int) -> Iterator[str]:
        self._used[box.icon] = None
        half = _SIZE // 2
        yield f'<use href="#{box.icon}" x="{x - half}" y="{y - half}"/>'
        yield f'<text x="{x}" y="{y + half + 13}">{escape(box.label)}</text>'
        if box.detail:
            yield f'<text class="detail" x="{x}" y="{y + half + 28}">{escape(box.detail)}</text>'

    def _lines(self) -> Iterator[str]:
        yield _arrow("own", f"M79 {_middle(0)}H{_GATEWAY_BOX[0] + 22}")
        yield _arrow("own", f"M{sum(_GATEWAY_BOX) // 2} {_middle(0) + 40}V{_middle(1) - 26}")
        for row, (part, _) in enumerate(ROWS):
            for slot, box in enumerate(self._overview.parts[part][1:]):
                if box.icon != "Deployment" or box.label == "HTTP":
                    ends = (_slot(slot) + 22, _slot(slot + 1) - 26)
                    yield _arrow("own", f"M{ends[0]} {_middle(row)}H{ends[1]}")
        for caller, callee in sorted(self._overview.calls):
            yield self._call(caller, callee)

    def _call(self, caller: str, callee: str) -> str:
        """A line has a column for what it leads to, so that none lies on another."""
        row = next(row for row, names in enumerate(ROWS) if callee in names)
        if callee in self._overview.servers:
            return _arrow("data", f"{self._to_column(caller, row)}V{_middle(row)}H{_SERVER - 36}")
        if caller == GATEWAY and callee == BROKER:
            boxes = len(self._overview.parts[GATEWAY])
            bottom = _top(boxes - 1) + _HEIGHT
            x = sum(_GATEWAY_BOX) // 2
            return _arrow("message", f"M{x} {bottom}V{_middle(row)}H{_LEFT - 6}")
        if caller == GATEWAY:
            x = _GATEWAY_BOX[1]
            return _arrow("http", f"M{x} {_middle(1)}H{x + 24}V{_middle(row)}H{_LEFT - 6}")
        mine = _row_of(caller)
        if callee == BROKER:
            start = f"M{self._right_of(caller)} {_top(mine) + 13}H{_RIGHT + 20}"
            end = f"V{_top(row) - 6}H{_slot(1)}V{_middle(row) - 25}"
            return _arrow("message", start + end)
        x = _LEFT - 20
        return _arrow("keys", f"M{_LEFT} {_middle(mine) + 24}H{x}V{_middle(row) + 24}H{_LEFT - 6}")

    def _to_column(self, caller: str, row: int) -> str:
        column = _RIGHT + 38 + 16 * row
        if caller == GATEWAY:
            return f"M{_GATEWAY_BOX[1]} {_top(row) - 6}H{column}"
        mine = _row_of(caller)
        y = _middle(mine) + (0 if mine == row else -13 if mine > row else 20)
        return f"M{self._right_of(caller)} {y}H{column}"

    def _right_of(self, part: str) -> int:
        return _LEFT + _SLOT * len(self._overview.parts[part])

    def _legend(self) -> Iterator[str]:
        for line, (kind, text) in enumerate(_LEGEND):
            y = _top(3) + 34 + 22 * line
            yield _arrow(kind, f"M20 {y - 4}H46")
            yield f'<text class="start" x="56" y="{y}">{escape(text)}</text>'


def _row_of(part: str) -> int:
    return next(row for row, (name, _) in enumerate(ROWS) if name == part)


def _top(row: int) -> int:
    return _TOP + _PITCH * row


def _middle(row: int) -> int:
    """The height of the icons."""
    return _top(row) + 40


def _slot(number: int) -> int:
    return _LEFT + _SLOT * number + _SLOT // 2


def _frame(name: str, x: int, y: int, width: int, height: int) -> Iterator[str]:
    yield f'<rect class="part" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    yield f'<text class="start name" x="{x + 8}" y="{y + 15}">{escape(name)}</text>'


def _arrow(kind: str, way: str) -> str:
    return f'<path class="{kind}" marker-end="url(#{kind}-tip)" d="{way}"/>'


def _tip(kind: str) -> str:
    return (
        f'<marker id="{kind}-tip" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="7"'
        f' markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path class="{kind}-tip" d="M0 0L8 4L0 8z"/></marker>'
    )


def icon_of_diagrams(name: str) -> str:
    """The picture of an icon as a `data:` address, from the package diagrams."""
    import diagrams

    folder = Path(diagrams.__file__).parents[1] / "resources"
    picture = base64.b64encode((folder / ICONS[name]).read_bytes()).decode()
    return f"data:image/png;base64,{picture}"


def icons_in(drawn: str) -> dict[str, str]:
    """The pictures of the icons in a figure, by their names."""
    return dict(re.findall(r'<image id="([^"]+)" [^>]*href="([^"]+)"', drawn))


def main() -> None:
    """Draws FILE."""
    with tempfile.TemporaryDirectory() as directory:
        overview = read_overview(Tree(Path(directory, "tree")).rendered(OVERLAY))
    FILE.write_text(draw(overview, icon_of_diagrams), "utf-8")


if __name__ == "__main__":
    main()
