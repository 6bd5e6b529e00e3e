"""Uploads from several users at once, while something is struck again and again."""

import queue
import random
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import requests

from embedded.client import FINAL_STATES, Client, Json
from tests.e2e.faults import Fault
from tests.e2e.waiting import DEADLINE_SECONDS, wait_until
from tests.e2e.workload import UploadFile

_LONGEST_PAUSE = 0.3
_REPEAT_SECONDS = 0.2
_WATCH_SECONDS = 0.5
# Servers that share few processors with other work load slowly while they come back.
_LONGEST_SECONDS = 700.0


class Uploader(threading.Thread):
    """Posts the files of a queue until it gets a None, each again with its key until it is taken.

    Other refusals than those of something that is away are raised by `finish`.
    """

    def __init__(self, client: Client, files: "queue.Queue[UploadFile | None]") -> None:
        super().__init__(name="uploader", daemon=True)
        self._client = client
        self._files = files
        self._refusal: requests.RequestException | None = None
        self.repeats = 0

    def run(self) -> None:
        while (file := self._files.get()) is not None and self._refusal is None:
            threading.Event().wait(random.uniform(0, _LONGEST_PAUSE))
            while not file.accepted and self._refusal is None:
                self._post(file)

    def _post(self, file: UploadFile) -> None:
        try:
            file.accepted = file.send(self._client)
            file.accepted_at = time.monotonic()
        except requests.RequestException as error:
            if not may_pass(error):
                self._refusal = error
            self.repeats += 1
            threading.Event().wait(_REPEAT_SECONDS)

    def finish(self) -> None:
        """Return once it has posted everything."""
        self.join(DEADLINE_SECONDS)
        assert not self.is_alive(), "uploads are still refused"
        if self._refusal is not None:
            raise self._refusal
        self._client.close()


class Watcher(threading.Thread):
    """Looks at all uploads again and again, and remembers when which became final."""

    def __init__(self, admin: Client) -> None:
        super().__init__(name="watcher", daemon=True)
        self._admin = admin
        self._done = threading.Event()
        self.final: dict[str, Json] = {}
        self.final_at: dict[str, float] = {}

    def run(self) -> None:
        while not self._done.is_set():
            try:
                self._look(self._admin.uploads())
            except requests.RequestException as error:
                if not may_pass(error):
                    raise
            self._done.wait(_WATCH_SECONDS)

    def _look(self, uploads: list[Json]) -> None:
        for upload in uploads:
            if upload["state"] in FINAL_STATES and upload["id"] not in self.final:
                self.final[upload["id"]] = upload
                self.final_at[upload["id"]] = time.monotonic()

    def in_flight(self, files: Iterable[UploadFile]) -> int:
        """How many of `files` are accepted and were not final when it looked last."""
        return sum(bool(file.accepted) for file in files) - len(self.final)

    def finish(self) -> None:
        self._done.set()
        self.join(DEADLINE_SECONDS)


def may_pass(error: requests.RequestException) -> bool:
    """Whether the same call may go well later."""
    # No answer or 5xx: something was killed. 409: the first try's claim on the key still stands.
    if error.response is None:
        return True
    return error.response.status_code == 409 or error.response.status_code >= 500


@dataclass
class Storm:
    """What happened: the faults, posts repeated, and each upload as it was when it became final.

    `final_at` says when that was, and `seconds_to_final` is the longest that an upload took after
    its 202 and the end of all faults.
    """

    strikes: list[str] = field(default_factory=list)
    repeats: int = 0
    final: dict[str, Json] = field(default_factory=dict)
    final_at: dict[str, float] = field(default_factory=dict)
    seconds_to_final: float = 0.0


def run_storm(
    clients: Sequence[Client],
    admin: Client,
    files: Sequence[UploadFile],
    faults: Sequence[Fault],
    pause: float,
    chance: random.Random,
) -> Storm:
    """Post `files` in as many parts as there are `faults`, each struck while its part is loaded.

    A fault waits for `pause` seconds at most, at random. Returns when all uploads are final.
    """
    storm, watcher = Storm(), Watcher(admin)
    waiting: queue.Queue[UploadFile | None] = queue.Queue()
    uploaders = [Uploader(client, waiting) for client in clients]
    for thread in (watcher, *uploaders):
        thread.start()
    for number, fault in enumerate(faults):
        part = files[number :: len(faults)]
        # The second half comes late, so that there is something in flight.
        for half, most in ((part[::2], pause), (part[1::2], pause / 4)):
            for file in half:
                waiting.put(file)
            threading.Event().wait(chance.uniform(0, most))
        storm.strikes.append(f"{fault.name} ({watcher.in_flight(files)} in flight)")
        fault.strike()
    struck_at = time.monotonic()
    for _ in uploaders:
        waiting.put(None)
    for uploader in uploaders:
        uploader.finish()
    wait_until(lambda: len(watcher.final) == len(files), _LONGEST_SECONDS)
    watcher.finish()
    storm.final, storm.final_at = watcher.final, watcher.final_at
    storm.seconds_to_final = max(
        watcher.final_at[file.accepted["id"]] - max(struck_at, file.accepted_at) for file in files
    )
    storm.repeats = sum(uploader.repeats for uploader in uploaders)
    return storm
