"""The promises: what must be true once all faults have ended, whatever the history was.

It uses none of the rules' own code for what files hold and tables must (tests.e2e.model does it).
"""

import sqlite3
from collections import Counter
from dataclasses import asdict

from muster.broker import DELIVERY_LIMIT
from muster.contracts.rejects import read_rejects
from muster.contracts.uploads import EmailState, State, Upload
from tests.e2e.model import Model
from tests.e2e.workload import Record, UndoOrder
from tests.simulator.broker import TOO_OFTEN
from tests.simulator.mail import REFUSED
from tests.simulator.people import People
from tests.simulator.stores import CONFUSES_ITS_LOADER, KILLS_ITS_LOADER
from tests.simulator.system import System
from tests.simulator.world import Blame, Findings

_TABLES = {
    "departments": "SELECT id, department FROM departments ORDER BY id",
    "jobs": "SELECT id, job FROM jobs ORDER BY id",
    "hired_employees": "SELECT id, name, datetime, department_id, job_id FROM hired_employees "
    "ORDER BY id",
}
_LOADED = {State.COMPLETED, State.COMPLETED_WITH_REJECTS}
_MOST_ATTEMPTS = 3
_TIME = 2
"""The place of a hire's time in its row."""
_BY_ATTEMPTS = {"too-many-attempts", "internal-error"}


class Promises:
    """Holds a history against DESIGN's promises."""

    def __init__(self, system: System, people: People, findings: Findings) -> None:
        self._system = system
        self._people = people
        self._data = system.data
        self._findings = findings
        self._expect = findings.expect

    def look_on(self) -> None:
        """As a reader at any moment: all of an upload's rows are there, or none."""
        query = self._system.server.query
        try:
            query("BEGIN")
            try:
                ledger = query("SELECT upload_id, state FROM ledger ORDER BY rowid")
                rows = {table: query(statement) for table, statement in _TABLES.items()}
            finally:
                query("COMMIT")
        except sqlite3.OperationalError:
            return
        model = Model()
        for upload_id, state in ledger:
            if state in _LOADED:
                self._end(model, self._data.uploads[upload_id])
        for table, found in rows.items():
            self._expect(
                _plain(found) == _plain(model.rows(table)),
                "all at once, in order, exactly once",
                f"{table} holds {_plain(found)} where the ledger says {model.rows(table)}",
            )

    def check(self) -> None:
        """All of them, at the end."""
        self._check_accepted()
        model = Model()
        for upload in self._in_order_of_decision():
            self._check_final(upload, model)
            self._check_attempts(upload)
            self._check_email(upload)
        self._check_undone(model)
        self.look_on()
        self._check_order()
        for change in self._data.regressed:
            self._expect(False, "one final state", change)
        self._check_queues()

    def _end(self, model: Model, upload: Upload) -> tuple[str, dict[str, int]]:
        """The state and the counts in which the model has it end."""
        if upload.kind == "undo":
            return model.undo(UndoOrder(upload.undoes or "", upload.table), upload.id)
        return model.load(self._people.file_of(upload).file, upload.id)

    def _in_order_of_decision(self) -> list[Upload]:
        """As the ledger has them: a record that was set aside is decided late, and so may be.

        One that is cancelled may be decided before its turn.
        """
        ledger = self._system.server.query("SELECT upload_id FROM ledger ORDER BY rowid")
        decided = [self._data.uploads[upload_id] for (upload_id,) in ledger]
        told = [
            each
            for each in decided
            if each.id not in self._people.damaged and each.state is not State.CANCELLED
        ]
        self._expect(
            told == sorted(told, key=lambda upload: upload.sequence),
            "in order",
            f"decided were {[upload.sequence for upload in told]}",
        )
        return [*decided, *(each for each in self._data.in_order() if each not in decided)]

    def _check_accepted(self) -> None:
        for receipt in self._people.receipts:
            self._expect(
                receipt.upload_id in self._data.uploads, "accepted is durable", receipt.upload_id
            )
        names = Counter(upload.undoes or upload.filename for upload in self._data.in_order())
        # Without a key nobody sends a file twice, and nobody undoes an upload twice.
        self._expect(names.total() == len(names), "one upload a key", f"{names}")

    def _check_undone(self, model: Model) -> None:
        # A record that could not be read when it was undone names nobody.
        told = [each for each in self._data.in_order() if each.id not in self._people.damaged]
        for upload in told:
            found, expected = upload.undone_by, model.undone_by(upload.id)
            what = f"{upload.id} is undone by {found}, not {expected}"
            self._expect(found == expected, "an undo is done once", what)

    def _check_order(self) -> None:
        for earlier in self._people.receipts:
            for later in self._people.receipts:
                if earlier.answered_at < later.posted_at:
                    a, b = self._sequence(earlier.upload_id), self._sequence(later.upload_id)
                    self._expect(a < b, "in order", f"{a} was accepted before {b}")

    def _sequence(self, upload_id: str) -> int:
        upload = self._data.uploads.get(upload_id)
        return -1 if upload is None else upload.sequence

    def _check_final(self, upload: Upload, model: Model) -> None:
        what = f"{upload.filename} is {upload.state}, {upload.rows}, {upload.error}"
        self._expect(upload.state.is_final, "accepted is durable", what)
        self._expect(upload.announced, "accepted is durable", f"{what}, not announced")
        rows = asdict(upload.rows)
        read = rows.pop("read")
        self._expect(read == sum(rows.values()), "rows are conserved", what)
        code = upload.error.code if upload.error else None
        if upload.state is State.CANCELLED:
            self._expect(upload.id in self._people.cancelled, "nobody cancelled it", what)
            self._expect(_wrote_nothing(upload), "rows are conserved", what)
        elif upload.state is State.FAILED and code in _BY_ATTEMPTS:
            self._expect(
                self._attempts_allowed(upload) > _MOST_ATTEMPTS, "weather is not the file's", what
            )
            self._expect(_wrote_nothing(upload), "rows are conserved", what)
        else:
            self._check_loaded(upload, model, what)

    def _check_loaded(self, upload: Upload, model: Model, what: str) -> None:
        extra = upload.kind == "upload" and self._people.file_of(upload).extra
        self._expect(not extra, "a poison file ends", what)
        state, counts = self._end(model, upload)
        found = asdict(upload.tally)
        self._expect((upload.state.value, found) == (state, counts), "exactly once, in order", what)
        if upload.has_rejects and upload.state is not State.FAILED:
            self._check_rejects(upload, what)

    def _check_rejects(self, upload: Upload, what: str) -> None:
        content, _ = self._data.files.get(upload.rejects_name, (b"", 0.0))
        kept = len(list(read_rejects(content.splitlines(keepends=True))[1])) if content else 0
        undone = upload.undone
        rejected = upload.rows.rejected if undone is None else undone.kept + undone.blocked
        self._expect(kept == rejected, "rejects are kept", f"{kept} of {what}")

    def _attempts_allowed(self, upload: Upload) -> int:
        blame = self._system.world.blame.get(upload.id, Blame())
        unnoted = upload.id in self._people.damaged
        return 1 + blame.ended + blame.mistakes + unnoted

    def _check_attempts(self, upload: Upload) -> None:
        query = self._system.server.query
        found = query(f"SELECT attempts FROM load_attempts WHERE upload_id = '{upload.id}'")
        attempts = found[0][0] if found else 0
        allowed = self._attempts_allowed(upload)
        what = f"{upload.filename} counts {attempts} attempts of {allowed}"
        # One after the last loads nothing: it ends the upload, and is begun again until it has.
        loads = min(attempts, _MOST_ATTEMPTS + 1)
        self._expect(loads <= allowed, "weather costs no attempt", what)
        if upload.kind == "undo":
            return
        letter = self._people.file_of(upload)
        blame = self._system.world.blame.get(upload.id, Blame())
        if letter.extra == KILLS_ITS_LOADER:
            self._expect(blame.poisoned <= _MOST_ATTEMPTS, "a poison file ends", what)
        if letter.extra == CONFUSES_ITS_LOADER:
            # Once more as one of a run, which is repeated one by one, unless its loader is to stop.
            runs = 1 + blame.stopped
            self._expect(blame.confused <= _MOST_ATTEMPTS + runs, "a poison file ends", what)

    def _check_email(self, upload: Upload) -> None:
        refused = upload.submitted_by.startswith(REFUSED)
        name = f"<upload-{upload.id}.{upload.state}@localhost>"
        arrived = self._system.mailbox.arrived
        ours = [each for each in arrived if upload.id in each]
        state = upload.email.state if upload.email else None
        expected = EmailState.REFUSED if refused else EmailState.SENT
        what = f"{upload.filename} is {upload.state}; its email is {state}; arrived are {ours}"
        self._expect(state is expected, "one email per final state", what)
        self._expect(ours == ([] if refused else [name]), "one email per final state", what)
        # On a repeat only: after a fault it may come again, as the same email.
        allowed = 1 + self._system.world.faults.total()
        self._expect(
            arrived[name] <= allowed, "one email per final state", f"{arrived[name]} times"
        )

    def _check_queues(self) -> None:
        world = self._system.world
        for name, queue in self._system.queues.queues.items():
            self._expect(not queue.messages, "nothing is held up", f"{name}: {queue.messages}")
            dead = Counter(delivery.body for delivery, _ in queue.dead)
            garbage = Counter(self._people.garbage.get(name, []))
            unanswered = Counter(each.body for each, reason in queue.dead if reason == TOO_OFTEN)
            is_told = garbage <= dead and dead - garbage <= unanswered
            self._expect(is_told, "what can't be read is set aside", f"{queue.dead}")
            # Each of these deliveries met a fault, or a file that kills.
            allowed = world.faults.total() + sum(each.poisoned for each in world.blame.values())
            is_borne = unanswered.total() * DELIVERY_LIMIT <= allowed
            self._expect(is_borne, "a message is answered", f"{queue.dead}")


def _wrote_nothing(upload: Upload) -> bool:
    rows = upload.rows
    return not rows.inserted + rows.updated + rows.unchanged


def _plain(rows: list[tuple[object, ...]]) -> list[Record]:
    return _without_fraction([tuple(str(value) for value in row) for row in rows])


def _plain_time(value: str) -> str:
    return value.replace(" ", "T").removesuffix(".000000").removesuffix("Z")


def _without_fraction(rows: list[Record]) -> list[Record]:
    return [
        tuple(
            value.replace(" ", "T").removesuffix(".000000").removesuffix("Z")
            if place == 2
            else value
            for place, value in enumerate(row)
        )
        for row in rows
    ]
