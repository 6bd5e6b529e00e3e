"""Named points of accept, load and notify at which tests kill the process.

`MUSTER_CRASH_POINTS`, for tests only, names a directory. A process that comes to a point and finds
the file `MODULE/POINT` there removes it and dies of SIGKILL; MODULE is what it runs, as in
`python -m MODULE`. docs/guarantees.md says for each point what is true then, and what mends it.
"""

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path


class Point(StrEnum):
    """Between two steps of which the first can be seen from outside; named after the first."""

    ACCEPT_KEY_CLAIMED = "accept.key-claimed"
    ACCEPT_FILE_WRITTEN = "accept.file-written"
    ACCEPT_FILE_STORED = "accept.file-stored"
    ACCEPT_RECORD_STORED = "accept.record-stored"
    OUTBOX_MESSAGE_QUEUED = "outbox.message-queued"
    OUTBOX_RECORD_MARKED = "outbox.record-marked"
    ACCEPT_KEY_RELEASED = "accept.key-released"
    RELAY_UPLOAD_FOUND = "relay.upload-found"
    LOAD_MESSAGE_TAKEN = "load.message-taken"
    LOAD_ATTEMPT_COUNTED = "load.attempt-counted"
    LOAD_VALIDATING = "load.validating"
    LOAD_LOADING = "load.loading"
    LOAD_ROWS_WRITTEN = "load.rows-written"
    LOAD_REJECTS_STORED = "load.rejects-stored"
    LOAD_LEDGER_INSERTED = "load.ledger-inserted"
    LOAD_COMMITTED = "load.committed"
    LOAD_DECIDED = "load.decided"
    LOAD_RECORD_FINAL = "load.record-final"
    LOAD_RESULT_QUEUED = "load.result-queued"
    LOAD_ACK_DUE = "load.ack-due"
    CANCEL_RECORD_FINAL = "cancel.record-final"
    CANCEL_RESULT_QUEUED = "cancel.result-queued"
    NOTIFY_MESSAGE_TAKEN = "notify.message-taken"
    NOTIFY_MAIL_SENT = "notify.mail-sent"
    NOTIFY_EMAIL_RECORDED = "notify.email-recorded"
    RABBITMQ_MESSAGE_MOVED = "rabbitmq.message-moved"
    RABBITMQ_MESSAGE_SETTLED = "rabbitmq.message-settled"
    SQLITE_MESSAGE_SETTLED = "sqlite.message-settled"


def _armed_points() -> Path | None:
    directory = os.environ.get("MUSTER_CRASH_POINTS")
    module = getattr(sys.modules["__main__"], "__spec__", None)
    return Path(directory, module.name) if directory and module else None


_ARMED = _armed_points()


def crash_point(point: Point) -> None:
    """Die here if a test has armed the point for this process; otherwise nothing happens."""
    if _ARMED is None:
        return
    try:
        # Removed before it dies, so that the process that is started next goes on.
        (_ARMED / point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
