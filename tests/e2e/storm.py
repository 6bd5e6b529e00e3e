"""Uploads from several users at once, while processes are killed."""

import csv
import io
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import requests

from embedded.client import Client, Json
from embedded.running import RunningSuite

PROCESSES = (
    "gateway",
    "auth",
    "dbuploader",
    "dbuploader-consumer",
    "notification",
    "notification-consumer",
    "gateway-relay",
    "queries",
)
CONTESTED_ID = 1
DEPARTMENT, JOB = 7, 11


@dataclass
class Sent:
    """One file: its good rows by id, and what the gateway answered."""

    key: str
    names: dict[int, str]
    content: bytes
    accepted: Json = field(default_factory=dict)


def make_file(number: int, rows: int) -> Sent:
    """Good rows of ids of its own, one that every file has, and one that is blank."""
    names = {number * 100_000 + n: f"Hire {n} of {number}" for n in range(1, rows + 1)}
    names[CONTESTED_ID] = f"From {number}"
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for id_, name in names.items():
        writer.writerow((id_, name, "2021-03-01T12:00:00Z", DEPARTMENT, JOB))
    writer.writerow(("", "Nobody", "2021-03-01T12:00:00Z", DEPARTMENT, JOB))
    return Sent(uuid.uuid4().hex, names, text.getvalue().encode())


class Uploader(threading.Thread):
    """Posts files one after the other, each again with its key until there is an answer.

    Between two files it pauses for `pace` seconds on average, so that kills meet posts and loads.
    """

    def __init__(self, client: Client, files: list[Sent], pace: float, seconds: float) -> None:
        super().__init__()
        self.client = client
        self.files = files
        self.pace = pace
        self.deadline = time.monotonic() + seconds
        self.repeats = 0

    def run(self) -> None:
        for file in self.files:
            threading.Event().wait(random.uniform(0, 2 * self.pace))
            while not file.accepted and time.monotonic() < self.deadline:
                self._post(file)

    def _post(self, file: Sent) -> None:
        try:
            file.accepted = self.client.upload("hired_employees.csv", file.content, key=file.key)
        except requests.RequestException as error:
            if not _may_pass(error):
                raise
            self.repeats += 1
            threading.Event().wait(0.2)


def _may_pass(error: requests.RequestException) -> bool:
    # No answer or 5xx: something was killed. 409: the first try's claim on the key still stands.
    if error.response is None:
        return True
    return error.response.status_code == 409 or error.response.status_code >= 500


class Killer:
    """Kills random processes of the suite with SIGKILL, and once the supervisor itself."""

    def __init__(self, suite: RunningSuite, seed: int) -> None:
        self.suite = suite
        self.chance = random.Random(seed)
        self.killed: Counter[str] = Counter()
        self._round: list[str] = []

    def kill(self, kills: int, pause: float) -> None:
        """Kill `kills` times, with a random pause of at most `pause` seconds before each."""
        while self.killed.total() < kills:
            threading.Event().wait(self.chance.uniform(0, pause))
            if self.killed.total() == kills // 2:
                self._kill_supervisor()
            else:
                self._kill_child()

    def _kill_child(self) -> None:
        # In rounds of a random order, so that every process is met.
        if not self._round:
            self._round = self.chance.sample(PROCESSES, len(PROCESSES))
        name = self._round.pop()
        if self.suite.kill(name):
            self.killed[name] += 1

    def _kill_supervisor(self) -> None:
        self.suite.kill_supervisor()
        self.killed["the supervisor"] += 1
        # On the same port: that it is free shows that no child outlived the supervisor.
        port = self.suite.url.rpartition(":")[2]
        self.suite = RunningSuite(self.suite.home, {"MUSTER_PORT": port})
