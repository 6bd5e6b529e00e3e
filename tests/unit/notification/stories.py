"""Uploads to tell about: one of each final state, and one whose every text is hostile."""

from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage

from muster.contracts.uploads import (
    Cause,
    Failure,
    HiresImpact,
    Impact,
    MeanImpact,
    Options,
    RowCounts,
    State,
    UndoCounts,
    Upload,
    UploadWarning,
)
from muster.observability.tracing import Trace
from notification.channels.email.message import compose

COMPLETED = Upload(
    id="0190d3f2a7b84c5e9d1f6a2b3c4d5e6f",
    table="hired_employees",
    filename="hired_employees.csv",
    size=92933,
    sha256="0" * 64,
    owner="1",
    submitted_by="ana@example.com",
    submitted_at=datetime(2021, 11, 7, 2, 48, 42, tzinfo=UTC),
    started_at=datetime(2021, 11, 7, 2, 48, 43, tzinfo=UTC),
    finished_at=datetime(2021, 11, 7, 2, 48, 45, 250000, tzinfo=UTC),
    request_id="6f1e2d3c4b5a69788796a5b4c3d2e1f0",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    state=State.COMPLETED,
    progress=1.0,
    rows=RowCounts(read=1999, inserted=1900, updated=29, unchanged=70),
    sequence=1,
    version=4,
)
CAUSES = (
    Cause(
        "constraint-error", "department_id", 21, 67, "the cell is blank: department_id is required"
    ),
    Cause("constraint-error", "name", 19, 102, "the cell is blank: name is required"),
    Cause("quote-error", None, 1, 1203, "a quote is opened and not closed within the record limit"),
    Cause("foreign-key", "job_id", 29, 1500, "no row of jobs has that id: load that job first"),
)
WITH_REJECTS = replace(
    COMPLETED,
    state=State.COMPLETED_WITH_REJECTS,
    rows=RowCounts(read=1999, inserted=1929, rejected=70),
    causes=CAUSES,
)
FAILED = replace(
    COMPLETED,
    filename="hired_employees.csv.gz",
    state=State.FAILED,
    rows=RowCounts(),
    error=Failure("missing-label", "The header lacks job_id. It needs id, name and job_id."),
)
TOO_MANY_REJECTS = replace(
    WITH_REJECTS,
    state=State.FAILED,
    rows=RowCounts(read=1999, rejected=70, unprocessed=1929),
    options=Options(max_rejects=0, delimiter=";"),
    error=Failure("too-many-rejects", "70 rows were rejected; at most 0 were allowed."),
)
DRY_RUN = replace(WITH_REJECTS, state=State.VALIDATED, options=Options(dry_run=True, mode="insert"))
CANCELLED = replace(COMPLETED, state=State.CANCELLED, rows=RowCounts(read=12, unprocessed=12))
IMPACT = Impact(
    (HiresImpact(2021, 3, 1, "Sales", 4, 1009),),
    13,
    (MeanImpact(2021, 9, "Support", above=True),),
    1,
)
HOSTILE = replace(
    WITH_REJECTS,
    filename="<img src=x onerror=alert(1)>$(touch /tmp/x)`id`'\"\r\nBcc: x@y\u202egpj.csv"
    + "x" * 9999,
    causes=(Cause("type-error", "<b>id</b>", 70, 1, "</pre><script>alert(1)</script>\x1b[2J"),),
    warnings=(UploadWarning("preamble", 1, "</bdi><script>alert(2)</script>\u202e"),),
    warnings_total=1,
    impact=Impact((HiresImpact(2021, 3, 1, "</bdi><script>alert(3)</script>\u202e", 4, 9),), 1),
)
WITH_WARNINGS = replace(
    COMPLETED,
    warnings=(
        UploadWarning("preamble", 1, '"Hires" was skipped: the header is on line 2'),
        UploadWarning("misread-text", 1003, 'name "JosÃ©" looks like "José"'),
    ),
    warnings_total=1234,
)
NOT_EXPECTED = replace(
    COMPLETED,
    state=State.FAILED,
    rows=RowCounts(read=1999, rejected=70, unprocessed=1929),
    options=Options(max_updated="5%"),
    error=Failure(
        "expectation",
        "1,900 of 1,999 rows would be updated and at most 5% may be (max_updated). "
        "Nothing was loaded.",
    ),
)
UNDONE = replace(
    COMPLETED,
    kind="undo",
    undoes="0190d3f2a7b84c5e9d1f6a2b3c4d5e00",
    size=0,
    rows=RowCounts(),
    undone=UndoCounts(written=1941, removed=1929, restored=12),
    options=Options(mode="possible"),
)
UNDONE_IN_PART = replace(
    UNDONE,
    state=State.COMPLETED_WITH_REJECTS,
    undone=UndoCounts(written=1944, removed=1929, restored=12, kept=3),
    causes=(Cause("kept", "id", 3, 0, "an upload changed it later (change 9)"),),
    rejects="load",
)
UNDO_TRIED = replace(UNDONE, state=State.VALIDATED, options=Options(mode="all", dry_run=True))
UNDO_FAILED = replace(
    UNDONE_IN_PART,
    state=State.FAILED,
    undone=None,
    options=Options(mode="all"),
    error=Failure("undo-blocked", "Of 1944 rows 3 were changed later. Nothing was undone."),
)
UNDO_CANCELLED = replace(UNDONE, state=State.CANCELLED, undone=None)
STORIES = (
    COMPLETED,
    WITH_WARNINGS,
    WITH_REJECTS,
    FAILED,
    TOO_MANY_REJECTS,
    DRY_RUN,
    CANCELLED,
    NOT_EXPECTED,
    UNDONE,
    UNDONE_IN_PART,
    UNDO_TRIED,
    UNDO_FAILED,
    UNDO_CANCELLED,
    HOSTILE,
)
TRACE = Trace(COMPLETED.request_id, COMPLETED.traceparent)
SENDER = "Muster <muster@example.org>"
PUBLIC_URL = "http://127.0.0.1:8080"


def email_about(*uploads: Upload) -> EmailMessage:
    return compose(uploads, sender=SENDER, public_url=PUBLIC_URL)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content
