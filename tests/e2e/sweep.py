"""Visiting crash points: each process is brought to its own, one after the other, all at once.

Which there are is learned first: an upload of each kind is brought by without a death, and each
call of a port that a process makes for it is a point.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import requests

from embedded.client import FINAL_STATES, Client, Json
from tests.e2e.crashing import CONSUMERS, CrashPoints, Kind, Scenario, Stop, Visit
from tests.e2e.storm import may_pass
from tests.e2e.supply import Supply
from tests.e2e.waiting import DEADLINE_SECONDS, wait_until
from tests.e2e.workload import UndoOrder, UploadFile

T = TypeVar("T")

_PAUSE_SECONDS = 0.1
_CLAIMED_PAUSE_SECONDS = 3.0
_POSTS_AT_ONCE = 64
_MOST_TRIES = 4
_MOST_HEARD = 20
_SEED = 20210102
# What the undos of a kind undo.
_UNDONE = {Kind.UNDO: Kind.LOADED, Kind.UNDO_LARGE: Kind.LARGE}
_NEW = (2, 3, 4, 5)
_AGAIN = 0.5
# Each process does in so long whatever it does all the time.
_IDLE_SECONDS = 3.0


class Post:
    """One file, or undo, on its way to the gateway, sent again with its key until it is taken.

    It is claimed while its key belongs to a try that died: for 30 seconds nobody else may have it.
    """

    def __init__(self, client: Client, file: UploadFile | UndoOrder, turn: threading.Lock) -> None:
        self._client = client
        self._file = file
        self._turn = turn
        self.is_claimed = False

    @property
    def is_accepted(self) -> bool:
        """Whether it got its 202."""
        return bool(self._file.accepted)

    @property
    def upload_id(self) -> str:
        """The upload's id, once it is accepted."""
        return str(self._file.accepted["id"])

    def run(self) -> None:
        """Return once it is accepted."""
        while not self.is_accepted:
            self._file.accepted = _patiently(self._try)

    def _try(self) -> Json:
        try:
            # One at a time: a gateway that dies of one shall not leave the keys of others claimed.
            with self._turn:
                return self._file.send(self._client)
        except requests.HTTPError as error:
            if error.response.status_code != 409:
                raise
        self.is_claimed = True
        time.sleep(_CLAIMED_PAUSE_SECONDS)
        return {}


class Sweep:
    """Uploads by `client`, or by `grey`, whose mail is put off at first.

    `files` are those that were posted, undos among them, `cancelled` the uploads that were to be
    cancelled. A stop is `missed` to which nobody came again: how often a call is made may depend on
    the time it takes.
    """

    def __init__(self, points: CrashPoints, supply: Supply, client: Client, grey: Client) -> None:
        self._points = points
        self._supply = supply
        self._client = client
        self._grey = grey
        self._turn = threading.Lock()
        self._posts = ThreadPoolExecutor(_POSTS_AT_ONCE, "post")
        self._posting: list[Future[None]] = []
        self.missed: set[Stop] = set()
        # What may be undone, the newest last, and the undo of each kind that was ordered last.
        self._undoable: dict[Kind, list[Json]] = {kind: [] for kind in _UNDONE}
        self._ordered: dict[Kind, UndoOrder] = {}
        self._chance = random.Random(_SEED)
        self.files: list[UploadFile | UndoOrder] = []
        self.cancelled: set[str] = set()

    def load_parents(self) -> None:
        """Load what the other files refer to, with nothing armed."""
        for file in self._supply.parents:
            post = self._post(file, Kind.ANY)
            wait_until(partial(self._is_told, post))

    def load_undoable(self, kind: Kind, count: int) -> None:
        """Load so many uploads for undos of the kind, with nothing armed."""
        posts = [self._post(self._supply.next(_UNDONE[kind]), Kind.ANY) for _ in range(count)]
        for post in posts:
            wait_until(partial(self._is_told, post))
        uploads = [self._look(post) for post in posts]
        self._undoable[kind] += [each for each in uploads if each["change"] is not None]

    def learn(self, scenarios: Sequence[Scenario]) -> list[Visit]:
        """The visits of all scenarios, by the calls that are made today."""
        processes = {scenario.process for scenario in scenarios}
        for process in processes:
            self._points.listen(process)
        time.sleep(_IDLE_SECONDS)
        idle = {process: self._points.heard(process) for process in processes}
        # Whoever visits what comes behind them arms these, at a time of its own.
        armed = {stop for scenario in scenarios for stop in scenario.before}
        return [
            visit
            for scenario in scenarios
            for visit in scenario.visits(self._hear(scenario), idle[scenario.process], armed)
        ]

    def run(self, visits: Sequence[Visit], repetitions: int, *, at_once: bool = True) -> None:
        """Make each visit so often; returns once all uploads are accepted.

        Where the processes are not visited `at_once`, nothing comes to a stop but what is sent
        there, so that the stops of a kind of upload are come to by that kind.
        """
        processes = {visit.process for visit in visits}
        workers = len(processes) if at_once else 1
        with self._posts, ThreadPoolExecutor(workers, "visitor") as visitors:
            rounds = [
                visitors.submit(self._visit_all, [*_of(process, visits)] * repetitions)
                for process in processes
            ]
            for future in rounds:
                future.result()
            for posting in self._posting:
                posting.result()

    def _visit_all(self, visits: Sequence[Visit]) -> None:
        for visit in visits:
            self._visit(visit)

    def _visit(self, visit: Visit) -> None:
        *before, last = visit.stops
        self._points.arm(last)
        for _ in range(_MOST_TRIES):
            for stop in before:
                self._points.arm(stop)
            try:
                is_done = self._bring(visit)
            except AssertionError as error:
                error.add_note(f"{visit}, with {self._sent_last(visit.kind)}")
                raise
            for stop in before:
                self._points.disarm(stop)
            if is_done and not self._points.is_armed(last):
                return
        self._points.disarm(last)
        self.missed.add(last)

    def _hear(self, scenario: Scenario) -> list[str]:
        """The calls that the process makes for an upload, by the one that got to its end."""
        for _ in range(_MOST_HEARD):
            for stop in scenario.before:
                self._points.arm(stop)
            self._points.listen(scenario.process)
            post = self._post(self._next(scenario.kind), scenario.kind)
            if scenario.kind is Kind.CANCELLED:
                wait_until(lambda: not self._points.is_armed(scenario.before[0]))
                self._cancel(post)
            wait_until(partial(self._is_told, post))
            if scenario.process in CONSUMERS:
                wait_until(partial(self._points.is_settled, scenario.process))
            calls = self._points.heard(scenario.process)
            if calls[0] == "broker.settled":
                # Of the message before.
                del calls[0]
            if _is_typical(self._look(post), scenario.kind):
                return calls
        raise AssertionError(f"nothing is heard of {scenario}")

    def _bring(self, visit: Visit) -> bool:
        """Upload, and wait until its process died at the last stop, or passed it by.

        Returns whether the process is done with the upload. Before it is, nothing may be armed
        again: an upload that is killed for the third time is given up.
        """
        post = self._post(self._next(visit.kind), visit.kind)
        if visit.kind is Kind.CANCELLED:
            wait_until(lambda: post.is_claimed or not self._points.is_armed(visit.stops[0]))
            self._cancel(post)
        last = visit.stops[-1]
        wait_until(lambda: not self._points.is_armed(last) or self._is_missed(visit, post))
        match visit.process:
            case "dbuploader-consumer":
                wait_until(lambda: post.is_claimed or self._is_final(post))
            case "notification-consumer":
                wait_until(lambda: post.is_claimed or self._is_told(post))
            case _:
                return True
        return not post.is_claimed

    def _sent_last(self, kind: Kind) -> str:
        file = self.files[-1]
        upload = self._client.get_upload(file.accepted["id"]) if file.accepted else "no 202"
        return f"{file}: {upload}; before it {self._ordered.get(kind)}"

    def _is_missed(self, visit: Visit, post: Post) -> bool:
        match visit.process:
            case "gateway":
                return post.is_claimed or post.is_accepted
            case "gateway-relay":
                was_left = not self._points.is_armed(visit.stops[0])
                return post.is_accepted and (not was_left or self._is_told(post))
            case _:
                return post.is_claimed or self._is_told(post)

    def _next(self, kind: Kind) -> UploadFile | UndoOrder:
        return self._order_undo(kind) if kind in _UNDONE else self._supply.next(kind)

    def _order_undo(self, kind: Kind) -> UndoOrder:
        """An undo of a new upload, but not of the newest: others have touched some of its rows.

        It may be the undo that was ordered last.
        """
        undoable, last = self._undoable[kind], self._ordered.get(kind)
        if last is not None and last.accepted and self._chance.random() < _AGAIN:
            undo = _patiently(partial(self._client.get_upload, last.accepted["id"]))
            undoable += [undo] if undo["change"] is not None else []
        undone = undoable.pop(-min(self._chance.choice(_NEW), len(undoable)))
        self._ordered[kind] = UndoOrder(undone["id"], undone["table"])
        return self._ordered[kind]

    def _post(self, file: UploadFile | UndoOrder, kind: Kind) -> Post:
        client = self._grey if kind is Kind.MAIL_PUT_OFF else self._client
        post = Post(client, file, self._turn)
        self.files.append(file)
        self._posting.append(self._posts.submit(post.run))
        return post

    def _cancel(self, post: Post) -> None:
        wait_until(lambda: post.is_claimed or post.is_accepted)
        if post.is_claimed:
            return
        self.cancelled.add(post.upload_id)
        try:
            self._client.cancel(post.upload_id)
        except requests.RequestException as error:
            # It may have been asked, or come too late: the model knows either.
            if not may_pass(error):
                raise

    def _is_final(self, post: Post) -> bool:
        return post.is_accepted and self._look(post)["state"] in FINAL_STATES

    def _is_told(self, post: Post) -> bool:
        email = self._look(post)["email"] if post.is_accepted else None
        return email is not None and email["state"] == "sent"

    def _look(self, post: Post) -> Json:
        return _patiently(lambda: self._client.get_upload(post.upload_id))


def _is_typical(upload: Json, kind: Kind) -> bool:
    """Whether it came by the calls that one of the kind may come by."""
    if kind in _UNDONE:
        # Some rows were taken back, and some are listed as left.
        return upload["state"] == "completed_with_rejects" and upload["change"] is not None
    return (upload["state"] == "cancelled") is (kind is Kind.CANCELLED)


def _of(process: str, visits: Sequence[Visit]) -> list[Visit]:
    return [visit for visit in visits if visit.process == process]


def _patiently(call: Callable[[], T]) -> T:
    """What `call` returns, once what it needs is there again."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return call()
        except requests.RequestException as error:
            if not may_pass(error) or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
