"""Clients of the suite, in a pod of their own: they upload and ask until they are told to stop.

Runs by itself, with the standard library alone, so that it runs in any image that has Python. Its
arguments are one JSON object (Orders); each line of its input names the phase that begins, and
"stop" is the last one. It prints "ready" when the clients run, and one JSON object (see `report`)
when all uploads are final.
"""

import base64
import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

FINAL = ("completed", "completed_with_rejects", "validated", "failed", "cancelled")
READY = "ready"
QUESTIONS = ("query", "table", "page", "login")
_PERMISSIONS = ["uploads:write", "uploads:read", "queries:read"]
_ANSWER_SECONDS = 60.0
_AGAIN_SECONDS = 0.5
_ASKING_PAUSE_SECONDS = 0.1
# Far above what the samples use.
_FIRST_ID = 1_000_000


@dataclass(frozen=True)
class Orders:
    """What the clients do."""

    url: str
    email: str
    password: str
    run: str
    """Goes into the names of users and files, which no other run has."""
    uploaders: int = 6
    askers: int = 2
    files: int = 0
    """How many are uploaded at least, whenever they are told to stop."""
    pause_seconds: float = 2.0
    """Between the uploads of one client."""
    final_seconds: float = 300.0
    """How long an upload that was accepted may take to become final, and its email to be sent."""


@dataclass
class Tally:
    """How requests ended, by phase and kind; and the slowest of each kind."""

    phase: str = "start"
    counts: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, phase: str, kind: str, outcome: str, seconds: float) -> None:
        """Count a request that began in a phase."""
        with self.lock:
            kinds = self.counts.setdefault(phase, {})
            kinds.setdefault(kind, Counter())[outcome] += 1
            self.slowest[kind] = max(self.slowest.get(kind, 0.0), seconds)


class Caller:
    """Sends requests, each by a connection of its own, and counts how they end."""

    def __init__(self, url: str, tally: Tally) -> None:
        self._url = url
        self._tally = tally
        self._open = build_opener(ProxyHandler({})).open

    def call(
        self,
        kind: str,
        path: str,
        *,
        body: bytes | None = None,
        **headers: str,
    ) -> tuple[str, Any]:
        """How a request ended, as its status or the name of an error; and the answer to it."""
        phase, started = self._tally.phase, time.monotonic()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(self._url + path, data=body, headers=sent)  # noqa: S310 - http by Orders
        try:
            with self._open(request, timeout=_ANSWER_SECONDS) as answer:
                outcome, said = str(answer.status), answer.read()
        except HTTPError as error:
            outcome, said = str(error.code), b""
            error.close()
        except URLError as error:
            outcome, said = type(error.reason).__name__, b""
        except (OSError, HTTPException) as error:
            outcome, said = type(error).__name__, b""
        self._tally.add(phase, kind, outcome, time.monotonic() - started)
        return outcome, json.loads(said) if said[:1] in (b"{", b"[") else said

    def until(self, kind: str, path: str, *wanted: str, seconds: float, **options: Any) -> Any:
        """The answer to a request, sent again until it ends as wanted; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            outcome, answer = self.call(kind, path, **options)
            if outcome in wanted:
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"{kind} {path}: {outcome}")
            time.sleep(_AGAIN_SECONDS)


class Traffic:
    """All clients, as the orders say."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.tally = Tally()
        self.stop = threading.Event()
        self.accepted: list[str] = []
        """The ids of the uploads."""
        self.failures: list[str] = []
        self._caller = Caller(orders.url, self.tally)
        self._lock = threading.Lock()

    def run(self, phases: Any) -> dict[str, Any]:
        """Upload and ask until `phases`, an iterator of names, says "stop"; returns the report."""
        users = self._make_users()
        threads = [
            *(threading.Thread(target=self._upload, args=user) for user in enumerate(users)),
            *(
                threading.Thread(target=self._ask, args=(users[0],))
                for _ in range(self.orders.askers)
            ),
        ]
        for thread in threads:
            thread.start()
        print(READY, flush=True)
        for phase in phases:
            if phase.strip() == "stop":
                break
            self.tally.phase = phase.strip()
        self.tally.phase = "end"
        self.stop.set()
        for thread in threads:
            thread.join()
        return self.report(users)

    def report(self, users: list[tuple[str, str]]) -> dict[str, Any]:
        """What became of every request and of every upload, once these are final."""
        found = [each for user in users for each in self._final(user)]
        times = Counter(each["name"] for each in found)
        accepted = set(self.accepted)
        return {
            "requests": self.tally.counts,
            "slowest": self.tally.slowest,
            "failures": self.failures,
            "uploads": [each for each in found if each["id"] in accepted],
            "lost": sorted(accepted.difference(each["id"] for each in found)),
            "doubled": sorted(name for name, count in times.items() if count > 1),
        }

    def _make_users(self) -> list[tuple[str, str]]:
        """The names and passwords of the uploaders, a user each."""
        administrator = self._login(self.orders.email, self.orders.password)
        users = [
            (f"{self.orders.run}-{number}@example.com", f"{self.orders.run}-Passw0rd-{number}")
            for number in range(self.orders.uploaders)
        ]
        for email, password in users:
            user = {"email": email, "password": password, "permissions": _PERMISSIONS}
            self._caller.until(
                *("user", "/v1/users", "201"),
                seconds=self.orders.final_seconds,
                body=json.dumps(user).encode(),
                Content_Type="application/json",
                Authorization=administrator,
            )
        return users

    def _login(self, email: str, password: str) -> str:
        answer = self._caller.until(
            *("login", "/v1/login", "200"),
            seconds=self.orders.final_seconds,
            body=b"",
            Authorization=_basic(email, password),
        )
        return f"Bearer {answer['access_token']}"

    def _upload(self, client: int, user: tuple[str, str]) -> None:
        try:
            token = self._login(*user)
            least = -(-self.orders.files // self.orders.uploaders)
            number = 0
            while number < least or not self.stop.is_set():
                self._upload_one(client, number, token)
                number += 1
                self.stop.wait(self.orders.pause_seconds)
        except TimeoutError as error:
            self.failures.append(str(error))

    def _upload_one(self, client: int, number: int, token: str) -> None:
        name = f"{self.orders.run}-{client}-{number}.csv"
        row = f"{_FIRST_ID + client * 100_000 + number},{name}\n"
        answer = self._caller.until(
            "upload",
            "/v1/uploads?" + urlencode({"table": "departments", "filename": name}),
            *("200", "202"),
            seconds=self.orders.final_seconds,
            body=row.encode(),
            Content_Type="text/csv",
            Authorization=token,
            # The same key makes another try harmless.
            Idempotency_Key=name,
        )
        with self._lock:
            self.accepted.append(answer["id"])

    def _ask(self, user: tuple[str, str]) -> None:
        try:
            token = self._login(*user)
        except TimeoutError as error:
            self.failures.append(str(error))
            return
        while not self.stop.is_set():
            self._caller.call(
                "query", "/v1/queries/hires-by-quarter?year=2021", Authorization=token
            )
            self._caller.call("table", "/v1/tables/departments/rows?limit=5", Authorization=token)
            self._caller.call("page", "/")
            self._caller.call("login", "/v1/login", body=b"", Authorization=_basic(*user))
            self.stop.wait(_ASKING_PAUSE_SECONDS)

    def _final(self, user: tuple[str, str]) -> list[dict[str, str]]:
        """All uploads of a user, once they and their emails are final, or take too long."""
        token = self._login(*user)
        deadline = time.monotonic() + self.orders.final_seconds
        while True:
            uploads = self._listed(token)
            waiting = [each for each in uploads if not _is_final(each)]
            if not waiting or time.monotonic() > deadline:
                return uploads
            time.sleep(_AGAIN_SECONDS)

    def _listed(self, token: str) -> list[dict[str, str]]:
        """All uploads of a user, with their states and those of their emails."""
        found: list[dict[str, str]] = []
        cursor: str | None = ""
        while cursor is not None:
            asked = {"limit": "100", **({"cursor": cursor} if cursor else {})}
            page = self._caller.until(
                *("list", "/v1/uploads?" + urlencode(asked), "200"),
                seconds=self.orders.final_seconds,
                Authorization=token,
            )
            for each in page["uploads"]:
                email = (each["email"] or {"state": "waiting"})["state"]
                found.append(
                    {
                        "id": each["id"],
                        "name": each["filename"],
                        "state": each["state"],
                        "email": email,
                    }
                )
            cursor = page["next"]
        return found


def _is_final(upload: dict[str, str]) -> bool:
    return upload["state"] in FINAL and upload["email"] != "waiting"


def _basic(email: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{email}:{password}".encode()).decode()


def main() -> None:
    """Do what the first argument says."""
    orders = Orders(**json.loads(sys.argv[1]))
    print(json.dumps(Traffic(orders).run(iter(sys.stdin.readline, ""))))


if __name__ == "__main__":
    main()
