"""Those who use the system: they send files, ask again, undo, cancel, and note what they hear."""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial

from gateway.errors import IdempotencyKeyInFlight, NothingToUndo, UndoWaits, UploadNotFinished
from gateway.uploads.accept import Submission
from gateway.uploads.undo import UndoRequest
from muster.broker import Delivery
from muster.contracts.uploads import Options, Upload
from muster.http.tokens import Principal
from muster.uploadstore import UploadNotFound
from muster.weather import Unavailable
from tests.simulator.system import Gateway, NoAnswer, System, body_of
from tests.simulator.workload import Deed, Letterbox, Plan, files_of, is_undone_twice, make_file
from tests.simulator.world import World

_AGAIN_SECONDS = 2.0
_CLAIMED_SECONDS = 7.0
_DAMAGED_SECONDS = 30.0
_GARBAGE = b'{"version": 99}'
_QUEUES = {"dbuploader": "upload.accepted", "notification": "upload.finished"}


@dataclass(frozen=True)
class Receipt:
    """A 202: which upload, when it was asked for and when answered."""

    upload_id: str
    posted_at: float
    answered_at: float


class People:
    """Does what the plan says."""

    def __init__(self, world: World, system: System, plan: Plan) -> None:
        self._world = world
        self._system = system
        self._plan = plan
        self._letters: dict[int, Letterbox] = {}
        self._by_number: dict[int, str] = {}
        self.receipts: list[Receipt] = []
        self.cancelled: set[str] = set()
        self.damaged: set[str] = set()
        self.garbage: dict[str, list[bytes]] = defaultdict(list)
        self.busy = 0

    def start(self) -> None:
        """Begin all that they do."""
        for deed in self._plan.deeds:
            self.busy += 1
            self._world.scheduler.start(partial(self._do, deed), at=deed.at)

    def file_of(self, upload: Upload) -> Letterbox:
        """The file that the upload was sent with."""
        return self._letter(int(upload.filename.partition("-")[0]))

    def _letter(self, number: int) -> Letterbox:
        if number not in self._letters:
            self._letters[number] = make_file(self._plan.seed, number)
        return self._letters[number]

    def _do(self, deed: Deed) -> None:
        if deed.doing != "garbage" and deed.number not in files_of(self._plan):
            # A history that was made simpler does not send it any more.
            self.busy -= 1
            return
        try:
            match deed.doing:
                case "send":
                    self._send(deed)
                case "cancel":
                    self._cancel(deed)
                case "undo":
                    self._undo(deed)
                case "damage":
                    self._damage(deed)
                case "garbage":
                    self._confuse()
        finally:
            self.busy -= 1

    def _wait_for_earlier(self, deed: Deed) -> None:
        """Return when the file before this one is accepted, or will not be."""
        earlier = [each.number for each in self._plan.deeds if each.doing == "send"]
        earlier = [number for number in earlier if number < deed.number]
        while earlier and earlier[-1] not in self._by_number:
            self._world.scheduler.sleep(_AGAIN_SECONDS)

    def _send(self, deed: Deed) -> None:
        if deed.is_prompt:
            self._wait_for_earlier(deed)
        letter = self._letter(deed.number)
        ana = _principal(letter.recipient)
        options = letter.file.options
        submission = Submission(
            ana,
            body_of(letter.content),
            Options(
                mode="insert" if options.get("mode") == "insert" else "upsert",
                dry_run="dry_run" in options,
                max_rejects=int(options["max_rejects"]) if "max_rejects" in options else None,
            ),
            table=letter.file.table,
            filename=f"{deed.number}-{letter.file.table}.csv",
            key=f"key {deed.number}" if deed.has_key else None,
        )
        # Of several tries any may have been accepted.
        posted_at = self._world.now
        while True:
            # A body is read once.
            again = replace(submission, body=body_of(letter.content))
            try:
                upload = self._system.request(partial(_accept, again))
            except (NoAnswer, Unavailable):
                seconds = _AGAIN_SECONDS
                if not deed.has_key:
                    # Whether it was accepted nobody knows; to send it again might double it.
                    self._by_number.setdefault(deed.number, "")
                    return
            except IdempotencyKeyInFlight:
                seconds = _CLAIMED_SECONDS
            else:
                self._by_number[deed.number] = upload.id
                self.receipts.append(Receipt(upload.id, posted_at, self._world.now))
                return
            self._world.scheduler.sleep(seconds)

    def _undo(self, deed: Deed) -> None:
        upload_id = self._upload_of(deed)
        undo_id = self._undo_once(deed, upload_id) if upload_id else None
        if undo_id is not None and is_undone_twice(self._plan.seed, deed.number):
            self._undo_once(deed, undo_id)

    def _undo_once(self, deed: Deed, upload_id: str) -> str | None:
        """Have the upload undone once it is final; returns the undo's id, or None if it was not.

        Its key is its own, so that it may be asked for again.
        """
        data, who = self._system.data, _principal(self._letter(deed.number).recipient)
        while not (data.uploads[upload_id].state.is_final and upload_id not in data.unreadable):
            self._world.scheduler.sleep(_AGAIN_SECONDS)
        request = UndoRequest(who, upload_id, Options(mode="possible"), f"undo {upload_id}")
        posted_at = self._world.now
        while True:
            try:
                undo = self._system.request(lambda gateway: gateway.undos.accept(request).upload)
            except (NoAnswer, Unavailable):
                seconds = _AGAIN_SECONDS
            except (IdempotencyKeyInFlight, UndoWaits):
                # The claim of a try that died.
                seconds = _CLAIMED_SECONDS
            except NothingToUndo:
                return None
            except Exception as error:  # noqa: BLE001 - its record is set aside just then
                self._world.note(f"undo: {error!r}")
                seconds = _CLAIMED_SECONDS
            else:
                self.receipts.append(Receipt(undo.id, posted_at, self._world.now))
                return undo.id
            self._world.scheduler.sleep(seconds)

    def _upload_of(self, deed: Deed) -> str:
        """The id of the file's upload once it is accepted; empty if nobody knows whether it is."""
        while deed.number not in self._by_number:
            self._world.scheduler.sleep(_AGAIN_SECONDS)
        return self._by_number[deed.number]

    def _cancel(self, deed: Deed) -> None:
        letter = self._letter(deed.number)
        who = _principal(letter.recipient)
        upload_id = self._upload_of(deed)
        if not upload_id:
            return
        self.cancelled.add(upload_id)

        def cancel(gateway: Gateway) -> object:
            return gateway.records.cancel(who, upload_id)

        while True:
            try:
                self._system.request(cancel)
            except (NoAnswer, Unavailable):
                self._world.scheduler.sleep(_AGAIN_SECONDS)
                continue
            except (UploadNotFinished, UploadNotFound):
                pass
            except Exception as error:  # noqa: BLE001 - too late, or set aside: both may be
                self._world.note(f"cancel: {error!r}")
            return

    def _damage(self, deed: Deed) -> None:
        """Another version writes the record, which is read again once that is rolled back."""
        upload_id = self._upload_of(deed)
        if not upload_id:
            return
        self.damaged.add(upload_id)
        self._system.data.unreadable.add(upload_id)
        self._world.scheduler.sleep(_DAMAGED_SECONDS)
        self._system.data.unreadable.discard(upload_id)
        self._system.data.aside.pop(upload_id, None)

    def _confuse(self) -> None:
        for queue, key in _QUEUES.items():
            self.garbage[queue].append(_GARBAGE)
            self._system.queues.append(queue, Delivery(key, _GARBAGE))


def _accept(submission: Submission, gateway: Gateway) -> Upload:
    return gateway.uploads.accept(submission).upload


def _principal(email: str) -> Principal:
    return Principal("1", email, frozenset({"uploads:write", "uploads:read"}), 0, "token", 2**40)
