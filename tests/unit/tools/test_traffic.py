"""The clients of `make k8s-check`: what they count, against a suite that only answers."""

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers.http import serving
from tests.waiting import eventually
from tools.k8s_check import traffic
from tools.k8s_check.outside import Report
from tools.k8s_check.traffic import QUESTIONS, Orders, Traffic

Json = dict[str, object]


class Suite(BaseHTTPRequestHandler):
    """Answers what is in `refuses` with 503 so often, and forgets or doubles uploads."""

    refuses: Counter[str]
    uploads: dict[str, str]
    users: list[str]
    forgets: set[str]
    doubles: set[str]
    slow: int

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path)
        if self.refuses[f"{self.command} {path.path}"] > 0:
            self.refuses[f"{self.command} {path.path}"] -= 1
            self._say(503, {})
            return
        match self.command, path.path:
            case "POST", "/v1/users":
                self.users.append(json.loads(body)["email"])
                self._say(201, {})
            case "POST", "/v1/login":
                self._say(200, {"access_token": self.headers["Authorization"][-20:]})
            case "POST", "/v1/uploads":
                (name,) = parse_qs(path.query)["filename"]
                assert self.headers["Idempotency-Key"] == name
                self.uploads[name] = self.headers["Authorization"]
                self._say(202, {"id": f"id of {name}"})
            case "GET", "/v1/uploads":
                mine = [n for n, by in self.uploads.items() if by == self.headers["Authorization"]]
                names = [n for n in mine if n not in self.forgets]
                names += [n for n in mine if n in self.doubles]
                state = {"state": "completed" if self.slow == 0 else "loading"}
                email = {"state": "sent"} if self.slow < 2 else None
                self._say(200, self._page([{**state, "email": email} for _ in names], names))
                type(self).slow = max(self.slow - 1, 0)
            case _:
                self._say(200, {})

    def _page(self, uploads: list[Json], names: list[str]) -> Json:
        """A page of two."""
        cursor = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        said = [
            {**each, "id": f"id of {name}", "filename": name}
            for each, name in zip(uploads, names, strict=True)
        ]
        more = cursor + 2 < len(said)
        return {"uploads": said[cursor : cursor + 2], "next": str(cursor + 2) if more else None}

    def _say(self, status: int, answer: Json) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Orders]:
    monkeypatch.setattr(traffic, "_AGAIN_SECONDS", 0)
    Suite.refuses, Suite.uploads, Suite.users = Counter(), {}, []
    Suite.forgets, Suite.doubles, Suite.slow = set(), set(), 0
    with serving(Suite) as port:
        url = f"http://127.0.0.1:{port}"
        yield Orders(url, "admin@example.com", "secret", "run", 3, 1, files=7, pause_seconds=0)


def report(orders: Orders, *phases: str) -> Report:
    """What the traffic says of phases, each of which ends when another file was sent."""

    def begun() -> Iterator[str]:
        for phase in phases:
            yield f"{phase}\n"
        eventually(lambda: len(Suite.uploads) >= 9)
        yield "stop\n"

    return Report(**json.loads(json.dumps(Traffic(orders).run(begun()))))


def test_at_least_so_many_files_are_uploaded_by_so_many_users(orders: Orders) -> None:
    found = report(orders, "phase")
    assert len(Suite.users) == 3
    assert len(found.uploads) == len(Suite.uploads) >= 7
    assert {each["name"] for each in found.uploads} == set(Suite.uploads)
    assert {(each["state"], each["email"]) for each in found.uploads} == {("completed", "sent")}
    assert (found.failures, found.lost, found.doubled) == ([], [], [])


def test_what_fails_is_counted_by_its_kind_and_sent_again(orders: Orders) -> None:
    Suite.refuses["POST /v1/uploads"] = 2
    Suite.refuses["GET /v1/queries/hires-by-quarter"] = 1
    found = report(orders, "phase")
    # The first requests may be sent before the first phase is named.
    failed = Counter(found.failed("start", "upload")) + Counter(found.failed("phase", "upload"))
    assert failed == {"503": 2}
    asked = Counter(found.failed("start", *QUESTIONS)) + Counter(found.failed("phase", *QUESTIONS))
    assert asked == {"503": 1}
    assert found.lost == []


def test_what_failed_stands_beside_what_was_answered() -> None:
    requests = {"phase": {"upload": {"202": 3, "200": 1, "503": 2}, "page": {"200": 5}}}
    assert Report(requests, {}, [], [], [], []).rows() == [
        {"phase": "phase", "requests": "page", "answered": 5, "failed": ""},
        {"phase": "phase", "requests": "upload", "answered": 4, "failed": "2 503"},
    ]


def test_uploads_that_are_gone_or_there_twice_are_named(orders: Orders) -> None:
    Suite.forgets, Suite.doubles = {"run-0-1.csv"}, {"run-1-0.csv"}
    found = report(orders, "phase")
    assert (found.lost, found.doubled) == (["id of run-0-1.csv"], ["run-1-0.csv"])


def test_uploads_and_emails_that_are_not_final_are_waited_for(orders: Orders) -> None:
    Suite.slow = 3
    found = report(orders, "phase")
    assert {(each["state"], each["email"]) for each in found.uploads} == {("completed", "sent")}


def test_a_suite_that_is_not_there_is_named_by_its_error(orders: Orders) -> None:
    with serving(Suite) as port:
        pass
    tally = traffic.Tally("phase")
    caller = traffic.Caller(f"http://127.0.0.1:{port}", tally)
    assert caller.call("page", "/") == ("ConnectionRefusedError", b"")
    with pytest.raises(TimeoutError, match="page /: ConnectionRefusedError"):
        caller.until("page", "/", "200", seconds=-1)
    assert tally.counts == {"phase": {"page": {"ConnectionRefusedError": 2}}}
